"""Where a member of a clinic is told of flags, beside the inbox; and every attempt to do so."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, func, insert, literal_column, select, update
from uuid_utils.compat import uuid7

from app.kernel import channels
from app.kernel.channels import Channels, Gone, NotNow, Outcome, Sent
from app.kernel.db import Change, Db, Query
from app.kernel.errors import Kind, Problem, invalid, not_found
from app.kernel.identity import Caller, require_standing
from app.kernel.log import logger
from app.kernel.outbound import Network
from app.kernel.tables import columns
from app.kernel.wire import as_json
from app.people.addresses import DeviceIn, address_of, write_to
from app.safety.tables import AlertAddress, AlertDelivery

MAX_ADDRESSES: Final = 10
DEAD_AFTER: Final = timedelta(days=1)
"""An address that fails for so long is switched off, loudly."""


class AddressRow(NamedTuple):
    """An address as it is stored."""

    membership_id: UUID
    id: UUID
    channel: str
    address: bytes
    created_at: datetime
    failing_since: datetime | None
    ended_at: datetime | None
    ended_reason: str | None


_address = columns(AlertAddress)
_COLUMNS = tuple(getattr(_address, name) for name in AddressRow._fields)
ADDRESS = Query(
    select(*_COLUMNS).where(
        _address.clinic_id == bindparam("clinic_id"),
        _address.membership_id == bindparam("membership_id"),
        _address.id == bindparam("address_id"),
    ),
    AddressRow,
)
ADDRESSES = Query(
    select(*_COLUMNS)
    .where(
        _address.clinic_id == bindparam("clinic_id"),
        _address.membership_id == any_(bindparam("membership_ids", type_=ARRAY(Uuid))),
        _address.ended_at.is_(None),
    )
    .order_by(_address.membership_id, _address.created_at, _address.id),
    AddressRow,
)
ADD_ADDRESS = Change(insert(AlertAddress))
END_ADDRESS = Change(
    update(AlertAddress)
    .where(
        _address.clinic_id == bindparam("clinic_id"),
        _address.membership_id == bindparam("of_member"),
        _address.id == bindparam("address_id"),
        _address.ended_at.is_(None),
    )
    .values(ended_at=bindparam("now"), ended_reason=bindparam("reason"))
)
FAILING = Change(
    update(AlertAddress)
    .where(
        _address.clinic_id == bindparam("clinic_id"),
        _address.membership_id == bindparam("of_member"),
        _address.id == bindparam("address_id"),
    )
    .values(failing_since=func.coalesce(_address.failing_since, bindparam("now")))
)
WORKING = Change(
    update(AlertAddress)
    .where(
        _address.clinic_id == bindparam("clinic_id"),
        _address.membership_id == bindparam("of_member"),
        _address.id == bindparam("address_id"),
    )
    .values(failing_since=literal_column("NULL"))
)
ADD_DELIVERY = Change(insert(AlertDelivery))
# A mail server may take ten seconds for each of a dozen answers. Were the connection lost
# meanwhile, what was sent would be sent again, and again.
TAKE_TIME = Change(
    select(
        func.set_config(
            literal_column("'idle_in_transaction_session_timeout'"),
            literal_column("'5min'"),
            literal_column("true"),
        )
    )
)


def register(
    db: Db,
    caller: Caller,
    sent: DeviceIn,
    now: datetime,
    *,
    sends_mail: bool,
    allow: frozenset[Network],
) -> tuple[AddressRow, str | None, bool]:
    """Tell the caller of flags here from now on. Returns: it, a webhook's secret, and whether it
    is new (False: a retry).

    Raises: Problem NOT_SIGNED_IN, INVALID, ID_REUSED.
    """
    require_standing(db, caller)
    address = address_of(sent, sends_mail=sends_mail, allow=allow)
    if db.after_collision and sent.id is not None:
        earlier = db.first(ADDRESS, membership_id=caller.membership_id, address_id=sent.id)
        if earlier is not None:
            kept = _opened(db, earlier)
            secret = kept.pop("secret", None)
            if (earlier.channel, kept) != (sent.channel, address):
                raise Problem(Kind.ID_REUSED)
            return earlier, secret, False
    if len(listed(db, caller)) >= MAX_ADDRESSES:
        raise invalid("", f"is one address too many: {MAX_ADDRESSES} can be registered")
    secret = channels.new_secret() if sent.channel == "webhook" else None
    address_id = sent.id or uuid7()
    row = AddressRow(
        membership_id=caller.membership_id,
        id=address_id,
        channel=sent.channel,
        address=db.vault.seal_for_clinic(
            caller.clinic_id,
            as_json({**address, "secret": secret} if secret else address),
            table="alert_address",
            column="address",
            row=address_id,
        ),
        created_at=now,
        failing_since=None,
        ended_at=None,
        ended_reason=None,
    )
    db.add(ADD_ADDRESS, **row._asdict())
    return row, secret, True


def listed(db: Db, caller: Caller) -> list[AddressRow]:
    """The caller's addresses, those that ended left out. Raises: Problem NOT_SIGNED_IN."""
    require_standing(db, caller)
    return db.all(ADDRESSES, membership_ids=[caller.membership_id])


