"""Too many failed attempts have to wait: on one name from one address, on one name, from one
address.

The counts are kept, and they make somebody wait and never lock them out: whoever is kept out may
be in crisis. Names and addresses are there as keyed hashes only.
"""

from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final, NamedTuple

from sqlalchemy import bindparam, case, delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from app.kernel.db import Change, Db, Query
from app.kernel.errors import Kind, Problem
from app.kernel.tables import Throttle, columns
from app.kernel.vault import Keyring

THROTTLE_WINDOW: Final = timedelta(minutes=15)
# On one name from one address. Somebody elsewhere who guesses at a patient's password must not
# keep the patient out, who may be in crisis; all addresses together have ten times as much.
FAILURES_FROM_HERE: Final = 5
FAILURES_PER_ACCOUNT: Final = 50
# A clinic's people share an address, so it takes more from there before everybody waits.
FAILURES_PER_ADDRESS: Final = 50


class Allowance(NamedTuple):
    """So many failures of a subject in a window that begins with the first."""

    subject: bytes
    failures: int
    window: timedelta = THROTTLE_WINDOW


class OfSignIn(NamedTuple):
    """What an attempt to sign in is counted on."""

    from_address: Allowance
    from_here: Allowance
    to_account: Allowance


class _Failures(NamedTuple):
    since: datetime
    failures: int


_throttle = columns(Throttle)

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


def of_sign_in(keyring: Keyring, username: str, address: str) -> OfSignIn:
    """The allowances of this name and this address."""
    address = _network(address)
    name = keyring.blind_index(username, purpose="throttle-account")
    return OfSignIn(
        Allowance(keyring.blind_index(address, purpose="throttle-address"), FAILURES_PER_ADDRESS),
        Allowance(
            keyring.blind_index(f"{name.hex()} {address}", purpose="throttle-pair"),
            FAILURES_FROM_HERE,
        ),
        Allowance(name, FAILURES_PER_ACCOUNT),
    )


def used_up(db: Db, of: Allowance, now: datetime) -> Problem | None:
    """The problem to answer with, where no failure is left; nothing is counted."""
    seen = db.first(FAILURES, subject_key=of.subject, window_start=now - of.window)
    return _too_many(of, seen, now) if seen is not None and seen.failures >= of.failures else None


def count(db: Db, of: Allowance, now: datetime) -> Problem | None:
    """Count an attempt as failed; the problem to answer with, where it is one too many.

    The count's row is locked until the transaction ends, so that attempts on one subject wait for
    each other and none slips past the count. To be returned and not raised, which would undo it.
    """
    [seen] = db.change(COUNT_FAILURE, subject_key=of.subject, now=now, window_start=now - of.window)
    return _too_many(of, seen, now) if seen.failures > of.failures else None


def forget(db: Db, of: Allowance) -> None:
    """It went well."""
    db.add(FORGET_FAILURES, subject_key=of.subject)


def _network(address: str) -> str:
    """The part of an address that one customer has: all of IPv4, the first half of IPv6."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(ip_network((parsed, 64), strict=False))
    return str(parsed)


def _too_many(of: Allowance, seen: _Failures, now: datetime) -> Problem:
    wait = (seen.since + of.window - now).total_seconds()
    return Problem(Kind.TOO_MANY_ATTEMPTS, headers={"Retry-After": str(max(1, int(wait) + 1))})
