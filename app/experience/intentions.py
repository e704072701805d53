"""Intentions, and which dosing session an entry may be about."""

from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

from app.experience.schemas import IntentionIn, IntentionOut
from app.experience.tables import Intention
from app.journal.shelf import Kept, Shelf
from app.kernel.db import Db
from app.kernel.errors import invalid
from app.people.chart import Chart, Right
from app.treatment.service import SESSION


class _AboutSession(Protocol):
    @property
    def dosing_session_id(self) -> UUID | None: ...


def require_session(db: Db, chart: Chart, sent: _AboutSession) -> None:
    """Raises: Problem INVALID if what was sent is about another patient's dosing session."""
    if sent.dosing_session_id is not None and not db.all(
        SESSION, patient_id=chart.patient_id, id=sent.dosing_session_id
    ):
        raise invalid("/dosing_session_id", "is not one of your dosing sessions")


def about_session(
    db: Db, chart: Chart, sent: _AboutSession, row: Kept, before: Kept | None, now: datetime
) -> dict[str, Any]:
    """For a shelf: nothing more is said, and the session has to be the patient's."""
    require_session(db, chart, sent)
    return {}


# Read by whoever is in the room with it, and so also by those who monitor.
INTENTIONS: Final = Shelf(
    "intention",
    Intention,
    IntentionIn,
    IntentionOut,
    created="set",
    read=Right("intentions.read"),
    write=Right("intentions.set", privileges=frozenset()),
    derive=about_session,
)
