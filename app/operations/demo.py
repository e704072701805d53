"""Two synthetic clinics, so that everything can be tried and isolation can be seen.

The second is small. The first has a caseload, so that its order and the outcomes can be seen too.

Nobody in them exists. Their history goes through the same verbs as a real one, at the instants
at which it is said to have happened.
"""

import secrets
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Final, Literal
from uuid import UUID

from app.checkins import schedule
from app.checkins import service as checkins
from app.checkins.schemas import CheckInIn
from app.clinical import instruments
from app.course.sessions import service as sessions
from app.kernel import accounts
from app.kernel.clock import instant_of, microseconds
from app.kernel.db import Db, Direct
from app.kernel.entries import Known
from app.kernel.identity import Caller
from app.operations import demo_caseload
from app.operations.demo_course import Dose, Story
from app.people.admission import admit, link_care
from app.people.chart import open_chart
from app.people.clinics import (
    NOTICE_VERSION,
    WEEKDAYS_NINE_TO_FIVE,
    all_clinics,
    found_clinic,
)
from app.treatment import service as treatment
from app.treatment.schemas import AdministrationIn, DosingSessionIn


class RealClinicExists(Exception):
    """Synthetic people do not belong beside real ones."""


@dataclass(frozen=True, slots=True)
class Person:
    """A sign-in of the demo."""

    role: Literal["patient", "therapist", "administrator"]
    clinic: str
    username: str
    password: str
    patient_id: str | None = None

    def as_dict(self) -> dict[str, str]:
        """Without what does not apply."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class _Course:
    """A synthetic patient: weekly PHQ-9 answers, doses on days since the start."""

    name: str
    phq9: tuple[tuple[int, ...], ...]
    dose_days: tuple[int, ...]
    dose_mg: float
    route: str


_IMPROVING: Final = _Course(
    "Rosa Example",
    (
        (3, 3, 2, 3, 2, 2, 2, 1, 0),
        (3, 2, 2, 3, 2, 2, 2, 1, 0),
        (2, 2, 2, 2, 1, 2, 1, 1, 0),
        (1, 1, 2, 2, 1, 1, 1, 0, 0),
        (1, 1, 1, 1, 1, 1, 0, 0, 0),
        (1, 0, 1, 1, 0, 0, 1, 0, 0),
        (0, 1, 1, 1, 0, 0, 0, 0, 0),
    ),
    (9, 12, 16, 19),
    40.0,
    "im",
)
_UNCHANGED: Final = _Course(
    "Milan Example",
    (
        (2, 2, 3, 2, 1, 2, 2, 0, 0),
        (2, 2, 2, 2, 1, 2, 2, 0, 0),
        (2, 3, 2, 2, 2, 2, 1, 0, 0),
        (2, 2, 2, 2, 1, 2, 2, 1, 0),
    ),
    (10, 13),
    80.0,
    "sublingual",
)
_WEEKS: Final = 7
_FOUNDED: Final = timedelta(weeks=36)
"""How long ago both clinics began."""
_THINKS_OF_DEATH: Final = (2, 2, 3, 2, 2, 2, 2, 1, 1)


def plant(database: Direct, now: datetime) -> list[Person]:
    """Make both clinics. Returns: their printed people.

    Raises: RealClinicExists. Made once: whoever calls keeps the sign-ins.
    """
    if any(not clinic.is_synthetic for clinic in database.run(all_clinics)):
        raise RealClinicExists

    def first(db: Db) -> list[Person]:
        name, phone = "Lantern Clinic (synthetic)", "+1 555 0100"
        return _clinic(db, name, "US", "America/New_York", phone, now, has_caseload=True)

    def second(db: Db) -> list[Person]:
        name, phone = "Harbour Clinic (synthetic)", "+49 30 5550100"
        return _clinic(db, name, "DE", "Europe/Berlin", phone, now, has_caseload=False)

    return database.run(lambda db: [*first(db), *second(db)])


def is_planted(database: Direct) -> bool:
    """Whether the synthetic clinics are there."""
    return any(clinic.is_synthetic for clinic in database.run(all_clinics))


def _clinic(
    db: Db,
    name: str,
    country: str,
    time_zone: str,
    phone: str,
    now: datetime,
    *,
    has_caseload: bool,
) -> list[Person]:
    founded_at = now - _FOUNDED
    began_at = now - timedelta(weeks=_WEEKS, hours=3)
    clinic_id = found_clinic(
        db,
        name=name,
        country=country,
        time_zone=time_zone,
        phone=phone,
        is_synthetic=True,
        coverage=WEEKDAYS_NINE_TO_FIVE,
        # Everything there is to try, also what a clinic has to switch on for itself.
        instruments={one.key: True for one in instruments.shipped() if not one.offered_by_default},
        now=founded_at,
    )
    slug = name.split(maxsplit=1)[0].lower()
    administrator = Person("administrator", name, f"admin@{slug}.example", _password())
    _member(db, administrator, "administrator", [], "Alex Example", founded_at)
    therapist = Person("therapist", name, f"therapist@{slug}.example", _password())
    therapist_id = _member(
        db,
        therapist,
        "clinician",
        ["monitor", "prescribe", "therapy"],
        "Toni Example",
        founded_at,
    )
    place = _Place(clinic_id, therapist_id, country, time_zone)
    printed = []
    for course in (_IMPROVING, _UNCHANGED):
        first_name = course.name.split(maxsplit=1)[0].lower()
        patient = Person("patient", name, f"{first_name}@{slug}.example", _password())
        account_id = _account(db, patient.username, patient.password, began_at)
        callers = _admitted(db, place, account_id, course.name, began_at)
        _live(db, course, *callers, began_at)
        printed.append(replace(patient, patient_id=str(callers[0].patient_id)))
    if has_caseload:
        _fill(db, place, slug, now)
    return [printed[0], therapist, administrator]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a synthetic patient is, and who cares for them."""

    clinic_id: UUID
    therapist_id: UUID
    country: str
    time_zone: str


