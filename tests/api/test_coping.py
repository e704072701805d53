"""What may help when it gets hard, when it was tried, and what the log can tell of it."""

from typing import Any
from uuid import uuid4

import pytest

from app.clinical.coping import NO_PROOF
from app.kernel import texts
from app.practices.schemas import HelpfulnessOut
from tests.builders import Person, World, a_coping_strategy, a_goal, a_trigger, amended
from tests.conftest import Behind

STRATEGIES = "/v1/patients/me/coping-strategies"
TRIGGERS = "/v1/patients/me/triggers"
Json = dict[str, Any]


def keep(person: Person, **changes: Any) -> str:
    answer = person.post(STRATEGIES, a_coping_strategy(**changes))
    assert answer.status_code == 201, answer.text
    strategy_id: str = answer.json()["id"]
    return strategy_id


def log(person: Person, *strategies: str, **changes: Any) -> Json:
    answer = person.post(TRIGGERS, a_trigger(*strategies, **changes))
    assert answer.status_code == 201, answer.text
    told: Json = answer.json()
    return told


def helpfulness(person: Person, record: str = "/v1/patients/me") -> Json:
    answer = person.get(f"{record}/coping/helpfulness")
    assert answer.status_code == 200, answer.text
    HelpfulnessOut.model_validate_json(answer.content)
    told: Json = answer.json()
    return told


class TestTriggers:
    def test_a_trigger_comes_back_as_it_was_logged(self, world: World) -> None:
        strategy = keep(world.patient)

        told = log(world.patient, strategy, helped=3, intensity_after=2)

        assert told["tried"] == [{"strategy_id": strategy, "helped": 3}]
        assert (told["intensity_before"], told["intensity_after"]) == (7, 2)
        seen = world.therapist.get(f"{world.patient.record}/triggers/{told['id']}").json()
        assert seen["tried"] == told["tried"]
        assert world.here.coach.get(f"{world.patient.record}/triggers").status_code == 403

    def test_how_it_was_afterwards_may_be_said_later(self, world: World) -> None:
        strategy = keep(world.patient)
        told = log(world.patient, strategy)
        later = a_trigger(strategy, helped=4, intensity_after=1)

        assert amended(world.patient, f"{TRIGGERS}/{told['id']}", later, 1)["intensity_after"] == 1

    def test_sent_again_it_is_the_same(self, world: World) -> None:
        sent = a_trigger(keep(world.patient), keep(world.patient), id=str(uuid4()))

        answers = [world.patient.post(TRIGGERS, sent) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [201, 200]

    def test_words_are_sealed(self, world: World, behind: Behind) -> None:
        keep(world.patient, words="axolotl")
        log(world.patient, words="axolotl")

        for table in ("coping_strategy", "logged_trigger", "ledger"):
            rows = behind.rows(f"SELECT {table}::text FROM {table}")
            assert rows
            assert not any("axolotl" in row or b"axolotl".hex() in row for (row,) in rows)

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"intensity_before": 11}, "/intensity_before"),
            ({"intensity_after": -1}, "/intensity_after"),
            ({"tried": [{"strategy_id": str(uuid4())}]}, "/tried/0/strategy_id"),
            ({"tried": [{"strategy_id": "the river"}]}, "/tried/0/strategy_id"),
        ],
    )
    def test_what_is_no_trigger_is_refused_by_place(
        self, world: World, changes: Json, pointer: str
    ) -> None:
        answer = world.patient.post(TRIGGERS, a_trigger() | changes)

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer

    def test_a_strategy_is_one_s_own_said_once_and_still_there(self, world: World) -> None:
        own, gone = keep(world.patient), keep(world.patient)
        foreign = keep(world.elsewhere.patient)
        neighbour = keep(world.here.other_patient)
        goal = world.patient.post("/v1/patients/me/goals", a_goal()).json()["id"]
        earlier = log(world.patient, gone)
        world.patient.delete(f"{STRATEGIES}/{gone}", base=1)

        refused = [
            world.patient.post(TRIGGERS, a_trigger(own, one)).json()["errors"][0]
            for one in (own, gone, foreign, neighbour, goal)
        ]

        assert {one["pointer"] for one in refused} == {"/tried/1/strategy_id"}
        assert [one["reason"] for one in refused] == [
            "is also named earlier",
            "was withdrawn",
            *["is not one of the patient's entries"] * 3,
        ]
        # What was logged before stays to be put right.
        again = a_trigger(gone, intensity_after=3)
        assert world.patient.put(f"{TRIGGERS}/{earlier['id']}", again, base=1).status_code == 200

    def test_what_others_read_names_no_private_strategy(self, world: World) -> None:
        private = keep(world.patient, tier="private")

        refused = world.patient.post(TRIGGERS, a_trigger(private))
        told = log(world.patient, private, tier="private")
        opened = world.patient.put(f"{TRIGGERS}/{told['id']}", a_trigger(private), base=1)

        assert refused.status_code == opened.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/tried/0/strategy_id"
        assert private not in world.therapist.get(f"{world.patient.record}/changes").text

    def test_a_strategy_made_private_later_is_told_nowhere_in_a_trigger(self, world: World) -> None:
        hidden, shown = keep(world.patient), keep(world.patient)
        body = {"tried": [{"strategy_id": hidden, "helped": 4}, {"strategy_id": shown}]}
        told = log(world.patient, **body)
        amended(world.patient, f"{TRIGGERS}/{told['id']}", a_trigger(words="Again.") | body, 1)
        record = world.patient.record
        before = world.therapist.get(f"{record}/triggers/{told['id']}").json()
        amended(world.patient, f"{STRATEGIES}/{hidden}", a_coping_strategy(tier="private"), 1)

        places = [
            f"{record}/triggers/{told['id']}",
            f"{record}/triggers",
            f"{record}/triggers/{told['id']}/versions",
            f"{record}/changes",
        ]
        theirs = [world.therapist.get(place).json() for place in places]
        one, listed, versions, feed = theirs
        own = world.patient.get(f"{TRIGGERS}/{told['id']}").json()

        assert [each["strategy_id"] for each in before["tried"]] == [hidden, shown]
        left = [{"strategy_id": shown, "helped": None}]
        assert one["tried"] == listed["triggers"][0]["tried"] == left
        assert [each["trigger"]["tried"] for each in versions["versions"]] == [left, left]
        changes = [each for each in feed["changes"] if each["kind"] == "trigger"]
        assert [each["entry"]["tried"] for each in changes] == [left, left]
        assert all(hidden not in str(each) for each in (one, listed, versions))
        assert own["tried"] == [{"strategy_id": hidden, "helped": 4}, *left]
        assert hidden in str(world.patient.get("/v1/patients/me/changes").json()["changes"])

    def test_a_strategy_and_its_use_arrive_in_one_upload(self, world: World) -> None:
        strategy = str(uuid4())
        changes = [
            {
                "kind": "coping_strategy",
                "op": "create",
                "id": strategy,
                "entry": a_coping_strategy(),
            },
            {"kind": "trigger", "op": "create", "id": str(uuid4()), "entry": a_trigger(strategy)},
        ]

        results = world.patient.post("/v1/sync", {"changes": changes}).json()["results"]

        assert [result["status"] for result in results] == ["created", "created"]


