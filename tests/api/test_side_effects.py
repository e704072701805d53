"""Side effects, and the flag that a severe one raises."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.clinical.side_effects import SIDE_EFFECTS
from tests.builders import (
    Person,
    World,
    a_dosing_session,
    a_side_effect,
    ago,
    amended,
    now,
    withdrawn,
)
from tests.conftest import Behind


def path(world: World) -> str:
    """Of the patient's side effects."""
    return f"{world.patient.record}/side-effects"


def reported(by: Person, world: World, **changes: Any) -> dict[str, Any]:
    """A side effect that was stored, as the answer tells it."""
    answer = by.post(path(world), a_side_effect(**changes))
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def flags(world: World) -> list[dict[str, Any]]:
    """Those of the patient, with what raised them."""
    listed = world.therapist.get("/v1/flags").json()["flags"]
    return [one for one in listed if one["patient_id"] == str(world.patient.patient_id)]


class TestReport:
    def test_a_mild_one_is_kept_and_nobody_is_told(self, world: World) -> None:
        told = reported(world.patient, world, action="Sat down.")

        assert (told["code"], told["severity"], told["action"]) == ("nausea", "mild", "Sat down.")
        assert (told["reported_by"], told["resolved_at"]) == ("patient", None)
        assert told["safety"]["flag"] is None
        assert flags(world) == []

    @pytest.mark.parametrize(
        ("severity", "level"), [("severe", "moderate"), ("life-threatening", "high")]
    )
    @pytest.mark.parametrize("who", ["patient", "therapist"])
    def test_a_severe_one_is_a_danger_to_the_body(
        self, world: World, who: str, severity: str, level: str
    ) -> None:
        by: Person = getattr(world, who)

        told = reported(by, world, code="chest-pain", severity=severity)

        safety = told["safety"]
        assert (safety["level"], safety["flag"]["kind"]) == (level, "physical")
        assert safety["reasons"] == [f"side-effect.chest-pain.{severity}"]
        assert (safety["assessed"], safety["crisis_lines"]) == (False, [])
        assert (safety["emergency_number"], safety["clinic_phone"]) == ("911", "+1 555 0199")
        assert "care team" in safety["monitoring_statement"]
        [flag] = flags(world)
        assert (flag["kind"], flag["level"]) == ("physical", level)
        assert [one["source_kind"] for one in flag["evidence"]] == ["side_effect"]

    def test_one_that_comes_again_is_one_flag(self, world: World) -> None:
        body = a_side_effect(id=str(uuid4()), severity="severe")
        first = world.patient.post(path(world), body)

        again = world.patient.post(path(world), body)

        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json()["safety"]["flag"] == first.json()["safety"]["flag"]
        assert len(flags(world)[0]["evidence"]) == 1

    def test_what_lasts_is_not_past_however_late_it_is_told(self, world: World) -> None:
        told = reported(world.patient, world, severity="severe", onset_at=ago(60 * 24 * 30))

        assert told["safety"]["flag"]["is_historic"] is False

    def test_what_passed_weeks_ago_is_past(self, world: World) -> None:
        told = reported(
            world.patient,
            world,
            severity="severe",
            onset_at=ago(60 * 24 * 30),
            resolved_at=ago(60 * 24 * 29),
        )

        assert told["safety"]["flag"]["is_historic"] is True

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"code": "a-new-one"}, "/code"),
            ({"code": "other"}, "/words"),
            ({"severity": "deadly"}, "/severity"),
            ({"resolved_at": ago(11)}, "/resolved_at"),
            ({"dosing_session_id": str(uuid4())}, "/dosing_session_id"),
        ],
    )
    def test_bad_input_is_refused_by_place_with_whom_to_call(
        self, world: World, behind: Behind, changes: dict[str, Any], pointer: str
    ) -> None:
        answer = world.patient.post(path(world), a_side_effect(**changes))

        assert answer.status_code == 422
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]

    def test_every_code_is_kept(self, world: World) -> None:
        for code in SIDE_EFFECTS:
            reported(world.patient, world, code=code, words="It came at once.")

        listed = world.therapist.get(f"{path(world)}?limit=100").json()["side_effects"]
        assert {one["code"] for one in listed} == set(SIDE_EFFECTS)

    def test_it_may_say_which_visit_it_came_with(self, world: World) -> None:
        visit = world.therapist.post(
            f"{world.patient.record}/dosing-sessions", a_dosing_session()
        ).json()

        told = reported(world.therapist, world, dosing_session_id=visit["id"])

        assert (told["dosing_session_id"], told["reported_by"]) == (visit["id"], "clinician")
        assert told["safety"] is None


