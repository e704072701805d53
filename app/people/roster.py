"""Who works in a clinic. They see each other's names; administrators change what they may do."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, bindparam, distinct, func, or_, select, update

from app.kernel import identity
from app.kernel.db import Change, Db, Query
from app.kernel.errors import Kind, Problem, invalid, not_found
from app.kernel.identity import Caller
from app.kernel.log import logger
from app.kernel.tables import Membership, columns, table
from app.people.chart import CARE, EVERYONE
from app.people.tables import CareLink


class Member(NamedTuple):
    """Somebody who works here. cares_for: how many patients, now."""

    membership_id: UUID
    version: int
    role: str
    privileges: list[str]
    name: str
    joined_at: datetime
    cares_for: int

    @property
    def sees_content(self) -> bool:
        """Whether they may be given patients and flags."""
        return self.role == "clinician" and not CARE.isdisjoint(self.privileges)


class _Member(NamedTuple):
    membership_id: UUID
    version: int
    role: str
    privileges: list[str]
    name: bytes
    joined_at: datetime
    cares_for: int


_member = columns(Membership)
_link = columns(CareLink)
LINK_HOLDS = and_(
    _link.began_at <= bindparam("now"),
    or_(_link.ends_at.is_(None), _link.ends_at > bindparam("now")),
)
"""SQL: a care link holds at `:now`."""


_CARES_FOR = (
    select(func.count(distinct(_link.patient_id)))
    .where(_link.clinic_id == _member.clinic_id, _link.membership_id == _member.id, LINK_HOLDS)
    .correlate(table(Membership))
    .scalar_subquery()
)
MEMBERS = Query(
    select(
        _member.id,
        _member.version,
        _member.role,
        _member.privileges,
        _member.name,
        _member.created_at,
        _CARES_FOR,
    )
    .where(
        _member.clinic_id == bindparam("clinic_id"),
        _member.role != "patient",
        _member.is_active,
    )
    .order_by(_member.created_at, _member.id),
    _Member,
)


SET_PRIVILEGES = Query(
    update(Membership)
    .where(
        _member.clinic_id == bindparam("clinic_id"),
        _member.id == bindparam("member_id"),
        _member.version == bindparam("base_version"),
        _member.role == "clinician",
        _member.is_active,
    )
    .values(privileges=bindparam("to_privileges"), version=_member.version + 1)
    .returning(_member.version),
    int,
)
IS_STAFF = Query(
    select(_member.is_active).where(
        _member.clinic_id == bindparam("clinic_id"),
        _member.id == bindparam("member"),
        _member.role != "patient",
    ),
    bool,
)
# Whoever is put out is out at once: their tokens and sessions were made before this instant.
END_MEMBERSHIP = Change(
    update(Membership)
    .where(_member.clinic_id == bindparam("clinic_id"), _member.id == bindparam("member_id"))
    .values(is_active=False, valid_after=bindparam("now"), version=_member.version + 1)
)


def members(db: Db, caller: Caller, now: datetime) -> list[Member]:
    """Everybody who works here. Raises: Problem FORBIDDEN, NOT_SIGNED_IN."""
    if caller.role not in {"clinician", "administrator"}:
        raise Problem(Kind.FORBIDDEN)
    identity.require_standing(db, caller)
    return [
        Member(*row[:4], name_of(db, row.membership_id, row.name), *row[5:])
        for row in db.all(MEMBERS, now=now)
    ]


def change_privileges(
    db: Db, caller: Caller, member_id: UUID, privileges: list[str], base_version: int, now: datetime
) -> Member:
    """What a clinician may do from now on.

    Raises: Problem FORBIDDEN, NOT_SIGNED_IN, NOT_FOUND, INVALID, PRECONDITION_FAILED.
    """
    member = _member_named(db, caller, member_id, now)
    if member.role != "clinician" or not privileges or not EVERYONE.issuperset(privileges):
        raise invalid("/privileges", "a clinician needs at least one of those that there are")
    changed = db.change(
        SET_PRIVILEGES,
        member_id=member_id,
        base_version=base_version,
        to_privileges=sorted(set(privileges)),
    )
    if not changed:
        raise Problem(Kind.PRECONDITION_FAILED)
    _log("clinic.privileges_changed", caller, member_id)
    return member._replace(version=changed[0], privileges=sorted(set(privileges)))


def end_membership(db: Db, caller: Caller, member_id: UUID, now: datetime) -> None:
    """Somebody works here no more: they are signed out everywhere, at once; again changes nothing.
    Their name stays at what they did, and their care links stay, and give nobody anything.

    Raises: Problem FORBIDDEN, NOT_SIGNED_IN, NOT_FOUND, INVALID (oneself: there has to be an
        administrator, and one who ends others' memberships is one).
    """
    if caller.role != "administrator":
        raise Problem(Kind.FORBIDDEN)
    identity.require_standing(db, caller)
    is_active = db.first(IS_STAFF, member=member_id)
    if is_active is None:
        raise not_found()
    if not is_active:
        return
    if member_id == caller.membership_id:
        raise invalid("/membership_id", "is your own, which another administrator has to end")
    db.add(END_MEMBERSHIP, member_id=member_id, now=now)
    _log("clinic.membership_ended", caller, member_id)


def _member_named(db: Db, caller: Caller, member_id: UUID, now: datetime) -> Member:
    if caller.role != "administrator":
        raise Problem(Kind.FORBIDDEN)
    found = next((one for one in members(db, caller, now) if one.membership_id == member_id), None)
    if found is None:
        raise not_found()
    return found


def name_of(db: Db, membership_id: UUID, sealed: bytes) -> str:
    """A member's name, of the transaction's clinic."""
    assert db.clinic_id is not None
    return identity.member_name(db.vault, db.clinic_id, membership_id, sealed)


def _log(event: str, caller: Caller, member_id: UUID) -> None:
    # No patient's record changes, so no patient's ledger has a row for it.
    logger().info(
        event,
        clinic_id=str(caller.clinic_id),
        by=str(caller.membership_id),
        membership_id=str(member_id),
    )
