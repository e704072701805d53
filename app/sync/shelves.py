"""Every kind of entry on a shelf that the changes feed shows, by the ledger's name for it.

The upload takes those of them that are the patient's. A kind that is not here is in neither, as
psychotherapy notes are on purpose.
"""

from typing import Any, Final

from app.course.aftercare.service import AFTERCARE, RECEIPTS
from app.course.courses.service import COURSES
from app.course.discharge.service import DISCHARGES
from app.course.eligibility.service import MEDICATIONS, RESOLUTIONS, SCREENINGS, TRIALS
from app.course.preparation.service import CHECKS, PREPARATIONS
from app.course.side_effects.service import SIDE_EFFECTS
from app.experience.clinicians import CLINICIAN_NOTES
from app.experience.intentions import INTENTIONS
from app.experience.notes import NOTES
from app.goals.service import GOALS, RATINGS, STEPS
from app.integration.insights import INSIGHTS
from app.integration.sessions import AGREEMENTS, SESSIONS, SUMMARIES
from app.journal.shelf import Shelf
from app.practices.coping import STRATEGIES, TRIGGERS
from app.practices.practice import PRACTICES, TICKS

_ALL: Final[tuple[Shelf[Any, Any], ...]] = (
    NOTES,
    INTENTIONS,
    GOALS,
    STEPS,
    RATINGS,
    CLINICIAN_NOTES,
    TRIALS,
    MEDICATIONS,
    SCREENINGS,
    RESOLUTIONS,
    COURSES,
    PREPARATIONS,
    CHECKS,
    SIDE_EFFECTS,
    DISCHARGES,
    AFTERCARE,
    RECEIPTS,
    INSIGHTS,
    PRACTICES,
    TICKS,
    STRATEGIES,
    TRIGGERS,
    SESSIONS,
    SUMMARIES,
    AGREEMENTS,
)
SHELVES: Final[dict[str, Shelf[Any, Any]]] = {shelf.kind: shelf for shelf in _ALL}
