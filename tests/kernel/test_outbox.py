"""What was promised is kept: once, by whoever is alive, and nobody waits for what cannot be."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import structlog
from fastapi.testclient import TestClient

from app import worker
from app.kernel import clock, outbox
from app.kernel.db import Db, Direct, libpq
from app.kernel.errors import Problem
from app.kernel.outbox import Backlog
from app.kernel.settings import Settings
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from app.main import create_app
from app.safety import service as safety
from tests.builders import Clinic, a_check_in, a_clinic
from tests.kernel.between import Between

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
CLINIC = UUID(int=0xC1)
ROOT = Path(__file__).parents[2]
TELL = safety.TELL_TOPIC
TOPIC = "a.topic"
SECOND = timedelta(seconds=1)

# A worker that takes a promise, says so, and holds it.
HOLDER = """
import sys, time
from datetime import datetime
from app.kernel import outbox
from app.kernel.db import Direct
from app.kernel.vault import Keyring

def work(db):
    held = outbox.claim(db, ["a.topic"], datetime.fromisoformat(sys.argv[2]))
    print(held[0].id, flush=True)
    time.sleep(60)

Direct(sys.argv[1], Keyring.parse(Keyring.generate())).run(work)
"""


@pytest.fixture
def database(fresh_database: Settings, keyring: Keyring) -> Iterator[Direct]:
    """An outbox of this test's own."""
    made = Direct(str(fresh_database.database_url), keyring)
    yield made
    made.close()


@pytest.fixture
def other(fresh_database: Settings, keyring: Keyring) -> Iterator[Direct]:
    """A second worker's connection."""
    made = Direct(str(fresh_database.database_url), keyring)
    yield made
    made.close()


@pytest.fixture
def clinic(fresh_database: Settings, keyring: Keyring, database: Direct) -> Iterator[Clinic]:
    """A clinic whose patient can raise a flag, which promises that somebody is told."""
    keys = SigningKeys.parse(SigningKeys.generate())
    with TestClient(create_app(fresh_database, keyring, keys)) as client:
        yield a_clinic(client, database)


def raise_a_flag(clinic: Clinic) -> None:
    sent = a_check_in(answers=[0, 0, 0, 0, 0, 0, 0, 0, 3])
    assert clinic.patient.post("/v1/patients/me/check-ins", sent).status_code == 201


@pytest.fixture(autouse=True)
def _silent_log() -> Iterator[None]:
    structlog.configure(processors=[lambda *_: (_ for _ in ()).throw(structlog.DropEvent)])
    yield
    structlog.reset_defaults()


def promise(
    database: Direct, topic: str = TOPIC, *, now: datetime = NOW, key: str = "", **body: Any
) -> None:
    def work(db: Db) -> None:
        db.enter(CLINIC)
        outbox.promise(db, topic, body=body, dedupe_key=key or str(uuid4()), now=now)

    database.run(work)


def backlog(database: Direct) -> Backlog:
    return database.run(lambda db: outbox.backlog(db, NOW))


def rows(settings: Settings) -> list[dict[str, Any]]:
    with psycopg.connect(
        libpq(str(settings.migration_url)), row_factory=psycopg.rows.dict_row
    ) as connection:
        return connection.execute("SELECT * FROM outbox ORDER BY due_at, id").fetchall()


def untold(settings: Settings) -> list[dict[str, Any]]:
    """What waits and could be kept at once; the next step of a round has its own time."""
    return [row for row in rows(settings) if row["done_at"] is None and not row["is_timer"]]


