"""A rise from one check to the next that somebody should look at, in whatever order checks come.

Hides which checks are next to each other. A check that arrives late, is amended, moved in time or
withdrawn can show a rise of the check after it as well as its own, so both sides of it are looked
at; what was to be seen before the change is not told again. A questionnaire without such a rule
costs no statement.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, select, tuple_, union_all
from sqlalchemy.types import DateTime, Uuid

from app.checkins import packs
from app.checkins.tables import IS_FINAL, CheckIn
from app.clinical import risk, scoring
from app.clinical.instruments import Instrument
from app.clinical.risk import NOT_ASSESSED, Finding
from app.kernel.db import Db, Query
from app.kernel.tables import columns
from app.people.chart import Chart


class Check(NamedTuple):
    """Answers to one questionnaire, by position, with their place in time."""

    id: UUID
    instrument_version: str
    recorded_at: datetime
    effective_at: datetime
    answers: Sequence[int | None]


class Rises(NamedTuple):
    """What a change of one check shows.

    before, after: of the check itself. others: the checks that rise, and did not before the change.
    """

    before: Finding = NOT_ASSESSED
    after: Finding = NOT_ASSESSED
    others: tuple[tuple[Check, Finding], ...] = ()


_check_in = columns(CheckIn)
_place = tuple_(_check_in.effective_at, _check_in.id)
_here = tuple_(bindparam("at", type_=DateTime(timezone=True)), bindparam("id", type_=Uuid))
_standing = select(*(getattr(_check_in, name) for name in Check._fields)).where(
    _check_in.clinic_id == bindparam("clinic_id"),
    _check_in.patient_id == bindparam("patient_id"),
    _check_in.instrument == bindparam("instrument"),
    _check_in.id != bindparam("id"),
    IS_FINAL,
)
_last_before = (
    _standing.where(_place < _here)
    .order_by(_check_in.effective_at.desc(), _check_in.id.desc())
    .limit(1)
    .subquery()
)
_first_after = (
    _standing.where(_place > _here)
    .order_by(_check_in.effective_at, _check_in.id)
    .limit(1)
    .subquery()
)
NEXT_TO = Query(union_all(select(_last_before), select(_first_after)), Check)
"""The checks before and after `:at`, without the check `:id` itself."""
_NOTHING: Final = Rises()


def look(
    db: Db, chart: Chart, instrument: Instrument, was: Check | None, now_is: Check | None
) -> Rises:
    """What rises by this change of one check, and what of it could be seen before.

    was, now_is: the check as it counted and counts; None if it does not. Call it after the change's
    row of the ledger: of two devices that send at once, the second then sees what the first said.
    """
    if instrument.rise is None or instrument.rise.raises is None:
        return _NOTHING
    around: dict[UUID, Check] = {}
    for place in {(one.effective_at, one.id) for one in (was, now_is) if one is not None}:
        found = db.all(
            NEXT_TO,
            patient_id=chart.patient_id,
            instrument=instrument.key,
            at=place[0],
            id=place[1],
        )
        around |= {one.id: one for one in found}
    before = _risen(db, instrument, [*around.values(), *([was] if was else [])])
    after = _risen(db, instrument, [*around.values(), *([now_is] if now_is else [])])
    return Rises(
        before.get(was.id, NOT_ASSESSED) if was else NOT_ASSESSED,
        after.get(now_is.id, NOT_ASSESSED) if now_is else NOT_ASSESSED,
        tuple(
            (around[one], finding)
            for one, finding in after.items()
            if one in around and set(finding.reasons) - set(before.get(one, NOT_ASSESSED).reasons)
        ),
    )


def _risen(db: Db, instrument: Instrument, checks: Iterable[Check]) -> dict[UUID, Finding]:
    """Of checks, what each rose by since the one before it, if it did."""
    in_order = sorted(checks, key=lambda one: (one.effective_at, one.id))
    found = {}
    for earlier, later in pairwise(in_order):
        asked = _as_asked(db, instrument, later)
        finding = risk.assess_rise(
            asked, scoring.risen(asked, _laid_out(db, asked, earlier), later.answers)
        )
        if finding.flagged:
            found[later.id] = finding
    return found


def _as_asked(db: Db, instrument: Instrument, check: Check) -> Instrument:
    if check.instrument_version == instrument.version:
        return instrument
    return packs.find(db, instrument.key, check.instrument_version)


def _laid_out(db: Db, instrument: Instrument, check: Check) -> list[int | None]:
    """The answers of a check, perhaps to another version, as this version asks for them."""
    asked = _as_asked(db, instrument, check)
    answers = {item.code: said for item, said in zip(asked.items, check.answers, strict=False)}
    return [answers.get(item.code) for item in instrument.items]
