"""The thread of a record: what came from what, as far as the reader may see.

Hides the one statement that gathers every kind from its own table. What a reader may not see is
left out there; what they see is opened here, and nothing else is.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Date,
    DateTime,
    LargeBinary,
    SmallInteger,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from app.clinical import attainment, thread
from app.clinical.attainment import Rater, State
from app.clinical.thread import Entry, Kind, Link, Ref
from app.experience.intentions import INTENTIONS
from app.experience.notes import NOTES
from app.experience.tables import Attachment
from app.goals.service import GOALS, STEPS
from app.goals.tables import Goal, GoalRating, GoalStep
from app.integration.insights import INSIGHTS
from app.journal.shelf import Shelf
from app.journal.statements import may_read
from app.kernel.clock import microseconds
from app.kernel.db import Db, Query
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.tables import columns, table
from app.people.chart import EVERYONE, Chart, Right
from app.practices.coping import STRATEGIES
from app.practices.practice import PRACTICES
from app.practices.tables import PracticeTick

# Whoever reads any kind of it; of each kind its own right decides.
READ: Final = Right("thread.read", privileges=EVERYONE)
MOST: Final = 300
"""Entries in one answer, the newest: each costs the opening of all its words."""
FIRST_WORDS: Final = 160
"""Characters of an entry that are told."""
ALWAYS: Final = (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))

SHELVES: Final[Mapping[Kind, Shelf[Any, Any]]] = {
    Kind.INTENTION: INTENTIONS,
    Kind.EXPERIENCE: NOTES,
    Kind.INSIGHT: INSIGHTS,
    Kind.GOAL: GOALS,
    Kind.STEP: STEPS,
    Kind.PRACTICE: PRACTICES,
    Kind.COPING: STRATEGIES,
}
"""Where the entries of each kind of the thread are kept."""

_KINDS: Final = {kind.value: kind for kind in Kind}
_goal = columns(Goal)
_step = columns(GoalStep)
_rating = columns(GoalRating)
_tick = columns(PracticeTick)
_attachment = columns(Attachment)


def _code(word: str) -> Any:
    """SQL: a word of our own."""
    return literal_column(f"'{word}'", Text)


_WITHDRAWN: Final = _code(ENTERED_IN_ERROR)
_NO_TIER: Final = cast(null(), Text)
# What is told of one kind only. Columns, because reading JSON costs more than opening words.
_MORE: Final[Mapping[str, Any]] = {
    name: cast(null(), type_)
    for name, type_ in {
        "session_id": Text,
        "attachments": BigInteger,
        "baseline": SmallInteger,
        "ratings": JSONB,
        "due_on": Date,
        "done_on": Date,
        "activity": Text,
        "done": BigInteger,
        "skipped": BigInteger,
        "last_done_on": Date,
    }.items()
}


def _branch(
    kind: Kind,
    *,
    of: Any = None,
    tier: Any = None,
    source: tuple[Any, Any] | None = None,
    visible: Any = None,
    **more: Any,
) -> Any:
    """SQL: the newest entries of one kind that count and that the reader may see.

    of: what it is read from, where that is more than its table. tier, source, visible: for what has
    no tier of its own; source: the kind and the id of what it came from. more: of `_MORE`.
    """
    shelf = SHELVES[kind]
    kept = shelf.table
    if source is None:
        said = kept.c.came_from
        source = said["kind"].astext, said["id"].astext
    return (
        select(
            _code(kind).label("kind"),
            # As its words are sealed, and as it is told: there are hundreds, and a UUID is slow.
            func.uuid_send(kept.c.id, type_=LargeBinary).label("row"),
            cast(kept.c.id, Text).label("id"),
            kept.c.version,
            kept.c.status,
            kept.c.effective_at.label("effective_at"),
            (kept.c.tier if tier is None else tier).label("tier"),
            source[0].label("source_kind"),
            source[1].label("source_id"),
            kept.c.words,
            # A union goes by place, and what stands around it by the names of its first part.
            *(more.get(name, nothing).label(name) for name, nothing in _MORE.items()),
        )
        .select_from(kept if of is None else of)
        .where(
            kept.c.clinic_id == bindparam("clinic_id"),
            kept.c.patient_id == bindparam("patient_id"),
            kept.c.status != _WITHDRAWN,
            _code(kind) == any_(bindparam("kinds", type_=ARRAY(Text))),
            kept.c.effective_at >= bindparam("since", type_=DateTime(timezone=True)),
            kept.c.effective_at < bindparam("until", type_=DateTime(timezone=True)),
            *(may_read(kept, shelf.closed, None) if visible is None else visible),
        )
        .order_by(kept.c.effective_at.desc(), kept.c.id.desc())
        .limit(literal_column(str(MOST + 1)))
    )


def _of(part: Any, whole: Any, key: Any) -> Any:
    """SQL: a part's rows that belong to an entry."""
    return and_(
        part.clinic_id == whole.c.clinic_id,
        part.patient_id == whole.c.patient_id,
        key == whole.c.id,
    )


def _counting(part: Any) -> tuple[Any, ...]:
    """SQL: all of this patient's that count, to be added up once and not entry by entry."""
    return (
        part.clinic_id == bindparam("clinic_id"),
        part.patient_id == bindparam("patient_id"),
        part.status != _WITHDRAWN,
    )


