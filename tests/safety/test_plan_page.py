"""The printed safety plan: what is on it, in what order, and that nothing gets in beside it."""

import re
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import pytest

from app.safety.crisis import help_in
from app.safety.plan_page import LISTS, POLICY, page
from app.safety.schemas import ClinicNumber, CrisisLine, Help, SafetyPlanOut

ATTACK = "<script>alert('x')</script>\"&amp;<img src=//e.example onerror=x>"
CONTACTS = ("people_i_can_tell", "services_i_can_call")
VOID = {"meta"}


def a_plan(**changes: Any) -> SafetyPlanOut:
    """Something in every list."""
    at = datetime(2026, 3, 9, 23, 30, tzinfo=UTC)
    lists: dict[str, Any] = {name: [f"entry of {name}"] for name in LISTS}
    lists |= {name: [{"name": f"entry of {name}", "phone": "+1 (555) 0101"}] for name in CONTACTS}
    members = {
        "id": UUID(int=1),
        "version": 3,
        "recorded_at": at,
        "received_at": at,
        "effective_at": at,
        "clock_ahead_seconds": None,
    }
    return SafetyPlanOut(**(lists | members | changes))


def printed(plan: SafetyPlanOut | None = None, country: str = "US", **changes: Any) -> str:
    """The page, for somebody in New York whose clinic has a telephone."""
    told: dict[str, Any] = {
        "clinic_name": "Test Clinic",
        "clinic_numbers": [ClinicNumber(phone="+1 555 0199", when="always", holds_now=True)],
        "time_zone": "America/New_York",
        "locale": "en",
        "own": "{}",
    } | changes
    help_here = told.pop("help_here", help_in(country))
    return page(plan or a_plan(), help_here, **told).decode()


