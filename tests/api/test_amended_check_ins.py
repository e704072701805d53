"""Check-ins that are amended or withdrawn: what counts, and what is never taken back."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.builders import (
    Person,
    World,
    a_check_in,
    amended,
    now,
    phq_9,
    withdrawn,
)
from tests.conftest import Behind

CHECK_INS = "/v1/patients/me/check-ins"
PHQ_9 = "/v1/patients/me/trajectories/phq-9"
# Yes to the first two questions and no more; and the plan and the intent as well.
A_WISH = [1, 1, 0, 0, 0, 0, None]
AN_INTENT = [1, 1, 1, 1, 0, 0, None]


def sent(person: Person, **changes: Any) -> tuple[str, dict[str, Any]]:
    """The address of a check-in that was stored, and what it was sent with."""
    body = a_check_in(id=str(uuid4()), **changes)
    answer = person.post(CHECK_INS, body)
    assert answer.status_code == 201, answer.text
    return f"{CHECK_INS}/{body['id']}", body


def answered(item_nine: int | None, first: int = 2) -> list[int | None]:
    """A PHQ-9 by its last answer. first: another answer, that has nothing to do with danger."""
    return [first, 2, 1, 2, 1, 2, 1, 1, item_nine]


def flags(behind: Behind, world: World) -> list[tuple[Any, ...]]:
    """Level, status, round and number of signs of each of the patient's flags, oldest first."""
    return behind.rows(
        "SELECT level, status, round,"
        " (SELECT count(*) FROM flag_evidence WHERE flag_id = flag.id)"
        " FROM flag WHERE patient_id = %s ORDER BY raised_at",
        world.patient.patient_id,
    )


class TestScores:
    def test_it_is_scored_anew(self, world: World) -> None:
        path, body = sent(world.patient, answers=phq_9(20))

        told = amended(world.patient, path, body | {"answers": phq_9(4)}, 1)

        assert (told["total"], told["band"], told["status"]) == (4, "minimal", "final")
        assert world.patient.get(path).json()["total"] == 4

    def test_an_answer_may_be_taken_back(self, world: World) -> None:
        path, body = sent(world.patient, extras={"difficulty": 1})

        told = amended(world.patient, path, body | {"answers": [None, *phq_9(4)[1:]]}, 1)

        assert (told["total"], told["complete"], told["extras"]) == (None, False, {"difficulty": 1})

    def test_what_cannot_be_answered_is_refused_and_changes_nothing(
        self, world: World, behind: Behind
    ) -> None:
        path, body = sent(world.patient)
        before = behind.counts()

        answer = world.patient.put(path, body | {"answers": [9] * 9}, base=1)

        assert answer.status_code == 422
        assert {fault["pointer"] for fault in answer.json()["errors"]} == {
            f"/answers/{place}" for place in range(9)
        }
        assert behind.counts() == before

    def test_it_stays_of_its_instrument(self, world: World) -> None:
        path, body = sent(world.patient)

        answer = world.patient.put(path, body | {"instrument": "gad-7", "answers": [1] * 7}, base=1)

        assert answer.status_code == 422
        assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/instrument"]

    def test_its_trajectory_follows(self, world: World) -> None:
        first, _ = sent(
            world.patient,
            answers=phq_9(20),
            recorded_at=(now() - timedelta(days=20)).isoformat(),
        )
        second, body = sent(world.patient, answers=phq_9(10))

        amended(world.patient, second, body | {"answers": phq_9(5)}, 1)
        changed = world.patient.get(PHQ_9).json()
        withdrawn(world.patient, first, 1)
        left = world.patient.get(PHQ_9).json()

        assert (changed["points"]["score"], changed["points"]["change"]) == ([20, 5], [0, -15])
        assert (left["points"]["score"], left["baseline"]["score"]) == ([5], 5)

    def test_the_caseload_follows(self, world: World) -> None:
        path, body = sent(world.patient, answers=phq_9(20))

        def case() -> tuple[Any, Any]:
            [row] = world.therapist.get("/v1/caseload").json()["patients"]
            return row["last_phq9_total"], row["last_check_in_at"]

        totals = [case()[0]]
        amended(world.patient, path, body | {"answers": phq_9(5)}, 1)
        totals.append(case()[0])
        withdrawn(world.patient, path, 2)

        assert totals == [20, 5]
        assert case() == (None, None)

    def test_a_list_of_one_instrument_has_only_what_stands(self, world: World) -> None:
        path, _ = sent(world.patient)
        other, _ = sent(world.patient)

        withdrawn(world.patient, path, 1)

        for query in ("", "?instrument=phq-9"):
            listed = world.patient.get(f"{CHECK_INS}{query}").json()["check_ins"]
            assert [one["id"] for one in listed] == [other.rpartition("/")[2]]


