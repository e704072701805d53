"""goals: the scale, its ratings, and steps."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from migrations.walls import wall_off

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_BEFORE = "'proposed', 'active', 'completed', 'cancelled', 'entered-in-error'"
_STATES = (
    "'proposed', 'accepted', 'planned', 'active', 'on-hold', 'completed', 'cancelled', 'rejected',"
    " 'entered-in-error'"
)


def upgrade() -> None:
    _may_be(_STATES)
    op.add_column(
        "goal", sa.Column("weight", sa.SmallInteger(), nullable=False, server_default=sa.text("1"))
    )
    op.create_check_constraint(op.f("ck_goal_weight"), "goal", "weight BETWEEN 1 AND 9")
    op.add_column("goal", sa.Column("baseline_level", sa.SmallInteger(), nullable=True))
    op.create_check_constraint(
        op.f("ck_goal_baseline_level"), "goal", "baseline_level BETWEEN -2 AND 2"
    )
    op.add_column("goal", sa.Column("starts_on", sa.Date(), nullable=True))
    op.add_column("goal", sa.Column("target_on", sa.Date(), nullable=True))
    _make_part(
        "goal_step",
        "'planned', 'done', 'dropped', 'entered-in-error'",
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("done_on", sa.Date(), nullable=True),
    )
    _make_part(
        "goal_rating",
        "'active', 'entered-in-error'",
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("rater", sa.Text(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("rater IN ('patient', 'therapist')", name=op.f("ck_goal_rating_rater")),
        sa.CheckConstraint("level BETWEEN -2 AND 2", name=op.f("ck_goal_rating_level")),
    )


def downgrade() -> None:
    op.drop_table("goal_rating")
    op.drop_table("goal_step")
    for column in ("target_on", "starts_on", "baseline_level", "weight"):
        op.drop_column("goal", column)
    _may_be(_BEFORE)


def _may_be(states: str) -> None:
    op.drop_constraint(op.f("ck_goal_status"), "goal")
    op.create_check_constraint(op.f("ck_goal_status"), "goal", f"status IN ({states})")


def _make_part(name: str, states: str, *columns: sa.schema.SchemaItem) -> None:
    op.create_table(
        name,
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock_ahead_seconds", sa.BigInteger(), nullable=True),
        sa.Column("goal_id", sa.Uuid(), nullable=False),
        *columns,
        sa.CheckConstraint(f"status IN ({states})", name=op.f(f"ck_{name}_status")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patient.clinic_id", "patient.id"],
            name=op.f(f"fk_{name}_patient"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id", "goal_id"],
            ["goal.clinic_id", "goal.patient_id", "goal.id"],
            name=op.f(f"fk_{name}_goal"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", "id", name=op.f(f"pk_{name}")),
    )
    op.create_index(
        op.f(f"ix_{name}_clinic_id_patient_id_effective_at_id"),
        name,
        ["clinic_id", "patient_id", "effective_at", "id"],
    )
    op.create_index(
        op.f(f"ix_{name}_clinic_id_patient_id_goal_id"),
        name,
        ["clinic_id", "patient_id", "goal_id"],
    )
    wall_off(name, "SELECT, INSERT, UPDATE")
