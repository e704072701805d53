"""The form in which the entries of one kind are stored.

What is plain and what is sealed is decided by the table: a member of an entry that is a column of
it is stored as it is, and every other one is sealed, all of them together. Nobody above this module
knows which is which.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final, Generic, NamedTuple, TypeVar
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import from_json
from sqlalchemy.dialects.postgresql import JSONB

from app.journal.schemas import EntryOut
from app.journal.tables import Entry
from app.kernel.tables import table
from app.kernel.vault import Unsealable
from app.kernel.wire import as_json
from app.people.chart import Chart

O = TypeVar("O", bound=EntryOut)  # noqa: E741 -- what goes Out

FRAME: Final = (
    "id",
    "version",
    "status",
    "words",
    "recorded_at",
    "received_at",
    "effective_at",
    "clock_ahead_seconds",
)
"""The columns of every kind; `words` are the sealed members."""
_OWN: Final = frozenset({"clinic_id", "patient_id", *FRAME})
MADE: Final = set(FRAME) - {"words"}
"""Of the frame, what is not among the sealed members. One of these may be called `words` itself."""


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


class Form(Generic[O]):
    """How entries of one kind are turned into rows and back, and into rows of the ledger and back.

    table: with the columns of `journal.tables.Entry`. out: what an entry is, opened.
    words_before: how the words were read before there was a shelf for the kind; those are sealed
        under the column `words`, and its own under `members`.
    is_sealed_apart: the ledger keeps the words sealed once more, for this kind alone.
    """

    def __init__(
        self,
        table_: type[Entry],
        out: type[O],
        words_before: Callable[[bytes], dict[str, Any]] | None,
        *,
        is_sealed_apart: bool,
    ) -> None:
        self.table: Final[Any] = table(table_)
        kept = self.table
        self._model = out
        self._words_before = words_before
        self._column = "members" if words_before else "words"
        self._is_sealed_apart = is_sealed_apart
        self._table_name = str(kept.name)
        self.plain: Final = tuple(column.name for column in kept.columns if column.name not in _OWN)
        self._as_json = {name for name in self.plain if isinstance(kept.columns[name].type, JSONB)}
        made = MADE | set(self.plain)
        self._sealed = tuple(name for name in out.model_fields if name not in made)
        self.columns: Final = [kept.columns[name] for name in (*FRAME, *self.plain)]

    def row(self, *columns: Any) -> Kept:
        """What a statement of these `columns` found."""
        frame, plain = columns[: len(FRAME)], columns[len(FRAME) :]
        return Kept._make((*frame, dict(zip(self.plain, plain, strict=True))))

    def columns_of(self, row: Kept) -> dict[str, Any]:
        """What a statement that keeps a row is given."""
        frame = {name: getattr(row, name) for name in FRAME}
        # A list is an array to the database, unless it is the text of one.
        lists = {
            name: as_json(row.plain[name]).decode()
            for name in self._as_json
            if isinstance(row.plain[name], list)
        }
        return frame | row.plain | lists

    def opened(self, chart: Chart, row: Kept) -> dict[str, Any]:
        """Every member of an entry, by name."""
        frame = {name: getattr(row, name) for name in FRAME if name != "words"}
        return {**frame, **row.plain, **self.members(chart, row.id, row.words)}

    def entry(self, chart: Chart, row: Kept) -> O:
        """An entry, opened, with all that it has."""
        return self._model(**self.opened(chart, row))

    def members(self, chart: Chart, entry_id: UUID | bytes, words: bytes) -> dict[str, Any]:
        """The sealed members of an entry.

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

    def said(self, sent: BaseModel, names: AbstractSet[str]) -> dict[str, Any]:
        """These members of what was sent: columns as they are, all others as JSON."""
        written = sent.model_dump(mode="json")
        are_columns = set(self.plain) - self._as_json
        return {
            name: getattr(sent, name) if name in are_columns else written[name] for name in names
        }

    def filled(self, chart: Chart, row: Kept, said: dict[str, Any]) -> Kept:
        """The row, saying this: every plain column and every sealed member."""
        plain = {name: said.pop(name) for name in self.plain}
        words = chart.data_key.seal(
            as_json(said), table=self._table_name, column=self._column, row=row.id
        )
        return row._replace(words=words, plain=plain)

    def snapshot(self, chart: Chart, row: Kept) -> dict[str, Any]:
        """The entry as the ledger keeps it."""
        entry = self.entry(chart, row).model_dump(mode="json")
        if not self._is_sealed_apart:
            return entry
        apart = {"version": row.version, **{name: entry.pop(name) for name in self._sealed}}
        sealed = chart.data_key.seal(
            as_json(apart), table=self._table_name, column="ledger", row=row.id
        )
        return {**entry, "sealed": b64encode(sealed).decode()}

    def whole(self, chart: Chart, entry: dict[str, Any]) -> dict[str, Any]:
        """An entry of the ledger with all its words. Raises: Unsealable."""
        if not self._is_sealed_apart:
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
