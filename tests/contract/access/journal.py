"""What patients and clinicians write: notes, intentions, goals, practices, integration."""

from typing import Final

from tests.builders import (
    a_clinicians_note,
    a_coping_strategy,
    a_goal,
    a_goal_rating,
    a_goal_step,
    a_note,
    a_practice,
    a_practice_tick,
    a_session_summary,
    a_summary_agreement,
    a_trigger,
    an_insight,
    an_integration_session,
    an_intention,
)
from tests.contract.access.asking import PATIENT, THEIR, Tries, Try, kept_on_a_shelf
from tests.contract.access.statuses import (
    CHANGE_DOSES,
    OWN,
    READ_CLINICAL,
    READ_GOALS,
    RECORD_DOSES,
    WRITE_OWN,
)

# Patient and therapist rate a goal, each for themselves; a prescriber without therapy does not.
RATE = """
                     me  theirs  other  foreign  missing
anonymous           401     401    401      401      401
patient             201     201    404      404      404
other patient       201     404    201      404      404
therapist           403     201    404      404      404
stranger            403     404    201      404      404
coach               403     403    404      404      404
administrator       403     403    403      403      403
foreign patient     201     404    404      201      404
foreign therapist   403     404    404      201      404
foreign admin       403     403    403      403      403
gone patient        401     401    401      401      401
gone therapist      403     401    401      401      401
"""
# What the patient said, which nobody else may put right.
CHANGE_OWN_RATINGS = """
                     me  theirs  other  foreign  missing  mixed
anonymous           401     401    401      401      401    401
patient             200     200    404      404      404    404
other patient       200     404    200      404      404    404
therapist           403     403    404      404      404    404
stranger            403     404    403      404      404    404
coach               403     403    404      404      404    403
administrator       403     403    403      403      403    403
foreign patient     200     404    404      200      404    404
foreign therapist   403     404    404      403      404    404
foreign admin       403     403    403      403      403    403
gone patient        401     401    401      401      401    401
gone therapist      403     401    401      401      401    401
"""
AN_ATTACHMENT = {"media_type": "image/png", "size": 1, "sha256": "0" * 64}
NOTHING_YET = (
    ("Content-Type", "application/partial-upload"),
    ("Upload-Offset", "0"),
    ("Upload-Complete", "?0"),
)

ROUTES: Final[Tries] = {
    **kept_on_a_shelf("notes", "note_id", a_note(), a_note(words="Other.")),
    **kept_on_a_shelf("intentions", "intention_id", an_intention(), an_intention(words="Other.")),
    **kept_on_a_shelf(
        "clinician-notes",
        "clinician_note_id",
        a_clinicians_note(),
        a_clinicians_note(words="Other."),
        creating=RECORD_DOSES,
        changing=CHANGE_DOSES,
    ),
    **kept_on_a_shelf(
        "psychotherapy-notes",
        "psychotherapy_note_id",
        a_clinicians_note(),
        a_clinicians_note(words="Other."),
        reading=CHANGE_DOSES,
        creating=RECORD_DOSES,
        changing=CHANGE_DOSES,
    ),
    ("GET", f"{PATIENT}/notes/{{note_id}}/attachments"): [Try(READ_CLINICAL, kind="notes")],
    ("POST", f"{PATIENT}/notes/{{note_id}}/attachments"): [
        Try(WRITE_OWN, kind="notes", body=AN_ATTACHMENT)
    ],
    ("GET", f"{PATIENT}/attachments/{{attachment_id}}"): [Try(READ_CLINICAL, kind="attachments")],
    ("DELETE", f"{PATIENT}/attachments/{{attachment_id}}"): [
        Try(OWN, kind="attachments to withdraw", headers=(("If-Match", '"2"'),))
    ],
    ("GET", f"{PATIENT}/attachments/{{attachment_id}}/content"): [
        Try(READ_CLINICAL, kind="attachments")
    ],
    ("PATCH", f"{PATIENT}/attachments/{{attachment_id}}/content"): [
        Try(OWN, kind="attachments to append", headers=NOTHING_YET)
    ],
    ("GET", f"{PATIENT}/goal-attainment"): [Try(READ_GOALS)],
    **kept_on_a_shelf(
        "goal-steps",
        "goal_step_id",
        a_goal_step(f"{THEIR}goals"),
        a_goal_step(f"{THEIR}goals", words="Other."),
        reading=READ_GOALS,
    ),
    **kept_on_a_shelf(
        "goal-ratings",
        "goal_rating_id",
        a_goal_rating(f"{THEIR}goals"),
        a_goal_rating(f"{THEIR}goals", 1),
        reading=READ_GOALS,
        creating=RATE,
        changing=CHANGE_OWN_RATINGS,
    ),
    **kept_on_a_shelf("goals", "goal_id", a_goal(), a_goal(words="Other."), reading=READ_GOALS),
    ("GET", f"{PATIENT}/week"): [
        Try(READ_CLINICAL),
        Try(READ_CLINICAL, query="?of=2026-03-02", headers=(("Accept", "text/html"),)),
    ],
    ("GET", f"{PATIENT}/practices/adherence"): [Try(READ_GOALS)],
    ("GET", f"{PATIENT}/thread"): [
        Try(READ_GOALS),
        Try(READ_GOALS, query="?until=2099-01-01T00:00:00Z"),
    ],
    **kept_on_a_shelf(
        "practices", "practice_id", a_practice(), a_practice(words="Other."), reading=READ_GOALS
    ),
    **kept_on_a_shelf(
        "practice-ticks",
        "practice_tick_id",
        a_practice_tick(f"{THEIR}practices"),
        a_practice_tick(f"{THEIR}practices", minutes=3),
        reading=READ_GOALS,
    ),
    ("GET", f"{PATIENT}/coping/helpfulness"): [Try(READ_CLINICAL)],
    **kept_on_a_shelf(
        "coping-strategies",
        "coping_strategy_id",
        a_coping_strategy(),
        a_coping_strategy(words="Other."),
    ),
    **kept_on_a_shelf("triggers", "trigger_id", a_trigger(), a_trigger(words="Other.")),
    **kept_on_a_shelf("insights", "insight_id", an_insight(), an_insight(words="Other.")),
    ("GET", f"{PATIENT}/integration-sessions/proposal"): [Try(READ_CLINICAL)],
    **{
        ("GET", f"{PATIENT}/integration-sessions/{{integration_session_id}}/{what}"): [
            Try(READ_CLINICAL, kind="integration-sessions")
        ]
        for what in ("agenda", "summary")
    },
    **kept_on_a_shelf(
        "integration-sessions",
        "integration_session_id",
        an_integration_session(),
        an_integration_session(place="Elsewhere."),
        creating=RECORD_DOSES,
        changing=CHANGE_DOSES,
    ),
    **kept_on_a_shelf(
        "session-summaries",
        "session_summary_id",
        a_session_summary(f"{THEIR}integration-sessions unsummarized"),
        a_session_summary(f"{THEIR}integration-sessions summarized to amend", words="Other."),
        creating=RECORD_DOSES,
        changing=CHANGE_DOSES,
    ),
    **kept_on_a_shelf(
        "summary-agreements",
        "summary_agreement_id",
        a_summary_agreement(f"{THEIR}session-summaries"),
        a_summary_agreement(f"{THEIR}session-summaries", status="disagreed"),
    ),
}
