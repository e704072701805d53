"""The changes feed: a patient's ledger from a cursor, as far as the reader may see it."""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from app.experience import attachments
from app.experience.notes import NOTES
from app.journal.shelf import Shelf
from app.kernel import entries, ledger
from app.kernel.db import Db
from app.people.chart import Chart, Right
from app.practices import coping
from app.sync.schemas import ChangesOut, SeenChange
from app.sync.shelves import SHELVES

READ_CHANGES: Final = Right("changes.read")
MAX_CHANGES: Final = 500

_Entry = dict[str, Any]


def read_changes(db: Db, chart: Chart, after: int, limit: int) -> ChangesOut:
    """What happened after this `seq`. One read of so many rows, however long the history is."""
    rows = ledger.since(db, chart, after, limit + 1)
    has_more = len(rows) > limit
    rows = rows[:limit]
    private = _private_now(db, chart, rows)
    opened = [row.entry(chart.data_key) if row.entry_kind in _VISIBLE else _HIDDEN for row in rows]
    _strip_tried(db, chart, rows, opened)
    seen = []
    for row, said in zip(rows, opened, strict=True):
        may_see = _VISIBLE.get(row.entry_kind)
        if may_see is None:
            continue
        entry: _Entry | None = may_see(chart, said)
        takes_with: list[str] = []
        if row.entry_id in private.get(row.entry_kind, ()):
            # It was shown in an earlier version: whoever kept a copy learns that it is gone. Its
            # parts go with it by one word: each by itself would tell how many there are now.
            entry = None if _tells_of_hiding(chart, row) else _HIDDEN
            takes_with = _PARTS.get(row.entry_kind, [])
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
                takes_with=takes_with,
                entry=entry,
            )
        )
    return ChangesOut(changes=seen, next_after=rows[-1].seq if rows else after, has_more=has_more)


def _private_now(db: Db, chart: Chart, rows: list[ledger.Said]) -> dict[str, set[UUID]]:
    """Entries that this reader may see no version of, by kind: as they are now decides."""
    ids: dict[str, set[UUID]] = {}
    for row in rows:
        ids.setdefault(row.entry_kind, set()).add(row.entry_id)
    private = {
        kind: shelf.private_among(db, chart, sorted(ids[kind]))
        for kind, shelf in SHELVES.items()
        if kind in ids
    }
    attached = sorted(ids.get(attachments.KIND, ()))
    private[attachments.KIND] = attachments.of_hidden_notes(db, chart, attached)
    return private


def _strip_tried(db: Db, chart: Chart, rows: list[ledger.Said], opened: list[_Entry]) -> None:
    """Leave out of triggers the strategies that this reader may not see now."""
    triggers = [
        entry
        for row, entry in zip(rows, opened, strict=True)
        if row.entry_kind == coping.TRIGGERS.kind
    ]
    named = [UUID(one["strategy_id"]) for entry in triggers for one in entry["tried"]]
    hidden = coping.hidden_among(db, chart, named)
    for entry in triggers:
        shown = [one for one in entry["tried"] if UUID(one["strategy_id"]) not in hidden]
        entry["tried"] = shown


def _tells_of_hiding(chart: Chart, row: ledger.Said) -> bool:
    """Whether a row took an entry away from a reader who could see it until then."""
    shelf = SHELVES.get(row.entry_kind)
    if shelf is None:
        return False
    return shelf.made_private(row.action) and shelf.read_right.is_granted(chart)


def _parts() -> dict[str, list[str]]:
    """By kind, the kinds of what is a part of it."""
    parts = {NOTES.kind: [attachments.KIND]}
    for shelf in SHELVES.values():
        if shelf.part_of_kind is not None:
            parts.setdefault(shelf.part_of_kind, []).append(shelf.kind)
    return parts


_PARTS: Final = _parts()
_HIDDEN: Final[_Entry] = {}


def _whole(_: Chart, entry: _Entry) -> _Entry:
    return entry


def _own(chart: Chart, entry: _Entry) -> _Entry:
    return entry if chart.is_own else _HIDDEN


def _attachment(chart: Chart, entry: _Entry) -> _Entry:
    return attachments.visible(chart, entry) or _HIDDEN


def _batch(_: Chart, entry: _Entry) -> _Entry:
    """A monitor's upload without its readings, of which only the number is told: the series is
    read where it belongs.
    """
    return {**entry, "readings": len(entry["readings"]["at"])}


def _of(shelf: Shelf[Any, Any]) -> Callable[[Chart, _Entry], _Entry]:
    return lambda chart, entry: shelf.visible(chart, entry) or _HIDDEN


# What is not here is not shown: a new kind of entry has to say who may see it.
_VISIBLE: Final[dict[str, Callable[[Chart, _Entry], _Entry]]] = {
    attachments.KIND: _attachment,
    "check_in": _whole,
    "baseline_pin": _whole,
    "dosing_session": _whole,
    "flag": _whole,
    "profile": _own,
    "safety_plan": _whole,
    "vital_signs": _batch,
    **{kind: _of(shelf) for kind, shelf in SHELVES.items()},
}
