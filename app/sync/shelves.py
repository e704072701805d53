"""Every kind of entry that is kept on a shelf, by the ledger's name for it."""

from typing import Any, Final

from app.course.aftercare.service import AFTERCARE, RECEIPTS
from app.course.discharge.service import DISCHARGES
from app.course.side_effects.service import SIDE_EFFECTS
from app.goals.service import GOALS
from app.journal.shelf import Shelf

SHELVES: Final[dict[str, Shelf[Any, Any]]] = {
    shelf.kind: shelf for shelf in (GOALS, SIDE_EFFECTS, DISCHARGES, AFTERCARE, RECEIPTS)
}
