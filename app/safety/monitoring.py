"""The honest sentence: who has been told, and when they are on duty."""

from datetime import datetime, timedelta
from enum import Enum
from functools import lru_cache, partial
from typing import Final, Protocol

from app.kernel.texts import say
from app.safety.coverage import Duty, duty

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
WORKER_SILENT_AFTER: Final = timedelta(seconds=60)


class Told(Enum):
    """Before whom a flag is put, and the key of the sentence that says so."""

    NOTHING_STORED = "monitoring.not-stored"
    NOBODY_NEEDED = "monitoring.journal-only"
    CARE_TEAM = "monitoring.care-team"
    CLINICIAN = "monitoring.clinician"
    ADMINISTRATORS = "monitoring.administrators"
    NOBODY = "monitoring.nobody"
    HISTORIC = "monitoring.historic"


class _Say(Protocol):
    """`texts.say` for one reader."""

    def __call__(self, key: str, /, **values: str | int) -> str: ...


def statement(
    *,
    clinic_name: str,
    coverage: str,
    time_zone: str,
    now: datetime,
    told: Told,
    is_worker_silent: bool,
    locale: str,
    own: str,
) -> str:
    """What is true about monitoring at this moment, in plain words.

    is_worker_silent: whether the process that tells them has not been seen lately. locale: the
    reader's. own: the clinic's own texts, as JSON text.
    """
    # To the minute, so that the many answers of one minute share one reckoning.
    minute = now.replace(second=0, microsecond=0)
    return _of_minute(clinic_name, coverage, time_zone, minute, told, is_worker_silent, locale, own)


@lru_cache(512)
def _of_minute(
    clinic_name: str,
    coverage: str,
    time_zone: str,
    minute: datetime,
    told: Told,
    is_worker_silent: bool,
    locale: str,
    own: str,
) -> str:
    speak = partial(_in_words, locale, own)
    sentences = [speak(told.value, clinic=clinic_name)]
    if told in (Told.CARE_TEAM, Told.CLINICIAN, Told.ADMINISTRATORS) and is_worker_silent:
        sentences.append(speak("monitoring.may-be-delayed"))
    sentences.append(_when(duty(coverage, time_zone, minute), minute, speak))
    sentences.append(speak("monitoring.no-emergency-service"))
    return " ".join(sentences)


def _in_words(locale: str, own: str, key: str, /, **values: str | int) -> str:
    return say(key, locale, own=own, **values)


def _when(on_duty: Duty, minute: datetime, speak: _Say) -> str:
    if not on_duty.is_declared:
        return speak("monitoring.hours-unknown")
    at = on_duty.changes_at
    if at is None:
        return speak("monitoring.on-duty" if on_duty.is_on else "monitoring.off-duty-for-weeks")
    hour, zone = f"{at:%H:%M}", str(at.tzname())
    if on_duty.is_on and at.date() == minute.astimezone(at.tzinfo).date():
        return speak("monitoring.on-duty-until", when=speak("date.hour", hour=hour, zone=zone))
    when = speak(
        "date.day-and-hour",
        weekday=speak(f"date.{_DAYS[at.weekday()]}"),
        day=at.day,
        month=speak(f"date.{MONTHS[at.month - 1]}"),
        hour=hour,
        zone=zone,
    )
    state = "monitoring.on-duty-until" if on_duty.is_on else "monitoring.off-duty-until"
    return speak(state, when=when)
