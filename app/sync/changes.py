"""The changes feed: a patient's ledger from a cursor, as far as the reader may see it."""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from app.kernel import entries, ledger
from app.kernel.db import Db
from app.people.chart import Chart, Right
from app.sync.schemas import ChangesOut, SeenChange
from app.treatment import notes

READ_CHANGES: Final = Right("changes.read")
MAX_CHANGES: Final = 500

_Entry = dict[str, Any]


def read_changes(db: Db, chart: Chart, after: int, limit: int) -> ChangesOut:
    """What happened after this `seq`. One read of so many rows, however long the history is."""
    rows = ledger.since(db, chart, after, limit + 1)
    has_more = len(rows) > limit
    rows = rows[:limit]
    made_private = _made_private(db, chart, rows)
    seen = []
    for row in rows:
        may_see = _VISIBLE.get(row.entry_kind)
        if may_see is None:
            continue
        entry: _Entry | None = may_see(chart, row.entry(chart.data_key))
        if row.entry_kind == notes.KIND and row.entry_id in made_private:
            # It was shown in an earlier version: whoever kept a copy learns that it is gone.
            is_told = row.action == notes.MADE_PRIVATE and notes.READ_NOTES.is_granted(chart)
            entry = None if is_told else _HIDDEN
        if entry is _HIDDEN:
            continue
        seen.append(
            SeenChange(
                seq=row.seq,
                at=row.at,
                kind=row.entry_kind,
                id=row.entry_id,
                version=row.entry_version,
                action=row.action,
                by=row.actor_role,
                is_tombstone=entry is None or entries.is_withdrawn(entry),
                entry=entry,
            )
        )
    return ChangesOut(changes=seen, next_after=rows[-1].seq if rows else after, has_more=has_more)


def _made_private(db: Db, chart: Chart, rows: list[ledger.Said]) -> set[UUID]:
    """Notes that this reader may see no version of: their tier as it is now decides."""
    if chart.is_own:
        return set()
    ids = sorted({row.entry_id for row in rows if row.entry_kind == notes.KIND})
    return notes.private_among(db, chart, ids) if ids else set()


_HIDDEN: Final[_Entry] = {}


def _whole(_: Chart, entry: _Entry) -> _Entry:
    return entry


def _own(chart: Chart, entry: _Entry) -> _Entry:
    return entry if chart.is_own else _HIDDEN


def _note(chart: Chart, entry: _Entry) -> _Entry:
    if chart.is_own:
        return entry
    if entry["tier"] == notes.PRIVATE or not notes.READ_NOTES.is_granted(chart):
        return _HIDDEN
    return entry


# What is not here is not shown: a new kind of entry has to say who may see it.
_VISIBLE: Final[dict[str, Callable[[Chart, _Entry], _Entry]]] = {
    "check_in": _whole,
    "baseline_pin": _whole,
    "dosing_session": _whole,
    "flag": _whole,
    "goal": _whole,
    "note": _note,
    "profile": _own,
    "safety_plan": _whole,
}
