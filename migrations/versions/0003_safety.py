"""safety: acknowledging and resolving flags, kinds, history; timers in the outbox."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.walls import wall_off

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_TENANT_TABLES = {
    "alert_address": "SELECT, INSERT, UPDATE",
    "alert_delivery": "SELECT, INSERT",
    "clinic_escalation": "SELECT, INSERT",
    "flag_event": "SELECT, INSERT",
    "flag_step": "SELECT, INSERT, UPDATE",
    "safety_plan": "SELECT, INSERT, UPDATE",
}


def upgrade() -> None:
    _add_filled("flag", sa.Column("kind", sa.Text(), nullable=False), "'suicide-risk'")
    op.create_check_constraint(op.f("ck_flag_kind"), "flag", "kind IN ('suicide-risk', 'physical')")
    _add_filled("flag", sa.Column("is_historic", sa.Boolean(), nullable=False), "false")
    op.add_column("flag", sa.Column("acknowledged_by", sa.Uuid(), nullable=True))
    op.add_column("flag", sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("flag", sa.Column("assigned_to", sa.Uuid(), nullable=True))
    _one_open_of("clinic_id", "patient_id", "kind")
    _add_filled("flag_evidence", sa.Column("is_historic", sa.Boolean(), nullable=False), "false")
    op.add_column("flag_evidence", sa.Column("words", sa.LargeBinary(), nullable=True))
    op.create_table(
        "flag_event",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("flag_id", sa.Uuid(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("by_member", sa.Uuid(), nullable=False),
        sa.Column("to_member", sa.Uuid(), nullable=True),
        sa.Column("disposition", sa.Text(), nullable=True),
        sa.Column("words", sa.LargeBinary(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "action IN ('acknowledged', 'handed-over', 'contacted', 'commented', 'resolved')",
            name=op.f("ck_flag_event_action"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "flag_id"],
            ["flag.clinic_id", "flag.id"],
            name=op.f("fk_flag_event_flag"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "by_member"],
            ["membership.clinic_id", "membership.id"],
            name=op.f("fk_flag_event_membership"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_flag_event")),
        info={"placement": "distributed"},
    )
    op.create_index(
        op.f("ix_flag_event_clinic_id_flag_id_at"), "flag_event", ["clinic_id", "flag_id", "at"]
    )
    op.create_table(
        "flag_step",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("flag_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("round", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("channels", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("named", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "who IN ('care-team', 'next', 'administrators', 'named')",
            name=op.f("ck_flag_step_who"),
        ),
        sa.CheckConstraint(
            "state IN ('planned', 'done', 'cancelled')", name=op.f("ck_flag_step_state")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "flag_id"], ["flag.clinic_id", "flag.id"], name=op.f("fk_flag_step_flag")
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "flag_id", "round", "number", name=op.f("pk_flag_step")
        ),
        info={"placement": "distributed"},
    )
    op.create_table(
        "alert_address",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("membership_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "channel IN ('email', 'web-push', 'webhook')", name=op.f("ck_alert_address_channel")
        ),
        sa.CheckConstraint(
            "ended_reason IN ('removed', 'gone', 'dead')",
            name=op.f("ck_alert_address_ended_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "membership_id"],
            ["membership.clinic_id", "membership.id"],
            name=op.f("fk_alert_address_membership"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "membership_id", "id", name=op.f("pk_alert_address")),
        info={"placement": "distributed"},
    )
    op.create_table(
        "alert_delivery",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("flag_id", sa.Uuid(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("membership_id", sa.Uuid(), nullable=False),
        sa.Column("address_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('sent', 'gone', 'not-now')", name=op.f("ck_alert_delivery_outcome")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "flag_id"],
            ["flag.clinic_id", "flag.id"],
            name=op.f("fk_alert_delivery_flag"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_alert_delivery")),
        info={"placement": "distributed"},
    )
    op.create_index(
        op.f("ix_alert_delivery_clinic_id_flag_id_at"),
        "alert_delivery",
        ["clinic_id", "flag_id", "at"],
    )
    op.create_table(
        "clinic_escalation",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("published_by", sa.Uuid(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("clinic_id", "version", name=op.f("pk_clinic_escalation")),
        info={"placement": "distributed"},
    )
    op.create_table(
        "safety_plan",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock_ahead_seconds", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patient.clinic_id", "patient.id"],
            name=op.f("fk_safety_plan_patient"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", name=op.f("pk_safety_plan")),
        info={"placement": "distributed"},
    )
    for table, rights in _TENANT_TABLES.items():
        wall_off(table, rights)
    _let_links_be("'assigned', 'coverage'")
    op.add_column("care_link", sa.Column("flag_id", sa.Uuid(), nullable=True))
    _add_filled("outbox", sa.Column("is_timer", sa.Boolean(), nullable=False), "false")


def downgrade() -> None:
    op.drop_column("outbox", "is_timer")
    op.drop_column("care_link", "flag_id")
    _let_links_be("'assigned'")
    for table in _TENANT_TABLES:
        op.execute(f"DROP POLICY one_clinic ON {table}")
        op.drop_table(table)
    op.drop_column("flag_evidence", "words")
    op.drop_column("flag_evidence", "is_historic")
    _one_open_of("clinic_id", "patient_id")
    op.drop_column("flag", "assigned_to")
    op.drop_column("flag", "acknowledged_at")
    op.drop_column("flag", "acknowledged_by")
    op.drop_column("flag", "is_historic")
    op.drop_constraint(op.f("ck_flag_kind"), "flag")
    op.drop_column("flag", "kind")


def _add_filled(table: str, column: sa.Column[Any], value: str) -> None:
    """A column with a default, so that the version before can go on writing meanwhile."""
    column.server_default = sa.DefaultClause(sa.text(value))
    op.add_column(table, column)


def _one_open_of(*columns: str) -> None:
    op.drop_index("uq_flag_one_open", table_name="flag")
    op.create_index(
        "uq_flag_one_open",
        "flag",
        columns,
        unique=True,
        postgresql_where=sa.text("status <> 'resolved'"),
    )


def _let_links_be(kinds: str) -> None:
    name = op.f("ck_care_link_kind")
    op.drop_constraint(name, "care_link")
    op.create_check_constraint(name, "care_link", f"kind IN ({kinds})")
