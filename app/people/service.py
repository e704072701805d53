"""Invitations and what follows from accepting one; one's own profile."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, update
from uuid_utils.compat import uuid7

from app.kernel import identity, ledger
from app.kernel.db import Change, Db, Query
from app.kernel.errors import Fault, Kind, Problem, invalid, not_found
from app.kernel.identity import Caller, Standing
from app.kernel.tables import Account, Membership, columns
from app.kernel.tables import DataKey as DataKeyTable
from app.kernel.vault import DataKey, Keyring
from app.kernel.wire import as_json
from app.people.chart import CARE, Right, open_chart
from app.people.clinics import INVITATION_LIFETIME
from app.people.schemas import (
    AcceptIn,
    EmergencyContact,
    InvitationIn,
    InvitationOut,
    MembershipOut,
    MeOut,
    MePatch,
)
from app.people.tables import CareLink, Clinic, Consent, Invitation, Patient

OWN_PROFILE = Right("profile", privileges=frozenset())


class _Invited(NamedTuple):
    id: UUID
    clinic_id: UUID
    role: str
    privileges: list[str]
    care_by: UUID | None
    expires_at: datetime
    accepted_at: datetime | None


class _Facts(NamedTuple):
    name: str
    country: str
    time_zone: str
    notice_version: str


class _Profile(NamedTuple):
    version: int
    time_zone: str
    locale: str
    country: str
    contact: bytes


class _Name(NamedTuple):
    username: bytes
    version: int


_invitation = columns(Invitation)
_clinic = columns(Clinic)
_patient = columns(Patient)
_membership = columns(Membership)
_account = columns(Account)

ADD_INVITATION = Change(insert(Invitation))
_INVITED = (
    _invitation.id,
    _invitation.clinic_id,
    _invitation.role,
    _invitation.privileges,
    _invitation.care_by,
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
TAKE_INVITATION = Change(
    update(Invitation)
    .where(_invitation.id == bindparam("invitation_id"))
    .values(accepted_at=bindparam("now"))
)
CLINIC_FACTS = Query(
    select(_clinic.name, _clinic.country, _clinic.time_zone, _clinic.notice_version).where(
        _clinic.clinic_id == bindparam("clinic_id")
    ),
    _Facts,
)
ADD_PATIENT = Change(insert(Patient))
ADD_DATA_KEY = Change(insert(DataKeyTable))
ADD_CARE_LINK = Change(insert(CareLink))
ADD_CONSENT = Change(insert(Consent))
PROFILE = Query(
    select(
        _patient.version, _patient.time_zone, _patient.locale, _patient.country, _patient.contact
    ).where(_patient.clinic_id == bindparam("clinic_id"), _patient.id == bindparam("patient_id")),
    _Profile,
)
UPDATE_PROFILE = Query(
    update(Patient)
    .where(
        _patient.clinic_id == bindparam("clinic_id"),
        _patient.id == bindparam("patient_id"),
        _patient.version == bindparam("base_version"),
    )
    .values(
        version=bindparam("to_version"),
        time_zone=bindparam("to_time_zone"),
        locale=bindparam("to_locale"),
        country=bindparam("to_country"),
        contact=bindparam("to_contact"),
    )
    .returning(_patient.version),
    int,
)
RENAME_MEMBER = Query(
    update(Membership)
    .where(
        _membership.clinic_id == bindparam("clinic_id"),
        _membership.id == bindparam("membership_id"),
        _membership.version == bindparam("base_version"),
    )
    .values(name=bindparam("to_name"), version=_membership.version + 1)
    .returning(_membership.version),
    int,
)
OWN_NAME = Query(
    select(
        select(_account.username).where(_account.id == bindparam("account_id")).scalar_subquery(),
        _membership.version,
    ).where(
        _membership.clinic_id == bindparam("clinic_id"),
        _membership.id == bindparam("membership_id"),
    ),
    _Name,
)
CLINICIAN_EXISTS = Query(
    select(func.count()).where(
        _membership.clinic_id == bindparam("clinic_id"),
        _membership.id == bindparam("clinician_id"),
        _membership.role == "clinician",
        _membership.is_active,
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
        raise invalid("/clinician_id", "is not an active clinician of this clinic")
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
        now + INVITATION_LIFETIME,
        None,
    )
    db.add(
        ADD_INVITATION,
        **invited._asdict(),
        code_index=_code_index(db.vault, _code(db.vault, invited)),
        invited_by=invited_by,
        created_at=now,
    )
    return _invitation_out(db, invited)


def accept(db: Db, sent: AcceptIn, address: str, now: datetime) -> Standing | Problem:
    """Take the place that an invitation keeps.

    address: where the request comes from.
    Returns: a Problem where the username exists and the password is not its own, because that
        counts as a failed sign-in and must be remembered.
    Raises: Problem NOT_FOUND (no such code, or too late), INVITATION_USED, INVALID.
    """
    invited = db.first(INVITATION_BY_CODE, code_index=_code_index(db.vault, sent.code))
    if invited is None or invited.expires_at <= now:
        raise not_found()
    if invited.accepted_at is not None:
        raise Problem(Kind.INVITATION_USED)
    db.enter(invited.clinic_id)
    facts = db.one(CLINIC_FACTS)
    if invited.role == "patient":
        _require_patients_words(sent, facts)
    account_id = identity.find_account(db, db.vault, sent.username)
    if account_id is None:
        account_id = identity.create_account(
            db,
            db.vault,
            username=sent.username,
            password_hash=identity.hash_password(sent.password),
            now=now,
        )
    else:
        proven = identity.prove(
            db,
            db.vault,
            username=sent.username,
            password=sent.password,
            address=address,
            now=now,
        )
        if isinstance(proven, Problem):
            return proven
    patient_id = None
    if invited.role == "patient":
        patient_id = uuid7()
        create_patient(
            db,
            patient_id=patient_id,
            time_zone=sent.time_zone or facts.time_zone,
            locale=sent.locale or "en",
            country=sent.country or facts.country,
            name=sent.name,
            now=now,
        )
    membership_id = identity.join(
        db,
        db.vault,
        account_id=account_id,
        role=invited.role,
        privileges=invited.privileges,
        patient_id=patient_id,
        name=sent.name,
        now=now,
    )
    if patient_id is not None:
        assert sent.consent is not None
        give_consent(
            db,
            patient_id,
            membership_id,
            notice_version=sent.consent.notice_version,
            now=now,
        )
        if invited.care_by is not None:
            link_care(db, patient_id, invited.care_by, now)
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


def create_patient(
    db: Db,
    *,
    patient_id: UUID,
    time_zone: str,
    locale: str,
    country: str,
    name: str,
    now: datetime,
) -> DataKey:
    """A patient of the transaction's clinic, with a data key and an empty ledger."""
    assert db.clinic_id is not None
    wrapped = db.vault.new_data_key(db.clinic_id, patient_id)
    data_key = db.vault.open_data_key(wrapped, db.clinic_id, patient_id)
    db.add(ADD_DATA_KEY, patient_id=patient_id, wrapped=wrapped, created_at=now)
    ledger.open_for(db, patient_id)
    db.add(
        ADD_PATIENT,
        id=patient_id,
        version=1,
        time_zone=time_zone,
        locale=locale,
        country=country,
        contact=_seal_contact(data_key, patient_id, {"name": name}),
        created_at=now,
    )
    return data_key


