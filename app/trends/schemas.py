"""What crosses the wire about trends."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from app.kernel.paging import MAX_PAGE
from app.kernel.strict import Open, Wire
from app.safety.schemas import FlagRef


class PointsOut(Open):
    """Columns of equal length, oldest first."""

    effective_at: list[datetime]
    score: Annotated[
        list[int | float | None],
        Field(description="Total, or the item's answer; null if incomplete."),
    ]
    change: Annotated[list[int | float | None], Field(description="Current minus baseline.")]
    percent_change: list[float | None]
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
    rule: Annotated[str, Field(description="pinned, before-first-dose or first-complete")]
    provisional: bool


class OutcomeOut(Open):
    """What the latest complete score says, measured from the baseline."""

    index: Annotated[int | None, Field(description="Among the points; null if not shown.")]
    score: int | float
    effective_at: datetime
    band: str | None
    change: int | float
    percent_change: float | None
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
    remission: bool | None
    reliable_recovery: Annotated[
        bool | None,
        Field(description="Reliably improved, from caseness to below it; null from no caseness."),
    ]
    doses_in_recall_window: int


class ResponseOut(Open):
    """When a response came after the first dose, and whether it was lost."""

    state: Annotated[
        str,
        Field(
            description="not-defined, no-dose, never, responding, unconfirmed (the last score is no"
            " response, and no loss is established) or lost"
        ),
    ]
    responded_at: datetime | None
    responded_index: int | None
    days_to_response: Annotated[float | None, Field(description="From the first dose.")]
    doses_to_response: int | None
    lost_at: Annotated[
        datetime | None, Field(description="Of the first loss: the score that established it.")
    ]
    lost_index: int | None
    days_to_loss: Annotated[float | None, Field(description="From the first response.")]
    lost_rule: Annotated[str | None, Field(description="two-assessments or rise-from-best")]


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
        Field(description="Fewer than two scores on a side, or more than 15 days in between."),
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
            " too-long-ago, already-back, not-worsening or too-far-ahead"
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


class ScoreOut(Open):
    """One score, and how long after the dose in question; negative before it."""

    score: int | float
    effective_at: datetime
    hours_since_dose: float


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
        Field(description="From the best score; if censored, it lasted at least so long."),
    ]
    is_censored: bool
    why: Annotated[
        str,
        Field(description="half-gone, next-dose, last-score, no-gain, no-score or no-baseline"),
    ]


class DosePointsOut(Open):
    """Columns of equal length, from this dose to the next."""

    effective_at: list[datetime]
    hours_since_dose: list[float]
    score: list[int | float | None]


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


class FlagMarkOut(Open):
    """A flag on the time axis."""

    id: UUID
    kind: str
    level: str
    status: str
    is_historic: bool
    raised_at: datetime


class NoteMarksOut(Open):
    """When notes were written; to a clinician those that are shared, and nothing of the others."""

    effective_at: list[datetime]


class GoalMarksOut(Open):
    """When goals were set, and how they stand."""

    effective_at: list[datetime]
    status: list[str]


class MissedOut(Open):
    """Something that was asked for and not answered."""

    due_key: str
    label: str
    opened_at: datetime
    expired_at: datetime


class KeptOut(Open):
    """How much of what was asked for is there. Windows that are still open do not count."""

    instrument: str
    expected: int
    in_time: int
    late: int
    missed: list[MissedOut]


class AskedOut(Open):
    """What the protocol that holds asked for, since when."""

    protocol_version: int
    since: datetime
    instruments: list[KeptOut]
    convention: str


class TrajectoriesOut(Open):
    """Several series on one time axis, and what happened around them."""

    doses: DosesOut
    flags: list[FlagMarkOut]
    notes: NoteMarksOut
    goals: GoalMarksOut
    asked: AskedOut
    is_cut: Annotated[bool, Field(description="There are more series than fit; name those wanted.")]
    trajectories: list[TrajectoryOut]


class IdeationStepOut(Open):
    """One step of an ordinal scale. level: the one it raises; none says nothing of safety."""

    value: int
    label: str
    level: str


class IdeationPointsOut(Open):
    """Columns of equal length, oldest first."""

    effective_at: list[datetime]
    value: Annotated[
        list[int | None],
        Field(description="A step of `scale`; null where it was left out or not assessed."),
    ]
    level: Annotated[list[str], Field(description="That the whole answer raised.")]
    assessed: list[bool]
    dose_number: list[int]
    hours_since_dose: list[float | None]
    window: list[str]


class IdeationSourceOut(Open):
    """One questionnaire that asks, in one version; never joined to another."""

    source: str
    kind: Annotated[str, Field(description="item (as answered) or level (of a screener)")]
    instrument: str
    instrument_version: str
    recall_days: int
    scale: list[IdeationStepOut]
    points: IdeationPointsOut
    citation: str
    is_convention: bool


class IdeationOut(Open):
    """Suicidal ideation over time, each source by itself: ordinal, and nothing in between."""

    sources: list[IdeationSourceOut]
    doses: list[datetime]
    is_truncated: bool
    caveat: str


class SparklineOut(Open):
    """The newest complete scores of what somebody is followed by; columns of equal length."""

    instrument: str
    minimum: int
    maximum: int
    direction: str | None
    effective_at: list[datetime]
    score: list[int | float]


class CaseOut(Open):
    """A patient on a clinician's list."""

    patient_id: UUID
    name: Annotated[str | None, Field(description="Null if it cannot be opened.")]
    why: Annotated[
        str,
        Field(
            description="What places them on the list: flag, worsening, loss-of-response, overdue,"
            " silent or nothing-noted"
        ),
    ]
    also: Annotated[list[str], Field(description="What else is true of them, in that order.")]
    flag: FlagRef | None
    flag_raised_at: datetime | None
    last_check_in_at: datetime | None
    last_phq9_total: int | None
    last_phq9_at: datetime | None
    last_dose_at: datetime | None
    sparkline: SparklineOut | None


