"""The gate at the door, and what somebody takes home."""

from typing import Any
from uuid import uuid4

import pytest

from tests.api.test_vital_signs import a_visit, sent
from tests.builders import (
    World,
    a_check_in,
    a_discharge,
    a_dosing_session,
    a_reading,
    ago,
    amended,
    an_administration,
    an_aftercare,
    now,
    withdrawn,
)
from tests.conftest import Behind


def gate(world: World, visit: str) -> dict[str, Any]:
    """What is still missing right now."""
    answer = world.therapist.get(f"{visit}/discharge")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def a_screen(world: World, *, minutes_ago: float = 20, **changes: Any) -> None:
    """The patient says that there is nothing since the last contact."""
    body = a_check_in(
        instrument="c-ssrs-since-last-contact",
        answers=[0, 0, None, None, None, 0],
        recorded_at=ago(minutes_ago),
    )
    answer = world.patient.post("/v1/patients/me/check-ins", body | changes)
    assert answer.status_code == 201, answer.text


def a_calm_visit(world: World) -> str:
    """Two and a half hours after the dose everything is as before it."""
    visit = a_visit(world, minutes_ago=150)
    sent(world, visit, a_reading(160), a_reading(10, dissociation=0))
    a_screen(world)
    return visit


def let_go(world: World, visit: str, **changes: Any) -> dict[str, Any]:
    """Somebody who was let go, as the answer tells it."""
    body = a_discharge(overrides=[]) | changes
    answer = world.therapist.post(f"{visit}/discharge", body)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


class TestGate:
    def test_says_of_every_criterion_whether_it_is_met_and_by_what(self, world: World) -> None:
        visit = a_visit(world, minutes_ago=60)
        sent(world, visit, a_reading(70), a_reading(5, systolic=150, dissociation=4))

        told = gate(world, visit)

        found = {one["key"]: one for one in told["criteria"]}
        assert {key: one["met"] for key, one in found.items()} == {
            "time": "not-met",
            "blood-pressure": "not-met",
            "dissociation": "not-met",
            "alert": "unknown",
            "risk-screen": "unknown",
            "escort": "unknown",
            "instructions": "unknown",
        }
        assert found["dissociation"]["value"] == {"dissociation": 4}
        assert found["blood-pressure"]["value"]["baseline_systolic"] == 120
        assert (told["may_leave"], set(told["open"])) == (False, set(found))
        assert (told["discharge"], told["protocol_version"]) == (None, 0)

    def test_after_the_last_dose_time_begins_again(self, world: World) -> None:
        visit = a_visit(world, minutes_ago=150)
        given = [an_administration(given_at=ago(minutes)) for minutes in (150, 100)]
        amended(world.therapist, visit, a_dosing_session(administrations=given), 1)

        assert "time" in gate(world, visit)["open"]

    def test_a_screen_before_the_last_dose_is_none(self, world: World) -> None:
        visit = a_visit(world, minutes_ago=150)
        a_screen(world, minutes_ago=155)

        assert "risk-screen" in gate(world, visit)["open"]

    def test_a_screen_that_finds_intent_keeps_the_gate_shut(self, world: World) -> None:
        visit = a_calm_visit(world)
        a_screen(world, minutes_ago=1, answers=[1, 1, 1, 1, 0, 0])

        told = {one["key"]: one for one in gate(world, visit)["criteria"]}

        assert told["risk-screen"]["met"] == "not-met"
        assert told["risk-screen"]["value"] == {"level": "high", "assessed": True}

    def test_intent_that_is_taken_back_a_little_later_keeps_the_gate_shut(
        self, world: World
    ) -> None:
        visit = a_visit(world, minutes_ago=150)
        a_screen(world, minutes_ago=40, answers=[1, 1, 1, 1, 0, 0])
        a_screen(world, minutes_ago=5)

        told = {one["key"]: one for one in gate(world, visit)["criteria"]}

        assert told["risk-screen"]["met"] == "not-met"
        assert told["risk-screen"]["value"] == {"level": "high", "assessed": True}

    def test_half_a_screen_after_a_whole_one_is_none(self, world: World) -> None:
        visit = a_calm_visit(world)
        a_screen(world, minutes_ago=1, answers=[0, None, None, None, None, None])

        told = {one["key"]: one for one in gate(world, visit)["criteria"]}

        assert told["risk-screen"]["met"] == "unknown"


