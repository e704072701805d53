"""Where the entries of one kind are kept."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, Generic, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, insert, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import Boolean
from uuid_utils.compat import uuid7

from app.journal import danger, links
from app.journal.danger import NO_DANGER, Danger, Found, Source
from app.journal.schemas import EntryIn, EntryOut
from app.journal.tables import Entry
from app.kernel import entries, ledger, timeline
from app.kernel.arrival import place
from app.kernel.db import Change, Db, Query, itself
from app.kernel.entries import ENTERED_IN_ERROR, Known
from app.kernel.errors import not_found
from app.kernel.tables import table
from app.kernel.wire import as_json
from app.people.chart import Chart, Right

S = TypeVar("S", bound=EntryIn)
O = TypeVar("O", bound=EntryOut)  # noqa: E741 -- what goes Out, beside what was Sent

PRIVATE: Final = "private"
_PRIVATE: Final[Any] = literal_column(f"'{PRIVATE}'")
_WITHDRAWN: Final[Any] = literal_column(f"'{ENTERED_IN_ERROR}'")
_FRAME: Final = (
    "id",
    "version",
    "status",
    "words",
    "recorded_at",
    "received_at",
    "effective_at",
    "clock_ahead_seconds",
)
_MADE: Final = set(_FRAME) - {"words"}
"""Of the frame, what is not among the sealed members. One of these may be called `words` itself."""
_NOT_SAID: Final = {"id", "sent_at"}
"""Members of what is sent that say nothing about the entry itself."""


class Kept(NamedTuple):
    """An entry as it is stored. words: sealed JSON. plain: the columns of its kind, by name."""

    id: UUID
    version: int
    status: str
    words: bytes
    recorded_at: datetime
    received_at: datetime
    effective_at: datetime
    clock_ahead_seconds: int | None
    plain: dict[str, Any]


class Listed(NamedTuple, Generic[O]):
    """A page of entries, newest first."""

    entries: list[O]
    next_cursor: str | None


class Said(NamedTuple, Generic[O]):
    """An entry as it once was, and what was done to it then."""

    version: int
    action: str
    at: datetime
    by: str
    entry: O


Derive = Callable[[Db, Chart, S, Kept, Kept | None, datetime], dict[str, Any]]
"""(db, chart, sent, row, before, now). row: the entry to be, without what it says."""
Follow = Callable[[Db, Chart, O, str, datetime], None]
"""(db, chart, entry, action, now). action: the ledger's, such as `goal.amended`."""