class TestWhoMay:
    @pytest.mark.parametrize("who", ["therapist", "coach", "administrator"])
    def test_nobody_changes_what_a_patient_answered(self, world: World, who: str) -> None:
        person: Person = getattr(world.here, who)
        path, body = sent(world.patient)
        path = path.replace("/v1/patients/me", world.patient.record)

        answers = [
            person.put(path, body | {"answers": phq_9(5)}, base=1),
            person.delete(path, base=1),
        ]

        assert [answer.status_code for answer in answers] == [403, 403]
        assert world.patient.get(path).json()["version"] == 1

    def test_scores_do_not_take_the_place_of_answers(self, world: World) -> None:
        path, body = sent(world.patient)
        path = path.replace("/v1/patients/me", world.patient.record)
        scores = {"instrument": "phq-9", "scores": {"total": 3}, "recorded_at": body["recorded_at"]}

        assert world.therapist.put(path, scores, base=1).status_code == 422
        assert world.patient.get(path).json()["version"] == 1

    def test_recorded_scores_are_changed_by_clinicians_and_not_by_the_patient(
        self, world: World
    ) -> None:
        list_path = f"{world.patient.record}/check-ins"
        body = {
            "id": str(uuid4()),
            "instrument": "madrs",
            "scores": {"total": 30},
            "recorded_at": now().isoformat(),
        }
        path = f"{list_path}/{body['id']}"
        assert world.therapist.post(list_path, body).status_code == 201

        refused = [
            world.patient.put(path, body | {"scores": {"total": 3}}, base=1),
            world.patient.delete(path, base=1),
        ]
        told = amended(world.therapist, path, body | {"scores": {"total": 31}}, 1)
        gone = withdrawn(world.therapist, path, 2)

        assert [answer.status_code for answer in refused] == [403, 403]
        assert (told["scores"], told["total"]) == ({"total": 31}, 31)
        assert gone["scores"] == {"total": 31}
        versions = world.patient.get(f"{path}/versions").json()["versions"]
        assert [one["by"] for one in versions] == ["clinician"] * 3
        assert [one["check_in"]["scores"]["total"] for one in versions] == [30, 31, 31]


