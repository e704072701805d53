"""Goal attainment scaling: how far a person came towards what they set out to do.

Hides the formula and its gaps. Every goal has five levels, written before work on it starts:
-2 much less than expected, -1 less, 0 as expected, +1 better, +2 much better. The patient and
the therapist rate it separately. What they say is set side by side and never averaged.

The variant is the published one: five levels, a baseline as it was judged. There are others
(every baseline set to -1; six levels), and their numbers do not compare with these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from itertools import groupby
from math import fsum, isfinite, sqrt
from typing import Final, Literal, NamedTuple

from app.clinical.faults import Fault

VARIANT: Final = "kiresuk-sherman-1968"
LEVELS: Final = (-2, -1, 0, 1, 2)
EXPECTED: Final = 0

# Source: Kiresuk & Sherman 1968, Community Ment Health J 4:443-453: T has mean 50 and SD 10 if
# goals correlate at 0.30 and their levels are scaled as intended.
CORRELATION: Final = 0.3
_MEAN: Final = 50
_SD: Final = 10

# Source: our convention: importance (1-3) times difficulty (1-3), or 1 for every goal; after
# Turner-Stokes 2009, Clin Rehabil 23:362-370, without the zero that makes T undefined.
LOWEST_WEIGHT: Final = 1
HIGHEST_WEIGHT: Final = 9

# Source: our convention: as long as until a goal is said to stand still, and a week to do it in.
RATED_EVERY: Final = timedelta(days=14)
RATED_WITHIN: Final = timedelta(days=7)

SOURCES: Final = (
    "T-score: Kiresuk & Sherman 1968, Community Ment Health J 4:443-453, correlation 0.30",
    "Weights 1-9: our convention, after Turner-Stokes 2009, Clin Rehabil 23:362-370",
    "T over the goals that have both a baseline and a rating: our convention",
    "Achievement status from the ratings in order: our convention",
)
CONVENTIONS: Final = SOURCES[1:]
# Source: Kiresuk & Sherman 1968, as above: mean and standard deviation hold under assumptions.
CAVEAT: Final = (
    "Read the change, and how far each goal came. T has a mean of 50 and a standard deviation of 10"
    " only where several goals correlate at 0.30 and their levels are scaled as intended. Do not"
    " read T of a single goal against a norm: it only says the level in other numbers."
)
MOST_DAYS: Final = 200
"""Days on which somebody rated, the newest, that are told one by one. Source: our convention."""


class Rater(StrEnum):
    """Who says how far a goal was attained."""

    PATIENT = "patient"
    THERAPIST = "therapist"


# Source: LOINC, as used by the HL7 guide Patient-Centered Outcomes (hl7.org/fhir/us/pco).
GAS_LOINC: Final = "107332-9"
RATER_LOINC: Final[Mapping[Rater, str]] = {
    Rater.PATIENT: "107334-5",
    Rater.THERAPIST: "107333-7",
}
# There is no LA34482: the codes are not consecutive.
ANSWER_LOINC: Final[Mapping[int, str]] = {
    2: "LA34479-8",
    1: "LA34480-6",
    0: "LA34481-4",
    -1: "LA34483-0",
    -2: "LA34484-8",
}


class State(StrEnum):
    """Where a goal is in its life: the codes of FHIR R4 GoalLifecycleStatus."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    PLANNED = "planned"
    ACTIVE = "active"
    ON_HOLD = "on-hold"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    ENTERED_IN_ERROR = "entered-in-error"


