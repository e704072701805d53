"""console: who is signed in to the pages."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from migrations.walls import wall_off

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "console_session",
        sa.Column("clinic_id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), autoincrement=False, nullable=False),
        sa.Column("membership_id", sa.Uuid(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id", "membership_id"],
            ["membership.clinic_id", "membership.id"],
            name=op.f("fk_console_session_membership"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_console_session")),
    )
    wall_off("console_session", "SELECT, INSERT, UPDATE")


def downgrade() -> None:
    op.drop_table("console_session")
