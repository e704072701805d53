"""Suicidal thoughts over time: each answer as it was given, source by source.

An answer is a word and no number, so nothing is added up, averaged or drawn between two of them:
what somebody thought in between was not asked. Different questions are never joined.
"""

from collections.abc import Sequence
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
    span,
    time_axis,
)
from app.trends.charts.records import SCREEN, Frame, Ideation, Source

_ROW: Final = 26
_LOW_ROW: Final = 18
_NOTHING: Final = "No answer yet."
_LEFT: Final = 138
_LEFT_WHERE_WIDE: Final = 176


def chart(ideation: Ideation, frame: Frame = SCREEN) -> Spec:
    """One panel for each source, on the same days."""
    own = clock(ideation.time_zone)
    left = _LEFT if frame.width < 480 else _LEFT_WHERE_WIDE
    width = frame.width - left - 14
    answered = [own.of(at) for source in ideation.sources for at, _ in source.answered]
    doses = [own.of(at) for at in ideation.doses]
    days = Days(span(answered or doses, width), width, left, own, doses)
    last = len(ideation.sources) - 1
    panels = [
        panel(
            source,
            days,
            frame,
            is_numbered=number == 0,
            words=ideation.caveat if number == last else None,
        )
        for number, source in enumerate(ideation.sources)
    ]
    if not panels:
        panels = [_nothing(ideation.caveat, days, frame)]
    inside: Spec = {"vconcat": panels, "spacing": 16}
    told = " ".join(told_of(source, own) for source in ideation.sources) or _NOTHING
    said = "As answered. Nothing is known of the days between two answers."
    return dressed(frame, "Suicidal thoughts", said, f"{told} {ideation.caveat}", inside, offset=10)


class Days(NamedTuple):
    """The axis that panels share. left: pixels before it. doses: milliseconds, as `shown`."""

    shown: Span
    width: float
    left: float
    clock: Clock
    doses: Sequence[int]


def panel(
    source: Source, days: Days, frame: Frame, *, is_numbered: bool, words: str | None
) -> Spec:
    """One source. is_numbered: doses have their numbers. words: below it, if it is the last.

    Where there is no room for what the answers say, they are numbers, and the heading explains.
    """
    colours = palette(frame)
    shown, width, left = days.shown, days.width, days.left
    has_room = left >= _LEFT
    said = {
        answer: f"{answer} {word}" if has_room else f"{answer}" for answer, word in source.words
    }
    order = list(reversed(said.values()))
    height = (_ROW if has_room else _LOW_ROW) * len(order)
    y = {
        "field": "word",
        "type": "ordinal",
        "scale": {"domain": order},
        "axis": {
            "title": None,
            "grid": True,
            "labelLimit": left - 12,
            "minExtent": left - 8 if has_room else 30,
            "maxExtent": left - 8 if has_room else 30,
        },
    }
    rows: list[Spec] = [
        {
            "t": days.clock.of(at),
            # Two answers of the same words stay two.
            "word": said.get(answer, f"{answer}"),
            "least": order[-1],
            "answer": answer,
            "is_raised": answer > source.words[0][0],
        }
        for at, answer in source.answered
        if answer is not None
    ]
    left_out: list[Spec] = [
        {"t": days.clock.of(at)} for at, answer in source.answered if answer is None
    ]
    axis = time_axis(shown, width, f"Day ({days.clock.name})")
    if words is None:
        axis["axis"] = {**axis["axis"], "labels": False, "title": None}
    layers = [
        # Even an empty panel keeps its words.
        {
            "data": {"values": [{"word": one} for one in order]},
            "mark": {"type": "point", "opacity": 0, "aria": False},
            "encoding": {"x": {"value": 0}, "y": y},
        },
        *dose_layers(days.doses, shown, width, colours, is_numbered=is_numbered),
        *_answers(rows, shown, y, colours),
    ]
    if left_out:
        layers.append(_left_out(left_out, shown, height, colours))
    if words is not None:
        explained = (
            "Dotted lines: doses. Raised answers are filled and stand on a line to the foot; +"
            f" left out. {words}"
        )
        layers.append(below(explained, frame, colours, left, height + 44))
    title = source.title
    if not has_room:
        title += f" ({', '.join(f'{answer} {word}' for answer, word in source.words)})"
    return {
        "title": heading(title, frame, left, 24 if is_numbered and days.doses else 6),
        "width": width,
        "height": height,
        "layer": layers,
        "encoding": {"x": axis},
    }


def _nothing(caveat: str, days: Days, frame: Frame) -> Spec:
    """A panel that says that there is no answer."""
    colours = palette(frame)
    return {
        "width": days.width,
        "height": _ROW,
        "layer": [
            {
                "data": {"values": [{}]},
                "mark": {"type": "text", "text": _NOTHING, "fontSize": 12, "color": colours.ink},
                "encoding": {"x": {"value": days.width / 2}, "y": {"value": _ROW / 2}},
            },
            below(caveat, frame, colours, days.left, _ROW + 14),
        ],
    }


def _left_out(rows: list[Spec], shown: Span, height: float, colours: Palette) -> Spec:
    return {
        "data": {"values": rows},
        "mark": {
            "type": "point",
            "shape": "cross",
            "filled": True,
            "size": 40,
            "color": colours.soft,
        },
        "encoding": {
            "x": moment(shown),
            "y": {"value": height - 4},
            "tooltip": {"value": "Left out"},
        },
    }


def _answers(rows: list[Spec], shown: Span, y: Spec, colours: Palette) -> list[Spec]:
    raised = [row for row in rows if row["is_raised"]]
    lowest = [row for row in rows if not row["is_raised"]]
    told = [
        {"field": "t", "type": "temporal", "title": "When", "format": "%Y-%m-%d %H:%M"},
        {"field": "word", "title": "Answer"},
    ]
    x = moment(shown)
    stems: Spec = {
        "data": {"values": raised},
        "mark": {"type": "rule", "color": colours.danger, "strokeWidth": 1.5, "aria": False},
        "encoding": {"x": x, "y": y, "y2": {"field": "least"}},
    }
    heads: Spec = {
        "data": {"values": raised},
        "mark": {
            "type": "point",
            "shape": "diamond",
            "filled": True,
            "size": 90,
            "opacity": 1,
            "color": colours.danger,
        },
        "encoding": {"x": x, "y": y, "tooltip": told},
    }
    rings: Spec = {
        "data": {"values": lowest},
        "mark": {
            "type": "point",
            "shape": "circle",
            "filled": False,
            "size": 50,
            "opacity": 1,
            "color": colours.score,
            "strokeWidth": 1.5,
        },
        "encoding": {"x": x, "y": y, "tooltip": told},
    }
    return [one for one in (stems, heads, rings) if one["data"]["values"]]


def told_of(source: Source, own: Clock) -> str:
    """How often it was answered, and what was answered last, in words."""
    given = [(at, answer) for at, answer in source.answered if answer is not None]
    if not given:
        return f"{source.title}: never answered."
    words = dict(source.words)
    at, answer = given[-1]
    return (
        f"{source.title}: {counted(len(given), 'answer')}, the latest on {own.day(at)}:"
        f" {words.get(answer, str(answer))}."
    )
