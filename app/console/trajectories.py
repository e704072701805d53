"""How a patient moves over time: one scale, several together, suicidal thoughts, the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Query
from markupsafe import Markup

from app.checkins import packs, schedule
from app.checkins import service as checkins
from app.clinical.instruments import Instrument
from app.console import charts
from app.console.charts import Scale
from app.console.door import SIGN_IN, Answer, Inside, page_router, with_query
from app.console.pages import moment, number
from app.console.record import PATIENT, shown
from app.console.session import IDLE
from app.kernel.db import Db
from app.kernel.edge import Awaited, Reply
from app.kernel.errors import Problem, not_found
from app.kernel.pages import HTML
from app.kernel.renderer import Undrawable
from app.people.chart import Chart, open_chart
from app.trends import doses, ideation, report, together
from app.trends import service as trends
from app.trends.gathered import MAIN, followed_by
from app.trends.schemas.doses import DoseAlignmentOut
from app.trends.schemas.ideation import IdeationOut
from app.trends.schemas.together import TrajectoriesOut
from app.trends.schemas.trajectory import TrajectoryOut

routes = page_router()
SHOWN: Final = 200
"""Rows of a table: the newest. The chart has them all."""


@dataclass(frozen=True, slots=True)
class Point:
    """A row of the table behind a chart."""

    at: datetime
    score: float | None
    change: float | None
    percent: float | None
    dose_number: int
    hours: float | None
    window: str
    straddles: bool


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One scale over time. view: `time`, or `doses` with what came after each of them."""

    scales: list[Scale]
    scale: Scale | None
    view: str
    trajectory: TrajectoryOut | None
    figure: Markup | None
    points: list[Point]
    left_out: int
    doses: DoseAlignmentOut | None


@dataclass(frozen=True, slots=True)
class Together:
    """Several on the same days. scales: those drawn, in the order of `told.trajectories`."""

    told: TrajectoriesOut
    scales: list[Scale]
    figure: Markup | None


@dataclass(frozen=True, slots=True)
class Thoughts:
    """Suicidal thoughts, each source by itself."""

    told: IdeationOut
    figure: Markup | None


@routes.get(PATIENT + "/trajectories")
def trajectories_page(
    visit: Inside,
    patient_id: str,
    scale: Annotated[str, Query(max_length=140)] = "",
    view: Annotated[str, Query(max_length=10)] = "time",
) -> Answer:
    """One scale over time, or measured from each dose: as a chart and as a table."""
    db = visit.db
    chart = open_chart(db, visit.caller, patient_id, trends.READ_TRAJECTORIES, visit.now)
    scales = [one for instrument in answered(db, chart) for one in _scales(instrument)]
    chosen = next((one for one in scales if one.key == scale), None)
    if chosen is None and scale:
        raise not_found()
    chosen = chosen or next(iter(scales), None)
    if chosen is None:
        empty = Trajectory([], None, "time", None, None, [], 0, None)
        return shown(visit, chart, "trajectories", "Trajectories", empty)
    found = trajectory(db, chart, chosen, visit.now)
    is_by_dose = view == "doses" and not found.is_ordinal and bool(found.doses.effective_at)
    points = _points(found)
    said = sentence(chosen.title, found, chart)
    page = Trajectory(
        scales=scales,
        scale=chosen,
        view="doses" if is_by_dose else "time",
        trajectory=found,
        figure=charts.of_scale(chart, chosen, "doses" if is_by_dose else "time", said)
        if said
        else None,
        points=points[:SHOWN],
        left_out=max(0, len(points) - SHOWN),
        doses=_by_dose(db, chart, chosen, visit.now) if is_by_dose else None,
    )
    return shown(visit, chart, "trajectories", chosen.title, page)


@routes.get(PATIENT + "/together")
def together_page(visit: Inside, patient_id: str) -> Answer:
    """Several scales on the same days, with what happened around them, and what is missing."""
    db = visit.db
    chart = open_chart(db, visit.caller, patient_id, trends.READ_TRAJECTORIES, visit.now)
    several = together.read_together(db, chart, series=None, since=None, until=None, now=visit.now)
    told = TrajectoriesOut.model_validate_json(several.told)
    scales = charts.together_of(db, chart)
    drawn = None
    if any(score is not None for one in told.trajectories for score in one.points.score):
        said = " ".join(
            sentence(scale.title, one, chart)
            for scale, one in zip(scales, told.trajectories, strict=True)
        )
        drawn = charts.figure(f"/console/patients/{chart.patient_id}/together/chart", said)
    return shown(visit, chart, "together", "Together", Together(told, scales, drawn))


