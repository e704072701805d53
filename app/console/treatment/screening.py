"""What speaks for and against treatment: the screening and its stops, what was tried, what is
taken.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query

from app.clinical import eligibility
from app.clinical.eligibility import Condition, Severity, TrialOutcome
from app.console.door import Answer, GoTo, Inside, Shown, Visit, page_router
from app.console.forms import Fields, read, version
from app.console.record import PATIENT, shown
from app.console.treatment.acts import (
    Refused,
    choices,
    first_sent,
    made_with,
    numeric,
    refusing,
)
from app.course.eligibility import service
from app.course.eligibility.schemas import (
    EligibilityOut,
    MedicationIn,
    MedicationOut,
    ScreeningIn,
    ScreeningOut,
    StopResolutionOut,
    TrialHistoryOut,
)
from app.course.eligibility.service import MEDICATIONS, RESOLUTIONS, SCREENINGS, TRIALS
from app.course.eligibility.tables import TRIAL_KINDS
from app.journal.reading import Listed
from app.journal.shelf import Shelf
from app.kernel import entries
from app.kernel.errors import Fault, Problem, not_found
from app.people.chart import Chart, Right, entry_id, open_chart

routes = page_router()
_SCREENING: Final = PATIENT + "/screening"
_SHOWN: Final = 50
_TAKEN: Final = 100
"""Medicines that are taken and stand on the page, the newest; one that is warned of always does."""
_RESOLUTION: Final = {"reason": "Why it does not stop this patient"}
_TRIAL: Final = {
    "kind": "What kind",
    "drug": "Drug or treatment",
    "drug_class": "Class",
    "dose_adequate": "At an adequate dose",
    "weeks": "Weeks",
    "outcome": "What came of it",
    "note": "Note",
}
_MEDICATION: Final = {
    "name": "Medicine",
    "rxnorm": "RxNorm code",
    "taken": "How much and when",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A condition of the catalogue, and how it stands. form: to resolve it, for who may."""

    condition: Condition
    answer: str
    note: str
    state: str
    resolution: StopResolutionOut | None
    form: Fields | None


@dataclass(frozen=True, slots=True)
class Screening:
    """Everything that is weighed. screen, correct, trial, medication: forms, for those who may.

    medications: those that are taken first. left_out: more that are taken. names: of medicines, by
    id. has_more_stopped, has_more_trials: there are older ones than stand here.
    """

    told: EligibilityOut
    screening: ScreeningOut | None
    asked: list[Asked]
    conditions: tuple[Condition, ...]
    trials: list[TrialHistoryOut]
    medications: list[MedicationOut]
    left_out: int
    names: dict[UUID, str]
    has_more_stopped: bool
    has_more_trials: bool
    screen: Fields | None
    correct: Fields | None
    trial: Fields | None
    medication: Fields | None
    kinds: tuple[str, ...]
    outcomes: list[str]
    ids: dict[str, str]
    refused: Fields | None

    def of(self, *states: str) -> list[Asked]:
        """The conditions that stand so."""
        return [one for one in self.asked if one.state in states]


@routes.get(_SCREENING)
def screening_page(
    visit: Inside,
    patient_id: str,
    done: Annotated[str, Query(max_length=20)] = "",
    form: Annotated[str, Query(max_length=20)] = "",
) -> Answer:
    """The newest screening, the history and the medicines, looked at together."""
    chart = open_chart(visit.db, visit.caller, patient_id, service.READ_ELIGIBILITY, visit.now)
    return _page(visit, chart, done=done, is_correcting=form == "correct")


@routes.post(_SCREENING)
def act_on_screening(visit: Inside, patient_id: str) -> Answer:
    """Screen, correct a screening, resolve a stop, write down a treatment or a medicine."""
    acts: dict[str, tuple[Right, str, Callable[[Visit, Chart], None]]] = {
        "screen": (SCREENINGS.write_right, "screened", _screen),
        "correct": (SCREENINGS.write_right, "changed", _correct),
        "resolve": (RESOLUTIONS.write_right, "stop-resolved", _resolve),
        "trial": (TRIALS.write_right, "kept", _try),
        "withdraw-trial": (TRIALS.write_right, "in-error", _withdraw_trial),
        "medication": (MEDICATIONS.write_right, "kept", _take),
        "stop": (MEDICATIONS.write_right, "changed", _stop),
    }
    act = visit.form["act"]
    if act not in acts:
        raise not_found()
    right, done, send = acts[act]
    chart = open_chart(visit.db, visit.caller, patient_id, right, visit.now)
    try:
        with visit.db.tried():
            send(visit, chart)
    except Refused as refused:
        is_correcting = act == "correct"
        fields, status = refused.fields, refused.status
        return _page(visit, chart, fields, status=status, is_correcting=is_correcting)
    return GoTo(f"/console/patients/{chart.patient_id}/screening?done={done}")


