"""Practices, coping strategies and triggers on a page."""

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.console.practices import in_words
from app.kernel.db import Direct
from app.practices.schemas import ScheduleOut
from tests.builders import (
    Person,
    World,
    a_coping_strategy,
    a_practice,
    a_practice_tick,
    a_schedule,
    a_trigger,
    amended,
    now,
)
from tests.console.browser import Browser, at_work, bare


@pytest.fixture
def browser(world: World, direct: Direct) -> Browser:
    return at_work(direct, world.therapist, now())


@pytest.fixture
def path(world: World) -> str:
    return f"/console/patients/{world.patient.patient_id}/practices"


def kept(person: Person, kind: str, body: dict[str, Any]) -> str:
    """Sent over the API. Returns: the entry's id."""
    answer = person.post(f"{person.record}/{kind}", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def day(back: int) -> str:
    """So many days ago, where the patient is (on UTC)."""
    return (now() - timedelta(days=back)).date().isoformat()


def ticked(world: World, practice: str, *back: int, **changes: Any) -> None:
    for one in back:
        kept(world.patient, "practice-ticks", a_practice_tick(practice, day(one), **changes))


class TestPractices:
    def test_a_practice_says_what_when_how_often_and_in_a_row(
        self, browser: Browser, world: World, path: str
    ) -> None:
        practice = kept(world.patient, "practices", a_practice(remind_at="07:30"))
        ticked(world, practice, 1, 2, 3, 30)
        ticked(world, practice, 4, status="skipped", reason="I was travelling.")

        page = browser.get(path).text

        assert "Breathe by the window." in page
        assert "Breath · every day from 1 Jan 2026" in page
        assert "the phone reminds at 07:30" in page
        assert "<strong>3 of 5</strong> (60 %), 1 skipped" in page
        assert "<strong>3 dates</strong>" in page
        assert "still to be done" in page

    def test_the_strip_has_28_days_and_says_each_in_words(
        self, browser: Browser, world: World, path: str
    ) -> None:
        practice = kept(world.patient, "practices", a_practice())
        ticked(world, practice, 0, 27, 28)
        ticked(world, practice, 1, status="skipped", reason="I was ill.")
        ticked(world, practice, 2, status="skipped", reason="Not counted: it was done.")
        ticked(world, practice, 2)

        page = browser.get(path).text

        days = page.partition('<ol class="strip"')[2].partition("</ol>")[0]
        assert days.count("<li") == 28
        assert days.count(": done</span>") == 3
        assert days.count(": skipped</span>") == 1
        assert days.count(": nothing was said</span>") == 24
        assert "I was ill." in page
        assert "Not counted" not in page

    def test_the_strip_tells_what_was_not_expected_from_what_nobody_spoke_to(
        self, browser: Browser, world: World, path: str
    ) -> None:
        today = now().date()
        schedule = a_schedule(
            kind="every-n-days",
            every=2,
            weekdays=[],
            from_on=(today - timedelta(days=9)).isoformat(),
        )
        kept(world.patient, "practices", a_practice(schedule=schedule))

        page = browser.get(path).text

        days = page.partition('<ol class="strip"')[2].partition("</ol>")[0]
        assert days.count(": nothing was said</span>") == 5
        assert days.count(": not expected</span>") == 23

    def test_a_private_practice_leaves_no_trace(
        self, browser: Browser, world: World, path: str
    ) -> None:
        kept(world.patient, "practices", a_practice())
        kept(world.patient, "coping-strategies", a_coping_strategy())
        before = bare(browser.get(path).text)
        secret = f"private {uuid4()}"
        hidden = kept(world.patient, "practices", a_practice(words=secret, tier="private"))
        ticked(world, hidden, 1, status="skipped", reason=secret)
        strategy = kept(
            world.patient, "coping-strategies", a_coping_strategy(words=secret, tier="private")
        )
        kept(world.patient, "triggers", a_trigger(strategy, words=secret, tier="private"))

        after = browser.get(path).text

        assert secret not in after
        assert bare(after) == before

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"kind": "daily"}, "every day"),
            ({"kind": "weekdays", "weekdays": [4, 1]}, "on Mon and Thu"),
            ({"kind": "weekdays", "weekdays": [3]}, "on Wed"),
            ({"kind": "weekdays", "weekdays": [1, 3, 5]}, "on Mon, Wed and Fri"),
            ({"kind": "every-n-days", "every": 3}, "every 3 days"),
            ({"kind": "every-n-days", "every": 1}, "every day"),
            ({"kind": "times-a-week", "times": 3}, "3 times a week"),
            ({"kind": "times-a-week", "times": 1}, "once a week"),
        ],
    )
    def test_a_schedule_is_said_in_words(self, changes: dict[str, Any], words: str) -> None:
        plain: dict[str, Any] = {"weekdays": [], "every": None, "times": None, "pauses": []}
        told = ScheduleOut(**{**plain, "from_on": date(2026, 1, 1), "until_on": None, **changes})

        assert in_words(told) == words


