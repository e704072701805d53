"""People who can sign in: names, passwords, and what they become in a clinic.

A password is kept as argon2id. An account is found by a keyed hash of its name; whether there is
one shows neither in an answer nor in how long it takes (`whose_password`).
"""

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error
from sqlalchemy import bindparam, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from uuid_utils.compat import uuid7

from app.kernel import plain
from app.kernel.db import Change, Db, Query
from app.kernel.tables import Account, AccountClinic, Membership, columns
from app.kernel.vault import Keyring

# OWASP Password Storage Cheat Sheet, argon2id: 7 MiB, five passes, one lane. It names this as
# strong as 19 MiB and two passes; a burst of sign-ins makes the process less large.
_HASHER: Final = PasswordHasher(time_cost=5, memory_cost=7 * 1024, parallelism=1)
# Of a password nobody has: an unknown name costs the same time as a wrong password.
_NOBODYS_HASH: Final = (
    "$argon2id$v=19$m=7168,t=5,p=1$3o8CiEV96kudSPTKvu4npA"
    "$OcQoHNdJPwmYndYXkgqzpzDwH5jz8hp0nRSwvGREsXY"
)


class _Known(NamedTuple):
    id: UUID
    password_hash: str
    is_active: bool


_account = columns(Account)

ACCOUNT_BY_NAME = Query(
    select(_account.id, _account.password_hash, _account.is_active).where(
        _account.username_index == bindparam("username_index")
    ),
    _Known,
)
NAME = Query(select(_account.username).where(_account.id == bindparam("account_id")), bytes)
ADD_ACCOUNT = Change(insert(Account))
ADD_ACCOUNT_CLINIC = Change(upsert(AccountClinic).on_conflict_do_nothing())
ADD_MEMBERSHIP = Change(insert(Membership))


def find_account(db: Db, keyring: Keyring, username: str) -> UUID | None:
    """The account with this name."""
    known = db.first(
        ACCOUNT_BY_NAME, username_index=keyring.blind_index(username, purpose="username")
    )
    return known.id if known else None


def name_of(db: Db, keyring: Keyring, account_id: UUID) -> str:
    """The name an account signs in with."""
    return keyring.open_for_clinic(
        None,
        db.one(NAME, account_id=account_id),
        table="account",
        column="username",
        row=account_id,
    ).decode()


def whose_password(db: Db, keyring: Keyring, username: str, password: str) -> UUID | None:
    """The active account whose name and password these are; no other costs less time."""
    known = db.first(
        ACCOUNT_BY_NAME, username_index=keyring.blind_index(username, purpose="username")
    )
    is_right = plain.aside(
        _password_matches, known.password_hash if known else _NOBODYS_HASH, password
    )
    return known.id if known is not None and is_right and known.is_active else None


def create_account(
    db: Db, keyring: Keyring, *, username: str, password_hash: str, now: datetime
) -> UUID:
    """A new person who can sign in. password_hash: from `hash_password`."""
    account_id = uuid7()
    db.add(
        ADD_ACCOUNT,
        id=account_id,
        username_index=keyring.blind_index(username, purpose="username"),
        username=keyring.seal_for_clinic(
            None, username.encode(), table="account", column="username", row=account_id
        ),
        password_hash=password_hash,
        is_active=True,
        created_at=now,
    )
    return account_id


def hash_password(password: str) -> str:
    """What is kept of a password: argon2id, without holding up the loop."""
    return plain.aside(_HASHER.hash, password)


def join(
    db: Db,
    keyring: Keyring,
    *,
    account_id: UUID,
    role: str,
    privileges: list[str],
    patient_id: UUID | None,
    name: str,
    now: datetime,
) -> UUID:
    """Make an account a member of the transaction's clinic. Returns the membership's id."""
    membership_id: UUID = uuid7()
    assert db.clinic_id is not None
    db.add(ADD_ACCOUNT_CLINIC, account_id=account_id, joined_at=now)
    db.add(
        ADD_MEMBERSHIP,
        id=membership_id,
        version=1,
        account_id=account_id,
        role=role,
        privileges=privileges,
        patient_id=patient_id,
        name=keyring.seal_for_clinic(
            db.clinic_id, name.encode(), table="membership", column="name", row=membership_id
        ),
        is_active=True,
        valid_after=now.replace(microsecond=0),
        created_at=now,
    )
    return membership_id


def _password_matches(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (Argon2Error, ValueError):
        return False
