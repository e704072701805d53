"""Check-ins."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, SmallInteger
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from app.kernel.tables import DISTRIBUTED, instant, json, key, of_clinic, one_of, seconds, text


class CheckIn(SQLModel, table=True):
    """Answers to one instrument at one moment. answers: by position, null where left out."""

    __tablename__ = "check_in"
    __table_args__ = (
        of_clinic("patient_id", "patient"),
        one_of("status", "final", "entered-in-error"),
        one_of("level", "none", "low", "moderate", "high"),
        # All that a trajectory reads, in its order: the table itself is not touched.
        Index(
            "ix_check_in_trajectory",
            "clinic_id",
            "patient_id",
            "instrument",
            "effective_at",
            "id",
            postgresql_include=["total"],
            postgresql_where=sql("status = 'final'"),
        ),
        Index(None, "clinic_id", "patient_id", "effective_at", "id"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    patient_id: UUID = key()
    id: UUID = key()
    version: int
    status: str = text()
    instrument: str = text()
    instrument_version: str = text()
    scoring_version: str = text()
    answers: list[int | None] = Field(sa_column=Column(ARRAY(SmallInteger), nullable=False))
    extras: dict[str, Any] = json()
    total: int | None
    band: str | None = text(nullable=True)
    complete: bool
    assessed: bool
    level: str = text()
    recorded_at: datetime = instant()
    received_at: datetime = instant()
    effective_at: datetime = instant()
    clock_ahead_seconds: int | None = seconds()
