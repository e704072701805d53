"""A clinician's patients: who needs them first, and why."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query

from app.console.door import Answer, Inside, Shown, page_router, with_query
from app.kernel.paging import Cursor
from app.trends import caseload
from app.trends.schemas import CaseOut

routes = page_router()
PAGE: Final = 50
SILENT: Final = timedelta(days=14)
"""Nothing heard for so long is said as a reason; a convention of this page."""
FILTERS: Final = {"": "Everybody", "flagged": "With an open flag", "silent": "Silent for 14 days"}


@dataclass(frozen=True, slots=True)
class Row:
    """A patient on the list. why: what brings them here, in a few words."""

    patient_id: UUID
    name: str
    level: str | None
    is_answered: bool
    why: str
    flag_raised_at: datetime | None
    last_check_in_at: datetime | None
    phq9: int | None
    phq9_at: datetime | None
    last_dose_at: datetime | None


@dataclass(frozen=True, slots=True)
class Caseload:
    """A page of the list."""

    rows: list[Row]
    show: str
    filters: dict[str, str]
    next_page: str | None
    is_first_page: bool


@routes.get("/console/caseload")
def caseload_page(
    visit: Inside,
    cursor: Cursor = None,
    show: Annotated[str, Query(max_length=20)] = "",
) -> Answer:
    """Open flags first and worst first, then whoever has been silent longest."""
    show = show if show in FILTERS else ""
    page = caseload.read_caseload(visit.db, visit.caller, after=cursor, limit=PAGE, now=visit.now)
    rows = [_row(one, visit.now) for one in page.patients if _is_shown(one, show, visit.now)]
    more = page.next_cursor
    view = Caseload(
        rows=rows,
        show=show,
        filters=FILTERS,
        next_page=more and with_query("/console/caseload", show=show or None, cursor=more),
        is_first_page=cursor is None,
    )
    return Shown("caseload.html", "Caseload", view, section="caseload")


def _is_shown(one: CaseOut, show: str, now: datetime) -> bool:
    if show == "flagged":
        return one.flag is not None
    return show != "silent" or _is_silent(one, now)


def _is_silent(one: CaseOut, now: datetime) -> bool:
    return one.last_check_in_at is None or now - one.last_check_in_at >= SILENT


def _row(one: CaseOut, now: datetime) -> Row:
    return Row(
        patient_id=one.patient_id,
        name=one.name or "A name that cannot be opened",
        level=one.flag.level if one.flag else None,
        is_answered=one.flag is not None and one.flag.status == "acknowledged",
        why=_why(one, now),
        flag_raised_at=one.flag_raised_at,
        last_check_in_at=one.last_check_in_at,
        phq9=one.last_phq9_total,
        phq9_at=one.last_phq9_at,
        last_dose_at=one.last_dose_at,
    )


def _why(one: CaseOut, now: datetime) -> str:
    if one.flag is not None:
        if one.flag.kind == "physical":
            return "Danger to the body"
        return "Suicide risk"
    if one.last_check_in_at is None:
        return "Has never checked in"
    return "Silent" if _is_silent(one, now) else ""
