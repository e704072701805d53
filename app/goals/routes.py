"""Integration goals."""

from typing import Final

from app.goals.service import GOALS
from app.journal.routes import Named, entry_routes
from app.kernel.edge import router

routes: Final = router("goals")

entry_routes(
    routes,
    GOALS,
    Named(
        "goals",
        "goal",
        "set",
        creating="Keep an integration goal, in the patient's own words.",
        listing="The patient's goals, newest first.",
        amending="Say a goal otherwise. Every version stays readable.",
    ),
)
