"""A visit, the course that it is part of, and what was open when its first dose was given."""

from datetime import timedelta
from typing import Any

import pytest

from tests.builders import (
    World,
    a_batch,
    a_check,
    a_check_in,
    a_course,
    a_dosing_session,
    a_planned_session,
    a_preparation,
    a_reading,
    a_screening,
    ago,
    amended,
    an_administration,
    now,
    withdrawn,
)
from tests.conftest import Behind

Told = dict[str, Any]
SCREEN = "c-ssrs-since-last-contact"


def sent(by: Any, world: World, many: str, body: Told) -> Told:
    answer = by.post(f"{world.patient.record}/{many}", body)
    assert answer.status_code == 201, answer.text
    told: Told = answer.json()
    return told


def visits(world: World) -> str:
    return f"{world.patient.record}/dosing-sessions"


def begun(world: World) -> str:
    """A course in which doses are given. Returns: its path."""
    sent(world.therapist, world, "screenings", a_screening())
    course = sent(world.therapist, world, "courses", a_course())
    path = f"{world.patient.record}/courses/{course['id']}"
    amended(world.therapist, path, a_course(status="active"), 1)
    return path


def ended(world: World, status: str = "stopped") -> tuple[str, str]:
    """Such a course that has ended. Returns: its path and id."""
    path = begun(world)
    amended(world.therapist, path, a_course(status=status, reason="Enough."), 2)
    return path, path.rpartition("/")[2]


class TestCourse:
    @pytest.mark.parametrize("status", ["stopped", "completed"])
    def test_nothing_is_planned_in_one_that_has_ended(
        self, world: World, behind: Behind, status: str
    ) -> None:
        _, course_id = ended(world, status)

        refused = world.therapist.post(visits(world), a_planned_session(course_id=course_id))

        assert refused.status_code == 422
        assert [one["pointer"] for one in refused.json()["errors"]] == ["/course_id"]
        of_patient = "SELECT id FROM dosing_session WHERE patient_id = %s"
        assert behind.rows(of_patient, world.patient.patient_id) == []

    def test_a_dose_in_one_that_has_ended_is_kept_and_warned_of(self, world: World) -> None:
        _, course_id = ended(world)

        told = sent(
            world.therapist, world, "dosing-sessions", a_dosing_session(course_id=course_id)
        )

        assert told["course_id"] == course_id
        assert {"no-course", "course-ended"} <= set(told["open_at_dose"]["warnings"])

    def test_a_visit_that_was_planned_before_it_ended_is_warned_of_and_not_planned_anew(
        self, world: World
    ) -> None:
        path = begun(world)
        course_id = path.rpartition("/")[2]
        plan = a_planned_session(course_id=course_id)
        visit = sent(world.therapist, world, "dosing-sessions", plan)
        one = f"{visits(world)}/{visit['id']}"
        amended(world.therapist, one, {"status": "not-done", "course_id": course_id}, 1)
        amended(world.therapist, path, a_course(status="stopped", reason="Enough."), 2)

        refused = world.therapist.put(one, plan, base=2)

        warned = world.therapist.get(f"{one}/preparation").json()["warnings"]
        assert "course-ended" in warned
        assert refused.status_code == 422
        assert world.therapist.get(one).json()["version"] == 2

    def test_a_plan_that_is_sent_again_is_a_retry_whatever_became_of_the_course(
        self, world: World
    ) -> None:
        path = begun(world)
        body = a_planned_session(
            id="0198c0de-0000-7000-8000-000000000001", course_id=path.rpartition("/")[2]
        )
        sent(world.therapist, world, "dosing-sessions", body)
        amended(world.therapist, path, a_course(status="stopped", reason="Enough."), 2)

        again = world.therapist.post(visits(world), body)

        assert again.status_code == 200, again.text

    def test_one_that_was_entered_in_error_is_none(self, world: World) -> None:
        course = sent(world.therapist, world, "courses", a_course())
        withdrawn(world.therapist, f"{world.patient.record}/courses/{course['id']}", 1)

        for body in (a_planned_session(), a_dosing_session()):
            refused = world.therapist.post(visits(world), body | {"course_id": course["id"]})
            assert refused.status_code == 422
            assert refused.json()["errors"][0]["pointer"] == "/course_id"

    def test_one_of_somebody_else_is_none_of_theirs(self, world: World) -> None:
        theirs = world.elsewhere.therapist.post(
            f"{world.elsewhere.patient.record}/courses", a_course()
        ).json()["id"]

        refused = world.therapist.post(visits(world), a_dosing_session(course_id=theirs))

        assert refused.status_code == 422


