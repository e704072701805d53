"""Courses: where they may go, and who may begin them."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.builders import (
    Person,
    World,
    a_course,
    a_resolution,
    a_screening,
    amended,
    withdrawn,
)
from tests.conftest import Behind
from tests.contract.stage import A_PROTOCOL

Told = dict[str, Any]


def planned(world: World, **changes: Any) -> Told:
    answer = world.therapist.post(f"{world.patient.record}/courses", a_course(**changes))
    assert answer.status_code == 201, answer.text
    told: Told = answer.json()
    return told


def screened(world: World, **answers: str) -> Told:
    answer = world.therapist.post(f"{world.patient.record}/screenings", a_screening(**answers))
    assert answer.status_code == 201, answer.text
    told: Told = answer.json()
    return told


def resolved(world: World, screening: Told, condition: str) -> None:
    body = a_resolution(screening["id"], condition)
    answer = world.therapist.post(f"{world.patient.record}/stop-resolutions", body)
    assert answer.status_code == 201, answer.text


class Course:
    """A course that is moved, step by step."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sent = a_course()
        self.told = planned(world, **self.sent)
        self.path = f"{world.patient.record}/courses/{self.told['id']}"

    def move(self, status: str, reason: str | None = "Discussed.") -> Any:
        body = self.sent | {"status": status, "reason": reason}
        answer = self.world.therapist.put(self.path, body, base=self.told["version"])
        if answer.status_code == 200:
            self.told = answer.json()
        return answer

    def go(self, *statuses: str) -> "Course":
        for status in statuses:
            assert self.move(status).status_code == 200
        return self


class TestPlan:
    def test_a_new_course_is_planned_by_a_version_of_the_protocol(self, world: World) -> None:
        told = planned(world)

        assert (told["status"], told["protocol_version"]) == ("planned", 0)
        assert (told["may_move_to"], told["outside_protocol"]) == (["active", "stopped"], [])
        assert told["eligibility"] is None
        one = f"{world.patient.record}/courses/{told['id']}"
        assert world.patient.get(one).json() == told

    def test_the_version_stays_whatever_is_published_later(self, world: World) -> None:
        first = world.administrator.put("/v1/clinic/protocol", A_PROTOCOL, base=1)
        assert first.status_code == 200
        told = planned(world, protocol_version=1)
        world.administrator.put("/v1/clinic/protocol", A_PROTOCOL, base=2)

        again = world.therapist.get(f"{world.patient.record}/courses/{told['id']}").json()

        assert again["protocol_version"] == 1

    def test_a_plan_that_the_protocol_does_not_foresee_is_a_question_and_no_error(
        self, world: World
    ) -> None:
        told = planned(world, planned_sessions=12, spacing_days=1)

        assert told["outside_protocol"] == ["planned_sessions", "spacing_days"]

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"protocol_version": 1}, "/protocol_version"),
            ({"protocol_version": -1}, "/protocol_version"),
            ({"indication": "baldness"}, "/indication"),
            ({"planned_sessions": 0}, "/planned_sessions"),
            ({"spacing_days": 0}, "/spacing_days"),
            ({"status": "active"}, "/status"),
            ({"status": "gone"}, "/status"),
        ],
    )
    def test_what_is_no_plan_is_refused_by_place(
        self, world: World, change: Told, pointer: str
    ) -> None:
        answer = world.therapist.post(f"{world.patient.record}/courses", a_course(**change))

        assert answer.status_code == 422
        assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]

    def test_a_patient_has_one_course_at_a_time(self, world: World) -> None:
        first = Course(world)

        refused = world.therapist.post(f"{world.patient.record}/courses", a_course())

        assert (refused.status_code, refused.json()["code"]) == (409, "course-open")
        first.go("stopped")
        planned(world)

    def test_one_that_was_entered_in_error_is_in_nobody_s_way(self, world: World) -> None:
        first = planned(world)

        withdrawn(world.therapist, f"{world.patient.record}/courses/{first['id']}", 1)

        planned(world)

    def test_sent_again_it_is_the_same_course(self, world: World) -> None:
        body = a_course(id=str(uuid4()))

        answers = [world.therapist.post(f"{world.patient.record}/courses", body) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [201, 200]

    def test_the_database_refuses_a_second_open_course_by_itself(
        self, world: World, behind: Behind
    ) -> None:
        planned(world)

        with pytest.raises(psycopg.errors.UniqueViolation, match="uq_course_one_open"):
            behind.rows(
                "INSERT INTO course SELECT (jsonb_populate_record(course,"
                " jsonb_build_object('id', gen_random_uuid()))).* FROM course"
                " WHERE patient_id = %s",
                world.patient.patient_id,
            )


class TestMove:
    def test_every_move_has_an_action_of_its_own_in_the_ledger(self, world: World) -> None:
        screened(world)
        course = Course(world)

        course.go(
            *("active", "paused", "active", "maintenance", "active", "maintenance"),
            *("completed", "maintenance", "stopped"),
        )

        versions = world.therapist.get(f"{course.path}/versions").json()["versions"]
        assert [one["action"].removeprefix("course.") for one in versions] == [
            *("planned", "started", "paused", "resumed", "maintained", "intensified"),
            *("maintained", "completed", "reopened", "stopped"),
        ]

    @pytest.mark.parametrize(
        ("before", "after", "may"),
        [
            ((), "completed", ["active", "stopped"]),
            ((), "paused", ["active", "stopped"]),
            (("active",), "planned", ["maintenance", "paused", "completed", "stopped"]),
            (("active", "completed"), "active", ["maintenance"]),
            (("stopped",), "active", []),
        ],
    )
    def test_where_it_cannot_go_is_refused_with_where_it_can(
        self, world: World, before: tuple[str, ...], after: str, may: list[str]
    ) -> None:
        screened(world)
        course = Course(world).go(*before)

        refused = course.move(after)

        assert (refused.status_code, refused.json()["code"]) == (409, "illegal-move")
        assert refused.json()["may_move_to"] == may
        assert refused.json()["from"] == course.told["status"]

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (("active",), "paused"),
            (("active",), "stopped"),
            (("active", "completed"), "maintenance"),
        ],
    )
    def test_what_interrupts_ends_or_reopens_needs_a_reason(
        self, world: World, before: tuple[str, ...], after: str
    ) -> None:
        screened(world)
        course = Course(world).go(*before)

        refused = course.move(after, reason=None)

        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/reason"
        assert course.move(after, reason="It is too much.").json()["reason"] == "It is too much."

    def test_the_reason_is_sealed(self, world: World, behind: Behind) -> None:
        Course(world).move("stopped", reason="axolotl")

        assert "axolotl" not in str(behind.rows("SELECT course::text FROM course"))

    def test_a_change_of_the_plan_is_no_move(self, world: World) -> None:
        course = Course(world)

        amended(world.therapist, course.path, course.sent | {"planned_sessions": 4}, 1)

        versions = world.therapist.get(f"{course.path}/versions").json()["versions"]
        assert versions[-1]["action"] == "course.amended"

    def test_a_move_that_is_sent_again_is_made_once(self, world: World) -> None:
        screened(world)
        course = Course(world).go("active")

        again = world.therapist.put(
            course.path, course.sent | {"status": "active", "reason": "Discussed."}, base=1
        )

        assert (again.status_code, again.json()["version"]) == (200, 2)

    def test_another_course_that_is_open_keeps_a_completed_one_closed(self, world: World) -> None:
        screened(world)
        course = Course(world).go("active", "completed")
        planned(world)

        refused = course.move("maintenance")

        assert (refused.status_code, refused.json()["code"]) == (409, "course-open")

    @pytest.mark.parametrize("who", ["patient", "coach", "administrator"])
    def test_nobody_else_moves_it(self, world: World, who: str) -> None:
        course = Course(world)
        person: Person = getattr(world.here, who)

        assert person.put(course.path, course.sent, base=1).status_code == 403


