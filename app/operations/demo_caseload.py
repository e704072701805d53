"""Sixty synthetic patients more, so that a caseload, its flags and outcomes look like a clinic's.

Invented courses, of a few shapes that treatment takes; their numbers say nothing about ketamine.
They come from a generator with a fixed seed, so every demo is the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Final

from app.clinical.instruments import Instrument

_NAMES: Final = (
    *("Ada", "Ben", "Chidi", "Dana", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas"),
    *("Kira", "Leo", "Mina", "Noor", "Olga", "Pavel", "Quinn", "Rahel", "Sami", "Tara"),
    *("Umut", "Vera", "Wanda", "Ximena", "Yusuf", "Zoe", "Amos", "Bruna", "Cora", "Dev"),
    *("Emre", "Fee", "Gil", "Hana", "Ivo", "Judit", "Karim", "Lotte", "Maja", "Nils"),
    *("Oumar", "Priya", "Rui", "Selma", "Timo", "Uma", "Vito", "Wim", "Xenia", "Yara"),
    *("Zane", "Alma", "Bao", "Celia", "Dario", "Esra", "Finn", "Gemma", "Halil", "Ilse"),
)
DOSE_DAYS: Final = (9, 12, 16, 19, 23, 26)
_WEEKS: Final = 13
"""Of weekly check-ins, at most."""
_DILIGENT: Final = 0.75
"""So many of those who go on answer everything."""
_MOST: Final = 24
"""What eight questions can come to; the ninth is set by itself."""


_GOOD: Final = {
    *("mood", "energy", "sleep-quality", "appetite", "flexible-thinking", "handling-feelings"),
}
"""Questions of which more is better."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a course goes. left: what is left of the first score in each week, the last one from then
    on. weeks: after so many nothing more is heard.
    """

    left: tuple[float, ...]
    weeks: int = _WEEKS


REMITTED: Final = Shape((1.0, 1.0, 0.6, 0.4, 0.25, 0.2, 0.15))
RESPONDED: Final = Shape((1.0, 0.95, 0.75, 0.6, 0.5, 0.42, 0.4))
UNCHANGED: Final = Shape((1.0, 1.0, 0.95, 0.9, 0.95, 1.0))
RELAPSED: Final = Shape((1.0, 1.0, 0.5, 0.35, 0.3, 0.4, 0.6, 0.75, 0.85))
WORSENED: Final = Shape((0.75, 0.75, 0.8, 0.9, 1.05, 1.2))
LEFT: Final = Shape((1.0, 0.95, 0.7, 0.6), weeks=4)
_SHAPES: Final = (
    *(REMITTED, RESPONDED, UNCHANGED, REMITTED, RELAPSED, RESPONDED, REMITTED, LEFT, RESPONDED),
    *(REMITTED, UNCHANGED, REMITTED, WORSENED, RESPONDED, RELAPSED),
)


@dataclass(frozen=True, slots=True)
class Patient:
    """began: how long ago. phq_9: answers by week. dose_days: since then, as far as they came.
    answers_all: whether they answer everything that they are asked.
    """

    name: str
    began: timedelta
    phq_9: tuple[tuple[int, ...], ...]
    dose_days: tuple[int, ...]
    dose_mg: float
    answers_all: bool


def patients(*, seed: int = 9) -> Iterator[Patient]:
    """All sixty, the one who came last first."""
    draw = Random(seed)  # noqa: S311 - nobody has to be kept from guessing it
    for place, name in enumerate(_NAMES):
        shape = _SHAPES[place % len(_SHAPES)]
        days = 10 + 4 * place + draw.randrange(4)
        first = draw.randint(14, 21)
        weeks = min(shape.weeks, _WEEKS, days // 7 + 1)
        scores = [
            min(_MOST, max(0, round(first * shape.left[min(week, len(shape.left) - 1)]) + noise))
            for week, noise in ((week, draw.choice((-1, 0, 0, 1))) for week in range(weeks))
        ]
        yield Patient(
            f"{name} Example",
            timedelta(days=days, hours=draw.randint(3, 9)),
            tuple(_spread(score, draw) for score in scores),
            tuple(day for day in DOSE_DAYS if day < min(days, 7 * weeks)),
            draw.choice((35.0, 40.0, 50.0)),
            shape is not LEFT and draw.random() < _DILIGENT,
        )


def benign(instrument: Instrument) -> list[int | None]:
    """What somebody answers who has nothing to complain of: the lowest, and a fair mood."""
    if instrument.key.startswith("c-ssrs"):
        return [0, 0, None, None, None, 0]
    return [6 if item.key in _GOOD else item.minimum for item in instrument.items]


def _spread(total: int, draw: Random) -> tuple[int, ...]:
    """Nine answers that come to a total, the ninth of them 0."""
    answers = [0] * 9
    while total:
        place = draw.randrange(8)
        if answers[place] < 3:
            answers[place] += 1
            total -= 1
    return tuple(answers)
