"""No statement reads or writes another clinic's rows: row-level security.

It is asked with the application's own statements, as the application's role, in a transaction of
another clinic.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import Select, select

from app.kernel.db import Db, Direct, Query, itself, libpq
from app.kernel.settings import Settings
from app.kernel.tables import METADATA
from tests.contract.stage import ADDRESS_OF, ALWAYS_DUE, Stage, own_instrument, patient_of
from tests.contract.statements import is_distributed, statements, tables_of


@dataclass(frozen=True)
class Ids:
    """Of the clinic here, what no answer tells."""

    account_id: UUID
    family_id: UUID
    flag_id: UUID
    session_id: UUID


@pytest.fixture(scope="module")
def ids(stage: Stage, settings: Settings) -> Ids:
    assert settings.migration_url is not None
    here = stage.world.here
    with psycopg.connect(libpq(settings.migration_url)) as owner:

        def one(query: str, *values: UUID) -> UUID:
            row = owner.execute(query.encode(), [here.id, *values]).fetchone()
            assert row is not None
            found: UUID = row[0]
            return found

        return Ids(
            one(
                "SELECT account_id FROM membership WHERE clinic_id = %s AND id = %s",
                here.therapist.membership_id,
            ),
            one("SELECT id FROM refresh_family WHERE clinic_id = %s"),
            one(
                "SELECT id FROM flag WHERE clinic_id = %s AND patient_id = %s",
                patient_of(here.patient),
            ),
            one(
                "SELECT id FROM console_session WHERE clinic_id = %s AND membership_id = %s",
                here.therapist.membership_id,
            ),
        )


def parameters(stage: Stage, ids: Ids, name: str, kind: str) -> dict[str, Any]:
    """A good value for every parameter of the SELECT with this name, of the clinic here.

    kind: of a shelf's entries, if it is one's.
    """
    here = stage.world.here
    patient_id = patient_of(here.patient)
    entries = {kind: UUID(one) for kind, one in stage.entries[patient_id].items()}
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    later = datetime.now(UTC) + timedelta(days=1)
    values: dict[str, Any] = {
        "clinic_id": here.id,
        "patient_id": patient_id,
        "membership_id": here.therapist.membership_id,
        "clinician_id": here.therapist.membership_id,
        "member": here.therapist.membership_id,
        "account_id": ids.account_id,
        "family_id": ids.family_id,
        "session_id": ids.session_id,
        "source_kind": "check_in",
        "source_id": entries["check-ins"],
        "kind": "check_in",
        "entry_ids": [entries["check-ins"]],
        "flag_ids": [ids.flag_id],
        "flag_id": ids.flag_id,
        "round": 1,
        "roles": ["clinician"],
        "membership_ids": [here.therapist.membership_id],
        "address_id": entries["address"],
        "session_ids": [entries["dosing-sessions"]],
        "instrument": "phq-9",
        "instruments": ["phq-9"],
        "patient_ids": [patient_id],
        "part": "b",
        "versions": ["1"],
        "suicide_versions": ["1"],
        "suicide_places": [9],
        "shown_since": long_ago,
        "shown_until": later,
        "version": 1,
        "visit_id": entries["visits"],
        "listed_by": entries["visits"],
        "but": UUID(int=0),
        "key": own_instrument(here),
        "due_keys": [ALWAYS_DUE],
        "place": 9,
        "is_own": True,
        "sees_closed": True,
        "actor_id": here.therapist.membership_id,
        "now": datetime.now(UTC),
        "since": long_ago,
        "since_on": long_ago.date(),
        "starts_at": long_ago,
        "ends_at": later,
        "next_ends_at": later + timedelta(days=30),
        "summary_id": entries["session-summaries"],
        "integration_session_id": entries["integration-sessions summarized"],
        "until": later,
        "before": later,
        "before_at": later,
        "before_id": UUID(int=2**128 - 1),
        "after": UUID(int=0),
        "after_urgency": -9,
        "after_raised_at": long_ago,
        "after_since": long_ago,
        "after_id": UUID(int=0),
        "limit": 100,
    }
    # Where one name means different things.
    its_own: dict[str, dict[str, Any]] = {
        "ROWS": {"after": 0},
        "OWN_CHART": {"membership_id": here.patient.membership_id},
        "CHANGES": {"after": 0},
        "CALLERS_CHART": {"membership_id": here.patient.membership_id},
        "OPEN_FLAG": {"kind": "suicide-risk"},
        "NEXT_TO_TELL": {"round": 1000},
        "STEPS": {"round": 2},
        "PLANS_TO_CHANGE": {"ids": [patient_id]},
        "PLAN": {"id": patient_id},
        "PLAN_TO_CHANGE": {"id": patient_id},
        "CHECK_IN": {"id": entries["check-ins"]},
        "CHECK_IN_TO_CHANGE": {"id": entries["check-ins"]},
        "CHECK_INS_TO_CHANGE": {"ids": [entries["check-ins"]]},
        "SESSION": {"id": entries["dosing-sessions"]},
        "SESSION_TO_CHANGE": {"id": entries["dosing-sessions"]},
        "PLANNED": {"after": long_ago},
        "ATTACHMENT": {"id": entries["attachments"]},
        "OWN_ATTACHMENT": {"id": entries["attachments"]},
        "ATTACHMENT_TO_CHANGE": {"id": entries["attachments"]},
        "ATTACHMENTS_OF": {"note_id": entries["notes"]},
        "OF_HIDDEN_NOTES": {"ids": [entries["attachments private"]]},
        "STORED_CHUNK": {"attachment_id": entries["attachments"], "number": 0},
        "ABANDONED": {"before": later},
        "BATCH": {"id": entries["vital-signs"]},
        "BATCH_TO_CHANGE": {"id": entries["vital-signs"]},
        "COPIES": {"id": entries["notes in conflict"]},
        "THREAD": {"kinds": ["intention", "note", "goal", "goal_step", "practice"]},
        "STEPS_AROUND": {
            "first_on": long_ago.date(),
            "last_on": later.date(),
            "next_until": date(2099, 1, 1),
        },
        "GOALS_NAMED": {"ids": [entries["goals"]]},
        "STEPS_OF": {"ids": [entries["goals"]]},
        "RATINGS_OF": {"ids": [entries["goals"]]},
        "TICKS_SINCE": {"ids": [entries["practices"]]},
        "SUMMARIES_OF": {"ids": [entries["integration-sessions summarized"]]},
        "PRACTICES_NAMED": {"ids": [entries["practices"]]},
        "NAMED_STRATEGIES": {"ids": [entries["coping-strategies"]]},
        "TIMES_RATED": {"goal_id": entries["goals"]},
        "STEPS_BEFORE": {"goal_id": entries["goals"], "starts_on": date(2099, 1, 1)},
        "SOURCES_SEEN": {"kinds": ["note"], "ids": [entries["notes"]]},
        "TIMES_SAID": {"kind": "goal", "entry_id": entries["goals"]},
        "PIN": {"id": entries["baselines"]},
        "DEVICE": {"id": entries["devices"]},
        "LEFT_OUT": {"versions": ["another"]},
        "RESOLUTIONS_OF": {"screening_id": entries["screenings"]},
        "PREPARATIONS_OF": {"dosing_session_id": entries["dosing-sessions planned"]},
        "CHECKS_OF": {"dosing_session_id": entries["dosing-sessions planned"]},
        "NEWEST_RISK_SCREEN": {"instrument": "phq-9"},
        "LAST_ANSWERED": {"instruments": ["phq-9"]},
        "published_as": {"version": 1},
    }
    if kind:
        many = ADDRESS_OF[kind]
        is_about_private = name == "private_of"
        one = entries[f"{many} private" if is_about_private else many]
        return values | {"id": one, "ids": [one]}
    return values | its_own.get(name, {})


READS: Final = [
    pytest.param(
        statement.name,
        statement.kind,
        statement.constant,
        id=statement.name.removeprefix("app."),
    )
    for statement in statements()
    if isinstance(statement.construct, Select)
    and isinstance(statement.constant, Query)
    and any(is_distributed(table) for table in tables_of(statement.construct))
]
TENANTS: Final = sorted(table.name for table in METADATA.tables.values() if is_distributed(table))


def in_clinic(direct: Direct, clinic: UUID | None, query: Query[Any], **params: Any) -> Any:
    """What the application's role is answered in a transaction of this clinic, or of none."""

    def ask_it(db: Db) -> list[Any]:
        if clinic is not None:
            db.enter(clinic)
        return db.all(query, **params)

    return direct.run(ask_it)


