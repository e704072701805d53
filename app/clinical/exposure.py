"""What somebody has been given so far: by drug and route, and milligrams never added across either.

The same milligrams by mouth and into a vein are not the same exposure, and neither are those of
two drugs; so there is no function here that could add them. Sessions are counted besides over all
routes of a drug: how often somebody was given it is a number, whichever way it went in. That this
is a measure to ask by is our convention. Nothing here is dose advice.

Instants are microseconds since 1970, UTC. Milligrams are exact to a thousandth.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from statistics import median
from types import MappingProxyType
from typing import Final

from app.clinical.protocol import ExposurePrompt

_DAY: Final = 24 * 3_600 * 1_000_000

# Windows that are always told. Source: ours; a week, a course, a quarter and a year.
WINDOW_DAYS: Final = (7, 28, 90, 365)

# Milligrams, both ends included. Source: ours, to catch a slip of the keyboard: grams for
# milligrams, a missing point. They are far beyond what is given in psychotherapy at either end,
# and say nothing about what should be given.
PLAUSIBLE_MG: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "iv": (0.5, 500),
        "im": (0.5, 1000),
        "subcutaneous": (0.5, 500),
        "intranasal": (0.5, 500),
        "sublingual": (0.5, 2000),
        "oral": (0.5, 2000),
    }
)
# Of every drug that is named so: esketamine, racemic-ketamine, ketamine-hydrochloride. Of any other
# all that is known is that it is not nothing, and not grams of it.
PLAUSIBLE_OF: Final = "ketamine"
OTHERWISE_MG: Final = (0.001, 4999.999)

# Kilograms. Source: ours, as above.
PLAUSIBLE_KG: Final = (25.0, 400.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Administration:
    """One drug, given once. session: whatever tells one dosing session from another."""

    drug: str
    route: str
    dose_mg: float
    at: int
    session: Hashable


@dataclass(frozen=True, slots=True)
class Amount:
    """So much in a window. doses: administrations; sessions: visits with at least one of them."""

    doses: int
    sessions: int
    mg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cumulative:
    """One drug by one route, up to now.

    in_last: by number of days, of WINDOW_DAYS. A dose exactly so many days ago is out of it.
    median_spacing_days, shortest_spacing_days: from the first dose of a session to the first of
        the next; None with fewer than two sessions.
    """

    drug: str
    route: str
    total: Amount
    first_at: int
    last_at: int
    median_spacing_days: float | None
    shortest_spacing_days: float | None
    in_last: Mapping[int, Amount]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfDrug:
    """One drug by whatever route, up to now, in sessions alone. Windows and spacing as above."""

    drug: str
    routes: tuple[str, ...]
    sessions: int
    first_at: int
    last_at: int
    median_spacing_days: float | None
    shortest_spacing_days: float | None
    in_last: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompted:
    """A threshold of the protocol that is reached, in the prompt's own days.

    route: None where sessions of several routes were counted; then mg is None too.
    """

    prompt: ExposurePrompt
    drug: str
    route: str | None
    doses: int
    sessions: int
    mg: float | None


def cumulative(given: Iterable[Administration], now: int) -> list[Cumulative]:
    """Every drug and route that was given, apart; by name. What is later than now is left out."""
    return [
        Cumulative(
            drug=drug,
            route=route,
            total=_amount(doses),
            first_at=doses[0].at,
            last_at=doses[-1].at,
            median_spacing_days=round(median(spacing), 2) if spacing else None,
            shortest_spacing_days=round(min(spacing), 2) if spacing else None,
            in_last={days: _amount(_in_last(doses, days, now)) for days in WINDOW_DAYS},
        )
        for (drug, route), doses in _apart(given, now)
        for spacing in [_spacing(doses)]
    ]


def by_drug(given: Iterable[Administration], now: int) -> list[OfDrug]:
    """Every drug that was given, in sessions over all of its routes; by name."""
    return [
        OfDrug(
            drug=drug,
            routes=tuple(sorted({one.route for one in doses})),
            sessions=_sessions(doses),
            first_at=doses[0].at,
            last_at=doses[-1].at,
            median_spacing_days=round(median(spacing), 2) if spacing else None,
            shortest_spacing_days=round(min(spacing), 2) if spacing else None,
            in_last={days: _sessions(_in_last(doses, days, now)) for days in WINDOW_DAYS},
        )
        for drug, doses in _of_drugs(given, now)
        for spacing in [_spacing(doses)]
    ]


def prompted(
    given: Iterable[Administration], prompts: Sequence[ExposurePrompt], now: int
) -> list[Prompted]:
    """Which thresholds are reached, on them or above, by which drug and route.

    Sessions without a route are those of all routes together; doses and milligrams are each
    route's own.
    """
    return [
        Prompted(
            prompt=prompt,
            drug=drug,
            route=route,
            doses=len(doses),
            sessions=_sessions(doses),
            mg=None if route is None else _amount(doses).mg,
        )
        for drug, all_doses in _of_drugs(given, now)
        for prompt in prompts
        if prompt.drug in {None, drug}
        for doses in _counted(_in_last(all_doses, prompt.within_days, now), prompt)
        if doses and _measured(doses, prompt) >= prompt.at_least
        for route in [_only_route(doses)]
    ]


def _only_route(doses: Sequence[Administration]) -> str | None:
    routes = {one.route for one in doses}
    return routes.pop() if len(routes) == 1 else None


def _counted(
    doses: Sequence[Administration], prompt: ExposurePrompt
) -> list[Sequence[Administration]]:
    """What a prompt counts together."""
    if prompt.route is None and prompt.measure == "sessions":
        return [doses]
    routes = sorted({one.route for one in doses if prompt.route in {None, one.route}})
    return [[one for one in doses if one.route == route] for route in routes]


def _measured(doses: Sequence[Administration], prompt: ExposurePrompt) -> float:
    if prompt.measure == "sessions":
        return _sessions(doses)
    return len(doses) if prompt.measure == "doses" else _amount(doses).mg


def dose_fault(drug: str, route: str, dose_mg: float) -> str | None:
    """Why this cannot be the dose; None: it may be. The sentence repeats no value.

    This catches slips of the keyboard, as PLAUSIBLE_MG says, and judges no prescription.
    """
    is_known = PLAUSIBLE_OF in drug.casefold()
    low, high = PLAUSIBLE_MG.get(route, OTHERWISE_MG) if is_known else OTHERWISE_MG
    if not isfinite(dose_mg) or not low <= dose_mg <= high:
        return (
            f"must be from {low:g} to {high:g} mg by this route; a visit without a dose is not-done"
        )
    return None


def weight_fault(weight_kg: float) -> str | None:
    """Why this cannot be an adult's weight; None: it may be."""
    low, high = PLAUSIBLE_KG
    if not isfinite(weight_kg) or not low <= weight_kg <= high:
        return f"must be from {low:g} to {high:g} kg"
    return None