def _screen(visit: Visit, chart: Chart) -> None:
    fields = Fields("screen", _questions()).typed(visit.form)
    _create(visit, chart, SCREENINGS, fields, _answers(fields))


def _correct(visit: Visit, chart: Chart) -> None:
    fields = Fields("correct", _questions()).typed(visit.form)
    which = entry_id(visit.form["entry"])
    known = entries.look_up(visit.db, chart, SCREENINGS.kind, SCREENINGS.to_change, which)
    stood = SCREENINGS.read(visit.db, chart, which)
    said = {"id": str(which), "recorded_at": stood.recorded_at.isoformat(), **_answers(fields)}
    # What the catalogue does not have any more is not on the form, and stands as it was.
    gone = set(stood.answers) - {one.key for one in eligibility.conditions()}
    said["answers"] |= {key: stood.answers[key] for key in gone}
    said["notes"] |= {key: note for key, note in stood.notes.items() if key in gone}
    with refusing(fields):
        sent = _read_screening(said)
        base = version(visit.form["version"])
        SCREENINGS.amend(visit.db, chart, sent, known, base, visit.now)


def _resolve(visit: Visit, chart: Chart) -> None:
    condition = visit.form["condition"]
    fields = Fields(f"resolve-{condition}", _RESOLUTION).typed(visit.form)
    says = {
        "screening_id": visit.form["screening"],
        "screening_version": version(visit.form["version"]),
        "condition": condition,
        "reason": fields.value("reason"),
    }
    _create(visit, chart, RESOLUTIONS, fields, says)


def _try(visit: Visit, chart: Chart) -> None:
    fields = Fields("trial", _TRIAL).typed(visit.form)
    says = {**fields.values, "weeks": numeric(fields.value("weeks"))}
    says["drug_class"] = fields.value("drug_class").strip().lower()
    _create(visit, chart, TRIALS, fields, says)


def _withdraw_trial(visit: Visit, chart: Chart) -> None:
    which = entry_id(visit.form["entry"])
    known = entries.look_up(visit.db, chart, TRIALS.kind, TRIALS.to_change, which)
    with refusing(Fields(f"withdraw-{which}", {})):
        TRIALS.withdraw(visit.db, chart, known, version(visit.form["version"]), visit.now)


def _take(visit: Visit, chart: Chart) -> None:
    fields = Fields("medication", _MEDICATION).typed(visit.form)
    _create(visit, chart, MEDICATIONS, fields, dict(fields.values))


def _stop(visit: Visit, chart: Chart) -> None:
    """A medicine is taken no more, or again."""
    which = entry_id(visit.form["entry"])
    known = entries.look_up(visit.db, chart, MEDICATIONS.kind, MEDICATIONS.to_change, which)
    stands = MEDICATIONS.read(visit.db, chart, which)
    says = stands.model_dump(mode="json", include=set(MedicationIn.model_fields))
    with refusing(Fields(f"stop-{which}", {})):
        sent = read(MedicationIn, {**says, "status": visit.form["status"]})
        base = version(visit.form["version"])
        MEDICATIONS.amend(visit.db, chart, sent, known, base, visit.now)


def _create(
    visit: Visit, chart: Chart, shelf: Shelf[Any, Any], fields: Fields, says: dict[str, Any]
) -> None:
    """Raises: Refused."""
    new_id = entry_id(visit.form["id"])
    known = entries.known_before(visit.db, chart, shelf.kind, shelf.to_change, new_id)
    members = {**says, "id": str(new_id), "recorded_at": first_sent(known, visit)}
    with refusing(fields):
        is_screening = shelf.sent is ScreeningIn
        sent = _read_screening(members) if is_screening else read(shelf.sent, members)
        shelf.create(visit.db, chart, sent, known, visit.now)


def _questions() -> dict[str, str]:
    labels: dict[str, str] = {}
    for one in eligibility.conditions():
        labels |= {f"answer-{one.key}": one.label, f"note-{one.key}": f"Note: {one.label}"}
    return labels


def _answers(fields: Fields) -> dict[str, Any]:
    return {"answers": choices(fields, "answer-"), "notes": choices(fields, "note-")}


