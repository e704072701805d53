"""Trajectories and the caseload."""

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from pydantic_core import to_json
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

from app.checkins.tables import CheckIn
from app.clinical import instruments, trajectory
from app.clinical.instruments import Instrument, Item
from app.kernel.db import Ahead, Db, Query
from app.kernel.errors import invalid, not_found
from app.kernel.identity import Caller
from app.kernel.paging import cursor, instant_of, read_cursor
from app.kernel.tables import DataKey, columns, table
from app.kernel.timeline import instant_columns
from app.people.chart import Chart, Right, cared_for, open_panel
from app.people.service import open_name
from app.people.tables import Patient
from app.safety.schemas import FlagRef
from app.safety.service import URGENCY
from app.safety.tables import Flag
from app.treatment import service as treatment
from app.treatment.tables import DosingSession
from app.trends.schemas import CaseloadOut, CaseOut

READ_TRAJECTORIES: Final = Right("trajectories.read")
READ_CASELOAD: Final = Right("caseload.read", is_for_patient=False)

MAX_POINTS: Final = 5000
"""The newest so many; `since` and `until` reach further back."""

_BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
_END: Final = datetime(2100, 1, 1, tzinfo=UTC)

CAVEAT: Final = (
    "One person's scores, not blinded and without a comparison: a fall is no proof that a"
    " treatment worked, and extreme scores drift towards the middle by themselves."
)


class _Series(NamedTuple):
    effective_at: str
    microseconds: list[int]
    scores: list[int | None]
    doses_at: str
    doses: list[int]


class _Case(NamedTuple):
    patient_id: UUID
    wrapped: bytes
    contact: bytes
    flag_id: UUID | None
    level: str | None
    status: str | None
    round: int | None
    raised_at: datetime | None
    last_check_in_at: datetime | None
    last_phq9_total: int | None
    last_dose_at: datetime | None
    urgency: int
    since: datetime


_check_in = columns(CheckIn)
# Spelled out, so that the planner sees that the partial index fits.
IS_FINAL = _check_in.status == literal_column("'final'")


def _series(score: ColumnElement[Any]) -> Query[_Series]:
    """One row: the newest points of one instrument, as columns, oldest first; and the doses."""
    newest = (
        select(_check_in.effective_at, _check_in.id, score.label("score"))
        .where(
            _check_in.clinic_id == bindparam("clinic_id"),
            _check_in.patient_id == bindparam("patient_id"),
            _check_in.instrument == bindparam("instrument"),
            _check_in.effective_at >= bindparam("since"),
            _check_in.effective_at < bindparam("until"),
            IS_FINAL,
        )
        .order_by(_check_in.effective_at.desc(), _check_in.id.desc())
        .limit(literal_column(str(MAX_POINTS)))
        .subquery()
    )
    ordered = select(newest).order_by(newest.c.effective_at, newest.c.id).subquery()
    points = select(
        *instant_columns(ordered.c.effective_at),
        func.coalesce(func.array_agg(ordered.c.score), literal_column("'{}'::integer[]")),
    ).subquery()
    doses = select(*treatment.DOSE_COLUMNS).subquery()
    return Query(select(points, doses), _Series)


TOTALS = _series(_check_in.total)
ANSWERS = _series(_check_in.answers[bindparam("place", type_=Integer)])


class Asked(NamedTuple):
    """A trajectory that was asked for before it is known whether the caller may see it."""

    instrument: Instrument
    item: Item | None
    series: Ahead[_Series]


def ask_trajectory(
    db: Db,
    patient_id: UUID,
    key: str,
    *,
    item_key: str | None,
    since: datetime | None,
    until: datetime | None,
) -> Asked:
    """Let the question travel with the chart's.

    item_key: which item, for a scale without a total; also the suicide item of one that has it.
    Raises: Problem NOT_FOUND (no such instrument), INVALID (no such item, or one is needed).
    """
    instrument, item = _measured(key, item_key)
    params: dict[str, Any] = {
        "patient_id": patient_id,
        "instrument": key,
        "since": since or _BEGINNING,
        "until": until or _END,
    }
    if item is None:
        return Asked(instrument, item, db.ahead(TOTALS, **params))
    place = instrument.items.index(item) + 1
    return Asked(instrument, item, db.ahead(ANSWERS, **params, place=place))


def read_trajectory(_: Chart, asked: Asked) -> bytes:
    """One scale over time, now that the chart is open: the JSON of `schemas.TrajectoryOut`."""
    return _render(asked.instrument, asked.item, asked.series.one())


