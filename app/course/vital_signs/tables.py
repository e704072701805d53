"""Batches of readings, and the series they make."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index
from sqlmodel import SQLModel

from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.tables import DISTRIBUTED, instant, json, key, of_clinic, one_of, text

SOURCES = ("monitor", "by-hand")


def _of_visit() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["clinic_id", "patient_id", "dosing_session_id"],
        ["dosing_session.clinic_id", "dosing_session.patient_id", "dosing_session.id"],
    )


class VitalSigns(SQLModel, table=True):
    """A batch. readings: `clinical.vital_series.Columns`. protocol_version: whose thresholds were
    held against it when it came.
    """

    __tablename__ = "vital_signs"
    __table_args__ = (
        of_clinic("patient_id", "patient"),
        _of_visit(),
        one_of("status", "final", ENTERED_IN_ERROR),
        one_of("source", *SOURCES),
        Index(None, "clinic_id", "patient_id", "dosing_session_id"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    patient_id: UUID = key()
    id: UUID = key()
    version: int
    status: str = text()
    dosing_session_id: UUID
    source: str = text()
    device: str | None = text(nullable=True)
    readings: dict[str, Any] = json()
    protocol_version: int
    received_at: datetime = instant()


class VitalSeries(SQLModel, table=True):
    """All readings of a visit that hold, by time; `clinical.vital_series.Columns`."""

    __tablename__ = "vital_series"
    __table_args__ = (_of_visit(), {"info": DISTRIBUTED})
    clinic_id: UUID = key()
    patient_id: UUID = key()
    dosing_session_id: UUID = key()
    series: dict[str, Any] = json()
