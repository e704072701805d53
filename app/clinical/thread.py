"""The thread: from an intention to what a person does differently, and back to the next one.

Hides the graph. An entry may come from several others, and several may come from it. An entry
that a reader may not see is for them as if it had never been written: what came from it comes
from nothing, and nothing in the answer can tell the two apart.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from app.clinical.faults import Fault


class Kind(StrEnum):
    """What an entry is, as the ledger calls it, in the order of the thread."""

    INTENTION = "intention"
    EXPERIENCE = "note"
    INSIGHT = "insight"
    GOAL = "goal"
    STEP = "goal_step"
    PRACTICE = "practice"
    COPING = "coping_strategy"


_K = Kind
# Source: our convention: from anything earlier that a person could name, a step only from its
# goal. An intention may come from what came of the one before: the thread goes round, by kind
# and never by entry.
COMES_FROM: Final[Mapping[Kind, frozenset[Kind]]] = {
    _K.INTENTION: frozenset({_K.EXPERIENCE, _K.INSIGHT, _K.GOAL}),
    _K.EXPERIENCE: frozenset({_K.INTENTION}),
    _K.INSIGHT: frozenset({_K.INTENTION, _K.EXPERIENCE}),
    _K.GOAL: frozenset({_K.INTENTION, _K.EXPERIENCE, _K.INSIGHT}),
    _K.STEP: frozenset({_K.GOAL}),
    _K.PRACTICE: frozenset({_K.EXPERIENCE, _K.INSIGHT, _K.GOAL, _K.STEP}),
    _K.COPING: frozenset({_K.EXPERIENCE, _K.INSIGHT, _K.GOAL, _K.STEP, _K.PRACTICE}),
}


class Ref(NamedTuple):
    """Which entry. id: as text, which is looked up several times faster than a UUID."""

    kind: Kind
    id: str


class Link(NamedTuple):
    """That `entry` came from `source`."""

    source: Ref
    entry: Ref


def first_fault(links: Iterable[Link], entry: Ref, comes_from: Sequence[Ref]) -> Fault | None:
    """The first thing wrong with what an entry is said to come from; None if it will do.

    links: all there are; those of the entry itself are the ones that are replaced.
    comes_from: what is there and the writer may see. Whether it is has to be settled first:
        a reason given for a hidden entry would tell that there is one.
    Returns: a pointer such as "/comes_from/1".
    """
    allowed = COMES_FROM[entry.kind]
    later = _reached_from(entry, links)
    for place, source in enumerate(comes_from):
        pointer = f"/comes_from/{place}"
        if source.kind not in allowed:
            kinds = ", ".join(kind.value for kind in Kind if kind in allowed)
            return Fault(pointer, f"must be one of: {kinds}")
        if source in comes_from[:place]:
            return Fault(pointer, "is also named earlier")
        if source in later:
            return Fault(pointer, "must not itself come from this entry, directly or not")
    return None


def laid_out(parents: Sequence[Sequence[int]]) -> list[list[int]]:
    """Everything that hangs together, each as one story; what is linked to nothing stands alone.

    parents: of each entry, in time, the places of those that it came from, ascending, each once.
        Entries of one instant stand in the order of `Kind`. Only those that the reader may see.
    Returns: places; the story that begins earliest first. In a story time goes forward, except
        that no entry comes before one that it came from. Every entry once. About linear.
    """
    return [list(_parents_first(story, parents)) for story in _together(parents)]


def _reached_from(entry: Ref, links: Iterable[Link]) -> set[Ref]:
    """The entry, and whatever came from it."""
    children: dict[Ref, list[Ref]] = {}
    for source, child in links:
        children.setdefault(source, []).append(child)
    reached = {entry}
    waiting = [entry]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in reached:
                reached.add(child)
                waiting.append(child)
    return reached


def _together(parents: Sequence[Sequence[int]]) -> list[list[int]]:
    """The connected parts, each in order, the one that begins earliest first."""
    # Each entry points to an earlier one of its part, and the first one of a part to itself.
    first = list(range(len(parents)))

    def begin_of(index: int) -> int:
        while first[index] != index:
            first[index] = index = first[first[index]]
        return index

    for index, sources in enumerate(parents):
        for source in sources:
            ours, theirs = begin_of(index), begin_of(source)
            if ours < theirs:
                first[theirs] = ours
            else:
                first[ours] = theirs
    parts: dict[int, list[int]] = {}
    for index in range(len(parents)):
        parts.setdefault(begin_of(index), []).append(index)
    return list(parts.values())


def _parents_first(story: Sequence[int], parents: Sequence[Sequence[int]]) -> Iterator[int]:
    """In order, but what an entry came from goes before it.

    Links that go in a circle are refused when they are sent; should some be stored all the
    same, every entry is still told, once.
    """
    begun: set[int] = set()
    for first in story:
        if first in begun:
            continue
        begun.add(first)
        if begun.issuperset(parents[first]):
            yield first  # as nearly always: it is dated after what it came from
            continue
        # Not by recursion: a chain may be longer than the stack.
        waiting = [(first, iter(parents[first]))]
        while waiting:
            index, sources = waiting[-1]
            source = next((each for each in sources if each not in begun), None)
            if source is None:
                waiting.pop()
                yield index
            else:
                begun.add(source)
                waiting.append((source, iter(parents[source])))
