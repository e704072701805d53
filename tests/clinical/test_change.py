"""Response, what is less than it, and its loss."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.change import (
    ResponseCourse,
    read,
    response_course,
    yardstick,
)
from app.clinical.instruments import Direction, Scale, find

law = settings(deadline=None)
DAY = 86_400_000_000


def scale_of(key: str) -> Scale:
    total = find(key).total
    assert total is not None
    return total


PHQ_9 = scale_of("phq-9")
GAD_7 = scale_of("gad-7")


def course(*points: tuple[float, int | None], start: int = 20) -> ResponseCourse:
    """(day after the dose, score), after a baseline the day before it."""
    at = [-DAY, *(round(day * DAY) for day, _ in points)]
    totals = [start, *(total for _, total in points)]
    return response_course(yardstick(PHQ_9, start), at, totals, [0], 0)


class TestReading:
    @pytest.mark.parametrize(
        ("total", "response", "partial"),
        [(16, False, False), (15, False, True), (11, False, True), (10, True, False)],
    )
    def test_a_partial_response_is_a_quarter_and_less_than_a_half(
        self, total: int, response: bool, partial: bool
    ) -> None:
        reading = read(yardstick(PHQ_9, 20), total, is_later=True)

        assert (reading.response, reading.partial) == (response, partial)

    @pytest.mark.parametrize(
        ("start", "total", "recovered"),
        [(20, 9, True), (20, 10, False), (14, 9, False), (15, 9, True), (9, 0, None)],
    )
    def test_a_reliable_recovery_crosses_caseness(
        self, start: int, total: int, recovered: bool | None
    ) -> None:
        assert read(yardstick(PHQ_9, start), total, is_later=True).recovered is recovered

    def test_the_gad_7_has_a_recovery_and_no_response(self) -> None:
        reading = read(yardstick(GAD_7, 12), 7, is_later=True)

        assert (reading.recovered, reading.reliable) == (True, True)
        assert (reading.response, reading.partial, reading.remission) == (None, None, None)

    def test_the_baseline_itself_achieved_nothing(self) -> None:
        reading = read(yardstick(PHQ_9, 20), 20, is_later=False)

        assert reading.reliable is False
        assert {reading.response, reading.partial, reading.remission, reading.recovered} == {None}

    @pytest.mark.parametrize("start", [0, 9])
    def test_from_too_mild_a_baseline_there_is_no_response(self, start: int) -> None:
        reading = read(yardstick(PHQ_9, start), 0, is_later=True)

        assert (reading.response, reading.partial, reading.remission) == (None, None, None)

    def test_where_more_is_better_a_response_is_a_rise(self) -> None:
        wellbeing = replace(scale_of("who-5"), response_percent=PHQ_9.response_percent)

        by = yardstick(wellbeing, 40)

        assert [read(by, total, is_later=True).response for total in (20, 59, 60)] == [
            False, False, True,
        ]  # fmt: skip

    def test_a_scale_without_a_better_end_has_no_response(self) -> None:
        assert yardstick(replace(PHQ_9, direction=None), 20).response is None

    @law
    @given(st.integers(10, 27), st.integers(0, 27))
    def test_a_half_is_exactly_a_half(self, start: int, total: int) -> None:
        reading = read(yardstick(PHQ_9, start), total, is_later=True)

        assert reading.response is (2 * (start - total) >= start)
        assert reading.partial is (start <= 4 * (start - total) < 2 * start)
        assert not (reading.remission and not reading.response)

    @law
    @given(st.integers(1, 30), st.integers(0, 30))
    def test_thirds_are_compared_as_the_fractions_they_are(self, start: int, total: int) -> None:
        peg = replace(scale_of("peg"), response_percent=PHQ_9.response_percent, eligible_from=None)

        reading = read(yardstick(peg, start / 3), total / 3, is_later=True)

        assert reading.response is (2 * (start - total) >= start)


class TestCourse:
    def test_the_first_score_after_the_dose_that_responds_is_the_response(self) -> None:
        assert course((7, 15), (14, 10), (21, 8)) == ResponseCourse("responding", 2)

    def test_what_came_before_the_dose_is_no_response_to_it(self) -> None:
        assert course((-0.5, 5), (7, 15)).state == "never"

    def test_two_assessments_in_a_row_lose_it(self) -> None:
        told = course((7, 8), (14, 11), (21, 12))

        assert told == ResponseCourse("lost", 1, 3, "two-assessments")

    @pytest.mark.parametrize(
        ("between", "state"),
        [(4.9, "unconfirmed"), (5, "lost"), (30, "lost"), (30.1, "unconfirmed")],
    )
    def test_they_are_5_days_apart_or_more_and_no_long_pause_lies_between(
        self, between: float, state: str
    ) -> None:
        assert course((7, 8), (14, 11), (14 + between, 11)).state == state

    def test_one_in_between_takes_nothing_away(self) -> None:
        assert course((7, 8), (14, 11), (17, 11), (20, 11)).lost_rule == "two-assessments"

    @pytest.mark.parametrize("every", [1, 3, 4, 7, 14, 20, 28])
    def test_how_often_somebody_is_asked_does_not_decide_whether_it_is_lost(
        self, every: int
    ) -> None:
        days = range(10, 71, every)

        told = course((7, 8), *((day, 12) for day in days))

        assert (told.state, told.lost_rule) == ("lost", "two-assessments")
        assert told.lost is not None
        assert list(days)[told.lost - 2] == next(day for day in days if day >= 15)

    def test_one_that_responds_begins_anew(self) -> None:
        told = course((7, 8), (14, 11), (21, 10), (28, 11))

        assert told == ResponseCourse("unconfirmed", 1, unconfirmed=4)

    def test_what_is_unconfirmed_is_told_since_when(self) -> None:
        told = course((7, 8), (14, 11), (60, 11), (100, 11))

        assert told == ResponseCourse("unconfirmed", 1, unconfirmed=2)

    def test_a_reliable_rise_into_caseness_loses_it_at_once(self) -> None:
        assert course((7, 6), (14, 12)) == ResponseCourse("lost", 1, 2, "rise-from-best")
        assert course((7, 7), (14, 12)).state == "unconfirmed"

    def test_a_rise_into_caseness_loses_a_response_that_is_still_one(self) -> None:
        told = course((7, 3), (14, 12), (21, 12), (28, 12), start=24)

        assert told == ResponseCourse("lost", 1, 2, "rise-from-best")

    def test_such_a_loss_ends_with_a_response_that_is_no_such_rise(self) -> None:
        assert course((7, 3), (14, 12), (21, 11), start=24).state == "lost"
        assert course((7, 3), (14, 12), (21, 9), start=24).state == "responding"
        assert course((7, 5), (14, 12), (21, 10), start=24).state == "responding"

    def test_an_incomplete_score_is_no_assessment(self) -> None:
        assert course((7, 8), (14, None), (21, 11)).state == "unconfirmed"

    def test_it_can_come_back_and_the_first_loss_stays(self) -> None:
        told = course((7, 4), (14, 12), (21, 12), (28, 5), (35, 9))

        assert told == ResponseCourse("responding", 1, 2, "rise-from-best")

    def test_after_a_loss_the_best_is_counted_anew(self) -> None:
        assert course((7, 2), (14, 12), (21, 9), (28, 12)).state == "unconfirmed"

    def test_without_a_dose_there_is_nothing_to_respond_to(self) -> None:
        by = yardstick(PHQ_9, 20)

        assert response_course(by, [0, DAY], [20, 5], [], 0).state == "no-dose"

    def test_a_dose_in_the_future_has_no_response_yet(self) -> None:
        by = yardstick(PHQ_9, 20)

        assert response_course(by, [0, DAY], [20, 5], [9 * DAY], 0).state == "never"

    def test_where_it_is_not_defined_nothing_is_said(self) -> None:
        assert course((7, 0), start=9) == ResponseCourse("not-defined")

    @law
    @given(st.lists(st.integers(0, 27), max_size=12))
    def test_a_loss_comes_after_a_response(self, totals: list[int]) -> None:
        told = course(*((7 * week, total) for week, total in enumerate(totals, 1)))

        responding = [index for index, total in enumerate(totals, 1) if total <= 10]
        assert told.first == (responding[0] if responding else None)
        assert (told.lost is None) == (told.lost_rule is None)
        if told.lost is not None:
            assert told.first is not None
            assert told.first < told.lost
            assert totals[told.lost - 1] >= 10
        assert (told.unconfirmed is None) == (told.state != "unconfirmed")
        if totals and totals[-1] > 10:
            assert told.state != "responding"

    @law
    @given(
        st.lists(st.tuples(st.integers(1, 40), st.none() | st.integers(0, 27)), max_size=12),
        st.integers(10, 27),
    )
    def test_it_is_lost_when_the_definition_says_so(
        self, steps: list[tuple[int, int | None]], start: int
    ) -> None:
        days = [sum(step for step, _ in steps[: n + 1]) for n in range(len(steps))]
        points = [(day, total) for day, (_, total) in zip(days, steps, strict=True)]
        complete = [(day, total) for day, total in points if total is not None]

        told = course(*points, start=start)

        responses = [n for n, (_, total) in enumerate(complete) if 2 * total <= start]
        lost = None
        for n in range(responses[0] + 1 if responses else len(complete), len(complete)):
            day, total = complete[n]
            best = min(one for _, one in complete[responses[0] : n])
            # Back from here without a response, and without a pause of more than 30 days.
            row = n
            while (
                2 * complete[row - 1][1] > start and complete[row][0] - complete[row - 1][0] <= 30
            ):
                row -= 1
            if (total - best >= 6 and total >= 10) or (
                2 * total > start and day - complete[row][0] >= 5
            ):
                lost = day
                break
        assert (None if told.lost is None else days[told.lost - 1]) == lost


def test_a_scale_may_be_mirrored() -> None:
    mirror = replace(PHQ_9, direction=Direction.HIGHER_IS_BETTER, eligible_from=None)

    assert yardstick(mirror, 10).responds(15)
    assert not yardstick(mirror, 10).responds(14)
