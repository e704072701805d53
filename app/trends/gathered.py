"""The series of many patients at once, in a fixed number of statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Text,
    Uuid,
    all_,
    and_,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, distinct_on

from app.checkins.tables import IS_FINAL, BaselinePin, CheckIn
from app.kernel.clock import instant_of
from app.kernel.db import Db, Query, itself
from app.kernel.tables import columns, table
from app.treatment import service as treatment
from app.treatment.tables import DosingSession

MAIN: Final = ("phq-9", "gad-7", "pcl-5")
"""Our convention: somebody is followed by these, and a report is about the first of them that there
is a complete score of."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """One patient's totals of one questionnaire, oldest first; None where it is incomplete.

    at, pinned_at: microseconds since 1970.
    """

    instrument: str
    at: list[int]
    totals: list[float | None]
    pinned_at: int | None

    @property
    def pinned_index(self) -> int | None:
        """Where the pinned score stands, if there is one."""
        return self.at.index(self.pinned_at) if self.pinned_at in self.at else None

    @property
    def last_at(self) -> int:
        """When the last complete score was; there must be one."""
        return next(
            at
            for at, total in zip(reversed(self.at), reversed(self.totals), strict=True)
            if total is not None
        )

    @property
    def has_scores(self) -> bool:
        """Whether any is complete."""
        return any(total is not None for total in self.totals)


@dataclass(frozen=True, slots=True)
class Patients:
    """By patient: series by instrument, doses, and dosing sessions in the calendar.

    answered: when else something was answered lately, by instrument.
    left_out: how many answers were to a version whose numbers mean something else.
    """

    series: dict[UUID, dict[str, Gathered]]
    doses: dict[UUID, list[int]]
    planned: dict[UUID, list[int]]
    answered: dict[UUID, dict[str, list[int]]]
    left_out: int


class _Row(NamedTuple):
    patient_id: UUID
    instrument: str
    at: list[int]
    totals: list[float | None]


class _Pinned(NamedTuple):
    patient_id: UUID
    instrument: str
    at: int


class _Answered(NamedTuple):
    patient_id: UUID
    instrument: str
    at: list[int]


class _Times(NamedTuple):
    patient_id: UUID
    at: list[int]


_check_in = columns(CheckIn)
_pin = columns(BaselinePin)
_session = columns(DosingSession)
_IDS: Any = bindparam("patient_ids", type_=ARRAY(Uuid))
_KEYS: Any = bindparam("instruments", type_=ARRAY(Text))


def _microseconds(instant: ColumnElement[datetime]) -> ColumnElement[int]:
    seconds = func.date_part(literal_column("'epoch'"), instant)
    return cast(seconds * literal_column("1000000"), BigInteger)


_OWN: Final = (
    _check_in.clinic_id == bindparam("clinic_id"),
    _check_in.patient_id == any_(_IDS),
    _check_in.instrument == any_(_KEYS),
    IS_FINAL,
)


def _series(*only: ColumnElement[bool]) -> Query[_Row]:
    """The totals of each patient and questionnaire as columns. only: which of them."""
    # The index is read in its own order; without a version to ask for, the table is not touched.
    ordered = (
        select(_check_in.patient_id, _check_in.instrument, _check_in.effective_at, _check_in.total)
        .where(*_OWN, *only)
        .order_by(_check_in.patient_id, _check_in.instrument, _check_in.effective_at, _check_in.id)
        .subquery()
    )
    return Query(
        select(
            ordered.c.patient_id,
            ordered.c.instrument,
            func.array_agg(_microseconds(ordered.c.effective_at)),
            func.array_agg(ordered.c.total),
        ).group_by(ordered.c.patient_id, ordered.c.instrument),
        _Row,
    )


_VERSIONS: Any = bindparam("versions", type_=ARRAY(Text))
SERIES = _series()
SERIES_ALIKE = _series(_check_in.instrument_version == any_(_VERSIONS))
LEFT_OUT = Query(
    select(func.count()).where(*_OWN, _check_in.instrument_version != all_(_VERSIONS)), itself
)
# Of what is answered many times a day, only as far back as it can matter.
_lately = (
    select(_check_in.patient_id, _check_in.instrument, _check_in.effective_at)
    .where(
        _check_in.clinic_id == bindparam("clinic_id"),
        _check_in.patient_id == any_(_IDS),
        _check_in.instrument == any_(_KEYS),
        _check_in.effective_at >= bindparam("since"),
        IS_FINAL,
    )
    .order_by(_check_in.patient_id, _check_in.instrument, _check_in.effective_at)
    .subquery()
)
ANSWERED = Query(
    select(
        _lately.c.patient_id,
        _lately.c.instrument,
        func.array_agg(_microseconds(_lately.c.effective_at)),
    ).group_by(_lately.c.patient_id, _lately.c.instrument),
    _Answered,
)
_pins = (
    select(_pin.patient_id, _pin.instrument, _pin.check_in_id)
    .ext(distinct_on(_pin.patient_id, _pin.instrument))
    .where(
        _pin.clinic_id == bindparam("clinic_id"),
        _pin.patient_id == any_(_IDS),
        _pin.instrument == any_(_KEYS),
    )
    .order_by(_pin.patient_id, _pin.instrument, _pin.effective_at.desc(), _pin.id.desc())
    .subquery()
)
PINNED = Query(
    select(_pins.c.patient_id, _pins.c.instrument, _microseconds(_check_in.effective_at))
    .join_from(
        _pins,
        table(CheckIn),
        and_(_check_in.patient_id == _pins.c.patient_id, _check_in.id == _pins.c.check_in_id),
    )
    .where(_check_in.clinic_id == bindparam("clinic_id"), IS_FINAL),
    _Pinned,
)


def _times(column: ColumnElement[datetime], *only: ColumnElement[bool]) -> Query[_Times]:
    return Query(
        select(
            _session.patient_id,
            func.array_agg(aggregate_order_by(_microseconds(column), column)),
        )
        .where(
            _session.clinic_id == bindparam("clinic_id"), _session.patient_id == any_(_IDS), *only
        )
        .group_by(_session.patient_id),
        _Times,
    )


DOSES = _times(_session.effective_at, treatment.WAS_GIVEN)
PLANNED = _times(
    _session.started_at, treatment.IN_CALENDAR, _session.started_at > bindparam("since")
)


SCORED = Query(
    select(_check_in.instrument)
    .where(
        _check_in.clinic_id == bindparam("clinic_id"),
        _check_in.patient_id == bindparam("patient_id"),
        _check_in.instrument == any_(_KEYS),
        _check_in.total.is_not(None),
        IS_FINAL,
    )
    .distinct(),
    itself,
)


def followed_by(db: Db, patient_id: UUID) -> str:
    """The questionnaire of MAIN that somebody is followed by; the first, while there is no score.

    To be asked once the record is open.
    """
    scored = set(db.all(SCORED, patient_id=patient_id, instruments=list(MAIN)))
    return next((key for key in MAIN if key in scored), MAIN[0])


def gather(
    db: Db,
    patient_ids: Sequence[UUID],
    keys: Sequence[str],
    *,
    checks: Sequence[str] = (),
    versions: Sequence[str] = (),
    since: datetime | None,
) -> Patients:
    """Of these patients, the totals of these questionnaires, and the doses.

    versions: where a single questionnaire is asked for that has several, those to be read, as
        `series.alike` says; answers to the others are only counted.
    checks: of what else it is asked when it was answered.
    since: from when on that, and the calendar; None: neither.
    """
    ids = list(patient_ids)
    pinned = db.ahead(PINNED, patient_ids=ids, instruments=list(keys))
    doses = db.ahead(DOSES, patient_ids=ids)
    planned = answered = None
    if since is not None:
        planned = db.ahead(PLANNED, patient_ids=ids, since=since)
        if checks:
            answered = db.ahead(ANSWERED, patient_ids=ids, instruments=list(checks), since=since)
    asked: dict[str, Any] = {"patient_ids": ids, "instruments": list(keys)}
    left_out = None
    if versions:
        asked["versions"] = list(versions)
        left_out = db.ahead(LEFT_OUT, **asked)
    rows = db.all(SERIES_ALIKE if versions else SERIES, **asked)
    pins = {(one.patient_id, one.instrument): one.at for one in pinned.all()}
    series: dict[UUID, dict[str, Gathered]] = {}
    for patient_id, instrument, at, totals in rows:
        series.setdefault(patient_id, {})[instrument] = Gathered(
            instrument, at, totals, pins.get((patient_id, instrument))
        )
    lately: dict[UUID, dict[str, list[int]]] = {}
    for patient_id, instrument, at in answered.all() if answered else ():
        lately.setdefault(patient_id, {})[instrument] = at
    return Patients(
        series,
        dict(doses.all()),
        dict(planned.all()) if planned else {},
        lately,
        left_out.one() if left_out else 0,
    )


def instant(microseconds: int) -> datetime:
    """In UTC."""
    return instant_of(microseconds)
