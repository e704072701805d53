"""All doses laid over each other: what each did, and how long it lasted."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic_core import to_json

from app.clinical import trajectory, wear_off
from app.kernel.clock import microseconds
from app.kernel.db import Db
from app.kernel.errors import invalid
from app.people.chart import Chart
from app.trends.series import Series, ask_series, find_series
from app.trends.service import Asked, baseline_of, head_of, index_of, instant, points_of

_HOUR: Final = 3_600_000_000


def ask_doses(
    db: Db,
    patient_id: UUID,
    key: str,
    *,
    item_key: str | None,
    subscale: str | None = None,
    version: str | None = None,
) -> Asked:
    """As `service.ask_trajectory`, for `read_doses`.

    Raises: Problem NOT_FOUND, INVALID, also for what is ordinal.
    """
    measured = find_series(db, key, item_key=item_key, part=subscale, version=version)
    if measured.scale is None:
        raise invalid("query:item", "is ordinal: there is no gain to measure")
    return Asked(None, None, ask_series(db, patient_id, measured))


def read_doses(chart: Chart, asked: Asked, now: datetime) -> bytes:
    """All doses laid over each other: the JSON of `schemas.DoseAlignmentOut`."""
    chart.require(asked.patient_id)
    measured, series = asked.measured, asked.asked.read()
    assert measured.scale is not None
    at, scores, doses = series.microseconds, series.scores, series.doses
    start = trajectory.baseline(at, scores, doses, index_of(series.pinned_at, at))
    courses = wear_off.after_each_dose(
        measured.scale, at, scores, doses, points_of(start), microseconds(now)
    )
    hours = trajectory.positions(at, doses).hours_since_dose
    straddles = trajectory.straddles(measured.scale.recall, at, doses)
    return to_json(
        {
            **head_of(measured),
            "baseline": baseline_of(start, at, slice(0, len(at))),
            "marks": [{"mark": one.code, "hours": one.hours} for one in wear_off.MARKS],
            "doses": [_dose(course, series, hours, straddles) for course in courses],
            "conventions": list(wear_off.CONVENTIONS),
        }
    )


def _dose(
    course: wear_off.DoseCourse,
    series: Series,
    hours: list[float | None],
    straddles: list[bool],
) -> dict[str, Any]:
    at, scores = series.microseconds, series.scores
    own = slice(course.first, course.end)
    off = course.wear_off

    def score(index: int | None) -> dict[str, Any] | None:
        if index is None:
            return None
        since = at[index] - course.at
        return {
            "score": scores[index],
            "effective_at": instant(at[index]),
            "hours_since_dose": round(since / _HOUR, 2),
            "straddles_dose": straddles[index],
        }

    return {
        "number": course.number,
        "effective_at": instant(course.at),
        "before": score(course.before),
        "points": {
            "effective_at": [instant(one) for one in at[own]],
            "hours_since_dose": hours[own],
            "score": scores[own],
            "straddles_dose": straddles[own],
        },
        "rapid": [
            {
                "mark": one.mark,
                "score": score(one.index),
                "response": one.response,
                "why_not": one.why_not,
            }
            for one in course.rapid
        ],
        "wear_off": {
            "best": score(off.best),
            "gain": off.gain,
            "half_gone_at": off.half_gone_at and instant(off.half_gone_at),
            "days": off.days,
            "is_censored": off.is_censored,
            "last": score(off.last),
            "why": off.why,
        },
    }
