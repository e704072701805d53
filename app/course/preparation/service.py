"""The checklist before a dose."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, bindparam, func, literal_column, select

from app.checkins import schedule
from app.checkins.tables import IS_FINAL, CheckIn
from app.clinical import preparation, vitals
from app.clinical.course import TAKES_DOSES
from app.clinical.instruments import Level
from app.clinical.preparation import Fact, Met, Said, Stands
from app.clinical.protocol import Sections
from app.course.courses.service import open_course
from app.course.eligibility.service import stands
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
from app.journal.shelf import Kept, Shelf
from app.kernel.clock import instant_of, microseconds
from app.kernel.db import Db, Query, itself
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.errors import Fault, Kind, Problem, invalid, not_found
from app.kernel.tables import columns
from app.people.chart import CARE, Chart, Right
from app.people.consents import Holds, treatment_consent
from app.safety.tables import Flag
from app.treatment import service as treatment
from app.treatment.faults import AHEAD
from app.treatment.service import SessionRow

READ_PREPARATION: Final = Right("preparation.read")

RISK_SCREEN: Final = "c-ssrs-since-last-contact"
SCREEN_FRESH: Final = timedelta(hours=24)
"""How long before a visit its risk screen may have been answered. Source: ours, the window in which
the protocol that ships asks for it."""

# Items that the record itself speaks to; what a clinic adds goes by what people say.
CONSENT: Final = "consent-current"
RISK: Final = "risk-screen"
PRESSURE: Final = "blood-pressure"


class _Screen(NamedTuple):
    effective_at: datetime
    assessed: bool
    level: str


_preparation = columns(Preparation)
_check = columns(PreparationCheck)
_check_in = columns(CheckIn)
_flag = columns(Flag)
NEWEST_RISK_SCREEN = Query(
    select(_check_in.effective_at, _check_in.assessed, _check_in.level)
    .where(
        _check_in.clinic_id == bindparam("clinic_id"),
        _check_in.patient_id == bindparam("patient_id"),
        _check_in.instrument == bindparam("instrument"),
        _check_in.effective_at > bindparam("since"),
        _check_in.effective_at <= bindparam("until"),
        IS_FINAL,
    )
    .order_by(_check_in.effective_at.desc(), _check_in.id.desc())
    .limit(literal_column("1")),
    _Screen,
)
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
    held = schedule.protocol_at(db, _as_of(session, now))
    faults = list(_wrong_with(sent, held.protocol.sections, now))
    if faults:
        raise Problem(Kind.INVALID, faults=faults)
    others = [one for one in _checks(db, chart, session.id) if one.id != row.id]
    this = _Check(row.effective_at, sent.answers, _measured(sent.reading), None)
    checks = [*(_of(one) for one in others), this]
    found = _found(db, chart, session, held, checks, now)
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


def read_preparation(
    db: Db, chart: Chart, session_id: UUID, now: datetime
) -> SessionPreparationOut:
    """Every item of a visit's checklist, met, not met or unknown; and what else warns.

    Raises: Problem NOT_FOUND.
    """
    session = db.first(treatment.SESSION, patient_id=chart.patient_id, id=session_id)
    if session is None:
        raise not_found()
    checks = [_of(one) for one in _checks(db, chart, session.id)]
    until = _as_of(session, now)
    found = _found(db, chart, session, schedule.protocol_at(db, until), checks, now)
    return SessionPreparationOut(
        dosing_session_id=session.id,
        is_checked=any(one.at <= until for one in checks),
        **dict(found),
    )


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


def _as_of(session: SessionRow, now: datetime) -> datetime:
    """Of a visit with a dose the checklist is told as it stood then."""
    was_given = session.status in {"in-progress", "completed"}
    return session.effective_at if was_given else now


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
    session: SessionRow,
    held: schedule.InForce,
    checks: Sequence[_Check],
    now: datetime,
) -> FoundOut:
    until = _as_of(session, now)
    sections = held.protocol.sections
    own = PREPARATIONS.found(db, chart, PREPARATIONS_OF, dosing_session_id=session.id)
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
    facts = {
        CONSENT: _consent(db, chart, max(until, session.started_at), now),
        RISK: _risk(db, chart, session, sections, until),
    }
    readings = [one.reading for one in checks if one.reading and one.at <= until]
    if readings:
        facts[PRESSURE] = _pressure(readings, sections)
    items = preparation.assess(sections.preparation, said, facts)
    warned = _warns(db, chart) if until == now else _warned([c for c in checks if c.at <= until])
    return FoundOut(
        as_of=until,
        protocol_version=held.version,
        items=[_item(one) for one in items],
        gaps=[one.item.key for one in items if one.is_gap],
        warnings=warned.warnings,
        stops=warned.stops,
    )


def _warns(db: Db, chart: Chart) -> _Warned:
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
    }
    return _Warned([code for code, applies in warnings.items() if applies], stops)


def _warned(checks: Sequence[_Check]) -> _Warned:
    """What warned before a dose that was given: what its last check found."""
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


def _consent(db: Db, chart: Chart, at: datetime, now: datetime) -> Fact:
    consent = treatment_consent(db, chart, at, now)
    is_current = consent.holds is Holds.CURRENT
    return Fact(
        met=Met.MET if is_current else Met.NOT_MET,
        at=None if consent.given_at is None else microseconds(consent.given_at),
        reasons=() if is_current else (consent.holds,),
    )


def _risk(db: Db, chart: Chart, session: SessionRow, sections: Sections, until: datetime) -> Fact:
    """The newest screen since the last dose, and not older than a day before the visit."""
    begins = min(until, session.started_at)
    doses = treatment.doses(db, chart)
    before = [at for at in doses if at < microseconds(begins)]
    since = begins - SCREEN_FRESH
    if before:
        since = max(since, instant_of(before[-1]))
    screen = db.first(
        NEWEST_RISK_SCREEN,
        patient_id=chart.patient_id,
        instrument=RISK_SCREEN,
        since=since,
        until=until,
    )
    if screen is None:
        return Fact(met=Met.UNKNOWN, at=None, reasons=("not-answered",))
    lines = [one.at_most_level for one in sections.discharge.criteria if one.at_most_level]
    line = min(lines, default=Level.LOW)
    level = Level(screen.level)
    at = microseconds(screen.effective_at)
    if level > line:
        return Fact(met=Met.NOT_MET, at=at, reasons=(f"risk-{level}",))
    if not screen.assessed:
        return Fact(met=Met.UNKNOWN, at=at, reasons=("incomplete",))
    return Fact(met=Met.MET, at=at, reasons=() if level is Level.NONE else (f"risk-{level}",))


def _pressure(readings: Sequence[vitals.Reading], sections: Sections) -> Fact:
    """The last value of each sign, against the clinic's alarms.

    A later reading without a pressure takes no earlier pressure back.
    """
    last = readings[0]
    for reading in vitals.in_order(readings):
        said = {name: value for name, value in reading._asdict().items() if value is not None}
        last = last._replace(**said)
    raised = vitals.alarms([last], sections.monitoring.alarms)
    reasons = tuple(f"alarm-{one.vital}" for one in raised)
    if reasons:
        return Fact(met=Met.NOT_MET, at=last.at, reasons=reasons)
    if last.systolic is None:
        return Fact(met=Met.UNKNOWN, at=last.at, reasons=("incomplete",))
    return Fact(met=Met.MET, at=last.at)
