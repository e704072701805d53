"""safety: acknowledging and resolving flags, kinds, history; timers in the outbox."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from migrations.walls import wall_off

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


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
    wall_off("flag_event", "SELECT, INSERT")
    _let_links_be("'assigned', 'coverage'")
    op.add_column("care_link", sa.Column("flag_id", sa.Uuid(), nullable=True))
    _add_filled("outbox", sa.Column("is_timer", sa.Boolean(), nullable=False), "false")


def downgrade() -> None:
    op.drop_column("outbox", "is_timer")
    op.drop_column("care_link", "flag_id")
    _let_links_be("'assigned'")
    op.execute("DROP POLICY one_clinic ON flag_event")
    op.drop_table("flag_event")
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
    """A column that the rows of before get this value in, and later ones must bring."""
    column.server_default = sa.DefaultClause(sa.text(value))
    op.add_column(table, column)
    op.alter_column(table, column.name, server_default=None)


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
