"""Intentions, notes of patients and of clinicians, and what is attached to notes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKeyConstraint, Index, Integer
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from app.journal.tables import Entry, Tiered, entry_table
from app.kernel.tables import DISTRIBUTED, instant, key, of_clinic, one_of, sealed, text, truth


def _of_session() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["clinic_id", "patient_id", "dosing_session_id"],
        ["dosing_session.clinic_id", "dosing_session.patient_id", "dosing_session.id"],
    )


class Intention(Tiered, table=True):
    """What somebody hopes for. words: sealed `{"words"}`."""

    __table_args__ = entry_table(_of_session(), tiered=True)
    dosing_session_id: UUID | None


class ExperienceNote(Tiered, table=True):
    """What a session was like, in the patient's words.

    words: sealed members; of a note from before there were any, the sealed text. conflict_of: the
    note that two devices changed at once; this one keeps the second's text.
    """

    __tablename__ = "experience_note"
    __table_args__ = entry_table(_of_session(), statuses=("final",), tiered=True)
    # What the version before writes.
    status: str = text(before="'final'")
    tier: str = text()
    dosing_session_id: UUID | None
    conflict_of: UUID | None


class ClinicianNote(Entry, table=True):
    """What a clinician wrote about a patient. words: sealed `{"words"}`.

    author_id: a membership.
    """

    __tablename__ = "clinician_note"
    __table_args__ = entry_table(_of_session(), of_clinic("author_id", "membership"))
    author_id: UUID
    is_shared_with_patient: bool = truth()
    dosing_session_id: UUID | None


class PsychotherapyNote(Entry, table=True):
    """What a therapist wrote for themselves. words: sealed `{"words"}`. author_id: a membership."""

    __tablename__ = "psychotherapy_note"
    __table_args__ = entry_table(_of_session(), of_clinic("author_id", "membership"))
    author_id: UUID
    dosing_session_id: UUID | None


class Attachment(SQLModel, table=True):
    """A recording or a picture that belongs to a note; its tier is the note's.

    size: bytes, as declared. stored: bytes that are here. digest: sealed SHA-256, in hexadecimal.
    status: FHIR composition status; `preliminary` until every byte is there and was checked.
    """

    __table_args__ = (
        ForeignKeyConstraint(
            ["clinic_id", "patient_id", "note_id"],
            ["experience_note.clinic_id", "experience_note.patient_id", "experience_note.id"],
        ),
        one_of("status", "preliminary", "final", "entered-in-error"),
        CheckConstraint("size > 0 AND stored BETWEEN 0 AND size", name="size"),
        Index(None, "clinic_id", "patient_id", "note_id"),
        Index(
            "ix_attachment_preliminary",
            "clinic_id",
            "begun_at",
            postgresql_where=sql("status = 'preliminary'"),
        ),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    patient_id: UUID = key()
    id: UUID = key()
    version: int
    status: str = text()
    note_id: UUID
    media_type: str = text()
    size: int = Field(sa_type=BigInteger)
    stored: int = Field(sa_type=BigInteger)
    digest: bytes = sealed()
    begun_at: datetime = instant()
    completed_at: datetime | None = instant(nullable=True)


class AttachmentChunk(SQLModel, table=True):
    """A part of an attachment's bytes. number: from 0."""

    __tablename__ = "attachment_chunk"
    __table_args__ = (
        ForeignKeyConstraint(
            ["clinic_id", "patient_id", "attachment_id"],
            ["attachment.clinic_id", "attachment.patient_id", "attachment.id"],
        ),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    patient_id: UUID = key()
    attachment_id: UUID = key()
    number: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    sealed: bytes = sealed()
