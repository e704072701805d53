"""The command line, as an operator types it: programs of their own, exit codes and all."""

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
import psutil
import psycopg
import pytest
from fastapi.testclient import TestClient
from pyotp import TOTP
from typer.testing import CliRunner

from app import worker
from app.cli import app
from app.clinical import instruments
from app.kernel import clock, outbox
from app.kernel.db import Direct, libpq
from app.kernel.settings import Settings
from app.main import create_app
from app.operations import stack
from app.operations.scoring import score_one
from tests.builders import a_check_in

ROOT: Final = Path(__file__).parents[2]
STOPS_IN_SECONDS: Final = 5.0


def environment(**changes: str) -> dict[str, str]:
    """This process's, without what it says about Afterglow."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AFTERGLOW_")}
    return kept | changes


def of_settings(settings: Settings) -> dict[str, str]:
    """The environment of an operator whose database this is."""
    return environment(
        AFTERGLOW_DATABASE_URL=str(settings.database_url),
        AFTERGLOW_MIGRATION_URL=str(settings.migration_url),
        AFTERGLOW_DATA_DIR=str(settings.data_dir),
    )


def afterglow(
    *arguments: str, env: dict[str, str] | None = None, stdin: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        cwd=ROOT,
        env=env or environment(),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def succeeds(*arguments: str, env: dict[str, str] | None = None, stdin: str = "") -> str:
    """What a command printed that had nothing to complain about."""
    done = afterglow(*arguments, env=env, stdin=stdin)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


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


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def answers(text: str) -> list[str]:
    """One per item."""
    return list(text)


class TestScore:
    def test_answers_are_scored_in_words(self) -> None:
        said = succeeds("score", "phq-9", *answers("221212110"))

        assert said == "phq-9 total 12, moderate; the suicide item raises no flag\n"

    def test_and_for_scripts(self) -> None:
        said = json.loads(succeeds("score", "phq-9", "--json", *answers("000000003")))

        assert said == {
            "instrument": "phq-9",
            "instrument_version": instruments.find("phq-9").version,
            "total": 3,
            "band": "minimal",
            "complete": True,
            "subscales": {},
            "criteria": {},
            "finding": {"level": "high", "assessed": True, "reasons": ["phq-9.item-9"]},
        }

    def test_scripts_also_hear_of_subscales_and_criteria(self) -> None:
        said = json.loads(succeeds("score", "pcl-5", "--json", *answers("22222" * 4)))

        assert (said["total"], said["finding"]["assessed"]) == (40, False)
        assert said["subscales"] == {"b": 10, "c": 4, "d": 14, "e": 12}
        assert said["criteria"] == {"provisional-dsm-5": True, "cut-31": True, "cut-33": True}

    def test_a_missing_answer_takes_the_total_and_not_the_flag(self) -> None:
        said = json.loads(succeeds("score", "phq-9", "--json", *answers("-00000001")))

        assert (said["total"], said["band"], said["complete"]) == (None, None, False)
        assert said["finding"]["level"] == "low"

    def test_a_missing_suicide_item_was_not_assessed(self) -> None:
        said = succeeds("score", "phq-9", *answers("00000000-"))

        assert said == "phq-9 no total (incomplete); suicidal thoughts were not assessed\n"
        assert "no risk" not in said.lower()

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (["phq-7"], "There is no such instrument; there are"),
            (["phq-9"], "answer"),
            (["phq-9", "1", "2"], "answer"),
            (["phq-9", *answers("000000004")], "answer 9"),
            (["phq-9", *["0", "0", "0", "0", "0", "0", "0", "0", "-1"]], "answer 9"),
            (["phq-9", *answers("000x00000")], "answer 4"),
            (["phq-9", *["0", "0", "0", "1.0", "0", "0", "0", "0", "0"]], "answer 4"),
            (["phq-9", *answers("0000000000")], "answer"),
        ],
        ids=map(str, range(8)),
    )
    def test_what_cannot_be_scored_is_refused_with_the_reason(
        self, arguments: list[str], reason: str
    ) -> None:
        # In this process: it is the same code, and a program's start is most of a command's time.
        done = CliRunner().invoke(app, ["score", *arguments])

        assert (done.exit_code, done.stdout) == (2, "")
        assert reason in done.stderr

    def test_a_batch_gives_a_line_for_a_line_and_a_bad_one_does_not_stop_the_rest(self) -> None:
        sent: list[Any] = [[n % 4] * 8 + [n % 3 or None] for n in range(100)]
        sent[40:44] = [[0, 1], {"answers": []}, [True] * 9, ["1"] * 9]
        lines = [json.dumps(answers) for answers in sent]
        lines[50] = "not json"
        lines[51] = ""

        done = afterglow("score", "phq-9", "--batch", stdin="\n".join(lines) + "\n")

        results = [json.loads(line) for line in done.stdout.splitlines()]
        bad = {40, 41, 42, 43, 50, 51}
        assert done.returncode == 1
        assert len(results) == 100
        assert {n for n, result in enumerate(results) if set(result) == {"error"}} == bad
        phq9 = instruments.find("phq-9")
        for n in set(range(100)) - bad:
            assert results[n] == score_one(phq9, sent[n])
        assert results[0]["finding"]["assessed"] is False

    def test_a_batch_without_a_bad_line_is_a_success(self) -> None:
        assert succeeds("score", "gad-7", "--batch", stdin="[0,0,0,0,0,0,0]\n[3,3,3,3,3,3,null]\n")


class TestDemo:
    def test_it_prints_two_clinics_people_once_and_for_all_and_they_can_sign_in(
        self, fresh_database: Settings
    ) -> None:
        env = of_settings(fresh_database) | {"AFTERGLOW_PUBLIC_URL": "http://demo.example"}

        first = json.loads(succeeds("demo", "--json", env=env))
        second = json.loads(succeeds("demo", "--json", env=env))

        assert second == first
        assert first["base_url"] == "http://demo.example"
        people = first["people"]
        assert len({person["clinic"] for person in people}) == 2
        for clinic in {person["clinic"] for person in people}:
            roles = [person["role"] for person in people if person["clinic"] == clinic]
            assert sorted(roles) == ["administrator", "patient", "therapist"]
        for person in people:
            is_patient = person["role"] == "patient"
            assert set(person) - {"patient_id"} == {"role", "clinic", "username", "password"}
            assert ("patient_id" in person) == is_patient
        assert len({person["password"] for person in people}) == 6
        assert mode(fresh_database.data_dir / "sign-ins.json") == 0o600
        self.each_therapist_cares_for_their_own_patient(fresh_database, people)

        # Without the file that keeps the passwords nobody makes new ones up.
        (fresh_database.data_dir / "sign-ins.json").unlink()
        lost = afterglow("demo", "--json", env=env)
        assert (lost.returncode, lost.stdout) == (2, "")
        assert "here already" in lost.stderr

    def each_therapist_cares_for_their_own_patient(
        self, settings: Settings, people: list[dict[str, Any]]
    ) -> None:
        patients = {p["clinic"]: p["patient_id"] for p in people if p["role"] == "patient"}
        with api(settings) as client:
            for person in people:
                headers = sign_in(client, person)
                if person["role"] != "therapist":
                    continue
                for clinic, patient_id in patients.items():
                    path = f"/v1/patients/{patient_id}/check-ins"
                    expected = 200 if clinic == person["clinic"] else 404
                    assert client.get(path, headers=headers).status_code == expected

    def test_it_refuses_where_a_real_clinic_is(self, fresh_database: Settings) -> None:
        env = of_settings(fresh_database)
        succeeds("clinic", "add", "Real", *REAL, env=env)

        done = afterglow("demo", "--json", env=env)

        assert (done.returncode, done.stdout) == (2, "")
        assert "real clinic" in done.stderr


REAL: Final = ("--country", "DE", "--time-zone", "Europe/Berlin", "--admin", "a@real.example")


def with_a_second_factor(
    client: TestClient, headers: dict[str, str], password: str
) -> dict[str, str]:
    """Set an authenticator app up. Returns: headers of somebody signed in anew."""
    path = "/v1/me/second-factor"
    begun = client.post(path, json={"password": password}, headers=headers).json()
    otp = TOTP(begun["secret"]).now()
    confirmed = client.post(f"{path}/confirm", json={"otp": otp}, headers=headers).json()
    return {"Authorization": f"Bearer {confirmed['tokens']['access_token']}"}


class TestClinicAdd:
    def test_it_prints_an_invitation_that_works_once(self, fresh_database: Settings) -> None:
        said = succeeds("clinic", "add", "Real Clinic", *REAL, env=of_settings(fresh_database))

        found = re.search(r"^Clinic (\S+)\nInvitation for a@real\.example: (\S+)\n", said)
        assert found is not None, said
        accept = {
            "code": found[2],
            "username": "a@real.example",
            "password": "a long enough password",
            "name": "Ada Real",
        }
        with api(fresh_database) as client:
            taken = client.post("/v1/invitations/accept", json=accept)
            again = client.post("/v1/invitations/accept", json=accept)
            headers = {"Authorization": f"Bearer {taken.json()['access_token']}"}
            own = client.get("/v1/me/second-factor", headers=headers).json()
            first = client.get("/v1/me", headers=headers)
            headers = with_a_second_factor(client, headers, accept["password"])
            me = client.get("/v1/me", headers=headers).json()

        assert (taken.status_code, taken.json()["role"]) == (201, "administrator")
        assert again.status_code == 409
        assert (taken.json()["must_enrol"], own["is_required"]) == (True, True)
        assert first.json()["code"] == "second-factor-enrolment-required"
        assert (me["current"]["clinic_id"], me["current"]["clinic_name"]) == (
            found[1],
            "Real Clinic",
        )

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (["Real", *REAL[2:], "--country", "Germany"], "--country"),
            (["Real", *REAL[:2], *REAL[4:], "--time-zone", "Berlin"], "--time-zone"),
            (["Real", *REAL[:4], "--admin", "nobody"], "--admin"),
            ([" ", *REAL], "name"),
        ],
        ids=["country", "time zone", "administrator", "name"],
    )
    def test_what_is_not_valid_is_named_and_nothing_is_made(
        self, fresh_database: Settings, arguments: list[str], reason: str
    ) -> None:
        done = CliRunner(env=of_settings(fresh_database)).invoke(app, ["clinic", "add", *arguments])

        assert (done.exit_code, done.stdout) == (2, "")
        assert reason in done.stderr
        assert as_superuser(fresh_database, "SELECT count(*) FROM clinic_directory") == [(0,)]


class TestAudit:
    def test_it_is_content_with_an_untouched_ledger_and_names_the_row_of_another(
        self, fresh_database: Settings, tmp_path: Path
    ) -> None:
        env = of_settings(fresh_database)
        succeeds("demo", env=env)

        assert re.fullmatch(
            r"\d+ rows in 4 ledgers; 0 bad\.\n", succeeds("audit", "verify", env=env)
        )
        anchors = tmp_path / "anchors"
        anchors.write_text(succeeds("audit", "anchor", env=env))
        assert len(anchors.read_text().splitlines()) == 4

        ((clinic_id, patient_id),) = as_superuser(
            fresh_database, "SELECT clinic_id, patient_id FROM ledger_head LIMIT 1"
        )
        theirs = f"patient_id = '{patient_id}'"
        as_superuser(fresh_database, f"UPDATE ledger SET action = 'x' WHERE seq = 5 AND {theirs}")
        done = afterglow("audit", "verify", env=env)

        assert done.returncode == 1
        assert done.stderr == f"BAD clinic {clinic_id} patient {patient_id} row 5: was altered\n"
        assert done.stdout.endswith(" rows in 4 ledgers; 1 bad.\n")

        as_superuser(fresh_database, f"DELETE FROM ledger WHERE {theirs}")
        as_superuser(fresh_database, f"DELETE FROM ledger_head WHERE {theirs}")
        as_superuser(fresh_database, f"DELETE FROM data_key WHERE {theirs}")
        unanchored = afterglow("audit", "verify", env=env)
        anchored = afterglow("audit", "verify", "--anchor", str(anchors), env=env)

        assert unanchored.returncode == 0
        assert anchored.returncode == 1
        assert f"patient {patient_id} row 1: the whole ledger is missing" in anchored.stderr

    def test_an_anchor_that_cannot_be_read_is_refused(
        self, fresh_database: Settings, tmp_path: Path
    ) -> None:
        bad = tmp_path / "anchors"
        bad.write_text("{}\n")

        done = afterglow("audit", "verify", "--anchor", str(bad), env=of_settings(fresh_database))

        assert (done.returncode, done.stdout) == (2, "")
        assert "Line 1 of the anchor" in done.stderr


class TestOpenapi:
    def test_it_prints_the_specification_and_needs_nothing(self) -> None:
        printed = json.loads(succeeds("openapi"))

        assert printed == json.loads((ROOT / "openapi" / "afterglow.json").read_text("utf-8"))


class TestDoctor:
    def test_it_complains_of_what_is_wrong_and_of_nothing_else(
        self, fresh_database: Settings
    ) -> None:
        env = of_settings(fresh_database)
        database = Direct(str(fresh_database.database_url), stack.keyring(fresh_database))

        missing = afterglow("doctor", env=env)
        for loop in worker.LOOPS:
            database.run(lambda db, loop=loop: outbox.beat(db, clock.now(), loop))  # type: ignore[misc]
        well = afterglow("doctor", env=env)
        as_superuser(fresh_database, "UPDATE heartbeat SET at = now() - interval '7 minutes'")
        silent = afterglow("doctor", env=env)
        database.close()

        assert missing.returncode == 1
        assert "worker has never been seen" in missing.stdout
        assert (well.returncode, well.stdout) == (0, "Nothing is wrong.\n")
        assert silent.returncode == 1
        assert "last seen 7 minutes ago" in silent.stdout

    def test_a_database_that_does_not_answer_is_said_in_a_sentence(self, tmp_path: Path) -> None:
        env = environment(
            AFTERGLOW_DATABASE_URL="postgresql+psycopg://secret-user:secret@127.0.0.1:1/nothing",
            AFTERGLOW_DATA_DIR=str(tmp_path),
        )

        done = afterglow("doctor", env=env)

        assert done.returncode == 1
        assert "PostgreSQL does not answer" in done.stdout
        assert "secret" not in done.stdout + done.stderr

    def test_a_setting_that_is_not_valid_is_named_and_not_repeated(self) -> None:
        done = afterglow("doctor", env=environment(AFTERGLOW_PORT="secret"))

        assert (done.returncode, done.stderr) == (2, "Not a valid setting: AFTERGLOW_PORT.\n")


class TestKeys:
    def test_after_a_rotation_everything_opens_and_the_old_key_can_go(
        self, fresh_database: Settings
    ) -> None:
        env = of_settings(fresh_database)
        people = json.loads(succeeds("demo", "--json", env=env))["people"]
        path = fresh_database.data_dir / "keys" / "keyring.json"
        before = self.words(fresh_database, people)
        (old,) = json.loads(path.read_text())["keys"]
        with api(fresh_database) as client:
            headers = sign_in(client, people[0])

        succeeds("keys", "rotate", env=env)
        succeeds("keys", "rotate-signing", env=env)

        kept = json.loads(path.read_text())
        assert [key["id"] for key in kept["keys"][1:]] == [old["id"]]
        assert mode(path) == 0o600
        assert self.words(fresh_database, people) == before
        with api(fresh_database) as client:
            assert client.get("/v1/me", headers=headers).status_code == 200, "an older token"
            assert len(client.get("/.well-known/jwks.json").json()["keys"]) == 2

        assert re.match(r"[1-9]\d* keys and cells are under", succeeds("keys", "rewrap", env=env))
        path.write_text(json.dumps(kept | {"keys": kept["keys"][:1]}))

        assert self.words(fresh_database, people) == before
        assert succeeds("audit", "verify", env=env).endswith("; 0 bad.\n")

    def words(self, settings: Settings, people: list[dict[str, Any]]) -> list[Any]:
        """Whatever is sealed: for a patient, for a clinic, and for nobody."""
        read = []
        with api(settings) as client:
            for person in people:
                headers = sign_in(client, person)
                me = client.get("/v1/me", headers=headers).json()
                read.append((me["name"], me["username"]))
                if person["role"] == "patient":
                    for kind in ("notes", "goals"):
                        page = client.get(f"/v1/patients/me/{kind}", headers=headers).json()
                        read.append(page[kind][0]["words"])
        return read


def as_superuser(settings: Settings, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(libpq(str(settings.migration_url)), autocommit=True) as connection:
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []


class Up:
    """`afterglow up`, running."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app", "up"],
                cwd=ROOT,
                env=env,
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
        env = environment(AFTERGLOW_DATA_DIR=str(data_dir), AFTERGLOW_PORT="0")
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
            assert succeeds("audit", "verify", env=env).endswith("; 0 bad.\n")
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
            env = environment(AFTERGLOW_DATA_DIR=str(data_dir), AFTERGLOW_PORT=str(port))

            done = afterglow("up", env=env)

        assert done.returncode == 2
        assert f"127.0.0.1:{port} already; set AFTERGLOW_PORT" in done.stderr
        assert not data_dir.exists()


class TestServe:
    @pytest.mark.parametrize("part", ["serve", "worker"])
    def test_without_a_database_it_says_what_brings_one(self, part: str) -> None:
        done = afterglow(part)

        assert (done.returncode, done.stdout) == (2, "")
        assert "AFTERGLOW_DATABASE_URL is not set; `afterglow up`" in done.stderr

    @pytest.mark.parametrize("part", ["serve", "worker"])
    def test_a_database_that_does_not_answer_is_told_and_not_named(
        self, part: str, tmp_path: Path
    ) -> None:
        env = environment(
            AFTERGLOW_DATABASE_URL="postgresql+psycopg://secret-user:secret@127.0.0.1:1/nothing",
            AFTERGLOW_DATA_DIR=str(tmp_path),
        )
        done = afterglow(part, env=env)

        assert done.returncode not in (0, 2)
        assert "PostgreSQL does not answer" in done.stderr
        assert "secret" not in done.stdout + done.stderr
