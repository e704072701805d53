"""What is due, and which answer belongs to what.

Every occurrence of a point has one window in time, and the windows of one point never overlap:

- A dose ends what was counted from an earlier dose, or from the enrolment: nothing is asked as
  the third day after dose 1 once dose 2 was given.
- A questionnaire with a long recall is not asked within 72 hours after any dose. A window that
  would open then opens when they are over; a dose in the middle of a window that it does not
  end interrupts it; what is left without any time does not occur. A question about suicide may
  always be asked, and so counts as having no long recall (see `read`).

Then an answer belongs to the window it lies in. If it lies in no window of its instrument, it
belongs to the one that closed last before it, as late, unless that one was answered or closed
more than `late_days` ago. One answer counts for every point in whose window it lies.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import count
from typing import Final, Literal, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from app.clinical.protocol.definition import (
    NO_LONG_RECALL_HOURS,
    Anchor,
    Protocol,
    TimePoint,
)

_SECOND: Final = 1_000_000
_HOUR: Final = 3600 * _SECOND
_DAY: Final = 24 * _HOUR
_QUIET: Final = NO_LONG_RECALL_HOURS * _HOUR
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NEVER: Final = 1 << 62

HISTORY_DAYS: Final = 14

State = Literal["open", "next", "answered", "late", "missed"]


class Answered(NamedTuple):
    """One answered questionnaire. effective_at: the time it speaks for; id: the caller's."""

    instrument: str
    effective_at: int
    id: UUID


@dataclass(frozen=True, slots=True)
class DueItem:
    """One questionnaire of one occurrence of one point.

    key: stable, as long as no earlier dose is added or removed, and unique; such as
        "24h/dose-2/momentary", or "weekly/dose-2/1/phq-9" where a point recurs.
    dose_number: the dose it is counted from, from 1; None if it is not counted from one.
    opens_at, due_at, expires_at: of the window, or of the part of it that matters now; it is
        open from the first until just before the last.
    answered_by, answered_at: None unless it was answered, in time or late.
    """

    key: str
    point: str
    label: str
    instrument: str
    dose_number: int | None
    opens_at: int
    due_at: int
    expires_at: int
    state: State
    answered_by: UUID | None
    answered_at: int | None


@dataclass(frozen=True, slots=True)
class Timing:
    """What one answer belongs to. key, point, label, dose_number: as in `DueItem`."""

    key: str
    point: str
    label: str
    dose_number: int | None
    is_late: bool


def due(
    protocol: Protocol,
    *,
    enrolled_at: int,
    doses: Sequence[int],
    planned: Sequence[int],
    answered: Sequence[Answered],
    zone: ZoneInfo,
    now: int,
    switched_on: Collection[str],
    horizon_days: int = 14,
    since: int | None = None,
) -> list[DueItem]:
    """What is open, what comes next, and what became of what was asked lately; by due time.

    Instants are whole microseconds since 1970-01-01T00:00Z; all sequences ascend.

    planned: dosing sessions in the calendar, past ones included, cancelled ones not.
    answered: answers after `now` are not looked at.
    zone: the patient's.
    switched_on: keys of the instruments that the clinic uses; others are left out.
    horizon_days: how far ahead "next" looks.
    since: how far back history reaches; 14 days before now unless given.
    Returns: for each point and instrument at most one that is open, at most one that is next,
        and those that were answered or that closed since `since`.
    """
    course = _Course(enrolled_at, doses, planned, zone)
    since = now - HISTORY_DAYS * _DAY if since is None else min(since, now)
    occurrences = _occurrences(protocol, course, since, now + horizon_days * _DAY, switched_on)
    if not occurrences:
        return []
    answers = _by_instrument(answered, min(each.opens for each in occurrences), now)
    next_openings = _next_openings(occurrences)
    items = []
    announced: set[tuple[str, str]] = set()
    for each, reopens in zip(occurrences, next_openings, strict=True):
        series = answers.get(each.instrument, _NO_ANSWERS)
        part = each.parts[-1]
        state: State = "missed"
        if (index := each.answer(series.at)) is not None:
            state = "answered"
            part = each.part_with(series.at[index])
        elif (index := each.late_answer(series.at, reopens, protocol.late_days)) is not None:
            state = "late"
        elif now < each.expires:
            part = next(part for part in each.parts if now < part[1])
            state = "open" if part[0] <= now else "next"
        if state == "next":
            if (each.point.key, each.instrument) in announced:
                continue
            announced.add((each.point.key, each.instrument))
        items.append(each.item(part, state, None if index is None else series, index))
    items.sort(key=lambda item: item.due_at)
    return items


