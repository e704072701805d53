"""What crosses the wire about safety."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.kernel.fields import Instant, Phone, Sentence, TimeZone, Words
from app.kernel.strict import Open, Wire


class CrisisLine(Open):
    """People to talk to, now. languages: ISO 639; `ase`, `bfi`, `fsl` … are signed ones."""

    name: str
    phone: str | None = None
    phone_note: str | None = None
    videophone: Annotated[
        str | None, Field(description="To be dialled with a videophone, in a signed language.")
    ] = None
    textphone: Annotated[str | None, Field(description="To be dialled with a TTY.")] = None
    video_url: Annotated[str | None, Field(description="For a video call.")] = None
    relay_note: Annotated[str | None, Field(description="What a relay service is asked for.")] = (
        None
    )
    sms: str | None = None
    sms_text: str | None = None
    whatsapp: str | None = None
    email: str | None = None
    chat_url: str | None = None
    hours: str
    languages: list[str]
    source: str
    is_second_hand: Annotated[
        bool, Field(description="The source is not the page of whoever runs the line.")
    ] = False
    verified_on: Annotated[
        str,
        Field(description="Month in which the number was found at its source; nobody dialled it."),
    ]


class ClinicNumber(Open):
    """A clinic's own telephone number."""

    phone: str
    when: Annotated[str, Field(description="always, on-duty or off-duty")]
    holds_now: Annotated[
        bool | None, Field(description="Null where the clinic has not said when it is on duty.")
    ]


class Help(Open):
    """Whom to call in one country."""

    country: str
    emergency_number: str | None
    emergency_channels: Annotated[
        list[CrisisLine],
        Field(description="The emergency services without a voice call: text, relay, video."),
    ]
    crisis_lines: list[CrisisLine]
    advice: str


class FlagRef(Open):
    """The flag that an answer raised or joined."""

    id: UUID
    kind: Annotated[str, Field(description="suicide-risk or physical")]
    level: Annotated[str, Field(description="low, moderate or high")]
    status: Annotated[str, Field(description="open, acknowledged or resolved")]
    round: int
    is_historic: Annotated[
        bool, Field(description="It was recorded long before it arrived, and alarmed nobody.")
    ]


MAX_OF_A_LIST = 20
"""Entries in each list of a safety plan."""

_Texts = Annotated[list[Sentence], Field(max_length=MAX_OF_A_LIST)]


class PlanContactIn(Wire):
    """Somebody to turn to."""

    name: Sentence
    phone: Phone | None = None


class SafetyPlanIn(Wire):
    """A patient's plan for hard hours, all of it: what is left out is empty."""

    id: Annotated[
        UUID | None, Field(description="The patient's, if it is sent: everybody has one plan.")
    ] = None
    signs_i_notice: _Texts = []
    things_i_can_do: _Texts = []
    places_and_people: Annotated[_Texts, Field(description="That take my mind off it.")] = []
    people_i_can_tell: Annotated[list[PlanContactIn], Field(max_length=MAX_OF_A_LIST)] = []
    services_i_can_call: Annotated[
        list[PlanContactIn],
        Field(
            max_length=MAX_OF_A_LIST,
            description="One's own; the crisis lines of the country are told beside them.",
        ),
    ] = []
    making_home_safer: _Texts = []
    reasons_to_keep_going: _Texts = []
    recorded_at: Instant
    sent_at: Instant | None = None


class PlanContact(Open):
    """Somebody to turn to."""

    name: str
    phone: str | None


class SafetyPlanOut(Open):
    """A patient's plan for hard hours, in their own words. The instants are of this version."""

    id: Annotated[UUID, Field(description="The patient's.")]
    version: int
    signs_i_notice: list[str]
    things_i_can_do: list[str]
    places_and_people: list[str]
    people_i_can_tell: list[PlanContact]
    services_i_can_call: list[PlanContact]
    making_home_safer: list[str]
    reasons_to_keep_going: list[str]
    recorded_at: datetime
    received_at: datetime
    effective_at: datetime
    clock_ahead_seconds: int | None


class SafetyPlanVersion(Open):
    """A plan as it once was."""

    version: int
    action: Annotated[str, Field(examples=["safety_plan.amended"])]
    at: datetime
    by: str
    safety_plan: SafetyPlanOut


