"""One page for a referrer."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.kernel.renderer import Limits, Renderer
from app.trends.report import POLICY
from app.trends.schemas.trajectory import TrajectoryOut
from tests.builders import World, a_check_in, a_dosing_session, an_administration, now, phq_9
from tests.conftest import Behind

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def treated(world: World) -> World:
    """Baseline 20, two doses, latest 8."""
    for days_ago in (12, 9):
        given_at = (now() - timedelta(days=days_ago)).isoformat()
        dose = a_dosing_session(administrations=[an_administration(given_at=given_at)])
        answer = world.therapist.post(f"{world.patient.record}/dosing-sessions", dose)
        assert answer.status_code == 201, answer.text
    for days_ago, total in ((14, 20), (7, 12), (1, 8)):
        recorded_at = (now() - timedelta(days=days_ago)).isoformat()
        sent = a_check_in(answers=phq_9(total), recorded_at=recorded_at)
        assert world.patient.post("/v1/patients/me/check-ins", sent).status_code == 201
    return world


def report(world: World, query: str = "") -> dict[str, Any]:
    answer = world.therapist.get(f"{world.patient.record}/report{query}")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def page(world: World, query: str = "") -> str:
    answer = world.therapist.get(f"{world.patient.record}/report{query}", headers=HTML)
    assert answer.status_code == 200, answer.text
    text: str = answer.text
    return text


@pytest.fixture
def without_renderer(client: TestClient) -> Iterator[None]:
    """Every picture fails."""
    desk = client.app.state.desk  # type: ignore[attr-defined]
    usual = desk.renderer
    with ExitStack() as stack:
        stack.callback(object.__setattr__, desk, "renderer", usual)
        object.__setattr__(desk, "renderer", Renderer(Limits(waiting=0), Path("nowhere.py")))
        yield


class TestNumbers:
    def test_it_has_the_trajectory_the_doses_and_the_outcomes(self, treated: World) -> None:
        told = report(treated)

        path = f"{treated.patient.record}/trajectories/phq-9"
        read = TrajectoryOut.model_validate(treated.therapist.get(path).json())
        assert TrajectoryOut.model_validate(told["trajectory"]) == read
        assert [one["number"] for one in told["doses"]] == [1, 2]
        assert {one["drug"] for one in told["doses"]} == {an_administration()["drug"]}
        values = {one["key"]: one["value"] for one in told["outcomes"]}
        assert values["change"] == "-12 points (-60 %), improved"
        assert (values["reliable"], values["response"], values["remission"]) == ("yes", "yes", "no")
        assert values["recall"] == "2"
        assert all(one["definition"] for one in told["outcomes"])
        assert "no proof" in told["limits"]

    def test_it_tells_the_course_and_what_each_dose_did(self, treated: World) -> None:
        told = report(treated)

        values = {one["key"]: one["value"] for one in told["outcomes"]}
        definitions = {one["key"]: one["definition"] for one in told["outcomes"]}
        assert values["partial-response"] == "no"
        assert values["reliable-recovery"] == "yes"
        assert values["response-course"].startswith("responding; first on ")
        assert values["response-course"].endswith(", day 11")
        assert "those answers also speak of before it" in definitions["response-course"]
        assert values["sudden-changes"] == "not assessable"
        # The first has no score before the next; the second is followed up to the last.
        assert [one["wear_off"]["why"] for one in told["doses"]] == ["no-score", "last-score"]
        assert values["wear-off"] == "not seen to its end (1 dose); nothing to see (1 dose)"
        assert "last 1 days ago" in values["completeness"]
        assert told["asked"]["instrument"] == "phq-9"
        shown = page(treated)
        assert "nothing known after the best score" in shown
        assert "no score" in shown

    def test_unless_named_it_is_about_what_they_are_followed_by(self, world: World) -> None:
        assert report(world)["trajectory"]["instrument"] == "phq-9"
        for instrument, answers in (("pcl-5", [2] * 20), ("gad-7", [1] * 7)):
            sent = a_check_in(instrument=instrument, answers=answers)
            assert world.patient.post("/v1/patients/me/check-ins", sent).status_code == 201
        incomplete = a_check_in(answers=[None, *phq_9(10)[1:]])
        assert world.patient.post("/v1/patients/me/check-ins", incomplete).status_code == 201

        told = report(world)

        assert told["trajectory"]["instrument"] == "gad-7"
        # What is not published for it is not there.
        keys = {one["key"] for one in told["outcomes"]}
        assert {"reliable", "reliable-recovery"} <= keys
        assert keys & {"response", "remission", "response-course"} == set()

    def test_points_and_per_cent_have_one_sign(self, treated: World) -> None:
        told = report(treated)

        latest = told["trajectory"]["latest"]
        [said] = [one["value"] for one in told["outcomes"] if one["key"] == "change"]
        assert latest["change"] < 0
        assert latest["percent_change"] < 0
        percent = f"{latest['percent_change']:+g}"
        assert said == f"{latest['change']:+g} points ({percent} %), improved"

    def test_it_says_who_made_it(self, treated: World) -> None:
        theirs, own = report(treated)["made_by"], treated.patient.get("/v1/patients/me/report")

        assert theirs["role"] == "clinician"
        assert theirs["name"] == treated.therapist.get("/v1/me").json()["name"]
        assert own.json()["made_by"]["role"] == "patient"
        assert own.json()["made_by"]["name"] == own.json()["patient_name"]

    def test_it_is_in_the_access_log(self, treated: World, behind: Behind) -> None:
        before = len(behind.accesses(treated.here.id))

        report(treated)

        ((member, patient, what),) = behind.accesses(treated.here.id)[before:]
        assert (member, patient) == (treated.therapist.membership_id, treated.patient.patient_id)
        assert what == "report.read"

    def test_of_nothing_there_are_no_outcomes(self, world: World) -> None:
        told = report(world)

        assert (told["outcomes"], told["doses"]) == ([], [])

    def test_a_scale_without_published_numbers_has_fewer_outcomes(self, world: World) -> None:
        sent = a_check_in(instrument="momentary", answers=[4, 8, 5, 0, 5])
        assert world.patient.post("/v1/patients/me/check-ins", sent).status_code == 201

        told = report(world, "?instrument=momentary&item=mood")

        assert [one["key"] for one in told["outcomes"]] == ["change", "completeness"]

    def test_a_baseline_too_mild_to_respond_from_is_not_assessable(self, world: World) -> None:
        for total in (6, 2):
            sent = a_check_in(answers=phq_9(total))
            assert world.patient.post("/v1/patients/me/check-ins", sent).status_code == 201

        values = {one["key"]: one["value"] for one in report(world)["outcomes"]}

        assert values["response"] == values["remission"] == "not assessable"

    def test_answers_in_words_have_no_outcomes(self, treated: World) -> None:
        answer = treated.patient.get("/v1/patients/me/report?item=item-9")

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "query:item"

    def test_it_is_to_be_had_as_a_page_or_as_numbers(self, treated: World) -> None:
        answer = treated.patient.get("/v1/patients/me/report", headers={"Accept": "image/png"})

        assert answer.status_code == 406

    def test_what_is_not_yours_is_not_found(self, treated: World) -> None:
        assert treated.here.stranger.get(f"{treated.patient.record}/report").status_code == 404


class TestPage:
    def test_it_holds_the_chart_and_needs_nothing_else(self, treated: World) -> None:
        answer = treated.therapist.get(f"{treated.patient.record}/report", headers=HTML)

        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["vary"] == "Accept"
        assert "<svg " in answer.text
        assert "<script" not in answer.text
        assert re.findall(r"""(?:src|href)=["'](?!#)""", answer.text) == []

    def test_it_says_everything_that_the_numbers_say(self, treated: World) -> None:
        told, shown = report(treated), page(treated)

        assert told["patient_name"] in shown
        assert told["made_by"]["name"] in shown
        assert told["limits"].partition(":")[0].replace("'", "&#39;") in shown
        for one in told["outcomes"]:
            assert one["label"] in shown
            assert one["value"] in shown
        assert "Our convention." in shown

    def test_without_a_picture_it_has_the_table(
        self, treated: World, without_renderer: None
    ) -> None:
        shown = page(treated)

        assert "<svg" not in shown
        assert "20 (baseline)" in shown
        assert "could not be drawn" in shown

    def test_many_scores_and_doses_stay_one_page_and_say_what_is_left_out(
        self, world: World, without_renderer: None
    ) -> None:
        for days_ago in range(20, 0, -1):
            recorded_at = (now() - timedelta(days=days_ago)).isoformat()
            sent = a_check_in(answers=phq_9(10), recorded_at=recorded_at)
            world.patient.post("/v1/patients/me/check-ins", sent)
            dose = a_dosing_session(administrations=[an_administration(given_at=recorded_at)])
            world.therapist.post(f"{world.patient.record}/dosing-sessions", dose)

        shown = page(world)

        assert "10 earlier not shown." in shown
        assert "12 earlier not shown." in shown
        assert len(report(world)["doses"]) == 20

    def test_of_nothing_it_says_so(self, world: World) -> None:
        shown = page(world)

        assert "nothing to measure" in shown
        assert "No dose was recorded." in shown

    def test_what_people_typed_stays_text(self, treated: World) -> None:
        name = '<img src=x onerror="alert(1)">'
        version = treated.patient.get("/v1/me").json()["version"]
        changed = treated.patient.request(
            "PATCH", "/v1/me", json={"name": name}, headers={"If-Match": f'"{version}"'}
        )
        assert changed.status_code == 200, changed.text

        shown = page(treated)

        assert "<img" not in shown
        assert "&lt;img" in shown
