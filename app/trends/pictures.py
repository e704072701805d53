"""A trajectory as a chart: from the answer of the API to what charts are made of.

The answer is the same in every form: JSON is the table behind the chart, the Vega-Lite
specification is the chart, SVG and PNG are pictures of it.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

from app.clinical.instruments import Direction, Scale
from app.kernel.db import Db
from app.kernel.renderer import Form
from app.people.chart import Chart
from app.safety.cases import FLAGS_OF_PATIENT
from app.trends.charts import aligned, course, ideation
from app.trends.charts.look import Spec, plain
from app.trends.charts.records import (
    Band,
    Course,
    Flag,
    Frame,
    Ideation,
    Line,
    Point,
    Source,
)
from app.trends.service import Asked

View = Literal["time", "doses", "sparkline"]

JSON: Final = "application/json"
# Not registered. The version follows Vega-Lite's, as JupyterLab names them.
VEGA_LITE: Final = "application/vnd.vegalite+json"
VEGA_LITE_6: Final = "application/vnd.vegalite.v6+json"
FORMS: Final[dict[str, Form]] = {"image/svg+xml": "svg", "image/png": "png"}
OFFERED: Final = (JSON, VEGA_LITE, VEGA_LITE_6, *FORMS)
"""Media types of a trajectory, the usual one first."""
NARROWEST: Final = 280
WIDEST: Final = 1600


def flags_of(db: Db, chart: Chart) -> list[Flag]:
    """When a sign of danger was seen, oldest first."""
    rows = db.all(FLAGS_OF_PATIENT, patient_id=chart.patient_id)
    return sorted(Flag(row.raised_at, row.level) for row in rows)


def specification(
    told: bytes,
    asked: Asked,
    flags: Sequence[Flag],
    time_zone: str,
    view: View,
    frame: Frame,
) -> Spec:
    """The chart of a trajectory. told: the JSON of `schemas.TrajectoryOut`."""
    answer = json.loads(told)
    if answer["is_ordinal"]:
        return ideation.chart(ideation_of(answer, asked, time_zone), frame)
    seen = course_of(answer, asked, flags, time_zone)
    if view == "sparkline":
        return course.sparkline(seen, frame)
    return aligned.chart(seen, frame) if view == "doses" else course.chart(seen, frame)


def course_of(told: dict[str, Any], asked: Asked, flags: Sequence[Flag], time_zone: str) -> Course:
    """One scale over time."""
    instrument, item, part, scale, _ = asked.measured
    assert scale is not None
    of = item.text if item is not None else part and part.replace("-", " ").capitalize()
    short = (item.key if item is not None else part) or ""
    points = told["points"]
    baseline = told["baseline"]
    return Course(
        title=f"{of} - {instrument.title}" if of else instrument.title,
        label=short.replace("-", " ").capitalize() if short else instrument.key.upper(),
        minimum=told["minimum"],
        maximum=told["maximum"],
        direction=told["direction"],
        points=[
            Point(datetime.fromisoformat(at), score, number, hours)
            for at, score, number, hours in zip(
                points["effective_at"],
                points["score"],
                points["dose_number"],
                points["hours_since_dose"],
                strict=True,
            )
        ],
        doses=_instants(told["doses"]["effective_at"]),
        time_zone=time_zone,
        caveat=told["caveat"],
        bands=[Band(one.label, one.low, one.high) for one in scale.bands],
        baseline=baseline
        and Point(datetime.fromisoformat(baseline["effective_at"]), baseline["score"]),
        lines=_lines(scale, baseline["score"]) if baseline else (),
        flags=flags,
        measures_hours=told["measures_hours"],
    )


def ideation_of(told: dict[str, Any], asked: Asked, time_zone: str) -> Ideation:
    """Suicidal thoughts as answered to one item."""
    item = asked.measured.item
    assert item is not None
    answered = zip(_instants(told["points"]["effective_at"]), told["points"]["score"], strict=True)
    source = Source(
        title=f"{asked.measured.instrument.key.upper()}: {item.text}",
        words=sorted((option.value, option.label) for option in item.options),
        answered=list(answered),
    )
    return Ideation([source], _instants(told["doses"]["effective_at"]), time_zone, told["caveat"])


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
