"""The codes of the record, in words for the screen."""

import re
from typing import Final

from app.clinical import instruments
from app.clinical.instruments import Instrument, UnknownInstrument
from app.clinical.risk import RISEN

_SPOKEN: Final = {
    # flags
    "suicide-risk": "Suicide risk",
    "physical": "Danger to the body",
    "low": "Low",
    "moderate": "Moderate",
    "high": "High",
    "open": "Nobody has answered",
    "acknowledged": "Being seen to",
    "resolved": "Closed",
    "handed-over": "Handed over",
    "contacted": "Contact",
    "commented": "Comment",
    "reached": "The patient was reached",
    "not-reached": "Nobody was reached",
    "reached-somebody-else": "Somebody else was reached",
    "plan-agreed": "A plan was agreed",
    "seen-in-person": "Seen in person",
    "referred": "Referred",
    "emergency-services": "Emergency services",
    "entered-in-error": "Entered in error",
    "other": "Something else",
    "check_in": "Check-in",
    "call": "Call for help",
    "concern": "A clinician\N{RIGHT SINGLE QUOTATION MARK}s concern",
    "clinician.concerned": "A clinician is worried",
    "not-assessed": "Suicidal thoughts were not asked about or not answered",
    "incomplete": "Some questions of the screener were not answered",
    "raised-by-clinic": "This clinic flags this answer more gravely than the questionnaire",
    "no-follow-up": "Nothing asks further here, so it counts one level graver",
    # what a record was opened for
    "summary.read": "Summary",
    "caseload.read": "Shown in the caseload",
    "flags.read": "Flag, or shown in the inbox",
    "flags.watch": "Shown in the live inbox",
    "flags.act": "Acted on a flag",
    "flags.state": "Flags and what was done",
    "trajectories.read": "Trajectories",
    "dosing_sessions.read": "Visits",
    "dosing_sessions.record": "Recorded a visit",
    "vital_signs.read": "Vital signs",
    "vital_signs.record": "Recorded vital signs",
    "side_effects.report": "Recorded a side effect",
    "preparation_checks.record": "Went through a checklist",
    "discharges.record": "Let somebody go",
    "aftercare.give": "Gave aftercare",
    "courses.read": "Courses",
    "courses.plan": "Planned or moved a course",
    "eligibility.read": "Screening, history and medicines",
    "screenings.record": "Recorded a screening",
    "stop_resolutions.resolve": "Resolved a hard stop",
    "trial_history.record": "Recorded an earlier treatment",
    "medications.list": "Changed the list of medicines",
    "check_ins.read": "Check-ins",
    "notes.read": "Shared notes",
    "goals.read": "Goals",
    "goals.rate": "Rated a goal",
    "thread.read": "Thread",
    "week.read": "Week",
    "practices.read": "Practices, and what helps when it gets hard",
    "integration_sessions.read": "Integration sessions",
    "integration_sessions.write": "Recorded an integration session",
    "session_summaries.write": "Wrote what was agreed in a session",
    "intentions.read": "Intentions",
    "insights.read": "Insights",
    "coping.read": "Coping strategies",
    "audit.read": "This list",
    "roster.read": "Care links and consents, without content",
    # doses
    "preparation": "Planned",
    "in-progress": "In progress",
    "completed": "Completed",
    "not-done": "Not done",
    "iv": "Intravenous",
    "im": "Into the muscle",
    "subcutaneous": "Under the skin",
    "intranasal": "Into the nose",
    "sublingual": "Under the tongue",
    "oral": "Swallowed",
    # at a visit
    "met": "Met",
    "not-met": "Not met",
    "unknown": "Not known",
    "yes": "Yes",
    "no": "No",
    "record": "The record",
    "clinic": "At the clinic",
    "home": "At the patient\N{RIGHT SINGLE QUOTATION MARK}s home",
    "practitioner-home": "At the practitioner\N{RIGHT SINGLE QUOTATION MARK}s home",
    "by-hand": "By hand",
    "mild": "Mild",
    "severe": "Severe",
    "life-threatening": "Life-threatening",
    "older-notice": "Consent was given to an older notice",
    "not-answered": "Not answered",
    "not-screened": "Nobody has screened this patient",
    "screening-open": "Questions of the screening are open",
    "hard-stop": "A hard stop stands",
    "open-flag": "A flag is open",
    "no-course": "No course that has not ended",
    "course-takes-no-doses": "The course is planned or paused",
    "course-ended": "Its course has ended",
    # trajectories
    "baseline": "Before any dose",
    "0-4h": "0\N{EN DASH}4 h after a dose",
    "4-24h": "4\N{EN DASH}24 h after a dose",
    "1-7d": "1\N{EN DASH}7 days after a dose",
    "later": "Later",
    "pinned": "chosen by a clinician",
    "before-first-dose": "the last one before the first dose",
    "earlier-before-first-dose": "the last one before the first dose, more than 14 days before it",
    "first-complete": "the first complete one there is to go by",
    "improved": "Improved",
    "worse": "Worse",
    "unchanged": "Unchanged",
    "lower-is-better": "Lower is better",
    "higher-is-better": "Higher is better",
    "recall-too-long": "Looks back too far",
    "next-dose": "The next dose",
    "not-yet": "Not yet",
    "not-measured": "Not measured",
    "half-gone": "Half was gone",
    "response.never": "None yet",
    "response.responding": "Responding",
    "response.unconfirmed": "No response",
    "response.lost": "Lost",
    "two-assessments": "By answers in a row without one",
    "rise-from-best": "By a rise from the best score",
    "sudden.no-reliable-change": "because no reliable change is published for this scale",
    "sudden.too-few-scores": "because there are too few scores near each other",
    "last-score": "The last score",
    "gap": "A pause of more than 30 days",
    "no-gain": "No gain",
    "no-reliable-gain": "No gain beyond measurement error",
    "no-score": "No score",
    "no-baseline": "No baseline",
    "report.read": "Report",
    "outcomes.read": "Outcomes",
    # the caseload
    "why.flag": "An open flag",
    "why.worsening": "Worse, more than measurement error",
    "why.loss-of-response": "A response was lost",
    "why.overdue": "The last questionnaire or check asked for was not answered",
    "why.silent": "Silent for 14 days or more",
    "why.nothing-noted": "Nothing noted",
    "only.flagged": "With an open flag",
    "only.worsening": "Worse",
    "only.loss-of-response": "Lost a response",
    "only.overdue": "Overdue",
    "only.silent": "Silent",
    "protocol-version": "Protocol version",
    "country": "Country",
    "language": "Language",
    # goals
    "sustaining": "Achieved, and held",
    # people
    "second-factor.confirmed": "Set up",
    "second-factor.codes-renewed": "New recovery codes",
    "second-factor.recovery-code-used": "Signed in with a recovery code",
    "second-factor.removed": "Removed",
    "second-factor.reset": "Reset by an administrator",
    "patient": "Patient",
    "clinician": "Clinician",
    "administrator": "Administrator",
    "system": "Afterglow itself",
    "therapy": "Therapy",
    "prescribe": "Prescribing",
    "monitor": "Monitoring",
    "coach": "Coaching",
    "assigned": "Assigned",
    "coverage": "While a flag is open",
    # due
    "next": "Next",
    "answered": "Answered",
    "late": "Answered late",
    "missed": "Missed",
    # escalation
    "care-team": "The care team",
    "administrators": "Administrators",
    "at-all-hours": "At all hours",
    "within-coverage": "In coverage hours",
    "next-coverage": "When coverage begins",
    "email": "E-mail",
    "web-push": "Push message",
    "webhook": "Webhook",
    "stream": "Live page",
    "inbox": "Inbox",
    # days
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
}


