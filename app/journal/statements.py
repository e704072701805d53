"""What a shelf asks of its table, made once for each kind of entry."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Uuid,
    and_,
    any_,
    bindparam,
    exists,
    insert,
    literal_column,
    not_,
    select,
    update,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import Boolean

from app.kernel import timeline
from app.kernel.db import Change, Query, itself
from app.kernel.entries import ENTERED_IN_ERROR
from app.people.chart import Chart

R = TypeVar("R")
_WITHDRAWN: Final[Any] = literal_column(f"'{ENTERED_IN_ERROR}'")


class Closed(NamedTuple):
    """Which entries of a kind are hidden from some of those who read the kind.

    column, says: an entry is closed while this column of its says so. is_open_to: whether this
    reader sees closed ones too.
    """

    column: str
    says: str | bool
    is_open_to: Callable[[Chart], bool]

    def holds(self, entry: Mapping[str, Any]) -> bool:
        """Whether an entry is closed, or was in a version of it."""
        return bool(entry.get(self.column) == self.says)


class Parent(NamedTuple):
    """Of what an entry is a part: a step of a goal is shown to whom the goal is shown.

    table: the parent's. key: the part's column that names it. closed: which parents are hidden.
    """

    table: Any
    key: str
    closed: Closed | None


def _of_patient(kept: Any) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (
        kept.c.clinic_id == bindparam("clinic_id"),
        kept.c.patient_id == bindparam("patient_id"),
    )


def may_read(
    kept: Any, closed: Closed | None, parent: Parent | None
) -> tuple[ColumnElement[bool], ...]:
    """SQL: closed entries, and parts of closed ones, are for those who see them."""
    hidden = [] if closed is None else [_says_closed(kept, closed)]
    if parent is not None and parent.closed is not None:
        hidden.append(_is_part_of_closed(kept, parent, parent.closed))
    sees_closed = bindparam("sees_closed", type_=Boolean)
    return tuple(not_(and_(not_(sees_closed), one)) for one in hidden)


def _is_part_of_closed(kept: Any, parent: Parent, closed: Closed) -> ColumnElement[bool]:
    whole = parent.table
    return exists().where(
        whole.c.clinic_id == kept.c.clinic_id,
        whole.c.patient_id == kept.c.patient_id,
        whole.c.id == kept.c[parent.key],
        _says_closed(whole, closed),
    )


def _says_closed(kept: Any, closed: Closed) -> ColumnElement[bool]:
    said = "true" if closed.says is True else "false" if closed.says is False else None
    value: Any = literal_column(said or f"'{closed.says}'")
    found: ColumnElement[bool] = kept.c[closed.column] == value
    return found


def lists(
    kept: Any,
    columns: list[Any],
    into: Callable[..., R],
    listed_by: str | None,
    *may_read: ColumnElement[bool],
) -> tuple[Query[Any], Query[Any] | None]:
    """The list of a patient's entries, newest first; and the one of those whose column `listed_by`
    is `:listed_by`, if there is one.
    """
    shown = (*may_read, kept.c.status != _WITHDRAWN)
    every = timeline.newest_first(kept, columns, into, *shown)  # type: ignore[type-var]
    if listed_by is None:
        return every, None
    of_one = kept.c[listed_by] == bindparam("listed_by")
    return every, timeline.newest_first(kept, columns, into, *shown, of_one)


def insertion(kept: Any) -> Change:
    """A new entry."""
    return Change(insert(kept))


def change_of(kept: Any, names: list[str]) -> Change:
    """An entry, `:entry_id`, as it is from now on: `:to_` each of its columns."""
    return Change(
        update(kept)
        .where(*_of_patient(kept), kept.c.id == bindparam("entry_id"))
        .values({name: bindparam(f"to_{name}", type_=kept.c[name].type) for name in names})
    )


def one(
    kept: Any, columns: list[Any], into: Callable[..., R], *may_read: ColumnElement[bool]
) -> Query[R]:
    """One entry, for whoever may read it."""
    return Query(
        select(*columns).where(*_of_patient(kept), kept.c.id == bindparam("id"), *may_read), into
    )


def some(
    kept: Any,
    columns: list[Any],
    into: Callable[..., R],
    *conditions: ColumnElement[bool],
    newest: int | None,
) -> Query[R]:
    """The entries that count, the newest first; no more than so many."""
    wanted = (
        select(*columns)
        .where(*_of_patient(kept), kept.c.status != _WITHDRAWN, *conditions)
        .order_by(kept.c.effective_at.desc(), kept.c.id.desc())
    )
    return Query(wanted if newest is None else wanted.limit(literal_column(str(newest))), into)


def one_to_change(kept: Any, columns: list[Any], into: Callable[..., R]) -> Query[R]:
    """One entry, locked."""
    return Query(
        select(*columns).where(*_of_patient(kept), kept.c.id == bindparam("id")).with_for_update(),
        into,
    )


def many_to_change(kept: Any, columns: list[Any], into: Callable[..., R]) -> Query[R]:
    """`:ids`, locked, always in the same order."""
    return Query(
        select(*columns)
        .where(*_of_patient(kept), kept.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
        .order_by(kept.c.id)
        .with_for_update(),
        into,
    )


def private_of(kept: Any, closed: Closed | None, parent: Parent | None) -> Query[UUID] | None:
    """Of `:ids`, those that are closed now, or parts of what is. None: nothing ever is."""
    hidden = [] if closed is None else [_says_closed(kept, closed)]
    if parent is not None and parent.closed is not None:
        hidden.append(_is_part_of_closed(kept, parent, parent.closed))
    if not hidden:
        return None
    return _among(kept, hidden[0])


def _among(kept: Any, condition: ColumnElement[bool]) -> Query[UUID]:
    return Query(
        select(kept.c.id).where(
            *_of_patient(kept),
            kept.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))),
            condition,
        ),
        itself,
    )
