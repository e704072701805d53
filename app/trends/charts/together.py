"""Several series of one person on one axis of time, one above the other."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from app.trends.charts.course import (
    KINDS,
    SPANNING,
    SPANS,
    description,
    kinds_of,
    layers,
    spanned,
)
from app.trends.charts.ideation import Days, panel, told_of
from app.trends.charts.look import (
    Spec,
    below,
    clock,
    counted,
    dose_layers,
    dressed,
    heading,
    moment,
    palette,
    time_axis,
)
from app.trends.charts.records import SCREEN, Around, Course, Frame, Source, Together
from app.trends.charts.scale import LEFT, RIGHT, Plot

_HEIGHT: Final = 110
_ROW: Final = 16
_NOTHING: Final = "Nothing was answered yet."


def chart(together: Together, frame: Frame = SCREEN) -> Spec:
    """Small multiples: the same days, and each series on its own axis.

    Scores of different scales are never drawn on one axis: their points are not the same.
    """
    width = frame.width - LEFT - RIGHT
    own = clock(together.time_zone)
    courses = [one for one in together.panels if isinstance(one, Course)]
    sources = [one for one in together.panels if isinstance(one, Source)]
    plot = Plot(
        spanned(courses, width, map(own.of, _instants(sources, together.around))),
        width,
        _HEIGHT,
        own,
        palette(frame),
    )
    days = Days(plot.shown, width, LEFT, own, [own.of(at) for at in together.doses])
    kinds = [kind for kind in KINDS if any(kind in kinds_of(one) for one in courses)]
    said_below = f"{SPANNING} {together.caveat}" if SPANS in kinds else together.caveat
    stacked = [*_happened(together.around, days, frame)]
    for number, course in enumerate(courses, 1):
        is_last = number == len(courses)
        words = said_below if is_last and not sources else None
        stacked.append(_course(course, plot, kinds if is_last else [], kinds, frame, words))
    for number, source in enumerate(sources, 1):
        words = said_below if number == len(sources) else None
        stacked.append(panel(source, days, frame, is_numbered=not courses, words=words))
    if not together.panels:
        stacked.append(_nothing(plot, frame, together.caveat))
    inside: Spec = {
        "vconcat": stacked,
        "spacing": 10,
        "resolve": {"scale": {"y": "independent", "shape": "independent", "color": "independent"}},
    }
    told = [
        _told(together.around),
        *(description(one) for one in courses),
        *(told_of(one, own) for one in sources),
    ]
    said = " ".join(told) if together.panels else f"{told[0]} {_NOTHING} {together.caveat}"
    return dressed(frame, "On one time axis", "", said, inside, offset=12)


def _instants(sources: Sequence[Source], around: Around) -> list[datetime]:
    answered = [at for source in sources for at, _ in source.answered]
    flagged = [one.at for one in around.flags]
    return [*answered, *flagged, *around.notes, *around.goals]


def _course(
    course: Course,
    plot: Plot,
    named: Sequence[str],
    kinds: Sequence[str],
    frame: Frame,
    words: str | None,
) -> Spec:
    """One scale. named: what its legend explains. words: below it, if it is the last panel."""
    columns = len(kinds) if plot.width >= 90 * len(kinds) else 3
    axis = time_axis(plot.shown, plot.width, f"Day ({plot.clock.name})")
    if words is None:
        axis["axis"] = {**axis["axis"], "labels": False, "title": None}
    inside = layers(course, plot, kinds, legend_columns=columns if named else 0)
    if words is not None:
        rows = -(-len(kinds) // columns)
        inside.append(below(words, frame, plot.colours, LEFT, _HEIGHT + 48 + 17 * rows))
    return {
        "title": heading(course.title, frame, LEFT, 27 if course.doses else 8),
        "width": plot.width,
        "height": _HEIGHT,
        "layer": inside,
        "encoding": {"x": axis},
    }


def _happened(around: Around, days: Days, frame: Frame) -> list[Spec]:
    """A strip of what happened, a row for each kind that did; nothing, if nothing did."""
    colours = palette(frame)
    own = days.clock
    flags = [{"t": own.of(one.at), "kind": "flag", "level": one.level} for one in around.flags]
    notes = [{"t": own.of(at), "kind": "note"} for at in around.notes]
    goals = [{"t": own.of(at), "kind": "goal set"} for at in around.goals]
    rows = [
        ("flag", flags, "triangle-up", colours.danger, 80),
        ("note", notes, "square", colours.soft, 45),
        ("goal set", goals, "diamond", colours.goal, 60),
    ]
    rows = [one for one in rows if one[1]]
    if not rows:
        return []
    y = {
        "field": "kind",
        "type": "ordinal",
        "scale": {"domain": [one[0] for one in rows]},
        "axis": {"title": None, "grid": True, "minExtent": 30, "maxExtent": 30, "labelLimit": 42},
    }
    axis = time_axis(days.shown, days.width, "")
    axis["axis"] = {**axis["axis"], "labels": False, "title": None, "ticks": False}
    marks: list[Spec] = [
        {
            "data": {"values": values},
            "mark": {
                "type": "point",
                "filled": True,
                "shape": shape,
                "size": size,
                "color": colour,
                "opacity": 0.9,
            },
            "encoding": {
                "x": moment(days.shown),
                "y": y,
                "tooltip": [
                    {"field": "kind", "title": "What"},
                    {
                        "field": "t",
                        "type": "temporal",
                        "title": "When",
                        "format": "%Y-%m-%d %H:%M",
                    },
                    *([{"field": "level", "title": "Level"}] if name == "flag" else ()),
                ],
            },
        }
        for name, values, shape, colour, size in rows
    ]
    return [
        {
            "title": heading("What happened", frame, LEFT, 6),
            "width": days.width,
            "height": _ROW * len(rows),
            "layer": [
                *dose_layers(days.doses, days.shown, days.width, colours, is_numbered=False),
                *marks,
            ],
            "encoding": {"x": axis},
        }
    ]


def _nothing(plot: Plot, frame: Frame, caveat: str) -> Spec:
    return {
        "width": plot.width,
        "height": 3 * _ROW,
        "layer": [
            {
                "data": {"values": [{}]},
                "mark": {
                    "type": "text",
                    "text": _NOTHING,
                    "fontSize": 12,
                    "color": plot.colours.ink,
                },
                "encoding": {"x": {"value": plot.width / 2}, "y": {"value": 1.5 * _ROW}},
            },
            below(caveat, frame, plot.colours, LEFT, 3 * _ROW + 8),
        ],
    }


def _told(around: Around) -> str:
    counts = ((around.flags, "flag"), (around.notes, "note"), (around.goals, "goal"))
    told = [counted(len(some), one) for some, one in counts if some]
    return f"Marked: {', '.join(told)}." if told else ""
