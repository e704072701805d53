"""Flags as they change, to whoever may see them and is there: server-sent events.

A stream begins with every open flag that its reader may see (`snapshot`, worst first, then
`live`), so nothing is missed between reading the list and connecting, nor while a phone was
away. From then on it has a `flag` for each change, a `gone` for a flag that was shown and may
not be seen any more. A care link or a consent that begins shows a flag to who may see it then.
`interrupted` comes while this process cannot hear of changes; what follows that is a snapshot
again. `sign-in-again` ends it with the access token, with the membership, or with whatever else
its reader is signed in by. Ids and codes only: the reader reads the inbox.

Who may see is asked when it happens, of the database, by the rules of the inbox: one transaction
a clinic for all its streams, in which each reader and patient has a row in the access log before
anything is shown. It is not the transaction that raised the flag, which waits for nobody.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, and_, any_, bindparam, case, func, literal_column, or_, select, true
from sqlalchemy.types import Uuid

from app.kernel.bell import Bell
from app.kernel.clock import Clock
from app.kernel.db import Database, Db, Query, itself
from app.kernel.errors import Kind, Problem
from app.kernel.events import EventStream, event
from app.kernel.identity import ACCESS_LIFETIME, Caller
from app.kernel.log import logger
from app.kernel.tables import Membership, columns, table
from app.people import news as care_news
from app.people.chart import CARE, Right, cared_for, note_shown, open_panel
from app.safety import news
from app.safety.flags import URGENCY
from app.safety.tables import Flag

WATCH_FLAGS: Final = Right("flags.watch", is_for_patient=False, is_for_administrator=True)
MOST_OF_A_MEMBER: Final = 5
"""Streams of one membership, in one process."""
MOST: Final = 500
"""Streams of one process."""
SNAPSHOT: Final = 200
"""Open flags that a stream begins with: the worst, then the oldest."""
STANDING_SECONDS: Final = 15.0
"""A membership that ended is noticed within this."""
_AT_ONCE: Final = 100
_AGAIN_SECONDS: Final = 0.5

SIGN_IN_AGAIN: Final = event("sign-in-again", {})
INTERRUPTED: Final = event("interrupted", {})


class Seen(NamedTuple):
    """A flag, and who may see it."""

    membership_id: UUID
    patient_id: UUID
    id: UUID
    version: int
    kind: str
    level: str
    status: str
    round: int
    is_historic: bool

    def told(self, name: str) -> bytes:
        """As an event of this name."""
        data = {
            "id": str(self.id),
            "version": self.version,
            "kind": self.kind,
            "level": self.level,
            "status": self.status,
            "round": self.round,
            "is_historic": self.is_historic,
        }
        return event(name, data, id=f"{self.id}/{self.version}")


class _Standing(NamedTuple):
    membership_id: UUID
    valid_after: datetime


class _Found(NamedTuple):
    """What one look showed. valid_after: of whoever may still read, by membership. asked: the flags
    that were looked for; changed: those of them that somebody may see.
    """

    valid_after: Mapping[UUID, datetime]
    asked: Collection[UUID]
    changed: list[Seen]
    opened: list[Seen]


SignedIn = Callable[[Db, datetime], bool]
"""Whether the sign-in that a stream was opened with still holds."""


_flag = columns(Flag)
_member = columns(Membership)
_IS_READER = and_(
    _member.clinic_id == bindparam("clinic_id"),
    _member.id == any_(bindparam("membership_ids", type_=ARRAY(Uuid))),
    _member.is_active,
    or_(
        _member.role == "administrator",
        and_(_member.role == "clinician", _member.privileges.overlap(sorted(CARE))),
    ),
)
_MAY_SEE = case(
    (_member.role == "administrator", true()),
    else_=cared_for(_flag.patient_id, _flag.clinic_id, _member.id),
)
_SEEN = (
    _member.id.label("membership_id"),
    *(getattr(_flag, name) for name in Seen._fields[1:]),
)
_OF_THE_CLINIC = (table(Membership), table(Flag), _flag.clinic_id == _member.clinic_id)

READERS = Query(select(_member.id, _member.valid_after).where(_IS_READER), _Standing)
CHANGED_FLAGS = Query(
    select(*_SEEN)
    .join_from(*_OF_THE_CLINIC)
    .where(_IS_READER, _flag.id == any_(bindparam("flag_ids", type_=ARRAY(Uuid))), _MAY_SEE),
    Seen,
)
OPEN_FLAGS_OF = Query(
    select(_flag.id).where(
        _flag.clinic_id == bindparam("clinic_id"),
        _flag.patient_id == any_(bindparam("patient_ids", type_=ARRAY(Uuid))),
        _flag.status != "resolved",
    ),
    itself,
)
_placed = (
    select(
        *_SEEN,
        func.row_number()
        .over(partition_by=_member.id, order_by=(-URGENCY, _flag.raised_at, _flag.id))
        .label("place"),
    )
    .join_from(*_OF_THE_CLINIC)
    .where(_IS_READER, _flag.status != "resolved", _MAY_SEE)
    .subquery()
)
OPEN_FLAGS = Query(
    select(*(_placed.c[name] for name in Seen._fields))
    .where(_placed.c.place <= literal_column(str(SNAPSHOT + 1)))
    .order_by(_placed.c.membership_id, _placed.c.place),
    Seen,
)


class FlagStream(EventStream):
    """One reader. `shown`: the newest version of each flag that was sent.

    holds: asked at least every `standing_seconds`, in a transaction in the reader's clinic; None
        where a membership that stands is enough.
    """

    def __init__(self, hub: "Hub", caller: Caller, holds: SignedIn | None = None) -> None:
        super().__init__()
        self.caller = caller
        self.holds = holds
        self.shown: dict[UUID, int] = {}
        self._hub = hub

    async def open(self) -> None:
        """Raises: Problem TOO_MANY_STREAMS, UNAVAILABLE (also where nothing would be heard)."""
        await self._hub.admit(self)

    def closed(self) -> None:
        """Tell the hub."""
        self._hub.leave(self)

    def is_news(self, flag: Seen) -> bool:
        """Whether this reader has not been shown it."""
        return self.shown.get(flag.id, 0) < flag.version

    def begin(self, flags: list[Seen]) -> None:
        """What is open now."""
        shown = flags[:SNAPSHOT]
        self.shown = {flag.id: flag.version for flag in shown}
        live = event("live", {"open": len(shown), "is_complete": len(shown) == len(flags)})
        self.offer(b"".join([*(flag.told("snapshot") for flag in shown), live]))

    def show(self, flag: Seen) -> None:
        """A change."""
        if self.is_news(flag):
            self.shown[flag.id] = flag.version
            self.offer(flag.told("flag"))

    def hide(self, flag_id: UUID) -> None:
        """What was shown may not be seen any more."""
        if self.shown.pop(flag_id, None) is not None:
            self.offer(event("gone", {"id": str(flag_id)}))


class Hub:
    """Every stream of this process, and what it hears of the others.

    url: a direct connection, for LISTEN. most: streams at once. standing_seconds: a membership
    that ended is noticed within this.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        url: str,
    ) -> None:
        self.database = database
        self.clock = clock
        self.most = MOST
        self.standing_seconds = STANDING_SECONDS
        heard = {news.CHANNEL: self._heard, care_news.CHANNEL: self._heard_of_care}
        self._bell = Bell(url, heard, began=self._began, lost=self._lost)
        self._rooms: dict[UUID, _Room] = {}
        self._attended: set[asyncio.Task[None]] = set()
        self._ends: dict[FlagStream, asyncio.TimerHandle] = {}
        self._is_ending = False

    async def admit(self, stream: FlagStream) -> None:
        """Let it hear from now on. Raises: as `FlagStream.open`."""
        if self._is_ending or not await self._bell.is_there() or len(self._ends) >= self.most:
            raise Problem(Kind.UNAVAILABLE, headers={"Retry-After": "5"})
        caller = stream.caller
        own = [one for one in self._ends if one.caller.membership_id == caller.membership_id]
        if len(own) >= MOST_OF_A_MEMBER:
            raise Problem(Kind.TOO_MANY_STREAMS, headers={"Retry-After": "5"})
        left = caller.issued_at + ACCESS_LIFETIME.total_seconds() - self.clock().timestamp()
        loop = asyncio.get_running_loop()
        self._ends[stream] = loop.call_later(max(0.0, left), stream.end, SIGN_IN_AGAIN)
        self._room(caller.clinic_id).enter(stream)

    def leave(self, stream: FlagStream) -> None:
        """It is over."""
        self._ends.pop(stream).cancel()
        room = self._rooms.get(stream.caller.clinic_id)
        if room is not None:
            room.leave(stream)

    def end(self) -> None:
        """The server stops: so do all streams, and no other begins."""
        self._is_ending = True
        for stream in self._ends:
            stream.end()

    async def close(self) -> None:
        """Hang up."""
        self.end()
        await self._bell.close()
        for task in self._attended:
            task.cancel()
        await asyncio.gather(*self._attended, return_exceptions=True)

    def _room(self, clinic_id: UUID) -> "_Room":
        room = self._rooms.get(clinic_id)
        if room is None:
            room = self._rooms[clinic_id] = _Room(self, clinic_id)
            task = asyncio.create_task(room.attend())
            self._attended.add(task)
            task.add_done_callback(self._attended.discard)
        return room

    def forget(self, clinic_id: UUID) -> None:
        """Nobody attends this clinic's room any more."""
        del self._rooms[clinic_id]

    def _heard(self, said: str) -> None:
        told = news.read(said)
        room = self._rooms.get(told.clinic_id) if told is not None else None
        if told is not None and room is not None:
            room.changed(told.flag_id)

    def _heard_of_care(self, said: str) -> None:
        told = care_news.read(said)
        room = self._rooms.get(told.clinic_id) if told is not None else None
        if told is not None and room is not None:
            room.care_changed(told.patient_id)

    def _began(self) -> None:
        for room in self._rooms.values():
            room.begin_again()

    def _lost(self) -> None:
        for stream in self._ends:
            stream.offer(INTERRUPTED)


