"""The door to one patient's record."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    Text,
    and_,
    bindparam,
    cast,
    exists,
    insert,
    literal,
    or_,
    select,
)
from sqlalchemy.sql.elements import ColumnElement
from uuid_utils.compat import uuid7

from app.kernel.db import Change, Db, Query
from app.kernel.errors import Kind, Problem, not_found
from app.kernel.identity import Caller, require_standing, signed_out
from app.kernel.tables import DataKey as DataKeyTable
from app.kernel.tables import Membership, columns, table
from app.kernel.vault import DataKey
from app.people.tables import AccessLog, CareLink, Clinic, Consent, Patient

CARE: Final = frozenset({"therapy", "prescribe", "monitor"})
"""The privileges that see clinical content."""
EVERYONE: Final = CARE | {"coach"}


@dataclass(frozen=True, slots=True)
class Right:
    """What a chart is opened for.

    name: as it stands in the access log. is_for_patient: whether patients have it on their own
    record. privileges: a clinician needs any one of them; empty means no clinician has it.
    is_for_administrator: whether administrators may see the list, without clinical content.
    """

    name: str
    is_for_patient: bool = True
    privileges: frozenset[str] = CARE
    is_for_administrator: bool = False

    def is_granted(self, chart: "Chart") -> bool:
        """Whether a chart that was opened for something else may be used for this too."""
        if chart.is_own:
            return self.is_for_patient
        return not self.privileges.isdisjoint(chart.actor_privileges)


@dataclass(frozen=True, slots=True)
class ClinicFacts:
    """What an answer to a patient depends on. coverage, texts: JSON text, see `tables.Clinic`."""

    name: str
    country: str
    time_zone: str
    phone: str | None
    coverage: str
    raised_levels: dict[str, dict[str, str]]
    instruments: dict[str, bool]
    texts: str
    after_hours_phone: str | None = None

    @property
    def phones(self) -> list[str]:
        """Its own numbers: for when it is on duty, and for when it is not."""
        return [one for one in (self.phone, self.after_hours_phone) if one is not None]


@dataclass(frozen=True, slots=True)
class Chart:
    """One patient's record, open for one request and one purpose. Made by `open_chart` only.

    actor_id, actor_role, actor_privileges: the membership that acts. country, locale, time_zone,
    enrolled_at: the patient's.
    """

    clinic_id: UUID
    patient_id: UUID
    actor_id: UUID
    actor_role: str
    actor_privileges: frozenset[str]
    data_key: DataKey
    country: str
    locale: str
    time_zone: str
    enrolled_at: datetime
    clinic: ClinicFacts

    def require(self, patient_id: UUID) -> None:
        """What was asked ahead was asked about this patient. Raises: Problem NOT_FOUND."""
        if patient_id != self.patient_id:
            raise not_found()

    @property
    def is_own(self) -> bool:
        """Whether the patient is the one who acts."""
        return self.actor_role == "patient"


class _Opened(NamedTuple):
    valid_after: datetime
    privileges: list[str]
    patient_id: UUID | None
    country: str
    locale: str
    time_zone: str
    enrolled_at: datetime
    wrapped: bytes
    clinic_name: str
    clinic_country: str
    clinic_time_zone: str
    clinic_phone: str | None
    clinic_coverage: str
    raised_levels: dict[str, dict[str, str]]
    instruments: dict[str, bool]
    texts: str
    clinic_after_hours_phone: str | None
    is_linked: bool


_member = columns(Membership)
_patient = columns(Patient)
_clinic = columns(Clinic)
_data_key = columns(DataKeyTable)
_link = columns(CareLink)
_consent = columns(Consent)


_MEMBER_NAMED = _member.id == bindparam("membership_id")


def has_consented(
    patient_id: ColumnElement[UUID], clinic_id: ColumnElement[UUID]
) -> ColumnElement[bool]:
    """SQL: the patient's consent to treatment holds at `:now`."""
    now: BindParameter[datetime] = bindparam("now")
    return exists().where(
        _consent.clinic_id == clinic_id,
        _consent.patient_id == patient_id,
        _consent.kind == "treatment",
        _consent.given_at <= now,
        _consent.revoked_at.is_(None),
        or_(_consent.expires_at.is_(None), _consent.expires_at > now),
    )