class TestPromise:
    def test_a_promise_waits_until_it_is_kept(
        self, database: Direct, fresh_database: Settings
    ) -> None:
        promise(database, n=1)

        (due,) = database.run(lambda db: outbox.claim(db, [TOPIC], NOW))
        assert (due.clinic_id, due.topic, due.body, due.attempts) == (
            CLINIC,
            "a.topic",
            {"n": 1},
            0,
        )
        assert backlog(database) == Backlog(1, NOW, None)

        database.run(lambda db: outbox.done(db, due, NOW + SECOND))

        assert database.run(lambda db: outbox.claim(db, [TOPIC], NOW + SECOND)) == []
        assert backlog(database) == Backlog(0, None, None)
        assert rows(fresh_database)[0]["done_at"] == NOW + SECOND

    def test_the_same_promise_made_twice_is_one(self, database: Direct) -> None:
        promise(database, key="flag/1/1", n=1)
        promise(database, key="flag/1/1", n=2)

        (due,) = database.run(lambda db: outbox.claim(db, [TOPIC], NOW, limit=5))
        assert due.body == {"n": 1}

    def test_the_same_promise_made_by_many_at_once_is_one(
        self, fresh_database: Settings, keyring: Keyring, database: Direct
    ) -> None:
        begin = threading.Barrier(8)

        def make() -> None:
            mine = Direct(str(fresh_database.database_url), keyring)
            begin.wait(10)
            for n in range(10):
                promise(mine, key=f"flag/{n}")
            mine.close()

        threads = [threading.Thread(target=make) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        assert backlog(database).waiting == 10

    def test_a_promise_is_gone_with_the_transaction_that_made_it(self, database: Direct) -> None:
        def work(db: Db) -> None:
            db.enter(CLINIC)
            outbox.promise(db, "a.topic", body={}, dedupe_key=str(uuid4()), now=NOW)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            database.run(work)

        assert backlog(database).waiting == 0


class TestClaim:
    def test_the_one_that_has_waited_longest_comes_first(self, database: Direct) -> None:
        for seconds in (3, 1, 2):
            promise(database, now=NOW + seconds * SECOND, n=seconds)

        found = database.run(lambda db: outbox.claim(db, [TOPIC], NOW + 5 * SECOND, limit=5))

        assert [due.body["n"] for due in found] == [1, 2, 3]

    def test_what_is_to_be_tried_later_is_left_until_then(self, database: Direct) -> None:
        promise(database, now=NOW)

        def put_off(db: Db) -> None:
            for due in outbox.claim(db, [TOPIC], NOW):
                outbox.later(db, due, NOW)

        database.run(put_off)

        assert database.run(lambda db: outbox.claim(db, [TOPIC], NOW)) == []
        assert len(database.run(lambda db: outbox.claim(db, [TOPIC], NOW + 2 * SECOND))) == 1

    def test_a_promise_of_a_process_whose_clock_is_ahead_is_kept_now(
        self, database: Direct
    ) -> None:
        promise(database, now=NOW + 200_000 * SECOND)

        assert len(database.run(lambda db: outbox.claim(db, [TOPIC], NOW))) == 1

    def test_what_somebody_else_holds_is_passed_over(self, database: Direct, other: Direct) -> None:
        for n in (1, 2):
            promise(database, now=NOW + n * SECOND, n=n)

        def holding(db: Db) -> list[int]:
            (mine,) = outbox.claim(db, [TOPIC], NOW + 5 * SECOND)
            theirs = other.run(lambda db: outbox.claim(db, [TOPIC], NOW + 5 * SECOND, limit=5))
            return [mine.body["n"], *(due.body["n"] for due in theirs)]

        assert database.run(holding) == [1, 2]

    def test_what_a_killed_worker_held_is_free_again(
        self, database: Direct, fresh_database: Settings
    ) -> None:
        promise(database)
        killed = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(fresh_database.database_url), NOW.isoformat()],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        with killed:
            assert killed.stdout is not None
            held = UUID(killed.stdout.readline().strip())
            assert database.run(lambda db: outbox.claim(db, [TOPIC], NOW)) == []
            os.kill(killed.pid, signal.SIGKILL)

        deadline = time.monotonic() + 5
        found = database.run(lambda db: outbox.claim(db, [TOPIC], NOW))
        while not found and time.monotonic() < deadline:
            found = database.run(lambda db: outbox.claim(db, [TOPIC], NOW))
        assert [(due.id, due.attempts) for due in found] == [(held, 0)]


