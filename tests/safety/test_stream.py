"""Flags as they change, to whoever may see them and is there.

The API with the streams is driven as ASGI, on an event loop of the test; everybody else uses the
API of `world`, which is another process as far as the two can tell: they share the database only.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI

from app.kernel.db import Db, Direct
from app.kernel.errors import Kind, Problem
from app.kernel.settings import Settings
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from app.main import create_app
from app.people.admission import give_consent
from app.people.chart import open_covering
from app.safety import news
from app.safety.stream import SNAPSHOT, Hub
from tests.api.danger import keep_promises
from tests.builders import Person, World, a_check_in, a_patient
from tests.conftest import SIGNING_KEYS, Behind
from tests.contract import stage

SOON: Final = 5.0
"""Seconds within which what is to happen has happened, on a machine that is busy."""
QUIET: Final = 0.3
"""Seconds in which nothing may come."""


@dataclass(frozen=True)
class Event:
    """One that arrived."""

    name: str
    data: dict[str, Any]
    id: str | None


@dataclass
class Listener:
    """Somebody who reads a stream. Holds what came; `next` waits for more."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    is_over: bool = False
    text: bytes = b""
    body: bytes = b""
    _came: asyncio.Event = field(default_factory=asyncio.Event)
    serving: asyncio.Task[None] | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    _left: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: Any) -> None:
        """As the server's end of ASGI."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            self.answered.set()
        else:
            self.text += message["body"]
            self.body += message["body"]
            self.is_over = not message.get("more_body", False)
        self._came.set()

    async def receive(self) -> Any:
        """As the server's end of ASGI: silence, until this reader leaves."""
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def leave(self) -> None:
        """Hang up, and wait until the server knows."""
        assert self.serving is not None
        self._left.set()
        await asyncio.wait_for(self.serving, SOON)

    async def next(self) -> Event:
        """The next event; comments and the stream's first words are passed over."""
        while True:
            whole, mark, rest = self.text.partition(b"\n\n")
            if mark:
                self.text = rest
                parsed = parse(whole.decode())
                if parsed is not None:
                    return parsed
                continue
            assert not self.is_over, "the stream ended"
            await self._more(SOON)

    async def begun(self) -> list[Event]:
        """The snapshot, without the event that ends it."""
        found: list[Event] = []
        while (event := await self.next()).name != "live":
            assert event.name == "snapshot"
            found.append(event)
        assert event.data["open"] == len(found)
        return found

    async def nothing(self) -> None:
        """Nothing comes for a while."""
        with pytest.raises(TimeoutError):
            await self._more(QUIET)

    async def ended(self) -> None:
        """The stream is over."""
        while not self.is_over:
            await self._more(SOON)

    async def _more(self, seconds: float) -> None:
        self._came.clear()
        async with asyncio.timeout(seconds):
            await self._came.wait()


def parse(text: str) -> Event | None:
    """One event by the rules of the format."""
    fields = dict(
        line.split(": ", 1) for line in text.split("\n") if line and not line.startswith(":")
    )
    if "event" not in fields:
        return None
    return Event(fields["event"], json.loads(fields["data"]), fields.get("id"))


class Streams:
    """An API whose streams are read by this test."""

    def __init__(self, settings: Settings, keyring: Keyring) -> None:
        self.app: FastAPI = create_app(settings, keyring, SigningKeys.parse(SIGNING_KEYS))
        self.state: dict[str, Any] = {}
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def hub(self) -> Hub:
        """Behind the API."""
        found: Hub = self.app.state.hub
        return found

    async def open(self, person: Person | None, **more: Any) -> Listener:
        """Begin to read, and wait for the head of the answer."""
        listener = Listener()
        headers = [] if person is None else [(b"authorization", f"Bearer {person.token}".encode())]
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/v1/flags/stream",
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "app": self.app,
            **more,
        }
        serving = self.app(scope, listener.receive, listener.send)
        listener.serving = asyncio.create_task(serving)
        self._tasks.append(listener.serving)
        async with asyncio.timeout(SOON):
            await listener.answered.wait()
        return listener

    async def follow(self, person: Person) -> Listener:
        """Read, from after the snapshot."""
        listener = await self.open(person)
        assert listener.status == 200, listener.body
        await listener.begun()
        return listener

    @asynccontextmanager
    async def served(self) -> AsyncIterator["Streams"]:
        """From start to stop."""
        lifespan = self.app.router.lifespan_context(self.app)
        async with lifespan as state:
            self.state = dict(state or {})
            yield self
        # What the application ends, it ends in order.
        async with asyncio.timeout(SOON):
            await asyncio.gather(*self._tasks)


Story = Callable[[Streams], Coroutine[Any, Any, None]]


