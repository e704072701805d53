"""The list of medicines: whose word stands in it, and what it was compared with."""

from typing import Any
from uuid import uuid4

import pytest

from tests.builders import Person, World, a_medication

Told = dict[str, Any]
NOT_YOURS = "A clinician listed this medicine. Say what you take in an entry of your own."


def listed(person: Person, world: World, **changes: Any) -> Told:
    """A medicine that somebody put on the patient's list."""
    answer = person.post(f"{world.patient.record}/medications", a_medication(**changes))
    assert answer.status_code == 201, answer.text
    told: Told = answer.json()
    return told


def summary(world: World) -> Told:
    told: Told = world.therapist.get(f"{world.patient.record}/eligibility").json()
    return told


def now_listed(world: World, entry: Told) -> Told:
    told: Told = world.patient.get(f"/v1/patients/me/medications/{entry['id']}").json()
    return told


class TestWhoListedIt:
    def test_an_entry_says_who_listed_it_first_whoever_amends_it(self, world: World) -> None:
        own = listed(world.patient, world, name="Lorazepam")
        theirs = listed(world.therapist, world, name="Sertraline")
        path = f"{world.patient.record}/medications/{own['id']}"
        body = a_medication(name="Lorazepam 1 mg")

        amended = world.therapist.put(path, body, base=1)

        assert (own["listed_by"], theirs["listed_by"]) == ("patient", "clinician")
        assert (amended.status_code, amended.json()["listed_by"]) == (200, "patient")
        assert world.patient.put(path, body, base=2).status_code == 200

    @pytest.mark.parametrize("method", ["put", "delete"])
    def test_what_a_clinician_listed_is_not_amended_or_withdrawn_by_the_patient(
        self, world: World, method: str
    ) -> None:
        entry = listed(world.therapist, world, name="Tranylcypromine")
        path = f"/v1/patients/me/medications/{entry['id']}"

        if method == "put":
            answer = world.patient.put(path, a_medication(status="stopped"), base=1)
        else:
            answer = world.patient.delete(path, base=1)

        assert (answer.status_code, answer.json()["detail"]) == (403, NOT_YOURS)
        assert (now_listed(world, entry)["version"], now_listed(world, entry)["status"]) == (
            1,
            "active",
        )

    @pytest.mark.parametrize("op", ["amend", "withdraw"])
    def test_nor_by_a_phone_that_was_away(self, world: World, op: str) -> None:
        entry = listed(world.therapist, world, name="Tranylcypromine")
        own = {"kind": "medication", "op": "create", "id": str(uuid4()), "entry": a_medication()}
        change = {"kind": "medication", "op": op, "id": entry["id"], "base_version": 1}
        if op == "amend":
            change["entry"] = a_medication(status="stopped")

        results = world.patient.post("/v1/sync", {"changes": [change, own]}).json()["results"]

        assert [one["status"] for one in results] == ["refused", "created"]
        assert results[0]["problem"]["detail"] == NOT_YOURS
        assert now_listed(world, entry)["version"] == 1


class TestSaidAboutAnother:
    def test_a_patient_says_that_they_do_not_take_what_a_clinician_listed(
        self, world: World
    ) -> None:
        theirs = listed(world.therapist, world, name="Tranylcypromine")

        said = listed(
            world.patient, world, name="Tranylcypromine", status="stopped", about_id=theirs["id"]
        )

        found = summary(world)
        assert said["about_id"] == theirs["id"]
        assert found["said_stopped"] == [theirs["id"]]
        # Whoever prescribes by the list decides: it warns all the same.
        assert [one["medication_id"] for one in found["interactions"]] == [theirs["id"]]

    def test_what_they_said_last_counts(self, world: World) -> None:
        theirs = listed(world.therapist, world)
        said = {"name": "It", "about_id": theirs["id"]}
        listed(world.patient, world, **said, status="stopped", recorded_at="2026-01-01T10:00:00Z")
        listed(world.patient, world, **said, status="active", recorded_at="2026-01-02T10:00:00Z")

        assert summary(world)["said_stopped"] == []

    def test_a_clinician_s_word_about_another_entry_is_not_the_patient_s(
        self, world: World
    ) -> None:
        entry = listed(world.patient, world)

        listed(world.therapist, world, status="stopped", about_id=entry["id"])

        assert summary(world)["said_stopped"] == []

    def test_a_phone_may_send_the_medicine_and_what_is_said_about_it_at_once(
        self, world: World
    ) -> None:
        first, second = str(uuid4()), str(uuid4())
        changes = [
            {"kind": "medication", "op": "create", "id": first, "entry": a_medication()},
            {
                "kind": "medication",
                "op": "create",
                "id": second,
                "entry": a_medication(about_id=first),
            },
        ]

        answer = world.patient.post("/v1/sync", {"changes": changes})

        assert [one["status"] for one in answer.json()["results"]] == ["created", "created"]

    def test_it_is_about_another_medicine_of_this_patient_s_that_stands(self, world: World) -> None:
        withdrawn = listed(world.patient, world)
        world.patient.delete(f"/v1/patients/me/medications/{withdrawn['id']}", base=1)
        itself = str(uuid4())
        bodies = [
            a_medication(about_id=str(uuid4())),
            a_medication(about_id=withdrawn["id"]),
            a_medication(id=itself, about_id=itself),
        ]

        answers = [world.patient.post("/v1/patients/me/medications", body) for body in bodies]

        assert [one.status_code for one in answers] == [422] * 3
        assert {one.json()["errors"][0]["pointer"] for one in answers} == {"/about_id"}


class TestNotRecognised:
    def test_what_the_catalogue_does_not_know_is_told_and_not_passed_over(
        self, world: World
    ) -> None:
        known = listed(world.patient, world, name="Theophylline 200 mg")
        unknown = listed(world.patient, world, name="Zebrafin")
        listed(world.patient, world, name="Wonderpill", status="stopped")

        found = summary(world)

        assert found["medications"] == 2
        assert found["not_recognised"] == [unknown["id"]]
        assert [one["medication_id"] for one in found["interactions"]] == [known["id"]]
        assert "seizure" in found["interactions"][0]["reason"]
