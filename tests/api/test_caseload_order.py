"""Why somebody stands where they do on the list; looking for somebody; what it costs."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from app.kernel.db import Direct
from app.trends.schemas.caseload import CaseloadOut
from tests.api.test_caseload import admitted, checked_in, names
from tests.builders import Person, World, a_check_in, a_dosing_session, an_administration, phq_9
from tests.conftest import Behind, Clock

WEEKLY: dict[str, Any] = {
    "title": "Weekly",
    "source": "A test",
    "convention": True,
    "late_days": 2,
    "points": [
        {
            "key": "weekly",
            "label": "Weekly",
            "anchor": "first-dose",
            "instruments": ["phq-9"],
            "days": [4, 7, 11],
            "every": 7,
            "source": "A test",
            "convention": True,
        }
    ],
}


def dosed(world: World, patient: Person, given_at: str) -> None:
    sent = a_dosing_session(administrations=[an_administration(given_at=given_at)])
    answer = world.therapist.post(f"{patient.record}/dosing-sessions", sent)
    assert answer.status_code == 201, answer.text


def scored(patient: Person, clock: Clock, *points: tuple[float, int]) -> None:
    """(days ago, total)"""
    for days, total in points:
        checked_in(patient, clock.said(days=-days), total=total)


def rows(reader: Person) -> dict[str, dict[str, Any]]:
    answer = reader.get("/v1/caseload")
    CaseloadOut.model_validate_json(answer.content)
    return {row["name"]: row for row in answer.json()["patients"]}


def search(reader: Person, **sent: Any) -> list[str]:
    answer = reader.post("/v1/caseload/search", sent)
    assert answer.status_code == 200, answer.text
    return [one["name"] for one in answer.json()["patients"]]


@pytest.fixture
def therapist(timed_world: World, clock: Clock) -> Person:
    return timed_world.therapist.again(clock.at)


@pytest.fixture
def listed(timed_world: World, clock: Clock, direct: Direct) -> dict[str, Person]:
    """One patient for each reason, admitted in another order."""
    answer = timed_world.administrator.put("/v1/clinic/protocol", WEEKLY, base=1)
    assert answer.status_code == 200, answer.text
    every = ("Steady", "Silent", "Overdue", "Lost", "Worse", "Flagged")
    people = dict(zip(every, admitted(timed_world, direct, clock.at, *every), strict=True))
    for name in ("Steady", "Overdue", "Lost", "Worse"):
        dosed(timed_world, people[name], clock.said(days=-50))
    scored(people["Steady"], clock, (51, 20), (43, 12), (36, 12), (22, 12), (1, 12))
    scored(people["Worse"], clock, (51, 12), (43, 12), (36, 12), (22, 12), (1, 18))
    scored(people["Lost"], clock, (51, 20), (43, 8), (36, 8), (22, 8), (8, 12), (1, 12))
    # Three weeks ago the last sign of life.
    scored(people["Overdue"], clock, (51, 20), (43, 12), (36, 12))
    people["Overdue"].post(
        "/v1/patients/me/check-ins",
        a_check_in(instrument="daily", answers=[5] * 5, recorded_at=clock.said(days=-20)),
    )
    checked_in(people["Flagged"], clock.said(hours=-1), item_nine=2, total=9)
    return people


@pytest.mark.usefixtures("listed")
class TestWhy:
    def test_each_stands_where_the_rule_says_and_says_why(self, therapist: Person) -> None:
        told = rows(therapist)

        assert [(name, row["why"]) for name, row in told.items()] == [
            ("Flagged", "flag"),
            ("Worse", "worsening"),
            ("Lost", "loss-of-response"),
            ("Overdue", "overdue"),
            *((name, "silent") for name in told if name in {"Silent", "A patient"}),
            ("Steady", "nothing-noted"),
        ]

    def test_the_rule_is_told_and_is_a_convention(self, therapist: Person) -> None:
        rule = therapist.get("/v1/caseload").json()["rule"]

        assert "convention" in rule
        assert "says nothing about who is safe" in rule

    def test_what_else_is_true_is_told_too(self, therapist: Person) -> None:
        overdue = rows(therapist)["Overdue"]

        assert (overdue["why"], overdue["also"]) == ("overdue", ["silent"])

    @pytest.mark.parametrize("limit", [1, 2, 5])
    def test_its_pages_make_up_the_whole(self, therapist: Person, limit: int) -> None:
        whole, found, cursor = names(therapist), [], None
        while True:
            told = therapist.post("/v1/caseload/search", {"limit": limit, "cursor": cursor}).json()
            found += [one["name"] for one in told["patients"]]
            cursor = told["next_cursor"]
            if cursor is None:
                break

        assert found == whole


@pytest.mark.usefixtures("listed")
class TestSparkline:
    def test_it_has_the_newest_scores_of_what_somebody_is_followed_by(
        self, therapist: Person
    ) -> None:
        spark = rows(therapist)["Lost"]["sparkline"]

        assert spark["instrument"] == "phq-9"
        assert spark["score"] == [20, 8, 8, 8, 12, 12]
        assert len(spark["effective_at"]) == 6
        assert (spark["minimum"], spark["maximum"]) == (0, 27)
        assert spark["direction"] == "lower-is-better"

    def test_it_has_the_doses_since_its_first_score(
        self, timed_world: World, clock: Clock, listed: dict[str, Person], therapist: Person
    ) -> None:
        patient = listed["Silent"]
        scored(patient, clock, (20, 15), (10, 12))
        before, since = clock.said(days=-25), clock.said(days=-15)
        for at in (before, since):
            dosed(timed_world, patient, at)

        told = rows(therapist)["Silent"]["sparkline"]

        assert [datetime.fromisoformat(at) for at in told["doses_at"]] == [
            datetime.fromisoformat(since)
        ]

    def test_it_ends_with_the_twelve_newest(
        self, timed_world: World, clock: Clock, listed: dict[str, Person], therapist: Person
    ) -> None:
        scored(listed["Silent"], clock, *((20 - day, day) for day in range(15)))

        assert rows(therapist)["Silent"]["sparkline"]["score"] == list(range(3, 15))

    def test_without_a_phq_9_it_is_the_gad_7(
        self, clock: Clock, listed: dict[str, Person], therapist: Person
    ) -> None:
        listed["Silent"].post(
            "/v1/patients/me/check-ins",
            a_check_in(instrument="gad-7", answers=[1] * 7, recorded_at=clock.said(days=-1)),
        )

        told = rows(therapist)["Silent"]

        assert (told["sparkline"]["instrument"], told["sparkline"]["score"]) == ("gad-7", [7])
        assert told["last_phq9_total"] is None


class TestScales:
    def test_one_phq_9_of_years_ago_hides_no_rise_of_the_pcl_5(
        self, timed_world: World, clock: Clock, direct: Direct, therapist: Person
    ) -> None:
        (patient,) = admitted(timed_world, direct, clock.at, "Traumatised")
        scored(patient, clock, (1100, 3))
        dosed(timed_world, patient, clock.said(days=-150))
        for days, each in ((155, 3), (120, 1), (90, 2), (60, 2), (1, 3)):
            patient.post(
                "/v1/patients/me/check-ins",
                a_check_in(
                    instrument="pcl-5", answers=[each] * 20, recorded_at=clock.said(days=-days)
                ),
            )

        told = rows(therapist)["Traumatised"]

        assert told["why"] == "worsening"
        assert told["sparkline"]["instrument"] == "pcl-5"
        assert told["last_phq9_total"] == 3

    def test_the_scale_that_got_worse_is_shown(
        self, timed_world: World, clock: Clock, direct: Direct, therapist: Person
    ) -> None:
        (patient,) = admitted(timed_world, direct, clock.at, "Anxious")
        scored(patient, clock, (30, 12), (2, 11))
        for days, each in ((30, 1), (1, 2)):
            patient.post(
                "/v1/patients/me/check-ins",
                a_check_in(
                    instrument="gad-7", answers=[each] * 7, recorded_at=clock.said(days=-days)
                ),
            )

        told = rows(therapist)["Anxious"]

        assert (told["why"], told["sparkline"]["instrument"]) == ("worsening", "gad-7")
        assert told["last_phq9_total"] == 11

    def test_a_slow_rise_from_the_best_score_is_worsening_without_any_baseline(
        self, timed_world: World, clock: Clock, direct: Direct, therapist: Person
    ) -> None:
        """The one before the dose is too old to measure from, and there is none after it yet."""
        (patient,) = admitted(timed_world, direct, clock.at, "Waiting")
        scored(patient, clock, (130, 6), (115, 9), (105, 12))
        dosed(timed_world, patient, clock.said(days=-1))

        assert rows(therapist)["Waiting"]["why"] == "worsening"


class TestSearch:
    @pytest.mark.parametrize(
        ("only", "found"),
        [
            ("flagged", ["Flagged"]),
            ("worsening", ["Worse"]),
            ("loss-of-response", ["Lost"]),
        ],
    )
    @pytest.mark.usefixtures("listed")
    def test_a_filter_shows_whom_it_is_true_of(
        self, therapist: Person, only: str, found: list[str]
    ) -> None:
        assert search(therapist, only=only) == found

    @pytest.mark.usefixtures("listed")
    def test_a_filter_is_about_every_reason_and_not_the_first_alone(
        self, therapist: Person
    ) -> None:
        assert search(therapist, only="overdue") == ["Overdue"]
        assert set(search(therapist, only="silent")) == {"Overdue", "Silent", "A patient"}

    @pytest.mark.parametrize("name", ["zoe", "ZOË", "  oë ", "Núñez", "nunez", "Zoë Núñez"])
    def test_a_name_is_found_by_a_part_of_it(
        self, timed_world: World, clock: Clock, direct: Direct, therapist: Person, name: str
    ) -> None:
        admitted(timed_world, direct, clock.at, "Zoë Núñez", "Ana")

        assert search(therapist, name=name) == ["Zoë Núñez"]

    def test_nobody_elses_patient_is_found(
        self, timed_world: World, clock: Clock, direct: Direct
    ) -> None:
        admitted(timed_world, direct, clock.at, "Zoë")
        for other in (timed_world.here.stranger, timed_world.elsewhere.therapist):
            assert search(other.again(clock.at), name="zoë") == []

    def test_whom_nobody_was_shown_is_in_no_access_log(
        self, timed_world: World, clock: Clock, direct: Direct, therapist: Person, behind: Behind
    ) -> None:
        zoe, _ = admitted(timed_world, direct, clock.at, "Zoë", "Ana")

        search(therapist, name="zoë")

        seen: list[UUID | None] = [
            patient_id
            for _, patient_id, what in behind.accesses(timed_world.here.id)
            if what == "caseload.read"
        ]
        assert seen == [None, zoe.patient_id]

    def test_a_cursor_goes_on_with_its_own_search_only(
        self, timed_world: World, clock: Clock, direct: Direct, therapist: Person
    ) -> None:
        admitted(timed_world, direct, clock.at, "Ana", "Anabel", "Bo")
        told = therapist.post("/v1/caseload/search", {"name": "ana", "limit": 1}).json()

        again = therapist.post(
            "/v1/caseload/search", {"name": "bo", "limit": 1, "cursor": told["next_cursor"]}
        )

        assert again.status_code == 400
        assert len(search(therapist, name="ana", cursor=told["next_cursor"])) == 1

    def test_a_name_is_not_in_the_cursor(
        self, timed_world: World, clock: Clock, direct: Direct, therapist: Person
    ) -> None:
        admitted(timed_world, direct, clock.at, "Ana", "Anabel")

        told = therapist.post("/v1/caseload/search", {"name": "ana", "limit": 1}).json()

        assert "ana" not in told["next_cursor"].lower()

    @pytest.mark.parametrize(
        "sent", [{"only": "everyone"}, {"limit": 0}, {"name": "x" * 201}, {"q": "x"}]
    )
    def test_what_is_no_search_is_refused(self, therapist: Person, sent: dict[str, Any]) -> None:
        assert therapist.post("/v1/caseload/search", sent).status_code == 422


class TestLongSilence:
    def test_a_course_of_long_ago_and_a_dose_today_are_read(
        self, timed_world: World, clock: Clock, therapist: Person
    ) -> None:
        patient = timed_world.patient
        sent = a_check_in(answers=phq_9(20), recorded_at=clock.said(days=-3650))
        assert patient.post("/v1/patients/me/check-ins", sent).status_code == 201
        dosed(timed_world, patient, clock.said(hours=-1))

        (row,) = rows(therapist).values()

        assert row["why"] in {"overdue", "silent"}
        assert datetime.fromisoformat(row["last_dose_at"]) < clock.at
