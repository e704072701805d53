"""Practices: when each is expected, what became of it, and how it goes."""

from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ARRAY, Date, Uuid, any_, bindparam, func, literal_column, select

from app.clinical import practice
from app.clinical.practice import Kept as Done
from app.clinical.practice import Kind, Pause, Schedule
from app.journal.shelf import Kept, Shelf
from app.journal.statements import may_read
from app.kernel.db import Ahead, Db, Query
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.errors import invalid
from app.kernel.tables import columns, table
from app.people.chart import EVERYONE, Chart, Right
from app.practices.schemas import (
    AdherenceOut,
    PracticeAdherenceOut,
    PracticeIn,
    PracticeOut,
    PracticesAdherenceOut,
    PracticeTickIn,
    PracticeTickOut,
    StreakOut,
)
from app.practices.tables import Practice, PracticeTick

READ: Final = Right("practices.read", privileges=EVERYONE)
_WRITE: Final = Right("practices.write", privileges=frozenset())
_FURTHEST_AHEAD: Final = timedelta(hours=14)
"""Of UTC: the time zone in which a date begins first (Pacific/Kiritimati)."""
WEEK: Final = 7
MONTH: Final = 28
_LONG_AGO: Final = date(2000, 1, 1)

_practice = columns(Practice)
_tick = columns(PracticeTick)
_WITHDRAWN: Final[Any] = literal_column(f"'{ENTERED_IN_ERROR}'")


def _check_practice(
    db: Db, chart: Chart, sent: PracticeIn, row: Kept, before: Kept | None, now: datetime
) -> dict[str, Any]:
    """Raises: Problem INVALID."""
    if len(set(sent.schedule.weekdays)) < len(sent.schedule.weekdays):
        raise invalid("/schedule/weekdays", "names a day twice")
    if (
        fault := practice.schedule_fault(_schedule(sent.schedule.model_dump(mode="json")))
    ) is not None:
        raise invalid(f"/schedule{fault.pointer}", fault.reason)
    return {}


def _check_tick(
    db: Db, chart: Chart, sent: PracticeTickIn, row: Kept, before: Kept | None, now: datetime
) -> dict[str, Any]:
    """Raises: Problem INVALID."""
    begun = (max(now, sent.recorded_at) + _FURTHEST_AHEAD).date()
    if (fault := practice.tick_fault(sent.on, begun)) is not None:
        raise invalid(fault.pointer, fault.reason)
    if (sent.status == "skipped") != (sent.reason is not None):
        raise invalid("/reason", "belongs to a skip, and a skip needs it")
    if sent.status == "skipped" and sent.minutes is not None:
        raise invalid("/minutes", "belongs to what was done")
    return {}


PRACTICES: Final = Shelf(
    "practice",
    Practice,
    PracticeIn,
    PracticeOut,
    created="begun",
    read=READ,
    write=_WRITE,
    derive=_check_practice,
)
TICKS: Final = Shelf(
    "practice_tick",
    PracticeTick,
    PracticeTickIn,
    PracticeTickOut,
    created="ticked",
    read=READ,
    write=_WRITE,
    derive=_check_tick,
    part_of=(PRACTICES, "practice_id"),
)


MOST_SHOWN: Final = 50
PRACTICES_NEWEST: Final = PRACTICES.query(newest=MOST_SHOWN)
TICKS_SINCE: Final = TICKS.query(
    _tick.on >= bindparam("since_on", type_=Date),
    _tick.practice_id == any_(bindparam("ids", type_=ARRAY(Uuid))),
    newest=20 * MOST_SHOWN * MONTH,
)


def read_practices(
    db: Db, chart: Chart, now: datetime
) -> tuple[list[PracticeOut], list[PracticeTickOut]]:
    """The newest practices, at most `MOST_SHOWN`, and what became of them in `MONTH` days."""
    practices = PRACTICES.found(db, chart, PRACTICES_NEWEST)
    if not practices:
        return [], []
    first = now.astimezone(ZoneInfo(chart.time_zone)).date() - timedelta(days=MONTH - 1)
    ids = [one.id for one in practices]
    return practices, TICKS.found(db, chart, TICKS_SINCE, since_on=first, ids=ids)


