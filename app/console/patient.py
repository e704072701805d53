"""One patient, on pages of their own: summary, trajectories, flags, notes, goals, audit."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query

from app.checkins import packs, schedule
from app.checkins import service as checkins
from app.checkins.schemas import DueOut
from app.clinical.instruments import Instrument
from app.console import words
from app.console.door import Answer, GoTo, Inside, Shown, Visit, page_router, with_query
from app.console.figures import Figure, draw
from app.console.forms import Fields, read
from app.console.pages import moment, number
from app.goals import service as goals
from app.goals.schemas import GoalOut
from app.kernel.db import Db
from app.kernel.errors import Problem, not_found
from app.kernel.paging import Cursor
from app.people import audit, profile
from app.people.audit import Changed, Look
from app.people.chart import Chart, Right, open_chart
from app.safety import calls, cases, plan
from app.safety.schemas import FlagIn, FlagRef, FlagState, ReachOut, SafetyPlanOut
from app.treatment import notes
from app.treatment import service as treatment
from app.treatment.schemas import DosingSessionOut, NoteOut
from app.trends import service as trends
from app.trends.schemas import TrajectoryOut

routes = page_router()
READ_SUMMARY: Final = Right("summary.read", is_for_patient=False)
_PATIENT: Final = "/console/patients/{patient_id}"
_LOOKS: Final = 50
_POINTS_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Contact:
    """Who a patient is, and how to reach them."""

    name: str
    phone: str | None
    address: str | None
    emergency_contacts: list[ReachOut]


@dataclass(frozen=True, slots=True)
class Tab:
    """One of a patient's pages."""

    key: str
    path: str
    label: str


@dataclass(frozen=True, slots=True)
class Head:
    """What stands over every page of a patient."""

    patient_id: UUID
    contact: Contact
    time_zone: str
    local_time: str
    enrolled_at: datetime
    open_flags: list[FlagRef]
    tabs: tuple[Tab, ...]
    tab: str
    may_record: bool


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest score of one scale, against its baseline."""

    key: str
    title: str
    trajectory: TrajectoryOut
    figure: Figure | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What matters today."""

    scores: list[Latest]
    due: DueOut
    sessions: list[DosingSessionOut]
    safety_plan: SafetyPlanOut | None


@dataclass(frozen=True, slots=True)
class Scale:
    """Something that can be drawn. key: `phq-9`, or `momentary:mood`."""

    key: str
    title: str


@dataclass(frozen=True, slots=True)
class Point:
    """A row of the table behind a figure."""

    at: datetime
    score: float | None
    change: float | None
    percent: float | None
    dose_number: int
    hours: float | None
    window: str


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One scale over time."""

    scales: list[Scale]
    scale: Scale | None
    trajectory: TrajectoryOut | None
    figure: Figure | None
    points: list[Point]
    left_out: int


@dataclass(frozen=True, slots=True)
class Flags:
    """A patient's flags, and the form to raise one."""

    flags: list[FlagState]
    fields: Fields


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of notes or goals."""

    notes: list[NoteOut]
    goals: list[GoalOut]
    next_page: str | None


@dataclass(frozen=True, slots=True)
class Audit:
    """Who looked and who changed."""

    looks: list[Look]
    changes: list[Changed]
    next_page: str | None


def initials(name: str) -> str:
    """For a tab and a browser's history, which others may see: `R. E.`."""
    return " ".join(f"{part[0]}." for part in name.split())


def contact_of(db: Db, chart: Chart) -> Contact:
    """For whoever has the chart open."""
    known = profile.contact_of(db, chart)
    return Contact(
        str(known["name"]),
        known.get("phone"),
        known.get("address"),
        [ReachOut.model_validate(one) for one in known.get("emergency_contacts", [])],
    )


def head(db: Db, chart: Chart, tab: str, now: datetime) -> Head:
    """What stands over a page of this patient. tab: which page it is."""
    here = f"/console/patients/{chart.patient_id}"
    tabs = [
        (READ_SUMMARY, "summary", here, "Summary"),
        (trends.READ_TRAJECTORIES, "trajectories", f"{here}/trajectories", "Trajectories"),
        (cases.READ_STATE, "flags", f"{here}/flags", "Flags"),
        (treatment.READ_SESSIONS, "treatment", f"{here}/treatment", "Treatment"),
        (notes.READ_NOTES, "notes", f"{here}/notes", "Notes"),
        (goals.READ_GOALS, "goals", f"{here}/goals", "Goals"),
        (audit.READ_AUDIT, "audit", f"{here}/audit", "Audit"),
    ]
    sees_flags = cases.READ_STATE.is_granted(chart)
    flags = db.all(cases.FLAGS_OF_PATIENT, patient_id=chart.patient_id) if sees_flags else []
    return Head(
        patient_id=chart.patient_id,
        contact=contact_of(db, chart),
        time_zone=chart.time_zone,
        local_time=f"{now.astimezone(schedule.zone_of(chart.time_zone)):%H:%M}",
        enrolled_at=chart.enrolled_at,
        open_flags=[flag.ref() for flag in flags if flag.status != "resolved"],
        tabs=tuple(
            Tab(key, path, label) for right, key, path, label in tabs if right.is_granted(chart)
        ),
        tab=tab,
        may_record=treatment.RECORD_SESSIONS.is_granted(chart),
    )


