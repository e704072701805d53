"""A phone that was away, and what it asks for when it is back: sync, changes, what is due.

Each of the three is a deployment of its own, so that `--only sync` starts nothing else and no
history lies in another's way. Patients with ten years behind them share their tables with those
who have just begun, as they do in a clinic.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import msgspec

from app.checkins import service as checkins
from app.checkins.schemas import CheckInIn
from app.kernel import embedded
from app.kernel.db import Db, Direct
from app.kernel.entries import Known
from app.kernel.identity import Caller, Standing
from app.people.chart import open_chart
from tests.load import database
from tests.load.afterglow import DOSES, LONG, Deployment, check_submitted, write_request
from tests.load.generator import FRESH_ID
from tests.load.subjects import PATIENTS, POINTS, Kind, Server, ask, http_request

PHONES = 16
"""Who upload at the same time, at most."""
QUEUED = 500
"""Check-ins in one upload: as many as it takes."""
PAGE = 50
"""Changes in one answer."""


class SyncSubject(Deployment):
    """The same check-ins, one by one on a connection that is kept, and in one upload."""

    name = "sync"

    def __init__(self) -> None:
        self.kinds = {
            "one by one": Kind(
                lambda i: write_request(self.token(self._patients[i])),
                201,
                "sync",
                check_submitted,
                stores=1,
                at_most=PHONES,
            ),
            "one upload": Kind(
                lambda i: self._upload(i, [FRESH_ID.decode()] * QUEUED),
                200,
                "sync",
                lambda body: self._check(body, "created"),
                stores=QUEUED,
                carries=QUEUED,
                at_most=PHONES,
            ),
            "the same upload again": Kind(
                lambda i: self._upload(i % PHONES, self._kept[i % PHONES]),
                200,
                "sync",
                lambda body: self._check(body, "unchanged"),
                carries=QUEUED,
                at_most=PHONES,
            ),
        }

    def settle(self, direct: Direct) -> None:
        """As `Deployment`."""
        self._patients = self.admit(direct, PATIENTS, over=timedelta(days=POINTS))
        self._kept = [[str(uuid4()) for _ in range(QUEUED)] for _ in range(PHONES)]
        self._queued_at = datetime.now(UTC)

    def start(self, postgres: embedded.Server, log: Path) -> Server:
        """As `Subject`; every phone has uploaded once what it will upload again."""
        server = super().start(postgres, log)
        try:
            for i, ids in enumerate(self._kept):
                _, body = ask(server, self._upload(i, ids))
                self._check(body, "created")
        except BaseException:
            server.stop()
            raise
        return server

    def _upload(self, i: int, ids: Sequence[str]) -> bytes:
        changes = [
            {
                "kind": "check_in",
                "op": "create",
                "id": one,
                "entry": {
                    "instrument": "phq-9",
                    "answers": [1, 2, 0, 3, 1, 0, 2, 0, 0],
                    "recorded_at": self._queued_at - timedelta(hours=ago),
                },
            }
            for ago, one in enumerate(ids)
        ]
        body = msgspec.json.encode({"changes": changes})
        return http_request("POST", "/v1/sync", self.token(self._patients[i]), body)

    def _check(self, body: bytes, status: str) -> None:
        results = msgspec.json.decode(body)["results"]
        if [one["status"] for one in results] != [status] * QUEUED:
            raise ValueError(f"not {QUEUED} times {status!r}: {body[:500]!r}")
        if any(one["entry"]["total"] != 9 for one in results):
            raise ValueError(f"check-ins worth 9 points: {body[:500]!r}")


class ChangesSubject(Deployment):
    """The newest page of a short and of a ten years' ledger."""

    name = "changes"

    def __init__(self) -> None:
        self.kinds = {
            f"ledger of {entries:,}": Kind(
                lambda i, entries=entries: self._request(i, entries),  # type: ignore[misc]
                200,
                "changes",
                self._check,
            )
            for entries in _LEDGERS
        }

    def settle(self, direct: Direct) -> None:
        """As `Deployment`."""
        self._patients = {
            entries: self.admit(direct, _HISTORIES, over=over) for entries, over in _LEDGERS.items()
        }
        for entries, patients in self._patients.items():
            for standing in patients:
                for first in range(entries, 0, -QUEUED):
                    agos = [_LEDGERS[entries] * ago / entries for ago in range(first, 0, -1)]
                    self._live(direct, standing, agos[:QUEUED])
        with database.connect(self.postgres, self.name) as connection:
            heads = connection.execute("SELECT patient_id, seq FROM ledger_head").fetchall()
        self._heads = {patient_id: seq for patient_id, seq in heads}  # noqa: C416

    def _live(self, direct: Direct, standing: Standing, agos: Sequence[timedelta]) -> None:
        """Submit one check-in at each of these times, as the API would have."""
        now = datetime.now(UTC)
        caller = Caller(
            standing.account_id,
            standing.clinic_id,
            standing.membership_id,
            standing.role,
            standing.patient_id,
            int(now.timestamp()),
        )

        def work(db: Db) -> None:
            db.enter(caller.clinic_id)
            chart = open_chart(db, caller, "me", checkins.SUBMIT_CHECK_INS, now)
            for ago in agos:
                at = now - ago
                sent = CheckInIn(
                    instrument="phq-9", answers=[1, 2, 0, 3, 1, 0, 2, 0, 0], recorded_at=at
                )
                checkins.submit(db, chart, sent, Known(), at)

        direct.run(work)

    def _request(self, i: int, entries: int) -> bytes:
        patients = self._patients[entries]
        standing = patients[i % len(patients)]
        head = self._heads[standing.patient_id]
        assert isinstance(head, int)
        path = f"/v1/patients/me/changes?after={head - PAGE}&limit={PAGE}"
        return http_request("GET", path, self.token(standing))

    def _check(self, body: bytes) -> None:
        answer = msgspec.json.decode(body)
        kinds = [one["action"] for one in answer["changes"]]
        if kinds != ["check_in.submitted"] * PAGE or answer["has_more"]:
            raise ValueError(f"not the last {PAGE} changes: {body[:500]!r}")