class _Room:
    """The streams of one clinic; one transaction at a time finds out for all of them."""

    def __init__(self, hub: Hub, clinic_id: UUID) -> None:
        self._hub = hub
        self._clinic_id = clinic_id
        self._streams: set[FlagStream] = set()
        self._beginning: set[FlagStream] = set()
        self._changed: dict[UUID, None] = {}
        self._cared_for: dict[UUID, None] = {}
        self._wake = asyncio.Event()

    def enter(self, stream: FlagStream) -> None:
        """From now on it hears, after what is open now."""
        self._streams.add(stream)
        self._beginning.add(stream)
        self._wake.set()

    def leave(self, stream: FlagStream) -> None:
        """It is over."""
        self._streams.discard(stream)
        self._beginning.discard(stream)
        self._wake.set()

    def changed(self, flag_id: UUID) -> None:
        """There is a newer version."""
        self._changed[flag_id] = None
        self._wake.set()

    def care_changed(self, patient_id: UUID) -> None:
        """Others may see this patient's flags now."""
        self._cared_for[patient_id] = None
        self._wake.set()

    def begin_again(self) -> None:
        """Something may have been missed."""
        self._beginning |= self._streams
        self._wake.set()

    async def attend(self) -> None:
        """Until nobody is there."""
        try:
            while self._streams:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._hub.standing_seconds):
                        await self._wake.wait()
                self._wake.clear()
                if self._streams:
                    await self._look()
        except Exception as error:
            # They connect again, to another room; silence would look like peace.
            logger().error("stream.failed", error=error)
            for stream in self._streams:
                stream.end()
        finally:
            self._hub.forget(self._clinic_id)

    async def _look(self) -> None:
        streams, beginning = list(self._streams), self._beginning
        flag_ids, patient_ids = _taken(self._changed), _taken(self._cared_for)
        self._beginning = set()
        of_member: dict[UUID, list[FlagStream]] = {}
        for stream in streams:
            of_member.setdefault(stream.caller.membership_id, []).append(stream)

        def is_news(flag: Seen) -> bool:
            return any(stream.is_news(flag) for stream in of_member[flag.membership_id])

        over: set[FlagStream] = set()

        def work(db: Db) -> _Found:
            db.enter(self._clinic_id)
            now = self._hub.clock()
            over.clear()
            over.update(one for one in streams if one.holds and not one.holds(db, now))
            callers = {member: several[0].caller for member, several in of_member.items()}
            new = {stream.caller.membership_id for stream in beginning}
            about = list(flag_ids)
            if patient_ids:
                about += db.all(OPEN_FLAGS_OF, patient_ids=patient_ids)
            return look(db, callers, about, new, is_news, now)

        try:
            found = await self._hub.database.run(work)
        except Problem as problem:
            if problem.kind is Kind.INTERNAL:
                raise
            logger().warning("stream.waits", problem=problem.kind.code)
            self._changed |= dict.fromkeys(flag_ids)
            self._cared_for |= dict.fromkeys(patient_ids)
            self._beginning |= beginning & self._streams
            await asyncio.sleep(_AGAIN_SECONDS)
            self._wake.set()
            return
        if self._changed or self._cared_for:
            self._wake.set()
        for stream in streams:
            if stream in over:
                stream.end(SIGN_IN_AGAIN)
            else:
                _tell(stream, found, is_beginning=stream in beginning)


