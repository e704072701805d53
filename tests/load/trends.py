"""What a therapist and an administrator look at: a long series, a long list, a large clinic."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import msgspec

from app.kernel import accounts, embedded
from app.kernel.db import Db, Direct
from tests.load import database
from tests.load.afterglow import DOSES, LONG, Deployment
from tests.load.subjects import Kind, Server, http_request, launch

READERS = 8
"""Patients with each length of series."""
LIST = 60
"""Patients on one therapist's list."""
PAGE = 50
TREATED = 20_000
"""Patients in the outcomes of a clinic."""
SCORES = 14
"""Of each of them: two before the first dose, and one a week after it."""


class TrajectorySubject(Deployment):
    """One series, computed whole: ten years of daily answers beside two hundred."""

    name = "trajectory"

    def __init__(self) -> None:
        self.kinds = {
            f"{points:,} points": Kind(
                lambda i, points=points: self._request(i, points),  # type: ignore[misc]
                200,
                "trajectory",
                lambda body, points=points: self._check(body, points),  # type: ignore[misc]
            )
            for points in _LENGTHS
        }

    def settle(self, direct: Direct) -> None:
        """As `Deployment`."""
        self._patients = {}
        for points, over in _LENGTHS.items():
            self._patients[points] = self.admit(direct, READERS, over=over)
            self.seed(self._patients[points], points=points, doses=DOSES, over=over)
        # Scores that move: one that never changes has no response, no loss and no sudden gain.
        with database.connect(self.postgres, self.name) as connection:
            connection.execute("SELECT setseed(0.5)")
            connection.execute(_MOVING)

    def _request(self, i: int, points: int) -> bytes:
        standing = self._patients[points][i % READERS]
        return http_request("GET", "/v1/patients/me/trajectories/phq-9", self.token(standing))

    def _check(self, body: bytes, points: int) -> None:
        answer = msgspec.json.decode(body)
        scores = answer["points"]["score"]
        if len(scores) != points or len(set(scores)) < 10 or answer["response"] is None:
            raise ValueError(f"not {points} points that move: {body[:500]!r}")


