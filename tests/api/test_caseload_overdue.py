"""Who is overdue: a check that the protocol wants after a dose counts as it does in one's list."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from app.kernel.db import Direct
from app.kernel.settings import Settings
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from app.main import create_app
from tests.api.test_caseload import admitted
from tests.api.test_caseload_order import dosed, search
from tests.api.test_clinic_instruments import switch
from tests.builders import Clinic, Person, World, a_check_in, a_clinic, now, withdrawn
from tests.conftest import SIGNING_KEYS, Clock
from tests.kernel.between import Between

CHECK_INS = "/v1/patients/me/check-ins"
SCREENER = "c-ssrs-since-last-contact"
ANSWERS: dict[str, list[int | None]] = {
    "aftercare": [0, 0, 0, 0, 0, 0, 1, 0],
    "momentary": [5, 5, 5, 0, 5],
    "daily": [5] * 5,
    SCREENER: [0, 0, None, None, None, 0],
}


def answered(patient: Person, clock: Clock, *keys: str, **ago: float) -> None:
    """Well, so long ago: `hours=2`."""
    for key in keys:
        recorded_at = (clock.at - timedelta(**ago)).isoformat()
        sent = a_check_in(instrument=key, answers=ANSWERS[key], recorded_at=recorded_at)
        answer = patient.again(clock.at).post(CHECK_INS, sent)
        assert answer.status_code == 201, answer.text


def newcomers(world: World, direct: Direct, clock: Clock, *names: str) -> list[Person]:
    """Who came today: everything of a patient of the builders' began ninety days before."""
    return admitted(world, direct, clock.at + timedelta(days=90), *names)


def overdue(world: World, clock: Clock) -> list[str]:
    """By the filter, and the reasons of each row say the same; without whom every world begins
    with, who never answered a questionnaire.
    """
    therapist = world.therapist.again(clock.at)
    found = search(therapist, only="overdue")
    rows: list[dict[str, Any]] = therapist.get("/v1/caseload").json()["patients"]
    assert found == [one["name"] for one in rows if "overdue" in (one["why"], *one["also"])]
    assert "A patient" in found
    return [name for name in found if name != "A patient"]


@pytest.fixture(autouse=True)
def unscreened(timed_world: World) -> None:
    """Nothing is asked before a session, unless a test wants it."""
    answer = switch(timed_world.administrator, SCREENER, is_on=False)
    assert answer.status_code == 200, answer.text


@pytest.fixture
def patient(timed_world: World, clock: Clock, direct: Direct) -> Person:
    """Had a dose thirty hours ago: what is asked at 4 hours is over, at 24 it is open."""
    (patient,) = newcomers(timed_world, direct, clock, "Dosed")
    dosed(timed_world, patient, clock.said(hours=-30))
    return patient


