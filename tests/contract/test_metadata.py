"""The rules that let one PostgreSQL grow into a sharded one, and the wall between clinics.

Each rule is held over the declared tables, or over a migrated database, and shown to be able to
fail by a table, a statement or a grant that breaks it.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    DefaultClause,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.sql.expression import Executable

from app.kernel.db import libpq
from app.kernel.settings import Settings
from app.kernel.tables import METADATA
from tests.contract.statements import (
    Statement,
    is_distributed,
    modules,
    passing,
    statements,
    untied,
)

APPLICATION = "afterglow_app"
PLACEMENTS = {"distributed", "local"}
# What the application can never take back or make up.
UNCHANGEABLE = ("access_log", "ledger", "ledger_head")


def broken_rules(metadata: MetaData) -> set[str]:
    """`table: rule` for every rule that a table breaks."""
    return {f"{table.name}: {rule}" for table in metadata.tables.values() for rule in _of(table)}


def _of(table: Table) -> Iterator[str]:
    if table.info.get("placement") not in PLACEMENTS:
        yield "placement"
    if table.autoincrement_column is not None or any(
        column.identity is not None or (column.default is not None and column.default.is_sequence)
        for column in table.columns
    ):
        yield "a number made by the database"
    # A constant is for a version of the application that does not know the column yet.
    defaults = [
        str(one.server_default.arg)
        for one in table.columns
        if isinstance(one.server_default, DefaultClause)
    ]
    if not all(re.fullmatch(r"\d+|'[^']*'|true|false", default) for default in defaults):
        yield "a default made by the database"
    if is_distributed(table):
        yield from _of_tenant(table)
    elif any(is_distributed(key.column.table) for key in table.foreign_keys):
        yield "points at a tenant"


def _of_tenant(table: Table) -> Iterator[str]:
    key = list(table.primary_key.columns)
    if not key or key[0].name != "clinic_id":
        yield "clinic first in the primary key"
    clinic = table.columns.get("clinic_id")
    if clinic is None or clinic.nullable or not isinstance(clinic.type, Uuid):
        yield "clinic_id uuid NOT NULL"
    unique = [one.columns for one in table.constraints if isinstance(one, UniqueConstraint)]
    unique += [one.columns for one in table.indexes if one.unique]
    if any("clinic_id" not in columns for columns in unique):
        yield "clinic in every unique constraint"
    for constraint in table.foreign_key_constraints:
        pairs = {(one.parent.name, one.column.name) for one in constraint.elements}
        if is_distributed(constraint.referred_table) and ("clinic_id", "clinic_id") not in pairs:
            yield "clinic paired in every foreign key"
        if {constraint.ondelete, constraint.onupdate} & {"SET NULL", "SET DEFAULT"}:
            yield "no key is emptied by the database"


def a_table(name: str, *parts: Any, placement: str | None = "distributed") -> Table:
    """A tenant table that breaks no rule, and what a test adds to it."""
    metadata = parts[0].metadata if parts and isinstance(parts[0], Table) else MetaData()
    given = [part for part in parts if not isinstance(part, Table)]
    columns = {
        "clinic_id": Column("clinic_id", Uuid, nullable=False),
        "id": Column("id", Uuid, nullable=False),
        "other_id": Column("other_id", Uuid),
    }
    columns |= {part.name: part for part in given if isinstance(part, Column)}
    rest = [part for part in given if not isinstance(part, Column)]
    if not any(isinstance(part, PrimaryKeyConstraint) for part in rest):
        rest.append(PrimaryKeyConstraint("clinic_id", "id"))
    info = {"placement": placement} if placement else {}
    return Table(name, metadata, *columns.values(), *rest, info=info)


class TestTables:
    def test_every_table_keeps_every_rule(self) -> None:
        assert {table.name for table in METADATA.tables.values() if is_distributed(table)} >= {
            "patient",
            "check_in",
            "ledger",
        }
        assert broken_rules(METADATA) == set()

    def test_a_table_that_keeps_every_rule_is_no_offender(self) -> None:
        parent = a_table("parent")
        child = a_table(
            "child",
            parent,
            UniqueConstraint("clinic_id", "other_id"),
            ForeignKeyConstraint(["clinic_id", "other_id"], ["parent.clinic_id", "parent.id"]),
        )

        assert broken_rules(child.metadata) == set()

    @pytest.mark.parametrize(
        ("parts", "placement", "rule"),
        [
            ([], None, "placement"),
            ([], "somewhere", "placement"),
            (
                [Column("clinic_id", Uuid, nullable=True), PrimaryKeyConstraint("id")],
                "distributed",
                "clinic_id uuid NOT NULL",
            ),
            ([Column("clinic_id", Text, nullable=False)], "distributed", "clinic_id uuid NOT NULL"),
            (
                [PrimaryKeyConstraint("id", "clinic_id")],
                "distributed",
                "clinic first in the primary key",
            ),
            (
                [UniqueConstraint("other_id")],
                "distributed",
                "clinic in every unique constraint",
            ),
            (
                [Index("one", "other_id", unique=True)],
                "distributed",
                "clinic in every unique constraint",
            ),
            (
                [Column("number", BigInteger, Identity())],
                "distributed",
                "a number made by the database",
            ),
            (
                [
                    Column("id", Integer, autoincrement=True),
                    PrimaryKeyConstraint("id"),
                ],
                "local",
                "a number made by the database",
            ),
            (
                [Column("at", Text, server_default=text("now()"))],
                "distributed",
                "a default made by the database",
            ),
        ],
    )
    def test_a_broken_rule_is_seen(self, parts: list[Any], placement: str, rule: str) -> None:
        table = a_table("offender", *parts, placement=placement)

        assert f"offender: {rule}" in broken_rules(table.metadata)

    @pytest.mark.parametrize(
        ("key", "placement", "rule"),
        [
            (
                ForeignKeyConstraint(["other_id", "id"], ["parent.clinic_id", "parent.id"]),
                "distributed",
                "clinic paired in every foreign key",
            ),
            (
                ForeignKeyConstraint(
                    ["clinic_id", "other_id"],
                    ["parent.clinic_id", "parent.id"],
                    ondelete="SET NULL",
                ),
                "distributed",
                "no key is emptied by the database",
            ),
            (
                ForeignKeyConstraint(["clinic_id", "id"], ["parent.clinic_id", "parent.id"]),
                "local",
                "points at a tenant",
            ),
        ],
    )
    def test_a_foreign_key_that_leaves_the_clinic_is_seen(
        self, key: ForeignKeyConstraint, placement: str, rule: str
    ) -> None:
        child = a_table("child", a_table("parent"), key, placement=placement)

        assert broken_rules(child.metadata) == {f"child: {rule}"}


KEPT = statements()
TENANT = a_table("tenant")
OTHER = a_table("other", TENANT)
PINNED = TENANT.c.clinic_id == bindparam("clinic_id")
VOLATILE = re.compile(r"(?i)\b(?:now|clock_timestamp|random|gen_random_uuid|uuidv7|nextval)\(")


class TestStatements:
    def test_the_application_s_statements_are_found(self) -> None:
        names = {statement.name for statement in KEPT}

        assert {"app.checkins.service.ADD_CHECK_IN", "app.trends.caseload.CASELOAD"} <= names

    def test_none_is_made_where_it_cannot_be_found(self) -> None:
        hidden = {
            module.__name__: found
            for module in modules()
            if module.__file__ is not None and (found := passing(Path(module.__file__).read_text()))
        }

        assert hidden == {}

    def test_one_made_in_passing_is_seen_and_a_factory_is_not(self) -> None:
        assert passing("def read(db):\n    return db.all(Query(select(x), X))") == ["read"]
        assert passing("find = lambda db: db.add(Change(insert(X)))") == ["lambda"]
        assert passing("def inbox(*also) -> Query[X]:\n    return Query(select(x), X)") == []
        assert passing("FLAG = Query(select(x), X)") == []

    @pytest.mark.parametrize("statement", KEPT, ids=lambda one: one.name.removeprefix("app."))
    def test_each_pins_the_clinic_of_every_tenant_table_it_touches(
        self, statement: Statement
    ) -> None:
        assert untied(statement.construct) == set()

    @pytest.mark.parametrize("statement", KEPT, ids=lambda one: one.name.removeprefix("app."))
    def test_each_gets_the_time_and_every_id_from_the_application(
        self, statement: Statement
    ) -> None:
        assert VOLATILE.search(statement.sql) is None

    @pytest.mark.parametrize(
        ("construct", "loose"),
        [
            (select(TENANT.c.id), {"tenant"}),
            (select(func.count()).select_from(TENANT), {"tenant"}),
            (select(TENANT.c.id).where(TENANT.c.clinic_id == bindparam("other")), {"tenant"}),
            (select(TENANT.c.id).where(or_(PINNED, TENANT.c.id == bindparam("id"))), {"tenant"}),
            (
                select(TENANT.c.id).join(OTHER, OTHER.c.id == TENANT.c.other_id).where(PINNED),
                {"other"},
            ),
            (
                select(TENANT.c.id).where(
                    PINNED, select(OTHER.c.id).where(OTHER.c.id == TENANT.c.id).exists()
                ),
                {"other"},
            ),
            (select(select(TENANT.c.id).limit(1).subquery()), {"tenant"}),
            (
                select(TENANT.c.id).join(
                    OTHER,
                    and_(OTHER.c.clinic_id == TENANT.c.clinic_id, OTHER.c.id == TENANT.c.id),
                ),
                {"tenant", "other"},
            ),
            (update(TENANT).where(TENANT.c.id == bindparam("key")).values(id=None), {"tenant"}),
            (insert(TENANT).values(id=bindparam("key")), {"tenant"}),
        ],
    )
    def test_a_statement_that_does_not_pin_the_clinic_is_seen(
        self, construct: Executable, loose: set[str]
    ) -> None:
        assert untied(construct) == loose

    @pytest.mark.parametrize("called", ["now()", "gen_random_uuid()", "nextval('x')"])
    def test_a_volatile_call_is_seen(self, called: str) -> None:
        assert VOLATILE.search(f"UPDATE t SET x = {called}")
        assert VOLATILE.search("SELECT known, nowhere FROM t") is None


@pytest.fixture
def owner(module_database: Settings) -> Iterator[psycopg.Connection[Any]]:
    """The migrated database, as its owner; what a test breaks in it is taken back."""
    assert module_database.migration_url is not None
    with psycopg.connect(libpq(module_database.migration_url)) as connection:
        yield connection
        connection.rollback()


def asked(owner: psycopg.Connection[Any], query: str) -> set[Any]:
    """A query's first column."""
    return {row[0] for row in owner.execute(query.encode())}


