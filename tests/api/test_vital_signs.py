"""Readings in batches, and what they show."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from httpx2 import Response

from tests.builders import (
    Person,
    World,
    a_batch,
    a_dosing_session,
    a_reading,
    ago,
    amended,
    an_administration,
    now,
    withdrawn,
)
from tests.conftest import Behind


def a_visit(world: World, *, minutes_ago: float = 120, **changes: Any) -> str:
    """A dose so many minutes ago. Returns: the path of its visit."""
    given = [an_administration(given_at=ago(minutes_ago))]
    path = f"{world.patient.record}/dosing-sessions"
    answer = world.therapist.post(path, a_dosing_session(administrations=given) | changes)
    assert answer.status_code == 201, answer.text
    return f"{path}/{answer.json()['id']}"


def send(person: Person, visit: str, body: dict[str, Any]) -> Response:
    """A batch."""
    return person.post(f"{visit}/vital-signs", body)


def sent(world: World, visit: str, *readings: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A batch that was kept, as the answer tells it."""
    answer = send(world.therapist, visit, a_batch(*readings, **changes))
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def series(world: World, visit: str) -> dict[str, Any]:
    """Everything that was read."""
    answer = world.therapist.get(f"{visit}/vital-signs")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


class TestRecord:
    def test_the_answer_says_what_the_visit_shows_and_what_reached_a_threshold(
        self, world: World
    ) -> None:
        visit = a_visit(world)

        told = sent(
            world,
            visit,
            a_reading(130),
            a_reading(80, systolic=185, diastolic=100, spo2=92, dissociation=8),
            a_reading(40, systolic=140, diastolic=85, dissociation=3),
            a_reading(10, dissociation=1),
        )

        vitals = told["vitals"]
        assert vitals["baseline"] == {"systolic": 120, "diastolic": 78, "spo2": 98, "pulse": 70}
        assert vitals["peak"]["systolic"] | {"at": 0} == {"value": 185, "at": 0, "minutes": 40}
        assert vitals["peak"]["spo2"]["value"] == 92
        assert vitals["last"]["dissociation"] == 1
        assert vitals["dissociation_passed_minutes"] == 110
        assert (vitals["readings"], vitals["alarms"]) == (4, 2)
        raised = [(one["vital"], one["value"], one["threshold"]) for one in told["alarms"]]
        assert raised == [("systolic", 185, 180), ("spo2", 92, 93)]

    def test_the_visit_and_the_list_show_it_and_it_is_no_version_of_them(
        self, world: World
    ) -> None:
        visit = a_visit(world)
        told = sent(world, visit)

        read = world.therapist.get(visit).json()
        listed = world.patient.get("/v1/patients/me/dosing-sessions").json()["dosing_sessions"]
        versions = world.therapist.get(f"{visit}/versions").json()["versions"]

        assert read["vitals"] == listed[0]["vitals"] == told["vitals"]
        assert (read["version"], len(versions)) == (1, 1)
        assert versions[0]["dosing_session"]["vitals"] is None

    def test_five_hundred_readings_are_one_row_of_the_ledger(
        self, world: World, behind: Behind
    ) -> None:
        visit = a_visit(world)
        readings = [a_reading(100 - minute / 10) for minute in range(500)]

        told = sent(world, visit, *readings)

        assert (told["readings"], told["vitals"]["readings"]) == (500, 500)
        rows = behind.rows("SELECT entry_kind, action FROM ledger WHERE entry_id = %s", told["id"])
        assert rows == [("vital_signs", "vital_signs.recorded")]

    def test_the_record_points_at_which_nothing_was_taken_are_gaps(self, world: World) -> None:
        visit = a_visit(world, minutes_ago=65)

        told = sent(world, visit, a_reading(80), a_reading(45), a_reading(25))

        assert told["vitals"]["gaps"] == [0]

    def test_the_list_tells_the_same_whether_or_not_something_was_missed(
        self, world: World
    ) -> None:
        visit = a_visit(world, minutes_ago=65)
        gaps = []
        for readings in ((a_reading(80), a_reading(45), a_reading(25)), (a_reading(65),)):
            sent(world, visit, *readings)
            one = world.therapist.get(visit).json()
            listed = world.therapist.get(f"{world.patient.record}/dosing-sessions").json()
            assert listed["dosing_sessions"] == [one]
            gaps.append(one["vitals"]["gaps"])

        assert gaps == [[0], []]

    def test_a_visit_that_is_planned_or_was_not_done_has_readings_too(self, world: World) -> None:
        path = f"{world.patient.record}/dosing-sessions"
        answer = world.therapist.post(path, {"status": "preparation", "started_at": ago(-60)})
        visit = f"{path}/{answer.json()['id']}"

        told = sent(world, visit, a_reading(5, systolic=190, diastolic=100))

        assert (told["vitals"]["gaps"], told["vitals"]["peak"]) == ([], {})
        assert told["vitals"]["baseline"]["systolic"] == 190
        amended(world.therapist, visit, {"status": "not-done"}, 1)
        assert world.therapist.get(visit).json()["vitals"]["last"]["systolic"] == 190

    def test_a_dose_that_moves_moves_what_is_measured_from_it(self, world: World) -> None:
        visit = a_visit(world, minutes_ago=120)
        sent(world, visit, a_reading(100, systolic=150), a_reading(60, systolic=130))
        before = world.therapist.get(visit).json()["vitals"]

        later = a_dosing_session(administrations=[an_administration(given_at=ago(90))])
        told = amended(world.therapist, visit, later, 1)["vitals"]

        assert (before["baseline"], before["peak"]["systolic"]["value"]) == ({}, 150)
        assert (told["baseline"]["systolic"], told["peak"]["systolic"]["value"]) == (150, 130)
        assert world.therapist.get(visit).json()["vitals"] == told

    def test_a_protocol_that_was_published_since_changes_nothing_that_was_found(
        self, world: World
    ) -> None:
        visit = a_visit(world)
        told = sent(world, visit, a_reading(10, pulse=125))
        standing = world.administrator.get("/v1/clinic/protocol")
        content = standing.json()
        for name in ("version", "published_at"):
            del content[name]
        alarms = content["monitoring"]["alarms"]
        pulse = next(one for one in alarms if one["vital"] == "pulse")
        pulse["high"] = 120

        published = world.administrator.put(
            "/v1/clinic/protocol", content, base=standing.headers["ETag"]
        )

        assert published.status_code == 200, published.text
        assert world.therapist.get(visit).json()["vitals"] == told["vitals"]
        assert series(world, visit)["alarm_count"] == 0
        later = sent(world, visit, a_reading(5, pulse=125))
        assert (later["vitals"]["protocol_version"], later["vitals"]["alarms"]) == (1, 2)


