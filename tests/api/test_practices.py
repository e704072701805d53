"""Practices: what a patient does regularly, what became of it, and how it goes."""

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from app.kernel.db import Db, Direct
from app.practices.schemas import PracticesAdherenceOut
from tests.api.conftest import as_read
from tests.builders import (
    Person,
    World,
    a_goal,
    a_patient,
    a_practice,
    a_practice_tick,
    a_schedule,
)
from tests.conftest import Behind, Clock

PRACTICES = "/v1/patients/me/practices"
TICKS = "/v1/patients/me/practice-ticks"
MONDAY = date(2026, 3, 2)
Json = dict[str, Any]


@pytest.fixture
def patient(timed_world: World) -> Person:
    """On a Monday at noon, in UTC."""
    return timed_world.patient


def begin(person: Person, **changes: Any) -> Json:
    answer = person.post(PRACTICES, a_practice(**changes))
    assert answer.status_code == 201, answer.text
    told: Json = answer.json()
    return told


def tick(person: Person, practice: Json, *days: date, **changes: Any) -> None:
    for day in days:
        body = a_practice_tick(practice["id"], day.isoformat(), **changes)
        answer = person.post(TICKS, body)
        assert answer.status_code == 201, answer.text


def before(days: int) -> date:
    """So many days before the Monday."""
    return MONDAY - timedelta(days=days)


def adherence(person: Person, record: str = "/v1/patients/me") -> list[Json]:
    answer = person.get(f"{record}/practices/adherence")
    assert answer.status_code == 200, answer.text
    PracticesAdherenceOut.model_validate_json(answer.content)
    told: list[Json] = answer.json()["practices"]
    return told


class TestPractices:
    def test_a_practice_comes_back_as_it_was_begun(self, world: World) -> None:
        pauses = [{"first_on": "2026-02-01", "last_on": "2026-02-08"}]
        schedule = a_schedule(kind="weekdays", weekdays=[1, 3], pauses=pauses)
        told = begin(world.patient, schedule=schedule, remind_at="07:30", tier="health-record")

        assert told["schedule"] == {
            "kind": "weekdays",
            "from_on": "2026-01-01",
            "until_on": None,
            "weekdays": [1, 3],
            "every": None,
            "times": None,
            "pauses": pauses,
        }
        assert (told["remind_at"], told["activity"]) == ("07:30", "breath")
        assert (told["tier"], told["status"]) == ("health-record", "active")
        assert world.patient.get(f"{PRACTICES}/{told['id']}").json() == as_read(told)

    def test_it_may_come_from_the_goal_it_serves(self, world: World) -> None:
        goal = world.patient.post("/v1/patients/me/goals", a_goal()).json()
        link = {"kind": "goal", "id": goal["id"]}

        assert begin(world.patient, came_from=link)["came_from"] == link

    def test_sent_again_it_is_the_same_and_another_under_its_id_is_refused(
        self, world: World
    ) -> None:
        sent = a_practice(id=str(uuid4()))

        answers = [world.patient.post(PRACTICES, sent) for _ in range(2)]
        other = sent | {"schedule": a_schedule(kind="times-a-week", times=3)}

        assert [answer.status_code for answer in answers] == [201, 200]
        assert world.patient.post(PRACTICES, other).status_code == 409

    def test_words_and_reasons_are_sealed(self, world: World, behind: Behind) -> None:
        practice = begin(world.patient, words="axolotl")
        tick(world.patient, practice, before(1), status="skipped", reason="also axolotl")

        for table in ("practice", "practice_tick", "ledger"):
            rows = behind.rows(f"SELECT {table}::text FROM {table}")
            assert rows
            assert not any("axolotl" in row or b"axolotl".hex() in row for (row,) in rows)

    @pytest.mark.parametrize(
        ("schedule", "pointer"),
        [
            ({"kind": "hourly"}, "/schedule/kind"),
            ({"kind": "weekdays"}, "/schedule/weekdays"),
            ({"weekdays": [1]}, "/schedule/weekdays"),
            ({"kind": "weekdays", "weekdays": [1, 1]}, "/schedule/weekdays"),
            ({"kind": "weekdays", "weekdays": [0]}, "/schedule/weekdays/0"),
            ({"kind": "every-n-days"}, "/schedule/every"),
            ({"kind": "times-a-week", "times": 8}, "/schedule/times"),
            ({"until_on": "2025-12-31"}, "/schedule/until_on"),
            ({"from_on": "2026-02-30"}, "/schedule/from_on"),
            (
                {"pauses": [{"first_on": "2026-02-02", "last_on": "2026-02-01"}]},
                "/schedule/pauses/0/last_on",
            ),
            (
                {"pauses": [{"first_on": "2026-02-02"}, {"first_on": "2026-03-02"}]},
                "/schedule/pauses/1/first_on",
            ),
        ],
    )
    def test_a_schedule_that_makes_no_sense_is_refused_by_place(
        self, world: World, schedule: Json, pointer: str
    ) -> None:
        answer = world.patient.post(PRACTICES, a_practice(schedule=a_schedule(**schedule)))

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer

    def test_a_time_of_day_is_one(self, world: World) -> None:
        answer = world.patient.post(PRACTICES, a_practice(remind_at="24:00"))

        assert answer.json()["errors"][0]["pointer"] == "/remind_at"


