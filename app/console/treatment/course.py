"""The course of treatment: its plan, where it stands and may go, and what was given so far."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from fastapi import Query

from app.checkins import schedule
from app.clinical import course as rules
from app.clinical.course import CourseState
from app.clinical.protocol import CoursePlan
from app.console.door import Answer, GoTo, Inside, Shown, Visit, page_router
from app.console.forms import Fields, read, version
from app.console.record import PATIENT, shown
from app.console.treatment.acts import Refused, first_sent, made_with, numeric, refusing
from app.course.courses import service
from app.course.courses.schemas import CourseIn, CourseOut
from app.course.courses.service import COURSES, Held
from app.course.exposure import service as exposure
from app.course.exposure.schemas import ExposureOut
from app.kernel import entries
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.errors import Kind, Problem, not_found
from app.people.chart import Chart, entry_id, open_chart

routes = page_router()
_COURSE: Final = PATIENT + "/course"
_SHOWN: Final = 20
_PLAN: Final = {
    "indication": "For",
    "planned_sessions": "Sessions planned",
    "spacing_days": "Days from one to the next",
    "note": "Note",
}
_MOVE: Final = {"status": "Where it goes", "reason": "Reason"}


@dataclass(frozen=True, slots=True)
class OneCourse:
    """A course. held: its visits. indication: in the protocol's words.

    move, plan: forms; None for whoever may not, or where it cannot go.
    """

    entry: CourseOut
    indication: str
    held: Held
    moves: list[str]
    move: Fields | None
    plan: Fields | None
    indications: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Courses:
    """All of them, newest first; the form for a new one, where none is open; and the exposure.

    may: whether the reader plans courses. foreseen: what the protocol in force says of one.
    """

    courses: list[OneCourse]
    form: Fields | None
    form_id: str
    may: bool
    foreseen: CoursePlan
    protocol_version: int
    indications: list[tuple[str, str]]
    exposure: ExposureOut | None
    refused: Fields | None


@routes.get(_COURSE)
def course_page(
    visit: Inside, patient_id: str, done: Annotated[str, Query(max_length=20)] = ""
) -> Answer:
    """Courses, and what was given so far."""
    chart = open_chart(visit.db, visit.caller, patient_id, COURSES.read_right, visit.now)
    return _page(visit, chart, done=done)


@routes.post(_COURSE)
def act_on_course(visit: Inside, patient_id: str) -> Answer:
    """Plan a course, move it, correct its plan, or say that it was entered in error."""
    act = visit.form["act"]
    if act not in {"plan", "move", "correct", "withdraw"}:
        raise not_found()
    chart = open_chart(visit.db, visit.caller, patient_id, COURSES.write_right, visit.now)
    try:
        with visit.db.tried():
            if act == "plan":
                _plan(visit, chart)
            else:
                _change(visit, chart, act)
    except Refused as refused:
        return _page(visit, chart, refused=refused.fields, status=refused.status)
    done = {"plan": "planned", "withdraw": "in-error"}.get(act, "changed")
    return GoTo(f"/console/patients/{chart.patient_id}/course?done={done}")


def _plan(visit: Visit, chart: Chart) -> None:
    fields = Fields("plan", _PLAN).typed(visit.form)
    new_id = entry_id(visit.form["id"])
    known = entries.known_before(visit.db, chart, COURSES.kind, COURSES.to_change, new_id)
    members = {
        **_typed(fields),
        "id": str(new_id),
        "recorded_at": first_sent(known, visit),
        "protocol_version": version(visit.form["protocol_version"]),
    }
    with refusing(fields):
        COURSES.create(visit.db, chart, read(CourseIn, members), known, visit.now)


def _change(visit: Visit, chart: Chart, act: str) -> None:
    which = entry_id(visit.form["course"])
    known = entries.look_up(visit.db, chart, COURSES.kind, COURSES.to_change, which)
    stands = COURSES.read(visit.db, chart, which)
    base = version(visit.form["version"])
    stood: dict[str, Any] = stands.model_dump(mode="json", include=set(CourseIn.model_fields))
    fields = Fields(f"{act}-{which}", _MOVE if act == "move" else _PLAN).typed(visit.form)
    if act == "correct":
        members = {**stood, **_typed(fields)}
    else:
        members = {**stood, "status": fields.value("status"), "reason": fields.value("reason")}
    with refusing(fields):
        if act == "withdraw":
            COURSES.withdraw(visit.db, chart, known, base, visit.now)
        elif act == "move" and not fields.value("status"):
            raise Refused(fields.wrong_at("status", "is required"))
        elif stands.status == ENTERED_IN_ERROR:
            raise Problem(Kind.WITHDRAWN)
        else:
            COURSES.amend(visit.db, chart, read(CourseIn, members), known, base, visit.now)


def _typed(fields: Fields) -> dict[str, Any]:
    return {
        "indication": fields.value("indication"),
        "planned_sessions": numeric(fields.value("planned_sessions")),
        "spacing_days": numeric(fields.value("spacing_days")),
        "note": fields.value("note"),
    }


def _page(
    visit: Visit,
    chart: Chart,
    *,
    refused: Fields | None = None,
    status: int = 200,
    done: str = "",
) -> Shown:
    db = visit.db
    held = schedule.protocol_in_force(db)
    foreseen = held.protocol.sections.course
    found = COURSES.page(db, chart, cursor=None, limit=_SHOWN).entries
    visits = service.held_in(db, chart)
    may = COURSES.write_right.is_granted(chart)
    is_open = any(CourseState(one.status) in rules.OPEN for one in found)
    is_planned = refused is not None and refused.name == "plan"
    new = replace(
        Fields("plan", _PLAN),
        values={"planned_sessions": str(foreseen.sessions[0]), "spacing_days": ""},
    )
    told = None
    if exposure.READ_EXPOSURE.is_granted(chart):
        told = exposure.read_exposure(db, chart, visit.now)
    form = refused if is_planned else new
    view = Courses(
        courses=[
            _one(visit, one, visits.get(one.id, service.NOTHING_HELD), refused, may=may)
            for one in found
        ],
        form=form if may and (is_planned or not is_open) else None,
        form_id=made_with(visit, refused if is_planned else None),
        may=may,
        foreseen=foreseen,
        protocol_version=held.version,
        indications=[(one.key, one.label) for one in foreseen.indications],
        exposure=told,
        refused=refused,
    )
    return shown(visit, chart, "course", "Course", view, status=status, done=done)


def _one(
    visit: Visit, entry: CourseOut, held: Held, refused: Fields | None, *, may: bool
) -> OneCourse:
    by = schedule.protocol_of_version(visit.db, entry.protocol_version).protocol.sections.course
    names = {one.key: one.label for one in by.indications}

    def form(act: str, made: Fields) -> Fields:
        """What was typed, or else the form as it is made."""
        is_it = refused is not None and refused.name == f"{act}-{entry.id}"
        return refused if is_it and refused is not None else made

    plan = replace(
        Fields(f"correct-{entry.id}", _PLAN),
        values={
            "indication": entry.indication,
            "planned_sessions": str(entry.planned_sessions),
            "spacing_days": str(entry.spacing_days or ""),
            "note": entry.note or "",
        },
    )
    return OneCourse(
        entry=entry,
        indication=names.get(entry.indication, entry.indication),
        held=held,
        moves=entry.may_move_to,
        move=form("move", Fields(f"move-{entry.id}", _MOVE)) if may and entry.may_move_to else None,
        plan=form("correct", plan) if may else None,
        indications=list(names.items()),
    )