def spoken(code: str) -> str:
    """A code in words; one that is not known here, without its punctuation."""
    known = _SPOKEN.get(code)
    if known is not None:
        return known
    plain = code.replace("_", " ").replace("-", " ").replace(".", " ").strip()
    return plain[:1].upper() + plain[1:]


def short_title(instrument: Instrument) -> str:
    """As people call it: what stands in brackets at the end of its title, if anything does."""
    found = re.search(r"\(([^()]+)\)$", instrument.title)
    return found[1] if found else instrument.title


def instrument_name(key: str) -> str:
    """What people call a questionnaire; a clinic's own by its key."""
    try:
        return short_title(instruments.find(key))
    except UnknownInstrument:
        return key


def reason(code: str) -> str:
    """Why a flag was raised: a question by its own words, where it is one of those that ship."""
    key, _, part = code.partition(".")
    item, _, has_risen = part.partition(".")
    try:
        instrument = instruments.find(key)
        asked = f"{short_title(instrument)}: {instrument.item(item).text}"
        return f"{asked} (more than at the check before)" if has_risen == RISEN else asked
    except (UnknownInstrument, KeyError):
        return spoken(code)


DONE: Final = {
    "goal-rated": "The rating was kept.",
    "rating-withdrawn": "The rating was marked as entered in error.",
    "session-planned": "The session was kept.",
    "session-changed": "The session was changed. Earlier versions stay readable.",
    "session-withdrawn": "The session was marked as entered in error. It stays readable.",
    "summary-written": "The summary was kept. The patient can read it now.",
    "acknowledged": "You are seeing to this flag.",
    "handed-over": "The flag was handed over. They are told now.",
    "contacted": "The contact was recorded.",
    "commented": "The comment was kept.",
    "resolved": "The flag was closed.",
    "raised": "The flag was raised. The care team is told now.",
    "recorded": "The visit was recorded.",
    "amended": "The visit was changed. Earlier versions stay readable.",
    "withdrawn": "The visit was marked as entered in error. It stays readable.",
    "taken-back": "The place was taken back. Its code works no more.",
    "consent-withdrawn": "That they took their consent back was recorded. No clinician opens their"
    " record any more.",
    "consent-recorded": "Their consent was recorded. Those who care for them open their record"
    " again.",
    "read-signs": "The reading was recorded.",
    "reported": "The side effect was recorded. One that is severe has raised a flag.",
    "changed": "Changed. Earlier versions stay readable.",
    "in-error": "Marked as entered in error. It stays readable in the ledger.",
    "checked": "The check was recorded, with what was found.",
    "planned": "The course was planned.",
    "screened": "The screening was recorded.",
    "stop-resolved": "The stop was resolved, with your reason.",
    "kept": "Recorded.",
    "left": "Recorded: they were let go.",
    "given": "Recorded: what they were given to take home.",
    "published": "The new version holds from now on.",
    "saved": "Saved.",
    "ended": "Ended.",
    "removed": "Removed.",
    "began": "Added.",
    "reset": "The second factor was reset, and its owner is signed out everywhere.",
    "clinic": "You are in another clinic now.",
}
"""What is said after something was done, by the `done` of the address."""
