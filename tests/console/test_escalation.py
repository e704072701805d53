"""The policy of escalation, on its page: what holds, what held, and another one."""

import re

import pytest

from app.kernel.db import Direct
from tests.builders import World, now
from tests.console.browser import Browser, at_work, value_of, wrong

PATH = "/console/clinic/escalation"
POLICY = "/v1/clinic/escalation"
LINE = r'<input id="policy-[^"]+" name="([^"]+)" type="text" value="([^"]*)"'
CHOICE = r'<select id="policy-[^"]+" name="([^"]+)"(.*?)</select>'
TICKED = r'name="([^"]+)" value="([^"]+)" checked'
A_POLICY = {
    "source": "Our own rota",
    "convention": "yes",
    "high-0-who": "care-team",
    "high-0-after_minutes": "0",
    "high-0-hours": "at-all-hours",
    "high-0-channels": "email",
    # The second row was emptied: a step is taken out so.
    "high-1-who": "",
    "high-1-after_minutes": "10",
    "high-1-hours": "at-all-hours",
    "high-2-who": "administrators",
    "high-2-after_minutes": "20",
    "high-2-hours": "at-all-hours",
    "moderate-0-who": "care-team",
    "moderate-0-after_minutes": "0",
    "moderate-0-hours": "within-coverage",
    "low-0-who": "care-team",
    "low-0-after_minutes": "0",
    "low-0-hours": "next-coverage",
    "version": "0",
}


@pytest.fixture
def boss(world: World, direct: Direct) -> Browser:
    return at_work(direct, world.administrator, now())


class TestPublishing:
    def test_the_form_has_the_policy_that_holds_and_sent_as_it_is_publishes_the_same(
        self, boss: Browser, world: World
    ) -> None:
        before = world.therapist.get(POLICY).json()
        page = boss.get(PATH).text
        form: dict[str, str | list[str]] = dict(re.findall(LINE, page))
        for name, options in re.findall(CHOICE, page, re.DOTALL):
            found = re.search(r'<option value="([^"]*)" selected', options)
            form[name] = found[1] if found else ""
        for name in {name for name, _ in re.findall(TICKED, page)}:
            form[name] = [value for of, value in re.findall(TICKED, page) if of == name]
        form |= {"source": before["source"], "version": "0"}

        answer = boss.submit(PATH, **form)

        assert answer.headers["location"] == f"{PATH}?done=published"
        after = world.therapist.get(POLICY).json()
        assert (after["version"], after["levels"]) == (1, before["levels"])

    def test_another_holds_from_then_on_and_who_published_it_is_told(
        self, boss: Browser, world: World
    ) -> None:
        answer = boss.submit(PATH, **A_POLICY)

        assert answer.status_code == 303
        held = world.therapist.get(POLICY).json()
        assert [step["after_minutes"] for step in held["levels"]["high"]] == [0, 20]
        assert held["levels"]["high"][0]["channels"] == ["inbox", "email"]
        page = boss.get(PATH).text
        assert "Our own rota" in page
        assert re.search(r"Version 1, since .*, by A administrator", page)

    def test_an_earlier_version_is_shown_and_cannot_be_edited(self, boss: Browser) -> None:
        boss.submit(PATH, **A_POLICY)
        boss.submit(PATH, **{**A_POLICY, "source": "Another rota", "version": "1"})

        first = boss.get(f"{PATH}?version=1").text

        assert "Our own rota" in first
        assert "It does not hold any more" in first
        assert '<form method="post" action="/console/clinic/escalation"' not in first
        assert boss.get(f"{PATH}?version=0").status_code == 200
        assert boss.get(f"{PATH}?version=9").status_code == 404

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"high-0-after_minutes": "soon"}, "High, step 1, minutes"),
            ({"high-0-after_minutes": ""}, "High, step 1, minutes"),
            ({"high-0-after_minutes": "30"}, "High, step 1, minutes"),
            # The second step of the policy is the third row of the form.
            ({"high-2-after_minutes": "99999"}, "High, step 3, minutes"),
            ({"high-2-hours": "never"}, "High, step 3, hours"),
            ({"high-0-hours": "next-coverage"}, "High, step 1, hours"),
            ({"low-0-who": ""}, "Low, step 1, who"),
            ({"low-0-who": "nobody"}, "Low, step 1, who"),
            ({"low-0-channels": "pigeon"}, "Low, step 1, by"),
            ({"source": " "}, "Source"),
        ],
    )
    def test_what_is_wrong_is_said_at_its_field_and_everything_is_kept(
        self, boss: Browser, world: World, changes: dict[str, str], field: str
    ) -> None:
        answer = boss.submit(PATH, **{**A_POLICY, **changes})

        assert answer.status_code == 422
        assert {sentence.partition(":")[0] for sentence in wrong(answer.text)} == {field}
        if "source" not in changes:
            assert "Our own rota" in answer.text
        assert ("high-1-after_minutes", "10") in re.findall(LINE, answer.text)
        assert value_of("version", answer.text) == "0"
        assert world.therapist.get(POLICY).json()["version"] == 0

    def test_somebody_else_published_first(self, boss: Browser) -> None:
        boss.submit(PATH, **A_POLICY)

        answer = boss.submit(PATH, **{**A_POLICY, "source": "A second rota"})

        assert answer.status_code == 412
        assert "A second rota" in answer.text
        assert "Our own rota" in answer.text
        again = {**A_POLICY, "version": value_of("version", answer.text)}
        assert boss.submit(PATH, **again).status_code == 303

    def test_a_clinician_reads_it_and_cannot_publish(self, world: World, direct: Direct) -> None:
        browser = at_work(direct, world.therapist, now())

        assert "Put another in its place" not in browser.get(PATH).text
        assert browser.submit(PATH, **A_POLICY).status_code == 403
