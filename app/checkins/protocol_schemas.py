"""What crosses the wire about a clinic's protocol.

What is sent is bounded here; the reader in `app/clinical/protocol` has its own, narrower bounds,
and names what is wrong. Each part has its members once, for both directions.
"""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from app.clinical.protocol import READING_WITHIN_MINUTES
from app.kernel.strict import Open, Wire

_Line = Annotated[str, Field(max_length=4000)]
_Lines = Annotated[list[_Line], Field(max_length=40)]
_Span = Annotated[list[int], Field(max_length=8, description="From and to, both included.")]
_Minutes = Annotated[
    list[int],
    Field(max_length=200, description="From the first administration; before it, negative."),
]


class _Cited(BaseModel):
    """Where a part's numbers come from. convention: ours or the clinic's, of no authority."""

    source: _Line
    convention: bool


class _Named(BaseModel):
    key: _Line
    label: _Line


class _PreparationItem(_Named):
    kind: Annotated[_Line, Field(description="asked-patient, asked-staff or measured")]
    required: Annotated[bool, Field(description="Its absence is a gap, and warns.")]


class _Alarm(_Cited):
    vital: Annotated[
        _Line,
        Field(description="systolic or diastolic (mm[Hg]), spo2 (%), pulse or respiration (/min)"),
    ]
    low: Annotated[int | None, Field(description="Highlighted at this and below.")] = None
    high: Annotated[int | None, Field(description="Highlighted at this and above.")] = None


class _Criterion(_Named, _Cited):
    kind: Annotated[
        _Line,
        Field(
            description="minutes-since-dose or spo2 (at_least), near-baseline (systolic_within and"
            " diastolic_within, mm[Hg]), dissociation or sedation (at_most, of 10), risk-screen"
            " (at_most_level), or attested"
        ),
    ]
    at_least: int | None = None
    at_most: int | None = None
    systolic_within: int | None = None
    diastolic_within: int | None = None
    at_most_level: Annotated[_Line | None, Field(description="none, low, moderate or high")] = None


class _Prompt(_Named, _Cited):
    drug: Annotated[_Line | None, Field(description="Left out: each drug on its own.")] = None
    route: Annotated[
        _Line | None,
        Field(description="Left out: sessions by any route; doses and mg each route on its own."),
    ] = None
    measure: Annotated[_Line, Field(description="doses, mg or sessions")]
    at_least: int
    within_days: int
    about: Annotated[_Lines, Field(description="bladder, liver or cravings")]
    instruments: Annotated[_Lines, Field(description="Proposed; nothing is sent by itself.")] = []


class _Course(_Cited):
    sessions: _Span
    spacing_days: _Span
    weeks: _Span


class _Preparation(_Cited):
    reading_within_minutes: Annotated[
        int, Field(description="How old the last blood pressure may be at the dose.")
    ] = READING_WITHIN_MINUTES


class _Monitoring(_Cited):
    record_minutes: _Minutes
    tolerance_minutes: Annotated[
        int, Field(description="How far from a point a reading still counts for it.")
    ]


class _Discharge(_Cited):
    reading_within_minutes: Annotated[
        int, Field(description="How old a reading may be to say how somebody is now.")
    ]


class _Aftercare(_Cited):
    check_hours: Annotated[
        list[int], Field(max_length=40, description="After a dose; when one asks.")
    ]


class _Integration(_Cited):
    within_hours: Annotated[_Span, Field(description="After a dose; when the talk is due.")]
    open_days: Annotated[
        int,
        Field(
            description="After a dose; until then a talk counts as its own, and practices and goals"
            " come before questionnaires in what is due."
        ),
    ]


class ProtocolNamedIn(_Named, Wire):
    """Something on a list."""


class ProtocolNamedOut(_Named, Open):
    """Something on a list."""


class ProtocolPreparationItemIn(_PreparationItem, Wire):
    """One line of the checklist before a dose."""


class ProtocolPreparationItemOut(_PreparationItem, Open):
    """One line of the checklist before a dose."""


class ProtocolAlarmIn(_Alarm, Wire):
    """From where a vital sign is highlighted: a reason to look, never a diagnosis."""


class ProtocolAlarmOut(_Alarm, Open):
    """From where a vital sign is highlighted: a reason to look, never a diagnosis."""


class ProtocolCriterionIn(_Criterion, Wire):
    """One thing that has to be so before a patient leaves."""


class ProtocolCriterionOut(_Criterion, Open):
    """One thing that has to be so before a patient leaves."""


class ProtocolPromptIn(_Prompt, Wire):
    """When cumulative exposure makes a clinician ask after something."""


class ProtocolPromptOut(_Prompt, Open):
    """When cumulative exposure makes a clinician ask after something."""


class ProtocolIntegrationIn(_Integration, Wire):
    """When the talk about a dose is due."""


class ProtocolIntegrationOut(_Integration, Open):
    """When the talk about a dose is due."""


