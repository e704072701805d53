"""What is wrong, in words."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import literal_column, select

from app.kernel import outbox
from app.kernel.db import Db, Query
from app.kernel.errors import Problem
from app.kernel.settings import Settings
from app.operations import stack
from app.safety.monitoring import WORKER_SILENT_AFTER

ROLE = Query(
    select(
        literal_column(
            "(SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = session_user)"
        ),
        literal_column("(SELECT version_num FROM alembic_version)"),
    ),
    lambda *values: values,
)


def examine(settings: Settings) -> list[str]:
    """Complaints; empty when nothing is wrong."""
    database = stack.direct(settings)
    complaints: list[str] = []
    try:
        stack.require_durability(database)
    except stack.NotDurable as names:
        complaints.append(
            f"PostgreSQL may lose what it acknowledged: {names} is off. The server does not start."
        )
    except Problem:
        return ["PostgreSQL does not answer, or refuses this login; the server answers 503."]

    def look(db: Db) -> tuple[Any, outbox.Backlog]:
        return db.one(ROLE), outbox.backlog(db)

    try:
        (is_privileged, version), backlog = database.run(look)
    except Problem:
        return [*complaints, "The tables are not there; run `afterglow migrate`."]
    if version != newest_version():
        complaints.append("The tables are of another version; run `afterglow migrate`.")
    if is_privileged:
        complaints.append(
            "The login of AFTERGLOW_DATABASE_URL may step over row-level security. Give the"
            " application a login of its own: CREATE ROLE … LOGIN IN ROLE afterglow_app."
        )
    return complaints + _of_worker(backlog, datetime.now(UTC))


def newest_version() -> str | None:
    """The migration that this version of the code expects."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(Config(stack.ROOT / "alembic.ini")).get_current_head()


def _of_worker(backlog: outbox.Backlog, now: datetime) -> list[str]:
    if backlog.seen_at is None:
        return ["The worker has never been seen; run `afterglow worker`. Nobody is told of flags."]
    if now - backlog.seen_at > WORKER_SILENT_AFTER:
        minutes = int((now - backlog.seen_at).total_seconds() // 60)
        ago = f"The worker was last seen {minutes} minutes ago"
        return [f"{ago}; {backlog.waiting} promises wait. Care teams are told of flags late."]
    return []
