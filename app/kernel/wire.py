"""A conversation with PostgreSQL in libpq's pipeline mode.

A `Link` owns one connection. A trip posts any number of prepared statements and one sync, and
comes back with their results: one round trip however many statements. Whoever does not care
for the results (ROLLBACK, or the COMMIT of a transaction that only read) posts and walks away;
the answers are dropped when they arrive, in order, before those of the next trip.

Everything about connections, types and errors that psycopg knows is left to psycopg: it makes
the connection and turns result columns into Python values. What is ours is the order of things.
"""

import asyncio
import json
import select
from collections import deque
from collections.abc import Callable, Sequence
from datetime import date, datetime
from time import monotonic
from typing import Any, Final, NamedTuple
from uuid import UUID

import psycopg
from psycopg.adapt import Transformer
from psycopg.pq import DiagnosticField, ExecStatus, Format
from psycopg.pq.abc import PGresult

from app.kernel import plain

TRIP_SECONDS: Final = 15.0
"""After this long without an answer a connection is given up. Statements end sooner: see
`_SESSION`."""

_SESSION = """
    SET TimeZone = 'UTC';
    SET statement_timeout = '10s';
    SET lock_timeout = '5s';
    SET idle_in_transaction_session_timeout = '30s';
    SET plan_cache_mode = 'force_generic_plan';
    SET jit = off;
"""
# Every statement finds its rows by key, so the plan does not depend on the values: planning once
# per connection instead of at every execution is half of PostgreSQL's time.


_SYNC: Final = int(ExecStatus.PIPELINE_SYNC)
_LAST_WORDS: Final = (b"FATAL", b"PANIC")
_FAILED: Final = (int(ExecStatus.FATAL_ERROR), int(ExecStatus.PIPELINE_ABORTED))


class Refusal(Exception):
    """PostgreSQL refused a statement. Carries no text of the server: that may quote rows."""

    def __init__(self, sqlstate: str, constraint: str | None) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate
        self.constraint = constraint


class LinkLost(Exception):
    """The connection broke, or did not answer; what was under way has an unknown end."""


class NoLink(LinkLost):
    """There is no connection to be had; nothing was under way."""


class Posted(NamedTuple):
    """One statement, ready for libpq. `key` None: not worth preparing."""

    key: bytes | None
    sql: bytes
    values: Sequence[bytes | None]
    formats: Sequence[int] | None


class _Trip:
    """What has come back so far of what was posted between two syncs."""

    __slots__ = ("expected", "failure", "future", "is_dropped", "prepares", "results", "seen")

    def __init__(self, expected: list[bytes | None], is_dropped: bool) -> None:
        self.expected = expected  # the key for a PREPARE's answer, None for a statement's
        self.is_dropped = is_dropped
        self.seen = 0
        self.results: list[PGresult] = []
        self.failure: Refusal | None = None
        self.future: asyncio.Future[None] | None = None

    def take(self, result: PGresult, is_failure: bool, prepared: set[bytes]) -> None:
        """The next answer. What could not be prepared is taken out of `prepared`.

        Raises: psycopg.Error when it is the server's last word, such as before a restart.
        """
        if result.error_field(DiagnosticField.SEVERITY_NONLOCALIZED) in _LAST_WORDS:
            raise psycopg.OperationalError
        key = self.expected[self.seen]
        self.seen += 1
        if not is_failure:
            if key is None:
                self.results.append(result)
            return
        if key is not None:
            prepared.discard(key)
        if self.failure is None:
            self.failure = _refusal(result)

    def end(self) -> None:
        """Everything is there. Raises: psycopg.Error if it failed and nobody will hear of it."""
        if self.future is not None and not self.future.done():
            self.future.set_result(None)
        if self.is_dropped and self.failure is not None:
            raise psycopg.OperationalError


