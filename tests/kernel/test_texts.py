"""What patients read: the catalogue, the reader's language, and a clinic's own words."""

import json
import re
import string
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.errors import Kind
from app.kernel.texts import (
    ENGLISH,
    MAX_OWN_TEXT,
    best_locale,
    is_fixed,
    is_shipped,
    named,
    refusal,
    say,
    shipped,
    shipped_for,
    speak,
)

IN_ENGLISH = shipped()[ENGLISH]
PLAIN = "reminder.subject"
COUNTED = "reminder.body-many"


def own(**by_locale: Any) -> str:
    """A clinic's texts, `de_AT` for de-AT."""
    return json.dumps({locale.replace("_", "-"): texts for locale, texts in by_locale.items()})


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """What is logged."""
    kept: list[dict[str, Any]] = []

    def keep(_: object, __: str, event: Any) -> Any:
        kept.append(dict(event))
        raise structlog.DropEvent

    structlog.configure(processors=[keep])
    yield kept
    structlog.reset_defaults()


class TestCatalogue:
    def test_every_problem_has_a_title(self) -> None:
        titles = {key for key in IN_ENGLISH if key.startswith("problem.")}

        assert titles == {f"problem.{kind.code}.title" for kind in Kind}
        for kind in Kind:
            assert say(f"problem.{kind.code}.title", ENGLISH) == kind.title

    @pytest.mark.parametrize("language", shipped())
    def test_a_shipped_language_has_every_text_with_the_same_placeholders(
        self, language: str
    ) -> None:
        there = {key: text.placeholders for key, text in shipped()[language].items()}

        assert there == {key: text.placeholders for key, text in IN_ENGLISH.items()}

    @pytest.mark.parametrize("key", IN_ENGLISH)
    def test_a_text_is_one_line_with_named_placeholders_and_a_note(self, key: str) -> None:
        entry = IN_ENGLISH[key]

        assert re.fullmatch(r"[a-z]+(\.[a-z-]+)+", key)
        assert entry.note.strip()
        assert {field for _, field, _, _ in string.Formatter().parse(entry.text)} - {None} == set(
            entry.placeholders
        )
        # In a language that is not shipped a clinic may say all of them; its own rules hold here.
        assert refusal("de", key, entry.text) is None

    def test_days_and_months_are_those_of_the_calendar(self) -> None:
        days = [datetime(2024, 1, day, tzinfo=UTC) for day in range(1, 8)]
        months = [datetime(2024, month, 1, tzinfo=UTC) for month in range(1, 13)]

        for name in [f"{day:%A}" for day in days] + [f"{month:%B}" for month in months]:
            assert say(f"date.{name.lower()}", ENGLISH) == name

    @pytest.mark.parametrize(
        "word",
        [
            *("mood", "depress", "suicid", "ketamine", "therap", "treat", "medic", "health"),
            *("clinic", "patient", "dose", "session", "check-in", "journal", "phq"),
        ],
    )
    def test_no_reminder_tells_whoever_looks_over_a_shoulder(self, word: str) -> None:
        reminders = [text for key, text in IN_ENGLISH.items() if key.startswith("reminder.")]

        assert len(reminders) == 3
        assert not any(word in text.text.lower() for text in reminders)

    def test_not_driving_is_said_as_the_label_says_it(self) -> None:
        said = say("aftercare.no-driving", ENGLISH).lower()

        for part in ("drive", "machinery", "until the next day", "restful sleep"):
            assert part in said

    def test_what_it_does_not_have_cannot_be_said(self) -> None:
        with pytest.raises(KeyError):
            say("reminder.nonsense", ENGLISH)

    def test_a_value_that_is_missing_is_a_mistake_of_ours(self) -> None:
        with pytest.raises(KeyError):
            say(COUNTED, ENGLISH)


