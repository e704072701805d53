"""Where a course of treatment stands, and where it may go from there.

    planned ──> active <──> maintenance ──> completed
                  │  ↖        ↗   │             │ reopened, with a reason: maintenance
                  │    paused     │
                  └──> stopped <──┘     also from planned and paused; final

`completed` is an end as planned, `stopped` any other. A stopped course stays stopped: whatever
made somebody stop has to be looked at anew, and so treatment after it is another course, with its
own eligibility and baseline. A completed one may go on as maintenance, which belongs to the same
treatment. Nothing returns to `planned`. All of this is our convention.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class CourseState(StrEnum):
    """The states of a course."""

    PLANNED = "planned"
    ACTIVE = "active"
    MAINTENANCE = "maintenance"
    PAUSED = "paused"
    COMPLETED = "completed"
    STOPPED = "stopped"


_S: Final = CourseState

MOVES: Final[Mapping[CourseState, frozenset[CourseState]]] = MappingProxyType(
    {
        _S.PLANNED: frozenset({_S.ACTIVE, _S.STOPPED}),
        _S.ACTIVE: frozenset({_S.MAINTENANCE, _S.PAUSED, _S.COMPLETED, _S.STOPPED}),
        _S.MAINTENANCE: frozenset({_S.ACTIVE, _S.PAUSED, _S.COMPLETED, _S.STOPPED}),
        _S.PAUSED: frozenset({_S.ACTIVE, _S.MAINTENANCE, _S.COMPLETED, _S.STOPPED}),
        _S.COMPLETED: frozenset({_S.MAINTENANCE}),
        _S.STOPPED: frozenset(),
    }
)

FIRST: Final = CourseState.PLANNED
OPEN: Final = frozenset({_S.PLANNED, _S.ACTIVE, _S.MAINTENANCE, _S.PAUSED})
"""Not ended. A patient has at most one such course, or a dose would belong to two."""
TAKES_DOSES: Final = frozenset({_S.ACTIVE, _S.MAINTENANCE})
"""Where a dose is expected. One outside of them is recorded all the same: it was given."""


def moves_from(state: CourseState) -> tuple[CourseState, ...]:
    """Where a course may go from here, in the order of the states; empty if it is final."""
    return tuple(following for following in CourseState if following in MOVES[state])


def may_move(before: CourseState, after: CourseState) -> bool:
    """Whether a course may go from one to the other. Staying is no move."""
    return after in MOVES[before]


def is_reopening(before: CourseState, after: CourseState) -> bool:
    """Whether this move makes an ended course open again."""
    return may_move(before, after) and before not in OPEN


def needs_reason(before: CourseState, after: CourseState) -> bool:
    """Whether this move has to be explained: what interrupts, what breaks off, what reopens."""
    return after in {_S.PAUSED, _S.STOPPED} or is_reopening(before, after)
