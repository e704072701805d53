"""When to talk about a dose, what becomes of the date, and which goals stand still."""

import pytest

from app.clinical.integration import (
    MOVES,
    STALLED_AFTER_DAYS,
    MissedWindow,
    Proposal,
    Session,
    State,
    is_stalled,
    may_move,
    missed_windows,
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


def missed(doses: list[int], *sessions: Session, now: int = 100 * DAY) -> list[int]:
    found = missed_windows(doses, sessions, within_hours=(24, 72), now=now)
    return [one.dose_number for one in found]


class TestMissedWindows:
    def test_a_dose_whose_hours_passed_without_a_talk_is_told_with_them(self) -> None:
        assert missed_windows([0, 10 * DAY], [], within_hours=(24, 72), now=12 * DAY) == [
            MissedWindow(dose_number=1, given_at=0, from_at=DAY, until_at=3 * DAY)
        ]

    def test_it_is_missed_once_its_hours_have_passed_and_not_before(self) -> None:
        assert missed([0], now=3 * DAY - 1) == []
        assert missed([0], now=3 * DAY) == [1]

    @pytest.mark.parametrize(
        ("at", "is_missed"), [(DAY - 1, True), (DAY, False), (3 * DAY, False), (3 * DAY + 1, True)]
    )
    def test_both_ends_of_the_hours_belong_to_them(self, at: int, is_missed: bool) -> None:
        assert bool(missed([0], Session("a", at, State.ATTENDED))) is is_missed

    @pytest.mark.parametrize("state", State)
    def test_a_talk_is_one_that_is_scheduled_or_was_attended(self, state: State) -> None:
        is_talk = state in {State.SCHEDULED, State.ATTENDED}

        assert bool(missed([0], Session("a", 2 * DAY, state))) is not is_talk

    def test_one_talk_may_lie_within_the_hours_of_two_doses(self) -> None:
        assert missed([0, DAY], Session("a", 2 * DAY + DAY // 2, State.ATTENDED)) == []

    def test_the_newest_dose_is_told_first(self) -> None:
        doses = [0, 10 * DAY, 20 * DAY]

        assert missed(doses, Session("a", 12 * DAY, State.ATTENDED)) == [3, 1]


class TestStalled:
    def test_a_goal_is_stalled_when_its_days_are_full(self) -> None:
        assert not is_stalled(0, STALLED_AFTER_DAYS * DAY - 1)
        assert is_stalled(0, STALLED_AFTER_DAYS * DAY)
