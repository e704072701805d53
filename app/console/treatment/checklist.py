"""Before a dose: the checklist of a visit, who said what of it, and the staff's part as a form."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from app.checkins import schedule
from app.clinical.protocol import PreparationItem
from app.clinical.vitals import Sign
from app.console.door import Visit
from app.console.forms import Fields, read
from app.console.treatment.acts import (
    Act,
    at,
    check_protocol,
    choices,
    first_sent,
    made_with,
    numeric,
    refusing,
    withdraw,
)
from app.course.preparation import service
from app.course.preparation.schemas import (
    PreparationCheckIn,
    PreparationCheckOut,
    PreparationOut,
    SessionPreparationOut,
)
from app.kernel import entries
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.errors import Fault, Problem
from app.people.chart import Chart, entry_id
from app.treatment.schemas import DosingSessionOut

_SIGNS: Final = (Sign.SYSTOLIC, Sign.DIASTOLIC, Sign.SPO2, Sign.PULSE, Sign.RESPIRATION)
_READING: Final = {
    "systolic": "Systolic, mm Hg",
    "diastolic": "Diastolic, mm Hg",
    "spo2": "Oxygen saturation, %",
    "pulse": "Heart rate, per minute",
    "respiration": "Breaths, per minute",
    "measured_at": "Measured at",
}
ANSWERS: Final = ("yes", "no", "unknown")


@dataclass(frozen=True, slots=True)
class Checklist:
    """What stands. own: what the patient answered; checks: what staff did; form: the staff's part.

    items: of the form, with `measured` among them those that have a result in words.
    labels: of items, by key.
    """

    told: SessionPreparationOut
    own: list[PreparationOut]
    checks: list[PreparationCheckOut]
    labels: dict[str, str]
    form: Fields | None
    form_id: str
    items: list[PreparationItem]
    signs: list[str]


def show(
    visit: Visit, chart: Chart, session: DosingSessionOut, typed: Fields | None
) -> Checklist | None:
    """The part of a visit's page; None for whoever may not read it."""
    if not service.READ_PREPARATION.is_granted(chart) or session.status == ENTERED_IN_ERROR:
        return None
    told = service.read_preparation(visit.db, chart, session.id, visit.now)
    own = checks = []
    if service.PREPARATIONS.read_right.is_granted(chart):
        own = service.PREPARATIONS.found(
            visit.db, chart, service.PREPARATIONS_OF, dosing_session_id=session.id
        )
    if service.CHECKS.read_right.is_granted(chart):
        checks = service.CHECKS.found(
            visit.db, chart, service.CHECKS_OF, dosing_session_id=session.id
        )
    items = list(
        schedule.protocol_of_version(
            visit.db, told.protocol_version
        ).protocol.sections.preparation.items
    )
    may = service.CHECKS.write_right.is_granted(chart)
    return Checklist(
        told=told,
        own=own,
        checks=checks,
        labels={one.key: one.label for one in items},
        form=(typed or Fields("check", _labels(items))) if may else None,
        form_id=made_with(visit, typed),
        items=items,
        signs=[sign.value for sign in _SIGNS],
    )


def record(visit: Visit, chart: Chart, session_id: UUID) -> None:
    """What staff asked and measured. It keeps what was found with it. Raises: Refused."""
    told = service.read_preparation(visit.db, chart, session_id, visit.now)
    held = schedule.protocol_of_version(visit.db, told.protocol_version).protocol
    fields = Fields("check", _labels(held.sections.preparation.items)).typed(visit.form)
    check_protocol(visit, fields, told.protocol_version)
    new_id = entry_id(visit.form["id"])
    shelf = service.CHECKS
    known = entries.known_before(visit.db, chart, shelf.kind, shelf.to_change, new_id)
    first = first_sent(known, visit)
    measured = first
    if known.row is not None and known.said(1)["reading"] is not None:
        measured = str(known.said(1)["reading"]["measured_at"])
    reading = {sign.value: numeric(fields.value(sign.value)) for sign in _SIGNS}
    reading = {name: value for name, value in reading.items() if value is not None}
    members: dict[str, Any] = {
        "id": str(new_id),
        "recorded_at": first,
        "dosing_session_id": str(session_id),
        "answers": choices(fields, "answer-"),
        "results": choices(fields, "result-"),
        "note": fields.value("note"),
    }
    if reading:
        members["reading"] = {
            "measured_at": at(fields, "measured_at", chart, measured),
            **reading,
        }
    with refusing(fields):
        try:
            shelf.create(visit.db, chart, read(PreparationCheckIn, members), known, visit.now)
        except Problem as problem:
            raise Problem(problem.kind, problem.detail, _placed(problem)) from None


def take_back(visit: Visit, chart: Chart, session_id: UUID) -> None:
    """A check was entered in error. Raises: Refused."""
    withdraw(service.CHECKS, visit, chart, session_id)


ACTS: Final = {
    "check": Act(service.CHECKS.write_right, "checked", record),
    "withdraw-check": Act(service.CHECKS.write_right, "in-error", take_back),
}


def _labels(items: Any) -> dict[str, str]:
    labels = {f"answer-{one.key}": one.label for one in items}
    labels |= {
        f"result-{one.key}": f"Result: {one.label}"
        for one in items
        if one.kind == "measured" and one.key != service.PRESSURE
    }
    return labels | _READING | {"note": "Note"}


def _placed(problem: Problem) -> list[Fault]:
    """Faults at the fields of this form."""
    placed = []
    for fault in problem.faults:
        parts = fault.pointer.split("/")
        pointer = fault.pointer
        if len(parts) == 3 and parts[1] in {"answers", "results"}:
            pointer = f"/{parts[1].removesuffix('s')}-{parts[2]}"
        elif parts[1:] == ["reading"]:
            pointer = "/systolic"
        placed.append(Fault(pointer, fault.reason))
    return placed
