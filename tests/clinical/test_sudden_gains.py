"""Sudden gains and losses: published examples, and what holds for every series."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.instruments import Direction, Scale, find
from app.clinical.quantiles import student_t_95
from app.clinical.sudden_gains import judge, sudden_changes

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


def test_there_is_no_quantile_without_a_degree_of_freedom() -> None:
    with pytest.raises(ValueError, match="degree"):
        student_t_95(0)
    assert student_t_95(31) == student_t_95(30) == 2.042
