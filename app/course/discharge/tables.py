"""Discharges."""

from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index

from app.journal.tables import Entry, entry_table


class Discharge(Entry, table=True):
    """Somebody was let go. words: sealed `{"attested", "overrides", "criteria"}`."""

    __table_args__ = entry_table(
        ForeignKeyConstraint(
            ["clinic_id", "patient_id", "dosing_session_id"],
            ["dosing_session.clinic_id", "dosing_session.patient_id", "dosing_session.id"],
        ),
        Index(None, "clinic_id", "patient_id", "dosing_session_id"),
    )
    dosing_session_id: UUID
    protocol_version: int
    discharged_by: UUID
