"""The escalation's timers on a real database: no interleaving of signs of danger, people who
answer, workers that drain together or die, and changes of policy and staff skips or doubles a step.

`test_escalation_laws` explores the rules alone; this explores what keeps them. AFTERGLOW_SOAK=1
does it for longer.
"""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck
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
from sqlalchemy import literal_column, select

from app import worker
from app.kernel import outbox
from app.kernel.db import Db, Direct, Query, itself, libpq
from app.kernel.settings import Settings
from app.kernel.vault import Keyring
from app.safety import escalation
from app.safety.escalation import TRY_AGAIN_AFTER
from tests.builders import Person, a_check_in, a_clinic, phq_9
from tests.conftest import MONDAY_NOON, Clock
from tests.reminders.ward import a_ward
from tests.safety.test_alerts import POLICY, Watch

IS_SOAK: Final = os.environ.get("AFTERGLOW_SOAK") == "1"
EXAMPLES: Final = 3000 if IS_SOAK else 24
STEPS: Final = 60 if IS_SOAK else 30
# Minutes after which the next clinician and the administrators hear of high, by policy.
MINUTES: Final = ((15, 30), (1, 3), (5, 60))
ONE: Final = Query(select(literal_column("1")), itself)

Key = tuple[UUID, int]
"""A flag's round."""


class Died(BaseException):
    """Nothing in the worker catches it."""


