"""Trajectories and the caseload."""

from typing import Annotated

from fastapi import Query

from app.kernel.edge import Reply, Signed, router
from app.kernel.fields import Instant
from app.kernel.paging import Cursor, Limit, next_link
from app.people.chart import open_chart, whose
from app.trends import caseload, service
from app.trends.schemas import CaseloadOut, TrajectoryOut

routes = router("trends")


@routes.get(
    "/v1/patients/{patient_id}/trajectories/{instrument}",
    response_model=TrajectoryOut,
    operation_id="read_trajectory",
)
def read_trajectory(
    visit: Signed,
    patient_id: str,
    instrument: str,
    item: Annotated[
        str | None,
        Query(max_length=64, description="Needed where there is no total, as in momentary."),
    ] = None,
    since: Annotated[Instant | None, Query(description="Included.")] = None,
    until: Annotated[Instant | None, Query(description="Not included.")] = None,
) -> Reply:
    """One scale over time: baseline, change, response and remission, measured from the doses."""
    asked = service.ask_trajectory(
        visit.db,
        whose(visit.caller, patient_id),
        instrument,
        item_key=item,
        since=since,
        until=until,
    )
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_TRAJECTORIES, visit.now)
    return Reply(service.read_trajectory(chart, asked))


@routes.get("/v1/caseload", response_model=CaseloadOut, operation_id="read_caseload")
def read_caseload(visit: Signed, cursor: Cursor = None, limit: Limit = 50) -> Reply:
    """Your patients: open flags first and worst first, then whoever has been silent longest."""
    page = caseload.read_caseload(visit.db, visit.caller, after=cursor, limit=limit, now=visit.now)
    return Reply(page, headers=next_link("/v1/caseload", page.next_cursor, limit))
