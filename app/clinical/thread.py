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
_PLACE: Final = {kind: place for place, kind in enumerate(Kind)}


class Ref(NamedTuple):
    """Which entry. id: as text, which is looked up several times faster than a UUID."""

    kind: Kind
    id: str


class Link(NamedTuple):
    """That `entry` came from `source`."""

    source: Ref
    entry: Ref


class Entry(NamedTuple):
    """at: the time it speaks for, whole microseconds since 1970-01-01T00:00Z."""

    ref: Ref
    at: int


class Told(NamedTuple):
    """One entry of a story. comes_from: those that the reader may see, the earliest first."""

    ref: Ref
    at: int
    comes_from: tuple[Ref, ...]


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


def stories(entries: Iterable[Entry], links: Iterable[Link]) -> list[list[Told]]:
    """Everything that hangs together, each as one story; what is linked to nothing stands alone.

    entries: those that the reader may see, and no others.
    links: any; one with an end that is not among the entries is as if it were not there.
    Returns: the story that begins earliest first. In a story time goes forward, except that
        no entry comes before one that it came from. Every entry once; the same whatever the
        order of the arguments. Beside the sorting, about linear in entries and links.
    """
    in_order = sorted(dict(entries).items(), key=_in_time)
    # From here on by place in that order.
    place = {ref: index for index, (ref, _) in enumerate(in_order)}
    parents = _parents(links, place)
    return [
        [
            Told(*in_order[one], tuple([in_order[source][0] for source in parents[one]]))
            for one in story
        ]
        for story in laid_out(parents)
    ]


def laid_out(parents: Sequence[Sequence[int]]) -> list[list[int]]:
    """`stories`, of entries that stand in time already and are named by their place there.

    parents: of each entry the places of those that it came from, ascending, each once.
    """
    return [list(_parents_first(story, parents)) for story in _together(parents)]


def _in_time(entry: tuple[Ref, int]) -> tuple[int, int, str]:
    ref, at = entry
    return at, _PLACE[ref.kind], ref.id


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


def _parents(links: Iterable[Link], place: Mapping[Ref, int]) -> list[list[int]]:
    """For each entry those that it came from, in order and each once."""
    parents: list[list[int]] = [[] for _ in place]
    for source, entry in links:
        from_, to = place.get(source), place.get(entry)
        if from_ is not None and to is not None and from_ != to and from_ not in parents[to]:
            parents[to].append(from_)
    for sources in parents:
        sources.sort()
    return parents


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
