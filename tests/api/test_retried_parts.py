"""What is a part of another entry, sent again after that one was withdrawn."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.api.uploads import upload
from tests.builders import (
    LEVELS,
    Person,
    World,
    a_goal,
    a_goal_rating,
    a_goal_step,
    a_practice,
    a_practice_tick,
    withdrawn,
)
from tests.conftest import Behind

Json = dict[str, Any]
RATED: Json = {"levels": LEVELS, "baseline_level": -1}
PARTS = {
    "goal_step": ("goals", "goal-steps"),
    "goal_rating": ("goals", "goal-ratings"),
    "practice_tick": ("practices", "practice-ticks"),
}


def a_whole(world: World, many: str) -> tuple[str, str]:
    """Where an entry with parts is, and its id."""
    body = a_practice() if many == "practices" else a_goal(**RATED)
    told = world.patient.post(f"/v1/patients/me/{many}", body)
    assert told.status_code == 201, told.text
    return f"/v1/patients/me/{many}/{told.json()['id']}", told.json()["id"]


def a_part(kind: str, whole_id: str) -> Json:
    """One that a phone made an id for."""
    make: dict[str, Callable[[str], Json]] = {
        "goal_step": a_goal_step,
        "goal_rating": a_goal_rating,
        "practice_tick": a_practice_tick,
    }
    return {**make[kind](whole_id), "id": str(uuid4())}


def rows(behind: Behind, part: Json) -> list[tuple[Any, ...]]:
    return behind.rows("SELECT action FROM ledger WHERE entry_id = %s", part["id"])


@pytest.mark.parametrize("kind", PARTS)
class TestWithdrawnWhole:
    def test_the_retry_gets_the_first_answer(self, world: World, behind: Behind, kind: str) -> None:
        wholes, parts = PARTS[kind]
        path, whole_id = a_whole(world, wholes)
        part = a_part(kind, whole_id)
        first = world.patient.post(f"/v1/patients/me/{parts}", part)
        withdrawn(world.patient, path, 1)

        again = world.patient.post(f"/v1/patients/me/{parts}", part)

        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()
        assert len(rows(behind, part)) == 1

    def test_so_does_its_retry_in_an_upload(self, world: World, behind: Behind, kind: str) -> None:
        wholes, parts = PARTS[kind]
        path, whole_id = a_whole(world, wholes)
        part = a_part(kind, whole_id)
        change = {"kind": kind, "op": "create", "id": part["id"], "base_version": 0}
        (first,) = upload(world.patient, {**change, "entry": part})["results"]
        withdrawn(world.patient, path, 1)

        (again,) = upload(world.patient, {**change, "entry": part})["results"]
        alone = world.patient.post(f"/v1/patients/me/{parts}", part)

        assert (first["status"], again["status"]) == ("created", "unchanged")
        assert again["entry"] == first["entry"]
        assert alone.status_code == 200
        assert len(rows(behind, part)) == 1

    def test_a_new_one_is_refused_and_so_is_another_under_its_id(
        self, world: World, kind: str
    ) -> None:
        wholes, parts = PARTS[kind]
        path, whole_id = a_whole(world, wholes)
        part = a_part(kind, whole_id)
        assert world.patient.post(f"/v1/patients/me/{parts}", part).status_code == 201
        withdrawn(world.patient, path, 1)

        new = world.patient.post(f"/v1/patients/me/{parts}", {**part, "id": str(uuid4())})
        other = {**part, "recorded_at": "2026-01-01T00:00:00Z"}
        reused = world.patient.post(f"/v1/patients/me/{parts}", other)

        assert (new.status_code, new.json()["errors"][0]["reason"]) == (422, "was withdrawn")
        assert reused.status_code == 409


class TestPrivateWhole:
    def test_a_therapists_retry_tells_nothing_of_a_goal_that_is_private_by_now(
        self, world: World
    ) -> None:
        def rate(person: Person, rating: Json) -> Any:
            return person.post(f"{world.patient.record}/goal-ratings", rating)

        path, goal_id = a_whole(world, "goals")
        rating = a_part("goal_rating", goal_id)
        assert rate(world.therapist, rating).status_code == 201
        assert world.patient.put(path, a_goal(**RATED, tier="private"), base=1).status_code == 200

        again = rate(world.therapist, rating)
        never = rate(world.therapist, a_part("goal_rating", str(uuid4())))

        assert (again.status_code, never.status_code) == (422, 422)
        assert again.json()["errors"] == never.json()["errors"]
