"""Small figures that a page draws by itself: how somebody has been, in the width of a word.

Nothing has to be asked for, so a list of fifty patients has fifty of them at once. What is to be
read, and not glanced at, is a chart (`charts`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

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
