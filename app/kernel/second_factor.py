"""The second factor: a code of an authenticator app, or a recovery code where the app is lost.

What this hides: the codes themselves and what makes each of them work once. The secret is sealed
for its account; of a recovery code only a keyed hash is kept. A factor counts from the moment it
was confirmed with a code of its own; until then it is an enrolment, and it changes nothing.

Codes are TOTP (RFC 6238) as authenticator apps expect it: SHA-1, six digits, thirty seconds. The
step before and the step after are taken too (section 5.2); a step that was used, and every one
before it, is not taken again (the same section). Two requests with one code meet at one row, and
one of them wins.

Whoever guesses at codes has the password already, so wrong digits have a count of their own on the
account, over a day: three codes of a million are good at once, so twenty guesses are one chance in
17,000 (our own convention; RFC 4226 section 7.3 asks for a limit). A recovery code is 80 random
bits, which nobody guesses (NIST SP 800-63B section 5.1.2 asks for 20, and for no limit from 64
on), and is not counted there: somebody else's guessing keeps nobody out who has their codes.
"""

import hmac
import secrets
from base64 import b32encode
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple
from uuid import UUID

from pyotp import HOTP, TOTP
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Uuid,
    any_,
    bindparam,
    delete,
    func,
    insert,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from uuid_utils.compat import uuid7

from app.kernel import throttle
from app.kernel.codes import as_typed, spelt
from app.kernel.db import Change, Db, Query, itself
from app.kernel.errors import Kind, Problem, invalid, not_found
from app.kernel.log import logger
from app.kernel.tables import RecoveryCode, SecondFactor, SecondFactorEvent, SignInPolicy, columns
from app.kernel.throttle import Allowance
from app.kernel.vault import Keyring, Unsealable

STEP_SECONDS: Final = 30
DIGITS: Final = 6
DRIFT_STEPS: Final = 1
SECRET_BYTES: Final = 20  # RFC 4226 section 4, R6: 160 bits
RECOVERY_CODES: Final = 10
ENROLMENT_LIFETIME: Final = timedelta(hours=1)
WRONG_CODES: Final = 20
WRONG_CODES_WINDOW: Final = timedelta(days=1)
STAFF: Final = frozenset({"administrator", "clinician"})
"""Of whom a clinic may require it. It is never required of patients."""
ISSUER: Final = "Afterglow"

Spent = Literal["code", "recovery-code"]
Action = Literal["confirmed", "codes-renewed", "recovery-code-used", "removed", "reset"]


class State(NamedTuple):
    """What may be known of an account's factor."""

    account_id: UUID
    confirmed_at: datetime
    recovery_codes_left: int


class Event(NamedTuple):
    """Something happened to a member's second factor. by_member: None for the operator."""

    at: datetime
    action: str
    membership_id: UUID
    by_member: UUID | None


class _Factor(NamedTuple):
    secret: bytes
    created_at: datetime
    confirmed_at: datetime | None
    last_step: int | None


_factor = columns(SecondFactor)
_code = columns(RecoveryCode)
_policy = columns(SignInPolicy)
_event = columns(SecondFactorEvent)

_of_account = _factor.account_id == bindparam("account_id")
FACTOR = Query(
    select(_factor.secret, _factor.created_at, _factor.confirmed_at, _factor.last_step).where(
        _of_account
    ),
    _Factor,
)
IS_CONFIRMED = Query(
    select(_factor.account_id).where(_of_account, _factor.confirmed_at.is_not(None)), itself
)
STATES = Query(
    select(
        _factor.account_id,
        _factor.confirmed_at,
        select(func.count())
        .where(_code.account_id == _factor.account_id, _code.used_at.is_(None))
        .scalar_subquery(),
    ).where(
        _factor.account_id == any_(bindparam("account_ids", type_=ARRAY(Uuid))),
        _factor.confirmed_at.is_not(None),
    ),
    State,
)
_begun = upsert(SecondFactor)
BEGIN_FACTOR = Query(
    _begun.on_conflict_do_update(
        index_elements=["account_id"],
        set_={
            "secret": _begun.excluded.secret,
            "created_at": _begun.excluded.created_at,
            "last_step": null(),
        },
        where=_factor.confirmed_at.is_(None),
    ).returning(_factor.account_id),
    itself,
)
CONFIRM_FACTOR = Query(
    update(SecondFactor)
    .where(
        _of_account,
        _factor.confirmed_at.is_(None),
        _factor.secret == bindparam("seen"),
    )
    .values(confirmed_at=bindparam("now"), last_step=bindparam("step"))
    .returning(_factor.account_id),
    itself,
)
USE_STEP = Query(
    update(SecondFactor)
    .where(
        _of_account,
        _factor.confirmed_at.is_not(None),
        or_(_factor.last_step.is_(None), _factor.last_step < bindparam("step")),
    )
    .values(last_step=bindparam("step"))
    .returning(_factor.account_id),
    itself,
)
REMOVE_FACTOR = Query(delete(SecondFactor).where(_of_account).returning(_factor.account_id), itself)
ADD_CODE = Change(insert(RecoveryCode))
USE_CODE = Query(
    update(RecoveryCode)
    .where(
        _code.account_id == bindparam("account_id"),
        _code.code_index == bindparam("index"),
        _code.used_at.is_(None),
    )
    .values(used_at=bindparam("now"))
    .returning(_code.account_id),
    itself,
)
REMOVE_CODES = Change(delete(RecoveryCode).where(_code.account_id == bindparam("account_id")))
REQUIRED_FOR = Query(
    select(_policy.second_factor_required_for).where(_policy.clinic_id == bindparam("clinic_id")),
    itself,
)
_required = upsert(SignInPolicy)
REQUIRE = Change(
    _required.on_conflict_do_update(
        index_elements=["clinic_id"],
        set_={
            "second_factor_required_for": _required.excluded.second_factor_required_for,
            "changed_at": _required.excluded.changed_at,
        },
    )
)

