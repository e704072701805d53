"""Clinics, patients, care links, consents, invitations and the access log."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import SQLModel

from app.kernel.tables import (
    DISTRIBUTED,
    LOCAL,
    instant,
    json,
    key,
    of_clinic,
    one_of,
    sealed,
    text,
    texts,
)


class ClinicDirectory(SQLModel, table=True):
    """Which clinics there are, for those who serve all of them: the worker and the auditor."""

    __tablename__ = "clinic_directory"
    __table_args__ = ({"info": LOCAL},)
    clinic_id: UUID = key()
    is_synthetic: bool
    created_at: datetime = instant()


class Clinic(SQLModel, table=True):
    """A tenant.

    coverage: `{"hours": {"mon": [["09:00", "17:00"]], …}, "holidays": ["2026-12-25"]}` in the
    clinic's time zone. phone: the clinic's own number for its patients; after_hours_phone: the one
    that holds while the clinic is off duty. notice_version: of the treatment consent that patients
    accept. raised_levels: where this clinic flags more gravely
    than an instrument does, `{"phq-9": {"1": "moderate"}}`; it can raise and never lower.
    instruments: which are switched on or off here, `{"who-5": true}`; otherwise as they ship.
    texts: what this clinic says in its own words, `{"en": {"reminder.subject": "…"}}`.
    """

    __table_args__ = ({"info": DISTRIBUTED},)
    clinic_id: UUID = key()
    name: str = text()
    country: str = text()
    time_zone: str = text()
    phone: str | None = text(nullable=True)
    after_hours_phone: str | None = text(nullable=True)
    coverage: dict[str, Any] = json()
    raised_levels: dict[str, Any] = json()
    instruments: dict[str, Any] = json(before="'{}'")
    texts: dict[str, Any] = json(before="'{}'")
    notice_version: str = text()
    created_at: datetime = instant()


class Patient(SQLModel, table=True):
    """A person in treatment. `contact` is sealed JSON: name, phone, address, emergency contacts."""

    __table_args__ = (
        CheckConstraint("country ~ '^[A-Z]{2}$'", name="country"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    id: UUID = key()
    version: int
    time_zone: str = text()
    locale: str = text()
    country: str = text()
    contact: bytes = sealed()
    created_at: datetime = instant()


class CareLink(SQLModel, table=True):
    """A clinician cares for a patient from one instant to another.

    kind: `coverage` is given by telling somebody of a flag (flag_id), and ends with it.
    """

    __tablename__ = "care_link"
    __table_args__ = (
        of_clinic("patient_id", "patient"),
        of_clinic("membership_id", "membership"),
        Index(None, "clinic_id", "membership_id", "patient_id"),
        Index(None, "clinic_id", "patient_id"),
        one_of("kind", "assigned", "coverage"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    id: UUID = key()
    patient_id: UUID
    membership_id: UUID
    kind: str = text()
    flag_id: UUID | None
    began_at: datetime = instant()
    ends_at: datetime | None = instant(nullable=True)


class Consent(SQLModel, table=True):
    """What a patient agreed to, and until when it holds."""

    __table_args__ = (
        of_clinic("patient_id", "patient"),
        Index(None, "clinic_id", "patient_id", "kind"),
        one_of("kind", "treatment"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    id: UUID = key()
    patient_id: UUID
    kind: str = text()
    notice_version: str = text()
    given_at: datetime = instant()
    expires_at: datetime | None = instant(nullable=True)
    revoked_at: datetime | None = instant(nullable=True)


class Invitation(SQLModel, table=True):
    """A place in a clinic, waiting for its person. Found by code before a clinic is known.

    The code is a keyed hash of the id and not stored; code_index is a hash of the code.
    care_by: the clinician who gets the first care link to a patient.
    """

    __table_args__ = (
        UniqueConstraint("code_index"),
        one_of("role", "patient", "clinician", "administrator"),
        {"info": LOCAL},
    )
    id: UUID = key()
    clinic_id: UUID
    code_index: bytes = sealed()
    role: str = text()
    privileges: list[str] = texts()
    care_by: UUID | None
    invited_by: UUID | None
    created_at: datetime = instant()
    expires_at: datetime = instant()
    accepted_at: datetime | None = instant(nullable=True)


class AccessLog(SQLModel, table=True):
    """Somebody other than the patient opened a record, or a list that shows several.

    patient_id: None for a list. what: the right that was used.
    """

    __tablename__ = "access_log"
    __table_args__ = (
        Index(None, "clinic_id", "patient_id", "at"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    id: UUID = key()
    at: datetime = instant()
    membership_id: UUID
    patient_id: UUID | None
    what: str = text()
