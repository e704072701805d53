"""Connections: how many, who gets one, and when one is given up."""

import asyncio
import random
import time
from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy import select

from app.kernel.db import Database, Db, Direct, Query, libpq
from app.kernel.errors import Kind, Problem
from app.kernel.settings import Settings
from app.kernel.wire import TRIP_SECONDS
from tests.conftest import Postgres
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


def count_connections(postgres: Postgres, settings: Settings, state: str = "%") -> int:
    """Of the application to this test's database."""
    assert settings.migration_url is not None
    with psycopg.connect(libpq(settings.migration_url), autocommit=True) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state LIKE %s",
            [state],
        ).fetchone()
    assert row is not None
    return int(row[0])


def terminate_connections(settings: Settings) -> None:
    assert settings.migration_url is not None
    with psycopg.connect(libpq(settings.migration_url), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )


class TestPool:
    def test_as_many_transactions_run_at_once_as_there_are_connections_and_no_more(
        self, fresh_database: Settings, postgres: Postgres
    ) -> None:
        async def main() -> int:
            database = Database(str(fresh_database.database_url), VAULT, size=3)
            await asyncio.gather(
                *(database.run(lambda db: db.one(SLEEP, seconds=0.02)) for _ in range(30))
            )
            count = count_connections(postgres, fresh_database)
            await database.close()
            return count

        assert on_loop(main) == 3

    def test_connections_that_the_server_ended_are_replaced_without_a_word(
        self, fresh_database: Settings
    ) -> None:
        async def main() -> list[int]:
            database = Database(str(fresh_database.database_url), VAULT, size=4)

            async def burst() -> list[int]:
                return await asyncio.gather(
                    *(database.run(lambda db: db.one(ONE)) for _ in range(16))
                )

            await burst()
            await asyncio.to_thread(terminate_connections, fresh_database)
            answers = await burst()
            await database.close()
            return answers

        assert on_loop(main) == [1] * 16

    def test_a_transaction_whose_connection_is_ended_in_the_middle_is_done_again(
        self, fresh_database: Settings
    ) -> None:
        async def main() -> int:
            database = Database(str(fresh_database.database_url), VAULT, size=2)
            calls = 0

            def work(db: Db) -> int:
                nonlocal calls
                calls += 1
                db.one(ONE)
                if calls == 1:
                    terminate_connections(fresh_database)
                db.one(TWO)
                return calls

            calls_needed = await database.run(work)
            await database.close()
            return calls_needed

        assert on_loop(main) == 2

    def test_whoever_waits_too_long_for_a_connection_is_told_so(self, url: str) -> None:
        async def main() -> tuple[Kind, float]:
            database = Database(url, VAULT, size=1, busy_seconds=0.5)
            holder = asyncio.create_task(database.run(lambda db: db.one(SLEEP, seconds=3.5)))
            await asyncio.sleep(0.2)
            gone = asyncio.create_task(database.run(lambda db: db.one(ONE)))
            await asyncio.sleep(0.05)
            gone.cancel()
            began = time.monotonic()
            with pytest.raises(Problem) as raised:
                await database.run(lambda db: db.one(ONE))
            waited = time.monotonic() - began
            await holder
            assert await database.run(lambda db: db.one(ONE)) == 1
            await database.close()
            return raised.value.kind, waited

        kind, waited = on_loop(main)

        assert kind is Kind.UNAVAILABLE
        assert 0.5 <= waited < 3.0

    def test_whoever_stops_waiting_leaves_the_line_to_the_next(self, url: str) -> None:
        async def main() -> list[int]:
            database = Database(url, VAULT, size=1)
            holder = asyncio.create_task(database.run(lambda db: db.one(SLEEP, seconds=0.3)))
            await asyncio.sleep(0.1)
            waiting = [asyncio.create_task(database.run(lambda db: db.one(ONE))) for _ in range(5)]
            await asyncio.sleep(0.05)
            for task in waiting[:4]:
                task.cancel()
            gone = await asyncio.gather(*waiting[:4], return_exceptions=True)
            assert all(isinstance(one, asyncio.CancelledError) for one in gone)
            answers = [await waiting[4], await database.run(lambda db: db.one(TWO))]
            await holder
            await database.close()
            return answers

        assert on_loop(main) == [1, 2]

    def test_a_client_that_goes_away_in_the_middle_of_a_trip_leaves_nothing_behind(
        self, fresh_database: Settings, postgres: Postgres
    ) -> None:
        name = a_name()

        async def main() -> int:
            database = Database(str(fresh_database.database_url), VAULT, size=1)

            def work(db: Db) -> None:
                db.add(ADD, name=name, at=NOW)
                db.one(SLEEP, seconds=0.5)

            task = asyncio.create_task(database.run(work))
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            # The answer of pg_sleep must not be taken for this one's.
            answer = await database.run(lambda db: db.one(ONE))
            await database.close()
            return answer

        assert on_loop(main) == 1
        wait_until(lambda: count_connections(postgres, fresh_database) == 0)
        direct = Direct(str(fresh_database.database_url), VAULT)
        assert direct.run(lambda db: db.first(AT, beat_name=name)) is None
        direct.close()

    def test_clients_that_go_away_at_any_moment_lose_nothing_that_was_acknowledged(
        self, fresh_database: Settings, postgres: Postgres
    ) -> None:
        acknowledged: list[str] = []
        chance = random.Random(7)

        async def main() -> None:
            database = Database(str(fresh_database.database_url), VAULT, size=4)

            async def write(name: str) -> None:
                def work(db: Db) -> None:
                    db.first(AT, beat_name=name)
                    db.add(ADD, name=name, at=NOW)

                await database.run(work)
                acknowledged.append(name)

            async def give_up_at_some_time(name: str) -> None:
                task = asyncio.create_task(write(name))
                await asyncio.sleep(chance.random() * 0.02)
                task.cancel()
                await asyncio.wait([task])

            for _ in range(10):
                await asyncio.gather(
                    *(give_up_at_some_time(a_name()) for _ in range(12)),
                    *(write(a_name()) for _ in range(8)),
                )
            assert await asyncio.gather(
                *(database.run(lambda db: db.one(SLEEP, seconds=0.05)) for _ in range(8))
            )
            for _ in range(100):  # a backend whose client hung up takes a moment to notice
                if count_connections(postgres, fresh_database) <= 4:
                    break
                await asyncio.sleep(0.1)
            # PostgreSQL takes a moment to see that a client has hung up.
            await asyncio.to_thread(
                wait_until, lambda: count_connections(postgres, fresh_database) <= 4
            )
            assert count_connections(postgres, fresh_database, "idle in transaction%") == 0
            await database.close()

        on_loop(main)

        direct = Direct(str(fresh_database.database_url), VAULT)
        stored = set(direct.run(lambda db: db.all(Query(select(beat.name), str))))
        direct.close()
        assert len(acknowledged) >= 80
        assert stored >= set(acknowledged)

    def test_a_client_that_goes_away_while_its_connection_is_made_frees_the_place(
        self, url: str
    ) -> None:
        async def main() -> int:
            database = Database(url, VAULT, size=1)
            task = asyncio.create_task(database.run(lambda db: db.one(ONE)))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            answer = await database.run(lambda db: db.one(TWO))
            await database.close()
            return answer

        assert on_loop(main) == 2

    def test_a_server_that_takes_no_connection_is_not_available_at_once(
        self, between: Between
    ) -> None:
        between.close_door()

        async def main() -> set[Kind]:
            database = Database(between.url, VAULT, size=1)
            answers = await asyncio.gather(
                *(database.run(lambda db: db.one(ONE)) for _ in range(4)), return_exceptions=True
            )
            await database.close()
            return {answer.kind for answer in answers if isinstance(answer, Problem)}

        began = time.monotonic()

        assert on_loop(main) == {Kind.UNAVAILABLE}
        assert time.monotonic() - began < 3

    def test_a_server_that_falls_silent_is_given_up_and_asked_anew(self, between: Between) -> None:
        async def main() -> int:
            database = Database(between.url, VAULT, size=1)
            await database.run(lambda db: db.one(ONE))
            between.fall_silent()
            task = asyncio.create_task(database.run(lambda db: db.one(TWO)))
            await asyncio.sleep(0.1)
            between.lose(b"nothing")
            for link in database._open:
                link._waiting_since -= TRIP_SECONDS
            answer = await task
            await database.close()
            return answer

        assert on_loop(main) == 2
        assert between.connections == 2

    def test_a_connection_given_to_somebody_who_just_left_goes_to_the_next(self, url: str) -> None:
        async def main() -> int:
            database = Database(url, VAULT, size=1)

            async def hold() -> None:
                await database.run(lambda db: db.one(SLEEP, seconds=0.2))
                # In the very step in which the connection came free and was given to it.
                leaving.cancel()

            holder = asyncio.create_task(hold())
            await asyncio.sleep(0.05)
            leaving = asyncio.create_task(database.run(lambda db: db.one(ONE)))
            await asyncio.wait([holder, leaving])
            assert leaving.cancelled()
            answer = await asyncio.wait_for(database.run(lambda db: db.one(TWO)), 2)
            await database.close()
            return answer

        assert on_loop(main) == 2

    def test_a_connection_that_is_reset_in_the_middle_of_a_trip_is_replaced(
        self, between: Between
    ) -> None:
        async def main() -> tuple[int, float]:
            database = Database(between.url, VAULT, size=1)
            await database.run(lambda db: db.one(ONE))
            between.fall_silent()
            task = asyncio.create_task(database.run(lambda db: db.one(TWO)))
            await asyncio.sleep(0.1)
            between.lose(b"nothing")
            began = time.monotonic()
            between.reset()
            answer = await task
            waited = time.monotonic() - began
            await database.close()
            return answer, waited

        answer, waited = on_loop(main)

        assert answer == 2
        assert waited < 3

    def test_closing_a_pool_that_was_never_used_is_harmless(self, url: str) -> None:
        async def main() -> None:
            await Database(url, VAULT, size=1).close()

        on_loop(main)


def wait_until(is_so: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)
