"""Every text that a patient reads from the server: one catalogue, in the reader's language.

`say("reminder.body-many", chart.locale, own=chart.clinic.texts, count=3)` is the text in the
best language there is: the locale, then less and less of it (RFC 4647 section 3.4), then
English. At each step what the clinic says in its own words comes before what is shipped.

A text has named `{placeholders}` and nothing else: it is no format string, and a value is put in
as it is. What a clinic wrote is checked when it is set (`refusal`) and again when it is read:
an edit that does not fit its text any more is passed over for the shipped one.

Some texts are promises: the honest sentence about monitoring, whom to call, what went wrong. In
a shipped language a clinic cannot reword them; in another language it may supply a translation,
and answers for it.

English is shipped. A language is shipped when its texts have been checked; see `catalogue/`.
"""

import json
import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from app.kernel.errors import Kind
from app.kernel.log import logger

ENGLISH: Final = "en"
NOTHING_OWN: Final = "{}"
MAX_OWN_TEXT: Final = 2000
"""Characters of one text that a clinic edits."""

# What promises something: also that a message to a member of a clinic names nobody.
_FIXED: Final = ("advice.", "alert.", "coping.", "date.", "monitoring.", "problem.")
_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")
_TAG: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", re.ASCII)
_MAX_TAG: Final = 35
# Controls and line breaks would begin another line or header; what turns the direction of
# writing would make a text look like another one. Joiners stay: scripts need them.
_UNWELCOME_CATEGORIES: Final = {"Cc", "Cs", "Zl", "Zp"}
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

Locale = str | Sequence[str]
"""A BCP 47 tag, or several, best first."""


class Text(NamedTuple):
    """An entry of the catalogue. note: for whoever translates it."""

    text: str
    placeholders: tuple[str, ...]
    note: str


class Said(NamedTuple):
    """A text for a reader, and the language it came out in."""

    text: str
    language: str


def say(key: str, locale: Locale, /, own: str = NOTHING_OWN, **values: str | int) -> str:
    """A text in the reader's language.

    own: what a clinic says in its own words, the JSON text of `clinic.texts`. values: for the
    placeholders. Raises: KeyError for a key or a value that is missing.
    """
    return speak(key, locale, own, **values).text


def speak(key: str, locale: Locale, /, own: str = NOTHING_OWN, **values: str | int) -> Said:
    """As `say`, with the language."""
    edits = _usable(own)
    for tag in _narrowing(locale if isinstance(locale, str) else tuple(locale)):
        found = edits.get(tag, {}).get(key) or _shipped_as(tag, key)
        if found is not None:
            text = _PLACEHOLDER.sub(lambda placeholder: str(values[placeholder[1]]), found)
            return Said(text, named(tag) or ENGLISH)
    raise KeyError(key)


def best_locale(accept_language: str | None) -> list[str]:
    """What an Accept-Language header asks for, best first (RFC 9110 section 12.5.4).

    What is missing, malformed or longer than anybody's wishes asks for English. `*` is left
    out, as English follows in any case (RFC 4647 section 3.4).
    """
    if accept_language is None or len(accept_language) > _MAX_HEADER:
        return [ENGLISH]
    ranges: list[tuple[float, str]] = []
    for element in accept_language.split(","):
        wish = element.strip(" \t")
        if not wish:
            continue  # a list may have empty elements (RFC 9110 section 5.6.1)
        found = _RANGE.fullmatch(wish)
        if found is None or len(ranges) == _MAX_RANGES:
            return [ENGLISH]
        ranges.append((float(found[2] or 1), found[1].lower()))
    wanted = sorted((one for one in ranges if one[0] > 0), key=lambda one: -one[0])
    return [tag for _, tag in wanted if tag != "*"] or [ENGLISH]


_MAX_HEADER: Final = 1000
_MAX_RANGES: Final = 32
_RANGE: Final = re.compile(
    r"([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*)"
    r"(?:[ \t]*;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?",
    re.ASCII,
)


