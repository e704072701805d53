"""A list of medicines, as people write them, and what in it is known to interact.

Hides how a name is found in what somebody typed: whole words, whatever their case, accents,
width and punctuation; never a part of a word, or apomorphine would be an opioid. A warning is a
reason to look, and its absence is none: the catalogue is short, and names are misspelt.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from app.clinical.instruments.table import Table, read_table, refuse_duplicates


@dataclass(frozen=True, slots=True, kw_only=True)
class Drug:
    """One drug. rxnorm: its ingredient in RxNorm, where verified; names: as they are written."""

    name: str
    rxnorm: str | None
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrugClass:
    """Drugs of one effect. verified: its source was read, and says so."""

    key: str
    label: str
    effect: str
    source: str
    verified: bool
    drugs: tuple[Drug, ...]


@dataclass(frozen=True, slots=True)
class Medication:
    """One entry of a patient's list. rxnorm: any RxNorm code; only an ingredient's is known."""

    name: str
    rxnorm: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """One entry of the list in one class.

    place: of the entry in the list, from 0; what was written is not repeated.
    drug: the catalogue's name of it.
    matched_by: a code is sure, a name is what somebody typed.
    """

    place: int
    drug_class: str
    label: str
    drug: str
    matched_by: Literal["code", "name"]
    reason: str
    source: str
    verified: bool


@cache
def classes() -> tuple[DrugClass, ...]:
    """The catalogue that ships."""
    text = files(__package__ or "").joinpath("interactions.toml").read_text("utf-8")
    return parse(text, "interactions.toml")


def parse(toml_text: str, name: str) -> tuple[DrugClass, ...]:
    """A catalogue. Raises: DefinitionRefused, with file, line and key."""
    root = read_table(toml_text, name)
    tables = root.tables("classes")
    found = [_class(table) for table in tables]
    root.close()
    refuse_duplicates("key", [(table, one.key) for table, one in zip(tables, found, strict=True)])
    return tuple(found)


def warnings(medications: Sequence[Medication]) -> list[Warned]:
    """What in this list interacts, in its order; one entry may be in several classes."""
    return [
        Warned(
            place=place,
            drug_class=group.key,
            label=group.label,
            drug=drug.name,
            matched_by=matched_by,
            reason=group.effect,
            source=group.source,
            verified=group.verified,
        )
        for place, medication in enumerate(medications)
        for group, drug, matched_by in _found(medication)
    ]


def not_recognised(medications: Sequence[Medication]) -> list[int]:
    """The places of what the catalogue does not know: compared with nothing, and not known to be
    safe. Of an entry that names several medicines one is enough to be recognised.
    """
    return [place for place, one in enumerate(medications) if not _found(one)]


def _class(table: Table) -> DrugClass:
    tables = table.tables("drugs")
    drugs = tuple(_drug(one) for one in tables)
    refuse_duplicates("name", [(one, drug.name) for one, drug in zip(tables, drugs, strict=True)])
    refuse_duplicates(
        "rxnorm", [(one, drug.rxnorm) for one, drug in zip(tables, drugs, strict=True)]
    )
    group = DrugClass(
        key=table.slug("key"),
        label=table.text("label"),
        effect=table.text("effect"),
        source=table.text("source"),
        verified=table.truth("verified"),
        drugs=drugs,
    )
    table.close()
    return group


def _drug(table: Table) -> Drug:
    name = table.text("name")
    if not _words(name):
        table.refuse("name", "must have a letter")
    rxnorm = table.text_or_none("rxnorm")
    if rxnorm is not None and not (rxnorm.isascii() and rxnorm.isdigit()):
        table.refuse("rxnorm", "must be digits")
    also = table.texts("also") if table.has("also") else ()
    if not all(map(_words, also)):
        table.refuse("also", "must have a letter each")
    table.close()
    return Drug(name=name, rxnorm=rxnorm, names=(name, *also))


def _found(medication: Medication) -> list[tuple[DrugClass, Drug, Literal["code", "name"]]]:
    words = _words(medication.name)
    found: list[tuple[DrugClass, Drug, Literal["code", "name"]]] = []
    for group in classes():
        for drug in group.drugs:
            if drug.rxnorm is not None and drug.rxnorm == medication.rxnorm:
                found.append((group, drug, "code"))
            elif any(_holds(words, _words(name)) for name in drug.names):
                found.append((group, drug, "name"))
    return found


def _holds(words: tuple[str, ...], name: tuple[str, ...]) -> bool:
    return any(words[at : at + len(name)] == name for at in range(len(words) - len(name) + 1))


def _words(text: str) -> tuple[str, ...]:
    """Its words without case, accents and width. A digit ends a word: "lorazepam1mg" has two."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    shown = [one for one in plain if unicodedata.category(one) not in {"Mn", "Cf"}]
    return tuple("".join(one if one.isalpha() else " " for one in shown).split())
