"""Transactions: what travels together, what is tried again, and what a client is told."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import bindparam, insert, literal_column, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.kernel.db import Change, Database, Db, Direct, Query, itself, libpq
from app.kernel.errors import Kind, Problem
from app.kernel.settings import Settings
from app.kernel.tables import AccountClinic, Heartbeat, columns
from app.kernel.wire import Refusal
from tests.kernel.beats import (
    ADD,
    AT,
    NOW,
    ONE,
    SLEEP,
    TWO,
    VAULT,
    a_name,
    beat,
    on_loop,
)
from tests.kernel.between import Between

_account_clinic = columns(AccountClinic)
ADD_UNLESS_THERE = Change(upsert(Heartbeat).on_conflict_do_nothing())
MOVE = Change(
    update(Heartbeat).where(beat.name == bindparam("beat_name")).values(at=bindparam("to_at"))
)
HOLD = Query(select(beat.at).where(beat.name == bindparam("beat_name")).with_for_update(), itself)
ADD_AND_TELL = Query(insert(Heartbeat).returning(beat.name), str)
NONE = Query(select(literal_column("1")).where(literal_column("false")), int)
CLINIC = Query(select(literal_column("current_setting('app.clinic_id', true)")), str)
DIVIDE_BY_ZERO = Query(select(literal_column("1/0")), int)
REPEATABLE = Change(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
READ_ONLY = Change(text("SET TRANSACTION READ ONLY"))
SHORT_STATEMENTS = Change(text("SET LOCAL statement_timeout = '100ms'"))
SHORT_LOCKS = Change(text("SET LOCAL lock_timeout = '100ms'"))


def kind_of(work: Callable[[], object]) -> Kind:
    """The problem that `work` ends in."""
    with pytest.raises(Problem) as raised:
        work()
    return raised.value.kind


@pytest.fixture
def tapped(between: Between) -> Iterator[Direct]:
    """Transactions through `between`."""
    database = Direct(between.url, VAULT)
    yield database
    database.close()


@pytest.fixture
def other(url: str) -> Iterator[Direct]:
    """Somebody else's transactions."""
    database = Direct(url, VAULT)
    yield database
    database.close()


