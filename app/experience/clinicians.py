"""What clinicians write: for those who treat, and for themselves alone."""

from typing import Final

from app.experience.intentions import about_session
from app.experience.schemas import (
    ClinicianNoteIn,
    ClinicianNoteOut,
    PsychotherapyNoteIn,
    PsychotherapyNoteOut,
)
from app.experience.tables import ClinicianNote, PsychotherapyNote
from app.journal.shelf import Shelf
from app.journal.statements import Closed
from app.people.chart import Right

CLINICIAN_NOTES: Final = Shelf(
    "clinician_note",
    ClinicianNote,
    ClinicianNoteIn,
    ClinicianNoteOut,
    created="written",
    read=Right("clinician_notes.read"),
    write=Right(
        "clinician_notes.write",
        is_for_patient=False,
        privileges=frozenset({"therapy", "prescribe"}),
    ),
    derive=about_session,
    closed=Closed("is_shared_with_patient", False, lambda chart: not chart.is_own),
)

_THERAPISTS: Final = frozenset({"therapy"})
PSYCHOTHERAPY_NOTES: Final = Shelf(
    "psychotherapy_note",
    PsychotherapyNote,
    PsychotherapyNoteIn,
    PsychotherapyNoteOut,
    created="written",
    read=Right("psychotherapy_notes.read", is_for_patient=False, privileges=_THERAPISTS),
    write=Right("psychotherapy_notes.write", is_for_patient=False, privileges=_THERAPISTS),
    derive=about_session,
    is_authors_alone=True,
)
