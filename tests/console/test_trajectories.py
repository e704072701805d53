"""Charts, the views of a trajectory, the report, the caseload and the outcomes on their pages."""

import html
import json
import re
from typing import Any

import pytest

from app.kernel.db import Direct
from app.trends import forms
from tests.browser.records import DOSES, filled
from tests.builders import World, now
from tests.cohort import Cohort
from tests.conftest import Behind
from tests.console.browser import Browser, at_work, heading
from tests.contract.stage import link

SPECIFICATION = forms.VEGA_LITE_6


@pytest.fixture
def browser(world: World, direct: Direct) -> Browser:
    return at_work(direct, world.therapist, now())


@pytest.fixture
def record(world: World) -> str:
    return filled(world.here)


def specification(browser: Browser, address: str) -> dict[str, Any]:
    """As the script of a page asks for it."""
    answer = browser.get(address, Accept=SPECIFICATION)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == SPECIFICATION
    found: dict[str, Any] = answer.json()
    return found


def marks(of: Any) -> set[str]:
    """Every kind of mark in a specification."""
    if isinstance(of, list):
        return {kind for one in of for kind in marks(one)}
    if not isinstance(of, dict):
        return set()
    own = of.get("mark")
    named = {own["type"] if isinstance(own, dict) else own} if own else set()
    return named | {kind for one in of.values() for kind in marks(one)}


class TestCharts:
    def test_the_specification_is_the_one_of_the_api(
        self, browser: Browser, record: str, world: World
    ) -> None:
        path = f"/v1/patients/{world.patient.patient_id}/trajectories/phq-9"
        told = world.therapist.get(path, headers={"Accept": SPECIFICATION})

        ours = specification(browser, f"{record}/trajectories/phq-9/chart")

        assert ours == told.json()

    @pytest.mark.parametrize(
        "address",
        [
            "/trajectories/phq-9/chart",
            "/trajectories/phq-9/chart?view=doses&theme=dark&width=300",
            "/together/chart",
            "/ideation/chart",
        ],
    )
    def test_an_image_in_a_page_gets_a_picture_of_it(
        self, browser: Browser, record: str, address: str
    ) -> None:
        accept = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"

        answer = browser.get(record + address, Accept=accept)

        assert answer.headers["content-type"] == "image/svg+xml"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.content.startswith(b"<svg")

    def test_ideation_is_never_a_line(self, browser: Browser, record: str) -> None:
        total = specification(browser, f"{record}/trajectories/phq-9/chart")

        assert "line" in marks(total)
        for address in ("/trajectories/phq-9/chart?item=item-9", "/ideation/chart"):
            assert marks(specification(browser, record + address)) & {"line", "area"} == set()

    def test_another_s_is_missing_and_whoever_is_signed_off_is_told_so(
        self, browser: Browser, record: str, world: World
    ) -> None:
        other = f"/console/patients/{world.here.other_patient.patient_id}"

        theirs = browser.get(f"{other}/trajectories/phq-9/chart", Accept=SPECIFICATION)
        nobody = Browser(browser.client).get(
            f"{record}/trajectories/phq-9/chart", Accept=SPECIFICATION
        )

        assert theirs.status_code == 404
        assert nobody.status_code == 401

    def test_every_look_is_in_the_access_log(
        self, browser: Browser, record: str, world: World, behind: Behind
    ) -> None:
        before = len(behind.accesses(world.here.id))

        specification(browser, f"{record}/ideation/chart")

        [look] = behind.accesses(world.here.id)[before:]
        assert look == (
            world.therapist.membership_id,
            world.patient.patient_id,
            "trajectories.read",
        )


