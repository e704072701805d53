"""Which check-in change is measured from, when a clinician decides it."""

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, insert, select
from uuid_utils.compat import uuid7

from app.checkins import packs
from app.checkins.schemas import BaselinePinIn, BaselinePinOut
from app.checkins.service import CHECK_IN
from app.checkins.tables import BaselinePin
from app.clinical import instruments
from app.kernel import ledger
from app.kernel.db import Change, Db, Query
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.errors import Kind, Problem, invalid
from app.kernel.tables import columns
from app.people.chart import Chart, Right

PIN_BASELINE: Final = Right(
    "baseline.pin", is_for_patient=False, privileges=frozenset({"therapy", "prescribe"})
)


class _Pin(NamedTuple):
    id: UUID
    version: int
    instrument: str
    check_in_id: UUID | None
    effective_at: datetime


_pin = columns(BaselinePin)
ADD_PIN = Change(insert(BaselinePin))
PIN = Query(
    select(*(getattr(_pin, name) for name in _Pin._fields)).where(
        _pin.clinic_id == bindparam("clinic_id"),
        _pin.patient_id == bindparam("patient_id"),
        _pin.id == bindparam("id"),
    ),
    _Pin,
)


def pin_baseline(
    db: Db, chart: Chart, sent: BaselinePinIn, now: datetime
) -> tuple[BaselinePinOut, bool]:
    """Measure change from this check-in on. Returns: the pin, and whether it is new.

    Raises: Problem INVALID (no such instrument; no complete check-in of it), ID_REUSED.
    """
    _check(db, chart, sent)
    if db.after_collision and sent.id is not None:
        earlier = db.first(PIN, patient_id=chart.patient_id, id=sent.id)
        if earlier is not None:
            if (earlier.instrument, earlier.check_in_id) != (sent.instrument, sent.check_in_id):
                raise Problem(Kind.ID_REUSED)
            return BaselinePinOut(**earlier._asdict()), False
    pin = _Pin(sent.id or uuid7(), 1, sent.instrument, sent.check_in_id, now)
    db.add(ADD_PIN, **pin._asdict(), patient_id=chart.patient_id, pinned_by=chart.actor_id)
    answer = BaselinePinOut(**pin._asdict())
    ledger.record(
        db,
        chart,
        "baseline.pinned",
        kind="baseline_pin",
        id=pin.id,
        version=1,
        entry=answer.model_dump(mode="json"),
        now=now,
    )
    return answer, True


def _check(db: Db, chart: Chart, sent: BaselinePinIn) -> None:
    try:
        instrument = packs.find(db, sent.instrument)
    except instruments.UnknownInstrument:
        raise invalid("/instrument", "is not an instrument that is offered here") from None
    if sent.check_in_id is None:
        return
    check_in = db.first(CHECK_IN, patient_id=chart.patient_id, id=sent.check_in_id)
    if check_in is None or check_in.instrument != instrument.key:
        raise invalid("/check_in_id", "is not a check-in of this patient with this instrument")
    if check_in.status == ENTERED_IN_ERROR:
        raise invalid("/check_in_id", "was withdrawn, so nothing can be measured from it")
    if not check_in.complete:
        raise invalid("/check_in_id", "is not complete, so nothing can be measured from it")
