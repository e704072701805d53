"""The process that draws: what it makes, and what becomes of it when something goes wrong."""

import asyncio
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from app.kernel.errors import Kind, Problem
from app.kernel.renderer import COME_AGAIN, MOST_BYTES, Form, Limits, Renderer, Undrawable

CHART = {
    "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
    "data": {"values": [{"a": 1, "b": 2}, {"a": 2, "b": 1}]},
    "mark": "point",
    "encoding": {
        "x": {"field": "a", "type": "quantitative"},
        "y": {"field": "b", "type": "quantitative"},
    },
}

# Speaks as `drawing` does, and does what it is told.
OBEDIENT = """
import json, os, struct, sys, time
out = os.fdopen(os.dup(1), "wb")
while head := sys.stdin.buffer.read(5):
    length, kind = struct.unpack(">Ic", head)
    asked = json.loads(sys.stdin.buffer.read(length)) if kind != b"b" else {}
    time.sleep(asked.get("sleep", 0))
    if asked.get("die"):
        os.kill(os.getpid(), 9)
    made = json.dumps({"pid": os.getpid(), "is": asked.get("is"), "env": dict(os.environ),
                       "argv": sys.argv[1:]}).encode()
    out.write(struct.pack(">IBI", len(made), asked.get("refuse", 0), asked.get("kib", 1)) + made)
    out.flush()
"""

Story = Callable[[Renderer], Awaitable[None]]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def play(story: Story, renderer: Callable[[], Renderer]) -> None:
    """Run it, and see that no process is left."""

    async def run() -> None:
        one = renderer()
        pids: set[int] = set()
        try:
            await story(one)
        finally:
            if one.pid is not None:
                pids.add(one.pid)
            await one.close()
        assert one.pid is None
        assert not any(is_alive(pid) for pid in pids)

    asyncio.run(run())


@pytest.fixture
def obedient(tmp_path: Path) -> Callable[[Limits], Callable[[], Renderer]]:
    program = tmp_path / "obedient.py"
    program.write_text(OBEDIENT)
    return lambda limits: lambda: Renderer(limits, program)


def command_line(pid: int) -> str:
    listed = subprocess.run(
        ["ps", "-o", "args=", "-p", str(pid)], capture_output=True, check=True, text=True
    )
    return listed.stdout


async def told(renderer: Renderer, **words: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await renderer.draw(words, "svg"))
    return found


