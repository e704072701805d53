"""experience: structured notes, intentions, attachments, clinicians' and psychotherapy notes."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.walls import wall_off

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_TENANT_TABLES = {
    "intention": "SELECT, INSERT, UPDATE",
    "clinician_note": "SELECT, INSERT, UPDATE",
    "psychotherapy_note": "SELECT, INSERT, UPDATE",
}


def upgrade() -> None:
    op.drop_constraint(op.f("ck_experience_note_tier"), "experience_note")
    _check_tier("experience_note", "'private', 'care-team', 'health-record'")
    op.add_column("experience_note", sa.Column("came_from", postgresql.JSONB(), nullable=True))
    _create_entries(
        "intention",
        sa.Column("tier", sa.Text(), nullable=False, server_default=sa.text("'care-team'")),
        sa.Column("came_from", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint(
            "tier IN ('private', 'care-team', 'health-record')", name=op.f("ck_intention_tier")
        ),
    )
    _create_entries(
        "clinician_note",
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("is_shared_with_patient", sa.Boolean(), nullable=False),
        _by_member("clinician_note"),
    )
    _create_entries(
        "psychotherapy_note",
        sa.Column("author_id", sa.Uuid(), nullable=False),
        _by_member("psychotherapy_note"),
    )
    for table, rights in _TENANT_TABLES.items():
        wall_off(table, rights)


def downgrade() -> None:
    for table in reversed(_TENANT_TABLES):
        op.execute(f"DROP POLICY one_clinic ON {table}")
        op.drop_table(table)
    op.drop_column("experience_note", "came_from")
    op.drop_constraint(op.f("ck_experience_note_tier"), "experience_note")
    op.execute("UPDATE experience_note SET tier = 'care-team' WHERE tier = 'health-record'")
    _check_tier("experience_note", "'private', 'care-team'")


def _check_tier(table: str, tiers: str) -> None:
    op.create_check_constraint(op.f(f"ck_{table}_tier"), table, f"tier IN ({tiers})")


def _by_member(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["clinic_id", "author_id"],
        ["membership.clinic_id", "membership.id"],
        name=op.f(f"fk_{table}_membership"),
    )


def _create_entries(table: str, *more: sa.Column[Any] | sa.Constraint) -> None:
    """A table of entries that may be about a dosing session."""
    op.create_table(
        table,
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
        sa.Column("dosing_session_id", sa.Uuid(), nullable=True),
        *more,
        sa.CheckConstraint(
            "status IN ('active', 'entered-in-error')", name=op.f(f"ck_{table}_status")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patient.clinic_id", "patient.id"],
            name=op.f(f"fk_{table}_patient"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id", "dosing_session_id"],
            ["dosing_session.clinic_id", "dosing_session.patient_id", "dosing_session.id"],
            name=op.f(f"fk_{table}_dosing_session"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", "id", name=op.f(f"pk_{table}")),
        info={"placement": "distributed"},
    )
    op.create_index(
        op.f(f"ix_{table}_clinic_id_patient_id_effective_at_id"),
        table,
        ["clinic_id", "patient_id", "effective_at", "id"],
    )
