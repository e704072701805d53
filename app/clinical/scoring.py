"""Answers in, a score out; or a refusal that says which answer and never what it was.

Hides the missing rule and the checks. A total is the plain sum of the items. With one
answer missing there is no total at all: nothing is imputed, prorated or clamped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.clinical.instruments import Instrument, Item

# Stored with every score, so that an old total can be told from a new way of counting.
SCORING_VERSION = "1"


class AnswersRefused(ValueError):
    """Answers that this questionnaire cannot have.

    errors: (position from 0, or None for the number of answers; reason). The reasons are
        about what is accepted and never contain what was sent.
    """

    def __init__(self, errors: tuple[tuple[int | None, str], ...]) -> None:
        super().__init__("; ".join(reason for _, reason in errors))
        self.errors = errors


class ExtrasRefused(ValueError):
    """Answers to the unscored questions that this questionnaire cannot have.

    errors: (key, reason). The reasons never contain what was sent.
    """

    def __init__(self, errors: tuple[tuple[str, str], ...]) -> None:
        super().__init__("; ".join(reason for _, reason in errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Score:
    """total: points, or None when an answer is missing or the items stand alone.
    band: key of the band the total lies in, or None.
    complete: whether every scored item is answered.
    """

    total: int | None
    band: str | None
    complete: bool


def score(instrument: Instrument, answers: Sequence[int | None]) -> Score:
    """Score one questionnaire.

    answers: one per item, in the order of the items; None where unanswered.
    Raises: AnswersRefused for a wrong number of answers, an answer that is not offered,
        or one that is not a whole number (true, false and 2.0 are not).
    """
    if len(answers) != len(instrument.items):
        raise _refused(instrument, answers)
    points = 0
    complete = True
    for item, answer in zip(instrument.items, answers, strict=True):
        if answer is None:
            complete = False
        elif is_offered(item, answer):
            points += answer
        else:
            raise _refused(instrument, answers)
    scale = instrument.total
    if scale is None or not complete:
        return Score(None, None, complete)
    band = scale.band(points)
    return Score(points, None if band is None else band.key, True)


def check_extras(instrument: Instrument, extras: Mapping[str, int | None]) -> None:
    """Check the answers to the unscored questions; any of them may be left out or None.

    Raises: ExtrasRefused for a key this questionnaire has not, or an answer not offered.
    """
    asked = {extra.key: extra for extra in instrument.extras}
    errors = []
    for key, answer in extras.items():
        if key not in asked:
            errors.append((key, "is not a question of this questionnaire"))
        elif answer is not None and not is_offered(asked[key], answer):
            errors.append((key, not_offered(asked[key])))
    if errors:
        raise ExtrasRefused(tuple(errors))


def is_offered(item: Item, answer: object) -> bool:
    """Whether this is one of the item's answers, as a whole number."""
    # The exact type: True == 1 and 2.0 == 2, but neither is an answer anybody chose.
    return type(answer) is int and answer in item.values


def not_offered(item: Item) -> str:
    """The sentence for an answer that is not one of the item's."""
    if item.options:
        listed = ", ".join(str(value) for value in sorted(item.values))
        return f"must be one of {listed}, or null if not answered"
    return f"must be a whole number from {item.minimum} to {item.maximum}, or null if not answered"


def _refused(instrument: Instrument, answers: Sequence[int | None]) -> AnswersRefused:
    errors: list[tuple[int | None, str]] = []
    if len(answers) != len(instrument.items):
        errors.append((None, f"must have exactly {len(instrument.items)} answers"))
    for position, (item, answer) in enumerate(zip(instrument.items, answers, strict=False)):
        if answer is not None and not is_offered(item, answer):
            errors.append((position, not_offered(item)))
    return AnswersRefused(tuple(errors))
