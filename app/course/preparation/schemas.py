"""What crosses the wire about the preparation of a visit."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.course.eligibility.schemas import YesNo
from app.journal.schemas import EntryIn, EntryOut
from app.kernel.fields import Code, Instant, Sentence, ShortWords
from app.kernel.strict import Open, Wire

Answers = Annotated[
    dict[Code, YesNo],
    Field(
        min_length=1,
        max_length=50,
        description="By item of the protocol's checklist.",
        examples=[{"fasting": "yes", "escort-named": "unknown"}],
    ),
]
Measured = Annotated[int | None, Field(ge=0, le=1000)]


class PreparationIn(EntryIn):
    """The patient's part of the checklist before a visit."""

    dosing_session_id: UUID
    answers: Answers
    note: Sentence | None = None


class PreparationOut(EntryOut):
    """The patient's part of the checklist before a visit."""

    dosing_session_id: UUID
    answers: dict[str, str]
    note: str | None


class CheckReadingIn(Wire):
    """What was measured before the dose."""

    measured_at: Instant
    systolic: Annotated[Measured, Field(description="mm[Hg]")] = None
    diastolic: Annotated[Measured, Field(description="mm[Hg]")] = None
    spo2: Annotated[Measured, Field(description="Percent.")] = None
    pulse: Annotated[Measured, Field(description="Per minute.")] = None
    respiration: Annotated[Measured, Field(description="Per minute.")] = None


class ReadingOut(Open):
    """What was measured before the dose."""

    measured_at: datetime
    systolic: int | None
    diastolic: int | None
    spo2: int | None
    pulse: int | None
    respiration: int | None


class PreparationCheckIn(EntryIn):
    """What staff asked, looked up and measured before a visit."""

    dosing_session_id: UUID
    answers: Annotated[dict[Code, YesNo], Field(max_length=50)] = {}
    reading: CheckReadingIn | None = None
    results: Annotated[
        dict[Code, ShortWords],
        Field(max_length=50, description="What else was measured, by item, in words; sealed."),
    ] = {}
    note: Sentence | None = None


class FoundItemOut(Open):
    """One line of the checklist."""

    key: str
    label: str
    kind: Annotated[str, Field(description="asked-patient, asked-staff or measured")]
    required: bool
    state: Annotated[str, Field(description="met, not-met or unknown")]
    by: Annotated[
        str | None, Field(description="patient, clinician or record; null where nobody spoke to it")
    ]
    at: datetime | None
    reasons: Annotated[
        list[str],
        Field(description="Codes: alarm-systolic, out-of-date, risk-high, incomplete, expired …"),
    ]


class FoundOut(Open):
    """The checklist of one visit. It warns, and lets nobody in and keeps nobody out."""

    as_of: Annotated[datetime, Field(description="The first dose, once something was given.")]
    protocol_version: int
    items: list[FoundItemOut]
    gaps: Annotated[
        list[str], Field(description="Items that are required and not met, or not known.")
    ]
    warnings: Annotated[
        list[str],
        Field(
            description="Codes: not-screened, screening-open (a condition was not answered, or not"
            " known), hard-stop, open-flag, no-course (that has not ended), course-takes-no-doses"
            " (it is planned or paused), course-ended (the one that the visit is part of). Once"
            " something was given: what warned when its dose was recorded."
        ),
    ]
    stops: Annotated[
        list[str], Field(description="Hard stops of the newest screening that nobody resolved.")
    ]


class PreparationCheckOut(EntryOut):
    """What staff asked, looked up and measured, and what was found with it."""

    dosing_session_id: UUID
    answers: dict[str, str]
    reading: ReadingOut | None
    results: dict[str, str]
    note: str | None
    protocol_version: int
    found: FoundOut


class SessionPreparationOut(FoundOut):
    """The checklist of one visit, and whether a clinician went through it."""

    dosing_session_id: UUID
    is_checked: Annotated[
        bool, Field(description="A clinician sent a check of this visit, before the dose.")
    ]
