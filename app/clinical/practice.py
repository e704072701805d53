"""What a patient does every day or every week, and how it went.

Hides the calendar. Everything is in the patient's local dates, so no clock change can move or
double anything; weeks are those of ISO 8601, Monday to Sunday. A date counts once, however
often it was ticked.

A practice is for the person who does it, so the counting forgives. A date that was skipped with
a reason is neither done nor held against them, and a date that is not over is not yet missed.

A schedule is judged as it is now. Whoever changes one for good ends it and starts another, or
the new one is also held against the time before.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import chain, pairwise
from typing import Final, Literal, NamedTuple

from app.clinical.faults import Fault

_DAY: Final = timedelta(days=1)
_WEEK_DAYS: Final = 7
_MOST_DAYS_APART: Final = 90

# Source: our convention: a streak that one bad day ends makes the next day harder.
FORGIVEN_IN: Final = 7

CONVENTIONS: Final = (
    "A date counts once, however often it was ticked: our convention",
    "A skip with a reason takes its date out of what was expected: our convention",
    "Part of a week expects its share of the times a week, rounded down: our convention",
    "One missed occasion in any seven in a row does not end a streak: our convention",
)


class Kind(StrEnum):
    """How often. The first three expect their dates; the last leaves the days open."""

    DAILY = "daily"
    WEEKDAYS = "weekdays"
    EVERY_N_DAYS = "every-n-days"
    TIMES_A_WEEK = "times-a-week"


class Pause(NamedTuple):
    """Dates on which nothing is expected, both included. last_on: None: until further notice."""

    first_on: date
    last_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a practice is expected. `schedule_fault` says what makes sense.

    from_on, until_on: the patient's local dates, both included; until_on None: no end.
    weekdays: for `weekdays`: ISO numbers, 1 is Monday.
    every: for `every-n-days`: days from one date to the next, counted from from_on; a pause
        does not move them.
    times: for `times-a-week`: on so many dates, whichever they are.
    pauses: in order, apart from each other.
    """

    kind: Kind
    from_on: date
    until_on: date | None = None
    weekdays: Set[int] = frozenset()
    every: int | None = None
    times: int | None = None
    pauses: tuple[Pause, ...] = ()

    def is_active(self, day: date) -> bool:
        """Whether the practice runs on that date: begun, not over, not paused."""
        if day < self.from_on or (self.until_on is not None and day > self.until_on):
            return False
        return not any(
            first <= day and (last is None or day <= last) for first, last in self.pauses
        )

    def is_expected(self, day: date) -> bool:
        """Whether it is expected, or with times a week possible, on that date."""
        if not self.is_active(day):
            return False
        if self.kind is Kind.WEEKDAYS:
            return day.isoweekday() in self.weekdays
        if self.kind is Kind.EVERY_N_DAYS:
            return (day - self.from_on).days % (self.every or 1) == 0
        return True


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of a practice. done_on: dates ticked. skipped_on: skipped with a reason.

    A date in both was done. A skip without a reason is no skip.
    """

    done_on: Set[date] = frozenset()
    skipped_on: Set[date] = frozenset()

    def is_skipped(self, day: date) -> bool:
        return day in self.skipped_on and day not in self.done_on


@dataclass(frozen=True, slots=True)
class Adherence:
    """How much of what was expected was done.

    days: the length of the stretch.
    skipped: dates that were expected and skipped with a reason; not in `expected`.
    beside: dates that were ticked and on which nothing (more) was expected.
    proportion: done / expected, 0 to 1; None when nothing was expected.
    """

    days: int
    done: int
    expected: int
    skipped: int
    beside: int
    proportion: float | None


@dataclass(frozen=True, slots=True)
class Streak:
    """length: occasions done in a row. unit: of the occasions. forgiven: misses among them."""

    length: int
    unit: Literal["dates", "weeks"]
    forgiven: int


class _Count(NamedTuple):
    done: int
    expected: int
    skipped: int


def week_of(day: date) -> tuple[date, date]:
    """Monday and Sunday of the ISO 8601 week in which a date lies."""
    monday = day - timedelta(days=day.isoweekday() - 1)
    return monday, monday + timedelta(days=_WEEK_DAYS - 1)


def week_name(day: date) -> str:
    """The ISO 8601 week in which a date lies, such as "2026-W01" for 29 December 2025."""
    year, week, _ = day.isocalendar()
    return f"{year:04}-W{week:02}"


def schedule_fault(schedule: Schedule) -> Fault | None:
    """The first thing wrong with a schedule; None if it will do."""
    return next(chain(_kind_faults(schedule), _date_faults(schedule)), None)


def tick_fault(on: date, today: date) -> Fault | None:
    """A tick or a skip of a date that has not come yet. today: the patient's local date."""
    return Fault("/on", "must not lie in the future") if on > today else None


def expected(schedule: Schedule, first: date, last: date) -> int:
    """On how many dates the practice is expected, from `first` to `last`, both included.

    Part of a week expects its share of the times a week, rounded down.
    """
    days = sum(schedule.is_expected(day) for day in _days(first, last))
    return days if schedule.times is None else schedule.times * days // _WEEK_DAYS


def is_due(schedule: Schedule, kept: Kept, today: date) -> bool:
    """Whether the practice is still to be done today.

    With times a week: unless this ISO week already has as many as it expects, done or
    skipped with a reason.
    """
    if not schedule.is_expected(today) or today in kept.done_on or today in kept.skipped_on:
        return False
    if schedule.times is None:
        return True
    week = list(_days(*week_of(today)))
    return sum(day in kept.done_on or day in kept.skipped_on for day in week) < schedule.times


