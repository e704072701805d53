"""What a patient is asked, and when; in their own time, from their own doses."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.checkins.schemas import DueOut, PlacedCheckInOut
from app.kernel.db import Db, Direct
from tests.api.test_clinic_instruments import a_definition, add, switch
from tests.api.test_protocol import a_point, a_protocol, publish
from tests.builders import (
    Clinic,
    Person,
    World,
    a_check_in,
    a_clinic,
    a_dosing_session,
    a_patient,
    amended,
    an_administration,
    phq_9,
    withdrawn,
)
from tests.conftest import Behind, Clock
from tests.kernel.between import Between

MINE = "/v1/patients/me"
DUE = f"{MINE}/due"
CHECK_INS = f"{MINE}/check-ins"
BERLIN = "Europe/Berlin"
SCREENER = "c-ssrs-since-last-contact"


@dataclass
class Course:
    """A patient who was enrolled on the Monday at noon at which the clock stands at first."""

    world: World
    clock: Clock
    newcomer: Person

    @property
    def patient(self) -> Person:
        """Signed in just now."""
        return self.newcomer.again(self.clock.at)

    @property
    def therapist(self) -> Person:
        """Signed in just now."""
        return self.world.therapist.again(self.clock.at)

    @property
    def administrator(self) -> Person:
        """Signed in just now."""
        return self.world.administrator.again(self.clock.at)

    @property
    def sessions(self) -> str:
        """Where visits are recorded."""
        return f"{self.newcomer.record}/dosing-sessions"

    def due(self) -> dict[str, Any]:
        """What the patient is told, by the schema."""
        answer = self.patient.get(DUE)
        assert answer.status_code == 200, answer.text
        DueOut.model_validate_json(answer.content)
        told: dict[str, Any] = answer.json()
        return told

    def of(self, key: str) -> dict[str, Any]:
        """One item, in whichever list it stands."""
        told = self.due()
        [item] = [
            one for name in ("open", "next", "recent") for one in told[name] if one["key"] == key
        ]
        found: dict[str, Any] = item
        return found

    def is_there(self, key: str) -> bool:
        """Whether an item stands in any list."""
        told = self.due()
        return key in {one["key"] for name in ("open", "next", "recent") for one in told[name]}

    def dose(self, at: datetime | None = None) -> tuple[str, dict[str, Any]]:
        """A dose, now unless otherwise. Returns: path and body of the visit."""
        given_at = (at or self.clock.at).isoformat()
        body = a_dosing_session(administrations=[an_administration(given_at=given_at)])
        answer = self.therapist.post(self.sessions, body)
        assert answer.status_code == 201, answer.text
        return f"{self.sessions}/{answer.json()['id']}", body

    def answer(self, instrument: str, answers: list[Any], **changes: Any) -> dict[str, Any]:
        """Answers, now unless otherwise."""
        sent = a_check_in(
            **{"instrument": instrument, "answers": answers, "recorded_at": self.clock.said()}
            | changes
        )
        answer = self.patient.post(CHECK_INS, sent)
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def timing(self, check_in_id: str) -> dict[str, Any] | None:
        """Where a check-in belongs; the same in the list."""
        answer = self.patient.get(f"{CHECK_INS}/{check_in_id}")
        PlacedCheckInOut.model_validate_json(answer.content)
        told: dict[str, Any] | None = answer.json()["timing"]
        page = self.patient.get(CHECK_INS).json()["check_ins"]
        assert [one["timing"] for one in page if one["id"] == check_in_id] in ([told], [])
        return told


@pytest.fixture
def course(timed_world: World, clock: Clock, direct: Direct) -> Course:
    """In UTC."""
    return enrolled(timed_world, clock, direct, "UTC")


@pytest.fixture
def in_berlin(timed_world: World, clock: Clock, direct: Direct) -> Course:
    """An hour ahead of UTC, and two from the 29th of March on."""
    return enrolled(timed_world, clock, direct, BERLIN)


def enrolled(world: World, clock: Clock, direct: Direct, time_zone: str) -> Course:
    """A new patient of the therapist's."""

    def admit(db: Db) -> Person:
        db.enter(world.here.id)
        # Everything of a patient of the builders' began ninety days before.
        at = clock.at + timedelta(days=90)
        client = world.patient.client
        return a_patient(client, db, world.therapist, time_zone=time_zone, at=at)

    return Course(world, clock, direct.run(admit))


