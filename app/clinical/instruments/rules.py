"""What answers mean beyond their total: flags, subscales, criteria, skips and rises.

Hides how each is written in a file. Items are named by key there and by position here.
"""

from collections.abc import Callable, Sequence

from app.clinical.instruments.definition import (
    AnyItem,
    Criterion,
    GivenScore,
    Item,
    ItemPattern,
    Level,
    PercentOfMaximum,
    Rise,
    Rule,
    Scale,
    Skip,
    Subscale,
    SuicideItem,
    TotalCut,
    Triage,
)
from app.clinical.instruments.table import Table, refuse_duplicates

_RAISING = tuple(level.value for level in Level if level is not Level.NONE)


def read_suicide_item(questionnaire: Table, items: Sequence[Item]) -> SuicideItem | None:
    """[suicide_item]"""
    if not questionnaire.has("suicide_item"):
        return None
    table = questionnaire.table("suicide_item")
    position = _position(table, "item", items)
    mapping = table.table("levels")
    levels: list[tuple[int, Level]] = []
    for value in sorted(items[position].values):
        if mapping.has(str(value)):
            level = Level(mapping.one_of(str(value), _RAISING))
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


def read_triage(questionnaire: Table, items: Sequence[Item]) -> Triage | None:
    """[triage]: every question is asked always or after one other, and raises a level."""
    if not questionnaire.has("triage"):
        return None
    table = questionnaire.table("triage")
    keys = [item.key for item in items]
    if not keys or any(item.values != frozenset({0, 1}) for item in items):
        table.refuse("", "needs questions that are all answered with 1 for yes and 0 for no")
    always = table.positions("always", keys)
    asked_after = []
    if table.has("asked_after"):
        mapping = table.table("asked_after")
        asked_after = [
            (position, mapping.positions(key, keys))
            for position, key in enumerate(keys)
            if mapping.has(key)
        ]
        mapping.close()
    asked = [*always, *(follow_up for _, positions in asked_after for follow_up in positions)]
    if sorted(asked) != list(range(len(items))):
        table.refuse("always", "and asked_after must name every question exactly once")
    mapping = table.table("levels")
    levels = tuple(
        (position, Level(mapping.one_of(key, _RAISING))) for position, key in enumerate(keys)
    )
    mapping.close()
    level_loinc = []
    if table.has("level_loinc"):
        mapping = table.table("level_loinc")
        for level in Level:
            code = mapping.answer_loinc(level.value)
            if code is not None:
                level_loinc.append((level, code))
        mapping.close()
    triage = Triage(
        always=always,
        asked_after=tuple(asked_after),
        levels=levels,
        loinc=table.score_loinc("loinc", None),
        level_loinc=tuple(level_loinc),
        source=table.text("source"),
        convention=table.truth("convention"),
    )
    table.close()
    return triage


def read_subscales(questionnaire: Table, items: Sequence[Item]) -> tuple[Subscale, ...]:
    """[[subscales]]"""
    keys = [item.key for item in items]
    entries = questionnaire.tables_or_none("subscales", 20)
    subscales = []
    for entry in entries:
        positions = entry.positions("items", keys)
        subscale = Subscale(
            key=entry.slug("key"),
            label=entry.text("label"),
            positions=positions,
            minimum=sum(items[position].minimum for position in positions),
            maximum=sum(items[position].maximum for position in positions),
        )
        entry.close()
        subscales.append(subscale)
    both = list(zip(entries, subscales, strict=True))
    refuse_duplicates("key", [(entry, subscale.key) for entry, subscale in both])
    return tuple(subscales)


