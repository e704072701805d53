"""A patient's goals on pages: how far they came by each rater, and a therapist's rating."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient

from app.clinical.attainment import Rater
from app.console import figures, goals
from app.console.figures import Leveled
from app.goals.schemas import TScoreOut
from app.kernel.db import Direct
from tests.builders import (
    LEVELS,
    Person,
    World,
    a_clinic,
    a_goal,
    a_goal_rating,
    a_goal_step,
    amended,
    now,
)
from tests.console.browser import Browser, at_work, bare, value_of, wrong


@pytest.fixture
def browser(world: World, direct: Direct) -> Browser:
    return at_work(direct, world.therapist, now())


@pytest.fixture
def path(world: World) -> str:
    return f"/console/patients/{world.patient.patient_id}/goals"


def kept(person: Person, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """Sent over the API. Returns: the entry."""
    answer = person.post(f"{person.record}/{kind}", body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def a_scaled_goal(world: World, **changes: Any) -> dict[str, Any]:
    """With five levels and a baseline."""
    return kept(world.patient, "goals", a_goal(levels=LEVELS, baseline_level=-1, **changes))


def ratings(world: World) -> list[dict[str, Any]]:
    """As the API tells them, newest first."""
    found: list[dict[str, Any]] = world.therapist.get(
        f"{world.patient.record}/goal-ratings"
    ).json()["goal_ratings"]
    return found


def typed(**changes: str) -> dict[str, str]:
    """Better than expected, an hour ago (the clinic is on UTC)."""
    at = (now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    return {
        "act": "rate",
        "id": str(uuid4()),
        "level": "1",
        "words": "She told me of two calls.",
        "recorded_at": at,
    } | changes


class TestReading:
    def test_a_goal_says_what_is_wanted_and_how_far_each_rater_sees_it(
        self, browser: Browser, world: World, path: str
    ) -> None:
        goal = a_scaled_goal(world, weight=3, life_area="relationships")
        kept(world.patient, "goal-steps", a_goal_step(goal["id"], due_on="2026-12-24"))
        kept(world.patient, "goal-ratings", a_goal_rating(goal["id"], 1))
        world.therapist.post(
            f"{world.patient.record}/goal-ratings", a_goal_rating(goal["id"], 0, words="Nearly.")
        )

        listed, one = browser.get(path).text, browser.get(f"{path}/{goal['id']}").text

        for page in (listed, one):
            assert "Call my sister." in page
            assert "I miss her." in page
            assert "Relationships · weight 3 of 9" in page
            assert "<strong>Achieved</strong>, by the patient’s ratings" in page
            assert "planned, by 24 Dec 2026" in page
            assert 'class="mark patient"' in page
            assert 'class="mark therapist"' in page
        assert "Rated by the patient: +1" in one
        assert "Rated by the therapist: 0" in one
        assert "I call her every week." in one
        assert "much better than expected" in one
        assert "Nearly." in one

    def test_t_is_told_where_it_is_defined_and_otherwise_why_it_is_not(
        self, browser: Browser, world: World, path: str
    ) -> None:
        goal = a_scaled_goal(world)
        kept(world.patient, "goal-ratings", a_goal_rating(goal["id"], 0))

        page = browser.get(path).text

        assert "1 goal</td>" in page
        assert "Do not read T of a single goal against a norm" in page
        assert "Not defined because the therapist has rated none of them yet." in page
        assert "T over time" not in page  # of one day there is no course

    def test_a_goal_without_levels_says_that_nobody_can_rate_it_and_has_no_form(
        self, browser: Browser, world: World, path: str
    ) -> None:
        goal = kept(world.patient, "goals", a_goal())

        page = browser.get(f"{path}/{goal['id']}").text

        assert "nobody can rate it" in page
        assert "Keep the rating" not in page

    def test_versions_of_a_goal_stay_readable(
        self, browser: Browser, world: World, path: str
    ) -> None:
        goal = kept(world.patient, "goals", a_goal())
        body = a_goal(words="Call her on Sundays.", status="completed")
        amended(world.patient, f"{world.patient.record}/goals/{goal['id']}", body, 1)

        page = browser.get(f"{path}/{goal['id']}").text

        assert "Version 1" in page
        assert "Call my sister." in page
        assert "Completed" in page

    def test_a_private_goal_leaves_no_trace(
        self, browser: Browser, world: World, path: str
    ) -> None:
        a_scaled_goal(world)
        before = bare(browser.get(path).text)
        secret = f"private {uuid4()}"
        hidden = a_scaled_goal(world, words=secret, tier="private")
        kept(world.patient, "goal-steps", a_goal_step(hidden["id"], words=secret))
        kept(world.patient, "goal-ratings", a_goal_rating(hidden["id"], 2))

        after = browser.get(path).text

        assert bare(after) == before
        assert secret not in after
        missing = browser.get(f"{path}/{uuid4()}")
        answer = browser.get(f"{path}/{hidden['id']}")
        assert answer.status_code == missing.status_code == 404
        assert answer.content == missing.content


class TestRating:
    @pytest.fixture
    def goal(self, world: World, path: str) -> str:
        """The page of a goal."""
        return f"{path}/{a_scaled_goal(world)['id']}"

    def test_a_rating_is_kept_and_a_second_sending_makes_no_second_one(
        self, browser: Browser, world: World, goal: str
    ) -> None:
        form = typed()

        answers = [browser.submit(goal, **form) for _ in range(2)]

        assert [one.headers["location"] for one in answers] == [f"{goal}?done=goal-rated"] * 2
        [rating] = ratings(world)
        assert rating["id"] == form["id"]
        assert (rating["level"], rating["rater"]) == (1, "therapist")
        assert rating["effective_at"].startswith(form["recorded_at"])
        page = browser.get(f"{goal}?done=goal-rated").text
        assert "The rating was kept." in page
        assert "She told me of two calls." in page

    def test_the_same_form_with_another_level_is_said_and_sent_again_it_is_another_rating(
        self, browser: Browser, world: World, goal: str
    ) -> None:
        form = typed()
        browser.submit(goal, **form)

        answer = browser.submit(goal, **{**form, "level": "2"})

        assert answer.status_code == 422
        assert wrong(answer.text) == [
            "This form: was sent before with other values; sent again, it makes another entry."
        ]
        assert "She told me of two calls.</textarea>" in answer.text
        again = {**form, "level": "2", "id": value_of("id", answer.text)}
        assert browser.submit(goal, **again).status_code == 303
        assert sorted(one["level"] for one in ratings(world)) == [1, 2]

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"level": ""}, "Level: is required."),
            ({"level": "3"}, "Level: must be a whole number."),
            ({"recorded_at": ""}, "When: is required."),
            ({"recorded_at": "soon"}, "When: is not a date and a time."),
        ],
    )
    def test_what_cannot_be_is_said_at_its_field_and_what_was_typed_is_kept(
        self, browser: Browser, world: World, goal: str, changes: dict[str, str], sentence: str
    ) -> None:
        form = typed(**changes)

        answer = browser.submit(goal, **form)

        assert answer.status_code == 422
        assert wrong(answer.text) == [sentence]
        assert "She told me of two calls.</textarea>" in answer.text
        assert value_of("id", answer.text) == form["id"]
        assert ratings(world) == []

    @pytest.mark.parametrize("changes", [{}, {"level": ""}, {"recorded_at": "soon"}])
    def test_what_was_typed_comes_back_alike_from_a_goal_withdrawn_private_or_never_there(
        self, browser: Browser, world: World, path: str, changes: dict[str, str]
    ) -> None:
        withdrawn, hidden = (a_scaled_goal(world)["id"] for _ in range(2))
        record = world.patient.record
        assert world.patient.delete(f"{record}/goals/{withdrawn}", base=1).status_code == 200
        private = a_goal(levels=LEVELS, baseline_level=-1, tier="private")
        amended(world.patient, f"{record}/goals/{hidden}", private, 1)
        form = typed(**changes)

        answers = [browser.submit(f"{path}/{one}", **form) for one in (withdrawn, hidden, uuid4())]

        assert [answer.status_code for answer in answers] == [404] * 3
        assert len({answer.content for answer in answers}) == 1
        assert "She told me of two calls.</textarea>" in answers[0].text
        assert "What this was written for is not there" in answers[0].text
        assert ratings(world) == []

    def test_a_rating_sent_again_after_its_goal_was_withdrawn_was_kept(
        self, browser: Browser, world: World, goal: str
    ) -> None:
        form = typed()
        browser.submit(goal, **form)
        world.patient.delete(f"{world.patient.record}/goals/{goal.rpartition('/')[2]}", base=1)

        again = browser.submit(goal, **form)

        assert again.headers["location"] == f"{goal}?done=goal-rated"
        assert browser.get(again.headers["location"]).status_code == 200

    def test_one_s_own_rating_can_be_taken_back_and_nobody_else_s(
        self, browser: Browser, world: World, goal: str
    ) -> None:
        goal_id = goal.rpartition("/")[2]
        theirs = kept(world.patient, "goal-ratings", a_goal_rating(goal_id, 2))
        form = typed()
        browser.submit(goal, **form)
        assert browser.get(goal).text.count('value="withdraw"') == 1

        refused = browser.submit(goal, act="withdraw", rating=theirs["id"], version="1")
        late = browser.submit(goal, act="withdraw", rating=form["id"], version="7")
        done = browser.submit(goal, act="withdraw", rating=form["id"], version="1")

        assert refused.status_code == 403
        assert late.status_code == 412
        assert "Somebody changed this since you opened it" in late.text
        assert done.headers["location"] == f"{goal}?done=rating-withdrawn"
        assert [one["id"] for one in ratings(world)] == [theirs["id"]]

    def test_a_rating_of_another_goal_is_not_taken_back_here(
        self, browser: Browser, world: World, path: str, goal: str
    ) -> None:
        form = typed()
        browser.submit(goal, **form)
        elsewhere = f"{path}/{a_scaled_goal(world)['id']}"

        answer = browser.submit(elsewhere, act="withdraw", rating=form["id"], version="1")

        assert answer.status_code == 404
        assert len(ratings(world)) == 1

    def test_who_has_no_privilege_of_therapy_has_no_form_and_rates_nothing(
        self, world: World, direct: Direct, goal: str
    ) -> None:
        boss = at_work(direct, world.administrator, now())
        member = f"/console/people/members/{world.therapist.membership_id}"
        boss.submit(member, act="privileges", privileges=["prescribe"], version="1")
        browser = at_work(direct, world.therapist, now())

        assert "Keep the rating" not in browser.get(goal).text
        assert browser.submit(goal, **typed()).status_code == 403
        assert ratings(world) == []

    def test_a_coach_reads_goals_and_rates_none(
        self, world: World, direct: Direct, goal: str
    ) -> None:
        browser = at_work(direct, world.here.coach, now())
        me = world.patient.get("/v1/me").headers["etag"]
        changed = world.patient.patch("/v1/me", {"phone": "+1 555 0123"}, headers={"If-Match": me})

        page = browser.get(goal)

        assert page.status_code == changed.status_code == 200
        assert "Call my sister." in page.text
        assert "555 0123" not in page.text
        assert "555 0123" in at_work(direct, world.therapist, now()).get(goal).text
        assert "Keep the rating" not in page.text
        assert browser.submit(goal, **typed()).status_code == 403

    def test_when_is_on_the_clinic_s_clock(self, client: TestClient, direct: Direct) -> None:
        clinic = a_clinic(client, direct, country="DE", time_zone="Europe/Berlin")
        goal = kept(clinic.patient, "goals", a_goal(levels=LEVELS))
        browser = at_work(direct, clinic.therapist, now())
        path = f"/console/patients/{clinic.patient.patient_id}/goals/{goal['id']}"

        browser.submit(path, **typed(recorded_at="2026-01-15T10:00"))

        [rating] = clinic.therapist.get(f"{clinic.patient.record}/goal-ratings").json()[
            "goal_ratings"
        ]
        assert datetime.fromisoformat(rating["effective_at"]) == datetime(
            2026, 1, 15, 9, tzinfo=UTC
        )


class TestFigure:
    AT = datetime(2026, 3, 1, tzinfo=UTC)

    def test_each_rater_has_points_of_their_own_and_higher_is_better(self) -> None:
        weeks = [self.AT + timedelta(weeks=week) for week in range(3)]
        patient = [Leveled(weeks[0], -2), Leveled(weeks[2], 2)]
        therapist = [Leveled(weeks[1], 0)]

        drawn = figures.draw_levels("said", patient, therapist, None, ZoneInfo("UTC"))

        (first, low), (last, high) = drawn.patient
        [(between, middle)] = drawn.therapist
        assert first < between < last
        assert low > middle > high
        assert [label for _, label in drawn.ends] == ["1 Mar 2026", "15 Mar 2026"]

    def test_one_rating_stands_in_the_middle(self) -> None:
        drawn = figures.draw_levels("said", [Leveled(self.AT, 0)], [], None, ZoneInfo("UTC"))

        assert drawn.patient[0][0] == drawn.ends[0][0]
        assert len(drawn.ends) == 1


class TestWhyNot:
    @pytest.mark.parametrize(
        ("told", "sentence"),
        [
            ((40.0, 60.0, 20.0, 2, 0), ""),
            ((None, None, None, 0, 0), "no goal has been worked on yet"),
            ((40.0, None, None, 0, 2), "the therapist has rated none of them yet"),
            (
                (None, None, None, 0, 2),
                "no goal has both a baseline level and a rating by the therapist",
            ),
        ],
    )
    def test_t_that_is_not_defined_says_why(
        self, told: tuple[float | None, float | None, float | None, int, int], sentence: str
    ) -> None:
        names = ("baseline_t", "attained_t", "change", "goals", "left_out")
        besides = {"is_single_goal": False, "over_time": []}
        score = TScoreOut.model_validate(dict(zip(names, told, strict=True)) | besides)

        assert goals.why_not(score, Rater.THERAPIST) == sentence
