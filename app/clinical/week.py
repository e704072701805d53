"""One week of one person: what moved, what was done, what is next. Facts, and no words.

Hides which numbers may be compared. A change is from the last complete score before the week to
the last one in it, if it is not too old; it is called reliable by the published value of the scale
and by nothing else. What is asked about right now has no change here. Two raters of a goal stay
two. A past week is told as it stood on its Sunday.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from app.clinical import practice
from app.clinical.attainment import Rater
from app.clinical.instruments import Instrument, Item, Scale
from app.clinical.practice import Adherence, Kept, Schedule, Streak
from app.clinical.protocol.schedule import instant
from app.clinical.trajectory import doses_in_recall_window, follow, scale_of

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_MICROSECOND = timedelta(microseconds=1)

COMPARED_WITHIN: Final = timedelta(days=35)
"""A score is compared with none that is older by more than this. Source: our convention: what is
asked monthly, and a week late, has one; what somebody answered a year ago is no week's "before"."""
CONVENTIONS: Final = (
    "A score is compared with the last complete one of the 35 days before it: our convention",
    "What is asked about right now is not compared, one moment with another: our convention",
)


class Measured(NamedTuple):
    """One series of scores. at: microseconds since 1970-01-01T00:00Z, ascending.

    on: what it is measured with. totals: points; None where the score is incomplete.
    """

    key: str
    on: Instrument | Item | Scale
    at: Sequence[int]
    totals: Sequence[float | None]


class Rated(NamedTuple):
    """One rating of one goal by one rater. level: -2..+2."""

    goal: str
    rater: Rater
    at: int
    level: int


class Practised(NamedTuple):
    """One practice, and what came of it."""

    id: str
    schedule: Schedule
    kept: Kept


class Step(NamedTuple):
    """One step towards a goal, in the patient's local dates."""

    id: str
    due_on: date | None
    done_on: date | None


class Planned(NamedTuple):
    """Something in the calendar: a dosing session, an integration session. on: local date."""

    id: str
    on: date


@dataclass(frozen=True, slots=True)
class ScoreMoved:
    """How a score moved over the week.

    before, before_at: the last complete score before the week; None: there is none that is not
        too old (`COMPARED_WITHIN`), and so is what follows from it.
    change: points, after less before.
    reliable: it moved by at least the published reliable change; None if none is published.
    straddles: a dose was given within the time that one of the two asks about, so that it
        mixes time before and after.
    """

    key: str
    before: float | None
    before_at: int | None
    after: float
    after_at: int
    change: float | None
    direction: Literal["improved", "worse", "unchanged", "changed"] | None
    reliable: bool | None
    straddles: bool


@dataclass(frozen=True, slots=True)
class GoalMoved:
    """A goal that was rated in the week.

    before, before_at: the rater's last level before it, however long ago: what a level of a goal
        says does not change.
    """

    goal: str
    rater: Rater
    before: int | None
    before_at: int | None
    after: int
    change: int | None


@dataclass(frozen=True, slots=True)
class PracticeDone:
    """A practice that was expected or done. week, month: the 7 and 28 dates to the Sunday.

    streak: up to the Sunday, or up to today in a week that is not over.
    """

    id: str
    week: Adherence
    month: Adherence
    streak: Streak


@dataclass(frozen=True, slots=True)
class Week:
    """What one page says. Everything that names things is in a fixed order.

    name: ISO 8601, such as "2026-W10". first_on, last_on: Monday and Sunday.
    starts_at, ends_at: in the patient's time zone; the end is not included.
    is_over: whether the patient's date is past it; until then it is a week so far.
    steps_done: those of the week, by date. steps_overdue: not done, and due before today or,
        in a week that is over, by its Sunday.
    next_from, next_until: from today, or from the Monday after, to the Sunday after, both
        included; steps_next and planned_next lie there, by date.
    """

    name: str
    first_on: date
    last_on: date
    starts_at: int
    ends_at: int
    is_over: bool
    scores: tuple[ScoreMoved, ...]
    goals: tuple[GoalMoved, ...]
    practices: tuple[PracticeDone, ...]
    steps_done: tuple[Step, ...]
    steps_overdue: tuple[Step, ...]
    next_from: date
    next_until: date
    steps_next: tuple[Step, ...]
    planned_next: tuple[Planned, ...]