class TestTrips:
    def test_a_read_then_a_write_take_two_round_trips(
        self, tapped: Direct, between: Between
    ) -> None:
        name, clinic_id = a_name(), uuid4()

        def work(db: Db) -> None:
            db.enter(clinic_id)
            db.first(AT, beat_name=name)
            db.add(ADD, name=name, at=NOW)
            db.add(MOVE, beat_name=name, to_at=NOW)

        tapped.run(work)

        first, second = between.trips
        assert first[:2] == ["BEGIN", f"SET LOCAL app.clinic_id = '{clinic_id}'"]
        assert [sql.partition(" ")[0] for sql in first] == ["BEGIN", "SET", "SELECT"]
        assert [sql.partition(" ")[0] for sql in second] == ["INSERT", "UPDATE", "COMMIT"]

    def test_a_write_alone_takes_one(self, tapped: Direct, between: Between) -> None:
        tapped.run(lambda db: db.add(ADD, name=a_name(), at=NOW))

        assert [len(trip) for trip in between.trips] == [3]

    def test_work_that_says_nothing_takes_none(self, tapped: Direct, between: Between) -> None:
        assert tapped.run(lambda db: "nothing") == "nothing"
        assert between.connections == 0

    def test_a_change_that_is_waited_for_travels_with_what_was_added(
        self, tapped: Direct, between: Between
    ) -> None:
        name = a_name()

        def work(db: Db) -> list[str]:
            db.add(ADD_UNLESS_THERE, name=a_name(), at=NOW)
            return db.change(ADD_AND_TELL, name=name, at=NOW)

        assert tapped.run(work) == [name]
        assert [len(trip) for trip in between.trips] == [3, 1]
        assert tapped.run(lambda db: db.one(AT, beat_name=name)) == NOW

    def test_what_was_asked_ahead_comes_with_the_next_round_trip(
        self, tapped: Direct, between: Between
    ) -> None:
        def work(db: Db) -> list[int]:
            ahead = db.ahead(ONE)
            return [db.one(TWO), ahead.one(), *ahead.all()]

        assert tapped.run(work) == [2, 1, 1]
        assert [len(trip) for trip in between.trips[:1]] == [3]

    def test_what_was_asked_ahead_can_be_the_next_thing_that_is_read(
        self, tapped: Direct, between: Between
    ) -> None:
        assert tapped.run(lambda db: db.ahead(ONE).one()) == 1
        assert len(between.trips[0]) == 2

    def test_what_was_asked_ahead_and_never_read_does_no_harm(self, direct: Direct) -> None:
        def read_only(db: Db) -> int:
            answer = db.one(TWO)
            db.ahead(ONE)
            return answer

        def writing(db: Db) -> None:
            db.ahead(ONE)
            db.add(ADD, name=a_name(), at=NOW)

        assert direct.run(read_only) == 2
        direct.run(writing)
        assert direct.run(lambda db: db.one(TWO)) == 2

    def test_what_was_only_read_waits_for_nothing_at_its_end(self, between: Between) -> None:
        async def main() -> float:
            database = Database(between.url, VAULT, size=1)
            await database.run(lambda db: db.one(ONE))
            began = 0.0

            def work(db: Db) -> int:
                nonlocal began
                answer = db.one(ONE)
                between.fall_silent()
                began = time.monotonic()
                return answer

            assert await database.run(work) == 1
            waited = time.monotonic() - began
            await database.close()
            return waited

        assert on_loop(main) < 1

    def test_a_row_that_must_be_there_and_is_not_is_a_bug_of_ours(self, direct: Direct) -> None:
        with pytest.raises(IndexError):
            direct.run(lambda db: db.one(NONE))

    def test_a_parameter_that_is_missing_is_a_bug_of_ours(self, direct: Direct) -> None:
        with pytest.raises(KeyError):
            direct.run(lambda db: db.first(AT))


class TestClinic:
    def test_statements_know_the_clinic_of_the_transaction(self, direct: Direct) -> None:
        here, there, account_id = uuid4(), uuid4(), uuid4()
        add = Change(upsert(AccountClinic).on_conflict_do_nothing())
        clinics = Query(
            select(_account_clinic.clinic_id).where(
                _account_clinic.account_id == bindparam("account_id"),
                _account_clinic.clinic_id == bindparam("clinic_id"),
            ),
            itself,
        )

        def work(db: Db) -> list[UUID]:
            db.enter(here)
            db.add(add, account_id=account_id, joined_at=NOW)
            found = db.all(clinics, account_id=account_id)
            db.enter(there)
            return [*found, *db.all(clinics, account_id=account_id)]

        assert direct.run(work) == [here]

    def test_a_clinic_is_left_with_its_transaction(self, other: Direct) -> None:
        clinic_id = uuid4()

        def inside(db: Db) -> str:
            db.enter(clinic_id)
            return db.one(CLINIC)

        assert other.run(inside) == str(clinic_id)
        assert other.run(lambda db: db.all(CLINIC)) in (["None"], [""])


class TestCommit:
    def test_what_is_answered_is_stored(self, direct: Direct, other: Direct) -> None:
        name = a_name()

        direct.run(lambda db: db.add(ADD, name=name, at=NOW))

        assert other.run(lambda db: db.one(AT, beat_name=name)) == NOW

    def test_nothing_is_stored_of_work_that_raises(self, direct: Direct) -> None:
        name = a_name()

        def work(db: Db) -> None:
            db.add(ADD, name=name, at=NOW)
            db.one(ONE)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            direct.run(work)

        assert direct.run(lambda db: db.first(AT, beat_name=name)) is None

    def test_nothing_is_sent_of_work_that_raises_before_it_reads(
        self, tapped: Direct, between: Between
    ) -> None:
        def work(db: Db) -> None:
            db.add(ADD, name=a_name(), at=NOW)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            tapped.run(work)

        assert between.connections == 0