class SafetyPlanVersions(Open):
    """Every version, the first one first."""

    versions: list[SafetyPlanVersion]


class SafetyOut(Open):
    """In every answer to what a patient sends: whom to call, who has been told, what was found."""

    emergency_number: str | None
    advice: str
    crisis_lines: list[CrisisLine]
    clinic_phone: str | None
    clinic_numbers: Annotated[
        list[ClinicNumber], Field(description="The clinic's own, the one that holds now first.")
    ]
    emergency_channels: Annotated[
        list[CrisisLine],
        Field(description="The emergency services without a voice call: text, relay, video."),
    ]
    call_in_order: Annotated[
        list[str],
        Field(
            description="Members of this block to show, first things first: emergency_number,"
            " clinic_numbers, crisis_lines. The emergency number leads where danger is immediate."
        ),
    ]
    country: str
    monitoring_statement: str
    assessed: Annotated[
        bool, Field(description="Whether suicidal thoughts were asked about and answered.")
    ]
    level: Annotated[str, Field(description="none, low, moderate or high")]
    reasons: list[str]
    flag: FlagRef | None
    next_instrument: Annotated[
        str | None, Field(description="To be asked at once; null where the clinic uses none.")
    ]
    safety_plan: Annotated[
        SafetyPlanOut | None,
        Field(description="The patient's own, where danger was flagged; null if there is none."),
    ]


class WrittenSafetyPlanOut(SafetyPlanOut):
    """A plan as the answer to its sending. Nobody reads its words for signs of danger."""

    safety: SafetyOut


class FlagEventOut(Open):
    """What somebody did about a flag. A patient sees who and when, and no note."""

    id: UUID
    round: int
    action: Annotated[
        str, Field(description="acknowledged, handed-over, contacted, commented or resolved")
    ]
    by: str
    to: str | None
    at: datetime
    disposition: str | None
    note: str | None


class FlagState(FlagRef):
    """A flag, and what was done about it."""

    version: int
    raised_at: datetime
    round_began_at: datetime
    acknowledged_by: Annotated[str | None, Field(description="Who sees to the newest round.")]
    acknowledged_at: datetime | None
    events: list[FlagEventOut]


class FlagStatePage(Open):
    """Newest first; at most a hundred."""

    flags: list[FlagState]


class Place(Wire):
    """Where somebody says they are."""

    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    accuracy_metres: Annotated[float | None, Field(ge=0, le=1_000_000)] = None


class FlagIn(Wire):
    """A call for help, or a clinician's own concern. Of a patient's call every member may be left
    out, and what cannot be read is passed over.
    """

    id: UUID | None = None
    kind: Literal["suicide-risk", "physical"] = "suicide-risk"
    level: Annotated[
        Literal["low", "moderate", "high"],
        Field(description="A clinician's; a patient's call is always high."),
    ] = "high"
    note: Annotated[
        Words | None, Field(description="Sealed; read by clinicians who see the flag.")
    ] = None
    place: Annotated[
        Place | None, Field(description="Shared with whoever sees the flag, if it is sent.")
    ] = None
    recorded_at: Instant | None = None


class RaisedOut(Open):
    """The flag that was raised or joined, and whom to call."""

    id: Annotated[UUID, Field(description="Of the call; the flag is in `safety`.")]
    received_at: datetime
    safety: SafetyOut


class HandOverIn(Wire):
    """Who sees to it from now on."""

    to: Annotated[UUID, Field(description="The membership of another clinician.")]
    note: Words | None = None


class ContactIn(Wire):
    """Somebody was spoken to, or could not be reached."""

    id: UUID | None = None
    outcome: Literal["reached", "not-reached", "reached-somebody-else"]
    note: Words | None = None


class CommentIn(Wire):
    """A note for one's colleagues."""

    id: UUID | None = None
    note: Words


class ResolveIn(Wire):
    """What was decided, and why."""

    disposition: Literal[
        "plan-agreed",
        "seen-in-person",
        "referred",
        "emergency-services",
        "entered-in-error",
        "other",
    ]
    note: Words