class TestLeaving:
    def test_with_every_criterion_met_nothing_is_overridden(self, world: World) -> None:
        visit = a_calm_visit(world)

        told = let_go(world, visit)

        assert {one["met"] for one in told["criteria"]} == {"met"}
        assert told["discharged_by"] == str(world.therapist.membership_id)
        passed = gate(world, visit)
        assert (passed["may_leave"], passed["discharge"]["id"]) == (True, told["id"])

    def test_what_is_open_is_told_and_nothing_is_stored(self, world: World, behind: Behind) -> None:
        visit = a_visit(world, minutes_ago=60)
        before = behind.counts()

        answer = world.therapist.post(
            f"{visit}/discharge", a_discharge(overrides=[], attested={"alert": False})
        )

        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (409, "criteria-open")
        assert problem["open"] == [
            "time",
            "blood-pressure",
            "dissociation",
            "alert",
            "risk-screen",
            "escort",
            "instructions",
        ]
        alert = next(one for one in problem["criteria"] if one["key"] == "alert")
        assert (alert["met"], alert["value"]) == ("not-met", {"attested": False})
        assert behind.counts() == before

    def test_an_override_names_its_criterion_and_says_why(self, world: World) -> None:
        visit = a_visit(world, minutes_ago=60)

        told = let_go(world, visit, overrides=a_discharge()["overrides"])

        assert told["overrides"][0] == {"criterion": "time", "reason": "Seen and spoken with."}
        assert {one["key"]: one["met"] for one in told["criteria"]}["time"] == "not-met"

    def test_one_override_too_few_keeps_the_gate_shut(self, world: World) -> None:
        visit = a_visit(world, minutes_ago=60)
        overrides = a_discharge()["overrides"][:-1]

        answer = world.therapist.post(f"{visit}/discharge", a_discharge(overrides=overrides))

        assert (answer.status_code, answer.json()["open"]) == (409, ["risk-screen"])

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"attested": {"alert": True, "sober": True}}, "/attested"),
            ({"attested": {"time": True}}, "/attested"),
            ({"overrides": [{"criterion": "escort", "reason": "x"}]}, "/overrides/0/criterion"),
            ({"overrides": [{"criterion": "unheard-of", "reason": "x"}]}, "/overrides/0/criterion"),
            ({"overrides": [{"criterion": "time", "reason": " "}]}, "/overrides/0/reason"),
            ({"overrides": [{"criterion": "time", "reason": "x"}] * 2}, "/overrides/1/criterion"),
        ],
    )
    def test_bad_input_is_refused_by_place(
        self, world: World, changes: dict[str, Any], pointer: str
    ) -> None:
        visit = a_visit(world, minutes_ago=60)

        answer = world.therapist.post(f"{visit}/discharge", a_discharge(**changes))

        assert answer.status_code == 422
        assert pointer in [fault["pointer"] for fault in answer.json()["errors"]]

    def test_one_that_comes_again_is_one_and_another_is_refused(self, world: World) -> None:
        visit = a_calm_visit(world)
        body = a_discharge(overrides=[], id=str(uuid4()))
        first = world.therapist.post(f"{visit}/discharge", body)

        again = world.therapist.post(f"{visit}/discharge", body)
        another = world.therapist.post(f"{visit}/discharge", a_discharge(overrides=[]))

        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()
        assert (another.status_code, another.json()["code"]) == (409, "already-exists")

    def test_it_is_judged_as_of_when_they_left(self, world: World) -> None:
        visit = a_calm_visit(world)

        early = world.therapist.post(
            f"{visit}/discharge", a_discharge(overrides=[], recorded_at=ago(45))
        )

        assert early.json()["open"] == ["time", "blood-pressure", "dissociation", "risk-screen"]

    def test_one_that_was_withdrawn_makes_room_for_another(self, world: World) -> None:
        visit = a_calm_visit(world)
        first = let_go(world, visit)
        withdrawn(world.therapist, f"{visit}/discharge/{first['id']}", 1)

        assert gate(world, visit)["discharge"] is None
        assert let_go(world, visit)["id"] != first["id"]

    def test_a_correction_is_judged_by_the_protocol_as_it_was(self, world: World) -> None:
        visit = a_visit(world, minutes_ago=60)
        first = let_go(world, visit, overrides=a_discharge()["overrides"])
        standing = world.administrator.get("/v1/clinic/protocol")
        content = standing.json()
        for name in ("version", "published_at"):
            del content[name]
        content["discharge"]["criteria"] = content["discharge"]["criteria"][3:4]
        published = world.administrator.put(
            "/v1/clinic/protocol", content, base=standing.headers["ETag"]
        )
        assert published.status_code == 200, published.text
        overrides = [one | {"reason": "As agreed."} for one in a_discharge()["overrides"]]

        told = amended(
            world.therapist,
            f"{visit}/discharge/{first['id']}",
            a_discharge(overrides=overrides, recorded_at=first["recorded_at"]),
            1,
        )

        assert (told["protocol_version"], len(told["criteria"])) == (0, 7)
        versions = world.therapist.get(f"{visit}/discharge/{first['id']}/versions").json()
        assert [one["action"] for one in versions["versions"]] == [
            "discharge.recorded",
            "discharge.amended",
        ]


