"""integration: practices, what helps, insights, and the talk after a dose."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.walls import wall_off

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_TIERS = "tier IN ('private', 'care-team', 'health-record')"


def upgrade() -> None:
    _make_tiered(
        "practice",
        ("active",),
        sa.Column("activity", sa.Text(), nullable=False),
        sa.Column("schedule", postgresql.JSONB(), nullable=False),
        sa.Column("remind_at", sa.Text(), nullable=True),
    )
    _make(
        "practice_tick",
        ("done", "skipped"),
        sa.Column("practice_id", sa.Uuid(), nullable=False),
        sa.Column("on", sa.Date(), nullable=False),
        _part_of("practice_tick", "practice_id", "practice"),
    )
    _index("practice_tick", "on", "practice_id")
    _make_tiered("coping_strategy", ("active", "retired"))
    _make_tiered(
        "logged_trigger",
        ("active",),
        sa.Column("intensity_before", sa.SmallInteger(), nullable=False),
        sa.Column("intensity_after", sa.SmallInteger(), nullable=True),
        sa.Column("tried", postgresql.JSONB(), nullable=False),
        *(
            sa.CheckConstraint(f"{one} BETWEEN 0 AND 10", name=op.f(f"ck_logged_trigger_{one}"))
            for one in ("intensity_before", "intensity_after")
        ),
    )
    _make_tiered("insight", ("active",))
    _make(
        "integration_session",
        ("scheduled", "attended", "missed", "cancelled"),
        sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=False),
    )
    _index("integration_session", "scheduled_at")
    _make(
        "session_summary",
        ("active",),
        sa.Column("integration_session_id", sa.Uuid(), nullable=False),
        _part_of("session_summary", "integration_session_id", "integration_session"),
    )
    _index("session_summary", "integration_session_id")
    _make(
        "summary_agreement",
        ("agreed", "disagreed"),
        sa.Column("session_summary_id", sa.Uuid(), nullable=False),
        sa.Column("summary_version", sa.Integer(), nullable=False),
        _part_of("summary_agreement", "session_summary_id", "session_summary"),
        sa.CheckConstraint(
            "summary_version >= 1", name=op.f("ck_summary_agreement_summary_version")
        ),
    )
    _index("summary_agreement", "session_summary_id")


def downgrade() -> None:
    for name in (
        "summary_agreement",
        "session_summary",
        "integration_session",
        "insight",
        "logged_trigger",
        "coping_strategy",
        "practice_tick",
        "practice",
    ):
        op.drop_table(name)


def _make_tiered(name: str, states: tuple[str, ...], *more: sa.schema.SchemaItem) -> None:
    _make(
        name,
        states,
        # As every kind that has one; what was there before tiers were was the care team's.
        sa.Column("tier", sa.Text(), nullable=False, server_default=sa.text("'care-team'")),
        sa.Column("came_from", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint(_TIERS, name=op.f(f"ck_{name}_tier")),
        *more,
    )


def _make(name: str, states: tuple[str, ...], *more: sa.schema.SchemaItem) -> None:
    listed = ", ".join(f"'{state}'" for state in (*states, "entered-in-error"))
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
        *more,
        sa.CheckConstraint(f"status IN ({listed})", name=op.f(f"ck_{name}_status")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patient.clinic_id", "patient.id"],
            name=op.f(f"fk_{name}_patient"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", "id", name=op.f(f"pk_{name}")),
    )
    _index(name, "effective_at", "id")
    wall_off(name, "SELECT, INSERT, UPDATE")


def _part_of(name: str, column: str, whole: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["clinic_id", "patient_id", column],
        [f"{whole}.clinic_id", f"{whole}.patient_id", f"{whole}.id"],
        name=op.f(f"fk_{name}_{whole}"),
    )


def _index(name: str, *columns: str) -> None:
    within = ("clinic_id", "patient_id", *columns)
    op.create_index(op.f(f"ix_{name}_{'_'.join(within)}"), name, list(within))
