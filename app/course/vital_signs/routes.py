"""Vital signs of a visit."""

from typing import Final

from app.course.vital_signs import service, statements
from app.course.vital_signs.schemas import (
    SentVitalSignsOut,
    VitalSeriesOut,
    VitalSignsIn,
    VitalSignsOut,
    VitalSignsVersions,
)
from app.kernel import entries
from app.kernel.edge import Reply, Signed, router
from app.kernel.etag import IfMatch, etag, version_named
from app.people.chart import entry_id, open_chart

routes: Final = router("treatment")

_ALL: Final = "/v1/patients/{patient_id}/dosing-sessions/{dosing_session_id}/vital-signs"
_ONE: Final = _ALL + "/{vital_signs_id}"


@routes.post(
    _ALL, status_code=201, response_model=SentVitalSignsOut, operation_id="record_vital_signs"
)
def record_vital_signs(
    visit: Signed, patient_id: str, dosing_session_id: str, sent: VitalSignsIn
) -> Reply:
    """Keep 1 to 500 readings as one batch. Sent again, it changes nothing.

    Readings of one instant and source count once. Alarms are the clinic's thresholds and ask for a
    look; nobody is told of them but who reads this answer.
    """
    chart = open_chart(visit.db, visit.caller, patient_id, service.RECORD_VITAL_SIGNS, visit.now)
    known = entries.known_before(visit.db, chart, service.KIND, statements.BATCH, sent.id)
    session = entry_id(dosing_session_id)
    batch, is_new = service.record(visit.db, chart, session, sent, known, visit.now)
    return Reply(batch, 201 if is_new else 200, {"ETag": etag(batch.version)})


@routes.get(_ALL, response_model=VitalSeriesOut, operation_id="read_vital_series")
def read_vital_series(visit: Signed, patient_id: str, dosing_session_id: str) -> Reply:
    """Everything that was read during a visit, in columns; and the batches it came in."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_VITAL_SIGNS, visit.now)
    return Reply(service.read_series(visit.db, chart, entry_id(dosing_session_id), visit.now))


@routes.get(_ONE, response_model=VitalSignsOut, operation_id="read_vital_signs")
def read_vital_signs(
    visit: Signed, patient_id: str, dosing_session_id: str, vital_signs_id: str
) -> Reply:
    """One batch, as it was sent."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_VITAL_SIGNS, visit.now)
    session, batch_id = entry_id(dosing_session_id), entry_id(vital_signs_id)
    batch = service.read_batch(visit.db, chart, session, batch_id)
    return Reply(batch, headers={"ETag": etag(batch.version)})


@routes.put(_ONE, response_model=SentVitalSignsOut, operation_id="amend_vital_signs")
def amend_vital_signs(
    visit: Signed,
    patient_id: str,
    dosing_session_id: str,
    vital_signs_id: str,
    sent: VitalSignsIn,
    if_match: IfMatch = None,
) -> Reply:
    """Put other readings in a batch's place. What the visit shows is computed anew."""
    base_version = version_named(if_match)
    chart = open_chart(visit.db, visit.caller, patient_id, service.RECORD_VITAL_SIGNS, visit.now)
    session, batch_id = entry_id(dosing_session_id), entry_id(vital_signs_id)
    entry = entries.same_id(batch_id, sent.id)
    known = entries.look_up(visit.db, chart, service.KIND, statements.BATCH_TO_CHANGE, entry)
    batch = service.amend(visit.db, chart, session, sent, known, base_version, visit.now)
    return Reply(batch, headers={"ETag": etag(batch.version)})


@routes.delete(_ONE, response_model=VitalSignsOut, operation_id="withdraw_vital_signs")
def withdraw_vital_signs(
    visit: Signed,
    patient_id: str,
    dosing_session_id: str,
    vital_signs_id: str,
    if_match: IfMatch = None,
) -> Reply:
    """Say that a batch was entered in error: it counts for nothing and stays readable."""
    base_version = version_named(if_match)
    chart = open_chart(visit.db, visit.caller, patient_id, service.RECORD_VITAL_SIGNS, visit.now)
    session, batch_id = entry_id(dosing_session_id), entry_id(vital_signs_id)
    known = entries.look_up(visit.db, chart, service.KIND, statements.BATCH_TO_CHANGE, batch_id)
    batch = service.withdraw(visit.db, chart, session, known, base_version, visit.now)
    return Reply(batch, headers={"ETag": etag(batch.version)})


@routes.get(
    _ONE + "/versions", response_model=VitalSignsVersions, operation_id="list_vital_signs_versions"
)
def list_vital_signs_versions(
    visit: Signed, patient_id: str, dosing_session_id: str, vital_signs_id: str
) -> Reply:
    """A batch as it was sent, amended and withdrawn."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_VITAL_SIGNS, visit.now)
    session, batch_id = entry_id(dosing_session_id), entry_id(vital_signs_id)
    return Reply(service.versions(visit.db, chart, session, batch_id))