class _Page(NamedTuple):
    """Who writes the first rows of a ledger, before there is a chart to open."""

    patient_id: UUID
    actor_id: UUID
    actor_role: str
    data_key: DataKey


def give_consent(
    db: Db, patient_id: UUID, membership_id: UUID, *, notice_version: str, now: datetime
) -> None:
    """Record the patient's consent to treatment."""
    assert db.clinic_id is not None
    wrapped = db.one(WRAPPED_KEY, patient_id=patient_id)
    page = _Page(
        patient_id,
        membership_id,
        "patient",
        db.vault.open_data_key(wrapped, db.clinic_id, patient_id),
    )
    consent_id = uuid7()
    db.add(
        ADD_CONSENT,
        id=consent_id,
        patient_id=patient_id,
        kind="treatment",
        notice_version=notice_version,
        given_at=now,
        expires_at=None,
        revoked_at=None,
    )
    ledger.record(
        db,
        page,
        "consent.given",
        kind="consent",
        id=consent_id,
        version=1,
        entry={"kind": "treatment", "notice_version": notice_version},
        now=now,
    )


def link_care(db: Db, patient_id: UUID, membership_id: UUID, now: datetime) -> None:
    """From now on this clinician cares for this patient."""
    db.add(
        ADD_CARE_LINK,
        id=uuid7(),
        patient_id=patient_id,
        membership_id=membership_id,
        kind="assigned",
        began_at=now,
        ends_at=None,
    )


