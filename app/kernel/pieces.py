"""What is too large to be held: a body that is taken, and an answer that is given, in pieces.

A route function that returns an `Inflow` has said that the body may come. From then on every piece
of it is kept in a transaction of its own, by plain code, so that a connection that breaks costs the
piece that was under way and nothing else. An `Outflow` is the way back: each piece is read in a
transaction of its own and is gone before the next is read. Of one transfer no more than a piece,
and what was made of it, is in memory, and no connection to the database is held while a client is
waited for.

The headers are the words of the IETF's draft "Resumable Uploads for HTTP"
(draft-ietf-httpbis-resumable-upload, work in progress), which this follows and does not claim to
conform to: uploads are created as entries, with an id of the client's.
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final, Literal, Protocol

from fastapi import Header, Response

from app.kernel.db import Database, Db
from app.kernel.edge import (
    Desk,
    Intake,
    Live,
    Message,
    Receive,
    Reply,
    Scope,
    Send,
)
from app.kernel.errors import Kind, Problem
from app.kernel.events import hang_up_of, until_gone

QUIET_SECONDS: Final = 30.0
"""So long may nothing come, or nothing be taken, before a transfer is given up. Convention."""

UploadOffset = Annotated[
    int,
    Header(ge=0, le=2**53, description="How many bytes the server has, as it said last."),
]
UploadComplete = Annotated[
    Literal["?1", "?0"],
    Header(description="`?1` if this is all the rest, `?0` if more will follow."),
]
PartialMedia = Annotated[
    str,
    Header(alias="content-type", max_length=200, include_in_schema=False),
]
_MEDIA: Final = {"application/partial-upload", "application/octet-stream"}


class Keep(Protocol):
    """Keep a piece that begins at byte `place`. A problem ends the transfer, and is answered."""

    def __call__(self, db: Db, *, place: int, piece: bytes) -> Problem | None:
        """In a transaction that has entered no clinic."""


class End(Protocol):
    """The body ended: `place` bytes are kept, and `rest` is less than a piece."""

    def __call__(self, db: Db, *, place: int, rest: bytes) -> Reply | Problem:
        """As `Keep`."""


class Read(Protocol):
    """A piece, by its number from 0."""

    def __call__(self, db: Db, *, number: int) -> bytes:
        """As `Keep`."""


def require_partial(media: str) -> None:
    """Raises: Problem UNSUPPORTED_MEDIA_TYPE."""
    if media.partition(";")[0].strip().lower() not in _MEDIA:
        raise Problem(
            Kind.UNSUPPORTED_MEDIA_TYPE,
            detail="This address takes application/octet-stream or application/partial-upload.",
        )


def upload_headers(offset: int, *, is_complete: bool) -> dict[str, str]:
    """Where an upload stands."""
    return {
        "Upload-Offset": str(offset),
        "Upload-Complete": "?1" if is_complete else "?0",
    }


def elsewhere(offset: int, *, is_complete: bool) -> Problem:
    """The upload goes on at another place than the client thinks."""
    return Problem(
        Kind.MISMATCHING_UPLOAD_OFFSET,
        headers=upload_headers(offset, is_complete=is_complete),
        extra={"expected_offset": offset},
    )


class Inflow(Intake):
    """A body. at: the byte that it begins with. size: of a piece."""

    quiet_seconds = QUIET_SECONDS

    def __init__(self, at: int, size: int, *, keep: Keep, end: End) -> None:
        self._at = at
        self._size = size
        self._keep = keep
        self._end = end

    async def take(self, database: Database, receive: Receive) -> Reply:
        """Raises: Problem, also when the client is gone; what was kept until then stays kept."""
        waiting = bytearray()
        while True:
            message = await self._next(receive)
            waiting += message.get("body", b"")
            has_more = bool(message.get("more_body"))
            while len(waiting) >= self._size:
                piece = bytes(waiting[: self._size])
                del waiting[: self._size]
                problem = await database.run(partial(self._keep, place=self._at, piece=piece))
                if problem is not None:
                    if has_more:
                        await self._drain(receive)
                    raise problem
                self._at += len(piece)
            if not has_more:
                break
        done = await database.run(partial(self._end, place=self._at, rest=bytes(waiting)))
        if isinstance(done, Problem):
            raise done
        return done

    async def _next(self, receive: Receive) -> Message:
        try:
            async with asyncio.timeout(self.quiet_seconds):
                message = await receive()
        except TimeoutError:
            raise _broken_off() from None
        if message["type"] == "http.disconnect":
            raise _broken_off()
        return message

    async def _drain(self, receive: Receive) -> None:
        """Let a client that is refused finish, so that it reads why. The frame bounds how much."""
        while (await self._next(receive)).get("more_body"):
            pass


class Outflow(Live):
    """An answer of `count` pieces. first: the piece that was read already, so that what cannot be
    opened is a problem and no answer that breaks off. read: the others, by number.
    """

    quiet_seconds = QUIET_SECONDS

    def __init__(
        self,
        headers: Mapping[str, str],
        first: bytes,
        count: int,
        read: Read,
    ) -> None:
        self._headers = headers
        self._first = first
        self._count = count
        self._read = read

    async def open(self) -> None:
        """There is nothing more to ask."""

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Until the end, or until the client goes or takes nothing any more."""
        desk: Desk = scope["app"].state.desk
        raw = [(name.lower().encode(), said.encode()) for name, said in self._headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        leaving = asyncio.create_task(until_gone(receive))
        try:
            await self._give(desk.database, send, leaving)
        except TimeoutError:
            hang_up_of(scope)()
            # Until the server knows: it would complain of an answer without an end.
            await asyncio.wait((leaving,), timeout=1)
        finally:
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)

    async def _give(self, database: Database, send: Send, leaving: asyncio.Task[None]) -> None:
        piece, self._first = self._first, b""
        for number in range(1, self._count + 1):
            is_last = number == self._count
            body = {"type": "http.response.body", "body": piece, "more_body": not is_last}
            async with asyncio.timeout(self.quiet_seconds):
                await send(body)
            if is_last or leaving.done():
                return
            piece = await database.run(partial(self._read, number=number))


def _broken_off() -> Problem:
    return Problem(
        Kind.MALFORMED_REQUEST,
        detail="The body broke off.",
        headers={"Connection": "close"},
    )


def binary(most: int) -> dict[str, Any]:
    """What FastAPI cannot say of a route that takes pieces, for its specification."""
    schema = {"type": "string", "format": "binary", "maxLength": most}
    # Generators of clients know this one; the draft's own is taken too.
    content = {"application/octet-stream": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


class Octets(Response):
    """For the specification: bytes of whatever kind."""

    media_type = "application/octet-stream"
