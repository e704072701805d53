"""Scores and doses over time in, a trajectory out: what changed, when, how surely.

Hides the clock of a treatment: every moment is also counted from the last dose before it.
Everything is columns, because a chart is redrawn far more often than a score is stored:
one list per quantity, all of the same length as `at`.

Instants are whole microseconds since 1970-01-01T00:00Z. `at` and `doses` ascend.

Nothing here proves that a treatment worked: it is one person, who knows what they took,
with no comparison, and extreme scores drift towards the middle by themselves.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.clinical import change
from app.clinical.change import ResponseCourse
from app.clinical.instruments import (
    Direction,
    Instrument,
    Item,
    Recall,
    Scale,
    SuicideItem,
)
from app.clinical.sudden_gains import CONVENTION as SUDDEN_CONVENTION
from app.clinical.sudden_gains import SOURCE as SUDDEN_SOURCE
from app.clinical.sudden_gains import SuddenChanges, sudden_changes

_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
_HUNDREDTH_OF_AN_HOUR = _HOUR // 100


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
# Source: our convention; what is older says too little of how somebody was when treatment began.
OLDEST_BASELINE_DAYS = 90

_WINDOWS_CONVENTION = (
    "Time since the last dose (0-4 h, 4-24 h, 1-7 d, later): our convention, cut where"
    " effects are reported (Coyle & Laws 2015; Han et al. 2016)"
)
_BASELINE_CONVENTION = (
    f"Baseline, what a clinician pinned, otherwise the last complete score in the {BASELINE_DAYS}"
    f" days before the first dose; provisional, the last one in the {OLDEST_BASELINE_DAYS} days"
    " before it, otherwise the first one after it, from which no response or remission is reckoned;"
    " before any dose the first one since the last pause of more than"
    f" {OLDEST_BASELINE_DAYS} days: our convention"
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


Rule = Literal["pinned", "before-first-dose", "earlier-before-first-dose", "first-complete"]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What change is measured from.

    index: into the columns.
    total: points.
    provisional: no clinician chose it, and it is not from the 14 days before the first dose.
    is_judged: response, remission and what a dose did may be reckoned from it: a dose has not come
        first, unless a clinician chose it all the same.
    """

    index: int
    total: float
    rule: Rule
    provisional: bool
    is_judged: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the last complete score says.

    index: into the columns.
    band: key; None if the scale has no bands.
    change: points, current minus baseline.
    percent_change: of the baseline, to one decimal; None if the baseline is 0.
    reliable: the change is at least the published reliable change, either way; None if
        none is published, False while the latest score is the baseline itself.
    direction: `changed` where neither more nor less is better.
    response, partial_response, remission, reliable_recovery: None where they are not defined: no
        rule, a baseline too mild to count or from after the first dose, or no score since it.
    doses_in_recall_window: doses within the time the questions ask about. Above 0, the
        answers mix time before and after a dose.
    """

    index: int
    total: float
    band: str | None
    change: float
    percent_change: float | None
    direction: Literal["improved", "worse", "unchanged", "changed"]
    reliable: bool | None
    response: bool | None
    partial_response: bool | None
    remission: bool | None
    reliable_recovery: bool | None
    doses_in_recall_window: int


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One scale over time.

    change: points, current minus baseline; None where there is no score or no baseline.
    percent_change: of the baseline, to one decimal; also None if the baseline is 0.
    straddles_dose: whether the time asked about begins before a dose and ends after it: such a
        score mixes the two.
    latest: None when no score that is shown is complete.
    response: when it came and whether it lasted; None without a baseline.
    sources: where each number comes from, in sentences.
    conventions: those of them that are our own choice.
    """

    positions: Positions
    baseline: Baseline | None
    change: list[float | None]
    percent_change: list[float | None]
    straddles_dose: list[bool]
    latest: Outcome | None
    response: ResponseCourse | None
    sudden: SuddenChanges
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


def straddles(recall: Recall, at: Sequence[int], doses: Sequence[int]) -> list[bool]:
    """For each instant, whether a dose lies within the time that answers given then speak of."""
    found = [False] * len(at)
    for dose in doses:
        first, end = bisect_left(at, dose), bisect_left(at, dose + recall.days * _DAY)
        found[first:end] = [True] * (end - first)
    return found


def scale_of(measured: Instrument | Item | Scale) -> Scale:
    """What is measured. Raises: ValueError if it has no scale (see `follow`)."""
    if isinstance(measured, Scale):
        return measured
    scale = measured.total if isinstance(measured, Instrument) else measured.scale
    if scale is None:
        raise ValueError(f"{measured.key} is not measured on a scale that can be subtracted")
    return scale