_data_key = columns(DataKeyTable)
WRAPPED_KEY = Query(
    select(_data_key.wrapped).where(
        _data_key.clinic_id == bindparam("clinic_id"),
        _data_key.patient_id == bindparam("patient_id"),
    ),
    bytes,
)


def me(db: Db, caller: Caller, now: datetime) -> MeOut:
    """Who is signed in, and everything they are."""
    standing = identity.require_standing(db, caller)
    vault = db.vault
    own = db.one(OWN_NAME, account_id=caller.account_id, membership_id=caller.membership_id)
    facts = db.one(CLINIC_FACTS)
    contact: dict[str, Any] = {}
    profile = None
    if caller.role == "patient":
        chart = open_chart(db, caller, "me", OWN_PROFILE, now)
        profile = db.one(PROFILE, patient_id=chart.patient_id)
        contact = _open_contact(chart.data_key, chart.patient_id, profile.contact)
    else:
        contact = {
            "name": identity.member_name(
                vault, caller.clinic_id, caller.membership_id, standing.name
            )
        }
    listed: list[MembershipOut] = []
    for one in identity.memberships(db, caller.account_id):
        db.enter(one.clinic_id)
        listed.append(_membership_out(one, db.one(CLINIC_FACTS).name))
    return MeOut(
        version=profile.version if profile else own.version,
        account_id=caller.account_id,
        username=vault.open_for_clinic(
            None, own.username, table="account", column="username", row=caller.account_id
        ).decode(),
        current=_membership_out(standing, facts.name),
        memberships=listed,
        name=contact["name"],
        time_zone=profile.time_zone if profile else facts.time_zone,
        locale=profile.locale if profile else None,
        country=profile.country if profile else facts.country,
        phone=contact.get("phone"),
        address=contact.get("address"),
        emergency_contacts=[
            EmergencyContact.model_validate(one) for one in contact.get("emergency_contacts", [])
        ],
    )


def update_me(db: Db, caller: Caller, base_version: int, sent: MePatch, now: datetime) -> MeOut:
    """Change one's own profile. Raises: Problem INVALID, PRECONDITION_FAILED."""
    _refuse_nulls(sent)
    if caller.role == "patient":
        _update_patient(db, caller, base_version, sent, now)
    else:
        identity.require_standing(db, caller)
        if sent.model_fields_set - {"name"}:
            raise Problem(
                Kind.INVALID,
                faults=[
                    Fault(f"/{field}", "is part of a patient's profile only")
                    for field in sorted(sent.model_fields_set - {"name"})
                ],
            )
        _rename(db, caller, base_version, sent.name)
    return me(db, caller, now)


def _rename(db: Db, caller: Caller, base_version: int, name: str | None) -> None:
    if name is None:
        own = db.one(OWN_NAME, account_id=caller.account_id, membership_id=caller.membership_id)
        is_current = own.version == base_version
    else:
        is_current = bool(
            db.change(
                RENAME_MEMBER,
                membership_id=caller.membership_id,
                base_version=base_version,
                to_name=db.vault.seal_for_clinic(
                    caller.clinic_id,
                    name.encode(),
                    table="membership",
                    column="name",
                    row=caller.membership_id,
                ),
            )
        )
    if not is_current:
        raise Problem(Kind.PRECONDITION_FAILED)