def adherence(
    schedule: Schedule, kept: Kept, *, last: date, today: date, days: int = 7
) -> Adherence:
    """How much was done of what was expected on the `days` dates that end with `last`.

    today: the patient's local date. Where dates are expected, today and later count once
        they were done or skipped.
    days: a multiple of 7. With times a week every 7 dates, counted back from `last`, are
        judged by themselves: one full week does not make up for an empty one.
    Raises: ValueError if `days` is no multiple of 7.
    """
    if days <= 0 or days % _WEEK_DAYS:
        raise ValueError("days must be a multiple of 7, and above 0")
    first = last - timedelta(days=days - 1)
    counts = [
        _count(schedule, kept, start, start + timedelta(days=_WEEK_DAYS - 1), today)
        for start in (first + timedelta(days=offset) for offset in range(0, days, _WEEK_DAYS))
    ]
    done = sum(count.done for count in counts)
    due = sum(count.expected for count in counts)
    return Adherence(
        days=days,
        done=done,
        expected=due,
        skipped=sum(count.skipped for count in counts),
        beside=sum(day in kept.done_on for day in _days(first, last)) - done,
        proportion=done / due if due else None,
    )


def streak(schedule: Schedule, kept: Kept, today: date) -> Streak:
    """The longest run of occasions up to today in which no seven in a row miss more than one.

    An occasion is an expected date or, with times a week, an ISO week. What was skipped with
    a reason or lies in a pause is none, and neither is what is not over and not yet done.

    Source: our convention (`FORGIVEN_IN`).
    """
    length = forgiven = misses = 0
    last_miss: int | None = None
    occasions = _weeks(schedule, kept, today) if schedule.times else _dates(schedule, kept, today)
    for index, is_done in enumerate(occasions):
        if is_done:
            length += 1
            forgiven = misses  # a miss before the first of them is none of theirs
        elif last_miss is not None and index - last_miss < FORGIVEN_IN:
            break
        else:
            last_miss, misses = index, misses + 1
    return Streak(length, "weeks" if schedule.times else "dates", forgiven)


def _kind_faults(schedule: Schedule) -> Iterator[Fault]:
    if not all(1 <= day <= _WEEK_DAYS for day in schedule.weekdays):
        yield Fault("/weekdays", "must be from 1, Monday, to 7, Sunday")
    if schedule.every is not None and not 1 <= schedule.every <= _MOST_DAYS_APART:
        yield Fault("/every", f"must be from 1 to {_MOST_DAYS_APART}")
    if schedule.times is not None and not 1 <= schedule.times <= _WEEK_DAYS:
        yield Fault("/times", f"must be from 1 to {_WEEK_DAYS}")
    for kind, pointer, is_there in (
        (Kind.WEEKDAYS, "/weekdays", bool(schedule.weekdays)),
        (Kind.EVERY_N_DAYS, "/every", schedule.every is not None),
        (Kind.TIMES_A_WEEK, "/times", schedule.times is not None),
    ):
        if is_there != (schedule.kind is kind):
            yield Fault(pointer, f"belongs to {kind.value}, and only there")


def _date_faults(schedule: Schedule) -> Iterator[Fault]:
    if schedule.until_on is not None and schedule.until_on < schedule.from_on:
        yield Fault("/until_on", "must not be before the practice starts")
    for place, (first, last) in enumerate(schedule.pauses):
        if last is not None and last < first:
            yield Fault(f"/pauses/{place}/last_on", "must not be before the pause starts")
    for place, (before, after) in enumerate(pairwise(schedule.pauses), 1):
        if before.last_on is None or after.first_on <= before.last_on:
            yield Fault(f"/pauses/{place}/first_on", "must come after the pause before it")


def _count(schedule: Schedule, kept: Kept, first: date, last: date, today: date) -> _Count:
    """What counts of seven dates."""
    open_days = [day for day in _days(first, last) if schedule.is_expected(day)]
    done = sum(day in kept.done_on for day in open_days)
    skipped = sum(kept.is_skipped(day) for day in open_days)
    if schedule.times is None:
        over = sum(day < today or day in kept.done_on for day in open_days)
        skipped_and_over = sum(kept.is_skipped(day) and day < today for day in open_days)
        return _Count(done, over - skipped_and_over, skipped)
    wanted = schedule.times * len(open_days) // _WEEK_DAYS
    # What was done stays done, however much else was skipped.
    done = min(done, wanted)
    return _Count(done, max(wanted - skipped, done), skipped)


def _dates(schedule: Schedule, kept: Kept, today: date) -> Iterator[bool]:
    """Expected dates from today back: whether each was done."""
    # Before the first tick there is nothing that a streak could count.
    first = min(kept.done_on, default=today)
    for day in _back(today, max(first, schedule.from_on)):
        if schedule.is_expected(day) and not kept.is_skipped(day):
            if day in kept.done_on:
                yield True
            elif day < today:
                yield False


def _weeks(schedule: Schedule, kept: Kept, today: date) -> Iterator[bool]:
    """ISO weeks from this one back: whether as much was done as was expected."""
    first = max(min(kept.done_on, default=today), schedule.from_on)
    monday, sunday = week_of(today)
    while True:
        count = _count(schedule, kept, monday, sunday, today)
        if count.expected:
            if count.done >= count.expected:
                yield True
            elif sunday < today:
                yield False
        if monday <= first:
            return
        monday, sunday = week_of(monday - _DAY)


def _days(first: date, last: date) -> Iterator[date]:
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def _back(last: date, first: date) -> Iterator[date]:
    for offset in range((last - first).days + 1):
        yield last - timedelta(days=offset)