class TestAftercare:
    def test_what_was_given_is_kept_in_the_words_it_had(self, world: World) -> None:
        visit = a_visit(world).rpartition("/")[2]

        given = world.therapist.post(f"{world.patient.record}/aftercare", an_aftercare(visit))

        assert given.status_code == 201, given.text
        assert given.json()["told"][0] == {
            "key": "rest",
            "label": "Rest for the remainder of the day",
        }
        assert world.patient.get("/v1/patients/me/aftercare").json()["aftercare"][0]["words"] == (
            "Call me tomorrow."
        )

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"instructions": []}, "/instructions"),
            ({"instructions": ["rest", "dance"]}, "/instructions/1"),
            ({"instructions": ["rest", "rest"]}, "/instructions/1"),
            ({"dosing_session_id": str(uuid4())}, "/dosing_session_id"),
        ],
    )
    def test_bad_input_is_refused_by_place(
        self, world: World, changes: dict[str, Any], pointer: str
    ) -> None:
        visit = a_visit(world).rpartition("/")[2]

        answer = world.therapist.post(
            f"{world.patient.record}/aftercare", an_aftercare(visit) | changes
        )

        assert answer.status_code == 422
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]

    def test_the_patient_acknowledges_it_by_sync_and_nobody_for_them(self, world: World) -> None:
        visit = a_visit(world).rpartition("/")[2]
        record = world.patient.record
        given = world.therapist.post(f"{record}/aftercare", an_aftercare(visit)).json()
        receipt = {
            "aftercare_id": given["id"],
            "aftercare_version": 1,
            "recorded_at": now().isoformat(),
        }
        change = {
            "kind": "aftercare_receipt",
            "op": "create",
            "id": str(uuid4()),
            "entry": receipt,
        }

        results = [
            world.patient.post("/v1/sync", {"changes": [change]}).json()["results"][0]["status"]
            for _ in range(2)
        ]

        assert results == ["created", "unchanged"]
        assert world.therapist.post(f"{record}/aftercare-receipts", receipt).status_code == 403
        seen = world.therapist.get(f"{record}/aftercare-receipts").json()["aftercare_receipts"]
        assert [one["aftercare_id"] for one in seen] == [given["id"]]

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"aftercare_id": str(uuid4())}, "/aftercare_id"),
            ({"aftercare_version": 2}, "/aftercare_version"),
        ],
    )
    def test_nobody_acknowledges_what_they_were_not_given(
        self, world: World, changes: dict[str, Any], pointer: str
    ) -> None:
        visit = a_visit(world).rpartition("/")[2]
        record = world.patient.record
        given = world.therapist.post(f"{record}/aftercare", an_aftercare(visit)).json()
        receipt = {
            "aftercare_id": given["id"],
            "aftercare_version": 1,
            "recorded_at": now().isoformat(),
        }

        answer = world.patient.post(f"{record}/aftercare-receipts", receipt | changes)

        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]

    def test_a_phone_cannot_give_itself_aftercare(self, world: World) -> None:
        visit = a_visit(world).rpartition("/")[2]
        change = {
            "kind": "aftercare",
            "op": "create",
            "id": str(uuid4()),
            "entry": an_aftercare(visit),
        }

        results = world.patient.post("/v1/sync", {"changes": [change]}).json()["results"]

        assert [one["status"] for one in results] == ["refused"]


class TestAtHome:
    def test_is_asked_four_hours_after_the_dose(self, world: World) -> None:
        a_visit(world, minutes_ago=200)

        due = world.patient.get("/v1/patients/me/due").json()

        assert "4h/dose-1/aftercare" in [one["key"] for one in due["open"]]

    def test_blood_is_a_danger_to_the_body_and_thoughts_of_death_are_followed_up(
        self, world: World
    ) -> None:
        def answered(answers: list[int]) -> dict[str, Any]:
            body = a_check_in(instrument="aftercare", answers=answers)
            told: dict[str, Any] = world.patient.post("/v1/patients/me/check-ins", body).json()
            return told["safety"]  # type: ignore[no-any-return]

        calm = answered([1, 0, 0, 0, 1, 0, 1, 0])
        blood = answered([0, 0, 0, 1, 0, 0, 1, 0])
        thoughts = answered([0, 0, 0, 0, 3, 1, 0, 0])

        assert (calm["flag"], calm["assessed"]) == (None, True)
        assert (blood["flag"]["kind"], blood["crisis_lines"]) == ("physical", [])
        assert (thoughts["flag"]["kind"], thoughts["level"]) == ("suicide-risk", "low")
        assert thoughts["next_instrument"] == "c-ssrs-since-last-contact"
