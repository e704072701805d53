"""The gate at the door."""

from typing import Final

from app.course.discharge import service
from app.course.discharge.schemas import DischargeIn, DischargeOut, DischargeVersions, GateOut
from app.course.discharge.service import DISCHARGES
from app.kernel import entries
from app.kernel.edge import Reply, Signed, router
from app.kernel.etag import IfMatch, etag, version_named
from app.people.chart import entry_id, open_chart

routes: Final = router("treatment")

_GATE: Final = "/v1/patients/{patient_id}/dosing-sessions/{dosing_session_id}/discharge"
_ONE: Final = _GATE + "/{discharge_id}"


@routes.get(_GATE, response_model=GateOut, operation_id="read_discharge_gate")
def read_discharge_gate(visit: Signed, patient_id: str, dosing_session_id: str) -> Reply:
    """What is still missing before somebody may leave; nothing is stored."""
    chart = open_chart(visit.db, visit.caller, patient_id, DISCHARGES.read_right, visit.now)
    return Reply(service.read_gate(visit.db, chart, entry_id(dosing_session_id), visit.now))


@routes.post(_GATE, status_code=201, response_model=DischargeOut, operation_id="record_discharge")
def record_discharge(
    visit: Signed, patient_id: str, dosing_session_id: str, sent: DischargeIn
) -> Reply:
    """Let somebody go. Every criterion is met, or overridden by name with a reason.

    Otherwise 409 with what is open in `open` and `criteria`, and nothing is stored.
    """
    chart = open_chart(visit.db, visit.caller, patient_id, DISCHARGES.write_right, visit.now)
    known = entries.known_before(visit.db, chart, DISCHARGES.kind, DISCHARGES.to_change, sent.id)
    session = entry_id(dosing_session_id)
    left, is_new = service.let_go(visit.db, chart, session, sent, known, visit.now)
    return Reply(left, 201 if is_new else 200, {"ETag": etag(left.version)})


@routes.put(_ONE, response_model=DischargeOut, operation_id="amend_discharge")
def amend_discharge(
    visit: Signed,
    patient_id: str,
    dosing_session_id: str,
    discharge_id: str,
    sent: DischargeIn,
    if_match: IfMatch = None,
) -> Reply:
    """Correct what was said at the door. It is judged anew, by the protocol as it was then."""
    base_version = version_named(if_match)
    chart = open_chart(visit.db, visit.caller, patient_id, DISCHARGES.write_right, visit.now)
    session, which = entry_id(dosing_session_id), entries.same_id(entry_id(discharge_id), sent.id)
    known = entries.look_up(visit.db, chart, DISCHARGES.kind, DISCHARGES.to_change, which)
    left = service.amend(visit.db, chart, session, sent, known, base_version, visit.now)
    return Reply(left, headers={"ETag": etag(left.version)})


@routes.delete(_ONE, response_model=DischargeOut, operation_id="withdraw_discharge")
def withdraw_discharge(
    visit: Signed,
    patient_id: str,
    dosing_session_id: str,
    discharge_id: str,
    if_match: IfMatch = None,
) -> Reply:
    """Say that a discharge was entered in error: the gate is as if nobody had passed it."""
    base_version = version_named(if_match)
    chart = open_chart(visit.db, visit.caller, patient_id, DISCHARGES.write_right, visit.now)
    session, which = entry_id(dosing_session_id), entry_id(discharge_id)
    known = entries.look_up(visit.db, chart, DISCHARGES.kind, DISCHARGES.to_change, which)
    left = service.withdraw(visit.db, chart, session, known, base_version, visit.now)
    return Reply(left, headers={"ETag": etag(left.version)})


@routes.get(
    _ONE + "/versions", response_model=DischargeVersions, operation_id="list_discharge_versions"
)
def list_discharge_versions(
    visit: Signed, patient_id: str, dosing_session_id: str, discharge_id: str
) -> Reply:
    """A discharge as it was recorded, amended and withdrawn."""
    chart = open_chart(visit.db, visit.caller, patient_id, DISCHARGES.read_right, visit.now)
    session, which = entry_id(dosing_session_id), entry_id(discharge_id)
    return Reply(service.versions(visit.db, chart, session, which))
