"""Visits that are planned, held, corrected and withdrawn: only what holds now is a dose."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.builders import (
    Person,
    World,
    a_check_in,
    a_dosing_session,
    amended,
    an_administration,
    now,
    withdrawn,
)
from tests.conftest import Behind

PHQ_9 = "/v1/patients/me/trajectories/phq-9"


def given(hours_ago: float, **changes: Any) -> list[dict[str, Any]]:
    """One administration, so long ago."""
    given_at = (now() - timedelta(hours=hours_ago)).isoformat()
    return [an_administration(given_at=given_at, **changes)]


def recorded(world: World, **changes: Any) -> tuple[str, dict[str, Any]]:
    """The address of a visit that was stored, and what it was sent with."""
    body = a_dosing_session(id=str(uuid4()), **changes)
    answer = world.therapist.post(f"{world.patient.record}/dosing-sessions", body)
    assert answer.status_code == 201, answer.text
    return f"{world.patient.record}/dosing-sessions/{body['id']}", body


def planned(world: World, **changes: Any) -> tuple[str, dict[str, Any]]:
    """A visit a week from now, at which nothing was given."""
    started_at = (now() + timedelta(days=7)).isoformat()
    plan = {"status": "preparation", "administrations": [], "started_at": started_at}
    return recorded(world, **plan | changes)


def checked_in(world: World) -> str:
    """The address of a check-in of just now."""
    answer = world.patient.post("/v1/patients/me/check-ins", a_check_in())
    return f"/v1/patients/me/check-ins/{answer.json()['id']}"


def position(world: World, check_in: str) -> tuple[int, str]:
    """By which dose a check-in stands, wherever that is told."""
    read = world.patient.get(check_in).json()["position"]
    points = world.patient.get(PHQ_9).json()["points"]
    assert points["dose_number"] == [read["dose_number"]]
    assert points["window"] == [read["window"]]
    assert points["hours_since_dose"] == [read["hours_since_dose"]]
    return read["dose_number"], read["window"]


def last_dose(world: World) -> datetime | None:
    """As the caseload tells it."""
    [row] = world.therapist.get("/v1/caseload").json()["patients"]
    at = row["last_dose_at"]
    return at and datetime.fromisoformat(at)


class TestDoses:
    def test_a_dose_that_is_corrected_moves_the_check_ins_after_it(self, world: World) -> None:
        path, body = recorded(world, administrations=given(2))
        check_in = checked_in(world)
        before = position(world, check_in)

        amended(world.therapist, path, body | {"administrations": given(30)}, 1)

        assert before == (1, "0-4h")
        assert position(world, check_in) == (1, "1-7d")
        assert world.patient.get(check_in).json()["doses_in_recall_window"] == 1

    def test_a_dose_that_is_withdrawn_is_none(self, world: World) -> None:
        path, _ = recorded(world, administrations=given(2))
        check_in = checked_in(world)

        told = withdrawn(world.therapist, path, 1)

        assert position(world, check_in) == (0, "baseline")
        assert world.patient.get(PHQ_9).json()["doses"]["effective_at"] == []
        assert last_dose(world) is None
        assert told["number"] == 0
        assert len(told["administrations"]) == 1

    def test_the_doses_after_one_that_is_withdrawn_move_up(self, world: World) -> None:
        paths = [recorded(world, administrations=given(hours))[0] for hours in (90, 60, 30)]
        check_in = checked_in(world)

        withdrawn(world.therapist, paths[1], 1)

        assert [world.patient.get(path).json()["number"] for path in paths] == [1, 0, 2]
        assert position(world, check_in) == (2, "1-7d")

    def test_a_dose_of_an_older_version_is_never_counted(
        self, world: World, behind: Behind
    ) -> None:
        path, body = recorded(world, administrations=[*given(50), *given(49), *given(48)])
        check_in = checked_in(world)

        told = amended(world.therapist, path, body | {"administrations": given(2)}, 1)

        rows = behind.rows(
            "SELECT session_version, count(*) FROM administration WHERE dosing_session_id = %s"
            " GROUP BY 1 ORDER BY 1",
            body["id"],
        )
        assert rows == [(1, 3), (2, 1)]
        [listed] = world.patient.get("/v1/patients/me/dosing-sessions").json()["dosing_sessions"]
        assert listed == told == world.patient.get(path).json()
        assert len(told["administrations"]) == told["number"] == 1
        assert position(world, check_in) == (1, "0-4h")
        assert last_dose(world) == datetime.fromisoformat(told["effective_at"])

    def test_a_visit_at_which_nothing_was_given_after_all_is_no_dose(self, world: World) -> None:
        path, body = recorded(world, administrations=given(2))
        check_in = checked_in(world)

        told = amended(
            world.therapist, path, body | {"status": "not-done", "administrations": []}, 1
        )

        assert (told["number"], told["administrations"]) == (0, [])
        assert position(world, check_in) == (0, "baseline")

    def test_every_version_has_its_own_doses_and_the_number_it_would_have(
        self, world: World
    ) -> None:
        recorded(world, administrations=given(60))
        path, body = recorded(world, administrations=given(90))
        amended(world.therapist, path, body | {"administrations": given(30, dose_mg=55)}, 1)
        withdrawn(world.therapist, path, 2)

        versions = world.patient.get(f"{path}/versions").json()["versions"]

        sessions = [one["dosing_session"] for one in versions]
        assert [one["number"] for one in sessions] == [1, 2, 0]
        assert [one["administrations"][0]["dose_mg"] for one in sessions] == [40, 55, 55]

    def test_it_is_told_which_hand_changed_it(self, world: World, behind: Behind) -> None:
        path, body = recorded(world)
        amended(world.therapist, path, body | {"administrations": given(3)}, 1)

        assert behind.rows(
            "SELECT action, actor_id, actor_role FROM ledger WHERE entry_id = %s ORDER BY seq",
            body["id"],
        ) == [
            (f"dosing_session.{verb}", world.therapist.membership_id, "clinician")
            for verb in ("recorded", "amended")
        ]

    @pytest.mark.parametrize("who", ["patient", "coach", "administrator"])
    def test_nobody_changes_it_who_may_not_record_it(self, world: World, who: str) -> None:
        person: Person = getattr(world.here, who)
        path, body = recorded(world)

        answers = [
            person.put(path, body | {"administrations": given(5)}, base=1),
            person.delete(path, base=1),
        ]

        assert [answer.status_code for answer in answers] == [403, 403]
        assert world.patient.get(path).json()["version"] == 1

    def test_a_correction_is_checked_like_a_new_one(self, world: World) -> None:
        path, body = recorded(world)

        answer = world.therapist.put(path, body | {"administrations": given(-25)}, base=1)

        assert answer.status_code == 422
        assert [one["pointer"] for one in answer.json()["errors"]] == [
            "/administrations/0/given_at"
        ]


class TestPlanned:
    def test_it_lies_ahead_and_is_no_dose(self, world: World) -> None:
        check_in = checked_in(world)

        path, body = planned(world)

        told = world.patient.get(path).json()
        assert (told["status"], told["number"]) == ("preparation", 0)
        assert datetime.fromisoformat(told["started_at"]) == datetime.fromisoformat(
            body["started_at"]
        )
        assert told["effective_at"] == told["started_at"]
        assert position(world, check_in) == (0, "baseline")
        assert world.patient.get(PHQ_9).json()["doses"]["effective_at"] == []
        assert last_dose(world) is None

    def test_its_time_may_come_and_go_and_it_is_still_no_dose(self, world: World) -> None:
        planned(world, started_at=(now() - timedelta(days=1)).isoformat())

        assert position(world, checked_in(world)) == (0, "baseline")

    def test_it_is_listed_with_the_others(self, world: World) -> None:
        path, _ = planned(world)
        other, _ = recorded(world)

        listed = world.patient.get("/v1/patients/me/dosing-sessions").json()["dosing_sessions"]

        assert [one["id"] for one in listed] == [
            path.rpartition("/")[2],
            other.rpartition("/")[2],
        ]

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"started_at": None}, "/started_at"),
            ({"administrations": given(1)}, "/administrations"),
            ({"ended_at": "2020-01-01T00:00:00Z"}, "/ended_at"),
        ],
    )
    def test_a_plan_says_when_and_not_what_was_given(
        self, world: World, changes: dict[str, Any], pointer: str
    ) -> None:
        plan = {"status": "preparation", "started_at": (now() + timedelta(days=7)).isoformat()}

        answer = world.therapist.post(f"{world.patient.record}/dosing-sessions", plan | changes)

        assert answer.status_code == 422
        assert pointer in {one["pointer"] for one in answer.json()["errors"]}

    @pytest.mark.parametrize("status", ["completed", "in-progress"])
    def test_held_it_becomes_a_dose(self, world: World, status: str) -> None:
        path, body = planned(world)
        check_in = checked_in(world)
        held = {
            "id": body["id"],
            "status": status,
            "started_at": (now() - timedelta(hours=3)).isoformat(),
            "administrations": given(2),
        }

        told = amended(world.therapist, path, held, 1)

        assert (told["status"], told["number"]) == (status, 1)
        assert told["effective_at"] == told["administrations"][0]["given_at"]
        assert position(world, check_in) == (1, "0-4h")
        versions = world.patient.get(f"{path}/versions").json()["versions"]
        assert [one["dosing_session"]["status"] for one in versions] == ["preparation", status]
        assert [one["dosing_session"]["number"] for one in versions] == [0, 1]

    def test_put_off_it_is_planned_for_another_day(self, world: World) -> None:
        path, body = planned(world)
        later = (now() + timedelta(days=9)).isoformat()

        told = amended(world.therapist, path, body | {"started_at": later}, 1)

        assert told["status"] == "preparation"
        assert datetime.fromisoformat(told["effective_at"]) == datetime.fromisoformat(later)

    def test_called_off_it_is_not_done(self, world: World) -> None:
        path, body = planned(world)

        told = amended(world.therapist, path, body | {"status": "not-done"}, 1)

        assert (told["status"], told["number"]) == ("not-done", 0)
        assert position(world, checked_in(world)) == (0, "baseline")

    def test_sent_again_it_is_planned_once(self, world: World) -> None:
        path, body = planned(world)

        again = world.therapist.post(path.rpartition("/")[0], body)

        assert (again.status_code, again.json()) == (200, world.patient.get(path).json())