class TestDrawing:
    def test_a_chart_is_drawn_as_svg_and_as_png_by_one_process(self) -> None:
        async def story(renderer: Renderer) -> None:
            assert renderer.pid is None
            svg = await renderer.draw(CHART, "svg")
            pid = renderer.pid
            png = await renderer.draw(CHART, "png")

            assert svg.startswith(b"<svg ")
            assert png.startswith(b"\x89PNG\r\n")
            assert renderer.pid == pid is not None

        play(story, Renderer)

    def test_one_of_a_large_parent_is_not_taken_for_large_itself(self) -> None:
        async def story(renderer: Renderer) -> None:
            await renderer.draw(CHART, "svg")
            pid = renderer.pid
            await renderer.draw(CHART, "svg")

            assert renderer.pid == pid is not None

        held = bytearray(Limits().kib * 1024)
        play(story, Renderer)
        assert held

    def test_sixteen_at_once_are_all_drawn(self) -> None:
        async def story(renderer: Renderer) -> None:
            drawn = await asyncio.gather(*(renderer.draw(CHART, "svg") for _ in range(16)))

            assert {one[:5] for one in drawn} == {b"<svg "}

        play(story, Renderer)

    def test_nothing_is_fetched(self) -> None:
        from http.server import BaseHTTPRequestHandler, HTTPServer
        from threading import Thread

        asked: list[str] = []

        class Elsewhere(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        async def story(renderer: Renderer) -> None:
            at = f"http://127.0.0.1:{server.server_port}/x"
            mark = {"type": "image", "url": at, "width": 9, "height": 9}
            for specification in (
                {**CHART, "data": {"url": at}},
                {**CHART, "mark": mark},
                {**CHART, "data": {"url": "file:///etc/hostname"}},
            ):
                for form in get_args(Form):
                    with pytest.raises(Undrawable):
                        await renderer.draw(specification, form)
            # The process that refused goes on drawing.
            assert await renderer.draw(CHART, "svg")

        with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
            thread = Thread(target=server.serve_forever)
            thread.start()
            try:
                play(story, Renderer)
            finally:
                server.shutdown()
                thread.join()
        assert asked == []

    def test_what_cannot_be_drawn_is_not_told_to_the_log(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async def story(renderer: Renderer) -> None:
            with pytest.raises(Undrawable):
                await renderer.draw({"mark": "a secret"}, "svg")

        play(story, Renderer)

        said = capsys.readouterr()
        assert "renderer.refused" in said.out + said.err
        assert "a secret" not in said.out + said.err

    def test_a_specification_without_end_is_not_even_sent(self) -> None:
        async def story(renderer: Renderer) -> None:
            with pytest.raises(Undrawable):
                await renderer.draw({"x": "y" * MOST_BYTES}, "svg")
            assert renderer.pid is None

        play(story, Renderer)

    def test_the_bundle_is_made_once_and_its_process_ends(self) -> None:
        async def story(renderer: Renderer) -> None:
            both = await asyncio.gather(
                renderer.bundle("window.x = vegaEmbed;"), renderer.bundle("window.x = vegaEmbed;")
            )

            assert both[0] is both[1]
            assert b"window.x" in gzip.decompress(both[0])
            assert renderer.pid is None

        play(story, Renderer)


class TestTrouble:
    def test_one_killed_in_the_middle_is_replaced_and_nobody_notices(
        self, obedient: Callable[[Limits], Callable[[], Renderer]]
    ) -> None:
        async def story(renderer: Renderer) -> None:
            before = await told(renderer)
            asking = asyncio.create_task(told(renderer, sleep=0.5))
            await asyncio.sleep(0.2)
            os.kill(before["pid"], signal.SIGKILL)

            after = await asking

            assert after["pid"] != before["pid"]

        play(story, obedient(Limits()))

    def test_what_kills_it_again_and_again_is_refused_for_now(
        self, obedient: Callable[[Limits], Callable[[], Renderer]]
    ) -> None:
        async def story(renderer: Renderer) -> None:
            with pytest.raises(Problem) as refused:
                await told(renderer, die=True)
            assert refused.value.kind is Kind.UNAVAILABLE
            assert (await told(renderer, **{"is": "well"}))["is"] == "well"

        play(story, obedient(Limits()))

    def test_one_that_takes_too_long_is_ended_and_whoever_waits_is_served(
        self, obedient: Callable[[Limits], Callable[[], Renderer]]
    ) -> None:
        async def story(renderer: Renderer) -> None:
            stuck = (await told(renderer))["pid"]
            began = time.monotonic()
            both = [told(renderer, sleep=60), told(renderer, **{"is": "next"})]
            answers: list[Any] = await asyncio.gather(*both, return_exceptions=True)
            slow, quick = answers

            assert isinstance(slow, Problem)
            assert slow.headers["Retry-After"] == COME_AGAIN
            assert isinstance(quick, dict)
            assert quick["is"] == "next"
            assert time.monotonic() - began < 20
            assert not is_alive(stuck)

        play(story, obedient(Limits(seconds=1.5)))

    def test_whoever_waits_too_long_for_a_turn_is_told_to_come_again(
        self, obedient: Callable[[Limits], Callable[[], Renderer]]
    ) -> None:
        async def story(renderer: Renderer) -> None:
            await told(renderer)
            making = asyncio.create_task(renderer.bundle(""))
            await asyncio.sleep(0)
            several = [told(renderer, sleep=0.7) for _ in range(4)]
            answers = await asyncio.gather(*several, return_exceptions=True)
            await making

            assert any(isinstance(one, Problem) for one in answers)
            assert any(isinstance(one, dict) for one in answers)

        play(story, obedient(Limits(turn_seconds=1.2)))

    def test_too_many_at_once_are_told_to_come_again_and_the_others_are_served(
        self, obedient: Callable[[Limits], Callable[[], Renderer]]
    ) -> None:
        async def story(renderer: Renderer) -> None:
            several = [told(renderer, sleep=0.05) for _ in range(9)]
            answers = await asyncio.gather(*several, return_exceptions=True)

            refused = [one for one in answers if isinstance(one, Problem)]
            assert len(refused) == 5
            assert {one.kind for one in refused} == {Kind.UNAVAILABLE}
            assert {one.headers["Retry-After"] for one in refused} == {COME_AGAIN}

        play(story, obedient(Limits(waiting=4)))

    def test_an_answer_that_nobody_waits_for_is_not_given_to_the_next(
        self, obedient: Callable[[Limits], Callable[[], Renderer]]
    ) -> None:
        async def story(renderer: Renderer) -> None:
            gone = asyncio.create_task(told(renderer, sleep=0.4, **{"is": "theirs"}))
            await asyncio.sleep(0.2)
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

            assert (await told(renderer, **{"is": "mine"}))["is"] == "mine"

        play(story, obedient(Limits()))

    @pytest.mark.parametrize(
        ("limits", "words"), [(Limits(pictures=1), {}), (Limits(kib=100), {"kib": 101})]
    )
    def test_one_that_drew_much_or_grew_large_is_replaced(
        self,
        obedient: Callable[[Limits], Callable[[], Renderer]],
        limits: Limits,
        words: dict[str, int],
    ) -> None:
        async def story(renderer: Renderer) -> None:
            first = await told(renderer, **words)
            second = await told(renderer, **words)

            assert first["pid"] != second["pid"]
            assert not is_alive(first["pid"])

        play(story, obedient(limits))

    def test_it_ends_when_nobody_asks_for_a_while_and_comes_back(
        self, obedient: Callable[[Limits], Callable[[], Renderer]]
    ) -> None:
        async def story(renderer: Renderer) -> None:
            first = (await told(renderer))["pid"]
            async with asyncio.timeout(10):
                while is_alive(first):  # noqa: ASYNC110 - a process tells nobody
                    await asyncio.sleep(0.02)

            assert (await told(renderer))["pid"] != first

        play(story, obedient(Limits(idle_seconds=0.1)))

    def test_it_knows_nothing_of_where_it_was_started_from(
        self,
        obedient: Callable[[Limits], Callable[[], Renderer]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("AFTERGLOW_DATABASE_URL", "postgresql://a-secret")

        async def story(renderer: Renderer) -> None:
            known = await told(renderer, name="Rosa")

            assert "a-secret" not in json.dumps(known["env"])
            assert known["argv"] == []
            assert "Rosa" not in command_line(known["pid"])

        play(story, obedient(Limits()))

    def test_a_server_that_stops_waits_for_no_picture(
        self, obedient: Callable[[Limits], Callable[[], Renderer]]
    ) -> None:
        async def story(renderer: Renderer) -> None:
            pid = (await told(renderer))["pid"]
            asking = asyncio.create_task(told(renderer, sleep=60))
            await asyncio.sleep(0.1)
            await renderer.close()

            with pytest.raises(Problem):
                await asking
            assert not is_alive(pid)

        play(story, obedient(Limits()))

    def test_one_that_is_just_being_started_is_not_left_behind(
        self, obedient: Callable[[Limits], Callable[[], Renderer]]
    ) -> None:
        async def story(renderer: Renderer) -> None:
            asking = asyncio.create_task(told(renderer))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await renderer.close()

            with pytest.raises(Problem):
                await asking
            assert renderer.pid is None

        play(story, obedient(Limits()))

    def test_it_goes_with_a_parent_that_was_killed(self) -> None:
        parent = (
            "import asyncio, sys\n"
            "from app.kernel.renderer import Renderer\n"
            "async def main():\n"
            "    one = Renderer()\n"
            "    await one.draw({'mark': 'point', 'data': {'values': []}}, 'svg')\n"
            "    print(one.pid, flush=True)\n"
            "    await asyncio.sleep(60)\n"
            "asyncio.run(main())\n"
        )
        root = Path(__file__).parents[2]
        with subprocess.Popen(
            [sys.executable, "-c", parent], stdout=subprocess.PIPE, cwd=root, text=True
        ) as process:
            assert process.stdout is not None
            pid = int(process.stdout.readline())
            process.kill()

        give_up = time.monotonic() + 10
        while is_alive(pid) and time.monotonic() < give_up:
            time.sleep(0.02)
        assert not is_alive(pid)
