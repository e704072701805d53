"""Goal attainment scaling: T by the published formula, and everything around it."""

from dataclasses import replace
from datetime import date
from itertools import product
from math import inf, nan
from random import Random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.attainment import (
    ANSWER_LOINC,
    CONVENTIONS,
    GAS_LOINC,
    HIGHEST_WEIGHT,
    LEVELS,
    LOWEST_WEIGHT,
    MOVES,
    RATER_LOINC,
    SOURCES,
    Achievement,
    Attainment,
    Level,
    RatedOn,
    Rater,
    Scaled,
    State,
    achievement,
    attainment,
    level_fault,
    lifecycle_status,
    may_move,
    may_write_scale,
    over_time,
    rater_shown,
    rating_from,
    step_fault,
    t_score,
    weight_fault,
)
from app.clinical.faults import Fault
from app.clinical.instruments import has_valid_check_digit

law = settings(deadline=None)

weighed = st.lists(
    st.tuples(st.integers(LOWEST_WEIGHT, HIGHEST_WEIGHT), st.sampled_from(LEVELS)),
    min_size=1,
    max_size=12,
)
ratings = st.lists(st.sampled_from(LEVELS), max_size=6)


def five(*measures: float | None) -> list[Level]:
    """Five levels that differ only in what can be counted."""
    return [
        Level(level, f"as it is at {level}", measure)
        for level, measure in zip(LEVELS, measures or (None,) * 5, strict=True)
    ]


class TestTScore:
    @pytest.mark.parametrize(
        ("weights", "levels", "t"),
        [
            ([1], [1], 60),
            ([1], [-2], 30),
            ([1, 1, 1], [0, 0, 0], 50),
            ([1, 1, 1], [1, 1, 1], 63.6931),
            ([1, 1, 1], [-1, -1, -1], 36.3069),
            ([1, 1, 1], [2, 2, 2], 77.3861),
            ([1, 1, 1], [-2, -2, -2], 22.6139),
            ([3, 2, 1], [1, 0, -1], 54.4065),
            ([1, 1], [1, 1], 62.4035),
            ([2, 1, 1], [1, 1, -1], 56.6667),
        ],
    )
    def test_worked_examples(self, weights: list[float], levels: list[int], t: float) -> None:
        assert t_score(weights, levels) == pytest.approx(t, abs=0.00005)

    @pytest.mark.parametrize("weights", [[], [0], [0, 0]])
    def test_no_goals_and_no_weight_have_no_t(self, weights: list[float]) -> None:
        assert t_score(weights, [1] * len(weights)) is None

    @law
    @given(weighed, st.randoms())
    def test_the_order_of_the_goals_does_not_matter(
        self, goals: list[tuple[int, int]], random: Random
    ) -> None:
        shuffled = list(goals)
        random.shuffle(shuffled)

        assert t_of(shuffled) == t_of(goals)

    @law
    @given(weighed, st.floats(1e-200, 1e200))
    def test_the_unit_of_the_weights_does_not_matter(
        self, goals: list[tuple[int, int]], factor: float
    ) -> None:
        scaled = [weight * factor for weight, _ in goals]

        assert t_score(scaled, [level for _, level in goals]) == pytest.approx(t_of(goals))

    @law
    @given(weighed)
    def test_the_mirror_image_lies_as_far_on_the_other_side_of_50(
        self, goals: list[tuple[int, int]]
    ) -> None:
        mirrored = t_of([(weight, -level) for weight, level in goals])

        assert mirrored - 50 == pytest.approx(50 - t_of(goals))

    @law
    @given(weighed)
    def test_a_goal_that_goes_one_level_up_never_lowers_t(
        self, goals: list[tuple[int, int]]
    ) -> None:
        (weight, level), *others = goals
        better = [(weight, min(level + 1, 2)), *others]

        assert t_of(better) > t_of(goals) or level == 2

    @pytest.mark.parametrize(
        ("weights", "levels"),
        [([1], [1, 1]), ([-1], [1]), ([nan], [1]), ([inf], [1]), ([1], [3]), ([1], [-3])],
    )
    def test_what_makes_no_sense_is_refused(self, weights: list[float], levels: list[int]) -> None:
        with pytest.raises(ValueError, match="must be"):
            t_score(weights, levels)


def t_of(goals: list[tuple[int, int]]) -> float:
    t = t_score([weight for weight, _ in goals], [level for _, level in goals])
    assert t is not None
    return t


