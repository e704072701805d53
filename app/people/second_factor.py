"""Setting up a second factor, and looking after those of a clinic's people.

A second factor belongs to an account, as a password does, and counts in every clinic the account
is in. What a stolen access token must not be enough for needs the password once more, and a code
where there is a factor.
"""

import io
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import segno
from sqlalchemy import any_, bindparam, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from app.kernel import accounts, identity, second_factor, sign_in
from app.kernel.db import Db, Query
from app.kernel.errors import Kind, Problem, not_found
from app.kernel.identity import ROLES, Caller, Issuer, Tokens, member_name, require_standing
from app.kernel.log import logger
from app.kernel.second_factor import ENROLMENT_LIFETIME, STAFF
from app.kernel.tables import Membership, columns
from app.people.chart import entry_id
from app.people.schemas import (
    BeginFactorIn,
    ClinicSecondFactorOut,
    ConfirmFactorIn,
    EnrolmentOut,
    FactorEventOut,
    MemberFactorOut,
    ProofIn,
    RecoveryCodesOut,
    SecondFactorOut,
    StepUpIn,
)
from app.people.tables import ClinicDirectory

MAX_MEMBERS: Final = 500
MAX_EVENTS: Final = 100


class Confirmed(NamedTuple):
    """A factor counts from now on. recovery_codes: shown this once. tokens: a new sign-in."""

    recovery_codes: list[str]
    tokens: Tokens


class _Member(NamedTuple):
    id: UUID
    account_id: UUID
    role: str
    name: bytes


_member = columns(Membership)
_directory = columns(ClinicDirectory)

IS_SYNTHETIC = Query(
    select(_directory.is_synthetic).where(_directory.clinic_id == bindparam("clinic_id")), bool
)
_of_staff = select(_member.id, _member.account_id, _member.role, _member.name).where(
    _member.clinic_id == bindparam("clinic_id"),
    _member.is_active,
    _member.role == any_(bindparam("roles", type_=ARRAY(Text))),
)
MEMBERS = Query(
    _of_staff.order_by(_member.role, _member.created_at, _member.id).limit(
        literal_column(str(MAX_MEMBERS))
    ),
    _Member,
)
MEMBER = Query(_of_staff.where(_member.id == bindparam("membership_id")), _Member)


def read(db: Db, caller: Caller) -> SecondFactorOut:
    """One's own. Raises: Problem NOT_SIGNED_IN."""
    require_standing(db, caller)
    state = second_factor.states(db, [caller.account_id]).get(caller.account_id)
    return SecondFactorOut(
        is_confirmed=state is not None,
        confirmed_at=state.confirmed_at if state else None,
        recovery_codes_left=state.recovery_codes_left if state else 0,
        is_required=caller.role in STAFF and caller.role in second_factor.required_for(db),
        is_clinic_synthetic=db.one(IS_SYNTHETIC),
    )


def begin(
    db: Db, caller: Caller, sent: BeginFactorIn, address: str, now: datetime
) -> EnrolmentOut | Problem:
    """A new secret for an authenticator app. Nothing changes until it is confirmed.

    Returns: a Problem where a wrong password must be remembered.
    Raises: Problem NOT_SIGNED_IN, ALREADY_EXISTS.
    """
    require_standing(db, caller)
    if second_factor.is_confirmed(db, caller.account_id):
        raise Problem(Kind.ALREADY_EXISTS)
    refused = sign_in.prove_again(
        db, caller, password=sent.password, otp=None, address=address, now=now
    )
    if refused is not None:
        return refused
    secret = second_factor.begin(db, db.vault, caller.account_id, now)
    uri = second_factor.otpauth_uri(secret, accounts.name_of(db, db.vault, caller.account_id))
    return EnrolmentOut(
        secret=secret,
        otpauth_uri=uri,
        qr_svg=_qr_svg(uri),
        expires_at=now + ENROLMENT_LIFETIME,
    )


def confirm(
    db: Db, issuer: Issuer, caller: Caller, sent: ConfirmFactorIn, now: datetime
) -> Confirmed | Problem:
    """The factor counts from now on, and what was signed in with a password alone ends where it
    could see other people's records: every sign-in as clinician or administrator. The answer
    signs in anew. A patient's phone stays signed in.

    Returns: a Problem where a wrong code must be remembered.
    Raises: Problem NOT_SIGNED_IN, NOT_FOUND (nothing begun within the hour), ALREADY_EXISTS.
    """
    standing = require_standing(db, caller)
    recovery_codes = second_factor.confirm(db, db.vault, caller.account_id, sent.otp, now)
    if isinstance(recovery_codes, Problem):
        return recovery_codes
    second_factor.note(db, "confirmed", caller.membership_id, caller.membership_id, now)
    identity.end_sign_ins(db, caller.account_id, now, roles=STAFF)
    db.enter(caller.clinic_id)
    tokens = identity.begin_family(db, issuer, standing, identity.next_second(now))
    return Confirmed(recovery_codes, tokens)


