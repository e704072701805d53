"""What holds of every round, whatever happens and in whatever order."""

from collections import Counter
from datetime import timedelta

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.clinical.risk import Level
from app.safety.escalation import (
    Outcome,
    PlannedStep,
    Round,
    Status,
    StepState,
    Who,
    acknowledge,
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
    BERLIN,
    FLAGGED,
    MINUTE,
    OFFICE,
    UNHURRIED,
    WEDNESDAY_NOON,
    a_round,
    after,
    numbers,
    passed_on,
    tell,
)

TOLD_OR_NOT = st.sampled_from(Outcome)


class Escalation(RuleBasedStateMachine):
    """A round between workers that read, tell, die and come late, and people who answer.

    What a worker read may be older than what it writes to; a telling counts if its row could
    still be turned from planned to done, as a conditional update does.
    """

    @initialize(level=st.sampled_from(FLAGGED))
    def a_flag_is_raised(self, level: Level) -> None:
        self.now = WEDNESDAY_NOON
        self._begins(a_round(level))

    def _begins(self, round_: Round) -> None:
        self.round = round_
        self.read_by_workers: list[PlannedStep] = []
        self.told: Counter[int] = Counter()
        self.settled: dict[int, PlannedStep] = {}

    @rule(minutes=st.sampled_from([1, 14, 15, 60, 24 * 60]))
    def time_passes(self, minutes: int) -> None:
        self.now += minutes * MINUTE

    @rule()
    def a_worker_reads_what_is_due(self) -> None:
        self.read_by_workers.extend(due(self.round, self.now))

    @precondition(lambda self: self.read_by_workers)
    @rule(data=st.data(), outcome=TOLD_OR_NOT, again=st.booleans())
    def a_worker_writes(self, data: st.DataObject, outcome: Outcome, again: bool) -> None:
        place = data.draw(st.integers(0, len(self.read_by_workers) - 1))
        step = self.read_by_workers[place] if again else self.read_by_workers.pop(place)
        self._tell(step, outcome)

    @precondition(lambda self: self.read_by_workers)
    @rule()
    def the_workers_die(self) -> None:
        self.read_by_workers.clear()

    @rule()
    def everything_starts_anew_from_the_rows(self) -> None:
        rows = [
            (step.number, step.who.value, step.channels, step.due_at, step.named, step.state.value)
            for step in self.round.steps
        ]
        stored = self.round
        self.round = Round(
            number=stored.number,
            level=Level(stored.level.value),
            status=Status(stored.status.value),
            steps=tuple(
                PlannedStep(number, Who(who), channels, due_at, named, StepState(state))
                for number, who, channels, due_at, named, state in rows
            ),
            answer=stored.answer,
        )
        self.read_by_workers.clear()

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def a_channel_turns_out_dead(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.told)))
        before = self.round.steps
        self.round = hasten(self.round, number, self.now)
        assert all(
            new.due_at <= old.due_at for new, old in zip(self.round.steps, before, strict=True)
        )

    @rule()
    def somebody_acknowledges(self) -> None:
        self.round = acknowledge(self.round, by=ANN, at=self.now)

    @rule()
    def somebody_hands_over(self) -> None:
        owed = due(self.round, self.now)
        self.round = passed_on(self.round, self.now)
        assert set(owed) <= set(due(self.round, self.now))

    @precondition(lambda self: len(self.told) > 2 and self.round.status is not Status.RESOLVED)
    @rule(level=st.sampled_from(FLAGGED))
    def there_is_new_evidence(self, level: Level) -> None:
        ended, begun = begin_again(self.round, shipped(), level, self.now, OFFICE, BERLIN)
        for step in self.read_by_workers:
            assert told(ended, step, Outcome.NOBODY, self.now) is ended
        assert next_due_at(ended) is None
        self._begins(begun)

    # Rare, as it is the end of the walk.
    @precondition(lambda self: len(self.told) > 4)
    @rule()
    def somebody_resolves(self) -> None:
        self.round = resolve(self.round, by=ANN, at=self.now)

    @invariant()
    def no_step_is_told_twice_and_each_that_is_done_was_told(self) -> None:
        done = {step.number for step in self.round.steps if step.state is StepState.DONE}
        assert self.told == Counter(done)

    @invariant()
    def what_is_done_or_cancelled_stays_as_it_is(self) -> None:
        settled = {
            step.number: step for step in self.round.steps if step.state is not StepState.PLANNED
        }
        assert self.settled.items() <= settled.items()
        self.settled = settled

    @invariant()
    def numbers_have_no_gaps(self) -> None:
        assert [step.number for step in self.round.steps] == list(
            range(1, len(self.round.steps) + 1)
        )

    @invariant()
    def nothing_is_due_once_somebody_has_it_in_hand(self) -> None:
        if self.round.status is not Status.OPEN:
            assert due(self.round, self.now + timedelta(days=365)) == ()

    @invariant()
    def the_next_instant_is_that_of_the_first_step_that_is_left(self) -> None:
        soonest = next_due_at(self.round)
        if soonest is not None:
            assert due(self.round, soonest)
            assert not due(self.round, soonest - timedelta(microseconds=1))

    def teardown(self) -> None:
        """Whatever happened, a worker that goes on does all that is left, and then is done."""
        for step in self.round.steps:
            if self.round.status is Status.OPEN and step.state is StepState.CANCELLED:
                # Only a hand-over cancels in an open round, and it plans anew.
                assert any(later.who is Who.NAMED for later in self.round.steps[step.number :])
        self.now += timedelta(days=30)
        while ready := due(self.round, self.now):
            self._tell(ready[0], Outcome.TOLD)
        self.no_step_is_told_twice_and_each_that_is_done_was_told()
        assert next_due_at(self.round) is None

    def _tell(self, step: PlannedStep, outcome: Outcome) -> None:
        before = self.round
        self.round = told(before, step, outcome, self.now)
        was = before.steps[step.number - 1].state
        became = self.round.steps[step.number - 1].state
        if was is not StepState.PLANNED:
            assert self.round is before
        elif became is StepState.DONE:
            self.told[step.number] += 1
            later = [
                step.state for step in self.round.steps[step.number :] if step.state != "cancelled"
            ]
            # Where nobody was told, somebody will be or was: nothing ends with nobody.
            assert later or outcome is not Outcome.NOBODY
        else:
            # Only where there was not even an administrator is a step left to do again.
            assert (became, outcome, step.who) == (was, Outcome.NOBODY, Who.ADMINISTRATORS)


