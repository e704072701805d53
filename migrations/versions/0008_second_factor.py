"""second factor: authenticator apps, recovery codes, and which clinics require them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.walls import allow, wall_off

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_TENANT_TABLES = {
    "second_factor_event": "SELECT, INSERT",
    "sign_in_policy": "SELECT, INSERT, UPDATE",
}
_LOCAL_TABLES = {
    "recovery_code": "SELECT, INSERT, UPDATE, DELETE",
    "second_factor": "SELECT, INSERT, UPDATE, DELETE",
}


def upgrade() -> None:
    op.create_table(
        "second_factor",
        sa.Column("account_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_second_factor")),
        info={"placement": "local"},
    )
    op.create_table(
        "recovery_code",
        sa.Column("account_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("code_index", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "code_index", name=op.f("pk_recovery_code")),
        info={"placement": "local"},
    )
    op.create_table(
        "sign_in_policy",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("second_factor_required_for", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("clinic_id", name=op.f("pk_sign_in_policy")),
        info={"placement": "distributed"},
    )
    op.create_table(
        "second_factor_event",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("membership_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("by_member", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "action IN ('confirmed', 'codes-renewed', 'recovery-code-used', 'removed', 'reset')",
            name=op.f("ck_second_factor_event_action"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "membership_id"],
            ["membership.clinic_id", "membership.id"],
            name=op.f("fk_second_factor_event_membership"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_second_factor_event")),
        info={"placement": "distributed"},
    )
    op.create_index(
        op.f("ix_second_factor_event_clinic_id_at"), "second_factor_event", ["clinic_id", "at"]
    )
    for table, rights in _TENANT_TABLES.items():
        wall_off(table, rights)
    for table, rights in _LOCAL_TABLES.items():
        allow(table, rights)


def downgrade() -> None:
    for table in _TENANT_TABLES:
        op.execute(f"DROP POLICY one_clinic ON {table}")
        op.drop_table(table)
    for table in _LOCAL_TABLES:
        op.drop_table(table)
