"""Keeps what the outbox promised. Any number may run; each promise is kept in one transaction.

A promise that cannot be kept now is tried again later; one that is held by a worker that died
is free again the moment its connection is gone.

Several loops, each with a connection and a heartbeat of its own. `run` puts flags before those who
must see them, which is a row in their inbox, and waits for nothing else. `run_alarms` writes to the
addresses of those who were told, one loop for each channel: a mail server that hangs keeps no
webhook back. `run_errands` looks for what patients are to be reminded of, writes to their
devices, and deletes what was sent of uploads that nobody finished and the console's sessions that
have long been over. When a loop that tells has not been seen for a minute, the API's process stands
in for it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from threading import Event
from time import sleep
from typing import Any, Final
from uuid import UUID

import psycopg

from app.console import session
from app.experience import uploads
from app.kernel import clock, outbox
from app.kernel.channels import Channels
from app.kernel.db import Db, Direct, libpq
from app.kernel.errors import Problem
from app.kernel.log import logger
from app.kernel.outbox import Due
from app.people.clinics import all_clinics
from app.reminders import service as reminders
from app.safety import alerts
from app.safety import service as safety
from app.safety.monitoring import WORKER_SILENT_AFTER

IDLE_SECONDS: Final = 0.5
STAND_IN_EVERY: Final = 15.0
BEAT_EVERY: Final = timedelta(seconds=5)
LOOK_EVERY: Final = timedelta(seconds=15)
TIDY_EVERY: Final = timedelta(hours=1)

ERRANDS: Final = "errands"
ALARM_LOOPS: Final = {channel: f"alarms/{channel}" for channel in alerts.DELIVER_TOPICS}
LOOPS: Final = (outbox.WORKER, *ALARM_LOOPS.values(), ERRANDS)
"""Names of the heartbeats, the one that tells first."""

Keepers = Mapping[str, Callable[[Db, dict[str, Any], datetime], None]]


def _tell(db: Db, body: dict[str, Any], now: datetime) -> None:
    alerts.keep_round(db, flag_id=UUID(body["flag_id"]), round_=body["round"], now=now)


KEEPERS: Final[Keepers] = {safety.TELL_TOPIC: _tell}


def errands(channels: Channels) -> Keepers:
    """What may be slow."""
    return {reminders.DELIVER_TOPIC: partial(reminders.deliver, channels=channels)}


def alarms(channels: Channels, link: str) -> Keepers:
    """Writing to those who have to see a flag. link: where flags are looked at."""
    deliver = partial(alerts.deliver, at=channels, link=link)
    return dict.fromkeys((alerts.DELIVER_TOPIC, *alerts.DELIVER_TOPICS.values()), deliver)


def alarms_by_loop(channels: Channels, link: str) -> dict[str, Keepers]:
    """The same, for a loop each; what a version before promised is any loop's."""
    every = alarms(channels, link)
    return {
        loop: {topic: every[topic] for topic in (alerts.DELIVER_TOPIC, topic_of)}
        for loop, topic_of in (
            (ALARM_LOOPS[channel], topic) for channel, topic in alerts.DELIVER_TOPICS.items()
        )
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
    """Tell care teams until told to stop. A database that is away is waited for."""
    beat_at: datetime | None = None
    while not stop.is_set():
        at = now()
        try:
            if _is_time(beat_at, BEAT_EVERY, at):
                database.run(lambda db, at=at: outbox.beat(db, at))  # type: ignore[misc]
                beat_at = at
            if keep_one(database, now()):
                continue
        except Problem as problem:
            logger().warning("worker.waits", problem=problem.kind.code)
        bell.wait(IDLE_SECONDS)
    bell.close()


def run_alarms(
    database: Direct, loop: str, keepers: Keepers, stop: Event, now: clock.Clock = clock.now
) -> None:
    """Write to those who have to see a flag until told to stop. loop: the name of its heartbeat."""
    beat_at: datetime | None = None
    while not stop.is_set():
        at = now()
        try:
            if _is_time(beat_at, BEAT_EVERY, at):
                database.run(lambda db, at=at: outbox.beat(db, at, loop))  # type: ignore[misc]
                beat_at = at
            if keep_one(database, now(), keepers):
                continue
        except Problem as problem:
            logger().warning("worker.waits", problem=problem.kind.code)
        except Exception as error:  # nobody would miss a thread that ended
            logger().error("worker.failed", topic=loop, error=error)
        stop.wait(IDLE_SECONDS)
    database.close()


def stand_in(
    database: Direct,
    keepers: Keepers,
    stop: Event,
    now: clock.Clock = clock.now,
    *,
    loop: str = outbox.WORKER,
) -> None:
    """In the API's process: do a loop's work while it has not been seen for a minute."""
    while not stop.wait(STAND_IN_EVERY):
        try:
            seen_at = database.run(lambda db: outbox.worker_seen_at(db, loop))
            if seen_at is not None and now() - seen_at <= WORKER_SILENT_AFTER:
                continue
            while not stop.is_set() and keep_one(database, now(), keepers):
                pass
        except Problem as problem:
            logger().warning("stand_in.waits", problem=problem.kind.code)
        except Exception as error:  # as above
            logger().error("worker.failed", topic="stand-in", error=error)
    database.close()


def run_errands(
    database: Direct, channels: Channels, stop: Event, now: clock.Clock = clock.now
) -> None:
    """Remind patients until told to stop. A database that is away is waited for."""
    keepers = errands(channels)
    looked_at: datetime | None = None
    tidied_at: datetime | None = None
    beat_at: datetime | None = None
    while not stop.is_set():
        at = now()
        try:
            if _is_time(beat_at, BEAT_EVERY, at):
                database.run(lambda db, at=at: outbox.beat(db, at, ERRANDS))  # type: ignore[misc]
                beat_at = at
            if _is_time(looked_at, LOOK_EVERY, at):
                look_around(database, at)
                looked_at = at
            if _is_time(tidied_at, TIDY_EVERY, at):
                tidied_at = at
                tidy(database, at)
            if keep_one(database, now(), keepers):
                continue
        except Problem as problem:
            logger().warning("worker.waits", problem=problem.kind.code)
        except Exception as error:  # nobody would miss a thread that ended
            logger().error("worker.failed", topic="errands", error=error)
        stop.wait(IDLE_SECONDS)
    database.close()


def _is_time(last: datetime | None, every: timedelta, now: datetime) -> bool:
    """Whether something is to be done again; a clock that was set back puts nothing off."""
    return last is None or not timedelta() <= now - last < every


def look_around(database: Direct, now: datetime) -> None:
    """Remind whoever's time has come, clinic by clinic."""
    for clinic in database.run(all_clinics):
        while _look_at_one(database, clinic.clinic_id, now):
            pass


def tidy(database: Direct, now: datetime) -> None:
    """Delete what was sent of uploads that nobody finished, and sessions of the console that have
    been over for a month, clinic by clinic.
    """
    for clinic in database.run(all_clinics):
        for tidied in (uploads.lapse_abandoned, session.purge):

            def some(
                db: Db,
                clinic_id: UUID = clinic.clinic_id,
                tidied: Callable[[Db, datetime], int] = tidied,
            ) -> int:
                db.enter(clinic_id)
                return tidied(db, now)

            while database.run(some):
                pass


def _look_at_one(database: Direct, clinic_id: UUID, now: datetime) -> bool:
    """Look at the patient who has waited longest. Returns: whether there was one."""
    held: list[UUID] = []

    def look(db: Db) -> bool:
        held.clear()
        db.enter(clinic_id)
        held.extend(reminders.waiting(db, now))
        for patient_id in held:
            reminders.look_at(db, patient_id, now)
        return bool(held)

    def put_off(db: Db) -> None:
        db.enter(clinic_id)
        reminders.put_off(db, held[0], now)

    try:
        return database.run(look)
    except Exception as error:
        if not held:
            raise
        # Whatever is wrong with one patient's record must not keep the others from being reminded.
        logger().error("worker.failed", topic="reminder.look", item=str(held[0]), error=error)
        database.run(put_off)
        return True


def keep_one(database: Direct, now: datetime, keepers: Keepers = KEEPERS) -> bool:
    """Keep the promise that has waited longest. Returns: whether there was one."""
    held: list[Due] = []

    def keep(db: Db) -> bool:
        held.clear()
        held.extend(outbox.claim(db, keepers, now))
        for item in held:
            db.enter(item.clinic_id)
            keepers[item.topic](db, item.body, now)
            outbox.done(db, item, now)
        return bool(held)

    try:
        return database.run(keep)
    except outbox.NotYet as not_yet:
        at = not_yet.at
        database.run(lambda db: outbox.later(db, held[0], now, at))
        return True
    except Exception as error:
        if not held:
            raise
        logger().error("worker.failed", topic=held[0].topic, item=str(held[0].id), error=error)
        database.run(lambda db: outbox.later(db, held[0], now))
        return True
