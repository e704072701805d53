"""The second wall: row-level security between clinics, and what the application may do.

The application's role owns nothing. It sees a tenant table's rows only in a transaction that
said `SET LOCAL app.clinic_id`, and it has no right to rewrite what must not be rewritten.
"""

from alembic import op

APPLICATION = "afterglow_app"

_CREATE_ROLE = f"""
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APPLICATION}') THEN
        CREATE ROLE {APPLICATION} NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL; -- another database's migration made it
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the role {APPLICATION} is missing'
            USING HINT = 'Have an administrator run: CREATE ROLE {APPLICATION} NOLOGIN;';
END $$
"""

# Where there is only one URL the server logs in as the owner and takes the role's place.
_LET_THE_OWNER_ACT = f"""
DO $$
BEGIN
    GRANT {APPLICATION} TO CURRENT_USER;
EXCEPTION
    WHEN insufficient_privilege THEN NULL; -- somebody else's role; `afterglow doctor` tells
END $$
"""


def create_application_role() -> None:
    """Roles belong to the whole server, so it may be there already."""
    op.execute(_CREATE_ROLE)
    op.execute(_LET_THE_OWNER_ACT)
    op.execute(f"GRANT USAGE ON SCHEMA public TO {APPLICATION}")


def wall_off(table: str, rights: str) -> None:
    """A tenant table: one clinic's rows at a time. rights: such as `SELECT, INSERT`."""
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY one_clinic ON {table} TO {APPLICATION}"
        " USING (clinic_id = nullif(current_setting('app.clinic_id', true), '')::uuid)"
    )
    allow(table, rights)


def allow(table: str, rights: str) -> None:
    """What the application may do with a table; everything else stays forbidden."""
    op.execute(f"GRANT {rights} ON {table} TO {APPLICATION}")