def timing(
    protocol: Protocol,
    *,
    enrolled_at: int,
    doses: Sequence[int],
    planned: Sequence[int],
    answered: Sequence[Answered] = (),
    zone: ZoneInfo,
    instrument: str,
    at: int,
) -> Timing | None:
    """What an answer given at `at` belongs to, by the same law as `due`; None: to nothing.

    Among windows of several points it is the one due nearest, then the first in the protocol.

    answered: other answers, or all; an answer is late only for what they left unanswered.
    For the rest see `due`.
    """
    course = _Course(enrolled_at, doses, planned, zone)
    since = at - protocol.late_days * _DAY
    occurrences = _occurrences(protocol, course, since, at, (instrument,))
    within = [each for each in occurrences if each.is_open(at)]
    if within:
        return min(within, key=lambda each: abs(each.due - at)).timing(is_late=False)
    if not occurrences:
        return None
    series = _by_instrument(answered, min(each.opens for each in occurrences), at).get(
        instrument, _NO_ANSWERS
    )
    known = [*series.at[: bisect_left(series.at, at)], at]
    for each, reopens in zip(occurrences, _next_openings(occurrences), strict=True):
        if each.answer(known) is None:
            first = each.late_answer(known, reopens, protocol.late_days)
            if first is not None and known[first] == at:
                return each.timing(is_late=True)
    return None


class _Course(NamedTuple):
    """One patient's time."""

    enrolled_at: int
    doses: Sequence[int]
    planned: Sequence[int]
    zone: ZoneInfo


class _Series(NamedTuple):
    """The answers to one instrument, ascending."""

    at: list[int]
    ids: list[UUID]


_NO_ANSWERS: Final = _Series([], [])


@dataclass(frozen=True, slots=True)
class _Occurrence:
    """One instrument at one occurrence of one point.

    name: what of the key lies between point and instrument.
    parts: the stretches of time, in order, in which it is open; at least one.
    """

    point: TimePoint
    instrument: str
    name: str
    dose_number: int | None
    due: int
    parts: Sequence[tuple[int, int]]

    @property
    def opens(self) -> int:
        return self.parts[0][0]

    @property
    def expires(self) -> int:
        return self.parts[-1][1]

    def is_open(self, at: int) -> bool:
        return any(opens <= at < expires for opens, expires in self.parts)

    def part_with(self, at: int) -> tuple[int, int]:
        return next(part for part in self.parts if part[0] <= at < part[1])

    def answer(self, at: list[int]) -> int | None:
        """The index of the answer nearest to when it was due; the earlier of two as near."""
        nearest: list[int] = []
        for opens, expires in self.parts:
            first, end = bisect_left(at, opens), bisect_left(at, expires)
            middle = bisect_left(at, self.due, first, end)
            nearest += range(max(first, middle - 1), min(end, middle + 1))
        return min(nearest, key=lambda index: abs(at[index] - self.due), default=None)

    def late_answer(self, at: list[int], reopens: int, late_days: int) -> int | None:
        """The index of the first answer after the window and before the next window opens."""
        first = bisect_left(at, self.expires)
        until = min(reopens, self.expires + late_days * _DAY)
        return first if first < len(at) and at[first] < until else None

    def item(
        self, part: tuple[int, int], state: State, series: _Series | None, index: int | None
    ) -> DueItem:
        opens, expires = part
        return DueItem(
            key=self._key(),
            point=self.point.key,
            label=self.point.label,
            instrument=self.instrument,
            dose_number=self.dose_number,
            opens_at=opens,
            due_at=min(max(self.due, opens), expires),
            expires_at=expires,
            state=state,
            answered_by=None if series is None or index is None else series.ids[index],
            answered_at=None if series is None or index is None else series.at[index],
        )

    def timing(self, *, is_late: bool) -> Timing:
        return Timing(self._key(), self.point.key, self.point.label, self.dose_number, is_late)

    def _key(self) -> str:
        return f"{self.point.key}/{self.name}/{self.instrument}"