def _update_patient(
    db: Db, caller: Caller, base_version: int, sent: MePatch, now: datetime
) -> None:
    chart = open_chart(db, caller, "me", OWN_PROFILE, now)
    profile = db.one(PROFILE, patient_id=chart.patient_id)
    contact = _open_contact(chart.data_key, chart.patient_id, profile.contact)
    plain = {"time_zone": profile.time_zone, "locale": profile.locale, "country": profile.country}
    for field, value in sent.model_dump(exclude_unset=True).items():
        if field in plain:
            plain[field] = value
        else:
            contact[field] = value
    changed = db.change(
        UPDATE_PROFILE,
        patient_id=chart.patient_id,
        base_version=base_version,
        to_version=base_version + 1,
        to_time_zone=plain["time_zone"],
        to_locale=plain["locale"],
        to_country=plain["country"],
        to_contact=_seal_contact(chart.data_key, chart.patient_id, contact),
    )
    if not changed:
        raise Problem(Kind.PRECONDITION_FAILED)
    ledger.record(
        db,
        chart,
        "profile.updated",
        kind="profile",
        id=chart.patient_id,
        version=base_version + 1,
        entry={**plain, **contact},
        now=now,
    )


def open_name(
    vault: Keyring, clinic_id: UUID, patient_id: UUID, wrapped: bytes, contact: bytes
) -> str:
    """A patient's name, for a list that a Panel allows."""
    data_key = vault.open_data_key(wrapped, clinic_id, patient_id)
    return str(_open_contact(data_key, patient_id, contact)["name"])


def _refuse_nulls(sent: MePatch) -> None:
    faults = [
        Fault(f"/{field}", "cannot be empty")
        for field in ("name", "time_zone", "locale", "country", "emergency_contacts")
        if field in sent.model_fields_set and getattr(sent, field) is None
    ]
    if faults:
        raise Problem(Kind.INVALID, faults=faults)


def _require_patients_words(sent: AcceptIn, facts: _Facts) -> None:
    if sent.consent is None:
        raise invalid("/consent", "is required of a patient")
    if sent.consent.notice_version != facts.notice_version:
        # The number is no secret, and an app that has an old notice needs it to fetch the new.
        raise Problem(
            Kind.INVALID,
            faults=[Fault("/consent/notice_version", "is not the notice this clinic uses now")],
            extra={"notice_version": facts.notice_version},
        )


def _seal_contact(data_key: DataKey, patient_id: UUID, contact: dict[str, Any]) -> bytes:
    return data_key.seal(as_json(contact), table="patient", column="contact", row=patient_id)


def _open_contact(data_key: DataKey, patient_id: UUID, sealed: bytes) -> dict[str, Any]:
    opened: dict[str, Any] = json.loads(
        data_key.open(sealed, table="patient", column="contact", row=patient_id)
    )
    return opened


def _membership_out(standing: Standing, clinic_name: str) -> MembershipOut:
    return MembershipOut(
        membership_id=standing.membership_id,
        clinic_id=standing.clinic_id,
        clinic_name=clinic_name,
        role=standing.role,
        privileges=standing.privileges,
        patient_id=standing.patient_id,
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


_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def _code(vault: Keyring, invited: _Invited) -> str:
    """80 bits in Crockford's alphabet; the same for the same invitation, so a retry sees it."""
    mac = vault.blind_index(f"{invited.clinic_id}/{invited.id}", purpose="invitation-code")
    symbols = "".join(_ALPHABET[byte & 31] for byte in mac[:16])
    return "-".join(symbols[place : place + 4] for place in range(0, 16, 4))


def _code_index(vault: Keyring, code: str) -> bytes:
    return vault.blind_index(code.replace("-", "").replace(" ", ""), purpose="invitation-index")