def refused_after(*steps: Callable[[Db], object]) -> Callable[[Db], None]:
    """Work that does this and then refuses, inside of what is tried; the refusal is caught."""

    def work(db: Db) -> None:
        with suppress(Problem), db.tried():
            for step in steps:
                step(db)
            raise Problem(Kind.INVALID)

    return work


class TestTried:
    def test_what_was_written_before_a_refusal_is_undone_and_the_rest_is_stored(
        self, direct: Direct, other: Direct
    ) -> None:
        before, inside, after = a_name(), a_name(), a_name()

        def work(db: Db) -> None:
            db.add(ADD, name=before, at=NOW)
            refused_after(
                lambda db: db.add(ADD, name=inside, at=NOW), lambda db: db.one(AT, beat_name=inside)
            )(db)
            db.add(ADD, name=after, at=NOW)

        direct.run(work)

        def look(db: Db) -> list[datetime | None]:
            return [db.first(AT, beat_name=name) for name in (before, inside, after)]

        assert other.run(look) == [NOW, None, NOW]

    def test_what_has_not_travelled_is_not_sent_at_all(
        self, tapped: Direct, between: Between
    ) -> None:
        name = a_name()

        def work(db: Db) -> None:
            refused_after(lambda db: db.add(ADD, name=a_name(), at=NOW))(db)
            db.add(ADD, name=name, at=NOW)

        tapped.run(work)

        assert [[sql.partition(" ")[0] for sql in trip] for trip in between.trips] == [
            ["BEGIN", "INSERT", "COMMIT"]
        ]
        assert tapped.run(lambda db: db.one(AT, beat_name=name)) == NOW

    def test_what_nobody_refuses_is_stored_and_costs_nothing_if_nothing_was_read(
        self, tapped: Direct, between: Between
    ) -> None:
        name = a_name()

        def work(db: Db) -> None:
            with db.tried():
                db.add(ADD, name=name, at=NOW)

        tapped.run(work)

        assert [len(trip) for trip in between.trips] == [3]
        assert tapped.run(lambda db: db.one(AT, beat_name=name)) == NOW

    def test_what_is_read_in_between_takes_no_round_trip_more(
        self, tapped: Direct, between: Between
    ) -> None:
        name = a_name()

        def work(db: Db) -> None:
            with db.tried():
                db.first(AT, beat_name=name)
                db.add(ADD, name=name, at=NOW)

        tapped.run(work)

        assert [[sql.partition(" ")[0] for sql in trip] for trip in between.trips] == [
            ["BEGIN", "SAVEPOINT", "SELECT"],
            ["INSERT", "RELEASE", "COMMIT"],
        ]
        assert tapped.run(lambda db: db.one(AT, beat_name=name)) == NOW

    def test_one_within_another_undoes_its_own(self, direct: Direct) -> None:
        outer, inner = a_name(), a_name()

        def work(db: Db) -> None:
            with db.tried():
                db.add(ADD, name=outer, at=NOW)
                db.one(ONE)
                refused_after(lambda db: db.add(ADD, name=inner, at=NOW), lambda db: db.one(ONE))(
                    db
                )

        direct.run(work)

        assert direct.run(lambda db: db.first(AT, beat_name=outer)) == NOW
        assert direct.run(lambda db: db.first(AT, beat_name=inner)) is None

    def test_of_work_that_catches_and_then_raises_nothing_is_stored(self, direct: Direct) -> None:
        name = a_name()

        def work(db: Db) -> None:
            with db.tried():
                db.add(ADD, name=name, at=NOW)
                db.one(ONE)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            direct.run(work)

        assert direct.run(lambda db: db.first(AT, beat_name=name)) is None

    @pytest.mark.parametrize("is_sent", [False, True])
    def test_the_clinic_is_again_the_one_that_it_was(self, direct: Direct, is_sent: bool) -> None:
        here, there = uuid4(), uuid4()

        def work(db: Db) -> tuple[UUID | None, str]:
            db.enter(here)
            db.one(ONE)
            look = [lambda db: db.one(CLINIC)] if is_sent else []
            refused_after(lambda db: db.enter(there), *look)(db)
            return db.clinic_id, db.one(CLINIC)

        assert direct.run(work) == (here, str(here))

    def test_a_collision_inside_is_nobody_s_refusal(self, direct: Direct) -> None:
        name = a_name()
        direct.run(lambda db: db.add(ADD, name=name, at=NOW))
        calls: list[bool] = []

        def work(db: Db) -> None:
            calls.append(db.after_collision)
            with suppress(Problem), db.tried():
                if not db.after_collision:
                    db.add(ADD, name=name, at=NOW)
                db.one(ONE)

        direct.run(work)

        assert calls == [False, True]

    def test_work_that_only_refused_leaves_its_connection_good(self, direct: Direct) -> None:
        direct.run(refused_after(lambda db: db.one(ONE)))

        assert direct.run(lambda db: db.one(TWO)) == 2