class TestLocale:
    ALPINE = own(
        de={PLAIN: "Erinnerung", COUNTED: "{count} Dinge"}, de_AT={PLAIN: "Erinnerung, gell"}
    )

    @pytest.mark.parametrize(
        ("locale", "said", "language"),
        [
            ("de-AT", "Erinnerung, gell", "de-AT"),
            ("DE-at", "Erinnerung, gell", "de-AT"),
            ("de-AT-1996", "Erinnerung, gell", "de-AT"),
            ("de-AT-x-vienna", "Erinnerung, gell", "de-AT"),
            ("de-CH", "Erinnerung", "de"),
            ("de", "Erinnerung", "de"),
            ("deu", "A reminder", "en"),
            ("fr-FR", "A reminder", "en"),
            ("en-GB", "A reminder", "en"),
            (["fr", "de-CH", "en"], "Erinnerung", "de"),
            (["en", "de"], "A reminder", "en"),
            ([], "A reminder", "en"),
            ("", "A reminder", "en"),
        ],
    )
    def test_less_and_less_of_it_is_asked_for_and_english_in_the_end(
        self, locale: str | list[str], said: str, language: str
    ) -> None:
        assert speak(PLAIN, locale, self.ALPINE) == (said, language)

    def test_each_text_is_looked_for_by_itself(self) -> None:
        assert say(COUNTED, "de-AT", own=self.ALPINE, count=3) == "3 Dinge"
        assert say("aftercare.rest", "de-AT", own=self.ALPINE) == IN_ENGLISH["aftercare.rest"].text

    def test_a_clinic_s_english_is_what_everybody_without_a_translation_reads(self) -> None:
        edited = own(en={PLAIN: "Hello from Lantern"}, en_GB={PLAIN: "Good day"})

        said = {locale: say(PLAIN, locale, own=edited) for locale in ("en", "en-GB", "en-US", "fr")}

        assert said == {
            "en": "Hello from Lantern",
            "en-GB": "Good day",
            "en-US": "Hello from Lantern",
            "fr": "Hello from Lantern",
        }

    def test_two_clinics_never_read_each_other_s_words(self) -> None:
        assert say(PLAIN, "de", own=own(de={PLAIN: "Eins"})) == "Eins"
        assert say(PLAIN, "de", own=own(de={PLAIN: "Zwei"})) == "Zwei"
        assert say(PLAIN, "de") == "A reminder"

    @pytest.mark.parametrize(
        ("tag", "written"),
        [
            ("DE-at", "de-AT"),
            ("ZH-hANT-tw", "zh-Hant-TW"),
            ("es-419", "es-419"),
            ("EN-x-AB", "en-x-ab"),
            ("sl-ROZAJ", "sl-rozaj"),
        ],
    )
    def test_a_tag_is_written_as_the_standard_does(self, tag: str, written: str) -> None:
        assert named(tag) == written

    @pytest.mark.parametrize(
        "tag", ["", "d", "de_AT", "de-", "-de", "de--AT", "dé", "*", "de-AT\n", "a" * 9, "de-" * 20]
    )
    def test_what_is_no_tag_has_no_name(self, tag: str) -> None:
        assert named(tag) is None

    def test_a_locale_of_a_shipped_language_is_shipped(self) -> None:
        assert [is_shipped(one) for one in ("en", "EN", "en-GB", "de", "enx")] == [
            True, True, True, False, False,
        ]  # fmt: skip
        assert shipped_for(["de", "en-GB"]) == shipped_for("xx") == "en"


