"""Who looked at a record, and who changed it: without a word of what is in it."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Uuid,
    any_,
    bindparam,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.types import DateTime

from app.kernel import identity
from app.kernel.db import Db, Query
from app.kernel.paging import cursor, instant_of, read_cursor
from app.kernel.tables import LedgerRow, Membership, columns
from app.people.chart import Chart, Right
from app.people.tables import AccessLog

READ_AUDIT: Final = Right("audit.read")
CHANGES_SHOWN: Final = 200
"""The newest so many of a record's changes."""


class Look(NamedTuple):
    """Somebody looked. what: the right that was used."""

    at: datetime
    by: str
    what: str


class Changed(NamedTuple):
    """Somebody changed something. seq: its place in the record's chain."""

    seq: int
    at: datetime
    by: str
    role: str
    action: str
    version: int


class _Look(NamedTuple):
    id: UUID
    at: datetime
    membership_id: UUID
    what: str


class _Changed(NamedTuple):
    seq: int
    at: datetime
    actor_id: UUID
    actor_role: str
    action: str
    entry_version: int


# What a patient may keep to themselves, and what a therapist writes for nobody else: to others not
# even that something was written is told here.
_NOT_TOLD: Final = (
    "attachment",
    "coping_strategy",
    "goal",
    "goal_rating",
    "goal_step",
    "insight",
    "intention",
    "note",
    "practice",
    "practice_tick",
    "psychotherapy_note",
    "trigger",
)
_OWN_BUSINESS: Final = ("psychotherapy_notes.read", "psychotherapy_notes.write")
_log = columns(AccessLog)
_ledger = columns(LedgerRow)
_member = columns(Membership)
LOOKS = Query(
    select(_log.id, _log.at, _log.membership_id, _log.what)
    .where(
        _log.clinic_id == bindparam("clinic_id"),
        _log.patient_id == bindparam("patient_id"),
        _log.what.not_in([literal_column(f"'{right}'") for right in _OWN_BUSINESS]),
        tuple_(_log.at, _log.id)
        < tuple_(
            bindparam("before", type_=DateTime(timezone=True)), bindparam("before_id", type_=Uuid)
        ),
    )
    .order_by(_log.at.desc(), _log.id.desc())
    .limit(bindparam("limit", type_=BigInteger)),
    _Look,
)
NEWEST_CHANGES = Query(
    select(*(getattr(_ledger, name) for name in _Changed._fields))
    .where(
        _ledger.clinic_id == bindparam("clinic_id"),
        _ledger.patient_id == bindparam("patient_id"),
        _ledger.entry_kind.not_in([literal_column(f"'{kind}'") for kind in _NOT_TOLD]),
    )
    .order_by(_ledger.seq.desc())
    .limit(bindparam("limit", type_=BigInteger)),
    _Changed,
)
MEMBER_NAMES = Query(
    select(_member.id, _member.name).where(
        _member.clinic_id == bindparam("clinic_id"),
        _member.id == any_(bindparam("membership_ids", type_=ARRAY(Uuid))),
    ),
    lambda membership_id, name: (membership_id, name),
)


def looks(
    db: Db, chart: Chart, *, after: str | None, limit: int, now: datetime
) -> tuple[list[Look], str | None]:
    """Who opened the record, or was shown it in a list, newest first; and the next cursor.

    Raises: Problem MALFORMED_REQUEST.
    """
    of = f"looks/{chart.patient_id}"
    before, before_id = now + timedelta(days=1), UUID(int=2**128 - 1)
    if after is not None:
        at, last_id = read_cursor(db.vault, of, after, 2)
        before, before_id = instant_of(at), UUID(last_id)
    rows = db.all(
        LOOKS, patient_id=chart.patient_id, before=before, before_id=before_id, limit=limit + 1
    )
    page = rows[:limit]
    names = _names(db, chart, {row.membership_id for row in page})
    last = page[-1] if len(rows) > limit else None
    return (
        [Look(row.at, names.get(row.membership_id, ""), row.what) for row in page],
        cursor(db.vault, of, last.at.isoformat(), last.id) if last else None,
    )


def changes(db: Db, chart: Chart) -> list[Changed]:
    """The newest changes of the record, newest first: who did what, and nothing of what it says."""
    rows = db.all(NEWEST_CHANGES, patient_id=chart.patient_id, limit=CHANGES_SHOWN)
    names = _names(db, chart, {row.actor_id for row in rows})
    return [Changed(row.seq, row.at, names.get(row.actor_id, ""), *row[3:]) for row in rows]


def _names(db: Db, chart: Chart, membership_ids: set[UUID]) -> dict[UUID, str]:
    if not membership_ids:
        return {}
    return {
        member_id: identity.member_name(db.vault, chart.clinic_id, member_id, sealed)
        for member_id, sealed in db.all(MEMBER_NAMES, membership_ids=sorted(membership_ids))
    }