class TestCollision:
    def test_a_unique_violation_leads_to_one_second_call_that_knows(self, direct: Direct) -> None:
        name = a_name()
        direct.run(lambda db: db.add(ADD, name=name, at=NOW))
        calls: list[bool] = []

        def work(db: Db) -> datetime | None:
            calls.append(db.after_collision)
            if db.after_collision:
                return db.first(AT, beat_name=name)
            db.add(ADD, name=name, at=NOW)
            return None

        assert direct.run(work) == NOW
        assert calls == [False, True]

    def test_unique_violations_that_go_on_say_that_it_exists(self, direct: Direct) -> None:
        name = a_name()
        direct.run(lambda db: db.add(ADD, name=name, at=NOW))
        calls: list[bool] = []

        def work(db: Db) -> None:
            calls.append(db.after_collision)
            db.add(ADD, name=name, at=NOW)

        assert kind_of(lambda: direct.run(work)) is Kind.ALREADY_EXISTS
        assert calls == [False, True, True]

    def test_a_second_collision_with_another_row_leads_to_another_call(
        self, direct: Direct
    ) -> None:
        first, second = a_name(), a_name()
        for name in (first, second):
            direct.run(lambda db, name=name: db.add(ADD, name=name, at=NOW))  # type: ignore[misc]
        calls = 0

        def work(db: Db) -> bool:
            nonlocal calls
            calls += 1
            if calls < 3:
                db.add(ADD, name=first if calls == 1 else second, at=NOW)
            return db.after_collision

        assert direct.run(work)
        assert calls == 3

    def test_a_unique_violation_on_the_last_attempt_is_still_an_answer(
        self, direct: Direct, other: Direct
    ) -> None:
        name, calls = a_name(), 0
        direct.run(lambda db: db.add(ADD, name=name, at=NOW))

        def work(db: Db) -> bool:
            nonlocal calls
            calls += 1
            if calls < 4:
                fail_to_serialize(db, other, name)
            elif not db.after_collision:
                db.add(ADD, name=name, at=NOW)
            return db.after_collision

        assert direct.run(work)


def fail_to_serialize(db: Db, other: Direct, name: str) -> None:
    """Read a row, let another change it, change it."""
    db.add(REPEATABLE)
    db.one(AT, beat_name=name)
    other.run(lambda db: db.add(MOVE, beat_name=name, to_at=datetime.now(UTC)))
    db.add(MOVE, beat_name=name, to_at=NOW)