class TestAttainment:
    def test_baseline_attained_and_change_are_of_the_same_goals(self) -> None:
        goals = [Scaled(1, -1, 1), Scaled(1, -1, 1), Scaled(1, -1, 1)]

        assert attainment(goals) == Attainment(36.3069, 63.6931, 27.3861, 3, 0)

    def test_a_goal_without_a_baseline_or_a_rating_is_left_out_and_counted(self) -> None:
        goals = [Scaled(1, -2, 1), Scaled(9, None, 2), Scaled(9, -2, None)]

        assert attainment(goals) == Attainment(30, 60, 30, 1, 2)

    def test_before_any_rating_only_the_baseline_is_known(self) -> None:
        goals = [Scaled(1, -1, None)] * 3

        assert attainment([*goals, Scaled(1, None, None)]) == Attainment(36.3069, None, None, 0, 4)

    def test_ratings_without_a_baseline_have_no_t(self) -> None:
        goals = [Scaled(1, None, 1), Scaled(1, -1, None)]

        assert attainment(goals) == Attainment(None, None, None, 0, 2)

    def test_no_goals_have_no_t(self) -> None:
        assert attainment([]) == Attainment(None, None, None, 0, 0)

    def test_every_number_has_a_source_and_our_own_choices_are_marked(self) -> None:
        assert set(CONVENTIONS) == {each for each in SOURCES if "our convention" in each}
        assert len(CONVENTIONS) == len(SOURCES) - 1


class TestAchievement:
    @pytest.mark.parametrize(
        ("baseline", "rated", "state", "status"),
        [
            (-1, [0], State.ACTIVE, "achieved"),
            (-1, [2], State.COMPLETED, "achieved"),
            (-1, [0, 1], State.ACTIVE, "sustaining"),
            (-1, [1, 0], State.COMPLETED, "sustaining"),
            (-1, [0, -1, 0], State.ACTIVE, "achieved"),
            (-2, [-1], State.ACTIVE, "improving"),
            (-1, [-1], State.ACTIVE, "no-change"),
            (0, [-1], State.ACTIVE, "worsening"),
            (-1, [-2], State.ON_HOLD, "worsening"),
            (-2, [-1, -1], State.ACTIVE, "no-change"),
            (None, [-2, -1], State.ACTIVE, "improving"),
            (None, [-1], State.ACTIVE, "in-progress"),
            (-2, [-1], State.COMPLETED, "not-achieved"),
            (-2, [0, -2], State.CANCELLED, "not-achieved"),
            (-1, [], State.ACTIVE, "in-progress"),
            (-1, [], State.ON_HOLD, "in-progress"),
            (-1, [], State.COMPLETED, None),
            (-1, [], State.CANCELLED, None),
            (-1, [1], State.PLANNED, None),
            (-1, [1], State.ENTERED_IN_ERROR, None),
        ],
    )
    def test_the_status_follows_from_the_ratings(
        self,
        baseline: int | None,
        rated: list[int],
        state: State,
        status: Achievement | None,
    ) -> None:
        assert achievement(baseline, rated, state) == status

    @law
    @given(st.none() | st.sampled_from(LEVELS), ratings, st.sampled_from(State))
    def test_only_a_rating_of_the_expected_level_or_better_is_achieved(
        self, baseline: int | None, rated: list[int], state: State
    ) -> None:
        status = achievement(baseline, rated, state)

        if status in {"achieved", "sustaining"}:
            assert rated[-1] >= 0
        elif status is not None:
            assert not rated or rated[-1] < 0

    def test_where_only_one_rater_fits_it_is_the_patient(self) -> None:
        assert rater_shown({Rater.THERAPIST: [1], Rater.PATIENT: [-1]}) is Rater.PATIENT
        assert rater_shown({Rater.THERAPIST: [1], Rater.PATIENT: []}) is Rater.THERAPIST
        assert rater_shown({}) is None


