"""A clinician decides which check-in change is measured from."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from httpx2 import Response

from tests.builders import Person, World, a_check_in, now, phq_9
from tests.conftest import Behind

PHQ_9 = "/v1/patients/me/trajectories/phq-9"


def answered(patient: Person, days_ago: float, answers: list[Any], **changes: Any) -> str:
    """The id of a check-in recorded so long ago."""
    recorded_at = (now() - timedelta(days=days_ago)).isoformat()
    answer = patient.post(
        "/v1/patients/me/check-ins",
        a_check_in(answers=answers, recorded_at=recorded_at, **changes),
    )
    return str(answer.json()["id"])


def pin(world: World, check_in_id: str | None, **members: Any) -> Response:
    """The therapist decides."""
    return world.therapist.post(
        f"{world.patient.record}/baselines",
        {"instrument": "phq-9", "check_in_id": check_in_id} | members,
    )


@pytest.fixture
def course(world: World) -> list[str]:
    """Ids of PHQ-9s of 20, 16 and 8 points, oldest first; no dose."""
    return [
        answered(world.patient, days_ago, phq_9(total))
        for days_ago, total in ((40, 20), (20, 16), (1, 8))
    ]


class TestPin:
    def test_change_is_measured_from_the_check_in_that_was_chosen(
        self, world: World, course: list[str]
    ) -> None:
        before = world.patient.get(PHQ_9).json()

        answer = pin(world, course[1])

        assert answer.status_code == 201, answer.text
        after = world.patient.get(PHQ_9).json()
        assert before["points"]["change"] == [0, -4, -12]
        assert after["points"]["change"] == [4, 0, -8]
        assert after["baseline"] == {
            "index": 1,
            "score": 16,
            "effective_at": after["points"]["effective_at"][1],
            "rule": "pinned",
            "provisional": False,
        }
        assert (after["latest"]["percent_change"], after["latest"]["response"]) == (-50.0, True)

    def test_the_last_word_counts(self, world: World, course: list[str]) -> None:
        for check_in_id in (course[1], course[2], course[1]):
            assert pin(world, check_in_id).status_code == 201

        assert world.patient.get(PHQ_9).json()["baseline"]["index"] == 1

    def test_without_a_check_in_the_usual_rule_is_back(
        self, world: World, course: list[str]
    ) -> None:
        pin(world, course[1])

        assert pin(world, None).status_code == 201

        assert world.patient.get(PHQ_9).json()["baseline"]["rule"] == "first-complete"

    def test_one_that_no_longer_stands_gives_its_place_to_no_neighbour(
        self, world: World, behind: Behind, course: list[str]
    ) -> None:
        pin(world, course[1])
        behind.rows("UPDATE check_in SET status = 'entered-in-error' WHERE id = %s", course[1])

        told = world.patient.get(PHQ_9).json()

        assert told["points"]["score"] == [20, 8]
        assert (told["baseline"]["rule"], told["baseline"]["score"]) == ("first-complete", 20)

    def test_it_is_the_same_however_little_is_shown(self, world: World, course: list[str]) -> None:
        pin(world, course[1])
        whole = world.patient.get(PHQ_9).json()

        for days_ago in (30, 10):
            bound = (now() - timedelta(days=days_ago)).isoformat()
            for name in ("since", "until"):
                told = world.patient.get(PHQ_9, params={name: bound}).json()
                shown = whole["baseline"]["effective_at"] in told["points"]["effective_at"]
                assert told["baseline"] | {"index": 1} == whole["baseline"]
                assert (told["baseline"]["index"] is not None) == shown

    def test_it_is_of_one_instrument(self, world: World, course: list[str]) -> None:
        for days_ago, answers in ((9, [2] * 7), (1, [1] * 7)):
            answered(world.patient, days_ago, answers, instrument="gad-7")

        pin(world, course[2])

        anxiety = world.patient.get("/v1/patients/me/trajectories/gad-7").json()
        assert anxiety["baseline"]["rule"] == "first-complete"

    def test_it_is_noted_in_the_ledger_and_the_access_log(
        self, world: World, behind: Behind, course: list[str]
    ) -> None:
        told = pin(world, course[1]).json()

        assert behind.rows(
            "SELECT action, actor_id FROM ledger WHERE entry_id = %s", told["id"]
        ) == [("baseline.pinned", world.therapist.membership_id)]
        assert behind.accesses(world.here.id)[-1] == (
            world.therapist.membership_id,
            world.patient.patient_id,
            "baseline.pin",
        )

    def test_the_same_decision_sent_again_is_made_once(
        self, world: World, behind: Behind, course: list[str]
    ) -> None:
        pin_id = str(uuid4())
        first = pin(world, course[1], id=pin_id)
        before = behind.counts()

        again = pin(world, course[1], id=pin_id)
        other = pin(world, course[2], id=pin_id)

        assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
        assert again.json() == first.json()
        after = behind.counts()
        assert after["baseline_pin"] == before["baseline_pin"]
        assert after["ledger"] == before["ledger"]


class TestRefusal:
    def test_an_incomplete_check_in_can_be_measured_from_by_nobody(self, world: World) -> None:
        unfinished = answered(world.patient, 1, [*phq_9(8)[:8], None])

        answer = pin(world, unfinished)

        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (
            422,
            "/check_in_id",
        )

    def test_neither_can_one_of_another_instrument_or_patient(
        self, world: World, course: list[str]
    ) -> None:
        theirs = answered(world.here.other_patient, 1, phq_9(9))
        anxiety = answered(world.patient, 1, [1] * 7, instrument="gad-7")

        for check_in_id in (theirs, anxiety, str(uuid4())):
            answer = pin(world, check_in_id)
            assert answer.status_code == 422
            assert answer.json()["errors"][0]["pointer"] == "/check_in_id"

    def test_nor_an_instrument_that_is_not_offered(self, world: World, course: list[str]) -> None:
        answer = pin(world, None, instrument="phq-7")

        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/instrument")

    @pytest.mark.parametrize(
        ("who", "status"),
        [
            ("patient", 403),
            ("coach", 403),
            ("administrator", 403),
            ("stranger", 404),
        ],
    )
    def test_it_is_for_those_who_treat_the_patient(
        self, world: World, course: list[str], who: str, status: int
    ) -> None:
        person: Person = getattr(world.here, who)

        answer = person.post(
            f"{world.patient.record}/baselines",
            {"instrument": "phq-9", "check_in_id": course[1]},
        )

        assert answer.status_code == status
        assert world.patient.get(PHQ_9).json()["baseline"]["rule"] == "first-complete"
