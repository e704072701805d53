"""Intentions, notes of patients and of clinicians."""

from uuid import UUID

from sqlalchemy import ForeignKeyConstraint

from app.journal.tables import Entry, Tiered, entry_table
from app.kernel.tables import of_clinic, text, truth


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
