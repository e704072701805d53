"""Everything on one machine, in the foreground: database, migrations, demo, API and worker."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import Event
from typing import Final

from app.kernel import outbox
from app.kernel.db import Direct
from app.kernel.errors import Problem
from app.kernel.settings import Settings, write_secret
from app.operations import demo, stack

STOP_SECONDS: Final = 4.0
START_SECONDS: Final = 20.0


def up(settings: Settings) -> int:
    """Run until Ctrl-C or until a part of it ends. Returns: the exit code."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if settings.port == 0:
        settings = settings.model_copy(update={"port": _free_port(settings.host)})
    elif not _is_free(settings.host, settings.port):
        print(
            f"Something listens on {settings.host}:{settings.port} already;"
            " set AFTERGLOW_PORT to another port (0 takes a free one).",
            file=sys.stderr,
        )
        return 2
    is_ours = settings.database_url is None
    place = stack.embedded_for_others(settings) if is_ours else _as_given(settings)
    print("Starting PostgreSQL ..." if is_ours else "Using your PostgreSQL.", flush=True)
    with place as ready:
        stack.migrate(ready)
        database = stack.direct(ready)
        people = sign_ins(ready, database) if is_ours else None
        stack.signing_keys(ready)
        database.close()
        with _processes(ready) as processes:
            if not _await_answer(ready, processes, stop):
                return 0 if stop.is_set() else 1
            _print_welcome(ready, people)
            for tick in count(1):
                if stop.wait(0.2):
                    break
                if is_ours and tick % 10 == 0 and not _answers(database):
                    print("PostgreSQL ended; stopping the rest.", file=sys.stderr)
                    return 1
                for name, process in processes.items():
                    if process.poll() is not None:
                        print(f"The {name} ended; stopping the rest.", file=sys.stderr)
                        return 1
    return 0


def sign_ins(settings: Settings, database: Direct) -> list[dict[str, str]] | None:
    """The demo's printed people, planted if they are not there yet.

    Returns: None when the clinics are there but not the file that keeps their passwords.
    Raises: demo.RealClinicExists.
    """
    kept = settings.data_dir / "sign-ins.json"
    if demo.is_planted(database):
        try:
            people: list[dict[str, str]] = json.loads(kept.read_text())
        except FileNotFoundError:
            return None
        return people
    planted = [person.as_dict() for person in demo.plant(database, datetime.now(UTC))]
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    write_secret(kept, json.dumps(planted, indent=2) + "\n")
    return planted


def _answers(database: Direct) -> bool:
    """Whether PostgreSQL is still there."""
    try:
        database.run(outbox.worker_seen_at)
    except Problem:
        return False
    return True


@contextmanager
def _as_given(settings: Settings) -> Iterator[Settings]:
    yield settings


@contextmanager
def _processes(settings: Settings) -> Iterator[dict[str, "subprocess.Popen[bytes]"]]:
    """The API and the worker. They end when this process does, however it ends."""
    environment = {**os.environ, **_as_environment(settings)}
    environment.pop("AFTERGLOW_MIGRATION_URL", None)  # the owner's, and none of their business
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in ("serve", "worker"):
            processes[name] = subprocess.Popen(
                [sys.executable, "-m", "app.operations.process", name, "--with-parent"],
                cwd=stack.ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                # Ctrl-C reaches only us; we tell them, once.
                start_new_session=True,
            )
        yield processes
    finally:
        for process in processes.values():
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in processes.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _as_environment(settings: Settings) -> dict[str, str]:
    values = settings.model_dump(exclude_none=True)
    values["data_dir"] = Path(values["data_dir"]).absolute()
    return {f"AFTERGLOW_{name.upper()}": str(value) for name, value in values.items()}


def _await_answer(
    settings: Settings, processes: dict[str, "subprocess.Popen[bytes]"], stop: Event
) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and not stop.is_set():
        if any(process.poll() is not None for process in processes.values()):
            print("A part of the server did not start.", file=sys.stderr)
            return False
        if not _is_free(settings.host, settings.port):
            return True
        time.sleep(0.05)
    return False


def _print_welcome(settings: Settings, people: list[dict[str, str]] | None) -> None:
    base = settings.base_url
    print(f"\nAfterglow listens on {base}\n")
    if not people:
        print("Nothing was planted here; `afterglow clinic add` makes a clinic.\n", flush=True)
        return
    shown = {person["role"]: person for person in reversed(people)}
    print("Synthetic people to sign in as (nobody in these clinics exists):")
    for person in people:
        print(f"  {person['role']:14} {person['username']:28} {person['password']}")
    patient, therapist = shown["patient"], shown["therapist"]
    answers = "[2,2,1,2,1,1,1,0,1]"
    print(
        f"""
Three things to try in another terminal:

  TOKEN=$(curl -s {base}/v1/auth/token -d grant_type=password \\
    -d username={patient["username"]} -d password={patient["password"]} \\
    | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
  curl -s {base}/v1/patients/me/check-ins -H "Authorization: Bearer $TOKEN" \\
    -H 'Content-Type: application/json' \\
    -d '{{"instrument":"phq-9","answers":{answers},"recorded_at":"'$(date -u +%FT%TZ)'"}}'
  curl -s {base}/v1/patients/me/trajectories/phq-9 -H "Authorization: Bearer $TOKEN"

The therapist's pages are at {base}/console: sign in there as
{therapist["username"]} with the password above.
Ctrl-C stops everything; the next start finds the data again.""",
        flush=True,
    )


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.settimeout(0.5)
        target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- compared
        return probe.connect_ex((target, port)) != 0


def _free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
