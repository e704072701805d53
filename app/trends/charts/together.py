"""Several scales of one person on one axis of time, one above the other."""

from collections.abc import Sequence
from typing import Final

from app.trends.charts.course import (
    KINDS,
    description,
    kinds_of,
    layers,
    spanned,
)
from app.trends.charts.look import Spec, below, clock, dressed, heading, palette, time_axis
from app.trends.charts.records import SCREEN, Course, Frame
from app.trends.charts.scale import LEFT, RIGHT, Plot

_HEIGHT: Final = 110


def chart(courses: Sequence[Course], frame: Frame = SCREEN) -> Spec:
    """Small multiples: the same days, and each scale on its own axis. At least one course.

    Scores of different scales are never drawn on one axis: their points are not the same.
    """
    colours = palette(frame)
    width = frame.width - LEFT - RIGHT
    shown = spanned(courses, width)
    own = clock(courses[0].time_zone)
    plot = Plot(shown, width, _HEIGHT, own, colours)
    kinds = [kind for kind in KINDS if any(kind in kinds_of(one) for one in courses)]
    columns = len(kinds) if width >= 90 * len(kinds) else 3
    stacked: list[Spec] = []
    for number, course in enumerate(courses):
        is_last = number == len(courses) - 1
        axis = time_axis(shown, width, f"Day ({own.name})")
        if not is_last:
            axis["axis"] = {**axis["axis"], "labels": False, "title": None}
        inside = layers(course, plot, kinds, legend_columns=columns if is_last else 0)
        if is_last:
            rows = -(-len(kinds) // columns)
            inside.append(below(course.caveat, frame, colours, LEFT, _HEIGHT + 48 + 17 * rows))
        stacked.append(
            {
                "title": heading(course.title, frame, LEFT, 27 if course.doses else 8),
                "width": width,
                "height": _HEIGHT,
                "layer": inside,
                "encoding": {"x": axis},
            }
        )
    inside_all: Spec = {
        "vconcat": stacked,
        "spacing": 10,
        "resolve": {"scale": {"y": "independent", "shape": "independent", "color": "independent"}},
    }
    told = " ".join(description(one) for one in courses)
    return dressed(frame, "On one time axis", "", told, inside_all, offset=12)