class CaseloadOut(Open):
    """Open flags first, worst and oldest first; then by `rule`."""

    patients: list[CaseOut]
    rule: str
    next_cursor: str | None


class ReportDose(Open):
    """A drug that was given. number: of the dose, from 1."""

    number: int
    drug: str
    route: str
    dose_mg: float
    given_at: datetime


class ReportOutcome(Open):
    """One outcome, what it means, and where that is from."""

    key: Annotated[str, Field(examples=["response"])]
    label: str
    value: Annotated[str, Field(examples=["yes", "not assessable"])]
    definition: str
    convention: Annotated[bool, Field(description="The definition is our own choice.")]


class ReportBy(Open):
    """Who asked for a report."""

    role: Annotated[str, Field(description="patient or clinician")]
    name: str


class ReportOut(Open):
    """One page for a referrer, as numbers. `limits`: what none of it can prove."""

    made_at: datetime
    made_by: ReportBy
    patient_id: UUID
    patient_name: str
    time_zone: Annotated[str, Field(description="Whose days the dates of the page are.")]
    clinic_name: str
    clinic_phone: str | None
    trajectory: TrajectoryOut
    doses: Annotated[list[ReportDose], Field(description="Oldest first; the newest 200 visits.")]
    outcomes: list[ReportOutcome]
    limits: str


class CaseSearchIn(Wire):
    """Whom to look for on one's own list. In a body, because an address is written down."""

    name: Annotated[
        str | None,
        Field(max_length=200, description="A part of it, whatever its case and accents."),
    ] = None
    only: Literal["flagged", "worsening", "loss-of-response", "overdue", "silent"] | None = None
    cursor: Annotated[str | None, Field(max_length=512)] = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50


class VisitCountsOut(Open):
    """Each is a part of the one before it; null where it may not be told, or is not defined."""

    reached: Annotated[int | None, Field(description="For whom this visit is over.")]
    eligible: Annotated[
        int | None, Field(description="Of these, with a baseline that response counts from.")
    ]
    in_touch: Annotated[
        int | None, Field(description="Of these, answered anything since the visit began.")
    ]
    assessed: Annotated[int | None, Field(description="Of these, with a complete score in it.")]
    responded: int | None
    remitted: int | None


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
    is_suppressed: bool


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


class CurveOut(Open):
    """Time until something happens, told only at days at which enough people are in every count."""

    group: str
    started: int | None
    half_by_day: Annotated[
        int | None, Field(description="The first day told at which half or fewer are without it.")
    ]
    steps: list[CurveStepOut]
    is_suppressed: bool


class OutcomesOut(Open):
    """What became of a clinic's patients, added up."""

    instrument: str
    stratum: str | None
    as_of: datetime
    levels: Annotated[list[str], Field(description="Of the counts that this instrument has.")]
    groups: list[OutcomeGroupOut]
    time_to_response: list[CurveOut]
    time_to_loss: list[CurveOut]
    cohort: str
    suppression: str
    caveat: str
    sources: list[str]
    conventions: list[str]
