"""Trajectories, charts of them, the report, the caseload and the outcomes of a clinic."""

from gzip import decompress
from typing import Annotated, Final

from fastapi import Header, Query

from app.kernel.edge import Awaited, Public, Reply, Signed, router
from app.kernel.negotiation import Accept, chosen
from app.kernel.paging import Cursor, Limit, next_link
from app.kernel.stretch import Since, Until, require_order
from app.people.chart import open_chart, whose
from app.trends import (
    assets,
    caseload,
    clinic_pictures,
    doses,
    forms,
    ideation,
    outcomes,
    pictures,
    report,
    service,
    sheet,
    together,
)
from app.trends.schemas.caseload import CaseloadOut, CaseSearchIn
from app.trends.schemas.doses import DoseAlignmentOut
from app.trends.schemas.ideation import IdeationOut
from app.trends.schemas.outcomes import OutcomesOut
from app.trends.schemas.report import ReportOut
from app.trends.schemas.together import TrajectoriesOut
from app.trends.schemas.trajectory import TrajectoryOut

routes = router("trends")

_IN_FORMS: Final = forms.declared(*forms.OFFERED)
_OUTCOMES: Final = (forms.JSON, forms.CSV, *forms.OFFERED[1:])
_REPORTS: Final = (forms.JSON, forms.HTML)
_AS_FILE: Final = {
    **forms.BY_ACCEPT,
    "Content-Disposition": 'attachment; filename="outcomes.csv"',
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
Width = Annotated[
    int,
    Query(
        ge=forms.NARROWEST,
        le=forms.WIDEST,
        description="Of a chart, in pixels; a sparkline is as wide as a word.",
    ),
]
Theme = Annotated[forms.Theme, Query(description="Of a chart.")]


@routes.get(
    "/v1/patients/{patient_id}/trajectories",
    response_model=TrajectoriesOut,
    responses=_IN_FORMS,
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
    width: Width = forms.USUAL,
    theme: Theme = "light",
    accept: Accept = None,
) -> Reply | Awaited:
    """Several series on one time axis, with doses, flags, notes and goals, and what is missing. As
    numbers, as a Vega-Lite chart, or as a picture of it, by Accept.
    """
    require_order(since, until)
    form = chosen(accept, forms.OFFERED)
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_TRAJECTORIES, visit.now)
    several = together.read_together(
        visit.db, chart, series=series, since=since, until=until, now=visit.now
    )
    frame = forms.framed(width, theme)
    return forms.as_asked(
        form,
        visit.renderer,
        several.told,
        lambda: pictures.of_several(several.told, several.measured, chart.time_zone, frame),
    )


@routes.get(
    "/v1/patients/{patient_id}/trajectories/{instrument}",
    response_model=TrajectoryOut,
    responses=_IN_FORMS,
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
    width: Width = forms.USUAL,
    theme: Theme = "light",
    accept: Accept = None,
) -> Reply | Awaited:
    """One scale over time: baseline, change, response and remission, measured from the doses. As
    numbers, as a Vega-Lite chart, or as a picture of it, by Accept.
    """
    require_order(since, until)
    form = chosen(accept, forms.OFFERED)
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
    flags = pictures.flags_of(visit.db, chart) if form != forms.JSON else []
    frame = forms.framed(width, theme)
    return forms.as_asked(
        form,
        visit.renderer,
        told,
        lambda: pictures.of_trajectory(told, asked.measured, flags, chart.time_zone, view, frame),
    )


