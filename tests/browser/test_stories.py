"""What a therapist does in a day, in a browser, on a desk and on a phone."""

import re
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import expect
from pyotp import TOTP

from app.kernel import second_factor
from app.kernel.db import Db
from app.kernel.second_factor import STAFF
from tests.browser.conftest import Device, House, Open, Tab
from tests.browser.records import filled
from tests.builders import PASSWORD, Clinic, a_check_in, now, phq_9

REFUSED: Final = "Failed to load resource: the server responded with a status of 4"
"""What a console says of a page that asks for something more."""
BOTH: Final = pytest.mark.parametrize("device", ["desktop", "phone"])


def described(tab: Tab) -> str:
    """What the drawn chart says of itself."""
    return str(tab.page.locator("figure .chart").get_attribute("aria-label"))


def inked(tab: Tab) -> bool:
    """Whether anything is on the canvas of the chart."""
    found: bool = tab.page.evaluate(
        """() => {
            const canvas = document.querySelector("figure .chart canvas");
            const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(pixels.data.buffer)).size > 8;
        }"""
    )
    return found


class TestTheWatch:
    """A guard that sees nothing would pass everything."""

    def test_it_sees_errors_violations_and_requests_to_others(self, open_tab: Open) -> None:
        tab = open_tab()
        tab.go("/console/sign-in")
        assert tab.wrong == []

        tab.page.evaluate("console.error('on purpose')")
        tab.page.evaluate("document.body.append(Object.assign(new Image(), {src: '//x.invalid/'}))")
        tab.page.evaluate("document.body.setAttribute('style', 'color: red')")
        tab.page.wait_for_timeout(200)

        seen = "\n".join(tab.wrong)
        tab.wrong.clear()
        assert "on purpose" in seen
        assert "img-src" in seen
        assert "style-src" in seen


@BOTH
class TestSigningIn:
    def test_a_second_factor_is_set_up_first_and_asked_for_from_then_on(
        self, open_tab: Open, house: House, clinic: Clinic, device: Device
    ) -> None:
        def require(db: Db) -> None:
            db.enter(clinic.id)
            second_factor.require(db, STAFF, now())

        house.direct.run(require)
        tab = open_tab(device=device)
        tab.expected.append(REFUSED)
        page = tab.page

        tab.go("/console/caseload")
        page.get_by_label("Name").fill(clinic.therapist.username)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("requires a second factor of you")).to_be_visible()
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Set it up").click()
        expect(page.get_by_role("img", name="QR code")).to_be_visible()
        assert tab.violations() == ""
        secret = str(page.locator(".secret").text_content())
        page.get_by_role("textbox", name="Code").fill(TOTP(secret).at(now()))
        page.get_by_role("button", name="Confirm").click()
        expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
        assert tab.violations() == ""
        assert tab.overflow() <= 0
        codes = page.locator(".codes code").all_text_contents()
        page.get_by_role("link", name="I have kept them").click()
        expect(page.get_by_role("heading", name="Caseload")).to_be_visible()

        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("Name").fill(clinic.therapist.username)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_label("One-time code")).to_be_visible()
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_label("One-time code").fill(codes[0])
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Caseload")).to_be_visible()


@BOTH
class TestADay:
    def test_a_flag_appears_by_itself_and_is_answered(
        self, open_tab: Open, clinic: Clinic, device: Device
    ) -> None:
        tab = open_tab(clinic.therapist, device=device)
        page = tab.page
        tab.go("/console/flags")
        expect(page.get_by_text("Live. Changes appear here by themselves.")).to_be_visible()
        assert page.get_by_role("button", name="I am seeing to this").count() == 0

        sent = a_check_in(answers=phq_9(13, item_nine=3))
        assert clinic.patient.post("/v1/patients/me/check-ins", sent).status_code == 201

        expect(page.get_by_text("Nobody has answered.")).to_be_visible()
        expect(page).to_have_title(re.compile(r"^\(1\) "))
        page.get_by_role("button", name="I am seeing to this").click()
        expect(
            page.get_by_role("status").get_by_text("You are seeing to this flag")
        ).to_be_visible()
        assert tab.violations() == ""
        path = f"/v1/patients/{clinic.patient.patient_id}/flags"
        [flag] = clinic.therapist.get(path).json()["flags"]
        assert flag["status"] == "acknowledged"

    def test_a_dose_is_added_and_the_chart_moves(
        self, open_tab: Open, clinic: Clinic, device: Device
    ) -> None:
        patient = filled(clinic, is_in_danger=False)
        tab = open_tab(clinic.therapist, device=device)
        page = tab.page
        tab.go(f"{patient}/trajectories?scale=phq-9")
        before = described(tab)
        assert inked(tab)

        tab.go(f"{patient}/treatment")
        page.get_by_label("Drug").first.fill("ketamine")
        page.get_by_label("Dose in mg").first.fill("50")
        page.get_by_label("Given at").first.fill(now().strftime("%Y-%m-%dT%H:%M"))
        page.get_by_role("button", name="Record the visit").click()
        expect(page.get_by_text("The visit was recorded.")).to_be_visible()
        tab.go(f"{patient}/trajectories?scale=phq-9")

        assert "3 doses" in before
        assert "4 doses" in described(tab)
        assert inked(tab)
        page.get_by_role("link", name="From each dose").click()
        tab.settle()
        expect(page.get_by_role("heading", name="After each dose")).to_be_visible()
        assert inked(tab)

    def test_the_report_is_one_page_of_paper(
        self, open_tab: Open, clinic: Clinic, device: Device, tmp_path: Path
    ) -> None:
        patient = filled(clinic)
        tab = open_tab(clinic.therapist, device=device)
        tab.go(f"{patient}/trajectories?scale=phq-9")

        tab.page.get_by_role("link", name="Report to print").click()
        tab.page.wait_for_url(re.compile(r"/report\?scale=phq-9$"))

        expect(tab.page.get_by_role("heading", name="Outcomes")).to_be_visible()
        assert tab.page.locator("svg").count() == 1
        for paper in ("A4", "Letter"):
            printed = tab.page.pdf(format=paper, path=tmp_path / "report.pdf")
            assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1

    def test_a_patient_is_found_by_name_and_the_name_is_in_no_address(
        self, open_tab: Open, clinic: Clinic, device: Device
    ) -> None:
        tab = open_tab(clinic.therapist, device=device)
        tab.go("/console/caseload")

        tab.page.get_by_role("searchbox", name="Name").fill("PATI")
        tab.page.get_by_role("button", name="Search").click()

        expect(tab.page.get_by_role("link", name="A patient")).to_be_visible()
        assert not any("PATI" in one.url for one in tab.sent)
        assert tab.page.url.endswith("/console/caseload")
