"""The trajectory of one scale."""

import json
from bisect import bisect_left
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Text,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)

from app.checkins import packs
from app.checkins.tables import IS_FINAL, BaselinePin, CheckIn
from app.clinical import instruments, trajectory
from app.clinical.instruments import Instrument, Item
from app.kernel.clock import microseconds
from app.kernel.db import Ahead, Db, Query
from app.kernel.errors import invalid, not_found
from app.kernel.tables import columns
from app.kernel.timeline import instant_columns
from app.people.chart import Chart, Right
from app.treatment import service as treatment

READ_TRAJECTORIES: Final = Right("trajectories.read")

MAX_POINTS: Final = 5000
"""The newest so many; what is older is neither shown nor measured from."""

CAVEAT: Final = (
    "One person's scores, not blinded and without a comparison: a fall is no proof that a"
    " treatment worked, and extreme scores drift towards the middle by themselves."
)


class _Series(NamedTuple):
    effective_at: str
    microseconds: list[int]
    scores: list[Any]
    doses_at: str
    doses: list[int]
    pinned_at: datetime | None


_check_in = columns(CheckIn)
_pin = columns(BaselinePin)


# Where the newest pin points; nowhere, if it took an earlier one back.
_newest_pin = (
    select(_pin.check_in_id)
    .where(
        _pin.clinic_id == bindparam("clinic_id"),
        _pin.patient_id == bindparam("patient_id"),
        _pin.instrument == bindparam("instrument"),
    )
    .order_by(_pin.effective_at.desc(), _pin.id.desc())
    .limit(literal_column("1"))
    .scalar_subquery()
)
_PINNED_AT = (
    select(_check_in.effective_at)
    .where(
        _check_in.clinic_id == bindparam("clinic_id"),
        _check_in.patient_id == bindparam("patient_id"),
        _check_in.id == _newest_pin,
        IS_FINAL,
    )
    .scalar_subquery()
)


def _series(score: ColumnElement[Any], *only: ColumnElement[bool]) -> Query[_Series]:
    """One row: the newest points of one instrument, as columns, oldest first; and the doses.

    only: which of them.
    """
    newest = (
        select(_check_in.effective_at, _check_in.id, score.label("score"))
        .where(
            _check_in.clinic_id == bindparam("clinic_id"),
            _check_in.patient_id == bindparam("patient_id"),
            _check_in.instrument == bindparam("instrument"),
            IS_FINAL,
            *only,
        )
        .order_by(_check_in.effective_at.desc(), _check_in.id.desc())
        .limit(literal_column(str(MAX_POINTS)))
        .subquery()
    )
    ordered = select(newest).order_by(newest.c.effective_at, newest.c.id).subquery()
    points = select(
        *instant_columns(ordered.c.effective_at),
        func.coalesce(func.array_agg(ordered.c.score), literal_column("'{}'")),
    ).subquery()
    doses = select(*treatment.DOSE_COLUMNS).subquery()
    return Query(select(points, doses, _PINNED_AT), _Series)


# A sum is a whole number and is read as one; what is not does not have to be.
_WHOLE = cast(_check_in.total, Integer)
_ANSWER = _check_in.answers[bindparam("place", type_=Integer)]
TOTALS = _series(_WHOLE)
POINTS = _series(_check_in.total)
ANSWERS = _series(_ANSWER)
# Of an instrument with several versions: those that measure the same as the newest.
_ALIKE = _check_in.instrument_version == any_(bindparam("versions", type_=ARRAY(Text)))
TOTALS_ALIKE = _series(_WHOLE, _ALIKE)
POINTS_ALIKE = _series(_check_in.total, _ALIKE)
ANSWERS_ALIKE = _series(_ANSWER, _ALIKE)


