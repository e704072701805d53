"""Records that are hard to follow: what the answer says, and what the page and the report say.

Never a number that nobody could stand behind: no percentage of nothing, no line through a silence,
nothing joined that measures something else.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from app.kernel.db import Direct
from app.trends.forms import VEGA_LITE_6
from tests.api.test_clinic_instruments import WIDER, a_definition, added
from tests.api.test_course_of_treatment import DOSES, aligned
from tests.api.test_report import page as printed
from tests.api.test_report import report
from tests.api.test_trajectories import MINE, answered, dosed, trajectory
from tests.builders import (
    World,
    a_check_in,
    a_dosing_session,
    an_administration,
    now,
    phq_9,
    withdrawn,
)
from tests.console.browser import at_work

CHECK_INS = "/v1/patients/me/check-ins"


@pytest.fixture
def page(world: World, direct: Direct) -> Callable[[str], str]:
    """A page of the console about the patient, as the therapist sees it."""
    browser = at_work(direct, world.therapist, now())

    def read(path: str) -> str:
        answer = browser.get(f"/console/patients/{world.patient.patient_id}{path}")
        assert answer.status_code == 200, answer.text
        text: str = answer.text
        return text

    return read


def outcomes(world: World) -> dict[str, str]:
    return {one["key"]: one["value"] for one in report(world)["outcomes"]}


class TestOnePoint:
    def test_it_is_its_own_baseline_and_no_outcome(
        self, world: World, page: Callable[[str], str]
    ) -> None:
        answered(world.patient, 1, phq_9(20))

        told = trajectory(world.patient, f"{MINE}/phq-9")

        assert (told["latest"]["index"], told["baseline"]["index"]) == (0, 0)
        assert (told["latest"]["change"], told["latest"]["reliable"]) == (0, False)
        assert (told["latest"]["response"], told["latest"]["remission"]) == (None, None)
        assert "This is the baseline" in page("")
        assert "<dt>Remission" not in page("/trajectories")
        assert outcomes(world)["response"] == "not assessable"


class TestNoBaseline:
    def test_from_incomplete_answers_alone_nothing_is_measured(
        self, world: World, page: Callable[[str], str]
    ) -> None:
        dosed(world, 5)
        for days_ago in (8, 1):
            answered(world.patient, days_ago, [3, None, 3, 3, 3, 3, 3, 3, 0])

        told = trajectory(world.patient, f"{MINE}/phq-9")

        assert (told["baseline"], told["latest"], told["response"]) == (None, None, None)
        assert told["points"]["score"] == told["points"]["change"] == [None, None]
        assert told["points"]["percent_change"] == [None, None]
        assert told["missing"]["incomplete"] == 2
        (dose,) = aligned(world.patient, DOSES.format("phq-9"))["doses"]
        assert (dose["before"], dose["wear_off"]["why"]) == (None, "no-baseline")
        shown = page("/trajectories")
        assert "No complete score to draw" in shown
        assert "2 incomplete" in shown
        assert "<dt>Change" not in shown
        assert "No complete score" in page("")
        assert set(outcomes(world)) == {"completeness"}


class TestBaselineOfNothing:
    def test_there_is_no_percentage_of_it_anywhere(
        self, world: World, page: Callable[[str], str]
    ) -> None:
        answered(world.patient, 9, phq_9(0))
        dosed(world, 5)
        answered(world.patient, 1, phq_9(9))

        told = trajectory(world.patient, f"{MINE}/phq-9")

        assert told["points"]["percent_change"] == [None, None]
        assert (told["latest"]["change"], told["latest"]["percent_change"]) == (9, None)
        assert (told["latest"]["response"], told["latest"]["remission"]) == (None, None)
        assert told["response"]["state"] == "not-defined"
        for shown in (page(""), page("/trajectories"), page("/trajectories?view=doses")):
            assert "+9" in shown
            assert " %)" not in shown
        assert outcomes(world)["change"] == "+9 points, worse"


class TestTwoDosesWithinAnHour:
    def test_a_score_belongs_to_the_second(self, world: World, page: Callable[[str], str]) -> None:
        answered(world.patient, 3, phq_9(20))
        dosed(world, 2)
        dosed(world, 2 - 0.5 / 24)
        answered(world.patient, 1, phq_9(10))

        told = trajectory(world.patient, f"{MINE}/phq-9")
        one, two = aligned(world.patient, DOSES.format("phq-9"))["doses"]

        assert told["points"]["dose_number"] == [0, 2]
        assert told["points"]["hours_since_dose"] == [None, pytest.approx(23.5, abs=0.01)]
        assert told["latest"]["doses_in_recall_window"] == 2
        assert (told["response"]["doses_to_response"], told["response"]["state"]) == (
            2,
            "responding",
        )
        assert (one["wear_off"]["why"], one["wear_off"]["best"]) == ("no-score", None)
        assert two["wear_off"]["best"]["score"] == 10
        assert "dose 2 + 23.5 h" in page("/trajectories")
        assert [row["number"] for row in report(world)["doses"]] == [1, 2]

    def test_two_at_one_instant_are_two(self, world: World) -> None:
        given_at = (now() - timedelta(days=2)).isoformat()
        for _ in range(2):
            given = an_administration(given_at=given_at)
            body = a_dosing_session(administrations=[given])
            answer = world.therapist.post(f"{world.patient.record}/dosing-sessions", body)
            assert answer.status_code == 201, answer.text
        answered(world.patient, 1, phq_9(10))

        assert trajectory(world.patient, f"{MINE}/phq-9")["points"]["dose_number"] == [2]
        numbers = [one["number"] for one in aligned(world.patient, DOSES.format("phq-9"))["doses"]]
        assert numbers == [1, 2]


class TestTenYearsOfSilence:
    @pytest.fixture
    def silent(self, world: World) -> World:
        """A response ten years ago, and yesterday a score that is none."""
        answered(world.patient, 3652, phq_9(20))
        dosed(world, 3650)
        answered(world.patient, 3648, phq_9(6))
        answered(world.patient, 1, phq_9(18))
        return world

    def test_it_is_a_gap_and_nothing_is_drawn_through_it(
        self, silent: World, page: Callable[[str], str]
    ) -> None:
        told = trajectory(silent.patient, f"{MINE}/phq-9")
        (dose,) = aligned(silent.patient, DOSES.format("phq-9"))["doses"]

        assert [gap["days"] for gap in told["missing"]["gaps"]] == [3647.0]
        assert told["sudden_changes"]["changes"] == []
        assert told["projection"]["returns_at"] is None
        # Half of the gain went within it; on which day nobody knows.
        assert (dose["wear_off"]["why"], dose["wear_off"]["half_gone_at"]) == ("gap", None)
        assert (dose["wear_off"]["is_censored"], dose["wear_off"]["days"]) == (True, 0.0)
        assert "Nothing for 3647 days" in page("/trajectories")
        assert "nothing known after the best score" in page("/trajectories?view=doses")
        assert "nothing known after the best score" in printed(silent)
        assert "1823" not in page("/trajectories?view=doses")

    def test_the_line_of_the_chart_ends_where_the_silence_begins(self, silent: World) -> None:
        path = f"{silent.patient.record}/trajectories/phq-9"
        drawn = silent.therapist.get(path, headers={"Accept": VEGA_LITE_6}).json()

        stretches = {row["stretch"] for row in rows_of(drawn) if "stretch" in row}

        assert len(stretches) == 2

    @pytest.mark.parametrize(
        "path",
        ["/trajectories/phq-9", "/trajectories/phq-9/doses", "/trajectories", "/suicidal-ideation"],
    )
    def test_every_view_of_it_can_be_drawn(self, silent: World, path: str) -> None:
        answer = silent.therapist.get(
            silent.patient.record + path, headers={"Accept": "image/svg+xml"}
        )

        assert answer.status_code == 200
        assert answer.content.startswith(b"<svg")
        assert b"NaN" not in answer.content
        assert b"Infinity" not in answer.content

    def test_nobody_is_said_to_be_back_where_they_were(self, world: World) -> None:
        answered(world.patient, 3660, phq_9(20))
        dosed(world, 3655)
        for day, total in enumerate((6, 7, 8, 9, 10, 11)):
            answered(world.patient, 3650 - 3 * day, phq_9(total))

        told = trajectory(world.patient, f"{MINE}/phq-9")

        assert told["projection"]["why_not"] == "too-long-ago"
        assert told["missing"]["days_since_last"] == pytest.approx(3635, abs=0.1)


def rows_of(of: Any) -> list[dict[str, Any]]:
    """Every row of data in a specification, wherever it stands."""
    if isinstance(of, list):
        return [row for one in of for row in rows_of(one)]
    if not isinstance(of, dict):
        return []
    values = of.get("values")
    own = [one for one in values if isinstance(one, dict)] if isinstance(values, list) else []
    named = of.get("datasets", {})
    kept = [row for one in named.values() for row in one] if isinstance(named, dict) else []
    return (
        own + kept + [row for key, one in of.items() if key != "datasets" for row in rows_of(one)]
    )


class TestWindows:
    @pytest.mark.parametrize(
        ("since", "until"),
        [(5, 9), (2, 2), (-5, 2)],
        ids=["ahead", "of no length", "of no length, ahead"],
    )
    def test_a_window_with_nothing_in_it_shows_nothing_and_moves_nothing(
        self, world: World, since: int, until: int
    ) -> None:
        answered(world.patient, 9, phq_9(20))
        dosed(world, 5)
        answered(world.patient, 1, phq_9(8))
        whole = trajectory(world.patient, f"{MINE}/phq-9")
        bounds = "&".join(
            f"{name}={quote((now() + timedelta(days=days)).isoformat())}"
            for name, days in (("since", max(since, until)), ("until", until))
        )

        told = trajectory(world.patient, f"{MINE}/phq-9?{bounds}")

        assert (told["points"]["score"], told["latest"]) == ([], None)
        assert told["baseline"] == whole["baseline"] | {"index": None}
        assert told["response"] == whole["response"] | {"responded_index": None}
        assert told["missing"]["gaps"] == []
        picture = world.patient.get(f"{MINE}/phq-9?{bounds}", headers={"Accept": "image/svg+xml"})
        assert picture.status_code == 200
        assert picture.content.startswith(b"<svg")

    @pytest.mark.parametrize("bound", ["since", "until"])
    @pytest.mark.parametrize("value", ["yesterday", "2026-01-01", "2026-01-01T00:00:00", ""])
    def test_an_instant_that_is_none_is_refused(self, world: World, bound: str, value: str) -> None:
        answer = world.patient.get(f"{MINE}/phq-9", params={bound: value})

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == f"query:{bound}"


class TestAnotherVersion:
    def test_what_measures_something_else_is_counted_and_not_joined(
        self, world: World, page: Callable[[str], str]
    ) -> None:
        added(world, a_definition())
        answered(world.patient, 9, [0, 4], instrument="two-items")
        added(world, a_definition(*WIDER, version="2"))
        answered(world.patient, 1, [0, 6], instrument="two-items")

        told = trajectory(world.patient, f"{MINE}/two-items")
        before = trajectory(world.patient, f"{MINE}/two-items?version=1")

        assert (told["points"]["score"], told["versions"]) == ([6], ["2"])
        assert told["left_out"] == [{"instrument_version": "1", "check_ins": 1}]
        assert (told["latest"]["change"], told["baseline"]["score"]) == (0, 6)
        assert (before["points"]["score"], before["maximum"]) == ([4], 5)
        shown = page("/trajectories?scale=two-items")
        assert "1 of version 1, which measures something else, not shown" in shown
        assert "+2" not in shown

    def test_a_version_that_there_is_not_is_not_found(self, world: World) -> None:
        answered(world.patient, 9, phq_9(4))

        assert world.patient.get(f"{MINE}/phq-9?version=99").status_code == 404


class TestEverythingWithdrawn:
    def test_it_is_as_if_nothing_had_been_answered(
        self, world: World, page: Callable[[str], str]
    ) -> None:
        never = trajectory(world.patient, f"{MINE}/phq-9")
        for days_ago, total in ((9, 20), (1, 4)):
            answered(world.patient, days_ago, phq_9(total))
        for one in world.patient.get(CHECK_INS).json()["check_ins"]:
            withdrawn(world.patient, f"{CHECK_INS}/{one['id']}", 1)

        assert trajectory(world.patient, f"{MINE}/phq-9") == never
        assert "No questionnaire has been answered yet" in page("/trajectories")
        assert "No questionnaire has been answered yet" in page("")
        assert "data-chart" not in page("/ideation")
        assert "data-chart" not in page("/together")
        assert report(world)["outcomes"] == []
        row = world.therapist.get("/v1/caseload").json()["patients"][0]
        assert (row["last_phq9_total"], row["last_check_in_at"], row["sparkline"]) == (
            None,
            None,
            None,
        )

    def test_a_pinned_baseline_that_was_withdrawn_is_none(self, world: World) -> None:
        answered(world.patient, 9, phq_9(20))
        answered(world.patient, 5, phq_9(16))
        answered(world.patient, 1, phq_9(8))
        newest_first = world.patient.get(CHECK_INS).json()["check_ins"]
        pinned = newest_first[1]["id"]
        answer = world.therapist.post(
            f"{world.patient.record}/baselines", {"instrument": "phq-9", "check_in_id": pinned}
        )
        assert answer.status_code == 201, answer.text
        assert trajectory(world.patient, f"{MINE}/phq-9")["baseline"]["rule"] == "pinned"

        withdrawn(world.patient, f"{CHECK_INS}/{pinned}", 1)

        told = trajectory(world.patient, f"{MINE}/phq-9")
        assert (told["baseline"]["rule"], told["baseline"]["score"]) == ("first-complete", 20)
        assert told["points"]["change"] == [0, -12]


class TestDoseBeforeAnyAnswer:
    def test_the_first_score_after_it_is_a_provisional_baseline(
        self, world: World, page: Callable[[str], str]
    ) -> None:
        dosed(world, 10)
        answered(world.patient, 8, phq_9(18))
        answered(world.patient, 1, phq_9(6))

        told = trajectory(world.patient, f"{MINE}/phq-9")

        assert (told["baseline"]["rule"], told["baseline"]["provisional"]) == (
            "first-complete",
            True,
        )
        assert told["points"]["dose_number"] == [1, 1]
        (dose,) = aligned(world.patient, DOSES.format("phq-9"))["doses"]
        assert dose["before"] is None
        assert "Baseline (provisional)" in page("/trajectories")
        assert "provisional" in printed(world)


class TestEqualInstants:
    def test_each_answer_of_one_instant_is_a_point_and_none_is_lost(
        self, world: World, page: Callable[[str], str]
    ) -> None:
        at = (now() - timedelta(days=2)).isoformat()
        for total in (20, 14, 8):
            sent = a_check_in(answers=phq_9(total), recorded_at=at)
            assert world.patient.post(CHECK_INS, sent).status_code == 201

        told = trajectory(world.patient, f"{MINE}/phq-9")

        assert sorted(told["points"]["score"]) == [8, 14, 20]
        assert len(set(told["points"]["effective_at"])) == 1
        assert told["missing"]["gaps"] == []
        assert told["latest"]["index"] == 2
        assert told["latest"]["score"] == told["points"]["score"][2]
        assert page("/trajectories").count('<tr><th scope="row"><time') == 3

    def test_an_answer_at_the_instant_of_a_dose_is_after_it(self, world: World) -> None:
        at = dosed(world, 2)
        sent = a_check_in(answers=phq_9(14), recorded_at=at.isoformat())
        assert world.patient.post(CHECK_INS, sent).status_code == 201

        points = trajectory(world.patient, f"{MINE}/phq-9")["points"]

        assert (points["dose_number"], points["hours_since_dose"]) == ([1], [0.0])
        assert points["window"] == ["0-4h"]


class TestUnknownScale:
    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/phq-7", 404),
            ("/phq-9?item=item-99", 422),
            ("/phq-9?subscale=b", 422),
            ("/phq-9?item=item-9&subscale=b", 422),
            ("/phq-7/doses", 404),
            ("?series=phq-7", 422),
        ],
    )
    def test_it_is_no_answer_of_another_scale(self, world: World, path: str, status: int) -> None:
        answered(world.patient, 1, phq_9(4))

        assert world.patient.get(MINE + path).status_code == status

    @pytest.mark.parametrize("path", ["/trajectories?scale=phq-7", "/report?scale=phq-7"])
    def test_its_page_is_missing(self, world: World, direct: Direct, path: str) -> None:
        answered(world.patient, 1, phq_9(4))
        browser = at_work(direct, world.therapist, now())

        answer = browser.get(f"/console/patients/{world.patient.patient_id}{path}")

        assert answer.status_code == 404
