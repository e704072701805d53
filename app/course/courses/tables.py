"""Courses."""

from sqlalchemy import Index
from sqlalchemy import text as sql

from app.clinical.course import OPEN, CourseState
from app.journal.tables import Entry, entry_table
from app.kernel.tables import text

_OPEN = ", ".join(f"'{state}'" for state in CourseState if state in OPEN)


class Course(Entry, table=True):
    """A course. status: its state. words: sealed reason, note, and what it was started with."""

    __table_args__ = entry_table(
        # Two that plan one at once: the second finds the first.
        Index(
            "uq_course_one_open",
            "clinic_id",
            "patient_id",
            unique=True,
            postgresql_where=sql(f"status IN ({_OPEN})"),
        ),
        statuses=tuple(CourseState),
    )
    protocol_version: int
    indication: str = text()
    planned_sessions: int
    spacing_days: int | None
