"""Outcomes of a clinic as charts: what may be told, drawn; what may not is in no chart either."""

from typing import Final, Literal

from app.clinical import suppression
from app.clinical.outcomes import STEPS
from app.trends.charts.look import Spec
from app.trends.charts.outcomes import rates_chart, survival_chart
from app.trends.charts.records import Frame, Rate, Survival
from app.trends.schemas.outcomes import CurveOut, IntervalOut, OutcomesOut, VisitOut

ClinicView = Literal["visits", "time-to-response", "time-to-loss"]

_MOST: Final = 4
"""Groups in one chart; more could not be told apart."""


def of_outcomes(told: OutcomesOut, view: ClinicView, frame: Frame) -> Spec:
    """Shares by visit, or how long something took."""
    name = told.instrument.upper()
    if view == "time-to-response":
        return _times(
            told, told.time_to_response, f"{name}: time to response", "without response", frame
        )
    if view == "time-to-loss":
        return _times(
            told,
            told.time_to_loss,
            f"{name}: time from response to its loss",
            "still responding",
            frame,
        )
    return _visits(told, name, frame)


def _visits(told: OutcomesOut, name: str, frame: Frame) -> Spec:
    """Of everybody retention, response and remission; by stratum the response of each."""
    rates: list[Rate] = []
    strata = sorted(told.groups[1:], key=lambda one: -(one.patients or 0))
    groups = [*told.groups[:1], *strata][:_MOST]
    if told.stratum is None:
        title = f"{name}: retention, response and remission by visit"
        for visit in groups[0].visits:
            rates += _of_everybody(visit, told.levels)
    else:
        title = f"{name}: response by visit and {told.stratum.replace('-', ' ')}"
        if "responded" in told.levels:
            rates = [
                _rate(visit, group.group, visit.response, visit.response_interval, "assessed")
                for group in groups
                for visit in group.visits
            ]
    caveat = f"{_left_out(len(told.groups))}{told.caveat}"
    return rates_chart(rates, title, suppression.FEWEST, caveat, frame)


def _of_everybody(visit: VisitOut, levels: list[str]) -> list[Rate]:
    found = [
        _rate(
            visit,
            "In touch, of those eligible",
            visit.retention,
            visit.retention_interval,
            "eligible",
        )
    ]
    if "responded" in levels:
        found.append(
            _rate(
                visit,
                "Response, of those assessed",
                visit.response,
                visit.response_interval,
                "assessed",
            )
        )
    if "remitted" in levels:
        found.append(
            _rate(
                visit,
                "Remission, of those assessed",
                visit.remission,
                visit.remission_interval,
                "assessed",
            )
        )
    return found


def _rate(
    visit: VisitOut, outcome: str, share: float | None, interval: IntervalOut, of: str
) -> Rate:
    people: int | None = getattr(visit.counts, of)
    return Rate(_named(visit), outcome, share, interval.low, interval.high, people)


def _named(visit: VisitOut) -> str:
    """Such as "4 weeks", of 4w."""
    weeks = visit.visit.removesuffix("w")
    return f"{weeks} week" if weeks == "1" else f"{weeks} weeks"


def _times(told: OutcomesOut, curves: list[CurveOut], title: str, still: str, frame: Frame) -> Spec:
    drawn = [_survival(one) for one in _largest(curves) if one.steps]
    hidden = [one.group for one in curves if not one.steps]
    words = f"Not told, because of too few people: {', '.join(hidden)}. " if hidden else ""
    caveat = f"{words}{_left_out(len(drawn))}{told.caveat}"
    return survival_chart(drawn[:_MOST], title, still, caveat, frame, is_sampled=True)


def _survival(curve: CurveOut) -> Survival:
    """It begins with everybody; a day of `STEPS` that may not be told breaks it."""
    grid = [0, *STEPS]
    days = [0, *(step.day for step in curve.steps)]
    places = [grid.index(day) for day in days]
    stretch = [place - number for number, place in enumerate(places)]
    return Survival(
        curve.group,
        days,
        [1, *(step.share for step in curve.steps)],
        [1, *(step.low for step in curve.steps)],
        [1, *(step.high for step in curve.steps)],
        stretch=stretch,
    )


def _largest(curves: list[CurveOut]) -> list[CurveOut]:
    """Everybody, and then the groups by size."""
    return [*curves[:1], *sorted(curves[1:], key=lambda one: -(one.started or 0))]


def _left_out(groups: int) -> str:
    more = groups - _MOST
    return f"{more} more groups are in the numbers and not drawn. " if more > 0 else ""
