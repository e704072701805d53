"""Which series of numbers is meant, and the one statement that gathers it.

A series is the totals of a questionnaire, the answers to one of its items, or the points of one
subscale or entered score. Versions of a questionnaire in which the numbers mean something else are
not joined: the newest is read with those that measure the same, and what is left out is counted.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Double,
    Integer,
    Text,
    all_,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.sql.elements import Grouping

from app.checkins import packs
from app.checkins.tables import IS_FINAL, BaselinePin, CheckIn
from app.clinical import instruments, trajectory
from app.clinical.instruments import Instrument, Item, Scale, whole_if_it_is
from app.kernel.db import Ahead, Db, Query
from app.kernel.errors import invalid, not_found
from app.kernel.tables import columns
from app.kernel.timeline import instant_columns
from app.treatment import service as treatment

MAX_POINTS: Final = 5000
"""The newest so many; what is older is neither shown nor measured from."""

_TOTAL: Final = "total"
"""The key of an entered score that is kept as the total."""


class Series(NamedTuple):
    """The points, oldest first, and every dose. effective_at, doses_at: JSON arrays.

    suicide_answer: what was answered about suicide together with the last score that was asked for.
    """

    effective_at: str
    microseconds: list[int]
    scores: list[Any]
    doses_at: str
    doses: list[int]
    pinned_at: datetime | None
    suicide_answer: int | None


class LeftOut(NamedTuple):
    """A version whose numbers are not joined to the others, and how many there are."""

    instrument_version: str
    check_ins: int


class Measured(NamedTuple):
    """What is measured. scale: None for a suicide item, which is ordinal.

    part: the key of a subscale or an entered score.
    versions: those that are joined, the newest first.
    suicide_places: by version, the place of the item that asks about suicide, from 1; 0: none does.
    """

    instrument: Instrument
    item: Item | None
    part: str | None
    scale: Scale | None
    versions: list[str]
    suicide_places: dict[str, int]


class AskedSeries(NamedTuple):
    """A series that was asked for before it is known whether the caller may see it."""

    patient_id: UUID
    measured: Measured
    answer: Ahead[Series]
    left_out: Ahead[LeftOut] | None

    def read(self) -> Series:
        """The numbers; whole ones as whole numbers."""
        found = self.answer.one()
        if self.measured.part is None:
            return found
        scores = [None if one is None else whole_if_it_is(one) for one in found.scores]
        return found._replace(scores=scores)


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


_INSTANT: Final = DateTime(timezone=True)
_LONG_AGO: Final = datetime(1, 1, 2, tzinfo=UTC)
_LONG_AFTER: Final = datetime(9999, 12, 30, tzinfo=UTC)
# What a version does not say, the newest does.
_SUICIDE_PLACE: Any = Grouping(bindparam("suicide_places", type_=ARRAY(Integer)))[
    func.coalesce(
        func.array_position(
            bindparam("suicide_versions", type_=ARRAY(Text)), _check_in.instrument_version
        ),
        literal_column("1"),
    )
]


def _series(score: ColumnElement[Any], *only: ColumnElement[bool]) -> Query[Series]:
    """One row: the newest points of one instrument, as columns, oldest first; and the doses.

    only: which of them.
    """
    own = (
        _check_in.clinic_id == bindparam("clinic_id"),
        _check_in.patient_id == bindparam("patient_id"),
        _check_in.instrument == bindparam("instrument"),
        IS_FINAL,
        *only,
    )
    newest = (
        select(_check_in.effective_at, _check_in.id, score.label("score"))
        .where(*own)
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
    suicide_answer = (
        select(_check_in.answers[_SUICIDE_PLACE])
        .where(
            *own,
            score.is_not(None),
            _check_in.effective_at >= bindparam("shown_since", type_=_INSTANT),
            _check_in.effective_at < bindparam("shown_until", type_=_INSTANT),
        )
        .order_by(_check_in.effective_at.desc(), _check_in.id.desc())
        .limit(literal_column("1"))
        .scalar_subquery()
    )
    return Query(select(points, doses, _PINNED_AT, suicide_answer), Series)


# A sum is a whole number and is read as one; what is not does not have to be.
_WHOLE = cast(_check_in.total, Integer)
_ANSWER = _check_in.answers[bindparam("place", type_=Integer)]
_PART = cast(
    _check_in.results.op("->")(literal_column("'subscales'")).op("->>")(
        bindparam("part", type_=Text)
    ),
    Double,
)
# Of an instrument with several versions: those that measure the same as the newest.
_VERSIONS = bindparam("versions", type_=ARRAY(Text))
_ALIKE = _check_in.instrument_version == any_(_VERSIONS)
TOTALS = _series(_WHOLE)
POINTS = _series(_check_in.total)
ANSWERS = _series(_ANSWER)
PARTS = _series(_PART)
TOTALS_ALIKE = _series(_WHOLE, _ALIKE)
POINTS_ALIKE = _series(_check_in.total, _ALIKE)
ANSWERS_ALIKE = _series(_ANSWER, _ALIKE)
PARTS_ALIKE = _series(_PART, _ALIKE)
LEFT_OUT = Query(
    select(_check_in.instrument_version, func.count())
    .where(
        _check_in.clinic_id == bindparam("clinic_id"),
        _check_in.patient_id == bindparam("patient_id"),
        _check_in.instrument == bindparam("instrument"),
        IS_FINAL,
        _check_in.instrument_version != all_(_VERSIONS),
    )
    .group_by(_check_in.instrument_version)
    .order_by(_check_in.instrument_version),
    LeftOut,
)


def find_series(
    db: Db, key: str, *, item_key: str | None, part: str | None, version: str | None = None
) -> Measured:
    """What is meant.

    item_key: an item; needed where there is no total. part: a subscale or an entered score.
    version: of the instrument, and those that measure the same; the newest by default.
    Raises: Problem NOT_FOUND (no such instrument or version), INVALID (no such item or subscale,
        both at once, or one is needed).
    """
    try:
        every = packs.versions(db, key)
    except instruments.UnknownInstrument:
        raise not_found() from None
    named = [one for one in every if version in (None, one.version)]
    if not named:
        raise not_found()
    newest = named[0]
    if item_key is not None and part is not None:
        raise invalid("query:subscale", "must be left out where an item is named")
    item, scale = _measured(newest, item_key, part)
    versions = alike(newest, every, item_key, part)
    places = {one.version: _suicide_place(one) for one in (newest, *every)}
    return Measured(newest, item, part, scale, versions, places)


def alike(
    instrument: Instrument,
    every: Sequence[Instrument],
    item_key: str | None = None,
    part: str | None = None,
) -> list[str]:
    """The versions whose numbers mean the same as this one's; none named where there is but one."""
    if len(every) == 1:
        return []
    measure = _measure(instrument, item_key, part)
    return [one.version for one in every if _measure(one, item_key, part) == measure]


