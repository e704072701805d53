"""When a clinic says that it is on duty, and on which clock; changed by its administrators."""

import json
from typing import Any, Final, NamedTuple

from sqlalchemy import Text, bindparam, cast, select, update

from app.kernel.db import Db, Query
from app.kernel.errors import Kind, Problem, invalid
from app.kernel.etag import version_of
from app.kernel.identity import Caller, require_standing
from app.kernel.log import logger
from app.kernel.tables import columns
from app.people.tables import Clinic
from app.safety.coverage import DAYS, CoverageRefused, check

MOST_SHIFTS: Final = 6
"""Of one day."""
MOST_HOLIDAYS: Final = 400


class Hours(NamedTuple):
    """What a clinic declared. shifts: by day, `("09:00", "17:00")`; empty: nothing declared."""

    version: str
    time_zone: str
    shifts: dict[str, list[tuple[str, str]]]
    holidays: list[str]


class _Stored(NamedTuple):
    time_zone: str
    coverage: str


_clinic = columns(Clinic)
_coverage = cast(_clinic.coverage, Text)
_of_clinic = select(_clinic.time_zone, _coverage).where(_clinic.clinic_id == bindparam("clinic_id"))
HOURS = Query(_of_clinic, _Stored)
HOURS_TO_CHANGE = Query(_of_clinic.with_for_update(), _Stored)
REPLACE_HOURS = Query(
    update(Clinic)
    .where(_clinic.clinic_id == bindparam("clinic_id"))
    .values(coverage=bindparam("to_coverage"), time_zone=bindparam("to_time_zone"))
    .returning(_clinic.time_zone, _coverage),
    _Stored,
)


def read_hours(db: Db, caller: Caller) -> Hours:
    """What the clinic declared. Raises: Problem FORBIDDEN, NOT_SIGNED_IN."""
    if caller.role not in {"clinician", "administrator"}:
        raise Problem(Kind.FORBIDDEN)
    require_standing(db, caller)
    return _out(db.one(HOURS))


def declare_hours(
    db: Db,
    caller: Caller,
    shifts: dict[str, list[tuple[str, str]]],
    holidays: list[str],
    base_version: str,
    time_zone: str | None = None,
) -> Hours:
    """From now on the clinic is on duty then, on its own clock. time_zone: another one, if any.

    Raises: Problem FORBIDDEN, NOT_SIGNED_IN, INVALID, PRECONDITION_FAILED.
    """
    if caller.role != "administrator":
        raise Problem(Kind.FORBIDDEN)
    require_standing(db, caller)
    coverage: dict[str, Any] = {
        "hours": {day: [list(one) for one in of_day] for day, of_day in shifts.items() if of_day},
        "holidays": sorted(set(holidays)),
    }
    if not set(coverage["hours"]) <= set(DAYS):
        raise invalid("/hours", "are by day: mon, tue, wed, thu, fri, sat, sun")
    for day, of_day in coverage["hours"].items():
        if len(of_day) > MOST_SHIFTS:
            raise invalid(f"/hours/{day}", f"has more than {MOST_SHIFTS} shifts")
        try:
            check({"hours": {day: of_day}})
        except CoverageRefused:
            raise invalid(
                f"/hours/{day}", "is written as 09:00-17:00; several with commas between"
            ) from None
    if len(coverage["holidays"]) > MOST_HOLIDAYS:
        raise invalid("/holidays", f"are more than {MOST_HOLIDAYS}")
    try:
        check(coverage)
    except CoverageRefused:
        raise invalid("/holidays", "are dates such as 2026-12-25, one a line") from None
    stored = db.one(HOURS_TO_CHANGE)
    if _version(stored) != base_version:
        raise Problem(Kind.PRECONDITION_FAILED)
    [replaced] = db.change(
        REPLACE_HOURS, to_coverage=coverage, to_time_zone=time_zone or stored.time_zone
    )
    logger().info(
        "clinic.hours_declared", clinic_id=str(caller.clinic_id), by=str(caller.membership_id)
    )
    return _out(replaced)


def _version(stored: _Stored) -> str:
    return version_of(stored.time_zone, stored.coverage)


def _out(stored: _Stored) -> Hours:
    coverage = json.loads(stored.coverage)
    hours = coverage.get("hours", {})
    return Hours(
        _version(stored),
        stored.time_zone,
        {day: [(begins, ends) for begins, ends in of_day] for day, of_day in hours.items()},
        list(coverage.get("holidays", [])),
    )
