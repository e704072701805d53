"""check-ins complete: a clinic's instruments, protocol and texts; amendments; reminders."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.walls import APPLICATION, allow, wall_off

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_TENANT_TABLES = {
    "clinic_instrument": "SELECT, INSERT",
    "clinic_protocol": "SELECT, INSERT",
    "device": "SELECT, INSERT, UPDATE",
    "reminder": "SELECT, INSERT, UPDATE",
    "reminder_plan": "SELECT, INSERT, UPDATE",
}
# Amended and withdrawn in place; the ledger keeps every version.
_AMENDED = ("check_in", "dosing_session", "experience_note", "goal")


def upgrade() -> None:
    op.create_table(
        "clinic_instrument",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("uploaded_by", sa.Uuid(), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("clinic_id", "key", "version", name=op.f("pk_clinic_instrument")),
        info={"placement": "distributed"},
    )
    op.create_table(
        "clinic_protocol",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("published_by", sa.Uuid(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("clinic_id", "version", name=op.f("pk_clinic_protocol")),
        info={"placement": "distributed"},
    )
    op.create_table(
        "device",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "channel IN ('email', 'web-push', 'webhook')", name=op.f("ck_device_channel")
        ),
        sa.CheckConstraint(
            "ended_reason IN ('removed', 'gone')", name=op.f("ck_device_ended_reason")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patient.clinic_id", "patient.id"],
            name=op.f("fk_device_patient"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", "id", name=op.f("pk_device")),
        info={"placement": "distributed"},
    )
    op.create_table(
        "reminder",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("due_key", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("prompted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("snoozes", sa.Integer(), nullable=False),
        sa.Column("check_in_id", sa.Uuid(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patient.clinic_id", "patient.id"],
            name=op.f("fk_reminder_patient"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", "due_key", name=op.f("pk_reminder")),
        info={"placement": "distributed"},
    )
    op.create_table(
        "reminder_plan",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("is_stopped", sa.Boolean(), nullable=False),
        sa.Column("quiet_from", sa.Text(), nullable=False),
        sa.Column("quiet_until", sa.Text(), nullable=False),
        sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("look_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patient.clinic_id", "patient.id"],
            name=op.f("fk_reminder_plan_patient"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", name=op.f("pk_reminder_plan")),
        info={"placement": "distributed"},
    )
    op.create_index(
        "ix_reminder_plan_waiting",
        "reminder_plan",
        ["clinic_id", "look_at"],
        unique=False,
        postgresql_where=sa.text("look_at IS NOT NULL"),
    )
    _add_filled("administration", sa.Column("session_version", sa.Integer(), nullable=False), "1")
    op.drop_constraint("pk_administration", "administration")
    op.create_primary_key(
        "pk_administration",
        "administration",
        ["clinic_id", "patient_id", "dosing_session_id", "session_version", "place"],
    )
    op.add_column("check_in", sa.Column("results", postgresql.JSONB(), nullable=True))
    op.alter_column("check_in", "total", type_=sa.Double(), existing_nullable=True)
    for column in ("instruments", "texts"):
        _add_filled("clinic", sa.Column(column, postgresql.JSONB(), nullable=False), "'{}'")
    _add_filled("experience_note", sa.Column("status", sa.Text(), nullable=False), "'final'")
    op.create_check_constraint(
        op.f("ck_experience_note_status"),
        "experience_note",
        "status IN ('final', 'entered-in-error')",
    )
    op.add_column("experience_note", sa.Column("conflict_of", sa.Uuid(), nullable=True))
    _let_sessions_be("'preparation', 'in-progress', 'completed', 'not-done', 'entered-in-error'")
    op.create_index(
        op.f("ix_ledger_clinic_id_patient_id_entry_id_entry_version"),
        "ledger",
        ["clinic_id", "patient_id", "entry_id", "entry_version"],
        unique=False,
    )
    for table, rights in _TENANT_TABLES.items():
        wall_off(table, rights)
    for table in _AMENDED:
        allow(table, "UPDATE")


def downgrade() -> None:
    for table in _AMENDED:
        op.execute(f"REVOKE UPDATE ON {table} FROM {APPLICATION}")
    for table in _TENANT_TABLES:
        op.execute(f"DROP POLICY one_clinic ON {table}")
    op.drop_index(
        op.f("ix_ledger_clinic_id_patient_id_entry_id_entry_version"), table_name="ledger"
    )
    _let_sessions_be("'in-progress', 'completed', 'not-done', 'entered-in-error'")
    op.drop_column("experience_note", "conflict_of")
    op.drop_constraint(op.f("ck_experience_note_status"), "experience_note")
    op.drop_column("experience_note", "status")
    op.drop_column("clinic", "texts")
    op.drop_column("clinic", "instruments")
    op.alter_column("check_in", "total", type_=sa.Integer(), existing_nullable=True)
    op.drop_column("check_in", "results")
    op.drop_constraint("pk_administration", "administration")
    op.create_primary_key(
        "pk_administration",
        "administration",
        ["clinic_id", "patient_id", "dosing_session_id", "place"],
    )
    op.drop_column("administration", "session_version")
    op.drop_index(
        "ix_reminder_plan_waiting",
        table_name="reminder_plan",
        postgresql_where=sa.text("look_at IS NOT NULL"),
    )
    for table in ("reminder_plan", "reminder", "device", "clinic_protocol", "clinic_instrument"):
        op.drop_table(table)


def _add_filled(table: str, column: sa.Column[Any], value: str) -> None:
    """A column with a default, so that the version before can go on writing meanwhile."""
    column.server_default = sa.DefaultClause(sa.text(value))
    op.add_column(table, column)


def _let_sessions_be(statuses: str) -> None:
    name = op.f("ck_dosing_session_status")
    op.drop_constraint(name, "dosing_session")
    op.create_check_constraint(name, "dosing_session", f"status IN ({statuses})")
