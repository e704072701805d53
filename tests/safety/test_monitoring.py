"""The honest sentence, at every hour: on duty, off duty, on holidays, when clocks are changed."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.people.clinics import WEEKDAYS_NINE_TO_FIVE
from app.safety.monitoring import Duty, duty, statement

OFFICE = json.dumps(WEEKDAYS_NINE_TO_FIVE)
BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def hours(*, holidays: tuple[str, ...] = (), **by_day: list[list[str]]) -> str:
    return json.dumps({"hours": by_day, "holidays": list(holidays)})


def on(days: tuple[str, ...], *shifts: tuple[str, str], holidays: tuple[str, ...] = ()) -> str:
    """Coverage with the same shifts on several days."""
    return hours(holidays=holidays, **{day: [list(shift) for shift in shifts] for day in days})


def every_day(begins: str, ends: str) -> str:
    return on(DAYS, (begins, ends))


def at(text: str) -> datetime:
    """An instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(found: Duty) -> str:
    """When it changes, as the wall clock of the clinic shows it."""
    assert found.changes_at is not None
    return f"{found.changes_at:%a %d %b %H:%M %Z}"


def say(coverage: str, zone: str, now: datetime, **changes: Any) -> str:
    facts: dict[str, Any] = {
        "clinic_name": "Lantern Clinic",
        "is_flagged": True,
        "is_worker_silent": False,
    }
    return statement(coverage=coverage, time_zone=zone, now=now, **(facts | changes))


class TestDuty:
    @pytest.mark.parametrize(
        ("now", "is_on", "changes"),
        [
            ("2026-03-04T07:59", False, "Wed 04 Mar 09:00 CET"),
            ("2026-03-04T08:00", True, "Wed 04 Mar 17:00 CET"),
            ("2026-03-04T15:59", True, "Wed 04 Mar 17:00 CET"),
            ("2026-03-04T16:00", False, "Thu 05 Mar 09:00 CET"),
            ("2026-03-06T16:00", False, "Mon 09 Mar 09:00 CET"),
            ("2026-03-08T12:00", False, "Mon 09 Mar 09:00 CET"),
        ],
    )
    def test_on_the_minute_it_begins_and_ends(self, now: str, is_on: bool, changes: str) -> None:
        found = duty(OFFICE, BERLIN, at(now))

        assert (found.is_on, local(found)) == (is_on, changes)

    @pytest.mark.parametrize(
        ("now", "is_on", "changes"),
        [
            # Clocks go forward in the night to Sunday 29 March and back to Sunday 25 October.
            ("2026-03-27T08:00", True, "Fri 27 Mar 17:00 CET"),
            ("2026-03-27T16:30", False, "Mon 30 Mar 09:00 CEST"),
            ("2026-03-30T07:00", True, "Mon 30 Mar 17:00 CEST"),
            ("2026-03-30T06:59", False, "Mon 30 Mar 09:00 CEST"),
            ("2026-10-23T07:00", True, "Fri 23 Oct 17:00 CEST"),
            ("2026-10-23T15:00", False, "Mon 26 Oct 09:00 CET"),
            ("2026-10-26T07:59", False, "Mon 26 Oct 09:00 CET"),
            ("2026-10-26T08:00", True, "Mon 26 Oct 17:00 CET"),
        ],
    )
    def test_it_goes_by_the_clock_on_the_clinic_s_wall(
        self, now: str, is_on: bool, changes: str
    ) -> None:
        found = duty(OFFICE, BERLIN, at(now))

        assert (found.is_on, local(found)) == (is_on, changes)

    @pytest.mark.parametrize(
        ("now", "is_on"),
        [
            ("2026-03-28T20:59", False),
            ("2026-03-28T21:00", True),
            ("2026-03-29T00:59", True),
            ("2026-03-29T01:00", True),
            ("2026-03-29T03:59", True),
            ("2026-03-29T04:00", False),
            ("2026-10-24T20:00", True),
            ("2026-10-25T00:30", True),
            ("2026-10-25T01:30", True),
            ("2026-10-25T04:59", True),
            ("2026-10-25T05:00", False),
        ],
    )
    def test_a_night_shift_is_an_hour_shorter_or_longer_when_clocks_are_changed(
        self, now: str, is_on: bool
    ) -> None:
        assert duty(every_day("22:00", "06:00"), BERLIN, at(now)).is_on == is_on

    def test_an_hour_that_the_clocks_skip_is_named_as_the_wall_shows_it(self) -> None:
        found = duty(every_day("02:30", "12:00"), NEW_YORK, at("2026-03-08T06:00"))

        # 02:30 does not exist on this day; the wall goes from 02:00 to 03:00.
        assert (found.is_on, local(found)) == (False, "Sun 08 Mar 03:30 EDT")

    def test_a_night_shift_that_began_yesterday_still_counts(self) -> None:
        found = duty(hours(sun=[["22:00", "06:00"]]), BERLIN, at("2026-03-09T04:00"))

        assert (found.is_on, local(found)) == (True, "Mon 09 Mar 06:00 CET")

    def test_a_day_off_duty_between_two_shifts(self) -> None:
        split = hours(wed=[["09:00", "12:00"], ["14:00", "18:00"]])

        assert local(duty(split, "UTC", at("2026-03-04T12:30"))) == "Wed 04 Mar 14:00 UTC"
        assert local(duty(split, "UTC", at("2026-03-04T14:30"))) == "Wed 04 Mar 18:00 UTC"

    def test_the_order_in_which_hours_were_entered_does_not_matter(self) -> None:
        turned = hours(wed=[["14:00", "18:00"], ["09:00", "12:00"]])

        assert local(duty(turned, "UTC", at("2026-03-04T08:00"))) == "Wed 04 Mar 09:00 UTC"

    def test_a_holiday_is_off_duty_from_midnight_to_midnight_of_the_clinic(self) -> None:
        coverage = on(DAYS, ("00:00", "12:00"), ("12:00", "00:00"), holidays=("2026-12-25",))

        assert duty(coverage, NEW_YORK, at("2026-12-25T04:59")).is_on
        assert not duty(coverage, NEW_YORK, at("2026-12-25T05:00")).is_on
        assert not duty(coverage, NEW_YORK, at("2026-12-26T04:59")).is_on
        assert duty(coverage, NEW_YORK, at("2026-12-26T05:00")).is_on

    def test_days_that_follow_each_other_off_duty_are_passed_over(self) -> None:
        closed = tuple(f"2026-12-{day}" for day in range(21, 32))
        coverage = on(DAYS[:5], ("09:00", "17:00"), holidays=closed)

        found = duty(coverage, BERLIN, at("2026-12-20T12:00"))

        assert (found.is_on, local(found)) == (False, "Fri 01 Jan 09:00 CET")

    @pytest.mark.parametrize("coverage", ["{}", hours(), '{"hours": {}}', hours(mon=[])])
    def test_a_clinic_without_hours_is_never_on_duty_and_says_no_more(self, coverage: str) -> None:
        assert duty(coverage, BERLIN, at("2026-03-04T12:00")) == Duty(False, None, False)

    @given(
        minutes=st.integers(0, 60 * 24 * 366),
        zone=st.sampled_from([BERLIN, NEW_YORK, "Pacific/Apia", "Asia/Kathmandu", "UTC"]),
        shift=st.sampled_from([("09:00", "17:00"), ("22:00", "06:00"), ("00:00", "00:00")]),
    )
    def test_what_it_says_of_when_it_changes_comes_true(
        self, minutes: int, zone: str, shift: tuple[str, str]
    ) -> None:
        coverage = on(("mon", "wed", "sat"), shift)
        now = at("2026-01-01T00:00") + timedelta(minutes=minutes)

        found = duty(coverage, zone, now)

        assert found.changes_at is not None
        change = found.changes_at.astimezone(UTC)
        assert now < change < now + timedelta(days=5)
        assert duty(coverage, zone, change - timedelta(minutes=1)).is_on == found.is_on
        assert duty(coverage, zone, change).is_on != found.is_on


