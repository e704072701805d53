"""A record with something on every page, as patients and clinicians would have sent it."""

from datetime import timedelta
from typing import Final

from tests.builders import (
    Clinic,
    a_check_in,
    a_dosing_session,
    a_goal,
    a_note,
    a_safety_plan,
    an_administration,
    now,
    phq_9,
)

TOTALS: Final = ((60, 21), (46, 20), (39, 12), (32, 9), (25, 11), (11, 7), (4, 8))
"""Days ago, and the PHQ-9 then."""
DOSES: Final = (45, 40, 20)
"""Days ago."""


def filled(clinic: Clinic, *, is_in_danger: bool = True) -> str:
    """Answers, doses, notes, goals, a plan, and a flag. Returns: the address of the patient."""
    patient, therapist = clinic.patient, clinic.therapist
    record = f"/v1/patients/{patient.patient_id}"
    answers = []
    for days, total in TOTALS:
        at = (now() - timedelta(days=days)).isoformat()
        answers.append(
            patient.post(f"{record}/check-ins", a_check_in(answers=phq_9(total), recorded_at=at))
        )
        answers.append(
            patient.post(
                f"{record}/check-ins",
                a_check_in(instrument="gad-7", answers=[1, 2, 1, 2, 1, 1, 0], recorded_at=at),
            )
        )
    for days in DOSES:
        given = (now() - timedelta(days=days)).isoformat()
        session = a_dosing_session(administrations=[an_administration(given_at=given)])
        answers.append(therapist.post(f"{record}/dosing-sessions", session))
    answers += [
        patient.post(f"{record}/notes", a_note()),
        patient.post(f"{record}/goals", a_goal()),
        patient.put(f"{record}/safety-plan", a_safety_plan(), base=1),
    ]
    if is_in_danger:
        answers.append(
            patient.post(f"{record}/check-ins", a_check_in(answers=phq_9(13, item_nine=2)))
        )
    assert {answer.status_code for answer in answers} <= {200, 201}, [
        answer.text for answer in answers if answer.status_code > 201
    ]
    return f"/console/patients/{patient.patient_id}"
