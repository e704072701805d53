"""Experience notes: who reads them is the patient's decision."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.api.conftest import as_read
from tests.builders import Person, World, a_dosing_session, a_note, now
from tests.conftest import Behind, Clock

NOTES = "/v1/patients/me/notes"


def written(person: Person, **changes: Any) -> dict[str, Any]:
    """A note that was stored, as the answer tells it."""
    answer = person.post(NOTES, a_note(**changes))
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


class TestWrite:
    def test_a_note_comes_back_as_it_was_written(self, world: World) -> None:
        words = "  Ein Meer. 🌊\n\tUnd still — \\u0000 is only text here.  "

        told = written(world.patient, words=words)

        assert told["words"] == words
        assert world.patient.get(f"{NOTES}/{told['id']}").json() == as_read(told)

    def test_the_answer_says_whom_to_call_and_that_nobody_was_alerted(self, world: World) -> None:
        sent = a_note(id=str(uuid4()), words="I cannot go on.")

        answers = [world.patient.post(NOTES, sent) for _ in range(2)]

        # Nobody reads words for danger, and the answer does not look as if somebody had.
        assert [answer.status_code for answer in answers] == [201, 200]
        for answer in answers:
            block = answer.json()["safety"]
            assert (block["assessed"], block["level"], block["flag"]) == (False, "none", None)
            assert block["reasons"] == ["not-assessed"]
            assert (block["country"], block["emergency_number"]) == ("US", "911")
            assert block["crisis_lines"]
            assert block["clinic_phone"] == "+1 555 0199"
            assert "your care team was not alerted" in block["monitoring_statement"]

    def test_a_silent_worker_delays_nothing_that_nobody_is_told(
        self, world: World, behind: Behind
    ) -> None:
        behind.rows("DELETE FROM heartbeat")

        block = written(world.patient)["safety"]

        assert "may be delayed" not in block["monitoring_statement"]

    def test_without_a_tier_it_is_private(self, world: World) -> None:
        sent = a_note()
        del sent["tier"]

        assert world.patient.post(NOTES, sent).json()["tier"] == "private"

    def test_its_words_are_sealed(self, world: World, behind: Behind) -> None:
        told = written(world.patient, words="an unmistakable word: quetzalcoatl")

        for table in ("experience_note", "ledger", "outbox"):
            for row in behind.rows(f"SELECT {table}::text FROM {table}"):
                assert "quetzalcoatl" not in row[0]
                assert b"quetzalcoatl".hex() not in row[0]
        assert world.patient.get(f"{NOTES}/{told['id']}").json()["words"].endswith("quetzalcoatl")

    def test_a_text_of_64_kib_fits(self, world: World) -> None:
        words = "é" * (32 * 1024)

        assert written(world.patient, words=words)["words"] == words

    @pytest.mark.parametrize("words", ["x" * (64 * 1024 + 1), "é" * (32 * 1024 + 1), "", " \n\t"])
    def test_more_or_nothing_does_not(self, world: World, words: str) -> None:
        answer = world.patient.post(NOTES, a_note(words=words))

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/words"

    def test_it_can_only_be_about_ones_own_dosing_session(self, world: World) -> None:
        theirs = world.therapist.post(
            f"{world.patient.record}/dosing-sessions", a_dosing_session()
        ).json()["id"]

        for session_id in (theirs, str(uuid4())):
            answer = world.here.other_patient.post(NOTES, a_note(dosing_session_id=session_id))
            assert answer.status_code == 422
            assert answer.json()["errors"][0]["pointer"] == "/dosing_session_id"

    @pytest.mark.parametrize("who", ["therapist", "coach", "administrator"])
    def test_nobody_else_writes_it(self, world: World, who: str) -> None:
        person: Person = getattr(world.here, who)

        assert person.post(f"{world.patient.record}/notes", a_note()).status_code == 403

    def test_a_clock_that_was_wrong_is_corrected(self, timed_world: World, clock: Clock) -> None:
        told = written(
            timed_world.patient,
            recorded_at=clock.said(days=1, hours=-1),
            sent_at=clock.said(days=1),
        )

        assert told["clock_ahead_seconds"] == 86_400
        assert datetime.fromisoformat(told["effective_at"]) == clock.at - timedelta(hours=1)


class TestRetry:
    def test_the_same_note_sent_again_is_answered_and_not_stored_again(self, world: World) -> None:
        sent = a_note(id=str(uuid4()))
        first = world.patient.post(NOTES, sent)

        again = world.patient.post(NOTES, sent | {"sent_at": now().isoformat()})

        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()
        assert len(world.patient.get(NOTES).json()["notes"]) == 1

    @pytest.mark.parametrize("change", [{"words": "Other."}, {"tier": "private"}])
    def test_another_note_under_the_same_id_is_refused(
        self, world: World, change: dict[str, Any]
    ) -> None:
        sent = a_note(id=str(uuid4()))
        world.patient.post(NOTES, sent)

        answer = world.patient.post(NOTES, sent | change)

        assert (answer.status_code, answer.json()["code"]) == (409, "id-reused")
        assert world.patient.get(f"{NOTES}/{sent['id']}").json()["words"] == sent["words"]


class TestTiers:
    def test_a_private_note_is_read_by_its_patient_only(self, world: World) -> None:
        private = written(world.patient, tier="private", words="Mine alone.")
        shared = written(world.patient, tier="care-team", words="For you too.")

        own = world.patient.get(NOTES).json()["notes"]
        theirs = world.therapist.get(f"{world.patient.record}/notes")

        assert {note["id"] for note in own} == {private["id"], shared["id"]}
        assert [note["id"] for note in theirs.json()["notes"]] == [shared["id"]]
        assert "Mine alone." not in theirs.text

    def test_to_the_therapist_a_private_note_is_as_if_it_were_not_there(self, world: World) -> None:
        private = written(world.patient, tier="private")

        answer = world.therapist.get(f"{world.patient.record}/notes/{private['id']}")
        missing = world.therapist.get(f"{world.patient.record}/notes/{uuid4()}")

        assert (answer.status_code, answer.content) == (404, missing.content)

    def test_no_page_of_the_therapists_has_a_gap_where_private_notes_are(
        self, world: World
    ) -> None:
        shared = []
        for hours in range(6):
            tier = ("private", "care-team")[hours % 2]
            recorded_at = (now() - timedelta(hours=hours)).isoformat()
            note = written(world.patient, tier=tier, recorded_at=recorded_at)
            if tier == "care-team":
                shared.append(note["id"])

        found: list[str] = []
        path: str | None = f"{world.patient.record}/notes?limit=2"
        pages = 0
        while path is not None:
            answer = world.therapist.get(path)
            found += [note["id"] for note in answer.json()["notes"]]
            link = answer.headers.get("Link")
            path = link[1 : link.index(">")] if link else None
            pages += 1

        assert (found, pages) == (shared, 2)

    def test_the_patients_cursor_opens_nothing_for_the_therapist(self, world: World) -> None:
        for _ in range(2):
            written(world.patient, tier="private")
        cursor = world.patient.get(f"{NOTES}?limit=1").json()["next_cursor"]

        answer = world.therapist.get(f"{world.patient.record}/notes?cursor={cursor}")

        assert answer.status_code == 400

    @pytest.mark.parametrize("who", ["coach", "administrator"])
    def test_notes_are_for_those_who_treat(self, world: World, who: str) -> None:
        person: Person = getattr(world.here, who)
        note = written(world.patient)

        for path in ("notes", f"notes/{note['id']}"):
            assert person.get(f"{world.patient.record}/{path}").status_code == 403

    @pytest.mark.parametrize("who", ["stranger", "other_patient"])
    def test_without_a_care_link_there_is_no_note(self, world: World, who: str) -> None:
        person: Person = getattr(world.here, who)
        note = written(world.patient)

        assert person.get(f"{world.patient.record}/notes/{note['id']}").status_code == 404