class Practised(NamedTuple):
    """A practice that was not withdrawn, and what came of it since some date.

    remind_at: HH:MM on the patient's own clock.
    """

    id: UUID
    activity: str
    schedule: Schedule
    remind_at: str | None
    kept: Done


def _practised(
    id: UUID,  # noqa: A002 -- as the column is called
    activity: str,
    schedule: dict[str, Any],
    remind_at: str | None,
    done_on: list[date] | None,
    skipped_on: list[date] | None,
) -> Practised:
    kept = Done(frozenset(done_on or ()), frozenset(skipped_on or ()))
    return Practised(id, activity, _schedule(schedule), remind_at, kept)


def _dates(status: str) -> Any:
    return func.array_agg(_tick.on).filter(_tick.status == literal_column(f"'{status}'"))


_came_of_it = (
    select(
        _tick.practice_id,
        _dates("done").label("done_on"),
        _dates("skipped").label("skipped_on"),
    )
    .where(
        _tick.clinic_id == bindparam("clinic_id"),
        _tick.patient_id == bindparam("patient_id"),
        _tick.on >= bindparam("since_on", type_=Date),
        _tick.status != _WITHDRAWN,
    )
    .group_by(_tick.practice_id)
    .subquery()
)
PRACTISED: Final = Query(
    select(
        _practice.id,
        _practice.activity,
        _practice.schedule,
        _practice.remind_at,
        _came_of_it.c.done_on,
        _came_of_it.c.skipped_on,
    )
    .select_from(table(Practice).outerjoin(_came_of_it, _came_of_it.c.practice_id == _practice.id))
    .where(
        _practice.clinic_id == bindparam("clinic_id"),
        _practice.patient_id == bindparam("patient_id"),
        _practice.status != _WITHDRAWN,
        *may_read(table(Practice), PRACTICES.closed, None),
    )
    .order_by(_practice.effective_at, _practice.id),
    _practised,
)


def ask_practised(db: Db, patient_id: UUID, since_on: date, *, is_own: bool) -> Ahead[Practised]:
    """Every practice that this reader may see, with its ticks since a date; travels with the chart.

    is_own: whether the patient themselves asks. It is checked when their chart opens.
    """
    return db.ahead(PRACTISED, patient_id=patient_id, since_on=since_on, sees_closed=is_own)


def read_adherence(db: Db, chart: Chart, now: datetime) -> PracticesAdherenceOut:
    """How every practice goes that this reader may see."""
    today = now.astimezone(ZoneInfo(chart.time_zone)).date()
    found = db.all(
        PRACTISED, patient_id=chart.patient_id, since_on=_LONG_AGO, sees_closed=chart.is_own
    )
    told = [_adherence(one, today) for one in found]
    return PracticesAdherenceOut(
        today_on=today,
        time_zone=chart.time_zone,
        conventions=list(practice.CONVENTIONS),
        practices=[one for one in told if _has_something_to_tell(one)],
    )


def _adherence(one: Practised, today: date) -> PracticeAdherenceOut:
    def over(days: int) -> AdherenceOut:
        counted = practice.adherence(one.schedule, one.kept, last=today, today=today, days=days)
        return AdherenceOut(**asdict(counted))

    return PracticeAdherenceOut(
        practice_id=one.id,
        activity=one.activity,
        is_due_today=practice.is_due(one.schedule, one.kept, today),
        week=over(WEEK),
        month=over(MONTH),
        streak=StreakOut(**asdict(practice.streak(one.schedule, one.kept, today))),
    )


def _has_something_to_tell(one: PracticeAdherenceOut) -> bool:
    month = one.month
    return one.is_due_today or bool(month.done or month.expected or month.skipped or month.beside)


def _schedule(said: dict[str, Any]) -> Schedule:
    """From JSON, as `ScheduleIn`; what is stored was checked when it was sent."""
    return Schedule(
        kind=Kind(said["kind"]),
        from_on=date.fromisoformat(said["from_on"]),
        until_on=_date(said["until_on"]),
        weekdays=frozenset(said["weekdays"]),
        every=said["every"],
        times=said["times"],
        pauses=tuple(
            Pause(date.fromisoformat(one["first_on"]), _date(one["last_on"]))
            for one in said["pauses"]
        ),
    )


def _date(said: str | None) -> date | None:
    return None if said is None else date.fromisoformat(said)
