"""Scores and doses over time in, a trajectory out: what changed, when, how surely.

Hides the clock of a treatment: every moment is also counted from the last dose before it.
Everything is columns, because a chart is redrawn far more often than a score is stored:
one list per quantity, all of the same length as `at`.

Instants are whole microseconds since 1970-01-01T00:00Z. `at` and `doses` ascend.

Nothing here proves that a treatment worked: it is one person, who knows what they took,
with no comparison, and extreme scores drift towards the middle by themselves.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from app.clinical.instruments import (
    Direction,
    Instrument,
    Item,
    Recall,
    Scale,
    SuicideItem,
    whole_if_it_is,
)

_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
_HUNDREDTH_OF_AN_HOUR = _HOUR // 100

# No questionnaire has more, so that no mean is a fraction with a larger denominator.
_MOST_ITEMS = 200


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time counted from the last dose.

    from_hours: included; None before the first dose.
    until_hours: not included; None without end.
    """

    code: str
    from_hours: int | None
    until_hours: int | None


# Source: an effect is seen from 4 h through 7 d (Coyle & Laws 2015, Hum Psychopharmacol
# 30:152-163) and is reported at 24 h and day 7 (Han et al. 2016, Neuropsychiatr Dis Treat
# 12:2859-2867); cutting time at these points is our convention.
WINDOWS = (
    Window("baseline", None, 0),
    Window("0-4h", 0, 4),
    Window("4-24h", 4, 24),
    Window("1-7d", 24, 168),
    Window("later", 168, None),
)

# Source: our convention; two weeks is what the PHQ-9 and the GAD-7 look back on.
BASELINE_DAYS = 14

_WINDOWS_CONVENTION = (
    "Time since the last dose (0-4 h, 4-24 h, 1-7 d, later): our convention, cut where"
    " effects are reported (Coyle & Laws 2015; Han et al. 2016)"
)
_BASELINE_CONVENTION = (
    f"Baseline, what a clinician pinned, otherwise the last complete score in the {BASELINE_DAYS}"
    " days before the first dose, otherwise the first complete score: our convention"
)

_BEFORE_ANY_DOSE = WINDOWS[0].code
_AFTER_DOSE = tuple(window.code for window in WINDOWS[1:])
_ENDS = tuple(window.until_hours and window.until_hours * _HOUR for window in WINDOWS[1:])


@dataclass(frozen=True, slots=True)
class Position:
    """dose_number: doses so far, the one at this very instant included; 0 before any.
    hours_since_dose: hours since the last of them, to two decimals; None before any.
    window: code from WINDOWS, decided by the exact instant and not by rounded hours.
    """

    dose_number: int
    hours_since_dose: float | None
    window: str