class Shelf(Generic[S, O]):
    """The entries of one kind: how they are kept, changed, read and listed.

    kind: as the ledger calls it. table: with the columns of `journal.tables.Entry`. sent, out:
        what crosses the wire; every member of `out` is sent, derived, or an Entry's.
    created: the ledger's word for a new one, as in `goal.set`.
    read, write: who may. A `write` of the patient's alone has no privileges.
    derive: what the entry says that nobody sends (columns of the table and members of `out`), and
        the rules that need more than what was sent: it may raise a Problem. Called only when
        something is to be written; before: the entry as it is, None for a new one.
    follow: what comes of an entry that was kept, amended or withdrawn, in the same transaction.
    tells: of a danger to the body, if an entry tells of any: it raises a flag with it. An
        amendment flags what it adds, and takes no flag back.
    guard: (chart, entry) before an entry is amended or withdrawn; raises a Problem for who may not.
    """

    def __init__(
        self,
        kind: str,
        table_: type[Entry],
        sent: type[S],
        out: type[O],
        *,
        created: str,
        read: Right,
        write: Right,
        derive: Derive[S] | None = None,
        follow: Follow[O] | None = None,
        tells: Callable[[O], Danger | None] | None = None,
        guard: Callable[[Chart, O], None] | None = None,
    ) -> None:
        self.kind: Final = kind
        self.sent: Final = sent
        self.model: Final = out
        self.read_right: Final = read
        self.write_right: Final = write
        self.is_sent_by_patients: Final = write.is_for_patient
        self._created = f"{kind}.{created}"
        self._made_private = f"{kind}.made_private"
        self._derive = derive
        self._follow = follow
        self._danger = tells
        self._guard = guard
        self.tells_of_danger: Final = tells is not None
        kept = table(table_)
        self._table_name = str(kept.name)
        own = {"clinic_id", "patient_id", *_FRAME}
        self._plain = tuple(column.name for column in kept.columns if column.name not in own)
        self._as_json = {name for name in self._plain if isinstance(kept.columns[name].type, JSONB)}
        self.is_tiered: Final = "tier" in self._plain
        columns = [kept.columns[name] for name in (*_FRAME, *self._plain)]
        into = self._row
        may_read = (_may_read(kept),) if self.is_tiered else ()
        self.add = _insertion(kept)
        self.change = _change(kept, [n for n in (*_FRAME, *self._plain) if n != "id"])
        self.one = _one(kept, columns, into, *may_read)
        self.to_change = _to_change(kept, columns, into)
        self.all_to_change = _all_to_change(kept, columns, into)
        self.newest_first = timeline.newest_first(
            kept, columns, into, *may_read, kept.c.status != _WITHDRAWN
        )
        self.private_of = _private_of(kept) if self.is_tiered else None

    def create(
        self, db: Db, chart: Chart, sent: S, known: Known[Kept], now: datetime
    ) -> tuple[O, bool]:
        """Keep an entry. Returns: it, and whether it is new (False: a retry).

        known: what there is under its id already.
        Raises: Problem ID_REUSED, and what `derive` raises.
        """
        earlier = entries.created_before(known, lambda entry: self._says(entry, sent))
        if earlier is not None:
            return self.told(chart, earlier), False
        entry_id = sent.id or uuid7()
        arrival = place(sent.recorded_at, sent.sent_at, now)
        row = Kept(
            id=entry_id,
            version=1,
            status="active",
            words=b"",
            recorded_at=sent.recorded_at,
            received_at=now,
            effective_at=arrival.effective_at,
            clock_ahead_seconds=arrival.clock_ahead_seconds,
            plain={},
        )
        row = self._filled(db, chart, row, sent, None, now)
        db.add(self.add, patient_id=chart.patient_id, **self._columns_of(row))
        told = self._record(db, chart, row, self._created, known, now)
        self._flag(db, chart, row, None, now)
        return told, True

    def amend(
        self, db: Db, chart: Chart, sent: S, known: Known[Kept], base_version: int, now: datetime
    ) -> tuple[O, bool]:
        """Put what was sent in an entry's place. Returns: it, and whether anything changed.

        Raises: Problem as `entries.to_change`, and what `derive` raises.
        """
        changing = entries.to_change(known, base_version, lambda entry: self._says(entry, sent))
        if changing is None:
            assert known.row is not None
            return self.told(chart, known.row), False
        self._check_guard(chart, changing)
        row = changing._replace(version=base_version + 1)
        if sent.recorded_at != changing.recorded_at:
            arrival = place(sent.recorded_at, sent.sent_at, now)
            row = row._replace(recorded_at=sent.recorded_at, **arrival._asdict())
        row = self._filled(db, chart, row, sent, changing, now)
        is_now_private = row.plain.get("tier") == PRIVATE != changing.plain.get("tier")
        action = self._made_private if is_now_private else f"{self.kind}.amended"
        told = self._change(db, chart, row, action, known, now)
        self._flag(db, chart, row, changing, now)
        return told, True

    def withdraw(
        self, db: Db, chart: Chart, known: Known[Kept], base_version: int, now: datetime
    ) -> tuple[O, bool]:
        """Entered in error: it leaves the lists and stays readable. Returns: it, and whether it
        is news.

        Raises: Problem as `entries.to_change`.
        """
        changing = entries.to_change(known, base_version, entries.is_withdrawn)
        if changing is None:
            assert known.row is not None
            return self.told(chart, known.row), False
        self._check_guard(chart, changing)
        row = changing._replace(version=base_version + 1, status=ENTERED_IN_ERROR)
        return self._change(db, chart, row, f"{self.kind}.withdrawn", known, now), True

    def found(self, db: Db, chart: Chart, entry: O) -> Found:
        """For the answer to who sent an entry: the danger it tells of, and its flag."""
        if self._danger is None:
            return NO_DANGER
        told = self._danger(entry)
        return danger.found(db, chart, self._source(entry), told, is_first=entry.version == 1)

    def flag_overtaken(
        self, db: Db, chart: Chart, sent: S, known: Known[Kept], now: datetime
    ) -> Found:
        """An amendment that came too late for its version is not stored, and danger in it flags."""
        standing = known.row
        if self._danger is None or standing is None:
            return NO_DANGER
        if known.was_said(lambda entry: self._says(entry, sent)):
            return NO_DANGER
        effective_at = place(sent.recorded_at, sent.sent_at, now).effective_at
        said = sent.model_dump(include=type(sent).model_fields.keys() - _NOT_SAID)
        kept = self.model(**self._opened(chart, standing))
        entry = kept.model_copy(update={**said, "effective_at": effective_at})
        as_sent = as_json(sent.model_dump(mode="json", exclude=_NOT_SAID))
        source, told = self._source(entry), self._danger(entry)
        return danger.flag_overtaken(db, chart, source, told, as_sent, now)

    def read(self, db: Db, chart: Chart, entry_id: UUID) -> O:
        """One entry. Raises: Problem NOT_FOUND, also for a private one and whoever may not."""
        asked = {"is_own": chart.is_own} if self.is_tiered else {}
        found = db.first(self.one, patient_id=chart.patient_id, id=entry_id, **asked)
        if found is None:
            raise not_found()
        return self.told(chart, found)

    def page(self, db: Db, chart: Chart, *, cursor: str | None, limit: int) -> Listed[O]:
        """The entries that this reader may see, newest first."""
        asked = {"is_own": chart.is_own} if self.is_tiered else {}
        page = timeline.page(
            db,
            self.newest_first,
            of=f"{self.kind}/{chart.patient_id}/{chart.actor_id}",
            sent_cursor=cursor,
            limit=limit,
            patient_id=chart.patient_id,
            **asked,
        )
        return Listed([self.told(chart, row) for row in page.rows], page.next_cursor)

    def versions(self, db: Db, chart: Chart, entry_id: UUID) -> list[Said[O]]:
        """Every version that this reader may see, the first one first.

        Raises: Problem NOT_FOUND.
        """
        self.read(db, chart, entry_id)  # whoever may not read it now may read no version of it
        versions = []
        for row in ledger.said_of(db, chart, self.kind, [entry_id]):
            entry = self.visible(chart, row.entry(chart.data_key))
            if entry is not None:
                told = self.model.model_validate(entry)
                versions.append(Said(row.entry_version, row.action, row.at, row.actor_role, told))
        return versions

    def visible(self, chart: Chart, entry: dict[str, Any]) -> dict[str, Any] | None:
        """An entry of the ledger as this reader may see it; None if they may not."""
        if chart.is_own:
            return entry
        if not self.read_right.is_granted(chart) or entry.get("tier") == PRIVATE:
            return None
        return {**entry, "came_from": None} if self.is_tiered else entry

    def private_among(self, db: Db, chart: Chart, entry_ids: Sequence[UUID]) -> set[UUID]:
        """Which of these entries are private now."""
        if self.private_of is None or not entry_ids:
            return set()
        return set(db.all(self.private_of, patient_id=chart.patient_id, ids=list(entry_ids)))

    def made_private(self, action: str) -> bool:
        """Whether a row of the ledger took an entry out of the clinicians' sight."""
        return action == self._made_private

    def told(self, chart: Chart, row: Kept) -> O:
        """An entry, opened, as this reader is told of it."""
        whole = self._opened(chart, row)
        if self.is_tiered and not chart.is_own:
            whole["came_from"] = None
        return self.model(**whole)

    def _check_guard(self, chart: Chart, row: Kept) -> None:
        if self._guard is not None:
            self._guard(chart, self.model(**self._opened(chart, row)))

    def _flag(self, db: Db, chart: Chart, row: Kept, before: Kept | None, now: datetime) -> None:
        if self._danger is None:
            return
        entry = self.model(**self._opened(chart, row))
        was = None if before is None else self._danger(self.model(**self._opened(chart, before)))
        danger.flag(db, chart, self._source(entry), self._danger(entry), was, now)

    def _source(self, entry: O) -> Source:
        return Source(self.kind, entry.id, entry.recorded_at)

    def _opened(self, chart: Chart, row: Kept) -> dict[str, Any]:
        words = chart.data_key.open(row.words, table=self._table_name, column="words", row=row.id)
        frame = {name: getattr(row, name) for name in _FRAME if name != "words"}
        return {**frame, **row.plain, **json.loads(words)}

    def _filled(
        self,
        db: Db,
        chart: Chart,
        row: Kept,
        sent: S,
        before: Kept | None,
        now: datetime,
    ) -> Kept:
        """The row with what it says from now on."""
        if self.is_tiered:
            links.check(db, chart, self.kind, row.id, getattr(sent, "came_from", None))
        said: dict[str, Any] = {}
        written = sent.model_dump(mode="json")
        for name in type(sent).model_fields.keys() - _NOT_SAID - _MADE:
            is_plain = name in self._plain and name not in self._as_json
            said[name] = getattr(sent, name) if is_plain else written[name]
        if "status" in type(sent).model_fields:
            row = row._replace(status=written["status"])
        derived = self._derive(db, chart, sent, row, before, now) if self._derive else {}
        row = row._replace(status=derived.pop("status", row.status))
        said |= derived
        plain = {name: said.pop(name) for name in self._plain}
        words = chart.data_key.seal(
            as_json(said), table=self._table_name, column="words", row=row.id
        )
        return row._replace(words=words, plain=plain)

    def _says(self, entry: dict[str, Any], sent: S) -> bool:
        """Whether an entry of the ledger says what was sent."""
        if entries.is_withdrawn(entry):
            return False
        kept = self.model.model_validate(entry)
        names = type(sent).model_fields.keys() - _NOT_SAID
        return kept.model_dump(include=names) == sent.model_dump(include=names)

    def _row(self, *columns: Any) -> Kept:
        frame, plain = columns[: len(_FRAME)], columns[len(_FRAME) :]
        return Kept._make((*frame, dict(zip(self._plain, plain, strict=True))))

    def _columns_of(self, row: Kept) -> dict[str, Any]:
        frame = {name: getattr(row, name) for name in _FRAME}
        return frame | row.plain

    def _change(
        self, db: Db, chart: Chart, row: Kept, action: str, known: Known[Kept], now: datetime
    ) -> O:
        values = {f"to_{name}": value for name, value in self._columns_of(row).items()}
        del values["to_id"]
        db.add(self.change, patient_id=chart.patient_id, entry_id=row.id, **values)
        return self._record(db, chart, row, action, known, now)

    def _record(
        self, db: Db, chart: Chart, row: Kept, action: str, known: Known[Kept], now: datetime
    ) -> O:
        kept = self.model(**self._opened(chart, row))
        entry = kept.model_dump(mode="json")
        ledger.record(
            db, chart, action, kind=self.kind, id=row.id, version=row.version, entry=entry, now=now
        )
        known.is_now(row, entry)
        if self._follow is not None:
            self._follow(db, chart, kept, action, now)
        return self.told(chart, row)


