"""The thread, one entry of it, and the week on pages."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient

from app.console import story
from app.kernel.db import Direct
from app.story.schemas import StoryEntryOut
from tests.builders import (
    LEVELS,
    Person,
    World,
    a_check_in,
    a_clinic,
    a_coping_strategy,
    a_goal,
    a_goal_rating,
    a_goal_step,
    a_note,
    a_practice,
    a_practice_tick,
    amended,
    an_insight,
    an_integration_session,
    an_intention,
    now,
    phq_9,
)
from tests.console.browser import Browser, at_work, bare, heading, wrong


@pytest.fixture
def browser(world: World, direct: Direct) -> Browser:
    return at_work(direct, world.therapist, now())


@pytest.fixture
def root(world: World) -> str:
    return f"/console/patients/{world.patient.patient_id}"


def kept(person: Person, kind: str, body: Mapping[str, Any], days: float = 0) -> str:
    """Sent over the API, recorded so many days ago. Returns: the entry's id."""
    at = (now() - timedelta(days=days)).isoformat()
    answer = person.post(f"{person.record}/{kind}", {**body, "recorded_at": at})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def of(kind: str, entry: str) -> dict[str, Any]:
    return {"came_from": {"kind": kind, "id": entry}}


def a_story(patient: Person) -> dict[str, str]:
    """From an intention to a coping strategy. Returns: ids by kind."""
    told = {"intention": kept(patient, "intentions", an_intention(), 10)}
    note = a_note(**of("intention", told["intention"]), how_strong=7)
    told["note"] = kept(patient, "notes", note, 9)
    told["insight"] = kept(patient, "insights", an_insight(**of("note", told["note"])), 8)
    goal = a_goal(levels=LEVELS, baseline_level=-1, **of("insight", told["insight"]))
    told["goal"] = kept(patient, "goals", goal, 7)
    told["goal_step"] = kept(patient, "goal-steps", a_goal_step(told["goal"]), 6)
    told["practice"] = kept(patient, "practices", a_practice(**of("goal", told["goal"])), 5)
    tick = a_practice_tick(told["practice"], (now() - timedelta(days=1)).date().isoformat())
    kept(patient, "practice-ticks", tick)
    kept(patient, "goal-ratings", a_goal_rating(told["goal"], 0))
    strategy = a_coping_strategy(**of("practice", told["practice"]))
    told["coping_strategy"] = kept(patient, "coping-strategies", strategy, 4)
    return told


