"""What crosses the wire about reminders."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.kernel.fields import Instant
from app.kernel.strict import Open, Wire

LocalTime = Annotated[
    str,
    Field(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$",
        max_length=5,
        description="Wall-clock time in the patient's time zone.",
        examples=["21:00"],
    ),
]


class DeviceOut(Open):
    """Where reminders go. Its address is not told again."""

    id: UUID
    channel: str
    created_at: datetime
    ended_at: datetime | None
    ended_reason: Annotated[str | None, Field(description="removed, or gone: nobody is there.")]


class RegisteredDeviceOut(DeviceOut):
    """A device as the answer to its registration."""

    secret: Annotated[
        str | None,
        Field(description="What a webhook's receiver verifies signatures with. Told only here."),
    ]


class DeviceList(Open):
    """One's devices, and the key that a browser subscribes with."""

    devices: list[DeviceOut]
    web_push_public_key: Annotated[str, Field(description="The `applicationServerKey`.")]


class ReminderPlanIn(Wire):
    """How to be reminded."""

    is_stopped: bool = False
    quiet_from: LocalTime = "21:00"
    quiet_until: Annotated[
        LocalTime, Field(description="The same as `quiet_from` for no quiet hours.")
    ] = "08:00"
    snoozed_until: Instant | None = None


class ReminderOut(Open):
    """One thing that was due."""

    due_key: str
    instrument: str
    expires_at: datetime
    prompted_at: datetime | None
    snoozed_until: datetime | None
    snoozes: int
    check_in_id: UUID | None
    answered_at: datetime | None


class ReminderPlanOut(Open):
    """How somebody is reminded, and of what they were, newest first."""

    version: int
    is_stopped: bool
    quiet_from: str
    quiet_until: str
    snoozed_until: datetime | None
    reminders: list[ReminderOut]


class ReminderNoteIn(Wire):
    """What a phone did about one thing that is due."""

    due_key: Annotated[str, Field(min_length=1, max_length=200)]
    event: Literal["prompted", "snoozed"]
    recorded_at: Instant
    snoozed_until: Annotated[
        Instant | None, Field(description="For `snoozed`; a week at most.")
    ] = None
