"""Intentions, notes, and what is attached to them."""

from typing import Final

from app.experience import attachments, uploads
from app.experience.clinicians import CLINICIAN_NOTES, PSYCHOTHERAPY_NOTES
from app.experience.intentions import INTENTIONS
from app.experience.notes import NOTES
from app.experience.schemas import (
    AttachmentIn,
    AttachmentOut,
    AttachmentsOut,
    SentAttachmentOut,
)
from app.journal.routes import Named, entry_routes
from app.kernel.edge import PIECES_BODY, Intake, Live, Reply, Signed, router
from app.kernel.etag import IfMatch, etag, version_named
from app.kernel.pieces import (
    Octets,
    PartialMedia,
    UploadComplete,
    UploadOffset,
    binary,
    require_partial,
)
from app.people.chart import entry_id, open_chart

# Clients are generated with a module for each tag: where notes are, they stay.
routes: Final = router("treatment")

_OF_NOTE: Final = "/v1/patients/{patient_id}/notes/{note_id}/attachments"
_ONE: Final = "/v1/patients/{patient_id}/attachments/{attachment_id}"
_CONTENT: Final = _ONE + "/content"

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


@routes.post(
    _OF_NOTE, status_code=201, response_model=SentAttachmentOut, operation_id="begin_attachment"
)
def begin_attachment(visit: Signed, patient_id: str, note_id: str, sent: AttachmentIn) -> Reply:
    """Say what recording or picture will come; then send its bytes. Nobody else sees it until all
    of them are there.
    """
    chart = open_chart(visit.db, visit.caller, patient_id, NOTES.write_right, visit.now)
    row, is_new = uploads.begin(visit.db, chart, entry_id(note_id), sent, visit.now)
    return uploads.answer(visit.db, chart, row, visit.now, 201 if is_new else 200)


@routes.get(_OF_NOTE, response_model=AttachmentsOut, operation_id="list_attachments")
def list_attachments(visit: Signed, patient_id: str, note_id: str) -> Reply:
    """What is attached to a note, oldest first, ten at most."""
    chart = open_chart(visit.db, visit.caller, patient_id, NOTES.read_right, visit.now)
    return Reply(attachments.list_of(visit.db, chart, entry_id(note_id)))


@routes.get(_ONE, response_model=AttachmentOut, operation_id="read_attachment")
def read_attachment(visit: Signed, patient_id: str, attachment_id: str) -> Reply:
    """One attachment, and how many of its bytes are stored."""
    chart = open_chart(visit.db, visit.caller, patient_id, NOTES.read_right, visit.now)
    row = attachments.read(visit.db, chart, entry_id(attachment_id))
    return Reply(attachments.out(chart, row), headers={"ETag": etag(row.version)})


@routes.delete(_ONE, response_model=AttachmentOut, operation_id="withdraw_attachment")
def withdraw_attachment(
    visit: Signed, patient_id: str, attachment_id: str, if_match: IfMatch = None
) -> Reply:
    """Say that an attachment was sent in error: nobody but the patient sees it any more."""
    base_version = version_named(if_match)
    chart = open_chart(visit.db, visit.caller, patient_id, NOTES.write_right, visit.now)
    row = uploads.withdraw(visit.db, chart, entry_id(attachment_id), base_version, visit.now)
    return Reply(attachments.out(chart, row), headers={"ETag": etag(row.version)})


@routes.patch(
    _CONTENT,
    response_model=SentAttachmentOut,
    operation_id="append_to_attachment",
    openapi_extra=binary(PIECES_BODY),
)
def append_to_attachment(
    visit: Signed,
    patient_id: str,
    attachment_id: str,
    upload_offset: UploadOffset,
    upload_complete: UploadComplete,
    media: PartialMedia = "",
) -> Intake:
    """Send bytes, from where the last ones ended. After a break, ask how many are stored and go on
    there. What is not what was declared is refused, and then nothing of it stays.
    """
    require_partial(media)
    chart = open_chart(visit.db, visit.caller, patient_id, NOTES.write_right, visit.now)
    return uploads.append(
        visit.db,
        chart,
        entry_id(attachment_id),
        upload_offset,
        is_rest=upload_complete == "?1",
        now=visit.now,
    )


@routes.get(
    _CONTENT,
    response_model=None,
    response_class=Octets,
    operation_id="read_attachment_content",
)
def read_attachment_content(visit: Signed, patient_id: str, attachment_id: str) -> Live:
    """The bytes of a finished attachment, as a download that no browser runs."""
    chart = open_chart(visit.db, visit.caller, patient_id, NOTES.read_right, visit.now)
    return attachments.download(visit.db, chart, entry_id(attachment_id))


@routes.head(_CONTENT, response_model=None, include_in_schema=False)
def read_upload_offset(visit: Signed, patient_id: str, attachment_id: str) -> Reply:
    """Where an upload goes on, in headers."""
    chart = open_chart(visit.db, visit.caller, patient_id, NOTES.write_right, visit.now)
    row = attachments.read(visit.db, chart, entry_id(attachment_id))
    return Reply(None, 204, attachments.headers_of(row))
