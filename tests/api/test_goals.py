"""Integration goals: the patient's words, read by everyone who cares for them."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.api.conftest import as_read
from tests.builders import Person, World, a_goal, now
from tests.conftest import Behind

GOALS = "/v1/patients/me/goals"


def set_(person: Person, **changes: Any) -> dict[str, Any]:
    """A goal that was stored, as the answer tells it."""
    answer = person.post(GOALS, a_goal(**changes))
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


class TestSet:
    def test_a_goal_comes_back_as_it_was_set(self, world: World) -> None:
        told = set_(world.patient, words="Walk by the sea.", life_area="body")

        assert (told["words"], told["why"]) == ("Walk by the sea.", "I miss her.")
        assert (told["life_area"], told["status"], told["version"]) == ("body", "active", 1)
        assert world.patient.get(f"{GOALS}/{told['id']}").json() == as_read(told)

    def test_the_answer_says_whom_to_call_and_that_nobody_was_alerted(self, world: World) -> None:
        sent = a_goal(id=str(uuid4()))

        answers = [world.patient.post(GOALS, sent) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [201, 200]
        for answer in answers:
            block = answer.json()["safety"]
            assert (block["assessed"], block["level"], block["flag"]) == (False, "none", None)
            assert (block["country"], block["emergency_number"]) == ("US", "911")
            assert block["crisis_lines"]
            assert block["clinic_phone"] == "+1 555 0199"
            assert "your care team was not alerted" in block["monitoring_statement"]

    def test_a_goal_needs_no_reason(self, world: World) -> None:
        told = set_(world.patient, why=None)

        assert (told["why"], told["life_area"]) == (None, None)

    def test_its_words_are_sealed(self, world: World, behind: Behind) -> None:
        set_(world.patient, words="axolotl", why="also axolotl")

        for table in ("goal", "ledger"):
            for row in behind.rows(f"SELECT {table}::text FROM {table}"):
                assert "axolotl" not in row[0]
                assert b"axolotl".hex() not in row[0]

    @pytest.mark.parametrize("who", ["therapist", "coach", "administrator"])
    def test_nobody_else_sets_it(self, world: World, who: str) -> None:
        person: Person = getattr(world.here, who)

        assert person.post(f"{world.patient.record}/goals", a_goal()).status_code == 403

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"words": ""}, "/words"),
            ({"why": " "}, "/why"),
            ({"life_area": "My Life"}, "/life_area"),
            ({"life_area": "x" * 65}, "/life_area"),
        ],
    )
    def test_what_is_no_goal_is_refused_by_place(
        self, world: World, changes: dict[str, Any], pointer: str
    ) -> None:
        answer = world.patient.post(GOALS, a_goal(**changes))

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer


class TestRetry:
    def test_the_same_goal_sent_again_is_answered_and_not_stored_again(self, world: World) -> None:
        sent = a_goal(id=str(uuid4()))
        first = world.patient.post(GOALS, sent)

        again = world.patient.post(GOALS, sent)

        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()
        assert len(world.patient.get(GOALS).json()["goals"]) == 1

    @pytest.mark.parametrize("change", [{"words": "Other."}, {"why": None}, {"life_area": "work"}])
    def test_another_goal_under_the_same_id_is_refused(
        self, world: World, change: dict[str, Any]
    ) -> None:
        sent = a_goal(id=str(uuid4()))
        world.patient.post(GOALS, sent)

        assert world.patient.post(GOALS, sent | change).status_code == 409


class TestRead:
    @pytest.mark.parametrize("who", ["therapist", "coach"])
    def test_everyone_who_cares_for_the_patient_reads_it(self, world: World, who: str) -> None:
        person: Person = getattr(world.here, who)
        told = as_read(set_(world.patient))

        listed = person.get(f"{world.patient.record}/goals")
        read = person.get(f"{world.patient.record}/goals/{told['id']}")

        assert listed.json() == {"goals": [told], "next_cursor": None}
        assert (read.json(), read.headers["ETag"]) == (told, '"1"')

    def test_nobody_else_does(self, world: World) -> None:
        told = set_(world.patient)
        path = f"{world.patient.record}/goals/{told['id']}"

        assert world.here.stranger.get(path).status_code == 404
        assert world.here.other_patient.get(path).status_code == 404
        assert world.elsewhere.therapist.get(path).status_code == 404
        assert world.administrator.get(path).status_code == 403

    def test_they_are_listed_newest_first_page_by_page(self, world: World) -> None:
        made = [
            set_(world.patient, recorded_at=(now() - timedelta(days=days)).isoformat())["id"]
            for days in (1, 2, 3)
        ]

        first = world.patient.get(f"{GOALS}?limit=2")
        link = first.headers["Link"]
        second = world.patient.get(link[1 : link.index(">")])

        listed = first.json()["goals"] + second.json()["goals"]
        assert [one["id"] for one in listed] == made
