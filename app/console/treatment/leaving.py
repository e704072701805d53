"""Going home: the gate, letting somebody go, what they were given to take home and that they read
it.
"""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from app.checkins import schedule
from app.clinical.protocol import Criterion, CriterionKind
from app.console.door import Visit
from app.console.forms import Fields, read, version
from app.console.treatment.acts import (
    Act,
    Refused,
    at,
    check_protocol,
    choices,
    first_sent,
    made_with,
    refusing,
    with_words,
    withdraw,
)
from app.course.aftercare import service as aftercare
from app.course.aftercare.schemas import AftercareIn
from app.course.discharge import service as discharge
from app.course.discharge.schemas import DischargeIn, GateOut
from app.course.discharge.service import DISCHARGES
from app.kernel import entries
from app.kernel.db import Db
from app.kernel.errors import Fault, Kind, Problem
from app.people.chart import Chart, entry_id
from app.people.roster import members
from app.treatment.schemas import DosingSessionOut
from app.treatment.service import GIVEN_IN

SAYS: Final = {"yes": True, "no": False}
_OVERRIDE: Final = "Reason to let them go all the same"


@dataclass(frozen=True, slots=True)
class Leaving:
    """The gate. attested: of the criteria that a clinician attests, the keys.

    by: who let them go, where that is known. form: None for whoever may not, or once it was done.
    """

    gate: GateOut
    attested: set[str]
    by: str
    form: Fields | None
    form_id: str
    may_withdraw: bool


@dataclass(frozen=True, slots=True)
class TakenHome:
    """What was given to take home. instructions: of the protocol, to choose from."""

    given: list[aftercare.Given]
    form: Fields | None
    form_id: str
    instructions: list[tuple[str, str]]
    may_withdraw: bool


def show_gate(
    visit: Visit, chart: Chart, session: DosingSessionOut, typed: Fields | None
) -> Leaving | None:
    """The part of a visit's page; None for whoever may not read it, or where nothing was given."""
    if not DISCHARGES.read_right.is_granted(chart) or session.status not in GIVEN_IN:
        return None
    gate = discharge.read_gate(visit.db, chart, session.id, visit.now)
    may = DISCHARGES.write_right.is_granted(chart)
    signed = ""
    if gate.discharge is not None:
        by_id = {one.membership_id: one.name for one in members(visit.db, visit.caller, visit.now)}
        signed = by_id.get(gate.discharge.discharged_by, "")
    criteria = _criteria(visit.db, gate.protocol_version)
    return Leaving(
        gate=gate,
        attested={one.key for one in criteria if one.kind is CriterionKind.ATTESTED},
        by=signed,
        form=(typed or Fields("leave", _labels(criteria)))
        if may and gate.discharge is None
        else None,
        form_id=made_with(visit, typed),
        may_withdraw=may,
    )


def show_home(
    visit: Visit, chart: Chart, session: DosingSessionOut, typed: Fields | None
) -> TakenHome | None:
    """The part of a visit's page; None for whoever may not read it, or where nothing was given."""
    shelf = aftercare.AFTERCARE
    if not shelf.read_right.is_granted(chart) or session.status not in GIVEN_IN:
        return None
    held = schedule.protocol_in_force(visit.db).protocol.sections.aftercare
    may = shelf.write_right.is_granted(chart)
    return TakenHome(
        given=aftercare.given_at(visit.db, chart, session.id),
        form=(typed or Fields("home", _HOME)) if may else None,
        form_id=made_with(visit, typed),
        instructions=[(one.key, one.label) for one in held.instructions],
        may_withdraw=may,
    )