class TestOpenAtDose:
    def given(self, **changes: Any) -> Told:
        return a_dosing_session(administrations=[an_administration(given_at=ago(0))], **changes)

    def test_the_gaps_are_kept_with_the_visit_as_its_first_dose_is_recorded(
        self, world: World
    ) -> None:
        visit = sent(world.therapist, world, "dosing-sessions", a_planned_session())
        one = f"{visits(world)}/{visit['id']}"
        preparation = a_preparation(visit["id"], recorded_at=ago(20))
        sent(world.patient, world, "preparations", preparation)
        sent(world.therapist, world, "preparation-checks", a_check(visit["id"], recorded_at=ago(9)))

        given = self.given(status="in-progress")
        told = amended(world.therapist, one, given, 1)

        kept = told["open_at_dose"]
        assert visit["open_at_dose"] is None
        assert set(kept["gaps"]) == {"no-sedatives", "risk-screen"}
        assert kept["warnings"] == ["not-screened", "no-course"]
        assert (kept["is_checked"], kept["stops"], kept["protocol_version"]) == (True, [], 0)
        assert kept["as_of"] == told["effective_at"]
        # Told to the second by the phone, and to the microsecond by the server.
        assert kept["recorded_at"][:19] >= kept["as_of"][:19]
        [listed] = world.patient.get("/v1/patients/me/dosing-sessions").json()["dosing_sessions"]
        read = world.therapist.get(one).json()
        assert listed == read == told
        versions = world.therapist.get(f"{one}/versions").json()["versions"]
        assert [one["dosing_session"]["open_at_dose"] for one in versions] == [None, kept]

    def test_nothing_that_comes_later_changes_it(self, world: World) -> None:
        visit = sent(world.therapist, world, "dosing-sessions", self.given(status="in-progress"))
        one = f"{visits(world)}/{visit['id']}"
        kept = visit["open_at_dose"]
        answers = {"fasting": "yes", "escort-named": "yes", "no-sedatives": "yes"}
        preparation = a_preparation(visit["id"], answers=answers, recorded_at=ago(300))

        sent(world.patient, world, "preparations", preparation)
        sent(world.therapist, world, "screenings", a_screening(mania="yes"))
        earlier = an_administration(given_at=ago(30))
        told = amended(world.therapist, one, a_dosing_session(administrations=[earlier]), 1)

        assert "fasting" in kept["gaps"]
        assert told["open_at_dose"] == kept
        checklist = world.therapist.get(f"{one}/preparation").json()
        assert "fasting" not in checklist["gaps"]
        assert (checklist["warnings"], checklist["stops"]) == (kept["warnings"], [])

    def test_a_visit_that_was_not_done_after_all_has_none_until_a_dose_is_given(
        self, world: World
    ) -> None:
        visit = sent(world.therapist, world, "dosing-sessions", self.given())
        one = f"{visits(world)}/{visit['id']}"

        undone = amended(world.therapist, one, {"status": "not-done"}, 1)
        sent(world.therapist, world, "screenings", a_screening())
        done = amended(world.therapist, one, self.given(), 2)

        assert undone["open_at_dose"] is None
        assert "not-screened" in visit["open_at_dose"]["warnings"]
        assert "not-screened" not in done["open_at_dose"]["warnings"]

    def test_a_retry_says_the_same_and_one_that_was_withdrawn_keeps_it(self, world: World) -> None:
        body = self.given(id="0198c0de-0000-7000-8000-000000000002")
        visit = sent(world.therapist, world, "dosing-sessions", body)
        sent(world.therapist, world, "screenings", a_screening())

        again = world.therapist.post(visits(world), body)
        one = f"{visits(world)}/{visit['id']}"

        assert (again.status_code, again.json()) == (200, visit)
        assert withdrawn(world.therapist, one, 1)["open_at_dose"] == visit["open_at_dose"]

    def test_what_is_only_planned_stores_no_json_null(self, world: World, behind: Behind) -> None:
        visit = sent(world.therapist, world, "dosing-sessions", a_planned_session())
        amended(world.therapist, f"{visits(world)}/{visit['id']}", {"status": "not-done"}, 1)

        kept = behind.rows(
            "SELECT id FROM dosing_session WHERE patient_id = %s AND open_at_dose IS NULL",
            world.patient.patient_id,
        )
        assert [str(one) for (one,) in kept] == [visit["id"]]


