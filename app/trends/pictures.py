"""What is told of one patient as a chart: from the answers of the API to what charts are made of.

An answer is the same in every form: JSON is the table behind the chart, the Vega-Lite
specification is the chart, SVG and PNG are pictures of it. So everything here is read from the
answer, and nothing is computed.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

from app.clinical.instruments import Direction, Level, Scale
from app.kernel.db import Db
from app.kernel.errors import invalid
from app.people.chart import Chart
from app.safety.cases import FLAGS_OF_PATIENT
from app.trends.charts import aligned, course, ideation, together
from app.trends.charts.look import Spec, plain
from app.trends.charts.records import (
    Around,
    Band,
    Course,
    Faded,
    Flag,
    Frame,
    Ideation,
    Line,
    Point,
    Source,
    Together,
)
from app.trends.ideation import LABELS
from app.trends.schemas.ideation import IdeationOut
from app.trends.series import Measured
from app.trends.service import CAVEAT

View = Literal["time", "doses", "sparkline"]

MOST_POINTS: Final = 15_000
"""In one picture; the numbers have no such bound."""
_SPARKLINE: Final = 120
"""Pixels: as wide as a word or two."""
_SHORT: Final = {LABELS[Level.NONE]: "Nothing raised"}
"""What has no room beside an axis."""


def flags_of(db: Db, chart: Chart) -> list[Flag]:
    """When a sign of danger was seen, oldest first."""
    rows = db.all(FLAGS_OF_PATIENT, patient_id=chart.patient_id)
    return sorted(Flag(row.raised_at, row.level) for row in rows)


def of_trajectory(
    told: bytes, measured: Measured, flags: Sequence[Flag], time_zone: str, view: View, frame: Frame
) -> Spec:
    """The chart of a trajectory. told: the JSON of `TrajectoryOut`."""
    answer = json.loads(told)
    if answer["is_ordinal"]:
        doses = _instants(answer["doses"]["effective_at"])
        source = _source(answer, measured)
        return ideation.chart(Ideation([source], doses, time_zone, answer["caveat"]), frame)
    seen = course_of(answer, measured, flags, time_zone)
    if view == "sparkline":
        return course.sparkline(seen, frame._replace(width=_SPARKLINE))
    return aligned.chart(seen, frame) if view == "doses" else course.chart(seen, frame)


def of_doses(told: bytes, measured: Measured, time_zone: str, frame: Frame) -> Spec:
    """All doses laid over each other. told: the JSON of `DoseAlignmentOut`."""
    answer = json.loads(told)
    doses, baseline = answer["doses"], answer["baseline"]
    points = [
        Point(datetime.fromisoformat(at), score, dose["number"], hours, spans)
        for dose in doses
        for at, score, hours, spans in zip(
            dose["points"]["effective_at"],
            dose["points"]["score"],
            dose["points"]["hours_since_dose"],
            dose["points"]["straddles_dose"],
            strict=True,
        )
    ]
    given_at = _instants([dose["effective_at"] for dose in doses])
    seen = _course(answer, measured, points, given_at, time_zone)._replace(
        baseline=_baseline(baseline)
    )
    faded = [_faded(dose, answer["direction"], baseline) for dose in doses]
    return aligned.chart(seen, frame, [one for one in faded if one is not None])


def of_several(told: bytes, measured: Sequence[Measured], time_zone: str, frame: Frame) -> Spec:
    """Several series on one time axis. told: the JSON of `TrajectoriesOut`; measured: in order.

    Raises: Problem INVALID for more points than can be drawn in good time.
    """
    answer = json.loads(told)
    if sum(len(one["points"]["score"]) for one in answer["trajectories"]) > MOST_POINTS:
        reason = f"has more than {MOST_POINTS:,} points to draw: name fewer, or a shorter time"
        raise invalid("query:series", reason)
    missed = {
        one["instrument"]: _instants([window["opened_at"] for window in one["missed"]])
        for one in answer["asked"]["instruments"]
    }
    panels: list[Course | Source] = []
    # Every dose is in each series, so that they keep their numbers whatever part is shown.
    doses: list[datetime] = _instants(answer["doses"]["effective_at"])
    for series, of in zip(answer["trajectories"], measured, strict=True):
        doses = _instants(series["doses"]["effective_at"])
        if series["is_ordinal"]:
            panels.append(_source(series, of))
        else:
            seen = course_of(series, of, (), time_zone)
            panels.append(seen._replace(missed=missed.get(series["instrument"], ())))
    around = Around(
        [Flag(datetime.fromisoformat(one["raised_at"]), one["level"]) for one in answer["flags"]],
        _instants(answer["notes"]["effective_at"]),
        _instants(answer["goals"]["effective_at"]),
    )
    return together.chart(Together(panels, around, doses, time_zone, CAVEAT), frame)


def of_ideation(told: IdeationOut, time_zone: str, frame: Frame) -> Spec:
    """Suicidal ideation, every source a panel of its own."""
    return ideation.chart(ideation_of(told, time_zone), frame)


def ideation_of(told: IdeationOut, time_zone: str) -> Ideation:
    """What that chart, and the table behind it, is made of."""
    sources = [
        Source(
            title=f"{one.instrument.upper()}: {one.title}",
            words=sorted((step.value, _SHORT.get(step.label, step.label)) for step in one.scale),
            answered=list(zip(one.points.effective_at, one.points.value, strict=True)),
        )
        for one in told.sources
    ]
    return Ideation(sources, told.doses, time_zone, told.caveat)


def course_of(
    told: dict[str, Any], measured: Measured, flags: Sequence[Flag], time_zone: str
) -> Course:
    """One scale over time. told: as `TrajectoryOut`."""
    scale = measured.scale
    assert scale is not None
    columns = told["points"]
    points = [
        Point(datetime.fromisoformat(at), score, number, hours, spans)
        for at, score, number, hours, spans in zip(
            columns["effective_at"],
            columns["score"],
            columns["dose_number"],
            columns["hours_since_dose"],
            columns["straddles_dose"],
            strict=True,
        )
    ]
    baseline = told["baseline"]
    doses = _instants(told["doses"]["effective_at"])
    # From a baseline that came after the first dose nothing is called a response.
    is_judged = baseline and not (baseline["rule"] == "first-complete" and doses)
    return _course(told, measured, points, doses, time_zone)._replace(
        bands=[Band(one.label, one.low, one.high) for one in scale.bands],
        baseline=_baseline(baseline),
        lines=_lines(scale, baseline["score"]) if is_judged else (),
        flags=flags,
    )


def _course(
    told: dict[str, Any],
    measured: Measured,
    points: list[Point],
    doses: list[datetime],
    time_zone: str,
) -> Course:
    instrument, item, part = measured.instrument, measured.item, measured.part
    of = item.text if item is not None else part and part.replace("-", " ").capitalize()
    short = (item.key if item is not None else part) or ""
    return Course(
        title=f"{of} - {instrument.title}" if of else instrument.title,
        label=short.replace("-", " ").capitalize() if short else instrument.key.upper(),
        minimum=told["minimum"],
        maximum=told["maximum"],
        direction=told["direction"],
        points=points,
        doses=doses,
        time_zone=time_zone,
        caveat=told["caveat"],
        measures_hours=told["measures_hours"],
    )


def _baseline(told: dict[str, Any] | None) -> Point | None:
    if told is None:
        return None
    return Point(datetime.fromisoformat(told["effective_at"]), told["score"])


def _faded(
    dose: dict[str, Any], direction: str | None, baseline: dict[str, Any] | None
) -> Faded | None:
    """Where the gain of a dose was half gone, or was last seen."""
    off = dose["wear_off"]
    if baseline is None or off["days"] is None:
        return None
    hours = off["best"]["hours_since_dose"] + 24 * off["days"]
    if off["is_censored"]:
        return Faded(dose["number"], hours, off["last"]["score"], is_censored=True)
    half = off["gain"] / 2
    score = baseline["score"] + (-half if direction == Direction.LOWER_IS_BETTER else half)
    return Faded(dose["number"], hours, score, is_censored=False)


def _source(told: dict[str, Any], measured: Measured) -> Source:
    """Suicidal thoughts as answered to one item. told: as `TrajectoryOut`."""
    item = measured.item
    assert item is not None
    answered = zip(_instants(told["points"]["effective_at"]), told["points"]["score"], strict=True)
    return Source(
        title=f"{measured.instrument.key.upper()}: {item.text}",
        words=sorted((option.value, option.label) for option in item.options),
        answered=list(answered),
    )


def _lines(scale: Scale, baseline: float) -> list[Line]:
    """Response and remission, where the baseline is one to respond from."""
    if scale.eligible_from is not None and baseline < scale.eligible_from.value:
        return []
    is_lower_better = scale.direction is Direction.LOWER_IS_BETTER
    found = []
    if scale.response_percent is not None and baseline > 0:
        part = baseline * scale.response_percent.value / 100
        score = baseline - part if is_lower_better else baseline + part
        words = "or less" if is_lower_better else "or more"
        found.append(Line(f"response: {plain(score)} {words}", score))
    if scale.remission_below is not None:
        score = scale.remission_below.value
        found.append(Line(f"remission: below {plain(score)}", score))
    return found


def _instants(texts: Sequence[str]) -> list[datetime]:
    return [datetime.fromisoformat(one) for one in texts]