class TestCoping:
    def test_what_helped_has_counts_an_interval_and_no_proof_of_cause(
        self, browser: Browser, world: World, path: str
    ) -> None:
        strategy = kept(world.patient, "coping-strategies", a_coping_strategy())
        for helped in (3, 3, 3, 3, 0):
            kept(world.patient, "triggers", a_trigger(strategy, helped=helped, intensity_after=5))

        page = browser.get(path).text

        assert "No proof of cause." in page
        assert "4 of 5 (80 %)" in page
        # Wilson 1927, 4 of 5.
        assert "38 % to 96 %" in page
        assert "\N{MINUS SIGN}2 (median of 5)" in page
        assert "(helped 3 of 4)" in page
        assert "A door that slammed." in page

    def test_from_a_handful_of_times_nothing_is_told(
        self, browser: Browser, world: World, path: str
    ) -> None:
        strategy = kept(world.patient, "coping-strategies", a_coping_strategy())
        kept(world.patient, "triggers", a_trigger(strategy, helped=4))

        page = browser.get(path).text

        assert "known 1 time; nothing is told from fewer than 5" in page
        assert "100 %" not in page

    def test_a_strategy_that_turned_private_is_named_nowhere(
        self, browser: Browser, world: World, path: str
    ) -> None:
        words = f"Something {uuid4()}"
        strategy = kept(world.patient, "coping-strategies", a_coping_strategy(words=words))
        kept(world.patient, "triggers", a_trigger(strategy, helped=4))
        assert words in browser.get(path).text
        one = f"{world.patient.record}/coping-strategies/{strategy}"
        amended(world.patient, one, a_coping_strategy(words=words, tier="private"), 1)

        page = browser.get(path).text

        assert words not in page
        assert "an older one" not in page
        assert "(helped 4 of 4)" not in page

    def test_a_coach_sees_practices_and_nothing_of_what_is_hard(
        self, world: World, direct: Direct, path: str
    ) -> None:
        kept(world.patient, "practices", a_practice())
        kept(world.patient, "coping-strategies", a_coping_strategy())
        kept(world.patient, "triggers", a_trigger())
        browser = at_work(direct, world.here.coach, now())

        page = browser.get(path).text

        assert "Breathe by the window." in page
        assert "When it gets hard" not in page
        assert "A door that slammed." not in page
        assert "Hold something cold." not in page

    def test_older_triggers_are_on_the_next_page(
        self, browser: Browser, world: World, path: str
    ) -> None:
        for number in range(21):
            at = (now() - timedelta(days=number)).isoformat()
            kept(world.patient, "triggers", a_trigger(words=f"Trigger {number}.", recorded_at=at))

        first = browser.get(path).text
        more = first.partition('rel="next" href="')[2].partition('"')[0]
        second = browser.get(more).text

        assert "Trigger 19." in first
        assert "Trigger 20." not in first
        assert "Trigger 20." in second
