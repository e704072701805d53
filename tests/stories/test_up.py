"""`afterglow up`, `serve` and `worker`: programs that run until they are told to stop."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

import httpx
import psutil
import pytest

from app.kernel.settings import Settings
from tests.builders import a_check_in, as_superuser
from tests.stories.commands import (
    ROOT,
    mode,
    of_settings,
    program,
    sign_in,
    succeeds,
    without_complaint,
)
from tests.stories.servers import environment

# Other work shares the cores of the suite.
STOPS_IN_SECONDS: Final = 5.0 if os.environ.get("AFTERGLOW_SOAK") == "1" else 20.0


class Up:
    """`afterglow up`, running."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app", "up"],
                cwd=ROOT,
                env=environment(**env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """So far."""
        return self._log.read_text()

    def wait_until_said(self, words: str, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while words not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)

    @property
    def base_url(self) -> str:
        """As it was printed."""
        found = re.search(r"Afterglow listens on (\S+)", self.said)
        assert found is not None, self.said
        return found[1]

    @property
    def people(self) -> list[dict[str, str]]:
        """As they were printed."""
        row = re.compile(r"^  (patient|therapist|administrator) +(\S+) +(\S+)$", re.MULTILINE)
        return [
            {"role": role, "username": username, "password": password}
            for role, username, password in row.findall(self.said)
        ]

    def everything(self) -> list[psutil.Process]:
        """The processes of it."""
        return [self.process_info, *self.process_info.children(recursive=True)]

    @property
    def process_info(self) -> psutil.Process:
        return psutil.Process(self.process.pid)

    def stop(self, number: signal.Signals) -> float:
        """Send a signal. Returns: the seconds until it had ended."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(20)
        return time.monotonic() - began


def still_there(processes: list[psutil.Process], seconds: float = 0) -> list[psutil.Process]:
    """Of these, the ones that go on after so long."""
    deadline = time.monotonic() + seconds
    while alive := [one for one in processes if is_alive(one)]:
        if time.monotonic() > deadline:
            return alive
        time.sleep(0.05)
    return []


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Of a machine that has never seen Afterglow."""
    # Not pytest's own folder: a parallel worker would take back the permissions on its parents.
    folder = Path(tempfile.mkdtemp(prefix="afterglow-test-"))
    yield folder / "var"
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def up(env: dict[str, str], log: Path) -> Iterator[Up]:
    """Whatever the test does, nothing of it is left behind."""
    running = Up(env, log)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            everything = running.everything()
            running.stop(signal.SIGTERM)
            for one in still_there(everything, 2):
                one.kill()


class TestUp:
    def test_it_brings_everything_and_takes_it_away_again(
        self, data_dir: Path, tmp_path: Path
    ) -> None:
        env = {"AFTERGLOW_DATA_DIR": str(data_dir), "AFTERGLOW_PORT": "0"}
        check_in_id = str(UUID(int=7))

        with up(env, tmp_path / "first.log") as first:
            first.wait_until_said("Ctrl-C stops everything")
            people = first.people
            assert len(people) == 6
            with httpx.Client(base_url=first.base_url) as client:
                headers = sign_in(client, people[0])
                sent = a_check_in(id=check_in_id)
                path = "/v1/patients/me/check-ins"
                assert client.post(path, json=sent, headers=headers).status_code == 201
            for secret in ("sign-ins.json", "running.json", "keys/keyring.json"):
                assert mode(data_dir / secret) == 0o600, secret
            assert mode(data_dir / "keys" / "signing-keys.json") == 0o600
            # Another command finds the database that runs.
            verified = without_complaint(program("audit", "verify", env=env))
            assert verified.endswith("; 0 bad.\n")
            assert json.loads(succeeds("demo", "--json", env=env))["base_url"] == first.base_url
            everything = first.everything()
            assert len(everything) >= 4

            took = first.stop(signal.SIGINT)

        assert first.process.returncode == 0
        assert took < STOPS_IN_SECONDS
        assert still_there(everything) == []
        assert not (data_dir / "running.json").exists()

        with up(env, tmp_path / "second.log") as second:
            second.wait_until_said("Ctrl-C stops everything")
            assert second.people == people
            with httpx.Client(base_url=second.base_url) as client:
                headers = sign_in(client, people[0])
                found = client.get(f"/v1/patients/me/check-ins/{check_in_id}", headers=headers)
                assert found.status_code == 200
            everything = second.everything()

            second.stop(signal.SIGKILL)
            left = still_there(everything, STOPS_IN_SECONDS)

        assert left == []

    def test_a_part_that_ends_ends_the_rest(self, fresh_database: Settings, tmp_path: Path) -> None:
        env = of_settings(fresh_database) | {"AFTERGLOW_PORT": "0"}

        with up(env, tmp_path / "up.log") as running:
            running.wait_until_said("Nothing was planted")
            everything = running.everything()
            for one in everything[1:]:
                if "worker" in one.cmdline():
                    one.kill()
            code = running.process.wait(STOPS_IN_SECONDS + 2)

        assert code == 1
        assert "The worker ended" in running.said
        assert still_there(everything, 1) == []

    def test_on_a_database_of_one_s_own_it_plants_nothing(
        self, fresh_database: Settings, tmp_path: Path
    ) -> None:
        env = of_settings(fresh_database) | {"AFTERGLOW_PORT": "0"}

        with up(env, tmp_path / "up.log") as running:
            running.wait_until_said("Nothing was planted")
            assert httpx.get(f"{running.base_url}/readyz").status_code == 200
            everything = running.everything()
            took = running.stop(signal.SIGTERM)

        assert "Using your PostgreSQL." in running.said
        assert running.process.returncode == 0
        assert took < STOPS_IN_SECONDS
        assert still_there(everything) == []
        assert as_superuser(fresh_database, "SELECT count(*) FROM clinic_directory") == [(0,)]
        assert not (fresh_database.data_dir / "sign-ins.json").exists()
        assert not (fresh_database.data_dir / "postgres").exists()

    def test_a_port_that_is_taken_is_said_in_a_sentence(self, data_dir: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            env = {"AFTERGLOW_DATA_DIR": str(data_dir), "AFTERGLOW_PORT": str(port)}

            done = program("up", env=env)

        assert done.returncode == 2
        assert f"127.0.0.1:{port} already; set AFTERGLOW_PORT" in done.stderr
        assert not data_dir.exists()


class TestServe:
    @pytest.mark.parametrize("part", ["serve", "worker"])
    def test_without_a_database_it_says_what_brings_one(self, part: str) -> None:
        done = program(part)

        assert (done.returncode, done.stdout) == (2, "")
        assert "AFTERGLOW_DATABASE_URL is not set; `afterglow up`" in done.stderr

    @pytest.mark.parametrize("part", ["serve", "worker"])
    def test_a_database_that_does_not_answer_is_told_and_not_named(
        self, part: str, tmp_path: Path
    ) -> None:
        env = {
            "AFTERGLOW_DATABASE_URL": "postgresql+psycopg://secret-user:secret@127.0.0.1:1/nothing",
            "AFTERGLOW_DATA_DIR": str(tmp_path),
        }
        done = program(part, env=env)

        assert done.returncode not in (0, 2)
        assert "PostgreSQL does not answer" in done.stderr
        assert "secret" not in done.stdout + done.stderr
