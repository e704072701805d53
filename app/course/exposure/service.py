"""What was given so far, and what to ask after because of it."""

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Text, and_, any_, bindparam, select
from sqlalchemy.dialects.postgresql import distinct_on

from app.checkins import packs, schedule
from app.checkins.tables import IS_FINAL, CheckIn
from app.clinical import exposure
from app.clinical.exposure import Administration as Given
from app.clinical.exposure import Cumulative, OfDrug, Prompted
from app.course.exposure.schemas import (
    AmountOut,
    DrugByRouteOut,
    DrugOut,
    ExposureOut,
    ExposurePromptOut,
    PromptAmountOut,
    ProposedInstrumentOut,
    UseOutsideOut,
)
from app.kernel.clock import instant_of, microseconds
from app.kernel.db import Db, Query
from app.kernel.tables import columns, table
from app.people.chart import Chart, Right
from app.treatment.service import WAS_GIVEN
from app.treatment.tables import Administration, DosingSession

READ_EXPOSURE: Final = Right("exposure.read")
OUTSIDE: Final = ("use-outside", "ketamine-use")
"""Questionnaires that ask what was used outside of the sessions."""


class _Dose(NamedTuple):
    dosing_session_id: UUID
    drug: str
    route: str
    dose_mg: Decimal
    given_at: datetime


class _Answered(NamedTuple):
    instrument: str
    id: UUID
    effective_at: datetime
    results: dict[str, Any] | None


_given = columns(Administration)
_session = columns(DosingSession)
_check_in = columns(CheckIn)
ALL_GIVEN = Query(
    select(*(getattr(_given, name) for name in _Dose._fields))
    .join_from(
        table(Administration),
        table(DosingSession),
        and_(
            _session.clinic_id == _given.clinic_id,
            _session.patient_id == _given.patient_id,
            _session.id == _given.dosing_session_id,
            _session.version == _given.session_version,
        ),
    )
    .where(
        _given.clinic_id == bindparam("clinic_id"),
        _given.patient_id == bindparam("patient_id"),
        WAS_GIVEN,
    )
    .order_by(_given.given_at),
    _Dose,
)
LAST_ANSWERED = Query(
    select(*(getattr(_check_in, name) for name in _Answered._fields))
    .ext(distinct_on(_check_in.instrument))
    .where(
        _check_in.clinic_id == bindparam("clinic_id"),
        _check_in.patient_id == bindparam("patient_id"),
        _check_in.instrument == any_(bindparam("instruments", type_=ARRAY(Text))),
        IS_FINAL,
    )
    .order_by(_check_in.instrument, _check_in.effective_at.desc(), _check_in.id.desc()),
    _Answered,
)


def read_exposure(db: Db, chart: Chart, now: datetime) -> ExposureOut:
    """Every drug and route by itself, the thresholds that are reached, and use outside."""
    held = schedule.protocol_in_force(db)
    prompts = held.protocol.sections.exposure.prompts
    given = [
        Given(
            drug=one.drug,
            route=one.route,
            dose_mg=float(one.dose_mg),
            at=microseconds(one.given_at),
            session=one.dosing_session_id,
        )
        for one in db.all(ALL_GIVEN, patient_id=chart.patient_id)
    ]
    asked = {*OUTSIDE, *(key for one in prompts for key in one.instruments)}
    answered = {
        one.instrument: one
        for one in db.all(LAST_ANSWERED, patient_id=chart.patient_id, instruments=sorted(asked))
    }
    at = microseconds(now)
    return ExposureOut(
        as_of=now,
        protocol_version=held.version,
        given=[_by_route(one) for one in exposure.cumulative(given, at)],
        by_drug=[_of_drug(one) for one in exposure.by_drug(given, at)],
        prompts=[_prompt(chart, one, answered) for one in exposure.prompted(given, prompts, at)],
        use_outside=[_outside(answered[key]) for key in OUTSIDE if key in answered],
    )


def _by_route(one: Cumulative) -> DrugByRouteOut:
    return DrugByRouteOut(
        drug=one.drug,
        route=one.route,
        total=AmountOut(**asdict(one.total)),
        first_at=instant_of(one.first_at),
        last_at=instant_of(one.last_at),
        median_spacing_days=one.median_spacing_days,
        shortest_spacing_days=one.shortest_spacing_days,
        in_last={str(days): AmountOut(**asdict(amount)) for days, amount in one.in_last.items()},
    )


def _of_drug(one: OfDrug) -> DrugOut:
    return DrugOut(
        drug=one.drug,
        routes=list(one.routes),
        sessions=one.sessions,
        first_at=instant_of(one.first_at),
        last_at=instant_of(one.last_at),
        median_spacing_days=one.median_spacing_days,
        shortest_spacing_days=one.shortest_spacing_days,
        sessions_in_last={str(days): sessions for days, sessions in one.in_last.items()},
    )


def _prompt(chart: Chart, one: Prompted, answered: dict[str, _Answered]) -> ExposurePromptOut:
    prompt = one.prompt
    return ExposurePromptOut(
        key=prompt.key,
        label=prompt.label,
        drug=one.drug,
        route=one.route,
        measure=prompt.measure,
        at_least=prompt.at_least,
        within_days=prompt.within_days,
        amount=PromptAmountOut(doses=one.doses, sessions=one.sessions, mg=one.mg),
        about=list(prompt.about),
        instruments=[
            ProposedInstrumentOut(
                instrument=key,
                is_on=packs.is_key_on(key, chart.clinic.instruments),
                last_answered_at=answered[key].effective_at if key in answered else None,
            )
            for key in prompt.instruments
        ],
        source=prompt.source,
        convention=prompt.convention,
    )


def _outside(one: _Answered) -> UseOutsideOut:
    return UseOutsideOut(
        instrument=one.instrument,
        check_in_id=one.id,
        at=one.effective_at,
        criteria=(one.results or {}).get("criteria", {}),
    )