class Timers(RuleBasedStateMachine):
    """One patient's flags in a clinic of its own, and what became of each round.

    began: of each round that a sign began, when, and the minutes that held then. settled: who had
    been told of a round when somebody answered it, or another took its place.
    """

    base: ClassVar[Watch]
    others: ClassVar[tuple[Direct, Direct]]
    owner: ClassVar[psycopg.Connection[Any]]

    @initialize(absent=st.sets(st.sampled_from([0, 1, 2])))
    def a_clinic_begins(self, absent: set[int]) -> None:
        base = self.base
        base.clock.at = MONDAY_NOON  # so that an example is the same when it is played again
        clinic = a_clinic(base.client, base.database, at=base.clock())
        self.watch = Watch(base.settings, base.database, base.client, clinic, base.clock)
        self.members = (clinic.therapist, clinic.stranger, clinic.administrator)
        for member in self.members:
            self.watch.address(member)
        self.minutes = MINUTES[0]
        self.published = 0
        self.began: dict[Key, tuple[datetime, tuple[int, int]]] = {}
        self.settled: dict[Key, frozenset[UUID]] = {}
        self.rows: dict[tuple[Key, int], tuple[Any, ...]] = {}
        self.flag_id: UUID | None = None
        self.watch.set_active(False, *(self.members[who] for who in absent))

    # --- What happens.

    @rule(
        item_nine=st.sampled_from([1, 2, 3, 3]),
        place=st.sampled_from([None, *range(len(MINUTES))]),
    )
    def a_sign_of_danger(self, item_nine: int, place: int | None) -> None:
        """place: of the policy that is published before a worker can look."""
        sent = a_check_in(
            answers=phq_9(9 + item_nine, item_nine=item_nine), recorded_at=self.watch.clock.said()
        )
        self._was_raised(self._as(self.watch.clinic.patient, "/v1/patients/me/check-ins", sent))
        if place is not None:
            self._publish(place)

    @rule()
    def a_call_for_help(self) -> None:
        self._was_raised(self._as(self.watch.clinic.patient, "/v1/patients/me/flags", {}))

    @rule(minutes=st.sampled_from([0.5, 1, 2, 14, 15, 30, 60, 24 * 60]))
    def time_passes(self, minutes: float) -> None:
        self.watch.clock.turn(minutes=minutes)

    @rule(minutes=st.sampled_from([0, 1, 3, 15, 30]))
    def a_worker_works(self, minutes: int) -> None:
        self.watch.clock.turn(minutes=minutes)
        self.watch.work()
        self._nothing_is_overdue()

    @rule()
    def two_workers_work_at_once(self) -> None:
        threads = [
            threading.Thread(target=self.watch.work, args=(database,)) for database in self.others
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        # What one of them held, the other passed over.
        self.watch.work()
        self._nothing_is_overdue()

    @rule()
    def a_worker_dies_holding_a_claim(self) -> None:
        def die(db: Db) -> None:
            for item in outbox.claim(db, worker.KEEPERS, self.watch.clock()):
                db.enter(item.clinic_id)
                worker.KEEPERS[item.topic](db, item.body, self.watch.clock())
                db.one(ONE)  # all of it has reached the database
                raise Died

        with suppress(Died):
            self.watch.database.run(die)

    @precondition(lambda self: self.flag_id)
    @rule(who=st.sampled_from([0, 1]))
    def somebody_acknowledges(self, who: int) -> None:
        self._act(who, "acknowledge", {})

    @precondition(lambda self: self.flag_id)
    @rule(who=st.sampled_from([0, 1]))
    def somebody_resolves(self, who: int) -> None:
        body = {"disposition": "plan-agreed", "note": "Spoke."}
        if self._act(who, "resolve", body):
            self.flag_id = None

    @precondition(lambda self: self.flag_id)
    @rule(who=st.sampled_from([0, 1]))
    def somebody_hands_over(self, who: int) -> None:
        to = self.members[1 - who]
        answered = self._act(who, "hand-over", {"to": str(to.membership_id)})
        if answered:
            self.began[UUID(answered["id"]), answered["round"]] = (
                self.watch.clock(),
                self.minutes,
            )

    def _publish(self, place: int) -> None:
        policy: Any = escalation.as_dict(escalation.shipped())
        for step, minutes in zip(policy["levels"]["high"][1:], MINUTES[place], strict=True):
            step["after_minutes"] = minutes
        administrator = self.watch.person(self.members[2])
        answer = administrator.put(POLICY, policy, base=self.published + 1)
        if answer.status_code == 200:
            self.published += 1
            self.minutes = MINUTES[place]

    @rule(who=st.sampled_from([0, 1, 2]), is_active=st.booleans())
    def somebody_leaves_or_comes_back(self, who: int, is_active: bool) -> None:
        self.watch.set_active(is_active, self.members[who])

    # --- What must be so, always.

    @invariant()
    def a_step_is_planned_once_and_done_once(self) -> None:
        rows, there = self._steps(), self._there()
        numbers: dict[Key, list[int]] = {}
        for (key, number), (who, state, due_at, done_at) in rows.items():
            numbers.setdefault(key, []).append(number)
            before = self.rows.get((key, number))
            if before is None:
                continue
            assert who == before[0]
            if before[1] != "planned":
                assert (state, done_at) == (before[1], before[3]), "what is done stays done"
            elif due_at > before[2]:
                # Put off only where there was nobody at all, and not for long.
                assert who == "administrators"
                assert not self._could_be_told(key, there)
                assert due_at <= self.watch.clock() + TRY_AGAIN_AFTER
        assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())
        assert set(self.rows) <= set(rows), "no step goes away"
        self.rows = rows
        told = Counter(
            (one.to, one.said["flag_id"], one.said["round"], one.said["step"])
            for one in self.watch.post.messages
        )
        assert set(told.values()) <= {1}

    @invariant()
    def nobody_is_told_of_what_was_answered_or_replaced(self) -> None:
        told = self._told()
        for key, before in self.settled.items():
            assert told.get(key, frozenset()) == before

    @invariant()
    def nothing_promised_is_forgotten(self) -> None:
        for flag_id, round_, status, is_historic in self._flags():
            if status != "open" or is_historic:
                continue
            planned = [
                due_at
                for (key, _), (_, state, due_at, _) in self.rows.items()
                if key == (flag_id, round_) and state == "planned"
            ]
            was_looked_at = any(key == (flag_id, round_) for key, _ in self.rows)
            promised = [
                due_at
                for (due_at,) in self._query(
                    "SELECT due_at FROM outbox WHERE done_at IS NULL AND topic = 'flag.round'"
                    " AND body->>'flag_id' = %s AND (body->>'round')::int = %s",
                    str(flag_id),
                    round_,
                )
            ]
            if planned:
                assert promised
                assert min(promised) <= min(planned)
            elif not was_looked_at:
                assert promised

    # --- What must be so after a worker had time.

    def _nothing_is_overdue(self) -> None:
        now, rows, told = self.watch.clock(), self._steps(), self._told()
        there = self._there()
        for flag_id, round_, status, is_historic in self._flags():
            key = (flag_id, round_)
            if status != "open" or is_historic:
                continue
            steps = {number: row for (of, number), row in rows.items() if of == key}
            assert steps, "it was looked at"
            for _, state, due_at, _ in steps.values():
                assert state != "planned" or due_at > now
            # Whoever came back since it was put off hears of it within a minute.
            is_put_off = any(
                who == "administrators" and state == "planned" and due_at <= now + TRY_AGAIN_AFTER
                for who, state, due_at, _ in steps.values()
            )
            if there and not is_put_off:
                assert told.get(key), "where anybody is there, somebody was told"
            # By the policy that held when it began, counted by hand.
            if key in self.began and self._level(flag_id) == "high":
                began_at, minutes = self.began[key]
                for number, after in enumerate((0, *minutes), start=1):
                    who, state, _, _ = steps[number]
                    if began_at + timedelta(minutes=after) <= now:
                        is_left = who == "administrators" and state == "planned"
                        assert state == "done" or (is_left and is_put_off)

    def _there(self) -> set[UUID]:
        return {member.membership_id for member in self.members if self._is_active(member)}

    def _could_be_told(self, key: Key, there: set[UUID]) -> bool:
        """Whether there is an administrator, or a clinician who was not told of it yet."""
        administrator = self.members[2].membership_id
        return bool(there & {administrator} or there - self._told().get(key, frozenset()))

    def teardown(self) -> None:
        """A worker that goes on does all that is left."""
        if not hasattr(self, "watch"):
            return
        self.watch.set_active(True, *self.members)
        # Hours of duty are waited for, and no longer than a week.
        self.watch.clock.turn(days=10)
        self.watch.work()
        self._nothing_is_overdue()
        for flag_id, round_, status, is_historic in self._flags():
            if status == "open" and not is_historic:
                left = [row for (key, _), row in self._steps().items() if key == (flag_id, round_)]
                assert {state for _, state, _, _ in left} <= {"done"}
        self.a_step_is_planned_once_and_done_once()
        self.nobody_is_told_of_what_was_answered_or_replaced()
        # Of no concern to the next clinic.
        self._query("UPDATE outbox SET done_at = now() WHERE done_at IS NULL RETURNING 1")

    # --- How it is looked at.

    def _as(self, who: Person, path: str, body: Any) -> Any:
        answer = self.watch.person(who).post(path, body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def _was_raised(self, told: Any) -> None:
        flag = told["safety"]["flag"]
        key = UUID(flag["id"]), flag["round"]
        self.flag_id = key[0]
        if key not in self.began:
            self.began[key] = self.watch.clock(), self.minutes
            before = key[0], key[1] - 1
            if key[1] > 1:
                self.settled.setdefault(before, self._told().get(before, frozenset()))

    def _act(self, who: int, act: str, body: Any) -> Any:
        """Returns: the flag, if they could."""
        before = self._told()
        (newest,) = [round_ for id_, round_, _, _ in self._flags() if id_ == self.flag_id]
        person = self.watch.person(self.members[who])
        answer = person.post(f"/v1/flags/{self.flag_id}/{act}", body)
        if answer.status_code != 200:
            assert answer.status_code in (401, 404, 409, 422), answer.text
            return None
        assert self.flag_id is not None
        key = self.flag_id, newest
        self.settled.setdefault(key, before.get(key, frozenset()))
        return answer.json()

    def _flags(self) -> list[tuple[UUID, int, str, bool]]:
        return self._query(
            "SELECT id, round, status, is_historic FROM flag WHERE clinic_id = %s",
            self.watch.clinic.id,
        )

    def _level(self, flag_id: UUID) -> str:
        ((level,),) = self._query("SELECT level FROM flag WHERE id = %s", flag_id)
        return str(level)

    def _steps(self) -> dict[tuple[Key, int], tuple[Any, ...]]:
        """(who, state, due_at, done_at) by round and number."""
        found = self._query(
            "SELECT flag_id, round, number, who, state, due_at, done_at FROM flag_step"
            " WHERE clinic_id = %s ORDER BY flag_id, round, number",
            self.watch.clinic.id,
        )
        return {
            ((flag_id, round_), number): tuple(rest) for flag_id, round_, number, *rest in found
        }

    def _told(self) -> dict[Key, frozenset[UUID]]:
        found = self._query(
            "SELECT flag_id, round, array_agg(membership_id) FROM notice"
            " WHERE clinic_id = %s GROUP BY 1, 2",
            self.watch.clinic.id,
        )
        return {(flag_id, round_): frozenset(members) for flag_id, round_, members in found}

    def _is_active(self, member: Person) -> bool:
        asked = "SELECT is_active FROM membership WHERE id = %s"
        return bool(self._query(asked, member.membership_id)[0][0])

    def _query(self, statement: str, *values: Any) -> list[Any]:
        return self.owner.execute(statement.encode(), values).fetchall()


@pytest.fixture
def machine(
    fresh_database: Settings, keyring: Keyring, clock: Clock
) -> Iterator[type[RuleBasedStateMachine]]:
    """On a database of its own."""
    with (
        a_ward(fresh_database, keyring, clock) as ward,
        psycopg.connect(libpq(str(fresh_database.migration_url)), autocommit=True) as owner,
    ):
        Timers.base = Watch(ward.settings, ward.database, ward.client, ward.clinic, clock)
        url = str(fresh_database.database_url)
        Timers.others = Direct(url, keyring), Direct(url, keyring)
        Timers.owner = owner
        yield Timers
        for one in Timers.others:
            one.close()


class TestTimers:
    def test_no_interleaving_skips_or_doubles_a_step_or_forgets_a_promise(
        self, machine: type[RuleBasedStateMachine]
    ) -> None:
        run_state_machine_as_test(
            machine,
            settings=hypothesis_settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                derandomize=not IS_SOAK,
            ),
        )
