"""The demo shows everything there is to show."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest

from app.integration import sessions
from app.integration.sessions import SESSIONS
from app.kernel.db import Db, libpq
from app.kernel.identity import Caller
from app.kernel.settings import Settings
from app.operations import demo, stack
from app.people.chart import open_chart
from app.practices import practice
from app.story import thread
from app.trends import caseload

SHOWN = (
    *("trial_history", "treatment_resistance", "medication", "screening", "course"),
    *("preparation", "preparation_check", "dosing_session", "administration", "vital_signs"),
    *("side_effect", "discharge", "aftercare", "aftercare_receipt"),
    *("experience_note", "insight", "goal", "goal_rating", "practice", "practice_tick"),
    *("coping_strategy", "logged_trigger", "intention"),
    *("integration_session", "session_summary", "summary_agreement"),
)


@pytest.fixture
def planted(fresh_database: Settings) -> Settings:
    database = stack.direct(fresh_database)
    demo.plant(database, datetime.now(UTC))
    database.close()
    return fresh_database


def test_the_first_clinic_has_a_caseload_worth_ordering(planted: Settings) -> None:
    database = stack.direct(planted)
    at = datetime.now(UTC)
    with psycopg.connect(libpq(str(planted.migration_url))) as behind:
        fullest = "SELECT clinic_id FROM patient GROUP BY clinic_id ORDER BY count(*) DESC LIMIT 1"
        clinic_id, membership_id = behind.execute(
            "SELECT clinic_id, id FROM membership"
            f" WHERE role = 'clinician' AND clinic_id = ({fullest})".encode()
        ).fetchall()[0]
    caller = Caller(UUID(int=0), clinic_id, membership_id, "clinician", None, int(at.timestamp()))

    def reasons(db: Db) -> list[str]:
        db.enter(clinic_id)
        page = caseload.read_caseload(db, caller, after=None, limit=50, now=at)
        assert len(page.patients) == 50
        return [reason for one in page.patients for reason in (one.why, *one.also)]

    why = database.run(reasons)
    database.close()

    assert {"flag", "worsening", "loss-of-response", "overdue"} <= set(why)


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


def test_the_printed_patients_show_what_became_of_it_until_yesterday(planted: Settings) -> None:
    database = stack.direct(planted)
    now = datetime.now(UTC)
    with psycopg.connect(libpq(str(planted.migration_url))) as behind:
        clinicians = behind.execute(
            "SELECT w.clinic_id, w.patient_id, m.id FROM practice w"
            " JOIN membership m ON m.clinic_id = w.clinic_id AND m.role = 'clinician'"
        ).fetchall()

    for clinic_id, patient_id, member_id in clinicians:
        caller = Caller(UUID(int=0), clinic_id, member_id, "clinician", None, int(now.timestamp()))

        def look(
            db: Db, caller: Caller = caller, patient_id: UUID = patient_id
        ) -> tuple[Any, Any, Any, Any]:
            db.enter(caller.clinic_id)
            chart = open_chart(db, caller, str(patient_id), thread.READ, now)
            told = thread.read_thread(db, chart, since=None, until=None)
            _, ticks = practice.read_practices(db, chart, now)
            talks = SESSIONS.page(db, chart, cursor=None, limit=10).entries
            agreed = [sessions.read_summary(db, chart, one.id).is_agreed for one in talks]
            today = now.astimezone(ZoneInfo(chart.time_zone)).date()
            back = {(today - tick.on).days: tick.status for tick in ticks}
            return told["stories"], [one.status for one in talks], agreed, back

        stories, talks, agreed, back = database.run(look)

        kinds = [entry["kind"] for story in stories for entry in story["entries"]]
        assert {"intention", "note", "insight", "goal", "practice"} <= set(kinds)
        assert max(len(story["entries"]) for story in stories) >= 5
        assert (talks, agreed) == (["scheduled", "attended"], [False, True])
        assert min(back) == 1
        assert back[3] == "skipped"
        assert 5 not in back
    assert len(clinicians) == 2
    database.close()
