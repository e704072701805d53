"""Dosing sessions."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, and_, any_, bindparam, insert, literal_column, select
from uuid_utils.compat import uuid7

from app.kernel import ledger, timeline
from app.kernel.clock import microseconds
from app.kernel.db import Ahead, Change, Db, Query, itself
from app.kernel.errors import Fault, Kind, Problem, not_found
from app.kernel.tables import columns, table
from app.people.chart import Chart, Right
from app.treatment.schemas import (
    AdministrationOut,
    DosingSessionIn,
    DosingSessionOut,
    DosingSessionPage,
)
from app.treatment.tables import Administration, DosingSession

READ_SESSIONS: Final = Right("dosing_sessions.read")
RECORD_SESSIONS: Final = Right(
    "dosing_sessions.record", is_for_patient=False, privileges=frozenset({"prescribe", "monitor"})
)

AHEAD: Final = timedelta(days=1)
"""A dose is recorded, not planned; a clinic's clock may be wrong by less than this."""


class _Session(NamedTuple):
    id: UUID
    version: int
    status: str
    started_at: datetime
    ended_at: datetime | None
    effective_at: datetime
    received_at: datetime


class _Given(NamedTuple):
    dosing_session_id: UUID
    drug: str
    route: str
    dose_mg: Decimal
    given_at: datetime


_session = columns(DosingSession)
_given = columns(Administration)

_COLUMNS = tuple(getattr(_session, name) for name in _Session._fields)
ADD_SESSION = Change(insert(DosingSession))
ADD_ADMINISTRATION = Change(insert(Administration))
SESSION = Query(
    select(*_COLUMNS).where(
        _session.clinic_id == bindparam("clinic_id"),
        _session.patient_id == bindparam("patient_id"),
        _session.id == bindparam("id"),
    ),
    _Session,
)
SESSIONS = timeline.newest_first(table(DosingSession), _COLUMNS, _Session)
GIVEN = Query(
    select(*(getattr(_given, name) for name in _Given._fields))
    .where(
        _given.clinic_id == bindparam("clinic_id"),
        _given.patient_id == bindparam("patient_id"),
        _given.dosing_session_id == any_(bindparam("session_ids", type_=ARRAY(Uuid))),
    )
    .order_by(_given.dosing_session_id, _given.place),
    _Given,
)

WAS_GIVEN = and_(
    _session.status != literal_column("'not-done'"),
    _session.status != literal_column("'entered-in-error'"),
)
"""SQL: something was given in this dosing session."""

_doses = (
    select(_session.effective_at)
    .where(
        _session.clinic_id == bindparam("clinic_id"),
        _session.patient_id == bindparam("patient_id"),
        WAS_GIVEN,
    )
    .order_by(_session.effective_at)
    .subquery()
)
DOSE_COLUMNS = timeline.instant_columns(_doses.c.effective_at)
"""SQL: every dose's t = 0 of `:patient_id`, as JSON and as microseconds, oldest first."""

DOSES = Query(select(DOSE_COLUMNS[1]), itself)


def record_session(
    db: Db, chart: Chart, sent: DosingSessionIn, now: datetime
) -> tuple[DosingSessionOut, bool]:
    """Record a visit. Returns: it, and whether it is new (False: a retry).

    Raises: Problem INVALID, ID_REUSED.
    """
    _check(sent, now)
    given = sorted(sent.administrations, key=lambda one: one.given_at)
    started_at = sent.started_at or (given[0].given_at if given else now)
    if db.after_collision and sent.id is not None:
        earlier = _read(db, chart, sent.id)
        if earlier is not None:
            # A visit sent without a start began when it arrived, and still did at a retry.
            if _said(earlier) != _said_in(sent, sent.started_at or earlier.started_at):
                raise Problem(Kind.ID_REUSED)
            return earlier, False
    session = _Session(
        id=sent.id or uuid7(),
        version=1,
        status=sent.status,
        started_at=started_at,
        ended_at=sent.ended_at,
        effective_at=given[0].given_at if given else started_at,
        received_at=now,
    )
    db.add(
        ADD_SESSION, **session._asdict(), patient_id=chart.patient_id, recorded_by=chart.actor_id
    )
    for place, one in enumerate(given):
        db.add(
            ADD_ADMINISTRATION,
            patient_id=chart.patient_id,
            dosing_session_id=session.id,
            place=place,
            drug=one.drug,
            route=one.route,
            dose_mg=round(one.dose_mg, 3),
            given_at=one.given_at,
        )
    rows = [
        _Given(session.id, one.drug, one.route, Decimal(str(round(one.dose_mg, 3))), one.given_at)
        for one in given
    ]
    ledger.record(
        db,
        chart,
        "dosing_session.recorded",
        kind="dosing_session",
        id=session.id,
        version=1,
        entry=_out(session, rows, []).model_dump(mode="json", exclude={"number"}),
        now=now,
    )
    return _out(session, rows, doses(db, chart)), True


