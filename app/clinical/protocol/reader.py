"""From what a JSON or TOML document says to a `Protocol`, or a refusal; and back.

Everything that is wrong is named at once, for whoever fills in a form. What was sent is not
repeated: a place is named by the members that a protocol may have, and by numbers.
"""

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
from app.clinical.protocol.sections import Sections
from app.clinical.protocol.sections_reader import read_sections, sections_as_dict
from app.clinical.protocol.table import Table

# Far beyond any use; they bound the work and catch a slip of the keyboard.
_MOST_POINTS: Final = 60
_MOST_INSTRUMENTS: Final = 20
_MOST_ERRORS: Final = 100
_FURTHEST: Final[dict[str, int]] = {"hours": 720, "days": 400}
_ONE_DAY: Final[dict[str, int]] = {"hours": 24, "days": 1}
_MOST_TIMES: Final = 1000
_MOST_DOSES: Final = 100
_MOST_LATE_DAYS: Final = 90

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


def read(
    content: Mapping[str, object],
    recall_days: Mapping[str, int],
    absent: Sections | None = None,
) -> Protocol:
    """Read one protocol from plain values, as JSON or TOML give them.

    recall_days: see `app.clinical.protocol.read`.
    absent: what a section is that the document leaves out; None: none may be left out.
    Raises: ProtocolRefused, naming everything that is wrong.
    """
    errors: list[tuple[str, str]] = []
    root = Table(content, "", errors)
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
        sections=read_sections(root, recall_days, absent),
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
        **sections_as_dict(protocol.sections),
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


def _point(table: Table, recall_days: Mapping[str, int]) -> TimePoint:
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


def _anchor(table: Table) -> Anchor:
    anchors = tuple(Anchor)
    value = table.take("anchor")
    if not isinstance(value, str) or value not in anchors:
        table.refuse("anchor", "must be one of: " + ", ".join(anchors))
        return Anchor.DOSE
    return Anchor(value)


def _window(table: Table, anchor: Anchor) -> tuple[Window, int]:
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
    table: Table, anchor: Anchor, window: Window, recall_days: Mapping[str, int]
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
