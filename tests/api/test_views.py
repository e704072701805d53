"""Every view as numbers, a chart or a picture: several series, doses, ideation, outcomes."""

import json
from datetime import timedelta
from typing import Any

import pytest

from app.trends.forms import CSV, FORMS, VEGA_LITE, VEGA_LITE_6
from tests.builders import (
    Person,
    World,
    a_check_in,
    a_dosing_session,
    a_goal,
    a_note,
    an_administration,
    now,
    phq_9,
)
from tests.cohort import Cohort
from tests.conftest import Behind

MINE = "/v1/patients/me"
OF_A_PATIENT = (
    "/trajectories",
    "/trajectories?series=phq-9/item-9",
    "/trajectories/phq-9/doses",
    "/suicidal-ideation",
)

MOMENTARY = ("momentary/mood", "momentary/anxiety", "momentary/energy", "momentary/pain")
MANY = """
    INSERT INTO check_in SELECT %s, %s, gen_random_uuid(), 1, 'final', 'momentary', '1', '1',
        '{5,5,5,5,5}', '{}', NULL, NULL, true, true, 'none', at, at, at, NULL
    FROM generate_series(1, 4000) AS number,
        LATERAL (SELECT now() - number * interval '1 hour') AS placed (at)
"""


@pytest.fixture
def followed(world: World) -> World:
    """Scores around a dose, one sign of danger, a note, a goal."""
    given_at = (now() - timedelta(days=12)).isoformat()
    dose = a_dosing_session(administrations=[an_administration(given_at=given_at)])
    world.therapist.post(f"{world.patient.record}/dosing-sessions", dose)
    for days_ago, total, item_nine in ((14, 20, 1), (11, 8, 0), (5, 16, 0), (1, 15, 0)):
        recorded_at = (now() - timedelta(days=days_ago)).isoformat()
        sent = a_check_in(answers=phq_9(total, item_nine=item_nine), recorded_at=recorded_at)
        assert world.patient.post(f"{MINE}/check-ins", sent).status_code == 201
    assert world.patient.post(f"{MINE}/notes", a_note()).status_code == 201
    assert world.patient.post(f"{MINE}/goals", a_goal()).status_code == 201
    return world


def chart(person: Person, path: str) -> dict[str, Any]:
    answer = person.get(path, headers={"Accept": VEGA_LITE})
    assert answer.status_code == 200, answer.text
    drawn: dict[str, Any] = answer.json()
    return drawn


class TestStretch:
    @pytest.mark.parametrize(
        "path",
        ["trajectories", "trajectories/phq-9", "suicidal-ideation", "thread"],
    )
    def test_one_that_ends_before_it_begins_is_refused(self, world: World, path: str) -> None:
        early, late = "2026-03-01T00:00:00Z", "2026-03-01T00:00:01+00:00"
        mine = f"/v1/patients/me/{path}"

        answer = world.patient.get(mine, params={"since": late, "until": early})

        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"] == [
            {"pointer": "query:until", "reason": "must not be before since"}
        ]
        for since, until in ((early, late), (early, early)):
            ok = world.patient.get(mine, params={"since": since, "until": until})
            assert ok.status_code == 200, ok.text


class TestForms:
    @pytest.mark.parametrize("path", OF_A_PATIENT)
    @pytest.mark.parametrize("accept", [None, VEGA_LITE, VEGA_LITE_6, *FORMS])
    def test_every_view_has_every_form(
        self, followed: World, path: str, accept: str | None
    ) -> None:
        headers = {} if accept is None else {"Accept": accept}

        answer = followed.patient.get(MINE + path, headers=headers)

        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == (accept or "application/json")
        assert answer.headers["vary"] == "Accept"
        assert answer.headers["cache-control"] == "no-store"

    @pytest.mark.parametrize("path", OF_A_PATIENT)
    def test_another_form_is_not_to_be_had(self, followed: World, path: str) -> None:
        answer = followed.patient.get(MINE + path, headers={"Accept": "text/html"})

        assert answer.status_code == 406
        assert answer.headers["vary"] == "Accept"

    @pytest.mark.parametrize("path", OF_A_PATIENT)
    def test_nothing_answered_is_a_chart_that_says_so(self, world: World, path: str) -> None:
        for accept in (VEGA_LITE, "image/svg+xml"):
            answer = world.patient.get(MINE + path, headers={"Accept": accept})

            assert answer.status_code == 200, answer.text
        assert any(
            word in chart(world.patient, MINE + path)["description"].lower()
            for word in ("nothing was answered", "never answered", "no answer", "0 scores")
        )

    def test_one_look_is_noted_whatever_the_form(self, followed: World, behind: Behind) -> None:
        before = len(behind.accesses(followed.here.id))

        path = f"{followed.patient.record}/suicidal-ideation"
        followed.therapist.get(path, headers={"Accept": "image/png"})

        assert len(behind.accesses(followed.here.id)[before:]) == 1


