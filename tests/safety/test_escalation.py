"""A round: who is told next and when, and what an answer does to it."""

import pytest

from app.clinical.risk import Level
from app.safety.escalation import (
    Answer,
    Channel,
    Hours,
    Outcome,
    PlannedStep,
    Status,
    StepState,
    Who,
    acknowledge,
    begin,
    begin_again,
    due,
    hasten,
    next_due_at,
    resolve,
    shipped,
    told,
)
from tests.safety.rounds import (
    ANN,
    BEN,
    BERLIN,
    OFFICE,
    WEDNESDAY_NOON,
    a_policy,
    a_round,
    after,
    at,
    drain,
    numbers,
    passed_on,
    tell,
)


class TestARound:
    def test_begins_with_the_care_team_at_once(self) -> None:
        round_ = a_round()

        assert round_.status is Status.OPEN
        assert numbers(round_, WEDNESDAY_NOON) == [1]
        assert next_due_at(round_) == WEDNESDAY_NOON

    def test_does_not_do_a_step_twice_whoever_says_so(self) -> None:
        before = a_round()
        round_ = tell(before, 1, after(1))

        again = told(round_, before.steps[0], Outcome.NOBODY, after(2))

        assert again is round_
        assert numbers(round_, after(14)) == []
        assert next_due_at(round_) == after(15)

    def test_takes_steps_in_whatever_order_workers_come(self) -> None:
        late = a_round()

        forwards = tell(tell(tell(late, 1, after(60)), 2, after(60)), 3, after(60))
        backwards = tell(tell(tell(late, 3, after(60)), 2, after(60)), 1, after(60))

        assert numbers(late, after(60)) == [1, 2, 3]
        assert forwards == backwards
        assert next_due_at(forwards) is None

    @pytest.mark.parametrize("outcome", ["nobody", "dead-channel"])
    def test_comes_to_the_next_step_at_once_when_one_did_not_get_through(
        self, outcome: str
    ) -> None:
        round_ = tell(a_round(), 1, after(1), Outcome(outcome))

        assert numbers(round_, after(1)) == [2]
        assert next_due_at(tell(round_, 2, after(2))) == after(30)

    def test_hastens_one_step_however_many_channels_turn_out_dead(self) -> None:
        round_ = tell(a_round(), 1, after(0))

        once = hasten(round_, 1, after(2))
        twice = hasten(once, 1, after(3))
        thrice = hasten(tell(twice, 2, after(4)), 1, after(5))

        assert next_due_at(once) == after(2)
        assert twice is once
        assert next_due_at(thrice) == after(30)

    def test_leaves_alone_what_is_done_even_where_a_worker_has_a_clock_that_is_behind(self) -> None:
        round_ = tell(tell(a_round(), 1, after(0)), 2, after(15))

        assert hasten(round_, 1, after(3)) is round_

    def test_never_puts_off_what_is_due_already(self) -> None:
        assert next_due_at(hasten(tell(a_round(), 1, after(40)), 1, after(40))) == after(15)

    def test_has_nothing_to_hasten_after_its_last_step(self) -> None:
        round_ = tell(a_round(), 3, after(30), Outcome.DEAD_CHANNEL)

        assert [step.state for step in round_.steps] == ["planned", "planned", "done"]

    @pytest.mark.parametrize("level", ["low", "moderate", "high"])
    def test_comes_to_the_administrators_at_once_where_there_is_no_clinician(
        self, level: str
    ) -> None:
        def outcome(step: PlannedStep) -> Outcome:
            return Outcome.TOLD if step.who is Who.ADMINISTRATORS else Outcome.NOBODY

        round_, did = drain(a_round(Level(level)), WEDNESDAY_NOON, outcome)

        assert did[-1].who is Who.ADMINISTRATORS
        assert next_due_at(round_) is None

    @pytest.mark.parametrize("level", ["low", "moderate", "high"])
    def test_stays_until_there_is_somebody_to_tell(self, level: str) -> None:
        round_ = a_round(Level(level))
        now = WEDNESDAY_NOON
        while next_due_at(round_) == now:
            round_ = told(round_, due(round_, now)[0], Outcome.NOBODY, now)

        assert next_due_at(round_) == after(1)
        (step,) = due(round_, after(1))
        assert step.who is Who.ADMINISTRATORS
        assert next_due_at(told(round_, step, Outcome.TOLD, after(1))) is None

    def test_adds_no_administrators_where_a_later_step_got_through(self) -> None:
        round_ = tell(a_round(Level.LOW), 2, after(1))

        round_ = tell(round_, 1, after(2), Outcome.NOBODY)

        assert [step.state for step in round_.steps] == ["done", "done"]


