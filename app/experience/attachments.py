"""Recordings and pictures that belong to a note: what is stored of them, and who sees it.

An attachment is begun with what it will be (media type, size, digest) and an id, and its bytes
follow, from wherever they broke off. They are kept in chunks, each sealed with the patient's key
for its attachment, its number and whether it is the last: exchanged, left out or cut off, they do
not open. Only whole chunks are kept of a body that breaks off, so an upload goes on at a multiple
of CHUNK.

Until every byte is there and is what was declared, an attachment is `preliminary`: its patient
knows of it and nobody else. What was declared wrongly is refused, and what was not finished within
a week lapses; then its bytes are deleted. That is no deletion of a record, which they never were,
and the database itself (`attachment_discard`) deletes no bytes of what was completed. In the
ledger is that it was begun, completed, refused, lapsed or withdrawn, and never what is in it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Uuid,
    and_,
    any_,
    bindparam,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.types import BigInteger, Boolean

from app.experience.media import ENDING_OF
from app.experience.notes import NOTES
from app.experience.schemas import AttachmentOut, AttachmentsOut
from app.experience.tables import Attachment, AttachmentChunk, ExperienceNote
from app.journal.shelf import PRIVATE
from app.kernel.db import Change, Db, Query, itself
from app.kernel.entries import ENTERED_IN_ERROR
from app.kernel.errors import not_found
from app.kernel.etag import etag
from app.kernel.pieces import Outflow, upload_headers
from app.kernel.tables import columns, table
from app.kernel.vault import Unsealable
from app.people.chart import Chart

KIND: Final = "attachment"
"""As the ledger calls it."""
CHUNK: Final = 256 * 1024
"""Bytes of every chunk but the last. Part of what is stored: it can never change."""
MOST_OF_A_NOTE: Final = 10
"""Attachments of one note that are not withdrawn. Convention."""
MOST_OF_A_PATIENT: Final = 2 * 1024**3
"""Bytes of all attachments of one patient, also of those that were withdrawn: nothing that was
complete is ever deleted, and a full disk would keep everybody's check-ins out. Convention.
"""
ABANDONED_AFTER: Final = timedelta(days=7)
"""An upload that was not finished by then lapses. Convention."""


class AttachmentRow(NamedTuple):
    """An attachment as it is stored. digest: sealed SHA-256. stored: bytes kept so far."""

    id: UUID
    version: int
    status: str
    note_id: UUID
    media_type: str
    size: int
    stored: int
    digest: bytes
    begun_at: datetime
    completed_at: datetime | None

    @property
    def chunks(self) -> int:
        """Of its chunks."""
        return -(-self.size // CHUNK)


class _Abandoned(NamedTuple):
    patient_id: UUID
    id: UUID


_it = columns(Attachment)
_chunk = columns(AttachmentChunk)
_note = columns(ExperienceNote)
_COLUMNS = tuple(getattr(_it, name) for name in AttachmentRow._fields)
_OF_PATIENT = (
    _it.clinic_id == bindparam("clinic_id"),
    _it.patient_id == bindparam("patient_id"),
)
_THE_ONE = (*_OF_PATIENT, _it.id == bindparam("id"))
_WITH_NOTE = and_(
    _note.clinic_id == _it.clinic_id,
    _note.patient_id == _it.patient_id,
    _note.id == _it.note_id,
)
_NOTE_IS_HIDDEN = or_(_note.tier == PRIVATE, _note.status == ENTERED_IN_ERROR)
# To everybody but the patient there are the finished ones, of notes that they may read now.
_MAY_READ = or_(
    bindparam("is_own", type_=Boolean),
    and_(_it.status == "final", ~_NOTE_IS_HIDDEN),
)
_joined = select(*_COLUMNS).join_from(table(Attachment), table(ExperienceNote), _WITH_NOTE)

ATTACHMENT = Query(_joined.where(*_THE_ONE, _MAY_READ), AttachmentRow)
ATTACHMENTS_OF = Query(
    _joined.where(
        *_OF_PATIENT,
        _it.note_id == bindparam("note_id"),
        _it.status != ENTERED_IN_ERROR,
        _MAY_READ,
    ).order_by(_it.begun_at, _it.id),
    AttachmentRow,
)
# Of one that was refused or lapsed nothing is stored any more; of one that may come all is counted.
BYTES_OF_PATIENT = Query(
    select(func.coalesce(func.sum(_it.size), literal_column("0")).cast(BigInteger)).where(
        *_OF_PATIENT, or_(_it.status == "preliminary", _it.completed_at.is_not(None))
    ),
    itself,
)
OWN_ATTACHMENT = Query(select(*_COLUMNS).where(*_THE_ONE), AttachmentRow)
ATTACHMENT_TO_CHANGE = Query(select(*_COLUMNS).where(*_THE_ONE).with_for_update(), AttachmentRow)
OF_HIDDEN_NOTES = Query(
    select(_it.id)
    .join_from(table(Attachment), table(ExperienceNote), _WITH_NOTE)
    .where(*_OF_PATIENT, _it.id == any_(bindparam("ids", type_=ARRAY(Uuid))), _NOTE_IS_HIDDEN),
    itself,
)
ADD_ATTACHMENT = Change(insert(Attachment))
_CHANGED = ("version", "status", "completed_at")
CHANGE_ATTACHMENT = Change(
    update(Attachment)
    .where(*_OF_PATIENT, _it.id == bindparam("entry_id"))
    .values({name: bindparam(f"to_{name}", type_=_it[name].type) for name in _CHANGED})
)
# Of two uploads at once one finds that the other was here.
GO_ON = Query(
    update(Attachment)
    .where(
        *_OF_PATIENT,
        _it.id == bindparam("entry_id"),
        _it.status == "preliminary",
        _it.stored == bindparam("at", type_=BigInteger),
    )
    .values(stored=bindparam("to_stored", type_=BigInteger))
    .returning(_it.id),
    itself,
)
ADD_CHUNK = Change(insert(AttachmentChunk))
STORED_CHUNK = Query(
    select(_chunk.sealed).where(
        _chunk.clinic_id == bindparam("clinic_id"),
        _chunk.patient_id == bindparam("patient_id"),
        _chunk.attachment_id == bindparam("attachment_id"),
        _chunk.number == bindparam("number", type_=BigInteger),
    ),
    itself,
)
DISCARD = Change(
    select(
        func.attachment_discard(
            bindparam("clinic_id", type_=Uuid),
            bindparam("patient_id", type_=Uuid),
            bindparam("attachment_id", type_=Uuid),
        )
    )
)
ABANDONED = Query(
    select(_it.patient_id, _it.id)
    .where(
        _it.clinic_id == bindparam("clinic_id"),
        _it.status == "preliminary",
        _it.begun_at < bindparam("before"),
    )
    .order_by(_it.begun_at)
    .limit(bindparam("limit", type_=BigInteger)),
    _Abandoned,
)


def read(db: Db, chart: Chart, attachment_id: UUID) -> AttachmentRow:
    """One attachment that this reader may see. Raises: Problem NOT_FOUND."""
    row = db.first(ATTACHMENT, patient_id=chart.patient_id, id=attachment_id, is_own=chart.is_own)
    if row is None:
        raise not_found()
    return row


def list_of(db: Db, chart: Chart, note_id: UUID) -> AttachmentsOut:
    """The attachments of a note. Raises: Problem NOT_FOUND, for whoever may not read the note."""
    NOTES.read(db, chart, note_id)
    rows = db.all(ATTACHMENTS_OF, patient_id=chart.patient_id, note_id=note_id, is_own=chart.is_own)
    return AttachmentsOut(attachments=[out(chart, row) for row in rows])


def download(db: Db, chart: Chart, attachment_id: UUID) -> Outflow:
    """Its bytes. Raises: Problem NOT_FOUND, also for one that is not finished."""
    row = read(db, chart, attachment_id)
    if row.completed_at is None:
        raise not_found()

    def piece(db: Db, *, number: int) -> bytes:
        db.enter(chart.clinic_id)
        return opened(db, chart, row, number)

    name = f"attachment-{row.id}.{ENDING_OF[row.media_type]}"
    headers = {
        "Content-Type": row.media_type,
        "Content-Length": str(row.size),
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "ETag": etag(row.version),
    }
    return Outflow(headers, opened(db, chart, row, 0), row.chunks, piece)


def visible(chart: Chart, entry: dict[str, Any]) -> dict[str, Any] | None:
    """What the ledger says of an attachment, as this reader may see it; None if they may not.

    Whether its note may be seen is another question: `of_hidden_notes`.
    """
    if chart.is_own:
        return entry
    may_see = NOTES.read_right.is_granted(chart) and entry["completed_at"] is not None
    return entry if may_see else None


def of_hidden_notes(db: Db, chart: Chart, attachment_ids: Sequence[UUID]) -> set[UUID]:
    """Which of these belong to a note that this reader may not see now."""
    if chart.is_own or not attachment_ids:
        return set()
    return set(db.all(OF_HIDDEN_NOTES, patient_id=chart.patient_id, ids=list(attachment_ids)))


def headers_of(row: AttachmentRow) -> dict[str, str]:
    """Where its upload stands."""
    limit = f"max-size={row.size}, min-append-size={CHUNK}"
    upload = upload_headers(row.stored, is_complete=row.status == "final")
    return {
        **upload,
        "Upload-Length": str(row.size),
        "Upload-Limit": limit,
        "ETag": etag(row.version),
    }


def out(chart: Chart, row: AttachmentRow) -> AttachmentOut:
    """As it is told."""
    digest = chart.data_key.open(row.digest, table="attachment", column="digest", row=row.id)
    return AttachmentOut(
        **{**row._asdict(), "upload_offset": row.stored, "sha256": digest.decode()}
    )


def cell_of(row: AttachmentRow, number: int) -> str:
    """What a chunk is sealed for, within the patient's clinic and record."""
    return f"{row.id}/{number}/{'last' if number == row.chunks - 1 else 'more'}"


def opened(db: Db, chart: Chart, row: AttachmentRow, number: int) -> bytes:
    """The bytes of one chunk. Raises: Unsealable, also when it is missing."""
    sealed = db.first(
        STORED_CHUNK, patient_id=chart.patient_id, attachment_id=row.id, number=number
    )
    if sealed is None:
        raise Unsealable
    return chart.data_key.open(
        sealed, table="attachment_chunk", column="sealed", row=cell_of(row, number)
    )
