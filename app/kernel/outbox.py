"""Work promised in the same transaction as what made it necessary.

`promise` adds a row and rings; the worker takes what is due, does it, and marks it done in one
transaction of its own, so a worker that dies holding a claim has not done it and another will.
A row's body is ids and codes, never words.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, and_, any_, bindparam, func, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.types import BigInteger, Text
from uuid_utils.compat import uuid7

from app.kernel.db import Change, Db, Query, itself
from app.kernel.tables import Heartbeat, OutboxItem, columns

BELL: Final = "afterglow_outbox"
"""The NOTIFY channel that rings when a promise is committed."""
WORKER: Final = "worker"
"""The heartbeat of the loop that puts flags before those who must see them."""


class Due(NamedTuple):
    """A promise to keep."""

    id: UUID
    clinic_id: UUID
    topic: str
    body: dict[str, Any]
    attempts: int


class NotYet(Exception):
    """A promise cannot be kept now, for no fault of ours. at: when to try again, if known."""

    def __init__(self, at: datetime | None = None) -> None:
        super().__init__()
        self.at = at


class Waiting(NamedTuple):
    """How far behind the promises of one topic are."""

    topic: str
    waiting: int
    oldest_due_at: datetime


class Backlog(NamedTuple):
    """How far behind the worker is, and when it was last seen."""

    waiting: int
    oldest_due_at: datetime | None
    seen_at: datetime | None


_item = columns(OutboxItem)
_heartbeat = columns(Heartbeat)
PROMISE = Change(upsert(OutboxItem).on_conflict_do_nothing(index_elements=["dedupe_key"]))
# What was never tried is due whatever its clock said: an API process whose clock runs ahead must
# not keep a care team from being told. Only the worker's own clock says when to try again.
CLAIM = Query(
    select(_item.id, _item.clinic_id, _item.topic, _item.body, _item.attempts)
    .where(
        _item.done_at.is_(None),
        _item.topic == any_(bindparam("topics", type_=ARRAY(Text))),
        or_(
            and_(_item.attempts == 0, _item.is_timer.is_(False)),
            _item.due_at <= bindparam("now"),
        ),
    )
    .order_by(_item.due_at, _item.id)
    .limit(bindparam("limit", type_=BigInteger))
    .with_for_update(skip_locked=True),
    Due,
)
DONE = Change(
    update(OutboxItem).where(_item.id == bindparam("item_id")).values(done_at=bindparam("now"))
)
LATER = Change(
    update(OutboxItem)
    .where(_item.id == bindparam("item_id"))
    .values(due_at=bindparam("retry_at"), attempts=_item.attempts + 1)
)
_IS_WAITING = and_(
    _item.done_at.is_(None),
    # A timer waits on purpose until its time has come.
    or_(_item.is_timer.is_(False), _item.due_at <= bindparam("now")),
)
BACKLOG = Query(
    select(
        func.count(),
        func.min(_item.due_at),
        select(func.max(_heartbeat.at)).where(_heartbeat.name == "worker").scalar_subquery(),
    ).where(_IS_WAITING),
    Backlog,
)
BACKLOG_BY_TOPIC = Query(
    select(
        _item.topic,
        func.count(),
        func.min(_item.due_at),
    )
    .where(_IS_WAITING)
    .group_by(_item.topic)
    .order_by(_item.topic),
    Waiting,
)
SEEN_AT = Query(select(_heartbeat.at).where(_heartbeat.name == bindparam("beat_name")), itself)
ALL_SEEN_AT = Query(
    select(_heartbeat.name, _heartbeat.at).order_by(_heartbeat.name), lambda name, at: (name, at)
)
RING = Change(select(func.pg_notify(literal_column(f"'{BELL}'"), literal_column("''"))))
_beat = upsert(Heartbeat).values(name=bindparam("beat_name"), at=bindparam("now"))
BEAT = Change(_beat.on_conflict_do_update(index_elements=["name"], set_={"at": _beat.excluded.at}))


def promise(
    db: Db,
    topic: str,
    *,
    body: dict[str, Any],
    dedupe_key: str,
    now: datetime,
    at: datetime | None = None,
) -> None:
    """Promise work; it exists if and only if the transaction commits.

    dedupe_key: the same promise made twice is kept once. at: not before then; None: at once.
    """
    db.add(
        PROMISE,
        id=uuid7(),
        topic=topic,
        dedupe_key=dedupe_key,
        body=body,
        created_at=now,
        due_at=at or now,
        is_timer=at is not None,
        attempts=0,
        done_at=None,
    )
    db.add(RING)


def claim(db: Db, topics: Iterable[str], now: datetime, limit: int = 1) -> list[Due]:
    """What is due and nobody else is doing; held until the transaction ends."""
    return db.change(CLAIM, topics=sorted(topics), now=now, limit=limit)


def done(db: Db, item: Due, now: datetime) -> None:
    """Kept."""
    db.add(DONE, item_id=item.id, now=now)


def later(db: Db, item: Due, now: datetime, at: datetime | None = None) -> None:
    """Could not be kept now: again after 1, 2, 4 … 300 seconds, or at this instant if it is later.

    Never sooner: who is told to come back at once by somebody else would do nothing but that.
    """
    soonest = now + timedelta(seconds=min(300, 2 ** min(item.attempts, 10)))
    db.add(LATER, item_id=item.id, retry_at=soonest if at is None else max(at, soonest))


def beat(db: Db, now: datetime, name: str = WORKER) -> None:
    """The worker is alive, or one of its loops is."""
    db.add(BEAT, beat_name=name, now=now)


def backlog(db: Db, now: datetime) -> Backlog:
    """How the worker is doing."""
    return db.one(BACKLOG, now=now)


def backlog_by_topic(db: Db, now: datetime) -> list[Waiting]:
    """What waits, topic by topic."""
    return db.all(BACKLOG_BY_TOPIC, now=now)


def worker_seen_at(db: Db, name: str = WORKER) -> datetime | None:
    """When a worker, or one of its loops, was last alive, if ever."""
    return db.first(SEEN_AT, beat_name=name)


def loops_seen_at(db: Db) -> dict[str, datetime]:
    """When each loop that there ever was was last alive; `worker` is the one that tells."""
    return dict(db.all(ALL_SEEN_AT))
