"""What one score says beside the score that change is measured from, and what came of it.

A rule that a scale does not publish gives no answer (None), never a guess. Points are compared as
the fractions they are: a fall of exactly half is a response.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final, Literal

from app.clinical.instruments import Direction, Scale, whole_if_it_is

PARTIAL_PERCENT: Final = 25
CONFIRMED_AFTER_DAYS: Final = 5
CONFIRMED_WITHIN_DAYS: Final = 15
_DAY: Final = 86_400_000_000

# No questionnaire has more, so that no mean is a fraction with a larger denominator.
_MOST_ITEMS: Final = 200
# Two totals of such means differ by more than 1 / 200 squared, or are the same.
_EXACT: Final = 1e-9

CONVENTIONS: Final = (
    (
        f"Partial response, {PARTIAL_PERCENT} % better than the baseline and no response: our"
        " convention"
    ),
    (
        "Loss of response, after a response two assessments in a row without one that are"
        f" {CONFIRMED_AFTER_DAYS} to {CONFIRMED_WITHIN_DAYS} days apart, or a reliable rise from"
        " the best score that ends in caseness: our convention, after the relapse of SUSTAIN-1"
        " (Daly et al. 2019, JAMA Psychiatry 76:893-903)"
    ),
)


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What a scale's rules come to, from one starting score, as limits on `sign * points`.

    sign: -1 where fewer points are better, else 1, so that more is always better.
    response, partial: responds from there up. remission: only above. A limit is None where the
    rule is not defined, or does not count from this start.
    reliable: points. caseness: points; a case from there up. start: points.
    """

    sign: int
    start: float
    response: float | None
    partial: float | None
    remission: float | None
    reliable: float | None
    caseness: float | None

    def responds(self, total: float) -> bool:
        """Whether these points are a response; False where that is not defined."""
        return self.response is not None and self.sign * total >= self.response


@dataclass(frozen=True, slots=True)
class Reading:
    """One score beside the start. None: not defined for this scale, or from this start.

    reliable: changed by at least the reliable change, either way.
    recovered: a reliable improvement that crossed from caseness to below it.
    """

    reliable: bool | None
    response: bool | None
    partial: bool | None
    remission: bool | None
    recovered: bool | None


State = Literal["not-defined", "no-dose", "never", "responding", "unconfirmed", "lost"]


@dataclass(frozen=True, slots=True)
class ResponseCourse:
    """When somebody first responded after the first dose, and whether it lasted.

    state: of the last score. `unconfirmed`: it is no response, and no loss is established yet;
        `lost`: one is; `never`: there was no response yet.
    first: index of the first response. lost: index of the score that established the first loss.
    lost_rule: which rule did.
    """

    state: State
    first: int | None = None
    lost: int | None = None
    lost_rule: Literal["two-assessments", "rise-from-best"] | None = None


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


def changes(start: float, totals: Sequence[float | None]) -> dict[float, float]:
    """Points from the baseline, by total."""
    exactly = _exactly(start)
    return {
        total: whole_if_it_is(float(_exactly(total) - exactly))
        for total in set(totals)
        if total is not None
    }


def percents(start: float, totals: Sequence[float | None]) -> dict[float, float | None]:
    """Per cent change from the baseline by total, rounded half away from zero.

    By total and not by point: there are at most a few dozen totals, however long the
    series. In exact numbers, so that a fall of exactly half is exactly -50.
    """
    percent: dict[float, float | None] = {}
    exactly = _exactly(start)
    for total in set(totals):
        if total is None:
            continue
        if start == 0:
            percent[total] = None
        else:
            tenths = (2000 * abs(_exactly(total) - exactly) + exactly) // (2 * exactly)
            percent[total] = tenths / 10 if total >= start else -tenths / 10
    return percent


