"""Dosing sessions."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Uuid,
    and_,
    any_,
    bindparam,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from uuid_utils.compat import uuid7

from app.kernel import entries, ledger, timeline
from app.kernel.clock import microseconds
from app.kernel.db import Ahead, Change, Db, Query, itself
from app.kernel.entries import ENTERED_IN_ERROR, Known
from app.kernel.errors import Fault, Kind, Problem, not_found
from app.kernel.tables import columns, table
from app.people.chart import Chart, Right
from app.treatment.schemas import (
    AdministrationOut,
    DosingSessionIn,
    DosingSessionOut,
    DosingSessionPage,
    DosingSessionVersion,
    DosingSessionVersions,
)
from app.treatment.tables import Administration, DosingSession

READ_SESSIONS: Final = Right("dosing_sessions.read")
RECORD_SESSIONS: Final = Right(
    "dosing_sessions.record", is_for_patient=False, privileges=frozenset({"prescribe", "monitor"})
)

KIND: Final = "dosing_session"
"""As the ledger calls it."""
_WITHOUT: Final = ("preparation", "not-done")
AHEAD: Final = timedelta(days=1)
"""A dose is recorded, not planned; a clinic's clock may be wrong by less than this."""


class SessionRow(NamedTuple):
    """A visit as it is stored."""

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

_COLUMNS = tuple(getattr(_session, name) for name in SessionRow._fields)
ADD_SESSION = Change(insert(DosingSession))
ADD_ADMINISTRATION = Change(insert(Administration))
_one = select(*_COLUMNS).where(
    _session.clinic_id == bindparam("clinic_id"),
    _session.patient_id == bindparam("patient_id"),
    _session.id == bindparam("id"),
)
SESSION = Query(_one, SessionRow)
SESSION_TO_CHANGE = Query(_one.with_for_update(), SessionRow)
SESSIONS = timeline.newest_first(
    table(DosingSession),
    _COLUMNS,
    SessionRow,
    _session.status != literal_column(f"'{ENTERED_IN_ERROR}'"),
)
_CHANGED = tuple(name for name in SessionRow._fields if name not in {"id", "received_at"})
CHANGE_SESSION = Change(
    update(DosingSession)
    .where(
        _session.clinic_id == bindparam("clinic_id"),
        _session.patient_id == bindparam("patient_id"),
        _session.id == bindparam("entry_id"),
    )
    .values({name: bindparam(f"to_{name}") for name in _CHANGED})
)
GIVEN = Query(
    select(*(getattr(_given, name) for name in _Given._fields))
    .join_from(
        table(Administration),
        table(DosingSession),
        and_(
            _session.clinic_id == _given.clinic_id,
            _session.patient_id == _given.patient_id,
            _session.id == _given.dosing_session_id,
            _session.version == _given.session_version,
        ),
    )
    .where(
        _given.clinic_id == bindparam("clinic_id"),
        _given.patient_id == bindparam("patient_id"),
        _given.dosing_session_id == any_(bindparam("session_ids", type_=ARRAY(Uuid))),
    )
    .order_by(_given.dosing_session_id, _given.place),
    _Given,
)

WAS_GIVEN = or_(
    _session.status == literal_column("'completed'"),
    _session.status == literal_column("'in-progress'"),
)
"""SQL: something was given in this dosing session."""

IN_CALENDAR = or_(WAS_GIVEN, _session.status == literal_column("'preparation'"))
"""SQL: it was to be, or was; also in the past: what was to be asked before it was, or was not."""

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
PLANNED = Query(
    select(_session.started_at)
    .where(
        _session.clinic_id == bindparam("clinic_id"),
        _session.patient_id == bindparam("patient_id"),
        IN_CALENDAR,
        _session.started_at > bindparam("after"),
    )
    .order_by(_session.started_at),
    itself,
)


