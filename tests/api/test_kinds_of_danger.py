"""Danger of two kinds, danger that nobody can ask further about, and danger of long ago."""

import json
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from app import worker
from app.kernel.db import Direct
from tests.builders import Person, World, a_check_in, amended, phq_9
from tests.conftest import Behind, Clock

CHECK_INS = "/v1/patients/me/check-ins"
WELL = [0, 0, 0, 0, 0]
BLOOD = [0, 0, 0, 0, 1]
BLOOD_AND_THOUGHTS = [0, 0, 0, 1, 4, 3, 0, 0]
"""Of the check after a dose."""


def sent(person: Person, **changes: Any) -> dict[str, Any]:
    """A check-in as it is answered."""
    answer = person.post(CHECK_INS, a_check_in(**changes))
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def bladder(answers: list[int], **changes: Any) -> dict[str, Any]:
    """Members of a bladder check."""
    return {"instrument": "bladder", "answers": answers} | changes


def item_nine(answer: int, **changes: Any) -> dict[str, Any]:
    """Members of a PHQ-9 whose last item is answered so."""
    return {"answers": phq_9(6 + answer, item_nine=answer)} | changes


def use(behind: Behind, world: World, **instruments: bool) -> None:
    """What this clinic has switched, and nothing else."""
    behind.rows(
        "UPDATE clinic SET instruments = %s WHERE clinic_id = %s",
        json.dumps({key.replace("_", "-"): is_on for key, is_on in instruments.items()}),
        world.here.id,
    )


def rounds_promised(behind: Behind, flag_id: str) -> list[int]:
    """Of a flag, those that a worker was asked to tell."""
    promised = behind.rows(
        "SELECT DISTINCT (body->>'round')::int AS told FROM outbox"
        " WHERE body->>'flag_id' = %s ORDER BY told",
        flag_id,
    )
    return [round_ for (round_,) in promised]


def keep_promises(direct: Direct, at: datetime) -> None:
    """Do what a worker does."""
    while worker.keep_one(direct, at):
        pass


class TestFollowUp:
    @pytest.mark.parametrize(("answer", "level"), [(1, "moderate"), (2, "high"), (3, "high")])
    def test_without_a_screener_a_sign_is_one_level_graver(
        self, world: World, behind: Behind, answer: int, level: str
    ) -> None:
        use(behind, world)

        block = sent(world.patient, **item_nine(answer))["safety"]

        assert (block["level"], block["flag"]["level"]) == (level, level)
        assert block["reasons"] == ["phq-9.item-9", "no-follow-up"]
        assert block["next_instrument"] is None

    def test_without_a_screener_no_sign_is_still_none(self, world: World, behind: Behind) -> None:
        use(behind, world)

        block = sent(world.patient, **item_nine(0))["safety"]

        assert (block["level"], block["reasons"], block["flag"]) == ("none", [], None)

    @pytest.mark.parametrize("key", ["c-ssrs-screener", "c-ssrs-since-last-contact"])
    def test_with_one_it_is_asked_next(self, world: World, behind: Behind, key: str) -> None:
        use(behind, world, **{key: True})

        in_danger = sent(world.patient, **item_nine(1))["safety"]
        well = sent(world.here.other_patient, **item_nine(0))["safety"]

        assert (in_danger["level"], in_danger["reasons"]) == ("low", ["phq-9.item-9"])
        assert in_danger["next_instrument"] == key
        assert well["next_instrument"] is None


