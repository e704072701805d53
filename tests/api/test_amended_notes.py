"""A note's tier can be changed: what it is now holds for all that was ever written in it."""

from typing import Any
from uuid import uuid4

import pytest

from tests.builders import World, a_dosing_session, a_note, amended, withdrawn
from tests.conftest import Behind

NOTES = "/v1/patients/me/notes"


def written(world: World, **changes: Any) -> tuple[str, dict[str, Any]]:
    """The address of a note that was stored, and what it was sent with."""
    body = a_note(id=str(uuid4()), **changes)
    answer = world.patient.post(NOTES, body)
    assert answer.status_code == 201, answer.text
    return f"{world.patient.record}/notes/{body['id']}", body


class TestTiers:
    def test_made_private_it_is_gone_for_the_therapist_at_once_in_every_version(
        self, world: World
    ) -> None:
        path, body = written(world, tier="care-team", words="For you.")
        before = [world.therapist.get(path), world.therapist.get(f"{path}/versions")]

        amended(world.patient, path, body | {"tier": "private"}, 1)

        missing = world.therapist.get(f"{world.patient.record}/notes/{uuid4()}").content
        after = [world.therapist.get(path), world.therapist.get(f"{path}/versions")]
        assert [answer.status_code for answer in before] == [200, 200]
        assert [(answer.status_code, answer.content) for answer in after] == [(404, missing)] * 2
        assert world.therapist.get(f"{world.patient.record}/notes").json()["notes"] == []

    def test_the_patient_goes_on_reading_every_version_of_it(self, world: World) -> None:
        path, body = written(world, tier="care-team", words="For you.")
        amended(world.patient, path, body | {"tier": "private", "words": "For me."}, 1)

        versions = world.patient.get(f"{path}/versions").json()["versions"]

        assert [(one["note"]["tier"], one["note"]["words"]) for one in versions] == [
            ("care-team", "For you."),
            ("private", "For me."),
        ]
        assert [one["action"] for one in versions] == ["note.written", "note.made_private"]

    def test_shared_later_it_is_read_from_then_on_and_not_what_stood_there_before(
        self, world: World
    ) -> None:
        path, body = written(world, tier="private", words="Not for you.")
        amended(world.patient, path, body | {"words": "Still not."}, 1)

        amended(world.patient, path, body | {"tier": "care-team", "words": "For you."}, 2)

        versions = world.therapist.get(f"{path}/versions")
        assert [(one["version"], one["note"]["words"]) for one in versions.json()["versions"]] == [
            (3, "For you.")
        ]
        assert "Not for you." not in versions.text
        assert "Still not." not in versions.text
        assert world.therapist.get(path).json()["words"] == "For you."
        [listed] = world.therapist.get(f"{world.patient.record}/notes").json()["notes"]
        assert listed["version"] == 3

    def test_back_and_forth_what_was_private_then_stays_so(self, world: World) -> None:
        path, body = written(world, tier="care-team", words="One.")
        for version, (tier, words) in enumerate(
            [("private", "Two."), ("care-team", "Three."), ("private", "Four.")], 1
        ):
            amended(world.patient, path, body | {"tier": tier, "words": words}, version)
        hidden = world.therapist.get(f"{path}/versions").status_code

        amended(world.patient, path, body | {"tier": "care-team", "words": "Five."}, 4)

        versions = world.therapist.get(f"{path}/versions").json()["versions"]
        assert hidden == 404
        assert [one["note"]["words"] for one in versions] == ["One.", "Three.", "Five."]

    def test_private_and_withdrawn_it_stays_the_patients_alone(self, world: World) -> None:
        path, _ = written(world, tier="private")
        withdrawn(world.patient, path, 1)

        for one in (path, f"{path}/versions"):
            assert world.patient.get(one).status_code == 200
            assert world.therapist.get(one).status_code == 404

    @pytest.mark.parametrize("who", ["therapist", "coach", "administrator"])
    def test_nobody_else_changes_it(self, world: World, who: str) -> None:
        person = getattr(world.here, who)
        path, body = written(world, tier="care-team")

        answers = [
            person.put(path, body | {"words": "Other."}, base=1),
            person.delete(path, base=1),
        ]

        assert [answer.status_code for answer in answers] == [403, 403]
        assert world.patient.get(path).json()["version"] == 1


class TestAmend:
    def test_it_can_come_to_be_about_a_dosing_session(self, world: World) -> None:
        path, body = written(world)
        session = world.therapist.post(
            f"{world.patient.record}/dosing-sessions", a_dosing_session()
        ).json()["id"]

        told = amended(world.patient, path, body | {"dosing_session_id": session}, 1)
        again = world.patient.put(path, body | {"dosing_session_id": session}, base=1)
        none = amended(world.patient, path, body, 2)

        assert (told["dosing_session_id"], none["dosing_session_id"]) == (session, None)
        assert (again.status_code, again.json()["version"]) == (200, 2)

    def test_and_only_about_ones_own(self, world: World) -> None:
        path, body = written(world)

        answer = world.patient.put(path, body | {"dosing_session_id": str(uuid4())}, base=1)

        assert answer.status_code == 422
        assert [one["pointer"] for one in answer.json()["errors"]] == ["/dosing_session_id"]
        assert world.patient.get(path).json()["version"] == 1

    def test_no_version_of_its_words_is_stored_open(self, world: World, behind: Behind) -> None:
        path, body = written(world, words="first: quetzal")
        amended(world.patient, path, body | {"words": "second: quetzal"}, 1)

        for table in ("experience_note", "ledger", "outbox"):
            for row in behind.rows(f"SELECT {table}::text FROM {table}"):
                assert "quetzal" not in row[0]
                assert b"quetzal".hex() not in row[0]

    @pytest.mark.parametrize(
        ("name", "other"),
        [("notes", {"words": "I cannot go on."}), ("goals", {"words": "I cannot go on."})],
    )
    def test_the_answer_says_whom_to_call_and_that_nobody_was_alerted(
        self, world: World, name: str, other: dict[str, str]
    ) -> None:
        body = {"id": str(uuid4()), "words": "Sea.", "recorded_at": "2026-03-01T12:00:00Z"}
        world.patient.post(f"/v1/patients/me/{name}", body)

        told = amended(world.patient, f"/v1/patients/me/{name}/{body['id']}", body | other, 1)

        block = told["safety"]
        assert (block["assessed"], block["level"], block["flag"]) == (False, "none", None)
        assert block["crisis_lines"]
        assert "your care team was not alerted" in block["monitoring_statement"]
