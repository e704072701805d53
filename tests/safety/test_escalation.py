"""Who is told next and when: the defaults to the minute, and the laws of a round."""

import json
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.clinical.risk import Level
from app.people.clinics import WEEKDAYS_NINE_TO_FIVE
from app.safety.coverage import DAYS
from app.safety.escalation import (
    LONGEST_WAIT,
    MOST_MINUTES,
    MOST_STEPS,
    Answer,
    Channel,
    Hours,
    Outcome,
    PlannedStep,
    Policy,
    PolicyRefused,
    Round,
    Status,
    Step,
    StepState,
    Who,
    acknowledge,
    as_dict,
    begin,
    begin_again,
    due,
    hand_over,
    hasten,
    next_due_at,
    read,
    resolve,
    shipped,
    steps,
    told,
)

OFFICE = json.dumps(WEEKDAYS_NINE_TO_FIVE)
UNDECLARED = json.dumps({"hours": {}, "holidays": []})
BERLIN = "Europe/Berlin"
ANN, BEN = UUID(int=1), UUID(int=2)
MINUTE = timedelta(minutes=1)
FLAGGED = (Level.LOW, Level.MODERATE, Level.HIGH)
ALL_CHANNELS = ["inbox", "email", "web-push", "webhook", "stream"]


def coverage(*holidays: str, **by_day: list[list[str]]) -> str:
    return json.dumps({"hours": by_day, "holidays": list(holidays)})


ALWAYS = coverage(**{day: [["00:00", "24:00"]] for day in DAYS})
NIGHTS = coverage(**{day: [["22:00", "06:00"]] for day in DAYS})


