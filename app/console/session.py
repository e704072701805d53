"""Signing in to the pages, staying signed in, and being signed off.

The cookie is `clinic.session.mac`: the mac is a keyed hash of the rest, so there is nothing to
steal from the database. What it stands for is a row, so it can be ended from here. It ends after
fifteen minutes in which nobody did anything, after ten hours whatever was done, by signing out,
and with the membership: that is read in each request's own transaction, as for access tokens.
So is whether the clinic requires a second factor that somebody does not have: such a session is
good for setting one up, and for nothing else (`SignedIn.must_enrol`).

Only clinicians and administrators have pages. A row is deleted a month after its end; what was
done with it is in the ledger and the access log.
"""

import hmac
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import and_, bindparam, delete, insert, literal_column, select, update
from uuid_utils.compat import uuid7

from app.console.tables import ConsoleSession
from app.kernel import identity, second_factor
from app.kernel import sign_in as kernel
from app.kernel.db import Change, Db, Query, itself
from app.kernel.errors import Kind, Problem
from app.kernel.identity import Caller, Issuer, Standing
from app.kernel.tables import Membership, columns, table
from app.kernel.vault import Keyring
from app.people.tables import Clinic

IDLE: Final = timedelta(minutes=15)
LIFETIME: Final = timedelta(hours=10)
"""A long day in a clinic; our convention."""
SEEN_EVERY: Final = timedelta(seconds=20)
"""That somebody is there is written at most this often."""
STAFF: Final = ("clinician", "administrator")
KEPT: Final = timedelta(days=30)
"""After its end; our convention. Nothing asks for it then, and it is nothing clinical."""
_AT_ONCE: Final = 1000


class SignedIn(NamedTuple):
    """A session that holds now. name: the member's.

    must_enrol: it is good for setting up a second factor, and for nothing else.
    """

    id: UUID
    caller: Caller
    name: str
    privileges: frozenset[str]
    clinic_name: str
    time_zone: str
    must_enrol: bool
    expires_at: datetime


class Place(NamedTuple):
    """One of the clinics somebody works in."""

    membership_id: UUID
    clinic_name: str
    role: str


class _Row(NamedTuple):
    membership_id: UUID
    began_at: datetime
    seen_at: datetime
    expires_at: datetime
    account_id: UUID
    role: str
    privileges: list[str]
    name: bytes
    valid_after: datetime
    clinic_name: str
    time_zone: str


_session = columns(ConsoleSession)
_member = columns(Membership)
_clinic = columns(Clinic)

ADD_SESSION = Change(insert(ConsoleSession))
SESSION_BY_ID = Query(
    select(
        _session.membership_id,
        _session.began_at,
        _session.seen_at,
        _session.expires_at,
        _member.account_id,
        _member.role,
        _member.privileges,
        _member.name,
        _member.valid_after,
        _clinic.name,
        _clinic.time_zone,
    )
    .join_from(
        table(ConsoleSession),
        table(Membership),
        and_(
            _member.clinic_id == _session.clinic_id,
            _member.id == _session.membership_id,
            _member.is_active,
        ),
    )
    .join(table(Clinic), _clinic.clinic_id == _session.clinic_id)
    .where(
        _session.clinic_id == bindparam("clinic_id"),
        _session.id == bindparam("session_id"),
        _session.ended_at.is_(None),
    ),
    _Row,
)
_this = (
    _session.clinic_id == bindparam("clinic_id"),
    _session.id == bindparam("session_id"),
)
NOTE_SEEN = Change(update(ConsoleSession).where(*_this).values(seen_at=bindparam("now")))
END_SESSION = Change(
    update(ConsoleSession)
    .where(*_this, _session.ended_at.is_(None))
    .values(ended_at=bindparam("now"))
)
_over = (
    select(_session.id)
    .where(
        _session.clinic_id == bindparam("clinic_id"),
        _session.expires_at <= bindparam("before"),
    )
    .limit(literal_column(str(_AT_ONCE)))
)
PURGE_SESSIONS = Query(
    delete(ConsoleSession)
    .where(_session.clinic_id == bindparam("clinic_id"), _session.id.in_(_over))
    .returning(_session.id),
    itself,
)
CLINIC_NAME = Query(
    select(_clinic.name).where(_clinic.clinic_id == bindparam("clinic_id")), lambda name: name
)


def sign_in(
    db: Db,
    issuer: Issuer,
    *,
    username: str,
    password: str,
    code: str | None,
    address: str,
    now: datetime,
) -> str | Problem:
    """Begin a session in the oldest clinic that somebody works in. Returns: the cookie's value.

    code: of a second factor, where the account has one.
    Returns a Problem where a failed attempt must be remembered: INVALID_GRANT (the name or the
    password, or the code), SECOND_FACTOR_REQUIRED, TOO_MANY_ATTEMPTS, FORBIDDEN (a patient:
    everything was right, and this is not for them).
    """
    proven = kernel.prove(
        db,
        issuer.keyring,
        username=username,
        password=password,
        otp=code,
        address=address,
        now=now,
    )
    if isinstance(proven, Problem):
        return proven
    standing = next(iter(_staff(db, proven.account_id)), None)
    if standing is None:
        return Problem(Kind.FORBIDDEN)
    db.enter(standing.clinic_id)
    kernel.note_spent(db, proven, standing.membership_id, now)
    return begin(db, standing, now)


