"""A sign of danger: the flag, the help for where the patient is, and the honest sentence."""

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx2 import Response

from app import worker
from app.kernel import outbox
from app.kernel.db import Direct
from app.safety.coverage import DAYS
from app.safety.inbox import EVIDENCE_SHOWN
from tests.builders import (
    Person,
    World,
    a_check_in,
    a_clinic,
    a_patient,
    an_acceptance,
    now,
    phq_9,
)
from tests.conftest import Behind, Clock

CHECK_INS = "/v1/patients/me/check-ins"


def told_about(
    person: Person, answers: Sequence[int | None], country: str | None = None, **changes: Any
) -> dict[str, Any]:
    """The safety block that a PHQ-9 with these answers is answered with."""
    path = CHECK_INS if country is None else f"{CHECK_INS}?country={country}"
    answer = person.post(path, a_check_in(answers=answers, **changes))
    assert answer.status_code == 201, answer.text
    block: dict[str, Any] = answer.json()["safety"]
    return block


def in_danger(person: Person, item_nine: int = 2, **changes: Any) -> dict[str, Any]:
    """The safety block after item 9 was answered so."""
    return told_about(person, [*phq_9(6)[:8], item_nine], **changes)


def keep_promises(direct: Direct, at: datetime) -> None:
    """Do what a worker does."""
    while worker.keep_one(direct, at):
        pass


class TestFinding:
    @pytest.mark.parametrize(
        ("item_nine", "level"), [(0, "none"), (1, "low"), (2, "moderate"), (3, "high")]
    )
    def test_item_nine_decides_the_level(self, world: World, item_nine: int, level: str) -> None:
        block = told_about(world.patient, [*phq_9(12)[:8], item_nine])

        assert (block["assessed"], block["level"]) == (True, level)
        assert block["reasons"] == (["phq-9.item-9"] if item_nine else [])
        assert (block["flag"] is None) == (item_nine == 0)
        if item_nine:
            assert (block["flag"]["level"], block["flag"]["status"]) == (level, "open")

    def test_item_nine_flags_even_when_the_total_is_minimal(self, world: World) -> None:
        answer = world.patient.post(CHECK_INS, a_check_in(answers=[0] * 8 + [1])).json()

        assert (answer["total"], answer["band"]) == (1, "minimal")
        assert answer["safety"]["flag"]["level"] == "low"

    def test_a_missing_item_takes_the_total_and_never_the_flag(self, world: World) -> None:
        answer = world.patient.post(CHECK_INS, a_check_in(answers=[None] * 8 + [2])).json()

        assert (answer["total"], answer["complete"]) == (None, False)
        assert answer["safety"]["flag"]["level"] == "moderate"

    def test_a_skipped_item_nine_is_not_assessed(self, world: World) -> None:
        block = told_about(world.patient, [*phq_9(24)[:8], None])

        assert (block["assessed"], block["level"], block["flag"]) == (False, "none", None)
        assert block["reasons"] == ["not-assessed"]

    @pytest.mark.parametrize(
        ("instrument", "answers"), [("gad-7", [3] * 7), ("momentary", [0, 10, 0, 10, 10])]
    )
    def test_an_instrument_that_does_not_ask_has_not_assessed(
        self, world: World, instrument: str, answers: list[int | None]
    ) -> None:
        block = told_about(world.patient, answers, instrument=instrument)

        assert (block["assessed"], block["flag"]) == (False, None)

    def test_a_clinic_may_raise_a_level(self, world: World, behind: Behind) -> None:
        set_raised(behind, world, {"phq-9": {"1": "high"}})

        block = in_danger(world.patient, 1)

        assert (block["level"], block["flag"]["level"]) == ("high", "high")
        assert block["reasons"] == ["phq-9.item-9", "raised-by-clinic"]

    def test_a_clinic_may_not_lower_one(self, world: World, behind: Behind) -> None:
        set_raised(behind, world, {"phq-9": {"3": "low", "2": "none", "1": "nonsense"}})

        assert in_danger(world.patient, 3)["level"] == "high"
        assert in_danger(world.patient, 2)["level"] == "moderate"
        assert in_danger(world.patient, 1)["level"] == "low"

    @pytest.mark.parametrize("levels", [[], "x", 5, None, {"phq-9": "high"}, {"phq-9": {"2": []}}])
    def test_one_that_cannot_be_read_changes_nothing(
        self, world: World, behind: Behind, levels: Any
    ) -> None:
        set_raised(behind, world, levels)

        assert in_danger(world.patient, 2)["flag"]["level"] == "moderate"

    def test_nowhere_are_the_words_no_risk(self, world: World) -> None:
        path = f"{world.patient.record}/trajectories/phq-9"
        said = [
            world.patient.post(CHECK_INS, a_check_in(answers=[0] * 9)).text,
            world.patient.get(CHECK_INS).text,
            world.therapist.get(path).text,
            world.therapist.get("/v1/caseload").text,
            world.patient.get("/v1/instruments").text,
            world.patient.get("/openapi.json").text,
        ]

        for text in said:
            assert not re.search(r"no[\W_]+risk", text, re.IGNORECASE)

    def test_the_levels_are_told_to_be_our_convention(self, world: World) -> None:
        told = world.patient.get("/v1/instruments/phq-9").json()["suicide_item"]

        assert told["levels"] == {"1": "low", "2": "moderate", "3": "high"}
        assert told["convention"] is True
        assert "our convention" in told["source"]


