"""What crosses the wire about check-ins."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from app.kernel.edge import Open, Wire
from app.kernel.fields import Code, Instant
from app.safety.schemas import SafetyOut

Answer = Annotated[int, Field(ge=-32768, le=32767)]


class CheckInIn(Wire):
    """Answers to an instrument."""

    id: Annotated[
        UUID | None, Field(description="Made by the client, so that a retry is safe.")
    ] = None
    instrument: Annotated[str, Field(min_length=1, max_length=64, examples=["phq-9"])]
    instrument_version: Annotated[str, Field(min_length=1, max_length=16)] | None = None
    answers: Annotated[
        list[Answer | None],
        Field(
            max_length=200,
            description="The scored items in the definition's order, null for one left out.",
            examples=[[2, 2, 1, 2, 1, 1, 1, 0, 0]],
        ),
    ]
    extras: Annotated[
        dict[Code, Answer | None],
        Field(max_length=20, description="Unscored items by key.", examples=[{"difficulty": 1}]),
    ] = {}
    recorded_at: Instant
    sent_at: Annotated[
        Instant | None,
        Field(description="The phone's clock when it sends: a constant error is corrected by it."),
    ] = None


class PositionOut(Open):
    """Where an entry stands relative to the doses."""

    dose_number: Annotated[int, Field(description="The last dose before it; 0 before any.")]
    hours_since_dose: float | None
    window: Annotated[str, Field(description="baseline, 0-4h, 4-24h, 1-7d or later")]


class CheckInOut(Open):
    """A check-in, scored."""

    id: UUID
    version: int
    status: str
    instrument: str
    instrument_version: str
    scoring_version: str
    answers: list[int | None]
    extras: dict[str, Any]
    total: Annotated[int | None, Field(description="Null when an item is missing.")]
    band: str | None
    complete: bool
    assessed: bool
    level: str
    recorded_at: datetime
    received_at: datetime
    effective_at: Annotated[datetime, Field(description="Where it is placed in time.")]
    clock_ahead_seconds: int | None
    position: PositionOut
    doses_in_recall_window: Annotated[
        int, Field(description="Doses within the time the instrument asks about.")
    ]


class SubmittedOut(CheckInOut):
    """A check-in as the answer to its sending."""

    safety: SafetyOut


class CheckInPage(Open):
    """Newest first."""

    check_ins: list[CheckInOut]
    next_cursor: str | None


class InstrumentList(Open):
    """The instruments a client may send, whole."""

    instruments: list[dict[str, Any]]
