"""The trajectory of one series."""

import json
from bisect import bisect_left
from datetime import datetime
from itertools import pairwise
from operator import sub
from typing import Any, Final, NamedTuple
from uuid import UUID

from pydantic_core import to_json

from app.clinical import projection, trajectory, wear_off
from app.clinical.instruments import Instrument, Level, Recall, Scale
from app.kernel.clock import instant_of, microseconds
from app.kernel.db import Db
from app.people.chart import Chart, Right
from app.trends.series import MAX_POINTS, AskedSeries, Measured, Series, ask_series, find_series

READ_TRAJECTORIES: Final = Right("trajectories.read")

CAVEAT: Final = (
    "One person's scores, not blinded and without a comparison: a fall is no proof that a"
    " treatment worked, and extreme scores drift towards the middle by themselves."
)
ADVICE: Final = (
    "An extrapolation of one person's last scores in a straight line: no forecast, and no advice"
    " about a dose or its time."
)

GAP_DAYS: Final = wear_off.LONGEST_PAUSE_DAYS
"""Our convention: a longer time without any score is told as a gap."""
_DAY: Final = 86_400_000_000


class Asked(NamedTuple):
    """A trajectory that was asked for before it is known whether the caller may see it."""

    since: datetime | None
    until: datetime | None
    asked: AskedSeries

    @property
    def patient_id(self) -> UUID:
        """Of whom."""
        return self.asked.patient_id

    @property
    def measured(self) -> Measured:
        """What."""
        return self.asked.measured


def ask_trajectory(
    db: Db,
    patient_id: UUID,
    key: str,
    *,
    item_key: str | None,
    since: datetime | None,
    until: datetime | None,
    subscale: str | None = None,
    version: str | None = None,
) -> Asked:
    """Let the question travel with the chart's.

    item_key, subscale, version: see `series.find_series`.
    since, until: which points to show. What is measured is the same whatever is shown; the latest
        is the latest of what is shown.
    Raises: Problem NOT_FOUND, INVALID, as `find_series`.
    """
    measured = find_series(db, key, item_key=item_key, part=subscale, version=version)
    return Asked(since, until, ask_series(db, patient_id, measured, since, until))


def read_trajectory(chart: Chart, asked: Asked, now: datetime) -> bytes:
    """One series over time, now that the chart is open: the JSON of `schemas.TrajectoryOut`."""
    chart.require(asked.patient_id)
    return render(asked, now)


def head_of(measured: Measured) -> dict[str, Any]:
    """What is measured, as every answer about it begins."""
    scale, item = measured.scale, measured.item
    return {
        "instrument": measured.instrument.key,
        "instrument_version": measured.instrument.version,
        "item": item.key if item else None,
        "subscale": measured.part,
        "direction": scale.direction if scale else item and item.direction,
        "minimum": scale.minimum if scale else item and item.minimum,
        "maximum": scale.maximum if scale else item and item.maximum,
        "is_ordinal": scale is None,
        "measures_hours": measured.instrument.recall.measures_hours,
        "caveat": CAVEAT,
    }


def render(asked: Asked, now: datetime) -> bytes:
    """Columns straight to bytes; the instants were written by PostgreSQL already."""
    measured, series = asked.measured, asked.asked.read()
    at, scores = series.microseconds, series.scores
    shown = shown_of(at, asked.since, asked.until)
    left_out = asked.asked.left_out
    head = head_of(measured) | {
        "versions": measured.versions or [measured.instrument.version],
        "left_out": [one._asdict() for one in (left_out.all() if left_out else ())],
        "is_truncated": len(at) == MAX_POINTS,
        "missing": _missing(at, scores, shown, microseconds(now)),
    }
    if measured.scale is None:
        own, columns = _ordinal(measured, series)
    else:
        own, columns = _scaled(measured, measured.scale, series, shown, microseconds(now))
    head |= own
    effective_at = series.effective_at.encode()
    if shown != slice(0, len(at)):
        columns = {name: column[shown] for name, column in columns.items()}
        effective_at = to_json(json.loads(effective_at)[shown])
    return b'%s,"doses":{"effective_at":%s},"points":{"effective_at":%s,%s}' % (
        to_json(head)[:-1],
        series.doses_at.encode(),
        effective_at,
        to_json(columns)[1:],
    )


