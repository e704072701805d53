"""Integration goals."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import SQLModel

from app.kernel.tables import DISTRIBUTED, instant, key, of_clinic, one_of, sealed, seconds, text


class Goal(SQLModel, table=True):
    """A goal. words: sealed JSON `{"words", "why"}`. status: FHIR goal lifecycle."""

    __table_args__ = (
        of_clinic("patient_id", "patient"),
        one_of("status", "proposed", "active", "completed", "cancelled", "entered-in-error"),
        Index(None, "clinic_id", "patient_id", "effective_at", "id"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    patient_id: UUID = key()
    id: UUID = key()
    version: int
    status: str = text()
    life_area: str | None = text(nullable=True)
    words: bytes = sealed()
    recorded_at: datetime = instant()
    received_at: datetime = instant()
    effective_at: datetime = instant()
    clock_ahead_seconds: int | None = seconds()
