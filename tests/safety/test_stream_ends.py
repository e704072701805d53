"""How a stream of flags ends, what bounds there are, and what happens while nothing is heard."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from app.kernel.errors import Kind, Problem
from app.kernel.settings import Settings
from app.safety.stream import MOST_OF_A_MEMBER
from tests.builders import World
from tests.conftest import Behind
from tests.kernel.between import Between, message
from tests.safety.test_stream import Streams, in_danger
from tests.safety.test_stream import play as play  # noqa: PLC0414  # a fixture


class TestItsEnd:
    def test_it_ends_with_the_access_token(self, play: Any, world: World) -> None:
        async def story(streams: Streams) -> None:
            nearly_over = datetime.now(UTC) - timedelta(minutes=10, seconds=-3)
            listener = await streams.follow(world.therapist.again(nearly_over))

            assert (await listener.next()).name == "sign-in-again"
            await listener.ended()

        play(story)

    @pytest.mark.parametrize(
        "change",
        [
            "is_active = false",
            "valid_after = now() + interval '1 second'",
            "privileges = '{coach}'",
        ],
    )
    def test_it_ends_with_the_membership_without_any_news(
        self, play: Any, world: World, behind: Behind, change: str
    ) -> None:
        async def story(streams: Streams) -> None:
            streams.hub.standing_seconds = 0.1
            listener = await streams.follow(world.therapist)
            other = await streams.follow(world.here.stranger)

            await asyncio.to_thread(
                behind.rows,
                f"UPDATE membership SET {change} WHERE id = %s",
                world.therapist.membership_id,
            )

            assert (await listener.next()).name == "sign-in-again"
            await listener.ended()
            await other.nothing()

        play(story)

    def test_who_lost_their_membership_hears_nothing_of_what_comes_after(
        self, play: Any, world: World, behind: Behind
    ) -> None:
        async def story(streams: Streams) -> None:
            listener = await streams.follow(world.administrator)

            await asyncio.to_thread(
                behind.rows,
                "UPDATE membership SET is_active = false WHERE id = %s",
                world.administrator.membership_id,
            )
            await in_danger(world.patient)

            assert (await listener.next()).name == "sign-in-again"
            await listener.ended()

        play(story)

    def test_it_ends_with_the_server_and_none_begins_after(self, play: Any, world: World) -> None:
        async def story(streams: Streams) -> None:
            listener = await streams.follow(world.therapist)

            streams.state["end_streams"]()

            await listener.ended()
            assert (await streams.open(world.therapist)).status == 503

        play(story)

    def test_who_leaves_makes_room(self, play: Any, world: World) -> None:
        async def story(streams: Streams) -> None:
            listeners = [await streams.follow(world.therapist) for _ in range(MOST_OF_A_MEMBER)]

            refused = await streams.open(world.therapist)
            await listeners[0].leave()
            again = await streams.open(world.therapist)

            assert again.status == 200
            assert refused.status == 429
            assert refused.headers["content-type"] == "application/problem+json"
            assert int(refused.headers["retry-after"]) > 0
            assert json.loads(refused.body)["code"] == "too-many-streams"
            await again.begun()

        play(story)

    def test_a_process_has_a_bound_of_its_own(self, play: Any, world: World) -> None:
        async def story(streams: Streams) -> None:
            streams.hub.most = 1
            await streams.follow(world.therapist)

            refused = await streams.open(world.administrator)

            assert refused.status == 503
            assert json.loads(refused.body)["code"] == "unavailable"
            assert int(refused.headers["retry-after"]) > 0

        play(story)


class TestInterruptions:
    def test_after_a_lost_connection_everybody_begins_again(
        self, play: Any, world: World, behind: Behind
    ) -> None:
        async def story(streams: Streams) -> None:
            flag = await in_danger(world.patient)
            listener = await streams.follow(world.therapist)

            await asyncio.to_thread(
                behind.rows,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query = 'LISTEN afterglow_care'",
            )

            assert (await listener.next()).name == "interrupted"
            assert [event.data["id"] for event in await listener.begun()] == [flag["id"]]
            await in_danger(world.patient)
            assert (await listener.next()).data["version"] == 2

        play(story)

    def test_where_nothing_would_be_heard_no_stream_begins(self, play: Any, world: World) -> None:
        async def story(streams: Streams) -> None:
            refused = await streams.open(world.therapist)

            assert refused.status == 503

        play(story, listen_url="postgresql+psycopg://nobody@127.0.0.1:9/nothing")

    def test_news_wait_for_a_database_that_is_away_for_a_moment(
        self, play: Any, world: World, settings: Settings
    ) -> None:
        with Between(str(settings.database_url)) as wire:

            async def story(streams: Streams) -> None:
                listener = await streams.follow(world.therapist)
                wire.answer = lambda kind, body: None

                flag = await in_danger(world.patient)
                await listener.nothing()
                wire.answer = message

                assert (await listener.next()).data["id"] == flag["id"]

            play(story, database_url=wire.url, listen_url=settings.database_url)

    @pytest.mark.parametrize("fault", [ZeroDivisionError(), Problem(Kind.INTERNAL)])
    def test_a_fault_of_ours_ends_the_streams_so_that_they_begin_again(
        self, play: Any, world: World, fault: Exception
    ) -> None:
        async def story(streams: Streams) -> None:
            listener = await streams.follow(world.therapist)

            def broken() -> datetime:
                raise fault

            clock, streams.hub.clock = streams.hub.clock, broken
            with structlog.testing.capture_logs() as logged:
                await in_danger(world.patient)
                await listener.ended()
            streams.hub.clock = clock

            assert [line["event"] for line in logged] == ["stream.failed"]
            assert len(await (await streams.open(world.therapist)).begun()) == 1

        play(story)