def cared_for(
    patient_id: ColumnElement[UUID],
    clinic_id: ColumnElement[UUID],
    membership_id: ColumnElement[UUID] | None = None,
) -> ColumnElement[bool]:
    """SQL: the member (`:membership_id`) has a care link and the patient's consent, at `:now`."""
    if membership_id is None:
        membership_id = bindparam("membership_id")
    now: BindParameter[datetime] = bindparam("now")
    return and_(
        exists().where(
            _link.clinic_id == clinic_id,
            _link.membership_id == membership_id,
            _link.patient_id == patient_id,
            _link.began_at <= now,
            or_(_link.ends_at.is_(None), _link.ends_at > now),
        ),
        has_consented(patient_id, clinic_id),
    )


def _chart_query(
    patient_is: ColumnElement[bool],
    is_linked: ColumnElement[bool],
    member_is: ColumnElement[bool] = _MEMBER_NAMED,
    *standing: ColumnElement[bool],
) -> Query[_Opened]:
    """From the membership outwards, so that no row means: you are signed out."""
    members = table(Membership)
    patients, keys, clinics = (
        table(Patient),
        table(DataKeyTable),
        table(Clinic),
    )
    return Query(
        select(
            _member.valid_after,
            _member.privileges,
            _patient.id,
            _patient.country,
            _patient.locale,
            _patient.time_zone,
            _patient.created_at,
            _data_key.wrapped,
            _clinic.name,
            _clinic.country,
            _clinic.time_zone,
            _clinic.phone,
            cast(_clinic.coverage, Text),
            _clinic.raised_levels,
            _clinic.instruments,
            cast(_clinic.texts, Text),
            _clinic.after_hours_phone,
            is_linked,
        )
        .select_from(
            members.outerjoin(patients, and_(_patient.clinic_id == _member.clinic_id, patient_is))
            .outerjoin(
                keys,
                and_(_data_key.clinic_id == _member.clinic_id, _data_key.patient_id == _patient.id),
            )
            .join(clinics, _clinic.clinic_id == _member.clinic_id)
        )
        .where(
            _member.clinic_id == bindparam("clinic_id"),
            member_is,
            *(standing or (_member.is_active,)),
        ),
        _Opened,
    )


OWN_CHART = _chart_query(_patient.id == _member.patient_id, literal(True))
PATIENTS_CHART = _chart_query(
    _patient.id == bindparam("patient_id"), cared_for(_patient.id, _member.clinic_id)
)
# As the patient's own membership would open it, were they signed in.
UNATTENDED_CHART = _chart_query(
    and_(_patient.id == _member.patient_id, has_consented(_patient.id, _member.clinic_id)),
    literal(True),
    and_(_member.patient_id == bindparam("patient_id"), _patient.id.is_not(None)),
)
# Whoever is suspended, or took their consent back, may call for help all the same.
CALLERS_CHART = _chart_query(
    _patient.id == _member.patient_id,
    literal(True),
    and_(_MEMBER_NAMED, _patient.id == bindparam("patient_id")),
    literal(True),
)
COVERED_CHART = _chart_query(
    _patient.id == _member.patient_id,
    literal(True),
    and_(_member.patient_id == bindparam("patient_id"), _patient.id.is_not(None)),
    literal(True),
)
COUNTRY_OF = Query(
    select(_patient.country).where(
        _patient.clinic_id == bindparam("clinic_id"), _patient.id == bindparam("patient_id")
    ),
    lambda country: country,
)
NOBODY: Final = UUID(int=0)
LOG_ACCESS = Change(insert(AccessLog))


def open_chart(db: Db, caller: Caller, patient_ref: str, right: Right, now: datetime) -> Chart:
    """Check that `caller` may do this with this record now, and note it in the access log.

    patient_ref: `me` or a patient's UUID.
    Raises: Problem NOT_SIGNED_IN, NOT_A_PATIENT, FORBIDDEN (the role never may), NOT_FOUND
        (everything else: missing, another clinic's, no care link, no consent).
    """
    patient_id = whose(caller, patient_ref)
    if caller.role == "patient":
        if not right.is_for_patient:
            raise Problem(Kind.FORBIDDEN)
        opened = db.first(OWN_CHART, membership_id=caller.membership_id)
    elif caller.role == "clinician" and right.privileges:
        opened = db.first(
            PATIENTS_CHART, membership_id=caller.membership_id, patient_id=patient_id, now=now
        )
    else:
        raise Problem(Kind.FORBIDDEN)
    if opened is None or caller.issued_at < int(opened.valid_after.timestamp()):
        raise signed_out()
    if opened.patient_id is None or opened.patient_id != patient_id or not opened.is_linked:
        raise not_found()
    if caller.role == "clinician":
        if right.privileges.isdisjoint(opened.privileges):
            raise Problem(Kind.FORBIDDEN)
        _log(db, caller, patient_id, right, now)
    return _chart(db, opened, caller.clinic_id, patient_id, caller.membership_id, caller.role)