def begin(db: Db, standing: Standing, now: datetime, *, until: datetime | None = None) -> str:
    """A session of this membership. Returns: the cookie's value.

    until: when it ends whatever is done; None: after `LIFETIME`.
    """
    db.enter(standing.clinic_id)
    session_id = uuid7()
    # Every sign-in before `valid_after` ended, and it may be within this very second.
    at = max(now, standing.valid_after)
    db.add(
        ADD_SESSION,
        id=session_id,
        membership_id=standing.membership_id,
        began_at=at,
        seen_at=at,
        expires_at=until or at + LIFETIME,
        ended_at=None,
    )
    body = f"{standing.clinic_id.hex}.{session_id.hex}"
    return f"{body}.{_mac(db.vault, body)}"


def find(db: Db, cookie: str, now: datetime, *, is_somebody_there: bool) -> SignedIn | None:
    """The session that a cookie stands for, if it holds; the transaction is in its clinic then.

    is_somebody_there: False for what a page asks by itself, which keeps nobody signed in.
    """
    read = _read(db.vault, cookie)
    if read is None:
        return None
    clinic_id, session_id = read
    db.enter(clinic_id)
    row = _held(db, session_id, now)
    if row is None:
        return None
    if is_somebody_there and row.seen_at + SEEN_EVERY <= now:
        db.add(NOTE_SEEN, session_id=session_id, now=now)
    began_at = int(row.began_at.timestamp())
    return SignedIn(
        session_id,
        Caller(row.account_id, clinic_id, row.membership_id, row.role, None, began_at),
        identity.member_name(db.vault, clinic_id, row.membership_id, row.name),
        frozenset(row.privileges),
        row.clinic_name,
        row.time_zone,
        second_factor.must_enrol(db, row.account_id, row.role),
        row.expires_at,
    )


def is_good(db: Db, now: datetime, *, session_id: UUID) -> bool:
    """Whether a session of the transaction's clinic opens its pages still."""
    row = _held(db, session_id, now)
    return row is not None and not second_factor.must_enrol(db, row.account_id, row.role)


def begin_anew(db: Db, signed_in: SignedIn, standing: Standing, now: datetime) -> str:
    """Another session in the place of this one, good from `now` on; the old cookie is worth
    nothing. For when every sign-in before it ended. Returns: the cookie's value.
    """
    db.enter(signed_in.caller.clinic_id)
    end(db, signed_in, now)
    return begin(db, standing, now)


def end(db: Db, signed_in: SignedIn, now: datetime) -> None:
    """Sign out. The cookie is worth nothing from now on."""
    db.add(END_SESSION, session_id=signed_in.id, now=now)


def purge(db: Db, now: datetime) -> int:
    """Delete sessions of the transaction's clinic that have been over for `KEPT`.

    Returns: how many there were; ask again while there are any.
    """
    # Whatever ended it, a session is over when its ten hours are.
    return len(db.change(PURGE_SESSIONS, before=now - KEPT))


def places(db: Db, account_id: UUID) -> list[Place]:
    """Where somebody works. Leaves the transaction in the last of these clinics."""
    found = []
    for standing in _staff(db, account_id):
        db.enter(standing.clinic_id)
        found.append(Place(standing.membership_id, db.one(CLINIC_NAME), standing.role))
    return found


def change_place(db: Db, signed_in: SignedIn, membership_id: UUID, now: datetime) -> str | None:
    """Go on in another of one's clinics. Returns: the new cookie's value; None for no such one."""
    chosen = next(
        (
            standing
            for standing in _staff(db, signed_in.caller.account_id)
            if standing.membership_id == membership_id
        ),
        None,
    )
    db.enter(signed_in.caller.clinic_id)
    if chosen is None:
        return None
    end(db, signed_in, now)
    # Going to and fro between clinics is no new sign-in.
    return begin(db, chosen, now, until=signed_in.expires_at)


def form_token(vault: Keyring, signed_in: SignedIn) -> str:
    """What every form of this session carries, so that no other page's form is taken for ours."""
    return vault.blind_index(signed_in.id.hex, purpose="console-form").hex()


def is_form_token(vault: Keyring, signed_in: SignedIn, sent: str) -> bool:
    """Whether a form came from one of this session's pages."""
    return hmac.compare_digest(form_token(vault, signed_in).encode(), sent.encode())


def cookie_name(base_url: str) -> str:
    """`__Host-` binds a cookie to this very host, and needs https, which a laptop has not."""
    return "__Host-afterglow" if _is_https(base_url) else "afterglow"


def set_cookie(base_url: str, value: str) -> str:
    """The Set-Cookie header of a new session, or of none (an empty value)."""
    secure = "; Secure" if _is_https(base_url) else ""
    ended = "" if value else "; Max-Age=0"
    return f"{cookie_name(base_url)}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{ended}"


def _is_https(base_url: str) -> bool:
    return urlsplit(base_url).scheme == "https"


def _held(db: Db, session_id: UUID, now: datetime) -> _Row | None:
    row = db.first(SESSION_BY_ID, session_id=session_id)
    if row is None or row.role not in STAFF or row.expires_at <= now or row.seen_at + IDLE <= now:
        return None
    if int(row.began_at.timestamp()) < int(row.valid_after.timestamp()):
        return None
    return row


def _staff(db: Db, account_id: UUID) -> list[Standing]:
    return [one for one in identity.memberships(db, account_id) if one.role in STAFF]


def _read(vault: Keyring, cookie: str) -> tuple[UUID, UUID] | None:
    body, _, mac = cookie.rpartition(".")
    if len(cookie) > 200 or not hmac.compare_digest(_mac(vault, body).encode(), mac.encode()):
        return None
    try:
        clinic_id, session_id = body.split(".")
        return UUID(clinic_id), UUID(session_id)
    except ValueError:
        return None


def _mac(vault: Keyring, body: str) -> str:
    return vault.blind_index(body, purpose="console-session").hex()
