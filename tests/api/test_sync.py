"""A phone sends what it kept while it was away."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, get_args
from uuid import UUID, uuid4

import pytest
from httpx2 import Response

from app.sync import service
from app.sync.schemas import EntryKind
from tests.builders import (
    Person,
    World,
    a_check_in,
    a_dosing_session,
    a_goal,
    a_note,
    an_intention,
    now,
)
from tests.conftest import Behind, Clock

SYNC = "/v1/sync"
PATHS = {"check_in": "check-ins", "note": "notes", "goal": "goals", "intention": "intentions"}
BUILD = {
    "check_in": a_check_in,
    "note": a_note,
    "goal": a_goal,
    "intention": an_intention,
}
CANARY = "kakapo"
IN_DANGER = [1] * 8 + [3]
UNEASY = [1] * 8 + [1]

Json = dict[str, Any]


def a_change(kind: str = "note", op: str = "create", **changes: Any) -> Json:
    """Something new of this kind, unless told otherwise."""
    change: Json = {"kind": kind, "op": op, "id": str(uuid4()), "base_version": 0}
    if op != "withdraw":
        change["entry"] = BUILD[kind]()
    return change | changes


def upload(person: Person, *changes: Any, **others: Any) -> Json:
    """What the server said to an upload."""
    answer = person.post(SYNC, {"changes": list(changes), **others})
    assert answer.status_code == 200, answer.text
    told: Json = answer.json()
    return told


def results(person: Person, *changes: Any, **others: Any) -> list[Json]:
    """What became of each change."""
    told: list[Json] = upload(person, *changes, **others)["results"]
    assert [one["index"] for one in told] == list(range(len(changes)))
    return told


def statuses(person: Person, *changes: Any) -> list[str]:
    return [one["status"] for one in results(person, *changes)]


def uploaded_as_written(person: Person, *changes: str) -> Response:
    """An upload of changes that are JSON text already, well-formed or not."""
    content = b'{"changes":[%s]}' % ",".join(changes).encode()
    return person.request(
        "POST", SYNC, content=content, headers={"Content-Type": "application/json"}
    )


def amended(change: Json, base_version: int, **entry: Any) -> Json:
    """The change that says an entry otherwise."""
    entry = change["entry"] | entry
    return change | {"op": "amend", "base_version": base_version, "entry": entry}


def withdrawn(change: Json, base_version: int) -> Json:
    """The change that takes an entry back."""
    rest = {name: value for name, value in change.items() if name != "entry"}
    return rest | {"op": "withdraw", "base_version": base_version}


def otherwise(change: Json, text: str = "x") -> Json:
    """A difference that a person makes; each text another."""
    if change["kind"] == "check_in":
        return {"answers": [len(text) % 4, *[1] * 8]}
    return {"words": f"Otherwise: {text}"}


def versions(person: Person, change: Json) -> list[Json]:
    """Every version of an entry, as its owner reads it."""
    path = f"/v1/patients/me/{PATHS[change['kind']]}/{change['id']}/versions"
    answer = person.get(path)
    assert answer.status_code == 200, answer.text
    told: list[Json] = answer.json()["versions"]
    return told


def ledger(behind: Behind, person: Person) -> list[tuple[str, UUID, int]]:
    """What was done to a patient's record."""
    return behind.rows(
        "SELECT action, entry_id, entry_version FROM ledger WHERE patient_id = %s ORDER BY seq",
        person.patient_id,
    )


KINDS = pytest.mark.parametrize("kind", sorted(PATHS))


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