def open_for_call(db: Db, caller: Caller) -> Chart:
    """A patient's own record, to keep that they called for help; whatever became of their account.

    Raises: Problem NOT_FOUND.
    """
    patient_id = whose(caller, "me")
    opened = db.first(CALLERS_CHART, membership_id=caller.membership_id, patient_id=patient_id)
    if opened is None:
        raise not_found()
    return _chart(db, opened, caller.clinic_id, patient_id, caller.membership_id, "patient")


def open_covering(db: Db, patient_id: UUID) -> Chart | None:
    """For the worker: to note in a patient's ledger that somebody was told of their flag."""
    opened = db.first(COVERED_CHART, patient_id=patient_id)
    if opened is None or db.clinic_id is None:
        return None
    return _chart(db, opened, db.clinic_id, patient_id, NOBODY, "system")


def open_unattended(db: Db, patient_id: UUID, now: datetime) -> Chart | None:
    """For the worker, which acts for nobody: to remind a patient. Nothing is shown to anybody.

    Returns: None for who is not there, or whose consent has ended.
    """
    opened = db.first(UNATTENDED_CHART, patient_id=patient_id, now=now)
    if opened is None or db.clinic_id is None:
        return None
    return _chart(db, opened, db.clinic_id, patient_id, NOBODY, "system")


def open_panel(db: Db, caller: Caller, right: Right, now: datetime) -> None:
    """Check that `caller` may see a list that shows several patients, and note it.

    Raises: Problem FORBIDDEN, NOT_SIGNED_IN.
    """
    is_administrator = caller.role == "administrator" and right.is_for_administrator
    if caller.role != "clinician" and not is_administrator:
        raise Problem(Kind.FORBIDDEN)
    standing = require_standing(db, caller)
    if not is_administrator and right.privileges.isdisjoint(standing.privileges):
        raise Problem(Kind.FORBIDDEN)
    _log(db, caller, None, right, now)


def note_shown(
    db: Db, caller: Caller, right: Right, patient_ids: Iterable[UUID], now: datetime
) -> None:
    """Each patient that a list showed has a row of their own: they can ask who saw what."""
    for patient_id in patient_ids:
        _log(db, caller, patient_id, right, now)


def whose(caller: Caller, patient_ref: str) -> UUID:
    """The patient meant by `me` or a UUID. Raises: Problem NOT_A_PATIENT, NOT_FOUND."""
    if patient_ref == "me":
        if caller.patient_id is None:
            raise Problem(Kind.NOT_A_PATIENT)
        return caller.patient_id
    return entry_id(patient_ref)


def entry_id(text: str) -> UUID:
    """An id from a path; what is no UUID names nothing. Raises: Problem NOT_FOUND."""
    try:
        return UUID(text)
    except ValueError:
        raise not_found() from None


def _chart(
    db: Db, opened: _Opened, clinic_id: UUID, patient_id: UUID, actor_id: UUID, actor_role: str
) -> Chart:
    return Chart(
        clinic_id=clinic_id,
        patient_id=patient_id,
        actor_id=actor_id,
        actor_role=actor_role,
        actor_privileges=frozenset(opened.privileges),
        data_key=db.vault.open_data_key(opened.wrapped, clinic_id, patient_id),
        country=opened.country,
        locale=opened.locale,
        time_zone=opened.time_zone,
        enrolled_at=opened.enrolled_at,
        clinic=ClinicFacts(
            opened.clinic_name,
            opened.clinic_country,
            opened.clinic_time_zone,
            opened.clinic_phone,
            opened.clinic_coverage,
            opened.raised_levels,
            opened.instruments,
            opened.texts,
            opened.clinic_after_hours_phone,
        ),
    )


def _log(db: Db, caller: Caller, patient_id: UUID | None, right: Right, now: datetime) -> None:
    db.add(
        LOG_ACCESS,
        id=uuid7(),
        at=now,
        membership_id=caller.membership_id,
        patient_id=patient_id,
        what=right.name,
    )
