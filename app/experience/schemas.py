"""What crosses the wire about intentions, notes and attachments."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.experience.media import MediaType
from app.journal.schemas import EntryIn, EntryOut, Tier, TieredIn, TieredOut
from app.kernel.edge import PIECES_BODY
from app.kernel.fields import Sentence, ShortWords, Words
from app.kernel.strict import Open, Wire
from app.safety.schemas import SafetyOut

_SESSION = Field(description="The dosing session that it is about.")
Strength = Annotated[int, Field(ge=0, le=10, description="0, not at all, to 10, the most.")]


class IntentionIn(TieredIn):
    """What somebody hopes for or asks of a session."""

    words: Words
    dosing_session_id: Annotated[UUID | None, _SESSION] = None


class IntentionOut(TieredOut):
    """An intention."""

    words: str
    dosing_session_id: UUID | None


class NoteIn(TieredIn):
    """What a session was like."""

    tier: Tier = "private"
    dosing_session_id: Annotated[UUID | None, _SESSION] = None
    words: Words
    emotions: Annotated[
        list[ShortWords], Field(max_length=50, description="In short words, such as awe or grief.")
    ] = []
    insights: Annotated[list[Sentence], Field(max_length=50)] = []
    themes: Annotated[list[ShortWords], Field(max_length=50)] = []
    how_strong: Strength | None = None
    how_challenging: Strength | None = None
    was_breakthrough: Annotated[
        bool | None, Field(description="Whether something broke through; null for not said.")
    ] = None


class NoteOut(TieredOut):
    """An experience note."""

    status: Annotated[str, Field(description="final or entered-in-error")] = "final"
    dosing_session_id: UUID | None
    conflict_of: Annotated[
        UUID | None,
        Field(description="The note that two devices changed at once; this one keeps a text."),
    ] = None
    tier: str
    words: str
    emotions: list[str] = []
    insights: list[str] = []
    themes: list[str] = []
    how_strong: int | None = None
    how_challenging: int | None = None
    was_breakthrough: bool | None = None


class ClinicianNoteIn(EntryIn):
    """What a clinician writes about a patient."""

    words: Words
    dosing_session_id: Annotated[UUID | None, _SESSION] = None
    is_shared_with_patient: Annotated[
        bool, Field(description="Whether the patient reads it too, from the next request on.")
    ] = False


class ClinicianNoteOut(EntryOut):
    """A clinician's note."""

    words: str
    author_id: Annotated[UUID, Field(description="The membership that wrote it.")]
    dosing_session_id: UUID | None
    is_shared_with_patient: bool


class PsychotherapyNoteIn(EntryIn):
    """What a therapist writes for nobody but themselves."""

    words: Words
    dosing_session_id: Annotated[UUID | None, _SESSION] = None


class PsychotherapyNoteOut(EntryOut):
    """A psychotherapy note; only its author reads it."""

    words: str
    author_id: UUID
    dosing_session_id: UUID | None


class AttachmentIn(Wire):
    """What a recording or a picture will be, before its bytes are sent."""

    id: Annotated[UUID | None, Field(description="Made by the client; makes a retry safe.")] = None
    media_type: Annotated[MediaType, Field(description="Without parameters; it is checked.")]
    size: Annotated[int, Field(ge=1, le=PIECES_BODY, description="In bytes.")]
    sha256: Annotated[
        str,
        Field(
            min_length=64, max_length=64, pattern="^[0-9a-f]{64}$", description="Of all its bytes."
        ),
    ]


class AttachmentOut(Open):
    """A recording or a picture that belongs to a note. It is shown to whom its note is."""

    id: UUID
    version: int
    status: Annotated[
        str,
        Field(
            description="preliminary until every byte was sent and checked; then final;"
            " entered-in-error once it was withdrawn, refused or never finished."
        ),
    ]
    note_id: UUID
    media_type: str
    size: int
    sha256: str
    upload_offset: Annotated[int, Field(description="The bytes that are stored.")]
    begun_at: datetime
    completed_at: datetime | None


class SentAttachmentOut(AttachmentOut):
    """An attachment as the answer to its sending. Nobody listens to it for signs of danger."""

    safety: SafetyOut


class AttachmentsOut(Open):
    """The attachments of a note, oldest first."""

    attachments: list[AttachmentOut]
