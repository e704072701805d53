"""The two processes of a running server, each started as a program of its own.

    python -m app.operations.process serve | worker [--with-parent]

`--with-parent`: stop when standard input ends, that is, when the process that started this one
is gone, however it went.
"""

import contextlib
import ctypes
import gc
import os
import signal
import sys
from collections.abc import Callable
from threading import Event, Thread
from typing import Any, Final

from app.kernel.errors import Problem
from app.kernel.log import logger, to_standard_error
from app.kernel.settings import Settings
from app.operations import stack

_M_MMAP_THRESHOLD: Final = -3


def main(arguments: list[str]) -> None:
    """Run one part until it is told to stop."""
    part, *options = arguments
    to_standard_error()
    if "--with-parent" in options:
        Thread(target=_end_with_parent, daemon=True).start()
    settings = _settings()
    try:
        _PARTS[part](settings)
    except stack.NotDurable as names:
        logger().critical("start.refused", reason="PostgreSQL is not durable", off=str(names))
        sys.exit(3)
    except (stack.WrongKeys, stack.WrongTables) as error:
        logger().critical("start.refused", reason=type(error).__doc__)
        sys.exit(3)
    except Problem as problem:
        logger().critical(
            "start.refused", reason="PostgreSQL does not answer", problem=problem.kind.code
        )
        sys.exit(3)


def _settings() -> Settings:
    settings = stack.read_settings()
    if settings.database_url is None:
        stack.refuse(
            "AFTERGLOW_DATABASE_URL is not set; `afterglow up` brings a database of its own."
        )
    return settings


def serve(settings: Settings) -> None:
    """The API."""
    import uvicorn

    from app import worker
    from app.kernel import outbox
    from app.kernel.channels import Channels
    from app.main import create_app
    from app.operations.bounded import BoundedProtocol

    database = stack.direct(settings)
    stack.require_durability(database)
    database.close()
    _give_large_blocks_back()
    app = create_app(settings, stack.keyring(settings), stack.signing_keys(settings))
    # What was loaded to start with stays: going over it again and again to look for garbage was a
    # third of the work of an upload.
    gc.collect()
    gc.freeze()
    by_loop = {
        outbox.WORKER: worker.KEEPERS,
        **worker.alarms_by_loop(Channels.from_settings(settings), settings.base_url),
    }
    stop = Event()
    for loop, keepers in by_loop.items():
        Thread(
            target=worker.stand_in,
            args=(stack.direct(settings), keepers, stop),
            kwargs={"loop": loop},
            daemon=True,
        ).start()
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=BoundedProtocol,
        lifespan="on",
        access_log=False,
        server_header=False,
        log_config=None,
        timeout_graceful_shutdown=3,
    )
    stop.set()


def work(settings: Settings) -> None:
    """The worker."""
    from app import worker
    from app.kernel.channels import Channels

    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    assert settings.database_url is not None
    bell = worker.Bell(settings.listen_url or settings.database_url)
    channels = Channels.from_settings(settings)
    loops: list[tuple[Callable[..., None], tuple[Any, ...]]] = [
        (worker.run_alarms, named)
        for named in worker.alarms_by_loop(channels, settings.base_url).items()
    ]
    loops.append((worker.run_errands, (channels,)))
    # A message that is under way must not keep the process from stopping; it is sent again.
    threads = [
        Thread(target=loop, args=(stack.direct(settings), *given, stop), daemon=True)
        for loop, given in loops
    ]
    for thread in threads:
        thread.start()
    worker.run(stack.direct(settings), bell, stop)
    for thread in threads:
        thread.join(timeout=1)


def _end_with_parent() -> None:
    # Not sys.stdin: a thread that holds its lock cannot be ended cleanly.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _give_large_blocks_back() -> None:
    """Return what a password hash used to the system at once.

    glibc learns from the first large block that is freed to keep the next ones for itself, and
    the process stays as large as its busiest moment of signing in.
    """
    with contextlib.suppress(AttributeError, OSError):  # not glibc: nothing to unlearn
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 1024 * 1024)


_PARTS: Final = {"serve": serve, "worker": work}

if __name__ == "__main__":
    main(sys.argv[1:])
