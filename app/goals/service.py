"""Integration goals, their steps, and how far they were attained."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Date,
    Uuid,
    any_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
)

from app.clinical import attainment
from app.clinical.attainment import Level, RatedOn, Rater, Scaled, State
from app.goals.schemas import (
    AttainmentOut,
    GoalAttainmentOut,
    GoalIn,
    GoalOut,
    GoalRatingIn,
    GoalRatingOut,
    GoalStepIn,
    GoalStepOut,
    RatedOut,
    TScoreOnOut,
    TScoreOut,
)
from app.goals.tables import Goal, GoalRating, GoalStep
from app.journal.shelf import Kept, Shelf
from app.journal.statements import may_read
from app.kernel.db import Db, Query, itself
from app.kernel.entries import ENTERED_IN_ERROR, illegal_move
from app.kernel.errors import Fault, Kind, Problem, invalid
from app.kernel.tables import columns, table
from app.people.chart import EVERYONE, Chart, Right

READ: Final = Right("goals.read", privileges=EVERYONE)
_goal = columns(Goal)
_step = columns(GoalStep)
_rating = columns(GoalRating)
_WITHDRAWN: Final[Any] = literal_column(f"'{ENTERED_IN_ERROR}'")
_STARTS_ON: Final[Any] = bindparam("starts_on", type_=Date)

TIMES_RATED = Query(
    select(func.count(literal_column("1"), type_=BigInteger)).where(
        _rating.clinic_id == bindparam("clinic_id"),
        _rating.patient_id == bindparam("patient_id"),
        _rating.goal_id == bindparam("goal_id"),
        _rating.status != _WITHDRAWN,
    ),
    itself,
)

# A step that was dropped is in nobody's way.
STEPS_BEFORE = Query(
    select(func.count(literal_column("1"), type_=BigInteger)).where(
        _step.clinic_id == bindparam("clinic_id"),
        _step.patient_id == bindparam("patient_id"),
        _step.goal_id == bindparam("goal_id"),
        _step.status != _WITHDRAWN,
        _step.status != literal_column("'dropped'"),
        or_(_step.starts_on < _STARTS_ON, _step.due_on < _STARTS_ON),
    ),
    itself,
)


def _check_goal(
    db: Db, chart: Chart, sent: GoalIn, row: Kept, before: Kept | None, _: datetime
) -> dict[str, Any]:
    """Raises: Problem INVALID, ILLEGAL_MOVE."""
    levels = [] if sent.levels is None else [Level(**dict(level)) for level in sent.levels]
    if levels and (fault := attainment.level_fault(levels)) is not None:
        raise invalid(fault.pointer, fault.reason)
    if sent.starts_on and sent.target_on and sent.target_on < sent.starts_on:
        raise invalid("/target_on", "must not be before the start")
    if before is None:
        return {}
    if sent.starts_on is not None and sent.starts_on != before.plain["starts_on"]:
        asked = {"patient_id": chart.patient_id, "goal_id": row.id, "starts_on": sent.starts_on}
        if db.one(STEPS_BEFORE, **asked):
            raise invalid("/starts_on", "must not be after the start or the date of a step")
    state, to = State(before.status), State(sent.status)
    if state != to and not attainment.may_move(state, to):
        raise illegal_move(state, sorted(attainment.MOVES[state]))
    if faults := _rescaled(chart, sent, levels, before):
        is_rated = bool(db.one(TIMES_RATED, patient_id=chart.patient_id, goal_id=row.id))
        if not attainment.may_write_scale(state, is_rated=is_rated):
            raise Problem(Kind.INVALID, faults=faults)
    return {}


def _rescaled(chart: Chart, sent: GoalIn, levels: list[Level], before: Kept) -> list[Fault]:
    """What of the scale would be another one: nothing of it may, once the goal was rated."""
    was = GOALS.told(chart, before)
    faults = []
    if [dict(level) for level in was.levels or ()] != [asdict(level) for level in levels]:
        faults.append(Fault("/levels", "are fixed, because the goal was rated by them"))
    return faults + [
        Fault(f"/{name}", "is fixed, because the goal was rated")
        for name in ("baseline_level", "weight")
        if getattr(was, name) != getattr(sent, name)
    ]


def _held(db: Db, chart: Chart, goal_id: UUID) -> GoalOut:
    """The goal that something is to be a part of, locked: who amends it meanwhile sees the part."""
    row = db.first(GOALS.to_change, patient_id=chart.patient_id, id=goal_id)
    assert row is not None  # or there was nothing for the part to be of
    return GOALS.told(chart, row)


def _check_step(
    db: Db, chart: Chart, sent: GoalStepIn, row: Kept, before: Kept | None, now: datetime
) -> dict[str, Any]:
    """Raises: Problem INVALID."""
    if _is_dated_anew(sent, before):
        goal = _held(db, chart, sent.goal_id)
        fault = attainment.step_fault(goal.starts_on, starts_on=sent.starts_on, due_on=sent.due_on)
        if fault is not None:
            raise invalid(fault.pointer, fault.reason)
    if sent.starts_on and sent.due_on and sent.due_on < sent.starts_on:
        raise invalid("/due_on", "must not be before the start")
    if (sent.status == "done") != (sent.done_on is not None):
        raise invalid("/done_on", "belongs to a step that is done, and to no other")
    return {}


def _is_dated_anew(sent: GoalStepIn, before: Kept | None) -> bool:
    """Whether a step's dates are to be held against its goal's start.

    They are not when a step that stands is only done, dropped or worded otherwise: that is news,
    and a date it was stored with is no reason to refuse it.
    """
    if sent.status == "dropped":
        return False
    if before is None or before.status == "dropped":
        return True
    dates = ("goal_id", "starts_on", "due_on")
    return any(getattr(sent, name) != before.plain[name] for name in dates)


def _check_rating(
    db: Db, chart: Chart, sent: GoalRatingIn, row: Kept, before: Kept | None, now: datetime
) -> dict[str, Any]:
    """Raises: Problem INVALID."""
    if _held(db, chart, sent.goal_id).levels is None:
        raise invalid("/goal_id", "has no levels to be rated by")
    return {"rater": (Rater.PATIENT if chart.is_own else Rater.THERAPIST).value}


GOALS: Final = Shelf(
    "goal",
    Goal,
    GoalIn,
    GoalOut,
    created="set",
    read=READ,
    write=Right("goals.set", privileges=frozenset()),
    derive=_check_goal,
)
STEPS: Final = Shelf(
    "goal_step",
    GoalStep,
    GoalStepIn,
    GoalStepOut,
    created="planned",
    read=READ,
    write=Right("goals.set", privileges=frozenset()),
    derive=_check_step,
    part_of=(GOALS, "goal_id"),
)
RATINGS: Final = Shelf(
    "goal_rating",
    GoalRating,
    GoalRatingIn,
    GoalRatingOut,
    created="given",
    read=READ,
    write=Right("goals.rate", privileges=frozenset({"therapy"})),
    derive=_check_rating,
    part_of=(GOALS, "goal_id"),
)


_MOST_PARTS: Final = 500
_OF_THESE: Final[Any] = bindparam("ids", type_=ARRAY(Uuid))
STEPS_OF: Final = STEPS.query(_step.goal_id == any_(_OF_THESE), newest=_MOST_PARTS)
RATINGS_OF: Final = RATINGS.query(_rating.goal_id == any_(_OF_THESE), newest=_MOST_PARTS)


class Parts(NamedTuple):
    """Steps towards some goals and ratings of them, newest first.

    is_cut: there are more than are here, of one or the other.
    """

    steps: list[GoalStepOut]
    ratings: list[GoalRatingOut]
    is_cut: bool


def read_parts(db: Db, chart: Chart, goal_ids: Sequence[UUID]) -> Parts:
    """What belongs to these goals, as far as this reader may see."""
    if not goal_ids:
        return Parts([], [], is_cut=False)
    steps = STEPS.found(db, chart, STEPS_OF, ids=list(goal_ids))
    ratings = RATINGS.found(db, chart, RATINGS_OF, ids=list(goal_ids))
    return Parts(steps, ratings, max(len(steps), len(ratings)) >= _MOST_PARTS)


class _OnScale(NamedTuple):
    """A goal as far as the scale goes."""

    id: UUID
    status: str
    weight: int
    baseline_level: int | None
    starts_on: date | None


class _Rated(NamedTuple):
    goal_id: UUID
    rater: str
    level: int
    at: datetime


ON_SCALE = Query(
    select(_goal.id, _goal.status, _goal.weight, _goal.baseline_level, _goal.starts_on)
    .where(
        _goal.clinic_id == bindparam("clinic_id"),
        _goal.patient_id == bindparam("patient_id"),
        _goal.status != _WITHDRAWN,
        *may_read(table(Goal), GOALS.closed, None),
    )
    .order_by(_goal.effective_at, _goal.id),
    _OnScale,
)
RATED = Query(
    select(_rating.goal_id, _rating.rater, _rating.level, _rating.effective_at)
    .where(
        _rating.clinic_id == bindparam("clinic_id"),
        _rating.patient_id == bindparam("patient_id"),
        _rating.status != _WITHDRAWN,
    )
    .order_by(_rating.effective_at, _rating.id),
    _Rated,
)
_NEVER_WORKED_ON: Final = frozenset({State.PROPOSED, State.ACCEPTED, State.PLANNED, State.REJECTED})


def read_attainment(db: Db, chart: Chart, now: datetime) -> AttainmentOut:
    """How far the goals that this reader may see were attained, by each rater."""
    goals = db.all(ON_SCALE, patient_id=chart.patient_id, sees_closed=chart.is_own)
    given: dict[UUID, list[_Rated]] = {goal.id: [] for goal in goals}
    for rated in db.all(RATED, patient_id=chart.patient_id):
        if rated.goal_id in given:
            given[rated.goal_id].append(rated)
    zone = ZoneInfo(chart.time_zone)
    today = now.astimezone(zone).date()
    worked_on = [goal for goal in goals if State(goal.status) not in _NEVER_WORKED_ON]
    return AttainmentOut(
        variant=attainment.VARIANT,
        sources=list(attainment.SOURCES),
        caveat=attainment.CAVEAT,
        patient=_t_score(worked_on, given, Rater.PATIENT, zone),
        therapist=_t_score(worked_on, given, Rater.THERAPIST, zone),
        goals=[_on_scale(goal, given[goal.id], today) for goal in goals],
    )


def _t_score(
    goals: list[_OnScale], given: dict[UUID, list[_Rated]], rater: Rater, zone: ZoneInfo
) -> TScoreOut:
    rated = sorted(
        (one for goal in goals for one in given[goal.id] if one.rater == rater),
        key=lambda one: one.at,
    )
    latest = {one.goal_id: one.level for one in rated}
    scaled = {
        str(goal.id): Scaled(goal.weight, goal.baseline_level, latest.get(goal.id))
        for goal in goals
    }
    found = attainment.attainment(list(scaled.values()))
    days = attainment.over_time(
        scaled,
        [RatedOn(str(one.goal_id), one.at.astimezone(zone).date(), one.level) for one in rated],
    )
    return TScoreOut(
        **asdict(found),
        is_single_goal=found.goals == 1,
        over_time=[TScoreOnOut(**asdict(day)) for day in days],
    )


def _on_scale(goal: _OnScale, given: list[_Rated], today: date) -> GoalAttainmentOut:
    by = {rater: [one for one in given if one.rater == rater] for rater in Rater}
    latest = {
        rater: RatedOut(level=ratings[-1].level, at=ratings[-1].at)
        for rater, ratings in by.items()
        if ratings
    }
    state = State(goal.status)
    shown = attainment.rater_shown(
        {rater: [one.level for one in ratings] for rater, ratings in by.items()}
    )
    said = [one.level for one in by[shown]] if shown is not None else []
    patient, therapist = latest.get(Rater.PATIENT), latest.get(Rater.THERAPIST)
    return GoalAttainmentOut(
        goal_id=goal.id,
        lifecycle_status=attainment.lifecycle_status(state, goal.starts_on, today),
        achievement_status=attainment.achievement(goal.baseline_level, said, state),
        achievement_by=shown,
        weight=goal.weight,
        baseline_level=goal.baseline_level,
        patient=patient,
        therapist=therapist,
        difference=patient.level - therapist.level if patient and therapist else None,
    )
