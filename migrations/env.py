"""Runs migrations as the role that owns the tables."""

from alembic import context
from sqlalchemy import create_engine, pool

import app.checkins.tables
import app.course.aftercare.tables
import app.course.courses.tables
import app.course.discharge.tables
import app.course.eligibility.tables
import app.course.preparation.tables
import app.course.side_effects.tables
import app.course.vital_signs.tables
import app.experience.tables
import app.goals.tables
import app.integration.tables
import app.people.tables
import app.practices.tables
import app.reminders.tables
import app.safety.tables
import app.treatment.tables  # noqa: F401 -- each import adds its tables to the metadata
from app.kernel.settings import Settings
from app.kernel.tables import METADATA
from migrations.keeping import keep_what_is_written


def _url() -> str:
    given = context.config.attributes.get("url")
    settings = Settings()
    url = given or settings.migration_url or settings.database_url
    if url is None:
        raise SystemExit("set AFTERGLOW_MIGRATION_URL or AFTERGLOW_DATABASE_URL")
    return str(url).replace("postgresql://", "postgresql+psycopg://", 1)


def _may_lose() -> bool:
    said = context.get_x_argument(as_dictionary=True).get("lose-what-was-written")
    return said == "yes" or bool(context.config.attributes.get("may_lose"))


def _run() -> None:
    engine = create_engine(_url(), poolclass=pool.NullPool, hide_parameters=True)
    with engine.connect() as connection:
        if not _may_lose():
            keep_what_is_written(connection)
        context.configure(
            connection=connection,
            target_metadata=METADATA,
            compare_type=True,
            compare_server_default=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


_run()
