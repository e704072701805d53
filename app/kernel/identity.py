"""Who is asking: passwords, refresh families, throttling, and what a token says.

An access token lives ten minutes and names one membership: one person, in one role, in one
clinic. Its signature is checked once and remembered; whether the membership still stands is
read in each request's own transaction (`require_standing`, and `people.open_chart` in the same
breath as the chart).

A refresh token is `clinic.family.n.mac`: the mac is a keyed hash of the rest, so nothing about
it is stored and the same n always has the same token. Token n makes n+1 the newest. Shown
again within a minute, while n+1 is still unused, n is answered with the same n+1, because the
first answer was lost on the way; shown at any other time it was stolen, and its family ends.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Final, NamedTuple
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error
from sqlalchemy import bindparam, case, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from uuid_utils.compat import uuid7

from app.kernel import plain
from app.kernel.db import Change, Db, Query, itself
from app.kernel.errors import Kind, Problem
from app.kernel.log import logger
from app.kernel.tables import Account, AccountClinic, Membership, RefreshFamily, Throttle, columns
from app.kernel.tokens import SigningKeys, TokenRefused, Verifier, sign
from app.kernel.vault import Keyring

AUDIENCE: Final = "afterglow"
ROLES: Final = frozenset({"patient", "clinician", "administrator"})
ACCESS_LIFETIME: Final = timedelta(minutes=10)
REFRESH_LIFETIME: Final = timedelta(days=90)
HELP_LIFETIME: Final = timedelta(days=365)
LOST_REPLY: Final = timedelta(seconds=60)
THROTTLE_WINDOW: Final = timedelta(minutes=15)
# On one name from one address. Somebody elsewhere who guesses at a patient's password must not
# keep the patient out, who may be in crisis; all addresses together have ten times as much.
FAILURES_FROM_HERE: Final = 5
FAILURES_PER_ACCOUNT: Final = 50
# A clinic's people share an address, so it takes more from there before everybody waits.
FAILURES_PER_ADDRESS: Final = 50

_CALLERS_KEPT: Final = 4096

# OWASP Password Storage Cheat Sheet, argon2id: 7 MiB, five passes, one lane. It names this as
# strong as 19 MiB and two passes; a burst of sign-ins makes the process less large.
_HASHER: Final = PasswordHasher(time_cost=5, memory_cost=7 * 1024, parallelism=1)
# Of a password nobody has: an unknown name costs the same time as a wrong password.
_NOBODYS_HASH: Final = (
    "$argon2id$v=19$m=7168,t=5,p=1$3o8CiEV96kudSPTKvu4npA"
    "$OcQoHNdJPwmYndYXkgqzpzDwH5jz8hp0nRSwvGREsXY"
)


@dataclass(frozen=True, slots=True)
class Caller:
    """What a verified access token says about who is asking.

    role: patient, clinician or administrator. patient_id: for the role patient.
    """

    account_id: UUID
    clinic_id: UUID
    membership_id: UUID
    role: str
    patient_id: UUID | None
    issued_at: int

    @staticmethod
    def nobody() -> "Caller":
        """Whoever asks without signing in."""
        return Caller(UUID(int=0), UUID(int=0), UUID(int=0), "nobody", None, 0)


class Issuer:
    """Makes and believes this server's tokens.

    base_url: the `iss` of its tokens.
    """

    def __init__(self, keys: SigningKeys, keyring: Keyring, base_url: str) -> None:
        self.keys = keys
        self.keyring = keyring
        self.base_url = base_url
        self._verifier = Verifier(keys, issuer=base_url, audience=AUDIENCE)
        self._callers: dict[str, Caller] = {}

    def caller(self, token: str, now: float) -> Caller | None:
        """Who a token says is asking, or None if it is not to be believed."""
        try:
            claims = self._verifier.verify(token, now)
            caller = self._callers.get(token)
            if caller is None:
                caller = _caller_of(claims.sub, claims.iat, claims.private)
                if len(self._callers) >= _CALLERS_KEPT:
                    self._callers.clear()
                self._callers[token] = caller
            return caller
        except (TokenRefused, KeyError, ValueError, TypeError, AttributeError):
            return None

    def access_token(self, standing: "Standing", now: datetime) -> str:
        """A token for one membership."""
        issued_at = int(now.timestamp())
        claims: dict[str, Any] = {
            "iss": self.base_url,
            "aud": AUDIENCE,
            "sub": str(standing.account_id),
            "iat": issued_at,
            "exp": issued_at + int(ACCESS_LIFETIME.total_seconds()),
            "jti": secrets.token_urlsafe(12),
            "clinic": str(standing.clinic_id),
            "membership": str(standing.membership_id),
            "role": standing.role,
        }
        if standing.patient_id is not None:
            claims["patient"] = str(standing.patient_id)
        return sign(self.keys, claims)

    def refresh_token(self, clinic_id: UUID, family_id: UUID, generation: int) -> str:
        """The one token of this family and generation."""
        body = f"{clinic_id.hex}.{family_id.hex}.{generation}"
        return f"{body}.{self._mac(body)}"

    def read_refresh_token(self, token: str) -> tuple[UUID, UUID, int] | None:
        """Clinic, family and generation, if we made the token."""
        body, _, mac = token.rpartition(".")
        if len(token) > 200 or not hmac.compare_digest(self._mac(body).encode(), mac.encode()):
            return None
        try:
            clinic, family, generation = body.split(".")
            return UUID(clinic), UUID(family), int(generation)
        except ValueError:
            return None  # the mac folds case, space and the like, so this is ours spelt otherwise

    def help_token(self, standing: "Standing", now: datetime) -> str | None:
        """Good for one thing only, calling for help, for a year; patients have one.

        It outlives a sign-in that ended, a suspended account and a withdrawn consent.
        """
        if standing.patient_id is None:
            return None
        until = (now + HELP_LIFETIME).date().toordinal()
        ids = (standing.clinic_id, standing.membership_id, standing.patient_id)
        body = ".".join(["help", *(one.hex for one in ids), str(until)])
        return f"{body}.{self._mac(body, 'help-token')}"

    def read_help_token(self, token: str, now: datetime) -> Caller | None:
        """Who calls for help, if we made the token and its year is not over."""
        body, _, mac = token.rpartition(".")
        if len(token) > 250 or not hmac.compare_digest(
            self._mac(body, "help-token").encode(), mac.encode()
        ):
            return None
        try:
            _, clinic, membership, patient, until = body.split(".")
            if now.date().toordinal() > int(until):
                return None
            return Caller(UUID(int=0), UUID(clinic), UUID(membership), "patient", UUID(patient), 0)
        except ValueError:
            return None

    def _mac(self, body: str, purpose: str = "refresh-token") -> str:
        return self.keyring.blind_index(body, purpose=purpose).hex()


def _caller_of(subject: str, issued_at: int, private: Mapping[str, Any]) -> Caller:
    patient, role = private.get("patient"), private["role"]
    if role not in ROLES:
        raise ValueError
    return Caller(
        UUID(subject),
        UUID(private["clinic"]),
        UUID(private["membership"]),
        role,
        UUID(patient) if patient is not None else None,
        issued_at,
    )


class Standing(NamedTuple):
    """A membership that holds, as its table says now."""

    clinic_id: UUID
    membership_id: UUID
    account_id: UUID
    role: str
    privileges: list[str]
    patient_id: UUID | None
    name: bytes
    valid_after: datetime


class Tokens(NamedTuple):
    """The answer to a good grant."""

    access_token: str
    refresh_token: str
    standing: Standing
    help_token: str | None


class _Known(NamedTuple):
    id: UUID
    password_hash: str
    is_active: bool


class _Family(NamedTuple):
    membership_id: UUID
    generation: int
    rotated_at: datetime
    expires_at: datetime
    ended_at: datetime | None


class _Failures(NamedTuple):
    since: datetime
    failures: int


_account = columns(Account)
_membership = columns(Membership)
_family = columns(RefreshFamily)
_throttle = columns(Throttle)
_account_clinic = columns(AccountClinic)

_STANDING_COLUMNS = (
    _membership.clinic_id,
    _membership.id,
    _membership.account_id,
    _membership.role,
    _membership.privileges,
    _membership.patient_id,
    _membership.name,
    _membership.valid_after,
)
ACCOUNT_BY_NAME = Query(
    select(_account.id, _account.password_hash, _account.is_active).where(
        _account.username_index == bindparam("username_index")
    ),
    _Known,
)
CLINICS_OF_ACCOUNT = Query(
    select(_account_clinic.clinic_id)
    .where(_account_clinic.account_id == bindparam("account_id"))
    .order_by(_account_clinic.joined_at, _account_clinic.clinic_id),
    itself,
)
STANDING_BY_ID = Query(
    select(*_STANDING_COLUMNS).where(
        _membership.clinic_id == bindparam("clinic_id"),
        _membership.id == bindparam("membership_id"),
        _membership.is_active,
    ),
    Standing,
)
STANDINGS_OF_ACCOUNT = Query(
    select(*_STANDING_COLUMNS)
    .where(
        _membership.clinic_id == bindparam("clinic_id"),
        _membership.account_id == bindparam("account_id"),
        _membership.is_active,
    )
    .order_by(_membership.created_at, _membership.id),
    Standing,
)
ACCOUNT_IS_ACTIVE = Query(
    select(_account.is_active).where(_account.id == bindparam("account_id")), bool
)
FAMILY_FOR_UPDATE = Query(
    select(
        _family.membership_id,
        _family.generation,
        _family.rotated_at,
        _family.expires_at,
        _family.ended_at,
    )
    .where(_family.clinic_id == bindparam("clinic_id"), _family.id == bindparam("family_id"))
    .with_for_update(),
    _Family,
)
ADD_FAMILY = Change(insert(RefreshFamily))
ROTATE_FAMILY = Change(
    update(RefreshFamily)
    .where(_family.clinic_id == bindparam("clinic_id"), _family.id == bindparam("family_id"))
    .values(generation=bindparam("to_generation"), rotated_at=bindparam("now"))
)
END_FAMILY = Change(
    update(RefreshFamily)
    .where(
        _family.clinic_id == bindparam("clinic_id"),
        _family.id == bindparam("family_id"),
        _family.ended_at.is_(None),
    )
    .values(ended_at=bindparam("now"), ended_reason=bindparam("reason"))
)
END_ACCESS = Change(
    update(Membership)
    .where(
        _membership.clinic_id == bindparam("clinic_id"),
        _membership.id == bindparam("membership_id"),
    )
    .values(valid_after=bindparam("now"))
)
FAILURES = Query(
    select(_throttle.since, _throttle.failures).where(
        _throttle.subject == bindparam("subject_key"), _throttle.since > bindparam("window_start")
    ),
    _Failures,
)
_counted = upsert(Throttle).values(
    subject=bindparam("subject_key"), since=bindparam("now"), failures=1
)
COUNT_FAILURE = Query(
    _counted.on_conflict_do_update(
        index_elements=["subject"],
        set_={
            "since": case(
                (_throttle.since > bindparam("window_start"), _throttle.since),
                else_=_counted.excluded.since,
            ),
            "failures": case(
                (_throttle.since > bindparam("window_start"), _throttle.failures + 1), else_=1
            ),
        },
    ).returning(_throttle.since, _throttle.failures),
    _Failures,
)
FORGET_FAILURES = Change(delete(Throttle).where(_throttle.subject == bindparam("subject_key")))
ADD_ACCOUNT = Change(insert(Account))
ADD_ACCOUNT_CLINIC = Change(upsert(AccountClinic).on_conflict_do_nothing())
ADD_MEMBERSHIP = Change(insert(Membership))


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
    window = {"now": now, "window_start": now - THROTTLE_WINDOW}
    address = _network(address)
    from_address = keyring.blind_index(address, purpose="throttle-address")
    seen = db.first(FAILURES, subject_key=from_address, window_start=window["window_start"])
    if seen is not None and seen.failures >= FAILURES_PER_ADDRESS:
        return _too_many(seen, now)
    # Counted before the password is looked at and forgotten when it is right: the row lock
    # makes attempts on one name wait for each other, so that none slips past the count.
    # First from this address, so that somebody who goes on and on is counted no further.
    to_account = keyring.blind_index(username, purpose="throttle-account")
    from_here = keyring.blind_index(f"{to_account.hex()} {address}", purpose="throttle-pair")
    tried_here = db.change(COUNT_FAILURE, subject_key=from_here, **window)[0]
    if tried_here.failures > FAILURES_FROM_HERE:
        return _too_many(tried_here, now)
    tried = db.change(COUNT_FAILURE, subject_key=to_account, **window)[0]
    if tried.failures > FAILURES_PER_ACCOUNT:
        return _too_many(tried, now)
    known = db.first(
        ACCOUNT_BY_NAME, username_index=keyring.blind_index(username, purpose="username")
    )
    is_right = plain.aside(
        _password_matches, known.password_hash if known else _NOBODYS_HASH, password
    )
    if known is None or not is_right or not known.is_active:
        db.change(COUNT_FAILURE, subject_key=from_address, **window)
        return Problem(Kind.INVALID_GRANT)
    db.add(FORGET_FAILURES, subject_key=to_account)
    db.add(FORGET_FAILURES, subject_key=from_here)
    return known.id


def refresh(db: Db, issuer: Issuer, *, refresh_token: str, now: datetime) -> Tokens | Problem:
    """The refresh grant; see the module for reuse. Returns a Problem where a family ended."""
    read = issuer.read_refresh_token(refresh_token)
    if read is None:
        return Problem(Kind.INVALID_GRANT)
    clinic_id, family_id, generation = read
    db.enter(clinic_id)
    family = db.first(FAMILY_FOR_UPDATE, family_id=family_id)
    if family is None or family.ended_at is not None or family.expires_at <= now:
        return Problem(Kind.INVALID_GRANT)
    if generation == family.generation:
        generation += 1
        db.add(ROTATE_FAMILY, family_id=family_id, to_generation=generation, now=now)
    elif generation == family.generation - 1 and now - family.rotated_at <= LOST_REPLY:
        generation = family.generation
    else:
        db.add(END_FAMILY, family_id=family_id, now=now, reason="reuse")
        # Whoever has the stolen token may have an access token too.
        db.add(END_ACCESS, membership_id=family.membership_id, now=now)
        logger().warning("refresh.reused", family=str(family_id))
        return Problem(Kind.INVALID_GRANT)
    standing = db.first(STANDING_BY_ID, membership_id=family.membership_id)
    if standing is None or not db.first(ACCOUNT_IS_ACTIVE, account_id=standing.account_id):
        db.add(END_FAMILY, family_id=family_id, now=now, reason="revoked")
        return Problem(Kind.INVALID_GRANT)
    return Tokens(
        issuer.access_token(standing, now),
        issuer.refresh_token(clinic_id, family_id, generation),
        standing,
        issuer.help_token(standing, now),
    )


def revoke(db: Db, issuer: Issuer, *, token: str, now: datetime) -> None:
    """End the family of a refresh token (RFC 7009): whatever was sent, the answer is the same."""
    read = issuer.read_refresh_token(token)
    if read is not None:
        clinic_id, family_id, _ = read
        db.enter(clinic_id)
        db.add(END_FAMILY, family_id=family_id, now=now, reason="revoked")


def require_standing(db: Db, caller: Caller) -> Standing:
    """The caller's membership as it is now. Raises: Problem NOT_SIGNED_IN."""
    standing = db.first(STANDING_BY_ID, membership_id=caller.membership_id)
    if standing is None or caller.issued_at < int(standing.valid_after.timestamp()):
        raise signed_out()
    return standing