def keys(items: list[dict[str, Any]]) -> list[str]:
    """In their order."""
    return [item["key"] for item in items]


def instants(item: dict[str, Any]) -> list[str]:
    """Opens, due, expires; as they are written."""
    return [item["opens_at"], item["due_at"], item["expires_at"]]


class TestEnrolment:
    def test_who_is_new_is_asked_for_a_baseline(self, course: Course) -> None:
        told = course.due()

        assert (told["protocol_version"], told["time_zone"]) == (0, "UTC")
        assert {key for key in keys(told["open"]) if key.startswith("baseline/")} == {
            f"baseline/enrolment/{key}" for key in ("phq-9", "gad-7", "pcl-5", "bladder", "craving")
        }
        assert told["recent"] == []
        assert keys(told["next"]) == [
            "preparation/enrolment/1/phq-9",
            "preparation/enrolment/1/gad-7",
        ]
        item = course.of("baseline/enrolment/phq-9")
        assert (item["point"], item["label"]) == ("baseline", "Before treatment")
        assert (item["state"], item["dose_number"], item["check_in_id"]) == ("open", None, None)

    def test_an_answer_takes_it_off_the_list(self, course: Course) -> None:
        course.clock.turn(hours=3)

        told = course.answer("phq-9", phq_9(12))

        item = course.of("baseline/enrolment/phq-9")
        assert (item["state"], item["check_in_id"]) == ("answered", told["id"])
        assert "baseline/enrolment/phq-9" in keys(course.due()["recent"])
        assert course.timing(told["id"]) == {
            "due_key": "baseline/enrolment/phq-9",
            "point": "baseline",
            "label": "Before treatment",
            "is_late": False,
        }

    def test_a_second_answer_in_its_time_belongs_to_it_too(self, course: Course) -> None:
        first = course.answer("phq-9", phq_9(12))
        course.clock.turn(hours=1)
        second = course.answer("phq-9", phq_9(11))

        timings = [course.timing(one["id"]) for one in (first, second)]

        assert timings[0] == timings[1]
        assert timings[0] is not None
        assert timings[0]["is_late"] is False

    def test_what_nobody_asked_for_belongs_to_nothing(self, course: Course) -> None:
        told = course.answer("momentary", [5] * 5)

        assert course.timing(told["id"]) is None

    def test_the_first_dose_ends_it(self, course: Course) -> None:
        course.clock.turn(days=10)
        course.dose()

        item = course.of("baseline/enrolment/phq-9")

        assert (item["state"], item["expires_at"]) == ("missed", "2026-03-12T12:00:00Z")


