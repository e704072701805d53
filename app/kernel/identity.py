"""Who is asking: what a token says, refresh families, and whether a membership stands.

An access token lives ten minutes and names one membership: one person, in one role, in one
clinic. Its signature is checked once and remembered; whether the membership still stands is
read in each request's own transaction (`require_standing`, and `people.open_chart` in the same
breath as the chart).

A refresh token is `clinic.family.n.mac`: the mac is a keyed hash of the rest, so nothing about
it is stored and the same n always has the same token. Token n makes n+1 the newest. Shown
again within a minute, while n+1 is still unused, n is answered with the same n+1, because the
first answer was lost on the way; shown at any other time it was stolen, and its family ends.

Where a clinic requires a second factor that somebody does not have yet, their access token is of
another type: no route takes it but those that set the factor up, also none that is written later.
Whether that is so is asked again at every refresh.
"""

import hmac
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update
from uuid_utils.compat import uuid7

from app.kernel import second_factor
from app.kernel.db import Change, Db, Query, itself
from app.kernel.errors import Kind, Problem
from app.kernel.log import logger
from app.kernel.tables import Account, AccountClinic, Membership, RefreshFamily, columns
from app.kernel.tokens import ACCESS_TYP, SigningKeys, TokenRefused, Verifier, sign
from app.kernel.vault import Keyring

AUDIENCE: Final = "afterglow"
ENROLMENT_TYP: Final = "enrolment+jwt"
ROLES: Final = frozenset({"patient", "clinician", "administrator"})
ACCESS_LIFETIME: Final = timedelta(minutes=10)
REFRESH_LIFETIME: Final = timedelta(days=90)
HELP_LIFETIME: Final = timedelta(days=365)
LOST_REPLY: Final = timedelta(seconds=60)

_CALLERS_KEPT: Final = 4096


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
        self._enrolments = Verifier(
            keys, issuer=base_url, audience=AUDIENCE, typ=ENROLMENT_TYP, cache_size=0
        )
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

    def enrolling_caller(self, token: str, now: float) -> Caller | None:
        """Who has to set up a second factor before anything else, or None."""
        try:
            claims = self._enrolments.verify(token, now)
            return _caller_of(claims.sub, claims.iat, claims.private)
        except (TokenRefused, KeyError, ValueError, TypeError, AttributeError):
            return None

    def access_token(self, standing: "Standing", now: datetime, *, must_enrol: bool = False) -> str:
        """A token for one membership. must_enrol: good for setting up a second factor alone."""
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
        return sign(self.keys, claims, ENROLMENT_TYP if must_enrol else ACCESS_TYP)

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
    """The answer to a good grant.

    must_enrol: the access token is good for setting up a second factor, and for nothing else.
    """

    access_token: str
    refresh_token: str
    standing: Standing
    help_token: str | None
    must_enrol: bool


class _Family(NamedTuple):
    membership_id: UUID
    generation: int
    rotated_at: datetime
    expires_at: datetime
    ended_at: datetime | None


_account = columns(Account)
_membership = columns(Membership)
_family = columns(RefreshFamily)
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
END_FAMILIES = Change(
    update(RefreshFamily)
    .where(
        _family.clinic_id == bindparam("clinic_id"),
        _family.membership_id == bindparam("membership_id"),
        _family.ended_at.is_(None),
    )
    .values(ended_at=bindparam("now"), ended_reason="revoked")
)
END_ACCESS = Change(
    update(Membership)
    .where(
        _membership.clinic_id == bindparam("clinic_id"),
        _membership.id == bindparam("membership_id"),
    )
    .values(valid_after=bindparam("now"))
)


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
    return _tokens(db, issuer, standing, family_id, generation, now)


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


def member_name(keyring: Keyring, clinic_id: UUID, membership_id: UUID, sealed: bytes) -> str:
    """A member's name, opened."""
    return keyring.open_for_clinic(
        clinic_id, sealed, table="membership", column="name", row=membership_id
    ).decode()


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
    return _tokens(db, issuer, standing, family_id, 1, now)


def end_sign_ins(db: Db, account_id: UUID, now: datetime, *, roles: Collection[str]) -> None:
    """Every sign-in of an account in these roles is over, in all its clinics; one that begins
    from `next_second(now)` on is good.

    Leaves the transaction in the last one.
    """
    for standing in memberships(db, account_id):
        if standing.role in roles:
            db.enter(standing.clinic_id)
            db.add(END_FAMILIES, membership_id=standing.membership_id, now=now)
            db.add(END_ACCESS, membership_id=standing.membership_id, now=next_second(now))


def next_second(now: datetime) -> datetime:
    """A token tells when it was made in whole seconds: one of this second cannot be told from one
    that is over since.
    """
    return now.replace(microsecond=0) + timedelta(seconds=1)


def _tokens(
    db: Db, issuer: Issuer, standing: Standing, family_id: UUID, generation: int, now: datetime
) -> Tokens:
    must_enrol = second_factor.must_enrol(db, standing.account_id, standing.role)
    # Who signs in anew in the very second in which all was ended begins with the next.
    is_too_soon = now < standing.valid_after <= next_second(now)
    issued_at = standing.valid_after if is_too_soon else now
    return Tokens(
        issuer.access_token(standing, issued_at, must_enrol=must_enrol),
        issuer.refresh_token(standing.clinic_id, family_id, generation),
        standing,
        issuer.help_token(standing, now),
        must_enrol,
    )
