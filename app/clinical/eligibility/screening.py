"""Answers to the catalogue of contraindications and cautions, and what follows from them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from hashlib import sha256
from importlib.resources import files

from app.clinical.instruments.table import read_table, refuse_duplicates


class Severity(StrEnum):
    """What a yes means: it stops until it is resolved, or it is to be weighed."""

    HARD_STOP = "hard-stop"
    CAUTION = "caution"


class Answer(StrEnum):
    """What can be said to each question."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class State(StrEnum):
    """Where a screening stands; the first of these that applies.

    stopped: a hard stop was answered with yes and nobody resolved it.
    open: something is not answered, or not known.
    cautions: every question is answered, and something is to be weighed.
    clear: every question of the catalogue was answered with no. Not a verdict.
    """

    STOPPED = "stopped"
    OPEN = "open"
    CAUTIONS = "cautions"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One question of the catalogue. verified: its source was read, and says so."""

    key: str
    label: str
    severity: Severity
    source: str
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What follows from the answers; keys in the order of the catalogue.

    stops: hard stops with a yes, not resolved.
    resolved: hard stops with a yes that a prescriber resolved; they are to be weighed.
    open: not answered, or unknown.
    cautions: cautions with a yes.
    unrecognised: a yes to what the catalogue does not know (any more); to be weighed too.
    resolved_in_vain: resolutions of what is no hard stop with a yes; they change nothing.
    """

    state: State
    stops: tuple[str, ...]
    resolved: tuple[str, ...]
    open: tuple[str, ...]
    cautions: tuple[str, ...]
    unrecognised: tuple[str, ...]
    resolved_in_vain: tuple[str, ...]


@cache
def conditions() -> tuple[Condition, ...]:
    """The catalogue that ships, hard stops first."""
    return parse(_text(), "conditions.toml")


@cache
def catalogue_version() -> str:
    """Which catalogue it is: made of its text, so that no change of it can keep the old name."""
    return sha256(_text().encode()).hexdigest()[:12]


def _text() -> str:
    return files(__package__ or "").joinpath("conditions.toml").read_text("utf-8")


def parse(toml_text: str, name: str) -> tuple[Condition, ...]:
    """A catalogue. Raises: DefinitionRefused, with file, line and key."""
    root = read_table(toml_text, name)
    tables = root.tables("conditions")
    found: list[Condition] = []
    for table in tables:
        found.append(
            Condition(
                key=table.slug("key"),
                label=table.text("label"),
                severity=Severity(table.one_of("severity", tuple(Severity))),
                source=table.text("source"),
                verified=table.truth("verified"),
            )
        )
        table.close()
    root.close()
    keys = [(table, one.key) for table, one in zip(tables, found, strict=True)]
    refuse_duplicates("key", keys)
    return tuple(sorted(found, key=lambda one: one.severity is Severity.CAUTION))


def assess(answers: Mapping[str, Answer], resolutions: Collection[str] = ()) -> Standing:
    """What follows from these answers.

    answers: by the condition's key; one that is missing was not answered.
    resolutions: keys of the hard stops that a prescriber resolved, with a reason.
    """
    catalogue = {one.key: one for one in conditions()}
    yes = [key for key in catalogue if answers.get(key) is Answer.YES]
    hard = [key for key in yes if catalogue[key].severity is Severity.HARD_STOP]
    stops = tuple(key for key in hard if key not in resolutions)
    resolved = tuple(key for key in hard if key in resolutions)
    cautions = tuple(key for key in yes if key not in hard)
    unanswered = tuple(
        key for key in catalogue if answers.get(key, Answer.UNKNOWN) is Answer.UNKNOWN
    )
    unrecognised = tuple(
        key for key, answer in answers.items() if key not in catalogue and answer is not Answer.NO
    )
    if stops:
        state = State.STOPPED
    elif unanswered:
        state = State.OPEN
    elif cautions or resolved or unrecognised:
        state = State.CAUTIONS
    else:
        state = State.CLEAR
    return Standing(
        state=state,
        stops=stops,
        resolved=resolved,
        open=unanswered,
        cautions=cautions,
        unrecognised=unrecognised,
        resolved_in_vain=tuple(key for key in resolutions if key not in hard),
    )
