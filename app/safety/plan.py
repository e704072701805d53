"""The safety plan: what a patient means to do when it gets hard, in their own words.

There is one per patient, under the patient's own id, and nobody else writes in it. Version 0
stands for the plan that nobody has written yet, so writing the first one and changing it are one
verb. Its lists are sealed together as one text; every version stays in the ledger.
"""

import json
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, insert, select, update

from app.kernel import entries, ledger
from app.kernel.arrival import place
from app.kernel.db import Ahead, Change, Db, Query
from app.kernel.entries import Known
from app.kernel.errors import Kind, Problem, invalid, not_found
from app.kernel.log import logger
from app.kernel.tables import columns
from app.kernel.vault import Unsealable
from app.kernel.wire import as_json
from app.people.chart import Chart, Right
from app.safety.clinic_numbers import numbers_of
from app.safety.crisis import country_meant, help_in
from app.safety.plan_page import LISTS, page
from app.safety.schemas import (
    SafetyPlanIn,
    SafetyPlanOut,
    SafetyPlanVersion,
    SafetyPlanVersions,
)
from app.safety.tables import SafetyPlan

READ_PLAN: Final = Right("safety_plan.read")
WRITE_PLAN: Final = Right("safety_plan.write", privileges=frozenset())
KIND: Final = "safety_plan"
"""As the ledger calls it."""


class PlanRow(NamedTuple):
    """A plan as it is stored. id: the patient's. words: sealed."""

    id: UUID
    version: int
    words: bytes
    recorded_at: datetime
    received_at: datetime
    effective_at: datetime
    clock_ahead_seconds: int | None

    @property
    def status(self) -> str:
        """A plan is emptied and never withdrawn."""
        return "final"


_plan = columns(SafetyPlan)
_CHANGED = PlanRow._fields[1:]
_of_patient = select(_plan.patient_id, *(getattr(_plan, name) for name in _CHANGED)).where(
    _plan.clinic_id == bindparam("clinic_id"), _plan.patient_id == bindparam("patient_id")
)

PLAN = Query(_of_patient, PlanRow)
PLAN_TO_CHANGE = Query(_of_patient.with_for_update(), PlanRow)
PLANS_TO_CHANGE = Query(
    _of_patient.where(
        _plan.patient_id == any_(bindparam("ids", type_=ARRAY(Uuid)))
    ).with_for_update(),
    PlanRow,
)
ADD_PLAN = Change(insert(SafetyPlan))
CHANGE_PLAN = Change(
    update(SafetyPlan)
    .where(_plan.clinic_id == bindparam("clinic_id"), _plan.patient_id == bindparam("patient"))
    .values({name: bindparam(f"to_{name}") for name in _CHANGED})
)


def look_up(db: Db, chart: Chart) -> Known[PlanRow]:
    """What there is, locked, to be changed."""
    return entries.look_up(db, chart, KIND, PLAN_TO_CHANGE, chart.patient_id)


def write_plan(
    db: Db,
    chart: Chart,
    sent: SafetyPlanIn,
    known: Known[PlanRow],
    base_version: int,
    now: datetime,
) -> tuple[SafetyPlanOut, bool]:
    """Let the plan say this from now on. Returns: it, and whether anything changed.

    base_version: which version it was made on; 0 for the first one.
    Raises: Problem INVALID (another id than the patient's), VERSION_UNKNOWN,
        PRECONDITION_FAILED (another phone wrote one first).
    """
    if sent.id not in (None, chart.patient_id):
        raise invalid("/id", "must be the patient's own: there is one plan")
    if known.row is not None:
        if entries.to_change(known, base_version, lambda entry: _says(entry, sent)) is None:
            return out(chart, known.row), False
    elif base_version != 0:
        raise Problem(Kind.VERSION_UNKNOWN)
    row = PlanRow(
        id=chart.patient_id,
        version=base_version + 1,
        words=chart.data_key.seal(
            as_json(_lists_of(sent)), table="safety_plan", column="words", row=chart.patient_id
        ),
        recorded_at=sent.recorded_at,
        received_at=now,
        **place(sent.recorded_at, sent.sent_at, now)._asdict(),
    )
    if base_version == 0:
        values = {name: getattr(row, name) for name in _CHANGED}
        db.add(ADD_PLAN, patient_id=chart.patient_id, **values)
    else:
        values = {f"to_{name}": getattr(row, name) for name in _CHANGED}
        db.add(CHANGE_PLAN, patient=chart.patient_id, **values)
    plan = out(chart, row)
    entry = plan.model_dump(mode="json")
    action = "safety_plan.amended" if base_version else "safety_plan.written"
    ledger.record(
        db, chart, action, kind=KIND, id=row.id, version=row.version, entry=entry, now=now
    )
    known.is_now(row, entry)
    return plan, True