def set_raised(behind: Behind, world: World, levels: Any) -> None:
    """What this clinic flags more gravely; there is no route for it yet."""
    behind.rows(
        "UPDATE clinic SET raised_levels = %s WHERE clinic_id = %s",
        json.dumps(levels),
        world.here.id,
    )


class TestHelp:
    def test_the_safety_block_is_always_there(self, world: World) -> None:
        block = told_about(world.patient, phq_9(0))

        assert block["crisis_lines"]
        assert block["monitoring_statement"]
        assert block["clinic_phone"] == "+1 555 0199"

    def test_the_country_that_the_app_sends_comes_first(self, world: World) -> None:
        block = in_danger(world.patient, country="FR")

        assert (block["country"], block["emergency_number"]) == ("FR", "112")
        assert [line["phone"] for line in block["crisis_lines"]] == ["3114"]
        assert "112" in block["advice"]

    def test_else_it_is_the_patients_own(self, world: World) -> None:
        at_home = world.patient.get("/v1/me")
        world.patient.patch(
            "/v1/me", {"country": "GB"}, headers={"If-Match": at_home.headers["ETag"]}
        )

        block = in_danger(world.patient)

        assert (block["country"], block["emergency_number"]) == ("GB", "999")
        assert block["crisis_lines"][0]["phone"] == "116 123"

    @pytest.mark.parametrize("query", ["", "?country=", "?country=nowhere"])
    def test_else_it_is_the_clinics(self, world: World, query: str) -> None:
        abroad = world.elsewhere
        code = abroad.therapist.post("/v1/invitations", {"role": "patient"}).json()["code"]
        token = abroad.patient.client.post(
            "/v1/invitations/accept", json=an_acceptance(code)
        ).json()["access_token"]

        answer = abroad.patient.client.post(
            CHECK_INS + query, json=a_check_in(), headers={"Authorization": f"Bearer {token}"}
        )

        block = answer.json()["safety"]
        assert block["country"] == "DE"
        assert {line["name"] for line in block["crisis_lines"]} == {"TelefonSeelsorge"}

    @pytest.mark.parametrize("country", ["ZZ", "AQ", "XX"])
    def test_a_country_without_a_row_gets_no_line_and_a_plain_sentence(
        self, world: World, country: str
    ) -> None:
        block = in_danger(world.patient, country=country)

        assert (block["crisis_lines"], block["emergency_number"]) == ([], None)
        assert block["country"] == country
        assert block["advice"] == (
            "If you are in danger, call the emergency number of the country you are in."
        )

    def test_every_line_has_its_source_and_when_it_was_read(self, world: World) -> None:
        for line in in_danger(world.patient, country="US")["crisis_lines"]:
            assert line["source"]
            assert re.fullmatch(r"\d{4}-\d\d", line["verified_on"])

    @pytest.mark.parametrize(
        ("sent", "meant"),
        [("fr", "FR"), (" Fr ", "FR"), ("uk", "GB"), ("UK", "GB"), ("usa", "US"), ("zz", "ZZ")],
    )
    def test_a_country_is_understood_as_people_write_it(
        self, world: World, sent: str, meant: str
    ) -> None:
        block = in_danger(world.elsewhere.patient, country=sent)

        assert block == in_danger(world.elsewhere.patient, country=meant) | {"flag": block["flag"]}
        assert block["country"] == meant

    @pytest.mark.parametrize("country", ["Germany", "U", "", "1A", "%00%00", "%20", "x" * 256])
    def test_what_cannot_be_read_is_passed_over_for_the_patients_own(
        self, world: World, country: str
    ) -> None:
        world.patient.patch("/v1/me", {"country": "GB"}, headers={"If-Match": '"1"'})

        block = in_danger(world.patient, country=country)

        assert (block["country"], block["emergency_number"]) == ("GB", "999")
        assert block["flag"]["level"] == "moderate"
        (kept,) = world.patient.get(CHECK_INS).json()["check_ins"]
        assert kept["level"] == "moderate"
        (flag,) = world.therapist.get("/v1/flags").json()["flags"]
        assert flag["id"] == block["flag"]["id"]


