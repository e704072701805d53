"""The thread of a record: what came from what, as far as the reader may see.

Hides the one statement that gathers every kind from its own table. What a reader may not see is
left out there; what they see is opened here, and nothing else is.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
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
FIRST_WORDS: Final = 200
"""Characters of an entry that are told."""
ALWAYS: Final = (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))

_SHELVES: Final[Mapping[Kind, Shelf[Any, Any]]] = {
    Kind.INTENTION: INTENTIONS,
    Kind.EXPERIENCE: NOTES,
    Kind.INSIGHT: INSIGHTS,
    Kind.GOAL: GOALS,
    Kind.STEP: STEPS,
    Kind.PRACTICE: PRACTICES,
    Kind.COPING: STRATEGIES,
}

_goal = columns(Goal)
_step = columns(GoalStep)
_rating = columns(GoalRating)
_tick = columns(PracticeTick)
_attachment = columns(Attachment)
_NOTHING: Final = cast(null(), JSONB)


def _code(word: str) -> Any:
    """SQL: a word of our own."""
    return literal_column(f"'{word}'", Text)


_WITHDRAWN: Final = _code(ENTERED_IN_ERROR)


def _object(**members: Any) -> Any:
    """SQL: a JSON object of these columns."""
    pairs = [part for name, column in members.items() for part in (_code(name), column)]
    return func.jsonb_build_object(*pairs, type_=JSONB)


def _branch(
    kind: Kind,
    more: Any = _NOTHING,
    *,
    of: Any = None,
    tier: Any = None,
    came_from: Any = None,
    visible: Any = None,
) -> Any:
    """SQL: the newest entries of one kind that count and that the reader may see.

    more: what is told of this kind only. of: what it is read from, where that is more than its
    table. tier, came_from, visible: for what has no tier of its own.
    """
    shelf = _SHELVES[kind]
    kept = shelf.table
    return (
        select(
            _code(kind).label("kind"),
            kept.c.id.label("id"),
            kept.c.version,
            kept.c.status,
            kept.c.effective_at.label("effective_at"),
            kept.c.tier if tier is None else tier,
            kept.c.came_from if came_from is None else came_from,
            kept.c.words,
            more,
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


_attachments = (
    select(func.count())
    .select_from(table(Attachment))
    .where(_of(_attachment, NOTES.table, _attachment.note_id), _attachment.status == _code("final"))
    .scalar_subquery()
)
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
    .where(
        _tick.clinic_id == bindparam("clinic_id"),
        _tick.patient_id == bindparam("patient_id"),
        _tick.status != _WITHDRAWN,
    )
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
_NO_TICKS: Final = literal_column("0", BigInteger)


class _Row(NamedTuple):
    kind: str
    id: UUID
    version: int
    status: str
    effective_at: datetime
    tier: str | None
    came_from: dict[str, str] | None
    words: bytes
    more: dict[str, Any] | None


_gathered = union_all(
    _branch(Kind.INTENTION, _object(session=INTENTIONS.table.c.dosing_session_id)),
    _branch(
        Kind.EXPERIENCE,
        _object(session=NOTES.table.c.dosing_session_id, attachments=_attachments),
    ),
    _branch(Kind.INSIGHT),
    _branch(Kind.GOAL, _object(baseline=GOALS.table.c.baseline_level, ratings=_ratings)),
    _branch(
        Kind.STEP,
        _object(due_on=_step.due_on, done_on=_step.done_on),
        of=table(GoalStep).join(table(Goal), _of(_step, GOALS.table, _step.goal_id)),
        tier=cast(null(), Text),
        came_from=_object(kind=_code(Kind.GOAL), id=_step.goal_id),
        visible=(_goal.status != _WITHDRAWN, *may_read(GOALS.table, GOALS.closed, None)),
    ),
    _branch(
        Kind.PRACTICE,
        _object(
            activity=PRACTICES.table.c.activity,
            done=func.coalesce(_ticks.c.done, _NO_TICKS),
            skipped=func.coalesce(_ticks.c.skipped, _NO_TICKS),
            last_done_on=_ticks.c.last_done_on,
        ),
        of=PRACTICES.table.outerjoin(_ticks, _ticks.c.practice_id == PRACTICES.table.c.id),
    ),
    _branch(Kind.COPING),
).subquery()
THREAD: Final = Query(
    select(_gathered)
    .order_by(_gathered.c.effective_at.desc(), _gathered.c.id.desc(), _gathered.c.kind)
    .limit(literal_column(str(MOST + 1))),
    _Row,
)


class Told(NamedTuple):
    """What a reader may see, opened: entries as `schemas.ToldEntryOut`, the newest first.

    is_truncated: there were more than `MOST`.
    """

    entries: dict[Ref, dict[str, Any]]
    links: list[Link]
    is_truncated: bool


def read_told(db: Db, chart: Chart, since: datetime | None, until: datetime | None) -> Told:
    """The newest entries that this reader may see. since: included; until: not."""
    kinds = [kind.value for kind, shelf in _SHELVES.items() if shelf.read_right.is_granted(chart)]
    rows = db.all(
        THREAD,
        patient_id=chart.patient_id,
        kinds=kinds,
        sees_closed=chart.is_own,
        since=since or ALWAYS[0],
        until=until or ALWAYS[1],
    )
    shown = rows[:MOST]
    refs = [Ref(Kind(row.kind), row.id) for row in shown]
    return Told(
        {ref: _told(chart, ref, row) for ref, row in zip(refs, shown, strict=True)},
        [
            Link(Ref(Kind(row.came_from["kind"]), UUID(row.came_from["id"])), ref)
            for ref, row in zip(refs, shown, strict=True)
            if row.came_from is not None
        ],
        len(rows) > MOST,
    )


def read_thread(
    db: Db, chart: Chart, *, since: datetime | None, until: datetime | None
) -> dict[str, Any]:
    """The stories of this record, as `schemas.ThreadOut`."""
    told = read_told(db, chart, since, until)
    entries = [
        Entry(ref, microseconds(entry["effective_at"])) for ref, entry in told.entries.items()
    ]
    return {
        "stories": [
            {
                "entries": [
                    {
                        **told.entries[one.ref],
                        "came_from": [{"kind": it.kind, "id": it.id} for it in one.comes_from],
                    }
                    for one in story
                ]
            }
            for story in thread.stories(entries, told.links)
        ],
        "is_truncated": told.is_truncated,
    }


def _told(chart: Chart, ref: Ref, row: _Row) -> dict[str, Any]:
    members = _SHELVES[ref.kind].members(chart, row.id, row.words)
    more = row.more or {}
    words, is_shortened = first_words(members["words"])
    return {
        "kind": row.kind,
        "id": row.id,
        "version": row.version,
        "status": row.status,
        "effective_at": row.effective_at,
        "tier": row.tier,
        "words": words,
        "is_shortened": is_shortened,
        "dosing_session_id": more.get("session"),
        "note": None
        if ref.kind is not Kind.EXPERIENCE
        else {
            "how_strong": members.get("how_strong"),
            "how_challenging": members.get("how_challenging"),
            "attachments": more["attachments"],
        },
        "goal": _achieved(State(row.status), more) if ref.kind is Kind.GOAL else None,
        "step": more if ref.kind is Kind.STEP else None,
        "practice": more if ref.kind is Kind.PRACTICE else None,
    }


def first_words(words: str) -> tuple[str, bool]:
    """How a text begins, on one line, and whether there is more of it."""
    begins = " ".join(words[: 4 * FIRST_WORDS].split())
    is_shortened = len(begins) > FIRST_WORDS or len(words) > 4 * FIRST_WORDS
    if not is_shortened:
        return begins, False
    cut = begins[: FIRST_WORDS + 1]
    return (cut.rpartition(" ")[0] or cut[:FIRST_WORDS]), True


def _achieved(state: State, more: dict[str, Any]) -> dict[str, Any]:
    by: dict[Rater, list[int]] = {rater: [] for rater in Rater}
    for rater, level in more["ratings"] or ():
        by[Rater(rater)].append(level)
    shown = attainment.rater_shown(by)
    said = by[shown] if shown is not None else []
    return {
        "achievement_status": attainment.achievement(more["baseline"], said, state),
        "achievement_by": shown,
    }
