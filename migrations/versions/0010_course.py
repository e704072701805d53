"""course: whether to begin, the course itself, and the checklist before a dose."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.walls import wall_off

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_OF_PATIENT = ["clinic_id", "patient_id"]
_TABLES = (
    "trial_history",
    "treatment_resistance",
    "medication",
    "screening",
    "stop_resolution",
    "course",
    "preparation",
    "preparation_check",
)


def upgrade() -> None:
    _add_entries(
        "trial_history",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("drug_class", sa.Text(), nullable=True),
        sa.Column("dose_adequate", sa.Text(), nullable=False),
        sa.Column("weeks", sa.Double(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('antidepressant', 'augmentation', 'psychotherapy', 'neurostimulation',"
            " 'other')",
            name=op.f("ck_trial_history_kind"),
        ),
        sa.CheckConstraint(
            "dose_adequate IN ('yes', 'no', 'unknown')",
            name=op.f("ck_trial_history_dose_adequate"),
        ),
        sa.CheckConstraint(
            "outcome IN ('no-response', 'partial-response', 'response', 'remission',"
            " 'not-tolerated', 'unknown')",
            name=op.f("ck_trial_history_outcome"),
        ),
    )
    op.create_table(
        "treatment_resistance",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("stratum", sa.Text(), nullable=True),
        sa.Column("is_certain", sa.Boolean(), nullable=False),
        sa.Column("is_resistant", sa.Boolean(), nullable=True),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        _patient_of("treatment_resistance"),
        sa.PrimaryKeyConstraint(*_OF_PATIENT, name=op.f("pk_treatment_resistance")),
        info={"placement": "distributed"},
    )
    op.create_index(
        op.f("ix_treatment_resistance_clinic_id_stratum"),
        "treatment_resistance",
        ["clinic_id", "stratum"],
    )
    _add_entries(
        "medication",
        sa.Column("rxnorm", sa.Text(), nullable=True),
        statuses=("active", "stopped"),
    )
    _add_entries(
        "screening",
        sa.Column("catalogue_version", sa.Text(), nullable=False),
        sa.Column("answers", postgresql.JSONB(), nullable=False),
        sa.Column("answered_in", postgresql.JSONB(), nullable=False),
    )
    _add_entries(
        "stop_resolution",
        sa.Column("screening_id", sa.Uuid(), nullable=False),
        sa.Column("screening_version", sa.Integer(), nullable=False),
        sa.Column("condition", sa.Text(), nullable=False),
        _entry_of("stop_resolution", "screening_id", "screening"),
    )
    _index("stop_resolution", "screening_id")
    _add_entries(
        "course",
        sa.Column("protocol_version", sa.Integer(), nullable=False),
        sa.Column("indication", sa.Text(), nullable=False),
        sa.Column("planned_sessions", sa.Integer(), nullable=False),
        sa.Column("spacing_days", sa.Integer(), nullable=True),
        statuses=("planned", "active", "maintenance", "paused", "completed", "stopped"),
    )
    op.create_index(
        "uq_course_one_open",
        "course",
        _OF_PATIENT,
        unique=True,
        postgresql_where=sa.text("status IN ('planned', 'active', 'maintenance', 'paused')"),
    )
    _add_entries(
        "preparation",
        sa.Column("dosing_session_id", sa.Uuid(), nullable=False),
        sa.Column("answers", postgresql.JSONB(), nullable=False),
        _entry_of("preparation", "dosing_session_id", "dosing_session"),
    )
    _index("preparation", "dosing_session_id")
    _add_entries(
        "preparation_check",
        sa.Column("dosing_session_id", sa.Uuid(), nullable=False),
        sa.Column("answers", postgresql.JSONB(), nullable=False),
        sa.Column("reading", postgresql.JSONB(), nullable=True),
        sa.Column("protocol_version", sa.Integer(), nullable=False),
        _entry_of("preparation_check", "dosing_session_id", "dosing_session"),
    )
    _index("preparation_check", "dosing_session_id")
    for table in _TABLES:
        wall_off(table, "SELECT, INSERT, UPDATE")


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)


def _add_entries(
    table: str,
    *more: sa.Column[Any] | sa.CheckConstraint | sa.ForeignKeyConstraint,
    statuses: tuple[str, ...] = ("active",),
) -> None:
    """The table of a kind of entry: what all of them have, and this one's own."""
    listed = ", ".join(f"'{status}'" for status in (*statuses, "entered-in-error"))
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
        *more,
        sa.CheckConstraint(f"status IN ({listed})", name=op.f(f"ck_{table}_status")),
        _patient_of(table),
        sa.PrimaryKeyConstraint(*_OF_PATIENT, "id", name=op.f(f"pk_{table}")),
        info={"placement": "distributed"},
    )
    op.create_index(
        op.f(f"ix_{table}_clinic_id_patient_id_effective_at_id"),
        table,
        [*_OF_PATIENT, "effective_at", "id"],
    )


def _patient_of(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        _OF_PATIENT, ["patient.clinic_id", "patient.id"], name=op.f(f"fk_{table}_patient")
    )


def _entry_of(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    """A foreign key to another entry of the same patient."""
    return sa.ForeignKeyConstraint(
        [*_OF_PATIENT, column],
        [f"{other}.{name}" for name in (*_OF_PATIENT, "id")],
        name=op.f(f"fk_{table}_{other}"),
    )


def _index(table: str, column: str) -> None:
    op.create_index(
        op.f(f"ix_{table}_clinic_id_patient_id_{column}"), table, [*_OF_PATIENT, column]
    )
