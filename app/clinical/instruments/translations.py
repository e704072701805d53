"""[translations.<language>]: a questionnaire in other words, complete or not at all.

A half-translated questionnaire would be a questionnaire that nobody has validated, so a
translation has every text a patient reads, and says whose it is and who checked it.
"""

import re
from dataclasses import replace

from app.clinical.instruments.definition import (
    ENGLISH,
    Instrument,
    Item,
    Option,
    Translation,
)
from app.clinical.instruments.table import Table

# A language, perhaps with a script and a region, as in de, de-AT or zh-Hant.
_TAG = r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?"


def read_translations(
    questionnaire: Table, instrument: Instrument, shared: tuple[Option, ...]
) -> tuple[Instrument, ...]:
    """The questionnaire in each language that it is translated to, by language.

    shared: the options that stand above the items; they are translated once.
    """
    if not questionnaire.has("translations"):
        return ()
    mapping = questionnaire.table("translations")
    translated = []
    for language in sorted(mapping.keys()):
        if language == ENGLISH or not re.fullmatch(_TAG, language):
            mapping.refuse(language, "is not the tag of another language, such as de or pt-BR")
        translated.append(_translated(mapping.table(language), language, instrument, shared))
    return tuple(translated)


def _translated(
    table: Table, language: str, instrument: Instrument, shared: tuple[Option, ...]
) -> Instrument:
    options = _labels(table, shared) if shared else ()
    questions = (*instrument.items, *instrument.extras)
    words: dict[str, Item] = {}
    if questions:
        mapping = table.table("items")
        words = {
            item.key: _question(mapping.table(item.key), item, shared, options)
            for item in questions
        }
        mapping.close()
    translated = replace(
        instrument,
        title=table.text("title"),
        lead_in=table.text("lead_in"),
        recall=replace(instrument.recall, text=table.text("recall")),
        items=tuple(words[item.key] for item in instrument.items),
        extras=tuple(words[item.key] for item in instrument.extras),
        language=language,
        translation=Translation(table.text("source"), table.text("verified_by")),
    )
    table.close()
    return translated


def _question(
    table: Table, item: Item, shared: tuple[Option, ...], options: tuple[Option, ...]
) -> Item:
    text = table.text("text")
    low_label = high_label = None
    if not item.options:
        options = ()
        low_label, high_label = table.text("low_label"), table.text("high_label")
    elif item.options is not shared:
        options = _labels(table, item.options)
    table.close()
    return replace(item, text=text, options=options, low_label=low_label, high_label=high_label)


def _labels(table: Table, options: tuple[Option, ...]) -> tuple[Option, ...]:
    mapping = table.table("options")
    labelled = tuple(replace(option, label=mapping.text(str(option.value))) for option in options)
    mapping.close()
    return labelled
