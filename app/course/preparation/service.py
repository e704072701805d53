"""The checklist before a dose."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, bindparam, func, literal_column, select

from app.checkins import schedule
from app.clinical import preparation, vitals
from app.clinical.course import OPEN, TAKES_DOSES
from app.clinical.preparation import Said, Stands
from app.clinical.protocol import Sections
from app.course.courses.service import open_course, state_of
from app.course.eligibility.service import stands
from app.course.preparation import facts
from app.course.preparation.schemas import (
    CheckReadingIn,
    FoundItemOut,
    FoundOut,
    PreparationCheckIn,
    PreparationCheckOut,
    PreparationIn,
    PreparationOut,
    ReadingOut,
    SessionPreparationOut,
)
from app.course.preparation.tables import Preparation, PreparationCheck
from app.course.vital_signs import service as vital_signs
from app.journal.shelf import Kept, Shelf
from app.kernel.clock import instant_of, microseconds
from app.kernel.db import Db, Query, itself
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.errors import Fault, Kind, Problem, invalid, not_found
from app.kernel.tables import columns
from app.people.chart import CARE, Chart, Right
from app.safety.tables import Flag
from app.treatment import service as treatment
from app.treatment.faults import AHEAD
from app.treatment.form import SessionRow
from app.treatment.schemas import DosingSessionIn, OpenAtDoseOut

READ_PREPARATION: Final = Right("preparation.read")

# Items that the record itself speaks to; what a clinic adds goes by what people say.
CONSENT: Final = "consent-current"
RISK: Final = "risk-screen"
PRESSURE: Final = "blood-pressure"


_preparation = columns(Preparation)
_check = columns(PreparationCheck)
_flag = columns(Flag)
OPEN_FLAGS = Query(
    select(func.count(literal_column("1"), type_=BigInteger)).where(
        _flag.clinic_id == bindparam("clinic_id"),
        _flag.patient_id == bindparam("patient_id"),
        _flag.status != literal_column("'resolved'"),
    ),
    itself,
)


def _answered(
    db: Db, chart: Chart, sent: PreparationIn, _: Kept, __: Kept | None, ___: datetime
) -> dict[str, Any]:
    """What patients are not asked is not answered by them. Raises: Problem INVALID."""
    _session_of(db, chart, sent.dosing_session_id)
    held = schedule.protocol_in_force(db).protocol.sections.preparation
    others = {one.key for one in held.items if one.kind != "asked-patient"}
    if others & sent.answers.keys():
        raise invalid("/answers", "answers what the protocol does not ask of patients")
    return {}


def _checked(
    db: Db, chart: Chart, sent: PreparationCheckIn, row: Kept, _: Kept | None, now: datetime
) -> dict[str, Any]:
    """What was found with this check. Raises: Problem INVALID."""
    session = _session_of(db, chart, sent.dosing_session_id)
    visit = _visit(session, now)
    held = schedule.protocol_at(db, visit.until)
    faults = list(_wrong_with(sent, held.protocol.sections, now))
    if faults:
        raise Problem(Kind.INVALID, faults=faults)
    others = [one for one in _checks(db, chart, session.id) if one.id != row.id]
    this = _Check(row.effective_at, sent.answers, _measured(sent.reading), None)
    checks = [*(_of(one) for one in others), this]
    found = _found(db, chart, visit, held, checks, now)
    return {"protocol_version": held.version, "found": found.model_dump(mode="json")}


PREPARATIONS: Final = Shelf(
    "preparation",
    Preparation,
    PreparationIn,
    PreparationOut,
    created="answered",
    read=Right("preparations.read"),
    write=Right("preparations.answer", privileges=frozenset()),
    derive=_answered,
)
CHECKS: Final = Shelf(
    "preparation_check",
    PreparationCheck,
    PreparationCheckIn,
    PreparationCheckOut,
    created="recorded",
    read=Right("preparation_checks.read"),
    write=Right("preparation_checks.record", is_for_patient=False, privileges=CARE),
    derive=_checked,
)
PREPARATIONS_OF = PREPARATIONS.query(
    _preparation.dosing_session_id == bindparam("dosing_session_id")
)
CHECKS_OF = CHECKS.query(_check.dosing_session_id == bindparam("dosing_session_id"))


class _Check(NamedTuple):
    at: datetime
    answers: dict[str, Any]
    reading: vitals.Reading | None
    found: FoundOut | None


class _Warned(NamedTuple):
    warnings: list[str]
    stops: list[str]


class _Visit(NamedTuple):
    """A visit as its checklist goes by it. until: the first dose, or now while there was none.

    kept: what else warned when its first dose was recorded, where that was kept.
    """

    id: UUID
    course_id: UUID | None
    started_at: datetime
    until: datetime
    kept: _Warned | None


def read_preparation(
    db: Db, chart: Chart, session_id: UUID, now: datetime
) -> SessionPreparationOut:
    """Every item of a visit's checklist, met, not met or unknown; and what else warns.

    Raises: Problem NOT_FOUND.
    """
    session = db.first(treatment.SESSION, patient_id=chart.patient_id, id=session_id)
    if session is None:
        raise not_found()
    visit = _visit(session, now)
    checks = [_of(one) for one in _checks(db, chart, visit.id)]
    found = _found(db, chart, visit, schedule.protocol_at(db, visit.until), checks, now)
    return SessionPreparationOut(
        dosing_session_id=visit.id,
        is_checked=any(one.at <= visit.until for one in checks),
        **dict(found),
    )


def open_at_dose(
    db: Db, chart: Chart, sent: DosingSessionIn, session_id: UUID | None, now: datetime
) -> dict[str, Any]:
    """What of the checklist is open as the first dose of a visit is recorded, to be kept with it.

    sent: the visit with its doses. session_id: None for a visit that nobody planned; nothing can
        have been said of it before.
    Returns: the members of `OpenAtDoseOut`, as JSON.
    """
    first = min(one.given_at for one in sent.administrations)
    visit = _Visit(
        id=session_id or UUID(int=0),
        course_id=sent.course_id,
        started_at=sent.started_at or first,
        until=first,
        kept=None,
    )
    checks = [_of(one) for one in _checks(db, chart, visit.id)] if session_id else []
    held = schedule.protocol_at(db, visit.until)
    found = _found(db, chart, visit._replace(kept=_warns(db, chart, visit)), held, checks, now)
    told = OpenAtDoseOut(
        **found.model_dump(exclude={"items"}),
        recorded_at=now,
        is_checked=any(one.at <= visit.until for one in checks),
    )
    return told.model_dump(mode="json")


def _session_of(db: Db, chart: Chart, session_id: UUID) -> SessionRow:
    """Raises: Problem INVALID."""
    session = db.first(treatment.SESSION, patient_id=chart.patient_id, id=session_id)
    if session is None or session.status == ENTERED_IN_ERROR:
        raise invalid("/dosing_session_id", "is not one of the patient's dosing sessions")
    return session


def _wrong_with(sent: PreparationCheckIn, sections: Sections, now: datetime) -> Iterable[Fault]:
    items = {one.key: one for one in sections.preparation.items}
    if not sent.answers and sent.reading is None and not sent.results:
        yield Fault("", "must have an answer, a reading or a result")
    if not sent.answers.keys() <= items.keys():
        yield Fault("/answers", "names an item that the protocol's checklist does not have")
    if not sent.results.keys() <= {key for key, one in items.items() if one.kind == "measured"}:
        yield Fault("/results", "names an item that is not measured")
    if sent.answers.get(PRESSURE) == "yes" and sent.reading is None:
        yield Fault("/reading", "is required where blood pressure is said to be taken")
    if sent.reading is not None:
        if sent.reading.measured_at > now + AHEAD:
            yield Fault("/reading/measured_at", "has not come yet")
        reading = _measured(sent.reading)
        assert reading is not None
        for member, reason in vitals.faults(reading):
            yield Fault(f"/reading/{member}".rstrip("/"), reason)


def _visit(session: SessionRow, now: datetime) -> _Visit:
    """Of a visit with a dose the checklist is told as it stood then."""
    kept = session.open_at_dose
    return _Visit(
        id=session.id,
        course_id=session.course_id,
        started_at=session.started_at,
        until=session.effective_at if session.status in treatment.GIVEN_IN else now,
        kept=None if kept is None else _Warned(kept["warnings"], kept["stops"]),
    )


def _checks(db: Db, chart: Chart, session_id: UUID) -> list[PreparationCheckOut]:
    return CHECKS.found(db, chart, CHECKS_OF, dosing_session_id=session_id)


def _of(one: PreparationCheckOut) -> _Check:
    return _Check(one.effective_at, one.answers, _measured(one.reading), one.found)


def _measured(reading: CheckReadingIn | ReadingOut | None) -> vitals.Reading | None:
    if reading is None:
        return None
    values = dict(reading)
    return vitals.Reading(at=microseconds(values.pop("measured_at")), **values)


def _found(
    db: Db,
    chart: Chart,
    visit: _Visit,
    held: schedule.InForce,
    checks: Sequence[_Check],
    now: datetime,
) -> FoundOut:
    until = visit.until
    sections = held.protocol.sections
    own = PREPARATIONS.found(db, chart, PREPARATIONS_OF, dosing_session_id=visit.id)
    said = [
        *(
            Said(by="patient", at=microseconds(one.effective_at), answers=one.answers)
            for one in own
            if one.effective_at <= until
        ),
        *(
            Said(by="clinician", at=microseconds(one.at), answers=one.answers)
            for one in checks
            if one.at <= until
        ),
    ]
    known = {
        CONSENT: facts.consent(db, chart, max(until, visit.started_at), now),
        RISK: facts.risk(db, chart, sections, visit.started_at, until),
    }
    readings = [one.reading for one in checks if one.reading and one.at <= until]
    readings += vital_signs.series_of(db, chart, visit.id)
    before = [one for one in readings if one.at <= microseconds(until)]
    if measured := facts.pressure(before, sections, until):
        known[PRESSURE] = measured
    items = preparation.assess(sections.preparation, said, known)
    warned = visit.kept
    if warned is None and until == now:
        warned = _warns(db, chart, visit)
    elif warned is None:
        warned = _warned([one for one in checks if one.at <= until])
    return FoundOut(
        as_of=until,
        protocol_version=held.version,
        items=[_item(one) for one in items],
        gaps=[one.item.key for one in items if one.is_gap],
        warnings=warned.warnings,
        stops=warned.stops,
    )


def _warns(db: Db, chart: Chart, visit: _Visit) -> _Warned:
    """What warns now besides the checklist."""
    stood = stands(db, chart)
    stops = list(stood.standing.stops) if stood else []
    course = open_course(db, chart)
    warnings = {
        "not-screened": stood is None,
        "screening-open": bool(stood and stood.standing.open),
        "hard-stop": bool(stops),
        "open-flag": db.one(OPEN_FLAGS, patient_id=chart.patient_id) > 0,
        "no-course": course is None,
        "course-takes-no-doses": course is not None and course.status not in TAKES_DOSES,
        "course-ended": visit.course_id is not None
        and state_of(db, chart, visit.course_id) not in OPEN,
    }
    return _Warned([code for code, applies in warnings.items() if applies], stops)


def _warned(checks: Sequence[_Check]) -> _Warned:
    """Where it was not kept with the dose: what the last check before it found."""
    found = [one.found for one in sorted(checks, key=lambda one: one.at) if one.found is not None]
    return _Warned(found[-1].warnings, found[-1].stops) if found else _Warned([], [])


def _item(one: Stands) -> FoundItemOut:
    return FoundItemOut(
        key=one.item.key,
        label=one.item.label,
        kind=one.item.kind,
        required=one.item.required,
        state=one.met,
        by=one.by,
        at=None if one.at is None else instant_of(one.at),
        reasons=list(one.reasons),
    )
