"""Talking about a dose afterwards: when, what becomes of the date, and what has stood still.

    scheduled ──> attended | missed | cancelled
    missed    ──> attended             it was written down wrongly
    attended  ──> missed               likewise
    cancelled ──> scheduled            it takes place after all

Who moves a date says so with a new one. All of this is our convention. The hours come from the
clinic's protocol: there is no established number.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

_HOUR: Final = 3600 * 1_000_000
_DAY: Final = 24 * _HOUR

# Source: our convention. Somebody who has not moved in a fortnight after what was to move them may
# want to talk about it; it judges nobody.
STALLED_AFTER_DAYS: Final = 14

CONVENTIONS: Final = (
    "A goal is stalled 14 days after it began, was set, rated or a step changed: our convention",
)


class State(StrEnum):
    """What became of an integration session."""

    SCHEDULED = "scheduled"
    ATTENDED = "attended"
    MISSED = "missed"
    CANCELLED = "cancelled"


_S: Final = State

MOVES: Final[Mapping[State, frozenset[State]]] = MappingProxyType(
    {
        _S.SCHEDULED: frozenset({_S.ATTENDED, _S.MISSED, _S.CANCELLED}),
        _S.ATTENDED: frozenset({_S.MISSED}),
        _S.MISSED: frozenset({_S.ATTENDED}),
        _S.CANCELLED: frozenset({_S.SCHEDULED}),
    }
)
TOOK_ITS_TIME: Final = frozenset({_S.ATTENDED, _S.MISSED})
"""What can only be said of a date that has come."""


_TALKS: Final = frozenset({_S.SCHEDULED, _S.ATTENDED})


class Session(NamedTuple):
    """An integration session, by the caller's key. at: when it is or was to be."""

    key: str
    at: int
    state: State


class Proposal(NamedTuple):
    """When to talk about the last dose. Instants: microseconds since 1970-01-01T00:00Z.

    dose_number: from 1. from_at, until_at: within the protocol's hours. counts_until: no longer
    does a talk count as this dose's; not included.
    session: the first session since the dose that is scheduled or was attended; None: there is
        none yet.
    """

    dose_number: int
    given_at: int
    from_at: int
    until_at: int
    counts_until: int
    session: Session | None


class MissedWindow(NamedTuple):
    """The hours of a dose, in which there was no talk. dose_number: from 1."""

    dose_number: int
    given_at: int
    from_at: int
    until_at: int


def may_move(before: State, after: State) -> bool:
    """Whether a session may go from one state to another. Staying is no move."""
    return after in MOVES[before]


def proposal(
    doses: Sequence[int],
    sessions: Sequence[Session],
    *,
    within_hours: tuple[int, int],
    open_days: int,
    now: int,
) -> Proposal | None:
    """When to talk about the last dose that was given; None before any.

    doses: ascending; later than now are not looked at. sessions: in any order.
    within_hours, open_days: the protocol's.
    """
    given = bisect_right(doses, now)
    if not given:
        return None
    dose = doses[given - 1]
    counts_until = dose + open_days * _DAY
    its_own = [one for one in sessions if dose <= one.at < counts_until and one.state in _TALKS]
    first, last = within_hours
    return Proposal(
        dose_number=given,
        given_at=dose,
        from_at=dose + first * _HOUR,
        until_at=dose + last * _HOUR,
        counts_until=counts_until,
        session=min(its_own, key=lambda one: one.at, default=None),
    )


def missed_windows(
    doses: Sequence[int],
    sessions: Sequence[Session],
    *,
    within_hours: tuple[int, int],
    now: int,
) -> list[MissedWindow]:
    """The doses whose hours have passed without a talk in them, the newest first.

    doses: ascending; later than now are not looked at. sessions: in any order; one that is
        scheduled or was attended is a talk, one that was missed or cancelled is none. The same
        talk may lie within the hours of two doses.
    within_hours: the protocol's, both ends included.
    Returns: facts. A talk may have come before those hours or after them, and still have helped.
    """
    first, last = within_hours
    talks = sorted(one.at for one in sessions if one.state in _TALKS)
    missed = []
    for number, dose in enumerate(doses, 1):
        from_at, until_at = dose + first * _HOUR, dose + last * _HOUR
        if until_at <= now and bisect_left(talks, from_at) == bisect_right(talks, until_at):
            missed.append(MissedWindow(number, dose, from_at, until_at))
    return missed[::-1]


def is_stalled(moved_at: int, now: int) -> bool:
    """Whether nothing became of a goal since then for so long that it is worth a word.

    moved_at: when it was set, rated, or a step of it changed last; not before it starts.
    Source: our convention (`STALLED_AFTER_DAYS`).
    """
    return now - moved_at >= STALLED_AFTER_DAYS * _DAY
