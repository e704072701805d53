"""What is asked when: a clinic's protocol, anchored to the doses.

    definition   what a protocol is
    reader       plain values, as JSON or TOML give them -> Protocol, or a refusal; and back
    schedule     protocol + course + answers -> what is due; which answer belongs to what

Decided:

- A protocol is data, versioned by whoever stores it, with a source for every point; what is
  ours is marked a convention. `shipped` is one to begin with, not a recommendation.
- Four anchors are enough. "Weekly", "maintenance" and "long-term" are points that recur: from
  each dose, which the next dose moves, or from the first, which none moves.
- Two points may ask for the same questionnaire at the same time. One answer counts for both,
  so whoever shows a list shows the questionnaire once.
- Nothing here refuses an answer: whenever one is sent, it is stored, scored and flags.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from app.clinical.protocol.definition import (
    LONG_RECALL_DAYS,
    NO_LONG_RECALL_HOURS,
    Anchor,
    Protocol,
    TimePoint,
    Window,
)
from app.clinical.protocol.reader import ProtocolRefused, as_dict, read
from app.clinical.protocol.schedule import (
    HISTORY_DAYS,
    Answered,
    DueItem,
    State,
    Timing,
    due,
    timing,
)

__all__ = [
    "HISTORY_DAYS",
    "LONG_RECALL_DAYS",
    "NO_LONG_RECALL_HOURS",
    "Anchor",
    "Answered",
    "DueItem",
    "Protocol",
    "ProtocolRefused",
    "State",
    "TimePoint",
    "Timing",
    "Window",
    "as_dict",
    "due",
    "read",
    "shipped",
    "timing",
]


def shipped(recall_days: Mapping[str, int]) -> Protocol:
    """The protocol that comes with Afterglow.

    recall_days: as for `read`.
    Raises: ProtocolRefused if an instrument that it names is not among them.
    """
    return read(_kap_default(), recall_days)


@cache
def _kap_default() -> dict[str, Any]:
    return tomllib.loads(files(__name__).joinpath("kap-default.toml").read_text("utf-8"))
