"""Colours, sizes, and words that wrap.

Colours are those of Okabe & Ito ("Color Universal Design", 2008), as in Wong 2011, Nat Methods
8:441, which people with any of the usual colour visions can tell apart. A chart is as wide as it is
asked to be, from a phone's 280 pixels on; sizes of letters do not follow.
"""

import textwrap
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from app.trends.charts.records import Frame

Spec = dict[str, Any]

SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v6.json"
FONT: Final = "Arial, 'Liberation Sans', Helvetica, sans-serif"
_LETTER: Final = 0.56
"""Of the size of the type: how wide a letter is on average."""
_BOLD: Final = 1.1
_MONTHS_FROM: Final = 250
"""Days from which an axis names months and years, and no days."""


class Palette(NamedTuple):
    """paper, ink, faint (grid), soft (secondary words), band (the darkest tint), and the hues."""

    paper: str
    ink: str
    soft: str
    faint: str
    band: str
    score: str
    goal: str
    danger: str
    dose: str
    second: str
    third: str


LIGHT: Final = Palette(
    paper="#ffffff",
    ink="#1a1a1a",
    soft="#595959",
    faint="#e3e3e3",
    band="#6b7280",
    score="#0072b2",  # blue
    goal="#007a5a",  # bluish green, darkened until small words can be read on white
    danger="#d55e00",  # vermillion
    dose="#444444",
    second="#e69f00",  # orange
    third="#cc79a7",  # reddish purple
)
DARK: Final = Palette(
    paper="#15181c",
    ink="#f2f2f2",
    soft="#b4b8bd",
    faint="#2f343a",
    band="#aab4c0",
    score="#56b4e9",  # sky blue
    goal="#2fc296",  # bluish green, lightened
    danger="#ff8a3d",  # vermillion, lightened
    dose="#d0d0d0",
    second="#e69f00",
    third="#cc79a7",
)


def palette(frame: Frame) -> Palette:
    """The colours for this paper."""
    return DARK if frame.is_dark else LIGHT


def dressed(
    frame: Frame, title: str, under: str, description: str, inside: Spec, *, offset: float = 12
) -> Spec:
    """A whole specification around `inside` (a layer, a concatenation).

    title, under: what stands above. description: for whoever cannot see it. offset: pixels between
    what stands above and the chart.
    """
    colours = palette(frame)
    head: Spec = {
        "text": wrapped(title, frame.width, 14 * _BOLD),
        "subtitle": wrapped(under, frame.width, 11) if under else "",
        "anchor": "start",
        "frame": "bounds",
        "limit": frame.width - 8,
        "offset": offset,
    }
    return {
        "$schema": SCHEMA,
        "description": description,
        **({} if frame.is_bare else {"title": head}),
        "background": colours.paper,
        "padding": 4,
        **inside,
        "config": _config(colours),
    }


def bare(colours: Palette) -> Spec:
    """The settings of a chart that is only a mark or two."""
    return {**_config(colours), "view": {"stroke": None}}


def heading(text: str, frame: Frame, left: float, offset: float) -> Spec:
    """The title of one of several panels. left: as for `below`."""
    return {
        "text": wrapped(text, frame.width, 12 * _BOLD),
        "fontSize": 12,
        "anchor": "start",
        "frame": "group",
        "limit": frame.width - 8,
        "dx": -left,
        "offset": offset,
    }


def wrapped(text: str, pixels: float, size: float) -> list[str]:
    """Lines that fit. A word that does not fit alone is cut, so that nothing grows wider."""
    letters = max(8, int(pixels / (size * _LETTER)))
    lines = textwrap.wrap(text, letters, break_long_words=True) or [""]
    # Each line a paragraph of its own: what is written from right to left stays in its line.
    return [line if line.isascii() else f"\u200e{line}\u200e" for line in lines]


def below(words: str, frame: Frame, colours: Palette, left: float, top: float) -> Spec:
    """A layer: small words under a chart. left: pixels from the paper's edge to the plot."""
    return {
        "data": {"values": [{}]},
        "mark": {
            "type": "text",
            "align": "left",
            "baseline": "top",
            "fontSize": 10,
            "color": colours.soft,
            "text": wrapped(words, frame.width, 10),
            "lineHeight": 13,
            "limit": frame.width - 8,
            "aria": False,
        },
        "encoding": {"x": {"value": -left}, "y": {"value": top}},
    }


class Clock(NamedTuple):
    """A person's own days. Instants become wall-clock milliseconds, drawn on an axis of UTC."""

    zone: ZoneInfo
    name: str

    def of(self, at: datetime) -> int:
        """Milliseconds that read like the person's clock."""
        wall = at.astimezone(self.zone).replace(tzinfo=UTC)
        return int(wall.timestamp() * 1000)

    def day(self, at: datetime) -> str:
        """Such as 2026-03-02."""
        return at.astimezone(self.zone).date().isoformat()


