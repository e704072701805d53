"""Flags, their evidence, and who was told."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlmodel import SQLModel

from app.kernel import tables
from app.kernel.tables import DISTRIBUTED, instant, key, of_clinic, one_of, sealed, texts

KINDS = ("suicide-risk", "physical")
ACTIONS = ("acknowledged", "handed-over", "contacted", "commented", "resolved")


class Flag(SQLModel, table=True):
    """One episode of possible danger. round: the newest alert round.

    kind: `physical` danger is an episode of its own. is_historic: all its evidence was recorded
    long before it arrived. acknowledged_by: of the newest round. assigned_to: whom it was handed
    over to.
    """

    __table_args__ = (
        of_clinic("patient_id", "patient"),
        Index(
            "uq_flag_one_open",
            "clinic_id",
            "patient_id",
            "kind",
            unique=True,
            postgresql_where=text("status <> 'resolved'"),
        ),
        Index(None, "clinic_id", "patient_id", "raised_at"),
        one_of("kind", *KINDS),
        one_of("level", "low", "moderate", "high"),
        one_of("status", "open", "acknowledged", "resolved"),
        CheckConstraint("round >= 1", name="round"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    id: UUID = key()
    patient_id: UUID
    kind: str = tables.text()
    version: int
    level: str = tables.text()
    status: str = tables.text()
    round: int
    is_historic: bool
    acknowledged_by: UUID | None
    acknowledged_at: datetime | None = instant(nullable=True)
    assigned_to: UUID | None
    raised_at: datetime = instant()
    round_began_at: datetime = instant()
    updated_at: datetime = instant()


class FlagEvidence(SQLModel, table=True):
    """A sign of danger. source_kind, source_id: the entry it was found in.

    is_historic: recorded long before it arrived. words: sealed JSON of what somebody wrote with it,
    and where they said they were.
    """

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
    is_historic: bool
    words: bytes | None = sealed(nullable=True)
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


class FlagEvent(SQLModel, table=True):
    """What a member of the clinic did about a flag. words: sealed JSON `{"note"}`.

    One acknowledgement a round. disposition: of a resolution. to_member: of a hand-over.
    """

    __tablename__ = "flag_event"
    __table_args__ = (
        of_clinic("flag_id", "flag"),
        of_clinic("by_member", "membership"),
        Index(None, "clinic_id", "flag_id", "at"),
        one_of("action", *ACTIONS),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    id: UUID = key()
    flag_id: UUID
    round: int
    action: str = tables.text()
    by_member: UUID
    to_member: UUID | None
    disposition: str | None = tables.text(nullable=True)
    words: bytes | None = sealed(nullable=True)
    at: datetime = instant()
