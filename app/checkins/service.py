"""Submitting and reading check-ins."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, insert, select
from uuid_utils.compat import uuid7

from app.checkins.schemas import CheckInIn, CheckInOut, CheckInPage, PositionOut, SubmittedOut
from app.checkins.tables import CheckIn
from app.clinical import instruments, risk, scoring, trajectory
from app.clinical.instruments import Instrument
from app.clinical.risk import Finding
from app.kernel import ledger, timeline
from app.kernel.arrival import place
from app.kernel.clock import microseconds
from app.kernel.db import Change, Db, Query
from app.kernel.errors import Fault, Kind, Problem, invalid, not_found
from app.kernel.tables import columns, table
from app.people.chart import Chart, Right
from app.safety import service as safety
from app.safety.schemas import FlagRef
from app.treatment import service as treatment
from app.treatment.service import AskedDoses

READ_CHECK_INS: Final = Right("check_ins.read")
SUBMIT_CHECK_INS: Final = Right("check_ins.submit", privileges=frozenset())


class _CheckIn(NamedTuple):
    id: UUID
    version: int
    status: str
    instrument: str
    instrument_version: str
    scoring_version: str
    answers: list[int | None]
    extras: dict[str, Any]
    total: int | None
    band: str | None
    complete: bool
    assessed: bool
    level: str
    recorded_at: datetime
    received_at: datetime
    effective_at: datetime
    clock_ahead_seconds: int | None


_check_in = columns(CheckIn)
_COLUMNS = tuple(getattr(_check_in, name) for name in _CheckIn._fields)
ADD_CHECK_IN = Change(insert(CheckIn))
CHECK_IN = Query(
    select(*_COLUMNS).where(
        _check_in.clinic_id == bindparam("clinic_id"),
        _check_in.patient_id == bindparam("patient_id"),
        _check_in.id == bindparam("id"),
    ),
    _CheckIn,
)
CHECK_INS = timeline.newest_first(table(CheckIn), _COLUMNS, _CheckIn)
CHECK_INS_OF_INSTRUMENT = timeline.newest_first(
    table(CheckIn),
    _COLUMNS,
    _CheckIn,
    _check_in.instrument == bindparam("instrument"),
)


def submit(
    db: Db,
    chart: Chart,
    sent: CheckInIn,
    *,
    doses: AskedDoses,
    country: str | None,
    now: datetime,
) -> tuple[SubmittedOut, bool]:
    """Score, look for danger, store; all of it or nothing.

    doses: from `treatment.ask_doses`. country: where the app says the patient is.
    Returns: the check-in with its safety block, and whether it is new (False: a retry).
    Raises: Problem INVALID, ID_REUSED.
    """
    instrument = _instrument(sent)
    score, finding = _read_answers(instrument, sent, chart)
    if db.after_collision and sent.id is not None:
        earlier = db.first(CHECK_IN, patient_id=chart.patient_id, id=sent.id)
        if earlier is not None:
            _require_same(earlier, sent, instrument)
            flag = safety.flag_of(db, chart, "check_in", earlier.id)
            return _submitted(db, chart, earlier, finding, flag, doses, country, now), False
    arrival = place(sent.recorded_at, sent.sent_at, now)
    row = _CheckIn(
        id=sent.id or uuid7(),
        version=1,
        status="final",
        instrument=instrument.key,
        instrument_version=instrument.version,
        scoring_version=scoring.SCORING_VERSION,
        answers=sent.answers,
        extras=sent.extras,
        total=score.total,
        band=score.band,
        complete=score.complete,
        assessed=finding.assessed,
        level=finding.level.value,
        recorded_at=sent.recorded_at,
        received_at=now,
        effective_at=arrival.effective_at,
        clock_ahead_seconds=arrival.clock_ahead_seconds,
    )
    db.add(ADD_CHECK_IN, **row._asdict(), patient_id=chart.patient_id)
    ledger.record(
        db,
        chart,
        "check_in.submitted",
        kind="check_in",
        id=row.id,
        version=1,
        entry=_entry(row),
        now=now,
    )
    flag = None
    if finding.flagged:
        flag = safety.raise_flag(
            db,
            chart,
            finding,
            source_kind="check_in",
            source_id=row.id,
            recorded_at=sent.recorded_at,
            effective_at=arrival.effective_at,
            now=now,
        )
    return _submitted(db, chart, row, finding, flag, doses, country, now), True


def read(db: Db, chart: Chart, check_in_id: UUID) -> CheckInOut:
    """One check-in. Raises: Problem NOT_FOUND."""
    found = db.first(CHECK_IN, patient_id=chart.patient_id, id=check_in_id)
    if found is None:
        raise not_found()
    return CheckInOut(**_members(found, treatment.doses(db, chart)))


def list_newest(
    db: Db, chart: Chart, *, instrument: str | None, cursor: str | None, limit: int
) -> CheckInPage:
    """The patient's check-ins, of one instrument if it is named, newest first."""
    params: dict[str, Any] = {"patient_id": chart.patient_id}
    if instrument is not None:
        params["instrument"] = instrument
    page = timeline.page(
        db,
        CHECK_INS if instrument is None else CHECK_INS_OF_INSTRUMENT,
        of=f"check-ins/{chart.patient_id}/{instrument}",
        sent_cursor=cursor,
        limit=limit,
        **params,
    )
    doses = treatment.doses(db, chart)
    return CheckInPage(
        check_ins=[CheckInOut(**_members(row, doses)) for row in page.rows],
        next_cursor=page.next_cursor,
    )


