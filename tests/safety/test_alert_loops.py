"""By which policy a round is told, and the loops of the worker and of who stands in for it."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from app import worker
from app.kernel import outbox
from app.kernel.channels import NotNow
from app.kernel.db import Db, Direct
from app.kernel.vault import Keyring
from app.safety import alerts
from tests.safety.test_alerts import LINK, POLICY, Watch
from tests.safety.test_alerts import watch as watch  # noqa: PLC0414  # a fixture


class TestPolicy:
    def quick(self, watch: Watch) -> dict[str, Any]:
        """As it ships, and the next clinician of high after a minute."""
        policy = watch.person(watch.clinic.administrator).get(POLICY).json()
        policy["levels"]["high"][1]["after_minutes"] = 1
        return {name: policy[name] for name in ("source", "convention", "levels")}

    def test_what_ships_is_version_zero(self, watch: Watch) -> None:
        answer = watch.clinic.therapist.get(POLICY)

        assert (answer.status_code, answer.headers["ETag"]) == (200, '"1"')
        assert (answer.json()["version"], answer.json()["published_at"]) == (0, None)

    def test_what_is_published_holds_for_rounds_that_begin_from_then_on(self, watch: Watch) -> None:
        flag_id = watch.danger()
        watch.after()
        administrator = watch.clinic.administrator
        answer = administrator.put(POLICY, self.quick(watch), base=1)
        assert (answer.status_code, answer.headers["ETag"]) == (200, '"2"')
        assert answer.json() == administrator.get(POLICY).json()
        assert answer.json()["version"] == 1

        assert watch.after(minutes=2) == []
        assert watch.danger() == flag_id
        watch.after()
        watch.after(minutes=1)

        assert watch.states(flag_id, 2) == ["done", "done", "planned"]

    def test_a_round_keeps_the_policy_that_held_when_it_began(self, watch: Watch) -> None:
        """And not the one that holds when a worker first looks at it."""
        flag_id = watch.danger()
        watch.clock.turn(seconds=30)
        answer = watch.person(watch.clinic.administrator).put(POLICY, self.quick(watch), base=1)
        assert answer.status_code == 200, answer.text

        watch.after(minutes=2)

        assert watch.states(flag_id) == ["done", "planned", "planned"]
        assert watch.danger() == flag_id
        watch.after(minutes=1)
        assert watch.states(flag_id, 2) == ["done", "done", "planned"]

    def test_a_round_that_began_before_versions_were_kept_has_the_newest(
        self, watch: Watch
    ) -> None:
        flag_id = watch.danger()
        watch.behind("UPDATE flag SET policy_version = NULL")
        watch.clinic.administrator.put(POLICY, self.quick(watch), base=1)

        watch.after(minutes=1)

        assert watch.states(flag_id) == ["done", "done", "planned"]

    def test_only_an_administrator_publishes_upon_the_version_they_read(self, watch: Watch) -> None:
        policy, clinic = self.quick(watch), watch.clinic

        assert clinic.therapist.put(POLICY, policy, base=1).status_code == 403
        assert clinic.administrator.put(POLICY, policy, base=None).status_code == 428
        assert clinic.administrator.put(POLICY, policy, base=2).status_code == 412
        assert clinic.administrator.put(POLICY, policy, base=1).status_code == 200
        assert clinic.administrator.put(POLICY, policy, base=1).status_code == 412

    def test_what_is_no_policy_is_told_where(self, watch: Watch) -> None:
        policy = self.quick(watch)
        policy["levels"]["high"][1]["who"] = "somebody"
        policy["levels"]["low"] = []

        answer = watch.clinic.administrator.put(POLICY, policy, base=1)

        assert answer.status_code == 422
        pointers = {fault["pointer"] for fault in answer.json()["errors"]}
        assert pointers == {"/levels/high/1/who", "/levels/low"}
        assert watch.clinic.administrator.get(POLICY).json()["version"] == 0


class Once(threading.Event):
    """Stops a loop that has waited once."""

    waited = False

    def wait(self, timeout: float | None = None) -> bool:
        """Without waiting."""
        first, self.waited = not self.waited, True
        return not first


class TestStandIn:
    @pytest.mark.parametrize(("seconds", "tells"), [(0, False), (60, False), (61, True)])
    def test_it_tells_while_the_worker_has_been_silent_for_a_minute(
        self, watch: Watch, keyring: Keyring, seconds: int, tells: bool
    ) -> None:
        address = watch.address(watch.clinic.therapist)
        seen_at = watch.clock()
        watch.database.run(lambda db: outbox.beat(db, seen_at))
        watch.danger()
        watch.clock.turn(seconds=seconds)
        keepers = {**worker.KEEPERS, **worker.alarms(watch.post.channels, LINK)}

        worker.stand_in(
            Direct(str(watch.settings.database_url), keyring), keepers, Once(), watch.clock
        )

        assert bool(watch.told()) is tells
        assert [message.to for message in watch.post.messages] == [address] * tells
        # It is not the worker, and does not look like one to whoever watches over it.
        assert watch.database.run(outbox.worker_seen_at) == seen_at

    def test_it_tells_where_no_worker_was_ever_seen(self, watch: Watch, keyring: Keyring) -> None:
        watch.danger()

        worker.stand_in(
            Direct(str(watch.settings.database_url), keyring), worker.KEEPERS, Once(), watch.clock
        )

        assert watch.told() == [watch.clinic.therapist.membership_id]


class TestLoops:
    def test_each_channel_has_one_and_takes_what_is_its_own(self, watch: Watch) -> None:
        clinic = watch.clinic
        addresses = {one: watch.address(clinic.therapist, one) for one in alerts.DELIVER_TOPICS}
        watch.danger()
        while worker.keep_one(watch.database, watch.clock()):
            pass
        by_loop = worker.alarms_by_loop(watch.post.channels, LINK)

        for channel, loop in worker.ALARM_LOOPS.items():
            before = len(watch.post.messages)
            while worker.keep_one(watch.database, watch.clock(), by_loop[loop]):
                pass
            assert [one.to for one in watch.post.messages[before:]] == [addresses[channel]]

    def test_what_a_version_before_promised_is_kept(self, watch: Watch) -> None:
        address = watch.address(watch.clinic.therapist)
        watch.danger()
        assert worker.keep_one(watch.database, watch.clock())
        watch.behind(
            "UPDATE outbox SET topic = 'flag.deliver', body = body - 'channel'"
            " WHERE topic LIKE 'flag.deliver.%%'"
        )
        watch.post.answers[address] = NotNow(None, "no_answer")

        watch.work()
        watch.after(seconds=4)

        assert len(watch.post.sent_to(address)) == 2
        waiting = "SELECT topic FROM outbox WHERE done_at IS NULL AND topic LIKE 'flag.deliver%%'"
        assert watch.behind(waiting) == [("flag.deliver.webhook",)]

    def test_each_shows_that_it_is_alive(self, watch: Watch, keyring: Keyring) -> None:
        database = Direct(str(watch.settings.database_url), keyring)
        loop = worker.ALARM_LOOPS["email"]

        class Ends(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                self.set()
                return True

        worker.run_alarms(database, loop, {}, Ends(), watch.clock)

        assert watch.database.run(outbox.loops_seen_at) == {loop: watch.clock()}


class TestTimers:
    TOPIC = "flag.round"

    def promise(self, watch: Watch, at: datetime) -> None:
        def make(db: Db) -> None:
            db.enter(watch.clinic.id)
            outbox.promise(db, self.TOPIC, body={}, dedupe_key="timer", now=watch.clock(), at=at)

        watch.database.run(make)

    def claimed(self, watch: Watch, act: Callable[[Db, outbox.Due], None] | None = None) -> int:
        def claim(db: Db) -> int:
            due = outbox.claim(db, [self.TOPIC], watch.clock())
            for item in due:
                if act is not None:
                    act(db, item)
            return len(due)

        return watch.database.run(claim)

    @pytest.mark.parametrize("failures", [0, 3])
    def test_a_timer_is_not_kept_before_its_time_whatever_the_attempts(
        self, watch: Watch, failures: int
    ) -> None:
        self.promise(watch, watch.clock() + timedelta(minutes=15))
        watch.behind("UPDATE outbox SET attempts = %s", failures)
        watch.clock.turn(minutes=14, seconds=59)
        assert self.claimed(watch) == 0

        watch.clock.turn(seconds=1)

        assert self.claimed(watch) == 1
