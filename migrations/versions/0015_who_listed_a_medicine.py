"""medicines: who listed each first, and what a patient says of one that a clinician listed."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The ledger knows who listed what there is.
_FROM_LEDGER = """
    UPDATE medication SET listed_by = 'clinician'
    FROM ledger
    WHERE ledger.clinic_id = medication.clinic_id
      AND ledger.patient_id = medication.patient_id
      AND ledger.entry_kind = 'medication'
      AND ledger.entry_id = medication.id
      AND ledger.entry_version = 1
      AND ledger.actor_role <> 'patient'
"""


def upgrade() -> None:
    # The default is for the version before, while it still writes: to it every entry was anybody's.
    op.add_column(
        "medication", sa.Column("listed_by", sa.Text(), server_default="patient", nullable=False)
    )
    op.add_column("medication", sa.Column("about_id", sa.Uuid(), nullable=True))
    op.create_check_constraint(
        op.f("ck_medication_listed_by"), "medication", "listed_by IN ('patient', 'clinician')"
    )
    op.create_foreign_key(
        op.f("fk_medication_medication"),
        "medication",
        "medication",
        ["clinic_id", "patient_id", "about_id"],
        ["clinic_id", "patient_id", "id"],
    )
    op.execute(_FROM_LEDGER)


def downgrade() -> None:
    op.drop_column("medication", "about_id")
    op.drop_column("medication", "listed_by")