def remove(db: Db, caller: Caller, address_id: UUID, now: datetime) -> AddressRow:
    """Tell nobody there any more; again changes nothing. Raises: Problem NOT_FOUND."""
    require_standing(db, caller)
    found = db.first(ADDRESS, membership_id=caller.membership_id, address_id=address_id)
    if found is None:
        raise not_found()
    if found.ended_at is None:
        _end(db, found, "removed", now)
        found = found._replace(ended_at=now, ended_reason="removed")
    return found


def of_members(db: Db, membership_ids: list[UUID]) -> list[tuple[UUID, AddressRow]]:
    """Where these members are written to."""
    rows = db.all(ADDRESSES, membership_ids=membership_ids)
    return [(row.membership_id, row) for row in rows]


def send(
    db: Db,
    at: Channels,
    row: AddressRow,
    *,
    subject: str,
    body: str,
    payload: Mapping[str, object],
    delivery: UUID,
    now: datetime,
) -> Outcome:
    """Write to an address; it may take seconds."""
    return write_to(
        at,
        row.channel,
        _opened(db, row),
        subject=subject,
        body=body,
        payload=payload,
        delivery=delivery,
        now=now,
    )


def note_delivery(
    db: Db,
    row: AddressRow,
    outcome: Outcome,
    now: datetime,
    *,
    flag_id: UUID,
    round_: int,
    step: int,
) -> None:
    """Keep what came of an attempt; an address that is gone, or fails for a day, ends."""
    name = (
        "sent" if isinstance(outcome, Sent) else "gone" if isinstance(outcome, Gone) else "not-now"
    )
    db.add(
        ADD_DELIVERY,
        id=uuid7(),
        flag_id=flag_id,
        round=round_,
        step=step,
        membership_id=row.membership_id,
        address_id=row.id,
        channel=row.channel,
        outcome=name,
        why=outcome.why if isinstance(outcome, NotNow) else None,
        at=now,
    )
    if isinstance(outcome, Gone):
        _end(db, row, "gone", now)
    elif isinstance(outcome, NotNow):
        if row.failing_since is not None and now - row.failing_since > DEAD_AFTER:
            _end(db, row, "dead", now)
        else:
            db.add(FAILING, of_member=row.membership_id, address_id=row.id, now=now)
    elif row.failing_since is not None:
        db.add(WORKING, of_member=row.membership_id, address_id=row.id)


def _end(db: Db, row: AddressRow, reason: str, now: datetime) -> None:
    db.add(END_ADDRESS, of_member=row.membership_id, address_id=row.id, now=now, reason=reason)
    if reason != "removed":
        logger().error("alert_address.ended", address=str(row.id), reason=reason)


def _opened(db: Db, row: AddressRow) -> dict[str, Any]:
    plain = db.vault.open_for_clinic(
        db.clinic_id, row.address, table="alert_address", column="address", row=row.id
    )
    return dict(json.loads(plain))
