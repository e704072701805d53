"""The worker's part: looking for what is due, and telling it to somebody's devices."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, bindparam, select
from uuid_utils.compat import uuid7

from app.checkins import schedule
from app.clinical.protocol import DueItem
from app.kernel import outbox, texts
from app.kernel.channels import Channels, Gone, NotNow
from app.kernel.clock import instant_of
from app.kernel.db import Db, Query, itself
from app.kernel.tables import columns
from app.people.chart import Chart, open_unattended
from app.reminders import devices, plans
from app.reminders.plans import Plan, ReminderRow
from app.reminders.tables import ReminderPlan

DELIVER_TOPIC: Final = "reminder.deliver"
LOOK_EVERY: Final = timedelta(hours=1)
"""A patient with a device is looked at this often at least: a dose may have moved everything."""
_AT_ONCE: Final = 50

_plan = columns(ReminderPlan)
WAITING = Query(
    select(_plan.patient_id)
    .where(_plan.clinic_id == bindparam("clinic_id"), _plan.look_at <= bindparam("now"))
    .order_by(_plan.look_at)
    .limit(bindparam("limit", type_=BigInteger))
    .with_for_update(skip_locked=True),
    itself,
)


def look(db: Db, now: datetime) -> int:
    """Remind those patients of the transaction's clinic whose time has come.

    Returns: how many were looked at; there may be more.
    """
    patients: list[UUID] = db.all(WAITING, now=now, limit=_AT_ONCE)
    for patient_id in patients:
        _look_at(db, patient_id, now)
    return len(patients)


def deliver(db: Db, body: dict[str, Any], now: datetime, channels: Channels) -> None:
    """Keep the promise to tell one device, if there still is something to tell.

    Raises: outbox.NotYet, so that it is tried again later.
    """
    chart = open_unattended(db, UUID(body["patient_id"]), now)
    if chart is None:
        return
    device = db.first(devices.DEVICE, patient_id=chart.patient_id, id=UUID(body["device_id"]))
    plan = plans.plan_of(db, chart)
    if device is None or device.ended_at is not None or plan.is_stopped:
        return
    count = len({item.key for item in _open(db, chart, now)} & set(body["due_keys"]))
    if count == 0:
        return  # answered meanwhile, or its time is over
    quiet = plans.quiet_until(plan, now, schedule.zone_of(chart.time_zone))
    if quiet is not None:
        raise outbox.NotYet(quiet)
    outcome = devices.send(
        channels,
        device,
        chart,
        subject=_say(chart, "reminder.subject"),
        body=_say(chart, "reminder.body" if count == 1 else "reminder.body-many", count=count),
        delivery=UUID(body["delivery_id"]),
        now=now,
    )
    if isinstance(outcome, Gone):
        devices.end(db, chart, device.id, "gone", now)
    elif isinstance(outcome, NotNow):
        wait = outcome.retry_after
        raise outbox.NotYet(None if wait is None else now + timedelta(seconds=wait))


def _look_at(db: Db, patient_id: UUID, now: datetime) -> None:
    chart = open_unattended(db, patient_id, now)
    if chart is None:
        db.add(plans.LOOK_NEVER, patient=patient_id)
        return
    plan = plans.plan_of(db, chart)
    to = db.all(devices.DEVICES, patient_id=patient_id)
    items = _due(db, chart, now)
    known = plans.reminders_of(db, chart, items)
    for item in items:
        row = known.get(item.key)
        if item.answered_by is not None and row is not None and row.answered_at is None:
            plans.answer(db, chart, item)
    if plan.is_stopped or not to:
        plans.look_again(db, chart, None)
        return
    held = _held_until(plan, chart, now)
    waiting = [item for item in items if item.state == "open" and _is_to_prompt(known, item, now)]
    if held is None and waiting:
        for item in waiting:
            plans.keep(db, chart, plans.prompted(item, known.get(item.key), now))
        for device in to:
            _promise(db, chart, device.id, waiting, now)
    plans.look_again(db, chart, _next_look(items, known, held, now))


def _held_until(plan: Plan, chart: Chart, now: datetime) -> datetime | None:
    """When somebody who put reminders off, or is asleep, may be reminded; None: now."""
    if plan.snoozed_until is not None and plan.snoozed_until > now:
        return plan.snoozed_until
    return plans.quiet_until(plan, now, schedule.zone_of(chart.time_zone))


def _is_to_prompt(known: dict[str, ReminderRow], item: DueItem, now: datetime) -> bool:
    row = known.get(item.key)
    if row is None:
        return True
    if row.snoozed_until is not None:
        return row.snoozed_until <= now
    return row.prompted_at is None


def _next_look(
    items: list[DueItem], known: dict[str, ReminderRow], held: datetime | None, now: datetime
) -> datetime:
    soon = [now + LOOK_EVERY]
    soon += [instant_of(item.opens_at) for item in items if item.state == "next"]
    soon += [
        row.snoozed_until for row in known.values() if row.snoozed_until and row.snoozed_until > now
    ]
    return max(now + timedelta(seconds=1), min(soon) if held is None else min(held, soon[0]))


def _promise(db: Db, chart: Chart, device_id: UUID, items: list[DueItem], now: datetime) -> None:
    delivery_id = uuid7()
    outbox.promise(
        db,
        DELIVER_TOPIC,
        body={
            "patient_id": str(chart.patient_id),
            "device_id": str(device_id),
            "delivery_id": str(delivery_id),
            "due_keys": [item.key for item in items],
        },
        dedupe_key=f"{DELIVER_TOPIC}/{delivery_id}",
        now=now,
    )


def _due(db: Db, chart: Chart, now: datetime) -> list[DueItem]:
    asked = schedule.ask_due(db, chart.patient_id, now - schedule.LOOK_BACK)
    return schedule.due(chart, schedule.course(db, chart, asked), now)


def _open(db: Db, chart: Chart, now: datetime) -> list[DueItem]:
    return [item for item in _due(db, chart, now) if item.state == "open"]


def _say(chart: Chart, key: str, **values: str | int) -> str:
    return texts.say(key, chart.locale, own=chart.clinic.texts, **values)