class TestSecondWall:
    """Every statement says `clinic_id = here`; only row-level security says otherwise."""

    @pytest.mark.parametrize(("name", "kind", "query"), READS)
    def test_a_statement_that_asks_for_another_clinic_finds_nothing(
        self, stage: Stage, ids: Ids, direct: Direct, name: str, kind: str, query: Query[Any]
    ) -> None:
        params = parameters(stage, ids, name.rpartition(".")[2], kind)

        nowhere = in_clinic(direct, uuid4(), query, **params)

        assert in_clinic(direct, stage.world.here.id, query, **params) != nowhere
        assert in_clinic(direct, stage.world.elsewhere.id, query, **params) == nowhere
        assert in_clinic(direct, None, query, **params) == nowhere

    @pytest.mark.parametrize("table", TENANTS)
    def test_a_table_shows_the_transaction_s_clinic_and_without_one_nothing(
        self, stage: Stage, direct: Direct, table: str
    ) -> None:
        clinic_id = METADATA.tables[table].c.clinic_id
        everything = Query(select(clinic_id).distinct(), itself)
        here, elsewhere = stage.world.here.id, stage.world.elsewhere.id

        seen_from = {
            clinic: in_clinic(direct, clinic, everything)
            for clinic in (here, elsewhere, uuid4(), None)
        }

        assert list(seen_from.values()) == [[here], [elsewhere], [], []]

    @pytest.mark.parametrize("table", TENANTS)
    def test_a_row_cannot_be_put_into_another_clinic_or_changed_there(
        self, stage: Stage, settings: Settings, table: str
    ) -> None:
        assert settings.migration_url is not None
        here, elsewhere = stage.world.here, stage.world.elsewhere
        with psycopg.connect(libpq(settings.migration_url)) as connection:
            row = connection.execute(
                f"SELECT to_jsonb({table})::text FROM {table} WHERE clinic_id = %s".encode(),
                [here.id],
            ).fetchone()
            assert row is not None
            row_of = f"jsonb_populate_record(NULL::{table}, %s::jsonb)"
            connection.execute("SET LOCAL ROLE afterglow_app")
            connection.execute(f"SET LOCAL app.clinic_id = '{elsewhere.id}'".encode())

            changed = {
                statement: rows_changed(connection, statement, value)
                for statement, value in (
                    (f"INSERT INTO {table} SELECT * FROM {row_of}", row[0]),
                    (f"UPDATE {table} SET clinic_id = clinic_id WHERE clinic_id = %s", here.id),
                    (f"DELETE FROM {table} WHERE clinic_id = %s", here.id),
                )
            }

        assert set(changed.values()) == {0}

    def test_the_ledger_s_own_functions_refuse_another_clinic(
        self, stage: Stage, settings: Settings
    ) -> None:
        assert settings.migration_url is not None
        here, elsewhere = stage.world.here, stage.world.elsewhere
        said = {"clinic": here.id, "patient": here.patient.patient_id, "new": uuid4()}
        row = "now(), %(new)s, 'patient', 'x.y', 'x', %(new)s, 1, 'x'"
        calls = (
            "SELECT ledger_open(%(clinic)s, %(new)s)",
            f"SELECT ledger_append(%(clinic)s, %(patient)s, {row})",
        )
        with psycopg.connect(libpq(settings.migration_url)) as connection:
            connection.execute("SET LOCAL ROLE afterglow_app")
            connection.execute(f"SET LOCAL app.clinic_id = '{elsewhere.id}'".encode())

            assert [rows_changed(connection, call, said) for call in calls] == [0, 0]

            connection.execute(f"SET LOCAL app.clinic_id = '{here.id}'".encode())
            assert [rows_changed(connection, call, said) for call in calls] == [1, 1]
            connection.rollback()

    @pytest.mark.parametrize("table", TENANTS)
    def test_whom_the_wall_does_not_hold_sees_what_is_behind_it(
        self, stage: Stage, settings: Settings, table: str
    ) -> None:
        assert settings.migration_url is not None
        here, elsewhere = stage.world.here, stage.world.elsewhere
        with psycopg.connect(libpq(settings.migration_url)) as superuser:
            superuser.execute(f"SET LOCAL app.clinic_id = '{elsewhere.id}'".encode())

            found = superuser.execute(
                f"SELECT FROM {table} WHERE clinic_id = %s".encode(), [here.id]
            )

            assert found.rowcount > 0


def rows_changed(connection: psycopg.Connection[Any], statement: str, value: Any) -> int:
    """How many rows a statement touched; none when it was refused. The rest goes on."""
    try:
        with connection.transaction():
            given = value if isinstance(value, dict) else [value]
            return connection.execute(statement.encode(), given).rowcount
    except psycopg.errors.InsufficientPrivilege:
        return 0