@pytest.fixture
def play(settings: Settings, keyring: Keyring) -> Callable[[Story], None]:
    """Play a story on a loop of its own."""

    def run(story: Story, **changes: Any) -> None:
        async def whole() -> None:
            async with Streams(settings.model_copy(update=changes), keyring).served() as streams:
                await story(streams)

        asyncio.run(whole())

    return run


async def in_danger(patient: Person, item_nine: int = 3) -> dict[str, Any]:
    """A check-in that flags, sent to the other process. Returns: the flag, as the answer has it."""
    sent = a_check_in(answers=[1, 1, 1, 1, 1, 1, 1, 1, item_nine])
    answer = await asyncio.to_thread(patient.post, "/v1/patients/me/check-ins", sent)
    assert answer.status_code == 201, answer.text
    flag: dict[str, Any] = answer.json()["safety"]["flag"]
    return flag


async def act(person: Person, flag: dict[str, Any], verb: str, body: Any = None) -> None:
    """Something done about a flag."""
    answer = await asyncio.to_thread(person.post, f"/v1/flags/{flag['id']}/{verb}", body)
    assert answer.status_code == 200, answer.text


class TestWhatArrives:
    def test_each_change_of_a_flag_arrives_with_ids_and_codes_only(
        self, play: Any, world: World
    ) -> None:
        async def story(streams: Streams) -> None:
            listener = await streams.follow(world.therapist)

            flag = await in_danger(world.patient)
            raised = await listener.next()
            await in_danger(world.patient)
            joined = await listener.next()
            await act(world.therapist, flag, "acknowledge")
            acknowledged = await listener.next()
            await act(world.therapist, flag, "contacts", {"outcome": "reached"})
            contacted = await listener.next()
            await act(
                world.therapist, flag, "hand-over", {"to": str(world.therapist.membership_id)}
            )
            handed_over = await listener.next()
            await act(
                world.therapist, flag, "resolve", {"disposition": "plan-agreed", "note": "Well."}
            )
            resolved = await listener.next()

            assert raised == Event(
                "flag",
                {
                    "id": flag["id"],
                    "version": 1,
                    "kind": "suicide-risk",
                    "level": "high",
                    "status": "open",
                    "round": 1,
                    "is_historic": False,
                },
                f"{flag['id']}/1",
            )
            told = [joined, acknowledged, contacted, handed_over, resolved]
            assert {event.name for event in told} == {"flag"}
            assert [event.data["version"] for event in told] == [2, 3, 4, 5, 6]
            assert [event.data["status"] for event in told] == [
                "open", "acknowledged", "acknowledged", "open", "resolved",
            ]  # fmt: skip
            assert {frozenset(event.data) for event in told} == {frozenset(raised.data)}
            await listener.nothing()

        play(story)

    def test_it_begins_with_what_is_open_and_may_be_seen_the_worst_first(
        self, play: Any, world: World, direct: Direct
    ) -> None:
        async def story(streams: Streams) -> None:
            at = datetime.now(UTC)

            def another(db: Any) -> Person:
                db.enter(world.here.id)
                return a_patient(world.patient.client, db, world.therapist, at=at)

            second = await asyncio.to_thread(direct.run, another)
            lower = await in_danger(world.patient, item_nine=1)
            high = await in_danger(second)
            await in_danger(world.here.other_patient)
            await in_danger(world.here.other_patient)

            begun = await (await streams.open(world.therapist)).begun()
            of_administrator = await (await streams.open(world.administrator)).begun()
            of_stranger = await (await streams.open(world.here.stranger)).begun()

            assert [event.data["id"] for event in begun] == [high["id"], lower["id"]]
            assert [event.data["level"] for event in of_administrator] == [
                "high",
                "high",
                "low",
            ]
            assert of_administrator[1].id == f"{of_administrator[1].data['id']}/2"
            assert of_stranger == []

        play(story)

    def test_a_snapshot_has_a_bound_and_says_when_it_was_met(
        self, play: Any, world: World, behind: Behind
    ) -> None:
        async def story(streams: Streams) -> None:
            await asyncio.to_thread(many_flags, behind, world, SNAPSHOT + 5)
            worst = await in_danger(world.patient)
            listener = await streams.open(world.administrator)

            told = [await listener.next() for _ in range(SNAPSHOT + 1)]

            assert told[0].data["id"] == worst["id"]
            assert told[-1].name == "live"
            assert told[-1].data == {"open": SNAPSHOT, "is_complete": False}

        play(story)

    def test_its_head_asks_that_nobody_keeps_or_delays_it(self, play: Any, world: World) -> None:
        async def story(streams: Streams) -> None:
            listener = await streams.open(world.therapist)

            assert listener.headers["content-type"] == "text/event-stream"
            assert listener.headers["cache-control"] == "no-store"
            assert listener.headers["x-accel-buffering"] == "no"
            await listener.begun()
            assert listener.body.startswith(b"retry: 2000\n\n")

        play(story)

    def test_what_is_rolled_back_is_not_told(self, play: Any, world: World, direct: Direct) -> None:
        async def story(streams: Streams) -> None:
            listener = await streams.follow(world.administrator)

            def undone(db: Any) -> None:
                db.enter(world.here.id)
                news.announce(db, uuid4(), 1)
                raise Problem(Kind.INTERNAL)

            with pytest.raises(Problem):
                await asyncio.to_thread(direct.run, undone)
            await listener.nothing()

        play(story)

    def test_what_is_said_again_is_told_once(self, play: Any, world: World, direct: Direct) -> None:
        async def story(streams: Streams) -> None:
            listener = await streams.follow(world.therapist)
            flag = await in_danger(world.patient)
            await listener.next()

            def again(db: Any) -> None:
                db.enter(world.here.id)
                news.announce(db, UUID(flag["id"]), 1)

            await asyncio.to_thread(direct.run, again)
            await listener.nothing()

        play(story)

    def test_many_changes_at_once_all_arrive(self, play: Any, world: World, behind: Behind) -> None:
        async def story(streams: Streams) -> None:
            await asyncio.to_thread(many_flags, behind, world, SNAPSHOT)
            listener = await streams.open(world.administrator)
            await listener.begun()

            await asyncio.to_thread(
                behind.rows,
                "WITH changed AS (UPDATE flag SET version = version + 1 WHERE clinic_id = %s"
                " RETURNING *) SELECT count(pg_notify(%s, concat_ws('/', clinic_id, id, version)))"
                " FROM changed",
                world.here.id,
                news.CHANNEL,
            )
            told = [await listener.next() for _ in range(SNAPSHOT)]

            assert {(event.name, event.data["version"]) for event in told} == {("flag", 2)}
            assert len({event.data["id"] for event in told}) == SNAPSHOT

        play(story)

    def test_what_others_say_on_the_channel_is_passed_over(
        self, play: Any, world: World, behind: Behind
    ) -> None:
        async def story(streams: Streams) -> None:
            listener = await streams.follow(world.therapist)

            for said in ("", "x", "a/b/c", f"{world.here.id}/{uuid4()}/one", f"{world.here.id}"):
                await asyncio.to_thread(
                    behind.rows, f"SELECT pg_notify('{news.CHANNEL}', %s)", said
                )
            flag = await in_danger(world.patient)

            assert (await listener.next()).data["id"] == flag["id"]

        play(story)


