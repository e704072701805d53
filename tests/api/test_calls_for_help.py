"""A call for help: nothing turns it away, and what could not be stored says whom to call."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from app import worker
from app.kernel.db import Direct
from app.kernel.settings import Settings
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from app.main import create_app
from tests.builders import PASSWORD, Person, World, a_check_in, an_acceptance, phq_9
from tests.conftest import SIGNING_KEYS, Behind, Clock

CALL = "/v1/patients/me/flags"
CHECK_INS = "/v1/patients/me/check-ins"
NOBODY_LISTENS = "postgresql+psycopg://nobody@127.0.0.1:1/none"


def call(person: Person, token: str, query: str = "", **options: Any) -> Response:
    """A call for help with this token."""
    headers = {"Authorization": f"Bearer {token}"} | options.pop("headers", {})
    answer: Response = person.client.post(CALL + query, headers=headers, **options)
    return answer


def help_token(person: Person) -> str | None:
    """What signing in gives for this."""
    form = {"grant_type": "password", "username": person.username, "password": PASSWORD}
    told = person.client.post("/v1/auth/token", data=form)
    assert told.status_code == 200, told.text
    token: str | None = told.json()["help_token"]
    return token


def patients_help_token(world: World) -> str:
    """The patient's."""
    token = help_token(world.patient)
    assert token is not None
    return token


def evidences(behind: Behind, person: Person) -> int:
    """How many a patient's flags rest on."""
    ((found,),) = behind.rows(
        "SELECT count(*) FROM flag_evidence WHERE flag_id IN"
        " (SELECT id FROM flag WHERE patient_id = %s)",
        person.patient_id,
    )
    return int(found)


def keep_promises(direct: Direct, at: datetime) -> None:
    """Do what a worker does."""
    while worker.keep_one(direct, at):
        pass


class TestWhatIsSent:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{}",
            b"[]",
            b"[1, {}]",
            b"null",
            b"7",
            b"NaN",
            b'{"place": NaN}',
            b'{"note": "cut of',
            b"help me",
            b"\xff\xfe\x00\x80",
            b"[" * 5000,
            b'{"note": "\\ud800"}',
            b'{"note": "a\\u0000b"}',
            b'{"surprise": {"deep": [1]}}',
            b'{"level": "low", "kind": "other", "id": "no id", "place": [1]}',
            b'{"recorded_at": "2001-01-01T00:00:00Z"}',
            b'{"recorded_at": "2099-12-31T00:00:00Z"}',
            b'{"recorded_at": "2026-03-02T12:00:00"}',
            b'{"note": "' + b"x" * 2_000_000 + b'"}',
        ],
        ids=lambda body: repr(body[:24]),
    )
    @pytest.mark.parametrize("media", ["application/json", "text/plain"])
    def test_any_body_is_a_call(self, world: World, body: bytes, media: str) -> None:
        sent = world.patient.post(CALL, content=body, json=None, headers={"Content-Type": media})

        assert sent.status_code == 201, sent.text
        block = sent.json()["safety"]
        assert (block["level"], block["flag"]["level"], block["flag"]["status"]) == (
            "high",
            "high",
            "open",
        )
        assert not block["flag"]["is_historic"]
        assert block["reasons"] == ["patient.asked-for-help"]
        assert (block["country"], block["emergency_number"]) == ("US", "911")
        assert block["crisis_lines"]

    def test_no_body_and_no_content_type_are_a_call(self, world: World) -> None:
        assert world.patient.request("POST", CALL).status_code == 201

    def test_what_can_be_read_is_kept_beside_what_cannot(
        self, world: World, behind: Behind
    ) -> None:
        call_id = str(uuid4())
        body = {"id": call_id, "kind": "physical", "place": "the roof", "level": 9}

        answer = world.patient.post(CALL, body).json()

        assert answer["id"] == call_id
        assert answer["safety"]["flag"]["kind"] == "physical"
        assert answer["safety"]["crisis_lines"] == []
        assert behind.rows("SELECT words FROM flag_evidence WHERE source_id = %s", call_id) == [
            (None,)
        ]

    @pytest.mark.parametrize("as_json", [True, False])
    def test_what_they_write_is_sealed(self, world: World, behind: Behind, as_json: bool) -> None:
        canary = f"canary{uuid4().hex}"
        body = json.dumps({"note": canary}) if as_json else canary

        answer = world.patient.post(CALL, content=body.encode(), json=None)

        assert canary not in answer.text
        ((words,),) = behind.rows(
            "SELECT words FROM flag_evidence WHERE source_id = %s", answer.json()["id"]
        )
        assert len(words) > len(canary)
        for (table,) in behind.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
            found = behind.rows(f"SELECT 1 FROM {table} AS t WHERE t::text LIKE %s", f"%{canary}%")
            in_hex = f"%{canary.encode().hex()}%"
            found += behind.rows(f"SELECT 1 FROM {table} AS t WHERE t::text LIKE %s", in_hex)
            assert found == [], table

    @pytest.mark.parametrize(
        ("query", "country"),
        [("?country=FR", "FR"), ("?country=%ff%00", "US"), ("?country=" + "x" * 300, "US")],
        ids=["named", "unreadable", "long"],
    )
    def test_the_lines_are_of_the_country(self, world: World, query: str, country: str) -> None:
        answer = world.patient.post(CALL + query, {})

        assert answer.status_code == 201, answer.text
        assert answer.json()["safety"]["country"] == country
        assert answer.json()["safety"]["crisis_lines"]


