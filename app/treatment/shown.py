"""What the vital signs of a visit show, as it is kept with the visit and told.

Whoever keeps the readings computes it; here it is only kept, so that a list of visits needs no
reading.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, update

from app.kernel.clock import microseconds
from app.kernel.db import Change, Db
from app.kernel.tables import columns
from app.people.chart import Chart
from app.treatment.schemas import VitalsOut
from app.treatment.tables import DosingSession

_session = columns(DosingSession)
SUMMARISE = Change(
    update(DosingSession)
    .where(
        _session.clinic_id == bindparam("clinic_id"),
        _session.patient_id == bindparam("patient_id"),
        _session.id == bindparam("entry_id"),
    )
    .values(vitals=bindparam("to_vitals", type_=_session.vitals.type))
)


def summarise(db: Db, chart: Chart, session_id: UUID, vitals: dict[str, Any]) -> None:
    """Keep with a visit what its vital signs show; see `told_vitals` for its members."""
    db.add(SUMMARISE, patient_id=chart.patient_id, entry_id=session_id, to_vitals=vitals)


def told_vitals(
    vitals: dict[str, Any] | None, ended_at: datetime | None, now: datetime
) -> VitalsOut | None:
    """What is kept of a visit's vital signs, as it is told.

    Kept are `told` (the members of `VitalsOut` but the gaps, which depend on the time) and `timing`
    (see `gaps`).
    """
    if vitals is None:
        return None
    return VitalsOut(**vitals["told"], gaps=gaps(vitals["timing"], ended_at, now))


def gaps(
    timing: tuple[int | None, int, list[int]], ended_at: datetime | None, now: datetime
) -> list[int]:
    """Which record points are over, of those at which nothing was read.

    timing: the dose (microseconds, null without one), the tolerance and the minutes that were
        missed, whenever their time comes.
    """
    dose_at, tolerance, missed = timing
    if dose_at is None or not missed:
        return []
    until = microseconds(min(ended_at or now, now)) - dose_at
    return [one for one in missed if (one + tolerance) * 60_000_000 < until]
