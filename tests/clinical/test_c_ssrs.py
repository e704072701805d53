"""Every way to answer the C-SSRS, held against a second reading of the official triage.

HIGH is a yes to 4 or 5 in the past month, or suicidal behaviour in the past three months:
the Columbia Lighthouse Project. Everything after a missing answer is our own convention.
"""

from collections.abc import Sequence
from itertools import product
from typing import cast

import pytest

from app.clinical.instruments import Instrument, Level, find
from app.clinical.risk import NOT_ASSESSED, Finding, RaisedRefused, assess, check_raised
from app.clinical.scoring import AnswersRefused, Score, score

SCREENER = find("c-ssrs-screener")
SINCE = find("c-ssrs-since-last-contact")

YES, NO = 1, 0


def screener_says(answers: Sequence[int | None]) -> tuple[str, bool, bool]:
    """Level, whether assessed, whether incomplete; written without looking at the code."""
    q1, q2, q3, q4, q5, q6, q6b = answers
    incomplete = (q2 == YES and None in (q3, q4, q5)) or (q6 == YES and q6b is None)

    def counts(answer: int | None, asked_by: int | None) -> bool:
        return answer == YES or (answer is None and asked_by == YES)

    if counts(q4, q2) or counts(q5, q2) or counts(q6b, q6):
        level = "high"
    elif counts(q3, q2) or q6 == YES:
        level = "moderate"
    elif YES in (q1, q2):
        level = "low"
    else:
        level = "none"
    return level, None not in (q1, q2, q6), incomplete


def since_says(answers: Sequence[int | None]) -> tuple[str, bool, bool]:
    q1, q2, q3, q4, q5, q6 = answers
    incomplete = q2 == YES and None in (q3, q4, q5)
    if YES in (q4, q5, q6) or (q2 == YES and None in (q4, q5)):
        level = "high"
    elif q3 == YES or (q2 == YES and q3 is None):
        level = "moderate"
    elif YES in (q1, q2):
        level = "low"
    else:
        level = "none"
    return level, None not in (q1, q2, q6), incomplete


def test_every_way_to_answer_the_screener_has_the_official_level() -> None:
    ways = list(product((None, NO, YES), repeat=7))

    assert len(ways) == 3**7
    for answers in ways:
        finding = assess(SCREENER, answers)
        level, assessed, incomplete = screener_says(answers)
        assert finding.level == level, answers
        assert finding.assessed is assessed, answers
        assert ("incomplete" in finding.reasons) is incomplete, answers
        assert ("not-assessed" in finding.reasons) is not assessed, answers
        assert score(SCREENER, answers) == Score(None, None, assessed and not incomplete), answers


def test_every_way_to_answer_since_the_last_contact_has_the_official_level() -> None:
    for answers in product((None, NO, YES), repeat=6):
        finding = assess(SINCE, answers)
        level, assessed, incomplete = since_says(answers)
        assert finding.level == level, answers
        assert finding.assessed is assessed, answers
        assert ("incomplete" in finding.reasons) is incomplete, answers
        assert score(SINCE, answers).complete is (assessed and not incomplete), answers


# The published cases, as they are filled in by somebody who follows the skips.
@pytest.mark.parametrize(
    ("answers", "level", "reasons"),
    [
        ([1, 0, None, None, None, 0, None], "low", [1]),
        ([0, 1, 1, 0, 0, 0, None], "moderate", [2, 3]),
        ([0, 0, None, None, None, 1, 0], "moderate", [6]),
        ([0, 0, None, None, None, 1, 1], "high", [6, 7]),
        ([0, 1, 0, 1, 0, 0, None], "high", [2, 4]),
        ([0, 1, 0, 0, 1, 0, None], "high", [2, 5]),
    ],
    ids=["wish", "method", "long-ago", "recent-behaviour", "intent", "plan"],
)
def test_a_published_case_has_its_level_and_names_each_yes(
    answers: list[int | None], level: str, reasons: list[int]
) -> None:
    finding = assess(SCREENER, answers)

    assert finding.level == level
    assert finding.assessed
    assert list(finding.reasons) == [SCREENER.items[number - 1].code for number in reasons]
    assert score(SCREENER, answers).complete


