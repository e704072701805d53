"""Answers on the command line, scored exactly as the server does."""

import json
from typing import Any

from app.clinical import risk, scoring
from app.clinical.instruments import Instrument

# One per item; or, of a questionnaire whose questions are not shipped, scores by key.
Sent = list[Any] | dict[str, Any]


def read_words(instrument: Instrument, words: list[str]) -> Sent | str:
    """What was typed: `2 2 1 -`, or `total=14` where scores are entered; or why it is neither."""
    if not instrument.is_score_only:
        return [_number(word) for word in words]
    scores: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key in scores:
            keys = ", ".join(kind.key for kind in instrument.scores)
            return f"each score must be written once, as in key=number; there are {keys}"
        scores[key] = _number(value)
    return scores


def score_one(instrument: Instrument, sent: Sent) -> dict[str, Any] | str:
    """Total, band, subscales, criteria and finding; or, as text, why these cannot be."""
    finding = risk.NOT_ASSESSED
    try:
        if isinstance(sent, dict):
            result = scoring.score_given(instrument, sent)
        else:
            result = scoring.score(instrument, sent)
            finding = risk.assess(instrument, sent)
    except scoring.AnswersRefused as refused:
        return "; ".join(
            reason if place is None else f"answer {place + 1} {reason}"
            for place, reason in refused.errors
        )
    except scoring.ScoresRefused as refused:
        return "; ".join(
            reason if key is None else f"{key} {reason}" for key, reason in refused.errors
        )
    return {
        "instrument": instrument.key,
        "instrument_version": instrument.version,
        "total": result.total,
        "band": result.band,
        "complete": result.complete,
        "subscales": result.subscales,
        "criteria": result.criteria,
        "finding": {
            "level": finding.level.value,
            "assessed": finding.assessed,
            "reasons": list(finding.reasons),
        },
    }


def score_line(instrument: Instrument, line: str) -> tuple[str, bool]:
    """One JSON array of answers, or object of scores, to one JSON result, and whether it worked.

    A bad line gives `{"error": …}` and does not stop the rest.
    """
    try:
        sent = json.loads(line)
        if not isinstance(sent, list | dict):
            raise TypeError
    except (ValueError, TypeError, RecursionError):
        what = "object of scores" if instrument.is_score_only else "array of answers"
        return json.dumps({"error": f"the line must be a JSON {what}"}), False
    result = score_one(instrument, sent)
    if isinstance(result, str):
        return json.dumps({"error": result}), False
    return json.dumps(result), True


def _number(word: str) -> Any:
    if word == "-":
        return None
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word  # refused by the scoring itself, which says why
