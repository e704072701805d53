"""The inbox, and what is done about a flag from its page."""

import re
from html import unescape
from uuid import uuid4

import pytest

from app.console.words import reason
from app.kernel.db import Direct
from tests.builders import World, now
from tests.conftest import Behind
from tests.console.browser import Browser, at_work, heading, wrong
from tests.contract.stage import link


@pytest.fixture
def browser(world: World, direct: Direct) -> Browser:
    return at_work(direct, world.therapist, now())


@pytest.fixture
def flag(world: World) -> str:
    """The address of the page of a flag that the patient's call raised."""
    raised = world.patient.post("/v1/patients/me/flags", {"note": "Please call me."})
    return f"/console/flags/{raised.json()['safety']['flag']['id']}"


def events(world: World) -> list[dict[str, object]]:
    """What was done about the patient's flag, oldest first."""
    path = f"/v1/patients/{world.patient.patient_id}/flags"
    [state] = world.therapist.get(path).json()["flags"]
    found: list[dict[str, object]] = state["events"]
    return found


class TestInbox:
    def test_a_clinician_sees_who_why_and_a_button(self, browser: Browser, flag: str) -> None:
        page = browser.get("/console/flags").text

        assert "A patient" in page
        assert "Call for help" in page
        assert "I am seeing to this" in page
        assert f'href="{flag}"' in page

    def test_an_administrator_sees_that_there_is_one_and_nothing_it_rests_on(
        self, world: World, direct: Direct, flag: str
    ) -> None:
        page = at_work(direct, world.administrator, now()).get("/console/flags").text

        assert "A patient" in page
        assert "Call for help" not in page
        assert flag not in page

    def test_the_list_alone_is_the_same_list_for_the_live_page(
        self, browser: Browser, flag: str
    ) -> None:
        part = browser.get("/console/flags?part=list&by-itself=1").text

        assert "<html" not in part
        assert f'href="{flag}"' in part

    @pytest.mark.parametrize(
        "damage",
        [
            "UPDATE flag_evidence SET words = 'x' WHERE clinic_id = %s",
            "UPDATE data_key SET wrapped = 'x' WHERE clinic_id = %s",
        ],
    )
    def test_words_that_cannot_be_opened_hide_no_flag(
        self, browser: Browser, world: World, behind: Behind, flag: str, damage: str
    ) -> None:
        behind.rows(damage, world.here.id)

        page = browser.get("/console/flags").text

        assert f'href="{flag}"' in page
        assert "Call for help" in page

    def test_without_a_script_the_page_asks_again_by_itself(self, browser: Browser) -> None:
        page = browser.get("/console/flags").text

        assert re.search(r'<noscript><meta http-equiv="refresh" content="60;url=/console/f', page)

    def test_the_live_events_are_for_whoever_is_signed_in(
        self, world: World, direct: Direct
    ) -> None:
        stream = "/console/flags/stream"
        refused = Browser(world.therapist.client).get(stream, Accept="text/event-stream")
        coach = at_work(direct, world.here.coach, now()).get(stream)

        assert refused.status_code == 401
        assert coach.status_code == 403


