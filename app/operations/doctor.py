"""What is wrong, in words."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import literal_column, select

from app.kernel import outbox
from app.kernel.db import Db, Direct, Query
from app.kernel.errors import Kind, Problem
from app.kernel.settings import Settings
from app.operations import stack
from app.safety import waiting
from app.safety.monitoring import WORKER_SILENT_AFTER
from app.worker import ALARM_LOOPS, ERRANDS

ROLE = Query(
    select(
        literal_column(
            "(SELECT rolsuper OR rolbypassrls OR EXISTS (SELECT FROM pg_class"
            " WHERE relname = 'ledger' AND pg_has_role(session_user, relowner, 'USAGE'))"
            " FROM pg_roles WHERE rolname = session_user)"
        )
    ),
    bool,
)

_WHAT_IT_DOES: Final = {
    **{
        loop: f"nobody at a clinic is told of flags by {channel}"
        for channel, loop in ALARM_LOOPS.items()
    },
    ERRANDS: "no patient is reminded",
}
_TOO_LATE: Final = timedelta(minutes=5)
"""Of a promise whose time has come."""
_WRONG_KEYS = (
    "The keyring is not the one this database was sealed with. Put the right file where"
    " AFTERGLOW_KEY_FILE or the data directory says; the server does not start without."
)
_NO_ANSWER = (
    "PostgreSQL does not answer, or refuses this login or its role afterglow_app; the server"
    " answers 503. Where tables were never made, run `afterglow migrate` first."
)


def examine(settings: Settings) -> list[str]:
    """Complaints; empty when nothing is wrong."""
    try:
        database = stack.direct(settings)
    except stack.WrongTables:
        return ["The tables are of another version; run `afterglow migrate`."]
    except stack.WrongKeys:
        return [_WRONG_KEYS]
    except Problem as problem:
        if problem.kind is Kind.INTERNAL:
            return ["The tables are not there; run `afterglow migrate`."]
        return [_NO_ANSWER]
    try:
        return look_into(database, datetime.now(UTC))
    finally:
        database.close()


def look_into(database: Direct, now: datetime) -> list[str]:
    """The same, of a database that answers and whose tables are these."""
    complaints: list[str] = []
    try:
        stack.require_durability(database)
    except stack.NotDurable as names:
        complaints.append(
            f"PostgreSQL may lose what it acknowledged: {names} is off. The server does not start."
        )
    is_privileged, seen = database.run(lambda db: (db.one(ROLE), _look(db, now)))
    if is_privileged:
        complaints.append(
            "The login of AFTERGLOW_DATABASE_URL may step over row-level security. Give the"
            " application a login of its own: CREATE ROLE … LOGIN IN ROLE afterglow_app."
        )
    # With the worker away, what its loops leave undone is no news.
    complaints += _of_worker(seen.backlog, now) or [
        *_of_loops(seen.loops, now),
        *_of_topics(seen.topics, now),
    ]
    return complaints + waiting.complaints(seen.rounds, now)


class _Seen(NamedTuple):
    """What the metrics show, for words."""

    backlog: outbox.Backlog
    loops: dict[str, datetime]
    topics: list[outbox.Waiting]
    rounds: list[waiting.WaitingRounds]


def _look(db: Db, now: datetime) -> _Seen:
    return _Seen(
        outbox.backlog(db, now),
        outbox.loops_seen_at(db),
        outbox.backlog_by_topic(db, now),
        waiting.waiting_rounds(db),
    )


def _of_loops(seen_at: Mapping[str, datetime], now: datetime) -> list[str]:
    """The loops beside the one that tells; they die one by one, or wait for somebody who hangs."""
    silent = []
    for loop, what in _WHAT_IT_DOES.items():
        at = seen_at.get(loop)
        if at is None:
            silent.append(f"The worker's loop {loop} was never seen: {what}. Restart the worker.")
        elif now - at > WORKER_SILENT_AFTER:
            minutes = int((now - at).total_seconds() // 60)
            silent.append(
                f"The worker's loop {loop} was last seen {minutes} minutes ago: {what}. Look into"
                " its log, and restart it."
            )
    return silent


def _of_topics(topics: Iterable[outbox.Waiting], now: datetime) -> list[str]:
    return [
        f"{one.waiting} promises of {one.topic} wait, the oldest for"
        f" {int((now - one.oldest_due_at).total_seconds() // 60)} minutes. Whoever they are for is"
        " told late."
        for one in topics
        if now - one.oldest_due_at > _TOO_LATE
    ]


def _of_worker(backlog: outbox.Backlog, now: datetime) -> list[str]:
    if backlog.seen_at is None:
        return ["The worker has never been seen; run `afterglow worker`. Nobody is told of flags."]
    if now - backlog.seen_at > WORKER_SILENT_AFTER:
        minutes = int((now - backlog.seen_at).total_seconds() // 60)
        ago = f"The worker was last seen {minutes} minutes ago"
        return [f"{ago}; {backlog.waiting} promises wait. Care teams are told of flags late."]
    return []
