"""A patient in danger, for the tests of what follows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app import worker
from app.kernel.db import Direct
from tests.builders import Person, a_check_in, phq_9
from tests.conftest import Behind, Clock

CHECK_INS = "/v1/patients/me/check-ins"


def told_about(
    person: Person, answers: Sequence[int | None], country: str | None = None, **changes: Any
) -> dict[str, Any]:
    """The safety block that a PHQ-9 with these answers is answered with."""
    path = CHECK_INS if country is None else f"{CHECK_INS}?country={country}"
    answer = person.post(path, a_check_in(answers=answers, **changes))
    assert answer.status_code == 201, answer.text
    block: dict[str, Any] = answer.json()["safety"]
    return block


def in_danger(person: Person, item_nine: int = 2, **changes: Any) -> dict[str, Any]:
    """The safety block after item 9 was answered so."""
    return told_about(person, [*phq_9(6)[:8], item_nine], **changes)


def keep_promises(direct: Direct, at: datetime) -> None:
    """Do what a worker does."""
    while worker.keep_one(direct, at):
        pass


def told_of(block: dict[str, Any], clock: Clock, direct: Direct, behind: Behind) -> list[UUID]:
    """Before whom a worker puts the flag of a safety block."""
    keep_promises(direct, clock.at)
    told = behind.rows("SELECT membership_id FROM notice WHERE flag_id = %s", block["flag"]["id"])
    return [membership_id for (membership_id,) in told]
