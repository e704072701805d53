"""What is measured: servers that store check-ins and answer with a patient's points."""

import http.client
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import msgspec
from joserfc import jwt
from joserfc.jwk import ECKey

from app.kernel import embedded
from tests.load import database
from tests.load.generator import DRAIN_SECONDS, FRESH_ID, NOW, with_fresh_values

ROOT = Path(__file__).parents[2]
PATIENTS = 128
"""How many patients write, and how many others are read."""
POINTS = 200
"""Check-ins of each patient who is read."""
START_SECONDS = 30.0
TOKEN_LIFETIME = timedelta(hours=6)


@dataclass(frozen=True)
class Kind:
    """A kind of request that a subject answers.

    request: the raw HTTP/1.1 request of patient i, 0 <= i < PATIENTS, where the generator's
        `FRESH_ID` and `NOW` stand for a new id and the current instant. Asked anew before every
        measurement, so that it may carry a fresh token.
    status: the one status that is right.
    like: the table of the report it stands in, a key of `catalogue.COMPARED_WITH`.
    check: raises ValueError unless it is given the body of a right answer.
    stores: check-ins that one answered request has stored.
    stream: the request of a stream on which each answered request appears, asked anew likewise.
    carries: check-ins that one request is about; its cost is told for each of them.
    at_most: connections; it is not measured at more.
    """

    request: Callable[[int], bytes]
    status: int
    like: str
    check: Callable[[bytes], None]
    stores: int = 0
    stream: Callable[[], bytes] | None = None
    carries: int = 1
    at_most: int = PATIENTS


@dataclass(frozen=True)
class Server:
    """A started subject.

    pids: the processes whose CPU is the subject's; their descendants count too.
    """

    host: str
    port: int
    pids: list[int]
    stop: Callable[[], None]


class Subject(Protocol):
    """Something to measure.

    kinds: requests by name. "write" and "read" are the floor's; others may be called anything
        ("read as therapist") and say through `Kind.like` what they stand beside.
    """

    @property
    def name(self) -> str: ...

    @property
    def kinds(self) -> Mapping[str, Kind]: ...

    def start(self, postgres: embedded.Server, log: Path) -> Server:
        """Make a database with whoever is to write and to be read, and serve it.

        Leaves nothing running if it raises. What the server prints goes to `log`.
        """
        ...

    def stored(self) -> int:
        """How many check-ins the subject's database holds."""
        ...


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def serve(application: str, environment: Mapping[str, str], log: Path, *options: str) -> Server:
    """Run one uvicorn process for `application` ("module:app") and wait until it accepts.

    options: further arguments for uvicorn ("--factory").
    Raises: RuntimeError with the end of the log if it is not there within START_SECONDS.
    """
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", application, "--host=127.0.0.1", f"--port={port}"]
    command += ["--loop=uvloop", "--http=httptools", "--no-access-log", "--log-level=warning"]
    command += ["--timeout-graceful-shutdown=3", *options]
    return launch(command, port, environment, log)


def launch(command: Sequence[str], port: int, environment: Mapping[str, str], log: Path) -> Server:
    """Run a server that will listen on `port` of this machine; as `serve`."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for the runner, which then stops everything
        )

    def stop() -> None:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    try:
        give_up = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > give_up:
                    said = log.read_text(errors="replace")[-4000:]
                    raise RuntimeError(f"{command[2]} did not start:\n{said}") from None
                time.sleep(0.05)
    except BaseException:
        stop()
        raise
    return Server(host="127.0.0.1", port=port, pids=[process.pid], stop=stop)


def http_request(method: str, path: str, token: str, body: bytes = b"") -> bytes:
    """A raw HTTP/1.1 request with a bearer token and, if there is a body, its JSON headers."""
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", f"authorization: Bearer {token}"]
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def ask(server: Server, request: bytes) -> tuple[int, bytes]:
    """Send one raw request, with fresh values, on a connection of its own: status and body."""
    address = (server.host, server.port)
    with socket.create_connection(address, timeout=DRAIN_SECONDS) as connection:
        connection.sendall(with_fresh_values(request))
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.read()


def plain_write_body() -> bytes:
    """The check-in every subject is sent, worth 9 points."""
    return b'{"id":"%b","instrument":"phq-9","answers":[1,2,0,3,1,0,2,0,0],"recorded_at":"%b"}' % (
        FRESH_ID,
        NOW,
    )


class PlainSubject:
    """The floor or the template: one application, one table, the same requests."""

    def __init__(self, name: str, application: str) -> None:
        self.name = name
        self._application = application
        self._key = ECKey.generate_key("P-256")
        self._writers = [uuid.uuid4() for _ in range(PATIENTS)]
        self._readers = [uuid.uuid4() for _ in range(PATIENTS)]
        self._tokens = {
            patient_id: self._token(patient_id) for patient_id in self._writers + self._readers
        }
        self.kinds: Mapping[str, Kind] = {
            "write": Kind(self.write_request, 201, "write", self._check_write, stores=1),
            "read": Kind(self.read_request, 200, "read", self._check_read),
        }

    def start(self, postgres: embedded.Server, log: Path) -> Server:
        postgres.create_database(self.name)
        self._postgres = postgres
        environment = {
            "LOAD_DATABASE_URL": postgres.libpq_url(embedded.SUPERUSER, self.name),
            "LOAD_PUBLIC_KEY": self._key.as_pem(private=False).decode(),
        }
        server = serve(self._application, environment, log)
        try:
            self._seed()
        except BaseException:
            server.stop()
            raise
        return server

    def stored(self) -> int:
        with database.connect(self._postgres, self.name) as connection:
            row = connection.execute("SELECT count(*)::int FROM check_in").fetchone()
        assert row is not None
        assert isinstance(row[0], int)
        return row[0]

    def write_request(self, i: int) -> bytes:
        token = self._tokens[self._writers[i]]
        return http_request("POST", "/check-ins", token, plain_write_body())

    def read_request(self, i: int) -> bytes:
        return http_request("GET", "/check-ins", self._tokens[self._readers[i]])

    def _token(self, patient_id: uuid.UUID) -> str:
        now = datetime.now(UTC)
        claims: dict[str, object] = {
            "iss": "bench",
            "aud": "bench",
            "sub": str(patient_id),
            "jti": str(uuid.uuid4()),
            "iat": int(now.timestamp()),
            "exp": int((now + TOKEN_LIFETIME).timestamp()),
        }
        return jwt.encode({"alg": "ES256"}, claims, self._key)

    def _seed(self) -> None:
        # Ordered by time, as real check-ins arrive: one patient's points lie far apart.
        with database.connect(self._postgres, self.name) as connection:
            connection.execute(
                """
                INSERT INTO check_in (id, patient_id, instrument, answers, total, recorded_at)
                SELECT gen_random_uuid(), patient_id, 'phq-9', '{1,2,0,3,1,0,2,0,0}', 9,
                       now() - day * interval '1 day'
                FROM unnest(%s::uuid[]) AS patient_id, generate_series(1, %s) AS day
                ORDER BY day DESC
                """,
                [self._readers, POINTS],
            )
            connection.execute("VACUUM ANALYZE check_in")

    def _check_write(self, body: bytes) -> None:
        if msgspec.json.decode(body).get("total") != 9:
            raise ValueError(f"a check-in worth 9 points was answered with {body!r}")

    def _check_read(self, body: bytes) -> None:
        points = msgspec.json.decode(body)
        if len(points) != POINTS or any(
            point.keys() != {"recorded_at", "total"} for point in points
        ):
            raise ValueError(f"not {POINTS} points: {body[:500]!r}")