def record_session(
    db: Db, chart: Chart, sent: DosingSessionIn, known: Known[SessionRow], now: datetime
) -> tuple[DosingSessionOut, bool]:
    """Record a visit, or plan one. Returns: it, and whether it is new (False: a retry).

    known: what there is under its id already.
    Raises: Problem INVALID, ID_REUSED.
    """
    _check(sent, now)
    earlier = entries.created_before(known, lambda entry: _says(entry, sent))
    if earlier is not None:
        return _with_given(db, chart, earlier), False
    row, given = _row(sent, sent.id or uuid7(), 1, now, now)
    db.add(ADD_SESSION, **row._asdict(), patient_id=chart.patient_id, recorded_by=chart.actor_id)
    return _record(db, chart, "dosing_session.recorded", row, given, known, now), True


def amend_session(
    db: Db,
    chart: Chart,
    sent: DosingSessionIn,
    known: Known[SessionRow],
    base_version: int,
    now: datetime,
) -> DosingSessionOut:
    """Correct a visit, or say what became of a planned one.

    Raises: Problem as `entries.to_change`, INVALID.
    """
    _check(sent, now)
    changing = entries.to_change(known, base_version, lambda entry: _says(entry, sent))
    if changing is None:
        assert known.row is not None
        return _with_given(db, chart, known.row)
    row, given = _row(sent, changing.id, base_version + 1, changing.started_at, now)
    row = row._replace(received_at=changing.received_at)
    return _change(db, chart, "dosing_session.amended", row, given, known, now)


def withdraw_session(
    db: Db, chart: Chart, known: Known[SessionRow], base_version: int, now: datetime
) -> DosingSessionOut:
    """Entered in error: it stays readable, and nothing is measured from it.

    Raises: Problem as `entries.to_change`.
    """
    changing = entries.to_change(known, base_version, entries.is_withdrawn)
    if changing is None:
        assert known.row is not None
        return _with_given(db, chart, known.row)
    given = _given_in(db, chart, [changing]).get(changing.id, [])
    row = changing._replace(version=base_version + 1, status=ENTERED_IN_ERROR)
    return _change(db, chart, "dosing_session.withdrawn", row, given, known, now)


def read_session(db: Db, chart: Chart, session_id: UUID) -> DosingSessionOut:
    """One visit. Raises: Problem NOT_FOUND."""
    found = db.first(SESSION, patient_id=chart.patient_id, id=session_id)
    if found is None:
        raise not_found()
    return _with_given(db, chart, found)


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
    given = _given_in(db, chart, page.rows)
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


def session_versions(db: Db, chart: Chart, session_id: UUID) -> DosingSessionVersions:
    """Every version of a visit, the first one first. Raises: Problem NOT_FOUND.

    Each is numbered as if it were the one that holds, among the other doses as they are now.
    """
    holds = read_session(db, chart, session_id)
    others = doses(db, chart)
    if holds.number:
        others.remove(microseconds(holds.effective_at))
    versions = []
    for said in ledger.said_of(db, chart, KIND, [session_id]):
        entry = said.entry(chart.data_key)
        at = microseconds(datetime.fromisoformat(entry["effective_at"]))
        is_dose = entry["administrations"] and not entries.is_withdrawn(entry)
        number = 1 + sum(one <= at for one in others) if is_dose else 0
        versions.append(
            DosingSessionVersion(
                version=said.entry_version,
                action=said.action,
                at=said.at,
                by=said.actor_role,
                dosing_session=DosingSessionOut.model_validate({**entry, "number": number}),
            )
        )
    return DosingSessionVersions(versions=versions)


def _row(
    sent: DosingSessionIn,
    session_id: UUID,
    version: int,
    otherwise_started_at: datetime,
    now: datetime,
) -> tuple[SessionRow, list[_Given]]:
    """otherwise_started_at: where nothing that was sent says it."""
    given = [
        _Given(session_id, one.drug, one.route, Decimal(str(round(one.dose_mg, 3))), one.given_at)
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
    )
    return row, given


