"""Devices, how somebody wants to be reminded, and what they were reminded of."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, Index, Text
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from app.kernel.tables import DISTRIBUTED, instant, key, of_clinic, one_of, sealed, text


class Device(SQLModel, table=True):
    """Where a patient's reminders go. address: sealed JSON, by channel.

    ended_reason: `removed` by the patient, or `gone`: the address says it is no more.
    """

    __table_args__ = (
        of_clinic("patient_id", "patient"),
        one_of("channel", "email", "web-push", "webhook"),
        one_of("ended_reason", "removed", "gone"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    patient_id: UUID = key()
    id: UUID = key()
    channel: str = text()
    address: bytes = sealed()
    created_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
    ended_reason: str | None = text(nullable=True)


class ReminderPlan(SQLModel, table=True):
    """How one patient wants to be reminded, and when the worker looks again.

    quiet_from, quiet_until: local wall-clock times such as 21:00; between them nothing is sent.
    look_at: null while there is nobody to remind, and no answer to what was asked to wait for.
    """

    __tablename__ = "reminder_plan"
    __table_args__ = (
        of_clinic("patient_id", "patient"),
        Index(
            "ix_reminder_plan_waiting",
            "clinic_id",
            "look_at",
            postgresql_where=sql("look_at IS NOT NULL"),
        ),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    patient_id: UUID = key()
    version: int
    is_stopped: bool
    quiet_from: str = text()
    quiet_until: str = text()
    snoozed_until: datetime | None = instant(nullable=True)
    look_at: datetime | None = instant(nullable=True)


class Reminder(SQLModel, table=True):
    """One check-in that somebody was reminded of. due_key: as in `due`.

    snoozes: how often it was put off. answered_at: when its answer arrived, if one did.
    """

    __table_args__ = (
        of_clinic("patient_id", "patient"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    patient_id: UUID = key()
    due_key: str = Field(sa_column=Column(Text, primary_key=True))
    instrument: str = text()
    expires_at: datetime = instant()
    prompted_at: datetime | None = instant(nullable=True)
    snoozed_until: datetime | None = instant(nullable=True)
    snoozes: int
    check_in_id: UUID | None
    answered_at: datetime | None = instant(nullable=True)
