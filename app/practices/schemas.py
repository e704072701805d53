"""What crosses the wire about practices, coping and triggers."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.journal.schemas import EntryIn, EntryOut, TieredIn, TieredOut
from app.kernel.fields import Code, Day, Sentence, Words
from app.kernel.strict import Open, Wire

LocalTime = Annotated[
    str,
    Field(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$",
        max_length=5,
        description="Wall-clock time in the patient's time zone.",
        examples=["07:30"],
    ),
]
Intensity = Annotated[int, Field(ge=0, le=10, description="0, not at all, to 10, the most.")]
Helped = Annotated[int, Field(ge=0, le=4, description="0, not at all, to 4, very much.")]


class PauseIn(Wire):
    """Dates on which nothing is expected, both included; no last one: until further notice."""

    first_on: Day
    last_on: Day | None = None


class ScheduleIn(Wire):
    """When a practice is expected, in the patient's local dates.

    It is judged as it is now: whoever changes it for good ends the practice (`until_on`) and begins
    another, or the new schedule is also held against the time before.
    """

    kind: Annotated[
        Literal["daily", "weekdays", "every-n-days", "times-a-week"],
        Field(description="The last leaves the days open."),
    ]
    from_on: Day
    until_on: Annotated[Day | None, Field(description="The last date; null for no end.")] = None
    weekdays: Annotated[
        list[Annotated[int, Field(ge=1, le=7)]],
        Field(max_length=7, description="For `weekdays`: 1, Monday, to 7, Sunday."),
    ] = []
    every: Annotated[
        int | None,
        Field(ge=1, le=90, description="For `every-n-days`: days from one to the next."),
    ] = None
    times: Annotated[
        int | None, Field(ge=1, le=7, description="For `times-a-week`: on so many dates.")
    ] = None
    pauses: Annotated[
        list[PauseIn], Field(max_length=100, description="In order, apart from each other.")
    ] = []


class PracticeIn(TieredIn):
    """What a patient does every day or every week, in their own words."""

    words: Words
    activity: Annotated[
        Code,
        Field(
            description="Such as breath, walk, journaling, exercise, cognitive-training or other."
        ),
    ]
    schedule: ScheduleIn
    remind_at: Annotated[
        LocalTime | None, Field(description="When the phone is to remind of it; null for never.")
    ] = None


class PauseOut(Open):
    """Dates on which nothing is expected, both included; no last one: until further notice."""

    first_on: date
    last_on: date | None


class ScheduleOut(Open):
    """When a practice is expected, in the patient's local dates."""

    kind: Annotated[str, Field(description="daily, weekdays, every-n-days or times-a-week")]
    from_on: date
    until_on: date | None
    weekdays: list[int]
    every: int | None
    times: int | None
    pauses: list[PauseOut]


class PracticeOut(TieredOut):
    """A practice."""

    words: str
    activity: str
    schedule: ScheduleOut
    remind_at: str | None


class PracticeTickIn(EntryIn):
    """What became of a practice on one date."""

    practice_id: UUID
    on: Annotated[Day, Field(description="The local date where the patient is.")]
    status: Literal["done", "skipped"] = "done"
    reason: Annotated[
        Sentence | None, Field(description="Why it was skipped; a skip needs one.")
    ] = None
    minutes: Annotated[int | None, Field(ge=1, le=1440)] = None


class PracticeTickOut(EntryOut):
    """What became of a practice on one date, shown to whom the practice is shown."""

    practice_id: UUID
    on: date
    reason: str | None
    minutes: int | None


class AdherenceOut(Open):
    """How much of what was expected was done.

    skipped: dates that were expected and skipped with a reason; not in `expected`. beside: dates
    that were ticked and on which nothing was expected. proportion: null when nothing was expected.
    """

    days: int
    done: int
    expected: int
    skipped: int
    beside: int
    proportion: float | None


class StreakOut(Open):
    """Occasions done in a row, up to today; one miss in any seven is forgiven."""

    length: int
    unit: Annotated[str, Field(description="dates, or weeks for times a week")]
    forgiven: int


class PracticeAdherenceOut(Open):
    """How one practice goes."""

    practice_id: UUID
    activity: str
    is_due_today: Annotated[bool, Field(description="It is expected today and not done yet.")]
    week: AdherenceOut
    month: AdherenceOut
    streak: StreakOut


class PracticesAdherenceOut(Open):
    """How every practice goes that was expected or done in the 28 days to today."""

    today_on: Annotated[date, Field(description="The patient's local date.")]
    time_zone: str
    conventions: list[str]
    practices: list[PracticeAdherenceOut]


class CopingStrategyIn(TieredIn):
    """Something of one's own that may help when it gets hard."""

    words: Words
    status: Annotated[
        Literal["active", "retired"], Field(description="Retired: no longer among what to try.")
    ] = "active"


class CopingStrategyOut(TieredOut):
    """Something of one's own that may help."""

    words: str


class TriedIn(Wire):
    """One strategy that was used."""

    strategy_id: UUID
    helped: Helped | None = None


class TriggerIn(TieredIn):
    """Something that set the patient off, when it did (`recorded_at`), and what they tried."""

    words: Words
    intensity_before: Intensity
    intensity_after: Intensity | None = None
    tried: Annotated[
        list[TriedIn], Field(max_length=20, description="Each of one's own strategies once.")
    ] = []


class TriedOut(Open):
    """One strategy that was used."""

    strategy_id: UUID
    helped: int | None


class TriggerOut(TieredOut):
    """Something that set the patient off, and what they tried."""

    words: str
    intensity_before: int
    intensity_after: int | None
    tried: list[TriedOut]


class StrategyHelpOut(Open):
    """What the log tells of one strategy; null where it tells too little.

    used: times it was used; together: those of them with another one. known: times of which it is
    known whether it helped; helped: of these. share: helped of known, with its 95 % interval from
    low to high. changes: times with an intensity before and after; median_change: in points.
    """

    strategy_id: UUID
    used: int
    together: int
    known: int
    helped: int | None
    share: float | None
    low: float | None
    high: float | None
    changes: int
    median_change: float | None


class HelpfulnessOut(Open):
    """Which strategies go with feeling better: those that do most surely first."""

    statement: Annotated[str, Field(description="To be shown with the numbers, always.")]
    sources: list[str]
    fewest: Annotated[int, Field(description="From fewer times nothing is told.")]
    since: Annotated[datetime | None, Field(description="The first trigger that was counted.")]
    strategies: list[StrategyHelpOut]
