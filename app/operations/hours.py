"""When clinics are on duty and how to reach them, as the command line writes and reads it."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, select, update

from app.kernel.db import Db, Direct, Query
from app.kernel.tables import columns
from app.people.clinics import all_clinics
from app.people.tables import Clinic
from app.safety.coverage import DAYS, CoverageRefused, check

_SHIFT: Final = re.compile(r"([a-z]{3})(?:-([a-z]{3}))?=(\d\d:\d\d)-(\d\d:\d\d)")


class _Listed(NamedTuple):
    name: str
    time_zone: str
    coverage: dict[str, Any]
    phone: str | None
    after_hours_phone: str | None


_clinic = columns(Clinic)
CLINIC = Query(
    select(
        _clinic.name,
        _clinic.time_zone,
        _clinic.coverage,
        _clinic.phone,
        _clinic.after_hours_phone,
    ).where(_clinic.clinic_id == bindparam("clinic_id")),
    _Listed,
)
SET_PHONES = Query(
    update(Clinic)
    .where(_clinic.clinic_id == bindparam("clinic_id"))
    .values(phone=bindparam("to_phone"), after_hours_phone=bindparam("to_after_hours_phone"))
    .returning(_clinic.name),
    str,
)
SET_COVERAGE = Query(
    update(Clinic)
    .where(_clinic.clinic_id == bindparam("clinic_id"))
    .values(coverage=bindparam("to_coverage"))
    .returning(_clinic.name),
    str,
)


def read_shifts(shifts: list[str], holidays: list[str]) -> dict[str, Any]:
    """`["mon-fri=09:00-17:00"]` as coverage. Raises: CoverageRefused."""
    hours: dict[str, list[list[str]]] = {}
    for shift in shifts:
        found = _SHIFT.fullmatch(shift)
        if found is None or not {found[1], found[2] or found[1]} <= set(DAYS):
            raise CoverageRefused("a shift is written as mon-fri=09:00-17:00 or sat=10:00-12:00")
        first, last = DAYS.index(found[1]), DAYS.index(found[2] or found[1])
        for place in range(first, (last if last >= first else last + 7) + 1):
            hours.setdefault(DAYS[place % 7], []).append([found[3], found[4]])
    coverage = {"hours": hours, "holidays": holidays}
    check(coverage)
    return coverage


def declare(database: Direct, clinic_id: UUID, coverage: dict[str, Any]) -> bool:
    """Set a clinic's coverage. Returns: whether there is such a clinic."""

    def set_it(db: Db) -> bool:
        db.enter(clinic_id)
        return bool(db.change(SET_COVERAGE, to_coverage=coverage))

    return database.run(set_it)


def set_numbers(
    database: Direct, clinic_id: UUID, phone: str | None, after_hours_phone: str | None
) -> bool:
    """Set a clinic's own numbers, both. Returns: whether there is such a clinic."""

    def set_them(db: Db) -> bool:
        db.enter(clinic_id)
        return bool(db.change(SET_PHONES, to_phone=phone, to_after_hours_phone=after_hours_phone))

    return database.run(set_them)


def describe_all(database: Direct) -> Iterator[str]:
    """A line for each clinic."""
    for listed in database.run(all_clinics):

        def look(db: Db, clinic_id: UUID = listed.clinic_id) -> _Listed:
            db.enter(clinic_id)
            return db.one(CLINIC)

        clinic = database.run(look)
        hours = json.dumps(clinic.coverage) if clinic.coverage.get("hours") else "not declared"
        phones = f"{clinic.phone or 'none'}, after hours {clinic.after_hours_phone or 'the same'}"
        yield (
            f"{listed.clinic_id}  {clinic.name}  {clinic.time_zone}  on duty: {hours}"
            f"  phone: {phones}"
        )
