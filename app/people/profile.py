"""Who is signed in, and what they may change about themselves."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, update

from app.kernel import identity, ledger
from app.kernel.db import Db, Query
from app.kernel.errors import Fault, Kind, Problem
from app.kernel.identity import Caller, Standing
from app.kernel.tables import Account, Membership, columns
from app.people import second_factor
from app.people.admission import open_contact, seal_contact
from app.people.chart import Chart, Right, open_chart
from app.people.clinics import CLINIC_FACTS
from app.people.schemas import EmergencyContact, MembershipOut, MeOut, MePatch
from app.people.tables import Patient

OWN_PROFILE = Right("profile", privileges=frozenset())


class _Profile(NamedTuple):
    version: int
    time_zone: str
    locale: str
    country: str
    contact: bytes


class _Name(NamedTuple):
    username: bytes
    version: int


_patient = columns(Patient)
_membership = columns(Membership)
_account = columns(Account)

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


def contact_of(db: Db, chart: Chart) -> dict[str, Any]:
    """A patient's name and how to reach them, for whoever has their chart open."""
    profile = db.one(PROFILE, patient_id=chart.patient_id)
    return open_contact(chart.data_key, chart.patient_id, profile.contact)


def initials(name: str) -> str:
    """For a title, which stays in a browser's history and which others may see: `R. E.`."""
    return " ".join(f"{part[0]}." for part in name.split())


def me(db: Db, caller: Caller, now: datetime) -> MeOut:
    """Who is signed in, and everything they are."""
    standing = identity.require_standing(db, caller)
    vault = db.vault
    own = db.one(OWN_NAME, account_id=caller.account_id, membership_id=caller.membership_id)
    facts = db.one(CLINIC_FACTS)
    own_factor = second_factor.read(db, caller)
    contact: dict[str, Any] = {}
    profile = None
    if caller.role == "patient":
        chart = open_chart(db, caller, "me", OWN_PROFILE, now)
        profile = db.one(PROFILE, patient_id=chart.patient_id)
        contact = open_contact(chart.data_key, chart.patient_id, profile.contact)
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
        second_factor=own_factor,
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
    contact = open_contact(chart.data_key, chart.patient_id, profile.contact)
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
        to_contact=seal_contact(chart.data_key, chart.patient_id, contact),
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


def _refuse_nulls(sent: MePatch) -> None:
    faults = [
        Fault(f"/{field}", "cannot be empty")
        for field in ("name", "time_zone", "locale", "country", "emergency_contacts")
        if field in sent.model_fields_set and getattr(sent, field) is None
    ]
    if faults:
        raise Problem(Kind.INVALID, faults=faults)


def _membership_out(standing: Standing, clinic_name: str) -> MembershipOut:
    return MembershipOut(
        membership_id=standing.membership_id,
        clinic_id=standing.clinic_id,
        clinic_name=clinic_name,
        role=standing.role,
        privileges=standing.privileges,
        patient_id=standing.patient_id,
    )
