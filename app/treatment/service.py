"""Dosing sessions."""

from datetime import datetime
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
from app.kernel.errors import Kind, Problem, invalid, not_found
from app.kernel.tables import columns, table
from app.people.chart import Chart, Right
from app.people.tables import Patient
from app.treatment import faults, form
from app.treatment.form import Given, SessionRow
from app.treatment.schemas import (
    DosingSessionIn,
    DosingSessionOut,
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
_IN_PROGRESS: Final = "in-progress"
GIVEN_IN: Final = frozenset({_IN_PROGRESS, "completed"})
"""The statuses of a visit at which something was given."""


_session = columns(DosingSession)
_patient = columns(Patient)
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
# What the vital signs show is no part of what somebody says about the visit.
_CHANGED = tuple(name for name in SessionRow._fields if name not in {"id", "received_at", "vitals"})
CHANGE_SESSION = Change(
    update(DosingSession)
    .where(
        _session.clinic_id == bindparam("clinic_id"),
        _session.patient_id == bindparam("patient_id"),
        _session.id == bindparam("entry_id"),
    )
    .values(
        {name: bindparam(f"to_{name}", type_=getattr(_session, name).type) for name in _CHANGED}
    )
)
# Who refers to the patient's row goes on; who holds it too, waits.
HOLD_PATIENT = Query(
    select(_patient.id)
    .where(_patient.clinic_id == bindparam("clinic_id"), _patient.id == bindparam("patient_id"))
    .with_for_update(key_share=True),
    itself,
)
OTHERS_IN_PROGRESS = Query(
    select(_session.id).where(
        _session.clinic_id == bindparam("clinic_id"),
        _session.patient_id == bindparam("patient_id"),
        _session.id != bindparam("but"),
        _session.status == literal_column(f"'{_IN_PROGRESS}'"),
    ),
    itself,
)
GIVEN = Query(
    select(*(getattr(_given, name) for name in Given._fields))
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
    Given,
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
    db: Db,
    chart: Chart,
    sent: DosingSessionIn,
    known: Known[SessionRow],
    now: datetime,
    open_at_dose: dict[str, Any] | None = None,
) -> tuple[DosingSessionOut, bool]:
    """Record a visit, or plan one. Returns: it, and whether it is new (False: a retry).

    known: what there is under its id already. open_at_dose: the members of `OpenAtDoseOut`, as
        JSON, of a visit at which something was given; kept with this version of it.
    Raises: Problem INVALID, ID_REUSED.
    """
    faults.check(sent, now)
    earlier = entries.created_before(known, lambda entry: form.says(chart, entry, sent))
    if earlier is not None:
        return _with_given(db, chart, earlier, now), False
    row, given = form.row_of(chart, sent, sent.id or uuid7(), 1, now, now)
    row = row._replace(open_at_dose=open_at_dose if given else None)
    if row.status == _IN_PROGRESS:
        _check_alone(db, chart, row)
    db.add(ADD_SESSION, **form.stored(row), patient_id=chart.patient_id, recorded_by=chart.actor_id)
    told = _record(db, chart, "dosing_session.recorded", row, given, known, now)
    return told, True


def amend_session(
    db: Db,
    chart: Chart,
    sent: DosingSessionIn,
    known: Known[SessionRow],
    base_version: int,
    now: datetime,
    open_at_dose: dict[str, Any] | None = None,
) -> DosingSessionOut:
    """Correct a visit, or say what became of a planned one.

    open_at_dose: as for `record_session`; None keeps what is kept while there is a dose.
    Raises: Problem as `entries.to_change`, INVALID.
    """
    faults.check(sent, now)
    changing = entries.to_change(known, base_version, lambda entry: form.says(chart, entry, sent))
    if changing is None:
        assert known.row is not None
        return _with_given(db, chart, known.row, now)
    row, given = form.row_of(chart, sent, changing.id, base_version + 1, changing.started_at, now)
    row = row._replace(
        received_at=changing.received_at,
        vitals=changing.vitals,
        open_at_dose=(open_at_dose or changing.open_at_dose) if given else None,
    )
    if row.status == _IN_PROGRESS != changing.status:
        _check_alone(db, chart, row)
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
        return _with_given(db, chart, known.row, now)
    given = _given_in(db, chart, [changing]).get(changing.id, [])
    row = changing._replace(version=base_version + 1, status=ENTERED_IN_ERROR)
    return _change(db, chart, "dosing_session.withdrawn", row, given, known, now)


def read_session(db: Db, chart: Chart, session_id: UUID, now: datetime) -> DosingSessionOut:
    """One visit. Raises: Problem NOT_FOUND."""
    found = db.first(SESSION, patient_id=chart.patient_id, id=session_id)
    if found is None:
        raise not_found()
    return _with_given(db, chart, found, now)


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


def session_versions(
    db: Db, chart: Chart, session_id: UUID, now: datetime
) -> DosingSessionVersions:
    """Every version of a visit, the first one first. Raises: Problem NOT_FOUND.

    Each is numbered as if it were the one that holds, among the other doses as they are now.
    """
    holds = read_session(db, chart, session_id, now)
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


class Dosed(NamedTuple):
    """A visit as what stands on it goes by. dosed_at: microseconds, ascending; none for none."""

    visit: SessionRow
    dosed_at: list[int]


def dosed(db: Db, chart: Chart, session_id: UUID) -> Dosed:
    """A visit that stays as it is until this transaction ends, with its doses.

    Raises: Problem NOT_FOUND, WITHDRAWN.
    """
    visit = db.first(SESSION_TO_CHANGE, patient_id=chart.patient_id, id=session_id)
    if visit is None:
        raise not_found()
    if visit.status == ENTERED_IN_ERROR:
        raise Problem(Kind.WITHDRAWN)
    given = _given_in(db, chart, [visit]).get(visit.id, [])
    return Dosed(visit, [microseconds(one.given_at) for one in given])


def _check_alone(db: Db, chart: Chart, row: SessionRow) -> None:
    """Of two visits that begin at once the later one waits, and sees the other.

    Asked before anything is written: a page that shows the refusal keeps its transaction.
    Raises: Problem INVALID.
    """
    db.all(HOLD_PATIENT, patient_id=chart.patient_id)
    if db.all(OTHERS_IN_PROGRESS, patient_id=chart.patient_id, but=row.id):
        raise invalid("/status", "must wait: another visit of this patient is in progress")


def _change(
    db: Db,
    chart: Chart,
    action: str,
    row: SessionRow,
    given: list[Given],
    known: Known[SessionRow],
    now: datetime,
) -> DosingSessionOut:
    stored = form.stored(row)
    values = {f"to_{name}": stored[name] for name in _CHANGED}
    db.add(CHANGE_SESSION, patient_id=chart.patient_id, entry_id=row.id, **values)
    return _record(db, chart, action, row, given, known, now)


def _record(
    db: Db,
    chart: Chart,
    action: str,
    row: SessionRow,
    given: list[Given],
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
    told = form.told(chart, row, given, [], now)
    entry = told.model_dump(mode="json", exclude={"number", "vitals"})
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
    return form.told(chart, row, given, doses(db, chart), now)


def _with_given(db: Db, chart: Chart, row: SessionRow, now: datetime) -> DosingSessionOut:
    given = _given_in(db, chart, [row]).get(row.id, [])
    return form.told(chart, row, given, doses(db, chart), now)


def _given_in(db: Db, chart: Chart, sessions: list[SessionRow]) -> dict[UUID, list[Given]]:
    found: dict[UUID, list[Given]] = {}
    if sessions:
        ids = [session.id for session in sessions]
        for one in db.all(GIVEN, patient_id=chart.patient_id, session_ids=ids):
            found.setdefault(one.dosing_session_id, []).append(one)
    return found
