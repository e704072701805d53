"""One scale over time: what it moved through, when doses were given, what is missing."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import Any, Final

from app.trends.charts.look import (
    SCHEMA,
    Clock,
    Palette,
    Span,
    Spec,
    bare,
    below,
    clock,
    counted,
    dose_layers,
    dressed,
    moment,
    palette,
    plain,
    span,
    time_axis,
)
from app.trends.charts.records import LINE, SCREEN, YEAR, Course, Frame, Point
from app.trends.charts.scale import (
    LEFT,
    RIGHT,
    Plot,
    band_layers,
    line_layers,
    named,
    score_axis,
)

_HEIGHT: Final = 220

# Source: our convention. No line is drawn where it would make up what was not asked.
PAUSE: Final = 3.0
"""Times the usual time between two scores: a longer one is a gap in the line."""
BROKEN: Final = (
    "The line breaks where an answer is incomplete or missing for more than"
    f" {PAUSE:g} times the usual pause, or a year (our convention)."
)
_FEW: Final = 4
"""Scores below which there is no usual time."""

SPANNING: Final = "Hollow: the answers speak of time before a dose and of time after it."

SCORE: Final = "Score"
SPANS: Final = "Spans a dose"
BASELINE: Final = "Baseline"
DOSE: Final = "Dose"
FLAG: Final = "Flag"
INCOMPLETE: Final = "Incomplete"
MISSED: Final = "Not answered"
_SHAPES: Final = {
    SCORE: "circle",
    # A ring: the inner circle runs the other way and so is left empty.
    SPANS: "M0,-1A1,1,0,1,1,0,1A1,1,0,1,1,0,-1ZM0,-.55A.55,.55,0,1,0,0,.55A.55,.55,0,1,0,0,-.55Z",
    BASELINE: "diamond",
    DOSE: "triangle-down",
    FLAG: "triangle-up",
    INCOMPLETE: "cross",
    MISSED: "square",
}

_RING: Final = 20
"""The smallest of which one sees that it is hollow."""

KINDS: Final = tuple(_SHAPES)


def chart(course: Course, frame: Frame = SCREEN) -> Spec:
    """The trajectory, to be read by itself."""
    colours = palette(frame)
    width = frame.width - LEFT - (RIGHT if course.bands else 14)
    plot = Plot(spanned([course], width), width, _HEIGHT, clock(course.time_zone), colours)
    kinds = kinds_of(course)
    columns = len(kinds) if width >= 90 * len(kinds) else 3
    rows = -(-len(kinds) // columns)
    said = f"Day ({plot.clock.name})"
    words, top = f"{course.caveat} {notes(course)}", plot.height + 48 + 17 * rows
    inside: Spec = {
        "width": plot.width,
        "height": plot.height,
        "layer": [
            *layers(course, plot, kinds, legend_columns=columns),
            *([] if frame.is_bare else [below(words, frame, colours, LEFT, top)]),
        ],
        "encoding": {"x": time_axis(plot.shown, plot.width, said)},
        "resolve": {"legend": {"shape": "shared", "color": "shared"}},
    }
    offset = 28 if course.doses else 14
    return dressed(frame, course.title, under(course), description(course), inside, offset=offset)


def notes(*courses: Course) -> str:
    """What has to be said below these of how they are drawn."""
    spans = any(SPANS in kinds_of(course) for course in courses)
    return f"{SPANNING} {BROKEN}" if spans else BROKEN


def sparkline(course: Course, frame: Frame = LINE) -> Spec:
    """The same course in the height of a line of text: the line, its gaps, and where it stands."""
    colours = palette(frame)
    own = clock(course.time_zone)
    shown = spanned([course], frame.width)
    rows = _scores(course, own)
    channels = {
        "x": {**moment(shown), "axis": None},
        "y": {
            "field": "score",
            "type": "quantitative",
            "axis": None,
            "scale": {"domain": [course.minimum, course.maximum]},
        },
    }
    line = {"type": "line", "color": colours.score, "strokeWidth": 1.5}
    dots = {"type": "circle", "color": colours.score, "opacity": 1}
    return {
        "$schema": SCHEMA,
        "description": description(course),
        "width": frame.width - 8,
        "height": 28,
        "padding": 4,
        "background": colours.paper,
        "encoding": channels,
        "layer": [
            {
                "data": {"values": [{"t": plot_at} for plot_at in map(own.of, course.doses)]},
                "mark": {
                    "type": "rule",
                    "color": colours.dose,
                    "strokeDash": [2, 2],
                    "aria": False,
                },
                "encoding": {"x": channels["x"], "y": {"value": 0}, "y2": {"value": 28}},
            },
            {
                "data": {"values": rows},
                "mark": line,
                "encoding": {"detail": {"field": "stretch", "type": "nominal"}},
            },
            {"data": {"values": rows[:-1]}, "mark": {**dots, "size": 6}},
            {"data": {"values": rows[-1:]}, "mark": {**dots, "size": 36}},
        ],
        "config": bare(colours),
    }


def spanned(courses: Sequence[Course], width: float, others: Iterable[int] = ()) -> Span:
    """An axis of time that holds everything in all of these. others: what is drawn beside them, in
    milliseconds as of a `Clock`.
    """
    instants = list(others)
    for course in courses:
        own = clock(course.time_zone)
        instants += [own.of(one.at) for one in (*course.points[:1], *course.points[-1:])]
        instants += [own.of(one.at) for one in course.flags]
        # Doses long before or after are not what is looked at, unless there is nothing else.
        if not instants:
            instants += [own.of(at) for at in course.doses]
        else:
            reach = 14 * 86_400_000
            first, last = min(instants), max(instants)
            instants += [
                at for at in map(own.of, course.doses) if first - reach <= at <= last + reach
            ]
    return span(instants, width)


def stretches(points: Sequence[Point]) -> list[int]:
    """Which unbroken stretch each point belongs to, counted from 0.

    It ends where an answer is incomplete, and where nothing was answered for longer than `PAUSE`
    times the usual, or than a year, however few scores there are.
    """
    at = [one.at for one in points if one.score is not None]
    pauses = [(later - earlier).total_seconds() for earlier, later in pairwise(at)]
    longest = YEAR.total_seconds()
    if len(at) >= _FEW:
        longest = min(longest, PAUSE * median(pauses))
    found: list[int] = []
    stretch = 0
    earlier: Point | None = None
    for one in points:
        if earlier is not None and (
            earlier.score is None
            or one.score is None
            or (one.at - earlier.at).total_seconds() > longest
        ):
            stretch += 1
        found.append(stretch)
        earlier = one
    return found


def layers(course: Course, plot: Plot, kinds: Sequence[str], *, legend_columns: int) -> list[Spec]:
    """Everything that is drawn of a course, the furthest back first. legend_columns: 0 for none."""
    y = score_axis(course, plot.height)
    looks = _looks(kinds, plot.colours, legend_columns)
    x = moment(plot.shown)
    found = [*band_layers(course, plot, y), *line_layers(course, plot, y)]
    doses = [plot.clock.of(at) for at in course.doses]
    found += dose_layers(doses, plot.shown, plot.width, plot.colours)
    rows = _scores(course, plot.clock)
    found.append(
        {
            "data": {"values": rows},
            "mark": {"type": "line", "color": plot.colours.score, "strokeWidth": 2, "aria": False},
            "encoding": {
                "x": x,
                "y": y,
                "detail": {"field": "stretch", "type": "nominal"},
            },
        }
    )
    size = 46 if len(rows) <= 60 else 12 if len(rows) <= 200 else 5
    found.append(_marked(plot, [one for one in rows if one["kind"] == SCORE], y, looks, size))
    spanning = [one for one in rows if one["kind"] == SPANS]
    found.append(_marked(plot, spanning, y, looks, max(size, _RING)))
    found.append(_marked(plot, [one for one in rows if one["kind"] == BASELINE], y, looks, 130))
    at_foot = {"value": plot.height}
    left_out = [
        {"t": plot.clock.of(one.at), "kind": INCOMPLETE}
        for one in course.points
        if one.score is None
    ]
    found.append(_marked(plot, left_out, at_foot, looks, 34, yOffset=-8))
    missed = [
        {"t": at, "kind": MISSED}
        for at in map(plot.clock.of, course.missed)
        if plot.shown.first <= at <= plot.shown.last
    ]
    found.append(_marked(plot, missed, at_foot, looks, 18, yOffset=-4))
    flags = [{"t": plot.clock.of(one.at), "kind": FLAG, "level": one.level} for one in course.flags]
    found.append(_marked(plot, flags, at_foot, looks, 90, yOffset=-22))
    inside = [{"t": at, "kind": DOSE} for at in doses if plot.shown.first <= at <= plot.shown.last]
    found.append(_marked(plot, inside, {"value": 0}, looks, 60, yOffset=-8))
    if not rows:
        found.append(nothing(plot))
    return [one for one in found if one["data"]["values"]]


def nothing(plot: Plot) -> Spec:
    """A layer that says so."""
    return {
        "data": {"values": [{}]},
        "mark": {
            "type": "text",
            "text": "No complete score yet",
            "fontSize": 12,
            "color": plot.colours.ink,
        },
        "encoding": {"x": {"value": plot.width / 2}, "y": {"value": plot.height / 2}},
    }


def description(course: Course) -> str:
    """What the chart shows, in words."""
    complete = [one for one in course.points if one.score is not None]
    own = clock(course.time_zone)
    if not complete:
        return f"{course.title}: no complete score. {course.caveat}"
    first, last = complete[0], complete[-1]
    assert last.score is not None
    words = [
        f"{course.title}, {own.day(first.at)} to {own.day(last.at)}: {under(course)}.",
        f"Latest {plain(last.score)} of {plain(course.maximum)}{named(course, last.score)}.",
    ]
    if course.baseline is not None and course.baseline.score is not None:
        words.append(
            f"Baseline {plain(course.baseline.score)}{named(course, course.baseline.score)}."
        )
    return " ".join([*words, course.caveat])


def under(course: Course) -> str:
    """How much there is, and how much is missing."""
    complete = sum(one.score is not None for one in course.points)
    told = [counted(complete, "score")]
    if left_out := len(course.points) - complete:
        told.append(f"{left_out:,} incomplete")
    if course.missed:
        told.append(f"{len(course.missed):,} not answered")
    if course.doses:
        told.append(counted(len(course.doses), "dose"))
    if course.flags:
        told.append(counted(len(course.flags), "flag"))
    way = {"lower-is-better": "lower is better", "higher-is-better": "higher is better"}
    if course.direction in way:
        told.append(way[course.direction])
    return " · ".join(told)


def kinds_of(course: Course) -> list[str]:
    """What there is to be told apart."""
    baseline = _baseline_at(course)
    drawn = {
        one.spans_dose
        for place, one in enumerate(course.points)
        if one.score is not None and place != baseline
    }
    there = {
        SCORE: False in drawn,
        SPANS: True in drawn,
        BASELINE: baseline is not None,
        DOSE: bool(course.doses),
        FLAG: bool(course.flags),
        INCOMPLETE: any(one.score is None for one in course.points),
        MISSED: bool(course.missed),
    }
    return [kind for kind, is_there in there.items() if is_there] or [SCORE]


def _baseline_at(course: Course) -> int | None:
    """Its place among the points, if it is shown."""
    if course.baseline is None:
        return None
    for place, one in enumerate(course.points):
        if one.at == course.baseline.at and one.score is not None:
            return place
    return None


def _scores(course: Course, own: Clock) -> list[Spec]:
    baseline = _baseline_at(course)
    rows = []
    for place, (one, stretch) in enumerate(
        zip(course.points, stretches(course.points), strict=True)
    ):
        if one.score is None:
            continue
        row: Spec = {
            "t": own.of(one.at),
            "score": one.score,
            "stretch": stretch,
            "kind": BASELINE if place == baseline else SPANS if one.spans_dose else SCORE,
        }
        if words := named(course, one.score):
            row["band"] = words.strip(" ()")
        if one.hours_since_dose is not None:
            row["after"] = f"{one.hours_since_dose:,.0f} h after dose {one.dose_number}"
        rows.append(row)
    return rows


def _looks(kinds: Sequence[str], colours: Palette, columns: int) -> Spec:
    """The channels by which kinds of marks differ: shape first, colour too."""
    hues = {
        SCORE: colours.score,
        SPANS: colours.score,
        BASELINE: colours.ink,
        DOSE: colours.dose,
        FLAG: colours.danger,
        INCOMPLETE: colours.soft,
        MISSED: colours.soft,
    }
    legend: Any = None
    if columns:
        legend = {
            "title": None,
            "orient": "bottom",
            "direction": "horizontal",
            "columns": columns,
            "offset": 8,
            "symbolOpacity": 1,
            "symbolStrokeWidth": 1,
        }
    hue = {"domain": list(kinds), "range": [hues[kind] for kind in kinds]}
    shape = {"domain": list(kinds), "range": [_SHAPES[kind] for kind in kinds]}
    kind = {"field": "kind", "type": "nominal"}
    return {
        "color": {**kind, "scale": hue, "legend": legend},
        "shape": {**kind, "scale": shape, "legend": legend},
    }


def _marked(plot: Plot, rows: list[Spec], y: Spec, looks: Spec, size: float, **mark: float) -> Spec:
    told = [
        {"field": "t", "type": "temporal", "title": "When", "format": "%Y-%m-%d %H:%M"},
        {"field": "kind", "title": "What"},
    ]
    for name, title in (
        ("score", "Score"),
        ("band", "Band"),
        ("after", "Position"),
        ("level", "Level"),
    ):
        if any(name in row for row in rows):
            told.append({"field": name, "title": title})
    return {
        "data": {"values": rows},
        "mark": {"type": "point", "filled": True, "opacity": 1, "size": size, **mark},
        "encoding": {"x": moment(plot.shown), "y": y, **looks, "tooltip": told},
    }
