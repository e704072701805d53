"""Whom an entry is shown to, and what it came from: the same for every kind on a shelf."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import bindparam

from app.goals.service import GOALS as GOALS_KEPT
from app.goals.tables import Goal
from app.journal.links import FURTHEST
from app.kernel.db import Db, Direct
from app.kernel.identity import Caller
from app.kernel.tables import columns
from app.people.chart import Chart, open_chart
from tests.builders import Person, World, a_goal, a_note, now

GOALS = "/v1/patients/me/goals"
NOTES = "/v1/patients/me/notes"
INTENTIONS = "/v1/patients/me/intentions"


def an_intention(**changes: Any) -> dict[str, Any]:
    return {"words": "To look at it.", "recorded_at": now().isoformat()} | changes


def set_(person: Person, **changes: Any) -> dict[str, Any]:
    answer = person.post(GOALS, a_goal(**changes))
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def changes_seen(person: Person, world: World, entry_id: str) -> list[dict[str, Any]]:
    """What the changes feed tells somebody about one entry."""
    rows = person.get(f"{world.patient.record}/changes").json()["changes"]
    return [row for row in rows if row["id"] == entry_id]


class TestTiers:
    def test_an_entry_is_the_care_team_s_unless_the_patient_says_otherwise(
        self, world: World
    ) -> None:
        told = set_(world.patient)

        assert told["tier"] == "care-team"
        assert world.therapist.get(f"{world.patient.record}/goals/{told['id']}").status_code == 200

    def test_a_private_entry_is_missing_to_everyone_else_wherever_they_look(
        self, world: World
    ) -> None:
        told = set_(world.patient, tier="private", words="axolotl")

        for person in (world.therapist, world.here.coach):
            one = f"{world.patient.record}/goals/{told['id']}"
            assert person.get(one).status_code == 404
            assert person.get(f"{one}/versions").status_code == 404
            assert "axolotl" not in person.get(f"{world.patient.record}/goals").text
        assert changes_seen(world.therapist, world, told["id"]) == []
        assert world.patient.get(f"{GOALS}/{told['id']}").json()["words"] == "axolotl"

    def test_made_private_it_is_gone_on_the_next_request_in_every_version(
        self, world: World
    ) -> None:
        told = set_(world.patient, words="axolotl")
        body = a_goal(tier="private", words="axolotl")

        amended = world.patient.put(f"{GOALS}/{told['id']}", body, base=1)

        assert amended.status_code == 200
        one = f"{world.patient.record}/goals/{told['id']}"
        assert world.therapist.get(one).status_code == 404
        assert world.therapist.get(f"{one}/versions").status_code == 404
        [tombstone] = changes_seen(world.therapist, world, told["id"])
        assert (tombstone["is_tombstone"], tombstone["entry"]) == (True, None)
        assert tombstone["action"] == "goal.made_private"
        assert len(changes_seen(world.patient, world, told["id"])) == 2

    def test_shown_again_it_is_seen_from_then_on_and_not_what_it_said_meanwhile(
        self, world: World
    ) -> None:
        told = set_(world.patient, tier="private", words="axolotl")
        body = a_goal(tier="care-team", words="Walk by the sea.")

        world.patient.put(f"{GOALS}/{told['id']}", body, base=1)

        one = f"{world.patient.record}/goals/{told['id']}"
        versions = world.therapist.get(f"{one}/versions").json()["versions"]
        assert [version["version"] for version in versions] == [2]
        assert "axolotl" not in world.therapist.get(f"{one}/versions").text


ALL_GOALS = GOALS_KEPT.query()
NEWEST_GOAL = GOALS_KEPT.query(columns(Goal).life_area == bindparam("area"), newest=1)


class TestOwnQuestions:
    """What a feature asks of a shelf besides its list."""

    def chart(self, db: Db, world: World, person: Person) -> Chart:
        db.enter(person.clinic_id)
        caller = Caller(
            person.account_id,
            person.clinic_id,
            person.membership_id,
            person.role,
            person.patient_id,
            int(datetime.now(UTC).timestamp()) + 1,
        )
        record = str(world.patient.patient_id)
        return open_chart(db, caller, record, GOALS_KEPT.read_right, datetime.now(UTC))

    def found(self, direct: Direct, world: World, person: Person) -> list[str]:
        def ask(db: Db) -> list[str]:
            chart = self.chart(db, world, person)
            return [one.words for one in GOALS_KEPT.found(db, chart, ALL_GOALS)]

        return direct.run(ask)

    def test_a_private_entry_is_found_for_its_patient_and_for_nobody_else(
        self, world: World, direct: Direct
    ) -> None:
        set_(world.patient, words="Shown.")
        set_(world.patient, words="Hidden.", tier="private")

        assert sorted(self.found(direct, world, world.patient)) == ["Hidden.", "Shown."]
        assert self.found(direct, world, world.therapist) == ["Shown."]

    def test_what_was_withdrawn_is_not_found(self, world: World, direct: Direct) -> None:
        told = set_(world.patient)

        world.patient.delete(f"{GOALS}/{told['id']}", base=1)

        assert self.found(direct, world, world.patient) == []

    def test_the_newest_of_those_that_fit_comes_first(self, world: World, direct: Direct) -> None:
        for days_ago, area in ((2, "body"), (1, "body"), (0, "work")):
            at = (now() - timedelta(days=days_ago)).isoformat()
            set_(world.patient, words=f"{area} {days_ago}", life_area=area, recorded_at=at)

        def ask(db: Db) -> list[str]:
            chart = self.chart(db, world, world.patient)
            return [one.words for one in GOALS_KEPT.found(db, chart, NEWEST_GOAL, area="body")]

        assert direct.run(ask) == ["body 1"]


class TestLinks:
    def test_an_entry_tells_its_patient_alone_what_it_came_from(self, world: World) -> None:
        note = world.patient.post(NOTES, a_note(tier="private")).json()
        link = {"kind": "note", "id": note["id"]}

        told = set_(world.patient, came_from=link)

        assert told["came_from"] == link
        seen = world.therapist.get(f"{world.patient.record}/goals/{told['id']}").json()
        assert seen["came_from"] is None
        assert note["id"] not in world.therapist.get(f"{world.patient.record}/changes").text

    def test_what_it_came_from_may_arrive_in_the_same_upload(self, world: World) -> None:
        first, second = str(uuid4()), str(uuid4())
        linked = a_goal(came_from={"kind": "note", "id": first})
        changes = [
            {"kind": "note", "op": "create", "id": first, "entry": a_note()},
            {"kind": "goal", "op": "create", "id": second, "entry": linked},
        ]

        results = world.patient.post("/v1/sync", {"changes": changes}).json()["results"]

        assert [result["status"] for result in results] == ["created", "created"]

    @pytest.mark.parametrize("kind", ["intention", "note"])
    def test_what_is_not_one_s_own_entry_is_refused_by_place(self, world: World, kind: str) -> None:
        elsewhere = world.elsewhere.patient.post(NOTES, a_note()).json()["id"]

        for other in (elsewhere, str(uuid4())):
            link = {"kind": kind, "id": other}
            refused = world.patient.post(GOALS, a_goal(came_from=link))
            assert refused.status_code == 422
            assert refused.json()["errors"] == [
                {"pointer": "/came_from", "reason": "is not one of the patient's entries"}
            ]

    def test_a_goal_does_not_come_from_a_goal(self, world: World) -> None:
        first = set_(world.patient)

        refused = world.patient.post(GOALS, a_goal(came_from={"kind": "goal", "id": first["id"]}))

        assert refused.json()["errors"] == [
            {"pointer": "/came_from", "reason": "must be one of: intention, note, insight"}
        ]

    def test_a_circle_of_links_is_refused_and_nothing_changes(self, world: World) -> None:
        intention = world.patient.post(INTENTIONS, an_intention()).json()
        goal = set_(world.patient, came_from={"kind": "intention", "id": intention["id"]})
        circle = an_intention(came_from={"kind": "goal", "id": goal["id"]})

        refused = world.patient.put(f"{INTENTIONS}/{intention['id']}", circle, base=1)

        assert refused.status_code == 422
        assert refused.json()["errors"] == [
            {
                "pointer": "/came_from",
                "reason": "must not itself come from this entry, directly or not",
            }
        ]
        assert world.patient.get(f"{INTENTIONS}/{intention['id']}").json()["version"] == 1

    def test_a_circle_through_a_hundred_entries_is_refused_and_words_are_still_amended(
        self, world: World
    ) -> None:
        ids = a_chain(world.patient, 120)

        refused = [
            world.patient.put(f"{INTENTIONS}/{ids[0]}", came_from("note", ids[last]), base=1)
            for last in (119, 109, 1)
        ]
        reworded = came_from("intention", ids[118]) | {"words": "Otherwise."}
        kept = world.patient.put(f"{NOTES}/{ids[119]}", reworded, base=1)

        assert [one.status_code for one in refused] == [422] * 3
        reasons = {one.json()["errors"][0]["reason"] for one in refused}
        assert reasons == {"must not itself come from this entry, directly or not"}
        assert kept.status_code == 200, kept.text

    def test_behind_more_entries_than_are_followed_no_link_is_led_but_words_are_amended(
        self, world: World
    ) -> None:
        ids = a_chain(world.patient, FURTHEST + 2)
        another = world.patient.post(INTENTIONS, an_intention()).json()["id"]

        within = world.patient.put(
            f"{INTENTIONS}/{another}", came_from("note", ids[FURTHEST - 1]), base=1
        )
        beyond = world.patient.put(
            f"{INTENTIONS}/{another}", came_from("note", ids[FURTHEST + 1]), base=2
        )
        last = came_from("intention", ids[FURTHEST]) | {"words": "Otherwise."}
        kept = world.patient.put(f"{NOTES}/{ids[FURTHEST + 1]}", last, base=1)

        assert within.status_code == 200, within.text
        assert beyond.status_code == 422
        assert beyond.json()["errors"] == [
            {"pointer": "/came_from", "reason": "has too many entries before it"}
        ]
        assert kept.status_code == 200, kept.text


def came_from(kind: str, entry_id: str) -> dict[str, Any]:
    """An intention or a note, whichever did not come from its like."""
    made = a_note() if kind == "intention" else an_intention()
    return made | {"came_from": {"kind": kind, "id": entry_id}}


def a_chain(person: Person, length: int) -> list[str]:
    """Intention, note, intention and so on, each of which came from the one before; their ids."""
    ids = [str(uuid4()) for _ in range(length)]
    kinds = ["intention", "note"]
    entries = [
        an_intention() if place == 0 else came_from(kinds[(place - 1) % 2], ids[place - 1])
        for place in range(length)
    ]
    for begin in range(0, length, 400):
        changes = [
            {"kind": kinds[place % 2], "op": "create", "id": ids[place], "entry": entries[place]}
            for place in range(begin, min(begin + 400, length))
        ]
        answer = person.post("/v1/sync", {"changes": changes})
        assert {one["status"] for one in answer.json()["results"]} == {"created"}
    return ids
