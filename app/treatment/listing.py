"""The list of a patient's visits, straight to bytes.

A page of thirty visits with their doses, the words about them and what their vital signs show is
the first thing that a clinician opens. It is read in one round trip, and what is JSON already (the
sealed words, what is kept of the vital signs) is put into the answer without being read again; it
says the same as `service.read_session`.
"""

import json
from bisect import bisect_right
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import (
    ColumnElement,
    Double,
    Text,
    and_,
    bindparam,
    cast,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.types import BigInteger, DateTime, Uuid

from app.clinical import exposure
from app.kernel import timeline
from app.kernel.clock import microseconds
from app.kernel.db import Ahead, Db, Query
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.tables import columns, table
from app.people.chart import Chart
from app.treatment.form import words_of
from app.treatment.schemas import DosingSessionPage
from app.treatment.service import DOSES
from app.treatment.shown import gaps
from app.treatment.tables import Administration, DosingSession


class _Visit(NamedTuple):
    """A visit as it is listed. shown, timing: JSON text of what is kept of its vital signs.

    open_at_dose: JSON text of what was open before the dose.
    """

    id: UUID
    version: int
    status: str
    started_at: datetime
    ended_at: datetime | None
    effective_at: datetime
    received_at: datetime
    course_id: UUID | None
    setting: str | None
    recorder: str | None
    weight_kg: float | None
    words: bytes | None
    shown: str | None
    timing: str | None
    open_at_dose: str | None


class _Given(NamedTuple):
    dosing_session_id: UUID
    drug: str
    route: str
    dose_mg: float
    given_at: datetime


_session = columns(DosingSession)
_given = columns(Administration)


def _told_as(of: Any, name: str) -> ColumnElement[Any]:
    """A column as it leaves: what is exact to a thousandth is told as the number nearest to it."""
    column: ColumnElement[Any] = getattr(of, name)
    return cast(column, Double) if name in ("weight_kg", "dose_mg") else column


_STANDS = _session.status != literal_column(f"'{ENTERED_IN_ERROR}'")
_PLAIN: Final = _Visit._fields[:-3]
_NOTHING_MISSED: Final = "[]]"
"""How the timing of a visit ends, the last of whose members are the minutes that were missed."""
VISITS = timeline.newest_first(
    table(DosingSession),
    (
        *(_told_as(_session, name) for name in _PLAIN),
        cast(_session.vitals.op("->")(literal_column("'told'")), Text),
        cast(_session.vitals.op("->")(literal_column("'timing'")), Text),
        cast(_session.open_at_dose, Text),
    ),
    _Visit,
    _STANDS,
)
_on_page = (
    select(_session.clinic_id, _session.patient_id, _session.id, _session.version)
    .where(
        _session.clinic_id == bindparam("clinic_id"),
        _session.patient_id == bindparam("patient_id"),
        tuple_(_session.effective_at, _session.id)
        < tuple_(
            bindparam("before", type_=DateTime(timezone=True)),
            bindparam("before_id", type_=Uuid),
        ),
        _STANDS,
    )
    .order_by(_session.effective_at.desc(), _session.id.desc())
    .limit(bindparam("limit", type_=BigInteger))
    .subquery()
)
GIVEN_ON_PAGE = Query(
    select(*(_told_as(_given, name) for name in _Given._fields))
    .join_from(
        _on_page,
        table(Administration),
        and_(
            _given.clinic_id == _on_page.c.clinic_id,
            _given.patient_id == _on_page.c.patient_id,
            _given.dosing_session_id == _on_page.c.id,
            _given.session_version == _on_page.c.version,
        ),
    )
    .where(_given.clinic_id == bindparam("clinic_id"))
    .order_by(_given.dosing_session_id, _given.place),
    _Given,
)


class Listed(NamedTuple):
    """A page of visits as the answer's body (`schemas.DosingSessionPage`), newest first."""

    body: bytes
    next_cursor: str | None


class Asked(NamedTuple):
    """A page, asked for before it is known whether the caller may see it."""

    patient_id: UUID
    limit: int
    visits: Ahead[_Visit]
    given: Ahead[_Given]
    doses: Ahead[list[int]]


def ask_sessions(db: Db, patient_id: UUID, *, cursor: str | None, limit: int) -> Asked:
    """Let the questions travel with the chart's. Raises: Problem MALFORMED_REQUEST."""
    before, before_id = timeline.start(db, _list_of(patient_id), cursor)
    page = {"patient_id": patient_id, "before": before, "before_id": before_id}
    return Asked(
        patient_id,
        limit,
        db.ahead(VISITS, **page, limit=limit + 1),
        db.ahead(GIVEN_ON_PAGE, **page, limit=limit),
        db.ahead(DOSES, patient_id=patient_id),
    )


def list_sessions(db: Db, chart: Chart, asked: Asked, now: datetime) -> Listed:
    """The patient's visits, now that the chart is open."""
    chart.require(asked.patient_id)
    of = _list_of(asked.patient_id)
    page = timeline.cut(db, asked.visits.all(), of=of, limit=asked.limit)
    doses = asked.doses.one()
    by_visit: dict[UUID, list[_Given]] = {}
    for one in asked.given.all():
        by_visit.setdefault(one.dosing_session_id, []).append(one)
    listed = b",".join(
        [_told(chart, row, by_visit.get(row.id, []), doses, now) for row in page.rows]
    )
    end = to_json(page.next_cursor)
    return Listed(
        b'{"dosing_sessions":[' + listed + b'],"next_cursor":' + end + b"}", page.next_cursor
    )


def read_sessions(
    db: Db, chart: Chart, *, cursor: str | None, limit: int, now: datetime
) -> DosingSessionPage:
    """The same for pages of our own, as a model."""
    asked = ask_sessions(db, chart.patient_id, cursor=cursor, limit=limit)
    return DosingSessionPage.model_validate_json(list_sessions(db, chart, asked, now).body)


def _list_of(patient_id: UUID) -> str:
    return f"dosing-sessions/{patient_id}"


def _told(chart: Chart, row: _Visit, given: list[_Given], doses: list[int], now: datetime) -> bytes:
    number = bisect_right(doses, microseconds(row.effective_at)) if given else 0
    plain = to_json(
        {
            "id": row.id,
            "version": row.version,
            "status": row.status,
            "number": number,
            "started_at": row.started_at,
            "ended_at": row.ended_at,
            "effective_at": row.effective_at,
            "administrations": [_administration(one, row.weight_kg) for one in given],
            "received_at": row.received_at,
            "course_id": row.course_id,
            "setting": row.setting,
            "recorded_by": row.recorder,
            "weight_kg": row.weight_kg,
        }
    )
    words = words_of(chart, row.id, row.words)
    vitals = _vitals(row, now)
    was_open = b"null" if row.open_at_dose is None else row.open_at_dose.encode()
    return b"".join(
        (plain[:-1], b",", words[1:-1], b',"vitals":', vitals, b',"open_at_dose":', was_open, b"}")
    )


def _administration(one: _Given, weight_kg: float | None) -> dict[str, Any]:
    return {
        "drug": one.drug,
        "route": one.route,
        "dose_mg": one.dose_mg,
        "given_at": one.given_at,
        "mg_per_kg": exposure.mg_per_kg(one.dose_mg, weight_kg),
    }


def _vitals(row: _Visit, now: datetime) -> bytes:
    if row.shown is None:
        return b"null"
    missed: list[int] = []
    # Most often nothing was missed, and then there is nothing to reckon.
    if row.timing is not None and not row.timing.endswith(_NOTHING_MISSED):
        missed = gaps(json.loads(row.timing), row.ended_at, now)
    return b'%s,"gaps":%s}' % (row.shown[:-1].encode(), to_json(missed) if missed else b"[]")
