"""What a questionnaire is, once it has been read: frozen, worked out, with its sources."""

from dataclasses import dataclass, field
from enum import StrEnum


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

# The two missing rules: no total unless all is answered, or never a total.
EVERY_ITEM_REQUIRED = "every-item-required"
ITEMS_STAND_ALONE = "items-stand-alone"


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
    source, convention: of the questions and of which direction is better.
    reliable_change: points; a change of at least this much is unlikely to be noise.
    response_percent: per cent of the baseline by which it has to improve.
    remission_below: points; remission is strictly less.
    eligible_from: points; response and remission mean something from this baseline up.
    caseness: points; a likely case from this total up.
    cited: (where it comes from, whether that is our convention) for all the scale says.
    """

    direction: Direction
    minimum: int
    maximum: int
    recall: Recall
    loinc: str | None
    source: str
    convention: bool
    bands: tuple[Band, ...] = ()
    bands_source: str | None = None
    bands_convention: bool = False
    reliable_change: Threshold | None = None
    response_percent: Threshold | None = None
    remission_below: Threshold | None = None
    eligible_from: Threshold | None = None
    caseness: Threshold | None = None
    cited: tuple[tuple[str, bool], ...] = field(init=False)

    def band(self, points: int) -> Band | None:
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
class Instrument:
    """One version of one questionnaire.

    direction: None when each item has its own.
    missing: "every-item-required" (one unanswered item and there is no total) or
        "items-stand-alone" (there never is a total).
    total: None when the items stand alone.
    panel_loinc: the code of the questionnaire as a whole, which no score may carry.
    suicide_item: None when the questionnaire does not ask.
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
    languages: tuple[str, ...]
    licence: str
    notice: str
    source: str
    convention: bool

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
            "languages": list(self.languages),
            "licence": self.licence,
            "notice": self.notice,
            "source": self.source,
            "convention": self.convention,
        }


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
