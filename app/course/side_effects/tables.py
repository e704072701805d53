"""Side effects."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index

from app.clinical.side_effects import SEVERITIES
from app.journal.tables import Entry, entry_table
from app.kernel.tables import instant, one_of, text


class SideEffect(Entry, table=True):
    """A side effect. words: sealed `{"words", "action"}`."""

    __tablename__ = "side_effect"
    __table_args__ = entry_table(
        ForeignKeyConstraint(
            ["clinic_id", "patient_id", "dosing_session_id"],
            ["dosing_session.clinic_id", "dosing_session.patient_id", "dosing_session.id"],
        ),
        Index(None, "clinic_id", "patient_id", "dosing_session_id", "effective_at", "id"),
        one_of("severity", *SEVERITIES),
        one_of("reported_by", "patient", "clinician"),
    )
    dosing_session_id: UUID | None
    code: str = text()
    severity: str = text()
    onset_at: datetime = instant()
    resolved_at: datetime | None = instant(nullable=True)
    reported_by: str = text()
