"""The clinic's settings: what there is to set, its protocol, and when it is on duty."""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Query
from pydantic import ValidationError

from app.checkins import schedule
from app.checkins.protocol_schemas import ProtocolIn, ProtocolOut
from app.console import words
from app.console.door import Answer, GoTo, Inside, Shown, Visit, page_router
from app.console.forms import Fields, read, version
from app.kernel.errors import Fault, Kind, Problem
from app.kernel.strict import problem_of
from app.kernel.texts import ENGLISH
from app.people.published import Edition
from app.safety import hours, policies
from app.safety.alerts import ABOUT_CLINIC
from app.safety.coverage import DAYS
from app.safety.hours import Hours
from app.safety.monitoring import Told, statement
from app.safety.schemas import EscalationOut, HoursIn

routes = page_router()
_DONE = Annotated[str, Query(max_length=20)]
_Version = Annotated[int | None, Query(ge=0, le=1_000_000)]
_HOURS_LABELS: Final = {
    "time_zone": "Time zone",
    **{day: words.spoken(day) for day in DAYS},
    "holidays": "Holidays",
}


@dataclass(frozen=True, slots=True)
class Overview:
    """What there is to set. told: what an answer to a patient says now about who may see it."""

    is_administrator: bool
    hours: Hours
    protocol: ProtocolOut
    escalation: EscalationOut
    told: str
    days: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Protocol:
    """The protocol that holds, and the text to put another in its place.

    is_current: it holds now. faults: what is wrong with the text, by place.
    """

    protocol: ProtocolOut
    is_current: bool
    editions: list[Edition]
    is_administrator: bool
    fields: Fields
    faults: list[Fault]
    is_overtaken: bool


@dataclass(frozen=True, slots=True)
class HoursForm:
    """When the clinic is on duty."""

    hours: Hours
    days: tuple[str, ...]
    is_administrator: bool
    fields: Fields
    version: str
    is_overtaken: bool


@routes.get("/console/clinic")
def clinic_page(visit: Inside) -> Answer:
    """An overview."""
    view = Overview(
        is_administrator=_is_administrator(visit),
        hours=hours.read_hours(visit.db, visit.caller),
        protocol=schedule.read_protocol(visit.db, visit.caller),
        escalation=policies.read_policy(visit.db, visit.caller),
        told=_told(visit),
        days=DAYS,
    )
    return Shown("clinic.html", "Clinic", view, section="clinic")


@routes.get("/console/clinic/protocol")
def protocol_page(visit: Inside, done: _DONE = "", version: _Version = None) -> Answer:
    """What is asked when; or was, by an earlier one."""
    held = schedule.read_protocol(visit.db, visit.caller)
    shown = None
    if version is not None and version != held.version:
        shown = schedule.read_earlier(visit.db, visit.caller, version)
    said = words.DONE.get(done, "")
    return _protocol(visit, held, _protocol_fields(held), shown=shown, said=said)


@routes.post("/console/clinic/protocol")
def publish_protocol(visit: Inside) -> Answer:
    """Put another in force, from now on."""
    typed = visit.form["text"]
    typed_version = visit.form["version"]
    values: dict[str, str | list[str]] = {"text": typed, "version": typed_version}
    fields = Fields("protocol", {"text": "Protocol"}, values)
    held = schedule.read_protocol(visit.db, visit.caller)
    try:
        with visit.db.tried():
            sent = _read_protocol(typed)
            base_version = version(typed_version)
            schedule.publish_protocol(visit.db, visit.caller, sent, base_version, visit.now)
    except Problem as problem:
        if problem.kind is Kind.PRECONDITION_FAILED:
            return _protocol(visit, held, fields, status=412, is_overtaken=True)
        if problem.kind not in {Kind.INVALID, Kind.MALFORMED_BODY}:
            raise
        wrong = fields.wrong_at("text", f"has {len(problem.faults)} things to correct, see below")
        return _protocol(visit, held, wrong, faults=list(problem.faults), status=422)
    return GoTo("/console/clinic/protocol?done=published")


@routes.get("/console/clinic/hours")
def hours_page(visit: Inside, done: _DONE = "") -> Answer:
    """When the clinic is on duty."""
    held = hours.read_hours(visit.db, visit.caller)
    return _hours(visit, held, _hours_fields(held), held.version, said=words.DONE.get(done, ""))


