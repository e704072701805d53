"""What may be told of how many, so that nobody can be made out among few.

Counts come as chains: each is of a part of those counted before it (all who came, of them those
who answered, of them those who responded). From a chain one can also read how many are in one
part and not in the next, so these remainders are held to the same rule as the counts.

The rule: nothing from 1 to 10 is told, nor can be worked out from what is told. A count of nobody
is told. Source: the cell size policy of the United States Centers for Medicare & Medicaid
Services, which asks for 11 or more, and that no cell can be derived; ending a chain at the first
count that breaks it, and hiding the smallest group beside a hidden one, is our convention.
"""

from collections.abc import Sequence
from itertools import pairwise

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


def curves_told(
    groups: Sequence[Sequence[tuple[int, ...]]],
) -> tuple[list[int], list[bool]]:
    """Which steps of the curves of several groups may be told beside those of the whole.

    groups: each step by step, the same steps; counts that add up to the whole's.
    Returns: places of the steps, and for each group whether it is shown. One alone is never
        hidden beside a whole that is told, and what is left for those hidden keeps to the rule.
    """
    shown = [bool(tellable(steps)) for steps in groups]
    while True:
        hidden = [steps for steps, is_shown in zip(groups, shown, strict=True) if not is_shown]
        if len(hidden) == len(groups):
            return [], shown
        seen = [steps for steps, is_shown in zip(groups, shown, strict=True) if is_shown]
        told = tellable([_beside(seen, hidden, place) for place in range(len(groups[0]))])
        if len(hidden) != 1 and told:
            return told, shown
        smallest = min(
            (index for index, is_shown in enumerate(shown) if is_shown),
            key=lambda index: (sum(groups[index][0]), index),
        )
        shown[smallest] = False


def _beside(
    seen: Sequence[Sequence[tuple[int, ...]]],
    hidden: Sequence[Sequence[tuple[int, ...]]],
    place: int,
) -> tuple[int, ...]:
    """Everything that is known at one step when these groups are seen and those are not."""
    rest = [sum(column) for column in zip(*(steps[place] for steps in hidden), strict=True)]
    return (*(count for steps in seen for count in steps[place]), *rest)