POLICY = "(clinic_id = (NULLIF(current_setting('app.clinic_id'::text, true), ''::text))::uuid)"
# Tenant tables with row-level security on, and the one policy we know as their only policy.
WALLED = f"""
    SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relrowsecurity
    AND (SELECT array_agg((polname, polcmd, polpermissive, polroles,
                           pg_get_expr(polqual, polrelid), polwithcheck IS NULL)::text)
         FROM pg_policy WHERE polrelid = pg_class.oid)
      = ARRAY[('one_clinic'::name, '*'::"char", true, ARRAY['{APPLICATION}'::regrole::oid],
               $${POLICY}$$, true)::text]
"""
TRIGGERS = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
SEQUENCES = (
    "SELECT relname FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace"
)
# The application's role, and the login that is a member of it where the suite made one.
ROLES = f"SELECT oid FROM pg_roles WHERE rolname IN ('{APPLICATION}', 'afterglow')"
OWNED = f"""
    SELECT objid::text FROM pg_shdepend
    WHERE refclassid = 'pg_authid'::regclass AND refobjid IN ({ROLES}) AND deptype = 'o'
    AND dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
POWERS = f"""
    SELECT rolname FROM pg_roles WHERE oid IN ({ROLES})
    AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)
"""
LOOSE_FUNCTIONS = """
    SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    AND (NOT prosecdef OR proconfig IS DISTINCT FROM ARRAY['search_path=public, pg_temp']
         OR has_function_privilege('public', oid, 'EXECUTE'))