class TestReadingsBeforeTheDose:
    def pressure(self, world: World, session_id: str) -> tuple[str, list[str]]:
        path = f"{visits(world)}/{session_id}/preparation"
        items = world.therapist.get(path).json()["items"]
        [found] = [one for one in items if one["key"] == "blood-pressure"]
        return found["state"], found["reasons"]

    def planned(self, world: World, *readings: Told) -> str:
        visit = sent(world.therapist, world, "dosing-sessions", a_planned_session())
        path = f"{visits(world)}/{visit['id']}/vital-signs"
        assert world.therapist.post(path, a_batch(*readings)).status_code == 201
        return str(visit["id"])

    def test_what_a_monitor_read_is_the_blood_pressure_of_the_checklist(self, world: World) -> None:
        assert self.pressure(world, self.planned(world)) == ("met", [])

    def test_the_last_pressure_stands_until_the_next_one(self, world: World) -> None:
        high = a_reading(20, systolic=185, diastolic=95)
        oxygen_only = {"at": ago(2), "spo2": 98}

        session = self.planned(world, high, oxygen_only)

        assert self.pressure(world, session) == ("not-met", ["alarm-systolic"])

    def test_oxygen_alone_is_no_blood_pressure(self, world: World) -> None:
        session = self.planned(world, {"at": ago(2), "spo2": 98})

        assert self.pressure(world, session) == ("unknown", ["incomplete"])

    def test_what_was_read_after_the_dose_is_none_of_the_checklist_s(self, world: World) -> None:
        late = a_reading(1, systolic=190, diastolic=99)
        session = self.planned(world, a_reading(70), late)

        told = amended(world.therapist, f"{visits(world)}/{session}", a_dosing_session(), 1)

        assert "blood-pressure" not in told["open_at_dose"]["gaps"]
        assert self.pressure(world, session) == ("met", [])

    @pytest.mark.parametrize(
        ("minutes_ago", "found"), [(58, ("met", [])), (61, ("not-met", ["out-of-date"]))]
    )
    def test_a_pressure_speaks_for_an_hour(
        self, world: World, minutes_ago: int, found: tuple[str, list[str]]
    ) -> None:
        session = self.planned(world, a_reading(minutes_ago), {"at": ago(1), "spo2": 98})

        assert self.pressure(world, session) == found

    def test_one_of_months_ago_is_no_pressure_whoever_ticks_it_until_another_is_read(
        self, world: World
    ) -> None:
        session = self.planned(world, {"at": ago(2), "spo2": 98})
        old = {"measured_at": ago(60 * 24 * 90), "systolic": 120, "diastolic": 80}
        body = a_check(session, reading=old, answers={"blood-pressure": "yes"})
        sent(world.therapist, world, "preparation-checks", body)

        assert self.pressure(world, session) == ("not-met", ["out-of-date"])

        new = {"measured_at": ago(1), "systolic": 120, "diastolic": 80}
        sent(world.therapist, world, "preparation-checks", a_check(session, reading=new))
        assert self.pressure(world, session) == ("met", [])

    def test_how_old_it_may_be_is_the_protocol_s(self, world: World) -> None:
        held = world.administrator.get("/v1/clinic/protocol").json()
        own = {name: held[name] for name in held if name not in {"version", "published_at"}}
        own["preparation"] = own["preparation"] | {"reading_within_minutes": 10}
        published = world.administrator.put("/v1/clinic/protocol", own, base=1)
        assert published.status_code == 200, published.text

        session = self.planned(world, a_reading(11))

        assert self.pressure(world, session) == ("not-met", ["out-of-date"])

    def test_the_later_one_counts_of_a_check_s_and_a_monitor_s(self, world: World) -> None:
        session = self.planned(world, a_reading(30, systolic=185, diastolic=95))
        reading = {"measured_at": ago(5), "systolic": 130, "diastolic": 80}
        sent(world.therapist, world, "preparation-checks", a_check(session, reading=reading))

        assert self.pressure(world, session) == ("met", [])


class TestOneRiskScreen:
    @pytest.mark.parametrize(
        ("answers", "state"),
        [
            ([0, 0, None, None, None, 0], "met"),
            ([1, 1, 0, 1, 0, 0], "not-met"),
            ([0, None, None, None, None, 0], "unknown"),
        ],
    )
    def test_it_is_told_the_same_before_a_dose_and_at_the_door(
        self, world: World, answers: list[int | None], state: str
    ) -> None:
        given = an_administration(given_at=(now() - timedelta(hours=3)).isoformat())
        visit = sent(
            world.therapist, world, "dosing-sessions", a_dosing_session(administrations=[given])
        )
        sent(world.patient, world, "check-ins", a_check_in(instrument=SCREEN, answers=answers))
        planned = sent(world.therapist, world, "dosing-sessions", a_planned_session())

        gate = world.therapist.get(f"{visits(world)}/{visit['id']}/discharge").json()
        before = world.therapist.get(f"{visits(world)}/{planned['id']}/preparation").json()

        [at_the_door] = [one for one in gate["criteria"] if one["key"] == "risk-screen"]
        [beforehand] = [one for one in before["items"] if one["key"] == "risk-screen"]
        assert (at_the_door["met"], beforehand["state"]) == (state, state)
