"""Answers in, a finding out: does a person have to look, and how soon?

Hides which item asks and what each answer raises. It reads that one item and nothing
else, so a half-filled questionnaire, or one whose other answers are wrong, flags exactly
as a complete one does. A finding says whether anybody was asked; a level of `none` is an
answer to one question and never a statement that a person is safe.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.clinical.instruments import Instrument, Level
from app.clinical.scoring import AnswersRefused, is_offered, not_offered

__all__ = ["NOT_ASSESSED", "Finding", "Level", "RaisedRefused", "assess", "check_raised"]

_NOT_ASSESSED_CODE = "not-assessed"
RAISED_BY_CLINIC = "raised-by-clinic"


class RaisedRefused(ValueError):
    """A clinic's own levels that cannot be used.

    errors: (answer as the clinic wrote it, reason).
    """

    def __init__(self, errors: tuple[tuple[str, str], ...]) -> None:
        super().__init__("; ".join(reason for _, reason in errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Finding:
    """level: how urgently someone should look.
    assessed: whether the question was asked and answered at all.
    reasons: codes such as "phq-9.item-9"; empty when the answer raises nothing.
    """

    level: Level
    assessed: bool
    reasons: tuple[str, ...]

    @property
    def flagged(self) -> bool:
        """Whether a person has to look."""
        return self.level is not Level.NONE


NOT_ASSESSED = Finding(Level.NONE, False, (_NOT_ASSESSED_CODE,))


def assess(
    instrument: Instrument,
    answers: Sequence[int | None],
    raised: Mapping[str, str] | None = None,
) -> Finding:
    """Read the suicide item, however little else is answered.

    answers: by position; None where unanswered; may stop early.
    raised: a clinic's own level by answer, e.g. {"1": "moderate"}. It can only raise: an
        entry that is lower, or cannot be read, changes nothing, so that a slip in a
        setting neither silences a flag nor stops a patient's check-in. `check_raised`
        reports such entries when the clinic saves them.
    Raises: AnswersRefused if the suicide item's own answer is not one that is offered.
    """
    suicide_item = instrument.suicide_item
    if suicide_item is None or suicide_item.position >= len(answers):
        return NOT_ASSESSED
    answer = answers[suicide_item.position]
    if answer is None:
        return NOT_ASSESSED
    item = instrument.items[suicide_item.position]
    if not is_offered(item, answer):
        raise AnswersRefused(((suicide_item.position, not_offered(item)),))

    shipped = suicide_item.level(answer)
    level = max(shipped, _readable((raised or {}).get(str(answer))) or shipped)
    if level is Level.NONE:
        return Finding(level, True, ())
    if level > shipped:
        return Finding(level, True, (item.code, RAISED_BY_CLINIC))
    return Finding(level, True, (item.code,))


def check_raised(instrument: Instrument, raised: Mapping[str, str]) -> None:
    """Check a clinic's own levels before they are saved.

    Raises: RaisedRefused for an answer the suicide item does not offer, an unknown level,
        or a level below the shipped one.
    """
    suicide_item = instrument.suicide_item
    offered = {}
    if suicide_item is not None:
        values = instrument.items[suicide_item.position].values
        offered = {str(value): suicide_item.level(value) for value in values}
    errors = []
    for answer, word in raised.items():
        level = _readable(word)
        if answer not in offered:
            errors.append((answer, "is not an answer to a suicide item of this questionnaire"))
        elif level is None:
            errors.append((answer, f"must be one of {', '.join(Level)}"))
        elif level < offered[answer]:
            errors.append((answer, f"may not be lower than {offered[answer]}"))
    if errors:
        raise RaisedRefused(tuple(errors))


def _readable(word: str | None) -> Level | None:
    return next((level for level in Level if level == word), None)
