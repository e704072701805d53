"""The entries of one kind, as those who may read them are told."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Generic, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import bindparam
from sqlalchemy.sql.elements import ColumnElement

from app.journal import statements
from app.journal.form import Form, Kept
from app.journal.schemas import EntryOut
from app.journal.statements import Closed, Parent
from app.kernel import ledger, timeline
from app.kernel.db import Db, Query
from app.kernel.errors import not_found
from app.people.chart import Chart, Right

O = TypeVar("O", bound=EntryOut)  # noqa: E741 -- what goes Out

PRIVATE: Final = "private"
AUTHOR: Final = "author_id"
"""The column of a kind whose entries are changed by whoever wrote them, and by nobody else."""
TIERED: Final = Closed("tier", PRIVATE, lambda chart: chart.is_own)
"""Private entries are the patient's."""


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


class Readable(Generic[O]):
    """What of a kind's entries is shown to whom; the half of a `Shelf` that changes nothing.

    Its statements leave out what this reader may not see, so nothing hidden is counted, paged or
    opened. Its arguments are `Shelf`'s.
    """

    def __init__(
        self,
        kind: str,
        form: Form[O],
        out: type[O],
        *,
        read: Right,
        closed: Closed | None,
        parent: Parent | None,
        is_authors_alone: bool,
        listed_by: str | None,
    ) -> None:
        self.kind: Final = kind
        self.model: Final = out
        self.form: Final = form
        self.table: Final[Any] = form.table
        self.read_right: Final = read
        self.is_tiered: Final = "tier" in form.plain
        # Two reasons to be hidden would need two answers to who may see it.
        assert parent is None or not self.is_tiered
        assert parent is None or closed is None
        self.closed: Final[Closed | None] = TIERED if self.is_tiered else closed
        self._opens = self.closed or (parent.closed if parent else None)
        kept, columns, into = form.table, form.columns, form.row
        may_read = statements.may_read(kept, self.closed, parent)
        if is_authors_alone:
            may_read = (*may_read, kept.c.author_id == bindparam("actor_id"))
        self._may_read = may_read
        self.one = statements.one(kept, columns, into, *may_read)
        self.listed_by: Final = listed_by
        self.newest_first, self.newest_first_of = statements.lists(
            kept, columns, into, listed_by, *may_read
        )
        self.private_of = statements.private_of(kept, self.closed, parent)

    def read(self, db: Db, chart: Chart, entry_id: UUID) -> O:
        """One entry. Raises: Problem NOT_FOUND, also for a private one and whoever may not."""
        found = db.first(self.one, patient_id=chart.patient_id, id=entry_id, **self._reading(chart))
        if found is None:
            raise not_found()
        return self.told(chart, found)

    def _is_read(self, db: Db, chart: Chart, entry_id: UUID) -> bool:
        reading = self._reading(chart)
        return db.first(self.one, patient_id=chart.patient_id, id=entry_id, **reading) is not None

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
            self.table,
            self.form.columns,
            self.form.row,
            *self._may_read,
            *conditions,
            newest=newest,
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
                told = self.model.model_validate(self.form.whole(chart, entry))
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

    def told(self, chart: Chart, row: Kept) -> O:
        """An entry, opened, as this reader is told of it."""
        whole = self.form.opened(chart, row)
        if self.is_tiered and not chart.is_own:
            whole["came_from"] = None
        return self.model(**whole)

    def members(self, chart: Chart, entry_id: UUID | bytes, words: bytes) -> dict[str, Any]:
        """The sealed members of an entry that a feature's own statement found for this reader.

        entry_id: the 16 bytes of it will do.
        """
        return self.form.members(chart, entry_id, words)

    def _sees_closed(self, chart: Chart) -> bool:
        return self._opens is None or self._opens.is_open_to(chart)

    def _is_closed(self, entry: Mapping[str, Any]) -> bool:
        return self.closed is not None and self.closed.holds(entry)

    def _reading(self, chart: Chart) -> dict[str, Any]:
        """Who asks, for the statements that show entries."""
        return {"sees_closed": self._sees_closed(chart), "actor_id": chart.actor_id}
