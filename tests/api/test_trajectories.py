"""One scale over time, measured from the baseline and from the doses."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.trends.schemas.trajectory import TrajectoryOut
from tests.builders import (
    Person,
    World,
    a_check_in,
    a_dosing_session,
    an_administration,
    now,
    phq_9,
)
from tests.conftest import Clock

MINE = "/v1/patients/me/trajectories"


def answered(patient: Person, days_ago: float, answers: list[Any], **changes: Any) -> datetime:
    """Answers recorded so long ago. Returns: when."""
    recorded_at = now() - timedelta(days=days_ago)
    answer = patient.post(
        "/v1/patients/me/check-ins",
        a_check_in(answers=answers, recorded_at=recorded_at.isoformat(), **changes),
    )
    assert answer.status_code == 201, answer.text
    return recorded_at


def dosed(world: World, days_ago: float) -> datetime:
    """A dose so long ago. Returns: when."""
    given_at = now() - timedelta(days=days_ago)
    answer = world.therapist.post(
        f"{world.patient.record}/dosing-sessions",
        a_dosing_session(administrations=[an_administration(given_at=given_at.isoformat())]),
    )
    assert answer.status_code == 201, answer.text
    return given_at


def trajectory(person: Person, path: str) -> dict[str, Any]:
    """A trajectory that keeps to its own schema, with columns of one length."""
    answer = person.get(path)
    assert answer.status_code == 200, answer.text
    TrajectoryOut.model_validate_json(answer.content)
    told: dict[str, Any] = answer.json()
    assert set(told) == set(TrajectoryOut.model_fields)
    assert len({len(column) for column in told["points"].values()}) == 1
    return told


class TestPhq9:
    def test_a_course_of_two_doses_as_reckoned_by_hand(self, world: World) -> None:
        """Baseline 18: the last complete score in the 14 days before the first dose."""
        first_dose, second_dose = dosed(world, 21), dosed(world, 14)
        at = [
            answered(world.patient, 40, phq_9(22)),  # more than 14 days before the first dose
            answered(world.patient, 30, phq_9(20)),
            answered(world.patient, 24, phq_9(18)),
            answered(world.patient, 21 - 2 / 24, phq_9(12)),
            answered(world.patient, 7, phq_9(8)),
            answered(world.patient, 3, [1, None, 1, 1, 1, 1, 1, 1, 0]),
            answered(world.patient, 1, phq_9(4)),
        ]

        told = trajectory(world.patient, f"{MINE}/phq-9")

        points = told["points"]
        assert [
            abs(datetime.fromisoformat(one) - when) < timedelta(seconds=1)
            for one, when in zip(points["effective_at"], at, strict=True)
        ] == [True] * 7
        assert points["score"] == [22, 20, 18, 12, 8, None, 4]
        assert points["change"] == [4, 2, 0, -6, -10, None, -14]
        assert points["percent_change"] == [22.2, 11.1, 0.0, -33.3, -55.6, None, -77.8]
        assert points["dose_number"] == [0, 0, 0, 1, 2, 2, 2]
        assert points["window"] == [
            "baseline", "baseline", "baseline", "0-4h", "later", "later", "later",
        ]  # fmt: skip
        assert points["hours_since_dose"][:3] == [None] * 3
        assert points["hours_since_dose"][3:] == pytest.approx([2, 168, 264, 312], abs=0.01)
        assert [datetime.fromisoformat(dose) for dose in told["doses"]["effective_at"]] == [
            first_dose,
            second_dose,
        ]
        assert told["baseline"] == {
            "index": 2,
            "score": 18,
            "effective_at": points["effective_at"][2],
            "rule": "before-first-dose",
            "provisional": False,
        }
        assert told["latest"] == {
            "index": 6,
            "score": 4,
            "effective_at": points["effective_at"][6],
            "band": "minimal",
            "change": -14,
            "percent_change": -77.8,
            "direction": "improved",
            "reliable": True,
            "response": True,
            "partial_response": False,
            "remission": True,
            "reliable_recovery": True,
            # Its two weeks reach back over the second dose, and not the first.
            "doses_in_recall_window": 1,
            "ideation": {"item": "item-9", "answer": 0, "maximum": 3, "reported": False},
        }

    def test_it_names_its_scale_and_its_sources(self, world: World) -> None:
        told = trajectory(world.patient, f"{MINE}/phq-9")

        assert (told["minimum"], told["maximum"]) == (0, 27)
        assert told["direction"] == "lower-is-better"
        assert (told["item"], told["is_ordinal"], told["measures_hours"]) == (None, False, False)
        assert any("Kroenke" in source for source in told["sources"])
        assert any("14 days" in convention for convention in told["conventions"])
        assert set(told["conventions"]) < set(told["sources"])
        assert "no proof" in told["caveat"]

    def test_nothing_answered_is_an_empty_trajectory(self, world: World) -> None:
        told = trajectory(world.patient, f"{MINE}/phq-9")

        assert (told["baseline"], told["latest"]) == (None, None)
        assert all(column == [] for column in told["points"].values())
        assert told["doses"] == {"effective_at": []}

    def test_before_any_dose_the_baseline_is_provisional(self, world: World) -> None:
        answered(world.patient, 60, phq_9(20))
        answered(world.patient, 1, phq_9(15))

        told = trajectory(world.patient, f"{MINE}/phq-9")

        assert (told["baseline"]["rule"], told["baseline"]["provisional"]) == (
            "first-complete",
            True,
        )
        assert told["points"]["change"] == [0, -5]

    def test_a_score_too_long_before_the_first_dose_is_provisional(self, world: World) -> None:
        dosed(world, 10)
        answered(world.patient, 25, phq_9(20))

        assert trajectory(world.patient, f"{MINE}/phq-9")["baseline"]["provisional"] is True

    @pytest.mark.parametrize(("days", "is_mixed"), [(5, True), (13.9, True), (14.1, False)])
    def test_a_response_that_looks_back_past_the_first_dose_is_marked(
        self, world: World, days: float, is_mixed: bool
    ) -> None:
        answered(world.patient, 31, phq_9(20))
        dosed(world, 30)
        answered(world.patient, 30 - days, phq_9(8))

        told = trajectory(world.patient, f"{MINE}/phq-9")["response"]

        assert told["days_to_response"] == pytest.approx(days, abs=0.01)
        assert told["straddles_first_dose"] is is_mixed

    def test_a_dose_recorded_late_moves_the_baseline(self, world: World) -> None:
        answered(world.patient, 30, phq_9(20))
        answered(world.patient, 20, phq_9(10))
        answered(world.patient, 1, phq_9(5))
        before = trajectory(world.patient, f"{MINE}/phq-9")

        dosed(world, 10)
        after = trajectory(world.patient, f"{MINE}/phq-9")

        assert before["points"]["change"] == [0, -10, -15]
        assert after["points"]["change"] == [10, 0, -5]

    @pytest.mark.parametrize(
        ("baseline", "latest", "direction", "reliable", "response", "remission"),
        [
            # Reliable from 6 points; response from half of it; remission below 5.
            (20, 15, "improved", False, False, False),
            (20, 14, "improved", True, False, False),
            (20, 11, "improved", True, False, False),
            (20, 10, "improved", True, True, False),
            (20, 5, "improved", True, True, False),
            (20, 4, "improved", True, True, True),
            (10, 16, "worse", True, False, False),
            (10, 15, "worse", False, False, False),
            (12, 12, "unchanged", False, False, False),
            # Below 10 there is too little to respond from.
            (9, 0, "improved", True, None, None),
            (0, 6, "worse", True, None, None),
        ],
    )
    def test_the_latest_score_says_how_it_compares(
        self,
        world: World,
        baseline: int,
        latest: int,
        direction: str,
        reliable: bool,
        response: bool | None,
        remission: bool | None,
    ) -> None:
        answered(world.patient, 20, phq_9(baseline))
        dosed(world, 15)
        answered(world.patient, 1, phq_9(latest))

        told = trajectory(world.patient, f"{MINE}/phq-9")["latest"]

        assert (told["direction"], told["reliable"]) == (direction, reliable)
        assert (told["response"], told["remission"]) == (response, remission)

    def test_from_a_baseline_of_nothing_there_is_no_percentage(self, world: World) -> None:
        answered(world.patient, 20, phq_9(0))
        answered(world.patient, 1, phq_9(6))

        told = trajectory(world.patient, f"{MINE}/phq-9")

        assert told["points"]["percent_change"] == [None, None]
        assert told["latest"]["percent_change"] is None

    def test_a_single_score_is_its_own_baseline_and_no_outcome(self, world: World) -> None:
        answered(world.patient, 20, phq_9(20))

        told = trajectory(world.patient, f"{MINE}/phq-9")["latest"]

        assert (told["change"], told["direction"], told["reliable"]) == (0, "unchanged", False)
        assert (told["response"], told["remission"]) == (None, None)

    def test_what_is_sent_in_another_order_gives_the_same_trajectory(self, world: World) -> None:
        points = [(30, phq_9(20)), (20, phq_9(18)), (9, phq_9(9)), (2, phq_9(3))]
        for patient in (world.patient, world.here.other_patient):
            for days_ago, answers in points:
                answered(patient, days_ago, answers)
            points.reverse()

        in_order = trajectory(world.patient, f"{MINE}/phq-9")
        reversed_ = trajectory(world.here.other_patient, f"{MINE}/phq-9")

        assert in_order["points"]["change"] == reversed_["points"]["change"] == [0, -2, -11, -17]

    def test_the_therapist_sees_what_the_patient_sees(self, world: World) -> None:
        dosed(world, 10)
        for days_ago, total in ((12, 20), (5, 11), (1, 7)):
            answered(world.patient, days_ago, phq_9(total))

        theirs = trajectory(world.therapist, f"{world.patient.record}/trajectories/phq-9")

        assert theirs == trajectory(world.patient, f"{MINE}/phq-9")

    def test_other_instruments_and_other_patients_stay_out(self, world: World) -> None:
        answered(world.patient, 3, phq_9(20))
        answered(world.patient, 2, [1] * 7, instrument="gad-7")
        answered(world.here.other_patient, 1, phq_9(2))

        assert trajectory(world.patient, f"{MINE}/phq-9")["points"]["score"] == [20]

    def test_a_visit_without_a_dose_is_no_dose(self, world: World) -> None:
        answered(world.patient, 1, phq_9(9))
        world.therapist.post(
            f"{world.patient.record}/dosing-sessions",
            {"status": "not-done", "started_at": (now() - timedelta(days=2)).isoformat()},
        )

        told = trajectory(world.patient, f"{MINE}/phq-9")

        assert told["doses"]["effective_at"] == []
        assert told["points"]["window"] == ["baseline"]

    def test_since_is_included_and_until_is_not(self, timed_world: World, clock: Clock) -> None:
        for days_ago, total in ((3, 9), (2, 8), (1, 7)):
            timed_world.patient.post(
                "/v1/patients/me/check-ins",
                a_check_in(answers=phq_9(total), recorded_at=clock.said(days=-days_ago)),
            )

        def scores(**bounds: str) -> list[int]:
            answer = timed_world.patient.get(f"{MINE}/phq-9", params=bounds)
            found: list[int] = answer.json()["points"]["score"]
            return found

        assert scores() == [9, 8, 7]
        assert scores(since=clock.said(days=-2)) == [8, 7]
        assert scores(until=clock.said(days=-2)) == [9]
        assert scores(since=clock.said(days=-2), until=clock.said(days=-1)) == [8]
        assert scores(since=clock.said(days=-2), until=clock.said(days=-2)) == []

    def test_what_is_shown_moves_no_baseline(self, timed_world: World, clock: Clock) -> None:
        for days_ago, total in ((30, 20), (10, 12), (1, 8)):
            timed_world.patient.post(
                "/v1/patients/me/check-ins",
                a_check_in(answers=phq_9(total), recorded_at=clock.said(days=-days_ago)),
            )
        whole = trajectory(timed_world.patient, f"{MINE}/phq-9")

        answer = timed_world.patient.get(f"{MINE}/phq-9", params={"since": clock.said(days=-15)})

        told = answer.json()
        assert told["points"] == {name: column[1:] for name, column in whole["points"].items()}
        assert told["points"]["change"] == [-8, -12]
        # It lies before what is shown.
        assert told["baseline"] == whole["baseline"] | {"index": None}
        assert told["latest"] == whole["latest"] | {"index": 1}
        TrajectoryOut.model_validate_json(answer.content)

    def test_until_moves_no_baseline_and_ends_with_the_latest_that_is_shown(
        self, timed_world: World, clock: Clock
    ) -> None:
        """Before the first dose, in a view that ends earlier, is still before the first dose."""
        timed_world.therapist.post(
            f"{timed_world.patient.record}/dosing-sessions",
            a_dosing_session(administrations=[an_administration(given_at=clock.said(days=-5))]),
        )
        for days_ago, answers in (
            (30, phq_9(20)),
            (10, phq_9(16)),
            (8, [None] * 9),
            (6, phq_9(14)),
            (1, phq_9(7)),
        ):
            timed_world.patient.post(
                "/v1/patients/me/check-ins",
                a_check_in(answers=answers, recorded_at=clock.said(days=-days_ago)),
            )
        whole = trajectory(timed_world.patient, f"{MINE}/phq-9")

        def told(**bounds: str) -> dict[str, Any]:
            answer = timed_world.patient.get(f"{MINE}/phq-9", params=bounds)
            TrajectoryOut.model_validate_json(answer.content)
            found: dict[str, Any] = answer.json()
            return found

        early = told(until=clock.said(days=-7))
        middle = told(since=clock.said(days=-15), until=clock.said(days=-7))
        none = told(since=clock.said(days=-9), until=clock.said(days=-7))

        assert (whole["baseline"]["score"], whole["baseline"]["index"]) == (14, 3)
        for view in (early, middle, none):
            assert view["baseline"] == whole["baseline"] | {"index": None}
            assert view["doses"] == whole["doses"]
        assert early["points"]["score"] == [20, 16, None]
        assert early["points"]["change"] == [6, 2, None]
        # The latest that is complete and shown, measured from the baseline that is not.
        assert (early["latest"]["index"], early["latest"]["score"]) == (1, 16)
        assert (early["latest"]["change"], early["latest"]["direction"]) == (2, "worse")
        assert middle["latest"] == early["latest"] | {"index": 0}
        assert (none["points"]["score"], none["latest"]) == ([None], None)

    @pytest.mark.parametrize("seed", range(3))
    def test_columns_are_as_long_as_the_series_whatever_is_missing(
        self, world: World, seed: int
    ) -> None:
        chance = random.Random(seed)
        for _ in range(12):
            answers = [chance.choice([0, 1, 2, 3, 3, None]) for _ in range(9)]
            answered(world.patient, chance.uniform(0, 90), answers)
        for days_ago in (50, 20):
            dosed(world, days_ago)

        for query in ("", "?item=item-9"):
            told = trajectory(world.patient, f"{MINE}/phq-9{query}")
            assert len(told["points"]["score"]) == 12
            assert told["points"]["effective_at"] == sorted(told["points"]["effective_at"])


class TestGad7:
    def test_it_has_a_reliable_change_and_no_rule_of_response(self, world: World) -> None:
        answered(world.patient, 20, [2, 2, 2, 2, 2, 2, 2], instrument="gad-7")
        answered(world.patient, 1, [2, 2, 2, 2, 2, 0, 0], instrument="gad-7")

        told = trajectory(world.patient, f"{MINE}/gad-7")

        assert (told["minimum"], told["maximum"]) == (0, 21)
        assert told["points"]["score"] == [14, 10]
        assert (told["latest"]["change"], told["latest"]["reliable"]) == (-4, True)
        assert (told["latest"]["response"], told["latest"]["remission"]) == (None, None)
        assert told["latest"]["band"] == "moderate"


class TestMomentary:
    def test_it_needs_an_item(self, world: World) -> None:
        answer = world.patient.get(f"{MINE}/momentary")

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "query:item"

    def test_each_item_moves_on_its_own_scale_in_its_own_direction(self, world: World) -> None:
        # mood, anxiety, energy, pain, urge-to-be-alone
        answered(world.patient, 2, [4, 8, 5, 0, 5], instrument="momentary")
        dose = dosed(world, 1)
        answered(world.patient, 1 - 1 / 24, [7, 9, 5, 3, None], instrument="momentary")

        mood, anxiety, energy, pain, alone = (
            trajectory(world.patient, f"{MINE}/momentary?item={item}")
            for item in ("mood", "anxiety", "energy", "pain", "urge-to-be-alone")
        )

        assert (mood["item"], mood["direction"]) == ("mood", "higher-is-better")
        assert (anxiety["item"], anxiety["direction"]) == ("anxiety", "lower-is-better")
        assert (mood["minimum"], mood["maximum"], mood["measures_hours"]) == (0, 10, True)
        assert (mood["points"]["change"], mood["latest"]["direction"]) == ([0, 3], "improved")
        assert (anxiety["points"]["change"], anxiety["latest"]["direction"]) == ([0, 1], "worse")
        assert energy["latest"]["direction"] == "unchanged"
        assert pain["points"]["percent_change"] == [None, None]
        assert (alone["points"]["score"], alone["points"]["change"]) == ([5, None], [0, None])
        assert alone["latest"]["index"] == 0
        assert mood["points"]["percent_change"] == [0.0, 75.0]
        assert mood["points"]["hours_since_dose"] == [None, pytest.approx(1, abs=0.01)]
        assert mood["points"]["window"] == ["baseline", "0-4h"]
        assert datetime.fromisoformat(mood["doses"]["effective_at"][0]) == dose
        # Nothing is published about how far such an answer must move.
        assert (mood["latest"]["reliable"], mood["latest"]["band"]) == (None, None)

    def test_an_item_it_has_not_is_refused(self, world: World) -> None:
        answer = world.patient.get(f"{MINE}/momentary?item=sleep")

        assert answer.status_code == 422
        assert answer.json()["errors"] == [
            {"pointer": "query:item", "reason": "is not an item of this instrument"}
        ]


class TestIdeation:
    def test_it_is_ordinal_and_nothing_is_subtracted_or_averaged(self, world: World) -> None:
        for days_ago, item_nine in ((9, 0), (6, 3), (3, None), (1, 1)):
            answered(world.patient, days_ago, [*phq_9(6)[:8], item_nine])
        dosed(world, 5)

        told = trajectory(world.patient, f"{MINE}/phq-9?item=item-9")

        points = told["points"]
        assert (told["item"], told["is_ordinal"]) == ("item-9", True)
        assert (told["minimum"], told["maximum"]) == (0, 3)
        # As answered: a gap stays a gap.
        assert points["score"] == [0, 3, None, 1]
        assert points["change"] == [None] * 4
        assert points["percent_change"] == [None] * 4
        assert points["dose_number"] == [0, 0, 1, 1]
        assert (told["baseline"], told["latest"]) == (None, None)

    @pytest.mark.parametrize("item", ["item-1", "item-8"])
    def test_other_items_answered_in_words_have_no_trajectory(
        self, world: World, item: str
    ) -> None:
        answer = world.patient.get(f"{MINE}/phq-9?item={item}")

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "query:item"


class TestRefusal:
    def test_an_unknown_instrument_is_not_found(self, world: World) -> None:
        assert world.patient.get(f"{MINE}/phq-7").status_code == 404

    @pytest.mark.parametrize("who", ["stranger", "other_patient"])
    def test_a_record_that_is_not_yours_is_not_found(self, world: World, who: str) -> None:
        person: Person = getattr(world.here, who)

        answer = person.get(f"{world.patient.record}/trajectories/phq-9")

        assert answer.status_code == 404

    def test_another_clinics_therapist_finds_nothing(self, world: World) -> None:
        path = f"{world.patient.record}/trajectories/phq-9"

        assert world.elsewhere.therapist.get(path).status_code == 404

    @pytest.mark.parametrize("who", ["coach", "administrator"])
    def test_scores_are_for_those_who_treat(self, world: World, who: str) -> None:
        person: Person = getattr(world.here, who)

        assert person.get(f"{world.patient.record}/trajectories/phq-9").status_code == 403