def read_criteria(
    questionnaire: Table,
    items: Sequence[Item],
    total: Scale | None,
    subscales: Sequence[Subscale],
    scores: Sequence[GivenScore],
) -> tuple[Criterion, ...]:
    """[[criteria]]: each by exactly one of four kinds of rule."""
    parts = [subscale.key for subscale in subscales] + [score.key for score in scores]
    kinds: dict[tuple[str, ...], Callable[[Table], Rule]] = {
        ("at_least", "at_most"): lambda entry: _total_cut(entry, total),
        ("counts_from", "needs"): lambda entry: _item_pattern(entry, items, subscales),
        ("any",): lambda entry: _any_item(entry, items),
        ("percent", "of"): lambda entry: PercentOfMaximum(
            entry.whole_number("percent", 1, 100),
            _named(entry, "of", parts),
        ),
    }
    entries = questionnaire.tables_or_none("criteria", 20)
    criteria = []
    for entry in entries:
        fitting = [read for keys, read in kinds.items() if any(map(entry.has, keys))]
        if len(fitting) != 1:
            entry.refuse("", "needs one kind of rule: at_least or at_most, needs, any, or percent")
        criterion = Criterion(
            key=entry.slug("key"),
            label=entry.text("label"),
            rule=fitting[0](entry),
            source=entry.text("source"),
            convention=entry.truth("convention"),
            raises=Level(entry.one_of("raises", _RAISING)) if entry.has("raises") else None,
        )
        entry.close()
        criteria.append(criterion)
    both = list(zip(entries, criteria, strict=True))
    refuse_duplicates("key", [(entry, criterion.key) for entry, criterion in both])
    return tuple(criteria)


def _total_cut(table: Table, total: Scale | None) -> TotalCut:
    key = "at_least" if table.has("at_least") else "at_most"
    if total is None:
        table.refuse(key, "needs a total, and there is none")
    points = table.whole_number(key, total.minimum, total.maximum)
    if table.has("at_most"):
        table.refuse("at_most", "cannot stand beside at_least")
    return TotalCut(points, None) if key == "at_least" else TotalCut(None, points)


def _item_pattern(
    table: Table, items: Sequence[Item], subscales: Sequence[Subscale]
) -> ItemPattern:
    counts_from = table.whole_number(
        "counts_from", 1, max((item.maximum for item in items), default=1)
    )
    mapping = table.table("needs")
    needs = tuple(
        (subscale.key, mapping.whole_number(subscale.key, 1, len(subscale.positions)))
        for subscale in subscales
        if mapping.has(subscale.key)
    )
    mapping.close()
    if not needs:
        table.refuse("needs", "must name at least one subscale")
    return ItemPattern(counts_from, needs)


def _any_item(table: Table, items: Sequence[Item]) -> AnyItem:
    mapping = table.table("any")
    found = tuple(
        (position, mapping.whole_number(item.key, item.minimum + 1, item.maximum))
        for position, item in enumerate(items)
        if mapping.has(item.key)
    )
    mapping.close()
    if not found:
        table.refuse("any", "must name at least one item")
    return AnyItem(found)


def read_skips(questionnaire: Table, items: Sequence[Item]) -> tuple[Skip, ...]:
    """[[skips]]"""
    skips = []
    left_out: list[tuple[Table, str | int | None]] = []
    for entry in questionnaire.tables_or_none("skips", 20):
        position = _position(entry, "item", items)
        skip = Skip(
            position=position,
            answer=entry.whole_number("answer", items[position].minimum, items[position].maximum),
            skipped=entry.positions("skipped", [item.key for item in items]),
            scored_as=entry.whole_number("scored_as", 0, 100),
            source=entry.text("source"),
            convention=entry.truth("convention"),
        )
        if skip.answer not in items[position].values:
            entry.refuse("answer", "is not an answer to this item")
        # In the order in which they are asked, so that no answer skips its own question.
        if skip.skipped[0] <= position:
            entry.refuse("skipped", "may only name later items")
        if any(skip.scored_as not in items[later].values for later in skip.skipped):
            entry.refuse("scored_as", "is not an answer to every item that is skipped")
        entry.close()
        left_out += [(entry, later) for later in skip.skipped]
        skips.append(skip)
    refuse_duplicates("skipped", left_out)
    return tuple(skips)


def read_rise(questionnaire: Table, items: Sequence[Item]) -> Rise | None:
    """[rise]"""
    if not questionnaire.has("rise"):
        return None
    table = questionnaire.table("rise")
    positions = table.positions("items", [item.key for item in items])
    rise = Rise(
        positions=positions,
        points=table.whole_number(
            "points", 1, max(items[position].maximum for position in positions)
        ),
        source=table.text("source"),
        convention=table.truth("convention"),
        raises=Level(table.one_of("raises", _RAISING)) if table.has("raises") else None,
    )
    table.close()
    return rise


def _position(table: Table, key: str, items: Sequence[Item]) -> int:
    keys = [item.key for item in items]
    return keys.index(table.one_of(key, keys))


def _named(table: Table, key: str, known: Sequence[str]) -> tuple[str, ...]:
    return tuple(known[position] for position in table.positions(key, known))