class TestDose:
    def test_the_first_hours_are_asked_about_momentarily(self, course: Course) -> None:
        course.dose()
        told = course.due()

        # In the order in which they are due; nothing asks about two weeks yet.
        upcoming = [item for item in told["next"] if item["instrument"] == "momentary"]
        assert keys(upcoming) == [f"{point}/dose-1/momentary" for point in ("4h", "24h", "72h")]
        assert instants(upcoming[0]) == [
            "2026-03-02T14:00:00Z",
            "2026-03-02T16:00:00Z",
            "2026-03-02T20:00:00Z",
        ]
        assert {item["dose_number"] for item in upcoming} == {1}
        assert told["open"] == []

    @pytest.mark.parametrize(
        ("hours", "state"), [(1.9, "next"), (2, "open"), (7.9, "open"), (8, "missed")]
    )
    def test_it_opens_with_its_first_instant_and_ends_before_its_last(
        self, course: Course, hours: float, state: str
    ) -> None:
        course.dose()
        course.clock.turn(hours=hours)

        assert course.of("4h/dose-1/momentary")["state"] == state

    def test_a_dose_that_is_recorded_corrected_and_withdrawn_moves_it(self, course: Course) -> None:
        course.clock.turn(days=1)
        assert not course.is_there("24h/dose-1/momentary")

        path, body = course.dose(course.clock.at - timedelta(hours=20))
        assert course.of("24h/dose-1/momentary")["state"] == "open"

        given_at = course.clock.said(hours=-2)
        body["administrations"][0]["given_at"] = given_at
        amended(course.therapist, path, body, 1)
        moved = course.of("24h/dose-1/momentary")
        assert (moved["state"], moved["opens_at"]) == (
            "next",
            "2026-03-03T22:00:00Z",
        )
        assert course.of("4h/dose-1/momentary")["state"] == "open"

        withdrawn(course.therapist, path, 2)
        assert not course.is_there("24h/dose-1/momentary")
        assert course.of("baseline/enrolment/phq-9")["state"] == "open"

    def test_the_next_dose_ends_what_was_counted_from_the_one_before(self, course: Course) -> None:
        course.dose()
        course.clock.turn(days=2, hours=1)
        assert course.of("72h/dose-1/momentary")["state"] == "open"

        course.dose()

        item = course.of("72h/dose-1/momentary")
        assert (item["state"], item["expires_at"]) == ("missed", "2026-03-04T13:00:00Z")
        assert course.of("4h/dose-2/momentary")["state"] == "next"

    def test_a_dose_that_is_recorded_late_places_an_answer_anew(self, course: Course) -> None:
        course.clock.turn(days=2)
        told = course.answer("momentary", [5] * 5)
        assert course.timing(told["id"]) is None

        course.dose(course.clock.at - timedelta(hours=24))

        timing = course.timing(told["id"])
        assert timing is not None
        assert timing["due_key"] == "24h/dose-1/momentary"
        assert course.of("24h/dose-1/momentary")["check_in_id"] == told["id"]

    def test_twice_a_week_two_weeks_are_never_asked_about_in_the_first_three_days(
        self, course: Course
    ) -> None:
        """A questionnaire about two weeks says nothing about hours: our convention."""
        given: list[datetime] = []
        was_open: list[datetime] = []
        for quarter in range(4 * 28):
            if course.clock.at.weekday() in (0, 4) and quarter % 4 == 0 and quarter < 4 * 21:
                course.dose()
                given.append(course.clock.at)
            asked = {item["instrument"] for item in course.due()["open"]}
            if "phq-9" in asked:
                was_open.append(course.clock.at)
            course.clock.turn(hours=6)

        assert len(given) == 6
        assert was_open
        for at in was_open:
            assert all(not timedelta() <= at - dose < timedelta(hours=72) for dose in given), at

    def test_one_that_is_sent_then_is_taken_scored_and_flags(self, course: Course) -> None:
        course.clock.turn(days=1)
        course.dose()
        course.clock.turn(hours=30)

        told = course.answer("phq-9", phq_9(14, item_nine=2))

        assert (told["total"], told["level"]) == (14, "moderate")
        assert told["safety"]["flag"]["level"] == "moderate"
        assert told["doses_in_recall_window"] == 1
        assert told["position"]["window"] == "1-7d"