class TestAgain:
    def test_a_serialization_failure_is_tried_again(self, direct: Direct, other: Direct) -> None:
        name, calls = a_name(), 0
        direct.run(lambda db: db.add(ADD, name=name, at=datetime.now(UTC)))

        def work(db: Db) -> int:
            nonlocal calls
            calls += 1
            if calls == 1:
                fail_to_serialize(db, other, name)
            else:
                db.add(MOVE, beat_name=name, to_at=NOW)
            return calls

        assert direct.run(work) == 2
        assert direct.run(lambda db: db.one(AT, beat_name=name)) == NOW

    def test_one_that_fails_every_time_is_not_available(
        self, direct: Direct, other: Direct
    ) -> None:
        name, calls = a_name(), 0
        direct.run(lambda db: db.add(ADD, name=name, at=datetime.now(UTC)))

        def work(db: Db) -> None:
            nonlocal calls
            calls += 1
            fail_to_serialize(db, other, name)

        with pytest.raises(Problem) as raised:
            direct.run(work)

        assert raised.value.kind is Kind.UNAVAILABLE
        assert raised.value.headers["Retry-After"] == "1"
        assert calls == 4

    def test_a_deadlock_is_broken_and_both_sides_are_stored(
        self, direct: Direct, other: Direct
    ) -> None:
        names = [a_name(), a_name()]
        for name in names:
            direct.run(lambda db, name=name: db.add(ADD, name=name, at=NOW))  # type: ignore[misc]
        both_hold_one = threading.Barrier(2)
        calls = {"there": 0, "here": 0}

        def crossing(side: str, first: str, second: str) -> Callable[[Db], None]:
            def work(db: Db) -> None:
                calls[side] += 1
                db.one(HOLD, beat_name=first)
                if calls[side] == 1:
                    both_hold_one.wait(5)
                db.one(HOLD, beat_name=second)
                db.add(ADD, name=f"{side}-{first}", at=NOW)

            return work

        there = threading.Thread(target=lambda: other.run(crossing("there", *names)))
        there.start()
        direct.run(crossing("here", *reversed(names)))
        there.join(10)

        assert min(calls.values()) == 1
        assert max(calls.values()) > 1
        assert direct.run(lambda db: db.one(AT, beat_name=f"there-{names[0]}")) == NOW
        assert direct.run(lambda db: db.one(AT, beat_name=f"here-{names[1]}")) == NOW

    def test_a_statement_whose_table_was_migrated_meanwhile_is_planned_anew(
        self, direct: Direct, settings: Settings
    ) -> None:
        table = f"migrated_{uuid4().hex}"
        query = Query(select(literal_column("a")).select_from(text(table)), itself)
        as_superuser(settings, f"CREATE TABLE {table} AS SELECT 1 AS a")
        as_superuser(settings, f"GRANT SELECT ON {table} TO afterglow_app")
        assert direct.run(lambda db: db.one(query)) == 1

        as_superuser(settings, f"ALTER TABLE {table} ALTER a TYPE text")

        assert direct.run(lambda db: db.one(query)) == "1"
        as_superuser(settings, f"DROP TABLE {table}")

    def test_a_connection_lost_before_the_commit_is_replaced(
        self, tapped: Direct, between: Between
    ) -> None:
        name, calls = a_name(), 0
        between.lose(b"SELECT")

        def work(db: Db) -> None:
            nonlocal calls
            calls += 1
            db.one(ONE)
            db.add(ADD, name=name, at=NOW)

        tapped.run(work)

        assert calls == 2
        assert tapped.run(lambda db: db.one(AT, beat_name=name)) == NOW

    def test_a_connection_that_is_lost_every_time_is_not_available(
        self, tapped: Direct, between: Between
    ) -> None:
        between.lose(b"SELECT", times=99)

        assert kind_of(lambda: tapped.run(lambda db: db.one(ONE))) is Kind.UNAVAILABLE
        assert between.connections == 4

    def test_a_connection_lost_while_committing_leaves_the_outcome_open(
        self, tapped: Direct, between: Between, other: Direct
    ) -> None:
        name, calls = a_name(), 0
        between.lose(b"COMMIT")

        def work(db: Db) -> None:
            nonlocal calls
            calls += 1
            db.add(ADD, name=name, at=NOW)

        with pytest.raises(Problem) as raised:
            tapped.run(work)

        assert raised.value.kind is Kind.OUTCOME_UNKNOWN
        assert raised.value.headers["Retry-After"] == "1"
        assert calls == 1
        assert other.run(lambda db: db.one(AT, beat_name=name)) == NOW

    def test_a_server_that_is_not_there_is_not_available(self) -> None:
        nowhere = Direct("postgresql+psycopg://nobody@127.0.0.1:1/nothing", VAULT)

        assert kind_of(lambda: nowhere.run(lambda db: db.one(ONE))) is Kind.UNAVAILABLE
        nowhere.close()


