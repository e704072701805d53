"""Several series on one time axis, and what happened around them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.kernel.strict import Open
from app.trends.schemas.trajectory import DosesOut, TrajectoryOut


class FlagMarkOut(Open):
    """A flag on the time axis."""

    id: UUID
    kind: str
    level: str
    status: str
    is_historic: bool
    raised_at: datetime


class NoteMarksOut(Open):
    """When notes were written; to a clinician those that are shared, and nothing of the others."""

    effective_at: list[datetime]


class GoalMarksOut(Open):
    """When goals were set, and how they stand."""

    effective_at: list[datetime]
    status: list[str]


class MissedOut(Open):
    """Something that was asked for and not answered."""

    due_key: str
    label: str
    opened_at: datetime
    expired_at: datetime


class KeptOut(Open):
    """How much of what was asked for is there. Windows that are still open do not count."""

    instrument: str
    expected: int
    in_time: int
    late: int
    missed: list[MissedOut]


class AskedForOut(Open):
    """What the protocol that holds asked for, since when."""

    protocol_version: int
    since: datetime
    instruments: list[KeptOut]
    convention: str


class TrajectoriesOut(Open):
    """Several series on one time axis, and what happened around them."""

    doses: DosesOut
    flags: list[FlagMarkOut]
    notes: NoteMarksOut
    goals: GoalMarksOut
    asked: AskedForOut
    is_cut: Annotated[bool, Field(description="There are more series than fit; name those wanted.")]
    trajectories: list[TrajectoryOut]
