"""Check-ins."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    Text,
    literal_column,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from app.kernel.tables import (
    DISTRIBUTED,
    columns,
    instant,
    json,
    key,
    of_clinic,
    one_of,
    seconds,
    text,
)


class CheckIn(SQLModel, table=True):
    """Answers to one instrument at one moment. answers: by position, null where left out.

    results: `{"subscales": {…}, "criteria": {…}}`, null for an instrument that has neither.
    """

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
    total: float | None = Field(sa_type=Double, nullable=True)
    results: dict[str, Any] | None = json(nullable=True)
    band: str | None = text(nullable=True)
    complete: bool
    assessed: bool
    level: str = text()
    recorded_at: datetime = instant()
    received_at: datetime = instant()
    effective_at: datetime = instant()
    clock_ahead_seconds: int | None = seconds()


# Spelled out, so that the planner sees that the partial index fits.
IS_FINAL = columns(CheckIn).status == literal_column("'final'")
"""SQL: the check-in counts."""


class BaselinePin(SQLModel, table=True):
    """A clinician says which check-in change is measured from; the newest of an instrument holds.

    check_in_id: None takes an earlier pin back.
    """

    __tablename__ = "baseline_pin"
    __table_args__ = (
        ForeignKeyConstraint(
            ["clinic_id", "patient_id", "check_in_id"],
            ["check_in.clinic_id", "check_in.patient_id", "check_in.id"],
        ),
        of_clinic("patient_id", "patient"),
        Index(None, "clinic_id", "patient_id", "instrument", "effective_at", "id"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    patient_id: UUID = key()
    id: UUID = key()
    version: int
    instrument: str = text()
    check_in_id: UUID | None
    pinned_by: UUID
    effective_at: datetime = instant()


class ClinicInstrument(SQLModel, table=True):
    """One version of an instrument that a clinic added; never changed, so that old answers keep
    their meaning. definition: the TOML as it was uploaded.
    """

    __tablename__ = "clinic_instrument"
    __table_args__ = ({"info": DISTRIBUTED},)
    clinic_id: UUID = key()
    key: str = Field(sa_column=Column(Text, primary_key=True))
    version: str = Field(sa_column=Column(Text, primary_key=True))
    definition: str = text()
    uploaded_by: UUID
    uploaded_at: datetime = instant()


class ClinicProtocol(SQLModel, table=True):
    """One version of what a clinic schedules; the newest holds.

    content: see `clinical.protocol`.
    """

    __tablename__ = "clinic_protocol"
    __table_args__ = ({"info": DISTRIBUTED},)
    clinic_id: UUID = key()
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    content: dict[str, Any] = json()
    published_by: UUID
    published_at: datetime = instant()
