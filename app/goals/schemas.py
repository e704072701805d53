"""What crosses the wire about goals."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.kernel.fields import Code, Instant, Words
from app.kernel.strict import Open, Wire
from app.safety.schemas import SafetyOut


class GoalIn(Wire):
    """An integration goal, in the patient's words."""

    id: UUID | None = None
    words: Words
    why: Words | None = None
    life_area: Annotated[
        Code | None, Field(description="Such as relationships, work, body, meaning.")
    ] = None
    recorded_at: Instant
    sent_at: Instant | None = None


class GoalOut(Open):
    """An integration goal."""

    id: UUID
    version: int
    status: Annotated[str, Field(description="FHIR goal lifecycle status, such as active.")]
    words: str
    why: str | None
    life_area: str | None
    recorded_at: datetime
    received_at: datetime
    effective_at: datetime
    clock_ahead_seconds: int | None


class SetGoalOut(GoalOut):
    """A goal as the answer to its sending. Nobody reads its words for signs of danger."""

    safety: SafetyOut


class GoalVersion(Open):
    """A goal as it once was, and what was done to it then."""

    version: int
    action: Annotated[str, Field(examples=["goal.amended"])]
    at: datetime
    by: str
    goal: GoalOut


class GoalVersions(Open):
    """Every version, the first one first."""

    versions: list[GoalVersion]


class GoalPage(Open):
    """Newest first."""

    goals: list[GoalOut]
    next_cursor: str | None
