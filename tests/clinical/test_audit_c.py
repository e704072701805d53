"""The AUDIT-C: two cuts, and what need not be asked of somebody who never drinks."""

import pytest

from app.clinical.instruments import find
from app.clinical.scoring import AnswersRefused, Score, score

AUDIT_C = find("audit-c")


# Bradley et al. 2007: positive from 3 for women and from 4 for men.
@pytest.mark.parametrize(
    ("answers", "total", "women", "men"),
    [
        ([0, 0, 0], 0, False, False),
        ([2, 0, 0], 2, False, False),
        ([1, 1, 1], 3, True, False),
        ([3, 0, 0], 3, True, False),
        ([2, 1, 1], 4, True, True),
        ([4, 1, 0], 5, True, True),
        ([4, 4, 4], 12, True, True),
    ],
    ids=["none", "below", "on-3", "on-3-by-one-item", "on-4", "above", "most"],
)
def test_the_cut_for_women_and_the_cut_for_men_are_told_apart(
    answers: list[int], total: int, women: bool, men: bool
) -> None:
    assert score(AUDIT_C, answers) == Score(
        total, None, True, {}, {"positive-women-or-unknown": women, "positive-men": men}
    )


def test_who_never_drinks_need_not_say_how_much() -> None:
    result = score(AUDIT_C, [0, None, None])

    assert (result.total, result.complete) == (0, True)
    assert set(result.criteria.values()) == {False}
    assert score(AUDIT_C, [0, None, 0]).total == 0


def test_who_never_drinks_and_yet_says_how_much_is_scored_as_answered() -> None:
    assert score(AUDIT_C, [0, 3, None]).total == 3


@pytest.mark.parametrize("first", [1, 2, 3, 4, None], ids=str)
def test_nobody_else_may_leave_a_question_out(first: int | None) -> None:
    result = score(AUDIT_C, [first, None, 0])

    assert (result.total, result.complete) == (None, False)


def test_a_cut_is_decided_once_no_missing_answer_could_change_it() -> None:
    assert score(AUDIT_C, [4, None, 0]).criteria == {
        "positive-women-or-unknown": True,
        "positive-men": True,
    }
    assert score(AUDIT_C, [3, None, 0]).criteria == {
        "positive-women-or-unknown": True,
        "positive-men": None,
    }
    assert set(score(AUDIT_C, [None, None, None]).criteria.values()) == {None}


def test_an_answer_that_is_not_offered_is_refused_even_where_it_may_be_left_out() -> None:
    with pytest.raises(AnswersRefused) as refused:
        score(AUDIT_C, [0, 5, None])

    assert [position for position, _ in refused.value.errors] == [1]


def test_it_bears_the_published_codes_and_none_that_are_mistaken_for_them() -> None:
    assert [item.loinc for item in AUDIT_C.items] == ["68518-0", "68519-8", "68520-6"]
    assert AUDIT_C.panel_loinc == "72109-2"
    assert AUDIT_C.total is not None
    assert AUDIT_C.total.loinc == "75626-2"
    assert [[(o.value, o.loinc) for o in item.options] for item in AUDIT_C.items] == [
        [(0, "LA6270-8"), (1, "LA18926-8"), (2, "LA18927-6"), (3, "LA18928-4"), (4, "LA18929-2")],
        [(0, "LA15694-5"), (1, "LA15695-2"), (2, "LA18930-0"), (3, "LA18931-8"), (4, "LA18932-6")],
        [(0, "LA6270-8"), (1, "LA18933-4"), (2, "LA18876-5"), (3, "LA18891-4"), (4, "LA18934-2")],
    ]


def test_the_skip_as_a_dict_is_enough_for_an_app_to_follow_it() -> None:
    skip = AUDIT_C.as_dict()["skips"][0]  # type: ignore[index]  # a dict of objects

    assert skip["item"] == "item-1"
    assert (skip["answer"], skip["scored_as"]) == (0, 0)
    assert skip["skipped"] == ["item-2", "item-3"]
    assert skip["convention"] is True
