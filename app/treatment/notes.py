"""Experience notes: what a session was like, in the patient's words."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from sqlalchemy import ARRAY, Uuid, any_, bindparam, insert, literal_column, or_, select, update
from sqlalchemy.types import Boolean
from uuid_utils.compat import uuid7

from app.kernel import entries, ledger, timeline
from app.kernel.arrival import place
from app.kernel.db import Change, Db, Query, itself
from app.kernel.entries import ENTERED_IN_ERROR, Known
from app.kernel.errors import invalid, not_found
from app.kernel.tables import columns, table
from app.people.chart import Chart, Right
from app.treatment.schemas import NoteIn, NoteOut, NotePage, NoteVersion, NoteVersions
from app.treatment.service import SESSION
from app.treatment.tables import ExperienceNote

READ_NOTES: Final = Right("notes.read", privileges=frozenset({"therapy", "prescribe"}))
WRITE_NOTES: Final = Right("notes.write", privileges=frozenset())
KIND: Final = "note"
"""As the ledger calls it."""
PRIVATE: Final = "private"
MADE_PRIVATE: Final = "note.made_private"
"""The ledger's action for an amendment that takes a note out of the clinicians' sight."""


class NoteRow(NamedTuple):
    """A note as it is stored. words: sealed."""

    id: UUID
    version: int
    status: str
    dosing_session_id: UUID | None
    conflict_of: UUID | None
    tier: str
    words: bytes
    recorded_at: datetime
    received_at: datetime
    effective_at: datetime
    clock_ahead_seconds: int | None


_note = columns(ExperienceNote)
_COLUMNS = tuple(getattr(_note, name) for name in NoteRow._fields)
# Private words stay out of a clinician's view in the statement itself.
_MAY_READ = or_(bindparam("is_own", type_=Boolean), _note.tier != PRIVATE)
_of_patient = select(*_COLUMNS).where(
    _note.clinic_id == bindparam("clinic_id"), _note.patient_id == bindparam("patient_id")
)

ADD_NOTE = Change(insert(ExperienceNote))
NOTE = Query(_of_patient.where(_note.id == bindparam("id"), _MAY_READ), NoteRow)
OWN_NOTE = Query(_of_patient.where(_note.id == bindparam("id")), NoteRow)
OWN_NOTE_TO_CHANGE = Query(
    _of_patient.where(_note.id == bindparam("id")).with_for_update(), NoteRow
)
OWN_NOTES_TO_CHANGE = Query(
    _of_patient.where(_note.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .order_by(_note.id)
    .with_for_update(),
    NoteRow,
)
PRIVATE_OF = Query(
    select(_note.id).where(
        _note.clinic_id == bindparam("clinic_id"),
        _note.patient_id == bindparam("patient_id"),
        _note.id == any_(bindparam("ids", type_=ARRAY(Uuid))),
        _note.tier == PRIVATE,
    ),
    itself,
)
COPIES = Query(
    select(_note.id).where(
        _note.clinic_id == bindparam("clinic_id"),
        _note.patient_id == bindparam("patient_id"),
        _note.conflict_of == bindparam("id"),
    ),
    itself,
)
NOTES = timeline.newest_first(
    table(ExperienceNote),
    _COLUMNS,
    NoteRow,
    _MAY_READ,
    _note.status != literal_column(f"'{ENTERED_IN_ERROR}'"),
)
_CHANGED = (
    "version",
    "status",
    "dosing_session_id",
    "tier",
    "words",
    "recorded_at",
    "effective_at",
    "clock_ahead_seconds",
)
CHANGE_NOTE = Change(
    update(ExperienceNote)
    .where(
        _note.clinic_id == bindparam("clinic_id"),
        _note.patient_id == bindparam("patient_id"),
        _note.id == bindparam("entry_id"),
    )
    .values({name: bindparam(f"to_{name}") for name in _CHANGED})
)


def write_note(
    db: Db, chart: Chart, sent: NoteIn, known: Known[NoteRow], now: datetime
) -> tuple[NoteOut, bool]:
    """Keep a note. Returns: it, and whether it is new (False: a retry).

    known: what there is under its id already.
    Raises: Problem INVALID (no such session), ID_REUSED.
    """
    earlier = entries.created_before(known, lambda entry: _says(entry, sent))
    if earlier is not None:
        return out(chart, earlier), False
    _check_session(db, chart, sent)
    return _add(db, chart, sent, sent.id or uuid7(), None, known, now), True


def amend_note(
    db: Db, chart: Chart, sent: NoteIn, known: Known[NoteRow], base_version: int, now: datetime
) -> tuple[NoteOut, bool]:
    """Put other words, or another tier, in a note's place. The tier that it has now is the one that
    holds, for every version of it. Returns: it, and whether anything changed.

    Raises: Problem as `entries.to_change`, INVALID (no such session).
    """
    changing = entries.to_change(known, base_version, lambda entry: _says(entry, sent))
    if changing is None:
        assert known.row is not None
        return out(chart, known.row), False
    _check_session(db, chart, sent)
    row = changing._replace(
        version=base_version + 1,
        dosing_session_id=sent.dosing_session_id,
        tier=sent.tier,
        words=_sealed(chart, sent.words, changing.id),
    )
    if sent.recorded_at != changing.recorded_at:
        arrival = place(sent.recorded_at, sent.sent_at, now)
        row = row._replace(recorded_at=sent.recorded_at, **arrival._asdict())
    is_now_private = sent.tier == PRIVATE != changing.tier
    action = MADE_PRIVATE if is_now_private else "note.amended"
    return _change(db, chart, row, action, known, now), True


def withdraw_note(
    db: Db, chart: Chart, known: Known[NoteRow], base_version: int, now: datetime
) -> tuple[NoteOut, bool]:
    """Entered in error: it stays readable to the patient. Returns: it, and whether it is news.

    Raises: Problem as `entries.to_change`.
    """
    changing = entries.to_change(known, base_version, entries.is_withdrawn)
    if changing is None:
        assert known.row is not None
        return out(chart, known.row), False
    row = changing._replace(version=base_version + 1, status=ENTERED_IN_ERROR)
    return _change(db, chart, row, "note.withdrawn", known, now), True


def keep_both(
    db: Db, chart: Chart, sent: NoteIn, known: Known[NoteRow], base_version: int, now: datetime
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
    for row in ledger.said_of(db, chart, KIND, copies):
        entry = row.entry(chart.data_key)
        if _is_text_of(entry, sent) and entry["tier"] in (sent.tier, PRIVATE):
            return row.entry_id
    # Whoever made one of the two private meant both.
    was = known.said(min(base_version, standing.version))["tier"]
    if sent.tier == PRIVATE not in (was, standing.tier):
        tightened = standing._replace(version=standing.version + 1, tier=PRIVATE)
        _change(db, chart, tightened, MADE_PRIVATE, known, now)
    tier = PRIVATE if PRIVATE in (sent.tier, standing.tier) else sent.tier
    kept = sent.model_copy(update={"tier": tier, "dosing_session_id": standing.dosing_session_id})
    # Made from what was sent: of two uploads at once, the later one finds the id taken.
    said = f"{sent.tier}\n{sent.recorded_at.isoformat()}\n{sent.words}"
    copy_id = uuid5(standing.id, db.vault.blind_index(said, purpose="conflict").hex())
    _add(db, chart, kept, copy_id, standing.id, Known(), now)
    return copy_id


def read_note(db: Db, chart: Chart, note_id: UUID) -> NoteOut:
    """One note. Raises: Problem NOT_FOUND, also for a private one and its clinician."""
    found = db.first(NOTE, patient_id=chart.patient_id, id=note_id, is_own=chart.is_own)
    if found is None:
        raise not_found()
    return out(chart, found)


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
    return NotePage(notes=[out(chart, row) for row in page.rows], next_cursor=page.next_cursor)


def note_versions(db: Db, chart: Chart, note_id: UUID) -> NoteVersions:
    """Every version that this reader may see, the first one first. Raises: Problem NOT_FOUND."""
    read_note(db, chart, note_id)  # whoever may not read it now may read no version of it
    versions = []
    for row in ledger.said_of(db, chart, KIND, [note_id]):
        note = row.entry(chart.data_key)
        if chart.is_own or note["tier"] != PRIVATE:
            versions.append(
                NoteVersion(
                    version=row.entry_version,
                    action=row.action,
                    at=row.at,
                    by=row.actor_role,
                    note=NoteOut.model_validate(note),
                )
            )
    return NoteVersions(versions=versions)


def private_among(db: Db, chart: Chart, note_ids: list[UUID]) -> set[UUID]:
    """Which of these notes are private now."""
    return set(db.all(PRIVATE_OF, patient_id=chart.patient_id, ids=note_ids))


def out(chart: Chart, row: NoteRow) -> NoteOut:
    """A note, opened."""
    words = chart.data_key.open(row.words, table="experience_note", column="words", row=row.id)
    return NoteOut(**{**row._asdict(), "words": words.decode()})


def _check_session(db: Db, chart: Chart, sent: NoteIn) -> None:
    if sent.dosing_session_id is not None and not db.all(
        SESSION, patient_id=chart.patient_id, id=sent.dosing_session_id
    ):
        raise invalid("/dosing_session_id", "is not one of your dosing sessions")


def _says(entry: dict[str, Any], sent: NoteIn) -> bool:
    session_id = entry["dosing_session_id"]
    return (
        not entries.is_withdrawn(entry)
        and entry["tier"] == sent.tier
        and (session_id and UUID(session_id)) == sent.dosing_session_id
        and _is_text_of(entry, sent)
    )


def _is_text_of(entry: dict[str, Any], sent: NoteIn) -> bool:
    recorded_at = datetime.fromisoformat(entry["recorded_at"])
    return bool(entry["words"] == sent.words and recorded_at == sent.recorded_at)


def _sealed(chart: Chart, words: str, note_id: UUID) -> bytes:
    return chart.data_key.seal(words.encode(), table="experience_note", column="words", row=note_id)


def _add(
    db: Db,
    chart: Chart,
    sent: NoteIn,
    note_id: UUID,
    conflict_of: UUID | None,
    known: Known[NoteRow],
    now: datetime,
) -> NoteOut:
    arrival = place(sent.recorded_at, sent.sent_at, now)
    row = NoteRow(
        id=note_id,
        version=1,
        status="final",
        dosing_session_id=sent.dosing_session_id,
        conflict_of=conflict_of,
        tier=sent.tier,
        words=_sealed(chart, sent.words, note_id),
        recorded_at=sent.recorded_at,
        received_at=now,
        effective_at=arrival.effective_at,
        clock_ahead_seconds=arrival.clock_ahead_seconds,
    )
    db.add(ADD_NOTE, **row._asdict(), patient_id=chart.patient_id)
    return _record(db, chart, row, "note.written", known, now)


def _change(
    db: Db, chart: Chart, row: NoteRow, action: str, known: Known[NoteRow], now: datetime
) -> NoteOut:
    values = {f"to_{name}": getattr(row, name) for name in _CHANGED}
    db.add(CHANGE_NOTE, patient_id=chart.patient_id, entry_id=row.id, **values)
    return _record(db, chart, row, action, known, now)


def _record(
    db: Db, chart: Chart, row: NoteRow, action: str, known: Known[NoteRow], now: datetime
) -> NoteOut:
    note = out(chart, row)
    entry = note.model_dump(mode="json")
    ledger.record(
        db, chart, action, kind=KIND, id=row.id, version=row.version, entry=entry, now=now
    )
    known.is_now(row, entry)
    return note