class Asked(NamedTuple):
    """A trajectory that was asked for before it is known whether the caller may see it."""

    patient_id: UUID
    instrument: Instrument
    item: Item | None
    since: datetime | None
    until: datetime | None
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
    since, until: which points to show. The baseline is the same whatever is shown; the latest
        is the latest of what is shown.
    Raises: Problem NOT_FOUND (no such instrument), INVALID (no such item, or one is needed).
    """
    try:
        newest, *earlier = packs.versions(db, key)
    except instruments.UnknownInstrument:
        raise not_found() from None
    instrument, item = _measured(newest, item_key)
    params: dict[str, Any] = {
        "patient_id": patient_id,
        "instrument": key,
    }
    if earlier:
        measure = _measure(newest, item_key)
        alike = [one.version for one in earlier if _measure(one, item_key) == measure]
        params["versions"] = [newest.version, *alike]
    if item is not None:
        params["place"] = instrument.items.index(item) + 1
        series = db.ahead(ANSWERS_ALIKE if earlier else ANSWERS, **params)
    elif _is_whole(instrument):
        series = db.ahead(TOTALS_ALIKE if earlier else TOTALS, **params)
    else:
        series = db.ahead(POINTS_ALIKE if earlier else POINTS, **params)
    return Asked(patient_id, instrument, item, since, until, series)


def read_trajectory(chart: Chart, asked: Asked) -> bytes:
    """One scale over time, now that the chart is open: the JSON of `schemas.TrajectoryOut`."""
    chart.require(asked.patient_id)
    return _render(asked, asked.series.one())


def _measured(instrument: Instrument, item_key: str | None) -> tuple[Instrument, Item | None]:
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


def _measure(instrument: Instrument, item_key: str | None) -> object:
    """What a number means: two versions measure the same exactly where these are equal.

    Points that mean something else are not drawn on one scale; each stays readable by itself.
    """
    if item_key is None:
        total = instrument.total
        return total and (
            total.method,
            total.multiplier,
            total.minimum,
            total.maximum,
            total.direction,
            instrument.is_score_only,
        )
    return [
        (place, item.values, item.direction)
        for place, item in enumerate(instrument.items)
        if item.key == item_key
    ]


def _is_whole(instrument: Instrument) -> bool:
    """Whether every total is a whole number: sums are, a mean or a recorded score may not be."""
    total = instrument.total
    return total is not None and total.method == "sum" and not instrument.scores


def _is_suicide_item(instrument: Instrument, item: Item) -> bool:
    suicide = instrument.suicide_item
    return suicide is not None and instrument.items[suicide.position] is item


def _render(asked: Asked, series: _Series) -> bytes:
    """Columns straight to bytes; the instants were written by PostgreSQL already."""
    instrument, item = asked.instrument, asked.item
    at, scores, doses = series.microseconds, series.scores, series.doses
    first = 0 if asked.since is None else bisect_left(at, microseconds(asked.since))
    end = len(at) if asked.until is None else bisect_left(at, microseconds(asked.until))
    shown = slice(first, max(first, end))
    head: dict[str, Any] = {
        "instrument": instrument.key,
        "instrument_version": instrument.version,
        "item": item.key if item else None,
        "measures_hours": instrument.recall.measures_hours,
        "caveat": CAVEAT,
    }
    if item is not None and item.scale is None:
        assert instrument.suicide_item is not None
        ideation = trajectory.ideation(instrument.suicide_item, at, scores, doses)
        change: list[float | None] = [None] * len(at)
        percent_change: list[float | None] = [None] * len(at)
        positions = ideation.positions
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
        pinned = _index_of(series.pinned_at, at)
        followed = trajectory.follow(item or instrument, at, scores, doses, pinned, shown=shown)
        change, percent_change = followed.change, followed.percent_change
        positions = followed.positions
        scale = item.scale if item else instrument.total
        assert scale is not None
        head |= {
            "direction": scale.direction,
            "minimum": scale.minimum,
            "maximum": scale.maximum,
            "is_ordinal": False,
            "baseline": _baseline(followed.baseline, at, shown),
            "latest": _latest(followed.latest, at, shown),
            "sources": followed.sources,
            "conventions": followed.conventions,
        }
    columns_shown: dict[str, list[Any]] = {
        "score": scores,
        "change": change,
        "percent_change": percent_change,
        "dose_number": positions.dose_number,
        "hours_since_dose": positions.hours_since_dose,
        "window": positions.window,
    }
    effective_at = series.effective_at.encode()
    if shown != slice(0, len(at)):
        columns_shown = {name: column[shown] for name, column in columns_shown.items()}
        effective_at = to_json(json.loads(effective_at)[shown])
    return b'%s,"doses":{"effective_at":%s},"points":{"effective_at":%s,%s}' % (
        to_json(head)[:-1],
        series.doses_at.encode(),
        effective_at,
        to_json(columns_shown)[1:],
    )


def _baseline(
    found: trajectory.Baseline | None, at: list[int], shown: slice
) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "index": _shown(found.index, shown),
        "score": found.total,
        "effective_at": _instant(at[found.index]),
        "rule": found.rule,
        "provisional": found.provisional,
    }


def _latest(found: trajectory.Outcome | None, at: list[int], shown: slice) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "index": _shown(found.index, shown),
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


def _shown(index: int, shown: slice) -> int | None:
    """Where a point stands among those that are shown, if it is."""
    return index - shown.start if shown.start <= index < shown.stop else None


def _index_of(instant: datetime | None, at: list[int]) -> int | None:
    """The point at this very instant, if there is one."""
    if instant is None:
        return None
    sought = microseconds(instant)
    index = bisect_left(at, sought)
    return index if index < len(at) and at[index] == sought else None


def _instant(microseconds: int) -> str:
    seconds, rest = divmod(microseconds, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest).isoformat()
