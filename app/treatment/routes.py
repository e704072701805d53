"""Experience notes. The visits' own routes stand with what is recorded at them, in `course`."""

from app.kernel import entries
from app.kernel.edge import Reply, Signed, router
from app.kernel.etag import IfMatch, etag, version_named
from app.kernel.paging import Cursor, Limit, next_link
from app.people.chart import entry_id, open_chart
from app.safety.service import unasked_block
from app.treatment import notes
from app.treatment.schemas import (
    NoteIn,
    NoteOut,
    NotePage,
    NoteVersions,
    WrittenNoteOut,
)

routes = router("treatment")

_NOTES = "/v1/patients/{patient_id}/notes"


@routes.post(_NOTES, status_code=201, response_model=WrittenNoteOut, operation_id="write_note")
def write_note(visit: Signed, patient_id: str, sent: NoteIn) -> Reply:
    """Keep what a session was like, in the patient's own words."""
    chart = open_chart(visit.db, visit.caller, patient_id, notes.WRITE_NOTES, visit.now)
    known = entries.known_before(visit.db, chart, notes.KIND, notes.OWN_NOTE, sent.id)
    note, is_new = notes.write_note(visit.db, chart, sent, known, visit.now)
    safety = unasked_block(visit.db, chart, visit.now)
    answer = WrittenNoteOut(**note.model_dump(), safety=safety)
    return Reply(answer, 201 if is_new else 200, {"ETag": etag(note.version)})


@routes.get(_NOTES, response_model=NotePage, operation_id="list_notes")
def list_notes(visit: Signed, patient_id: str, cursor: Cursor = None, limit: Limit = 50) -> Reply:
    """The notes this reader may see, newest first. Private ones are the patient's only."""
    chart = open_chart(visit.db, visit.caller, patient_id, notes.READ_NOTES, visit.now)
    page = notes.list_notes(visit.db, chart, cursor=cursor, limit=limit)
    return Reply(
        page, headers=next_link(_NOTES.format(patient_id=patient_id), page.next_cursor, limit)
    )


@routes.get(_NOTES + "/{note_id}", response_model=NoteOut, operation_id="read_note")
def read_note(visit: Signed, patient_id: str, note_id: str) -> Reply:
    """One note."""
    chart = open_chart(visit.db, visit.caller, patient_id, notes.READ_NOTES, visit.now)
    note = notes.read_note(visit.db, chart, entry_id(note_id))
    return Reply(note, headers={"ETag": etag(note.version)})


@routes.put(_NOTES + "/{note_id}", response_model=WrittenNoteOut, operation_id="amend_note")
def amend_note(
    visit: Signed, patient_id: str, note_id: str, sent: NoteIn, if_match: IfMatch = None
) -> Reply:
    """Other words, or another tier. A tier that was tightened holds for every version at once."""
    base_version = version_named(if_match)
    chart = open_chart(visit.db, visit.caller, patient_id, notes.WRITE_NOTES, visit.now)
    entry = entries.same_id(entry_id(note_id), sent.id)
    known = entries.look_up(visit.db, chart, notes.KIND, notes.OWN_NOTE_TO_CHANGE, entry)
    note, _ = notes.amend_note(visit.db, chart, sent, known, base_version, visit.now)
    safety = unasked_block(visit.db, chart, visit.now)
    answer = WrittenNoteOut(**note.model_dump(), safety=safety)
    return Reply(answer, headers={"ETag": etag(note.version)})


@routes.delete(_NOTES + "/{note_id}", response_model=NoteOut, operation_id="withdraw_note")
def withdraw_note(visit: Signed, patient_id: str, note_id: str, if_match: IfMatch = None) -> Reply:
    """Say that a note was entered in error; it leaves the list and stays readable."""
    base_version = version_named(if_match)
    chart = open_chart(visit.db, visit.caller, patient_id, notes.WRITE_NOTES, visit.now)
    known = entries.look_up(
        visit.db, chart, notes.KIND, notes.OWN_NOTE_TO_CHANGE, entry_id(note_id)
    )
    note, _ = notes.withdraw_note(visit.db, chart, known, base_version, visit.now)
    return Reply(note, headers={"ETag": etag(note.version)})


@routes.get(
    _NOTES + "/{note_id}/versions", response_model=NoteVersions, operation_id="list_note_versions"
)
def list_note_versions(visit: Signed, patient_id: str, note_id: str) -> Reply:
    """A note as it was written, amended and withdrawn, as far as this reader may see it."""
    chart = open_chart(visit.db, visit.caller, patient_id, notes.READ_NOTES, visit.now)
    return Reply(notes.note_versions(visit.db, chart, entry_id(note_id)))