def let_go(visit: Visit, chart: Chart, session_id: UUID) -> None:
    """Every criterion is met, or overridden with a reason. Raises: Refused."""
    held = schedule.protocol_in_force(visit.db)
    fields = Fields("leave", _labels(_criteria(visit.db, held.version))).typed(visit.form)
    check_protocol(visit, fields, held.version)
    new_id = entry_id(visit.form["id"])
    shelf = DISCHARGES
    known = entries.known_before(visit.db, chart, shelf.kind, shelf.to_change, new_id)
    overridden = list(choices(fields, "reason-").items())
    says: dict[str, Any] = {
        "id": str(new_id),
        "recorded_at": at(fields, "left_at", chart, first_sent(known, visit)),
        "attested": {
            key: SAYS.get(said, said) for key, said in choices(fields, "attested-").items()
        },
        "overrides": [{"criterion": key, "reason": reason} for key, reason in overridden],
    }
    with refusing(fields):
        try:
            sent = read(DischargeIn, says)
            discharge.let_go(visit.db, chart, session_id, sent, known, visit.now)
        except Problem as problem:
            if problem.kind is Kind.CRITERIA_OPEN:
                raise _open(fields, problem) from None
            keys = [key for key, _ in overridden]
            raise Problem(problem.kind, problem.detail, _placed(problem, keys)) from None


def take_back(visit: Visit, chart: Chart, session_id: UUID) -> None:
    """A discharge was entered in error: the gate is as if nobody had passed it. Raises: Refused."""
    which = entry_id(visit.form["entry"])
    known = entries.look_up(visit.db, chart, DISCHARGES.kind, DISCHARGES.to_change, which)
    with refusing(Fields(f"withdraw-{which}", {})):
        base = version(visit.form["version"])
        discharge.withdraw(visit.db, chart, session_id, known, base, visit.now)


def give_home(visit: Visit, chart: Chart, session_id: UUID) -> None:
    """Keep what somebody was given to take home. Raises: Refused."""
    fields = Fields("home", _HOME).typed(visit.form, several=["instructions"])
    new_id = entry_id(visit.form["id"])
    shelf = aftercare.AFTERCARE
    known = entries.known_before(visit.db, chart, shelf.kind, shelf.to_change, new_id)
    says = {
        **fields.values,
        "id": str(new_id),
        "recorded_at": first_sent(known, visit),
        "dosing_session_id": str(session_id),
    }
    with refusing(fields):
        shelf.create(visit.db, chart, read(AftercareIn, says), known, visit.now)


def take_home_back(visit: Visit, chart: Chart, session_id: UUID) -> None:
    """It was entered in error. Raises: Refused."""
    withdraw(aftercare.AFTERCARE, visit, chart, session_id)


_HOME: Final = {"instructions": "What they were given", "words": "What else was said"}
ACTS: Final = {
    "leave": Act(DISCHARGES.write_right, "left", let_go),
    "withdraw-leave": Act(DISCHARGES.write_right, "in-error", take_back),
    "home": Act(aftercare.AFTERCARE.write_right, "given", give_home),
    "withdraw-home": Act(aftercare.AFTERCARE.write_right, "in-error", take_home_back),
}


def _criteria(db: Db, protocol_version: int) -> tuple[Criterion, ...]:
    return schedule.protocol_of_version(db, protocol_version).protocol.sections.discharge.criteria


def _labels(criteria: tuple[Criterion, ...]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for one in criteria:
        if one.kind is CriterionKind.ATTESTED:
            labels[f"attested-{one.key}"] = one.label
        labels[f"reason-{one.key}"] = _OVERRIDE
    return labels | {"left_at": "They left at"}


def _open(fields: Fields, problem: Problem) -> Refused:
    """What stands open, at each criterion."""
    found: Any = problem.extra["criteria"]
    said = fields
    for one in found:
        words = f"{one['label']}: this is open. Without it, or a reason, nobody is let go."
        said = with_words(said, f"reason-{one['key']}", words)
    return Refused(said, problem.kind.status)


def _placed(problem: Problem, keys: list[str]) -> list[Fault]:
    """Faults at the fields of this form. keys: of the criteria that were overridden, in order."""
    placed = []
    for fault in problem.faults:
        parts = fault.pointer.split("/")
        pointer = fault.pointer
        if len(parts) > 2 and parts[1] == "overrides":
            pointer = f"/reason-{keys[int(parts[2])]}"
        elif len(parts) > 2 and parts[1] == "attested":
            pointer = f"/attested-{parts[2]}"
        elif parts[1:] == ["recorded_at"]:
            pointer = "/left_at"
        placed.append(Fault(pointer, fault.reason))
    return placed
