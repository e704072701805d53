"""Where an answer stands relative to the doses, and what it is compared with."""

from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clinical.change import ResponseCourse
from app.clinical.instruments import find
from app.clinical.trajectory import (
    WINDOWS,
    Baseline,
    Position,
    baseline,
    follow,
    position,
    positions,
)
from tests.clinical.series import DAY, DOSE, HOUR, SECOND, dose_instants, law, series

years = st.lists(
    st.tuples(st.integers(0, 400).map(lambda day: day * DAY), st.none() | st.integers(0, 27)),
    max_size=12,
).map(lambda points: sorted(points, key=lambda point: point[0]))
PHQ_9 = find("phq-9")
instants = st.lists(st.integers(0, 60 * DAY), max_size=30).map(sorted)


def naive_position(at: int, doses: list[int]) -> Position:
    given_so_far = [dose for dose in doses if dose <= at]
    if not given_so_far:
        return Position(0, None, "baseline")
    since = at - given_so_far[-1]
    hours = Decimal(since) / Decimal(HOUR)
    (window,) = [
        window.code
        for window in WINDOWS
        if window.from_hours is not None
        and window.from_hours <= hours
        and (window.until_hours is None or hours < window.until_hours)
    ]
    return Position(
        len(given_so_far), float(hours.quantize(Decimal("0.01"), ROUND_HALF_UP)), window
    )


class TestPosition:
    def test_before_any_dose_there_is_no_clock(self) -> None:
        assert position(DOSE - 1, [DOSE]) == Position(0, None, "baseline")
        assert position(DOSE, []) == Position(0, None, "baseline")

    def test_the_instant_of_a_dose_belongs_to_that_dose(self) -> None:
        assert position(DOSE, [DOSE]) == Position(1, 0.0, "0-4h")
        assert position(DOSE + DAY, [DOSE, DOSE + DAY]) == Position(2, 0.0, "0-4h")

    @pytest.mark.parametrize(
        ("since", "hours", "window"),
        [
            (4 * HOUR - 1, 4.0, "0-4h"),
            (4 * HOUR, 4.0, "4-24h"),
            (4 * HOUR + 1, 4.0, "4-24h"),
            (24 * HOUR - 1, 24.0, "4-24h"),
            (24 * HOUR, 24.0, "1-7d"),
            (24 * HOUR + 36 * SECOND, 24.01, "1-7d"),
            (7 * DAY - 1, 168.0, "1-7d"),
            (7 * DAY, 168.0, "later"),
            (7 * DAY + 1, 168.0, "later"),
            (400 * DAY, 9600.0, "later"),
        ],
    )
    def test_a_window_starts_exactly_at_its_bound(
        self, since: int, hours: float, window: str
    ) -> None:
        assert position(DOSE + since, [DOSE]) == Position(1, hours, window)

    @pytest.mark.parametrize(
        ("seconds", "hours"), [(17, 0.0), (18, 0.01), (36, 0.01), (5_400, 1.5), (6_017, 1.67)]
    )
    def test_hours_are_rounded_to_two_decimals(self, seconds: int, hours: float) -> None:
        assert position(DOSE + seconds * SECOND, [DOSE]).hours_since_dose == hours

    def test_the_windows_leave_no_gap(self) -> None:
        assert [window.code for window in WINDOWS] == ["baseline", "0-4h", "4-24h", "1-7d", "later"]
        for earlier, next_one in pairwise(WINDOWS):
            assert earlier.until_hours == next_one.from_hours

    def test_two_doses_at_one_instant_are_two_doses(self) -> None:
        assert position(DOSE, [DOSE, DOSE]).dose_number == 2

    def test_no_instants_give_empty_columns(self) -> None:
        columns = positions([], [DOSE])

        assert (columns.dose_number, columns.hours_since_dose, columns.window) == ([], [], [])

    @law
    @given(instants, dose_instants)
    def test_one_pass_agrees_with_looking_at_every_dose(
        self, at: list[int], doses: list[int]
    ) -> None:
        columns = positions(at, doses)

        expected = [naive_position(instant, doses) for instant in at]
        assert columns.dose_number == [p.dose_number for p in expected]
        assert columns.hours_since_dose == [p.hours_since_dose for p in expected]
        assert columns.window == [p.window for p in expected]
        assert [position(instant, doses) for instant in at] == expected

    @law
    @given(instants, dose_instants)
    def test_the_number_of_the_dose_never_goes_back(self, at: list[int], doses: list[int]) -> None:
        numbers = positions(at, doses).dose_number

        assert numbers == sorted(numbers)


