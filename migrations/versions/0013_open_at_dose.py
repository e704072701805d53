"""visits: what was open before the dose; side effects by their visit."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_BY_VISIT = ["clinic_id", "patient_id", "dosing_session_id", "effective_at", "id"]


def upgrade() -> None:
    # Null is what the version before writes, and what is told of its visits.
    op.add_column("dosing_session", sa.Column("open_at_dose", postgresql.JSONB(), nullable=True))
    op.create_index(op.f(f"ix_side_effect_{'_'.join(_BY_VISIT)}"), "side_effect", _BY_VISIT)


def downgrade() -> None:
    op.drop_index(op.f(f"ix_side_effect_{'_'.join(_BY_VISIT)}"), table_name="side_effect")
    op.drop_column("dosing_session", "open_at_dose")