def ask_series(
    db: Db,
    patient_id: UUID,
    measured: Measured,
    since: datetime | None = None,
    until: datetime | None = None,
) -> AskedSeries:
    """Let the question travel with the next one.

    since, until: which scores `Series.suicide_answer` may belong to the last of; all are gathered.
    """
    instrument, item, part, _, versions, places = measured
    params: dict[str, Any] = {
        "patient_id": patient_id,
        "instrument": instrument.key,
        "shown_since": since or _LONG_AGO,
        "shown_until": until or _LONG_AFTER,
        "suicide_versions": list(places),
        "suicide_places": list(places.values()),
    }
    if versions:
        params["versions"] = versions
    if item is not None:
        params["place"] = instrument.items.index(item) + 1
        query = ANSWERS_ALIKE if versions else ANSWERS
    elif part is not None and part != _TOTAL:
        params["part"] = part
        query = PARTS_ALIKE if versions else PARTS
    elif _is_whole(instrument):
        query = TOTALS_ALIKE if versions else TOTALS
    else:
        query = POINTS_ALIKE if versions else POINTS
    answer = db.ahead(query, **params)
    left_out = None
    if versions:
        left_out = db.ahead(
            LEFT_OUT, patient_id=patient_id, instrument=instrument.key, versions=versions
        )
    return AskedSeries(patient_id, measured, answer, left_out)


def _measured(
    instrument: Instrument, item_key: str | None, part: str | None
) -> tuple[Item | None, Scale | None]:
    if part is not None:
        try:
            return None, trajectory.part_of(instrument, part)
        except KeyError:
            raise invalid("query:subscale", "is not a subscale of this instrument") from None
    if item_key is None:
        if instrument.total is None:
            reason = "is needed: this instrument has no total"
            raise invalid("query:subscale" if instrument.scores else "query:item", reason)
        return None, instrument.total
    try:
        item = instrument.item(item_key)
    except KeyError:
        raise invalid("query:item", "is not an item of this instrument") from None
    if item.scale is None and not _is_suicide_item(instrument, item):
        raise invalid("query:item", "is answered in words and has no trajectory of its own")
    return item, item.scale


def _measure(instrument: Instrument, item_key: str | None, part: str | None) -> object:
    """What a number means: two versions measure the same exactly where these are equal.

    Points that mean something else are not drawn on one scale; each stays readable by itself.
    """
    if part is not None:
        return [
            *((one.positions, one.minimum, one.maximum) for one in instrument.subscales
              if one.key == part),
            *((one.minimum, one.maximum, one.direction) for one in instrument.scores
              if one.key == part),
        ]  # fmt: skip
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


def _suicide_place(instrument: Instrument) -> int:
    suicide = instrument.suicide_item
    return 0 if suicide is None else suicide.position + 1


def _is_suicide_item(instrument: Instrument, item: Item) -> bool:
    suicide = instrument.suicide_item
    return suicide is not None and instrument.items[suicide.position] is item
