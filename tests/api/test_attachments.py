"""Recordings and pictures: whole or not at all, for whom their note is, and sealed in chunks."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from app import worker
from app.experience import uploads
from app.experience.attachments import ABANDONED_AFTER, CHUNK, DISCARD, MOST_OF_A_NOTE
from app.experience.notes import NOTES
from app.kernel.db import Database, Db, Direct
from app.kernel.edge import Reply
from app.kernel.errors import Kind, Problem
from app.kernel.pieces import Inflow
from app.people.chart import open_chart
from tests.api.conftest import as_read
from tests.builders import (
    Person,
    World,
    a_note,
    a_picture,
    amended,
    an_attachment,
    appended,
    attached,
    now,
    withdrawn,
)
from tests.conftest import Behind

Json = dict[str, Any]
LARGE = 2 * CHUNK + 12_345


def noted(person: Person, **changes: Any) -> str:
    """The id of a note that was stored."""
    answer = person.post(f"{person.record}/notes", a_note(**changes))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def begun(person: Person, content: bytes, **changes: Any) -> str:
    """The id of an attachment of which nothing was sent yet."""
    sent = an_attachment(content, **changes)
    answer = person.post(f"{person.record}/notes/{noted(person)}/attachments", sent)
    assert answer.status_code == 201, answer.text
    return str(sent["id"])


def fault(answer: Any) -> str:
    """Where what was sent is wrong."""
    assert answer.status_code == 422, answer.text
    [one] = answer.json()["errors"]
    return str(one["pointer"])


def chunks_of(behind: Behind, attachment_id: str) -> int:
    """How many are stored."""
    [(count,)] = behind.rows(
        "SELECT count(*) FROM attachment_chunk WHERE attachment_id = %s", attachment_id
    )
    return int(count)


class TestSend:
    @pytest.mark.parametrize("size", [9, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, LARGE])
    def test_it_comes_back_byte_by_byte(self, world: World, size: int) -> None:
        content = a_picture(size)

        told = attached(world.patient, noted(world.patient), content)

        assert (told["status"], told["upload_offset"], told["version"]) == ("final", size, 2)
        path = f"{world.patient.record}/attachments/{told['id']}"
        assert world.patient.get(path).json() == as_read(told)
        assert world.therapist.get(f"{path}/content").content == content

    def test_it_is_answered_as_a_download_that_no_browser_runs(self, world: World) -> None:
        told = attached(world.patient, noted(world.patient), a_picture())

        answer = world.patient.get(f"{world.patient.record}/attachments/{told['id']}/content")

        assert answer.headers["Content-Type"] == "image/png"
        assert answer.headers["Content-Length"] == "1000"
        assert answer.headers["Content-Disposition"] == (
            f'attachment; filename="attachment-{told["id"]}.png"'
        )
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("sandbox;")
        assert answer.headers["Cache-Control"] == "no-store"

    def test_what_was_begun_twice_is_begun_once(self, world: World) -> None:
        path = f"{world.patient.record}/notes/{noted(world.patient)}/attachments"
        sent = an_attachment(a_picture())

        answers = [world.patient.post(path, sent) for _ in range(2)]
        other = world.patient.post(path, sent | {"size": 1001})

        assert [answer.status_code for answer in answers] == [201, 200]
        assert answers[0].json() == answers[1].json()
        assert (other.status_code, other.json()["code"]) == (409, "id-reused")

    def test_the_answers_say_whom_to_call_and_that_nobody_was_alerted(self, world: World) -> None:
        block = attached(world.patient, noted(world.patient), a_picture())["safety"]

        assert (block["assessed"], block["flag"]) == (False, None)
        assert block["crisis_lines"]

    def test_a_note_has_ten_and_withdrawn_ones_do_not_count(self, world: World) -> None:
        note_id = noted(world.patient)
        path = f"{world.patient.record}/notes/{note_id}/attachments"
        kept = [attached(world.patient, note_id, a_picture()) for _ in range(MOST_OF_A_NOTE)]

        assert fault(world.patient.post(path, an_attachment(a_picture()))) == ""

        withdrawn(world.patient, f"{world.patient.record}/attachments/{kept[0]['id']}", 2)
        assert world.patient.post(path, an_attachment(a_picture())).status_code == 201

    def test_what_a_patient_keeps_has_an_end_and_withdrawing_makes_no_room(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(uploads, "MOST_OF_A_PATIENT", 3000)
        note_id, picture = noted(world.patient), a_picture(1000)
        path = f"{world.patient.record}/notes/{note_id}/attachments"

        kept = attached(world.patient, note_id, picture)
        withdrawn(world.patient, f"{world.patient.record}/attachments/{kept['id']}", 2)
        attached(world.patient, noted(world.patient), picture)
        coming = an_attachment(picture)
        assert world.patient.post(path, coming).status_code == 201

        assert fault(world.patient.post(path, an_attachment(a_picture(9)))) == "/size"
        # What never was complete is deleted, and leaves its place.
        withdrawn(world.patient, f"{world.patient.record}/attachments/{coming['id']}", 1)
        assert world.patient.post(path, an_attachment(picture)).status_code == 201
        assert attached(world.here.other_patient, noted(world.here.other_patient), picture)

    def test_nobody_attaches_to_a_note_that_is_not_theirs_or_was_withdrawn(
        self, world: World
    ) -> None:
        sent = an_attachment(a_picture())
        note_id = noted(world.patient)
        path = f"/notes/{note_id}/attachments"

        assert world.therapist.post(world.patient.record + path, sent).status_code == 403
        other = world.here.other_patient
        assert other.post(other.record + path, sent).status_code == 404
        withdrawn(world.patient, f"{world.patient.record}/notes/{note_id}", 1)
        refused = world.patient.post(world.patient.record + path, sent)
        assert (refused.status_code, refused.json()["code"]) == (409, "withdrawn")


class TestResume:
    def test_after_a_break_it_goes_on_where_the_server_says(self, world: World) -> None:
        content = a_picture(LARGE)
        attachment_id = begun(world.patient, content)
        path = f"{world.patient.record}/attachments/{attachment_id}/content"

        first = appended(world.patient, attachment_id, content[: CHUNK + 7], is_rest=False)
        stands = world.patient.request("HEAD", path)
        at = int(stands.headers["Upload-Offset"])
        second = appended(world.patient, attachment_id, content[at:], at=at)

        assert (first.status_code, first.headers["Upload-Offset"]) == (200, str(CHUNK))
        assert first.headers["Upload-Complete"] == "?0"
        assert (stands.status_code, at, stands.content) == (204, CHUNK, b"")
        assert "Content-Length" not in stands.headers
        assert stands.headers["Upload-Limit"] == f"max-size={LARGE}, min-append-size={CHUNK}"
        assert (second.status_code, second.headers["Upload-Complete"]) == (200, "?1")
        assert world.patient.get(path).content == content

    @pytest.mark.parametrize("at", [1, CHUNK - 1, CHUNK + 1, 2 * CHUNK, 2**53])
    def test_another_place_is_a_conflict_that_says_the_right_one(
        self, world: World, at: int
    ) -> None:
        content = a_picture(LARGE)
        attachment_id = begun(world.patient, content)
        appended(world.patient, attachment_id, content[:CHUNK], is_rest=False)

        answer = appended(world.patient, attachment_id, content[:CHUNK], at=at)

        assert (answer.status_code, answer.json()["code"]) == (409, "mismatching-upload-offset")
        assert answer.headers["Upload-Offset"] == str(CHUNK)
        assert answer.json()["expected_offset"] == CHUNK

    def test_sent_again_when_it_was_finished_it_says_that_it_is(self, world: World) -> None:
        content = a_picture()
        told = attached(world.patient, noted(world.patient), content)

        answer = appended(world.patient, told["id"], content)

        assert answer.status_code == 409
        assert (answer.headers["Upload-Offset"], answer.headers["Upload-Complete"]) == (
            "1000",
            "?1",
        )

    def test_when_only_the_last_answer_is_missing_nothing_is_sent_twice(self, world: World) -> None:
        content = a_picture(2 * CHUNK)
        attachment_id = begun(world.patient, content)
        appended(world.patient, attachment_id, content[:CHUNK], is_rest=False)

        done = appended(world.patient, attachment_id, content[CHUNK:], at=CHUNK, is_rest=False)

        assert (done.status_code, done.json()["status"]) == (200, "final")

    def test_less_than_a_chunk_brings_it_no_further_and_is_told(self, world: World) -> None:
        content = a_picture(LARGE)
        attachment_id = begun(world.patient, content)

        answer = appended(world.patient, attachment_id, content[: CHUNK - 1], is_rest=False)

        assert fault(answer) == ""
        assert str(CHUNK) in answer.json()["errors"][0]["reason"]

    @pytest.mark.parametrize(
        ("headers", "place"),
        [
            ({"Upload-Complete": "?1"}, "header:upload-offset"),
            ({"Upload-Offset": "0"}, "header:upload-complete"),
            ({"Upload-Offset": "-1", "Upload-Complete": "?1"}, "header:upload-offset"),
            ({"Upload-Offset": "0", "Upload-Complete": "yes"}, "header:upload-complete"),
        ],
    )
    def test_without_saying_where_it_is_refused(
        self, world: World, headers: dict[str, str], place: str
    ) -> None:
        attachment_id = begun(world.patient, a_picture())
        path = f"{world.patient.record}/attachments/{attachment_id}/content"
        media = {"Content-Type": "application/partial-upload"}

        answer = world.patient.request("PATCH", path, content=b"x", headers=headers | media)

        assert fault(answer) == place

    def test_what_does_not_say_that_it_is_a_part_is_refused(self, world: World) -> None:
        attachment_id = begun(world.patient, a_picture())
        path = f"{world.patient.record}/attachments/{attachment_id}/content"
        headers = {"Upload-Offset": "0", "Upload-Complete": "?1", "Content-Type": "image/svg+xml"}

        answer = world.patient.request("PATCH", path, content=b"<svg/>", headers=headers)

        assert answer.status_code == 415


class Blocking:
    """Transactions for what waits for them on a loop of its own."""

    def __init__(self, direct: Direct) -> None:
        self._direct = direct

    async def run(self, work: Callable[[Db], Any]) -> Any:
        """One."""
        return self._direct.run(work)


class TestTwoAtOnce:
    """Both were allowed to begin where the upload stood; the second comes too late."""

    def allowed(self, world: World, direct: Direct, attachment_id: str) -> Inflow:
        """What a request is given that comes now, before its body."""
        person = world.patient
        desk = person.client.app.state.desk  # type: ignore[attr-defined]
        caller = desk.issuer.caller(person.token, now().timestamp())

        def work(db: Db) -> Inflow:
            db.enter(world.here.id)
            chart = open_chart(db, caller, "me", NOTES.write_right, now())
            return uploads.append(db, chart, UUID(attachment_id), 0, is_rest=True, now=now())

        return direct.run(work)

    def take(self, direct: Direct, inflow: Inflow, content: bytes) -> Reply:
        """Let the body come."""

        async def receive() -> Any:
            return {"type": "http.request", "body": content, "more_body": False}

        return asyncio.run(inflow.take(cast("Database", Blocking(direct)), receive))

    @pytest.mark.parametrize("size", [1000, 2 * CHUNK + 9])
    def test_the_second_is_told_where_it_stands_and_harms_nothing(
        self, world: World, direct: Direct, size: int
    ) -> None:
        content = a_picture(size)
        attachment_id = begun(world.patient, content)
        first, second = (self.allowed(world, direct, attachment_id) for _ in range(2))

        self.take(direct, first, content)
        with pytest.raises(Problem) as late:
            self.take(direct, second, content)

        assert late.value.kind is Kind.MISMATCHING_UPLOAD_OFFSET
        assert late.value.headers["Upload-Offset"] == str(size)
        path = f"{world.patient.record}/attachments/{attachment_id}/content"
        assert world.patient.get(path).content == content

    def test_a_lie_that_comes_late_takes_nothing_away(self, world: World, direct: Direct) -> None:
        content = a_picture(1000)
        attachment_id = begun(world.patient, content)
        first, second = (self.allowed(world, direct, attachment_id) for _ in range(2))

        self.take(direct, first, content)
        with pytest.raises(Problem) as late:
            self.take(direct, second, b"<svg/>" + content)

        assert late.value.kind is Kind.MISMATCHING_UPLOAD_OFFSET
        path = f"{world.patient.record}/attachments/{attachment_id}/content"
        assert world.patient.get(path).content == content

    def test_one_that_was_given_up_meanwhile_stores_nothing(
        self, world: World, direct: Direct, behind: Behind
    ) -> None:
        content = a_picture(LARGE)
        attachment_id = begun(world.patient, content)
        late = self.allowed(world, direct, attachment_id)

        withdrawn(world.patient, f"{world.patient.record}/attachments/{attachment_id}", 1)

        with pytest.raises(Problem) as refused:
            self.take(direct, late, content)
        assert refused.value.kind is Kind.WITHDRAWN
        assert chunks_of(behind, attachment_id) == 0


class TestLies:
    @pytest.mark.parametrize(
        "changes",
        [
            {"media_type": "image/svg+xml"},
            {"media_type": "text/html"},
            {"media_type": "image/png; charset=x"},
            {"size": 0},
            {"size": 20 * 1024 * 1024 + 1},
            {"sha256": "x" * 64},
            {"sha256": "A" * 64},
        ],
    )
    def test_what_cannot_be_is_refused_before_anything_is_sent(
        self, world: World, changes: Json
    ) -> None:
        path = f"{world.patient.record}/notes/{noted(world.patient)}/attachments"

        answer = world.patient.post(path, an_attachment(a_picture()) | changes)

        assert fault(answer) == f"/{next(iter(changes))}"

    @pytest.mark.parametrize(
        ("content", "declared", "place"),
        [
            (a_picture(LARGE), {"media_type": "audio/mpeg"}, "/media_type"),
            (b"<svg xmlns='x'/>" + bytes(LARGE), {}, "/media_type"),
            (b"<html><script>" + bytes(100), {"media_type": "image/jpeg"}, "/media_type"),
            (a_picture(LARGE), {"size": LARGE + 1}, "/size"),
            (a_picture(LARGE), {"size": LARGE - 1}, "/size"),
            (a_picture(LARGE), {"size": CHUNK}, "/size"),
            (a_picture(LARGE), {"size": 10}, "/size"),
            (a_picture(LARGE), {"sha256": "0" * 64}, "/sha256"),
        ],
    )
    def test_a_lie_is_refused_by_its_place_and_leaves_nothing(
        self, world: World, behind: Behind, content: bytes, declared: Json, place: str
    ) -> None:
        attachment_id = begun(world.patient, content, **declared)

        answer = appended(world.patient, attachment_id, content)

        assert fault(answer) == place
        assert answer.json()["help"]["crisis_lines"]
        assert chunks_of(behind, attachment_id) == 0
        path = f"{world.patient.record}/attachments/{attachment_id}"
        told = world.patient.get(path).json()
        assert (told["status"], told["completed_at"]) == ("entered-in-error", None)
        assert world.patient.get(f"{path}/content").status_code == 404
        again = appended(world.patient, attachment_id, content)
        assert (again.status_code, again.json()["code"]) == (409, "withdrawn")

    def test_more_than_20_mib_is_refused_before_it_is_read(self, world: World) -> None:
        attachment_id = begun(world.patient, a_picture())

        answer = appended(world.patient, attachment_id, bytes(20 * 1024 * 1024 + 1))

        assert answer.status_code == 413


class TestWhoSees:
    def test_an_unfinished_one_is_known_to_its_patient_alone(self, world: World) -> None:
        content = a_picture(LARGE)
        note_id = noted(world.patient)
        sent = an_attachment(content)
        listed = f"{world.patient.record}/notes/{note_id}/attachments"
        world.patient.post(listed, sent)
        appended(world.patient, sent["id"], content[:CHUNK], is_rest=False)

        one = f"{world.patient.record}/attachments/{sent['id']}"
        assert [one["id"] for one in world.patient.get(listed).json()["attachments"]] == [
            sent["id"]
        ]
        assert world.therapist.get(listed).json()["attachments"] == []
        assert world.therapist.get(one).status_code == 404
        assert sent["id"] not in world.therapist.get(f"{world.patient.record}/changes").text
        for person in (world.patient, world.therapist):
            assert person.get(f"{one}/content").status_code == 404

    def test_its_note_s_tier_is_its_tier_at_every_request(self, world: World) -> None:
        body = a_note(id=str(uuid4()))
        world.patient.post(f"{world.patient.record}/notes", body)
        told = attached(world.patient, body["id"], a_picture())
        note = f"{world.patient.record}/notes/{body['id']}"

        before = self.seen(world, world.therapist, told)
        amended(world.patient, note, body | {"tier": "private"}, 1)
        private = self.seen(world, world.therapist, told)
        own = self.seen(world, world.patient, told)
        amended(world.patient, note, body | {"tier": "health-record"}, 2)
        after = self.seen(world, world.therapist, told)

        assert (before, private, own, after) == (
            [200, 200, 200, True],
            [404, 404, 404, False],
            [200, 200, 200, True],
            [200, 200, 200, True],
        )

    def test_of_a_withdrawn_note_nobody_but_the_patient_sees_it(self, world: World) -> None:
        note_id = noted(world.patient)
        told = attached(world.patient, note_id, a_picture())

        withdrawn(world.patient, f"{world.patient.record}/notes/{note_id}", 1)

        assert self.seen(world, world.therapist, told)[1:] == [404, 404, False]
        assert self.seen(world, world.patient, told) == [200, 200, 200, True]

    def test_withdrawn_itself_it_is_gone_from_the_list_and_for_others(self, world: World) -> None:
        note_id = noted(world.patient)
        told = attached(world.patient, note_id, a_picture())
        one = f"{world.patient.record}/attachments/{told['id']}"

        withdrawn(world.patient, one, 2)
        again = world.patient.delete(one, base=2)

        assert (again.status_code, again.json()["version"]) == (200, 3)
        listed = f"{world.patient.record}/notes/{note_id}/attachments"
        for person in (world.patient, world.therapist):
            assert person.get(listed).json()["attachments"] == []
        assert world.patient.get(f"{one}/content").status_code == 200
        assert world.therapist.get(f"{one}/content").status_code == 404

    def test_the_coach_sees_none(self, world: World) -> None:
        told = attached(world.patient, noted(world.patient), a_picture())

        assert self.seen(world, world.here.coach, told)[:3] == [403, 403, 403]

    def test_every_look_at_it_is_in_the_access_log(self, world: World, behind: Behind) -> None:
        told = attached(world.patient, noted(world.patient), a_picture())
        path = f"{world.patient.record}/attachments/{told['id']}/content"

        world.therapist.get(path)

        assert behind.accesses(world.here.id)[-1] == (
            world.therapist.membership_id,
            world.patient.patient_id,
            "notes.read",
        )

    def seen(self, world: World, person: Person, told: Json) -> list[Any]:
        """The list, the one, its bytes, and whether the feed tells of it."""
        record = world.patient.record
        one = f"{record}/attachments/{told['id']}"
        feed = person.get(f"{record}/changes")
        return [
            person.get(f"{record}/notes/{told['note_id']}/attachments").status_code,
            person.get(one).status_code,
            person.get(f"{one}/content").status_code,
            f'"id":"{told["id"]}"' in feed.text,
        ]


TAMPERING = {
    "two chunks exchanged": """
        UPDATE attachment_chunk a SET sealed = b.sealed FROM attachment_chunk b
        WHERE a.attachment_id = %(one)s AND b.attachment_id = %(one)s AND a.number + b.number = 1
        """,
    "those of another attachment": """
        UPDATE attachment_chunk a SET sealed = b.sealed FROM attachment_chunk b
        WHERE a.attachment_id = %(one)s AND b.attachment_id = %(other)s AND a.number = b.number
        """,
    "a bit turned round": """
        UPDATE attachment_chunk SET sealed = set_bit(sealed, 240, 1 - get_bit(sealed, 240))
        WHERE attachment_id = %(one)s
        """,
    "the tail cut off and the size with it": """
        WITH cut AS (DELETE FROM attachment_chunk WHERE attachment_id = %(one)s AND number = 1)
        UPDATE attachment SET size = 262144, stored = 262144 WHERE id = %(one)s
        """,
    "all of it gone": "DELETE FROM attachment_chunk WHERE attachment_id = %(one)s",
}


class TestStored:
    def test_no_byte_of_it_is_stored_open(self, world: World, behind: Behind) -> None:
        content = b"\x89PNG\r\n\x1a\n" + b"quetzalcoatl" * 30_000
        told = attached(world.patient, noted(world.patient), content)

        stored = behind.rows(
            "SELECT sealed FROM attachment_chunk WHERE attachment_id = %s", told["id"]
        )

        assert len(stored) == 2
        assert all(b"quetzal" not in bytes(sealed) for (sealed,) in stored)
        for table in ("attachment", "ledger"):
            assert all(
                told["sha256"] not in row[0]
                for row in behind.rows(f"SELECT {table}::text FROM {table}")
            )

    def test_the_ledger_says_what_happened_and_nothing_of_what_is_in_it(self, world: World) -> None:
        told = attached(world.patient, noted(world.patient), a_picture())

        feed = world.patient.get(f"{world.patient.record}/changes").json()["changes"]

        said = [one for one in feed if one["kind"] == "attachment"]
        assert [one["action"] for one in said] == ["attachment.begun", "attachment.completed"]
        assert said[-1]["entry"].keys() == as_read(told).keys() - {"upload_offset"}

    @pytest.mark.parametrize("tamper", TAMPERING.values(), ids=TAMPERING.keys())
    def test_tampering_is_refused(self, world: World, behind: Behind, tamper: str) -> None:
        note_id = noted(world.patient)
        one, other = (
            attached(world.patient, note_id, a_picture(CHUNK + size))["id"] for size in (10, 11)
        )
        path = f"{world.patient.record}/attachments/{one}/content"
        whole = world.patient.get(path)

        behind.connection.execute(tamper.encode(), {"one": one, "other": other})

        answer = world.patient.get(path)
        assert whole.status_code == 200
        assert (answer.status_code, answer.json()["code"]) == (500, "internal")

    def test_what_was_completed_the_application_cannot_take_away(
        self, world: World, behind: Behind, direct: Direct
    ) -> None:
        told = attached(world.patient, noted(world.patient), a_picture())

        def discard(db: Any) -> None:
            db.enter(world.here.id)
            attachment_id = UUID(told["id"])
            db.add(DISCARD, patient_id=world.patient.patient_id, attachment_id=attachment_id)

        direct.run(discard)

        assert chunks_of(behind, told["id"]) == 1


class TestLapse:
    def test_what_nobody_finished_in_a_week_is_deleted(
        self, world: World, behind: Behind, direct: Direct
    ) -> None:
        content = a_picture(LARGE)
        abandoned = begun(world.patient, content)
        appended(world.patient, abandoned, content[:CHUNK], is_rest=False)
        finished = attached(world.patient, noted(world.patient), content)["id"]

        def lapse(days: float) -> int:
            def work(db: Any) -> int:
                db.enter(world.here.id)
                return uploads.lapse_abandoned(db, now() + timedelta(days=days))

            return direct.run(work)

        early, late, again = lapse(6.9), lapse(7.1), lapse(7.1)

        assert timedelta(days=7) == ABANDONED_AFTER
        assert (early, late, again) == (0, 1, 0)
        assert (chunks_of(behind, abandoned), chunks_of(behind, finished)) == (0, 3)
        told = world.patient.get(f"{world.patient.record}/attachments/{abandoned}").json()
        assert (told["status"], told["version"]) == ("entered-in-error", 2)
        feed = world.patient.get(f"{world.patient.record}/changes").json()["changes"]
        [last] = [one for one in feed if one["id"] == abandoned and one["version"] == 2]
        assert (last["action"], last["by"]) == ("attachment.lapsed", "system")

    def test_the_worker_looks_for_them_in_every_clinic(
        self, world: World, behind: Behind, direct: Direct
    ) -> None:
        content = a_picture(LARGE)
        unfinished = [begun(one, content) for one in (world.patient, world.elsewhere.patient)]
        for person, attachment_id in zip(
            (world.patient, world.elsewhere.patient), unfinished, strict=True
        ):
            appended(person, attachment_id, content[:CHUNK], is_rest=False)

        worker.tidy(direct, now() + timedelta(days=8))

        assert [chunks_of(behind, one) for one in unfinished] == [0, 0]

    def test_its_patient_may_give_it_up_before(self, world: World, behind: Behind) -> None:
        content = a_picture(LARGE)
        attachment_id = begun(world.patient, content)
        appended(world.patient, attachment_id, content[:CHUNK], is_rest=False)

        withdrawn(world.patient, f"{world.patient.record}/attachments/{attachment_id}", 1)

        assert chunks_of(behind, attachment_id) == 0
