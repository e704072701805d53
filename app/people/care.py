"""Who cares for whom, and what the patients of a clinic agreed to: for its administrators.

They see patients' names, care links and consents, and nothing clinical.
"""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Uuid,
    and_,
    any_,
    bindparam,
    distinct,
    func,
    literal_column,
    or_,
    select,
    update,
)

from app.kernel import ledger
from app.kernel.db import Db, Query, itself
from app.kernel.errors import invalid, not_found
from app.kernel.identity import Caller
from app.kernel.paging import cursor, read_cursor
from app.kernel.tables import DataKey as DataKeyTable
from app.kernel.tables import Membership, columns, table
from app.people.admission import Admitted, give_consent, link_care, open_name
from app.people.chart import EVERYONE, Right, has_consented, note_shown, open_panel
from app.people.clinics import CLINIC_FACTS
from app.people.news import announce_care
from app.people.roster import LINK_HOLDS, members, name_of
from app.people.tables import CareLink, Consent, Patient

READ_ROSTER: Final = Right(
    "roster.read", is_for_patient=False, privileges=frozenset(), is_for_administrator=True
)


class Enrolled(NamedTuple):
    """A patient, to an administrator. name: None if it cannot be opened. carers: who still works
    here.
    """

    patient_id: UUID
    name: str | None
    has_consented: bool
    carers: int
    enrolled_at: datetime


class Link(NamedTuple):
    """Somebody cares for a patient. ends_at: None for no end. works_here: else it gives nothing."""

    id: UUID
    membership_id: UUID
    name: str
    works_here: bool
    kind: str
    began_at: datetime
    ends_at: datetime | None


class Agreed(NamedTuple):
    """A consent."""

    kind: str
    notice_version: str
    given_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class _Patient(NamedTuple):
    patient_id: UUID
    wrapped: bytes | None
    contact: bytes
    has_consented: bool
    carers: int
    enrolled_at: datetime


class _Link(NamedTuple):
    id: UUID
    membership_id: UUID
    name: bytes
    works_here: bool
    kind: str
    began_at: datetime
    ends_at: datetime | None


_member = columns(Membership)
_patient = columns(Patient)
_link = columns(CareLink)
_consent = columns(Consent)
_data_key = columns(DataKeyTable)
# Whoever left cares for nobody, whatever their links say.
_CARED_FOR_BY = (
    select(func.count(distinct(_link.membership_id)))
    .select_from(
        table(CareLink).join(
            table(Membership),
            and_(
                _member.clinic_id == _link.clinic_id,
                _member.id == _link.membership_id,
                _member.is_active,
            ),
        )
    )
    .where(_link.clinic_id == _patient.clinic_id, _link.patient_id == _patient.id, LINK_HOLDS)
    .correlate(table(Patient))
    .scalar_subquery()
)


def _enrolled(*conditions: Any) -> Query[_Patient]:
    return Query(
        select(
            _patient.id,
            _data_key.wrapped,
            _patient.contact,
            has_consented(_patient.id, _patient.clinic_id),
            _CARED_FOR_BY,
            _patient.created_at,
        )
        .select_from(
            table(Patient).outerjoin(
                table(DataKeyTable),
                and_(
                    _data_key.clinic_id == _patient.clinic_id, _data_key.patient_id == _patient.id
                ),
            )
        )
        .where(_patient.clinic_id == bindparam("clinic_id"), *conditions)
        .order_by(_patient.id)
        .limit(bindparam("limit", type_=BigInteger)),
        _Patient,
    )


ENROLLED = _enrolled(_patient.id > bindparam("after_id", type_=Uuid))
ENROLLED_ONE = _enrolled(_patient.id == bindparam("patient_id", type_=Uuid))
LINKS = Query(
    select(
        _link.id,
        _link.membership_id,
        _member.name,
        _member.is_active,
        _link.kind,
        _link.began_at,
        _link.ends_at,
    )
    .join_from(
        table(CareLink),
        table(Membership),
        and_(_member.clinic_id == _link.clinic_id, _member.id == _link.membership_id),
    )
    .where(_link.clinic_id == bindparam("clinic_id"), _link.patient_id == bindparam("patient_id"))
    .order_by(_link.began_at.desc(), _link.id),
    _Link,
)
CONSENTS = Query(
    select(*(getattr(_consent, name) for name in Agreed._fields))
    .where(
        _consent.clinic_id == bindparam("clinic_id"),
        _consent.patient_id == bindparam("patient_id"),
    )
    .order_by(_consent.given_at.desc(), _consent.id),
    Agreed,
)
# Every one that holds: it is the consent that is taken back, and not one of its papers.
WITHDRAW_CONSENTS = Query(
    update(Consent)
    .where(
        _consent.clinic_id == bindparam("clinic_id"),
        _consent.patient_id == bindparam("patient_id"),
        _consent.kind == literal_column("'treatment'"),
        _consent.revoked_at.is_(None),
        or_(_consent.expires_at.is_(None), _consent.expires_at > bindparam("now")),
    )
    .values(revoked_at=bindparam("now"))
    .returning(_consent.id),
    itself,
)
END_LINKS = Query(
    update(CareLink)
    .where(
        _link.clinic_id == bindparam("clinic_id"),
        _link.patient_id == bindparam("patient_id"),
        _link.id == any_(bindparam("link_ids", type_=ARRAY(Uuid))),
        LINK_HOLDS,
    )
    .values(ends_at=bindparam("now"))
    .returning(_link.id),
    itself,
)


