"""All doses laid over each other at t = 0: what each one did, when, and how long it lasted.

A score belongs to the last dose at or before it. The scores before a dose belong to the dose before
it, and none is given to two. Nothing here is measured from a dose alone: gains are from the
baseline of the series, as everywhere.

Sources. Effects are looked for at 4, 24 and 72 hours and at 7 days (Coyle & Laws 2015; Han et al.
2016). Our conventions: how far from these a score may be taken, that only a scale whose questions
look back no further than to the dose can show it, and the half-life, which is no standard measure.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from app.clinical.instruments import Direction, Scale

_HOUR: Final = 3_600_000_000
_DAY: Final = 24 * _HOUR
_EXACT: Final = 1e-9
RESPONSE_PERCENT: Final = 50
"""Of what there is to gain, on a scale that has no published response."""
LONGEST_PAUSE_DAYS: Final = 30
LEAST_GAIN_PERCENT: Final = 20
"""Of the length of a scale that has no published reliable change."""

CONVENTIONS: Final = (
    (
        "Rapid response: the score nearest to 4 h (2-8), 24 h (12-36), 72 h (48-96) and 7 d"
        " (5-10 d) after the dose, only if all the time that the questions ask about came after"
        " it; on a scale without a published response,"
        f" {RESPONSE_PERCENT} % of the way from the baseline to the best"
        " score there is: our convention"
    ),
    (
        "Wear-off: days from the best score after a dose until half of the gain on the baseline is"
        " gone, on a straight line between two scores. Only of a gain of the reliable change or"
        f" more; on a scale without a published one, of {LEAST_GAIN_PERCENT} % of its length. A"
        f" pause of more than {LONGEST_PAUSE_DAYS} days without a score ends the looking, from the"
        " dose on: our convention, and no standard measure"
    ),
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A time after a dose at which an effect is looked for, and from when to when. In hours."""

    code: str
    hours: int
    from_hours: int
    until_hours: int


MARKS: Final = (
    Mark("4h", 4, 2, 8),
    Mark("24h", 24, 12, 36),
    Mark("72h", 72, 48, 96),
    Mark("7d", 168, 120, 240),
)


@dataclass(frozen=True, slots=True)
class Rapid:
    """One mark after one dose.

    index: of the score that was taken for it. response: None where there is none, or no rule.
    why_not: `recall-too-long`: this scale cannot show it; `next-dose`: it came first; `not-yet`;
        `not-measured`: no complete score near enough that looks back no further than to the dose.
    """

    mark: str
    index: int | None
    response: bool | None
    why_not: Literal["recall-too-long", "next-dose", "not-yet", "not-measured"] | None


Why = Literal[
    "half-gone",
    "next-dose",
    "gap",
    "last-score",
    "no-gain",
    "no-reliable-gain",
    "no-score",
    "no-baseline",
]


@dataclass(frozen=True, slots=True)
class WearOff:
    """How long the gain of one dose lasted.

    best: index of the best score after it, the first of several. last: of the last score that was
        looked at.
    gain: points better than the baseline there.
    half_gone_at: microseconds; when half of it was gone, between two scores; None if not seen.
    days: from the best score to that instant, or, if it was not seen, to the last score before
        the next dose or the pause that ended the looking: it lasted at least so long.
    is_censored: it was not seen. why: what ended the looking, or why there is nothing to see.
        `no-reliable-gain`: there is a gain, and it may be noise. `no-score`: none before the next
        dose or a long pause.
    """

    best: int | None
    gain: float | None
    half_gone_at: int | None
    days: float | None
    is_censored: bool
    why: Why
    last: int | None = None


@dataclass(frozen=True, slots=True)
class DoseCourse:
    """What came after one dose.

    number: from 1. at: microseconds. first, end: the scores from this dose to the next, as a
        slice. before: index of the last complete score before it; None if there is none.
    """

    number: int
    at: int
    first: int
    end: int
    before: int | None
    rapid: list[Rapid]
    wear_off: WearOff