def test_intent_is_high_and_behaviour_of_long_ago_is_not() -> None:
    # Another guide in circulation has it the other way round for both.
    assert assess(SCREENER, [0, 1, 0, 1, 0, 0, None]).level is Level.HIGH
    assert assess(SCREENER, [0, 0, None, None, None, 1, 0]).level is Level.MODERATE


def test_all_no_is_an_answer_and_raises_nothing() -> None:
    finding = assess(SCREENER, [0, 0, None, None, None, 0, None])

    assert finding == Finding(Level.NONE, True, ())


def test_answers_that_contradict_each_other_are_taken_and_the_highest_counts() -> None:
    assert assess(SCREENER, [0, 0, 0, 0, 1, 0, 0]) == Finding(
        Level.HIGH, True, ("c-ssrs-screener.item-5",)
    )
    assert assess(SCREENER, [0, 0, None, None, None, 0, 1]).level is Level.HIGH


def test_a_question_left_out_that_was_due_counts_as_yes_and_names_no_question() -> None:
    assert assess(SCREENER, [0, 1, 0, 0, None, 0, None]) == Finding(
        Level.HIGH, True, ("c-ssrs-screener.item-2", "incomplete")
    )
    assert assess(SCREENER, [0, 1, None, 0, 0, 0, None]).level is Level.MODERATE
    assert assess(SCREENER, [0, 0, None, None, None, 1, None]) == Finding(
        Level.HIGH, True, ("c-ssrs-screener.item-6", "incomplete")
    )


@pytest.mark.parametrize("missing", [0, 1, 5], ids=["1", "2", "6"])
def test_without_a_question_that_everybody_is_asked_nothing_was_assessed(missing: int) -> None:
    answers: list[int | None] = [0, 0, None, None, None, 0, None]
    answers[missing] = None

    assert assess(SCREENER, answers) == NOT_ASSESSED
    assert not score(SCREENER, answers).complete


def test_what_was_answered_raises_its_level_even_when_the_rest_was_not_assessed() -> None:
    finding = assess(SCREENER, [1, None, None, None, None, None, None])

    assert finding == Finding(Level.LOW, False, ("c-ssrs-screener.item-1", "not-assessed"))
    assert finding.flagged


@pytest.mark.parametrize("instrument", [SCREENER, SINCE], ids=["screener", "since"])
def test_answers_that_stop_early_are_read_as_far_as_they_go(instrument: Instrument) -> None:
    assert assess(instrument, []) == NOT_ASSESSED
    for length in range(len(instrument.items)):
        whole = [1] * length + [None] * (len(instrument.items) - length)
        assert assess(instrument, [1] * length) == assess(instrument, whole)


def test_more_answers_than_questions_hide_nothing() -> None:
    answers = cast("Sequence[int | None]", [0, 1, 0, 1, 0, 0, None, "x", 99])

    assert assess(SCREENER, answers).level is Level.HIGH


@pytest.mark.parametrize("answer", [2, -1, True, 1.0, "1"], ids=str)
def test_an_answer_that_is_neither_yes_nor_no_is_refused(answer: object) -> None:
    with pytest.raises(AnswersRefused) as refused:
        assess(SCREENER, cast("Sequence[int | None]", [0, 0, answer]))

    assert [position for position, _ in refused.value.errors] == [2]


def test_a_clinic_may_raise_a_question_and_the_finding_says_so() -> None:
    long_ago = [0, 0, None, None, None, 1, 0]

    assert assess(SCREENER, long_ago, {"item-6": "high"}) == Finding(
        Level.HIGH, True, ("c-ssrs-screener.item-6", "raised-by-clinic")
    )
    assert assess(SCREENER, long_ago, {"item-3": "high"}) == assess(SCREENER, long_ago)


