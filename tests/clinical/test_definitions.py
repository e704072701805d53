"""What the loader refuses, and how it says so."""

from pathlib import Path

import pytest

from app.clinical import instruments
from app.clinical.instruments import LARGEST_DEFINITION, DefinitionRefused, Direction, parse
from tests.clinical.definitions import DEFINITION


def changed(old: str, new: str) -> str:
    assert DEFINITION.count(old) >= 1, "the change must change something"
    return DEFINITION.replace(old, new, 1)


def refusal(toml_text: str) -> DefinitionRefused:
    with pytest.raises(DefinitionRefused) as refused:
        parse(toml_text, "two-items.toml")
    return refused.value


def test_a_definition_of_ones_own_is_read() -> None:
    instrument = parse(DEFINITION, "two-items.toml")

    first, second = instrument.items
    (extra,) = instrument.extras
    assert [option.loinc for option in first.options] == ["LA32-8", None]
    assert first.scale is None
    assert second.scale is not None
    assert (second.scale.minimum, second.scale.maximum) == (0, 4)
    assert extra.scale is None
    assert extra.direction is None
    assert (extra.minimum, extra.maximum) == (1, 3)
    total = instrument.total
    assert total is not None
    assert (total.minimum, total.maximum) == (0, 5)
    assert total.bands_convention
    assert total.direction is Direction.LOWER_IS_BETTER


def test_a_definition_without_bands_panel_or_extras_is_read() -> None:
    start = DEFINITION.index("[[extras]]")
    end = DEFINITION.index("[suicide_item]")
    bare = DEFINITION[:start] + "[total]\n" + DEFINITION[end:]

    instrument = parse(bare.replace('panel_loinc = "55757-9"\n', ""), "bare.toml")

    assert instrument.extras == ()
    assert instrument.panel_loinc is None
    assert instrument.total is not None
    assert instrument.total.bands == ()
    assert instrument.total.loinc is None
    assert instrument.total.band(3) is None


