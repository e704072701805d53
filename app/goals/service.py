"""Integration goals."""

import json
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, insert, select
from uuid_utils.compat import uuid7

from app.goals.schemas import GoalIn, GoalOut, GoalPage
from app.goals.tables import Goal
from app.kernel import ledger, timeline
from app.kernel.arrival import place
from app.kernel.db import Change, Db, Query
from app.kernel.errors import Kind, Problem, not_found
from app.kernel.tables import columns, table
from app.kernel.wire import as_json
from app.people.chart import EVERYONE, Chart, Right

READ_GOALS: Final = Right("goals.read", privileges=EVERYONE)
SET_GOALS: Final = Right("goals.set", privileges=frozenset())


class _Goal(NamedTuple):
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
_COLUMNS = tuple(getattr(_goal, name) for name in _Goal._fields)

ADD_GOAL = Change(insert(Goal))
GOAL = Query(
    select(*_COLUMNS).where(
        _goal.clinic_id == bindparam("clinic_id"),
        _goal.patient_id == bindparam("patient_id"),
        _goal.id == bindparam("id"),
    ),
    _Goal,
)
GOALS = timeline.newest_first(table(Goal), _COLUMNS, _Goal)


def set_goal(db: Db, chart: Chart, sent: GoalIn, now: datetime) -> tuple[GoalOut, bool]:
    """Keep a goal. Returns: it, and whether it is new (False: a retry).

    Raises: Problem ID_REUSED.
    """
    if db.after_collision and sent.id is not None:
        earlier = db.first(GOAL, patient_id=chart.patient_id, id=sent.id)
        if earlier is not None:
            goal = _out(chart, earlier)
            kept = (goal.words, goal.why, goal.life_area, goal.recorded_at)
            if kept != (sent.words, sent.why, sent.life_area, sent.recorded_at):
                raise Problem(Kind.ID_REUSED)
            return goal, False
    goal_id = sent.id or uuid7()
    arrival = place(sent.recorded_at, sent.sent_at, now)
    row = _Goal(
        id=goal_id,
        version=1,
        status="active",
        life_area=sent.life_area,
        words=chart.data_key.seal(
            as_json({"words": sent.words, "why": sent.why}),
            table="goal",
            column="words",
            row=goal_id,
        ),
        recorded_at=sent.recorded_at,
        received_at=now,
        effective_at=arrival.effective_at,
        clock_ahead_seconds=arrival.clock_ahead_seconds,
    )
    db.add(ADD_GOAL, **row._asdict(), patient_id=chart.patient_id)
    goal = _out(chart, row)
    ledger.record(
        db,
        chart,
        "goal.set",
        kind="goal",
        id=goal_id,
        version=1,
        entry=goal.model_dump(mode="json"),
        now=now,
    )
    return goal, True


def read_goal(db: Db, chart: Chart, goal_id: UUID) -> GoalOut:
    """One goal. Raises: Problem NOT_FOUND."""
    found = db.first(GOAL, patient_id=chart.patient_id, id=goal_id)
    if found is None:
        raise not_found()
    return _out(chart, found)


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
    return GoalPage(goals=[_out(chart, row) for row in page.rows], next_cursor=page.next_cursor)


def _out(chart: Chart, row: _Goal) -> GoalOut:
    words = json.loads(chart.data_key.open(row.words, table="goal", column="words", row=row.id))
    return GoalOut(**{**row._asdict(), **words})
