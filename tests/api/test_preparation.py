"""The checklist before a dose: who said what, what is on record, and what is missing."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.builders import (
    Person,
    World,
    a_check,
    a_check_in,
    a_course,
    a_dosing_session,
    a_planned_session,
    a_preparation,
    a_screening,
    ago,
    amended,
    an_administration,
    now,
)
from tests.conftest import Behind, Clock
from tests.contract.stage import A_PROTOCOL

Told = dict[str, Any]
SCREEN = "c-ssrs-since-last-contact"
NO_TO_ALL = {"instrument": SCREEN, "answers": [0, 0, None, None, None, 0]}


def sent(person: Person, world: World, many: str, body: Told) -> Told:
    answer = person.post(f"{world.patient.record}/{many}", body)
    assert answer.status_code == 201, answer.text
    told: Told = answer.json()
    return told


def visit(world: World, **changes: Any) -> str:
    told = sent(world.therapist, world, "dosing-sessions", a_planned_session(**changes))
    return str(told["id"])


def checklist(world: World, session_id: str, by: Person | None = None) -> Told:
    path = f"{world.patient.record}/dosing-sessions/{session_id}/preparation"
    answer = (by or world.therapist).get(path)
    assert answer.status_code == 200, answer.text
    told: Told = answer.json()
    return told


def item(told: Told, key: str) -> Told:
    [found] = [one for one in told["items"] if one["key"] == key]
    return found  # type: ignore[no-any-return]


def state(told: Told, key: str) -> tuple[str, str | None]:
    found = item(told, key)
    return found["state"], found["by"]


class TestChecklist:
    def test_what_nobody_spoke_to_is_unknown_and_a_gap(self, world: World) -> None:
        told = checklist(world, visit(world))

        assert state(told, "fasting") == ("unknown", None)
        assert state(told, "consent-current") == ("met", "record")
        assert set(told["gaps"]) == {
            *("escort-named", "fasting", "no-sedatives", "blood-pressure", "risk-screen"),
            "medicines-reviewed",
        }
        assert told["warnings"] == ["not-screened", "no-course"]
        assert not told["is_checked"]

    def test_patient_and_staff_each_do_their_part_and_all_is_met(self, world: World) -> None:
        session = visit(world)
        sent(world.therapist, world, "screenings", a_screening())
        course = sent(world.therapist, world, "courses", a_course())
        assert checklist(world, session)["warnings"] == ["course-takes-no-doses"]
        path = f"{world.patient.record}/courses/{course['id']}"
        amended(world.therapist, path, a_course(status="active"), 1)
        sent(world.patient, world, "check-ins", a_check_in(**NO_TO_ALL))
        answers = {"fasting": "yes", "escort-named": "yes", "no-sedatives": "yes"}

        sent(world.patient, world, "preparations", a_preparation(session, answers=answers))
        check = sent(world.therapist, world, "preparation-checks", a_check(session))

        told = checklist(world, session)
        assert (told["gaps"], told["warnings"], told["stops"]) == ([], [], [])
        assert told["is_checked"]
        assert state(told, "fasting") == ("met", "patient")
        assert state(told, "risk-screen") == ("met", "record")
        assert state(told, "blood-pressure") == ("met", "record")
        assert state(told, "medicines-reviewed") == ("met", "clinician")
        assert check["found"]["gaps"] == []

    def test_the_gaps_are_kept_with_the_check_as_they_were(self, world: World) -> None:
        session = visit(world)

        check = sent(world.therapist, world, "preparation-checks", a_check(session))
        sent(world.patient, world, "preparations", a_preparation(session))

        assert "fasting" in check["found"]["gaps"]
        assert "fasting" not in checklist(world, session)["gaps"]
        one = f"{world.patient.record}/preparation-checks/{check['id']}"
        assert "fasting" in world.therapist.get(one).json()["found"]["gaps"]

    def test_the_last_answer_counts_whoever_gave_it(self, world: World) -> None:
        session = visit(world)
        early = (now() - timedelta(hours=3)).isoformat()
        sent(world.patient, world, "preparations", a_preparation(session, recorded_at=early))

        sent(
            world.therapist,
            world,
            "preparation-checks",
            a_check(session, answers={"fasting": "no", "escort-named": "unknown"}),
        )

        told = checklist(world, session)
        assert state(told, "fasting") == ("not-met", "clinician")
        assert state(told, "escort-named") == ("unknown", "clinician")

    def test_a_blood_pressure_that_reaches_an_alarm_is_a_gap_whoever_calls_it_met(
        self, world: World
    ) -> None:
        session = visit(world)
        high = {"measured_at": now().isoformat(), "systolic": 180, "diastolic": 95}

        check = sent(
            world.therapist,
            world,
            "preparation-checks",
            a_check(session, reading=high, answers={"blood-pressure": "yes"}),
        )

        found = item(check["found"], "blood-pressure")
        assert (found["state"], found["reasons"]) == ("not-met", ["alarm-systolic"])

    def test_a_reading_without_a_pressure_takes_no_alarm_back(self, world: World) -> None:
        session = visit(world)
        high = {"measured_at": ago(15), "systolic": 190, "diastolic": 115}
        later = {"measured_at": ago(5), "spo2": 98}

        for reading, answers in ((high, {}), (later, {"blood-pressure": "yes"})):
            body = a_check(session, reading=reading, answers=answers)
            sent(world.therapist, world, "preparation-checks", body)

        found = item(checklist(world, session), "blood-pressure")
        assert found["state"] == "not-met"
        assert found["reasons"] == ["alarm-systolic", "alarm-diastolic"]

    def test_a_screening_that_leaves_a_hard_stop_open_is_warned_of(self, world: World) -> None:
        sent(world.therapist, world, "screenings", {**a_screening(), "answers": {"mania": "no"}})

        assert "screening-open" in checklist(world, visit(world))["warnings"]

    def test_a_hard_stop_and_an_open_flag_are_warned_of(self, world: World) -> None:
        sent(world.therapist, world, "screenings", a_screening(mania="yes"))
        sent(world.patient, world, "check-ins", a_check_in(answers=[1] * 8 + [3]))

        told = checklist(world, visit(world))

        assert {"hard-stop", "open-flag"} <= set(told["warnings"])
        assert told["stops"] == ["mania"]

    def test_of_a_visit_with_a_dose_it_is_told_as_it_stood_then(self, world: World) -> None:
        session = visit(world, started_at=(now() - timedelta(hours=2)).isoformat())
        before = (now() - timedelta(hours=3)).isoformat()
        sent(world.patient, world, "preparations", a_preparation(session, recorded_at=before))
        path = f"{world.patient.record}/dosing-sessions/{session}"
        amended(world.therapist, path, a_dosing_session(), 1)

        check = sent(world.therapist, world, "preparation-checks", a_check(session))

        told = checklist(world, session)
        assert told["as_of"] == world.therapist.get(path).json()["effective_at"]
        assert state(told, "fasting") == ("met", "patient")
        assert state(told, "medicines-reviewed") == ("unknown", None)
        assert not told["is_checked"]
        assert "medicines-reviewed" in check["found"]["gaps"]

    def test_nothing_that_comes_after_the_dose_changes_what_was_found(
        self, timed_world: World, clock: Clock, behind: Behind
    ) -> None:
        world = timed_world
        session = visit(world, started_at=clock.said(minutes=30))
        sent(world.patient, world, "preparations", a_preparation(session, recorded_at=clock.said()))
        reading = {"measured_at": clock.said(), "systolic": 128, "diastolic": 82}
        check = a_check(session, reading=reading, recorded_at=clock.said())
        sent(world.therapist, world, "preparation-checks", check)
        clock.turn(minutes=4)
        given = a_dosing_session(administrations=[an_administration(given_at=clock.said())])
        path = f"{world.patient.record}/dosing-sessions/{session}"
        amended(world.therapist, path, given, 1)
        before = checklist(world, session)

        clock.turn(minutes=4)
        published = world.administrator.put("/v1/clinic/protocol", A_PROTOCOL, base=1)
        assert published.status_code == 200
        world.therapist.post(f"{world.patient.record}/screenings", a_screening(mania="yes"))
        behind.rows(
            "UPDATE consent SET revoked_at = %s WHERE patient_id = %s RETURNING id",
            clock.at,
            world.patient.patient_id,
        )

        after = checklist(world, session, by=world.patient)
        assert after == before
        assert (after["protocol_version"], after["is_checked"]) == (0, True)
        assert after["warnings"] == ["not-screened", "no-course"]
        assert state(after, "consent-current") == ("met", "record")
        assert state(after, "fasting") == ("met", "patient")

    def test_the_patient_reads_it_too_and_a_stranger_does_not(self, world: World) -> None:
        session = visit(world)

        assert checklist(world, session, by=world.patient)["items"]
        path = f"{world.patient.record}/dosing-sessions/{session}/preparation"
        assert world.here.stranger.get(path).status_code == 404
        assert world.here.coach.get(path).status_code == 403
        missing = f"{world.patient.record}/dosing-sessions/{uuid4()}/preparation"
        assert world.therapist.get(missing).status_code == 404


class TestConsent:
    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ("expires_at = now() + interval '1 minute'", "expired"),
            ("notice_version = '0'", "older-notice"),
        ],
    )
    def test_a_consent_that_does_not_reach_to_the_visit_is_a_gap(
        self, world: World, behind: Behind, change: str, reason: str
    ) -> None:
        session = visit(world)
        behind.rows(
            f"UPDATE consent SET {change} WHERE patient_id = %s RETURNING id",
            world.patient.patient_id,
        )

        found = item(checklist(world, session), "consent-current")

        assert (found["state"], found["reasons"]) == ("not-met", [reason])

    def test_one_that_was_taken_back_is_seen_by_its_patient(
        self, world: World, behind: Behind
    ) -> None:
        session = visit(world)
        behind.rows(
            "UPDATE consent SET revoked_at = now() WHERE patient_id = %s RETURNING id",
            world.patient.patient_id,
        )

        found = item(checklist(world, session, by=world.patient), "consent-current")

        assert (found["state"], found["reasons"]) == ("not-met", ["revoked"])


class TestRiskScreen:
    def screened(self, world: World, **changes: Any) -> Told:
        sent(world.patient, world, "check-ins", a_check_in(**(NO_TO_ALL | changes)))
        return item(checklist(world, visit(world)), "risk-screen")

    def test_one_since_the_last_contact_is_read_from_the_check_ins(self, world: World) -> None:
        found = self.screened(world)

        assert (found["state"], found["by"], found["reasons"]) == ("met", "record", [])

    def test_what_it_raised_is_a_gap_and_no_tick_closes_it(self, world: World) -> None:
        session = visit(world)
        sent(
            world.patient,
            world,
            "check-ins",
            a_check_in(instrument=SCREEN, answers=[1, 1, 0, 1, 0, 0]),
        )
        sent(
            world.therapist,
            world,
            "preparation-checks",
            a_check(session, answers={"risk-screen": "yes"}),
        )

        found = item(checklist(world, session), "risk-screen")

        assert (found["state"], found["reasons"]) == ("not-met", ["risk-high"])

    def test_half_a_screen_is_none(self, world: World) -> None:
        found = self.screened(world, answers=[0, None, None, None, None, 0])

        assert (found["state"], found["reasons"]) == ("unknown", ["incomplete"])

    def test_one_of_the_day_before_yesterday_is_too_old(self, world: World) -> None:
        found = self.screened(world, recorded_at=(now() - timedelta(hours=30)).isoformat())

        assert (found["state"], found["reasons"]) == ("unknown", ["not-answered"])

    def test_one_from_before_the_last_dose_says_nothing_of_now(self, world: World) -> None:
        given = an_administration(given_at=(now() - timedelta(hours=3)).isoformat())
        sent(world.therapist, world, "dosing-sessions", a_dosing_session(administrations=[given]))

        found = self.screened(world, recorded_at=(now() - timedelta(hours=5)).isoformat())

        assert found["state"] == "unknown"

    def test_a_clinician_who_asked_in_person_may_say_so(self, world: World) -> None:
        session = visit(world)

        sent(
            world.therapist,
            world,
            "preparation-checks",
            a_check(session, answers={"risk-screen": "yes"}),
        )

        assert state(checklist(world, session), "risk-screen") == ("met", "clinician")


class TestSend:
    def test_the_patient_s_part_comes_with_an_upload(self, world: World) -> None:
        session = visit(world)
        change = {
            "kind": "preparation",
            "op": "create",
            "id": str(uuid4()),
            "entry": a_preparation(session, note="My sister comes."),
        }

        [result] = world.patient.post("/v1/sync", {"changes": [change]}).json()["results"]

        assert result["status"] == "created"
        assert state(checklist(world, session), "escort-named") == ("met", "patient")

    def test_an_item_the_protocol_does_not_have_is_kept_and_counts_for_nothing(
        self, world: World
    ) -> None:
        session = visit(world)

        told = sent(
            world.patient,
            world,
            "preparations",
            a_preparation(session, answers={"of-an-older-protocol": "yes"}),
        )

        assert told["answers"] == {"of-an-older-protocol": "yes"}
        assert "of-an-older-protocol" not in str(checklist(world, session))

    def test_its_note_is_sealed(self, world: World, behind: Behind) -> None:
        session = visit(world)
        sent(world.patient, world, "preparations", a_preparation(session, note="axolotl"))
        results = {"pregnancy-test": "axolotl"}
        sent(world.therapist, world, "preparation-checks", a_check(session, results=results))

        for table in ("preparation", "preparation_check"):
            assert "axolotl" not in str(behind.rows(f"SELECT {table}::text FROM {table}"))

    @pytest.mark.parametrize("key", ["medicines-reviewed", "blood-pressure", "consent-current"])
    def test_what_staff_answer_a_patient_does_not(self, world: World, key: str) -> None:
        body = a_preparation(visit(world), answers={key: "yes"})

        refused = world.patient.post("/v1/patients/me/preparations", body)

        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/answers"

    def test_neither_writes_the_other_s_part(self, world: World) -> None:
        session = visit(world)

        for person, many, body in (
            (world.therapist, "preparations", a_preparation(session)),
            (world.patient, "preparation-checks", a_check(session)),
        ):
            assert person.post(f"{world.patient.record}/{many}", body).status_code == 403

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"dosing_session_id": str(uuid4())}, "/dosing_session_id"),
            ({"answers": {"fast": "yes"}}, "/answers"),
            ({"results": {"fasting": "yes"}}, "/results"),
            ({"answers": {"blood-pressure": "yes"}, "reading": None}, "/reading"),
            ({"answers": {}, "reading": None}, ""),
            ({"reading": {"measured_at": now().isoformat()}}, "/reading"),
            (
                {"reading": {"measured_at": now().isoformat(), "systolic": 120}},
                "/reading/diastolic",
            ),
            (
                {
                    "reading": {
                        "measured_at": now().isoformat(),
                        "systolic": 80,
                        "diastolic": 120,
                    }
                },
                "/reading/diastolic",
            ),
            (
                {"reading": {"measured_at": "2090-01-01T00:00:00Z", "spo2": 98}},
                "/reading/measured_at",
            ),
        ],
    )
    def test_what_cannot_be_is_refused_by_place(
        self, world: World, change: Told, pointer: str
    ) -> None:
        body = a_check(visit(world)) | change

        refused = world.therapist.post(f"{world.patient.record}/preparation-checks", body)

        assert refused.status_code == 422
        assert [one["pointer"] for one in refused.json()["errors"]] == [pointer]

    def test_a_visit_of_somebody_else_is_none_of_theirs(self, world: World) -> None:
        elsewhere = world.elsewhere
        path = f"{elsewhere.patient.record}/dosing-sessions"
        theirs = elsewhere.therapist.post(path, a_planned_session()).json()["id"]

        refused = world.patient.post("/v1/patients/me/preparations", a_preparation(theirs))

        assert refused.status_code == 422
