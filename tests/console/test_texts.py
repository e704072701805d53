"""What patients read from the server, on its page: what is fixed, and what a clinic rewords."""

import pytest

from app.kernel.db import Direct
from tests.builders import World, now
from tests.console.browser import Browser, at_work, value_of, wrong

PATH = "/console/clinic/texts"
REMINDERS = f"{PATH}?about=reminder"


@pytest.fixture
def boss(world: World, direct: Direct) -> Browser:
    return at_work(direct, world.administrator, now())


def own(world: World, locale: str) -> dict[str, str]:
    told = world.therapist.get("/v1/clinic/texts").json()["texts"]
    return {one["key"]: one["own"][locale] for one in told if locale in one["own"]}


class TestTexts:
    def test_the_monitoring_notice_is_shown_and_is_not_changed_where_it_ships(
        self, boss: Browser
    ) -> None:
        page = boss.get(PATH).text

        assert "The journal is not an emergency service." in page
        assert "<textarea" not in page

    def test_it_is_translated_into_a_language_that_does_not_ship(
        self, boss: Browser, world: World
    ) -> None:
        version = value_of("version", boss.get(f"{PATH}?locale=nl").text)
        said = {"monitoring.no-emergency-service": "Het dagboek is geen hulpdienst."}

        answer = boss.submit(PATH, locale="nl", about="monitoring", version=version, **said)

        assert answer.headers["location"] == f"{PATH}?locale=nl&about=monitoring&done=saved"
        assert own(world, "nl") == said
        assert "Het dagboek is geen hulpdienst." in boss.get(f"{PATH}?locale=nl").text

    def test_what_is_said_of_another_subject_stays(self, boss: Browser, world: World) -> None:
        for about, said in (
            ("reminder", {"reminder.subject": "Van Lantern"}),
            ("monitoring", {"monitoring.on-duty": "Er is iemand."}),
        ):
            version = value_of("version", boss.get(f"{PATH}?locale=nl").text)
            boss.submit(PATH, locale="nl", about=about, version=version, **said)

        assert own(world, "nl") == {
            "reminder.subject": "Van Lantern",
            "monitoring.on-duty": "Er is iemand.",
        }

    def test_an_empty_field_is_said_as_it_ships_again(self, boss: Browser, world: World) -> None:
        for said in ("A note", ""):
            version = value_of("version", boss.get(REMINDERS).text)
            sent = {"reminder.subject": said}
            boss.submit(PATH, locale="en", about="reminder", version=version, **sent)

        assert own(world, "en") == {}

    def test_what_does_not_fit_is_said_at_its_field_and_kept(
        self, boss: Browser, world: World
    ) -> None:
        version = value_of("version", boss.get(REMINDERS).text)
        typed = "Answer {all} of them"

        answer = boss.submit(
            PATH, locale="en", about="reminder", version=version, **{"reminder.subject": typed}
        )

        assert answer.status_code == 422
        assert [one.partition(":")[0] for one in wrong(answer.text)] == ["Subject"]
        assert typed in answer.text
        assert own(world, "en") == {}

    def test_somebody_else_s_change_came_first(self, boss: Browser) -> None:
        version = value_of("version", boss.get(REMINDERS).text)
        sent = {"locale": "en", "about": "reminder", "version": version}
        boss.submit(PATH, **sent, **{"reminder.subject": "The first"})

        answer = boss.submit(PATH, **sent, **{"reminder.subject": "The second"})

        assert answer.status_code == 412
        assert "The first" in answer.text
        assert "The second" in answer.text
        sent["version"] = value_of("version", answer.text)
        assert boss.submit(PATH, **sent, **{"reminder.subject": "The second"}).status_code == 303

    def test_what_is_no_language_is_said_at_its_field(self, boss: Browser) -> None:
        answer = boss.get(f"{PATH}?locale=Dutch!")

        assert answer.status_code == 422
        assert "is no language tag" in answer.text

    def test_clinicians_read_them_and_do_not_change_them(
        self, world: World, direct: Direct
    ) -> None:
        browser = at_work(direct, world.therapist, now())

        assert "<textarea" not in browser.get(REMINDERS).text
        sent = {"locale": "en", "about": "reminder", "version": "x", "reminder.subject": "A note"}
        assert browser.submit(PATH, **sent).status_code == 403
