"""Quiet hours are what the clock on the patient's wall says, also where it is changed."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.reminders.plans import Plan, quiet_until

NEW_YORK = ZoneInfo("America/New_York")
MINUTE = timedelta(minutes=1)


def until(begins: str, ends: str, at: str, zone: str = "UTC") -> str | None:
    """As on the wall clock there."""
    place = ZoneInfo(zone)
    found = quiet_until(
        Plan(quiet_from=begins, quiet_until=ends),
        datetime.fromisoformat(at).replace(tzinfo=place).astimezone(UTC),
        place,
    )
    return found.astimezone(place).isoformat() if found else None


class TestQuietUntil:
    @pytest.mark.parametrize(
        ("at", "expected"),
        [
            ("2026-03-02T20:59:59", None),
            ("2026-03-02T21:00:00", "2026-03-03T08:00:00+00:00"),
            ("2026-03-02T23:59:59.999999", "2026-03-03T08:00:00+00:00"),
            ("2026-03-03T00:00:00", "2026-03-03T08:00:00+00:00"),
            ("2026-03-03T07:59:59.999999", "2026-03-03T08:00:00+00:00"),
            ("2026-03-03T08:00:00", None),
        ],
    )
    def test_a_night_begins_on_one_day_and_ends_on_the_next(
        self, at: str, expected: str | None
    ) -> None:
        assert until("21:00", "08:00", at) == expected

    @pytest.mark.parametrize(
        ("at", "expected"),
        [
            ("2026-03-02T12:59", None),
            ("2026-03-02T13:00", "2026-03-02T15:00:00+00:00"),
            ("2026-03-02T14:59", "2026-03-02T15:00:00+00:00"),
            ("2026-03-02T15:00", None),
        ],
    )
    def test_a_nap_ends_on_the_same_day(self, at: str, expected: str | None) -> None:
        assert until("13:00", "15:00", at) == expected

    def test_none_are_none(self) -> None:
        assert until("00:00", "00:00", "2026-03-02T00:00") is None

    def test_a_night_that_loses_an_hour_ends_at_its_clock_time(self) -> None:
        at = until("21:00", "08:00", "2026-03-07T22:00", "America/New_York")

        assert at == "2026-03-08T08:00:00-04:00"

    def test_a_night_that_gains_an_hour_ends_at_its_clock_time(self) -> None:
        at = until("21:00", "08:00", "2026-10-31T22:00", "America/New_York")

        assert at == "2026-11-01T08:00:00-05:00"

    def test_an_end_that_is_skipped_is_the_moment_that_skips_it(self) -> None:
        at = until("21:00", "02:30", "2026-03-08T01:00", "America/New_York")

        assert at == "2026-03-08T03:00:00-04:00"

    @pytest.mark.parametrize(
        ("hour", "expected"),
        [
            (4, datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
            (5, datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
            (6, datetime(2026, 11, 1, 6, 30, tzinfo=UTC)),
        ],
    )
    def test_an_end_that_comes_twice_is_always_ahead(self, hour: int, expected: datetime) -> None:
        at = datetime(2026, 11, 1, hour, tzinfo=UTC)  # midnight, one, and one o'clock again

        assert quiet_until(Plan(quiet_from="21:00", quiet_until="01:30"), at, NEW_YORK) == expected

    @given(
        seconds=st.integers(1_735_689_600, 1_830_297_600),  # 2025 to 2027
        begins=st.times(),
        ends=st.times(),
        zone=st.sampled_from(
            ["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"]
        ),
    )
    @example(
        int(datetime(2026, 11, 1, 6, tzinfo=UTC).timestamp()),
        time(1, 45),
        time(1, 30),
        "America/New_York",
    )
    def test_they_end_when_the_wall_first_shows_a_time_outside_of_them(
        self, seconds: int, begins: time, ends: time, zone: str
    ) -> None:
        at = datetime.fromtimestamp(seconds, UTC)
        plan = Plan(quiet_from=f"{begins:%H:%M}", quiet_until=f"{ends:%H:%M}")
        place = ZoneInfo(zone)
        end = quiet_until(plan, at, place)

        if end is None:
            assert not is_quiet(plan, at, place)
            return
        assert at < end <= at + timedelta(hours=25)
        steps = [end - MINUTE * minutes for minutes in range(1, 26 * 60)]
        assert all(is_quiet(plan, step, place) for step in steps if step >= at)


def is_quiet(plan: Plan, at: datetime, zone: ZoneInfo) -> bool:
    """By reading the clock on the wall: its hands are texts that can be compared."""
    shown = at.astimezone(zone).strftime("%H:%M")
    if plan.quiet_from <= plan.quiet_until:
        return plan.quiet_from <= shown < plan.quiet_until
    return shown >= plan.quiet_from or shown < plan.quiet_until
