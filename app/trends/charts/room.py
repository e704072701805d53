"""What was read in the room during one visit: blood pressure, oxygen, pulse, and states.

Each quantity has a panel of its own on one axis of the day's clock, with the doses marked and the
clinic's thresholds drawn. A monitor reads in every second: where there are more readings than
there are pixels, each stretch keeps its highest and its lowest, so that no extreme is lost.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from app.trends.charts.look import (
    Clock,
    Palette,
    Span,
    Spec,
    below,
    clock,
    counted,
    dose_layers,
    dressed,
    heading,
    moment,
    palette,
)
from app.trends.charts.records import SCREEN, Frame
from app.trends.charts.table import Table

LEFT: Final = 50
RIGHT: Final = 58
_HEIGHT: Final = 96
_AIR: Final = 5 * 60_000
"""Milliseconds before the first and after the last mark."""
_APART: Final = 30 * 60_000
"""Milliseconds: readings further apart are not joined. Our convention."""
_PARTS: Final = 60
"""Stretches of a visit of which each keeps its extremes."""
_FEW: Final = 60
"""Readings up to which each has a mark of its own; a monitor's are a line, and weigh less."""
_NOTHING: Final = "Nothing was read yet."
_SHAPES: Final = {
    "systolic": "triangle-down",
    "diastolic": "triangle-up",
    "respiration": "square",
    "dissociation": "square",
}
"""The others are circles, as the headings say."""


class Read(NamedTuple):
    """One quantity over a visit. key: of the sign. readings: (when, value), by time."""

    key: str
    label: str
    readings: Sequence[tuple[datetime, int]]


class Threshold(NamedTuple):
    """Where the clinic asks for a look: at it and beyond. is_high: above it."""

    key: str
    value: int
    is_high: bool


class Room(NamedTuple):
    """One visit. doses: when something was given. time_zone: an IANA name; the clinic's clock."""

    signs: Sequence[Read]
    thresholds: Sequence[Threshold]
    doses: Sequence[datetime]
    time_zone: str


class _Kind(NamedTuple):
    title: str
    keys: tuple[str, ...]
    domain: tuple[int, int] | None = None


_SIGNED: Final = {
    "systolic": "\N{BLACK DOWN-POINTING TRIANGLE} ",
    "diastolic": "\N{BLACK UP-POINTING TRIANGLE} ",
    "pulse": "\N{BLACK CIRCLE} ",
    "respiration": "\N{BLACK SQUARE} ",
}
_PANELS: Final = (
    _Kind(
        "Blood pressure, mm[Hg]: \N{BLACK DOWN-POINTING TRIANGLE} systolic,"
        " \N{BLACK UP-POINTING TRIANGLE} diastolic",
        ("systolic", "diastolic"),
    ),
    _Kind("Oxygen saturation, %", ("spo2",)),
    _Kind(
        "Per minute: \N{BLACK CIRCLE} heart rate, \N{BLACK SQUARE} breaths",
        ("pulse", "respiration"),
    ),
    _Kind(
        "0 to 10: \N{BLACK CIRCLE} sedation, \N{BLACK SQUARE} dissociation",
        ("sedation", "dissociation"),
        (0, 10),
    ),
)


def chart(room: Room, frame: Frame = SCREEN) -> Spec:
    """A panel for each quantity that was read, on one clock."""
    own, width = clock(room.time_zone), frame.width - LEFT - RIGHT
    signs = {one.key: one for one in room.signs if one.readings}
    doses = [own.of(at) for at in room.doses]
    instants = [own.of(at) for one in signs.values() for at, _ in one.readings] + doses
    shown = Span(min(instants, default=0) - _AIR, max(instants, default=0) + _AIR)
    kinds = [one for one in _PANELS if any(key in signs for key in one.keys)]
    if not kinds:
        inside: Spec = {"width": width, "height": 40, "layer": [_words(_NOTHING, width, frame)]}
        return dressed(frame, "Vital signs", "", _NOTHING, inside)
    panels = [
        _panel(kind, signs, room, _Drawn(own, shown, width, doses, frame), place, len(kinds))
        for place, kind in enumerate(kinds)
    ]
    inside = {
        "vconcat": panels,
        "spacing": 14,
        "resolve": {"scale": {"y": "independent", "shape": "independent"}},
    }
    said = " ".join(_said(one) for one in signs.values())
    doses_said = f"{counted(len(doses), 'dose')} marked." if doses else "No dose."
    return dressed(frame, "Vital signs", "", f"{said} {doses_said}", inside, offset=10)


