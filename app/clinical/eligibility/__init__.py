"""Before a course: what speaks against it, what has been tried, what else is taken.

    screening      answers to the catalogue of conditions -> what stands, and what is open
    interactions   a list of medicines -> warnings
    resistance     earlier treatments -> how many adequate ones failed

Decided:

- A question that was not answered, or answered with "unknown", is open. It is never a no.
- A hard stop stands until a prescriber resolved it, with a reason; resolved, it is still told.
- Nothing here says that a treatment may be given. The best there is is `clear`: every question
  of this catalogue was answered with no. The catalogue is not medicine as a whole.
- Interactions warn and never decide, and a list without warnings is no finding: what the
  catalogue does not know is told, so that silence about it is not read as safe.
- Catalogues are TOML files, read strictly; what was not checked against a source says so.
"""

from app.clinical.eligibility.interactions import (
    DrugClass,
    Medication,
    Warned,
    classes,
    not_recognised,
    warnings,
)
from app.clinical.eligibility.resistance import (
    ADEQUATE_WEEKS,
    DEFINITION,
    RESISTANT_FROM,
    History,
    Trial,
    TrialOutcome,
    history,
)
from app.clinical.eligibility.screening import (
    Answer,
    Condition,
    Severity,
    Standing,
    State,
    assess,
    catalogue_version,
    conditions,
)

__all__ = [
    "ADEQUATE_WEEKS",
    "DEFINITION",
    "RESISTANT_FROM",
    "Answer",
    "Condition",
    "DrugClass",
    "History",
    "Medication",
    "Severity",
    "Standing",
    "State",
    "Trial",
    "TrialOutcome",
    "Warned",
    "assess",
    "catalogue_version",
    "classes",
    "conditions",
    "history",
    "not_recognised",
    "warnings",
]
