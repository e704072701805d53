"""Goals of which the patient has not said for a while how far they came."""

from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import DateTime, bindparam, func, literal_column, select

from app.clinical.attainment import RATED_EVERY, Rater, rating_from
from app.goals.service import GOALS
from app.goals.tables import Goal, GoalRating
from app.journal.statements import may_read
from app.kernel.db import Ahead, Db, Query
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.tables import columns, table
from app.people.chart import Chart

_MOST: Final = 100
_goal = columns(Goal)
_rating = columns(GoalRating)


class _Unrated(NamedTuple):
    """A goal that is worked on. rated_at: by the patient, last."""

    id: UUID
    words: bytes
    effective_at: datetime
    starts_on: date | None
    rated_at: datetime | None


class RatingDue(NamedTuple):
    """That a goal is to be rated. Local dates: the first one, and the one it is due by."""

    goal_id: UUID
    from_on: date
    due_on: date


def _is(column: Any, code: str) -> Any:
    return column == literal_column(f"'{code}'")


_rated_at = (
    select(func.max(_rating.effective_at))
    .where(
        _rating.clinic_id == _goal.clinic_id,
        _rating.patient_id == _goal.patient_id,
        _rating.goal_id == _goal.id,
        _is(_rating.rater, Rater.PATIENT),
        _rating.status != literal_column(f"'{ENTERED_IN_ERROR}'"),
    )
    .scalar_subquery()
)
GOALS_UNRATED: Final = Query(
    select(_goal.id, _goal.words, _goal.effective_at, _goal.starts_on, _rated_at)
    .where(
        _goal.clinic_id == bindparam("clinic_id"),
        _goal.patient_id == bindparam("patient_id"),
        _is(_goal.status, "active"),
        func.coalesce(_rated_at, _goal.effective_at)
        < bindparam("before", type_=DateTime(timezone=True)),
        *may_read(table(Goal), GOALS.closed, None),
    )
    .order_by(_goal.effective_at, _goal.id)
    .limit(literal_column(str(_MOST))),
    _Unrated,
)


def ask_unrated(db: Db, patient_id: UUID, now: datetime, *, is_own: bool) -> Ahead[_Unrated]:
    """Goals that may be due to be rated, as far as this reader may see; travels with the chart.

    is_own: whether the patient themselves asks. It is checked when their chart opens.
    """
    # Of the date that decides every time of the day counts, in whichever time zone it is.
    before = now - RATED_EVERY + timedelta(days=2)
    return db.ahead(GOALS_UNRATED, patient_id=patient_id, sees_closed=is_own, before=before)


def ratings_due(
    chart: Chart, asked: Ahead[_Unrated], today: date, zone: ZoneInfo
) -> list[RatingDue]:
    """Those of them that are to be rated today. A goal without levels has nothing to be rated by.

    zone: the patient's. today: their date.
    """
    found = []
    for one in asked.all():
        begun_on = one.effective_at.astimezone(zone).date()
        if one.starts_on is not None:
            begun_on = max(begun_on, one.starts_on)
        rated_on = one.rated_at.astimezone(zone).date() if one.rated_at is not None else None
        first, last = rating_from(begun_on, rated_on)
        if first <= today and GOALS.members(chart, one.id, one.words).get("levels"):
            found.append(RatingDue(one.id, first, last))
    return found