class TestFlags:
    def test_the_answer_has_the_safety_block(self, world: World) -> None:
        path, body = sent(world.patient)

        told = amended(world.patient, f"{path}?country=DE", body | {"answers": answered(1)}, 1)

        block = told["safety"]
        assert (block["assessed"], block["level"]) == (True, "low")
        assert block["reasons"] == ["phq-9.item-9"]
        assert (block["country"], block["emergency_number"]) == ("DE", "112")
        assert block["crisis_lines"]

    @pytest.mark.parametrize("item_nine", [0, 1, None])
    def test_a_lower_answer_clears_and_lowers_nothing(
        self, world: World, behind: Behind, item_nine: int | None
    ) -> None:
        path, body = sent(world.patient, answers=answered(2))
        before = flags(behind, world)

        told = amended(world.patient, path, body | {"answers": answered(item_nine)}, 1)

        assert before == [("moderate", "open", 1, 1)]
        assert flags(behind, world) == before
        assert told["safety"]["flag"]["level"] == "moderate"
        assert told["level"] == told["safety"]["level"] == ("low" if item_nine else "none")
        assert told["assessed"] is (item_nine is not None)

    def test_a_withdrawal_clears_nothing(self, world: World, behind: Behind) -> None:
        path, _ = sent(world.patient, answers=answered(3))
        before = flags(behind, world)

        withdrawn(world.patient, path, 1)

        assert flags(behind, world) == before == [("high", "open", 1, 1)]
        [flag] = world.therapist.get("/v1/flags").json()["flags"]
        assert (flag["level"], flag["status"]) == ("high", "open")

    def test_danger_that_was_not_there_before_raises_a_flag(
        self, world: World, behind: Behind
    ) -> None:
        path, body = sent(world.patient, answers=answered(0))
        assert flags(behind, world) == []

        told = amended(world.patient, path, body | {"answers": answered(1)}, 1)

        assert flags(behind, world) == [("low", "open", 1, 1)]
        assert told["safety"]["flag"]["level"] == "low"
        assert behind.rows(
            "SELECT count(*) FROM outbox WHERE clinic_id = %s AND topic = 'flag.round'",
            world.here.id,
        ) == [(1,)]

    def test_an_item_that_was_skipped_and_is_answered_now_raises_one_too(
        self, world: World, behind: Behind
    ) -> None:
        path, body = sent(world.patient, answers=answered(None))

        amended(world.patient, path, body | {"answers": answered(2)}, 1)

        assert flags(behind, world) == [("moderate", "open", 1, 1)]

    def test_greater_danger_joins_it_in_a_new_round(self, world: World, behind: Behind) -> None:
        path, body = sent(world.patient, answers=answered(1))

        told = amended(world.patient, path, body | {"answers": answered(3)}, 1)

        assert flags(behind, world) == [("high", "open", 2, 2)]
        assert (told["safety"]["flag"]["level"], told["safety"]["flag"]["round"]) == ("high", 2)

    def test_danger_that_stays_is_no_new_sign(self, world: World, behind: Behind) -> None:
        path, body = sent(world.patient, answers=answered(2))

        told = amended(world.patient, path, body | {"answers": answered(2, first=3)}, 1)

        assert flags(behind, world) == [("moderate", "open", 1, 1)]
        assert told["safety"]["flag"]["level"] == told["safety"]["level"] == "moderate"

    def test_danger_that_was_taken_back_and_is_said_again_is_a_sign(
        self, world: World, behind: Behind
    ) -> None:
        path, body = sent(world.patient, answers=answered(1))
        amended(world.patient, path, body | {"answers": answered(0)}, 1)

        amended(world.patient, path, body | {"answers": answered(1)}, 2)

        assert flags(behind, world) == [("low", "open", 1, 2)]

    def test_another_question_of_a_screener_is_another_sign(
        self, world: World, behind: Behind
    ) -> None:
        switch_on(behind, world, "c-ssrs-screener")
        path, body = sent(world.patient, instrument="c-ssrs-screener", answers=A_WISH)
        [(level, _, _, signs)] = flags(behind, world)

        told = amended(world.patient, path, body | {"answers": AN_INTENT}, 1)

        assert (level, signs) == ("low", 1)
        assert flags(behind, world) == [("high", "open", 2, 2)]
        assert set(told["safety"]["reasons"]) == {
            f"c-ssrs-screener.item-{place}" for place in (1, 2, 3, 4)
        }

    def test_also_one_that_is_no_graver(self, world: World, behind: Behind) -> None:
        switch_on(behind, world, "c-ssrs-screener")
        path, body = sent(world.patient, instrument="c-ssrs-screener", answers=AN_INTENT)
        a_plan_too = [*AN_INTENT[:4], 1, *AN_INTENT[5:]]

        told = amended(world.patient, path, body | {"answers": a_plan_too}, 1)
        amended(world.patient, path, body | {"answers": AN_INTENT}, 2)

        # It begins a round of its own, as every sign of the highest level does.
        assert flags(behind, world) == [("high", "open", 2, 2)]
        assert "c-ssrs-screener.item-5" in told["safety"]["reasons"]

    def test_a_question_that_is_left_out_now_is_none(self, world: World, behind: Behind) -> None:
        switch_on(behind, world, "c-ssrs-screener")
        path, body = sent(world.patient, instrument="c-ssrs-screener", answers=AN_INTENT)

        told = amended(world.patient, path, body | {"answers": [*AN_INTENT[:5], None, None]}, 1)

        assert "not-assessed" in told["safety"]["reasons"]
        assert flags(behind, world) == [("high", "open", 1, 1)]

    def test_a_retried_amendment_raises_nothing_new(self, world: World, behind: Behind) -> None:
        path, body = sent(world.patient, answers=answered(0))
        worse = body | {"answers": answered(3)}
        first = amended(world.patient, path, worse, 1)
        before = behind.counts()

        again = world.patient.put(path, worse, base=1)

        assert again.json()["safety"]["flag"] == first["safety"]["flag"]
        assert behind.counts() == before

    def test_after_its_flag_was_resolved_greater_danger_begins_another(
        self, world: World, behind: Behind
    ) -> None:
        path, body = sent(world.patient, answers=answered(1))
        resolve(behind, world)
        worse = body | {"answers": answered(3)}

        told = amended(world.patient, path, worse, 1)
        again = world.patient.put(path, worse, base=1).json()
        calmer = amended(world.patient, path, body | {"answers": answered(0)}, 2)

        assert flags(behind, world) == [("low", "resolved", 1, 1), ("high", "open", 1, 1)]
        # Two flags come from this check-in by now; the newest is the one to know of.
        for one in (told, again, calmer):
            assert (one["safety"]["flag"]["level"], one["safety"]["flag"]["status"]) == (
                "high",
                "open",
            )

    def test_after_its_flag_was_resolved_the_same_danger_is_no_new_one(
        self, world: World, behind: Behind
    ) -> None:
        path, body = sent(world.patient, answers=answered(1))
        resolve(behind, world)

        told = amended(world.patient, path, body | {"answers": answered(1, first=3)}, 1)

        assert flags(behind, world) == [("low", "resolved", 1, 1)]
        assert told["safety"]["flag"]["status"] == "resolved"

    def test_sent_again_as_new_it_names_the_flag_that_came_since(self, world: World) -> None:
        path, body = sent(world.patient, answers=answered(0))
        told = amended(world.patient, path, body | {"answers": answered(3)}, 1)

        again = world.patient.post(CHECK_INS, body)

        assert again.status_code == 200
        assert (again.json()["version"], again.json()["level"]) == (2, "high")
        assert again.json()["safety"]["flag"] == told["safety"]["flag"]


