"""What is asked when: a clinic's protocol, anchored to the doses.

    definition   what a protocol is
    sections     what it says besides its time points: the course, the room, what comes after
    reader       plain values, as JSON or TOML give them -> Protocol, or a refusal; and back
    sections_reader, table   the parts of that
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
from app.clinical.protocol.reader import ProtocolRefused, as_dict
from app.clinical.protocol.reader import read as read_whole
from app.clinical.protocol.schedule import (
    HISTORY_DAYS,
    Answered,
    DueItem,
    State,
    Timing,
    due,
    timing,
)
from app.clinical.protocol.sections import (
    READING_WITHIN_MINUTES,
    SECTIONS,
    Aftercare,
    Alarm,
    CoursePlan,
    Criterion,
    CriterionKind,
    Discharge,
    Exposure,
    ExposurePrompt,
    Integration,
    Monitoring,
    Named,
    Preparation,
    PreparationItem,
    Sections,
    Vital,
)

__all__ = [
    "HISTORY_DAYS",
    "LONG_RECALL_DAYS",
    "NO_LONG_RECALL_HOURS",
    "READING_WITHIN_MINUTES",
    "SECTIONS",
    "Aftercare",
    "Alarm",
    "Anchor",
    "Answered",
    "CoursePlan",
    "Criterion",
    "CriterionKind",
    "Discharge",
    "DueItem",
    "Exposure",
    "ExposurePrompt",
    "Integration",
    "Monitoring",
    "Named",
    "Preparation",
    "PreparationItem",
    "Protocol",
    "ProtocolRefused",
    "Sections",
    "State",
    "TimePoint",
    "Timing",
    "Vital",
    "Window",
    "as_dict",
    "due",
    "read",
    "shipped",
    "timing",
]


def read(content: Mapping[str, object], recall_days: Mapping[str, int]) -> Protocol:
    """Read one protocol from plain values; a section that is left out is as in what ships.

    Documents that were published before there were sections have none, and are still read.

    recall_days: how many days back each instrument asks, for every one that may be named; 0 for
        one that may be asked at any time, whatever it looks back on. A question about suicide
        is never too early: with its true recall it would not be asked before a session that
        follows another within 72 hours.
    Raises: ProtocolRefused, naming everything that is wrong.
    """
    return read_whole(content, recall_days, _shipped_sections())


def shipped(recall_days: Mapping[str, int]) -> Protocol:
    """The protocol that comes with Afterglow.

    recall_days: as for `read`.
    Raises: ProtocolRefused if an instrument that it names is not among them.
    """
    return read_whole(_kap_default(), recall_days)


@cache
def _shipped_sections() -> Sections:
    named = {
        key
        for point in (*_kap_default()["points"], *_kap_default()["exposure"]["prompts"])
        for key in point["instruments"]
    }
    return shipped(dict.fromkeys(named, 0)).sections


@cache
def _kap_default() -> dict[str, Any]:
    return tomllib.loads(files(__name__).joinpath("kap-default.toml").read_text("utf-8"))
