"""A phone sends what somebody else changed meanwhile."""

import pytest

from tests.api.uploads import (
    KINDS,
    a_change,
    amended,
    otherwise,
    results,
    statuses,
    versions,
    withdrawn,
)
from tests.builders import World, a_dosing_session, a_note
from tests.conftest import Behind


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
