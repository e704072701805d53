"""Answers in, a score out; or a refusal that says which answer and never what it was.

Hides the missing rule and the checks. A total is the sum of the items, or what else the
questionnaire was published with. With one answer missing there is no total at all: nothing
is imputed, prorated or clamped.

A criterion is decided as soon as no missing answer could change it. That is no imputation:
one answer of "blood in the urine" is enough, whatever else was left out, and where the
missing answers matter the criterion stays undecided.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.clinical.instruments import (
    TOTAL,
    AnyItem,
    GivenScore,
    Instrument,
    Item,
    ItemPattern,
    Scale,
    TotalCut,
    whole_if_it_is,
)
from app.clinical.instruments.definition import EXACTLY_ONE_SCORE

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


class ScoresRefused(ValueError):
    """Scores that this questionnaire cannot have.

    errors: (key, or None for all of them; reason). The reasons never contain what was sent.
    """

    def __init__(self, errors: tuple[tuple[str | None, str], ...]) -> None:
        super().__init__("; ".join(reason for _, reason in errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Score:
    """total: points, or None when an answer is missing or the items stand alone.
    band: key of the band the total lies in, or None.
    complete: whether every scored item is answered, or need not be.
    subscales: points by key, None where an answer is missing.
    criteria: whether each is met, by key; None while missing answers could decide it.
    """

    total: int | float | None
    band: str | None
    complete: bool
    subscales: dict[str, int | float | None] = field(default_factory=dict)
    criteria: dict[str, bool | None] = field(default_factory=dict)


def score(instrument: Instrument, answers: Sequence[int | None]) -> Score:
    """Score one questionnaire.

    answers: one per item, in the order of the items; None where unanswered.
    Raises: AnswersRefused for a wrong number of answers, an answer that is not offered,
        or one that is not a whole number (true, false and 2.0 are not).
    """
    if instrument.is_score_only:
        raise AnswersRefused(((None, "must be left out: this questionnaire takes its scores"),))
    if len(answers) != len(instrument.items):
        raise _refused(instrument, answers)
    for item, answer in zip(instrument.items, answers, strict=True):
        if answer is not None and not is_offered(item, answer):
            raise _refused(instrument, answers)
    known = _with_skips(instrument, answers)
    if instrument.triage is None:
        complete = None not in known
    else:
        complete = all(answers[at] is not None for at in instrument.triage.required(answers))

    possible = [
        _Range(item.minimum, item.maximum) if answer is None else _Range(answer, answer)
        for item, answer in zip(instrument.items, known, strict=True)
    ]
    parts = {
        subscale.key: _added_up([possible[position] for position in subscale.positions])
        for subscale in instrument.subscales
    }
    total = band = None
    reached = None
    if instrument.total is not None:
        reached = _points(instrument.total, possible)
        total = reached.known
        band = None if total is None else instrument.total.band(total)
    return Score(
        total,
        None if band is None else band.key,
        complete,
        {key: part.known for key, part in parts.items()},
        _criteria(instrument, reached, possible, parts),
    )


def score_given(instrument: Instrument, scores: Mapping[str, int | float | None]) -> Score:
    """Check and read the scores of a questionnaire whose questions may not be shipped.

    scores: by key; left out or None where there is none.
    Returns: a score called "total" as `total`, all others as `subscales`.
    Raises: ScoresRefused for a key this questionnaire has not, a number out of its range,
        what is no number (true and false are none), more scores than it takes, or a
        questionnaire that takes answers.
    """
    if not instrument.is_score_only:
        raise ScoresRefused(((None, "must be left out: this questionnaire takes answers"),))
    kinds = {kind.key: kind for kind in instrument.scores}
    errors: list[tuple[str | None, str]] = []
    for key, given in scores.items():
        if key not in kinds:
            errors.append((key, "is not a score of this questionnaire"))
        elif given is not None and not _is_in_range(kinds[key], given):
            errors.append((key, _out_of_range(kinds[key])))
    known = {key: scores.get(key) for key in kinds}
    there = [given for given in known.values() if given is not None]
    if instrument.missing == EXACTLY_ONE_SCORE and len(there) > 1:
        errors.append((None, f"must be exactly one of {', '.join(kinds)}"))
    if errors:
        raise ScoresRefused(tuple(errors))

    possible = {
        key: _Range(kind.minimum, kind.maximum) if given is None else _Range.at(given)
        for (key, kind), given in zip(kinds.items(), known.values(), strict=True)
    }
    needed = 1 if instrument.missing == EXACTLY_ONE_SCORE else len(kinds)
    reached = possible.pop(TOTAL, None)
    total = None if reached is None or known[TOTAL] is None else reached.known
    band = None
    if total is not None and instrument.total is not None:
        band = instrument.total.band(total)
    return Score(
        total,
        None if band is None else band.key,
        len(there) == needed,
        {key: None if known[key] is None else part.known for key, part in possible.items()},
        _criteria(instrument, reached, [], possible),
    )


def risen(
    instrument: Instrument, earlier: Sequence[int | None], later: Sequence[int | None]
) -> tuple[str, ...]:
    """The codes of the items that rose from one check to the next as far as somebody should see.

    earlier, later: answers by position; may stop early. An item that was left out in either
        is not compared.
    Returns: codes such as "bladder.pain-or-burning"; empty for a questionnaire without
        such a rule.
    """
    rise = instrument.rise
    if rise is None:
        return ()
    found = []
    for position in rise.positions:
        if position < min(len(earlier), len(later)):
            before, now = earlier[position], later[position]
            if before is not None and now is not None and now - before >= rise.points:
                found.append(instrument.items[position].code)
    return tuple(found)


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


@dataclass(frozen=True, slots=True)
class _Range:
    """What a number can still be; its two ends are the same once it is known."""

    low: float
    high: float

    @classmethod
    def at(cls, number: float) -> "_Range":
        number = whole_if_it_is(number)
        return cls(number, number)

    @property
    def known(self) -> float | None:
        return self.low if self.low == self.high else None

    def reaches(self, number: float) -> bool | None:
        """Whether it is at least this; None if that is not known yet."""
        if self.low >= number:
            return True
        return False if self.high < number else None


def _with_skips(instrument: Instrument, answers: Sequence[int | None]) -> list[int | None]:
    """The answers, with the points of those that need not have been asked for."""
    known = list(answers)
    for skip in instrument.skips:
        if known[skip.position] == skip.answer:
            for position in skip.skipped:
                if known[position] is None:
                    known[position] = skip.scored_as
    return known


def _added_up(possible: Sequence[_Range]) -> _Range:
    return _Range(sum(one.low for one in possible), sum(one.high for one in possible))


def _points(scale: Scale, possible: Sequence[_Range]) -> _Range:
    added_up = _added_up(possible)
    return _Range(
        scale.points(int(added_up.low), len(possible)),
        scale.points(int(added_up.high), len(possible)),
    )


def _criteria(
    instrument: Instrument,
    total: _Range | None,
    items: Sequence[_Range],
    parts: Mapping[str, _Range],
) -> dict[str, bool | None]:
    """parts: subscales or given scores, by key."""
    maxima = {subscale.key: subscale.maximum for subscale in instrument.subscales}
    maxima |= {kind.key: kind.maximum for kind in instrument.scores}
    met: dict[str, bool | None] = {}
    for criterion in instrument.criteria:
        rule = criterion.rule
        if isinstance(rule, TotalCut):
            assert total is not None
            met[criterion.key] = _cut(total, rule)
        elif isinstance(rule, ItemPattern):
            met[criterion.key] = _pattern(instrument, rule, items)
        elif isinstance(rule, AnyItem):
            met[criterion.key] = _any(
                [items[position].reaches(answer) for position, answer in rule.items]
            )
        else:
            # Whole numbers on both sides: 60 % of 75 is 45 exactly.
            met[criterion.key] = _all(
                [
                    _Range(parts[key].low * 100, parts[key].high * 100).reaches(
                        rule.percent * maxima[key]
                    )
                    for key in rule.of
                ]
            )
    return met


def _cut(total: _Range, cut: TotalCut) -> bool | None:
    if cut.at_least is not None:
        return total.reaches(cut.at_least)
    assert cut.at_most is not None
    if total.high <= cut.at_most:
        return True
    return False if total.low > cut.at_most else None


def _pattern(instrument: Instrument, pattern: ItemPattern, items: Sequence[_Range]) -> bool | None:
    needs = dict(pattern.needs)
    enough = []
    for subscale in instrument.subscales:
        if subscale.key in needs:
            counts = [items[at].reaches(pattern.counts_from) for at in subscale.positions]
            sure, possible = counts.count(True), len(counts) - counts.count(False)
            enough.append(_Range(sure, possible).reaches(needs[subscale.key]))
    return _all(enough)


def _all(parts: Sequence[bool | None]) -> bool | None:
    if False in parts:
        return False
    return None if None in parts else True


def _any(parts: Sequence[bool | None]) -> bool | None:
    if True in parts:
        return True
    return None if None in parts else False


def _is_in_range(kind: GivenScore, given: object) -> bool:
    # The exact types: true is no score. What is not a number is in no range.
    if type(given) is float:
        return not kind.whole and kind.minimum <= given <= kind.maximum
    return type(given) is int and kind.minimum <= given <= kind.maximum


def _out_of_range(kind: GivenScore) -> str:
    what = "a whole number" if kind.whole else "a number"
    return f"must be {what} from {kind.minimum} to {kind.maximum}, or null if there is none"