def renew_codes(
    db: Db, caller: Caller, sent: ProofIn, address: str, now: datetime
) -> RecoveryCodesOut | Problem:
    """Ten new recovery codes instead of all before them.

    Returns: a Problem where a failed attempt must be remembered.
    Raises: Problem NOT_SIGNED_IN, NOT_FOUND (no factor).
    """
    require_standing(db, caller)
    refused = _prove_own(db, caller, sent, address, now)
    if refused is not None:
        return refused
    second_factor.note(db, "codes-renewed", caller.membership_id, caller.membership_id, now)
    codes = second_factor.renew_codes(db, db.vault, caller.account_id)
    return RecoveryCodesOut(recovery_codes=codes)


def remove(db: Db, caller: Caller, sent: ProofIn, address: str, now: datetime) -> Problem | None:
    """The password is enough again; where a factor is required, only for setting up another.

    Returns: a Problem where a failed attempt must be remembered.
    Raises: Problem NOT_SIGNED_IN, NOT_FOUND (no factor).
    """
    require_standing(db, caller)
    refused = _prove_own(db, caller, sent, address, now)
    if refused is not None:
        return refused
    second_factor.note(db, "removed", caller.membership_id, caller.membership_id, now)
    second_factor.remove(db, db.vault, caller.account_id)
    return None


def reset(
    db: Db, caller: Caller, membership_id: str, sent: StepUpIn, address: str, now: datetime
) -> Problem | None:
    """An administrator takes away a colleague's factor, who lost it, and ends all their sign-ins.

    Not of somebody who is in another clinic too: one clinic's administrator must not open the
    door of another. Nor one's own, which `remove` is for.

    Returns: a Problem where a failed attempt must be remembered.
    Raises: Problem FORBIDDEN, NOT_SIGNED_IN, NOT_FOUND.
    """
    if caller.role != "administrator":
        raise Problem(Kind.FORBIDDEN)
    require_standing(db, caller)
    member = db.first(MEMBER, membership_id=entry_id(membership_id), roles=sorted(STAFF))
    if member is None:
        raise not_found()
    refused = sign_in.prove_again(
        db, caller, password=sent.password, otp=sent.otp, address=address, now=now
    )
    if refused is not None:
        return refused
    if member.account_id == caller.account_id:
        raise Problem(Kind.FORBIDDEN, "One's own second factor is removed with a code of it.")
    if db.all(identity.CLINICS_OF_ACCOUNT, account_id=member.account_id) != [caller.clinic_id]:
        raise Problem(Kind.FORBIDDEN, "Only whoever runs this server can reset this one.")
    if second_factor.remove(db, db.vault, member.account_id):
        second_factor.note(db, "reset", member.id, caller.membership_id, now)
        identity.end_sign_ins(db, member.account_id, now, roles=ROLES)
        logger().warning(
            "second_factor.reset",
            clinic_id=str(caller.clinic_id),
            membership_id=str(member.id),
            by=str(caller.membership_id),
        )
    return None


def read_clinic(db: Db, caller: Caller) -> ClinicSecondFactorOut:
    """Which of a clinic's people have a second factor, and what happened lately.

    Raises: Problem FORBIDDEN, NOT_SIGNED_IN.
    """
    if caller.role != "administrator":
        raise Problem(Kind.FORBIDDEN)
    require_standing(db, caller)
    members = db.all(MEMBERS, roles=sorted(STAFF))
    states = second_factor.states(db, [one.account_id for one in members])
    listed = []
    for one in members:
        state = states.get(one.account_id)
        listed.append(
            MemberFactorOut(
                membership_id=one.id,
                name=member_name(db.vault, caller.clinic_id, one.id, one.name),
                role=one.role,
                is_confirmed=state is not None,
                confirmed_at=state.confirmed_at if state else None,
                recovery_codes_left=state.recovery_codes_left if state else 0,
            )
        )
    return ClinicSecondFactorOut(
        required_for=second_factor.required_for(db),
        is_synthetic=db.one(IS_SYNTHETIC),
        members=listed,
        events=[
            FactorEventOut(
                at=one.at, action=one.action, membership_id=one.membership_id, by=one.by_member
            )
            for one in second_factor.events(db, MAX_EVENTS)
        ],
    )


def _prove_own(
    db: Db, caller: Caller, sent: ProofIn, address: str, now: datetime
) -> Problem | None:
    if not second_factor.is_confirmed(db, caller.account_id):
        raise not_found()
    return sign_in.prove_again(
        db, caller, password=sent.password, otp=sent.otp, address=address, now=now
    )


def _qr_svg(text: str) -> str:
    """A QR code, as an image that needs no network."""
    drawn = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        drawn, kind="svg", scale=4, border=4, light="#fff", xmldecl=False, nl=False
    )
    return drawn.getvalue().decode()
