"""A patient's visits: what was given, when; recording, correcting and withdrawing."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query
from uuid_utils.compat import uuid7

from app.console.door import Answer, GoTo, Inside, Shown, Visit, page_router, with_query
from app.console.forms import Fields, instant, read, version, wall
from app.console.record import shown
from app.course.sessions import service as sessions
from app.kernel import entries
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.errors import Kind, Problem, not_found
from app.kernel.paging import Cursor
from app.people.chart import Chart, entry_id, open_chart
from app.treatment import listing, service
from app.treatment.schemas import DosingSessionIn, DosingSessionOut, DosingSessionVersion

routes = page_router()
ROUTES: Final = ("im", "iv", "subcutaneous", "intranasal", "sublingual", "oral")
STATUSES: Final = ("completed", "in-progress", "not-done", "preparation")
ROWS: Final = 3
"""Administrations that the form has room for; the API takes more."""
_SESSIONS: Final = "/console/patients/{patient_id}/treatment"
_OF_VISIT: Final = {
    "status": "What became of the visit",
    "started_at": "Begin of the visit",
    "ended_at": "End of the visit",
}
_OF_DOSE: Final = {
    "drug": "Drug",
    "route": "Route",
    "dose_mg": "Dose in mg",
    "given_at": "Given at",
}


@dataclass(frozen=True, slots=True)
class Visits:
    """A patient's visits and the form for a new one."""

    sessions: list[DosingSessionOut]
    next_page: str | None
    form: "VisitForm"


@dataclass(frozen=True, slots=True)
class VisitForm:
    """The form. id: of a new visit, made with the form, so that sending it twice makes one."""

    fields: Fields
    id: UUID
    version: int
    rows: range
    routes: tuple[str, ...]
    statuses: tuple[str, ...]
    zone: str


@dataclass(frozen=True, slots=True)
class OneVisit:
    """A visit, its versions, and the form to correct it."""

    session: DosingSessionOut
    versions: list[DosingSessionVersion]
    form: VisitForm | None
    is_overtaken: bool


@routes.get(_SESSIONS)
def treatment_page(
    visit: Inside,
    patient_id: str,
    cursor: Cursor = None,
    done: Annotated[str, Query(max_length=20)] = "",
) -> Answer:
    """Visits, newest first."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_SESSIONS, visit.now)
    new = replace(
        _empty("dose"), values={"status": "completed", "drug0": "ketamine", "route0": "im"}
    )
    return _visits(visit, chart, new, uuid7(), cursor=cursor, done=done)


@routes.post(_SESSIONS)
def record_visit(visit: Inside, patient_id: str) -> Answer:
    """Record a visit and what was given, or plan one."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.RECORD_SESSIONS, visit.now)
    fields = _empty("dose").typed(visit.form)
    new_id = entry_id(visit.form["id"])
    try:
        with visit.db.tried():
            sent = _read(fields, chart, new_id)
            known = entries.known_before(visit.db, chart, service.KIND, service.SESSION, sent.id)
            sessions.record_session(visit.db, chart, sent, known, visit.now)
    except _Refused as refused:
        return _visits(visit, chart, refused.fields, new_id, status=422)
    except Problem as problem:
        return _visits(visit, chart, _refused(fields, problem), new_id, status=422)
    return GoTo(f"/console/patients/{chart.patient_id}/treatment?done=recorded")


