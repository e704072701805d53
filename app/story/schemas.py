"""What crosses the wire about threads and weeks."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.checkins.schemas import DueItemOut
from app.integration.schemas import MissedWindowOut
from app.journal.schemas import LinkOut
from app.kernel.strict import Open
from app.practices.schemas import AdherenceOut, StreakOut


class ToldNoteOut(Open):
    """Of a note: how it was, 0 to 10, where that was said; and attachments that are whole."""

    how_strong: int | None
    how_challenging: int | None
    attachments: int


class ToldGoalOut(Open):
    """Of a goal: how far it came. Derived, as in its attainment."""

    achievement_status: Annotated[
        str | None, Field(description="FHIR R4 goal-achievement; null: nothing can be said.")
    ]
    achievement_by: Annotated[str | None, Field(description="Whose ratings it goes by.")]


class ToldStepOut(Open):
    """Of a step: its dates."""

    due_on: date | None
    done_on: date | None


class ToldPracticeOut(Open):
    """Of a practice: on how many dates it was done, or skipped with a reason, up to now."""

    activity: str
    done: int
    skipped: int
    last_done_on: date | None


class ToldEntryOut(Open):
    """One entry of a story, in short; it is read whole where it lies."""

    kind: Annotated[
        str,
        Field(description="intention, note, insight, goal, goal_step, practice or coping_strategy"),
    ]
    id: UUID
    version: int
    status: str
    effective_at: datetime
    tier: Annotated[str | None, Field(description="Null for a step: it is its goal's.")]
    words: Annotated[str, Field(description="How it begins.")]
    is_shortened: Annotated[bool, Field(description="There are more words than these.")]
    dosing_session_id: Annotated[UUID | None, Field(description="What it is about, if said.")]
    note: Annotated[ToldNoteOut | None, Field(description="Of a note, and of nothing else.")]
    goal: ToldGoalOut | None
    step: ToldStepOut | None
    practice: ToldPracticeOut | None


class StoryEntryOut(ToldEntryOut):
    """An entry, and those that it came from, which stand before it in the story."""

    came_from: list[LinkOut]
    has_earlier: Annotated[
        bool,
        Field(
            description="It also came from an entry that this reader may see and that lies outside"
            " the time asked for, or before the newest that are told."
        ),
    ]


class StoryOut(Open):
    """What hangs together. In time, but nothing stands before what it came from."""

    entries: list[StoryEntryOut]


class ThreadOut(Open):
    """What this reader may see of the thread; the story that begins earliest first."""

    stories: list[StoryOut]
    is_truncated: Annotated[
        bool,
        Field(description="There are more: these are the newest. Ask again with an `until`."),
    ]


class ScoreMovedOut(Open):
    """How a score moved in the week; nulls where there is no complete score in the 35 days before.

    reliable: by the published value of the scale, null where none is published. straddles: a dose
    was given in the time that one of the two asks about.
    """

    instrument: str
    item: str | None
    part: str | None
    title: str
    before: float | None
    before_at: datetime | None
    after: float
    after_at: datetime
    change: float | None
    direction: str | None
    reliable: bool | None
    straddles: bool


class GoalMovedOut(Open):
    """A goal that was rated in the week, by one rater. before: their last level before it."""

    goal_id: UUID
    words: str
    rater: str
    before: int | None
    before_at: datetime | None
    after: int
    change: int | None


class PracticeOfWeekOut(Open):
    """A practice that was expected or done."""

    practice_id: UUID
    words: str
    activity: str
    week: AdherenceOut
    month: AdherenceOut
    streak: StreakOut


class StepOfWeekOut(Open):
    """A step towards a goal."""

    step_id: UUID
    goal_id: UUID
    words: str
    due_on: date | None
    done_on: date | None


class DoseOfWeekOut(Open):
    """A dose that was given in the week. number: of all of the patient's."""

    number: int
    given_at: datetime


class FlagOfWeekOut(Open):
    """A flag that was raised in the week, or before it and is not resolved."""

    status: Annotated[str, Field(description="open, acknowledged or resolved, as of now")]
    raised_at: datetime
    level: Annotated[str | None, Field(description="Told to clinicians: low, moderate or high.")]


class WrittenCountOut(Open):
    """How much of one kind was written. shared: of these, what is not private."""

    kind: str
    written: int
    shared: int


class PlannedOut(Open):
    """A date in the calendar. kind: dosing_session or integration_session."""

    kind: str
    id: UUID
    status: str
    at: datetime


class WeekOut(Open):
    """One week of one person. Dates and instants are in the patient's time zone.

    next_from, next_until: the dates that what is next is from, both included. due: what the
    protocol asks until then; empty for a week that is over.
    """

    name: Annotated[str, Field(description="ISO 8601.", examples=["2026-W10"])]
    first_on: date
    last_on: date
    starts_at: datetime
    ends_at: Annotated[datetime, Field(description="Not included.")]
    is_over: bool
    time_zone: str
    as_of: datetime
    scores: list[ScoreMovedOut]
    is_cut: Annotated[bool, Field(description="There are more series than are told.")]
    goals: list[GoalMovedOut]
    practices: list[PracticeOfWeekOut]
    steps_done: list[StepOfWeekOut]
    written: Annotated[list[ToldEntryOut], Field(description="Oldest first.")]
    written_counts: list[WrittenCountOut]
    written_is_truncated: bool
    doses: list[DoseOfWeekOut]
    missed_windows: Annotated[
        list[MissedWindowOut],
        Field(
            description="Doses whose hours for a talk ended in the week, without one, newest first."
        ),
    ]
    flags: list[FlagOfWeekOut]
    next_from: date
    next_until: date
    steps_overdue: list[StepOfWeekOut]
    steps_next: list[StepOfWeekOut]
    planned: list[PlannedOut]
    due: list[DueItemOut]
    caveat: str
    conventions: list[str]
