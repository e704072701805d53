"""How long rounds have waited for somebody to acknowledge them, over all clinics.

For whoever keeps the server running: counts and ages, and nothing of whom or where.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from prometheus_client import Gauge
from sqlalchemy import BigInteger, DateTime, Text, column, func, select

from app.clinical.risk import Level
from app.kernel.db import Db, Query

ROUNDS: Final = Gauge(
    "afterglow_unacknowledged_rounds", "Rounds that nobody has acknowledged.", ["level"]
)
OLDEST_SECONDS: Final = Gauge(
    "afterglow_unacknowledged_round_seconds", "Age of the oldest of them; 0: none.", ["level"]
)
LEVELS: Final = (Level.HIGH, Level.MODERATE, Level.LOW)
TOO_LONG: Final = {
    Level.HIGH: timedelta(minutes=30),
    Level.MODERATE: timedelta(days=1),
    Level.LOW: timedelta(days=7),
}
"""After this `afterglow doctor` speaks of it: our convention. At thirty minutes the policy that
ships has told the administrators too.
"""


class WaitingRounds(NamedTuple):
    """Of one level. oldest_at: when the oldest of them began."""

    level: str
    waiting: int
    oldest_at: datetime


_rounds = func.waiting_rounds().table_valued(
    column("level", Text),
    column("waiting", BigInteger),
    column("oldest_at", DateTime(timezone=True)),
)
WAITING = Query(select(_rounds.c.level, _rounds.c.waiting, _rounds.c.oldest_at), WaitingRounds)


def waiting_rounds(db: Db) -> list[WaitingRounds]:
    """By level, where there are any."""
    return db.all(WAITING)


def note_waiting(rounds: Iterable[WaitingRounds], now: datetime) -> None:
    """Set the gauges."""
    by_level = {one.level: one for one in rounds}
    for level in LEVELS:
        found = by_level.get(level.value)
        ROUNDS.labels(level.value).set(found.waiting if found else 0)
        age = max(0.0, (now - found.oldest_at).total_seconds()) if found else 0.0
        OLDEST_SECONDS.labels(level.value).set(age)


def complaints(rounds: Iterable[WaitingRounds], now: datetime) -> list[str]:
    """What is wrong, in words."""
    by_level = {one.level: one for one in rounds}
    return [
        f"A flag of level {level.value} has waited {int(age.total_seconds() // 60)} minutes for"
        f" somebody to acknowledge it ({found.waiting} of that level wait). Somebody should look"
        " at the list of flags, and at whether those who are told can be reached."
        for level in LEVELS
        if (found := by_level.get(level.value)) is not None
        and (age := now - found.oldest_at) > TOO_LONG[level]
    ]
