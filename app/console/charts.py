"""Charts on the pages: where a page gets them, and where they are attached.

A chart is a figure (`figure`) with an address of our own origin. A browser with JavaScript asks
that address for the Vega-Lite specification and draws it; the picture that stands there without
JavaScript, and on paper, is the same address asked for an SVG. The specifications are those of the
API, made by `app.trends.pictures` and `app.trends.charts`; the API's addresses take a token, these
the cookie, and `answer` is all that lies between.

Another chart is a route here and a `figure` on its page, and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import Query
from markupsafe import Markup

from app.console.door import Answer, Inside, Visit, page_router, with_query
from app.console.record import PATIENT
from app.kernel.db import Db
from app.kernel.edge import Awaited
from app.kernel.errors import not_found
from app.kernel.negotiation import Accept, chosen
from app.people.chart import Chart, open_chart
from app.trends import assets, clinic_pictures, forms, outcomes, pictures, together
from app.trends import ideation as thoughts
from app.trends import service as trends
from app.trends.charts.look import Spec
from app.trends.charts.records import Frame
from app.trends.charts.table import Table, of_ideation
from app.trends.schemas.ideation import IdeationOut
from app.trends.service import Asked

routes = page_router()
SVG: Final = "image/svg+xml"
OFFERED: Final = (SVG, forms.VEGA_LITE_6, forms.VEGA_LITE, "image/png")
"""The picture first: that is what an image in a page asks for."""
_Width = Annotated[int, Query(ge=forms.NARROWEST, le=forms.WIDEST)]
_Theme = Annotated[Literal["light", "dark"], Query()]
_Part = Annotated[str | None, Query(max_length=64)]


@dataclass(frozen=True, slots=True)
class Scale:
    """Something of a questionnaire that can be drawn.

    part: of an item, a subscale or an entered score; None for the total.
    """

    instrument: str
    title: str
    item: str | None = None
    subscale: str | None = None

    @property
    def key(self) -> str:
        """`phq-9`, `momentary:mood`, `pcl-5/b`."""
        if self.item is not None:
            return f"{self.instrument}:{self.item}"
        return f"{self.instrument}/{self.subscale}" if self.subscale else self.instrument

    def ask(self, db: Db, patient_id: UUID) -> Asked:
        """Let the question travel. Raises: as `trends.ask_trajectory`."""
        return trends.ask_trajectory(
            db,
            patient_id,
            self.instrument,
            item_key=self.item,
            subscale=self.subscale,
            since=None,
            until=None,
        )


def figure(address: str, said: str, tables: list[Table] | None = None) -> Markup:
    """A chart in a page. said: for whoever sees neither chart nor picture."""
    join = "&" if "?" in address else "?"
    return assets.figure(
        address, said, tables or [], address, dark_picture=f"{address}{join}theme=dark"
    )


def of_scale(chart: Chart, scale: Scale, view: str, said: str) -> Markup:
    """One scale over time, or from each dose (`doses`)."""
    path = f"/console/patients/{chart.patient_id}/trajectories/{scale.instrument}/chart"
    query = {"item": scale.item, "subscale": scale.subscale, "view": view}
    return figure(with_query(path, **query), said)


def answer(visit: Visit, accept: str | None, specification: Callable[[], Spec]) -> Awaited:
    """A chart by Accept, made when the transaction is over.

    Raises: Problem NOT_ACCEPTABLE.
    """
    return forms.drawn_as(chosen(accept, OFFERED), visit.renderer, specification)


@routes.get(PATIENT + "/trajectories/{instrument}/chart")
def trajectory_chart(
    visit: Inside,
    patient_id: str,
    instrument: str,
    item: _Part = None,
    subscale: _Part = None,
    view: Annotated[pictures.View, Query()] = "time",
    width: _Width = 640,
    theme: _Theme = "light",
    accept: Accept = None,
) -> Answer:
    """One scale."""
    db = visit.db
    chart = open_chart(db, visit.caller, patient_id, trends.READ_TRAJECTORIES, visit.now)
    asked = Scale(instrument, "", item, subscale).ask(db, chart.patient_id)
    told = trends.read_trajectory(chart, asked, visit.now)
    flags = pictures.flags_of(db, chart)
    frame = Frame(width, theme == "dark")
    return answer(
        visit,
        accept,
        lambda: pictures.of_trajectory(told, asked.measured, flags, chart.time_zone, view, frame),
    )


@routes.get(PATIENT + "/together/chart")
def together_chart(
    visit: Inside,
    patient_id: str,
    width: _Width = 640,
    theme: _Theme = "light",
    accept: Accept = None,
) -> Answer:
    """Everything with a quantity, one above the other on the same days."""
    db = visit.db
    chart = open_chart(db, visit.caller, patient_id, trends.READ_TRAJECTORIES, visit.now)
    several = together.read_together(db, chart, series=None, since=None, until=None, now=visit.now)
    if not several.measured:
        raise not_found()
    # One above the other comes out five pixels wider than asked for, which would be cut off.
    frame = Frame(width - 5, theme == "dark")
    return answer(
        visit,
        accept,
        lambda: pictures.of_several(several.told, several.measured, chart.time_zone, frame),
    )


def together_of(db: Db, chart: Chart) -> list[Scale]:
    """What is drawn together: what was answered most, and has a quantity."""
    found, _ = together.answered(db, chart)
    return [
        Scale(
            one.instrument.key,
            one.instrument.title,
            one.item.key if one.item is not None else None,
            one.part,
        )
        for one in found
    ]


@routes.get(PATIENT + "/ideation/chart")
def ideation_chart(
    visit: Inside,
    patient_id: str,
    width: _Width = 640,
    theme: _Theme = "light",
    accept: Accept = None,
) -> Answer:
    """Suicidal thoughts as answered, each source by itself."""
    chart = open_chart(visit.db, visit.caller, patient_id, trends.READ_TRAJECTORIES, visit.now)
    told = thoughts.read_ideation(visit.db, chart, since=None, until=None)
    if not told.sources:
        raise not_found()
    frame = Frame(width, theme == "dark")
    return answer(visit, accept, lambda: pictures.of_ideation(told, chart.time_zone, frame))


def ideation_tables(told: IdeationOut, time_zone: str, most: int) -> list[Table]:
    """The same in words, newest first, at most so many of each source."""
    found = of_ideation(pictures.ideation_of(told, time_zone))
    return [one._replace(rows=one.rows[:most]) for one in found]


@routes.get("/console/outcomes/chart")
def outcomes_chart(
    visit: Inside,
    instrument: Annotated[str, Query(max_length=64)] = "phq-9",
    stratum: _Part = None,
    view: Annotated[clinic_pictures.ClinicView, Query()] = "visits",
    width: _Width = 640,
    theme: _Theme = "light",
    accept: Accept = None,
) -> Answer:
    """Shares by visit, or how long a response takes and lasts."""
    told = outcomes.read_outcomes(
        visit.db, visit.caller, instrument=instrument, stratum=stratum, now=visit.now
    )
    frame = Frame(width, theme == "dark")
    return answer(visit, accept, lambda: clinic_pictures.of_outcomes(told, view, frame))
