"""The report for a referrer on paper: one page, whatever is in the record, and without colour."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from tests.browser.conftest import House, Open, Tab
from tests.builders import (
    Clinic,
    a_check_in,
    a_clinic,
    a_dosing_session,
    an_administration,
    now,
    phq_9,
)

LONG_AGO: Final = ((400, 24), (300, 23), (91, 22), (84, 22), (77, 21), (70, 22), (64, 20))
"""Days ago, and the PHQ-9 then: with gaps, before the first dose."""
SINCE: Final = ((58, 9), (51, 8), (44, 9), (37, 11), (30, 12), (23, 13), (16, 8), (9, 4), (2, 4))
"""A sudden gain, a response that is lost, a remission with an answer to item 9 in it."""
DOSES: Final = (62, 55, 48, 41, 34, 20)
"""Days ago: six."""
LONGEST: Final = ("Wolfeschlegelsteinhausenbergerdorff " * 6)[:200]
UNBREAKABLE: Final = "Ä" * 200
PAPERS: Final = ("A4", "Letter")

LUMINANCE: Final = """
(color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map(one => {
        const c = one / 255;
        return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}"""


def sent(answer: Any) -> None:
    assert answer.status_code in {200, 201}, answer.text


def record_of(clinic: Clinic, name: str, drug: str) -> str:
    """Everything that a report can tell. Returns: the address of its page in the console."""
    patient, therapist = clinic.patient, clinic.therapist
    mine = "/v1/patients/me"
    for person in (patient, therapist):
        version = person.get("/v1/me").json()["version"]
        headers = {"If-Match": f'"{version}"'}
        sent(person.request("PATCH", "/v1/me", json={"name": name}, headers=headers))
    for days, total in (*LONG_AGO, *SINCE):
        at = (now() - timedelta(days=days)).isoformat()
        nine = int(total == 4)
        for body in (
            a_check_in(answers=phq_9(total, item_nine=nine), recorded_at=at),
            a_check_in(instrument="gad-7", answers=[total % 4, 2, 1, 2, 1, 1, 0], recorded_at=at),
            a_check_in(instrument="pcl-5", answers=[total % 5] * 20, recorded_at=at),
            a_check_in(instrument="momentary", answers=[4, 8, 5, 0, 5], recorded_at=at),
        ):
            sent(patient.post(f"{mine}/check-ins", body))
    sent(patient.post(f"{mine}/check-ins", a_check_in(answers=[None] * 9)))
    for days in DOSES:
        given = an_administration(
            drug=drug, route="subcutaneous", given_at=(now() - timedelta(days=days)).isoformat()
        )
        body = a_dosing_session(administrations=[given])
        sent(therapist.post(f"{patient.record}/dosing-sessions", body))
    return f"/console/patients/{patient.patient_id}/report"


def pages(printed: bytes) -> int:
    """Of a PDF as Chromium writes it."""
    return len(re.findall(rb"/Type\s*/Page\b", printed))


@pytest.fixture(params=["", LONGEST, UNBREAKABLE], ids=["short", "long", "unbreakable"])
def report(request: pytest.FixtureRequest, open_tab: Open, house: House) -> Tab:
    """Opened by the therapist, under names as short or as long as they may be."""
    name = request.param
    clinic = a_clinic(house.client, house.direct, name=name or "Clinic")
    drug = "a" * 64 if name else "ketamine"
    address = record_of(clinic, name or "Rosa Amadi", drug)
    tab = open_tab(clinic.therapist)
    tab.go(f"{address}?scale=phq-9")
    return tab


class TestPaper:
    def test_a_full_record_is_one_page_of_a4_and_of_letter(
        self, report: Tab, tmp_path: Path
    ) -> None:
        assert report.page.locator("svg").count() == 1
        assert report.page.locator(".doses tbody tr").count() == len(DOSES)

        for paper in PAPERS:
            printed = report.page.pdf(format=paper, path=tmp_path / f"{paper}.pdf")
            assert pages(printed) == 1, paper

    def test_nothing_that_was_computed_is_cut_off(self, report: Tab) -> None:
        report.page.emulate_media(media="print")
        # As wide as A4 between its margins, in CSS pixels.
        report.page.set_viewport_size({"width": 703, "height": 1040})

        cut: list[str] = report.page.evaluate(
            """[...document.querySelectorAll(".outcomes td:nth-child(2) > span, .doses td > span")]
                .filter(one => one.scrollHeight > one.clientHeight + 1)
                .map(one => one.textContent)"""
        )

        # A drug's code may be as long as a line: it ends in dots, and the numbers stay.
        assert [one for one in cut if one != "a" * 64] == []

    def test_whom_to_call_is_there_however_long_the_name_of_the_clinic_is(
        self, report: Tab
    ) -> None:
        report.page.emulate_media(media="print")

        phone = report.page.locator("header .phone")

        assert phone.inner_text() == "+1 555 0199"
        assert phone.evaluate("one => one.scrollHeight <= one.clientHeight + 1")

    def test_it_is_read_without_colour(self, report: Tab) -> None:
        """A grey is as light as its colour: so dark enough on white is enough on grey paper."""
        report.page.emulate_media(media="print")

        faint: list[str] = report.page.evaluate(
            f"""() => {{
                const luminance = {LUMINANCE};
                const faint = [];
                for (const one of document.querySelectorAll("body *, svg *")) {{
                    const style = getComputedStyle(one);
                    const isText = [...one.childNodes].some(
                        child => child.nodeType === 3 && child.textContent.trim());
                    const isLine = one.matches("svg .mark-line path, svg .mark-symbol path");
                    const ink = one.closest("svg")
                        ? isText ? style.fill : style.stroke === "none" ? style.fill : style.stroke
                        : style.color;
                    if (!(isText || isLine) || ink === "none" || !/^rgb/.test(ink)) continue;
                    const contrast = 1.05 / (luminance(ink) + 0.05);
                    if (contrast < (isText ? 4.5 : 3))
                        faint.push(`${{one.tagName}} ${{ink}} ${{one.textContent.slice(0, 30)}}`);
                }}
                return faint;
            }}"""
        )

        assert faint == []


class TestTitle:
    def test_the_name_is_on_the_paper_and_only_initials_in_the_title(self, report: Tab) -> None:
        heading = report.page.locator("h1").inner_text()
        title = report.page.title()

        assert title.endswith(" Report")
        assert title.split()[0] == f"{heading[0]}."
        assert not any(word in title for word in heading.split())
