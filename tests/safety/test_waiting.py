"""What whoever keeps the server running is shown of what waits, in numbers and in words."""

from datetime import timedelta

import pytest

from app import worker
from app.kernel import outbox
from app.kernel.channels import NotNow
from app.operations import doctor
from tests.conftest import Clock
from tests.safety.test_alerts import Watch
from tests.safety.test_alerts import watch as watch  # noqa: PLC0414  # a fixture


def metrics(watch: Watch) -> dict[str, float]:
    """By name and labels."""
    lines = watch.client.get("/metrics").text.splitlines()
    return {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
        if name.startswith("afterglow_")
    }


def age(level: str) -> str:
    return f'afterglow_unacknowledged_round_seconds{{level="{level}"}}'


def count(level: str) -> str:
    return f'afterglow_unacknowledged_rounds{{level="{level}"}}'


class TestMetrics:
    def test_they_show_how_long_the_oldest_round_of_each_level_has_waited(
        self, watch: Watch
    ) -> None:
        watch.danger()
        watch.clock.turn(minutes=3)
        other = watch.danger(patient=watch.clinic.other_patient)
        watch.behind("UPDATE flag SET level = 'moderate' WHERE id = %s", other)
        watch.clock.turn(minutes=2)

        shown = metrics(watch)

        assert [shown[age(level)] for level in ("high", "moderate", "low")] == [300, 120, 0]
        assert [shown[count(level)] for level in ("high", "moderate", "low")] == [1, 1, 0]

    def test_what_is_acknowledged_or_past_waits_for_nobody(self, watch: Watch) -> None:
        flag_id = watch.danger()
        watch.clock.turn(minutes=1)
        watch.person(watch.clinic.therapist).post(f"/v1/flags/{flag_id}/acknowledge", {})
        past = watch.danger(patient=watch.clinic.other_patient)
        watch.behind("UPDATE flag SET is_historic = true WHERE id = %s", past)

        shown = metrics(watch)

        assert [shown[age("high")], shown[count("high")]] == [0, 0]

    def test_they_show_each_loop_and_each_topic_that_waits(self, watch: Watch) -> None:
        address = watch.address(watch.clinic.therapist, "email")
        watch.post.answers[address] = NotNow(None, "no_answer")
        for loop in worker.LOOPS:
            watch.database.run(
                lambda db, loop=loop: outbox.beat(db, watch.clock(), loop)  # type: ignore[misc]
            )
        watch.danger()
        watch.work()
        watch.clock.turn(minutes=1)

        shown = metrics(watch)

        for loop in worker.LOOPS:
            assert shown[f'afterglow_loop_silent_seconds{{loop="{loop}"}}'] == 60
        waits = shown['afterglow_undelivered_seconds{topic="flag.deliver.email"}']
        assert 56 <= waits <= 58  # it was to be tried again after two to three seconds
        assert 'afterglow_undelivered_seconds{topic="flag.round"}' not in shown
        watch.post.answers.clear()
        watch.work()
        assert not [one for one in metrics(watch) if one.startswith("afterglow_undelivered")]


class TestDoctor:
    def beat(self, watch: Watch, *, but: str = "") -> None:
        for loop in worker.LOOPS:
            if loop != but:
                watch.database.run(
                    lambda db, loop=loop: outbox.beat(db, watch.clock(), loop)  # type: ignore[misc]
                )

    def said(self, watch: Watch) -> list[str]:
        return doctor.look_into(watch.database, watch.clock())

    @pytest.mark.parametrize(
        ("level", "minutes", "speaks"),
        [
            ("high", 30, False),
            ("high", 31, True),
            ("moderate", 60 * 24, False),
            ("moderate", 60 * 25, True),
            ("low", 60 * 24 * 7, False),
            ("low", 60 * 24 * 8, True),
        ],
    )
    def test_it_says_which_flags_wait_too_long(
        self, watch: Watch, level: str, minutes: int, speaks: bool
    ) -> None:
        watch.raise_level(level)
        watch.clock.turn(minutes=minutes)
        watch.work()
        self.beat(watch)

        said = self.said(watch)

        assert len(said) == speaks
        if speaks:
            assert f"level {level} has waited {minutes} minutes" in said[0]

    @pytest.mark.parametrize(
        ("loop", "word"),
        [(worker.ALARM_LOOPS["email"], "by email"), (worker.ERRANDS, "no patient is reminded")],
    )
    def test_it_names_a_loop_that_is_silent_or_was_never_seen(
        self, watch: Watch, loop: str, word: str
    ) -> None:
        self.beat(watch, but=loop)
        (never,) = self.said(watch)
        self.beat(watch)
        assert self.said(watch) == []
        watch.clock.turn(minutes=7)
        self.beat(watch, but=loop)
        (silent,) = self.said(watch)

        assert "was never seen" in never
        assert "last seen 7 minutes ago" in silent
        for one in (never, silent):
            assert loop in one
            assert word in one

    def test_it_says_what_waits_undelivered(self, watch: Watch) -> None:
        watch.danger()
        watch.clock.turn(minutes=6)
        self.beat(watch)

        (said,) = self.said(watch)

        assert said.startswith("1 promises of flag.round wait, the oldest for 6 minutes.")


class TestClock:
    def test_a_clock_that_is_behind_makes_no_negative_age(self, watch: Watch, clock: Clock) -> None:
        watch.danger()
        clock.at -= timedelta(minutes=5)

        assert metrics(watch)[age("high")] == 0