def bounds(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """When the week of a date starts and ends, where the patient lives; 168 hours or not.

    Returns: microseconds since 1970-01-01T00:00Z; the end is not included.
    """
    monday, sunday = practice.week_of(day)
    midnights = (datetime.combine(each, time()) for each in (monday, sunday + _DAY))
    starts_at, ends_at = (instant(midnight, zone) for midnight in midnights)
    return starts_at, ends_at


def week(
    day: date,
    *,
    today: date,
    zone: ZoneInfo,
    doses: Sequence[int] = (),
    measured: Sequence[Measured] = (),
    rated: Sequence[Rated] = (),
    practised: Sequence[Practised] = (),
    steps: Sequence[Step] = (),
    planned: Sequence[Planned] = (),
) -> Week:
    """The week in which a date lies.

    day, today: the patient's local dates, of which no week may lie ahead. zone: theirs.
    measured, practised: told in the order given; what has nothing to tell, or is not compared
        (`is_compared`), is left out. A suicide item is no series to be given here: it is never
        subtracted.
    Raises: ValueError if the week has not begun, or if a series cannot be subtracted.
    """
    monday, sunday = practice.week_of(day)
    if monday > today:
        raise ValueError("a week that has not begun has nothing to tell")
    starts_at, ends_at = bounds(day, zone)
    is_over = today > sunday
    as_of = min(today, sunday)
    next_from = sunday + _DAY if is_over else today
    next_until = sunday + _WEEK
    not_done = [each for each in steps if each.done_on is None or each.done_on > as_of]
    dated = [each for each in not_done if each.due_on is not None]
    moved = (_score_moved(series, doses, starts_at, ends_at) for series in measured)
    done = (_practice_done(each, sunday, as_of, is_over=is_over) for each in practised)
    return Week(
        name=practice.week_name(day),
        first_on=monday,
        last_on=sunday,
        starts_at=starts_at,
        ends_at=ends_at,
        is_over=is_over,
        scores=tuple(each for each in moved if each is not None),
        goals=_goals_moved(rated, starts_at, ends_at),
        practices=tuple(each for each in done if each is not None),
        steps_done=_by_date(steps, "done_on", monday, as_of),
        steps_overdue=_by_date(dated, "due_on", date.min, next_from - _DAY),
        next_from=next_from,
        next_until=next_until,
        steps_next=_by_date(dated, "due_on", next_from, next_until),
        planned_next=tuple(
            sorted(
                (each for each in planned if next_from <= each.on <= next_until),
                key=lambda each: (each.on, each.id),
            )
        ),
    )


def is_compared(scale: Scale) -> bool:
    """Whether two scores on it, a week apart or more, tell how the time between them went.

    Source: our convention: not what is asked about right now. One moment of a Sunday and one of
    the Sunday before are two moments; a trajectory shows all of them.
    """
    return not scale.recall.measures_hours


def _by_date(
    steps: Sequence[Step], which: Literal["due_on", "done_on"], first: date, last: date
) -> tuple[Step, ...]:
    found = [
        (on, step.id, step)
        for step in steps
        if (on := getattr(step, which)) is not None and first <= on <= last
    ]
    return tuple(step for _, _, step in sorted(found, key=lambda each: each[:2]))


def _score_moved(
    series: Measured, doses: Sequence[int], starts_at: int, ends_at: int
) -> ScoreMoved | None:
    """From the last complete score before the week to the last one in it."""
    scale = scale_of(series.on)
    if not is_compared(scale):
        return None
    first, end = bisect_left(series.at, starts_at), bisect_left(series.at, ends_at)
    after = _last_complete(series.totals, first, end)
    if after is None:
        return None
    oldest = series.at[after] - COMPARED_WITHIN // _MICROSECOND
    before = _last_complete(series.totals, bisect_left(series.at, oldest), first)
    told = [each for each in (before, after) if each is not None]
    # What counts as change is said in one place: with the one score as its baseline.
    trajectory = follow(
        series.on,
        [series.at[each] for each in told],
        [series.totals[each] for each in told],
        doses,
        pinned=0,
    )
    outcome = trajectory.latest
    assert outcome is not None
    return ScoreMoved(
        key=series.key,
        before=None if before is None else series.totals[before],
        before_at=None if before is None else series.at[before],
        after=outcome.total,
        after_at=series.at[after],
        change=None if before is None else outcome.change,
        direction=None if before is None else outcome.direction,
        reliable=None if before is None else outcome.reliable,
        straddles=any(
            doses_in_recall_window(scale.recall, series.at[each], doses) for each in told
        ),
    )


def _last_complete(totals: Sequence[float | None], first: int, end: int) -> int | None:
    return next((at for at in reversed(range(first, end)) if totals[at] is not None), None)


def _goals_moved(rated: Sequence[Rated], starts_at: int, ends_at: int) -> tuple[GoalMoved, ...]:
    """By goal and rater, each by themselves."""
    moved = []
    in_order = sorted(rated, key=lambda each: (each.goal, each.rater, each.at))
    for (goal, rater), ratings in groupby(in_order, key=lambda each: (each.goal, each.rater)):
        until = [each for each in ratings if each.at < ends_at]
        earlier = [each for each in until if each.at < starts_at]
        if len(until) == len(earlier):
            continue
        before, after = earlier[-1] if earlier else None, until[-1].level
        if before is None:
            moved.append(GoalMoved(goal, rater, None, None, after, None))
        else:
            change = after - before.level
            moved.append(GoalMoved(goal, rater, before.level, before.at, after, change))
    return tuple(moved)


def _practice_done(
    each: Practised, sunday: date, as_of: date, *, is_over: bool
) -> PracticeDone | None:
    # Of a week that is over, its Sunday is no longer a date that may still come.
    today = sunday + _DAY if is_over else as_of
    kept = Kept(
        frozenset(day for day in each.kept.done_on if day <= as_of),
        frozenset(day for day in each.kept.skipped_on if day <= as_of),
    )
    in_week = practice.adherence(each.schedule, kept, last=sunday, today=today)
    if not (in_week.expected or in_week.done or in_week.skipped or in_week.beside):
        return None
    return PracticeDone(
        each.id,
        in_week,
        practice.adherence(each.schedule, kept, last=sunday, today=today, days=28),
        practice.streak(each.schedule, kept, today),
    )
