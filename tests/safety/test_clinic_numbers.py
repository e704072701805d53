"""A clinic's own numbers, in the order in which to call them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from app.people.chart import ClinicFacts
from app.people.clinics import WEEKDAYS_NINE_TO_FIVE
from app.safety.clinic_numbers import numbers_of
from tests.builders import Person, World, a_check_in, phq_9
from tests.conftest import Behind, Clock

ON_DUTY = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
OFF_DUTY = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
OFFICE = json.dumps(WEEKDAYS_NINE_TO_FIVE)


def a_clinic(phone: str | None, after: str | None, coverage: str = OFFICE) -> ClinicFacts:
    return ClinicFacts("A clinic", "US", "UTC", phone, coverage, {}, {}, "{}", after)


def told(clinic: ClinicFacts, at: datetime) -> list[tuple[str, str, bool | None]]:
    return [(one.phone, one.when, one.holds_now) for one in numbers_of(clinic, at)]


class TestOrder:
    def test_the_one_that_holds_now_is_first(self) -> None:
        clinic = a_clinic("1", "2")

        assert told(clinic, ON_DUTY) == [("1", "on-duty", True), ("2", "off-duty", False)]
        assert told(clinic, OFF_DUTY) == [("2", "off-duty", True), ("1", "on-duty", False)]

    @pytest.mark.parametrize("at", [ON_DUTY, OFF_DUTY])
    def test_one_number_is_the_clinic_s_at_all_hours(self, at: datetime) -> None:
        assert told(a_clinic("1", None), at) == [("1", "always", True)]
        assert told(a_clinic(None, None), at) == []

    def test_a_number_for_off_duty_alone_says_whether_it_holds(self) -> None:
        assert told(a_clinic(None, "2"), ON_DUTY) == [("2", "off-duty", False)]
        assert told(a_clinic(None, "2"), OFF_DUTY) == [("2", "off-duty", True)]

    @pytest.mark.parametrize("coverage", ["{}", "no json"])
    def test_where_the_hours_are_not_declared_nobody_can_say_which_holds(
        self, coverage: str
    ) -> None:
        assert told(a_clinic("1", "2", coverage), ON_DUTY) == [
            ("1", "on-duty", None),
            ("2", "off-duty", None),
        ]


class TestBlock:
    def sent(self, patient: Person, clock: Clock, item_nine: int) -> dict[str, Any]:
        answers = phq_9(9 + item_nine, item_nine=item_nine)
        body = a_check_in(answers=answers, recorded_at=clock.said())
        made = patient.again(clock.at).post("/v1/patients/me/check-ins", body)
        assert made.status_code == 201, made.text
        return dict(made.json()["safety"])

    def test_the_emergency_number_leads_where_danger_is_immediate_and_the_clinic_s_follow(
        self, timed_world: World, clock: Clock, behind: Behind
    ) -> None:
        behind.rows(
            "UPDATE clinic SET after_hours_phone = '+1 555 0198' WHERE clinic_id = %s",
            timed_world.here.id,
        )
        clock.turn(hours=8)

        calm = self.sent(timed_world.patient, clock, 0)
        grave = self.sent(timed_world.patient, clock, 3)

        assert calm["call_in_order"] == ["clinic_numbers", "crisis_lines", "emergency_number"]
        assert grave["call_in_order"] == ["emergency_number", "clinic_numbers", "crisis_lines"]
        assert [one["phone"] for one in grave["clinic_numbers"]] == ["+1 555 0198", "+1 555 0199"]
        assert [one["holds_now"] for one in grave["clinic_numbers"]] == [True, False]

    def test_danger_to_the_body_is_immediate_and_no_line_is_an_answer_to_it(
        self, world: World
    ) -> None:
        made = world.patient.post("/v1/patients/me/flags", {"kind": "physical"})

        block = made.json()["safety"]
        assert block["call_in_order"] == ["emergency_number", "clinic_numbers"]

    def test_what_there_is_none_of_is_not_in_it(self, world: World, behind: Behind) -> None:
        behind.rows("UPDATE clinic SET phone = NULL WHERE clinic_id = %s", world.here.id)

        made = world.patient.post("/v1/patients/me/flags?country=AT", {})

        assert made.json()["safety"]["call_in_order"] == []
        assert made.json()["safety"]["clinic_numbers"] == []


class TestCommand:
    def test_a_word_is_no_number(self) -> None:
        from app.cli import app

        done = CliRunner().invoke(
            app, ["clinic", "phones", "00000000-0000-0000-0000-000000000001", "--phone", "call us"]
        )

        assert done.exit_code != 0
        assert "no telephone number" in done.output
