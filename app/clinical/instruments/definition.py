"""What a questionnaire is, once it has been read: frozen, worked out, with its sources."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


class Direction(StrEnum):
    """Which way is good news."""

    LOWER_IS_BETTER = "lower-is-better"
    HIGHER_IS_BETTER = "higher-is-better"


class Level(StrEnum):
    """How urgently someone should look. Ordered: none < low < moderate < high.

    `none` means that nothing was flagged; it never means that a person is safe.
    The comparisons are by urgency and not alphabetical, as those of plain text would be.
    """

    NONE = "none"
    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """0 for none to 3 for high."""
        return _LEVELS.index(self)

    def __lt__(self, other: str) -> bool:
        return self.rank < Level(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= Level(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > Level(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= Level(other).rank


_LEVELS = tuple(Level)

# The missing rules of answers: no total unless all is answered, or never a total.
EVERY_ITEM_REQUIRED = "every-item-required"
ITEMS_STAND_ALONE = "items-stand-alone"
# Those of a questionnaire whose items may not be shipped, so that only scores are entered.
EVERY_SCORE_REQUIRED = "every-score-required"
EXACTLY_ONE_SCORE = "exactly-one-score"

SUM = "sum"
MEAN = "mean"

# The language every definition is written in.
ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Option:
    """One answer to choose. `loinc` is the LOINC answer code (LA…), where there is one."""

    value: int
    label: str
    loinc: str | None


@dataclass(frozen=True, slots=True)
class Recall:
    """What time the questions ask about.

    days: whole days back from the moment of answering; 0 is right now.
    minimum_days_from_dose: earliest sensible time after a dose, in days. `source` and
        `convention` are about this number; the window itself is in the wording.
    """

    text: str
    days: int
    minimum_days_from_dose: int
    source: str
    convention: bool

    @property
    def measures_hours(self) -> bool:
        """Whether a change within hours of a dose can show at all."""
        return self.days == 0


@dataclass(frozen=True, slots=True)
class Band:
    """A named range of totals, both ends included, in points."""

    key: str
    label: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Threshold:
    """A clinical number and where it comes from; `convention` if that is ourselves."""

    value: int
    source: str
    convention: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What a series of whole numbers is measured on: a total, or one 0-10 item.

    minimum, maximum: points, both included.
    method, multiplier: how answers become points: their sum or mean, times this.
    source, convention: of the questions and of which direction is better.
    reliable_change: points; a change of at least this much is unlikely to be noise.
    response_percent: per cent of the baseline by which it has to improve.
    remission_below: points; remission is strictly less.
    eligible_from: points; response and remission mean something from this baseline up.
    caseness: points; a likely case from this total up.
    cited: (where it comes from, whether that is our convention) for all the scale says.
    direction: None where neither more nor less is better.
    """

    direction: Direction | None
    minimum: int
    maximum: int
    recall: Recall
    loinc: str | None
    source: str
    convention: bool
    bands: tuple[Band, ...] = ()
    bands_source: str | None = None
    bands_convention: bool = False
    method: str = SUM
    multiplier: int = 1
    reliable_change: Threshold | None = None
    response_percent: Threshold | None = None
    remission_below: Threshold | None = None
    eligible_from: Threshold | None = None
    caseness: Threshold | None = None
    cited: tuple[tuple[str, bool], ...] = field(init=False)

    def points(self, added_up: int, count: int) -> int | float:
        """The points of `count` answers that add up to this; whole whenever they can be."""
        points = added_up * self.multiplier
        return points if self.method == SUM else whole_if_it_is(points / count)

    def band(self, points: float) -> Band | None:
        """The band these points lie in; None when the scale has no bands."""
        for band in self.bands:
            if points <= band.high:
                return band
        return None

    def __post_init__(self) -> None:
        cited = [(f"Questions and direction: {self.source}", self.convention)]
        if self.bands_source is not None:
            cited.append((f"Bands: {self.bands_source}", self.bands_convention))
        for what, threshold in (
            ("Reliable change, {} points or more", self.reliable_change),
            ("Response, {} % better than the baseline", self.response_percent),
            ("Remission, fewer than {} points", self.remission_below),
            ("Response and remission, only from a baseline of {} points", self.eligible_from),
            ("Caseness, {} points or more", self.caseness),
        ):
            if threshold is not None:
                label = what.format(threshold.value)
                cited.append((f"{label}: {threshold.source}", threshold.convention))
        object.__setattr__(self, "cited", tuple(cited))


