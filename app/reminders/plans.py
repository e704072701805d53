"""How a patient wants to be reminded, and what they were reminded of."""

from datetime import UTC, datetime, time, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ARRAY, Text, any_, bindparam, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.checkins import schedule
from app.clinical.protocol import DueItem
from app.clinical.protocol.schedule import instant
from app.kernel.clock import instant_of
from app.kernel.db import Change, Db, Query
from app.kernel.errors import Kind, Problem, invalid
from app.kernel.tables import columns
from app.people.chart import Chart, Right
from app.reminders.schemas import ReminderNoteIn, ReminderOut, ReminderPlanIn, ReminderPlanOut
from app.reminders.tables import Reminder, ReminderPlan

OWN_REMINDERS: Final = Right("reminders", privileges=frozenset())
LONGEST_SNOOZE: Final = timedelta(days=7)
_LISTED: Final = 50


class Plan(NamedTuple):
    """How one patient is reminded. version 0: as it is until somebody says otherwise."""

    version: int = 0
    is_stopped: bool = False
    quiet_from: str = "21:00"
    quiet_until: str = "08:00"
    snoozed_until: datetime | None = None


class ReminderRow(NamedTuple):
    """One thing that was due."""

    due_key: str
    instrument: str
    expires_at: datetime
    prompted_at: datetime | None
    snoozed_until: datetime | None
    snoozes: int
    check_in_id: UUID | None
    answered_at: datetime | None


_plan = columns(ReminderPlan)
_reminder = columns(Reminder)
_REMINDER = tuple(getattr(_reminder, name) for name in ReminderRow._fields)
PLAN = Query(
    select(*(getattr(_plan, name) for name in Plan._fields)).where(
        _plan.clinic_id == bindparam("clinic_id"), _plan.patient_id == bindparam("patient_id")
    ),
    Plan,
)
_set = upsert(ReminderPlan)
SET_PLAN = Query(
    _set.on_conflict_do_update(
        index_elements=["clinic_id", "patient_id"],
        set_={name: _set.excluded[name] for name in (*Plan._fields, "look_at")},
        where=_plan.version == bindparam("base_version"),
    ).returning(_plan.version),
    int,
)
_look = upsert(ReminderPlan)
LOOK_AGAIN = Change(
    _look.on_conflict_do_update(
        index_elements=["clinic_id", "patient_id"], set_={"look_at": _look.excluded.look_at}
    )
)
PUT_OFF = Change(
    update(ReminderPlan)
    .where(_plan.clinic_id == bindparam("clinic_id"), _plan.patient_id == bindparam("patient"))
    .values(look_at=bindparam("until"))
)
REMINDERS = Query(
    select(*_REMINDER)
    .where(
        _reminder.clinic_id == bindparam("clinic_id"),
        _reminder.patient_id == bindparam("patient_id"),
    )
    .order_by(_reminder.expires_at.desc(), _reminder.due_key)
    .limit(literal_column(str(_LISTED))),
    ReminderRow,
)
REMINDERS_OF = Query(
    select(*_REMINDER).where(
        _reminder.clinic_id == bindparam("clinic_id"),
        _reminder.patient_id == bindparam("patient_id"),
        _reminder.due_key == any_(bindparam("due_keys", type_=ARRAY(Text))),
    ),
    ReminderRow,
)
_note = upsert(Reminder)
NOTE = Change(
    _note.on_conflict_do_update(
        index_elements=["clinic_id", "patient_id", "due_key"],
        set_={
            name: _note.excluded[name]
            for name in ("expires_at", "prompted_at", "snoozed_until", "snoozes")
        },
    )
)
ANSWERED = Change(
    update(Reminder)
    .where(
        _reminder.clinic_id == bindparam("clinic_id"),
        _reminder.patient_id == bindparam("patient_id"),
        _reminder.due_key == bindparam("key"),
    )
    .values(check_in_id=bindparam("by"), answered_at=bindparam("at"))
)


def plan_of(db: Db, chart: Chart) -> Plan:
    """How the patient is reminded."""
    return db.first(PLAN, patient_id=chart.patient_id) or Plan()


def read_plan(db: Db, chart: Chart) -> ReminderPlanOut:
    """The same, with what they were reminded of."""
    return _out(db, chart, plan_of(db, chart))


def set_plan(
    db: Db, chart: Chart, sent: ReminderPlanIn, base_version: int, now: datetime
) -> ReminderPlanOut:
    """Be reminded otherwise. Raises: Problem PRECONDITION_FAILED, INVALID."""
    if sent.snoozed_until is not None and sent.snoozed_until > now + LONGEST_SNOOZE:
        raise invalid("/snoozed_until", "must be within a week; stop reminders for longer")
    plan = Plan(base_version + 1, **sent.model_dump())
    if plan_of(db, chart).version != base_version or not db.change(
        SET_PLAN,
        patient_id=chart.patient_id,
        base_version=base_version,
        look_at=now,
        **plan._asdict(),
    ):
        raise Problem(Kind.PRECONDITION_FAILED)
    return _out(db, chart, plan)


