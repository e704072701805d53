"""What there is to talk about: built from the record whenever it is asked for."""

from datetime import date, datetime, time
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, bindparam, func, literal_column, select, union_all

from app.checkins import schedule
from app.clinical import integration
from app.clinical.protocol.schedule import instant
from app.experience.tables import ExperienceNote
from app.goals.tables import Goal, GoalRating, GoalStep
from app.integration.schemas import (
    AgendaOut,
    NewEntryOut,
    OpenFlagOut,
    StalledGoalOut,
)
from app.integration.sessions import SESSIONS, read_missed_windows
from app.integration.tables import Insight, IntegrationSession
from app.journal.shelf import PRIVATE
from app.kernel.clock import instant_of, microseconds
from app.kernel.db import Db, Query, itself
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.tables import LedgerRow, columns, table
from app.people.chart import Chart, Right
from app.safety.tables import Flag

# Whoever reads it may read all that it is built from.
READ: Final = Right("integration_agenda.read", privileges=frozenset({"therapy", "prescribe"}))
_MOST: Final = 50
"""Of each kind, the newest; nobody talks about more."""

_session = columns(IntegrationSession)
_note = columns(ExperienceNote)
_insight = columns(Insight)
_goal = columns(Goal)
_step = columns(GoalStep)
_rating = columns(GoalRating)
_flag = columns(Flag)
_row = columns(LedgerRow)
_WITHDRAWN: Final[Any] = literal_column(f"'{ENTERED_IN_ERROR}'")
_PRIVATE: Final[Any] = literal_column(f"'{PRIVATE}'")
_LIMIT: Final[Any] = literal_column(str(_MOST))

LAST_TALK: Final = Query(
    select(_session.scheduled_at)
    .where(
        _session.clinic_id == bindparam("clinic_id"),
        _session.patient_id == bindparam("patient_id"),
        _session.status == literal_column("'attended'"),
        _session.scheduled_at < bindparam("before"),
    )
    .order_by(_session.scheduled_at.desc())
    .limit(literal_column("1")),
    itself,
)


class _New(NamedTuple):
    id: UUID
    effective_at: datetime
    changed_at: datetime


def _said_in(entry: Any) -> Any:
    """SQL: the row of the ledger that made an entry what it is now."""
    return and_(
        _row.clinic_id == entry.clinic_id,
        _row.patient_id == entry.patient_id,
        _row.entry_id == entry.id,
        _row.entry_version == entry.version,
    )


def _new(of: Any, entry: Any) -> Any:
    """SQL: what is not private and was written, changed or shared after `:since`."""
    return (
        select(entry.id, entry.effective_at, _row.at)
        .join_from(table(of), table(LedgerRow), _said_in(entry))
        .where(
            entry.clinic_id == bindparam("clinic_id"),
            entry.patient_id == bindparam("patient_id"),
            entry.status != _WITHDRAWN,
            entry.tier != _PRIVATE,
            _row.at > bindparam("since"),
        )
        .order_by(_row.at.desc(), entry.id)
        .limit(_LIMIT)
    )


NEW_NOTES: Final = Query(_new(ExperienceNote, _note), _New)
NEW_INSIGHTS: Final = Query(_new(Insight, _insight), _New)


def _of_patient(entry: Any) -> Any:
    return and_(
        entry.clinic_id == bindparam("clinic_id"),
        entry.patient_id == bindparam("patient_id"),
        entry.status != _WITHDRAWN,
    )


_moves = union_all(
    select(_rating.goal_id.label("goal_id"), _rating.effective_at.label("at")).where(
        _of_patient(_rating)
    ),
    select(_step.goal_id, _row.at)
    .join_from(table(GoalStep), table(LedgerRow), _said_in(_step))
    .where(_of_patient(_step)),
    select(_goal.id, _goal.effective_at).where(_of_patient(_goal)),
).subquery()


class _Moved(NamedTuple):
    goal_id: UUID
    starts_on: date | None
    moved_at: datetime


GOALS_MOVED: Final = Query(
    select(_goal.id, _goal.starts_on, func.max(_moves.c.at))
    .join_from(table(Goal), _moves, _moves.c.goal_id == _goal.id)
    .where(
        _of_patient(_goal),
        _goal.status == literal_column("'active'"),
        _goal.tier != _PRIVATE,
    )
    .group_by(_goal.id, _goal.starts_on)
    .order_by(func.max(_moves.c.at), _goal.id),
    _Moved,
)


class _Open(NamedTuple):
    status: str
    raised_at: datetime
    level: str


OPEN_FLAGS: Final = Query(
    select(_flag.status, _flag.raised_at, _flag.level)
    .where(
        _flag.clinic_id == bindparam("clinic_id"),
        _flag.patient_id == bindparam("patient_id"),
        _flag.status != literal_column("'resolved'"),
    )
    .order_by(_flag.raised_at.desc(), _flag.id),
    _Open,
)
_EVER: Final = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


def read_agenda(db: Db, chart: Chart, session_id: UUID, now: datetime) -> AgendaOut:
    """What there is to talk about in this session. Raises: Problem NOT_FOUND."""
    flags = db.ahead(OPEN_FLAGS, patient_id=chart.patient_id)
    goals = db.ahead(GOALS_MOVED, patient_id=chart.patient_id)
    session = SESSIONS.read(db, chart, session_id)
    since = db.first(LAST_TALK, patient_id=chart.patient_id, before=session.scheduled_at)
    insights = db.ahead(NEW_INSIGHTS, patient_id=chart.patient_id, since=since or _EVER)
    notes = db.all(NEW_NOTES, patient_id=chart.patient_id, since=since or _EVER)
    zone, at = schedule.zone_of(chart.time_zone), microseconds(now)
    return AgendaOut(
        integration_session_id=session.id,
        since_at=since,
        notes=[NewEntryOut(**one._asdict()) for one in notes],
        insights=[NewEntryOut(**one._asdict()) for one in insights.all()],
        stalled_goals=[
            StalledGoalOut(goal_id=goal_id, moved_at=instant_of(moved_at))
            for goal_id, moved_at in sorted(
                ((one.goal_id, _moved_at(one, zone)) for one in goals.all()),
                key=lambda each: (each[1], each[0]),
            )
            if integration.is_stalled(moved_at, at)
        ],
        stalled_after_days=integration.STALLED_AFTER_DAYS,
        missed_windows=read_missed_windows(db, chart, now),
        open_flags=[
            OpenFlagOut(
                status=one.status,
                raised_at=one.raised_at,
                level=None if chart.is_own else one.level,
            )
            for one in flags.all()
        ],
        conventions=list(integration.CONVENTIONS),
    )


def _moved_at(goal: _Moved, zone: ZoneInfo) -> int:
    """When a goal last moved; it begins to, at the earliest, on the date that it starts."""
    moved_at = microseconds(goal.moved_at)
    if goal.starts_on is None:
        return moved_at
    return max(moved_at, instant(datetime.combine(goal.starts_on, time()), zone))