class TestLate:
    def test_what_comes_after_its_time_counts_as_late(self, course: Course) -> None:
        course.dose()
        course.clock.turn(hours=9)

        told = course.answer("momentary", [5] * 5)

        item = course.of("4h/dose-1/momentary")
        assert (item["state"], item["check_in_id"]) == ("late", told["id"])
        assert "4h/dose-1/momentary" in keys(course.due()["recent"])
        assert course.timing(told["id"]) == {
            "due_key": "4h/dose-1/momentary",
            "point": "4h",
            "label": "4 hours after the dose",
            "is_late": True,
        }

    def test_the_phone_that_had_no_network_is_not_late(self, course: Course) -> None:
        """It counts when it was answered, not when it arrived."""
        course.dose()
        answered_at = course.clock.said(hours=4)
        course.clock.turn(hours=30)

        told = course.answer("momentary", [5] * 5, recorded_at=answered_at)

        timing = course.timing(told["id"])
        assert timing is not None
        assert (timing["due_key"], timing["is_late"]) == ("4h/dose-1/momentary", False)
        assert course.of("4h/dose-1/momentary")["state"] == "answered"

    def test_a_second_late_answer_belongs_to_nothing(self, course: Course) -> None:
        course.dose()
        course.clock.turn(hours=9)
        course.answer("momentary", [5] * 5)
        course.clock.turn(hours=1)

        assert course.timing(course.answer("momentary", [5] * 5)["id"]) is None


class TestChange:
    def test_an_amended_answer_stays_where_it_was(self, course: Course) -> None:
        told = course.answer("phq-9", phq_9(12))
        before = course.timing(told["id"])
        course.clock.turn(hours=5)

        body = a_check_in(answers=phq_9(9), recorded_at=told["recorded_at"])
        amended(course.patient, f"{CHECK_INS}/{told['id']}", body, 1)

        assert course.timing(told["id"]) == before
        item = course.of("baseline/enrolment/phq-9")
        assert (item["state"], item["check_in_id"]) == ("answered", told["id"])

    def test_an_answer_that_is_withdrawn_is_asked_for_again(self, course: Course) -> None:
        told = course.answer("phq-9", phq_9(12))

        withdrawn(course.patient, f"{CHECK_INS}/{told['id']}", 1)

        item = course.of("baseline/enrolment/phq-9")
        assert (item["state"], item["check_in_id"]) == ("open", None)
        assert course.timing(told["id"]) is None

    def test_what_a_clinic_switches_off_is_asked_no_more(self, course: Course) -> None:
        told = course.answer("gad-7", [1] * 7)
        assert switch(course.administrator, "gad-7", False).status_code == 200

        items = [item for name in ("open", "next", "recent") for item in course.due()[name]]

        assert "gad-7" not in {item["instrument"] for item in items}
        assert "phq-9" in {item["instrument"] for item in items}
        # It was asked for when it was answered.
        assert course.timing(told["id"]) is not None

    def test_another_protocol_holds_from_the_next_reading_on(self, course: Course) -> None:
        course.dose()
        body = a_protocol(a_point(key="soon", hours=[0, 1, 2]))

        assert publish(course.administrator, body).status_code == 200

        told = course.due()
        assert told["protocol_version"] == 1
        assert keys(told["open"]) == ["soon/dose-1/momentary"]
        assert told["next"] == []

    def test_an_answer_counts_for_as_long_as_its_window(self, course: Course) -> None:
        """However long a clinic leaves it open, it is not asked for again."""
        body = a_protocol(
            a_point(key="year", anchor="enrolment", instruments=["phq-9"], days=[0, 1, 400])
            | {"hours": None}
        )
        assert publish(course.administrator, body).status_code == 200
        told = course.answer("phq-9", phq_9(12))

        course.clock.turn(days=399)

        item = course.of("year/enrolment/phq-9")
        assert (item["state"], item["check_in_id"]) == ("answered", told["id"])


