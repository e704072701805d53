"""Insights: what somebody understood, in their own words."""

from typing import Final

from app.integration.schemas import InsightIn, InsightOut
from app.integration.tables import Insight
from app.journal.shelf import Shelf
from app.people.chart import Right

# As close to the inner experience as a note, and read by the same.
INSIGHTS: Final = Shelf(
    "insight",
    Insight,
    InsightIn,
    InsightOut,
    created="written",
    read=Right("insights.read", privileges=frozenset({"therapy", "prescribe"})),
    write=Right("insights.write", privileges=frozenset()),
)
