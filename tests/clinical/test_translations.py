"""Other languages: whole or refused, and the best one for whoever asks."""

import pytest

from app.clinical.instruments import DefinitionRefused, Instrument, find, parse
from app.clinical.risk import assess
from app.clinical.scoring import score
from tests.clinical.definitions import DEFINITION

GERMAN = """
[translations.de]
title = "Zwei Fragen"
lead_in = "Diese Woche:"
recall = "In dieser Woche"
source = "Jemand 2002"
verified_by = "Jemand anderes"
options = { 0 = "Nein", 1 = "Ja" }

[translations.de.items]
first = { text = "Erstens?" }
second = { text = "Zweitens?", low_label = "Nichts", high_label = "Alles" }
extra = { text = "Noch etwas?", low_label = "Nichts", high_label = "Alles" }
"""

TRANSLATED = DEFINITION.replace('["en"]', '["en", "de"]') + GERMAN


def changed(old: str, new: str) -> str:
    assert GERMAN.count(old) >= 1, "the change must change something"
    return DEFINITION.replace('["en"]', '["en", "de"]') + GERMAN.replace(old, new, 1)


def german() -> Instrument:
    return parse(TRANSLATED, "two-items.toml").in_language("de")


def test_every_text_a_patient_reads_is_in_the_other_language() -> None:
    instrument = german()

    assert instrument.language == "de"
    assert instrument.title == "Zwei Fragen"
    assert instrument.lead_in == "Diese Woche:"
    assert instrument.recall.text == "In dieser Woche"
    assert [item.text for item in instrument.items] == ["Erstens?", "Zweitens?"]
    assert [option.label for option in instrument.items[0].options] == ["Nein", "Ja"]
    assert (instrument.items[1].low_label, instrument.items[1].high_label) == ("Nichts", "Alles")
    assert instrument.extras[0].text == "Noch etwas?"
    assert instrument.translation is not None
    assert instrument.translation.verified_by == "Jemand anderes"


def test_a_translation_is_the_same_questionnaire_in_everything_but_its_words() -> None:
    english, other = parse(TRANSLATED, "two-items.toml"), german()

    assert (other.key, other.version, other.languages) == ("two-items", "1", ("en", "de"))
    assert [item.code for item in other.items] == [item.code for item in english.items]
    assert other.items[0].options[0].loinc == "LA32-8"
    assert other.total == english.total
    assert score(other, [1, 4]) == score(english, [1, 4])
    assert assess(other, [1, 4]) == assess(english, [1, 4])


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        *[("de", "de"), ("de-AT", "de"), ("DE-at", "de"), ("de_CH", "de"), ("de-Latn-CH", "de")],
        *[("en", "en"), ("en-GB", "en"), ("fr", "en"), ("d", "en"), ("", "en"), ("*", "en")],
        *[("-", "en"), ("deutsch", "en")],
    ],
)
def test_the_best_language_for_a_tag_is_the_nearest_and_else_english(
    tag: str, language: str
) -> None:
    assert parse(TRANSLATED, "two-items.toml").in_language(tag).language == language


def test_a_region_of_its_own_is_nearer_than_its_language() -> None:
    swiss = GERMAN.replace("translations.de", 'translations."de-CH"').replace("Zwei", "Zwo")
    both = TRANSLATED.replace('["en", "de"]', '["en", "de", "de-CH"]') + swiss

    instrument = parse(both, "two-items.toml")

    assert instrument.in_language("de-CH").title == "Zwo Fragen"
    assert instrument.in_language("de-AT").title == "Zwei Fragen"
    assert instrument.languages == ("en", "de", "de-CH")


def test_what_is_shipped_is_english_and_is_given_to_everybody() -> None:
    assert find("phq-9").in_language("de-AT") is find("phq-9")