_S = State
# Source: our convention; FHIR R4 names the states and no moves. What was finished, given up or
# turned down may be taken up again: change does not run one way.
MOVES: Final[Mapping[State, frozenset[State]]] = {
    _S.PROPOSED: frozenset(
        {_S.ACCEPTED, _S.PLANNED, _S.ACTIVE, _S.REJECTED, _S.CANCELLED, _S.ENTERED_IN_ERROR}
    ),
    _S.ACCEPTED: frozenset({_S.PLANNED, _S.ACTIVE, _S.CANCELLED, _S.ENTERED_IN_ERROR}),
    _S.PLANNED: frozenset({_S.ACTIVE, _S.ON_HOLD, _S.CANCELLED, _S.ENTERED_IN_ERROR}),
    _S.ACTIVE: frozenset({_S.ON_HOLD, _S.COMPLETED, _S.CANCELLED, _S.ENTERED_IN_ERROR}),
    _S.ON_HOLD: frozenset({_S.ACTIVE, _S.COMPLETED, _S.CANCELLED, _S.ENTERED_IN_ERROR}),
    _S.COMPLETED: frozenset({_S.ACTIVE, _S.ENTERED_IN_ERROR}),
    _S.CANCELLED: frozenset({_S.ACTIVE, _S.ENTERED_IN_ERROR}),
    _S.REJECTED: frozenset({_S.ACCEPTED, _S.ENTERED_IN_ERROR}),
    _S.ENTERED_IN_ERROR: frozenset(),
}
_NOT_BEGUN: Final = frozenset({_S.PROPOSED, _S.ACCEPTED, _S.PLANNED, _S.REJECTED})
_ENDED: Final = frozenset({_S.COMPLETED, _S.CANCELLED})

Achievement = Literal[
    "in-progress",
    "improving",
    "no-change",
    "worsening",
    "achieved",
    "sustaining",
    "not-achieved",
]
"""Those codes of the FHIR R4 goal-achievement system that ratings can tell. The others
(`no-progress`, `not-attainable`) are a person's judgement, and nothing derives them."""


@dataclass(frozen=True, slots=True)
class Level:
    """One of the five levels of a goal.

    words: what would be true then, in the patient's words.
    measure: what can be counted then, if anything can: nights slept, walks a week.
    """

    level: int
    words: str
    measure: float | None = None


@dataclass(frozen=True, slots=True)
class Scaled:
    """One goal as one rater sees it. baseline, level: -2..+2; None: not rated.

    level: the latest rating.
    """

    weight: float
    baseline: int | None
    level: int | None


@dataclass(frozen=True, slots=True)
class AttainedOn:
    """How far the goals were attained after a day on which a rater rated.

    on: their local date. The numbers are those of `Attainment`, over the goals that had both a
    baseline and a rating by then; as many goals as `goals`, so that two days compare only where
    the same ones count.
    """

    on: date
    baseline_t: float
    attained_t: float
    change: float
    goals: int


class RatedOn(NamedTuple):
    """One rating of one goal by one rater. on: the local date. level: -2..+2."""

    goal: str
    on: date
    level: int


@dataclass(frozen=True, slots=True)
class Attainment:
    """How far the goals of one person were attained, as one rater sees it.

    baseline_t, attained_t, change: T, to four decimals, over the same goals, those that have
        both a baseline and a rating; all None without any, except that before the first
        rating `baseline_t` is that of every goal with a baseline.
    goals: how many count towards `attained_t`. One goal is no group: T then only says the
        level in other numbers, and is not to be read against a norm.
    left_out: how many have no baseline or no rating.
    """

    baseline_t: float | None
    attained_t: float | None
    change: float | None
    goals: int
    left_out: int


def t_score(weights: Sequence[float], levels: Sequence[int]) -> float | None:
    """The T-score of several goals: 50 when all is as expected, more is better.

    weights: 0 or more; levels: -2..+2; one of each for every goal.
    Returns: not rounded; the same in any order of the goals. None where it is undefined:
        no goals, or no weight at all.
    Raises: ValueError if there is not one weight for each level, a weight is negative or no
        finite number, or a level is not one of the five.
    Source: Kiresuk & Sherman 1968, Community Ment Health J 4:443-453; as in the erratum of
        Turner-Stokes 2009, Clin Rehabil 23:362-370, whose first print has it wrong.
    """
    if len(weights) != len(levels):
        raise ValueError("there must be one weight for each level")
    if not all(isfinite(weight) and weight >= 0 for weight in weights):
        raise ValueError("a weight must be a finite number, 0 or more")
    if not all(level in LEVELS for level in levels):
        raise ValueError("a level must be one of -2, -1, 0, 1, 2")
    heaviest = max(weights, default=0)
    if heaviest == 0:
        return None
    # T does not change with the unit of the weights; in units of the heaviest nothing overflows.
    relative = [weight / heaviest for weight in weights]
    weighted = fsum(weight * level for weight, level in zip(relative, levels, strict=True))
    squares = fsum(weight * weight for weight in relative)
    total = fsum(relative)
    spread = sqrt((1 - CORRELATION) * squares + CORRELATION * total * total)
    return _MEAN + _SD * weighted / spread