class TestStatement:
    def test_on_duty_it_says_until_when_on_which_clock(self) -> None:
        assert say(OFFICE, NEW_YORK, at("2026-07-08T15:30:59.9")) == (
            "This has been put in front of your care team at Lantern Clinic."
            " They are on duty until 17:00 (EDT). The journal is not an emergency service."
        )

    def test_off_duty_it_says_until_which_day(self) -> None:
        assert say(OFFICE, BERLIN, at("2026-03-06T20:00")) == (
            "This has been put in front of your care team at Lantern Clinic."
            " They are off duty until Monday 9 March, 09:00 (CET) and may not see it before then."
            " The journal is not an emergency service."
        )

    def test_what_alerted_nobody_says_so(self) -> None:
        said = say(OFFICE, BERLIN, at("2026-03-06T12:00"), is_flagged=False, is_worker_silent=True)

        assert said.startswith(
            "This is now in your journal at Lantern Clinic; your care team was not alerted. They"
        )

    def test_when_telling_may_take_longer_it_says_so(self) -> None:
        said = say(OFFICE, BERLIN, at("2026-03-06T12:00"), is_worker_silent=True)

        assert " Telling them may be delayed right now. " in said

    def test_a_clinic_that_said_nothing_is_said_to_have_said_nothing(self) -> None:
        said = say("{}", BERLIN, at("2026-03-06T12:00"))

        assert " The clinic has not said when it is on duty. " in said

    def test_a_clinic_that_is_closed_for_weeks_is_not_said_to_have_said_nothing(self) -> None:
        weeks = tuple(
            f"{datetime(2026, 7, 1, tzinfo=UTC) + timedelta(days=day):%Y-%m-%d}"
            for day in range(40)
        )
        coverage = on(DAYS, ("09:00", "17:00"), holidays=weeks)

        said = say(coverage, BERLIN, at("2026-07-02T12:00"))

        assert "has not said" not in said
        assert " They are off duty for at least the next two weeks" in said

    def test_it_never_says_that_anyone_is_watching_or_that_all_is_well(self) -> None:
        said = " ".join(
            say(coverage, zone, now, is_flagged=is_flagged, is_worker_silent=is_silent)
            for coverage, zone, now, is_flagged, is_silent in itertools.product(
                [OFFICE, "{}"],
                [BERLIN],
                [at("2026-03-06T12:00"), at("2026-03-06T22:00")],
                [True, False],
                [True, False],
            )
        ).lower()

        for word in ("watch", "monitor", "no risk", "safe", "immediately", "24/7"):
            assert word not in said
        assert said.count("not an emergency service") == 16

    def test_every_answer_of_a_minute_is_the_same(self) -> None:
        said = {
            say(OFFICE, BERLIN, at("2026-03-06T12:00") + timedelta(milliseconds=ms))
            for ms in range(0, 60_000, 1500)
        }

        assert len(said) == 1
