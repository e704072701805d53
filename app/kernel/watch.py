"""Watching the watcher: what the server tells its operator about the worker and its loops."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from prometheus_client import Gauge

from app.kernel.outbox import Backlog, Waiting
from app.kernel.strict import Open

WAITING: Final = Gauge("afterglow_outbox_waiting", "Promises not kept yet.")
OLDEST_SECONDS: Final = Gauge("afterglow_outbox_oldest_seconds", "Age of the oldest of them.")
WORKER_SILENT_SECONDS: Final = Gauge(
    "afterglow_worker_silent_seconds", "Since the worker was last seen; -1: never."
)
LOOP_SILENT_SECONDS: Final = Gauge(
    "afterglow_loop_silent_seconds", "Since a loop of the worker was last seen.", ["loop"]
)
UNDELIVERED_SECONDS: Final = Gauge(
    "afterglow_undelivered_seconds", "Age of the oldest promise that waits, by topic.", ["topic"]
)


class Health(Open):
    """ok"""

    status: str


def note_backlog(backlog: Backlog, now: datetime) -> None:
    """Set the gauges."""
    WAITING.set(backlog.waiting)
    OLDEST_SECONDS.set(_seconds(backlog.oldest_due_at, now) if backlog.oldest_due_at else 0)
    WORKER_SILENT_SECONDS.set(_seconds(backlog.seen_at, now) if backlog.seen_at else -1)


def note_loops(seen_at: Mapping[str, datetime], now: datetime) -> None:
    """Set the gauge of each loop that there ever was."""
    for loop, at in seen_at.items():
        LOOP_SILENT_SECONDS.labels(loop).set(_seconds(at, now))


def note_topics(waiting: Iterable[Waiting], now: datetime) -> None:
    """Set the gauge of each topic of which something waits, and forget the others."""
    UNDELIVERED_SECONDS.clear()
    for one in waiting:
        UNDELIVERED_SECONDS.labels(one.topic).set(_seconds(one.oldest_due_at, now))


def _seconds(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())
