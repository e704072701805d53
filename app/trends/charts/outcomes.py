"""Outcomes of a clinic: how long something lasts, and how many reach it by visit."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from app.trends.charts.look import Palette, Spec, below, dressed, palette
from app.trends.charts.records import SCREEN, Frame, Outcome, Rate, Survival

_LEFT: Final = 50
_HEIGHT: Final = 220
_TOLD: Final = {"0": "nobody", "*": "not told"}
_PLUS: Final = "M-1,0L1,0M0,-1L0,1"
_SOLID: Final = {"opacity": 1, "strokeWidth": 1.8, "aria": False}
_LOST: Final = [
    {"field": "day", "title": "By day"},
    {"field": "lost", "title": "Lost sight of since the day before"},
]
_SHAPES: Final = ("circle", "square", "diamond", "triangle-up")


def survival_chart(
    curves: Sequence[Survival],
    title: str,
    words: Outcome,
    caveat: str,
    frame: Frame = SCREEN,
) -> Spec:
    """Kaplan-Meier curves as steps with their intervals, and under them how many are followed.

    A curve is known at its days only: a step falls at the first of them by which it fell. Where a
    day between may not be told, the line is dotted and has no interval. A plus is at a day since
    whose forerunner somebody was lost sight of. The axis gives the first weeks more room.

    The rows under the axis are those of Morris et al. 2019, BMJ Open 9:e030215: who is still
    followed, and of a single curve also who had it and who was lost sight of.
    """
    colours = palette(frame)
    width = frame.width - _LEFT - 20
    names = [one.label for one in curves]
    hues = _hues(names, colours)
    shapes = {"domain": names, "range": _shapes(len(names))}
    rows: list[Spec] = [
        {
            "day": day,
            "share": share,
            "low": low,
            "high": high,
            "group": curve.label,
            "stretch": stretch,
        }
        for curve in curves
        for day, share, low, high, stretch in zip(
            curve.days, curve.share, curve.low, curve.high, curve.stretch, strict=True
        )
    ]
    pluses: list[Spec] = []
    guides: list[Spec] = []
    for curve in curves:
        known_days = list(zip(curve.days, curve.share, curve.censored, curve.stretch, strict=True))
        for (begins, share, lost, stretch), (day, fallen, gone, following) in pairwise(known_days):
            if gone > lost:
                pluses.append(
                    {"day": day, "share": share, "group": curve.label, "lost": gone - lost}
                )
            if following != stretch:
                gap = {"group": curve.label, "gap": following}
                guides += [
                    {"day": begins, "share": share, **gap},
                    {"day": day, "share": fallen, **gap},
                ]
    days = sorted({day for curve in curves for day in curve.days})
    last = max([*days, 1])
    shown = _apart(
        days, last, width, max((len(f"{curve.at_risk[0]}") for curve in curves), default=1)
    )
    scale = {"type": "sqrt", "domain": [0, last], "nice": False}
    x = {
        "field": "day",
        "type": "quantitative",
        "scale": scale,
        "axis": {
            "title": f"Days since {words.since}",
            "values": shown,
            "labelOverlap": False,
            "labelFlush": False,
            "grid": False,
        },
    }
    y = {
        "field": "share",
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "axis": {
            "format": "%",
            "title": words.still.capitalize(),
            "titleLimit": _HEIGHT,
            "minExtent": 36,
            "maxExtent": 36,
        },
    }
    named = {"field": "group", "type": "nominal"}
    legend = _legend(width, names) | {"orient": "top", "symbolSize": 90}
    colour = {**named, "scale": hues, "legend": legend if len(curves) > 1 else None}
    ends = {"y": {**y, "field": "low"}, "y2": {"field": "high"}}
    joined = {"detail": {"field": "stretch", "type": "nominal"}}
    step: Spec = {"interpolate": "step-after", "aria": False}
    told_at = [
        {"field": "group", "title": "Group"},
        {"field": "day", "title": "Day"},
        {"field": "share", "title": words.still.capitalize(), "format": ".0%"},
        {"field": "low", "title": "from", "format": ".0%"},
        {"field": "high", "title": "to", "format": ".0%"},
    ]
    places = {"x": x, "y": y, "color": colour}
    layers: list[Spec] = [
        {
            "data": {"values": rows},
            "encoding": places,
            "layer": [
                {"mark": {"type": "area", **step, "opacity": 0.16}, "encoding": {**ends, **joined}},
                {"mark": {"type": "rule", "strokeWidth": 1.2, "aria": False}, "encoding": ends},
                {"mark": {"type": "line", **step, "strokeWidth": 2}, "encoding": joined},
            ],
        },
        {
            "data": {"values": guides},
            "mark": {"type": "line", **step, "strokeWidth": 1.2, "strokeDash": [2, 3]},
            "encoding": {**places, "detail": {"field": "gap", "type": "nominal"}},
        },
        {
            "data": {"values": pluses},
            "mark": {"type": "point", "shape": _PLUS, "size": 110, **_SOLID},
            "encoding": {**places, "tooltip": _LOST},
        },
        {
            "data": {"values": rows},
            "mark": {"type": "point", "filled": True, "size": 44, **_SOLID},
            "encoding": {
                **places,
                "shape": {**named, "scale": shapes, "legend": colour["legend"]},
                "tooltip": told_at,
            },
        },
    ]
    under, top = _risk_table(curves, words, shown, x, colours)
    layers += under
    if not rows:
        layers.append(nothing("Nobody yet, or too few people to be told", width, colours))
    layers = [one for one in layers if one["data"]["values"]]
    said = (
        "Kaplan-Meier estimate with its 95 % interval, told at the days that are marked: a step"
        " falls on the day by which it fell. "
    )
    said += "Dotted: a day between may not be told. " if guides else ""
    said += "Plus: somebody was lost sight of since the day before. " if pluses else ""
    said += caveat
    layers.append(below(said, frame, colours, _LEFT, top))
    inside: Spec = {"width": width, "height": _HEIGHT, "layer": layers}
    told = [f"{title}."]
    told += [
        f"{curve.label}: {curve.share[-1]:.0%} {words.still} after {curve.days[-1]:g} days"
        f"{_interval(curve.low[-1], curve.high[-1])}, {curve.at_risk[-1]} of {curve.at_risk[0]}"
        " still followed."
        for curve in curves
    ]
    return dressed(frame, title, "", " ".join([*told, said]), inside)


def _risk_table(
    curves: Sequence[Survival], words: Outcome, shown: Sequence[float], x: Spec, colours: Palette
) -> tuple[list[Spec], float]:
    """Layers: numbers under the days of the axis, each row with its name above it. Returns also
    where there is room below them.
    """
    rows = [
        (f"Followed: {curve.label}" if len(curves) > 1 else "Still followed", curve, curve.at_risk)
        for curve in curves
    ]
    if len(curves) == 1:
        rows.append((words.had, curves[0], curves[0].happened))
        rows.append(("Lost sight of", curves[0], curves[0].censored))
    found: list[Spec] = []
    top = _HEIGHT + 44.0
    for name, curve, counts in rows:
        numbers: list[Spec] = [
            {"day": day, "count": f"{count}"}
            for day, count in zip(curve.days, counts, strict=True)
            if day in shown
        ]
        text = {"type": "text", "fontSize": 10, "baseline": "top", "aria": False}
        found.append(
            {
                "data": {"values": [{}]},
                "mark": {**text, "align": "left", "color": colours.soft, "text": name},
                "encoding": {"x": {"value": -_LEFT}, "y": {"value": top}},
            }
        )
        found.append(
            {
                "data": {"values": numbers},
                "mark": {**text, "color": colours.ink},
                "encoding": {"x": x, "y": {"value": top + 13}, "text": {"field": "count"}},
            }
        )
        top += 29
    return found, top + 4


def _apart(days: Sequence[float], last: float, width: float, letters: int) -> list[float]:
    """Of these days those whose numbers do not touch each other, with the first and the last."""
    room = 6.0 * max(letters, 3) + 6
    found: list[float] = []
    for day in days:
        if not found or _across(day, last, width) - _across(found[-1], last, width) >= room:
            found.append(day)
        elif day == last and len(found) > 1:
            found[-1] = day
    return found


def _across(day: float, last: float, width: float) -> float:
    """Pixels from the left, on the axis of a curve."""
    return width * math.sqrt(day / last)


def rates_chart(
    rates: Sequence[Rate], title: str, least: int, caveat: str, frame: Frame = SCREEN
) -> Spec:
    """Shares by visit, beside each other, with their intervals. What is not told says so.

    least: people in the smallest cell that is told.
    """
    colours = palette(frame)
    width = frame.width - _LEFT - 14
    visits = list(dict.fromkeys(one.visit for one in rates))
    outcomes = list(dict.fromkeys(one.outcome for one in rates))
    hues = _hues(outcomes, colours)
    rows: list[Spec] = [one._asdict() for one in rates if one.share is not None]
    hidden: list[Spec] = [
        {"visit": one.visit, "outcome": one.outcome, "share": 0, "words": _why_not(one)}
        for one in rates
        if one.share is None
    ]
    x = {
        "field": "visit",
        "type": "nominal",
        "scale": {"domain": visits},
        "axis": {
            "title": None,
            "labelAngle": 0 if width / max(1, len(visits)) > 60 else -40,
            "labelLimit": 90,
        },
    }
    y = {
        "field": "share",
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "axis": {"format": "%", "title": "Share", "minExtent": 36, "maxExtent": 36},
    }
    beside = {"field": "outcome", "type": "nominal", "scale": {"domain": outcomes}}
    legend = _legend(width, outcomes)
    layers: list[Spec] = [
        {
            "data": {"values": rows},
            "mark": {"type": "bar", "stroke": colours.ink, "strokeWidth": 0.6},
            "encoding": {
                "x": x,
                "xOffset": beside,
                "y": y,
                "color": {**beside, "scale": hues, "legend": legend},
                "tooltip": [
                    {"field": "visit", "title": "Visit"},
                    {"field": "outcome", "title": "Outcome"},
                    {"field": "share", "title": "Share", "format": ".0%"},
                    {"field": "people", "title": "People"},
                ],
            },
        },
        {
            "data": {"values": [row for row in rows if row["low"] is not None]},
            "mark": {"type": "rule", "color": colours.ink, "strokeWidth": 1.2, "aria": False},
            "encoding": {
                "x": x,
                "xOffset": beside,
                "y": {**y, "field": "low"},
                "y2": {"field": "high"},
            },
        },
        {
            "data": {"values": hidden},
            "mark": {"type": "text", "dy": -7, "fontSize": 10, "color": colours.soft},
            "encoding": {"x": x, "xOffset": beside, "y": y, "text": {"field": "words"}},
        },
    ]
    layers = [one for one in layers if one["data"]["values"]]
    words = (
        f"Lines: 95 % interval. *: not told, because it is of fewer than {least} people or fewer"
        f" could be worked out from it; 0: of nobody. {caveat}"
    )
    is_slanted = bool(visits) and width / len(visits) <= 60
    top = (
        _HEIGHT + 40 + (40 if is_slanted else 0) + 18 * -(-len(outcomes) // int(legend["columns"]))
    )
    layers.append(below(words, frame, colours, _LEFT, top))
    told = [
        f"{one.visit}, {one.outcome}: "
        + (_TOLD[_why_not(one)] if one.share is None else f"{one.share:.0%}")
        for one in rates
    ]
    inside: Spec = {"width": width, "height": _HEIGHT, "layer": layers}
    return dressed(frame, title, "", f"{title}. {'; '.join(told)}. {words}", inside)


def nothing(words: str, width: float, colours: Palette) -> Spec:
    """A layer that says why there is nothing else."""
    return {
        "data": {"values": [{}]},
        "mark": {"type": "text", "text": words, "fontSize": 12, "color": colours.ink},
        "encoding": {"x": {"value": width / 2}, "y": {"value": _HEIGHT / 2}},
    }


def _legend(width: float, names: Sequence[str]) -> Spec:
    """In two columns where the names fit into them."""
    longest = max(map(len, names), default=0)
    columns = 2 if longest * 6.2 + 30 <= width / 2 else 1
    return {
        "title": None,
        "orient": "bottom",
        "direction": "horizontal",
        "columns": columns,
        "labelLimit": width / columns - 30,
        "symbolOpacity": 1,
    }


def _why_not(rate: Rate) -> str:
    return "0" if rate.people == 0 else "*"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" ({low:.0%} to {high:.0%})"


def _shapes(count: int) -> list[str]:
    """Another one for each; where hues begin again, shapes are shifted. Dashes have a meaning."""
    return [_SHAPES[(place + place // len(_SHAPES)) % len(_SHAPES)] for place in range(count)]


def _hues(names: Sequence[str], colours: Palette) -> Spec:
    some = [colours.score, colours.second, colours.goal, colours.third]
    return {"domain": list(names), "range": [some[i % len(some)] for i in range(len(names))]}
