"""Recording and correcting a visit, with what its course, its checklist and its readings say."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.clinical.course import OPEN
from app.course.courses import service as courses
from app.course.preparation import service as preparation
from app.course.vital_signs import service as vital_signs
from app.kernel.db import Db
from app.kernel.entries import Known
from app.kernel.errors import invalid
from app.people.chart import Chart
from app.treatment import service as treatment
from app.treatment.form import SessionRow
from app.treatment.schemas import DosingSessionIn, DosingSessionOut


def record_session(
    db: Db, chart: Chart, sent: DosingSessionIn, known: Known[SessionRow], now: datetime
) -> tuple[DosingSessionOut, bool]:
    """Record a visit, or plan one. Returns: it, and whether it is new (False: a retry).

    Raises: Problem as `treatment.record_session`, INVALID (the course).
    """
    was_open = _open_at_dose(db, chart, sent, known.row, None, now)
    told, is_new = treatment.record_session(db, chart, sent, known, now, was_open)
    if is_new:
        _check_course(db, chart, sent, None)
    return told, is_new


def amend_session(
    db: Db,
    chart: Chart,
    sent: DosingSessionIn,
    known: Known[SessionRow],
    base_version: int,
    now: datetime,
) -> DosingSessionOut:
    """Correct a visit, or say what became of a planned one.

    Raises: Problem as `treatment.amend_session`, INVALID (the course).
    """
    before = known.row
    was_open = None
    if before is not None:
        was_open = _open_at_dose(db, chart, sent, before, before.id, now)
    told = treatment.amend_session(db, chart, sent, known, base_version, now, was_open)
    if before is not None and told.version == before.version:
        return told  # a retry
    _check_course(db, chart, sent, before)
    if told.vitals is None:
        return told
    vitals = vital_signs.compute_anew(db, chart, told.id, now)
    return told.model_copy(update={"vitals": vitals})


def _open_at_dose(
    db: Db,
    chart: Chart,
    sent: DosingSessionIn,
    before: SessionRow | None,
    session_id: UUID | None,
    now: datetime,
) -> dict[str, Any] | None:
    """What was open, where this is how a visit gets its first dose."""
    has_dose = before is not None and before.status in treatment.GIVEN_IN
    if has_dose or not sent.administrations:
        return None
    return preparation.open_at_dose(db, chart, sent, session_id, now)


def _check_course(db: Db, chart: Chart, sent: DosingSessionIn, before: SessionRow | None) -> None:
    """Nobody plans a visit in a course that has ended; what was given is kept all the same, and
    warned of (`course-ended`): a dose is a fact, also one that is recorded a week late.

    Asked once the change is on its way, so that a retry is known for one whatever became of the
    course. Raises: Problem INVALID.
    """
    course_id = sent.course_id
    was_said = before is not None and before.course_id == course_id
    if course_id is None or (was_said and before is not None and before.status == sent.status):
        return
    state = courses.state_of(db, chart, course_id)
    if state is None and not was_said:
        raise invalid("/course_id", "is not one of the patient's courses")
    if sent.status == "preparation" and state not in OPEN:
        raise invalid("/course_id", "names a course that has ended; nothing is planned in it")
