"""What tests stand on: a migrated PostgreSQL, one database per worker, and the API over it.

A test makes a clinic of its own (`world`), so nothing has to be undone afterwards, tests do not
depend on order, and the commit that a promise is about is a real one. What needs a database to
itself asks for `fresh_database`. Tests of time have an API whose clock is turned by hand
(`timed_world`), and `behind` looks behind the API.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from fastapi.testclient import TestClient

from app.kernel import embedded
from app.kernel.db import Direct, libpq
from app.kernel.identity import Issuer
from app.kernel.settings import Settings
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from app.main import create_app
from app.operations import stack
from tests.builders import World, a_world

KEYRING = Keyring.generate()
SIGNING_KEYS = SigningKeys.generate()
MONDAY_NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LONG = ("tests/stories/", "tests/phone/")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several work, the longest stories come first: the last to be done are short ones, and
    nobody waits long for anybody. One alone begins with what tells soonest.
    """
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@dataclass(frozen=True)
class Postgres:
    """A server, and how to get databases on it. owner: a superuser's URL of a database."""

    superuser_url: Callable[[str], str]
    login_url: Callable[[str], str]

    def run(self, *statements: str, database: str = "postgres") -> None:
        """As the superuser, each in its own transaction."""
        url = libpq(self.superuser_url(database))
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def settings(self, database: str, data_dir: Path) -> Settings:
        """Settings of an application on this database."""
        return Settings(
            database_url=self.login_url(database),
            migration_url=self.superuser_url(database),
            data_dir=data_dir,
            public_url="http://testserver",
        )


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server: embedded, or AFTERGLOW_TEST_DATABASE_URL."""
    given = os.environ.get("AFTERGLOW_TEST_DATABASE_URL")
    if given:
        yield _postgres_given(given)
        return
    # Not pytest's own folder: a parallel worker would take back the permissions on its parents.
    folder = Path(tempfile.mkdtemp(prefix="afterglow-test-"))
    try:
        with embedded.start(folder / "postgres", settings={"max_connections": "200"}) as server:
            server_urls = Postgres(
                server.superuser_url, lambda database: server.url("afterglow", database)
            )
            server_urls.run(
                "CREATE ROLE afterglow_app NOLOGIN",
                "CREATE ROLE afterglow LOGIN IN ROLE afterglow_app",
            )
            yield server_urls
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _postgres_given(url: str) -> Postgres:
    """Another PostgreSQL: its superuser logs in, and the application gives its rights up."""
    parts = psycopg.conninfo.conninfo_to_dict(libpq(url))

    def of(database: str) -> str:
        host = str(parts.get("host", ""))
        port = parts.get("port", 5432)
        user, password = parts.get("user", "postgres"), parts.get("password")
        secret = f":{password}" if password else ""
        if host.startswith("/"):
            return f"postgresql+psycopg://{user}{secret}@/{database}?host={host}&port={port}"
        return f"postgresql+psycopg://{user}{secret}@{host}:{port}/{database}"

    return Postgres(of, of)


@pytest.fixture(scope="session")
def template(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a migrated, empty database to copy."""
    name = f"afterglow_template_{uuid4().hex[:12]}"
    postgres.run(f"CREATE DATABASE {name}")
    stack.migrate(postgres.settings(name, tmp_path_factory.mktemp("template")))
    yield name
    postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def a_database(postgres: Postgres, template: str, data_dir: Path) -> Iterator[Settings]:
    """A migrated database, while it is entered."""
    name = f"afterglow_{uuid4().hex[:12]}"
    postgres.run(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield postgres.settings(name, data_dir)
    postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def fresh_database(postgres: Postgres, template: str, tmp_path: Path) -> Iterator[Settings]:
    """A migrated database nobody else uses."""
    with a_database(postgres, template, tmp_path) as settings:
        yield settings


@pytest.fixture(scope="module")
def module_database(
    postgres: Postgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """A migrated database that the tests of one module share."""
    with a_database(postgres, template, tmp_path_factory.mktemp("module")) as settings:
        yield settings


@pytest.fixture(scope="session")
def settings(
    postgres: Postgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Of the database that this worker's tests share."""
    with a_database(postgres, template, tmp_path_factory.mktemp("data")) as settings:
        yield settings


@pytest.fixture(scope="session")
def keyring() -> Keyring:
    """Keys of everything sealed."""
    return Keyring.parse(KEYRING)


@pytest.fixture(scope="session")
def direct(settings: Settings, keyring: Keyring) -> Iterator[Direct]:
    """Blocking transactions, as the application's role."""
    assert settings.database_url is not None
    database = Direct(settings.database_url, keyring)
    yield database
    database.close()


@pytest.fixture(scope="session")
def client(settings: Settings, keyring: Keyring) -> Iterator[TestClient]:
    """The API, in this process."""
    application = create_app(settings, keyring, SigningKeys.parse(SIGNING_KEYS))
    with TestClient(application, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def world(client: TestClient, direct: Direct) -> World:
    """A clinic of this test's own, and another beside it."""
    return a_world(client, direct)


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


@pytest.fixture
def issuer(client: TestClient) -> Issuer:
    """Who makes and believes the API's tokens."""
    made: Issuer = client.app.state.desk.issuer  # type: ignore[attr-defined]
    return made