class TestWhoSees:
    def test_nobody_hears_of_what_they_may_not_see(self, play: Any, world: World) -> None:
        async def story(streams: Streams) -> None:
            elsewhere = world.elsewhere
            blind = [
                await streams.follow(person)
                for person in (world.here.stranger, elsewhere.therapist, elsewhere.administrator)
            ]
            seeing = [
                await streams.follow(person) for person in (world.therapist, world.administrator)
            ]

            flag = await in_danger(world.patient)

            assert [(await one.next()).data["id"] for one in seeing] == [flag["id"]] * 2
            for one in blind:
                await one.nothing()

        play(story)

    def test_only_clinicians_who_see_clinical_content_and_administrators_may_follow(
        self, play: Any, world: World
    ) -> None:
        async def story(streams: Streams) -> None:
            refused = [
                (await streams.open(person)).status
                for person in (None, world.patient, world.here.coach)
            ]

            assert refused == [401, 403, 403]

        play(story)

    def test_the_token_is_taken_from_the_header_only(self, play: Any, world: World) -> None:
        async def story(streams: Streams) -> None:
            token = world.therapist.token.encode()
            query = b"access_token=" + token + b"&token=" + token

            assert (await streams.open(None, query_string=query)).status == 401

        play(story)

    def test_each_patient_shown_is_in_the_access_log_once_a_reader(
        self, play: Any, world: World, behind: Behind
    ) -> None:
        async def story(streams: Streams) -> None:
            one = await streams.follow(world.therapist)
            two = await streams.follow(world.therapist)
            administrator = await streams.follow(world.administrator)
            await streams.follow(world.here.stranger)

            await in_danger(world.patient)
            for listener in (one, two, administrator):
                await listener.next()

            watched = [
                (member, patient)
                for member, patient, what in await asyncio.to_thread(behind.accesses, world.here.id)
                if what == "flags.watch" and patient is not None
            ]
            assert sorted(watched) == sorted(
                (person.membership_id, world.patient.patient_id)
                for person in (world.therapist, world.administrator)
            )

        play(story)

    def test_who_begins_to_care_is_shown_what_is_open(
        self, play: Any, world: World, direct: Direct
    ) -> None:
        async def story(streams: Streams) -> None:
            flag = await in_danger(world.patient)
            listener = await streams.follow(world.here.stranger)
            already = await streams.follow(world.therapist)

            await asyncio.to_thread(
                stage.link, direct, world.here, world.patient, world.here.stranger
            )

            shown = await listener.next()
            assert (shown.name, shown.data["id"]) == ("flag", flag["id"])
            await already.nothing()  # they have it before them

        play(story)

    def test_whoever_is_told_as_the_next_is_shown_it_then(
        self, play: Any, world: World, direct: Direct
    ) -> None:
        async def story(streams: Streams) -> None:
            listener = await streams.follow(world.therapist)
            flag = await in_danger(world.here.other_patient)
            await listener.nothing()

            await asyncio.to_thread(keep_promises, direct, datetime.now(UTC))

            shown = await listener.next()
            assert (shown.name, shown.data["id"]) == ("flag", flag["id"])

        play(story)

    def test_a_consent_that_is_given_again_shows_what_is_open(
        self, play: Any, world: World, direct: Direct, behind: Behind
    ) -> None:
        def consent(db: Db) -> None:
            db.enter(world.here.id)
            chart = open_covering(db, stage.patient_of(world.patient))
            assert chart is not None
            give_consent(db, chart, "1", datetime.now(UTC))

        async def story(streams: Streams) -> None:
            flag = await in_danger(world.patient)
            await asyncio.to_thread(
                behind.rows,
                "UPDATE consent SET revoked_at = now() WHERE patient_id = %s",
                world.patient.patient_id,
            )
            listener = await streams.follow(world.therapist)

            await asyncio.to_thread(direct.run, consent)

            shown = await listener.next()
            assert (shown.name, shown.data["id"]) == ("flag", flag["id"])

        play(story)

    def test_what_others_say_of_care_is_passed_over(
        self, play: Any, world: World, behind: Behind
    ) -> None:
        async def story(streams: Streams) -> None:
            listener = await streams.follow(world.therapist)

            for said in ("", "x/y", "nobody", f"{uuid4()}/{uuid4()}", f"{world.here.id}/{uuid4()}"):
                await asyncio.to_thread(behind.rows, "SELECT pg_notify('afterglow_care', %s)", said)

            await listener.nothing()
            await in_danger(world.patient)
            assert (await listener.next()).name == "flag"

        play(story)

    def test_who_begins_to_care_hears_the_next_change_and_who_stops_is_told_it_is_gone(
        self, play: Any, world: World, behind: Behind
    ) -> None:
        async def story(streams: Streams) -> None:
            stranger = world.here.stranger
            flag = await in_danger(world.patient)
            listener = await streams.follow(stranger)

            await asyncio.to_thread(link, behind, world.patient, stranger)
            await act(world.therapist, flag, "acknowledge")
            shown = await listener.next()
            await asyncio.to_thread(end_care, behind, stranger)
            await act(world.therapist, flag, "contacts", {"outcome": "reached"})
            gone = await listener.next()
            await act(world.therapist, flag, "contacts", {"outcome": "reached"})

            assert (shown.name, shown.data["status"]) == ("flag", "acknowledged")
            assert gone == Event("gone", {"id": flag["id"]}, None)
            await listener.nothing()

        play(story)