class TestBaseline:
    def test_a_baseline_that_was_withdrawn_gives_way_to_the_rule(self, world: World) -> None:
        _, _ = sent(
            world.patient,
            answers=phq_9(20),
            recorded_at=(now() - timedelta(days=20)).isoformat(),
        )
        path, _ = sent(world.patient, answers=phq_9(16), recorded_at=now().isoformat())
        pin(world, path)
        before = world.patient.get(PHQ_9).json()["baseline"]

        withdrawn(world.patient, path, 1)

        after = world.patient.get(PHQ_9).json()["baseline"]
        assert (before["rule"], before["score"]) == ("pinned", 16)
        assert (after["rule"], after["score"]) == ("first-complete", 20)

    def test_what_is_sent_in_its_place_for_the_same_instant_is_not_pinned_with_it(
        self, world: World
    ) -> None:
        at = now().isoformat()
        sent(
            world.patient,
            answers=phq_9(20),
            recorded_at=(now() - timedelta(days=20)).isoformat(),
        )
        path, _ = sent(world.patient, answers=phq_9(16), recorded_at=at)
        pin(world, path)

        withdrawn(world.patient, path, 1)
        sent(world.patient, answers=phq_9(8), recorded_at=at)

        told = world.patient.get(PHQ_9).json()
        assert (told["baseline"]["rule"], told["baseline"]["score"]) == ("first-complete", 20)

    def test_an_amended_baseline_is_measured_from_as_it_now_is(self, world: World) -> None:
        sent(world.patient, answers=phq_9(20), recorded_at=(now() - timedelta(days=9)).isoformat())
        path, body = sent(world.patient, answers=phq_9(16))
        pin(world, path)
        moved_to = now() - timedelta(days=2)

        amended(
            world.patient,
            path,
            body | {"answers": phq_9(10), "recorded_at": moved_to.isoformat()},
            1,
        )

        told = world.patient.get(PHQ_9).json()["baseline"]
        assert (told["rule"], told["score"]) == ("pinned", 10)
        assert datetime.fromisoformat(told["effective_at"]) == moved_to

    def test_a_baseline_that_is_no_longer_complete_gives_way_too(self, world: World) -> None:
        sent(world.patient, answers=phq_9(20), recorded_at=(now() - timedelta(days=9)).isoformat())
        path, body = sent(world.patient, answers=phq_9(16))
        pin(world, path)

        amended(world.patient, path, body | {"answers": [None, *phq_9(16)[1:]]}, 1)

        assert world.patient.get(PHQ_9).json()["baseline"]["rule"] == "first-complete"

    def test_what_was_withdrawn_cannot_be_chosen(self, world: World) -> None:
        path, _ = sent(world.patient)
        withdrawn(world.patient, path, 1)

        answer = world.therapist.post(
            f"{world.patient.record}/baselines",
            {"instrument": "phq-9", "check_in_id": path.rpartition("/")[2]},
        )

        assert answer.status_code == 422
        assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/check_in_id"]


