"""What crosses the wire about eligibility."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.journal.schemas import EntryIn, EntryOut
from app.kernel.fields import Code, Sentence, ShortWords
from app.kernel.strict import Open

YesNo = Literal["yes", "no", "unknown"]


class TrialHistoryIn(EntryIn):
    """A treatment that was tried before."""

    kind: Annotated[
        Literal["antidepressant", "augmentation", "psychotherapy", "neurostimulation", "other"],
        Field(description="Only antidepressants count towards the stratum."),
    ]
    drug: Annotated[
        ShortWords, Field(description="The drug or the treatment, as people call it; sealed.")
    ]
    drug_class: Annotated[Code | None, Field(description="Such as ssri, snri, tricyclic.")] = None
    dose_adequate: YesNo
    weeks: Annotated[
        float | None, Field(ge=0, le=2600, description="How long; null where nobody knows.")
    ] = None
    outcome: Literal[
        "no-response", "partial-response", "response", "remission", "not-tolerated", "unknown"
    ]
    note: Sentence | None = None


class TrialHistoryOut(EntryOut):
    """A treatment that was tried before."""

    kind: str
    drug: str
    drug_class: str | None
    dose_adequate: str
    weeks: float | None
    outcome: str
    note: str | None


class MedicationIn(EntryIn):
    """A medicine, as whoever takes or prescribes it writes it down."""

    name: Annotated[ShortWords, Field(description="As it is written on the box; sealed.")]
    rxnorm: Annotated[
        str | None,
        Field(max_length=8, pattern=r"^[1-9][0-9]{0,7}$", description="Its RxNorm code (RxCUI)."),
    ] = None
    taken: Annotated[Sentence | None, Field(description="How much and when, in words; sealed.")] = (
        None
    )
    status: Annotated[
        Literal["active", "stopped"], Field(description="Whether it is taken now.")
    ] = "active"
    about_id: Annotated[
        UUID | None,
        Field(
            description="Another medicine on the list that this one is said about: how a patient"
            " says of what a clinician listed that they take it otherwise, or not (stopped)."
        ),
    ] = None


class MedicationOut(EntryOut):
    """A medicine. status: active or stopped."""

    name: str
    rxnorm: str | None
    taken: str | None
    about_id: UUID | None = None
    listed_by: Annotated[
        str,
        Field(
            description="Who listed it first: patient or clinician. Patients amend and withdraw"
            " what they listed themselves."
        ),
    ] = "patient"


class ScreeningIn(EntryIn):
    """Answers to the catalogue of conditions. What is left out stays open."""

    answers: Annotated[
        dict[Code, YesNo],
        Field(
            min_length=1,
            max_length=100,
            description="By condition; the keys are those of GET /v1/eligibility-conditions.",
            examples=[{"pregnancy": "no", "psychosis": "unknown"}],
        ),
    ]
    notes: Annotated[
        dict[Code, Sentence],
        Field(max_length=100, description="By condition that was answered; sealed."),
    ] = {}


class ScreeningOut(EntryOut):
    """Answers to the catalogue of conditions."""

    catalogue_version: str
    answers: dict[str, str]
    notes: dict[str, str]
    answered_in: Annotated[
        dict[str, int],
        Field(description="By condition, since which version the answer and its note have stood."),
    ]


class StopResolutionIn(EntryIn):
    """A prescriber's decision that a hard stop does not stop this patient."""

    screening_id: UUID
    screening_version: Annotated[
        int, Field(ge=1, le=999_999_999, description="The version that was looked at.")
    ]
    condition: Annotated[Code, Field(description="A hard stop that was answered with yes.")]
    reason: Sentence


class StopResolutionOut(EntryOut):
    """A prescriber's decision that a hard stop does not stop this patient."""

    screening_id: UUID
    screening_version: int
    condition: str
    reason: str


class StandingOut(Open):
    """What follows from the newest screening. Every list has keys of conditions."""

    state: Annotated[
        str,
        Field(
            description="not-screened, stopped, open, cautions or clear: the first that applies."
            " Clear says that every question of this catalogue was answered with no, and is no"
            " verdict."
        ),
    ]
    screening_id: UUID | None
    screening_version: int | None
    screened_at: datetime | None
    stops: Annotated[list[str], Field(description="Hard stops with a yes, not resolved.")]
    resolved: Annotated[list[str], Field(description="Hard stops that a prescriber resolved.")]
    open: Annotated[list[str], Field(description="Not answered, or unknown.")]
    cautions: Annotated[list[str], Field(description="To be weighed.")]
    unrecognised: Annotated[
        list[str], Field(description="Answered, and no longer in the catalogue.")
    ]


class HistoryOut(Open):
    """What the earlier treatments come to."""

    failed: Annotated[int, Field(description="Different drugs with a failed adequate trial.")]
    undecided: Annotated[
        int, Field(description="Further drugs that would count if what is unknown were so.")
    ]
    not_tolerated: int
    is_resistant: Annotated[
        bool | None, Field(description="By `definition`; null where it hangs on the undecided.")
    ]
    stratum: Annotated[
        str | None,
        Field(description="0-1, 2, 3-4 or 5+ failed trials; null where nothing is recorded."),
    ]
    stratum_is_certain: bool
    definition: str


class InteractionOut(Open):
    """A medicine on the list in a class that interacts. It warns, and decides nothing."""

    medication_id: UUID
    drug_class: str
    label: str
    drug: str
    matched_by: Annotated[str, Field(description="code or name")]
    reason: str
    source: str
    verified: bool


class EligibilityOut(Open):
    """What a prescriber weighs before a course. No interaction found is no finding."""

    catalogue_version: str
    standing: StandingOut
    history: HistoryOut
    interactions: list[InteractionOut]
    medications: Annotated[int, Field(description="How many medicines were looked at.")]
    not_recognised: Annotated[
        list[UUID],
        Field(
            description="Of these, those that the catalogue knows neither by code nor by any word:"
            " they were compared with nothing, and are not known to be safe."
        ),
    ]
    said_stopped: Annotated[
        list[UUID],
        Field(
            description="Of these, those of which the patient says that they do not take them."
            " They are looked at all the same."
        ),
    ]


class ConditionOut(Open):
    """One question of the catalogue. verified: its source was read, and says so."""

    key: str
    label: str
    severity: Annotated[str, Field(description="hard-stop or caution")]
    source: str
    verified: bool


class ConditionsOut(Open):
    """The catalogue of conditions, hard stops first."""

    catalogue_version: str
    conditions: list[ConditionOut]