class TestLifecycle:
    def test_every_state_has_its_moves_and_none_leads_to_itself(self) -> None:
        assert set(MOVES) == set(State)
        assert all(state not in to for state, to in MOVES.items())

    def test_an_error_can_be_named_in_every_state_and_is_the_end(self) -> None:
        others = set(State) - {State.ENTERED_IN_ERROR}

        assert all(may_move(state, State.ENTERED_IN_ERROR) for state in others)
        assert not any(may_move(State.ENTERED_IN_ERROR, state) for state in State)

    def test_a_goal_is_completed_only_from_work(self) -> None:
        assert {state for state in State if may_move(state, State.COMPLETED)} == {
            State.ACTIVE,
            State.ON_HOLD,
        }

    def test_only_a_proposal_is_turned_down(self) -> None:
        assert {state for state in State if may_move(state, State.REJECTED)} == {State.PROPOSED}

    def test_every_state_can_be_reached_from_a_proposal(self) -> None:
        reached = {State.PROPOSED}
        for _ in State:
            reached |= {to for state in reached for to in MOVES[state]}

        assert reached == set(State)

    def test_an_active_goal_that_starts_later_is_planned(self) -> None:
        today = date(2026, 3, 29)

        assert lifecycle_status(State.ACTIVE, date(2026, 3, 30), today) == "planned"
        assert lifecycle_status(State.ACTIVE, today, today) == "active"
        assert lifecycle_status(State.ACTIVE, None, today) == "active"
        assert lifecycle_status(State.ON_HOLD, date(2026, 3, 30), today) == "on-hold"

    def test_levels_are_written_before_the_first_rating(self) -> None:
        assert may_write_scale(State.PROPOSED, is_rated=False)
        assert may_write_scale(State.ACTIVE, is_rated=False)
        assert not may_write_scale(State.ACTIVE, is_rated=True)
        assert not may_write_scale(State.ENTERED_IN_ERROR, is_rated=False)


class TestLevels:
    @pytest.mark.parametrize(
        "measures",
        [
            (0, 1, 3, 5, 7),
            (10, 8, 5, 2, 0),
            (None, None, None, None, None),
            (1, None, None, None, 2),
            (None, None, 4, None, None),
        ],
    )
    def test_levels_in_order_will_do(self, measures: tuple[float | None, ...]) -> None:
        assert level_fault(five(*measures)) is None

    @pytest.mark.parametrize(
        ("measures", "pointer"),
        [
            ((0, 1, 1, 2, 3), "/levels/2/measure"),
            ((0, 1, 3, 2, 5), "/levels/3/measure"),
            ((9, 7, None, 8, 1), "/levels/3/measure"),
            ((0, nan, 2, 3, 4), "/levels/1/measure"),
            ((0, 1, 2, 3, inf), "/levels/4/measure"),
        ],
    )
    def test_the_first_measure_out_of_order_is_named(
        self, measures: tuple[float | None, ...], pointer: str
    ) -> None:
        fault = level_fault(five(*measures))

        assert fault is not None
        assert fault.pointer == pointer

    def test_levels_out_of_order_are_named(self) -> None:
        levels = five()

        assert level_fault([*levels[:2], levels[3], levels[2], levels[4]]) == Fault(
            "/levels/2/level", "must be in order: -2, -1, 0, 1, 2"
        )

    def test_four_levels_are_not_enough(self) -> None:
        assert level_fault(five()[:4]) == Fault("/levels", "must be five, from -2 to 2")

    def test_a_level_says_something_and_not_what_another_says(self) -> None:
        levels = five()
        empty = [*levels[:3], Level(1, " \n"), levels[4]]
        same = [*levels[:3], Level(1, "AS it  is at -2"), levels[4]]

        assert level_fault(empty) == Fault("/levels/3/words", "must say what would be true then")
        assert level_fault(same) == Fault("/levels/3/words", "must differ from the levels below")

    def test_a_reason_repeats_nothing_of_what_was_sent(self) -> None:
        for measures in product((7351, 7352), repeat=5):
            fault = level_fault(five(*measures))

            assert fault is not None
            assert "735" not in fault.reason


class TestWeightsAndSteps:
    @pytest.mark.parametrize(
        ("weights", "pointer"),
        [
            ([0, 0], "/0/weight"),
            ([1, 0], "/1/weight"),
            ([9, 10], "/1/weight"),
            ([nan], "/0/weight"),
        ],
    )
    def test_the_first_weight_out_of_range_is_named(
        self, weights: list[float], pointer: str
    ) -> None:
        assert weight_fault(weights) == Fault(pointer, "must be from 1 to 9")

    def test_weights_from_one_to_nine_will_do(self) -> None:
        assert weight_fault([1, 2.5, 9]) is None
        assert weight_fault([]) is None

    def test_a_step_neither_starts_nor_is_due_before_its_goal_starts(self) -> None:
        start, eve = date(2026, 5, 2), date(2026, 5, 1)
        reason = "must not be before the goal starts"

        assert step_fault(start, starts_on=None, due_on=eve) == Fault("/due_on", reason)
        assert step_fault(start, starts_on=eve, due_on=start) == Fault("/starts_on", reason)
        assert step_fault(start, starts_on=eve, due_on=None) == Fault("/starts_on", reason)
        assert step_fault(start, starts_on=start, due_on=start) is None
        assert step_fault(None, starts_on=eve, due_on=eve) is None
        assert step_fault(start, starts_on=None, due_on=None) is None


