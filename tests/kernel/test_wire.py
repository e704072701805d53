"""Values as PostgreSQL reads them, and a connection that breaks at any moment."""

import asyncio
import math
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from threading import Thread
from time import monotonic, sleep
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import ARRAY, bindparam, cast, func, literal_column, select, text
from sqlalchemy.dialects.postgresql import BYTEA, JSONB
from sqlalchemy.types import (
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Double,
    LargeBinary,
    Text,
    Uuid,
)

from app.kernel.db import Database, Direct, Query, itself, libpq
from app.kernel.settings import Settings
from app.kernel.vault import Keyring
from app.kernel.wire import Link, LinkLost, Posted, Refusal, as_json, encode
from tests.kernel.between import COMMAND_COMPLETE, READY, Between, a_fatal_error, message

EAST = timezone(timedelta(hours=5, minutes=45))

VALUES: list[tuple[Any, Any]] = [
    (Boolean, True),
    (Boolean, False),
    (BigInteger, 0),
    (BigInteger, 2**63 - 1),
    (BigInteger, -(2**63)),
    (Double, 0.1),
    (Double, 5e-324),
    (Double, 1.7976931348623157e308),
    (Double, math.inf),
    (Text, ""),
    (Text, "a 'quoted' \"word\" \\ {x,y} NULL\n\t"),
    (Text, "雨 🌧 \u200d \x01"),
    (LargeBinary, b""),
    (LargeBinary, bytes(range(256))),
    (Uuid, UUID(int=0)),
    (Uuid, UUID(int=2**128 - 1)),
    (DateTime(timezone=True), datetime(1, 1, 1, tzinfo=UTC)),
    (DateTime(timezone=True), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    (DateTime(timezone=True), datetime(2026, 3, 29, 1, 59, 59, 123456, tzinfo=EAST)),
    (Date, date(1, 1, 1)),
    (Date, date(9999, 12, 31)),
    (JSONB, {}),
    (JSONB, {"a": [1, 2.5, None, {"b": 'say "no"\\'}], "雨": "'; --"}),
    (ARRAY(Text), []),
    (ARRAY(Text), ["", "NULL", "null", 'a"b', "a\\b", "{", "}", ",", "'", " ", "\n", "雨"]),
    (ARRAY(Text), ["a", None, "b"]),
    (ARRAY(BigInteger), [1, None, -(2**63)]),
    (ARRAY(Double), [0.1, None, -0.0]),
    (ARRAY(Uuid), [UUID(int=1), None, UUID(int=2)]),
    (Text, None),
    (LargeBinary, None),
    (ARRAY(Text), None),
]

MANY = Query(select(literal_column("n")).select_from(text("generate_series(1, 200000) AS n")), int)

_echoes: dict[str, Query[Any]] = {}


def echo(direct: Direct, type_: Any, value: Any) -> Any:
    """The value as PostgreSQL understood it."""
    query = _echoes.setdefault(
        repr(type_), Query(select(cast(bindparam("value", type_=type_), type_)), itself)
    )
    return direct.run(lambda db: db.one(query, value=value))


def as_text(sql: str) -> Posted:
    """A statement that is not worth preparing."""
    return Posted(None, sql.encode(), (), None)


@pytest.fixture
def url(settings: Settings) -> str:
    assert settings.database_url is not None
    return libpq(settings.database_url)


@pytest.fixture
def link(url: str) -> Iterator[Link]:
    made = Link(url)
    yield made
    made.lose()


@pytest.fixture(scope="module", autouse=True)
def wait_in_silence(settings: Settings) -> Iterator[Callable[[], float]]:
    """How long a trip waits that is never answered, on a link that gives up after a second.

    It sets out with the module, and meanwhile the other tests run.
    """
    assert settings.database_url is not None
    seconds: list[float] = []
    with Between(settings.database_url) as between:
        link = Link(libpq(between.url), trip_seconds=1.0)
        between.fall_silent()

        def ask() -> None:
            began = monotonic()
            with pytest.raises(LinkLost):
                link.trip([as_text("SELECT 1")])
            seconds.append(monotonic() - began)

        thread = Thread(target=ask, daemon=True)
        thread.start()

        def wait() -> float:
            thread.join(20)
            return seconds[0]

        yield wait
    thread.join(5)  # where nobody asked, the end of the wire has ended it


class TestEncode:
    @pytest.mark.parametrize(("type_", "value"), VALUES, ids=map(str, range(len(VALUES))))
    def test_a_value_comes_back_as_it_went(self, direct: Direct, type_: Any, value: Any) -> None:
        assert echo(direct, type_, value) == value

    def test_not_a_number_stays_one(self, direct: Direct) -> None:
        assert math.isnan(echo(direct, Double, math.nan))

    @hypothesis_settings(max_examples=150, deadline=None)
    @given(
        texts=st.lists(st.none() | st.text(st.characters(exclude_characters="\0", codec="utf-8")))
    )
    def test_any_list_of_texts_comes_back_as_it_went(
        self, direct: Direct, texts: list[str | None]
    ) -> None:
        assert echo(direct, ARRAY(Text), texts) == texts

    @pytest.mark.parametrize("value", [object(), (1, 2), {1}, [object()], [True]])
    def test_a_type_nobody_thought_of_is_an_error_and_not_a_guess(self, value: Any) -> None:
        with pytest.raises(KeyError):
            encode(value)

    @pytest.mark.parametrize("value", [math.nan, math.inf, {"a": [-math.inf]}])
    def test_json_has_no_word_for_what_is_not_finite(self, value: Any) -> None:
        with pytest.raises(ValueError, match="JSON"):
            as_json(value)

    def test_bytes_are_sent_as_they_are(self, direct: Direct) -> None:
        sent = bytes(range(256)) * 4096  # a megabyte

        assert echo(direct, BYTEA, sent) == sent


class TestResults:
    def test_a_large_result_is_read_whole(self, direct: Direct) -> None:
        rows = direct.run(lambda db: db.all(MANY))

        assert rows == list(range(1, 200_001))

    def test_a_large_result_is_read_whole_on_the_loop_too(self, url: str) -> None:
        async def read() -> list[int]:
            database = Database(url, Keyring.parse(Keyring.generate()), size=1)
            rows = await database.run(lambda db: db.all(MANY))
            await database.close()
            return rows

        assert len(asyncio.run(read())) == 200_000

    def test_a_large_statement_is_sent_whole_on_the_loop_too(self, url: str) -> None:
        async def measure() -> int:
            database = Database(url, Keyring.parse(Keyring.generate()), size=1)
            query = Query(select(func.octet_length(cast(bindparam("sent"), LargeBinary))), int)
            size = await database.run(lambda db: db.one(query, sent=bytes(40_000_000)))
            await database.close()
            return size

        assert asyncio.run(measure()) == 40_000_000


class TestRefusal:
    def test_carries_the_code_and_the_constraint_and_no_text_of_the_server(
        self, link: Link
    ) -> None:
        secret = f"secret-{uuid4()}"
        insert = f"INSERT INTO heartbeat (name, at) VALUES ('{secret}', now())"
        link.trip([as_text(insert)])

        with pytest.raises(Refusal) as refused:
            link.trip([as_text(insert)])

        assert (refused.value.sqlstate, refused.value.constraint) == ("23505", "pk_heartbeat")
        assert secret not in repr(refused.value) + str(refused.value) + str(vars(refused.value))
        link.trip([as_text(f"SELECT 1 FROM heartbeat WHERE name = '{secret}'")])

    def test_what_follows_a_refused_statement_in_a_trip_does_not_happen(self, link: Link) -> None:
        name = f"late-{uuid4()}"

        with pytest.raises(Refusal, match="42P01"):
            link.trip(
                [
                    as_text("SELECT FROM nothing_of_that_name"),
                    as_text(f"INSERT INTO heartbeat (name, at) VALUES ('{name}', now())"),
                ]
            )

        result = link.trip([as_text(f"SELECT 1 FROM heartbeat WHERE name = '{name}'")])[0]
        assert result.ntuples == 0

    def test_a_statement_that_could_not_be_prepared_is_prepared_again_the_next_time(
        self, link: Link
    ) -> None:
        name = f"made_later_{uuid4().hex}"
        statement = Posted(b"later", f"SELECT count(*) FROM {name}".encode(), (), None)
        with pytest.raises(Refusal, match="42P01"):
            link.trip([statement])

        link.trip([as_text(f"CREATE TEMP TABLE {name} ()")])

        assert link.trip([statement])[0].ntuples == 1

    def test_a_refusal_on_the_way_in_names_no_host_and_no_user(self) -> None:
        with pytest.raises(LinkLost) as lost:
            Link("postgresql://someone-secret@127.0.0.1:1/nowhere")

        assert "someone" not in repr(lost.value)
        assert lost.value.__cause__ is None
        assert lost.value.__suppress_context__


class TestLink:
    def test_a_statement_is_prepared_once(self, between: Between) -> None:
        link = Link(libpq(between.url))
        statement = Posted(b"one", b"SELECT 1", (), None)

        link.trip([statement])
        link.trip([statement, statement])

        assert link._prepared == {b"one"}
        link.lose()

    def test_what_is_left_behind_is_dropped_before_the_next_answer(self, link: Link) -> None:
        link.leave([as_text("SELECT 1"), as_text("SELECT 2")])

        results = link.trip([as_text("SELECT 3")])

        assert [link.rows(result, tuple) for result in results] == [[(3,)]]

    def test_a_failure_of_what_was_left_behind_loses_the_link(self, link: Link) -> None:
        link.leave([as_text("SELECT FROM nothing_of_that_name")])

        with pytest.raises(LinkLost):
            link.trip([as_text("SELECT 1")])

        assert link.is_lost

    def test_a_lost_link_is_lost_once_and_takes_nothing_more(self, url: str) -> None:
        told: list[Link] = []
        link = Link(url, told.append)

        link.lose()
        link.lose()
        link.leave([as_text("SELECT 1")])

        assert told == [link]
        with pytest.raises(LinkLost):
            link.trip([as_text("SELECT 1")])

    def test_leaving_something_on_a_link_that_just_broke_tells_nobody_but_its_owner(
        self, between: Between
    ) -> None:
        told: list[Link] = []
        link = Link(libpq(between.url), told.append)
        between.cut()
        for _ in range(50):
            link.leave([as_text("SELECT 1")])

        with pytest.raises(LinkLost):
            link.trip([as_text("SELECT 1")])

        assert told == [link]

    def test_a_link_without_a_trip_can_wait_for_ever(self, link: Link) -> None:
        assert not link.is_hopeless(monotonic() + 1e6)
        link.trip([as_text("SELECT 1")])
        assert not link.is_hopeless(monotonic() + 1e6)

    def test_a_link_that_was_reset_is_hopeless_at_once(self, between: Between) -> None:
        link = Link(libpq(between.url))

        between.reset()

        deadline = monotonic() + 5
        while not link.is_hopeless(monotonic()) and monotonic() < deadline:
            sleep(0.01)
        is_hopeless = link.is_hopeless(monotonic())
        link.lose()
        assert is_hopeless

    def test_a_silent_server_is_given_up(self, wait_in_silence: Callable[[], float]) -> None:
        assert 1.0 <= wait_in_silence() < 4.0

    def test_a_server_that_hangs_up_between_the_last_answer_and_the_end_of_the_trip_is_lost(
        self, between: Between
    ) -> None:
        link = Link(libpq(between.url))
        is_done = False

        def answer(kind: bytes, body: bytes) -> bytes | None:
            nonlocal is_done
            is_done = is_done or kind == COMMAND_COMPLETE
            return a_fatal_error("57P01") if is_done and kind == READY else message(kind, body)

        between.answer = answer

        with pytest.raises(LinkLost):
            link.trip([as_text("SELECT 1")])

    def test_a_link_that_breaks_while_it_still_has_something_to_send_is_lost(
        self, url: str
    ) -> None:
        async def main() -> list[Link]:
            told: list[Link] = []
            link = Link(url, told.append)
            link.join_loop(asyncio.get_running_loop())
            link._pg.finish()
            link._writable()
            return told

        assert len(asyncio.run(main())) == 1

    def test_an_interrupted_trip_loses_the_link(self, link: Link) -> None:
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try:
            with pytest.raises(KeyboardInterrupt):
                link.trip([as_text("SELECT pg_sleep(5)")])
        finally:
            signal.signal(signal.SIGALRM, before)

        assert link.is_lost


class TestRole:
    def test_a_login_above_row_level_security_gives_that_up(self, settings: Settings) -> None:
        assert settings.migration_url is not None
        superuser = Direct(settings.migration_url, Keyring.parse(Keyring.generate()))
        who = Query(select(literal_column("current_user::text")), itself)

        assert superuser.run(lambda db: db.one(who)) == "afterglow_app"
        superuser.close()

    def test_a_login_that_owns_nothing_stays_itself(self, direct: Direct) -> None:
        differs = Query(
            select(literal_column("current_user = session_user OR current_user = 'afterglow_app'")),
            bool,
        )

        assert direct.run(lambda db: db.one(differs))
