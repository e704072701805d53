"""Signing in with a name and a password."""

from datetime import datetime
from uuid import UUID

from app.kernel import accounts, throttle
from app.kernel.db import Db
from app.kernel.errors import Kind, Problem
from app.kernel.identity import Issuer, Standing, Tokens, begin_family, memberships
from app.kernel.vault import Keyring


def sign_in(
    db: Db,
    issuer: Issuer,
    *,
    username: str,
    password: str,
    clinic_id: UUID | None,
    membership_id: UUID | None,
    address: str,
    now: datetime,
) -> Tokens | Problem:
    """The password grant.

    clinic_id, membership_id: which membership the token shall name; the oldest otherwise.
    Returns: a Problem where a failed attempt must be remembered, because raising it would
        undo that.
    """
    proven = prove(
        db, issuer.keyring, username=username, password=password, address=address, now=now
    )
    if isinstance(proven, Problem):
        return proven
    standing = _choose_membership(db, proven, clinic_id, membership_id)
    if standing is None:
        return Problem(Kind.INVALID_GRANT)
    return begin_family(db, issuer, standing, now)


def prove(
    db: Db, keyring: Keyring, *, username: str, password: str, address: str, now: datetime
) -> UUID | Problem:
    """The account whose name and password these are; unknown names and wrong passwords look
    and last the same, and too many of either have to wait.

    Returns: a Problem where a failed attempt must be remembered, because raising it would
        undo that.
    """
    counted = throttle.of_sign_in(keyring, username, address)
    if late := throttle.used_up(db, counted.from_address, now):
        return late
    # Counted before the password is looked at, and forgotten when it is right. First from this
    # address, so that somebody who goes on and on is counted no further.
    for allowance in (counted.from_here, counted.to_account):
        if late := throttle.count(db, allowance, now):
            return late
    account_id = accounts.whose_password(db, keyring, username, password)
    if account_id is None:
        throttle.count(db, counted.from_address, now)
        return Problem(Kind.INVALID_GRANT)
    throttle.forget(db, counted.to_account)
    throttle.forget(db, counted.from_here)
    return account_id


def _choose_membership(
    db: Db, account_id: UUID, clinic_id: UUID | None, membership_id: UUID | None
) -> Standing | None:
    for standing in memberships(db, account_id):
        if clinic_id in (None, standing.clinic_id) and membership_id in (
            None,
            standing.membership_id,
        ):
            db.enter(standing.clinic_id)
            return standing
    return None
