"""The ledger has no gaps, its hashes say what was written, and tampering shows."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.kernel import ledger
from app.kernel.db import Db, Direct, libpq
from app.kernel.errors import Kind, Problem
from app.kernel.ledger import GENESIS, Fault, Row
from app.kernel.settings import Settings
from app.kernel.vault import DataKey, Keyring
from app.operations.audit import AnchorUnreadable, anchor_lines, read_anchors, verify_all
from app.people.admission import ADD_DATA_KEY
from app.people.clinics import found_clinic

NOW = datetime(2026, 3, 4, 5, 6, 7, 891_234, tzinfo=UTC)


class APage(NamedTuple):
    """Whose ledger, and who writes in it."""

    clinic_id: UUID
    patient_id: UUID
    actor_id: UUID
    actor_role: str
    data_key: DataKey


def a_page(direct: Direct, keyring: Keyring, clinic_id: UUID | None = None) -> APage:
    """A new patient's empty ledger."""
    clinic_id, patient_id = clinic_id or uuid4(), uuid4()
    wrapped = keyring.new_data_key(clinic_id, patient_id)

    def work(db: Db) -> None:
        db.enter(clinic_id)
        db.add(ADD_DATA_KEY, patient_id=patient_id, wrapped=wrapped, created_at=NOW)
        ledger.open_for(db, patient_id)

    direct.run(work)
    data_key = keyring.open_data_key(wrapped, clinic_id, patient_id)
    return APage(clinic_id, patient_id, uuid4(), "patient", data_key)


def write(direct: Direct, page: APage, count: int = 1, at: datetime = NOW) -> None:
    """Rows in a patient's ledger, each in a transaction of its own."""
    for place in range(count):

        def work(db: Db, place: int = place) -> None:
            db.enter(page.clinic_id)
            ledger.record(
                db,
                page,
                "note.written",
                kind="note",
                id=uuid4(),
                version=1,
                entry={"words": f"entry {place}"},
                now=at + timedelta(microseconds=place),
            )

        direct.run(work)


def rows_of(direct: Direct, page: APage) -> list[Row]:
    def work(db: Db) -> list[Row]:
        db.enter(page.clinic_id)
        return db.all(ledger.ROWS, patient_id=page.patient_id, after=0, limit=10_000)

    return direct.run(work)


def faults_of(direct: Direct, clinic_id: UUID, page_size: int = 500) -> list[Fault]:
    """What an audit of one clinic finds."""

    def work(db: Db) -> list[Fault]:
        db.enter(clinic_id)
        ledger.stand_still(db)
        found = [
            ledger.verify(db, clinic_id, head, page_size=page_size)
            for head in ledger.heads(db, page_size)
        ]
        return [fault for fault in found if fault is not None]

    return direct.run(work)


