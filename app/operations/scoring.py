"""Answers on the command line, scored exactly as the server does."""

import json
from typing import Any

from app.clinical import risk, scoring
from app.clinical.instruments import Instrument


def score_one(instrument: Instrument, answers: list[Any]) -> dict[str, Any] | str:
    """Total, band and finding; or, as text, why these answers cannot be."""
    try:
        result = scoring.score(instrument, answers)
        finding = risk.assess(instrument, answers)
    except scoring.AnswersRefused as refused:
        return "; ".join(
            reason if place is None else f"answer {place + 1} {reason}"
            for place, reason in refused.errors
        )
    return {
        "instrument": instrument.key,
        "instrument_version": instrument.version,
        "total": result.total,
        "band": result.band,
        "complete": result.complete,
        "finding": {
            "level": finding.level.value,
            "assessed": finding.assessed,
            "reasons": list(finding.reasons),
        },
    }


def score_line(instrument: Instrument, line: str) -> tuple[str, bool]:
    """One JSON array of answers to one JSON result, and whether it could be scored.

    A bad line gives `{"error": …}` and does not stop the rest.
    """
    try:
        answers = json.loads(line)
        if not isinstance(answers, list):
            raise TypeError
    except (ValueError, TypeError, RecursionError):
        return json.dumps({"error": "the line must be a JSON array of answers"}), False
    result = score_one(instrument, answers)
    if isinstance(result, str):
        return json.dumps({"error": result}), False
    return json.dumps(result), True
