"""A record with something on every page, as patients and clinicians would have sent it."""

from datetime import timedelta
from typing import Any, Final

from httpx2 import Response

from tests.builders import (
    LEVELS,
    Clinic,
    Person,
    a_batch,
    a_check,
    a_check_in,
    a_coping_strategy,
    a_course,
    a_dosing_session,
    a_goal,
    a_goal_rating,
    a_goal_step,
    a_medication,
    a_note,
    a_past_treatment,
    a_practice,
    a_practice_tick,
    a_preparation,
    a_safety_plan,
    a_screening,
    a_session_summary,
    a_side_effect,
    a_summary_agreement,
    a_trigger,
    an_administration,
    an_aftercare,
    an_insight,
    an_integration_session,
    an_intention,
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
    answers += integrated(clinic)
    answers += [
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


def integrated(clinic: Clinic) -> list[Response]:
    """From an intention to a coping strategy, with ratings, ticks and a session that was agreed to.

    Returns: every answer.
    """
    patient, therapist = clinic.patient, clinic.therapist
    record = f"/v1/patients/{patient.patient_id}"
    answers: list[Response] = []

    def sent(person: Person, kind: str, body: dict[str, Any], days: float = 0) -> str:
        at = (now() - timedelta(days=days)).isoformat()
        answers.append(person.post(f"{record}/{kind}", {**body, "recorded_at": at}))
        return str(answers[-1].json().get("id"))

    def of(kind: str, entry: str) -> dict[str, Any]:
        return {"came_from": {"kind": kind, "id": entry}}

    intention = sent(patient, "intentions", an_intention(), 46)
    note = sent(patient, "notes", a_note(**of("intention", intention)), 44)
    insight = sent(patient, "insights", an_insight(**of("note", note)), 43)
    goal = sent(
        patient,
        "goals",
        a_goal(levels=LEVELS, baseline_level=-1, weight=3, **of("insight", insight)),
        42,
    )
    sent(patient, "goals", a_goal(words="Sleep with the window open."), 30)
    sent(patient, "goal-steps", a_goal_step(goal), 40)
    done_on = (now() - timedelta(days=30)).date().isoformat()
    step = a_goal_step(goal, words="Write to her.", status="done", done_on=done_on)
    sent(patient, "goal-steps", step, 35)
    for days, level in ((35, -1), (20, 0), (5, 1)):
        sent(patient, "goal-ratings", a_goal_rating(goal, level), days)
    for days, level in ((34, -2), (6, 0)):
        rating = a_goal_rating(goal, level, words="She called twice.")
        sent(therapist, "goal-ratings", rating, days)
    practice = sent(patient, "practices", a_practice(**of("goal", goal)), 41)
    for days in (1, 2, 3, 5, 8, 9, 10, 14, 20):
        on = (now() - timedelta(days=days)).date().isoformat()
        sent(patient, "practice-ticks", a_practice_tick(practice, on), days)
    on = (now() - timedelta(days=4)).date().isoformat()
    skip = a_practice_tick(practice, on, status="skipped", reason="I was travelling all day.")
    sent(patient, "practice-ticks", skip, 4)
    strategy = sent(patient, "coping-strategies", a_coping_strategy(**of("practice", practice)), 30)
    for days in range(1, 7):
        trigger = a_trigger(strategy, helped=3, intensity_after=4)
        sent(patient, "triggers", trigger, days * 3)
    talk = an_integration_session(scheduled_at=(now() - timedelta(days=18)).isoformat())
    session = sent(therapist, "integration-sessions", talk, 18)
    summary = sent(therapist, "session-summaries", a_session_summary(session), 18)
    sent(patient, "summary-agreements", a_summary_agreement(summary), 17)
    next_at = (now() + timedelta(days=3)).isoformat()
    planned = an_integration_session(scheduled_at=next_at, status="scheduled", place="Room 2")
    sent(therapist, "integration-sessions", planned)
    return answers


def reached_from_lists(clinic: Clinic) -> list[str]:
    """Under the patient's address: a page of each entry that has one of its own."""

    def first(kind: str) -> str:
        answer = clinic.therapist.get(f"{clinic.patient.record}/{kind}")
        return str(answer.json()[kind.replace("-", "_")][-1]["id"])

    return [
        f"/goals/{first('goals')}",
        f"/integration/{first('integration-sessions')}",
        f"/thread/insight/{first('insights')}",
    ]
