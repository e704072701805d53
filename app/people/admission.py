"""A person becomes a patient of a clinic, and somebody cares for them."""

import json
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, insert, update
from uuid_utils.compat import uuid7

from app.kernel import accounts, ledger
from app.kernel.db import Change, Db, Query
from app.kernel.log import logger
from app.kernel.tables import DataKey as DataKeyTable
from app.kernel.tables import columns
from app.kernel.vault import DataKey, Keyring, Unsealable
from app.kernel.wire import as_json
from app.people.news import announce_care
from app.people.tables import CareLink, Consent, Patient

ADD_PATIENT = Change(insert(Patient))
ADD_DATA_KEY = Change(insert(DataKeyTable))
ADD_CARE_LINK = Change(insert(CareLink))
ADD_CONSENT = Change(insert(Consent))
_link = columns(CareLink)
END_COVERAGE = Query(
    update(CareLink)
    .where(
        _link.clinic_id == bindparam("clinic_id"),
        _link.flag_id == bindparam("flag_id"),
        _link.kind == "coverage",
        _link.ends_at > bindparam("now"),
    )
    .values(ends_at=bindparam("now"))
    .returning(_link.id, _link.membership_id),
    lambda link_id, membership_id: (link_id, membership_id),
)


class Admitted(NamedTuple):
    """A new patient, writing the first rows of their ledger: a `ledger.Page`."""

    patient_id: UUID
    actor_id: UUID
    actor_role: str
    data_key: DataKey


def admit(
    db: Db,
    *,
    account_id: UUID,
    name: str,
    time_zone: str,
    locale: str,
    country: str,
    notice_version: str,
    now: datetime,
) -> Admitted:
    """Make an account a patient of the transaction's clinic, who has consented to treatment.

    With a data key of their own, and a ledger that begins with their profile and consent.
    """
    assert db.clinic_id is not None
    patient_id = uuid7()
    wrapped = db.vault.new_data_key(db.clinic_id, patient_id)
    data_key = db.vault.open_data_key(wrapped, db.clinic_id, patient_id)
    contact = {"name": name}
    profile = {"time_zone": time_zone, "locale": locale, "country": country}
    db.add(ADD_DATA_KEY, patient_id=patient_id, wrapped=wrapped, created_at=now)
    ledger.open_for(db, patient_id)
    db.add(
        ADD_PATIENT,
        id=patient_id,
        version=1,
        **profile,
        contact=seal_contact(data_key, patient_id, contact),
        created_at=now,
    )
    membership_id = accounts.join(
        db,
        db.vault,
        account_id=account_id,
        role="patient",
        privileges=[],
        patient_id=patient_id,
        name=name,
        now=now,
    )
    admitted = Admitted(patient_id, membership_id, "patient", data_key)
    ledger.record(
        db,
        admitted,
        "profile.created",
        kind="profile",
        id=patient_id,
        version=1,
        entry={**profile, **contact},
        now=now,
    )
    give_consent(db, admitted, notice_version, now)
    return admitted


def link_care(
    db: Db,
    page: ledger.Page,
    membership_id: UUID,
    now: datetime,
    *,
    covers: UUID | None = None,
    ends_at: datetime | None = None,
) -> None:
    """A clinician cares for a patient from now on.

    covers: the flag that they were told of, when that is the reason. ends_at: None for no end.
    """
    link_id = uuid7()
    kind = "assigned" if covers is None else "coverage"
    # Where it ends by itself, that is said here: nobody does anything at that moment.
    limit = {} if ends_at is None else {"ends_at": ends_at.isoformat()}
    db.add(
        ADD_CARE_LINK,
        id=link_id,
        patient_id=page.patient_id,
        membership_id=membership_id,
        kind=kind,
        flag_id=covers,
        began_at=now,
        ends_at=ends_at,
    )
    ledger.record(
        db,
        page,
        "care_link.began",
        kind="care_link",
        id=link_id,
        version=1,
        entry={"kind": kind, "membership_id": str(membership_id), **limit},
        now=now,
    )
    announce_care(db, page.patient_id)


def end_coverage(db: Db, page: ledger.Page, flag_id: UUID, now: datetime) -> None:
    """The care links that came with this flag end with it.

    Each has a row in the patient's ledger, where its beginning has one: who may look is part of
    the record, and the access log is about who did.
    """
    for link_id, membership_id in db.change(END_COVERAGE, flag_id=flag_id, now=now):
        ledger.record(
            db,
            page,
            "care_link.ended",
            kind="care_link",
            id=link_id,
            version=2,
            entry={
                "kind": "coverage",
                "membership_id": str(membership_id),
                "ends_at": now.isoformat(),
            },
            now=now,
        )


def give_consent(db: Db, page: ledger.Page, notice_version: str, now: datetime) -> None:
    """The patient consents to treatment from now on, in the words of this notice."""
    consent_id = uuid7()
    db.add(
        ADD_CONSENT,
        id=consent_id,
        patient_id=page.patient_id,
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
    announce_care(db, page.patient_id)


def open_name(
    vault: Keyring, clinic_id: UUID, patient_id: UUID, wrapped: bytes | None, contact: bytes
) -> str | None:
    """A patient's name, for a list that a Panel allows; None as in `find_contact`."""
    known = find_contact(vault, clinic_id, patient_id, wrapped, contact)
    return None if known is None else str(known["name"])


def find_contact(
    vault: Keyring, clinic_id: UUID, patient_id: UUID, wrapped: bytes | None, contact: bytes
) -> dict[str, Any] | None:
    """A patient's name and how to reach them, for those who see their flag.

    None if it cannot be opened: one damaged cell must not hide everybody's flags.
    """
    try:
        data_key = vault.open_data_key(wrapped or b"", clinic_id, patient_id)
        return open_contact(data_key, patient_id, contact)
    except Unsealable:
        logger().error("name.unsealable", patient_id=str(patient_id))
        return None


def seal_contact(data_key: DataKey, patient_id: UUID, contact: dict[str, Any]) -> bytes:
    """What is known of how to reach a patient, and their name, for the table."""
    return data_key.seal(as_json(contact), table="patient", column="contact", row=patient_id)


def open_contact(data_key: DataKey, patient_id: UUID, sealed: bytes) -> dict[str, Any]:
    """The other way round."""
    opened: dict[str, Any] = json.loads(
        data_key.open(sealed, table="patient", column="contact", row=patient_id)
    )
    return opened