def _admitted(
    db: Db, place: _Place, account_id: UUID, name: str, at: datetime
) -> tuple[Caller, Caller]:
    """A new patient in the therapist's care. Returns: both, as callers."""
    admitted = admit(
        db,
        account_id=account_id,
        name=name,
        time_zone=place.time_zone,
        locale="en",
        country=place.country,
        notice_version=NOTICE_VERSION,
        now=at,
    )
    link_care(db, admitted, place.therapist_id, at)
    return (
        _caller(place.clinic_id, admitted.actor_id, "patient", admitted.patient_id, at),
        _caller(place.clinic_id, place.therapist_id, "clinician", None, at),
    )


def _fill(db: Db, place: _Place, slug: str, now: datetime) -> None:
    """The caseload: nobody in it can sign in."""
    nobodys = accounts.hash_password(_password())
    caseload = list(demo_caseload.patients())
    for number, one in enumerate(caseload):
        began_at = now - one.began
        account_id = accounts.create_account(
            db,
            db.vault,
            username=f"{one.name.split(maxsplit=1)[0].lower()}@{slug}.example",
            password_hash=nobodys,
            now=began_at,
        )
        patient, therapist = _admitted(db, place, account_id, one.name, began_at)
        course = _Course(one.name, one.phq_9, one.dose_days, one.dose_mg, "im")
        _weekly(db, course, patient, began_at)
        for day in one.dose_days:
            _dose(db, course, therapist, patient, began_at + timedelta(days=day, hours=1))
        if one.answers_all:
            _catch_up(db, patient, one.phq_9[-1], now)
        if number == 0:
            at = now - timedelta(hours=20)
            _check_in(db, patient, "phq-9", list(_THINKS_OF_DEATH), at, {"difficulty": 2})


def _catch_up(db: Db, patient: Caller, phq_9: tuple[int, ...], now: datetime) -> None:
    """Answer what was asked last, each questionnaire at the time at which it was.

    phq_9: how they answer that one.
    """
    chart = open_chart(db, patient, "me", schedule.READ_DUE, now)
    asked = schedule.ask_due(db, chart.patient_id, now - schedule.LOOK_BACK)
    known = schedule.course(db, chart, asked)
    keys = {instrument for point in known.protocol.points for instrument in point.instruments}
    last = {
        item.instrument: item
        for item in schedule.asked_since(chart, known, keys, chart.enrolled_at, now)
        if item.due_at <= microseconds(now)
    }
    for item in last.values():
        if item.state in {"missed", "open"}:
            answers = demo_caseload.benign(instruments.find(item.instrument))
            if item.instrument == "phq-9":
                answers = list(phq_9)
            _check_in(db, patient, item.instrument, answers, instant_of(item.due_at))