class TestBegin:
    def test_without_a_screening_no_course_begins(self, world: World) -> None:
        refused = Course(world).move("active")

        assert (refused.status_code, refused.json()["code"]) == (409, "not-screened")

    def test_a_hard_stop_keeps_it_from_beginning_until_it_is_resolved(self, world: World) -> None:
        screening = screened(world, psychosis="yes", pregnancy="yes")
        course = Course(world)
        resolved(world, screening, "pregnancy")

        refused = course.move("active")

        assert (refused.status_code, refused.json()["code"]) == (409, "hard-stop")
        assert refused.json()["stops"] == ["psychosis"]
        resolved(world, screening, "psychosis")
        told = course.go("active").told
        assert set(told["eligibility"]["resolved"]) == {"psychosis", "pregnancy"}

    def test_a_stop_keeps_a_paused_course_from_going_on_and_nobody_from_stopping_it(
        self, world: World
    ) -> None:
        screened(world)
        course = Course(world).go("active", "paused")
        screened(world, mania="yes")

        assert course.move("active").json()["code"] == "hard-stop"
        assert course.move("maintenance").json()["code"] == "hard-stop"
        assert course.move("stopped").status_code == 200

    def test_what_is_unknown_is_told_and_kept_as_it_was_then(self, world: World) -> None:
        screening = screened(world, psychosis="unknown")
        course = Course(world).go("active")

        amended(
            world.therapist,
            f"{world.patient.record}/screenings/{screening['id']}",
            a_screening(),
            1,
        )
        course.go("paused")

        kept = course.told["eligibility"]
        assert (kept["state"], kept["open"]) == ("open", ["psychosis"])
        assert (kept["screening_id"], kept["screening_version"]) == (screening["id"], 1)
        assert course.go("active").told["eligibility"]["state"] == "clear"

    def test_a_stop_that_turns_up_later_moves_nothing(self, world: World) -> None:
        screened(world)
        course = Course(world).go("active")

        screened(world, mania="yes")

        assert world.therapist.get(course.path).json()["status"] == "active"
        amended(world.therapist, course.path, course.sent | {"status": "active"}, 2)
