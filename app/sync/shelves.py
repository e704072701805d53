"""Every kind of entry that is kept on a shelf, by the ledger's name for it."""

from typing import Any, Final

from app.course.courses.service import COURSES
from app.course.eligibility.service import MEDICATIONS, RESOLUTIONS, SCREENINGS, TRIALS
from app.course.preparation.service import CHECKS, PREPARATIONS
from app.goals.service import GOALS
from app.journal.shelf import Shelf

_ALL: Final[tuple[Shelf[Any, Any], ...]] = (
    GOALS,
    TRIALS,
    MEDICATIONS,
    SCREENINGS,
    RESOLUTIONS,
    COURSES,
    PREPARATIONS,
    CHECKS,
)
SHELVES: Final[dict[str, Shelf[Any, Any]]] = {shelf.kind: shelf for shelf in _ALL}
