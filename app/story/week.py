"""One week of one person, gathered from everything that is kept about it.

Hides where each part lies. What may be compared, and what a week is, is `clinical.week`'s.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ARRAY,
    Date,
    DateTime,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    exists,
    literal_column,
    or_,
    select,
    union_all,
)

from app.checkins import schedule
from app.checkins.schemas import DueItemOut
from app.clinical import practice, week
from app.clinical.attainment import Rater
from app.clinical.thread import Kind
from app.clinical.week import Measured, Planned, Practised, Rated, ScoreMoved, Step
from app.goals.schemas import GoalStepOut
from app.goals.service import GOALS, STEPS
from app.goals.tables import Goal, GoalRating, GoalStep
from app.integration.sessions import TALKS_SINCE, missed_windows
from app.integration.tables import IntegrationSession
from app.journal.shelf import PRIVATE
from app.journal.statements import may_read
from app.kernel.clock import instant_of, microseconds
from app.kernel.db import Db, Query
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.errors import invalid
from app.kernel.tables import columns, table
from app.people.chart import Chart, Right
from app.practices.practice import PRACTICES, ask_practised
from app.practices.schemas import AdherenceOut, StreakOut
from app.safety.tables import Flag
from app.story import thread
from app.story.schemas import (
    DoseOfWeekOut,
    FlagOfWeekOut,
    GoalMovedOut,
    PlannedOut,
    PracticeOfWeekOut,
    ScoreMovedOut,
    StepOfWeekOut,
    ToldEntryOut,
    WeekOut,
    WrittenCountOut,
)
from app.treatment import service as treatment
from app.treatment.tables import DosingSession
from app.trends import together
from app.trends.series import Measured as Series
from app.trends.series import ask_series
from app.trends.service import CAVEAT

READ: Final = Right("week.read")
_MOST_STEPS: Final = 200
_LONG_AGO: Final = date(2000, 1, 1)
_AHEAD: Final = timedelta(days=8)
"""The week after, whatever the clocks do in it."""
_HOURS_AT_MOST: Final = timedelta(hours=720)
"""How long after a dose a protocol can have the talk about it."""
CONVENTIONS: Final = (*week.CONVENTIONS, *practice.CONVENTIONS)

_goal = columns(Goal)
_step = columns(GoalStep)
_rating = columns(GoalRating)
_flag = columns(Flag)
_visit = columns(DosingSession)
_talk = columns(IntegrationSession)


def _code(word: str) -> Any:
    """SQL: a word of our own."""
    return literal_column(f"'{word}'", Text)


_WITHDRAWN: Final = _code(ENTERED_IN_ERROR)
_STARTS_AT: Final[Any] = bindparam("starts_at", type_=DateTime(timezone=True))
_ENDS_AT: Final[Any] = bindparam("ends_at", type_=DateTime(timezone=True))
_IDS: Final[Any] = bindparam("ids", type_=ARRAY(Uuid))


class _Rating(NamedTuple):
    goal_id: UUID
    rater: str
    level: int
    at: datetime


RATED: Final = Query(
    select(_rating.goal_id, _rating.rater, _rating.level, _rating.effective_at)
    .join_from(
        table(GoalRating),
        table(Goal),
        and_(
            _goal.clinic_id == _rating.clinic_id,
            _goal.patient_id == _rating.patient_id,
            _goal.id == _rating.goal_id,
        ),
    )
    .where(
        _rating.clinic_id == bindparam("clinic_id"),
        _rating.patient_id == bindparam("patient_id"),
        _rating.status != _WITHDRAWN,
        _rating.effective_at < _ENDS_AT,
        _goal.status != _WITHDRAWN,
        *may_read(GOALS.table, GOALS.closed, None),
    )
    .order_by(_rating.effective_at, _rating.id),
    _Rating,
)
# Done in the week or later, or not done and due by the end of the next; a step that is not done is
# something to do while its goal is worked on.
STEPS_AROUND: Final = STEPS.query(
    _step.status != _code("dropped"),
    or_(_step.done_on.is_(None), _step.done_on >= bindparam("first_on", type_=Date)),
    or_(
        _step.due_on <= bindparam("next_until", type_=Date),
        _step.done_on <= bindparam("last_on", type_=Date),
    ),
    exists().where(
        _goal.clinic_id == _step.clinic_id,
        _goal.patient_id == _step.patient_id,
        _goal.id == _step.goal_id,
        _goal.status != _WITHDRAWN,
        or_(_step.done_on.is_not(None), _goal.status == _code("active")),
    ),
    newest=_MOST_STEPS,
)
GOALS_NAMED: Final = GOALS.query(_goal.id == any_(_IDS))
PRACTICES_NAMED: Final = PRACTICES.query(PRACTICES.table.c.id == any_(_IDS))


class _Raised(NamedTuple):
    status: str
    raised_at: datetime
    level: str


FLAGS: Final = Query(
    select(_flag.status, _flag.raised_at, _flag.level)
    .where(
        _flag.clinic_id == bindparam("clinic_id"),
        _flag.patient_id == bindparam("patient_id"),
        _flag.raised_at < _ENDS_AT,
        or_(_flag.raised_at >= _STARTS_AT, _flag.status != _code("resolved")),
    )
    .order_by(_flag.raised_at, _flag.id),
    _Raised,
)


class _Dated(NamedTuple):
    kind: str
    id: UUID
    status: str
    at: datetime


_calendar = union_all(
    select(
        _code("dosing_session").label("kind"),
        _visit.id.label("id"),
        _visit.status,
        _visit.started_at.label("at"),
    ).where(
        _visit.clinic_id == bindparam("clinic_id"),
        _visit.patient_id == bindparam("patient_id"),
        _visit.started_at >= _STARTS_AT,
        _visit.started_at < bindparam("next_ends_at", type_=DateTime(timezone=True)),
        treatment.IN_CALENDAR,
    ),
    select(_code("integration_session"), _talk.id, _talk.status, _talk.scheduled_at).where(
        _talk.clinic_id == bindparam("clinic_id"),
        _talk.patient_id == bindparam("patient_id"),
        _talk.scheduled_at >= _STARTS_AT,
        _talk.scheduled_at < bindparam("next_ends_at", type_=DateTime(timezone=True)),
        _talk.status != _WITHDRAWN,
        _talk.status != _code("cancelled"),
    ),
).subquery()
CALENDAR: Final = Query(select(_calendar).order_by(_calendar.c.at, _calendar.c.id), _Dated)
_STILL_TO_COME: Final = frozenset({"preparation", "scheduled"})


def read_week(db: Db, chart: Chart, of: date | None, now: datetime) -> WeekOut:
    """The week in which a date lies. of: in the patient's time zone; None: this week.

    Raises: Problem INVALID if it has not begun.
    """
    zone = schedule.zone_of(chart.time_zone)
    today = now.astimezone(zone).date()
    day = of or today
    monday, sunday = practice.week_of(day)
    if monday > today:
        raise invalid("query:of", "must not lie in a week that has not begun")
    starts_at, ends_at = map(instant_of, week.bounds(day, zone))
    whose: dict[str, Any] = {"patient_id": chart.patient_id}
    rated = db.ahead(RATED, **whose, ends_at=ends_at, sees_closed=chart.is_own)
    flags = db.ahead(FLAGS, **whose, starts_at=starts_at, ends_at=ends_at)
    calendar = db.ahead(CALENDAR, **whose, starts_at=starts_at, next_ends_at=ends_at + _AHEAD)
    dosed_since = starts_at - _HOURS_AT_MOST
    talks = db.ahead(TALKS_SINCE, **whose, since=dosed_since)
    practised = ask_practised(db, chart.patient_id, _LONG_AGO, is_own=chart.is_own)
    asked_due = schedule.ask_due(db, chart.patient_id, now - schedule.LOOK_BACK)
    steps = STEPS.found(
        db,
        chart,
        STEPS_AROUND,
        first_on=monday,
        last_on=sunday,
        next_until=sunday + timedelta(days=7),
    )
    every, is_cut = together.answered(db, chart)
    wanted = [one for one in every if one.scale is not None and week.is_compared(one.scale)]
    series = [ask_series(db, chart.patient_id, one) for one in wanted]
    course = schedule.course(db, chart, asked_due)
    dated = [one for one in calendar.all() if sunday < today or one.status in _STILL_TO_COME]
    activities = {str(one.id): one.activity for one in practised.all()}
    found = week.week(
        day,
        today=today,
        zone=zone,
        doses=course.doses,
        measured=[
            Measured(str(place), one.measured.scale, read.microseconds, read.scores)
            for place, one in enumerate(series)
            if one.measured.scale is not None
            for read in [one.read()]
        ],
        rated=[
            Rated(str(one.goal_id), Rater(one.rater), microseconds(one.at), one.level)
            for one in rated.all()
        ],
        practised=[Practised(str(one.id), one.schedule, one.kept) for one in practised.all()],
        steps=[Step(str(one.id), one.due_on, one.done_on) for one in steps],
        planned=[
            Planned(str(place), one.at.astimezone(zone).date()) for place, one in enumerate(dated)
        ],
    )
    goals = _words(db, chart, GOALS, GOALS_NAMED, [one.goal for one in found.goals])
    practices = _words(db, chart, PRACTICES, PRACTICES_NAMED, [one.id for one in found.practices])
    told = thread.read_told(db, chart, starts_at, ends_at)
    written = [
        entry
        for entry in told.entries
        if entry["kind"] != Kind.STEP  # those have a place of their own
    ]
    by_id = {str(one.id): one for one in steps}
    return WeekOut(
        name=found.name,
        first_on=found.first_on,
        last_on=found.last_on,
        starts_at=starts_at.astimezone(zone),
        ends_at=ends_at.astimezone(zone),
        is_over=found.is_over,
        time_zone=chart.time_zone,
        as_of=now.astimezone(zone),
        scores=[_score(one, wanted[int(one.key)], zone) for one in found.scores],
        is_cut=is_cut,
        goals=[
            GoalMovedOut(
                goal_id=UUID(one.goal),
                words=goals[one.goal],
                rater=one.rater,
                before=one.before,
                before_at=_at(one.before_at, zone),
                after=one.after,
                change=one.change,
            )
            for one in found.goals
        ],
        practices=[
            PracticeOfWeekOut(
                practice_id=UUID(one.id),
                words=practices[one.id],
                activity=activities[one.id],
                week=AdherenceOut(**asdict(one.week)),
                month=AdherenceOut(**asdict(one.month)),
                streak=StreakOut(**asdict(one.streak)),
            )
            for one in found.practices
        ],
        steps_done=_steps(found.steps_done, by_id),
        written=[_local(entry, zone) for entry in written],
        written_counts=_counts(written),
        written_is_truncated=told.is_truncated,
        doses=[
            DoseOfWeekOut(number=number, given_at=instant_of(at).astimezone(zone))
            for number, at in enumerate(course.doses, 1)
            if found.starts_at <= at < found.ends_at
        ],
        missed_windows=[
            one
            for one in missed_windows(
                chart,
                course.doses,
                talks.all(),
                course.protocol.sections.integration.within_hours,
                since=dosed_since,
                now=now,
            )
            if starts_at <= one.until_at < ends_at
        ],
        flags=[
            FlagOfWeekOut(
                status=one.status,
                raised_at=one.raised_at.astimezone(zone),
                level=None if chart.is_own else one.level,
            )
            for one in flags.all()
        ],
        next_from=found.next_from,
        next_until=found.next_until,
        steps_overdue=_steps(found.steps_overdue, by_id),
        steps_next=_steps(found.steps_next, by_id),
        planned=[
            PlannedOut(**{**one._asdict(), "at": one.at.astimezone(zone)})
            for one in (dated[int(each.id)] for each in found.planned_next)
        ],
        due=[] if found.is_over else _due(chart, course, found.next_until, now),
        caveat=CAVEAT,
        conventions=list(CONVENTIONS),
    )


def _words(db: Db, chart: Chart, shelf: Any, named: Any, ids: Sequence[str]) -> dict[str, str]:
    """How these entries begin, by id."""
    wanted = [UUID(one) for one in dict.fromkeys(ids)]
    found = shelf.found(db, chart, named, ids=wanted) if wanted else []
    return {str(one.id): thread.first_words(one.words)[0] for one in found}


def _score(one: ScoreMoved, series: Series, zone: ZoneInfo) -> ScoreMovedOut:
    item, part = series.item, series.part
    of = item.text if item else part
    title = series.instrument.title
    assert one.after is not None
    return ScoreMovedOut(
        instrument=series.instrument.key,
        item=item.key if item else None,
        part=part,
        title=f"{title} - {of}" if of else title,
        before=one.before,
        before_at=_at(one.before_at, zone),
        after=one.after,
        after_at=instant_of(one.after_at).astimezone(zone),
        change=one.change,
        direction=one.direction,
        reliable=one.reliable,
        straddles=one.straddles,
    )


def _at(at: int | None, zone: ZoneInfo) -> datetime | None:
    return None if at is None else instant_of(at).astimezone(zone)


def _steps(steps: Sequence[Step], by_id: Mapping[str, GoalStepOut]) -> list[StepOfWeekOut]:
    return [
        StepOfWeekOut(
            step_id=kept.id,
            goal_id=kept.goal_id,
            words=thread.first_words(kept.words)[0],
            due_on=kept.due_on,
            done_on=kept.done_on,
        )
        for kept in (by_id[step.id] for step in steps)
    ]


def _counts(written: Sequence[Mapping[str, Any]]) -> list[WrittenCountOut]:
    every = Counter(one["kind"] for one in written)
    shared = Counter(one["kind"] for one in written if one["tier"] != PRIVATE)
    return [
        WrittenCountOut(kind=kind, written=every[kind], shared=shared[kind])
        for kind in Kind
        if every[kind]
    ]


def _local(entry: Mapping[str, Any], zone: ZoneInfo) -> ToldEntryOut:
    at = entry["effective_at"].astimezone(zone)
    return ToldEntryOut.model_validate({**entry, "effective_at": at})


def _due(chart: Chart, course: schedule.Course, until: date, now: datetime) -> list[DueItemOut]:
    """What the protocol asks now, and what opens by that date."""
    told = schedule.told(chart, course, schedule.due(chart, course, now), now)
    return [*told.open, *(one for one in told.next if one.opens_at.date() <= until)]
