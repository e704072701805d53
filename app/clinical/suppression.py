"""What may be told of how many, so that nobody can be made out among few.

Counts come as chains: each is of a part of those counted before it (all who came, of them those
who answered, of them those who responded). From a chain one can also read how many are in one
part and not in the next, so these remainders are held to the same rule as the counts.

The rule: nothing from 1 to 10 is told, nor can be worked out from what is told. A count of nobody
is told. Source: the cell size policy of the United States Centers for Medicare & Medicaid
Services, which asks for 11 or more, and that no cell can be derived; ending a chain at the first
count that breaks it, and hiding the smallest group beside a hidden one, is our convention.
"""

from collections.abc import Callable, Iterable, Sequence
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


class Jointly:
    """Counts that are told beside each other: of one group, or of several that make up a whole of
    which more may be told.

    A count is told of every group or of none. It is told after others only if nothing from 1 to 10
    follows: from it, from what it leaves of each count that it is a part of, from what each of its
    parts leaves of it, and from what these differences leave of each other. Nor may anything follow
    for what is told of the whole alone: that is known of a group in which it lies between two
    counts that are the same there, and then few may not be left for the others.
    """

    def __init__(
        self,
        groups: int,
        coordinates: Sequence[int],
        follows: Callable[[int], int],
        of_the_whole: Iterable[Part] = (),
    ) -> None:
        """coordinates: the bits of each. follows: a core -> the full bits. of_the_whole: what is
        told of all groups together, if there are more than one.

        of_nobody: afterwards, cores that are known to be of nobody.
        """
        self.of_nobody: set[int] = set()
        self._groups = range(groups)
        self._coordinates = coordinates
        self._follows = follows
        self._told: list[Part] = []
        self._known: list[Part] = []
        self._untold = list({part.core: part for part in of_the_whole}.values())

    def tell(self, *parts: Part) -> bool:
        """Whether all of these may be told at once; from then on they are known."""
        new = self._new(parts)
        checks, of_nobody = self._checks(new)
        if not all(may_be_told(count) for counts in checks for count in counts):
            return False
        before = self._told, self._known, self._untold
        self._told, self._known = [*self._told, *parts], [*self._known, *new]
        cores = {part.core for part in parts}
        self._untold = [one for one in self._untold if one.core not in cores]
        if not self._is_the_rest_safe():
            self._told, self._known, self._untold = before
            return False
        self.of_nobody |= of_nobody
        return True

    def _new(self, parts: Sequence[Part]) -> list[Part]:
        """These, and what they leave of what is told and differs from them in one thing."""
        found = list(parts)
        seen = {one.core for one in self._known}
        for part in parts:
            for told in self._told:
                for inner, outer in ((part, told), (told, part)):
                    rest = self._rest(outer, inner)
                    if rest is not None and rest.core not in seen:
                        seen.add(rest.core)
                        found.append(rest)
        return found

    def _rest(self, outer: Part, inner: Part) -> Part | None:
        if inner.full & ~outer.core:
            return None
        differing = [bits for bits in self._coordinates if (outer.core ^ inner.core) & bits]
        if len(differing) != 1:
            return None
        core = outer.core & ~(inner.core & differing[0])
        return Part(core, self._follows(core), _left(outer, inner))

    def _checks(self, new: Sequence[Part]) -> tuple[set[tuple[int, ...]], set[int]]:
        """Counts that would be known; and of whom it would be known that there is nobody."""
        found = {part.counts for part in new}
        of_nobody = {part.core for part in new if not any(part.counts)}
        for place, part in enumerate(new):
            for beside in (*self._known, *new[:place]):
                if _is_within(beside, part):
                    outer, inner = part, beside
                elif _is_within(part, beside):
                    outer, inner = beside, part
                else:
                    continue
                found.add(_left(outer, inner))
                if part.counts == beside.counts:
                    rest = self._rest(outer, inner)
                    if rest is not None:
                        of_nobody.add(rest.core)
        return found, of_nobody

    def _is_the_rest_safe(self) -> bool:
        """Whether what is not told is nowhere left for a few, in the groups where it is unknown."""
        unknown = {part.core: self._unknown(part) for part in self._untold}
        for part in self._untold:
            groups = unknown[part.core]
            beside = [(one, groups) for one in self._known]
            beside += [(one, groups | unknown[one.core]) for one in self._untold]
            if not may_be_told(_among(part.counts, groups)):
                return False
            for other, among in beside:
                for outer, inner in ((other, part), (part, other)):
                    left = _left(outer, inner) if _is_within(inner, outer) else ()
                    if left and not may_be_told(_among(left, among)):
                        return False
        return True

    def _unknown(self, part: Part) -> set[int]:
        """The groups in which it does not lie between two counts that are the same."""
        above = [one.counts for one in self._known if _is_within(part, one)]
        below = [one.counts for one in self._known if _is_within(one, part)]
        nobody = (0,) * len(self._groups)
        return {
            group
            for group in self._groups
            if min((one[group] for one in above), default=-1)
            != max(one[group] for one in (nobody, *below))
        }


def _is_within(inner: Part, outer: Part) -> bool:
    """Whether whoever is counted in one is counted in the other."""
    return not inner.full & ~outer.core


def _among(counts: Sequence[int], groups: set[int]) -> int:
    return sum(counts[group] for group in groups)


def _left(outer: Part, inner: Part) -> tuple[int, ...]:
    return tuple(map(sub, outer.counts, inner.counts))