def many_flags(behind: Behind, world: World, count: int) -> None:
    """So many patients of the clinic here with an open flag of low level."""
    behind.rows(
        "INSERT INTO patient SELECT (jsonb_populate_record(p, jsonb_build_object("
        "'id', gen_random_uuid()))).* FROM patient p, generate_series(1, %s)"
        " WHERE p.clinic_id = %s AND p.id = %s",
        count,
        world.here.id,
        world.patient.patient_id,
    )
    behind.rows(
        "INSERT INTO flag (clinic_id, id, patient_id, kind, version, level, status,"
        " round, is_historic, raised_at, round_began_at, updated_at)"
        " SELECT clinic_id, gen_random_uuid(), id, 'physical', 1, 'low', 'open', 1,"
        " false, now(), now(), now() FROM patient WHERE clinic_id = %s AND id <> ALL(%s)",
        world.here.id,
        [world.patient.patient_id, world.here.other_patient.patient_id],
    )


def link(behind: Behind, patient: Person, carer: Person) -> None:
    """`carer` cares for the patient from now on."""
    behind.rows(
        "INSERT INTO care_link (clinic_id, id, patient_id, membership_id, kind, began_at)"
        " VALUES (%s, %s, %s, %s, 'assigned', now() - interval '1 hour')",
        patient.clinic_id,
        uuid4(),
        patient.patient_id,
        carer.membership_id,
    )


def end_care(behind: Behind, carer: Person) -> None:
    """`carer` cares for nobody any more."""
    behind.rows(
        "UPDATE care_link SET ends_at = now() WHERE membership_id = %s", carer.membership_id
    )