ADD_EVENT = Change(insert(SecondFactorEvent))
EVENTS = Query(
    select(_event.at, _event.action, _event.membership_id, _event.by_member)
    .where(_event.clinic_id == bindparam("clinic_id"))
    .order_by(_event.at.desc(), _event.id.desc())
    .limit(bindparam("limit", type_=BigInteger)),
    Event,
)


def require(db: Db, roles: frozenset[str], now: datetime) -> None:
    """From now on the transaction's clinic requires it of these roles, and of no other.

    roles: of STAFF.
    """
    assert roles <= STAFF
    db.add(REQUIRE, second_factor_required_for=sorted(roles), changed_at=now)


def required_for(db: Db) -> list[str]:
    """The roles of which the transaction's clinic requires it."""
    roles: list[str] | None = db.first(REQUIRED_FOR)
    return roles or []


def must_enrol(db: Db, account_id: UUID, role: str) -> bool:
    """Whether the transaction's clinic requires what this account does not have."""
    if role not in STAFF or role not in required_for(db):
        return False
    return not is_confirmed(db, account_id)


def is_confirmed(db: Db, account_id: UUID) -> bool:
    """Whether a password is not enough for this account."""
    return bool(db.all(IS_CONFIRMED, account_id=account_id))


def states(db: Db, account_ids: list[UUID]) -> dict[UUID, State]:
    """By account; those without a confirmed factor are missing."""
    return {one.account_id: one for one in db.all(STATES, account_ids=account_ids)}


def begin(db: Db, keyring: Keyring, account_id: UUID, now: datetime) -> str:
    """A new secret, in base32, for the app to keep; good for nothing until it is confirmed.

    Every time another one: whoever began before, with a stolen password perhaps, knows the secret
    they saw, and it must not become the one that its owner confirms.

    Raises: Problem ALREADY_EXISTS where a factor is confirmed.
    """
    secret = secrets.token_bytes(SECRET_BYTES)
    begun = db.change(
        BEGIN_FACTOR,
        account_id=account_id,
        secret=keyring.seal_for_clinic(
            None, secret, table="second_factor", column="secret", row=account_id
        ),
        created_at=now,
        confirmed_at=None,
        last_step=None,
    )
    if not begun:
        raise Problem(Kind.ALREADY_EXISTS)
    return b32encode(secret).decode()


def otpauth_uri(secret: str, username: str) -> str:
    """What an authenticator app reads, as a text or as a QR code. secret: in base32."""
    return TOTP(secret).provisioning_uri(name=username, issuer_name=ISSUER)


def confirm(
    db: Db, keyring: Keyring, account_id: UUID, otp: str, now: datetime
) -> list[str] | Problem:
    """From now on a password is not enough.

    Returns: recovery codes, which can never be shown again; or a Problem where a wrong code must
        be remembered, because raising it would undo that.
    Raises: Problem NOT_FOUND where nothing was begun within the hour, ALREADY_EXISTS.
    """
    factor = db.first(FACTOR, account_id=account_id)
    if factor is None:
        raise not_found()
    if factor.confirmed_at is not None:
        raise Problem(Kind.ALREADY_EXISTS)
    if factor.created_at + ENROLMENT_LIFETIME <= now:
        raise not_found()
    if late := throttle.count(db, _wrong_codes(keyring, account_id), now):
        return late
    step = _matching_step(_opened(keyring, account_id, factor), as_typed(otp), None, now)
    # The secret that was confirmed is the one that was read: no other was begun in between.
    if step is None or not db.change(
        CONFIRM_FACTOR, account_id=account_id, seen=factor.secret, now=now, step=step
    ):
        return invalid("/otp", "is not the code that the app shows now")
    throttle.forget(db, _wrong_codes(keyring, account_id))
    return renew_codes(db, keyring, account_id)


