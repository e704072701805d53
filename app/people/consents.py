"""Whether a patient's consent to treatment holds at an instant."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import and_, bindparam, literal_column, select

from app.kernel.db import Db, Query
from app.kernel.tables import columns, table
from app.people.chart import Chart
from app.people.tables import Clinic, Consent


class Holds(StrEnum):
    """How it is with consent; the first that applies."""

    MISSING = "missing"
    REVOKED = "revoked"
    EXPIRED = "expired"
    OLDER_NOTICE = "older-notice"
    CURRENT = "current"


class TreatmentConsent(NamedTuple):
    """holds: at the instant that was asked about. given_at: None where there is none."""

    holds: Holds
    given_at: datetime | None


class _Given(NamedTuple):
    notice_version: str
    given_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    clinic_notice_version: str


_consent = columns(Consent)
_clinic = columns(Clinic)
NEWEST_CONSENT = Query(
    select(
        _consent.notice_version,
        _consent.given_at,
        _consent.expires_at,
        _consent.revoked_at,
        _clinic.notice_version,
    )
    .join_from(table(Consent), table(Clinic), and_(_clinic.clinic_id == _consent.clinic_id))
    .where(
        _consent.clinic_id == bindparam("clinic_id"),
        _consent.patient_id == bindparam("patient_id"),
        _consent.kind == literal_column("'treatment'"),
        _consent.given_at <= bindparam("until"),
    )
    .order_by(_consent.given_at.desc(), _consent.id.desc())
    .limit(literal_column("1")),
    _Given,
)


def treatment_consent(db: Db, chart: Chart, at: datetime, now: datetime) -> TreatmentConsent:
    """The newest consent to treatment, as it holds at an instant.

    at: of one that is to come, the consent is also held against the clinic's notice as it is now;
        which notice was in force at an earlier one is not known.
    """
    given = db.first(NEWEST_CONSENT, patient_id=chart.patient_id, until=at)
    if given is None:
        return TreatmentConsent(Holds.MISSING, None)
    holds = Holds.CURRENT
    if given.revoked_at is not None and given.revoked_at <= at:
        holds = Holds.REVOKED
    elif given.expires_at is not None and given.expires_at <= at:
        holds = Holds.EXPIRED
    elif at >= now and given.notice_version != given.clinic_notice_version:
        holds = Holds.OLDER_NOTICE
    return TreatmentConsent(holds, given.given_at)
