"""Outcomes of a clinic: counts of its consenting patients, and never of a few of them.

One pass over the patients who had a dose, some hundreds at a time, so that neither the memory of
this process nor its patience with everybody else depends on how many there are. Who took their
consent to treatment back is in no count.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, and_, any_, bindparam, exists, literal_column, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.types import BigInteger

from app.checkins import packs
from app.checkins.tables import IS_FINAL, CheckIn, ClinicProtocol
from app.clinical import outcomes, suppression, survival, telling
from app.clinical.coping import INTERVAL, wilson
from app.clinical.instruments import Recall, Scale, UnknownInstrument
from app.clinical.outcomes import LEVELS, STEPS, VISITS, Group, Tally
from app.clinical.survival import Curve
from app.course.courses.tables import Course
from app.course.eligibility.tables import TreatmentResistance
from app.kernel.clock import microseconds
from app.kernel.db import Db, Query
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.errors import invalid
from app.kernel.identity import Caller
from app.kernel.tables import columns, table
from app.people.chart import Right, has_consented, open_panel
from app.people.tables import Patient
from app.treatment import service as treatment
from app.treatment.tables import DosingSession
from app.trends import gathered, series
from app.trends.schemas.outcomes import (
    CurveOut,
    CurveStepOut,
    IntervalOut,
    OutcomeGroupOut,
    OutcomesOut,
    VisitCountsOut,
    VisitOut,
)

READ_OUTCOMES: Final = Right("outcomes.read", is_for_patient=False, is_for_administrator=True)

CHUNK: Final = 500
"""Patients read at a time."""
EVERYBODY: Final = "all"
NOT_TAKEN: Final = "not-recorded"
"""Of treatment resistance: nobody took a history, which is not the same as no failed trial."""
OTHERS: Final = "others"
"""Strata that are each too small to be told."""
CAVEAT: Final = (
    "Patients of one clinic, not blinded and without a comparison; who answers is not who does not."
    " Nothing here proves that a treatment worked. Remission is by points alone, and says nothing"
    " of suicidal thoughts."
)
SLICES: Final = (
    "Slices are by one stratum at a time, never by two at once. No sex or gender and no age is kept"
    " here, so differences between those cannot be looked at; country and language can."
)
CONSENT: Final = (
    "Patients with a consent to treatment that holds now, and at least one dose that was given."
)
SUPPRESSED: Final = (
    f"A count of 1 to {suppression.FEWEST - 1}, and whatever one could be worked out from, is null:"
    " the cell size policy of the United States Centers for Medicare & Medicaid Services."
)


class _Member(NamedTuple):
    id: UUID
    country: str
    locale: str
    resistance: str | None
    last_heard_at: datetime | None


class _Version(NamedTuple):
    version: int
    published_at: datetime


class _FirstCourse(NamedTuple):
    """By which version the course goes that the first dose belongs to."""

    patient_id: UUID
    protocol_version: int


class _Facts(NamedTuple):
    """What a stratum may go by.

    protocol_version: of the course that the first dose belongs to; where it belongs to none, the
    clinic's that was in force then.
    """

    member: _Member
    protocol_version: int


BY_PROTOCOL: Final = "protocol-version"
STRATA: Final[Mapping[str, Callable[[_Facts], str]]] = {
    BY_PROTOCOL: lambda facts: str(facts.protocol_version),
    "country": lambda facts: facts.member.country,
    "treatment-resistance": lambda facts: facts.member.resistance or NOT_TAKEN,
    "language": lambda facts: facts.member.locale.partition("-")[0].lower(),
}
"""By the code that is asked for: what says in which stratum somebody is."""

_patient = columns(Patient)
_check_in = columns(CheckIn)
_session = columns(DosingSession)
_protocol = columns(ClinicProtocol)
_course = columns(Course)
_resistance = columns(TreatmentResistance)
_LAST_HEARD_AT = (
    select(_check_in.effective_at)
    .where(
        _check_in.clinic_id == _patient.clinic_id,
        _check_in.patient_id == _patient.id,
        IS_FINAL,
    )
    .order_by(_check_in.effective_at.desc())
    .limit(literal_column("1"))
    .correlate(table(Patient))
    .scalar_subquery()
)
_RESISTANCE = (
    select(_resistance.stratum)
    .where(
        _resistance.clinic_id == _patient.clinic_id,
        _resistance.patient_id == _patient.id,
    )
    .correlate(table(Patient))
    .scalar_subquery()
)
COHORT = Query(
    select(_patient.id, _patient.country, _patient.locale, _RESISTANCE, _LAST_HEARD_AT)
    .where(
        _patient.clinic_id == bindparam("clinic_id"),
        _patient.id > bindparam("after_id", type_=Uuid),
        has_consented(_patient.id, _patient.clinic_id),
        exists().where(
            _session.clinic_id == _patient.clinic_id,
            _session.patient_id == _patient.id,
            treatment.WAS_GIVEN,
        ),
    )
    .order_by(_patient.id)
    .limit(bindparam("limit", type_=BigInteger)),
    _Member,
)
VERSIONS = Query(
    select(_protocol.version, _protocol.published_at)
    .where(_protocol.clinic_id == bindparam("clinic_id"))
    .order_by(_protocol.published_at, _protocol.version),
    _Version,
)


# A course keeps the version that it was begun with, whatever the clinic publishes meanwhile.
_first_doses = (
    select(_session.clinic_id, _session.patient_id, _session.course_id)
    .ext(distinct_on(_session.patient_id))
    .where(
        _session.clinic_id == bindparam("clinic_id"),
        _session.patient_id == any_(bindparam("patient_ids", type_=ARRAY(Uuid))),
        treatment.WAS_GIVEN,
    )
    .order_by(_session.patient_id, _session.effective_at, _session.id)
    .subquery()
)
FIRST_COURSES = Query(
    select(_first_doses.c.patient_id, _course.protocol_version)
    .join_from(
        _first_doses,
        table(Course),
        and_(
            _course.clinic_id == _first_doses.c.clinic_id,
            _course.patient_id == _first_doses.c.patient_id,
            _course.id == _first_doses.c.course_id,
        ),
    )
    .where(
        _course.clinic_id == bindparam("clinic_id"),
        _course.status != literal_column(f"'{ENTERED_IN_ERROR}'"),
    ),
    _FirstCourse,
)


class _Shown(NamedTuple):
    """A group, and which of its counts may be told."""

    name: str
    group: Group
    told: set[telling.Key]


def read_outcomes(
    db: Db, caller: Caller, *, instrument: str, stratum: str | None, now: datetime
) -> OutcomesOut:
    """Of the whole clinic, and by stratum if one is named.

    Raises: Problem FORBIDDEN, NOT_SIGNED_IN, INVALID.
    """
    open_panel(db, caller, READ_OUTCOMES, now)
    if stratum is not None and stratum not in STRATA:
        raise invalid("query:stratum", "is not one of the known values")
    scale, tally, left_out = _tally(db, instrument, stratum, now)
    return what_is_told(scale, tally, left_out, instrument=instrument, stratum=stratum, now=now)


def what_is_told(
    scale: Scale,
    tally: Tally,
    left_out: int,
    *,
    instrument: str,
    stratum: str | None,
    now: datetime,
) -> OutcomesOut:
    """Those who were added up, as far as it may be told."""
    whole = _added_up(tally.groups.values())
    known = telling.tell_whole(whole, tally.levels)
    shown = [_Shown(EVERYBODY, whole, known.told)]
    strata = []
    if stratum is not None:
        groups = _large_enough(tally.groups)
        told = telling.tell_strata(list(groups.values()), tally.levels, known)
        strata = [_Shown(name, group, told) for name, group in groups.items()]
    out = OutcomesOut(
        instrument=instrument,
        stratum=stratum,
        as_of=now,
        left_out=left_out if suppression.may_be_told(left_out) else None,
        levels=list(LEVELS[: tally.levels]),
        groups=[*_tables(shown, tally.levels), *_tables(strata, tally.levels)],
        time_to_response=_curves([*shown, *strata], "response"),
        time_to_loss=_curves([*shown, *strata], "loss"),
        cohort=CONSENT,
        suppression=SUPPRESSED,
        caveat=f"{CAVEAT} {outcomes.looks_back(scale.recall)}".strip(),
        slices=SLICES,
        sources=[*(sentence for sentence, _ in scale.cited), INTERVAL],
        conventions=[
            *(sentence for sentence, is_convention in scale.cited if is_convention),
            *outcomes.CONVENTIONS,
        ],
    )
    return _marked(out, scale.recall)


def _marked(told: OutcomesOut, recall: Recall) -> OutcomesOut:
    """With each visit and step marked whose answers may look back to before the first dose."""

    def mark(day: int) -> dict[str, bool]:
        return {"straddles_first_dose": outcomes.straddles_first_dose(recall, day)}

    groups = [
        group.model_copy(
            update={
                "visits": [visit.model_copy(update=mark(visit.from_day)) for visit in group.visits]
            }
        )
        for group in told.groups
    ]
    curves = [
        curve.model_copy(
            update={"steps": [step.model_copy(update=mark(step.day)) for step in curve.steps]}
        )
        for curve in told.time_to_response
    ]
    return told.model_copy(update={"groups": groups, "time_to_response": curves})


def _tally(db: Db, key: str, stratum: str | None, now: datetime) -> tuple[Scale, Tally, int]:
    """The scale, those counted, and how many of their answers were to a version left out."""
    refused = invalid("query:instrument", "is not an instrument with a total")
    try:
        every = packs.versions(db, key)
    except UnknownInstrument:
        raise refused from None
    scale = every[0].total
    if scale is None:
        raise refused
    alike = series.alike(every[0], every)
    versions = db.all(VERSIONS)
    published = [microseconds(one.published_at) for one in versions]
    in_stratum = STRATA[stratum] if stratum is not None else lambda _: EVERYBODY
    tally = Tally(scale, microseconds(now))
    after_id = UUID(int=0)
    left_out = 0
    while members := db.all(COHORT, after_id=after_id, limit=CHUNK, now=now):
        after_id = members[-1].id
        ids = [one.id for one in members]
        found = gathered.gather(db, ids, [key], versions=alike, since=None)
        left_out += found.left_out
        courses = (
            {one.patient_id: one.protocol_version for one in db.all(FIRST_COURSES, patient_ids=ids)}
            if stratum == BY_PROTOCOL
            else {}
        )
        for member in members:
            doses = found.doses.get(member.id)
            if not doses:
                continue
            scores = found.series.get(member.id, {}).get(key)
            held = bisect_right(published, doses[0])
            in_force = versions[held - 1].version if held else 0
            facts = _Facts(member, courses.get(member.id, in_force))
            heard = member.last_heard_at
            tally.add(
                in_stratum(facts),
                scores.at if scores else (),
                scores.totals if scores else (),
                doses,
                scores.pinned_index if scores else None,
                microseconds(heard) if heard else 0,
            )
        if len(members) < CHUNK:
            break
    return scale, tally, left_out


def _large_enough(groups: Mapping[str, Group]) -> dict[str, Group]:
    """The strata by name; those too small to be named are one, and not named if they are all."""
    names = sorted(groups)
    told = suppression.depths([[groups[name].patients] for name in names])
    large = {name: groups[name] for name, depth in zip(names, told, strict=True) if depth}
    small = [groups[name] for name in names if name not in large]
    return {**large, OTHERS: _added_up(small)} if small and large else large


def _added_up(groups: Iterable[Group]) -> Group:
    whole = Group()
    for group in groups:
        whole.patients += group.patients
        whole.eligible += group.eligible
        whole.check_ins += group.check_ins
        whole.complete += group.complete
        whole.response += group.response
        whole.loss += group.loss
        for place, reaching in enumerate(group.reaching):
            whole.reaching[place] = [
                mine + more for mine, more in zip(whole.reaching[place], reaching, strict=True)
            ]
    return whole


def _tables(groups: Sequence[_Shown], levels: int) -> list[OutcomeGroupOut]:
    """Each group at each visit. Answers are no people, and are held to the rule by themselves."""
    asked = suppression.depths([[one.group.check_ins, one.group.complete] for one in groups])
    return [
        OutcomeGroupOut(
            group=one.name,
            patients=one.group.patients if telling.PATIENTS in one.told else None,
            check_ins=one.group.check_ins if depth > 0 else None,
            complete=one.group.complete if depth > 1 else None,
            visits=[_visit(one, place, levels) for place in range(len(VISITS))],
        )
        for one, depth in zip(groups, asked, strict=True)
    ]


def _visit(of: _Shown, place: int, levels: int) -> VisitOut:
    visit = VISITS[place]
    told: dict[str, int | None] = dict.fromkeys(LEVELS)
    told |= {
        level: count
        for level, count in zip(LEVELS, of.group.chain(place, levels), strict=False)
        if telling.at_visit(place, level) in of.told
    }
    return VisitOut(
        visit=visit.code,
        day=visit.day,
        from_day=visit.from_day,
        until_day=visit.until_day,
        counts=VisitCountsOut.model_validate(told),
        retention=_rate(told["in_touch"], told["eligible"]),
        completeness=_rate(told["assessed"], told["eligible"]),
        response=_rate(told["responded"], told["assessed"]),
        remission=_rate(told["remitted"], told["assessed"]),
        response_of_eligible=_rate(told["responded"], told["eligible"]),
        remission_of_eligible=_rate(told["remitted"], told["eligible"]),
        retention_interval=_interval(told["in_touch"], told["eligible"]),
        response_interval=_interval(told["responded"], told["assessed"]),
        remission_interval=_interval(told["remitted"], told["assessed"]),
        is_suppressed=any(told[level] is None for level in LEVELS[:levels]),
    )


def _rate(part: int | None, whole: int | None) -> float | None:
    return None if part is None or not whole else round(part / whole, 3)


def _interval(part: int | None, whole: int | None) -> IntervalOut:
    if part is None or not whole:
        return IntervalOut(low=None, high=None)
    low, high = wilson(part, whole)
    return IntervalOut(low=round(low, 3), high=round(high, 3))


def _curves(groups: Sequence[_Shown], which: str) -> list[CurveOut]:
    return [
        _curve_out(one, survival.kaplan_meier(*zip(*times, strict=True)), which)
        for one in groups
        if (times := getattr(one.group, which))
    ]


def _curve_out(of: _Shown, curve: Curve, which: str) -> CurveOut:
    """Nothing is known of the time after the last of them was lost sight of."""
    defined = [
        place
        for place, day in enumerate(STEPS)
        if curve.at_risk_after(day) or not curve.share_at(day)
    ]
    told = [place for place in defined if telling.look(which, place) in of.told]
    steps = [_step(curve, STEPS[place]) for place in told]
    # By the share that is not rounded: 0.504 is no half.
    later = [STEPS[place] for place in told if _is_half(curve, STEPS[place])]
    earlier = [STEPS[place] for place in told if not _is_half(curve, STEPS[place])]
    return CurveOut(
        group=of.name,
        started=curve.started if telling.started(which) in of.told else None,
        half_by_day=min(later, default=None),
        half_after_day=max(earlier, default=0) if later else None,
        steps=steps,
        is_suppressed=len(told) < len(defined),
    )


def _is_half(curve: Curve, day: int) -> bool:
    """Whether half or fewer are still without it, by the share that is not rounded."""
    return curve.median is not None and curve.median <= day


def _step(curve: Curve, day: int) -> CurveStepOut:
    had, left = curve.events_by(day), curve.at_risk_after(day)
    low, high = curve.interval_at(day)
    return CurveStepOut(
        day=day,
        share=round(curve.share_at(day), 2),
        low=None if low is None else round(low, 2),
        high=None if high is None else round(high, 2),
        happened=had,
        censored=curve.started - had - left,
        at_risk=left,
    )