def spend(db: Db, keyring: Keyring, account_id: UUID, otp: str, now: datetime) -> Spent | Problem:
    """Use up a code of a confirmed factor.

    otp: what somebody typed: six digits or a recovery code; spaces, hyphens and case are theirs.
    Returns: what kind of code it was; or a Problem where a wrong code must be remembered.
    """
    typed = as_typed(otp)
    if not _is_digits(typed):
        index = _index(keyring, account_id, typed)
        used = db.change(USE_CODE, account_id=account_id, index=index, now=now)
        return "recovery-code" if used else Problem(Kind.INVALID_GRANT)
    # The count's row lock makes guesses wait for each other.
    if late := throttle.count(db, _wrong_codes(keyring, account_id), now):
        return late
    factor = db.first(FACTOR, account_id=account_id)
    if factor is None or factor.confirmed_at is None:
        return Problem(Kind.INVALID_GRANT)
    step = _matching_step(_opened(keyring, account_id, factor), typed, factor.last_step, now)
    if step is None or not db.change(USE_STEP, account_id=account_id, step=step):
        return Problem(Kind.INVALID_GRANT)
    throttle.forget(db, _wrong_codes(keyring, account_id))
    return "code"


def renew_codes(db: Db, keyring: Keyring, account_id: UUID) -> list[str]:
    """New recovery codes instead of all before them; they can never be shown again."""
    codes = [spelt(secrets.token_bytes(16)) for _ in range(RECOVERY_CODES)]
    db.add(REMOVE_CODES, account_id=account_id)
    for code in codes:
        index = _index(keyring, account_id, as_typed(code))
        db.add(ADD_CODE, account_id=account_id, code_index=index, used_at=None)
    return codes


def remove(db: Db, keyring: Keyring, account_id: UUID) -> bool:
    """A password is enough again. Returns: whether there was a factor, confirmed or begun."""
    db.add(REMOVE_CODES, account_id=account_id)
    throttle.forget(db, _wrong_codes(keyring, account_id))
    return bool(db.change(REMOVE_FACTOR, account_id=account_id))


def note(
    db: Db, action: Action, membership_id: UUID, by_member: UUID | None, now: datetime
) -> None:
    """Keep for good, in the transaction's clinic, what happened to a member's factor."""
    db.add(
        ADD_EVENT,
        id=uuid7(),
        at=now,
        membership_id=membership_id,
        action=action,
        by_member=by_member,
    )


def events(db: Db, limit: int) -> list[Event]:
    """The newest of the transaction's clinic."""
    return db.all(EVENTS, limit=limit)


def code_at(secret: bytes, step: int) -> str:
    """The code of one time step (RFC 6238 section 4.2). step: whole 30 seconds since 1970."""
    return HOTP(b32encode(secret).decode(), digits=DIGITS).at(step)


def step_at(now: datetime) -> int:
    """The time step of an instant."""
    return int(now.timestamp()) // STEP_SECONDS


def _matching_step(
    secret: bytes | None, typed: str, last_step: int | None, now: datetime
) -> int | None:
    """The first step whose code this is and that was not used; each is compared, whatever the
    others said, so that the time it takes says nothing.
    """
    if secret is None:
        return None
    present = step_at(now)
    matching = [
        step
        for step in range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1)
        if hmac.compare_digest(code_at(secret, step).encode(), typed.encode())
    ]
    return next((step for step in matching if last_step is None or step > last_step), None)


def _opened(keyring: Keyring, account_id: UUID, factor: _Factor) -> bytes | None:
    """None for a damaged secret, of which no code is good: recovery codes still are."""
    try:
        return keyring.open_for_clinic(
            None, factor.secret, table="second_factor", column="secret", row=account_id
        )
    except Unsealable:
        logger().error("second_factor.unsealable", account_id=str(account_id))
        return None


def _index(keyring: Keyring, account_id: UUID, typed: str) -> bytes:
    return keyring.blind_index(f"{account_id.hex} {typed}", purpose="recovery-code")


def _wrong_codes(keyring: Keyring, account_id: UUID) -> Allowance:
    subject = keyring.blind_index(account_id.hex, purpose="throttle-code")
    return Allowance(subject, WRONG_CODES, WRONG_CODES_WINDOW)


def _is_digits(typed: str) -> bool:
    return len(typed) == DIGITS and typed.isascii() and typed.isdigit()
