"""Experience notes: what a session was like, in the patient's words."""

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, insert, or_, select
from sqlalchemy.types import Boolean
from uuid_utils.compat import uuid7

from app.kernel import ledger, timeline
from app.kernel.arrival import place
from app.kernel.db import Change, Db, Query
from app.kernel.errors import Kind, Problem, invalid, not_found
from app.kernel.tables import columns, table
from app.people.chart import Chart, Right
from app.treatment.schemas import NoteIn, NoteOut, NotePage
from app.treatment.service import SESSION
from app.treatment.tables import ExperienceNote

READ_NOTES: Final = Right("notes.read", privileges=frozenset({"therapy", "prescribe"}))
WRITE_NOTES: Final = Right("notes.write", privileges=frozenset())


class _Note(NamedTuple):
    id: UUID
    version: int
    dosing_session_id: UUID | None
    tier: str
    words: bytes
    recorded_at: datetime
    received_at: datetime
    effective_at: datetime
    clock_ahead_seconds: int | None


_note = columns(ExperienceNote)
_COLUMNS = tuple(getattr(_note, name) for name in _Note._fields)
# Private words stay out of a clinician's view in the statement itself.
_MAY_READ = or_(bindparam("is_own", type_=Boolean), _note.tier != "private")

ADD_NOTE = Change(insert(ExperienceNote))
NOTE = Query(
    select(*_COLUMNS).where(
        _note.clinic_id == bindparam("clinic_id"),
        _note.patient_id == bindparam("patient_id"),
        _note.id == bindparam("id"),
        _MAY_READ,
    ),
    _Note,
)
NOTES = timeline.newest_first(table(ExperienceNote), _COLUMNS, _Note, _MAY_READ)


def write_note(db: Db, chart: Chart, sent: NoteIn, now: datetime) -> tuple[NoteOut, bool]:
    """Keep a note. Returns: it, and whether it is new (False: a retry).

    Raises: Problem INVALID (no such session), ID_REUSED.
    """
    if db.after_collision and sent.id is not None:
        earlier = db.first(NOTE, patient_id=chart.patient_id, id=sent.id, is_own=True)
        if earlier is not None:
            note = _out(chart, earlier)
            kept = (note.dosing_session_id, note.tier, note.words, note.recorded_at)
            if kept != (sent.dosing_session_id, sent.tier, sent.words, sent.recorded_at):
                raise Problem(Kind.ID_REUSED)
            return note, False
    if sent.dosing_session_id is not None and not db.all(
        SESSION, patient_id=chart.patient_id, id=sent.dosing_session_id
    ):
        raise invalid("/dosing_session_id", "is not one of your dosing sessions")
    note_id = sent.id or uuid7()
    arrival = place(sent.recorded_at, sent.sent_at, now)
    row = _Note(
        id=note_id,
        version=1,
        dosing_session_id=sent.dosing_session_id,
        tier=sent.tier,
        words=chart.data_key.seal(
            sent.words.encode(), table="experience_note", column="words", row=note_id
        ),
        recorded_at=sent.recorded_at,
        received_at=now,
        effective_at=arrival.effective_at,
        clock_ahead_seconds=arrival.clock_ahead_seconds,
    )
    db.add(ADD_NOTE, **row._asdict(), patient_id=chart.patient_id)
    note = _out(chart, row)
    ledger.record(
        db,
        chart,
        "note.written",
        kind="note",
        id=note_id,
        version=1,
        entry=note.model_dump(mode="json"),
        now=now,
    )
    return note, True


def read_note(db: Db, chart: Chart, note_id: UUID) -> NoteOut:
    """One note. Raises: Problem NOT_FOUND, also for a private one and its clinician."""
    found = db.first(NOTE, patient_id=chart.patient_id, id=note_id, is_own=chart.is_own)
    if found is None:
        raise not_found()
    return _out(chart, found)


def list_notes(db: Db, chart: Chart, *, cursor: str | None, limit: int) -> NotePage:
    """The notes that this reader may see, newest first."""
    page = timeline.page(
        db,
        NOTES,
        of=f"notes/{chart.patient_id}/{chart.actor_id}",
        sent_cursor=cursor,
        limit=limit,
        patient_id=chart.patient_id,
        is_own=chart.is_own,
    )
    return NotePage(notes=[_out(chart, row) for row in page.rows], next_cursor=page.next_cursor)


def _out(chart: Chart, row: _Note) -> NoteOut:
    words = chart.data_key.open(row.words, table="experience_note", column="words", row=row.id)
    return NoteOut(**{**row._asdict(), "words": words.decode()})