def test_a_translation_as_a_dict_says_whose_it_is() -> None:
    as_dict = german().as_dict()

    assert as_dict["language"] == "de"
    assert as_dict["languages"] == ["en", "de"]
    assert as_dict["translation"] == {"source": "Jemand 2002", "verified_by": "Jemand anderes"}
    assert find("phq-9").as_dict()["translation"] is None


@pytest.mark.parametrize(
    ("old", "new", "where", "why"),
    [
        ('title = "Zwei Fragen"\n', "", "de.title", "is missing"),
        ('lead_in = "Diese Woche:"\n', "", "de.lead_in", "is missing"),
        ('recall = "In dieser Woche"\n', "", "de.recall", "is missing"),
        ('source = "Jemand 2002"\n', "", "de.source", "is missing"),
        ('verified_by = "Jemand anderes"\n', "", "de.verified_by", "is missing"),
        (', 1 = "Ja"', "", "de.options.1", "is missing"),
        ('1 = "Ja"', '1 = "Ja", 2 = "?"', "de.options.2", "not a key"),
        ('first = { text = "Erstens?" }\n', "", "de.items.first", "is missing"),
        ("extra = {", "others = {", "de.items.extra", "is missing"),
        ('"Zweitens?", low_label = "Nichts"', '"Zweitens?"', "de.items.second.low_label", "is mis"),
        ('{ text = "Erstens?" }', '"Erstens?"', "de.items.first", "must be a table"),
        ('"Erstens?"', '" "', "de.items.first.text", "must not be empty"),
        ('"Erstens?"', '"?", hint = "!"', "de.items.first.hint", "not a key"),
        ('title = "Zwei', 'name = "?"\ntitle = "Zwei', "de.name", "not a key"),
    ],
)
def test_a_translation_that_is_not_whole_is_refused(
    old: str, new: str, where: str, why: str
) -> None:
    with pytest.raises(DefinitionRefused) as refused:
        parse(changed(old, new), "two-items.toml")

    assert refused.value.key == f"translations.{where}"
    assert why in refused.value.reason
    assert refused.value.line is not None
    assert refused.value.line > DEFINITION.count("\n")


@pytest.mark.parametrize("tag", ["en", "german", "DE", "de-at", "de--", "d"])
def test_what_is_no_tag_of_another_language_is_refused(tag: str) -> None:
    with pytest.raises(DefinitionRefused) as refused:
        parse(DEFINITION + GERMAN.replace("translations.de", f'translations."{tag}"'), "x.toml")

    assert "is not the tag of another language" in refused.value.reason


def test_a_language_that_is_not_named_among_the_languages_is_refused() -> None:
    with pytest.raises(DefinitionRefused) as refused:
        parse(DEFINITION + GERMAN, "two-items.toml")

    assert refused.value.key == "languages"


def test_the_options_of_one_question_are_translated_with_it() -> None:
    own = 'text = "First?"\noptions = [{ value = 0, label = "No" }, { value = 1, label = "Yes" }]'
    definition = TRANSLATED.replace('text = "First?"', own)
    with pytest.raises(DefinitionRefused) as refused:
        parse(definition, "two-items.toml")
    assert refused.value.key == "translations.de.items.first.options"

    whole = definition.replace(
        '{ text = "Erstens?" }', '{ text = "Erstens?", options = { 0 = "Nö", 1 = "Jo" } }'
    )
    options = parse(whole, "two-items.toml").in_language("de").items[0].options

    assert [option.label for option in options] == ["Nö", "Jo"]


def test_what_has_no_questions_is_translated_in_its_title_and_lead_in() -> None:
    text = DEFINITION[: DEFINITION.index("[[options]]")].replace("every-item", "every-score")
    text = text.replace('["en"]', '["en", "de"]')
    text += '[[scores]]\nkey = "a"\nlabel = "A"\nminimum = 0\nmaximum = 9\nwhole = true\n'
    german_head = GERMAN[: GERMAN.index("options =")]

    instrument = parse(text + german_head, "scores.toml").in_language("de")

    assert instrument.title == "Zwei Fragen"
    assert instrument.is_score_only
