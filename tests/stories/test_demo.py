"""The demo shows everything there is to show."""

from datetime import UTC, datetime

import psycopg
import pytest

from app.kernel.db import libpq
from app.kernel.settings import Settings
from app.operations import demo, stack

SHOWN = (
    *("trial_history", "treatment_resistance", "medication", "screening", "course"),
    *("preparation", "preparation_check", "dosing_session", "administration", "vital_signs"),
    *("side_effect", "discharge", "aftercare", "aftercare_receipt"),
    *("experience_note", "insight", "goal", "goal_rating", "practice", "practice_tick"),
    *("coping_strategy", "logged_trigger"),
)


@pytest.fixture
def planted(fresh_database: Settings) -> Settings:
    database = stack.direct(fresh_database)
    demo.plant(database, datetime.now(UTC))
    database.close()
    return fresh_database


def test_both_clinics_show_a_course_and_everything_around_it(planted: Settings) -> None:
    assert planted.migration_url is not None
    with psycopg.connect(libpq(planted.migration_url)) as behind:
        for name in SHOWN:
            statement = f"SELECT count(DISTINCT clinic_id) FROM {name}"
            assert behind.execute(statement.encode()).fetchone() == (2,), name

        kept = behind.execute(
            "SELECT open_at_dose->'gaps', open_at_dose->'warnings' FROM dosing_session"
            " WHERE course_id IS NOT NULL ORDER BY clinic_id, effective_at"
        ).fetchall()

    # At the first visit of each nobody had named who takes the patient home.
    assert kept == 2 * [(["escort-named"], []), *3 * [([], [])]]