class TestTogether:
    def test_what_happened_is_marked_by_its_instant(self, followed: World) -> None:
        drawn = chart(followed.therapist, f"{followed.patient.record}/trajectories")

        assert "Marked: 1 flag, 1 note, 1 goal." in drawn["description"]
        told = followed.therapist.get(f"{followed.patient.record}/trajectories").json()
        (asked,) = told["asked"]["instruments"]
        assert f"4 scores · {len(asked['missed'])} not answered" in drawn["description"]

    def test_a_private_note_is_on_no_chart_of_a_clinician(self, followed: World) -> None:
        private = a_note(tier="private")
        assert followed.patient.post(f"{MINE}/notes", private).status_code == 201

        own = chart(followed.patient, f"{MINE}/trajectories")["description"]
        theirs = chart(followed.therapist, f"{followed.patient.record}/trajectories")

        assert "2 notes" in own
        assert "2 notes" not in theirs["description"]

    def test_doses_keep_their_numbers_in_a_window(self, followed: World) -> None:
        given_at = (now() - timedelta(days=4)).isoformat()
        dose = a_dosing_session(administrations=[an_administration(given_at=given_at)])
        followed.therapist.post(f"{followed.patient.record}/dosing-sessions", dose)
        since = (now() - timedelta(days=6)).strftime("%Y-%m-%dT%H:%M:%SZ")

        drawn = chart(followed.patient, f"{MINE}/trajectories?series=phq-9&since={since}")

        assert '"number": "2"' in json.dumps(drawn)

    def test_more_than_can_be_drawn_in_good_time_is_refused_and_told_in_numbers(
        self, world: World, behind: Behind
    ) -> None:
        behind.rows(MANY, world.here.id, world.patient.patient_id)
        path = f"{MINE}/trajectories?series={','.join(MOMENTARY)}"

        refused = world.patient.get(path, headers={"Accept": "image/svg+xml"})

        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "query:series"
        assert world.patient.get(path).status_code == 200
        fewer = world.patient.get(
            f"{MINE}/trajectories?series={MOMENTARY[0]}", headers={"Accept": VEGA_LITE}
        )
        assert fewer.status_code == 200


class TestDoses:
    def test_where_half_of_a_gain_was_gone_is_told(self, followed: World) -> None:
        told = followed.patient.get(f"{MINE}/trajectories/phq-9/doses").json()
        off = told["doses"][0]["wear_off"]
        assert (off["why"], off["gain"]) == ("half-gone", 12)
        days = off["best"]["hours_since_dose"] / 24 + off["days"]

        drawn = chart(followed.patient, f"{MINE}/trajectories/phq-9/doses")

        assert f"Dose 1: half of the gain gone {days:.1f} days after it." in drawn["description"]
        assert "cannot show the first hours" in drawn["description"]


class TestIdeation:
    def test_each_source_is_a_panel_with_its_question(self, followed: World) -> None:
        sent = a_check_in(instrument="c-ssrs-screener", answers=[0, 0, None, None, None, 0, None])
        switched = followed.administrator.request(
            "PUT",
            "/v1/clinic/instruments/c-ssrs-screener",
            json={"is_on": True, "accepts_notice": True},
        )
        assert switched.status_code == 200, switched.text
        assert followed.patient.post(f"{MINE}/check-ins", sent).status_code == 201

        drawn = chart(followed.patient, f"{MINE}/suicidal-ideation")

        titles = [" ".join(one["title"]["text"]) for one in drawn["vconcat"]]
        assert len(titles) == 2
        assert titles[0].startswith("PHQ-9: Thoughts that you would be better off dead")
        assert titles[1].startswith("C-SSRS-SCREENER: ")
        assert '"type": "line"' not in json.dumps(drawn)