class TestConflicts:
    @pytest.mark.parametrize("kind", ["check_in", "goal"])
    def test_of_two_edits_of_one_version_the_second_gets_the_servers_copy(
        self, world: World, kind: str
    ) -> None:
        change = a_change(kind)
        theirs, mine = (amended(change, 1, **otherwise(change, one)) for one in ("x", "xy"))
        results(world.patient, change, theirs)

        (told,) = results(world.patient, mine)

        assert (told["status"], told["version"], told["kept_as"]) == ("conflict", 2, None)
        said = next(iter(otherwise(change)))
        assert told["entry"][said] == theirs["entry"][said]
        assert told["problem"]["code"] == "precondition-failed"

    @pytest.mark.parametrize("kind", ["check_in", "goal"])
    def test_what_lost_a_conflict_can_go_on_top_and_both_stay_readable(
        self, world: World, kind: str
    ) -> None:
        change = a_change(kind)
        theirs, mine = (amended(change, 1, **otherwise(change, one)) for one in ("x", "xy"))
        results(world.patient, change, theirs, mine)

        assert statuses(world.patient, mine | {"base_version": 2}) == ["amended"]

        said = next(iter(otherwise(change)))
        assert [one[kind][said] for one in versions(world.patient, change)][1:] == [
            theirs["entry"][said],
            mine["entry"][said],
        ]

    @pytest.mark.parametrize("kind", ["check_in", "goal"])
    def test_what_was_done_after_an_edit_that_lost_is_not_done_to_the_edit_that_won(
        self, world: World, kind: str
    ) -> None:
        change = a_change(kind)
        results(world.patient, change, amended(change, 1, **otherwise(change, "x")))
        lost = amended(change, 1, **otherwise(change, "xy"))
        after = amended(change, 2, **otherwise(change, "xyz"))

        told = results(world.patient, lost, after, withdrawn(change, 3))

        assert [one["status"] for one in told] == ["conflict"] * 3
        assert {one["version"] for one in told} == {2}
        assert len(versions(world.patient, change)) == 2

    def test_what_was_done_after_an_edit_that_was_refused_is_told_as_a_conflict(
        self, world: World
    ) -> None:
        change = a_change("check_in")
        results(world.patient, change)
        refused = amended(change, 1, answers=[9] * 9)
        unreadable = amended(change, 1, answers=[True] * 9)
        after = amended(change, 2, answers=[0] * 9)

        assert statuses(world.patient, refused, after) == ["refused", "conflict"]
        assert statuses(world.patient, unreadable, after) == ["refused", "conflict"]
        assert statuses(world.patient, refused, after | {"base_version": 1}) == [
            "refused",
            "amended",
        ]

    def test_a_note_that_two_phones_changed_is_kept_twice(self, world: World) -> None:
        change = a_change("note")
        results(world.patient, change, amended(change, 1, words="Theirs."))

        (told,) = results(world.patient, amended(change, 1, words="Mine."))

        assert (told["status"], told["version"]) == ("conflict", 2)
        assert told["entry"]["words"] == "Theirs."
        kept = world.patient.get(f"/v1/patients/me/notes/{told['kept_as']}").json()
        assert (kept["words"], kept["conflict_of"]) == ("Mine.", change["id"])
        listed = world.patient.get("/v1/patients/me/notes").json()["notes"]
        assert {one["words"] for one in listed} == {"Theirs.", "Mine."}

    def test_the_same_conflict_sent_again_is_kept_once(self, world: World, behind: Behind) -> None:
        change = a_change("note")
        results(world.patient, change, amended(change, 1, words="Theirs."))
        mine = amended(change, 1, words="Mine.")
        (first,) = results(world.patient, mine)
        before = behind.counts()

        (again,) = results(world.patient, mine)

        assert again == first
        assert behind.counts() == before

    def test_a_text_that_was_written_on_in_the_note_that_kept_it_is_not_kept_again(
        self, world: World, behind: Behind
    ) -> None:
        change = a_change("note")
        results(world.patient, change, amended(change, 1, words="Theirs."))
        mine, more = amended(change, 1, words="Mine."), amended(change, 2, words="Mine, and more.")
        (first,) = results(world.patient, mine)
        results(world.patient, more | {"id": first["kept_as"], "base_version": 1})
        before = behind.counts()

        # A first try of the same phone, with both in one upload, arrives late.
        told = results(world.patient, mine, more)

        assert [(one["status"], one["kept_as"]) for one in told] == [
            ("conflict", first["kept_as"]),
            ("conflict", first["kept_as"]),
        ]
        assert behind.counts() == before

    def test_a_text_that_a_version_of_the_note_says_is_not_kept_again(
        self, world: World, behind: Behind
    ) -> None:
        change = a_change("note")
        mine = amended(change, 2, words="Mine.")
        results(world.patient, change, amended(change, 1, words="Theirs."), mine)
        before = behind.counts()

        (told,) = results(world.patient, mine | {"base_version": 1})

        assert (told["status"], told["kept_as"]) == ("conflict", None)
        assert behind.counts() == before

    def test_two_edits_that_lost_are_two_notes(self, world: World) -> None:
        change = a_change("note")
        results(world.patient, change, amended(change, 1, words="Theirs."))

        told = results(
            world.patient,
            amended(change, 1, words="Mine."),
            amended(change, 2, words="Mine, and more."),
        )

        assert [one["status"] for one in told] == ["conflict", "conflict"]
        assert len({one["kept_as"] for one in told}) == 2
        assert len(versions(world.patient, change)) == 2

    @pytest.mark.parametrize(
        ("was", "theirs", "mine", "stands_as", "kept_tier"),
        [
            ("care-team", "care-team", "care-team", "care-team", "care-team"),
            ("care-team", "private", "care-team", "private", "private"),
            ("care-team", "care-team", "private", "private", "private"),
            ("private", "care-team", "private", "care-team", "private"),
            ("private", "private", "care-team", "private", "private"),
        ],
    )
    def test_whoever_made_a_note_private_meant_both(
        self, world: World, was: str, theirs: str, mine: str, stands_as: str, kept_tier: str
    ) -> None:
        change = a_change("note", entry=a_note(tier=was))
        results(world.patient, change, amended(change, 1, words="Theirs.", tier=theirs))
        sent = amended(change, 1, words="Mine.", tier=mine)

        (told,) = results(world.patient, sent)
        (again,) = results(world.patient, sent)

        assert told["entry"]["tier"] == stands_as
        assert told["version"] == told["entry"]["version"] == 2 + (theirs != stands_as)
        kept = world.patient.get(f"/v1/patients/me/notes/{told['kept_as']}").json()
        assert (kept["words"], kept["tier"]) == ("Mine.", kept_tier)
        assert again == told
        seen = world.therapist.get(f"{world.patient.record}/notes").json()["notes"]
        assert {one["words"] for one in seen} == {
            words
            for words, tier in (("Theirs.", stands_as), ("Mine.", kept_tier))
            if tier == "care-team"
        }

    def test_a_kept_text_stays_with_the_session_of_its_note(self, world: World) -> None:
        session = world.therapist.post(
            f"{world.patient.record}/dosing-sessions", a_dosing_session()
        ).json()
        change = a_change("note", entry=a_note(dosing_session_id=session["id"]))
        results(world.patient, change, amended(change, 1, words="Theirs."))

        (told,) = results(world.patient, amended(change, 1, words="Mine."))

        kept = world.patient.get(f"/v1/patients/me/notes/{told['kept_as']}").json()
        assert kept["dosing_session_id"] == session["id"]

    @KINDS
    def test_an_edit_of_what_another_phone_withdrew_is_a_conflict(
        self, world: World, kind: str
    ) -> None:
        change = a_change(kind)
        results(world.patient, change, withdrawn(change, 1))

        late, later = (amended(change, base, **otherwise(change)) for base in (1, 2))
        told = results(world.patient, late, later)

        assert [one["problem"]["code"] for one in told] == ["precondition-failed"] * 2
        assert {one["entry"]["status"] for one in told} == {"entered-in-error"}
        assert all(bool(one["kept_as"]) is (kind == "note") for one in told)

    @KINDS
    def test_an_edit_of_a_withdrawn_version_is_a_conflict(self, world: World, kind: str) -> None:
        change = a_change(kind)
        results(world.patient, change, withdrawn(change, 1))

        (told,) = results(world.patient, amended(change, 2, **otherwise(change)))

        assert (told["status"], told["problem"]["code"]) == ("conflict", "withdrawn")

    @KINDS
    def test_a_withdrawal_of_a_version_that_was_overtaken_is_a_conflict(
        self, world: World, kind: str
    ) -> None:
        change = a_change(kind)
        results(world.patient, change, amended(change, 1, **otherwise(change)))

        (told,) = results(world.patient, withdrawn(change, 1))

        assert (told["status"], told["kept_as"]) == ("conflict", None)
        assert told["entry"]["status"] != "entered-in-error"

    @KINDS
    def test_two_phones_that_withdraw_the_same_agree(self, world: World, kind: str) -> None:
        change = a_change(kind)
        results(world.patient, change, withdrawn(change, 1))

        assert statuses(world.patient, withdrawn(change, 1), withdrawn(change, 2)) == [
            "unchanged",
            "unchanged",
        ]

    @KINDS
    def test_a_create_after_its_withdrawal_is_a_late_retry(self, world: World, kind: str) -> None:
        change = a_change(kind)
        results(world.patient, change, withdrawn(change, 1))

        (told,) = results(world.patient, change)

        assert (told["status"], told["version"]) == ("unchanged", 2)
        assert told["entry"]["status"] == "entered-in-error"

    @KINDS
    def test_a_create_with_an_id_of_another_entry_is_refused(self, world: World, kind: str) -> None:
        change = a_change(kind)
        other = change | {"entry": change["entry"] | otherwise(change)}

        told = results(world.patient, change, other)

        assert [one["status"] for one in told] == ["created", "refused"]
        assert (told[1]["problem"]["code"], told[1]["problem"]["status"]) == ("id-reused", 409)