def shown_of(at: list[int], since: datetime | None, until: datetime | None) -> slice:
    """Which points lie from `since` to before `until`."""
    first = 0 if since is None else bisect_left(at, microseconds(since))
    end = len(at) if until is None else bisect_left(at, microseconds(until))
    return slice(first, max(first, end))


_Rendered = tuple[dict[str, Any], dict[str, list[Any]]]


def _ordinal(measured: Measured, series: Series) -> _Rendered:
    suicide_item = measured.instrument.suicide_item
    assert suicide_item is not None
    at = series.microseconds
    ideation = trajectory.ideation(suicide_item, at, series.scores, series.doses)
    nothing: list[Any] = [None] * len(at)
    head = {
        "baseline": None,
        "latest": None,
        "response": None,
        "sudden_changes": None,
        "projection": None,
        "sources": ideation.sources,
        "conventions": ideation.conventions,
    }
    straddles = trajectory.straddles(measured.instrument.recall, at, series.doses)
    return head, _columns(series.scores, nothing, nothing, ideation.positions, straddles)


def _scaled(measured: Measured, scale: Scale, series: Series, shown: slice, now: int) -> _Rendered:
    at, scores, doses = series.microseconds, series.scores, series.doses
    pinned = index_of(series.pinned_at, at)
    followed = trajectory.follow(scale, at, scores, doses, pinned, shown=shown)
    start = followed.baseline
    conventions = [*followed.conventions, projection.CONVENTION]
    head = {
        "baseline": baseline_of(start, at, shown),
        "latest": _latest(followed.latest, measured.instrument, series, shown),
        "response": start and _response(followed, scale.recall, series, shown),
        "sudden_changes": _sudden(followed, series, shown),
        "projection": _projection(
            projection.project(scale, at, scores, doses, points_of(start), now)
        ),
        "sources": [*followed.sources, projection.CONVENTION],
        "conventions": conventions,
    }
    return head, _columns(
        scores,
        followed.change,
        followed.percent_change,
        followed.positions,
        followed.straddles_dose,
    )


def _columns(
    scores: list[Any],
    change: list[Any],
    percent_change: list[Any],
    positions: trajectory.Positions,
    straddles_dose: list[bool],
) -> dict[str, list[Any]]:
    return {
        "score": scores,
        "change": change,
        "percent_change": percent_change,
        "dose_number": positions.dose_number,
        "hours_since_dose": positions.hours_since_dose,
        "window": positions.window,
        "straddles_dose": straddles_dose,
    }


def _missing(at: list[int], scores: list[Any], shown: slice, now: int) -> dict[str, Any]:
    """What is not there, among what is shown and up to now."""
    instants = at[shown]
    longest = max(map(sub, instants[1:], instants), default=0)
    gaps = (
        [pair for pair in pairwise(instants) if pair[1] - pair[0] > GAP_DAYS * _DAY]
        if longest > GAP_DAYS * _DAY
        else []
    )
    last = at[-1] if at else None
    return {
        "incomplete": scores[shown].count(None),
        "gaps": [
            {
                "from_at": instant(before),
                "until_at": instant(after),
                "days": round((after - before) / _DAY, 1),
            }
            for before, after in gaps
        ],
        "days_since_last": None if last is None else max(0.0, round((now - last) / _DAY, 1)),
    }


def baseline_of(
    found: trajectory.Baseline | None, at: list[int], shown: slice
) -> dict[str, Any] | None:
    """As `schemas.BaselineOut`."""
    if found is None:
        return None
    return {
        "index": _shown(found.index, shown),
        "score": found.total,
        "effective_at": instant(at[found.index]),
        "rule": found.rule,
        "provisional": found.provisional,
    }