class CaseloadSubject(Deployment):
    """The first page of one list, among few and among many patients of the same clinic."""

    def __init__(self, name: str, patients: int) -> None:
        self.name = name
        self._patients = patients
        self.kinds = {
            f"page of {PAGE}, {patients:,} patients": Kind(
                lambda _: http_request(
                    "GET", f"/v1/caseload?limit={PAGE}", self.token(self.therapist)
                ),
                200,
                "caseload",
                self._check,
            )
        }

    def settle(self, direct: Direct) -> None:
        """As `Deployment`."""
        over = timedelta(days=200)
        listed = self.admit(direct, LIST, over=over)
        self.seed(listed, points=30, doses=DOSES, over=over)
        with database.connect(self.postgres, self.name) as connection:
            connection.execute(
                """
                WITH others AS (
                    INSERT INTO patient SELECT %s, gen_random_uuid(), 1, 'UTC', 'en', 'US', '',
                        now() - interval '200 days'
                    FROM generate_series(1, %s) RETURNING clinic_id, id
                ), numbered AS (
                    SELECT *, row_number() OVER () AS number, %s::uuid[] AS colleagues FROM others
                ), consented AS (
                    INSERT INTO consent SELECT clinic_id, gen_random_uuid(), id, 'treatment', '1',
                        now() - interval '200 days', NULL, NULL FROM others
                ), linked AS (
                    INSERT INTO care_link (clinic_id, id, patient_id, membership_id, kind,
                        began_at, ends_at)
                    SELECT clinic_id, gen_random_uuid(), id,
                        colleagues[1 + number %% cardinality(colleagues)], 'assigned',
                        now() - interval '200 days', now() - interval '100 days'
                    FROM numbered
                )
                INSERT INTO check_in SELECT clinic_id, id, gen_random_uuid(), 1, 'final', 'phq-9',
                    '1', '1', '{1,2,0,3,1,0,2,0,0}', '{}', 9, 'mild', true, true, 'none', at, at,
                    at, NULL
                FROM others, generate_series(1, 8) AS point,
                    LATERAL (SELECT now() - point * interval '7 days') AS placed (at)
                """,
                [self.therapist.clinic_id, self._patients - LIST, self._colleagues(direct)],
            )

    def _colleagues(self, direct: Direct) -> list[UUID]:
        """Whose patients the others were, a hundred each."""
        began_at = datetime.now(UTC) - LONG

        def work(db: Db) -> list[UUID]:
            db.enter(self.therapist.clinic_id)
            return [
                accounts.join(
                    db,
                    db.vault,
                    account_id=uuid4(),
                    role="clinician",
                    privileges=["monitor", "therapy"],
                    patient_id=None,
                    name="Another",
                    now=began_at,
                )
                for _ in range(1 + self._patients // 100)
            ]

        return direct.run(work)

    def _check(self, body: bytes) -> None:
        rows = msgspec.json.decode(body)["patients"]
        if len(rows) != PAGE or any(len(row["sparkline"]["score"]) != 12 for row in rows):
            raise ValueError(f"not {PAGE} patients with a sparkline: {body[:500]!r}")


class _Clinic(Deployment):
    """Twenty thousand patients of one clinic, with one dose and weekly scores that fall."""

    def settle(self, direct: Direct) -> None:
        """As `Deployment`."""
        with database.connect(self.postgres, self.name) as connection:
            connection.execute("SELECT setseed(0.5)")
            connection.execute(_TREATED, [self.therapist.clinic_id, TREATED, uuid4(), SCORES])


class OutcomesSubject(_Clinic):
    """The outcomes of a clinic."""

    name = "outcomes"

    def __init__(self) -> None:
        self.kinds = {
            f"{TREATED:,} patients": Kind(
                lambda _: http_request("GET", "/v1/outcomes", self.token(self.therapist)),
                200,
                "outcomes",
                self._check,
                at_most=1,
            )
        }

    def _check(self, body: bytes) -> None:
        answer = msgspec.json.decode(body)
        counts = answer["groups"][0]["visits"][2]["counts"]
        if answer["groups"][0]["patients"] != TREATED or not counts["responded"]:
            raise ValueError(f"not {TREATED} patients: {body[:500]!r}")


class ByHandSubject(_Clinic):
    """The same counts over the same rows, in one hand-written statement."""

    name = "by-hand"

    def __init__(self) -> None:
        self.kinds = {
            "SQL aggregate": Kind(
                lambda _: http_request("GET", "/", "nobody"),
                200,
                "outcomes",
                self._check,
                at_most=1,
            )
        }

    def serve(self, port: int, environment: Mapping[str, str], log: Path) -> Server:
        """Instead of Afterglow, as the owner of the tables."""
        command = [sys.executable, "-m", "uvicorn", "tests.load.by_hand:app", "--loop=uvloop"]
        command += ["--host=127.0.0.1", f"--port={port}", "--log-level=warning", "--no-access-log"]
        own = {
            "LOAD_DATABASE_URL": self.postgres.libpq_url(embedded.SUPERUSER, self.name),
            "LOAD_CLINIC": str(self.therapist.clinic_id),
        }
        return launch(command, port, own, log)

    def _check(self, body: bytes) -> None:
        rows = msgspec.json.decode(body)
        if not rows or rows[0]["assessed"] < TREATED / 2:
            raise ValueError(f"nobody was counted: {body[:500]!r}")


_LENGTHS = {200: timedelta(days=200), 3_650: LONG}

# Months up and down, and days of noise that are now and then a reliable change.
_MOVING = """
    UPDATE check_in SET total = greatest(0, least(27, round(
        11 + 7 * cos(extract(epoch FROM now() - effective_at) / 3e6) + random() * 7 - 3.5)))
    WHERE instrument = 'phq-9'
"""

_TREATED = """
    WITH patients AS (
        INSERT INTO patient SELECT %s, gen_random_uuid(), 1, 'UTC', 'en', 'US', '',
            now() - interval '300 days'
        FROM generate_series(1, %s) RETURNING clinic_id, id
    ), consented AS (
        INSERT INTO consent SELECT clinic_id, gen_random_uuid(), id, 'treatment', '1',
            now() - interval '300 days', NULL, NULL FROM patients
    ), dosed AS (
        INSERT INTO dosing_session SELECT clinic_id, id, gen_random_uuid(), 1, 'completed', at, at,
            at, %s, at
        FROM patients, LATERAL (SELECT now() - interval '200 days') AS given (at)
    ), courses AS (SELECT clinic_id, id, random() AS slope FROM patients)
    INSERT INTO check_in SELECT clinic_id, id, gen_random_uuid(), 1, 'final', 'phq-9', '1', '1',
        '{1,2,0,3,1,0,2,0,0}', '{}', greatest(0, least(27, round(20 - slope * 2 * week + noise))),
        'mild', true, true, 'none', at, at, at, NULL
    FROM courses, generate_series(-1, %s - 2) AS week,
        LATERAL (SELECT now() - interval '201 days' + week * interval '7 days',
                        random() * 6 - 3 + 0 * slope) AS placed (at, noise)
    ORDER BY week
"""
