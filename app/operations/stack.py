"""What a command needs under it: keys, and a PostgreSQL that is there and migrated.

Where `AFTERGLOW_DATABASE_URL` is set that is the database. Otherwise it is the embedded one in
the data directory: the one that `afterglow up` is running now, or one started for the command.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

from pydantic import ValidationError
from sqlalchemy import literal_column, select
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DBAPIError

from app.kernel.db import Change, Db, Direct, Query, libpq
from app.kernel.settings import Settings, read_or_make, write_secret
from app.kernel.tables import KeyCheck, columns
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring

ROOT: Final = Path(__file__).parents[2]
LOGIN: Final = "afterglow"
DATABASE: Final = "afterglow"


class WrongKeys(Exception):
    """The keyring at hand is not the one that this database was sealed with."""


class WrongTables(Exception):
    """The tables are not of the version that this code expects."""


class MigrationRefused(Exception):
    """PostgreSQL did not let the owner's login make or change the tables; the message says why."""


class NotDurable(Exception):
    """This PostgreSQL may lose what it said it had stored."""


def read_settings() -> Settings:
    """The environment, or an end that names the settings that are wrong and not their values."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = ", ".join(f"AFTERGLOW_{one['loc'][0]}".upper() for one in error.errors())
        refuse(f"Not a valid setting: {wrong}.")


def refuse(message: str) -> NoReturn:
    """End as the command line does when it was asked for something that cannot be."""
    print(message, file=sys.stderr)
    sys.exit(2)


def keyring(settings: Settings) -> Keyring:
    """The keys of everything sealed, made on first use."""
    return Keyring.parse(read_or_make(keyring_path(settings), Keyring.generate))


def signing_keys(settings: Settings) -> SigningKeys:
    """The keys of access tokens, made on first use."""
    return SigningKeys.parse(read_or_make(signing_keys_path(settings), SigningKeys.generate))


def keyring_path(settings: Settings) -> Path:
    """Where the keys of everything sealed are."""
    return settings.key_file or settings.data_dir / "keys" / "keyring.json"


def signing_keys_path(settings: Settings) -> Path:
    """Where the keys of access tokens are."""
    return settings.signing_keys or settings.data_dir / "keys" / "signing-keys.json"


def direct(settings: Settings) -> Direct:
    """Blocking transactions for a command, on tables it knows and with the keys they need.

    Whoever asked for it closes it.

    Raises: WrongTables, WrongKeys, Problem.
    """
    assert settings.database_url is not None
    database = Direct(settings.database_url, keyring(settings))
    try:
        if database.run(lambda db: db.first(VERSION)) != newest_version():
            raise WrongTables
        database.run(_require_own_keys)
    except BaseException:
        database.close()
        raise
    return database


def newest_version() -> str | None:
    """The migration that this version of the code expects."""
    from alembic.script import ScriptDirectory

    # The one that no other builds on: files are numbered as they were begun, not as they follow.
    return ScriptDirectory(str(ROOT / "migrations")).get_current_head()


def _require_own_keys(db: Db) -> None:
    """Keys that are made because a file was not mounted must not seal a single word."""
    index = db.vault.blind_index("afterglow", purpose="key-check")
    known = db.first(KNOWN_INDEX)
    if known is None:
        db.add(ADD_INDEX, name="keyring", index=index)
    elif known != index:
        raise WrongKeys


@contextmanager
def database(settings: Settings) -> Iterator[Settings]:
    """The settings with a database in them. Leaving stops what entering started."""
    if settings.database_url is not None:
        yield settings
        return
    running = _running(settings)
    if running is not None:
        yield settings.model_copy(update=running)
        return
    with _embedded(settings) as urls:
        yield settings.model_copy(update=urls)


@contextmanager
def embedded_for_others(settings: Settings) -> Iterator[Settings]:
    """The embedded database, announced so that other commands find it meanwhile."""
    with _embedded(settings) as urls:
        notice = _notice(settings)
        urls["public_url"] = settings.base_url
        write_secret(notice, json.dumps({**urls, "pid": os.getpid()}))
        try:
            yield settings.model_copy(update=urls)
        finally:
            notice.unlink(missing_ok=True)


def migrate(settings: Settings) -> None:
    """Bring the tables to this version, as their owner."""
    from alembic import command
    from alembic.config import Config

    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = settings.migration_url or settings.database_url
    try:
        command.upgrade(config, "head")
    except DBAPIError as error:
        # The first line of PostgreSQL's message about a definition: no row can be in it.
        reason = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else "no reason"
        raise MigrationRefused(reason) from None


def require_durability(database: Direct) -> None:
    """Refuse a PostgreSQL that answers before it has written. Raises: NotDurable."""
    off = [
        name
        for name, value in zip(_DURABLE, database.run(lambda db: db.one(_SETTINGS)), strict=True)
        if value == "off"
    ]
    if off:
        raise NotDurable(", ".join(off))


VERSION: Final = Query(
    select(literal_column("version_num")).select_from(sql("alembic_version")), str
)
KNOWN_INDEX: Final = Query(
    select(columns(KeyCheck).index).where(columns(KeyCheck).name == "keyring"), bytes
)
ADD_INDEX: Final = Change(upsert(KeyCheck).on_conflict_do_nothing())
_DURABLE: Final = ("fsync", "full_page_writes", "synchronous_commit")
_SETTINGS: Final = Query(
    select(*(literal_column(f"current_setting('{name}')") for name in _DURABLE)),
    lambda *values: values,
)


@contextmanager
def _embedded(settings: Settings) -> Iterator[dict[str, str]]:
    from app.kernel import embedded

    with embedded.start((settings.data_dir / "postgres").absolute()) as server:
        _prepare(server.superuser_url("postgres"))
        yield {
            "database_url": server.url(LOGIN, DATABASE),
            "migration_url": server.superuser_url(DATABASE),
        }


def _prepare(url: str) -> None:
    """A login that owns nothing, and an empty database; the first time only."""
    import psycopg

    with psycopg.connect(libpq(url), autocommit=True) as connection:
        for role, rights in (("afterglow_app", "NOLOGIN"), (LOGIN, "LOGIN IN ROLE afterglow_app")):
            known = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role])
            if known.fetchone() is None:
                connection.execute(f"CREATE ROLE {role} {rights}")
        known = connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE])
        if known.fetchone() is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")


def _notice(settings: Settings) -> Path:
    return settings.data_dir / "running.json"


def _running(settings: Settings) -> dict[str, str] | None:
    try:
        running: dict[str, str | int] = json.loads(_notice(settings).read_text())
        os.kill(int(running.pop("pid")), 0)
    except (OSError, ValueError):
        return None
    return {name: str(value) for name, value in running.items()}
