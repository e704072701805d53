"""What speaks against a course: never a no where nobody answered."""

from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.eligibility import (
    Answer,
    Severity,
    State,
    assess,
    catalogue_version,
    conditions,
)
from app.clinical.eligibility.screening import parse
from app.clinical.instruments import DefinitionRefused

PACKAGE: Final = "app.clinical.eligibility"
law = settings(deadline=None)

KEYS = [one.key for one in conditions()]
NO = dict.fromkeys(KEYS, Answer.NO)

answers = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(Answer))
resolutions = st.sets(st.sampled_from(KEYS))


def test_the_catalogue_has_what_labels_and_consensus_name() -> None:
    hard = {one.key for one in conditions() if one.severity is Severity.HARD_STOP}

    assert {
        "allergy",
        "aneurysmal-disease",
        "arteriovenous-malformation",
        "intracerebral-haemorrhage",
        "uncontrolled-hypertension",
        "psychosis",
        "mania",
        "pregnancy",
        "breastfeeding",
        "severe-liver-disease",
    } <= hard
    assert {"substance-use", "cns-depressants", "ketamine-use", "bladder-symptoms"} <= set(KEYS)
    assert all(one.label and one.source for one in conditions())
    assert all(one.verified for one in conditions() if one.key in hard)


def test_a_catalogue_is_known_by_what_it_says() -> None:
    text = (files(PACKAGE) / "conditions.toml").read_bytes()

    assert catalogue_version() == sha256(text).hexdigest()[:12]


def test_hard_stops_come_first() -> None:
    severities = [one.severity for one in conditions()]

    assert severities == sorted(severities, key=lambda one: one is Severity.CAUTION)


@pytest.mark.parametrize(
    ("given_", "resolved", "state"),
    [
        ({}, (), State.OPEN),
        (NO, (), State.CLEAR),
        (NO | {"psychosis": Answer.UNKNOWN}, (), State.OPEN),
        (NO | {"psychosis": Answer.UNKNOWN}, ("psychosis",), State.OPEN),
        (NO | {"psychosis": Answer.YES}, (), State.STOPPED),
        ({"psychosis": Answer.YES}, (), State.STOPPED),
        ({"psychosis": Answer.YES}, ("psychosis",), State.OPEN),
        (NO | {"psychosis": Answer.YES}, ("mania",), State.STOPPED),
        (NO | {"psychosis": Answer.YES}, ("psychosis",), State.CAUTIONS),
        (NO | {"substance-use": Answer.YES}, (), State.CAUTIONS),
        (NO | {"substance-use": Answer.YES}, ("substance-use",), State.CAUTIONS),
        (NO | {"from-an-older-catalogue": Answer.YES}, (), State.CAUTIONS),
        (NO | {"from-an-older-catalogue": Answer.NO}, (), State.CLEAR),
    ],
)
def test_a_screening_stands_where_the_gravest_answer_puts_it(
    given_: dict[str, Answer], resolved: tuple[str, ...], state: State
) -> None:
    assert assess(given_, resolved).state is state


def test_what_stands_is_named() -> None:
    standing = assess(
        NO
        | {
            "psychosis": Answer.YES,
            "pregnancy": Answer.YES,
            "substance-use": Answer.YES,
            "mania": Answer.UNKNOWN,
        },
        ["pregnancy", "substance-use", "allergy"],
    )

    assert standing.stops == ("psychosis",)
    assert standing.resolved == ("pregnancy",)
    assert standing.cautions == ("substance-use",)
    assert standing.open == ("mania",)
    assert standing.resolved_in_vain == ("substance-use", "allergy")


@pytest.mark.parametrize("key", KEYS)
def test_each_question_left_open_keeps_a_screening_from_being_clear(key: str) -> None:
    left_out = {one: answer for one, answer in NO.items() if one != key}

    assert assess(left_out).open == assess(NO | {key: Answer.UNKNOWN}).open == (key,)
    assert assess(left_out).state is State.OPEN


@given(answers, resolutions, st.sampled_from(KEYS))
@law
def test_forgetting_an_answer_never_makes_a_screening_clearer(
    given_: dict[str, Answer], resolved: set[str], forgotten: str
) -> None:
    less = {key: answer for key, answer in given_.items() if key != forgotten}
    kind = [State.CLEAR, State.CAUTIONS, State.OPEN]

    before, after = assess(given_, resolved).state, assess(less, resolved).state
    if before is not State.STOPPED:
        assert kind.index(after) >= kind.index(before)
    else:
        assert after in {State.STOPPED, State.OPEN}


@given(answers, resolutions)
@law
def test_every_question_is_accounted_for_once(
    given_: dict[str, Answer], resolved: set[str]
) -> None:
    standing = assess(given_, resolved)

    told = [*standing.stops, *standing.resolved, *standing.open, *standing.cautions]
    noes = [key for key, answer in given_.items() if answer is Answer.NO]
    assert sorted([*told, *noes]) == sorted(KEYS)


@given(answers)
@law
def test_no_hard_stop_goes_unless_it_is_resolved_by_name(given_: dict[str, Answer]) -> None:
    for key in assess(given_).stops:
        others = [one for one in KEYS if one != key]
        assert assess(given_, others).stops == (key,)
        assert key in assess(given_, KEYS).resolved


CONDITION = """
[[conditions]]
key = "moon"
label = "Moon"
severity = "caution"
source = "Us"
verified = false
"""


def test_no_state_says_that_there_is_no_danger() -> None:
    words: list[Any] = [*State]

    assert words == ["stopped", "open", "cautions", "clear"]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (CONDITION * 2, "key"),
        (CONDITION.replace("caution", "maybe"), "severity"),
        (CONDITION.replace('source = "Us"\n', ""), "source"),
        (CONDITION.replace("false", '"no"'), "verified"),
        (CONDITION + "dose = 1", "dose"),
        ("version = 1\n" + CONDITION, "version"),
        ("", "conditions"),
        ("[[", "TOML"),
    ],
)
def test_a_catalogue_is_read_strictly(text: str, key: str) -> None:
    with pytest.raises(DefinitionRefused, match=rf"^ours\.toml.*{key}"):
        parse(text, "ours.toml")
