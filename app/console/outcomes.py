"""What became of the clinic's patients, added up: a chart, tables, and a file to take away."""

from dataclasses import dataclass, replace
from typing import Annotated, Final

from fastapi import Query
from markupsafe import Markup

from app.checkins import packs
from app.clinical import suppression
from app.console import charts, words
from app.console.door import Answer, Inside, Shown, page_router, with_query
from app.kernel.edge import Awaited, Reply
from app.trends import clinic_pictures, outcomes
from app.trends.schemas.outcomes import CurveOut, OutcomesOut
from app.trends.sheet import as_csv

routes = page_router()
HERE: Final = "/console/outcomes"
_Instrument = Annotated[str, Query(max_length=64)]
_Stratum = Annotated[str, Query(max_length=64)]


@dataclass(frozen=True, slots=True)
class Times:
    """How long something takes. figure: None where no curve may be told."""

    key: str
    title: str
    still: str
    had: str
    curves: list[CurveOut]
    figure: Markup | None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One questionnaire's. names: of groups, in words. csv: where the same is as a file.

    is_little: whether much is not told. fewest: people in a count that is.
    """

    told: OutcomesOut
    instruments: list[tuple[str, str]]
    strata: list[tuple[str, str]]
    stratum: str
    figure: Markup | None
    times: list[Times]
    names: dict[str, str]
    csv: str
    is_little: bool
    fewest: int


@routes.get(HERE)
def outcomes_page(
    visit: Inside, instrument: _Instrument = "phq-9", stratum: _Stratum = ""
) -> Answer:
    """Response, remission and retention by visit, and how long they take and last."""
    told = outcomes.read_outcomes(
        visit.db, visit.caller, instrument=instrument, stratum=stratum or None, now=visit.now
    )

    def drawn(view: str, said: str) -> Markup:
        query = {"instrument": instrument, "stratum": stratum or None, "view": view}
        return charts.figure(
            with_query(f"{HERE}/chart", **query), f"{said}. The same is below as a table."
        )

    [everybody] = [one for one in told.groups if one.group == outcomes.EVERYBODY]
    has_shares = any(
        share is not None
        for one in everybody.visits
        for share in (one.retention, one.response, one.remission)
    )
    times = [
        Times(key, title, still, had, curves, None)
        for key, title, still, had, curves in (
            (
                "time-to-response",
                "Time to response",
                "without a response",
                "Responded",
                told.time_to_response,
            ),
            (
                "time-to-loss",
                "Time from a response to its loss",
                "still responding",
                "Lost it",
                told.time_to_loss,
            ),
        )
        if curves
    ]
    view = Outcomes(
        told=told,
        instruments=[
            (one.key, words.short_title(one))
            for one in packs.offered(visit.db, visit.db.one(packs.SWITCHES))
            if one.total is not None
        ],
        strata=[("", "Everybody"), *((code, words.spoken(code)) for code in outcomes.STRATA)],
        stratum=stratum,
        figure=drawn("visits", "Shares by visit") if has_shares else None,
        names={one.group: clinic_pictures.group_name(one.group) for one in told.groups},
        times=[
            replace(one, figure=drawn(one.key, one.title))
            if any(curve.steps for curve in one.curves)
            else one
            for one in times
        ],
        is_little=any(one.is_suppressed for group in told.groups for one in group.visits),
        fewest=suppression.FEWEST,
        csv=with_query(f"{HERE}/file", instrument=instrument, stratum=stratum or None),
    )
    return Shown("outcomes.html", "Outcomes", view, section="outcomes")


@routes.get(f"{HERE}/file")
def outcomes_file(
    visit: Inside, instrument: _Instrument = "phq-9", stratum: _Stratum = ""
) -> Answer:
    """The same as CSV."""
    told = outcomes.read_outcomes(
        visit.db, visit.caller, instrument=instrument, stratum=stratum or None, now=visit.now
    )
    body = as_csv(told)

    async def make() -> Reply:
        return Reply(
            body,
            headers={
                "Content-Disposition": f'attachment; filename="outcomes-{told.instrument}.csv"'
            },
            media_type="text/csv; charset=utf-8",
        )

    return Awaited(make)
