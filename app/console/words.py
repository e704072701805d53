"""The codes of the record, in words for the screen."""

from typing import Final

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
    # trajectories
    "baseline": "Before any dose",
    "0-4h": "0\N{EN DASH}4 h after a dose",
    "4-24h": "4\N{EN DASH}24 h after a dose",
    "1-7d": "1\N{EN DASH}7 days after a dose",
    "later": "Later",
    "pinned": "chosen by a clinician",
    "before-first-dose": "the last one before the first dose",
    "first-complete": "the first complete one",
    "improved": "Improved",
    "worse": "Worse",
    "unchanged": "Unchanged",
    "lower-is-better": "Lower is better",
    "higher-is-better": "Higher is better",
    # people
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


DONE: Final = {
    "acknowledged": "You are seeing to this flag.",
    "handed-over": "The flag was handed over. They are told now.",
    "contacted": "The contact was recorded.",
    "commented": "The comment was kept.",
    "resolved": "The flag was closed.",
    "raised": "The flag was raised. The care team is told now.",
    "recorded": "The visit was recorded.",
    "amended": "The visit was changed. Earlier versions stay readable.",
    "withdrawn": "The visit was marked as entered in error. It stays readable.",
    "published": "The new version holds from now on.",
    "saved": "Saved.",
    "ended": "Ended.",
    "removed": "Removed.",
    "began": "Added.",
    "clinic": "You are in another clinic now.",
}
"""What is said after something was done, by the `done` of the address."""