class TestHelpToken:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE membership SET is_active = false WHERE patient_id = %(patient)s",
            "UPDATE account SET is_active = false WHERE id = %(account)s",
            "UPDATE consent SET revoked_at = now() WHERE patient_id = %(patient)s",
        ],
        ids=["deactivated", "suspended", "consent revoked"],
    )
    def test_it_works_whatever_became_of_the_account(
        self, world: World, behind: Behind, statement: str
    ) -> None:
        token = patients_help_token(world)
        about = {"patient": world.patient.patient_id, "account": world.patient.account_id}
        assert behind.connection.execute(statement.encode(), about).rowcount == 1

        assert call(world.patient, token).status_code == 201

    def test_it_outlives_the_sign_in_until_its_year_is_over(
        self, timed_world: World, clock: Clock
    ) -> None:
        token = patients_help_token(timed_world)
        clock.turn(days=365)
        assert timed_world.patient.post(CALL, {}).status_code == 401
        assert call(timed_world.patient, token).status_code == 201

        clock.turn(days=3)
        late = call(timed_world.patient, token, "?country=DE")

        assert late.status_code == 401
        assert late.json()["help"]["emergency_number"] == "112"

    def test_it_works_while_signing_in_is_throttled(self, timed_world: World) -> None:
        token = patients_help_token(timed_world)
        form = {"grant_type": "password", "username": timed_world.patient.username}
        answers = [
            timed_world.patient.client.post(
                "/v1/auth/token", data={**form, "password": "a wrong one"}
            )
            for _ in range(12)
        ]
        assert answers[-1].status_code == 429

        assert call(timed_world.patient, token).status_code == 201

    def test_accepting_an_invitation_gives_one_too(self, world: World) -> None:
        code = world.therapist.post("/v1/invitations", {"role": "patient"}).json()["code"]
        accepted = world.patient.client.post("/v1/invitations/accept", json=an_acceptance(code))

        assert call(world.patient, accepted.json()["help_token"]).status_code == 201

    @pytest.mark.parametrize("who", ["therapist", "coach", "administrator"])
    def test_only_patients_have_one(self, world: World, who: str) -> None:
        person: Person = getattr(world.here, who)

        assert help_token(person) is None
        assert person.post(CALL, {}).status_code == 403

    def test_it_opens_nothing_else(self, world: World) -> None:
        token = patients_help_token(world)
        paths = world.patient.get("/openapi.json").json()["paths"]
        guarded = [
            (verb, path)
            for path, verbs in paths.items()
            for verb, operation in verbs.items()
            if operation.get("security") and (verb, path) != ("post", CALL)
        ]
        assert len(guarded) > 50
        assert call(world.patient, token, "").status_code == 201
        gets = [CALL, "/v1/me", "/v1/flags", CHECK_INS]
        assert {
            world.patient.get(path, headers={"Authorization": f"Bearer {token}"}).status_code
            for path in gets
        } == {401}
        assert ("get", "/v1/patients/{patient_id}/flags") in guarded

        for verb, path in guarded:
            here = path.replace("{patient_id}", str(world.patient.patient_id))
            here = here.replace("{", "").replace("}", "")
            answer = world.patient.client.request(
                verb, here, json={}, headers={"Authorization": f"Bearer {token}"}
            )
            assert answer.status_code == 401, (verb, path)

    def test_forged_and_cut_ones_are_refused_and_say_whom_to_call(self, world: World) -> None:
        token = patients_help_token(world)
        other = help_token(world.here.other_patient)
        assert other is not None
        body, _, mac = token.rpartition(".")
        longer = body[:-1] + str((int(body[-1]) + 1) % 10)

        for forged in (
            token[:-1],
            body,
            f"{longer}.{mac}",
            f"{other.rpartition('.')[0]}.{mac}",
            f"{body}.",
            "help",
            "x" * 300,
        ):
            answer = call(world.patient, forged, "?country=FR")
            assert answer.status_code == 401, forged
            assert answer.json()["help"]["emergency_number"] == "112"
            assert answer.json()["help"]["crisis_lines"][0]["phone"] == "3114"