@routes.get(_SESSIONS + "/{dosing_session_id}")
def visit_page(visit: Inside, patient_id: str, dosing_session_id: str) -> Answer:
    """One visit and every version of it."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_SESSIONS, visit.now)
    session = service.read_session(visit.db, chart, entry_id(dosing_session_id), visit.now)
    return _visit(visit, chart, session, _of(session, chart))


@routes.post(_SESSIONS + "/{dosing_session_id}")
def change_visit(visit: Inside, patient_id: str, dosing_session_id: str) -> Answer:
    """Correct it, or say that it was entered in error."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.RECORD_SESSIONS, visit.now)
    session_id = entry_id(dosing_session_id)
    base_version = version(visit.form["version"])
    act = visit.form["act"]
    if act not in {"amend", "withdraw"}:
        raise not_found()
    known = entries.look_up(visit.db, chart, service.KIND, service.SESSION_TO_CHANGE, session_id)
    fields = _empty("visit").typed(visit.form)
    done = f"/console/patients/{chart.patient_id}/treatment?done="
    try:
        with visit.db.tried():
            if act == "withdraw":
                service.withdraw_session(visit.db, chart, known, base_version, visit.now)
                return GoTo(done + "withdrawn")
            stood = service.read_session(visit.db, chart, session_id, visit.now)
            sent = _read(fields, chart, session_id, stood)
            sessions.amend_session(visit.db, chart, sent, known, base_version, visit.now)
    except _Refused as refused:
        session = service.read_session(visit.db, chart, session_id, visit.now)
        return _visit(visit, chart, session, refused.fields, status=422)
    except Problem as problem:
        session = service.read_session(visit.db, chart, session_id, visit.now)
        if problem.kind in {*entries.CONFLICTS, Kind.VERSION_UNKNOWN}:
            # What was typed stays; sent again, it is made on the version that holds now.
            typed = fields if act == "amend" else _of(session, chart)
            return _visit(
                visit, chart, session, typed, status=problem.kind.status, is_overtaken=True
            )
        return _visit(visit, chart, session, _refused(fields, problem), status=422)
    return GoTo(done + "amended")


_NOT_SHOWN: Final = {
    name for name in DosingSessionIn.model_fields if name in DosingSessionOut.model_fields
} - {"id", "status", "started_at", "ended_at", "administrations"}


class _Refused(Exception):
    """A field cannot be read. fields: with what is wrong."""

    def __init__(self, fields: Fields) -> None:
        super().__init__()
        self.fields = fields


def _empty(name: str) -> Fields:
    labels = {**_OF_VISIT}
    for row in range(ROWS):
        which = f" ({row + 1})" if row else ""
        labels |= {f"{field}{row}": f"{label}{which}" for field, label in _OF_DOSE.items()}
    return Fields(name, labels)


def _of(session: DosingSessionOut, chart: Chart) -> Fields:
    """The form as it would have been filled in."""
    zone = chart.clinic.time_zone
    values: dict[str, str | list[str]] = {
        "status": session.status,
        "started_at": wall(session.started_at, zone),
        "ended_at": wall(session.ended_at, zone),
    }
    for row, one in enumerate(session.administrations[:ROWS]):
        values |= {
            f"drug{row}": one.drug,
            f"route{row}": one.route,
            f"dose_mg{row}": f"{one.dose_mg:g}",
            f"given_at{row}": wall(one.given_at, zone),
        }
    return replace(_empty("visit"), values=values)


def _read(
    fields: Fields, chart: Chart, session_id: UUID, stood: DosingSessionOut | None = None
) -> DosingSessionIn:
    """stood: the visit as it was. The form knows minutes; a time that nobody changed keeps its
    seconds.

    Raises: Problem INVALID, _Refused.
    """
    wrong = fields
    given: list[dict[str, Any]] = []
    status = fields.value("status")
    zone = chart.clinic.time_zone
    at: dict[str, str] = {}
    kept = _instants(stood, zone)
    for name in [*_OF_VISIT, *(f"given_at{row}" for row in range(ROWS))]:
        if name == "status":
            continue
        try:
            at[name] = kept.get(fields.value(name)) or instant(fields.value(name), zone)
        except ValueError as error:
            wrong = wrong.wrong_at(name, str(error))
    for row in _rows(fields):
        dose: float | None = None
        try:
            dose = float(fields.value(f"dose_mg{row}").replace(",", "."))
        except ValueError:
            wrong = wrong.wrong_at(f"dose_mg{row}", "must be a number")
        if not fields.value(f"given_at{row}"):
            wrong = wrong.wrong_at(f"given_at{row}", "is required")
        given.append(
            {
                "drug": fields.value(f"drug{row}").strip().lower(),
                "route": fields.value(f"route{row}"),
                "dose_mg": dose,
                "given_at": at.get(f"given_at{row}", ""),
            }
        )
    if wrong.errors:
        raise _Refused(wrong)
    # What the form does not show stands as it was.
    stands = stood.model_dump(mode="json", include=_NOT_SHOWN) if stood is not None else {}
    return read(
        DosingSessionIn,
        {
            **stands,
            "id": str(session_id),
            "status": status,
            "started_at": at["started_at"],
            "ended_at": at["ended_at"],
            "administrations": given,
        },
    )


