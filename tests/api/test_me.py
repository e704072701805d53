"""Who is signed in, and their own profile."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from httpx2 import Response

from tests.builders import Person, World
from tests.conftest import Behind

ME = "/v1/me"


def change(person: Person, if_match: str | None = '"1"', **members: Any) -> Response:
    """Change one's profile, from the version named."""
    headers = {} if if_match is None else {"If-Match": if_match}
    return person.patch(ME, members, headers=headers)


class TestRead:
    def test_a_patient_reads_who_and_where_they_are(self, world: World) -> None:
        answer = world.patient.get(ME)

        assert answer.headers["ETag"] == '"1"'
        membership = {
            "membership_id": str(world.patient.membership_id),
            "clinic_id": str(world.here.id),
            "clinic_name": "Test Clinic",
            "role": "patient",
            "privileges": [],
            "patient_id": str(world.patient.patient_id),
        }
        assert answer.json() == {
            "version": 1,
            "account_id": str(world.patient.account_id),
            "username": world.patient.username,
            "current": membership,
            "memberships": [membership],
            "name": "A patient",
            "time_zone": "UTC",
            "locale": "en",
            "country": "US",
            "phone": None,
            "address": None,
            "emergency_contacts": [],
            "second_factor": {
                "is_confirmed": False,
                "confirmed_at": None,
                "recovery_codes_left": 0,
                "is_required": False,
                "is_clinic_synthetic": True,
            },
        }

    @pytest.mark.parametrize("who", ["therapist", "coach", "administrator"])
    def test_so_does_everybody_else(self, world: World, who: str) -> None:
        person: Person = getattr(world.here, who)

        told = person.get(ME).json()

        assert told["name"] == f"A {person.role}"
        assert (told["current"]["role"], told["locale"]) == (person.role, None)

    def test_nobody_signed_in_is_nobody(self, world: World) -> None:
        assert world.patient.client.get(ME).status_code == 401


class TestChange:
    def test_what_is_sent_changes_and_the_rest_stays(self, world: World) -> None:
        contact = {"name": "My sister", "phone": "+44 20 7946 0000", "relation": "sister"}

        first = change(
            world.patient,
            phone="+1 (555) 010-9999",
            address="1 Quiet Street",
            emergency_contacts=[contact],
        )
        second = change(world.patient, first.headers["ETag"], country="GB", name="A. Patient")

        assert (first.status_code, first.headers["ETag"]) == (200, '"2"')
        assert (second.status_code, second.headers["ETag"]) == (200, '"3"')
        told = world.patient.get(ME)
        assert told.json() == second.json()
        assert told.headers["ETag"] == '"3"'
        changed = {
            "name": "A. Patient",
            "country": "GB",
            "phone": "+1 (555) 010-9999",
            "address": "1 Quiet Street",
            "emergency_contacts": [contact],
            "time_zone": "UTC",
            "version": 3,
        }
        assert changed.items() <= told.json().items()

    def test_a_phone_number_can_be_taken_away(self, world: World) -> None:
        change(world.patient, phone="+1 555 0100")

        assert change(world.patient, '"2"', phone=None).json()["phone"] is None

    def test_what_must_be_there_cannot(self, world: World) -> None:
        answer = change(world.patient, name=None, country=None, emergency_contacts=None)

        assert answer.status_code == 422
        assert {fault["pointer"] for fault in answer.json()["errors"]} == {
            "/name",
            "/country",
            "/emergency_contacts",
        }

    @pytest.mark.parametrize("who", ["patient", "therapist", "administrator"])
    def test_without_if_match_it_is_refused(self, world: World, who: str) -> None:
        person: Person = getattr(world.here, who)

        answer = change(person, None, name="Other")

        assert (answer.status_code, answer.json()["code"]) == (428, "precondition-required")
        assert person.get(ME).json()["name"] == f"A {person.role}"

    @pytest.mark.parametrize("who", ["patient", "therapist", "administrator"])
    @pytest.mark.parametrize("members", [{"name": "Other"}, {}])
    @pytest.mark.parametrize("if_match", ['"2"', '"0"', "1", 'W/"1"', "*", "nonsense", ""])
    def test_from_another_version_it_is_refused(
        self, world: World, who: str, members: dict[str, Any], if_match: str
    ) -> None:
        person: Person = getattr(world.here, who)

        answer = change(person, if_match, **members)

        assert (answer.status_code, answer.json()["code"]) == (412, "precondition-failed")
        assert person.get(ME).json()["version"] == 1

    def test_of_ten_changes_at_once_from_one_version_one_is_made(self, world: World) -> None:
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda n: change(world.patient, name=f"Name {n}"), range(10)))

        assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9
        (made,) = (answer for answer in answers if answer.status_code == 200)
        assert world.patient.get(ME).json() == made.json()

    @pytest.mark.parametrize("who", ["therapist", "coach", "administrator"])
    def test_a_colleague_changes_their_name(self, world: World, who: str) -> None:
        person: Person = getattr(world.here, who)

        answer = change(person, name="Dr Other")

        assert (answer.status_code, answer.headers["ETag"]) == (200, '"2"')
        assert person.get(ME).json()["name"] == "Dr Other"

    def test_and_nothing_that_is_part_of_a_patients_profile(self, world: World) -> None:
        answer = change(world.therapist, country="GB", phone="+1 555 0100")

        assert answer.status_code == 422
        assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/country", "/phone"]

    def test_the_therapist_sees_the_new_name(self, world: World) -> None:
        change(world.patient, name="Somebody Else")

        (row,) = world.therapist.get("/v1/caseload").json()["patients"]

        assert row["name"] == "Somebody Else"

    def test_it_is_sealed_and_a_row_of_the_ledger(self, world: World, behind: Behind) -> None:
        change(world.patient, name="Ocelot", address="Ocelot Street", phone="+1 555 0177")

        for table in ("patient", "membership", "account", "ledger"):
            for (row,) in behind.rows(f"SELECT {table}::text FROM {table}"):
                assert "Ocelot" not in row
                assert b"Ocelot".hex() not in row
        assert behind.rows(
            "SELECT action, entry_version FROM ledger WHERE patient_id = %s AND entry_kind = %s"
            " ORDER BY seq",
            world.patient.patient_id,
            "profile",
        ) == [("profile.created", 1), ("profile.updated", 2)]

    @pytest.mark.parametrize(
        ("members", "pointer"),
        [
            ({"name": ""}, "/name"),
            ({"time_zone": "Nowhere"}, "/time_zone"),
            ({"locale": "!"}, "/locale"),
            ({"country": "gb"}, "/country"),
            ({"phone": "call me"}, "/phone"),
            ({"address": "x" * 201}, "/address"),
            ({"emergency_contacts": [{"name": "x"}]}, "/emergency_contacts/0/phone"),
            (
                {"emergency_contacts": [{"name": "x", "phone": "1" * 33}]},
                "/emergency_contacts/0/phone",
            ),
            (
                {"emergency_contacts": [{"name": "x", "phone": "112"}] * 11},
                "/emergency_contacts",
            ),
            ({"username": "other@example.org"}, ""),
            ({"version": 9}, ""),
        ],
    )
    def test_what_is_wrong_is_told_by_place(
        self, world: World, members: dict[str, Any], pointer: str
    ) -> None:
        answer = change(world.patient, **members)

        assert answer.status_code == 422
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
        assert world.patient.get(ME).json()["version"] == 1
