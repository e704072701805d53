"""What crosses the wire about treatment."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.kernel.fields import Code, Instant, Sentence, ShortWords
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


class PresentIn(Wire):
    """Somebody who was in the room."""

    role: Annotated[Code, Field(description="Such as prescriber, therapist, nurse or companion.")]
    name: Annotated[ShortWords | None, Field(description="Sealed when stored.")] = None


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
    course_id: Annotated[UUID | None, Field(description="The course that it is part of.")] = None
    setting: Annotated[
        Literal["clinic", "home", "practitioner-home"] | None,
        Field(description="Where; outside of the clinic two more members are required."),
    ] = None
    recorded_by: Annotated[
        Literal["clinician", "companion", "patient"] | None,
        Field(description="Who records what happens there; required outside of the clinic."),
    ] = None
    emergency_plan: Annotated[
        Sentence | None,
        Field(description="Who comes, and how; required outside of the clinic. Sealed."),
    ] = None
    present: Annotated[list[PresentIn], Field(max_length=10)] = []
    weight_kg: Annotated[
        float | None, Field(gt=0, le=1000, description="Kilograms, to a thousandth.")
    ] = None


class AdministrationOut(Open):
    """A drug that was given. `route` is one of the values a session is sent with."""

    drug: str
    route: str
    dose_mg: float
    given_at: datetime
    mg_per_kg: Annotated[
        float | None, Field(description="The dose by weight; null where the weight is not known.")
    ] = None


class PresentOut(Open):
    """Somebody who was in the room."""

    role: str
    name: str | None


class PeakOut(Open):
    """An extreme, when it came first, and how many minutes after the dose."""

    value: int
    at: datetime
    minutes: float


class VitalsOut(Open):
    """What the vital signs of a visit show. It highlights, and diagnoses nothing."""

    protocol_version: Annotated[int, Field(description="Whose alarms and record points these are.")]
    readings: Annotated[int, Field(description="Those of one instant and source count once.")]
    baseline: Annotated[
        dict[str, int], Field(description="By sign, the last value at or before the dose.")
    ]
    peak: Annotated[
        dict[str, PeakOut],
        Field(
            description="By sign, the highest since the dose; of spo2 and respiration the lowest."
        ),
    ]
    last: dict[str, int]
    dissociation_passed_minutes: Annotated[
        float | None,
        Field(description="Until dissociation was read as 1 or less and stayed so; else null."),
    ]
    alarms: Annotated[int, Field(description="Values that reached a threshold of the protocol.")]
    gaps: Annotated[
        list[int],
        Field(
            description="Minutes from the dose at which blood pressure or oxygen saturation was"
            " to be taken and was not."
        ),
    ]


class OpenAtDoseOut(Open):
    """What was open on the checklist when the first dose of a visit was recorded; kept as it was.

    It warned, and kept nobody out. Whatever is said, measured or published later changes nothing
    of it, and neither does a correction of when the dose was given.
    """

    as_of: Annotated[datetime, Field(description="The first dose, as it was recorded then.")]
    recorded_at: Annotated[
        datetime, Field(description="When it was recorded: `warnings` and `stops` stood so then.")
    ]
    protocol_version: int
    is_checked: Annotated[
        bool, Field(description="A clinician had gone through the checklist before the dose.")
    ]
    gaps: Annotated[
        list[str], Field(description="Items that were required and not met, or not known.")
    ]
    warnings: Annotated[
        list[str],
        Field(
            description="Codes: not-screened, hard-stop, open-flag, no-course,"
            " course-takes-no-doses and course-ended (the visit's own)."
        ),
    ]
    stops: Annotated[list[str], Field(description="Hard stops that nobody had resolved.")]


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
    course_id: UUID | None = None
    setting: Annotated[str | None, Field(description="Null where nobody said.")] = None
    recorded_by: str | None = None
    emergency_plan: str | None = None
    present: list[PresentOut] = []
    weight_kg: float | None = None
    vitals: Annotated[
        VitalsOut | None, Field(description="Null while there are no vital signs; no version.")
    ] = None
    open_at_dose: Annotated[
        OpenAtDoseOut | None,
        Field(description="Null where nothing was given, or before the server kept it."),
    ] = None


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