@pytest.mark.parametrize(
    ("old", "new", "where", "why"),
    [
        # The whole file.
        ('key = "two-items"', 'key = "Two Items"', "key", "lower-case"),
        ('version = "1"\n', "", "version", "is missing"),
        ('version = "1"', "version = 1", "version", "must be text"),
        ('title = "Two items"', 'title = " "', "title", "must not be empty"),
        ('languages = ["en"]', "languages = []", "languages", "list of texts"),
        ('languages = ["en"]', "languages = [1]", "languages", "list of texts"),
        ('languages = ["en"]', 'languages = "en"', "languages", "must be a list"),
        ('languages = ["en"]', 'languages = ["en", "en"]', "languages", "twice"),
        ('languages = ["en"]', 'languages = ["en", "de"]', "languages", "every translation"),
        ('languages = ["en"]', 'languages = ["de"]', "languages", "every translation"),
        ('version = "1"', 'version = "1.2.3.4.5.6.7.8.9"', "version", "at most 16"),
        ('version = "1"', 'version = "1"\noffered_by_default = 1', "offered_by_default", "true or"),
        ("convention = false", "convention = 0", "convention", "true or false"),
        ('version = "1"', 'version = "1"\ncolour = "red"', "colour", "not a key"),
        ('"lower-is-better"', '"sideways"', "direction", "must be one of lower-is-better"),
        ('"every-item-required"', '"guess"', "missing", "must be one of every-item-required"),
        ('"every-item-required"', '"items-stand-alone"', "missing", "no total"),
        ('panel_loinc = "55757-9"', 'panel_loinc = "55757-8"', "panel_loinc", "check digit"),
        # The recall window.
        ("days = 7", "days = -1", "recall.days", "from 0 to 366"),
        ("days = 7", "days = true", "recall.days", "whole number"),
        ("days = 7", "days = 7\nhours = 1", "recall.hours", "not a key"),
        # The answers.
        ("value = 1\n", "value = 0\n", "options #2.value", "the same as"),
        ("value = 1\n", "value = 1e400\n", "options #2.value", "whole number"),
        ("value = 1\n", "value = nan\n", "options #2.value", "whole number"),
        ("value = 1\n", "value = 2026-11-22\n", "options #2.value", "whole number"),
        ("value = 1\n", "value = 1.0\n", "options #2.value", "whole number"),
        ("value = 1\n", "value = 101\n", "options #2.value", "from 0 to 100"),
        ('label = "Yes"', 'label = "Yes"\nscore = 1', "options #2.score", "not a key"),
        ('"LA32-8"', '"32-8"', "options #1.loinc", "answer code"),
        # The items.
        ('key = "second"', 'key = "first"', "items #2.key", "the same as"),
        ('key = "extra"', 'key = "first"', "extras #1.key", "the same as"),
        ('text = "Second?"', 'text = "?"\nloinc = "44250-9"', "items #2.loinc", "the same as"),
        ('key = "second"', f'key = "{"s" * 65}"', "items #2.key", "at most 64"),
        ('text = "First?"', 'text = "\\u0000"', "items #1.text", "control characters"),
        ('text = "First?"', 'text = "\\u202E?"', "items #1.text", "control characters"),
        ('text = "First?"', 'text = "\ud800"', "items #1.text", "control characters"),
        ('"44250-9"', '"44250-8"', "items #1.loinc", "check digit"),
        ('"44250-9"', '"55757-9"', "items #1.loinc", "panel"),
        ('text = "First?"', 'text = "?"\nweight = 2', "items #1.weight", "not a key"),
        ('text = "First?"', 'text = "?"\noptions = []', "items #1.options", "list of tables"),
        ('text = "First?"', 'text = "?"\noptions = [1]', "items #1.options", "list of tables"),
        (
            'text = "First?"',
            'text = "?"\ndirection = "lower-is-better"',
            "items #1.direction",
            "either to the whole",
        ),
        ('direction = "lower-is-better"\n', "", "items #1.direction", "either to the whole"),
        ("low = 0, high = 4", "low = 4, high = 4", "items #2.scale.high", "from 5 to 100"),
        ("low = 0, high = 4", "low = 0, mid = 2, high = 4", "items #2.scale.mid", "not a key"),
        ('text = "Extra?"', 'text = "?"\nloinc = "1"', "extras #1.loinc", "check digit"),
        # The total.
        ('loinc = "55758-7"', 'loinc = "55758-8"', "total.loinc", "check digit"),
        ('loinc = "55758-7"', 'loinc = "55757-9"', "total.loinc", "panel"),
        ('loinc = "55758-7"', 'loinc = "44249-1"', "total.loinc", "panel"),
        ('loinc = "55758-7"', 'loinc = "69737-5"', "total.loinc", "panel"),
        ('loinc = "55758-7"', "mean = true", "total.mean", "not a key"),
        ("low = 3, high = 5", "low = 2, high = 5", "total.bands.steps #2.low", "overlaps"),
        ("low = 3, high = 5", "low = 4, high = 5", "total.bands.steps #2.low", "gap"),
        ("low = 0, high = 2", "low = 1, high = 2", "total.bands.steps #1.low", "gap"),
        ("low = 3, high = 5", "low = 3, high = 4", "total.bands.steps", "gap at the top"),
        ("low = 3, high = 5", "low = 3, high = 6", "total.bands.steps #2.high", "from 0 to 5"),
        ("low = 3, high = 5", "low = 3, high = 1", "total.bands.steps #2.high", "below the low"),
        ('key = "many"', 'key = "few"', "total.bands.steps #2.key", "the same as"),
        ('loinc = "55758-7"', 'method = "median"', "total.method", "must be one of sum, mean"),
        ('loinc = "55758-7"', 'method = "mean"', "total.method", "the same range"),
        ('loinc = "55758-7"', "multiplier = 0", "total.multiplier", "from 1 to 100"),
        ('label = "Many"', 'label = "Many", note = "?"', "total.bands.steps #2.note", "not a key"),
        ("value = 50", "value = 0", "total.response_percent.value", "from 1 to 100"),
        ("value = 50", "value = 50\nby = 1", "total.response_percent.by", "not a key"),
        # The suicide item.
        ('item = "first"', 'item = "third"', "suicide_item.item", "must be one of"),
        ('{ 1 = "high" }', '{ 1 = "severe" }', "suicide_item.levels.1", "must be one of low"),
        ('{ 1 = "high" }', '{ 1 = "none" }', "suicide_item.levels.1", "must be one of low"),
        ('{ 1 = "high" }', '{ 2 = "high", 1 = "low" }', "suicide_item.levels.2", "not a key"),
        ('{ 1 = "high" }', "{ }", "suicide_item.levels", "at least one answer"),
        ('{ 1 = "high" }', "3", "suicide_item.levels", "must be a table"),
        (
            'item = "first"\nlevels = { 1 = "high" }',
            'item = "second"\nlevels = { 1 = "high", 3 = "low" }',
            "suicide_item.levels.3",
            "lower level than a lesser answer",
        ),
        ('item = "first"', 'item = "first"\nalso = "second"', "suicide_item.also", "not a key"),
    ],
)
def test_a_wrong_definition_is_refused_with_the_file_and_the_key(
    old: str, new: str, where: str, why: str
) -> None:
    toml_text = changed(old, new)

    refused = refusal(toml_text)

    assert refused.key == where
    assert why in refused.reason
    at = "two-items.toml" if refused.line is None else f"two-items.toml:{refused.line}"
    assert str(refused) == f"{at}: {where}: {refused.reason}"
    if refused.line is None:
        assert refused.reason.startswith("is missing")
    else:
        # The line is that of the key; or of its table, if the key is what is missing.
        line = toml_text.splitlines()[refused.line - 1]
        last = where.rpartition(".")[2].partition(" ")[0]
        assert last in line or (line == "[[items]]" and "belongs" in refused.reason)


