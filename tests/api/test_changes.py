"""A phone, or somebody who keeps a copy, reads what happened since."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.dialects.postgresql.psycopg import dialect

from app.kernel.ledger import CHANGES
from tests.builders import (
    Person,
    World,
    a_check_in,
    a_dosing_session,
    a_goal,
    a_goal_step,
    a_note,
    attached,
)
from tests.conftest import Behind
from tests.contract.statements import Statement

IN_DANGER = [1] * 8 + [3]

Json = dict[str, Any]


def read(person: Person, record: str = "/v1/patients/me", **query: int) -> Json:
    """One answer of the feed."""
    answer = person.get(f"{record}/changes", params=query)
    assert answer.status_code == 200, answer.text
    told: Json = answer.json()
    return told


def everything(person: Person, record: str = "/v1/patients/me", limit: int = 3) -> list[Json]:
    """The whole feed, page by page."""
    seen: list[Json] = []
    after, has_more = 0, True
    while has_more:
        told = read(person, record, after=after, limit=limit)
        assert len(told["changes"]) <= limit
        assert told["next_after"] > after or not told["has_more"]
        seen += told["changes"]
        after, has_more = told["next_after"], told["has_more"]
    return seen


def sent(person: Person, path: str, body: Json) -> str:
    """The id of something new on the person's own record."""
    answer = person.post(f"/v1/patients/me/{path}", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def amended(person: Person, path: str, body: Json, version: int = 1) -> None:
    answer = person.request(
        "PUT", f"/v1/patients/me/{path}", json=body, headers={"If-Match": f'"{version}"'}
    )
    assert answer.status_code == 200, answer.text


def withdrawn(person: Person, path: str, version: int = 1) -> None:
    answer = person.request(
        "DELETE", f"/v1/patients/me/{path}", headers={"If-Match": f'"{version}"'}
    )
    assert answer.status_code == 200, answer.text


def notes_seen(person: Person, record: str) -> list[tuple[str, str, bool]]:
    """What of the notes somebody sees: action, words, and whether it is gone."""
    return [
        (one["action"], (one["entry"] or {}).get("words", ""), one["is_tombstone"])
        for one in everything(person, record)
        if one["kind"] == "note"
    ]


class TestOrder:
    def test_a_change_is_told_with_the_entry_as_it_then_was(self, world: World) -> None:
        goal_id = sent(world.patient, "goals", a_goal(words="First."))
        amended(world.patient, f"goals/{goal_id}", a_goal(words="Second."))
        withdrawn(world.patient, f"goals/{goal_id}", 2)

        seen = [one for one in everything(world.patient) if one["kind"] == "goal"]

        assert [
            (one["action"], one["version"], one["entry"]["words"], one["is_tombstone"])
            for one in seen
        ] == [
            ("goal.set", 1, "First.", False),
            ("goal.amended", 2, "Second.", False),
            ("goal.withdrawn", 3, "Second.", True),
        ]
        assert {(one["id"], one["by"]) for one in seen} == {(goal_id, "patient")}
        assert seen[2]["entry"]["status"] == "entered-in-error"

    def test_every_kind_of_a_patients_entries_is_told(self, world: World) -> None:
        sent(world.patient, "check-ins", a_check_in(answers=IN_DANGER))
        sent(world.patient, "notes", a_note())
        sent(world.patient, "goals", a_goal())
        world.therapist.post(f"{world.patient.record}/dosing-sessions", a_dosing_session())

        seen = everything(world.patient)

        assert {one["kind"] for one in seen} >= {
            "check_in",
            "flag",
            "note",
            "goal",
            "dosing_session",
        }
        assert [one["seq"] for one in seen] == sorted(one["seq"] for one in seen)

    def test_the_limit_bounds_a_page_and_the_cursor_leads_on(self, world: World) -> None:
        for n in range(5):
            sent(world.patient, "goals", a_goal(words=f"Goal {n}."))
        whole = read(world.patient, limit=500)

        assert whole["has_more"] is False
        for limit in (1, 2, 7):
            assert everything(world.patient, limit=limit) == whole["changes"]

    def test_has_more_is_false_when_the_last_page_is_full(self, world: World) -> None:
        sent(world.patient, "goals", a_goal())
        rows = read(world.patient, limit=500)["next_after"]

        assert read(world.patient, limit=rows)["has_more"] is False
        assert read(world.patient, limit=rows - 1)["has_more"] is True

    def test_nothing_new_leaves_the_cursor_where_it_was(self, world: World) -> None:
        end = read(world.patient, limit=500)["next_after"]

        assert read(world.patient, after=end) == {
            "changes": [],
            "next_after": end,
            "has_more": False,
        }

    @pytest.mark.parametrize("after", [10_000, 2**31, 2**62])
    def test_a_cursor_beyond_the_end_finds_nothing(self, world: World, after: int) -> None:
        assert read(world.patient, after=after) == {
            "changes": [],
            "next_after": after,
            "has_more": False,
        }

    @pytest.mark.parametrize(
        "query", ["after=-1", "after=x", f"after={2**63}", "limit=0", "limit=501", "limit=x"]
    )
    def test_a_cursor_or_limit_that_cannot_be_is_refused(self, world: World, query: str) -> None:
        answer = world.patient.get(f"/v1/patients/me/changes?{query}")

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == f"query:{query.partition('=')[0]}"

    def test_the_cursor_advances_over_what_the_reader_may_not_see(self, world: World) -> None:
        for _ in range(5):
            sent(world.patient, "notes", a_note(tier="private"))
        begin = read(world.therapist, world.patient.record, limit=500)["next_after"] - 5

        first = read(world.therapist, world.patient.record, after=begin, limit=2)
        second = read(world.therapist, world.patient.record, after=first["next_after"], limit=3)

        assert first == {"changes": [], "next_after": begin + 2, "has_more": True}
        assert second == {"changes": [], "next_after": begin + 5, "has_more": False}

    def test_what_one_phone_did_another_finds_after_its_cursor(self, world: World) -> None:
        end = read(world.patient, limit=500)["next_after"]
        change = {"kind": "goal", "op": "create", "id": str(uuid4()), "entry": a_goal()}
        world.patient.post("/v1/sync", {"changes": [change]})

        (seen,) = read(world.patient, after=end)["changes"]

        assert (seen["id"], seen["seq"]) == (change["id"], end + 1)


class TestNotes:
    def test_a_note_for_the_team_is_seen_with_its_versions(self, world: World) -> None:
        note_id = sent(world.patient, "notes", a_note(words="First."))
        amended(world.patient, f"notes/{note_id}", a_note(words="Second."))
        withdrawn(world.patient, f"notes/{note_id}", 2)

        assert notes_seen(world.therapist, world.patient.record) == [
            ("note.written", "First.", False),
            ("note.amended", "Second.", False),
            ("note.withdrawn", "Second.", True),
        ]

    def test_a_note_that_was_never_visible_is_not_there(self, world: World) -> None:
        note_id = sent(world.patient, "notes", a_note(tier="private", words="First."))
        amended(world.patient, f"notes/{note_id}", a_note(tier="private", words="Second."))
        withdrawn(world.patient, f"notes/{note_id}", 2)

        assert notes_seen(world.therapist, world.patient.record) == []

    def test_a_note_that_was_tightened_is_gone_in_every_version_with_a_tombstone(
        self, world: World
    ) -> None:
        note_id = sent(world.patient, "notes", a_note(words="First."))
        amended(world.patient, f"notes/{note_id}", a_note(tier="private", words="Second."))
        amended(world.patient, f"notes/{note_id}", a_note(tier="private", words="Third."), 2)
        withdrawn(world.patient, f"notes/{note_id}", 3)

        assert notes_seen(world.therapist, world.patient.record) == [
            ("note.made_private", "", True)
        ]
        own = notes_seen(world.patient, "/v1/patients/me")
        assert [words for _, words, _ in own] == ["First.", "Second.", "Third.", "Third."]

    def test_what_is_part_of_an_entry_that_is_gone_goes_with_its_tombstone(
        self, world: World
    ) -> None:
        goal = sent(world.patient, "goals", a_goal())
        step = sent(world.patient, "goal-steps", a_goal_step(goal))
        note = sent(world.patient, "notes", a_note())
        attached(world.patient, note, b"\x89PNG\r\n\x1a\n" + b"quiet")
        after = read(world.therapist, world.patient.record)["next_after"]
        kept = {one["id"] for one in everything(world.therapist, world.patient.record)}
        assert {goal, step, note} < kept

        amended(world.patient, f"goals/{goal}", a_goal(tier="private"))
        amended(world.patient, f"notes/{note}", a_note(tier="private"))
        sent(world.patient, "goal-steps", a_goal_step(goal))

        since = read(world.therapist, world.patient.record, after=after)["changes"]
        assert [(one["id"], one["is_tombstone"], one["takes_with"]) for one in since] == [
            (goal, True, ["goal_step", "goal_rating"]),
            (note, True, ["attachment"]),
        ]
        own = read(world.patient, after=after)["changes"]
        assert all(one["takes_with"] == [] for one in own)

    def test_what_was_withdrawn_takes_nothing_with_it(self, world: World) -> None:
        goal = sent(world.patient, "goals", a_goal())
        sent(world.patient, "goal-steps", a_goal_step(goal))
        withdrawn(world.patient, f"goals/{goal}", 1)

        seen = everything(world.therapist, world.patient.record)

        assert (seen[-1]["is_tombstone"], seen[-1]["takes_with"]) == (True, [])

    def test_of_a_note_that_was_opened_only_what_was_said_since_is_seen(self, world: World) -> None:
        note_id = sent(world.patient, "notes", a_note(tier="private", words="First."))
        amended(world.patient, f"notes/{note_id}", a_note(words="Second."))

        assert notes_seen(world.therapist, world.patient.record) == [
            ("note.amended", "Second.", False)
        ]

    def test_a_note_that_was_tightened_and_opened_again_shows_no_private_version(
        self, world: World
    ) -> None:
        note_id = sent(world.patient, "notes", a_note(words="First."))
        amended(world.patient, f"notes/{note_id}", a_note(tier="private", words="Second."))
        amended(world.patient, f"notes/{note_id}", a_note(words="Third."), 2)

        assert notes_seen(world.therapist, world.patient.record) == [
            ("note.written", "First.", False),
            ("note.amended", "Third.", False),
        ]

    def test_an_entry_of_another_kind_with_the_id_of_a_private_note_is_seen(
        self, world: World
    ) -> None:
        same = str(uuid4())
        sent(world.patient, "notes", a_note(id=same, tier="private"))
        sent(world.patient, "check-ins", a_check_in(id=same, answers=IN_DANGER))

        seen = everything(world.therapist, world.patient.record)

        assert ("check_in", same) in {(one["kind"], one["id"]) for one in seen}
        assert "note" not in {one["kind"] for one in seen}

    def test_who_only_monitors_sees_no_note_and_no_tombstone_of_one(
        self, world: World, behind: Behind
    ) -> None:
        behind.rows(
            "UPDATE membership SET privileges = %s WHERE id = %s",
            ["monitor"],
            world.therapist.membership_id,
        )
        sent(world.patient, "check-ins", a_check_in())
        note_id = sent(world.patient, "notes", a_note())
        amended(world.patient, f"notes/{note_id}", a_note(tier="private"))

        seen = everything(world.therapist, world.patient.record)

        assert "check_in" in {one["kind"] for one in seen}
        assert "note" not in {one["kind"] for one in seen}

    def test_a_profile_is_for_its_owner_only(self, world: World) -> None:
        etag = world.patient.get("/v1/me").headers["ETag"]
        changed = world.patient.patch(
            "/v1/me", {"time_zone": "Europe/Berlin"}, headers={"If-Match": etag}
        )
        assert changed.status_code == 200, changed.text

        assert "profile" in {one["kind"] for one in everything(world.patient)}
        seen = everything(world.therapist, world.patient.record)
        assert "profile" not in {one["kind"] for one in seen}


class TestAccess:
    @pytest.mark.parametrize(
        ("who", "status"),
        [("therapist", 200), ("stranger", 404), ("coach", 403), ("administrator", 403)],
    )
    def test_who_reads_what_happened_to_a_record(self, world: World, who: str, status: int) -> None:
        person: Person = getattr(world.here, who)

        assert person.get(f"{world.patient.record}/changes").status_code == status

    def test_another_patients_record_is_not_there(self, world: World) -> None:
        for person in (
            world.here.other_patient,
            world.elsewhere.patient,
            world.elsewhere.therapist,
        ):
            assert person.get(f"{world.patient.record}/changes").status_code == 404

    def test_a_clinicians_read_is_in_the_access_log_and_a_patients_own_is_not(
        self, world: World, behind: Behind
    ) -> None:
        read(world.patient)
        read(world.therapist, world.patient.record)

        assert behind.accesses(world.here.id) == [
            (world.therapist.membership_id, world.patient.patient_id, "changes.read")
        ]


class TestCost:
    def test_a_page_costs_the_same_however_long_the_history_is(
        self, world: World, behind: Behind
    ) -> None:
        costs = []
        for rows in (500, 2000):
            self.write(world.patient, rows)
            ((end,),) = behind.rows(
                "SELECT seq FROM ledger_head WHERE patient_id = %s", world.patient.patient_id
            )
            told = read(world.patient, after=end - 4, limit=2)
            assert [one["seq"] for one in told["changes"]] == [end - 3, end - 2]
            costs.append(rows_touched(behind, world, after=end - 4, limit=3))

        assert costs == [3, 3]

    def write(self, patient: Person, count: int) -> None:
        for _ in range(count // 500):
            changes = [
                {"kind": "goal", "op": "create", "id": str(uuid4()), "entry": a_goal()}
                for _ in range(500)
            ]
            assert patient.post("/v1/sync", {"changes": changes}).status_code == 200


def rows_touched(behind: Behind, world: World, **params: int) -> int:
    """How many rows PostgreSQL looks at for a page, also those that it throws away."""
    page = Statement("changes", CHANGES).construct.params(  # type: ignore[attr-defined]
        clinic_id=world.here.id, patient_id=world.patient.patient_id, **params
    )
    sql = page.compile(dialect=dialect(), compile_kwargs={"literal_binds": True})  # type: ignore[no-untyped-call]
    behind.rows("ANALYZE ledger")
    ((explained,),) = behind.rows(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}".replace("%", "%%"))
    touched = 0
    plans = [explained[0]["Plan"]]
    for plan in plans:
        plans += plan.get("Plans", [])
        if "Relation Name" in plan:
            touched += plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    return int(touched)
