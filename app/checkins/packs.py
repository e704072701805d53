"""Which instruments a clinic uses: what ships, switched on or off, and what it added itself.

What ships and is free to show is on unless a clinic switches it off; a pack with a notice of its
own is off until a clinic accepts that. An instrument that a clinic adds is the same TOML, checked
the same way; a version is never replaced, so that old answers keep their meaning.

Switched off means that it is not offered and not scheduled. What a phone answered before it heard
of that is still taken: an answer is never lost to a setting.
"""

from collections.abc import Iterator, Set
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Text, bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB

from app.checkins.schemas import ClinicInstrumentOut, InstrumentIn, InstrumentSwitchIn
from app.checkins.tables import ClinicInstrument
from app.clinical import instruments
from app.clinical.instruments import DefinitionRefused, Instrument, UnknownInstrument
from app.clinical.window import Kind as DueKind
from app.clinical.window import due_kind
from app.kernel.db import Change, Db, Query, itself
from app.kernel.errors import Fault, Kind, Problem, invalid, not_found
from app.kernel.identity import Caller, require_standing
from app.kernel.log import logger
from app.kernel.tables import columns
from app.people.tables import Clinic


class _Added(NamedTuple):
    key: str
    version: str
    definition: str


_one = columns(ClinicInstrument)
_clinic = columns(Clinic)
_ADDED = tuple(getattr(_one, name) for name in _Added._fields)
NEWEST_FIRST: Final = (_one.uploaded_at.desc(), _one.version.desc())
ADDED = Query(
    select(*_ADDED)
    .where(_one.clinic_id == bindparam("clinic_id"))
    .order_by(_one.key, *NEWEST_FIRST),
    _Added,
)
ADDED_AS = Query(
    select(*_ADDED)
    .where(
        _one.clinic_id == bindparam("clinic_id"),
        _one.key == bindparam("key", type_=Text),
    )
    .order_by(*NEWEST_FIRST),
    _Added,
)

ADD = Change(insert(ClinicInstrument))
SWITCHES = Query(
    select(_clinic.instruments).where(_clinic.clinic_id == bindparam("clinic_id")), itself
)
# Merged in the database, so that two administrators can switch two instruments at once.
SWITCH = Change(
    update(Clinic)
    .where(_clinic.clinic_id == bindparam("clinic_id"))
    .values(instruments=_clinic.instruments.op("||")(bindparam("switched", type_=JSONB)))
)

# A version is never replaced, so a list of answers does not ask for it once per answer.
_read: Final[dict[tuple[UUID | None, str, str], Instrument]] = {}
_MOST_READ: Final = 256


# In this order: the first one that is switched on.
FOLLOW_UPS: Final = ("c-ssrs-screener", "c-ssrs-since-last-contact")


def find(db: Db, key: str, version: str | None = None) -> Instrument:
    """What ships under this key, or what the transaction's clinic added; the newest by default.

    Raises: UnknownInstrument.
    """
    try:
        return instruments.find(key, version)
    except UnknownInstrument:
        if version is not None and (db.clinic_id, key, version) in _read:
            return _read[db.clinic_id, key, version]
        for one in versions(db, key):
            if version in (None, one.version):
                return one
        raise


def versions(db: Db, key: str) -> list[Instrument]:
    """Every version of an instrument that is known here, the newest first.

    Raises: UnknownInstrument.
    """
    try:
        return [instruments.find(key)]
    except UnknownInstrument:
        every = [_parsed(one.definition) for one in db.all(ADDED_AS, key=key)]
        if not every:
            raise
    if len(_read) > _MOST_READ:
        _read.clear()
    _read.update({(db.clinic_id, key, one.version): one for one in every})
    return every


def added(db: Db) -> Iterator[Instrument]:
    """What the transaction's clinic added, each in its newest version."""
    last = None
    for one in db.all(ADDED):
        if one.key != last:
            yield _parsed(one.definition)
        last = one.key


def triaging(db: Db, keys: Set[str]) -> set[str]:
    """Which of these instruments triage for suicide; one question for all that are a clinic's."""
    shipped = _shipped_that_triage()
    found = {key for key in keys if shipped.get(key)}
    if not keys <= shipped.keys():
        found |= {one.key for one in added(db) if one.key in keys and _triages(one)}
    return found


@lru_cache(1)
def _shipped_that_triage() -> dict[str, bool]:
    return {one.key: _triages(one) for one in instruments.shipped()}


def _triages(instrument: Instrument) -> bool:
    return due_kind(instrument) is DueKind.SAFETY_CHECK


def offered(db: Db, switches: dict[str, bool]) -> list[Instrument]:
    """What the transaction's clinic offers to its patients. switches: its own."""
    every = [*instruments.shipped(), *added(db)]
    return [one for one in every if one.items and is_on(one, switches)]


def is_on(instrument: Instrument, switches: dict[str, bool]) -> bool:
    """Whether a clinic offers an instrument. switches: its own."""
    return switches.get(instrument.key, instrument.offered_by_default)


