"""A patient's visits, newest first, and recording one."""

from dataclasses import dataclass, replace
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query
from uuid_utils.compat import uuid7

from app.console.door import Answer, GoTo, Inside, Shown, Visit, page_router, with_query
from app.console.forms import Fields
from app.console.record import PATIENT, shown
from app.console.treatment import dose_form, side_effects
from app.console.treatment.acts import Refused
from app.console.treatment.dose_form import VisitForm
from app.console.treatment.side_effects import SideEffects
from app.course.courses import service as courses
from app.course.sessions import service as sessions
from app.kernel import entries
from app.kernel.errors import Problem, not_found
from app.kernel.paging import Cursor
from app.people.chart import Chart, entry_id, open_chart
from app.treatment import listing, service
from app.treatment.schemas import DosingSessionOut

routes = page_router()
VISITS: Final = PATIENT + "/treatment"


@dataclass(frozen=True, slots=True)
class Visits:
    """A patient's visits and the form for a new one.

    effects: the newest side effects, also those that belong to no visit; None for whoever may not
    read them. refused: the form of one that could not be taken, if one was sent.
    """

    sessions: list[DosingSessionOut]
    next_page: str | None
    form: VisitForm
    effects: SideEffects | None
    refused: Fields | None


@routes.get(VISITS)
def treatment_page(
    visit: Inside,
    patient_id: str,
    cursor: Cursor = None,
    done: Annotated[str, Query(max_length=20)] = "",
) -> Answer:
    """Visits, newest first."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_SESSIONS, visit.now)
    return _visits(visit, chart, _suggested(), uuid7(), cursor=cursor, done=done)


@routes.post(VISITS)
def record_visit(visit: Inside, patient_id: str) -> Answer:
    """Record a visit and what was given, or plan one; tell of a side effect of no visit."""
    if visit.form["act"]:
        return _act(visit, patient_id, visit.form["act"])
    chart = open_chart(visit.db, visit.caller, patient_id, service.RECORD_SESSIONS, visit.now)
    fields = dose_form.empty("dose").typed(visit.form)
    new_id = entry_id(visit.form["id"])
    try:
        with visit.db.tried():
            sent = dose_form.read_visit(fields, chart, new_id)
            known = entries.known_before(visit.db, chart, service.KIND, service.SESSION, sent.id)
            sessions.record_session(visit.db, chart, sent, known, visit.now)
    except Refused as refused:
        return _visits(visit, chart, refused.fields, new_id, status=422)
    except Problem as problem:
        said = dose_form.refused(fields, problem)
        return _visits(visit, chart, said, new_id, status=422)
    return GoTo(f"/console/patients/{chart.patient_id}/treatment?done=recorded")


def _act(visit: Visit, patient_id: str, name: str) -> Answer:
    act = side_effects.ACTS.get(name)
    if act is None:
        raise not_found()
    chart = open_chart(visit.db, visit.caller, patient_id, act.right, visit.now)
    try:
        with visit.db.tried():
            act.send(visit, chart, None)
    except Refused as refused:
        told, status = refused.fields, refused.status
        return _visits(visit, chart, _suggested(), uuid7(), effect=told, status=status)
    return GoTo(f"/console/patients/{chart.patient_id}/treatment?done={act.done}")


def _suggested() -> Fields:
    values = {"status": "completed", "drug0": "ketamine", "route0": "im"}
    return replace(dose_form.empty("dose"), values=values)


def _visits(
    visit: Visit,
    chart: Chart,
    fields: Fields,
    new_id: UUID,
    *,
    effect: Fields | None = None,
    cursor: str | None = None,
    status: int = 200,
    done: str = "",
) -> Shown:
    page = listing.read_sessions(visit.db, chart, cursor=cursor, limit=20, now=visit.now)
    here = f"/console/patients/{chart.patient_id}/treatment"
    course = courses.open_course(visit.db, chart)
    view = Visits(
        sessions=page.dosing_sessions,
        next_page=page.next_cursor and with_query(here, cursor=page.next_cursor),
        form=dose_form.form_of(fields, new_id, 0, chart, [course] if course else []),
        effects=side_effects.show_all(visit, chart, effect),
        refused=effect,
    )
    return shown(visit, chart, "treatment", "Treatment", view, status=status, done=done)