class Reader(HTMLParser):
    """What a browser makes of a page: its elements, their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def names(html: str) -> set[str]:
    return {name for name, _ in Reader(html).elements}


class TestOrder:
    def test_whom_to_call_comes_before_the_plan_and_the_clinic_before_the_lines(self) -> None:
        text = Reader(printed()).text

        places = [
            text.index(one)
            for one in (
                "911",
                "If you are in danger, call 911 now.",
                "+1 555 0199",
                "988 Suicide & Crisis Lifeline",
                "Crisis Text Line",
                "entry of signs_i_notice",
                "entry of reasons_to_keep_going",
                "Version 3, 9 March 2026",
            )
        ]
        assert places == sorted(places)

    def test_the_lists_come_in_the_order_in_which_one_turns_to_them(self) -> None:
        text = Reader(printed()).text

        headings = [
            "Signs I notice",
            "Things I can do myself",
            "Places and people that take my mind off it",
            "People I can tell",
            "Services I can call",
            "Making home safer",
            "Reasons to keep going",
        ]
        places = [text.index(one) for one in headings]
        assert places == sorted(places)

    @pytest.mark.parametrize("name", LISTS)
    def test_a_list_with_nothing_in_it_has_no_heading(self, name: str) -> None:
        whole = Reader(printed()).elements
        without = Reader(printed(a_plan(**{name: []}))).elements

        assert [tag for tag, _ in whole].count("h2") - [tag for tag, _ in without].count("h2") == 1

    def test_the_day_is_the_patients(self) -> None:
        assert "9 March 2026" in printed(time_zone="America/New_York")
        assert "10 March 2026" in printed(time_zone="Europe/Berlin")


class TestWhomToCall:
    def test_numbers_can_be_dialled(self) -> None:
        dialled = [attrs["href"] for tag, attrs in Reader(printed()).elements if tag == "a"]

        assert dialled[:3] == ["tel:911", "tel:+15550199", "tel:988"]
        assert dialled[-2:] == ["tel:+15550101", "tel:+15550101"]

    def test_what_has_no_digit_is_shown_and_not_dialled(self) -> None:
        html = printed(a_plan(people_i_can_tell=[{"name": "Ana", "phone": "---"}]))

        assert "---" in html
        assert 'href="tel:"' not in html

    def test_somebody_without_a_number_is_there_by_name(self) -> None:
        html = printed(a_plan(people_i_can_tell=[{"name": "My brother", "phone": None}]))

        assert '<li dir="auto">My brother</li>' in html

    def test_every_way_to_reach_a_line_is_told(self) -> None:
        line = CrisisLine(
            name="A line",
            phone="116 123",
            phone_note="then press 1",
            sms="50808",
            whatsapp="+1 555 0103",
            email="a@line.example",
            chat_url="https://line.example/chat",
            hours="24/7",
            languages=["en"],
            source="line.example",
            verified_on="2026-11",
        )
        help_here = Help(
            country="XX",
            emergency_number="112",
            emergency_channels=[],
            crisis_lines=[line],
            advice="Call.",
        )

        text = Reader(printed(help_here=help_here)).text

        assert (
            "A line 116 123 (then press 1) · Text 50808 · WhatsApp +1 555 0103"
            " · a@line.example · https://line.example/chat · 24/7"
        ) in text
        assert "Text HOME to 741741" in Reader(printed()).text

    def test_a_country_without_a_verified_row_has_a_plain_sentence_and_nobody_elses_line(
        self,
    ) -> None:
        text = Reader(printed(country="AT")).text

        assert "call the emergency number of the country you are in" in text
        assert "988" not in text
        assert "People to talk to, now" not in text

    def test_a_clinic_without_a_telephone_is_there_by_name(self) -> None:
        text = Reader(printed(clinic_numbers=[])).text

        assert "My clinic" not in text
        assert "Test Clinic · Version 3" in text

    def test_of_two_numbers_paper_says_when_each_holds(self) -> None:
        numbers = [
            ClinicNumber(phone="+1 555 0198", when="off-duty", holds_now=True),
            ClinicNumber(phone="+1 555 0199", when="on-duty", holds_now=False),
        ]

        text = " ".join(Reader(printed(clinic_numbers=numbers)).text.split())

        assert (
            "Test Clinic +1 555 0198 (when it is off duty)"
            " Test Clinic +1 555 0199 (when the clinic is on duty)"
        ) in text

    def test_the_emergency_services_without_a_voice_come_before_the_clinic(self) -> None:
        text = Reader(printed(country="GB")).text

        places = [text.index(one) for one in ("999 BSL", "textphone 18000", "0199", "Samaritans")]
        assert places == sorted(places)


class TestSize:
    LONG = "a sentence of some forty letters, or so, "

    def size(self, **changes: Any) -> str:
        (size,) = [
            str(attributes["class"])
            for tag, attributes in Reader(printed(a_plan(**changes))).elements
            if tag == "body"
        ]
        return size

    def test_letters_are_as_large_as_fits_one_page_and_never_too_small_to_read(self) -> None:
        sizes = [
            self.size(
                things_i_can_do=[self.LONG * 3] * entries, signs_i_notice=[self.LONG] * entries
            )
            for entries in (1, 4, 8, 20)
        ]

        assert sizes[0] == "size-14"
        numbers = [int(one.removeprefix("size-")) for one in sizes]
        assert numbers == sorted(numbers, reverse=True)
        assert len(set(numbers)) >= 3
        everything = {name: [self.LONG * 20] * 20 for name in LISTS if name not in CONTACTS}
        assert self.size(**everything) == "size-9"


class TestNothingGetsIn:
    @pytest.mark.parametrize("name", LISTS)
    def test_what_a_patient_types_stays_text(self, name: str) -> None:
        entry: Any = {"name": ATTACK, "phone": ATTACK} if name in CONTACTS else ATTACK

        html = printed(a_plan(**{name: [entry]}))

        assert ATTACK in Reader(html).text
        assert names(html) == names(printed())

    @pytest.mark.parametrize("name", ["clinic_name", "clinic_numbers"])
    def test_what_a_clinic_is_called_stays_text(self, name: str) -> None:
        number = ClinicNumber(phone=ATTACK, when="always", holds_now=True)
        changes: dict[str, Any] = {name: ATTACK if name == "clinic_name" else [number]}

        html = printed(**changes)

        assert ATTACK in Reader(html).text
        assert names(html) == names(printed())

    def test_what_a_clinic_says_in_its_own_words_stays_text(self) -> None:
        own = '{"en": {"plan.title": "<script>x</script>", "plan.signs-i-notice": "<b onclick=x>"}}'

        html = printed(own=own)

        assert "<script" not in html
        assert "<b onclick" not in html
        assert escape("<script>x</script>") in html

    @pytest.mark.parametrize(
        "name",
        [
            "name",
            "phone",
            "phone_note",
            "sms",
            "sms_text",
            "whatsapp",
            "email",
            "chat_url",
            "hours",
            "videophone",
            "textphone",
            "video_url",
            "relay_note",
        ],
    )
    def test_what_the_table_of_lines_says_stays_text(self, name: str) -> None:
        line = {"name": "A line", "hours": "24/7", "sms": "1", "phone": "1"} | {name: ATTACK}
        told = CrisisLine(**line, languages=[], source="s", verified_on="2026-11")
        help_here = Help(
            country="XX",
            emergency_number=ATTACK,
            emergency_channels=[told],
            crisis_lines=[told],
            advice=ATTACK,
        )

        html = printed(help_here=help_here)

        assert names(html) == names(printed())

    def test_attributes_are_ours_alone(self) -> None:
        html = printed(a_plan(people_i_can_tell=[{"name": "Ana", "phone": '1" onclick="x'}]))

        for tag, attributes in Reader(html).elements:
            assert set(attributes) <= {
                "charset", "class", "content", "dir", "href", "lang", "name",
            }, tag  # fmt: skip

    def test_lines_stay_lines(self) -> None:
        assert "one\ntwo" in printed(a_plan(signs_i_notice=["one\ntwo"]))
        assert "white-space: pre-line" in printed()


class TestAlone:
    def test_it_loads_nothing_and_runs_nothing(self) -> None:
        html = printed()

        assert names(html) == {
            "html", "head", "meta", "title", "style", "body", "h1", "h2", "section",
            "p", "a", "span", "ul", "li", "b", "main", "footer",
        }  # fmt: skip
        hrefs = [attrs["href"] for _, attrs in Reader(html).elements if "href" in attrs]
        assert all(str(one).startswith("tel:") for one in hrefs)
        assert "url(" not in html
        assert "@import" not in html

    def test_the_policy_lets_through_its_own_style_and_nothing_else(self) -> None:
        found = re.search(r"<style>(.*?)</style>", printed(), re.DOTALL)
        assert found is not None
        digest = b64encode(sha256(found[1].encode()).digest()).decode()

        assert (
            f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none';"
            " form-action 'none'; frame-ancestors 'none'"
        ) == POLICY

    def test_it_is_well_formed_and_says_its_language(self) -> None:
        reader = Reader(printed())

        assert printed().startswith("<!doctype html>\n<html ")
        assert reader.open == []
        assert reader.elements[0] == ("html", {"lang": "en", "dir": "auto"})

    def test_it_is_black_on_white_and_set_for_paper(self) -> None:
        html = printed()

        assert "background: #fff; color: #000" in html
        assert "@media print" in html
        assert "body.size-14 { font-size: 14pt; }" in html

    def test_a_clinics_own_language_is_the_pages(self) -> None:
        own = '{"de": {"plan.title": "Mein Notfallplan", "plan.date": "{day}. {month} {year}"}}'

        reader = Reader(printed(own=own, locale="de-AT"))

        assert reader.elements[0][1]["lang"] == "de"
        assert reader.text.count("Mein Notfallplan") == 2
        assert "9. March 2026" in reader.text
