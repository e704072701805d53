"""Where an entry stands in time when the phone's clock is wrong."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.arrival import TOLERANCE, place

NOW = datetime(2026, 5, 6, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)

instants = st.integers(0, 36_525 * 86_400).map(
    lambda seconds: datetime(2000, 1, 1, tzinfo=UTC) + seconds * SECOND
)


class TestWithoutSentAt:
    def test_what_was_recorded_before_it_arrived_stands_where_it_was_recorded(self) -> None:
        assert place(NOW - DAY, None, NOW) == (NOW - DAY, None)

    def test_what_was_recorded_in_the_same_instant_is_not_ahead(self) -> None:
        assert place(NOW, None, NOW) == (NOW, None)

    def test_what_comes_from_the_future_is_placed_at_its_arrival_and_says_so(self) -> None:
        assert place(NOW + DAY, None, NOW) == (NOW, 86_400)

    def test_a_fraction_of_a_second_ahead_is_no_error_of_a_clock(self) -> None:
        assert place(NOW + SECOND / 2, None, NOW) == (NOW, None)


class TestWithSentAt:
    @pytest.mark.parametrize("error", [DAY, -DAY, timedelta(minutes=5), timedelta(hours=-1)])
    def test_a_constant_error_is_corrected(self, error: timedelta) -> None:
        happened_at, sent_at = NOW - timedelta(hours=3), NOW

        arrival = place(happened_at + error, sent_at + error, NOW)

        assert arrival == (happened_at, int(error.total_seconds()))

    @pytest.mark.parametrize("delay", [timedelta(0), TOLERANCE, -TOLERANCE])
    def test_what_the_network_explains_is_left_as_it_is(self, delay: timedelta) -> None:
        assert place(NOW - DAY, NOW + delay, NOW) == (NOW - DAY, None)

    def test_one_second_more_than_the_network_explains_is_corrected(self) -> None:
        error = TOLERANCE + SECOND

        assert place(NOW - DAY, NOW + error, NOW) == (NOW - DAY - error, 61)
        assert place(NOW - DAY, NOW - error, NOW) == (NOW - DAY + error, -61)

    def test_a_clock_that_jumped_between_recording_and_sending_places_nothing_in_the_future(
        self,
    ) -> None:
        assert place(NOW + DAY, NOW, NOW) == (NOW, 86_400)
        assert place(NOW, NOW - DAY, NOW) == (NOW, -86_400)

    def test_a_few_seconds_ahead_are_told_even_where_the_network_would_explain_them(self) -> None:
        assert place(NOW + 30 * SECOND, NOW + 30 * SECOND, NOW) == (NOW, 30)

    @given(recorded_at=instants, sent_at=st.none() | instants, received_at=instants)
    def test_nothing_ever_stands_after_its_arrival(
        self, recorded_at: datetime, sent_at: datetime | None, received_at: datetime
    ) -> None:
        assert place(recorded_at, sent_at, received_at).effective_at <= received_at

    @given(recorded_at=instants, sent_at=st.none() | instants, received_at=instants)
    def test_whatever_was_moved_to_its_arrival_says_that_the_clock_was_wrong(
        self, recorded_at: datetime, sent_at: datetime | None, received_at: datetime
    ) -> None:
        arrival = place(recorded_at, sent_at, received_at)

        if arrival.effective_at != recorded_at:
            assert arrival.clock_ahead_seconds