class TestThread:
    def test_a_story_is_told_in_order_and_says_what_came_from_what(
        self, browser: Browser, world: World, root: str
    ) -> None:
        told = a_story(world.patient)

        page = browser.get(f"{root}/thread").text

        places = re.findall(r'<li id="([a-z_]+-[0-9a-f-]{36})"', page)
        assert places == [f"{kind}-{entry}" for kind, entry in told.items()]
        assert "From intention to coping strategy" in page
        for entry, source in (
            ("insight", "note"),
            ("goal", "insight"),
            ("goal_step", "goal"),
            ("practice", "goal"),
            ("coping_strategy", "practice"),
        ):
            said = part(page, f"{entry}-{told[entry]}")
            assert re.search(rf'Came from the\s+<a href="#{source}-{told[source]}">', said), entry
        led = part(page, f"goal-{told['goal']}")
        assert f'href="#goal_step-{told["goal_step"]}"' in led
        assert f'href="#practice-{told["practice"]}"' in led

    def test_each_entry_says_its_kind_who_reads_it_and_what_became_of_it(
        self, browser: Browser, world: World, root: str
    ) -> None:
        told = a_story(world.patient)

        page = browser.get(f"{root}/thread").text

        for kind, words in (
            ("intention", "Intention"),
            ("note", "How strong: 7 of 10."),
            ("note", "shared with the care team"),
            ("goal", "<strong>Achieved</strong>, by the patient’s ratings"),
            ("goal_step", "shown with its goal"),
            ("practice", "done on 1 date, skipped on 0, last done"),
            ("coping_strategy", "Coping strategy"),
        ):
            assert words in part(page, f"{kind}-{told[kind]}"), kind

    def test_several_sources_are_all_named(self) -> None:
        at = datetime(2026, 3, 1, tzinfo=UTC)

        def entry(kind: str, *sources: Any) -> StoryEntryOut:
            links = [{"kind": one.kind, "id": one.id} for one in sources]
            nothing = dict.fromkeys(("dosing_session_id", "note", "goal", "step", "practice"))
            return StoryEntryOut.model_validate(
                {
                    **nothing,
                    "has_earlier": False,
                    "kind": kind,
                    "id": uuid4(),
                    "version": 1,
                    "status": "active",
                    "effective_at": at,
                    "tier": "care-team",
                    "words": "word " * 20,
                    "is_shortened": False,
                    "came_from": links,
                }
            )

        note, insight = entry("note"), entry("insight")
        goal = entry("goal", note, insight)

        told = story.told_of([note, insight, goal])

        assert [one.kind for one in told[2].came_from] == ["Experience", "Insight"]
        assert [one.anchor for one in told[0].led_to] == [f"goal-{goal.id}"]
        assert told[2].came_from[0].words.endswith("word\N{HORIZONTAL ELLIPSIS}")

    def test_what_is_linked_to_nothing_stands_apart(
        self, browser: Browser, world: World, root: str
    ) -> None:
        kept(world.patient, "insights", an_insight())

        page = browser.get(f"{root}/thread").text

        assert "Linked to nothing" in page
        assert "I was never the reason." in page

    def test_a_private_note_or_goal_leaves_no_trace_and_what_came_from_it_comes_from_nothing(
        self, browser: Browser, world: World, root: str
    ) -> None:
        secret = f"private {uuid4()}"
        note = kept(world.patient, "notes", a_note(words=secret, tier="private"), 3)
        kept(world.patient, "insights", an_insight(**of("note", note)), 2)
        goal = kept(world.patient, "goals", a_goal(words=secret, tier="private"), 1)
        kept(world.patient, "goal-steps", a_goal_step(goal, words=secret), 1)

        page = browser.get(f"{root}/thread").text

        assert secret not in page
        assert note not in page
        assert goal not in page
        assert "Came from" not in page
        assert "Linked to nothing" in page
        for kind, entry in (("note", note), ("goal", goal)):
            answer = browser.get(f"{root}/thread/{kind}/{entry}")
            missing = browser.get(f"{root}/thread/{kind}/{uuid4()}")
            assert answer.status_code == 404
            assert answer.content == missing.content

    def test_a_page_with_something_private_behind_it_is_the_page_without(
        self, browser: Browser, world: World, root: str
    ) -> None:
        a_story(world.patient)
        pages = ("thread", "week", "goals", "practices", "integration")
        before = {one: bare(browser.get(f"{root}/{one}").text) for one in pages}
        for kind, body in (
            ("intentions", an_intention()),
            ("notes", a_note()),
            ("insights", an_insight()),
            ("goals", a_goal()),
            ("practices", a_practice()),
            ("coping-strategies", a_coping_strategy()),
        ):
            kept(world.patient, kind, {**body, "tier": "private"})

        after = {one: bare(browser.get(f"{root}/{one}").text) for one in pages}

        assert after == before

    def test_who_only_monitors_sees_neither_notes_nor_insights_nor_that_something_came_from_them(
        self, world: World, direct: Direct, root: str
    ) -> None:
        told = a_story(world.patient)
        secret = kept(world.patient, "goals", a_goal(words="Hidden.", tier="private"))
        nurse = having(world, direct, "monitor")

        page = nurse.get(f"{root}/thread").text

        assert told["goal"] in page
        assert told["note"] not in page
        assert told["insight"] not in page
        assert secret not in page
        assert "Insight" not in page
        assert "Came from" not in part(page, f"goal-{told['goal']}")
        for kind in ("note", "insight"):
            refused = nurse.get(f"{root}/thread/{kind}/{told[kind]}")
            assert refused.status_code == 403

    def test_a_coach_sees_goals_steps_and_practices(
        self, world: World, direct: Direct, root: str
    ) -> None:
        told = a_story(world.patient)
        coach = at_work(direct, world.here.coach, now())

        page = coach.get(f"{root}/thread").text

        shown = re.findall(r'<li id="([a-z_]+)-', page)
        assert shown == ["goal", "goal_step", "practice"]
        assert told["intention"] not in page
        for tab in ("Sessions", "Week"):
            assert f">{tab}</a>" not in page
        for closed in ("integration", "week"):
            assert coach.get(f"{root}/{closed}").status_code == 403

    def test_dates_choose_and_both_are_included(
        self, browser: Browser, world: World, root: str
    ) -> None:
        kept(world.patient, "insights", an_insight(words="The first."), 9)
        kept(world.patient, "insights", an_insight(words="The second."), 6)
        kept(world.patient, "insights", an_insight(words="The third."), 3)
        on = (now() - timedelta(days=6)).date().isoformat()

        page = browser.get(f"{root}/thread?from={on}&until={on}").text

        assert "The second." in page
        assert "The first." not in page
        assert "The third." not in page
        assert "What lies outside these dates is not here" in page
        assert f'value="{on}"' in page

    def test_dates_are_on_the_clinic_s_clock(self, client: TestClient, direct: Direct) -> None:
        clinic = a_clinic(client, direct, country="DE", time_zone="Europe/Berlin")
        at = datetime(2026, 1, 15, 23, 30, tzinfo=ZoneInfo("Europe/Berlin"))
        body = an_insight(recorded_at=at.isoformat())
        clinic.patient.post(f"{clinic.patient.record}/insights", body)
        browser = at_work(direct, clinic.therapist, now())
        path = f"/console/patients/{clinic.patient.patient_id}/thread"

        then = browser.get(f"{path}?from=2026-01-15&until=2026-01-15").text
        after = browser.get(f"{path}?from=2026-01-16").text

        assert "I was never the reason." in then
        assert "I was never the reason." not in after

    @pytest.mark.parametrize(
        "typed", ["soon", "2026-02-30", "1999-01-01", "20260101", "2026-W10-1"]
    )
    def test_what_is_no_date_is_said_at_its_field_and_stays_there(
        self, browser: Browser, root: str, typed: str
    ) -> None:
        answer = browser.get(f"{root}/thread?from={typed}")

        assert answer.status_code == 422
        assert wrong(answer.text) == ["From: is not a date."]
        assert f'value="{typed}"' in answer.text

    def test_dates_in_the_wrong_order_are_said_to_be_and_not_that_nothing_is_shared(
        self, browser: Browser, root: str
    ) -> None:
        answer = browser.get(f"{root}/thread?from=2026-03-02&until=2026-03-01")

        assert answer.status_code == 422
        assert wrong(answer.text) == ["Until: is before the first of these dates."]
        assert "Nothing is shared with you" not in answer.text

    def test_a_page_that_has_no_room_for_more_says_so_and_leads_to_what_is_before(
        self, browser: Browser, world: World, root: str
    ) -> None:
        for number in range(story.MOST + 5):
            days = (story.MOST + 5 - number) / 10
            kept(world.patient, "insights", an_insight(words=f"Insight {number}."), days)

        answer = browser.get(f"{root}/thread")
        older = re.search(r'<a href="([^"]+)">Show what is before', answer.text)

        assert answer.text.count("<li id=") == story.MOST
        assert "Insight 4." not in answer.text
        assert "There is more than one page has room for" in answer.text
        assert len(answer.content) < 150_000
        assert older
        before = browser.get(older[1].replace("&amp;", "&")).text
        assert "Insight 4." in before
        assert "There is more than one page" not in before

    def test_a_day_with_more_entries_than_a_page_has_room_for_is_read_to_its_first(
        self, browser: Browser, world: World, root: str
    ) -> None:
        for number in range(2 * story.MOST + 5):
            seconds = 2 * story.MOST + 5 - number
            kept(world.patient, "insights", an_insight(words=f"Number {number}."), seconds / 86_400)

        pages, path = [], f"{root}/thread"
        while path:
            pages.append(browser.get(path).text)
            older = re.search(r'<a href="([^"]+)">Show what is before', pages[-1])
            path = unescape(older[1]) if older else ""

        assert [page.count("<li id=") for page in pages] == [story.MOST, story.MOST, 5]
        found = [int(one) for page in pages for one in re.findall(r">Number (\d+)\.<", page)]
        assert sorted(set(found)) == list(range(2 * story.MOST + 5))

    @pytest.mark.parametrize("typed", ["soon", "2026-01-01T00:00:00", "1999-01-01T00:00:00Z"])
    def test_an_instant_that_no_link_of_ours_names_is_not_there(
        self, browser: Browser, root: str, typed: str
    ) -> None:
        assert browser.get(f"{root}/thread?before={typed}").status_code == 404

    def test_no_words_are_in_an_address_or_a_title(
        self, browser: Browser, world: World, root: str
    ) -> None:
        kept(world.patient, "insights", an_insight(words="Zebra."))

        page = browser.get(f"{root}/thread").text

        assert "Zebra" not in "".join(re.findall(r'(?:href|action|id)="[^"]*"', page))
        assert "<title>A. p. Thread" in page


