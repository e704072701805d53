"""The reference client, where a network that only loses things would not lead it."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.builders import World, a_goal, now
from tests.phone.client import Answer, Json, NoAnswer, NotNow, Phone, Transport

BROKEN = "\ud83d"  # half of a character, as a text that was cut in the wrong place ends


def straight(world: World) -> Transport:
    """To the API."""

    def ask(method: str, path: str, body: Json | None) -> Answer:
        content: dict[str, Any] = {}
        if body is not None:
            content = {"content": json.dumps(body), "headers": {"Content-Type": "application/json"}}
        answer = world.patient.request(method, path, **content)
        return Answer(answer.status_code, answer.json())

    return ask


def a_phone(folder: Path, transport: Transport, **options: Any) -> Phone:
    return Phone(folder / "phone.json", transport, now=now, **options)


class TestHalving:
    def test_a_change_that_makes_an_upload_unreadable_is_set_aside_and_the_others_arrive(
        self, world: World, tmp_path: Path
    ) -> None:
        phone = a_phone(tmp_path, straight(world))
        for words in ("One.", "Two.", f"Three {BROKEN}", "Four.", "Five."):
            phone.create("goal", {"words": words})

        phone.catch_up()

        listed = world.patient.get("/v1/patients/me/goals").json()["goals"]
        assert {one["words"] for one in listed} == {"One.", "Two.", "Four.", "Five."}
        (refused,) = phone.refused
        assert refused["change"]["entry"]["words"] == f"Three {BROKEN}"
        assert refused["problem"]["code"] == "malformed-body"

    def test_a_change_that_the_server_breaks_on_waits_behind_the_others(
        self, world: World, tmp_path: Path
    ) -> None:
        ask, is_broken = straight(world), True

        def breaking(method: str, path: str, body: Json | None) -> Answer:
            if is_broken and "Three." in json.dumps(body):
                return Answer(500, {})
            return ask(method, path, body)

        phone = a_phone(tmp_path, breaking)
        phone.create("goal", {"words": "Three."})
        phone.create("goal", {"words": "One."})
        goal = phone.create("goal", {"words": "Two."})
        phone.amend("goal", goal, {"words": "Two, said better."})

        with pytest.raises(NotNow):
            phone.catch_up()

        assert [one["entry"]["words"] for one in phone.queue] == ["Three."]
        assert phone.refused == []
        is_broken = False
        phone.catch_up()
        listed = world.patient.get("/v1/patients/me/goals").json()["goals"]
        assert {one["words"] for one in listed} == {"One.", "Two, said better.", "Three."}

    def test_no_upload_is_larger_than_the_server_takes(self, world: World, tmp_path: Path) -> None:
        sizes = []
        ask = straight(world)

        def measured(method: str, path: str, body: Json | None) -> Answer:
            if body is not None:
                sizes.append(len(json.dumps(body)))
            return ask(method, path, body)

        phone = a_phone(tmp_path, measured)
        for n in range(130):
            phone.create("note", {"words": f"{n} " + "w" * 64_000})

        phone.catch_up()

        assert len(sizes) == 2
        assert max(sizes) < 8 * 1024 * 1024
        assert phone.refused == []
        assert len(phone.shown("note")) == 130


class TestRetry:
    def test_it_waits_longer_each_time_and_gives_up_for_now(self, tmp_path: Path) -> None:
        pauses: list[float] = []

        def silent(method: str, path: str, body: Json | None) -> Answer:
            raise NoAnswer

        phone = a_phone(tmp_path, silent, pause=pauses.append, tries=4)
        phone.create("goal", {"words": "One."})

        with pytest.raises(NotNow):
            phone.push()

        assert pauses == sorted(pauses)
        assert len(pauses) == 3
        assert len(phone.queue) == 1

    def test_somebody_who_is_signed_out_loses_nothing(self, tmp_path: Path) -> None:
        phone = a_phone(tmp_path, lambda *_: Answer(401, {"code": "not-signed-in"}))
        phone.create("goal", {"words": "One."})

        for act in (phone.push, phone.pull, phone.catch_up):
            with pytest.raises(NotNow):
                act()

        assert (len(phone.queue), phone.refused) == (1, [])


class TestMerging:
    def test_what_was_typed_on_what_another_phone_withdrew_becomes_an_entry_of_its_own(
        self, world: World, tmp_path: Path
    ) -> None:
        ours = a_phone(tmp_path, straight(world))
        theirs = Phone(tmp_path / "theirs.json", straight(world), now=now)
        goal = ours.create("goal", {"words": "One."})
        ours.catch_up()
        theirs.catch_up()
        theirs.withdraw("goal", goal)
        theirs.catch_up()
        ours.amend("goal", goal, {"words": "Two."})
        ours.amend("goal", goal, {"words": "Three."})

        ours.catch_up()

        (new_id,) = ours.shown("goal")
        assert new_id != goal
        versions = world.patient.get(f"/v1/patients/me/goals/{new_id}/versions").json()["versions"]
        assert [one["goal"]["words"] for one in versions] == ["Two.", "Three."]

    def test_what_is_typed_after_a_conflict_goes_on_in_the_note_that_keeps_it_and_as_private(
        self, world: World, tmp_path: Path
    ) -> None:
        ours = a_phone(tmp_path, straight(world))
        theirs = Phone(tmp_path / "theirs.json", straight(world), now=now)
        note = ours.create("note", {"tier": "care-team", "words": "One."})
        ours.catch_up()
        theirs.catch_up()
        theirs.amend("note", note, {"tier": "private", "words": "Theirs."})
        theirs.catch_up()
        ours.amend("note", note, {"tier": "care-team", "words": "Mine."})
        ours.amend("note", note, {"tier": "care-team", "words": "Mine, and more."})

        ours.catch_up(most=1)

        shown = {one["words"]: one["tier"] for one in ours.shown("note").values()}
        assert shown == {"Theirs.": "private", "Mine, and more.": "private"}
        assert world.therapist.get(f"{world.patient.record}/notes").json()["notes"] == []

    def test_what_others_wrote_in_the_meantime_is_shown(self, world: World, tmp_path: Path) -> None:
        phone = a_phone(tmp_path, straight(world))
        earlier = (now() - timedelta(days=1)).isoformat()
        sent = a_goal(id=str(uuid4()), recorded_at=earlier)
        world.patient.post("/v1/patients/me/goals", sent)

        phone.catch_up()

        assert [str(one) for one in phone.shown("goal")] == [sent["id"]]
