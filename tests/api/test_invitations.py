"""Places in a clinic, and the people who take them."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from httpx2 import Response

from tests.builders import PASSWORD, Person, World, a_check_in, an_acceptance
from tests.conftest import Behind, Clock

INVITATIONS = "/v1/invitations"


def invited(by: Person, **place: Any) -> dict[str, Any]:
    """An invitation, as the answer tells it. place: a patient's unless it says otherwise."""
    answer = by.post(INVITATIONS, {"role": "patient"} | place)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def accept(world: World, code: str, **changes: Any) -> Response:
    """Take the place, without being signed in."""
    answer: Response = world.patient.client.post(
        f"{INVITATIONS}/accept", json=an_acceptance(code, **changes)
    )
    return answer


def get(world: World, path: str, token: dict[str, Any]) -> Response:
    """With the access token of an answer."""
    answer: Response = world.patient.client.get(
        path, headers={"Authorization": f"Bearer {token['access_token']}"}
    )
    return answer


class TestInvite:
    def test_a_clinician_invites_a_patient(self, timed_world: World, clock: Clock) -> None:
        told = invited(timed_world.therapist)

        assert (told["role"], told["privileges"]) == ("patient", [])
        assert len(told["code"].replace("-", "")) == 16
        assert datetime.fromisoformat(told["expires_at"]) == clock.at + timedelta(days=14)

    @pytest.mark.parametrize("role", ["clinician", "administrator"])
    def test_a_clinician_invites_nobody_else(self, world: World, role: str) -> None:
        place = {"role": role, "privileges": ["therapy"] if role == "clinician" else []}

        assert world.therapist.post(INVITATIONS, place).status_code == 403

    @pytest.mark.parametrize(
        ("role", "privileges"),
        [
            ("patient", []),
            ("clinician", ["therapy"]),
            ("clinician", ["coach", "monitor", "prescribe", "therapy"]),
            ("administrator", []),
        ],
    )
    def test_an_administrator_invites_anybody(
        self, world: World, role: str, privileges: list[str]
    ) -> None:
        told = invited(world.administrator, role=role, privileges=privileges)

        assert (told["role"], told["privileges"]) == (role, privileges)

    def test_a_patient_invites_nobody(self, world: World) -> None:
        assert world.patient.post(INVITATIONS, {"role": "patient"}).status_code == 403

    @pytest.mark.parametrize(
        ("place", "pointer"),
        [
            ({"role": "clinician"}, "/privileges"),
            ({"role": "clinician", "privileges": ["everything"]}, "/privileges/0"),
            ({"role": "patient", "privileges": ["therapy"]}, "/privileges"),
            ({"role": "administrator", "privileges": ["therapy"]}, "/privileges"),
            ({"role": "king"}, "/role"),
            ({"role": "patient", "clinician_id": str(uuid4())}, "/clinician_id"),
            (
                {"role": "clinician", "privileges": ["coach"], "clinician_id": str(uuid4())},
                "/clinician_id",
            ),
        ],
    )
    def test_a_place_that_cannot_be_is_refused(
        self, world: World, place: dict[str, Any], pointer: str
    ) -> None:
        answer = world.administrator.post(INVITATIONS, place)

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer

    def test_another_clinics_clinician_cannot_be_named(self, world: World) -> None:
        elsewhere = str(world.elsewhere.therapist.membership_id)

        answer = world.administrator.post(
            INVITATIONS, {"role": "patient", "clinician_id": elsewhere}
        )

        assert answer.status_code == 422

    @pytest.mark.parametrize("who", ["coach", "administrator", "patient"])
    def test_nobody_who_sees_no_clinical_content_can_be_named(self, world: World, who: str) -> None:
        """Flags of a patient in their care would be put before nobody who may see them."""
        person: Person = getattr(world.here, who)

        answer = world.administrator.post(
            INVITATIONS, {"role": "patient", "clinician_id": str(person.membership_id)}
        )

        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (
            422,
            "/clinician_id",
        )

    @pytest.mark.parametrize("privilege", ["therapy", "prescribe", "monitor"])
    def test_whoever_does_can(self, world: World, behind: Behind, privilege: str) -> None:
        behind.rows(
            "UPDATE membership SET privileges = ARRAY[%s, 'coach'] WHERE id = %s",
            privilege,
            world.here.stranger.membership_id,
        )

        invited(world.administrator, clinician_id=str(world.here.stranger.membership_id))

    def test_it_says_which_notice_a_patient_has_to_be_shown(
        self, world: World, behind: Behind
    ) -> None:
        behind.rows(
            "UPDATE clinic SET notice_version = '2026-02' WHERE clinic_id = %s", world.here.id
        )

        assert invited(world.therapist)["notice_version"] == "2026-02"
        assert invited(world.elsewhere.therapist)["notice_version"] == "1"

    def test_a_privilege_named_twice_is_one(self, world: World) -> None:
        told = invited(world.administrator, role="clinician", privileges=["coach", "coach"])

        assert told["privileges"] == ["coach"]

    def test_the_same_invitation_sent_again_shows_the_same_code(self, world: World) -> None:
        place = {"id": str(uuid4()), "role": "patient"}
        first = world.therapist.post(INVITATIONS, place)

        again = world.therapist.post(INVITATIONS, place)

        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()

    def test_another_place_under_the_same_id_is_refused(self, world: World) -> None:
        place = {"id": str(uuid4()), "role": "patient"}
        world.therapist.post(INVITATIONS, place)

        for person, change in (
            (world.administrator, {"role": "administrator"}),
            (world.elsewhere.therapist, {}),
        ):
            answer = person.post(INVITATIONS, place | change)
            assert (answer.status_code, answer.json()["code"]) == (409, "id-reused")

    def test_the_code_is_not_stored(self, world: World, behind: Behind) -> None:
        code = invited(world.therapist)["code"].replace("-", "")

        for (row,) in behind.rows("SELECT invitation::text FROM invitation"):
            assert code not in row
            assert code.encode().hex() not in row