class TestOwnWords:
    @pytest.mark.parametrize(
        "text",
        [
            "{0.__class__} {count}",
            "{count.__class__}",
            "{count!r}",
            "{count:>99999999}",
            "{count[0]}",
            "{{count}}",
            "{count",
            "count}",
            "{count} {}",
            "{co{count}unt}",
            "{count} {count}",
            "{clinic}",
            "{count} {clinic}",
            "{Count}",
            "nothing",
            "",
            " \t",
            "{count}\nBcc: x@example.org",
            "{count}\r",
            "{count}\x00",
            "{count}\x7f",
            "{count}\u2028",
            "{count} \u202egnihtemos",
            "{count}" + "x" * MAX_OWN_TEXT,
            7,
            None,
            ["{count}"],
        ],
    )
    def test_a_text_that_does_not_fit_is_refused_and_passed_over(self, text: object) -> None:
        assert refusal("de", COUNTED, text)
        assert say(COUNTED, "de", own=own(de={COUNTED: text}), count=2) == (
            "There are 2 things to fill in when you have a moment."
        )

    @pytest.mark.parametrize(
        "text",
        [
            "{count}",
            "Noch {count}!",
            "{count}" + "x" * (MAX_OWN_TEXT - 7),
            "میخواهم\u200cای {count}",
            "%s %(count)s $count {count} \\n",
        ],
    )
    def test_a_text_that_fits_is_said(self, text: str) -> None:
        assert refusal("de", COUNTED, text) is None
        assert say(COUNTED, "de", own=own(de={COUNTED: text}), count=2) == text.replace(
            "{count}", "2"
        )

    def test_a_value_is_put_in_as_it_is(self) -> None:
        odd = "{clinic} \\1 \\g<0> %s {0.__class__}"

        said = say("monitoring.care-team", ENGLISH, clinic=odd)

        assert said == f"This has been put in front of your care team at {odd}."

    def test_what_is_not_in_the_catalogue_is_refused(self) -> None:
        assert refusal("de", "reminder.nonsense", "x")

    @pytest.mark.parametrize("key", [key for key in IN_ENGLISH if is_fixed(key)])
    def test_a_promise_can_be_translated_and_not_reworded(self, key: str) -> None:
        values = dict.fromkeys(IN_ENGLISH[key].placeholders, "x")
        edit = "We watch you day and night. " + " ".join(f"{{{name}}}" for name in values)
        told = say(key, ENGLISH, **values)

        for locale in ("en", "EN", "en-GB", "en-x-own"):
            assert refusal(locale, key, edit)
            assert say(key, locale, own=json.dumps({locale: {key: edit}}), **values) == told
        assert refusal("de", key, edit) is None
        assert say(key, "de", own=own(de={key: edit}), **values) != told

    def test_what_promises_something_is_fixed_and_what_does_not_is_not(self) -> None:
        free = {key.partition(".")[0] for key in IN_ENGLISH if not is_fixed(key)}

        assert free == {"reminder", "aftercare", "plan"}

    @pytest.mark.parametrize(
        "broken", ["", "{", "null", "[]", "7", '"x"', '{"de": 7}', '{"de": null}', "[" * 100_000]
    )
    def test_what_cannot_be_read_breaks_no_answer_and_is_logged(
        self, broken: str, lines: list[dict[str, Any]]
    ) -> None:
        assert say(PLAIN, "de", own=broken + " ") == "A reminder"

        assert [line["event"] for line in lines] == ["texts.unreadable"]

    def test_one_edit_that_does_not_fit_leaves_the_others(
        self, lines: list[dict[str, Any]]
    ) -> None:
        edits = own(de={PLAIN: "Gut", COUNTED: "kein Platz"}, **{"no tag": {PLAIN: "x"}})

        assert say(PLAIN, "de", own=edits) == "Gut"
        assert say(COUNTED, "de", own=edits, count=2).startswith("There are 2 things")
        assert lines == [{"event": "texts.passed_over", "count": 2}]

    @given(st.text(), st.text(), st.text())
    def test_no_text_of_a_clinic_breaks_an_answer(self, locale: str, key: str, text: str) -> None:
        edits = json.dumps({locale: {key: text, COUNTED: text}, "de": {COUNTED: text}})

        assert say(COUNTED, "de", own=edits, count=2)
        assert say(COUNTED, locale, own=edits, count=2)


class TestAcceptLanguage:
    @pytest.mark.parametrize(
        ("header", "wanted"),
        [
            ("de", ["de"]),
            ("de-AT,de;q=0.9,en;q=0.8", ["de-at", "de", "en"]),
            ("en;q=0.1, DE ; q=0.2 ,fr", ["fr", "de", "en"]),
            ("da, en-gb;q=0.8, en;q=0.7", ["da", "en-gb", "en"]),
            ("fr;q=1.000,de;q=0.999", ["fr", "de"]),
            ("de;Q=0.5", ["de"]),
            ("a;q=0.5,b;q=0.5,c", ["c", "a", "b"]),
            ("de;q=0, fr", ["fr"]),
            ("de;q=0.000", ["en"]),
            ("*", ["en"]),
            ("*, de;q=0.5", ["de"]),
            (",, de,\t,", ["de"]),
            (None, ["en"]),
            ("", ["en"]),
            (", ,", ["en"]),
        ],
    )
    def test_it_is_read_as_the_standard_says(self, header: str | None, wanted: list[str]) -> None:
        assert best_locale(header) == wanted

    @pytest.mark.parametrize(
        "header",
        [
            "de;q=2",
            "de;q=1.001",
            "de;q=0.1234",
            "de;q=",
            "de;q=-1",
            "de;q=1e0",
            "de;q=٠",
            "de;level=1",
            "de;q=0.5;x=1",
            "de q=0.5",
            "de_AT",
            "de-",
            "überall",
            "abcdefghi",
            "de-*",
            "de\n",
            "de;q=0.5\u00a0",
            ",".join(["de"] * 33),
            "de," * 400,
            "de, <script>",
        ],
    )
    def test_what_is_malformed_asks_for_english(self, header: str) -> None:
        assert best_locale(header) == ["en"]

    @given(st.text(alphabet="de-AT*;q=01., \t\x00é", max_size=1200))
    def test_whatever_is_sent_there_is_something_to_say(self, header: str) -> None:
        wanted = best_locale(header)

        assert 1 <= len(wanted) <= 32
        assert say(PLAIN, wanted) == "A reminder"
