"""What is asked of batches and series, and how they are changed."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, func, insert, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.clinical.vital_series import Columns
from app.course.vital_signs.tables import VitalSeries, VitalSigns
from app.kernel.db import Change, Query, itself
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.tables import columns


class BatchRow(NamedTuple):
    """A batch as it is stored."""

    id: UUID
    version: int
    status: str
    dosing_session_id: UUID
    source: str
    device: str | None
    readings: Columns
    protocol_version: int
    received_at: datetime


class BatchSummary(NamedTuple):
    """A batch in the list of those of a visit. readings: how many."""

    id: UUID
    version: int
    source: str
    device: str | None
    readings: int
    received_at: datetime


_batch = columns(VitalSigns)
_series = columns(VitalSeries)
_COLUMNS = tuple(getattr(_batch, name) for name in BatchRow._fields)
_of_patient = (
    _batch.clinic_id == bindparam("clinic_id"),
    _batch.patient_id == bindparam("patient_id"),
)
_of_visit = (
    *_of_patient,
    _batch.dosing_session_id == bindparam("visit_id"),
    _batch.status != literal_column(f"'{ENTERED_IN_ERROR}'"),
)
BATCH = Query(select(*_COLUMNS).where(*_of_patient, _batch.id == bindparam("id")), BatchRow)
BATCH_TO_CHANGE = Query(
    select(*_COLUMNS).where(*_of_patient, _batch.id == bindparam("id")).with_for_update(), BatchRow
)
READINGS = Query(
    select(_batch.id, _batch.readings).where(*_of_visit).order_by(_batch.received_at, _batch.id),
    lambda batch_id, readings: (batch_id, readings),
)
BATCHES = Query(
    select(
        _batch.id,
        _batch.version,
        _batch.source,
        _batch.device,
        func.jsonb_array_length(_batch.readings.op("->")(literal_column("'at'"))),
        _batch.received_at,
    )
    .where(*_of_visit)
    .order_by(_batch.received_at, _batch.id),
    BatchSummary,
)
SERIES = Query(
    select(_series.series).where(
        _series.clinic_id == bindparam("clinic_id"),
        _series.patient_id == bindparam("patient_id"),
        _series.dosing_session_id == bindparam("visit_id"),
    ),
    itself,
)
ADD_BATCH = Change(insert(VitalSigns))
CHANGED = ("version", "status", "source", "device", "readings", "protocol_version")
CHANGE_BATCH = Change(
    update(VitalSigns)
    .where(*_of_patient, _batch.id == bindparam("entry_id"))
    .values({name: bindparam(f"to_{name}", type_=getattr(_batch, name).type) for name in CHANGED})
)
_kept = upsert(VitalSeries)
KEEP_SERIES = Change(
    _kept.on_conflict_do_update(
        index_elements=["clinic_id", "patient_id", "dosing_session_id"],
        set_={"series": _kept.excluded.series},
    )
)