def _latest(
    found: trajectory.Outcome | None, instrument: Instrument, series: Series, shown: slice
) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "index": _shown(found.index, shown),
        "score": found.total,
        "effective_at": instant(series.microseconds[found.index]),
        "band": found.band,
        "change": found.change,
        "percent_change": found.percent_change,
        "direction": found.direction,
        "reliable": found.reliable,
        "response": found.response,
        "partial_response": found.partial_response,
        "remission": found.remission,
        "reliable_recovery": found.reliable_recovery,
        "doses_in_recall_window": found.doses_in_recall_window,
        "ideation": _ideation(instrument, series.suicide_answer),
    }


def _ideation(instrument: Instrument, answer: int | None) -> dict[str, Any] | None:
    """What the same answers say of suicide; a total tells nothing of it. None: it is not asked."""
    suicide_item = instrument.suicide_item
    if suicide_item is None:
        return None
    item = instrument.items[suicide_item.position]
    return {
        "item": item.key,
        "answer": answer,
        "maximum": item.maximum,
        "reported": None if answer is None else suicide_item.level(answer) is not Level.NONE,
    }


def _response(
    followed: trajectory.Trajectory, recall: Recall, series: Series, shown: slice
) -> dict[str, Any] | None:
    course = followed.response
    if course is None:
        return None
    at, doses = series.microseconds, series.doses
    first, lost, since = course.first, course.lost, course.unconfirmed
    return {
        "state": course.state,
        "responded_at": None if first is None else instant(at[first]),
        "responded_index": None if first is None else _shown(first, shown),
        "days_to_response": None if first is None else _days(doses[0], at[first]),
        "straddles_first_dose": None
        if first is None
        else at[first] < doses[0] + recall.days * _DAY,
        "doses_to_response": None if first is None else followed.positions.dose_number[first],
        "lost_at": None if lost is None else instant(at[lost]),
        "lost_index": None if lost is None else _shown(lost, shown),
        "days_to_loss": None if lost is None or first is None else _days(at[first], at[lost]),
        "lost_rule": course.lost_rule,
        "unconfirmed_since": None if since is None else instant(at[since]),
    }


def _sudden(followed: trajectory.Trajectory, series: Series, shown: slice) -> dict[str, Any]:
    found, at = followed.sudden, series.microseconds
    return {
        "changes": [
            {
                "kind": one.kind,
                "before_index": _shown(one.before, shown),
                "after_index": _shown(one.after, shown),
                "before_at": instant(at[one.before]),
                "after_at": instant(at[one.after]),
                "points": one.points,
            }
            for one in found.found
        ],
        "assessed": found.assessed,
        "not_assessable": found.not_assessable,
        "why_not": found.why_not,
    }


def _projection(found: projection.Projection) -> dict[str, Any]:
    return {
        "returns_at": None if found.at is None else instant(found.at),
        "low_at": None if found.low is None else instant(found.low),
        "high_at": None if found.high is None else instant(found.high),
        "scores": found.scores,
        "why_not": found.why_not,
        "advice": ADVICE,
    }


def points_of(start: trajectory.Baseline | None) -> float | None:
    """Of a baseline that gains may be measured from, if there is one."""
    return start.total if start is not None and start.is_judged else None


def _shown(index: int, shown: slice) -> int | None:
    """Where a point stands among those that are shown, if it is."""
    return index - shown.start if shown.start <= index < shown.stop else None


def index_of(instant: datetime | None, at: list[int]) -> int | None:
    """The point at this very instant, if there is one."""
    if instant is None:
        return None
    sought = microseconds(instant)
    index = bisect_left(at, sought)
    return index if index < len(at) and at[index] == sought else None


def _days(since: int, until: int) -> float:
    return round((until - since) / _DAY, 2)


def instant(at: int) -> str:
    """Microseconds as they cross the wire."""
    return instant_of(at).isoformat()