class TestRounds:
    def test_a_burst_is_one_flag_one_round_and_all_the_evidence(
        self, timed_world: World, clock: Clock, behind: Behind
    ) -> None:
        flags = set()
        for _ in range(20):
            told = timed_world.patient.post(CALL, {}).json()["safety"]["flag"]
            flags.add((told["id"], told["round"]))
            clock.turn(seconds=3)

        assert len(flags) == 1
        assert next(iter(flags))[1] == 1
        assert evidences(behind, timed_world.patient) == 20

    def test_a_call_after_a_minute_begins_a_round(self, timed_world: World, clock: Clock) -> None:
        first = timed_world.patient.post(CALL, {}).json()["safety"]["flag"]
        clock.turn(seconds=61)
        second = timed_world.patient.post(CALL, {}).json()["safety"]["flag"]

        assert (second["id"], second["round"]) == (first["id"], 2)

    def test_a_call_after_somebody_answered_begins_a_round(self, timed_world: World) -> None:
        first = timed_world.patient.post(CALL, {}).json()["safety"]["flag"]
        seen_to = timed_world.therapist.post(f"/v1/flags/{first['id']}/acknowledge")
        assert seen_to.status_code == 200, seen_to.text

        second = timed_world.patient.post(CALL, {}).json()["safety"]["flag"]

        assert (second["round"], second["status"]) == (2, "open")

    def test_a_call_sent_twice_is_one(self, world: World, behind: Behind) -> None:
        body = {"id": str(uuid4())}

        assert [world.patient.post(CALL, body).status_code for _ in range(2)] == [201, 200]
        assert evidences(behind, world.patient) == 1

    def test_sent_many_times_at_once_it_is_one(self, world: World, behind: Behind) -> None:
        sent = {"id": str(uuid4()), "note": "Please."}

        for _ in range(5):
            sent["id"] = str(uuid4())
            with ThreadPoolExecutor(12) as pool:
                answers = list(pool.map(lambda _: world.patient.post(CALL, sent), range(12)))

            assert Counter(one.status_code for one in answers) == {201: 1, 200: 11}
            found = behind.rows("SELECT id FROM flag_evidence WHERE source_id = %s", sent["id"])
            assert len(found) == 1

    def test_the_administrators_are_told_when_nobody_else_can_be(
        self, timed_world: World, clock: Clock, direct: Direct, behind: Behind
    ) -> None:
        behind.rows(
            "UPDATE membership SET is_active = false WHERE role = 'clinician' AND clinic_id = %s",
            timed_world.here.id,
        )
        answer = timed_world.patient.post(CALL, {}).json()["safety"]
        keep_promises(direct, clock.at)

        told = behind.rows(
            "SELECT membership_id FROM notice WHERE flag_id = %s", answer["flag"]["id"]
        )
        assert told == [(timed_world.administrator.membership_id,)]
        (shown,) = timed_world.administrator.get("/v1/flags").json()["flags"]
        assert shown["told_at"] is not None