@routes.post("/console/clinic/hours")
def declare_hours(visit: Inside) -> Answer:
    """Say it otherwise, from now on."""
    fields = Fields("hours", _HOURS_LABELS).typed(visit.form)
    base_version = visit.form["version"]
    shifts = {day: _shifts(fields.value(day)) for day in DAYS}
    holidays = fields.value("holidays").replace(",", " ").split()
    time_zone = fields.value("time_zone").strip()
    try:
        with visit.db.tried():
            sent = read(HoursIn, {"hours": {}, "time_zone": time_zone})
            hours.declare_hours(
                visit.db, visit.caller, shifts, holidays, base_version, sent.time_zone
            )
    except Problem as problem:
        held = hours.read_hours(visit.db, visit.caller)
        if problem.kind is Kind.PRECONDITION_FAILED:
            return _hours(visit, held, fields, held.version, status=412, is_overtaken=True)
        return _hours(visit, held, fields.refused(problem), base_version, status=422)
    return GoTo("/console/clinic/hours?done=saved")


def _told(visit: Visit) -> str:
    """The sentences that end every answer to something in which nothing alarming was found."""
    about = visit.db.one(ABOUT_CLINIC)
    return statement(
        clinic_name=visit.signed_in.clinic_name,
        coverage=about.coverage,
        time_zone=about.time_zone,
        now=visit.now,
        told=Told.NOBODY_NEEDED,
        is_worker_silent=False,
        locale=ENGLISH,
        own=about.texts,
    )


def _is_administrator(visit: Visit) -> bool:
    return visit.caller.role == "administrator"


def _protocol_fields(held: ProtocolOut) -> Fields:
    text = held.model_dump(exclude={"version", "published_at"}, exclude_none=True)
    return Fields(
        "protocol",
        {"text": "Protocol"},
        {
            "text": json.dumps(text, indent=2, ensure_ascii=False),
            "version": str(held.version),
        },
    )


def _protocol(
    visit: Visit,
    held: ProtocolOut,
    fields: Fields,
    *,
    shown: ProtocolOut | None = None,
    faults: list[Fault] | None = None,
    status: int = 200,
    said: str = "",
    is_overtaken: bool = False,
) -> Shown:
    if is_overtaken:
        # Sent again, it is made on the version that holds now.
        values = {**fields.values, "version": str(held.version)}
        fields = Fields(fields.name, fields.labels, values, fields.errors)
    view = Protocol(
        protocol=shown or held,
        is_current=shown is None,
        editions=schedule.PROTOCOLS.editions(visit.db, visit.caller),
        is_administrator=_is_administrator(visit),
        fields=fields,
        faults=faults or [],
        is_overtaken=is_overtaken,
    )
    return Shown(
        "clinic_protocol.html", "Protocol", view, section="clinic", status=status, said=said
    )


def _read_protocol(text: str) -> ProtocolIn:
    """Raises: Problem INVALID, MALFORMED_BODY."""
    try:
        return ProtocolIn.model_validate_json(text)
    except ValidationError as error:
        raise problem_of(error) from None


def _hours_fields(held: Hours) -> Fields:
    values: dict[str, Any] = {
        day: ", ".join(f"{begins}-{ends}" for begins, ends in held.shifts.get(day, []))
        for day in DAYS
    }
    values |= {"holidays": "\n".join(held.holidays), "time_zone": held.time_zone}
    return Fields("hours", _HOURS_LABELS, values)


def _shifts(typed: str) -> list[tuple[str, str]]:
    """`09:00-12:00, 13:00-17:00`; what is no shift is refused where it is checked."""
    parts = typed.replace("\N{EN DASH}", "-").replace(" ", "").split(",")
    shifts = []
    for part in parts:
        if part:
            begins, _, ends = part.partition("-")
            shifts.append((begins, ends))
    return shifts


def _hours(
    visit: Visit,
    held: Hours,
    fields: Fields,
    base_version: str,
    *,
    status: int = 200,
    said: str = "",
    is_overtaken: bool = False,
) -> Shown:
    view = HoursForm(held, DAYS, _is_administrator(visit), fields, base_version, is_overtaken)
    return Shown(
        "clinic_hours.html", "Coverage hours", view, section="clinic", status=status, said=said
    )
