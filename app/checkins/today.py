"""What there is to do now: questionnaires, practices, goals and steps, in one order.

`schedule` says which questionnaires are open. Beside them stand what a patient set themselves for
today, and `clinical.window` says what comes first: checks on somebody's safety always, and in the
days after a dose what is done before what is filled in.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from app.checkins import schedule
from app.checkins.schedule import AskedDue, Course, zone_of
from app.checkins.schemas import DueItemOut, DueOut, OpenWindowOut, ToDoOut
from app.clinical import window
from app.clinical.practice import is_due
from app.clinical.protocol.schedule import instant
from app.clinical.window import Due, Kind
from app.goals.steps import StepDue, ask_steps_due
from app.goals.unrated import RatingDue, ask_unrated, ratings_due
from app.kernel.clock import instant_of, microseconds
from app.kernel.db import Ahead, Db
from app.people.chart import Chart
from app.practices.practice import WEEK, Practised, ask_practised

_DAY: Final = timedelta(days=1)


class Asked(NamedTuple):
    """What is asked before it is known whether the caller may hear of it."""

    due: AskedDue
    practised: Ahead[Practised]
    steps: Ahead[StepDue]
    unrated: Ahead[Any]


class _Item(NamedTuple):
    """Something to do: what its place depends on, and what is told of it besides."""

    due: Due
    told: dict[str, Any]


class _Midnights:
    """When days begin where the patient is. today: their date."""

    def __init__(self, today: date, zone: ZoneInfo) -> None:
        self.today = today
        self._zone = zone
        self._known: dict[date, tuple[int, datetime]] = {}

    def of(self, day: date) -> tuple[int, datetime]:
        """Its beginning, in microseconds since 1970 and on the patient's clock."""
        if day not in self._known:
            self._known[day] = self.at(day, time())
        return self._known[day]

    def at(self, day: date, clock: time) -> tuple[int, datetime]:
        """The same of any time of the day."""
        found = instant(datetime.combine(day, clock), self._zone)
        return found, _local(found, self._zone)


def ask(db: Db, patient_id: UUID, now: datetime, *, is_own: bool) -> Asked:
    """Let the questions travel with the chart's. is_own: whether the patient themselves asks."""
    # Of times a week, all of this week is counted, in whichever time zone it is.
    since_on = now.date() - timedelta(days=WEEK) - _DAY
    return Asked(
        schedule.ask_due(db, patient_id, now - schedule.LOOK_BACK),
        ask_practised(db, patient_id, since_on, is_own=is_own),
        ask_steps_due(db, patient_id, is_own=is_own),
        ask_unrated(db, patient_id, now, is_own=is_own),
    )


def read_due(db: Db, chart: Chart, asked: Asked, now: datetime) -> DueOut:
    """The patient's list, in their own time zone."""
    known = schedule.course(db, chart, asked.due)
    answer = schedule.told(chart, known, schedule.due(chart, known, now), now)
    zone = zone_of(chart.time_zone)
    midnights = _Midnights(now.astimezone(zone).date(), zone)
    items = {
        one.due.key: one
        for one in (
            *_questionnaires(db, known, answer.open),
            *_practices(asked.practised.all(), midnights),
            *_steps(asked.steps.all(), midnights),
            *_goals(ratings_due(chart, asked.unrated, midnights.today, zone), midnights),
        )
    }
    at = microseconds(now)
    opened = window.open_window(known.doses, known.protocol.sections.integration.open_days, at)
    placed = window.order_due([one.due for one in items.values()], at, opened)
    in_order = [
        ToDoOut.model_construct(
            key=one.item.key,
            kind=one.item.kind.value,
            reason=one.reason,
            **items[one.item.key].told,
        )
        for one in placed
    ]
    open_window = None
    if opened is not None:
        open_window = OpenWindowOut(
            opens_at=_local(opened.opens_at, zone), closes_at=_local(opened.closes_at, zone)
        )
    return answer.model_copy(update={"in_order": in_order, "open_window": open_window})


def _questionnaires(db: Db, known: Course, open_now: list[DueItemOut]) -> Iterator[_Item]:
    """Those that are open."""
    checks = schedule.safety_checks(db, known.protocol, {item.instrument for item in open_now})
    for item in open_now:
        is_check = checks.has(item.point, item.instrument)
        kind = Kind.SAFETY_CHECK if is_check else Kind.QUESTIONNAIRE
        due = Due(item.key, kind, microseconds(item.opens_at), microseconds(item.due_at))
        told = _told(item.opens_at, item.due_at, item.expires_at, instrument=item.instrument)
        yield _Item(due, told)


def _practices(practised: list[Practised], midnights: _Midnights) -> Iterator[_Item]:
    """Those still to be done today; by the time they are to be reminded of, or by its end."""
    today = midnights.today
    begins, ends = midnights.of(today), midnights.of(today + _DAY)
    for one in practised:
        if is_due(one.schedule, one.kept, today):
            due_at = ends
            if one.remind_at is not None:
                due_at = midnights.at(today, time.fromisoformat(one.remind_at))
            due = Due(f"practice/{one.id}/{today}", Kind.PRACTICE, begins[0], due_at[0])
            yield _Item(due, _told(begins[1], due_at[1], ends[1], entry_id=one.id))


def _steps(steps: list[StepDue], midnights: _Midnights) -> Iterator[_Item]:
    """Those that have begun, until they are done: what is overdue does not go away."""
    for one in steps:
        if one.shown_from <= midnights.today:
            begins, ends = midnights.of(one.shown_from), midnights.of(one.due_on + _DAY)
            due = Due(f"step/{one.id}", Kind.STEP, begins[0], ends[0])
            yield _Item(due, _told(begins[1], ends[1], None, entry_id=one.id))


def _goals(due: list[RatingDue], midnights: _Midnights) -> Iterator[_Item]:
    """Those to be rated, until they are: a key for every time that it is asked."""
    for one in due:
        begins, ends = midnights.of(one.from_on), midnights.of(one.due_on + _DAY)
        item = Due(f"goal/{one.goal_id}/{one.from_on}", Kind.GOAL, begins[0], ends[0])
        yield _Item(item, _told(begins[1], ends[1], None, entry_id=one.goal_id))


def _told(
    opens_at: datetime,
    due_at: datetime,
    expires_at: datetime | None,
    *,
    instrument: str | None = None,
    entry_id: UUID | None = None,
) -> dict[str, Any]:
    return {
        "instrument": instrument,
        "entry_id": entry_id,
        "opens_at": opens_at,
        "due_at": due_at,
        "expires_at": expires_at,
    }


def _local(at: int, zone: ZoneInfo) -> datetime:
    return instant_of(at).astimezone(zone)
