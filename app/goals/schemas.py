"""What crosses the wire about goals."""

from typing import Annotated

from pydantic import Field

from app.journal.schemas import TieredIn, TieredOut
from app.kernel.fields import Code, Words


class GoalIn(TieredIn):
    """An integration goal, in the patient's words."""

    words: Words
    why: Words | None = None
    life_area: Annotated[
        Code | None, Field(description="Such as relationships, work, body, meaning.")
    ] = None


class GoalOut(TieredOut):
    """An integration goal. status: FHIR goal lifecycle status, such as active."""

    words: str
    why: str | None
    life_area: str | None
