"""Signing in, staying signed in, and signing out."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from app.kernel.identity import Issuer
from app.kernel.tokens import SigningKeys, sign
from tests.builders import PASSWORD, Person, World, a_check_in
from tests.conftest import Behind, Clock

ME = "/v1/me"


def ask(client: TestClient, **form: str) -> Response:
    """Ask for a token."""
    answer: Response = client.post("/v1/auth/token", data=form)
    return answer


def sign_in(person: Person, password: str = PASSWORD, **more: str) -> Response:
    """With a password."""
    return ask(
        person.client, grant_type="password", username=person.username, password=password, **more
    )


def refresh(client: TestClient, refresh_token: str) -> Response:
    """With a refresh token."""
    return ask(client, grant_type="refresh_token", refresh_token=refresh_token)


def me_with(client: TestClient, access_token: str) -> Response:
    """Who a token says one is."""
    answer: Response = client.get(ME, headers={"Authorization": f"Bearer {access_token}"})
    return answer


class TestPassword:
    @pytest.mark.parametrize("who", ["patient", "therapist", "administrator"])
    def test_the_right_password_gives_tokens_that_work(self, timed_world: World, who: str) -> None:
        person: Person = getattr(timed_world.here, who)

        answer = sign_in(person)

        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["token_type"], told["expires_in"]) == ("Bearer", 600)
        assert (told["role"], told["clinic_id"]) == (person.role, str(person.clinic_id))
        assert told["membership_id"] == str(person.membership_id)
        assert told["patient_id"] == (str(person.patient_id) if person.patient_id else None)
        assert answer.headers["Cache-Control"] == "no-store"
        current = me_with(person.client, told["access_token"]).json()["current"]
        assert current["membership_id"] == told["membership_id"]

    def test_a_name_is_known_in_any_case_and_with_space_around_it(self, timed_world: World) -> None:
        person = timed_world.patient

        answer = ask(
            person.client,
            grant_type="password",
            username=f"  {person.username.upper()} ",
            password=PASSWORD,
        )

        assert answer.status_code == 200

    def test_a_wrong_password_and_an_unknown_name_look_the_same(self, timed_world: World) -> None:
        wrong = sign_in(timed_world.patient, "not the right one")
        unknown = ask(
            timed_world.patient.client,
            grant_type="password",
            username=f"{uuid4()}@example.org",
            password="not the right one",
        )

        assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid-grant")
        assert wrong.content == unknown.content
        assert without_date(wrong) == without_date(unknown)

    def test_a_password_is_exact(self, timed_world: World) -> None:
        for password in (PASSWORD + " ", PASSWORD.upper(), PASSWORD[:-1], ""):
            assert sign_in(timed_world.patient, password).status_code == 400

    def test_an_account_put_out_of_use_does_not_get_in(
        self, timed_world: World, behind: Behind
    ) -> None:
        behind.rows(
            "UPDATE account SET is_active = false WHERE id = %s", timed_world.patient.account_id
        )

        assert sign_in(timed_world.patient).json()["code"] == "invalid-grant"

    def test_a_membership_that_ended_does_not_get_in(
        self, timed_world: World, behind: Behind
    ) -> None:
        behind.rows(
            "UPDATE membership SET is_active = false WHERE id = %s",
            timed_world.patient.membership_id,
        )

        assert sign_in(timed_world.patient).json()["code"] == "invalid-grant"

    @pytest.mark.parametrize("field", ["clinic_id", "membership_id"])
    @pytest.mark.parametrize("value", ["3b81944d-56aa-4b09-b740-735257725077", "nonsense", ""])
    def test_a_membership_one_has_not_is_not_given(
        self, timed_world: World, field: str, value: str
    ) -> None:
        answer = sign_in(timed_world.patient, **{field: value})

        assert answer.json()["code"] == "invalid-grant"


def without_date(answer: Response) -> dict[str, str]:
    """Headers that could tell two refusals apart."""
    return {name: value for name, value in answer.headers.items() if name != "date"}


def from_address(person: Person, address: str) -> Person:
    """The same name, known by somebody at another address of the same server."""
    client = TestClient(person.client.app, client=(address, 50000))
    client.portal = person.client.portal
    return replace(person, client=client)


class TestThrottle:
    def test_after_five_failures_the_name_has_to_wait(
        self, timed_world: World, clock: Clock
    ) -> None:
        statuses = [sign_in(timed_world.patient, "wrong password").status_code for _ in range(5)]
        clock.turn(minutes=4)

        sixth = sign_in(timed_world.patient)  # even with the right one

        assert statuses == [400] * 5
        assert (sixth.status_code, sixth.json()["code"]) == (429, "too-many-attempts")
        # The window began with the first failure, four minutes ago.
        assert int(sixth.headers["Retry-After"]) == 11 * 60 + 1

    def test_it_is_over_after_the_window(self, timed_world: World, clock: Clock) -> None:
        for _ in range(6):
            sign_in(timed_world.patient, "wrong password")

        clock.turn(minutes=15)

        assert sign_in(timed_world.patient).status_code == 200

    def test_the_right_password_forgets_the_wrong_ones(self, timed_world: World) -> None:
        for _ in range(3):
            for _ in range(4):
                assert sign_in(timed_world.patient, "wrong password").status_code == 400
            assert sign_in(timed_world.patient).status_code == 200

    def test_an_unknown_name_waits_just_the_same(self, timed_world: World) -> None:
        def attempts(username: str) -> list[tuple[int, bytes, str | None]]:
            answers = [
                ask(
                    timed_world.patient.client,
                    grant_type="password",
                    username=username,
                    password="wrong password",
                )
                for _ in range(7)
            ]
            return [
                (one.status_code, one.content, one.headers.get("Retry-After")) for one in answers
            ]

        assert attempts(timed_world.patient.username) == attempts(f"{uuid4()}@example.org")

    def test_somebody_elses_failures_keep_nobody_out(self, timed_world: World) -> None:
        for _ in range(6):
            sign_in(timed_world.patient, "wrong password")

        assert sign_in(timed_world.therapist).status_code == 200

    def test_who_guesses_elsewhere_does_not_keep_the_patient_out(self, timed_world: World) -> None:
        """The patient may be in crisis, and only somebody else has failed."""
        patient = timed_world.patient
        guesser = from_address(patient, "10.0.0.1")

        guesses = [sign_in(guesser, "a guess") for _ in range(6)]

        assert [guess.status_code for guess in guesses] == [400] * 5 + [429]
        assert sign_in(patient).status_code == 200
        assert sign_in(guesser).status_code == 429

    def test_all_addresses_together_can_fail_fifty_times_on_one_name(
        self, timed_world: World
    ) -> None:
        patient = timed_world.patient
        guessers = [from_address(patient, f"{uuid4()}") for _ in range(10)]

        with ThreadPoolExecutor(4) as pool:
            guesses = list(pool.map(lambda one: sign_in(one, "a guess"), guessers * 5))

        assert {guess.status_code for guess in guesses} == {400}
        assert sign_in(patient).status_code == 429
        assert sign_in(timed_world.therapist).status_code == 200

    def test_a_home_has_many_addresses_of_ipv6_and_one_count(self, timed_world: World) -> None:
        patient = timed_world.patient
        home = f"2001:db8:{uuid4().hex[:4]}:1"
        for n in range(5):
            sign_in(from_address(patient, f"{home}::{n}"), "a guess")

        assert sign_in(from_address(patient, f"{home}:a:b:c:d")).status_code == 429
        assert sign_in(patient).status_code == 200

    def test_who_is_signed_in_stays_signed_in(self, timed_world: World) -> None:
        """A patient in crisis is never locked out of what they have open."""
        tokens = sign_in(timed_world.patient).json()
        for _ in range(6):
            sign_in(timed_world.patient, "wrong password")

        assert refresh(timed_world.patient.client, tokens["refresh_token"]).status_code == 200
        sent = a_check_in()
        assert timed_world.patient.post("/v1/patients/me/check-ins", sent).status_code == 201

    def test_attempts_made_at_once_are_all_counted(self, timed_world: World) -> None:
        with ThreadPoolExecutor(12) as pool:
            answers = list(
                pool.map(lambda _: sign_in(timed_world.patient, "wrong password"), range(12))
            )

        assert Counter(answer.status_code for answer in answers) == {400: 5, 429: 7}

    def test_an_address_that_tries_many_names_has_to_wait(self, timed_world: World) -> None:
        with ThreadPoolExecutor(4) as pool:
            answers = list(
                pool.map(
                    lambda place: ask(
                        timed_world.patient.client,
                        grant_type="password",
                        username=f"{place}-{uuid4()}@example.org",
                        password="wrong password",
                    ),
                    range(50),
                )
            )

        assert {answer.status_code for answer in answers} == {400}
        assert sign_in(timed_world.patient).status_code == 429


class TestRefresh:
    def test_a_refresh_token_gives_the_next(self, timed_world: World, clock: Clock) -> None:
        client = timed_world.patient.client
        first = sign_in(timed_world.patient).json()
        clock.turn(days=3)

        second = refresh(client, first["refresh_token"])

        assert second.status_code == 200, second.text
        told = second.json()
        assert told["refresh_token"] != first["refresh_token"]
        assert (told["role"], told["patient_id"]) == (first["role"], first["patient_id"])
        assert me_with(client, told["access_token"]).status_code == 200
        assert me_with(client, first["access_token"]).status_code == 401

    def test_an_access_token_lasts_ten_minutes(self, timed_world: World, clock: Clock) -> None:
        client = timed_world.patient.client
        token = sign_in(timed_world.patient).json()["access_token"]

        clock.turn(seconds=599)
        just_before = me_with(client, token)
        clock.turn(seconds=1)

        assert just_before.status_code == 200
        assert me_with(client, token).status_code == 401

    @pytest.mark.parametrize("seconds", [0, 1, 60])
    def test_a_token_shown_again_within_a_minute_gets_the_same_next_one(
        self, timed_world: World, clock: Clock, seconds: int
    ) -> None:
        """The first reply was lost on the way: nobody is signed out for that."""
        client = timed_world.patient.client
        token = sign_in(timed_world.patient).json()["refresh_token"]
        lost = refresh(client, token).json()["refresh_token"]
        clock.turn(seconds=seconds)

        again = refresh(client, token)

        assert (again.status_code, again.json()["refresh_token"]) == (200, lost)
        assert refresh(client, lost).status_code == 200

    def test_a_token_shown_again_later_ends_its_family(
        self, timed_world: World, clock: Clock, behind: Behind
    ) -> None:
        client = timed_world.patient.client
        token = sign_in(timed_world.patient).json()["refresh_token"]
        newest = refresh(client, token).json()
        clock.turn(seconds=61)

        again = refresh(client, token)

        assert (again.status_code, again.json()["code"]) == (400, "invalid-grant")
        assert refresh(client, newest["refresh_token"]).status_code == 400
        # Whoever stole a refresh token may have an access token too.
        assert me_with(client, newest["access_token"]).status_code == 401
        assert ended_reasons(behind, timed_world.patient) == ["reuse"]

    def test_a_token_shown_again_after_the_next_was_used_ends_its_family(
        self, timed_world: World, behind: Behind
    ) -> None:
        client = timed_world.patient.client
        first = sign_in(timed_world.patient).json()["refresh_token"]
        second = refresh(client, first).json()["refresh_token"]
        third = refresh(client, second).json()["refresh_token"]

        again = refresh(client, first)  # within the minute, but not for a lost reply

        assert again.status_code == 400
        assert refresh(client, third).status_code == 400
        assert ended_reasons(behind, timed_world.patient) == ["reuse"]

    def test_other_sign_ins_outlive_a_stolen_one(self, timed_world: World, clock: Clock) -> None:
        client = timed_world.patient.client
        stolen, own = (sign_in(timed_world.patient).json()["refresh_token"] for _ in range(2))
        refresh(client, stolen)
        clock.turn(minutes=5)
        refresh(client, stolen)

        assert refresh(client, own).status_code == 200

    def test_twenty_at_once_get_one_and_the_same_next_one(self, timed_world: World) -> None:
        client = timed_world.patient.client
        token = sign_in(timed_world.patient).json()["refresh_token"]

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: refresh(client, token), range(20)))

        assert {answer.status_code for answer in answers} == {200}
        (following,) = {answer.json()["refresh_token"] for answer in answers}
        assert refresh(client, following).status_code == 200

    def test_a_family_ends_after_ninety_days(self, timed_world: World, clock: Clock) -> None:
        client = timed_world.patient.client
        token = sign_in(timed_world.patient).json()["refresh_token"]
        clock.turn(days=89)
        token = refresh(client, token).json()["refresh_token"]
        clock.turn(days=1)

        assert refresh(client, token).status_code == 400

    @pytest.mark.parametrize("table", ["account", "membership"])
    def test_who_was_put_out_of_use_is_not_refreshed(
        self, timed_world: World, behind: Behind, table: str
    ) -> None:
        token = sign_in(timed_world.patient).json()["refresh_token"]
        row = {
            "account": timed_world.patient.account_id,
            "membership": timed_world.patient.membership_id,
        }[table]
        behind.rows(f"UPDATE {table} SET is_active = false WHERE id = %s", row)

        assert refresh(timed_world.patient.client, token).status_code == 400

    def test_a_refresh_token_is_not_stored(self, timed_world: World, behind: Behind) -> None:
        token = sign_in(timed_world.patient).json()["refresh_token"]
        mac = token.rpartition(".")[2]

        for (row,) in behind.rows("SELECT refresh_family::text FROM refresh_family"):
            assert mac not in row

    def test_a_token_that_was_tampered_with_is_refused(self, timed_world: World) -> None:
        client = timed_world.patient.client
        token = sign_in(timed_world.patient).json()["refresh_token"]
        clinic, family, generation, mac = token.split(".")
        other = timed_world.elsewhere.id.hex

        for forged in (
            f"{clinic}.{family}.2.{mac}",
            f"{other}.{family}.{generation}.{mac}",
            f"{clinic}.{uuid4().hex}.{generation}.{mac}",
            f"{clinic}.{family}.{generation}.{'0' * len(mac)}",
            f"{clinic}.{family}.{generation}.",
            f"{clinic}.{family}.{generation}",
            "...",
            "",
            "é" * 40,
            "\x00",
        ):
            answer = refresh(client, forged)
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid-grant"), forged
        assert refresh(client, token).status_code == 200


def ended_reasons(behind: Behind, person: Person) -> list[str]:
    """Why sign-ins of this person ended."""
    rows = behind.rows(
        "SELECT ended_reason FROM refresh_family WHERE membership_id = %s AND ended_at IS NOT NULL",
        person.membership_id,
    )
    return [reason for (reason,) in rows]


class TestRevoke:
    def test_a_revoked_sign_in_is_not_refreshed(self, timed_world: World, behind: Behind) -> None:
        client = timed_world.patient.client
        first = sign_in(timed_world.patient).json()["refresh_token"]
        second = refresh(client, first).json()["refresh_token"]

        # Any token of the family stands for all of it.
        answer = client.post("/v1/auth/revoke", data={"token": first})

        assert (answer.status_code, answer.content) == (200, b"")
        assert refresh(client, second).status_code == 400
        assert ended_reasons(behind, timed_world.patient) == ["revoked"]

    @pytest.mark.parametrize("token", ["nonsense", "", "a.b.c.d", "é"])
    def test_whatever_is_sent_the_answer_is_the_same(self, timed_world: World, token: str) -> None:
        """RFC 7009 section 2.2: an invalid token is no error."""
        answer = timed_world.patient.client.post("/v1/auth/revoke", data={"token": token})

        assert (answer.status_code, answer.content) == (200, b"")

    def test_it_can_be_done_twice(self, timed_world: World) -> None:
        client = timed_world.patient.client
        token = sign_in(timed_world.patient).json()["refresh_token"]

        for _ in range(2):
            assert client.post("/v1/auth/revoke", data={"token": token}).status_code == 200


class TestAccessToken:
    @pytest.mark.parametrize(
        "authorization",
        [
            None,
            "",
            "Bearer",
            "Bearer ",
            "Bearer nonsense",
            "Bearer a.b.c",
            "Basic cGF0aWVudDpwYXNzd29yZA==",
            "Bearer " + "[" * 1500,
            "Bearer " + "x" * 5000,
        ],
    )
    def test_without_a_good_one_nobody_is_signed_in(
        self, world: World, authorization: str | None
    ) -> None:
        headers = {} if authorization is None else {"Authorization": authorization}

        answer = world.patient.client.get(ME, headers=headers)

        assert (answer.status_code, answer.json()["code"]) == (401, "not-signed-in")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")

    def test_a_refresh_token_is_no_access_token(self, timed_world: World) -> None:
        token = sign_in(timed_world.patient).json()["refresh_token"]

        assert me_with(timed_world.patient.client, token).status_code == 401

    def test_an_access_token_is_no_refresh_token(self, timed_world: World) -> None:
        tokens = sign_in(timed_world.patient).json()

        answer = refresh(timed_world.patient.client, tokens["access_token"])

        assert answer.status_code in (400, 422)
        assert tokens["access_token"] not in answer.text

    @pytest.mark.parametrize("typ", ["JWT", "rt+jwt", "id+jwt", "at+JWT", ""])
    def test_a_token_of_another_kind_is_refused(self, world: World, typ: str) -> None:
        issuer = issuer_of(world)

        token = sign(issuer.keys, claims_of(world), typ=typ)

        assert me_with(world.patient.client, token).status_code == 401
        # The same claims as an access token are good.
        good = sign(issuer.keys, claims_of(world))
        assert me_with(world.patient.client, good).status_code == 200

    @pytest.mark.parametrize(
        "change",
        [
            {"iss": "http://elsewhere"},
            {"aud": "another"},
            {"exp": 1},
            {"iat": 4_102_444_800, "exp": 4_102_444_801},
            {"exp": int(time.time()) + 86_400},
            {"membership": str(uuid4())},
            {"membership": "nonsense"},
            {"clinic": None},
            {"role": None},
            {"patient": 5},
        ],
    )
    def test_claims_that_do_not_hold_are_refused(
        self, world: World, change: dict[str, Any]
    ) -> None:
        token = sign(issuer_of(world).keys, claims_of(world) | change)

        assert me_with(world.patient.client, token).status_code == 401

    def test_a_membership_is_of_one_clinic(self, world: World) -> None:
        claims = claims_of(world) | {"clinic": str(world.elsewhere.id)}

        token = sign(issuer_of(world).keys, claims)

        assert me_with(world.patient.client, token).status_code == 401

    def test_another_servers_key_is_refused(self, world: World) -> None:
        strangers = SigningKeys.parse(SigningKeys.generate())

        token = sign(strangers, claims_of(world))

        assert me_with(world.patient.client, token).status_code == 401

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE membership SET is_active = false WHERE id = %s",
            "UPDATE membership SET valid_after = now() + interval '1 minute' WHERE id = %s",
        ],
    )
    def test_it_ends_with_its_membership_at_the_next_request(
        self, world: World, behind: Behind, statement: str
    ) -> None:
        for person, path in (
            (world.patient, "/v1/patients/me/check-ins"),
            (world.therapist, "/v1/caseload"),
            (world.here.stranger, ME),
        ):
            assert person.get(path).status_code == 200
            behind.rows(statement, person.membership_id)

            answer = person.get(path)

            assert (answer.status_code, answer.json()["code"]) == (401, "not-signed-in")
            assert "invalid_token" in answer.headers["WWW-Authenticate"]


def issuer_of(world: World) -> Issuer:
    """Who makes the tokens of this server."""
    issuer: Issuer = world.patient.client.app.state.desk.issuer  # type: ignore[attr-defined]
    return issuer


def claims_of(world: World) -> dict[str, Any]:
    """A good access token's, of the patient."""
    issued_at = int(time.time())
    return {
        "iss": issuer_of(world).base_url,
        "aud": "afterglow",
        "sub": str(world.patient.account_id),
        "iat": issued_at,
        "exp": issued_at + 600,
        "jti": uuid4().hex,
        "clinic": str(world.patient.clinic_id),
        "membership": str(world.patient.membership_id),
        "role": "patient",
        "patient": str(world.patient.patient_id),
    }