LONG = "x" * 65_537

# What is wrong, the code of the refusal, and where in the change.
BAD: dict[str, tuple[str, str, str]] = {
    "null": ("null", "invalid", ""),
    "a number": ("7", "invalid", ""),
    "a text": ('"kakapo"', "invalid", ""),
    "a list": ("[]", "invalid", ""),
    "an empty object": ("{}", "invalid", "/kind /op /id"),
    "no number": ("NaN", "invalid", ""),
}


def bad_change(**changes: Any) -> str:
    return json.dumps(a_change("goal") | changes)


def bad_entry(kind: str, **members: Any) -> str:
    return json.dumps(a_change(kind, entry=BUILD[kind](**members)))


def bad_answer(raw: str) -> str:
    return bad_entry("check_in", answers=["@", *[1] * 8]).replace('"@"', raw)


BAD |= {
    "an unknown kind": (bad_change(kind=CANARY), "invalid", "/kind"),
    "a kind that is no text": (bad_change(kind=[CANARY]), "invalid", "/kind"),
    "a kind of the clinic's": (bad_change(kind="dosing_session"), "invalid", "/kind"),
    "an unknown op": (bad_change(op=CANARY), "invalid", "/op"),
    "an unknown member": (bad_change(kakapo=1), "invalid", ""),
    "an id that is none": (bad_change(id=CANARY), "invalid", "/id"),
    "an id that is a number": (bad_change(id=7), "invalid", "/id"),
    "no entry": (json.dumps(a_change("goal", "create", entry=None)), "invalid", "/entry"),
    "an entry that is a text": (bad_change(entry=CANARY), "invalid", "/entry"),
    "an entry of another kind": (
        bad_change(entry=a_check_in()),
        "invalid",
        "/entry /entry/words",
    ),
    "an entry with a member of its own": (bad_entry("goal", kakapo=1), "invalid", "/entry"),
    "an entry with another id": (bad_entry("goal", id=str(uuid4())), "invalid", "/entry/id"),
    "a base_version for something new": (bad_change(base_version=1), "invalid", "/base_version"),
    "a base_version below zero": (bad_change(base_version=-1), "invalid", "/base_version"),
    "a base_version that is true": (bad_change(base_version=True), "invalid", "/base_version"),
    "a base_version that is a text": (bad_change(base_version="1"), "invalid", "/base_version"),
    "a base_version beyond all": (bad_change(base_version=10**30), "invalid", "/base_version"),
    "an amendment of no version": (bad_change(op="amend"), "invalid", "/base_version"),
    "an amendment of what is not there": (
        bad_change(op="amend", base_version=1),
        "not-found",
        "",
    ),
    "a withdrawal of what is not there": (
        json.dumps(a_change("goal", "withdraw", base_version=1)),
        "not-found",
        "",
    ),
    "a withdrawal with an entry": (
        bad_change(op="withdraw", base_version=1),
        "invalid",
        "/entry",
    ),
    "another patient's": (bad_change(patient_id=str(uuid4())), "not-found", ""),
    "an answer of 1.0": (bad_answer("1.0"), "invalid", "/entry/answers/0"),
    "an answer of true": (bad_answer("true"), "invalid", "/entry/answers/0"),
    "an answer that is no number": (bad_answer("NaN"), "invalid", "/entry/answers/0"),
    "an answer beyond all": (bad_answer("1e999"), "invalid", "/entry/answers/0"),
    "an answer below all": (bad_answer("-Infinity"), "invalid", "/entry/answers/0"),
    "an answer of many digits": (bad_answer("1" * 4000), "invalid", "/entry/answers/0"),
    "an answer that is a text": (bad_answer('"1"'), "invalid", "/entry/answers/0"),
    "an answer that is not offered": (bad_answer("4"), "invalid", "/entry/answers/0"),
    "too few answers": (bad_entry("check_in", answers=[1]), "invalid", "/entry/answers"),
    "more answers than can be told": (
        bad_entry("check_in", answers=[CANARY] * 100),
        "invalid",
        "/entry",
    ),
    "an unknown instrument": (
        bad_entry("check_in", instrument=CANARY),
        "invalid",
        "/entry/instrument",
    ),
    "scores of one's own": (
        bad_entry("check_in", scores={"total": 3}),
        "invalid",
        "/entry/scores",
    ),
    "an unknown extra": (bad_entry("check_in", extras={CANARY: 1}), "invalid", "/entry/extras"),
    "words with a NUL": (bad_entry("note", words=f"{CANARY}\x00"), "invalid", "/entry/words"),
    "words that are too long": (bad_entry("note", words=LONG), "invalid", "/entry/words"),
    "words of too many bytes": (bad_entry("note", words="é" * 40_000), "invalid", "/entry/words"),
    "words that are blank": (bad_entry("goal", words=" \n"), "invalid", "/entry/words"),
    "a tier that is none": (bad_entry("note", tier=CANARY), "invalid", "/entry/tier"),
    "a session that is none": (
        bad_entry("note", dosing_session_id=str(uuid4())),
        "invalid",
        "/entry/dosing_session_id",
    ),
    "an instant without an offset": (
        bad_entry("note", recorded_at="2026-03-01T20:15:00"),
        "invalid",
        "/entry/recorded_at",
    ),
    "an instant of another age": (
        bad_entry("note", recorded_at="1999-03-01T20:15:00Z"),
        "invalid",
        "/entry/recorded_at",
    ),
    "something nested deeply": (
        bad_change(entry={"words": json.loads("[" * 60 + "]" * 60)}),
        "invalid",
        "/entry/recorded_at /entry/words",
    ),
}