def table(room: Room, most: int) -> Table:
    """Every reading, newest first, at most so many. What reached a threshold says so."""
    own = clock(room.time_zone)
    signs = [one for one in room.signs if one.readings]
    found: dict[datetime, dict[str, str]] = {}
    for sign in signs:
        for at, value in sign.readings:
            words = f"{value} (threshold)" if _is_reached(room, sign.key, value) else f"{value}"
            found.setdefault(at, {})[sign.key] = words
    rows = [
        (
            f"{at.astimezone(own.zone):%H:%M:%S}".removesuffix(":00"),
            *(found[at].get(sign.key, "") for sign in signs),
        )
        for at in sorted(found, reverse=True)[:most]
    ]
    return Table("Every reading, newest first", ("Time", *(one.label for one in signs)), rows)


def _is_reached(room: Room, key: str, value: int) -> bool:
    return any(
        value >= one.value if one.is_high else value <= one.value
        for one in room.thresholds
        if one.key == key
    )


class _Drawn(NamedTuple):
    clock: Clock
    shown: Span
    width: float
    doses: list[int]
    frame: Frame


def _panel(
    kind: _Kind, signs: dict[str, Read], room: Room, drawn: _Drawn, place: int, count: int
) -> Spec:
    colours = palette(drawn.frame)
    is_first, is_last = place == 0, place == count - 1
    is_numbered = is_first and len(drawn.doses) > 1
    here = [signs[key] for key in kind.keys if key in signs]
    limits = [one for one in room.thresholds if one.key in {sign.key for sign in here}]
    values = [value for one in here for _, value in one.readings]
    low, high = kind.domain or _domain(values, [one.value for one in limits])
    if kind.keys == ("spo2",):
        high = 100
    y: Spec = {
        "field": "value",
        "type": "quantitative",
        "scale": {"domain": [low, high], "nice": False, "zero": False},
        "axis": {"title": None, "grid": True, "tickCount": 4, "minExtent": 30, "maxExtent": 30},
    }
    layers = dose_layers(drawn.doses, drawn.shown, drawn.width, colours, is_numbered=is_numbered)
    for one in limits:
        if low <= one.value <= high:
            layers += _limit(one, y, drawn, colours)
    for sign in here:
        layers += _marks(sign, drawn, y, colours, is_second=sign.key != kind.keys[0])
    if is_last:
        words = (
            "Dotted upright lines: doses. Dashed lines: the clinic\N{RIGHT SINGLE QUOTATION MARK}s"
            " thresholds, which ask for a look. Between two readings nothing is known; those more"
            " than half an hour apart are not joined."
        )
        if any(len(one.readings) > 2 * _PARTS for one in signs.values()):
            words += " Of many readings each stretch shows its highest and its lowest."
        layers.append(below(words, drawn.frame, colours, LEFT, _HEIGHT + 44))
    return {
        "title": heading(kind.title, drawn.frame, LEFT, 24 if is_numbered else 6),
        "width": drawn.width,
        "height": _HEIGHT,
        "layer": layers,
        "encoding": {"x": _axis(drawn, has_words=is_last)},
    }


def _axis(drawn: _Drawn, *, has_words: bool) -> Spec:
    name = drawn.clock.name
    return {
        **moment(drawn.shown),
        "axis": {
            "format": "%H:%M",
            "labelOverlap": "greedy",
            "tickCount": max(2, int(drawn.width / 64)),
            "grid": False,
            "labels": has_words,
            "title": f"Time of the day ({name})" if has_words else None,
        },
    }


