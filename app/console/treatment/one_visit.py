"""One visit: what was given, what came before and after it, and every version of it."""

from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query

from app.console.door import Answer, GoTo, Inside, Shown, Visit, page_router
from app.console.forms import Fields, version
from app.console.record import PATIENT, shown
from app.console.treatment import checklist, dose_form, leaving, readings, side_effects
from app.console.treatment.acts import Act, ActAnywhere, Refused
from app.console.treatment.checklist import Checklist
from app.console.treatment.dose_form import ROWS, VisitForm
from app.console.treatment.leaving import Leaving, TakenHome
from app.console.treatment.readings import Readings
from app.console.treatment.side_effects import SideEffects
from app.course.courses import service as courses
from app.course.courses.schemas import CourseOut
from app.course.sessions import service as sessions
from app.kernel import entries
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.errors import Kind, Problem, not_found
from app.people.chart import Chart, entry_id, open_chart
from app.treatment import service
from app.treatment.schemas import DosingSessionOut, DosingSessionVersion

routes = page_router()
_ONE: Final = PATIENT + "/treatment/{dosing_session_id}"
_ACTS: Final[dict[str, Act | ActAnywhere]] = {
    **readings.ACTS,
    **side_effects.ACTS,
    **checklist.ACTS,
    **leaving.ACTS,
}


@dataclass(frozen=True, slots=True)
class OneVisit:
    """A visit, its parts, its versions, and the form to correct it.

    A part is None for whoever may not read it, and where there is none. refused: the form that
    could not be taken, if one was sent. sees: the page's parts, for links to them.
    """

    session: DosingSessionOut
    course: CourseOut | None
    checklist: Checklist | None
    readings: Readings | None
    effects: SideEffects | None
    leaving: Leaving | None
    home: TakenHome | None
    versions: list[DosingSessionVersion]
    form: VisitForm | None
    is_overtaken: bool
    refused: Fields | None

    @property
    def sees(self) -> list[tuple[str, str]]:
        """Where to go on this page: the part's id, and what it is called."""
        parts = [
            (self.checklist, "before", "Before the dose"),
            (self.readings, "signs", "Vital signs"),
            (self.effects, "effects", "Side effects"),
            (self.leaving, "leaving", "Going home"),
            (self.home, "home", "Aftercare"),
        ]
        return [(which, label) for part, which, label in parts if part is not None]


@routes.get(_ONE)
def visit_page(
    visit: Inside,
    patient_id: str,
    dosing_session_id: str,
    done: Annotated[str, Query(max_length=20)] = "",
) -> Answer:
    """One visit, everything recorded at it, and every version of it."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_SESSIONS, visit.now)
    session = service.read_session(visit.db, chart, entry_id(dosing_session_id), visit.now)
    return _visit(visit, chart, session, dose_form.filled_in(session, chart), done=done)


@routes.post(_ONE)
def act_on_visit(visit: Inside, patient_id: str, dosing_session_id: str) -> Answer:
    """Correct it or say that it was entered in error; or record something at it."""
    name = visit.form["act"]
    session_id = entry_id(dosing_session_id)
    if name in {"amend", "withdraw"}:
        return _change(visit, patient_id, session_id, name)
    act = _ACTS.get(name)
    if act is None:
        raise not_found()
    chart = open_chart(visit.db, visit.caller, patient_id, act.right, visit.now)
    session = service.read_session(visit.db, chart, session_id, visit.now)
    try:
        with visit.db.tried():
            act.send(visit, chart, session_id)
    except Refused as refused:
        return _visit(
            visit,
            chart,
            session,
            dose_form.filled_in(session, chart),
            refused=refused.fields,
            status=refused.status,
        )
    here = f"/console/patients/{chart.patient_id}/treatment/{session_id}"
    return GoTo(f"{here}?done={act.done}")


def _change(visit: Visit, patient_id: str, session_id: UUID, act: str) -> Answer:
    chart = open_chart(visit.db, visit.caller, patient_id, service.RECORD_SESSIONS, visit.now)
    base_version = version(visit.form["version"])
    known = entries.look_up(visit.db, chart, service.KIND, service.SESSION_TO_CHANGE, session_id)
    fields = dose_form.empty("visit").typed(visit.form)
    done = f"/console/patients/{chart.patient_id}/treatment?done="
    try:
        with visit.db.tried():
            if act == "withdraw":
                service.withdraw_session(visit.db, chart, known, base_version, visit.now)
                return GoTo(done + "withdrawn")
            stood = service.read_session(visit.db, chart, session_id, visit.now)
            sent = dose_form.read_visit(fields, chart, session_id, stood)
            sessions.amend_session(visit.db, chart, sent, known, base_version, visit.now)
    except Refused as refused:
        session = service.read_session(visit.db, chart, session_id, visit.now)
        return _visit(visit, chart, session, refused.fields, status=422)
    except Problem as problem:
        session = service.read_session(visit.db, chart, session_id, visit.now)
        if problem.kind in {*entries.CONFLICTS, Kind.VERSION_UNKNOWN}:
            # What was typed stays; sent again, it is made on the version that holds now.
            typed = fields if act == "amend" else dose_form.filled_in(session, chart)
            return _visit(
                visit, chart, session, typed, status=problem.kind.status, is_overtaken=True
            )
        said = dose_form.refused(fields, problem)
        return _visit(visit, chart, session, said, status=422)
    return GoTo(f"/console/patients/{chart.patient_id}/treatment/{session_id}?done=amended")


def _visit(
    visit: Visit,
    chart: Chart,
    session: DosingSessionOut,
    fields: Fields,
    *,
    refused: Fields | None = None,
    status: int = 200,
    is_overtaken: bool = False,
    done: str = "",
) -> Shown:
    """refused: another form of this page than that of the visit itself."""
    is_there = session.status != ENTERED_IN_ERROR and len(session.administrations) <= ROWS
    may = is_there and service.RECORD_SESSIONS.is_granted(chart)
    course = _course(visit, chart, session)
    choices = [one for one in (course, courses.open_course(visit.db, chart)) if one is not None]
    one_each = list({one.id: one for one in choices}.values())

    def typed(name: str) -> Fields | None:
        """What was typed into the form of this name, or of one that is about an entry."""
        is_it = refused is not None and refused.name.partition("-")[0] == name
        return refused if is_it else None

    gate = leaving.show_gate(visit, chart, session, typed("leave"))
    if done == "left" and (gate is None or gate.gate.discharge is None):
        done = ""  # the page was loaded again, and somebody took it back since
    view = OneVisit(
        session=session,
        course=course,
        checklist=checklist.show(visit, chart, session, typed("check")),
        readings=readings.show(visit, chart, session, typed("reading")),
        effects=side_effects.show(visit, chart, session, typed("effect")),
        leaving=gate,
        home=leaving.show_home(visit, chart, session, typed("home")),
        versions=service.session_versions(visit.db, chart, session.id, visit.now).versions[::-1],
        form=dose_form.form_of(fields, session.id, session.version, chart, one_each)
        if may
        else None,
        is_overtaken=is_overtaken,
        refused=refused,
    )
    return shown(visit, chart, "visit", "A visit", view, status=status, done=done)


def _course(visit: Visit, chart: Chart, session: DosingSessionOut) -> CourseOut | None:
    if session.course_id is None or not courses.COURSES.read_right.is_granted(chart):
        return None
    return courses.COURSES.read(visit.db, chart, session.course_id)
