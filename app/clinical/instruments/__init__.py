"""The questionnaires: one TOML file each, read once, checked strictly, then immutable.

Hides the file format. Callers see `find`, `shipped`, `parse` and, for what a clinic wrote
itself, `parse_uploaded`; and frozen objects in which positions, directions, bands and
sources are already worked out, so that nothing downstream has to know what is in a file or
check it again.

    definition     what a questionnaire is
    reader         the text of a file -> Instrument, or a refusal
    rules          flags, subscales, criteria, skips and rises, as files write them
    translations   the same questionnaire in other words
    table          one TOML table, taken apart; every refusal
    locator        on which line a key stands
"""

from collections.abc import Collection
from functools import cache
from importlib.resources import files

from app.clinical.instruments.definition import (
    AnyItem,
    Band,
    Criterion,
    Direction,
    GivenScore,
    Instrument,
    Item,
    ItemPattern,
    Level,
    Option,
    PercentOfMaximum,
    Recall,
    Rise,
    Scale,
    Skip,
    Subscale,
    SuicideItem,
    Threshold,
    TotalCut,
    Translation,
    Triage,
    whole_if_it_is,
)
from app.clinical.instruments.reader import TOTAL, parse
from app.clinical.instruments.table import (
    LARGEST_DEFINITION,
    DefinitionRefused,
    has_valid_check_digit,
)

__all__ = [
    "LARGEST_DEFINITION",
    "TOTAL",
    "AnyItem",
    "Band",
    "Criterion",
    "DefinitionRefused",
    "Direction",
    "GivenScore",
    "Instrument",
    "Item",
    "ItemPattern",
    "Level",
    "Option",
    "PercentOfMaximum",
    "Recall",
    "Rise",
    "Scale",
    "Skip",
    "Subscale",
    "SuicideItem",
    "Threshold",
    "TotalCut",
    "Translation",
    "Triage",
    "UnknownInstrument",
    "find",
    "has_valid_check_digit",
    "parse",
    "parse_uploaded",
    "shipped",
    "whole_if_it_is",
]


class UnknownInstrument(LookupError):
    """No shipped questionnaire has this key and version."""


def find(key: str, version: str | None = None) -> Instrument:
    """The shipped questionnaire with this key, in this version if one is named.

    Raises: UnknownInstrument.
    """
    for instrument in shipped():
        if instrument.key == key and version in (None, instrument.version):
            return instrument
    raise UnknownInstrument("no questionnaire with this key and version is shipped")


@cache
def shipped() -> tuple[Instrument, ...]:
    """Every questionnaire that comes with Afterglow, by file name; read on first use."""
    definitions = [file for file in files(__name__).iterdir() if file.name.endswith(".toml")]
    return tuple(
        parse(file.read_text(encoding="utf-8"), file.name)
        for file in sorted(definitions, key=lambda file: file.name)
    )


def parse_uploaded(
    toml_text: str, name: str, reserved: Collection[str] | None = None
) -> Instrument:
    """Read the definition that a clinic wrote for itself.

    reserved: keys it may not have; those of what is shipped, if none are named.
    Raises: DefinitionRefused, with `line`, `key` and `reason`, at the first thing wrong.
    """
    if reserved is None:
        reserved = frozenset(instrument.key for instrument in shipped())
    return parse(toml_text, name, reserved)
