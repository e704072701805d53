"""How a recording or a picture gets to its note: begun, sent in pieces, finished or given up."""

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from app.experience.attachments import (
    ABANDONED,
    ABANDONED_AFTER,
    ADD_ATTACHMENT,
    ADD_CHUNK,
    ATTACHMENT_TO_CHANGE,
    ATTACHMENTS_OF,
    BYTES_OF_PATIENT,
    CHANGE_ATTACHMENT,
    CHUNK,
    DISCARD,
    GO_ON,
    KIND,
    MOST_OF_A_NOTE,
    MOST_OF_A_PATIENT,
    OWN_ATTACHMENT,
    AttachmentRow,
    cell_of,
    headers_of,
    opened,
    out,
    read,
)
from app.experience.media import media_type_of
from app.experience.notes import NOTES
from app.experience.schemas import AttachmentIn, SentAttachmentOut
from app.kernel import entries, ledger
from app.kernel.db import Db
from app.kernel.edge import Reply
from app.kernel.entries import ENTERED_IN_ERROR, Known
from app.kernel.errors import Fault, Kind, Problem, invalid, not_found
from app.kernel.pieces import Inflow, elsewhere
from app.people.chart import Chart, open_covering
from app.safety.service import unasked_block

_AT_ONCE = 50
_BEGINNING = 512
"""Bytes that say what kind of file it is."""


def begin(
    db: Db, chart: Chart, note_id: UUID, sent: AttachmentIn, now: datetime
) -> tuple[AttachmentRow, bool]:
    """Say what will come. Returns: the attachment, and whether it is new (False: a retry).

    Raises: Problem NOT_FOUND (no such note), WITHDRAWN (the note), INVALID (too many), ID_REUSED.
    """
    known: Known[AttachmentRow] = entries.known_before(db, chart, KIND, OWN_ATTACHMENT, sent.id)
    earlier = entries.created_before(known, lambda entry: _says(entry, note_id, sent))
    if earlier is not None:
        return earlier, False
    _require_note(db, chart, note_id)
    others = db.all(ATTACHMENTS_OF, patient_id=chart.patient_id, note_id=note_id, is_own=True)
    if len(others) >= MOST_OF_A_NOTE:
        raise invalid("", "is one more than a note may have")
    if db.one(BYTES_OF_PATIENT, patient_id=chart.patient_id) + sent.size > MOST_OF_A_PATIENT:
        raise invalid("/size", "is more than is left of what a patient may keep")
    attachment_id = sent.id or uuid7()
    digest = chart.data_key.seal(
        sent.sha256.encode(), table="attachment", column="digest", row=attachment_id
    )
    row = AttachmentRow(
        id=attachment_id,
        version=1,
        status="preliminary",
        note_id=note_id,
        media_type=sent.media_type,
        size=sent.size,
        stored=0,
        digest=digest,
        begun_at=now,
        completed_at=None,
    )
    db.add(ADD_ATTACHMENT, patient_id=chart.patient_id, **row._asdict())
    _record(db, chart, row, "attachment.begun", now)
    return row, True


def append(
    db: Db, chart: Chart, attachment_id: UUID, at: int, *, is_rest: bool, now: datetime
) -> Inflow:
    """Let the body come that begins with byte `at`. is_rest: it is said to be all that is left.

    Raises: Problem NOT_FOUND, WITHDRAWN (it, or its note), MISMATCHING_UPLOAD_OFFSET.
    """
    row = read(db, chart, attachment_id)
    if row.status == ENTERED_IN_ERROR:
        raise Problem(Kind.WITHDRAWN)
    _require_note(db, chart, row.note_id)
    if row.status == "final" or at != row.stored:
        raise elsewhere(row.stored, is_complete=row.status == "final")

    def keep(db: Db, *, place: int, piece: bytes) -> Problem | None:
        db.enter(chart.clinic_id)
        return _keep(db, chart, row, place, piece, now)

    def end(db: Db, *, place: int, rest: bytes) -> Reply | Problem:
        db.enter(chart.clinic_id)
        length = place + len(rest)
        if length == row.size:
            problem = _keep(db, chart, row, place, rest, now) if rest else None
            return problem or _complete(db, chart, row.id, now)
        if is_rest or length > row.size:
            return _refuse(db, chart, row, "/size", "is not how much was sent", now)
        if rest and place == at:
            return invalid("", f"must have at least {CHUNK} bytes, or all the rest")
        return answer(db, chart, row._replace(stored=place), now)

    return Inflow(at, CHUNK, keep=keep, end=end)


def withdraw(
    db: Db, chart: Chart, attachment_id: UUID, base_version: int, now: datetime
) -> AttachmentRow:
    """Entered in error: nobody but the patient sees it any more. What was not finished is deleted.

    Raises: Problem as `entries.to_change`.
    """
    known: Known[AttachmentRow] = entries.look_up(
        db, chart, KIND, ATTACHMENT_TO_CHANGE, attachment_id
    )
    changing = entries.to_change(known, base_version, entries.is_withdrawn)
    if changing is None:
        assert known.row is not None
        return known.row
    if changing.status == "preliminary":
        return _give_up(db, chart, changing, "attachment.withdrawn", now)
    row = changing._replace(version=base_version + 1, status=ENTERED_IN_ERROR)
    return _change(db, chart, row, "attachment.withdrawn", now)


