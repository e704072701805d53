"""Pictures of charts, drawn by one process beside this one.

The process (`drawing`) starts when somebody first asks, and ends when nobody has for a while, when
it grew too large, when it takes too long, and with the server. At most so many wait for it; whoever
comes then is told to come again. Nothing of what is drawn is in its command line, its environment
or the log, and it reaches no network.
"""

import asyncio
import contextlib
import sys
from asyncio import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from prometheus_client import Counter
from pydantic_core import to_json

from app.kernel import drawing
from app.kernel.errors import Kind, Problem
from app.kernel.log import logger

Form = Literal["svg", "png"]

MOST_BYTES: Final = 8 * 1024 * 1024
"""Of a specification; five thousand points with everything that is told of each are one."""
COME_AGAIN: Final = "2"
"""Seconds, for whoever finds too many waiting."""
DRAWN: Final = Counter("afterglow_drawn", "Pictures asked for.", ["outcome"])

_KINDS: Final = {"svg": drawing.SVG, "png": drawing.PNG}


class Undrawable(Exception):
    """A specification that cannot be drawn, which is a mistake of ours."""


class _Gone(Exception):
    """The process ended in the middle."""


@dataclass(frozen=True, slots=True)
class Limits:
    """seconds, bundle_seconds: for one picture, for the bundle. turn_seconds: to wait for a turn.

    waiting: who ask at the same time. idle_seconds: without a request, until the process ends.
    pictures, kib: made by one process, and how large it may grow, before another takes its place.
    """

    seconds: float = 10.0
    turn_seconds: float = 20.0
    bundle_seconds: float = 60.0
    waiting: int = 32
    idle_seconds: float = 120.0
    pictures: int = 2000
    kib: int = 400 * 1024


class Renderer:
    """The one that draws, for one process of the API. program: what is run instead, in tests."""

    def __init__(
        self, limits: Limits | None = None, program: Path = Path(drawing.__file__)
    ) -> None:
        self._limits = limits or Limits()
        self._program = program
        self._turn = asyncio.Lock()
        self._bundling = asyncio.Lock()
        self._bundles: dict[str, bytes] = {}
        self._asking = 0
        self._child: subprocess.Process | None = None
        self._made = 0
        self._idle: asyncio.TimerHandle | None = None
        self._closing = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return None if self._child is None else self._child.pid

    async def draw(self, specification: dict[str, Any], form: Form) -> bytes:
        """A picture of a Vega-Lite specification that holds its own data.

        Raises: Problem UNAVAILABLE (too many wait, or it takes too long), Undrawable.
        """
        return await self._ask(_KINDS[form], to_json(specification), self._limits.seconds)

    async def bundle(self, snippet: str) -> bytes:
        """The chart libraries for browsers and `snippet`, which uses them, as gzipped JavaScript.

        Made once and kept.

        Raises: as `draw`.
        """
        async with self._bundling:
            if snippet not in self._bundles:
                asked = snippet.encode()
                made = await self._ask(drawing.BUNDLE, asked, self._limits.bundle_seconds)
                self._bundles[snippet] = made
        return self._bundles[snippet]

    async def close(self) -> None:
        """Draw no more, and leave no process behind."""
        self._closing.set()
        await self._end()

    async def _ask(self, kind: bytes, asked: bytes, seconds: float) -> bytes:
        if len(asked) > MOST_BYTES:
            raise Undrawable
        if self._asking >= self._limits.waiting:
            raise self._not_now("too many")
        self._asking += 1
        try:
            await self._take_turn()
            try:
                return await self._answer(kind, asked, seconds)
            finally:
                self._turn.release()
        finally:
            self._asking -= 1

    async def _take_turn(self) -> None:
        try:
            async with asyncio.timeout(self._limits.turn_seconds):
                await self._turn.acquire()
        except TimeoutError:
            raise self._not_now("waited") from None

    async def _answer(self, kind: bytes, asked: bytes, seconds: float) -> bytes:
        """In one's turn. A process that was killed for others' reasons is given a second try."""
        if self._idle is not None:
            self._idle.cancel()
        try:
            async with asyncio.timeout(seconds):
                try:
                    return await self._exchange(kind, asked)
                except _Gone:
                    await self._end()
                    return await self._exchange(kind, asked)
        except (_Gone, OSError, TimeoutError) as error:
            logger().warning("renderer.restarts", because=type(error).__name__)
            await self._end()
            raise self._not_now("failed") from None
        except asyncio.CancelledError:
            # What it was asked would be the answer to whoever comes next.
            await self._end()
            raise
        finally:
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(self._limits.idle_seconds, self._kill)

    async def _exchange(self, kind: bytes, asked: bytes) -> bytes:
        """Raises: _Gone, Undrawable."""
        child = await self._there()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(drawing.REQUEST.pack(len(asked), kind) + asked)
            await child.stdin.drain()
            head = await child.stdout.readexactly(drawing.ANSWER.size)
            length, is_refused, kib = drawing.ANSWER.unpack(head)
            made = await child.stdout.readexactly(length)
        except (ConnectionError, asyncio.IncompleteReadError):
            raise _Gone from None
        self._made += 1
        # The libraries make it twice as large, and it never needs to be so again.
        is_used_up = self._made >= self._limits.pictures or kib > self._limits.kib
        if is_used_up or kind == drawing.BUNDLE:
            await self._end()
        if is_refused:
            DRAWN.labels("refused").inc()
            logger().error("renderer.refused", because=made.decode("ascii", "replace"))
            raise Undrawable
        DRAWN.labels("drawn").inc()
        return made

    async def _there(self) -> subprocess.Process:
        if self._child is not None and self._child.returncode is None:
            return self._child
        if self._closing.is_set():
            raise _Gone
        self._made = 0
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            # Nothing of the environment, and no import from where somebody happens to stand.
            "-I",
            str(self._program),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,
        )
        if self._closing.is_set():
            await self._end()
            raise _Gone
        return self._child

    async def _end(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        child, self._child = self._child, None
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    def _kill(self) -> None:
        if self._child is not None and self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()

    def _not_now(self, outcome: str) -> Problem:
        DRAWN.labels(outcome.replace(" ", "-")).inc()
        return Problem(Kind.UNAVAILABLE, headers={"Retry-After": COME_AGAIN})
