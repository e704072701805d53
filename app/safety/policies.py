"""How a clinic escalates: its own versions of an `escalation` policy; the newest holds."""

import json
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Text, and_, bindparam, cast, select

from app.kernel.db import Db, Query
from app.kernel.errors import Fault, Kind, Problem, not_found
from app.kernel.identity import Caller, require_standing
from app.kernel.tables import columns, table
from app.people.published import SHIPPED_VERSION, Documents, Version, require_publisher
from app.safety import escalation
from app.safety.escalation import Policy, PolicyRefused
from app.safety.schemas import EscalationIn, EscalationOut
from app.safety.tables import ClinicEscalation, Flag

POLICIES: Final = Documents("escalation", ClinicEscalation)


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


def of_round(db: Db, flag_id: UUID) -> Policy:
    """The policy that held when the newest round of a flag began."""
    pinned = db.first(PINNED, flag_id=flag_id)
    if pinned is not None and pinned.version == SHIPPED_VERSION:
        return escalation.shipped()
    if pinned is not None and pinned.content is not None:
        return _read(pinned.content)
    # A round that began before versions were pinned.
    return _held(POLICIES.newest(db))[0]


def read_policy(db: Db, caller: Caller) -> EscalationOut:
    """The policy that holds; version 0 is the one that ships. Raises: Problem NOT_SIGNED_IN."""
    require_standing(db, caller)
    return _out(*_held(POLICIES.newest(db)))


def read_earlier(db: Db, caller: Caller, version: int) -> EscalationOut:
    """A policy as it once held. Raises: Problem NOT_SIGNED_IN, NOT_FOUND."""
    require_standing(db, caller)
    published = POLICIES.numbered(db, version)
    if published is None and version != SHIPPED_VERSION:
        raise not_found()
    return _out(*_held(published))


def publish_policy(
    db: Db, caller: Caller, sent: EscalationIn, base_version: int, now: datetime
) -> EscalationOut:
    """Put a new version in force, for rounds that begin from now on.

    Raises: Problem FORBIDDEN, NOT_SIGNED_IN, PRECONDITION_FAILED, INVALID.
    """
    require_publisher(db, caller)
    try:
        policy = escalation.read(sent.model_dump())
    except PolicyRefused as refused:
        faults = [Fault(pointer, reason) for pointer, reason in refused.errors]
        raise Problem(Kind.INVALID, faults=faults) from None
    version = POLICIES.publish(db, caller, escalation.as_dict(policy), base_version, now)
    return _out(policy, version, now)


def _held(published: Version | None) -> tuple[Policy, int, datetime | None]:
    """A policy, its version, and since when it holds."""
    if published is None:
        return escalation.shipped(), SHIPPED_VERSION, None
    return _read(published.content), published.version, published.published_at


@lru_cache(256)
def _read(content: str) -> Policy:
    """It was checked when it was published."""
    return escalation.read(json.loads(content))


def _out(policy: Policy, version: int, published_at: datetime | None) -> EscalationOut:
    return EscalationOut.model_validate(
        {**escalation.as_dict(policy), "version": version, "published_at": published_at}
    )
