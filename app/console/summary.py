"""A patient today: flags, last scores, what is due, the newest visits, the safety plan."""

from dataclasses import dataclass
from datetime import datetime

from app.checkins import today
from app.checkins.schemas import DueOut
from app.clinical.instruments import Instrument, Item
from app.console import words
from app.console.charts import Scale
from app.console.door import Answer, Inside, page_router
from app.console.figures import Figure, draw
from app.console.record import PATIENT, READ_SUMMARY, shown
from app.console.trajectories import answered, sentence, trajectory
from app.kernel.db import Db
from app.people.chart import Chart, open_chart
from app.safety import plan
from app.safety.schemas import SafetyPlanOut
from app.treatment import listing
from app.treatment.schemas import DosingSessionOut
from app.trends import ideation
from app.trends.schemas import TrajectoryOut
from app.trends.schemas.ideation import IdeationSourceOut, IdeationStepOut

routes = page_router()


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest score of one scale, against its baseline."""

    key: str
    title: str
    trajectory: TrajectoryOut
    figure: Figure | None


@dataclass(frozen=True, slots=True)
class Answered:
    """The newest answer to one question. words: as the questionnaire has it, where it has words."""

    title: str
    scale: str
    at: datetime
    value: float
    maximum: int
    words: str


@dataclass(frozen=True, slots=True)
class Thought:
    """Suicidal thoughts as one source told of them last. step: None where that was not assessed;
    known, known_at: then the last time before it that they were.
    """

    title: str
    at: datetime
    step: IdeationStepOut | None
    known: IdeationStepOut | None
    known_at: datetime | None
    highest: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What matters today. thoughts: suicidal thoughts, each source on its own.

    moments: the newest answers to questions that stand alone.
    """

    scores: list[Latest]
    thoughts: list[Thought]
    moments: list[Answered]
    due: DueOut
    sessions: list[DosingSessionOut]
    safety_plan: SafetyPlanOut | None


@routes.get(PATIENT)
def summary_page(visit: Inside, patient_id: str) -> Answer:
    """Open flags, last scores, what is due, the newest doses, the safety plan."""
    db, now = visit.db, visit.now
    chart = open_chart(db, visit.caller, patient_id, READ_SUMMARY, now)
    asked = today.ask(db, chart.patient_id, now, is_own=chart.is_own)
    sessions = listing.read_sessions(db, chart, cursor=None, limit=3, now=now)
    known = answered(db, chart)
    scores = []
    for instrument in known:
        if instrument.total is not None:
            found = trajectory(db, chart, Scale(instrument.key, instrument.title), now)
            drawn = draw(
                sentence(instrument.title, found, chart),
                found.points.effective_at,
                found.points.score,
                (found.minimum, found.maximum),
                found.doses.effective_at,
            )
            scores.append(Latest(instrument.key, instrument.title, found, drawn))
    view = Summary(
        scores=scores,
        thoughts=[
            _thought(one)
            for one in ideation.read_ideation(db, chart, since=None, until=None).sources
        ],
        moments=[
            newest
            for one in known
            if one.total is None
            for item in one.items
            if item.scale is not None and (newest := _newest(db, chart, one, item, now))
        ],
        due=today.read_due(db, chart, asked, now),
        sessions=sessions.dosing_sessions,
        safety_plan=plan.find_plan(db, chart),
    )
    return shown(visit, chart, "summary", "Summary", view)


def _thought(source: IdeationSourceOut) -> Thought:
    """The newest of one questionnaire that asks; one that was not answered is no "no"."""
    steps = {step.value: step for step in source.scale}
    told = [
        (at, steps.get(value) if value is not None and is_assessed else None)
        for at, value, is_assessed in zip(
            source.points.effective_at,
            source.points.value,
            source.points.assessed,
            strict=True,
        )
    ]
    at, step = told[-1]
    known_at, known = next(((at, one) for at, one in reversed(told) if one), (None, None))
    return Thought(
        words.instrument_name(source.instrument),
        at,
        step,
        known if step is None else None,
        known_at if step is None else None,
        max(steps),
    )


def _newest(
    db: Db, chart: Chart, instrument: Instrument, item: Item, now: datetime
) -> Answered | None:
    """The newest answer to this question that is one."""
    scale = Scale(instrument.key, instrument.title, item.key)
    columns = trajectory(db, chart, scale, now).points
    known = [
        (at, score)
        for at, score in zip(columns.effective_at, columns.score, strict=True)
        if score is not None
    ]
    if not known:
        return None
    at, value = known[-1]
    said = next((option.label for option in item.options if option.value == value), "")
    title = words.short_title(instrument) if item.scale is None else item.text
    return Answered(title, scale.key, at, value, item.maximum, said)
