"""Afterglow itself, as `afterglow serve` runs it: one process, its own role, everything on.

A write is the whole check-in: token, strict body, chart, score, sealed snapshot, ledger with its
hash, row-level security, commit. A read is the whole trajectory, computed; "read as therapist"
is the same by somebody whose reading is in the access log before the answer leaves.
"""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import msgspec

from app.kernel import embedded, identity
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

_DOSES = 6


class AfterglowSubject:
    """The real server on a migrated database."""

    name = "afterglow"

    def __init__(self) -> None:
        self._writers: list[Standing] = []
        self._readers: list[Standing] = []
        self.kinds: Mapping[str, Kind] = {
            "write": Kind(self._write_request, 201, "write", self._check_write, stores=1),
            "read": Kind(self._read_request, 200, "read", self._check_read),
            "read as therapist": Kind(self._therapist_request, 200, "read", self._check_read),
        }

    def start(self, postgres: embedded.Server, log: Path) -> Server:
        """As `Subject`."""
        self._postgres = postgres
        port = free_port()
        with database.connect(postgres, "postgres") as connection:
            if not connection.execute(
                "SELECT 1 FROM pg_roles WHERE rolname = 'afterglow'"
            ).rowcount:
                connection.execute("CREATE ROLE afterglow_app NOLOGIN")
                connection.execute("CREATE ROLE afterglow LOGIN IN ROLE afterglow_app")
        postgres.create_database(self.name)
        settings = Settings(
            database_url=postgres.url("afterglow", self.name),
            migration_url=postgres.superuser_url(self.name),
            data_dir=log.parent / f"{self.name}-data",
            public_url=f"http://127.0.0.1:{port}",
            port=port,
        )
        stack.migrate(settings)
        keyring = stack.keyring(settings)
        self._issuer = Issuer(stack.signing_keys(settings), keyring, settings.base_url)
        assert settings.database_url is not None
        direct = Direct(settings.database_url, keyring)
        self._therapist = direct.run(self._people)
        direct.close()
        self._seed()
        environment = {
            "AFTERGLOW_DATABASE_URL": settings.database_url,
            "AFTERGLOW_DATA_DIR": str(settings.data_dir),
            "AFTERGLOW_PUBLIC_URL": settings.base_url,
            "AFTERGLOW_PORT": str(port),
        }
        return launch([sys.executable, "-m", "app", "serve"], port, environment, log)

    def stored(self) -> int:
        """As `Subject`."""
        with database.connect(self._postgres, self.name) as connection:
            row = connection.execute("SELECT count(*)::int FROM check_in").fetchone()
        assert row is not None
        assert isinstance(row[0], int)
        return row[0]

    def _people(self, db: Db) -> Standing:
        """One clinic, its patients, and a therapist who cares for those who are read."""
        began_at = datetime.now(UTC) - timedelta(days=POINTS + 1)
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
        membership_id = identity.join(
            db,
            db.vault,
            account_id=account_id,
            role="clinician",
            privileges=privileges,
            patient_id=None,
            name="Bench",
            now=began_at,
        )
        therapist = Standing(
            clinic_id, membership_id, account_id, "clinician", privileges, None, b"", began_at
        )
        for group in (self._writers, self._readers):
            for _ in range(PATIENTS):
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
                link_care(db, admitted, therapist.membership_id, began_at)
                standing = Standing(
                    clinic_id,
                    admitted.actor_id,
                    account_id,
                    "patient",
                    [],
                    admitted.patient_id,
                    b"",
                    began_at,
                )
                group.append(standing)
        return therapist

    def _seed(self) -> None:
        """Points and doses of those who are read, ordered by time as real ones arrive."""
        patient_ids = [standing.patient_id for standing in self._readers]
        with database.connect(self._postgres, self.name) as connection:
            connection.execute(
                """
                INSERT INTO check_in SELECT %s, patient_id, gen_random_uuid(), 1, 'final', 'phq-9',
                    '1', '1', '{1,2,0,3,1,0,2,0,0}', '{}', 9, 'mild', true, true, 'none', at, at,
                    at, NULL
                FROM generate_series(1, %s) AS day, unnest(%s::uuid[]) AS patient_id,
                    LATERAL (SELECT now() - day * interval '1 day') AS placed (at)
                ORDER BY day DESC
                """,
                [self._therapist.clinic_id, POINTS, patient_ids],
            )
            connection.execute(
                """
                INSERT INTO dosing_session SELECT %s, patient_id, gen_random_uuid(), 1,
                    'completed', at, at, at, %s, at
                FROM generate_series(1, %s) AS dose, unnest(%s::uuid[]) AS patient_id,
                    LATERAL (SELECT now() - dose * interval '20 days') AS placed (at)
                """,
                [
                    self._therapist.clinic_id,
                    self._therapist.membership_id,
                    _DOSES,
                    patient_ids,
                ],
            )
            connection.execute("VACUUM ANALYZE")

    def _write_request(self, i: int) -> bytes:
        return http_request(
            "POST",
            "/v1/patients/me/check-ins",
            self._token(self._writers[i]),
            plain_write_body(),
        )

    def _read_request(self, i: int) -> bytes:
        path = "/v1/patients/me/trajectories/phq-9"
        return http_request("GET", path, self._token(self._readers[i]))

    def _therapist_request(self, i: int) -> bytes:
        path = f"/v1/patients/{self._readers[i].patient_id}/trajectories/phq-9"
        return http_request("GET", path, self._token(self._therapist))

    def _token(self, standing: Standing) -> str:
        return self._issuer.access_token(standing, datetime.now(UTC))

    def _check_write(self, body: bytes) -> None:
        answer = msgspec.json.decode(body)
        if answer["total"] != 9 or answer["safety"]["level"] != "none":
            raise ValueError(f"a check-in worth 9 points was answered with {body[:500]!r}")

    def _check_read(self, body: bytes) -> None:
        answer = msgspec.json.decode(body)
        columns = answer["points"]
        if {len(column) for column in columns.values()} != {POINTS} or len(columns) != 7:
            raise ValueError(f"not {POINTS} points: {body[:500]!r}")
        if answer["latest"]["change"] != 0 or columns["dose_number"][-1] != _DOSES:
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
        return http_request(
            "POST", "/v1/patients/me/check-ins", self._token(self._writers[i]), body
        )

    def _stream_request(self) -> bytes:
        return http_request("GET", "/v1/flags/stream", self._token(self._therapist))

    def _check_flagged(self, body: bytes) -> None:
        if msgspec.json.decode(body)["safety"]["level"] != "high":
            raise ValueError(f"a check-in in danger was answered with {body[:500]!r}")
