"""The risk screen since the last dose: asked before a dose, and again before somebody leaves.

Both go by the same answers and the same reading of them, so that nobody is told of a risk at one
door and not at the other.
"""

from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import bindparam, literal_column, select

from app.checkins import service as checkins
from app.checkins.service import CheckInRow
from app.checkins.tables import IS_FINAL, CheckIn
from app.clinical.risk import Finding
from app.kernel.db import Db, Query
from app.kernel.tables import columns
from app.people.chart import Chart

INSTRUMENT: Final = "c-ssrs-since-last-contact"

_check_in = columns(CheckIn)
NEWEST_SCREEN = Query(
    select(*(getattr(_check_in, name) for name in CheckInRow._fields))
    .where(
        _check_in.clinic_id == bindparam("clinic_id"),
        _check_in.patient_id == bindparam("patient_id"),
        _check_in.instrument == bindparam("instrument"),
        _check_in.effective_at > bindparam("since"),
        _check_in.effective_at <= bindparam("until"),
        IS_FINAL,
    )
    .order_by(_check_in.effective_at.desc(), _check_in.id.desc())
    .limit(literal_column("1")),
    CheckInRow,
)


class Screened(NamedTuple):
    """When it was answered, and what the answers say, as the clinic's levels are now."""

    at: datetime
    finding: Finding


def newest(db: Db, chart: Chart, since: datetime, until: datetime) -> Screened | None:
    """The newest one that was answered after `since` and not after `until`, if there is one."""
    row = db.first(
        NEWEST_SCREEN,
        patient_id=chart.patient_id,
        instrument=INSTRUMENT,
        since=since,
        until=until,
    )
    if row is None:
        return None
    return Screened(row.effective_at, checkins.finding_of(db, row, chart))
