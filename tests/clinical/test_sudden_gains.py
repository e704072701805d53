"""Sudden gains and losses: published examples, and what holds for every series."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.instruments import Direction, Scale, find
from app.clinical.quantiles import student_t_95
from app.clinical.sudden_gains import CONVENTION, judge, sudden_changes

law = settings(deadline=None)
DAY = 86_400_000_000

_total = find("phq-9").total
assert _total is not None
PHQ_9: Scale = _total


def weekly(*totals: int | None) -> tuple[list[int], list[int | None]]:
    return [7 * DAY * week for week in range(len(totals))], list(totals)


def found(*totals: int | None) -> list[tuple[str, int, int, float]]:
    """(kind, before, after, points)"""
    return [
        (one.kind, one.before, one.after, one.points)
        for one in sudden_changes(PHQ_9, *weekly(*totals)).found
    ]


class TestPublished:
    """The examples of `check_interval` in suddengains (Wiedemann et al. 2020)."""

    def test_a_sudden_gain_with_nothing_missing(self) -> None:
        assert judge([32, 31, 33], [5, 6, 7], size=7) == "gain"

    def test_a_sudden_loss_with_one_score_missing(self) -> None:
        assert judge([5, 7], [16, 12, 14], size=7) == "loss"

    @pytest.mark.parametrize(("freedom", "critical"), [(4, 2.776), (3, 3.182), (2, 4.303)])
    def test_the_critical_values_are_those_of_lutz(self, freedom: int, critical: float) -> None:
        assert student_t_95(freedom) == critical


class TestCriteria:
    def test_a_step_of_the_reliable_change_is_enough(self) -> None:
        assert found(20, 20, 20, 14, 14, 14) == [("gain", 2, 3, -6)]
        assert found(20, 20, 20, 15, 15, 15) == []

    def test_it_has_to_be_a_quarter_of_the_score_before(self) -> None:
        assert found(24, 24, 24, 18, 18, 18) == [("gain", 2, 3, -6)]
        assert found(25, 25, 25, 19, 19, 19) == []

    def test_it_has_to_stand_out_from_the_scores_around_it(self) -> None:
        assert found(20, 8, 20, 14, 3, 14) == []

    def test_a_loss_is_the_mirror_image(self) -> None:
        assert found(6, 6, 6, 14, 14, 14) == [("loss", 2, 3, 8)]

    def test_the_critical_value_grows_with_what_is_missing(self) -> None:
        assert found(21, None, 18, 6, 3, 6) == [("gain", 2, 3, -12)]
        # 12 points between the means; the spread is 3.70 with nothing missing, 4.12 with two.
        assert judge([20, 14, 17], [8, 2, 5], size=6) == "gain"
        assert judge([20, 14], [8, 2], size=6) is None


class TestNotAssessable:
    def test_too_few_on_a_side(self) -> None:
        told = sudden_changes(PHQ_9, *weekly(20, 8, 8, 8))

        assert (told.found, told.assessed, told.not_assessable) == ([], 1, 2)

    @pytest.mark.parametrize("totals", [(), (20,), (20, None), (None, None, None)])
    def test_nothing_to_compare(self, totals: tuple[int | None, ...]) -> None:
        assert sudden_changes(PHQ_9, *weekly(*totals)).why_not == "too-few-scores"

    def test_ten_years_of_silence_are_not_sudden(self) -> None:
        at = [0, 7 * DAY, 14 * DAY, 3653 * DAY, 3660 * DAY, 3667 * DAY]

        told = sudden_changes(PHQ_9, at, [20, 20, 20, 5, 5, 5])

        assert told.found == []

    @pytest.mark.parametrize("gap", [15, 15.01, 3653])
    def test_a_score_of_long_ago_is_in_no_mean(self, gap: float) -> None:
        """One far from its neighbour is as if missing, and one on a side is too few."""
        first = sudden_changes(
            PHQ_9, [0, *(round((gap + 7 * n) * DAY) for n in range(4))], [20, 20, 8, 8, 8]
        )
        last = sudden_changes(
            PHQ_9, [*(7 * n * DAY for n in range(4)), round((21 + gap) * DAY)], [20, 20, 20, 8, 8]
        )

        is_near = gap == 15
        assert [one.before for one in first.found] == ([1] if is_near else [])
        assert [one.before for one in last.found] == ([2] if is_near else [])

    @pytest.mark.parametrize(("gap", "kinds"), [(15, ["gain"]), (15.01, [])])
    def test_without_it_the_critical_value_is_that_of_a_missing_score(
        self, gap: float, kinds: list[str]
    ) -> None:
        # 12.33 points between the means, and 2.776 times the spread of 4.32 is 11.99;
        # without the 25 it is 10.5, and 3.182 times 4.26 is 13.56.
        at = [0, *(round((gap + 7 * n) * DAY) for n in range(5))]

        told = sudden_changes(PHQ_9, at, [25, 18, 21, 4, 9, 14])

        assert [one.kind for one in told.found] == kinds

    def test_a_missing_score_does_not_bring_its_neighbours_closer(self) -> None:
        at = [day * DAY for day in (0, 8, 16, 23, 30, 37)]

        told = sudden_changes(PHQ_9, at, [20, None, 20, 8, 8, 8])

        assert (told.found, told.assessed) == ([], 1)

    def test_the_quarter_where_more_is_better_is_told_as_our_own(self) -> None:
        assert "where more is better, a quarter of what was missing to the best" in CONVENTION

    def test_a_scale_without_a_reliable_change_says_so(self) -> None:
        scale = find("momentary").item("anxiety").scale
        assert scale is not None

        assert sudden_changes(scale, *weekly(9, 9, 9, 1, 1, 1)).why_not == "no-reliable-change"

    def test_one_score_on_a_side_is_not_judged(self) -> None:
        with pytest.raises(ValueError, match="two or three"):
            judge([20], [5, 5], size=6)


class TestLaws:
    @law
    @given(st.lists(st.none() | st.integers(0, 27), max_size=15))
    def test_a_scale_and_its_mirror_image_agree(self, totals: list[int | None]) -> None:
        mirror = replace(PHQ_9, direction=Direction.HIGHER_IS_BETTER)
        mirrored = [None if one is None else 27 - one for one in totals]

        here = sudden_changes(PHQ_9, *weekly(*totals))
        there = sudden_changes(mirror, *weekly(*mirrored))

        assert [(one.kind, one.before) for one in here.found] == [
            (one.kind, one.before) for one in there.found
        ]
        assert (here.assessed, here.why_not) == (there.assessed, there.why_not)

    @law
    @given(st.lists(st.none() | st.integers(0, 27), max_size=15))
    def test_every_step_is_counted_once(self, totals: list[int | None]) -> None:
        told = sudden_changes(PHQ_9, *weekly(*totals))

        assert told.assessed + told.not_assessable == max(0, len(totals) - 1)
        assert len(told.found) <= told.assessed
        for one in told.found:
            assert abs(one.points) >= 6

    @law
    @given(
        st.lists(
            st.tuples(st.integers(0, 30), st.none() | st.integers(0, 27)), min_size=2, max_size=12
        )
    )
    def test_a_step_is_judged_by_near_scores_alone(
        self, steps: list[tuple[int, int | None]]
    ) -> None:
        days = [sum(step for step, _ in steps[: n + 1]) for n in range(len(steps))]
        totals = [total for _, total in steps]

        told = sudden_changes(PHQ_9, [day * DAY for day in days], totals)

        def side(places: list[int]) -> int:
            there = [n for n in places if 0 <= n < len(totals) and totals[n] is not None]
            near = [abs(days[a] - days[b]) <= 15 for a, b in pairwise(there)]
            return 1 + (near.index(False) if False in near else len(near)) if there else 0

        judged = [
            n
            for n in range(len(totals) - 1)
            if totals[n] is not None
            and totals[n + 1] is not None
            and days[n + 1] - days[n] <= 15
            and side([n, n - 1, n - 2]) >= 2
            and side([n + 1, n + 2, n + 3]) >= 2
        ]
        assert told.assessed == len(judged)
        assert {one.before for one in told.found} <= set(judged)


def test_there_is_no_quantile_without_a_degree_of_freedom() -> None:
    with pytest.raises(ValueError, match="degree"):
        student_t_95(0)
    assert student_t_95(31) == student_t_95(30) == 2.042
