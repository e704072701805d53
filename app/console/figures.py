"""Small figures that a page draws by itself: how somebody has been, in the width of a word.

Nothing has to be asked for, so a list of fifty patients has fifty of them at once. What is to be
read, and not glanced at, is a chart (`charts`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from app.console.pages import day

WIDTH: Final = 240
HEIGHT: Final = 52
_EDGE: Final = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing. said: for whoever does not see it. lines: points of polylines; a missing score
    breaks a line. last: where the newest score is.
    """

    said: str
    lines: tuple[str, ...]
    doses: tuple[float, ...]
    last: tuple[float, float]
    width: int = WIDTH
    height: int = HEIGHT


def draw(
    said: str,
    at: Sequence[datetime],
    scores: Sequence[float | None],
    bounds: tuple[float, float],
    doses: Sequence[datetime] = (),
) -> Figure | None:
    """One scale over time. bounds: least and most of the scale, so that two people's figures are
    of one measure. Returns: None where there is nothing to draw.
    """
    if not any(score is not None for score in scores):
        return None
    first, last = min([*at, *doses]), max([*at, *doses])
    least, most = bounds

    def x(instant: datetime) -> float:
        span = (last - first).total_seconds() or 1.0
        share = (instant - first).total_seconds() / span if first != last else 0.5
        return round(_EDGE + share * (WIDTH - 2 * _EDGE), 1)

    def y(score: float) -> float:
        return round(
            HEIGHT - _EDGE - (score - least) / ((most - least) or 1) * (HEIGHT - 2 * _EDGE), 1
        )

    dots = [
        None if score is None else (x(when), y(score))
        for when, score in zip(at, scores, strict=True)
    ]
    return Figure(
        said=said,
        lines=_lines(dots),
        doses=tuple(x(when) for when in doses),
        last=next(dot for dot in reversed(dots) if dot is not None),
    )


def _lines(dots: Sequence[tuple[float, float] | None]) -> tuple[str, ...]:
    found: list[list[tuple[float, float]]] = [[]]
    for dot in dots:
        if dot is None:
            found.append([])
        else:
            found[-1].append(dot)
    # A score by itself is a line as short as its end is round.
    every = [line * 2 if len(line) == 1 else line for line in found if line]
    return tuple(" ".join(f"{x},{y}" for x, y in line) for line in every)


class Leveled(NamedTuple):
    """A level of goal attainment scaling, -2 to 2, at a time."""

    at: datetime
    level: int


@dataclass(frozen=True, slots=True)
class LevelFigure:
    """Five ordinal levels over time, as two raters see them: each rater's own points and line, and
    never one between the two. rows: y and label of each level. ends: x and label of the dates.
    """

    said: str
    rows: tuple[tuple[float, int], ...]
    patient: tuple[tuple[float, float], ...]
    therapist: tuple[tuple[float, float], ...]
    baseline: tuple[float, float] | None
    ends: tuple[tuple[float, str], ...]
    width: int = 520
    height: int = 176


_LEVELS: Final = (2, 1, 0, -1, -2)
_LEFT: Final = 52
_RIGHT: Final = 500
_TOP: Final = 16
_ROW: Final = 31


def draw_levels(
    said: str,
    patient: Sequence[Leveled],
    therapist: Sequence[Leveled],
    baseline: Leveled | None,
    zone: ZoneInfo,
) -> LevelFigure:
    """How far a goal was attained. patient, therapist: oldest first, at least one of them.

    said: for whoever does not see it. zone: of the dates under it.
    """
    every = [*patient, *therapist, *([baseline] if baseline else [])]
    first, last = min(one.at for one in every), max(one.at for one in every)

    def x(at: datetime) -> float:
        share = (at - first) / (last - first) if first != last else 0.5
        return round(_LEFT + share * (_RIGHT - _LEFT), 1)

    def dot(one: Leveled) -> tuple[float, float]:
        return x(one.at), float(_TOP + _ROW * _LEVELS.index(one.level))

    ends = [(x(first), day(first, zone))]
    if day(first, zone) != day(last, zone):
        ends.append((x(last), day(last, zone)))
    return LevelFigure(
        said=said,
        rows=tuple((float(_TOP + _ROW * row), level) for row, level in enumerate(_LEVELS)),
        patient=tuple(dot(one) for one in patient),
        therapist=tuple(dot(one) for one in therapist),
        baseline=dot(baseline) if baseline else None,
        ends=tuple(ends),
    )
