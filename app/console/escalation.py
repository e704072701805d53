"""Who is told of a flag that nobody answers: the policy that holds, its versions, and another one.

A policy is edited as what it is: for each level some steps. A step in whose row nobody is chosen
is none, so that a step is taken out, and one put in between, without a script.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Query

from app.clinical.risk import Level
from app.console import words
from app.console.door import Answer, Form, GoTo, Inside, Shown, Visit, page_router
from app.console.forms import Fields, read, version
from app.kernel.errors import Fault, Kind, Problem
from app.people.published import Edition, require_publisher
from app.safety import policies
from app.safety.escalation import MOST_STEPS, Channel, Hours, Who
from app.safety.schemas import EscalationIn, EscalationOut

routes = page_router()
HERE: Final = "/console/clinic/escalation"
LEVELS: Final = (Level.HIGH, Level.MODERATE, Level.LOW)
MORE: Final = 2
"""Empty rows after the last step."""
WHO: Final = {
    Who.CARE_TEAM: "The care team",
    Who.NEXT: "The next clinician who has not been told",
    Who.ADMINISTRATORS: "The administrators",
}
HOURS: Final = {
    Hours.AT_ALL_HOURS: "At all hours",
    Hours.WITHIN_COVERAGE: "Counting only coverage hours",
    Hours.NEXT_COVERAGE: "When coverage next begins",
}
CHANNELS: Final = [
    (one.value, words.spoken(one.value)) for one in Channel if one is not Channel.INBOX
]
"""The inbox is part of every step."""
_PARTS: Final = {"who": "Who", "after_minutes": "Minutes", "hours": "Hours", "channels": "By"}
_DONE = Annotated[str, Query(max_length=20)]
_Version = Annotated[int | None, Query(ge=0, le=1_000_000)]


@dataclass(frozen=True, slots=True)
class Escalation:
    """A policy and its versions. rows: of the form, by level. shown: fields, labelled shortly.

    is_current: it is the one that holds. who, hours: in words.
    """

    policy: EscalationOut
    is_current: bool
    editions: list[Edition]
    is_administrator: bool
    fields: Fields
    shown: Fields
    rows: dict[str, int]
    is_overtaken: bool
    who: dict[str, str]
    hours: dict[str, str]
    channels: list[tuple[str, str]]


@routes.get(HERE)
def escalation_page(visit: Inside, done: _DONE = "", version: _Version = None) -> Answer:
    """Who is told of a flag that nobody answers, when, and by what; or was, by an earlier one."""
    held = policies.read_policy(visit.db, visit.caller)
    shown = held
    if version is not None and version != held.version:
        shown = policies.read_earlier(visit.db, visit.caller, version)
    return _page(visit, shown, held, _fields(_typed(held)), said=words.DONE.get(done, ""))


@routes.post(HERE)
def publish_escalation(visit: Inside) -> Answer:
    """Put another in force, for rounds that begin from now on."""
    require_publisher(visit.db, visit.caller)
    values = _sent(visit.form)
    fields = _fields(values)
    members, places = _members(fields)
    held = policies.read_policy(visit.db, visit.caller)
    try:
        with visit.db.tried():
            sent = read(EscalationIn, members)
            policies.publish_policy(
                visit.db, visit.caller, sent, version(visit.form["version"]), visit.now
            )
    except Problem as problem:
        if problem.kind is Kind.PRECONDITION_FAILED:
            return _page(visit, held, held, fields, status=412, is_overtaken=True)
        faults = [Fault(_place(one.pointer, places), one.reason) for one in problem.faults]
        refused = fields.refused(Problem(problem.kind, faults=faults))
        base = visit.form["version"]
        return _page(visit, held, held, refused, status=422, base_version=base)
    return GoTo(f"{HERE}?done=published")


def _page(
    visit: Visit,
    policy: EscalationOut,
    held: EscalationOut,
    fields: Fields,
    *,
    status: int = 200,
    said: str = "",
    is_overtaken: bool = False,
    base_version: str | None = None,
) -> Shown:
    values = {**fields.values, "version": base_version or str(held.version)}
    fields = Fields(fields.name, fields.labels, values, fields.errors)
    short = {
        name: _PARTS.get(name.rpartition("-")[2], label) for name, label in fields.labels.items()
    }
    view = Escalation(
        policy=policy,
        is_current=policy.version == held.version,
        editions=policies.POLICIES.editions(visit.db, visit.caller),
        is_administrator=visit.caller.role == "administrator",
        fields=fields,
        shown=Fields(fields.name, short, fields.values, fields.errors),
        rows={level.value: _rows(fields, level) for level in LEVELS},
        is_overtaken=is_overtaken,
        who={one.value: said for one, said in WHO.items()},
        hours={one.value: said for one, said in HOURS.items()},
        channels=CHANNELS,
    )
    return Shown(
        "clinic_escalation.html", "Escalation", view, section="clinic", status=status, said=said
    )


def _fields(values: Mapping[str, str | list[str]]) -> Fields:
    labels = {"source": "Source", "convention": "What it is"}
    for level in LEVELS:
        for row in range(MOST_STEPS):
            for part, said in _PARTS.items():
                label = f"{words.spoken(level.value)}, step {row + 1}, {said.lower()}"
                labels[f"{level.value}-{row}-{part}"] = label
    return Fields("policy", labels, values)


def _typed(policy: EscalationOut) -> dict[str, str | list[str]]:
    """A policy as its form has it."""
    values: dict[str, str | list[str]] = {
        "source": policy.source,
        "convention": ["yes"] if policy.convention else [],
    }
    for level, steps in policy.levels.items():
        for row, step in enumerate(steps):
            values[f"{level}-{row}-who"] = step.who
            values[f"{level}-{row}-after_minutes"] = str(step.after_minutes)
            values[f"{level}-{row}-hours"] = step.hours
            values[f"{level}-{row}-channels"] = list(step.channels)
    return values


def _sent(form: Form) -> dict[str, str | list[str]]:
    """What was typed. A form has no more rows than it was shown with."""
    values: dict[str, str | list[str]] = {
        "source": form["source"],
        "convention": form.every("convention"),
    }
    for level in LEVELS:
        for row in range(MOST_STEPS):
            for part in _PARTS:
                name = f"{level.value}-{row}-{part}"
                values[name] = form.every(name) if part == "channels" else form[name]
    return values


def _members(fields: Fields) -> tuple[dict[str, Any], dict[tuple[str, str], int]]:
    """The policy that a form makes, and in which row each of its steps is."""
    levels: dict[str, list[dict[str, Any]]] = {}
    places: dict[tuple[str, str], int] = {}
    for level in LEVELS:
        steps = levels[level.value] = []
        for row in range(MOST_STEPS):
            name = f"{level.value}-{row}"
            if not fields.value(f"{name}-who"):
                continue
            places[level.value, str(len(steps))] = row
            minutes = fields.value(f"{name}-after_minutes").strip()
            steps.append(
                {
                    "who": fields.value(f"{name}-who"),
                    "after_minutes": int(minutes) if _is_number(minutes) else minutes,
                    "hours": fields.value(f"{name}-hours"),
                    "channels": [Channel.INBOX.value, *fields.chosen(f"{name}-channels")],
                }
            )
    return {
        "source": fields.value("source").strip(),
        "convention": bool(fields.chosen("convention")),
        "levels": levels,
    }, places


def _is_number(typed: str) -> bool:
    return typed.isascii() and typed.isdigit() and len(typed) < 10


def _place(pointer: str, places: Mapping[tuple[str, str], int]) -> str:
    """From a place in the policy to one in the form."""
    parts = pointer.strip("/").split("/")
    if parts[0] != "levels" or len(parts) < 2:
        return pointer
    level, step, part = [*parts[1:], "0", "who"][:3] if len(parts) < 4 else parts[1:4]
    return f"/{level}-{places.get((level, step), 0)}-{part}"


def _rows(fields: Fields, level: Level) -> int:
    """So many as have something in them, and some more."""
    filled = [row for row in range(MOST_STEPS) if fields.value(f"{level.value}-{row}-who")]
    return min(MOST_STEPS, max(filled, default=-1) + 1 + MORE)
