"""The flags of a clinic, as those see them who may."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from app.kernel.db import Direct
from app.safety.inbox import EVIDENCE_SHOWN
from tests.api.danger import CHECK_INS, in_danger, keep_promises, told_of
from tests.builders import Person, World, a_check_in, a_patient, now, phq_9
from tests.conftest import Behind, Clock


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