def _instants(stood: DosingSessionOut | None, zone: str) -> dict[str, str]:
    """What a visit says, by how the form writes it."""
    if stood is None:
        return {}
    said = [stood.started_at, stood.ended_at, *(one.given_at for one in stood.administrations)]
    return {wall(at, zone): at.isoformat() for at in said if at is not None}


def _rows(fields: Fields) -> list[int]:
    """Rows with a dose in them; a drug or a route alone is what the form suggests."""
    return [
        row
        for row in range(ROWS)
        if fields.value(f"dose_mg{row}").strip() or fields.value(f"given_at{row}").strip()
    ]


def _refused(fields: Fields, problem: Problem) -> Fields:
    """With what is wrong, at the row that was typed."""
    rows = _rows(fields)
    told = []
    for fault in problem.faults:
        parts = fault.pointer.split("/")
        if len(parts) == 4 and parts[1] == "administrations":
            fault = fault._replace(pointer=f"/{parts[3]}{rows[int(parts[2])]}")  # noqa: PLW2901
        elif parts[1:] == ["administrations"]:
            fault = fault._replace(pointer="/dose_mg0")  # noqa: PLW2901
        told.append(fault)
    if problem.kind is Kind.ID_REUSED:
        return fields.wrong_at("", "was sent before with other values; open the page again")
    return fields.refused(Problem(problem.kind, problem.detail, told))


def _form(fields: Fields, form_id: UUID, of_version: int, chart: Chart) -> VisitForm:
    rows = range(ROWS)
    return VisitForm(fields, form_id, of_version, rows, ROUTES, STATUSES, chart.clinic.time_zone)


def _visits(
    visit: Visit,
    chart: Chart,
    fields: Fields,
    new_id: UUID,
    *,
    cursor: str | None = None,
    status: int = 200,
    done: str = "",
) -> Shown:
    page = listing.read_sessions(visit.db, chart, cursor=cursor, limit=20, now=visit.now)
    here = f"/console/patients/{chart.patient_id}/treatment"
    view = Visits(
        sessions=page.dosing_sessions,
        next_page=page.next_cursor and with_query(here, cursor=page.next_cursor),
        form=_form(fields, new_id, 0, chart),
    )
    return shown(visit, chart, "treatment", "Treatment", view, status=status, done=done)


def _visit(
    visit: Visit,
    chart: Chart,
    session: DosingSessionOut,
    fields: Fields,
    *,
    status: int = 200,
    is_overtaken: bool = False,
) -> Shown:
    is_there = session.status != ENTERED_IN_ERROR and len(session.administrations) <= ROWS
    may = is_there and service.RECORD_SESSIONS.is_granted(chart)
    view = OneVisit(
        session=session,
        versions=service.session_versions(visit.db, chart, session.id, visit.now).versions[::-1],
        form=_form(fields, session.id, session.version, chart) if may else None,
        is_overtaken=is_overtaken,
    )
    page = shown(visit, chart, "treatment", "A visit", view, status=status)
    return replace(page, template="patient_visit.html")
