"""What it was like, member by member; intentions; and notes from before there were members."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import bindparam, select

from app.experience.tables import ExperienceNote
from app.kernel.db import Change, Db, Direct, Query, itself
from app.kernel.tables import DataKey, columns
from tests.api.conftest import as_read
from tests.builders import World, a_dosing_session, a_note, amended, an_intention, now
from tests.conftest import Behind

NOTES = "/v1/patients/me/notes"
INTENTIONS = "/v1/patients/me/intentions"
WHOLE: dict[str, Any] = {
    "words": "I was the sea: quetzal.",
    "emotions": ["awe: quetzal", "grief"],
    "insights": ["It was never mine to carry: quetzal."],
    "themes": ["my father: quetzal"],
    "how_strong": 9,
    "how_challenging": 7,
    "was_breakthrough": True,
}


class TestMembers:
    def test_everything_that_was_written_comes_back_and_is_sealed(
        self, world: World, behind: Behind
    ) -> None:
        answer = world.patient.post(NOTES, a_note(**WHOLE))

        assert answer.status_code == 201, answer.text
        told = answer.json()
        assert {name: told[name] for name in WHOLE} == WHOLE
        assert world.patient.get(f"{NOTES}/{told['id']}").json() == as_read(told)
        for table in ("experience_note", "ledger"):
            for row in behind.rows(f"SELECT {table}::text FROM {table}"):
                assert "quetzal" not in row[0]
                assert b"quetzal".hex() not in row[0]
        [columns_] = behind.rows(
            "SELECT array_agg(column_name::text) FROM information_schema.columns"
            " WHERE table_name = 'experience_note'"
        )
        assert WHOLE.keys() & set(columns_[0]) == {"words"}

    def test_what_was_not_said_is_not_zero(self, world: World) -> None:
        told = world.patient.post(NOTES, a_note()).json()

        assert [told[name] for name in ("how_strong", "how_challenging", "was_breakthrough")] == [
            None,
            None,
            None,
        ]
        assert [told[name] for name in ("emotions", "insights", "themes")] == [[], [], []]

    @pytest.mark.parametrize(
        ("member", "value", "pointer"),
        [
            ("how_strong", 11, "/how_strong"),
            ("how_strong", -1, "/how_strong"),
            ("how_challenging", 5.5, "/how_challenging"),
            ("how_challenging", True, "/how_challenging"),
            ("was_breakthrough", "yes", "/was_breakthrough"),
            ("emotions", ["x" * 201], "/emotions/0"),
            ("emotions", ["awe", " "], "/emotions/1"),
            ("emotions", ["awe"] * 51, "/emotions"),
            ("insights", ["x" * 501], "/insights/0"),
            ("themes", "sea", "/themes"),
            ("themes", ["a\x00b"], "/themes/0"),
            ("tier", "public", "/tier"),
        ],
    )
    def test_what_is_out_of_bounds_is_refused_by_its_place(
        self, world: World, member: str, value: Any, pointer: str
    ) -> None:
        answer = world.patient.post(NOTES, a_note(**{member: value}))

        assert answer.status_code == 422
        assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]
        assert world.patient.get(NOTES).json()["notes"] == []

    @pytest.mark.parametrize("member", sorted(WHOLE.keys() - {"words"}))
    def test_another_member_is_another_note(self, world: World, member: str) -> None:
        sent = a_note(id=str(uuid4()), **WHOLE)
        world.patient.post(NOTES, sent)
        other = {name: value for name, value in sent.items() if name != member}

        again, reused = world.patient.post(NOTES, sent), world.patient.post(NOTES, other)

        assert (again.status_code, reused.status_code) == (200, 409)

    def test_of_two_phones_each_keeps_the_members_it_sent(self, world: World) -> None:
        sent = a_note(id=str(uuid4()))
        world.patient.post(NOTES, sent)
        ours, theirs = ({**sent, **WHOLE, "emotions": [emotion]} for emotion in ("awe", "dread"))
        amended(world.patient, f"{NOTES}/{sent['id']}", ours, 1)
        change = {"kind": "note", "op": "amend", "id": sent["id"], "base_version": 1}

        kept_as = {
            world.patient.post("/v1/sync", {"changes": [{**change, "entry": theirs}]}).json()[
                "results"
            ][0]["kept_as"]
            for _ in range(2)
        }

        [copy] = kept_as
        kept = world.patient.get(f"{NOTES}/{copy}").json()
        assert (kept["emotions"], kept["how_strong"]) == (["dread"], 9)
        assert kept["conflict_of"] == sent["id"]
        assert len(world.patient.get(NOTES).json()["notes"]) == 2

    def test_a_health_record_s_note_is_the_care_team_s_too(self, world: World) -> None:
        told = world.patient.post(NOTES, a_note(tier="health-record", **WHOLE)).json()

        seen = world.therapist.get(f"{world.patient.record}/notes/{told['id']}").json()

        assert (seen["tier"], seen["emotions"]) == ("health-record", WHOLE["emotions"])


_note = columns(ExperienceNote)
_key = columns(DataKey)
DATA_KEY = Query(
    select(_key.wrapped).where(
        _key.clinic_id == bindparam("clinic_id"), _key.patient_id == bindparam("patient_id")
    ),
    itself,
)
SEAL_AS_BEFORE = Change(
    ExperienceNote.__table__.update()  # type: ignore[attr-defined]
    .where(
        _note.clinic_id == bindparam("clinic_id"),
        _note.patient_id == bindparam("patient_id"),
        _note.id == bindparam("note_id"),
    )
    .values(words=bindparam("to_words", type_=_note.words.type))
)


def sealed_as_before(direct: Direct, world: World, note_id: UUID, text: str) -> None:
    """Let a note be stored as the version before stored it: its text alone, sealed."""
    patient_id = world.patient.patient_id
    assert patient_id is not None

    def work(db: Db) -> None:
        db.enter(world.here.id)
        key = db.vault.open_data_key(
            db.one(DATA_KEY, patient_id=patient_id), world.here.id, patient_id
        )
        words = key.seal(text.encode(), table="experience_note", column="words", row=note_id)
        db.add(SEAL_AS_BEFORE, patient_id=patient_id, note_id=note_id, to_words=words)

    direct.run(work)


class TestBefore:
    @pytest.mark.parametrize("text", ["Ein Meer.", '{"words": "not JSON of ours"}', "3", "null"])
    def test_a_note_that_was_sealed_as_text_is_still_read(
        self, world: World, direct: Direct, text: str
    ) -> None:
        told = world.patient.post(NOTES, a_note(words=text)).json()

        sealed_as_before(direct, world, UUID(told["id"]), text)

        path = f"{NOTES}/{told['id']}"
        assert world.patient.get(path).json() == as_read(told)
        body = a_note(words=text, recorded_at=told["recorded_at"])
        again = amended(world.patient, path, body | {"themes": ["sea"]}, 1)
        assert (again["words"], again["themes"]) == (text, ["sea"])
        assert world.therapist.get(f"{world.patient.record}/notes/{told['id']}").json() == (
            as_read(again)
        )


class TestIntentions:
    def test_an_intention_is_about_a_session_and_comes_back(self, world: World) -> None:
        session = world.therapist.post(
            f"{world.patient.record}/dosing-sessions", a_dosing_session()
        ).json()["id"]

        told = world.patient.post(INTENTIONS, an_intention(dosing_session_id=session)).json()

        assert (told["dosing_session_id"], told["tier"]) == (session, "care-team")
        assert told["safety"]["crisis_lines"]
        seen = world.therapist.get(f"{world.patient.record}/intentions/{told['id']}").json()
        assert seen == as_read(told)

    def test_and_only_about_ones_own(self, world: World) -> None:
        answer = world.patient.post(INTENTIONS, an_intention(dosing_session_id=str(uuid4())))

        assert [one["pointer"] for one in answer.json()["errors"]] == ["/dosing_session_id"]

    def test_a_private_one_is_its_patient_s(self, world: World) -> None:
        told = world.patient.post(INTENTIONS, an_intention(tier="private")).json()

        seen = world.therapist.get(f"{world.patient.record}/intentions")

        assert told["words"] not in seen.text
        feed = world.therapist.get(f"{world.patient.record}/changes").json()["changes"]
        assert "intention" not in {one["kind"] for one in feed}

    def test_a_note_answers_it(self, world: World) -> None:
        intention = world.patient.post(INTENTIONS, an_intention()).json()["id"]
        link = {"kind": "intention", "id": intention}

        told = world.patient.post(NOTES, a_note(came_from=link)).json()

        assert told["came_from"] == link
        seen = world.therapist.get(f"{world.patient.record}/notes/{told['id']}").json()
        assert seen["came_from"] is None

    def test_offline_it_is_sent_with_the_rest(self, world: World) -> None:
        first, second = str(uuid4()), str(uuid4())
        link = {"kind": "intention", "id": first}
        sent_at = now()
        changes = [
            {"kind": "intention", "op": "create", "id": first, "entry": an_intention()},
            {"kind": "note", "op": "create", "id": second, "entry": a_note(came_from=link)},
        ]

        results = world.patient.post("/v1/sync", {"changes": changes}).json()["results"]

        assert [one["status"] for one in results] == ["created", "created"]
        feed = world.patient.get("/v1/patients/me/changes").json()["changes"]
        seen = {one["id"]: one for one in feed}
        assert seen[first]["kind"] == "intention"
        assert datetime.fromisoformat(seen[second]["at"]) >= sent_at