class TestEntry:
    def test_it_has_all_words_and_every_version(
        self, browser: Browser, world: World, root: str
    ) -> None:
        long = "word " * 60 + "and the end."
        insight = kept(world.patient, "insights", an_insight(words=long))
        cut = browser.get(f"{root}/thread").text
        one = f"{world.patient.record}/insights/{insight}"
        amended(world.patient, one, an_insight(words="Said otherwise."), 1)

        page = browser.get(f"{root}/thread/insight/{insight}").text

        assert f'href="{root}/thread/insight/{insight}"' in cut
        assert "and the end." not in cut
        assert "Said otherwise." in page
        assert "and the end." in page
        assert "Version 1" in page

    def test_what_is_no_kind_is_not_found(self, browser: Browser, root: str) -> None:
        assert browser.get(f"{root}/thread/check_in/{uuid4()}").status_code == 404


class TestWeek:
    def test_it_says_what_moved_was_done_was_written_and_is_next(
        self, browser: Browser, world: World, root: str
    ) -> None:
        patient = world.patient
        kept(patient, "check-ins", a_check_in(answers=phq_9(20)), 9)
        kept(patient, "check-ins", a_check_in(answers=phq_9(10)))
        kept(patient, "insights", an_insight())
        goal = kept(patient, "goals", a_goal(levels=LEVELS), 9)
        kept(patient, "goal-ratings", a_goal_rating(goal, 1))
        practice = kept(patient, "practices", a_practice(), 9)
        kept(patient, "practice-ticks", a_practice_tick(practice, now().date().isoformat()))
        soon = (now() + timedelta(days=1)).isoformat()
        talk = an_integration_session(status="scheduled", scheduled_at=soon)
        world.therapist.post(f"{patient.record}/integration-sessions", talk)

        page = browser.get(f"{root}/week").text

        assert "Patient Health Questionnaire-9" in page
        assert "\N{MINUS SIGN}10, improved, more than measurement error" in page
        assert "first rating, by the patient" in page
        assert "Breathe by the window." in page
        assert "I was never the reason." in page
        assert ">integration session</a>" in page
        assert "so far" in page
        assert "Week after" not in page

    def test_of_a_week_with_much_in_it_the_newest_are_shown_and_the_rest_is_in_the_thread(
        self, browser: Browser, world: World, root: str
    ) -> None:
        for number in range(62):
            kept(world.patient, "insights", an_insight(words=f"Insight {number}."))

        page = browser.get(f"{root}/week").text

        thread = re.search(r'2 more are in <a href="([^"]+)">', page)
        assert "Insight 61." in page
        assert "Insight 1." not in page
        assert "Insight: 62" in page
        assert thread
        assert "Insight 1." in browser.get(thread[1].replace("&amp;", "&")).text

    def test_weeks_lead_to_each_other_and_the_last_one_to_no_later(
        self, browser: Browser, root: str
    ) -> None:
        first = browser.get(f"{root}/week?week=2026-W01").text
        before = re.search(r'rel="prev" href="([^"]+)"', first)
        after = re.search(r'rel="next" href="([^"]+)"', first)

        assert "29 Dec 2025 to 4 Jan 2026" in first
        assert before
        assert before[1] == f"{root}/week?week=2025-W52"
        assert after
        assert after[1] == f"{root}/week?week=2026-W02"

    @pytest.mark.parametrize(
        "week",
        ["2026-W54", "2026-W00", "2026-W1", "2026W01", "x", "1999-W01", "2098-W01", "²026-W01"],
    )
    def test_what_is_no_week_or_has_not_begun_is_not_there(
        self, browser: Browser, root: str, week: str
    ) -> None:
        for page in ("week", "week/print"):
            answer = browser.get(f"{root}/{page}?week={week}")

            assert answer.status_code == 404
            assert heading(answer.text) == "There is nothing here for you"

    def test_its_page_to_print_is_that_of_the_api_and_leads_to_the_sign_in(
        self, browser: Browser, world: World, root: str
    ) -> None:
        kept(world.patient, "insights", an_insight(words="Kept on paper."))
        page = browser.get(f"{root}/week").text
        leads = re.search(r'href="([^"]+)">Page to print', page)
        assert leads

        answer = browser.get(leads[1])

        api = world.therapist.get(f"{world.patient.record}/week", headers={"Accept": "text/html"})
        assert answer.status_code == 200
        assert "Kept on paper." in answer.text
        assert without_instants(answer.text) == without_instants(api.text)
        policy = answer.headers["content-security-policy"]
        assert policy == api.headers["content-security-policy"]
        assert "/console/sign-in?next=" in answer.headers["refresh"]
        assert answer.headers["cache-control"] == "no-store"

    def test_a_flag_has_its_level_and_is_no_number_among_the_scores(
        self, browser: Browser, world: World, root: str
    ) -> None:
        kept(world.patient, "check-ins", a_check_in(answers=phq_9(13, item_nine=2)))

        page = browser.get(f"{root}/week").text

        listed = page.partition("<h3>Flags</h3>")[2].partition("</ul>")[0]
        assert "level-moderate" in listed
        assert "Nobody has answered" in listed
        assert "suicid" not in page.partition("What moved")[2].partition("What was done")[0].lower()


def part(page: str, anchor: str) -> str:
    """What stands at an entry's place."""
    found = page.partition(f'<li id="{anchor}"')[2]
    assert found, anchor
    return found.partition("<li id=")[0]


def having(world: World, direct: Direct, *privileges: str) -> Browser:
    """The therapist with these privileges and no others."""
    boss = at_work(direct, world.administrator, now())
    member = f"/console/people/members/{world.therapist.membership_id}"
    done = boss.submit(member, act="privileges", privileges=list(privileges), version="1")
    assert done.status_code == 303
    return at_work(direct, world.therapist, now())


def without_instants(page: str) -> str:
    """As asked for at any time."""
    return re.sub(r"\d\d:\d\d(:\d\d)?", "", page)
