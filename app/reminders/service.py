"""The worker's part: looking for what is due, and telling it to somebody's devices."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, func, literal_column, select
from uuid_utils.compat import uuid7

from app.checkins import schedule
from app.clinical.protocol import DueItem
from app.kernel import outbox, texts
from app.kernel.channels import Channels, Gone, NotNow
from app.kernel.clock import instant_of
from app.kernel.db import Change, Db, Query, itself
from app.kernel.tables import columns
from app.people.chart import Chart, open_unattended
from app.reminders import devices, plans
from app.reminders.plans import Plan, ReminderRow
from app.reminders.tables import ReminderPlan

DELIVER_TOPIC: Final = "reminder.deliver"
LOOK_EVERY: Final = timedelta(hours=1)
"""A patient with a device is looked at this often at least: a dose may have moved everything."""
LOOK_FOR_THE_ABSENT_EVERY: Final = timedelta(days=1)
"""Somebody whose consent ended may give it again."""
GIVE_UP_AFTER: Final = timedelta(days=1)

_plan = columns(ReminderPlan)
WAITING = Query(
    select(_plan.patient_id)
    .where(_plan.clinic_id == bindparam("clinic_id"), _plan.look_at <= bindparam("now"))
    .order_by(_plan.look_at)
    .limit(literal_column("1"))
    .with_for_update(skip_locked=True),
    itself,
)
# A mail server may take ten seconds for each of a dozen answers. Were the connection lost
# meanwhile, what was sent would be sent again, and again.
TAKE_TIME = Change(
    select(
        func.set_config(
            literal_column("'idle_in_transaction_session_timeout'"),
            literal_column("'5min'"),
            literal_column("true"),
        )
    )
)


def waiting(db: Db, now: datetime) -> list[UUID]:
    """The patient of the transaction's clinic who has waited longest to be looked at, if any does.

    Nobody else looks at them until the transaction ends.
    """
    return db.all(WAITING, now=now)


def put_off(db: Db, patient_id: UUID, now: datetime) -> None:
    """What was tried with this patient failed, and is tried again with the next look."""
    plans.put_off(db, patient_id, now + LOOK_EVERY)


def deliver(db: Db, body: dict[str, Any], now: datetime, channels: Channels) -> None:
    """Keep the promise to tell one device, if there still is something to tell.

    Raises: outbox.NotYet, so that it is tried again later.
    """
    db.add(TAKE_TIME)
    chart = open_unattended(db, UUID(body["patient_id"]), now)
    if chart is None:
        return
    device = db.first(devices.DEVICE, patient_id=chart.patient_id, id=UUID(body["device_id"]))
    plan = plans.plan_of(db, chart)
    if device is None or device.ended_at is not None or plan.is_stopped:
        return
    count = _still_asked(db, chart, body["due_keys"], now)
    if count == 0:
        return  # answered or put off meanwhile, or its time is over
    held = _held_until(plan, chart, now)
    if held is not None:
        raise outbox.NotYet(held)
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
        # Again after as long as it has been tried already, and not for ever: an address that
        # answers no more must not take the time of those that do.
        tried_for = now - datetime.fromisoformat(body["promised_at"])
        if tried_for < GIVE_UP_AFTER:
            asked_for = timedelta(seconds=outcome.retry_after or 0)
            raise outbox.NotYet(now + max(tried_for, asked_for))


def look_at(db: Db, patient_id: UUID, now: datetime) -> None:
    """Promise what this patient is to be reminded of, and say when to look again."""
    chart = open_unattended(db, patient_id, now)
    if chart is None:
        plans.put_off(db, patient_id, now + LOOK_FOR_THE_ABSENT_EVERY)
        return
    plan = plans.plan_of(db, chart)
    to = db.all(devices.DEVICES, patient_id=patient_id)
    items = _due(db, chart, now)
    known = plans.reminders_of(db, chart, items)
    unanswered = [item for item in items if _is_unanswered(known.get(item.key))]
    answered = [item for item in unanswered if item.answered_by is not None]
    for item in answered:
        plans.answer(db, chart, item)
    if plan.is_stopped or not to:
        # A phone that prompts by itself is told here, too, what became of it.
        is_awaited = len(answered) < len(unanswered)
        plans.look_again(db, chart, now + LOOK_EVERY if is_awaited else None)
        return
    held = _held_until(plan, chart, now)
    asked = [item for item in items if item.state == "open" and _is_to_prompt(known, item, now)]
    if held is None and asked:
        for item in asked:
            plans.keep(db, chart, plans.prompted(item, known.get(item.key), now))
        for device in to:
            _promise(db, chart, device.id, asked, now)
    plans.look_again(db, chart, _next_look(items, known, held, now))


def _held_until(plan: Plan, chart: Chart, now: datetime) -> datetime | None:
    """When somebody who put reminders off, or is asleep, may be reminded; None: now."""
    if plan.snoozed_until is not None and plan.snoozed_until > now:
        return plan.snoozed_until
    return plans.quiet_until(plan, now, schedule.zone_of(chart.time_zone))


def _is_unanswered(row: ReminderRow | None) -> bool:
    return row is not None and row.answered_at is None


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
            "promised_at": now.isoformat(),
        },
        dedupe_key=f"{DELIVER_TOPIC}/{delivery_id}",
        now=now,
    )


def _due(db: Db, chart: Chart, now: datetime) -> list[DueItem]:
    asked = schedule.ask_due(db, chart.patient_id, now - schedule.LOOK_BACK)
    return schedule.due(chart, schedule.course(db, chart, asked), now)


def _still_asked(db: Db, chart: Chart, due_keys: list[str], now: datetime) -> int:
    """How many questionnaires these are that are open now and were not put off.

    Two time points may ask for the same one at the same time; it is filled in once.
    """
    items = [item for item in _due(db, chart, now) if item.state == "open" and item.key in due_keys]
    known = plans.reminders_of(db, chart, items)
    later = {key for key, row in known.items() if row.snoozed_until and row.snoozed_until > now}
    return len({item.instrument for item in items if item.key not in later})


def _say(chart: Chart, key: str, **values: str | int) -> str:
    return texts.say(key, chart.locale, own=chart.clinic.texts, **values)
