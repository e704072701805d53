"""What tests stand on: a migrated PostgreSQL, one database per worker, and the API over it.

A test makes a clinic of its own (`world`), so nothing has to be undone afterwards, tests do not
depend on order, and the commit that a promise is about is a real one. What needs a database to
itself asks for `fresh_database`.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from fastapi.testclient import TestClient

from app.kernel import embedded
from app.kernel.db import Direct, libpq
from app.kernel.settings import Settings
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from app.main import create_app
from app.operations import stack
from tests.builders import World, a_world

KEYRING = Keyring.generate()
SIGNING_KEYS = SigningKeys.generate()


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


@pytest.fixture
def fresh_database(postgres: Postgres, template: str, tmp_path: Path) -> Iterator[Settings]:
    """A migrated database nobody else uses."""
    name = f"afterglow_{uuid4().hex[:12]}"
    postgres.run(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield postgres.settings(name, tmp_path)
    postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def settings(
    postgres: Postgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Of the database that this worker's tests share."""
    name = f"afterglow_{uuid4().hex[:12]}"
    postgres.run(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield postgres.settings(name, tmp_path_factory.mktemp("data"))
    postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


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
