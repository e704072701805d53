"""The real server as processes of its own: `afterglow serve` and `afterglow worker`.

For tests about what only a running system shows: crashes, restarts, clients of another language.
Starting and stopping are bounded, and no process outlives the test that started it.
"""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

import httpx

from app.kernel.settings import Settings

START_SECONDS: Final = 20.0
STOP_SECONDS: Final = 5.0
Part = Literal["serve", "worker"]
PARTS: Final[tuple[Part, ...]] = ("serve", "worker")
_ROOT: Final = Path(__file__).parents[2]


@cache
def _byte_code() -> str:
    """A folder for what Python compiles, until this process ends."""
    folder = tempfile.mkdtemp(prefix="afterglow-test-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def environment(**changes: str) -> dict[str, str]:
    """This process's for a program, without what it says about Afterglow.

    Where Python keeps no byte code, every start of a program would compile all of it again, which
    is most of a start's time: there the programs of a run share a folder for it.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AFTERGLOW_")}
    if kept.pop("PYTHONDONTWRITEBYTECODE", None):
        kept["PYTHONPYCACHEPREFIX"] = _byte_code()
    return kept | changes


class DidNotStart(Exception):
    """A part ended, or was not ready in time. Carries the end of what it wrote."""


class LiveServer:
    """An API and a worker over the database of `settings`, on a free loopback port.

    The port stays the same over any number of `start` and `stop`, so that a client finds the
    server again. pids: of the parts that run now.

        with LiveServer(fresh_database) as server:
            httpx.get(server.base_url + "/healthz")
            server.kill("serve")
            server.start()
    """

    def __init__(self, settings: Settings) -> None:
        port = _free_port()
        self.base_url = f"http://127.0.0.1:{port}"
        self.settings = settings.model_copy(
            update={"host": "127.0.0.1", "port": port, "public_url": self.base_url}
        )
        self._running: dict[Part, subprocess.Popen[bytes]] = {}

    @property
    def pids(self) -> dict[Part, int]:
        """The process id of each part that was started and not stopped."""
        return {part: process.pid for part, process in self._running.items()}

    def start(self, *parts: Part) -> None:
        """Start what does not run yet (all parts, unless named) and wait until it is ready.

        Raises: DidNotStart; then nothing of it runs.
        """
        try:
            for part in parts or PARTS:
                if part in self._running and self._running[part].poll() is not None:
                    self._end((part,), signal.SIGTERM)  # it ended by itself: only tidy up
                if part not in self._running:
                    self._running[part] = self._spawn(part)
            if "serve" in self._running:
                self._await_ready()
        except BaseException:
            self.kill()
            raise

    def stop(self, *parts: Part) -> dict[Part, int]:
        """End parts (all, unless named) politely, and by force after STOP_SECONDS.

        Returns: exit codes; minus a signal's number where one ended the part.
        """
        return self._end(parts or PARTS, signal.SIGTERM)

    def kill(self, *parts: Part) -> None:
        """End parts (all, unless named) as a power cut would."""
        self._end(parts or PARTS, signal.SIGKILL)

    def orphan(self) -> dict[Part, int]:
        """Let every part believe that this process is gone. Returns: exit codes, as `stop`."""
        for process in self._running.values():
            if process.stdin is not None:
                process.stdin.close()
        return self._end(PARTS, signal.SIGCONT)

    def log(self, part: Part) -> str:
        """What a part wrote, over all its lives."""
        path = self._log_path(part)
        return path.read_text(errors="replace") if path.exists() else ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _spawn(self, part: Part) -> "subprocess.Popen[bytes]":
        with self._log_path(part).open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "app", part, "--with-parent"],
                cwd=_ROOT,
                env=self._environment(),
                # Closed by the kernel when this process dies, however it dies: the part ends too.
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _await_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        # One client for all: making one takes longer than asking, and the server needs the core.
        with httpx.Client(timeout=2) as client:
            while time.monotonic() < deadline:
                for part, process in self._running.items():
                    if process.poll() is not None:
                        raise DidNotStart(f"{part} ended:\n{self.log(part)[-2000:]}")
                try:
                    if client.get(f"{self.base_url}/readyz").status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.02)
        raise DidNotStart(f"not ready in {START_SECONDS} s:\n{self.log('serve')[-2000:]}")

    def _end(self, parts: tuple[Part, ...], number: signal.Signals) -> dict[Part, int]:
        ending = {part: self._running.pop(part) for part in parts if part in self._running}
        for process in ending.values():
            process.send_signal(number)
        deadline = time.monotonic() + STOP_SECONDS
        for process in ending.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()
        return {part: process.returncode for part, process in ending.items()}

    def _log_path(self, part: Part) -> Path:
        return self.settings.data_dir / f"{part}.log"

    def _environment(self) -> dict[str, str]:
        settings = self.settings.model_dump(exclude_none=True)
        return environment(
            **{f"AFTERGLOW_{name.upper()}": str(value) for name, value in settings.items()}
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