"""


def rights(owner: psycopg.Connection[Any], table: str) -> set[str]:
    """What the application may do with a table."""
    every = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
    return {
        right
        for right in every
        if owner.execute(
            "SELECT has_table_privilege(%s, %s, %s)", [APPLICATION, table, right]
        ).fetchone()
        == (True,)
    }


class TestDatabase:
    def test_it_has_the_declared_tables_and_no_other(self, owner: psycopg.Connection[Any]) -> None:
        tables = asked(owner, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")

        assert tables == METADATA.tables.keys() | {"alembic_version"}

    def test_every_tenant_table_is_behind_the_one_policy(
        self, owner: psycopg.Connection[Any]
    ) -> None:
        tenants = {table.name for table in METADATA.tables.values() if is_distributed(table)}

        assert asked(owner, WALLED) == tenants

    @pytest.mark.parametrize(
        "breach",
        [
            "ALTER TABLE goal DISABLE ROW LEVEL SECURITY",
            "DROP POLICY one_clinic ON goal",
            "CREATE POLICY everything ON goal USING (true)",
            "ALTER POLICY one_clinic ON goal USING (true)",
            "ALTER POLICY one_clinic ON goal WITH CHECK (true)",
        ],
    )
    def test_a_hole_in_the_wall_is_seen(self, owner: psycopg.Connection[Any], breach: str) -> None:
        owner.execute(breach.encode())

        assert "goal" not in asked(owner, WALLED)

    def test_no_trigger_and_no_sequence_is_relied_on(self, owner: psycopg.Connection[Any]) -> None:
        assert asked(owner, TRIGGERS) | asked(owner, SEQUENCES) == set()

    def test_a_trigger_and_a_sequence_are_seen(self, owner: psycopg.Connection[Any]) -> None:
        owner.execute("CREATE SEQUENCE numbers")
        owner.execute(
            "CREATE TRIGGER silent BEFORE UPDATE ON goal FOR EACH ROW"
            " EXECUTE FUNCTION suppress_redundant_updates_trigger()"
        )

        assert asked(owner, TRIGGERS) | asked(owner, SEQUENCES) == {"silent", "numbers"}

    def test_the_application_owns_nothing_and_has_no_special_power(
        self, owner: psycopg.Connection[Any]
    ) -> None:
        assert asked(owner, OWNED) | asked(owner, POWERS) == set()

    def test_something_owned_and_a_power_are_seen(self, owner: psycopg.Connection[Any]) -> None:
        owner.execute(f"ALTER TABLE goal OWNER TO {APPLICATION}".encode())
        owner.execute(f"ALTER ROLE {APPLICATION} BYPASSRLS".encode())

        assert len(asked(owner, OWNED)) == 1
        assert asked(owner, POWERS) == {APPLICATION}

    def test_what_was_written_for_good_cannot_be_changed_by_the_application(
        self, owner: psycopg.Connection[Any]
    ) -> None:
        assert {table: rights(owner, table) for table in UNCHANGEABLE} == {
            "access_log": {"SELECT", "INSERT"},
            "ledger": {"SELECT"},
            "ledger_head": {"SELECT"},
        }

    def test_nothing_clinical_of_a_tenant_can_be_deleted_by_the_application(
        self, owner: psycopg.Connection[Any]
    ) -> None:
        erasable = {
            table.name
            for table in METADATA.tables.values()
            if is_distributed(table) and rights(owner, table.name) - {"SELECT", "INSERT", "UPDATE"}
        }

        # Who was signed in to the pages, a month after it was over: nothing of it is of a patient.
        assert erasable == {"console_session"}

    def test_a_grant_too_many_is_seen(self, owner: psycopg.Connection[Any]) -> None:
        owner.execute(f"GRANT UPDATE, DELETE ON ledger TO {APPLICATION}".encode())

        assert rights(owner, "ledger") == {"SELECT", "UPDATE", "DELETE"}

    @pytest.mark.parametrize("table", UNCHANGEABLE)
    @pytest.mark.parametrize(
        "change", ["UPDATE {} SET clinic_id = clinic_id", "DELETE FROM {}", "TRUNCATE {}"]
    )
    def test_trying_it_is_refused(
        self, owner: psycopg.Connection[Any], table: str, change: str
    ) -> None:
        owner.execute(f"SET ROLE {APPLICATION}".encode())

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute(change.format(table).encode())

    @pytest.mark.parametrize("table", ["ledger", "ledger_head"])
    def test_a_row_of_the_ledger_cannot_be_made_up(
        self, owner: psycopg.Connection[Any], table: str
    ) -> None:
        owner.execute(f"SET ROLE {APPLICATION}".encode())

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute(f"INSERT INTO {table} SELECT * FROM {table}".encode())

    def test_functions_that_act_as_the_owner_are_closed_to_others_and_to_other_schemas(
        self, owner: psycopg.Connection[Any]
    ) -> None:
        functions = asked(
            owner, "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        )

        assert functions == {
            "attachment_discard",
            "ledger_append",
            "ledger_open",
            "waiting_rounds",
        }
        assert asked(owner, LOOSE_FUNCTIONS) == set()

    @pytest.mark.parametrize(
        "breach",
        [
            "ALTER FUNCTION ledger_open RESET search_path",
            "GRANT EXECUTE ON FUNCTION ledger_open TO PUBLIC",
        ],
    )
    def test_a_function_left_open_is_seen(
        self, owner: psycopg.Connection[Any], breach: str
    ) -> None:
        owner.execute(breach.encode())

        assert asked(owner, LOOSE_FUNCTIONS) == {"ledger_open"}
