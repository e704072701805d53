"""Integration sessions on pages: planning, what became of them, agenda, summary and agreement."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.kernel.db import Direct
from tests.builders import (
    World,
    a_check_in,
    a_dosing_session,
    a_goal,
    a_note,
    a_session_summary,
    a_summary_agreement,
    an_insight,
    an_integration_session,
    now,
    phq_9,
)
from tests.console.browser import Browser, at_work, bare, value_of, wrong


@pytest.fixture
def browser(world: World, direct: Direct) -> Browser:
    return at_work(direct, world.therapist, now())


@pytest.fixture
def path(world: World) -> str:
    return f"/console/patients/{world.patient.patient_id}/integration"


def told(world: World, kind: str) -> list[dict[str, Any]]:
    """As the API tells them."""
    answer = world.therapist.get(f"{world.patient.record}/{kind}").json()
    found: list[dict[str, Any]] = answer[kind.replace("-", "_")]
    return found


def minute(days: float) -> str:
    """So many days from now, as a form has it (the clinic is on UTC)."""
    return (now() + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M")


def typed(**changes: str) -> dict[str, str]:
    """A session in two days."""
    return {
        "id": str(uuid4()),
        "recorded_at": now().isoformat(),
        "status": "scheduled",
        "scheduled_at": minute(2),
        "place": "Room 2",
        "reason": "",
    } | changes


def a_session(world: World, **changes: Any) -> dict[str, Any]:
    """As the therapist keeps it over the API."""
    body = an_integration_session(**changes)
    answer = world.therapist.post(f"{world.patient.record}/integration-sessions", body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


class TestPlanning:
    def test_a_session_is_planned_and_a_second_sending_makes_no_second_one(
        self, browser: Browser, world: World, path: str
    ) -> None:
        form = typed()

        answers = [browser.submit(path, **form) for _ in range(2)]

        assert [one.headers["location"] for one in answers] == [f"{path}?done=session-planned"] * 2
        [session] = told(world, "integration-sessions")
        assert (session["id"], session["status"], session["place"]) == (
            form["id"],
            "scheduled",
            "Room 2",
        )
        assert "Room 2" in browser.get(path).text

    def test_the_page_says_when_the_last_dose_is_to_be_talked_about_and_what_is_planned(
        self, browser: Browser, world: World, path: str
    ) -> None:
        before = browser.get(path).text
        world.therapist.post(f"{world.patient.record}/dosing-sessions", a_dosing_session())
        unplanned = browser.get(path).text
        session = a_session(world, scheduled_at=now().isoformat())
        planned = browser.get(path).text

        assert "No dose was given yet." in before
        assert "Dose 1 was given" in unplanned
        assert "No session is planned for it." in unplanned
        assert "No session is planned for it." not in planned
        assert f'<strong>Attended</strong>: <a href="{path}/{session["id"]}">' in planned

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"scheduled_at": ""}, "When: is required."),
            ({"scheduled_at": "soon"}, "When: is not a date and a time."),
            ({"status": "forgotten"}, "What became of it: is not one of the known values."),
            (
                {"status": "attended", "scheduled_at": minute(5)},
                "When: must not lie in the future of what was attended or missed.",
            ),
            (
                {"reason": "She was ill."},
                "Why it was missed or cancelled: belongs to what was missed or cancelled.",
            ),
            (
                {"recorded_at": "x"},
                "This form: must be an RFC 3339 instant with an offset.",
            ),
        ],
    )
    def test_what_cannot_be_is_said_at_its_field_and_what_was_typed_is_kept(
        self, browser: Browser, world: World, path: str, changes: dict[str, str], sentence: str
    ) -> None:
        form = typed(**changes)

        answer = browser.submit(path, **form)

        assert answer.status_code == 422
        assert wrong(answer.text) == [sentence]
        assert 'value="Room 2"' in answer.text
        assert value_of("id", answer.text) == form["id"]
        assert told(world, "integration-sessions") == []

    def test_the_same_form_with_another_date_is_said_and_sent_again_it_is_another_session(
        self, browser: Browser, world: World, path: str
    ) -> None:
        form = typed()
        browser.submit(path, **form)

        answer = browser.submit(path, **{**form, "scheduled_at": minute(3)})

        assert answer.status_code == 422
        again = {**form, "scheduled_at": minute(3), "id": value_of("id", answer.text)}
        assert browser.submit(path, **again).status_code == 303
        assert len(told(world, "integration-sessions")) == 2


class TestChanging:
    @pytest.fixture
    def session(self, world: World, path: str) -> str:
        """The page of a session that was planned for an hour ago."""
        return f"{path}/{a_session(world, status='scheduled')['id']}"

    def filled_in(self, world: World, **changes: str) -> dict[str, str]:
        """As the form on the page has it."""
        [session] = told(world, "integration-sessions")
        return {
            "act": "amend",
            "version": str(session["version"]),
            "status": session["status"],
            "scheduled_at": session["scheduled_at"][:16],
            "place": session["place"] or "",
            "reason": session["reason"] or "",
        } | changes

    def test_it_was_attended_and_its_time_stays_to_the_second(
        self, browser: Browser, world: World, session: str
    ) -> None:
        [before] = told(world, "integration-sessions")
        form = self.filled_in(world, status="attended")

        answers = [browser.submit(session, **form) for _ in range(2)]

        assert [one.headers["location"] for one in answers] == [
            f"{session}?done=session-changed"
        ] * 2
        [after] = told(world, "integration-sessions")
        assert (after["status"], after["version"]) == ("attended", 2)
        assert after["scheduled_at"] == before["scheduled_at"]
        assert after["recorded_at"] == before["recorded_at"]

    def test_it_was_missed_and_why(self, browser: Browser, world: World, session: str) -> None:
        browser.submit(session, **self.filled_in(world, status="missed", reason="A train."))

        page = browser.get(session).text

        assert "<strong>Missed</strong>" in page
        assert "A train." in page

    def test_a_move_that_cannot_be_is_said_at_its_field(
        self, browser: Browser, world: World, session: str
    ) -> None:
        browser.submit(session, **self.filled_in(world, status="attended"))

        answer = browser.submit(session, **self.filled_in(world, status="scheduled", place="Here"))

        assert answer.status_code == 409
        assert wrong(answer.text) == ["What became of it: cannot follow from what it is now."]
        assert 'value="Here"' in answer.text

    def test_somebody_else_s_change_came_first_and_nothing_typed_is_lost(
        self, browser: Browser, world: World, session: str
    ) -> None:
        form = self.filled_in(world, status="attended")
        browser.submit(session, **form)

        answer = browser.submit(session, **{**form, "status": "missed", "reason": "Snow."})

        assert answer.status_code == 412
        assert "Somebody changed this since you opened it" in answer.text
        assert "<strong>Attended</strong>" in answer.text
        assert 'value="Snow."' in answer.text
        again = {**form, "status": "missed", "reason": "Snow.", "version": "2"}
        assert browser.submit(session, **again).status_code == 303

    def test_it_is_withdrawn_and_stays_readable_and_what_was_typed_meanwhile_comes_back(
        self, browser: Browser, world: World, session: str
    ) -> None:
        form = self.filled_in(world, place="Room 7")

        answer = browser.submit(session, act="withdraw", version="1")
        late = browser.submit(session, **form)

        assert answer.headers["location"] == f"{session}?done=session-withdrawn"
        assert told(world, "integration-sessions") == []
        assert late.status_code == 412
        assert 'value="Room 7"' in late.text
        page = browser.get(session).text
        assert "Entered in error" in page
        assert "Mark as entered in error" not in page

    def test_who_has_no_privilege_of_therapy_reads_and_changes_nothing(
        self, world: World, direct: Direct, path: str, session: str
    ) -> None:
        boss = at_work(direct, world.administrator, now())
        member = f"/console/people/members/{world.therapist.membership_id}"
        form = self.filled_in(world, status="attended")
        boss.submit(member, act="privileges", privileges=["prescribe"], version="1")
        browser = at_work(direct, world.therapist, now())

        page = browser.get(session).text

        assert "Agenda" in page
        assert "<form" not in bare(page)
        assert browser.submit(session, **form).status_code == 403
        assert browser.submit(path, **typed()).status_code == 403
        assert browser.submit(session, act="summarize", id=str(uuid4())).status_code == 403


class TestAgenda:
    def test_it_names_what_is_new_what_stands_still_and_open_flags(
        self, browser: Browser, world: World, path: str
    ) -> None:
        patient = world.patient
        long_ago = (now() - timedelta(days=30)).isoformat()
        insight = patient.post(f"{patient.record}/insights", an_insight()).json()["id"]
        note = patient.post(f"{patient.record}/notes", a_note()).json()["id"]
        goal = patient.post(f"{patient.record}/goals", a_goal(recorded_at=long_ago)).json()["id"]
        patient.post(f"{patient.record}/check-ins", a_check_in(answers=phq_9(13, item_nine=2)))
        session = a_session(world, status="scheduled", scheduled_at=now().isoformat())

        page = browser.get(f"{path}/{session['id']}").text

        root = f"/console/patients/{patient.patient_id}"
        assert f'href="{root}/thread/insight/{insight}"' in page
        assert f'href="{root}/thread/note/{note}"' in page
        assert f'href="{root}/goals/{goal}"' in page
        assert "I was never the reason." in page
        assert "Nobody has answered, raised" in page

    def test_what_is_private_leaves_no_trace(
        self, browser: Browser, world: World, path: str
    ) -> None:
        session = f"{path}/{a_session(world, status='scheduled')['id']}"
        before = bare(browser.get(session).text)
        patient, secret = world.patient, f"private {uuid4()}"
        long_ago = (now() - timedelta(days=30)).isoformat()
        for kind, body in (("notes", a_note()), ("insights", an_insight()), ("goals", a_goal())):
            hidden = {**body, "words": secret, "tier": "private", "recorded_at": long_ago}
            assert patient.post(f"{patient.record}/{kind}", hidden).status_code == 201

        after = browser.get(session).text

        assert secret not in after
        assert bare(after) == before


class TestSummary:
    @pytest.fixture
    def session(self, world: World, path: str) -> str:
        """The page of a session that was attended."""
        return f"{path}/{a_session(world)['id']}"

    def typed(self, **changes: str) -> dict[str, str]:
        """A first summary."""
        return {
            "act": "summarize",
            "id": str(uuid4()),
            "recorded_at": now().isoformat(),
            "version": "0",
            "words": "A walk each morning.",
        } | changes

    def test_it_is_written_and_a_second_sending_makes_no_second_one(
        self, browser: Browser, world: World, session: str
    ) -> None:
        form = self.typed()

        answers = [browser.submit(session, **form) for _ in range(2)]

        assert [one.status_code for one in answers] == [303, 303]
        [summary] = told(world, "session-summaries")
        assert (summary["id"], summary["words"], summary["version"]) == (
            form["id"],
            form["words"],
            1,
        )
        page = browser.get(f"{session}?done=summary-written").text
        assert "The summary was kept." in page
        assert "The patient has said nothing yet" in page

    def test_it_says_who_agreed_to_which_version(
        self, browser: Browser, world: World, session: str
    ) -> None:
        form = self.typed()
        browser.submit(session, **form)
        patient, agreements = world.patient, f"{world.patient.record}/summary-agreements"
        patient.post(agreements, a_summary_agreement(form["id"]))
        agreed = browser.get(session).text
        browser.submit(session, **{**form, "version": "1", "words": "A walk each evening."})
        unanswered = browser.get(session).text
        no = a_summary_agreement(form["id"], 2, status="disagreed", words="Not in the dark.")
        patient.post(agreements, no)
        disagreed = browser.get(session).text

        assert "Both agree</strong> to version 1." in agreed
        assert "has said nothing yet</strong> to version 2." in unanswered
        assert "A walk each morning." in unanswered
        assert "The patient does not agree</strong> to version 2." in disagreed
        assert "Not in the dark." in disagreed
        assert "Patient: <strong>agreed</strong>" in disagreed

    def test_a_change_sent_twice_is_one_version(
        self, browser: Browser, world: World, session: str
    ) -> None:
        form = self.typed()
        browser.submit(session, **form)
        change = {**form, "version": "1", "words": "A walk each evening."}

        answers = [browser.submit(session, **change) for _ in range(2)]

        assert [one.status_code for one in answers] == [303, 303]
        assert [one["version"] for one in told(world, "session-summaries")] == [2]

    def test_a_colleague_wrote_one_first_and_nothing_typed_is_lost(
        self, browser: Browser, world: World, session: str
    ) -> None:
        first = a_session_summary(session.rpartition("/")[2], words="Theirs.")
        made = world.therapist.post(f"{world.patient.record}/session-summaries", first).json()

        answer = browser.submit(session, **self.typed(words="Mine."))

        assert answer.status_code == 409
        assert "Somebody changed this since you opened it" in answer.text
        assert "Theirs." in answer.text
        assert "Mine.</textarea>" in answer.text
        again = self.typed(words="Mine.", id=made["id"], version="1")
        assert browser.submit(session, **again).status_code == 303
        assert [one["words"] for one in told(world, "session-summaries")] == ["Mine."]

    def test_one_changed_it_meanwhile_and_nothing_typed_is_lost(
        self, browser: Browser, world: World, session: str
    ) -> None:
        form = self.typed()
        browser.submit(session, **form)
        browser.submit(session, **{**form, "version": "1", "words": "Theirs."})

        answer = browser.submit(session, **{**form, "version": "1", "words": "Mine."})

        assert answer.status_code == 409
        assert "Theirs." in answer.text
        assert "Mine.</textarea>" in answer.text

    def test_one_that_is_blank_is_refused_at_its_field(
        self, browser: Browser, world: World, session: str
    ) -> None:
        answer = browser.submit(session, **self.typed(words="  "))

        assert answer.status_code == 422
        assert wrong(answer.text) == ["What was agreed: is required."]
        assert told(world, "session-summaries") == []

    def test_a_session_that_was_not_attended_takes_none_and_gives_the_words_back(
        self, browser: Browser, world: World, path: str
    ) -> None:
        session = f"{path}/{a_session(world, status='missed')['id']}"
        assert "Write the summary" not in browser.get(session).text

        answer = browser.submit(session, **self.typed())

        assert answer.status_code == 422
        assert wrong(answer.text) == ["This form: was not attended."]
        assert "A walk each morning.</textarea>" in answer.text

    def test_the_summary_of_another_session_is_not_changed_here(
        self, browser: Browser, world: World, path: str, session: str
    ) -> None:
        form = self.typed()
        browser.submit(session, **form)
        elsewhere = f"{path}/{a_session(world)['id']}"

        answer = browser.submit(elsewhere, **{**form, "version": "1", "words": "Mine."})

        assert answer.status_code == 404
        assert [one["words"] for one in told(world, "session-summaries")] == [form["words"]]
