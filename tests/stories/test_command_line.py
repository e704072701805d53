"""The command line, as an operator types it: what is printed, exit codes and all."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app import worker
from app.clinical import instruments
from app.kernel import clock, outbox
from app.kernel.db import Direct
from app.kernel.settings import Settings
from app.operations import stack
from app.operations.scoring import score_one
from tests.builders import as_superuser
from tests.stories.commands import (
    REAL,
    ROOT,
    afterglow,
    api,
    mode,
    of_settings,
    program,
    sign_in,
    succeeds,
    with_a_second_factor,
    without_complaint,
)


def answers(text: str) -> list[str]:
    """One per item."""
    return list(text)


class TestScore:
    def test_answers_are_scored_in_words(self) -> None:
        said = without_complaint(program("score", "phq-9", *answers("221212110")))

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
        done = afterglow("score", *arguments)

        assert (done.returncode, done.stdout) == (2, "")
        assert reason in done.stderr

    def test_a_batch_gives_a_line_for_a_line_and_a_bad_one_does_not_stop_the_rest(self) -> None:
        sent: list[Any] = [[n % 4] * 8 + [n % 3 or None] for n in range(100)]
        sent[40:44] = [[0, 1], {"answers": []}, [True] * 9, ["1"] * 9]
        lines = [json.dumps(answers) for answers in sent]
        lines[50] = "not json"
        lines[51] = ""

        done = program("score", "phq-9", "--batch", stdin="\n".join(lines) + "\n")

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
        done = afterglow("clinic", "add", *arguments, env=of_settings(fresh_database))

        assert (done.returncode, done.stdout) == (2, "")
        assert reason in done.stderr
        assert as_superuser(fresh_database, "SELECT count(*) FROM clinic_directory") == [(0,)]


class TestAudit:
    def test_it_is_content_with_an_untouched_ledger_and_names_the_row_of_another(
        self, fresh_database: Settings, tmp_path: Path
    ) -> None:
        env = of_settings(fresh_database)
        succeeds("demo", env=env)

        verified = succeeds("audit", "verify", env=env)
        (in_ledgers,) = re.findall(r"^\d+( rows in \d+ ledgers; )0 bad\.\n$", verified)
        anchors = tmp_path / "anchors"
        anchors.write_text(succeeds("audit", "anchor", env=env))
        assert len(anchors.read_text().splitlines()) == int(in_ledgers.split()[2]) > 4

        ((clinic_id, patient_id),) = as_superuser(
            fresh_database, "SELECT clinic_id, patient_id FROM ledger_head LIMIT 1"
        )
        theirs = f"patient_id = '{patient_id}'"
        as_superuser(fresh_database, f"UPDATE ledger SET action = 'x' WHERE seq = 5 AND {theirs}")
        done = program("audit", "verify", env=env)

        assert done.returncode == 1
        assert done.stderr == f"BAD clinic {clinic_id} patient {patient_id} row 5: was altered\n"
        assert done.stdout.endswith(f"{in_ledgers}1 bad.\n")

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
        printed = json.loads(without_complaint(program("openapi")))

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
        env = {
            "AFTERGLOW_DATABASE_URL": "postgresql+psycopg://secret-user:secret@127.0.0.1:1/nothing",
            "AFTERGLOW_DATA_DIR": str(tmp_path),
        }

        done = program("doctor", env=env)

        assert done.returncode == 1
        assert "PostgreSQL does not answer" in done.stdout
        assert "secret" not in done.stdout + done.stderr

    def test_a_setting_that_is_not_valid_is_named_and_not_repeated(self) -> None:
        done = program("doctor", env={"AFTERGLOW_PORT": "secret"})

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
