"""What a protocol says besides its time points: of the course, the room, and what comes after.

Each part has a `source` and a `convention` of its own, and so has every number in it that
decides something. All of them are a clinic's to change; none is advice.
"""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final, Literal

from app.clinical.instruments.definition import Level


class Vital(StrEnum):
    """What is measured, and has an alarm. Units: mm[Hg], mm[Hg], %, /min, /min."""

    SYSTOLIC = "systolic"
    DIASTOLIC = "diastolic"
    SPO2 = "spo2"
    PULSE = "pulse"
    RESPIRATION = "respiration"


@dataclass(frozen=True, slots=True)
class Named:
    """Something on a list: what it is called in records, and to people."""

    key: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CoursePlan:
    """How long a course is meant to be. A plan outside of it is a question, not an error.

    sessions, spacing_days, weeks: from and to, both included; the spacing is between one dosing
        session and the next.
    """

    sessions: tuple[int, int]
    spacing_days: tuple[int, int]
    weeks: tuple[int, int]
    indications: tuple[Named, ...]
    source: str
    convention: bool


PreparationKind = Literal["asked-patient", "asked-staff", "measured"]
PREPARATION_KINDS: Final[tuple[PreparationKind, ...]] = ("asked-patient", "asked-staff", "measured")


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparationItem:
    """One line of the checklist before a dose. required: its absence is a gap, and warns."""

    key: str
    label: str
    kind: PreparationKind
    required: bool


READING_WITHIN_MINUTES: Final = 60
"""For a checklist that does not say how old the blood pressure may be at the dose. Source: ours;
the esketamine label asks for one before each dose, and names no time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """The checklist before a dose.

    reading_within_minutes: how old the last blood pressure may be at the dose.
    """

    items: tuple[PreparationItem, ...]
    reading_within_minutes: int
    source: str
    convention: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """From where a value is highlighted: at `low` and below, at `high` and above.

    At least one of the two. An alarm calls for a look and diagnoses nothing.
    """

    vital: Vital
    low: int | None
    high: int | None
    source: str
    convention: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitoring:
    """When vital signs are to be taken, and what is highlighted.

    record_minutes: ascending, from the first administration; before it, negative.
    tolerance_minutes: how far from such a point a reading still counts for it.
    alarms: at most one of each vital.
    """

    record_minutes: tuple[int, ...]
    tolerance_minutes: int
    alarms: tuple[Alarm, ...]
    source: str
    convention: bool


class CriterionKind(StrEnum):
    """What a criterion of leaving goes by.

    minutes-since-dose: `at_least` so many since the last administration.
    near-baseline: the last blood pressure is at most `systolic_within` and `diastolic_within`
        mm[Hg] above the one before the dose, and reaches no alarm.
    dissociation, sedation: `at_most` so much of 10 in the last reading.
    spo2: `at_least` so many percent in the last reading.
    risk-screen: the screen since the dose raised `at_most_level`.
    attested: a clinician says so.
    """

    MINUTES_SINCE_DOSE = "minutes-since-dose"
    NEAR_BASELINE = "near-baseline"
    DISSOCIATION = "dissociation"
    SEDATION = "sedation"
    SPO2 = "spo2"
    RISK_SCREEN = "risk-screen"
    ATTESTED = "attested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One thing that has to be so before a patient leaves. The numbers are those of its kind."""

    key: str
    label: str
    kind: CriterionKind
    at_least: int | None = None
    at_most: int | None = None
    systolic_within: int | None = None
    diastolic_within: int | None = None
    at_most_level: Level | None = None
    source: str
    convention: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Discharge:
    """The gate at the door: every criterion is met, or one who may overrides it with a reason.

    reading_within_minutes: how old a reading may be to say how somebody is now.
    """

    reading_within_minutes: int
    criteria: tuple[Criterion, ...]
    source: str
    convention: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftercare:
    """What a patient is told before leaving, and the hours after a dose at which one asks."""

    instructions: tuple[Named, ...]
    check_hours: tuple[int, ...]
    source: str
    convention: bool


Measure = Literal["doses", "mg", "sessions"]
MEASURES: Final[tuple[Measure, ...]] = ("doses", "mg", "sessions")

Concern = Literal["bladder", "liver", "cravings"]
CONCERNS: Final[tuple[Concern, ...]] = ("bladder", "liver", "cravings")

Route = Literal["iv", "im", "subcutaneous", "intranasal", "sublingual", "oral"]
ROUTES: Final[tuple[Route, ...]] = (
    "iv",
    "im",
    "subcutaneous",
    "intranasal",
    "sublingual",
    "oral",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposurePrompt:
    """When cumulative exposure should make a clinician ask after something.

    drug, route: of this one alone; None: each drug, each route, on its own. Amounts of two
        drugs or two routes are never added; but sessions without a route are counted over all
        routes of a drug, which is a number of visits and converts nothing.
    measure, at_least, within_days: so much in the last so many days, the threshold included.
    about: what to ask after.
    instruments: what is proposed for asking; nothing is sent by itself.
    """

    key: str
    label: str
    drug: str | None
    route: Route | None
    measure: Measure
    at_least: int
    within_days: int
    about: tuple[Concern, ...]
    instruments: tuple[str, ...]
    source: str
    convention: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """When to ask after what repeated doses may do."""

    prompts: tuple[ExposurePrompt, ...]
    source: str
    convention: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """When the talk about a dose is due.

    within_hours: from and to, after the dose.
    open_days: until when after the dose such a talk still counts as its own, and practices and
        goals come before questionnaires (`clinical.window`).
    """

    within_hours: tuple[int, int]
    open_days: int
    source: str
    convention: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """All of them; the fields are named as the members of a document are."""

    course: CoursePlan
    preparation: Preparation
    monitoring: Monitoring
    discharge: Discharge
    aftercare: Aftercare
    exposure: Exposure
    integration: Integration


SECTIONS: Final = tuple(field.name for field in fields(Sections))
"""Their names, as members of a document."""