MAY: Final = [date(2026, 5, day) for day in range(1, 32)]
GOALS_SCALED: Final = {
    "a": Scaled(1, -1, None),
    "b": Scaled(1, -1, None),
    "unbased": Scaled(1, None, None),
}


class TestOverTime:
    def test_after_each_day_t_is_of_the_goals_rated_by_then(self) -> None:
        told = over_time(
            GOALS_SCALED,
            [
                RatedOn("a", MAY[0], -1),
                RatedOn("a", MAY[4], 0),
                RatedOn("b", MAY[4], 0),
                RatedOn("a", MAY[9], 1),
                RatedOn("b", MAY[9], 0),
                RatedOn("b", MAY[9], 1),
            ],
        )

        assert [(one.on, one.goals) for one in told] == [(MAY[0], 1), (MAY[4], 2), (MAY[9], 2)]
        assert [one.attained_t for one in told] == [40, 50, 62.4035]
        assert [one.baseline_t for one in told] == [40, 37.5965, 37.5965]
        assert told[-1].change == pytest.approx(62.4035 - 37.5965, abs=2e-4)

    def test_a_goal_without_a_baseline_makes_no_day_and_neither_does_another_s(self) -> None:
        assert over_time(GOALS_SCALED, [RatedOn("unbased", MAY[0], 1)]) == []
        assert over_time(GOALS_SCALED, [RatedOn("elsewhere", MAY[0], 1)]) == []
        assert over_time({}, []) == []

    def test_the_newest_days_are_told_and_count_what_was_said_before_them(self) -> None:
        ratings_ = [RatedOn("a", MAY[0], 2), *(RatedOn("b", day, 2) for day in MAY[1:])]

        told = over_time(GOALS_SCALED, ratings_, most=3)

        assert [one.on for one in told] == MAY[-3:]
        assert {one.goals for one in told} == {2}
        assert told == over_time(GOALS_SCALED, ratings_)[-3:]

    @law
    @given(
        st.lists(
            st.builds(
                RatedOn,
                st.sampled_from([*GOALS_SCALED, "elsewhere"]),
                st.sampled_from(MAY),
                st.sampled_from(LEVELS),
            ),
            max_size=20,
        )
    )
    def test_the_last_day_says_what_is_attained_now(self, said: list[RatedOn]) -> None:
        said = sorted(said, key=lambda each: each.on)
        latest = {each.goal: each.level for each in said}
        now = attainment(
            [replace(goal, level=latest.get(name)) for name, goal in GOALS_SCALED.items()]
        )

        told = over_time(GOALS_SCALED, said)

        last = told[-1] if told else None
        assert (last.attained_t if last else None) == now.attained_t
        assert (last.goals if last else 0) == now.goals


class TestWhenToRate:
    def test_a_goal_is_rated_a_fortnight_after_it_began_or_was_rated(self) -> None:
        begun, rated = date(2026, 5, 1), date(2026, 5, 9)

        assert rating_from(begun, None) == (date(2026, 5, 15), date(2026, 5, 22))
        assert rating_from(begun, rated) == (date(2026, 5, 23), date(2026, 5, 30))

    def test_a_rating_of_before_it_began_does_not_bring_it_forward(self) -> None:
        assert rating_from(date(2026, 5, 9), date(2026, 5, 1))[0] == date(2026, 5, 23)


class TestCodes:
    def test_the_codes_are_the_published_ones(self) -> None:
        assert GAS_LOINC == "107332-9"
        assert RATER_LOINC == {Rater.PATIENT: "107334-5", Rater.THERAPIST: "107333-7"}
        assert ANSWER_LOINC == {
            2: "LA34479-8",
            1: "LA34480-6",
            0: "LA34481-4",
            -1: "LA34483-0",
            -2: "LA34484-8",
        }

    def test_their_check_digits_are_right(self) -> None:
        assert all(has_valid_check_digit(code) for code in (GAS_LOINC, *RATER_LOINC.values()))
