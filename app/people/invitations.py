"""A place in a clinic waits for its person, who takes it with a code."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, func, insert, literal_column, select, update
from uuid_utils.compat import uuid7

from app.kernel import accounts, identity, sign_in
from app.kernel.codes import as_typed, spelt
from app.kernel.db import Change, Db, Query, itself
from app.kernel.errors import Fault, Kind, Problem, invalid, not_found
from app.kernel.identity import Caller, Standing
from app.kernel.log import logger
from app.kernel.tables import Membership, columns
from app.kernel.vault import Keyring
from app.people.admission import admit, link_care
from app.people.chart import CARE
from app.people.clinics import CLINIC_FACTS, INVITATION_LIFETIME, Facts
from app.people.schemas import AcceptIn, InvitationIn, InvitationOut
from app.people.tables import Invitation


class _Invited(NamedTuple):
    id: UUID
    clinic_id: UUID
    role: str
    privileges: list[str]
    care_by: UUID | None
    invited_by: UUID | None
    expires_at: datetime
    accepted_at: datetime | None


class Waiting(NamedTuple):
    """A place that nobody took yet. invited_by: None for whoever runs the server."""

    id: UUID
    role: str
    privileges: list[str]
    invited_by: UUID | None
    created_at: datetime
    expires_at: datetime


MOST_WAITING: Final = 200
"""Shown at once, the newest first."""
_invitation = columns(Invitation)
_membership = columns(Membership)

ADD_INVITATION = Change(insert(Invitation))
_INVITED = (
    _invitation.id,
    _invitation.clinic_id,
    _invitation.role,
    _invitation.privileges,
    _invitation.care_by,
    _invitation.invited_by,
    _invitation.expires_at,
    _invitation.accepted_at,
)
INVITATION_BY_ID = Query(
    select(*_INVITED).where(
        _invitation.id == bindparam("id"), _invitation.clinic_id == bindparam("clinic_id")
    ),
    _Invited,
)
INVITATION_BY_CODE = Query(
    select(*_INVITED).where(_invitation.code_index == bindparam("code_index")).with_for_update(),
    _Invited,
)
WAITING = Query(
    select(*(getattr(_invitation, name) for name in Waiting._fields))
    .where(
        _invitation.clinic_id == bindparam("clinic_id"),
        _invitation.accepted_at.is_(None),
        _invitation.expires_at > bindparam("now"),
    )
    .order_by(_invitation.created_at.desc(), _invitation.id)
    .limit(literal_column(f"{MOST_WAITING}")),
    Waiting,
)
TAKE_BACK = Change(
    update(Invitation)
    .where(
        _invitation.clinic_id == bindparam("clinic_id"),
        _invitation.id == bindparam("invitation_id"),
        _invitation.accepted_at.is_(None),
    )
    .values(expires_at=bindparam("now"))
)
TAKE_INVITATION = Change(
    update(Invitation)
    .where(_invitation.id == bindparam("invitation_id"))
    .values(accepted_at=bindparam("now"))
)
STILL_THERE = Query(
    select(_membership.id).where(
        _membership.clinic_id == bindparam("clinic_id"),
        _membership.id == bindparam("member"),
        _membership.is_active,
    ),
    itself,
)
CLINICIAN_EXISTS = Query(
    select(func.count()).where(
        _membership.clinic_id == bindparam("clinic_id"),
        _membership.id == bindparam("clinician_id"),
        _membership.role == "clinician",
        _membership.is_active,
        _membership.privileges.overlap(sorted(CARE)),
    ),
    int,
)


def invite(db: Db, caller: Caller, sent: InvitationIn, now: datetime) -> tuple[InvitationOut, bool]:
    """Make a place in the caller's clinic. Those who treat invite patients, administrators anybody.

    Returns: the invitation, and whether it is new.
    Raises: Problem FORBIDDEN, INVALID, ID_REUSED.
    """
    standing = identity.require_standing(db, caller)
    may_invite = standing.role == "administrator" or (
        sent.role == "patient" and not CARE.isdisjoint(standing.privileges)
    )
    if not may_invite:
        raise Problem(Kind.FORBIDDEN)
    if sent.privileges and sent.role != "clinician":
        raise invalid("/privileges", "belong to the role clinician only")
    if sent.role == "clinician" and not sent.privileges:
        raise invalid("/privileges", "a clinician needs at least one")
    care_by = sent.clinician_id or (
        standing.membership_id if standing.role == "clinician" else None
    )
    if sent.role != "patient" and sent.clinician_id is not None:
        raise invalid("/clinician_id", "is for a patient's invitation only")
    if sent.clinician_id is not None and not db.one(
        CLINICIAN_EXISTS, clinician_id=sent.clinician_id
    ):
        raise invalid(
            "/clinician_id", "is not a clinician of this clinic who sees clinical content"
        )
    privileges = sorted(set(sent.privileges))
    if db.after_collision and sent.id is not None:
        earlier = db.first(INVITATION_BY_ID, id=sent.id)
        if earlier is None or (earlier.role, earlier.privileges, earlier.care_by) != (
            sent.role,
            privileges,
            care_by,
        ):
            raise Problem(Kind.ID_REUSED)
        return _invitation_out(db, earlier), False
    made = create_invitation(
        db,
        invitation_id=sent.id,
        role=sent.role,
        privileges=privileges,
        care_by=care_by,
        invited_by=standing.membership_id,
        now=now,
    )
    return made, True


def waiting(db: Db, caller: Caller, now: datetime) -> list[Waiting]:
    """Places that nobody took yet: for administrators every one, for others their own.

    Raises: Problem FORBIDDEN, NOT_SIGNED_IN.
    """
    if caller.role not in {"clinician", "administrator"}:
        raise Problem(Kind.FORBIDDEN)
    identity.require_standing(db, caller)
    return [
        one
        for one in db.all(WAITING, now=now)
        if caller.role == "administrator" or one.invited_by == caller.membership_id
    ]


def take_back(db: Db, caller: Caller, invitation_id: UUID, now: datetime) -> None:
    """A code works no more; one that was taken meanwhile stays taken.

    Raises: Problem FORBIDDEN, NOT_SIGNED_IN, NOT_FOUND.
    """
    if not any(one.id == invitation_id for one in waiting(db, caller, now)):
        raise not_found()
    db.add(TAKE_BACK, invitation_id=invitation_id, now=now)
    logger().info(
        "clinic.invitation_taken_back",
        clinic_id=str(caller.clinic_id),
        by=str(caller.membership_id),
        invitation_id=str(invitation_id),
    )


def create_invitation(
    db: Db,
    *,
    invitation_id: UUID | None,
    role: str,
    privileges: Sequence[str],
    care_by: UUID | None,
    invited_by: UUID | None,
    now: datetime,
) -> InvitationOut:
    """An invitation into the transaction's clinic; the command line has no inviter."""
    assert db.clinic_id is not None
    invited = _Invited(
        invitation_id or uuid7(),
        db.clinic_id,
        role,
        list(privileges),
        care_by,
        invited_by,
        now + INVITATION_LIFETIME,
        None,
    )
    db.add(
        ADD_INVITATION,
        **invited._asdict(),
        code_index=_code_index(db.vault, _code(db.vault, invited)),
        created_at=now,
    )
    return _invitation_out(db, invited)


