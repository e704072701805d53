"""What was tried before, and how many adequate trials of it failed."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clinical.eligibility import Trial, TrialOutcome, history

law = settings(deadline=None)


def trial(drug: str = "sertraline", **changes: Any) -> Trial:
    members: dict[str, Any] = {
        "drug": drug,
        "drug_class": "ssri",
        "dose_adequate": True,
        "weeks": 8,
        "outcome": TrialOutcome.NO_RESPONSE,
    }
    return Trial(**(members | changes))


trials = st.lists(
    st.builds(
        trial,
        st.sampled_from("abcdefgh"),
        dose_adequate=st.none() | st.booleans(),
        weeks=st.none() | st.integers(0, 20),
        outcome=st.sampled_from(TrialOutcome),
    ),
    max_size=12,
)


@pytest.mark.parametrize(
    ("changes", "failed", "undecided"),
    [
        ({}, 1, 0),
        ({"weeks": 4}, 1, 0),
        ({"weeks": 3.9}, 0, 0),
        ({"weeks": None}, 0, 1),
        ({"dose_adequate": False}, 0, 0),
        ({"dose_adequate": None}, 0, 1),
        ({"dose_adequate": None, "weeks": 2}, 0, 0),
        ({"outcome": TrialOutcome.PARTIAL_RESPONSE}, 1, 0),
        ({"outcome": TrialOutcome.RESPONSE}, 0, 0),
        ({"outcome": TrialOutcome.REMISSION}, 0, 0),
        ({"outcome": TrialOutcome.NOT_TOLERATED}, 0, 0),
        ({"outcome": TrialOutcome.UNKNOWN}, 0, 1),
    ],
)
def test_a_trial_counts_if_it_was_adequate_and_failed(
    changes: dict[str, Any], failed: int, undecided: int
) -> None:
    told = history([trial(**changes)])

    assert (told.failed, told.undecided) == (failed, undecided)


@pytest.mark.parametrize(
    ("count", "stratum", "is_resistant"),
    [
        (0, "0-1", False),
        (1, "0-1", False),
        (2, "2", True),
        (3, "3-4", True),
        (4, "3-4", True),
        (5, "5+", True),
        (9, "5+", True),
    ],
)
def test_outcomes_are_told_apart_by_how_many_failed(
    count: int, stratum: str, is_resistant: bool
) -> None:
    told = history([trial(f"drug {number}") for number in range(count)])

    assert (told.failed, told.stratum, told.is_resistant) == (count, stratum, is_resistant)
    assert told.stratum_is_certain


def test_a_drug_counts_once_however_often_and_however_it_is_written() -> None:
    told = history([trial("Sertraline"), trial(" sertraline "), trial("SERTRALINE", weeks=None)])

    assert (told.failed, told.undecided) == (1, 0)


def test_what_is_not_known_leaves_it_open_whether_two_failed() -> None:
    told = history([trial("a"), trial("b", weeks=None)])

    assert told.is_resistant is None
    assert (told.stratum, told.stratum_is_certain) == ("0-1", False)


def test_what_was_not_tolerated_is_told_and_is_no_failed_trial() -> None:
    outcome = TrialOutcome.NOT_TOLERATED
    told = history([trial("a", outcome=outcome), trial("b", outcome=outcome, weeks=1), trial("b")])

    assert (told.failed, told.not_tolerated) == (1, 1)


@given(trials)
@law
def test_the_order_of_the_trials_does_not_matter(tried: list[Trial]) -> None:
    assert history(tried) == history(tried[::-1])


@given(trials, trials)
@law
def test_more_trials_never_make_fewer_failures(tried: list[Trial], more: list[Trial]) -> None:
    before, after = history(tried), history([*tried, *more])

    assert after.failed >= before.failed
    assert not before.is_resistant or after.is_resistant