class ProtocolCourseIn(_Course, Wire):
    """How long a course is meant to be. A plan outside of it is a question, not an error."""

    indications: Annotated[list[ProtocolNamedIn], Field(max_length=200)]


class ProtocolPreparationIn(_Preparation, Wire):
    """The checklist before a dose."""

    items: Annotated[list[ProtocolPreparationItemIn], Field(max_length=200)]


class ProtocolMonitoringIn(_Monitoring, Wire):
    """When vital signs are to be taken, and what is highlighted."""

    alarms: Annotated[list[ProtocolAlarmIn], Field(max_length=200)]


class ProtocolDischargeIn(_Discharge, Wire):
    """What has to be so before a patient leaves; an override needs a reason."""

    criteria: Annotated[list[ProtocolCriterionIn], Field(max_length=200)]


class ProtocolAftercareIn(_Aftercare, Wire):
    """What a patient is told before leaving, and when one asks after a dose."""

    instructions: Annotated[list[ProtocolNamedIn], Field(max_length=200)]


class ProtocolExposureIn(_Cited, Wire):
    """When to ask after what repeated doses may do. Milligrams are never added up."""

    prompts: Annotated[list[ProtocolPromptIn], Field(max_length=200)]


class ProtocolCourseOut(_Course, Open):
    """How long a course is meant to be. A plan outside of it is a question, not an error."""

    indications: Annotated[list[ProtocolNamedOut], Field(max_length=200)]


class ProtocolPreparationOut(_Preparation, Open):
    """The checklist before a dose."""

    items: Annotated[list[ProtocolPreparationItemOut], Field(max_length=200)]


class ProtocolMonitoringOut(_Monitoring, Open):
    """When vital signs are to be taken, and what is highlighted."""

    alarms: Annotated[list[ProtocolAlarmOut], Field(max_length=200)]


class ProtocolDischargeOut(_Discharge, Open):
    """What has to be so before a patient leaves; an override needs a reason."""

    criteria: Annotated[list[ProtocolCriterionOut], Field(max_length=200)]


class ProtocolAftercareOut(_Aftercare, Open):
    """What a patient is told before leaving, and when one asks after a dose."""

    instructions: Annotated[list[ProtocolNamedOut], Field(max_length=200)]


class ProtocolExposureOut(_Cited, Open):
    """When to ask after what repeated doses may do. Milligrams are never added up."""

    prompts: Annotated[list[ProtocolPromptOut], Field(max_length=200)]


class ProtocolPointIn(Wire):
    """A time point. One of `hours` and `days`: when it opens, is due and expires.

    Hours are elapsed time, days are the patient's local days.
    """

    key: _Line
    label: _Line
    anchor: Annotated[_Line, Field(description="enrolment, planned-session, dose or first-dose")]
    instruments: Annotated[list[_Line], Field(max_length=40)]
    hours: Annotated[list[int], Field(max_length=8, examples=[[12, 24, 36]])] | None = None
    days: Annotated[list[int], Field(max_length=8, examples=[[5, 7, 10]])] | None = None
    at_local: (
        Annotated[list[_Line], Field(max_length=8, examples=[["00:00", "18:00", "00:00"]])] | None
    ) = None
    every: int | None = None
    times: int | None = None
    every_doses: int | None = None
    source: _Line
    convention: bool


class ProtocolIn(Wire):
    """What a clinic asks when, anchored to the doses; and what its courses are like.

    A section that is left out stays as it is.
    """

    title: _Line
    source: _Line
    convention: bool
    late_days: Annotated[
        int, Field(description="After a time point closed, an answer still counts, as late.")
    ]
    points: Annotated[list[ProtocolPointIn], Field(max_length=200)]
    course: ProtocolCourseIn | None = None
    preparation: ProtocolPreparationIn | None = None
    monitoring: ProtocolMonitoringIn | None = None
    discharge: ProtocolDischargeIn | None = None
    aftercare: ProtocolAftercareIn | None = None
    exposure: ProtocolExposureIn | None = None
    integration: ProtocolIntegrationIn | None = None


class ProtocolPointOut(Open):
    """A time point, as it was published."""

    key: str
    label: str
    anchor: str
    instruments: list[str]
    hours: list[int] | None = None
    days: list[int] | None = None
    at_local: list[str] | None = None
    every: int | None = None
    times: int | None = None
    every_doses: int | None = None
    source: str
    convention: bool


class ProtocolOut(Open):
    """The protocol that holds. version: 0 is the one that ships."""

    version: int
    published_at: datetime | None
    title: str
    source: str
    convention: bool
    late_days: int
    points: list[ProtocolPointOut]
    course: ProtocolCourseOut
    preparation: ProtocolPreparationOut
    monitoring: ProtocolMonitoringOut
    discharge: ProtocolDischargeOut
    aftercare: ProtocolAftercareOut
    exposure: ProtocolExposureOut
    integration: ProtocolIntegrationOut
