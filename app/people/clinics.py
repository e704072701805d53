"""Making a clinic, and going through all of them."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, insert, select
from uuid_utils.compat import uuid7

from app.kernel import second_factor
from app.kernel.db import Change, Db, Query
from app.kernel.tables import columns
from app.people.tables import Clinic, ClinicDirectory

NOTICE_VERSION: Final = "1"

WEEKDAYS_NINE_TO_FIVE: Final[dict[str, Any]] = {
    "hours": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
    "holidays": [],
}


class Listed(NamedTuple):
    """A clinic, as the directory has it."""

    clinic_id: UUID
    is_synthetic: bool


class Facts(NamedTuple):
    """What is said about a clinic to its people."""

    name: str
    country: str
    time_zone: str
    notice_version: str


_directory = columns(ClinicDirectory)
_clinic = columns(Clinic)
CLINIC_FACTS = Query(
    select(_clinic.name, _clinic.country, _clinic.time_zone, _clinic.notice_version).where(
        _clinic.clinic_id == bindparam("clinic_id")
    ),
    Facts,
)
ALL_CLINICS = Query(
    select(_directory.clinic_id, _directory.is_synthetic).order_by(_directory.clinic_id), Listed
)
LIST_CLINIC = Change(insert(ClinicDirectory))
ADD_CLINIC = Change(insert(Clinic))

INVITATION_LIFETIME: Final = timedelta(days=14)


def found_clinic(
    db: Db,
    *,
    name: str,
    country: str,
    time_zone: str,
    phone: str | None,
    after_hours_phone: str | None = None,
    is_synthetic: bool,
    coverage: dict[str, Any],
    now: datetime,
    instruments: dict[str, bool] | None = None,
) -> UUID:
    """A new tenant; the transaction is in it afterwards. It requires a second factor of its
    clinicians and administrators, unless it is synthetic.

    coverage: see `tables.Clinic`; empty until the clinic has said when it is on duty.
    instruments: see there too; None for what ships switched on.
    """
    clinic_id: UUID = uuid7()
    db.enter(clinic_id)
    db.add(LIST_CLINIC, is_synthetic=is_synthetic, created_at=now)
    db.add(
        ADD_CLINIC,
        name=name,
        country=country,
        time_zone=time_zone,
        phone=phone,
        after_hours_phone=after_hours_phone,
        coverage=coverage,
        raised_levels={},
        instruments=instruments or {},
        texts={},
        notice_version=NOTICE_VERSION,
        created_at=now,
    )
    # Invented people have no secrets, and whoever tries the demo no authenticator app for them.
    second_factor.require(db, frozenset() if is_synthetic else second_factor.STAFF, now)
    return clinic_id


def all_clinics(db: Db) -> list[Listed]:
    """Every clinic of this installation."""
    return db.all(ALL_CLINICS)
