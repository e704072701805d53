"""When to talk about a dose, what becomes of the date, and which goals stand still."""

import pytest

from app.clinical.integration import (
    MOVES,
    STALLED_AFTER_DAYS,
    Proposal,
    Session,
    State,
    is_stalled,
    may_move,
    proposal,
)

HOUR = 3_600_000_000
DAY = 24 * HOUR


def proposed(doses: list[int], *sessions: Session, now: int = 100 * DAY) -> Proposal | None:
    return proposal(doses, sessions, within_hours=(24, 72), open_days=14, now=now)


class TestProposal:
    def test_before_any_dose_there_is_nothing_to_talk_about(self) -> None:
        assert proposed([]) is None
        assert proposed([5 * DAY], now=5 * DAY - 1) is None

    def test_it_is_counted_from_the_last_dose_that_was_given(self) -> None:
        assert proposed([0, 7 * DAY, 90 * DAY], now=8 * DAY) == Proposal(
            dose_number=2,
            given_at=7 * DAY,
            from_at=8 * DAY,
            until_at=10 * DAY,
            counts_until=21 * DAY,
            session=None,
        )

    def test_a_dose_counts_from_its_own_instant_on(self) -> None:
        found = proposed([5 * DAY], now=5 * DAY)

        assert found is not None
        assert found.dose_number == 1

    @pytest.mark.parametrize(
        ("at", "is_its_own"),
        [(-1, False), (0, True), (14 * DAY - 1, True), (14 * DAY, False)],
    )
    def test_a_talk_is_the_dose_s_own_until_the_open_days_are_over(
        self, at: int, is_its_own: bool
    ) -> None:
        found = proposed([0], Session("a", at, State.SCHEDULED))

        assert found is not None
        assert (found.session is not None) is is_its_own

    @pytest.mark.parametrize("state", [State.MISSED, State.CANCELLED])
    def test_a_talk_that_did_not_take_place_is_still_to_be_had(self, state: State) -> None:
        found = proposed([0], Session("a", DAY, state))

        assert found is not None
        assert found.session is None

    def test_of_several_talks_the_first_is_named(self) -> None:
        later, earlier = Session("b", 3 * DAY, State.SCHEDULED), Session("a", DAY, State.ATTENDED)

        found = proposed([0], later, earlier)

        assert found is not None
        assert found.session == earlier


class TestMoves:
    def test_every_state_has_somewhere_to_go_and_none_to_itself(self) -> None:
        assert set(MOVES) == set(State)
        assert not any(may_move(state, state) for state in State)

    @pytest.mark.parametrize(
        ("before", "after", "is_legal"),
        [
            (State.SCHEDULED, State.ATTENDED, True),
            (State.SCHEDULED, State.CANCELLED, True),
            (State.ATTENDED, State.MISSED, True),
            (State.CANCELLED, State.SCHEDULED, True),
            (State.ATTENDED, State.SCHEDULED, False),
            (State.CANCELLED, State.ATTENDED, False),
            (State.MISSED, State.CANCELLED, False),
        ],
    )
    def test_a_move_is_legal_or_not(self, before: State, after: State, is_legal: bool) -> None:
        assert may_move(before, after) is is_legal


class TestStalled:
    def test_a_goal_is_stalled_when_its_days_are_full(self) -> None:
        assert not is_stalled(0, STALLED_AFTER_DAYS * DAY - 1)
        assert is_stalled(0, STALLED_AFTER_DAYS * DAY)
