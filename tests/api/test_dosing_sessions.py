"""What was given, when, and by whose hand it was recorded."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from httpx2 import Response

from tests.builders import Person, World, a_dosing_session, a_note, an_administration, now
from tests.conftest import Behind


def recorded(world: World, **changes: Any) -> dict[str, Any]:
    """A visit that was stored, as the answer tells it."""
    answer = record(world, a_dosing_session(**changes))
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def record(world: World, body: dict[str, Any]) -> Response:
    """The therapist sends a visit."""
    return world.therapist.post(f"{world.patient.record}/dosing-sessions", body)


class TestRecord:
    def test_the_first_administration_is_where_time_begins(self, world: World) -> None:
        given_at = [now() - timedelta(minutes=minutes) for minutes in (60, 45, 90)]

        told = recorded(
            world,
            administrations=[
                an_administration(given_at=at.isoformat(), dose_mg=dose)
                for at, dose in zip(given_at, (20, 30.125, 10), strict=True)
            ],
        )

        assert datetime.fromisoformat(told["effective_at"]) == given_at[2]
        assert told["started_at"] == told["effective_at"]
        assert [one["dose_mg"] for one in told["administrations"]] == [10, 20, 30.125]
        assert (told["status"], told["number"], told["version"]) == ("completed", 1, 1)

    def test_doses_are_numbered_by_when_they_were_given(self, world: World) -> None:
        def at(days: int) -> list[dict[str, Any]]:
            return [an_administration(given_at=(now() - timedelta(days=days)).isoformat())]

        assert recorded(world, administrations=at(5))["number"] == 1
        assert recorded(world, administrations=at(1))["number"] == 2
        assert recorded(world, administrations=at(9))["number"] == 1

        listed = world.patient.get("/v1/patients/me/dosing-sessions").json()["dosing_sessions"]
        assert [one["number"] for one in listed] == [3, 2, 1]

    def test_a_visit_at_which_nothing_was_given_is_not_done(self, world: World) -> None:
        told = recorded(world, status="not-done", administrations=[])

        assert (told["number"], told["administrations"]) == (0, [])
        assert told["started_at"] == told["received_at"]

    def test_a_visit_has_a_start_and_an_end(self, world: World) -> None:
        started_at, ended_at = now() - timedelta(hours=2), now()

        told = recorded(world, started_at=started_at.isoformat(), ended_at=ended_at.isoformat())

        assert datetime.fromisoformat(told["started_at"]) == started_at
        assert datetime.fromisoformat(told["ended_at"]) == ended_at

    @pytest.mark.parametrize(
        "route", ["iv", "im", "subcutaneous", "intranasal", "sublingual", "oral"]
    )
    def test_every_route_is_kept(self, world: World, route: str) -> None:
        told = recorded(world, administrations=[an_administration(route=route)])

        assert told["administrations"][0]["route"] == route

    @pytest.mark.parametrize("dose_mg", [0.001, 0.5, 40, 56.0, 4999.999])
    def test_a_dose_is_kept_to_a_thousandth(self, world: World, dose_mg: float) -> None:
        told = recorded(world, administrations=[an_administration(drug="another", dose_mg=dose_mg)])

        read = world.patient.get(f"/v1/patients/me/dosing-sessions/{told['id']}").json()
        assert read["administrations"][0]["dose_mg"] == dose_mg

    @pytest.mark.parametrize("dose_mg", [0, -1, 0.0004, 0.0009999, 5000.001, 1e300])
    def test_a_dose_that_cannot_be_is_refused(self, world: World, dose_mg: float) -> None:
        answer = record(
            world, a_dosing_session(administrations=[an_administration(dose_mg=dose_mg)])
        )

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/administrations/0/dose_mg"

    def test_a_dose_is_recorded_and_not_planned(self, world: World) -> None:
        given, planned = (
            an_administration(given_at=(now() + timedelta(minutes=minutes)).isoformat())
            for minutes in (5, 15)
        )

        kept = record(world, a_dosing_session(administrations=[given]))
        refused = record(world, a_dosing_session(administrations=[given, planned]))

        # A clinic's clock may be a little ahead. One that is wrong by more is noticed when the dose
        # is recorded, and not by who waits for two hours to pass.
        assert kept.status_code == 201
        assert (refused.status_code, refused.json()["errors"]) == (
            422,
            [{"pointer": "/administrations/1/given_at", "reason": "has not come yet"}],
        )

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"administrations": []}, "/administrations"),
            ({"status": "not-done"}, "/administrations"),
            ({"ended_at": "2020-01-01T00:00:00Z"}, "/administrations/0/given_at"),
            ({"started_at": "2090-01-01T00:00:00Z"}, "/administrations/0/given_at"),
            (
                {"started_at": "2020-01-02T00:00:00Z", "ended_at": "2020-01-01T00:00:00Z"},
                "/ended_at",
            ),
            ({"status": "entered-in-error"}, "/status"),
            ({"administrations": [{}] * 21}, "/administrations"),
            ({"administrations": [{"route": "iv"}]}, "/administrations/0/drug"),
        ],
    )
    def test_what_contradicts_itself_is_refused_by_place(
        self, world: World, changes: dict[str, Any], pointer: str
    ) -> None:
        answer = record(world, a_dosing_session(**changes))

        assert answer.status_code == 422
        assert pointer in {fault["pointer"] for fault in answer.json()["errors"]}

    def test_it_is_one_row_of_the_ledger_by_the_hand_that_recorded_it(
        self, world: World, behind: Behind
    ) -> None:
        told = recorded(world)

        rows = behind.rows(
            "SELECT action, actor_id, actor_role FROM ledger WHERE entry_id = %s", told["id"]
        )
        assert rows == [("dosing_session.recorded", world.therapist.membership_id, "clinician")]

    @pytest.mark.parametrize("who", ["patient", "coach", "administrator"])
    def test_only_those_who_give_or_watch_over_doses_record_them(
        self, world: World, who: str
    ) -> None:
        person: Person = getattr(world.here, who)

        answer = person.post(f"{world.patient.record}/dosing-sessions", a_dosing_session())

        assert answer.status_code == 403

    def test_a_record_without_a_care_link_is_not_there(self, world: World) -> None:
        answer = world.here.stranger.post(
            f"{world.patient.record}/dosing-sessions", a_dosing_session()
        )

        assert answer.status_code == 404


class TestRetry:
    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"administrations": [an_administration(), an_administration(route="iv")]},
            {"administrations": [an_administration(dose_mg=40.12345)]},
            {"started_at": (now() - timedelta(hours=2)).isoformat()},
            {"status": "not-done", "administrations": []},
            {"status": "in-progress"},
        ],
    )
    def test_the_same_visit_sent_again_is_answered_and_not_stored_again(
        self, world: World, behind: Behind, body: dict[str, Any]
    ) -> None:
        sent = a_dosing_session(id=str(uuid4()), **body)
        first = record(world, sent)
        before = behind.counts()

        again = record(world, sent)

        assert (first.status_code, again.status_code) == (201, 200), again.text
        assert again.json() == first.json()
        # The reading of it is logged; the visit is not stored twice.
        assert behind.counts() == before | {"access_log": before["access_log"] + 1}

    @pytest.mark.parametrize(
        "change",
        [
            {"administrations": [an_administration(dose_mg=41)]},
            {"administrations": []} | {"status": "not-done"},
            {"ended_at": (now() + timedelta(hours=1)).isoformat()},
        ],
    )
    def test_another_visit_under_the_same_id_is_refused(
        self, world: World, change: dict[str, Any]
    ) -> None:
        sent = a_dosing_session(id=str(uuid4()))
        record(world, sent)

        answer = record(world, sent | change)

        assert (answer.status_code, answer.json()["code"]) == (409, "id-reused")


class TestRead:
    def test_the_patient_and_their_therapist_read_it(self, world: World) -> None:
        told = recorded(world)

        for person, path in (
            (world.patient, "/v1/patients/me"),
            (world.therapist, world.patient.record),
        ):
            answer = person.get(f"{path}/dosing-sessions/{told['id']}")
            assert (answer.status_code, answer.json()) == (200, told)
            assert answer.headers["ETag"] == '"1"'

    def test_it_is_listed_newest_first_page_by_page(self, world: World) -> None:
        made = [
            recorded(
                world,
                administrations=[
                    an_administration(given_at=(now() - timedelta(days=days)).isoformat())
                ],
            )["id"]
            for days in (1, 2, 3)
        ]

        first = world.patient.get("/v1/patients/me/dosing-sessions?limit=2")
        link = first.headers["Link"]
        second = world.patient.get(link[1 : link.index(">")])

        listed = first.json()["dosing_sessions"] + second.json()["dosing_sessions"]
        assert [one["id"] for one in listed] == made
        assert [len(one["administrations"]) for one in listed] == [1, 1, 1]
        assert second.json()["next_cursor"] is None

    def test_another_patients_visit_is_not_there(self, world: World) -> None:
        told = recorded(world)

        answer = world.here.other_patient.get(f"/v1/patients/me/dosing-sessions/{told['id']}")

        assert answer.status_code == 404

    def test_a_note_can_be_about_it(self, world: World) -> None:
        told = recorded(world)

        answer = world.patient.post("/v1/patients/me/notes", a_note(dosing_session_id=told["id"]))

        assert (answer.status_code, answer.json()["dosing_session_id"]) == (201, told["id"])
