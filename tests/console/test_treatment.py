"""Recording, correcting and withdrawing a visit from its pages."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from app.console import forms
from app.console.treatment import acts
from app.kernel.db import Direct
from tests.builders import World, a_clinic, a_dosing_session, an_administration, now
from tests.console.browser import Browser, at_work, value_of, wrong


@pytest.fixture
def browser(world: World, direct: Direct) -> Browser:
    return at_work(direct, world.therapist, now())


@pytest.fixture
def path(world: World) -> str:
    return f"/console/patients/{world.patient.patient_id}/treatment"


def typed(**changes: str) -> dict[str, Any]:
    """Forty milligrams into the muscle, an hour ago, as the form has it (the clinic is on UTC)."""
    given_at = (now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    return {
        "id": str(uuid4()),
        "status": "completed",
        "drug0": "ketamine",
        "route0": "im",
        "dose_mg0": "40",
        "given_at0": given_at,
    } | changes


def visits(world: World) -> list[dict[str, Any]]:
    """As the API tells them."""
    path = f"/v1/patients/{world.patient.patient_id}/dosing-sessions"
    found: list[dict[str, Any]] = world.therapist.get(path).json()["dosing_sessions"]
    return found


class TestRecording:
    def test_a_visit_is_recorded_and_a_second_sending_makes_no_second_one(
        self, browser: Browser, world: World, path: str
    ) -> None:
        form = typed()

        answers = [browser.submit(path, **form) for _ in range(2)]

        assert [answer.headers["location"] for answer in answers] == [f"{path}?done=recorded"] * 2
        [visit] = visits(world)
        assert visit["id"] == form["id"]
        assert visit["administrations"][0]["dose_mg"] == 40
        assert "40 mg ketamine, into the muscle" in browser.get(path).text

    def test_a_visit_elsewhere_needs_a_recorder_and_a_plan_and_keeps_them(
        self, browser: Browser, world: World, path: str
    ) -> None:
        form = typed(setting="home", weight_kg="68,5")

        refused = browser.submit(path, **form)

        assert refused.status_code == 422
        assert wrong(refused.text) == [
            "Who records what happens: is required where the visit is not at the clinic.",
            "What happens in an emergency: is required where the visit is not at the clinic.",
        ]
        assert 'type="text" value="68,5"' in refused.text

        plan = {"recorded_by": "companion", "emergency_plan": "Jo calls 112."}
        assert browser.submit(path, **form, **plan).status_code == 303
        [visit] = visits(world)
        assert (visit["setting"], visit["recorded_by"]) == ("home", "companion")
        assert (visit["emergency_plan"], visit["weight_kg"]) == ("Jo calls 112.", 68.5)
        page = browser.get(f"{path}/{visit['id']}").text
        assert 'type="text" value="68.5"' in page
        assert "Jo calls 112.</textarea>" in page

    @pytest.mark.parametrize("weight", ["much", "0", "5000"])
    def test_a_weight_that_cannot_be_is_said_at_its_field(
        self, browser: Browser, world: World, path: str, weight: str
    ) -> None:
        answer = browser.submit(path, **typed(weight_kg=weight))

        assert answer.status_code == 422
        assert wrong(answer.text)[0].startswith("Weight in kg: ")
        assert visits(world) == []

    def test_several_administrations_are_one_visit(
        self, browser: Browser, world: World, path: str
    ) -> None:
        form = typed(
            drug1="Ketamine", route1="im", dose_mg1="12,5", given_at1=now().isoformat()[:16]
        )

        browser.submit(path, **form)

        [visit] = visits(world)
        assert [one["dose_mg"] for one in visit["administrations"]] == [40, 12.5]

    def test_a_dose_is_shown_as_it_was_given_to_the_thousandth(
        self, browser: Browser, world: World, path: str
    ) -> None:
        form = typed(drug0="clonidine", route0="oral", dose_mg0="0.075")

        browser.submit(path, **form)

        [visit] = visits(world)
        assert visit["administrations"][0]["dose_mg"] == 0.075
        one = browser.get(f"{path}/{visit['id']}").text
        assert field_of("dose_mg0", one) == "0.075"
        for page in (one, browser.get(path).text, browser.get(path.rpartition("/")[0]).text):
            assert "0.075 mg clonidine" in page

    def test_what_the_page_refuses_because_another_visit_goes_on_is_not_stored(
        self, browser: Browser, world: World, path: str
    ) -> None:
        going_on = typed(status="in-progress")
        browser.submit(path, **going_on)

        refused = browser.submit(path, **typed(status="in-progress"))

        assert refused.status_code == 422
        assert [one["id"] for one in visits(world)] == [going_on["id"]]

    def test_a_visit_is_planned(self, browser: Browser, world: World, path: str) -> None:
        later = (now() + timedelta(days=7)).isoformat()[:16]

        browser.submit(path, id=str(uuid4()), status="preparation", started_at=later)

        assert [one["status"] for one in visits(world)] == ["preparation"]

    @pytest.mark.parametrize(
        ("changes", "sentences"),
        [
            *(
                ({"dose_mg0": dose}, [f"Dose in mg: {acts.NO_NUMBER}."])
                for dose in ("much", "", "nan", "1e999", "7_5", "1,000", "٣٥", "1.0.0")
            ),
            ({"dose_mg0": "0"}, ["Dose in mg: is too small."]),
            (
                {"drug1": "midazolam"},
                [f"Dose in mg (2): {acts.NO_NUMBER}.", "Given at (2): is required."],
            ),
            ({"given_at0": "2026-03-01"}, ["Given at: is not a date and a time."]),
            ({"given_at0": ""}, ["Given at: is required."]),
            ({"given_at0": "yesterday"}, ["Given at: is not a date and a time."]),
            ({"given_at0": "2999-01-01T10:00"}, ["Given at: must lie in the years 2000 to 2099."]),
            ({"drug0": "¿?"}, ["Drug: does not have the expected form."]),
            ({"route0": "ear"}, ["Route: is not one of the known values."]),
            (
                {"status": "forgotten"},
                ["What became of the visit: is not one of the known values."],
            ),
            (
                {"dose_mg0": "", "given_at0": ""},
                ["Dose in mg: must name what was given; a visit without is not-done."],
            ),
            (
                {"ended_at": "2020-01-01T10:00"},
                ["Given at: must not be after the end."],
            ),
        ],
    )
    def test_what_cannot_be_is_said_at_its_field_and_everything_typed_is_kept(
        self,
        browser: Browser,
        world: World,
        path: str,
        changes: dict[str, str],
        sentences: list[str],
    ) -> None:
        form = typed(**changes)

        answer = browser.submit(path, **form)

        assert answer.status_code == 422
        assert wrong(answer.text) == sentences
        assert f'value="{form["drug0"]}"' in answer.text
        assert value_of("id", answer.text) == form["id"]
        assert visits(world) == []

    def test_a_fault_in_the_second_row_is_said_there(self, browser: Browser, path: str) -> None:
        later = (now() + timedelta(days=3)).isoformat()[:16]

        form = typed(drug2="ketamine", route2="im", dose_mg2="10", given_at2=later)
        answer = browser.submit(path, **form)

        assert wrong(answer.text) == ["Given at (3): has not come yet."]
        assert '<a href="#dose-given_at2">' in answer.text

    def test_whoever_only_treats_with_words_records_none(
        self, world: World, direct: Direct, path: str
    ) -> None:
        boss = at_work(direct, world.administrator, now())
        member = f"/console/people/members/{world.therapist.membership_id}"
        boss.submit(member, act="privileges", privileges=["therapy"], version="1")
        browser = at_work(direct, world.therapist, now())

        assert "Record a visit" not in browser.get(path).text
        assert browser.submit(path, **typed()).status_code == 403


class TestChanging:
    @pytest.fixture
    def visit(self, world: World, path: str) -> str:
        """The page of a visit."""
        given = an_administration(given_at=(now() - timedelta(hours=1)).isoformat())
        made = world.therapist.post(
            f"/v1/patients/{world.patient.patient_id}/dosing-sessions",
            a_dosing_session(administrations=[given]),
        )
        return f"{path}/{made.json()['id']}"

    def filled_in(self, browser: Browser, visit: str) -> dict[str, str]:
        """What the form on the page has."""
        page = browser.get(visit).text
        fields = ("version", "drug0", "dose_mg0", "given_at0", "started_at", "ended_at")
        return {
            "act": "amend",
            "status": "completed",
            "route0": "im",
            **{name: field_of(name, page) for name in fields},
        }

    def test_a_corrected_dose_leaves_its_time_to_the_second_as_it_was(
        self, browser: Browser, world: World, visit: str
    ) -> None:
        [before] = visits(world)

        answer = browser.submit(visit, **{**self.filled_in(browser, visit), "dose_mg0": "45"})

        assert answer.status_code == 303
        [after] = visits(world)
        assert after["version"] == 2
        assert after["administrations"][0] == before["administrations"][0] | {"dose_mg": 45}
        assert "Version 1" in browser.get(visit).text

    def test_two_times_of_one_minute_stay_two(
        self, browser: Browser, world: World, path: str
    ) -> None:
        at = (now() - timedelta(hours=2)).replace(second=0, microsecond=0)
        given = [
            an_administration(given_at=(at + timedelta(seconds=after)).isoformat())
            for after in (10, 50)
        ]
        session = a_dosing_session(started_at=at.isoformat(), administrations=given)
        record = f"/v1/patients/{world.patient.patient_id}/dosing-sessions"
        visit = f"{path}/{world.therapist.post(record, session).json()['id']}"
        [before] = visits(world)
        page = browser.get(visit).text
        rows = {
            name: field_of(name, page)
            for row in "01"
            for name in (f"drug{row}", f"dose_mg{row}", f"given_at{row}")
        }
        form = {**self.filled_in(browser, visit), **rows, "route1": "im"}

        answer = browser.submit(visit, **{**form, "dose_mg1": "15"})

        assert answer.status_code == 303
        [after] = visits(world)
        assert after["started_at"] == before["started_at"]
        assert [one["given_at"] for one in after["administrations"]] == [
            one["given_at"] for one in before["administrations"]
        ]

    def test_somebody_else_s_change_came_first_and_nothing_typed_is_lost(
        self, browser: Browser, world: World, visit: str
    ) -> None:
        form = self.filled_in(browser, visit)
        browser.submit(visit, **{**form, "dose_mg0": "45"})

        answer = browser.submit(visit, **{**form, "dose_mg0": "50"})

        assert answer.status_code == 412
        assert "Somebody changed this since you opened it" in answer.text
        assert "45 mg" in answer.text
        assert field_of("dose_mg0", answer.text) == "50"
        again = {**form, "dose_mg0": "50", "version": field_of("version", answer.text)}
        assert browser.submit(visit, **again).status_code == 303
        assert visits(world)[0]["administrations"][0]["dose_mg"] == 50

    def test_it_is_withdrawn_and_stays_readable(
        self, browser: Browser, world: World, visit: str
    ) -> None:
        answer = browser.submit(visit, act="withdraw", version="1")

        assert answer.headers["location"].endswith("?done=withdrawn")
        assert visits(world) == []
        page = browser.get(visit).text
        assert "Entered in error" in page
        assert "Correct it" not in page

    @pytest.mark.parametrize("version", ["", "x", "²", "-1", "9" * 30])
    def test_what_is_no_version_is_none(
        self, browser: Browser, world: World, visit: str, version: str
    ) -> None:
        answer = browser.submit(visit, act="withdraw", version=version)

        assert answer.status_code == 412
        assert [one["version"] for one in visits(world)] == [1]


def field_of(name: str, page: str) -> str:
    """What a field has, whatever stands around it."""
    for part in page.split("<input ")[1:]:
        tag = part.partition(">")[0]
        if f'name="{name}"' in tag:
            return tag.partition('value="')[2].partition('"')[0]
    raise AssertionError(name)


class TestClocks:
    def test_a_time_is_on_the_clinic_s_clock(self, client: TestClient, direct: Direct) -> None:
        clinic = a_clinic(client, direct, country="DE", time_zone="Europe/Berlin")
        browser = at_work(direct, clinic.therapist, now())
        path = f"/console/patients/{clinic.patient.patient_id}/treatment"

        browser.submit(path, **typed(given_at0="2026-01-15T10:00"))

        told = clinic.therapist.get(
            f"/v1/patients/{clinic.patient.patient_id}/dosing-sessions"
        ).json()["dosing_sessions"]
        assert datetime.fromisoformat(told[0]["effective_at"]) == datetime(
            2026, 1, 15, 9, tzinfo=UTC
        )
        assert "Thu 15 Jan 2026, 10:00" in browser.get(path).text

    def test_an_hour_that_the_clocks_skipped_is_refused_and_one_they_repeat_is_the_first(
        self,
    ) -> None:
        with pytest.raises(ValueError, match="skipped"):
            forms.instant("2026-03-29T02:30", "Europe/Berlin")

        assert forms.instant("2026-10-25T02:30", "Europe/Berlin").endswith("+02:00")
