"""How it is with something that has to be so: before a dose, and before somebody leaves."""

from enum import StrEnum

from app.clinical.instruments import Level
from app.clinical.risk import Finding


class Met(StrEnum):
    """Met, not met, or not known; what is not known is never met."""

    MET = "met"
    NOT_MET = "not-met"
    UNKNOWN = "unknown"


def by_screen(finding: Finding | None, at_most: Level | None) -> Met:
    """How a risk screen stands.

    What was raised counts also where the screen is unfinished; a clear half is no answer, and no
    screen is none. at_most: the level that is still met; None: any that was assessed.
    """
    if finding is None:
        return Met.UNKNOWN
    if at_most is not None and finding.level > at_most:
        return Met.NOT_MET
    return Met.MET if finding.assessed else Met.UNKNOWN
