"""The honest sentence: who has been told, and when they are on duty."""

from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from app.safety.coverage import Duty, duty

_DAY_NAMES: Final = (
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
)  # fmt: skip
WORKER_SILENT_AFTER: Final = timedelta(seconds=60)


class Told(Enum):
    """Before whom a flag is put. The text has a place for the clinic's name."""

    NOBODY_NEEDED = "This is now in your journal at {}; your care team was not alerted."
    CARE_TEAM = "This has been put in front of your care team at {}."
    ADMINISTRATORS = (
        "This has been put in front of the administrators of {}, because no clinician there"
        " can see your journal now."
    )
    NOBODY = "Nobody at {} can see this yet. Please call them."


def statement(
    *,
    clinic_name: str,
    coverage: str,
    time_zone: str,
    now: datetime,
    told: Told,
    is_worker_silent: bool,
) -> str:
    """What is true about monitoring at this moment, in plain words.

    is_worker_silent: whether the process that tells them has not been seen lately.
    """
    # To the minute, so that the many answers of one minute share one reckoning.
    on_duty = duty(coverage, time_zone, now.replace(second=0, microsecond=0))
    said = told.value.format(clinic_name)
    if told in (Told.CARE_TEAM, Told.ADMINISTRATORS) and is_worker_silent:
        said += " Telling them may be delayed right now."
    return f"{said} {_when(on_duty, now)} The journal is not an emergency service."


def _when(on_duty: Duty, now: datetime) -> str:
    if not on_duty.is_declared:
        return "The clinic has not said when it is on duty."
    at = on_duty.changes_at
    if at is None:
        if on_duty.is_on:
            return "The clinic is on duty."
        return "The clinic is off duty for the next two weeks and may not see it before then."
    hour = f"{at:%H:%M} ({at.tzname()})"
    day = f"{_DAY_NAMES[at.weekday()]} {at.day} {at:%B}, "
    if on_duty.is_on:
        is_today = at.date() == now.astimezone(at.tzinfo).date()
        return f"The clinic is on duty until {'' if is_today else day}{hour}."
    return f"The clinic is off duty until {day}{hour} and may not see it before then."
