"""A clinician's patients: whoever is in danger first, then whoever has been silent longest."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from app.kernel.db import Direct
from tests.builders import (
    Person,
    World,
    a_check_in,
    a_dosing_session,
    a_patient,
    an_administration,
    phq_9,
)
from tests.conftest import Behind, Clock


def admitted(world: World, direct: Direct, at: datetime, *names: str) -> list[Person]:
    """More patients of the therapist."""

    def admit(db: Any) -> list[Person]:
        db.enter(world.here.id)
        client = world.patient.client
        return [a_patient(client, db, world.therapist, name=name, at=at) for name in names]

    return direct.run(admit)


def checked_in(patient: Person, recorded_at: str, item_nine: int = 0, total: int = 9) -> None:
    """A PHQ-9."""
    sent = a_check_in(answers=phq_9(total, item_nine=item_nine), recorded_at=recorded_at)
    assert patient.post("/v1/patients/me/check-ins", sent).status_code == 201


def names(reader: Person, query: str = "") -> list[str]:
    """Of the patients on the list, in its order."""
    return [one["name"] for one in reader.get(f"/v1/caseload{query}").json()["patients"]]


class TestOrder:
    @pytest.fixture
    def ordered(self, timed_world: World, clock: Clock, direct: Direct) -> list[str]:
        """Names in the order they belong in; nobody is admitted in that order."""
        (low, silent, high_later, moderate, fresh, never, high) = admitted(
            timed_world, direct, clock.at,
            "low", "silent", "high, later", "moderate", "fresh", "never", "high",
        )  # fmt: skip
        checked_in(timed_world.patient, clock.said(hours=-30))
        checked_in(fresh, clock.said(hours=-1))
        checked_in(silent, clock.said(days=-20))
        for patient, item_nine in ((low, 1), (high, 3), (moderate, 2), (high_later, 3)):
            checked_in(patient, clock.said(), item_nine)
            clock.turn(seconds=20)
        assert never.patient_id
        return ["high", "high, later", "moderate", "low", "never", "silent", "A patient", "fresh"]

    def test_danger_comes_first_then_the_longest_silence(
        self, timed_world: World, clock: Clock, ordered: list[str]
    ) -> None:
        assert names(timed_world.therapist.again(clock.at)) == ordered

    @pytest.mark.parametrize("limit", [1, 3, 8])
    def test_its_pages_make_up_the_whole(
        self, timed_world: World, clock: Clock, ordered: list[str], limit: int
    ) -> None:
        reader = timed_world.therapist.again(clock.at)
        found: list[str] = []
        path: str | None = f"/v1/caseload?limit={limit}"
        while path is not None:
            answer = reader.get(path)
            found += [one["name"] for one in answer.json()["patients"]]
            link = answer.headers.get("Link")
            assert (link is None) == (answer.json()["next_cursor"] is None)
            path = link[1 : link.index(">")] if link else None

        assert found == ordered

    def test_a_resolved_flag_no_longer_counts(
        self, timed_world: World, clock: Clock, behind: Behind, ordered: list[str]
    ) -> None:
        behind.rows("UPDATE flag SET status = 'resolved' WHERE clinic_id = %s", timed_world.here.id)

        found = names(timed_world.therapist.again(clock.at))

        assert set(found[:3]) == {"never", "silent", "A patient"}

    def test_a_cursor_that_is_not_of_this_list_is_refused(
        self, timed_world: World, clock: Clock, ordered: list[str]
    ) -> None:
        reader = timed_world.therapist.again(clock.at)
        cursor = reader.get("/v1/caseload?limit=2").json()["next_cursor"]

        for person, sent in (
            (timed_world.here.stranger.again(clock.at), cursor),
            (timed_world.elsewhere.therapist.again(clock.at), cursor),
            (reader, cursor[:-2]),
            (reader, "A" * len(cursor)),
        ):
            answer = person.get("/v1/caseload", params={"cursor": sent})
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["pointer"] == "query:cursor"


class TestRow:
    def test_it_tells_the_flag_the_last_score_and_the_last_dose(
        self, timed_world: World, clock: Clock
    ) -> None:
        patient, therapist = timed_world.patient, timed_world.therapist
        for hours in (80, 30):
            therapist.post(
                f"{patient.record}/dosing-sessions",
                a_dosing_session(
                    administrations=[an_administration(given_at=clock.said(hours=-hours))]
                ),
            )
        checked_in(patient, clock.said(hours=-20), total=17)
        checked_in(patient, clock.said(hours=-10), item_nine=2, total=11)
        checked_in(patient, clock.said(hours=-40), total=24)  # arrives late
        unfinished = a_check_in(answers=[None] * 9, recorded_at=clock.said(hours=-1))
        patient.post("/v1/patients/me/check-ins", unfinished)

        (row,) = therapist.get("/v1/caseload").json()["patients"]

        assert row["patient_id"] == str(patient.patient_id)
        assert row["name"] == "A patient"
        assert (row["flag"]["level"], row["flag"]["status"]) == ("moderate", "open")
        assert datetime.fromisoformat(row["flag_raised_at"]) == clock.at
        assert datetime.fromisoformat(row["last_check_in_at"]) == clock.at - timedelta(hours=1)
        assert row["last_phq9_total"] == 11  # the newest that is complete
        assert datetime.fromisoformat(row["last_phq9_at"]) == clock.at - timedelta(hours=10)
        assert datetime.fromisoformat(row["last_dose_at"]) == clock.at - timedelta(hours=30)

    def test_a_name_that_cannot_be_opened_hides_nobody(self, world: World, behind: Behind) -> None:
        behind.rows("UPDATE patient SET contact = '\\x00' WHERE id = %s", world.patient.patient_id)

        (row,) = world.therapist.get("/v1/caseload").json()["patients"]

        assert (row["patient_id"], row["name"]) == (str(world.patient.patient_id), None)

    def test_of_a_new_patient_there_is_nothing_yet(self, world: World) -> None:
        (row,) = world.therapist.get("/v1/caseload").json()["patients"]

        empty = ("flag", "flag_raised_at", "last_check_in_at", "last_phq9_total", "last_phq9_at",
                 "last_dose_at")  # fmt: skip
        assert {name: row[name] for name in empty} == dict.fromkeys(empty)


class TestWhoseList:
    def test_it_shows_those_one_cares_for_and_nobody_else(self, world: World) -> None:
        shown = {
            one["patient_id"] for one in world.therapist.get("/v1/caseload").json()["patients"]
        }

        assert shown == {str(world.patient.patient_id)}

    def test_a_clinician_without_patients_has_an_empty_list(self, world: World) -> None:
        told = world.here.stranger.get("/v1/caseload").json()

        assert (told["patients"], told["next_cursor"]) == ([], None)

    @pytest.mark.parametrize("who", ["patient", "coach", "administrator"])
    def test_it_is_for_those_who_treat(self, world: World, who: str) -> None:
        person: Person = getattr(world.here, who)

        assert person.get("/v1/caseload").status_code == 403
