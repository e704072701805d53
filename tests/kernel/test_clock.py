"""Instants in whole microseconds."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from app.kernel import clock


class TestNow:
    def test_the_present_has_an_offset_of_zero(self) -> None:
        before = datetime.now(UTC)

        now = clock.now()

        assert before <= now <= datetime.now(UTC)
        assert now.utcoffset() == timedelta(0)


class TestMicroseconds:
    def test_counts_from_1970(self) -> None:
        assert clock.microseconds(datetime(1970, 1, 1, tzinfo=UTC)) == 0
        assert clock.microseconds(datetime(1970, 1, 1, 0, 0, 1, 2, tzinfo=UTC)) == 1_000_002

    def test_is_negative_before(self) -> None:
        assert clock.microseconds(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1

    def test_does_not_depend_on_the_offset(self) -> None:
        there = timezone(timedelta(hours=-9, minutes=-30))

        assert clock.microseconds(datetime(2026, 1, 1, 0, 0, 0, 5, tzinfo=there)) == (
            clock.microseconds(datetime(2026, 1, 1, 9, 30, 0, 5, tzinfo=UTC))
        )

    @given(st.datetimes(timezones=st.just(UTC)))
    def test_loses_nothing_in_any_year(self, instant: datetime) -> None:
        since = timedelta(microseconds=clock.microseconds(instant))

        assert datetime(1970, 1, 1, tzinfo=UTC) + since == instant
