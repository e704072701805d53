"""Integration goals."""

import json
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, insert, literal_column, select, update
from uuid_utils.compat import uuid7

from app.goals.schemas import GoalIn, GoalOut, GoalPage, GoalVersion, GoalVersions
from app.goals.tables import Goal
from app.kernel import entries, ledger, timeline
from app.kernel.arrival import place
from app.kernel.db import Change, Db, Query
from app.kernel.entries import ENTERED_IN_ERROR, Known
from app.kernel.errors import not_found
from app.kernel.tables import columns, table
from app.kernel.wire import as_json
from app.people.chart import EVERYONE, Chart, Right

READ_GOALS: Final = Right("goals.read", privileges=EVERYONE)
SET_GOALS: Final = Right("goals.set", privileges=frozenset())
KIND: Final = "goal"
"""As the ledger calls it."""


class GoalRow(NamedTuple):
    """A goal as it is stored. words: sealed."""

    id: UUID
    version: int
    status: str
    life_area: str | None
    words: bytes
    recorded_at: datetime
    received_at: datetime
    effective_at: datetime
    clock_ahead_seconds: int | None


_goal = columns(Goal)
_COLUMNS = tuple(getattr(_goal, name) for name in GoalRow._fields)
_of_patient = select(*_COLUMNS).where(
    _goal.clinic_id == bindparam("clinic_id"), _goal.patient_id == bindparam("patient_id")
)