def note(
    db: Db, chart: Chart, known: schedule.Course, sent: ReminderNoteIn, now: datetime
) -> ReminderOut:
    """Keep what a phone prompted, or its owner put off.

    Raises: Problem INVALID (nothing such is due; no end to a snooze).
    """
    items = {item.key: item for item in schedule.due(chart, known, now)}
    item = items.get(sent.due_key)
    if item is None:
        raise invalid("/due_key", "is nothing that is due")
    if (sent.event == "snoozed") is (sent.snoozed_until is None):
        raise invalid("/snoozed_until", "belongs to a snooze, and a snooze needs it")
    if sent.snoozed_until is not None and sent.snoozed_until > now + LONGEST_SNOOZE:
        raise invalid("/snoozed_until", "must be within a week")
    # First, because it keeps the worker away from what is read here and written back.
    look_again(db, chart, now)
    row = reminders_of(db, chart, [item]).get(item.key) or _fresh(item)
    if sent.event == "prompted":
        at = min(sent.recorded_at, now)  # a phone's clock may be ahead
        if row.snoozed_until is not None and row.snoozed_until <= at:
            row = row._replace(prompted_at=at, snoozed_until=None)
        elif row.prompted_at is None:
            row = row._replace(prompted_at=at)
    elif row.snoozed_until != sent.snoozed_until:
        row = row._replace(snoozed_until=sent.snoozed_until, snoozes=row.snoozes + 1)
    keep(db, chart, row)
    return ReminderOut(**row._asdict())


def reminders_of(db: Db, chart: Chart, items: list[DueItem]) -> dict[str, ReminderRow]:
    """What is known of these, by due key."""
    keys = [item.key for item in items]
    rows = db.all(REMINDERS_OF, patient_id=chart.patient_id, due_keys=keys)
    return {row.due_key: row for row in rows}


def keep(db: Db, chart: Chart, row: ReminderRow) -> None:
    """What was prompted or put off."""
    db.add(NOTE, patient_id=chart.patient_id, **row._asdict())


def answer(db: Db, chart: Chart, item: DueItem) -> None:
    """A reminder whose check-in came."""
    assert item.answered_at is not None
    db.add(
        ANSWERED,
        patient_id=chart.patient_id,
        key=item.key,
        by=item.answered_by,
        at=instant_of(item.answered_at),
    )


def prompted(item: DueItem, earlier: ReminderRow | None, now: datetime) -> ReminderRow:
    """The reminder of something that is prompted now."""
    return (earlier or _fresh(item))._replace(prompted_at=now, snoozed_until=None)


def look_again(db: Db, chart: Chart, at: datetime | None) -> None:
    """When the worker looks at this patient; None: not until a device is registered.

    Nobody else changes the plan or the reminders until the transaction ends.
    """
    db.add(LOOK_AGAIN, patient_id=chart.patient_id, look_at=at, **Plan()._asdict())


def put_off(db: Db, patient_id: UUID, until: datetime) -> None:
    """The worker looks at this patient then, whose chart it cannot open now."""
    db.add(PUT_OFF, patient=patient_id, until=until)


def quiet_until(plan: Plan, now: datetime, zone: ZoneInfo) -> datetime | None:
    """When the quiet hours end that `now` lies in; None outside of them."""
    begins, ends = time.fromisoformat(plan.quiet_from), time.fromisoformat(plan.quiet_until)
    local = now.astimezone(zone)
    clock = local.time().replace(tzinfo=None)
    is_overnight = begins > ends
    is_quiet = (clock >= begins or clock < ends) if is_overnight else begins <= clock < ends
    if not is_quiet:
        return None
    days = (local.date(), local.date() + timedelta(days=1))
    return min(at for day in days for at in _shown(datetime.combine(day, ends), zone) if at > now)


def _shown(wall: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """When the clock on the wall shows this time for the first time and for the last one.

    They differ where clocks are set back. One that is skipped is the moment that skips it.
    """
    first = instant_of(instant(wall, zone))
    return first, max(first, wall.replace(tzinfo=zone, fold=1).astimezone(UTC))


def _fresh(item: DueItem) -> ReminderRow:
    return ReminderRow(
        due_key=item.key,
        instrument=item.instrument,
        expires_at=instant_of(item.expires_at),
        prompted_at=None,
        snoozed_until=None,
        snoozes=0,
        check_in_id=None,
        answered_at=None,
    )


def _out(db: Db, chart: Chart, plan: Plan) -> ReminderPlanOut:
    said: dict[str, Any] = plan._asdict()
    rows = db.all(REMINDERS, patient_id=chart.patient_id)
    return ReminderPlanOut(**said, reminders=[ReminderOut(**row._asdict()) for row in rows])