def _live(db: Db, course: _Course, patient: Caller, therapist: Caller, began_at: datetime) -> None:
    """Weeks of check-ins and the doses among them; of one patient with everything around it."""
    story = Story(db, patient, therapist) if course is _IMPROVING else None
    dose = Dose(course.dose_mg, course.route)
    course_id = story.begin(began_at + timedelta(days=1)) if story else None
    _weekly(db, course, patient, began_at)
    for day, next_day in zip_longest(course.dose_days, course.dose_days[1:]):
        given_at = began_at + timedelta(days=day, hours=1)
        for hours, mood in ((-1, 3), (4, 6), (24, 7), (72, 6)):
            if next_day is not None and hours >= 24 * (next_day - day):
                continue  # the next dose comes first
            at = given_at + timedelta(hours=hours)
            _check_in(db, patient, "momentary", [mood, 10 - mood, mood, 2, 8 - mood], at)
        if story is None or course_id is None:
            _dose(db, course, therapist, patient, given_at)
            continue
        is_first = day == course.dose_days[0]
        visit_id = story.visit(course_id, dose, given_at, is_first=is_first)
        if is_first:
            note_id = story.write(visit_id, given_at + timedelta(hours=5))
            now = began_at + timedelta(weeks=_WEEKS, hours=3)
            last_at = began_at + timedelta(days=course.dose_days[-1], hours=1)
            story.integrate(note_id, last_at, now)


def _weekly(db: Db, course: _Course, patient: Caller, began_at: datetime) -> None:
    for week, answers in enumerate(course.phq9):
        at = began_at + timedelta(weeks=week, hours=2)
        _check_in(db, patient, "phq-9", list(answers), at, {"difficulty": min(3, answers[0])})


def _check_in(
    db: Db,
    patient: Caller,
    instrument: str,
    answers: list[int | None] | list[int],
    at: datetime,
    extras: dict[str, int | None] | None = None,
) -> None:
    chart = open_chart(db, patient, "me", checkins.SUBMIT_CHECK_INS, at)
    sent = CheckInIn(
        instrument=instrument, answers=list(answers), extras=extras or {}, recorded_at=at
    )
    checkins.submit(db, chart, sent, Known(), at)


def _dose(db: Db, course: _Course, therapist: Caller, patient: Caller, given_at: datetime) -> None:
    chart = open_chart(db, therapist, str(patient.patient_id), treatment.RECORD_SESSIONS, given_at)
    given = AdministrationIn.model_validate(
        {
            "drug": "ketamine",
            "route": course.route,
            "dose_mg": course.dose_mg,
            "given_at": given_at,
        }
    )
    sent = DosingSessionIn(
        started_at=given_at - timedelta(minutes=20),
        ended_at=given_at + timedelta(hours=2),
        administrations=[given],
    )
    sessions.record_session(db, chart, sent, Known(), given_at + timedelta(hours=2))


def _member(
    db: Db, person: Person, role: str, privileges: list[str], name: str, at: datetime
) -> UUID:
    return accounts.join(
        db,
        db.vault,
        account_id=_account(db, person.username, person.password, at),
        role=role,
        privileges=privileges,
        patient_id=None,
        name=name,
        now=at,
    )


def _account(db: Db, username: str, password: str, at: datetime) -> UUID:
    return accounts.create_account(
        db,
        db.vault,
        username=username,
        password_hash=accounts.hash_password(password),
        now=at,
    )


def _caller(
    clinic_id: UUID, membership_id: UUID, role: str, patient_id: UUID | None, at: datetime
) -> Caller:
    return Caller(UUID(int=0), clinic_id, membership_id, role, patient_id, int(at.timestamp()))


def _password() -> str:
    return secrets.token_urlsafe(15)