def clock(time_zone: str) -> Clock:
    """Of an IANA time zone."""
    return Clock(ZoneInfo(time_zone), time_zone.replace("_", " "))


class Span(NamedTuple):
    """From and to, in milliseconds: what an axis of time shows."""

    first: int
    last: int

    @property
    def days(self) -> float:
        """How many."""
        return (self.last - self.first) / 86_400_000

    def at(self, instant: int, width: float) -> float:
        """Pixels from the left."""
        return width * (instant - self.first) / (self.last - self.first)


def span(instants: Iterable[int], width: float) -> Span:
    """An axis that holds all of these, with air for a mark at both ends."""
    found = sorted(instants)
    if not found:
        found = [0]
    length = max(found[-1] - found[0], 86_400_000)
    air = max(int(length * 12 / max(width, 1)), 3_600_000)
    if found[0] == found[-1]:
        air = 3 * 86_400_000
    return Span(found[0] - air, found[-1] + air)


def time_axis(shown: Span, width: float, said: str) -> Spec:
    """The x channel. said: whose days they are."""
    if shown.days > _MONTHS_FROM:
        form, wide = "%b %Y", 64
    elif shown.days > 4:
        form, wide = "%-d %b", 52
    else:
        form, wide = "%-d %b %H:%M", 84
    year = datetime.fromtimestamp(shown.last / 1000, UTC).year
    return {
        **moment(shown),
        "axis": {
            "format": form,
            "labelOverlap": "greedy",
            "labelSeparation": 6,
            "tickCount": max(2, min(int(width / wide), int(shown.days) if wide < 84 else 99)),
            "grid": False,
            "title": said if shown.days > _MONTHS_FROM else f"{said}, {year}",
        },
    }


def moment(shown: Span) -> Spec:
    """The x channel of a mark that stands at `t`."""
    return {"field": "t", "type": "temporal", "scale": time_scale(shown)}


def time_scale(shown: Span) -> Spec:
    """From the first to the last instant, whatever the data are.

    As an expression: numbers would be compiled to one that a browser under a strict policy, where
    expressions are interpreted, does not understand; everything would stand at the left edge.
    """
    domain = {"expr": f"[{shown.first}, {shown.last}]"}
    return {"type": "utc", "domain": domain, "nice": False}


def dose_layers(
    doses: Sequence[int], shown: Span, width: float, colours: Palette, *, is_numbered: bool = True
) -> list[Spec]:
    """A rule for each dose, its mark above the chart, and its number where there is room."""
    values: list[Spec] = [
        {"t": at, "number": f"{number}", "kind": "Dose"} for number, at in enumerate(doses, 1)
    ]
    inside = [one for one in values if shown.first <= int(one["t"]) <= shown.last]
    if not inside:
        return []
    x = moment(shown)
    rules: Spec = {
        "data": {"values": inside},
        "mark": {"type": "rule", "strokeDash": [2, 3], "color": colours.dose, "opacity": 0.75},
        "encoding": {
            "x": x,
            "tooltip": [
                {"field": "number", "title": "Dose"},
                {"field": "t", "type": "temporal", "title": "Given", "format": "%Y-%m-%d %H:%M"},
            ],
        },
    }
    if not is_numbered:
        return [rules]
    told: list[Spec] = []
    free_from = float("-inf")
    for one in inside:
        place = shown.at(int(one["t"]), width)
        if place >= free_from:
            told.append(one)
            free_from = place + (13 if int(one["number"]) < 10 else 19)
    numbers: Spec = {
        "data": {"values": told},
        "mark": {
            "type": "text",
            "dy": -15,
            "baseline": "bottom",
            "fontSize": 10,
            "color": colours.dose,
            "aria": False,
        },
        "encoding": {"x": x, "y": {"value": 0}, "text": {"field": "number"}},
    }
    return [rules, numbers]


def counted(number: int, one: str, several: str | None = None) -> str:
    """A number and its noun."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def plain(score: float) -> str:
    """A score as people write it."""
    return f"{score:g}"


def _config(colours: Palette) -> Spec:
    words = {"labelFont": FONT, "titleFont": FONT, "labelColor": colours.soft}
    return {
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            **words,
            "titleColor": colours.soft,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "gridColor": colours.faint,
            "domainColor": colours.soft,
            "tickColor": colours.soft,
        },
        "legend": {
            **words,
            "titleColor": colours.soft,
            "labelColor": colours.ink,
            "labelFontSize": 11,
            "symbolSize": 70,
        },
        "header": {**words, "titleColor": colours.ink, "labelColor": colours.ink},
        "title": {
            "font": FONT,
            "subtitleFont": FONT,
            "fontSize": 14,
            "subtitleFontSize": 11,
            "color": colours.ink,
            "subtitleColor": colours.soft,
            "subtitlePadding": 4,
            "lineHeight": 18,
            "subtitleLineHeight": 14,
        },
        "text": {"font": FONT},
    }
