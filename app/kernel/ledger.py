"""One row per change to a patient's record, chained by hash.

`record` adds the row in the same transaction as the change itself. The numbering and the hash
are made in the database by `ledger_append()`, which the application may call but not imitate:
it has no right to insert, update or delete rows of the ledger. The function locks the patient's
`ledger_head`, so the order of commits is the order of the ledger and `seq` has no gaps.

The hash of a row is

    sha256( previous hash
          | clinic '|' patient '|' seq '|' microseconds since 1970 '|' actor '|' actor's role
            '|' action '|' entry kind '|' entry id '|' entry version          (as UTF-8)
          | sha256( sealed snapshot ) )

The fields between bars are UUIDs, whole numbers and codes, so no bar can occur in them. It
covers the ciphertext and not the words: after a patient's data key is destroyed the chain still
verifies. `verify` computes it anew in Python and does not trust the database's own function.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, and_, any_, bindparam, func, select, text, union
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.types import BigInteger, DateTime, Integer, LargeBinary, Text

from app.kernel.clock import microseconds
from app.kernel.db import Change, Db, Query
from app.kernel.tables import DataKey as DataKeyRow
from app.kernel.tables import LedgerHead, LedgerRow, columns, table
from app.kernel.vault import DataKey
from app.kernel.wire import as_json

GENESIS: Final = bytes(32)
"""The previous hash of a ledger's first row."""


class Page(Protocol):
    """Whose ledger, and who writes in it: a `people.Chart`."""

    @property
    def patient_id(self) -> UUID:
        """The patient."""
        ...

    @property
    def actor_id(self) -> UUID:
        """The membership that acts."""
        ...

    @property
    def actor_role(self) -> str:
        """Its role."""
        ...

    @property
    def data_key(self) -> DataKey:
        """The patient's."""
        ...


APPEND = Change(
    select(
        func.ledger_append(
            bindparam("clinic_id", type_=PgUuid),
            bindparam("patient_id", type_=PgUuid),
            bindparam("at", type_=DateTime(timezone=True)),
            bindparam("actor_id", type_=PgUuid),
            bindparam("actor_role", type_=Text),
            bindparam("action", type_=Text),
            bindparam("entry_kind", type_=Text),
            bindparam("entry_id", type_=PgUuid),
            bindparam("entry_version", type_=Integer),
            bindparam("snapshot", type_=LargeBinary),
        )
    )
)
OPEN = Change(
    select(
        func.ledger_open(
            bindparam("clinic_id", type_=PgUuid), bindparam("patient_id", type_=PgUuid)
        )
    )
)


class Head(NamedTuple):
    """Where a ledger ends. hash: None when the head itself is gone."""

    patient_id: UUID
    seq: int
    hash: bytes | None


class Row(NamedTuple):
    """A row as it is chained."""

    clinic_id: UUID
    patient_id: UUID
    seq: int
    at: datetime
    actor_id: UUID
    actor_role: str
    action: str
    entry_kind: str
    entry_id: UUID
    entry_version: int
    snapshot: bytes
    prev_hash: bytes
    hash: bytes


class Said(NamedTuple):
    """A row as it is read: what was done to an entry, and the sealed entry as it then was."""

    seq: int
    at: datetime
    actor_role: str
    action: str
    entry_kind: str
    entry_id: UUID
    entry_version: int
    snapshot: bytes

    def entry(self, data_key: DataKey) -> dict[str, Any]:
        """The entry, opened with its patient's data key."""
        row = f"{self.entry_kind}/{self.entry_id}/{self.entry_version}"
        opened = data_key.open(self.snapshot, table="ledger", column="snapshot", row=row)
        return dict(json.loads(opened))


class Fault(NamedTuple):
    """The first row of a patient's ledger that is not as it was written."""

    clinic_id: UUID
    patient_id: UUID
    seq: int
    reason: str


_SAID: Final = Said._fields
_row = columns(LedgerRow)
_head = columns(LedgerHead)
_key = columns(DataKeyRow)
# Not only from the heads: who takes away a head, or a whole ledger, must leave a trace.
_known = union(
    *(
        select(one.patient_id).where(
            one.clinic_id == bindparam("clinic_id"), one.patient_id > bindparam("after")
        )
        for one in (_head, _row, _key)
    )
).subquery()
HEADS = Query(
    select(_known.c.patient_id, func.coalesce(_head.seq, 0), _head.hash)
    .join_from(
        _known,
        table(LedgerHead),
        and_(_head.clinic_id == bindparam("clinic_id"), _head.patient_id == _known.c.patient_id),
        isouter=True,
    )
    .order_by(_known.c.patient_id)
    .limit(bindparam("limit", type_=BigInteger)),
    Head,
)
ROWS = Query(
    select(*(getattr(_row, name) for name in Row._fields))
    .where(
        _row.clinic_id == bindparam("clinic_id"),
        _row.patient_id == bindparam("patient_id"),
        _row.seq > bindparam("after"),
    )
    .order_by(_row.seq)
    .limit(bindparam("limit", type_=BigInteger)),
    Row,
)

