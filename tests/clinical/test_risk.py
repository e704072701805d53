"""What raises a flag, and that nothing makes one disappear."""

from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.instruments import Level, find
from app.clinical.risk import (
    Finding,
    RaisedRefused,
    assess,
    assess_rise,
    check_raised,
    together,
)
from app.clinical.scoring import AnswersRefused, score

law = settings(deadline=None)

PHQ_9 = find("phq-9")
NOT_ASSESSED = Finding(Level.NONE, False, ("not-assessed",))

others = st.lists(st.none() | st.integers(0, 3), min_size=8, max_size=8)
words = st.sampled_from([*Level, "severe", "", "HIGH"])
raises = st.dictionaries(st.sampled_from(["0", "1", "2", "3", "4", "x"]), words)


@pytest.mark.parametrize(
    ("answer", "level"), [(1, Level.LOW), (2, Level.MODERATE), (3, Level.HIGH)]
)
def test_item_nine_above_zero_flags_even_when_the_total_is_minimal(
    answer: int, level: Level
) -> None:
    answers = [0] * 8 + [answer]

    finding = assess(PHQ_9, answers)

    assert score(PHQ_9, answers).band == "minimal"
    assert finding == Finding(level, True, ("phq-9.item-9",))
    assert finding.flagged


def test_the_published_moderate_case_flags_too() -> None:
    assert assess(PHQ_9, [1, 1, 1, 1, 1, 1, 1, 1, 2]).level is Level.MODERATE


def test_item_nine_answered_with_zero_is_assessed_and_raises_nothing() -> None:
    finding = assess(PHQ_9, [3] * 8 + [0])

    assert finding == Finding(Level.NONE, True, ())
    assert not finding.flagged


def test_item_nine_left_out_is_not_assessed_however_bad_the_rest_is() -> None:
    finding = assess(PHQ_9, [3] * 8 + [None])

    assert finding == NOT_ASSESSED
    assert not finding.flagged


def test_answers_that_stop_before_item_nine_are_not_assessed() -> None:
    assert assess(PHQ_9, []) == NOT_ASSESSED
    assert assess(PHQ_9, [3] * 8) == NOT_ASSESSED


@pytest.mark.parametrize("key", ["gad-7", "momentary"])
def test_a_questionnaire_that_does_not_ask_does_not_assess(key: str) -> None:
    assert assess(find(key), [3] * len(find(key).items)) == NOT_ASSESSED


def test_wrong_answers_elsewhere_do_not_hide_item_nine() -> None:
    answers = cast("Sequence[int | None]", ["x", 99, True, None, -1, 2.5, [], {}, 3, 3, 3])

    assert assess(PHQ_9, answers).level is Level.HIGH


@pytest.mark.parametrize("answer", [4, -1, True, 3.0, "3"])
def test_an_item_nine_that_is_no_answer_is_refused_and_not_taken_for_none(answer: object) -> None:
    with pytest.raises(AnswersRefused) as refused:
        assess(PHQ_9, cast("Sequence[int | None]", [0] * 8 + [answer]))

    assert [position for position, _ in refused.value.errors] == [8]


def test_a_clinic_may_raise_a_level_and_the_finding_says_so() -> None:
    finding = assess(PHQ_9, [0] * 8 + [1], {"1": "moderate"})

    assert finding == Finding(Level.MODERATE, True, ("phq-9.item-9", "raised-by-clinic"))


def test_a_clinic_may_flag_an_answer_that_raises_nothing_by_itself() -> None:
    assert assess(PHQ_9, [0] * 9, {"0": "low"}).flagged


@pytest.mark.parametrize("word", ["none", "low", "moderate", "high", "severe", ""])
def test_a_clinic_cannot_lower_a_level(word: str) -> None:
    assert assess(PHQ_9, [0] * 8 + [3], {"3": word}) == assess(PHQ_9, [0] * 8 + [3])


def test_a_sound_setting_is_accepted() -> None:
    check_raised(PHQ_9, {"1": "moderate", "2": "high", "3": "high"})
    check_raised(find("gad-7"), {})


@pytest.mark.parametrize(
    ("key", "raised"),
    [
        ("phq-9", {"4": "high"}),
        ("phq-9", {"1": "severe"}),
        ("phq-9", {"3": "moderate"}),
        ("phq-9", {"2": "none"}),
        ("gad-7", {"1": "high"}),
    ],
)
def test_a_setting_that_would_do_nothing_is_reported_when_it_is_saved(
    key: str, raised: dict[str, str]
) -> None:
    with pytest.raises(RaisedRefused) as refused:
        check_raised(find(key), raised)

    assert [answer for answer, _ in refused.value.errors] == list(raised)


def test_levels_are_ordered_by_urgency_and_not_by_the_alphabet() -> None:
    none, low, moderate, high = Level

    assert sorted([high, none, moderate, low]) == [none, low, moderate, high]
    assert max(Level) is high
    assert [level.rank for level in Level] == [0, 1, 2, 3]
    assert low <= Level("low")
    assert high >= Level("high")
    assert low < moderate < high
    assert high > moderate > low
    assert not none > low
    assert not high <= moderate
    assert low < "high"


@law
@given(others, st.integers(0, 3))
def test_other_answers_never_change_the_finding(rest: list[int | None], answer: int) -> None:
    assert assess(PHQ_9, [*rest, answer]) == assess(PHQ_9, [None] * 8 + [answer])


@law
@given(others, st.integers(1, 3))
def test_a_flag_is_there_whether_or_not_there_is_a_total(
    rest: list[int | None], answer: int
) -> None:
    assert assess(PHQ_9, [*rest, answer]).flagged


@law
@given(st.integers(0, 3), raises)
def test_raising_never_lowers(answer: int, raised: dict[str, str]) -> None:
    plain = assess(PHQ_9, [0] * 8 + [answer])
    with_setting = assess(PHQ_9, [0] * 8 + [answer], raised)

    assert with_setting.level >= plain.level
    assert with_setting.assessed
    assert set(plain.reasons) <= set(with_setting.reasons)


@law
@given(st.integers(0, 3), raises)
def test_a_setting_that_is_accepted_is_followed_to_the_letter(
    answer: int, raised: dict[str, str]
) -> None:
    try:
        check_raised(PHQ_9, raised)
    except RaisedRefused:
        return

    expected = raised.get(str(answer), assess(PHQ_9, [0] * 8 + [answer]).level)
    assert assess(PHQ_9, [0] * 8 + [answer], raised).level == expected


def test_a_rise_of_the_bladder_check_is_a_low_danger_to_the_body() -> None:
    found = assess_rise(find("bladder"), ("bladder.night",))

    assert found == Finding(Level.LOW, False, ("bladder.night.rise",))
    assert assess_rise(find("bladder"), ()) == NOT_ASSESSED


def test_a_rise_is_no_danger_where_the_questionnaire_has_no_such_rule() -> None:
    assert assess_rise(PHQ_9, ("phq-9.item-1",)) == NOT_ASSESSED


def test_dangers_to_the_body_are_one_with_every_reason_and_the_gravest_level() -> None:
    low = Finding(Level.LOW, False, ("a", "b"))
    high = Finding(Level.HIGH, False, ("b", "c"))

    assert together(low, NOT_ASSESSED, high) == Finding(Level.HIGH, False, ("a", "b", "c"))
    assert together(NOT_ASSESSED, NOT_ASSESSED) == NOT_ASSESSED
