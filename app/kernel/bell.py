"""Hears what other processes say through PostgreSQL (LISTEN and NOTIFY).

One connection for a whole process, made when somebody first wants to hear. What is said while it
is away is lost, so whoever hears is told when it went and when it is there again, and looks for
themselves then.

Source: PostgreSQL manual, SQL commands LISTEN and NOTIFY.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Final

import psycopg

from app.kernel.db import libpq
from app.kernel.log import logger

FIRST_HEARD_SECONDS: Final = 2.0
"""Whoever wants to hear waits so long for the connection."""
_SOONEST: Final = 0.1
_LATEST: Final = 5.0


class Bell:
    """Listens to channels on the event loop.

    url: a direct connection; a pooler takes LISTEN and passes nothing on. heard: by channel, is
    called with what was said there. began, lost: are called when the connection is there
    (again), and when it went.
    """

    def __init__(
        self,
        url: str,
        heard: Mapping[str, Callable[[str], None]],
        *,
        began: Callable[[], None],
        lost: Callable[[], None],
    ) -> None:
        self._url = libpq(url)
        self._heard = heard
        self._began = began
        self._lost = lost
        self._listening: asyncio.Task[None] | None = None
        self._is_there = asyncio.Event()

    async def is_there(self) -> bool:
        """Whether it hears; begins to listen if nobody did, and waits a moment for it."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_HEARD_SECONDS):
                await self._is_there.wait()
        return self._is_there.is_set()

    async def close(self) -> None:
        """Hang up, for good."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])

    async def _listen(self) -> None:
        pause = _SOONEST
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(
                    self._url,
                    autocommit=True,
                    connect_timeout=5,
                    keepalives_idle=5,
                    keepalives_interval=2,
                    keepalives_count=3,
                )
                async with connection:
                    for channel in self._heard:
                        await connection.execute(f"LISTEN {channel}".encode())
                    self._is_there.set()
                    self._began()
                    pause = _SOONEST
                    async for notice in connection.notifies():
                        self._heard[notice.channel](notice.payload)
            except psycopg.Error:
                # Not its text, which names hosts and users.
                logger().warning("bell.silent", channels=sorted(self._heard))
            finally:
                if self._is_there.is_set():
                    self._is_there.clear()
                    self._lost()
            await asyncio.sleep(pause)
            pause = min(_LATEST, pause * 2)
