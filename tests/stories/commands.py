"""The command line, typed by an operator: in this process, or as a program of its own.

In this process it is the same code, and a program's start is most of a command's time; what a
test says about exit codes and words holds for both. As a program: what is said of `main` and of
the process, and one of each kind of command.
"""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from fastapi.testclient import TestClient
from pyotp import TOTP
from typer.testing import CliRunner

from app.cli import app
from app.kernel.settings import Settings
from app.main import create_app
from app.operations import stack
from tests.stories.servers import environment

ROOT: Final = Path(__file__).parents[2]
REAL: Final = ("--country", "DE", "--time-zone", "Europe/Berlin", "--admin", "a@real.example")

Done = subprocess.CompletedProcess[str]


def of_settings(settings: Settings) -> dict[str, str]:
    """The settings of an operator whose database this is, as the environment says them."""
    return {
        "AFTERGLOW_DATABASE_URL": str(settings.database_url),
        "AFTERGLOW_MIGRATION_URL": str(settings.migration_url),
        "AFTERGLOW_DATA_DIR": str(settings.data_dir),
    }


def afterglow(*arguments: str, env: Mapping[str, str] | None = None, stdin: str = "") -> Done:
    """Run a command to its end, in this process.

    env: all that the environment says about Afterglow. Raises: what the command raised.
    """
    silent = {name: None for name in os.environ if name.startswith("AFTERGLOW_")}
    result = CliRunner(env={**silent, **(env or {})}).invoke(app, arguments, input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return subprocess.CompletedProcess(
        arguments, result.exit_code, stdout=result.stdout, stderr=result.stderr
    )


def program(*arguments: str, env: Mapping[str, str] | None = None, stdin: str = "") -> Done:
    """Run a command to its end, as a program of its own. env: as above."""
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        cwd=ROOT,
        env=environment(**(env or {})),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def without_complaint(done: Done) -> str:
    """What a command printed that had nothing to complain about."""
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def succeeds(*arguments: str, env: Mapping[str, str] | None = None, stdin: str = "") -> str:
    """What a command printed, in this process, that had nothing to complain about."""
    return without_complaint(afterglow(*arguments, env=env, stdin=stdin))


@contextmanager
def api(settings: Settings) -> Iterator[TestClient]:
    """The API with the operator's keys."""
    application = create_app(settings, stack.keyring(settings), stack.signing_keys(settings))
    with TestClient(application) as client:
        yield client


def sign_in(client: TestClient | httpx.Client, person: dict[str, Any]) -> dict[str, str]:
    """The headers of somebody the command line printed."""
    answer = client.post(
        "/v1/auth/token",
        data={
            "grant_type": "password",
            "username": person["username"],
            "password": person["password"],
        },
    )
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def with_a_second_factor(
    client: TestClient, headers: dict[str, str], password: str
) -> dict[str, str]:
    """Set an authenticator app up. Returns: headers of somebody signed in anew."""
    path = "/v1/me/second-factor"
    begun = client.post(path, json={"password": password}, headers=headers).json()
    otp = TOTP(begun["secret"]).now()
    confirmed = client.post(f"{path}/confirm", json={"otp": otp}, headers=headers).json()
    return {"Authorization": f"Bearer {confirmed['tokens']['access_token']}"}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
