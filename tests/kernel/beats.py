"""A row that changes, and how tests of transactions ask for it."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import uuid4

import uvloop
from sqlalchemy import bindparam, func, insert, literal_column, select

from app.kernel.db import Change, Query, itself
from app.kernel.tables import Heartbeat, columns
from app.kernel.vault import Keyring

T = TypeVar("T")
NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
VAULT = Keyring.parse(Keyring.generate())
beat = columns(Heartbeat)
ADD = Change(insert(Heartbeat))
AT = Query(select(beat.at).where(beat.name == bindparam("beat_name")), itself)
ONE = Query(select(literal_column("1")), int)
TWO = Query(select(literal_column("2")), int)
SLEEP = Query(select(func.pg_sleep(bindparam("seconds"))), itself)


def a_name() -> str:
    return f"beat-{uuid4()}"


def on_loop(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run on the loop that the server uses."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())