def pin(world: World, path: str) -> None:
    """The therapist measures from this check-in."""
    answer = world.therapist.post(
        f"{world.patient.record}/baselines",
        {"instrument": "phq-9", "check_in_id": path.rpartition("/")[2]},
    )
    assert answer.status_code == 201, answer.text


def resolve(behind: Behind, world: World) -> None:
    """Every flag of the patient, as a clinician would."""
    behind.rows(
        "UPDATE flag SET status = 'resolved' WHERE patient_id = %s", world.patient.patient_id
    )


def switch_on(behind: Behind, world: World, instrument: str) -> None:
    """The clinic takes its answers from now on."""
    behind.rows(
        "UPDATE clinic SET instruments = jsonb_build_object(%s::text, true) WHERE clinic_id = %s",
        instrument,
        world.here.id,
    )


class TestOvertaken:
    """Danger in an amendment that another device's came before."""

    def test_it_flags_although_it_is_not_stored(self, world: World) -> None:
        check_in = world.patient.post(CHECK_INS, a_check_in()).json()
        path = f"{CHECK_INS}/{check_in['id']}"
        assert world.patient.put(path, a_check_in(answers=[1] * 8 + [0]), base=1).status_code == 200

        late = world.patient.put(path, a_check_in(answers=[1] * 8 + [3]), base=1)

        assert late.status_code == 412
        assert world.patient.get(path).json()["answers"] == [1] * 8 + [0]
        (flag,) = world.therapist.get("/v1/flags").json()["flags"]
        assert (flag["level"], flag["evidence"][0]["source_kind"]) == ("high", "check_in_overtaken")

    def test_sending_it_again_adds_nothing(self, world: World) -> None:
        check_in = world.patient.post(CHECK_INS, a_check_in()).json()
        path = f"{CHECK_INS}/{check_in['id']}"
        world.patient.put(path, a_check_in(answers=[1] * 8 + [0]), base=1)
        late = a_check_in(answers=[1] * 8 + [2])

        for _ in range(3):
            world.patient.put(path, late, base=1)

        (flag,) = world.therapist.get("/v1/flags").json()["flags"]
        assert (len(flag["evidence"]), flag["round"]) == (1, 1)

    def test_in_an_upload_the_answer_knows_of_it(self, world: World) -> None:
        check_in = world.patient.post(CHECK_INS, a_check_in()).json()
        world.patient.put(
            f"/v1/patients/me/check-ins/{check_in['id']}", a_check_in(answers=[1] * 9), base=1
        )
        change = {
            "kind": "check_in",
            "op": "amend",
            "id": check_in["id"],
            "base_version": 1,
            "entry": a_check_in(answers=[1] * 8 + [3]),
        }

        answer = world.patient.post("/v1/sync", {"changes": [change]}).json()

        assert answer["results"][0]["status"] == "conflict"
        assert (answer["safety"]["level"], answer["safety"]["flag"]["level"]) == ("high", "high")
