"""What one page says of a week: facts, each from what it may be compared with."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.attainment import LEVELS, Rater
from app.clinical.instruments import find
from app.clinical.practice import Kept, Kind, Schedule
from app.clinical.week import (
    GoalMoved,
    Measured,
    Planned,
    Practised,
    Rated,
    ScoreMoved,
    Step,
    Week,
    bounds,
    week,
)

law = settings(deadline=None)

BERLIN = ZoneInfo("Europe/Berlin")
DAY = 24 * 3600 * 1_000_000
MONDAY, SUNDAY = date(2026, 3, 2), date(2026, 3, 8)
STARTS, ENDS = bounds(MONDAY, BERLIN)
LATER = date(2026, 3, 20)
PHQ_9 = find("phq-9")
MOOD = find("momentary").items[0]
OF_A_DAY = next(item for item in find("daily").items if item.scale is not None)


def scores(*points: tuple[int, float | None]) -> Measured:
    """PHQ-9 totals by days from the start of the week."""
    return Measured(
        "phq-9", PHQ_9, [STARTS + days * DAY for days, _ in points], [total for _, total in points]
    )


def moved(series: Measured, doses: Sequence[int] = ()) -> ScoreMoved:
    (found,) = told(measured=[series], doses=doses).scores
    return found


def told(day: date = MONDAY, today: date = LATER, **given: object) -> Week:
    return week(day, today=today, zone=BERLIN, **given)  # type: ignore[arg-type]


class TestBounds:
    def test_a_week_lasts_from_monday_to_sunday_where_the_patient_lives(self) -> None:
        found = told(date(2026, 3, 5))

        assert (found.name, found.first_on, found.last_on) == ("2026-W10", MONDAY, SUNDAY)
        assert datetime.fromtimestamp(found.starts_at / 1e6, UTC).isoformat() == (
            "2026-03-01T23:00:00+00:00"
        )
        assert found.ends_at - found.starts_at == 7 * DAY

    def test_the_week_the_clocks_change_has_an_hour_less(self) -> None:
        starts_at, ends_at = bounds(date(2026, 3, 29), BERLIN)

        assert ends_at - starts_at == 7 * DAY - DAY // 24

    def test_a_week_is_over_once_its_sunday_is(self) -> None:
        assert not told(today=SUNDAY).is_over
        assert told(today=SUNDAY + timedelta(days=1)).is_over

    def test_a_week_that_has_not_begun_is_refused(self) -> None:
        with pytest.raises(ValueError, match="has not begun"):
            told(today=MONDAY - timedelta(days=1))


class TestScores:
    def test_a_change_is_from_the_last_score_before_to_the_last_in_the_week(self) -> None:
        found = moved(scores((-20, 21), (-3, 15), (1, 12), (5, 9), (8, 2)))

        assert found == ScoreMoved(
            key="phq-9",
            before=15,
            before_at=STARTS - 3 * DAY,
            after=9,
            after_at=STARTS + 5 * DAY,
            change=-6,
            direction="improved",
            reliable=True,
            straddles=False,
        )

    @pytest.mark.parametrize(
        ("after", "direction", "reliable"),
        [
            (20, "worse", False),
            (21, "worse", True),
            (15, "unchanged", False),
            (10, "improved", False),
        ],
    )
    def test_it_is_reliable_from_the_published_value_either_way(
        self, after: int, direction: str, reliable: bool
    ) -> None:
        found = moved(scores((-3, 15), (2, after)))

        assert (found.direction, found.reliable) == (direction, reliable)

    def test_a_scale_without_a_published_value_says_nothing_of_it(self) -> None:
        found = moved(Measured("mood", OF_A_DAY, [STARTS - 1, STARTS], [3, 9]))

        assert (found.change, found.reliable) == (6, None)

    def test_what_is_asked_about_right_now_has_not_moved(self) -> None:
        assert told(measured=[Measured("mood", MOOD, [STARTS - 1, STARTS], [3, 9])]).scores == ()

    @pytest.mark.parametrize(("days", "before"), [(35, 15), (36, None), (800, None)])
    def test_a_score_that_is_too_old_is_nothing_to_compare_with(
        self, days: int, before: int | None
    ) -> None:
        found = moved(scores((2 - days, 15), (2, 9)), [STARTS + (2 - days) * DAY])

        assert (found.before, found.change) == (before, None if before is None else -6)
        assert (found.before_at is None) == (before is None)
        assert (found.after, found.straddles) == (9, before is not None)

    def test_the_first_score_there_is_has_not_moved(self) -> None:
        found = moved(scores((0, 15)))

        assert (found.before, found.before_at, found.after) == (None, None, 15)
        assert (found.change, found.direction, found.reliable) == (None, None, None)

    def test_scores_that_are_incomplete_are_passed_over(self) -> None:
        found = moved(scores((-9, 15), (-3, None), (1, 12), (2, None)))

        assert (found.before, found.after) == (15, 12)

    def test_a_week_without_a_score_says_nothing(self) -> None:
        series = [scores((-3, 15), (7, 3)), scores(), scores((2, None))]

        assert told(measured=series).scores == ()

    def test_the_week_holds_its_first_instant_and_not_its_end(self) -> None:
        series = Measured("phq-9", PHQ_9, [STARTS - 1, STARTS, ENDS - 1, ENDS], [1, 2, 3, 4])

        found = moved(series)

        assert (found.before, found.after) == (1, 3)

    def test_a_dose_within_what_the_questions_ask_about_is_told(self) -> None:
        series = scores((-10, 15), (2, 9))

        assert moved(series, [STARTS - 5 * DAY]).straddles
        assert moved(series, [STARTS - 15 * DAY]).straddles
        assert not moved(series, [STARTS - 40 * DAY, STARTS + 3 * DAY]).straddles


class TestGoals:
    def test_two_raters_stay_two(self) -> None:
        rated = [
            Rated("walk", Rater.PATIENT, STARTS + DAY, 1),
            Rated("walk", Rater.PATIENT, STARTS - DAY, -1),
            Rated("walk", Rater.THERAPIST, STARTS, -1),
            Rated("sleep", Rater.PATIENT, STARTS - DAY, 2),
            Rated("sleep", Rater.PATIENT, ENDS, -2),
        ]

        assert told(rated=rated).goals == (
            GoalMoved("walk", Rater.PATIENT, -1, STARTS - DAY, 1, 2),
            GoalMoved("walk", Rater.THERAPIST, None, None, -1, None),
        )

    @law
    @given(
        st.lists(
            st.builds(
                Rated,
                st.sampled_from("ab"),
                st.sampled_from(Rater),
                st.integers(STARTS - 9, STARTS + 9),
                st.sampled_from(LEVELS),
            ),
            unique_by=lambda each: (each.goal, each.rater, each.at),
        ),
        st.randoms(),
    )
    def test_the_order_of_the_ratings_does_not_matter(
        self, rated: list[Rated], random: Random
    ) -> None:
        shuffled = list(rated)
        random.shuffle(shuffled)

        assert told(rated=shuffled) == told(rated=rated)


class TestPractices:
    def daily(self, *days: int, from_on: date = date(2026, 2, 1)) -> Practised:
        done = frozenset(date(2026, 3, day) for day in days)
        return Practised("walk", Schedule(kind=Kind.DAILY, from_on=from_on), Kept(done))

    def test_the_week_and_the_four_weeks_to_its_sunday(self) -> None:
        (found,) = told(practised=[self.daily(1, 2, 3, 4, 5, 6, 7)]).practices

        assert (found.week.done, found.week.expected) == (6, 7)
        assert (found.month.done, found.month.expected) == (7, 28)
        assert (found.streak.length, found.streak.forgiven) == (7, 1)

    def test_a_week_that_is_not_over_holds_nothing_against_anyone_yet(self) -> None:
        (found,) = told(today=date(2026, 3, 4), practised=[self.daily(2, 3)]).practices

        assert (found.week.done, found.week.expected) == (2, 2)
        assert found.streak.length == 2

    def test_a_past_week_is_told_as_it_stood(self) -> None:
        (then,) = told(practised=[self.daily(7, 8)]).practices
        (now,) = told(practised=[self.daily(7, 8, 9, 10, 11)]).practices

        assert then == now

    def test_a_practice_with_nothing_to_tell_is_left_out(self) -> None:
        later = self.daily(from_on=date(2026, 3, 9))

        assert told(practised=[later]).practices == ()

    def test_what_was_done_before_it_was_expected_is_told(self) -> None:
        (found,) = told(practised=[self.daily(4, from_on=date(2026, 3, 9))]).practices

        assert (found.week.beside, found.week.proportion) == (1, None)


class TestSteps:
    STEPS = (
        Step("done-late", date(2026, 3, 3), date(2026, 3, 10)),
        Step("done", date(2026, 3, 20), date(2026, 3, 8)),
        Step("done-first", None, date(2026, 3, 2)),
        Step("done-before", None, date(2026, 3, 1)),
        Step("overdue", date(2026, 2, 1), None),
        Step("next", date(2026, 3, 15), None),
        Step("next-first", date(2026, 3, 9), None),
        Step("far", date(2026, 3, 16), None),
        Step("some-day", None, None),
    )

    def test_a_past_week_is_told_as_it_stood_on_its_sunday(self) -> None:
        found = told(steps=self.STEPS)

        assert [each.id for each in found.steps_done] == ["done-first", "done"]
        assert [each.id for each in found.steps_overdue] == ["overdue", "done-late"]
        assert [each.id for each in found.steps_next] == ["next-first", "next"]
        assert (found.next_from, found.next_until) == (date(2026, 3, 9), date(2026, 3, 15))

    def test_in_a_week_that_is_not_over_what_is_next_begins_today(self) -> None:
        today = date(2026, 3, 3)
        found = told(today=today, steps=self.STEPS)

        assert [each.id for each in found.steps_overdue] == ["overdue"]
        assert [each.id for each in found.steps_next] == ["done-late", "next-first", "next"]
        assert (found.next_from, found.next_until) == (today, date(2026, 3, 15))

    def test_what_is_planned_next_goes_by_date(self) -> None:
        planned = [
            Planned("b", date(2026, 3, 15)),
            Planned("c", date(2026, 3, 9)),
            Planned("a", date(2026, 3, 15)),
            Planned("gone", date(2026, 3, 8)),
            Planned("far", date(2026, 3, 16)),
        ]

        assert [each.id for each in told(planned=planned).planned_next] == ["c", "a", "b"]

    @law
    @given(
        st.lists(
            st.builds(
                Step,
                st.uuids().map(str),
                st.none() | st.dates(date(2026, 2, 20), LATER),
                st.none() | st.dates(date(2026, 2, 20), LATER),
            ),
            max_size=12,
            unique_by=lambda each: each.id,
        ),
        st.dates(MONDAY, LATER),
    )
    def test_no_step_is_told_in_two_places(self, steps: list[Step], today: date) -> None:
        found = told(today=today, steps=steps)

        named = [
            each.id
            for part in (found.steps_done, found.steps_overdue, found.steps_next)
            for each in part
        ]
        assert len(named) == len(set(named))
