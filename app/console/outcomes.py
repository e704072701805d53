"""What became of the clinic's patients, added up: a chart, tables, and a file to take away."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Query
from markupsafe import Markup

from app.checkins import packs
from app.console import charts, words
from app.console.door import Answer, Inside, Shown, page_router, with_query
from app.kernel.edge import Awaited, Reply
from app.trends import outcomes
from app.trends.schemas.outcomes import OutcomesOut
from app.trends.sheet import as_csv

routes = page_router()
HERE: Final = "/console/outcomes"
_Instrument = Annotated[str, Query(max_length=64)]
_Stratum = Annotated[str, Query(max_length=64)]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One questionnaire's. csv: where the same is as a file."""

    told: OutcomesOut
    instruments: list[tuple[str, str]]
    strata: list[tuple[str, str]]
    stratum: str
    figure: Markup | None
    csv: str


@routes.get(HERE)
def outcomes_page(
    visit: Inside, instrument: _Instrument = "phq-9", stratum: _Stratum = ""
) -> Answer:
    """Response, remission and retention by visit, and how long they take and last."""
    told = outcomes.read_outcomes(
        visit.db, visit.caller, instrument=instrument, stratum=stratum or None, now=visit.now
    )
    drawn = None
    [everybody] = [one for one in told.groups if one.group == outcomes.EVERYBODY]
    if any(one.response is not None for one in everybody.visits):
        drawn = charts.figure(
            with_query(f"{HERE}/chart", instrument=instrument),
            "Response and remission by visit. The same is below as a table.",
        )
    view = Outcomes(
        told=told,
        instruments=[
            (one.key, words.short_title(one))
            for one in packs.offered(visit.db, visit.db.one(packs.SWITCHES))
            if one.total is not None
        ],
        strata=[("", "Everybody"), *((code, words.spoken(code)) for code in outcomes.STRATA)],
        stratum=stratum,
        figure=drawn,
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
