"""Plain synchronous code on an event loop.

Services are ordinary functions: they call the database and get rows back. On the server they
run in a greenlet of the event loop's own thread, and waiting (for PostgreSQL, for a password
hash) switches back to the loop, so that no thread hop is paid: measured, a hop costs 80 to 160
microseconds, a switch about one. Off the server (worker, command line, tests) the same
functions simply block.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from greenlet import getcurrent, greenlet

T = TypeVar("T")

# Password hashing is the only heavy work that leaves the loop: two at a time bounds both the
# memory (7 MiB each) and what a burst of sign-ins can take from everybody else.
_ASIDE = ThreadPoolExecutor(max_workers=2, thread_name_prefix="aside")
# Connecting may hang for seconds where the database does: not in front of the passwords.
_CONNECTING = ThreadPoolExecutor(max_workers=4, thread_name_prefix="connecting")
_TURNS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
_TURNS_AT_ONCE = 4


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
    if not on_loop():
        return work(*args)
    return wait_for(asyncio.get_running_loop().run_in_executor(_ASIDE, work, *args))


@contextmanager
def in_turn() -> Iterator[None]:
    """A few at a time: for work that waits aside while it holds a connection.

    A burst of sign-ins queues here, before it has taken anything from those who check in.
    """
    if not on_loop():
        yield
        return
    loop = asyncio.get_running_loop()
    turns = _TURNS.setdefault(loop, asyncio.Semaphore(_TURNS_AT_ONCE))
    wait_for(turns.acquire())
    try:
        yield
    finally:
        turns.release()


def pause(seconds: float) -> None:
    """Let a little time pass, without blocking anyone."""
    if on_loop():
        wait_for(asyncio.sleep(seconds))
    else:
        time.sleep(seconds)


def begin_connecting(work: Callable[..., T], *args: Any) -> asyncio.Future[T]:
    """Begin to connect; it goes on even if nobody waits for it any more."""
    return asyncio.get_running_loop().run_in_executor(_CONNECTING, work, *args)
