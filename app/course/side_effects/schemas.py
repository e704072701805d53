"""What crosses the wire about side effects."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.clinical.side_effects import Severity, SideEffect
from app.journal.schemas import EntryIn, EntryOut
from app.kernel.fields import Instant, Sentence


class SideEffectIn(EntryIn):
    """A side effect."""

    code: SideEffect
    words: Annotated[Sentence | None, Field(description="Required with `other`. Sealed.")] = None
    severity: Annotated[Severity, Field(description="The words of grades 1 to 4 of the CTCAE 5.0.")]
    onset_at: Instant
    resolved_at: Annotated[Instant | None, Field(description="Null while it lasts.")] = None
    action: Annotated[Sentence | None, Field(description="What was done. Sealed.")] = None
    dosing_session_id: Annotated[UUID | None, Field(description="The visit it came with.")] = None


class SideEffectOut(EntryOut):
    """A side effect."""

    code: str
    words: str | None
    severity: str
    onset_at: datetime
    resolved_at: datetime | None
    action: str | None
    dosing_session_id: UUID | None
    reported_by: Annotated[str, Field(description="patient or clinician: who told of it first.")]
