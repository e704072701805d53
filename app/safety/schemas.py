"""What crosses the wire about safety."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.kernel.strict import Open


class CrisisLine(Open):
    """People to talk to, now."""

    name: str
    phone: str | None = None
    phone_note: str | None = None
    sms: str | None = None
    sms_text: str | None = None
    whatsapp: str | None = None
    email: str | None = None
    chat_url: str | None = None
    hours: str
    languages: list[str]
    source: str
    verified_on: Annotated[str, Field(description="Month in which the source was read.")]


class Help(Open):
    """Whom to call in one country."""

    country: str
    emergency_number: str | None
    crisis_lines: list[CrisisLine]
    advice: str


class FlagRef(Open):
    """The flag that an answer raised or joined."""

    id: UUID
    level: Annotated[str, Field(description="low, moderate or high")]
    status: Annotated[str, Field(description="open, acknowledged or resolved")]
    round: int


class SafetyOut(Open):
    """In every answer to what a patient sends: whom to call, who has been told, what was found."""

    emergency_number: str | None
    advice: str
    crisis_lines: list[CrisisLine]
    clinic_phone: str | None
    country: str
    monitoring_statement: str
    assessed: Annotated[
        bool, Field(description="Whether suicidal thoughts were asked about and answered.")
    ]
    level: Annotated[str, Field(description="none, low, moderate or high")]
    reasons: list[str]
    flag: FlagRef | None


class EvidenceOut(Open):
    """A sign of danger that a flag rests on."""

    source_kind: str
    source_id: UUID
    level: str
    reasons: list[str]
    recorded_at: Annotated[datetime, Field(description="As the phone's clock had it.")]
    effective_at: Annotated[datetime, Field(description="With the phone's clock corrected.")]
    received_at: datetime
    seconds_late: Annotated[int, Field(description="From effective_at to received_at.")]


class FlagOut(Open):
    """A flag in a clinician's inbox. An administrator sees its state and no evidence."""

    id: UUID
    patient_id: UUID
    patient_name: str | None
    version: int
    level: str
    status: str
    round: int
    raised_at: datetime
    updated_at: datetime
    told_at: Annotated[
        datetime | None, Field(description="When the newest round was put before you.")
    ]
    evidence: Annotated[
        list[EvidenceOut], Field(description="The newest twenty, oldest of them first.")
    ]


class FlagPage(Open):
    """Worst first, then oldest first."""

    flags: list[FlagOut]
    next_cursor: str | None
