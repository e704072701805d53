"""What became of many patients: at fixed times after the first dose, and how long things took.

One patient is read by the same rules as in `trajectory` and `change`; this adds up. Everybody has
a place in one chain at each visit, so that every count is a part of the one before it:

    reached    their first dose was so long ago that the visit is over
    eligible   of these, there is a baseline from before the first dose, high enough to respond
               from, and no provisional one
    in_touch   of these, something of any kind was answered since the visit began
    assessed   of these, there is a complete score within the visit
    responded  of these, that score is a response
    remitted   of these, that score is a remission

Source: response, remission and who is eligible are those of the scale (for the PHQ-9 HEDIS DRR-E).
The visits and how wide they are, and that the score nearest to the day counts, are our convention.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from app.clinical import change, trajectory
from app.clinical.change import Yardstick
from app.clinical.instruments import Recall, Scale

_DAY: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Visit:
    """Days from the first dose: the one meant, from when (included) until when (not)."""

    code: str
    day: int
    from_day: int
    until_day: int


VISITS: Final = (
    Visit("1w", 7, 5, 10),
    Visit("2w", 14, 10, 21),
    Visit("4w", 28, 21, 42),
    Visit("8w", 56, 42, 70),
    Visit("12w", 84, 70, 126),
    Visit("26w", 182, 126, 238),
    Visit("52w", 364, 308, 420),
)
STEPS: Final = (7, 14, 28, 42, 56, 84, 126, 182, 273, 364)
"""Days at which a curve may be told."""


def straddles_first_dose(recall: Recall, day: int) -> bool:
    """Whether a score so many days after the first dose also speaks of time before it."""
    return 0 <= day < recall.days


def looks_back(recall: Recall) -> str:
    """That in a sentence, for below what was counted; empty where it cannot happen."""
    if recall.days == 0:
        return ""
    return (
        f"The questions ask about the last {recall.days} days: what is answered sooner than"
        f" {recall.days} days after the first dose mixes time before it and after it, and shows"
        " less of a change than there was."
    )


LEVELS: Final = ("reached", "eligible", "in_touch", "assessed", "responded", "remitted")

CONVENTIONS: Final = (
    (
        "Eligible, with a baseline from the 14 days before the first dose, or one from before it"
        " that a clinician chose; a provisional baseline is not counted from: our convention"
    ),
    (
        "Visits, 1 to 52 weeks after the first dose, the complete score nearest to the day within"
        " the visit; retention, anything at all answered since the visit began: our convention"
    ),
    (
        "Time to response, from the first dose to the first complete score that is a response, and"
        " time to loss, from there to the score that establishes it; censored at the last complete"
        " score, also where the response is gone and its loss not established yet; Kaplan & Meier"
        " 1958, J Am Stat Assoc 53:457-481, with Greenwood's variance and a log(-log) interval"
    ),
)


@dataclass(slots=True)
class Group:
    """Those of one stratum, added up.

    eligible: of the patients, with a baseline that anything is reckoned from.
    reaching: by visit, how many get exactly so far along the chain (0: not even reached).
    response, loss: for each patient, after how many whole days, and whether it happened then.
    check_ins, complete: of the questionnaire, after the first dose.
    """

    patients: int = 0
    eligible: int = 0
    reaching: list[list[int]] = field(
        default_factory=lambda: [[0] * (len(LEVELS) + 1) for _ in VISITS]
    )
    response: list[tuple[int, bool]] = field(default_factory=list)
    loss: list[tuple[int, bool]] = field(default_factory=list)
    check_ins: int = 0
    complete: int = 0

    def chain(self, visit: int, levels: int) -> list[int]:
        """How many get at least so far, for the first so many levels."""
        reaching = self.reaching[visit]
        return [sum(reaching[level:]) for level in range(1, levels + 1)]


def levels(scale: Scale) -> int:
    """How much of the chain there is on this scale.

    Remission only where nobody can be in it without having responded, so that it stays a chain.
    """
    if scale.response_percent is None or scale.direction is None:
        return LEVELS.index("assessed") + 1
    least = None if scale.eligible_from is None else scale.eligible_from.value
    below = None if scale.remission_below is None else scale.remission_below.value
    if least is None or below is None:
        return len(LEVELS) - 1
    # Totals are whole where this is asked, so the highest remission is one point below.
    is_nested = (below - 1) * 100 <= (100 - scale.response_percent.value) * least
    return len(LEVELS) if is_nested and scale.method == "sum" else len(LEVELS) - 1


class Tally:
    """Adds patients up, by stratum."""

    def __init__(self, scale: Scale, now: int) -> None:
        self.groups: defaultdict[str, Group] = defaultdict(Group)
        self.levels = levels(scale)
        self._scale = scale
        self._now = now
        self._yardsticks: dict[float, Yardstick] = {}

    def add(
        self,
        stratum: str,
        at: Sequence[int],
        totals: Sequence[float | None],
        doses: Sequence[int],
        pinned: int | None,
        last_heard_at: int,
    ) -> None:
        """One patient who had a dose. pinned: index; as in `trajectory.baseline`.

        Instants are microseconds, ascending. last_heard_at: of the last answer to anything.
        """
        group = self.groups[stratum]
        group.patients += 1
        first_dose = doses[0]
        after = bisect_left(at, first_dose)
        group.check_ins += len(at) - after
        group.complete += len(at) - after - sum(one is None for one in totals[after:])
        start = trajectory.baseline(at, totals, doses, pinned)
        by = None
        if start is not None and not start.provisional and at[start.index] < first_dose:
            by = self._by(start.total)
            group.eligible += by is not None
        for place, visit in enumerate(VISITS):
            level = 0
            if self._now >= first_dose + visit.until_day * _DAY:
                level = 1
                if by is not None:
                    level = self._level(by, visit, first_dose, at, totals, last_heard_at)
            group.reaching[place][level] += 1
        if by is not None and start is not None and by.response is not None:
            _time(group, by, at, totals, doses, start.index)

    def _by(self, start: float) -> Yardstick | None:
        """None for a baseline from which nothing is reckoned."""
        least = self._scale.eligible_from
        if least is not None and start < least.value:
            return None
        if start not in self._yardsticks:
            self._yardsticks[start] = change.yardstick(self._scale, start)
        return self._yardsticks[start]

    def _level(
        self,
        by: Yardstick,
        visit: Visit,
        first_dose: int,
        at: Sequence[int],
        totals: Sequence[float | None],
        last_heard_at: int,
    ) -> int:
        opens, closes = first_dose + visit.from_day * _DAY, first_dose + visit.until_day * _DAY
        if last_heard_at < opens:
            return 2
        target = first_dose + visit.day * _DAY
        total = None
        nearest = closes
        for index in range(bisect_left(at, opens), bisect_left(at, closes)):
            if totals[index] is not None and abs(at[index] - target) < nearest:
                total, nearest = totals[index], abs(at[index] - target)
        if total is None:
            return 3
        if not by.responds(total):
            return 4
        is_remission = by.remission is not None and by.sign * total > by.remission
        return 6 if is_remission else 5


def _time(
    group: Group,
    by: Yardstick,
    at: Sequence[int],
    totals: Sequence[float | None],
    doses: Sequence[int],
    start: int,
) -> None:
    last = next(
        (at[index] for index in range(len(at) - 1, start, -1) if totals[index] is not None), None
    )
    if last is None or last < doses[0]:
        group.response.append((0, False))
        return
    course = change.response_course(by, at, totals, doses, start)
    if course.first is None:
        group.response.append(((last - doses[0]) // _DAY, False))
        return
    responded_at = at[course.first]
    group.response.append(((responded_at - doses[0]) // _DAY, True))
    until = last if course.lost is None else at[course.lost]
    group.loss.append(((until - responded_at) // _DAY, course.lost is not None))