class TestPlannedSession:
    def test_a_visit_in_the_calendar_asks_for_what_comes_before_it(self, course: Course) -> None:
        assert switch(course.administrator, SCREENER, True, accepts_notice=True).status_code == 200
        starts_at = course.clock.at + timedelta(hours=30)
        body = {"status": "preparation", "started_at": starts_at.isoformat()}
        visit = course.therapist.post(course.sessions, body)
        assert visit.status_code == 201, visit.text
        [item] = [one for one in course.due()["next"] if one["instrument"] == SCREENER]
        assert instants(item) == [
            "2026-03-02T18:00:00Z",
            "2026-03-03T16:00:00Z",
            "2026-03-03T18:00:00Z",
        ]

        course.clock.turn(hours=6)
        assert course.of(item["key"])["state"] == "open"
        told = course.answer(SCREENER, [0, 0, None, None, None, 0])

        assert course.of(item["key"])["check_in_id"] == told["id"]
        # A visit that is called off asks for nothing.
        path = f"{course.sessions}/{visit.json()['id']}"
        amended(course.therapist, path, body | {"status": "not-done"}, 1)
        assert not course.is_there(item["key"])

    def test_a_question_about_suicide_is_asked_however_recent_a_dose_is(
        self, course: Course
    ) -> None:
        switch(course.administrator, SCREENER, True, accepts_notice=True)
        course.dose()
        course.clock.turn(hours=40)
        starts_at = course.clock.at + timedelta(hours=8)
        body = {"status": "preparation", "started_at": starts_at.isoformat()}

        assert course.therapist.post(course.sessions, body).status_code == 201

        assert [
            item["instrument"] for item in course.due()["open"] if item["point"] == "before-session"
        ] == [SCREENER]

    def test_switched_off_it_is_not_asked(self, course: Course) -> None:
        assert switch(course.administrator, SCREENER, False).status_code == 200
        starts_at = course.clock.at + timedelta(hours=8)
        body = {"status": "preparation", "started_at": starts_at.isoformat()}

        assert course.therapist.post(course.sessions, body).status_code == 201

        assert all(item["point"] != "before-session" for item in course.due()["open"])


class TestTimeZone:
    def test_instants_are_written_in_the_patients_own_time(self, in_berlin: Course) -> None:
        told = in_berlin.due()

        assert (told["time_zone"], told["as_of"]) == (BERLIN, "2026-03-02T13:00:00+01:00")
        assert told["open"][0]["opens_at"] == "2026-03-02T13:00:00+01:00"

    def test_days_are_local_and_hours_are_not_when_the_clocks_change(
        self, in_berlin: Course
    ) -> None:
        """On the 29th of March there is no time from two to three in the morning."""
        in_berlin.clock.at = datetime(2026, 3, 27, 17, 0, tzinfo=UTC)
        in_berlin.dose()

        # Elapsed time: 72 hours later the wall shows an hour more.
        assert instants(in_berlin.of("72h/dose-1/momentary")) == [
            "2026-03-29T19:00:00+02:00",
            "2026-03-30T19:00:00+02:00",
            "2026-03-31T19:00:00+02:00",
        ]
        # Local days: the wall shows the time of the dose.
        assert instants(in_berlin.of("7d/dose-1/phq-9")) == [
            "2026-04-01T18:00:00+02:00",
            "2026-04-03T18:00:00+02:00",
            "2026-04-06T18:00:00+02:00",
        ]
        # The day after is from midnight to midnight.
        assert instants(in_berlin.of("daily/dose-1/1/daily")) == [
            "2026-03-28T00:00:00+01:00",
            "2026-03-28T18:00:00+01:00",
            "2026-03-29T00:00:00+01:00",
        ]
        in_berlin.clock.at = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
        assert instants(in_berlin.of("daily/dose-1/2/daily")) == [
            "2026-03-29T00:00:00+01:00",
            "2026-03-29T18:00:00+02:00",
            "2026-03-30T00:00:00+02:00",
        ]

    def test_who_moves_takes_their_days_along(self, in_berlin: Course) -> None:
        in_berlin.dose()
        key = "daily/dose-1/1/daily"
        before = in_berlin.of(key)

        me = in_berlin.patient.get("/v1/me")
        answer = in_berlin.patient.patch(
            "/v1/me",
            {"time_zone": "America/New_York"},
            headers={"If-Match": me.headers["ETag"]},
        )

        assert answer.status_code == 200, answer.text
        after = in_berlin.of(key)
        assert before["opens_at"] == "2026-03-03T00:00:00+01:00"
        assert after["opens_at"] == "2026-03-03T00:00:00-05:00"
        # What is counted in hours is the same instant, written otherwise.
        assert in_berlin.of("4h/dose-1/momentary")["opens_at"] == "2026-03-02T09:00:00-05:00"


