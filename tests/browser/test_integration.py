"""From insight to change, in a browser: following the thread, and what a therapist writes."""

import re
from datetime import timedelta

from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.records import filled
from tests.builders import Clinic, now


def test_a_link_in_the_thread_leads_to_what_an_entry_came_from_by_keyboard_too(
    open_tab: Open, clinic: Clinic
) -> None:
    patient = filled(clinic)
    tab = open_tab(clinic.therapist, device="phone")
    page = tab.page
    tab.go(f"{patient}/thread")

    strategy = page.locator("li.of-coping_strategy")
    strategy.get_by_role("link", name=re.compile("^practice of")).focus()
    page.keyboard.press("Enter")

    expect(page.locator("li:target")).to_contain_text("Breathe by the window.")
    expect(page.locator("li:target")).to_be_in_viewport()


def test_without_javascript_a_goal_is_rated_and_a_session_planned_attended_and_summed_up(
    open_tab: Open, clinic: Clinic
) -> None:
    patient = filled(clinic)
    tab = open_tab(clinic.therapist, has_javascript=False)
    page = tab.page

    page.goto(f"{tab.base_url}{patient}/goals")
    rated = page.locator("article", has_text="Call my sister.")
    rated.get_by_role("link", name=re.compile("^Levels, ratings")).click()
    page.get_by_label("+2: I call her twice a week.").check()
    page.get_by_label("Why").fill("She told me of a third call.")
    page.get_by_role("button", name="Keep the rating").click()
    expect(page.get_by_role("status")).to_have_text("The rating was kept.")
    expect(page.get_by_role("table").last).to_contain_text("She told me of a third call.")

    page.get_by_role("link", name="Sessions").click()
    page.get_by_label("When").fill((now() - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M"))
    page.get_by_label("Where").fill("Room 7")
    page.get_by_role("button", name="Keep the session").click()
    page.get_by_role("row", name=re.compile("Room 7")).get_by_role("link").click()
    page.get_by_label("What became of it", exact=True).select_option("attended")
    page.get_by_role("button", name="Save").click()
    page.get_by_label("What was agreed").fill("A call on Sunday.")
    page.get_by_role("button", name="Keep the summary").click()
    expect(page.get_by_role("status")).to_contain_text("The summary was kept.")
    expect(page.locator(".timeline")).to_contain_text("A call on Sunday.")
