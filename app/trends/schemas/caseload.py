"""A clinician's list, and whom to look for on it."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.kernel.paging import MAX_PAGE
from app.kernel.strict import Open, Wire
from app.safety.schemas import FlagRef


class SparklineOut(Open):
    """The newest complete scores of what got worse or was lost, otherwise of the first of PHQ-9,
    GAD-7 and PCL-5 that has one lately; effective_at and score are columns of equal length.
    """

    instrument: str
    minimum: int
    maximum: int
    direction: str | None
    effective_at: list[datetime]
    score: list[int | float]
    doses_at: Annotated[
        list[datetime], Field(description="Given since the first of these scores, oldest first.")
    ]


class CaseOut(Open):
    """A patient on a clinician's list."""

    patient_id: UUID
    name: Annotated[str | None, Field(description="Null if it cannot be opened.")]
    why: Annotated[
        str,
        Field(
            description="What places them on the list: flag, worsening, loss-of-response, overdue,"
            " silent or nothing-noted"
        ),
    ]
    also: Annotated[list[str], Field(description="What else is true of them, in that order.")]
    flag: FlagRef | None
    flag_raised_at: datetime | None
    last_check_in_at: datetime | None
    last_phq9_total: int | None
    last_phq9_at: datetime | None
    last_dose_at: datetime | None
    sparkline: SparklineOut | None


class CaseloadOut(Open):
    """Open flags first, worst and oldest first; then by `rule`."""

    patients: list[CaseOut]
    rule: str
    next_cursor: str | None


class CaseSearchIn(Wire):
    """Whom to look for on one's own list. In a body, because an address is written down."""

    name: Annotated[
        str | None,
        Field(max_length=200, description="A part of it, whatever its case and accents."),
    ] = None
    only: Literal["flagged", "worsening", "loss-of-response", "overdue", "silent"] | None = None
    cursor: Annotated[str | None, Field(max_length=512)] = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50
