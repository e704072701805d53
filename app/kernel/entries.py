"""Entries that a person sends, amends and withdraws, and what a change to one of them means.

A phone may send the same change twice, late, or on a version that another phone has overtaken.
`Known` is what the server has of one entry; `created_before` and `to_change` compare a change
with it. What a version said is read from the ledger, so a retry is told from a reused id, and a
change that was already made from a conflict, however often the entry was changed since.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, Protocol, TypeVar
from uuid import UUID

from app.kernel import ledger
from app.kernel.db import Db, Query
from app.kernel.errors import Kind, Problem, invalid, not_found

ENTERED_IN_ERROR: Final = "entered-in-error"
"""The status of what was withdrawn (FHIR). It stays readable and counts for nothing."""


class Row(Protocol):
    """An entry's current row."""

    @property
    def id(self) -> UUID:
        """Unique per patient."""
        ...

    @property
    def version(self) -> int:
        """From 1, one more with every change."""
        ...

    @property
    def status(self) -> str:
        """`entered-in-error` once it is withdrawn."""
        ...


R = TypeVar("R", bound=Row)
CONFLICTS: Final = frozenset({Kind.PRECONDITION_FAILED, Kind.WITHDRAWN})
"""The problems that say: somebody else's change came first."""

Says = Callable[[dict[str, Any]], bool]
"""Whether an entry, as the ledger keeps it, says what was sent."""


class Known(Generic[R]):
    """What the server has of one entry. row: None if there is nothing, or nobody looked yet.

    look: where nobody did, to do so.
    """

    __slots__ = ("_failed_at", "_look", "_read", "_said", "row")

    def __init__(
        self,
        row: R | None = None,
        read: Callable[[], dict[int, dict[str, Any]]] = dict,
        look: "Callable[[], Known[R]] | None" = None,
    ) -> None:
        self.row = row
        self._failed_at: int | None = None
        self._read = read
        self._look = look
        self._said: dict[int, dict[str, Any]] | None = None

    def looked_up(self) -> "Known[R]":
        """The same, if anybody looked; else what there is. For who is about to refuse a new entry:
        it may be a retry of one that was taken when nothing was against it.
        """
        return self if self._look is None else self._look()

    def said(self, version: int) -> dict[str, Any]:
        """The entry as it was in this version."""
        if self._said is None:
            self._said = self._read()
        return self._said[version]

    def was_said(self, says: "Says") -> bool:
        """Whether any version says this."""
        versions = range(1, self.row.version + 1) if self.row is not None else ()
        return any(says(self.said(version)) for version in versions)

    def is_now(self, row: R, entry: dict[str, Any]) -> None:
        """It was changed, in this transaction."""
        if self._said is None:
            self._said = self._read()
        self._said[row.version] = entry
        self.row = row
        self._failed_at = None

    def fail_at(self, base_version: int) -> None:
        """A change of it, made on this version, could not be made in this transaction."""
        if self._failed_at is None or base_version < self._failed_at:
            self._failed_at = base_version

    def never_was(self, base_version: int) -> bool:
        """Whether a version, as who sent a change knows it, was to come of one that failed. By
        now another's version may have its number.
        """
        return self._failed_at is not None and self._failed_at < base_version


def look_up(db: Db, page: ledger.Page, kind: str, query: Query[R], entry_id: UUID) -> Known[R]:
    """One entry, by a query with `:patient_id` and `:id`. kind: as the ledger calls it."""
    row = db.first(query, patient_id=page.patient_id, id=entry_id)
    return Known(row, lambda: _said(db, page, kind, [entry_id]).get(entry_id, {}))


def known_before(
    db: Db, page: ledger.Page, kind: str, query: Query[R], entry_id: UUID | None
) -> Known[R]:
    """For a new entry: nothing, until its id turned out to be taken. So the first sending pays
    nothing for those that come twice.
    """
    if entry_id is None:
        return Known()
    if not db.after_collision:
        return Known(look=lambda: look_up(db, page, kind, query, entry_id))
    return look_up(db, page, kind, query, entry_id)


def same_id(named: UUID, sent: UUID | None) -> UUID:
    """The id of an address, which a body need not repeat. Raises: Problem INVALID."""
    if sent not in (None, named):
        raise invalid("/id", "is not the one in the address")
    return named


def look_up_all(
    db: Db, page: ledger.Page, kind: str, query: Query[R], entry_ids: Iterable[UUID]
) -> dict[UUID, Known[R]]:
    """Many entries at once, by a query with `:patient_id` and `:ids`."""
    wanted = sorted(set(entry_ids))
    found = {row.id: row for row in db.all(query, patient_id=page.patient_id, ids=wanted)}
    said = _said(db, page, kind, list(found)) if found else {}
    return {
        one: Known(found.get(one), lambda one=one: said.get(one, {}))  # type: ignore[misc]
        for one in wanted
    }


def _said(
    db: Db, page: ledger.Page, kind: str, entry_ids: list[UUID]
) -> dict[UUID, dict[int, dict[str, Any]]]:
    said: dict[UUID, dict[int, dict[str, Any]]] = {}
    for row in ledger.said_of(db, page, kind, entry_ids):
        said.setdefault(row.entry_id, {})[row.entry_version] = row.entry(page.data_key)
    return said


def created_before(known: Known[R], says: Says) -> R | None:
    """The entry, if this very one was sent before; it may have been changed since.

    Raises: Problem ID_REUSED when its id was used for another.
    """
    if known.row is None:
        return None
    if not says(known.said(1)):
        raise Problem(Kind.ID_REUSED)
    return known.row


def to_change(known: Known[R], base_version: int, says: Says) -> R | None:
    """The row to change; None when what was sent is already so and there is nothing to do.

    base_version: which version the change was made on.
    Raises: Problem NOT_FOUND, VERSION_UNKNOWN (no such version yet), PRECONDITION_FAILED
        (somebody else's change came first), WITHDRAWN.
    """
    row = known.row
    if row is None:
        raise not_found()
    never_was = known.never_was(base_version)
    if base_version > row.version and not never_was:
        raise Problem(Kind.VERSION_UNKNOWN)
    if says(known.said(min(base_version + 1, row.version))):
        return None
    if base_version < row.version or never_was:
        raise Problem(Kind.PRECONDITION_FAILED)
    if row.status == ENTERED_IN_ERROR:
        raise Problem(Kind.WITHDRAWN)
    return row


def illegal_move(before: str, may_move_to: Iterable[str]) -> Problem:
    """The 409 of a kind with states, which says where one can go; withdrawing is no move."""
    legal = [str(state) for state in may_move_to if state != ENTERED_IN_ERROR]
    return Problem(Kind.ILLEGAL_MOVE, extra={"from": str(before), "may_move_to": legal})


def is_withdrawn(entry: dict[str, Any]) -> bool:
    """For `to_change`: the withdrawal of an entry."""
    return bool(entry.get("status") == ENTERED_IN_ERROR)