class TestHelpfulness:
    def test_under_five_times_nothing_is_told_but_how_often(self, world: World) -> None:
        strategy = keep(world.patient)
        for _ in range(4):
            log(world.patient, strategy, helped=4)

        [told] = helpfulness(world.patient)["strategies"]

        assert (told["used"], told["known"]) == (4, 4)
        assert (told["helped"], told["share"], told["low"], told["high"]) == (None,) * 4

    def test_a_share_comes_with_its_interval_and_the_sentence(self, world: World) -> None:
        strategy, other = keep(world.patient), keep(world.patient)
        for helped in (4, 3, 2, 1, 0):
            log(world.patient, strategy, helped=helped, intensity_after=5)
        log(world.patient, strategy, other)

        told = helpfulness(world.patient)

        first = told["strategies"][0]
        assert (first["strategy_id"], first["used"], first["together"]) == (strategy, 6, 1)
        # Wilson 1927: 3 of 5.
        assert (first["share"], first["low"], first["high"]) == (0.6, 0.2307, 0.8824)
        assert (first["changes"], first["median_change"]) == (5, -2)
        assert told["statement"] == texts.say(NO_PROOF, "en")
        assert told["fewest"] == 5
        assert any("Wilson" in source for source in told["sources"])

    def test_others_are_told_of_what_they_may_see_alone(self, world: World) -> None:
        shown, private = keep(world.patient), keep(world.patient, tier="private")
        log(world.patient, shown)
        log(world.patient, shown, private, tier="private")

        theirs = helpfulness(world.therapist, world.patient.record)["strategies"]
        own = helpfulness(world.patient)["strategies"]

        assert [(one["strategy_id"], one["used"]) for one in theirs] == [(shown, 1)]
        assert {(one["strategy_id"], one["used"]) for one in own} == {(shown, 2), (private, 1)}

    def test_a_strategy_made_private_later_is_told_to_nobody_else(self, world: World) -> None:
        strategy = keep(world.patient)
        log(world.patient, strategy)
        hidden = a_coping_strategy(tier="private")

        amended(world.patient, f"{STRATEGIES}/{strategy}", hidden, 1)

        assert helpfulness(world.therapist, world.patient.record)["strategies"] == []

    def test_what_was_withdrawn_counts_no_more(self, world: World) -> None:
        told = log(world.patient, keep(world.patient))
        world.patient.delete(f"{TRIGGERS}/{told['id']}", base=1)

        assert helpfulness(world.patient)["strategies"] == []
        assert helpfulness(world.patient)["since"] is None