def read_plan(db: Db, chart: Chart) -> SafetyPlanOut:
    """The plan as it is now. Raises: Problem NOT_FOUND while there is none."""
    found = find_plan(db, chart)
    if found is None:
        raise not_found()
    return found


def find_plan(db: Db, chart: Chart) -> SafetyPlanOut | None:
    """The plan as it is now, if there is one."""
    row = db.first(PLAN, patient_id=chart.patient_id)
    return None if row is None else out(chart, row)


def plan_versions(db: Db, chart: Chart) -> SafetyPlanVersions:
    """Every version of the plan, the first one first. Raises: Problem NOT_FOUND."""
    said = ledger.said_of(db, chart, KIND, [chart.patient_id])
    if not said:
        raise not_found()
    return SafetyPlanVersions(
        versions=[
            SafetyPlanVersion(
                version=row.entry_version,
                action=row.action,
                at=row.at,
                by=row.actor_role,
                safety_plan=SafetyPlanOut.model_validate(row.entry(chart.data_key)),
            )
            for row in said
        ]
    )


def plan_page(db: Db, chart: Chart, country: str | None, now: datetime) -> bytes:
    """The plan to be printed, in the patient's language. country: where they are, if it is sent.

    Raises: Problem NOT_FOUND.
    """
    where = country_meant(country) or chart.country or chart.clinic.country
    return page(
        read_plan(db, chart),
        help_in(where, chart.locale, chart.clinic.texts),
        clinic_name=chart.clinic.name,
        clinic_numbers=numbers_of(chart.clinic, now),
        time_zone=chart.time_zone,
        locale=chart.locale,
        own=chart.clinic.texts,
    )


def ask_plan(db: Db, chart: Chart) -> Ahead[PlanRow]:
    """Let the question travel with the next one; `told` has the answer."""
    return db.ahead(PLAN, patient_id=chart.patient_id)


def told(chart: Chart, asked: Ahead[PlanRow]) -> SafetyPlanOut | None:
    """The plan for the answer to a sign of danger, if this reader may see it.

    Never fails for what the plan is: the sign must be kept whether or not the plan can be read.
    """
    rows = asked.all()
    if not rows or not READ_PLAN.is_granted(chart):
        return None
    try:
        return out(chart, rows[0])
    except (Unsealable, ValueError) as error:
        logger().error("safety_plan.unreadable", patient=str(chart.patient_id), error=error)
        return None


def out(chart: Chart, row: PlanRow) -> SafetyPlanOut:
    """A plan, opened."""
    words = chart.data_key.open(row.words, table="safety_plan", column="words", row=row.id)
    return SafetyPlanOut(**{**row._asdict(), **json.loads(words)})


def _lists_of(sent: SafetyPlanIn) -> dict[str, Any]:
    return sent.model_dump(include=set(LISTS))


def _says(entry: dict[str, Any], sent: SafetyPlanIn) -> bool:
    """Its content alone: the same lists are the same plan, whenever they were typed."""
    lists = _lists_of(sent)
    return all(entry[name] == lists[name] for name in LISTS)
