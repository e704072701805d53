"""What cannot be so about a visit, whatever else is known."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from app.clinical import exposure
from app.kernel.errors import Fault, Kind, Problem
from app.treatment.schemas import DosingSessionIn

_WITHOUT: Final = ("preparation", "not-done")
AHEAD: Final = timedelta(minutes=10)
"""A dose is recorded, not planned; a clinic's clock may be ahead by this much. One that is wrong by
more is noticed here, and not when somebody wants to go home by it."""
ELSEWHERE: Final = ("home", "practitioner-home")
"""Settings that are not the clinic."""


def check(sent: DosingSessionIn, now: datetime) -> None:
    """Raises: Problem INVALID, with every place."""
    faults = [*_wrong_with_visit(sent), *_wrong_with_doses(sent, now)]
    if faults:
        raise Problem(Kind.INVALID, faults=faults)


def _wrong_with_visit(sent: DosingSessionIn) -> Iterator[Fault]:
    if sent.status in _WITHOUT and sent.administrations:
        yield Fault("/administrations", "must be empty when nothing was given")
    if sent.status not in _WITHOUT and not sent.administrations:
        yield Fault("/administrations", "must name what was given; a visit without is not-done")
    if sent.status == "preparation" and sent.started_at is None:
        yield Fault("/started_at", "is required for a planned visit")
    if sent.started_at and sent.ended_at and sent.ended_at < sent.started_at:
        yield Fault("/ended_at", "must not be before the start")
    if sent.setting in ELSEWHERE and sent.status != "not-done":
        for member in ("recorded_by", "emergency_plan"):
            if getattr(sent, member) is None:
                yield Fault(f"/{member}", "is required where the visit is not at the clinic")
    if sent.weight_kg is not None and (fault := exposure.weight_fault(sent.weight_kg)):
        yield Fault("/weight_kg", fault)


def _wrong_with_doses(sent: DosingSessionIn, now: datetime) -> Iterator[Fault]:
    for place, one in enumerate(sent.administrations):
        if fault := exposure.dose_fault(one.drug, one.route, one.dose_mg):
            yield Fault(f"/administrations/{place}/dose_mg", fault)
        pointer = f"/administrations/{place}/given_at"
        if one.given_at > now + AHEAD:
            yield Fault(pointer, "has not come yet")
        if sent.started_at and one.given_at < sent.started_at:
            yield Fault(pointer, "must not be before the start")
        if sent.ended_at and one.given_at > sent.ended_at:
            yield Fault(pointer, "must not be after the end")
