"""A record with something on every page, as patients and clinicians would have sent it."""

from datetime import timedelta
from typing import Final

from tests.builders import (
    Clinic,
    a_batch,
    a_check,
    a_check_in,
    a_course,
    a_dosing_session,
    a_goal,
    a_medication,
    a_note,
    a_past_treatment,
    a_preparation,
    a_safety_plan,
    a_screening,
    a_side_effect,
    an_administration,
    an_aftercare,
    now,
    phq_9,
)

TOTALS: Final = ((60, 21), (46, 20), (39, 12), (32, 9), (25, 11), (11, 7), (4, 8))
"""Days ago, and the PHQ-9 then."""
DOSES: Final = (45, 40, 20)
"""Days ago."""
VISIT: Final = "0198f1d2-6c1e-7c5e-9d0b-2f6f4b9a1c77"
"""The visit that `treated` is about."""


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


def treated(clinic: Clinic) -> None:
    """A screening with something of everything, a course, and a visit with all that is recorded at
    one, yesterday; readings passed a threshold.
    """
    patient, therapist = clinic.patient, clinic.therapist
    record = f"/v1/patients/{patient.patient_id}"
    given = now() - timedelta(days=1)
    visit = f"{record}/dosing-sessions/{VISIT}"
    session = a_dosing_session(
        id=VISIT, administrations=[an_administration(given_at=given.isoformat())]
    )
    readings = [
        {
            "at": (given + timedelta(minutes=minutes)).isoformat(),
            "systolic": systolic,
            "diastolic": systolic - 45,
            "spo2": 97,
            "pulse": 70,
            "respiration": 14,
            "sedation": felt,
            "dissociation": felt,
        }
        for minutes, systolic, felt in ((-10, 124, 0), (20, 196, 7), (60, 140, 4), (115, 126, 0))
    ]
    answers = [
        therapist.post(f"{record}/screenings", a_screening(psychosis="yes", pregnancy="unknown")),
        therapist.post(f"{record}/trial-history", a_past_treatment(note="Tired, and no better.")),
        patient.post(f"{record}/medications", a_medication(name="Diazepam", taken="At night.")),
        therapist.post(f"{record}/courses", a_course(planned_sessions=20)),
        therapist.post(f"{record}/dosing-sessions", session),
        patient.post(f"{record}/preparations", a_preparation(VISIT, note="A light breakfast.")),
        therapist.post(f"{record}/preparation-checks", a_check(VISIT)),
        therapist.post(f"{visit}/vital-signs", a_batch(*readings)),
        therapist.post(
            f"{record}/side-effects", a_side_effect(dosing_session_id=VISIT, action="Water.")
        ),
        therapist.post(f"{record}/aftercare", an_aftercare(VISIT)),
    ]
    assert {answer.status_code for answer in answers} == {201}, [
        answer.text for answer in answers if answer.status_code != 201
    ]
    gate = therapist.get(f"{visit}/discharge").json()
    discharge = {
        "attested": {"alert": True, "escort": True, "instructions": True},
        "overrides": [
            {"criterion": key, "reason": "Seen and spoken with."}
            for key in gate["open"]
            if key not in {"alert", "escort", "instructions"}
        ],
        "recorded_at": now().isoformat(),
    }
    answer = therapist.post(f"{visit}/discharge", discharge)
    assert answer.status_code == 201, answer.text