def read_session(db: Db, chart: Chart, session_id: UUID) -> DosingSessionOut:
    """One visit. Raises: Problem NOT_FOUND."""
    found = _read(db, chart, session_id)
    if found is None:
        raise not_found()
    return found


def list_sessions(db: Db, chart: Chart, *, cursor: str | None, limit: int) -> DosingSessionPage:
    """The patient's visits, newest first."""
    page = timeline.page(
        db,
        SESSIONS,
        of=f"dosing-sessions/{chart.patient_id}",
        sent_cursor=cursor,
        limit=limit,
        patient_id=chart.patient_id,
    )
    given = _given_in(db, chart, [row.id for row in page.rows])
    instants = doses(db, chart)
    return DosingSessionPage(
        dosing_sessions=[_out(row, given.get(row.id, []), instants) for row in page.rows],
        next_cursor=page.next_cursor,
    )


class AskedDoses(NamedTuple):
    """`doses`, asked for before it is known whether the caller may hear of them."""

    patient_id: UUID
    answer: Ahead[list[int]]

    def of(self, chart: Chart) -> list[int]:
        """The doses, now that the chart is open."""
        chart.require(self.patient_id)
        return self.answer.one()


def ask_doses(db: Db, patient_id: UUID) -> AskedDoses:
    """Let the question of `doses` travel with the chart's."""
    return AskedDoses(patient_id, db.ahead(DOSES, patient_id=patient_id))


def doses(db: Db, chart: Chart) -> list[int]:
    """Every dose's t = 0, ascending, in microseconds since 1970: what `clinical` measures from."""
    found: list[int] = db.one(DOSES, patient_id=chart.patient_id)
    return found


def _read(db: Db, chart: Chart, session_id: UUID) -> DosingSessionOut | None:
    found = db.first(SESSION, patient_id=chart.patient_id, id=session_id)
    if found is None:
        return None
    given = _given_in(db, chart, [session_id])
    return _out(found, given.get(session_id, []), doses(db, chart))


def _given_in(db: Db, chart: Chart, session_ids: list[UUID]) -> dict[UUID, list[_Given]]:
    found: dict[UUID, list[_Given]] = {}
    if session_ids:
        for one in db.all(GIVEN, patient_id=chart.patient_id, session_ids=session_ids):
            found.setdefault(one.dosing_session_id, []).append(one)
    return found


def _out(session: _Session, given: list[_Given], instants: list[int]) -> DosingSessionOut:
    at = microseconds(session.effective_at)
    return DosingSessionOut(
        id=session.id,
        version=session.version,
        status=session.status,
        number=sum(instant <= at for instant in instants) if given else 0,
        started_at=session.started_at,
        ended_at=session.ended_at,
        effective_at=session.effective_at,
        administrations=[
            AdministrationOut(
                drug=one.drug, route=one.route, dose_mg=float(one.dose_mg), given_at=one.given_at
            )
            for one in given
        ],
        received_at=session.received_at,
    )


def _said(session: DosingSessionOut) -> Any:
    return (
        session.status,
        session.started_at,
        session.ended_at,
        [one.model_dump() for one in session.administrations],
    )


def _said_in(sent: DosingSessionIn, started_at: datetime) -> Any:
    return (
        sent.status,
        started_at,
        sent.ended_at,
        [
            {**one.model_dump(), "dose_mg": round(one.dose_mg, 3)}
            for one in sorted(sent.administrations, key=lambda one: one.given_at)
        ],
    )


def _check(sent: DosingSessionIn, now: datetime) -> None:
    faults = []
    for place, one in enumerate(sent.administrations):
        if one.given_at > now + AHEAD:
            faults.append(Fault(f"/administrations/{place}/given_at", "has not come yet"))
    if sent.status == "not-done" and sent.administrations:
        faults.append(Fault("/administrations", "must be empty when nothing was given"))
    if sent.status != "not-done" and not sent.administrations:
        faults.append(
            Fault("/administrations", "must name what was given; a visit without is not-done")
        )
    if sent.started_at and sent.ended_at and sent.ended_at < sent.started_at:
        faults.append(Fault("/ended_at", "must not be before the start"))
    for place, one in enumerate(sent.administrations):
        if sent.started_at and one.given_at < sent.started_at:
            faults.append(
                Fault(f"/administrations/{place}/given_at", "must not be before the start")
            )
        if sent.ended_at and one.given_at > sent.ended_at:
            faults.append(Fault(f"/administrations/{place}/given_at", "must not be after the end"))
    if faults:
        raise Problem(Kind.INVALID, faults=faults)
