"""What may be told of how many, so that nobody can be made out among few.

Counts come as chains: each is of a part of those counted before it (all who came, of them those
who answered, of them those who responded). From a chain one can also read how many are in one
part and not in the next, so these remainders are held to the same rule as the counts.

The rule: nothing from 1 to 10 is told, nor can be worked out from what is told. A count of nobody
is told. Source: the cell size policy of the United States Centers for Medicare & Medicaid
Services, which asks for 11 or more, and that no cell can be derived; ending a chain at the first
count that breaks it, and hiding the smallest group beside a hidden one, is our convention.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import sub

FEWEST = 11


def may_be_told(count: int) -> bool:
    """Whether a count is of nobody, or of enough people."""
    return count == 0 or count >= FEWEST


def depth(chain: Sequence[int]) -> int:
    """How many counts of a chain, from the first, may be told by themselves."""
    for place, count in enumerate(chain):
        outside = chain[place - 1] - count if place else 0
        if not (may_be_told(count) and may_be_told(outside)):
            return place
    return len(chain)


def depths(groups: Sequence[Sequence[int]]) -> list[int]:
    """How much of each group's chain may be told beside the whole's, told as far as `depth` says.

    groups: chains of one length; together they make up the whole, count by count.
    Returns: one for each group. Whatever groups are hidden at a count, there are none or at least
        two of them, and neither how many of them all are counted there nor how many are not, of
        those counted before, is from 1 to 10: that is what subtracting from the whole gives.
    Raises: ValueError if a chain rises, or is of another length.
    """
    if len({len(chain) for chain in groups}) > 1:
        raise ValueError("chains are of one length")
    if any(before < after for chain in groups for before, after in pairwise(chain)):
        raise ValueError("a chain counts parts of parts, and never rises")
    whole = [sum(column) for column in zip(*groups, strict=True)]
    known = depth(whole)
    shown = [min(depth(chain), known) for chain in groups]
    for place in range(known):
        while not _is_safe(groups, shown, place):
            # The smallest that is still shown here tells least, and hides what is beside it.
            nearest = min(
                (index for index, upto in enumerate(shown) if upto > place),
                key=lambda index: (groups[index][place], index),
            )
            shown[nearest] = place
    return shown


def _is_safe(groups: Sequence[Sequence[int]], shown: Sequence[int], place: int) -> bool:
    hidden = [chain for chain, upto in zip(groups, shown, strict=True) if upto <= place]
    if not hidden or len(hidden) == len(groups):
        return True  # then the whole is all there is to know, and it may be told
    counted = sum(chain[place] for chain in hidden)
    before = sum(chain[place - 1] for chain in hidden) if place else counted
    return len(hidden) > 1 and may_be_told(counted) and may_be_told(before - counted)


def tellable(sequence: Sequence[tuple[int, ...]]) -> list[int]:
    """Which steps of a table over time may be told, by their places, ascending.

    sequence: at each step, counts that only grow or only shrink. Steps are left out until every
    count, and every difference from the step told before (0 before the first), may be told: as few
    as can be, and of as few those after which it goes on longest. To tell each step as soon as it
    may be would be a dead end: a few events after it, and nothing could be told any more.
    """
    # The most that can be told up to each step, ending with it.
    upto: list[list[int]] = []
    nobody = (0,) * len(sequence[0]) if sequence else ()
    for place, counts in enumerate(sequence):
        before = [[], *(told for told in upto if told)]
        possible = [
            told
            for told in before
            if all(map(may_be_told, counts))
            and _may_follow(counts, sequence[told[-1]] if told else nobody)
        ]
        upto.append([*max(possible, key=len), place] if possible else [])
    return max(reversed(upto), key=len, default=[])


def _may_follow(now: tuple[int, ...], before: tuple[int, ...]) -> bool:
    return all(may_be_told(abs(one - was)) for one, was in zip(now, before, strict=True))


@dataclass(frozen=True, slots=True)
class Part:
    """Those of whom some things are true, counted in each of several groups.

    core: bits, in which each coordinate of `Jointly` has those of its values that are allowed.
    full: the same people, with whatever follows from the core for the other coordinates.
    """

    core: int
    full: int
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    part: Part
    hidden: int
    """Bits: the groups in which it is not known by itself, but only of all of them together."""


class Jointly:
    """Counts that are told beside each other, of several groups and of all of them together.

    A count is told after others only if nothing from 1 to 10 follows: from it, from what it leaves
    of each count that it is a part of, from what each of its parts leaves of it, and from what
    these differences leave of each other; in each group by itself, and in all groups together in
    which it is hidden. Sums of what may be told are never few, so no more has to be looked at.
    """

    def __init__(
        self, groups: int, coordinates: Sequence[int], follows: Callable[[int], int]
    ) -> None:
        """coordinates: the bits of each. follows: a core -> the full bits.

        of_nobody: afterwards, cores that are known to be of nobody.
        """
        self.of_nobody: set[int] = set()
        self._groups = groups
        self._coordinates = coordinates
        self._follows = follows
        self._told: list[_Known] = []
        self._known: list[_Known] = []

    def tell(self, *parts: Part) -> list[bool]:
        """In which groups all of these may be told at once; from then on they are known there.

        The groups make up a whole of which the same is told. With a single group, that is the
        whole.
        """
        new = self._new(parts)
        checks, of_nobody = self._checks(new)
        everywhere = (1 << self._groups) - 1
        hidden = 0
        while hidden != everywhere:
            failing, is_rest_safe = self._failing(checks, hidden)
            if not failing and is_rest_safe:
                break
            # Where nobody fails but the rest does, the smallest beside it tells least.
            hidden |= failing or self._smallest(parts[0], hidden)
        if hidden != everywhere:
            self._told += [_Known(part, hidden) for part in parts]
            self._known += [_Known(one.part, one.hidden | hidden) for one in new]
            self.of_nobody |= of_nobody
        return [not hidden >> group & 1 for group in range(self._groups)]

    def _new(self, parts: Sequence[Part]) -> list[_Known]:
        """These, and what they leave of what is told and differs from them in one thing."""
        found = [_Known(part, 0) for part in parts]
        seen = {(one.part.core, one.hidden) for one in self._known}
        for part in parts:
            for told in self._told:
                for inner, outer in ((part, told.part), (told.part, part)):
                    rest = self._rest(outer, inner)
                    if rest is not None and (rest.core, told.hidden) not in seen:
                        seen.add((rest.core, told.hidden))
                        found.append(_Known(rest, told.hidden))
        return found

    def _rest(self, outer: Part, inner: Part) -> Part | None:
        if inner.full & ~outer.core:
            return None
        differing = [bits for bits in self._coordinates if (outer.core ^ inner.core) & bits]
        if len(differing) != 1:
            return None
        core = outer.core & ~(inner.core & differing[0])
        return Part(core, self._follows(core), _left(outer, inner))

    def _checks(self, new: Sequence[_Known]) -> tuple[set[tuple[tuple[int, ...], int]], set[int]]:
        """Counts that would be known, and the groups in which they would not; and of whom it would
        be known that there is nobody.
        """
        found = {(one.part.counts, one.hidden) for one in new}
        of_nobody = {one.part.core for one in new if not any(one.part.counts)}
        for place, one in enumerate(new):
            part, hidden = one.part, one.hidden
            outside, full, counts = ~part.core, part.full, part.counts
            for other in (*self._known, *new[:place]):
                beside = other.part
                if not beside.full & outside:
                    outer, inner = part, beside
                elif not full & ~beside.core:
                    outer, inner = beside, part
                else:
                    continue
                found.add((_left(outer, inner), hidden | other.hidden))
                if counts == beside.counts:
                    rest = self._rest(outer, inner)
                    if rest is not None:
                        of_nobody.add(rest.core)
        return found, of_nobody

    def _failing(self, checks: set[tuple[tuple[int, ...], int]], hidden: int) -> tuple[int, bool]:
        failing, is_rest_safe = 0, True
        for counts, before in checks:
            unknown = before | hidden
            rest = 0
            for group, count in enumerate(counts):
                if unknown >> group & 1:
                    rest += count
                elif not may_be_told(count):
                    failing |= 1 << group
            is_rest_safe = is_rest_safe and may_be_told(rest)
        return failing, is_rest_safe

    def _smallest(self, part: Part, hidden: int) -> int:
        shown = [group for group in range(self._groups) if not hidden >> group & 1]
        return 1 << min(shown, key=lambda group: (part.counts[group], group))


def _left(outer: Part, inner: Part) -> tuple[int, ...]:
    return tuple(map(sub, outer.counts, inner.counts))
