"""The thread of a record: what came from what, as far as the reader may see.

What a reader may not see is left out by the statements; what they see is opened here, and nothing
else is.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from app.clinical import attainment, thread
from app.clinical.attainment import Rater, State
from app.clinical.thread import Kind
from app.kernel.db import Db
from app.people.chart import EVERYONE, Chart, Right
from app.story.statements import MOST, SHELVES, SOURCES_SEEN, THREAD, Row

# Whoever reads any kind of it; of each kind its own right decides.
READ: Final = Right("thread.read", privileges=EVERYONE)
FIRST_WORDS: Final = 160
"""Characters of an entry that are told."""
ALWAYS: Final = (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))
_PLACE: Final = {kind.value: place for place, kind in enumerate(Kind)}
_KINDS: Final = {kind.value: kind for kind in Kind}
_Key = tuple[str, str]
"""The kind of an entry, and its id as text: quick to look up, for there are hundreds."""


class Told(NamedTuple):
    """What a reader may see, opened: entries as `schemas.ToldEntryOut`, in time.

    sources: of each the one that it came from, whether or not it is among them.
    is_truncated: there were more than `MOST`; these are the newest.
    """

    entries: list[dict[str, Any]]
    sources: list[_Key | None]
    is_truncated: bool


def read_told(db: Db, chart: Chart, since: datetime | None, until: datetime | None) -> Told:
    """The newest entries that this reader may see. since: included; until: not."""
    rows = db.all(
        THREAD,
        patient_id=chart.patient_id,
        kinds=_kinds_read(chart),
        sees_closed=chart.is_own,
        since=since or ALWAYS[0],
        until=until or ALWAYS[1],
    )
    rows.sort(key=_in_time)
    shown = rows[-MOST:]
    return Told(
        [_told(chart, _KINDS[row.kind], row) for row in shown],
        [
            (row.source_kind, row.source_id) if row.source_kind and row.source_id else None
            for row in shown
        ],
        len(rows) > MOST,
    )


def read_thread(
    db: Db, chart: Chart, *, since: datetime | None, until: datetime | None
) -> dict[str, Any]:
    """The stories of this record, as `schemas.ThreadOut`."""
    told = read_told(db, chart, since, until)
    entries = told.entries
    place = {(entry["kind"], entry["id"]): index for index, entry in enumerate(entries)}
    parents = [
        [found] if source is not None and (found := place.get(source)) is not None else []
        for source in told.sources
    ]
    # Plain texts: an enum's member takes JSON ten times as long.
    links = [{"kind": entry["kind"], "id": entry["id"]} for entry in entries]
    for entry, own in zip(entries, parents, strict=True):
        entry["came_from"] = [links[one] for one in own]
        entry["has_earlier"] = False
    if told.is_truncated or since is not None or until is not None:
        for index in _from_outside(db, chart, told, place):
            entries[index]["has_earlier"] = True
    stories = [
        {"entries": [entries[index] for index in story]} for story in thread.laid_out(parents)
    ]
    return {"stories": stories, "is_truncated": told.is_truncated}


def _from_outside(db: Db, chart: Chart, told: Told, place: Mapping[_Key, int]) -> list[int]:
    """Entries that came from one which is not told here, and which this reader may see.

    It is asked whether or not there is one, so that the number of statements tells of nothing.
    """
    outside = {
        index: source
        for index, source in enumerate(told.sources)
        if source is not None and source not in place
    }
    seen = db.all(
        SOURCES_SEEN,
        patient_id=chart.patient_id,
        kinds=_kinds_read(chart),
        sees_closed=chart.is_own,
        ids=[UUID(entry_id) for _, entry_id in outside.values()],
    )
    known = {(one.kind, one.id) for one in seen}
    return [index for index, source in outside.items() if source in known]


def _kinds_read(chart: Chart) -> list[str]:
    """The kinds of entries that this reader may read at all."""
    return [kind.value for kind, shelf in SHELVES.items() if shelf.read_right.is_granted(chart)]


def _in_time(row: Row) -> tuple[datetime, int, str]:
    return row.effective_at, _PLACE[row.kind], row.id


def _told(chart: Chart, kind: Kind, row: Row) -> dict[str, Any]:
    members = SHELVES[kind].members(chart, row.row, row.words)
    words, is_shortened = first_words(members["words"])
    told: dict[str, Any] = {
        "kind": row.kind,
        "id": row.id,
        "version": row.version,
        "status": row.status,
        "effective_at": row.effective_at,
        "tier": row.tier,
        "words": words,
        "is_shortened": is_shortened,
        "dosing_session_id": row.session_id,
        "note": None,
        "goal": None,
        "step": None,
        "practice": None,
    }
    if kind is Kind.EXPERIENCE:
        told["note"] = {
            "how_strong": members.get("how_strong"),
            "how_challenging": members.get("how_challenging"),
            "attachments": row.attachments,
        }
    elif kind is Kind.GOAL:
        told["goal"] = _achieved(row)
    elif kind is Kind.STEP:
        told["step"] = {"due_on": row.due_on, "done_on": row.done_on}
    elif kind is Kind.PRACTICE:
        told["practice"] = {
            "activity": row.activity,
            "done": row.done,
            "skipped": row.skipped,
            "last_done_on": row.last_done_on,
        }
    return told


def first_words(words: str) -> tuple[str, bool]:
    """How a text begins, on one line, and whether there is more of it."""
    begins = " ".join(words[: FIRST_WORDS + 1].split())
    if len(words) <= FIRST_WORDS:
        return begins, False
    return begins.rpartition(" ")[0] or begins[:FIRST_WORDS], True


def _achieved(goal: Row) -> dict[str, Any]:
    by: dict[Rater, list[int]] = {}
    for rater, level in goal.ratings or ():
        by.setdefault(Rater(rater), []).append(level)
    shown = attainment.rater_shown(by)
    said = by[shown] if shown is not None else []
    return {
        "achievement_status": attainment.achievement(goal.baseline, said, State(goal.status)),
        "achievement_by": shown and shown.value,
    }