def _taken(waiting: dict[UUID, None]) -> list[UUID]:
    """The first of them, which wait no more."""
    taken = list(waiting)[:_AT_ONCE]
    for one in taken:
        del waiting[one]
    return taken


def _tell(stream: FlagStream, found: _Found, *, is_beginning: bool) -> None:
    caller = stream.caller
    valid_after = found.valid_after.get(caller.membership_id)
    if valid_after is None or caller.issued_at < int(valid_after.timestamp()):
        stream.end(SIGN_IN_AGAIN)
        return
    own = caller.membership_id
    if is_beginning:
        stream.begin([flag for flag in found.opened if flag.membership_id == own])
    visible = {flag.id: flag for flag in found.changed if flag.membership_id == own}
    for flag_id in found.asked:
        if flag_id in visible:
            stream.show(visible[flag_id])
        else:
            stream.hide(flag_id)


def follow(
    db: Db, hub: Hub, caller: Caller, now: datetime, holds: SignedIn | None = None
) -> FlagStream:
    """A stream for somebody who may read the inbox.

    holds: as for `FlagStream`.
    Raises: Problem FORBIDDEN, NOT_SIGNED_IN.
    """
    open_panel(db, caller, WATCH_FLAGS, now)
    return FlagStream(hub, caller, holds)


