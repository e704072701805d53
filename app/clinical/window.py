"""The open window: the days after a dose, in which doing goes before filling in.

Hides what comes first in a patient's list. For as many days after each dose as a clinic sets,
practices, goals and steps come before questionnaires. It is an order and no filter: nothing is
ever left out, and no check on a person's safety ever comes later for it.

How long a window is, and that new habits are easier then, is the clinic's judgement: there is
no established number of days, and none is a constant here.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, NamedTuple

from app.clinical.instruments import Instrument

_DAY: Final = 24 * 3600 * 1_000_000


class Kind(StrEnum):
    """What is due.

    safety-check: a screener that triages, what follows from an answer on suicide, a check
        after a session; whatever else somebody's safety may hang on.
    goal: to say how far one came towards it. step: something to do for one.
    """

    SAFETY_CHECK = "safety-check"
    PRACTICE = "practice"
    GOAL = "goal"
    STEP = "step"
    QUESTIONNAIRE = "questionnaire"


Reason = Literal["safety-first", "open-window", "can-wait", "by-time", "not-open-yet"]
"""Why something stands where it does.

safety-first: always before all else that is open.
open-window, can-wait: before, or after, the rest because a dose was given lately.
by-time: what is due first comes first.
not-open-yet: after all that is open.
"""


class OpenWindow(NamedTuple):
    """opens_at: of the dose, included. closes_at: not included."""

    opens_at: int
    closes_at: int


class Due(NamedTuple):
    """One thing to do. key: the caller's. Instants: microseconds since 1970-01-01T00:00Z."""

    key: str
    kind: Kind
    opens_at: int
    due_at: int


@dataclass(frozen=True, slots=True)
class Placed:
    """One thing in its place, and why it is there."""

    item: Due
    reason: Reason


def due_kind(instrument: Instrument) -> Kind:
    """What a questionnaire counts as: one that triages for suicide is a safety check.

    Source: our convention. A PHQ-9 is not, though it asks: it may wait for a walk, while
    the follow-up on its item 9 is a safety check whatever instrument it uses, which only
    the caller knows.
    """
    return Kind.QUESTIONNAIRE if instrument.triage is None else Kind.SAFETY_CHECK


def open_window(doses: Sequence[int], days: int, now: int) -> OpenWindow | None:
    """The window that is open now, if one is: of the last dose, `days` times 24 hours long.

    doses: ascending; later than now are not looked at. days: 0 means that there is none.
    """
    given = bisect_right(doses, now)
    if not given:
        return None
    window = OpenWindow(doses[given - 1], doses[given - 1] + days * _DAY)
    return window if now < window.closes_at else None


def order_due(items: Sequence[Due], now: int, window: OpenWindow | None) -> list[Placed]:
    """All of the items, in the order in which to show them.

    Safety checks; then, if the window is open now, what is done before what is filled in;
    what is not open yet comes last. Among equals by due time, then as they were given.
    """
    is_open = window is not None and window.opens_at <= now < window.closes_at
    placed = [Placed(item, _reason(item, now, is_open=is_open)) for item in items]
    return sorted(placed, key=lambda each: (_RANK[each.reason], each.item.due_at))


_RANK: Final[dict[Reason, int]] = {
    "safety-first": 0,
    "open-window": 1,
    "by-time": 1,
    "can-wait": 2,
    "not-open-yet": 3,
}


def _reason(item: Due, now: int, *, is_open: bool) -> Reason:
    if item.opens_at > now:
        return "not-open-yet"
    if item.kind is Kind.SAFETY_CHECK:
        return "safety-first"
    if not is_open:
        return "by-time"
    return "can-wait" if item.kind is Kind.QUESTIONNAIRE else "open-window"
