"""A visit from its plan to the way home, as whoever is in the room takes it down."""

from datetime import timedelta
from typing import Final

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Device, Open, Tab
from tests.builders import Clinic, now

REFUSED: Final = "Failed to load resource: the server responded with a status of 4"
"""What a console says of a form that comes back."""


def read(tab: Tab, **values: str) -> None:
    """Type one reading and send it."""
    form = tab.page.locator("form", has=tab.page.get_by_role("button", name="Record the reading"))
    for name, value in values.items():
        form.locator(f"[name={name}]").fill(value)
    form.get_by_role("button").click()
    tab.settle()


@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_a_visit_is_taken_down_from_its_plan_to_the_way_home(
    open_tab: Open, clinic: Clinic, device: Device
) -> None:
    tab = open_tab(clinic.therapist, device=device)
    page = tab.page
    tab.expected.append(REFUSED)
    ago = (now() - timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M")

    # Planned, and prepared for: a pressure that was ticked has to be measured.
    tab.go(f"/console/patients/{clinic.patient.patient_id}/treatment")
    page.get_by_label("What became of the visit").select_option("preparation")
    page.get_by_label("Begin of the visit").fill(ago)
    page.get_by_role("button", name="Record the visit").click()
    page.get_by_role("table").get_by_role("link").click()
    page.locator("#check-answer-blood-pressure").select_option("yes")
    page.get_by_role("button", name="Record the check").click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("is required where blood pressure")
    page.locator("#check-systolic").fill("124")
    page.locator("#check-diastolic").fill("80")
    page.get_by_role("button", name="Record the check").click()
    expect(page.get_by_text("124/80 mm Hg")).to_be_visible()

    # Given, and watched over: the chart grows, and a threshold asks for a look.
    page.locator("#visit-status").select_option("in-progress")
    page.locator("#visit-drug0").fill("ketamine")
    page.locator("#visit-route0").select_option("im")
    page.locator("#visit-dose_mg0").fill("40")
    page.locator("#visit-given_at0").fill(ago)
    page.get_by_role("button", name="Save the correction").click()
    expect(page.get_by_text("In progress, dose 1")).to_be_visible()
    read(tab, systolic="126", diastolic="81", spo2="98", dissociation="3")
    expect(page.locator("figure .chart")).to_be_visible()
    read(tab, systolic="190", diastolic="99", spo2="97", dissociation="1")
    expect(page.get_by_text("reached a threshold of the clinic")).to_be_visible()

    # A severe side effect flags, over every page of this patient.
    page.get_by_text("Tell of a side effect").click()
    page.locator("#effect-code").select_option("chest-pain")
    page.locator("#effect-severity [value=severe]").check()
    page.get_by_role("button", name="Record the side effect").click()
    expect(page.locator(".banner")).to_contain_text("Danger to the body")

    # Nobody goes home by forgetting a criterion.
    page.locator("summary", has_text="Let them go").click()
    page.get_by_role("button", name="Let them go").click()
    expect(page.get_by_role("alert")).to_contain_text("nobody is let go")
    for reason in page.locator("[name^=reason-]").all():
        reason.fill("Seen, and spoken with.")
    page.get_by_role("button", name="Let them go").click()
    expect(page.get_by_text("Recorded: they were let go.")).to_be_visible()
    expect(page.locator("#leaving")).to_contain_text("Overridden:")