class TestLater:
    def test_the_wait_doubles_up_to_five_minutes(
        self, database: Direct, fresh_database: Settings
    ) -> None:
        promise(database)
        waits, now = [], NOW

        for _ in range(11):
            (due,) = database.run(lambda db, at=now: outbox.claim(db, [TOPIC], at))  # type: ignore[misc]
            database.run(lambda db, due=due, at=now: outbox.later(db, due, at))  # type: ignore[misc]
            due_at = rows(fresh_database)[0]["due_at"]
            waits.append(int((due_at - now).total_seconds()))
            now = due_at

        assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]

    @pytest.mark.parametrize("asked_for", [NOW - 60 * SECOND, NOW, NOW + SECOND])
    def test_who_asks_to_be_tried_at_once_is_not(
        self, database: Direct, fresh_database: Settings, asked_for: datetime
    ) -> None:
        promise(database)
        waits, now = [], NOW

        for _ in range(3):
            (due,) = database.run(lambda db, at=now: outbox.claim(db, [TOPIC], at))  # type: ignore[misc]
            database.run(lambda db, due=due, at=now: outbox.later(db, due, at, asked_for))  # type: ignore[misc]
            due_at = rows(fresh_database)[0]["due_at"]
            waits.append(int((due_at - now).total_seconds()))
            now = due_at

        assert waits == [1, 2, 4]


class TestBeat:
    def test_the_last_beat_counts(self, database: Direct) -> None:
        database.run(lambda db: outbox.beat(db, NOW))
        database.run(lambda db: outbox.beat(db, NOW + SECOND))

        assert backlog(database).seen_at == NOW + SECOND


class TestKeepOne:
    def test_with_nothing_to_do_it_says_so(self, database: Direct) -> None:
        assert not worker.keep_one(database, NOW)

    def test_a_promise_of_another_topic_is_left_to_who_keeps_it(
        self, database: Direct, fresh_database: Settings
    ) -> None:
        promise(database, "another.topic")

        assert not worker.keep_one(database, NOW)
        kept: list[dict[str, Any]] = []
        others = {"another.topic": lambda db, body, now: kept.append(body)}
        assert worker.keep_one(database, NOW, others)

        assert kept == [{}]
        assert rows(fresh_database)[0]["done_at"] == NOW

    def test_what_cannot_be_done_yet_is_tried_when_it_can_be(
        self, database: Direct, fresh_database: Settings
    ) -> None:
        def not_yet(db: Db, body: dict[str, Any], now: datetime) -> None:
            raise outbox.NotYet(NOW + 90 * SECOND)

        promise(database)

        assert worker.keep_one(database, NOW, {TOPIC: not_yet})

        (row,) = rows(fresh_database)
        assert (row["attempts"], row["due_at"], row["done_at"]) == (1, NOW + 90 * SECOND, None)
        assert not worker.keep_one(database, NOW + 89 * SECOND, {TOPIC: not_yet})
        assert worker.keep_one(database, NOW + 90 * SECOND, {TOPIC: not_yet})

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"flag_id": "not an id", "patient_id": str(uuid4()), "round": 1},
        ],
        ids=["empty", "damaged"],
    )
    def test_a_promise_that_cannot_be_kept_does_not_hold_up_the_rest(
        self,
        database: Direct,
        fresh_database: Settings,
        clinic: Clinic,
        body: dict[str, Any],
    ) -> None:
        promise(database, TELL, key="bad", **body)
        raise_a_flag(clinic)

        at = datetime.now(UTC)
        while worker.keep_one(database, at):
            pass

        kept = {row["dedupe_key"]: row for row in rows(fresh_database)}
        bad = kept.pop("bad")
        assert (bad["done_at"], bad["attempts"]) == (None, 1)
        (begins,) = (row for row in kept.values() if not row["is_timer"])
        assert (begins["done_at"], begins["attempts"]) == (at, 0)

    def test_the_round_of_a_flag_that_is_not_there_is_not_tried_again(
        self, database: Direct, fresh_database: Settings
    ) -> None:
        promise(database, TELL, flag_id=str(uuid4()), patient_id=str(uuid4()), round=1)

        assert worker.keep_one(database, NOW)

        assert rows(fresh_database)[0]["done_at"] == NOW

    def test_what_a_keeper_did_is_undone_when_it_could_not_finish(
        self, database: Direct, fresh_database: Settings, clinic: Clinic
    ) -> None:
        raise_a_flag(clinic)
        told = "SELECT count(*) FROM notice"

        with psycopg.connect(libpq(str(fresh_database.migration_url))) as connection:
            connection.execute("ALTER TABLE outbox ADD CHECK (done_at IS NULL)")
        assert worker.keep_one(database, datetime.now(UTC))

        with psycopg.connect(libpq(str(fresh_database.migration_url))) as connection:
            assert connection.execute(told.encode()).fetchone() == (0,)
        assert rows(fresh_database)[0]["attempts"] == 1

    def test_a_database_that_is_away_is_not_blamed_on_the_promise(
        self, database: Direct, fresh_database: Settings, keyring: Keyring
    ) -> None:
        promise(database, TELL, flag_id=str(uuid4()), patient_id=str(uuid4()), round=1)
        with Between(str(fresh_database.database_url)) as between:
            tapped = Direct(between.url, keyring)
            between.lose(b"SELECT", times=99)

            with pytest.raises(Problem):
                worker.keep_one(tapped, NOW)

            tapped.close()
        assert rows(fresh_database)[0]["attempts"] == 0


