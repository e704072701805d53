"""The honest sentence: who has been told, and when they are on duty."""

import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.kernel import outbox
from app.kernel.db import Direct
from app.safety.coverage import DAYS
from tests.api.danger import in_danger, told_of
from tests.builders import Person, World, a_clinic, a_patient
from tests.conftest import Behind, Clock


class TestMonitoringStatement:
    """True at that moment, and never a promise that anyone is watching."""

    def statement(self, world: World, item_nine: int = 2) -> str:
        return str(in_danger(world.patient, item_nine)["monitoring_statement"])

    def worker_seen(self, direct: Direct, at: datetime) -> None:
        direct.run(lambda db: outbox.beat(db, at))

    def test_on_duty_it_says_until_when(
        self, timed_world: World, clock: Clock, direct: Direct
    ) -> None:
        self.worker_seen(direct, clock.at)

        assert self.statement(timed_world) == (
            "This has been put in front of your care team at Test Clinic."
            " The clinic is on duty until 17:00 (UTC)."
            " The journal is not an emergency service."
        )

    @pytest.mark.parametrize(
        ("hours", "until"),
        [
            (5, "Tuesday 3 March, 09:00"),  # Monday, 17:00: the last minute has passed
            (20, "Tuesday 3 March, 09:00"),  # Tuesday, 08:00
            (24 * 4 + 6, "Monday 9 March, 09:00"),  # Friday evening
            (24 * 5, "Monday 9 March, 09:00"),  # Saturday
        ],
    )
    def test_off_duty_it_says_so_and_until_when(
        self, timed_world: World, clock: Clock, direct: Direct, hours: int, until: str
    ) -> None:
        clock.turn(hours=hours)
        self.worker_seen(direct, clock.at)
        patient = timed_world.patient.again(clock.at)

        said = in_danger(patient)["monitoring_statement"]

        assert f"The clinic is off duty until {until} (UTC) and may not see it before then." in said

    def test_duty_is_in_the_clinics_own_time(
        self, timed_world: World, clock: Clock, direct: Direct
    ) -> None:
        client = timed_world.patient.client
        honolulu = a_clinic(client, direct, time_zone="Pacific/Honolulu", at=clock.at)

        said = in_danger(honolulu.patient)["monitoring_statement"]

        # Monday noon in UTC is two in the morning there.
        assert "off duty until Monday 2 March, 09:00 (HST)" in said

    def test_a_holiday_is_off_duty(
        self, timed_world: World, clock: Clock, direct: Direct, behind: Behind
    ) -> None:
        behind.rows(
            "UPDATE clinic SET coverage = jsonb_set(coverage, '{holidays}', '[\"2026-03-02\"]')"
            " WHERE clinic_id = %s",
            timed_world.here.id,
        )

        assert "off duty until Tuesday 3 March, 09:00 (UTC)" in self.statement(timed_world)

    def test_a_clinic_without_hours_has_not_said_when(
        self, timed_world: World, behind: Behind
    ) -> None:
        behind.rows("UPDATE clinic SET coverage = '{}' WHERE clinic_id = %s", timed_world.here.id)

        assert "The clinic has not said when it is on duty." in self.statement(timed_world)

    def test_a_clinic_that_never_closes_is_on_duty(
        self, timed_world: World, behind: Behind
    ) -> None:
        always = {day: [["00:00", "24:00"]] for day in DAYS}
        behind.rows(
            "UPDATE clinic SET coverage = %s WHERE clinic_id = %s",
            json.dumps({"hours": always}),
            timed_world.here.id,
        )

        assert " The clinic is on duty. The journal " in self.statement(timed_world)

    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("coverage", "[]"),
            ("coverage", "null"),
            ("coverage", '{"hours": {"mon": "nine to five"}}'),
            ("coverage", '{"hours": {"mon": [["9", "17"]]}, "holidays": 5}'),
            ("time_zone", "Mars/Olympus"),
            ("time_zone", ""),
        ],
    )
    def test_a_setting_that_cannot_be_read_stops_no_sign_of_danger(
        self, timed_world: World, behind: Behind, setting: str, value: str
    ) -> None:
        behind.rows(
            f"UPDATE clinic SET {setting} = %s WHERE clinic_id = %s", value, timed_world.here.id
        )

        block = in_danger(timed_world.patient)

        assert block["flag"]["level"] == "moderate"
        assert "The clinic has not said when it is on duty." in block["monitoring_statement"]
        assert len(timed_world.therapist.get("/v1/flags").json()["flags"]) == 1

    def test_what_alerted_nobody_does_not_claim_to_have(self, timed_world: World) -> None:
        said = self.statement(timed_world, item_nine=0)

        assert "your care team was not alerted" in said
        assert "put in front of" not in said

    @pytest.mark.parametrize(("seconds", "is_silent"), [(0, False), (60, False), (61, True)])
    def test_a_silent_worker_means_that_telling_may_be_delayed(
        self, timed_world: World, clock: Clock, direct: Direct, seconds: int, is_silent: bool
    ) -> None:
        self.worker_seen(direct, clock.at)
        clock.turn(seconds=seconds)

        said = self.statement(timed_world)

        assert ("Telling them may be delayed right now." in said) == is_silent

    def test_a_worker_never_seen_is_silent(self, timed_world: World, behind: Behind) -> None:
        behind.rows("DELETE FROM heartbeat")

        assert "may be delayed" in self.statement(timed_world)

    def test_it_names_the_care_team_where_one_sees_the_flag(
        self, timed_world: World, clock: Clock, direct: Direct, behind: Behind
    ) -> None:
        block = in_danger(timed_world.patient)

        assert block["monitoring_statement"].startswith(
            "This has been put in front of your care team at Test Clinic."
        )
        assert told_of(block, clock, direct, behind) == [timed_world.therapist.membership_id]

    @pytest.mark.parametrize(
        ("statement", "has_consented"),
        [
            ("UPDATE care_link SET ends_at = %s WHERE patient_id = %s", True),
            ("UPDATE consent SET revoked_at = %s WHERE patient_id = %s", False),
            ("UPDATE consent SET expires_at = %s WHERE patient_id = %s", False),
        ],
        ids=["care that ended", "consent that was revoked", "consent that ran out"],
    )
    def test_it_says_who_is_told_where_nobody_of_the_care_team_can_see_the_journal(
        self,
        timed_world: World,
        clock: Clock,
        direct: Direct,
        behind: Behind,
        statement: str,
        has_consented: bool,
    ) -> None:
        behind.rows(statement, clock.at, timed_world.patient.patient_id)

        self.expect_others(
            timed_world.patient, timed_world, clock, direct, behind, has_consented=has_consented
        )

    def test_so_it_does_for_a_patient_without_a_clinician(
        self, timed_world: World, clock: Clock, direct: Direct, behind: Behind
    ) -> None:
        patient = timed_world.here.other_patient

        self.expect_others(patient, timed_world, clock, direct, behind)

    def test_so_it_does_for_a_patient_whom_only_a_coach_cares_for(
        self, timed_world: World, clock: Clock, direct: Direct, behind: Behind
    ) -> None:
        def admit(db: Any) -> Person:
            db.enter(timed_world.here.id)
            return a_patient(timed_world.patient.client, db, timed_world.here.coach, at=clock.at)

        self.expect_others(direct.run(admit), timed_world, clock, direct, behind)

    def expect_others(
        self,
        patient: Person,
        world: World,
        clock: Clock,
        direct: Direct,
        behind: Behind,
        *,
        has_consented: bool = True,
    ) -> None:
        self.worker_seen(direct, clock.at)
        block = in_danger(patient)

        before_whom = (
            # The next clinician is told, and may look because of it.
            "This is being put in front of a clinician at Test Clinic, because nobody of your own"
            " care team there can see your journal now."
            if has_consented
            else "This has been put in front of the administrators of Test Clinic, because no"
            " clinician there can see your journal now."
        )
        assert block["monitoring_statement"] == (
            f"{before_whom} The clinic is on duty until 17:00 (UTC)."
            " The journal is not an emergency service."
        )
        told = told_of(block, clock, direct, behind)
        assert world.administrator.membership_id in told
        # Without consent no clinician is told: none could look.
        clinicians = set(told) - {world.administrator.membership_id}
        assert clinicians == ({world.therapist.membership_id} if has_consented else set())

    def test_where_nobody_can_see_the_flag_it_says_so_until_somebody_can(
        self, timed_world: World, clock: Clock, direct: Direct, behind: Behind
    ) -> None:
        patient, administrator = timed_world.here.other_patient, timed_world.administrator
        act = "UPDATE membership SET is_active = %s WHERE id = %s"
        here = timed_world.here
        for member in (here.therapist, here.stranger, administrator):
            behind.rows(act, False, member.membership_id)
        self.worker_seen(direct, clock.at - timedelta(hours=1))

        block = in_danger(patient)

        # No word of a delay: there is nobody who would be told late.
        assert block["monitoring_statement"] == (
            "Nobody at Test Clinic can see this yet. Please call them. The clinic is on duty until"
            " 17:00 (UTC). The journal is not an emergency service."
        )
        assert told_of(block, clock, direct, behind) == []
        behind.rows(act, True, administrator.membership_id)
        clock.turn(days=1)
        assert told_of(block, clock, direct, behind) == [administrator.membership_id]

    def test_without_administrators_it_names_the_clinician_who_is_told(
        self, timed_world: World, clock: Clock, direct: Direct, behind: Behind
    ) -> None:
        act = "UPDATE membership SET is_active = false WHERE id = %s"
        behind.rows(act, timed_world.administrator.membership_id)
        self.worker_seen(direct, clock.at)

        block = in_danger(timed_world.here.other_patient)

        assert "put in front of a clinician at Test Clinic" in block["monitoring_statement"]
        told = told_of(block, clock, direct, behind)
        clinicians = {timed_world.therapist.membership_id, timed_world.here.stranger.membership_id}
        assert told
        assert set(told) <= clinicians

    def test_it_never_says_that_anyone_is_watching(
        self, timed_world: World, clock: Clock, behind: Behind
    ) -> None:
        for _ in range(8):
            for item_nine in (0, 3):
                said = in_danger(timed_world.patient.again(clock.at), item_nine)
                statement = said["monitoring_statement"]
                assert "The journal is not an emergency service." in statement
                assert not re.search(
                    r"watch|monitor|real.time|24/7|immediately|around the clock|always",
                    statement,
                    re.IGNORECASE,
                )
            clock.turn(hours=7)
