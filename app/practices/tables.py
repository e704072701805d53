"""Practices and their ticks; coping strategies and triggers."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, SmallInteger
from sqlmodel import Field

from app.journal.tables import Entry, Tiered, entry_table, part_of
from app.kernel.tables import json, text


def _points(*, nullable: bool = False) -> int:
    found: int = Field(sa_column=Column(SmallInteger, nullable=nullable))
    return found


class Practice(Tiered, table=True):
    """Something a patient does regularly. schedule: as `schemas.ScheduleIn`, in local dates.

    remind_at: HH:MM on the patient's own clock.
    """

    __table_args__ = entry_table(tiered=True)
    activity: str = text()
    schedule: dict[str, Any] = json()
    remind_at: str | None = text(nullable=True)


class PracticeTick(Entry, table=True):
    """What became of a practice on one local date. words: sealed reason and minutes."""

    __tablename__ = "practice_tick"
    __table_args__ = entry_table(
        part_of("practice_id", "practice"),
        # By date first: what is due asks for one week of all practices.
        Index(None, "clinic_id", "patient_id", "on", "practice_id"),
        statuses=("done", "skipped"),
    )
    practice_id: UUID
    on: date


class CopingStrategy(Tiered, table=True):
    """Something of one's own that may help."""

    __tablename__ = "coping_strategy"
    __table_args__ = entry_table(statuses=("active", "retired"), tiered=True)


class LoggedTrigger(Tiered, table=True):
    """One time that something set somebody off. intensities: 0 to 10.

    tried: `[{"strategy_id", "helped"}]`, helped 0 to 4 or null.
    """

    __tablename__ = "logged_trigger"  # TRIGGER is a word of SQL
    __table_args__ = entry_table(
        CheckConstraint("intensity_before BETWEEN 0 AND 10", name="intensity_before"),
        CheckConstraint("intensity_after BETWEEN 0 AND 10", name="intensity_after"),
        tiered=True,
    )
    intensity_before: int = _points()
    intensity_after: int | None = _points(nullable=True)
    tried: list[dict[str, Any]] = json()