def test_a_clinic_s_level_holds_for_a_question_that_is_taken_for_yes() -> None:
    finding = assess(SCREENER, [0, 1, None, 0, 0, 0, None], {"item-3": "high"})

    assert finding.level is Level.HIGH
    assert finding.reasons == ("c-ssrs-screener.item-2", "incomplete", "raised-by-clinic")


@pytest.mark.parametrize("word", ["none", "low", "severe", ""])
def test_a_clinic_cannot_lower_a_question(word: str) -> None:
    for answers in product((None, NO, YES), repeat=7):
        raised = dict.fromkeys([item.key for item in SCREENER.items], word)
        assert assess(SCREENER, answers, raised).level >= assess(SCREENER, answers).level


def test_a_clinic_s_setting_is_checked_by_question() -> None:
    check_raised(SCREENER, {"item-1": "moderate", "item-4": "high"})

    for wrong in ({"1": "high"}, {"item-7": "high"}, {"item-4": "moderate"}, {"item-1": "x"}):
        with pytest.raises(RaisedRefused) as refused:
            check_raised(SCREENER, wrong)
        assert [key for key, _ in refused.value.errors] == list(wrong)


def test_the_screener_asks_the_published_questions_under_the_published_codes() -> None:
    assert [(item.key, item.loinc) for item in SCREENER.items] == [
        ("item-1", "93246-7"),
        ("item-2", "93247-5"),
        ("item-3", "93248-3"),
        ("item-4", "93249-1"),
        ("item-5", "93250-9"),
        ("item-6", "93267-3"),
        ("item-6b", "93269-9"),
    ]
    assert SCREENER.panel_loinc == "93373-9"
    assert SCREENER.items[0].text == (
        "Have you wished you were dead or wished you could go to sleep and not wake up?"
    )
    assert {(o.value, o.label, o.loinc) for o in SCREENER.items[0].options} == {
        (1, "Yes", "LA33-6"),
        (0, "No", "LA32-8"),
    }
    triage = SCREENER.triage
    assert triage is not None
    assert triage.loinc == "93374-7"
    assert dict(triage.level_loinc) == {
        Level.LOW: "LA9194-7",
        Level.MODERATE: "LA6751-7",
        Level.HIGH: "LA9193-9",
    }


def test_since_the_last_contact_bears_no_code_of_another_time() -> None:
    assert [item.key for item in SINCE.items] == [f"item-{number}" for number in range(1, 7)]
    assert [item.text for item in SINCE.items[:5]] == [item.text for item in SCREENER.items[:5]]
    assert SINCE.items[5].text.startswith("Have you done anything, started to do anything")
    assert SINCE.panel_loinc is None
    assert all(item.loinc is None for item in SINCE.items)
    assert SINCE.convention
    assert "not verified" in SINCE.source


@pytest.mark.parametrize("instrument", [SCREENER, SINCE], ids=["screener", "since"])
def test_it_stands_apart_with_its_own_notice_and_is_never_added_up(instrument: Instrument) -> None:
    assert not instrument.offered_by_default
    assert "© 2008" in instrument.notice
    assert instrument.total is None
    assert instrument.suicide_item is None
    assert all(item.scale is None for item in instrument.items)


def test_the_triage_as_a_dict_names_questions_by_key() -> None:
    triage = SCREENER.as_dict()["triage"]

    assert isinstance(triage, dict)
    assert triage["always"] == ["item-1", "item-2", "item-6"]
    assert triage["asked_after"] == {
        "item-2": ["item-3", "item-4", "item-5"],
        "item-6": ["item-6b"],
    }
    assert triage["levels"]["item-6"] == "moderate"
    assert triage["level_loinc"] == {"low": "LA9194-7", "moderate": "LA6751-7", "high": "LA9193-9"}
    assert find("phq-9").as_dict()["triage"] is None