def follow_up(switches: dict[str, bool]) -> str | None:
    """What is asked after a single question found a sign of danger, where a clinic uses it."""
    return next((key for key in FOLLOW_UPS if is_key_on(key, switches)), None)


def is_key_on(key: str, switches: dict[str, bool]) -> bool:
    """The same by key alone: a clinic's own that is offered was switched on when it was added."""
    if key in switches:
        return switches[key]
    try:
        return instruments.find(key).offered_by_default
    except UnknownInstrument:
        return False


def is_taken(instrument: Instrument, switches: dict[str, bool]) -> bool:
    """Whether answers to it are taken: it is offered, or was until the clinic changed its mind."""
    return instrument.offered_by_default or instrument.key in switches


def listed(db: Db, caller: Caller) -> list[ClinicInstrumentOut]:
    """What ships, what the clinic added, and what of it is on. Raises: Problem NOT_SIGNED_IN."""
    require_standing(db, caller)
    switches = db.one(SWITCHES)
    return [
        _listed(one, switches, is_own=is_own)
        for is_own, every in ((False, instruments.shipped()), (True, added(db)))
        for one in every
    ]


def definition(db: Db, caller: Caller, key: str, version: str | None) -> Instrument:
    """One instrument of the clinic's, whole. Raises: Problem NOT_SIGNED_IN, NOT_FOUND."""
    require_standing(db, caller)
    try:
        return find(db, key, version)
    except UnknownInstrument:
        raise not_found() from None


def switch(
    db: Db, caller: Caller, key: str, sent: InstrumentSwitchIn, now: datetime
) -> ClinicInstrumentOut:
    """Offer an instrument to the clinic's patients, or do so no more.

    Raises: Problem FORBIDDEN, NOT_SIGNED_IN, NOT_FOUND, INVALID (its notice was not accepted).
    """
    _require_administrator(db, caller)
    try:
        one = find(db, key)
    except UnknownInstrument:
        raise not_found() from None
    if sent.is_on and not one.offered_by_default and not sent.accepts_notice:
        raise invalid("/accepts_notice", "must be true: this instrument has terms of its own")
    # Only what was once on is taken after it is off, so no more is remembered than that.
    if sent.is_on or is_on(one, db.one(SWITCHES)):
        _switch(db, caller, key, is_on=sent.is_on, now=now)
    is_own = key not in {shipped.key for shipped in instruments.shipped()}
    return _listed(one, {key: sent.is_on}, is_own=is_own)


def add(
    db: Db, caller: Caller, sent: InstrumentIn, now: datetime
) -> tuple[ClinicInstrumentOut, bool]:
    """Take in a definition as TOML. Returns: it, and whether it is new (False: a retry).

    Raises: Problem FORBIDDEN, NOT_SIGNED_IN, INVALID (with the line), ALREADY_EXISTS (the
        version is there and says something else).
    """
    _require_administrator(db, caller)
    try:
        one = instruments.parse_uploaded(sent.definition, "definition")
    except DefinitionRefused as refused:
        raise _refused(refused) from None
    known = {two.version: two.definition for two in db.all(ADDED_AS, key=one.key)}
    if one.version in known and known[one.version] != sent.definition:
        detail = "This version is there already; give a changed definition a new version."
        raise Problem(Kind.ALREADY_EXISTS, detail=detail)
    switches = db.one(SWITCHES)
    is_new = one.version not in known
    if is_new:
        db.add(
            ADD,
            key=one.key,
            version=one.version,
            definition=sent.definition,
            uploaded_by=caller.membership_id,
            uploaded_at=now,
        )
        if one.key not in switches and one.offered_by_default:
            switches = {**switches, one.key: True}
            _switch(db, caller, one.key, is_on=True, now=now)
    return _listed(one, switches, is_own=True), is_new


def _listed(one: Instrument, switches: dict[str, bool], *, is_own: bool) -> ClinicInstrumentOut:
    return ClinicInstrumentOut(
        key=one.key,
        version=one.version,
        title=one.title,
        is_on=is_on(one, switches),
        is_own=is_own,
        offered_by_default=one.offered_by_default,
        is_score_only=one.is_score_only,
        licence=one.licence,
        notice=one.notice,
    )


def _switch(db: Db, caller: Caller, key: str, *, is_on: bool, now: datetime) -> None:
    db.add(SWITCH, switched={key: is_on})
    logger().info(
        "clinic.instrument_switched",
        clinic=str(caller.clinic_id),
        by=str(caller.membership_id),
        at=now.isoformat(),
        instrument=key,
        is_on=is_on,
    )


def _require_administrator(db: Db, caller: Caller) -> None:
    if caller.role != "administrator":
        raise Problem(Kind.FORBIDDEN)
    require_standing(db, caller)


def _refused(refused: DefinitionRefused) -> Problem:
    where = "" if refused.line is None else f"line {refused.line}: "
    return Problem(
        Kind.INVALID,
        faults=[Fault("/definition", f"{where}{refused.reason}")],
        extra={"line": refused.line},
    )


@lru_cache(256)
def _parsed(definition: str) -> Instrument:
    """Checked when it was uploaded."""
    return instruments.parse(definition, "a clinic's own")
