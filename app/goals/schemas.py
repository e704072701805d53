"""What crosses the wire about goals."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.journal.schemas import EntryIn, EntryOut, TieredIn, TieredOut
from app.kernel.fields import Code, Day, Sentence, Words
from app.kernel.strict import Open, Wire

Level = Annotated[
    int,
    Field(
        ge=-2,
        le=2,
        description="Of goal attainment scaling: -2 much less than expected, 0 expected, +2 much"
        " better (LOINC 107332-9).",
    ),
]
GoalStatus = Literal[
    "proposed", "accepted", "planned", "active", "on-hold", "completed", "cancelled", "rejected"
]


class LevelIn(Wire):
    """What would be true at one of the five levels, written before work starts."""

    level: Level
    words: Sentence
    measure: Annotated[
        float | None,
        Field(ge=-1e9, le=1e9, description="What can be counted then, such as walks a week."),
    ] = None


class GoalIn(TieredIn):
    """An integration goal, in the patient's words."""

    words: Words
    why: Words | None = None
    life_area: Annotated[
        Code | None, Field(description="Such as relationships, work, body, meaning.")
    ] = None
    status: Annotated[
        GoalStatus, Field(description="FHIR goal lifecycle status; only some may follow others.")
    ] = "active"
    baseline: Annotated[Words | None, Field(description="How it is before work starts.")] = None
    baseline_level: Level | None = None
    levels: Annotated[
        list[LevelIn] | None,
        Field(
            min_length=5,
            max_length=5,
            description="From -2 to +2, in order; fixed once the goal was rated, as are"
            " `baseline_level` and `weight`.",
        ),
    ] = None
    weight: Annotated[
        int, Field(ge=1, le=9, description="Importance times difficulty; 1 weighs all alike.")
    ] = 1
    starts_on: Day | None = None
    target_on: Day | None = None


class LevelOut(Open):
    """What would be true at one of the five levels."""

    level: int
    words: str
    measure: float | None


class GoalOut(TieredOut):
    """An integration goal. status: FHIR goal lifecycle status, such as active."""

    words: str
    why: str | None
    life_area: str | None
    baseline: str | None = None
    baseline_level: int | None = None
    levels: list[LevelOut] | None = None
    weight: int = 1
    starts_on: date | None = None
    target_on: date | None = None


class GoalStepIn(EntryIn):
    """A step towards a goal."""

    goal_id: UUID
    words: Words
    status: Literal["planned", "done", "dropped"] = "planned"
    starts_on: Day | None = None
    due_on: Day | None = None
    done_on: Day | None = None


class GoalStepOut(EntryOut):
    """A step towards a goal, shown to whom the goal is shown."""

    goal_id: UUID
    words: str
    starts_on: date | None
    due_on: date | None
    done_on: date | None


class GoalRatingIn(EntryIn):
    """How far a goal was attained, as the sender sees it."""

    goal_id: UUID
    level: Level
    words: Words | None = None


class GoalRatingOut(EntryOut):
    """How far a goal was attained. rater: patient or therapist, whoever sent it."""

    goal_id: UUID
    author_id: UUID
    rater: str
    level: int
    words: str | None


class RatedOut(Open):
    """A rater's latest word on a goal."""

    level: int
    at: datetime


class GoalAttainmentOut(Open):
    """One goal on the scale. Everything here is derived from the goal and its ratings.

    difference: the patient's level less the therapist's; the two are never averaged.
    """

    goal_id: UUID
    lifecycle_status: Annotated[str, Field(description="FHIR R4 GoalLifecycleStatus.")]
    achievement_status: Annotated[
        str | None, Field(description="FHIR R4 goal-achievement; null: nothing can be said.")
    ]
    achievement_by: Annotated[str | None, Field(description="Whose ratings it goes by.")]
    weight: int
    baseline_level: int | None
    patient: RatedOut | None
    therapist: RatedOut | None
    difference: int | None


class TScoreOnOut(Open):
    """All goals together after a day on which a rater rated. goals: how many counted by then."""

    on: Annotated[date, Field(description="The patient's local date.")]
    baseline_t: float
    attained_t: float
    change: float
    goals: int


class TScoreOut(Open):
    """All rated goals together, as one rater sees them; null where T is not defined.

    goals: how many count. left_out: how many have no baseline or no rating.
    """

    baseline_t: float | None
    attained_t: float | None
    change: float | None
    goals: int
    left_out: int
    is_single_goal: Annotated[
        bool, Field(description="T is of one goal: not to be read against a norm.")
    ]
    over_time: Annotated[
        list[TScoreOnOut],
        Field(description="After each day on which they rated, oldest first; the newest 200."),
    ]


class AttainmentOut(Open):
    """Goal attainment scaling over the goals that were ever worked on.

    caveat: to be shown with every T.
    """

    variant: Annotated[str, Field(examples=["kiresuk-sherman-1968"])]
    sources: list[str]
    caveat: str
    patient: TScoreOut
    therapist: TScoreOut
    goals: list[GoalAttainmentOut]