class TestRefused:
    def test_a_statement_that_takes_too_long_is_not_available(self, direct: Direct) -> None:
        def work(db: Db) -> None:
            db.add(SHORT_STATEMENTS)
            db.one(SLEEP, seconds=5.0)

        began = time.monotonic()

        assert kind_of(lambda: direct.run(work)) is Kind.UNAVAILABLE
        assert time.monotonic() - began < 2

    def test_a_lock_that_is_not_had_in_time_is_not_available(
        self, direct: Direct, other: Direct
    ) -> None:
        name = a_name()
        direct.run(lambda db: db.add(ADD, name=name, at=NOW))

        def impatient(db: Db) -> None:
            db.add(SHORT_LOCKS)
            db.one(HOLD, beat_name=name)

        def holding(db: Db) -> Kind:
            db.one(HOLD, beat_name=name)
            return kind_of(lambda: other.run(impatient))

        assert direct.run(holding) is Kind.UNAVAILABLE

    def test_a_server_that_only_reads_is_not_available(self, direct: Direct) -> None:
        def work(db: Db) -> None:
            db.add(READ_ONLY)
            db.add(ADD, name=a_name(), at=NOW)

        assert kind_of(lambda: direct.run(work)) is Kind.UNAVAILABLE

    def test_a_full_disk_says_so(self, direct: Direct) -> None:
        def work(db: Db) -> None:
            raise Refusal("53100", None)

        with pytest.raises(Problem) as raised:
            direct.run(work)

        assert raised.value.kind is Kind.STORAGE_FULL
        assert raised.value.headers["Retry-After"] == "30"

    @pytest.mark.parametrize(
        "sqlstate", ["08006", "53200", "53300", "57014", "57P01", "57P03", "58030", "XX000"]
    )
    def test_what_an_operator_must_mend_is_not_available(
        self, direct: Direct, sqlstate: str
    ) -> None:
        def work(db: Db) -> None:
            raise Refusal(sqlstate, None)

        assert kind_of(lambda: direct.run(work)) is Kind.UNAVAILABLE

    def test_anything_else_is_our_fault_and_says_nothing_of_the_server_s(
        self, direct: Direct
    ) -> None:
        with pytest.raises(Problem) as raised:
            direct.run(lambda db: db.one(DIVIDE_BY_ZERO))

        assert raised.value.kind is Kind.INTERNAL
        assert "zero" not in repr(raised.value) + repr(raised.value.__cause__)


class TestDirect:
    def test_a_transaction_inside_another_has_a_connection_of_its_own(
        self, tapped: Direct, between: Between
    ) -> None:
        def outer(db: Db) -> int:
            return db.one(ONE) + tapped.run(lambda db: db.one(TWO))

        assert tapped.run(outer) == 3
        assert tapped.run(outer) == 3
        assert between.connections == 3, "one is kept, the other is made each time"

    def test_hanging_up_twice_is_harmless(self, url: str) -> None:
        database = Direct(url, VAULT)
        database.run(lambda db: db.one(ONE))

        database.close()
        database.close()

        assert database.run(lambda db: db.one(ONE)) == 1
        database.close()


def as_superuser(settings: Settings, statement: str) -> None:
    with psycopg.connect(libpq(str(settings.migration_url)), autocommit=True) as connection:
        connection.execute(statement.encode())
