"""experience: structured notes, intentions, attachments, clinicians' and psychotherapy notes."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.walls import APPLICATION, wall_off

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_TENANT_TABLES = {
    "intention": "SELECT, INSERT, UPDATE",
    "clinician_note": "SELECT, INSERT, UPDATE",
    "psychotherapy_note": "SELECT, INSERT, UPDATE",
    "attachment": "SELECT, INSERT, UPDATE",
    "attachment_chunk": "SELECT, INSERT",
}

# The only way in which the application takes stored bytes away: those of an upload that was never
# completed, which were no part of a record.
_DISCARD = """
CREATE FUNCTION attachment_discard(p_clinic_id uuid, p_patient_id uuid, p_attachment_id uuid)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF p_clinic_id IS DISTINCT FROM nullif(current_setting('app.clinic_id', true), '')::uuid THEN
        RAISE insufficient_privilege;
    END IF;
    PERFORM FROM attachment
        WHERE clinic_id = p_clinic_id AND patient_id = p_patient_id AND id = p_attachment_id
            AND status = 'preliminary' AND completed_at IS NULL
        FOR UPDATE;
    IF FOUND THEN
        DELETE FROM attachment_chunk
            WHERE clinic_id = p_clinic_id AND patient_id = p_patient_id
                AND attachment_id = p_attachment_id;
    END IF;
END $$
"""


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
    _create_attachments()
    for table, rights in _TENANT_TABLES.items():
        wall_off(table, rights)
    op.execute(_DISCARD)
    op.execute("REVOKE ALL ON FUNCTION attachment_discard FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION attachment_discard TO {APPLICATION}")


def downgrade() -> None:
    op.execute("DROP FUNCTION attachment_discard")
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


def _create_attachments() -> None:
    op.create_table(
        "attachment",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("note_id", sa.Uuid(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("stored", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('preliminary', 'final', 'entered-in-error')",
            name=op.f("ck_attachment_status"),
        ),
        sa.CheckConstraint(
            "size > 0 AND stored BETWEEN 0 AND size", name=op.f("ck_attachment_size")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id", "note_id"],
            ["experience_note.clinic_id", "experience_note.patient_id", "experience_note.id"],
            name=op.f("fk_attachment_experience_note"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", "id", name=op.f("pk_attachment")),
        info={"placement": "distributed"},
    )
    op.create_index(
        op.f("ix_attachment_clinic_id_patient_id_note_id"),
        "attachment",
        ["clinic_id", "patient_id", "note_id"],
    )
    op.create_index(
        "ix_attachment_preliminary",
        "attachment",
        ["clinic_id", "begun_at"],
        postgresql_where=sa.text("status = 'preliminary'"),
    )
    op.create_table(
        "attachment_chunk",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("attachment_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id", "attachment_id"],
            ["attachment.clinic_id", "attachment.patient_id", "attachment.id"],
            name=op.f("fk_attachment_chunk_attachment"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id",
            "patient_id",
            "attachment_id",
            "number",
            name=op.f("pk_attachment_chunk"),
        ),
        info={"placement": "distributed"},
    )
    # What is sealed cannot be compressed, and trying costs more than storing it.
    op.execute("ALTER TABLE attachment_chunk ALTER COLUMN sealed SET STORAGE EXTERNAL")
