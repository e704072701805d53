"""Trajectories, the caseload and the outcomes of a clinic."""

from typing import Annotated

from fastapi import Header, Query

from app.kernel.edge import Reply, Signed, router
from app.kernel.fields import Instant
from app.kernel.paging import Cursor, Limit, next_link
from app.people.chart import open_chart, whose
from app.trends import caseload, doses, ideation, outcomes, service, together
from app.trends.schemas import (
    CaseloadOut,
    CaseSearchIn,
    DoseAlignmentOut,
    IdeationOut,
    OutcomesOut,
    TrajectoriesOut,
    TrajectoryOut,
)

routes = router("trends")

Item = Annotated[
    str | None,
    Query(max_length=64, description="Needed where there is no total, as in momentary."),
]
Subscale = Annotated[
    str | None,
    Query(
        max_length=64,
        description="A subscale, as `b` of the pcl-5, or an entered score, as `mystical` of the"
        " meq-30.",
    ),
]
Version = Annotated[
    str | None,
    Query(
        max_length=64,
        description="Of the instrument, with those that measure the same; the newest unless named.",
    ),
]
Since = Annotated[Instant | None, Query(description="Included.")]
Until = Annotated[Instant | None, Query(description="Not included.")]


@routes.get(
    "/v1/patients/{patient_id}/trajectories",
    response_model=TrajectoriesOut,
    operation_id="read_trajectories",
)
def read_trajectories(
    visit: Signed,
    patient_id: str,
    series: Annotated[
        str | None,
        Query(
            max_length=1000,
            description="Up to 12: `phq-9,momentary/mood,pcl-5/b`. Whatever was answered unless"
            " named.",
        ),
    ] = None,
    since: Since = None,
    until: Until = None,
) -> Reply:
    """Several series on one time axis, with doses, flags, notes and goals, and what is missing."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_TRAJECTORIES, visit.now)
    return Reply(
        together.read_together(
            visit.db, chart, series=series, since=since, until=until, now=visit.now
        )
    )


@routes.get(
    "/v1/patients/{patient_id}/trajectories/{instrument}",
    response_model=TrajectoryOut,
    operation_id="read_trajectory",
)
def read_trajectory(
    visit: Signed,
    patient_id: str,
    instrument: str,
    item: Item = None,
    subscale: Subscale = None,
    version: Version = None,
    since: Since = None,
    until: Until = None,
) -> Reply:
    """One scale over time: baseline, change, response and remission, measured from the doses."""
    asked = service.ask_trajectory(
        visit.db,
        whose(visit.caller, patient_id),
        instrument,
        item_key=item,
        subscale=subscale,
        version=version,
        since=since,
        until=until,
    )
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_TRAJECTORIES, visit.now)
    return Reply(service.read_trajectory(chart, asked, visit.now))


@routes.get(
    "/v1/patients/{patient_id}/trajectories/{instrument}/doses",
    response_model=DoseAlignmentOut,
    operation_id="read_dose_alignment",
)
def read_dose_alignment(
    visit: Signed,
    patient_id: str,
    instrument: str,
    item: Item = None,
    subscale: Subscale = None,
    version: Version = None,
) -> Reply:
    """All doses laid over each other at t = 0: rapid response where the scale can show it, and how
    long each gain lasted.
    """
    asked = doses.ask_doses(
        visit.db,
        whose(visit.caller, patient_id),
        instrument,
        item_key=item,
        subscale=subscale,
        version=version,
    )
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_TRAJECTORIES, visit.now)
    return Reply(doses.read_doses(chart, asked, visit.now))


@routes.get(
    "/v1/patients/{patient_id}/suicidal-ideation",
    response_model=IdeationOut,
    operation_id="read_suicidal_ideation",
)
def read_suicidal_ideation(
    visit: Signed, patient_id: str, since: Since = None, until: Until = None
) -> IdeationOut:
    """Suicidal ideation as it was answered, each source by itself: ordinal, never joined."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_TRAJECTORIES, visit.now)
    return ideation.read_ideation(visit.db, chart, since=since, until=until)


@routes.get("/v1/caseload", response_model=CaseloadOut, operation_id="read_caseload")
def read_caseload(visit: Signed, cursor: Cursor = None, limit: Limit = 50) -> Reply:
    """Your patients: open flags first and worst first, then by the rule that the answer tells."""
    page = caseload.read_caseload(visit.db, visit.caller, after=cursor, limit=limit, now=visit.now)
    return Reply(page, headers=next_link("/v1/caseload", page.next_cursor, limit))


@routes.post("/v1/caseload/search", response_model=CaseloadOut, operation_id="search_caseload")
def search_caseload(visit: Signed, sent: CaseSearchIn) -> CaseloadOut:
    """Some of your patients, in the same order. A name is sent in the body and never in an address.

    Nothing is stored. `cursor` goes on with the same search.
    """
    return caseload.read_caseload(
        visit.db,
        visit.caller,
        after=sent.cursor,
        limit=sent.limit,
        now=visit.now,
        only=sent.only,
        name=sent.name,
    )


@routes.get(
    "/v1/outcomes",
    response_model=OutcomesOut,
    operation_id="read_outcomes",
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def read_outcomes(
    visit: Signed,
    instrument: Annotated[str, Query(max_length=64, description="One with a total.")] = "phq-9",
    stratum: Annotated[
        str | None,
        Query(max_length=64, description="protocol-version, country or language"),
    ] = None,
    accept: Annotated[str | None, Header(max_length=500)] = None,
) -> Reply:
    """Outcomes of the clinic, added up: response, remission and retention by visit, and the time to
    response and to its loss. Counts of 1 to 10 are never told.
    """
    found = outcomes.read_outcomes(
        visit.db, visit.caller, instrument=instrument, stratum=stratum, now=visit.now
    )
    if accept is not None and "text/csv" in accept.lower():
        return Reply(
            outcomes.as_csv(found),
            headers={"Content-Disposition": 'attachment; filename="outcomes.csv"'},
            media_type="text/csv; charset=utf-8",
        )
    return Reply(found)
