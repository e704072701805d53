"""Every kind of entry that is kept on a shelf, by the ledger's name for it."""

from typing import Any, Final

from app.goals.service import GOALS
from app.journal.shelf import Shelf

SHELVES: Final[dict[str, Shelf[Any, Any]]] = {shelf.kind: shelf for shelf in (GOALS,)}
