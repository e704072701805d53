"""Practices, coping and triggers."""

from typing import Final

from app.journal.routes import Named, entry_routes
from app.kernel.edge import Signed, router
from app.people.chart import open_chart
from app.practices import coping, practice
from app.practices.coping import STRATEGIES, TRIGGERS
from app.practices.practice import PRACTICES, TICKS
from app.practices.schemas import HelpfulnessOut, PracticesAdherenceOut

routes: Final = router("practices")


# Before the routes of one practice, whose address has as many parts.
@routes.get(
    "/v1/patients/{patient_id}/practices/adherence",
    response_model=PracticesAdherenceOut,
    operation_id="read_practice_adherence",
)
def read_practice_adherence(visit: Signed, patient_id: str) -> PracticesAdherenceOut:
    """How the practices go: what is due today, 7 and 28 days, and streaks that forgive."""
    chart = open_chart(visit.db, visit.caller, patient_id, practice.READ, visit.now)
    return practice.read_adherence(visit.db, chart, visit.now)


@routes.get(
    "/v1/patients/{patient_id}/coping/helpfulness",
    response_model=HelpfulnessOut,
    operation_id="read_coping_helpfulness",
)
def read_coping_helpfulness(visit: Signed, patient_id: str) -> HelpfulnessOut:
    """Which strategies go with feeling better, how often and how surely; no proof of a cause."""
    chart = open_chart(visit.db, visit.caller, patient_id, coping.READ, visit.now)
    return coping.read_helpfulness(visit.db, chart)


entry_routes(
    routes,
    PRACTICES,
    Named(
        "practices",
        "practice",
        "begin",
        creating="Begin something that one does every day or every week.",
        listing="The practices this reader may see, newest first.",
        amending="Say a practice otherwise: other words, another schedule, a pause, an end.",
    ),
)
entry_routes(
    routes,
    TICKS,
    Named(
        "practice-ticks",
        "practice_tick",
        "keep",
        creating="Say that a practice was done on a date, or skipped and why.",
        listing="What became of the patient's practices, newest first.",
        amending="Say otherwise what became of a practice on a date.",
    ),
)
entry_routes(
    routes,
    STRATEGIES,
    Named(
        "coping-strategies",
        "coping_strategy",
        "keep",
        creating="Keep something of one's own that may help when it gets hard.",
        listing="The coping strategies this reader may see, newest first.",
        amending="Say a coping strategy otherwise, or retire it.",
    ),
)
entry_routes(
    routes,
    TRIGGERS,
    Named(
        "triggers",
        "trigger",
        "log",
        creating="Log something that set one off: how hard it hit, what was tried, what came of"
        " it.",
        listing="The triggers this reader may see, newest first.",
        amending="Say otherwise what happened, such as how it was afterwards.",
    ),
)
