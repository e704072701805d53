"""The readings of one visit, from however many batches, as one series in columns.

A monitor sends again what it sent before, and somebody writes a value beside it. Readings of one
instant and one source are one reading: what the later batch has holds, and what it lacks stays.

Instants are microseconds since 1970, UTC.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from app.clinical.vitals import Reading, Sign

SIGNS: Final = tuple(sign.value for sign in Sign)

Columns = dict[str, list[Any]]
"""`at`, `source`, and those signs that were read at all, None where one was not; all as long."""

EMPTY: Final[Columns] = {"at": [], "source": []}


class Row(NamedTuple):
    """One reading; values in the order of SIGNS."""

    at: int
    source: str
    values: Sequence[int | None]


def columns(source: str, readings: Sequence[Reading]) -> Columns:
    """One batch."""
    read: Columns = {"at": [one.at for one in readings], "source": [source] * len(readings)}
    for sign in SIGNS:
        values = [getattr(one, sign) for one in readings]
        if any(value is not None for value in values):
            read[sign] = values
    return read


def merged(batches: Iterable[Columns]) -> Columns:
    """All of them as one series, by time. batches: in the order in which they came.

    Merging what was merged before with one more batch gives the same as merging them all.
    """
    found: dict[tuple[int, str], Sequence[int | None]] = {}
    for batch in batches:
        for at, source, values in _rows(batch):
            known = found.get((at, source))
            if known is not None and known != values:
                values = [  # noqa: PLW2901 -- what there was of this reading, brought up to date
                    old if new is None else new for old, new in zip(known, values, strict=True)
                ]
            found[at, source] = values
    ordered = sorted(found)
    series: Columns = {"at": [at for at, _ in ordered], "source": [by for _, by in ordered]}
    by_sign = zip(*(found[key] for key in ordered), strict=True)
    for sign, values in zip(SIGNS, by_sign, strict=bool(ordered)):
        if any(value is not None for value in values):
            series[sign] = list(values)
    return series


def readings(series: Columns) -> list[Reading]:
    """The same as readings, in the order of the series."""
    whole = [series.get(sign) or [None] * len(series["at"]) for sign in ("at", *SIGNS)]
    return [Reading(*row) for row in zip(*whole, strict=True)]


def _rows(batch: Columns) -> Iterable[tuple[int, str, Sequence[int | None]]]:
    nothing: list[None] = [None] * len(batch["at"])
    by_sign = [batch.get(sign, nothing) for sign in SIGNS]
    return zip(batch["at"], batch["source"], zip(*by_sign, strict=True), strict=True)
