"""Watching the watcher: what the server tells its operator about the worker."""

from datetime import datetime
from typing import Final

from prometheus_client import Gauge

from app.kernel.outbox import Backlog
from app.kernel.strict import Open

WAITING: Final = Gauge("afterglow_outbox_waiting", "Promises not kept yet.")
OLDEST_SECONDS: Final = Gauge("afterglow_outbox_oldest_seconds", "Age of the oldest of them.")
WORKER_SILENT_SECONDS: Final = Gauge(
    "afterglow_worker_silent_seconds", "Since the worker was last seen; -1: never."
)


class Health(Open):
    """ok"""

    status: str


def note_backlog(backlog: Backlog, now: datetime) -> None:
    """Set the gauges."""
    WAITING.set(backlog.waiting)
    OLDEST_SECONDS.set(_seconds(backlog.oldest_due_at, now) if backlog.oldest_due_at else 0)
    WORKER_SILENT_SECONDS.set(_seconds(backlog.seen_at, now) if backlog.seen_at else -1)


def _seconds(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())
