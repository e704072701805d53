"""Bodies and answers in pieces: never more than a piece at once, and what breaks off is told."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.kernel.db import Database, Db
from app.kernel.edge import Reply
from app.kernel.errors import Kind, Problem, invalid
from app.kernel.events import HANG_UP
from app.kernel.pieces import Inflow, Outflow, require_partial

SOON = 5.0


class Transactions:
    """Runs the work with no database behind it."""

    async def run(self, work: Callable[[Db], Any]) -> Any:
        """Once."""
        return work(cast("Db", None))


TRANSACTIONS = cast("Database", Transactions())


class Kept:
    """What an inflow kept. refuses_at: the byte of the piece that is refused."""

    def __init__(self, refuses_at: int | None = None) -> None:
        self.pieces: list[tuple[int, bytes]] = []
        self.rest: tuple[int, bytes] | None = None
        self._refuses_at = refuses_at

    def keep(self, db: Db, *, place: int, piece: bytes) -> Problem | None:
        """A piece."""
        if place == self._refuses_at:
            return invalid("/size", "is wrong")
        self.pieces.append((place, piece))
        return None

    def end(self, db: Db, *, place: int, rest: bytes) -> Reply | Problem:
        """The end."""
        self.rest = (place, rest)
        return invalid("", "is nothing") if rest == b"bad" else Reply(None, 204)

    def inflow(self, at: int = 0) -> Inflow:
        """In pieces of four."""
        flow = Inflow(at, 4, keep=self.keep, end=self.end)
        flow.quiet_seconds = 0.05
        return flow


class Body:
    """What the server hears of a request. Afterwards there is silence, unless it is gone."""

    def __init__(self, *parts: bytes, is_whole: bool = True, is_gone: bool = False) -> None:
        self.messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": part, "more_body": True} for part in parts
        ]
        if is_whole:
            self.messages[-1]["more_body"] = False
        if is_gone:
            self.messages.append({"type": "http.disconnect"})

    async def receive(self) -> Any:
        """The next message."""
        if not self.messages:
            await asyncio.Event().wait()
        return self.messages.pop(0)


def taken(kept: Kept, body: Body, at: int = 0) -> Reply:
    """What an inflow answers to a body."""
    return asyncio.run(asyncio.wait_for(kept.inflow(at).take(TRANSACTIONS, body.receive), SOON))


class TestInflow:
    @pytest.mark.parametrize(
        ("parts", "pieces", "rest"),
        [
            ([b""], [], (8, b"")),
            ([b"abc"], [], (8, b"abc")),
            ([b"abcd"], [(8, b"abcd")], (12, b"")),
            ([b"a", b"bcde", b"", b"f"], [(8, b"abcd")], (12, b"ef")),
            ([b"abcdefghij"], [(8, b"abcd"), (12, b"efgh")], (16, b"ij")),
        ],
    )
    def test_however_it_arrives_it_is_kept_in_pieces_of_one_size(
        self, parts: list[bytes], pieces: list[tuple[int, bytes]], rest: tuple[int, bytes]
    ) -> None:
        kept = Kept()

        reply = taken(kept, Body(*parts), at=8)

        assert (kept.pieces, kept.rest, reply.status) == (pieces, rest, 204)

    @pytest.mark.parametrize("is_gone", [True, False])
    def test_what_breaks_off_keeps_its_whole_pieces_and_no_end(self, is_gone: bool) -> None:
        kept = Kept()

        with pytest.raises(Problem) as raised:
            taken(kept, Body(b"abcdef", is_whole=False, is_gone=is_gone))

        assert raised.value.kind is Kind.MALFORMED_REQUEST
        assert (kept.pieces, kept.rest) == ([(0, b"abcd")], None)

    @pytest.mark.parametrize("parts", [[b"abcdefgh"], [b"abcdefgh", b"more", b"and more"]])
    def test_whoever_is_refused_is_heard_out_and_nothing_more_is_kept(
        self, parts: list[bytes]
    ) -> None:
        kept, body = Kept(refuses_at=4), Body(*parts)

        with pytest.raises(Problem) as raised:
            taken(kept, body)

        assert raised.value.kind is Kind.INVALID
        assert (kept.pieces, kept.rest, body.messages) == ([(0, b"abcd")], None, [])

    def test_the_end_may_refuse(self) -> None:
        with pytest.raises(Problem):
            taken(Kept(), Body(b"abcdbad"))


class Reader:
    """The server's end of an answer. takes: how many messages, before it blocks."""

    def __init__(self, takes: int = 99, leaves_after: int = 99) -> None:
        self.got: list[dict[str, Any]] = []
        self.was_hung_up_on = False
        self._takes = takes
        self._leaves_after = leaves_after
        self._left = asyncio.Event()
        state = SimpleNamespace(desk=SimpleNamespace(database=TRANSACTIONS))
        self.scope = {
            "app": SimpleNamespace(state=state),
            "extensions": {HANG_UP: self._hang_up},
        }

    def _hang_up(self) -> None:
        self.was_hung_up_on = True
        self._left.set()

    async def send(self, message: Any) -> None:
        """Take it, or block."""
        if len(self.got) >= self._takes:
            await asyncio.Event().wait()
        self.got.append(message)
        if len(self.got) > self._leaves_after:
            self._left.set()
            await asyncio.sleep(0)

    async def receive(self) -> Any:
        """Silence until this reader leaves."""
        await self._left.wait()
        return {"type": "http.disconnect"}


def given(reader: Reader, count: int = 3) -> list[int]:
    """Give an answer of pieces. Returns: the numbers of those that were read for it."""
    numbers: list[int] = []

    def read(db: Db, *, number: int) -> bytes:
        numbers.append(number)
        return b"piece %d" % number

    async def give() -> None:
        flow = Outflow({"Content-Type": "audio/wav"}, b"piece 0", count, read)
        flow.quiet_seconds = 0.05
        await flow.open()
        await asyncio.wait_for(flow.serve(reader.scope, reader.receive, reader.send), SOON)

    asyncio.run(give())
    return numbers


class TestOutflow:
    def test_each_piece_is_read_when_the_one_before_was_taken(self) -> None:
        reader = Reader()

        assert given(reader) == [1, 2]
        start, *bodies = reader.got
        assert (start["status"], start["headers"]) == (200, [(b"content-type", b"audio/wav")])
        assert [one["body"] for one in bodies] == [b"piece 0", b"piece 1", b"piece 2"]
        assert [one["more_body"] for one in bodies] == [True, True, False]

    def test_one_piece_is_all_there_is(self) -> None:
        reader = Reader()

        assert given(reader, count=1) == []
        assert [one.get("more_body") for one in reader.got] == [None, False]

    def test_for_a_reader_who_left_nothing_more_is_read(self) -> None:
        assert given(Reader(leaves_after=1), count=100) == []

    def test_a_reader_who_takes_nothing_is_hung_up_on(self) -> None:
        reader = Reader(takes=2)

        assert given(reader, count=100) == [1]
        assert reader.was_hung_up_on


class TestMedia:
    @pytest.mark.parametrize(
        "media", ["application/partial-upload", "Application/Octet-Stream; x=y"]
    )
    def test_a_part_is_taken(self, media: str) -> None:
        require_partial(media)

    @pytest.mark.parametrize("media", ["", "image/png", "application/json"])
    def test_anything_else_is_not(self, media: str) -> None:
        with pytest.raises(Problem) as raised:
            require_partial(media)

        assert raised.value.kind is Kind.UNSUPPORTED_MEDIA_TYPE
