"""What lies behind the scores: their axis, the bands they move through, the lines that matter."""

from typing import Final, NamedTuple

from app.trends.charts.look import Clock, Palette, Span, Spec, plain
from app.trends.charts.records import Course

LEFT: Final = 50
"""Pixels for the axis of scores."""
RIGHT: Final = 72
"""Pixels for the names of bands."""


class Plot(NamedTuple):
    """Where things go. shown: the axis of time. width, height: of the plot alone, in pixels."""

    shown: Span
    width: float
    height: float
    clock: Clock
    colours: Palette


def score_axis(course: Course, height: float) -> Spec:
    """The y channel of a mark that stands at `score`."""
    return {
        "field": "score",
        "type": "quantitative",
        "scale": {"domain": [course.minimum, course.maximum], "nice": False},
        "axis": {
            "title": f"{course.label}, points ({plain(course.minimum)}-{plain(course.maximum)})",
            "values": _ticks(course),
            "grid": not course.bands,
            "minExtent": 30,
            "maxExtent": 30,
            "titleLimit": height,
        },
    }


def band_layers(course: Course, plot: Plot, y: Spec) -> list[Spec]:
    """The named ranges, darker where worse, and their names beside them. y: as `score_axis`."""
    if not course.bands:
        return []
    tops = [*(band.low for band in course.bands[1:]), course.maximum]
    count = len(course.bands)
    is_worse_above = course.direction != "higher-is-better"
    values = []
    for number, (band, top) in enumerate(zip(course.bands, tops, strict=True)):
        room = (top - band.low) * plot.height / (course.maximum - course.minimum)
        worse = number if is_worse_above else count - 1 - number
        values.append(
            {
                "low": band.low,
                "top": top,
                "middle": (band.low + top) / 2,
                "name": band.label.replace(" ", "\n", int(room / 11) - 1 if room >= 22 else 0),
                "shade": round(0.03 + 0.21 * worse / max(1, count - 1), 3),
            }
        )
    rects: Spec = {
        "data": {"values": values},
        "mark": {"type": "rect", "color": plot.colours.band, "aria": False},
        "encoding": {
            "x": {"value": 0},
            "x2": {"value": plot.width},
            "y": {**y, "field": "low"},
            "y2": {"field": "top"},
            "opacity": {"field": "shade", "type": "quantitative", "scale": None, "legend": None},
        },
    }
    # No taller than its band: a name that has no room is told by the axis alone.
    names: Spec = {
        "data": {"values": values},
        "mark": {
            "type": "text",
            "align": "left",
            "baseline": "middle",
            "fontSize": 10,
            "lineBreak": "\n",
            "lineHeight": 11,
            "limit": RIGHT - 6,
            "color": plot.colours.soft,
            "aria": False,
        },
        "encoding": {
            "x": {"value": plot.width + 6},
            "y": {**y, "field": "middle"},
            "text": {"field": "name"},
        },
    }
    return [rects, names]


def line_layers(course: Course, plot: Plot, y: Spec) -> list[Spec]:
    """Baseline, response and remission: each its own dashes and its own words."""
    found: list[tuple[str, float, list[int], str]] = []
    if course.baseline is not None and course.baseline.score is not None:
        score = course.baseline.score
        found.append((f"baseline {plain(score)}", score, [1, 0], plot.colours.soft))
    dashes = ([6, 3], [2, 2], [8, 2, 2, 2])
    for line, dash in zip(course.lines, dashes, strict=False):
        found.append((line.label, line.score, list(dash), plot.colours.goal))
    found = [one for one in found if course.minimum <= one[1] <= course.maximum]
    points_a_pixel = (course.maximum - course.minimum) / plot.height
    latest = next((one.score for one in reversed(course.points) if one.score is not None), None)
    # Words that would lie on each other are set side by side.
    taken: list[tuple[float, float]] = []
    layered: list[Spec] = []
    for words, score, dash, colour in sorted(found, key=lambda one: -one[1]):
        start = 4.0
        is_baseline = colour == plot.colours.soft
        for other, end in taken:
            if abs(other - score) / points_a_pixel < 13 and not is_baseline:
                start = max(start, end + 12)
        if not is_baseline:
            taken.append((score, start + 5.5 * len(words)))
        is_below = (course.maximum - score) / points_a_pixel < 12
        if is_baseline and latest is not None and score > course.minimum + 12 * points_a_pixel:
            # On the other side of its line than the newest score, which is at the same edge.
            is_below = is_below or latest >= score
        layered.append(
            {
                "data": {"values": [{"score": score}]},
                "mark": {"type": "rule", "color": colour, "strokeDash": dash, "aria": False},
                "encoding": {"x": {"value": 0}, "x2": {"value": plot.width}, "y": y},
            }
        )
        layered.append(
            {
                "data": {"values": [{"score": score, "words": words}]},
                "mark": {
                    "type": "text",
                    # Where the latest scores have usually left it.
                    "align": "right" if is_baseline else "left",
                    "baseline": "top" if is_below else "bottom",
                    "dy": 3 if is_below else -2,
                    "fontSize": 10,
                    "color": colour,
                    "aria": False,
                },
                "encoding": {
                    "x": {"value": plot.width - 4 if is_baseline else start},
                    "y": y,
                    "text": {"field": "words"},
                },
            }
        )
    return layered


def named(course: Course, score: float) -> str:
    """The band of a score, in brackets; nothing where there are no bands."""
    for band in course.bands:
        if score <= band.high:
            return f" ({band.label})"
    return ""


def _ticks(course: Course) -> list[float]:
    """Where one band ends and the next begins, or even steps."""
    if course.bands:
        return [*(band.low for band in course.bands), course.maximum]
    length = course.maximum - course.minimum
    step = next((one for one in (1, 2, 5, 10, 20, 25, 50, 100) if length / one <= 6), length / 5)
    count = int(length / step)
    return [course.minimum + step * number for number in range(count + 1)]
