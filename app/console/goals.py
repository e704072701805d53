"""A patient's goals: how far they came, as patient and therapist see it; the therapist's rating.

Both raters stand side by side. Nothing is joined across them and nothing averaged.
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query
from uuid_utils.compat import uuid7

from app.checkins.schedule import zone_of
from app.clinical.attainment import EXPECTED, LEVELS, Rater
from app.console import figures
from app.console.door import Answer, GoTo, Inside, Shown, Visit, page_router, with_query
from app.console.figures import Leveled, LevelFigure
from app.console.forms import Fields, instant, read, version, wall
from app.console.pages import day, signed
from app.console.record import PATIENT, shown
from app.goals import service
from app.goals.schemas import (
    GoalAttainmentOut,
    GoalOut,
    GoalRatingIn,
    GoalRatingOut,
    GoalStepOut,
    TScoreOut,
)
from app.goals.service import GOALS, RATINGS, Parts
from app.journal.reading import Said
from app.kernel import entries
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.errors import Kind, Problem, not_found
from app.kernel.paging import Cursor
from app.people.chart import Chart, entry_id, open_chart

routes = page_router()
_GOALS: Final = PATIENT + "/goals"
# Source: Kiresuk & Sherman 1968, Community Ment Health J 4:443-453.
LEVEL_NAMES: Final = {
    2: "much better than expected",
    1: "better than expected",
    EXPECTED: "as expected",
    -1: "less than expected",
    -2: "much less than expected",
}
_SAID: Final = 10
"""Ratings of each rater, the newest, in the sentence for whoever does not see the figure."""
_BY_TYPED: Final = {str(level): level for level in LEVELS}


@dataclass(frozen=True, slots=True)
class OneGoal:
    """A goal with what belongs to it. ratings: newest first. on_scale: None once withdrawn."""

    goal: GoalOut
    on_scale: GoalAttainmentOut | None
    steps: list[GoalStepOut]
    ratings: list[GoalRatingOut]
    figure: LevelFigure | None


@dataclass(frozen=True, slots=True)
class TScore:
    """All goals together, as one rater sees them. why_not: where T is not defined."""

    rater: str
    told: TScoreOut
    why_not: str


@dataclass(frozen=True, slots=True)
class Goals:
    """A page of goals. t_scores: over all of them, on the first page."""

    goals: list[OneGoal]
    t_scores: list[TScore]
    caveat: str
    sources: list[str]
    is_cut: bool
    next_page: str | None


@dataclass(frozen=True, slots=True)
class RatingForm:
    """The form. id: of a new rating, made with the form, so that sending it twice makes one."""

    fields: Fields
    id: UUID
    levels: list[tuple[str, str]]
    zone: str


@dataclass(frozen=True, slots=True)
class GoalPage:
    """One goal, its versions and the form to rate it. reader: whose own ratings can be undone."""

    one: OneGoal
    names: dict[int, str]
    form: RatingForm | None
    versions: list[Said[GoalOut]]
    reader: UUID
    is_cut: bool
    is_overtaken: bool


@routes.get(_GOALS)
def goals_page(visit: Inside, patient_id: str, cursor: Cursor = None) -> Answer:
    """What the patient wants to change, and how far they came."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ, visit.now)
    page = GOALS.page(visit.db, chart, cursor=cursor, limit=20)
    told = service.read_attainment(visit.db, chart, visit.now)
    parts = service.read_parts(visit.db, chart, [goal.id for goal in page.entries])
    on_scale = {one.goal_id: one for one in told.goals}
    here = f"/console/patients/{chart.patient_id}/goals"
    scores = [
        TScore(rater.value, score, why_not(score, rater))
        for rater, score in ((Rater.PATIENT, told.patient), (Rater.THERAPIST, told.therapist))
    ]
    view = Goals(
        goals=[_one(goal, on_scale.get(goal.id), parts, visit, chart) for goal in page.entries],
        t_scores=scores if cursor is None and page.entries else [],
        caveat=told.caveat,
        sources=told.sources,
        is_cut=parts.is_cut,
        next_page=page.next_cursor and with_query(here, cursor=page.next_cursor),
    )
    return shown(visit, chart, "goals", "Goals", view)


