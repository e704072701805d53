"""The live inbox ends with the sign-in that it was opened with, soon and by itself."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import pytest

from app.console import session
from app.kernel import second_factor
from app.kernel.db import Db, Direct
from app.kernel.second_factor import STAFF
from app.kernel.settings import Settings
from app.kernel.vault import Keyring
from app.safety.stream import STANDING_SECONDS
from tests.builders import World, now
from tests.conftest import Behind
from tests.console.browser import Browser, at_work
from tests.safety.test_stream import Listener, Streams

Change = Callable[[Browser, Behind, Direct, World], None]


def sign_out(browser: Browser, behind: Behind, direct: Direct, world: World) -> None:
    """As by the button."""
    browser.submit("/console/sign-out")


def nobody_there(browser: Browser, behind: Behind, direct: Direct, world: World) -> None:
    """Nobody did anything for a quarter of an hour."""
    behind.rows(
        "UPDATE console_session SET seen_at = now() - interval '16 minutes'"
        " WHERE membership_id = %s",
        world.therapist.membership_id,
    )


def second_factor_required(browser: Browser, behind: Behind, direct: Direct, world: World) -> None:
    """From now on, of somebody who has none."""

    def work(db: Db) -> None:
        db.enter(world.here.id)
        second_factor.require(db, STAFF, now())

    direct.run(work)


async def opened(streams: Streams, cookie: str | None) -> Listener:
    """The stream of the page that this cookie opens."""
    return await streams.open(
        None,
        path="/console/flags/stream",
        headers=[(b"cookie", f"afterglow={cookie}".encode()), (b"accept", b"text/event-stream")],
    )


def test_it_is_looked_at_more_than_once_a_minute() -> None:
    assert STANDING_SECONDS < 60


@pytest.mark.parametrize("over", [sign_out, nobody_there, second_factor_required])
def test_it_ends_with_the_session_and_leaves_others_alone(
    over: Change,
    settings: Settings,
    keyring: Keyring,
    world: World,
    direct: Direct,
    behind: Behind,
) -> None:
    browser = at_work(direct, world.therapist, now())
    elsewhere = at_work(direct, world.elsewhere.therapist, now())

    async def story() -> None:
        async with Streams(settings, keyring).served() as streams:
            streams.hub.standing_seconds = 0.1
            listener = await opened(streams, browser.cookie)
            other = await opened(streams, elsewhere.cookie)
            await listener.begun()
            await other.begun()

            await asyncio.to_thread(over, browser, behind, direct, world)

            assert (await listener.next()).name == "sign-in-again"
            await listener.ended()
            await other.nothing()

    asyncio.run(story())


def test_an_open_page_keeps_nobody_signed_in(
    settings: Settings, keyring: Keyring, world: World, direct: Direct, behind: Behind
) -> None:
    browser = at_work(direct, world.therapist, now())
    seen = "SELECT seen_at FROM console_session WHERE membership_id = %s"
    member = world.therapist.membership_id
    behind.rows(
        "UPDATE console_session SET seen_at = seen_at - interval '5 minutes'"
        " WHERE membership_id = %s",
        member,
    )
    before: list[tuple[datetime]] = behind.rows(seen, member)

    async def story() -> None:
        async with Streams(settings, keyring).served() as streams:
            streams.hub.standing_seconds = 0.05
            listener = await opened(streams, browser.cookie)
            await listener.begun()
            await listener.nothing()

    asyncio.run(story())

    assert session.SEEN_EVERY.total_seconds() < 300
    assert behind.rows(seen, member) == before
