"""The thread from an intention to a practice: what may be linked, and how it is told."""

from collections.abc import Iterable
from itertools import pairwise
from random import Random
from typing import NamedTuple
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.faults import Fault
from app.clinical.thread import COMES_FROM, Kind, Link, Ref, first_fault, laid_out

law = settings(deadline=None)


class Entry(NamedTuple):
    """at: the time it speaks for."""

    ref: Ref
    at: int


class Told(NamedTuple):
    """One entry of a story. comes_from: the earliest first."""

    ref: Ref
    at: int
    comes_from: tuple[Ref, ...]


def stories(entries: Iterable[Entry], links: Iterable[Link]) -> list[list[Told]]:
    """`laid_out`, by what is told and not by its place. A link with an end that is not among the
    entries is as if it were not there.
    """
    order = list(Kind)
    in_time = sorted(set(entries), key=lambda one: (one.at, order.index(one.ref.kind), one.ref.id))
    place = {entry.ref: index for index, entry in enumerate(in_time)}
    parents: list[set[int]] = [set() for _ in in_time]
    for source, entry in links:
        if source in place and entry in place and source != entry:
            parents[place[entry]].add(place[source])
    return [
        [
            Told(*in_time[one], tuple(in_time[source].ref for source in sorted(parents[one])))
            for one in story
        ]
        for story in laid_out([sorted(sources) for sources in parents])
    ]


def ref(kind: Kind, number: int) -> Ref:
    return Ref(kind, str(UUID(int=number)))


INTENTION = ref(Kind.INTENTION, 1)
EXPERIENCE = ref(Kind.EXPERIENCE, 2)
INSIGHT = ref(Kind.INSIGHT, 3)
GOAL = ref(Kind.GOAL, 4)
STEP = ref(Kind.STEP, 5)
PRACTICE = ref(Kind.PRACTICE, 6)
COPING = ref(Kind.COPING, 7)
CHAIN = [INTENTION, EXPERIENCE, INSIGHT, GOAL, STEP, PRACTICE, COPING]
CHAINED = [Link(source, entry) for source, entry in pairwise(CHAIN)]
ENTRIES = [Entry(each, at) for at, each in enumerate(CHAIN)]

refs = st.builds(ref, st.sampled_from(Kind), st.integers(0, 5))
entries = st.dictionaries(refs, st.integers(0, 20), max_size=25).map(
    lambda at: [Entry(each, when) for each, when in at.items()]
)
any_links = st.lists(st.builds(Link, refs, refs), max_size=40)


def legal(candidates: list[Link]) -> list[Link]:
    """As many of them as may stand together."""
    links: list[Link] = []
    for source, entry in candidates:
        sources = [link.source for link in links if link.entry == entry]
        if first_fault(links, entry, [*sources, source]) is None:
            links.append(Link(source, entry))
    return links


def told(found: list[list[Told]]) -> list[list[Ref]]:
    return [[each.ref for each in story] for story in found]


class TestFirstFault:
    def test_the_whole_thread_may_be_linked(self) -> None:
        links: list[Link] = []
        for source, entry in CHAINED:
            assert first_fault(links, entry, [source]) is None
            links.append(Link(source, entry))

    def test_an_entry_may_come_from_several_or_from_none(self) -> None:
        assert first_fault([], GOAL, [INTENTION, EXPERIENCE, INSIGHT]) is None
        assert first_fault(CHAINED, GOAL, []) is None

    def test_a_step_comes_only_from_a_goal(self) -> None:
        assert first_fault([], STEP, [GOAL, INSIGHT]) == Fault(
            "/comes_from/1", "must be one of: goal"
        )

    def test_the_next_intention_may_come_from_an_insight(self) -> None:
        assert first_fault(CHAINED, ref(Kind.INTENTION, 8), [INSIGHT]) is None

    def test_a_circle_is_refused_where_it_closes(self) -> None:
        fault = first_fault(CHAINED, INTENTION, [ref(Kind.INSIGHT, 9), INSIGHT])

        assert fault == Fault(
            "/comes_from/1", "must not itself come from this entry, directly or not"
        )

    def test_a_circle_by_two_ways_is_refused_too(self) -> None:
        links = [*CHAINED, Link(INTENTION, INSIGHT), Link(EXPERIENCE, GOAL)]

        assert first_fault(links, INTENTION, [GOAL]) is not None

    def test_the_links_that_are_replaced_do_not_count(self) -> None:
        links = [Link(INTENTION, INSIGHT)]

        assert first_fault(links, INTENTION, [INSIGHT]) is not None
        assert first_fault(links, INSIGHT, []) is None
        assert first_fault([], INTENTION, [INSIGHT]) is None

    def test_the_same_is_not_named_twice(self) -> None:
        assert first_fault([], GOAL, [INSIGHT, INSIGHT]) == Fault(
            "/comes_from/1", "is also named earlier"
        )

    @pytest.mark.parametrize("kind", Kind)
    def test_nothing_comes_from_its_own_kind(self, kind: Kind) -> None:
        assert kind not in COMES_FROM[kind]
        assert first_fault([], ref(kind, 1), [ref(kind, 1)]) is not None

    def test_every_kind_can_be_part_of_a_thread(self) -> None:
        assert set(COMES_FROM) == set(Kind)
        assert all(COMES_FROM.values())

    @law
    @given(any_links)
    def test_links_that_will_do_never_go_in_a_circle(self, candidates: list[Link]) -> None:
        links = legal(candidates)
        # Taking away what comes from nothing, again and again, leaves nothing.
        while links:
            entries_left = {link.entry for link in links}
            kept = [link for link in links if link.source in entries_left]
            assert len(kept) < len(links)
            links = kept


