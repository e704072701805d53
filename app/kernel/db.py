"""The only way to PostgreSQL, and the only thing that commits.

A service gets a `Db`: one transaction that has not begun. It reads (`all`, `first`, `one`:
answered at once) and it adds (`add`: travels with the next read or with the commit). Statements
are SQLAlchemy Core on SQLModel tables, compiled once:

    OPEN_FLAG = Query(select(Flag.id, Flag.level).where(...), OpenFlag)
    ADD_CHECK_IN = Change(insert(CheckIn))

    flag = db.first(OPEN_FLAG, patient_id=chart.patient_id)
    db.add(ADD_CHECK_IN, id=..., ...)

`clinic_id` is filled in from the transaction: every statement on a tenant table carries it, and
the first thing said in every transaction is `SET LOCAL app.clinic_id`, on which row-level
security rests. A transaction takes two round trips in the common case: begin + clinic + chart,
then inserts + commit. What added nothing has nothing to wait for at its end.

`db.vault` has the keys to what is sealed. `Database.run(work)` is a transaction: it calls
`work(db)`, commits, and only then returns, so whoever answers a client answers about something
that is on disk. It calls `work` again, in a new transaction, after a serialization failure, a
deadlock or a connection lost before the commit was sent; and after a unique violation (twice at
most), with `db.after_collision` set: somebody else's row is there now, and a verb that takes
client-made ids looks for it then.

Whoever catches a Problem and answers all the same does so around `with db.tried():`, which undoes
what the service had said before it refused.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from time import monotonic
from typing import Any, Final, Generic, Protocol, TypeVar
from uuid import UUID, uuid4

from psycopg.pq.abc import PGresult
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql.expression import Executable

from app.kernel import plain
from app.kernel.errors import Kind, Problem
from app.kernel.log import logger
from app.kernel.vault import Keyring
from app.kernel.wire import Link, LinkLost, NoLink, Posted, Refusal, encode

R = TypeVar("R")
T = TypeVar("T")

_DIALECT: Final = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
_KEYS: Final = count(1)
_ATTEMPTS: Final = 4
_COLLISIONS: Final = 2
_BUSY_SECONDS: Final = 5.0


class _Statement:
    """SQL, compiled on first use and known by a short key to every connection."""

    __slots__ = ("_construct", "_formats", "_key", "_places", "_sql", "_values")

    def __init__(self, construct: Executable) -> None:
        self._construct = construct
        self._sql: bytes | None = None

    def post(self, params: dict[str, Any], clinic_id: UUID | None) -> Posted:
        """Bind `params`. Raises: KeyError for one that is missing."""
        if self._sql is None:
            self._compile()
        if clinic_id is not None:
            params.setdefault("clinic_id", clinic_id)
        values = self._values.copy()
        formats = self._formats.copy()
        for place, name in self._places:
            values[place], formats[place] = encode(params[name])
        assert self._sql is not None
        return Posted(self._key, self._sql, values, formats)

    def _compile(self) -> None:
        compiled = self._construct.compile(dialect=_DIALECT)  # type: ignore[attr-defined]
        names = compiled.positiontup or []
        constants = [compiled.params[name] for name in names]
        encoded = [encode(value) for value in constants]
        self._values: list[bytes | None] = [value for value, _ in encoded]
        self._formats: list[int] = [how for _, how in encoded]
        self._places = [
            (place, name) for place, name in enumerate(names) if constants[place] is None
        ]
        self._key = b"s%d" % next(_KEYS)
        self._sql = str(compiled).encode()
        # An IN list is rendered per execution; `= ANY(array)` is one text for all.
        assert b"POSTCOMPILE" not in self._sql


class Query(_Statement, Generic[R]):
    """A statement that answers with rows of `into`, called with the columns in order."""

    __slots__ = ("make_row",)

    def __init__(self, construct: Executable, into: Callable[..., R]) -> None:
        super().__init__(construct)
        make = getattr(into, "_make", None)
        self.make_row: Callable[[Any], R] = make or (lambda columns: into(*columns))


def itself(value: Any) -> Any:
    """For a query of one column: the value itself."""
    return value


class Change(_Statement):
    """A statement that changes something and answers nothing."""

    __slots__ = ()


class _Raw:
    """A fixed word of the transaction itself."""

    def __init__(self, sql: str) -> None:
        self.posted = Posted(b"w%d" % next(_KEYS), sql.encode(), (), None)


_BEGIN: Final = _Raw("BEGIN").posted
_COMMIT: Final = _Raw("COMMIT").posted
_ROLLBACK: Final = _Raw("ROLLBACK").posted
# One name for all: the newest of a name is meant, and each is released where it ends.
_SAVEPOINT: Final = _Raw("SAVEPOINT tried").posted
_RELEASE: Final = _Raw("RELEASE SAVEPOINT tried").posted
_ROLLBACK_TO: Final = _Raw("ROLLBACK TO SAVEPOINT tried").posted


class Ahead(Generic[R]):
    """The answer to a question that was asked ahead."""

    __slots__ = ("_db", "_query", "result")

    def __init__(self, db: "Db", query: Query[R]) -> None:
        self._db = db
        self._query = query
        self.result: PGresult | None = None

    def all(self) -> list[R]:
        """Every row; asks now if nothing has travelled since."""
        if self.result is None:
            self._db._flush()
        assert self.result is not None
        assert self._db._link is not None
        return self._db._link.rows(self.result, self._query.make_row)

    def one(self) -> R:
        """The row there must be."""
        return self.all()[0]


class _Links(Protocol):
    @property
    def vault(self) -> Keyring: ...

    def take(self) -> Link: ...
    def give_back(self, link: Link) -> None: ...


class Db:
    """One transaction. Begins with the first statement; ends with the work it was given to."""

    __slots__ = (
        "_is_ending",
        "_link",
        "_links",
        "_pending",
        "_wrote",
        "after_collision",
        "clinic_id",
        "vault",
    )

    def __init__(self, links: _Links, *, after_collision: bool = False) -> None:
        self.vault = links.vault
        self._links = links
        self._link: Link | None = None
        self._pending: list[tuple[Posted, Ahead[Any] | None]] = []
        self._wrote = False
        self._is_ending = False
        self.after_collision = after_collision
        self.clinic_id: UUID | None = None

    def enter(self, clinic_id: UUID) -> None:
        """From here on the transaction sees this clinic's rows and no other's."""
        self.clinic_id = clinic_id
        # SET takes no parameters, and set_config() is not propagated by Citus. A UUID cannot
        # carry anything but hexadecimal digits and dashes.
        self._queue(
            Posted(
                None,
                f"SET LOCAL app.clinic_id = '{UUID(bytes=clinic_id.bytes)}'".encode(),
                (),
                None,
            )
        )

    def all(self, query: Query[R], /, **params: Any) -> list[R]:
        """Every row."""
        self._queue(query.post(params, self.clinic_id))
        result = self._flush()[-1]
        assert self._link is not None
        return self._link.rows(result, query.make_row)

    def first(self, query: Query[R], /, **params: Any) -> R | None:
        """The first row, if any."""
        rows = self.all(query, **params)
        return rows[0] if rows else None

    def one(self, query: Query[R], /, **params: Any) -> R:
        """The row there must be."""
        return self.all(query, **params)[0]

    def ahead(self, query: Query[R], /, **params: Any) -> "Ahead[R]":
        """Ask now, hear later: the question travels with the next one, in the same round trip.

        For what can be asked before it is known whether the caller may hear it.
        """
        asked = Ahead(self, query)
        self._queue(query.post(params, self.clinic_id), asked)
        return asked

    def add(self, change: Change, /, **params: Any) -> None:
        """Change something; it travels with the next read or with the commit."""
        self._wrote = True
        self._queue(change.post(params, self.clinic_id))

    def change(self, query: Query[R], /, **params: Any) -> list[R]:
        """Change something and hear back at once (INSERT or UPDATE … RETURNING)."""
        self._wrote = True
        return self.all(query, **params)

    @contextmanager
    def tried(self) -> Iterator[None]:
        """What is raised inside undoes everything that was said inside, and passes through.

        For whoever catches a Problem of a service and still answers: without it, what the service
        had written before it refused would be stored. What has not travelled yet is not sent at
        all, and what nobody refused costs nothing unless something was read in between.
        """
        self._queue(_SAVEPOINT)
        savepoint = self._pending[-1]
        before = self.clinic_id, self._wrote
        try:
            yield
        except BaseException:
            at = self._unsent(savepoint)
            del self._pending[at or 0 :]
            if at is None:
                self._queue(_ROLLBACK_TO)
                self._queue(_RELEASE)
            # SET LOCAL is undone with the rest.
            self.clinic_id, self._wrote = before
            raise
        at = self._unsent(savepoint)
        if at is None:
            self._queue(_RELEASE)
        else:
            del self._pending[at]

    def _unsent(self, said: tuple[Posted, "Ahead[Any] | None"]) -> int | None:
        """Where it waits to travel; None if it has travelled."""
        return next((at for at, one in enumerate(self._pending) if one is said), None)

    def _queue(self, posted: Posted, asked: "Ahead[Any] | None" = None) -> None:
        if self._link is None and not self._pending:
            self._pending.append((_BEGIN, None))
        self._pending.append((posted, asked))

    def _flush(self, *, is_ending: bool = False) -> list[PGresult]:
        if self._link is None:
            self._link = self._links.take()
        self._is_ending = is_ending
        pending, self._pending = self._pending, []
        results = self._link.trip([posted for posted, _ in pending])
        for (_, asked), result in zip(pending, results, strict=True):
            if asked is not None:
                asked.result = result
        return results

    def _commit(self) -> None:
        if self._wrote:
            self._queue(_COMMIT)
            self._flush(is_ending=True)
        elif self._link is not None:
            # What was asked ahead and never read is read into nothing.
            self._link.leave([*(posted for posted, _ in self._pending), _COMMIT])
        self._release()

    def _abandon(self, *, hang_up: bool = False) -> None:
        if self._link is not None:
            if hang_up:
                self._link.lose()
            self._link.leave([_ROLLBACK])
        self._release()

    def _release(self) -> None:
        if self._link is not None:
            link, self._link = self._link, None
            self._links.give_back(link)


def transact(links: _Links, work: Callable[[Db], T]) -> T:
    """Call `work` with a transaction, commit, return what it returned.

    Raises: Problem. What `work` raises passes through, and nothing is stored.
    """
    attempt = collisions = 0
    while True:
        attempt += 1
        db = Db(links, after_collision=collisions > 0)
        try:
            answer = work(db)
            db._commit()
        except Refusal as refusal:
            db._abandon(hang_up=refusal.sqlstate == _OUTDATED_PLAN)
            collisions += refusal.sqlstate == _COLLISION
            if not _is_worth_another(refusal, attempt, collisions):
                raise _problem(refusal) from refusal
            _let_by(refusal, attempt)
        except NoLink:
            # Each try may take seconds, and whoever waits is better told.
            raise _unavailable() from None
        except LinkLost:
            db._abandon()
            if db._is_ending:
                raise Problem(Kind.OUTCOME_UNKNOWN, headers={"Retry-After": "1"}) from None
            if attempt >= _ATTEMPTS:
                raise _unavailable() from None
        except BaseException:
            db._abandon()
            raise
        else:
            return answer


def _is_worth_another(refusal: Refusal, attempt: int, collisions: int) -> bool:
    if refusal.sqlstate == _COLLISION:
        return collisions <= _COLLISIONS  # with one row, then perhaps with another one's
    return refusal.sqlstate in _WORTH_ANOTHER and attempt < _ATTEMPTS


def _let_by(refusal: Refusal, attempt: int) -> None:
    """Whoever stood in the way must get by first.

    Tried again at once, the loser of a deadlock takes its lock back before the winner wakes up.
    """
    if refusal.sqlstate in _IN_THE_WAY:
        plain.pause(0.02 * 2**attempt)


_COLLISION: Final = "23505"
# A migration came by: the connection's prepared statements are for the tables as they were.
_OUTDATED_PLAN: Final = "0A000"
# Serialization failure and deadlock.
_IN_THE_WAY: Final = {"40001", "40P01"}
_WORTH_ANOTHER: Final = {_OUTDATED_PLAN, *_IN_THE_WAY}
# Classes and codes that say "not now": connection, resources, operator, system and internal
# errors, a lock waited for too long, a server that only reads.
_NOT_NOW: Final = ("08", "53", "57", "58", "XX", "55P03", "25006")
_DISK_FULL: Final = "53100"


def _problem(refusal: Refusal) -> Problem:
    state = refusal.sqlstate
    if state == _COLLISION:
        return Problem(Kind.ALREADY_EXISTS)
    reference = uuid4()
    logger().error(
        "database.refused",
        reference=str(reference),
        sqlstate=state,
        constraint=refusal.constraint,
    )
    if state == _DISK_FULL:
        return Problem(Kind.STORAGE_FULL, headers={"Retry-After": "30"})
    if state in _WORTH_ANOTHER or state.startswith(_NOT_NOW):
        return _unavailable()
    return Problem(Kind.INTERNAL, extra={"instance": f"urn:uuid:{reference}"})


def _unavailable() -> Problem:
    return Problem(Kind.UNAVAILABLE, headers={"Retry-After": "1"})


class Direct:
    """Transactions for the worker, the command line and tests: they block."""

    def __init__(self, url: str, vault: Keyring) -> None:
        self.vault = vault
        self._url = libpq(url)
        self._idle: Link | None = None

    def run(self, work: Callable[[Db], T]) -> T:
        """One transaction. Raises: Problem."""
        return transact(self, work)

    def take(self) -> Link:
        """For `Db`."""
        link, self._idle = self._idle, None
        return link if link is not None and not link.is_lost else Link(self._url)

    def give_back(self, link: Link) -> None:
        """For `Db`."""
        if link.is_lost:
            return
        if self._idle is None:
            self._idle = link
        else:
            link.lose()

    def close(self) -> None:
        """Hang up."""
        if self._idle is not None:
            self._idle.lose()
            self._idle = None


_Turn = asyncio.Future[Link | None]


class Database:
    """Transactions on the event loop, over at most `size` connections.

    busy_seconds: how long to wait for one of them to come free.
    """

    def __init__(
        self, url: str, vault: Keyring, *, size: int, busy_seconds: float = _BUSY_SECONDS
    ) -> None:
        self.vault = vault
        self._url = libpq(url)
        self._size = size
        self._busy_seconds = busy_seconds
        self._open: set[Link] = set()
        self._connecting = 0
        self._idle: list[Link] = []
        self._queue: deque[tuple[float, _Turn]] = deque()
        self._watch: asyncio.Task[None] | None = None

    async def run(self, work: Callable[[Db], T]) -> T:
        """One transaction; `work` runs as plain code. Raises: Problem."""
        return await plain.run(lambda: transact(self, work))

    def take(self) -> Link:
        """For `Db`: an idle connection, a new one, or the next that comes free, in turn."""
        while True:
            if self._idle:
                return self._idle.pop()
            if len(self._open) + self._connecting < self._size:
                return self._connect()
            turn: _Turn = asyncio.get_running_loop().create_future()
            self._queue.append((monotonic() + self._busy_seconds, turn))
            try:
                link = plain.wait_for(turn)
            except BaseException:
                if turn.done() and not turn.cancelled() and turn.exception() is None:
                    self._pass_on(turn.result())  # given to us while we were giving up
                raise
            if link is not None:
                return link

    def give_back(self, link: Link) -> None:
        """For `Db`."""
        self._pass_on(None if link.is_lost else link)

    async def close(self) -> None:
        """Hang up."""
        if self._watch is not None:
            self._watch.cancel()
        for link in list(self._open):
            link.lose()

    def _connect(self) -> Link:
        loop = asyncio.get_running_loop()
        if self._watch is None:
            self._watch = loop.create_task(self._give_up_overdue())
        self._connecting += 1
        coming = plain.begin_connecting(Link, self._url, self._forget)
        coming.add_done_callback(self._arrived)
        try:
            return plain.wait_for(asyncio.shield(coming))
        except BaseException:
            # Whoever asked went away, or there is none: the next in line gets it or finds out.
            coming.add_done_callback(self._unclaimed)
            raise

    def _arrived(self, coming: asyncio.Future[Link]) -> None:
        self._connecting -= 1
        if coming.exception() is None:
            coming.result().join_loop(coming.get_loop())
            self._open.add(coming.result())

    def _unclaimed(self, coming: asyncio.Future[Link]) -> None:
        self._pass_on(coming.result() if coming.exception() is None else None)

    def _forget(self, link: Link) -> None:
        self._open.discard(link)
        if link in self._idle:
            self._idle.remove(link)
        self._pass_on(None)

    def _pass_on(self, link: Link | None) -> None:
        """A connection came free, or (None) a place for one: to whoever has waited longest."""
        while self._queue:
            _, turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(link)
                return
        if link is not None:
            self._idle.append(link)

    async def _give_up_overdue(self) -> None:
        """Once a second: connections that do not answer, and turns that do not come."""
        while True:
            await asyncio.sleep(1)
            at = monotonic()
            for link in [link for link in self._open if link.is_hopeless(at)]:
                link.lose()
            while self._queue and self._queue[0][0] < at:
                _, turn = self._queue.popleft()
                if not turn.done():
                    turn.set_exception(_unavailable())


def libpq(url: str) -> str:
    """SQLAlchemy's spelling of a PostgreSQL URL in libpq's."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)
