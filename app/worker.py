"""Keeps what the outbox promised. Any number may run; each promise is kept in one transaction.

A promise that cannot be kept now is tried again later; one that is held by a worker that died
is free again the moment its connection is gone.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event
from time import sleep
from typing import Any, Final
from uuid import UUID

import psycopg

from app.kernel import clock, outbox
from app.kernel.db import Db, Direct, libpq
from app.kernel.errors import Problem
from app.kernel.log import logger
from app.kernel.outbox import Due
from app.safety import service as safety

IDLE_SECONDS: Final = 0.5
BEAT_EVERY: Final = timedelta(seconds=5)


def _tell(db: Db, body: dict[str, Any], now: datetime) -> None:
    safety.tell(
        db,
        flag_id=UUID(body["flag_id"]),
        patient_id=UUID(body["patient_id"]),
        round_=body["round"],
        now=now,
    )


KEEPERS: Final[dict[str, Callable[[Db, dict[str, Any], datetime], None]]] = {
    safety.TELL_TOPIC: _tell,
}


class Bell:
    """Rings when a promise is committed, so that nobody waits for the next look.

    url: a direct connection; NOTIFY does not come through a pooler. Where it cannot be had the
    bell is silent and the worker goes by the clock.
    """

    def __init__(self, url: str) -> None:
        self._url = libpq(url)
        self._connection: psycopg.Connection[Any] | None = None

    def wait(self, seconds: float) -> None:
        """Until it rings, or for so long."""
        try:
            if self._connection is None:
                self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
                self._connection.execute(f"LISTEN {outbox.BELL}")
            for _ in self._connection.notifies(timeout=seconds, stop_after=1):
                pass
        except psycopg.Error:
            self.close()
            sleep(seconds)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def run(database: Direct, bell: Bell, stop: Event, now: clock.Clock = clock.now) -> None:
    """Work until told to stop. A database that is away is waited for."""
    beat_at: datetime | None = None
    while not stop.is_set():
        at = now()
        try:
            if beat_at is None or at - beat_at >= BEAT_EVERY:
                database.run(lambda db, at=at: outbox.beat(db, at))  # type: ignore[misc]
                beat_at = at
            while not stop.is_set() and keep_one(database, now()):
                pass
        except Problem as problem:
            logger().warning("worker.waits", problem=problem.kind.code)
        bell.wait(IDLE_SECONDS)
    bell.close()


def keep_one(database: Direct, now: datetime) -> bool:
    """Keep the promise that has waited longest. Returns: whether there was one."""
    held: list[Due] = []

    def keep(db: Db) -> bool:
        held.clear()
        held.extend(outbox.claim(db, now))
        for item in held:
            db.enter(item.clinic_id)
            KEEPERS[item.topic](db, item.body, now)
            outbox.done(db, item, now)
        return bool(held)

    try:
        return database.run(keep)
    except Exception as error:
        if not held:
            raise
        logger().error("worker.failed", topic=held[0].topic, item=str(held[0].id), error=error)
        database.run(lambda db: outbox.later(db, held[0], now))
        return True