@routes.get(_GOALS + "/{goal_id}")
def goal_page(
    visit: Inside,
    patient_id: str,
    goal_id: str,
    done: Annotated[str, Query(max_length=20)] = "",
) -> Answer:
    """One goal: its levels, every rating, its steps."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ, visit.now)
    goal = GOALS.read(visit.db, chart, entry_id(goal_id))
    new = replace(_empty(), values={"recorded_at": wall(visit.now, chart.clinic.time_zone)})
    return _goal(visit, chart, goal, new, uuid7(), done=done)


@routes.post(_GOALS + "/{goal_id}")
def rate_goal(visit: Inside, patient_id: str, goal_id: str) -> Answer:
    """A therapist says how far it was attained, or that their own rating was entered in error."""
    act = visit.form["act"]
    try:
        with visit.db.tried():
            chart = open_chart(visit.db, visit.caller, patient_id, RATINGS.write_right, visit.now)
    except Problem as problem:
        if problem.kind is not Kind.NOT_FOUND or act != "rate":
            raise
        return _gone(_empty().typed(visit.form))
    if act == "withdraw":
        return _withdraw(visit, chart, GOALS.read(visit.db, chart, entry_id(goal_id)))
    if act != "rate":
        raise not_found()
    return _rate(visit, chart, entry_id(goal_id))


def _rate(visit: Visit, chart: Chart, goal_id: UUID) -> Answer:
    fields = _empty().typed(visit.form)
    new_id = entry_id(visit.form["id"])
    goal = _if_read(visit, chart, goal_id)
    if goal is None:
        return _gone(fields)
    is_there = goal.status != ENTERED_IN_ERROR
    try:
        at = instant(fields.value("recorded_at"), chart.clinic.time_zone)
    except ValueError as error:
        if not is_there:
            return _gone(fields)
        wrong = fields.wrong_at("recorded_at", str(error))
        return _goal(visit, chart, goal, wrong, new_id, status=422)
    try:
        with visit.db.tried():
            sent = read(
                GoalRatingIn,
                {
                    "id": str(new_id),
                    "goal_id": str(goal.id),
                    "level": _BY_TYPED.get(fields.value("level"), fields.value("level")),
                    "words": fields.value("words").strip(),
                    "recorded_at": at,
                },
            )
            known = entries.known_before(visit.db, chart, RATINGS.kind, RATINGS.to_change, sent.id)
            RATINGS.create(visit.db, chart, sent, known, visit.now)
    except Problem as problem:
        if not is_there:
            return _gone(fields)
        wrong = fields.refused(problem)
        kept_id = uuid7() if problem.kind is Kind.ID_REUSED else new_id
        return _goal(visit, chart, goal, wrong, kept_id, status=422)
    return GoTo(f"/console/patients/{chart.patient_id}/goals/{goal.id}?done=goal-rated")


def why_not(told: TScoreOut, rater: Rater) -> str:
    """Why T is not defined; empty where it is."""
    if told.attained_t is not None:
        return ""
    if not told.goals and not told.left_out:
        return "no goal has been worked on yet"
    if told.baseline_t is not None:
        return f"the {rater.value} has rated none of them yet"
    return f"no goal has both a baseline level and a rating by the {rater.value}"


def _if_read(visit: Visit, chart: Chart, goal_id: UUID) -> GoalOut | None:
    try:
        with visit.db.tried():
            return GOALS.read(visit.db, chart, goal_id)
    except Problem:
        return None


def _gone(fields: Fields) -> Shown:
    """Gives back what was typed for a goal that was withdrawn, is private, or never was, or whose
    patient is in this reader's care no more: one page, so that it tells none of them from another.
    """
    level = fields.value("level")
    name = LEVEL_NAMES.get(_BY_TYPED.get(level, EXPECTED), "") if level in _BY_TYPED else ""
    told = replace(fields, values={**fields.values, "level": f"{level}, {name}" if name else level})
    return Shown("gone.html", "Not there", told, section="caseload", status=404)


def _withdraw(visit: Visit, chart: Chart, goal: GoalOut) -> Answer:
    rating_id = entry_id(visit.form["rating"])
    known = entries.look_up(visit.db, chart, RATINGS.kind, RATINGS.to_change, rating_id)
    if known.row is None or known.row.plain["goal_id"] != goal.id:
        raise not_found()
    try:
        with visit.db.tried():
            RATINGS.withdraw(visit.db, chart, known, version(visit.form["version"]), visit.now)
    except Problem as problem:
        if problem.kind not in {*entries.CONFLICTS, Kind.VERSION_UNKNOWN}:
            raise
        status = problem.kind.status
        return _goal(visit, chart, goal, _empty(), uuid7(), status=status, is_overtaken=True)
    return GoTo(f"/console/patients/{chart.patient_id}/goals/{goal.id}?done=rating-withdrawn")


def _empty() -> Fields:
    return Fields("rating", {"level": "Level", "words": "Why", "recorded_at": "When"})


def _goal(
    visit: Visit,
    chart: Chart,
    goal: GoalOut,
    fields: Fields,
    new_id: UUID,
    *,
    status: int = 200,
    done: str = "",
    is_overtaken: bool = False,
) -> Shown:
    told = service.read_attainment(visit.db, chart, visit.now)
    on_scale = next((one for one in told.goals if one.goal_id == goal.id), None)
    parts = service.read_parts(visit.db, chart, [goal.id])
    can_be_rated = goal.levels is not None and goal.status != ENTERED_IN_ERROR
    # What was typed comes back also where it can no longer be taken.
    may = RATINGS.write_right.is_granted(chart) and (can_be_rated or bool(fields.errors))
    said = {level.level: level.words for level in goal.levels or ()}
    form = RatingForm(
        fields,
        new_id,
        [(str(level), f"{signed(level)}: {said.get(level, '')}") for level in reversed(LEVELS)],
        chart.clinic.time_zone,
    )
    view = GoalPage(
        one=_one(goal, on_scale, parts, visit, chart),
        names=LEVEL_NAMES,
        form=form if may else None,
        versions=GOALS.versions(visit.db, chart, goal.id)[::-1],
        reader=chart.actor_id,
        is_cut=parts.is_cut,
        is_overtaken=is_overtaken,
    )
    return shown(visit, chart, "goal", "A goal", view, status=status, done=done)


def _one(
    goal: GoalOut,
    on_scale: GoalAttainmentOut | None,
    parts: Parts,
    visit: Visit,
    chart: Chart,
) -> OneGoal:
    ratings = [one for one in parts.ratings if one.goal_id == goal.id]
    return OneGoal(
        goal=goal,
        on_scale=on_scale,
        steps=sorted(
            (one for one in parts.steps if one.goal_id == goal.id),
            key=lambda step: (step.due_on or date.max, step.effective_at),
        ),
        ratings=ratings,
        figure=_figure(goal, ratings[::-1], visit),
    )


def _figure(goal: GoalOut, ratings: list[GoalRatingOut], visit: Visit) -> LevelFigure | None:
    """ratings: oldest first."""
    if not ratings:
        return None
    zone = zone_of(visit.signed_in.time_zone)
    lines = {
        rater.value: [Leveled(one.effective_at, one.level) for one in ratings if one.rater == rater]
        for rater in Rater
    }
    said = [
        f"Rated by the {rater}: "
        + ", ".join(f"{signed(one.level)} on {day(one.at, zone)}" for one in line[-_SAID:])
        for rater, line in lines.items()
        if line
    ]
    baseline = None
    if goal.baseline_level is not None:
        first_at = min(goal.effective_at, ratings[0].effective_at)
        baseline = Leveled(first_at, goal.baseline_level)
        said.insert(0, f"Baseline {signed(goal.baseline_level)}")
    return figures.draw_levels(
        ". ".join(said) + ".", lines[Rater.PATIENT], lines[Rater.THERAPIST], baseline, zone
    )