class TestRetry:
    def test_a_batch_that_comes_again_changes_nothing(self, world: World, behind: Behind) -> None:
        visit = a_visit(world)
        body = a_batch(id=str(uuid4()))
        first = send(world.therapist, visit, body)
        before = behind.counts()

        again = send(world.therapist, visit, body)

        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()
        changed = {name for name, count in behind.counts().items() if count != before[name]}
        assert changed == {"access_log"}

    @pytest.mark.parametrize(
        "change",
        [
            {"source": "by-hand"},
            {"device": "another"},
            {"readings": [a_reading(10, pulse=71)]},
            {"readings": [a_reading(10), a_reading(9)]},
        ],
    )
    def test_other_readings_under_its_id_are_refused(
        self, world: World, change: dict[str, Any]
    ) -> None:
        visit = a_visit(world)
        body = a_batch(id=str(uuid4()))
        send(world.therapist, visit, body)

        answer = send(world.therapist, visit, body | change)

        assert (answer.status_code, answer.json()["code"]) == (409, "id-reused")

    def test_another_visit_s_batch_under_its_id_is_refused(self, world: World) -> None:
        first, second = a_visit(world), a_visit(world, minutes_ago=9000)
        body = a_batch(id=str(uuid4()))
        send(world.therapist, first, body)

        answer = send(world.therapist, second, body)

        assert (answer.status_code, answer.json()["code"]) == (409, "id-reused")


class TestSeries:
    def test_batches_that_overlap_count_each_instant_once(self, world: World) -> None:
        visit = a_visit(world)
        first = [a_reading(30), a_reading(20)]
        sent(world, visit, *first)

        sent(world, visit, first[1], a_reading(10))
        by_hand = first[1] | {"systolic": 130}
        told = sent(world, visit, by_hand, source="by-hand")

        assert told["vitals"]["readings"] == 4
        found = series(world, visit)
        assert found["readings"]["at"] == sorted(found["readings"]["at"])
        assert sorted(found["readings"]["source"]) == ["by-hand", "monitor", "monitor", "monitor"]
        assert [one["readings"] for one in found["batches"]] == [2, 2, 1]

    def test_what_a_later_batch_lacks_stays(self, world: World) -> None:
        visit = a_visit(world)
        at = ago(10)
        sent(world, visit, {"at": at, "spo2": 98, "pulse": 70})

        sent(world, visit, {"at": at, "pulse": 72, "sedation": 3})

        found = series(world, visit)["readings"]
        assert (found["spo2"], found["pulse"], found["sedation"]) == ([98], [72], [3])
        assert found["systolic"] == [None]

    def test_a_visit_without_readings_has_an_empty_series(self, world: World) -> None:
        found = series(world, a_visit(world))

        assert (found["readings"]["at"], found["vitals"], found["batches"]) == ([], None, [])


