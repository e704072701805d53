"""What a phone keeps for when there is no network."""

from datetime import datetime
from typing import Final

from app.checkins import packs
from app.checkins.schemas import InstrumentOut
from app.kernel.db import Db
from app.people.chart import Chart, Right
from app.safety import plan
from app.safety import service as safety
from app.safety.monitoring import Told
from app.safety.schemas import Help
from app.sync.schemas import BundleOut, ClinicContact

READ_BUNDLE: Final = Right("bundle.read", privileges=frozenset())


def read_bundle(db: Db, chart: Chart, country: str | None, now: datetime) -> BundleOut:
    """Whom to call, the patient's own plan, and the questionnaires of this clinic.

    country: where the patient is.
    """
    block = safety.unasked_block(db, chart, now, country=country, otherwise=Told.NOTHING_STORED)
    return BundleOut(
        help=Help(
            country=block.country,
            emergency_number=block.emergency_number,
            emergency_channels=block.emergency_channels,
            crisis_lines=block.crisis_lines,
            advice=block.advice,
        ),
        clinic=ClinicContact(
            name=chart.clinic.name,
            phone=chart.clinic.phone,
            after_hours_phone=chart.clinic.after_hours_phone,
            country=chart.clinic.country,
        ),
        monitoring_statement=block.monitoring_statement,
        safety_plan=plan.find_plan(db, chart),
        instruments=[
            InstrumentOut.model_validate(one.as_dict())
            for one in packs.offered(db, chart.clinic.instruments)
        ],
        made_at=now,
    )