class TestCrisisLines:
    """Whom to call, before it is needed and without being signed in."""

    def asked(self, world: World, **query: str) -> Response:
        answer: Response = world.patient.client.get("/v1/crisis-lines", params=query)
        return answer

    @pytest.mark.parametrize("country", ["DE", "GB", "US", "FR"])
    def test_they_are_those_of_the_safety_block(self, world: World, country: str) -> None:
        answer = self.asked(world, country=country)

        assert answer.status_code == 200
        told = answer.json()
        assert told["crisis_lines"]
        assert told.items() <= in_danger(world.patient, country=country).items()

    def test_a_phone_and_what_is_between_may_keep_them_for_a_day(self, world: World) -> None:
        answer = self.asked(world, country="DE")

        assert answer.headers["Cache-Control"] == "public, max-age=86400"

    @pytest.mark.parametrize(("sent", "meant"), [("uk", "GB"), ("USA", "US"), (" de ", "DE")])
    def test_a_country_is_understood_as_people_write_it(
        self, world: World, sent: str, meant: str
    ) -> None:
        assert self.asked(world, country=sent).content == self.asked(world, country=meant).content

    @pytest.mark.parametrize("country", ["ZZ", "AQ", "Germany", "", "\x00", "ÄÖ"])
    def test_an_unknown_country_gets_no_line_and_a_plain_sentence(
        self, world: World, country: str
    ) -> None:
        answer = self.asked(world, country=country)

        assert answer.status_code == 200
        assert answer.json() == {
            "country": country if country in ("ZZ", "AQ") else "",
            "emergency_number": None,
            "emergency_channels": [],
            "crisis_lines": [],
            "advice": "If you are in danger, call the emergency number of the country you are in.",
        }

    @pytest.mark.parametrize("query", [{}, {"country": "x" * 257}])
    def test_a_country_must_be_named(self, world: World, query: dict[str, str]) -> None:
        answer = self.asked(world, **query)

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "query:country"


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


def told_of(block: dict[str, Any], clock: Clock, direct: Direct, behind: Behind) -> list[UUID]:
    """Before whom a worker puts the flag of a safety block."""
    keep_promises(direct, clock.at)
    told = behind.rows("SELECT membership_id FROM notice WHERE flag_id = %s", block["flag"]["id"])
    return [membership_id for (membership_id,) in told]


