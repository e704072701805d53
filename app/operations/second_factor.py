"""Second factors, as the command line requires and resets them."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, select

from app.kernel import accounts, identity, second_factor
from app.kernel.db import Db, Direct, Query
from app.kernel.identity import ROLES
from app.kernel.tables import columns
from app.people.clinics import CLINIC_FACTS
from app.people.tables import ClinicDirectory


class _Kind(NamedTuple):
    is_synthetic: bool


_directory = columns(ClinicDirectory)
KIND = Query(
    select(_directory.is_synthetic).where(_directory.clinic_id == bindparam("clinic_id")), _Kind
)


class Synthetic(Exception):
    """A clinic of invented people, of whom nothing is required."""


def require(database: Direct, clinic_id: UUID, roles: frozenset[str], now: datetime) -> bool:
    """From now on a clinic requires it of these roles. Returns: whether there is such a clinic.

    Raises: Synthetic.
    """

    def work(db: Db) -> bool:
        db.enter(clinic_id)
        kind = db.first(KIND)
        if kind is None:
            return False
        if kind.is_synthetic and roles:
            raise Synthetic
        second_factor.require(db, roles, now)
        return True

    return database.run(work)


def describe(database: Direct, clinic_id: UUID) -> Iterator[str]:
    """What a clinic requires, in sentences; nothing where there is no such clinic."""

    def work(db: Db) -> list[str]:
        db.enter(clinic_id)
        kind = db.first(KIND)
        if kind is None:
            return []
        roles = second_factor.required_for(db)
        of_whom = " and ".join(f"{role}s" for role in roles) or "nobody"
        said = [f"{db.one(CLINIC_FACTS).name} requires a second factor of {of_whom}."]
        if kind.is_synthetic:
            said.append("It is synthetic: its people are invented, and exempt.")
        return said

    yield from database.run(work)


def reset(database: Direct, username: str, now: datetime) -> bool:
    """Take away an account's second factor and end all its sign-ins, in every clinic.

    Returns: whether there was one to take away.
    """

    def work(db: Db) -> bool:
        account_id = accounts.find_account(db, db.vault, username)
        if account_id is None or not second_factor.remove(db, db.vault, account_id):
            return False
        for standing in identity.memberships(db, account_id):
            db.enter(standing.clinic_id)
            second_factor.note(db, "reset", standing.membership_id, None, now)
        identity.end_sign_ins(db, account_id, now, roles=ROLES)
        return True

    return database.run(work)
