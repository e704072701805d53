"""Suicidal thoughts over time: each answer as it was given, source by source.

An answer is a word and no number, so nothing is added up, averaged or drawn between two of them:
what somebody thought in between was not asked. Different questions are never joined.
"""

from typing import Final

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
_LEFT: Final = 128
_LEFT_WHERE_WIDE: Final = 176


def chart(ideation: Ideation, frame: Frame = SCREEN) -> Spec:
    """One panel for each source, on the same days."""
    own = clock(ideation.time_zone)
    left = _LEFT if frame.width < 480 else _LEFT_WHERE_WIDE
    width = frame.width - left - 14
    answered = [own.of(at) for source in ideation.sources for at, _ in source.answered]
    doses = [own.of(at) for at in ideation.doses]
    shown = span(answered or doses, width)
    panels = [
        _panel(source, number, ideation, own, shown, width, frame)
        for number, source in enumerate(ideation.sources)
    ]
    inside: Spec = {"vconcat": panels, "spacing": 16}
    told = " ".join(_told(source, own) for source in ideation.sources)
    said = "As answered. Nothing is known of the days between two answers."
    return dressed(frame, "Suicidal thoughts", said, f"{told} {ideation.caveat}", inside, offset=10)


def _panel(
    source: Source,
    number: int,
    ideation: Ideation,
    own: Clock,
    shown: Span,
    width: float,
    frame: Frame,
) -> Spec:
    colours = palette(frame)
    left = frame.width - width - 14
    is_last = number == len(ideation.sources) - 1
    words = dict(source.words)
    order = [_short(words[answer], answer) for answer, _ in reversed(source.words)]
    least = source.words[0][0]
    height = _ROW * len(order)
    y = {
        "field": "word",
        "type": "ordinal",
        "scale": {"domain": order},
        "axis": {
            "title": None,
            "grid": True,
            "labelLimit": left - 14,
            "minExtent": left - 8,
            "maxExtent": left - 8,
        },
    }
    rows: list[Spec] = [
        {
            "t": own.of(at),
            "word": _short(words.get(answer, str(answer)), answer),
            "least": order[-1],
            "answer": answer,
            "is_raised": answer > least,
        }
        for at, answer in source.answered
        if answer is not None
    ]
    left_out: list[Spec] = [{"t": own.of(at)} for at, answer in source.answered if answer is None]
    axis = time_axis(shown, width, f"Day ({own.name})")
    if not is_last:
        axis["axis"] = {**axis["axis"], "labels": False, "title": None}
    layers = [
        *dose_layers(
            [own.of(at) for at in ideation.doses], shown, width, colours, is_numbered=number == 0
        ),
        *_answers(rows, shown, y, colours),
    ]
    if left_out:
        layers.append(
            {
                "data": {"values": left_out},
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
        )
    if is_last:
        words_below = (
            "Dotted lines: doses. Raised answers are filled and stand on a line to the foot; +"
            f" left out. {ideation.caveat}"
        )
        layers.append(below(words_below, frame, colours, left, height + 44))
    # Even an empty panel keeps its words.
    layers.insert(
        0,
        {
            "data": {"values": [{"word": one} for one in order]},
            "mark": {"type": "point", "opacity": 0, "aria": False},
            "encoding": {"x": {"value": 0}, "y": y},
        },
    )
    return {
        "title": heading(source.title, frame, left, 24 if number == 0 and ideation.doses else 6),
        "width": width,
        "height": height,
        "layer": layers,
        "encoding": {"x": axis},
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


def _short(word: str, answer: int) -> str:
    """The answer and its words; two answers of the same words stay two."""
    return f"{answer} {word}"


def _told(source: Source, own: Clock) -> str:
    given = [(at, answer) for at, answer in source.answered if answer is not None]
    if not given:
        return f"{source.title}: never answered."
    words = dict(source.words)
    at, answer = given[-1]
    return (
        f"{source.title}: {counted(len(given), 'answer')}, the latest on {own.day(at)}:"
        f" {words.get(answer, str(answer))}."
    )
