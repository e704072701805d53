"""The course and the screening from their pages."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.kernel.db import Direct
from tests.builders import (
    World,
    a_course,
    a_dosing_session,
    a_medication,
    a_past_treatment,
    a_resolution,
    a_screening,
    an_administration,
    now,
)
from tests.console.browser import Browser, at_work, wrong


@pytest.fixture
def browser(world: World, direct: Direct) -> Browser:
    return at_work(direct, world.therapist, now())


@pytest.fixture
def record(world: World) -> str:
    return f"/v1/patients/{world.patient.patient_id}"


@pytest.fixture
def course(world: World) -> str:
    """The address of the page."""
    return f"/console/patients/{world.patient.patient_id}/course"


@pytest.fixture
def screening(world: World) -> str:
    """The address of the page."""
    return f"/console/patients/{world.patient.patient_id}/screening"


def sent(world: World, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Over the API."""
    answer = world.therapist.post(path, body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def only(world: World, path: str) -> dict[str, Any]:
    """The one entry of a list of the API's."""
    body = world.therapist.get(path).json()
    [entries] = [value for value in body.values() if isinstance(value, list)]
    [found] = entries
    assert isinstance(found, dict)
    return found


def prescribes_nothing(world: World, direct: Direct) -> Browser:
    """The therapist, who from now on only treats with words."""
    boss = at_work(direct, world.administrator, now())
    member = f"/console/people/members/{world.therapist.membership_id}"
    boss.submit(member, act="privileges", privileges=["therapy"], version="1")
    return at_work(direct, world.therapist, now())


class TestPlanning:
    def test_a_course_is_planned_once_however_often_it_is_sent(
        self, browser: Browser, world: World, record: str, course: str
    ) -> None:
        form = {
            "act": "plan",
            "id": str(uuid4()),
            "protocol_version": "0",
            "indication": "depression",
            "planned_sessions": "6",
            "note": "With her sister.",
        }

        answers = [browser.submit(course, **form) for _ in range(2)]

        assert [one.headers["location"] for one in answers] == [f"{course}?done=planned"] * 2
        planned = only(world, f"{record}/courses")
        assert (planned["id"], planned["status"]) == (form["id"], "planned")
        page = browser.get(course).text
        assert "With her sister." in page
        assert "Plan a course" not in page

    @pytest.mark.parametrize(
        ("typed", "sentence"),
        [
            ({"planned_sessions": "many"}, "Sessions planned: must be a whole number."),
            ({"planned_sessions": ""}, "Sessions planned: is required."),
            ({"spacing_days": "0"}, "Days from one to the next: is too small."),
        ],
    )
    def test_a_plan_that_cannot_be_is_said_at_its_field_and_kept_as_typed(
        self,
        browser: Browser,
        world: World,
        record: str,
        course: str,
        typed: dict[str, str],
        sentence: str,
    ) -> None:
        form = {
            "act": "plan",
            "id": str(uuid4()),
            "protocol_version": "0",
            "indication": "depression",
            "planned_sessions": "6",
            "note": "With her sister.",
        }

        answer = browser.submit(course, **(form | typed))

        assert answer.status_code == 422
        assert wrong(answer.text) == [sentence]
        assert "With her sister." in answer.text
        assert world.therapist.get(f"{record}/courses").json()["courses"] == []

    def test_there_is_one_open_course_and_a_second_is_refused_in_words(
        self, browser: Browser, world: World, record: str, course: str
    ) -> None:
        sent(world, f"{record}/courses", a_course())

        answer = browser.submit(
            course,
            act="plan",
            id=str(uuid4()),
            protocol_version="0",
            indication="depression",
            planned_sessions="5",
        )

        assert answer.status_code == 409
        assert wrong(answer.text) == [
            "Another course of this patient has not ended. There is one at a time."
        ]
        assert only(world, f"{record}/courses")["planned_sessions"] == 6


class TestMoving:
    def test_a_course_moves_where_it_may_and_its_visits_are_counted(
        self, browser: Browser, world: World, record: str, course: str
    ) -> None:
        sent(world, f"{record}/screenings", a_screening())
        planned = sent(world, f"{record}/courses", a_course())
        form = {"act": "move", "course": planned["id"], "version": "1", "status": "active"}

        answers = [browser.submit(course, **form) for _ in range(2)]
        sent(world, f"{record}/dosing-sessions", a_dosing_session(course_id=planned["id"]))

        assert [answer.status_code for answer in answers] == [303, 303]
        moved = only(world, f"{record}/courses")
        assert (moved["status"], moved["version"]) == ("active", 2)
        page = browser.get(course).text
        assert '<strong class="big">1</strong> of 6 planned' in page
        assert "40 mg in 1 dose" in page

    def test_without_a_screening_it_does_not_begin_and_says_so(
        self, browser: Browser, world: World, record: str, course: str
    ) -> None:
        planned = sent(world, f"{record}/courses", a_course())

        answer = browser.submit(
            course, act="move", course=planned["id"], version="1", status="active"
        )

        assert answer.status_code == 409
        assert "Nobody has screened this patient" in wrong(answer.text)[0]
        assert only(world, f"{record}/courses")["status"] == "planned"

    def test_a_hard_stop_keeps_it_from_beginning(
        self, browser: Browser, world: World, record: str, course: str
    ) -> None:
        sent(world, f"{record}/screenings", a_screening(psychosis="yes"))
        planned = sent(world, f"{record}/courses", a_course())

        answer = browser.submit(
            course, act="move", course=planned["id"], version="1", status="active"
        )

        assert answer.status_code == 409
        assert "A hard stop stands" in wrong(answer.text)[0]

    def test_what_breaks_off_needs_a_reason_and_the_choice_stays(
        self, browser: Browser, world: World, record: str, course: str
    ) -> None:
        planned = sent(world, f"{record}/courses", a_course())
        form = {"act": "move", "course": planned["id"], "version": "1", "status": "stopped"}

        refused = browser.submit(course, **form)
        illegal = browser.submit(course, **{**form, "status": "completed"})
        stopped = browser.submit(course, **form, reason="Moved away.")

        assert wrong(refused.text) == ["Reason: is required to pause, stop or reopen a course."]
        assert 'value="stopped" checked' in refused.text
        assert (illegal.status_code, stopped.status_code) == (409, 303)
        assert "Moved away." in browser.get(course).text

    def test_somebody_else_s_change_came_first_and_the_plan_that_was_typed_stays(
        self, browser: Browser, world: World, record: str, course: str
    ) -> None:
        planned = sent(world, f"{record}/courses", a_course())
        form = {
            "act": "correct",
            "course": planned["id"],
            "version": "1",
            "indication": "depression",
            "planned_sessions": "5",
        }
        browser.submit(course, **form)

        answer = browser.submit(course, **{**form, "planned_sessions": "4"})

        assert answer.status_code == 412
        assert 'value="4"' in answer.text
        assert only(world, f"{record}/courses")["planned_sessions"] == 5

    def test_nothing_is_planned_in_a_course_that_ended_and_nothing_is_stored(
        self, browser: Browser, world: World, record: str, course: str
    ) -> None:
        planned = sent(world, f"{record}/courses", a_course())
        moved = {"act": "move", "course": planned["id"], "version": "1", "status": "stopped"}
        browser.submit(course, **moved, reason="Moved away.")

        answer = browser.submit(
            course.removesuffix("course") + "treatment",
            id=str(uuid4()),
            status="preparation",
            course_id=planned["id"],
            started_at="2030-01-01T10:00",
        )

        assert answer.status_code == 422
        assert wrong(answer.text) == [
            "Course: names a course that has ended; nothing is planned in it."
        ]
        assert world.therapist.get(f"{record}/dosing-sessions").json()["dosing_sessions"] == []

    def test_a_visit_says_on_its_form_which_course_it_is_part_of(
        self, browser: Browser, world: World, record: str, course: str
    ) -> None:
        planned = sent(world, f"{record}/courses", a_course())
        visits = course.removesuffix("course") + "treatment"
        form = {"id": str(uuid4()), "status": "preparation", "started_at": "2030-01-01T10:00"}

        browser.submit(visits, **form, course_id=planned["id"])
        corrected = {**form, "act": "amend", "version": "1", "started_at": "2030-01-01T11:00"}
        kept = browser.submit(f"{visits}/{form['id']}", **corrected)

        assert kept.status_code == 303
        visit = only(world, f"{record}/dosing-sessions")
        assert (visit["version"], visit["course_id"]) == (2, planned["id"])
        taken_out = {**corrected, "version": "2", "course_id": "none"}
        browser.submit(f"{visits}/{form['id']}", **taken_out)
        assert only(world, f"{record}/dosing-sessions")["course_id"] is None


class TestExposure:
    def test_a_threshold_of_the_protocol_that_is_reached_says_what_to_ask_after(
        self, browser: Browser, world: World, record: str, course: str
    ) -> None:
        for days in range(1, 7):
            given = an_administration(given_at=(now() - timedelta(days=4 * days)).isoformat())
            sent(world, f"{record}/dosing-sessions", a_dosing_session(administrations=[given]))

        page = browser.get(course).text

        assert "240 mg in 6 doses" in page
        assert "Ask after: " in page
        assert "6 sessions in 28 days; from 6" in page
        assert "never answered" in page
        assert "a convention" in page

    def test_drugs_and_routes_stand_by_themselves(
        self, browser: Browser, world: World, record: str, course: str
    ) -> None:
        for route, days in (("im", 9), ("sublingual", 5)):
            at = (now() - timedelta(days=days)).isoformat()
            given = an_administration(route=route, given_at=at)
            sent(world, f"{record}/dosing-sessions", a_dosing_session(administrations=[given]))

        page = browser.get(course).text

        assert page.count("40 mg in 1 dose") == 6  # in all, in 28 and in 365 days; each route
        assert "80 mg" not in page


class TestScreening:
    def test_a_screening_is_recorded_once_and_what_was_not_asked_is_open(
        self, browser: Browser, world: World, record: str, screening: str
    ) -> None:
        form = {
            "act": "screen",
            "id": str(uuid4()),
            "answer-psychosis": "yes",
            "note-psychosis": "Once, at nineteen.",
            "answer-pregnancy": "unknown",
        }

        answers = [browser.submit(screening, **form) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [303, 303]
        assert only(world, f"{record}/screenings")["answers"] == {
            "psychosis": "yes",
            "pregnancy": "unknown",
        }
        page = browser.get(screening).text
        assert "A hard stop stands" in page
        assert "Once, at nineteen." in page
        assert "Not asked, or not known" in page

    def test_a_prescriber_resolves_a_stop_with_a_reason(
        self, browser: Browser, world: World, record: str, screening: str
    ) -> None:
        made = sent(world, f"{record}/screenings", a_screening(psychosis="yes"))
        form = {
            "act": "resolve",
            "id": str(uuid4()),
            "condition": "psychosis",
            "screening": made["id"],
            "version": "1",
        }

        refused = browser.submit(screening, **form)
        answers = [browser.submit(screening, **form, reason="Stable for years.") for _ in "12"]

        assert wrong(refused.text) == ["Why it does not stop this patient: is required."]
        assert [answer.status_code for answer in answers] == [303, 303]
        assert only(world, f"{record}/stop-resolutions")["reason"] == "Stable for years."
        assert "a hard stop that a prescriber resolved" in browser.get(screening).text

    def test_whoever_does_not_prescribe_resolves_none_and_answers_none_away(
        self, world: World, direct: Direct, record: str, screening: str
    ) -> None:
        made = sent(world, f"{record}/screenings", a_screening(psychosis="yes"))
        browser = prescribes_nothing(world, direct)

        page = browser.get(screening).text
        resolved = browser.submit(
            screening,
            act="resolve",
            id=str(uuid4()),
            **{key: f"{value}" for key, value in a_resolution(made["id"], "psychosis").items()},
        )
        screened = browser.submit(
            screening, act="screen", id=str(uuid4()), **{"answer-psychosis": "no"}
        )

        assert "Resolve this stop" not in page
        assert resolved.status_code == 403
        assert screened.status_code == 409
        assert "A hard stop stands" in wrong(screened.text)[0]
        assert only(world, f"{record}/screenings")["version"] == 1

    def test_a_screening_is_corrected_from_what_it_says(
        self, browser: Browser, world: World, record: str, screening: str
    ) -> None:
        made = sent(world, f"{record}/screenings", a_screening(pregnancy="unknown"))
        assert "Save the correction" in browser.get(screening + "?form=correct").text

        answer = browser.submit(
            screening + "?form=correct",
            act="correct",
            entry=made["id"],
            version="1",
            **{f"answer-{key}": "no" for key in made["answers"]},
        )

        assert answer.status_code == 303
        corrected = only(world, f"{record}/screenings")
        assert (corrected["version"], corrected["answers"]["pregnancy"]) == (2, "no")
        assert corrected["recorded_at"] == made["recorded_at"]

    def test_without_an_answer_there_is_no_screening(
        self, browser: Browser, world: World, record: str, screening: str
    ) -> None:
        answer = browser.submit(
            screening, act="screen", id=str(uuid4()), **{"note-psychosis": "Ask again."}
        )

        assert answer.status_code == 422
        assert wrong(answer.text)
        assert "Ask again." in answer.text
        assert world.therapist.get(f"{record}/screenings").json()["screenings"] == []


class TestBesides:
    def test_a_medicine_that_interacts_is_warned_of_and_taken_off_the_list(
        self, browser: Browser, world: World, record: str, screening: str
    ) -> None:
        form = {"act": "medication", "id": str(uuid4()), "name": "Diazepam", "taken": "At night."}

        answers = [browser.submit(screening, **form) for _ in range(2)]
        page = browser.get(screening).text
        stopped = browser.submit(
            screening, act="stop", entry=form["id"], version="1", status="stopped"
        )

        assert [answer.status_code for answer in answers] == [303, 303]
        assert "It warns, and decides nothing" in page
        assert stopped.status_code == 303
        assert only(world, f"{record}/medications")["status"] == "stopped"
        after = browser.get(screening).text
        assert "Not taken any more" in after
        assert "It warns, and decides nothing" not in after

    def test_however_many_were_written_since_what_is_taken_stands_there_with_its_warning(
        self, browser: Browser, world: World, record: str, screening: str
    ) -> None:
        first = sent(world, f"{record}/medications", a_medication(name="Tranylcypromine"))
        for number in range(51):
            status = "stopped" if number % 2 else "active"
            name = f"Tea, kind {number}"
            sent(world, f"{record}/medications", a_medication(name=name, status=status))

        page = browser.get(screening)

        assert page.status_code == 200
        assert "<strong>Tranylcypromine</strong>: " in page.text
        assert f'name="entry" value="{first["id"]}"' in page.text
        assert "Older ones that are not taken any more are not listed." in page.text

    def test_a_list_without_end_says_how_many_do_not_stand_there(
        self,
        browser: Browser,
        world: World,
        record: str,
        screening: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("app.console.treatment.screening._TAKEN", 2)
        for name in ("Tranylcypromine", "Tea", "Coffee", "Water"):
            sent(world, f"{record}/medications", a_medication(name=name))

        page = browser.get(screening).text

        assert "1 more that are taken do not stand here." in page
        assert "<strong>Tranylcypromine</strong>: " in page
        assert "4 looked at" in page

    def test_what_the_patient_wrote_on_the_list_is_there(
        self, browser: Browser, world: World, record: str, screening: str
    ) -> None:
        world.patient.post(f"{record}/medications", a_medication())

        assert "Vitamin D" in browser.get(screening).text

    def test_an_earlier_treatment_counts_and_can_be_taken_back(
        self, browser: Browser, world: World, record: str, screening: str
    ) -> None:
        form = {
            "act": "trial",
            "id": str(uuid4()),
            "kind": "antidepressant",
            "drug": "Sertraline",
            "drug_class": "SSRI",
            "dose_adequate": "yes",
            "weeks": "8",
            "outcome": "no-response",
        }

        answers = [browser.submit(screening, **form) for _ in range(2)]
        page = browser.get(screening).text
        browser.submit(screening, act="withdraw-trial", entry=form["id"], version="1")

        assert [answer.status_code for answer in answers] == [303, 303]
        assert "1 adequate trial of an antidepressant failed" in page
        assert "Nobody has taken the history" in browser.get(screening).text

    def test_what_cannot_be_a_treatment_is_said_at_its_field(
        self, browser: Browser, world: World, record: str, screening: str
    ) -> None:
        sent(world, f"{record}/trial-history", a_past_treatment())

        answer = browser.submit(
            screening,
            act="trial",
            id=str(uuid4()),
            kind="antidepressant",
            drug="Venlafaxine",
            dose_adequate="yes",
            weeks="long",
            outcome="no-response",
        )

        assert answer.status_code == 422
        assert wrong(answer.text) == ["Weeks: must be a number."]
        assert 'value="Venlafaxine"' in answer.text
        assert only(world, f"{record}/trial-history")["drug"] == "Sertraline"