_attachments = (
    select(_attachment.note_id, func.count().label("whole"))
    .where(*_counting(_attachment), _attachment.status == _code("final"))
    .group_by(_attachment.note_id)
    .subquery()
)
# Goal by goal: joined, they would be put in order once for each.
_ratings = (
    select(
        func.jsonb_agg(
            aggregate_order_by(
                func.jsonb_build_array(_rating.rater, _rating.level),
                _rating.effective_at,
                _rating.id,
            )
        )
    )
    .where(_of(_rating, GOALS.table, _rating.goal_id), _rating.status != _WITHDRAWN)
    .scalar_subquery()
)
# A date counts once, however often it was ticked; one that was also done is not skipped.
_dates = (
    select(
        _tick.practice_id.label("practice_id"),
        _tick.on.label("on"),
        func.bool_or(_tick.status == _code("done")).label("is_done"),
    )
    .where(*_counting(_tick))
    .group_by(_tick.practice_id, _tick.on)
    .subquery()
)
_ticks = (
    select(
        _dates.c.practice_id,
        func.count().filter(_dates.c.is_done).label("done"),
        func.count().filter(~_dates.c.is_done).label("skipped"),
        func.max(_dates.c.on).filter(_dates.c.is_done).label("last_done_on"),
    )
    .group_by(_dates.c.practice_id)
    .subquery()
)
_NONE: Final = literal_column("0", BigInteger)


class _Row(NamedTuple):
    kind: str
    row: bytes
    id: str
    version: int
    status: str
    effective_at: datetime
    tier: str | None
    source_kind: str | None
    source_id: str | None
    words: bytes
    session_id: str | None
    attachments: int | None
    baseline: int | None
    ratings: list[tuple[str, int]] | None
    due_on: date | None
    done_on: date | None
    activity: str | None
    done: int | None
    skipped: int | None
    last_done_on: date | None


# In no order: it is put in order here, where that costs less.
THREAD: Final = Query(
    union_all(
        _branch(Kind.INTENTION, session_id=cast(INTENTIONS.table.c.dosing_session_id, Text)),
        _branch(
            Kind.EXPERIENCE,
            of=NOTES.table.outerjoin(_attachments, _attachments.c.note_id == NOTES.table.c.id),
            session_id=cast(NOTES.table.c.dosing_session_id, Text),
            attachments=func.coalesce(_attachments.c.whole, _NONE),
        ),
        _branch(Kind.INSIGHT),
        _branch(Kind.GOAL, baseline=GOALS.table.c.baseline_level, ratings=_ratings),
        _branch(
            Kind.STEP,
            of=table(GoalStep).join(table(Goal), _of(_step, GOALS.table, _step.goal_id)),
            tier=_NO_TIER,
            source=(_code(Kind.GOAL), cast(_step.goal_id, Text)),
            visible=(_goal.status != _WITHDRAWN, *may_read(GOALS.table, GOALS.closed, None)),
            due_on=_step.due_on,
            done_on=_step.done_on,
        ),
        _branch(
            Kind.PRACTICE,
            of=PRACTICES.table.outerjoin(_ticks, _ticks.c.practice_id == PRACTICES.table.c.id),
            activity=PRACTICES.table.c.activity,
            done=func.coalesce(_ticks.c.done, _NONE),
            skipped=func.coalesce(_ticks.c.skipped, _NONE),
            last_done_on=_ticks.c.last_done_on,
        ),
        _branch(Kind.COPING),
    ),
    _Row,
)


class Told(NamedTuple):
    """What a reader may see, opened: entries as `schemas.ToldEntryOut`, the newest first.

    is_truncated: there were more than `MOST`.
    """

    entries: list[tuple[Ref, dict[str, Any]]]
    links: list[Link]
    is_truncated: bool


def read_told(db: Db, chart: Chart, since: datetime | None, until: datetime | None) -> Told:
    """The newest entries that this reader may see. since: included; until: not."""
    kinds = [kind.value for kind, shelf in SHELVES.items() if shelf.read_right.is_granted(chart)]
    rows = db.all(
        THREAD,
        patient_id=chart.patient_id,
        kinds=kinds,
        sees_closed=chart.is_own,
        since=since or ALWAYS[0],
        until=until or ALWAYS[1],
    )
    rows.sort(key=_in_time, reverse=True)
    shown = [(Ref(_KINDS[row.kind], row.id), row) for row in rows[:MOST]]
    return Told(
        [(ref, _told(chart, ref.kind, row)) for ref, row in shown],
        [
            Link(Ref(_KINDS[row.source_kind], row.source_id), ref)
            for ref, row in shown
            if row.source_kind is not None and row.source_id is not None
        ],
        len(rows) > MOST,
    )


def read_thread(
    db: Db, chart: Chart, *, since: datetime | None, until: datetime | None
) -> dict[str, Any]:
    """The stories of this record, as `schemas.ThreadOut`."""
    told = read_told(db, chart, since, until)
    by_ref = dict(told.entries)
    entries = [Entry(ref, microseconds(entry["effective_at"])) for ref, entry in told.entries]
    stories = []
    for story in thread.stories(entries, told.links):
        in_order = []
        for one in story:
            entry = by_ref[one.ref]
            # The plain text of a kind: an enum's member takes JSON ten times as long.
            entry["came_from"] = [{"kind": it.kind.value, "id": it.id} for it in one.comes_from]
            in_order.append(entry)
        stories.append({"entries": in_order})
    return {"stories": stories, "is_truncated": told.is_truncated}


def _in_time(row: _Row) -> tuple[datetime, str, str]:
    return row.effective_at, row.id, row.kind


def _told(chart: Chart, kind: Kind, row: _Row) -> dict[str, Any]:
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


def _achieved(goal: _Row) -> dict[str, Any]:
    by: dict[Rater, list[int]] = {}
    for rater, level in goal.ratings or ():
        by.setdefault(Rater(rater), []).append(level)
    shown = attainment.rater_shown(by)
    said = by[shown] if shown is not None else []
    return {
        "achievement_status": attainment.achievement(goal.baseline, said, State(goal.status)),
        "achievement_by": shown and shown.value,
    }
