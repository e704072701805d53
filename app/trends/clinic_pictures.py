"""Outcomes of a clinic as charts: what may be told, drawn; what may not is in no chart either."""

from typing import Final, Literal

from app.clinical import suppression
from app.clinical.outcomes import STEPS
from app.trends.charts.look import Spec, counted
from app.trends.charts.outcomes import rates_chart, survival_chart
from app.trends.charts.records import Frame, Outcome, Rate, Survival
from app.trends.outcomes import EVERYBODY, NOT_TAKEN, OTHERS
from app.trends.schemas.outcomes import CurveOut, IntervalOut, OutcomesOut, VisitOut

ClinicView = Literal["visits", "time-to-response", "time-to-loss"]

_RESPONSE: Final = Outcome("without response", "Responded", "the first dose")
_LOSS: Final = Outcome("still responding", "Lost the response", "the response")
_MOST: Final = 4
"""Groups in one chart; more could not be told apart."""


def of_outcomes(told: OutcomesOut, view: ClinicView, frame: Frame) -> Spec:
    """Shares by visit, or how long something took."""
    name = told.instrument.upper()
    if view == "time-to-response":
        title = f"{name}: time to response"
        return _times(told, told.time_to_response, title, _RESPONSE, frame)
    if view == "time-to-loss":
        title = f"{name}: time from response to its loss"
        return _times(told, told.time_to_loss, title, _LOSS, frame)
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
                _rate(
                    visit,
                    group_name(group.group),
                    visit.response,
                    visit.response_interval,
                    "assessed",
                )
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


def _times(
    told: OutcomesOut, curves: list[CurveOut], title: str, words: Outcome, frame: Frame
) -> Spec:
    drawn = [_survival(one) for one in _largest(curves) if one.steps]
    hidden = [group_name(one.group) for one in curves if not one.steps]
    said = f"Not told, because of too few people: {', '.join(hidden)}. " if hidden else ""
    until = max((one.days[-1] for one in drawn), default=0)
    if any(one.is_suppressed for one in curves if one.steps) and until < STEPS[-1]:
        said += f"After day {until:g} nothing may be told. "
    caveat = f"{said}{_left_out(len(drawn))}{told.caveat}"
    if told.stratum is not None:
        title = f"{title}, by {told.stratum.replace('-', ' ')}"
    return survival_chart(drawn[:_MOST], title, words, caveat, frame)


def _survival(curve: CurveOut) -> Survival:
    """It begins with everybody; a day of `STEPS` that may not be told breaks it."""
    grid = [0, *STEPS]
    days = [0, *(step.day for step in curve.steps)]
    places = [grid.index(day) for day in days]
    return Survival(
        group_name(curve.group),
        days,
        [1, *(step.share for step in curve.steps)],
        [1, *(step.low for step in curve.steps)],
        [1, *(step.high for step in curve.steps)],
        [curve.started or 0, *(step.at_risk for step in curve.steps)],
        [0, *(step.happened for step in curve.steps)],
        [0, *(step.censored for step in curve.steps)],
        stretch=[place - number for number, place in enumerate(places)],
    )


def group_name(code: str) -> str:
    """A group in words: everybody, one stratum, or those too small to be told."""
    return {
        EVERYBODY: "Everybody",
        OTHERS: "Groups too small to be told",
        NOT_TAKEN: "Not recorded",
    }.get(code, code)


def _largest(curves: list[CurveOut]) -> list[CurveOut]:
    """Everybody, and then the groups by size."""
    return [*curves[:1], *sorted(curves[1:], key=lambda one: -(one.started or 0))]


def _left_out(groups: int) -> str:
    more = groups - _MOST
    return f"{counted(more, 'more group')} in the numbers and not drawn. " if more > 0 else ""
