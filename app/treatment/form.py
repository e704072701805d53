"""The form in which a visit is stored, told, and compared with what is sent again."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from app.clinical import exposure
from app.kernel.clock import microseconds
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.wire import as_json
from app.people.chart import Chart
from app.treatment import shown
from app.treatment.schemas import (
    AdministrationOut,
    DosingSessionIn,
    DosingSessionOut,
    OpenAtDoseOut,
    PresentOut,
)

_NO_WORDS: Final = b'{"present":[],"emergency_plan":null}'


class SessionRow(NamedTuple):
    """A visit as it is stored."""

    id: UUID
    version: int
    status: str
    started_at: datetime
    ended_at: datetime | None
    effective_at: datetime
    received_at: datetime
    setting: str | None
    recorder: str | None
    weight_kg: Decimal | None
    course_id: UUID | None
    words: bytes | None
    vitals: dict[str, Any] | None
    open_at_dose: dict[str, Any] | None


class Given(NamedTuple):
    """One administration of a version of a visit."""

    dosing_session_id: UUID
    drug: str
    route: str
    dose_mg: Decimal
    given_at: datetime


def row_of(
    chart: Chart,
    sent: DosingSessionIn,
    session_id: UUID,
    version: int,
    otherwise_started_at: datetime,
    now: datetime,
) -> tuple[SessionRow, list[Given]]:
    """A visit as it was sent, and what was given, the first one first.

    otherwise_started_at: where nothing that was sent says it.
    """
    given = [
        Given(session_id, one.drug, one.route, Decimal(str(round(one.dose_mg, 3))), one.given_at)
        for one in sorted(sent.administrations, key=lambda one: one.given_at)
    ]
    started_at = sent.started_at or (given[0].given_at if given else otherwise_started_at)
    row = SessionRow(
        id=session_id,
        version=version,
        status=sent.status,
        started_at=started_at,
        ended_at=sent.ended_at,
        effective_at=given[0].given_at if given else started_at,
        received_at=now,
        setting=sent.setting,
        recorder=sent.recorded_by,
        weight_kg=None if sent.weight_kg is None else Decimal(str(round(sent.weight_kg, 3))),
        course_id=sent.course_id,
        words=_sealed(chart, sent, session_id),
        vitals=None,
        open_at_dose=None,
    )
    return row, given


def stored(row: SessionRow) -> dict[str, Any]:
    """What a statement that keeps a visit is given."""
    weight_kg = None if row.weight_kg is None else float(row.weight_kg)
    return {**row._asdict(), "weight_kg": weight_kg}


def told(
    chart: Chart, session: SessionRow, given: list[Given], instants: list[int], now: datetime
) -> DosingSessionOut:
    """A visit as it is answered. instants: every dose of the patient, by which it is numbered."""
    at = microseconds(session.effective_at)
    is_dose = given and session.status != ENTERED_IN_ERROR
    weight_kg = None if session.weight_kg is None else float(session.weight_kg)
    words = json.loads(words_of(chart, session.id, session.words))
    return DosingSessionOut(
        id=session.id,
        version=session.version,
        status=session.status,
        number=sum(instant <= at for instant in instants) if is_dose else 0,
        started_at=session.started_at,
        ended_at=session.ended_at,
        effective_at=session.effective_at,
        administrations=[_administration(one, weight_kg) for one in given],
        received_at=session.received_at,
        course_id=session.course_id,
        setting=session.setting,
        recorded_by=session.recorder,
        emergency_plan=words["emergency_plan"],
        present=[PresentOut(**one) for one in words["present"]],
        weight_kg=weight_kg,
        vitals=shown.told_vitals(session.vitals, session.ended_at, now),
        open_at_dose=None
        if session.open_at_dose is None
        else OpenAtDoseOut(**session.open_at_dose),
    )


def says(chart: Chart, entry: dict[str, Any], sent: DosingSessionIn) -> bool:
    """Whether a visit in the ledger is the one that was sent. One sent without a start began when
    it arrived, and still did at a retry.
    """
    kept = DosingSessionOut.model_validate({**entry, "number": 0})
    row, given = row_of(chart, sent, kept.id, kept.version, kept.started_at, kept.received_at)
    said = told(chart, row, given, [], kept.received_at)
    not_said = {"number": 0, "open_at_dose": kept.open_at_dose}
    return kept == said.model_copy(update=not_said)


def words_of(chart: Chart, session_id: UUID, sealed: bytes | None) -> bytes:
    """What somebody wrote about a visit: JSON text of `present` and `emergency_plan`."""
    if sealed is None:
        return _NO_WORDS
    return chart.data_key.open(sealed, table="dosing_session", column="words", row=session_id)


def _sealed(chart: Chart, sent: DosingSessionIn, session_id: UUID) -> bytes | None:
    if not sent.present and sent.emergency_plan is None:
        return None
    words = {
        "present": [one.model_dump() for one in sent.present],
        "emergency_plan": sent.emergency_plan,
    }
    return chart.data_key.seal(
        as_json(words), table="dosing_session", column="words", row=session_id
    )


def _administration(one: Given, weight_kg: float | None) -> AdministrationOut:
    dose_mg = float(one.dose_mg)
    return AdministrationOut(
        drug=one.drug,
        route=one.route,
        dose_mg=dose_mg,
        given_at=one.given_at,
        mg_per_kg=exposure.mg_per_kg(dose_mg, weight_kg),
    )
