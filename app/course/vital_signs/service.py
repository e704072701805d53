"""Keeping batches of readings, and what they show."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from app.checkins import schedule
from app.checkins.schedule import InForce
from app.clinical import vital_series, vitals
from app.clinical.vital_series import SIGNS, Columns
from app.clinical.vitals import Raised, Reading
from app.course.vital_signs.schemas import (
    AlarmOut,
    BatchRef,
    ReadingColumns,
    SentVitalSignsOut,
    SeriesColumns,
    VitalSeriesOut,
    VitalSignsIn,
    VitalSignsOut,
    VitalSignsVersion,
    VitalSignsVersions,
)
from app.course.vital_signs.statements import (
    ADD_BATCH,
    BATCH,
    BATCHES,
    CHANGE_BATCH,
    CHANGED,
    KEEP_SERIES,
    READINGS,
    SERIES,
    BatchRow,
)
from app.kernel import entries, ledger
from app.kernel.clock import instant_of, microseconds
from app.kernel.db import Db
from app.kernel.entries import ENTERED_IN_ERROR, Known
from app.kernel.errors import Fault, Kind, Problem, invalid, not_found
from app.people.chart import Chart, Right
from app.treatment import service as treatment
from app.treatment import shown
from app.treatment.faults import AHEAD, ELSEWHERE
from app.treatment.schemas import VitalsOut
from app.treatment.service import Dosed

READ_VITAL_SIGNS: Final = Right("vital_signs.read")
RECORD_VITAL_SIGNS: Final = Right(
    "vital_signs.record", privileges=frozenset({"prescribe", "monitor"})
)
"""A patient's only where they, or a companion, record what happens outside of the clinic."""
KIND: Final = "vital_signs"
"""As the ledger calls it."""
MAX_SERIES: Final = 10_000
"""Readings of one visit: one in every second for nearly three hours."""
_ALARMS_TOLD: Final = 100
_FAULTS_TOLD: Final = 50
_END_OF_TIME: Final = 2**62
_ON_THEIR_OWN: Final = ("companion", "patient")


def record(
    db: Db, chart: Chart, visit_id: UUID, sent: VitalSignsIn, known: Known[BatchRow], now: datetime
) -> tuple[SentVitalSignsOut, bool]:
    """Keep a batch. Returns: what it shows, and whether it is new (False: a retry).

    known: what there is under its id already.
    Raises: Problem NOT_FOUND (no such visit), WITHDRAWN, FORBIDDEN, INVALID, ID_REUSED.
    """
    visit = _visit(db, chart, visit_id)
    readings = _read(sent, now)
    earlier = entries.created_before(known, lambda entry: _says(entry, visit_id, sent))
    if earlier is not None:
        return _as_sent(db, earlier, visit, now), False
    held = schedule.protocol_in_force(db)
    row = BatchRow(
        id=sent.id or uuid7(),
        version=1,
        status="final",
        dosing_session_id=visit_id,
        source=sent.source,
        device=sent.device,
        readings=vital_series.columns(sent.source, readings),
        protocol_version=held.version,
        received_at=now,
    )
    before = db.first(SERIES, patient_id=chart.patient_id, visit_id=visit_id)
    series = vital_series.merged([before or vital_series.EMPTY, row.readings])
    told = _keep(db, chart, visit, series, held, now)
    db.add(ADD_BATCH, **row._asdict(), patient_id=chart.patient_id)
    _record(db, chart, "vital_signs.recorded", row, known, now)
    return _told(row, readings, held, told), True


def amend(
    db: Db,
    chart: Chart,
    visit_id: UUID,
    sent: VitalSignsIn,
    known: Known[BatchRow],
    base_version: int,
    now: datetime,
) -> SentVitalSignsOut:
    """Put other readings in the place of a batch's.

    Raises: Problem as `entries.to_change`, and as `record`.
    """
    visit = _visit(db, chart, visit_id)
    _check_of(known, visit_id)
    readings = _read(sent, now)
    changing = entries.to_change(known, base_version, lambda entry: _says(entry, visit_id, sent))
    if changing is None:
        assert known.row is not None
        return _as_sent(db, known.row, visit, now)
    held = schedule.protocol_in_force(db)
    row = changing._replace(
        version=base_version + 1,
        source=sent.source,
        device=sent.device,
        readings=vital_series.columns(sent.source, readings),
        protocol_version=held.version,
    )
    told = _change(db, chart, visit, row, held, "vital_signs.amended", known, now)
    return _told(row, readings, held, told)


def withdraw(
    db: Db, chart: Chart, visit_id: UUID, known: Known[BatchRow], base_version: int, now: datetime
) -> VitalSignsOut:
    """Entered in error: it stays readable, and counts for nothing.

    Raises: Problem as `entries.to_change`, NOT_FOUND, FORBIDDEN.
    """
    visit = _visit(db, chart, visit_id)
    _check_of(known, visit_id)
    changing = entries.to_change(known, base_version, entries.is_withdrawn)
    if changing is None:
        assert known.row is not None
        return _out(known.row)
    held = schedule.protocol_in_force(db)
    row = changing._replace(version=base_version + 1, status=ENTERED_IN_ERROR)
    _change(db, chart, visit, row, held, "vital_signs.withdrawn", known, now)
    return _out(row)


