"""The two parts of the checklist before a dose."""

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index

from app.journal.tables import Entry, entry_table
from app.kernel.tables import json


def _of_session() -> tuple[Any, ...]:
    return (
        ForeignKeyConstraint(
            ["clinic_id", "patient_id", "dosing_session_id"],
            ["dosing_session.clinic_id", "dosing_session.patient_id", "dosing_session.id"],
        ),
        Index(None, "clinic_id", "patient_id", "dosing_session_id"),
    )


class Preparation(Entry, table=True):
    """The patient's answers before a visit: `{"fasting": "yes", …}`. words: sealed note."""

    __table_args__ = entry_table(*_of_session())
    dosing_session_id: UUID
    answers: dict[str, str] = json()


class PreparationCheck(Entry, table=True):
    """What staff asked and measured. words: sealed results, note, and what was found then."""

    __tablename__ = "preparation_check"
    __table_args__ = entry_table(*_of_session())
    dosing_session_id: UUID
    answers: dict[str, str] = json()
    reading: dict[str, Any] | None = json(nullable=True)
    protocol_version: int
