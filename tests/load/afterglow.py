"""Afterglow itself, as `afterglow serve` runs it: one process, its own role, everything on.

A write is the whole check-in: token, strict body, chart, score, sealed snapshot, ledger with its
hash, row-level security, commit. A read is the whole trajectory, computed; "read as therapist"
is the same by somebody whose reading is in the access log before the answer leaves.
"""

import abc
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import msgspec

from app.kernel import accounts, embedded
from app.kernel.db import Db, Direct
from app.kernel.identity import Issuer, Standing
from app.kernel.settings import Settings
from app.operations import stack
from app.people.admission import admit, link_care
from app.people.clinics import NOTICE_VERSION, WEEKDAYS_NINE_TO_FIVE, found_clinic
from tests.load import database
from tests.load.subjects import (
    PATIENTS,
    POINTS,
    Kind,
    Server,
    free_port,
    http_request,
    launch,
    plain_write_body,
)

DOSES = 6
"""Of each patient with POINTS check-ins."""
LONG = timedelta(days=3653)
"""Ten years."""


class Deployment(abc.ABC):
    """A migrated database with one clinic, and the real server on it.

    Whoever derives from it names it, says what is asked of it, and makes its patients.
    """

    name: str
    kinds: Mapping[str, Kind]

    def start(self, postgres: embedded.Server, log: Path) -> Server:
        """As `Subject`."""
        self.postgres = postgres
        port = free_port()
        with database.connect(postgres) as connection:
            there = "SELECT FROM pg_roles WHERE rolname = 'afterglow'"
            if connection.execute(there).fetchone() is None:
                connection.execute("CREATE ROLE afterglow_app NOLOGIN")
                connection.execute("CREATE ROLE afterglow LOGIN IN ROLE afterglow_app")
        postgres.create_database(self.name)
        settings = Settings(
            database_url=postgres.url("afterglow", self.name),
            migration_url=postgres.superuser_url(self.name),
            data_dir=log.parent / self.name,
            public_url=f"http://127.0.0.1:{port}",
            port=port,
        )
        stack.migrate(settings)
        keyring = stack.keyring(settings)
        self._issuer = Issuer(stack.signing_keys(settings), keyring, settings.base_url)
        assert settings.database_url is not None
        direct = Direct(settings.database_url, keyring)
        self.therapist = direct.run(self._people)
        self.settle(direct)
        direct.close()
        with database.connect(postgres, self.name) as connection:
            connection.execute("VACUUM ANALYZE")
        environment = {
            "AFTERGLOW_DATABASE_URL": settings.database_url,
            "AFTERGLOW_DATA_DIR": str(settings.data_dir),
            "AFTERGLOW_PUBLIC_URL": settings.base_url,
            "AFTERGLOW_PORT": str(port),
        }
        return self.serve(port, environment, log)

    def serve(self, port: int, environment: Mapping[str, str], log: Path) -> Server:
        """Afterglow; somebody else may answer from the same database."""
        return launch([sys.executable, "-m", "app", "serve"], port, environment, log)

    def stored(self) -> int:
        """As `Subject`."""
        with database.connect(self.postgres, self.name) as connection:
            row = connection.execute("SELECT count(*)::int FROM check_in").fetchone()
        assert row is not None
        assert isinstance(row[0], int)
        return row[0]

    @abc.abstractmethod
    def settle(self, direct: Direct) -> None:
        """Make whoever is asked about, with their history."""

    def admit(self, direct: Direct, count: int, *, over: timedelta) -> list[Standing]:
        """New patients, in the therapist's care from a day before so long ago."""
        began_at = datetime.now(UTC) - over - timedelta(days=1)

        def work(db: Db) -> list[Standing]:
            db.enter(self.therapist.clinic_id)
            return [self._patient(db, began_at) for _ in range(count)]

        return direct.run(work)

    def seed(
        self, patients: Sequence[Standing], *, points: int, doses: int, over: timedelta
    ) -> None:
        """Check-ins and doses spread evenly, ordered by time as real ones arrive."""
        patient_ids = [standing.patient_id for standing in patients]
        with database.connect(self.postgres, self.name) as connection:
            connection.execute(
                """
                INSERT INTO check_in SELECT %s, patient_id, gen_random_uuid(), 1, 'final', 'phq-9',
                    '1', '1', '{1,2,0,3,1,0,2,0,0}', '{}', 9, 'mild', true, true, 'none', at, at,
                    at, NULL
                FROM generate_series(1, %s) AS point, unnest(%s::uuid[]) AS patient_id,
                    LATERAL (SELECT now() - point * %s::interval) AS placed (at)
                ORDER BY point DESC
                """,
                [self.therapist.clinic_id, points, patient_ids, over / points],
            )
            connection.execute(
                """
                INSERT INTO dosing_session SELECT %s, patient_id, gen_random_uuid(), 1,
                    'completed', at, at, at, %s, at
                FROM generate_series(1, %s) AS dose, unnest(%s::uuid[]) AS patient_id,
                    LATERAL (SELECT now() - dose * %s::interval) AS placed (at)
                """,
                [
                    self.therapist.clinic_id,
                    self.therapist.membership_id,
                    doses,
                    patient_ids,
                    over / doses,
                ],
            )

    def token(self, standing: Standing) -> str:
        """An access token that is good for this run."""
        return self._issuer.access_token(standing, datetime.now(UTC))

    def _patient(self, db: Db, began_at: datetime) -> Standing:
        account_id = uuid4()
        admitted = admit(
            db,
            account_id=account_id,
            name="Bench",
            time_zone="America/New_York",
            locale="en",
            country="US",
            notice_version=NOTICE_VERSION,
            now=began_at,
        )
        link_care(db, admitted, self.therapist.membership_id, began_at)
        return Standing(
            self.therapist.clinic_id,
            admitted.actor_id,
            account_id,
            "patient",
            [],
            admitted.patient_id,
            b"",
            began_at,
        )

    def _people(self, db: Db) -> Standing:
        """The clinic, and a therapist of it."""
        began_at = datetime.now(UTC) - LONG - timedelta(days=1)
        clinic_id = found_clinic(
            db,
            name="Bench",
            country="US",
            time_zone="America/New_York",
            phone=None,
            is_synthetic=True,
            coverage=WEEKDAYS_NINE_TO_FIVE,
            now=began_at,
        )
        account_id = uuid4()
        privileges = ["monitor", "therapy"]
        membership_id = accounts.join(
            db,
            db.vault,
            account_id=account_id,
            role="clinician",
            privileges=privileges,
            patient_id=None,
            name="Bench",
            now=began_at,
        )
        return Standing(
            clinic_id, membership_id, account_id, "clinician", privileges, None, b"", began_at
        )


