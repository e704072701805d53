"""Integration goals."""

from typing import Final

from app.goals import service
from app.goals.schemas import AttainmentOut
from app.goals.service import GOALS, RATINGS, STEPS
from app.journal.routes import Named, entry_routes
from app.kernel.edge import Signed, router
from app.people.chart import open_chart

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
entry_routes(
    routes,
    STEPS,
    Named(
        "goal-steps",
        "goal_step",
        "plan",
        creating="Plan a step towards a goal.",
        listing="The steps towards the patient's goals, newest first.",
        amending="Say a step otherwise, or that it was done.",
    ),
)
entry_routes(
    routes,
    RATINGS,
    Named(
        "goal-ratings",
        "goal_rating",
        "give",
        creating="Say how far a goal was attained. Patient and therapist rate apart.",
        listing="Every rating of the patient's goals, newest first.",
        amending="Correct one's own rating.",
    ),
)


@routes.get(
    "/v1/patients/{patient_id}/goal-attainment",
    response_model=AttainmentOut,
    operation_id="read_goal_attainment",
)
def read_goal_attainment(visit: Signed, patient_id: str) -> AttainmentOut:
    """How far the goals were attained: status of each, and T-scores by each rater."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ, visit.now)
    return service.read_attainment(visit.db, chart, visit.now)
