"""Experience notes: what a session was like, in the patient's words."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy import bindparam, select

from app.experience.intentions import require_session
from app.experience.schemas import NoteIn, NoteOut
from app.experience.tables import ExperienceNote
from app.journal.shelf import PRIVATE, Kept, Shelf
from app.kernel import ledger
from app.kernel.db import Db, Query, itself
from app.kernel.entries import Known, is_withdrawn
from app.kernel.tables import columns
from app.people.chart import Chart, Right

_note = columns(ExperienceNote)
COPIES = Query(
    select(_note.id).where(
        _note.clinic_id == bindparam("clinic_id"),
        _note.patient_id == bindparam("patient_id"),
        _note.conflict_of == bindparam("id"),
    ),
    itself,
)


def _derive(
    db: Db, chart: Chart, sent: NoteIn, row: Kept, before: Kept | None, now: datetime
) -> dict[str, Any]:
    require_session(db, chart, sent)
    conflict_of = before.plain["conflict_of"] if before is not None else None
    return {"status": "final", "conflict_of": conflict_of}


NOTES: Final = Shelf(
    "note",
    ExperienceNote,
    NoteIn,
    NoteOut,
    created="written",
    read=Right("notes.read", privileges=frozenset({"therapy", "prescribe"})),
    write=Right("notes.write", privileges=frozenset()),
    derive=_derive,
    words_before=lambda text: {"words": text.decode()},
)

_TEXT: Final = NoteIn.model_fields.keys() - {
    "id",
    "sent_at",
    "tier",
    "dosing_session_id",
    "came_from",
}
"""What was typed: of two such texts neither may be lost."""


def keep_both(
    db: Db, chart: Chart, sent: NoteIn, known: Known[Kept], base_version: int, now: datetime
) -> UUID | None:
    """Two devices changed a note at once: the second text becomes a note of its own.

    The same text that comes again, in whatever company, is kept once.
    Returns: the id of the note that keeps it; None when a version of this one says it.
    """
    standing = known.row
    assert standing is not None
    if known.was_said(lambda entry: _says(entry, sent)):
        return None
    copies = db.all(COPIES, patient_id=chart.patient_id, id=standing.id)
    for row in ledger.said_of(db, chart, NOTES.kind, copies):
        entry = row.entry(chart.data_key)
        if _is_text_of(entry, sent) and entry["tier"] in (sent.tier, PRIVATE):
            return row.entry_id
    # Whoever made one of the two private meant both.
    was = known.said(min(base_version, standing.version))["tier"]
    if sent.tier == PRIVATE not in (was, standing.plain["tier"]):
        NOTES.make_private(db, chart, known, now)
    tier = PRIVATE if PRIVATE in (sent.tier, standing.plain["tier"]) else sent.tier
    # Made from what was sent: of two uploads at once, the later one finds the id taken.
    said = f"{sent.tier}\n{sent.model_dump_json(include=set(_TEXT))}"
    copy_id = uuid5(standing.id, db.vault.blind_index(said, purpose="conflict").hex())
    kept = sent.model_copy(
        update={
            "id": copy_id,
            "tier": tier,
            "dosing_session_id": standing.plain["dosing_session_id"],
        }
    )
    NOTES.create(db, chart, kept, Known(), now, also={"conflict_of": standing.id})
    return copy_id


def _says(entry: dict[str, Any], sent: NoteIn) -> bool:
    kept = NoteOut.model_validate(entry)
    return (
        not is_withdrawn(entry)
        and kept.tier == sent.tier
        and kept.dosing_session_id == sent.dosing_session_id
        and _is_text_of(entry, sent)
    )


def _is_text_of(entry: dict[str, Any], sent: NoteIn) -> bool:
    kept = NoteOut.model_validate(entry)
    return kept.model_dump(include=set(_TEXT)) == sent.model_dump(include=set(_TEXT))
