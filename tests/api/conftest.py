"""For tests of time: an API whose clock is turned by hand. And a look behind the API."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from fastapi.testclient import TestClient

from app.kernel.db import Direct, libpq
from app.kernel.settings import Settings
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from app.main import create_app
from tests.builders import World, a_world

MONDAY_NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SIGNING_KEYS = SigningKeys.generate()


def as_read(answer: dict[str, Any]) -> dict[str, Any]:
    """What was written, as it is read afterwards: without the safety block of the answer."""
    return {name: value for name, value in answer.items() if name != "safety"}


class Clock:
    """Stands still until it is turned."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        """For the application."""
        return self.at

    def turn(self, **by: float) -> None:
        """Turn it on: `hours=1`, as in a timedelta."""
        self.at += timedelta(**by)

    def said(self, **from_now: float) -> str:
        """An instant as a phone writes it: `hours=-2` is two hours ago."""
        return (self.at + timedelta(**from_now)).isoformat()


@pytest.fixture
def clock() -> Clock:
    """A Monday, noon in UTC: the test clinic is on duty."""
    return Clock(MONDAY_NOON)


@pytest.fixture
def timed_client(
    settings: Settings, keyring: Keyring, clock: Clock, opened: ExitStack
) -> TestClient:
    """The API at the instant of `clock`, from an address that no other test uses."""
    application = create_app(settings, keyring, SigningKeys.parse(SIGNING_KEYS), now=clock)
    address = (uuid4().hex, 1)
    return opened.enter_context(
        TestClient(application, raise_server_exceptions=False, client=address)
    )


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Closed after the test."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def timed_world(timed_client: TestClient, direct: Direct, clock: Clock) -> World:
    """Two clinics at the instant of `clock`; a token lasts ten minutes of it."""
    return a_world(timed_client, direct, clock.at)


@dataclass(frozen=True)
class Behind:
    """The database, seen by its superuser."""

    connection: psycopg.Connection[Any]

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement."""
        cursor = self.connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def counts(self) -> dict[str, int]:
        """How many rows each table has."""
        tables = [
            name
            for (name,) in self.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ]
        counted = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM {name}" for name in tables)
        return dict(self.rows(counted))

    def accesses(self, clinic_id: UUID) -> list[tuple[UUID, UUID | None, str]]:
        """The access log of a clinic: who opened whose record for what, oldest first."""
        return self.rows(
            "SELECT membership_id, patient_id, what FROM access_log"
            " WHERE clinic_id = %s ORDER BY id",
            clinic_id,
        )


@pytest.fixture(scope="session")
def behind(settings: Settings) -> Iterator[Behind]:
    """What is really stored."""
    assert settings.migration_url is not None
    with psycopg.connect(libpq(settings.migration_url), autocommit=True) as connection:
        yield Behind(connection)