class AfterglowSubject(Deployment):
    """The server beside the floor and the template: their requests, and a therapist's."""

    name = "afterglow"

    def __init__(self) -> None:
        self.kinds = {
            "write": Kind(self._write_request, 201, "write", check_submitted, stores=1),
            "read": Kind(self._read_request, 200, "read", self._check_read),
            "read as therapist": Kind(self._therapist_request, 200, "read", self._check_read),
        }

    def settle(self, direct: Direct) -> None:
        """As `Deployment`."""
        daily = timedelta(days=POINTS)
        self._writers = self.admit(direct, PATIENTS, over=daily)
        self._readers = self.admit(direct, PATIENTS, over=daily)
        self.seed(self._readers, points=POINTS, doses=DOSES, over=daily)

    def _write_request(self, i: int) -> bytes:
        return write_request(self.token(self._writers[i]))

    def _read_request(self, i: int) -> bytes:
        path = "/v1/patients/me/trajectories/phq-9"
        return http_request("GET", path, self.token(self._readers[i]))

    def _therapist_request(self, i: int) -> bytes:
        path = f"/v1/patients/{self._readers[i].patient_id}/trajectories/phq-9"
        return http_request("GET", path, self.token(self.therapist))

    def _check_read(self, body: bytes) -> None:
        answer = msgspec.json.decode(body)
        columns = answer["points"]
        if {len(column) for column in columns.values()} != {POINTS} or len(columns) != 8:
            raise ValueError(f"not {POINTS} points: {body[:500]!r}")
        if answer["latest"]["change"] != 0 or columns["dose_number"][-1] != DOSES:
            raise ValueError("the trajectory was not computed")


class StreamSubject(AfterglowSubject):
    """The same server, while a therapist follows the flags that every check-in raises."""

    name = "stream"

    def __init__(self) -> None:
        super().__init__()
        self.kinds = {
            "flagged write": Kind(
                self._flagged_request, 201, "write", self._check_flagged, 1, self._stream_request
            )
        }

    def _flagged_request(self, i: int) -> bytes:
        body = plain_write_body().replace(b"0,0]", b"0,3]")
        return http_request("POST", "/v1/patients/me/check-ins", self.token(self._writers[i]), body)

    def _stream_request(self) -> bytes:
        return http_request("GET", "/v1/flags/stream", self.token(self.therapist))

    def _check_flagged(self, body: bytes) -> None:
        if msgspec.json.decode(body)["safety"]["level"] != "high":
            raise ValueError(f"a check-in in danger was answered with {body[:500]!r}")


def write_request(token: str) -> bytes:
    """One check-in, sent by itself."""
    return http_request("POST", "/v1/patients/me/check-ins", token, plain_write_body())


def check_submitted(body: bytes) -> None:
    """For a `Kind` of `write_request`."""
    answer = msgspec.json.decode(body)
    if answer["total"] != 9 or answer["safety"]["level"] != "none":
        raise ValueError(f"a check-in worth 9 points was answered with {body[:500]!r}")
