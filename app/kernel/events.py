"""Server-sent events: an answer that goes on (`text/event-stream`).

A stream says something at least every fifteen seconds, so that both ends and what is between
them know that it is alive. A reader who does not keep up is hung up on, not waited for: what it
missed it learns when it connects again. This and `bell` are the only code of features' that waits
on the event loop; what is found out for a stream is found out by plain code.

Source: WHATWG HTML, section "Server-sent events".
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from app.kernel.edge import Live, Message, Receive, Scope, Send
from app.kernel.wire import as_json

ENDING_SECONDS: Final = 1.0
"""The last words have to leave the process within this, so that a server can stop."""
MOST_WAITING: Final = 256 * 1024
"""Bytes that wait for a reader, at most."""
HANG_UP: Final = "afterglow.hang_up"
"""Where a scope's extensions say how to drop its connection with what was not sent yet."""

MEDIA: Final = "text/event-stream"
_HEADERS: Final = (
    (b"content-type", MEDIA.encode()),
    (b"cache-control", b"no-store"),
    # nginx and what learned from it would keep events until there are many.
    (b"x-accel-buffering", b"no"),
)
_BEGINNING: Final = b"retry: 2000\n\n"
_HEARTBEAT: Final = b": still here\n\n"


def event(name: str, data: Mapping[str, Any], id: str | None = None) -> bytes:  # noqa: A002 - its name
    """One event as it travels. data: becomes JSON, which has no line breaks."""
    numbered = b"" if id is None else b"id: %b\n" % id.encode()
    return b"%bevent: %b\ndata: %b\n\n" % (numbered, name.encode(), as_json(dict(data)))


class EventStream(Live):
    """One reader. Say things with `offer`, and end it with `end`; `closed` is called once.

    slow_seconds: what is written has to leave the process within this.
    """

    heartbeat_seconds = 15.0
    slow_seconds = 10.0

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._is_ending = False
        self._wake = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    def closed(self) -> None:
        """It is over, however that came."""

    def offer(self, said: bytes) -> None:
        """Send this when the reader takes it; hang up if there is too much of it by now."""
        if self._is_ending:
            return
        if len(self._waiting) + len(said) > MOST_WAITING:
            self._is_ending = True
            if self._writing is not None:
                self._writing.cancel()
            return
        self._waiting += said
        self._wake.set()

    def end(self, said: bytes = b"") -> None:
        """That was all."""
        self.offer(said)
        self._is_ending = True
        self._wake.set()
        if self._writing is not None:
            # Who has not taken it by then has not taken anything for longer.
            asyncio.get_running_loop().call_later(ENDING_SECONDS, self._writing.cancel)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write until it ends, the reader goes, or the reader does not keep up."""
        self._writing = asyncio.create_task(self._write(send))
        leaving = asyncio.create_task(until_gone(receive))
        try:
            await asyncio.wait((self._writing, leaving), return_when=asyncio.FIRST_COMPLETED)
            if self._writing.done() and _was_too_slow(self._writing):
                hang_up_of(scope)()
                # Until the server knows: it would complain of an answer without an end.
                await asyncio.wait((leaving,), timeout=1)
        finally:
            self._is_ending = True
            self._writing.cancel()
            leaving.cancel()
            await asyncio.gather(self._writing, leaving, return_exceptions=True)
            self.closed()

    async def _write(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": list(_HEADERS)}
        await self._send_soon(send, start)
        self._waiting[:0] = _BEGINNING
        while True:
            if not (self._waiting or self._is_ending):
                await self._something_to_say()
            is_last = self._is_ending
            said = bytes(self._waiting)
            self._waiting.clear()
            self._wake.clear()
            body = {"type": "http.response.body", "body": said, "more_body": not is_last}
            await self._send_soon(send, body)
            if is_last:
                return

    async def _something_to_say(self) -> None:
        try:
            async with asyncio.timeout(self.heartbeat_seconds):
                await self._wake.wait()
        except TimeoutError:
            self._waiting += _HEARTBEAT

    async def _send_soon(self, send: Send, message: Message) -> None:
        async with asyncio.timeout(self.slow_seconds):
            await send(message)


async def until_gone(receive: Receive) -> None:
    """Wait for whoever asked to leave."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _was_too_slow(writing: asyncio.Task[None]) -> bool:
    """Raises: whatever else ended it."""
    if writing.cancelled():
        return True
    error = writing.exception()
    if error is not None and not isinstance(error, TimeoutError):
        raise error
    return error is not None


def hang_up_of(scope: Scope) -> Callable[[], None]:
    """How the server drops this connection; where it cannot be told, an answer without an end."""
    found: Callable[[], None] = scope.get("extensions", {}).get(HANG_UP, lambda: None)
    return found