def _change(
    db: Db,
    chart: Chart,
    action: str,
    row: SessionRow,
    given: list[_Given],
    known: Known[SessionRow],
    now: datetime,
) -> DosingSessionOut:
    values = {f"to_{name}": getattr(row, name) for name in _CHANGED}
    db.add(CHANGE_SESSION, patient_id=chart.patient_id, entry_id=row.id, **values)
    return _record(db, chart, action, row, given, known, now)


def _record(
    db: Db,
    chart: Chart,
    action: str,
    row: SessionRow,
    given: list[_Given],
    known: Known[SessionRow],
    now: datetime,
) -> DosingSessionOut:
    for at, one in enumerate(given):
        db.add(
            ADD_ADMINISTRATION,
            **{**one._asdict(), "dose_mg": float(one.dose_mg)},
            patient_id=chart.patient_id,
            session_version=row.version,
            place=at,
        )
    entry = _out(row, given, []).model_dump(mode="json", exclude={"number"})
    ledger.record(
        db,
        chart,
        action,
        kind=KIND,
        id=row.id,
        version=row.version,
        entry=entry,
        now=now,
    )
    known.is_now(row, entry)
    return _out(row, given, doses(db, chart))


def _with_given(db: Db, chart: Chart, row: SessionRow) -> DosingSessionOut:
    given = _given_in(db, chart, [row]).get(row.id, [])
    return _out(row, given, doses(db, chart))


def _given_in(db: Db, chart: Chart, sessions: list[SessionRow]) -> dict[UUID, list[_Given]]:
    found: dict[UUID, list[_Given]] = {}
    if sessions:
        ids = [session.id for session in sessions]
        for one in db.all(GIVEN, patient_id=chart.patient_id, session_ids=ids):
            found.setdefault(one.dosing_session_id, []).append(one)
    return found


def _out(session: SessionRow, given: list[_Given], instants: list[int]) -> DosingSessionOut:
    at = microseconds(session.effective_at)
    is_dose = given and session.status != ENTERED_IN_ERROR
    return DosingSessionOut(
        id=session.id,
        version=session.version,
        status=session.status,
        number=sum(instant <= at for instant in instants) if is_dose else 0,
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


def _says(entry: dict[str, Any], sent: DosingSessionIn) -> bool:
    """Whether a visit in the ledger is the one that was sent. One sent without a start began when
    it arrived, and still did at a retry.
    """
    kept = DosingSessionOut.model_validate({**entry, "number": 0})
    row, given = _row(sent, kept.id, kept.version, kept.started_at, kept.received_at)
    return kept == _out(row, given, []).model_copy(update={"number": 0})


def _check(sent: DosingSessionIn, now: datetime) -> None:
    faults = [*_wrong_with_visit(sent), *_wrong_with_doses(sent, now)]
    if faults:
        raise Problem(Kind.INVALID, faults=faults)


def _wrong_with_visit(sent: DosingSessionIn) -> Iterator[Fault]:
    if sent.status in _WITHOUT and sent.administrations:
        yield Fault("/administrations", "must be empty when nothing was given")
    if sent.status not in _WITHOUT and not sent.administrations:
        yield Fault("/administrations", "must name what was given; a visit without is not-done")
    if sent.status == "preparation" and sent.started_at is None:
        yield Fault("/started_at", "is required for a planned visit")
    if sent.started_at and sent.ended_at and sent.ended_at < sent.started_at:
        yield Fault("/ended_at", "must not be before the start")


def _wrong_with_doses(sent: DosingSessionIn, now: datetime) -> Iterator[Fault]:
    for place, one in enumerate(sent.administrations):
        pointer = f"/administrations/{place}/given_at"
        if one.given_at > now + AHEAD:
            yield Fault(pointer, "has not come yet")
        if sent.started_at and one.given_at < sent.started_at:
            yield Fault(pointer, "must not be before the start")
        if sent.ended_at and one.given_at > sent.ended_at:
            yield Fault(pointer, "must not be after the end")