class PlaceOut(Open):
    """Where somebody said they were."""

    latitude: float
    longitude: float
    accuracy_metres: float | None


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
    note: Annotated[str | None, Field(description="What somebody wrote with a call or concern.")]
    place: Annotated[PlaceOut | None, Field(description="Where they said they were.")]


class ReachOut(Open):
    """Somebody to call for a patient."""

    name: str
    phone: str
    relation: str | None = None


class FlagOut(Open):
    """A flag in a clinician's inbox. An administrator sees its state and no evidence."""

    id: UUID
    patient_id: UUID
    patient_name: str | None
    patient_phone: str | None
    emergency_contacts: list[ReachOut]
    version: int
    kind: Annotated[str, Field(description="suicide-risk or physical")]
    level: str
    status: str
    round: int
    is_historic: Annotated[
        bool, Field(description="It was recorded long before it arrived, and alarmed nobody.")
    ]
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


class DeliveryOut(Open):
    """One attempt to tell one member of one step of a round by one channel."""

    id: UUID
    flag_id: UUID
    round: int
    step: int
    membership_id: UUID
    member: Annotated[str, Field(description="The name of the member of the clinic.")]
    address_id: Annotated[UUID, Field(description="As they registered it; not where it is.")]
    channel: Annotated[str, Field(description="email, web-push or webhook")]
    outcome: Annotated[str, Field(description="sent, gone (for good) or not-now (tried again)")]
    why: Annotated[str | None, Field(description="A code, such as no_answer or smtp_450.")]
    at: datetime


class DeliveryPage(Open):
    """Newest first."""

    deliveries: list[DeliveryOut]
    next_cursor: str | None


_Line = Annotated[str, Field(max_length=1000)]


class EscalationStepIn(Wire):
    """A step: who is told, how many minutes after the round began, in which hours, by what."""

    who: Annotated[_Line, Field(description="care-team, next or administrators")]
    after_minutes: Annotated[int, Field(ge=0, le=1_000_000)]
    hours: Annotated[_Line, Field(description="at-all-hours, within-coverage or next-coverage")]
    channels: Annotated[
        list[_Line],
        Field(max_length=10, description="inbox, email, web-push, webhook, stream"),
    ]


class EscalationLevelsIn(Wire):
    """The steps of each level, in order."""

    low: Annotated[list[EscalationStepIn], Field(max_length=40)]
    moderate: Annotated[list[EscalationStepIn], Field(max_length=40)]
    high: Annotated[list[EscalationStepIn], Field(max_length=40)]


class EscalationIn(Wire):
    """How a clinic escalates a flag that nobody answers."""

    source: _Line
    convention: bool
    levels: EscalationLevelsIn


class EscalationStepOut(Open):
    """A step, as it was published."""

    who: str
    after_minutes: int
    hours: str
    channels: list[str]


class EscalationOut(Open):
    """The policy that holds. version: 0 is the one that ships."""

    version: int
    published_at: datetime | None
    source: str
    convention: bool
    levels: Annotated[dict[str, list[EscalationStepOut]], Field(description="By level.")]


_Clock = Annotated[str, Field(max_length=5, examples=["09:00"])]


class HoursIn(Wire):
    """When a clinic is on duty, on its own clock; all of it. A day without a shift is off duty."""

    hours: Annotated[
        dict[
            Annotated[str, Field(max_length=3, description="mon to sun")],
            Annotated[
                list[Annotated[list[_Clock], Field(min_length=2, max_length=2)]],
                Field(max_length=20),
            ],
        ],
        Field(max_length=7, examples=[{"mon": [["09:00", "17:00"]]}]),
    ]
    holidays: Annotated[
        list[Annotated[str, Field(max_length=10, examples=["2026-12-25"])]],
        Field(max_length=1000, description="Off duty all day."),
    ] = []
    time_zone: Annotated[
        TimeZone | None, Field(description="The clinic's clock; left out, it stays as it is.")
    ] = None


class HoursOut(Open):
    """When a clinic says that it is on duty; no hours at all: it has said nothing."""

    version: Annotated[str, Field(description="As in the ETag, for a change to start from.")]
    time_zone: str
    hours: dict[str, list[list[str]]]
    holidays: list[str]
