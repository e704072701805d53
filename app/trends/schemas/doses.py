"""One scale measured from each dose."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.kernel.strict import Open
from app.trends.schemas.trajectory import BaselineOut


class ScoreOut(Open):
    """One score, and how long after the dose in question; negative before it."""

    score: int | float
    effective_at: datetime
    hours_since_dose: float
    straddles_dose: Annotated[
        bool,
        Field(description="Some dose lies within the time it speaks of: before and after mix."),
    ]


class MarkOut(Open):
    """A time after a dose at which an effect is looked for."""

    mark: str
    hours: int


class RapidOut(Open):
    """Whether there was a response at one such time."""

    mark: str
    score: ScoreOut | None
    response: bool | None
    why_not: Annotated[
        str | None,
        Field(description="recall-too-long, next-dose, not-yet or not-measured"),
    ]


class WearOffOut(Open):
    """How long the gain of one dose lasted. Our convention, and no standard measure."""

    best: ScoreOut | None
    gain: Annotated[int | float | None, Field(description="Better than the baseline, in points.")]
    half_gone_at: datetime | None
    days: Annotated[
        float | None,
        Field(description="From the best score; if censored, to `last`: at least so long."),
    ]
    is_censored: bool
    last: Annotated[
        ScoreOut | None,
        Field(
            description="The last score that was looked at: before the next dose, and before any"
            " pause of more than 30 days."
        ),
    ]
    why: Annotated[
        str,
        Field(
            description="half-gone; next-dose, gap (more than 30 days without a score) or"
            " last-score, where the looking ended; no-gain, no-reliable-gain (less than the"
            " reliable change, or than 20 % of a scale that has none), no-score or no-baseline"
        ),
    ]


class DosePointsOut(Open):
    """Columns of equal length, from this dose to the next."""

    effective_at: list[datetime]
    hours_since_dose: list[float]
    score: list[int | float | None]
    straddles_dose: Annotated[
        list[bool],
        Field(description="A dose lies within the time asked about: before and after are mixed."),
    ]


class DoseCourseOut(Open):
    """What came after one dose, which is its t = 0."""

    number: int
    effective_at: datetime
    before: Annotated[
        ScoreOut | None, Field(description="The last complete score before it, however old.")
    ]
    points: DosePointsOut
    rapid: list[RapidOut]
    wear_off: WearOffOut


class DoseAlignmentOut(Open):
    """All doses laid over each other at t = 0."""

    instrument: str
    instrument_version: str
    item: str | None
    subscale: str | None
    direction: str | None
    minimum: int
    maximum: int
    is_ordinal: bool
    measures_hours: bool
    baseline: BaselineOut | None
    marks: list[MarkOut]
    doses: list[DoseCourseOut]
    conventions: list[str]
    caveat: str
