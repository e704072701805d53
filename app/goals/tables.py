"""Integration goals."""

from app.journal.tables import Tiered, entry_table
from app.kernel.tables import text


class Goal(Tiered, table=True):
    """A goal. words: sealed `{"words", "why"}`. status: FHIR goal lifecycle."""

    __table_args__ = entry_table(
        statuses=("proposed", "active", "completed", "cancelled"), tiered=True
    )
    life_area: str | None = text(nullable=True)
