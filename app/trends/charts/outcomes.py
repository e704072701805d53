"""Outcomes of a clinic: how long something lasts, and how many reach it by visit."""

from collections.abc import Sequence
from typing import Final

from app.trends.charts.look import Palette, Spec, below, dressed, palette
from app.trends.charts.records import SCREEN, Frame, Rate, Survival

_LEFT: Final = 50
_HEIGHT: Final = 220
_TOLD: Final = {"0": "nobody", "*": "not told"}
_DASHES: Final = ([1, 0], [6, 3], [2, 2], [8, 2, 2, 2])


def survival_chart(
    curves: Sequence[Survival],
    title: str,
    still: str,
    caveat: str,
    frame: Frame = SCREEN,
    *,
    is_sampled: bool = False,
) -> Spec:
    """Kaplan-Meier curves as steps with their intervals, and a tick where somebody was last seen.

    still: what the share on the axis still has, such as "still responding".
    is_sampled: it is known at its days only. Then these are marked, and joined by straight lines:
        a step would say that nothing happened in between. Where a day between may not be told,
        there is no line.
    """
    interpolate = "linear" if is_sampled else "step-after"
    colours = palette(frame)
    width = frame.width - _LEFT - 20
    hues = _hues([one.label for one in curves], colours)
    dashes = {"domain": hues["domain"], "range": _dashes(len(curves))}
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
            curve.days,
            curve.share,
            curve.low,
            curve.high,
            curve.stretch or [0] * len(curve.days),
            strict=True,
        )
    ]
    ticks: list[Spec] = [
        {"day": day, "share": _at(curve, day), "group": curve.label}
        for curve in curves
        for day in curve.censored
    ]
    last = max((float(row["day"]) for row in (*rows, *ticks)), default=1.0)
    x = {
        "field": "day",
        "type": "quantitative",
        "scale": {"domain": [0, last], "nice": False},
        "axis": {"title": "Days", "grid": False},
    }
    percent = {
        "format": "%",
        "title": f"{still.capitalize()}",
        "titleLimit": _HEIGHT,
        "minExtent": 36,
        "maxExtent": 36,
    }
    y = {
        "field": "share",
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "axis": percent,
    }
    named = {"field": "group", "type": "nominal"}
    legend = {
        "title": None,
        "orient": "bottom",
        "direction": "horizontal",
        "columns": 2,
        "labelLimit": width / 2 - 40,
        "symbolStrokeWidth": 2,
        "symbolType": "stroke",
        "symbolOpacity": 1,
        "symbolSize": 260,
    }
    colour = {**named, "scale": hues, "legend": legend}
    joined = {"detail": {"field": "stretch", "type": "nominal"}}
    known = [row for row in rows if row["low"] is not None]
    layers: list[Spec] = [
        {
            "data": {"values": known},
            "mark": {"type": "area", "interpolate": interpolate, "opacity": 0.16, "aria": False},
            "encoding": {
                "x": x,
                "y": {**y, "field": "low"},
                "y2": {"field": "high"},
                "color": colour,
                **joined,
            },
        },
        {
            "data": {"values": rows},
            "mark": {"type": "line", "interpolate": interpolate, "strokeWidth": 2},
            "encoding": {
                **joined,
                "x": x,
                "y": y,
                "color": colour,
                "strokeDash": {**named, "scale": dashes, "legend": legend},
                "tooltip": [
                    {"field": "day", "title": "Day"},
                    {"field": "share", "title": still.capitalize(), "format": ".0%"},
                    {"field": "low", "title": "from", "format": ".0%"},
                    {"field": "high", "title": "to", "format": ".0%"},
                ],
            },
        },
        {
            "data": {"values": ticks},
            "mark": {"type": "tick", "orient": "vertical", "thickness": 1.5, "bandSize": 9},
            "encoding": {"x": x, "y": y, "color": colour},
        },
    ]
    if is_sampled:
        dots = {"type": "point", "filled": True, "opacity": 1, "size": 36}
        bars = {"type": "rule", "strokeWidth": 1.2, "aria": False}
        ends = {"y": {**y, "field": "low"}, "y2": {"field": "high"}}
        layers += [
            {
                "data": {"values": known},
                "mark": bars,
                "encoding": {"x": x, "color": colour, **ends},
            },
            {"data": {"values": rows}, "mark": dots, "encoding": {"x": x, "y": y, "color": colour}},
        ]
    if not rows:
        layers.append(nothing("Nobody yet, or too few people to be told", width, colours))
    layers = [one for one in layers if one["data"]["values"]]
    words = "Kaplan-Meier estimate with its 95 % interval"
    words += "; a tick is somebody last seen then. " if ticks else ". "
    if is_sampled:
        words += "Told at the days that are marked; a line between them is only a guide. "
    words += caveat
    rows_of_names = -(-len(curves) // 2)
    layers.append(below(words, frame, colours, _LEFT, _HEIGHT + 54 + 18 * rows_of_names))
    inside: Spec = {"width": width, "height": _HEIGHT, "layer": layers}
    told = [f"{title}."]
    told += [
        f"{curve.label}: {curve.share[-1]:.0%} {still} after {curve.days[-1]:g} days"
        f"{_interval(curve.low[-1], curve.high[-1])}."
        for curve in curves
        if curve.share
    ]
    return dressed(frame, title, "", " ".join([*told, words]), inside)


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
    legend = {
        "title": None,
        "orient": "bottom",
        "direction": "horizontal",
        "columns": 2,
        "labelLimit": width / 2 - 30,
        "symbolOpacity": 1,
    }
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
    top = _HEIGHT + 40 + (40 if is_slanted else 0) + 18 * -(-len(outcomes) // 2)
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


def _why_not(rate: Rate) -> str:
    return "0" if rate.people == 0 else "*"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" ({low:.0%} to {high:.0%})"


def _dashes(count: int) -> list[list[int]]:
    """Another one for each; where hues begin again, dashes are shifted."""
    return [list(_DASHES[(place + place // len(_DASHES)) % len(_DASHES)]) for place in range(count)]


def _hues(names: Sequence[str], colours: Palette) -> Spec:
    some = [colours.score, colours.second, colours.goal, colours.third]
    return {"domain": list(names), "range": [some[i % len(some)] for i in range(len(names))]}


def _at(curve: Survival, day: float) -> float:
    """The share at a day."""
    share = 1.0
    for step, value in zip(curve.days, curve.share, strict=True):
        if step <= day:
            share = value
    return share
