"""The kinds of value that cross the wire, each bounded.

A validator raises ValueError with a fixed sentence: the edge passes that sentence on, so it must
never contain what was sent.
"""

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Annotated, Any, Final
from zoneinfo import available_timezones

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

MAX_TEXT: Final = 64 * 1024
"""Bytes of UTF-8 in one text."""

_FROM: Final = datetime(2000, 1, 1, tzinfo=UTC)
_TO: Final = datetime(2100, 1, 1, tzinfo=UTC)


# RFC 3339 section 5.6. Without it a text of digits would be read as seconds since 1970.
_INSTANT: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,32})?)?([Zz]|[+-]\d\d:?\d\d)", re.ASCII
)


def _written_out(sent: Any) -> str | datetime:
    if isinstance(sent, datetime):
        return sent  # ours: JSON has no such type
    if not isinstance(sent, str) or not _INSTANT.fullmatch(sent):
        raise ValueError("must be an RFC 3339 instant with an offset")
    return sent


def _in_range(instant: datetime) -> datetime:
    if not _FROM <= instant < _TO:
        raise ValueError("must lie in the years 2000 to 2099")
    return instant.astimezone(UTC)


_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _day_written_out(sent: Any) -> str | date:
    if isinstance(sent, date) and not isinstance(sent, datetime):
        return sent
    if not isinstance(sent, str) or not _DAY.fullmatch(sent):
        raise ValueError("must be a date, such as 2026-03-01")
    return sent


def _day_in_range(day: date) -> date:
    if not date(2000, 1, 1) <= day < date(2100, 1, 1):
        raise ValueError("must lie in the years 2000 to 2099")
    return day


def _plain_text(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain a NUL character")
    if len(text.encode()) > MAX_TEXT:
        raise ValueError("must be at most 64 KiB of UTF-8")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


@lru_cache(1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _known_zone(name: str) -> str:
    if name not in _zones():
        raise ValueError("must be a time zone of the IANA database, such as Europe/Berlin")
    return name


Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_written_out),
    AfterValidator(_in_range),
    Field(
        strict=False,  # a strict instant takes no text, and `_written_out` lets nothing else in
        description="RFC 3339, with an offset, in 2000 to 2099.",
        examples=["2026-03-01T20:15:00+01:00"],
    ),
]
Day = Annotated[
    date,
    BeforeValidator(_day_written_out),
    AfterValidator(_day_in_range),
    Field(
        strict=False,  # as an instant
        description="A date without a time, in the patient's own time zone, in 2000 to 2099.",
        examples=["2026-03-01"],
    ),
]
Words = Annotated[
    str,
    AfterValidator(_plain_text),
    AfterValidator(_not_blank),
    Field(min_length=1, max_length=MAX_TEXT, description="Free text; sealed when stored."),
]
ShortWords = Annotated[
    str,
    AfterValidator(_plain_text),
    AfterValidator(_not_blank),
    Field(min_length=1, max_length=200),
]
Sentence = Annotated[
    str,
    AfterValidator(_plain_text),
    AfterValidator(_not_blank),
    Field(min_length=1, max_length=500, description="Free text; sealed when stored."),
]
Code = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$")]
Country = Annotated[
    str,
    Field(
        min_length=2,
        max_length=2,
        pattern=r"^[A-Z]{2}$",
        description="ISO 3166-1 alpha-2, in capitals.",
        examples=["DE"],
    ),
]
CountryMeant = Annotated[
    str | None,
    Query(
        alias="country",
        max_length=256,
        examples=["DE"],
        description="ISO 3166-1 alpha-2: where the patient is now, for the crisis lines. What"
        " cannot be read is passed over for their profile's, then the clinic's.",
    ),
]
TimeZone = Annotated[
    str,
    AfterValidator(_known_zone),
    Field(min_length=1, max_length=64, description="IANA time zone, such as Europe/Berlin."),
]
Locale = Annotated[
    str,
    Field(
        min_length=2,
        max_length=35,
        pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$",
        description="BCP 47 language tag, such as en-GB.",
    ),
]
Phone = Annotated[str, Field(min_length=3, max_length=32, pattern=r"^\+?[0-9 ()./-]+$")]
Username = Annotated[
    str,
    AfterValidator(_plain_text),
    AfterValidator(_not_blank),
    Field(min_length=3, max_length=254, description="An e-mail address or another name."),
]
Password = Annotated[str, Field(min_length=12, max_length=256)]
