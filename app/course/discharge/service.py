"""Holding the gate, and letting people through."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, literal_column, select

from app.checkins import schedule
from app.checkins.schedule import InForce
from app.clinical import discharge
from app.clinical.discharge import Gate
from app.clinical.protocol import CriterionKind
from app.course import risk_screen
from app.course.discharge.schemas import (
    DischargeIn,
    DischargeOut,
    DischargeVersion,
    DischargeVersions,
    GateOut,
    JudgedCriterionOut,
    Leaving,
)
from app.course.discharge.tables import Discharge
from app.course.vital_signs import service as vital_signs
from app.journal.shelf import Kept, Shelf
from app.kernel.clock import instant_of, microseconds
from app.kernel.db import Db, Query, itself
from app.kernel.entries import ENTERED_IN_ERROR, Known
from app.kernel.errors import Fault, Kind, Problem, not_found
from app.kernel.tables import columns
from app.people.chart import Chart, Right
from app.treatment import service as treatment
from app.treatment.service import Dosed

_discharge = columns(Discharge)
STANDING = Query(
    select(_discharge.id).where(
        _discharge.clinic_id == bindparam("clinic_id"),
        _discharge.patient_id == bindparam("patient_id"),
        _discharge.dosing_session_id == bindparam("visit_id"),
        _discharge.status != literal_column(f"'{ENTERED_IN_ERROR}'"),
    ),
    itself,
)


def _judged(
    db: Db, chart: Chart, sent: Leaving, row: Kept, before: Kept | None, _: datetime
) -> dict[str, Any]:
    """Every criterion as it stood. Raises: Problem CRITERIA_OPEN with what is open, INVALID,
    ALREADY_EXISTS, NOT_FOUND, WITHDRAWN.
    """
    # Locked, so that of two who let somebody go at once the second sees the first.
    visit = treatment.dosed(db, chart, sent.dosing_session_id)
    if before is None:
        held = schedule.protocol_in_force(db)
    else:
        held = schedule.protocol_of_version(db, before.plain["protocol_version"])
    if set(db.all(STANDING, patient_id=chart.patient_id, visit_id=visit.visit.id)) - {row.id}:
        raise Problem(Kind.ALREADY_EXISTS)
    gate = _gate(db, chart, visit, held, sent.attested, row.effective_at)
    _check(sent, gate)
    overridden = [one.criterion for one in sent.overrides]
    if missing := gate.not_covered(overridden):
        told = [one.model_dump(mode="json") for one in _criteria(gate) if one.key in missing]
        raise Problem(Kind.CRITERIA_OPEN, extra={"open": list(missing), "criteria": told})
    return {
        "protocol_version": held.version,
        "discharged_by": chart.actor_id,
        "criteria": [one.model_dump(mode="json") for one in _criteria(gate)],
    }


DISCHARGES: Final = Shelf(
    "discharge",
    Discharge,
    Leaving,
    DischargeOut,
    created="recorded",
    read=Right("discharges.read"),
    write=Right(
        "discharges.record", is_for_patient=False, privileges=frozenset({"prescribe", "monitor"})
    ),
    derive=_judged,
)


def let_go(
    db: Db, chart: Chart, visit_id: UUID, sent: DischargeIn, known: Known[Kept], now: datetime
) -> tuple[DischargeOut, bool]:
    """Record that somebody left. Returns: it, and whether it is new (False: a retry).

    Raises: Problem CRITERIA_OPEN, INVALID, ALREADY_EXISTS, ID_REUSED, NOT_FOUND, WITHDRAWN.
    """
    return DISCHARGES.create(db, chart, _leaving(sent, visit_id), known, now)


def amend(
    db: Db,
    chart: Chart,
    visit_id: UUID,
    sent: DischargeIn,
    known: Known[Kept],
    base_version: int,
    now: datetime,
) -> DischargeOut:
    """Correct what was said at the door. Raises: Problem as `let_go`, `entries.to_change`."""
    _check_of(known, visit_id)
    leaving = _leaving(sent, visit_id)
    return DISCHARGES.amend(db, chart, leaving, known, base_version, now)[0]


def withdraw(
    db: Db, chart: Chart, visit_id: UUID, known: Known[Kept], base_version: int, now: datetime
) -> DischargeOut:
    """Entered in error. Raises: Problem as `entries.to_change`."""
    _check_of(known, visit_id)
    return DISCHARGES.withdraw(db, chart, known, base_version, now)[0]


def read_gate(db: Db, chart: Chart, visit_id: UUID, now: datetime) -> GateOut:
    """What is still missing right now; or how it stood for who was let go.

    Raises: Problem NOT_FOUND, WITHDRAWN.
    """
    visit = treatment.dosed(db, chart, visit_id)
    standing = db.first(STANDING, patient_id=chart.patient_id, visit_id=visit_id)
    if standing is not None:
        left = DISCHARGES.read(db, chart, standing)
        return GateOut(
            dosing_session_id=visit_id,
            protocol_version=left.protocol_version,
            as_of=left.effective_at,
            may_leave=True,
            open=[],
            criteria=left.criteria,
            discharge=left,
        )
    held = schedule.protocol_in_force(db)
    gate = _gate(db, chart, visit, held, {}, now)
    return GateOut(
        dosing_session_id=visit_id,
        protocol_version=held.version,
        as_of=now,
        may_leave=gate.may_leave,
        open=list(gate.open_keys),
        criteria=_criteria(gate),
        discharge=None,
    )


def versions(db: Db, chart: Chart, visit_id: UUID, discharge_id: UUID) -> DischargeVersions:
    """Every version of a discharge, the first one first. Raises: Problem NOT_FOUND."""
    if DISCHARGES.read(db, chart, discharge_id).dosing_session_id != visit_id:
        raise not_found()
    return DischargeVersions(
        versions=[
            DischargeVersion(
                version=one.version, action=one.action, at=one.at, by=one.by, discharge=one.entry
            )
            for one in DISCHARGES.versions(db, chart, discharge_id)
        ]
    )


def _leaving(sent: DischargeIn, visit_id: UUID) -> Leaving:
    said = {name: getattr(sent, name) for name in DischargeIn.model_fields}
    return Leaving.model_construct(**said, dosing_session_id=visit_id)


def _check_of(known: Known[Kept], visit_id: UUID) -> None:
    if known.row is not None and known.row.plain["dosing_session_id"] != visit_id:
        raise not_found()


def _gate(
    db: Db, chart: Chart, visit: Dosed, held: InForce, attested: dict[str, bool], at: datetime
) -> Gate:
    sections = held.protocol.sections
    dosed_at = visit.dosed_at
    screened = None
    if dosed_at:
        screened = risk_screen.found(db, chart, since=instant_of(dosed_at[-1]), until=at)
    known = discharge.Known(
        now=microseconds(at),
        first_dose_at=dosed_at[0] if dosed_at else None,
        last_dose_at=dosed_at[-1] if dosed_at else None,
        readings=vital_signs.series_of(db, chart, visit.visit.id),
        risk=screened.finding if screened else None,
        attested=attested,
    )
    return discharge.assess(sections.discharge, known, sections.monitoring.alarms)


def _check(sent: Leaving, gate: Gate) -> None:
    """Raises: Problem INVALID for what was said of no criterion there is."""
    attestable = {
        one.criterion.key for one in gate.outcomes if one.criterion.kind is CriterionKind.ATTESTED
    }
    faults: list[Fault] = []
    if sent.attested.keys() - attestable:
        faults.append(Fault("/attested", "has a key that is no criterion to be attested"))
    keys = [one.criterion for one in sent.overrides]
    for place, key in enumerate(keys):
        if key in keys[:place]:
            faults.append(Fault(f"/overrides/{place}/criterion", "is there twice"))
        elif key not in gate.open_keys:
            faults.append(Fault(f"/overrides/{place}/criterion", "is no criterion that is open"))
    if faults:
        raise Problem(Kind.INVALID, faults=faults)


def _criteria(gate: Gate) -> list[JudgedCriterionOut]:
    return [
        JudgedCriterionOut(
            key=one.criterion.key,
            label=one.criterion.label,
            kind=one.criterion.kind.value,
            met=one.met.value,
            value=dict(one.value),
        )
        for one in gate.outcomes
    ]
