"""the house."""

from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.walls import APPLICATION, allow, create_application_role, wall_off

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_TENANT_TABLES = {
    "access_log": "SELECT, INSERT",
    "administration": "SELECT, INSERT",
    "baseline_pin": "SELECT, INSERT",
    "care_link": "SELECT, INSERT, UPDATE",
    "check_in": "SELECT, INSERT",
    "clinic": "SELECT, INSERT, UPDATE",
    "consent": "SELECT, INSERT, UPDATE",
    "data_key": "SELECT, INSERT, UPDATE",
    "dosing_session": "SELECT, INSERT",
    "experience_note": "SELECT, INSERT",
    "flag": "SELECT, INSERT, UPDATE",
    "flag_evidence": "SELECT, INSERT",
    "goal": "SELECT, INSERT",
    "ledger": "SELECT",
    "ledger_head": "SELECT",
    "membership": "SELECT, INSERT, UPDATE",
    "notice": "SELECT, INSERT",
    "patient": "SELECT, INSERT, UPDATE",
    "refresh_family": "SELECT, INSERT, UPDATE",
}
_LOCAL_TABLES = {
    "account": "SELECT, INSERT, UPDATE",
    "account_clinic": "SELECT, INSERT",
    "clinic_directory": "SELECT, INSERT",
    "heartbeat": "SELECT, INSERT, UPDATE",
    "invitation": "SELECT, INSERT, UPDATE",
    "key_check": "SELECT, INSERT",
    "outbox": "SELECT, INSERT, UPDATE",
    "throttle": "SELECT, INSERT, UPDATE, DELETE",
}


