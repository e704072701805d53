"""That nobody can be made out among few: checked by trying to."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.clinical.suppression import (
    FEWEST,
    Jointly,
    Part,
    depth,
    depths,
    may_be_told,
    tellable,
)

law = settings(deadline=None, max_examples=300)

chains = st.integers(1, 4).flatmap(
    lambda length: st.lists(
        st.lists(st.integers(0, 45), min_size=length, max_size=length).map(
            lambda parts: [sum(parts[place:]) for place in range(len(parts))]
        ),
        min_size=1,
        max_size=6,
    )
)


class Known:
    """What follows from what was told, by linear algebra over exact numbers."""

    def __init__(self, equations: Sequence[Sequence[int]]) -> None:
        self._rows: list[list[Fraction]] = []
        for equation in equations:
            row = self._reduced([Fraction(one) for one in equation])
            if any(row):
                lead = next(place for place, one in enumerate(row) if one)
                row = [one / row[lead] for one in row]
                self._rows = [
                    [mine - old[lead] * new for mine, new in zip(old, row, strict=True)]
                    for old in self._rows
                ]
                self._rows.append(row)

    def _reduced(self, row: list[Fraction]) -> list[Fraction]:
        for old in self._rows:
            lead = next(place for place, one in enumerate(old) if one)
            if row[lead]:
                row = [mine - row[lead] * one for mine, one in zip(row, old, strict=True)]
        return row

    def gives(self, equation: Sequence[int]) -> bool:
        return not any(self._reduced([Fraction(one) for one in equation]))


def cell(groups: int, length: int, group: int | None, first: int, end: int) -> list[int]:
    """A sum of atoms: of a group, or of all, from one place in the chain to before another."""
    return [
        int(group in (None, one) and first <= place < end)
        for one in range(groups)
        for place in range(length)
    ]


def published(groups: list[list[int]], shown: list[int]) -> Known:
    length = len(groups[0])
    whole = [sum(column) for column in zip(*groups, strict=True)]
    told = [cell(len(groups), length, None, place, length) for place in range(depth(whole))]
    for index, upto in enumerate(shown):
        told += [cell(len(groups), length, index, place, length) for place in range(upto)]
    return Known(told)


class TestOneChain:
    @pytest.mark.parametrize(
        ("chain", "told"),
        [
            ([100, 80, 40, 20], 4),
            ([100, 95, 40], 1),  # five did not answer
            ([100, 89], 2),
            ([100, 90], 1),
            ([100, 100, 40], 3),  # nobody is missing, and that may be told
            ([100, 0, 0], 3),
            ([10], 0),
            ([11], 1),
            ([0, 0], 2),
            ([], 0),
        ],
    )
    def test_it_ends_before_the_first_count_or_remainder_of_a_few(
        self, chain: list[int], told: int
    ) -> None:
        assert depth(chain) == told

    def test_the_fewest_is_eleven(self) -> None:
        assert [count for count in range(13) if may_be_told(count)] == [0, 11, 12]
        assert FEWEST == 11


class TestGroups:
    def test_the_smallest_beside_a_hidden_one_is_hidden_too(self) -> None:
        assert depths([[5], [40], [60]]) == [0, 0, 1]

    def test_hidden_groups_together_are_no_few_either(self) -> None:
        assert depths([[2], [3], [40], [60]]) == [0, 0, 0, 1]

    def test_nothing_is_hidden_where_nothing_is_small(self) -> None:
        assert depths([[30, 15], [40, 20]]) == [2, 2]

    @law
    @example([[5, 5], [11, 0]])
    @example([[12, 12], [20, 3], [40, 20]])
    @given(chains)
    def test_no_small_count_of_a_group_can_be_worked_out(self, groups: list[list[int]]) -> None:
        shown = depths(groups)

        known = published(groups, shown)

        length = len(groups[0])
        for index, chain in enumerate(groups):
            for first in range(length):
                for end in range(first + 1, length + 1):
                    size = chain[first] - (chain[end] if end < length else 0)
                    if not may_be_told(size):
                        assert not known.gives(cell(len(groups), length, index, first, end))

    @law
    @given(chains)
    def test_what_is_left_for_the_hidden_ones_together_is_no_few(
        self, groups: list[list[int]]
    ) -> None:
        shown = depths(groups)

        whole = [sum(column) for column in zip(*groups, strict=True)]
        for place in range(depth(whole)):
            hidden = [chain for chain, upto in zip(groups, shown, strict=True) if upto <= place]
            assert len(hidden) != 1 or len(groups) == 1
            assert may_be_told(sum(chain[place] for chain in hidden))

    def test_what_is_no_chain_is_refused(self) -> None:
        with pytest.raises(ValueError, match="one length"):
            depths([[1], [2, 1]])
        with pytest.raises(ValueError, match="never rises"):
            depths([[1, 2]])


steps = st.lists(st.lists(st.integers(0, 30), min_size=2, max_size=2), min_size=1, max_size=6).map(
    lambda grown: [
        tuple(sum(one[place] for one in grown[: upto + 1]) for place in range(2))
        for upto in range(len(grown))
    ]
)


class TestCurves:
    def test_steps_of_a_few_are_told_with_those_that_follow(self) -> None:
        assert tellable([(5,), (9,), (14,), (16,), (30,)]) == [2, 4]

    def test_a_step_is_left_out_where_telling_it_would_end_the_table(self) -> None:
        # After 20 neither 25 nor 28 may be told; after 15 both may not, but 28 may.
        assert tellable([(15,), (20,), (28,), (28,), (39,)]) == [0, 2, 3, 4]

    def test_the_first_step_has_to_be_of_enough_people_itself(self) -> None:
        assert tellable([(11, 3), (22, 3), (33, 14)]) == [2]

    @law
    @given(steps)
    def test_no_difference_between_told_steps_is_of_a_few(
        self, sequence: list[tuple[int, ...]]
    ) -> None:
        told = [sequence[place] for place in tellable(sequence)]

        for before, after in pairwise([(0, 0), *told]):
            assert all(may_be_told(now - then) for then, now in zip(before, after, strict=True))


class TestJointly:
    """Two coordinates: three values (bits 0 to 2), and two (bits 3 and 4)."""

    def test_what_is_left_of_a_part_that_is_told_is_no_few(self) -> None:
        jointly = Jointly(1, [0b00111, 0b11000], lambda core: core)

        assert jointly.tell(part(0b11111, 50))
        assert not jointly.tell(part(0b11110, 45))
        assert jointly.tell(part(0b11100, 39))
        assert jointly.tell(part(0b10111, 36))
        # 39 - 28 could be told, and 36 - 28 could not.
        assert not jointly.tell(part(0b10100, 28))

    def test_nor_what_two_differences_leave_of_each_other(self) -> None:
        jointly = Jointly(1, [0b00111, 0b11000], lambda core: core)
        for core, count in ((0b11111, 60), (0b10111, 40), (0b11110, 45)):
            assert jointly.tell(part(core, count))

        # 45 - 30 and 40 - 30 may be told; of the 15 outside the first, 10 are of the second.
        assert not jointly.tell(part(0b10110, 30))

    def test_it_is_told_of_every_group_or_of_none(self) -> None:
        jointly = Jointly(3, [0b1], lambda core: core)

        assert not jointly.tell(part(0b1, 5, 12, 40))
        assert jointly.tell(part(0b1, 15, 12, 40))

    def test_what_the_whole_tells_is_left_for_no_few_in_the_groups_where_it_is_unknown(
        self,
    ) -> None:
        of_the_whole = part(0b00111, 20, 20, 7)
        jointly = Jointly(3, [0b11111], lambda core: core, [of_the_whole])
        assert not jointly.tell(of_the_whole)
        assert jointly.tell(part(0b01111, 20, 40, 30))
        assert jointly.tell(part(0b10111, 40, 20, 30))
        assert jointly.tell(part(0b00011, 20, 0, 0))

        # It would be 20 of the second group, as of the first; and so 47 - 40 of the third.
        assert not jointly.tell(part(0b00110, 0, 20, 0))


def part(core: int, *counts: int) -> Part:
    return Part(core, core, counts)