def signed_out() -> Problem:
    """The token was good once."""
    return Problem(Kind.NOT_SIGNED_IN, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


def memberships(db: Db, account_id: UUID) -> list[Standing]:
    """Everything an account is, in all its clinics. Leaves the transaction in the last one."""
    found: list[Standing] = []
    for clinic_id in db.all(CLINICS_OF_ACCOUNT, account_id=account_id):
        db.enter(clinic_id)
        found += db.all(STANDINGS_OF_ACCOUNT, account_id=account_id)
    return found


def find_account(db: Db, keyring: Keyring, username: str) -> UUID | None:
    """The account with this name."""
    known = db.first(
        ACCOUNT_BY_NAME, username_index=keyring.blind_index(username, purpose="username")
    )
    return known.id if known else None


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


def member_name(keyring: Keyring, clinic_id: UUID, membership_id: UUID, sealed: bytes) -> str:
    """A member's name, opened."""
    return keyring.open_for_clinic(
        clinic_id, sealed, table="membership", column="name", row=membership_id
    ).decode()


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


def begin_family(db: Db, issuer: Issuer, standing: Standing, now: datetime) -> Tokens:
    """A new sign-in for a membership that holds."""
    family_id = uuid7()
    db.add(
        ADD_FAMILY,
        id=family_id,
        membership_id=standing.membership_id,
        generation=1,
        created_at=now,
        rotated_at=now,
        expires_at=now + REFRESH_LIFETIME,
        ended_at=None,
        ended_reason=None,
    )
    return Tokens(
        issuer.access_token(standing, now),
        issuer.refresh_token(standing.clinic_id, family_id, 1),
        standing,
        issuer.help_token(standing, now),
    )


def _password_matches(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (Argon2Error, ValueError):
        return False


def _network(address: str) -> str:
    """The part of an address that one customer has: all of IPv4, the first half of IPv6."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(ip_network((parsed, 64), strict=False))
    return str(parsed)


def _too_many(seen: _Failures, now: datetime) -> Problem:
    wait = (seen.since + THROTTLE_WINDOW - now).total_seconds()
    return Problem(Kind.TOO_MANY_ATTEMPTS, headers={"Retry-After": str(max(1, int(wait) + 1))})
