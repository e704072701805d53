"""From what a JSON or TOML document says to a `Protocol`, or a refusal; and back.

Everything that is wrong is named at once, for whoever fills in a form. What was sent is not
repeated: a place is named by the members that a protocol may have, and by numbers.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import time
from typing import Final, Literal

from app.clinical.protocol.definition import (
    LONG_RECALL_DAYS,
    NO_LONG_RECALL_HOURS,
    Anchor,
    Protocol,
    TimePoint,
    Window,
)

# Far beyond any use; they bound the work and catch a slip of the keyboard.
_MOST_POINTS: Final = 60
_MOST_INSTRUMENTS: Final = 20
_MOST_ERRORS: Final = 100
_FURTHEST: Final[dict[str, int]] = {"hours": 720, "days": 400}
_ONE_DAY: Final[dict[str, int]] = {"hours": 24, "days": 1}
_MOST_TIMES: Final = 1000
_MOST_DOSES: Final = 100
_MOST_LATE_DAYS: Final = 90

# Neither can be shown, and a database refuses two of them: controls, halves of a character,
# line and paragraph separators.
_NO_TEXT: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})

_MINUTES: Final[dict[str, int]] = {"hours": 60, "days": 24 * 60}
_AFTER_A_DOSE: Final = (Anchor.DOSE, Anchor.FIRST_DOSE)


class ProtocolRefused(ValueError):
    """What was sent is no protocol.

    errors: (JSON pointer, reason) for each thing wrong, at most 100; neither repeats what
        was sent.
    """

    def __init__(self, errors: tuple[tuple[str, str], ...]) -> None:
        super().__init__("; ".join(f"{pointer or '/'} {reason}" for pointer, reason in errors))
        self.errors = errors


def read(content: Mapping[str, object], recall_days: Mapping[str, int]) -> Protocol:
    """Read one protocol from plain values, as JSON or TOML give them.

    recall_days: how many days back each instrument asks, for every one that may be named; 0 for
        one that may be asked at any time, whatever it looks back on. A question about suicide
        is never too early: with its true recall it would not be asked before a session that
        follows another within 72 hours.
    Raises: ProtocolRefused, naming everything that is wrong.
    """
    errors: list[tuple[str, str]] = []
    root = _Table(content, "", errors)
    points = tuple(
        _point(table, recall_days) for table in root.tables("points", at_most=_MOST_POINTS)
    )
    protocol = Protocol(
        title=root.text("title", 200),
        source=root.text("source", 1000),
        convention=root.truth("convention"),
        late_days=root.whole("late_days", 0, _MOST_LATE_DAYS),
        points=points,
        long_recall=frozenset(
            key
            for point in points
            for key in point.instruments
            if recall_days.get(key, 0) >= LONG_RECALL_DAYS
        ),
    )
    root.close()
    seen: set[str] = set()
    for place, point in enumerate(points):
        if point.key and point.key in seen:
            errors.append((f"/points/{place}/key", "is also the key of an earlier point"))
        seen.add(point.key)
    if errors:
        raise ProtocolRefused(tuple(errors[:_MOST_ERRORS]))
    return protocol


def as_dict(protocol: Protocol) -> dict[str, object]:
    """The protocol as plain values, new each time; `read` makes the same one of them."""
    return {
        "title": protocol.title,
        "source": protocol.source,
        "convention": protocol.convention,
        "late_days": protocol.late_days,
        "points": [_point_as_dict(point) for point in protocol.points],
    }


def _point_as_dict(point: TimePoint) -> dict[str, object]:
    window = point.window
    content: dict[str, object] = {
        "key": point.key,
        "label": point.label,
        "anchor": point.anchor.value,
        "instruments": list(point.instruments),
        window.unit: [window.opens, window.due, window.expires],
    }
    if window.at_local is not None:
        content["at_local"] = [clock.isoformat("minutes") for clock in window.at_local]
    if point.every is not None:
        content["every"] = point.every
    if point.times is not None:
        content["times"] = point.times
    if point.every_doses != 1:
        content["every_doses"] = point.every_doses
    return content | {"source": point.source, "convention": point.convention}


class _Table:
    """One object, taken apart member by member, so that what is left over is unknown.

    A member that is wrong is noted in `errors` and read as some right value, so that the rest
    is read too; nothing made of such a value leaves this module.
    """

    def __init__(self, content: object, pointer: str, errors: list[tuple[str, str]]) -> None:
        self._pointer = pointer
        self._errors = errors
        self._asked: set[str] = set()
        self._content = content if isinstance(content, Mapping) else None
        if self._content is None:
            errors.append((pointer, "must be an object"))

    def refuse(self, place: str, reason: str) -> None:
        """Note what is wrong; place: a member, "hours/2", or "" for the object itself."""
        if self._content is not None:
            self._errors.append((f"{self._pointer}/{place}".rstrip("/"), reason))

    def has(self, member: str) -> bool:
        self._asked.add(member)
        return self._content is not None and member in self._content

    def take(self, member: str) -> object:
        self._asked.add(member)
        return None if self._content is None else self._content.get(member)

    def text(self, member: str, longest: int) -> str:
        value = self.take(member)
        if not isinstance(value, str) or not value.strip() or len(value) > longest:
            self.refuse(member, f"must be a text of 1 to {longest} characters")
            return ""
        if any(unicodedata.category(character) in _NO_TEXT for character in value):
            self.refuse(member, "must be a single line without control characters")
        return value

    def slug(self, member: str) -> str:
        value = self.take(member)
        if not isinstance(value, str) or not re.fullmatch(r"(?!-)[a-z0-9-]{1,40}(?<!-)", value):
            self.refuse(member, "must be 1 to 40 lower-case letters, digits and inner hyphens")
            return ""
        return value

    def truth(self, member: str) -> bool:
        value = self.take(member)
        if not isinstance(value, bool):
            self.refuse(member, "must be true or false")
        return value is True

    def whole(self, member: str, low: int, high: int) -> int:
        return self._whole(member, self.take(member), low, high)

    def wholes(self, member: str, low: int, high: int) -> tuple[int, int, int]:
        """Three whole numbers; if one is wrong, three that nothing else is wrong with."""
        before = len(self._errors)
        first, second, third = (
            self._whole(f"{member}/{place}", value, low, high)
            for place, value in enumerate(self._three(member, low))
        )
        if len(self._errors) > before:
            return high - 1, high - 1, high
        return first, second, third

    def clock_times(self, member: str) -> tuple[time, time, time]:
        """Three clock times such as "18:00"."""
        first, second, third = (
            self._clock_time(f"{member}/{place}", value)
            for place, value in enumerate(self._three(member, "00:00"))
        )
        return first, second, third

    def entries(self, member: str, at_most: int) -> list[object]:
        """A list of one or more values of any kind."""
        value = self.take(member)
        if not isinstance(value, list) or not 1 <= len(value) <= at_most:
            self.refuse(member, f"must be a list of 1 to {at_most}")
            return []
        return value

    def tables(self, member: str, at_most: int) -> "list[_Table]":
        """A list of one or more objects."""
        return [
            _Table(value, f"{self._pointer}/{member}/{place}", self._errors)
            for place, value in enumerate(self.entries(member, at_most))
        ]

    def close(self) -> None:
        """Refuse the object if it has a member that was not asked for."""
        if self._content is not None and set(self._content) - self._asked:
            self.refuse("", "may only have: " + ", ".join(sorted(self._asked)))

    def _three(self, member: str, filler: object) -> list[object]:
        value = self.take(member)
        if not isinstance(value, list) or len(value) != 3:
            self.refuse(member, "must be a list of three: opens, due, expires")
            return [filler] * 3
        return value

    def _whole(self, place: str, value: object, low: int, high: int) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.refuse(place, f"must be a whole number from {low} to {high}")
            return low
        return value

    def _clock_time(self, place: str, value: object) -> time:
        if not isinstance(value, str) or not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
            self.refuse(place, "must be a clock time from 00:00 to 23:59")
            return time()
        return time.fromisoformat(value)


def _point(table: _Table, recall_days: Mapping[str, int]) -> TimePoint:
    anchor = _anchor(table)
    window, lasts = _window(table, anchor)
    every = times = None
    if table.has("every"):
        unit = window.unit
        every = table.whole("every", _ONE_DAY[unit], _FURTHEST[unit])
        if anchor is Anchor.PLANNED_SESSION:
            table.refuse("every", "has no place before a planned session")
        elif lasts > every * _MINUTES[unit]:
            table.refuse("every", "must be at least as long as the window, which would overlap")
    if table.has("times"):
        times = table.whole("times", 1, _MOST_TIMES)
        if every is None:
            table.refuse("times", "has no meaning without every")
    every_doses = 1
    if table.has("every_doses"):
        every_doses = table.whole("every_doses", 1, _MOST_DOSES)
        if anchor is not Anchor.DOSE:
            table.refuse("every_doses", "only has a meaning with the anchor dose")
    point = TimePoint(
        key=table.slug("key"),
        label=table.text("label", 120),
        anchor=anchor,
        instruments=_instruments(table, anchor, window, recall_days),
        window=window,
        every=every,
        times=times,
        every_doses=every_doses,
        source=table.text("source", 1000),
        convention=table.truth("convention"),
    )
    table.close()
    return point


def _anchor(table: _Table) -> Anchor:
    anchors = tuple(Anchor)
    value = table.take("anchor")
    if not isinstance(value, str) or value not in anchors:
        table.refuse("anchor", "must be one of: " + ", ".join(anchors))
        return Anchor.DOSE
    return Anchor(value)


def _window(table: _Table, anchor: Anchor) -> tuple[Window, int]:
    """The window, and how many minutes long it is."""
    unit: Literal["hours", "days"] = "days" if table.has("days") else "hours"
    if table.has("hours") and unit == "days":
        table.refuse("hours", "cannot stand beside days")
    low, high = 0, _FURTHEST[unit]
    if anchor is Anchor.PLANNED_SESSION:
        low, high = -high, 0
    opens, due, expires = table.wholes(unit, low, high)
    at_local = None
    if table.has("at_local"):
        at_local = table.clock_times("at_local")
        if unit == "hours":
            table.refuse("at_local", "only has a meaning with days")
    window = Window(unit, opens, due, expires, at_local)
    first, middle, last = _minutes(window)
    if first > middle:
        table.refuse(f"{unit}/1", "must not be due before it opens")
    if middle > last:
        table.refuse(f"{unit}/2", "must not expire before it is due")
    if first == last:
        table.refuse(unit, "must not expire as it opens")
    return window, last - first


def _minutes(window: Window) -> list[int]:
    """Opening, due and end in minutes on the clock, a day having 24 hours."""
    offsets = (window.opens, window.due, window.expires)
    clocks = window.at_local or (time(),) * 3
    return [
        offset * _MINUTES[window.unit] + clock.hour * 60 + clock.minute
        for offset, clock in zip(offsets, clocks, strict=True)
    ]


def _instruments(
    table: _Table, anchor: Anchor, window: Window, recall_days: Mapping[str, int]
) -> tuple[str, ...]:
    is_too_early = anchor in _AFTER_A_DOSE and _minutes(window)[2] <= NO_LONG_RECALL_HOURS * 60
    instruments: list[str] = []
    for place, value in enumerate(table.entries("instruments", _MOST_INSTRUMENTS)):
        where = f"instruments/{place}"
        if not isinstance(value, str) or value not in recall_days:
            table.refuse(where, "is not a known instrument")
        elif value in instruments:
            table.refuse(where, "is in this list already")
        elif is_too_early and recall_days[value] >= LONG_RECALL_DAYS:
            table.refuse(
                where,
                f"asks about {LONG_RECALL_DAYS} days or more, which says nothing about"
                f" the first {NO_LONG_RECALL_HOURS} hours after a dose",
            )
        else:
            instruments.append(value)
    return tuple(instruments)
