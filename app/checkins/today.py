"""What there is to do now: questionnaires, practices and steps, in one order.

`schedule` says which questionnaires are open. Beside them stand what a patient set themselves for
today, and `clinical.window` says what comes first: checks on somebody's safety always, and in the
days after a dose what is done before what is filled in.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from app.checkins import packs, schedule
from app.checkins.schedule import AskedDue, Course, zone_of
from app.checkins.schemas import DueOut, OpenWindowOut, ToDoOut
from app.clinical import window
from app.clinical.practice import is_due
from app.clinical.protocol import Anchor, DueItem
from app.clinical.protocol.schedule import instant
from app.clinical.window import Due, Kind
from app.goals.steps import StepDue, ask_steps_due
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


class _Item(NamedTuple):
    """Something to do, and what is told of it besides its place."""

    due: Due
    instrument: str | None
    entry_id: UUID | None
    expires_at: int | None


def ask(db: Db, patient_id: UUID, now: datetime, *, is_own: bool) -> Asked:
    """Let the questions travel with the chart's. is_own: whether the patient themselves asks."""
    # Of times a week, all of this week is counted, in whichever time zone it is.
    since_on = now.date() - timedelta(days=WEEK) - _DAY
    return Asked(
        schedule.ask_due(db, patient_id, now - schedule.LOOK_BACK),
        ask_practised(db, patient_id, since_on, is_own=is_own),
        ask_steps_due(db, patient_id, is_own=is_own),
    )


def read_due(db: Db, chart: Chart, asked: Asked, now: datetime) -> DueOut:
    """The patient's list, in their own time zone."""
    known = schedule.course(db, chart, asked.due)
    found = schedule.due(chart, known, now)
    answer = schedule.told(chart, known, found, now)
    zone = zone_of(chart.time_zone)
    today = now.astimezone(zone).date()
    items = {
        one.due.key: one
        for one in (
            *_questionnaires(db, known, found),
            *_practices(asked.practised.all(), today, zone),
            *_steps(asked.steps.all(), today, zone),
        )
    }
    at = microseconds(now)
    open_days = known.protocol.sections.integration.open_days
    is_open = window.open_window(known.doses, open_days, at)
    placed = window.order_due([one.due for one in items.values()], at, is_open)
    in_order = [_out(items[one.item.key], one.reason, zone) for one in placed]
    opened = None
    if is_open is not None:
        opened = OpenWindowOut(
            opens_at=_local(is_open.opens_at, zone), closes_at=_local(is_open.closes_at, zone)
        )
    return answer.model_copy(update={"in_order": in_order, "open_window": opened})


def _questionnaires(db: Db, known: Course, found: list[DueItem]) -> Iterator[_Item]:
    """Those that are open. What is asked in the hours after a dose is a check on how somebody is.

    Source: our convention, as `window.due_kind`; rather one safety check too many.
    """
    open_now = [item for item in found if item.state == "open"]
    screening = packs.triaging(db, {item.instrument for item in open_now})
    after_dose = {
        point.key
        for point in known.protocol.points
        if point.anchor is Anchor.DOSE and point.window.unit == "hours"
    }
    for item in open_now:
        is_check = item.instrument in screening or item.point in after_dose
        kind = Kind.SAFETY_CHECK if is_check else Kind.QUESTIONNAIRE
        due = Due(item.key, kind, item.opens_at, item.due_at)
        yield _Item(due, item.instrument, None, item.expires_at)


def _practices(practised: list[Practised], today: date, zone: ZoneInfo) -> Iterator[_Item]:
    """Those still to be done today; by the time they are to be reminded of, or by its end."""
    begins, ends = _midnight(today, zone), _midnight(today + _DAY, zone)
    for one in practised:
        if is_due(one.schedule, one.kept, today):
            due_at = ends
            if one.remind_at is not None:
                wall = datetime.combine(today, time.fromisoformat(one.remind_at))
                due_at = instant(wall, zone)
            due = Due(f"practice/{one.id}/{today}", Kind.PRACTICE, begins, due_at)
            yield _Item(due, None, one.id, ends)


def _steps(steps: list[StepDue], today: date, zone: ZoneInfo) -> Iterator[_Item]:
    """Those that have begun, until they are done: what is overdue does not go away."""
    for one in steps:
        if one.shown_from <= today:
            due = Due(
                f"step/{one.id}",
                Kind.STEP,
                _midnight(one.shown_from, zone),
                _midnight(one.due_on + _DAY, zone),
            )
            yield _Item(due, None, one.id, None)


def _midnight(day: date, zone: ZoneInfo) -> int:
    return instant(datetime.combine(day, time()), zone)


def _local(at: int, zone: ZoneInfo) -> datetime:
    return instant_of(at).astimezone(zone)


def _out(item: _Item, reason: str, zone: ZoneInfo) -> ToDoOut:
    due = item.due
    return ToDoOut.model_construct(
        key=due.key,
        kind=due.kind.value,
        reason=reason,
        instrument=item.instrument,
        entry_id=item.entry_id,
        opens_at=_local(due.opens_at, zone),
        due_at=_local(due.due_at, zone),
        expires_at=None if item.expires_at is None else _local(item.expires_at, zone),
    )
