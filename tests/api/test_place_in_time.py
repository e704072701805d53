"""Where a check-in stands in time: by the doses, and by clocks that are wrong."""

from datetime import datetime, timedelta

import pytest

from tests.api.checking_in import CHECK_INS, gave_a_dose, submitted
from tests.builders import World, now, phq_9
from tests.conftest import Clock


class TestPosition:
    def test_before_any_dose_it_is_part_of_the_baseline(self, world: World) -> None:
        told = submitted(world.patient)

        assert told["position"] == {
            "dose_number": 0,
            "hours_since_dose": None,
            "window": "baseline",
        }
        assert told["doses_in_recall_window"] == 0

    @pytest.mark.parametrize(
        ("hours", "window"),
        [
            (0, "0-4h"),
            (3.99, "0-4h"),
            (4, "4-24h"),
            (23.99, "4-24h"),
            (24, "1-7d"),
            (167.99, "1-7d"),
            (168, "later"),
            (1000, "later"),
        ],
    )
    def test_it_is_counted_from_the_last_dose_before_it(
        self, world: World, hours: float, window: str
    ) -> None:
        recorded_at = now() - timedelta(hours=1)
        gave_a_dose(world.therapist, world.patient, recorded_at - timedelta(hours=hours))

        told = submitted(world.patient, recorded_at=recorded_at.isoformat())

        assert told["position"] == {
            "dose_number": 1,
            "hours_since_dose": float(hours),
            "window": window,
        }

    def test_a_dose_recorded_late_moves_what_was_sent_before(self, world: World) -> None:
        recorded_at = now() - timedelta(hours=30)
        told = submitted(world.patient, recorded_at=recorded_at.isoformat())
        assert told["position"]["dose_number"] == 0

        gave_a_dose(world.therapist, world.patient, recorded_at - timedelta(hours=5))

        for read in (
            world.patient.get(f"{CHECK_INS}/{told['id']}").json(),
            world.therapist.get(f"{world.patient.record}/check-ins").json()["check_ins"][0],
        ):
            assert read["position"] == {
                "dose_number": 1,
                "hours_since_dose": 5.0,
                "window": "4-24h",
            }
            assert read["doses_in_recall_window"] == 1

    def test_a_later_dose_does_not_move_it(self, world: World) -> None:
        recorded_at = now() - timedelta(hours=30)
        told = submitted(world.patient, recorded_at=recorded_at.isoformat())

        gave_a_dose(world.therapist, world.patient, recorded_at + timedelta(hours=1))

        read = world.patient.get(f"{CHECK_INS}/{told['id']}").json()
        assert read["position"] == told["position"]

    def test_the_second_dose_begins_its_own_count(self, world: World) -> None:
        recorded_at = now() - timedelta(hours=1)
        for hours in (200, 10):
            gave_a_dose(world.therapist, world.patient, recorded_at - timedelta(hours=hours))

        told = submitted(world.patient, recorded_at=recorded_at.isoformat())

        assert told["position"] == {
            "dose_number": 2,
            "hours_since_dose": 10.0,
            "window": "4-24h",
        }
        assert told["doses_in_recall_window"] == 2

    def test_a_question_about_this_moment_looks_back_over_no_dose(self, world: World) -> None:
        gave_a_dose(world.therapist, world.patient, now() - timedelta(hours=1))

        told = submitted(world.patient, instrument="momentary", answers=[7, 2, 5, 0, 1])

        assert told["doses_in_recall_window"] == 0


class TestClock:
    """A phone's clock is kept and never a reason to refuse."""

    def test_a_clock_that_is_right_needs_no_word(self, timed_world: World, clock: Clock) -> None:
        told = submitted(
            timed_world.patient, recorded_at=clock.said(hours=-2), sent_at=clock.said(seconds=-9)
        )

        assert told["clock_ahead_seconds"] is None
        assert datetime.fromisoformat(told["effective_at"]) == clock.at - timedelta(hours=2)
        assert datetime.fromisoformat(told["received_at"]) == clock.at

    def test_one_that_is_ahead_is_kept_as_sent_and_placed_at_its_arrival(
        self, timed_world: World, clock: Clock
    ) -> None:
        told = submitted(timed_world.patient, recorded_at=clock.said(hours=3))

        assert datetime.fromisoformat(told["recorded_at"]) == clock.at + timedelta(hours=3)
        assert told["effective_at"] == told["received_at"]
        assert told["clock_ahead_seconds"] == 3 * 3600

    @pytest.mark.parametrize("days", [1, -1, 365, -365])
    def test_a_constant_error_is_corrected_from_when_the_phone_says_it_sent(
        self, timed_world: World, clock: Clock, days: int
    ) -> None:
        told = submitted(
            timed_world.patient,
            recorded_at=clock.said(days=days, hours=-2),
            sent_at=clock.said(days=days),
        )

        assert datetime.fromisoformat(told["effective_at"]) == clock.at - timedelta(hours=2)
        assert told["clock_ahead_seconds"] == days * 86_400
        assert datetime.fromisoformat(told["recorded_at"]) == clock.at + timedelta(
            days=days, hours=-2
        )

    def test_a_minute_of_difference_is_the_network_and_not_the_clock(
        self, timed_world: World, clock: Clock
    ) -> None:
        told = submitted(
            timed_world.patient,
            recorded_at=clock.said(minutes=-30),
            sent_at=clock.said(seconds=-60),
        )

        assert told["clock_ahead_seconds"] is None
        assert datetime.fromisoformat(told["effective_at"]) == clock.at - timedelta(minutes=30)

    def test_one_that_was_ahead_when_it_recorded_says_so_even_if_it_was_right_when_it_sent(
        self, timed_world: World, clock: Clock
    ) -> None:
        told = submitted(timed_world.patient, recorded_at=clock.said(hours=3), sent_at=clock.said())

        assert told["effective_at"] == told["received_at"]
        assert told["clock_ahead_seconds"] == 3 * 3600

    def test_an_entry_is_never_placed_after_its_arrival(
        self, timed_world: World, clock: Clock
    ) -> None:
        # Recorded after it was sent: the phone's clock was set back in between.
        told = submitted(
            timed_world.patient, recorded_at=clock.said(hours=5), sent_at=clock.said(hours=1)
        )

        assert told["effective_at"] == told["received_at"]

    @pytest.mark.parametrize("recorded_at", ["2000-01-01T00:00:00Z", "2099-12-31T23:59:59Z"])
    def test_any_instant_of_this_century_is_accepted(self, world: World, recorded_at: str) -> None:
        assert submitted(world.patient, recorded_at=recorded_at)["total"] == 12

    def test_danger_flags_whatever_the_clock_says(self, timed_world: World, clock: Clock) -> None:
        for recorded_at in (clock.said(days=400), clock.said(days=-400)):
            told = submitted(
                timed_world.patient, answers=phq_9(3, item_nine=1), recorded_at=recorded_at
            )
            assert told["safety"]["flag"] is not None