class TestOutcomes:
    @pytest.fixture
    def cohort(self, world: World, behind: Behind) -> Cohort:
        made = Cohort(world.here.id, behind)
        made.patients(20, (-1, 20), (7, 18), (28, 8), (35, 8), dose_days_ago=60)
        made.patients(15, (-1, 20), (7, 18), (28, 15), dose_days_ago=60)
        made.patients(3, (-1, 20), (7, 18), (28, 1), country="DE", dose_days_ago=60)
        return made

    @pytest.mark.parametrize("view", ["visits", "time-to-response", "time-to-loss"])
    @pytest.mark.parametrize("accept", [VEGA_LITE, *FORMS])
    def test_every_view_has_every_form(
        self, world: World, cohort: Cohort, view: str, accept: str
    ) -> None:
        path = f"/v1/outcomes?view={view}&stratum=country"

        answer = world.therapist.get(path, headers={"Accept": accept})

        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == accept
        assert answer.headers["vary"] == "Accept"

    def test_the_chart_holds_what_is_told_and_nothing_that_is_not(
        self, world: World, cohort: Cohort
    ) -> None:
        told = world.therapist.get("/v1/outcomes").json()
        (four_weeks,) = [one for one in told["groups"][0]["visits"] if one["visit"] == "4w"]
        assert four_weeks["counts"]["assessed"] == 38

        drawn = chart(world.therapist, "/v1/outcomes")

        share = four_weeks["response"]
        assert share == round(23 / 38, 3)
        low, high = (four_weeks["response_interval"][end] for end in ("low", "high"))
        assert low < share < high
        rows = [one for one in json_parts(drawn) if one.get("visit") == "4 weeks"]
        assert {one["share"] for one in rows if one.get("people") == 38} >= {share}
        assert four_weeks["counts"]["remitted"] is None
        remission = [one for one in rows if one["outcome"].startswith("Remission")]
        assert [one["words"] for one in remission] == ["*"]

    def test_a_group_that_is_too_small_is_in_no_chart(self, world: World, cohort: Cohort) -> None:
        for view in ("visits", "time-to-response"):
            drawn = chart(world.therapist, f"/v1/outcomes?view={view}&stratum=country")

            assert '"DE"' not in json.dumps(drawn)

    def test_a_curve_is_drawn_only_through_days_that_are_told(
        self, world: World, cohort: Cohort
    ) -> None:
        told = world.therapist.get("/v1/outcomes").json()["time_to_response"][0]

        drawn = chart(world.therapist, "/v1/outcomes?view=time-to-response")

        days = {one["day"] for one in json_parts(drawn) if "stretch" in one}
        assert days == {0, *(step["day"] for step in told["steps"])}

    def test_a_table_and_nothing_else_is_to_be_had(self, world: World) -> None:
        table = world.therapist.get("/v1/outcomes", headers={"Accept": CSV})
        other = world.therapist.get("/v1/outcomes", headers={"Accept": "text/html"})

        assert table.headers["content-type"] == "text/csv; charset=utf-8"
        assert table.headers["vary"] == "Accept"
        assert other.status_code == 406


def json_parts(value: Any) -> list[dict[str, Any]]:
    """Every object inside that has a day or a visit."""
    if isinstance(value, list):
        return [one for below in value for one in json_parts(below)]
    if isinstance(value, dict):
        return [value, *(one for below in value.values() for one in json_parts(below))]
    return []


class TestWhoMaySee:
    def test_whoever_reads_no_notes_is_not_told_when_some_were_written(
        self, followed: World, behind: Behind
    ) -> None:
        path = f"{followed.patient.record}/trajectories"
        before = followed.therapist.get(path).json()["notes"]["effective_at"]
        behind.rows(
            "UPDATE membership SET privileges = %s WHERE id = %s",
            ["monitor"],
            followed.therapist.membership_id,
        )

        after = followed.therapist.get(path).json()["notes"]["effective_at"]

        assert (len(before), after) == (1, [])
