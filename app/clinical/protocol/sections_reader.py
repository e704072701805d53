"""From the sections of a document to `Sections`; and back.

A document may leave any of them out: those published before there were sections do. What is left
out is as in the protocol that ships, so that an older document keeps its meaning and has these
besides.
"""

from collections.abc import Callable, Collection
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from app.clinical.instruments.definition import Level
from app.clinical.protocol.sections import (
    CONCERNS,
    MEASURES,
    PREPARATION_KINDS,
    READING_WITHIN_MINUTES,
    ROUTES,
    Aftercare,
    Alarm,
    Concern,
    CoursePlan,
    Criterion,
    CriterionKind,
    Discharge,
    Exposure,
    ExposurePrompt,
    Integration,
    Monitoring,
    Named,
    Preparation,
    PreparationItem,
    Sections,
    Vital,
)
from app.clinical.protocol.table import Table

# Far beyond any use; they bound the work and catch a slip of the keyboard.
_MOST_ENTRIES: Final = 60
_LONGEST_LABEL: Final = 200
_LONGEST_SOURCE: Final = 1000
_ONE_DAY_IN_MINUTES: Final = 24 * 60
_HIGHEST: Final[dict[Vital, int]] = {
    Vital.SYSTOLIC: 300,
    Vital.DIASTOLIC: 250,
    Vital.SPO2: 100,
    Vital.PULSE: 300,
    Vital.RESPIRATION: 80,
}
_PARAMETERS: Final[dict[CriterionKind, dict[str, tuple[int, int]]]] = {
    CriterionKind.MINUTES_SINCE_DOSE: {"at_least": (0, _ONE_DAY_IN_MINUTES)},
    CriterionKind.NEAR_BASELINE: {"systolic_within": (0, 100), "diastolic_within": (0, 100)},
    CriterionKind.DISSOCIATION: {"at_most": (0, 10)},
    CriterionKind.SEDATION: {"at_most": (0, 10)},
    CriterionKind.SPO2: {"at_least": (50, 100)},
    CriterionKind.RISK_SCREEN: {},
    CriterionKind.ATTESTED: {},
}

_Section = TypeVar("_Section")


def read_sections(root: Table, known: Collection[str], absent: Sections | None) -> Sections:
    """The sections of a document.

    known: keys of the instruments that may be proposed.
    absent: what one that is left out is; None: each has to be there.
    """

    def section(name: str, read: Callable[[Table], _Section]) -> _Section:
        if absent is not None and not root.has(name):
            found: _Section = getattr(absent, name)
            return found
        table = root.table(name)
        one = read(table)
        table.close()
        return one

    return Sections(
        course=section("course", _course),
        preparation=section("preparation", _preparation),
        monitoring=section("monitoring", _monitoring),
        discharge=section("discharge", _discharge),
        aftercare=section("aftercare", _aftercare),
        exposure=section("exposure", lambda table: _exposure(table, known)),
        integration=section("integration", _integration),
    )


def sections_as_dict(sections: Sections) -> dict[str, object]:
    """Plain values, new each time; `read_sections` makes the same ones of them."""
    plain = _plain(sections)
    assert isinstance(plain, dict)
    return plain


def _plain(value: Any) -> object:
    if is_dataclass(value):
        members = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: _plain(one) for name, one in members.items() if one is not None}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value.value if isinstance(value, StrEnum) else value


def _cited(table: Table) -> dict[str, Any]:
    return {
        "source": table.text("source", _LONGEST_SOURCE),
        "convention": table.truth("convention"),
    }


def _named(table: Table, member: str) -> tuple[Named, ...]:
    found: list[Named] = []
    for entry in table.keyed(member, _MOST_ENTRIES):
        found.append(Named(entry.slug("key"), entry.text("label", _LONGEST_LABEL)))
        entry.close()
    return tuple(found)


def _course(table: Table) -> CoursePlan:
    return CoursePlan(
        sessions=table.span("sessions", 1, 200),
        spacing_days=table.span("spacing_days", 0, 365),
        weeks=table.span("weeks", 1, 260),
        indications=_named(table, "indications"),
        **_cited(table),
    )


def _preparation(table: Table) -> Preparation:
    items: list[PreparationItem] = []
    for entry in table.keyed("items", _MOST_ENTRIES):
        items.append(
            PreparationItem(
                key=entry.slug("key"),
                label=entry.text("label", _LONGEST_LABEL),
                kind=entry.one_of("kind", PREPARATION_KINDS),
                required=entry.truth("required"),
            )
        )
        entry.close()
    within = READING_WITHIN_MINUTES
    if table.has("reading_within_minutes"):
        within = table.whole("reading_within_minutes", 1, _ONE_DAY_IN_MINUTES)
    return Preparation(items=tuple(items), reading_within_minutes=within, **_cited(table))


