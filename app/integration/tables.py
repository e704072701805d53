"""Insights; integration sessions, their summaries, and agreement to them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index

from app.clinical.integration import State
from app.journal.tables import Entry, Tiered, entry_table, part_of
from app.kernel.tables import instant


class Insight(Tiered, table=True):
    """What a patient understood. words: sealed."""

    __table_args__ = entry_table(tiered=True)


class IntegrationSession(Entry, table=True):
    """A talk with a therapist after a dose. status: `clinical.integration.State`."""

    __tablename__ = "integration_session"
    __table_args__ = entry_table(
        Index(None, "clinic_id", "patient_id", "scheduled_at"), statuses=tuple(State)
    )
    scheduled_at: datetime = instant()


class SessionSummary(Entry, table=True):
    """What was agreed in an integration session. words: sealed."""

    __tablename__ = "session_summary"
    __table_args__ = entry_table(
        part_of("integration_session_id", "integration_session"),
        Index(None, "clinic_id", "patient_id", "integration_session_id"),
    )
    integration_session_id: UUID


class SummaryAgreement(Entry, table=True):
    """What a patient says to one version of a summary. words: sealed."""

    __tablename__ = "summary_agreement"
    __table_args__ = entry_table(
        part_of("session_summary_id", "session_summary"),
        Index(None, "clinic_id", "patient_id", "session_summary_id"),
        CheckConstraint("summary_version >= 1", name="summary_version"),
        statuses=("agreed", "disagreed"),
    )
    session_summary_id: UUID
    summary_version: int
