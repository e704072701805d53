"""Devices and reminders."""

from typing import Any

from fastapi import APIRouter

from app.checkins import schedule
from app.kernel.channels import Channels
from app.kernel.edge import Reply, Signed, router
from app.kernel.etag import IfMatch, etag, version_named
from app.kernel.outbound import Network
from app.people.addresses import DeviceIn
from app.people.chart import entry_id, open_chart, whose
from app.reminders import devices, plans
from app.reminders.schemas import (
    DeviceList,
    DeviceOut,
    RegisteredDeviceOut,
    ReminderNoteIn,
    ReminderOut,
    ReminderPlanIn,
    ReminderPlanOut,
)
from app.safety import addresses


def _of_member(row: addresses.AddressRow) -> dict[str, Any]:
    """An address of a member of the clinic, as a device is told."""
    return {
        "id": row.id,
        "channel": row.channel,
        "created_at": row.created_at,
        "ended_at": row.ended_at,
        "ended_reason": row.ended_reason,
    }


def routes(channels: Channels, allow: frozenset[Network]) -> APIRouter:
    """allow: networks that are open although not public."""
    ours = router("reminders")

    @ours.post(
        "/v1/me/devices",
        status_code=201,
        response_model=RegisteredDeviceOut,
        operation_id="register_device",
    )
    def register_device(visit: Signed, sent: DeviceIn) -> Reply:
        """Be reminded here of what is due, or, in a clinic, be told of flags: by mail, Web Push, or
        a signed webhook. A message names nobody and says nothing but that there is something.
        """
        sends_mail = channels.mail is not None
        if visit.caller.role != "patient":
            row, secret, is_new = addresses.register(
                visit.db, visit.caller, sent, visit.now, sends_mail=sends_mail, allow=allow
            )
            told = RegisteredDeviceOut(**_of_member(row), secret=secret)
            return Reply(told, 201 if is_new else 200)
        chart = open_chart(visit.db, visit.caller, "me", devices.OWN_DEVICES, visit.now)
        device, is_new = devices.register(
            visit.db, chart, sent, visit.now, sends_mail=channels.mail is not None, allow=allow
        )
        return Reply(device, 201 if is_new else 200)

    @ours.get("/v1/me/devices", response_model=DeviceList, operation_id="list_devices")
    def list_devices(visit: Signed) -> Reply:
        """Where one is reminded, or told of flags."""
        if visit.caller.role != "patient":
            rows = addresses.listed(visit.db, visit.caller)
            listed = [DeviceOut(**_of_member(row)) for row in rows]
        else:
            chart = open_chart(visit.db, visit.caller, "me", devices.OWN_DEVICES, visit.now)
            listed = devices.listed(visit.db, chart)
        return Reply(
            DeviceList(
                devices=listed,
                web_push_public_key=channels.web_push.public_key,
            )
        )

    @ours.delete(
        "/v1/me/devices/{device_id}", response_model=DeviceOut, operation_id="remove_device"
    )
    def remove_device(visit: Signed, device_id: str) -> Reply:
        """Be written to there no more."""
        if visit.caller.role != "patient":
            row = addresses.remove(visit.db, visit.caller, entry_id(device_id), visit.now)
            return Reply(DeviceOut(**_of_member(row)))
        chart = open_chart(visit.db, visit.caller, "me", devices.OWN_DEVICES, visit.now)
        return Reply(devices.remove(visit.db, chart, entry_id(device_id), visit.now))

    @ours.get("/v1/me/reminders", response_model=ReminderPlanOut, operation_id="read_reminders")
    def read_reminders(visit: Signed) -> Reply:
        """How one is reminded, and of what one was."""
        chart = open_chart(visit.db, visit.caller, "me", plans.OWN_REMINDERS, visit.now)
        plan = plans.read_plan(visit.db, chart)
        return Reply(plan, headers={"ETag": etag(plan.version + 1)})

    @ours.put("/v1/me/reminders", response_model=ReminderPlanOut, operation_id="set_reminders")
    def set_reminders(visit: Signed, sent: ReminderPlanIn, if_match: IfMatch = None) -> Reply:
        """Quiet hours, a snooze for everything, or none at all."""
        base_version = version_named(if_match) - 1  # tags count from 1, plans from 0
        chart = open_chart(visit.db, visit.caller, "me", plans.OWN_REMINDERS, visit.now)
        plan = plans.set_plan(visit.db, chart, sent, base_version, visit.now)
        return Reply(plan, headers={"ETag": etag(plan.version + 1)})

    @ours.post("/v1/me/reminders", response_model=ReminderOut, operation_id="note_reminder")
    def note_reminder(visit: Signed, sent: ReminderNoteIn) -> Reply:
        """What the phone prompted by itself, or its owner put off."""
        asked = schedule.ask_due(
            visit.db, whose(visit.caller, "me"), visit.now - schedule.LOOK_BACK
        )
        chart = open_chart(visit.db, visit.caller, "me", plans.OWN_REMINDERS, visit.now)
        known = schedule.course(visit.db, chart, asked)
        return Reply(plans.note(visit.db, chart, known, sent, visit.now))

    return ours