def part_of(instrument: Instrument, key: str) -> Scale:
    """The scale of one subscale, or of one of the scores that are entered.

    It has none of the rules of the whole: bands, response and reliable change are published for
    totals. Raises: KeyError if there is neither with this key.
    """
    parts = {one.key: (one, instrument.direction) for one in instrument.subscales} | {
        one.key: (one, one.direction) for one in instrument.scores
    }
    part, direction = parts[key]
    return Scale(
        direction=direction,
        minimum=part.minimum,
        maximum=part.maximum,
        recall=instrument.recall,
        loinc=None,
        source=instrument.source,
        convention=instrument.convention,
    )


def baseline(
    at: Sequence[int],
    totals: Sequence[float | None],
    doses: Sequence[int],
    pinned: int | None = None,
) -> Baseline | None:
    """The score that change is measured from; None when there is none to go by.

    Never one from more than 90 days before the first dose, unless it was pinned: ten years ago is
    not where a treatment began.

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
    if not doses:
        return _first_lately(at, totals)
    dose = doses[0]
    begins = bisect_left(at, dose)
    for index in range(begins - 1, -1, -1):
        if at[index] < dose - OLDEST_BASELINE_DAYS * _DAY:
            break
        total = totals[index]
        if total is not None:
            is_near = at[index] >= dose - BASELINE_DAYS * _DAY
            rule: Rule = "before-first-dose" if is_near else "earlier-before-first-dose"
            return Baseline(index, total, rule, not is_near)
    for index in range(begins, len(at)):
        total = totals[index]
        if total is not None:
            return Baseline(index, total, "first-complete", True, is_judged=False)
    return None


def _first_lately(at: Sequence[int], totals: Sequence[float | None]) -> Baseline | None:
    """The first complete score since the last long pause."""
    found: Baseline | None = None
    before = 0
    for index in range(len(at) - 1, -1, -1):
        total = totals[index]
        if total is None:
            continue
        if found is not None and before - at[index] > OLDEST_BASELINE_DAYS * _DAY:
            break
        found, before = Baseline(index, total, "first-complete", True), at[index]
    return found


def follow(
    measured: Instrument | Item | Scale,
    at: Sequence[int],
    totals: Sequence[float | None],
    doses: Sequence[int],
    pinned: int | None = None,
    *,
    shown: slice = slice(None),
) -> Trajectory:
    """How the totals of a questionnaire, the answers to one 0-10 item or the points on any scale
    move.

    totals: points; None where the score is incomplete.
    pinned: index of the baseline a clinician chose.
    shown: which part `latest` is the latest of; everything else is about the whole.
    Raises: ValueError if there is not one total for each instant, or if what is measured
        has no scale: a questionnaire whose items stand alone, or an item answered in
        words (for a suicide item see `ideation`).
    """
    scale = scale_of(measured)
    start = baseline(at, totals, doses, pinned)
    by = None if start is None else change.yardstick(scale, start.total)
    cited = [*scale.cited, (_WINDOWS_CONVENTION, True), (_BASELINE_CONVENTION, True)]
    if scale.response_percent is not None:
        cited += [(sentence, True) for sentence in change.CONVENTIONS]
    if scale.reliable_change is not None:
        cited += [(SUDDEN_SOURCE, False), (SUDDEN_CONVENTION, True)]
    # By total; None has none.
    changes: dict[float | None, float] = {}
    percent: dict[float | None, float | None] = {}
    if start is not None:
        changes = dict(change.changes(start.total, totals).items())
        percent = dict(change.percents(start.total, totals).items())
    return Trajectory(
        positions=positions(at, doses),
        baseline=start,
        change=list(map(changes.get, totals)),
        percent_change=list(map(percent.get, totals)),
        straddles_dose=straddles(scale.recall, at, doses),
        latest=None
        if start is None or by is None
        else _outcome(scale, by, at, totals, doses, start, shown),
        response=None
        if start is None or by is None
        else change.response_course(by, at, totals, doses, start.index)
        if start.is_judged
        else ResponseCourse("not-defined"),
        sudden=sudden_changes(scale, at, totals),
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


def _outcome(
    scale: Scale,
    by: change.Yardstick,
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
    moved = change.changes(start.total, (total,))[total]
    band = scale.band(total)
    reading = change.read(by, total, is_later=start.is_judged and index != start.index)
    return Outcome(
        index=index,
        total=total,
        band=None if band is None else band.key,
        change=moved,
        percent_change=change.percents(start.total, (total,))[total],
        direction=_direction(scale, moved),
        reliable=reading.reliable,
        response=reading.response,
        partial_response=reading.partial,
        remission=reading.remission,
        reliable_recovery=reading.recovered,
        doses_in_recall_window=doses_in_recall_window(scale.recall, at[index], doses),
    )


def _direction(scale: Scale, moved: float) -> Literal["improved", "worse", "unchanged", "changed"]:
    if moved == 0:
        return "unchanged"
    if scale.direction is None:
        return "changed"
    is_less_better = scale.direction is Direction.LOWER_IS_BETTER
    return "improved" if (moved < 0) is is_less_better else "worse"
