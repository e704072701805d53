"""What is wrong, in words."""

from contextlib import closing
from datetime import UTC, datetime

from sqlalchemy import literal_column, select

from app.kernel import outbox
from app.kernel.db import Direct, Query
from app.kernel.errors import Kind, Problem
from app.kernel.settings import Settings
from app.operations import stack
from app.safety.monitoring import WORKER_SILENT_AFTER

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
    with closing(database):
        return _complaints(database)


def _complaints(database: Direct) -> list[str]:
    complaints: list[str] = []
    try:
        stack.require_durability(database)
    except stack.NotDurable as names:
        complaints.append(
            f"PostgreSQL may lose what it acknowledged: {names} is off. The server does not start."
        )
    now = datetime.now(UTC)
    is_privileged, backlog = database.run(lambda db: (db.one(ROLE), outbox.backlog(db, now)))
    if is_privileged:
        complaints.append(
            "The login of AFTERGLOW_DATABASE_URL may step over row-level security. Give the"
            " application a login of its own: CREATE ROLE … LOGIN IN ROLE afterglow_app."
        )
    return complaints + _of_worker(backlog, now)


def _of_worker(backlog: outbox.Backlog, now: datetime) -> list[str]:
    if backlog.seen_at is None:
        return ["The worker has never been seen; run `afterglow worker`. Nobody is told of flags."]
    if now - backlog.seen_at > WORKER_SILENT_AFTER:
        minutes = int((now - backlog.seen_at).total_seconds() // 60)
        ago = f"The worker was last seen {minutes} minutes ago"
        return [f"{ago}; {backlog.waiting} promises wait. Care teams are told of flags late."]
    return []
