"""Which ways of coping go with feeling better, as far as one person's log can tell.

Hides the counting and how unsure it is. A log is no trial: people choose what they try, log
when they remember, try several things at once, and most waves pass by themselves. So nothing
is told from a handful of times, every share comes with its interval, and every answer carries
`NO_PROOF`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, median
from typing import Final

from app.clinical.faults import Fault
from app.clinical.instruments import whole_if_it_is

NO_PROOF: Final = "coping.goes-together-is-no-proof-of-cause"
"""The code of the sentence that goes with every answer: that a strategy and feeling better go
together does not show that one brought the other."""

MOST_INTENSE: Final = 10
MOST_HELPED: Final = 4

# Source: our conventions. Helped is 0-4, from not at all to very much.
HELPED_FROM: Final = 2
FALL_THAT_HELPED: Final = 2
FEWEST: Final = 5

# Source: Wilson 1927, J Am Stat Assoc 22:209-212; 95 %, two-sided.
_Z: Final = NormalDist().inv_cdf(0.975)

INTERVAL: Final = "95 % interval of a share: Wilson 1927, J Am Stat Assoc 22:209-212"
SOURCES: Final = (
    INTERVAL,
    "Helped: rated 2 or more of 4; unrated, a fall by 2 points or more: our convention",
    "Nothing is told from fewer than 5 times: our convention",
    "Listed by the lower end of the interval: our convention",
)
CONVENTIONS: Final = SOURCES[1:]


@dataclass(frozen=True, slots=True)
class Tried:
    """One strategy that was used. helped: 0-4, as the patient says; None: not said."""

    strategy: str
    helped: int | None = None


@dataclass(frozen=True, slots=True)
class Episode:
    """One time that a trigger was logged. intensity_before, intensity_after: 0-10."""

    intensity_before: int
    intensity_after: int | None = None
    tried: tuple[Tried, ...] = ()


@dataclass(frozen=True, slots=True)
class Helpfulness:
    """What the log tells of one strategy.

    used: times it was used. together: those of them with another strategy, which may be what
        helped.
    known: times of which it is known whether it helped; of them `helped`.
    share: helped / known. low, high: its 95 % interval. All None under 5 times known.
    median_change: points from before to after, negative is less; None under 5 times known
        before and after, of which there are `changes`.
    """

    strategy: str
    used: int
    together: int
    known: int
    helped: int | None
    share: float | None
    low: float | None
    high: float | None
    changes: int
    median_change: float | None


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share: from 0 to 1, and the share itself always inside.

    Raises: ValueError unless 0 <= successes <= n and n > 0.
    Source: Wilson 1927, J Am Stat Assoc 22:209-212.
    """
    if not (n > 0 and 0 <= successes <= n):
        raise ValueError("there must be one or more, and no more successes than that")
    share = successes / n
    square = _Z * _Z
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = _Z / (1 + square / n) * sqrt(share * (1 - share) / n + square / (4 * n * n))
    # The ends are exact where nothing or everything succeeded; arithmetic only nearly is.
    return (
        0.0 if successes == 0 else min(max(centre - half, 0.0), share),
        1.0 if successes == n else max(min(centre + half, 1.0), share),
    )


def helpfulness(episodes: Sequence[Episode]) -> list[Helpfulness]:
    """Every strategy that was used: those that most surely go with feeling better first.

    In order of the lower end of the interval; then what is known too seldom, the most used
    first. A strategy counts once in an episode; said twice, the higher rating counts.
    """
    logs: dict[str, _Log] = {}
    for episode in episodes:
        ratings = _ratings(episode)
        for strategy, rating in ratings.items():
            logs.setdefault(strategy, _Log()).add(episode, rating, together=len(ratings) > 1)
    found = [log.told(strategy) for strategy, log in logs.items()]
    return sorted(
        found,
        key=lambda each: (
            each.low is None,
            -(each.low or 0.0),
            -each.known if each.low is not None else 0,
            -each.used,
            each.strategy,
        ),
    )


def episode_fault(episode: Episode) -> Fault | None:
    """The first thing wrong with what was logged; None if it will do."""
    seen: set[str] = set()
    for pointer, value in (
        ("/intensity_before", episode.intensity_before),
        ("/intensity_after", episode.intensity_after),
    ):
        if value is not None and not 0 <= value <= MOST_INTENSE:
            return Fault(pointer, f"must be from 0 to {MOST_INTENSE}")
    for place, each in enumerate(episode.tried):
        if each.strategy in seen:
            return Fault(f"/tried/{place}/strategy", "is also named earlier")
        if each.helped is not None and not 0 <= each.helped <= MOST_HELPED:
            return Fault(f"/tried/{place}/helped", f"must be from 0 to {MOST_HELPED}")
        seen.add(each.strategy)
    return None


def _ratings(episode: Episode) -> dict[str, int | None]:
    ratings: dict[str, int | None] = {}
    for strategy, rating in ((each.strategy, each.helped) for each in episode.tried):
        before = ratings.get(strategy)
        ratings[strategy] = max((r for r in (before, rating) if r is not None), default=None)
    return ratings


class _Log:
    """What is counted of one strategy."""

    def __init__(self) -> None:
        self._used = self._together = 0
        self._outcomes: list[bool] = []
        self._changes: list[int] = []

    def add(self, episode: Episode, rating: int | None, *, together: bool) -> None:
        self._used += 1
        self._together += together
        change = (
            None
            if episode.intensity_after is None
            else episode.intensity_after - episode.intensity_before
        )
        if change is not None:
            self._changes.append(change)
        if rating is not None:
            self._outcomes.append(rating >= HELPED_FROM)
        elif change is not None:
            self._outcomes.append(change <= -FALL_THAT_HELPED)

    def told(self, strategy: str) -> Helpfulness:
        known, helped = len(self._outcomes), sum(self._outcomes)
        share = low = high = None
        if known >= FEWEST:
            share = round(helped / known, 4)
            low, high = (round(end, 4) for end in wilson(helped, known))
        return Helpfulness(
            strategy=strategy,
            used=self._used,
            together=self._together,
            known=known,
            helped=None if share is None else helped,
            share=share,
            low=low,
            high=high,
            changes=len(self._changes),
            median_change=whole_if_it_is(float(median(self._changes)))
            if len(self._changes) >= FEWEST
            else None,
        )
