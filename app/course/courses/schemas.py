"""What crosses the wire about courses."""

from typing import Annotated, Literal

from pydantic import Field

from app.course.eligibility.schemas import StandingOut
from app.journal.schemas import EntryIn, EntryOut
from app.kernel.fields import Code, Sentence


class CourseIn(EntryIn):
    """A course of treatment. A new one is planned; a move is an amendment with another status."""

    protocol_version: Annotated[
        int,
        Field(ge=0, le=999_999_999, description="Of the clinic's protocol; 0 is what ships."),
    ]
    indication: Annotated[
        Code, Field(description="One of those that this version of the protocol lists.")
    ]
    planned_sessions: Annotated[int, Field(ge=1, le=100)]
    spacing_days: Annotated[
        int | None, Field(ge=1, le=365, description="From one session to the next, as planned.")
    ] = None
    status: Literal["planned", "active", "maintenance", "paused", "completed", "stopped"] = (
        "planned"
    )
    reason: Annotated[
        Sentence | None,
        Field(description="Required to pause, stop and reopen; sealed."),
    ] = None
    note: Sentence | None = None


class CourseOut(EntryOut):
    """A course of treatment. status: planned, active, maintenance, paused, completed, stopped."""

    protocol_version: int
    indication: str
    planned_sessions: int
    spacing_days: int | None
    reason: str | None
    note: str | None
    may_move_to: Annotated[list[str], Field(description="Where it can go from here.")]
    outside_protocol: Annotated[
        list[str],
        Field(description="Members of the plan that the protocol does not foresee; a question."),
    ]
    eligibility: Annotated[
        StandingOut | None,
        Field(description="What stood and what was open when doses were last begun with it."),
    ]
