"""A patient who checks in, for its tests."""

from datetime import datetime
from typing import Any

from tests.builders import Person, a_check_in, a_dosing_session, an_administration

CHECK_INS = "/v1/patients/me/check-ins"


def submitted(person: Person, **changes: Any) -> dict[str, Any]:
    """A check-in that was stored, as the answer tells it."""
    answer = person.post(CHECK_INS, a_check_in(**changes))
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def gave_a_dose(therapist: Person, patient: Person, given_at: datetime) -> None:
    """The therapist records a dose."""
    answer = therapist.post(
        f"{patient.record}/dosing-sessions",
        a_dosing_session(administrations=[an_administration(given_at=given_at.isoformat())]),
    )
    assert answer.status_code == 201, answer.text
