"""One scale of a patient over time, as a figure and as a table."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from fastapi import Query

from app.checkins import packs, schedule
from app.checkins import service as checkins
from app.clinical.instruments import Instrument
from app.console.door import Answer, Inside, page_router
from app.console.figures import Figure, draw
from app.console.pages import moment, number
from app.console.patient import PATIENT, shown
from app.kernel.db import Db
from app.kernel.errors import not_found
from app.people.chart import Chart, open_chart
from app.trends import service as trends
from app.trends.schemas import TrajectoryOut

routes = page_router()
_POINTS_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Scale:
    """Something that can be drawn. key: `phq-9`, or `momentary:mood`."""

    key: str
    title: str


@dataclass(frozen=True, slots=True)
class Point:
    """A row of the table behind a figure."""

    at: datetime
    score: float | None
    change: float | None
    percent: float | None
    dose_number: int
    hours: float | None
    window: str


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One scale over time."""

    scales: list[Scale]
    scale: Scale | None
    trajectory: TrajectoryOut | None
    figure: Figure | None
    points: list[Point]
    left_out: int


@routes.get(PATIENT + "/trajectories")
def trajectories_page(
    visit: Inside, patient_id: str, scale: Annotated[str, Query(max_length=140)] = ""
) -> Answer:
    """One scale over time, as a figure and as a table."""
    db = visit.db
    chart = open_chart(db, visit.caller, patient_id, trends.READ_TRAJECTORIES, visit.now)
    scales = [one for instrument in answered(db, chart) for one in _scales(instrument)]
    chosen = next((one for one in scales if one.key == scale), None)
    if chosen is None and scale:
        raise not_found()
    chosen = chosen or next(iter(scales), None)
    if chosen is None:
        empty = Trajectory([], None, None, None, [], 0)
        return shown(visit, chart, "trajectories", "Trajectories", empty)
    key, _, item = chosen.key.partition(":")
    found = trajectory(db, chart, key, item or None, visit.now)
    points = _points(found)
    view = Trajectory(
        scales=scales,
        scale=chosen,
        trajectory=found,
        figure=draw(chosen.title, sentence(chosen.title, found, chart), found),
        points=points[:_POINTS_SHOWN],
        left_out=max(0, len(points) - _POINTS_SHOWN),
    )
    return shown(visit, chart, "trajectories", chosen.title, view)


def answered(db: Db, chart: Chart) -> list[Instrument]:
    """What this patient answered: what has a total first, the rest behind it."""
    found = [packs.find(db, key) for key in checkins.instruments_answered(db, chart)]
    return sorted(found, key=lambda one: (one.total is None, one.key))


def _scales(instrument: Instrument) -> list[Scale]:
    """The total first, then each item that has a direction, and the suicide item on its own."""
    found = [Scale(instrument.key, instrument.title)] if instrument.total is not None else []
    if instrument.total is None:
        found += [
            Scale(f"{instrument.key}:{item.key}", f"{instrument.title}: {item.text}")
            for item in instrument.items
            if item.scale is not None
        ]
    if instrument.suicide_item is not None:
        item = instrument.items[instrument.suicide_item.position]
        found.append(
            Scale(f"{instrument.key}:{item.key}", f"{instrument.title}: suicidal thoughts")
        )
    return found


def trajectory(db: Db, chart: Chart, key: str, item: str | None, now: datetime) -> TrajectoryOut:
    """One scale, whole. key: of an instrument. item: for one of its items."""
    asked = trends.ask_trajectory(db, chart.patient_id, key, item_key=item, since=None, until=None)
    return TrajectoryOut.model_validate_json(trends.read_trajectory(chart, asked, now))


def _points(of: TrajectoryOut) -> list[Point]:
    """Newest first."""
    columns = of.points
    rows = zip(
        columns.effective_at,
        columns.score,
        columns.change,
        columns.percent_change,
        columns.dose_number,
        columns.hours_since_dose,
        columns.window,
        strict=True,
    )
    return [Point(*row) for row in rows][::-1]


def sentence(title: str, of: TrajectoryOut, chart: Chart) -> str:
    """The figure in one sentence, for whoever does not see it."""
    known = [
        (at, score)
        for at, score in zip(of.points.effective_at, of.points.score, strict=True)
        if score is not None
    ]
    if not known:
        return ""
    zone = schedule.zone_of(chart.clinic.time_zone)
    (first_at, first), (last_at, last) = known[0], known[-1]
    doses = len(of.doses.effective_at)
    return (
        f"{title}, {len(known)} scores from {moment(first_at, zone)} to {moment(last_at, zone)}:"
        f" {number(first)} at first, {number(last)} now, between"
        f" {number(min(score for _, score in known))} and"
        f" {number(max(score for _, score in known))}. {doses} doses."
    )
