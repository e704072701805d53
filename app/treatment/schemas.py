"""What crosses the wire about treatment."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.kernel.fields import Code, Instant
from app.kernel.strict import Open, Wire

DoseMg = Annotated[
    float, Field(ge=0.001, le=5000, description="Milligrams, to a thousandth; more than 0.")
]


class AdministrationIn(Wire):
    """A drug that was given."""

    drug: Annotated[Code, Field(description="Such as ketamine or esketamine.")]
    route: Literal["iv", "im", "subcutaneous", "intranasal", "sublingual", "oral"]
    dose_mg: DoseMg
    given_at: Instant


class DosingSessionIn(Wire):
    """One visit for a dose."""

    id: UUID | None = None
    status: Annotated[
        Literal["preparation", "in-progress", "completed", "not-done"],
        Field(description="FHIR event status; in `preparation` the visit is planned."),
    ] = "completed"
    started_at: Annotated[
        Instant | None, Field(description="For a planned visit: when it is to begin; required.")
    ] = None
    ended_at: Instant | None = None
    administrations: Annotated[list[AdministrationIn], Field(max_length=20)] = []


class AdministrationOut(Open):
    """A drug that was given. `route` is one of the values a session is sent with."""

    drug: str
    route: str
    dose_mg: float
    given_at: datetime


class DosingSessionOut(Open):
    """A visit for a dose. number: its place among the patient's doses, from 1; 0 for none given."""

    id: UUID
    version: int
    status: str
    number: int
    started_at: datetime
    ended_at: datetime | None
    effective_at: Annotated[datetime, Field(description="t = 0: the first administration.")]
    administrations: list[AdministrationOut]
    received_at: datetime


class DosingSessionVersion(Open):
    """A visit as it once was recorded, and what was done to it then."""

    version: int
    action: Annotated[str, Field(examples=["dosing_session.amended"])]
    at: datetime
    by: str
    dosing_session: DosingSessionOut


class DosingSessionVersions(Open):
    """Every version, the first one first."""

    versions: list[DosingSessionVersion]


class DosingSessionPage(Open):
    """Newest first."""

    dosing_sessions: list[DosingSessionOut]
    next_cursor: str | None