class TestViews:
    def test_what_somebody_is_followed_by_comes_first(self, browser: Browser, record: str) -> None:
        page = browser.get(f"{record}/trajectories").text

        assert "Patient Health Questionnaire-9" in page.partition('id="scale-title"')[2][:80]
        assert f'data-chart="{record}/trajectories/phq-9/chart?view=time"' in page

    def test_from_each_dose_it_says_what_each_did(self, browser: Browser, record: str) -> None:
        page = browser.get(f"{record}/trajectories?scale=phq-9&view=doses").text

        assert "After each dose" in page
        assert "looks back too far" in page
        assert f"{record}/trajectories/phq-9/chart?view=doses" in page

    def test_ideation_is_not_laid_over_doses(self, browser: Browser, record: str) -> None:
        page = browser.get(f"{record}/trajectories?scale=phq-9:item-9&view=doses").text

        assert "After each dose" not in page
        assert "view=time" in page

    def test_together_says_what_happened_and_what_is_missing(
        self, browser: Browser, record: str
    ) -> None:
        page = browser.get(f"{record}/together").text

        assert "3 doses" in page
        assert "1 shared note" in page
        assert "Asked for and not answered" in page

    def test_somebody_new_has_pages_without_charts(self, browser: Browser, world: World) -> None:
        here = f"/console/patients/{world.patient.patient_id}"

        for tab in ("/trajectories", "/together", "/ideation"):
            page = browser.get(here + tab)
            assert page.status_code == 200
            assert "data-chart" not in page.text

    def test_the_report_is_of_what_is_looked_at_and_runs_nothing(
        self, browser: Browser, record: str
    ) -> None:
        answer = browser.get(f"{record}/report?scale=gad-7")

        assert answer.status_code == 200
        assert "Generalized Anxiety Disorder-7" in answer.text
        assert "script-src" not in answer.headers["content-security-policy"]
        assert answer.headers["refresh"].startswith("905; url=/console/sign-in?next=")
        assert browser.get(f"{record}/report?scale=phq-9:item-9").status_code == 422


class TestCaseload:
    def test_it_says_why_and_what_else_and_how_they_have_been(
        self, browser: Browser, record: str
    ) -> None:
        page = browser.get("/console/caseload").text

        assert "Suicide risk" in page
        assert "Also: " in page
        assert "The rule is our convention" in page

    def test_the_order_and_the_filters_are_those_of_the_api(
        self, browser: Browser, record: str, world: World, direct: Direct
    ) -> None:
        link(direct, world.here, world.here.other_patient, world.therapist)
        told = world.therapist.get("/v1/caseload").json()["patients"]

        page = browser.get("/console/caseload").text
        shown = re.findall(r'<h2><a href="/console/patients/([0-9a-f-]{36})"', page)

        assert len(shown) == 2
        assert shown == [one["patient_id"] for one in told]
        assert record in browser.get("/console/caseload?only=flagged").text
        assert record not in browser.get("/console/caseload?only=silent").text
        assert browser.get("/console/caseload?only=other").status_code == 422

    def test_a_name_is_looked_for_by_a_form_and_is_in_no_address(
        self, browser: Browser, record: str
    ) -> None:
        found = browser.submit("/console/caseload", name="PATI")
        nobody = browser.submit("/console/caseload", name="nobody of that name")

        assert record in found.text
        assert 'value="PATI"' in found.text
        assert "PATI" not in str(found.headers)
        assert not re.search(r'(?:href|src|action)="[^"]*PATI', found.text)
        assert record not in nobody.text
        assert "Nobody in your care has this in their name" in nobody.text

    def test_each_case_has_a_line_with_its_doses_and_says_the_same_in_words(
        self, browser: Browser, record: str
    ) -> None:
        page = browser.get("/console/caseload").text

        (drawn,) = re.findall(r'<svg class="spark".*?</svg>', page, re.DOTALL)
        assert drawn.count('<polyline class="line"') == 1
        assert drawn.count('class="dose"') == len(DOSES)
        said = "PHQ-9, oldest first: 21, 20, 12, 9, 11, 7, 8, 13; 3 doses since the first of these"
        assert f'aria-label="{said}"' in drawn
        # Colours are the page's own, by day and by night.
        assert not re.search(r"(?:fill|stroke|style)=", drawn)

    def test_a_name_that_is_too_long_is_refused_at_its_field(self, browser: Browser) -> None:
        answer = browser.submit("/console/caseload", name="x" * 201)

        assert answer.status_code == 422
        assert 'aria-invalid="true"' in answer.text


def figures(page: str) -> list[str]:
    """Where the charts of a page are."""
    return [html.unescape(one) for one in re.findall(r'<figure data-chart="([^"]+)"', page)]