def _by_instrument(answered: Sequence[Answered], since: int, until: int) -> dict[str, _Series]:
    first = bisect_left(answered, since, key=lambda answer: answer.effective_at)
    end = bisect_right(answered, until, key=lambda answer: answer.effective_at)
    series: dict[str, _Series] = {}
    for instrument, at, id_ in answered[first:end]:
        column = series.get(instrument)
        if column is None:
            column = series[instrument] = _Series([], [])
        column.at.append(at)
        column.ids.append(id_)
    return series


def _next_openings(occurrences: Sequence[_Occurrence]) -> list[int]:
    """For each, when a window of the same instrument opens that closes later than its own."""
    openings = [_NEVER] * len(occurrences)
    last_first = sorted(
        range(len(occurrences)),
        key=lambda index: (occurrences[index].instrument, -occurrences[index].expires),
    )
    closing_later = earliest = _NEVER
    previous: _Occurrence | None = None
    for index in last_first:
        each = occurrences[index]
        if previous is None or each.instrument != previous.instrument:
            closing_later = earliest = _NEVER
        elif each.expires < previous.expires:
            closing_later = earliest
        openings[index] = closing_later
        earliest = min(earliest, each.opens)
        previous = each
    return openings


def _occurrences(
    protocol: Protocol, course: _Course, since: int, until: int, switched_on: Collection[str]
) -> list[_Occurrence]:
    """Those that open by `until` and close after `since`; point by point, each in order."""
    found = []
    for point in protocol.points:
        instruments = [key for key in point.instruments if key in switched_on]
        if not instruments:
            continue
        for name, dose_number, opens, due_at, expires in _windows(point, course, since, until):
            whole = ((opens, expires),)
            for key in instruments:
                parts: Sequence[tuple[int, int]] = whole
                if key in protocol.long_recall:
                    parts = _quiet_taken_out(opens, expires, course.doses)
                if parts and parts[0][0] <= until and parts[-1][1] > since:
                    found.append(_Occurrence(point, key, name, dose_number, due_at, parts))
    return found


def _quiet_taken_out(opens: int, expires: int, doses: Sequence[int]) -> list[tuple[int, int]]:
    """What of a window does not lie in the 72 hours after a dose."""
    parts = []
    for dose in doses[bisect_right(doses, opens - _QUIET) : bisect_left(doses, expires)]:
        if opens < dose:
            parts.append((opens, dose))
        opens = max(opens, dose + _QUIET)
    if opens < expires:
        parts.append((opens, expires))
    return parts


class _Origin(NamedTuple):
    """An instant that a point is counted from, and between what its windows must lie."""

    at: int
    name: str
    dose_number: int | None
    not_before: int
    not_after: int


class _Placed(NamedTuple):
    """The window of one occurrence, before any quiet time is taken out of it."""

    name: str
    dose_number: int | None
    opens: int
    due: int
    expires: int


