"""What a clinic asks when: read by all of it, published by its administrators, in versions."""

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

import pytest
from httpx2 import Response

from app.checkins.protocol_schemas import ProtocolOut
from tests.api.test_clinic_instruments import a_definition, added, fault
from tests.builders import Person, World
from tests.conftest import Behind

PROTOCOL = "/v1/clinic/protocol"
SECTIONS = (
    "course",
    "preparation",
    "monitoring",
    "discharge",
    "aftercare",
    "exposure",
    "integration",
)


def read(who: Person) -> Response:
    """The protocol that holds."""
    answer = who.get(PROTOCOL)
    assert answer.status_code == 200, answer.text
    ProtocolOut.model_validate_json(answer.content)
    return answer


def content(who: Person) -> dict[str, Any]:
    """The same, as it can be sent again."""
    told: dict[str, Any] = read(who).json()
    return {name: value for name, value in told.items() if name not in {"version", "published_at"}}


def a_point(**changes: Any) -> dict[str, Any]:
    """The day after a dose."""
    return {
        "key": "24h",
        "label": "The day after",
        "anchor": "dose",
        "instruments": ["momentary"],
        "hours": [12, 24, 36],
        "source": "Ours",
        "convention": True,
    } | changes


def a_protocol(*points: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A protocol of these points."""
    return {
        "title": "Ours",
        "source": "Ours",
        "convention": True,
        "late_days": 14,
        "points": list(points or (a_point(),)),
    } | changes


def publish(who: Person, body: Any, base: int | str | None = 1) -> Response:
    """Put it in force, in place of the version with the tag `base`."""
    return who.put(PROTOCOL, body, base=base)


def point(body: dict[str, Any], key: str) -> int:
    """The place of a point."""
    return [one["key"] for one in body["points"]].index(key)


class TestRead:
    def test_one_ships_and_is_version_zero(self, world: World) -> None:
        answer = read(world.patient)

        told = answer.json()
        assert (told["version"], told["published_at"]) == (0, None)
        assert answer.headers["ETag"] == '"1"'
        assert {"baseline", "24h", "7d"} <= {one["key"] for one in told["points"]}
        assert all(one["source"] for one in told["points"])
        assert all(told[name]["source"] for name in SECTIONS)

    def test_all_of_a_clinic_read_the_same(self, world: World) -> None:
        people = (world.patient, world.therapist, world.here.coach, world.administrator)

        assert len({read(person).text for person in people}) == 1


class TestPublish:
    def test_what_was_read_can_be_changed_and_sent_back(self, world: World) -> None:
        body = content(world.administrator)
        body["title"] = "Ours"
        body["points"][point(body, "24h")]["hours"] = [10, 20, 30]

        answer = publish(world.administrator, body)

        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["version"], answer.headers["ETag"]) == (1, '"2"')
        assert told["published_at"] is not None
        assert read(world.patient).json() == told
        assert content(world.patient) == body

    def test_what_a_section_says_can_be_changed_and_sent_back(self, world: World) -> None:
        body = content(world.administrator)
        body["course"]["sessions"] = [3, 8]
        body["preparation"]["items"][0]["required"] = False
        body["monitoring"]["alarms"][0] |= {"low": None, "high": 170}
        body["discharge"]["criteria"][0]["at_least"] = 150
        body["aftercare"]["check_hours"] = [6, 48]
        body["exposure"]["prompts"][0] |= {"drug": "esketamine", "instruments": []}
        body["integration"]["open_days"] = 10

        answer = publish(world.administrator, body)

        assert answer.status_code == 200, answer.text
        assert content(world.patient) == body

    def test_the_first_time_a_section_that_is_left_out_is_the_one_that_ships(
        self, world: World
    ) -> None:
        ships = content(world.administrator)

        answer = publish(world.administrator, a_protocol(integration=None))

        assert answer.status_code == 200, answer.text
        assert {name: answer.json()[name] for name in SECTIONS} == {
            name: ships[name] for name in SECTIONS
        }

    def test_a_client_that_knows_no_sections_does_not_put_back_the_clinics_own_alarms(
        self, world: World
    ) -> None:
        body = content(world.administrator)
        body["monitoring"]["alarms"][0]["high"] = 165
        publish(world.administrator, body)

        answer = publish(world.administrator, a_protocol(title="Only points"), 2)

        assert answer.status_code == 200, answer.text
        told = content(world.patient)
        assert told["title"] == "Only points"
        assert {name: told[name] for name in SECTIONS} == {name: body[name] for name in SECTIONS}

    def test_a_document_from_before_there_were_sections_is_still_read(
        self, world: World, behind: Behind
    ) -> None:
        ships = content(world.administrator)
        publish(world.administrator, a_protocol(title="Older"))
        for name in SECTIONS:
            behind.rows(
                "UPDATE clinic_protocol SET content = (content::jsonb - %s)::json"
                " WHERE clinic_id = %s",
                name,
                world.here.id,
            )

        told = content(world.patient)

        assert told["title"] == "Older"
        assert [one["key"] for one in told["points"]] == ["24h"]
        assert {name: told[name] for name in SECTIONS} == {name: ships[name] for name in SECTIONS}
        assert world.patient.get("/v1/patients/me/due").status_code == 200

    def test_an_instrument_of_ones_own_can_be_proposed_and_the_protocol_is_read(
        self, world: World
    ) -> None:
        added(world, a_definition())
        body = content(world.administrator)
        body["exposure"]["prompts"][0]["instruments"] = ["bladder", "two-items"]

        assert publish(world.administrator, body).status_code == 200
        assert content(world.patient) == body
        assert world.patient.get("/v1/patients/me/due").status_code == 200

    def test_versions_grow_and_the_earlier_ones_are_kept(
        self, world: World, behind: Behind
    ) -> None:
        for version, title in enumerate(("First", "Second", "Third"), 1):
            answer = publish(world.administrator, a_protocol(title=title), version)
            assert (answer.status_code, answer.json()["version"]) == (200, version)

        assert behind.rows(
            "SELECT version, content->>'title', published_by FROM clinic_protocol"
            " WHERE clinic_id = %s ORDER BY version",
            world.here.id,
        ) == [
            (version, title, world.administrator.membership_id)
            for version, title in enumerate(("First", "Second", "Third"), 1)
        ]

    def test_another_clinic_keeps_its_own(self, world: World) -> None:
        publish(world.administrator, a_protocol())

        assert read(world.elsewhere.patient).json()["version"] == 0

    def test_an_instrument_of_ones_own_can_be_asked(self, world: World) -> None:
        body = a_protocol(a_point(key="week", hours=[96, 120, 168], instruments=["two-items"]))
        assert fault(publish(world.administrator, body)) == (
            "/points/0/instruments/0",
            "is not a known instrument",
        )
        added(world, a_definition())

        assert publish(world.administrator, body).status_code == 200
        # It asks about a week, and so not in the first three days.
        early = a_protocol(a_point(hours=[12, 24, 36], instruments=["two-items"]))
        assert fault(publish(world.administrator, early, 2))[0] == "/points/0/instruments/0"

    def test_a_version_that_looks_back_further_does_not_break_what_was_published(
        self, world: World
    ) -> None:
        of_a_moment = (
            "days = 7\nminimum_days_from_dose = 7",
            "days = 0\nminimum_days_from_dose = 0",
        )
        added(world, a_definition(of_a_moment))
        body = a_protocol(a_point(instruments=["two-items", "momentary"]))
        published = publish(world.administrator, body).json()

        added(world, a_definition(version="2"))

        assert read(world.patient).json() == published
        assert world.patient.get("/v1/patients/me/due").status_code == 200
        # To publish it anew is another thing.
        assert fault(publish(world.administrator, body, 2))[0] == "/points/0/instruments/0"

    def test_of_two_that_publish_at_once_one_is_told_to_read_again(self, world: World) -> None:
        titles = ["One", "Another"]

        with ThreadPoolExecutor(2) as pool:
            answers = list(
                pool.map(
                    lambda title: publish(world.administrator, a_protocol(title=title)), titles
                )
            )

        assert sorted(answer.status_code for answer in answers) == [200, 412]
        won = next(answer.json() for answer in answers if answer.status_code == 200)
        assert read(world.patient).json() == won


class TestRefusal:
    @pytest.mark.parametrize("who", ["patient", "therapist", "stranger", "coach"])
    def test_only_an_administrator_publishes(self, world: World, who: str) -> None:
        assert publish(getattr(world.here, who), a_protocol()).status_code == 403
        assert read(world.patient).json()["version"] == 0

    @pytest.mark.parametrize(
        ("base", "status"),
        [(None, 428), (2, 412), ('"0"', 412), ("*", 412), ('W/"1"', 412), ("1", 412)],
    )
    def test_it_names_the_version_that_it_replaces(
        self, world: World, base: int | str | None, status: int
    ) -> None:
        assert publish(world.administrator, a_protocol(), base).status_code == status
        assert read(world.patient).json()["version"] == 0

    def test_a_version_that_was_replaced_is_replaced_no_more(self, world: World) -> None:
        publish(world.administrator, a_protocol(), 1)

        assert publish(world.administrator, a_protocol(title="Late"), 1).status_code == 412

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"hours": [4, 2, 8]}, "/points/3/hours/1"),
            ({"hours": [2, 4, 3]}, "/points/3/hours/2"),
            ({"hours": [2, 4]}, "/points/3/hours"),
            ({"hours": [2, "4", 8]}, "/points/3/hours/1"),
            ({"hours": [2, 4, 99999]}, "/points/3/hours/2"),
            ({"days": [1, 2, 3]}, "/points/3/hours"),
            ({"anchor": "birthday"}, "/points/3/anchor"),
            ({"instruments": []}, "/points/3/instruments"),
            ({"instruments": ["momentary", "phq-7"]}, "/points/3/instruments/1"),
            ({"instruments": ["momentary", "momentary"]}, "/points/3/instruments/1"),
            # Two weeks say nothing about the first hours.
            ({"instruments": ["phq-9"]}, "/points/3/instruments/0"),
            # A clinician records it; a patient has no questions to answer.
            ({"instruments": ["momentary", "cadss"]}, "/points/3/instruments/1"),
            ({"key": "baseline"}, "/points/3/key"),
            ({"key": "Four Hours"}, "/points/3/key"),
            ({"source": ""}, "/points/3/source"),
            ({"convention": "yes"}, "/points/3/convention"),
            ({"times": 3}, "/points/3/times"),
            ({"every": 1}, "/points/3/every"),
            # Its name is the sender's text, and is not repeated.
            ({"nonsense": 1}, "/points/3"),
        ],
    )
    def test_what_is_wrong_is_pointed_at(
        self, world: World, change: dict[str, Any], pointer: str
    ) -> None:
        body = content(world.administrator)
        assert point(body, "4h") == 3
        body["points"][3] |= change

        answer = publish(world.administrator, body)

        assert fault(answer)[0] == pointer
        assert read(world.patient).json()["version"] == 0

    @pytest.mark.parametrize(
        ("section", "change", "pointer"),
        [
            ("course", {"sessions": [6, 4]}, "/course/sessions/1"),
            ("course", {"dose_mg": 50}, "/course"),
            ("preparation", {"items": []}, "/preparation/items"),
            ("monitoring", {"record_minutes": [0, 0]}, "/monitoring/record_minutes/1"),
            ("discharge", {"criteria": [{}]}, "/discharge/criteria/0/key"),
            ("aftercare", {"check_hours": ["4"]}, "/aftercare/check_hours/0"),
            ("exposure", {"prompts": None}, "/exposure/prompts"),
            ("integration", {"source": ""}, "/integration/source"),
        ],
    )
    def test_what_is_wrong_in_a_section_is_pointed_at(
        self, world: World, section: str, change: dict[str, Any], pointer: str
    ) -> None:
        body = content(world.administrator)
        body[section] |= change

        answer = publish(world.administrator, body)

        assert answer.status_code == 422
        assert pointer in {one["pointer"] for one in answer.json()["errors"]}
        assert read(world.patient).json()["version"] == 0

    def test_everything_that_is_wrong_is_named_at_once(self, world: World) -> None:
        body = deepcopy(content(world.administrator))
        body["late_days"] = 1000
        body["points"][0]["instruments"][1] = "phq-7"
        body["points"][3]["hours"][1] = 1

        answer = publish(world.administrator, body)

        assert {one["pointer"] for one in answer.json()["errors"]} == {
            "/late_days",
            "/points/0/instruments/1",
            "/points/3/hours/1",
        }

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            (a_protocol(points=[]), "/points"),
            (a_protocol(title=" "), "/title"),
            (a_protocol(title="a\x00b"), "/title"),
            (a_protocol(version=3), ""),
            ({}, "/title"),
        ],
    )
    def test_what_is_no_protocol_is_refused(
        self, world: World, body: dict[str, Any], pointer: str
    ) -> None:
        answer = publish(world.administrator, body)

        assert answer.status_code == 422
        assert pointer in {one["pointer"] for one in answer.json()["errors"]}
