"""journal: whom a goal is shown to, and what it came from."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # The default is what the version before writes, which knows no tiers.
    op.add_column(
        "goal",
        sa.Column("tier", sa.Text(), nullable=False, server_default=sa.text("'care-team'")),
    )
    op.create_check_constraint(
        op.f("ck_goal_tier"), "goal", "tier IN ('private', 'care-team', 'health-record')"
    )
    op.add_column("goal", sa.Column("came_from", postgresql.JSONB(), nullable=True))


def downgrade() -> None:
    op.drop_column("goal", "came_from")
    op.drop_column("goal", "tier")
