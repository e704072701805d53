"""The run's own PostgreSQL: durable, measured by itself, and checkpointed between measurements."""

import contextlib
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from app.kernel import embedded

HERE = Path(__file__).parent
DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
SETTINGS = {"max_connections": "200"}  # every subject's pool is open for the whole run


@contextlib.contextmanager
def running(directory: Path) -> Iterator[embedded.Server]:
    """Start PostgreSQL with its files in `directory`; stop it at the end.

    Raises: RuntimeError if it would not survive a power cut, since the figures of a database
        that does not wait for its disk are worth nothing.
    """
    with embedded.start(directory, settings=SETTINGS) as server:
        with connect(server) as connection:
            for setting in DURABLE:
                row = connection.execute("SELECT current_setting(%s)", [setting]).fetchone()
                if row != ("on",):
                    raise RuntimeError(f"PostgreSQL is not durable: {setting} is {row}")
        yield server


def connect(
    server: embedded.Server, database: str = "postgres"
) -> psycopg.Connection[tuple[object, ...]]:
    """An autocommitting connection of the superuser."""
    url = server.libpq_url(embedded.SUPERUSER, database)
    return psycopg.connect(url, autocommit=True, connect_timeout=10)


def version(server: embedded.Server) -> str:
    """As in "18.6"."""
    with connect(server) as connection:
        return "{}.{}".format(*divmod(connection.info.server_version, 10_000))


def checkpoint(server: embedded.Server) -> None:
    """Write the dirty pages out, so that no measurement pays for the one before it."""
    with connect(server) as connection:
        connection.execute("CHECKPOINT")


def fdatasync_us(directory: Path, times: int = 200) -> float:
    """What a commit waits for on this disk: microseconds to write 8 KiB and fdatasync it.

    The quicker it is, the more a server's own time weighs in every ratio.
    """
    with tempfile.NamedTemporaryFile(dir=directory) as probe:
        begin = time.perf_counter()
        for _ in range(times):
            os.pwrite(probe.fileno(), bytes(8192), 0)
            os.fdatasync(probe.fileno())
        return (time.perf_counter() - begin) / times * 1e6


class Pgbench:
    """The floor's INSERT with no server in front of it, from `CLIENTS` connections."""

    NAME = "pgbench"
    CLIENTS = 16

    def __init__(self, server: embedded.Server) -> None:
        server.create_database(self.NAME)
        with connect(server, self.NAME) as connection:
            connection.execute((HERE / "check_in.sql").read_bytes())
        self._url = server.libpq_url(embedded.SUPERUSER, self.NAME)
        # The one packaged with the server, whatever else this machine has.
        self._binary = Path(f"/proc/{server.pids()[0]}/exe").readlink().with_name("pgbench")

    def measure(self, seconds: float) -> float:
        """Run with prepared statements for whole `seconds`, at least one.

        Returns: transactions a second, not counting the time to connect.
        Raises: RuntimeError with pgbench's own words if it fails or is not done in time.
        """
        command = [str(self._binary), "--no-vacuum", "--protocol=prepared"]
        command += [f"--client={self.CLIENTS}", f"--time={max(1, round(seconds))}"]
        command += [f"--file={HERE / 'pgbench_insert.sql'}", self._url]
        try:
            done = subprocess.run(
                command,
                check=False,
                capture_output=True,
                text=True,
                timeout=seconds + 30,
                start_new_session=True,  # Ctrl-C is for the runner, which then stops everything
            )
        except subprocess.TimeoutExpired as late:
            raise RuntimeError(f"pgbench did not end: {late}") from late
        rate = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
        if done.returncode != 0 or rate is None:
            raise RuntimeError(f"pgbench failed: {done.stderr or done.stdout}")
        return float(rate[1])
