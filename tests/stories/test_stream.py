"""Flags as they change, from real processes: what only a running system shows."""

import json
import queue
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from fastapi.testclient import TestClient

from app.kernel.db import Direct, libpq
from app.kernel.settings import Settings
from app.main import create_app
from app.operations import stack
from app.safety import news
from app.safety.stream import MOST_OF_A_MEMBER
from tests.builders import Clinic, Person, a_check_in, a_clinic
from tests.stories.servers import LiveServer
from tests.stories.test_crashes import Cluster

PATH: Final = "/v1/flags/stream"
SOON: Final = 20.0
"""Seconds within which what is to happen has happened, on a machine that is busy."""
STOPS_WITHIN: Final = 3.0
"""The grace that `serve` gives to what is under way."""


class Reader:
    """Reads a stream over HTTP in a thread of its own, as an application would."""

    def __init__(self, server: LiveServer, person: Person) -> None:
        self._server = server
        self._person = person
        self._events: queue.Queue[tuple[str, dict[str, Any]] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The thread ends with the server."""

    def next(self) -> tuple[str, dict[str, Any]]:
        """Name and content of the next event."""
        event = self._events.get(timeout=SOON)
        assert event is not None, "the stream ended"
        return event

    def begun(self) -> list[str]:
        """The ids of the snapshot."""
        ids = []
        while (event := self.next())[0] != "live":
            assert event[0] == "snapshot"
            ids.append(event[1]["id"])
        return ids

    def ended(self) -> None:
        """The stream is over; nothing came before."""
        assert self._events.get(timeout=SOON) is None

    def _read(self) -> None:
        headers = {"Authorization": f"Bearer {self._person.token}"}
        name = ""
        try:
            with httpx.stream(
                "GET", self._server.base_url + PATH, headers=headers, timeout=SOON
            ) as answer:
                assert answer.status_code == 200
                for line in answer.iter_lines():
                    field, _, value = line.partition(": ")
                    if field == "event":
                        name = value
                    elif field == "data":
                        self._events.put((name, json.loads(value)))
        finally:
            self._events.put(None)


@pytest.fixture
def server(fresh_database: Settings) -> Iterator[LiveServer]:
    """An API; nobody is told by a worker."""
    made = LiveServer(fresh_database)
    made.start("serve")
    yield made
    made.stop()


def people_of(server: LiveServer) -> Clinic:
    """A clinic, its people with tokens of this server."""
    keyring = stack.keyring(server.settings)
    application = create_app(server.settings, keyring, stack.signing_keys(server.settings))
    database = Direct(str(server.settings.migration_url), keyring)
    clinic = a_clinic(TestClient(application), database)
    database.close()
    return clinic


def in_danger(server: LiveServer, patient: Person) -> str:
    """A check-in that flags. Returns: the flag's id."""
    answer = httpx.post(
        f"{server.base_url}/v1/patients/me/check-ins",
        json=a_check_in(answers=[1, 1, 1, 1, 1, 1, 1, 1, 3]),
        headers={"Authorization": f"Bearer {patient.token}"},
        timeout=SOON,
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["safety"]["flag"]["id"])


def status_of(server: LiveServer, person: Person) -> int:
    """How the server answers somebody who wants a stream; hangs up at once."""
    headers = {"Authorization": f"Bearer {person.token}"}
    with httpx.stream("GET", server.base_url + PATH, headers=headers, timeout=SOON) as answer:
        return answer.status_code


class TestStreams:
    def test_two_processes_on_one_database_both_tell(self, server: LiveServer) -> None:
        clinic = people_of(server)
        other = LiveServer(server.settings)
        # Behind one address, as several processes are.
        other.settings = other.settings.model_copy(update={"public_url": server.base_url})
        try:
            other.start("serve")
            with Reader(server, clinic.therapist) as here, Reader(other, clinic.therapist) as there:
                assert (here.begun(), there.begun()) == ([], [])

                flags = [in_danger(one, clinic.patient) for one in (server, other)]

                assert len(set(flags)) == 1
                for reader in (here, there):
                    told = [reader.next() for _ in flags]
                    assert [name for name, _ in told] == ["flag", "flag"]
                    assert [data["version"] for _, data in told] == [1, 2]
        finally:
            other.stop()

    def test_a_server_that_stops_ends_them_in_good_order(self, server: LiveServer) -> None:
        clinic = people_of(server)
        with Reader(server, clinic.therapist) as one, Reader(server, clinic.administrator) as two:
            assert (one.begun(), two.begun()) == ([], [])

            began_at = time.monotonic()
            codes = server.stop("serve")
            took = time.monotonic() - began_at

            one.ended()
            two.ended()
            assert took < STOPS_WITHIN
            assert codes["serve"] in (0, -signal.SIGTERM)
            assert "Exception" not in server.log("serve")

    def test_who_reads_nothing_is_hung_up_on(self, server: LiveServer) -> None:
        clinic = people_of(server)
        in_danger(server, clinic.patient)
        many_flags(server, clinic.id)
        stuck = [a_deaf_reader(server, clinic.administrator) for _ in range(MOST_OF_A_MEMBER)]
        assert status_of(server, clinic.administrator) == 429

        until = time.monotonic() + 2 * SOON
        while (status := status_of(server, clinic.administrator)) == 429:
            assert time.monotonic() < until
            for _ in range(10):
                change_all(server, clinic.id)

        assert status == 200
        # Nothing of those who are gone, and no reader who is still stuck, keeps it from stopping.
        began_at = time.monotonic()
        server.stop("serve")
        assert time.monotonic() - began_at < STOPS_WITHIN
        assert "Exception" not in server.log("serve")
        for one in stuck:
            one.close()


def a_deaf_reader(server: LiveServer, person: Person) -> socket.socket:
    """Asks for a stream, and never reads more than its head."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.settimeout(SOON)
    address = httpx.URL(server.base_url)
    reader.connect((address.host, address.port))
    head = [f"GET {PATH} HTTP/1.1", "host: here", f"authorization: Bearer {person.token}", "", ""]
    reader.sendall("\r\n".join(head).encode())
    assert reader.recv(12) == b"HTTP/1.1 200"
    return reader


def many_flags(server: LiveServer, clinic_id: UUID) -> None:
    """Two hundred patients with an open flag."""
    _as_owner(
        server,
        "INSERT INTO patient SELECT (jsonb_populate_record(p, jsonb_build_object('id',"
        " gen_random_uuid()))).* FROM patient p, flag f, generate_series(1, 200)"
        " WHERE p.clinic_id = %(clinic)s AND f.clinic_id = p.clinic_id AND f.patient_id = p.id",
        "INSERT INTO flag SELECT (jsonb_populate_record(f, jsonb_build_object('id',"
        " gen_random_uuid(), 'patient_id', p.id))).* FROM patient p, flag f"
        " WHERE p.clinic_id = %(clinic)s AND f.clinic_id = %(clinic)s AND p.id <> f.patient_id",
        clinic=clinic_id,
    )


def change_all(server: LiveServer, clinic_id: UUID) -> None:
    """Every flag of the clinic has a newer version."""
    _as_owner(
        server,
        "UPDATE flag SET version = version + 1 WHERE clinic_id = %(clinic)s",
        f"SELECT pg_notify('{news.CHANNEL}', concat_ws('/', clinic_id, id, version)) FROM flag"
        " WHERE clinic_id = %(clinic)s",
        clinic=clinic_id,
    )


def _as_owner(server: LiveServer, *statements: str, **values: Any) -> None:
    with psycopg.connect(libpq(str(server.settings.migration_url))) as connection:
        for statement in statements:
            connection.execute(statement.encode(), values)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL that may be killed."""
    # Not pytest's own folder: a parallel worker would take back the permissions on its parents.
    folder = Path(tempfile.mkdtemp(prefix="afterglow-test-"))
    try:
        made = Cluster(folder / "postgres")
        try:
            made.query("CREATE ROLE afterglow_app NOLOGIN")
            made.query("CREATE ROLE afterglow LOGIN IN ROLE afterglow_app")
            yield made
        finally:
            made.server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class TestRestarts:
    def test_after_a_restart_of_postgresql_what_was_missed_is_told(
        self, cluster: Cluster, tmp_path: Path
    ) -> None:
        name = f"afterglow_{uuid4().hex[:12]}"
        cluster.query(f"CREATE DATABASE {name}")
        settings = cluster.settings(name, tmp_path)
        stack.migrate(settings)
        server = LiveServer(settings)
        try:
            server.start("serve")
            clinic = people_of(server)
            with Reader(server, clinic.therapist) as reader:
                assert reader.begun() == []
                first = in_danger(server, clinic.patient)
                assert reader.next()[1]["id"] == first

                cluster.end(signal.SIGQUIT)
                assert reader.next()[0] == "interrupted"
                cluster.start()

                assert reader.begun() == [first]
                again = in_danger(server, clinic.patient)
                assert reader.next() == ("flag", reader_saw(again, version=2))
        finally:
            server.stop()


def reader_saw(flag_id: str, version: int) -> dict[str, Any]:
    """A flag of high level in its newest round."""
    return {
        "id": flag_id,
        "version": version,
        "kind": "suicide-risk",
        "level": "high",
        "status": "open",
        "round": version,
        "is_historic": False,
    }
