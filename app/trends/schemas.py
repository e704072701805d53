"""What crosses the wire about trends."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.kernel.strict import Open
from app.safety.schemas import FlagRef


class PointsOut(Open):
    """Columns of equal length, oldest first."""

    effective_at: list[datetime]
    score: Annotated[
        list[int | float | None],
        Field(description="Total, or the item's answer; null if incomplete."),
    ]
    change: Annotated[list[int | float | None], Field(description="Current minus baseline.")]
    percent_change: list[float | None]
    dose_number: list[int]
    hours_since_dose: list[float | None]
    window: list[str]


class BaselineOut(Open):
    """What change is measured from."""

    index: Annotated[int | None, Field(description="Among the points; null if not shown.")]
    score: int | float
    effective_at: datetime
    rule: Annotated[str, Field(description="pinned, before-first-dose or first-complete")]
    provisional: bool


class OutcomeOut(Open):
    """What the latest complete score says, measured from the baseline."""

    index: Annotated[int | None, Field(description="Among the points; null if not shown.")]
    score: int | float
    effective_at: datetime
    band: str | None
    change: int | float
    percent_change: float | None
    direction: Annotated[str, Field(description="improved, worse or unchanged")]
    reliable: Annotated[
        bool | None, Field(description="At least the instrument's reliable change, either way.")
    ]
    response: bool | None
    remission: bool | None
    doses_in_recall_window: int


class DosesOut(Open):
    """Every dose's t = 0, oldest first."""

    effective_at: list[datetime]


class TrajectoryOut(Open):
    """One scale over time, anchored to the doses."""

    instrument: str
    instrument_version: str
    item: str | None
    direction: Annotated[str | None, Field(description="lower-is-better or higher-is-better")]
    minimum: int
    maximum: int
    is_ordinal: Annotated[
        bool, Field(description="True for suicidal ideation: nothing is subtracted or averaged.")
    ]
    measures_hours: Annotated[
        bool, Field(description="Whether a change within hours of a dose can show at all.")
    ]
    points: PointsOut
    doses: DosesOut
    baseline: BaselineOut | None
    latest: OutcomeOut | None
    sources: list[str]
    conventions: list[str]
    caveat: str


class CaseOut(Open):
    """A patient on a clinician's list."""

    patient_id: UUID
    name: Annotated[str | None, Field(description="Null if it cannot be opened.")]
    flag: FlagRef | None
    flag_raised_at: datetime | None
    last_check_in_at: datetime | None
    last_phq9_total: int | None
    last_phq9_at: datetime | None
    last_dose_at: datetime | None


class CaseloadOut(Open):
    """Open flags first, worst and oldest first; then whoever has been silent longest."""

    patients: list[CaseOut]
    next_cursor: str | None


class ReportDose(Open):
    """A drug that was given. number: of the dose, from 1."""

    number: int
    drug: str
    route: str
    dose_mg: float
    given_at: datetime


class ReportOutcome(Open):
    """One outcome, what it means, and where that is from."""

    key: Annotated[str, Field(examples=["response"])]
    label: str
    value: Annotated[str, Field(examples=["yes", "not assessable"])]
    definition: str
    convention: Annotated[bool, Field(description="The definition is our own choice.")]


class ReportBy(Open):
    """Who asked for a report."""

    role: Annotated[str, Field(description="patient or clinician")]
    name: str


class ReportOut(Open):
    """One page for a referrer, as numbers. `limits`: what none of it can prove."""

    made_at: datetime
    made_by: ReportBy
    patient_id: UUID
    patient_name: str
    time_zone: Annotated[str, Field(description="Whose days the dates of the page are.")]
    clinic_name: str
    clinic_phone: str | None
    trajectory: TrajectoryOut
    doses: Annotated[list[ReportDose], Field(description="Oldest first; the newest 200 visits.")]
    outcomes: list[ReportOutcome]
    limits: str