class Link:
    """One connection. Not for two transactions at once.

    on_lost: called once when the connection breaks, from whoever notices. trip_seconds: after
    this long without an answer it is given up.
    """

    def __init__(
        self,
        url: str,
        on_lost: Callable[["Link"], None] | None = None,
        *,
        trip_seconds: float = TRIP_SECONDS,
    ) -> None:
        """Connect, blocking. Raises: NoLink."""
        try:
            connection = psycopg.connect(
                url,
                autocommit=True,
                connect_timeout=5,
                keepalives_idle=5,
                keepalives_interval=2,
                keepalives_count=3,
            )
            connection.execute(_SESSION)
            # Whatever the login may do besides, the session may do what the application may:
            # an owner, or a member of the owner's role, would step over row-level security.
            connection.execute("SET ROLE afterglow_app")
        except psycopg.Error:
            # from None: the text of a connection error names hosts and users.
            raise NoLink from None
        self._connection = connection  # keeps the socket open
        self._pg = connection.pgconn
        self._pg.nonblocking = 1
        # libpq does not tell any more once the connection broke, and the loop must let go of it.
        self._socket = self._pg.socket
        self._pg.enter_pipeline_mode()
        self._types = Transformer(connection)
        self._prepared: set[bytes] = set()
        self._trips: deque[_Trip] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_lost = on_lost
        self._waiting_since = 0.0
        self._trip_seconds = trip_seconds
        self.is_lost = False

    def join_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on answers arrive through the loop, and trips wait in plain code on it."""
        self._loop = loop
        loop.add_reader(self._socket, self._readable)

    def trip(self, statements: Sequence[Posted]) -> list[PGresult]:
        """Post, wait, and return one result per statement. Raises: Refusal, LinkLost."""
        trip = self._post(statements, is_dropped=False)
        self._waiting_since = monotonic()
        if self._loop is None:
            self._block_until_done(trip)
        else:
            trip.future = self._loop.create_future()
            try:
                plain.wait_for(trip.future)
            except BaseException:
                # Cancelled in the middle: the rest of the answer would meet the next user.
                self.lose()
                raise
        self._waiting_since = 0.0
        if trip.failure is not None:
            raise trip.failure
        return trip.results

    def leave(self, statements: Sequence[Posted]) -> None:
        """Post without waiting; the answers are dropped, a failure loses the link."""
        if not self.is_lost:
            try:
                self._post(statements, is_dropped=True)
            except LinkLost:
                return  # nobody waits for it, and on_lost was told

    def rows(self, result: PGresult, make_row: Callable[[Sequence[Any]], Any]) -> list[Any]:
        """The rows of a result as Python values."""
        types = self._types
        types.set_pgresult(result, set_loaders=True)
        return types.load_rows(0, result.ntuples, make_row)

    def is_hopeless(self, at: float) -> bool:
        """Whether a trip has been out too long at the monotonic instant `at`, or cannot return.

        A reset socket has to be asked: uvloop takes its reader away and tells nobody.
        """
        if self._waiting_since and at - self._waiting_since > self._trip_seconds:
            return True
        poll = select.poll()
        poll.register(self._socket, 0)  # errors are always told
        return bool(poll.poll(0))

    def lose(self) -> None:
        """Give the connection up; whoever waits gets LinkLost."""
        if self.is_lost:
            return
        self.is_lost = True
        if self._loop is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
        self._connection.close()
        for trip in self._trips:
            if trip.future is not None and not trip.future.done():
                trip.future.set_exception(LinkLost())
        self._trips.clear()
        if self._on_lost is not None:
            self._on_lost(self)

    def _post(self, statements: Sequence[Posted], *, is_dropped: bool) -> _Trip:
        if self.is_lost:
            raise LinkLost
        pg = self._pg
        expected: list[bytes | None] = []
        try:
            for key, sql, values, formats in statements:
                if key is None:
                    pg.send_query_params(sql, None)
                else:
                    if key not in self._prepared:
                        pg.send_prepare(key, sql)
                        self._prepared.add(key)
                        expected.append(key)
                    pg.send_query_prepared(key, values, formats, _BINARY)
                expected.append(None)
            pg.pipeline_sync()
            trip = _Trip(expected, is_dropped)
            self._trips.append(trip)
            if pg.flush() and self._loop is not None:
                self._loop.add_writer(self._socket, self._writable)
        except psycopg.Error:
            self.lose()
            raise LinkLost from None
        return trip

    def _absorb(self) -> None:
        """Take in what has arrived. Raises: psycopg.Error when the connection is gone."""
        pg = self._pg
        pg.consume_input()
        trips = self._trips
        while trips and not pg.is_busy():
            result = pg.get_result()
            if result is None:
                continue  # between the answers of two statements
            trip = trips[0]
            status = result.status
            if status == _SYNC:
                trips.popleft()
                trip.end()
            else:
                trip.take(result, status in _FAILED, self._prepared)

    def _readable(self) -> None:
        try:
            self._absorb()
        except psycopg.Error:
            self.lose()

    def _writable(self) -> None:
        try:
            if not self._pg.flush() and self._loop is not None:
                self._loop.remove_writer(self._socket)
        except psycopg.Error:
            self.lose()

    def _block_until_done(self, trip: _Trip) -> None:
        poll = select.poll()
        try:
            while trip in self._trips:
                unsent = self._pg.flush()
                poll.register(self._socket, select.POLLIN | (select.POLLOUT if unsent else 0))
                if not poll.poll(self._trip_seconds * 1000):
                    raise psycopg.OperationalError
                self._absorb()
        except psycopg.Error:
            self.lose()
            raise LinkLost from None
        except BaseException:
            self.lose()
            raise


def _refusal(result: PGresult) -> Refusal:
    state = result.error_field(DiagnosticField.SQLSTATE) or b""
    constraint = result.error_field(DiagnosticField.CONSTRAINT_NAME)
    return Refusal(state.decode(), constraint.decode() if constraint else None)


def encode(value: Any) -> tuple[bytes | None, int]:
    """A Python value as libpq takes it, and in which of its two formats.

    Everything is text but what is shorter, and quicker to make, as binary.
    """
    kind = type(value)
    if kind is UUID:
        return value.bytes, _BINARY
    if value is None:
        return None, _TEXT
    if kind is bytes:
        return value, _BINARY
    return _ENCODERS[kind](value), _TEXT


def _encode_list(values: list[Any]) -> bytes:
    return b"{" + b",".join([_ELEMENTS[type(value)](value) for value in values]) + b"}"


def _quote(text: str) -> bytes:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'.encode()


def as_json(value: Any) -> bytes:
    """Compact JSON; NaN and infinity are refused."""
    return _JSON(value).encode()


_TEXT: Final = int(Format.TEXT)
_BINARY: Final = int(Format.BINARY)
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_ENCODERS: Final[dict[type, Callable[[Any], bytes]]] = {
    bool: lambda value: b"t" if value else b"f",
    int: lambda value: b"%d" % value,
    float: lambda value: repr(value).encode(),
    str: str.encode,
    datetime: lambda value: value.isoformat().encode(),
    date: lambda value: value.isoformat().encode(),
    dict: as_json,
    list: _encode_list,
}
_ELEMENTS: Final[dict[type, Callable[[Any], bytes]]] = {
    type(None): lambda _: b"NULL",
    int: lambda value: b"%d" % value,
    float: lambda value: repr(value).encode(),
    UUID: lambda value: str(value).encode(),
    str: _quote,
}
