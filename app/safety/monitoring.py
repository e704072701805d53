"""The honest sentence: who has been told, and when they are on duty."""

import json
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_NAMES: Final = (
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
)  # fmt: skip
WORKER_SILENT_AFTER: Final = timedelta(seconds=60)


class Duty(NamedTuple):
    """Whether a clinic is on duty now, and when that next changes.

    changes_at: on the clinic's clock; None: not within two weeks. is_declared: whether the
    clinic has said when it is on duty at all.
    """

    is_on: bool
    changes_at: datetime | None
    is_declared: bool = True


@lru_cache(256)
def duty(coverage: str, time_zone: str, minute: datetime) -> Duty:
    """Duty at a minute. coverage: JSON text as in `people.tables.Clinic`."""
    declared: dict[str, Any] = json.loads(coverage)
    zone = ZoneInfo(time_zone)
    for begins, ends in _spans(declared, zone, minute.astimezone(zone)):
        if begins <= minute < ends:
            return Duty(True, ends)
        if begins > minute:
            return Duty(False, begins)
    return Duty(False, None, any(declared.get("hours", {}).values()))


def statement(
    *,
    clinic_name: str,
    coverage: str,
    time_zone: str,
    now: datetime,
    is_flagged: bool,
    is_worker_silent: bool,
) -> str:
    """What is true about monitoring at this moment, in plain words.

    is_flagged: whether this answer put something before the care team.
    is_worker_silent: whether the process that tells them has not been seen lately.
    """
    # To the minute, so that the many answers of one minute share one reckoning.
    on_duty = duty(coverage, time_zone, now.replace(second=0, microsecond=0))
    told = (
        f"This has been put in front of your care team at {clinic_name}."
        if is_flagged
        else f"This is now in your journal at {clinic_name}; your care team was not alerted."
    )
    if is_flagged and is_worker_silent:
        told += " Telling them may be delayed right now."
    return f"{told} {_when(on_duty)} The journal is not an emergency service."


def _when(on_duty: Duty) -> str:
    if not on_duty.is_declared:
        return "The clinic has not said when it is on duty."
    if on_duty.changes_at is None:
        return "They are off duty for at least the next two weeks and may not see it before then."
    at = on_duty.changes_at
    if on_duty.is_on:
        return f"They are on duty until {at:%H:%M} ({at.tzname()})."
    return (
        f"They are off duty until {_DAY_NAMES[at.weekday()]} {at.day} {at:%B}, {at:%H:%M}"
        f" ({at.tzname()}) and may not see it before then."
    )


def _spans(
    coverage: dict[str, Any], zone: ZoneInfo, local_now: datetime
) -> list[tuple[datetime, datetime]]:
    """Hours of duty from yesterday to two weeks on, in order."""
    holidays = {date.fromisoformat(day) for day in coverage.get("holidays", [])}
    spans = []
    for ahead in range(-1, 15):
        day = local_now.date() + timedelta(days=ahead)
        if day in holidays:
            continue
        for begins, ends in coverage.get("hours", {}).get(_DAYS[day.weekday()], []):
            # A shift that ends before it begins ends on the day after.
            last_day = day if ends > begins else day + timedelta(days=1)
            spans.append((_on_the_wall(day, begins, zone), _on_the_wall(last_day, ends, zone)))
    return sorted(spans)


def _on_the_wall(day: date, hour: str, zone: ZoneInfo) -> datetime:
    """An hour of a day; one that the clocks skip, as the wall shows it then."""
    return datetime.combine(day, time.fromisoformat(hour), zone).astimezone(UTC).astimezone(zone)
