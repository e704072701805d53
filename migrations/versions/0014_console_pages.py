"""console: sessions that have been over for a month are deleted."""

from collections.abc import Sequence

from alembic import op

from migrations.walls import APPLICATION, allow

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    allow("console_session", "DELETE")


def downgrade() -> None:
    op.execute(f"REVOKE DELETE ON console_session FROM {APPLICATION}")
