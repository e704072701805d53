"""Whether to begin."""

from dataclasses import asdict
from functools import lru_cache
from typing import Final

from app.clinical import eligibility
from app.course.eligibility import service
from app.course.eligibility.schemas import ConditionsOut, EligibilityOut
from app.journal.routes import Named, entry_routes
from app.kernel.edge import Public, Reply, Signed, router
from app.kernel.wire import as_json
from app.people.chart import open_chart

routes: Final = router("course")

entry_routes(
    routes,
    service.TRIALS,
    Named(
        "trial-history",
        "trial_history",
        "record",
        creating="Record a treatment that was tried before.",
        listing="The treatments that were tried before, newest first.",
        amending="Say it otherwise. Every version stays readable.",
    ),
)
entry_routes(
    routes,
    service.MEDICATIONS,
    Named(
        "medications",
        "medication",
        "list",
        creating="Put a medicine on the patient's list.",
        listing="The patient's medicines, also those that were stopped, newest first.",
        amending="Say it otherwise, or that it was stopped. Every version stays readable.",
    ),
)
entry_routes(
    routes,
    service.SCREENINGS,
    Named(
        "screenings",
        "screening",
        "record",
        creating="Record answers to the catalogue of conditions. What is left out stays open.",
        listing="The patient's screenings; the newest one counts.",
        amending="Answer otherwise. A changed answer is open again, whoever resolved it before.",
    ),
)
entry_routes(
    routes,
    service.RESOLUTIONS,
    Named(
        "stop-resolutions",
        "stop_resolution",
        "record",
        creating="Resolve one hard stop of one screening, with a reason; for prescribers.",
        listing="The hard stops that were resolved, newest first.",
        amending="Give the reason otherwise. Every version stays readable.",
    ),
)


@routes.get(
    "/v1/patients/{patient_id}/eligibility",
    response_model=EligibilityOut,
    operation_id="read_eligibility",
)
def read_eligibility(visit: Signed, patient_id: str) -> Reply:
    """What stands, what is open, what was tried and what interacts, for whoever decides.

    It warns and never decides, and a list without warnings is no finding.
    """
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_ELIGIBILITY, visit.now)
    return Reply(service.read_eligibility(visit.db, chart))


@routes.get(
    "/v1/eligibility-conditions",
    response_model=ConditionsOut,
    operation_id="list_eligibility_conditions",
)
def list_eligibility_conditions(visit: Public) -> Reply:
    """Every condition that is asked about before a course, with its source. Hard stops first."""
    return Reply(_conditions())


@lru_cache(1)
def _conditions() -> bytes:
    listed = [asdict(one) for one in eligibility.conditions()]
    return as_json({"catalogue_version": eligibility.catalogue_version(), "conditions": listed})
