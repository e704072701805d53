"""When a straight line through the last scores would be back at the baseline. Not a forecast.

An ordinary least-squares line through the scores since the best one after the last dose, and the
95 % interval of where it crosses (Fieller 1954, J R Stat Soc B 16:175-185). The spread is taken to
be no smaller than the scale's own error of measurement. That it is this line, from at least four
scores over at least a week, told no further ahead than the scores reach back, not from scores
older than 30 days, and not where the line has crossed already, is our convention.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from app.clinical.instruments import Direction, Scale
from app.clinical.quantiles import student_t_95

FEWEST: Final = 4
SHORTEST_DAYS: Final = 7
OLDEST_DAYS: Final = 30
_DAY: Final = 86_400_000_000
_Z_95: Final = 1.96

CONVENTION: Final = (
    f"Projected return to the baseline: a straight line through at least {FEWEST} scores over at"
    f" least {SHORTEST_DAYS} days since the best one after the last dose, with the interval of"
    " Fieller 1954, J R Stat Soc B 16:175-185: our convention. It is an extrapolation and no"
    " forecast, and no advice"
)

WhyNot = Literal[
    "no-baseline",
    "no-direction",
    "no-dose",
    "no-gain",
    "too-few-scores",
    "too-short",
    "too-long-ago",
    "already-back",
    "not-worsening",
    "too-far-ahead",
    "already-past",
]


@dataclass(frozen=True, slots=True)
class Projection:
    """at, low, high: microseconds; the crossing and its 95 % interval. None where `why_not` says
    why; `high` alone is None when the end of the interval is further ahead than may be told.

    scores: how many the line went through.
    """

    at: int | None
    low: int | None
    high: int | None
    scores: int
    why_not: WhyNot | None


def project(
    scale: Scale,
    at: Sequence[int],
    totals: Sequence[float | None],
    doses: Sequence[int],
    start: float | None,
    now: int,
) -> Projection:
    """When the line crosses `start` points, the baseline; None when there is none.

    Instants are microseconds, ascending.
    """
    if start is None or scale.direction is None:
        return _no("no-baseline" if start is None else "no-direction")
    if not doses or not at or doses[0] > at[-1]:
        return _no("no-dose")
    # Worse is up, whatever the direction; 0 is the baseline.
    sign = 1 if scale.direction is Direction.LOWER_IS_BETTER else -1
    # A dose that nobody has answered after yet says nothing: the one before it is looked at.
    first = bisect_left(at, doses[bisect_right(doses, at[-1]) - 1])
    since = totals[first:]
    there = [total for total in since if total is not None]
    if not there:
        return _no("too-few-scores")
    # From the last of the best scores on: the rest of a long series is not looked at again.
    best = min(there) if sign == 1 else max(there)
    first += len(since) - 1 - since[::-1].index(best)
    points = [
        (instant, sign * (total - start))
        for instant, total in zip(at[first:], totals[first:], strict=True)
        if total is not None
    ]
    why_not = _why_not(points, now)
    if why_not is not None:
        return _no(why_not, len(points))
    furthest = 2 * points[-1][0] - points[0][0]
    return _crossing(points, _least_variance(scale), max(now, points[-1][0]), furthest)


def _why_not(points: Sequence[tuple[int, float]], now: int) -> WhyNot | None:
    """Why no line is drawn through these, the best one first."""
    (best_at, best), (last_at, last) = points[0], points[-1]
    reasons: tuple[tuple[bool, WhyNot], ...] = (
        (best >= 0, "no-gain"),
        (last >= 0, "already-back"),
        (len(points) < FEWEST, "too-few-scores"),
        (last_at - best_at < SHORTEST_DAYS * _DAY, "too-short"),
        (now - last_at > OLDEST_DAYS * _DAY, "too-long-ago"),
    )
    return next((reason for holds, reason in reasons if holds), None)


def _crossing(
    points: Sequence[tuple[int, float]], least: float, earliest: int, furthest: int
) -> Projection:
    """Where the line through these points is 0: after `earliest`, and by `furthest`."""
    count = len(points)
    days = [(at - points[0][0]) / _DAY for at, _ in points]
    worse = [points_worse for _, points_worse in points]
    mean_day, mean = math.fsum(days) / count, math.fsum(worse) / count
    spread = math.fsum((day - mean_day) ** 2 for day in days)
    slope = (
        math.fsum((day - mean_day) * (one - mean) for day, one in zip(days, worse, strict=True))
        / spread
    )
    squares = math.fsum(
        (one - mean - slope * (day - mean_day)) ** 2 for day, one in zip(days, worse, strict=True)
    )
    variance = max(squares / (count - 2), least)
    t = student_t_95(count - 2)
    # How unsure the slope itself is: from 1 on it may be flat, and the interval has no end.
    g = math.inf if slope == 0 else t**2 * variance / (slope**2 * spread)
    if slope <= 0 or g >= 1:
        return _no("not-worsening", count)
    reach = -mean / slope
    middle = reach / (1 - g)
    width = (
        t * math.sqrt(variance) / (slope * (1 - g)) * math.sqrt((1 - g) / count + reach**2 / spread)
    )

    def instant(day: float) -> int:
        return points[0][0] + round((mean_day + day) * _DAY)

    crossing = instant(reach)
    if crossing <= earliest:
        return _no("already-past", count)
    if crossing > furthest:
        return _no("too-far-ahead", count)
    high = instant(middle + width)
    return Projection(
        crossing, instant(middle - width), high if high <= furthest else None, count, None
    )


def _least_variance(scale: Scale) -> float:
    """Of one score, in squared points: its error of measurement, or that of rounding.

    A reliable change is 1.96 times the root of two of these (Jacobson & Truax 1991).
    """
    if scale.reliable_change is None:
        return 1 / 12
    return (scale.reliable_change.value / (_Z_95 * math.sqrt(2))) ** 2


def _no(why: WhyNot, scores: int = 0) -> Projection:
    return Projection(None, None, None, scores, why)
