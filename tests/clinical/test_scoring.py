"""Totals and bands against published cases, and what is refused."""

from collections.abc import Mapping, Sequence
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.instruments import find
from app.clinical.scoring import (
    SCORING_VERSION,
    AnswersRefused,
    ExtrasRefused,
    Score,
    check_extras,
    score,
)

law = settings(deadline=None)

PHQ_9 = find("phq-9")
GAD_7 = find("gad-7")
MOMENTARY = find("momentary")

phq_9_answers = st.lists(st.integers(0, 3), min_size=9, max_size=9)
partial_phq_9_answers = st.lists(st.none() | st.integers(0, 3), min_size=9, max_size=9)


def answers_adding_up_to(total: int, items: int) -> list[int]:
    return [max(0, min(3, total - 3 * position)) for position in range(items)]


def refusal(instrument_key: str, answers: object) -> AnswersRefused:
    with pytest.raises(AnswersRefused) as refused:
        score(find(instrument_key), cast("Sequence[int | None]", answers))
    return refused.value


# Sums and bands of Kroenke, Spitzer & Williams 2001.
@pytest.mark.parametrize(
    ("answers", "total", "band"),
    [
        ([0] * 9, 0, "minimal"),
        ([1] * 9, 9, "mild"),
        ([1, 1, 1, 1, 1, 1, 1, 1, 2], 10, "moderate"),
        ([2] * 9, 18, "moderately-severe"),
        ([3] * 9, 27, "severe"),
    ],
)
def test_a_phq_9_has_the_published_total_and_band(
    answers: list[int], total: int, band: str
) -> None:
    assert score(PHQ_9, answers) == Score(total, band, True)


@pytest.mark.parametrize(
    ("total", "band"),
    [
        *[(0, "minimal"), (3, "minimal"), (4, "minimal")],
        *[(5, "mild"), (6, "mild"), (8, "mild"), (9, "mild")],
        *[(10, "moderate"), (11, "moderate"), (13, "moderate"), (14, "moderate")],
        *[(15, "moderately-severe"), (16, "moderately-severe")],
        *[(18, "moderately-severe"), (19, "moderately-severe")],
        *[(20, "severe"), (21, "severe"), (26, "severe"), (27, "severe")],
    ],
)
def test_a_phq_9_changes_band_exactly_at_each_cut_off(total: int, band: str) -> None:
    assert score(PHQ_9, answers_adding_up_to(total, 9)) == Score(total, band, True)


# Spitzer, Kroenke, Williams & Löwe 2006.
@pytest.mark.parametrize(
    ("total", "band"),
    [
        *[(0, "minimal"), (3, "minimal"), (4, "minimal")],
        *[(5, "mild"), (6, "mild"), (8, "mild"), (9, "mild")],
        *[(10, "moderate"), (11, "moderate"), (13, "moderate"), (14, "moderate")],
        *[(15, "severe"), (16, "severe"), (20, "severe"), (21, "severe")],
    ],
)
def test_a_gad_7_changes_band_exactly_at_each_cut_off(total: int, band: str) -> None:
    assert score(GAD_7, answers_adding_up_to(total, 7)) == Score(total, band, True)


@pytest.mark.parametrize("position", range(9))
def test_one_missing_answer_leaves_no_total_and_nothing_is_imputed(position: int) -> None:
    answers: list[int | None] = [3] * 9
    answers[position] = None

    assert score(PHQ_9, answers) == Score(None, None, False)


def test_the_momentary_scales_are_never_added_up() -> None:
    assert score(MOMENTARY, [5, 0, 10, 3, 7]) == Score(None, None, True)
    assert score(MOMENTARY, [5, None, 10, 3, 7]) == Score(None, None, False)


@pytest.mark.parametrize("count", [0, 8, 10])
def test_a_wrong_number_of_answers_is_refused(count: int) -> None:
    refused = refusal("phq-9", [0] * count)

    assert refused.errors == ((None, "must have exactly 9 answers"),)