def look(
    db: Db,
    callers: Mapping[UUID, Caller],
    flag_ids: Collection[UUID],
    beginning: Collection[UUID],
    is_news: Callable[[Seen], bool],
    now: datetime,
) -> _Found:
    """What these members may see of flags that changed, and of all that are open, and note it.

    callers: by membership. beginning: memberships that are shown what is open.
    """
    everybody = sorted(callers)
    asked: dict[str, Any] = {"now": now}
    readers = db.ahead(READERS, membership_ids=everybody)
    changed = opened = None
    if flag_ids:
        changed = db.ahead(
            CHANGED_FLAGS, membership_ids=everybody, flag_ids=list(flag_ids), **asked
        )
    if beginning:
        opened = db.ahead(OPEN_FLAGS, membership_ids=sorted(beginning), **asked)
    found = _Found(
        {one.membership_id: one.valid_after for one in readers.all()},
        flag_ids,
        [] if changed is None else changed.all(),
        [] if opened is None else opened.all(),
    )
    shown: dict[UUID, set[UUID]] = {}
    for flag in [*found.opened, *filter(is_news, found.changed)]:
        shown.setdefault(flag.membership_id, set()).add(flag.patient_id)
    for membership_id, patient_ids in shown.items():
        note_shown(db, callers[membership_id], WATCH_FLAGS, patient_ids, now)
    return found
