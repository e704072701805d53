"""Where a trajectory is drawn.

A `Figure` is what a page shows of one scale: a drawing that needs nothing but the page itself, so
that it is there without JavaScript and on paper, beside the table that says the same in numbers.
`chart_url` is where an interactive chart of the same scale is found; it is put into `data-chart` of
the figure (`templates/figure.html`), which is the one place that a chart is attached to.

Suicidal ideation is drawn as dots and never as a line: nothing lies between two answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.trends.schemas import TrajectoryOut

WIDTH: Final = 640
HEIGHT: Final = 220
_LEFT: Final = 46
_RIGHT: Final = 12
_TOP: Final = 20
_BOTTOM: Final = 30


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis. at: where, in the drawing's own units."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing. lines: points of polylines; a missing score breaks a line."""

    title: str
    summary: str
    lines: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]
    doses: tuple[float, ...]
    baseline: float | None
    across: tuple[Tick, ...]
    upright: tuple[Tick, ...]
    chart_url: str | None = None
    width: int = WIDTH
    height: int = HEIGHT


def draw(
    title: str, summary: str, of: TrajectoryOut, chart_url: str | None = None
) -> Figure | None:
    """One scale over time. Returns: None where there is nothing to draw."""
    at, scores = of.points.effective_at, of.points.score
    if not any(score is not None for score in scores):
        return None
    times = [*at, *of.doses.effective_at]
    first, last = min(times), max(times)

    def x(instant: datetime) -> float:
        span = (last - first).total_seconds() or 1.0
        share = (instant - first).total_seconds() / span if first != last else 0.5
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)

    def y(score: float) -> float:
        share = (score - of.minimum) / ((of.maximum - of.minimum) or 1)
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)

    dots = [
        None if score is None else (x(when), y(score))
        for when, score in zip(at, scores, strict=True)
    ]
    middle = (of.minimum + of.maximum) / 2
    levels = [of.minimum, middle, of.maximum] if middle == int(middle) else [of.minimum, of.maximum]
    return Figure(
        title=title,
        summary=summary,
        lines=() if of.is_ordinal else _lines(dots),
        dots=tuple(dot for dot in dots if dot is not None),
        doses=tuple(x(when) for when in of.doses.effective_at),
        baseline=y(of.baseline.score) if of.baseline else None,
        across=_across(first, last, x(first), x(last)),
        upright=tuple(Tick(y(level), f"{level:g}") for level in levels),
        chart_url=chart_url,
    )


def _lines(dots: Sequence[tuple[float, float] | None]) -> tuple[str, ...]:
    found: list[list[tuple[float, float]]] = [[]]
    for dot in dots:
        if dot is None:
            found.append([])
        else:
            found[-1].append(dot)
    return tuple(" ".join(f"{x},{y}" for x, y in line) for line in found if len(line) > 1)


def _across(first: datetime, last: datetime, left: float, right: float) -> tuple[Tick, ...]:
    if first.date() == last.date():
        return (Tick((left + right) / 2, f"{first.day} {first:%b %Y}"),)
    ticks = [Tick(left, f"{first.day} {first:%b}"), Tick(right, f"{last.day} {last:%b %Y}")]
    half = first + (last - first) / 2
    if (last - first).days >= 3:
        ticks.insert(1, Tick((left + right) / 2, f"{half.day} {half:%b}"))
    return tuple(ticks)
