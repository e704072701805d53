"""Dose-anchored time, the baseline, and what counts as change."""

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical import instruments
from app.clinical.change import ResponseCourse, reliable_change
from app.clinical.instruments import Direction, Instrument, SuicideItem, find, parse
from app.clinical.trajectory import (
    WINDOWS,
    Baseline,
    Outcome,
    Position,
    Trajectory,
    baseline,
    follow,
    ideation,
    part_of,
    position,
    positions,
)

law = settings(deadline=None)

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
DOSE = 1_700_000_000 * SECOND

PHQ_9 = find("phq-9")
GAD_7 = find("gad-7")
MOMENTARY = find("momentary")

instants = st.lists(st.integers(0, 60 * DAY), max_size=30).map(sorted)
dose_instants = st.lists(st.integers(0, 60 * DAY), max_size=8).map(sorted)
scores = st.none() | st.integers(0, 27)
series = st.lists(st.tuples(st.integers(0, 60 * DAY), scores), max_size=30).map(
    lambda points: sorted(points, key=lambda point: point[0])
)
years = st.lists(
    st.tuples(st.integers(0, 400).map(lambda day: day * DAY), scores), max_size=12
).map(lambda points: sorted(points, key=lambda point: point[0]))


def weekly(*totals: int | None) -> tuple[list[int], list[int | None]]:
    """One score a week, the first a day before the dose."""
    return [DOSE - DAY + 7 * DAY * week for week in range(len(totals))], list(totals)


def followed(*totals: int | None, of: Instrument = PHQ_9) -> Trajectory:
    at, column = weekly(*totals)
    return follow(of, at, column, [DOSE])


def latest(*totals: int | None, of: Instrument = PHQ_9) -> Outcome:
    outcome = followed(*totals, of=of).latest
    assert outcome is not None
    return outcome


def higher_is_better() -> Instrument:
    """A questionnaire of one 0-10 item whose total is better when it is higher."""
    return parse(
        """
        key = "well"
        version = "1"
        title = "Well"
        lead_in = "This week:"
        direction = "higher-is-better"
        missing = "every-item-required"
        languages = ["en"]
        licence = "Free"
        notice = "None"
        source = "Nobody"
        convention = true
        [recall]
        text = "This week"
        days = 7
        minimum_days_from_dose = 7
        source = "Nobody"
        convention = true
        [[items]]
        key = "well"
        text = "Well?"
        scale = { low = 0, high = 10, low_label = "No", high_label = "Yes" }
        [total]
        [total.response_percent]
        value = 50
        source = "Nobody"
        convention = true
        [total.reliable_change]
        value = 2
        source = "Nobody"
        convention = true
        """,
        "well.toml",
    )


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


def find_suicide_item() -> SuicideItem:
    item = find("phq-9").suicide_item
    assert item is not None
    return item


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