def accept(db: Db, sent: AcceptIn, address: str, now: datetime) -> Standing | Problem:
    """Take the place that an invitation keeps.

    address: where the request comes from.
    Returns: a Problem where the username exists and the password or the code is not its own,
        because that counts as a failed sign-in and must be remembered.
    Raises: Problem NOT_FOUND (no such code, or too late), INVITATION_USED, INVALID.
    """
    invited = db.first(INVITATION_BY_CODE, code_index=_code_index(db.vault, sent.code))
    if invited is None or invited.expires_at <= now:
        raise not_found()
    db.enter(invited.clinic_id)
    if invited.invited_by is not None and not db.all(STILL_THERE, member=invited.invited_by):
        raise not_found()
    if invited.accepted_at is not None:
        raise Problem(Kind.INVITATION_USED)
    facts = db.one(CLINIC_FACTS)
    if invited.role == "patient":
        _require_patients_words(sent, facts)
    joining: sign_in.Proven | None = None
    account_id = accounts.find_account(db, db.vault, sent.username)
    if account_id is None:
        account_id = accounts.create_account(
            db,
            db.vault,
            username=sent.username,
            password_hash=accounts.hash_password(sent.password),
            now=now,
        )
    else:
        proven = sign_in.prove(
            db,
            db.vault,
            username=sent.username,
            password=sent.password,
            otp=sent.otp,
            address=address,
            now=now,
        )
        if isinstance(proven, Problem):
            return proven
        joining, account_id = proven, proven.account_id
    if invited.role == "patient":
        assert sent.consent is not None
        admitted = admit(
            db,
            account_id=account_id,
            name=sent.name,
            time_zone=sent.time_zone or facts.time_zone,
            locale=sent.locale or "en",
            country=sent.country or facts.country,
            notice_version=sent.consent.notice_version,
            now=now,
        )
        patient_id, membership_id = admitted.patient_id, admitted.actor_id
        if invited.care_by is not None:
            link_care(db, admitted, invited.care_by, now)
    else:
        patient_id = None
        membership_id = accounts.join(
            db,
            db.vault,
            account_id=account_id,
            role=invited.role,
            privileges=invited.privileges,
            patient_id=None,
            name=sent.name,
            now=now,
        )
    if joining is not None:
        sign_in.note_spent(db, joining, membership_id, now)
    db.add(TAKE_INVITATION, invitation_id=invited.id, now=now)
    return Standing(
        invited.clinic_id,
        membership_id,
        account_id,
        invited.role,
        invited.privileges,
        patient_id,
        b"",
        now,
    )


def _require_patients_words(sent: AcceptIn, facts: Facts) -> None:
    if sent.consent is None:
        raise invalid("/consent", "is required of a patient")
    if sent.consent.notice_version != facts.notice_version:
        # The number is no secret, and an app that has an old notice needs it to fetch the new.
        raise Problem(
            Kind.INVALID,
            faults=[Fault("/consent/notice_version", "is not the notice this clinic uses now")],
            extra={"notice_version": facts.notice_version},
        )


def _invitation_out(db: Db, invited: _Invited) -> InvitationOut:
    return InvitationOut(
        id=invited.id,
        code=_code(db.vault, invited),
        role=invited.role,
        privileges=invited.privileges,
        notice_version=db.one(CLINIC_FACTS).notice_version,
        expires_at=invited.expires_at,
    )


def _code(vault: Keyring, invited: _Invited) -> str:
    """80 bits; the same for the same invitation, so a retry sees it."""
    mac = vault.blind_index(f"{invited.clinic_id}/{invited.id}", purpose="invitation-code")
    return spelt(mac[:16])


def _code_index(vault: Keyring, code: str) -> bytes:
    return vault.blind_index(as_typed(code), purpose="invitation-index")