def attainment(goals: Sequence[Scaled]) -> Attainment:
    """T at baseline, T attained and the change between them, of one rater's goals.

    Raises: ValueError as `t_score`.
    """
    both = [
        (goal.weight, goal.baseline, goal.level)
        for goal in goals
        if goal.baseline is not None and goal.level is not None
    ]
    if any(goal.level is not None for goal in goals):
        weights = [weight for weight, _, _ in both]
        before = t_score(weights, [baseline for _, baseline, _ in both])
        after = t_score(weights, [level for _, _, level in both])
    else:
        started = [(g.weight, g.baseline) for g in goals if g.baseline is not None]
        before = t_score([weight for weight, _ in started], [level for _, level in started])
        after = None
    return Attainment(
        baseline_t=_rounded(before),
        attained_t=_rounded(after),
        change=None if before is None or after is None else _rounded(after - before),
        goals=len(both),
        left_out=len(goals) - len(both),
    )


def achievement(baseline: int | None, ratings: Sequence[int], state: State) -> Achievement | None:
    """FHIR achievement status, from one rater's ratings, the oldest first.

    Returns: None where nothing can be said: work has not begun, it was given up or finished
        without a rating, or the goal was entered in error.
    Source: our convention. Expected or better is achieved, and sustaining if the rating
        before said so too; below that, the direction from the rating before, or from the
        baseline; a goal that is completed below the expected level was not achieved.
    """
    if state is State.ENTERED_IN_ERROR or state in _NOT_BEGUN:
        return None
    if not ratings:
        return None if state in _ENDED else "in-progress"
    latest = ratings[-1]
    if latest >= EXPECTED:
        is_repeated = len(ratings) > 1 and ratings[-2] >= EXPECTED
        return "sustaining" if is_repeated else "achieved"
    if state in _ENDED:
        return "not-achieved"
    return _direction(ratings[-2] if len(ratings) > 1 else baseline, latest)


def over_time(
    goals: Mapping[str, Scaled], ratings: Sequence[RatedOn], *, most: int = MOST_DAYS
) -> list[AttainedOn]:
    """One rater's T after each day on which they rated, the oldest first.

    goals: by name; what they are rated at is looked up in `ratings` and not here. ratings: in
        order; those of other goals are not looked at.
    most: no more than so many days, the newest.
    Returns: one for each day on which T is defined, and a goal that counts was rated. The last
        is `attainment` of the latest ratings. About `most` times the number of goals.
    Raises: ValueError as `t_score`.
    """
    based = {name for name, goal in goals.items() if goal.baseline is not None}
    counted = [each for each in ratings if each.goal in based]
    days = [(on, list(each)) for on, each in groupby(counted, key=lambda each: each.on)]
    levels: dict[str, int] = {}
    told = []
    for place, (on, rated) in enumerate(days):
        levels |= {each.goal: each.level for each in rated}
        if place < len(days) - most:
            continue
        found = attainment([replace(goals[name], level=level) for name, level in levels.items()])
        if found.baseline_t is None or found.attained_t is None or found.change is None:
            continue
        told.append(AttainedOn(on, found.baseline_t, found.attained_t, found.change, found.goals))
    return told


def rater_shown(rated_by: Mapping[Rater, Sequence[int]]) -> Rater | None:
    """Whose ratings stand where there is room for only one, as in a FHIR Goal.

    Source: our convention: the patient's, because the goal is theirs; the therapist's if the
    patient has not rated it.
    """
    return next((rater for rater in Rater if rated_by.get(rater)), None)


