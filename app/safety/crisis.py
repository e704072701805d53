"""Whom to call, by country."""

import tomllib
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from app.kernel.texts import ENGLISH, NOTHING_OWN, say, shipped_for
from app.safety.schemas import CrisisLine, Help


@lru_cache(1)
def _table() -> dict[str, Any]:
    return tomllib.loads(files("app.safety").joinpath("crisis_lines.toml").read_text("utf-8"))


# What people write where ISO 3166-1 writes something else.
_ALSO_CALLED = {"UK": "GB", "USA": "US"}


def country_meant(sent: str | None) -> str | None:
    """The country code that an app meant, or None if that cannot be told.

    A badly spelt country is no reason to refuse what somebody in danger sends.
    """
    code = (sent or "").strip()
    if not code.isascii():  # before it grows: the capital of ß is SS, which is South Sudan
        return None
    code = _ALSO_CALLED.get(code.upper(), code.upper())
    return code if len(code) == 2 and code.isalpha() else None


@lru_cache(512)
def help_in(country: str, locale: str = ENGLISH, own: str = NOTHING_OWN) -> Help:
    """The emergency number and the verified lines of one country, and of no other.

    country: ISO 3166-1 alpha-2. Without a verified row: no number, no lines, a plain sentence.
    locale: the reader's. own: the clinic's own texts, as JSON text.
    """
    row = _table().get(country) if len(country) == 2 else None
    if row is None:
        return Help(
            country=country,
            emergency_number=None,
            emergency_channels=[],
            crisis_lines=[],
            advice=say("advice.no-number", locale, own=own),
        )
    return Help(
        country=country,
        emergency_number=row["emergency"],
        emergency_channels=_lines(row.get("emergency_channels", [])),
        crisis_lines=_lines(row["lines"]),
        advice=say("advice.call-emergency-number", locale, own=own, number=row["emergency"]),
    )


def _lines(rows: Sequence[dict[str, Any]]) -> list[CrisisLine]:
    verified_on = _table()["verified_on"]
    return [CrisisLine(**{"verified_on": verified_on, **row}) for row in rows]


def whom_to_call(country: str, wanted: Sequence[str]) -> dict[str, object]:
    """The same for a problem, which may have kept somebody's sign of danger from being stored.

    country: as it was sent, if it was. wanted: locales, best first.
    """
    return help_in(country_meant(country) or "", shipped_for(wanted)).model_dump(mode="json")
