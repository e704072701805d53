"""What a practice expects, and how what was done is counted."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.faults import Fault
from app.clinical.practice import (
    CONVENTIONS,
    FORGIVEN_IN,
    Adherence,
    Kept,
    Kind,
    Pause,
    Schedule,
    Streak,
    adherence,
    expected,
    is_due,
    schedule_fault,
    streak,
    tick_fault,
    week_name,
    week_of,
)

law = settings(deadline=None)

MONDAY = date(2026, 3, 2)
SUNDAY = date(2026, 3, 8)
TODAY = date(2026, 3, 31)


def daily(**changes: object) -> Schedule:
    return replace(Schedule(kind=Kind.DAILY, from_on=MONDAY), **changes)  # type: ignore[arg-type]


def on_weekdays(*weekdays: int) -> Schedule:
    return Schedule(kind=Kind.WEEKDAYS, from_on=MONDAY, weekdays=frozenset(weekdays))


def times_a_week(times: int, from_on: date = MONDAY) -> Schedule:
    return Schedule(kind=Kind.TIMES_A_WEEK, from_on=from_on, times=times)


def every(days: int) -> Schedule:
    return Schedule(kind=Kind.EVERY_N_DAYS, from_on=MONDAY, every=days)


def march(*days: int) -> frozenset[date]:
    return frozenset(date(2026, 3, day) for day in days)


def done(*days: int, skipped: Iterable[int] = ()) -> Kept:
    """Ticked and skipped on days of March 2026, of which the second is a Monday."""
    return Kept(march(*days), march(*skipped))


def in_march(day: int) -> date:
    return date(2026, 3, day)


pauses = st.lists(st.integers(-10, 60), max_size=4, unique=True).map(
    lambda bounds: tuple(
        Pause(MONDAY + timedelta(days=first), MONDAY + timedelta(days=last))
        for first, last in zip(sorted(bounds)[::2], sorted(bounds)[1::2], strict=False)
    )
)
schedules = st.builds(
    lambda schedule, pauses, lasts: replace(
        schedule,
        pauses=pauses,
        until_on=None if lasts is None else MONDAY + timedelta(days=lasts),
    ),
    st.one_of(
        st.just(daily()),
        st.sets(st.integers(1, 7), min_size=1).map(lambda days: on_weekdays(*days)),
        st.integers(1, 7).map(times_a_week),
        st.integers(1, 90).map(every),
    ),
    pauses,
    st.none() | st.integers(0, 60),
)
some_dates = st.frozensets(st.integers(-10, 60).map(lambda day: MONDAY + timedelta(days=day)))
records = st.builds(Kept, some_dates, some_dates)
todays = st.integers(0, 60).map(lambda day: MONDAY + timedelta(days=day))


class TestExpected:
    def test_daily_is_every_date_from_the_first_to_the_last_both_included(self) -> None:
        schedule = daily(from_on=in_march(3), until_on=in_march(5))

        assert expected(schedule, MONDAY, SUNDAY) == 3

    def test_named_weekdays_are_iso_weekdays(self) -> None:
        assert expected(on_weekdays(1, 7), MONDAY, SUNDAY) == 2
        assert on_weekdays(7).is_expected(SUNDAY)
        assert not on_weekdays(7).is_expected(MONDAY)

    def test_every_n_days_counts_from_the_first_and_a_pause_does_not_move_it(self) -> None:
        schedule = replace(every(3), pauses=(Pause(in_march(4), in_march(6)),))
        dates = [day for day in range(1, 16) if schedule.is_expected(in_march(day))]

        assert dates == [2, 8, 11, 14]

    def test_part_of_a_week_expects_its_share_rounded_down(self) -> None:
        assert expected(times_a_week(3), MONDAY, SUNDAY) == 3
        assert expected(times_a_week(3), MONDAY, in_march(6)) == 2
        assert expected(times_a_week(3), MONDAY, in_march(3)) == 0

    def test_a_pause_without_an_end_expects_nothing_more(self) -> None:
        schedule = daily(pauses=(Pause(in_march(4)),))

        assert expected(schedule, MONDAY, TODAY) == 2

    def test_the_night_the_clocks_change_is_a_date_like_any_other(self) -> None:
        assert expected(daily(), in_march(28), in_march(30)) == 3

    @law
    @given(schedules, todays, st.integers(0, 40))
    def test_never_more_than_there_are_dates(
        self, schedule: Schedule, first: date, days: int
    ) -> None:
        assert 0 <= expected(schedule, first, first + timedelta(days=days)) <= days + 1


class TestDue:
    def test_it_is_due_until_it_is_ticked_or_skipped(self) -> None:
        assert is_due(daily(), done(1), MONDAY)
        assert not is_due(daily(), done(2), MONDAY)
        assert not is_due(daily(), done(skipped=[2]), MONDAY)

    def test_it_is_not_due_on_a_date_on_which_it_is_not_expected(self) -> None:
        assert not is_due(on_weekdays(3), done(), MONDAY)
        assert not is_due(daily(), done(), MONDAY - timedelta(days=1))

    def test_times_a_week_are_due_until_the_iso_week_has_them(self) -> None:
        assert is_due(times_a_week(2), done(2), SUNDAY)
        assert not is_due(times_a_week(2), done(2, 3), SUNDAY)
        assert not is_due(times_a_week(2), done(2, skipped=[3]), SUNDAY)
        assert is_due(times_a_week(2), done(2, 3), in_march(9))


class TestAdherence:
    def test_seven_dates_that_end_on_a_date(self) -> None:
        kept = done(1, 2, 4, 5, 8)

        assert adherence(daily(), kept, last=SUNDAY, today=TODAY) == Adherence(
            days=7, done=4, expected=7, skipped=0, beside=0, proportion=4 / 7
        )

    def test_twenty_eight_dates(self) -> None:
        found = adherence(on_weekdays(1), done(2, 9, 23), last=in_march(29), today=TODAY, days=28)

        assert (found.done, found.expected, found.proportion) == (3, 4, 0.75)

    def test_nothing_expected_has_no_proportion(self) -> None:
        found = adherence(daily(), done(), last=in_march(1), today=TODAY)

        assert found == Adherence(7, 0, 0, 0, 0, None)

    def test_a_skip_with_a_reason_is_neither_done_nor_held_against(self) -> None:
        found = adherence(daily(), done(2, 3, skipped=[4, 5, 6, 7, 8]), last=SUNDAY, today=TODAY)

        assert found == Adherence(7, 2, 2, 5, 0, 1.0)

    def test_a_date_that_was_ticked_and_skipped_was_done(self) -> None:
        found = adherence(daily(), done(2, skipped=[2]), last=SUNDAY, today=TODAY)

        assert (found.done, found.skipped) == (1, 0)

    def test_today_is_held_against_nobody(self) -> None:
        yesterday_done = done(2, 3, 4, 5, 6, 7)

        assert adherence(daily(), yesterday_done, last=SUNDAY, today=SUNDAY).proportion == 1
        assert adherence(daily(), done(8), last=SUNDAY, today=SUNDAY).expected == 7
        skipped_today = adherence(daily(), done(skipped=[8]), last=SUNDAY, today=SUNDAY)
        assert (skipped_today.expected, skipped_today.skipped) == (6, 1)

    def test_what_was_done_on_another_date_is_told_beside(self) -> None:
        found = adherence(on_weekdays(1), done(2, 3, 4), last=SUNDAY, today=TODAY)

        assert (found.done, found.expected, found.beside) == (1, 1, 2)

    def test_one_full_week_does_not_make_up_for_an_empty_one(self) -> None:
        found = adherence(
            times_a_week(3), done(2, 3, 4, 5, 6, 7), last=in_march(29), today=TODAY, days=28
        )

        assert (found.done, found.expected, found.beside) == (3, 12, 3)

    def test_skips_of_times_a_week_never_hide_what_was_done(self) -> None:
        kept = done(2, 3, skipped=[4, 5, 6])

        found = adherence(times_a_week(3), kept, last=SUNDAY, today=TODAY)

        assert (found.done, found.expected, found.skipped, found.proportion) == (2, 2, 3, 1)

    @law
    @given(schedules, records, todays, todays, st.sampled_from([7, 28]))
    def test_the_proportion_lies_between_0_and_1(
        self, schedule: Schedule, kept: Kept, last: date, today: date, days: int
    ) -> None:
        found = adherence(schedule, kept, last=last, today=today, days=days)

        assert 0 <= found.done <= found.expected <= days
        assert found.beside >= 0
        assert (found.proportion is None) == (found.expected == 0)
        assert found.proportion is None or 0 <= found.proportion <= 1

    @law
    @given(schedules, records, todays, todays)
    def test_one_more_tick_never_lowers_what_was_done(
        self, schedule: Schedule, kept: Kept, last: date, ticked: date
    ) -> None:
        more = Kept(kept.done_on | {ticked}, kept.skipped_on)

        before = adherence(schedule, kept, last=last, today=TODAY)
        after = adherence(schedule, more, last=last, today=TODAY)

        assert after.done >= before.done

    @pytest.mark.parametrize("days", [-7, 0, 10])
    def test_days_are_whole_weeks(self, days: int) -> None:
        with pytest.raises(ValueError, match="multiple of 7"):
            adherence(daily(), done(), last=SUNDAY, today=TODAY, days=days)


class TestStreak:
    def test_dates_in_a_row(self) -> None:
        assert streak(daily(), done(2, 3, 4), in_march(4)) == Streak(3, "dates", 0)

    def test_today_may_still_come(self) -> None:
        assert streak(daily(), done(2, 3, 4), in_march(5)) == Streak(3, "dates", 0)

    def test_one_missed_date_in_seven_is_forgiven(self) -> None:
        assert streak(daily(), done(2, 3, 5, 6), in_march(6)) == Streak(4, "dates", 1)

    def test_two_missed_dates_in_seven_are_not(self) -> None:
        assert streak(daily(), done(2, 3, 5, 6, 8), in_march(8)) == Streak(3, "dates", 1)
        assert streak(daily(), done(2, 3, 4), in_march(7)) == Streak(0, "dates", 0)

    def test_the_second_miss_may_come_after_seven(self) -> None:
        kept = done(2, 4, 5, 6, 7, 8, 9, 11)

        assert streak(daily(), kept, in_march(11)) == Streak(8, "dates", 2)

    def test_a_skip_with_a_reason_and_a_pause_are_no_misses(self) -> None:
        schedule = daily(pauses=(Pause(in_march(5), in_march(20)),))

        assert streak(schedule, done(2, 21, skipped=[3, 4]), in_march(21)).length == 2

    def test_a_weekly_practice_forgives_one_monday_in_seven(self) -> None:
        assert streak(on_weekdays(1), done(2, 16, 23), in_march(29)) == Streak(3, "dates", 1)
        assert streak(on_weekdays(1), done(2, 23), in_march(29)) == Streak(1, "dates", 0)

    def test_times_a_week_are_counted_in_weeks(self) -> None:
        kept = done(2, 3, 9, 15, 16, 23, 24)

        assert streak(times_a_week(2), kept, in_march(22)) == Streak(2, "weeks", 0)
        assert streak(times_a_week(2), kept, in_march(29)) == Streak(3, "weeks", 1)

    def test_a_week_that_was_skipped_pauses_the_streak(self) -> None:
        kept = done(2, 3, 16, 17, skipped=[9, 10])

        assert streak(times_a_week(2), kept, in_march(22)) == Streak(2, "weeks", 0)

    def test_nothing_done_is_no_streak(self) -> None:
        assert streak(daily(), done(), TODAY).length == 0
        assert streak(times_a_week(1), done(), TODAY).length == 0

    def test_a_practice_since_the_first_date_there_is_ends_somewhere(self) -> None:
        since_ever = times_a_week(1, from_on=date.min)

        assert streak(since_ever, Kept(frozenset({date.min})), date(1, 1, 8)).length == 1

    @law
    @given(schedules, records, todays, st.data())
    def test_a_streak_never_grows_by_missing(
        self, schedule: Schedule, kept: Kept, today: date, data: st.DataObject
    ) -> None:
        missed = data.draw(st.sampled_from(sorted(kept.done_on) or [today]))
        without = Kept(kept.done_on - {missed}, kept.skipped_on - {missed})

        shorter = streak(schedule, without, today)

        assert shorter.length <= streak(schedule, kept, today).length

    @law
    @given(records, todays)
    def test_it_is_the_longest_run_in_which_no_seven_miss_more_than_one(
        self, kept: Kept, today: date
    ) -> None:
        days = [MONDAY + timedelta(days=day) for day in range((today - MONDAY).days + 1)]
        occasions = [
            day in kept.done_on
            for day in days
            if not kept.is_skipped(day) and (day in kept.done_on or day < today)
        ]
        runs = [occasions[start:] for start in range(len(occasions) + 1)]
        forgiving = [
            sum(run)
            for run in runs
            if all(run[start : start + FORGIVEN_IN].count(False) <= 1 for start in range(len(run)))
        ]

        assert streak(daily(), kept, today).length == max(forgiving)


class TestFaults:
    @pytest.mark.parametrize(
        "schedule",
        [
            daily(until_on=MONDAY),
            on_weekdays(1, 7),
            every(1),
            every(90),
            times_a_week(1),
            times_a_week(7),
            daily(pauses=(Pause(MONDAY, MONDAY), Pause(in_march(3)))),
        ],
    )
    def test_what_makes_sense_will_do(self, schedule: Schedule) -> None:
        assert schedule_fault(schedule) is None

    @pytest.mark.parametrize(
        ("schedule", "pointer"),
        [
            (on_weekdays(), "/weekdays"),
            (on_weekdays(0, 1), "/weekdays"),
            (on_weekdays(8), "/weekdays"),
            (daily(weekdays=frozenset({1})), "/weekdays"),
            (every(0), "/every"),
            (every(91), "/every"),
            (daily(every=2), "/every"),
            (Schedule(kind=Kind.EVERY_N_DAYS, from_on=MONDAY), "/every"),
            (times_a_week(0), "/times"),
            (times_a_week(8), "/times"),
            (daily(times=2), "/times"),
            (Schedule(kind=Kind.TIMES_A_WEEK, from_on=MONDAY), "/times"),
            (daily(until_on=in_march(1)), "/until_on"),
            (daily(pauses=(Pause(SUNDAY, MONDAY),)), "/pauses/0/last_on"),
            (daily(pauses=(Pause(MONDAY), Pause(SUNDAY))), "/pauses/1/first_on"),
            (daily(pauses=(Pause(MONDAY, SUNDAY), Pause(SUNDAY))), "/pauses/1/first_on"),
        ],
    )
    def test_the_first_thing_wrong_is_named(self, schedule: Schedule, pointer: str) -> None:
        fault = schedule_fault(schedule)

        assert fault is not None
        assert fault.pointer == pointer

    def test_a_tick_of_tomorrow_is_refused(self) -> None:
        assert tick_fault(SUNDAY, SUNDAY) is None
        assert tick_fault(in_march(9), SUNDAY) == Fault("/on", "must not lie in the future")


class TestWeeks:
    def test_weeks_begin_on_monday_and_end_on_sunday(self) -> None:
        assert week_of(MONDAY) == week_of(SUNDAY) == (MONDAY, SUNDAY)

    @pytest.mark.parametrize(
        ("day", "name"),
        [
            (date(2025, 12, 29), "2026-W01"),
            (date(2027, 1, 3), "2026-W53"),
            (date(2027, 1, 4), "2027-W01"),
        ],
    )
    def test_a_week_belongs_to_the_year_of_its_thursday(self, day: date, name: str) -> None:
        assert week_name(day) == name

    def test_our_own_choices_are_marked(self) -> None:
        assert all("our convention" in sentence for sentence in CONVENTIONS)