class TestEpisode:
    """One episode is one flag: what follows joins it and is never silent about getting worse."""

    @pytest.mark.parametrize(
        ("first", "then", "level", "round_"),
        [
            (1, 1, "low", 1),  # nothing worse: the same round
            (2, 1, "moderate", 1),  # better: the level stays
            (1, 2, "moderate", 2),  # raised: a new round
            (2, 3, "high", 2),
            (3, 1, "high", 1),  # never lowered
            (3, 3, "high", 2),  # every sign of high danger is told again
        ],
    )
    def test_a_second_sign_joins_the_open_flag(
        self, world: World, first: int, then: int, level: str, round_: int
    ) -> None:
        earlier = in_danger(world.patient, first)["flag"]

        joined = in_danger(world.patient, then)["flag"]

        assert joined == {
            "id": earlier["id"],
            "kind": "suicide-risk",
            "level": level,
            "status": "open",
            "round": round_,
            "is_historic": False,
        }

    def test_a_later_low_score_neither_closes_nor_lowers_it(self, world: World) -> None:
        flag = in_danger(world.patient, 3)["flag"]

        assert told_about(world.patient, [0] * 9)["flag"] is None

        listed = world.therapist.get("/v1/flags").json()["flags"]
        assert [(one["id"], one["level"], one["status"]) for one in listed] == [
            (flag["id"], "high", "open")
        ]

    def test_a_new_round_of_an_acknowledged_flag_is_open_again(
        self, world: World, behind: Behind
    ) -> None:
        flag_id = in_danger(world.patient, 2)["flag"]["id"]
        behind.rows("UPDATE flag SET status = 'acknowledged' WHERE id = %s", flag_id)

        # However slight: whoever acknowledged the flag has not seen this.
        joined = in_danger(world.patient, 1)["flag"]

        assert (joined["id"], joined["level"]) == (flag_id, "moderate")
        assert (joined["status"], joined["round"]) == ("open", 2)
        assert in_danger(world.patient, 1)["flag"]["round"] == 2

    def test_a_sign_more_than_a_day_after_the_last_round_began_begins_another(
        self, timed_world: World, clock: Clock, direct: Direct, behind: Behind
    ) -> None:
        blocks = []
        for hours, seconds in ((0, 0), (23, 0), (1, 0), (0, 1), (23, 0), (1, 0), (0, 1)):
            clock.turn(hours=hours, seconds=seconds)
            blocks.append(in_danger(timed_world.patient.again(clock.at), 1))
            told_of(blocks[-1], clock, direct, behind)

        # A day goes by from the beginning of the round and not from the sign before.
        assert [block["flag"]["round"] for block in blocks] == [1, 1, 1, 2, 2, 2, 3]
        assert behind.rows(
            "SELECT round FROM notice WHERE flag_id = %s ORDER BY round", blocks[0]["flag"]["id"]
        ) == [(1,), (2,), (3,)]

    def test_after_a_resolved_flag_a_sign_begins_another(
        self, world: World, behind: Behind
    ) -> None:
        first = in_danger(world.patient, 2)["flag"]
        behind.rows("UPDATE flag SET status = 'resolved' WHERE id = %s", first["id"])

        second = in_danger(world.patient, 1)["flag"]

        assert second["id"] != first["id"]
        assert (second["level"], second["round"]) == ("low", 1)

    def test_flag_evidence_ledger_and_promise_are_stored_together(
        self, world: World, behind: Behind
    ) -> None:
        before = behind.counts()
        flag = in_danger(world.patient, 2)["flag"]
        in_danger(world.patient, 3)
        in_danger(world.patient, 1)
        after = behind.counts()

        added = {name: after[name] - before[name] for name in after if after[name] > before[name]}
        # Three check-ins and what each did to the flag; the third began no round.
        assert added == {"check_in": 3, "flag": 1, "flag_evidence": 3, "ledger": 6, "outbox": 2}
        assert behind.rows(
            "SELECT action, entry_version FROM ledger WHERE entry_id = %s ORDER BY seq", flag["id"]
        ) == [("flag.raised", 1), ("flag.joined", 2), ("flag.joined", 3)]

    def test_no_promise_carries_words_or_scores(self, world: World, behind: Behind) -> None:
        flag = in_danger(world.patient, 2)["flag"]

        ((body,),) = behind.rows("SELECT body FROM outbox WHERE body->>'flag_id' = %s", flag["id"])
        assert body == {
            "flag_id": flag["id"],
            "patient_id": str(world.patient.patient_id),
            "round": 1,
        }


