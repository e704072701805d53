"""How tables are declared, and the kernel's own.

The rules that let one PostgreSQL grow into a sharded one, held by a metadata test: a tenant
table's primary key begins with `clinic_id`; every unique constraint contains it; every foreign
key between tenant tables pairs it; ids are made by the application. Each table says where it
would live:

    distributed  by clinic, behind row-level security
    local        global look-ups on the coordinator; never points at a tenant table
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
)
from sqlalchemy import Uuid as SqlUuid
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
METADATA: Final[MetaData] = SQLModel.metadata

DISTRIBUTED: Final = {"placement": "distributed"}
LOCAL: Final = {"placement": "local"}


def table(model: type[SQLModel]) -> Any:
    """A model's table, for Core statements. SQLModel's types do not know it."""
    return model.__table__  # type: ignore[attr-defined]


def columns(model: type[SQLModel]) -> Any:
    """A model's columns, for Core statements."""
    return table(model).c


def key() -> Any:
    """A part of a primary key, made by the application."""
    return Field(primary_key=True, sa_type=SqlUuid, sa_column_kwargs={"autoincrement": False})


def instant(*, nullable: bool = False) -> Any:
    """A timestamptz column."""
    return Field(sa_type=DateTime(timezone=True), nullable=nullable)


def text(*, nullable: bool = False, before: str | None = None) -> Any:
    """A text column for codes; words of people are `sealed`.

    before: SQL, what a version of the application writes that does not know the column yet.
    """
    return Field(
        sa_type=Text, nullable=nullable, sa_column_kwargs={"server_default": before and sql(before)}
    )


def sealed(*, nullable: bool = False) -> Any:
    """A bytea column that only the vault reads and writes."""
    return Field(sa_type=LargeBinary, nullable=nullable)


def seconds() -> Any:
    """A whole number of seconds or null; 32 bits of them are only 68 years."""
    return Field(sa_type=BigInteger, nullable=True)


def truth(*, before: str | None = None) -> Any:
    """True or false. before: as for `text`."""
    return Field(sa_column=Column(Boolean, nullable=False, server_default=before and sql(before)))


def texts() -> Any:
    """A list of codes."""
    return Field(sa_column=Column(ARRAY(Text), nullable=False))


def json(*, nullable: bool = False, before: str | None = None) -> Any:
    """Structured data without words of people in it. before: as for `text`."""
    # No Column of its own: a table that others inherit from gives each of them one.
    return Field(
        sa_type=JSONB,
        nullable=nullable,
        sa_column_kwargs={"server_default": before and sql(before)},
    )


def one_of(column: str, *values: str) -> CheckConstraint:
    """A closed set of codes, as a CHECK."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def of_clinic(column: str, table: str) -> ForeignKeyConstraint:
    """A foreign key to `table` that cannot leave the clinic."""
    return ForeignKeyConstraint(["clinic_id", column], [f"{table}.clinic_id", f"{table}.id"])


class Account(SQLModel, table=True):
    """A person who can sign in. May belong to several clinics."""

    __table_args__ = (UniqueConstraint("username_index"), {"info": LOCAL})
    id: UUID = key()
    username_index: bytes = sealed()
    username: bytes = sealed()
    password_hash: str = text()
    is_active: bool
    created_at: datetime = instant()


class AccountClinic(SQLModel, table=True):
    """In which clinics to look for an account's memberships: needed before a clinic is known."""

    __tablename__ = "account_clinic"
    __table_args__ = ({"info": LOCAL},)
    account_id: UUID = key()
    clinic_id: UUID = key()
    joined_at: datetime = instant()


