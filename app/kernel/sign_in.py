"""Signing in: a name, a password, and a code where the account has a second factor.

The order is part of the promise. The password comes first and alone: whoever does not have it
gets the same answer in the same time whether or not there is such a name, whether or not it has a
second factor, and whatever code they send. Only after the right password is a code looked at, or
asked for; that tells no more than signing in tells for an account without a second factor. A
wrong code is answered like a wrong password.

An attempt stays counted as failed until all of it was right, so that the right password alone
gives nobody a fresh set of guesses at the code.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from app.kernel import accounts, second_factor, throttle
from app.kernel.db import Db
from app.kernel.errors import Kind, Problem
from app.kernel.identity import Caller, Issuer, Standing, Tokens, begin_family, memberships
from app.kernel.second_factor import Spent
from app.kernel.vault import Keyring


class Proven(NamedTuple):
    """An account is whose it is said to be. spent: the code that was used up, if any."""

    account_id: UUID
    spent: Spent | None


def sign_in(
    db: Db,
    issuer: Issuer,
    *,
    username: str,
    password: str,
    otp: str | None = None,
    clinic_id: UUID | None,
    membership_id: UUID | None,
    address: str,
    now: datetime,
) -> Tokens | Problem:
    """The password grant.

    otp: as for `prove`. clinic_id, membership_id: which membership the token shall name; the
    oldest otherwise.
    Returns: a Problem where a failed attempt must be remembered, because raising it would
        undo that.
    """
    proven = prove(
        db,
        issuer.keyring,
        username=username,
        password=password,
        otp=otp,
        address=address,
        now=now,
    )
    if isinstance(proven, Problem):
        return proven
    standing = _choose_membership(db, proven.account_id, clinic_id, membership_id)
    if standing is None:
        return Problem(Kind.INVALID_GRANT)
    note_spent(db, proven, standing.membership_id, now)
    return begin_family(db, issuer, standing, now)


def prove(
    db: Db,
    keyring: Keyring,
    *,
    username: str,
    password: str,
    otp: str | None,
    address: str,
    now: datetime,
) -> Proven | Problem:
    """The account whose name and password these are; unknown names and wrong passwords look
    and last the same, and too many of either have to wait.

    otp: a code of the authenticator app, or a recovery code; used up where the account has a
    second factor, passed over where it has none.
    Returns: a Problem where a failed attempt must be remembered, because raising it would
        undo that: INVALID_GRANT, TOO_MANY_ATTEMPTS, SECOND_FACTOR_REQUIRED.
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
    spent: Spent | None = None
    if second_factor.is_confirmed(db, account_id):
        if not otp:
            return _code_needed()
        outcome = second_factor.spend(db, keyring, account_id, otp, now)
        if isinstance(outcome, Problem):
            throttle.count(db, counted.from_address, now)
            return outcome
        spent = outcome
    throttle.forget(db, counted.to_account)
    throttle.forget(db, counted.from_here)
    return Proven(account_id, spent)


def prove_again(
    db: Db, caller: Caller, *, password: str, otp: str | None, address: str, now: datetime
) -> Problem | None:
    """Whoever is signed in shows once more that they are: before what a found or stolen token
    must not be enough for. Counted together with signing in.

    Returns: as for `prove`; None where it is them.
    """
    proven = prove(
        db,
        db.vault,
        username=accounts.name_of(db, db.vault, caller.account_id),
        password=password,
        otp=otp,
        address=address,
        now=now,
    )
    if isinstance(proven, Problem):
        return proven
    note_spent(db, proven, caller.membership_id, now)
    return None


def note_spent(db: Db, proven: Proven, membership_id: UUID, now: datetime) -> None:
    """A recovery code was used: whoever keeps the clinic can see it."""
    if proven.spent == "recovery-code":
        second_factor.note(db, "recovery-code-used", membership_id, membership_id, now)


def _code_needed() -> Problem:
    # RFC 9470 section 3: the credentials hold, and are not enough.
    challenge = 'Bearer error="insufficient_user_authentication"'
    return Problem(Kind.SECOND_FACTOR_REQUIRED, headers={"WWW-Authenticate": challenge})


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