@routes.get(
    "/v1/patients/{patient_id}/report",
    response_model=ReportOut,
    responses=forms.declared(*_REPORTS),
    operation_id="read_report",
)
def read_report(
    visit: Signed,
    patient_id: str,
    instrument: Annotated[
        str | None,
        Query(
            max_length=64,
            description="What the page is about: unless named, the first of phq-9, gad-7 and pcl-5"
            " that there is a complete score of.",
        ),
    ] = None,
    item: Item = None,
    accept: Accept = None,
) -> Reply | Awaited:
    """One page for a referrer: a chart, the doses, the outcomes with their definitions and limits,
    who made it and when. To be printed (text/html) or as numbers, by Accept.
    """
    form = chosen(accept, _REPORTS)
    chart = open_chart(visit.db, visit.caller, patient_id, report.READ_REPORT, visit.now)
    made = report.read_report(visit.db, visit.caller, chart, instrument, item, visit.now)
    if form == forms.JSON:
        return Reply(made.told, headers=dict(forms.BY_ACCEPT))
    return report.printed(made, visit.renderer)


@routes.get(
    "/v1/patients/{patient_id}/trajectories/{instrument}/doses",
    response_model=DoseAlignmentOut,
    responses=_IN_FORMS,
    operation_id="read_dose_alignment",
)
def read_dose_alignment(
    visit: Signed,
    patient_id: str,
    instrument: str,
    item: Item = None,
    subscale: Subscale = None,
    version: Version = None,
    width: Width = forms.USUAL,
    theme: Theme = "light",
    accept: Accept = None,
) -> Reply | Awaited:
    """All doses laid over each other at t = 0: rapid response where the scale can show it, and how
    long each gain lasted. As numbers, as a Vega-Lite chart, or as a picture of it, by Accept.
    """
    form = chosen(accept, forms.OFFERED)
    asked = doses.ask_doses(
        visit.db,
        whose(visit.caller, patient_id),
        instrument,
        item_key=item,
        subscale=subscale,
        version=version,
    )
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_TRAJECTORIES, visit.now)
    told = doses.read_doses(chart, asked, visit.now)
    frame = forms.framed(width, theme)
    return forms.as_asked(
        form,
        visit.renderer,
        told,
        lambda: pictures.of_doses(told, asked.measured, chart.time_zone, frame),
    )


@routes.get(
    "/v1/patients/{patient_id}/suicidal-ideation",
    response_model=IdeationOut,
    responses=_IN_FORMS,
    operation_id="read_suicidal_ideation",
)
def read_suicidal_ideation(
    visit: Signed,
    patient_id: str,
    since: Since = None,
    until: Until = None,
    width: Width = forms.USUAL,
    theme: Theme = "light",
    accept: Accept = None,
) -> Reply | Awaited:
    """Suicidal ideation as it was answered, each source by itself: ordinal, never joined. As
    answers, as a Vega-Lite chart, or as a picture of it, by Accept.
    """
    require_order(since, until)
    form = chosen(accept, forms.OFFERED)
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_TRAJECTORIES, visit.now)
    told = ideation.read_ideation(visit.db, chart, since=since, until=until)
    frame = forms.framed(width, theme)
    return forms.as_asked(
        form, visit.renderer, told, lambda: pictures.of_ideation(told, chart.time_zone, frame)
    )


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
    responses=forms.declared(*_OUTCOMES),
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
    view: Annotated[
        clinic_pictures.ClinicView,
        Query(description="Of a chart: shares by visit, or how long something took."),
    ] = "visits",
    width: Width = forms.USUAL,
    theme: Theme = "light",
    accept: Accept = None,
) -> Reply | Awaited:
    """Outcomes of the clinic, added up: response, remission and retention by visit, and the time to
    response and to its loss. Counts of 1 to 10 are never told. As numbers, as CSV, as a Vega-Lite
    chart, or as a picture of it, by Accept.
    """
    form = chosen(accept, _OUTCOMES)
    told = outcomes.read_outcomes(
        visit.db, visit.caller, instrument=instrument, stratum=stratum, now=visit.now
    )
    if form == forms.CSV:
        return Reply(sheet.as_csv(told), headers=_AS_FILE, media_type=f"{form}; charset=utf-8")
    frame = forms.framed(width, theme)
    return forms.as_asked(
        form, visit.renderer, told, lambda: clinic_pictures.of_outcomes(told, view, frame)
    )