class Membership(SQLModel, table=True):
    """What an account is in one clinic. A token names one membership.

    valid_after: tokens issued before this instant are refused.
    """

    __table_args__ = (
        UniqueConstraint("clinic_id", "account_id", "role"),
        one_of("role", "patient", "clinician", "administrator"),
        CheckConstraint("(role = 'patient') = (patient_id IS NOT NULL)", name="patient_id"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    id: UUID = key()
    version: int
    account_id: UUID
    role: str = text()
    privileges: list[str] = texts()
    patient_id: UUID | None
    name: bytes = sealed()
    is_active: bool
    valid_after: datetime = instant()
    created_at: datetime = instant()


class RefreshFamily(SQLModel, table=True):
    """One sign-in and all the refresh tokens that follow from it.

    The tokens themselves are not stored: token n is a keyed hash of family and n.
    generation: the n of the newest token. rotated_at: when it was first given out.
    """

    __tablename__ = "refresh_family"
    __table_args__ = (
        of_clinic("membership_id", "membership"),
        one_of("ended_reason", "revoked", "reuse"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    id: UUID = key()
    membership_id: UUID
    generation: int
    created_at: datetime = instant()
    rotated_at: datetime = instant()
    expires_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
    ended_reason: str | None = text(nullable=True)


class SignInPolicy(SQLModel, table=True):
    """What a clinic asks of those who sign in. Without a row it asks for no second factor.

    second_factor_required_for: roles, of clinician and administrator.
    """

    __tablename__ = "sign_in_policy"
    __table_args__ = ({"info": DISTRIBUTED},)
    clinic_id: UUID = key()
    second_factor_required_for: list[str] = texts()
    changed_at: datetime = instant()


class SecondFactor(SQLModel, table=True):
    """An account's authenticator app. It counts once it is confirmed.

    secret: what the codes are made from. last_step: the newest time step whose code was used.
    """

    __tablename__ = "second_factor"
    __table_args__ = ({"info": LOCAL},)
    account_id: UUID = key()
    secret: bytes = sealed()
    created_at: datetime = instant()
    confirmed_at: datetime | None = instant(nullable=True)
    last_step: int | None = Field(sa_type=BigInteger, nullable=True)


class RecoveryCode(SQLModel, table=True):
    """For whoever lost their authenticator app: a keyed hash of a code that works once."""

    __tablename__ = "recovery_code"
    __table_args__ = ({"info": LOCAL},)
    account_id: UUID = key()
    code_index: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    used_at: datetime | None = instant(nullable=True)


class SecondFactorEvent(SQLModel, table=True):
    """What happened to a member's second factor; kept for good.

    by_member: None for whoever runs the server.
    """

    __tablename__ = "second_factor_event"
    __table_args__ = (
        of_clinic("membership_id", "membership"),
        one_of("action", "confirmed", "codes-renewed", "recovery-code-used", "removed", "reset"),
        Index(None, "clinic_id", "at"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    id: UUID = key()
    at: datetime = instant()
    membership_id: UUID
    action: str = text()
    by_member: UUID | None


class Throttle(SQLModel, table=True):
    """Failed attempts per account name or address, by keyed hash."""

    __table_args__ = ({"info": LOCAL},)
    subject: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    since: datetime = instant()
    failures: int


class DataKey(SQLModel, table=True):
    """A patient's data key, wrapped. Backed up apart from everything else."""

    __tablename__ = "data_key"
    __table_args__ = ({"info": DISTRIBUTED},)
    clinic_id: UUID = key()
    patient_id: UUID = key()
    wrapped: bytes = sealed()
    created_at: datetime = instant()


class LedgerHead(SQLModel, table=True):
    """Where a patient's ledger ends. Its row lock makes commit order ledger order.

    prev_hash: the last row's, kept so that one statement can number and chain the next.
    """

    __tablename__ = "ledger_head"
    __table_args__ = ({"info": DISTRIBUTED},)
    clinic_id: UUID = key()
    patient_id: UUID = key()
    seq: int = Field(sa_type=BigInteger)
    prev_hash: bytes = sealed()
    hash: bytes = sealed()


class LedgerRow(SQLModel, table=True):
    """One change to one patient's record. Written by `ledger_append()` only."""

    __tablename__ = "ledger"
    __table_args__ = (
        Index(None, "clinic_id", "patient_id", "entry_id", "entry_version"),
        {"info": DISTRIBUTED},
    )
    clinic_id: UUID = key()
    patient_id: UUID = key()
    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    at: datetime = instant()
    actor_id: UUID
    actor_role: str = text()
    action: str = text()
    entry_kind: str = text()
    entry_id: UUID
    entry_version: int
    snapshot: bytes = sealed()
    prev_hash: bytes = sealed()
    hash: bytes = sealed()


class OutboxItem(SQLModel, table=True):
    """Work promised in the transaction that made it necessary.

    body: ids and codes only. dedupe_key: the same promise twice is one. is_timer: it is not due
    before its time; everything else is due at once, whatever a clock says.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("dedupe_key"),
        Index("ix_outbox_waiting", "due_at", "id", postgresql_where=sql("done_at IS NULL")),
        {"info": LOCAL},
    )
    id: UUID = key()
    clinic_id: UUID
    topic: str = text()
    dedupe_key: str = text()
    body: dict[str, Any] = json()
    created_at: datetime = instant()
    due_at: datetime = instant()
    is_timer: bool = truth(before="false")
    attempts: int
    done_at: datetime | None = instant(nullable=True)


class KeyCheck(SQLModel, table=True):
    """A known word under each keyring that this database was sealed with, so that a server with
    other keys notices before it seals anything.
    """

    __tablename__ = "key_check"
    __table_args__ = ({"info": LOCAL},)
    name: str = Field(sa_column=Column(Text, primary_key=True))
    index: bytes = sealed()


class Heartbeat(SQLModel, table=True):
    """When a background process was last seen alive."""

    __table_args__ = ({"info": LOCAL},)
    name: str = Field(sa_column=Column(Text, primary_key=True))
    at: datetime = instant()
