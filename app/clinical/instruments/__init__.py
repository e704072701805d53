"""The questionnaires: one TOML file each, read once, checked strictly, then immutable.

Hides the file format. Callers see `find`, `shipped` and `parse`, and frozen objects in
which positions, directions, bands and sources are already worked out, so that nothing
downstream has to know what is in a file or check it again.

    definition   what a questionnaire is
    reader       the text of a file -> Instrument, or a refusal
"""

from functools import cache
from importlib.resources import files

from app.clinical.instruments.definition import (
    Band,
    Direction,
    Instrument,
    Item,
    Level,
    Option,
    Recall,
    Scale,
    SuicideItem,
    Threshold,
)
from app.clinical.instruments.reader import DefinitionRefused, has_valid_check_digit, parse

__all__ = [
    "Band",
    "DefinitionRefused",
    "Direction",
    "Instrument",
    "Item",
    "Level",
    "Option",
    "Recall",
    "Scale",
    "SuicideItem",
    "Threshold",
    "UnknownInstrument",
    "find",
    "has_valid_check_digit",
    "parse",
    "shipped",
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
