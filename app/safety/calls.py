"""Somebody asks for help, or a clinician is worried.

A patient's call is never turned away: it needs no consent, no active account and no body that can
be read, is not throttled, and its own clock decides nothing. Calls within a minute, while nobody
has answered the first, are one round.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from app.clinical.risk import Finding, Level
from app.kernel.db import Db
from app.kernel.wire import as_json
from app.people.chart import Chart, Right
from app.safety import service
from app.safety.schemas import FlagIn, RaisedOut
from app.safety.service import Sign

RAISE_FLAGS: Final = Right("flags.raise", is_for_patient=False)
ASKED_FOR_HELP: Final = "patient.asked-for-help"
CLINICIAN_CONCERNED: Final = "clinician.concerned"


def call_for_help(
    db: Db, chart: Chart, sent: FlagIn, *, country: str | None, now: datetime
) -> tuple[RaisedOut, bool]:
    """Put it before the care team, now. Returns: what was raised, and whether it is new.

    country: where the app says the patient is.
    """
    finding = Finding(Level.HIGH, False, (ASKED_FOR_HELP,))
    return _raise(db, chart, finding, sent, is_call=True, country=country, now=now)


def raise_concern(db: Db, chart: Chart, sent: FlagIn, now: datetime) -> tuple[RaisedOut, bool]:
    """A clinician's own flag on a patient of theirs. Returns: it, and whether it is new."""
    finding = Finding(Level(sent.level), False, (CLINICIAN_CONCERNED,))
    return _raise(db, chart, finding, sent, is_call=False, country=None, now=now)


def _raise(
    db: Db,
    chart: Chart,
    finding: Finding,
    sent: FlagIn,
    *,
    is_call: bool,
    country: str | None,
    now: datetime,
) -> tuple[RaisedOut, bool]:
    call_id = sent.id or uuid7()
    flag = None if sent.id is None else service.flag_of(db, chart, "call", call_id)
    is_new = flag is None
    if flag is None:
        sign = Sign(
            "call",
            call_id,
            # A clock is no evidence of when somebody needs help: it is now.
            recorded_at=sent.recorded_at or now,
            effective_at=now,
            kind=sent.kind,
            is_call=is_call,
            is_sent_once=True,
            words=_sealed(chart, sent, call_id),
        )
        flag = service.raise_flag(db, chart, finding, sign, now)
    block = service.safety_block(db, chart, finding, flag, country=country, now=now)
    return RaisedOut(id=call_id, received_at=now, safety=block), is_new


def _sealed(chart: Chart, sent: FlagIn, call_id: UUID) -> bytes | None:
    if sent.note is None and sent.place is None:
        return None
    place = None if sent.place is None else sent.place.model_dump()
    return chart.data_key.seal(
        as_json({"note": sent.note, "place": place}),
        table="flag_evidence",
        column="words",
        row=call_id,
    )
