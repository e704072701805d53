"""Trajectories, charts of them, the report, the caseload and the outcomes of a clinic."""

from gzip import decompress
from typing import Annotated, Any, Final, Literal

from fastapi import Header, Query
from pydantic_core import to_json

from app.kernel.edge import Awaited, Public, Reply, Signed, router
from app.kernel.errors import Problem
from app.kernel.fields import Instant
from app.kernel.negotiation import Accept, chosen
from app.kernel.pages import HTML
from app.kernel.paging import Cursor, Limit, next_link
from app.kernel.renderer import Undrawable
from app.people.chart import open_chart, whose
from app.trends import (
    assets,
    caseload,
    doses,
    ideation,
    outcomes,
    pictures,
    report,
    service,
    together,
)
from app.trends.charts.records import Frame
from app.trends.schemas import (
    CaseloadOut,
    CaseSearchIn,
    DoseAlignmentOut,
    IdeationOut,
    OutcomesOut,
    ReportOut,
    TrajectoriesOut,
    TrajectoryOut,
)

routes = router("trends")

_BY_ACCEPT: Final = {"Vary": "Accept"}
_CHART: Final = {"type": "object", "description": "A Vega-Lite 6 specification with its data."}
_PICTURE: Final = {"type": "string", "format": "binary"}
_AS_CHARTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {
            **{media: {"schema": _CHART} for media in (pictures.VEGA_LITE, pictures.VEGA_LITE_6)},
            **{media: {"schema": _PICTURE} for media in pictures.FORMS},
        }
    }
}
_AS_PAGE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/html": {"schema": {"type": "string"}}}}
}
_FOR_GOOD: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Vary": "Accept-Encoding",
}
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
    responses=_AS_CHARTS,
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
    view: Annotated[
        pictures.View,
        Query(
            description="Of a chart: over time; from each dose, all doses laid over each other; or"
            " as a line of text. Suicidal ideation is always shown over time."
        ),
    ] = "time",
    width: Annotated[
        int,
        Query(
            ge=pictures.NARROWEST,
            le=pictures.WIDEST,
            description="Of a chart, in pixels; a sparkline is as wide as a word.",
        ),
    ] = 640,
    theme: Annotated[Literal["light", "dark"], Query(description="Of a chart.")] = "light",
    accept: Accept = None,
) -> Reply | Awaited:
    """One scale over time: baseline, change, response and remission, measured from the doses. As
    numbers, as a Vega-Lite chart, or as a picture of it, by Accept.
    """
    form = chosen(accept, pictures.OFFERED)
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
    told = service.read_trajectory(chart, asked, visit.now)
    if form == pictures.JSON:
        return Reply(told, headers=dict(_BY_ACCEPT))
    frame = Frame(120 if view == "sparkline" else width, theme == "dark")
    drawn = pictures.specification(
        told, asked, pictures.flags_of(visit.db, chart), chart.time_zone, view, frame
    )
    if form not in pictures.FORMS:
        return Reply(to_json(drawn), headers=dict(_BY_ACCEPT), media_type=form)

    async def draw() -> Reply:
        picture = await visit.renderer.draw(drawn, pictures.FORMS[form])
        return Reply(picture, headers=dict(_BY_ACCEPT), media_type=form)

    return Awaited(draw)


@routes.get(
    "/v1/patients/{patient_id}/report",
    response_model=ReportOut,
    responses=_AS_PAGE,
    operation_id="read_report",
)
def read_report(
    visit: Signed,
    patient_id: str,
    instrument: Annotated[
        str, Query(max_length=64, description="The scale that the page is about.")
    ] = "phq-9",
    item: Item = None,
    accept: Accept = None,
) -> Reply | Awaited:
    """One page for a referrer: a chart, the doses, the outcomes with their definitions and limits,
    who made it and when. To be printed (text/html) or as numbers, by Accept.
    """
    form = chosen(accept, (pictures.JSON, "text/html"))
    asked = service.ask_trajectory(
        visit.db,
        whose(visit.caller, patient_id),
        instrument,
        item_key=item,
        since=None,
        until=None,
    )
    report.refuse_words(asked)
    chart = open_chart(visit.db, visit.caller, patient_id, report.READ_REPORT, visit.now)
    told = service.read_trajectory(chart, asked, visit.now)
    made = report.read_report(visit.db, visit.caller, chart, asked, told, visit.now)
    if form == pictures.JSON:
        return Reply(made.told, headers=dict(_BY_ACCEPT))

    async def draw() -> Reply:
        try:
            svg = await visit.renderer.draw(made.specification, "svg")
        except (Problem, Undrawable):
            svg = None
        headers = {**_BY_ACCEPT, "Content-Security-Policy": report.POLICY}
        return Reply(report.page(made, svg), headers=headers, media_type=HTML)

    return Awaited(draw)


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


@routes.get("/static/charts/{name}", include_in_schema=False, response_model=None)
def read_chart_asset(
    visit: Public,
    name: str,
    accept_encoding: Annotated[str | None, Header()] = None,
) -> Reply | Awaited:
    """The chart libraries, our script and its style, for pages of our own."""
    asset = assets.asset(name)
    takes_gzip = "gzip" in (accept_encoding or "").lower()

    def reply(gzipped: bytes) -> Reply:
        headers = dict(_FOR_GOOD)
        if takes_gzip:
            headers["Content-Encoding"] = "gzip"
        body = gzipped if takes_gzip else decompress(gzipped)
        return Reply(body, headers=headers, media_type=asset.media_type)

    if asset.gzipped is not None:
        return reply(asset.gzipped)

    async def make() -> Reply:
        return reply(await visit.renderer.bundle(assets.SNIPPET))

    return Awaited(make)


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
        Query(
            max_length=64, description="protocol-version, country, language or treatment-resistance"
        ),
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