class TestForm:
    @pytest.mark.parametrize(
        ("form", "status", "pointers"),
        [
            ("", 422, ["/grant_type"]),
            ("grant_type=password", 400, ["/username", "/password"]),
            ("grant_type=password&username=a%40b.c", 400, ["/username", "/password"]),
            ("grant_type=refresh_token", 400, ["/refresh_token"]),
            ("grant_type=client_credentials", 400, ["/grant_type"]),
            ("grant_type=password&grant_type=password", 400, [""]),
            ("grant_type=password&colour=red", 422, [""]),
            ("grant_type=password&username=" + "a" * 255, 422, ["/username"]),
            ("grant_type=password&password=" + "a" * 257, 422, ["/password"]),
            ("&".join(f"a{place}=1" for place in range(21)), 400, [""]),
            (b"grant_type=\xff", 400, [""]),
        ],
    )
    def test_what_is_wrong_with_it_is_told_by_place(
        self, timed_world: World, form: str | bytes, status: int, pointers: list[str]
    ) -> None:
        answer = timed_world.patient.client.post(
            "/v1/auth/token",
            content=form,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )

        assert answer.status_code == status
        assert [fault["pointer"] for fault in answer.json()["errors"]] == pointers

    def test_json_is_no_form(self, timed_world: World) -> None:
        answer = timed_world.patient.client.post("/v1/auth/token", json={"grant_type": "password"})

        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")