@pytest.mark.parametrize("answer", [4, -1, 77_777, True, False, 1.0, 2.5, "2", [2], float("nan")])
def test_an_answer_that_is_not_offered_is_refused_by_position_and_never_repeated(
    answer: object,
) -> None:
    refused = refusal("phq-9", [0, 0, answer, 0, 0, 0, 0, 0, 0])

    assert refused.errors == ((2, "must be one of 0, 1, 2, 3, or null if not answered"),)


@pytest.mark.parametrize("answer", [11, -1, 5.0, True])
def test_a_momentary_answer_off_the_scale_is_refused(answer: object) -> None:
    refused = refusal("momentary", [5, 5, 5, answer, 5])

    assert refused.errors == ((3, "must be a whole number from 0 to 10, or null if not answered"),)


@pytest.mark.parametrize("answer", [0, 10])
def test_both_ends_of_a_momentary_scale_are_accepted(answer: int) -> None:
    assert score(MOMENTARY, [answer] * 5).complete


def test_every_wrong_answer_is_named_at_once() -> None:
    refused = refusal("phq-9", [9_999, 0, 0, 0, None, 0, 0, -9_999])

    assert [position for position, _ in refused.errors] == [None, 0, 7]
    assert "9999" not in str(refused)


@pytest.mark.parametrize("difficulty", [None, 0, 1, 2, 3])
def test_the_difficulty_question_takes_its_four_answers_or_none(difficulty: int | None) -> None:
    check_extras(PHQ_9, {"difficulty": difficulty})


def test_leaving_the_extras_out_is_fine() -> None:
    check_extras(PHQ_9, {})
    check_extras(GAD_7, {})


@pytest.mark.parametrize("answer", [4, -1, True, 1.0, "1"])
def test_a_difficulty_that_is_not_offered_is_refused(answer: object) -> None:
    with pytest.raises(ExtrasRefused) as refused:
        check_extras(PHQ_9, cast("Mapping[str, int | None]", {"difficulty": answer}))

    assert refused.value.errors == (
        ("difficulty", "must be one of 0, 1, 2, 3, or null if not answered"),
    )


def test_an_extra_that_is_not_asked_is_refused_without_its_value() -> None:
    with pytest.raises(ExtrasRefused) as refused:
        check_extras(PHQ_9, {"mood": 98_765, "difficulty": 5})

    assert [key for key, _ in refused.value.errors] == ["mood", "difficulty"]
    assert "98765" not in str(refused.value)


def test_the_difficulty_is_no_part_of_the_score() -> None:
    with pytest.raises(AnswersRefused):
        score(PHQ_9, [0] * 10)


def test_the_way_of_counting_has_a_version() -> None:
    assert SCORING_VERSION == "1"


@law
@given(phq_9_answers)
def test_a_complete_total_is_the_sum_and_within_its_band(answers: list[int]) -> None:
    result = score(PHQ_9, answers)

    assert PHQ_9.total is not None
    assert result.total == sum(answers)
    (band,) = [b for b in PHQ_9.total.bands if b.low <= sum(answers) <= b.high]
    assert result.band == band.key


@law
@given(phq_9_answers.flatmap(lambda answers: st.tuples(st.just(answers), st.permutations(answers))))
def test_the_order_of_the_items_does_not_change_the_total(
    both: tuple[list[int], list[int]],
) -> None:
    answers, shuffled = both

    assert score(PHQ_9, answers) == score(PHQ_9, shuffled)


@law
@given(partial_phq_9_answers)
def test_there_is_a_total_exactly_when_every_item_is_answered(answers: list[int | None]) -> None:
    result = score(PHQ_9, answers)

    assert result.complete is (None not in answers)
    assert (result.total is not None) is result.complete
    assert (result.band is not None) is result.complete


@law
@given(st.lists(st.none() | st.integers() | st.floats() | st.booleans() | st.text(), max_size=12))
def test_whatever_is_sent_is_scored_or_refused_and_nothing_else_happens(sent: list[object]) -> None:
    acceptable = len(sent) == 9 and all(
        answer is None or (type(answer) is int and 0 <= answer <= 3) for answer in sent
    )

    try:
        score(PHQ_9, cast("Sequence[int | None]", sent))
        scored = True
    except AnswersRefused:
        scored = False

    assert scored is acceptable
