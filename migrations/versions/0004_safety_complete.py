"""safety: pinned policies, client-made ids of what is done, waiting rounds, numbers of a clinic."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from migrations.walls import APPLICATION

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The one question that is about all clinics at once; it answers with instants and nothing else.
# As the owner, whom row-level security does not hold, because metrics know no clinic.
_WAITING_ROUNDS = """
CREATE FUNCTION waiting_rounds() RETURNS TABLE (level text, waiting bigint, oldest_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT level, count(*), min(round_began_at) FROM flag
    WHERE status = 'open' AND NOT is_historic GROUP BY level
$$
"""


def upgrade() -> None:
    op.add_column("flag", sa.Column("policy_version", sa.Integer(), nullable=True))
    op.create_index(
        "ix_flag_waiting",
        "flag",
        ["level", "round_began_at"],
        postgresql_where=sa.text("status = 'open' AND NOT is_historic"),
    )
    op.execute(_WAITING_ROUNDS)
    op.execute("REVOKE ALL ON FUNCTION waiting_rounds FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION waiting_rounds TO {APPLICATION}")
    # What a client named is unique to its flag, so that a collision reveals nothing of another.
    _identify_events("clinic_id", "flag_id", "id")
    op.create_index(
        op.f("ix_alert_delivery_clinic_id_at_id"), "alert_delivery", ["clinic_id", "at", "id"]
    )
    op.add_column("clinic", sa.Column("after_hours_phone", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("clinic", "after_hours_phone")
    op.drop_index(op.f("ix_alert_delivery_clinic_id_at_id"), table_name="alert_delivery")
    _identify_events("clinic_id", "id")
    op.execute("DROP FUNCTION waiting_rounds")
    op.drop_index("ix_flag_waiting", table_name="flag")
    op.drop_column("flag", "policy_version")


def _identify_events(*columns: str) -> None:
    name = op.f("pk_flag_event")
    op.drop_constraint(name, "flag_event")
    op.create_primary_key(name, "flag_event", list(columns))
