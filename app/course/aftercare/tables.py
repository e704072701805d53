"""Aftercare, and its receipt."""

from uuid import UUID

from sqlalchemy import ForeignKeyConstraint

from app.journal.tables import Entry, entry_table


def _of_visit() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["clinic_id", "patient_id", "dosing_session_id"],
        ["dosing_session.clinic_id", "dosing_session.patient_id", "dosing_session.id"],
    )


class Aftercare(Entry, table=True):
    """Instructions that were given. words: sealed `{"instructions", "words", "told"}`."""

    __table_args__ = entry_table(_of_visit())
    dosing_session_id: UUID
    protocol_version: int


class AftercareReceipt(Entry, table=True):
    """That the patient read this version of them."""

    __tablename__ = "aftercare_receipt"
    __table_args__ = entry_table(
        ForeignKeyConstraint(
            ["clinic_id", "patient_id", "aftercare_id"],
            ["aftercare.clinic_id", "aftercare.patient_id", "aftercare.id"],
        )
    )
    aftercare_id: UUID
    aftercare_version: int