def lifecycle_status(state: State, starts_on: date | None, today: date) -> str:
    """FHIR lifecycle status: the state, but a goal whose start lies ahead is only planned.

    today: the patient's local date.
    """
    is_ahead = starts_on is not None and starts_on > today
    return State.PLANNED.value if state is State.ACTIVE and is_ahead else state.value


def may_move(state: State, to: State) -> bool:
    """Whether a goal may go from one state to another; staying is no move."""
    return to in MOVES[state]


def may_write_scale(state: State, *, is_rated: bool) -> bool:
    """Whether the five levels, the baseline level and the weight may still be written.

    Source: our convention: until somebody has rated the goal. A scale that is changed later
    fits what happened, and the T-score then means nothing. Who sees the goal otherwise sets a
    new one.
    """
    return state is not State.ENTERED_IN_ERROR and not is_rated


def rating_from(begun_on: date, rated_on: date | None) -> tuple[date, date]:
    """When a goal that is worked on is to be rated (again), by one rater: from, and due by.

    begun_on: the local date when it was set, or that it starts on if that is later. rated_on:
        when they rated it last; None: never.
    Source: our convention (`RATED_EVERY`, `RATED_WITHIN`).
    """
    from_on = max(begun_on, rated_on or begun_on) + RATED_EVERY
    return from_on, from_on + RATED_WITHIN


def level_fault(levels: Sequence[Level]) -> Fault | None:
    """The first thing wrong with the levels of a goal, from -2 up; None if they will do.

    Words cannot be put in order by a machine. What can be is checked: that there are five,
    in order, none empty, no two the same; and that their measures, where levels have one,
    only rise or only fall, since less can be better.
    """
    if len(levels) != len(LEVELS):
        return Fault("/levels", "must be five, from -2 to 2")
    seen: set[str] = set()
    for place, (expected, level) in enumerate(zip(LEVELS, levels, strict=True)):
        if level.level != expected:
            return Fault(f"/levels/{place}/level", "must be in order: -2, -1, 0, 1, 2")
        words = " ".join(level.words.split()).casefold()
        if not words:
            return Fault(f"/levels/{place}/words", "must say what would be true then")
        if words in seen:
            return Fault(f"/levels/{place}/words", "must differ from the levels below")
        seen.add(words)
    return _measure_fault(levels)


def weight_fault(weights: Sequence[float]) -> Fault | None:
    """The first weight that is out of range; pointers such as "/1/weight"."""
    for place, weight in enumerate(weights):
        if not LOWEST_WEIGHT <= weight <= HIGHEST_WEIGHT:
            return Fault(f"/{place}/weight", f"must be from {LOWEST_WEIGHT} to {HIGHEST_WEIGHT}")
    return None


def step_fault(
    goal_starts_on: date | None, *, starts_on: date | None, due_on: date | None
) -> Fault | None:
    """A step that would start, or be due, before its goal starts.

    A date that is not known is no fault. A step may have been done earlier than it was planned.
    """
    for pointer, on in (("/starts_on", starts_on), ("/due_on", due_on)):
        if goal_starts_on is not None and on is not None and on < goal_starts_on:
            return Fault(pointer, "must not be before the goal starts")
    return None


def _direction(before: int | None, latest: int) -> Achievement:
    if before is None:
        return "in-progress"
    if latest == before:
        return "no-change"
    return "improving" if latest > before else "worsening"


def _measure_fault(levels: Sequence[Level]) -> Fault | None:
    before: float | None = None
    rises: bool | None = None
    for place, level in enumerate(levels):
        if level.measure is None:
            continue
        pointer = f"/levels/{place}/measure"
        if not isfinite(level.measure):
            return Fault(pointer, "must be a finite number")
        if before is not None:
            if level.measure == before:
                return Fault(pointer, "must differ from the level before")
            is_rising = level.measure > before
            if rises is not None and is_rising is not rises:
                return Fault(pointer, "must go on in the direction of the levels before")
            rises = is_rising
        before = level.measure
    return None


def _rounded(t: float | None) -> float | None:
    return None if t is None else round(t, 4)
