"""How a clinic escalates: its own versions of an `escalation` policy; the newest holds."""

import json
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Text, and_, bindparam, cast, insert, literal_column, select

from app.kernel.db import Change, Db, Query
from app.kernel.errors import Fault, Kind, Problem
from app.kernel.identity import Caller, require_standing
from app.kernel.log import logger
from app.kernel.tables import columns, table
from app.safety import escalation
from app.safety.escalation import Policy, PolicyRefused
from app.safety.schemas import EscalationIn, EscalationOut
from app.safety.tables import ClinicEscalation, Flag

SHIPPED_VERSION: Final = 0


class _Published(NamedTuple):
    version: int
    content: str
    published_at: datetime


class _Pinned(NamedTuple):
    version: int | None
    content: str | None


_policy = columns(ClinicEscalation)
_flag = columns(Flag)
PINNED = Query(
    select(_flag.policy_version, cast(_policy.content, Text))
    .select_from(
        table(Flag).outerjoin(
            table(ClinicEscalation),
            and_(
                _policy.clinic_id == _flag.clinic_id,
                _policy.version == _flag.policy_version,
            ),
        )
    )
    .where(_flag.clinic_id == bindparam("clinic_id"), _flag.id == bindparam("flag_id")),
    _Pinned,
)
PUBLISHED = Query(
    select(_policy.version, cast(_policy.content, Text), _policy.published_at)
    .where(_policy.clinic_id == bindparam("clinic_id"))
    .order_by(_policy.version.desc())
    .limit(literal_column("1")),
    _Published,
)
PUBLISH = Change(insert(ClinicEscalation))


def of_round(db: Db, flag_id: UUID) -> Policy:
    """The policy that held when the newest round of a flag began."""
    pinned = db.first(PINNED, flag_id=flag_id)
    if pinned is not None and pinned.version == SHIPPED_VERSION:
        return escalation.shipped()
    if pinned is not None and pinned.content is not None:
        return _read(pinned.content)
    # A round that began before versions were pinned.
    published = db.first(PUBLISHED)
    return escalation.shipped() if published is None else _read(published.content)


def read_policy(db: Db, caller: Caller) -> EscalationOut:
    """The policy that holds; version 0 is the one that ships. Raises: Problem NOT_SIGNED_IN."""
    require_standing(db, caller)
    published = db.first(PUBLISHED)
    if published is None:
        return _out(escalation.shipped(), SHIPPED_VERSION, None)
    return _out(_read(published.content), published.version, published.published_at)


def publish_policy(
    db: Db, caller: Caller, sent: EscalationIn, base_version: int, now: datetime
) -> EscalationOut:
    """Put a new version in force, for rounds that begin from now on.

    Raises: Problem FORBIDDEN, NOT_SIGNED_IN, PRECONDITION_FAILED, INVALID.
    """
    if caller.role != "administrator":
        raise Problem(Kind.FORBIDDEN)
    require_standing(db, caller)
    try:
        policy = escalation.read(sent.model_dump())
    except PolicyRefused as refused:
        faults = [Fault(pointer, reason) for pointer, reason in refused.errors]
        raise Problem(Kind.INVALID, faults=faults) from None
    earlier = db.first(PUBLISHED)
    version = earlier.version if earlier else SHIPPED_VERSION
    # Two that publish at once have the same number, and the second one finds it taken.
    if version != base_version or db.after_collision:
        raise Problem(Kind.PRECONDITION_FAILED)
    db.add(
        PUBLISH,
        version=version + 1,
        content=escalation.as_dict(policy),
        published_by=caller.membership_id,
        published_at=now,
    )
    logger().info(
        "clinic.escalation_published",
        clinic=str(caller.clinic_id),
        by=str(caller.membership_id),
        version=version + 1,
    )
    return _out(policy, version + 1, now)


@lru_cache(256)
def _read(content: str) -> Policy:
    """It was checked when it was published."""
    return escalation.read(json.loads(content))


def _out(policy: Policy, version: int, published_at: datetime | None) -> EscalationOut:
    return EscalationOut.model_validate(
        {**escalation.as_dict(policy), "version": version, "published_at": published_at}
    )
