"""Rounds of an escalation, for its tests."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.clinical.risk import Level
from app.people.clinics import WEEKDAYS_NINE_TO_FIVE
from app.safety.coverage import DAYS
from app.safety.escalation import (
    Channel,
    Hours,
    Outcome,
    PlannedStep,
    Policy,
    Round,
    Step,
    Who,
    begin,
    due,
    hand_over,
    shipped,
    told,
)

OFFICE = json.dumps(WEEKDAYS_NINE_TO_FIVE)
UNDECLARED = json.dumps({"hours": {}, "holidays": []})
BERLIN = "Europe/Berlin"
ANN, BEN = UUID(int=1), UUID(int=2)
MINUTE = timedelta(minutes=1)
FLAGGED = (Level.LOW, Level.MODERATE, Level.HIGH)


def coverage(*holidays: str, **by_day: list[list[str]]) -> str:
    return json.dumps({"hours": by_day, "holidays": list(holidays)})


NIGHTS = coverage(**{day: [["22:00", "06:00"]] for day in DAYS})


def at(text: str) -> datetime:
    """An instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


UNHURRIED = hypothesis_settings(deadline=None)  # cores are shared
WEDNESDAY_NOON = at("2026-03-04T11:00")  # in Berlin
INSTANTS = st.integers(0, 366 * 24 * 60 * 60).map(
    lambda second: at("2026-01-01T00:00") + timedelta(seconds=second)
)


def a_round(level: Level = Level.HIGH, hours: str = OFFICE, policy: Policy | None = None) -> Round:
    return begin(policy or shipped(), level, WEDNESDAY_NOON, hours, BERLIN)


def after(minutes: float) -> datetime:
    """So many minutes after the round began."""
    return WEDNESDAY_NOON + minutes * MINUTE


def numbers(round_: Round, now: datetime) -> list[int]:
    return [step.number for step in due(round_, now)]


def tell(round_: Round, number: int, now: datetime, outcome: Outcome = Outcome.TOLD) -> Round:
    return told(round_, round_.steps[number - 1], outcome, now)


def drain(
    round_: Round, now: datetime, outcome: Callable[[PlannedStep], Outcome]
) -> tuple[Round, list[PlannedStep]]:
    """A worker does everything that is due, until nothing is."""
    did = []
    while ready := due(round_, now):
        did.append(ready[0])
        round_ = told(round_, ready[0], outcome(ready[0]), now)
    return round_, did


def passed_on(round_: Round, now: datetime, policy: Policy | None = None) -> Round:
    """Ann hands over to Ben."""
    return hand_over(
        round_,
        by=ANN,
        to=BEN,
        at=now,
        policy=policy or shipped(),
        coverage=OFFICE,
        time_zone=BERLIN,
    )


def a_policy(*of_high: tuple[Who, int, Hours]) -> Policy:
    """The shipped one with these steps for a high level."""
    high = tuple(Step(who, minutes, hours, tuple(Channel)) for who, minutes, hours in of_high)
    return Policy(source="Us", convention=True, levels={**shipped().levels, Level.HIGH: high})