class NeverStill(worker.Bell):
    """Lets nobody idle."""

    def wait(self, seconds: float) -> None:
        """Hardly."""
        time.sleep(0.01)


@contextmanager
def a_worker(
    settings: Settings,
    database: Direct,
    now: Callable[[], datetime] = clock.now,
    bell: type[worker.Bell] = worker.Bell,
) -> Iterator[None]:
    """The worker in a thread."""
    stop = threading.Event()
    rung = bell(str(settings.database_url))
    thread = threading.Thread(target=worker.run, args=(database, rung, stop, now))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(5)
    assert not thread.is_alive()


def wait_until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestRun:
    def test_it_beats_and_keeps_what_is_due(
        self, fresh_database: Settings, database: Direct, other: Direct, clinic: Clinic
    ) -> None:
        raise_a_flag(clinic)

        with a_worker(fresh_database, other):
            wait_until(lambda: not untold(fresh_database))

        assert backlog(database).seen_at is not None

    def test_it_is_rung_for_when_a_promise_is_committed(
        self, fresh_database: Settings, database: Direct, other: Direct, clinic: Clinic
    ) -> None:
        with a_worker(fresh_database, other):
            wait_until(lambda: backlog(database).seen_at is not None)
            waited = []
            for _ in range(5):
                raise_a_flag(clinic)
                began = time.monotonic()
                wait_until(lambda: not untold(fresh_database))
                waited.append(time.monotonic() - began)

        assert sorted(waited)[2] < worker.IDLE_SECONDS / 2

    def test_it_goes_by_the_clock_where_there_is_no_bell(
        self, fresh_database: Settings, database: Direct, other: Direct, clinic: Clinic
    ) -> None:
        nowhere = fresh_database.model_copy(
            update={"database_url": "postgresql+psycopg://nobody@127.0.0.1:1/nothing"}
        )
        raise_a_flag(clinic)

        with a_worker(nowhere, other):
            wait_until(lambda: not untold(fresh_database))
            raise_a_flag(clinic)
            wait_until(lambda: not untold(fresh_database))

    def test_it_waits_for_a_database_that_is_away(
        self, fresh_database: Settings, keyring: Keyring, database: Direct, clinic: Clinic
    ) -> None:
        raise_a_flag(clinic)
        with Between(str(fresh_database.database_url)) as between:
            tapped = Direct(between.url, keyring)
            between.lose(b"", times=9)

            with a_worker(fresh_database, tapped, bell=NeverStill):
                wait_until(lambda: not untold(fresh_database))

            assert between.connections > 4
            tapped.close()

    def test_it_beats_again_only_after_a_while(
        self, fresh_database: Settings, keyring: Keyring
    ) -> None:
        with Between(str(fresh_database.database_url)) as between:
            tapped = Direct(between.url, keyring)
            instants = [NOW]

            def now() -> datetime:
                later = instants[-1] + worker.BEAT_EVERY / 5
                instants.append(min(later, NOW + 3 * worker.BEAT_EVERY))
                return instants[-1]

            with a_worker(fresh_database, tapped, now, NeverStill):
                wait_until(lambda: len(instants) > 50)
            tapped.close()
            beats = [trip for trip in between.trips if any("heartbeat" in sql for sql in trip)]

        assert 2 <= len(beats) <= 4
