"""Somebody with six doses behind them, and every kind of entry, linked, and ticked: their thread,
and one page of a week.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from app.experience.intentions import INTENTIONS
from app.experience.notes import NOTES
from app.goals.service import GOALS, RATINGS, STEPS
from app.integration.insights import INSIGHTS
from app.journal.shelf import Shelf
from app.kernel.db import Db, Direct
from app.kernel.entries import Known
from app.kernel.identity import Caller, Standing
from app.people.chart import Chart, open_chart
from app.practices.coping import STRATEGIES
from app.practices.practice import PRACTICES, TICKS
from tests.load.afterglow import DOSES, Deployment
from tests.load.subjects import POINTS, Kind, http_request

READERS = 16
"""Patients with such a thread."""
NOTES_KEPT = 40
GOALS_KEPT = 12
TICKED = 400
OTHERS = {"intention": DOSES, "insight": 6, "goal_step": 12, "practice": 4, "coping_strategy": 4}
"""Of the other kinds so many."""
TOLD = NOTES_KEPT + GOALS_KEPT + sum(OTHERS.values())
_LINE = "It was quiet, and then it was not, and I knew whose voice that had been."
_NOTE = " ".join([_LINE] * 10)
_LEVELS = [{"level": level, "words": f"{level + 3} times a week."} for level in range(-2, 3)]


class ThreadSubject(Deployment):
    """The whole thread and one week of it, as the patient and as the therapist read them."""

    name = "thread"

    def __init__(self) -> None:
        # Its ticks were made on each of so many days from POINTS days ago.
        begun = datetime.now(UTC) - timedelta(days=POINTS)
        self._week = f"week?of={(begun + timedelta(days=14)).date()}"
        self.kinds = {
            "thread": Kind(self._own("thread"), 200, "thread", self._check),
            "thread as therapist": Kind(self._others("thread"), 200, "thread", self._check),
            "own week": Kind(self._own(self._week), 200, "week", self._check_week),
            "week as therapist": Kind(self._others(self._week), 200, "week", self._check_week),
        }

    def settle(self, direct: Direct) -> None:
        """As `Deployment`."""
        over = timedelta(days=POINTS)
        self._patients = self.admit(direct, READERS, over=over)
        self.seed(self._patients, points=1, doses=DOSES, over=over)
        for standing in self._patients:
            direct.run(lambda db, standing=standing: _live(db, standing))  # type: ignore[misc]

    def _own(self, what: str) -> Callable[[int], bytes]:
        def request(i: int) -> bytes:
            token = self.token(self._patients[i % READERS])
            return http_request("GET", f"/v1/patients/me/{what}", token)

        return request

    def _others(self, what: str) -> Callable[[int], bytes]:
        def request(i: int) -> bytes:
            path = f"/v1/patients/{self._patients[i % READERS].patient_id}/{what}"
            return http_request("GET", path, self.token(self.therapist))

        return request

    def _check(self, body: bytes) -> None:
        answer = msgspec.json.decode(body)
        told = [entry for story in answer["stories"] for entry in story["entries"]]
        linked = sum(bool(entry["came_from"]) for entry in told)
        ticked = sum(entry["practice"]["done"] for entry in told if entry["practice"])
        if (len(told), ticked) != (TOLD, TICKED) or linked < TOLD - DOSES:
            raise ValueError(f"{len(told)} entries, {linked} links: {body[:500]!r}")

    def _check_week(self, body: bytes) -> None:
        answer = msgspec.json.decode(body)
        ticked = sum(practice["week"]["done"] for practice in answer["practices"])
        if ticked != 7 * OTHERS["practice"]:
            raise ValueError(f"{ticked} ticks: {body[:500]!r}")


def _live(db: Db, standing: Standing) -> None:
    """Write everything, each from what came before it, as the API would have kept it."""
    now = datetime.now(UTC)
    caller = Caller(
        standing.account_id,
        standing.clinic_id,
        standing.membership_id,
        standing.role,
        standing.patient_id,
        int(now.timestamp()),
    )
    db.enter(caller.clinic_id)
    chart = open_chart(db, caller, "me", NOTES.write_right, now)
    begun = now - timedelta(days=POINTS)
    ids: dict[str, list[UUID]] = {}

    def keep(shelf: Shelf[Any, Any], count: int, source: str | None, **said: Any) -> None:
        ids[shelf.kind] = [
            _keep(
                db,
                chart,
                shelf,
                begun + timedelta(hours=place),
                tier="care-team",
                came_from=source
                and {"kind": source, "id": str(ids[source][place % len(ids[source])])},
                **({"words": _LINE} | said),
            )
            for place in range(count)
        ]

    keep(INTENTIONS, OTHERS["intention"], None)
    keep(NOTES, NOTES_KEPT, "intention", words=_NOTE, how_strong=7, themes=["sea", "voice"])
    keep(INSIGHTS, OTHERS["insight"], "note")
    keep(GOALS, GOALS_KEPT, "insight", levels=_LEVELS, baseline_level=-1)
    for place in range(OTHERS["goal_step"]):
        goal_id = str(ids["goal"][place % GOALS_KEPT])
        _keep(db, chart, STEPS, begun, goal_id=goal_id, words=_LINE)
        _keep(db, chart, RATINGS, begun + timedelta(days=place), goal_id=goal_id, level=0)
    schedule = {"kind": "daily", "from_on": str(begun.date())}
    keep(PRACTICES, OTHERS["practice"], "goal", activity="walk", schedule=schedule)
    for place in range(TICKED):
        practice_id = ids["practice"][place % OTHERS["practice"]]
        at = begun + timedelta(days=place // OTHERS["practice"])
        _keep(db, chart, TICKS, at, practice_id=str(practice_id), on=str(at.date()))
    keep(STRATEGIES, OTHERS["coping_strategy"], "practice")


def _keep(db: Db, chart: Chart, shelf: Shelf[Any, Any], at: datetime, **said: Any) -> UUID:
    body = msgspec.json.encode({**said, "recorded_at": at})
    sent = shelf.sent.model_validate_json(body)
    entry, _ = shelf.create(db, chart, sent, Known(), at)
    kept_as: UUID = entry.id
    return kept_as
