"""One scale over time."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.kernel.strict import Open


class PointsOut(Open):
    """Columns of equal length, oldest first."""

    effective_at: list[datetime]
    score: Annotated[
        list[int | float | None],
        Field(description="Total, or the item's answer; null if incomplete."),
    ]
    change: Annotated[list[int | float | None], Field(description="Current minus baseline.")]
    percent_change: Annotated[
        list[float | None],
        Field(
            description="(Current - baseline) / baseline x 100, with the sign of `change`: from 25"
            " to 12 it is -52. Where lower is better, improvement in per cent is its opposite. Null"
            " if the baseline is 0."
        ),
    ]
    dose_number: list[int]
    hours_since_dose: list[float | None]
    window: list[str]
    straddles_dose: Annotated[
        list[bool],
        Field(description="A dose lies within the time asked about: before and after are mixed."),
    ]


class BaselineOut(Open):
    """What change is measured from."""

    index: Annotated[int | None, Field(description="Among the points; null if not shown.")]
    score: int | float
    effective_at: datetime
    rule: Annotated[
        str,
        Field(
            description="pinned; before-first-dose (the last complete score in the 14 days before"
            " it); earlier-before-first-dose (in the 90 days before it); or first-complete (the"
            " first one after the first dose; before any dose, the first one since the last pause"
            " of more than 90 days): our convention"
        ),
    ]
    provisional: Annotated[
        bool,
        Field(
            description="By one of the last two rules. From a first-complete one that came after"
            " a dose no response, remission, wear-off or return is reckoned. A clinic's outcomes"
            " count from none of them."
        ),
    ]


class IdeationBesideOut(Open):
    """What was answered about suicide together with a score. It is part of no outcome: a total in
    remission can have it in it.
    """

    item: str
    answer: Annotated[int | None, Field(description="As it was given; null if left out.")]
    maximum: int
    reported: Annotated[
        bool | None,
        Field(
            description="Thoughts of death or of self-harm were reported, whatever the score is."
            " False is one answer to one question, and no reassurance."
        ),
    ]


class OutcomeOut(Open):
    """What the latest complete score says, measured from the baseline."""

    index: Annotated[int | None, Field(description="Among the points; null if not shown.")]
    score: int | float
    effective_at: datetime
    band: str | None
    change: Annotated[int | float, Field(description="Current minus baseline.")]
    percent_change: Annotated[
        float | None,
        Field(
            description="(Current - baseline) / baseline x 100, with the sign of `change`: a fall"
            " is negative, and `direction` says whether that is better. Null if the baseline is 0."
        ),
    ]
    direction: Annotated[
        str,
        Field(description="improved, worse, unchanged; changed where neither end is better"),
    ]
    reliable: Annotated[
        bool | None, Field(description="At least the instrument's reliable change, either way.")
    ]
    response: bool | None
    partial_response: Annotated[
        bool | None, Field(description="25 % better or more, and no response: our convention.")
    ]
    remission: Annotated[
        bool | None,
        Field(
            description="By the published number of points, which says nothing of suicidal"
            " thoughts: see `ideation`."
        ),
    ]
    reliable_recovery: Annotated[
        bool | None,
        Field(description="Reliably improved, from caseness to below it; null from no caseness."),
    ]
    doses_in_recall_window: int
    ideation: Annotated[
        IdeationBesideOut | None, Field(description="Null where the instrument does not ask.")
    ]


class ResponseOut(Open):
    """When a response came after the first dose, and whether it was lost."""

    state: Annotated[
        str,
        Field(
            description="Of the last score: not-defined (no rule, or a baseline too mild, or"
            " from after the first dose), no-dose, never, responding, unconfirmed (it is no"
            " response, and no loss is established) or lost (one is, and has not ended; the score"
            " may still be a response)"
        ),
    ]
    responded_at: datetime | None
    responded_index: int | None
    days_to_response: Annotated[float | None, Field(description="From the first dose.")]
    straddles_first_dose: Annotated[
        bool | None,
        Field(
            description="The first response is an answer that also speaks of time before the first"
            " dose: what it says is not of those days alone. Null without a response."
        ),
    ]
    doses_to_response: int | None
    lost_at: Annotated[
        datetime | None, Field(description="Of the first loss: the score that established it.")
    ]
    lost_index: int | None
    days_to_loss: Annotated[float | None, Field(description="From the first response.")]
    lost_rule: Annotated[
        str | None,
        Field(
            description="two-assessments (in a row without a response, the first and the last at"
            " least 5 days apart, no pause of more than 30 days between them) or rise-from-best (by"
            " the reliable change or more, into caseness): our convention"
        ),
    ]
    unconfirmed_since: Annotated[
        datetime | None,
        Field(
            description="While unconfirmed: of the first of the scores in a row that are no"
            " response."
        ),
    ]


class SuddenChangeOut(Open):
    """A step between two scores that meets all three criteria of Tang and DeRubeis."""

    kind: Annotated[str, Field(description="gain or loss")]
    before_index: int | None
    after_index: int | None
    before_at: datetime
    after_at: datetime
    points: Annotated[int | float, Field(description="After minus before.")]


class SuddenChangesOut(Open):
    """Sudden gains and losses of the whole series."""

    changes: list[SuddenChangeOut]
    assessed: Annotated[int, Field(description="Steps that could be judged.")]
    not_assessable: Annotated[
        int,
        Field(
            description="Fewer than two scores on a side with at most 15 days between neighbours,"
            " or more than 15 days from the one side to the other."
        ),
    ]
    why_not: Annotated[
        str | None, Field(description="no-reliable-change or too-few-scores, if none could be.")
    ]


class ProjectionOut(Open):
    """When a straight line through the last scores is back at the baseline. No advice."""

    returns_at: datetime | None
    low_at: Annotated[datetime | None, Field(description="Of the 95 % interval.")]
    high_at: Annotated[
        datetime | None, Field(description="Null also where it is too far ahead to be told.")
    ]
    scores: Annotated[int, Field(description="That the line goes through.")]
    why_not: Annotated[
        str | None,
        Field(
            description="no-baseline, no-direction, no-dose, no-gain, too-few-scores, too-short,"
            " too-long-ago, already-back, not-worsening, too-far-ahead, or already-past (the line"
            " was back before now or before the last score, and the scores were not)"
        ),
    ]
    advice: str


class GapOut(Open):
    """A time of more than 30 days without any score."""

    from_at: datetime
    until_at: datetime
    days: float


class MissingOut(Open):
    """What is not there: it is never drawn over."""

    incomplete: Annotated[int, Field(description="Points shown that have no score.")]
    gaps: list[GapOut]
    days_since_last: Annotated[
        float | None, Field(description="From the last point of the series to now.")
    ]


class LeftOutOut(Open):
    """A version of the instrument whose numbers mean something else, and are not joined."""

    instrument_version: str
    check_ins: int


class DosesOut(Open):
    """Every dose's t = 0, oldest first."""

    effective_at: list[datetime]


class TrajectoryOut(Open):
    """One scale over time, anchored to the doses."""

    instrument: str
    instrument_version: str
    versions: Annotated[list[str], Field(description="That are joined: they measure the same.")]
    left_out: Annotated[
        list[LeftOutOut], Field(description="Versions that are not joined; see `version`.")
    ]
    item: str | None
    subscale: Annotated[str | None, Field(description="Or one of the scores that are entered.")]
    direction: Annotated[str | None, Field(description="lower-is-better or higher-is-better")]
    minimum: int
    maximum: int
    is_ordinal: Annotated[
        bool, Field(description="True for suicidal ideation: nothing is subtracted or averaged.")
    ]
    measures_hours: Annotated[
        bool, Field(description="Whether a change within hours of a dose can show at all.")
    ]
    points: PointsOut
    doses: DosesOut
    is_truncated: Annotated[bool, Field(description="There is more than the newest 5,000 points.")]
    baseline: BaselineOut | None
    latest: OutcomeOut | None
    response: ResponseOut | None
    sudden_changes: SuddenChangesOut | None
    projection: ProjectionOut | None
    missing: MissingOut
    sources: list[str]
    conventions: list[str]
    caveat: str