def _measured(key: str, item_key: str | None) -> tuple[Instrument, Item | None]:
    try:
        instrument = instruments.find(key)
    except instruments.UnknownInstrument:
        raise not_found() from None
    if item_key is None:
        if instrument.total is None:
            raise invalid("query:item", "is needed: this instrument has no total")
        return instrument, None
    try:
        item = instrument.item(item_key)
    except KeyError:
        raise invalid("query:item", "is not an item of this instrument") from None
    if item.scale is None and not _is_suicide_item(instrument, item):
        raise invalid("query:item", "is answered in words and has no trajectory of its own")
    return instrument, item


def _is_suicide_item(instrument: Instrument, item: Item) -> bool:
    suicide = instrument.suicide_item
    return suicide is not None and instrument.items[suicide.position] is item


def _render(instrument: Instrument, item: Item | None, series: _Series) -> bytes:
    """Columns straight to bytes; the instants were written by PostgreSQL already."""
    at, scores, doses = series.microseconds, series.scores, series.doses
    head: dict[str, Any] = {
        "instrument": instrument.key,
        "instrument_version": instrument.version,
        "item": item.key if item else None,
        "measures_hours": instrument.recall.measures_hours,
        "caveat": CAVEAT,
    }
    columns: dict[str, Any]
    if item is not None and item.scale is None:
        assert instrument.suicide_item is not None
        ideation = trajectory.ideation(instrument.suicide_item, at, scores, doses)
        nothing = [None] * len(at)
        columns = {
            "score": ideation.answers,
            "change": nothing,
            "percent_change": nothing,
            "dose_number": ideation.positions.dose_number,
            "hours_since_dose": ideation.positions.hours_since_dose,
            "window": ideation.positions.window,
        }
        head |= {
            "direction": item.direction,
            "minimum": item.minimum,
            "maximum": item.maximum,
            "is_ordinal": True,
            "baseline": None,
            "latest": None,
            "sources": ideation.sources,
            "conventions": ideation.conventions,
        }
    else:
        measured = item or instrument
        followed = trajectory.follow(measured, at, scores, doses)
        scale = item.scale if item else instrument.total
        assert scale is not None
        columns = {
            "score": scores,
            "change": followed.change,
            "percent_change": followed.percent_change,
            "dose_number": followed.positions.dose_number,
            "hours_since_dose": followed.positions.hours_since_dose,
            "window": followed.positions.window,
        }
        head |= {
            "direction": scale.direction,
            "minimum": scale.minimum,
            "maximum": scale.maximum,
            "is_ordinal": False,
            "baseline": _baseline(followed.baseline, at),
            "latest": _latest(followed.latest, at),
            "sources": followed.sources,
            "conventions": followed.conventions,
        }
    return b'%s,"doses":{"effective_at":%s},"points":{"effective_at":%s,%s}' % (
        to_json(head)[:-1],
        series.doses_at.encode(),
        series.effective_at.encode(),
        to_json(columns)[1:],
    )


def _baseline(found: trajectory.Baseline | None, at: list[int]) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "index": found.index,
        "score": found.total,
        "effective_at": _instant(at[found.index]),
        "rule": found.rule,
        "provisional": found.provisional,
    }


def _latest(found: trajectory.Outcome | None, at: list[int]) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "index": found.index,
        "score": found.total,
        "effective_at": _instant(at[found.index]),
        "band": found.band,
        "change": found.change,
        "percent_change": found.percent_change,
        "direction": found.direction,
        "reliable": found.reliable,
        "response": found.response,
        "remission": found.remission,
        "doses_in_recall_window": found.doses_in_recall_window,
    }


def _instant(microseconds: int) -> str:
    seconds, rest = divmod(microseconds, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest).isoformat()


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
            _flag.raised_at,
            last_check_in_at.label("last_check_in_at"),
            _newest(_check_in.total, _check_in.instrument == "phq-9", _check_in.complete).label(
                "last_phq9_total"
            ),
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
            .join(
                table(DataKey),
                and_(
                    _data_key.clinic_id == _patient.clinic_id,
                    _data_key.patient_id == _patient.id,
                ),
            )
            .outerjoin(
                table(Flag),
                and_(
                    _flag.clinic_id == _patient.clinic_id,
                    _flag.patient_id == _patient.id,
                    _flag.status != "resolved",
                ),
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
        flag = FlagRef(id=row.flag_id, level=row.level, status=row.status, round=row.round)
    return CaseOut(
        patient_id=row.patient_id,
        name=open_name(db.vault, caller.clinic_id, row.patient_id, row.wrapped, row.contact),
        flag=flag,
        flag_raised_at=row.raised_at,
        last_check_in_at=row.last_check_in_at,
        last_phq9_total=row.last_phq9_total,
        last_dose_at=row.last_dose_at,
    )
