"""visit: who was there and where, vital signs, side effects, leaving, and aftercare."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.walls import wall_off

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_INSTANT = sa.DateTime(timezone=True)
_VISIT = ["clinic_id", "patient_id", "dosing_session_id"]
_NEW_OF_VISIT = ("setting", "recorder", "weight_kg", "course_id", "words", "vitals")
_TABLES = (
    "aftercare_receipt",
    "aftercare",
    "discharge",
    "side_effect",
    "vital_series",
    "vital_signs",
)


def upgrade() -> None:
    # Nothing that the version before writes has these.
    op.add_column("dosing_session", sa.Column("setting", sa.Text(), nullable=True))
    op.add_column("dosing_session", sa.Column("recorder", sa.Text(), nullable=True))
    op.add_column("dosing_session", sa.Column("weight_kg", sa.Numeric(6, 3), nullable=True))
    op.add_column("dosing_session", sa.Column("course_id", sa.Uuid(), nullable=True))
    op.add_column("dosing_session", sa.Column("words", sa.LargeBinary(), nullable=True))
    op.add_column("dosing_session", sa.Column("vitals", postgresql.JSONB(), nullable=True))
    for name, condition in (
        ("setting", "setting IN ('clinic', 'home', 'practitioner-home')"),
        ("recorder", "recorder IN ('clinician', 'companion', 'patient')"),
        ("weight_kg", "weight_kg > 0"),
    ):
        op.create_check_constraint(op.f(f"ck_dosing_session_{name}"), "dosing_session", condition)

    op.create_table(
        "vital_signs",
        *_key(),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("dosing_session_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=True),
        sa.Column("readings", postgresql.JSONB(), nullable=False),
        sa.Column("protocol_version", sa.Integer(), nullable=False),
        sa.Column("received_at", _INSTANT, nullable=False),
        sa.CheckConstraint(
            "status IN ('final', 'entered-in-error')", name=op.f("ck_vital_signs_status")
        ),
        sa.CheckConstraint("source IN ('monitor', 'by-hand')", name=op.f("ck_vital_signs_source")),
        _of_patient("vital_signs"),
        _of_visit("vital_signs"),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", "id", name=op.f("pk_vital_signs")),
    )
    _index("vital_signs", *_VISIT)
    op.create_table(
        "vital_series",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("dosing_session_id", sa.Uuid(), nullable=False),
        sa.Column("series", postgresql.JSONB(), nullable=False),
        _of_visit("vital_series"),
        sa.PrimaryKeyConstraint(*_VISIT, name=op.f("pk_vital_series")),
    )
    _create_entry(
        "side_effect",
        sa.Column("dosing_session_id", sa.Uuid(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("onset_at", _INSTANT, nullable=False),
        sa.Column("resolved_at", _INSTANT, nullable=True),
        sa.Column("reported_by", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "severity IN ('mild', 'moderate', 'severe', 'life-threatening')",
            name=op.f("ck_side_effect_severity"),
        ),
        sa.CheckConstraint(
            "reported_by IN ('patient', 'clinician')", name=op.f("ck_side_effect_reported_by")
        ),
        _of_visit("side_effect"),
    )
    _create_entry(
        "discharge",
        sa.Column("dosing_session_id", sa.Uuid(), nullable=False),
        sa.Column("protocol_version", sa.Integer(), nullable=False),
        sa.Column("discharged_by", sa.Uuid(), nullable=False),
        _of_visit("discharge"),
    )
    _index("discharge", *_VISIT)
    _create_entry(
        "aftercare",
        sa.Column("dosing_session_id", sa.Uuid(), nullable=False),
        sa.Column("protocol_version", sa.Integer(), nullable=False),
        _of_visit("aftercare"),
    )
    _create_entry(
        "aftercare_receipt",
        sa.Column("aftercare_id", sa.Uuid(), nullable=False),
        sa.Column("aftercare_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id", "aftercare_id"],
            ["aftercare.clinic_id", "aftercare.patient_id", "aftercare.id"],
            name=op.f("fk_aftercare_receipt_aftercare"),
        ),
    )
    for table in _TABLES:
        wall_off(table, "SELECT, INSERT, UPDATE")


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
    for name in _NEW_OF_VISIT:
        op.drop_column("dosing_session", name)


def _key() -> list[sa.Column[Any]]:
    return [
        sa.Column(name, sa.Uuid(), nullable=False) for name in ("clinic_id", "patient_id", "id")
    ]


def _create_entry(
    table: str, *own: sa.Column[Any] | sa.CheckConstraint | sa.ForeignKeyConstraint
) -> None:
    """What every entry of a shelf has, and this one's own."""
    op.create_table(
        table,
        *_key(),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", _INSTANT, nullable=False),
        sa.Column("received_at", _INSTANT, nullable=False),
        sa.Column("effective_at", _INSTANT, nullable=False),
        sa.Column("clock_ahead_seconds", sa.BigInteger(), nullable=True),
        *own,
        sa.CheckConstraint(
            "status IN ('active', 'entered-in-error')", name=op.f(f"ck_{table}_status")
        ),
        _of_patient(table),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", "id", name=op.f(f"pk_{table}")),
    )
    _index(table, "clinic_id", "patient_id", "effective_at", "id")


def _of_patient(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["clinic_id", "patient_id"],
        ["patient.clinic_id", "patient.id"],
        name=op.f(f"fk_{table}_patient"),
    )


def _of_visit(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        _VISIT,
        ["dosing_session.clinic_id", "dosing_session.patient_id", "dosing_session.id"],
        name=op.f(f"fk_{table}_dosing_session"),
    )


def _index(table: str, *names: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(names)}"), table, list(names))
