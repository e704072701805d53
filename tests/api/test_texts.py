"""Texts that patients read: in their language, and in their clinic's own words."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from app.kernel.edge import Desk
from app.kernel.errors import Kind, Problem
from app.people.texts import MAX_OWN_TEXTS
from tests.builders import Person, World, a_check_in
from tests.conftest import Behind

TEXTS = "/v1/clinic/texts"
GERMAN = {
    "reminder.subject": "Eine Erinnerung",
    "monitoring.journal-only": "Dies steht jetzt bei {clinic} in Ihrem Tagebuch.",
    "monitoring.no-emergency-service": "Das Tagebuch ist kein Notdienst.",
    "advice.call-emergency-number": "Wenn Sie in Gefahr sind, rufen Sie jetzt {number} an.",
    "problem.not-found.title": "Hier ist nichts für Sie",
    "problem.invalid.title": "Etwas davon ist nicht gültig",
}


def replace(
    who: Person, locale: str, texts: Any, *, version: str | None = None, **options: Any
) -> Response:
    """PUT, starting from what there is now unless a version is given."""
    if version is None:
        version = who.get(TEXTS).json()["version"]
    headers = {"If-Match": f'"{version}"'}
    return who.request(
        "PUT", f"{TEXTS}/{locale}", json={"texts": texts}, **({"headers": headers} | options)
    )


def said_by(answer: Response) -> dict[str, dict[str, str]]:
    """What the clinic says in its own words: by key, then by locale."""
    assert answer.status_code == 200, answer.text
    return {text["key"]: text["own"] for text in answer.json()["texts"] if text["own"]}


def faults(answer: Response) -> dict[str, str]:
    """Reasons by pointer."""
    assert answer.status_code == 422, answer.text
    return {fault["pointer"]: fault["reason"] for fault in answer.json()["errors"]}


class TestRead:
    def test_it_lists_every_text_and_what_may_be_done_with_it(self, world: World) -> None:
        answer = world.administrator.get(TEXTS)

        told = answer.json()
        texts = {text["key"]: text for text in told["texts"]}
        assert (told["languages"], told["answered_for"]) == (["en"], [])
        assert answer.headers["ETag"] == f'"{told["version"]}"'
        assert texts["reminder.body-many"] == {
            "key": "reminder.body-many",
            "shipped": {"en": "There are {count} things to fill in when you have a moment."},
            "own": {},
            "placeholders": ["count"],
            "note": texts["reminder.body-many"]["note"],
            "is_editable": True,
        }
        assert texts["monitoring.care-team"]["is_editable"] is False
        assert {f"problem.{kind.code}.title" for kind in Kind} <= texts.keys()

    def test_a_clinician_reads_what_the_administrator_wrote(self, world: World) -> None:
        written = replace(world.administrator, "en", {"reminder.subject": "Lantern"})

        read = world.therapist.get(TEXTS)

        assert read.json() == written.json()
        assert read.headers["ETag"] == written.headers["ETag"]


class TestReplace:
    def test_a_locale_s_texts_are_replaced_and_the_others_stay(self, world: World) -> None:
        replace(world.administrator, "en", {"reminder.subject": "One", "aftercare.rest": "Rest."})
        replace(world.administrator, "de", {"reminder.subject": "Eins"})

        changed = replace(world.administrator, "en", {"reminder.subject": "Two"})

        assert said_by(changed) == {"reminder.subject": {"en": "Two", "de": "Eins"}}
        assert changed.json()["answered_for"] == ["de"]

    def test_without_texts_everything_is_as_it_ships(self, world: World) -> None:
        before = world.administrator.get(TEXTS).json()
        replace(world.administrator, "de", GERMAN)

        after = replace(world.administrator, "DE", {})

        assert after.json() == before

    def test_a_locale_is_written_in_one_way(self, world: World) -> None:
        replace(world.administrator, "DE-at", {"reminder.subject": "Gell"})

        assert said_by(world.administrator.get(TEXTS)) == {"reminder.subject": {"de-AT": "Gell"}}

    @pytest.mark.parametrize("locale", ["d", "de_AT", "de-", "..", "a" * 9, "%00"])
    def test_what_is_no_locale_is_not_there(self, world: World, locale: str) -> None:
        assert replace(world.administrator, locale, {}).status_code == 404

    def test_two_clinics_do_not_read_each_other_s_words(self, world: World) -> None:
        replace(world.administrator, "de", GERMAN)

        assert said_by(world.elsewhere.administrator.get(TEXTS)) == {}

    def test_a_change_that_starts_from_something_older_is_refused(self, world: World) -> None:
        version = world.administrator.get(TEXTS).json()["version"]
        replace(world.administrator, "de", {"reminder.subject": "Eins"}, version=version)

        stale = replace(world.administrator, "fr", {"reminder.subject": "Un"}, version=version)

        assert (stale.status_code, stale.json()["code"]) == (412, "precondition-failed")
        assert said_by(world.administrator.get(TEXTS)) == {"reminder.subject": {"de": "Eins"}}

    def test_a_change_that_starts_from_nothing_is_refused(self, world: World) -> None:
        missing = replace(world.administrator, "de", GERMAN, headers={})

        assert (missing.status_code, missing.json()["code"]) == (428, "precondition-required")

    def test_of_changes_at_once_that_start_from_the_same_one_wins(self, world: World) -> None:
        version = world.administrator.get(TEXTS).json()["version"]
        locales = ["de", "fr", "it", "es", "pt", "nl"]

        def change(locale: str) -> int:
            edit = {"reminder.subject": locale}
            return replace(world.administrator, locale, edit, version=version).status_code

        with ThreadPoolExecutor(len(locales)) as threads:
            statuses = list(threads.map(change, locales))

        assert sorted(statuses) == [200] + [412] * 5
        winner = locales[statuses.index(200)]
        assert said_by(world.administrator.get(TEXTS)) == {"reminder.subject": {winner: winner}}

    def test_each_text_that_does_not_fit_is_named_and_nothing_is_stored(self, world: World) -> None:
        answer = replace(
            world.administrator,
            "de",
            {
                "reminder.subject": "{0.__class__}",
                "reminder.body": "x" * 2001,
                "reminder.body-many": "kein Platz",
                "aftercare.rest": "Ruhe\nBcc: x@example.org",
                "aftercare.no-driving": "Nicht fahren!",
                "canary-7f3a": "x",
            },
        )

        told = faults(answer)
        assert told.keys() == {
            "/texts/reminder.subject",
            "/texts/reminder.body",
            "/texts/reminder.body-many",
            "/texts/aftercare.rest",
            "/texts",
        }
        assert "{count}" in told["/texts/reminder.body-many"]
        for sent in ("canary", "__class__", "kein Platz", "Bcc"):
            assert sent not in answer.text
        assert said_by(world.administrator.get(TEXTS)) == {}

    @pytest.mark.parametrize(
        "key",
        ["monitoring.care-team", "advice.no-number", "problem.not-found.title", "date.monday"],
    )
    @pytest.mark.parametrize("locale", ["en", "en-GB", "EN-x-own"])
    def test_in_english_no_promise_can_be_reworded(
        self, world: World, locale: str, key: str
    ) -> None:
        answer = replace(world.administrator, locale, {key: "{clinic} is watching over you."})

        assert faults(answer)[f"/texts/{key}"].startswith("is a promise to patients")

    def test_all_texts_of_a_clinic_have_a_bound(self, world: World) -> None:
        long = dict.fromkeys(("reminder.subject", "reminder.body", "aftercare.rest"), "x" * 2000)
        fitting = MAX_OWN_TEXTS // 6100

        kept = [
            replace(world.administrator, f"q{chr(97 + place)}", long).status_code
            for place in range(fitting)
        ]
        one_more = replace(world.administrator, "qz", long)

        assert kept == [200] * fitting
        assert faults(one_more).keys() == {"/texts"}

    @pytest.mark.parametrize(
        "body",
        [{}, {"texts": []}, {"texts": {"reminder.subject": 7}}, {"texts": {}, "more": 1}],
    )
    def test_what_has_another_shape_is_refused(self, world: World, body: Any) -> None:
        version = world.administrator.get(TEXTS).json()["version"]

        answer = world.administrator.request(
            "PUT", f"{TEXTS}/de", json=body, headers={"If-Match": f'"{version}"'}
        )

        assert answer.status_code == 422

    def test_it_is_logged_with_names_and_without_words(
        self, world: World, capfd: pytest.CaptureFixture[str]
    ) -> None:
        replace(world.administrator, "de", {"reminder.subject": "Alt", "aftercare.rest": "Ruhe."})
        capfd.readouterr()

        replace(
            world.administrator, "de", {"reminder.subject": "Xylophon", "aftercare.rest": "Ruhe."}
        )

        logged = "".join(capfd.readouterr())
        assert "clinic.texts_changed" in logged
        for name in (world.here.id, world.administrator.membership_id, "de", "reminder.subject"):
            assert str(name) in logged
        assert "aftercare.rest" not in logged
        assert "Xylophon" not in logged
        assert "Alt" not in logged

    def test_what_somebody_broke_in_the_database_can_be_read_and_replaced(
        self, world: World, behind: Behind
    ) -> None:
        for broken in ('"x"', "[]", '{"de": 7, "fr": {"reminder.subject": "Un", "x": 1}}'):
            set_texts(behind, world.here.id, broken)

            read = world.administrator.get(TEXTS)
            sent = world.patient.post("/v1/patients/me/check-ins", a_check_in())

            kept = {"reminder.subject": {"fr": "Un"}} if "Un" in broken else {}
            assert said_by(read) == kept
            assert sent.status_code == 201
        replaced = replace(world.administrator, "fr", {})
        assert said_by(replaced) == {}


class TestWhatPatientsRead:
    def test_the_safety_block_is_in_the_language_of_their_profile(self, world: World) -> None:
        replace(world.administrator, "de", GERMAN)
        speak(world.patient, "de-CH")

        block = world.patient.post(
            "/v1/patients/me/check-ins?country=DE",
            a_check_in(),
            headers={"Accept-Language": "en"},
        ).json()["safety"]

        assert block["advice"] == "Wenn Sie in Gefahr sind, rufen Sie jetzt 112 an."
        said = block["monitoring_statement"]
        assert said.startswith("Dies steht jetzt bei ")
        assert said.endswith(" Das Tagebuch ist kein Notdienst.")

    def test_the_same_clinic_s_other_patients_read_english(self, world: World) -> None:
        replace(world.administrator, "de", GERMAN)
        speak(world.patient, "de")

        block = world.here.other_patient.post(
            "/v1/patients/me/check-ins", a_check_in(), headers={"Accept-Language": "de"}
        ).json()["safety"]

        assert block["monitoring_statement"].startswith("This is now in your journal at ")

    def test_a_problem_is_in_the_language_they_ask_for_if_their_clinic_has_it(
        self, world: World
    ) -> None:
        replace(world.administrator, "de", GERMAN)

        told = [
            title(who.get("/v1/patients/me/check-ins/x", headers={"Accept-Language": accepted}))
            for who, accepted in (
                (world.patient, "de-AT, en;q=0.5"),
                (world.patient, "fr, de;q=0.5"),
                (world.patient, "en, de"),
                (world.elsewhere.patient, "de"),
            )
        ]

        german, english = ("Hier ist nichts für Sie", "de"), (Kind.NOT_FOUND.title, "en")
        assert told == [german, german, english, english]

    def test_a_problem_before_the_transaction_is_too(self, world: World) -> None:
        replace(world.administrator, "de", GERMAN)

        answer = world.patient.post(
            "/v1/patients/me/check-ins", {"nothing": 1}, headers={"Accept-Language": "de"}
        )

        assert title(answer) == ("Etwas davon ist nicht gültig", "de")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")

    @pytest.mark.parametrize("is_gone", [True, False])
    def test_without_the_clinic_s_words_a_problem_is_still_told_as_what_it_is(
        self, world: World, client: TestClient, is_gone: bool
    ) -> None:
        replace(world.administrator, "de", GERMAN)
        application: Any = client.app
        desk: Desk = application.state.desk
        application.state.desk = (
            dataclasses.replace(desk, database=Gone())  # type: ignore[arg-type]
            if is_gone
            else dataclasses.replace(desk, own_texts=None)
        )
        try:
            answer = world.patient.post(
                "/v1/patients/me/check-ins", {"nothing": 1}, headers={"Accept-Language": "de"}
            )
        finally:
            application.state.desk = desk

        assert title(answer) == (Kind.INVALID.title, "en")
        assert answer.status_code == 422

    @pytest.mark.parametrize("accepted", ["de", "de, en", None, "x;q=9", "y" * 2000])
    def test_crisis_lines_need_no_language(self, client: TestClient, accepted: str | None) -> None:
        headers = {"Accept-Language": accepted} if accepted else {}

        answer = client.get("/v1/crisis-lines?country=DE", headers=headers)

        assert answer.status_code == 200
        assert answer.json()["advice"] == "If you are in danger, call 112 now."
        assert answer.headers["Vary"] == "Accept-Language"


class Gone:
    """A database that has just gone away."""

    async def run(self, _: object) -> None:
        raise Problem(Kind.UNAVAILABLE)


def title(answer: Response) -> tuple[str, str]:
    """A problem's title, and the language that it says it is in."""
    return answer.json()["title"], answer.headers["Content-Language"]


def speak(who: Person, locale: str) -> None:
    """Somebody changes the language of their profile."""
    version = who.get("/v1/me").json()["version"]
    changed = who.patch("/v1/me", {"locale": locale}, headers={"If-Match": f'"{version}"'})
    assert changed.status_code == 200


def set_texts(behind: Behind, clinic_id: UUID, stored: str) -> None:
    """Past the API, as an operator might."""
    json.loads(stored)
    behind.rows("UPDATE clinic SET texts = %s::jsonb WHERE clinic_id = %s", stored, clinic_id)