class TestStories:
    def test_what_is_linked_is_one_story(self) -> None:
        (story,) = stories(reversed(ENTRIES), CHAINED)

        assert [each.ref for each in story] == CHAIN
        assert [each.comes_from for each in story] == [(), *((each,) for each in CHAIN[:-1])]
        assert [each.at for each in story] == list(range(7))

    def test_what_is_linked_to_nothing_stands_alone(self) -> None:
        found = stories(ENTRIES, [Link(INTENTION, GOAL)])

        assert told(found) == [
            [INTENTION, GOAL],
            [EXPERIENCE],
            [INSIGHT],
            [STEP],
            [PRACTICE],
            [COPING],
        ]

    def test_an_entry_comes_after_what_it_came_from_even_when_that_is_dated_later(self) -> None:
        late = [Entry(GOAL, 1), Entry(INTENTION, 2), Entry(INSIGHT, 9)]

        found = stories(late, [Link(INSIGHT, GOAL), Link(INTENTION, GOAL)])

        assert told(found) == [[INTENTION, INSIGHT, GOAL]]
        assert found[0][2].comes_from == (INTENTION, INSIGHT)

    def test_what_happened_at_the_same_instant_goes_in_the_order_of_the_thread(self) -> None:
        found = stories([Entry(each, 0) for each in reversed(CHAIN)], [])

        assert told(found) == [[each] for each in CHAIN]

    def test_two_that_came_from_something_hidden_have_nothing_to_do_with_each_other(self) -> None:
        links = [Link(EXPERIENCE, INSIGHT), Link(EXPERIENCE, GOAL)]

        found = stories([Entry(INSIGHT, 1), Entry(GOAL, 2)], links)

        assert found == [[Told(INSIGHT, 1, ())], [Told(GOAL, 2, ())]]

    def test_nothing_is_no_story(self) -> None:
        assert stories([], CHAINED) == []

    @law
    @given(entries, any_links)
    def test_every_entry_is_told_exactly_once_whatever_is_stored(
        self, written: list[Entry], links: list[Link]
    ) -> None:
        found = [Entry(each.ref, each.at) for story in stories(written, links) for each in story]

        assert sorted(found) == sorted(written)

    @law
    @given(entries, any_links)
    def test_nothing_is_told_before_what_it_came_from(
        self, written: list[Entry], candidates: list[Link]
    ) -> None:
        for story in stories(written, legal(candidates)):
            before: set[Ref] = set()
            for each in story:
                assert before.issuperset(each.comes_from)
                before.add(each.ref)

    @law
    @given(entries, any_links, st.randoms())
    def test_the_order_of_what_is_stored_does_not_matter(
        self, written: list[Entry], links: list[Link], random: Random
    ) -> None:
        shuffled, shuffled_links = list(written), [*links, *links]
        random.shuffle(shuffled)
        random.shuffle(shuffled_links)

        assert stories(shuffled, shuffled_links) == stories(written, links)

    @law
    @given(entries, any_links, st.data())
    def test_what_is_hidden_is_as_if_it_had_never_been_written(
        self, written: list[Entry], links: list[Link], data: st.DataObject
    ) -> None:
        hidden = data.draw(st.frozensets(st.sampled_from([each.ref for each in written] or [GOAL])))
        seen = [each for each in written if each.ref not in hidden]

        found = stories(seen, links)

        named = {name for story in found for each in story for name in (each.ref, *each.comes_from)}
        assert not named & hidden
        never_linked = [link for link in links if not hidden & set(link)]
        assert found == stories(seen, never_linked)

    def test_a_chain_longer_than_any_stack_is_told(self) -> None:
        kinds = (Kind.INTENTION, Kind.INSIGHT)
        long = [ref(kinds[number % 2], number) for number in range(20_000)]
        links = [Link(source, entry) for source, entry in pairwise(long)]

        # Dated backwards, so that the first one reaches through all of it.
        (story,) = stories([Entry(each, -at) for at, each in enumerate(long)], links)

        assert [each.ref for each in story] == long