class TestFollow:
    def test_change_is_counted_from_the_baseline_and_gaps_stay_gaps(self) -> None:
        trajectory = followed(20, 15, None, 8, 22)

        assert trajectory.baseline == Baseline(0, 20, "before-first-dose", False)
        assert trajectory.change == [0, -5, None, -12, 2]
        assert trajectory.percent_change == [0.0, -25.0, None, -60.0, 10.0]
        assert trajectory.positions.window == ["baseline", "1-7d", "later", "later", "later"]

    def test_scores_before_the_baseline_are_compared_with_it_too(self) -> None:
        at = [DOSE - 20 * DAY, DOSE - DAY]

        assert follow(PHQ_9, at, [24, 20], [DOSE]).change == [4, 0]

    @pytest.mark.parametrize(
        ("before", "after", "percent"),
        [(3, 2, -33.3), (3, 4, 33.3), (3, 1, -66.7), (16, 15, -6.3), (16, 17, 6.3), (27, 27, 0.0)],
    )
    def test_per_cent_has_one_decimal_rounded_away_from_zero(
        self, before: int, after: int, percent: float
    ) -> None:
        assert followed(before, after).percent_change == [0.0, percent]

    def test_from_a_baseline_of_zero_there_is_no_per_cent(self) -> None:
        trajectory = followed(0, 6)

        assert trajectory.change == [0, 6]
        assert trajectory.percent_change == [None, None]
        assert trajectory.latest is not None
        assert trajectory.latest.percent_change is None
        assert trajectory.latest.direction == "worse"
        assert trajectory.latest.response is None

    def test_without_a_complete_score_nothing_is_said(self) -> None:
        trajectory = followed(None, None)

        assert trajectory.baseline is None
        assert trajectory.latest is None
        assert trajectory.change == trajectory.percent_change == [None, None]
        assert len(trajectory.positions.window) == 2

    def test_nothing_at_all_is_an_empty_trajectory(self) -> None:
        trajectory = follow(PHQ_9, [], [], [DOSE])

        assert trajectory.change == trajectory.percent_change == []
        assert trajectory.latest is None

    def test_the_latest_is_the_last_complete_score(self) -> None:
        outcome = latest(20, 12, None)

        assert outcome == Outcome(
            index=1,
            total=12,
            band="moderate",
            change=-8,
            percent_change=-40.0,
            direction="improved",
            reliable=True,
            response=False,
            partial_response=True,
            remission=False,
            reliable_recovery=False,
            doses_in_recall_window=1,
        )

    @pytest.mark.parametrize(
        ("after", "direction", "reliable"),
        [
            (13, "improved", True),
            (14, "improved", True),
            (15, "improved", False),
            (19, "improved", False),
            (20, "unchanged", False),
            (21, "worse", False),
            (25, "worse", False),
            (26, "worse", True),
            (27, "worse", True),
        ],
    )
    def test_a_phq_9_change_is_reliable_from_six_points_either_way(
        self, after: int, direction: str, reliable: bool
    ) -> None:
        outcome = latest(20, after)

        assert outcome.direction == direction
        assert outcome.reliable is reliable

    @pytest.mark.parametrize(
        ("after", "reliable"), [(7, True), (8, True), (9, False), (15, False), (16, True)]
    )
    def test_a_gad_7_change_is_reliable_from_four_points(self, after: int, reliable: bool) -> None:
        assert latest(12, after, of=GAD_7).reliable is reliable

    @pytest.mark.parametrize(
        ("before", "after", "response"),
        [(20, 9, True), (20, 10, True), (20, 11, False), (11, 6, False), (11, 5, True)],
    )
    def test_a_response_is_a_fall_of_at_least_half(
        self, before: int, after: int, response: bool
    ) -> None:
        assert latest(before, after).response is response

    @pytest.mark.parametrize(("after", "remission"), [(4, True), (5, False), (6, False), (0, True)])
    def test_remission_is_a_score_below_five(self, after: int, remission: bool) -> None:
        assert latest(20, after).remission is remission

    @pytest.mark.parametrize(("before", "defined"), [(9, False), (10, True), (11, True)])
    def test_response_and_remission_need_a_baseline_of_at_least_ten(
        self, before: int, defined: bool
    ) -> None:
        outcome = latest(before, 2)

        assert (outcome.response is not None) is defined
        assert (outcome.remission is not None) is defined
        assert outcome.direction == "improved"

    def test_the_baseline_itself_is_no_outcome(self) -> None:
        outcome = latest(20)

        assert outcome.change == 0
        assert outcome.percent_change == 0.0
        assert outcome.direction == "unchanged"
        assert outcome.reliable is False
        assert outcome.response is None
        assert outcome.remission is None

    def test_a_gad_7_has_no_response_because_no_rule_is_established(self) -> None:
        outcome = latest(20, 2, of=GAD_7)

        assert outcome.band == "minimal"
        assert outcome.reliable is True
        assert outcome.response is None
        assert outcome.remission is None

    @pytest.mark.parametrize(
        ("after", "direction", "response", "reliable"),
        [
            (7, "improved", True, True),
            (6, "improved", True, True),
            (5, "improved", False, False),
            (4, "unchanged", False, False),
            (2, "worse", False, True),
        ],
    )
    def test_where_higher_is_better_a_rise_is_the_improvement(
        self, after: int, direction: str, response: bool, reliable: bool
    ) -> None:
        outcome = latest(4, after, of=higher_is_better())

        assert outcome.direction == direction
        assert outcome.response is response
        assert outcome.reliable is reliable
        assert outcome.remission is None
        assert outcome.band is None

    def test_where_higher_is_better_a_baseline_of_zero_has_no_response(self) -> None:
        assert latest(0, 9, of=higher_is_better()).response is None

    def test_a_momentary_scale_is_followed_by_its_own_direction(self) -> None:
        at, values = weekly(3, 6)

        mood = follow(MOMENTARY.item("mood"), at, values, [DOSE]).latest
        pain = follow(MOMENTARY.item("pain"), at, values, [DOSE]).latest

        assert mood is not None
        assert pain is not None
        assert (mood.direction, pain.direction) == ("improved", "worse")
        assert mood.change == pain.change == 3
        assert (mood.band, mood.reliable, mood.response, mood.remission) == (None,) * 4

    @pytest.mark.parametrize(
        ("shown", "index"),
        [
            (slice(None), 4),
            (slice(2, 5), 4),
            (slice(0, 4), 3),
            (slice(0, 3), 1),
            (slice(1, 2), 1),
            (slice(2, 3), None),
            (slice(3, 3), None),
            (slice(5, 5), None),
        ],
    )
    def test_what_is_shown_decides_the_latest_and_nothing_else(
        self, shown: slice, index: int | None
    ) -> None:
        at, totals = weekly(20, 16, None, 14, 7)
        whole = follow(PHQ_9, at, totals, [DOSE])

        part = follow(PHQ_9, at, totals, [DOSE], shown=shown)

        assert (part.latest.index if part.latest else None) == index
        assert replace(part, latest=whole.latest) == whole

    def test_a_pinned_baseline_is_what_change_is_counted_from(self) -> None:
        at, totals = weekly(20, 16, 10)

        trajectory = follow(PHQ_9, at, totals, [DOSE], pinned=1)

        assert trajectory.baseline == Baseline(1, 16, "pinned", False)
        assert trajectory.change == [4, 0, -6]

    @pytest.mark.parametrize("days", [0, 1, 7, 13])
    def test_a_dose_within_the_last_two_weeks_is_in_the_recall_window(self, days: int) -> None:
        trajectory = follow(PHQ_9, [DOSE + days * DAY], [10], [DOSE])

        assert trajectory.latest is not None
        assert trajectory.latest.doses_in_recall_window == 1

    @pytest.mark.parametrize(("since", "doses"), [(14 * DAY - 1, 1), (14 * DAY, 0), (-1, 0)])
    def test_a_dose_is_in_the_recall_window_until_two_weeks_have_gone_by(
        self, since: int, doses: int
    ) -> None:
        trajectory = follow(PHQ_9, [DOSE + since], [10], [DOSE])

        assert trajectory.latest is not None
        assert trajectory.latest.doses_in_recall_window == doses

    def test_every_dose_in_the_recall_window_is_counted(self) -> None:
        doses = [DOSE, DOSE + 7 * DAY, DOSE + 10 * DAY, DOSE + 30 * DAY]

        trajectory = follow(PHQ_9, [DOSE + 15 * DAY], [10], doses)

        assert trajectory.latest is not None
        assert trajectory.latest.doses_in_recall_window == 2

    @pytest.mark.parametrize("since", [0, HOUR, DAY])
    def test_a_momentary_scale_looks_back_on_no_dose(self, since: int) -> None:
        trajectory = follow(MOMENTARY.item("mood"), [DOSE + since], [5], [DOSE])

        assert trajectory.latest is not None
        assert trajectory.latest.doses_in_recall_window == 0

    def test_items_that_stand_alone_have_no_total_to_follow(self) -> None:
        with pytest.raises(ValueError, match="momentary is not measured on a scale"):
            follow(MOMENTARY, [DOSE], [5], [])

    def test_an_item_answered_in_words_is_not_subtracted(self) -> None:
        with pytest.raises(ValueError, match="item-9 is not measured on a scale"):
            follow(PHQ_9.item("item-9"), [DOSE], [1], [])

    def test_columns_of_different_length_are_refused(self) -> None:
        with pytest.raises(ValueError, match="one total for each instant"):
            follow(PHQ_9, [DOSE], [], [])

    def test_every_number_says_where_it_comes_from_and_which_are_our_own(self) -> None:
        trajectory = followed(20, 10)

        told = "\n".join(trajectory.sources)
        for number in (
            "Bands: Kroenke",
            "Reliable change, 6 points or more: NHS Talking Therapies",
            "Response, 50 % better than the baseline: HEDIS",
            "Remission, fewer than 5 points: HEDIS",
            "only from a baseline of 10 points: HEDIS",
            "Caseness, 10 points or more: NHS Talking Therapies",
        ):
            assert number in told
        assert set(trajectory.conventions) < set(trajectory.sources)
        assert [
            label.split(",")[0].split(" (")[0].split(";")[0] for label in trajectory.conventions
        ] == [
            "Time since the last dose",
            "Baseline",
            "Partial response",
            "Loss of response",
            "Sudden gains and losses: the reliable change as the smallest size",
        ]

    def test_the_momentary_scales_say_that_they_are_our_own(self) -> None:
        trajectory = follow(MOMENTARY.item("mood"), [DOSE], [5], [])

        assert trajectory.conventions == trajectory.sources
        assert len(trajectory.sources) == 3

    def test_a_subscale_has_the_direction_of_its_questionnaire_and_no_rules(self) -> None:
        trajectory = follow(part_of(find("pcl-5"), "b"), [DOSE - DAY, DOSE + DAY], [10, 5], [DOSE])

        assert trajectory.latest is not None
        assert (trajectory.latest.direction, trajectory.latest.response) == ("improved", None)
        assert trajectory.sudden.why_not == "no-reliable-change"

    def test_a_score_of_which_neither_end_is_better_changes(self) -> None:
        trajectory = follow(part_of(find("meq-30"), "mystical"), [DOSE, DOSE + DAY], [10, 50], [])

        assert trajectory.latest is not None
        assert trajectory.latest.direction == "changed"

    @law
    @given(series, dose_instants)
    def test_its_columns_have_one_length_and_the_same_gaps(
        self, points: list[tuple[int, int | None]], doses: list[int]
    ) -> None:
        at, totals = [a for a, _ in points], [t for _, t in points]

        trajectory = follow(PHQ_9, at, totals, doses)

        gaps = [total is None for total in totals]
        assert [change is None for change in trajectory.change] == gaps
        assert len(trajectory.percent_change) == len(trajectory.positions.window) == len(at)
        assert (trajectory.latest is None) is all(gaps)

    @law
    @given(st.integers(1, 27), st.integers(0, 27))
    def test_per_cent_agrees_with_exact_arithmetic(self, before: int, after: int) -> None:
        exact = Decimal(after - before) * 100 / Decimal(before)

        assert followed(before, after).percent_change[1] == float(
            exact.quantize(Decimal("0.1"), ROUND_HALF_UP)
        )