def upgrade() -> None:
    op.create_table(
        "access_log",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("membership_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("what", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_access_log")),
        info={"placement": "distributed"},
    )
    op.create_index(
        op.f("ix_access_log_clinic_id_patient_id_at"),
        "access_log",
        ["clinic_id", "patient_id", "at"],
        unique=False,
    )
    op.create_table(
        "account",
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("username_index", sa.LargeBinary(), nullable=False),
        sa.Column("username", sa.LargeBinary(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("username_index", name=op.f("uq_account_username_index")),
        info={"placement": "local"},
    )
    op.create_table(
        "account_clinic",
        sa.Column("account_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "clinic_id", name=op.f("pk_account_clinic")),
        info={"placement": "local"},
    )
    op.create_table(
        "clinic",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("coverage", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("raised_levels", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("notice_version", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("clinic_id", name=op.f("pk_clinic")),
        info={"placement": "distributed"},
    )
    op.create_table(
        "clinic_directory",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("is_synthetic", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("clinic_id", name=op.f("pk_clinic_directory")),
        info={"placement": "local"},
    )
    op.create_table(
        "data_key",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", name=op.f("pk_data_key")),
        info={"placement": "distributed"},
    )
    op.create_table(
        "heartbeat",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeat")),
        info={"placement": "local"},
    )
    op.create_table(
        "invitation",
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("code_index", sa.LargeBinary(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("privileges", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("care_by", sa.Uuid(), nullable=True),
        sa.Column("invited_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "role IN ('patient', 'clinician', 'administrator')", name=op.f("ck_invitation_role")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("code_index", name=op.f("uq_invitation_code_index")),
        info={"placement": "local"},
    )
    op.create_table(
        "ledger",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("actor_role", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("entry_kind", sa.Text(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("entry_version", sa.Integer(), nullable=False),
        sa.Column("snapshot", sa.LargeBinary(), nullable=False),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", "seq", name=op.f("pk_ledger")),
        info={"placement": "distributed"},
    )
    op.create_table(
        "ledger_head",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", name=op.f("pk_ledger_head")),
        info={"placement": "distributed"},
    )
    op.create_table(
        "membership",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("privileges", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("valid_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(role = 'patient') = (patient_id IS NOT NULL)", name=op.f("ck_membership_patient_id")
        ),
        sa.CheckConstraint(
            "role IN ('patient', 'clinician', 'administrator')", name=op.f("ck_membership_role")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_membership")),
        sa.UniqueConstraint(
            "clinic_id", "account_id", "role", name=op.f("uq_membership_clinic_id_account_id_role")
        ),
        info={"placement": "distributed"},
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_outbox_dedupe_key")),
        info={"placement": "local"},
    )
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["due_at", "id"],
        unique=False,
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_table(
        "patient",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("contact", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name=op.f("ck_patient_country")),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_patient")),
        info={"placement": "distributed"},
    )
    op.create_table(
        "throttle",
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_throttle")),
        info={"placement": "local"},
    )
    op.create_table(
        "care_link",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("membership_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('assigned')", name=op.f("ck_care_link_kind")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "membership_id"],
            ["membership.clinic_id", "membership.id"],
            name=op.f("fk_care_link_membership"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patient.clinic_id", "patient.id"],
            name=op.f("fk_care_link_patient"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_care_link")),
        info={"placement": "distributed"},
    )
    op.create_index(
        op.f("ix_care_link_clinic_id_membership_id_patient_id"),
        "care_link",
        ["clinic_id", "membership_id", "patient_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_care_link_clinic_id_patient_id"),
        "care_link",
        ["clinic_id", "patient_id"],
        unique=False,
    )
    op.create_table(
        "check_in",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("instrument_version", sa.Text(), nullable=False),
        sa.Column("scoring_version", sa.Text(), nullable=False),
        sa.Column("answers", postgresql.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("extras", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("band", sa.Text(), nullable=True),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("assessed", sa.Boolean(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock_ahead_seconds", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "level IN ('none', 'low', 'moderate', 'high')", name=op.f("ck_check_in_level")
        ),
        sa.CheckConstraint(
            "status IN ('final', 'entered-in-error')", name=op.f("ck_check_in_status")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patient.clinic_id", "patient.id"],
            name=op.f("fk_check_in_patient"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", "id", name=op.f("pk_check_in")),
        info={"placement": "distributed"},
    )
    op.create_index(
        op.f("ix_check_in_clinic_id_patient_id_effective_at_id"),
        "check_in",
        ["clinic_id", "patient_id", "effective_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_check_in_trajectory",
        "check_in",
        ["clinic_id", "patient_id", "instrument", "effective_at", "id"],
        unique=False,
        postgresql_include=["total"],
        postgresql_where=sa.text("status = 'final'"),
    )
    op.create_table(
        "consent",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("notice_version", sa.Text(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('treatment')", name=op.f("ck_consent_kind")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patient.clinic_id", "patient.id"],
            name=op.f("fk_consent_patient"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_consent")),
        info={"placement": "distributed"},
    )
    op.create_index(
        op.f("ix_consent_clinic_id_patient_id_kind"),
        "consent",
        ["clinic_id", "patient_id", "kind"],
        unique=False,
    )
    op.create_table(
        "dosing_session",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('in-progress', 'completed', 'not-done', 'entered-in-error')",
            name=op.f("ck_dosing_session_status"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patient.clinic_id", "patient.id"],
            name=op.f("fk_dosing_session_patient"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", "id", name=op.f("pk_dosing_session")),
        info={"placement": "distributed"},
    )
    op.create_index(
        op.f("ix_dosing_session_clinic_id_patient_id_effective_at"),
        "dosing_session",
        ["clinic_id", "patient_id", "effective_at"],
        unique=False,
    )
    op.create_table(
        "flag",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("round_began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("level IN ('low', 'moderate', 'high')", name=op.f("ck_flag_level")),
        sa.CheckConstraint(
            "status IN ('open', 'acknowledged', 'resolved')", name=op.f("ck_flag_status")
        ),
        sa.CheckConstraint("round >= 1", name=op.f("ck_flag_round")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patient.clinic_id", "patient.id"],
            name=op.f("fk_flag_patient"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_flag")),
        info={"placement": "distributed"},
    )
    op.create_index(
        op.f("ix_flag_clinic_id_patient_id_raised_at"),
        "flag",
        ["clinic_id", "patient_id", "raised_at"],
        unique=False,
    )
    op.create_index(
        "uq_flag_one_open",
        "flag",
        ["clinic_id", "patient_id"],
        unique=True,
        postgresql_where=sa.text("status <> 'resolved'"),
    )
    op.create_table(
        "goal",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("life_area", sa.Text(), nullable=True),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock_ahead_seconds", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "status IN ('proposed', 'active', 'completed', 'cancelled', 'entered-in-error')",
            name=op.f("ck_goal_status"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patient.clinic_id", "patient.id"],
            name=op.f("fk_goal_patient"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", "id", name=op.f("pk_goal")),
        info={"placement": "distributed"},
    )
    op.create_index(
        op.f("ix_goal_clinic_id_patient_id_effective_at_id"),
        "goal",
        ["clinic_id", "patient_id", "effective_at", "id"],
        unique=False,
    )
    op.create_table(
        "refresh_family",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("membership_id", sa.Uuid(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "ended_reason IN ('revoked', 'reuse')", name=op.f("ck_refresh_family_ended_reason")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "membership_id"],
            ["membership.clinic_id", "membership.id"],
            name=op.f("fk_refresh_family_membership"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_refresh_family")),
        info={"placement": "distributed"},
    )
    op.create_table(
        "administration",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("dosing_session_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("drug", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("dose_mg", sa.Numeric(precision=9, scale=3), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "route IN ('iv', 'im', 'subcutaneous', 'intranasal', 'sublingual', 'oral')",
            name=op.f("ck_administration_route"),
        ),
        sa.CheckConstraint("dose_mg > 0", name=op.f("ck_administration_dose_mg")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id", "dosing_session_id"],
            ["dosing_session.clinic_id", "dosing_session.patient_id", "dosing_session.id"],
            name=op.f("fk_administration_dosing_session"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "patient_id", "dosing_session_id", "place", name=op.f("pk_administration")
        ),
        info={"placement": "distributed"},
    )
    op.create_index(
        op.f("ix_administration_clinic_id_patient_id_given_at"),
        "administration",
        ["clinic_id", "patient_id", "given_at"],
        unique=False,
    )
    op.create_table(
        "experience_note",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("dosing_session_id", sa.Uuid(), nullable=True),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock_ahead_seconds", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "tier IN ('private', 'care-team')", name=op.f("ck_experience_note_tier")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id", "dosing_session_id"],
            ["dosing_session.clinic_id", "dosing_session.patient_id", "dosing_session.id"],
            name=op.f("fk_experience_note_dosing_session"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patient.clinic_id", "patient.id"],
            name=op.f("fk_experience_note_patient"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", "id", name=op.f("pk_experience_note")),
        info={"placement": "distributed"},
    )
    op.create_index(
        op.f("ix_experience_note_clinic_id_patient_id_effective_at_id"),
        "experience_note",
        ["clinic_id", "patient_id", "effective_at", "id"],
        unique=False,
    )
    op.create_table(
        "flag_evidence",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("flag_id", sa.Uuid(), nullable=False),
        sa.Column("source_kind", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("reasons", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "level IN ('low', 'moderate', 'high')", name=op.f("ck_flag_evidence_level")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "flag_id"],
            ["flag.clinic_id", "flag.id"],
            name=op.f("fk_flag_evidence_flag"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_flag_evidence")),
        info={"placement": "distributed"},
    )
    op.create_index(
        op.f("ix_flag_evidence_clinic_id_flag_id"),
        "flag_evidence",
        ["clinic_id", "flag_id"],
        unique=False,
    )
    op.create_table(
        "notice",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("flag_id", sa.Uuid(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("membership_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("channel IN ('inbox')", name=op.f("ck_notice_channel")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "flag_id"], ["flag.clinic_id", "flag.id"], name=op.f("fk_notice_flag")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "membership_id"],
            ["membership.clinic_id", "membership.id"],
            name=op.f("fk_notice_membership"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_notice")),
        sa.UniqueConstraint(
            "clinic_id",
            "flag_id",
            "round",
            "membership_id",
            "channel",
            name=op.f("uq_notice_clinic_id_flag_id_round_membership_id_channel"),
        ),
        info={"placement": "distributed"},
    )
    op.create_table(
        "baseline_pin",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("patient_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("check_in_id", sa.Uuid(), nullable=True),
        sa.Column("pinned_by", sa.Uuid(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id", "check_in_id"],
            ["check_in.clinic_id", "check_in.patient_id", "check_in.id"],
            name=op.f("fk_baseline_pin_check_in"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patient.clinic_id", "patient.id"],
            name=op.f("fk_baseline_pin_patient"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "patient_id", "id", name=op.f("pk_baseline_pin")),
        info={"placement": "distributed"},
    )
    op.create_index(
        op.f("ix_baseline_pin_clinic_id_patient_id_instrument_effective_at_id"),
        "baseline_pin",
        ["clinic_id", "patient_id", "instrument", "effective_at", "id"],
        unique=False,
    )
    op.create_table(
        "key_check",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("index", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_key_check")),
        info={"placement": "local"},
    )
    create_application_role()
    for table, rights in _TENANT_TABLES.items():
        wall_off(table, rights)
    for table, rights in _LOCAL_TABLES.items():
        allow(table, rights)
    op.execute(f"GRANT SELECT ON alembic_version TO {APPLICATION}")
    # Busy rows that are updated in place: room on the page keeps their indexes untouched.
    op.execute("ALTER TABLE ledger_head SET (fillfactor = 50)")
    functions = Path(__file__).parents[1].joinpath("ledger_functions.sql").read_text()
    op.execute(sa.text(functions.replace(":", "\\:")))


def downgrade() -> None:
    op.execute("DROP FUNCTION ledger_append")
    op.execute("DROP FUNCTION ledger_open")
    for table in _TENANT_TABLES:
        op.execute(f"DROP POLICY one_clinic ON {table}")
    op.execute(f"REVOKE SELECT ON alembic_version FROM {APPLICATION}")
    # The role stays: it belongs to the server, and another database may use it.
    op.execute(f"REVOKE USAGE ON SCHEMA public FROM {APPLICATION}")
    op.drop_table("key_check")
    op.drop_index(
        op.f("ix_baseline_pin_clinic_id_patient_id_instrument_effective_at_id"),
        table_name="baseline_pin",
    )
    op.drop_table("baseline_pin")
    op.drop_table("notice")
    op.drop_index(op.f("ix_flag_evidence_clinic_id_flag_id"), table_name="flag_evidence")
    op.drop_table("flag_evidence")
    op.drop_index(
        op.f("ix_experience_note_clinic_id_patient_id_effective_at_id"),
        table_name="experience_note",
    )
    op.drop_table("experience_note")
    op.drop_index(
        op.f("ix_administration_clinic_id_patient_id_given_at"), table_name="administration"
    )
    op.drop_table("administration")
    op.drop_table("refresh_family")
    op.drop_index(op.f("ix_goal_clinic_id_patient_id_effective_at_id"), table_name="goal")
    op.drop_table("goal")
    op.drop_index(
        "uq_flag_one_open", table_name="flag", postgresql_where=sa.text("status <> 'resolved'")
    )
    op.drop_index(op.f("ix_flag_clinic_id_patient_id_raised_at"), table_name="flag")
    op.drop_table("flag")
    op.drop_index(
        op.f("ix_dosing_session_clinic_id_patient_id_effective_at"), table_name="dosing_session"
    )
    op.drop_table("dosing_session")
    op.drop_index(op.f("ix_consent_clinic_id_patient_id_kind"), table_name="consent")
    op.drop_table("consent")
    op.drop_index(
        "ix_check_in_trajectory",
        table_name="check_in",
        postgresql_include=["total"],
        postgresql_where=sa.text("status = 'final'"),
    )
    op.drop_index(op.f("ix_check_in_clinic_id_patient_id_effective_at_id"), table_name="check_in")
    op.drop_table("check_in")
    op.drop_index(op.f("ix_care_link_clinic_id_patient_id"), table_name="care_link")
    op.drop_index(op.f("ix_care_link_clinic_id_membership_id_patient_id"), table_name="care_link")
    op.drop_table("care_link")
    op.drop_table("throttle")
    op.drop_table("patient")
    op.drop_index(
        "ix_outbox_waiting", table_name="outbox", postgresql_where=sa.text("done_at IS NULL")
    )
    op.drop_table("outbox")
    op.drop_table("membership")
    op.drop_table("ledger_head")
    op.drop_table("ledger")
    op.drop_table("invitation")
    op.drop_table("heartbeat")
    op.drop_table("data_key")
    op.drop_table("clinic_directory")
    op.drop_table("clinic")
    op.drop_table("account_clinic")
    op.drop_table("account")
    op.drop_index(op.f("ix_access_log_clinic_id_patient_id_at"), table_name="access_log")
    op.drop_table("access_log")
