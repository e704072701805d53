"""Dosing sessions and administrations."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index, Numeric
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from app.kernel.tables import (
    DISTRIBUTED,
    instant,
    json,
    key,
    of_clinic,
    one_of,
    sealed,
    text,
)

ROUTES = ("iv", "im", "subcutaneous", "intranasal", "sublingual", "oral")
SETTINGS = ("clinic", "home", "practitioner-home")
RECORDERS = ("clinician", "companion", "patient")


class DosingSession(SQLModel, table=True):
    """One visit for a dose. status: FHIR event status; in `preparation` it is planned.

    recorder: who records what happens, where that is not at the clinic; recorded_by: the membership
    that recorded the visit. words: sealed `{"present", "emergency_plan"}`. vitals: what the vital
    signs of this visit show; derived, and written by who keeps them. open_at_dose: what of the
    checklist was open when the first dose was recorded.
    """

    __tablename__ = "dosing_session"
    __table_args__ = (
        of_clinic("patient_id", "patient"),
        one_of("status", "preparation", "in-progress", "completed", "not-done", "entered-in-error"),
        one_of("setting", *SETTINGS),
        one_of("recorder", *RECORDERS),
        CheckConstraint("weight_kg > 0", name="weight_kg"),
        Index(None, "clinic_id", "patient_id", "effective_at"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    patient_id: UUID = key()
    id: UUID = key()
    version: int
    status: str = text()
    started_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
    effective_at: datetime = instant()
    recorded_by: UUID
    received_at: datetime = instant()
    setting: str | None = text(nullable=True)
    recorder: str | None = text(nullable=True)
    weight_kg: Decimal | None = Field(sa_column=Column(Numeric(6, 3), nullable=True))
    course_id: UUID | None
    words: bytes | None = sealed(nullable=True)
    vitals: dict[str, Any] | None = json(nullable=True)
    open_at_dose: dict[str, Any] | None = json(nullable=True)


class Administration(SQLModel, table=True):
    """A drug given in a dosing session. place: its order in the session, from 0.

    session_version: the rows of the session's current version hold; an amendment adds its own.
    """

    __table_args__ = (
        ForeignKeyConstraint(
            ["clinic_id", "patient_id", "dosing_session_id"],
            ["dosing_session.clinic_id", "dosing_session.patient_id", "dosing_session.id"],
        ),
        Index(None, "clinic_id", "patient_id", "given_at"),
        one_of("route", *ROUTES),
        CheckConstraint("dose_mg > 0", name="dose_mg"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    patient_id: UUID = key()
    dosing_session_id: UUID = key()
    session_version: int = Field(
        primary_key=True,
        # What the version before writes, which knows no amendments.
        sa_column_kwargs={"autoincrement": False, "server_default": sql("1")},
    )
    place: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    drug: str = text()
    route: str = text()
    dose_mg: Decimal = Field(sa_column=Column(Numeric(9, 3), nullable=False))
    given_at: datetime = instant()
