"""Plain synchronous code on an event loop.

Services are ordinary functions: they call the database and get rows back. On the server they
run in a greenlet of the event loop's own thread, and waiting (for PostgreSQL, for a password
hash) switches back to the loop, so that no thread hop is paid: measured, a hop costs 80 to 160
microseconds, a switch about one. Off the server (worker, command line, tests) the same
functions simply block.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar("T")

# Password hashing is the only heavy work that leaves the loop: two at a time bounds both the
# memory (7 MiB each) and what a burst of sign-ins can take from everybody else.
_ASIDE = ThreadPoolExecutor(max_workers=2, thread_name_prefix="aside")


class _Plain(greenlet):
    """A greenlet whose parent awaits for it."""


async def run(work: Callable[[], T]) -> T:
    """Run `work` as plain code; whatever it waits for is awaited here."""
    inner = _Plain(work, getcurrent())
    step: Any = inner.switch()
    while not inner.dead:
        try:
            value = await step
        except BaseException as error:  # belongs to the plain code, cancellation included
            step = inner.throw(error)
        else:
            step = inner.switch(value)
    outcome: T = step
    return outcome


def on_loop() -> bool:
    """Whether the caller is plain code that must not block."""
    return isinstance(getcurrent(), _Plain)


def wait_for(awaitable: Awaitable[T]) -> T:
    """From plain code on the loop: wait without blocking anyone."""
    parent = getcurrent().parent
    assert parent is not None
    value: T = parent.switch(awaitable)
    return value


def aside(work: Callable[..., T], *args: Any) -> T:
    """Do something slow, such as hashing a password, without holding up the loop."""
    return wait_for(begin_aside(work, *args)) if on_loop() else work(*args)


def pause(seconds: float) -> None:
    """Let a little time pass, without blocking anyone."""
    if on_loop():
        wait_for(asyncio.sleep(seconds))
    else:
        time.sleep(seconds)


def begin_aside(work: Callable[..., T], *args: Any) -> asyncio.Future[T]:
    """Begin something slow that goes on even if nobody waits for it any more."""
    return asyncio.get_running_loop().run_in_executor(_ASIDE, work, *args)