def test_bands_in_the_wrong_order_are_refused() -> None:
    few = '    { key = "few", label = "Few", low = 0, high = 2 },\n'
    many = '    { key = "many", label = "Many", low = 3, high = 5 },\n'

    assert refusal(changed(few + many, many + few)).key == "total.bands.steps #1.low"


def test_items_need_some_way_to_be_answered() -> None:
    start, end = DEFINITION.index("[[options]]"), DEFINITION.index("[[items]]")

    refused = refusal(DEFINITION[:start] + DEFINITION[end:])

    assert str(refused) == "two-items.toml:22: items #1.options: is missing, and so is a scale"


def test_a_total_of_items_that_point_different_ways_is_refused() -> None:
    own = changed('direction = "lower-is-better"\n', "")
    own = own.replace('text = "First?"', 'text = "First?"\ndirection = "lower-is-better"')
    own = own.replace('text = "Second?"', 'text = "Second?"\ndirection = "higher-is-better"')

    assert str(refusal(own)).startswith("two-items.toml: direction: is missing: a total")


def test_an_extra_has_no_direction_because_it_is_not_scored() -> None:
    refused = refusal(changed('text = "Extra?"', 'text = "?"\ndirection = "lower-is-better"'))

    assert refused.key == "extras #1.direction"


@pytest.mark.parametrize("rule", ["remission_below", "eligible_from", "caseness"])
def test_a_rule_meant_for_lower_is_better_is_refused_where_higher_is(rule: str) -> None:
    higher = changed('"lower-is-better"', '"higher-is-better"')
    threshold = f'[total.{rule}]\nvalue = 1\nsource = "?"\nconvention = true\n\n'

    refused = refusal(higher.replace("[suicide_item]", threshold + "[suicide_item]"))

    assert refused.key == f"total.{rule}"
    assert refused.reason == "is only defined where lower is better"


@pytest.mark.parametrize(
    ("toml_text", "line"),
    [
        ("key = ", 1),
        ("\n\nkey = 1\nkey = 2", 4),
        ('\nkey = "a\n', 2),
        ("\nkey = 1 2\n", 2),
        ("a = " + "9" * 5_000, None),
        ('key = "\x00"', 1),
    ],
    ids=["no-value", "twice", "open-text", "two-values", "huge-number", "control"],
)
def test_what_is_not_toml_is_refused_by_name_and_by_line_if_it_is_known(
    toml_text: str, line: int | None
) -> None:
    refused = refusal(toml_text)

    assert refused.key is None
    assert refused.line == line
    assert refused.reason.startswith("cannot be read as TOML: ")


@pytest.mark.parametrize(
    "toml_text",
    [
        "\na = " + "[" * 60_000,
        "\na = " + "{b=" * 15_000,
        "\n" + ".".join("a" * 30_000) + " = 1",
        "\n[" + ".".join("a" * 30_000) + "]",
        "\n[" + "a" * 60_000 + "]",
    ],
    ids=["brackets", "braces", "dotted-key", "dotted-header", "long-key"],
)
def test_what_is_nested_deeply_is_refused_before_it_costs_anything(toml_text: str) -> None:
    refused = refusal(toml_text)

    assert (refused.key, refused.line) == (None, 2)
    assert "too deeply" in refused.reason


@pytest.mark.parametrize("character", ["x", "ä", "\U0001f33f"], ids=["1-byte", "2-byte", "4-byte"])
def test_a_definition_is_at_most_64_kibibytes(character: str) -> None:
    comment = "\n# "
    room = LARGEST_DEFINITION - len((DEFINITION + comment).encode())
    most = room // len(character.encode())

    assert parse(DEFINITION + comment + character * most, "large.toml").key == "two-items"
    refused = refusal(DEFINITION + comment + character * (most + 1))
    assert refused.reason == "is larger than 65536 bytes"
    assert refused.line is None


def test_a_key_that_would_break_the_message_is_not_shown_as_it_is() -> None:
    refused = refusal('"a\\nb\\u202e" = 1\n' + DEFINITION)

    assert refused.key == "a?b?"


def test_a_miscopied_code_in_a_shipped_file_would_be_refused() -> None:
    gad_7 = Path(instruments.__file__).with_name("gad-7.toml").read_text(encoding="utf-8")
    wrong = gad_7.replace("69689-8", "69689-6")
    line = next(n for n, text in enumerate(wrong.splitlines(), 1) if "69689-6" in text)

    with pytest.raises(DefinitionRefused, match=rf"^gad-7\.toml:{line}: items #6\.loinc: "):
        parse(wrong, "gad-7.toml")