# One patient's newest changes first to last; who may see which is decided by the reader.
CHANGES = Query(
    select(*(getattr(_row, name) for name in _SAID))
    .where(
        _row.clinic_id == bindparam("clinic_id"),
        _row.patient_id == bindparam("patient_id"),
        _row.seq > bindparam("after"),
    )
    .order_by(_row.seq)
    .limit(bindparam("limit", type_=BigInteger)),
    Said,
)
OF_ENTRIES = Query(
    select(*(getattr(_row, name) for name in _SAID))
    .where(
        _row.clinic_id == bindparam("clinic_id"),
        _row.patient_id == bindparam("patient_id"),
        _row.entry_kind == bindparam("kind"),
        _row.entry_id == any_(bindparam("entry_ids", type_=ARRAY(Uuid))),
    )
    .order_by(_row.entry_id, _row.entry_version),
    Said,
)


def open_for(db: Db, patient_id: UUID) -> None:
    """Begin a new patient's ledger."""
    db.add(OPEN, patient_id=patient_id)


def record(
    db: Db,
    page: Page,
    action: str,
    *,
    kind: str,
    id: UUID,  # noqa: A002 -- the field's own name, by keyword only
    version: int,
    entry: dict[str, Any],
    now: datetime,
) -> None:
    """Add what happened to the patient's ledger; it travels with the commit.

    action: such as `check_in.submitted`. entry: the whole entry as it now is; it is sealed.
    """
    db.add(
        APPEND,
        patient_id=page.patient_id,
        at=now,
        actor_id=page.actor_id,
        actor_role=page.actor_role,
        action=action,
        entry_kind=kind,
        entry_id=id,
        entry_version=version,
        snapshot=page.data_key.seal(
            as_json(entry), table="ledger", column="snapshot", row=f"{kind}/{id}/{version}"
        ),
    )


def said_of(db: Db, page: Page, kind: str, entry_ids: Sequence[UUID]) -> list[Said]:
    """Everything that was done to these entries of the patient's, version by version.

    kind: an id is unique within it; a phone may use one for entries of two kinds.
    """
    return db.all(OF_ENTRIES, patient_id=page.patient_id, kind=kind, entry_ids=list(entry_ids))


def since(db: Db, page: Page, after: int, limit: int) -> list[Said]:
    """The patient's ledger from after this `seq` on, in order."""
    return db.all(CHANGES, patient_id=page.patient_id, after=after, limit=limit)


def chained_hash(row: Row) -> bytes:
    """The hash a row must have."""
    fields = (
        row.clinic_id,
        row.patient_id,
        row.seq,
        microseconds(row.at),
        row.actor_id,
        row.actor_role,
        row.action,
        row.entry_kind,
        row.entry_id,
        row.entry_version,
    )
    said = "|".join(map(str, fields)).encode()
    return hashlib.sha256(row.prev_hash + said + hashlib.sha256(row.snapshot).digest()).digest()


def verify(
    db: Db, clinic_id: UUID, head: Head, anchor: Head | None = None, page_size: int = 500
) -> Fault | None:
    """The first bad row of one patient's ledger, if any.

    anchor: where this ledger is known to have ended once.
    """
    seq, previous = 0, GENESIS
    for row in _rows(db, head.patient_id, page_size):
        seq += 1
        reason = _unchained(row, seq, previous)
        if reason is None and anchor is not None and seq == anchor.seq and row.hash != anchor.hash:
            reason = "is not the row that was anchored"
        if reason is not None:
            return Fault(clinic_id, head.patient_id, seq, reason)
        previous = row.hash
    if seq < max(head.seq, anchor.seq if anchor else 0):
        return Fault(clinic_id, head.patient_id, seq + 1, "the row is missing at the end")
    if seq > head.seq or previous != head.hash:
        return Fault(clinic_id, head.patient_id, seq, "does not agree with the ledger's head")
    return None


def _unchained(row: Row, seq: int, previous: bytes) -> str | None:
    """Why a row cannot be number `seq` after a row with the hash `previous`."""
    if row.seq != seq:
        return "the row is missing"
    if row.prev_hash != previous:
        return "does not follow from the row before"
    if row.hash != chained_hash(row):
        return "was altered"
    return None


STAND_STILL = Change(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))


def stand_still(db: Db) -> None:
    """See the ledgers as they are now, although others go on writing. Before the first read."""
    db.add(STAND_STILL)


def heads(db: Db, page_size: int = 1000) -> Iterator[Head]:
    """The ledgers of the transaction's clinic."""
    after = UUID(int=0)
    while page := db.all(HEADS, after=after, limit=page_size):
        yield from page
        after = page[-1].patient_id


def _rows(db: Db, patient_id: UUID, page_size: int) -> Iterator[Row]:
    after = 0
    while page := db.all(ROWS, patient_id=patient_id, after=after, limit=page_size):
        yield from page
        after = page[-1].seq
