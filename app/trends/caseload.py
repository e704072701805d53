"""A clinician's patients: open flags first and worst first, then the longest silent."""

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    Uuid,
    and_,
    bindparam,
    case,
    func,
    literal,
    literal_column,
    select,
    tuple_,
)

from app.checkins.tables import IS_FINAL, CheckIn
from app.kernel.db import Db, Query
from app.kernel.identity import Caller
from app.kernel.paging import cursor, instant_of, read_cursor
from app.kernel.tables import DataKey, columns, table
from app.people.admission import open_name
from app.people.chart import Right, cared_for, note_shown, open_panel
from app.people.tables import Patient
from app.safety.flags import URGENCY, urgency_of
from app.safety.schemas import FlagRef
from app.safety.tables import Flag
from app.treatment import service as treatment
from app.treatment.tables import DosingSession
from app.trends.schemas import CaseloadOut, CaseOut

READ_CASELOAD: Final = Right("caseload.read", is_for_patient=False)


class _Case(NamedTuple):
    patient_id: UUID
    wrapped: bytes | None
    contact: bytes
    flag_id: UUID | None
    level: str | None
    status: str | None
    round: int | None
    kind: str | None
    is_historic: bool | None
    raised_at: datetime | None
    last_check_in_at: datetime | None
    last_phq9_total: float | None
    last_phq9_at: datetime | None
    last_dose_at: datetime | None
    urgency: int
    since: datetime


_check_in = columns(CheckIn)
_patient = columns(Patient)
_flag = columns(Flag)
_data_key = columns(DataKey)
_session = columns(DosingSession)


def _newest(column: ColumnElement[Any], *conditions: ColumnElement[bool]) -> Any:
    return (
        select(column)
        .where(
            _check_in.clinic_id == _patient.clinic_id,
            _check_in.patient_id == _patient.id,
            IS_FINAL,
            *conditions,
        )
        .order_by(_check_in.effective_at.desc())
        .limit(1)
        .correlate(table(Patient))
        .scalar_subquery()
    )


_COMPLETE_PHQ9 = (_check_in.instrument == "phq-9", _check_in.complete)


# A patient may have one of each kind.
_other = table(Flag).alias()
_WORST_FLAG = (
    select(_other.c.id)
    .where(
        _other.c.clinic_id == _patient.clinic_id,
        _other.c.patient_id == _patient.id,
        _other.c.status != literal_column("'resolved'"),
    )
    .order_by(urgency_of(_other.c).desc(), _other.c.raised_at)
    .limit(literal_column("1"))
    .correlate(table(Patient))
    .scalar_subquery()
)


def _caseload() -> Query[_Case]:
    urgency = case((_flag.id.is_(None), 0), else_=URGENCY)
    last_check_in_at = _newest(_check_in.effective_at)
    rows = (
        select(
            _patient.id,
            _data_key.wrapped,
            _patient.contact,
            _flag.id.label("flag_id"),
            _flag.level,
            _flag.status,
            _flag.round,
            _flag.kind,
            _flag.is_historic,
            _flag.raised_at,
            last_check_in_at.label("last_check_in_at"),
            _newest(_check_in.total, *_COMPLETE_PHQ9).label("last_phq9_total"),
            _newest(_check_in.effective_at, *_COMPLETE_PHQ9).label("last_phq9_at"),
            select(func.max(_session.effective_at))
            .where(
                _session.clinic_id == _patient.clinic_id,
                _session.patient_id == _patient.id,
                treatment.WAS_GIVEN,
            )
            .correlate(table(Patient))
            .scalar_subquery()
            .label("last_dose_at"),
            urgency.label("urgency"),
            func.coalesce(
                _flag.raised_at,
                last_check_in_at,
                literal(datetime(2000, 1, 1, tzinfo=UTC), DateTime(timezone=True)),
            ).label("since"),
        )
        .select_from(
            table(Patient)
            .outerjoin(
                table(DataKey),
                and_(
                    _data_key.clinic_id == _patient.clinic_id,
                    _data_key.patient_id == _patient.id,
                ),
            )
            .outerjoin(
                table(Flag),
                and_(_flag.clinic_id == _patient.clinic_id, _flag.id == _WORST_FLAG),
            )
        )
        .where(
            _patient.clinic_id == bindparam("clinic_id"),
            cared_for(_patient.id, _patient.clinic_id),
        )
        .subquery()
    )
    place = tuple_(-rows.c.urgency, rows.c.since, rows.c.id)
    return Query(
        select(*rows.c)
        .where(
            place
            > tuple_(
                bindparam("after_urgency", type_=Integer),
                bindparam("after_since", type_=DateTime(timezone=True)),
                bindparam("after_id", type_=Uuid),
            )
        )
        .order_by(-rows.c.urgency, rows.c.since, rows.c.id)
        .limit(bindparam("limit", type_=BigInteger)),
        _Case,
    )


CASELOAD = _caseload()


def read_caseload(
    db: Db, caller: Caller, *, after: str | None, limit: int, now: datetime
) -> CaseloadOut:
    """The caller's patients: open flags first, then the longest silent.

    Raises: Problem FORBIDDEN, MALFORMED_REQUEST.
    """
    open_panel(db, caller, READ_CASELOAD, now)
    name = f"caseload/{caller.membership_id}"
    keyset: dict[str, Any] = {
        "after_urgency": -9,
        "after_since": datetime(1999, 1, 1, tzinfo=UTC),
        "after_id": UUID(int=0),
    }
    if after is not None:
        urgency, since, patient_id = read_cursor(db.vault, name, after, 3)
        keyset = {
            "after_urgency": int(urgency),
            "after_since": instant_of(since),
            "after_id": UUID(patient_id),
        }
    rows = db.all(CASELOAD, membership_id=caller.membership_id, now=now, limit=limit + 1, **keyset)
    page = rows[:limit]
    note_shown(db, caller, READ_CASELOAD, (row.patient_id for row in page), now)
    last = page[-1] if len(rows) > limit else None
    return CaseloadOut(
        patients=[_case_out(db, caller, row) for row in page],
        next_cursor=cursor(db.vault, name, -last.urgency, last.since.isoformat(), last.patient_id)
        if last
        else None,
    )


def _case_out(db: Db, caller: Caller, row: _Case) -> CaseOut:
    flag = None
    if row.flag_id is not None:
        assert row.level is not None
        assert row.status is not None
        assert row.round is not None
        assert row.kind is not None
        assert row.is_historic is not None
        flag = FlagRef(
            id=row.flag_id,
            kind=row.kind,
            level=row.level,
            status=row.status,
            round=row.round,
            is_historic=row.is_historic,
        )
    return CaseOut(
        patient_id=row.patient_id,
        name=open_name(db.vault, caller.clinic_id, row.patient_id, row.wrapped, row.contact),
        flag=flag,
        flag_raised_at=row.raised_at,
        last_check_in_at=row.last_check_in_at,
        last_phq9_total=None if row.last_phq9_total is None else int(row.last_phq9_total),
        last_phq9_at=row.last_phq9_at,
        last_dose_at=row.last_dose_at,
    )
