"""The risk screen since the last dose: asked before a dose, and again before somebody leaves.

Both go by the same answers and the same reading of them, so that nobody is told of a risk at one
door and not at the other.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import bindparam, select

from app.checkins import service as checkins
from app.checkins.service import CheckInRow
from app.checkins.tables import IS_FINAL, CheckIn
from app.clinical.risk import Finding
from app.kernel.db import Db, Query
from app.kernel.tables import columns
from app.people.chart import Chart

INSTRUMENT: Final = "c-ssrs-since-last-contact"

_check_in = columns(CheckIn)
SCREENS = Query(
    select(*(getattr(_check_in, name) for name in CheckInRow._fields))
    .where(
        _check_in.clinic_id == bindparam("clinic_id"),
        _check_in.patient_id == bindparam("patient_id"),
        _check_in.instrument == bindparam("instrument"),
        _check_in.effective_at > bindparam("since"),
        _check_in.effective_at <= bindparam("until"),
        IS_FINAL,
    )
    .order_by(_check_in.effective_at.desc(), _check_in.id.desc()),
    CheckInRow,
)


class Screened(NamedTuple):
    """When it was answered, and what the answers say, as the clinic's levels are now."""

    at: datetime
    finding: Finding


def found(db: Db, chart: Chart, since: datetime, until: datetime) -> Screened | None:
    """What was answered after `since`, not after `until`: the newest, at the gravest level of all.

    Somebody who wants to go home may take back what they said an hour ago; whoever spoke with them
    overrides it, with a reason.
    """
    rows = db.all(
        SCREENS,
        patient_id=chart.patient_id,
        instrument=INSTRUMENT,
        since=since,
        until=until,
    )
    if not rows:
        return None
    findings = [checkins.finding_of(db, row, chart) for row in rows]
    gravest = max(one.level for one in findings)
    return Screened(rows[0].effective_at, replace(findings[0], level=gravest))
