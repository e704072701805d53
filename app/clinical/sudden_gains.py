"""Large, stable steps between two scores that follow each other: sudden gains and losses.

Source: Tang & DeRubeis 1999, J Consult Clin Psychol 67:894-904; missing scores as in Lutz et al.
2013 and in Wiedemann et al. 2020, PLOS ONE 15:e0230276 (suddengains). What is our convention: the
reliable change as the first criterion's size; that a score more than 15 days from its neighbour, on
either side of the step, is not looked at, as if it were missing; and that on a scale on which more
is better the quarter is one of what was still missing to the best score, so that a scale and its
mirror image give the same answer.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import sub
from typing import Any, Final, Literal

from app.clinical.instruments import Direction, Scale
from app.clinical.quantiles import student_t_95

MOST_DAYS_BETWEEN: Final = 15
SHARE: Final = 0.25
AROUND: Final = 3
"""Scores looked at on each side."""
FEWEST_AROUND: Final = 2
_DAY: Final = 86_400_000_000
_EXACT: Final = 1e-9

SOURCE: Final = (
    "Sudden gains and losses, all three criteria: Tang & DeRubeis 1999, J Consult Clin Psychol"
    " 67:894-904"
)
CONVENTION: Final = (
    "Sudden gains and losses: the reliable change as the smallest size; of the two or three scores"
    f" on each side those with at most {MOST_DAYS_BETWEEN} days between neighbours, the rest as if"
    " missing; where more is better, a quarter of what was missing to the best score and not of the"
    " score: our convention"
)


@dataclass(frozen=True, slots=True)
class SuddenChange:
    """A step that meets all three criteria. before, after: indices. points: after - before."""

    kind: Literal["gain", "loss"]
    before: int
    after: int
    points: float


@dataclass(frozen=True, slots=True)
class SuddenChanges:
    """found: in order of time.

    assessed: steps that could be judged.
    not_assessable: steps that could not: too far apart, or fewer than two scores on a side that
        are near enough to each other.
    why_not: why none could be; None if any was.
    """

    found: list[SuddenChange]
    assessed: int
    not_assessable: int
    why_not: Literal["no-reliable-change", "too-few-scores"] | None


def sudden_changes(
    scale: Scale, at: Sequence[int], totals: Sequence[float | None]
) -> SuddenChanges:
    """Every step of a series, judged.

    at: microseconds, ascending. totals: one for each; None where a questionnaire is incomplete,
        which is a missing score and not no assessment.
    """
    if scale.reliable_change is None or scale.direction is None:
        return SuddenChanges([], 0, 0, "no-reliable-change")
    steps = len(totals) - 1
    if steps < 1:
        return SuddenChanges([], 0, 0, "too-few-scores")
    size = scale.reliable_change.value - _EXACT
    # The distance from the best end of the scale: less of it is better, whatever the direction.
    lower = scale.direction is Direction.LOWER_IS_BETTER
    best = scale.minimum if lower else scale.maximum
    falls: Sequence[float | None] = (
        [_less(after, before) for before, after in pairwise(totals)]
        if None in totals
        else list(map(sub, totals[1:], totals))
    )
    assessable = _assessable(at, totals)
    # A series has a few dozen different steps, however long it is, and few that are large.
    large = {fall for fall in set(falls) if fall is not None and abs(fall) >= size}
    assessed = sum(assessable)
    found = []
    distances = [None if one is None else abs(one - best) for one in totals]
    # Where no step is left out nothing is missing and nothing far apart, as nearly always.
    is_whole = assessed == max(0, steps - 2)
    for n in [n for n, fall in enumerate(falls) if fall in large and assessable[n]]:
        if is_whole:
            before: Any = distances[max(0, n + 1 - AROUND) : n + 1]
            after: Any = distances[n + 1 : n + 1 + AROUND]
        else:
            before = _near(at, distances, range(n, max(-1, n - AROUND), -1))[::-1]
            after = _near(at, distances, range(n + 1, min(len(totals), n + 1 + AROUND)))
        kind = judge(before, after, size=size)
        if kind is not None:
            points = totals[n + 1] - totals[n]  # type: ignore[operator]
            found.append(SuddenChange(kind, n, n + 1, points))
    return SuddenChanges(found, assessed, steps - assessed, None if assessed else "too-few-scores")


def _near(at: Sequence[int], totals: Sequence[float | None], places: range) -> list[float]:
    """The scores there, away from the step, up to the first that is too far from its neighbour."""
    found: list[float] = []
    neighbour = at[places[0]]
    for place in places:
        total = totals[place]
        if total is None:
            continue
        if abs(at[place] - neighbour) > MOST_DAYS_BETWEEN * _DAY:
            break
        found.append(total)
        neighbour = at[place]
    return found


def _assessable(at: Sequence[int], totals: Sequence[float | None]) -> list[bool]:
    """Of each step, whether there are enough scores on both sides, near enough to each other."""
    near = list(map((MOST_DAYS_BETWEEN * _DAY).__ge__, map(sub, at[1:], at)))
    if None not in totals:
        # Before the first score there is none, and none after the last.
        return list(map(all, zip([False, *near], near, [*near[1:], False], strict=False)))
    steps = len(totals) - 1
    return [
        is_near
        and totals[n] is not None
        and totals[n + 1] is not None
        and len(_near(at, totals, range(n, max(-1, n - AROUND), -1))) >= FEWEST_AROUND
        and len(_near(at, totals, range(n + 1, min(steps, n + AROUND) + 1))) >= FEWEST_AROUND
        for n, is_near in enumerate(near)
    ]


def _less(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before


def judge(
    before: Sequence[float], after: Sequence[float], *, size: float
) -> Literal["gain", "loss"] | None:
    """Whether the step from the last of `before` to the first of `after` is sudden.

    before, after: two or three scores each, on a scale on which less is better.
    size: points; of the first criterion.
    Raises: ValueError if there are other than two or three on a side: that is not assessable.
    """
    if not (FEWEST_AROUND <= len(before) <= AROUND and FEWEST_AROUND <= len(after) <= AROUND):
        raise ValueError("there must be two or three scores on each side")
    fall = before[-1] - after[0]
    if abs(fall) < size - _EXACT or abs(fall) < SHARE * before[-1] - _EXACT:
        return None
    mean_before, mean_after = sum(before) / len(before), sum(after) / len(after)
    moved = mean_before - mean_after if fall > 0 else mean_after - mean_before
    if moved <= 0:
        return None  # whatever the spread is
    squares = sum([(one - mean_before) ** 2 for one in before])
    squares += sum([(one - mean_after) ** 2 for one in after])
    freedom = len(before) + len(after) - 2
    least = student_t_95(freedom) * math.sqrt(squares / freedom)
    if moved <= least + _EXACT * (least > 0):
        return None
    return "gain" if fall > 0 else "loss"