def mg_per_kg(dose_mg: float, weight_kg: float | None) -> float | None:
    """The dose by weight, to a thousandth; None where the weight is not known.

    Raises: ValueError for a weight that cannot be one.
    """
    if weight_kg is None:
        return None
    if fault := weight_fault(weight_kg):
        raise ValueError(fault)
    return round(dose_mg / weight_kg, 3)


def _apart(
    given: Iterable[Administration], now: int
) -> list[tuple[tuple[str, str], list[Administration]]]:
    """By drug and route, each in time order."""
    apart: dict[tuple[str, str], list[Administration]] = {}
    for one in sorted(given, key=lambda one: one.at):
        if one.at <= now:
            apart.setdefault((one.drug, one.route), []).append(one)
    return sorted(apart.items())


def _of_drugs(given: Iterable[Administration], now: int) -> list[tuple[str, list[Administration]]]:
    """By drug, each in time order."""
    of_drugs: dict[str, list[Administration]] = {}
    for one in sorted(given, key=lambda one: one.at):
        if one.at <= now:
            of_drugs.setdefault(one.drug, []).append(one)
    return sorted(of_drugs.items())


def _in_last(doses: Sequence[Administration], days: int, now: int) -> list[Administration]:
    return [one for one in doses if one.at > now - days * _DAY]


def _amount(doses: Sequence[Administration]) -> Amount:
    thousandths = sum(round(one.dose_mg * 1000) for one in doses)
    return Amount(len(doses), _sessions(doses), thousandths / 1000)


def _sessions(doses: Sequence[Administration]) -> int:
    return len({one.session for one in doses})


def _spacing(doses: Sequence[Administration]) -> list[float]:
    began: dict[Hashable, int] = {}
    for one in doses:
        began.setdefault(one.session, one.at)
    return [(later - earlier) / _DAY for earlier, later in pairwise(began.values())]