class TestChange:
    def test_a_change_that_came_too_late_is_not_kept_and_its_danger_is_told_all_the_same(
        self, world: World
    ) -> None:
        told = reported(world.patient, world)
        one = f"{path(world)}/{told['id']}"
        amended(world.therapist, one, a_side_effect(action="Water."), 1)

        worse = a_side_effect(severity="life-threatening")
        late = world.patient.put(one, worse, base=1)
        again = world.patient.put(one, worse, base=1)

        assert (late.status_code, again.status_code) == (412, 412)
        (flag,) = flags(world)
        assert flag["level"] == "high"
        assert [of["source_kind"] for of in flag["evidence"]] == ["side_effect_overtaken"]
        assert world.patient.get(one).json()["severity"] == "mild"

    def test_one_that_gets_worse_raises_a_flag_and_better_takes_none_back(
        self, world: World
    ) -> None:
        told = reported(world.patient, world)
        one = f"{path(world)}/{told['id']}"

        worse = amended(world.patient, one, a_side_effect(severity="severe"), 1)
        better = amended(world.patient, one, a_side_effect(severity="mild"), 2)

        assert worse["safety"]["flag"]["level"] == "moderate"
        assert better["safety"]["flag"]["id"] == worse["safety"]["flag"]["id"]
        assert better["safety"]["level"] == "none"
        assert len(flags(world)) == 1

    def test_one_of_weeks_ago_that_is_worse_now_is_told_now(self, world: World) -> None:
        body = a_side_effect(recorded_at=ago(60 * 24 * 20), onset_at=ago(60 * 24 * 20))
        told = world.patient.post(path(world), body).json()

        worse = amended(
            world.patient,
            f"{path(world)}/{told['id']}",
            body | {"severity": "life-threatening"},
            1,
        )

        flag = worse["safety"]["flag"]
        assert (flag["level"], flag["is_historic"]) == ("high", False)

    def test_the_same_danger_said_otherwise_is_no_new_one(self, world: World) -> None:
        told = reported(world.patient, world, severity="severe")

        amended(
            world.patient,
            f"{path(world)}/{told['id']}",
            a_side_effect(severity="severe", action="Lay down."),
            1,
        )

        assert len(flags(world)[0]["evidence"]) == 1

    def test_a_clinician_says_that_what_the_patient_told_of_has_passed(self, world: World) -> None:
        told = reported(world.patient, world)

        passed = amended(
            world.therapist, f"{path(world)}/{told['id']}", a_side_effect(resolved_at=ago(1)), 1
        )

        assert (passed["reported_by"], passed["safety"]) == ("patient", None)

    def test_a_patient_changes_no_clinician_s_entry(self, world: World) -> None:
        told = reported(world.therapist, world)
        one = f"{path(world)}/{told['id']}"

        assert world.patient.put(one, a_side_effect(severity="moderate"), base=1).status_code == 403
        assert world.patient.delete(one, base=1).status_code == 403
        assert withdrawn(world.therapist, one, 1)["version"] == 2


class TestList:
    def test_it_is_of_everything_or_of_one_visit_page_by_page(self, world: World) -> None:
        visits = [
            world.therapist.post(f"{world.patient.record}/dosing-sessions", a_dosing_session())
            for _ in range(2)
        ]
        mine, other = (answer.json()["id"] for answer in visits)
        of_mine = [reported(world.patient, world, dosing_session_id=mine)["id"] for _ in range(3)]
        reported(world.patient, world, dosing_session_id=other)
        reported(world.patient, world)
        query = f"?dosing_session_id={mine}&limit=2"

        first = world.therapist.get(path(world) + query)
        then = world.therapist.get(first.links["next"]["url"])

        listed = first.json()["side_effects"] + then.json()["side_effects"]
        assert {one["id"] for one in listed} == set(of_mine)
        assert (len(listed), then.json()["next_cursor"]) == (3, None)
        assert len(world.therapist.get(path(world)).json()["side_effects"]) == 5
        # A cursor is of the list that it came from.
        cursor = first.json()["next_cursor"]
        assert world.therapist.get(f"{path(world)}?cursor={cursor}").status_code == 400

    def test_a_visit_that_is_none_of_theirs_has_none_and_what_is_no_id_is_refused(
        self, world: World
    ) -> None:
        reported(world.patient, world)

        there = world.patient.get(f"{path(world)}?dosing_session_id={uuid4()}")
        refused = world.patient.get(f"{path(world)}?dosing_session_id=here")

        assert there.json()["side_effects"] == []
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "query:dosing_session_id"


class TestSync:
    def test_what_a_phone_kept_while_it_was_away_flags_when_it_arrives(self, world: World) -> None:
        change = {
            "kind": "side_effect",
            "op": "create",
            "id": str(uuid4()),
            "entry": a_side_effect(severity="severe"),
        }

        told = world.patient.post("/v1/sync", {"changes": [change]}).json()
        again = world.patient.post("/v1/sync", {"changes": [change]}).json()

        assert [one["status"] for one in told["results"]] == ["created"]
        assert told["safety"]["flag"]["kind"] == "physical"
        assert [one["status"] for one in again["results"]] == ["unchanged"]
        assert len(flags(world)[0]["evidence"]) == 1

    def test_one_that_came_too_late_for_its_version_is_not_stored_and_flags(
        self, world: World
    ) -> None:
        told = reported(world.patient, world)
        amended(world.therapist, f"{path(world)}/{told['id']}", a_side_effect(action="Water."), 1)
        late = {
            "kind": "side_effect",
            "op": "amend",
            "id": told["id"],
            "base_version": 1,
            "entry": a_side_effect(severity="life-threatening"),
        }

        for _ in range(2):
            answer = world.patient.post("/v1/sync", {"changes": [late]}).json()

            assert [one["status"] for one in answer["results"]] == ["conflict"]
            assert answer["results"][0]["entry"]["severity"] == "mild"
            assert answer["safety"]["flag"]["level"] == "high"
        [flag] = flags(world)
        assert [one["source_kind"] for one in flag["evidence"]] == ["side_effect_overtaken"]

    def test_a_phone_changes_no_clinician_s_entry(self, world: World) -> None:
        told = reported(world.therapist, world)
        changes = [
            {"kind": "side_effect", "op": "withdraw", "id": told["id"], "base_version": 1},
            {
                "kind": "side_effect",
                "op": "create",
                "id": str(uuid4()),
                "entry": a_side_effect(recorded_at=(now() - timedelta(days=1)).isoformat()),
            },
        ]

        results = world.patient.post("/v1/sync", {"changes": changes}).json()["results"]

        assert [one["status"] for one in results] == ["refused", "created"]
        assert results[0]["problem"]["code"] == "forbidden"
