"""From the text of one TOML file to an `Instrument`, or a refusal.

A definition is refused rather than repaired: a gap between two bands or a miscopied code
would otherwise surface years later as a wrong chart. A refusal names the file and the key
for whoever wrote it, which may be a clinic.
"""

import re
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from app.clinical.instruments.definition import (
    EVERY_ITEM_REQUIRED,
    ITEMS_STAND_ALONE,
    Band,
    Direction,
    Instrument,
    Item,
    Level,
    Option,
    Recall,
    Scale,
    SuicideItem,
    Threshold,
)


class DefinitionRefused(ValueError):
    """A questionnaire definition is wrong; the message names the file and the key."""


def parse(toml_text: str, name: str) -> Instrument:
    """Read one definition.

    name: what the refusal calls it, usually the file's name.
    Raises: DefinitionRefused, naming the file and the key, at the first thing wrong.
    """
    try:
        content = tomllib.loads(toml_text)
    except (ValueError, RecursionError) as error:
        raise DefinitionRefused(f"{name}: cannot be read as TOML: {error}") from error
    return _instrument(_Table(name, "", content))


# Panels: the code of a questionnaire as a whole, circulating as the code of its score.
# Source: LOINC, for PHQ-9, GAD-7, the C-SSRS screener and AUDIT-C, in this order.
_PANELS = frozenset({"44249-1", "69737-5", "93373-9", "72109-2"})

# No answer of any questionnaire in use is larger; it catches a slip of the keyboard.
_LARGEST_ANSWER = 100

_KINDS: dict[type, str] = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
}


