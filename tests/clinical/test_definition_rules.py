"""Triage, subscales, criteria, skips, rises and scores: what a file may say and may not."""

import pytest

from app.clinical.instruments import DefinitionRefused, Instrument, parse
from app.clinical.scoring import score, score_given

HEAD = """
key = "own"
version = "1"
title = "Own"
lead_in = "This week:"
languages = ["en"]
licence = "Own"
notice = "Own"
source = "Own"
convention = true
recall.text = "This week"
recall.days = 7
recall.minimum_days_from_dose = 7
recall.source = "Own"
recall.convention = true
"""

ITEMS = """
direction = "lower-is-better"
missing = "every-item-required"

[[items]]
key = "a"
text = "A?"
scale = { low = 0, high = 4, low_label = "None", high_label = "All" }

[[items]]
key = "b"
text = "B?"
scale = { low = 0, high = 4, low_label = "None", high_label = "All" }

[[items]]
key = "c"
text = "C?"
scale = { low = 0, high = 4, low_label = "None", high_label = "All" }

[total]
"""

YES_NO = """
direction = "lower-is-better"
missing = "items-stand-alone"
options = [{ value = 0, label = "No" }, { value = 1, label = "Yes" }]
items = [{ key = "a", text = "A?" }, { key = "b", text = "B?" }, { key = "c", text = "C?" }]
"""

SOURCE = 'source = "Own"\nconvention = true\n'
SUBSCALES = """
[[subscales]]
key = "front"
label = "Front"
items = ["b", "a"]

[[subscales]]
key = "back"
label = "Back"
items = ["c"]
"""
TRIAGE = f"""
[triage]
always = ["a"]
asked_after = {{ a = ["b", "c"] }}
levels = {{ a = "low", b = "moderate", c = "high" }}
{SOURCE}"""
SCORES = """
missing = "every-score-required"
direction = "lower-is-better"

[[scores]]
key = "total"
label = "Total"
minimum = 0
maximum = 9
whole = true
"""


def read(text: str) -> Instrument:
    return parse(HEAD + text, "own.toml")


def criterion(rule: str) -> str:
    return f'\n[[criteria]]\nkey = "met"\nlabel = "Met"\n{SOURCE}{rule}\n'


def skip(rest: str) -> str:
    return f"\n[[skips]]\n{SOURCE}{rest}\n"


def test_what_is_not_said_is_empty_and_offered() -> None:
    plain = read(ITEMS)

    assert plain.offered_by_default
    assert plain.triage is None
    assert plain.rise is None
    for part in (plain.subscales, plain.criteria, plain.skips, plain.scores):
        assert part == ()


def test_a_pattern_may_need_only_some_of_the_subscales() -> None:
    instrument = read(ITEMS + SUBSCALES + criterion("counts_from = 2\nneeds = { back = 1 }"))

    assert score(instrument, [0, 0, 2]).criteria == {"met": True}
    assert score(instrument, [4, 4, 1]).criteria == {"met": False}


def test_a_list_has_a_bound() -> None:
    with pytest.raises(DefinitionRefused) as refused:
        read(ITEMS + criterion("at_least = 1") * 21)

    assert refused.value.key == "criteria"
    assert refused.value.reason == "must have at most 20 entries"


def test_a_multiplied_mean_is_read_with_its_range() -> None:
    instrument = read(ITEMS + 'method = "mean"\nmultiplier = 25\n')

    assert instrument.total is not None
    assert (instrument.total.minimum, instrument.total.maximum) == (0, 100)
    assert score(instrument, [4, 4, 4]).total == 100
    assert score(instrument, [1, 2, 2]).total == 41.666666666666664


def test_subscales_and_a_criterion_over_their_share_are_read() -> None:
    instrument = read(ITEMS + SUBSCALES + criterion('percent = 50\nof = ["front", "back"]'))

    assert score(instrument, [2, 2, 2]).subscales == {"front": 4, "back": 2}
    assert score(instrument, [2, 2, 2]).criteria == {"met": True}
    assert score(instrument, [2, 1, 2]).criteria == {"met": False}
    assert score(instrument, [2, None, 2]).criteria == {"met": None}


