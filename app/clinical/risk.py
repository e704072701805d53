"""Answers in, a finding out: does a person have to look, and how soon?

Hides which items ask and what each answer raises. It reads those items and nothing else,
so a half-filled questionnaire, or one whose other answers are wrong, flags exactly as a
complete one does. A finding says whether anybody was asked; a level of `none` is an answer
to one question and never a statement that a person is safe.

In a screener that triages, each yes counts by itself and the highest level holds, whatever
the other answers say. A question that a yes leads to, and that was left out, counts as a yes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.clinical.instruments import Instrument, Level, Triage
from app.clinical.scoring import AnswersRefused, is_offered, not_offered

__all__ = [
    "NOT_ASSESSED",
    "Finding",
    "Level",
    "RaisedRefused",
    "assess",
    "assess_body",
    "assess_rise",
    "check_raised",
    "together",
    "without_follow_up",
]

_NOT_ASSESSED_CODE = "not-assessed"
INCOMPLETE = "incomplete"
RAISED_BY_CLINIC = "raised-by-clinic"
NO_FOLLOW_UP = "no-follow-up"
RISEN = "rise"
"""How the reason ends of an item that rose since the check before."""
_NEXT = {
    Level.LOW: Level.MODERATE,
    Level.MODERATE: Level.HIGH,
    Level.HIGH: Level.HIGH,
}


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
    assessed: whether the question was asked and answered at all; of a screener, whether
        every question that everybody is asked was.
    reasons: codes such as "phq-9.item-9" of the answers that raise something; and
        "incomplete" if a question was left out that a yes leads to, "not-assessed",
        "raised-by-clinic".
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
    """Read the suicide item, or the questions of a screener, however little is answered.

    answers: by position; None where unanswered; may stop early.
    raised: a clinic's own level by answer, e.g. {"1": "moderate"}, or of a screener by the
        question that is answered with yes, e.g. {"item-3": "high"}. It can only raise: an
        entry that is lower, or cannot be read, changes nothing, so that a slip in a
        setting neither silences a flag nor stops a patient's check-in. `check_raised`
        reports such entries when the clinic saves them.
    Raises: AnswersRefused if one of these items' own answers is not one that is offered.
    """
    if instrument.triage is not None:
        return _triage(instrument, instrument.triage, answers, raised or {})
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


def assess_body(instrument: Instrument, criteria: Mapping[str, bool | None]) -> Finding:
    """A danger to the body among the criteria that are met: red bladder answers.

    criteria: as `scoring.score` found them.
    """
    met = [
        criterion
        for criterion in instrument.criteria
        if criterion.raises is not None and criteria.get(criterion.key)
    ]
    if not met:
        return NOT_ASSESSED
    level = max(criterion.raises for criterion in met if criterion.raises is not None)
    return Finding(level, False, tuple(f"{instrument.key}.{one.key}" for one in met))


def assess_rise(instrument: Instrument, risen: Sequence[str]) -> Finding:
    """A danger to the body in what rose from one check to the next.

    risen: codes of items, as `scoring.risen` found them.
    """
    rise = instrument.rise
    if rise is None or rise.raises is None or not risen:
        return NOT_ASSESSED
    return Finding(rise.raises, False, tuple(f"{code}.{RISEN}" for code in risen))


def together(*of_body: Finding) -> Finding:
    """Dangers to the body that one entry tells of, as one: the gravest level, every reason."""
    flagged = [one for one in of_body if one.flagged]
    if not flagged:
        return NOT_ASSESSED
    reasons = dict.fromkeys(reason for one in flagged for reason in one.reasons)
    return Finding(max(one.level for one in flagged), False, tuple(reasons))


def without_follow_up(finding: Finding) -> Finding:
    """A sign that nobody can ask further about is one level graver: our convention.

    For an item that asks a single question, where the clinic does not use the screener that
    would follow it.
    """
    if not finding.flagged:
        return finding
    level = max(finding.level, _NEXT[finding.level])
    return Finding(level, finding.assessed, (*finding.reasons, NO_FOLLOW_UP))


def check_raised(instrument: Instrument, raised: Mapping[str, str]) -> None:
    """Check a clinic's own levels before they are saved.

    Raises: RaisedRefused for an answer the suicide item does not offer or a question the
        screener does not ask, an unknown level, or a level below the shipped one.
    """
    suicide_item, triage = instrument.suicide_item, instrument.triage
    offered = {}
    what = "an answer to a suicide item"
    if suicide_item is not None:
        values = instrument.items[suicide_item.position].values
        offered = {str(value): suicide_item.level(value) for value in values}
    if triage is not None:
        what = "a question"
        offered = {instrument.items[position].key: level for position, level in triage.levels}
    errors = []
    for answer, word in raised.items():
        level = _readable(word)
        if answer not in offered:
            errors.append((answer, f"is not {what} of this questionnaire"))
        elif level is None:
            errors.append((answer, f"must be one of {', '.join(Level)}"))
        elif level < offered[answer]:
            errors.append((answer, f"may not be lower than {offered[answer]}"))
    if errors:
        raise RaisedRefused(tuple(errors))


def _triage(
    instrument: Instrument,
    triage: Triage,
    answers: Sequence[int | None],
    raised: Mapping[str, str],
) -> Finding:
    items = instrument.items
    given = [*answers[: len(items)], *[None] * (len(items) - len(answers))]
    wrong = [
        (position, not_offered(item))
        for position, (item, answer) in enumerate(zip(items, given, strict=True))
        if answer is not None and not is_offered(item, answer)
    ]
    if wrong:
        raise AnswersRefused(tuple(wrong))

    yes = [position for position, answer in enumerate(given) if answer == 1]
    left_out = [position for position in triage.required(given) if given[position] is None]
    # Source: our convention, on the safe side. The question was due and nobody knows the
    # answer; the wish to skip it is not a no.
    taken_for_yes = [position for position in left_out if position not in triage.always]
    assessed = not set(left_out) & set(triage.always)

    level = shipped = Level.NONE
    for position, own in triage.levels:
        if position in yes or position in taken_for_yes:
            shipped = max(shipped, own)
            level = max(level, own, _readable(raised.get(items[position].key)) or own)
    reasons = [items[position].code for position in yes]
    if taken_for_yes:
        reasons.append(INCOMPLETE)
    if not assessed:
        reasons.append(_NOT_ASSESSED_CODE)
    if level > shipped:
        reasons.append(RAISED_BY_CLINIC)
    return Finding(level, assessed, tuple(reasons))


def _readable(word: str | None) -> Level | None:
    return next((level for level in Level if level == word), None)
