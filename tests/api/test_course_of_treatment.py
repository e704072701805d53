"""What a trajectory says about a course: response, sudden changes, wear-off, what is missing."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from app.trends.schemas.doses import DoseAlignmentOut
from app.trends.schemas.ideation import IdeationOut
from app.trends.schemas.together import TrajectoriesOut
from tests.api.test_clinic_instruments import WIDER, a_definition, added
from tests.api.test_trajectories import MINE, answered, dosed, trajectory
from tests.builders import Person, World, a_check_in, a_goal, a_note, now, phq_9

DOSES = "/v1/patients/me/trajectories/{}/doses"


def momentary(anxiety: int | None) -> list[int | None]:
    """mood, anxiety, energy, pain, urge to be alone"""
    return [5, anxiety, 5, 5, 5]


def aligned(person: Person, path: str) -> dict[str, Any]:
    answer = person.get(path)
    assert answer.status_code == 200, answer.text
    DoseAlignmentOut.model_validate_json(answer.content)
    told: dict[str, Any] = answer.json()
    assert set(told) == set(DoseAlignmentOut.model_fields)
    return told


class TestCourse:
    def test_a_response_and_its_loss_are_dated(self, world: World) -> None:
        dosed(world, 50)
        for days_ago, total in ((51, 20), (43, 15), (36, 8), (29, 11), (22, 12)):
            answered(world.patient, days_ago, phq_9(total))

        told = trajectory(world.patient, f"{MINE}/phq-9")

        response = told["response"]
        assert (response["state"], response["lost_rule"]) == ("lost", "two-assessments")
        assert (response["responded_index"], response["lost_index"]) == (2, 4)
        assert response["responded_at"] == told["points"]["effective_at"][2]
        assert response["days_to_response"] == pytest.approx(14, abs=0.01)
        assert response["days_to_loss"] == pytest.approx(14, abs=0.01)
        assert response["doses_to_response"] == 1
        assert told["latest"]["partial_response"] is True

    def test_a_sudden_gain_is_found_and_dated(self, world: World) -> None:
        dosed(world, 30)
        for days_ago, total in ((49, 20), (42, 21), (35, 20), (28, 9), (21, 8), (14, 9)):
            answered(world.patient, days_ago, phq_9(total))

        told = trajectory(world.patient, f"{MINE}/phq-9")

        (change,) = told["sudden_changes"]["changes"]
        assert (change["kind"], change["before_index"], change["after_index"]) == ("gain", 2, 3)
        assert change["points"] == -11
        # Every other step has too few scores on one side.
        assert (told["sudden_changes"]["assessed"], told["sudden_changes"]["not_assessable"]) == (
            3,
            2,
        )

    def test_a_projection_is_an_extrapolation_and_no_advice(self, world: World) -> None:
        dosed(world, 57)
        answered(world.patient, 58, phq_9(20))
        for day in range(1, 57):
            answered(world.patient, 57 - day, phq_9(day // 3))

        projection = trajectory(world.patient, f"{MINE}/phq-9")["projection"]

        assert projection["why_not"] is None
        low, at, high = (
            datetime.fromisoformat(projection[name]) for name in ("low_at", "returns_at", "high_at")
        )
        assert low < at < high
        assert abs(at - now() - timedelta(days=4)) < timedelta(days=3)
        assert "no advice" in projection["advice"]

    def test_one_point_says_that_nothing_can_be_said(self, world: World) -> None:
        answered(world.patient, 1, phq_9(20))

        told = trajectory(world.patient, f"{MINE}/phq-9")

        assert told["response"]["state"] == "no-dose"
        assert told["sudden_changes"]["why_not"] == "too-few-scores"
        assert (told["projection"]["returns_at"], told["projection"]["why_not"]) == (
            None,
            "no-dose",
        )

    def test_without_any_point_there_is_no_course(self, world: World) -> None:
        told = trajectory(world.patient, f"{MINE}/phq-9")

        assert told["response"] is None
        assert told["projection"]["why_not"] == "no-baseline"
        assert told["missing"] == {"incomplete": 0, "gaps": [], "days_since_last": None}

    def test_what_is_missing_is_told(self, world: World) -> None:
        for days_ago in (80, 40, 39):
            answered(world.patient, days_ago, phq_9(10))
        answered(world.patient, 5, [None] * 9)

        missing = trajectory(world.patient, f"{MINE}/phq-9")["missing"]

        assert (missing["incomplete"], missing["days_since_last"]) == (1, 5.0)
        assert [gap["days"] for gap in missing["gaps"]] == [40.0, 34.0]

    def test_a_future_window_is_empty_and_says_so(self, world: World) -> None:
        dosed(world, 3)
        answered(world.patient, 5, phq_9(20))
        ahead = (now() + timedelta(days=5)).isoformat().replace("+", "%2B")

        told = trajectory(world.patient, f"{MINE}/phq-9?since={ahead}")

        assert (told["points"]["score"], told["latest"]) == ([], None)
        assert (told["baseline"]["index"], told["baseline"]["score"]) == (None, 20)

    def test_a_score_whose_weeks_reach_over_a_dose_is_marked(self, world: World) -> None:
        dosed(world, 20)
        for days_ago in (21, 19, 7, 5):
            answered(world.patient, days_ago, phq_9(10))

        told = trajectory(world.patient, f"{MINE}/phq-9")

        assert told["points"]["straddles_dose"] == [False, True, True, False]


class TestParts:
    def test_a_subscale_has_a_trajectory_of_its_own(self, world: World) -> None:
        answered(world.patient, 9, [2] * 20, instrument="pcl-5")
        answered(world.patient, 1, [1] * 5 + [2] * 14 + [None], instrument="pcl-5")

        told = trajectory(world.patient, f"{MINE}/pcl-5?subscale=b")

        assert (told["subscale"], told["minimum"], told["maximum"]) == ("b", 0, 20)
        assert told["points"]["score"] == [10, 5]  # complete although the whole is not
        assert told["points"]["change"] == [0, -5]
        assert told["latest"]["direction"] == "improved"
        assert told["latest"]["reliable"] is None
        assert trajectory(world.patient, f"{MINE}/pcl-5?subscale=e")["points"]["score"] == [
            12,
            None,
        ]

    def test_entered_scores_are_apart_and_neither_end_is_better(self, world: World) -> None:
        for mystical in (40, 60):
            sent = {
                "instrument": "meq-30",
                "scores": {
                    "mystical": mystical, "positive-mood": 20, "transcendence": 10,
                    "ineffability": 5,
                },
                "recorded_at": (now() - timedelta(minutes=100 - mystical)).isoformat(),
            }  # fmt: skip
            path = f"{world.patient.record}/check-ins"
            answer = world.therapist.post(path, sent)
            assert answer.status_code == 201, answer.text

        told = trajectory(
            world.therapist, f"{world.patient.record}/trajectories/meq-30?subscale=mystical"
        )

        assert told["points"]["score"] == [40, 60]
        assert (told["direction"], told["latest"]["direction"]) == (None, "changed")
        assert told["projection"]["why_not"] == "no-direction"

    @pytest.mark.parametrize(
        ("path", "pointer"),
        [
            ("pcl-5?subscale=z", "query:subscale"),
            ("phq-9?subscale=b", "query:subscale"),
            ("pcl-5?subscale=b&item=item-1", "query:subscale"),
            ("meq-30", "query:subscale"),
            ("momentary", "query:item"),
        ],
    )
    def test_what_is_no_series_is_refused(self, world: World, path: str, pointer: str) -> None:
        answer = world.patient.get(f"{MINE}/{path}")

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer


class TestVersions:
    def test_versions_that_measure_something_else_are_told_and_not_joined(
        self, world: World
    ) -> None:
        added(world, a_definition())
        answered(world.patient, 9, [0, 2], instrument="two-items")
        added(world, a_definition(*WIDER, version="2"))
        answered(world.patient, 1, [0, 5], instrument="two-items")

        newest = trajectory(world.patient, f"{MINE}/two-items")
        first = trajectory(world.patient, f"{MINE}/two-items?version=1")

        assert (newest["points"]["score"], newest["versions"]) == ([5], ["2"])
        assert newest["left_out"] == [{"instrument_version": "1", "check_ins": 1}]
        assert (first["points"]["score"], first["instrument_version"]) == ([2], "1")
        assert world.patient.get(f"{MINE}/two-items?version=3").status_code == 404

    def test_what_ships_has_one_version(self, world: World) -> None:
        told = trajectory(world.patient, f"{MINE}/phq-9")

        assert (told["versions"], told["left_out"], told["is_truncated"]) == (["1"], [], False)


class TestDoses:
    def test_every_dose_is_t_0(self, world: World) -> None:
        first, second = dosed(world, 20), dosed(world, 10)
        answered(world.patient, 20.5, momentary(8), instrument="momentary")
        answered(world.patient, 20 - 4 / 24, momentary(3), instrument="momentary")
        answered(world.patient, 19, momentary(4), instrument="momentary")
        answered(world.patient, 17, momentary(7), instrument="momentary")
        answered(world.patient, 9, momentary(2), instrument="momentary")

        told = aligned(world.patient, DOSES.format("momentary") + "?item=anxiety")

        assert [datetime.fromisoformat(one["effective_at"]) for one in told["doses"]] == [
            first, second,
        ]  # fmt: skip
        one, two = told["doses"]
        assert one["points"]["score"] == [3, 4, 7]
        assert one["points"]["hours_since_dose"] == pytest.approx([4, 24, 72], abs=0.01)
        assert (one["before"]["score"], two["before"]["score"]) == (8, 7)
        assert one["before"]["hours_since_dose"] == pytest.approx(-12, abs=0.01)
        assert [mark["response"] for mark in one["rapid"]] == [True, True, False, None]
        assert [mark["why_not"] for mark in one["rapid"]] == [None, None, None, "not-measured"]
        # The gain is 5, and half of it gone at 5.5: halfway from 4 to 7.
        assert (one["wear_off"]["why"], one["wear_off"]["gain"]) == ("half-gone", 5)
        assert one["wear_off"]["days"] == pytest.approx(2 - 4 / 24, abs=0.02)
        assert (two["wear_off"]["is_censored"], two["wear_off"]["days"]) == (True, 0.0)
        assert any("no standard measure" in sentence for sentence in told["conventions"])

    def test_two_weeks_cannot_show_hours(self, world: World) -> None:
        dosed(world, 20)
        answered(world.patient, 19, phq_9(4))

        told = aligned(world.patient, DOSES.format("phq-9"))

        assert {one["why_not"] for one in told["doses"][0]["rapid"]} == {"recall-too-long"}
        assert told["measures_hours"] is False

    def test_without_a_dose_there_is_nothing_to_lay_over(self, world: World) -> None:
        answered(world.patient, 1, phq_9(4))

        assert aligned(world.patient, DOSES.format("phq-9"))["doses"] == []

    def test_suicidal_ideation_has_no_gain_to_measure(self, world: World) -> None:
        answer = world.patient.get(DOSES.format("phq-9") + "?item=item-9")

        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "query:item")


class TestIdeation:
    def read(self, person: Person, path: str) -> dict[str, Any]:
        answer = person.get(f"{path}/suicidal-ideation")
        assert answer.status_code == 200, answer.text
        IdeationOut.model_validate_json(answer.content)
        told: dict[str, Any] = answer.json()
        return told

    def test_sources_are_never_joined(self, world: World) -> None:
        answered(world.patient, 9, phq_9(10, item_nine=2))
        answered(world.patient, 5, [1, 1, 0, 0, 0, 0], instrument="c-ssrs-since-last-contact")
        answered(world.patient, 4, [None] * 6, instrument="c-ssrs-since-last-contact")
        answered(world.patient, 1, [1, 1, 1, 1, 1, 1, 1, 1, None])

        told = self.read(world.therapist, world.patient.record)

        item, screener = told["sources"]
        assert (item["source"], item["kind"]) == ("phq-9.item-9", "item")
        assert item["points"]["value"] == [2, None]
        assert [step["value"] for step in item["scale"]] == [0, 1, 2, 3]
        assert (screener["source"], screener["kind"]) == ("c-ssrs-since-last-contact", "level")
        assert screener["points"]["value"] == [1, None]
        assert screener["points"]["assessed"] == [True, False]
        assert "change" not in item["points"]
        assert "None of them says that somebody is safe" in told["caveat"]

    def test_nothing_asked_is_no_source(self, world: World) -> None:
        assert self.read(world.patient, "/v1/patients/me")["sources"] == []

    def test_a_window_shows_what_lies_in_it(self, world: World) -> None:
        answered(world.patient, 9, phq_9(10))
        answered(world.patient, 1, phq_9(10))
        since = (now() - timedelta(days=2)).isoformat().replace("+", "%2B")

        answer = world.patient.get(f"/v1/patients/me/suicidal-ideation?since={since}")

        assert answer.json()["sources"][0]["points"]["value"] == [0]


class TestTogether:
    def read(self, person: Person, path: str) -> dict[str, Any]:
        answer = person.get(path)
        assert answer.status_code == 200, answer.text
        TrajectoriesOut.model_validate_json(answer.content)
        told: dict[str, Any] = answer.json()
        return told

    def test_several_series_share_an_axis_with_what_happened(self, world: World) -> None:
        given_at = dosed(world, 10)
        answered(world.patient, 12, phq_9(20))
        answered(world.patient, 2, phq_9(10, item_nine=2))
        answered(world.patient, 9, momentary(3), instrument="momentary")
        for tier in ("private", "care-team"):
            world.patient.post("/v1/patients/me/notes", a_note(tier=tier))
        world.patient.post("/v1/patients/me/goals", a_goal())
        path = "trajectories?series=phq-9,momentary/anxiety"

        mine = self.read(world.patient, f"/v1/patients/me/{path}")
        theirs = self.read(world.therapist, f"{world.patient.record}/{path}")

        assert [(one["instrument"], one["item"]) for one in theirs["trajectories"]] == [
            ("phq-9", None),
            ("momentary", "anxiety"),
        ]
        assert theirs["trajectories"][0] == trajectory(
            world.therapist, f"{world.patient.record}/trajectories/phq-9"
        )
        assert [datetime.fromisoformat(one) for one in theirs["doses"]["effective_at"]] == [
            given_at
        ]
        (flag,) = theirs["flags"]
        assert (flag["level"], flag["status"]) == ("moderate", "open")
        assert (len(mine["notes"]["effective_at"]), len(theirs["notes"]["effective_at"])) == (2, 1)
        assert theirs["goals"]["status"] == ["active"]
        assert "quiet" not in str(theirs)

    def test_unless_they_are_named_it_is_whatever_was_answered(self, world: World) -> None:
        answered(world.patient, 2, phq_9(10))
        answered(world.patient, 1, momentary(3), instrument="momentary")
        answered(world.patient, 1, [0, 0, 0, 0, 0, 0], instrument="c-ssrs-since-last-contact")

        told = self.read(world.patient, "/v1/patients/me/trajectories")

        shown = [(one["instrument"], one["item"]) for one in told["trajectories"]]
        assert ("phq-9", None) in shown
        assert ("momentary", "mood") in shown
        assert {instrument for instrument, _ in shown} == {"phq-9", "momentary"}

    def test_what_was_asked_for_and_not_answered_is_told(self, world: World) -> None:
        dosed(world, 30)
        answered(world.patient, 23, phq_9(10))

        told = self.read(world.patient, "/v1/patients/me/trajectories?series=phq-9,gad-7")

        phq, gad = told["asked"]["instruments"]
        assert (phq["instrument"], gad["instrument"]) == ("phq-9", "gad-7")
        assert phq["in_time"] >= 1
        assert phq["expected"] == phq["in_time"] + phq["late"] + len(phq["missed"])
        assert (gad["in_time"], gad["late"]) == (0, 0)
        assert len(gad["missed"]) == gad["expected"] > 0
        assert "convention" in told["asked"]["convention"]

    @pytest.mark.parametrize(
        "series",
        ["", "phq-9,phq-9", "nothing", "momentary", "phq-9/nothing", ",".join(["phq-9"] * 13)],
    )
    def test_what_names_no_series_is_refused(self, world: World, series: str) -> None:
        answer = world.patient.get("/v1/patients/me/trajectories", params={"series": series})

        assert answer.status_code == 422
        assert {one["pointer"] for one in answer.json()["errors"]} == {"query:series"}

    def test_a_window_holds_for_everything_on_the_axis(self, world: World) -> None:
        dosed(world, 10)
        answered(world.patient, 12, phq_9(20))
        world.patient.post("/v1/patients/me/goals", a_goal())
        until = (now() - timedelta(days=11)).isoformat().replace("+", "%2B")

        told = self.read(world.patient, f"/v1/patients/me/trajectories?until={until}")

        assert (told["doses"]["effective_at"], told["goals"]["effective_at"]) == ([], [])
        assert told["trajectories"][0]["points"]["score"] == [20]


@pytest.mark.parametrize("who", ["coach", "administrator"])
@pytest.mark.parametrize("path", ["trajectories", "trajectories/phq-9/doses", "suicidal-ideation"])
def test_scores_are_for_those_who_treat(world: World, who: str, path: str) -> None:
    person: Person = getattr(world.here, who)

    assert person.get(f"{world.patient.record}/{path}").status_code == 403


def test_a_check_in_of_a_retry_is_one_point(world: World) -> None:
    sent = a_check_in(id="00000000-0000-4000-8000-00000000000a")
    for status in (201, 200):
        assert world.patient.post("/v1/patients/me/check-ins", sent).status_code == status

    assert len(trajectory(world.patient, f"{MINE}/phq-9")["points"]["score"]) == 1