@lru_cache(1)
def shipped() -> Mapping[str, Mapping[str, Text]]:
    """The catalogue: by language, then by key."""
    folder = files("app.kernel").joinpath("catalogue")
    read = {
        file.name.removesuffix(".toml"): tomllib.loads(file.read_text("utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".toml")
    }
    for kind in Kind:
        read[ENGLISH][f"problem.{kind.code}.title"] = {
            "text": kind.title,
            "note": f"Title of a refusal or failure, HTTP status {kind.status}; no full stop.",
        }
    return {language: _entries(entries) for language, entries in sorted(read.items())}


def _entries(entries: Mapping[str, Mapping[str, str]]) -> dict[str, Text]:
    return {
        key: Text(
            entry["text"],
            tuple(sorted(_PLACEHOLDER.findall(entry["text"]))),
            entry.get("note", ""),
        )
        for key, entry in entries.items()
    }


def is_fixed(key: str) -> bool:
    """Whether a clinic cannot reword this text in a shipped language."""
    return key.startswith(_FIXED)


def is_shipped(locale: str) -> bool:
    """Whether a locale is of a shipped language: en-GB is English."""
    return locale.partition("-")[0].lower() in shipped()


def shipped_for(locale: Locale) -> str:
    """The shipped language that serves a reader best."""
    tags = _narrowing(locale if isinstance(locale, str) else tuple(locale))
    return next(tag for tag in tags if tag in shipped())


def named(tag: str) -> str | None:
    """A language tag as it is written (RFC 5646 section 2.1.1), such as de-AT; None if it is none.

    Its form is checked, not whether there is such a language.
    """
    if len(tag) > _MAX_TAG or not _TAG.fullmatch(tag):
        return None
    language, *others = tag.lower().split("-")
    written = [language]
    for place, part in enumerate(others):
        is_after_singleton = any(len(earlier) == 1 for earlier in others[:place])
        if len(part) == 2 and not is_after_singleton:
            written.append(part.upper())
        elif len(part) == 4 and not is_after_singleton:
            written.append(part.title())
        else:
            written.append(part)
    return "-".join(written)


def refusal(locale: str, key: str, text: object) -> str | None:
    """Why a clinic cannot say this text so in this locale: a sentence of ours; None if it can."""
    entry = shipped()[ENGLISH].get(key)
    if entry is None:
        return "has a key that is not in the catalogue"
    if is_fixed(key) and is_shipped(locale):
        return "is a promise to patients, and cannot be reworded in a language that is shipped"
    return _misfit(text, entry.placeholders)


def _misfit(text: object, placeholders: tuple[str, ...]) -> str | None:
    if not isinstance(text, str) or not text.strip():
        return "must be text that is not blank"
    if len(text) > MAX_OWN_TEXT:
        return f"must be at most {MAX_OWN_TEXT} characters"
    if any(unicodedata.category(one) in _UNWELCOME_CATEGORIES or one in _TURNING for one in text):
        return "must be one line, without characters that control or turn it"
    has_other_brace = bool(set("{}") & set(_PLACEHOLDER.sub("", text)))
    if has_other_brace or tuple(sorted(_PLACEHOLDER.findall(text))) != placeholders:
        needed = " ".join(f"{{{name}}}" for name in placeholders)
        return f"must have each placeholder once and no other brace: {needed or 'it has none'}"
    return None


@lru_cache(256)
def _usable(own: str) -> Mapping[str, Mapping[str, str]]:
    """What can be said of a clinic's own texts: by locale in small letters, then by key.

    own: JSON text. Never fails, because an answer to somebody in danger depends on it.
    """
    try:
        given: Any = json.loads(own)
        by_locale = {
            locale.lower(): {
                key: text
                for key, text in texts.items()
                if named(locale) and refusal(locale, key, text) is None
            }
            for locale, texts in given.items()
        }
    except (ValueError, AttributeError, RecursionError) as error:
        logger().error("texts.unreadable", error=error)
        return {}
    passed_over = sum(len(texts) for texts in given.values()) - sum(map(len, by_locale.values()))
    if passed_over:
        logger().warning("texts.passed_over", count=passed_over)
    return by_locale


def _shipped_as(tag: str, key: str) -> str | None:
    entry = shipped().get(tag, {}).get(key)
    return entry.text if entry else None


@lru_cache(1024)
def _narrowing(locale: str | tuple[str, ...]) -> tuple[str, ...]:
    """Tags to look for, in small letters, best first: zh-hant-tw, zh-hant, zh, …, en."""
    tags: list[str] = []
    for wish in (locale,) if isinstance(locale, str) else locale:
        parts = wish.lower().split("-")
        while parts:
            tags.append("-".join(parts))
            parts.pop()
            if parts and len(parts[-1]) == 1:
                parts.pop()  # a singleton means nothing without what it introduces
    return tuple(dict.fromkeys([*tags, ENGLISH]))