def test_a_score_that_is_a_total_may_have_bands() -> None:
    bands = """
[total.bands]
source = "Own"
convention = true
steps = [
    { key = "few", label = "Few", low = 0, high = 4 },
    { key = "many", label = "Many", low = 5, high = 9 },
]
"""
    instrument = read(SCORES + "\n[total]\n" + bands)

    assert score_given(instrument, {"total": 4}).band == "few"
    assert score_given(instrument, {"total": 5}).band == "many"


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        # Totals.
        (ITEMS + 'method = "mean"\nbands = {}', "total.bands", "which a mean need not be"),
        (ITEMS.replace("high = 4", "high = 100") + "multiplier = 100", "total", "exceed 10000"),
        # Subscales.
        (ITEMS + SUBSCALES.replace('"b", "a"', '"x"'), "subscales #1.items", "some of a, b, c"),
        (ITEMS + SUBSCALES.replace('"b", "a"', '"a", "a"'), "subscales #1.items", "twice"),
        (ITEMS + SUBSCALES.replace('"b", "a"', ""), "subscales #1.items", "list of texts"),
        (ITEMS + SUBSCALES.replace('"back"', '"front"'), "subscales #2.key", "the same as"),
        (ITEMS + SUBSCALES + "weight = 2", "subscales #2.weight", "not a key"),
        # Criteria.
        (ITEMS + criterion(""), "criteria #1", "one kind of rule"),
        (ITEMS + criterion("at_least = 1\nany = { a = 1 }"), "criteria #1", "one kind of rule"),
        (ITEMS + criterion("at_least = 1\nat_most = 2"), "criteria #1.at_most", "beside at_least"),
        (ITEMS + criterion("at_least = 13"), "criteria #1.at_least", "from 0 to 12"),
        (ITEMS + criterion("at_most = -1"), "criteria #1.at_most", "from 0 to 12"),
        (YES_NO + criterion("at_least = 1"), "criteria #1.at_least", "there is none"),
        (ITEMS + criterion("needs = {}"), "criteria #1.counts_from", "is missing"),
        (ITEMS + criterion("counts_from = 2"), "criteria #1.needs", "is missing"),
        (ITEMS + criterion("counts_from = 5\nneeds = {}"), "criteria #1.counts_from", "from 1 to"),
        (ITEMS + criterion("counts_from = 2\nneeds = {}"), "criteria #1.needs", "at least one"),
        (
            ITEMS + SUBSCALES + criterion("counts_from = 2\nneeds = { back = 2 }"),
            "criteria #1.needs.back",
            "from 1 to 1",
        ),
        (
            ITEMS + SUBSCALES + criterion("counts_from = 2\nneeds = { up = 1 }"),
            "criteria #1.needs.up",
            "not a key",
        ),
        (ITEMS + criterion("any = {}"), "criteria #1.any", "at least one item"),
        (ITEMS + criterion("any = { a = 0 }"), "criteria #1.any.a", "from 1 to 4"),
        (ITEMS + criterion("any = { x = 1 }"), "criteria #1.any.x", "not a key"),
        (ITEMS + criterion('percent = 101\nof = ["a"]'), "criteria #1.percent", "from 1 to 100"),
        (ITEMS + SUBSCALES + criterion('percent = 9\nof = ["a"]'), "criteria #1.of", "some of"),
        (ITEMS + criterion("at_least = 1") * 2, "criteria #2.key", "the same as"),
        # Skips.
        (ITEMS + skip('item = "x"'), "skips #1.item", "must be one of a, b, c"),
        (ITEMS + skip('item = "a"\nanswer = 5'), "skips #1.answer", "from 0 to 4"),
        (
            ITEMS + skip('item = "b"\nanswer = 0\nskipped = ["b"]\nscored_as = 0'),
            "skips #1.skipped",
            "later items",
        ),
        (
            ITEMS + skip('item = "a"\nanswer = 0\nskipped = ["b"]\nscored_as = 5'),
            "skips #1.scored_as",
            "not an answer",
        ),
        (
            ITEMS + skip('item = "a"\nanswer = 0\nskipped = ["b", "c"]\nscored_as = 0') * 2,
            "skips #2.skipped",
            "the same as",
        ),
        (
            YES_NO.replace("value = 1", "value = 2")
            + skip('item = "a"\nanswer = 1\nskipped = ["b"]\nscored_as = 0'),
            "skips #1.answer",
            "not an answer",
        ),
        # A rise.
        (ITEMS + f'[rise]\nitems = ["x"]\npoints = 2\n{SOURCE}', "rise.items", "some of a, b, c"),
        (ITEMS + f'[rise]\nitems = ["a"]\npoints = 5\n{SOURCE}', "rise.points", "from 1 to 4"),
        (ITEMS + f'[rise]\nitems = ["a"]\npoints = 2\nby = 1\n{SOURCE}', "rise.by", "not a key"),
        (
            ITEMS + f'[rise]\nitems = ["a"]\npoints = 2\nraises = "none"\n{SOURCE}',
            "rise.raises",
            "one of",
        ),
        # A triage.
        (ITEMS + TRIAGE, "triage", "1 for yes and 0 for no"),
        (YES_NO + TRIAGE.replace('["a"]', '["x"]'), "triage.always", "some of a, b, c"),
        (YES_NO + TRIAGE.replace('["a"]', '["a", "b"]'), "triage.always", "exactly once"),
        (YES_NO + TRIAGE.replace('["b", "c"]', '["b"]'), "triage.always", "exactly once"),
        (YES_NO + TRIAGE.replace("a = [", "x = ["), "triage.asked_after.x", "not a key"),
        (YES_NO + TRIAGE.replace(', c = "high"', ""), "triage.levels.c", "is missing"),
        (YES_NO + TRIAGE.replace('"high"', '"red"'), "triage.levels.c", "must be one of low"),
        (YES_NO + TRIAGE.replace('"low"', '"none"'), "triage.levels.a", "must be one of low"),
        (YES_NO + TRIAGE.replace("{ a = ", "{ x = 1, a = "), "triage.asked_after.x", "not a key"),
        (YES_NO + TRIAGE + 'level_loinc = { low = "1-8" }', "triage.level_loinc.low", "answer"),
        (YES_NO + TRIAGE + 'level_loinc = { red = "LA1-1" }', "triage.level_loinc.red", "not a"),
        (YES_NO + TRIAGE + 'loinc = "93373-9"', "triage.loinc", "panel"),
        (YES_NO + TRIAGE + "colour = 1", "triage.colour", "not a key"),
        (
            YES_NO + TRIAGE + f'[suicide_item]\nitem = "a"\nlevels = {{ 1 = "low" }}\n{SOURCE}',
            "triage",
            "cannot both say",
        ),
        # Scores.
        (SCORES + '[[items]]\nkey = "a"', "scores", "instead of items"),
        (SCORES.replace("every-score", "every-item"), "missing", "must be one of every-score"),
        (SCORES + 'direction = "lower-is-better"', "scores #1.direction", "belongs either"),
        (SCORES.replace("maximum = 9", "maximum = 0"), "scores #1.maximum", "from 1 to 10000"),
        (SCORES.replace("whole = true", "whole = 1"), "scores #1.whole", "true or false"),
        (SCORES + "\n[[scores]]" + SCORES.partition("[[scores]]")[2], "scores #2.key", "same as"),
        (SCORES.replace('"total"', '"sum"') + "\n[total]", "total", "one whole score"),
        (SCORES.replace("= true", "= false") + "\n[total]", "total", "one whole score"),
        (SCORES + '\n[total]\nmethod = "sum"', "total.method", "not a key"),
        (SCORES + criterion("any = { total = 1 }"), "criteria #1.any.total", "not a key"),
        (SCORES + criterion("counts_from = 1\nneeds = {}"), "criteria #1.needs", "at least one"),
        (SCORES + TRIAGE, "triage", "1 for yes and 0 for no"),
        (SCORES + f'[rise]\nitems = ["a"]\npoints = 5\n{SOURCE}', "rise.items", "some of"),
        (SCORES + skip('item = "a"'), "skips #1.item", "must be one of"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused_with_its_line_and_key(
    text: str, where: str, why: str
) -> None:
    with pytest.raises(DefinitionRefused) as refused:
        read(text)

    assert refused.value.key == where
    assert why in refused.value.reason
    assert refused.value.line is not None


def test_a_triage_of_one_s_own_is_read() -> None:
    triage = read(YES_NO + TRIAGE).triage

    assert triage is not None
    assert triage.required([1]) == [0, 1, 2]
    assert triage.required([0, 1, 1]) == [0]
    assert triage.required([]) == [0]
    assert triage.level_loinc == ()
