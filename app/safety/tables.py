"""Flags, their evidence, and who was told."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlmodel import SQLModel

from app.kernel import tables
from app.kernel.tables import DISTRIBUTED, instant, key, of_clinic, one_of, texts


class Flag(SQLModel, table=True):
    """One episode of possible danger. round: the newest alert round."""

    __table_args__ = (
        of_clinic("patient_id", "patient"),
        Index(
            "uq_flag_one_open",
            "clinic_id",
            "patient_id",
            unique=True,
            postgresql_where=text("status <> 'resolved'"),
        ),
        Index(None, "clinic_id", "patient_id", "raised_at"),
        one_of("level", "low", "moderate", "high"),
        one_of("status", "open", "acknowledged", "resolved"),
        CheckConstraint("round >= 1", name="round"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    id: UUID = key()
    patient_id: UUID
    version: int
    level: str = tables.text()
    status: str = tables.text()
    round: int
    raised_at: datetime = instant()
    round_began_at: datetime = instant()
    updated_at: datetime = instant()


class FlagEvidence(SQLModel, table=True):
    """A sign of danger. source_kind, source_id: the entry it was found in."""

    __tablename__ = "flag_evidence"
    __table_args__ = (
        of_clinic("flag_id", "flag"),
        Index(None, "clinic_id", "flag_id"),
        one_of("level", "low", "moderate", "high"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    id: UUID = key()
    flag_id: UUID
    source_kind: str = tables.text()
    source_id: UUID
    level: str = tables.text()
    reasons: list[str] = texts()
    recorded_at: datetime = instant()
    effective_at: datetime = instant()
    received_at: datetime = instant()


class Notice(SQLModel, table=True):
    """Somebody was told of a round. channel: `inbox` is the list of flags itself."""

    __table_args__ = (
        of_clinic("flag_id", "flag"),
        ForeignKeyConstraint(
            ["clinic_id", "membership_id"], ["membership.clinic_id", "membership.id"]
        ),
        UniqueConstraint("clinic_id", "flag_id", "round", "membership_id", "channel"),
        one_of("channel", "inbox"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    id: UUID = key()
    flag_id: UUID
    round: int
    membership_id: UUID
    channel: str = tables.text()
    told_at: datetime = instant()
