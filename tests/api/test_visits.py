"""Where a visit was, who was there, and one at a time."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from tests.builders import World, a_dosing_session, a_goal, ago, amended, an_administration
from tests.conftest import Behind

AT_HOME = {
    "setting": "home",
    "recorded_by": "companion",
    "emergency_plan": "Ana calls 911 and opens the door.",
}


def path(world: World) -> str:
    """Of the patient's visits."""
    return f"{world.patient.record}/dosing-sessions"


def refused_at(world: World, **changes: Any) -> list[str]:
    """The places of what was refused."""
    answer = world.therapist.post(path(world), a_dosing_session(**changes))
    assert answer.status_code == 422, answer.text
    return [fault["pointer"] for fault in answer.json()["errors"]]


class TestSetting:
    def test_where_it_was_and_who_was_there_are_kept_and_the_words_sealed(
        self, world: World, behind: Behind
    ) -> None:
        present = [{"role": "companion", "name": "Ana Okafor"}, {"role": "therapist"}]

        told = world.therapist.post(
            path(world), a_dosing_session(**AT_HOME, present=present, weight_kg=80)
        ).json()

        read = world.patient.get(f"/v1/patients/me/dosing-sessions/{told['id']}").json()
        [listed] = world.patient.get("/v1/patients/me/dosing-sessions").json()["dosing_sessions"]
        assert read == listed == told
        assert {name: told[name] for name in AT_HOME} == AT_HOME
        assert told["present"] == [present[0], {"role": "therapist", "name": None}]
        assert told["administrations"][0]["mg_per_kg"] == 0.5
        [(kept,)] = behind.rows("SELECT words FROM dosing_session WHERE id = %s", told["id"])
        assert b"Ana" not in bytes(kept)

    def test_what_nobody_said_is_null(self, world: World) -> None:
        told = world.therapist.post(path(world), a_dosing_session()).json()

        assert (told["setting"], told["recorded_by"], told["present"]) == (None, None, [])
        assert (told["weight_kg"], told["administrations"][0]["mg_per_kg"]) == (None, None)

    @pytest.mark.parametrize("setting", ["home", "practitioner-home"])
    @pytest.mark.parametrize("member", ["recorded_by", "emergency_plan"])
    def test_outside_of_the_clinic_somebody_records_and_there_is_a_plan(
        self, world: World, setting: str, member: str
    ) -> None:
        changes = AT_HOME | {"setting": setting}
        del changes[member]

        assert refused_at(world, **changes) == [f"/{member}"]

    def test_a_visit_at_home_that_did_not_take_place_needs_neither(self, world: World) -> None:
        body = {"status": "not-done", "setting": "home"}

        assert world.therapist.post(path(world), body).status_code == 201

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"setting": "garden"}, "/setting"),
            ({"present": [{"role": "nurse"}] * 11}, "/present"),
            ({"present": [{"role": "The Nurse"}]}, "/present/0/role"),
            ({"weight_kg": 0}, "/weight_kg"),
            ({"weight_kg": 7}, "/weight_kg"),
            ({"weight_kg": 800}, "/weight_kg"),
            ({"course_id": str(uuid4())}, "/course_id"),
        ],
    )
    def test_bad_input_is_refused_by_place(
        self, world: World, changes: dict[str, Any], pointer: str
    ) -> None:
        assert refused_at(world, **changes) == [pointer]

    def test_what_is_no_course_is_none(self, world: World) -> None:
        goal = world.patient.post(f"{world.patient.record}/goals", a_goal()).json()

        assert refused_at(world, course_id=goal["id"]) == ["/course_id"]

    def test_an_amendment_says_it_anew_and_every_version_stays(self, world: World) -> None:
        told = world.therapist.post(path(world), a_dosing_session(**AT_HOME)).json()
        one = f"{path(world)}/{told['id']}"

        amended(world.therapist, one, a_dosing_session(setting="clinic", weight_kg=64), 1)

        versions = world.therapist.get(f"{one}/versions").json()["versions"]
        said = [one["dosing_session"] for one in versions]
        assert [one["setting"] for one in said] == ["home", "clinic"]
        assert [one["emergency_plan"] for one in said] == [AT_HOME["emergency_plan"], None]
        assert [one["administrations"][0]["mg_per_kg"] for one in said] == [None, 0.625]


class TestDose:
    @pytest.mark.parametrize(
        ("drug", "route", "dose_mg"),
        [
            ("ketamine", "im", 0),
            ("ketamine", "im", 5000),
            ("ketamine", "iv", 501),
            ("esketamine", "intranasal", 0.49),
            ("another", "oral", 5000),
        ],
    )
    def test_one_that_cannot_be_is_refused(
        self, world: World, drug: str, route: str, dose_mg: float
    ) -> None:
        given = an_administration(drug=drug, route=route, dose_mg=dose_mg)

        found = refused_at(world, administrations=[an_administration(), given])

        assert found == ["/administrations/1/dose_mg"]


class TestInProgress:
    def test_two_at_once_are_refused_and_nothing_of_the_second_is_stored(
        self, world: World, behind: Behind
    ) -> None:
        first = world.therapist.post(path(world), a_dosing_session(status="in-progress"))
        before = behind.counts()

        found = refused_at(world, status="in-progress")

        assert (first.status_code, found) == (201, ["/status"])
        assert behind.counts() == before

    def test_a_planned_one_begins_when_the_other_has_ended(self, world: World) -> None:
        going_on = world.therapist.post(path(world), a_dosing_session(status="in-progress")).json()
        planned = world.therapist.post(
            path(world), {"status": "preparation", "started_at": ago(70)}
        ).json()
        begins = a_dosing_session(status="in-progress", started_at=ago(70))
        one, other = (f"{path(world)}/{visit['id']}" for visit in (planned, going_on))

        refused = world.therapist.put(one, begins, base=1)
        more = [an_administration(given_at=ago(minutes)) for minutes in (60, 20)]
        amended(
            world.therapist, other, a_dosing_session(status="in-progress", administrations=more), 1
        )
        amended(world.therapist, other, a_dosing_session(administrations=more), 2)

        assert refused.status_code == 422
        assert amended(world.therapist, one, begins, 1)["status"] == "in-progress"

    def test_another_patient_s_is_no_other_s_concern(self, world: World) -> None:
        elsewhere = world.elsewhere
        for carer, patient in (
            (world.therapist, world.patient),
            (elsewhere.therapist, elsewhere.patient),
        ):
            body = a_dosing_session(status="in-progress")
            answer = carer.post(f"{patient.record}/dosing-sessions", body)
            assert answer.status_code == 201

    def test_of_many_that_begin_at_once_one_does(self, world: World) -> None:
        def begin(_: int) -> int:
            body = a_dosing_session(status="in-progress")
            return world.therapist.post(path(world), body).status_code

        with ThreadPoolExecutor(6) as many:
            found = sorted(many.map(begin, range(6)))

        assert found == [201, 422, 422, 422, 422, 422]