def _marks(sign: Read, drawn: _Drawn, y: Spec, colours: Palette, *, is_second: bool) -> list[Spec]:
    """A line where readings are near enough to each other, and points: of few readings all, of
    many those that no line goes through.
    """
    colour = colours.goal if is_second else colours.score
    rows = _rows(sign, drawn)
    lengths = Counter(one.get("stretch", 0) for one in rows)
    pointed = (
        rows if len(rows) <= _FEW else [one for one in rows if lengths[one.get("stretch", 0)] == 1]
    )
    x = moment(drawn.shown)
    line: Spec = {
        "data": {"values": rows},
        "mark": {
            "type": "line",
            "color": colour,
            "strokeWidth": 1.25,
            "opacity": 0.7,
            "aria": False,
            **({"strokeDash": [4, 2]} if is_second else {}),
        },
        "encoding": {"x": x, "y": y, "detail": {"field": "stretch", "type": "nominal"}},
    }
    points: Spec = {
        "data": {"values": pointed},
        "mark": {
            "type": "point",
            "filled": True,
            "shape": _SHAPES.get(sign.key, "circle"),
            "size": 44 if len(rows) <= 60 else 16,
            "opacity": 1,
            "color": colour,
        },
        "encoding": {
            "x": x,
            "y": y,
            "tooltip": [
                {"field": "t", "type": "temporal", "title": "When", "format": "%H:%M:%S"},
                {"field": "value", "title": sign.label},
            ],
        },
    }
    return [line, points] if pointed else [line]


def _rows(sign: Read, drawn: _Drawn) -> list[Spec]:
    read = [(drawn.clock.of(at), value) for at, value in sign.readings]
    rows: list[Spec] = []
    stretch, before = 0, None
    for at, value in _thinned(read, drawn.shown):
        if before is not None and at - before > _APART:
            stretch += 1
        before = at
        # Most visits are one stretch, and what is not said weighs nothing.
        rows.append({"t": at, "value": value} | ({"stretch": stretch} if stretch else {}))
    return rows


def _thinned(read: list[tuple[int, int]], shown: Span) -> list[tuple[int, int]]:
    """Of each stretch the lowest and the highest, by time; few are all kept."""
    if len(read) <= 2 * _PARTS:
        return read
    parts: dict[int, list[tuple[int, int]]] = {}
    for one in read:
        parts.setdefault(int(shown.at(one[0], _PARTS)), []).append(one)
    kept = {
        extreme
        for part in parts.values()
        for extreme in (min(part, key=lambda one: one[1]), max(part, key=lambda one: one[1]))
    }
    return sorted(kept)


def _limit(one: Threshold, y: Spec, drawn: _Drawn, colours: Palette) -> list[Spec]:
    """A threshold, and whose it is."""
    side = "and above" if one.is_high else "and below"
    short = "\N{GREATER-THAN OR EQUAL TO}" if one.is_high else "\N{LESS-THAN OR EQUAL TO}"
    data = {
        "values": [
            {
                "value": one.value,
                "said": f"{one.value} {side}",
                "short": f"{_SIGNED.get(one.key, '')}{short} {one.value}",
            }
        ]
    }
    line: Spec = {
        "data": data,
        "mark": {"type": "rule", "strokeDash": [6, 4], "color": colours.danger, "opacity": 0.9},
        "encoding": {
            # From edge to edge: it is of no moment, and the panel's x would take it to none.
            "x": {"value": 0},
            "x2": {"value": drawn.width},
            "y": y,
            "tooltip": {"field": "said", "title": "Threshold"},
        },
    }
    words: Spec = {
        "data": data,
        "mark": {
            "type": "text",
            # Beside the panel: two thresholds may be near each other, and readings go to the edge.
            "align": "left",
            "baseline": "middle",
            "dx": 5,
            "fontSize": 9,
            "color": colours.soft,
            "aria": False,
        },
        "encoding": {"x": {"value": drawn.width}, "y": y, "text": {"field": "short"}},
    }
    return [line, words]


def _domain(values: Sequence[int], limits: Sequence[int]) -> tuple[int, int]:
    """Around what was read; a threshold that is near is in sight."""
    low, high = min(values), max(values)
    air = max(3, (high - low) // 6)
    near = [one for one in limits if low - 4 * air <= one <= high + 4 * air]
    low, high = min([low, *near]), max([high, *near])
    return max(0, low - air), high + air


def _words(words: str, width: float, frame: Frame) -> Spec:
    return {
        "data": {"values": [{}]},
        "mark": {"type": "text", "text": words, "fontSize": 12, "color": palette(frame).ink},
        "encoding": {"x": {"value": width / 2}, "y": {"value": 20}},
    }


def _said(sign: Read) -> str:
    values = [value for _, value in sign.readings]
    return (
        f"{sign.label}: {counted(len(values), 'reading')}, from {min(values)} to {max(values)},"
        f" last {values[-1]}."
    )