class TestInbox:
    def test_nobody_in_danger_is_an_empty_list(self, world: World) -> None:
        assert world.therapist.get("/v1/flags").json() == {"flags": [], "next_cursor": None}

    def test_a_flag_shows_its_evidence_to_the_therapist(self, world: World) -> None:
        answer = world.patient.post(CHECK_INS, a_check_in(answers=phq_9(9, item_nine=2))).json()

        (flag,) = world.therapist.get("/v1/flags").json()["flags"]

        assert flag["id"] == answer["safety"]["flag"]["id"]
        assert flag["patient_id"] == str(world.patient.patient_id)
        assert flag["patient_name"] == "A patient"
        (evidence,) = flag["evidence"]
        assert evidence["source_kind"] == "check_in"
        assert evidence["source_id"] == answer["id"]
        assert (evidence["level"], evidence["reasons"]) == ("moderate", ["phq-9.item-9"])

    def test_late_danger_says_how_late(self, timed_world: World, clock: Clock) -> None:
        in_danger(timed_world.patient, 2, recorded_at=clock.said(hours=-26))

        ((evidence,),) = (
            flag["evidence"] for flag in timed_world.therapist.get("/v1/flags").json()["flags"]
        )

        assert evidence["seconds_late"] == 26 * 3600

    def test_a_phone_whose_clock_is_wrong_makes_danger_neither_later_nor_earlier(
        self, timed_world: World, clock: Clock
    ) -> None:
        for days in (1, -1):
            in_danger(
                timed_world.patient,
                recorded_at=clock.said(days=days, hours=-2),
                sent_at=clock.said(days=days),
            )
        in_danger(timed_world.patient, recorded_at=clock.said(hours=3))

        (flag,) = timed_world.therapist.get("/v1/flags").json()["flags"]

        def since(name: str) -> list[float]:
            return [
                (datetime.fromisoformat(one[name]) - clock.at) / timedelta(hours=1)
                for one in flag["evidence"]
            ]

        # As it was sent, and where it stands in time.
        assert sorted(since("recorded_at")) == [-26, 3, 22]
        assert sorted(since("effective_at")) == [-2, -2, 0]
        assert since("received_at") == [0, 0, 0]
        assert sorted(one["seconds_late"] for one in flag["evidence"]) == [0, 7200, 7200]

    def test_of_much_evidence_the_newest_is_shown_in_its_order(
        self, timed_world: World, clock: Clock
    ) -> None:
        sent = []
        for _ in range(EVIDENCE_SHOWN + 2):
            answer = timed_world.patient.post(CHECK_INS, a_check_in(answers=[0] * 8 + [1]))
            sent.append(answer.json()["id"])
            clock.turn(seconds=1)

        (flag,) = timed_world.therapist.get("/v1/flags").json()["flags"]

        assert [one["source_id"] for one in flag["evidence"]] == sent[2:]

    @pytest.mark.parametrize("who", ["therapist", "administrator"])
    def test_a_name_that_cannot_be_opened_hides_no_flag(
        self, world: World, behind: Behind, who: str
    ) -> None:
        person: Person = getattr(world.here, who)
        in_danger(world.patient, 2)
        behind.rows("UPDATE patient SET contact = '\\x00' WHERE id = %s", world.patient.patient_id)

        (flag,) = person.get("/v1/flags").json()["flags"]

        assert (flag["patient_name"], flag["level"]) == (None, "moderate")

    def test_it_says_when_it_was_put_before_the_reader(
        self, timed_world: World, clock: Clock, direct: Direct
    ) -> None:
        keep_promises(direct, now() + timedelta(days=1))  # what other tests left
        in_danger(timed_world.patient, 2)
        (before,) = timed_world.therapist.get("/v1/flags").json()["flags"]
        clock.turn(seconds=5)
        keep_promises(direct, clock.at)

        (after,) = timed_world.therapist.get("/v1/flags").json()["flags"]

        assert before["told_at"] is None
        assert datetime.fromisoformat(after["told_at"]) == clock.at

    def test_a_new_round_has_not_been_told_until_it_is(
        self, timed_world: World, clock: Clock, direct: Direct
    ) -> None:
        keep_promises(direct, now() + timedelta(days=1))
        in_danger(timed_world.patient, 2)
        keep_promises(direct, clock.at)
        in_danger(timed_world.patient, 3)

        (flag,) = timed_world.therapist.get("/v1/flags").json()["flags"]

        assert (flag["round"], flag["told_at"]) == (2, None)

    def test_every_carer_is_told_and_nobody_else(
        self, timed_world: World, clock: Clock, direct: Direct, behind: Behind
    ) -> None:
        here = timed_world.here
        flag_id = in_danger(timed_world.patient, 2)["flag"]["id"]
        keep_promises(direct, clock.at)

        told = behind.rows("SELECT membership_id FROM notice WHERE flag_id = %s", flag_id)

        # A coach sees no flags' clinical detail, and the administrator only steps in for carers.
        assert told == [(here.therapist.membership_id,)]

    def test_without_a_carer_the_administrators_and_the_next_clinician_are_told_at_once(
        self, timed_world: World, clock: Clock, direct: Direct, behind: Behind
    ) -> None:
        here = timed_world.here
        block = in_danger(here.other_patient, 2)

        told = told_of(block, clock, direct, behind)

        assert set(told) == {here.therapist.membership_id, here.administrator.membership_id}
        assert len(told) == 2

    def test_a_promise_kept_twice_tells_once(
        self, timed_world: World, clock: Clock, direct: Direct, behind: Behind
    ) -> None:
        flag_id = in_danger(timed_world.patient, 2)["flag"]["id"]
        keep_promises(direct, clock.at)
        # As after a worker that died between telling and saying that it had.
        behind.rows("UPDATE outbox SET done_at = NULL WHERE body->>'flag_id' = %s", flag_id)

        keep_promises(direct, clock.at)

        assert behind.rows("SELECT count(*) FROM notice WHERE flag_id = %s", flag_id) == [(1,)]

    def test_an_administrator_sees_the_state_and_no_evidence(self, world: World) -> None:
        in_danger(world.patient, 2)
        in_danger(world.here.other_patient, 3)

        flags = world.administrator.get("/v1/flags").json()["flags"]

        assert [(flag["level"], flag["evidence"]) for flag in flags] == [
            ("high", []),
            ("moderate", []),
        ]

    def test_a_therapist_sees_only_those_they_care_for(self, world: World) -> None:
        in_danger(world.here.other_patient, 3)

        assert world.therapist.get("/v1/flags").json()["flags"] == []
        assert world.here.stranger.get("/v1/flags").json()["flags"] == []
        assert world.elsewhere.therapist.get("/v1/flags").json()["flags"] == []
        assert world.elsewhere.administrator.get("/v1/flags").json()["flags"] == []

    @pytest.mark.parametrize("who", ["patient", "coach"])
    def test_it_is_not_for_everybody(self, world: World, who: str) -> None:
        person: Person = getattr(world.here, who)

        assert person.get("/v1/flags").status_code == 403

    def test_a_resolved_flag_has_left_it(self, world: World, behind: Behind) -> None:
        flag_id = in_danger(world.patient, 2)["flag"]["id"]
        behind.rows("UPDATE flag SET status = 'resolved' WHERE id = %s", flag_id)

        assert world.therapist.get("/v1/flags").json()["flags"] == []

    def test_the_worst_come_first_and_then_the_oldest_page_by_page(
        self, timed_world: World, clock: Clock, direct: Direct
    ) -> None:
        flagged = six_in_danger(timed_world, clock, direct)
        reader = timed_world.therapist.again(clock.at)

        found: list[str] = []
        path: str | None = "/v1/flags?limit=2"
        while path is not None:
            answer = reader.get(path)
            found += [flag["patient_id"] for flag in answer.json()["flags"]]
            link = answer.headers.get("Link")
            path = link[1 : link.index(">")] if link else None

        assert found == flagged

    def test_a_cursor_is_of_one_readers_list(
        self, timed_world: World, clock: Clock, direct: Direct
    ) -> None:
        six_in_danger(timed_world, clock, direct)
        reader = timed_world.therapist.again(clock.at)
        cursor = reader.get("/v1/flags?limit=2").json()["next_cursor"]

        for person, path, sent in (
            (timed_world.administrator.again(clock.at), "/v1/flags", cursor),
            (reader, "/v1/caseload", cursor),
            (reader, "/v1/flags", "A" * len(cursor)),
            (reader, "/v1/flags", cursor[:-1]),
        ):
            answer = person.get(path, params={"cursor": sent})
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["pointer"] == "query:cursor"


def six_in_danger(world: World, clock: Clock, direct: Direct) -> list[str]:
    """Six more patients of the therapist with a flag each; their ids, most urgent first."""
    levels = [2, 3, 1, 3, 2, 1]

    def admit(db: Any) -> list[Person]:
        db.enter(world.here.id)
        client = world.patient.client
        return [a_patient(client, db, world.therapist, at=clock.at) for _ in levels]

    patients = direct.run(admit)
    for patient, level in zip(patients, levels, strict=True):
        in_danger(patient, level)
        clock.turn(seconds=30)
    order = sorted(range(6), key=lambda place: (-levels[place], place))
    return [str(patients[place].patient_id) for place in order]
