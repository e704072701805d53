"""One scale measured from each dose: all doses laid over each other at t = 0."""

from typing import Final

from app.trends.charts.look import Spec, below, counted, dressed, palette, plain
from app.trends.charts.records import SCREEN, Course, Frame
from app.trends.charts.scale import LEFT

_HEIGHT: Final = 200
_RIGHT: Final = 54
_HOURS: Final = (0, 4, 24, 72, 168)
# Source: an effect is reported at these times (Han et al. 2016, Neuropsychiatr Dis Treat
# 12:2859-2867; Coyle & Laws 2015, Hum Psychopharmacol 30:152-163).
_WORDS: Final = "datum.value < 48 ? datum.value + ' h' : datum.value / 24 + ' d'"


def chart(course: Course, frame: Frame = SCREEN) -> Spec:
    """Hours since the last dose, on an axis that gives the first ones room; the latest dose stands
    out. Of a scale that looks back over days the first hours are not shown as a change.
    """
    colours = palette(frame)
    width = frame.width - LEFT - _RIGHT
    last = max((one.dose_number for one in course.points), default=0)
    rows: list[Spec] = [
        {
            "hours": one.hours_since_dose,
            "score": one.score,
            "dose": one.dose_number,
            "is_latest": one.dose_number == last,
            "name": f"dose {one.dose_number}",
        }
        for one in course.points
        if one.score is not None and one.hours_since_dose is not None
    ]
    longest = max((float(row["hours"]) for row in rows), default=0.0)
    ticks = [hours for hours in _HOURS if hours < longest * 1.3 or hours <= 24]
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
    layers: list[Spec] = []
    for some, colour, thick, dots, shape in (
        (earlier, colours.soft, 1, 16, "circle"),
        (latest, colours.score, 2.5, 60, "diamond"),
    ):
        encoding = {"x": x, "y": y, "detail": {"field": "dose", "type": "nominal"}}
        line = {"type": "line", "color": colour, "strokeWidth": thick, "aria": False}
        if some is earlier:
            line["opacity"] = 0.55
        mark = {"type": "point", "filled": True, "color": colour, "size": dots, "shape": shape}
        layers.append({"data": {"values": some}, "mark": line, "encoding": encoding})
        layers.append(
            {
                "data": {"values": some},
                "mark": {**mark, "opacity": 0.8 if some is earlier else 1},
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
    layers = [one for one in layers if one["data"]["values"]]
    words = course.caveat
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
    return dressed(frame, title, said, f"{title}: {said}. {words}", inside)