def has_valid_check_digit(loinc: str) -> bool:
    """Whether a LOINC code is well formed; a right digit does not prove the meaning.

    Only for LOINC terms: answer (LA) and list (LL) codes do not follow this rule.
    Source: LOINC Users' Guide, mod 10 (Luhn) over the digits before the dash.
    """
    if not re.fullmatch(r"[0-9]{1,7}-[0-9]", loinc):
        return False
    digits, check = loinc.split("-")
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(digits[::-1], 1)]
    return (sum(n // 10 + n % 10 for n in doubled) + int(check)) % 10 == 0


_T = TypeVar("_T")


class _Table:
    """One TOML table, taken apart key by key, so that what is left over is unknown.

    path: how a refusal names the table; entries of a list are counted from 1.
    """

    def __init__(self, name: str, path: str, content: dict[str, object]) -> None:
        self.name = name
        self.path = path
        self._left = dict(content)

    def refuse(self, key: str, why: str) -> NoReturn:
        raise DefinitionRefused(f"{self.name}: {self.path}{key}: {why}")

    def has(self, key: str) -> bool:
        return key in self._left

    def _take(self, key: str, kind: type[_T]) -> _T:
        if key not in self._left:
            self.refuse(key, "is missing")
        value = self._left.pop(key)
        # The exact type, because true would otherwise pass for the number 1.
        if type(value) is not kind:
            self.refuse(key, f"must be {_KINDS[kind]}")
        return value

    def text(self, key: str) -> str:
        text = self._take(key, str).strip()
        if not text:
            self.refuse(key, "must not be empty")
        return text

    def one_of(self, key: str, words: Collection[str]) -> str:
        text = self.text(key)
        if text not in words:
            self.refuse(key, f"must be one of {', '.join(words)}")
        return text

    def slug(self, key: str) -> str:
        text = self.text(key)
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text):
            self.refuse(key, "must be lower-case letters, digits and single hyphens")
        return text

    def loinc(self, key: str) -> str | None:
        """The LOINC term under this key, if there is one."""
        if not self.has(key):
            return None
        code = self.text(key)
        if not has_valid_check_digit(code):
            self.refuse(key, "is not a LOINC code: the check digit does not match")
        return code

    def score_loinc(self, key: str, panel: str | None) -> str | None:
        """The LOINC term of something with a value, which a panel has not."""
        code = self.loinc(key)
        if code is not None and (code == panel or code in _PANELS):
            self.refuse(key, "is the code of a panel, which is not a score")
        return code

    def whole_number(self, key: str, low: int, high: int) -> int:
        number = self._take(key, int)
        if not low <= number <= high:
            self.refuse(key, f"must be from {low} to {high}")
        return number

    def truth(self, key: str) -> bool:
        return self._take(key, bool)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of at least one text."""
        values = self._take(key, list)
        if not values or not all(isinstance(value, str) and value for value in values):
            self.refuse(key, "must be a list of texts")
        return tuple(values)

    def table(self, key: str) -> "_Table":
        return _Table(self.name, f"{self.path}{key}.", self._take(key, dict))

    def tables(self, key: str) -> list["_Table"]:
        """A list of at least one table."""
        values = self._take(key, list)
        if not values or not all(isinstance(value, dict) for value in values):
            self.refuse(key, "must be a list of tables")
        return [
            _Table(self.name, f"{self.path}{key} #{count}.", value)
            for count, value in enumerate(values, 1)
        ]

    def close(self) -> None:
        """Raises: DefinitionRefused if any key was not asked for."""
        for key in self._left:
            self.refuse(key, "is not a key this file may have")


@dataclass(frozen=True, slots=True)
class _Common:
    """What the questions of one questionnaire share."""

    key: str
    recall: Recall
    options: tuple[Option, ...]
    panel_loinc: str | None
    source: str
    convention: bool


def _instrument(table: _Table) -> Instrument:
    common = _Common(
        key=table.slug("key"),
        recall=_recall(table.table("recall")),
        options=_options(table) if table.has("options") else (),
        panel_loinc=table.loinc("panel_loinc"),
        source=table.text("source"),
        convention=table.truth("convention"),
    )
    direction = _direction(table) if table.has("direction") else None
    items = []
    for entry in table.tables("items"):
        if entry.has("direction") is not (direction is None):
            entry.refuse("direction", "belongs either to the whole questionnaire or to every item")
        items.append(_item(entry, common, direction or _direction(entry)))
    extras = []
    if table.has("extras"):
        extras = [_item(entry, common, None) for entry in table.tables("extras")]
    _refuse_duplicates(table, "items", "key", [item.key for item in items + extras])
    _refuse_duplicates(table, "items", "LOINC code", [i.loinc for i in items + extras if i.loinc])

    missing = table.one_of("missing", (EVERY_ITEM_REQUIRED, ITEMS_STAND_ALONE))
    if table.has("total") is not (missing == EVERY_ITEM_REQUIRED):
        table.refuse("missing", f"must be {ITEMS_STAND_ALONE} exactly when there is no total")
    total = None
    if table.has("total"):
        if direction is None:
            table.refuse("direction", "is missing: a total has one for the whole questionnaire")
        total = _total(table.table("total"), common, direction, items)
    suicide_item = None
    if table.has("suicide_item"):
        suicide_item = _suicide_item(table.table("suicide_item"), items)

    instrument = Instrument(
        key=common.key,
        version=table.text("version"),
        title=table.text("title"),
        lead_in=table.text("lead_in"),
        recall=common.recall,
        direction=direction,
        missing=missing,
        items=tuple(items),
        extras=tuple(extras),
        panel_loinc=common.panel_loinc,
        total=total,
        suicide_item=suicide_item,
        languages=table.texts("languages"),
        licence=table.text("licence"),
        notice=table.text("notice"),
        source=common.source,
        convention=common.convention,
    )
    table.close()
    return instrument


def _refuse_duplicates(table: _Table, key: str, what: str, values: Sequence[str | int]) -> None:
    if len(set(values)) < len(values):
        table.refuse(key, f"two of them have the same {what}")


def _direction(table: _Table) -> Direction:
    return Direction(table.one_of("direction", tuple(Direction)))


def _recall(table: _Table) -> Recall:
    recall = Recall(
        text=table.text("text"),
        days=table.whole_number("days", 0, 366),
        minimum_days_from_dose=table.whole_number("minimum_days_from_dose", 0, 366),
        source=table.text("source"),
        convention=table.truth("convention"),
    )
    table.close()
    return recall


def _options(table: _Table) -> tuple[Option, ...]:
    options = []
    for entry in table.tables("options"):
        answer_code = entry.text("loinc") if entry.has("loinc") else None
        if answer_code is not None and not re.fullmatch(r"LA[0-9]+-[0-9]", answer_code):
            entry.refuse("loinc", "is not a LOINC answer code (LA…)")
        value = entry.whole_number("value", 0, _LARGEST_ANSWER)
        options.append(Option(value=value, label=entry.text("label"), loinc=answer_code))
        entry.close()
    _refuse_duplicates(table, "options", "value", [option.value for option in options])
    return tuple(options)


def _item(table: _Table, common: _Common, direction: Direction | None) -> Item:
    """One question; `direction` is None for an unscored extra."""
    key, text = table.slug("key"), table.text("text")
    loinc = table.score_loinc("loinc", common.panel_loinc)
    options: tuple[Option, ...] = ()
    low_label = high_label = scale = None
    values: frozenset[int] | range
    if table.has("scale"):
        ends = table.table("scale")
        low = ends.whole_number("low", 0, _LARGEST_ANSWER - 1)
        high = ends.whole_number("high", low + 1, _LARGEST_ANSWER)
        low_label, high_label = ends.text("low_label"), ends.text("high_label")
        ends.close()
        values = range(low, high + 1)
        if direction is not None:
            scale = Scale(
                direction=direction,
                minimum=low,
                maximum=high,
                recall=common.recall,
                loinc=loinc,
                source=common.source,
                convention=common.convention,
            )
    else:
        options = _options(table) if table.has("options") else common.options
        if not options:
            table.refuse("options", "is missing, and so is a scale")
        values = frozenset(option.value for option in options)
    table.close()
    return Item(
        key=key,
        code=f"{common.key}.{key}",
        text=text,
        loinc=loinc,
        options=options,
        values=values,
        low_label=low_label,
        high_label=high_label,
        direction=direction,
        scale=scale,
    )


def _total(table: _Table, common: _Common, direction: Direction, items: list[Item]) -> Scale:
    low = sum(item.minimum for item in items)
    high = sum(item.maximum for item in items)
    bands: tuple[Band, ...] = ()
    bands_source, bands_convention = None, False
    if table.has("bands"):
        named = table.table("bands")
        bands = _bands(named, low, high)
        bands_source, bands_convention = named.text("source"), named.truth("convention")
        named.close()
    if direction is Direction.HIGHER_IS_BETTER:
        for key in ("remission_below", "eligible_from", "caseness"):
            if table.has(key):
                table.refuse(key, "is only defined where lower is better")
    scale = Scale(
        direction=direction,
        minimum=low,
        maximum=high,
        recall=common.recall,
        loinc=table.score_loinc("loinc", common.panel_loinc),
        source=common.source,
        convention=common.convention,
        bands=bands,
        bands_source=bands_source,
        bands_convention=bands_convention,
        reliable_change=_threshold(table, "reliable_change", 1, high - low),
        response_percent=_threshold(table, "response_percent", 1, 100),
        remission_below=_threshold(table, "remission_below", low + 1, high),
        eligible_from=_threshold(table, "eligible_from", low, high),
        caseness=_threshold(table, "caseness", low, high),
    )
    table.close()
    return scale


def _bands(table: _Table, low: int, high: int) -> tuple[Band, ...]:
    """The bands in order, which together cover every total exactly once."""
    bands: list[Band] = []
    expected = low
    for step in table.tables("steps"):
        band = Band(
            key=step.slug("key"),
            label=step.text("label"),
            low=step.whole_number("low", low, high),
            high=step.whole_number("high", low, high),
        )
        if band.low < expected:
            step.refuse("low", "overlaps the band before it, or the bands are out of order")
        if band.low > expected:
            step.refuse("low", "leaves a gap that no band covers")
        if band.high < band.low:
            step.refuse("high", "is below the low end")
        step.close()
        bands.append(band)
        expected = band.high + 1
    if expected <= high:
        table.refuse("steps", "leave a gap at the top that no band covers")
    _refuse_duplicates(table, "steps", "key", [band.key for band in bands])
    return tuple(bands)


def _threshold(table: _Table, key: str, low: int, high: int) -> Threshold | None:
    if not table.has(key):
        return None
    entry = table.table(key)
    threshold = Threshold(
        value=entry.whole_number("value", low, high),
        source=entry.text("source"),
        convention=entry.truth("convention"),
    )
    entry.close()
    return threshold


def _suicide_item(table: _Table, items: list[Item]) -> SuicideItem:
    keys = [item.key for item in items]
    position = keys.index(table.one_of("item", keys))
    mapping = table.table("levels")
    raising = [level.value for level in Level if level is not Level.NONE]
    levels: list[tuple[int, Level]] = []
    for value in sorted(items[position].values):
        if mapping.has(str(value)):
            level = Level(mapping.one_of(str(value), raising))
            if levels and level < levels[-1][1]:
                mapping.refuse(str(value), "is a lower level than a lesser answer has")
            levels.append((value, level))
    if not levels:
        table.refuse("levels", "must raise a level for at least one answer")
    mapping.close()
    suicide_item = SuicideItem(
        position=position,
        levels=tuple(levels),
        source=table.text("source"),
        convention=table.truth("convention"),
    )
    table.close()
    return suicide_item
