"""One patient: their flags, notes, and who looked at their record."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Query
from uuid_utils.compat import uuid7

from app.console.door import Answer, GoTo, Inside, Shown, Visit, page_router, with_query
from app.console.forms import Fields, read
from app.console.record import PATIENT, shown
from app.experience.notes import NOTES
from app.experience.schemas import NoteOut
from app.kernel.errors import Problem
from app.kernel.paging import Cursor
from app.people import audit
from app.people.audit import Changed, Look
from app.people.chart import Chart, open_chart
from app.safety import calls, cases
from app.safety.schemas import FlagIn, FlagState

routes = page_router()
_LOOKS: Final = 50


@dataclass(frozen=True, slots=True)
class Flags:
    """A patient's flags, and the form to raise one. id: of the concern, made with the form."""

    flags: list[FlagState]
    fields: Fields
    id: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of notes."""

    notes: list[NoteOut]
    next_page: str | None


@dataclass(frozen=True, slots=True)
class Audit:
    """Who looked and who changed."""

    looks: list[Look]
    changes: list[Changed]
    next_page: str | None


@routes.get(PATIENT + "/flags")
def patient_flags_page(
    visit: Inside, patient_id: str, done: Annotated[str, Query(max_length=20)] = ""
) -> Answer:
    """Every flag, and what was done about it."""
    chart = open_chart(visit.db, visit.caller, patient_id, cases.READ_STATE, visit.now)
    return _flags(visit, chart, _concern({"level": "high", "kind": "suicide-risk"}), done=done)


@routes.post(PATIENT + "/flags")
def raise_concern(visit: Inside, patient_id: str) -> Answer:
    """A clinician is worried about their patient."""
    chart = open_chart(visit.db, visit.caller, patient_id, calls.RAISE_FLAGS, visit.now)
    fields = _concern({}).typed(visit.form)
    try:
        with visit.db.tried():
            sent = read(FlagIn, {**fields.values, "id": visit.form["id"]})
            calls.raise_concern(visit.db, chart, sent, visit.now)
    except Problem as problem:
        return _flags(visit, chart, fields.refused(problem), status=422)
    return GoTo(f"/console/patients/{chart.patient_id}/flags?done=raised")


@routes.get(PATIENT + "/notes")
def notes_page(visit: Inside, patient_id: str, cursor: Cursor = None) -> Answer:
    """The notes that the patient shares with those who treat them."""
    chart = open_chart(visit.db, visit.caller, patient_id, NOTES.read_right, visit.now)
    page = NOTES.page(visit.db, chart, cursor=cursor, limit=20)
    here = f"/console/patients/{chart.patient_id}/notes"
    more = page.next_cursor and with_query(here, cursor=page.next_cursor)
    return shown(visit, chart, "notes", "Notes", Listed(page.entries, more))


@routes.get(PATIENT + "/audit")
def audit_page(visit: Inside, patient_id: str, cursor: Cursor = None) -> Answer:
    """Who looked at this record, and who changed it."""
    chart = open_chart(visit.db, visit.caller, patient_id, audit.READ_AUDIT, visit.now)
    looks, after = audit.looks(visit.db, chart, after=cursor, limit=_LOOKS, now=visit.now)
    here = f"/console/patients/{chart.patient_id}/audit"
    changes = audit.changes(visit.db, chart) if cursor is None else []
    view = Audit(looks, changes, after and with_query(here, cursor=after))
    return shown(visit, chart, "audit", "Audit", view)


def _concern(values: dict[str, str | list[str]]) -> Fields:
    labels = {"kind": "What it is about", "level": "How grave", "note": "Why"}
    return Fields("concern", labels, values)


def _flags(
    visit: Visit, chart: Chart, fields: Fields, *, status: int = 200, done: str = ""
) -> Shown:
    concern = visit.form["id"] or str(uuid7())
    view = Flags(cases.states(visit.db, chart).flags, fields, concern)
    return shown(visit, chart, "flags", "Flags", view, status=status, done=done)