class TestAcceptAsPatient:
    def test_the_answer_signs_in_and_the_first_check_in_works(self, world: World) -> None:
        answer = accept(world, invited(world.therapist)["code"])

        assert answer.status_code == 201, answer.text
        token = answer.json()
        assert (token["role"], token["clinic_id"]) == ("patient", str(world.here.id))
        sent = world.patient.client.post(
            "/v1/patients/me/check-ins",
            json=a_check_in(),
            headers={"Authorization": f"Bearer {token['access_token']}"},
        )
        assert sent.status_code == 201

    def test_it_records_consent_with_the_version_of_the_notice(
        self, timed_world: World, clock: Clock, behind: Behind
    ) -> None:
        token = accept(timed_world, invited(timed_world.therapist)["code"]).json()

        consents = behind.rows(
            "SELECT kind, notice_version, given_at, expires_at, revoked_at FROM consent"
            " WHERE patient_id = %s",
            token["patient_id"],
        )
        assert consents == [("treatment", "1", clock.at, None, None)]
        ledger = behind.rows(
            "SELECT seq, action, actor_role FROM ledger WHERE patient_id = %s ORDER BY seq",
            token["patient_id"],
        )
        assert ledger == [
            (1, "profile.created", "patient"),
            (2, "consent.given", "patient"),
            (3, "care_link.began", "patient"),
        ]

    def test_time_zone_locale_and_country_are_the_patients_own(self, world: World) -> None:
        token = accept(
            world,
            invited(world.therapist)["code"],
            time_zone="Europe/Lisbon",
            locale="pt-PT",
            country="PT",
        ).json()

        me = get(world, "/v1/me", token).json()
        assert (me["time_zone"], me["locale"], me["country"]) == ("Europe/Lisbon", "pt-PT", "PT")
        assert me["name"] == "Somebody New"

    def test_what_is_left_out_is_the_clinics(self, world: World) -> None:
        code = invited(world.elsewhere.therapist)["code"]

        me = get(world, "/v1/me", accept(world, code).json()).json()

        assert (me["time_zone"], me["locale"], me["country"]) == ("UTC", "en", "DE")

    @pytest.mark.parametrize(
        ("consent", "pointer"),
        [
            (None, "/consent"),
            ({"notice_version": "0", "accepted": True}, "/consent/notice_version"),
            ({"notice_version": "1", "accepted": False}, "/consent/accepted"),
            ({"notice_version": "1"}, "/consent/accepted"),
        ],
    )
    def test_without_consent_to_todays_notice_nothing_happens(
        self, world: World, behind: Behind, consent: Any, pointer: str
    ) -> None:
        code = invited(world.therapist)["code"]
        before = behind.counts()

        answer = accept(world, code, consent=consent)

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer
        assert behind.counts() == before
        assert accept(world, code).status_code == 201  # the place is still free

    def test_whoever_agreed_to_another_notice_hears_which_it_is_now(
        self, world: World, behind: Behind
    ) -> None:
        code = invited(world.therapist)["code"]
        behind.rows(
            "UPDATE clinic SET notice_version = '2026-02' WHERE clinic_id = %s", world.here.id
        )

        refused = accept(world, code)

        assert refused.status_code == 422
        told = refused.json()
        assert told["errors"][0]["pointer"] == "/consent/notice_version"
        assert told["notice_version"] == "2026-02"
        consent = {"notice_version": told["notice_version"], "accepted": True}
        assert accept(world, code, consent=consent).status_code == 201

    def test_the_inviting_clinician_gets_the_first_care_link(self, world: World) -> None:
        token = accept(world, invited(world.therapist)["code"]).json()

        path = f"/v1/patients/{token['patient_id']}/check-ins"
        assert world.therapist.get(path).status_code == 200
        assert world.here.stranger.get(path).status_code == 404
        assert world.elsewhere.therapist.get(path).status_code == 404

    def test_the_clinician_whom_the_administrator_names_gets_it(self, world: World) -> None:
        place = {"clinician_id": str(world.here.stranger.membership_id)}
        token = accept(world, invited(world.administrator, **place)["code"]).json()

        path = f"/v1/patients/{token['patient_id']}/check-ins"
        assert world.here.stranger.get(path).status_code == 200
        assert world.therapist.get(path).status_code == 404

    def test_without_a_name_nobody_gets_it(self, world: World, behind: Behind) -> None:
        token = accept(world, invited(world.administrator)["code"]).json()

        assert behind.rows(
            "SELECT count(*) FROM care_link WHERE patient_id = %s", token["patient_id"]
        ) == [(0,)]


