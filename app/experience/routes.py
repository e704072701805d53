"""Intentions and notes."""

from typing import Final

from app.experience.clinicians import CLINICIAN_NOTES, PSYCHOTHERAPY_NOTES
from app.experience.intentions import INTENTIONS
from app.experience.notes import NOTES
from app.journal.routes import Named, entry_routes
from app.kernel.edge import router

routes: Final = router("experience")

entry_routes(
    routes,
    NOTES,
    Named(
        "notes",
        "note",
        "write",
        creating="Keep what a session was like, in the patient's own words.",
        listing="The notes this reader may see, newest first. Private ones are the patient's only.",
        amending="Other words, or another tier. A tier that was tightened holds for every version"
        " at once.",
    ),
)
entry_routes(
    routes,
    INTENTIONS,
    Named(
        "intentions",
        "intention",
        "set",
        creating="Keep what the patient hopes for or asks of a session, in their own words.",
        listing="The intentions this reader may see, newest first.",
        amending="Say an intention otherwise. Every version stays readable.",
    ),
)
entry_routes(
    routes,
    CLINICIAN_NOTES,
    Named(
        "clinician-notes",
        "clinician_note",
        "write",
        creating="Keep what a clinician writes about the patient, for those who treat them.",
        listing="The clinicians' notes this reader may see, newest first. A patient reads those"
        " that are shared with them.",
        amending="Say it otherwise, or share it with the patient. Only who wrote it may.",
    ),
)
entry_routes(
    routes,
    PSYCHOTHERAPY_NOTES,
    Named(
        "psychotherapy-notes",
        "psychotherapy_note",
        "write",
        creating="Keep a psychotherapy note, apart from the record: nobody but who wrote it reads"
        " it.",
        listing="One's own psychotherapy notes about the patient, newest first.",
        amending="Say a psychotherapy note otherwise.",
    ),
)
