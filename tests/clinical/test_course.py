"""Where a course stands, and where it may go."""

from itertools import product

import pytest

from app.clinical.course import (
    FIRST,
    MOVES,
    OPEN,
    TAKES_DOSES,
    CourseState,
    is_reopening,
    may_move,
    moves_from,
    needs_reason,
)

P, A, M, X, C, S = (
    CourseState.PLANNED,
    CourseState.ACTIVE,
    CourseState.MAINTENANCE,
    CourseState.PAUSED,
    CourseState.COMPLETED,
    CourseState.STOPPED,
)
LEGAL = {
    *[(P, A), (P, S)],
    *[(A, M), (A, X), (A, C), (A, S)],
    *[(M, A), (M, X), (M, C), (M, S)],
    *[(X, A), (X, M), (X, C), (X, S)],
    (C, M),
}


def reached_from(state: CourseState) -> set[CourseState]:
    reached = {state}
    while more := {after for before in reached for after in MOVES[before]} - reached:
        reached |= more
    return reached


@pytest.mark.parametrize(("before", "after"), list(product(CourseState, CourseState)))
def test_a_move_is_legal_or_it_is_not(before: CourseState, after: CourseState) -> None:
    assert may_move(before, after) is ((before, after) in LEGAL)
    assert (after in moves_from(before)) is ((before, after) in LEGAL)


def test_every_state_says_where_it_leads() -> None:
    assert set(MOVES) == set(CourseState)


def test_the_moves_are_told_in_the_order_of_the_states() -> None:
    assert moves_from(A) == (M, X, C, S)


def test_nothing_returns_to_planned_and_staying_is_no_move() -> None:
    assert all(FIRST not in following for following in MOVES.values())
    assert not any(may_move(state, state) for state in CourseState)


def test_whatever_is_open_can_be_ended_either_way_and_stopped_at_once() -> None:
    for state in OPEN:
        assert {C, S} <= reached_from(state)
        assert may_move(state, S)


def test_every_state_is_reached_from_the_first() -> None:
    assert reached_from(FIRST) == set(CourseState)


def test_what_was_stopped_stays_stopped() -> None:
    assert moves_from(S) == ()


def test_what_was_completed_is_reopened_only_for_maintenance() -> None:
    assert moves_from(C) == (M,)
    assert {pair for pair in product(CourseState, CourseState) if is_reopening(*pair)} == {(C, M)}


def test_a_course_is_planned_before_it_takes_doses_and_takes_none_once_it_is_over() -> None:
    assert TAKES_DOSES < OPEN
    assert P not in TAKES_DOSES
    assert OPEN.isdisjoint({C, S})


@pytest.mark.parametrize(
    ("before", "after", "needed"),
    [
        (P, A, False),
        (A, M, False),
        (X, A, False),
        (A, C, False),
        (A, X, True),
        (M, X, True),
        (P, S, True),
        (X, S, True),
        (C, M, True),
    ],
)
def test_pausing_stopping_and_reopening_are_explained(
    before: CourseState, after: CourseState, needed: bool
) -> None:
    assert needs_reason(before, after) is needed
