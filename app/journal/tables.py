"""What every entry's table has."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index
from sqlmodel import SQLModel

from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.tables import DISTRIBUTED, instant, json, key, of_clinic, one_of, sealed, seconds
from app.kernel.tables import text as code

TIERS = ("private", "care-team", "health-record")


class Entry(SQLModel):
    """The columns of every entry. words: sealed JSON of the members that are no columns."""

    clinic_id: UUID = key()
    patient_id: UUID = key()
    id: UUID = key()
    version: int
    status: str = code()
    words: bytes = sealed()
    recorded_at: datetime = instant()
    received_at: datetime = instant()
    effective_at: datetime = instant()
    clock_ahead_seconds: int | None = seconds()


class Tiered(Entry):
    """An entry that the patient shows to whom they like. came_from: `{"kind", "id"}` or null."""

    # What was there before tiers were was read by everybody who cares for the patient.
    tier: str = code(before="'care-team'")
    came_from: dict[str, str] | None = json(nullable=True)


def entry_table(*more: Any, statuses: tuple[str, ...] = ("active",), tiered: bool = False) -> Any:
    """The constraints of every entry's table, and this one's own.

    statuses: what an entry may be besides entered-in-error.
    """
    tiers = (one_of("tier", *TIERS),) if tiered else ()
    return (
        of_clinic("patient_id", "patient"),
        one_of("status", *statuses, ENTERED_IN_ERROR),
        *tiers,
        Index(None, "clinic_id", "patient_id", "effective_at", "id"),
        *more,
        {"info": DISTRIBUTED},
    )


def part_of(column: str, whole: str) -> ForeignKeyConstraint:
    """A foreign key to another entry of the same patient's. whole: its table."""
    return ForeignKeyConstraint(
        ["clinic_id", "patient_id", column],
        [f"{whole}.clinic_id", f"{whole}.patient_id", f"{whole}.id"],
    )
