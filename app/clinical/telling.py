"""Which counts of many patients may be told beside each other: visits, curves and strata as one.

A count at a visit and a step of a curve are of the same people, so that one taken from the other
can be of a few. Here is which is a part of which, and in what order they are told; what then still
may be told is the rule of `suppression`. All patients come first, for whoever reads this knows how
many there are, or can ask.

What is known of one patient are coordinates, each with the values it can have:

    reach     how many visits are over
    heard     how many visits had begun when something was last answered
    eligible  whether there is a baseline that anything counts from
    response  at which look it had happened, or they were lost sight of; or no time is reckoned
    loss      the same, of the loss of a response
    levels    at each visit: not assessed, assessed, responded, remitted

Source: the order and the looks are our convention.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Final

from app.clinical.outcomes import LEVELS, STEPS, VISITS, Group
from app.clinical.suppression import Jointly, Part, tellable

_LOOKS: Final = len(STEPS) + 1
"""Between which looks something happened; the last is after all of them."""
_REACHED, _ELIGIBLE, _IN_TOUCH, _ASSESSED, _RESPONDED, _REMITTED = LEVELS

Key = tuple[str, int, str]
"""What is counted: `patients`, a level at a visit (its place), or a curve with the place of a look;
-1 where there is none."""

PATIENTS: Final[Key] = ("patients", -1, "")


def started(which: str) -> Key:
    """How many a curve begins with. which: response or loss."""
    return (which, -1, "started")


def look(which: str, place: int) -> Key:
    """Whoever had it, was lost sight of and is followed at a look of a curve."""
    return (which, place, "look")


def at_visit(place: int, level: str) -> Key:
    """Who gets so far at a visit."""
    return ("visit", place, level)


def _laid_out(sizes: Sequence[int]) -> list[int]:
    ends = list(accumulate(sizes))
    return [((1 << size) - 1) << (end - size) for size, end in zip(sizes, ends, strict=True)]


_BITS: Final = _laid_out(
    [len(VISITS) + 1, len(VISITS) + 1, 2, 2 * _LOOKS + 1, 2 * _LOOKS, *[4] * len(VISITS)]
)
_REACH, _HEARD, _IS_ELIGIBLE, _RESPONSE, _LOSS, *_AT = _BITS
_ANYBODY: Final = (1 << sum(bits.bit_count() for bits in _BITS)) - 1


def _values(bits: int, *values: int) -> int:
    """Some values of a coordinate, as its bits."""
    lowest = bits & -bits
    return sum(lowest << value for value in values)


def _from(bits: int, value: int) -> int:
    return _values(bits, *range(value, bits.bit_count()))


def _had(bits: int, *looks: int) -> int:
    return _values(bits, *looks)


def _lost_sight(bits: int, *looks: int) -> int:
    return _values(bits, *(_LOOKS + one for one in looks))


_UNTIMED: Final = _values(_RESPONSE, 2 * _LOOKS)
_TIMED: Final = _RESPONSE & ~_UNTIMED
_EVERY_LOOK: Final = range(_LOOKS)


def _only(core: int, bits: int, allowed: int) -> int:
    """With one coordinate held to some of its values."""
    return core & (~bits | allowed)


def _look_of(days: int) -> int:
    """By which look something has happened that takes so many whole days."""
    return bisect_left(STEPS, days)


@cache
def _follows(core: int) -> int:
    """What else is true of everybody of whom this is."""
    full = core
    for place, visit in enumerate(VISITS):
        bits = _AT[place]
        answered = _lost_sight(_RESPONSE, *range(_look_of(visit.from_day)))
        by_then = _had(_RESPONSE, *range(_look_of(visit.until_day - 1) + 1))
        over, begun = _from(_REACH, place + 1), _from(_HEARD, place + 1)
        if not full & bits & _values(bits, 0):
            full = _only(full, _REACH, over)
            full = _only(full, _HEARD, begun)
            full = _only(full, _RESPONSE, _RESPONSE & ~answered)
            full = _only(full, _IS_ELIGIBLE, _values(_IS_ELIGIBLE, 1))
            if not full & bits & _values(bits, 1):
                full = _only(full, _RESPONSE, by_then)
        # The other way round.
        if not (full & _REACH & over and full & _HEARD & begun and full & _RESPONSE & ~answered):
            full = _only(full, bits, _values(bits, 0))
        if not full & _RESPONSE & by_then:
            full = _only(full, bits, _values(bits, 0, 1))
        # Whose times go on so long were there so long, and answered so late; and the reverse.
        for coordinate, since, days in (
            (_REACH, over, visit.until_day),
            (_HEARD, begun, visit.from_day),
        ):
            for times in (_RESPONSE, _LOSS):
                longer = _longer(times, _look_of(days - 1))
                if not full & times & ~longer:
                    full = _only(full, coordinate, since)
                if not full & coordinate & since:
                    full = _only(full, times, times & ~longer)
    return full


def _longer(times: int, place: int) -> int:
    """What takes more days than that look is at."""
    later = range(place + 1, _LOOKS)
    return _had(times, *later) | _lost_sight(times, *later)


@dataclass(frozen=True, slots=True)
class _Looks:
    """Of one group: who had it and who was lost sight of by each look, and how many began."""

    began: int
    had: list[int]
    lost_sight: list[int]

    def at(self, place: int) -> tuple[int, int, int]:
        had, lost_sight = self.had[place], self.lost_sight[place]
        return had, lost_sight, self.began - had - lost_sight


def _looks(times: Sequence[tuple[int, bool]]) -> _Looks:
    had, lost_sight = [0] * _LOOKS, [0] * _LOOKS
    for days, did in times:
        (had if did else lost_sight)[_look_of(days)] += 1
    return _Looks(len(times), list(accumulate(had)), list(accumulate(lost_sight)))


@dataclass(frozen=True, slots=True)
class Whole:
    """What may be told of everybody, and of which kinds of patients it then is known that there are
    none; so there are none in any stratum.
    """

    told: set[Key]
    of_nobody: frozenset[int]


def tell_whole(group: Group, levels: int) -> Whole:
    """Of everybody. levels: how much of the chain there is on the scale."""
    jointly = Jointly(1, _BITS, _follows)
    told = {key for key, parts in _wanted([group], levels, _follows) if jointly.tell(*parts)}
    return Whole(told, _widest(jointly.of_nobody))


def _widest(cores: Iterable[int]) -> frozenset[int]:
    """Those that are not a part of another: they say the same."""
    kept: list[int] = []
    for core in sorted(cores, key=int.bit_count, reverse=True):
        if all(core & ~one for one in kept):
            kept.append(core)
    return frozenset(kept)


def tell_strata(groups: Sequence[Group], levels: int, whole: Whole) -> set[Key]:
    """What may be told of each of these groups, beside what is told of the whole they make up."""
    if not groups:
        return set()

    @cache
    def follows(core: int) -> int:
        return _without(_follows(core), whole.of_nobody)

    wanted = [one for one in _wanted(groups, levels, follows) if one[0] in whole.told]
    of_the_whole = [part for _, parts in wanted for part in parts]
    jointly = Jointly(len(groups), _BITS, follows, of_the_whole)
    return {key for key, parts in wanted if jointly.tell(*parts)}


def _without(full: int, of_nobody: Iterable[int]) -> int:
    """The same people, where of some kinds there are none.

    Of whom everything but one thing is true that is true of nobody, that one thing is not.
    """
    is_narrower = True
    while is_narrower:
        is_narrower = False
        for core in of_nobody:
            outside = full & ~core
            lowest = outside & -outside
            bits = next((bits for bits in _BITS if bits & lowest), 0)
            if not outside & ~bits and full & core & bits:
                full &= ~(core & bits)
                is_narrower = True
    return full


def _wanted(
    groups: Sequence[Group], levels: int, follows: Callable[[int], int]
) -> Iterator[tuple[Key, list[Part]]]:
    def part(core: int, counts: Sequence[int]) -> Part:
        return Part(core, follows(core), tuple(counts))

    eligible = _only(_ANYBODY, _IS_ELIGIBLE, _values(_IS_ELIGIBLE, 1))
    timed = _only(eligible, _RESPONSE, _TIMED)
    yield PATIENTS, [part(_ANYBODY, [group.patients for group in groups])]
    begun = {
        which: [_looks(getattr(group, which)) for group in groups] for which in ("response", "loss")
    }
    if any(looks.began for looks in begun["response"]):
        # Nobody is told how many are eligible in all; on most scales each of them is timed.
        yield (
            started("response"),
            [
                part(timed, [looks.began for looks in begun["response"]]),
                part(eligible, [group.eligible for group in groups]),
            ],
        )
    for place in range(len(VISITS)):
        chains = [group.chain(place, levels) for group in groups]
        for depth, level in enumerate(LEVELS[:levels]):
            yield at_visit(place, level), [part(_core(place, level), [c[depth] for c in chains])]
    responders = _only(timed, _RESPONSE, _had(_RESPONSE, *_EVERY_LOOK))
    yield from _curve("response", begun["response"], timed, _RESPONSE, part)
    if any(looks.began for looks in begun["loss"]):
        yield started("loss"), [part(responders, [looks.began for looks in begun["loss"]])]
        yield from _curve("loss", begun["loss"], responders, _LOSS, part)


def _core(place: int, level: str) -> int:
    """Who gets so far at a visit."""
    core = _only(_ANYBODY, _REACH, _from(_REACH, place + 1))
    if level != _REACHED:
        core = _only(core, _IS_ELIGIBLE, _values(_IS_ELIGIBLE, 1))
    if level not in (_REACHED, _ELIGIBLE):
        core = _only(core, _HEARD, _from(_HEARD, place + 1))
    if level in (_ASSESSED, _RESPONDED, _REMITTED):
        least = (_ASSESSED, _RESPONDED, _REMITTED).index(level) + 1
        core = _only(core, _AT[place], _from(_AT[place], least))
    return core


def _curve(
    which: str,
    looks: Sequence[_Looks],
    began: int,
    times: int,
    part: Callable[[int, Sequence[int]], Part],
) -> Iterator[tuple[Key, list[Part]]]:
    """The looks of a curve at which the whole, by itself, may be told."""
    whole = [
        tuple(map(sum, zip(*(one.at(place) for one in looks), strict=True)))
        for place in range(len(STEPS))
    ]
    for place in tellable(whole):
        by_then = range(place + 1)
        allowed = (_had(times, *by_then), _lost_sight(times, *by_then), _longer(times, place))
        counts = zip(*(one.at(place) for one in looks), strict=True)
        yield (
            look(which, place),
            [
                *(
                    part(_only(began, times, one), count)
                    for one, count in zip(allowed, counts, strict=True)
                ),
                # The three together are all with whom the curve began.
                part(began, [one.began for one in looks]),
            ],
        )
