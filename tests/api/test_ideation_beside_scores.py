"""A score in remission can have suicidal thoughts in it: the same answer says so everywhere."""

from datetime import timedelta
from typing import Any

import pytest

from app.kernel.db import Direct
from tests.api.test_clinic_instruments import added
from tests.api.test_report import page, report
from tests.api.test_trajectories import MINE, answered, dosed, trajectory
from tests.builders import World, a_check_in, now, phq_9, withdrawn
from tests.console.browser import at_work

TOTAL_FOUR = phq_9(4, item_nine=1)
"""In remission by points, with thoughts on several days."""

TWO_QUESTIONS = """
key = "own-two"
version = "{version}"
title = "Our own two questions"
lead_in = "Today:"
direction = "lower-is-better"
missing = "every-item-required"
languages = ["en"]
licence = "Ours"
notice = "Ours"
source = "Ours"
convention = true

[recall]
text = "Today"
days = 1
minimum_days_from_dose = 0
source = "Ours"
convention = true

[[options]]
value = 0
label = "No"

[[options]]
value = 1
label = "A little"

[[options]]
value = 2
label = "Much"

{items}

[total]

[suicide_item]
item = "thoughts"
levels = {{ 1 = "low", 2 = "moderate" }}
source = "Ours"
convention = true
"""


def latest(world: World, query: str = "", instrument: str = "phq-9") -> dict[str, Any]:
    told: dict[str, Any] = trajectory(world.patient, f"{MINE}/{instrument}{query}")["latest"]
    return told


@pytest.fixture
def remitted(world: World) -> World:
    """20 before a dose, 4 after it, with an answer of 1 to item 9."""
    answered(world.patient, 20, phq_9(20))
    dosed(world, 15)
    answered(world.patient, 1, TOTAL_FOUR)
    return world


class TestNumbers:
    def test_a_remission_with_suicidal_thoughts_says_both(self, remitted: World) -> None:
        told = latest(remitted)

        assert (told["score"], told["remission"]) == (4, True)
        assert told["ideation"] == {
            "item": "item-9",
            "answer": 1,
            "maximum": 3,
            "reported": True,
        }

    def test_an_answer_of_zero_is_told_as_one(self, world: World) -> None:
        answered(world.patient, 1, phq_9(4))

        assert latest(world)["ideation"]["answer"] == 0
        assert latest(world)["ideation"]["reported"] is False

    def test_it_belongs_to_the_score_that_is_shown_and_to_no_other(self, remitted: World) -> None:
        answered(remitted.patient, 0.5, [0, None, 0, 0, 0, 0, 0, 0, 3])
        until = (now() - timedelta(days=10)).isoformat().replace("+", "%2B")

        assert latest(remitted)["ideation"]["answer"] == 1
        assert latest(remitted, f"?until={until}")["ideation"]["answer"] == 0
        several = remitted.patient.get(f"{MINE}?series=phq-9&until={until}").json()
        assert several["trajectories"][0]["latest"]["ideation"]["answer"] == 0

    @pytest.mark.parametrize("first", [0, 1])
    def test_of_two_answers_at_one_instant_it_belongs_to_the_one_whose_score_is_told(
        self, world: World, first: int
    ) -> None:
        recorded_at = (now() - timedelta(days=1)).isoformat()
        ids = ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002")
        sent = ((ids[first], phq_9(4)), (ids[1 - first], phq_9(7, item_nine=2)))
        for check_in_id, answers in sent:
            body = a_check_in(id=check_in_id, answers=answers, recorded_at=recorded_at)
            assert world.patient.post("/v1/patients/me/check-ins", body).status_code == 201

        told = latest(world)

        assert (told["score"], told["ideation"]["answer"]) in ((4, 0), (7, 2))
        assert told["score"] == (4 if first else 7)

    def test_a_withdrawn_answer_is_none(self, remitted: World) -> None:
        path = "/v1/patients/me/check-ins"
        newest = remitted.patient.get(path).json()["check_ins"][0]
        withdrawn(remitted.patient, f"{path}/{newest['id']}", 1)

        assert latest(remitted)["ideation"]["answer"] == 0

    def test_where_nobody_asks_there_is_nothing(self, world: World) -> None:
        answered(world.patient, 1, [1] * 7, instrument="gad-7")

        assert latest(world, instrument="gad-7")["ideation"] is None

    def test_each_version_of_an_instrument_is_read_by_its_own_order_of_questions(
        self, world: World
    ) -> None:
        items = [f'[[items]]\nkey = "{key}"\ntext = "{key}"\n' for key in ("mood", "thoughts")]
        added(world, TWO_QUESTIONS.format(version="1", items="\n".join(items)))
        answered(world.patient, 2, [0, 2], instrument="own-two")
        added(world, TWO_QUESTIONS.format(version="2", items="\n".join(items[::-1])))

        before = latest(world, instrument="own-two")
        answered(world.patient, 1, [1, 0], instrument="own-two")

        assert (before["score"], before["ideation"]["answer"]) == (2, 2)
        assert latest(world, instrument="own-two")["ideation"]["answer"] == 1


class TestReport:
    def test_remission_is_said_to_be_by_points_alone(self, remitted: World) -> None:
        outcomes = {one["key"]: one for one in report(remitted)["outcomes"]}

        assert next(iter(outcomes)) == "ideation"
        assert outcomes["ideation"]["value"] == "reported: 1 of 3, several days"
        assert outcomes["remission"]["value"].startswith("yes, by points alone")
        assert "suicidal thoughts were reported" in page(remitted)

    def test_without_them_remission_is_as_published(self, world: World) -> None:
        answered(world.patient, 20, phq_9(20))
        answered(world.patient, 1, phq_9(4))

        outcomes = {one["key"]: one["value"] for one in report(world)["outcomes"]}

        assert outcomes["remission"] == "yes"
        assert outcomes["ideation"] == "not reported: 0 of 3, not at all"


class TestConsole:
    @pytest.mark.parametrize("path", ["", "/trajectories?scale=phq-9"])
    def test_no_page_says_remission_and_leaves_it_there(
        self, remitted: World, direct: Direct, path: str
    ) -> None:
        browser = at_work(direct, remitted.therapist, now())

        shown = browser.get(f"/console/patients/{remitted.patient.patient_id}{path}").text

        assert "by points" in shown
        assert "Suicidal thoughts" in shown
        assert "1 of 3" in shown

    @pytest.mark.parametrize("path", ["", "/trajectories?scale=phq-9"])
    def test_a_remission_without_them_stands_by_itself(
        self, world: World, direct: Direct, path: str
    ) -> None:
        answered(world.patient, 20, phq_9(20))
        answered(world.patient, 1, phq_9(4))
        browser = at_work(direct, world.therapist, now())

        shown = browser.get(f"/console/patients/{world.patient.patient_id}{path}").text

        assert "Remission" in shown
        assert "by points" not in shown
