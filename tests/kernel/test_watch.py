"""What the server tells its operator about the worker."""

from datetime import UTC, datetime, timedelta

from prometheus_client import Gauge

from app.kernel.outbox import Backlog
from app.kernel.watch import OLDEST_SECONDS, WAITING, WORKER_SILENT_SECONDS, note_backlog

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def gauges(backlog: Backlog) -> tuple[float, float, float]:
    """Waiting, age of the oldest, silence of the worker."""
    note_backlog(backlog, NOW)
    return read(WAITING), read(OLDEST_SECONDS), read(WORKER_SILENT_SECONDS)


def read(gauge: Gauge) -> float:
    (metric,) = gauge.collect()
    return metric.samples[0].value


class TestNoteBacklog:
    def test_what_waits_and_since_when(self) -> None:
        assert gauges(Backlog(3, NOW - 2 * MINUTE, NOW - MINUTE)) == (3, 120, 60)

    def test_nothing_waits(self) -> None:
        assert gauges(Backlog(0, None, NOW)) == (0, 0, 0)

    def test_a_worker_that_was_never_seen_is_told_from_a_silent_one(self) -> None:
        assert gauges(Backlog(0, None, None)) == (0, 0, -1)

    def test_a_clock_that_is_ahead_makes_no_negative_age(self) -> None:
        assert gauges(Backlog(1, NOW + MINUTE, NOW + MINUTE)) == (1, 0, 0)
