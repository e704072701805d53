"""How a patient wants to be reminded, and what a phone tells of its own reminders."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from httpx2 import Response

from tests.builders import Person, World, an_administration
from tests.conftest import Clock

REMINDERS = "/v1/me/reminders"
FIRST = {
    "is_stopped": False,
    "quiet_from": "21:00",
    "quiet_until": "08:00",
    "snoozed_until": None,
}
KEY = "4h/dose-1/momentary"


def faults(answer: Response) -> list[str]:
    """The places that a refusal names."""
    assert answer.status_code == 422, answer.text
    return [fault["pointer"] for fault in answer.json()["errors"]]


@pytest.fixture
def patient(timed_world: World, clock: Clock) -> Person:
    """Three hours after a dose."""
    given = an_administration(given_at=clock.said(hours=-3))
    path = f"{timed_world.patient.record}/dosing-sessions"
    made = timed_world.therapist.post(path, {"administrations": [given]})
    assert made.status_code == 201, made.text
    return timed_world.patient


def note(patient: Person, clock: Clock, event: str = "prompted", **changes: Any) -> Response:
    said = {"due_key": KEY, "event": event, "recorded_at": clock.said()}
    return patient.post(REMINDERS, said | changes)


class TestPlan:
    def test_at_first_nights_are_quiet(self, world: World) -> None:
        answer = world.patient.get(REMINDERS)

        assert answer.headers["ETag"] == '"1"'
        assert answer.json() == FIRST | {"version": 0, "reminders": []}

    def test_it_is_changed_as_a_whole(self, timed_world: World, clock: Clock) -> None:
        patient = timed_world.patient
        until = clock.said(days=7)
        wanted = {"is_stopped": True, "quiet_from": "00:00", "quiet_until": "23:59"}

        first = patient.put(REMINDERS, wanted | {"snoozed_until": until}, base=1)
        second = patient.put(REMINDERS, {}, base=2)

        assert (first.status_code, first.headers["ETag"]) == (200, '"2"')
        assert first.json()["snoozed_until"] == until.replace("+00:00", "Z")
        assert {name: first.json()[name] for name in wanted} == wanted
        assert second.json() == FIRST | {"version": 2, "reminders": []}
        read = patient.get(REMINDERS)
        assert (read.json(), read.headers["ETag"]) == (second.json(), second.headers["ETag"])

    @pytest.mark.parametrize(
        ("base", "status"), [(None, 428), (2, 412), ("*", 412), ('W/"1"', 412), ('"0"', 412)]
    )
    def test_it_is_not_changed_unseen(
        self, world: World, base: int | str | None, status: int
    ) -> None:
        refused = world.patient.put(REMINDERS, {"is_stopped": True}, base=base)

        assert refused.status_code == status
        assert world.patient.get(REMINDERS).json()["version"] == 0

    def test_a_version_that_was_left_behind_changes_nothing(self, world: World) -> None:
        world.patient.put(REMINDERS, {"quiet_from": "20:00"}, base=1)

        late = world.patient.put(REMINDERS, {"quiet_from": "19:00"}, base=1)

        assert late.status_code == 412
        assert world.patient.get(REMINDERS).json()["quiet_from"] == "20:00"

    @pytest.mark.parametrize("version", [0, 1])
    def test_of_many_changes_at_once_one_is_made(self, world: World, version: int) -> None:
        for earlier in range(version):
            world.patient.put(REMINDERS, {}, base=earlier + 1)

        def change(hour: int) -> int:
            plan = {"quiet_from": f"{hour:02}:00"}
            return world.patient.put(REMINDERS, plan, base=version + 1).status_code

        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(change, range(8)))

        assert sorted(statuses) == [200] + [412] * 7
        told = world.patient.get(REMINDERS).json()
        assert told["version"] == version + 1
        assert told["quiet_from"] == f"{statuses.index(200):02}:00"

    def test_a_device_that_is_registered_changes_no_plan(self, world: World) -> None:
        world.patient.put(REMINDERS, {"quiet_from": "20:00"}, base=1)
        before = world.patient.get(REMINDERS).json()

        device = {"channel": "webhook", "url": "https://phone.example/"}
        assert world.patient.post("/v1/me/devices", device).status_code == 201

        assert world.patient.get(REMINDERS).json() == before

    @pytest.mark.parametrize("name", ["quiet_from", "quiet_until"])
    @pytest.mark.parametrize(
        "time",
        ["24:00", "23:60", "8:00", "08:00:00", "08.00", "", " 08:00", "08:00\n", "٠٨:٠٠", 8, None],
    )
    def test_what_is_no_time_of_day_is_refused(self, world: World, name: str, time: Any) -> None:
        assert faults(world.patient.put(REMINDERS, {name: time}, base=1)) == [f"/{name}"]

    def test_a_snooze_lasts_a_week_at_most(self, timed_world: World, clock: Clock) -> None:
        patient = timed_world.patient
        too_long = {"snoozed_until": clock.said(days=7, seconds=1)}

        assert faults(patient.put(REMINDERS, too_long, base=1)) == ["/snoozed_until"]
        assert faults(patient.put(REMINDERS, {"snoozed_until": "2026-03-02"}, base=1)) == [
            "/snoozed_until"
        ]
        assert patient.put(REMINDERS, {"snoozed_until": clock.said(days=7)}, base=1).is_success

    @pytest.mark.parametrize("who", ["therapist", "stranger", "coach", "administrator"])
    def test_it_is_the_patient_s_alone(self, world: World, who: str) -> None:
        person: Person = getattr(world.here, who)
        said = {"due_key": KEY, "event": "prompted", "recorded_at": "2026-03-02T12:00:00Z"}

        answers = [
            person.get(REMINDERS),
            person.put(REMINDERS, {}, base=1),
            person.post(REMINDERS, said),
        ]

        assert [answer.status_code for answer in answers] == [403] * 3

    def test_nobody_has_another_s(self, world: World) -> None:
        world.here.other_patient.put(REMINDERS, {"is_stopped": True}, base=1)
        world.elsewhere.patient.put(REMINDERS, {"is_stopped": True}, base=1)

        assert world.patient.get(REMINDERS).json()["is_stopped"] is False


class TestNote:
    def test_what_a_phone_prompted_is_kept_with_when(self, patient: Person, clock: Clock) -> None:
        clock.turn(minutes=5)

        first = note(patient, clock, recorded_at=clock.said(minutes=-5))
        again = note(patient, clock)

        assert first.status_code == 200, first.text
        assert again.json() == first.json()
        assert first.json() == {
            "due_key": KEY,
            "instrument": "momentary",
            "expires_at": "2026-03-02T17:00:00Z",
            "prompted_at": "2026-03-02T12:00:00Z",
            "snoozed_until": None,
            "snoozes": 0,
            "check_in_id": None,
            "answered_at": None,
        }
        assert patient.get(REMINDERS).json()["reminders"] == [first.json()]

    def test_a_phone_whose_clock_is_ahead_prompted_now(self, patient: Person, clock: Clock) -> None:
        told = note(patient, clock, recorded_at=clock.said(days=900)).json()

        assert told["prompted_at"] == "2026-03-02T12:00:00Z"

    def test_each_snooze_counts_once(self, patient: Person, clock: Clock) -> None:
        told = [
            note(patient, clock, "snoozed", snoozed_until=clock.said(hours=hours)).json()
            for hours in (1, 1, 2)
        ]

        assert [one["snoozes"] for one in told] == [1, 1, 2]
        assert told[2]["snoozed_until"] == "2026-03-02T14:00:00Z"
        assert told[2]["prompted_at"] is None

    def test_a_prompt_during_a_snooze_does_not_end_it(self, patient: Person, clock: Clock) -> None:
        note(patient, clock, "snoozed", snoozed_until=clock.said(hours=1))

        told = note(patient, clock).json()

        assert told["snoozed_until"] == "2026-03-02T13:00:00Z"
        assert told["prompted_at"] == "2026-03-02T12:00:00Z"

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"due_key": "4h/dose-2/momentary"}, "/due_key"),
            ({"due_key": ""}, "/due_key"),
            ({"due_key": "x" * 201}, "/due_key"),
            ({"event": "answered"}, "/event"),
            ({"event": "snoozed"}, "/snoozed_until"),
            ({"snoozed_until": "2026-03-02T13:00:00Z"}, "/snoozed_until"),
            ({"event": "snoozed", "snoozed_until": "2026-03-09T12:00:01Z"}, "/snoozed_until"),
            ({"recorded_at": "noon"}, "/recorded_at"),
        ],
    )
    def test_what_makes_no_sense_is_refused(
        self, patient: Person, clock: Clock, changes: dict[str, Any], pointer: str
    ) -> None:
        assert faults(note(patient, clock, **changes)) == [pointer]
        assert patient.get(REMINDERS).json()["reminders"] == []

    def test_a_snooze_of_a_week_is_the_longest(self, patient: Person, clock: Clock) -> None:
        told = note(patient, clock, "snoozed", snoozed_until=clock.said(days=7))

        assert told.status_code == 200

    def test_nobody_notes_what_is_due_for_another(
        self, patient: Person, timed_world: World, clock: Clock
    ) -> None:
        assert note(patient, clock).status_code == 200

        for other in (timed_world.here.other_patient, timed_world.elsewhere.patient):
            assert faults(note(other, clock)) == ["/due_key"]
            assert other.get(REMINDERS).json()["reminders"] == []