class TestBody:
    def test_it_is_a_flag_of_its_own_beside_the_other(self, world: World) -> None:
        mind = sent(world.patient, **item_nine(3))["safety"]["flag"]
        body = sent(world.patient, **bladder(BLOOD))["safety"]["flag"]

        assert (mind["kind"], mind["level"]) == ("suicide-risk", "high")
        assert (body["kind"], body["level"], body["round"]) == ("physical", "moderate", 1)
        assert body["id"] != mind["id"]
        shown = world.therapist.get("/v1/flags").json()["flags"]
        assert [flag["id"] for flag in shown] == [mind["id"], body["id"]]

    def test_its_help_is_no_crisis_line(self, world: World) -> None:
        block = sent(world.patient, **bladder(BLOOD))["safety"]

        assert (block["crisis_lines"], block["emergency_number"]) == ([], "911")
        assert block["clinic_phone"]
        assert (block["level"], block["reasons"]) == ("moderate", ["bladder.clinician-task"])
        assert (block["assessed"], block["safety_plan"]) == (False, None)
        # Whoever bleeds is not asked about suicide for it.
        assert block["next_instrument"] is None

    def test_sent_again_it_is_told_the_same(self, world: World, behind: Behind) -> None:
        check_in = a_check_in(**bladder(BLOOD, id=str(uuid4())))
        first, again = (world.patient.post(CHECK_INS, check_in) for _ in range(2))

        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json()["safety"] == first.json()["safety"]
        assert rounds_promised(behind, first.json()["safety"]["flag"]["id"]) == [1]

    def test_thoughts_of_death_beside_it_keep_their_crisis_lines_when_sent_again(
        self, world: World
    ) -> None:
        sent(world.patient, **item_nine(1))
        body = a_check_in(id=str(uuid4()), instrument="aftercare", answers=BLOOD_AND_THOUGHTS)

        first, again = (world.patient.post(CHECK_INS, body).json() for _ in range(2))

        for told in (first["safety"], again["safety"]):
            assert (told["level"], told["flag"]["kind"]) == ("high", "suicide-risk")
            assert told["crisis_lines"]

    def test_an_amendment_that_came_too_late_raises_both(self, world: World) -> None:
        check_in = sent(world.patient, instrument="aftercare", answers=[0] * 8)
        path = f"{CHECK_INS}/{check_in['id']}"
        amended(world.patient, path, a_check_in(instrument="aftercare", answers=[1] + [0] * 7), 1)
        late = a_check_in(instrument="aftercare", answers=BLOOD_AND_THOUGHTS)

        assert world.patient.put(path, late, base=1).status_code == 412

        kinds = {one["kind"] for one in world.therapist.get("/v1/flags").json()["flags"]}
        assert kinds == {"physical", "suicide-risk"}

    def test_a_body_without_danger_raises_nothing(self, world: World) -> None:
        block = sent(world.patient, **bladder([2, 2, 2, 2, 0]))["safety"]

        assert (block["flag"], block["level"]) == (None, "none")
        assert block["crisis_lines"]

    def test_amending_raises_one_only_when_it_is_new(self, world: World, behind: Behind) -> None:
        first = sent(world.patient, **bladder(WELL))
        path = f"{CHECK_INS}/{first['id']}"
        at = first["recorded_at"]

        found = amended(world.patient, path, a_check_in(**bladder(BLOOD, recorded_at=at)), 1)
        more = a_check_in(**bladder([1, *BLOOD[1:]], recorded_at=at))
        same = amended(world.patient, path, more, 2)

        flag = found["safety"]["flag"]
        assert (flag["kind"], flag["level"]) == ("physical", "moderate")
        assert same["safety"]["flag"] == flag
        assert (same["safety"]["level"], same["safety"]["crisis_lines"]) == ("moderate", [])
        assert behind.rows("SELECT count(*) FROM flag_evidence WHERE flag_id = %s", flag["id"]) == [
            (1,)
        ]

    def test_an_amendment_that_came_too_late_still_raises_it(self, world: World) -> None:
        first = sent(world.patient, **bladder(WELL))
        path = f"{CHECK_INS}/{first['id']}"
        at = first["recorded_at"]
        amended(world.patient, path, a_check_in(**bladder([1, 0, 0, 0, 0], recorded_at=at)), 1)

        late = world.patient.put(path, a_check_in(**bladder(BLOOD, recorded_at=at)), base=1)

        assert late.status_code == 412
        (flag,) = world.patient.get("/v1/patients/me/flags").json()["flags"]
        assert (flag["kind"], flag["level"]) == ("physical", "moderate")


class TestLongAgo:
    def long_ago(self, world: World, clock: Clock, **since: float) -> dict[str, Any]:
        """The answer to the gravest sign, recorded so long before now."""
        return sent(world.patient, **item_nine(3, recorded_at=clock.said(**since)))

    def test_it_alarms_nobody_and_says_so(
        self, timed_world: World, clock: Clock, direct: Direct, behind: Behind
    ) -> None:
        block = self.long_ago(timed_world, clock, days=-15)["safety"]
        keep_promises(direct, clock.at)

        flag = block["flag"]
        assert (flag["is_historic"], flag["level"], flag["round"]) == (True, "high", 1)
        assert rounds_promised(behind, flag["id"]) == []
        assert behind.rows("SELECT * FROM notice WHERE flag_id = %s", flag["id"]) == []
        assert "nobody was alerted" in block["monitoring_statement"]
        assert "put in front of" not in block["monitoring_statement"]
        assert block["crisis_lines"]

    def test_it_stands_below_all_else(self, timed_world: World, clock: Clock) -> None:
        old = self.long_ago(timed_world, clock, days=-15)["safety"]["flag"]["id"]
        other = timed_world.here.other_patient
        low = sent(other, **item_nine(1, recorded_at=clock.said()))["safety"]["flag"]["id"]

        shown = timed_world.administrator.get("/v1/flags").json()["flags"]

        assert [flag["id"] for flag in shown] == [low, old]
        assert [flag["is_historic"] for flag in shown] == [False, True]
        assert [flag["kind"] for flag in shown] == ["suicide-risk", "suicide-risk"]

    def test_fresh_evidence_makes_it_a_round(
        self, timed_world: World, clock: Clock, behind: Behind
    ) -> None:
        old = self.long_ago(timed_world, clock, days=-15)["safety"]["flag"]
        fresh = sent(timed_world.patient, **item_nine(1, recorded_at=clock.said()))
        flag = fresh["safety"]["flag"]

        assert (flag["id"], flag["round"], flag["is_historic"]) == (old["id"], 2, False)
        assert rounds_promised(behind, flag["id"]) == [2]
        assert "nobody was alerted" not in fresh["safety"]["monitoring_statement"]

    def test_old_evidence_joins_a_fresh_flag_in_silence(
        self, timed_world: World, clock: Clock, behind: Behind
    ) -> None:
        fresh = sent(timed_world.patient, **item_nine(1, recorded_at=clock.said()))
        joined = self.long_ago(timed_world, clock, days=-15)["safety"]["flag"]

        assert joined == fresh["safety"]["flag"]
        assert rounds_promised(behind, joined["id"]) == [1]

    @pytest.mark.parametrize("since", [{"hours": -9}, {"days": -14}])
    def test_what_is_only_late_is_told(
        self,
        timed_world: World,
        clock: Clock,
        direct: Direct,
        behind: Behind,
        since: dict[str, float],
    ) -> None:
        flag = self.long_ago(timed_world, clock, **since)["safety"]["flag"]
        keep_promises(direct, clock.at)

        assert not flag["is_historic"]
        told = behind.rows("SELECT membership_id FROM notice WHERE flag_id = %s", flag["id"])
        assert (timed_world.therapist.membership_id,) in told