def _of_patient(kept: Any) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (
        kept.c.clinic_id == bindparam("clinic_id"),
        kept.c.patient_id == bindparam("patient_id"),
    )


def _may_read(kept: Any) -> ColumnElement[bool]:
    """SQL: private entries are the patient's."""
    return or_(bindparam("is_own", type_=Boolean), kept.c.tier != _PRIVATE)


def _insertion(kept: Any) -> Change:
    return Change(insert(kept))


def _change(kept: Any, names: list[str]) -> Change:
    return Change(
        update(kept)
        .where(*_of_patient(kept), kept.c.id == bindparam("entry_id"))
        .values({name: bindparam(f"to_{name}", type_=kept.c[name].type) for name in names})
    )


def _one(
    kept: Any, columns: list[Any], into: Callable[..., Kept], *may_read: ColumnElement[bool]
) -> Query[Kept]:
    return Query(
        select(*columns).where(*_of_patient(kept), kept.c.id == bindparam("id"), *may_read), into
    )


def _to_change(kept: Any, columns: list[Any], into: Callable[..., Kept]) -> Query[Kept]:
    return Query(
        select(*columns).where(*_of_patient(kept), kept.c.id == bindparam("id")).with_for_update(),
        into,
    )


def _all_to_change(kept: Any, columns: list[Any], into: Callable[..., Kept]) -> Query[Kept]:
    return Query(
        select(*columns)
        .where(*_of_patient(kept), kept.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
        .order_by(kept.c.id)
        .with_for_update(),
        into,
    )


def _private_of(kept: Any) -> Query[UUID]:
    return Query(
        select(kept.c.id).where(
            *_of_patient(kept),
            kept.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))),
            kept.c.tier == _PRIVATE,
        ),
        itself,
    )
