"""Things that end without a word: the API, the worker, PostgreSQL, and the wire between them.

Whatever was acknowledged is there afterwards, once; every sign of danger reaches a human; and
the server serves again within seconds. AFTERGLOW_SOAK=1 plays the same stories for hours.
"""

import os
import random
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from fastapi.testclient import TestClient

from app.kernel import embedded
from app.kernel.db import Direct, libpq
from app.kernel.identity import Issuer, Standing
from app.kernel.settings import Settings
from app.main import create_app
from app.operations import stack
from app.operations.audit import verify_all
from tests.builders import Clinic, Person, a_check_in, a_clinic
from tests.kernel.between import COMMAND_COMPLETE, Between, message
from tests.stories.servers import LiveServer, Part

IS_SOAK: Final = os.environ.get("AFTERGLOW_SOAK") == "1"
KILLS: Final = 100 if IS_SOAK else 3
RESTARTS: Final = 40 if IS_SOAK else 1
FLAGS: Final = 1000 if IS_SOAK else 50
RETRIES: Final = 10_000 if IS_SOAK else 500
AT_ONCE: Final = 50
TEMPLATE: Final = "migrated"
WRITERS: Final = 8
# Five seconds on a machine of its own; the suite shares its cores with another worker.
SERVES_AGAIN_SECONDS: Final = 5.0 if IS_SOAK else 20.0

CALM: Final = [1, 1, 1, 1, 1, 1, 1, 1, 0]
IN_DANGER: Final = [1, 1, 1, 1, 1, 1, 1, 1, 3]


