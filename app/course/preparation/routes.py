"""The preparation of a visit."""

from typing import Final

from app.course.preparation import service
from app.course.preparation.schemas import SessionPreparationOut
from app.journal.routes import Named, entry_routes
from app.kernel.edge import Reply, Signed, router
from app.people.chart import entry_id, open_chart

routes: Final = router("course")

entry_routes(
    routes,
    service.PREPARATIONS,
    Named(
        "preparations",
        "preparation",
        "answer",
        creating="The patient's part of the checklist before a visit, in one or in several goes.",
        listing="What the patient answered before their visits, newest first.",
        amending="Answer otherwise. Every version stays readable.",
    ),
)
entry_routes(
    routes,
    service.CHECKS,
    Named(
        "preparation-checks",
        "preparation_check",
        "record",
        creating="What staff asked and measured before a visit. The answer names the gaps.",
        listing="What staff asked and measured before visits, newest first.",
        amending="Say it otherwise; what was found is looked at anew.",
    ),
)


@routes.get(
    "/v1/patients/{patient_id}/dosing-sessions/{dosing_session_id}/preparation",
    response_model=SessionPreparationOut,
    operation_id="read_dosing_session_preparation",
)
def read_dosing_session_preparation(
    visit: Signed, patient_id: str, dosing_session_id: str
) -> Reply:
    """Every item of a visit's checklist, met, not met or unknown, with the gaps. It warns only."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_PREPARATION, visit.now)
    session_id = entry_id(dosing_session_id)
    return Reply(service.read_preparation(visit.db, chart, session_id, visit.now))