@dataclass(frozen=True, slots=True)
class Positions:
    """The columns of `Position`."""

    dose_number: list[int]
    hours_since_dose: list[float | None]
    window: list[str]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What change is measured from.

    index: into the columns.
    total: points.
    provisional: there was no score to go by from before the first dose.
    """

    index: int
    total: float
    rule: Literal["pinned", "before-first-dose", "first-complete"]
    provisional: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the last complete score says.

    index: into the columns.
    band: key; None if the scale has no bands.
    change: points, current minus baseline.
    percent_change: of the baseline, to one decimal; None if the baseline is 0.
    reliable: the change is at least the published reliable change, either way; None if
        none is published, False while the latest score is the baseline itself.
    response, remission: None where they are not defined: no rule, a baseline too mild to
        count, or no score since the baseline.
    doses_in_recall_window: doses within the time the questions ask about. Above 0, the
        answers mix time before and after a dose.
    """

    index: int
    total: float
    band: str | None
    change: float
    percent_change: float | None
    direction: Literal["improved", "worse", "unchanged"]
    reliable: bool | None
    response: bool | None
    remission: bool | None
    doses_in_recall_window: int


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One scale over time.

    change: points, current minus baseline; None where there is no score or no baseline.
    percent_change: of the baseline, to one decimal; also None if the baseline is 0.
    latest: None when no score that is shown is complete.
    sources: where each number comes from, in sentences.
    conventions: those of them that are our own choice.
    """

    positions: Positions
    baseline: Baseline | None
    change: list[float | None]
    percent_change: list[float | None]
    latest: Outcome | None
    sources: list[str]
    conventions: list[str]


@dataclass(frozen=True, slots=True)
class Ideation:
    """Answers to a suicide item over time, exactly as given; None where unanswered.

    sources, conventions: as for `Trajectory`.
    """

    positions: Positions
    answers: list[int | None]
    sources: list[str]
    conventions: list[str]


def position(at: int, doses: Sequence[int]) -> Position:
    """Where one instant lies among the doses."""
    columns = positions((at,), doses)
    return Position(columns.dose_number[0], columns.hours_since_dose[0], columns.window[0])


def positions(at: Sequence[int], doses: Sequence[int]) -> Positions:
    """Where each instant lies among the doses.

    Hours are rounded half up. Both sequences ascend, so each dose owns a slice of `at` and each
    window a slice of that: everything but the hours is copied, not computed.
    """
    first = bisect_left(at, doses[0]) if doses else len(at)
    dose_number = [0] * first
    hours_since_dose: list[float | None] = [None] * first
    window = [_BEFORE_ANY_DOSE] * first
    for number, dose in enumerate(doses, 1):
        until = bisect_left(at, doses[number]) if number < len(doses) else len(at)
        if first == until:
            continue
        dose_number += [number] * (until - first)
        # In whole numbers: several times faster than round(), and exact.
        rounded_from = dose - _HUNDREDTH_OF_AN_HOUR // 2
        hours_since_dose += [
            (instant - rounded_from) // _HUNDREDTH_OF_AN_HOUR / 100 for instant in at[first:until]
        ]
        for code, end in zip(_AFTER_DOSE, _ENDS, strict=True):
            upto = bisect_left(at, dose + end, first, until) if end else until
            window += [code] * (upto - first)
            first = upto
    return Positions(dose_number, hours_since_dose, window)


def doses_in_recall_window(recall: Recall, at: int, doses: Sequence[int]) -> int:
    """How many doses lie within the time that answers given at `at` speak of.

    A dose exactly at the far end is not inside: all the time asked about came after it.
    """
    return bisect_right(doses, at) - bisect_right(doses, at - recall.days * _DAY)


def baseline(
    at: Sequence[int],
    totals: Sequence[float | None],
    doses: Sequence[int],
    pinned: int | None = None,
) -> Baseline | None:
    """The score that change is measured from; None when no score is complete.

    totals: points; None where the score is incomplete.
    pinned: index chosen by a clinician; it holds when that score is complete.
    Raises: ValueError if there is not one total for each instant.
    """
    if len(at) != len(totals):
        raise ValueError("there must be one total for each instant")
    if pinned is not None and 0 <= pinned < len(totals):
        total = totals[pinned]
        if total is not None:
            return Baseline(pinned, total, "pinned", False)
    first: Baseline | None = None
    before: Baseline | None = None
    for index, total in enumerate(totals):
        if total is None:
            continue
        if first is None:
            first = Baseline(index, total, "first-complete", True)
        if not doses or at[index] >= doses[0]:
            break
        if at[index] >= doses[0] - BASELINE_DAYS * _DAY:
            before = Baseline(index, total, "before-first-dose", False)
    return before or first


def follow(
    measured: Instrument | Item,
    at: Sequence[int],
    totals: Sequence[float | None],
    doses: Sequence[int],
    pinned: int | None = None,
    *,
    shown: slice = slice(None),
) -> Trajectory:
    """How the totals of a questionnaire, or the answers to one 0-10 item, move.

    totals: points; None where the score is incomplete.
    pinned: index of the baseline a clinician chose.
    shown: which part `latest` is the latest of; everything else is about the whole.
    Raises: ValueError if there is not one total for each instant, or if what is measured
        has no scale: a questionnaire whose items stand alone, or an item answered in
        words (for a suicide item see `ideation`).
    """
    scale = measured.total if isinstance(measured, Instrument) else measured.scale
    if scale is None:
        raise ValueError(f"{measured.key} is not measured on a scale that can be subtracted")
    start = baseline(at, totals, doses, pinned)
    cited = [*scale.cited, (_WINDOWS_CONVENTION, True), (_BASELINE_CONVENTION, True)]
    changes = {} if start is None else _changes(start.total, totals)
    percent = {} if start is None else _percents(start.total, totals)
    return Trajectory(
        positions=positions(at, doses),
        baseline=start,
        change=[None if t is None else changes[t] for t in totals],
        percent_change=[None if t is None else percent[t] for t in totals],
        latest=None if start is None else _outcome(scale, at, totals, doses, start, shown),
        sources=[sentence for sentence, _ in cited],
        conventions=[sentence for sentence, is_convention in cited if is_convention],
    )


def ideation(
    suicide_item: SuicideItem,
    at: Sequence[int],
    item_answers: Sequence[int | None],
    doses: Sequence[int],
) -> Ideation:
    """Suicidal ideation over time: ordinal, so as answered and nothing computed from it.

    Raises: ValueError if there is not one answer, or None, for each instant.
    """
    if len(at) != len(item_answers):
        raise ValueError("there must be one answer for each instant")
    cited = [
        (f"Levels: {suicide_item.source}", suicide_item.convention),
        (_WINDOWS_CONVENTION, True),
    ]
    return Ideation(
        positions(at, doses),
        list(item_answers),
        sources=[sentence for sentence, _ in cited],
        conventions=[sentence for sentence, is_convention in cited if is_convention],
    )


def reliable_change(before: float, after: float, sd: float, reliability: float) -> float:
    """How far a score moved, in units of its own measurement error.

    before, after, sd: instrument points. reliability: 0 <= r < 1, test-retest.
    Returns: dimensionless; negative means fewer points; beyond +/-1.96 is
        unlikely (p < .05) to be noise.
    Raises: ValueError if sd <= 0 or reliability is out of range.
    Source: Jacobson & Truax 1991, J Consult Clin Psychol 59:12-19.
    """
    if not (sd > 0 and 0 <= reliability < 1):
        raise ValueError("sd must be above 0, and reliability at least 0 and below 1")
    return (after - before) / (math.sqrt(2) * sd * math.sqrt(1 - reliability))


def _exactly(points: float) -> Fraction:
    """A score as it was before it became a float: a mean is a fraction of few items."""
    return Fraction(points).limit_denominator(_MOST_ITEMS)


def _changes(start: float, totals: Sequence[float | None]) -> dict[float, float]:
    """Points from the baseline, by total."""
    exactly = _exactly(start)
    return {
        total: whole_if_it_is(float(_exactly(total) - exactly))
        for total in {total for total in totals if total is not None}
    }


def _percents(start: float, totals: Sequence[float | None]) -> dict[float, float | None]:
    """Per cent change from the baseline by total, rounded half away from zero.

    By total and not by point: there are at most a few dozen totals, however long the
    series. In exact numbers, so that a fall of exactly half is exactly -50.
    """
    percent: dict[float, float | None] = {}
    exactly = _exactly(start)
    for total in {total for total in totals if total is not None}:
        if start == 0:
            percent[total] = None
        else:
            tenths = (2000 * abs(_exactly(total) - exactly) + exactly) // (2 * exactly)
            percent[total] = tenths / 10 if total >= start else -tenths / 10
    return percent


def _outcome(
    scale: Scale,
    at: Sequence[int],
    totals: Sequence[float | None],
    doses: Sequence[int],
    start: Baseline,
    shown: slice,
) -> Outcome | None:
    for index in reversed(range(len(totals))[shown]):
        total = totals[index]
        if total is not None:
            break
    else:
        return None
    change = _changes(start.total, (total,))[total]
    better = -change if scale.direction is Direction.LOWER_IS_BETTER else change
    band = scale.band(total)

    response = remission = None
    eligible = scale.eligible_from is None or start.total >= scale.eligible_from.value
    if index != start.index and eligible:
        if scale.response_percent is not None and start.total > 0:
            needed = scale.response_percent.value * _exactly(start.total)
            response = _exactly(better) * 100 >= needed
        if scale.remission_below is not None:
            remission = total < scale.remission_below.value

    return Outcome(
        index=index,
        total=total,
        band=None if band is None else band.key,
        change=change,
        percent_change=_percents(start.total, (total,))[total],
        direction="improved" if better > 0 else "worse" if better < 0 else "unchanged",
        reliable=None
        if scale.reliable_change is None
        else abs(change) >= scale.reliable_change.value,
        response=response,
        remission=remission,
        doses_in_recall_window=doses_in_recall_window(scale.recall, at[index], doses),
    )