class TestIdeation:
    def test_answers_are_shown_as_given_with_nothing_filled_in(self) -> None:
        at, answers = weekly(2, None, 0, 3)

        shown = ideation(find_suicide_item(), at, answers, [DOSE])

        assert shown.answers == [2, None, 0, 3]
        assert shown.positions == positions(at, [DOSE])
        assert {field for field in dir(shown) if not field.startswith("_")} == {
            "answers",
            "conventions",
            "positions",
            "sources",
        }

    def test_columns_of_different_length_are_refused(self) -> None:
        with pytest.raises(ValueError, match="one answer for each instant"):
            ideation(find_suicide_item(), [DOSE], [], [])


class TestReliableChange:
    # 1.96 * sqrt(2) * SD * sqrt(1 - r), in points, from published SD and reliability: the
    # PHQ-9 by internal consistency, by retest with two SDs, and from a standard error of
    # 2.5 points; the GAD-7 by internal consistency and by retest.
    @pytest.mark.parametrize(
        ("sd", "reliability", "points"),
        [
            (6.1, 0.89, 5.61),
            (6.1, 0.84, 6.76),
            (5.5, 0.84, 6.10),
            (2.5, 0.0, 6.93),
            (4.5, 0.92, 3.53),
            (4.7, 0.83, 5.37),
        ],
    )
    def test_the_published_reliabilities_give_the_published_points(
        self, sd: float, reliability: float, points: float
    ) -> None:
        assert 1.96 / reliable_change(0, 1, sd, reliability) == pytest.approx(points, abs=0.005)

    def test_a_fall_is_negative(self) -> None:
        assert reliable_change(20, 14, 6.1, 0.89) == -reliable_change(14, 20, 6.1, 0.89)
        assert reliable_change(20, 14, 6.1, 0.89) < -1.96

    @pytest.mark.parametrize(
        ("sd", "reliability"), [(0, 0.5), (-1, 0.5), (1, 1), (1, -0.1), (1, 1.1), (float("nan"), 0)]
    )
    def test_a_spread_or_reliability_out_of_range_is_refused(
        self, sd: float, reliability: float
    ) -> None:
        with pytest.raises(ValueError, match="sd must be above 0"):
            reliable_change(1, 2, sd, reliability)

    def test_the_shipped_values_lie_within_what_the_table_recommends(self) -> None:
        assert PHQ_9.total is not None
        assert PHQ_9.total.reliable_change is not None
        assert GAD_7.total is not None
        assert GAD_7.total.reliable_change is not None

        assert 5.61 < PHQ_9.total.reliable_change.value < 6.93
        assert 3.53 < GAD_7.total.reliable_change.value < 5.37


def test_the_direction_of_every_total_is_that_of_its_questionnaire() -> None:
    for instrument in (PHQ_9, GAD_7):
        assert instrument.total is not None
        assert instrument.total.direction is instrument.direction is Direction.LOWER_IS_BETTER


def test_no_clinical_number_is_written_without_its_source() -> None:
    for path in Path(instruments.__file__).parent.glob("*.toml"):
        tables = path.read_text(encoding="utf-8").split("\n[total.")[1:]
        assert all("source = " in table for table in tables), path.name
