"""A patient's visits, newest first, and recording one."""

from dataclasses import dataclass, replace
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query
from uuid_utils.compat import uuid7

from app.console.door import Answer, GoTo, Inside, Shown, Visit, page_router, with_query
from app.console.forms import Fields
from app.console.record import PATIENT, shown
from app.console.treatment import dose_form
from app.console.treatment.acts import Refused
from app.console.treatment.dose_form import VisitForm
from app.course.courses import service as courses
from app.course.sessions import service as sessions
from app.course.side_effects.schemas import SideEffectOut
from app.course.side_effects.service import SIDE_EFFECTS
from app.journal.reading import Listed
from app.kernel import entries
from app.kernel.errors import Problem
from app.kernel.paging import Cursor
from app.people.chart import Chart, entry_id, open_chart
from app.treatment import listing, service
from app.treatment.schemas import DosingSessionOut

routes = page_router()
VISITS: Final = PATIENT + "/treatment"
_EFFECTS: Final = 20


@dataclass(frozen=True, slots=True)
class Visits:
    """A patient's visits and the form for a new one.

    effects: the newest side effects, also those that belong to no visit; empty for whoever may not
    read them. has_more_effects: there are older ones.
    """

    sessions: list[DosingSessionOut]
    next_page: str | None
    form: VisitForm
    effects: list[SideEffectOut]
    has_more_effects: bool


@routes.get(VISITS)
def treatment_page(
    visit: Inside,
    patient_id: str,
    cursor: Cursor = None,
    done: Annotated[str, Query(max_length=20)] = "",
) -> Answer:
    """Visits, newest first."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_SESSIONS, visit.now)
    new = replace(
        dose_form.empty("dose"),
        values={"status": "completed", "drug0": "ketamine", "route0": "im"},
    )
    return _visits(visit, chart, new, uuid7(), cursor=cursor, done=done)


@routes.post(VISITS)
def record_visit(visit: Inside, patient_id: str) -> Answer:
    """Record a visit and what was given, or plan one."""
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
    course = courses.open_course(visit.db, chart)
    effects = _effects(visit, chart)
    view = Visits(
        sessions=page.dosing_sessions,
        next_page=page.next_cursor and with_query(here, cursor=page.next_cursor),
        form=dose_form.form_of(fields, new_id, 0, chart, [course] if course else []),
        effects=effects.entries,
        has_more_effects=effects.next_cursor is not None,
    )
    return shown(visit, chart, "treatment", "Treatment", view, status=status, done=done)


def _effects(visit: Visit, chart: Chart) -> Listed[SideEffectOut]:
    """What was noticed at home has no other page than this."""
    if not SIDE_EFFECTS.read_right.is_granted(chart):
        return Listed([], None)
    return SIDE_EFFECTS.page(visit.db, chart, cursor=None, limit=_EFFECTS)
