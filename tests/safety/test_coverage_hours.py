"""When a clinic is on duty, by its own clock."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clinical.risk import Level
from app.people.clinics import WEEKDAYS_NINE_TO_FIVE
from app.safety.coverage import DAYS
from app.safety.escalation import LONGEST_WAIT, MOST_MINUTES, Hours, Policy, Who, shipped, steps
from tests.safety.rounds import (
    BERLIN,
    INSTANTS,
    MINUTE,
    NIGHTS,
    OFFICE,
    UNDECLARED,
    UNHURRIED,
    WEDNESDAY_NOON,
    a_policy,
    after,
    at,
    coverage,
)

ALWAYS = coverage(**{day: [["00:00", "24:00"]] for day in DAYS})


def plan(
    level: Level, began_at: datetime, hours: str = OFFICE, policy: Policy | None = None
) -> list[datetime]:
    return [step.due_at for step in steps(policy or shipped(), level, began_at, hours, BERLIN)]


class TestHours:
    @pytest.mark.parametrize(
        ("began_at", "next_at", "administrators_at"),
        [
            # On a Friday: an hour before the end, half an hour, a minute, and at the end.
            ("2026-03-06T15:00", "2026-03-06T16:00", "2026-03-09T08:30"),
            ("2026-03-06T15:01", "2026-03-09T08:01", "2026-03-09T08:31"),
            ("2026-03-06T15:30", "2026-03-09T08:30", "2026-03-09T09:00"),
            ("2026-03-06T15:59", "2026-03-09T08:59", "2026-03-09T09:29"),
            ("2026-03-06T16:00", "2026-03-09T09:00", "2026-03-09T09:30"),
            # On the weekend, and on Monday before, at and after the beginning.
            ("2026-03-07T12:00", "2026-03-09T09:00", "2026-03-09T09:30"),
            ("2026-03-09T07:59", "2026-03-09T09:00", "2026-03-09T09:30"),
            ("2026-03-09T08:00", "2026-03-09T09:00", "2026-03-09T09:30"),
            ("2026-03-09T08:01", "2026-03-09T09:01", "2026-03-09T09:31"),
            # Clocks go forward in the night to 29 March, and back in the night to 25 October.
            ("2026-03-27T15:30", "2026-03-30T07:30", "2026-03-30T08:00"),
            ("2026-10-23T14:30", "2026-10-26T08:30", "2026-10-26T09:00"),
        ],
    )
    def test_minutes_within_coverage_count_only_on_duty(
        self, began_at: str, next_at: str, administrators_at: str
    ) -> None:
        planned = plan(Level.MODERATE, at(began_at))

        assert planned == [at(began_at), at(next_at), at(administrators_at)]

    def test_a_holiday_is_not_on_duty(self) -> None:
        closed = json.dumps({**WEEKDAYS_NINE_TO_FIVE, "holidays": ["2026-03-09"]})

        planned = plan(Level.MODERATE, at("2026-03-06T15:30"), closed)

        assert planned[1:] == [at("2026-03-10T08:30"), at("2026-03-10T09:00")]

    @pytest.mark.parametrize(
        ("began_at", "next_at"),
        [
            ("2026-03-28T20:59", "2026-03-28T22:00"),
            ("2026-03-28T21:00", "2026-03-28T22:00"),
            ("2026-03-28T23:30", "2026-03-29T00:30"),
            # The night that is an hour shorter ends at four in UTC, and the longer at five.
            ("2026-03-29T03:30", "2026-03-29T20:30"),
            ("2026-10-25T04:30", "2026-10-25T21:30"),
        ],
    )
    def test_a_night_shift_counts_as_long_as_it_really_is(
        self, began_at: str, next_at: str
    ) -> None:
        assert plan(Level.MODERATE, at(began_at), NIGHTS)[1] == at(next_at)

    def test_the_shorter_night_has_fewer_minutes(self) -> None:
        policy = a_policy((Who.NEXT, 7 * 60 + 1, Hours.WITHIN_COVERAGE))

        shorter = plan(Level.HIGH, at("2026-03-28T21:00"), NIGHTS, policy)
        longer = plan(Level.HIGH, at("2026-10-24T20:00"), NIGHTS, policy)

        assert shorter == [at("2026-03-29T20:01")]
        assert longer == [at("2026-10-25T03:01")]

    def test_several_stretches_of_one_day_add_up(self) -> None:
        surgery = coverage(wed=[["12:00", "12:20"], ["13:00", "13:20"], ["14:00", "15:00"]])

        planned = plan(Level.MODERATE, WEDNESDAY_NOON, surgery)

        assert planned[1:] == [at("2026-03-04T13:20"), at("2026-03-04T13:50")]

    def test_no_minutes_within_coverage_wait_for_duty_to_begin(self) -> None:
        policy = a_policy((Who.CARE_TEAM, 0, Hours.WITHIN_COVERAGE))

        assert plan(Level.HIGH, at("2026-03-06T16:00"), OFFICE, policy) == [at("2026-03-09T08:00")]
        assert plan(Level.HIGH, at("2026-03-06T15:59"), OFFICE, policy) == [at("2026-03-06T15:59")]

    @pytest.mark.parametrize(
        ("began_at", "message_at"),
        [
            ("2026-03-04T07:59", "2026-03-04T08:00"),
            ("2026-03-04T08:00", "2026-03-05T08:00"),
            ("2026-03-04T08:01", "2026-03-05T08:00"),
            ("2026-03-04T16:00", "2026-03-05T08:00"),
            ("2026-03-06T15:59", "2026-03-09T08:00"),
            ("2026-03-07T12:00", "2026-03-09T08:00"),
            ("2026-03-27T12:00", "2026-03-30T07:00"),
            ("2026-10-23T12:00", "2026-10-26T08:00"),
        ],
    )
    def test_the_next_coverage_is_the_one_that_begins_next(
        self, began_at: str, message_at: str
    ) -> None:
        assert plan(Level.LOW, at(began_at))[1] == at(message_at)

    def test_the_next_coverage_is_looked_for_once_the_minutes_have_passed(self) -> None:
        policy = a_policy((Who.NEXT, 120, Hours.NEXT_COVERAGE))

        assert plan(Level.HIGH, at("2026-03-04T05:59"), OFFICE, policy) == [at("2026-03-04T08:00")]
        assert plan(Level.HIGH, at("2026-03-04T06:00"), OFFICE, policy) == [at("2026-03-05T08:00")]
        assert plan(Level.HIGH, WEDNESDAY_NOON, ALWAYS, policy) == [after(120)]

    def test_a_clinic_that_stays_on_duty_for_a_day_has_no_coverage_to_wait_for(self) -> None:
        until_friday = coverage(**{day: [["00:00", "24:00"]] for day in DAYS[:5]})

        assert plan(Level.LOW, WEDNESDAY_NOON, ALWAYS) == [WEDNESDAY_NOON] * 2
        assert plan(Level.LOW, at("2026-03-05T23:00"), until_friday)[1] == at("2026-03-05T23:00")
        assert plan(Level.LOW, at("2026-03-05T23:01"), until_friday)[1] == at("2026-03-08T23:00")

    @pytest.mark.parametrize("hours", [UNDECLARED, "{}", "{", "[]"])
    def test_nobody_waits_for_hours_that_were_never_declared(self, hours: str) -> None:
        sunday = at("2026-03-08T03:00")

        assert plan(Level.MODERATE, sunday, hours) == [
            sunday,
            sunday + 60 * MINUTE,
            sunday + 90 * MINUTE,
        ]
        assert plan(Level.LOW, sunday, hours) == [sunday, sunday]

    @pytest.mark.parametrize("level", ["moderate", "low"])
    def test_nobody_waits_longer_than_a_week_for_a_clinic_that_is_closed(self, level: str) -> None:
        days = [f"2026-03-{day:02}" for day in range(5, 32)]
        closed = json.dumps({**WEEKDAYS_NINE_TO_FIVE, "holidays": days})
        began_at = at("2026-03-05T12:00")

        planned = plan(Level(level), began_at, closed)

        minutes = [step.after_minutes for step in shipped().levels[Level(level)]]
        assert planned[1:] == [began_at + m * MINUTE + LONGEST_WAIT for m in minutes[1:]]

    def test_nobody_waits_longer_than_a_week_for_a_clinic_that_is_hardly_ever_on_duty(self) -> None:
        hardly = coverage(thu=[["12:00", "12:10"]])

        planned = plan(Level.MODERATE, WEDNESDAY_NOON, hardly)

        assert planned[1] == after(60) + LONGEST_WAIT

    def test_nobody_waits_for_more_changes_of_duty_than_a_clinic_has(self) -> None:
        every_other_ten_minutes = [
            [f"{hour:02}:{minute:02}", f"{hour:02}:{minute + 10:02}"]
            for hour in range(24)
            for minute in (0, 20, 40)
        ]
        flickering = coverage(wed=every_other_ten_minutes, thu=every_other_ten_minutes)
        policy = a_policy(
            *((Who.NEXT, minutes, Hours.WITHIN_COVERAGE) for minutes in (500, 501, MOST_MINUTES))
        )

        planned = plan(Level.HIGH, WEDNESDAY_NOON, flickering, policy)

        # A hundred changes last a thousand minutes, of which half are on duty; then each is.
        assert planned == [after(990), after(1001), after(500 + MOST_MINUTES)]

    def test_a_step_does_not_wait_longer_than_the_one_after_it(self) -> None:
        policy = a_policy(
            (Who.CARE_TEAM, 0, Hours.AT_ALL_HOURS),
            (Who.NEXT, 15, Hours.WITHIN_COVERAGE),
            (Who.ADMINISTRATORS, 30, Hours.AT_ALL_HOURS),
        )
        saturday = at("2026-03-07T12:00")

        planned = plan(Level.HIGH, saturday, OFFICE, policy)

        assert planned == [saturday, saturday + 30 * MINUTE, saturday + 30 * MINUTE]

    def test_instants_are_in_utc_wherever_the_round_began(self) -> None:
        began_at = datetime.fromisoformat("2026-03-06T16:30+01:00")

        planned = plan(Level.MODERATE, began_at)

        assert planned == plan(Level.MODERATE, at("2026-03-06T15:30"))
        assert {instant.tzinfo for instant in planned} == {UTC}

    @UNHURRIED
    @given(
        INSTANTS,
        st.integers(1, 600),
        st.sampled_from(["office", "nights"]),
    )
    def test_so_many_minutes_of_duty_lie_before_a_step_within_coverage(
        self, began_at: datetime, minutes: int, hours: str
    ) -> None:
        began_at = began_at.replace(second=0)
        policy = a_policy((Who.NEXT, minutes, Hours.WITHIN_COVERAGE))

        (due_at,) = plan(Level.HIGH, began_at, {"office": OFFICE, "nights": NIGHTS}[hours], policy)

        # Counted one by one, by the clock on the wall.
        minute, left = began_at, minutes
        while left:
            wall = minute.astimezone(ZoneInfo(BERLIN))
            is_office = wall.weekday() < 5 and 9 <= wall.hour < 17
            is_night = not 6 <= wall.hour < 22
            left -= is_office if hours == "office" else is_night
            minute += MINUTE
        assert due_at == minute

    @UNHURRIED
    @given(
        INSTANTS,
        st.lists(
            st.tuples(st.integers(0, MOST_MINUTES), st.sampled_from(Hours)), min_size=1, max_size=5
        ),
        st.sampled_from([OFFICE, UNDECLARED, NIGHTS, ALWAYS, coverage(sat=[["23:00", "01:00"]])]),
    )
    def test_a_plan_stands_in_order_begins_no_earlier_than_its_round_and_waits_a_week_at_most(
        self, began_at: datetime, given_steps: list[tuple[int, Hours]], hours: str
    ) -> None:
        in_order = sorted(given_steps, key=lambda step: step[0])
        policy = a_policy(*((Who.NEXT, minutes, kind) for minutes, kind in in_order))

        planned = plan(Level.HIGH, began_at, hours, policy)

        assert planned == sorted(planned)
        assert planned == plan(Level.HIGH, began_at, hours, policy)
        assert planned[0] >= began_at
        for (minutes, kind), due_at in zip(in_order, planned, strict=True):
            latest = began_at + minutes * MINUTE
            assert due_at <= latest + (timedelta() if kind is Hours.AT_ALL_HOURS else LONGEST_WAIT)
