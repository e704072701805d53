"""Time until something happens, where many are still waiting: Kaplan-Meier.

Who has not had the event when they were last seen is censored: they count among those at risk
until then, and not after. An event and a censoring at the same time: the event came first.

Source: Kaplan & Meier 1958, J Am Stat Assoc 53:457-481; the variance is Greenwood's (1926), the
interval is that of log(-log S), which stays between 0 and 1 (Kalbfleisch & Prentice 1980).
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Curve:
    """Columns, one row per time at which there was an event.

    started: how many were at risk at time 0.
    at: times, ascending, in the unit that was given.
    at_risk: just before that time. events: at it.
    share: still without the event, 0 to 1. std_error: of the share.
    low, high: of a 95 % interval; None where it is not defined (all have had the event).
    left: every time at which somebody left the risk set, by event or censoring, ascending.
    """

    started: int
    at: list[float]
    at_risk: list[int]
    events: list[int]
    share: list[float]
    std_error: list[float]
    low: list[float | None]
    high: list[float | None]
    left: list[float]

    def share_at(self, time: float) -> float:
        """The share still without the event just after `time`."""
        row = bisect_right(self.at, time)
        return self.share[row - 1] if row else 1.0

    def interval_at(self, time: float) -> tuple[float | None, float | None]:
        """A 95 % interval for `share_at`; before the first event it is 1 to 1."""
        row = bisect_right(self.at, time)
        return (self.low[row - 1], self.high[row - 1]) if row else (1.0, 1.0)

    def events_by(self, time: float) -> int:
        """How many have had the event by `time`, that time included."""
        return sum(self.events[: bisect_right(self.at, time)])

    def at_risk_after(self, time: float) -> int:
        """How many are still followed, without the event, just after `time`."""
        return self.started - bisect_right(self.left, time)

    @property
    def median(self) -> float | None:
        """When the share first is a half or less; None if it never is."""
        return next(
            (at for at, share in zip(self.at, self.share, strict=True) if share <= 0.5 + 1e-12),
            None,
        )


def kaplan_meier(durations: Sequence[float], had_event: Iterable[bool]) -> Curve:
    """The curve of those who were followed for `durations`, and whether each had the event then.

    Raises: ValueError if there is not one of each, or if a duration is negative or no number.
    """
    had = list(had_event)
    if len(had) != len(durations):
        raise ValueError("there must be one outcome for each duration")
    if not all(0 <= duration < math.inf for duration in durations):
        raise ValueError("a duration is a number of at least 0")
    events = Counter(duration for duration, did in zip(durations, had, strict=True) if did)
    left = sorted(durations)
    curve = Curve(len(left), [], [], [], [], [], [], [], left)
    share, greenwood = 1.0, 0.0
    gone = 0
    for time in sorted(events):
        while left[gone] < time:
            gone += 1
        at_risk, failed = len(left) - gone, events[time]
        share *= (at_risk - failed) / at_risk
        greenwood += failed / (at_risk * (at_risk - failed)) if failed < at_risk else 0.0
        low, high = _interval(share, greenwood)
        curve.at.append(time)
        curve.at_risk.append(at_risk)
        curve.events.append(failed)
        curve.share.append(share)
        curve.std_error.append(share * math.sqrt(greenwood))
        curve.low.append(low)
        curve.high.append(high)
    return curve


def _interval(share: float, greenwood: float) -> tuple[float | None, float | None]:
    if share <= 0:
        return None, None
    width = _Z_95 * math.sqrt(greenwood) / abs(math.log(share))
    return share ** math.exp(width), share ** math.exp(-width)
