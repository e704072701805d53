"""Flags, their evidence, who was told, and the patient's own plan."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.kernel import tables
from app.kernel.tables import (
    DISTRIBUTED,
    instant,
    key,
    of_clinic,
    one_of,
    sealed,
    seconds,
    texts,
    truth,
)

KINDS = ("suicide-risk", "physical")
ACTIONS = ("acknowledged", "handed-over", "contacted", "commented", "resolved")


class Flag(SQLModel, table=True):
    """One episode of possible danger. round: the newest alert round.

    kind: `physical` danger is an episode of its own. is_historic: all its evidence was recorded
    long before it arrived. acknowledged_by: of the newest round. assigned_to: whom it was handed
    over to. policy_version: of the escalation that held when the newest round began, 0 for the one
    that ships; null for a round that began before this was kept.
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
        Index(
            "ix_flag_waiting",
            "level",
            "round_began_at",
            postgresql_where=text("status = 'open' AND NOT is_historic"),
        ),
        one_of("kind", *KINDS),
        one_of("level", "low", "moderate", "high"),
        one_of("status", "open", "acknowledged", "resolved"),
        CheckConstraint("round >= 1", name="round"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    id: UUID = key()
    patient_id: UUID
    kind: str = tables.text(before="'suicide-risk'")
    version: int
    level: str = tables.text()
    status: str = tables.text()
    round: int
    is_historic: bool = truth(before="false")
    acknowledged_by: UUID | None
    acknowledged_at: datetime | None = instant(nullable=True)
    assigned_to: UUID | None
    policy_version: int | None
    raised_at: datetime = instant()
    round_began_at: datetime = instant()
    updated_at: datetime = instant()


class FlagEvidence(SQLModel, table=True):
    """A sign of danger. source_kind, source_id: the entry it was found in.

    id: of a call for help made from the patient's and the call's, so that the same call twice at
    once is one. is_historic: recorded long before it arrived. words: sealed JSON of what somebody
    wrote with it, and where they said they were.
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
    is_historic: bool = truth(before="false")
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

    id: the client's, where it made one, and unique to the flag. One acknowledgement a round.
    disposition: of a resolution or a contact. to_member: of a hand-over.
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
    flag_id: UUID = key()
    id: UUID = key()
    round: int
    action: str = tables.text()
    by_member: UUID
    to_member: UUID | None
    disposition: str | None = tables.text(nullable=True)
    words: bytes | None = sealed(nullable=True)
    at: datetime = instant()


class FlagStep(SQLModel, table=True):
    """One step of a round: who is told, and when. See `escalation`.

    named: whom a hand-over means.
    """

    __tablename__ = "flag_step"
    __table_args__ = (
        of_clinic("flag_id", "flag"),
        one_of("who", "care-team", "next", "administrators", "named"),
        one_of("state", "planned", "done", "cancelled"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    flag_id: UUID = key()
    round: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    who: str = tables.text()
    channels: list[str] = texts()
    due_at: datetime = instant()
    named: UUID | None
    state: str = tables.text()
    done_at: datetime | None = instant(nullable=True)


class AlertAddress(SQLModel, table=True):
    """Where a member of a clinic is told of flags, beside the inbox. address: sealed JSON.

    failing_since: the first failure after the last success. ended_reason: `removed`, `gone`, or
    `dead`: it failed for a day.
    """

    __tablename__ = "alert_address"
    __table_args__ = (
        of_clinic("membership_id", "membership"),
        one_of("channel", "email", "web-push", "webhook"),
        one_of("ended_reason", "removed", "gone", "dead"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    membership_id: UUID = key()
    id: UUID = key()
    channel: str = tables.text()
    address: bytes = sealed()
    created_at: datetime = instant()
    failing_since: datetime | None = instant(nullable=True)
    ended_at: datetime | None = instant(nullable=True)
    ended_reason: str | None = tables.text(nullable=True)


class AlertDelivery(SQLModel, table=True):
    """One attempt to tell one member of one step over one channel. why: a code of ours."""

    __tablename__ = "alert_delivery"
    __table_args__ = (
        of_clinic("flag_id", "flag"),
        Index(None, "clinic_id", "flag_id", "at"),
        Index(None, "clinic_id", "at", "id"),
        one_of("outcome", "sent", "gone", "not-now"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    id: UUID = key()
    flag_id: UUID
    round: int
    step: int
    membership_id: UUID
    address_id: UUID
    channel: str = tables.text()
    outcome: str = tables.text()
    why: str | None = tables.text(nullable=True)
    at: datetime = instant()


class ClinicEscalation(SQLModel, table=True):
    """One version of how a clinic escalates; the newest holds. content: see `escalation`."""

    __tablename__ = "clinic_escalation"
    __table_args__ = ({"info": DISTRIBUTED},)
    clinic_id: UUID = key()
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    content: dict[str, Any] = tables.json()
    published_by: UUID
    published_at: datetime = instant()


class SafetyPlan(SQLModel, table=True):
    """What a patient means to do when it gets hard; one each, and this is its newest version.

    words: sealed JSON, see `plan`. The instants are those of this version.
    """

    __tablename__ = "safety_plan"
    __table_args__ = (of_clinic("patient_id", "patient"), {"info": DISTRIBUTED})
    clinic_id: UUID = key()
    patient_id: UUID = key()
    version: int
    words: bytes = sealed()
    recorded_at: datetime = instant()
    received_at: datetime = instant()
    effective_at: datetime = instant()
    clock_ahead_seconds: int | None = seconds()