@dataclass(frozen=True, slots=True)
class Item:
    """One question, scored or extra.

    code: our own code, unique among all questionnaires, e.g. "phq-9.item-9".
    values: every answer that is accepted.
    options: the answers to choose from, in the order printed; empty for a 0-10 scale.
    low_label, high_label: the two ends of a 0-10 scale; None where there are options.
    direction: None for an unscored extra.
    scale: what a series of answers is measured on; None where the answers are words,
        because the distance between two words is not a number.
    """

    key: str
    code: str
    text: str
    loinc: str | None
    options: tuple[Option, ...]
    values: frozenset[int] | range
    low_label: str | None
    high_label: str | None
    direction: Direction | None
    scale: Scale | None

    @property
    def minimum(self) -> int:
        """The smallest answer accepted, in points."""
        return min(self.values)

    @property
    def maximum(self) -> int:
        """The largest answer accepted, in points."""
        return max(self.values)


@dataclass(frozen=True, slots=True)
class SuicideItem:
    """The item that asks about death or self-harm, and what each answer raises.

    position: index among the answers, from 0.
    levels: (answer, level) for every answer that raises a flag.
    """

    position: int
    levels: tuple[tuple[int, Level], ...]
    source: str
    convention: bool

    def level(self, answer: int) -> Level:
        """What this answer raises; `none` if it raises nothing."""
        return dict(self.levels).get(answer, Level.NONE)


@dataclass(frozen=True, slots=True)
class Triage:
    """A screener of yes/no questions (1/0), each of which raises a level by itself.

    All positions are indices among the answers, from 0.
    always: questions that everybody is asked.
    asked_after: (question, the questions that a yes to it leads to).
    levels: (question, what a yes to it raises), for every question.
    loinc, level_loinc: of the resulting level, and (level, LOINC answer code).
    """

    always: tuple[int, ...]
    asked_after: tuple[tuple[int, tuple[int, ...]], ...]
    levels: tuple[tuple[int, Level], ...]
    loinc: str | None
    level_loinc: tuple[tuple[Level, str], ...]
    source: str
    convention: bool

    def required(self, answers: Sequence[int | None]) -> list[int]:
        """The questions that have to be answered, given these answers; ascending."""
        due = set(self.always)
        for question, follow_ups in self.asked_after:
            if question < len(answers) and answers[question] == 1:
                due |= set(follow_ups)
        return sorted(due)


@dataclass(frozen=True, slots=True)
class Subscale:
    """Some of the items, added up on their own. minimum, maximum: points, both included."""

    key: str
    label: str
    positions: tuple[int, ...]
    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class TotalCut:
    """Met by a total of at least, or of at most, so many points; the other is None."""

    at_least: int | None
    at_most: int | None


@dataclass(frozen=True, slots=True)
class ItemPattern:
    """Met when each subscale has so many items answered with `counts_from` or more.

    needs: (subscale key, number of items).
    """

    counts_from: int
    needs: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class AnyItem:
    """Met by any one answer that is high enough. items: (position, smallest such answer)."""

    items: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class PercentOfMaximum:
    """Met when each of these subscales or scores has this share of its maximum, or more."""

    percent: int
    of: tuple[str, ...]


Rule: TypeAlias = TotalCut | ItemPattern | AnyItem | PercentOfMaximum


@dataclass(frozen=True, slots=True)
class Criterion:
    """A published yes-or-no reading of a score. It is a reason to look, not a diagnosis.

    raises: how urgently, where what it says is a danger to the body; None for all others.
    """

    key: str
    label: str
    rule: Rule
    source: str
    convention: bool
    raises: Level | None = None


@dataclass(frozen=True, slots=True)
class Skip:
    """An answer after which some questions need not be asked.

    position, answer: the question and the answer to it. Positions count from 0.
    skipped: the questions that may then be left out.
    scored_as: the points of one that is left out.
    """

    position: int
    answer: int
    skipped: tuple[int, ...]
    scored_as: int
    source: str
    convention: bool


@dataclass(frozen=True, slots=True)
class Rise:
    """A rise from one check to the next that somebody should look at.

    points: on any one of the items at `positions`. raises: how urgently, where it tells of a danger
        to the body; None for all others.
    """

    positions: tuple[int, ...]
    points: int
    source: str
    convention: bool
    raises: Level | None = None