class TestBaseline:
    def test_it_is_the_last_complete_score_before_the_first_dose(self) -> None:
        at = [DOSE - 10 * DAY, DOSE - 3 * DAY, DOSE - DAY, DOSE + DAY]

        found = baseline(at, [20, 18, None, 9], [DOSE])

        assert found == Baseline(1, 18, "before-first-dose", False)

    def test_a_score_at_the_instant_of_the_dose_is_too_late(self) -> None:
        assert baseline([DOSE - 1, DOSE], [18, 9], [DOSE]) == Baseline(
            0, 18, "before-first-dose", False
        )
        assert baseline([DOSE], [9], [DOSE]) == Baseline(0, 9, "first-complete", True, False)

    @pytest.mark.parametrize(
        ("days_and_a_bit", "rule"),
        [
            (14 * DAY - 1, "before-first-dose"),
            (14 * DAY, "before-first-dose"),
            (14 * DAY + 1, "earlier-before-first-dose"),
            (90 * DAY, "earlier-before-first-dose"),
        ],
    )
    def test_from_more_than_two_weeks_before_the_first_dose_it_is_provisional(
        self, days_and_a_bit: int, rule: str
    ) -> None:
        found = baseline([DOSE - days_and_a_bit], [15], [DOSE])

        assert found is not None
        assert (found.rule, found.provisional) == (rule, rule != "before-first-dose")

    def test_without_one_the_last_before_the_dose_is_used_and_never_the_oldest_ever(self) -> None:
        at = [DOSE - 3653 * DAY, DOSE - 15 * DAY, DOSE + 7 * DAY]

        told = follow(PHQ_9, at, [25, 12, 12], [DOSE])

        assert told.baseline == Baseline(1, 12, "earlier-before-first-dose", True)
        assert told.latest is not None
        assert (told.latest.percent_change, told.latest.response) == (0.0, False)

    def test_what_is_older_than_a_quarter_of_a_year_is_no_baseline(self) -> None:
        at = [DOSE - 90 * DAY - 1, DOSE + DAY, DOSE + 8 * DAY]

        assert baseline(at, [25, None, None], [DOSE]) is None
        assert baseline(at, [25, 12, 6], [DOSE]) == Baseline(1, 12, "first-complete", True, False)

    def test_from_a_score_after_the_first_dose_nothing_is_called_a_response(self) -> None:
        at = [DOSE + DAY, DOSE + 8 * DAY]

        told = follow(PHQ_9, at, [20, 4], [DOSE])

        assert told.change == [0, -16]
        assert told.response == ResponseCourse("not-defined")
        assert told.latest is not None
        assert told.latest.reliable is True
        assert {
            told.latest.response,
            told.latest.partial_response,
            told.latest.remission,
            told.latest.reliable_recovery,
        } == {None}

    def test_a_clinician_may_choose_one_after_the_first_dose_and_it_is_judged_from(self) -> None:
        told = follow(PHQ_9, [DOSE + DAY, DOSE + 8 * DAY], [20, 4], [DOSE], pinned=0)

        assert told.latest is not None
        assert told.latest.response is True

    def test_before_any_dose_it_is_provisional(self) -> None:
        assert baseline([DOSE, DOSE + DAY], [12, 6], []) == Baseline(0, 12, "first-complete", True)

    def test_before_any_dose_it_does_not_reach_back_across_years(self) -> None:
        at = [DOSE, DOSE + 3653 * DAY, DOSE + 3663 * DAY, DOSE + 3743 * DAY]

        assert baseline(at, [25, 12, None, 11], []) == Baseline(1, 12, "first-complete", True)

    def test_a_clinicians_choice_wins(self) -> None:
        at = [DOSE - DAY, DOSE + DAY]

        assert baseline(at, [18, 9], [DOSE], pinned=1) == Baseline(1, 9, "pinned", False)
        assert baseline(at, [0, 9], [DOSE], pinned=0) == Baseline(0, 0, "pinned", False)

    @pytest.mark.parametrize("pinned", [1, 2, -1, -2])
    def test_a_choice_that_points_at_no_complete_score_does_not_count(self, pinned: int) -> None:
        at = [DOSE - DAY, DOSE + DAY]

        assert baseline(at, [18, None], [DOSE], pinned) == Baseline(
            0, 18, "before-first-dose", False
        )

    def test_without_a_complete_score_there_is_none(self) -> None:
        assert baseline([], [], [DOSE]) is None
        assert baseline([DOSE], [None], [DOSE]) is None

    def test_columns_of_different_length_are_refused(self) -> None:
        with pytest.raises(ValueError, match="one total for each instant"):
            baseline([DOSE], [1, 2], [])

    @law
    @given(series | years, dose_instants, st.none() | st.integers(-3, 33))
    def test_its_laws(
        self, points: list[tuple[int, int | None]], doses: list[int], pinned: int | None
    ) -> None:
        at, totals = [a for a, _ in points], [t for _, t in points]
        complete = [index for index, total in enumerate(totals) if total is not None]

        found = baseline(at, totals, doses, pinned)

        if found is None:
            assert pinned not in complete
            assert all(doses and at[i] < doses[0] - 90 * DAY for i in complete)
            return
        assert found.total == totals[found.index]
        assert found.provisional is (found.rule not in ("pinned", "before-first-dose"))
        before = [i for i in complete if doses and at[i] < doses[0]]
        if pinned in complete:
            assert (found.index, found.rule) == (pinned, "pinned")
        elif before and doses[0] - at[before[-1]] <= 90 * DAY:
            is_near = doses[0] - at[before[-1]] <= 14 * DAY
            assert found.index == before[-1]
            assert found.rule == ("before-first-dose" if is_near else "earlier-before-first-dose")
        elif doses:
            assert found.index == next(i for i in complete if at[i] >= doses[0])
            assert (found.rule, found.is_judged) == ("first-complete", False)
        else:
            assert (found.rule, found.is_judged) == ("first-complete", True)
            own = [at[i] for i in complete if i >= found.index]
            assert all(later - one <= 90 * DAY for one, later in pairwise(own))
            assert all(own[0] - at[i] > 90 * DAY for i in complete if i < found.index)