def after_each_dose(
    scale: Scale,
    at: Sequence[int],
    totals: Sequence[float | None],
    doses: Sequence[int],
    start: float | None,
    now: int,
) -> list[DoseCourse]:
    """The course after each dose, in order.

    Instants are microseconds, ascending. start: points of the baseline; None if there is none.
    Two doses at one instant are two doses; the scores belong to the second.
    """
    found = []
    for number, dose in enumerate(doses, 1):
        is_last = number == len(doses)
        until = None if is_last else doses[number]
        first = bisect_left(at, dose)
        end = len(at) if until is None else bisect_left(at, until)
        before = next(
            (index for index in range(first - 1, -1, -1) if totals[index] is not None), None
        )
        course = _Course(scale, at, totals, dose, until, range(first, end), start, now)
        found.append(
            DoseCourse(
                number,
                dose,
                first,
                end,
                before,
                [course.rapid(mark) for mark in MARKS],
                course.wear_off(),
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class _Course:
    scale: Scale
    at: Sequence[int]
    totals: Sequence[float | None]
    dose: int
    until: int | None
    within: range
    start: float | None
    now: int

    def rapid(self, mark: Mark) -> Rapid:
        recall = self.scale.recall.days * _DAY
        if recall > mark.hours * _HOUR:
            return Rapid(mark.code, None, None, "recall-too-long")
        opens, closes = self.dose + mark.from_hours * _HOUR, self.dose + mark.until_hours * _HOUR
        target = self.dose + mark.hours * _HOUR
        near = [
            index
            for index in self.within
            if opens <= self.at[index] < closes
            and self.at[index] - recall >= self.dose
            and self.totals[index] is not None
        ]
        if near:
            index = min(near, key=lambda index: (abs(self.at[index] - target), index))
            total = self.totals[index]
            assert total is not None
            return Rapid(mark.code, index, self._responds(total), None)
        if self.until is not None and self.until < closes:
            return Rapid(mark.code, None, None, "next-dose")
        return Rapid(mark.code, None, None, "not-yet" if self.now < closes else "not-measured")

    def _responds(self, total: float) -> bool | None:
        """From the baseline of the series; from one that is too mild, not defined."""
        scale, start = self.scale, self.start
        if start is None or scale.direction is None:
            return None
        if scale.eligible_from is not None and start < scale.eligible_from.value:
            return None
        lower = scale.direction is Direction.LOWER_IS_BETTER
        better = start - total if lower else total - start
        if scale.response_percent is not None:
            return start > 0 and better * 100 >= scale.response_percent.value * start - 1e-9
        to_gain = start - scale.minimum if lower else scale.maximum - start
        return to_gain > 0 and better * 100 >= RESPONSE_PERCENT * to_gain - 1e-9

    def wear_off(self) -> WearOff:
        if self.start is None or self.scale.direction is None:
            return WearOff(None, None, None, None, False, "no-baseline")
        sign = 1 if self.scale.direction is Direction.LOWER_IS_BETTER else -1
        gains: list[tuple[int, float]] = []
        seen_at = self.dose
        ended: Why = "last-score" if self.until is None else "next-dose"
        for index in self.within:
            total = self.totals[index]
            if total is None:
                continue
            if self.at[index] - seen_at > LONGEST_PAUSE_DAYS * _DAY:
                ended = "gap"
                break
            seen_at = self.at[index]
            gains.append((index, sign * (self.start - total)))
        if not gains:
            return WearOff(None, None, None, None, False, "no-score")
        place = max(range(len(gains)), key=lambda place: (gains[place][1], -place))
        best, gain = gains[place]
        if gain < self._least_gain():
            why: Why = "no-reliable-gain" if gain > 0 else "no-gain"
            return WearOff(best, gain, None, None, False, why, gains[-1][0])
        half = gain / 2
        for (index, one), (later, other) in zip(gains[place:], gains[place + 1 :], strict=False):
            if other <= half:
                # Above half at the one and not at the other, so the line falls between them.
                share = (one - half) / (one - other)
                gone = self.at[index] + round(share * (self.at[later] - self.at[index]))
                days = _days(self.at[best], gone)
                return WearOff(best, gain, gone, days, False, "half-gone", gains[-1][0])
        days = _days(self.at[best], seen_at)
        return WearOff(best, gain, None, days, True, ended, gains[-1][0])

    def _least_gain(self) -> float:
        """Points from which a gain is more than noise."""
        scale = self.scale
        if scale.reliable_change is not None:
            return scale.reliable_change.value - _EXACT
        return LEAST_GAIN_PERCENT / 100 * (scale.maximum - scale.minimum) - _EXACT


def _days(since: int, until: int) -> float:
    return round((until - since) / _DAY, 2)
