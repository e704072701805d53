"""Screenings and their stops, earlier treatments, medicines, and what they come to together."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, literal_column
from sqlalchemy.dialects.postgresql import insert as upsert

from app.clinical import eligibility
from app.clinical.eligibility import Answer, Severity, Standing
from app.course.eligibility.schemas import (
    EligibilityOut,
    HistoryOut,
    InteractionOut,
    MedicationIn,
    MedicationOut,
    ScreeningIn,
    ScreeningOut,
    StandingOut,
    StopResolutionIn,
    StopResolutionOut,
    TrialHistoryIn,
    TrialHistoryOut,
)
from app.course.eligibility.tables import (
    Medication,
    Screening,
    StopResolution,
    TreatmentResistance,
    TrialHistory,
)
from app.journal.shelf import Kept, Shelf
from app.kernel.db import Change, Db
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.errors import Fault, Kind, Problem, invalid
from app.kernel.tables import columns
from app.people.chart import CARE, Chart, Right

PRESCRIBERS: Final = frozenset({"prescribe"})
TREATING: Final = frozenset({"therapy", "prescribe"})
READ_ELIGIBILITY: Final = Right("eligibility.read", is_for_patient=False)

NOT_SCREENED: Final = "not-screened"
NOT_YOURS: Final = "A clinician listed this medicine. Say what you take in an entry of your own."
_LOOKED_AT: Final = 500
"""Entries of one kind that are looked at together, the newest; far more than anybody has."""


class Stood(NamedTuple):
    """What follows from the newest screening; None where there is no screening."""

    screening: ScreeningOut
    standing: Standing


_resolution = columns(StopResolution)
_set = upsert(TreatmentResistance)
SET_STRATUM = Change(
    _set.on_conflict_do_update(
        index_elements=["clinic_id", "patient_id"],
        set_={
            name: _set.excluded[name] for name in ("stratum", "is_certain", "is_resistant", "as_of")
        },
    )
)


def _restratify(db: Db, chart: Chart, _: TrialHistoryOut, __: str, now: datetime) -> None:
    """Something about the history changed: all of it decides anew, in the same transaction."""
    told = read_history(db, chart)
    db.add(
        SET_STRATUM,
        patient_id=chart.patient_id,
        stratum=told.stratum,
        is_certain=told.stratum_is_certain,
        is_resistant=told.is_resistant,
        as_of=now,
    )


def _screened(
    db: Db, chart: Chart, sent: ScreeningIn, row: Kept, before: Kept | None, now: datetime
) -> dict[str, Any]:
    """What a screening says that nobody sends. Raises: Problem INVALID, HARD_STOP."""
    known = {one.key for one in eligibility.conditions()}
    faults = []
    if not sent.answers.keys() <= known:
        faults.append(Fault("/answers", "names a condition that the catalogue does not have"))
    if not sent.notes.keys() <= sent.answers.keys():
        faults.append(Fault("/notes", "is about a condition that was not answered"))
    if faults:
        raise Problem(Kind.INVALID, faults=faults)
    _check_stops(db, chart, sent, row, before)
    was = SCREENINGS.told(chart, before) if before is not None else None
    return {
        "catalogue_version": eligibility.catalogue_version(),
        "answered_in": {
            key: was.answered_in[key]
            if was is not None
            and was.answers.get(key) == answer
            and was.notes.get(key) == sent.notes.get(key)
            else row.version
            for key, answer in sent.answers.items()
        },
    }


def _check_stops(db: Db, chart: Chart, sent: ScreeningIn, row: Kept, before: Kept | None) -> None:
    """Whoever may not resolve a stop does not answer it away either. Raises: Problem HARD_STOP."""
    stood = None if _prescribes(chart) else stands(db, chart)
    if stood is None:
        return
    counts = (stood.screening.effective_at, stood.screening.id)
    is_the_one = before is not None and before.id == stood.screening.id
    # By its time as it will be: an older one that is moved forward would be the newest.
    if not is_the_one and (row.effective_at, row.id) < counts:
        return  # of an earlier time: the newest one still counts
    is_moved = is_the_one and before is not None and sent.recorded_at < before.recorded_at
    _require_none(key for key in stood.standing.stops if is_moved or sent.answers.get(key) != "yes")


def _taken_back(db: Db, chart: Chart, row: Kept) -> None:
    """As for an answer that changes. Raises: Problem HARD_STOP."""
    stood = None if _prescribes(chart) else stands(db, chart)
    if stood is not None and stood.screening.id == row.id:
        _require_none(stood.standing.stops)


def _prescribes(chart: Chart) -> bool:
    return not PRESCRIBERS.isdisjoint(chart.actor_privileges)


def _require_none(stops: Iterable[str]) -> None:
    if standing := list(stops):
        raise Problem(Kind.HARD_STOP, extra={"stops": standing})


def _resolved(
    db: Db, chart: Chart, sent: StopResolutionIn, _: Kept, __: Kept | None, ___: datetime
) -> dict[str, Any]:
    """Only what stops can be resolved, as it is answered now. Raises: Problem INVALID."""
    kept = db.first(SCREENINGS.one, patient_id=chart.patient_id, id=sent.screening_id)
    if kept is None or kept.status == ENTERED_IN_ERROR:
        raise invalid("/screening_id", "is not one of the patient's screenings")
    if kept.version != sent.screening_version:
        raise invalid("/screening_version", "is not the version of the screening as it is now")
    hard = {one.key for one in eligibility.conditions() if one.severity is Severity.HARD_STOP}
    if sent.condition not in hard:
        raise invalid("/condition", "is not a hard stop of the catalogue")
    if kept.plain["answers"].get(sent.condition) != Answer.YES:
        raise invalid("/condition", "was not answered with yes")
    return {}


def _listed(
    db: Db, chart: Chart, sent: MedicationIn, row: Kept, before: Kept | None, _: datetime
) -> dict[str, Any]:
    """Who listed it first. Raises: Problem INVALID."""
    about = sent.about_id
    if about is not None and (before is None or before.plain["about_id"] != about):
        kept = db.first(MEDICATIONS.one, patient_id=chart.patient_id, id=about)
        if about == row.id or kept is None or kept.status == ENTERED_IN_ERROR:
            raise invalid("/about_id", "is not another of the patient's medicines")
    if before is not None:
        return {"listed_by": before.plain["listed_by"]}
    return {"listed_by": "patient" if chart.is_own else "clinician"}


def _only_own(chart: Chart, entry: MedicationOut) -> None:
    """What a clinician listed is part of what others prescribe by. Raises: Problem FORBIDDEN."""
    if chart.is_own and entry.listed_by != "patient":
        raise Problem(Kind.FORBIDDEN, detail=NOT_YOURS)


TRIALS: Final = Shelf(
    "trial_history",
    TrialHistory,
    TrialHistoryIn,
    TrialHistoryOut,
    created="recorded",
    read=Right("trial_history.read"),
    write=Right("trial_history.record", is_for_patient=False, privileges=TREATING),
    follow=_restratify,
)
MEDICATIONS: Final = Shelf(
    "medication",
    Medication,
    MedicationIn,
    MedicationOut,
    created="listed",
    read=Right("medications.read"),
    write=Right("medications.list", privileges=CARE),
    derive=_listed,
    guard=_only_own,
)
SCREENINGS: Final = Shelf(
    "screening",
    Screening,
    ScreeningIn,
    ScreeningOut,
    created="recorded",
    read=Right("screenings.read"),
    write=Right("screenings.record", is_for_patient=False, privileges=TREATING),
    derive=_screened,
    check_withdrawal=_taken_back,
)
RESOLUTIONS: Final = Shelf(
    "stop_resolution",
    StopResolution,
    StopResolutionIn,
    StopResolutionOut,
    created="resolved",
    read=Right("stop_resolutions.read"),
    write=Right("stop_resolutions.resolve", is_for_patient=False, privileges=PRESCRIBERS),
    derive=_resolved,
)
ALL_TRIALS = TRIALS.query(newest=_LOOKED_AT)
_medication = columns(Medication)
TAKEN_NOW = MEDICATIONS.query(_medication.status == literal_column("'active'"), newest=_LOOKED_AT)
SAID_OF_OTHERS = MEDICATIONS.query(
    _medication.about_id.is_not(None),
    _medication.listed_by == literal_column("'patient'"),
    newest=_LOOKED_AT,
)
NEWEST_SCREENING = SCREENINGS.query(newest=1)
RESOLUTIONS_OF = RESOLUTIONS.query(_resolution.screening_id == bindparam("screening_id"))


def read_eligibility(db: Db, chart: Chart) -> EligibilityOut:
    """The newest screening, the history and the list of medicines, looked at together."""
    taken = MEDICATIONS.found(db, chart, TAKEN_NOW)
    return EligibilityOut(
        catalogue_version=eligibility.catalogue_version(),
        standing=standing_out(stands(db, chart)),
        history=read_history(db, chart),
        interactions=interactions(taken),
        medications=len(taken),
        not_recognised=[taken[at].id for at in eligibility.not_recognised(_as_listed(taken))],
        said_stopped=_said_stopped(db, chart, taken),
    )


def _said_stopped(db: Db, chart: Chart, taken: Sequence[MedicationOut]) -> list[UUID]:
    """By what the patient said of each last."""
    last: dict[UUID, str] = {}
    for one in MEDICATIONS.found(db, chart, SAID_OF_OTHERS):
        if one.about_id is not None:
            last.setdefault(one.about_id, one.status)
    return [one.id for one in taken if last.get(one.id) == "stopped"]


def stands(db: Db, chart: Chart) -> Stood | None:
    """What follows from the newest screening and what was resolved of it."""
    newest = SCREENINGS.found(db, chart, NEWEST_SCREENING)
    if not newest:
        return None
    [screening] = newest
    resolved = {
        one.condition
        for one in RESOLUTIONS.found(db, chart, RESOLUTIONS_OF, screening_id=screening.id)
        # Of an answer that still stands as whoever resolved it saw it.
        if one.screening_version >= screening.answered_in.get(one.condition, screening.version + 1)
    }
    answers = {key: Answer(answer) for key, answer in screening.answers.items()}
    return Stood(screening, eligibility.assess(answers, resolved))


def standing_out(stood: Stood | None) -> StandingOut:
    """The same, as it is told; without a screening every question is open."""
    if stood is None:
        standing = asdict(eligibility.assess({})) | {"state": NOT_SCREENED}
        return StandingOut(screening_id=None, screening_version=None, screened_at=None, **standing)
    return StandingOut(
        screening_id=stood.screening.id,
        screening_version=stood.screening.version,
        screened_at=stood.screening.effective_at,
        **asdict(stood.standing),
    )


def read_history(db: Db, chart: Chart) -> HistoryOut:
    """What the earlier treatments come to."""
    trials = TRIALS.found(db, chart, ALL_TRIALS)
    told = eligibility.history(
        eligibility.Trial(
            drug=one.drug,
            drug_class=one.drug_class,
            dose_adequate={"yes": True, "no": False}.get(one.dose_adequate),
            weeks=one.weeks,
            outcome=eligibility.TrialOutcome(one.outcome),
        )
        for one in trials
        if one.kind == "antidepressant"
    )
    is_known = bool(trials)
    return HistoryOut(
        **{
            **asdict(told),
            "is_resistant": told.is_resistant if is_known else None,
            "stratum": told.stratum if is_known else None,
            "stratum_is_certain": told.stratum_is_certain and is_known,
        },
        definition=eligibility.DEFINITION,
    )


def interactions(taken: Sequence[MedicationOut]) -> list[InteractionOut]:
    """What of this list interacts."""
    return [
        InteractionOut(
            medication_id=taken[one.place].id,
            **{name: value for name, value in asdict(one).items() if name != "place"},
        )
        for one in eligibility.warnings(_as_listed(taken))
    ]


def _as_listed(taken: Sequence[MedicationOut]) -> list[eligibility.Medication]:
    return [eligibility.Medication(one.name, one.rxnorm) for one in taken]
