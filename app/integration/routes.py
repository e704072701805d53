"""Insights and integration sessions."""

from typing import Final

from app.integration import agenda, sessions
from app.integration.insights import INSIGHTS
from app.integration.schemas import AgendaOut, AgreedSummaryOut, IntegrationProposalOut
from app.integration.sessions import AGREEMENTS, SESSIONS, SUMMARIES
from app.journal.routes import Named, entry_routes
from app.kernel.edge import Signed, router
from app.people.chart import entry_id, open_chart

routes: Final = router("integration")

_SESSIONS: Final = "/v1/patients/{patient_id}/integration-sessions"


# Before the routes of one session, whose address has as many parts.
@routes.get(
    _SESSIONS + "/proposal",
    response_model=IntegrationProposalOut,
    operation_id="read_integration_proposal",
)
def read_integration_proposal(visit: Signed, patient_id: str) -> IntegrationProposalOut:
    """When to talk about the last dose, by the clinic's protocol, and whether a date is made."""
    chart = open_chart(visit.db, visit.caller, patient_id, sessions.READ, visit.now)
    return sessions.read_proposal(visit.db, chart, visit.now)


@routes.get(
    _SESSIONS + "/{integration_session_id}/agenda",
    response_model=AgendaOut,
    operation_id="read_integration_agenda",
)
def read_integration_agenda(
    visit: Signed, patient_id: str, integration_session_id: str
) -> AgendaOut:
    """What there is to talk about, for both: new notes and insights, stalled goals, open flags."""
    chart = open_chart(visit.db, visit.caller, patient_id, agenda.READ, visit.now)
    return agenda.read_agenda(visit.db, chart, entry_id(integration_session_id), visit.now)


@routes.get(
    _SESSIONS + "/{integration_session_id}/summary",
    response_model=AgreedSummaryOut,
    operation_id="read_agreed_summary",
)
def read_agreed_summary(
    visit: Signed, patient_id: str, integration_session_id: str
) -> AgreedSummaryOut:
    """What was agreed in a session, and whether the patient agreed to it as it stands now."""
    chart = open_chart(visit.db, visit.caller, patient_id, sessions.READ, visit.now)
    return sessions.read_summary(visit.db, chart, entry_id(integration_session_id))


entry_routes(
    routes,
    INSIGHTS,
    Named(
        "insights",
        "insight",
        "write",
        creating="Keep what one understood, in one's own words.",
        listing="The insights this reader may see, newest first.",
        amending="Say an insight otherwise. Every version stays readable.",
    ),
)
entry_routes(
    routes,
    SESSIONS,
    Named(
        "integration-sessions",
        "integration_session",
        "plan",
        creating="Plan a talk with the patient after a dose, or record one.",
        listing="The patient's integration sessions, newest first.",
        amending="Move a session, or say what became of it.",
    ),
)
entry_routes(
    routes,
    SUMMARIES,
    Named(
        "session-summaries",
        "session_summary",
        "write",
        creating="Write down what was agreed in a session that was attended.",
        listing="The summaries of the patient's integration sessions, newest first.",
        amending="Write it otherwise. The patient has to agree to the new version again.",
    ),
)
entry_routes(
    routes,
    AGREEMENTS,
    Named(
        "summary-agreements",
        "summary_agreement",
        "give",
        creating="Agree to a version of a summary, or say that one does not.",
        listing="What the patient said to summaries, newest first.",
        amending="Say otherwise what one thinks of that version.",
    ),
)
