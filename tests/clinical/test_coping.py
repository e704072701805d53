"""What one person's log tells of what helps, and how little of it is sure."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.coping import (
    CONVENTIONS,
    FEWEST,
    NO_PROOF,
    SOURCES,
    Episode,
    Helpfulness,
    Tried,
    episode_fault,
    helpfulness,
    wilson,
)
from app.clinical.faults import Fault

law = settings(deadline=None)

episodes = st.builds(
    Episode,
    st.integers(0, 10),
    st.none() | st.integers(0, 10),
    st.lists(
        st.builds(Tried, st.sampled_from("abcd"), st.none() | st.integers(0, 4)), max_size=4
    ).map(tuple),
)


def rated(strategy: str, *ratings: int) -> list[Episode]:
    return [Episode(7, None, (Tried(strategy, rating),)) for rating in ratings]


def changed(strategy: str, *afters: int) -> list[Episode]:
    """Times that began at 8, with nothing said about whether it helped."""
    return [Episode(8, after, (Tried(strategy),)) for after in afters]


def only(log: list[Episode]) -> Helpfulness:
    (found,) = helpfulness(log)
    return found


class TestWilson:
    @pytest.mark.parametrize(
        ("successes", "n", "low", "high"),
        [
            (8, 10, 0.4902, 0.9433),
            (0, 10, 0, 0.2775),
            (10, 10, 0.7225, 1),
            (1, 1, 0.2065, 1),
            (
                81,
                263,
                0.2553,
                0.3662,
            ),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ],
    )
    def test_worked_examples(self, successes: int, n: int, low: float, high: float) -> None:
        assert wilson(successes, n) == pytest.approx((low, high), abs=0.00005)

    @law
    @given(st.integers(1, 100_000), st.data())
    def test_it_lies_between_0_and_1_and_holds_the_share(self, n: int, data: st.DataObject) -> None:
        successes = data.draw(st.integers(0, n))

        low, high = wilson(successes, n)

        assert 0 <= low <= successes / n <= high <= 1
        assert low < high

    @law
    @given(st.integers(1, 500), st.data())
    def test_both_ends_lie_just_as_far_from_the_share_as_95_per_cent_reach(
        self, n: int, data: st.DataObject
    ) -> None:
        successes = data.draw(st.integers(0, n))

        for end in wilson(successes, n):
            # Wilson's own equation: the distance is 1.96 standard errors at that end.
            distance = (successes / n - end) ** 2
            assert distance == pytest.approx(1.959964**2 * end * (1 - end) / n, abs=1e-6)

    @law
    @given(st.integers(1, 500), st.data())
    def test_turning_success_and_failure_round_mirrors_it(
        self, n: int, data: st.DataObject
    ) -> None:
        successes = data.draw(st.integers(0, n))

        low, high = wilson(successes, n)

        assert wilson(n - successes, n) == pytest.approx((1 - high, 1 - low))

    @pytest.mark.parametrize(("successes", "n"), [(0, 0), (2, 1), (-1, 3)])
    def test_what_is_no_share_is_refused(self, successes: int, n: int) -> None:
        with pytest.raises(ValueError, match="no more successes"):
            wilson(successes, n)


class TestHelpfulness:
    def test_a_rating_of_two_or_more_helped(self) -> None:
        found = only(rated("walk", 0, 1, 2, 3, 4))

        assert (found.known, found.helped, found.share) == (5, 3, 0.6)
        assert (found.low, found.high) == (0.2307, 0.8824)

    def test_without_a_rating_a_fall_by_two_points_helped(self) -> None:
        found = only(changed("walk", 8, 7, 6, 5, 9))

        assert (found.known, found.helped, found.changes) == (5, 2, 5)
        assert found.median_change == -1

    def test_what_the_patient_says_goes_before_the_numbers(self) -> None:
        found = only([Episode(8, 2, (Tried("walk", 0),))] * 5)

        assert (found.helped, found.median_change) == (0, -6)

    def test_nothing_is_told_from_fewer_than_five_times(self) -> None:
        found = only([*rated("walk", 4, 4, 4, 4), *changed("walk")])

        assert found == Helpfulness("walk", 4, 0, 4, None, None, None, None, 0, None)

    def test_times_of_which_nothing_is_known_are_used_and_no_more(self) -> None:
        found = only([Episode(7, None, (Tried("walk"),))] * 9)

        assert (found.used, found.known, found.share) == (9, 0, None)

    def test_what_was_used_together_is_told(self) -> None:
        both = Episode(8, 3, (Tried("walk"), Tried("call")))

        assert {(each.strategy, each.used, each.together) for each in helpfulness([both])} == {
            ("walk", 1, 1),
            ("call", 1, 1),
        }

    def test_a_strategy_that_is_named_twice_was_used_once(self) -> None:
        found = only([Episode(8, None, (Tried("walk", 3), Tried("walk"), Tried("walk", 1)))] * 5)

        assert (found.used, found.together, found.helped) == (5, 0, 5)

    def test_many_times_mostly_go_before_few_times_always(self) -> None:
        log = [
            *rated("always", 4, 4, 4, 4, 4),
            *rated("mostly", *[4] * 45, *[0] * 5),
            *rated("seldom", *[4] * 2, *[0] * 8),
            *rated("twice", 4, 4),
            *rated("thrice", 0, 0, 0),
            *rated("nice", 4, 4),
        ]

        order = [each.strategy for each in helpfulness(log)]

        assert order == ["mostly", "always", "seldom", "thrice", "nice", "twice"]

    def test_no_log_tells_nothing(self) -> None:
        assert helpfulness([]) == []
        assert helpfulness([Episode(9)]) == []

    @law
    @given(st.lists(episodes, max_size=40), st.randoms())
    def test_the_order_of_the_log_does_not_matter(self, log: list[Episode], random: Random) -> None:
        shuffled = list(log)
        random.shuffle(shuffled)

        assert helpfulness(shuffled) == helpfulness(log)

    @law
    @given(st.lists(episodes, max_size=60))
    def test_what_is_told_fits_together(self, log: list[Episode]) -> None:
        for each in helpfulness(log):
            assert each.together <= each.used
            assert each.known <= each.used
            assert (each.share is None) == (each.known < FEWEST)
            assert (each.median_change is None) == (each.changes < FEWEST)
            if each.share is not None:
                assert each.low is not None
                assert each.high is not None
                assert 0 <= each.low <= each.share <= each.high <= 1

    def test_every_answer_can_say_that_it_is_no_proof(self) -> None:
        assert NO_PROOF == "coping.goes-together-is-no-proof-of-cause"
        assert set(CONVENTIONS) == {each for each in SOURCES if "our convention" in each}


class TestFaults:
    def test_what_makes_sense_will_do(self) -> None:
        assert episode_fault(Episode(0, 10, (Tried("a", 0), Tried("b", 4)))) is None

    @pytest.mark.parametrize(
        ("episode", "pointer"),
        [
            (Episode(11), "/intensity_before"),
            (Episode(-1), "/intensity_before"),
            (Episode(5, 11), "/intensity_after"),
            (Episode(5, 4, (Tried("a", 5),)), "/tried/0/helped"),
            (Episode(5, 4, (Tried("a", 4), Tried("a", 4))), "/tried/1/strategy"),
        ],
    )
    def test_the_first_thing_wrong_is_named(self, episode: Episode, pointer: str) -> None:
        fault = episode_fault(episode)

        assert isinstance(fault, Fault)
        assert fault.pointer == pointer
