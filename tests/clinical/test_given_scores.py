"""Scores of questionnaires whose questions may not be shipped: entered, checked, read."""

from collections.abc import Mapping
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.instruments import Instrument, find, shipped
from app.clinical.risk import NOT_ASSESSED, assess
from app.clinical.scoring import AnswersRefused, Score, ScoresRefused, score, score_given

law = settings(deadline=None)

SCORE_ONLY = [instrument for instrument in shipped() if instrument.is_score_only]
MEQ = find("meq-30")

whatever = st.none() | st.integers() | st.floats() | st.booleans() | st.text()


def key_of(instrument: Instrument) -> str:
    """A name for pytest's report."""
    return instrument.key


def refusal(key: str, scores: object) -> ScoresRefused:
    with pytest.raises(ScoresRefused) as refused:
        score_given(find(key), cast("Mapping[str, int | float | None]", scores))
    return refused.value


def test_nine_questionnaires_are_shipped_without_a_single_question() -> None:
    assert {instrument.key for instrument in SCORE_ONLY} == {
        *("isi", "meq-30", "ebi", "ies", "eis", "cadss", "cadss-6", "madrs", "dast-10")
    }
    for instrument in SCORE_ONLY:
        assert instrument.items == instrument.extras == ()
        assert instrument.offered_by_default


@pytest.mark.parametrize(
    ("key", "maximum"),
    [("isi", 28), ("madrs", 60), ("dast-10", 10), ("cadss", 92), ("cadss-6", 24)],
)
def test_a_total_is_taken_from_nought_to_its_maximum_and_no_further(key: str, maximum: int) -> None:
    assert score_given(find(key), {"total": 0}).total == 0
    assert score_given(find(key), {"total": maximum}).total == maximum
    for outside in (-1, maximum + 1):
        refused = refusal(key, {"total": outside})
        assert refused.errors == (
            ("total", f"must be a whole number from 0 to {maximum}, or null if there is none"),
        )


# Bands of the Insomnia Severity Index and of the DAST-10, as their forms print them.
@pytest.mark.parametrize(
    ("key", "total", "band"),
    [
        *[("isi", 0, "none"), ("isi", 7, "none"), ("isi", 8, "subthreshold")],
        *[("isi", 14, "subthreshold"), ("isi", 15, "moderate"), ("isi", 21, "moderate")],
        *[("isi", 22, "severe"), ("isi", 28, "severe")],
        *[("dast-10", 0, "none"), ("dast-10", 1, "low"), ("dast-10", 2, "low")],
        *[("dast-10", 3, "moderate"), ("dast-10", 5, "moderate")],
        *[("dast-10", 6, "substantial"), ("dast-10", 8, "substantial")],
        *[("dast-10", 9, "severe"), ("dast-10", 10, "severe")],
        *[("madrs", 34, None), ("cadss", 40, None)],
    ],
)
def test_an_entered_total_changes_band_exactly_at_each_cut_off(
    key: str, total: int, band: str | None
) -> None:
    assert score_given(find(key), {"total": total}) == Score(total, band, True)


@pytest.mark.parametrize(
    "given_score",
    [True, False, 14.0, 14.5, "14", [14], float("nan"), float("inf"), 10**400],
    ids=["true", "false", "14.0", "14.5", "text", "list", "nan", "inf", "huge"],
)
def test_what_is_no_whole_number_is_no_total(given_score: object) -> None:
    assert refusal("isi", {"total": given_score}).errors[0][0] == "total"


def test_a_refusal_never_repeats_what_was_sent() -> None:
    refused = refusal("isi", {"total": 98_765, "other": 43_210})

    assert [key for key, _ in refused.errors] == ["total", "other"]
    assert "98765" not in str(refused)
    assert "43210" not in str(refused)


@pytest.mark.parametrize("scores", [{}, {"total": None}], ids=["left-out", "null"])
def test_without_its_score_there_is_no_total(scores: dict[str, None]) -> None:
    assert score_given(find("isi"), scores) == Score(None, None, False)


# Barrett, Johnson & Griffiths 2015: complete at 60 % of 75, 30, 30 and 15 or more.
@pytest.mark.parametrize(
    ("scores", "is_complete"),
    [
        ([45, 18, 18, 9], True),
        ([44, 18, 18, 9], False),
        ([45, 17, 18, 9], False),
        ([45, 18, 17, 9], False),
        ([45, 18, 18, 8], False),
        ([46, 19, 19, 10], True),
        ([75, 30, 30, 0], False),
    ],
    ids=["on-it", "mystical", "mood", "time", "ineffable", "above", "three-full"],
)
def test_a_mystical_experience_is_complete_from_sixty_per_cent_on_all_four(
    scores: list[int], is_complete: bool
) -> None:
    keys = [kind.key for kind in MEQ.scores]
    result = score_given(MEQ, dict(zip(keys, scores, strict=True)))

    assert result.subscales == dict(zip(keys, scores, strict=True))
    assert result.criteria == {"complete-mystical-experience": is_complete}
    assert (result.total, result.complete) == (None, True)


