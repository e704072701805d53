"""Several series of one patient on one time axis, with what happened around them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import ColumnElement, bindparam, func, literal_column, or_, select
from sqlalchemy.types import Boolean

from app.checkins import packs, schedule
from app.checkins.tables import IS_FINAL, CheckIn
from app.clinical.instruments import Instrument, UnknownInstrument
from app.clinical.protocol import DueItem
from app.experience.notes import NOTES as KEPT_NOTES
from app.experience.tables import ExperienceNote
from app.goals.tables import Goal
from app.journal.shelf import PRIVATE
from app.kernel.clock import instant_of
from app.kernel.db import Ahead, Db, Query, itself
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.errors import Fault, Kind, Problem, invalid
from app.kernel.tables import columns
from app.people.chart import Chart
from app.safety.tables import Flag
from app.trends import service
from app.trends.schemas.together import KeptOut
from app.trends.series import Measured, ask_series, find_series

MAX_SERIES: Final = 12
MAX_MARKS: Final = 1000
"""Of each kind of thing that happened: the newest so many."""
_POINTER: Final = "query:series"

CONVENTION: Final = (
    f"What was asked for is reckoned back {schedule.LOOK_BACK.days} days at most, by the protocol"
    " that holds now, whatever held then: our convention"
)


class _Flagged(NamedTuple):
    id: UUID
    kind: str
    level: str
    status: str
    is_historic: bool
    raised_at: datetime


class _Marked(NamedTuple):
    effective_at: datetime
    status: str


_check_in = columns(CheckIn)
_flag = columns(Flag)
_note = columns(ExperienceNote)
_goal = columns(Goal)
_newest_marks: ColumnElement[int] = literal_column(str(MAX_MARKS))

ANSWERED = Query(
    select(_check_in.instrument)
    .where(
        _check_in.clinic_id == bindparam("clinic_id"),
        _check_in.patient_id == bindparam("patient_id"),
        IS_FINAL,
    )
    .group_by(_check_in.instrument)
    .order_by(func.count().desc(), _check_in.instrument),
    itself,
)
FLAGS = Query(
    select(*(getattr(_flag, name) for name in _Flagged._fields))
    .where(_flag.clinic_id == bindparam("clinic_id"), _flag.patient_id == bindparam("patient_id"))
    .order_by(_flag.raised_at.desc(), _flag.id)
    .limit(_newest_marks),
    _Flagged,
)
# When something was written, and of what is private not even that.
NOTES = Query(
    select(_note.effective_at, _note.status)
    .where(
        _note.clinic_id == bindparam("clinic_id"),
        _note.patient_id == bindparam("patient_id"),
        _note.status != literal_column(f"'{ENTERED_IN_ERROR}'"),
        or_(bindparam("is_own", type_=Boolean), _note.tier != PRIVATE),
    )
    .order_by(_note.effective_at.desc(), _note.id.desc())
    .limit(_newest_marks),
    _Marked,
)
GOALS = Query(
    select(_goal.effective_at, _goal.status)
    .where(
        _goal.clinic_id == bindparam("clinic_id"),
        _goal.patient_id == bindparam("patient_id"),
        _goal.status != literal_column(f"'{ENTERED_IN_ERROR}'"),
        or_(bindparam("is_own", type_=Boolean), _goal.tier != PRIVATE),
    )
    .order_by(_goal.effective_at.desc(), _goal.id.desc())
    .limit(_newest_marks),
    _Marked,
)


class Several(NamedTuple):
    """told: the JSON of `TrajectoriesOut`. measured: what each of its trajectories is of."""

    told: bytes
    measured: list[Measured]


class _Around(NamedTuple):
    """What happened, asked for."""

    flags: Ahead[_Flagged]
    notes: Ahead[_Marked]
    goals: Ahead[_Marked]
    due: schedule.AskedDue


def read_together(
    db: Db,
    chart: Chart,
    *,
    series: str | None,
    since: datetime | None,
    until: datetime | None,
    now: datetime,
) -> Several:
    """Several series, and what happened around them.

    series: `phq-9,momentary/mood,pcl-5/b`; whatever was answered, if none are named.
    Raises: Problem NOT_FOUND, INVALID.
    """
    named = _named(db, series) if series is not None else None
    wanted, is_cut = (named, False) if named is not None else answered(db, chart)
    asked = [
        service.Asked(since, until, ask_series(db, chart.patient_id, measured, since, until))
        for measured in wanted
    ]
    asked_from = max(since or now - schedule.LOOK_BACK, now - schedule.LOOK_BACK)
    around = _Around(
        db.ahead(FLAGS, patient_id=chart.patient_id),
        db.ahead(NOTES, patient_id=chart.patient_id, is_own=chart.is_own),
        db.ahead(GOALS, patient_id=chart.patient_id, is_own=chart.is_own),
        schedule.ask_due(db, chart.patient_id, now - schedule.LOOK_BACK),
    )
    course = schedule.course(db, chart, around.due)
    keys = dict.fromkeys(measured.instrument.key for measured in wanted)
    items = schedule.asked_since(chart, course, keys, asked_from, min(now, until or now))
    within = _Within(since, until)
    # When somebody wrote is for those who may read that they did.
    notes = around.notes.all() if KEPT_NOTES.read_right.is_granted(chart) else []
    head = {
        "doses": {"effective_at": within.of([instant_of(dose) for dose in course.doses])},
        "flags": [
            one._asdict() for one in reversed(around.flags.all()) if within.has(one.raised_at)
        ],
        "notes": _marks(notes, within, with_status=False),
        "goals": _marks(around.goals.all(), within, with_status=True),
        "asked": {
            "protocol_version": course.version,
            "since": asked_from,
            "instruments": [_kept(key, items) for key in keys],
            "convention": CONVENTION,
        },
        "is_cut": is_cut,
    }
    trajectories = b",".join(service.render(one, now) for one in asked)
    return Several(b'%s,"trajectories":[%s]}' % (to_json(head)[:-1], trajectories), wanted)


def read_kept(db: Db, chart: Chart, key: str, now: datetime) -> KeptOut:
    """How much is there of what one questionnaire was asked for, as far back as is looked."""
    since = now - schedule.LOOK_BACK
    course = schedule.course(db, chart, schedule.ask_due(db, chart.patient_id, since))
    items = schedule.asked_since(chart, course, [key], since, now)
    return KeptOut.model_validate(_kept(key, items))


class _Within(NamedTuple):
    since: datetime | None
    until: datetime | None

    def has(self, at: datetime) -> bool:
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)

    def of(self, instants: Sequence[datetime]) -> list[datetime]:
        return [at for at in instants if self.has(at)]


def _marks(found: list[_Marked], within: _Within, *, with_status: bool) -> dict[str, Any]:
    shown = [one for one in reversed(found) if within.has(one.effective_at)]
    marks: dict[str, Any] = {"effective_at": [one.effective_at for one in shown]}
    if with_status:
        marks["status"] = [one.status for one in shown]
    return marks


def _kept(key: str, items: Sequence[DueItem]) -> dict[str, Any]:
    """How much of what was asked for is there, and what is not."""
    own = [one for one in items if one.instrument == key]
    over = [one for one in own if one.state in ("answered", "late", "missed")]
    missed = [one for one in over if one.state == "missed"]
    return {
        "instrument": key,
        "expected": len(over),
        "in_time": sum(one.state == "answered" for one in over),
        "late": sum(one.state == "late" for one in over),
        "missed": [
            {
                "due_key": one.key,
                "label": one.label,
                "opened_at": instant_of(one.opens_at),
                "expired_at": instant_of(one.expires_at),
            }
            for one in missed
        ],
    }


def _named(db: Db, sent: str) -> list[Measured]:
    names = sent.split(",")
    if len(set(names)) != len(names) or not 1 <= len(names) <= MAX_SERIES:
        raise invalid(_POINTER, f"must name 1 to {MAX_SERIES} different series")
    return [_one(db, *name.partition("/")[::2]) for name in names]


def _one(db: Db, key: str, part: str) -> Measured:
    try:
        if not part:
            return find_series(db, key, item_key=None, part=None)
        is_item = any(part == item.key for item in packs.find(db, key).items)
        return find_series(
            db, key, item_key=part if is_item else None, part=None if is_item else part
        )
    except UnknownInstrument:
        raise invalid(_POINTER, "names an instrument that is not known here") from None
    except Problem as problem:
        if problem.kind is Kind.NOT_FOUND:
            raise invalid(_POINTER, "names an instrument that is not known here") from None
        faults = [Fault(_POINTER, fault.reason) for fault in problem.faults]
        raise Problem(Kind.INVALID, faults=faults) from None


def answered(db: Db, chart: Chart) -> tuple[list[Measured], bool]:
    """Everything there are answers to, the most answered first; and whether some did not fit."""
    found: list[Measured] = []
    for key in db.all(ANSWERED, patient_id=chart.patient_id):
        found += [
            find_series(db, key, item_key=item, part=part)
            for item, part in _series_of(packs.find(db, key))
        ]
    return found[:MAX_SERIES], len(found) > MAX_SERIES


def _series_of(instrument: Instrument) -> list[tuple[str | None, str | None]]:
    """The total; without one the entered scores, or the items that are answered on a scale.

    Suicidal ideation is no series among others: it has an address of its own.
    """
    if instrument.total is not None:
        return [(None, None)]
    if instrument.scores:
        return [(None, one.key) for one in instrument.scores]
    return [(item.key, None) for item in instrument.items if item.scale is not None]
