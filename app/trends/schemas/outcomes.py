"""A clinic's figures."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.kernel.strict import Open


class VisitCountsOut(Open):
    """Each is a part of the one before it; null where it may not be told, or is not defined."""

    reached: Annotated[int | None, Field(description="For whom this visit is over.")]
    eligible: Annotated[
        int | None,
        Field(
            description="Of these, with a baseline that response counts from: from the 14 days"
            " before the first dose or pinned before it, never a provisional one."
        ),
    ]
    in_touch: Annotated[
        int | None, Field(description="Of these, answered anything since the visit began.")
    ]
    assessed: Annotated[int | None, Field(description="Of these, with a complete score in it.")]
    responded: int | None
    remitted: int | None


class IntervalOut(Open):
    """The 95 % interval of a share (Wilson); null where the share is."""

    low: float | None
    high: float | None


class VisitOut(Open):
    """One visit, in days from the first dose."""

    visit: str
    day: int
    from_day: int
    until_day: int
    counts: VisitCountsOut
    retention: Annotated[float | None, Field(description="In touch, of those eligible.")]
    completeness: Annotated[float | None, Field(description="Assessed, of those eligible.")]
    response: Annotated[float | None, Field(description="Of those assessed.")]
    remission: Annotated[float | None, Field(description="Of those assessed.")]
    response_of_eligible: Annotated[
        float | None, Field(description="Who was not assessed counts as no response.")
    ]
    remission_of_eligible: float | None
    retention_interval: IntervalOut
    response_interval: IntervalOut
    remission_interval: IntervalOut
    is_suppressed: bool
    straddles_first_dose: Annotated[
        bool,
        Field(
            description="The questions look back further than this visit begins after the first"
            " dose: some answers in it speak of time before the dose too."
        ),
    ] = False


class OutcomeGroupOut(Open):
    """Everybody (`all`), one stratum, or the strata that are too small to be told (`others`)."""

    group: str
    patients: int | None
    check_ins: Annotated[int | None, Field(description="Of the instrument, after the first dose.")]
    complete: int | None
    visits: list[VisitOut]


class CurveStepOut(Open):
    """A curve after so many days. at_risk: still followed, without the event."""

    day: int
    share: Annotated[float, Field(description="Without the event (Kaplan-Meier).")]
    low: Annotated[float | None, Field(description="Of the 95 % interval.")]
    high: float | None
    happened: int
    censored: int
    at_risk: int
    straddles_first_dose: Annotated[
        bool | None,
        Field(
            description="An answer on this day speaks of time before the first dose too. Null where"
            " the days are not counted from it."
        ),
    ] = None


class CurveOut(Open):
    """Time until something happens, told only at days at which enough people are in every count.

    After the last of them was lost sight of nothing is known, and no day is told.
    """

    group: str
    started: int | None
    half_by_day: Annotated[
        int | None,
        Field(
            description="By this day at the latest half or fewer are without it: the first day told"
            " of which that is true. It can be long after the median, where days before it are not"
            " told."
        ),
    ]
    half_after_day: Annotated[
        int | None,
        Field(
            description="The last day told at which more than half were still without it; 0 if none"
            " is. The median lies after it, and on `half_by_day` or before. Null where that is."
        ),
    ]
    steps: list[CurveStepOut]
    is_suppressed: bool


class OutcomesOut(Open):
    """What became of a clinic's patients, added up."""

    instrument: str
    stratum: str | None
    as_of: datetime
    left_out: Annotated[
        int | None,
        Field(
            description="Answers to versions of the instrument whose points do not mean what those"
            " of the newest do: they are in no count. Null where they are 1 to 10."
        ),
    ]
    levels: Annotated[list[str], Field(description="Of the counts that this instrument has.")]
    groups: list[OutcomeGroupOut]
    time_to_response: list[CurveOut]
    time_to_loss: list[CurveOut]
    cohort: str
    suppression: str
    caveat: str
    slices: Annotated[str, Field(description="By what it can be told apart, and by what not.")]
    sources: list[str]
    conventions: list[str]
