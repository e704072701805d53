"""From the text of one TOML file to an `Instrument`, or a refusal.

A definition is refused rather than repaired: a gap between two bands or a miscopied code
would otherwise surface years later as a wrong chart. A refusal names the file, the line and
the key for whoever wrote it, which may be a clinic.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from app.clinical.instruments.definition import (
    ENGLISH,
    EVERY_ITEM_REQUIRED,
    EVERY_SCORE_REQUIRED,
    EXACTLY_ONE_SCORE,
    ITEMS_STAND_ALONE,
    MEAN,
    SUM,
    Band,
    Direction,
    GivenScore,
    Instrument,
    Item,
    Option,
    Recall,
    Scale,
    Threshold,
)
from app.clinical.instruments.rules import (
    read_criteria,
    read_rise,
    read_skips,
    read_subscales,
    read_suicide_item,
    read_triage,
)
from app.clinical.instruments.table import Table, read_table, refuse_duplicates
from app.clinical.instruments.translations import read_translations

# No answer of any questionnaire in use is larger; it catches a slip of the keyboard.
_LARGEST_ANSWER = 100
_LARGEST_SCORE = 10_000
_LARGEST_MULTIPLIER = 100

# What a check-in may carry.
_MOST_ITEMS = 200
_MOST_EXTRAS = 20
_LONGEST_VERSION = 16

# The key of a score that is the total of a questionnaire.
TOTAL = "total"


def parse(toml_text: str, name: str, reserved: Collection[str] = ()) -> Instrument:
    """Read one definition.

    name: what the refusal calls it, usually the file's name.
    reserved: keys that it may not have, because they are others'.
    Raises: DefinitionRefused, naming file, line and key, at the first thing wrong.
    """
    return _instrument(read_table(toml_text, name), reserved)


@dataclass(frozen=True, slots=True)
class _Common:
    """What the questions of one questionnaire share."""

    key: str
    recall: Recall
    options: tuple[Option, ...]
    panel_loinc: str | None
    source: str
    convention: bool


def _instrument(table: Table, reserved: Collection[str]) -> Instrument:
    common = _Common(
        key=table.slug("key"),
        recall=_recall(table.table("recall")),
        options=_options(table) if table.has("options") else (),
        panel_loinc=table.loinc("panel_loinc"),
        source=table.text("source"),
        convention=table.truth("convention"),
    )
    if common.key in reserved:
        table.refuse("key", "is the key of a questionnaire that comes with Afterglow")
    if table.has("scores") and (table.has("items") or table.has("extras")):
        table.refuse("scores", "are entered instead of items, not beside them")
    direction = _direction(table) if table.has("direction") else None
    scores = _scores(table, direction)
    items, extras = ([], []) if scores else _questions(table, common, direction)

    missing = table.one_of(
        "missing",
        (EVERY_SCORE_REQUIRED, EXACTLY_ONE_SCORE)
        if scores
        else (EVERY_ITEM_REQUIRED, ITEMS_STAND_ALONE),
    )
    total = _any_total(table, common, direction, items, scores, missing)
    subscales = read_subscales(table, items)
    instrument = Instrument(
        key=common.key,
        version=table.text("version", _LONGEST_VERSION),
        title=table.text("title"),
        lead_in=table.text("lead_in"),
        recall=common.recall,
        direction=direction,
        missing=missing,
        items=tuple(items),
        extras=tuple(extras),
        panel_loinc=common.panel_loinc,
        total=total,
        suicide_item=read_suicide_item(table, items),
        triage=read_triage(table, items),
        subscales=subscales,
        criteria=read_criteria(table, items, total, subscales, scores),
        skips=read_skips(table, items),
        rise=read_rise(table, items),
        scores=scores,
        offered_by_default=table.truth("offered_by_default")
        if table.has("offered_by_default")
        else True,
        languages=(ENGLISH,),
        licence=table.text("licence"),
        notice=table.text("notice"),
        source=common.source,
        convention=common.convention,
    )
    if instrument.suicide_item is not None and instrument.triage is not None:
        table.refuse("triage", "and a suicide item cannot both say what an answer raises")
    translated = read_translations(table, instrument, common.options)
    languages = (ENGLISH, *(one.language for one in translated))
    if set(table.texts("languages")) != set(languages):
        table.refuse("languages", f"must be {ENGLISH} and every translation, and nothing else")
    table.close()
    return replace(
        instrument,
        languages=languages,
        translated=tuple(replace(one, languages=languages) for one in translated),
    )


def _direction(table: Table) -> Direction:
    return Direction(table.one_of("direction", tuple(Direction)))


def _recall(table: Table) -> Recall:
    recall = Recall(
        text=table.text("text"),
        days=table.whole_number("days", 0, 366),
        minimum_days_from_dose=table.whole_number("minimum_days_from_dose", 0, 366),
        source=table.text("source"),
        convention=table.truth("convention"),
    )
    table.close()
    return recall


def _questions(
    table: Table, common: _Common, direction: Direction | None
) -> tuple[list[Item], list[Item]]:
    """The items and the extras."""
    entries = table.tables("items", _MOST_ITEMS)
    items = []
    for entry in entries:
        if entry.has("direction") is not (direction is None):
            entry.refuse("direction", "belongs either to the whole questionnaire or to every item")
        items.append(_item(entry, common, direction or _direction(entry)))
    more = table.tables_or_none("extras", _MOST_EXTRAS)
    extras = [_item(entry, common, None) for entry in more]
    both = list(zip(entries + more, items + extras, strict=True))
    refuse_duplicates("key", [(entry, item.key) for entry, item in both])
    refuse_duplicates("loinc", [(entry, item.loinc) for entry, item in both])
    return items, extras


def _options(table: Table) -> tuple[Option, ...]:
    entries = table.tables("options", _LARGEST_ANSWER + 1)
    options = []
    for entry in entries:
        option = Option(
            loinc=entry.answer_loinc("loinc"),
            value=entry.whole_number("value", 0, _LARGEST_ANSWER),
            label=entry.text("label"),
        )
        entry.close()
        options.append(option)
    both = list(zip(entries, options, strict=True))
    refuse_duplicates("value", [(entry, option.value) for entry, option in both])
    return tuple(options)


def _item(table: Table, common: _Common, direction: Direction | None) -> Item:
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


def _scores(table: Table, common: Direction | None) -> tuple[GivenScore, ...]:
    """The scores that are entered; none where there are items."""
    entries = table.tables_or_none("scores", _MOST_EXTRAS)
    scores = []
    for entry in entries:
        if common is not None and entry.has("direction"):
            entry.refuse("direction", "belongs either to the whole questionnaire or to a score")
        low = entry.whole_number("minimum", 0, _LARGEST_SCORE - 1)
        score = GivenScore(
            key=entry.slug("key"),
            label=entry.text("label"),
            minimum=low,
            maximum=entry.whole_number("maximum", low + 1, _LARGEST_SCORE),
            whole=entry.truth("whole"),
            direction=_direction(entry) if entry.has("direction") else common,
        )
        entry.close()
        scores.append(score)
    both = list(zip(entries, scores, strict=True))
    refuse_duplicates("key", [(entry, score.key) for entry, score in both])
    return tuple(scores)


def _any_total(
    table: Table,
    common: _Common,
    direction: Direction | None,
    items: list[Item],
    scores: tuple[GivenScore, ...],
    missing: str,
) -> Scale | None:
    """What a series of totals is measured on; None where there is no total."""
    if not scores and table.has("total") is not (missing == EVERY_ITEM_REQUIRED):
        table.refuse("missing", f"must be {ITEMS_STAND_ALONE} exactly when there is no total")
    if not table.has("total"):
        return None
    if direction is None:
        table.refuse("direction", "is missing: a total has one for the whole questionnaire")
    if not scores:
        return _total(table.table("total"), common, direction, items)
    if [score.key for score in scores] != [TOTAL] or not scores[0].whole:
        table.refuse("total", f"needs one whole score with the key {TOTAL} and no other")
    entry = table.table("total")
    return _measured(entry, common, direction, scores[0].minimum, scores[0].maximum)


def _total(table: Table, common: _Common, direction: Direction, items: list[Item]) -> Scale:
    """The total of answers."""
    method = table.one_of("method", (SUM, MEAN)) if table.has("method") else SUM
    multiplier = 1
    if table.has("multiplier"):
        multiplier = table.whole_number("multiplier", 1, _LARGEST_MULTIPLIER)
    low = sum(item.minimum for item in items)
    high = sum(item.maximum for item in items)
    if method == MEAN:
        if len({(item.minimum, item.maximum) for item in items}) > 1:
            table.refuse("method", "may only be a mean of items with the same range")
        if table.has("bands"):
            # Between 4 and 5 there are other means, which no band would cover.
            table.refuse("bands", "are ranges of whole totals, which a mean need not be")
        low, high = low // len(items), high // len(items)
    if high * multiplier > _LARGEST_SCORE:
        table.refuse("", f"must not be able to exceed {_LARGEST_SCORE}")
    return _measured(
        table, common, direction, low * multiplier, high * multiplier, method, multiplier
    )


def _measured(
    table: Table,
    common: _Common,
    direction: Direction,
    low: int,
    high: int,
    method: str = SUM,
    multiplier: int = 1,
) -> Scale:
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
        method=method,
        multiplier=multiplier,
        reliable_change=_threshold(table, "reliable_change", 1, high - low),
        response_percent=_threshold(table, "response_percent", 1, 100),
        remission_below=_threshold(table, "remission_below", low + 1, high),
        eligible_from=_threshold(table, "eligible_from", low, high),
        caseness=_threshold(table, "caseness", low, high),
    )
    table.close()
    return scale


def _bands(table: Table, low: int, high: int) -> tuple[Band, ...]:
    """The bands in order, which together cover every total exactly once."""
    steps = table.tables("steps")
    bands: list[Band] = []
    expected = low
    for step in steps:
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
    both = list(zip(steps, bands, strict=True))
    refuse_duplicates("key", [(step, band.key) for step, band in both])
    return tuple(bands)


def _threshold(table: Table, key: str, low: int, high: int) -> Threshold | None:
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