def yardstick(scale: Scale, start: float) -> Yardstick:
    """What the rules of a scale come to, measured from `start` points."""
    sign = -1 if scale.direction is Direction.LOWER_IS_BETTER else 1
    eligible = scale.eligible_from is None or start >= scale.eligible_from.value
    response = partial = remission = None
    if scale.direction is not None and eligible:
        if scale.response_percent is not None and start > 0:
            response, partial = (
                float(_exactly(sign * start) + _exactly(start) * percent / 100) - _EXACT
                for percent in (scale.response_percent.value, PARTIAL_PERCENT)
            )
        if scale.remission_below is not None:
            remission = -scale.remission_below.value + _EXACT
    return Yardstick(
        sign=sign,
        start=start,
        response=response,
        partial=partial,
        remission=remission,
        reliable=None if scale.reliable_change is None else scale.reliable_change.value - _EXACT,
        caseness=None if scale.caseness is None else scale.caseness.value,
    )


def read(by: Yardstick, total: float, *, is_later: bool) -> Reading:
    """One score. is_later: than the start; before that nothing can have been achieved."""
    better = by.sign * (total - by.start)
    reliable = None if by.reliable is None else abs(better) >= by.reliable
    response = partial = remission = recovered = None
    if is_later:
        if by.response is not None and by.partial is not None:
            response = by.responds(total)
            partial = not response and by.sign * total >= by.partial
        if by.remission is not None:
            remission = by.sign * total > by.remission
        if by.reliable is not None and by.caseness is not None and by.start >= by.caseness:
            recovered = better >= by.reliable and total < by.caseness
    return Reading(reliable, response, partial, remission, recovered)


def response_course(
    by: Yardstick,
    at: Sequence[int],
    totals: Sequence[float | None],
    doses: Sequence[int],
    start: int,
) -> ResponseCourse:
    """Response after the first dose, and its loss.

    at, doses: microseconds, ascending. totals: points; None where incomplete.
    start: index of the score that `by` measures from.
    """
    if by.response is None:
        return ResponseCourse("not-defined")
    if not doses:
        return ResponseCourse("no-dose")
    limit, sign = by.response, by.sign
    since = max(start + 1, bisect_left(at, doses[0]))
    goods = {total for total in set(totals) if total is not None and sign * total >= limit}
    first = next((index for index in range(since, len(totals)) if totals[index] in goods), None)
    if first is None:
        return ResponseCourse("never")
    lost, rule = None, None
    best = -math.inf
    state: State = "responding"
    without: list[int] = []
    for index, total in enumerate(totals[first:], first):
        if total in goods:
            if state != "responding":
                # The best before a loss is not what somebody falls from after it.
                best = -math.inf if state == "lost" else best
                state = "responding"
                without.clear()
            best = max(best, sign * total)
        elif total is not None and state != "lost":
            state = "unconfirmed"
            without.append(at[index])
            how = _how_lost(by, without, best - sign * total, total)
            if how is not None:
                state = "lost"
                if lost is None:
                    lost, rule = index, how
    return ResponseCourse(state, first, lost, rule)


def _how_lost(
    by: Yardstick, without: list[int], worse_by: float, total: float
) -> Literal["two-assessments", "rise-from-best"] | None:
    """By which rule a response is lost. without: the assessments in a row that are none."""
    is_case = by.caseness is not None and total >= by.caseness
    if is_case and by.reliable is not None and worse_by >= by.reliable:
        return "rise-from-best"
    now = without[-1]
    oldest = bisect_left(without, now - CONFIRMED_WITHIN_DAYS * _DAY)
    newest = bisect_right(without, now - CONFIRMED_AFTER_DAYS * _DAY)
    return "two-assessments" if oldest < newest else None


# There are few scores that a scale can have, and each is asked for again and again.
@lru_cache(4096)
def _exactly(points: float) -> Fraction:
    """A score as it was before it became a float: a mean is a fraction of few items."""
    return Fraction(points).limit_denominator(_MOST_ITEMS)
