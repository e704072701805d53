"""Where the entries of one kind are kept."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Generic, NamedTuple, TypeVar
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.elements import ColumnElement
from uuid_utils.compat import uuid7

from app.journal import danger, links, statements
from app.journal.danger import NO_DANGER, Danger, Found, Source
from app.journal.schemas import EntryIn, EntryOut
from app.journal.statements import Closed, Parent
from app.journal.tables import Entry
from app.kernel import entries, ledger, timeline
from app.kernel.arrival import place
from app.kernel.db import Db, Query
from app.kernel.entries import ENTERED_IN_ERROR, Known
from app.kernel.errors import Kind, Problem, invalid, not_found
from app.kernel.tables import table
from app.kernel.vault import Unsealable
from app.kernel.wire import as_json
from app.people.chart import Chart, Right

S = TypeVar("S", bound=EntryIn)
O = TypeVar("O", bound=EntryOut)  # noqa: E741 -- what goes Out, beside what was Sent

PRIVATE: Final = "private"
AUTHOR: Final = "author_id"
"""The column of a kind whose entries are changed by whoever wrote them, and by nobody else."""
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
_OWN: Final = frozenset({"clinic_id", "patient_id", *_FRAME})
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


TIERED: Final = Closed("tier", PRIVATE, lambda chart: chart.is_own)
"""Private entries are the patient's."""


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
    action: the ledger's word for an amendment, from the entry before and after it: a kind with
        states says which move it was, as in `course.paused`. Without one it is the state that it
        went to, or `amended`.
    check_withdrawal: what a kind refuses to take back: it may raise a Problem.
    closed: which entries are hidden, and from whom; of what has a tier, the private ones.
    is_authors_alone: nobody else reads an entry at all, whatever their rights. It needs the column
        `author_id`, and the ledger then keeps the words sealed once more, for this kind alone: who
        copies a patient's ledger with the patient's key has not got them.
    part_of: another shelf and the member (a column) that names an entry on it: a step of a goal. A
        part has no tier of its own; it is shown to whom that entry is shown.
    words_before: how the words of this kind were read before there was a shelf for it; those are
        sealed under the column `words`, and its own under `members`.
    tells: of a danger to the body, if an entry tells of any: it raises a flag with it. An
        amendment flags what it adds, and takes no flag back.
    listed_by: a column that names another entry, such as the visit, by which a list may be asked
        for. It needs an index on (clinic_id, patient_id, that column, effective_at, id).
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
        action: Callable[[Kept, Kept], str] | None = None,
        check_withdrawal: Callable[[Db, Chart, Kept], None] | None = None,
        closed: Closed | None = None,
        is_authors_alone: bool = False,
        part_of: "tuple[Shelf[Any, Any], str] | None" = None,
        words_before: Callable[[bytes], dict[str, Any]] | None = None,
        tells: Callable[[O], Danger | None] | None = None,
        guard: Callable[[Chart, O], None] | None = None,
        listed_by: str | None = None,
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
        self._action = action
        self._check_withdrawal = check_withdrawal
        self._words_before = words_before
        self._column = "members" if words_before else "words"
        self._is_authors_alone = is_authors_alone
        self._danger = tells
        self._guard = guard
        self.tells_of_danger: Final = tells is not None
        self.table: Final[Any] = table(table_)
        kept = self.table
        self._table_name = str(kept.name)
        self._plain = tuple(column.name for column in kept.columns if column.name not in _OWN)
        self._as_json = {name for name in self._plain if isinstance(kept.columns[name].type, JSONB)}
        self.is_tiered: Final = "tier" in self._plain
        self._has_author = AUTHOR in self._plain
        self._part_of = part_of
        parent = None
        if part_of is not None:
            whole, key = part_of
            parent = Parent(whole.table, key, whole.closed)
            # Two reasons to be hidden would need two answers to who may see it.
            assert not self.is_tiered
            assert closed is None
        self.closed: Final[Closed | None] = TIERED if self.is_tiered else closed
        self._opens = self.closed or (parent.closed if parent else None)
        made = _MADE | set(self._plain)
        self._sealed = tuple(name for name in out.model_fields if name not in made)
        columns = self._selected = [kept.columns[name] for name in (*_FRAME, *self._plain)]
        into = self._row
        may_read = statements.may_read(kept, self.closed, parent)
        if is_authors_alone:
            may_read = (*may_read, kept.c.author_id == bindparam("actor_id"))
        self._may_read = may_read
        self.add = statements.insertion(kept)
        self.change = statements.change_of(kept, [n for n in (*_FRAME, *self._plain) if n != "id"])
        self.one = statements.one(kept, columns, into, *may_read)
        self.to_change = statements.one_to_change(kept, columns, into)
        self.all_to_change = statements.many_to_change(kept, columns, into)
        self.listed_by: Final = listed_by
        self.newest_first, self.newest_first_of = statements.lists(
            kept, columns, into, listed_by, *may_read
        )
        self.private_of = statements.private_of(kept, self.closed, parent)

    def create(
        self,
        db: Db,
        chart: Chart,
        sent: S,
        known: Known[Kept],
        now: datetime,
        also: Mapping[str, Any] | None = None,
    ) -> tuple[O, bool]:
        """Keep an entry. Returns: it, and whether it is new (False: a retry).

        known: what there is under its id already. also: what it says besides, over `derive`.
        Raises: Problem ID_REUSED, and what `derive` raises.
        """
        earlier = entries.created_before(known, lambda entry: self._says(chart, entry, sent))
        if earlier is not None:
            if not self._is_author(chart, earlier):
                raise Problem(Kind.ID_REUSED)
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
        row = self._filled(db, chart, row, sent, None, now, also or {})
        db.add(self.add, patient_id=chart.patient_id, **self._columns_of(row))
        told = self._record(db, chart, row, self._created, known, now)
        self._flag(db, chart, row, None, now)
        return told, True

    def amend(
        self, db: Db, chart: Chart, sent: S, known: Known[Kept], base_version: int, now: datetime
    ) -> tuple[O, bool]:
        """Put what was sent in an entry's place. Returns: it, and whether anything changed.

        Raises: Problem as `entries.to_change`, FORBIDDEN (somebody else's), and what `derive`
            raises.
        """
        self._require_author(chart, known)
        changing = entries.to_change(
            known, base_version, lambda entry: self._says(chart, entry, sent)
        )
        if changing is None:
            assert known.row is not None
            return self.told(chart, known.row), False
        self._check_guard(chart, changing)
        row = changing._replace(version=base_version + 1)
        if sent.recorded_at != changing.recorded_at:
            arrival = place(sent.recorded_at, sent.sent_at, now)
            row = row._replace(recorded_at=sent.recorded_at, **arrival._asdict())
        row = self._filled(db, chart, row, sent, changing, now, {})
        told = self._change(db, chart, row, self._amended(changing, row), known, now)
        self._flag(db, chart, row, changing, now)
        return told, True

    def make_private(self, db: Db, chart: Chart, known: Known[Kept], now: datetime) -> None:
        """Take a tiered entry out of everybody else's sight, as it stands."""
        standing = known.row
        assert standing is not None
        plain = {**standing.plain, "tier": PRIVATE}
        row = standing._replace(version=standing.version + 1, plain=plain)
        self._change(db, chart, row, self._made_private, known, now)

    def withdraw(
        self, db: Db, chart: Chart, known: Known[Kept], base_version: int, now: datetime
    ) -> tuple[O, bool]:
        """Entered in error: it leaves the lists and stays readable. Returns: it, and whether it
        is news.

        Raises: Problem as `entries.to_change`, FORBIDDEN (somebody else's), and what
            `check_withdrawal` raises.
        """
        self._require_author(chart, known)
        changing = entries.to_change(known, base_version, entries.is_withdrawn)
        if changing is None:
            assert known.row is not None
            return self.told(chart, known.row), False
        if self._check_withdrawal is not None:
            self._check_withdrawal(db, chart, changing)
        self._check_guard(chart, changing)
        row = changing._replace(version=base_version + 1, status=ENTERED_IN_ERROR)
        return self._change(db, chart, row, f"{self.kind}.withdrawn", known, now), True

    def danger_in(self, db: Db, chart: Chart, entry: O) -> Found:
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
        if known.was_said(lambda entry: self._says(chart, entry, sent)):
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
        found = db.first(self.one, patient_id=chart.patient_id, id=entry_id, **self._reading(chart))
        if found is None:
            raise not_found()
        return self.told(chart, found)

    def page(
        self, db: Db, chart: Chart, *, cursor: str | None, limit: int, of: UUID | None = None
    ) -> Listed[O]:
        """The entries that this reader may see, newest first. of: only those whose `listed_by`
        names this; one that there is not names no entry.
        """
        list_of = f"{self.kind}/{chart.patient_id}/{chart.actor_id}"
        query, only = self.newest_first, {}
        if of is not None:
            assert self.newest_first_of is not None
            query, only = self.newest_first_of, {"listed_by": of}
            list_of = f"{list_of}/{of}"
        page = timeline.page(
            db,
            query,
            of=list_of,
            sent_cursor=cursor,
            limit=limit,
            patient_id=chart.patient_id,
            **self._reading(chart),
            **only,
        )
        return Listed([self.told(chart, row) for row in page.rows], page.next_cursor)

    def query(self, *conditions: ColumnElement[bool], newest: int | None = None) -> Query[Kept]:
        """The entries of `:patient_id` that count, for a feature's own question; newest first.

        conditions: on the columns of the table. newest: no more than so many. Of a kind with tiers
        private ones are among them for whoever sees them, as everywhere.
        """
        return statements.some(
            self.table, self._selected, self._row, *self._may_read, *conditions, newest=newest
        )

    def found(self, db: Db, chart: Chart, query: Query[Kept], **params: Any) -> list[O]:
        """What a `query` of this shelf finds in this record, opened, as this reader is told."""
        rows = db.all(query, patient_id=chart.patient_id, **self._reading(chart), **params)
        return [self.told(chart, row) for row in rows]

    def versions(self, db: Db, chart: Chart, entry_id: UUID) -> list[Said[O]]:
        """Every version that this reader may see, the first one first.

        Raises: Problem NOT_FOUND.
        """
        self.read(db, chart, entry_id)  # whoever may not read it now may read no version of it
        versions = []
        for row in ledger.said_of(db, chart, self.kind, [entry_id]):
            entry = self.visible(chart, row.entry(chart.data_key))
            if entry is not None:
                told = self.model.model_validate(self._whole(chart, entry))
                versions.append(Said(row.entry_version, row.action, row.at, row.actor_role, told))
        return versions

    def visible(self, chart: Chart, entry: dict[str, Any]) -> dict[str, Any] | None:
        """An entry of the ledger as this reader may see it; None if they may not."""
        if not self.read_right.is_granted(chart):
            return None
        if self._is_closed(entry) and not self._sees_closed(chart):
            return None
        return {**entry, "came_from": None} if self.is_tiered and not chart.is_own else entry

    def private_among(self, db: Db, chart: Chart, entry_ids: Sequence[UUID]) -> set[UUID]:
        """Which of these entries are hidden from this reader now."""
        if self.private_of is None or not entry_ids or self._sees_closed(chart):
            return set()
        return set(db.all(self.private_of, patient_id=chart.patient_id, ids=list(entry_ids)))

    @property
    def part_of_kind(self) -> str | None:
        """Of what kind its entries are parts."""
        return self._part_of[0].kind if self._part_of else None

    def made_private(self, action: str) -> bool:
        """Whether a row of the ledger took an entry out of some readers' sight."""
        return action == self._made_private

    def told(self, chart: Chart, row: Kept) -> O:
        """An entry, opened, as this reader is told of it."""
        whole = self._opened(chart, row)
        if self.is_tiered and not chart.is_own:
            whole["came_from"] = None
        return self.model(**whole)

    def _sees_closed(self, chart: Chart) -> bool:
        return self._opens is None or self._opens.is_open_to(chart)

    def _is_closed(self, entry: Mapping[str, Any]) -> bool:
        return self.closed is not None and self.closed.holds(entry)

    def _reading(self, chart: Chart) -> dict[str, Any]:
        """Who asks, for the statements that show entries."""
        return {"sees_closed": self._sees_closed(chart), "actor_id": chart.actor_id}

    def _is_author(self, chart: Chart, row: Kept) -> bool:
        return not self._has_author or row.plain[AUTHOR] == chart.actor_id

    def _require_author(self, chart: Chart, known: Known[Kept]) -> None:
        if known.row is not None and not self._is_author(chart, known.row):
            raise not_found() if self._is_authors_alone else Problem(Kind.FORBIDDEN)

    def _amended(self, before: Kept, after: Kept) -> str:
        """What the ledger says was done: hidden, moved to another state, or amended."""
        if self._is_closed(after.plain) and not self._is_closed(before.plain):
            return self._made_private
        if self._action is not None:
            return f"{self.kind}.{self._action(before, after)}"
        if after.status != before.status:
            return f"{self.kind}.{after.status.replace('-', '_')}"
        return f"{self.kind}.amended"

    def _check_guard(self, chart: Chart, row: Kept) -> None:
        if self._guard is not None:
            self._guard(chart, self.model(**self._opened(chart, row)))

    def _flag(self, db: Db, chart: Chart, row: Kept, before: Kept | None, now: datetime) -> None:
        if self._danger is None:
            return
        entry = self.model(**self._opened(chart, row))
        told, was = self._danger(entry), None
        if before is not None:
            was = self._danger(self.model(**self._opened(chart, before)))
            told = told.said(now) if told is not None else None
        danger.flag(db, chart, self._source(entry), told, was, now)

    def _source(self, entry: O) -> Source:
        return Source(self.kind, entry.id, entry.recorded_at)

    def _opened(self, chart: Chart, row: Kept) -> dict[str, Any]:
        frame = {name: getattr(row, name) for name in _FRAME if name != "words"}
        return {**frame, **row.plain, **self.members(chart, row.id, row.words)}

    def members(self, chart: Chart, entry_id: UUID | bytes, words: bytes) -> dict[str, Any]:
        """The sealed members of an entry that a feature's own statement found for this reader.

        entry_id: the 16 bytes of it will do.
        """
        key, of = chart.data_key, self._table_name
        try:
            members = key.open(words, table=of, column=self._column, row=entry_id)
        except Unsealable:
            if self._words_before is None:
                raise
            before = key.open(words, table=of, column="words", row=entry_id)
            return self._words_before(before)
        opened: dict[str, Any] = from_json(members)
        return opened

    def _snapshot(self, chart: Chart, row: Kept) -> dict[str, Any]:
        """The entry as the ledger keeps it."""
        entry = self.model(**self._opened(chart, row)).model_dump(mode="json")
        if not self._is_authors_alone:
            return entry
        apart = {"version": row.version, **{name: entry.pop(name) for name in self._sealed}}
        sealed = chart.data_key.seal(
            as_json(apart), table=self._table_name, column="ledger", row=row.id
        )
        return {**entry, "sealed": b64encode(sealed).decode()}

    def _whole(self, chart: Chart, entry: dict[str, Any]) -> dict[str, Any]:
        """An entry of the ledger with all its words. Raises: Unsealable."""
        if not self._is_authors_alone:
            return entry
        frame = dict(entry)
        opened = chart.data_key.open(
            b64decode(frame.pop("sealed")),
            table=self._table_name,
            column="ledger",
            row=UUID(frame["id"]),
        )
        apart = json.loads(opened)
        if apart["version"] != frame["version"]:
            raise Unsealable
        return {**frame, **apart}

    def _filled(
        self,
        db: Db,
        chart: Chart,
        row: Kept,
        sent: S,
        before: Kept | None,
        now: datetime,
        also: Mapping[str, Any],
    ) -> Kept:
        """The row with what it says from now on."""
        if self.is_tiered:
            source = getattr(sent, "came_from", None)
            links.check(db, chart, self.kind, row.id, source, is_new=before is None)
        if self._part_of is not None:
            self._require_whole(db, chart, sent, before)
        said: dict[str, Any] = {}
        written = sent.model_dump(mode="json")
        for name in type(sent).model_fields.keys() - _NOT_SAID - _MADE:
            is_plain = name in self._plain and name not in self._as_json
            said[name] = getattr(sent, name) if is_plain else written[name]
        if "status" in type(sent).model_fields:
            row = row._replace(status=written["status"])
        derived = self._derive(db, chart, sent, row, before, now) if self._derive else {}
        if self._has_author:
            derived = {**derived, AUTHOR: before.plain[AUTHOR] if before else chart.actor_id}
        derived = {**derived, **also}
        row = row._replace(status=derived.pop("status", row.status))
        said |= derived
        plain = {name: said.pop(name) for name in self._plain}
        words = chart.data_key.seal(
            as_json(said), table=self._table_name, column=self._column, row=row.id
        )
        return row._replace(words=words, plain=plain)

    def _require_whole(self, db: Db, chart: Chart, sent: S, before: Kept | None) -> None:
        """Raises: Problem INVALID where there is nothing that this could be a part of."""
        assert self._part_of is not None
        whole, key = self._part_of
        try:
            found = whole.read(db, chart, getattr(sent, key))
        except Problem:
            raise invalid(f"/{key}", "is not one of the patient's entries") from None
        if before is None and found.status == ENTERED_IN_ERROR:
            raise invalid(f"/{key}", "was withdrawn")

    def _says(self, chart: Chart, entry: dict[str, Any], sent: S) -> bool:
        """Whether an entry of the ledger says what was sent."""
        if entries.is_withdrawn(entry):
            return False
        kept = self.model.model_validate(self._whole(chart, entry))
        names = type(sent).model_fields.keys() - _NOT_SAID
        return kept.model_dump(include=names) == sent.model_dump(include=names)

    def _row(self, *columns: Any) -> Kept:
        frame, plain = columns[: len(_FRAME)], columns[len(_FRAME) :]
        return Kept._make((*frame, dict(zip(self._plain, plain, strict=True))))

    def _columns_of(self, row: Kept) -> dict[str, Any]:
        frame = {name: getattr(row, name) for name in _FRAME}
        # A list is an array to the database, unless it is the text of one.
        lists = {
            name: as_json(row.plain[name]).decode()
            for name in self._as_json
            if isinstance(row.plain[name], list)
        }
        return frame | row.plain | lists

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
        entry = self._snapshot(chart, row)
        ledger.record(
            db, chart, action, kind=self.kind, id=row.id, version=row.version, entry=entry, now=now
        )
        known.is_now(row, entry)
        if self._follow is not None:
            self._follow(db, chart, self.model(**self._opened(chart, row)), action, now)
        return self.told(chart, row)