class TestChange:
    def test_an_amended_batch_counts_as_it_is_now(self, world: World) -> None:
        visit = a_visit(world)
        first = sent(world, visit, a_reading(10, systolic=200, diastolic=100))
        sent(world, visit, a_reading(5))

        told = amended(
            world.therapist, f"{visit}/vital-signs/{first['id']}", a_batch(a_reading(10)), 1
        )

        assert (told["vitals"]["peak"]["systolic"]["value"], told["vitals"]["alarms"]) == (120, 0)
        assert series(world, visit)["readings"]["systolic"] == [120, 120]

    def test_a_withdrawn_batch_counts_for_nothing_and_stays_readable(self, world: World) -> None:
        visit = a_visit(world)
        batch = sent(world, visit, a_reading(10, spo2=80))
        sent(world, visit, a_reading(5))
        path = f"{visit}/vital-signs/{batch['id']}"

        told = withdrawn(world.therapist, path, 1)

        assert told["readings"]["spo2"] == [80]
        assert world.therapist.get(visit).json()["vitals"]["peak"]["spo2"]["value"] == 98
        assert len(series(world, visit)["batches"]) == 1
        versions = world.therapist.get(f"{path}/versions").json()["versions"]
        assert [one["action"] for one in versions] == [
            "vital_signs.recorded",
            "vital_signs.withdrawn",
        ]

    def test_the_last_batch_withdrawn_leaves_nothing(self, world: World) -> None:
        visit = a_visit(world)
        batch = sent(world, visit)

        withdrawn(world.therapist, f"{visit}/vital-signs/{batch['id']}", 1)

        vitals = world.therapist.get(visit).json()["vitals"]
        assert (vitals["readings"], vitals["last"]) == (0, {})

    def test_a_stale_version_is_refused(self, world: World) -> None:
        visit = a_visit(world)
        path = f"{visit}/vital-signs/{sent(world, visit)['id']}"
        amended(world.therapist, path, a_batch(a_reading(10, pulse=80)), 1)

        stale = world.therapist.put(path, a_batch(a_reading(10, pulse=90)), base=1)

        assert stale.status_code == 412
        assert world.therapist.put(path, a_batch(), base=None).status_code == 428


class TestBadInput:
    @pytest.mark.parametrize(
        ("readings", "pointer"),
        [
            ([], "/readings"),
            ([{"at": ago(5)}], "/readings/0"),
            ([a_reading(5), a_reading(4, diastolic=120)], "/readings/1/diastolic"),
            ([a_reading(5, diastolic=130)], "/readings/0/diastolic"),
            ([{"at": ago(5), "systolic": 120}], "/readings/0/diastolic"),
            ([a_reading(5, spo2=101)], "/readings/0/spo2"),
            ([a_reading(5, pulse=0)], "/readings/0/pulse"),
            ([a_reading(5, sedation=11)], "/readings/0/sedation"),
            ([a_reading(5, dissociation=-1)], "/readings/0/dissociation"),
            ([a_reading(5, pulse=70.5)], "/readings/0/pulse"),
            ([a_reading(-30)], "/readings/0/at"),
            ([a_reading(5, at="yesterday")], "/readings/0/at"),
            ([a_reading(5)] * 501, "/readings"),
        ],
    )
    def test_is_refused_by_place_and_nothing_is_stored(
        self, world: World, behind: Behind, readings: list[dict[str, Any]], pointer: str
    ) -> None:
        visit = a_visit(world)
        before = behind.counts()

        answer = send(world.therapist, visit, {"readings": readings})

        assert answer.status_code == 422
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
        assert behind.counts() == before

    def test_a_withdrawn_visit_takes_none(self, world: World) -> None:
        visit = a_visit(world)
        withdrawn(world.therapist, visit, 1)

        assert send(world.therapist, visit, a_batch()).status_code == 409

    def test_more_than_a_visit_can_have_are_refused(self, world: World) -> None:
        visit = a_visit(world)
        start = now() - timedelta(hours=1)

        def batch(number: int) -> dict[str, Any]:
            return {
                "readings": [
                    {"at": (start + timedelta(milliseconds=one)).isoformat(), "pulse": 70}
                    for one in range(number * 500, number * 500 + 500)
                ]
            }

        for number in range(20):
            assert send(world.therapist, visit, batch(number)).status_code == 201
        refused = send(world.therapist, visit, batch(20))

        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/readings"
        assert series(world, visit)["vitals"]["readings"] == 10_000


class TestAtHome:
    @pytest.mark.parametrize("recorded_by", ["patient", "companion"])
    def test_the_patient_s_phone_may_send_readings(self, world: World, recorded_by: str) -> None:
        visit = a_visit(
            world, setting="home", recorded_by=recorded_by, emergency_plan="Ana calls 911."
        )

        answer = send(world.patient, visit, a_batch(source="by-hand"))

        assert answer.status_code == 201, answer.text

    @pytest.mark.parametrize(
        "where",
        [
            {},
            {"setting": "clinic", "recorded_by": "patient"},
            {"setting": "home", "recorded_by": "clinician", "emergency_plan": "Ana."},
        ],
    )
    def test_elsewhere_it_may_not(self, world: World, where: dict[str, Any]) -> None:
        answer = send(world.patient, a_visit(world, **where), a_batch())

        assert answer.status_code == 403


def test_the_feed_tells_of_a_batch_without_its_readings(world: World) -> None:
    visit = a_visit(world)
    sent(world, visit, a_reading(20), a_reading(10))

    changes = world.therapist.get(f"{world.patient.record}/changes").json()["changes"]

    batch = next(one for one in changes if one["kind"] == "vital_signs")
    assert batch["entry"]["readings"] == 2
    assert datetime.fromisoformat(batch["entry"]["received_at"]) <= now() + timedelta(minutes=1)