def _read_screening(says: dict[str, Any]) -> ScreeningIn:
    """Raises: Problem INVALID, at the fields of this form."""
    try:
        return read(ScreeningIn, says)
    except Problem as problem:
        faults = []
        for fault in problem.faults:
            parts = fault.pointer.split("/")
            pointer = fault.pointer
            if len(parts) > 2 and parts[1] in {"answers", "notes"}:
                pointer = f"/{parts[1].removesuffix('s')}-{parts[2]}"
            faults.append(Fault(pointer, fault.reason))
        raise Problem(problem.kind, problem.detail, faults) from None


def _page(
    visit: Visit,
    chart: Chart,
    refused: Fields | None = None,
    *,
    status: int = 200,
    done: str = "",
    is_correcting: bool = False,
) -> Shown:
    db = visit.db
    told = service.read_eligibility(db, chart)
    stood = service.stands(db, chart)
    screening = stood.screening if stood is not None else None

    def form(shelf: Shelf[Any, Any], name: str, labels: dict[str, str]) -> Fields | None:
        """For who may write: as typed, or empty."""
        if not shelf.write_right.is_granted(chart):
            return None
        is_it = refused is not None and refused.name == name
        return refused if is_it else Fields(name, labels)

    correct = form(SCREENINGS, "correct", _questions()) if is_correcting and screening else None
    if correct is not None and screening is not None and correct is not refused:
        values = {f"answer-{key}": answer for key, answer in screening.answers.items()}
        values |= {f"note-{key}": note for key, note in screening.notes.items()}
        correct = replace(correct, values=values)
    trials: Listed[TrialHistoryOut] = Listed([], None)
    if TRIALS.read_right.is_granted(chart):
        trials = TRIALS.page(db, chart, cursor=None, limit=_SHOWN)
    taken: list[MedicationOut] = []
    newest: Listed[MedicationOut] = Listed([], None)
    if MEDICATIONS.read_right.is_granted(chart):
        taken = MEDICATIONS.found(db, chart, service.TAKEN_NOW)
        newest = MEDICATIONS.page(db, chart, cursor=None, limit=_SHOWN)
    warned = {one.medication_id for one in told.interactions}
    listed = [one for place, one in enumerate(taken) if place < _TAKEN or one.id in warned]
    asked = _asked(visit, chart, told, screening, refused)
    names = ["screen", "trial", "medication", *(one.form.name for one in asked if one.form)]
    view = Screening(
        told=told,
        screening=screening,
        asked=asked,
        conditions=eligibility.conditions(),
        trials=trials.entries,
        medications=[*listed, *(one for one in newest.entries if one.status != "active")],
        left_out=len(taken) - len(listed),
        names={one.id: one.name for one in listed},
        has_more_stopped=newest.next_cursor is not None,
        has_more_trials=trials.next_cursor is not None,
        screen=form(SCREENINGS, "screen", _questions()) if correct is None else None,
        correct=correct,
        trial=form(TRIALS, "trial", _TRIAL),
        medication=form(MEDICATIONS, "medication", _MEDICATION),
        kinds=TRIAL_KINDS,
        outcomes=list(TrialOutcome),
        ids={
            name: made_with(visit, refused if refused and refused.name == name else None)
            for name in names
        },
        refused=refused,
    )
    return shown(visit, chart, "screening", "Screening", view, status=status, done=done)


def _asked(
    visit: Visit,
    chart: Chart,
    told: EligibilityOut,
    screening: ScreeningOut | None,
    refused: Fields | None,
) -> list[Asked]:
    """Every condition of the catalogue, hard stops first, and how it stands."""
    standing = told.standing
    resolved: dict[str, StopResolutionOut] = {}
    if screening is not None and RESOLUTIONS.read_right.is_granted(chart):
        found = RESOLUTIONS.found(
            visit.db, chart, service.RESOLUTIONS_OF, screening_id=screening.id
        )
        resolved = {one.condition: one for one in reversed(found)}
    may = RESOLUTIONS.write_right.is_granted(chart)
    states = {
        **dict.fromkeys(standing.open, "open"),
        **dict.fromkeys(standing.cautions, "caution"),
        **dict.fromkeys(standing.resolved, "resolved"),
        **dict.fromkeys(standing.stops, "stop"),
    }
    asked = []
    for one in eligibility.conditions():
        state = states.get(one.key, "no")
        form = None
        if state == "stop" and may and one.severity is Severity.HARD_STOP:
            name = f"resolve-{one.key}"
            is_it = refused is not None and refused.name == name
            form = refused if is_it else Fields(name, _RESOLUTION)
        asked.append(
            Asked(
                condition=one,
                answer=screening.answers.get(one.key, "") if screening else "",
                note=screening.notes.get(one.key, "") if screening else "",
                state=state,
                resolution=resolved.get(one.key) if state == "resolved" else None,
                form=form,
            )
        )
    return asked