class TestAnswers:
    def test_an_acknowledged_round_tells_nobody_else(self) -> None:
        round_ = acknowledge(tell(a_round(), 1, after(0)), by=ANN, at=after(5))

        assert round_.status is Status.ACKNOWLEDGED
        assert round_.answer == Answer(ANN, after(5))
        assert [step.state for step in round_.steps] == ["done", "cancelled", "cancelled"]
        assert numbers(round_, after(10_000)) == []
        assert next_due_at(round_) is None

    def test_a_worker_that_comes_after_the_acknowledgement_changes_nothing(self) -> None:
        before = a_round()
        round_ = acknowledge(before, by=ANN, at=after(15))

        assert told(round_, before.steps[0], Outcome.NOBODY, after(16)) is round_
        assert hasten(round_, 1, after(16)) is round_

    def test_the_first_acknowledgement_counts(self) -> None:
        round_ = acknowledge(a_round(), by=ANN, at=after(5))

        assert acknowledge(round_, by=BEN, at=after(6)) is round_

    def test_a_resolved_round_is_over(self) -> None:
        round_ = resolve(acknowledge(a_round(), by=ANN, at=after(5)), by=BEN, at=after(9))

        assert round_.status is Status.RESOLVED
        assert round_.answer == Answer(BEN, after(9))
        assert next_due_at(round_) is None
        assert acknowledge(round_, by=ANN, at=after(10)) is round_
        assert resolve(round_, by=ANN, at=after(10)) is round_
        assert passed_on(round_, after(10)) is round_

    def test_a_resolved_round_that_nobody_acknowledged_tells_nobody_else(self) -> None:
        assert next_due_at(resolve(a_round(), by=ANN, at=after(1))) is None

    def test_a_hand_over_tells_that_person_at_once_and_counts_from_there(self) -> None:
        round_ = passed_on(tell(a_round(), 1, after(0)), after(10))

        (step,) = due(round_, after(10))
        assert (step.number, step.who, step.named) == (4, Who.NAMED, BEN)
        assert step.channels == tuple(Channel)
        assert [step.state for step in round_.steps[:3]] == ["done", "cancelled", "cancelled"]
        assert [(step.who, step.due_at) for step in round_.steps[4:]] == [
            (Who.NEXT, after(25)),
            (Who.ADMINISTRATORS, after(40)),
        ]
        assert round_.answer == Answer(ANN, after(10), BEN)

    def test_a_hand_over_that_is_sent_twice_is_one(self) -> None:
        round_ = passed_on(a_round(), after(10))

        assert passed_on(round_, after(10)) is round_

    def test_a_hand_over_has_yet_to_be_acknowledged_even_if_the_round_was(self) -> None:
        round_ = passed_on(acknowledge(a_round(), by=ANN, at=after(5)), after(600))

        assert round_.status is Status.OPEN
        assert numbers(round_, after(630)) == [4, 5, 6]
        assert acknowledge(round_, by=BEN, at=after(601)).answer == Answer(BEN, after(601))

    def test_a_hand_over_does_not_skip_what_a_worker_still_owes(self) -> None:
        round_ = passed_on(a_round(), after(20))

        assert numbers(round_, after(20)) == [1, 2, 4]
        assert round_.steps[2].state is StepState.CANCELLED

    def test_a_hand_over_to_somebody_who_is_gone_comes_to_the_next_at_once(self) -> None:
        round_ = passed_on(tell(a_round(), 1, after(0)), after(10))

        round_ = tell(round_, 4, after(11), Outcome.NOBODY)

        assert numbers(round_, after(11)) == [5]

    def test_a_dead_channel_of_before_hastens_nothing_once_the_named_person_is_told(self) -> None:
        round_ = tell(passed_on(tell(a_round(), 1, after(0)), after(10)), 4, after(10))

        assert hasten(round_, 1, after(11)) is round_

    def test_a_hand_over_of_a_low_level_keeps_the_message_at_the_next_coverage(self) -> None:
        round_ = passed_on(a_round(Level.LOW), after(10))

        assert [(step.who, step.due_at) for step in round_.steps[2:]] == [
            (Who.NAMED, after(10)),
            (Who.CARE_TEAM, at("2026-03-05T08:00")),
        ]

    def test_a_hand_over_goes_through_a_plan_without_a_care_team_from_its_beginning(self) -> None:
        policy = a_policy((Who.NEXT, 0, Hours.AT_ALL_HOURS))

        round_ = passed_on(tell(a_round(policy=policy), 1, after(0)), after(10), policy)

        assert [step.who for step in round_.steps[1:]] == [Who.NAMED, Who.NEXT]

    @pytest.mark.parametrize(
        ("earlier", "evidence", "becomes"),
        [
            ("low", "high", "high"),
            ("moderate", "moderate", "moderate"),
            ("high", "low", "high"),
        ],
    )
    def test_new_evidence_replaces_the_plan_and_never_lowers_the_level(
        self, earlier: str, evidence: str, becomes: str
    ) -> None:
        before = a_round(Level(earlier))

        ended, begun = begin_again(before, shipped(), Level(evidence), after(7), OFFICE, BERLIN)

        assert ended.status is Status.REPLACED
        assert next_due_at(ended) is None
        assert (begun.number, begun.level, begun.status) == (2, becomes, Status.OPEN)
        assert begun == begin(shipped(), Level(becomes), after(7), OFFICE, BERLIN, number=2)
        assert acknowledge(ended, by=ANN, at=after(8)) is ended