def _origins(point: TimePoint, course: _Course, since: int, until: int) -> Iterator[_Origin]:
    """Those whose windows can close after `since` and open by `until`."""
    enrolled_at, doses, planned, _ = course
    if point.anchor is Anchor.ENROLMENT:
        first_dose = doses[0] if doses else _NEVER
        yield _Origin(enrolled_at, "enrolment", None, enrolled_at, first_dose)
    elif point.anchor is Anchor.FIRST_DOSE:
        for dose in doses[:1]:
            yield _Origin(dose, "dose-1", 1, dose, _NEVER)
    elif point.anchor is Anchor.DOSE:
        for index in range(max(0, bisect_right(doses, since) - 1), bisect_right(doses, until)):
            if (index + 1) % point.every_doses == 0:
                dose, is_last = doses[index], index + 1 == len(doses)
                next_dose = _NEVER if is_last else doses[index + 1]
                yield _Origin(dose, f"dose-{index + 1}", index + 1, dose, next_dose)
    else:
        for index in range(bisect_right(planned, since), len(planned)):
            session = planned[index]
            before = planned[index - 1] if index else -_NEVER
            if before > until:
                break
            yield _Origin(session, f"session-{session}", None, before, session)


def _windows(point: TimePoint, course: _Course, since: int, until: int) -> Iterator[_Placed]:
    for origin in _origins(point, course, since, until):
        clock = _Clock(point, origin.at, course.zone)
        for turn in clock.turns(since):
            opens = max(clock.at(0, turn), origin.not_before)
            if opens > until or opens >= origin.not_after:
                break
            expires = min(clock.at(2, turn), origin.not_after)
            if opens < expires and expires > since:
                due_at = min(max(clock.at(1, turn), opens), expires)
                name = origin.name if point.every is None else f"{origin.name}/{turn + 1}"
                yield _Placed(name, origin.dose_number, opens, due_at, expires)


class _Clock:
    """Where the windows of a point lie that are counted from one instant."""

    def __init__(self, point: TimePoint, origin: int, zone: ZoneInfo) -> None:
        window = point.window
        self._point = point
        self._origin = origin
        self._zone = zone
        self._offsets = (window.opens, window.due, window.expires)
        self._at_local = window.at_local
        self._wall: datetime | None = None
        if window.unit == "days":
            aware = _EPOCH + timedelta(microseconds=origin)
            self._wall = aware.astimezone(zone).replace(tzinfo=None)

    def turns(self, since: int) -> Iterator[int]:
        """Occurrences from 0, without most of those that were over before `since`."""
        every, times = self._point.every, self._point.times
        if every is None:
            yield 0
            return
        unit = _HOUR if self._wall is None else _DAY
        over = (since - self._origin - self._offsets[2] * unit) // (every * unit)
        # Clock times and the changes of the clocks move an end by less than three days.
        first = max(0, over - 3)
        yield from count(first) if times is None else range(first, times)

    def at(self, which: int, turn: int) -> int:
        """The instant at which it opens (0), is due (1) or expires (2)."""
        amount = self._offsets[which] + turn * (self._point.every or 0)
        if self._wall is None:
            return self._origin + amount * _HOUR
        if self._at_local is not None:
            day = self._wall.date() + timedelta(days=amount)
            return instant(datetime.combine(day, self._at_local[which]), self._zone)
        if amount == 0:  # itself, also where the wall shows this time twice
            return self._origin
        return instant(self._wall + timedelta(days=amount), self._zone)


# A phone asks again after every answer, and most of what it is told lies where it lay.
@lru_cache(4096)
def instant(wall: datetime, zone: ZoneInfo) -> int:
    """When the clock on the wall first shows this time, or first shows a later one.

    wall: without an offset. A time that comes twice is the first of the two; one that the
        clocks skip is the moment at which they skip it.
    """
    before = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if before.astimezone(zone).replace(tzinfo=None) == wall:
        return (before - _EPOCH) // _MICROSECOND
    # The offset of before the change reads too late by a part of what is skipped, that of
    # after it too early; in between lies the change, on a whole second, offsets ascending.
    after = wall.replace(tzinfo=zone, fold=1)
    first = (after.astimezone(UTC) - _EPOCH) // timedelta(seconds=1)
    last = (before - _EPOCH) // timedelta(seconds=1) + 1
    seconds = range(first, last + 1)

    def offset(second: int) -> timedelta:
        at = (_EPOCH + timedelta(seconds=second)).astimezone(zone)
        return at.utcoffset() or timedelta()

    return seconds[bisect_left(seconds, offset(last), key=offset)] * _SECOND