def at(text: str) -> datetime:
    """An instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


UNHURRIED = hypothesis_settings(deadline=None)  # cores are shared
WEDNESDAY_NOON = at("2026-03-04T11:00")  # in Berlin
INSTANTS = st.integers(0, 366 * 24 * 60 * 60).map(
    lambda second: at("2026-01-01T00:00") + timedelta(seconds=second)
)


def plan(
    level: Level, began_at: datetime, hours: str = OFFICE, policy: Policy | None = None
) -> list[datetime]:
    return [step.due_at for step in steps(policy or shipped(), level, began_at, hours, BERLIN)]


def a_round(level: Level = Level.HIGH, hours: str = OFFICE, policy: Policy | None = None) -> Round:
    return begin(policy or shipped(), level, WEDNESDAY_NOON, hours, BERLIN)


def after(minutes: float) -> datetime:
    """So many minutes after the round began."""
    return WEDNESDAY_NOON + minutes * MINUTE


def numbers(round_: Round, now: datetime) -> list[int]:
    return [step.number for step in due(round_, now)]


def tell(round_: Round, number: int, now: datetime, outcome: Outcome = Outcome.TOLD) -> Round:
    return told(round_, round_.steps[number - 1], outcome, now)


def drain(
    round_: Round, now: datetime, outcome: Callable[[PlannedStep], Outcome]
) -> tuple[Round, list[PlannedStep]]:
    """A worker does everything that is due, until nothing is."""
    did = []
    while ready := due(round_, now):
        did.append(ready[0])
        round_ = told(round_, ready[0], outcome(ready[0]), now)
    return round_, did


def passed_on(round_: Round, now: datetime, policy: Policy | None = None) -> Round:
    """Ann hands over to Ben."""
    return hand_over(
        round_,
        by=ANN,
        to=BEN,
        at=now,
        policy=policy or shipped(),
        coverage=OFFICE,
        time_zone=BERLIN,
    )


def a_policy(*of_high: tuple[Who, int, Hours]) -> Policy:
    """The shipped one with these steps for a high level."""
    high = tuple(Step(who, minutes, hours, tuple(Channel)) for who, minutes, hours in of_high)
    return Policy(source="Us", convention=True, levels={**shipped().levels, Level.HIGH: high})


class TestThePolicyThatIsShipped:
    @pytest.mark.parametrize(
        ("level", "minute", "who"),
        [
            ("high", 0, ["care-team"]),
            ("high", 14, ["care-team"]),
            ("high", 15, ["care-team", "next"]),
            ("high", 16, ["care-team", "next"]),
            ("high", 29, ["care-team", "next"]),
            ("high", 30, ["care-team", "next", "administrators"]),
            ("high", 31, ["care-team", "next", "administrators"]),
            ("moderate", 0, ["care-team"]),
            ("moderate", 59, ["care-team"]),
            ("moderate", 60, ["care-team", "next"]),
            ("moderate", 61, ["care-team", "next"]),
            ("moderate", 89, ["care-team", "next"]),
            ("moderate", 90, ["care-team", "next", "administrators"]),
            ("moderate", 91, ["care-team", "next", "administrators"]),
            ("low", 0, ["care-team"]),
            ("low", 21 * 60 - 1, ["care-team"]),
            ("low", 21 * 60, ["care-team", "care-team"]),
            ("low", 21 * 60 + 1, ["care-team", "care-team"]),
        ],
    )
    def test_tells_on_the_minute_while_the_clinic_is_on_duty(
        self, level: str, minute: int, who: list[str]
    ) -> None:
        round_ = a_round(Level(level))

        assert [step.who for step in due(round_, after(minute))] == who

    def test_tells_nobody_before_the_round_began(self) -> None:
        assert all(due(a_round(level), after(-1 / 60)) == () for level in FLAGGED)

    def test_tells_of_a_low_level_by_the_inbox_alone_at_first(self) -> None:
        first, second = steps(shipped(), Level.LOW, WEDNESDAY_NOON, OFFICE, BERLIN)

        assert first.channels == (Channel.INBOX,)
        assert second.channels == tuple(Channel)

    def test_is_one_that_can_be_read(self) -> None:
        assert read(json.loads(json.dumps(as_dict(shipped())))) == shipped()

    def test_is_labelled_as_a_convention(self) -> None:
        assert shipped().convention

    @UNHURRIED
    @given(
        INSTANTS,
        st.sampled_from([OFFICE, UNDECLARED, NIGHTS, "{", coverage(mon=[["09:00", "09:01"]])]),
        st.sampled_from([BERLIN, "Australia/Lord_Howe", "nowhere"]),
    )
    def test_tells_the_administrators_of_a_high_level_within_half_an_hour_whatever_the_hours(
        self, began_at: datetime, hours: str, zone: str
    ) -> None:
        round_ = begin(shipped(), Level.HIGH, began_at, hours, zone)

        _, did = drain(round_, began_at + 30 * MINUTE, lambda _: Outcome.TOLD)

        assert [step.who for step in did] == [Who.CARE_TEAM, Who.NEXT, Who.ADMINISTRATORS]


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


class TestARound:
    def test_begins_with_the_care_team_at_once(self) -> None:
        round_ = a_round()

        assert round_.status is Status.OPEN
        assert numbers(round_, WEDNESDAY_NOON) == [1]
        assert next_due_at(round_) == WEDNESDAY_NOON

    def test_does_not_do_a_step_twice_whoever_says_so(self) -> None:
        before = a_round()
        round_ = tell(before, 1, after(1))

        again = told(round_, before.steps[0], Outcome.NOBODY, after(2))

        assert again is round_
        assert numbers(round_, after(14)) == []
        assert next_due_at(round_) == after(15)

    def test_takes_steps_in_whatever_order_workers_come(self) -> None:
        late = a_round()

        forwards = tell(tell(tell(late, 1, after(60)), 2, after(60)), 3, after(60))
        backwards = tell(tell(tell(late, 3, after(60)), 2, after(60)), 1, after(60))

        assert numbers(late, after(60)) == [1, 2, 3]
        assert forwards == backwards
        assert next_due_at(forwards) is None

    @pytest.mark.parametrize("outcome", ["nobody", "dead-channel"])
    def test_comes_to_the_next_step_at_once_when_one_did_not_get_through(
        self, outcome: str
    ) -> None:
        round_ = tell(a_round(), 1, after(1), Outcome(outcome))

        assert numbers(round_, after(1)) == [2]
        assert next_due_at(tell(round_, 2, after(2))) == after(30)

    def test_hastens_one_step_however_many_channels_turn_out_dead(self) -> None:
        round_ = tell(a_round(), 1, after(0))

        once = hasten(round_, 1, after(2))
        twice = hasten(once, 1, after(3))
        thrice = hasten(tell(twice, 2, after(4)), 1, after(5))

        assert next_due_at(once) == after(2)
        assert twice is once
        assert next_due_at(thrice) == after(30)

    def test_leaves_alone_what_is_done_even_where_a_worker_has_a_clock_that_is_behind(self) -> None:
        round_ = tell(tell(a_round(), 1, after(0)), 2, after(15))

        assert hasten(round_, 1, after(3)) is round_

    def test_never_puts_off_what_is_due_already(self) -> None:
        assert next_due_at(hasten(tell(a_round(), 1, after(40)), 1, after(40))) == after(15)

    def test_has_nothing_to_hasten_after_its_last_step(self) -> None:
        round_ = tell(a_round(), 3, after(30), Outcome.DEAD_CHANNEL)

        assert [step.state for step in round_.steps] == ["planned", "planned", "done"]

    @pytest.mark.parametrize("level", ["low", "moderate", "high"])
    def test_comes_to_the_administrators_at_once_where_there_is_no_clinician(
        self, level: str
    ) -> None:
        def outcome(step: PlannedStep) -> Outcome:
            return Outcome.TOLD if step.who is Who.ADMINISTRATORS else Outcome.NOBODY

        round_, did = drain(a_round(Level(level)), WEDNESDAY_NOON, outcome)

        assert did[-1].who is Who.ADMINISTRATORS
        assert next_due_at(round_) is None

    @pytest.mark.parametrize("level", ["low", "moderate", "high"])
    def test_stays_until_there_is_somebody_to_tell(self, level: str) -> None:
        round_ = a_round(Level(level))
        now = WEDNESDAY_NOON
        while next_due_at(round_) == now:
            round_ = told(round_, due(round_, now)[0], Outcome.NOBODY, now)

        assert next_due_at(round_) == after(1)
        (step,) = due(round_, after(1))
        assert step.who is Who.ADMINISTRATORS
        assert next_due_at(told(round_, step, Outcome.TOLD, after(1))) is None

    def test_adds_no_administrators_where_a_later_step_got_through(self) -> None:
        round_ = tell(a_round(Level.LOW), 2, after(1))

        round_ = tell(round_, 1, after(2), Outcome.NOBODY)

        assert [step.state for step in round_.steps] == ["done", "done"]


class TestAnswers:
    def test_an_acknowledged_round_tells_nobody_else(self) -> None:
        round_ = acknowledge(tell(a_round(), 1, after(0)), by=ANN, at=after(5))

        assert round_.status is Status.ACKNOWLEDGED
        assert round_.answer == Answer(ANN, after(5))
        assert [step.state for step in round_.steps] == ["done", "cancelled", "cancelled"]
        assert numbers(round_, after(10_000)) == []
        assert next_due_at(round_) is None

    def test_a_worker_that_comes_after_the_acknowledgement_changes_nothing(self) -> None:
        before = a_round()
        round_ = acknowledge(before, by=ANN, at=after(15))

        assert told(round_, before.steps[0], Outcome.NOBODY, after(16)) is round_
        assert hasten(round_, 1, after(16)) is round_

    def test_the_first_acknowledgement_counts(self) -> None:
        round_ = acknowledge(a_round(), by=ANN, at=after(5))

        assert acknowledge(round_, by=BEN, at=after(6)) is round_

    def test_a_resolved_round_is_over(self) -> None:
        round_ = resolve(acknowledge(a_round(), by=ANN, at=after(5)), by=BEN, at=after(9))

        assert round_.status is Status.RESOLVED
        assert round_.answer == Answer(BEN, after(9))
        assert next_due_at(round_) is None
        assert acknowledge(round_, by=ANN, at=after(10)) is round_
        assert resolve(round_, by=ANN, at=after(10)) is round_
        assert passed_on(round_, after(10)) is round_

    def test_a_resolved_round_that_nobody_acknowledged_tells_nobody_else(self) -> None:
        assert next_due_at(resolve(a_round(), by=ANN, at=after(1))) is None

    def test_a_hand_over_tells_that_person_at_once_and_counts_from_there(self) -> None:
        round_ = passed_on(tell(a_round(), 1, after(0)), after(10))

        (step,) = due(round_, after(10))
        assert (step.number, step.who, step.named) == (4, Who.NAMED, BEN)
        assert step.channels == tuple(Channel)
        assert [step.state for step in round_.steps[:3]] == ["done", "cancelled", "cancelled"]
        assert [(step.who, step.due_at) for step in round_.steps[4:]] == [
            (Who.NEXT, after(25)),
            (Who.ADMINISTRATORS, after(40)),
        ]
        assert round_.answer == Answer(ANN, after(10), BEN)

    def test_a_hand_over_that_is_sent_twice_is_one(self) -> None:
        round_ = passed_on(a_round(), after(10))

        assert passed_on(round_, after(10)) is round_

    def test_a_hand_over_has_yet_to_be_acknowledged_even_if_the_round_was(self) -> None:
        round_ = passed_on(acknowledge(a_round(), by=ANN, at=after(5)), after(600))

        assert round_.status is Status.OPEN
        assert numbers(round_, after(630)) == [4, 5, 6]
        assert acknowledge(round_, by=BEN, at=after(601)).answer == Answer(BEN, after(601))

    def test_a_hand_over_does_not_skip_what_a_worker_still_owes(self) -> None:
        round_ = passed_on(a_round(), after(20))

        assert numbers(round_, after(20)) == [1, 2, 4]
        assert round_.steps[2].state is StepState.CANCELLED

    def test_a_hand_over_to_somebody_who_is_gone_comes_to_the_next_at_once(self) -> None:
        round_ = passed_on(tell(a_round(), 1, after(0)), after(10))

        round_ = tell(round_, 4, after(11), Outcome.NOBODY)

        assert numbers(round_, after(11)) == [5]

    def test_a_dead_channel_of_before_hastens_nothing_once_the_named_person_is_told(self) -> None:
        round_ = tell(passed_on(tell(a_round(), 1, after(0)), after(10)), 4, after(10))

        assert hasten(round_, 1, after(11)) is round_

    def test_a_hand_over_of_a_low_level_keeps_the_message_at_the_next_coverage(self) -> None:
        round_ = passed_on(a_round(Level.LOW), after(10))

        assert [(step.who, step.due_at) for step in round_.steps[2:]] == [
            (Who.NAMED, after(10)),
            (Who.CARE_TEAM, at("2026-03-05T08:00")),
        ]

    def test_a_hand_over_goes_through_a_plan_without_a_care_team_from_its_beginning(self) -> None:
        policy = a_policy((Who.NEXT, 0, Hours.AT_ALL_HOURS))

        round_ = passed_on(tell(a_round(policy=policy), 1, after(0)), after(10), policy)

        assert [step.who for step in round_.steps[1:]] == [Who.NAMED, Who.NEXT]

    @pytest.mark.parametrize(
        ("earlier", "evidence", "becomes"),
        [
            ("low", "high", "high"),
            ("moderate", "moderate", "moderate"),
            ("high", "low", "high"),
        ],
    )
    def test_new_evidence_replaces_the_plan_and_never_lowers_the_level(
        self, earlier: str, evidence: str, becomes: str
    ) -> None:
        before = a_round(Level(earlier))

        ended, begun = begin_again(before, shipped(), Level(evidence), after(7), OFFICE, BERLIN)

        assert ended.status is Status.REPLACED
        assert next_due_at(ended) is None
        assert (begun.number, begun.level, begun.status) == (2, becomes, Status.OPEN)
        assert begun == begin(shipped(), Level(becomes), after(7), OFFICE, BERLIN, number=2)
        assert acknowledge(ended, by=ANN, at=after(8)) is ended


TOLD_OR_NOT = st.sampled_from(Outcome)


class Escalation(RuleBasedStateMachine):
    """A round between workers that read, tell, die and come late, and people who answer.

    What a worker read may be older than what it writes to; a telling counts if its row could
    still be turned from planned to done, as a conditional update does.
    """

    @initialize(level=st.sampled_from(FLAGGED))
    def a_flag_is_raised(self, level: Level) -> None:
        self.now = WEDNESDAY_NOON
        self._begins(a_round(level))

    def _begins(self, round_: Round) -> None:
        self.round = round_
        self.read_by_workers: list[PlannedStep] = []
        self.told: Counter[int] = Counter()
        self.settled: dict[int, PlannedStep] = {}

    @rule(minutes=st.sampled_from([1, 14, 15, 60, 24 * 60]))
    def time_passes(self, minutes: int) -> None:
        self.now += minutes * MINUTE

    @rule()
    def a_worker_reads_what_is_due(self) -> None:
        self.read_by_workers.extend(due(self.round, self.now))

    @precondition(lambda self: self.read_by_workers)
    @rule(data=st.data(), outcome=TOLD_OR_NOT, again=st.booleans())
    def a_worker_writes(self, data: st.DataObject, outcome: Outcome, again: bool) -> None:
        place = data.draw(st.integers(0, len(self.read_by_workers) - 1))
        step = self.read_by_workers[place] if again else self.read_by_workers.pop(place)
        self._tell(step, outcome)

    @precondition(lambda self: self.read_by_workers)
    @rule()
    def the_workers_die(self) -> None:
        self.read_by_workers.clear()

    @rule()
    def everything_starts_anew_from_the_rows(self) -> None:
        rows = [
            (step.number, step.who.value, step.channels, step.due_at, step.named, step.state.value)
            for step in self.round.steps
        ]
        stored = self.round
        self.round = Round(
            number=stored.number,
            level=Level(stored.level.value),
            status=Status(stored.status.value),
            steps=tuple(
                PlannedStep(number, Who(who), channels, due_at, named, StepState(state))
                for number, who, channels, due_at, named, state in rows
            ),
            answer=stored.answer,
        )
        self.read_by_workers.clear()

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def a_channel_turns_out_dead(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.told)))
        before = self.round.steps
        self.round = hasten(self.round, number, self.now)
        assert all(
            new.due_at <= old.due_at for new, old in zip(self.round.steps, before, strict=True)
        )

    @rule()
    def somebody_acknowledges(self) -> None:
        self.round = acknowledge(self.round, by=ANN, at=self.now)

    @rule()
    def somebody_hands_over(self) -> None:
        owed = due(self.round, self.now)
        self.round = passed_on(self.round, self.now)
        assert set(owed) <= set(due(self.round, self.now))

    @precondition(lambda self: len(self.told) > 2 and self.round.status is not Status.RESOLVED)
    @rule(level=st.sampled_from(FLAGGED))
    def there_is_new_evidence(self, level: Level) -> None:
        ended, begun = begin_again(self.round, shipped(), level, self.now, OFFICE, BERLIN)
        for step in self.read_by_workers:
            assert told(ended, step, Outcome.NOBODY, self.now) is ended
        assert next_due_at(ended) is None
        self._begins(begun)

    # Rare, as it is the end of the walk.
    @precondition(lambda self: len(self.told) > 4)
    @rule()
    def somebody_resolves(self) -> None:
        self.round = resolve(self.round, by=ANN, at=self.now)

    @invariant()
    def no_step_is_told_twice_and_each_that_is_done_was_told(self) -> None:
        done = {step.number for step in self.round.steps if step.state is StepState.DONE}
        assert self.told == Counter(done)

    @invariant()
    def what_is_done_or_cancelled_stays_as_it_is(self) -> None:
        settled = {
            step.number: step for step in self.round.steps if step.state is not StepState.PLANNED
        }
        assert self.settled.items() <= settled.items()
        self.settled = settled

    @invariant()
    def numbers_have_no_gaps(self) -> None:
        assert [step.number for step in self.round.steps] == list(
            range(1, len(self.round.steps) + 1)
        )

    @invariant()
    def nothing_is_due_once_somebody_has_it_in_hand(self) -> None:
        if self.round.status is not Status.OPEN:
            assert due(self.round, self.now + timedelta(days=365)) == ()

    @invariant()
    def the_next_instant_is_that_of_the_first_step_that_is_left(self) -> None:
        soonest = next_due_at(self.round)
        if soonest is not None:
            assert due(self.round, soonest)
            assert not due(self.round, soonest - timedelta(microseconds=1))

    def teardown(self) -> None:
        """Whatever happened, a worker that goes on does all that is left, and then is done."""
        for step in self.round.steps:
            if self.round.status is Status.OPEN and step.state is StepState.CANCELLED:
                # Only a hand-over cancels in an open round, and it plans anew.
                assert any(later.who is Who.NAMED for later in self.round.steps[step.number :])
        self.now += timedelta(days=30)
        while ready := due(self.round, self.now):
            self._tell(ready[0], Outcome.TOLD)
        self.no_step_is_told_twice_and_each_that_is_done_was_told()
        assert next_due_at(self.round) is None

    def _tell(self, step: PlannedStep, outcome: Outcome) -> None:
        before = self.round
        self.round = told(before, step, outcome, self.now)
        was = before.steps[step.number - 1].state
        became = self.round.steps[step.number - 1].state
        if was is not StepState.PLANNED:
            assert self.round is before
        elif became is StepState.DONE:
            self.told[step.number] += 1
            later = [
                step.state for step in self.round.steps[step.number :] if step.state != "cancelled"
            ]
            # Where nobody was told, somebody will be or was: nothing ends with nobody.
            assert later or outcome is not Outcome.NOBODY
        else:
            # Only where there was not even an administrator is a step left to do again.
            assert (became, outcome, step.who) == (was, Outcome.NOBODY, Who.ADMINISTRATORS)


class TestLaws:
    def test_no_interleaving_skips_or_doubles_a_step(self) -> None:
        run_state_machine_as_test(
            Escalation,
            settings=hypothesis_settings(max_examples=100, stateful_step_count=30, deadline=None),
        )

    @UNHURRIED
    @given(st.sampled_from(FLAGGED), st.permutations([0, 1, 2]), st.integers(0, 3))
    def test_a_round_is_the_same_made_again_from_the_numbers_that_are_done(
        self, level: Level, order: list[int], how_many: int
    ) -> None:
        planned = a_round(level)
        done = [place + 1 for place in order if place < len(planned.steps)][:how_many]
        round_ = planned
        for number in done:
            round_ = tell(round_, number, after(100))

        rebuilt = a_round(level)
        for number in sorted(done):
            rebuilt = tell(rebuilt, number, after(500))

        assert rebuilt == round_

    @UNHURRIED
    @given(st.sampled_from(FLAGGED), st.lists(st.integers(0, 5000), min_size=2, max_size=6))
    def test_what_is_due_stays_due_until_it_is_done(self, level: Level, minutes: list[int]) -> None:
        round_ = a_round(level)
        earlier: set[int] = set()
        for minute in sorted(minutes):
            now = set(numbers(round_, after(minute)))
            assert earlier <= now
            earlier = now


DOCUMENT = as_dict(shipped())


def document() -> dict[str, Any]:
    return deepcopy(DOCUMENT)


def a_step(**changes: Any) -> dict[str, Any]:
    whole = {
        "who": "next",
        "after_minutes": 60,
        "hours": "at-all-hours",
        "channels": ["inbox", "email"],
        **changes,
    }
    return {member: value for member, value in whole.items() if value is not ...}


def with_steps(level: str, *given_steps: Any) -> dict[str, Any]:
    sent = document()
    sent["levels"][level] = list(given_steps)
    return sent


def refusal(content: Any) -> dict[str, str]:
    with pytest.raises(PolicyRefused) as refused:
        read(content)
    return dict(refused.value.errors)


class TestReading:
    def test_a_policy_is_read_as_it_is_written(self) -> None:
        sent = with_steps("low", a_step(channels=["email", "inbox"], hours="next-coverage"))

        policy = read(sent)

        assert policy.levels[Level.LOW] == (
            Step(Who.NEXT, 60, Hours.NEXT_COVERAGE, (Channel.INBOX, Channel.EMAIL)),
        )
        assert policy.levels[Level.HIGH] == shipped().levels[Level.HIGH]

    @UNHURRIED
    @given(st.data())
    def test_a_policy_is_written_as_it_was_read(self, data: st.DataObject) -> None:
        minutes = data.draw(st.lists(st.integers(0, MOST_MINUTES), min_size=1, max_size=MOST_STEPS))
        sent = with_steps(
            "moderate",
            *(
                a_step(
                    who=data.draw(st.sampled_from(["care-team", "next", "administrators"])),
                    after_minutes=minute,
                    hours=data.draw(st.sampled_from([hours.value for hours in Hours])),
                    channels=["inbox", *data.draw(st.sampled_from([[], ["email"], ["stream"]]))],
                )
                for minute in sorted(minutes)
            ),
        )

        assert as_dict(read(sent)) == sent

    @pytest.mark.parametrize("content", [None, [], "high", 7])
    def test_what_is_no_object_is_refused(self, content: Any) -> None:
        assert refusal(content) == {"": "must be an object"}

    @pytest.mark.parametrize(
        ("member", "value", "pointer"),
        [
            ("source", None, "/source"),
            ("source", "  ", "/source"),
            ("source", "two\nlines", "/source"),
            ("source", "\ud800", "/source"),
            ("source", "x" * 1001, "/source"),
            ("convention", 1, "/convention"),
            ("convention", None, "/convention"),
            ("levels", None, "/levels"),
            ("levels", [], "/levels"),
            ("title", "Ours", ""),
        ],
        ids=[
            "no source",
            "an empty source",
            "two lines",
            "half a character",
            "a long source",
            "a number for a truth",
            "no truth",
            "no levels",
            "a list of levels",
            "an unknown member",
        ],
    )
    def test_the_place_of_what_is_wrong_is_named(
        self, member: str, value: object, pointer: str
    ) -> None:
        assert list(refusal({**document(), member: value})) == [pointer]

    def test_the_longest_source_is_read(self) -> None:
        assert read({**document(), "source": "x" * 1000}).source == "x" * 1000

    def test_everything_that_is_wrong_is_named_at_once(self) -> None:
        sent = {"source": 1, "convention": "yes", "levels": {}}

        assert list(refusal(sent)) == [
            "/source",
            "/convention",
            "/levels/high",
            "/levels/moderate",
            "/levels/low",
        ]

    @pytest.mark.parametrize("level", ["high", "moderate", "low"])
    @pytest.mark.parametrize("how_many", [0, 21])
    def test_a_level_has_one_step_to_twenty(self, level: str, how_many: int) -> None:
        first = a_step(after_minutes=0)

        assert refusal(with_steps(level, *[first] * how_many)) == {
            f"/levels/{level}": "must be a list of 1 to 20 steps"
        }
        assert len(read(with_steps(level, *[first] * 20)).levels[Level(level)]) == 20

    def test_no_level_is_unknown(self) -> None:
        assert refusal(with_steps("none", a_step())) == {
            "/levels": "may only have: high, moderate, low"
        }

    @pytest.mark.parametrize(
        ("step", "pointer"),
        [
            (None, ""),
            (a_step(comment="x"), ""),
            (a_step(who=...), "/who"),
            (a_step(who="named"), "/who"),
            (a_step(who=["next"]), "/who"),
            (a_step(after_minutes=...), "/after_minutes"),
            (a_step(after_minutes=-1), "/after_minutes"),
            (a_step(after_minutes=10_081), "/after_minutes"),
            (a_step(after_minutes=True), "/after_minutes"),
            (a_step(after_minutes=1.0), "/after_minutes"),
            (a_step(after_minutes="1"), "/after_minutes"),
            (a_step(hours=...), "/hours"),
            (a_step(hours="sometimes"), "/hours"),
            (a_step(channels=...), "/channels"),
            (a_step(channels=[]), "/channels"),
            (a_step(channels=[*ALL_CHANNELS, "inbox"]), "/channels"),
            (a_step(channels=["email"]), "/channels"),
            (a_step(channels=["inbox", "inbox"]), "/channels/1"),
            (a_step(channels=["inbox", "pager"]), "/channels/1"),
            (a_step(channels=["inbox", {}]), "/channels/1"),
        ],
        ids=str,
    )
    def test_a_step_is_read_strictly(self, step: Any, pointer: str) -> None:
        assert list(refusal(with_steps("moderate", step))) == [f"/levels/moderate/0{pointer}"]

    def test_the_furthest_minute_and_every_channel_are_read(self) -> None:
        sent = with_steps("low", a_step(after_minutes=10_080, channels=ALL_CHANNELS))

        assert as_dict(read(sent)) == sent

    def test_steps_stand_in_order(self) -> None:
        sent = with_steps(
            "low",
            a_step(after_minutes=10),
            a_step(after_minutes=10),
            a_step(after_minutes=9),
        )

        assert refusal(sent) == {
            "/levels/low/2/after_minutes": (
                "must be a whole number from 10 to 10080, as steps stand in order"
            )
        }

    def test_a_high_level_is_told_within_five_minutes_at_all_hours(self) -> None:
        for hours in ("within-coverage", "next-coverage"):
            sent = with_steps("high", a_step(after_minutes=6, hours=hours))
            assert list(refusal(sent)) == ["/levels/high/0/after_minutes", "/levels/high/0/hours"]

        sent = with_steps("high", a_step(after_minutes=5), a_step(hours="within-coverage"))
        assert as_dict(read(sent)) == sent

    def test_a_hundred_things_that_are_wrong_are_enough(self) -> None:
        sent = document()
        for level in sent["levels"]:
            sent["levels"][level] = [a_step(channels=["fax"] * 5)] * 20

        with pytest.raises(PolicyRefused) as refused:
            read(sent)

        assert len(refused.value.errors) == 100

    def test_a_refusal_does_not_repeat_what_was_sent(self) -> None:
        sent = with_steps("low", a_step(who="canary", hours="canary", channels=["canary"]))

        with pytest.raises(PolicyRefused) as refused:
            read({**sent, "canary": 1})

        assert "canary" not in str(refused.value)
        assert str(refused.value).startswith("/ may only have")