class TestOutcomes:
    @pytest.fixture
    def many(self, world: World, behind: Behind) -> None:
        Cohort(world.here.id, behind).a_year()

    def test_of_many_shares_and_both_curves_are_drawn_with_their_numbers(
        self, browser: Browser, world: World, many: None
    ) -> None:
        page = browser.get("/console/outcomes").text

        views = ["visits", "time-to-response", "time-to-loss"]
        assert [one.partition("view=")[2] for one in figures(page)] == views
        for address, view in zip(figures(page), views, strict=True):
            told = world.therapist.get(
                f"/v1/outcomes?view={view}", headers={"Accept": SPECIFICATION}
            )
            assert specification(browser, address) == told.json()
        told = world.therapist.get("/v1/outcomes").json()["time_to_response"][0]
        assert len(told["steps"]) > 3
        for step in told["steps"]:
            assert re.search(
                rf'<tr><th scope="row">{step["day"]}( <span[^<]*</span>)?</th>.*?'
                rf'<td class="num">{step["happened"]}</td>'
                rf'<td class="num">{step["censored"]}</td><td class="num">{step["at_risk"]}</td>',
                page,
            )

    def test_a_share_says_of_how_many_and_how_surely(
        self, browser: Browser, world: World, many: None
    ) -> None:
        page = re.sub("<[^>]+>", "", browser.get("/console/outcomes").text)

        visits = world.therapist.get("/v1/outcomes").json()["groups"][0]["visits"]
        told = next(one for one in visits if one["response"] is not None)
        counts, interval = told["counts"], told["response_interval"]
        low, high = (round(interval[end] * 100) for end in ("low", "high"))
        assert f"{counts['responded']} of {counts['assessed']}, {low} % to {high} %" in page

    def test_that_little_is_told_of_a_small_clinic_is_explained(
        self, browser: Browser, world: World, behind: Behind
    ) -> None:
        cohort = Cohort(world.here.id, behind)
        cohort.patients(40, (-1, 20), (28, 3))
        cohort.patients(9, (-1, 20), (28, 15))

        page = browser.get("/console/outcomes").text

        assert "fewer than 11 people could be made out" in page
        assert "that takes 22 measured patients" in page

    def test_nor_is_the_median_said_to_be_where_it_may_not_be(
        self, browser: Browser, world: World, behind: Behind
    ) -> None:
        cohort = Cohort(world.here.id, behind)
        for day in (14, 28):
            cohort.patients(9, (-1, 20), (day, 8), (60, 8), dose_days_ago=90)
        cohort.patients(12, (-1, 20), (60, 15), dose_days_ago=90)

        page = browser.get("/console/outcomes").text

        assert (
            "Half or fewer are without a response by day 28 at the latest, and more than half"
            " still on day 7." in page
        )

    def test_by_stratum_the_charts_are_of_the_strata(self, browser: Browser, many: None) -> None:
        page = browser.get("/console/outcomes?stratum=country").text

        drawn = [json.dumps(specification(browser, one)) for one in figures(page)]
        assert len(drawn) == 3
        assert all('"DE"' in one and '"Everybody"' in one for one in drawn)

    def test_nothing_is_told_of_a_few(self, browser: Browser, record: str) -> None:
        page = browser.get("/console/outcomes").text

        assert heading(page) == "Outcomes"
        assert "not told" in page
        assert "data-chart" not in page

    def test_the_file_is_the_one_of_the_api(
        self, browser: Browser, record: str, world: World
    ) -> None:
        told = world.therapist.get("/v1/outcomes", headers={"Accept": "text/csv"})

        answer = browser.get("/console/outcomes/file")

        assert answer.content == told.content
        assert answer.headers["content-disposition"].startswith("attachment")

    def test_an_administrator_sees_them_and_a_coach_does_not(
        self, world: World, direct: Direct
    ) -> None:
        office = at_work(direct, world.administrator, now())

        assert office.get("/console/outcomes").status_code == 200
        assert json.loads(office.get("/console/outcomes/chart", Accept=SPECIFICATION).content)[
            "$schema"
        ].endswith("v6.json")
        coach = at_work(direct, world.here.coach, now())
        assert coach.get("/console/outcomes").status_code == 403

    def test_an_unknown_questionnaire_is_refused_on_a_page(self, browser: Browser) -> None:
        answer = browser.get("/console/outcomes?instrument=none")

        assert answer.status_code == 422
        assert answer.headers["content-type"].startswith("text/html")
