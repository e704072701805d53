"""What one score says beside the score that change is measured from, and what came of it.

A rule that a scale does not publish gives no answer (None), never a guess. Points are compared as
the fractions they are: a fall of exactly half is a response.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final, Literal

from app.clinical.instruments import Direction, Scale, whole_if_it_is

PARTIAL_PERCENT: Final = 25
CONFIRMED_AFTER_DAYS: Final = 5
LONGEST_PAUSE_DAYS: Final = 30
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
        "Loss of response, after a response either assessments in a row without one, the first and"
        f" the last at least {CONFIRMED_AFTER_DAYS} days apart and no pause between them of more"
        f" than {LONGEST_PAUSE_DAYS} days; or a change for the worse, from the best score since the"
        " response, by the reliable change or more that ends in caseness, whether or not the score"
        " is still a response. It ends with the next response that is not such a change: our"
        " convention, after the relapse of SUSTAIN-1 (Daly et al. 2019, JAMA Psychiatry"
        " 76:893-903)"
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

    def is_case(self, total: float) -> bool:
        """Whether these points are caseness; False where none is published."""
        return self.caseness is not None and total >= self.caseness


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


LostRule = Literal["two-assessments", "rise-from-best"]
State = Literal["not-defined", "no-dose", "never", "responding", "unconfirmed", "lost"]


@dataclass(frozen=True, slots=True)
class ResponseCourse:
    """When somebody first responded after the first dose, and whether it lasted.

    state: of the last score. `unconfirmed`: it is no response, and no loss is established yet;
        `lost`: one is, and has not ended; `never`: there was no response yet. `not-defined`: no
        rule, or a baseline from which nothing is reckoned.
    first: index of the first response. lost: index of the score that established the first loss.
    lost_rule: which rule did. unconfirmed: while that is the state, index of the first of the
        scores in a row that are no response.
    """

    state: State
    first: int | None = None
    lost: int | None = None
    lost_rule: LostRule | None = None
    unconfirmed: int | None = None


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
    """Per cent change from the baseline by total, rounded half away from zero: current minus
    baseline, so that a fall is negative whichever end is better.

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
    return _whether_it_lasts(by, at, totals, first, goods)


def _whether_it_lasts(
    by: Yardstick,
    at: Sequence[int],
    totals: Sequence[float | None],
    first: int,
    goods: set[float],
) -> ResponseCourse:
    """first: index of the first response. goods: points that are one."""
    reliable = math.inf if by.reliable is None else by.reliable
    lost: int | None = None
    rule: LostRule | None = None
    best = -math.inf
    state: State = "responding"
    # Scores in a row that are no response: the first of them, the first since a long pause, and
    # the last.
    unconfirmed = begun = last = None
    for index in range(first, len(totals)):
        total = totals[index]
        is_good = total in goods
        if total is None or (state == "lost" and not is_good):
            continue
        worth = by.sign * total
        # Worse than the best by the reliable change or more, and caseness.
        is_fallen = best - worth >= reliable and by.is_case(total)
        if is_good and not is_fallen:
            # The best before a loss is not what somebody falls from after it.
            best = worth if state == "lost" or worth > best else best
            state, unconfirmed, begun = "responding", None, None
            continue
        if state == "lost":
            continue
        if begun is None or last is None or at[index] - last > LONGEST_PAUSE_DAYS * _DAY:
            begun = at[index]
        unconfirmed = index if unconfirmed is None else unconfirmed
        last = at[index]
        if is_fallen or last - begun >= CONFIRMED_AFTER_DAYS * _DAY:
            state, unconfirmed = "lost", None
            if lost is None:
                lost, rule = index, "rise-from-best" if is_fallen else "two-assessments"
        else:
            state = "unconfirmed"
    return ResponseCourse(state, first, lost, rule, unconfirmed)


# There are few scores that a scale can have, and each is asked for again and again.
@lru_cache(4096)
def _exactly(points: float) -> Fraction:
    """A score as it was before it became a float: a mean is a fraction of few items."""
    return Fraction(points).limit_denominator(_MOST_ITEMS)