def patients(
    db: Db, caller: Caller, *, after: str | None, limit: int, now: datetime
) -> tuple[list[Enrolled], str | None]:
    """The clinic's patients in the order of their coming, and the next page's cursor.

    Raises: Problem FORBIDDEN, NOT_SIGNED_IN, MALFORMED_REQUEST.
    """
    open_panel(db, caller, READ_ROSTER, now)
    after_id = UUID(int=0)
    if after is not None:
        after_id = UUID(read_cursor(db.vault, "roster", after, 1)[0])
    rows = db.all(ENROLLED, after_id=after_id, limit=limit + 1, now=now)
    page = rows[:limit]
    note_shown(db, caller, READ_ROSTER, (row.patient_id for row in page), now)
    more = cursor(db.vault, "roster", page[-1].patient_id) if len(rows) > limit else None
    return [_enrolled_out(db, caller, row) for row in page], more


def patient(
    db: Db, caller: Caller, patient_id: UUID, now: datetime
) -> tuple[Enrolled, list[Link], list[Agreed]]:
    """One patient: who cares for them and what they agreed to, newest first.

    Raises: Problem FORBIDDEN, NOT_SIGNED_IN, NOT_FOUND.
    """
    row = _one(db, caller, patient_id, now)
    links = [
        Link(one.id, one.membership_id, name_of(db, one.membership_id, one.name), *one[3:])
        for one in db.all(LINKS, patient_id=patient_id)
    ]
    return _enrolled_out(db, caller, row), links, db.all(CONSENTS, patient_id=patient_id)


def assign(db: Db, caller: Caller, patient_id: UUID, membership_id: UUID, now: datetime) -> None:
    """This clinician cares for this patient from now on; again changes nothing.

    Raises: Problem FORBIDDEN, NOT_SIGNED_IN, NOT_FOUND, INVALID (nobody who could).
    """
    row = _one(db, caller, patient_id, now)
    chosen = next(
        (one for one in members(db, caller, now) if one.membership_id == membership_id), None
    )
    if chosen is None or chosen.role != "clinician" or EVERYONE.isdisjoint(chosen.privileges):
        raise invalid("/membership_id", "is no clinician of this clinic")
    if any(
        one.membership_id == membership_id and one.kind == "assigned" and _holds(one, now)
        for one in db.all(LINKS, patient_id=patient_id)
    ):
        return
    link_care(db, _page(db, caller, row), membership_id, now)


def end_care(db: Db, caller: Caller, patient_id: UUID, link_id: UUID, now: datetime) -> None:
    """This care link ends; again changes nothing.

    Raises: Problem FORBIDDEN, NOT_SIGNED_IN, NOT_FOUND.
    """
    row = _one(db, caller, patient_id, now)
    if not any(one.id == link_id for one in db.all(LINKS, patient_id=patient_id)):
        raise not_found()
    _end_links(db, _page(db, caller, row), [link_id], now)


def withdraw_consent(db: Db, caller: Caller, patient_id: UUID, now: datetime) -> None:
    """The patient took their consent to treatment back; again changes nothing.

    No clinician opens the record from then on. What the patient sends is kept as before, and a
    sign of danger is put before the administrators.

    Raises: Problem FORBIDDEN, NOT_SIGNED_IN, NOT_FOUND.
    """
    page = _page(db, caller, _one(db, caller, patient_id, now))
    for consent_id in db.change(WITHDRAW_CONSENTS, patient_id=patient_id, now=now):
        ledger.record(
            db,
            page,
            "consent.withdrawn",
            kind="consent",
            id=consent_id,
            version=2,
            entry={"kind": "treatment", "revoked_at": now.isoformat()},
            now=now,
        )
    announce_care(db, patient_id)


def record_consent(
    db: Db, caller: Caller, patient_id: UUID, notice_version: str, now: datetime
) -> None:
    """The patient consented again, elsewhere than in their app, to this version of the notice.

    Where a consent holds nothing changes.
    Raises: Problem FORBIDDEN, NOT_SIGNED_IN, NOT_FOUND, INVALID (the clinic uses another notice).
    """
    row = _one(db, caller, patient_id, now)
    if row.has_consented:
        return
    if notice_version != db.one(CLINIC_FACTS).notice_version:
        raise invalid("/notice_version", "is not the notice this clinic uses now")
    give_consent(db, _page(db, caller, row), notice_version, now)


def _one(db: Db, caller: Caller, patient_id: UUID, now: datetime) -> _Patient:
    open_panel(db, caller, READ_ROSTER, now)
    row = db.first(ENROLLED_ONE, patient_id=patient_id, limit=1, now=now)
    if row is None:
        raise not_found()
    note_shown(db, caller, READ_ROSTER, [patient_id], now)
    return row


def _page(db: Db, caller: Caller, row: _Patient) -> Admitted:
    """To write in the patient's ledger; the administrator sees nothing of what is in it."""
    key = db.vault.open_data_key(row.wrapped or b"", caller.clinic_id, row.patient_id)
    return Admitted(row.patient_id, caller.membership_id, caller.role, key)


def _end_links(db: Db, page: Admitted, link_ids: list[UUID], now: datetime) -> None:
    ended = db.change(END_LINKS, patient_id=page.patient_id, link_ids=link_ids, now=now)
    for link_id in ended:
        ledger.record(
            db,
            page,
            "care_link.ended",
            kind="care_link",
            id=link_id,
            version=2,
            entry={"ends_at": now.isoformat()},
            now=now,
        )
    announce_care(db, page.patient_id)


def _holds(link: _Link, now: datetime) -> bool:
    return link.began_at <= now and (link.ends_at is None or link.ends_at > now)


def _enrolled_out(db: Db, caller: Caller, row: _Patient) -> Enrolled:
    name = open_name(db.vault, caller.clinic_id, row.patient_id, row.wrapped, row.contact)
    return Enrolled(row.patient_id, name, row.has_consented, row.carers, row.enrolled_at)
