"""What crosses the wire with every entry."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.kernel.fields import Instant
from app.kernel.strict import Open, Wire

Tier = Annotated[
    Literal["private", "care-team", "health-record"],
    Field(
        description="Who reads it besides the patient: nobody; those who care for them; also the"
        " health-record systems that the clinic is connected to."
    ),
]
ThreadKind = Literal[
    "intention", "note", "insight", "goal", "goal_step", "practice", "coping_strategy"
]


class EntryIn(Wire):
    """What every entry is sent with."""

    id: Annotated[UUID | None, Field(description="Made by the client; makes a retry safe.")] = None
    recorded_at: Instant
    sent_at: Annotated[
        Instant | None, Field(description="The client's clock when it sends; places the entry.")
    ] = None


class LinkIn(Wire):
    """The entry that this one came from."""

    kind: ThreadKind
    id: UUID


class TieredIn(EntryIn):
    """What the patient shows to whom they like."""

    tier: Tier = "care-team"
    came_from: Annotated[
        LinkIn | None, Field(description="The entry of one's own that led to this one.")
    ] = None


class EntryOut(Open):
    """What every entry is answered with."""

    id: UUID
    version: int
    status: str
    recorded_at: datetime
    received_at: datetime
    effective_at: datetime
    clock_ahead_seconds: int | None


class LinkOut(Open):
    """The entry that this one came from."""

    kind: str
    id: UUID


class TieredOut(EntryOut):
    """What the patient shows to whom they like."""

    tier: str = "care-team"
    came_from: Annotated[
        LinkOut | None,
        Field(description="Told to the patient alone; others see it in the thread."),
    ] = None