def shown(
    visit: Visit,
    chart: Chart,
    tab: str,
    label: str,
    view: object,
    *,
    status: int = 200,
    done: str = "",
) -> Shown:
    """A page of this patient's."""
    above = head(visit.db, chart, tab, visit.now)
    return Shown(
        f"patient_{tab}.html",
        f"{initials(above.contact.name)} {label}",
        view,
        section="caseload",
        status=status,
        said=words.DONE.get(done, ""),
        extra={"head": above},
    )


@routes.get(_PATIENT)
def summary_page(visit: Inside, patient_id: str) -> Answer:
    """Open flags, last scores, what is due, the newest doses, the safety plan."""
    db, now = visit.db, visit.now
    chart = open_chart(db, visit.caller, patient_id, READ_SUMMARY, now)
    asked = schedule.ask_due(db, chart.patient_id, now - schedule.LOOK_BACK)
    sessions = treatment.list_sessions(db, chart, cursor=None, limit=3)
    scores = []
    for instrument in _answered(db, chart):
        if instrument.total is not None:
            found = _trajectory(db, chart, instrument.key, None)
            figure = draw(instrument.title, "", found)
            scores.append(Latest(instrument.key, instrument.title, found, figure))
    view = Summary(
        scores=scores,
        due=schedule.read_due(db, chart, asked, now),
        sessions=sessions.dosing_sessions,
        safety_plan=plan.find_plan(db, chart),
    )
    return shown(visit, chart, "summary", "Summary", view)


@routes.get(_PATIENT + "/trajectories")
def trajectories_page(
    visit: Inside, patient_id: str, scale: Annotated[str, Query(max_length=140)] = ""
) -> Answer:
    """One scale over time, as a figure and as a table."""
    db = visit.db
    chart = open_chart(db, visit.caller, patient_id, trends.READ_TRAJECTORIES, visit.now)
    scales = [one for instrument in _answered(db, chart) for one in _scales(instrument)]
    chosen = next((one for one in scales if one.key == scale), None)
    if chosen is None and scale:
        raise not_found()
    chosen = chosen or next(iter(scales), None)
    if chosen is None:
        empty = Trajectory([], None, None, None, [], 0)
        return shown(visit, chart, "trajectories", "Trajectories", empty)
    key, _, item = chosen.key.partition(":")
    found = _trajectory(db, chart, key, item or None)
    points = _points(found)
    view = Trajectory(
        scales=scales,
        scale=chosen,
        trajectory=found,
        figure=draw(chosen.title, _summary(chosen.title, found, chart.clinic.time_zone), found),
        points=points[:_POINTS_SHOWN],
        left_out=max(0, len(points) - _POINTS_SHOWN),
    )
    return shown(visit, chart, "trajectories", chosen.title, view)


@routes.get(_PATIENT + "/flags")
def patient_flags_page(
    visit: Inside, patient_id: str, done: Annotated[str, Query(max_length=20)] = ""
) -> Answer:
    """Every flag, and what was done about it."""
    chart = open_chart(visit.db, visit.caller, patient_id, cases.READ_STATE, visit.now)
    return _flags(visit, chart, _concern({"level": "high", "kind": "suicide-risk"}), done=done)


@routes.post(_PATIENT + "/flags")
def raise_concern(visit: Inside, patient_id: str) -> Answer:
    """A clinician is worried about their patient."""
    chart = open_chart(visit.db, visit.caller, patient_id, calls.RAISE_FLAGS, visit.now)
    fields = _concern({}).typed(visit.form)
    try:
        sent = read(FlagIn, {**fields.values, "id": visit.form["id"]})
        calls.raise_concern(visit.db, chart, sent, visit.now)
    except Problem as problem:
        return _flags(visit, chart, fields.refused(problem), status=422)
    return GoTo(f"/console/patients/{chart.patient_id}/flags?done=raised")


