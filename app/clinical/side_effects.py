"""Side effects: what they are called, how severe they are, and when somebody has to look.

The codes are our own, in the words of the labels; no code of a terminology is claimed for them.
"""

from types import MappingProxyType
from typing import Final, Literal, get_args

from app.clinical.risk import Finding, Level

SideEffect = Literal[
    "agitation",
    "anxiety",
    "blurred-vision",
    "breathing-difficulty",
    "chest-pain",
    "confusion",
    "dissociation",
    "dizziness",
    "double-vision",
    "drowsiness",
    "fainting",
    "fast-heartbeat",
    "feeling-drunk",
    "hallucination",
    "headache",
    "lethargy",
    "low-blood-pressure",
    "nausea",
    "numbness",
    "rash",
    "raised-blood-pressure",
    "saliva",
    "slow-heartbeat",
    "unsteadiness",
    "urinary-symptoms",
    "vertigo",
    "vivid-dreams",
    "vomiting",
    "other",
]
"""Source: the adverse reactions in the prescribing information of Spravato (esketamine) nasal spray
and of ketamine hydrochloride injection; `chest-pain`, `fainting`, `agitation`, `headache` and
`unsteadiness` are ours, because people say so. `other` needs words."""
SIDE_EFFECTS: Final[tuple[SideEffect, ...]] = get_args(SideEffect)

Severity = Literal["mild", "moderate", "severe", "life-threatening"]
"""Source: the general words of grades 1 to 4 in the Common Terminology Criteria for Adverse Events,
version 5.0 (National Cancer Institute 2017). Grade 3 is severe or medically significant but not
immediately life-threatening; grade 4 has life-threatening consequences. Grade 5, death, is nothing
that is sent here."""
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)

# Source: our convention, as for what a bladder check finds: somebody looks at what is severe, and
# at once at what threatens a life.
_RAISES: Final = MappingProxyType({"severe": Level.MODERATE, "life-threatening": Level.HIGH})


def finding(code: str, severity: str) -> Finding | None:
    """A danger to the body in a side effect; None where nobody has to look because of it.

    The question about suicide was not asked: `assessed` is false.
    """
    level = _RAISES.get(severity)
    return None if level is None else Finding(level, False, (f"side-effect.{code}.{severity}",))
