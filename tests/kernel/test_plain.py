"""Plain code on the loop: it waits, raises and is cancelled as if it were asynchronous."""

import asyncio
import threading
import time

import pytest

from app.kernel import plain


class TestRun:
    def test_plain_code_gives_its_answer(self) -> None:
        assert asyncio.run(plain.run(lambda: 7)) == 7

    def test_plain_code_raises_to_whoever_awaits_it(self) -> None:
        def work() -> None:
            raise LookupError("here")

        with pytest.raises(LookupError, match="here"):
            asyncio.run(plain.run(work))

    def test_plain_code_waits_while_others_go_on(self) -> None:
        seen: list[str] = []

        def work() -> None:
            plain.wait_for(asyncio.sleep(0.02))
            seen.append("waited")

        async def main() -> None:
            await asyncio.gather(plain.run(work), plain.run(lambda: seen.append("meanwhile")))

        asyncio.run(main())

        assert seen == ["meanwhile", "waited"]

    def test_what_is_waited_for_raises_where_it_is_waited_for(self) -> None:
        async def fails() -> None:
            raise LookupError("there")

        def work() -> str:
            try:
                plain.wait_for(fails())
            except LookupError as error:
                return f"caught {error}"
            return "nothing"

        assert asyncio.run(plain.run(work)) == "caught there"

    def test_cancelling_reaches_the_plain_code_and_lets_it_tidy_up(self) -> None:
        seen: list[str] = []

        def work() -> None:
            try:
                plain.wait_for(asyncio.sleep(5))
            except asyncio.CancelledError:
                plain.wait_for(asyncio.sleep(0))
                seen.append("tidied")
                raise

        async def main() -> None:
            task = asyncio.create_task(plain.run(work))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())

        assert seen == ["tidied"]

    def test_many_at_once_do_not_meet(self) -> None:
        def work(n: int) -> int:
            for _ in range(3):
                plain.wait_for(asyncio.sleep(0.001 * (n % 5)))
            return n

        async def main() -> list[int]:
            return await asyncio.gather(
                *(plain.run(lambda n=n: work(n)) for n in range(100))  # type: ignore[misc]
            )

        assert asyncio.run(main()) == list(range(100))


class TestOnLoop:
    def test_only_plain_code_on_a_loop_is_on_it(self) -> None:
        assert not plain.on_loop()
        assert asyncio.run(plain.run(plain.on_loop))


class TestAside:
    def test_slow_work_leaves_the_loop_free(self) -> None:
        async def main() -> tuple[int, int]:
            ticks = 0

            async def tick() -> None:
                nonlocal ticks
                while True:
                    await asyncio.sleep(0.005)
                    ticks += 1

            ticking = asyncio.create_task(tick())
            thread = await plain.run(lambda: plain.aside(slow_work))
            ticking.cancel()
            return thread, ticks

        thread, ticks = asyncio.run(main())

        assert thread != threading.get_ident()
        assert ticks >= 3

    def test_off_the_loop_slow_work_is_just_done(self) -> None:
        assert plain.aside(slow_work) == threading.get_ident()


class TestInTurn:
    def test_only_a_few_are_in_at_once_and_everybody_gets_in(self) -> None:
        inside, most, done = 0, 0, 0

        def work() -> None:
            nonlocal inside, most, done
            with plain.in_turn():
                inside += 1
                most = max(most, inside)
                plain.wait_for(asyncio.sleep(0.005))
                inside -= 1
            done += 1

        async def main() -> None:
            await asyncio.gather(*(plain.run(work) for _ in range(20)))

        asyncio.run(main())

        assert (most, done) == (4, 20)

    def test_whoever_is_cancelled_inside_or_waiting_leaves_the_place_to_others(self) -> None:
        def work() -> None:
            with plain.in_turn():
                plain.wait_for(asyncio.sleep(5))

        async def main() -> None:
            tasks = [asyncio.create_task(plain.run(work)) for _ in range(10)]
            await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await asyncio.wait_for(plain.run(enter), 1)

        def enter() -> None:
            with plain.in_turn():
                pass

        asyncio.run(main())

    def test_off_the_loop_nobody_waits(self) -> None:
        with plain.in_turn(), plain.in_turn(), plain.in_turn(), plain.in_turn(), plain.in_turn():
            pass


class TestPause:
    def test_time_passes_and_others_go_on(self) -> None:
        seen: list[str] = []

        def work() -> None:
            plain.pause(0.02)
            seen.append("rested")

        async def main() -> None:
            await asyncio.gather(plain.run(work), plain.run(lambda: seen.append("meanwhile")))

        asyncio.run(main())

        assert seen == ["meanwhile", "rested"]

    def test_off_the_loop_it_blocks(self) -> None:
        began = time.monotonic()

        plain.pause(0.02)

        assert time.monotonic() - began >= 0.02


def slow_work() -> int:
    """Returns the thread it was done in."""
    time.sleep(0.05)
    return threading.get_ident()
