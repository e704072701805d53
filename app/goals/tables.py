"""Integration goals, their steps, and how far they were attained."""

from datetime import date
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, SmallInteger
from sqlalchemy import text as sql
from sqlmodel import Field

from app.clinical.attainment import State
from app.journal.tables import Entry, Tiered, entry_table, part_of
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.tables import one_of, text


def _level(*, nullable: bool = False) -> int:
    found: int = Field(sa_column=Column(SmallInteger, nullable=nullable))
    return found


class Goal(Tiered, table=True):
    """A goal. status: `clinical.attainment.State`. weight: 1 to 9. baseline_level: -2 to +2."""

    __table_args__ = entry_table(
        CheckConstraint("weight BETWEEN 1 AND 9", name="weight"),
        CheckConstraint("baseline_level BETWEEN -2 AND 2", name="baseline_level"),
        statuses=tuple(state for state in State if state != ENTERED_IN_ERROR),
        tiered=True,
    )
    life_area: str | None = text(nullable=True)
    weight: int = Field(
        # What the version before writes, which weighs nothing.
        sa_column=Column(SmallInteger, nullable=False, server_default=sql("1"))
    )
    baseline_level: int | None = _level(nullable=True)
    starts_on: date | None
    target_on: date | None


class GoalStep(Entry, table=True):
    """A step towards a goal."""

    __tablename__ = "goal_step"
    __table_args__ = entry_table(
        part_of("goal_id", "goal"),
        Index(None, "clinic_id", "patient_id", "goal_id"),
        statuses=("planned", "done", "dropped"),
    )
    goal_id: UUID
    starts_on: date | None
    due_on: date | None
    done_on: date | None


class GoalRating(Entry, table=True):
    """How far a goal was attained, by one rater at one time. level: -2 to +2."""

    __tablename__ = "goal_rating"
    __table_args__ = entry_table(
        part_of("goal_id", "goal"),
        Index(None, "clinic_id", "patient_id", "goal_id"),
        one_of("rater", "patient", "therapist"),
        CheckConstraint("level BETWEEN -2 AND 2", name="level"),
    )
    goal_id: UUID
    author_id: UUID
    rater: str = text()
    level: int = _level()