ADD_GOAL = Change(insert(Goal))
GOAL = Query(_of_patient.where(_goal.id == bindparam("id")), GoalRow)
GOAL_TO_CHANGE = Query(_of_patient.where(_goal.id == bindparam("id")).with_for_update(), GoalRow)
GOALS_TO_CHANGE = Query(
    _of_patient.where(_goal.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .order_by(_goal.id)
    .with_for_update(),
    GoalRow,
)
GOALS = timeline.newest_first(
    table(Goal), _COLUMNS, GoalRow, _goal.status != literal_column(f"'{ENTERED_IN_ERROR}'")
)
_CHANGED = tuple(name for name in GoalRow._fields if name not in {"id", "received_at"})
CHANGE_GOAL = Change(
    update(Goal)
    .where(
        _goal.clinic_id == bindparam("clinic_id"),
        _goal.patient_id == bindparam("patient_id"),
        _goal.id == bindparam("entry_id"),
    )
    .values({name: bindparam(f"to_{name}") for name in _CHANGED})
)


def set_goal(
    db: Db, chart: Chart, sent: GoalIn, known: Known[GoalRow], now: datetime
) -> tuple[GoalOut, bool]:
    """Keep a goal. Returns: it, and whether it is new (False: a retry).

    known: what there is under its id already.
    Raises: Problem ID_REUSED.
    """
    earlier = entries.created_before(known, lambda entry: _says(entry, sent))
    if earlier is not None:
        return out(chart, earlier), False
    goal_id = sent.id or uuid7()
    arrival = place(sent.recorded_at, sent.sent_at, now)
    row = GoalRow(
        id=goal_id,
        version=1,
        status="active",
        life_area=sent.life_area,
        words=_sealed(chart, sent, goal_id),
        recorded_at=sent.recorded_at,
        received_at=now,
        effective_at=arrival.effective_at,
        clock_ahead_seconds=arrival.clock_ahead_seconds,
    )
    db.add(ADD_GOAL, **row._asdict(), patient_id=chart.patient_id)
    return _record(db, chart, row, "goal.set", known, now), True


def amend_goal(
    db: Db, chart: Chart, sent: GoalIn, known: Known[GoalRow], base_version: int, now: datetime
) -> tuple[GoalOut, bool]:
    """Say a goal otherwise. Returns: it, and whether anything changed.

    Raises: Problem as `entries.to_change`.
    """
    changing = entries.to_change(known, base_version, lambda entry: _says(entry, sent))
    if changing is None:
        assert known.row is not None
        return out(chart, known.row), False
    row = changing._replace(
        version=base_version + 1,
        life_area=sent.life_area,
        words=_sealed(chart, sent, changing.id),
    )
    if sent.recorded_at != changing.recorded_at:
        arrival = place(sent.recorded_at, sent.sent_at, now)
        row = row._replace(recorded_at=sent.recorded_at, **arrival._asdict())
    return _change(db, chart, row, "goal.amended", known, now), True


def withdraw_goal(
    db: Db, chart: Chart, known: Known[GoalRow], base_version: int, now: datetime
) -> tuple[GoalOut, bool]:
    """Entered in error. Returns: it, and whether it is news.

    Raises: Problem as `entries.to_change`.
    """
    changing = entries.to_change(known, base_version, entries.is_withdrawn)
    if changing is None:
        assert known.row is not None
        return out(chart, known.row), False
    row = changing._replace(version=base_version + 1, status=ENTERED_IN_ERROR)
    return _change(db, chart, row, "goal.withdrawn", known, now), True


def read_goal(db: Db, chart: Chart, goal_id: UUID) -> GoalOut:
    """One goal. Raises: Problem NOT_FOUND."""
    found = db.first(GOAL, patient_id=chart.patient_id, id=goal_id)
    if found is None:
        raise not_found()
    return out(chart, found)


def list_goals(db: Db, chart: Chart, *, cursor: str | None, limit: int) -> GoalPage:
    """The patient's goals, newest first."""
    page = timeline.page(
        db,
        GOALS,
        of=f"goals/{chart.patient_id}",
        sent_cursor=cursor,
        limit=limit,
        patient_id=chart.patient_id,
    )
    return GoalPage(goals=[out(chart, row) for row in page.rows], next_cursor=page.next_cursor)


def goal_versions(db: Db, chart: Chart, goal_id: UUID) -> GoalVersions:
    """Every version of a goal, the first one first. Raises: Problem NOT_FOUND."""
    read_goal(db, chart, goal_id)
    return GoalVersions(
        versions=[
            GoalVersion(
                version=row.entry_version,
                action=row.action,
                at=row.at,
                by=row.actor_role,
                goal=GoalOut.model_validate(row.entry(chart.data_key)),
            )
            for row in ledger.said_of(db, chart, KIND, [goal_id])
        ]
    )


def out(chart: Chart, row: GoalRow) -> GoalOut:
    """A goal, opened."""
    words = json.loads(chart.data_key.open(row.words, table="goal", column="words", row=row.id))
    return GoalOut(**{**row._asdict(), **words})


def _says(entry: dict[str, Any], sent: GoalIn) -> bool:
    return (
        not entries.is_withdrawn(entry)
        and (entry["words"], entry["why"]) == (sent.words, sent.why)
        and entry["life_area"] == sent.life_area
        and datetime.fromisoformat(entry["recorded_at"]) == sent.recorded_at
    )


def _sealed(chart: Chart, sent: GoalIn, goal_id: UUID) -> bytes:
    words = as_json({"words": sent.words, "why": sent.why})
    return chart.data_key.seal(words, table="goal", column="words", row=goal_id)


def _change(
    db: Db, chart: Chart, row: GoalRow, action: str, known: Known[GoalRow], now: datetime
) -> GoalOut:
    values = {f"to_{name}": getattr(row, name) for name in _CHANGED}
    db.add(CHANGE_GOAL, patient_id=chart.patient_id, entry_id=row.id, **values)
    return _record(db, chart, row, action, known, now)


def _record(
    db: Db, chart: Chart, row: GoalRow, action: str, known: Known[GoalRow], now: datetime
) -> GoalOut:
    goal = out(chart, row)
    entry = goal.model_dump(mode="json")
    ledger.record(
        db, chart, action, kind=KIND, id=row.id, version=row.version, entry=entry, now=now
    )
    known.is_now(row, entry)
    return goal
