"""A second factor, from setting it up to losing it, as a client meets it."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest
from httpx2 import Response
from pyotp import TOTP

from app.kernel import accounts, second_factor
from app.kernel.db import Db, Direct
from app.kernel.second_factor import STAFF
from app.kernel.vault import Keyring
from tests.builders import PASSWORD, Person, World, a_check_in, standing_of
from tests.conftest import Behind, Clock

OWN = "/v1/me/second-factor"
OF_CLINIC = "/v1/clinic/second-factor"


def sign_in(person: Person, **more: str) -> Response:
    """With the password."""
    form = {"grant_type": "password", "username": person.username, "password": PASSWORD}
    answer: Response = person.client.post("/v1/auth/token", data=form | more)
    return answer


def refresh(person: Person, token: str) -> Response:
    """With a refresh token."""
    form = {"grant_type": "refresh_token", "refresh_token": token}
    answer: Response = person.client.post("/v1/auth/token", data=form)
    return answer


def with_token(person: Person, answer: dict[str, Any]) -> Person:
    """The same person, as this answer signed them in."""
    return replace(person, token=answer["access_token"])


def code_of(answer: Response) -> str:
    """Which problem it is."""
    code: str = answer.json()["code"]
    return code


def required_here(direct: Direct, world: World, clock: Clock) -> None:
    """The clinic requires it of those who work there."""

    def work(db: Db) -> None:
        db.enter(world.here.id)
        second_factor.require(db, STAFF, clock.at)

    direct.run(work)


@dataclass(frozen=True)
class App:
    """An authenticator app, with the recovery codes beside it. who: as `confirm` signed them in."""

    who: Person
    secret: str
    recovery_codes: list[str]
    clock: Clock
    tokens: dict[str, Any]

    def code(self) -> str:
        """The code that it shows next: one that was not used."""
        self.clock.turn(seconds=30)
        return TOTP(self.secret).at(self.clock.at)


def enrol(person: Person, clock: Clock) -> App:
    """Set it up, as a client does."""
    begun = person.post(OWN, {"password": PASSWORD})
    assert begun.status_code == 200, begun.text
    secret = begun.json()["secret"]
    confirmed = person.post(f"{OWN}/confirm", {"otp": TOTP(secret).at(clock.at)})
    assert confirmed.status_code == 200, confirmed.text
    told = confirmed.json()
    signed_in = with_token(person, told["tokens"])
    return App(signed_in, secret, told["recovery_codes"], clock, told["tokens"])


class TestEnrolment:
    def test_an_app_is_set_up_and_then_asked_for(self, timed_world: World, clock: Clock) -> None:
        person = timed_world.therapist
        begun = person.post(OWN, {"password": PASSWORD})
        before = person.get(OWN).json()

        app = enrol(person, clock)

        assert begun.headers["Cache-Control"] == "no-store"
        assert begun.json()["secret"] in begun.json()["otpauth_uri"]
        assert begun.json()["qr_svg"].startswith("<svg ")
        assert before["is_confirmed"] is False
        after = app.who.get(OWN).json()
        assert after | {"confirmed_at": None} == {
            "is_confirmed": True,
            "confirmed_at": None,
            "recovery_codes_left": 10,
            "is_required": False,
            "is_clinic_synthetic": True,
        }
        assert app.who.get("/v1/me").json()["second_factor"] == after
        assert code_of(sign_in(person)) == "second-factor-required"
        assert sign_in(person, otp=app.code()).status_code == 200
        assert sign_in(person, otp=app.recovery_codes[0]).status_code == 200
        assert app.who.get(OWN).json()["recovery_codes_left"] == 9

    def test_what_is_asked_for_is_said_as_rfc_9470_says_it(
        self, timed_world: World, clock: Clock
    ) -> None:
        enrol(timed_world.therapist, clock)

        answer = sign_in(timed_world.therapist)

        assert answer.status_code == 401
        challenge = 'Bearer error="insufficient_user_authentication"'
        assert answer.headers["WWW-Authenticate"] == challenge

    def test_a_found_token_is_not_enough_to_begin(self, timed_world: World) -> None:
        refused = timed_world.therapist.post(OWN, {"password": "not the right one"})

        assert code_of(refused) == "invalid-grant"

    def test_guessing_at_the_password_there_has_to_wait(self, timed_world: World) -> None:
        person = timed_world.therapist
        guesses = [person.post(OWN, {"password": f"guess {n}"}).status_code for n in range(6)]

        assert guesses == [400] * 5 + [429]
        assert code_of(sign_in(person)) == "too-many-attempts"

    def test_a_wrong_first_code_says_where_and_leaves_everything_as_it_was(
        self, timed_world: World
    ) -> None:
        person = timed_world.therapist
        person.post(OWN, {"password": PASSWORD})

        refused = person.post(f"{OWN}/confirm", {"otp": "no code"})

        assert refused.status_code == 422
        assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/otp"]
        assert "no code" not in refused.text
        assert sign_in(person).status_code == 200

    def test_confirming_ends_every_other_sign_in_of_staff(
        self, timed_world: World, clock: Clock
    ) -> None:
        person = timed_world.therapist
        elsewhere = sign_in(person).json()

        app = enrol(person, clock)

        assert person.get("/v1/me").status_code == 401
        assert with_token(person, elsewhere).get("/v1/me").status_code == 401
        assert code_of(refresh(person, elsewhere["refresh_token"])) == "invalid-grant"
        assert app.who.get("/v1/me").status_code == 200
        assert refresh(person, app.tokens["refresh_token"]).status_code == 200

    def test_who_signs_in_or_refreshes_in_that_very_second_is_signed_in(
        self, timed_world: World, clock: Clock
    ) -> None:
        person = timed_world.therapist
        app = enrol(person, clock)

        anew = sign_in(person, otp=app.recovery_codes[0]).json()
        refreshed = refresh(person, app.tokens["refresh_token"]).json()

        assert with_token(person, anew).get("/v1/me").status_code == 200
        assert with_token(person, refreshed).get("/v1/me").status_code == 200

    def test_a_patient_s_phone_stays_signed_in(self, timed_world: World, clock: Clock) -> None:
        patient = timed_world.patient
        phone = sign_in(patient).json()
        clock.turn(seconds=2)

        enrol(patient, clock)

        assert refresh(patient, phone["refresh_token"]).status_code == 200
        assert (
            with_token(patient, phone).post("/v1/patients/me/check-ins", a_check_in()).status_code
            == 201
        )
        assert code_of(sign_in(patient)) == "second-factor-required"

    def test_begun_twice_the_second_one_counts_and_a_confirmed_one_is_not_begun_again(
        self, timed_world: World, clock: Clock
    ) -> None:
        person = timed_world.therapist
        first = person.post(OWN, {"password": PASSWORD}).json()["secret"]
        app = enrol(person, clock)

        assert app.secret != first
        assert code_of(app.who.post(OWN, {"password": PASSWORD})) == "already-exists"

    def test_what_was_not_begun_is_not_there(self, timed_world: World) -> None:
        person = timed_world.therapist
        proof = {"password": PASSWORD, "otp": "000000"}

        assert person.post(f"{OWN}/confirm", {"otp": "000000"}).status_code == 404
        assert person.post(f"{OWN}/recovery-codes", proof).status_code == 404
        assert person.post(f"{OWN}/remove", proof).status_code == 404


class TestLater:
    @pytest.mark.parametrize("path", ["recovery-codes", "remove"])
    def test_a_found_token_is_not_enough(self, timed_world: World, clock: Clock, path: str) -> None:
        app = enrol(timed_world.therapist, clock)
        for proof in (
            {"password": "not the right one", "otp": app.code()},
            {"password": PASSWORD, "otp": app.recovery_codes[0][:-1]},
        ):
            assert code_of(app.who.post(f"{OWN}/{path}", proof)) == "invalid-grant"

        answer = app.who.post(f"{OWN}/{path}", {"password": PASSWORD, "otp": app.code()})

        assert answer.status_code == 200

    def test_new_recovery_codes_end_the_old_ones(self, timed_world: World, clock: Clock) -> None:
        app = enrol(timed_world.therapist, clock)

        proof = {"password": PASSWORD, "otp": app.recovery_codes[0]}
        answer = app.who.post(f"{OWN}/recovery-codes", proof)

        assert answer.headers["Cache-Control"] == "no-store"
        new = answer.json()["recovery_codes"]
        assert (len(new), len(set(new) & set(app.recovery_codes))) == (10, 0)
        assert code_of(sign_in(app.who, otp=app.recovery_codes[1])) == "invalid-grant"
        assert sign_in(app.who, otp=new[0]).status_code == 200

    def test_removed_the_password_is_enough(self, timed_world: World, clock: Clock) -> None:
        app = enrol(timed_world.therapist, clock)

        app.who.post(f"{OWN}/remove", {"password": PASSWORD, "otp": app.code()})

        assert app.who.get(OWN).json()["is_confirmed"] is False
        assert sign_in(app.who).status_code == 200


class TestRequired:
    def test_without_one_a_token_is_good_for_setting_one_up_and_for_nothing_else(
        self, timed_world: World, direct: Direct, clock: Clock
    ) -> None:
        required_here(direct, timed_world, clock)
        answer = sign_in(timed_world.therapist)
        limited = with_token(timed_world.therapist, answer.json())

        refused = limited.get("/v1/caseload")

        assert (answer.status_code, answer.json()["must_enrol"]) == (200, True)
        assert (refused.status_code, code_of(refused)) == (403, "second-factor-enrolment-required")
        for path in (f"{OWN}/recovery-codes", f"{OWN}/remove"):
            proof = {"password": PASSWORD, "otp": "000000"}
            assert code_of(limited.post(path, proof)) == "second-factor-enrolment-required"
        assert limited.get(OWN).json()["is_required"] is True

        app = enrol(limited, clock)

        assert app.tokens["must_enrol"] is False
        assert app.who.get("/v1/caseload").status_code == 200

    def test_no_route_but_those_takes_it(
        self, timed_world: World, direct: Direct, clock: Clock
    ) -> None:
        required_here(direct, timed_world, clock)
        person = timed_world.administrator
        limited = with_token(person, sign_in(person).json())
        taking = set()
        application: Any = person.client.app
        for route in application.routes:
            path = route.path.replace("{patient_id}", "me")
            if path.startswith("/console"):
                continue  # pages take a cookie and no token
            for verb in set(route.methods) - {"HEAD"}:
                signed = limited.request(verb, path, headers={"If-Match": '"1"'}, json={})
                if signed.status_code == 403:
                    assert code_of(signed) == "second-factor-enrolment-required", path
                elif person.client.request(verb, path, json={}).status_code == 401:
                    taking.add((verb, path))

        assert taking == {("GET", OWN), ("POST", OWN), ("POST", f"{OWN}/confirm")}

    def test_who_is_signed_in_already_is_asked_at_the_next_token(
        self, timed_world: World, direct: Direct, clock: Clock
    ) -> None:
        person = timed_world.therapist
        before = sign_in(person).json()
        required_here(direct, timed_world, clock)

        after = refresh(person, before["refresh_token"]).json()

        assert (before["must_enrol"], after["must_enrol"]) == (False, True)
        limited = with_token(person, after)
        assert code_of(limited.get("/v1/me")) == "second-factor-enrolment-required"

    def test_with_one_everything_is_as_before(
        self, timed_world: World, direct: Direct, clock: Clock
    ) -> None:
        app = enrol(timed_world.therapist, clock)
        required_here(direct, timed_world, clock)

        signed_in = sign_in(app.who, otp=app.code()).json()

        assert signed_in["must_enrol"] is False
        assert refresh(app.who, signed_in["refresh_token"]).json()["must_enrol"] is False

    def test_removed_where_it_is_required_the_next_token_is_for_another_one(
        self, timed_world: World, direct: Direct, clock: Clock
    ) -> None:
        app = enrol(timed_world.therapist, clock)
        required_here(direct, timed_world, clock)

        app.who.post(f"{OWN}/remove", {"password": PASSWORD, "otp": app.code()})

        assert refresh(app.who, app.tokens["refresh_token"]).json()["must_enrol"] is True

    def test_patients_are_never_asked_and_their_call_for_help_always_passes(
        self, timed_world: World, direct: Direct, clock: Clock
    ) -> None:
        required_here(direct, timed_world, clock)
        signed_in = sign_in(timed_world.patient).json()
        app = enrol(with_token(timed_world.patient, signed_in), clock)

        def call(token: str) -> Response:
            caller = replace(timed_world.patient, token=token)
            return caller.post("/v1/patients/me/flags", {})

        assert signed_in["must_enrol"] is False
        for token in (signed_in["access_token"], signed_in["help_token"]):
            assert call(token).status_code == 201
        # A year's help, whether or not the app that shows the codes is still there.
        clock.turn(days=300)
        assert code_of(sign_in(app.who)) == "second-factor-required"
        assert call(signed_in["help_token"]).status_code == 201

    def test_another_clinic_of_the_same_account_asks_for_itself(
        self, timed_world: World, direct: Direct, keyring: Keyring, clock: Clock
    ) -> None:
        person, here, elsewhere = (
            timed_world.therapist,
            timed_world.here.id,
            timed_world.elsewhere.id,
        )
        also_in(direct, keyring, timed_world, clock)
        required_here(direct, timed_world, clock)

        asked = {
            clinic: sign_in(person, clinic_id=str(clinic)).json()["must_enrol"]
            for clinic in (here, elsewhere)
        }

        assert asked == {here: True, elsewhere: False}


def also_in(direct: Direct, keyring: Keyring, world: World, clock: Clock) -> None:
    """The therapist works in the other clinic too."""
    account_id = standing_of(direct, world.therapist).account_id

    def join(db: Db) -> None:
        db.enter(world.elsewhere.id)
        accounts.join(
            db,
            keyring,
            account_id=account_id,
            role="clinician",
            privileges=["coach"],
            patient_id=None,
            name="The same person",
            now=clock.at,
        )

    direct.run(join)


class TestReset:
    def reset(self, world: World, of: Person, **changes: Any) -> Response:
        """As the administrator."""
        path = f"/v1/clinic/members/{of.membership_id}/second-factor/reset"
        return world.administrator.post(path, {"password": PASSWORD} | changes)

    def test_a_colleague_who_lost_the_app_starts_again_everywhere(
        self, timed_world: World, clock: Clock
    ) -> None:
        app = enrol(timed_world.therapist, clock)
        clock.turn(seconds=1)

        answer = self.reset(timed_world, app.who)

        assert (answer.status_code, answer.content) == (200, b"")
        assert app.who.get("/v1/me").status_code == 401
        assert code_of(refresh(app.who, app.tokens["refresh_token"])) == "invalid-grant"
        assert sign_in(app.who, otp=app.recovery_codes[0]).status_code == 200  # passed over
        assert sign_in(app.who).status_code == 200

    def test_it_is_kept_who_did_it_and_a_retry_does_nothing_more(
        self, timed_world: World, clock: Clock
    ) -> None:
        app = enrol(timed_world.therapist, clock)
        sign_in(app.who, otp=app.recovery_codes[0])
        for _ in range(2):
            clock.turn(seconds=2)
            assert self.reset(timed_world, app.who).status_code == 200

        listed = timed_world.administrator.get(OF_CLINIC).json()

        therapist = str(app.who.membership_id)
        assert [(one["action"], one["membership_id"], one["by"]) for one in listed["events"]] == [
            ("reset", therapist, str(timed_world.administrator.membership_id)),
            ("recovery-code-used", therapist, therapist),
            ("confirmed", therapist, therapist),
        ]

    def test_the_administrator_shows_once_more_who_they_are(
        self, timed_world: World, clock: Clock
    ) -> None:
        own = enrol(timed_world.administrator, clock)
        theirs = enrol(timed_world.therapist, clock)
        path = f"/v1/clinic/members/{theirs.who.membership_id}/second-factor/reset"

        answers = [
            own.who.post(path, proof)
            for proof in (
                {"password": "not the right one", "otp": own.code()},
                {"password": PASSWORD},
                {"password": PASSWORD, "otp": theirs.code()},
            )
        ]

        assert [code_of(one) for one in answers] == [
            "invalid-grant",
            "second-factor-required",
            "invalid-grant",
        ]
        assert code_of(sign_in(theirs.who)) == "second-factor-required"
        assert own.who.post(path, {"password": PASSWORD, "otp": own.code()}).status_code == 200

    def test_one_clinic_does_not_open_the_door_of_another(
        self, timed_world: World, direct: Direct, keyring: Keyring, clock: Clock
    ) -> None:
        also_in(direct, keyring, timed_world, clock)
        app = enrol(timed_world.therapist, clock)

        refused = self.reset(timed_world, app.who)

        assert (refused.status_code, code_of(refused)) == (403, "forbidden")
        assert code_of(sign_in(app.who)) == "second-factor-required"

    def test_one_s_own_is_not_reset(self, timed_world: World, clock: Clock) -> None:
        own = enrol(timed_world.administrator, clock)
        path = f"/v1/clinic/members/{own.who.membership_id}/second-factor/reset"

        refused = own.who.post(path, {"password": PASSWORD, "otp": own.code()})

        assert refused.status_code == 403
        assert code_of(sign_in(own.who)) == "second-factor-required"

    def test_patients_strangers_and_nobody_are_the_same_404(self, timed_world: World) -> None:
        nobody = replace(timed_world.therapist, membership_id=uuid4())
        others = (timed_world.patient, timed_world.elsewhere.therapist, nobody)

        answers = {self.reset(timed_world, one).content for one in others}

        assert len(answers) == 1
        assert b"not-found" in answers.pop()


class TestClinic:
    def test_an_administrator_sees_who_has_one_and_of_whom_it_is_required(
        self, timed_world: World, direct: Direct, clock: Clock
    ) -> None:
        app = enrol(timed_world.therapist, clock)

        before = timed_world.administrator.get(OF_CLINIC).json()
        required_here(direct, timed_world, clock)
        after = timed_world.administrator.get(OF_CLINIC).json()

        assert before["is_synthetic"] is True
        assert (before["required_for"], after["required_for"]) == (
            [],
            ["administrator", "clinician"],
        )
        has_one = {one["membership_id"]: one["is_confirmed"] for one in after["members"]}
        here = timed_world.here
        assert has_one == {
            str(app.who.membership_id): True,
            str(here.stranger.membership_id): False,
            str(here.coach.membership_id): False,
            str(here.administrator.membership_id): False,
        }
        assert {one["name"] for one in after["members"]} == {"A clinician", "A administrator"}


class TestInvitation:
    def test_an_account_with_a_factor_joins_with_a_code(
        self, timed_world: World, clock: Clock, behind: Behind
    ) -> None:
        app = enrol(timed_world.therapist, clock)
        invited = timed_world.elsewhere.administrator.post(
            "/v1/invitations", {"role": "administrator"}
        ).json()

        def accept(**more: str) -> Response:
            sent = {
                "code": invited["code"],
                "username": app.who.username,
                "password": PASSWORD,
                "name": "The same person",
            }
            answer: Response = app.who.client.post("/v1/invitations/accept", json=sent | more)
            return answer

        without, joined = accept(), accept(otp=app.recovery_codes[0])

        assert code_of(without) == "second-factor-required"
        assert joined.status_code == 201
        told = behind.rows(
            "SELECT action FROM second_factor_event WHERE clinic_id = %s",
            timed_world.elsewhere.id,
        )
        assert told == [("recovery-code-used",)]
