"""A phone sends what it kept while it was away."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import get_args
from uuid import UUID, uuid4

import pytest
from httpx2 import Response

from app.sync import service
from app.sync.schemas import EntryKind
from tests.api.uploads import (
    KINDS,
    PATHS,
    SYNC,
    a_change,
    amended,
    ledger,
    otherwise,
    results,
    statuses,
    upload,
    versions,
    withdrawn,
)
from tests.builders import Person, World, a_check_in, a_dosing_session, a_goal, a_note, now
from tests.conftest import Behind, Clock

IN_DANGER = [1] * 8 + [3]
UNEASY = [1] * 8 + [1]


class TestKinds:
    def test_the_specification_names_every_kind_that_an_upload_takes(self) -> None:
        assert set(get_args(EntryKind)) == service.KINDS.keys()


class TestOperations:
    @KINDS
    def test_what_is_created_amended_and_withdrawn_is_answered_as_such(
        self, world: World, kind: str
    ) -> None:
        change = a_change(kind)

        told = results(
            world.patient,
            change,
            amended(change, 1, **otherwise(change)),
            withdrawn(change, 2),
        )

        assert [(one["status"], one["version"]) for one in told] == [
            ("created", 1),
            ("amended", 2),
            ("withdrawn", 3),
        ]
        assert {(one["kind"], one["id"]) for one in told} == {(kind, change["id"])}
        assert [one["entry"]["version"] for one in told] == [1, 2, 3]
        assert told[2]["entry"]["status"] == "entered-in-error"
        assert all(one["problem"] is None and one["kept_as"] is None for one in told)

    @KINDS
    def test_what_was_uploaded_is_what_is_read_afterwards(self, world: World, kind: str) -> None:
        change = a_change(kind)

        (told,) = results(world.patient, change)

        read = world.patient.get(f"/v1/patients/me/{PATHS[kind]}/{change['id']}").json()
        assert {name: read[name] for name in told["entry"]} == told["entry"]

    @KINDS
    def test_every_version_stays_readable(self, world: World, kind: str) -> None:
        change = a_change(kind)
        edit = amended(change, 1, **otherwise(change))
        results(world.patient, change, edit, withdrawn(change, 2))

        said = versions(world.patient, change)

        assert [one["version"] for one in said] == [1, 2, 3]
        changed = set(edit["entry"]) - {"recorded_at"}
        for one, sent in zip(said, [change, edit, edit], strict=True):
            assert {name: one[kind][name] for name in changed} == {
                name: sent["entry"][name] for name in changed
            }

    def test_changes_of_several_kinds_and_entries_travel_together(self, world: World) -> None:
        first, second, third = a_change("check_in"), a_change("note"), a_change("goal")

        told = statuses(
            world.patient,
            first,
            second,
            amended(first, 1, answers=[0] * 9),
            third,
            withdrawn(second, 1),
        )

        assert told == ["created", "created", "amended", "created", "withdrawn"]

    def test_changes_of_one_entry_are_made_in_the_order_sent(self, world: World) -> None:
        change = a_change("goal")
        edits = [amended(change, n, words=f"Goal {n}.") for n in range(1, 20)]

        told = results(world.patient, change, *edits)

        assert [one["version"] for one in told] == list(range(1, 21))
        assert versions(world.patient, change)[-1]["goal"]["words"] == "Goal 19."

    def test_one_upload_of_one_entry_is_one_row_of_the_ledger_per_change(
        self, world: World, behind: Behind
    ) -> None:
        change = a_change("goal")

        results(world.patient, change, amended(change, 1, words="More."), withdrawn(change, 2))

        entry_id = UUID(change["id"])
        assert ledger(behind, world.patient)[-3:] == [
            ("goal.set", entry_id, 1),
            ("goal.amended", entry_id, 2),
            ("goal.withdrawn", entry_id, 3),
        ]

    def test_one_id_may_name_entries_of_several_kinds(self, world: World) -> None:
        same = str(uuid4())
        changes = [a_change(kind, id=same) for kind in sorted(PATHS)]
        edits = [amended(one, 1, **otherwise(one)) for one in changes]

        assert statuses(world.patient, *changes, *edits) == (
            ["created"] * len(PATHS) + ["amended"] * len(PATHS)
        )
        assert statuses(world.patient, *changes, *edits) == ["unchanged"] * 2 * len(PATHS)
        for one in changes:
            assert [said["version"] for said in versions(world.patient, one)] == [1, 2]

    def test_an_upload_of_nothing_is_answered_with_the_safety_block(self, world: World) -> None:
        told = upload(world.patient)

        assert told["results"] == []
        assert told["safety"]["assessed"] is False
        assert told["safety"]["crisis_lines"]

    def test_500_changes_are_taken(self, world: World) -> None:
        changes = [a_change("goal", entry=a_goal(words=f"Goal {n}.")) for n in range(500)]

        assert set(statuses(world.patient, *changes)) == {"created"}

    def test_501_changes_are_refused_as_a_whole_and_a_smaller_upload_works(
        self, world: World, behind: Behind
    ) -> None:
        changes = [a_change("goal", entry=a_goal(words=f"Goal {n}.")) for n in range(501)]
        before = ledger(behind, world.patient)

        answer = world.patient.post(SYNC, {"changes": changes})

        assert answer.status_code == 422
        assert answer.json()["errors"] == [
            {"pointer": "/changes", "reason": "has too many elements"}
        ]
        assert ledger(behind, world.patient) == before
        assert set(statuses(world.patient, *changes[:250])) == {"created"}

    def test_the_server_corrects_a_wrong_clock_by_when_the_upload_was_sent(
        self, timed_world: World, clock: Clock
    ) -> None:
        ahead = a_change("goal", entry=a_goal(recorded_at=clock.said(hours=2)))
        named = a_change(
            "goal", entry=a_goal(recorded_at=clock.said(hours=-2), sent_at=clock.said(hours=0))
        )

        told = results(timed_world.patient, ahead, named, sent_at=clock.said(hours=3))

        assert told[0]["entry"]["clock_ahead_seconds"] == 3 * 3600
        assert told[0]["entry"]["effective_at"] == "2026-03-02T11:00:00Z"
        assert told[1]["entry"]["clock_ahead_seconds"] is None

    def test_a_check_in_is_scored_and_placed_after_its_dose(self, world: World) -> None:
        given_at = (now() - timedelta(days=2)).isoformat()
        dose = {"drug": "ketamine", "route": "im", "dose_mg": 40, "given_at": given_at}
        world.therapist.post(
            f"{world.patient.record}/dosing-sessions", a_dosing_session(administrations=[dose])
        )

        (told,) = results(world.patient, a_change("check_in"))

        assert (told["entry"]["total"], told["entry"]["band"]) == (12, "moderate")
        assert told["entry"]["position"]["dose_number"] == 1

    @pytest.mark.parametrize("who", ["therapist", "coach", "administrator"])
    def test_only_a_patient_uploads(self, world: World, who: str) -> None:
        person: Person = getattr(world.here, who)

        assert person.post(SYNC, {"changes": []}).status_code == 403


class TestRetry:
    def test_replaying_everything_is_unchanged_and_writes_nothing(
        self, world: World, behind: Behind
    ) -> None:
        changes = [a_change(kind) for kind in sorted(PATHS)]
        edits = [amended(one, 1, **otherwise(one)) for one in changes]
        ends = [withdrawn(one, 2) for one in changes]
        everything = [*changes, *edits, *ends]
        results(world.patient, *everything)
        before = behind.counts()

        told = results(world.patient, *everything)

        assert {one["status"] for one in told} == {"unchanged"}
        assert {one["version"] for one in told} == {3}
        assert behind.counts() == before

    def test_the_same_change_twice_in_one_upload_is_made_once(
        self, world: World, behind: Behind
    ) -> None:
        change = a_change("check_in", entry=a_check_in(answers=IN_DANGER))
        edit = amended(change, 1, answers=UNEASY)

        told = statuses(world.patient, change, change, edit, edit, change)

        assert told == ["created", "unchanged", "amended", "unchanged", "unchanged"]
        assert len(versions(world.patient, change)) == 2

    def test_a_retry_is_told_from_a_conflict_after_another_phone_went_on(
        self, world: World
    ) -> None:
        change = a_change("goal")
        edit = amended(change, 1, words="Mine.")
        results(world.patient, change, edit, amended(change, 2, words="Theirs."))

        (told,) = results(world.patient, edit)

        assert (told["status"], told["version"]) == ("unchanged", 3)
        assert told["entry"]["words"] == "Theirs."

    def test_a_retry_with_a_later_sent_at_is_a_retry(self, world: World) -> None:
        change = a_change("check_in")
        results(world.patient, change, sent_at=now().isoformat())

        later = (now() + timedelta(hours=1)).isoformat()

        assert results(world.patient, change, sent_at=later)[0]["status"] == "unchanged"

    def test_what_was_sent_by_itself_and_then_uploaded_is_unchanged(self, world: World) -> None:
        change = a_change("check_in")
        alone = world.patient.post(
            "/v1/patients/me/check-ins", {**change["entry"], "id": change["id"]}
        )
        assert alone.status_code == 201

        assert statuses(world.patient, change) == ["unchanged"]

    def test_the_same_upload_sent_by_many_at_once_happens_once(
        self, world: World, behind: Behind
    ) -> None:
        change = a_change("note")
        results(world.patient, change, amended(change, 1, words="Theirs."))
        changes = [
            a_change("check_in", entry=a_check_in(answers=IN_DANGER)),
            a_change("goal"),
            amended(change, 1, words="Mine."),
        ]

        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(lambda _: results(world.patient, *changes), range(8)))

        seen = Counter((one["kind"], one["status"]) for answer in told for one in answer)
        assert seen == {
            ("check_in", "created"): 1,
            ("check_in", "unchanged"): 7,
            ("goal", "created"): 1,
            ("goal", "unchanged"): 7,
            ("note", "conflict"): 8,
        }
        assert len({answer[2]["kept_as"] for answer in told}) == 1
        evidence = behind.rows(
            "SELECT count(*) FROM flag_evidence WHERE source_id = %s", changes[0]["id"]
        )
        assert evidence == [(1,)]


class TestSizes:
    def a_large_upload(self, size: int) -> bytes:
        """Notes of 60 KiB, padded to so many bytes."""
        changes = [
            a_change("note", entry=a_note(words=f"{n} " + "w" * 60_000))
            for n in range(size // 61_000)
        ]
        body = json.dumps({"changes": changes}).encode()
        assert len(body) <= size
        return body + b" " * (size - len(body))

    def uploaded(self, person: Person, body: bytes) -> Response:
        return person.request(
            "POST", SYNC, content=body, headers={"Content-Type": "application/json"}
        )

    @pytest.mark.parametrize("size", [1024 * 1024 + 1, 8 * 1024 * 1024])
    def test_an_upload_of_up_to_8_mib_is_taken(self, world: World, size: int) -> None:
        answer = self.uploaded(world.patient, self.a_large_upload(size))

        assert answer.status_code == 200, answer.text
        assert {one["status"] for one in answer.json()["results"]} == {"created"}

    def test_a_larger_upload_is_refused_and_nothing_is_stored(
        self, world: World, behind: Behind
    ) -> None:
        before = ledger(behind, world.patient)

        answer = self.uploaded(world.patient, self.a_large_upload(8 * 1024 * 1024 + 1))

        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
        assert ledger(behind, world.patient) == before


class TestDanger:
    def test_danger_that_comes_nine_hours_late_flags_at_once_and_says_how_late(
        self, timed_world: World, clock: Clock
    ) -> None:
        late = a_change(
            "check_in", entry=a_check_in(answers=IN_DANGER, recorded_at=clock.said(hours=-9))
        )

        told = upload(timed_world.patient, a_change("goal"), late, sent_at=clock.said())

        assert told["safety"]["level"] == "high"
        flag = told["safety"]["flag"]
        (seen,) = timed_world.therapist.get("/v1/flags").json()["flags"]
        assert (seen["id"], seen["raised_at"]) == (flag["id"], "2026-03-02T12:00:00Z")
        assert seen["evidence"][0]["source_id"] == late["id"]
        assert seen["evidence"][0]["seconds_late"] == 9 * 3600

    def test_the_safety_block_is_the_gravest(self, world: World) -> None:
        calm, uneasy, grave = (
            a_change("check_in", entry=a_check_in(answers=[*[1] * 8, item])) for item in (0, 1, 3)
        )

        told = upload(world.patient, calm, grave, uneasy, a_change("note"))

        assert (told["safety"]["level"], told["safety"]["assessed"]) == ("high", True)
        assert told["safety"]["flag"]["level"] == "high"
        assert told["safety"]["reasons"] == ["phq-9.item-9"]

    def test_an_amendment_to_danger_flags_and_a_calm_one_clears_nothing(self, world: World) -> None:
        change = a_change("check_in")
        grave, calm = amended(change, 1, answers=IN_DANGER), amended(change, 2, answers=[0] * 9)

        told = upload(world.patient, change, grave, calm, withdrawn(change, 3))

        assert told["safety"]["level"] == "high"
        (seen,) = world.therapist.get("/v1/flags").json()["flags"]
        assert (seen["level"], seen["status"], len(seen["evidence"])) == ("high", "open", 1)

    def test_danger_between_bad_changes_flags(self, world: World) -> None:
        grave = a_change("check_in", entry=a_check_in(answers=IN_DANGER))

        told = upload(world.patient, {}, a_change("goal", entry=7), grave, None)

        assert told["safety"]["flag"]["level"] == "high"

    def test_a_retry_names_the_flag_and_raises_no_other(self, world: World, behind: Behind) -> None:
        grave = a_change("check_in", entry=a_check_in(answers=IN_DANGER))
        first = upload(world.patient, grave)["safety"]
        before = behind.counts()

        again = upload(world.patient, grave)["safety"]

        assert (again["level"], again["flag"]) == (first["level"], first["flag"])
        assert behind.counts() == before

    def test_the_crisis_lines_are_of_where_the_patient_is(self, world: World) -> None:
        assert upload(world.patient)["safety"]["country"] == "US"
        assert upload(world.patient, country="DE")["safety"]["country"] == "DE"