def _instrument(sent: CheckInIn) -> Instrument:
    try:
        return instruments.find(sent.instrument, sent.instrument_version)
    except instruments.UnknownInstrument:
        try:
            instruments.find(sent.instrument)
        except instruments.UnknownInstrument:
            raise invalid("/instrument", "is not an instrument that is offered here") from None
        raise invalid("/instrument_version", "is not a version that is offered here") from None


def _read_answers(
    instrument: Instrument, sent: CheckInIn, chart: Chart
) -> tuple[scoring.Score, Finding]:
    faults: list[Fault] = []
    score = scoring.Score(None, None, False)
    try:
        score = scoring.score(instrument, sent.answers)
    except scoring.AnswersRefused as refused:
        faults += [
            Fault("/answers" if place is None else f"/answers/{place}", reason)
            for place, reason in refused.errors
        ]
    try:
        scoring.check_extras(instrument, sent.extras)
    except scoring.ExtrasRefused as refused:
        # The key is the sender's text unless it is one of ours.
        known = {extra.key for extra in instrument.extras}
        faults += [
            Fault(f"/extras/{key}" if key in known else "/extras", reason)
            for key, reason in refused.errors
        ]
    if faults:
        raise Problem(Kind.INVALID, faults=faults)
    # A slip in a clinic's setting stops no check-in; `assess` passes over what it cannot read.
    levels: Any = chart.clinic.raised_levels
    raised = levels.get(instrument.key) if isinstance(levels, dict) else None
    return score, risk.assess(
        instrument, sent.answers, raised if isinstance(raised, dict) else None
    )


def _require_same(earlier: _CheckIn, sent: CheckInIn, instrument: Instrument) -> None:
    kept = (
        earlier.instrument,
        earlier.instrument_version,
        earlier.answers,
        earlier.extras,
        earlier.recorded_at,
    )
    version = sent.instrument_version or earlier.instrument_version
    if kept != (instrument.key, version, sent.answers, sent.extras, sent.recorded_at):
        raise Problem(Kind.ID_REUSED)


def _submitted(
    db: Db,
    chart: Chart,
    row: _CheckIn,
    finding: Finding,
    flag: FlagRef | None,
    doses: AskedDoses,
    country: str | None,
    now: datetime,
) -> SubmittedOut:
    return SubmittedOut(
        **_members(row, doses.of(chart)),
        safety=safety.safety_block(db, chart, finding, flag, country=country, now=now),
    )


def _members(row: _CheckIn, doses: list[int]) -> dict[str, Any]:
    at = microseconds(row.effective_at)
    position = trajectory.position(at, doses)
    recall = instruments.find(row.instrument, row.instrument_version).recall
    return {
        **row._asdict(),
        "position": PositionOut(
            dose_number=position.dose_number,
            hours_since_dose=position.hours_since_dose,
            window=position.window,
        ),
        "doses_in_recall_window": trajectory.doses_in_recall_window(recall, at, doses),
    }


def _entry(row: _CheckIn) -> dict[str, Any]:
    """The whole check-in, as the ledger keeps it."""
    entry = row._asdict()
    for name, value in entry.items():
        if isinstance(value, datetime):
            entry[name] = value.isoformat()
    entry["id"] = str(row.id)
    return entry