def compute_anew(db: Db, chart: Chart, visit_id: UUID, now: datetime) -> VitalsOut | None:
    """What a visit's readings show, now that its doses are others; kept with it."""
    series = db.first(SERIES, patient_id=chart.patient_id, visit_id=visit_id)
    if series is None:
        return None
    held = schedule.protocol_in_force(db)
    return _keep(db, chart, treatment.dosed(db, chart, visit_id), series, held, now)


def read_series(db: Db, chart: Chart, visit_id: UUID, now: datetime) -> VitalSeriesOut:
    """Everything that was read during a visit. Raises: Problem NOT_FOUND."""
    asked = db.ahead(SERIES, patient_id=chart.patient_id, visit_id=visit_id)
    batches = db.ahead(BATCHES, patient_id=chart.patient_id, visit_id=visit_id)
    visit = treatment.read_session(db, chart, visit_id, now)
    found = asked.all()
    series = found[0] if found else vital_series.EMPTY
    raised: list[Raised] = []
    if visit.vitals is not None:
        held = schedule.protocol_of_version(db, visit.vitals.protocol_version)
        alarms = held.protocol.sections.monitoring.alarms
        raised = vitals.alarms(vital_series.readings(series), alarms)
    return VitalSeriesOut(
        dosing_session_id=visit_id,
        readings=SeriesColumns.model_construct(source=series["source"], **_in_columns(series)),
        alarm_count=len(raised),
        alarms=_first(raised),
        vitals=visit.vitals,
        batches=[BatchRef(**one._asdict()) for one in batches.all()],
    )


def read_batch(db: Db, chart: Chart, visit_id: UUID, batch_id: UUID) -> VitalSignsOut:
    """One batch, also a withdrawn one. Raises: Problem NOT_FOUND."""
    found = db.first(BATCH, patient_id=chart.patient_id, id=batch_id)
    if found is None or found.dosing_session_id != visit_id:
        raise not_found()
    return _out(found)


def versions(db: Db, chart: Chart, visit_id: UUID, batch_id: UUID) -> VitalSignsVersions:
    """Every version of a batch, the first one first. Raises: Problem NOT_FOUND."""
    read_batch(db, chart, visit_id, batch_id)
    return VitalSignsVersions(
        versions=[
            VitalSignsVersion(
                version=row.entry_version,
                action=row.action,
                at=row.at,
                by=row.actor_role,
                vital_signs=VitalSignsOut.model_validate(row.entry(chart.data_key)),
            )
            for row in ledger.said_of(db, chart, KIND, [batch_id])
        ]
    )


def series_of(db: Db, chart: Chart, visit_id: UUID) -> list[Reading]:
    """The readings of a visit that hold, by time."""
    found = db.first(SERIES, patient_id=chart.patient_id, visit_id=visit_id)
    return vital_series.readings(found or vital_series.EMPTY)


def _visit(db: Db, chart: Chart, visit_id: UUID) -> Dosed:
    """The visit, locked, so that of two batches at once the second one sees the first."""
    visit = treatment.dosed(db, chart, visit_id)
    if chart.is_own and not (
        visit.visit.recorder in _ON_THEIR_OWN and visit.visit.setting in ELSEWHERE
    ):
        raise Problem(Kind.FORBIDDEN)
    return visit


def _check_of(known: Known[BatchRow], visit_id: UUID) -> None:
    if known.row is not None and known.row.dosing_session_id != visit_id:
        raise not_found()


def _read(sent: VitalSignsIn, now: datetime) -> list[Reading]:
    """The readings, in the order sent. Raises: Problem INVALID."""
    latest = microseconds(now + AHEAD)
    readings: list[Reading] = []
    faults: list[Fault] = []
    for place, one in enumerate(sent.readings):
        reading = Reading(
            microseconds(one.at),
            one.systolic,
            one.diastolic,
            one.spo2,
            one.pulse,
            one.respiration,
            one.sedation,
            one.dissociation,
        )
        if reading.at > latest:
            faults.append(Fault(f"/readings/{place}/at", "has not come yet"))
        for member, reason in vitals.faults(reading):
            faults.append(Fault(f"/readings/{place}/{member}".rstrip("/"), reason))
        readings.append(reading)
    if faults:
        raise Problem(Kind.INVALID, faults=faults[:_FAULTS_TOLD])
    return readings


