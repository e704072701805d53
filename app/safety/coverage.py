"""When a clinic is on duty.

A clinic declares its hours per weekday on its own clock, and its holidays:

    {"hours": {"mon": [["09:00", "17:00"]], …}, "holidays": ["2026-12-25"]}

A shift that ends before it begins, or at 24:00, ends on the day after. `check` refuses what
cannot be read when it is set; `duty` never fails, because an answer to somebody in danger
depends on it: what it cannot read counts as not declared.
"""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from app.kernel.log import logger

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HORIZON_DAYS: Final = 15


class CoverageRefused(ValueError):
    """These are no hours of duty; the message is a sentence about which."""


class Duty(NamedTuple):
    """Whether a clinic is on duty now, and when that next changes.

    changes_at: on the clinic's clock; None: not within two weeks. is_declared: whether the
    clinic has said when it is on duty at all.
    """

    is_on: bool
    changes_at: datetime | None
    is_declared: bool = True


UNDECLARED: Final = Duty(False, None, is_declared=False)


@lru_cache(256)
def duty(coverage: str, time_zone: str, minute: datetime) -> Duty:
    """Duty at a minute. coverage: JSON text."""
    try:
        declared = json.loads(coverage)
        check(declared)
        zone = ZoneInfo(time_zone)
        spans = _merged(_spans(declared, zone, minute.astimezone(zone).date()))
    except (ValueError, KeyError, OSError) as error:
        logger().error("coverage.unreadable", error=error)
        return UNDECLARED
    if not any(declared.get("hours", {}).values()):
        return UNDECLARED
    horizon = minute + timedelta(days=_HORIZON_DAYS - 2)
    for begins, ends in spans:
        if begins <= minute < ends:
            return Duty(True, ends if ends < horizon else None)
        if begins > minute:
            return Duty(False, begins)
    return Duty(False, None)


def check(coverage: Any) -> None:
    """Refuse what cannot be read. Raises: CoverageRefused."""
    if not isinstance(coverage, Mapping) or set(coverage) - {"hours", "holidays"}:
        raise CoverageRefused("coverage is an object of hours and holidays")
    hours, holidays = coverage.get("hours", {}), coverage.get("holidays", [])
    if not isinstance(hours, Mapping) or set(hours) - set(DAYS):
        raise CoverageRefused(f"hours are by day: {', '.join(DAYS)}")
    for day, shifts in hours.items():
        if not isinstance(shifts, list) or not all(_is_shift(shift) for shift in shifts):
            raise CoverageRefused(f'the hours of {day} are a list such as [["09:00", "17:00"]]')
    if not isinstance(holidays, list) or not all(_is_date(day) for day in holidays):
        raise CoverageRefused('holidays are dates such as "2026-12-25"')


def _is_shift(shift: Any) -> bool:
    return (
        isinstance(shift, list)
        and len(shift) == 2
        and all(isinstance(end, str) for end in shift)
        and _is_time(shift[0])
        and (shift[1] == "24:00" or _is_time(shift[1]))
        and shift[0] != shift[1]
    )


def _is_time(text: str) -> bool:
    try:
        return len(text) == 5 and time.fromisoformat(text).isoformat("minutes") == text
    except ValueError:
        return False


def _is_date(text: Any) -> bool:
    try:
        return isinstance(text, str) and date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _spans(
    coverage: Mapping[str, Any], zone: ZoneInfo, today: date
) -> list[tuple[datetime, datetime]]:
    """Shifts from yesterday to two weeks on, in order."""
    holidays = {date.fromisoformat(day) for day in coverage.get("holidays", [])}
    spans = []
    for ahead in range(-1, _HORIZON_DAYS):
        day = today + timedelta(days=ahead)
        if day in holidays:
            continue
        for begins, ends in coverage.get("hours", {}).get(DAYS[day.weekday()], []):
            is_overnight = ends == "24:00" or ends < begins
            last_day = day + timedelta(days=1) if is_overnight else day
            until = "00:00" if ends == "24:00" else ends
            span = _on_the_wall(day, begins, zone), _on_the_wall(last_day, until, zone)
            if span[0] < span[1]:  # not so for a shift that lies in the hour the clocks skip
                spans.append(span)
    return sorted(spans)


def _merged(spans: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Shifts that touch or overlap are one stretch of duty."""
    merged: list[tuple[datetime, datetime]] = []
    for begins, ends in spans:
        if merged and begins <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], ends))
        else:
            merged.append((begins, ends))
    return merged


def _on_the_wall(day: date, hour: str, zone: ZoneInfo) -> datetime:
    """An hour of a day; one that the clocks skip, as the wall shows it then."""
    return datetime.combine(day, time.fromisoformat(hour), zone).astimezone(UTC).astimezone(zone)