class TestAcceptAsColleague:
    @pytest.mark.parametrize(
        ("role", "privileges"), [("clinician", ["monitor", "therapy"]), ("administrator", [])]
    )
    def test_no_consent_is_needed(self, world: World, role: str, privileges: list[str]) -> None:
        code = invited(world.administrator, role=role, privileges=privileges)["code"]

        answer = accept(world, code, consent=None)

        assert (answer.status_code, answer.json()["patient_id"]) == (201, None)
        current = get(world, "/v1/me", answer.json()).json()["current"]
        assert (current["role"], current["privileges"]) == (role, privileges)


class TestCode:
    def test_it_is_good_once(self, world: World, behind: Behind) -> None:
        code = invited(world.therapist)["code"]
        accept(world, code)
        before = behind.counts()

        again = accept(world, code)

        assert (again.status_code, again.json()["code"]) == (409, "invitation-used")
        assert behind.counts() == before

    def test_it_is_good_once_even_when_taken_ten_times_at_once(self, world: World) -> None:
        code = invited(world.therapist)["code"]

        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda _: accept(world, code), range(10)))

        assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 9}

    def test_it_can_be_typed_in_any_case_and_with_any_dashes(self, world: World) -> None:
        code = invited(world.therapist)["code"].upper().replace("-", " ")

        assert accept(world, f" {code} ").status_code == 201

    def test_it_is_not_there_after_fourteen_days(self, timed_world: World, clock: Clock) -> None:
        codes = [invited(timed_world.therapist)["code"] for _ in range(2)]

        clock.turn(days=14, seconds=-1)
        assert accept(timed_world, codes[0]).status_code == 201
        clock.turn(seconds=1)
        assert accept(timed_world, codes[1]).status_code == 404

    def test_it_is_not_there_once_whoever_made_it_has_left(
        self, world: World, behind: Behind
    ) -> None:
        code = invited(world.therapist)["code"]
        behind.rows(
            "UPDATE membership SET is_active = false WHERE id = %s", world.therapist.membership_id
        )

        assert accept(world, code).status_code == 404

    def test_one_that_nobody_made_is_not_there(self, world: World) -> None:
        assert accept(world, "0000-0000-0000-0000").status_code == 404


