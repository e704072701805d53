"""Steps that are to be done by a date."""

from datetime import date, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import and_, bindparam, literal_column, select

from app.goals.service import GOALS
from app.goals.tables import Goal, GoalStep
from app.journal.statements import may_read
from app.kernel.db import Ahead, Db, Query
from app.kernel.tables import columns, table

SHOWN_BEFORE: Final = timedelta(days=7)
"""A step without a start is shown so long before it is due. Source: our convention."""
_MOST: Final = 100
_goal = columns(Goal)
_step = columns(GoalStep)


class StepDue(NamedTuple):
    """A step that is planned, of a goal that is worked on. Local dates."""

    id: UUID
    starts_on: date | None
    due_on: date

    @property
    def shown_from(self) -> date:
        """From when on it is something to do."""
        return self.due_on - SHOWN_BEFORE if self.starts_on is None else self.starts_on


def _is(column: Any, code: str) -> Any:
    return column == literal_column(f"'{code}'")


STEPS_DUE: Final = Query(
    select(_step.id, _step.starts_on, _step.due_on)
    .join_from(
        table(GoalStep),
        table(Goal),
        and_(
            _goal.clinic_id == _step.clinic_id,
            _goal.patient_id == _step.patient_id,
            _goal.id == _step.goal_id,
        ),
    )
    .where(
        _step.clinic_id == bindparam("clinic_id"),
        _step.patient_id == bindparam("patient_id"),
        _is(_step.status, "planned"),
        _step.due_on.is_not(None),
        _is(_goal.status, "active"),
        *may_read(table(Goal), GOALS.closed, None),
    )
    .order_by(_step.due_on, _step.id)
    .limit(literal_column(str(_MOST))),
    StepDue,
)


def ask_steps_due(db: Db, patient_id: UUID, *, is_own: bool) -> Ahead[StepDue]:
    """Steps with a date that this reader may see, the soonest first; travels with the chart.

    is_own: whether the patient themselves asks. It is checked when their chart opens.
    """
    return db.ahead(STEPS_DUE, patient_id=patient_id, sees_closed=is_own)