class TestTicks:
    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"status": "skipped"}, "/reason"),
            ({"reason": "Tired."}, "/reason"),
            ({"status": "skipped", "reason": "Tired.", "minutes": 3}, "/minutes"),
            ({"minutes": 0}, "/minutes"),
            ({"on": "2026-03-01T00:00:00Z"}, "/on"),
            ({"practice_id": str(uuid4())}, "/practice_id"),
        ],
    )
    def test_what_is_no_tick_is_refused_by_place(
        self, patient: Person, changes: Json, pointer: str
    ) -> None:
        practice = begin(patient)

        answer = patient.post(TICKS, a_practice_tick(practice["id"]) | changes)

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer

    @pytest.mark.parametrize(
        ("on", "recorded", "status"),
        [
            (MONDAY, {}, 201),
            # Noon in UTC is past midnight on the far side of the date line.
            (MONDAY + timedelta(days=1), {}, 201),
            (MONDAY + timedelta(days=2), {}, 422),
            # A phone whose own clock is three days ahead.
            (MONDAY + timedelta(days=3), {"days": 3}, 201),
        ],
    )
    def test_a_date_is_refused_only_if_it_has_begun_nowhere(
        self, patient: Person, clock: Clock, on: date, recorded: Json, status: int
    ) -> None:
        practice = begin(patient)
        body = a_practice_tick(practice["id"], on.isoformat(), recorded_at=clock.said(**recorded))

        answer = patient.post(TICKS, body)

        assert answer.status_code == status
        if status == 422:
            assert answer.json()["errors"][0]["pointer"] == "/on"

    def test_a_tick_is_shown_to_whom_its_practice_is_shown(self, world: World) -> None:
        shown, private = begin(world.patient), begin(world.patient, tier="private")
        tick(world.patient, shown, before(1))
        tick(world.patient, private, before(1))
        seen_by_patient = world.patient.get(TICKS).json()["practice_ticks"]

        for person in (world.therapist, world.here.coach):
            seen = person.get(f"{world.patient.record}/practice-ticks").json()["practice_ticks"]
            assert [one["practice_id"] for one in seen] == [shown["id"]]
        assert len(seen_by_patient) == 2

    def test_ticks_made_offline_arrive_with_their_practice(self, world: World) -> None:
        practice_id = str(uuid4())
        changes = [
            {"kind": "practice", "op": "create", "id": practice_id, "entry": a_practice()},
            *(
                {
                    "kind": "practice_tick",
                    "op": "create",
                    "id": str(uuid4()),
                    "entry": a_practice_tick(practice_id, before(days).isoformat()),
                }
                for days in range(1, 4)
            ),
        ]

        results = world.patient.post("/v1/sync", {"changes": changes}).json()["results"]
        again = world.patient.post("/v1/sync", {"changes": changes}).json()["results"]

        assert [result["status"] for result in results] == ["created"] * 4
        assert [result["status"] for result in again] == ["unchanged"] * 4


class TestAdherence:
    def test_a_week_and_a_month_are_counted_and_today_is_not_missed(self, patient: Person) -> None:
        practice = begin(patient)
        tick(patient, practice, *(before(days) for days in range(1, 6)))
        tick(patient, practice, before(6), status="skipped", reason="A fever.")

        [told] = adherence(patient)

        assert told["practice_id"] == practice["id"]
        assert told["is_due_today"]
        assert told["week"] == {
            "days": 7,
            "done": 5,
            "expected": 5,
            "skipped": 1,
            "beside": 0,
            "proportion": 1.0,
        }
        assert (told["month"]["days"], told["month"]["expected"]) == (28, 26)
        assert told["streak"] == {"length": 5, "unit": "dates", "forgiven": 0}

    def test_a_date_counts_once_and_not_when_its_tick_was_withdrawn(self, patient: Person) -> None:
        practice = begin(patient)
        tick(patient, practice, before(1), before(1), before(2))
        ticks = patient.get(TICKS).json()["practice_ticks"]
        withdrawn = next(one["id"] for one in ticks if one["on"] == before(2).isoformat())

        patient.delete(f"{TICKS}/{withdrawn}", base=1)

        assert adherence(patient)[0]["week"]["done"] == 1

    def test_today_is_the_patient_s(self, timed_world: World, direct: Direct, clock: Clock) -> None:
        def admit(db: Db) -> Person:
            db.enter(timed_world.here.id)
            client: TestClient = timed_world.patient.client
            return a_patient(client, db, time_zone="Pacific/Kiritimati", at=clock.at)

        islander = direct.run(admit)

        answer = islander.get("/v1/patients/me/practices/adherence").json()

        assert (answer["today_on"], answer["time_zone"]) == ("2026-03-03", "Pacific/Kiritimati")

    def test_others_hear_nothing_of_a_private_practice(self, timed_world: World) -> None:
        begin(timed_world.patient, tier="private")
        shown = begin(timed_world.patient)

        for person in (timed_world.therapist, timed_world.here.coach):
            told = adherence(person, timed_world.patient.record)
            assert [one["practice_id"] for one in told] == [shown["id"]]
        assert len(adherence(timed_world.patient)) == 2

    def test_what_ended_long_ago_and_what_was_withdrawn_are_left_out(self, patient: Person) -> None:
        begin(patient, schedule=a_schedule(until_on=before(60).isoformat()))
        gone = begin(patient)
        patient.delete(f"{PRACTICES}/{gone['id']}", base=1)

        assert adherence(patient) == []