class TestExistingAccount:
    """One person in several clinics."""

    def test_it_joins_with_its_own_password(self, timed_world: World) -> None:
        """The patient of one clinic becomes a clinician of the other."""
        patient = timed_world.patient
        place = {"role": "clinician", "privileges": ["coach"]}
        code = invited(timed_world.elsewhere.administrator, **place)["code"]

        answer = accept(timed_world, code, username=patient.username, consent=None)

        assert answer.status_code == 201, answer.text
        me = get(timed_world, "/v1/me", answer.json()).json()
        assert me["account_id"] == str(patient.account_id)
        listed = {(one["clinic_id"], one["role"]) for one in me["memberships"]}
        assert listed == {
            (str(timed_world.here.id), "patient"),
            (str(timed_world.elsewhere.id), "clinician"),
        }
        assert patient.get("/v1/me").json()["memberships"] == me["memberships"]

    @pytest.mark.parametrize("field", ["clinic_id", "membership_id"])
    def test_a_token_can_be_asked_for_each_membership(self, timed_world: World, field: str) -> None:
        patient = timed_world.patient
        code = invited(timed_world.elsewhere.therapist)["code"]
        assert accept(timed_world, code, username=patient.username).status_code == 201

        for membership in patient.get("/v1/me").json()["memberships"]:
            token = patient.client.post(
                "/v1/auth/token",
                data={
                    "grant_type": "password",
                    "username": patient.username,
                    "password": PASSWORD,
                    field: membership[field],
                },
            ).json()
            current = get(timed_world, "/v1/me", token).json()["current"]
            assert current == membership
            assert token["patient_id"] == membership["patient_id"]

    def test_a_token_of_one_clinic_opens_nothing_of_the_other(self, timed_world: World) -> None:
        patient = timed_world.patient
        code = invited(timed_world.elsewhere.therapist)["code"]
        abroad = accept(timed_world, code, username=patient.username).json()

        own_path = f"/v1/patients/{abroad['patient_id']}/check-ins"
        assert get(timed_world, own_path, abroad).status_code == 200
        assert patient.get(own_path).status_code == 404
        assert get(timed_world, f"{patient.record}/check-ins", abroad).status_code == 404

    def test_with_another_password_it_does_not(self, timed_world: World, behind: Behind) -> None:
        code = invited(timed_world.elsewhere.therapist)["code"]
        before = behind.counts()

        answer = accept(
            timed_world, code, username=timed_world.patient.username, password="not the right one"
        )

        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-grant")
        after = behind.counts()
        # Only that somebody failed is remembered: by name, by address, and by both.
        assert after == before | {"throttle": before["throttle"] + 3}

    def test_an_invitation_is_no_way_around_the_throttle(self, timed_world: World) -> None:
        """Whoever may invite could otherwise guess at any password for ever."""
        code = invited(timed_world.therapist)["code"]

        def attempt(password: str) -> int:
            username = timed_world.elsewhere.patient.username
            return accept(timed_world, code, username=username, password=password).status_code

        assert [attempt(f"guess number {place}") for place in range(5)] == [400] * 5
        assert attempt(PASSWORD) == 429

    def test_the_same_role_in_the_same_clinic_is_not_taken_twice(self, timed_world: World) -> None:
        code = invited(timed_world.therapist)["code"]

        answer = accept(timed_world, code, username=timed_world.patient.username)

        assert (answer.status_code, answer.json()["code"]) == (409, "already-exists")

    def test_two_invitations_taken_at_once_by_a_new_name_make_one_account(
        self, world: World
    ) -> None:
        username = f"new-{uuid4().hex}@example.org"
        codes = [
            invited(world.therapist)["code"],
            invited(world.elsewhere.therapist)["code"],
        ]

        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda code: accept(world, code, username=username), codes))

        assert [answer.status_code for answer in answers] == [201, 201]
        accounts = {get(world, "/v1/me", answer.json()).json()["account_id"] for answer in answers}
        assert len(accounts) == 1


class TestAcceptForm:
    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"code": "short"}, "/code"),
            ({"username": "ab"}, "/username"),
            ({"username": "a\x00bc"}, "/username"),
            ({"password": "elevenchars"}, "/password"),
            ({"password": "x" * 257}, "/password"),
            ({"name": " "}, "/name"),
            ({"name": "x" * 201}, "/name"),
            ({"time_zone": "Mars/Olympus"}, "/time_zone"),
            ({"time_zone": "../../etc/passwd"}, "/time_zone"),
            ({"locale": "en_US"}, "/locale"),
            ({"country": "usa"}, "/country"),
            ({"country": "us"}, "/country"),
            ({"is_admin": True}, ""),
        ],
    )
    def test_what_is_wrong_with_it_is_told_by_place(
        self, world: World, changes: dict[str, Any], pointer: str
    ) -> None:
        answer = accept(world, **({"code": "0000-0000-0000-0000"} | changes))

        assert answer.status_code == 422
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