@contextmanager
def superuser(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    """Somebody who may do everything, and does."""
    assert settings.migration_url is not None
    with psycopg.connect(libpq(settings.migration_url), autocommit=True) as connection:
        yield connection


@pytest.fixture
def page(direct: Direct, keyring: Keyring) -> APage:
    return a_page(direct, keyring)


class TestRecord:
    def test_a_ledger_begins_with_one_and_has_no_gaps_whoever_writes(
        self, settings: Settings, direct: Direct, keyring: Keyring, page: APage
    ) -> None:
        begin = threading.Barrier(8)

        def write_a_hundred() -> None:
            database = Direct(str(settings.database_url), keyring)
            begin.wait(10)
            write(database, page, 100)
            database.close()

        threads = [threading.Thread(target=write_a_hundred) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        assert [row.seq for row in rows_of(direct, page)] == list(range(1, 801))
        assert faults_of(direct, page.clinic_id) == []

    def test_a_row_is_gone_with_the_transaction_that_wrote_it(
        self, direct: Direct, page: APage
    ) -> None:
        write(direct, page)

        def work(db: Db) -> None:
            db.enter(page.clinic_id)
            ledger.record(
                db, page, "note.written", kind="note", id=uuid4(), version=1, entry={}, now=NOW
            )
            db.all(ledger.ROWS, patient_id=page.patient_id, after=0, limit=1)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            direct.run(work)
        write(direct, page)

        assert [row.seq for row in rows_of(direct, page)] == [1, 2]

    def test_a_row_says_who_did_what_to_which_entry_and_when(
        self, direct: Direct, page: APage
    ) -> None:
        write(direct, page)

        (row,) = rows_of(direct, page)
        assert (row.at, row.actor_id, row.actor_role) == (NOW, page.actor_id, "patient")
        assert (row.action, row.entry_kind, row.entry_version) == ("note.written", "note", 1)
        assert row.prev_hash == GENESIS

    def test_the_snapshot_is_sealed_for_its_entry(self, direct: Direct, page: APage) -> None:
        write(direct, page)

        (row,) = rows_of(direct, page)
        opened = page.data_key.open(
            row.snapshot, table="ledger", column="snapshot", row=f"note/{row.entry_id}/1"
        )
        assert opened == b'{"words":"entry 0"}'
        assert b"entry" not in row.snapshot

    def test_nothing_is_written_in_a_ledger_that_was_not_opened(
        self, direct: Direct, page: APage
    ) -> None:
        stranger = page._replace(patient_id=uuid4())

        with pytest.raises(Problem) as raised:
            write(direct, stranger)

        assert raised.value.kind is Kind.INTERNAL

    @pytest.mark.parametrize("function", ["append", "open"])
    def test_nothing_is_written_for_a_clinic_that_was_not_entered(
        self, direct: Direct, keyring: Keyring, page: APage, function: str
    ) -> None:
        def work(db: Db) -> None:
            db.enter(uuid4())
            if function == "open":
                db.add(ledger.OPEN, clinic_id=page.clinic_id, patient_id=uuid4())
            else:
                row = {"at": NOW, "actor_id": uuid4(), "actor_role": "patient", "action": "a"}
                entry = {"entry_kind": "k", "entry_id": uuid4(), "entry_version": 1}
                place = {"clinic_id": page.clinic_id, "patient_id": page.patient_id}
                db.add(ledger.APPEND, **place, **row, **entry, snapshot=b"")

        with pytest.raises(Problem) as raised:
            direct.run(work)

        assert raised.value.kind is Kind.INTERNAL
        assert rows_of(direct, page) == []


class TestHash:
    @pytest.mark.parametrize(
        "at",
        [
            datetime(1, 1, 1, tzinfo=UTC),
            datetime(1582, 10, 4, 23, 59, 59, 999_999, tzinfo=UTC),
            datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            datetime(1970, 1, 1, tzinfo=UTC),
            datetime(1999, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
            datetime(2000, 2, 29, 12, 0, 0, 500_000, tzinfo=UTC),
            datetime(2038, 1, 19, 3, 14, 8, 1, tzinfo=UTC),
            datetime(2100, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC),
            datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        ],
    )
    def test_the_database_and_python_agree_in_every_year(
        self, direct: Direct, page: APage, at: datetime
    ) -> None:
        write(direct, page, at=at)

        (row,) = rows_of(direct, page)
        assert row.at == at
        assert row.hash == ledger.chained_hash(row)

    @hypothesis_settings(max_examples=60, deadline=None)
    @given(microseconds=st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
    def test_the_database_and_python_agree_to_the_microsecond(
        self, direct: Direct, keyring: Keyring, microseconds: int
    ) -> None:
        page = a_page(direct, keyring)
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)

        write(direct, page, at=at)

        (row,) = rows_of(direct, page)
        assert row.hash == ledger.chained_hash(row)

    def test_every_part_of_a_row_is_in_its_hash(self, direct: Direct, page: APage) -> None:
        write(direct, page)
        (row,) = rows_of(direct, page)

        others: dict[str, Any] = {
            "clinic_id": uuid4(),
            "patient_id": uuid4(),
            "seq": 2,
            "at": row.at + timedelta(microseconds=1),
            "actor_id": uuid4(),
            "actor_role": "clinician",
            "action": "note.amended",
            "entry_kind": "goal",
            "entry_id": uuid4(),
            "entry_version": 2,
            "snapshot": row.snapshot[:-1],
            "prev_hash": row.hash,
        }

        assert set(others) == set(Row._fields) - {"hash"}
        for name, other in others.items():
            assert ledger.chained_hash(row._replace(**{name: other})) != row.hash, name


TAMPERINGS: dict[str, tuple[str, int]] = {
    # What a superuser does to the third of six rows, and the row that is named.
    "another instant": ("UPDATE ledger SET at = at + interval '1 microsecond' WHERE {3}", 3),
    "another actor": ("UPDATE ledger SET actor_id = gen_random_uuid() WHERE {3}", 3),
    "another role": ("UPDATE ledger SET actor_role = 'clinician' WHERE {3}", 3),
    "another act": ("UPDATE ledger SET action = 'note.amended' WHERE {3}", 3),
    "another kind": ("UPDATE ledger SET entry_kind = 'goal' WHERE {3}", 3),
    "another entry": ("UPDATE ledger SET entry_id = gen_random_uuid() WHERE {3}", 3),
    "another version": ("UPDATE ledger SET entry_version = 2 WHERE {3}", 3),
    "other words": (
        (
            "UPDATE ledger SET snapshot = set_byte(snapshot, 20, 255 - get_byte(snapshot, 20))"
            " WHERE {3}"
        ),
        3,
    ),
    "another hash": ("UPDATE ledger SET hash = sha256(hash) WHERE {3}", 3),
    "another previous hash": ("UPDATE ledger SET prev_hash = sha256(hash) WHERE {3}", 3),
    "the first row is another's": ("UPDATE ledger SET prev_hash = sha256('') WHERE {1}", 1),
    "a row is gone": ("DELETE FROM ledger WHERE {3}", 3),
    "the first row is gone": ("DELETE FROM ledger WHERE {1}", 1),
    "a row is gone and the rest moved up": (
        (
            "DELETE FROM ledger WHERE {3}; UPDATE ledger SET seq = -seq WHERE {mine} AND seq > 3;"
            " UPDATE ledger SET seq = -seq - 1 WHERE {mine} AND seq < 0"
        ),
        3,
    ),
    "two rows are exchanged": (
        (
            "UPDATE ledger SET seq = 100 WHERE {3}; UPDATE ledger SET seq = 3 WHERE {4};"
            " UPDATE ledger SET seq = 4 WHERE {mine} AND seq = 100"
        ),
        3,
    ),
    "the words of two rows are exchanged": (
        (
            "UPDATE ledger l SET snapshot = o.snapshot FROM ledger o"
            " WHERE l.clinic_id = o.clinic_id AND l.patient_id = o.patient_id"
            " AND l.seq + o.seq = 7 AND l.seq IN (3, 4)"
            " AND l.patient_id = '{patient}'"
        ),
        3,
    ),
    "a row is added at the end": (
        (
            "INSERT INTO ledger SELECT clinic_id, patient_id, 7, at, actor_id, actor_role, action,"
            " entry_kind, gen_random_uuid(), 1, snapshot, hash, sha256(hash) FROM ledger WHERE {6}"
        ),
        7,
    ),
    "a row is added at the end, with a hash that is right": (
        (
            "INSERT INTO ledger SELECT clinic_id, patient_id, 7, at, actor_id, actor_role, action,"
            " entry_kind, entry_id, 1, snapshot, hash, sha256(hash || convert_to(concat_ws('|',"
            " clinic_id, patient_id, 7, (extract(epoch FROM at) * 1000000)::bigint, actor_id,"
            " actor_role, action, entry_kind, entry_id, 1), 'UTF8') || sha256(snapshot))"
            " FROM ledger WHERE {6}"
        ),
        7,
    ),
    "a row is pushed in and the rest moved down": (
        (
            "UPDATE ledger SET seq = seq + 100 WHERE {mine} AND seq > 3;"
            " UPDATE ledger SET seq = seq - 99 WHERE {mine} AND seq > 100;"
            " INSERT INTO ledger SELECT clinic_id, patient_id, 4, at, actor_id, actor_role, action,"
            " entry_kind, entry_id, 1, snapshot, hash, sha256(hash) FROM ledger WHERE {3}"
        ),
        4,
    ),
    "the tail is cut": ("DELETE FROM ledger WHERE {mine} AND seq > 4", 5),
    "all rows are gone": ("DELETE FROM ledger WHERE {mine}", 1),
    "the head is set back": ("UPDATE ledger_head SET seq = 4 WHERE {mine}", 6),
    "the head is set forward": ("UPDATE ledger_head SET seq = 9 WHERE {mine}", 7),
    "the head has another hash": ("UPDATE ledger_head SET hash = sha256(hash) WHERE {mine}", 6),
    "the head is gone": ("DELETE FROM ledger_head WHERE {mine}", 6),
    "head and rows are gone": (
        "DELETE FROM ledger_head WHERE {mine}; DELETE FROM ledger WHERE {mine}",
        0,
    ),
    "a row came from another patient": (
        (
            "UPDATE ledger l SET snapshot = o.snapshot, hash = o.hash FROM ledger o"
            " WHERE l.clinic_id = o.clinic_id AND o.patient_id = '{other}' AND o.seq = 3"
            " AND l.patient_id = '{patient}' AND l.seq = 3"
        ),
        3,
    ),
}


class TestVerify:
    def test_an_untouched_ledger_has_no_fault(
        self, direct: Direct, keyring: Keyring, page: APage
    ) -> None:
        other = a_page(direct, keyring, page.clinic_id)
        write(direct, page, 7)
        write(direct, other, 1)
        a_page(direct, keyring, page.clinic_id)

        assert faults_of(direct, page.clinic_id) == []

    @pytest.mark.parametrize("page_size", [1, 2, 6, 7])
    def test_a_ledger_longer_than_a_page_is_followed_to_its_end(
        self, direct: Direct, settings: Settings, page: APage, page_size: int
    ) -> None:
        write(direct, page, 6)

        assert faults_of(direct, page.clinic_id, page_size) == []
        with superuser(settings) as connection:
            connection.execute("DELETE FROM ledger WHERE patient_id = %s AND seq = 6", [page[1]])
        assert [fault.seq for fault in faults_of(direct, page.clinic_id, page_size)] == [6]

    @pytest.mark.parametrize("tampering", TAMPERINGS)
    def test_tampering_is_found_and_the_row_is_named(
        self,
        direct: Direct,
        settings: Settings,
        keyring: Keyring,
        page: APage,
        tampering: str,
    ) -> None:
        other = a_page(direct, keyring, page.clinic_id)
        write(direct, page, 6)
        write(direct, other, 6)
        statements, seq = TAMPERINGS[tampering]
        mine = f"clinic_id = '{page.clinic_id}' AND patient_id = '{page.patient_id}'"
        for place in range(1, 7):
            statements = statements.replace(f"{{{place}}}", f"{mine} AND seq = {place}")
        statements = statements.replace("{mine}", mine)
        statements = statements.replace("{patient}", str(page.patient_id))
        statements = statements.replace("{other}", str(other.patient_id))

        with superuser(settings) as connection:
            for statement in statements.split(";"):
                assert connection.execute(statement.encode()).rowcount > 0

        (fault,) = faults_of(direct, page.clinic_id)
        assert (fault.clinic_id, fault.patient_id) == (page.clinic_id, page.patient_id)
        assert fault.seq == seq

    def test_others_who_go_on_writing_are_no_fault(
        self, settings: Settings, direct: Direct, keyring: Keyring, page: APage
    ) -> None:
        pages = [page, *(a_page(direct, keyring, page.clinic_id) for _ in range(4))]
        for one in pages:
            write(direct, one, 20)
        is_over = threading.Event()

        def go_on() -> None:
            database = Direct(str(settings.database_url), keyring)
            while not is_over.is_set():
                for one in pages:
                    write(database, one)
            database.close()

        writer = threading.Thread(target=go_on)
        writer.start()
        try:
            found = [faults_of(direct, page.clinic_id, page_size=3) for _ in range(15)]
        finally:
            is_over.set()
            writer.join(10)

        assert found == [[]] * 15


class TestRights:
    @pytest.mark.parametrize(
        "statement",
        [
            "INSERT INTO ledger SELECT * FROM ledger",
            "UPDATE ledger SET action = 'x'",
            "DELETE FROM ledger",
            "TRUNCATE ledger",
            "INSERT INTO ledger_head SELECT * FROM ledger_head",
            "UPDATE ledger_head SET seq = 0",
            "DELETE FROM ledger_head",
            "ALTER TABLE ledger DISABLE ROW LEVEL SECURITY",
            "DROP FUNCTION ledger_append",
            "CREATE TABLE public.mine ()",
        ],
    )
    def test_the_application_cannot_write_a_ledger_by_itself(
        self, settings: Settings, statement: str
    ) -> None:
        with psycopg.connect(libpq(str(settings.database_url)), autocommit=True) as connection:
            connection.execute("SET ROLE afterglow_app")

            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())

    def test_nobody_else_may_call_what_writes_it(self, settings: Settings) -> None:
        with superuser(settings) as connection:
            granted = connection.execute(
                "SELECT count(*) FROM pg_proc, aclexplode(proacl)"
                " WHERE proname IN ('ledger_append', 'ledger_open') AND grantee = 0"
            ).fetchone()

        assert granted == (0,)


class TestVerifyAll:
    @pytest.fixture
    def database(self, fresh_database: Settings, keyring: Keyring) -> Iterator[Direct]:
        made = Direct(str(fresh_database.database_url), keyring)
        yield made
        made.close()

    @pytest.fixture
    def pages(self, database: Direct, keyring: Keyring) -> list[APage]:
        """A patient with three rows in each of two clinics."""
        pages = []
        for country in ("US", "DE"):

            def found(db: Db, country: str = country) -> UUID:
                return found_clinic(
                    db,
                    name="A clinic",
                    country=country,
                    time_zone="UTC",
                    phone=None,
                    is_synthetic=True,
                    coverage={},
                    now=NOW,
                )

            pages.append(a_page(database, keyring, database.run(found)))
            write(database, pages[-1], 3)
        return pages

    def test_every_clinic_is_looked_at_and_counted(
        self, database: Direct, fresh_database: Settings, pages: list[APage]
    ) -> None:
        before = verify_all(database)
        with superuser(fresh_database) as connection:
            connection.execute("UPDATE ledger SET action = 'x' WHERE seq = 2")
        after = verify_all(database)

        assert (before.ledgers, before.rows, before.faults) == (2, 6, [])
        assert {(fault.clinic_id, fault.seq) for fault in after.faults} == {
            (page.clinic_id, 2) for page in pages
        }

    def test_an_anchor_of_the_present_finds_nothing_and_goes_on_to_hold(
        self, database: Direct, pages: list[APage]
    ) -> None:
        anchors = read_anchors(anchor_lines(database))

        write(database, pages[0], 2)

        assert verify_all(database, anchors).faults == []

    @pytest.mark.parametrize("seq", [1, 2])
    def test_a_ledger_that_was_rolled_back_together_with_its_head_shows_against_an_anchor(
        self, database: Direct, fresh_database: Settings, pages: list[APage], seq: int
    ) -> None:
        anchors = read_anchors(anchor_lines(database))
        mine = [pages[0].patient_id]

        with superuser(fresh_database) as connection:
            connection.execute(f"DELETE FROM ledger WHERE patient_id = %s AND seq > {seq}", mine)
            connection.execute(
                "UPDATE ledger_head h SET seq = l.seq, hash = l.hash FROM ledger l"
                f" WHERE l.patient_id = h.patient_id AND h.patient_id = %s AND l.seq = {seq}",
                mine,
            )

        assert verify_all(database).faults == []
        (fault,) = verify_all(database, anchors).faults
        assert (fault.patient_id, fault.seq) == (pages[0].patient_id, seq + 1)

    def test_a_ledger_that_was_written_anew_shows_against_an_anchor(
        self, database: Direct, fresh_database: Settings, pages: list[APage]
    ) -> None:
        anchors = read_anchors(anchor_lines(database))
        mine = [pages[0].patient_id]

        with superuser(fresh_database) as connection:
            connection.execute("DELETE FROM ledger WHERE patient_id = %s", mine)
            connection.execute(
                "UPDATE ledger_head SET seq = 0, hash = decode(repeat('00', 32), 'hex')"
                " WHERE patient_id = %s",
                mine,
            )
        write(database, pages[0], 4)

        assert verify_all(database).faults == []
        (fault,) = verify_all(database, anchors).faults
        assert (fault.patient_id, fault.seq) == (pages[0].patient_id, 3)

    def test_a_patient_or_a_clinic_without_a_trace_shows_against_an_anchor(
        self, database: Direct, fresh_database: Settings, pages: list[APage]
    ) -> None:
        anchors = read_anchors(anchor_lines(database))

        with superuser(fresh_database) as connection:
            for table_name in ("ledger", "ledger_head", "data_key"):
                connection.execute(f"DELETE FROM {table_name}".encode())
            connection.execute(
                "DELETE FROM clinic_directory WHERE clinic_id = %s", [pages[1].clinic_id]
            )

        faults = verify_all(database, anchors).faults
        assert {(fault.clinic_id, fault.patient_id, fault.seq) for fault in faults} == {
            (page.clinic_id, page.patient_id, 1) for page in pages
        }

    @pytest.mark.parametrize(
        "line", ["", "{}", "[]", "1", "not json", '{"clinic_id": 1}', '{"patient_id": "x"}']
    )
    def test_a_file_that_is_no_anchor_names_its_first_bad_line(
        self, database: Direct, pages: list[APage], line: str
    ) -> None:
        lines = [*anchor_lines(database), line]

        with pytest.raises(AnchorUnreadable) as raised:
            read_anchors(lines)

        assert raised.value.line == 3