class TestLaws:
    def test_no_interleaving_skips_or_doubles_a_step(self) -> None:
        run_state_machine_as_test(
            Escalation,
            settings=hypothesis_settings(max_examples=100, stateful_step_count=30, deadline=None),
        )

    @UNHURRIED
    @given(st.sampled_from(FLAGGED), st.permutations([0, 1, 2]), st.integers(0, 3))
    def test_a_round_is_the_same_made_again_from_the_numbers_that_are_done(
        self, level: Level, order: list[int], how_many: int
    ) -> None:
        planned = a_round(level)
        done = [place + 1 for place in order if place < len(planned.steps)][:how_many]
        round_ = planned
        for number in done:
            round_ = tell(round_, number, after(100))

        rebuilt = a_round(level)
        for number in sorted(done):
            rebuilt = tell(rebuilt, number, after(500))

        assert rebuilt == round_

    @UNHURRIED
    @given(st.sampled_from(FLAGGED), st.lists(st.integers(0, 5000), min_size=2, max_size=6))
    def test_what_is_due_stays_due_until_it_is_done(self, level: Level, minutes: list[int]) -> None:
        round_ = a_round(level)
        earlier: set[int] = set()
        for minute in sorted(minutes):
            now = set(numbers(round_, after(minute)))
            assert earlier <= now
            earlier = now
