"""The lists of a patient's entries: newest first, page by page.

Every kind of entry that has a place in time is listed the same way, over an index on
(clinic_id, patient_id, effective_at, id).
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, cast, func, literal_column, select, tuple_
from sqlalchemy.types import BigInteger, DateTime, Text, Uuid

from app.kernel.db import Db, Query
from app.kernel.paging import cursor, instant_of, read_cursor


class Dated(Protocol):
    """A row with a place in time."""

    @property
    def id(self) -> UUID:
        """Unique per patient."""
        ...

    @property
    def effective_at(self) -> datetime:
        """Where it stands in time."""
        ...


R = TypeVar("R", bound=Dated)

_END: Final = datetime(9999, 1, 1, tzinfo=UTC)
_LAST_ID: Final = UUID(int=2**128 - 1)


class Page(NamedTuple):
    """Rows, and the cursor of what follows, if anything does."""

    rows: list[Any]
    next_cursor: str | None


def newest_first(
    table: Any, columns: Sequence[Any], into: Callable[..., R], *conditions: ColumnElement[bool]
) -> Query[R]:
    """The statement behind a list of one patient's entries."""
    place = tuple_(table.c.effective_at, table.c.id)
    return Query(
        select(*columns)
        .where(
            table.c.clinic_id == bindparam("clinic_id"),
            table.c.patient_id == bindparam("patient_id"),
            place
            < tuple_(
                bindparam("before", type_=DateTime(timezone=True)),
                bindparam("before_id", type_=Uuid),
            ),
            *conditions,
        )
        .order_by(table.c.effective_at.desc(), table.c.id.desc())
        .limit(bindparam("limit", type_=BigInteger)),
        into,
    )


def instant_columns(instant: ColumnElement[datetime]) -> tuple[Any, Any]:
    """SQL: a column of instants in the order of its subquery, twice: the text of a JSON array,
    and whole microseconds since 1970 as `clock.microseconds`.

    A double keeps seconds of this century to a quarter of a microsecond, so rounding is exact;
    the exact `extract` is numeric and several times slower on a long series.
    """
    seconds = func.date_part(literal_column("'epoch'"), instant)
    return (
        func.coalesce(cast(func.json_agg(instant), Text), literal_column("'[]'"), type_=Text),
        func.coalesce(
            func.array_agg(cast(seconds * literal_column("1000000"), BigInteger)),
            literal_column("'{}'::bigint[]"),
        ),
    )


def start(db: Db, of: str, sent_cursor: str | None) -> tuple[datetime, UUID]:
    """Before which entry a page begins: what `:before` and `:before_id` are.

    Raises: Problem MALFORMED_REQUEST.
    """
    if sent_cursor is None:
        return _END, _LAST_ID
    instant, last_id = read_cursor(db.vault, of, sent_cursor, 2)
    return instant_of(instant), UUID(last_id)


def page(
    db: Db, query: Query[R], *, of: str, sent_cursor: str | None, limit: int, **params: Any
) -> Page:
    """One page of a list. of: names the list in its cursors. Raises: Problem MALFORMED_REQUEST."""
    before, before_id = start(db, of, sent_cursor)
    rows = db.all(query, before=before, before_id=before_id, limit=limit + 1, **params)
    return cut(db, rows, of=of, limit=limit)


def cut(db: Db, rows: list[Any], *, of: str, limit: int) -> Page:
    """A page, of rows that were asked for with one more than it may hold."""
    if len(rows) <= limit:
        return Page(rows, None)
    last = rows[limit - 1]
    return Page(rows[:limit], cursor(db.vault, of, last.effective_at.isoformat(), last.id))
