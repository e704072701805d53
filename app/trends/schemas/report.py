"""One page for a referrer."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.kernel.strict import Open
from app.trends.schemas.doses import WearOffOut
from app.trends.schemas.together import KeptOut
from app.trends.schemas.trajectory import TrajectoryOut


class ReportDose(Open):
    """A drug that was given. number: of the dose, from 1."""

    number: int
    drug: str
    route: str
    dose_mg: float
    given_at: datetime
    wear_off: Annotated[
        WearOffOut | None, Field(description="Of the gain on this scale after this dose.")
    ]


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
    asked: Annotated[KeptOut, Field(description="What became of what was asked for.")]
    limits: str
