"""Outcomes of a clinic as a table for a spreadsheet."""

import csv
import io
from collections.abc import Iterator
from typing import Any, Final

from app.trends.schemas.outcomes import OutcomesOut, VisitOut

_Row = tuple[str, str, str | int, str, Any]


def as_csv(found: OutcomesOut) -> bytes:
    """The same as a table, one row per group and visit or day; no cell is a formula.

    Source: OWASP, CSV injection: what begins with = + - @, a tab or a return is kept text.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["table", "group", "at", "measure", "value"])
    for row in _rows(found):
        writer.writerow([_inert(cell) for cell in row])
    return out.getvalue().encode()


def _rows(found: OutcomesOut) -> Iterator[_Row]:
    yield "instrument", "", "", "left_out", found.left_out
    for group in found.groups:
        for measure in ("patients", "check_ins", "complete"):
            yield "group", group.group, "", measure, getattr(group, measure)
        for visit in group.visits:
            for measure, value in _measures(visit):
                yield "visit", group.group, visit.visit, measure, value
    for which in ("time_to_response", "time_to_loss"):
        for curve in getattr(found, which):
            yield which, curve.group, "", "started", curve.started
            for step in curve.steps:
                for measure, value in step.model_dump(exclude={"day"}).items():
                    yield which, curve.group, step.day, measure, value


def _measures(visit: VisitOut) -> Iterator[tuple[str, Any]]:
    yield from visit.counts.model_dump().items()
    for measure in _RATES:
        yield measure, getattr(visit, measure)
    for measure in _INTERVALS:
        for end, share in getattr(visit, measure).model_dump().items():
            yield f"{measure}_{end}", share
    yield "straddles_first_dose", visit.straddles_first_dose


_RATES: Final = (
    "retention",
    "completeness",
    "response",
    "remission",
    "response_of_eligible",
    "remission_of_eligible",
)
_INTERVALS: Final = ("retention_interval", "response_interval", "remission_interval")


def _inert(cell: Any) -> Any:
    """A cell that a spreadsheet shows and does not run; what is suppressed is empty."""
    if cell is None:
        return ""
    is_formula = isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n")
    return f"'{cell}" if is_formula else cell