def _keep(
    db: Db, chart: Chart, visit: Dosed, series: Columns, held: InForce, now: datetime
) -> VitalsOut:
    """Keep a series, and with the visit what it shows. Raises: Problem INVALID (too many)."""
    if len(series["at"]) > MAX_SERIES:
        raise invalid("/readings", "would be more than 10000 readings of one visit")
    monitoring = held.protocol.sections.monitoring
    readings = vital_series.readings(series)
    dose_at = visit.dosed_at[0] if visit.dosed_at else None
    found = vitals.summary(readings, dose_at, monitoring.alarms)
    missed: Sequence[int] = ()
    if dose_at is not None:
        missed = vitals.gaps(readings, dose_at, monitoring, until=_END_OF_TIME)
    vitals_now = {
        "protocol_version": held.version,
        "readings": found.readings,
        "baseline": {sign.value: value for sign, value in found.baseline.items()},
        "peak": {
            sign.value: {
                "value": peak.value,
                "at": instant_of(peak.at).isoformat().replace("+00:00", "Z"),
                "minutes": _rounded(peak.minutes),
            }
            for sign, peak in found.peak.items()
        },
        "last": {sign.value: value for sign, value in found.last.items()},
        "dissociation_passed_minutes": _rounded(found.dissociation_passed_minutes),
        "alarms": found.alarms,
    }
    kept = {"told": vitals_now, "timing": [dose_at, monitoring.tolerance_minutes, list(missed)]}
    visit_id = visit.visit.id
    db.add(KEEP_SERIES, patient_id=chart.patient_id, dosing_session_id=visit_id, series=series)
    shown.summarise(db, chart, visit_id, kept)
    told = shown.told_vitals(kept, visit.visit.ended_at, now)
    assert told is not None
    return told


def _rounded(minutes: float | None) -> float | None:
    return None if minutes is None else round(minutes, 2)


def _change(
    db: Db,
    chart: Chart,
    visit: Dosed,
    row: BatchRow,
    held: InForce,
    action: str,
    known: Known[BatchRow],
    now: datetime,
) -> VitalsOut:
    others = db.all(READINGS, patient_id=chart.patient_id, visit_id=row.dosing_session_id)
    hold = [row.readings if batch_id == row.id else readings for batch_id, readings in others]
    if row.status == ENTERED_IN_ERROR:
        hold = [readings for batch_id, readings in others if batch_id != row.id]
    told = _keep(db, chart, visit, vital_series.merged(hold), held, now)
    values = {f"to_{name}": getattr(row, name) for name in CHANGED}
    db.add(CHANGE_BATCH, patient_id=chart.patient_id, entry_id=row.id, **values)
    _record(db, chart, action, row, known, now)
    return told


def _record(
    db: Db, chart: Chart, action: str, row: BatchRow, known: Known[BatchRow], now: datetime
) -> None:
    entry = _out(row).model_dump(mode="json")
    ledger.record(
        db, chart, action, kind=KIND, id=row.id, version=row.version, entry=entry, now=now
    )
    known.is_now(row, entry)


def _says(entry: dict[str, Any], visit_id: UUID, sent: VitalSignsIn) -> bool:
    """Whether a batch in the ledger is the one that was sent."""
    if entries.is_withdrawn(entry):
        return False
    kept = VitalSignsOut.model_validate(entry)
    said = kept.readings
    return (
        (kept.dosing_session_id, kept.source, kept.device) == (visit_id, sent.source, sent.device)
        and said.at == [one.at for one in sent.readings]
        and all(
            getattr(said, sign) == [getattr(one, sign) for one in sent.readings] for sign in SIGNS
        )
    )


def _in_columns(read: Columns) -> dict[str, Any]:
    nothing: list[None] = [None] * len(read["at"])
    return {
        "at": [instant_of(at) for at in read["at"]],
        **{sign: read.get(sign, nothing) for sign in SIGNS},
    }


def _out(row: BatchRow) -> VitalSignsOut:
    told = row._asdict() | {"readings": ReadingColumns.model_construct(**_in_columns(row.readings))}
    return VitalSignsOut.model_construct(**told)


def _as_sent(db: Db, row: BatchRow, visit: Dosed, now: datetime) -> SentVitalSignsOut:
    """The answer to a retry: the batch as it is now."""
    held = schedule.protocol_of_version(db, row.protocol_version)
    told = shown.told_vitals(visit.visit.vitals, visit.visit.ended_at, now)
    assert told is not None  # there is a batch, so they were computed
    return _told(row, vital_series.readings(row.readings), held, told)


def _told(
    row: BatchRow, readings: Sequence[Reading], held: InForce, found: VitalsOut
) -> SentVitalSignsOut:
    is_held = row.status != ENTERED_IN_ERROR
    alarms = held.protocol.sections.monitoring.alarms if is_held else ()
    raised = vitals.alarms(readings, alarms)
    return SentVitalSignsOut(
        id=row.id,
        version=row.version,
        status=row.status,
        dosing_session_id=row.dosing_session_id,
        readings=len(readings),
        received_at=row.received_at,
        alarm_count=len(raised),
        alarms=_first(raised),
        vitals=found,
    )


def _first(raised: Sequence[Raised]) -> list[AlarmOut]:
    return [
        AlarmOut(
            at=instant_of(one.at),
            vital=one.vital.value,
            value=one.value,
            threshold=one.threshold,
            is_high=one.is_high,
        )
        for one in raised[:_ALARMS_TOLD]
    ]