class TestRefusals:
    @pytest.mark.parametrize("what", list(BAD))
    def test_a_bad_change_stands_in_no_others_way(
        self, world: World, behind: Behind, what: str
    ) -> None:
        bad, code, pointers = BAD[what]
        before, after = a_change("note"), a_change("check_in")
        rows = ledger(behind, world.patient)

        answer = uploaded_as_written(world.patient, json.dumps(before), bad, json.dumps(after))

        assert answer.status_code == 200, answer.text
        told = answer.json()["results"]
        assert [one["status"] for one in told] == ["created", "refused", "created"]
        problem = told[1]["problem"]
        assert problem["code"] == code
        places = {one["pointer"] for one in problem["errors"]}
        assert places == (set(pointers.split() or [""]) if code == "invalid" else set())
        assert CANARY not in answer.text
        assert (told[1]["version"], told[1]["entry"]) == (None, None)
        assert len(ledger(behind, world.patient)) == len(rows) + 2

    def test_a_refused_change_is_named_as_far_as_it_named_itself(self, world: World) -> None:
        entry_id = uuid4()

        told = results(
            world.patient,
            a_change("goal", op="no such", id=str(entry_id)),
            a_change("note", id=str(entry_id).upper()) | {"kind": "no such"},
            a_change("note", id="no such"),
            7,
        )

        assert [(one["kind"], one["id"]) for one in told] == [
            ("goal", str(entry_id)),
            (None, str(entry_id)),
            ("note", None),
            (None, None),
        ]

    @KINDS
    def test_a_version_from_the_future_is_refused(self, world: World, kind: str) -> None:
        change = a_change(kind)
        results(world.patient, change)

        told = results(world.patient, amended(change, 2, **otherwise(change)), withdrawn(change, 9))

        assert {(one["status"], one["problem"]["code"]) for one in told} == {
            ("refused", "version-unknown")
        }

    @KINDS
    def test_another_patients_entry_is_not_there(self, world: World, kind: str) -> None:
        change = a_change(kind)
        results(world.here.other_patient, change)

        told = results(world.patient, amended(change, 1, **otherwise(change)), withdrawn(change, 1))

        assert {(one["status"], one["problem"]["code"]) for one in told} == {
            ("refused", "not-found")
        }
        assert len(versions(world.here.other_patient, change)) == 1

    def test_ones_own_patient_id_may_be_named(self, world: World) -> None:
        change = a_change(patient_id=str(world.patient.patient_id))

        assert statuses(world.patient, change) == ["created"]

    def test_the_instrument_of_a_check_in_cannot_be_changed(self, world: World) -> None:
        change = a_change("check_in")
        results(world.patient, change)

        (told,) = results(world.patient, amended(change, 1, instrument="gad-7", answers=[0] * 7))

        assert told["status"] == "refused"
        assert told["problem"]["errors"][0]["pointer"] == "/entry/instrument"

    def test_scores_that_a_clinician_recorded_are_not_the_patients_to_withdraw(
        self, world: World
    ) -> None:
        sent = {"instrument": "madrs", "scores": {"total": 27}, "recorded_at": now().isoformat()}
        recorded = world.therapist.post(f"{world.patient.record}/check-ins", sent)
        assert recorded.status_code == 201, recorded.text
        change = a_change("check_in", id=recorded.json()["id"])

        (told,) = results(world.patient, withdrawn(change, 1))

        assert (told["status"], told["problem"]["code"]) == ("refused", "forbidden")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b'{"changes": {}}',
            b'{"changes": [], "kakapo": 1}',
            b'{"changes": [{"kind": "note"]}',
            b'{"changes": [], "sent_at": "kakapo"}',
            b'{"changes": [], "country": 7}',
        ],
    )
    def test_an_upload_that_cannot_be_read_is_refused_as_a_whole(
        self, world: World, body: bytes
    ) -> None:
        answer = world.patient.request(
            "POST", SYNC, content=body, headers={"Content-Type": "application/json"}
        )

        assert answer.status_code in (400, 422)
        assert CANARY not in answer.text


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
