"""An answer that goes on: written as it comes, ended in order, never waiting for a slow reader."""

import asyncio
from typing import Any

import pytest

from app.kernel.events import HANG_UP, MOST_WAITING, EventStream, event

SOON = 5.0


class Quick(EventStream):
    """Does not wait as long as a real one."""

    heartbeat_seconds = 0.05
    slow_seconds = 0.2

    def __init__(self) -> None:
        super().__init__()
        self.times_closed = 0

    def closed(self) -> None:
        """Count."""
        self.times_closed += 1


class Reader:
    """The server's end of ASGI. takes: how many messages, before it blocks."""

    def __init__(self, takes: int = 1_000_000) -> None:
        self.got: list[dict[str, Any]] = []
        self.left = asyncio.Event()
        self.was_hung_up_on = False
        self.scope = {"type": "http", "extensions": {HANG_UP: self._hang_up}}
        self._asks = [b""]
        self._takes = takes
        self._came = asyncio.Event()

    @property
    def text(self) -> bytes:
        """Of all bodies."""
        return b"".join(message.get("body", b"") for message in self.got)

    async def send(self, message: Any) -> None:
        """Take it, or block."""
        if len(self.got) >= self._takes:
            await asyncio.Event().wait()
        self.got.append(message)
        self._came.set()

    async def receive(self) -> Any:
        """The request, then silence until this reader leaves."""
        if self._asks:
            return {"type": "http.request", "body": self._asks.pop(), "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def has(self, text: bytes) -> None:
        """Until this was written."""
        async with asyncio.timeout(SOON):
            while text not in self.text:
                self._came.clear()
                await self._came.wait()

    def _hang_up(self) -> None:
        self.was_hung_up_on = True
        self.left.set()


async def begun(stream: EventStream, reader: Reader) -> "asyncio.Task[None]":
    """Serve it, and wait for its first words."""
    serving = asyncio.create_task(stream.serve(reader.scope, reader.receive, reader.send))
    await asyncio.sleep(0)
    return serving


class TestEvents:
    def test_an_event_has_one_line_each_for_number_name_and_content(self) -> None:
        assert event("flag", {"word": "a\nb"}, id="1/2") == (
            b'id: 1/2\nevent: flag\ndata: {"word":"a\\nb"}\n\n'
        )
        assert event("gone", {}) == b"event: gone\ndata: {}\n\n"


class TestStreams:
    def test_what_is_said_is_written_and_the_end_is_an_end(self) -> None:
        async def story() -> None:
            stream, reader = Quick(), Reader()
            stream.offer(b"before;")
            serving = await begun(stream, reader)
            await reader.has(b"before;")
            stream.offer(b"one;")
            stream.offer(b"two;")
            stream.end(b"last")
            stream.offer(b"too late")

            await asyncio.wait_for(serving, SOON)

            assert reader.text == b"retry: 2000\n\nbefore;one;two;last"
            assert [one.get("more_body", True) for one in reader.got][-1] is False
            assert (stream.times_closed, reader.was_hung_up_on) == (1, False)

        asyncio.run(story())

    def test_it_says_that_it_is_alive_when_there_is_nothing_to_say(self) -> None:
        async def story() -> None:
            stream, reader = Quick(), Reader()
            serving = await begun(stream, reader)

            await reader.has(b": still here\n\n: still here\n\n")

            reader.left.set()
            await asyncio.wait_for(serving, SOON)
            assert (stream.times_closed, reader.was_hung_up_on) == (1, False)

        asyncio.run(story())

    @pytest.mark.parametrize("takes", [0, 1, 2])
    def test_a_reader_who_takes_nothing_is_hung_up_on(self, takes: int) -> None:
        async def story() -> None:
            stream, reader = Quick(), Reader(takes)
            serving = await begun(stream, reader)

            await asyncio.wait_for(serving, SOON)

            assert (stream.times_closed, reader.was_hung_up_on) == (1, True)

        asyncio.run(story())

    def test_no_more_waits_for_a_reader_than_the_bound(self) -> None:
        async def story() -> None:
            stream, reader = EventStream(), Reader(takes=1)
            serving = await begun(stream, reader)
            await asyncio.sleep(0.01)

            for _ in range(5):
                stream.offer(bytes(MOST_WAITING // 4))

            await asyncio.wait_for(serving, SOON)
            assert reader.was_hung_up_on

        asyncio.run(story())

    def test_who_does_not_take_the_last_words_is_hung_up_on_at_once(self) -> None:
        async def story() -> None:
            stream, reader = EventStream(), Reader(takes=2)
            serving = await begun(stream, reader)
            await reader.has(b"retry")

            stream.end(b"last")

            await asyncio.wait_for(serving, SOON)
            assert reader.was_hung_up_on
            assert b"last" not in reader.text

        asyncio.run(story())

    def test_too_much_before_it_is_served_ends_it_without_a_word(self) -> None:
        async def story() -> None:
            stream, reader = Quick(), Reader()
            stream.offer(bytes(MOST_WAITING + 1))

            await asyncio.wait_for(await begun(stream, reader), SOON)

            assert reader.text == b"retry: 2000\n\n"
            assert stream.times_closed == 1

        asyncio.run(story())

    def test_what_ended_before_it_is_served_says_its_last_words(self) -> None:
        async def story() -> None:
            stream, reader = Quick(), Reader()
            stream.end(b"last")

            await asyncio.wait_for(await begun(stream, reader), SOON)

            assert reader.text == b"retry: 2000\n\nlast"

        asyncio.run(story())

    def test_a_server_that_takes_it_away_is_let_go(self) -> None:
        async def story() -> None:
            stream, reader = Quick(), Reader()
            serving = await begun(stream, reader)
            await reader.has(b"retry")

            serving.cancel()

            with pytest.raises(asyncio.CancelledError):
                await serving
            assert stream.times_closed == 1

        asyncio.run(story())

    def test_what_goes_wrong_while_writing_is_not_taken_for_slowness(self) -> None:
        async def story() -> None:
            stream, reader = Quick(), Reader()

            async def broken(message: Any) -> None:
                raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await stream.serve(reader.scope, reader.receive, broken)
            assert (stream.times_closed, reader.was_hung_up_on) == (1, False)

        asyncio.run(story())
