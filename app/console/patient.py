"""One patient, on pages of their own: summary, trajectories, flags, notes, goals, audit."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query
from uuid_utils.compat import uuid7

from app.checkins import schedule
from app.console import words
from app.console.door import Answer, GoTo, Inside, Shown, Visit, page_router, with_query
from app.console.forms import Fields, read
from app.experience.notes import NOTES
from app.experience.schemas import NoteOut
from app.goals import service as goals
from app.goals.schemas import GoalOut
from app.kernel.db import Db
from app.kernel.errors import Problem
from app.kernel.paging import Cursor
from app.people import audit, profile
from app.people.audit import Changed, Look
from app.people.chart import Chart, Right, open_chart
from app.safety import calls, cases
from app.safety.schemas import FlagIn, FlagRef, FlagState, ReachOut
from app.treatment import service as treatment
from app.trends import service as trends

routes = page_router()
READ_SUMMARY: Final = Right("summary.read", is_for_patient=False)
PATIENT: Final = "/console/patients/{patient_id}"
_LOOKS: Final = 50
_POINTS_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Contact:
    """Who a patient is, and how to reach them."""

    name: str
    phone: str | None
    address: str | None
    emergency_contacts: list[ReachOut]


@dataclass(frozen=True, slots=True)
class Tab:
    """One of a patient's pages."""

    key: str
    path: str
    label: str


@dataclass(frozen=True, slots=True)
class Head:
    """What stands over every page of a patient."""

    patient_id: UUID
    contact: Contact
    time_zone: str
    local_time: str
    enrolled_at: datetime
    open_flags: list[FlagRef]
    tabs: tuple[Tab, ...]
    tab: str
    may_record: bool


@dataclass(frozen=True, slots=True)
class Flags:
    """A patient's flags, and the form to raise one. id: of the concern, made with the form."""

    flags: list[FlagState]
    fields: Fields
    id: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of notes or goals."""

    notes: list[NoteOut]
    goals: list[GoalOut]
    next_page: str | None


@dataclass(frozen=True, slots=True)
class Audit:
    """Who looked and who changed."""

    looks: list[Look]
    changes: list[Changed]
    next_page: str | None


def initials(name: str) -> str:
    """For a tab and a browser's history, which others may see: `R. E.`."""
    return " ".join(f"{part[0]}." for part in name.split())


def contact_of(db: Db, chart: Chart) -> Contact:
    """For whoever has the chart open."""
    known = profile.contact_of(db, chart)
    return Contact(
        str(known["name"]),
        known.get("phone"),
        known.get("address"),
        [ReachOut.model_validate(one) for one in known.get("emergency_contacts", [])],
    )


def head(db: Db, chart: Chart, tab: str, now: datetime) -> Head:
    """What stands over a page of this patient. tab: which page it is."""
    here = f"/console/patients/{chart.patient_id}"
    tabs = [
        (READ_SUMMARY, "summary", here, "Summary"),
        (trends.READ_TRAJECTORIES, "trajectories", f"{here}/trajectories", "Trajectories"),
        (cases.READ_STATE, "flags", f"{here}/flags", "Flags"),
        (treatment.READ_SESSIONS, "treatment", f"{here}/treatment", "Treatment"),
        (NOTES.read_right, "notes", f"{here}/notes", "Notes"),
        (goals.READ, "goals", f"{here}/goals", "Goals"),
        (audit.READ_AUDIT, "audit", f"{here}/audit", "Audit"),
    ]
    sees_flags = cases.READ_STATE.is_granted(chart)
    flags = db.all(cases.FLAGS_OF_PATIENT, patient_id=chart.patient_id) if sees_flags else []
    return Head(
        patient_id=chart.patient_id,
        contact=contact_of(db, chart),
        time_zone=chart.time_zone,
        local_time=f"{now.astimezone(schedule.zone_of(chart.time_zone)):%H:%M}",
        enrolled_at=chart.enrolled_at,
        open_flags=[flag.ref() for flag in flags if flag.status != "resolved"],
        tabs=tuple(
            Tab(key, path, label) for right, key, path, label in tabs if right.is_granted(chart)
        ),
        tab="trajectories" if tab in {"together", "ideation"} else tab,
        may_record=treatment.RECORD_SESSIONS.is_granted(chart),
    )


def shown(
    visit: Visit,
    chart: Chart,
    tab: str,
    label: str,
    view: object,
    *,
    status: int = 200,
    done: str = "",
) -> Shown:
    """A page of this patient's."""
    above = head(visit.db, chart, tab, visit.now)
    return Shown(
        f"patient_{tab}.html",
        f"{initials(above.contact.name)} {label}",
        view,
        section="caseload",
        status=status,
        said=words.DONE.get(done, ""),
        extra={"head": above},
    )


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
    return shown(visit, chart, "notes", "Notes", Listed(page.entries, [], more))


@routes.get(PATIENT + "/goals")
def goals_page(visit: Inside, patient_id: str, cursor: Cursor = None) -> Answer:
    """What the patient wants to change."""
    chart = open_chart(visit.db, visit.caller, patient_id, goals.READ, visit.now)
    page = goals.GOALS.page(visit.db, chart, cursor=cursor, limit=20)
    here = f"/console/patients/{chart.patient_id}/goals"
    more = page.next_cursor and with_query(here, cursor=page.next_cursor)
    return shown(visit, chart, "goals", "Goals", Listed([], page.entries, more))


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
