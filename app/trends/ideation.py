"""Suicidal ideation over time: as it was answered, each source by itself.

Ordinal: no sum, no mean, no change, no line between two answers. An answer to item 9 of the PHQ-9
and a level of the C-SSRS are not the same question, so they are never one series; neither are two
versions of one questionnaire. Nothing in it says that somebody is safe.
"""

from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ARRAY, Text, any_, bindparam, literal_column, select

from app.checkins import packs
from app.checkins.tables import IS_FINAL, CheckIn
from app.clinical import instruments, trajectory
from app.clinical.instruments import Instrument, Level
from app.kernel.clock import instant_of, microseconds
from app.kernel.db import Db, Query
from app.kernel.tables import columns
from app.people.chart import Chart
from app.treatment import service as treatment
from app.trends.schemas.ideation import IdeationOut, IdeationPointsOut, IdeationSourceOut
from app.trends.series import MAX_POINTS

CAVEAT: Final = (
    "Answers as they were given, each source by itself. They are ordered and not measured: nothing"
    " is added, averaged, subtracted or drawn between two of them. None of them says that somebody"
    " is safe, and what was not asked is not known."
)


class _Answered(NamedTuple):
    instrument: str
    instrument_version: str
    answers: list[int | None]
    level: str
    assessed: bool
    effective_at: datetime


_check_in = columns(CheckIn)
IDEATION = Query(
    select(*(getattr(_check_in, name) for name in _Answered._fields))
    .where(
        _check_in.clinic_id == bindparam("clinic_id"),
        _check_in.patient_id == bindparam("patient_id"),
        _check_in.instrument == any_(bindparam("instruments", type_=ARRAY(Text))),
        IS_FINAL,
    )
    .order_by(_check_in.effective_at.desc(), _check_in.id.desc())
    .limit(literal_column(str(MAX_POINTS))),
    _Answered,
)


def read_ideation(
    db: Db, chart: Chart, *, since: datetime | None, until: datetime | None
) -> IdeationOut:
    """Every source there are answers from, in the order of their first answer."""
    asking = [
        one.key
        for one in (*instruments.shipped(), *packs.added(db))
        if one.suicide_item is not None or one.triage is not None
    ]
    asked_doses = treatment.ask_doses(db, chart.patient_id)
    found = db.all(IDEATION, patient_id=chart.patient_id, instruments=asking)
    doses = asked_doses.of(chart)
    sources: dict[tuple[str, str], list[_Answered]] = {}
    for one in reversed(found):
        if (since is None or one.effective_at >= since) and (
            until is None or one.effective_at < until
        ):
            sources.setdefault((one.instrument, one.instrument_version), []).append(one)
    return IdeationOut(
        sources=[
            _source(packs.find(db, key, version), rows, doses)
            for (key, version), rows in sources.items()
        ],
        doses=[instant_of(dose) for dose in doses],
        is_truncated=len(found) == MAX_POINTS,
        caveat=CAVEAT,
    )


def _source(instrument: Instrument, rows: list[_Answered], doses: list[int]) -> IdeationSourceOut:
    positions = trajectory.positions([microseconds(row.effective_at) for row in rows], doses)
    suicide = instrument.suicide_item
    values: list[int | None]
    if suicide is not None:
        item = instrument.items[suicide.position]
        kind, key, title = "item", f"{instrument.key}.{item.key}", item.text
        values = [row.answers[suicide.position] for row in rows]
        scale: list[dict[str, Any]] = [
            {
                "value": option.value,
                "label": option.label,
                "level": suicide.level(option.value).value,
            }
            for option in item.options
        ]
        source, convention = suicide.source, suicide.convention
    else:
        triage = instrument.triage
        assert triage is not None
        kind, key, title = "level", instrument.key, instrument.title
        # Not assessed is not the lowest level; what was found is told although more was left out.
        values = [
            Level(row.level).rank if row.assessed or row.level != Level.NONE else None
            for row in rows
        ]
        scale = [
            {"value": level.rank, "label": LABELS[level], "level": level.value} for level in Level
        ]
        source, convention = triage.source, triage.convention
    return IdeationSourceOut(
        source=key,
        kind=kind,
        title=title,
        instrument=instrument.key,
        instrument_version=instrument.version,
        recall_days=instrument.recall.days,
        scale=scale,
        points=IdeationPointsOut(
            effective_at=[row.effective_at for row in rows],
            value=values,
            level=[row.level for row in rows],
            assessed=[row.assessed for row in rows],
            dose_number=positions.dose_number,
            hours_since_dose=positions.hours_since_dose,
            window=positions.window,
        ),
        citation=source,
        is_convention=convention,
    )


LABELS: Final[dict[Level, str]] = {
    Level.NONE: "Nothing that raises a level was answered",
    Level.LOW: "Low",
    Level.MODERATE: "Moderate",
    Level.HIGH: "High",
}