class TestRefusals:
    """What could not be stored may have been a sign of danger."""

    def refused(self, world: World, query: str = "") -> dict[int, Response]:
        """Check-ins by how they were refused."""
        kept = world.patient.post(CHECK_INS, a_check_in()).json()
        one = f"{CHECK_INS}/{kept['id']}"
        reused = a_check_in(id=kept["id"], answers=phq_9(3))
        answers = [
            world.patient.post(CHECK_INS + query, a_check_in(answers=[9] * 9)),
            world.patient.post(CHECK_INS + query, reused),
            world.patient.put(one + query, a_check_in(answers=phq_9(4)), base=7),
            world.patient.put(one + query, a_check_in(answers=phq_9(4)), base=None),
            world.patient.post(CHECK_INS + query, content=b"{", json=None),
        ]
        return {answer.status_code: answer for answer in answers}

    @pytest.mark.parametrize(
        ("query", "number"),
        [("", "911"), ("?country=GB", "999"), ("?country=nowhere", "911")],
    )
    def test_they_say_whom_to_call(self, world: World, query: str, number: str) -> None:
        refused = self.refused(world, query)

        assert {409, 412, 422, 428} <= refused.keys()
        for answer in refused.values():
            assert answer.json()["help"]["emergency_number"] == number
            assert answer.json()["help"]["crisis_lines"]

    def test_anothers_record_and_nobodys_do_not(self, world: World) -> None:
        path = f"{world.here.other_patient.record}/check-ins"
        missing = world.patient.put(f"{CHECK_INS}/{uuid4()}", a_check_in(), base=1)
        answers = [
            world.patient.post(path, a_check_in()),
            world.administrator.post(path, a_check_in()),
            missing,
        ]

        assert {answer.status_code for answer in answers} == {403, 404}
        assert not any("help" in answer.json() for answer in answers)

    def test_a_dead_database_does_not_keep_the_lines_back(
        self, timed_world: World, keyring: Keyring, tmp_path: Path, clock: Clock
    ) -> None:
        settings = Settings(
            database_url=NOBODY_LISTENS, data_dir=tmp_path, public_url="http://testserver"
        )
        token = timed_world.patient.token
        keys = SigningKeys.parse(SIGNING_KEYS)

        with TestClient(create_app(settings, keyring, keys, now=clock)) as away:
            for path, body in ((CHECK_INS, a_check_in()), (CALL, {})):
                answer = away.post(
                    f"{path}?country=DE", json=body, headers={"Authorization": f"Bearer {token}"}
                )
                assert answer.status_code == 503
                told = answer.json()["help"]
                assert told["emergency_number"] == "112"
                assert told["crisis_lines"][0]["name"] == "TelefonSeelsorge"


class TestConcern:
    @pytest.mark.parametrize("level", ["low", "moderate", "high"])
    def test_a_clinician_raises_it_with_their_own_level(self, world: World, level: str) -> None:
        answer = world.therapist.post(
            f"{world.patient.record}/flags", {"level": level, "note": "She sounded flat."}
        )

        assert answer.status_code == 201, answer.text
        block = answer.json()["safety"]
        assert (block["flag"]["level"], block["reasons"]) == (level, ["clinician.concerned"])
        (shown,) = world.therapist.get("/v1/flags").json()["flags"]
        assert (shown["id"], shown["level"]) == (block["flag"]["id"], level)

    @pytest.mark.parametrize(
        ("who", "status"), [("coach", 403), ("administrator", 403), ("stranger", 404)]
    )
    def test_others_may_not(self, world: World, behind: Behind, who: str, status: int) -> None:
        person: Person = getattr(world.here, who)

        assert person.post(f"{world.patient.record}/flags", {}).status_code == status
        foreign = world.elsewhere.therapist.post(f"{world.patient.record}/flags", {})
        assert foreign.status_code == 404
        assert evidences(behind, world.patient) == 0

    def test_it_is_of_now_whenever_it_was_noted(self, timed_world: World, clock: Clock) -> None:
        recorded_at = (clock.at - timedelta(days=30)).isoformat()
        body = {"level": "low", "recorded_at": recorded_at}

        flag = timed_world.therapist.post(f"{timed_world.patient.record}/flags", body).json()

        assert not flag["safety"]["flag"]["is_historic"]


class TestWords:
    def test_whoever_sees_the_flag_reads_what_was_written_and_where(self, world: World) -> None:
        place = {"latitude": 52.5, "longitude": 13.4}

        world.patient.post("/v1/patients/me/flags", {"note": "By the river.", "place": place})

        (flag,) = world.therapist.get("/v1/flags").json()["flags"]
        assert flag["evidence"][0]["note"] == "By the river."
        assert flag["evidence"][0]["place"] == place | {"accuracy_metres": None}
        (state,) = world.here.administrator.get("/v1/flags").json()["flags"]
        assert state["evidence"] == []

    def test_a_call_on_a_flag_that_a_check_in_raised_begins_a_round(self, world: World) -> None:
        world.patient.post(CHECK_INS, a_check_in(answers=[1] * 8 + [3]))

        called = world.patient.post("/v1/patients/me/flags", {}).json()

        assert called["safety"]["flag"]["round"] == 2