def lapse_abandoned(db: Db, now: datetime) -> int:
    """Delete what was sent of uploads that nobody finished, in the transaction's clinic.

    Returns: how many there were; ask again while there are any.
    """
    abandoned = db.all(ABANDONED, before=now - ABANDONED_AFTER, limit=_AT_ONCE)
    lapsed = 0
    for one in abandoned:
        chart = open_covering(db, one.patient_id)
        row = db.first(ATTACHMENT_TO_CHANGE, patient_id=one.patient_id, id=one.id)
        if chart is not None and row is not None and row.status == "preliminary":
            _give_up(db, chart, row, "attachment.lapsed", now)
            lapsed += 1
    return lapsed


def answer(db: Db, chart: Chart, row: AttachmentRow, now: datetime, status: int = 200) -> Reply:
    """To who sends it."""
    safety = unasked_block(db, chart, now)
    body = out(chart, row).model_dump()
    return Reply(SentAttachmentOut(**body, safety=safety), status, headers_of(row))


def _keep(
    db: Db, chart: Chart, row: AttachmentRow, place: int, piece: bytes, now: datetime
) -> Problem | None:
    """Seal and store the piece that begins at byte `place`."""
    if place + len(piece) > row.size:
        return _refuse(db, chart, row, "/size", "is not how much was sent", now)
    if place == 0 and media_type_of(piece[:_BEGINNING]) != row.media_type:
        return _refuse(db, chart, row, "/media_type", "is not what was sent", now)
    went_on = db.change(
        GO_ON,
        patient_id=chart.patient_id,
        entry_id=row.id,
        at=place,
        to_stored=place + len(piece),
    )
    if not went_on:
        return _overtaken(db, chart, row)
    number = place // CHUNK
    sealed = chart.data_key.seal(
        piece, table="attachment_chunk", column="sealed", row=cell_of(row, number)
    )
    db.add(
        ADD_CHUNK,
        patient_id=chart.patient_id,
        attachment_id=row.id,
        number=number,
        sealed=sealed,
    )
    return None


def _complete(db: Db, chart: Chart, attachment_id: UUID, now: datetime) -> Reply | Problem:
    """Everything is there: read it back, and see whether it is what was declared."""
    row = db.first(ATTACHMENT_TO_CHANGE, patient_id=chart.patient_id, id=attachment_id)
    if row is None or row.status != "preliminary" or row.stored != row.size:
        return _overtaken(db, chart, row)
    digest = hashlib.sha256()
    for number in range(row.chunks):
        digest.update(opened(db, chart, row, number))
    if digest.hexdigest() != out(chart, row).sha256:
        return _refuse(db, chart, row, "/sha256", "is not that of what was sent", now)
    final = row._replace(version=row.version + 1, status="final", completed_at=now)
    return answer(db, chart, _change(db, chart, final, "attachment.completed", now), now)


def _overtaken(db: Db, chart: Chart, row: AttachmentRow | None) -> Problem:
    """Somebody else's request was here first."""
    if row is not None:
        row = db.first(OWN_ATTACHMENT, patient_id=chart.patient_id, id=row.id)
    if row is None:
        return not_found()
    if row.status == ENTERED_IN_ERROR:
        return Problem(Kind.WITHDRAWN)
    return elsewhere(row.stored, is_complete=row.status == "final")


def _refuse(
    db: Db, chart: Chart, row: AttachmentRow, pointer: str, reason: str, now: datetime
) -> Problem:
    """What was declared is not so: nothing of it stays. The problem is returned, so that this
    does.
    """
    standing = db.first(ATTACHMENT_TO_CHANGE, patient_id=chart.patient_id, id=row.id)
    if standing is None or standing.status != "preliminary":
        return _overtaken(db, chart, row)
    _give_up(db, chart, standing, "attachment.refused", now)
    return Problem(Kind.INVALID, faults=[Fault(pointer, reason)])


def _give_up(db: Db, chart: Chart, row: AttachmentRow, action: str, now: datetime) -> AttachmentRow:
    """Delete what was sent of one that is not finished."""
    db.add(DISCARD, patient_id=chart.patient_id, attachment_id=row.id)
    row = row._replace(version=row.version + 1, status=ENTERED_IN_ERROR)
    return _change(db, chart, row, action, now)


def _require_note(db: Db, chart: Chart, note_id: UUID) -> None:
    if NOTES.read(db, chart, note_id).status == ENTERED_IN_ERROR:
        raise Problem(Kind.WITHDRAWN)


def _says(entry: dict[str, Any], note_id: UUID, sent: AttachmentIn) -> bool:
    said = (entry["note_id"], entry["media_type"], entry["size"], entry["sha256"])
    return said == (str(note_id), sent.media_type, sent.size, sent.sha256)


def _change(db: Db, chart: Chart, row: AttachmentRow, action: str, now: datetime) -> AttachmentRow:
    db.add(
        CHANGE_ATTACHMENT,
        patient_id=chart.patient_id,
        entry_id=row.id,
        to_version=row.version,
        to_status=row.status,
        to_completed_at=row.completed_at,
    )
    _record(db, chart, row, action, now)
    return row


def _record(db: Db, chart: Chart, row: AttachmentRow, action: str, now: datetime) -> None:
    entry = out(chart, row).model_dump(mode="json", exclude={"upload_offset"})
    ledger.record(
        db, chart, action, kind=KIND, id=row.id, version=row.version, entry=entry, now=now
    )