class TestReaders:
    def test_who_treats_the_patient_reads_it_and_that_is_noted(
        self, course: Course, behind: Behind
    ) -> None:
        answer = course.therapist.get(f"{course.newcomer.record}/due")

        assert answer.status_code == 200, answer.text
        assert answer.json() == course.due()
        assert behind.accesses(course.world.here.id) == [
            (course.world.therapist.membership_id, course.newcomer.patient_id, "due.read")
        ]

    @pytest.mark.parametrize(
        ("who", "status"),
        [("stranger", 404), ("other_patient", 404), ("coach", 404), ("administrator", 403)],
    )
    def test_it_is_not_there_for_others(self, course: Course, who: str, status: int) -> None:
        person: Person = getattr(course.world.here, who)

        assert person.get(f"{course.newcomer.record}/due").status_code == status

    def test_a_coach_of_the_patient_has_no_use_for_it(self, world: World) -> None:
        assert world.here.coach.get(f"{world.patient.record}/due").status_code == 403

    def test_another_clinics_therapist_finds_nothing(self, course: Course) -> None:
        answer = course.world.elsewhere.therapist.get(f"{course.newcomer.record}/due")

        assert answer.status_code == 404

    @pytest.mark.parametrize("patient_id", ["nobody", "00000000-0000-4000-8000-000000000000"])
    def test_nobody_is_not_found(self, course: Course, patient_id: str) -> None:
        assert course.therapist.get(f"/v1/patients/{patient_id}/due").status_code == 404

    def test_a_therapist_has_no_list_of_their_own(self, course: Course) -> None:
        assert course.therapist.get(DUE).status_code == 403


class TestTrips:
    @pytest.fixture
    def clinic(self, overheard: TestClient, direct: Direct) -> Clinic:
        """Whose API talks to the database through `between`."""
        return a_clinic(overheard, direct)

    @pytest.mark.parametrize("who", ["patient", "therapist"])
    def test_what_is_due_takes_two_round_trips(
        self, clinic: Clinic, between: Between, who: str
    ) -> None:
        publish(clinic.administrator, a_protocol())
        clinic.patient.post(CHECK_INS, a_check_in())
        person: Person = getattr(clinic, who)

        told, trips = self.read(person, f"{clinic.patient.record}/due", between)

        assert told["protocol_version"] == 1
        assert 1 <= trips <= 2

    def test_a_list_does_not_ask_for_a_definition_once_per_answer(
        self, clinic: Clinic, between: Between
    ) -> None:
        assert add(clinic.administrator, a_definition()).status_code == 201
        for _ in range(5):
            clinic.patient.post(CHECK_INS, a_check_in(instrument="two-items", answers=[0, 2]))
            clinic.patient.post(CHECK_INS, a_check_in())

        own, trips = self.read(clinic.patient, f"{CHECK_INS}?instrument=two-items", between)
        _, as_many = self.read(clinic.patient, f"{CHECK_INS}?instrument=phq-9", between)

        assert len(own["check_ins"]) == 5
        assert trips == as_many

    def read(self, person: Person, path: str, between: Between) -> tuple[dict[str, Any], int]:
        """What is answered, and how many round trips it took."""
        between.forget()
        answer = person.get(path)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told, len([trip for trip in between.trips if trip])