class DueSubject(Deployment):
    """What is due for a patient as most are, and for one with ten years behind them."""

    name = "due"

    def __init__(self) -> None:
        self.kinds = {
            f"{points:,} check-ins, {doses} doses": Kind(
                lambda i, points=points: self._request(i, points),  # type: ignore[misc]
                200,
                "due",
                lambda body, doses=doses: self._check(body, doses),  # type: ignore[misc]
            )
            for points, (doses, _, _) in _COURSES.items()
        }

    def settle(self, direct: Direct) -> None:
        """As `Deployment`."""
        self._patients = {}
        for points, (doses, count, over) in _COURSES.items():
            self._patients[points] = self.admit(direct, count, over=over)
            self.seed(self._patients[points], points=points, doses=doses, over=over)
            self._practise(self._patients[points])

    def _practise(self, patients: Sequence[Standing]) -> None:
        """Three practices each, ticked for months and not yet today, and a goal with four steps.

        Nobody reads their words here, so there are none.
        """
        patient_ids = [standing.patient_id for standing in patients]
        frame = "'\\x', now(), now(), now(), NULL"
        with database.connect(self.postgres, self.name) as connection:
            for many, kind, columns in (
                (3, "practice", "'care-team', NULL, 'walk', %s::jsonb, '07:30'"),
                (1, "goal", "NULL, 'care-team', NULL, 1, NULL, NULL, NULL"),
            ):
                connection.execute(
                    f"""
                    INSERT INTO {kind} ({_FRAME}, {_COLUMNS[kind]})
                    SELECT %s, patient_id, gen_random_uuid(), 1, 'active', {frame}, {columns}
                    FROM unnest(%s::uuid[]) AS patient_id, generate_series(1, %s)
                    """.encode(),
                    [
                        self.therapist.clinic_id,
                        *([_SCHEDULE] if kind == "practice" else []),
                        patient_ids,
                        many,
                    ],
                )
            for part, whole, status, column, day in (
                ("practice_tick", "practice", "done", '"on"', "current_date - n"),
                ("goal_step", "goal", "planned", "due_on", "current_date + n"),
            ):
                connection.execute(
                    f"""
                    INSERT INTO {part} ({_FRAME}, {whole}_id, {column})
                    SELECT clinic_id, patient_id, gen_random_uuid(), 1, %s, {frame}, id, {day}
                    FROM {whole}, generate_series(1, %s) AS n
                    WHERE patient_id = ANY(%s)
                    """.encode(),
                    [status, _TICKS if part == "practice_tick" else 4, patient_ids],
                )

    def _request(self, i: int, points: int) -> bytes:
        patients = self._patients[points]
        return http_request("GET", "/v1/patients/me/due", self.token(patients[i % len(patients)]))

    def _check(self, body: bytes, doses: int) -> None:
        answer = msgspec.json.decode(body)
        items = answer["open"] + answer["next"] + answer["recent"]
        if {one["dose_number"] for one in items} & {doses - 1, doses} == set():
            raise ValueError(f"nothing about dose {doses}: {body[:500]!r}")
        if not any(one["check_in_id"] for one in items):
            raise ValueError(f"nothing was answered: {body[:500]!r}")
        kinds = [one["kind"] for one in answer["in_order"]]
        if (kinds.count("practice"), kinds.count("step")) != (3, 4):
            raise ValueError(f"not three practices and four steps: {kinds}")


_FRAME = (
    "clinic_id, patient_id, id, version, status, words, recorded_at, received_at, effective_at,"
    " clock_ahead_seconds"
)
_COLUMNS = {
    "practice": "tier, came_from, activity, schedule, remind_at",
    "goal": "life_area, tier, came_from, weight, baseline_level, starts_on, target_on",
}
_SCHEDULE = (
    '{"kind": "daily", "from_on": "2020-01-01", "until_on": null, "weekdays": [], "every": null,'
    ' "times": null, "pauses": []}'
)
_TICKS = 135
"""Of each practice: some 400 in all."""
_LEDGERS = {200: timedelta(days=POINTS), 20_000: LONG}
"""Entries, and over how long."""
_HISTORIES = 2
"""Patients with each of these."""
_COURSES = {
    POINTS: (DOSES, PATIENTS, timedelta(days=POINTS)),
    5_000: (300, 16, LONG),
}
"""By check-ins: doses, patients, and over how long."""
