"""What the page of one scale says of its course, in words."""

import re

import pytest

from app.kernel.db import Direct
from tests.api.test_trajectories import answered, dosed
from tests.builders import World, now, phq_9
from tests.console.browser import Browser, at_work


@pytest.fixture
def browser(world: World, direct: Direct) -> Browser:
    return at_work(direct, world.therapist, now())


def page_of(browser: Browser, world: World, query: str = "scale=phq-9") -> str:
    return browser.get(f"/console/patients/{world.patient.patient_id}/trajectories?{query}").text


def course_of(page: str) -> str:
    [said] = re.findall(r"<dt>Response since the first dose</dt><dd>(.*?)</dd>", page)
    return str(said)


def scored(world: World, *points: tuple[float, int]) -> None:
    """(days from a dose 60 days ago, total)"""
    dosed(world, 60)
    for day, total in points:
        answered(world.patient, 60 - day, phq_9(total))


class TestCourse:
    def test_a_response_that_came_back_is_responding_and_its_loss_is_no_alarm(
        self, browser: Browser, world: World
    ) -> None:
        scored(world, (-1, 20), (14, 4), (28, 15), (42, 5))

        said = course_of(page_of(browser, world))

        assert said.startswith("<strong>Responding</strong>; first on ")
        assert "first lost on " in said
        assert said.endswith(", by a rise from the best score")
        assert said.count("<strong>") == 1

    def test_a_response_that_is_lost_says_so_first(self, browser: Browser, world: World) -> None:
        """12 of 24 is still half, and 9 above the best."""
        scored(world, (-1, 24), (14, 3), (28, 12))

        page = page_of(browser, world)

        assert course_of(page).startswith("<strong>Lost</strong>; first on ")
        summary = browser.get(f"/console/patients/{world.patient.patient_id}").text
        assert "Response, and much worse than the best: counted as lost." in summary

    def test_what_is_not_established_is_told_since_when(
        self, browser: Browser, world: World
    ) -> None:
        scored(world, (-1, 20), (14, 8), (28, 11))

        said = course_of(page_of(browser, world))

        assert re.match(r"<strong>No response</strong> since [^<]*, a loss not established;", said)

    @pytest.mark.parametrize(("day", "is_mixed"), [(7, True), (15, False)])
    def test_a_response_that_looks_back_past_the_dose_is_told_as_that(
        self, browser: Browser, world: World, day: int, is_mixed: bool
    ) -> None:
        scored(world, (-1, 20), (day, 8))

        assert ("speak of before the first dose too" in course_of(page_of(browser, world))) is (
            is_mixed
        )

    def test_none_yet_is_told_too(self, browser: Browser, world: World) -> None:
        scored(world, (-1, 20), (15, 18))

        assert course_of(page_of(browser, world)) == "<strong>None yet</strong>"

    def test_from_a_baseline_after_the_dose_no_course_is_told(
        self, browser: Browser, world: World
    ) -> None:
        scored(world, (1, 20), (15, 4))

        page = page_of(browser, world)

        assert "Response since the first dose" not in page
        assert "Baseline (provisional)" in page


class TestSuddenChanges:
    def test_what_could_not_be_judged_is_not_nothing(self, browser: Browser, world: World) -> None:
        scored(world, (-1, 20), (30, 8))

        assert "Sudden gains and losses: not assessable, because there are too few" in page_of(
            browser, world
        )

    def test_none_is_told_as_none(self, browser: Browser, world: World) -> None:
        scored(world, (-1, 20), (7, 19), (14, 18), (21, 18))

        page = page_of(browser, world)

        assert "No sudden gain or loss." in page
        assert "2 of 3 steps between scores could not be judged." in page

    def test_a_scale_without_a_reliable_change_says_why(
        self, browser: Browser, world: World
    ) -> None:
        for days in (9, 2):
            answered(world.patient, days, [5] * 5, instrument="momentary")

        page = page_of(browser, world, "scale=momentary:mood")

        assert "not assessable, because no reliable change is published" in page


class TestWords:
    def test_what_speaks_of_before_a_dose_too_is_in_the_table(
        self, browser: Browser, world: World
    ) -> None:
        scored(world, (-1, 20), (7, 15), (30, 14))

        page = page_of(browser, world)

        assert re.findall(r"<td>(before and after a dose|after it|before any)</td>", page) == [
            "after it",
            "before and after a dose",
            "before any",
        ]
        assert "is hollow in the chart" in page

    def test_noise_after_a_dose_is_no_gain_that_wore_off(
        self, browser: Browser, world: World
    ) -> None:
        scored(world, (-1, 15), (7, 14), (14, 15))

        page = page_of(browser, world, "scale=phq-9&view=doses")

        assert "no gain beyond measurement error" in page

    def test_a_pause_that_ended_the_looking_is_named(self, browser: Browser, world: World) -> None:
        scored(world, (-1, 20), (3, 5), (10, 6), (50, 18))

        page = page_of(browser, world, "scale=phq-9&view=doses")

        assert "not for 7 days, until a pause of more than 30 days" in page

    def test_a_line_that_was_back_already_is_told_and_projects_nothing(
        self, browser: Browser, world: World
    ) -> None:
        points = ((-1, 20), (1, 2), (6, 7), (11, 13), (13, 15), (16, 18), (24, 19))
        dosed(world, 25)
        for day, total in points:
            answered(world.patient, 25 - day, phq_9(total))

        page = page_of(browser, world)

        assert "would have been back at the baseline already" in page
        assert "no return is projected" in page
