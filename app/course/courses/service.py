"""Courses."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, bindparam, func, literal_column, not_, select

from app.checkins import schedule
from app.clinical import course as rules
from app.clinical.course import CourseState
from app.clinical.protocol import CoursePlan
from app.course.courses.schemas import CourseIn, CourseOut
from app.course.courses.tables import Course
from app.course.eligibility.service import TREATING, standing_out, stands
from app.journal.shelf import Kept, Shelf
from app.kernel.db import Db, Query
from app.kernel.entries import ENTERED_IN_ERROR, illegal_move
from app.kernel.errors import Kind, Problem, invalid
from app.kernel.tables import columns
from app.people.chart import Chart, Right
from app.people.published import SHIPPED_VERSION
from app.treatment.service import IN_CALENDAR, WAS_GIVEN
from app.treatment.tables import DosingSession

_S = CourseState
_course = columns(Course)
_ENDED: Final = tuple(state for state in CourseState if state not in rules.OPEN)


def _action(before: Kept, after: Kept) -> str:
    """The ledger's word for an amendment: the move, if it is one."""
    was, is_ = _S(before.status), _S(after.status)
    if was is is_:
        return "amended"
    if rules.is_reopening(was, is_):
        return "reopened"
    if was is _S.PAUSED and is_ in rules.TAKES_DOSES:
        return "resumed"
    if is_ is _S.ACTIVE:
        return "started" if was is _S.PLANNED else "intensified"
    return "maintained" if is_ is _S.MAINTENANCE else str(is_)


def _planned(
    db: Db, chart: Chart, sent: CourseIn, row: Kept, before: Kept | None, now: datetime
) -> dict[str, Any]:
    """What a course says that nobody sends, and what it refuses.

    Raises: Problem INVALID, ILLEGAL_MOVE, COURSE_OPEN, NOT_SCREENED, HARD_STOP.
    """
    plan = _plan_of(db, sent)
    after = _S(sent.status)
    kept = COURSES.told(chart, before) if before is not None else None
    moves = _check_move(before, after, sent)
    if after in rules.OPEN:
        others = COURSES.found(db, chart, OPEN_COURSES)
        if any(one.id != row.id for one in others):
            raise Problem(Kind.COURSE_OPEN)
    eligible = kept.eligibility.model_dump(mode="json") if kept and kept.eligibility else None
    if moves and after in rules.TAKES_DOSES:
        eligible = _eligible(db, chart)
    return {
        "may_move_to": list(rules.moves_from(after)),
        "outside_protocol": _outside(plan, sent),
        "eligibility": eligible,
    }


COURSES: Final = Shelf(
    "course",
    Course,
    CourseIn,
    CourseOut,
    created="planned",
    read=Right("courses.read"),
    write=Right("courses.plan", is_for_patient=False, privileges=TREATING),
    derive=_planned,
    action=_action,
)
OPEN_COURSES = COURSES.query(*(_course.status != literal_column(f"'{state}'") for state in _ENDED))


def open_course(db: Db, chart: Chart) -> CourseOut | None:
    """The patient's course that has not ended, if there is one."""
    found = COURSES.found(db, chart, OPEN_COURSES)
    return found[0] if found else None


class Held(NamedTuple):
    """Visits of a course. given: with a dose; planned: still in the calendar."""

    given: int
    planned: int


NOTHING_HELD: Final = Held(0, 0)
_session = columns(DosingSession)
_OF_COURSES = (
    _session.clinic_id == bindparam("clinic_id"),
    _session.patient_id == bindparam("patient_id"),
    _session.course_id.is_not(None),
    IN_CALENDAR,
)
HELD = Query(
    select(
        _session.course_id,
        func.count(literal_column("1"), type_=BigInteger).filter(WAS_GIVEN),
        func.count(literal_column("1"), type_=BigInteger).filter(not_(WAS_GIVEN)),
    )
    .where(*_OF_COURSES)
    .group_by(_session.course_id),
    lambda course_id, given, planned: (course_id, Held(given, planned)),
)


def held_in(db: Db, chart: Chart) -> dict[UUID, Held]:
    """How many visits name each of the patient's courses; none of those that were withdrawn."""
    return dict(db.all(HELD, patient_id=chart.patient_id))


def state_of(db: Db, chart: Chart, course_id: UUID) -> CourseState | None:
    """Where one of the patient's courses stands; None: there is none, or it was withdrawn."""
    found = db.first(COURSES.one, patient_id=chart.patient_id, id=course_id)
    if found is None or found.status == ENTERED_IN_ERROR:
        return None
    return CourseState(found.status)


def _plan_of(db: Db, sent: CourseIn) -> CoursePlan:
    version = sent.protocol_version
    if version != SHIPPED_VERSION and schedule.PROTOCOLS.numbered(db, version) is None:
        raise invalid("/protocol_version", "is no version that this clinic has published")
    plan = schedule.protocol_of_version(db, version).protocol.sections.course
    if sent.indication not in {one.key for one in plan.indications}:
        raise invalid("/indication", "is not one that this version of the protocol lists")
    return plan


def _check_move(before: Kept | None, after: CourseState, sent: CourseIn) -> bool:
    """Whether it goes from one state to another. Raises: Problem ILLEGAL_MOVE, INVALID."""
    if before is None:
        if after is not rules.FIRST:
            raise invalid("/status", "must be planned for a new course")
        return False
    was = _S(before.status)
    if was is after:
        return False
    if not rules.may_move(was, after):
        raise illegal_move(was, rules.moves_from(was))
    if rules.needs_reason(was, after) and sent.reason is None:
        raise invalid("/reason", "is required to pause, stop or reopen a course")
    return True


def _eligible(db: Db, chart: Chart) -> dict[str, Any]:
    """How the screening stands as doses begin. Raises: Problem NOT_SCREENED, HARD_STOP."""
    stood = stands(db, chart)
    if stood is None:
        raise Problem(Kind.NOT_SCREENED)
    if stood.standing.stops:
        raise Problem(Kind.HARD_STOP, extra={"stops": list(stood.standing.stops)})
    return standing_out(stood).model_dump(mode="json")


def _outside(plan: CoursePlan, sent: CourseIn) -> list[str]:
    planned = {
        "planned_sessions": (sent.planned_sessions, plan.sessions),
        "spacing_days": (sent.spacing_days, plan.spacing_days),
    }
    return [
        name
        for name, (value, (least, most)) in planned.items()
        if value is not None and not least <= value <= most
    ]
