"""What crosses the wire when a phone catches up."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, SkipValidation

from app.checkins.schemas import CheckInIn, CheckInOut, InstrumentOut
from app.course.aftercare.schemas import AftercareReceiptIn, AftercareReceiptOut
from app.course.eligibility.schemas import MedicationIn, MedicationOut
from app.course.preparation.schemas import PreparationIn, PreparationOut
from app.course.side_effects.schemas import SideEffectIn, SideEffectOut
from app.experience.schemas import IntentionIn, IntentionOut, NoteIn, NoteOut
from app.goals.schemas import (
    GoalIn,
    GoalOut,
    GoalRatingIn,
    GoalRatingOut,
    GoalStepIn,
    GoalStepOut,
)
from app.integration.schemas import (
    InsightIn,
    InsightOut,
    SummaryAgreementIn,
    SummaryAgreementOut,
)
from app.kernel.edge import MAX_SYNC_CHANGES
from app.kernel.fields import Instant
from app.kernel.strict import Open, Wire
from app.practices.schemas import (
    CopingStrategyIn,
    CopingStrategyOut,
    PracticeIn,
    PracticeOut,
    PracticeTickIn,
    PracticeTickOut,
    TriggerIn,
    TriggerOut,
)
from app.safety.schemas import Help, SafetyOut, SafetyPlanIn, SafetyPlanOut

EntryKind = Literal[
    "check_in",
    "note",
    "intention",
    "insight",
    "goal",
    "goal_step",
    "goal_rating",
    "practice",
    "practice_tick",
    "coping_strategy",
    "trigger",
    "summary_agreement",
    "medication",
    "preparation",
    "side_effect",
    "aftercare_receipt",
    "safety_plan",
]
SentEntry = (
    CheckInIn
    | NoteIn
    | IntentionIn
    | InsightIn
    | GoalIn
    | GoalStepIn
    | GoalRatingIn
    | PracticeIn
    | PracticeTickIn
    | CopingStrategyIn
    | TriggerIn
    | SummaryAgreementIn
    | MedicationIn
    | PreparationIn
    | SideEffectIn
    | AftercareReceiptIn
    | SafetyPlanIn
)
KeptEntry = (
    CheckInOut
    | NoteOut
    | IntentionOut
    | InsightOut
    | GoalOut
    | GoalStepOut
    | GoalRatingOut
    | PracticeOut
    | PracticeTickOut
    | CopingStrategyOut
    | TriggerOut
    | SummaryAgreementOut
    | MedicationOut
    | PreparationOut
    | SideEffectOut
    | AftercareReceiptOut
    | SafetyPlanOut
)


class ChangeIn(Wire):
    """One change that a phone made."""

    kind: EntryKind
    op: Literal["create", "amend", "withdraw"]
    id: Annotated[
        UUID,
        Field(description="The entry's, made by the client; of a safety plan the patient's own."),
    ]
    patient_id: Annotated[
        UUID | None, Field(description="Whose entry it is; only one's own are taken.")
    ] = None
    base_version: Annotated[
        int,
        Field(ge=0, le=999_999_999, description="The version it was made on; 0 for a new entry."),
    ] = 0
    entry: Annotated[
        SkipValidation[SentEntry | None],
        Field(description="What the entry says from now on; nothing for a withdrawal."),
    ] = None


class SyncIn(Wire):
    """What a phone did while it was away. Each change is judged by itself."""

    changes: Annotated[list[SkipValidation[ChangeIn]], Field(max_length=MAX_SYNC_CHANGES)]
    sent_at: Annotated[
        Instant | None,
        Field(description="The phone's clock when it sends, for every entry that names none."),
    ] = None
    country: Annotated[
        str | None,
        Field(max_length=256, description="Where the patient is now, for the crisis lines."),
    ] = None


class FaultOut(Open):
    """A place in the change, and what is wrong there."""

    pointer: str
    reason: str


class ChangeProblem(Open):
    """Why a change was refused: a problem as in RFC 9457, without what only HTTP needs."""

    type: str
    title: str
    status: int
    code: str
    detail: str | None = None
    errors: list[FaultOut] = []


class ChangeOut(Open):
    """What became of one change."""

    index: Annotated[int, Field(description="Its place in what was sent, from 0.")]
    kind: str | None
    id: UUID | None
    status: Annotated[
        str,
        Field(description="created, amended, withdrawn, unchanged, conflict or refused"),
    ]
    version: Annotated[int | None, Field(description="The entry's, as it now is.")] = None
    entry: Annotated[
        KeptEntry | None,
        Field(description="The server's copy."),
    ] = None
    kept_as: Annotated[
        UUID | None, Field(description="In a conflict: the note that keeps the text that was sent.")
    ] = None
    problem: ChangeProblem | None = None


class SyncOut(Open):
    """What became of every change, in the order sent; and the safety block for the gravest."""

    results: list[ChangeOut]
    safety: SafetyOut


class SeenChange(Open):
    """One change to the record. entry: as it then was; null for what is gone."""

    seq: int
    at: datetime
    kind: str
    id: UUID
    version: int
    action: Annotated[str, Field(examples=["check_in.submitted"])]
    by: Annotated[str, Field(description="patient, clinician or administrator")]
    is_tombstone: Annotated[
        bool, Field(description="The entry was withdrawn, or may no longer be seen.")
    ]
    takes_with: Annotated[
        list[str],
        Field(
            description="Of an entry that may no longer be seen: the kinds of its parts, which have"
            " no tombstone of their own. Drop those that name it, such as a goal_step by its"
            " goal_id. If it is seen again, ask for its parts anew."
        ),
    ] = []
    entry: dict[str, Any] | None


class ChangesOut(Open):
    """Oldest first. Ask again with `after` = `next_after` until `has_more` is false."""

    changes: list[SeenChange]
    next_after: int
    has_more: bool


class ClinicContact(Open):
    """The clinic, for a phone without a network."""

    name: str
    phone: str | None
    after_hours_phone: str | None
    country: str


class BundleOut(Open):
    """What a phone keeps for when there is no network."""

    help: Help
    clinic: ClinicContact
    monitoring_statement: Annotated[
        str, Field(description="As it was when this was read; it says until when it holds.")
    ]
    safety_plan: Annotated[SafetyPlanOut | None, Field(description="Null until one is written.")]
    instruments: list[InstrumentOut]
    made_at: datetime