def _monitoring(table: Table) -> Monitoring:
    alarms: list[Alarm] = []
    for entry in table.tables("alarms", len(Vital)):
        alarm = _alarm(entry)
        if any(alarm.vital is earlier.vital for earlier in alarms):
            entry.refuse("vital", "has an alarm already")
        alarms.append(alarm)
    return Monitoring(
        record_minutes=table.ascending(
            "record_minutes", -_ONE_DAY_IN_MINUTES, _ONE_DAY_IN_MINUTES, at_most=100
        ),
        tolerance_minutes=table.whole("tolerance_minutes", 1, 60),
        alarms=tuple(alarms),
        **_cited(table),
    )


def _alarm(table: Table) -> Alarm:
    vital = Vital(table.one_of("vital", tuple(Vital)))
    right_so_far = table.faults
    low = table.whole_or_none("low", 1, _HIGHEST[vital])
    high = table.whole_or_none("high", 1, _HIGHEST[vital])
    if not table.has("low") and not table.has("high"):
        table.refuse("", "must have low, high or both")
    elif table.faults == right_so_far and low is not None and high is not None and low >= high:
        table.refuse("high", "must be greater than low")
    alarm = Alarm(vital=vital, low=low, high=high, **_cited(table))
    table.close()
    return alarm


def _discharge(table: Table) -> Discharge:
    return Discharge(
        reading_within_minutes=table.whole("reading_within_minutes", 1, 240),
        criteria=tuple(_criterion(entry) for entry in table.keyed("criteria", _MOST_ENTRIES)),
        **_cited(table),
    )


def _criterion(table: Table) -> Criterion:
    kind = CriterionKind(table.one_of("kind", tuple(CriterionKind)))
    numbers: dict[str, Any] = {
        member: table.whole(member, low, high) for member, (low, high) in _PARAMETERS[kind].items()
    }
    if kind is CriterionKind.RISK_SCREEN:
        numbers["at_most_level"] = Level(table.one_of("at_most_level", tuple(Level)))
    criterion = Criterion(
        key=table.slug("key"),
        label=table.text("label", _LONGEST_LABEL),
        kind=kind,
        **numbers,
        **_cited(table),
    )
    table.close()
    return criterion


def _aftercare(table: Table) -> Aftercare:
    return Aftercare(
        instructions=_named(table, "instructions"),
        check_hours=table.ascending("check_hours", 1, 720, at_most=20),
        **_cited(table),
    )


def _exposure(table: Table, known: Collection[str]) -> Exposure:
    return Exposure(
        prompts=tuple(_prompt(entry, known) for entry in table.keyed("prompts", _MOST_ENTRIES)),
        **_cited(table),
    )


def _prompt(table: Table, known: Collection[str]) -> ExposurePrompt:
    measure = table.one_of("measure", MEASURES)
    prompt = ExposurePrompt(
        key=table.slug("key"),
        label=table.text("label", _LONGEST_LABEL),
        drug=table.code("drug") if table.has("drug") else None,
        route=table.one_of("route", ROUTES) if table.has("route") else None,
        measure=measure,
        at_least=table.whole("at_least", 1, 1_000_000 if measure == "mg" else 1000),
        within_days=table.whole("within_days", 1, 3660),
        about=_concerns(table),
        instruments=_instruments(table, known) if table.has("instruments") else (),
        **_cited(table),
    )
    table.close()
    return prompt


def _concerns(table: Table) -> tuple[Concern, ...]:
    found: list[Concern] = []
    for place, value in enumerate(table.entries("about", len(CONCERNS))):
        concern = next((one for one in CONCERNS if one == value), None)
        if concern is None:
            table.refuse(f"about/{place}", "must be one of: " + ", ".join(CONCERNS))
        elif concern in found:
            table.refuse(f"about/{place}", "is in this list already")
        else:
            found.append(concern)
    return tuple(found)


def _instruments(table: Table, known: Collection[str]) -> tuple[str, ...]:
    found: list[str] = []
    for place, value in enumerate(table.entries("instruments", at_most=20, at_least=0)):
        if not isinstance(value, str) or value not in known:
            table.refuse(f"instruments/{place}", "is not a known instrument")
        elif value in found:
            table.refuse(f"instruments/{place}", "is in this list already")
        else:
            found.append(value)
    return tuple(found)


def _integration(table: Table) -> Integration:
    return Integration(
        within_hours=table.span("within_hours", 0, 720),
        open_days=table.whole("open_days", 1, 90),
        **_cited(table),
    )