@dataclass(frozen=True, slots=True)
class GivenScore:
    """A score that is entered, because its questions may not be shipped.

    minimum, maximum: points, both included. whole: whether only whole numbers are scores.
    direction: None where neither more nor less is better.
    """

    key: str
    label: str
    minimum: int
    maximum: int
    whole: bool
    direction: Direction | None


@dataclass(frozen=True, slots=True)
class Translation:
    """Where the words of a language come from, and who checked them."""

    source: str
    verified_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One version of one questionnaire, in one language.

    direction: None when each item or score has its own.
    missing: "every-item-required" (one unanswered item and there is no total) or
        "items-stand-alone" (there never is a total); for a questionnaire of which only
        scores are entered, "every-score-required" or "exactly-one-score".
    total: None when the items stand alone, or when the scores are no one scale.
    panel_loinc: the code of the questionnaire as a whole, which no score may carry.
    suicide_item, triage: both None when the questionnaire does not ask; never both.
    scores: what is entered instead of answers; there are then no items.
    offered_by_default: False for what stands under terms that a clinic should read first.
    languages: English and every translation.
    language, translation: of this object; English has no translation.
    translated: this questionnaire in each other language.
    source, convention: of the wording, the scoring and the direction.
    """

    key: str
    version: str
    title: str
    lead_in: str
    recall: Recall
    direction: Direction | None
    missing: str
    items: tuple[Item, ...]
    extras: tuple[Item, ...]
    panel_loinc: str | None
    total: Scale | None
    suicide_item: SuicideItem | None
    triage: Triage | None
    subscales: tuple[Subscale, ...]
    criteria: tuple[Criterion, ...]
    skips: tuple[Skip, ...]
    rise: Rise | None
    scores: tuple[GivenScore, ...]
    offered_by_default: bool
    languages: tuple[str, ...]
    licence: str
    notice: str
    source: str
    convention: bool
    language: str = ENGLISH
    translation: Translation | None = None
    translated: tuple["Instrument", ...] = field(default=(), repr=False)

    @property
    def is_score_only(self) -> bool:
        """Whether scores are entered here, and no answers."""
        return bool(self.scores)

    def in_language(self, tag: str) -> "Instrument":
        """This questionnaire in the best language for a BCP 47 tag: de-AT, else de, else English.

        Ask the English one; a translation knows only itself.
        """
        known = {one.language.lower(): one for one in self.translated}
        wanted = tag.lower().replace("_", "-")
        while wanted:
            if wanted in known:
                return known[wanted]
            wanted = wanted.rpartition("-")[0]
        return self

    def item(self, key: str) -> Item:
        """The scored item with this key. Raises: KeyError if there is none."""
        return {item.key: item for item in self.items}[key]

    def as_dict(self) -> dict[str, object]:
        """The whole definition as dicts, lists, text, numbers and None, new each time."""
        suicide = self.suicide_item
        return {
            "key": self.key,
            "version": self.version,
            "title": self.title,
            "lead_in": self.lead_in,
            "recall": {
                "text": self.recall.text,
                "days": self.recall.days,
                "measures_hours": self.recall.measures_hours,
                "minimum_days_from_dose": self.recall.minimum_days_from_dose,
                "source": self.recall.source,
                "convention": self.recall.convention,
            },
            "direction": self.direction and self.direction.value,
            "missing": self.missing,
            "items": [_item_as_dict(item) for item in self.items],
            "extras": [_item_as_dict(item) for item in self.extras],
            "panel_loinc": self.panel_loinc,
            "total": self.total and _total_as_dict(self.total),
            "suicide_item": suicide
            and {
                "item": self.items[suicide.position].key,
                "position": suicide.position,
                "levels": {str(answer): level.value for answer, level in suicide.levels},
                "source": suicide.source,
                "convention": suicide.convention,
            },
            "triage": self.triage and self._triage_as_dict(self.triage),
            "subscales": [
                {
                    "key": subscale.key,
                    "label": subscale.label,
                    "items": self._keys(subscale.positions),
                    "minimum": subscale.minimum,
                    "maximum": subscale.maximum,
                }
                for subscale in self.subscales
            ],
            "criteria": [self._criterion_as_dict(criterion) for criterion in self.criteria],
            "skips": [
                {
                    "item": self.items[skip.position].key,
                    "answer": skip.answer,
                    "skipped": self._keys(skip.skipped),
                    "scored_as": skip.scored_as,
                    "source": skip.source,
                    "convention": skip.convention,
                }
                for skip in self.skips
            ],
            "rise": self.rise
            and {
                "items": self._keys(self.rise.positions),
                "points": self.rise.points,
                "raises": self.rise.raises and self.rise.raises.value,
                "source": self.rise.source,
                "convention": self.rise.convention,
            },
            "scores": [
                {
                    "key": score.key,
                    "label": score.label,
                    "minimum": score.minimum,
                    "maximum": score.maximum,
                    "whole": score.whole,
                    "direction": score.direction and score.direction.value,
                }
                for score in self.scores
            ],
            "offered_by_default": self.offered_by_default,
            "language": self.language,
            "translation": self.translation
            and {
                "source": self.translation.source,
                "verified_by": self.translation.verified_by,
            },
            "languages": list(self.languages),
            "licence": self.licence,
            "notice": self.notice,
            "source": self.source,
            "convention": self.convention,
        }

    def _keys(self, positions: Sequence[int]) -> list[str]:
        return [self.items[position].key for position in positions]

    def _triage_as_dict(self, triage: Triage) -> dict[str, object]:
        return {
            "always": self._keys(triage.always),
            "asked_after": {
                self.items[question].key: self._keys(follow_ups)
                for question, follow_ups in triage.asked_after
            },
            "levels": {self.items[question].key: level.value for question, level in triage.levels},
            "loinc": triage.loinc,
            "level_loinc": {level.value: code for level, code in triage.level_loinc},
            "source": triage.source,
            "convention": triage.convention,
        }

    def _criterion_as_dict(self, criterion: Criterion) -> dict[str, object]:
        """Every member for every kind of rule, so that the shape does not depend on it."""
        as_dict: dict[str, object] = {
            "key": criterion.key,
            "label": criterion.label,
            "kind": "",
            "at_least": None,
            "at_most": None,
            "counts_from": None,
            "needs": {},
            "items": {},
            "percent": None,
            "of": [],
            "raises": criterion.raises and criterion.raises.value,
            "source": criterion.source,
            "convention": criterion.convention,
        }
        rule = criterion.rule
        own: dict[str, object]
        if isinstance(rule, TotalCut):
            own = {"kind": "total", "at_least": rule.at_least, "at_most": rule.at_most}
        elif isinstance(rule, ItemPattern):
            needs = dict(rule.needs)
            own = {"kind": "pattern", "counts_from": rule.counts_from, "needs": needs}
        elif isinstance(rule, AnyItem):
            named = {self.items[position].key: answer for position, answer in rule.items}
            own = {"kind": "any-item", "items": named}
        else:
            own = {"kind": "percent", "percent": rule.percent, "of": list(rule.of)}
        return as_dict | own


def whole_if_it_is(points: float) -> int | float:
    """The same number, as an int where it is whole: 4.0 is written 4."""
    return int(points) if float(points).is_integer() else points


def _item_as_dict(item: Item) -> dict[str, object]:
    return {
        "key": item.key,
        "code": item.code,
        "text": item.text,
        "loinc": item.loinc,
        "direction": item.direction and item.direction.value,
        "minimum": item.minimum,
        "maximum": item.maximum,
        "low_label": item.low_label,
        "high_label": item.high_label,
        "options": [
            {"value": option.value, "label": option.label, "loinc": option.loinc}
            for option in item.options
        ],
    }


def _total_as_dict(total: Scale) -> dict[str, object]:
    def threshold(of: Threshold | None) -> dict[str, object] | None:
        if of is None:
            return None
        return {"value": of.value, "source": of.source, "convention": of.convention}

    return {
        "loinc": total.loinc,
        "method": total.method,
        "multiplier": total.multiplier,
        "minimum": total.minimum,
        "maximum": total.maximum,
        "bands": [
            {"key": band.key, "label": band.label, "low": band.low, "high": band.high}
            for band in total.bands
        ],
        "bands_source": total.bands_source,
        "bands_convention": total.bands_convention,
        "reliable_change": threshold(total.reliable_change),
        "response_percent": threshold(total.response_percent),
        "remission_below": threshold(total.remission_below),
        "eligible_from": threshold(total.eligible_from),
        "caseness": threshold(total.caseness),
    }