@routes.get(PATIENT + "/ideation")
def ideation_page(visit: Inside, patient_id: str) -> Answer:
    """Suicidal thoughts as answered: an order and no quantity, and nothing in between."""
    chart = open_chart(visit.db, visit.caller, patient_id, trends.READ_TRAJECTORIES, visit.now)
    told = ideation.read_ideation(visit.db, chart, since=None, until=None)
    drawn = None
    if told.sources:
        drawn = charts.figure(
            f"/console/patients/{chart.patient_id}/ideation/chart",
            "Suicidal thoughts as answered. The same is below in words.",
            charts.ideation_tables(told, chart.time_zone, SHOWN),
        )
    return shown(visit, chart, "ideation", "Suicidal thoughts", Thoughts(told, drawn))


@routes.get(PATIENT + "/report")
def report_page(
    visit: Inside, patient_id: str, scale: Annotated[str, Query(max_length=140)] = ""
) -> Answer:
    """One page for a referrer, to be printed; unless said, on what the patient is followed by."""
    db, now = visit.db, visit.now
    chart = open_chart(db, visit.caller, patient_id, report.READ_REPORT, now)
    known = [one for instrument in answered(db, chart) for one in _scales(instrument)]
    wanted = scale or followed_by(db, chart.patient_id)
    chosen = next((one for one in known if one.key == wanted), None)
    if chosen is None and scale:
        raise not_found()
    chosen = chosen or Scale(wanted, "")
    made = report.read_report(db, visit.caller, chart, chosen.instrument, chosen.item, now)

    async def draw() -> Reply:
        try:
            svg = await visit.renderer.draw(made.specification, "svg")
        except (Problem, Undrawable):
            svg = None
        left_open = with_query(SIGN_IN, next=f"{visit.path}?scale={chosen.key}")
        headers = {
            "Content-Security-Policy": report.POLICY,
            # The page has nothing of ours that could sign off whoever left it open.
            "Refresh": f"{int(IDLE.total_seconds()) + 5}; url={left_open}",
        }
        return Reply(report.page(made, svg), headers=headers, media_type=HTML)

    return Awaited(draw)


def answered(db: Db, chart: Chart) -> list[Instrument]:
    """What this patient answered: what they are followed by first, then what has a total."""
    found = [packs.find(db, key) for key in checkins.instruments_answered(db, chart)]
    first = {key: place for place, key in enumerate(MAIN)}
    return sorted(
        found, key=lambda one: (first.get(one.key, len(first)), one.total is None, one.key)
    )


def _scales(instrument: Instrument) -> list[Scale]:
    """The total and its parts; without one the entered scores, or each item that has a scale; the
    suicide item on its own.
    """
    key, title = instrument.key, instrument.title
    found: list[Scale] = []
    if instrument.total is not None:
        found.append(Scale(key, title))
        found += [
            Scale(key, f"{title}: {one.label}", subscale=one.key) for one in instrument.subscales
        ]
    else:
        found += [
            Scale(key, f"{title}: {one.label}", subscale=one.key) for one in instrument.scores
        ]
        found += [
            Scale(key, f"{title}: {item.text}", item.key)
            for item in instrument.items
            if item.scale is not None
        ]
    if instrument.suicide_item is not None:
        item = instrument.items[instrument.suicide_item.position]
        found.append(Scale(key, f"{title}: suicidal thoughts", item.key))
    return found


def trajectory(db: Db, chart: Chart, scale: Scale, now: datetime) -> TrajectoryOut:
    """One scale, whole."""
    asked = scale.ask(db, chart.patient_id)
    return TrajectoryOut.model_validate_json(trends.read_trajectory(chart, asked, now))


def _by_dose(db: Db, chart: Chart, scale: Scale, now: datetime) -> DoseAlignmentOut:
    asked = doses.ask_doses(
        db,
        chart.patient_id,
        scale.instrument,
        item_key=scale.item,
        subscale=scale.subscale,
    )
    return DoseAlignmentOut.model_validate_json(doses.read_doses(chart, asked, now))


def _points(of: TrajectoryOut) -> list[Point]:
    """Newest first."""
    columns: tuple[Sequence[Any], ...] = (
        of.points.effective_at,
        of.points.score,
        of.points.change,
        of.points.percent_change,
        of.points.dose_number,
        of.points.hours_since_dose,
        of.points.window,
        of.points.straddles_dose,
    )
    return [Point(*row) for row in zip(*columns, strict=True)][::-1]


def sentence(title: str, of: TrajectoryOut, chart: Chart) -> str:
    """A chart in one sentence, for whoever does not see it; empty where there is nothing to see."""
    known = [
        (at, score)
        for at, score in zip(of.points.effective_at, of.points.score, strict=True)
        if score is not None
    ]
    if not known:
        return ""
    zone = schedule.zone_of(chart.clinic.time_zone)
    (first_at, first), (last_at, last) = known[0], known[-1]
    count = len(of.doses.effective_at)
    return (
        f"{title}, {len(known)} score{'' if len(known) == 1 else 's'}"
        f" from {moment(first_at, zone)} to {moment(last_at, zone)}:"
        f" {number(first)} at first, {number(last)} at last, between"
        f" {number(min(score for _, score in known))} and"
        f" {number(max(score for _, score in known))}. {count} dose{'' if count == 1 else 's'}."
    )