class TestAnswering:
    def test_seeing_to_it_is_said_to_everybody(
        self, browser: Browser, world: World, flag: str
    ) -> None:
        answer = browser.submit(flag, act="acknowledge")

        assert answer.headers["location"] == f"{flag}?done=acknowledged"
        assert "You are seeing to this flag." in browser.get(answer.headers["location"]).text
        assert [one["action"] for one in events(world)] == ["acknowledged"]

    def test_twice_changes_nothing(self, browser: Browser, world: World, flag: str) -> None:
        for _ in range(2):
            assert browser.submit(flag, act="acknowledge").status_code == 303

        assert len(events(world)) == 1

    def test_the_second_one_is_told_who_was_first(
        self, browser: Browser, world: World, direct: Direct, flag: str
    ) -> None:
        link(direct, world.here, world.patient, world.here.stranger)
        second = at_work(direct, world.here.stranger, now())
        browser.submit(flag, act="acknowledge")

        answer = second.submit(flag, act="acknowledge")

        assert answer.status_code == 409
        assert "A clinician is seeing to this already" in unescape(answer.text)
        # By who they are and not by name: both have the same.
        assert "<strong>You are seeing to it" in browser.get(flag).text
        assert "<strong>You are seeing to it" not in answer.text

    def test_contact_and_a_comment_are_kept(
        self, browser: Browser, world: World, flag: str
    ) -> None:
        browser.submit(flag, act="contact", outcome="reached", note="Spoke for ten minutes.")
        browser.submit(flag, act="comment", note="Call again tomorrow.\r\nIn the morning.")

        page = browser.get(flag).text

        assert [one["action"] for one in events(world)] == ["contacted", "commented"]
        assert "Spoke for ten minutes." in page
        assert "Call again tomorrow.\nIn the morning." in page

    def test_closing_needs_a_decision_and_a_reason_and_keeps_what_was_typed(
        self, browser: Browser, world: World, flag: str
    ) -> None:
        answer = browser.submit(flag, act="resolve", disposition="", note="  ")
        half = browser.submit(flag, act="resolve", disposition="other", note="")

        assert answer.status_code == half.status_code == 422
        assert wrong(answer.text) == ["What was decided: is required.", "Why: must not be blank."]
        assert wrong(half.text) == ["Why: is required."]
        assert 'value="other" checked' in half.text
        assert events(world) == []

    def test_an_error_summary_leads_to_its_field(self, browser: Browser, flag: str) -> None:
        page = browser.submit(flag, act="resolve", disposition="other", note="").text

        assert '<a href="#resolve-note">' in page
        assert re.search(r'<textarea id="resolve-note"[^>]*aria-invalid="true"', page)
        assert 'id="resolve-note-wrong"' in page
        assert "<title>Please look again: " in page

    def test_it_is_closed_and_cannot_be_added_to(
        self, browser: Browser, world: World, flag: str
    ) -> None:
        closed = browser.submit(flag, act="resolve", disposition="plan-agreed", note="We spoke.")
        late = browser.submit(flag, act="comment", note="One more thing.")

        assert "The flag was closed." in browser.get(closed.headers["location"]).text
        assert late.status_code == 409
        assert "This flag was closed meanwhile" in late.text
        assert [one["action"] for one in events(world)] == ["resolved"]

    def test_it_is_handed_to_a_colleague_by_name(
        self, browser: Browser, world: World, flag: str
    ) -> None:
        page = browser.get(flag).text
        stranger = str(world.here.stranger.membership_id)

        answer = browser.submit(flag, act="hand-over", to=stranger, note="I am away from six.")

        assert f'value="{stranger}"' in page
        assert str(world.here.coach.membership_id) not in page
        assert answer.status_code == 303
        assert events(world)[0]["action"] == "handed-over"

    def test_it_is_handed_to_nobody_else(self, browser: Browser, flag: str) -> None:
        answer = browser.submit(flag, act="hand-over", to=str(uuid4()))

        assert answer.status_code == 422
        assert wrong(answer.text) == [
            "Colleague: is no clinician of this clinic who sees clinical content."
        ]

    def test_what_is_no_act_is_a_missing_page(self, browser: Browser, flag: str) -> None:
        assert browser.submit(flag, act="forget").status_code == 404


class TestConcern:
    def test_a_clinician_raises_one_and_sending_it_twice_makes_one(
        self, browser: Browser, world: World
    ) -> None:
        path = f"/console/patients/{world.patient.patient_id}/flags"
        form = {"kind": "suicide-risk", "level": "moderate", "note": "Missed two visits."}
        form["id"] = str(uuid4())

        answers = [browser.submit(path, **form) for _ in range(2)]

        assert [answer.headers["location"] for answer in answers] == [f"{path}?done=raised"] * 2
        assert heading(browser.get(path).text) == "A patient"
        inbox = world.therapist.get("/v1/flags").json()["flags"]
        assert [len(one["evidence"]) for one in inbox] == [1]


def test_a_rise_is_told_in_the_words_of_its_question() -> None:
    told = reason("bladder.frequency.rise")

    assert "I had to urinate more often than usual" in told
    assert told.endswith("(more than at the check before)")
    assert reason("bladder.frequency") + " (more than at the check before)" == told
