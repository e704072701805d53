"""One scale measured from each dose: all doses laid over each other at t = 0."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from app.trends.charts.course import SPANNING
from app.trends.charts.look import (
    Palette,
    Span,
    Spec,
    below,
    clock,
    counted,
    dressed,
    palette,
    plain,
)
from app.trends.charts.records import SCREEN, YEAR, Course, Faded, Frame, Point
from app.trends.charts.scale import LEFT, Plot, line_layers

_HEIGHT: Final = 200
_RIGHT: Final = 54
_HOURS: Final = (0, 4, 24, 72, 168)
# Source: an effect is reported at these times (Han et al. 2016, Neuropsychiatr Dis Treat
# 12:2859-2867; Coyle & Laws 2015, Hum Psychopharmacol 30:152-163).
_FADED: Final = (
    "Cross: half of the gain on the baseline was gone. Triangle above the last score: it was not"
    " gone when the looking ended (our convention)."
)
_WORDS: Final = "datum.value < 48 ? datum.value + ' h' : datum.value / 24 + ' d'"


def chart(course: Course, frame: Frame = SCREEN, faded: Sequence[Faded] = ()) -> Spec:
    """Hours since the last dose, on an axis that gives the first ones room; the latest dose stands
    out. Of a scale that looks back over days the first hours are not shown as a change.

    faded: how long the gains lasted, where that is known.
    """
    colours = palette(frame)
    width = frame.width - LEFT - _RIGHT
    rows = _rows(course.points)
    hours = [*(float(row["hours"]) for row in rows), *(one.hours for one in faded)]
    longest = max(hours, default=0.0)
    ticks = [one for one in _HOURS if one < longest * 1.3 or one <= 24]
    while ticks[-1] >= 168 and ticks[-1] * 2 < longest * 1.3:
        ticks.append(ticks[-1] * 2)
    if longest > 400 and width < 400:
        ticks = [one for one in ticks if one not in (4, 72)]
    x = {
        "field": "hours",
        "type": "quantitative",
        "scale": {
            "type": "pow",
            "exponent": 0.5,
            "domain": [0, max(ticks[-1], longest)],
            "nice": False,
        },
        "axis": {
            "values": ticks,
            "labelExpr": _WORDS,
            "title": "Since the last dose",
            "grid": True,
            "labelOverlap": "greedy",
        },
    }
    y = {
        "field": "score",
        "type": "quantitative",
        "scale": {"domain": [course.minimum, course.maximum], "nice": False},
        "axis": {
            "title": f"{course.label}, points ({plain(course.minimum)}-{plain(course.maximum)})",
            "titleLimit": _HEIGHT,
            "grid": False,
            "minExtent": 30,
            "maxExtent": 30,
            "tickCount": 5,
        },
    }
    told = [
        {"field": "name", "title": "Dose"},
        {"field": "hours", "title": "Hours since", "format": ".1f"},
        {"field": "score", "title": "Score"},
    ]
    earlier = [row for row in rows if not row["is_latest"]]
    latest = [row for row in rows if row["is_latest"]]
    plot = Plot(Span(0, 1), width, _HEIGHT, clock(course.time_zone), colours)
    layers: list[Spec] = line_layers(course, plot, y)
    for some, colour, thick, dots, shape in (
        (earlier, colours.soft, 1, 16, "circle"),
        (latest, colours.score, 2.5, 60, "diamond"),
    ):
        encoding = {"x": x, "y": y, "detail": {"field": "stretch", "type": "nominal"}}
        line = {"type": "line", "color": colour, "strokeWidth": thick, "aria": False}
        if some is earlier:
            line["opacity"] = 0.55
        mark = {"type": "point", "filled": True, "color": colour, "size": dots, "shape": shape}
        layers.append({"data": {"values": some}, "mark": line, "encoding": encoding})
        for spans in (False, True):
            dot = {**mark, "opacity": 0.8 if some is earlier else 1}
            layers.append(
                {
                    "data": {"values": [row for row in some if row["spans"] is spans]},
                    "mark": {**dot, "filled": False, "strokeWidth": 1.5} if spans else dot,
                    "encoding": {**encoding, "tooltip": told},
                }
            )
    ends = latest[-1:]
    layers.append(
        {
            "data": {"values": ends},
            "mark": {
                "type": "text",
                "align": "left",
                "dx": 8,
                "fontSize": 11,
                "fontWeight": 600,
                "color": colours.score,
            },
            "encoding": {"x": x, "y": y, "text": {"field": "name"}},
        }
    )
    layers += _ends(faded, x, y, colours)
    if not rows:
        layers.append(_nothing(width, colours))
    layers = [one for one in layers if one["data"]["values"]]
    words = course.caveat
    if faded:
        words = f"{_FADED} {words}"
    if any(row["spans"] for row in rows):
        words = f"{SPANNING} {words}"
    if not course.measures_hours:
        words = (
            f"{course.label} asks about a longer time than has passed: it cannot show the first"
            f" hours after a dose. {words}"
        )
    layers.append(below(words, frame, colours, LEFT, _HEIGHT + 44))
    doses = len({row["dose"] for row in rows})
    said = f"{counted(doses, 'dose')} with {counted(len(rows), 'score')} after them"
    inside: Spec = {"width": width, "height": _HEIGHT, "layer": layers}
    title = f"{course.title}, from each dose"
    lasted = [_told(one) for one in faded]
    told_in_words = " ".join([f"{title}: {said}.", *lasted, words])
    return dressed(frame, title, said, told_in_words, inside)


def _rows(points: Sequence[Point]) -> list[Spec]:
    """What came after a dose. An incomplete answer ends a stretch, as the next dose does, or a year
    of silence.
    """
    last = max((one.dose_number for one in points), default=0)
    rows: list[Spec] = []
    stretch, before = 0, 0
    last_at: datetime | None = None
    for one in points:
        is_long_after = last_at is not None and one.at - last_at > YEAR
        if one.dose_number != before or one.score is None or is_long_after:
            stretch, before = stretch + 1, one.dose_number
        last_at = one.at
        if one.score is None or one.hours_since_dose is None:
            continue
        rows.append(
            {
                "hours": one.hours_since_dose,
                "score": one.score,
                "dose": one.dose_number,
                "stretch": stretch,
                "spans": one.spans_dose,
                "is_latest": one.dose_number == last,
                "name": f"dose {one.dose_number}",
            }
        )
    return rows


def _ends(faded: Sequence[Faded], x: Spec, y: Spec, colours: Palette) -> list[Spec]:
    """Marks where half of a gain was gone, and where the looking ended before that."""
    found: list[Spec] = []
    for is_censored, shape in ((False, "cross"), (True, "triangle-right")):
        rows: list[Spec] = [
            {"hours": one.hours, "score": one.score, "name": f"dose {one.dose_number}"}
            for one in faded
            if one.is_censored == is_censored
        ]
        mark = {"type": "point", "shape": shape, "filled": True, "size": 60, "opacity": 1}
        if is_censored:
            # Above the last score, which is to be seen too.
            mark["yOffset"] = -10
        told = [
            {"field": "name", "title": "Dose"},
            {
                "field": "hours",
                "title": "Gain lasted at least, h" if is_censored else "Half of it gone, h",
                "format": ".1f",
            },
        ]
        found.append(
            {
                "data": {"values": rows},
                "mark": {**mark, "color": colours.danger if not is_censored else colours.soft},
                "encoding": {"x": x, "y": y, "tooltip": told},
            }
        )
    return found


def _nothing(width: float, colours: Palette) -> Spec:
    return {
        "data": {"values": [{}]},
        "mark": {
            "type": "text",
            "text": "No complete score after a dose yet",
            "fontSize": 12,
            "color": colours.ink,
        },
        "encoding": {"x": {"value": width / 2}, "y": {"value": _HEIGHT / 2}},
    }


def _told(one: Faded) -> str:
    when = f"{one.hours / 24:.1f} days after it"
    if one.is_censored:
        return f"Dose {one.dose_number}: more than half of the gain still there {when}."
    return f"Dose {one.dose_number}: half of the gain gone {when}."
