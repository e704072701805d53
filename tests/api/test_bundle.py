"""What a phone keeps for when there is no network."""

from typing import Any

import pytest

from tests.builders import Person, World
from tests.conftest import Behind, Clock


def bundle(person: Person, query: str = "") -> dict[str, Any]:
    """The bundle of one's own record."""
    answer = person.get(f"/v1/patients/me/bundle{query}")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


class TestBundle:
    def test_it_says_whom_to_call_without_a_network(self, world: World) -> None:
        told = bundle(world.patient)

        assert told["help"] == world.patient.get("/v1/crisis-lines?country=US").json()
        assert told["help"]["crisis_lines"]
        assert told["clinic"] == {
            "name": "Test Clinic",
            "phone": "+1 555 0199",
            "after_hours_phone": None,
            "country": "US",
        }

    def test_whom_to_call_depends_on_where_the_patient_is(self, world: World) -> None:
        assert bundle(world.patient, "?country=DE")["help"]["country"] == "DE"
        assert bundle(world.patient, "?country=nowhere")["help"]["country"] == "US"
        assert bundle(world.elsewhere.patient)["help"]["country"] == "DE"

    def test_it_promises_the_monitoring_that_an_answer_would(
        self, timed_world: World, clock: Clock
    ) -> None:
        told = bundle(timed_world.patient)

        alone = timed_world.patient.post("/v1/sync", {"changes": []}).json()["safety"]
        assert told["monitoring_statement"] == alone["monitoring_statement"]
        assert told["made_at"] == "2026-03-02T12:00:00Z"
        clock.turn(hours=12)
        at_night = bundle(timed_world.patient.again(clock.at))
        assert at_night["monitoring_statement"] != told["monitoring_statement"]

    def test_it_carries_every_instrument_whole_as_it_is_listed(self, world: World) -> None:
        told = {one["key"]: one for one in bundle(world.patient)["instruments"]}

        assert {"phq-9", "gad-7", "momentary"} <= set(told)
        for key in ("phq-9", "momentary"):
            assert told[key] == world.patient.get(f"/v1/instruments/{key}").json()

    def test_an_instrument_that_the_clinic_switched_off_is_not_in_it(
        self, world: World, behind: Behind
    ) -> None:
        behind.rows(
            """UPDATE clinic SET instruments = '{"gad-7": false}' WHERE clinic_id = %s""",
            world.here.id,
        )

        assert "gad-7" not in {one["key"] for one in bundle(world.patient)["instruments"]}

    @pytest.mark.parametrize("who", ["therapist", "coach", "administrator"])
    def test_it_is_for_the_patients_own_phone(self, world: World, who: str) -> None:
        person: Person = getattr(world.here, who)

        assert person.get(f"{world.patient.record}/bundle").status_code == 403

    def test_another_patients_is_not_there(self, world: World) -> None:
        for person in (world.here.other_patient, world.elsewhere.patient):
            assert person.get(f"{world.patient.record}/bundle").status_code == 404
