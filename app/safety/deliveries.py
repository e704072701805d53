"""Every attempt to tell somebody of a flag, for those who have to know whether it arrived.

Administrators see the clinic's; whoever sees a flag sees its own. Who was written to, by which
channel, and what came of it, in codes: nothing of the patient, and no address.
"""

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import and_, bindparam, select, tuple_
from sqlalchemy.types import BigInteger, DateTime, Uuid

from app.kernel import identity
from app.kernel.db import Db, Query
from app.kernel.errors import Kind, Problem, not_found
from app.kernel.identity import Caller
from app.kernel.paging import cursor, instant_of, read_cursor
from app.kernel.tables import Membership, columns, table
from app.people.chart import Right, note_shown, open_chart, open_panel
from app.safety.flags import WHOSE_FLAG
from app.safety.schemas import DeliveryOut, DeliveryPage
from app.safety.tables import AlertDelivery

READ_DELIVERIES: Final = Right(
    "deliveries.read", is_for_patient=False, privileges=frozenset(), is_for_administrator=True
)
READ_DELIVERIES_OF_FLAG: Final = Right(
    "deliveries.of_flag", is_for_patient=False, is_for_administrator=True
)


class _Attempt(NamedTuple):
    id: UUID
    flag_id: UUID
    round: int
    step: int
    membership_id: UUID
    address_id: UUID
    channel: str
    outcome: str
    why: str | None
    at: datetime
    member: bytes


_delivery = columns(AlertDelivery)
_member = columns(Membership)


def _newest_first(*conditions: Any) -> Query[_Attempt]:
    return Query(
        select(*(getattr(_delivery, name) for name in _Attempt._fields[:-1]), _member.name)
        .join_from(
            table(AlertDelivery),
            table(Membership),
            and_(
                _member.clinic_id == _delivery.clinic_id,
                _member.id == _delivery.membership_id,
            ),
        )
        .where(
            _delivery.clinic_id == bindparam("clinic_id"),
            tuple_(_delivery.at, _delivery.id)
            < tuple_(
                bindparam("before_at", type_=DateTime(timezone=True)),
                bindparam("before_id", type_=Uuid),
            ),
            *conditions,
        )
        .order_by(_delivery.at.desc(), _delivery.id.desc())
        .limit(bindparam("limit", type_=BigInteger)),
        _Attempt,
    )


DELIVERIES = _newest_first()
DELIVERIES_OF_FLAG = _newest_first(_delivery.flag_id == bindparam("flag_id"))


def list_deliveries(
    db: Db, caller: Caller, *, after: str | None, limit: int, now: datetime
) -> DeliveryPage:
    """Every attempt of the clinic, newest first. Raises: Problem FORBIDDEN, MALFORMED_REQUEST."""
    if caller.role != "administrator":
        raise Problem(Kind.FORBIDDEN)
    open_panel(db, caller, READ_DELIVERIES, now)
    name = f"deliveries/{caller.membership_id}"
    found = db.all(DELIVERIES, limit=limit + 1, **_keyset(db, name, after))
    return _page(db, found, limit, name)


def list_flag_deliveries(
    db: Db, caller: Caller, flag_id: UUID, *, after: str | None, limit: int, now: datetime
) -> DeliveryPage:
    """Every attempt to tell of one flag, newest first.

    Raises: Problem FORBIDDEN, NOT_FOUND, MALFORMED_REQUEST.
    """
    if caller.role == "administrator":
        open_panel(db, caller, READ_DELIVERIES_OF_FLAG, now)
    elif caller.role != "clinician":
        raise Problem(Kind.FORBIDDEN)
    patient_id = db.first(WHOSE_FLAG, flag_id=flag_id)
    if patient_id is None:
        identity.require_standing(db, caller)
        raise not_found()
    if caller.role == "administrator":
        note_shown(db, caller, READ_DELIVERIES_OF_FLAG, {patient_id}, now)
    else:
        open_chart(db, caller, str(patient_id), READ_DELIVERIES_OF_FLAG, now)
    name = f"deliveries/{flag_id}/{caller.membership_id}"
    asked = _keyset(db, name, after)
    found = db.all(DELIVERIES_OF_FLAG, flag_id=flag_id, limit=limit + 1, **asked)
    return _page(db, found, limit, name)


def _keyset(db: Db, name: str, after: str | None) -> dict[str, object]:
    if after is None:
        return {
            "before_at": datetime(9999, 1, 1, tzinfo=UTC),
            "before_id": UUID(int=(1 << 128) - 1),
        }
    at, delivery_id = read_cursor(db.vault, name, after, 2)
    return {"before_at": instant_of(at), "before_id": UUID(delivery_id)}


def _page(db: Db, found: list[_Attempt], limit: int, name: str) -> DeliveryPage:
    page = found[:limit]
    assert db.clinic_id is not None
    names = {
        member_id: identity.member_name(db.vault, db.clinic_id, member_id, sealed)
        for member_id, sealed in {one.membership_id: one.member for one in page}.items()
    }
    more = len(found) > limit
    return DeliveryPage(
        deliveries=[
            DeliveryOut.model_validate({**one._asdict(), "member": names[one.membership_id]})
            for one in page
        ],
        next_cursor=cursor(db.vault, name, page[-1].at.isoformat(), page[-1].id) if more else None,
    )
