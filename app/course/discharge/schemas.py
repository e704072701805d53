"""What crosses the wire about leaving."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.journal.schemas import EntryIn, EntryOut
from app.kernel.fields import Code, Sentence
from app.kernel.strict import Open, Wire


class OverrideIn(Wire):
    """A criterion that is open, and why somebody may leave all the same."""

    criterion: Code
    reason: Sentence


class DischargeIn(EntryIn):
    """Letting somebody go. `recorded_at` is when they left."""

    attested: Annotated[
        dict[Code, bool],
        Field(max_length=30, description="Of the criteria that a clinician attests, by key."),
    ] = {}
    overrides: Annotated[list[OverrideIn], Field(max_length=30)] = []


class Leaving(DischargeIn):
    """The same, with the visit that the address names."""

    dosing_session_id: UUID


class OverrideOut(Open):
    """A criterion that was open, and why somebody left all the same."""

    criterion: str
    reason: str


class JudgedCriterionOut(Open):
    """A criterion, held against what is known."""

    key: str
    label: str
    kind: str
    met: Annotated[str, Field(description="met, not-met or unknown")]
    value: Annotated[
        dict[str, int | float | str | bool],
        Field(description="What it was held against, by name; empty where nothing is known."),
    ]


class DischargeOut(EntryOut):
    """Somebody was let go."""

    dosing_session_id: UUID
    protocol_version: int
    discharged_by: Annotated[UUID, Field(description="The member who signed it last.")]
    attested: dict[str, bool]
    overrides: list[OverrideOut]
    criteria: Annotated[list[JudgedCriterionOut], Field(description="As they stood then.")]


class GateOut(Open):
    """Who may leave, as things stand."""

    dosing_session_id: UUID
    protocol_version: int
    as_of: datetime
    may_leave: Annotated[bool, Field(description="Whether nothing is open.")]
    open: Annotated[list[str], Field(description="Criteria that are not met, or not known.")]
    criteria: list[JudgedCriterionOut]
    discharge: Annotated[DischargeOut | None, Field(description="Null until somebody was let go.")]


class DischargeVersion(Open):
    """A discharge as it once was, and what was done to it then."""

    version: int
    action: Annotated[str, Field(examples=["discharge.amended"])]
    at: datetime
    by: str
    discharge: DischargeOut


class DischargeVersions(Open):
    """Every version, the first one first."""

    versions: list[DischargeVersion]