class TestAfterADose:
    def test_a_missed_follow_up_is_overdue(
        self, timed_world: World, clock: Clock, patient: Person
    ) -> None:
        open_now = patient.again(clock.at).get("/v1/patients/me/due").json()
        assert {one["kind"] for one in open_now["in_order"]} >= {"safety-check"}
        assert {one["key"] for one in open_now["recent"]} >= {"4h/dose-1/aftercare"}

        assert overdue(timed_world, clock) == ["Dosed"]

    def test_nobody_is_overdue_before_it_is_due(
        self, timed_world: World, clock: Clock, direct: Direct
    ) -> None:
        (patient,) = newcomers(timed_world, direct, clock, "Dosed")
        dosed(timed_world, patient, clock.said(hours=-3))

        before = overdue(timed_world, clock)
        clock.turn(hours=1)

        assert (before, overdue(timed_world, clock)) == ([], ["Dosed"])

    def test_who_answered_every_check_is_not(
        self, timed_world: World, clock: Clock, patient: Person
    ) -> None:
        for hours in (26, 6):
            answered(patient, clock, "aftercare", "momentary", hours=hours)

        assert overdue(timed_world, clock) == []

    def test_one_of_two_that_was_left_out_is_enough(
        self, timed_world: World, clock: Clock, patient: Person
    ) -> None:
        for hours in (26, 6):
            answered(patient, clock, "momentary", hours=hours)

        assert overdue(timed_world, clock) == ["Dosed"]

    @pytest.mark.parametrize("hours", [14, 11, 1])
    def test_a_later_answer_makes_up_for_it_late_or_at_the_next_check(
        self, timed_world: World, clock: Clock, direct: Direct, hours: float
    ) -> None:
        (patient,) = newcomers(timed_world, direct, clock, "Dosed")
        # What is asked at 4 hours was over after 8; the next check opens after 12.
        dosed(timed_world, patient, clock.said(hours=-23))
        before = overdue(timed_world, clock)

        answered(patient, clock, "aftercare", "momentary", hours=hours)

        assert (before, overdue(timed_world, clock)) == (["Dosed"], [])

    def test_the_next_dose_asks_anew(
        self, timed_world: World, clock: Clock, patient: Person
    ) -> None:
        for hours in (26, 6):
            answered(patient, clock, "aftercare", "momentary", hours=hours)
        dosed(timed_world, patient, clock.said(hours=-5))

        assert overdue(timed_world, clock) == ["Dosed"]

    def test_a_withdrawn_answer_is_none(
        self, timed_world: World, clock: Clock, patient: Person
    ) -> None:
        for hours in (26, 6):
            answered(patient, clock, "aftercare", "momentary", hours=hours)
        mine = patient.again(clock.at)
        for one in mine.get(f"{CHECK_INS}?instrument=aftercare").json()["check_ins"]:
            withdrawn(mine, f"{CHECK_INS}/{one['id']}", 1)

        assert overdue(timed_world, clock) == ["Dosed"]

    def test_it_counts_for_two_weeks_as_in_the_list_of_what_is_due(
        self, timed_world: World, clock: Clock, direct: Direct
    ) -> None:
        assert switch(timed_world.administrator, "momentary", is_on=False).status_code == 200
        near, far = newcomers(timed_world, direct, clock, "Near", "Far")
        # What is asked at 72 hours is over after 96; the week's PHQ-9 and GAD-7 were answered.
        dosed(timed_world, near, clock.said(days=-18 + 0.1))
        dosed(timed_world, far, clock.said(days=-18 - 0.1))
        for patient in (near, far):
            for days in (11, 4):
                recorded_at = clock.said(days=-days)
                for sent in (
                    a_check_in(recorded_at=recorded_at),
                    a_check_in(instrument="gad-7", answers=[1] * 7, recorded_at=recorded_at),
                    a_check_in(
                        instrument="bladder", answers=[0] * 5, extras={}, recorded_at=recorded_at
                    ),
                ):
                    answer = patient.again(clock.at).post(CHECK_INS, sent)
                    assert answer.status_code == 201, answer.text

        assert overdue(timed_world, clock) == ["Near"]

    def test_a_day_of_the_daily_questions_is_no_check(
        self, timed_world: World, clock: Clock, direct: Direct
    ) -> None:
        (patient,) = newcomers(timed_world, direct, clock, "Dosed")
        dosed(timed_world, patient, clock.said(hours=-73))
        answered(patient, clock, "aftercare", "momentary", hours=1)

        recent = patient.again(clock.at).get("/v1/patients/me/due").json()["recent"]
        assert {one["instrument"] for one in recent if one["state"] == "missed"} >= {"daily"}

        assert overdue(timed_world, clock) == []


class TestScreening:
    @pytest.fixture
    def asked(self, timed_world: World, clock: Clock, direct: Direct) -> Person:
        """Asked about suicide before a session that begins in an hour."""
        answer = switch(timed_world.administrator, SCREENER, is_on=True, accepts_notice=True)
        assert answer.status_code == 200, answer.text
        (patient,) = newcomers(timed_world, direct, clock, "Expected")
        body = {"status": "preparation", "started_at": clock.said(hours=1)}
        answer = timed_world.therapist.post(f"{patient.record}/dosing-sessions", body)
        assert answer.status_code == 201, answer.text
        return patient

    def test_a_screen_that_was_due_before_a_session_is_overdue(
        self, timed_world: World, clock: Clock, asked: Person
    ) -> None:
        assert overdue(timed_world, clock) == ["Expected"]

    def test_and_not_once_it_was_answered(
        self, timed_world: World, clock: Clock, asked: Person
    ) -> None:
        answered(asked, clock, SCREENER, hours=2)

        assert overdue(timed_world, clock) == []


class TestCost:
    @pytest.fixture
    def between(self, settings: Settings) -> Iterator[Between]:
        assert settings.database_url is not None
        with Between(settings.database_url) as between:
            yield between

    @pytest.fixture
    def clinic(
        self, settings: Settings, keyring: Keyring, direct: Direct, between: Between
    ) -> Iterator[Clinic]:
        """Whose API talks to the database through `between`."""
        tapped = settings.model_copy(update={"database_url": between.url})
        application = create_app(tapped, keyring, SigningKeys.parse(SIGNING_KEYS))
        with TestClient(application, client=(uuid4().hex, 1)) as client:
            yield a_clinic(client, direct)

    def test_however_long_the_list_the_statements_are_as_many(
        self, clinic: Clinic, between: Between, direct: Direct
    ) -> None:
        def statements() -> int:
            between.forget()
            assert clinic.therapist.get("/v1/caseload").status_code == 200
            return sum("SELECT" in said for trip in between.trips for said in trip)

        few = statements()
        world = World(clinic, clinic)
        for number, patient in enumerate(
            admitted(world, direct, now(), *(f"Patient {number}" for number in range(8)))
        ):
            dosed(world, patient, (now() - timedelta(hours=30 + number)).isoformat())

        assert statements() == few
