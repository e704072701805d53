"""The PCL-5: clusters, the provisional pattern and the cut, which may disagree.

Source of the clusters, the pattern (a symptom counts from 2) and the cut of 31 to 33: the
National Center for PTSD.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.instruments import find
from app.clinical.scoring import score

law = settings(deadline=None)

PCL_5 = find("pcl-5")


def answered(answer: int, *numbers: int) -> list[int | None]:
    """This answer to the items with these numbers, counted from 1, and 0 to the others."""
    return [answer if number in numbers else 0 for number in range(1, 21)]


def pattern(answers: list[int | None]) -> bool | None:
    return score(PCL_5, answers).criteria["provisional-dsm-5"]


def adding_up_to(total: int) -> list[int | None]:
    return [max(0, min(4, total - 4 * position)) for position in range(20)]


@pytest.mark.parametrize(
    ("answers", "total", "clusters", "is_met"),
    [
        ([2] * 20, 40, [10, 4, 14, 12], True),
        (answered(4, 1, 6), 8, [4, 4, 0, 0], False),
        (answered(2, 1, 6, 8, 9, 15, 16), 12, [2, 2, 4, 4], True),
        ([0] * 20, 0, [0, 0, 0, 0], False),
        ([4] * 20, 80, [20, 8, 28, 24], True),
    ],
    ids=["all-moderate", "two-clusters", "below-the-cut", "nothing", "everything"],
)
def test_a_case_has_its_total_its_clusters_and_its_pattern(
    answers: list[int | None], total: int, clusters: list[int], is_met: bool
) -> None:
    result = score(PCL_5, answers)

    assert result.total == total
    assert result.complete
    assert list(result.subscales.values()) == clusters
    assert result.criteria["provisional-dsm-5"] is is_met


def test_the_pattern_and_the_cut_may_disagree_and_both_are_told() -> None:
    pattern_only = score(PCL_5, answered(2, 1, 6, 8, 9, 15, 16)).criteria
    cut_only = score(PCL_5, answered(4, *range(6, 16))).criteria

    assert pattern_only == {"provisional-dsm-5": True, "cut-31": False, "cut-33": False}
    assert cut_only == {"provisional-dsm-5": False, "cut-31": True, "cut-33": True}


@pytest.mark.parametrize(
    ("total", "from_31", "from_33"),
    [(30, False, False), (31, True, False), (32, True, False), (33, True, True), (34, True, True)],
)
def test_the_cut_is_met_exactly_from_either_of_its_ends(
    total: int, from_31: bool, from_33: bool
) -> None:
    criteria = score(PCL_5, adding_up_to(total)).criteria

    assert (criteria["cut-31"], criteria["cut-33"]) == (from_31, from_33)


@pytest.mark.parametrize(
    "without",
    [(1,), (6,), (8,), (15,)],
    ids=["b", "c", "d", "e"],
)
def test_the_pattern_needs_every_cluster(without: tuple[int, ...]) -> None:
    least = {1, 6, 8, 9, 15, 16}

    assert pattern(answered(2, *least)) is True
    assert pattern(answered(2, *(least - set(without)))) is False


def test_a_symptom_counts_from_moderately() -> None:
    assert pattern(answered(1, *range(1, 21))) is False
    assert pattern(answered(2, *range(1, 21))) is True
    assert pattern(answered(3, *range(1, 21))) is True


def test_a_missing_answer_leaves_no_total_and_only_its_own_cluster_open() -> None:
    result = score(PCL_5, [None, *answered(2, 1, 6, 8, 9, 15, 16)[1:]])

    assert result.total is None
    assert not result.complete
    assert result.subscales == {"b": None, "c": 2, "d": 4, "e": 4}
    assert result.criteria == {"provisional-dsm-5": None, "cut-31": False, "cut-33": False}


def test_a_pattern_that_a_missing_answer_cannot_change_is_decided() -> None:
    assert pattern([None, *answered(2, 2, 6, 8, 9, 15, 16)[1:]]) is True
    assert pattern([None, *answered(2, 6, 8, 9)[1:]]) is False


@law
@given(
    st.lists(st.integers(0, 4), min_size=20, max_size=20),
    st.sets(st.integers(0, 19), max_size=20),
)
def test_what_is_decided_with_answers_missing_is_what_all_answers_say(
    answers: list[int], missing: set[int]
) -> None:
    whole = score(PCL_5, answers)
    partial = score(PCL_5, [None if n in missing else a for n, a in enumerate(answers)])

    assert (partial.total is None) is bool(missing)
    for key, is_met in partial.criteria.items():
        assert is_met in (None, whole.criteria[key])
    for key, points in partial.subscales.items():
        assert points in (None, whole.subscales[key])


@law
@given(st.lists(st.integers(0, 4), min_size=20, max_size=20))
def test_the_clusters_add_up_to_the_total(answers: list[int]) -> None:
    result = score(PCL_5, answers)

    assert result.total == sum(answers)
    assert sum(points or 0 for points in result.subscales.values()) == sum(answers)


def test_it_asks_about_the_past_month_with_codes_for_the_whole_only() -> None:
    assert len(PCL_5.items) == 20
    assert PCL_5.recall.days == 30
    assert PCL_5.panel_loinc == "101697-1"
    assert PCL_5.total is not None
    assert PCL_5.total.loinc == "101698-9"
    assert (PCL_5.total.minimum, PCL_5.total.maximum, PCL_5.total.bands) == (0, 80, ())
    assert PCL_5.total.reliable_change is not None
    assert PCL_5.total.reliable_change.value == 15
    assert all(item.loinc is None for item in PCL_5.items)
    assert PCL_5.items[16].text == 'Being "superalert" or watchful or on guard?'
    assert [(o.value, o.label) for o in PCL_5.items[0].options] == [
        (0, "Not at all"),
        (1, "A little bit"),
        (2, "Moderately"),
        (3, "Quite a bit"),
        (4, "Extremely"),
    ]
    assert [(s.key, s.maximum) for s in PCL_5.subscales] == [
        ("b", 20),
        ("c", 8),
        ("d", 28),
        ("e", 24),
    ]
