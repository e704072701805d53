"""What crosses the wire about aftercare."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.journal.schemas import EntryIn, EntryOut
from app.kernel.fields import Code, Words
from app.kernel.strict import Open


class AftercareIn(EntryIn):
    """What a patient was given to take home."""

    dosing_session_id: UUID
    instructions: Annotated[
        list[Code],
        Field(min_length=1, max_length=30, description="Keys of the clinic's protocol."),
    ]
    words: Annotated[Words | None, Field(description="What else was said. Sealed.")] = None


class InstructionOut(Open):
    """An instruction, in the words in which it was given."""

    key: str
    label: str


class AftercareOut(EntryOut):
    """What a patient was given to take home."""

    dosing_session_id: UUID
    instructions: list[str]
    told: list[InstructionOut]
    words: str | None
    protocol_version: int


class AftercareReceiptIn(EntryIn):
    """That the patient read it."""

    aftercare_id: UUID
    aftercare_version: Annotated[
        int, Field(ge=1, le=999_999_999, description="The version that was on the screen.")
    ]


class AftercareReceiptOut(EntryOut):
    """That the patient read it."""

    aftercare_id: UUID
    aftercare_version: int