@routes.get(_PATIENT + "/notes")
def notes_page(visit: Inside, patient_id: str, cursor: Cursor = None) -> Answer:
    """The notes that the patient shares with those who treat them."""
    chart = open_chart(visit.db, visit.caller, patient_id, notes.READ_NOTES, visit.now)
    page = notes.list_notes(visit.db, chart, cursor=cursor, limit=20)
    here = f"/console/patients/{chart.patient_id}/notes"
    more = page.next_cursor and with_query(here, cursor=page.next_cursor)
    return shown(visit, chart, "notes", "Notes", Listed(page.notes, [], more))


@routes.get(_PATIENT + "/goals")
def goals_page(visit: Inside, patient_id: str, cursor: Cursor = None) -> Answer:
    """What the patient wants to change."""
    chart = open_chart(visit.db, visit.caller, patient_id, goals.READ_GOALS, visit.now)
    page = goals.list_goals(visit.db, chart, cursor=cursor, limit=20)
    here = f"/console/patients/{chart.patient_id}/goals"
    more = page.next_cursor and with_query(here, cursor=page.next_cursor)
    return shown(visit, chart, "goals", "Goals", Listed([], page.goals, more))


@routes.get(_PATIENT + "/audit")
def audit_page(visit: Inside, patient_id: str, cursor: Cursor = None) -> Answer:
    """Who looked at this record, and who changed it."""
    chart = open_chart(visit.db, visit.caller, patient_id, audit.READ_AUDIT, visit.now)
    looks, after = audit.looks(visit.db, chart, after=cursor, limit=_LOOKS, now=visit.now)
    here = f"/console/patients/{chart.patient_id}/audit"
    changes = audit.changes(visit.db, chart) if cursor is None else []
    view = Audit(looks, changes, after and with_query(here, cursor=after))
    return shown(visit, chart, "audit", "Audit", view)


def _concern(values: dict[str, str | list[str]]) -> Fields:
    labels = {"kind": "What it is about", "level": "How grave", "note": "Why"}
    return Fields("concern", labels, values)


def _flags(
    visit: Visit, chart: Chart, fields: Fields, *, status: int = 200, done: str = ""
) -> Shown:
    view = Flags(cases.states(visit.db, chart).flags, fields)
    return shown(visit, chart, "flags", "Flags", view, status=status, done=done)


def _answered(db: Db, chart: Chart) -> list[Instrument]:
    return [packs.find(db, key) for key in checkins.instruments_answered(db, chart)]


def _scales(instrument: Instrument) -> list[Scale]:
    """The total first, then each item that has a direction, and the suicide item on its own."""
    found = [Scale(instrument.key, instrument.title)] if instrument.total is not None else []
    if instrument.total is None:
        found += [
            Scale(f"{instrument.key}:{item.key}", f"{instrument.title}: {item.text}")
            for item in instrument.items
            if item.scale is not None
        ]
    if instrument.suicide_item is not None:
        item = instrument.items[instrument.suicide_item.position]
        found.append(
            Scale(f"{instrument.key}:{item.key}", f"{instrument.title}: suicidal thoughts")
        )
    return found


def _trajectory(db: Db, chart: Chart, key: str, item: str | None) -> TrajectoryOut:
    asked = trends.ask_trajectory(
        db, chart.patient_id, key, item_key=item, since=None, until=None
    )
    return TrajectoryOut.model_validate_json(trends.read_trajectory(chart, asked))


def _points(of: TrajectoryOut) -> list[Point]:
    """Newest first."""
    columns = of.points
    rows = zip(
        columns.effective_at,
        columns.score,
        columns.change,
        columns.percent_change,
        columns.dose_number,
        columns.hours_since_dose,
        columns.window,
        strict=True,
    )
    return [Point(*row) for row in rows][::-1]


def _summary(title: str, of: TrajectoryOut, time_zone: str) -> str:
    """The figure in one sentence, for whoever does not see it."""
    known = [
        (at, score)
        for at, score in zip(of.points.effective_at, of.points.score, strict=True)
        if score is not None
    ]
    if not known:
        return ""
    zone = schedule.zone_of(time_zone)
    (first_at, first), (last_at, last) = known[0], known[-1]
    doses = len(of.doses.effective_at)
    return (
        f"{title}, {len(known)} scores from {moment(first_at, zone)} to {moment(last_at, zone)}:"
        f" {number(first)} at first, {number(last)} now, between"
        f" {number(min(score for _, score in known))} and"
        f" {number(max(score for _, score in known))}. {doses} doses."
    )