class Cluster:
    """A PostgreSQL of this module's own, that may be killed. Its address stays the same."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.server = embedded.start(folder)

    def query(self, statement: str, *values: Any, database: str = "postgres") -> list[Any]:
        """As the superuser."""
        url = libpq(self.server.superuser_url(database))
        with psycopg.connect(url, autocommit=True) as connection:
            done = connection.execute(statement.encode(), values)
            return done.fetchall() if done.description else []

    def settings(self, database: str, data_dir: Path) -> Settings:
        """Of an application on one of its databases."""
        return Settings(
            database_url=self.server.url("afterglow", database),
            migration_url=self.server.superuser_url(database),
            data_dir=data_dir,
        )

    def make_template(self) -> None:
        """A migrated, empty database to copy."""
        self.query(f"CREATE DATABASE {TEMPLATE}")
        stack.migrate(self.settings(TEMPLATE, self._folder))

    def end(self, number: signal.Signals) -> None:
        """SIGKILL: as a power cut would. SIGQUIT: the immediate shutdown, without a checkpoint."""
        os.kill(self.server.pids()[0], number)
        self.server.stop()

    def start(self) -> None:
        """Again, on the same data."""
        self.server = embedded.start(self._folder)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    # Not pytest's own folder: a parallel worker would take back the permissions on its parents.
    folder = Path(tempfile.mkdtemp(prefix="afterglow-test-"))
    try:
        made = Cluster(folder / "postgres")
        try:
            made.query("CREATE ROLE afterglow_app NOLOGIN")
            made.query("CREATE ROLE afterglow LOGIN IN ROLE afterglow_app")
            made.make_template()
            yield made
        finally:
            made.server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def settings(cluster: Cluster, tmp_path: Path) -> Settings:
    """A migrated database of this test's own."""
    name = f"afterglow_{uuid4().hex[:12]}"
    cluster.query(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    return cluster.settings(name, tmp_path)


@pytest.fixture
def server(settings: Settings) -> Iterator[LiveServer]:
    """Running, worker included."""
    with LiveServer(settings) as made:
        yield made


class People:
    """Two clinics' people, and tokens that do not grow old."""

    def __init__(self, server: LiveServer) -> None:
        keyring = stack.keyring(server.settings)
        application = create_app(server.settings, keyring, stack.signing_keys(server.settings))
        self._issuer: Issuer = application.state.desk.issuer
        database = Direct(str(server.settings.migration_url), keyring)
        client = TestClient(application)
        self.clinics: list[Clinic] = [a_clinic(client, database) for _ in range(WRITERS // 2)]
        database.close()

    @property
    def patients(self) -> list[Person]:
        """As many as there are writers; every second one is cared for."""
        return [one for clinic in self.clinics for one in (clinic.patient, clinic.other_patient)]

    def headers(self, person: Person) -> dict[str, str]:
        """Signed in now."""
        standing = Standing(
            person.clinic_id,
            person.membership_id,
            UUID(int=1),
            person.role,
            [],
            person.patient_id,
            b"",
            datetime.now(UTC),
        )
        token = self._issuer.access_token(standing, datetime.now(UTC))
        return {"Authorization": f"Bearer {token}"}


class Writer(threading.Thread):
    """A phone that sends check-ins one after the other, and each again until it is taken.

    acknowledged: the ids that were answered with success. refused: statuses of other answers.
    broken: how often there was no answer. strange: answers that nobody should ever get.
    """

    def __init__(
        self, server: LiveServer, people: People, person: Person, answers: list[int], most: int
    ) -> None:
        super().__init__(daemon=True)
        self._url = f"{server.base_url}/v1/patients/me/check-ins"
        self._people = people
        self._person = person
        self._answers = answers
        self._most = most
        self.is_over = threading.Event()
        self.acknowledged: list[UUID] = []
        self.last_at = 0.0
        self.refused: Counter[str] = Counter()
        self.broken = 0
        self.strange: list[str] = []

    def run(self) -> None:
        """Until it is over."""
        with httpx.Client(timeout=20) as client:
            while not self.is_over.is_set() and len(self.acknowledged) < self._most:
                id_ = uuid4()
                sent = a_check_in(id=str(id_), answers=self._answers)
                while not self._send(client, sent) and not self.is_over.wait(0.05):
                    pass

    def _send(self, client: httpx.Client, sent: dict[str, Any]) -> bool:
        try:
            answer = client.post(self._url, json=sent, headers=self._people.headers(self._person))
        except httpx.TransportError:
            self.broken += 1
            return False
        if answer.status_code in (200, 201):
            self.acknowledged.append(UUID(sent["id"]))
            self.last_at = time.monotonic()
            return True
        self.refused[answer.json()["code"]] += 1
        if answer.status_code != 503 or "retry-after" not in answer.headers:
            self.strange.append(f"{answer.status_code} {answer.text}")
        return False


class Writers:
    """Eight of them, while it is entered."""

    def __init__(self, server: LiveServer, answers: list[int] = CALM, most: int = 10**9) -> None:
        self.people = People(server)
        self.each = [
            Writer(server, self.people, person, answers, most) for person in self.people.patients
        ]

    def __enter__(self) -> "Writers":
        for writer in self.each:
            writer.start()
        return self

    def __exit__(self, *raised: object) -> None:
        for writer in self.each:
            writer.is_over.set()
        for writer in self.each:
            writer.join(30)

    @property
    def acknowledged(self) -> set[UUID]:
        """By any of them."""
        return {id_ for writer in self.each for id_ in writer.acknowledged}

    @property
    def strange(self) -> list[str]:
        """Anything but success and a 503 that says when to try again."""
        return [answer for writer in self.each for answer in writer.strange]

    @property
    def refused(self) -> Counter[str]:
        """Of what kinds."""
        return sum((writer.refused for writer in self.each), Counter[str]())

    def seconds_until_all_write_again(self, since: float) -> float:
        """How long it took since then until each of them was answered with success."""
        deadline = time.monotonic() + 20
        while any(writer.last_at <= since and writer.is_alive() for writer in self.each):
            assert time.monotonic() < deadline, "the server did not come back"
            time.sleep(0.01)
        return time.monotonic() - since


def kill(server: LiveServer, cluster: Cluster, what: str) -> None:
    """Kill -9, and start again."""
    if what == "postgres":
        cluster.end(signal.SIGKILL)
        cluster.start()
    else:
        part: Part = "serve" if what == "serve" else "worker"
        server.kill(part)
        server.start(part)


def database_of(settings: Settings) -> str:
    return str(settings.database_url).rpartition("/")[2].partition("?")[0]


def is_sound(cluster: Cluster, settings: Settings) -> bool:
    """Whether every page of every table and index is as PostgreSQL would have written it."""
    database = database_of(settings)
    cluster.query("CREATE EXTENSION IF NOT EXISTS amcheck", database=database)
    torn = cluster.query(
        "SELECT c.relname, f.msg FROM pg_class c CROSS JOIN LATERAL verify_heapam(c.oid) f"
        " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace",
        database=database,
    )
    # Raises where an index does not agree with its table.
    cluster.query(
        "SELECT bt_index_check(c.oid, true) FROM pg_class c JOIN pg_am a ON a.oid = c.relam"
        " WHERE c.relkind = 'i' AND a.amname = 'btree'"
        " AND c.relnamespace = 'public'::regnamespace",
        database=database,
    )
    return torn == []


def stored(cluster: Cluster, settings: Settings) -> list[UUID]:
    """The check-ins that are there."""
    rows = cluster.query("SELECT id FROM check_in", database=database_of(settings))
    return [row[0] for row in rows]


def in_ledger(cluster: Cluster, settings: Settings) -> Counter[UUID]:
    """How often each check-in stands in a ledger."""
    rows = cluster.query(
        "SELECT entry_id FROM ledger WHERE action = 'check_in.submitted'",
        database=database_of(settings),
    )
    return Counter(row[0] for row in rows)


def faults(settings: Settings) -> list[Any]:
    database = Direct(str(settings.database_url), stack.keyring(settings))
    report = verify_all(database)
    database.close()
    assert report.ledgers == WRITERS
    return report.faults


class TestKill:
    def test_no_acknowledged_write_is_lost_whatever_is_killed(
        self, cluster: Cluster, settings: Settings, server: LiveServer
    ) -> None:
        chance = random.Random(11)
        victims = ["serve", "worker", "postgres"]
        chance.shuffle(victims)
        took: list[float] = []

        with Writers(server) as writers:
            for n in range(KILLS):
                time.sleep(0.3 + 0.5 * chance.random())
                killed_at = time.monotonic()
                kill(server, cluster, victims[n % len(victims)])
                took.append(writers.seconds_until_all_write_again(killed_at))

        there = stored(cluster, settings)
        assert len(writers.acknowledged) > 20 * KILLS
        assert writers.acknowledged <= set(there)
        assert in_ledger(cluster, settings) == Counter(there)
        assert faults(settings) == []
        assert is_sound(cluster, settings)
        assert writers.strange == []
        assert max(took) < SERVES_AGAIN_SECONDS, took


class TestRestart:
    def test_while_the_database_restarts_there_are_503s_and_nothing_else(
        self, cluster: Cluster, settings: Settings, server: LiveServer
    ) -> None:
        took: list[float] = []

        with Writers(server) as writers:
            for _ in range(RESTARTS):
                time.sleep(0.5)
                cluster.end(signal.SIGQUIT)
                time.sleep(0.5)
                cluster.start()
                took.append(writers.seconds_until_all_write_again(time.monotonic()))
            before = writers.refused
            time.sleep(0.5)
            after = writers.refused

        assert sum(before.values()) > 0
        assert set(before) <= {"unavailable", "outcome-unknown"}
        assert after == before, "the pool is whole again"
        assert writers.strange == []
        assert sum(writer.broken for writer in writers.each) == 0, "the API never hung up"
        assert max(took) < SERVES_AGAIN_SECONDS, took
        assert writers.acknowledged <= set(stored(cluster, settings))
        assert faults(settings) == []


class TestDanger:
    def everybody_is_told(self, cluster: Cluster, settings: Settings) -> bool:
        """Whether the newest round of every flag was put before somebody, and no promise waits but
        for its time: a round that another replaced before anybody was told is told with that.
        """
        return cluster.query(
            "SELECT (SELECT count(*) FROM outbox WHERE done_at IS NULL AND NOT is_timer),"
            " (SELECT count(*) FROM flag f WHERE NOT EXISTS"
            " (SELECT FROM notice n WHERE n.clinic_id = f.clinic_id AND n.flag_id = f.id"
            "  AND n.round = f.round))",
            database=database_of(settings),
        ) == [(0, 0)]

    def wait_until_told(self, cluster: Cluster, settings: Settings) -> None:
        deadline = time.monotonic() + 15
        while not self.everybody_is_told(cluster, settings):
            assert time.monotonic() < deadline, "somebody was not told"
            time.sleep(0.05)

    def test_every_sign_of_danger_reaches_a_human_whatever_is_killed(
        self, cluster: Cluster, settings: Settings, server: LiveServer
    ) -> None:
        chance = random.Random(5)

        with Writers(server, IN_DANGER, most=1 + FLAGS // WRITERS) as writers:
            while any(writer.is_alive() for writer in writers.each):
                time.sleep(0.1 * chance.random())
                part: Part = chance.choice(["serve", "worker", "worker"])
                server.kill(part)
                server.start(part)

        self.wait_until_told(cluster, settings)
        assert len(writers.acknowledged) >= FLAGS
        evidence = cluster.query(
            "SELECT source_id FROM flag_evidence", database=database_of(settings)
        )
        assert Counter(row[0] for row in evidence) == Counter(stored(cluster, settings))
        assert writers.acknowledged <= {row[0] for row in evidence}
        (told_twice,) = cluster.query(
            "SELECT count(*) - count(DISTINCT (flag_id, round, membership_id)) FROM notice",
            database=database_of(settings),
        )
        assert told_twice == (0,)
        assert writers.strange == []

    def test_a_promise_that_a_killed_worker_held_is_kept_by_the_next(
        self, cluster: Cluster, settings: Settings, server: LiveServer
    ) -> None:
        people, database = People(server), database_of(settings)
        url = f"{server.base_url}/v1/patients/me/check-ins"
        person = people.clinics[0].patient

        with psycopg.connect(libpq(cluster.server.superuser_url(database))) as locking:
            # The worker takes its promise, and waits here before it has told anybody.
            locking.execute("LOCK TABLE notice IN SHARE MODE")
            sent = a_check_in(answers=IN_DANGER)
            answer = httpx.post(url, json=sent, headers=people.headers(person), timeout=10)
            assert answer.status_code == 201
            waiting = self.wait_until_somebody_waits_for(cluster, "notice", database)
            server.kill("worker")
            # PostgreSQL would only notice when it next talked to the worker.
            cluster.query("SELECT pg_terminate_backend(%s, 5000)", waiting)
            assert not self.everybody_is_told(cluster, settings)
        server.start("worker")

        self.wait_until_told(cluster, settings)
        notices = cluster.query("SELECT membership_id FROM notice", database=database)
        assert notices == [(people.clinics[0].therapist.membership_id,)]

    def wait_until_somebody_waits_for(self, cluster: Cluster, table: str, database: str) -> int:
        """Returns: the process of PostgreSQL that does."""
        deadline = time.monotonic() + 10
        asked = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
        while not (waiting := cluster.query(asked, table, database=database)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return int(waiting[0][0])


class TestRetry:
    def test_the_same_create_sent_by_many_at_once_happens_once(
        self, cluster: Cluster, settings: Settings, server: LiveServer
    ) -> None:
        people = People(server)
        person = people.clinics[0].patient
        url = f"{server.base_url}/v1/patients/me/check-ins"
        limits = httpx.Limits(max_connections=AT_ONCE)

        with httpx.Client(timeout=30, limits=limits) as client, ThreadPoolExecutor(AT_ONCE) as pool:
            for n in range(RETRIES // AT_ONCE):
                sent = a_check_in(id=str(uuid4()), answers=IN_DANGER if n % 2 else CALM)
                headers = people.headers(person)

                def send(
                    _: int, sent: dict[str, Any] = sent, headers: dict[str, str] = headers
                ) -> httpx.Response:
                    return client.post(url, json=sent, headers=headers)

                answers = list(pool.map(send, range(AT_ONCE)))

                codes = Counter(answer.status_code for answer in answers)
                assert codes == {201: 1, 200: AT_ONCE - 1}, [a.text for a in answers][:3]
                assert len({same_part(answer.json()) for answer in answers}) == 1

        there = stored(cluster, settings)
        assert len(there) == RETRIES // AT_ONCE
        assert in_ledger(cluster, settings) == Counter(there)
        evidence = cluster.query(
            "SELECT count(*) FROM flag_evidence", database=database_of(settings)
        )
        assert evidence == [(len(there) // 2,)]

    @pytest.mark.parametrize(
        ("moment", "status"),
        [(b"SELECT", 201), (b"COMMIT", 200)],
        ids=["before the commit", "between commit and reply"],
    )
    def test_a_create_that_was_cut_off_happens_once_when_it_is_sent_again(
        self, cluster: Cluster, settings: Settings, moment: bytes, status: int
    ) -> None:
        with Between(str(settings.database_url)) as between:
            through = settings.model_copy(update={"database_url": between.url})
            server = LiveServer(through)
            server.start("serve")
            try:
                people = People(server)
                headers = people.headers(people.clinics[0].patient)
                url = f"{server.base_url}/v1/patients/me/check-ins"
                sent = a_check_in(id=str(uuid4()), answers=IN_DANGER)
                time.sleep(0.2)  # what the check of readiness left behind is answered

                between.answer = when(moment, lambda: server.kill("serve"))
                with pytest.raises(httpx.TransportError):
                    httpx.post(url, json=sent, headers=headers, timeout=10)
                server.start("serve")
                answers = [
                    httpx.post(url, json=sent, headers=headers, timeout=10) for _ in range(2)
                ]
            finally:
                server.stop()

        assert [answer.status_code for answer in answers] == [status, 200]
        assert in_ledger(cluster, settings) == Counter([UUID(sent["id"])])
        flags = cluster.query("SELECT round FROM flag", database=database_of(settings))
        assert flags == [(1,)]
        assert answers[0].json()["safety"]["flag"]["round"] == 1


def same_part(answer: dict[str, Any]) -> str:
    """What a retry answers with the same words; the safety block is of its own moment."""
    return str({name: value for name, value in answer.items() if name != "safety"})


def when(tag: bytes, act: Callable[[], None]) -> Callable[[bytes, bytes], bytes | None]:
    """The first time that a command such as COMMIT is done: act instead of passing that on."""
    has_acted = False

    def answer(kind: bytes, body: bytes) -> bytes | None:
        nonlocal has_acted
        if not has_acted and kind == COMMAND_COMPLETE and body.startswith(tag):
            has_acted = True
            act()
            return None
        return message(kind, body)

    return answer