def test_a_missing_subscale_leaves_it_undecided_unless_another_decides() -> None:
    open_ = score_given(MEQ, {"mystical": 75, "positive-mood": 30, "transcendence": 30})
    decided = score_given(MEQ, {"mystical": 10})

    assert not open_.complete
    assert open_.criteria == {"complete-mystical-experience": None}
    assert open_.subscales["ineffability"] is None
    assert decided.criteria == {"complete-mystical-experience": False}


def test_the_breakthrough_is_a_sum_or_a_mean_and_says_which() -> None:
    as_sum = score_given(find("ebi"), {"sum": 330})
    as_mean = score_given(find("ebi"), {"mean": 55.5, "sum": None})

    assert as_sum == Score(None, None, True, {"sum": 330, "mean": None})
    assert as_mean == Score(None, None, True, {"sum": None, "mean": 55.5})
    assert score_given(find("ebi"), {}).complete is False
    refused = refusal("ebi", {"sum": 330, "mean": 55})
    assert refused.errors == ((None, "must be exactly one of sum, mean"),)


@pytest.mark.parametrize(("key", "maximum"), [("sum", 600), ("mean", 100)])
def test_both_ends_of_a_visual_scale_are_taken_and_nothing_beyond(key: str, maximum: int) -> None:
    assert score_given(find("ebi"), {key: float(maximum)}).subscales[key] == maximum
    assert type(score_given(find("ebi"), {key: float(maximum)}).subscales[key]) is int
    for outside in (-0.001, maximum + 0.001, float("nan"), True):
        assert refusal("ebi", {key: outside}).errors[0][0] == key


@pytest.mark.parametrize("key", ["ies", "eis"])
def test_integration_is_entered_as_per_cent_which_is_called_a_convention(key: str) -> None:
    instrument = find(key)

    result = score_given(instrument, {"percent-of-maximum": 62.5})
    assert result.subscales == {"percent-of-maximum": 62.5}
    assert instrument.convention
    assert "POMP" in instrument.source or "per cent of the maximum" in instrument.source


@pytest.mark.parametrize("key", ["cadss", "cadss-6", "meq-30", "ebi"])
def test_an_experience_that_is_stronger_is_not_called_better(key: str) -> None:
    instrument = find(key)

    assert instrument.direction is None
    assert all(kind.direction is None for kind in instrument.scores)
    assert instrument.total is None


@pytest.mark.parametrize("instrument", SCORE_ONLY, ids=key_of)
def test_a_questionnaire_without_questions_takes_no_answers_and_assesses_nothing(
    instrument: Instrument,
) -> None:
    for answers in ([], [0]):
        with pytest.raises(AnswersRefused) as refused:
            score(instrument, answers)
        assert [position for position, _ in refused.value.errors] == [None]
        assert assess(instrument, answers) == NOT_ASSESSED


def test_a_questionnaire_with_questions_takes_no_scores() -> None:
    assert refusal("phq-9", {"total": 3}).errors == (
        (None, "must be left out: this questionnaire takes answers"),
    )


def test_the_scores_as_dicts_are_enough_to_ask_for_them() -> None:
    assert find("isi").as_dict()["scores"] == [
        {
            "key": "total",
            "label": "Total",
            "minimum": 0,
            "maximum": 28,
            "whole": True,
            "direction": "lower-is-better",
        }
    ]
    criterion = MEQ.as_dict()["criteria"][0]  # type: ignore[index]  # a dict of objects
    assert criterion["kind"] == "percent"
    assert criterion["percent"] == 60
    assert criterion["of"] == [kind.key for kind in MEQ.scores]


@law
@given(
    st.sampled_from(SCORE_ONLY),
    st.dictionaries(
        st.sampled_from(["total", "sum", "mean", "mystical", "percent-of-maximum"]) | st.text(),
        whatever,
        max_size=5,
    ),
)
def test_whatever_is_sent_is_read_or_refused_and_nothing_else_happens(
    instrument: Instrument, sent: dict[str, object]
) -> None:
    scores = cast("Mapping[str, int | float | None]", sent)

    try:
        result = score_given(instrument, scores)
    except ScoresRefused:
        return

    read = {**result.subscales, "total": result.total}
    assert all(read[key] == number for key, number in scores.items())
