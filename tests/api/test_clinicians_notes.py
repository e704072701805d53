"""What clinicians write: for those who treat, for the patient when they share it, or for nobody."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from app.kernel import ledger
from app.kernel.db import Db, Direct
from app.people.admission import Admitted
from tests.builders import Person, World, a_clinicians_note, a_member, amended, now, withdrawn
from tests.contract.stage import WRAPPED_KEY, link

OPEN = "clinician-notes"
APART = "psychotherapy-notes"
CANARY = "axolotl"


def written(world: World, kind: str, **changes: Any) -> dict[str, Any]:
    """A note of the therapist's that was stored, as the answer tells it."""
    body = a_clinicians_note(words=f"About {CANARY}.", **changes)
    answer = world.therapist.post(f"{world.patient.record}/{kind}", body)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.fixture
def colleague(world: World, client: TestClient, direct: Direct) -> Person:
    """Another therapist of the same patient."""

    def work(db: Db) -> Person:
        db.enter(world.here.id)
        return a_member(client, db, "clinician", ["therapy", "prescribe", "monitor"], at=now())

    person = direct.run(work)
    link(direct, world.here, world.patient, person)
    return person


def statuses(person: Person, path: str, body: dict[str, Any]) -> list[int]:
    """Of reading, its versions, amending and withdrawing."""
    return [
        person.get(path).status_code,
        person.get(f"{path}/versions").status_code,
        person.put(path, body, base=1).status_code,
        person.delete(path, base=1).status_code,
    ]


class TestClinicianNotes:
    def test_a_colleague_reads_it_and_only_its_author_changes_it(
        self, world: World, colleague: Person
    ) -> None:
        told = written(world, OPEN)
        path = f"{world.patient.record}/{OPEN}/{told['id']}"

        assert told["author_id"] == str(world.therapist.membership_id)
        assert statuses(colleague, path, a_clinicians_note()) == [200, 200, 403, 403]
        again = amended(world.therapist, path, a_clinicians_note(words="Other."), 1)
        assert again["author_id"] == told["author_id"]
        withdrawn(world.therapist, path, 2)

    def test_the_patient_reads_what_is_shared_from_the_next_request_on(self, world: World) -> None:
        told = written(world, OPEN)
        path = f"{world.patient.record}/{OPEN}/{told['id']}"
        body = a_clinicians_note(words=f"Still {CANARY}.")

        def seen() -> tuple[int, int, int, list[tuple[str, bool]]]:
            feed = world.patient.get("/v1/patients/me/changes").json()["changes"]
            mine = [one for one in feed if one["kind"] == "clinician_note"]
            return (
                world.patient.get(path).status_code,
                len(world.patient.get(f"/v1/patients/me/{OPEN}").json()["clinician_notes"]),
                len(world.patient.get(f"{path}/versions").json().get("versions", [])),
                [(one["action"], one["is_tombstone"]) for one in mine],
            )

        before = seen()
        amended(world.therapist, path, body | {"is_shared_with_patient": True}, 1)
        shared = seen()
        amended(world.therapist, path, body, 2)
        after = seen()

        assert before == (404, 0, 0, [])
        assert shared == (200, 1, 1, [("clinician_note.amended", False)])
        assert after == (404, 0, 0, [("clinician_note.made_private", True)])

    def test_the_care_team_s_feed_has_it_and_no_upload_takes_it(self, world: World) -> None:
        told = written(world, OPEN)
        change = {
            "kind": "clinician_note",
            "op": "create",
            "id": str(uuid4()),
            "entry": a_clinicians_note(),
        }

        [refused] = world.patient.post("/v1/sync", {"changes": [change]}).json()["results"]

        feed = world.therapist.get(f"{world.patient.record}/changes").json()["changes"]
        assert told["id"] in {one["id"] for one in feed}
        assert (refused["status"], refused["problem"]["errors"][0]["pointer"]) == (
            "refused",
            "/kind",
        )

    @pytest.mark.parametrize("kind", [OPEN, APART])
    def test_neither_the_patient_nor_the_coach_writes_one(self, world: World, kind: str) -> None:
        path = f"{world.patient.record}/{kind}"

        for person in (world.patient, world.here.coach, world.administrator):
            assert person.post(path, a_clinicians_note()).status_code == 403

    @pytest.mark.parametrize("kind", [OPEN, APART])
    def test_a_retry_is_told_from_another_s_use_of_the_id(
        self, world: World, colleague: Person, kind: str
    ) -> None:
        path = f"{world.patient.record}/{kind}"
        sent = a_clinicians_note(id=str(uuid4()))

        first, again = (world.therapist.post(path, sent) for _ in range(2))
        other = colleague.post(path, sent)

        assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
        assert again.json() == first.json()


class TestPsychotherapyNotes:
    def test_to_everybody_but_its_author_it_is_not_there(
        self, world: World, colleague: Person
    ) -> None:
        told = written(world, APART)
        path = f"{world.patient.record}/{APART}/{told['id']}"
        missing = f"{world.patient.record}/{APART}/{uuid4()}"

        assert statuses(colleague, path, a_clinicians_note()) == [404, 404, 404, 404]
        assert colleague.get(path).content == colleague.get(missing).content
        assert colleague.get(f"{world.patient.record}/{APART}").json()["psychotherapy_notes"] == []
        assert statuses(world.patient, path, a_clinicians_note()) == [403, 403, 403, 403]
        assert statuses(world.therapist, path, a_clinicians_note(words="Other.")) == [
            200,
            200,
            200,
            412,
        ]

    def test_its_author_reads_every_version(self, world: World) -> None:
        told = written(world, APART)
        path = f"{world.patient.record}/{APART}/{told['id']}"
        amended(world.therapist, path, a_clinicians_note(words="Other."), 1)

        versions = world.therapist.get(f"{path}/versions").json()["versions"]

        assert [one["psychotherapy_note"]["words"] for one in versions] == [
            f"About {CANARY}.",
            "Other.",
        ]

    def test_it_is_in_no_feed_not_even_its_author_s(self, world: World, colleague: Person) -> None:
        told = written(world, APART)

        for person in (world.patient, world.therapist, colleague):
            feed = person.get(f"{world.patient.record}/changes").text
            assert told["id"] not in feed
            assert CANARY not in feed

    def test_what_the_ledger_keeps_of_it_does_not_open_with_the_rest(
        self, world: World, direct: Direct
    ) -> None:
        told = written(world, APART)
        patient_id = world.patient.patient_id
        assert patient_id is not None

        def entries(db: Db) -> list[dict[str, Any]]:
            db.enter(world.here.id)
            key = db.vault.open_data_key(
                db.one(WRAPPED_KEY, patient_id=patient_id), world.here.id, patient_id
            )
            page = Admitted(patient_id, world.patient.membership_id, "patient", key)
            said = ledger.said_of(db, page, "psychotherapy_note", [UUID(told["id"])])
            return [one.entry(key) for one in said]

        [entry] = direct.run(entries)

        assert "words" not in entry
        assert CANARY not in json.dumps(entry)
        assert entry["sealed"]

    def test_who_only_prescribes_has_none(
        self, world: World, client: TestClient, direct: Direct
    ) -> None:
        def work(db: Db) -> Person:
            db.enter(world.here.id)
            return a_member(client, db, "clinician", ["prescribe", "monitor"], at=now())

        prescriber = direct.run(work)
        link(direct, world.here, world.patient, prescriber)

        path = f"{world.patient.record}/{APART}"
        assert prescriber.get(path).status_code == 403
        assert prescriber.post(path, a_clinicians_note()).status_code == 403
