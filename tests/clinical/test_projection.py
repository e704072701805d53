"""The straight line back to the baseline, and when it is not drawn."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.instruments import Direction, Scale, find
from app.clinical.projection import Projection, project

law = settings(deadline=None)
DAY = 86_400_000_000
_total = find("phq-9").total
assert _total is not None
PHQ_9: Scale = _total


def projected(
    *points: tuple[float, int | None], start: float | None = 20,
    now_days: float | None = None, scale: Scale = PHQ_9,
) -> Projection:  # fmt: skip
    """(day after the dose, score), as told on the day of the last, unless on another."""
    now_days = max((day for day, _ in points), default=0) if now_days is None else now_days
    at = [round(day * DAY) for day, _ in points]
    scores = [score for _, score in points]
    return project(scale, at, scores, [0], start, round(now_days * DAY))


WEEKLY = ((7, 2), (14, 4), (21, 8), (28, 10), (35, 12), (42, 16))


class TestLine:
    def test_it_crosses_where_least_squares_does(self) -> None:
        """By hand: 23.3 days in the middle of 24.5, slope 0.392, 8.667 in the mean."""
        found = projected(*WEEKLY)

        days, scores = [day for day, _ in WEEKLY], [score for _, score in WEEKLY]
        mean_day, mean = sum(days) / 6, sum(scores) / 6
        slope = sum((day - mean_day) * (score - mean) for day, score in WEEKLY) / sum(
            (day - mean_day) ** 2 for day in days
        )
        assert found.at is not None
        assert math.isclose(found.at / DAY, mean_day + (20 - mean) / slope, abs_tol=1e-6)
        assert found.scores == 6

    def test_it_is_inside_its_interval(self) -> None:
        found = projected(*WEEKLY)

        assert found.at is not None
        assert found.low is not None
        assert found.low < found.at
        assert found.high is None or found.at < found.high

    def test_an_end_that_is_too_far_ahead_is_not_told(self) -> None:
        # The scale's own error is wide beside six scores.
        assert projected(*WEEKLY).high is None

    def test_without_a_reliable_change_the_error_is_that_of_rounding(self) -> None:
        exact = replace(PHQ_9, reliable_change=None)

        narrow, wide = projected(*WEEKLY, scale=exact), projected(*WEEKLY)

        assert narrow.at == wide.at
        assert narrow.low is not None
        assert wide.low is not None
        assert narrow.low > wide.low
        assert narrow.high is not None

    def test_many_scores_tell_both_ends(self) -> None:
        found = projected(*((day, day // 3) for day in range(1, 57)))

        assert found.at is not None
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.at < found.high

    @law
    @given(st.lists(st.integers(0, 19), min_size=4, max_size=10))
    def test_a_scale_and_its_mirror_image_agree(self, scores: list[int]) -> None:
        points = [(7.0 * week, score) for week, score in enumerate(scores, 1)]
        mirror = replace(PHQ_9, direction=Direction.HIGHER_IS_BETTER)

        here = projected(*points)
        there = projected(*((day, 27 - score) for day, score in points), start=7, scale=mirror)

        assert here == there
        assert (here.at is None) == (here.why_not is not None)


class TestNotDrawn:
    @pytest.mark.parametrize(
        ("points", "why"),
        [
            ([], "no-dose"),
            ([(7, None)], "too-few-scores"),
            ([(7, 5)], "too-few-scores"),
            ([(7, 20), (14, 21)], "no-gain"),
            ([(7, 5), (14, 10), (21, 15), (28, 20)], "already-back"),
            ([(1, 5), (2, 6), (3, 7), (4, 8)], "too-short"),
            ([(7, 5), (14, 5), (21, 5), (28, 6), (35, 5), (42, 6)], "too-few-scores"),
            ([(7, 4), (14, 5), (21, 5), (28, 6), (35, 5), (42, 6)], "not-worsening"),
            ([(1 + 5 * step, 1 + step // 6) for step in range(12)], "not-worsening"),
        ],
    )
    def test_it_says_why(self, points: list[tuple[float, int | None]], why: str) -> None:
        found = projected(*points)

        assert (found.why_not, found.at, found.low, found.high) == (why, None, None, None)

    def test_it_reaches_no_further_ahead_than_back(self) -> None:
        slow = [(day, 1 + day // 8) for day in range(1, 61)]

        assert projected(*slow).why_not == "too-far-ahead"

    def test_a_return_in_the_past_is_not_projected(self) -> None:
        """The first line is back on day 21.6, before its last score; the second on day 53.4."""
        told = projected((1, 2), (6, 7), (11, 13), (13, 15), (16, 18), (24, 19))

        assert (told.why_not, told.at, told.low, told.high) == ("already-past", None, None, None)
        assert told.scores == 6
        assert projected(*WEEKLY, now_days=53).at is not None
        assert projected(*WEEKLY, now_days=54).why_not == "already-past"

    @law
    @given(st.lists(st.integers(0, 19), min_size=4, max_size=10), st.integers(0, 30))
    def test_what_is_projected_is_ahead(self, scores: list[int], later: int) -> None:
        points = [(7.0 * week, score) for week, score in enumerate(scores, 1)]
        now = 7 * len(scores) + later

        told = projected(*points, now_days=now)

        assert told.at is None or told.at > now * DAY

    def test_ten_years_of_silence_are_not_extrapolated(self) -> None:
        assert projected(*WEEKLY, now_days=3653).why_not == "too-long-ago"
        assert projected(*WEEKLY, now_days=53).at is not None

    def test_without_a_baseline_or_a_better_end_there_is_nothing_to_return_to(self) -> None:
        assert projected(*WEEKLY, start=None).why_not == "no-baseline"
        assert projected(*WEEKLY, scale=replace(PHQ_9, direction=None)).why_not == "no-direction"

    def test_only_what_came_after_the_last_dose_that_was_answered_counts(self) -> None:
        at = [day * DAY for day, _ in WEEKLY]
        scores = [score for _, score in WEEKLY]

        assert project(PHQ_9, at, scores, [0, 30 * DAY], 20, 51 * DAY).why_not == "too-few-scores"
        assert project(PHQ_9, at, scores, [0, 50 * DAY], 20, 51 * DAY).at is not None
        assert project(PHQ_9, at, scores, [50 * DAY], 20, 51 * DAY).why_not == "no-dose"
