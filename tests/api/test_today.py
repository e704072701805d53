"""What there is to do now, in one order: safety checks, what is done, what is filled in."""

from datetime import timedelta
from importlib.resources import files
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from app.clinical import instruments as shipped
from app.kernel.db import Direct
from tests.api.test_clinic_instruments import a_definition, add, switch
from tests.api.test_due import SCREENER, Course, enrolled
from tests.api.test_protocol import a_point, a_protocol, publish
from tests.builders import (
    LEVELS,
    Clinic,
    Person,
    World,
    a_clinic,
    a_goal,
    a_goal_rating,
    a_goal_step,
    a_practice,
    a_practice_tick,
    a_schedule,
    amended,
    now,
)
from tests.conftest import Clock
from tests.kernel.between import Between

MINE = "/v1/patients/me"
Json = dict[str, Any]


@pytest.fixture
def course(timed_world: World, clock: Clock, direct: Direct) -> Course:
    """Enrolled on a Monday at noon, in UTC."""
    return enrolled(timed_world, clock, direct, "UTC")


@pytest.fixture
def on_kiritimati(timed_world: World, clock: Clock, direct: Direct) -> Course:
    """Fourteen hours ahead: it is Tuesday there."""
    return enrolled(timed_world, clock, direct, "Pacific/Kiritimati")


def sent(course: Course, many: str, body: Json) -> Json:
    answer = course.patient.post(f"{MINE}/{many}", body | {"recorded_at": course.clock.said()})
    assert answer.status_code == 201, answer.text
    told: Json = answer.json()
    return told


def kinds(told: Json) -> list[str]:
    return [one["kind"] for one in told["in_order"]]


def of_kind(told: Json, kind: str) -> list[Json]:
    return [one for one in told["in_order"] if one["kind"] == kind]


class TestPractices:
    def test_today_s_practices_are_in_it_until_they_are_done(self, course: Course) -> None:
        practice = sent(course, "practices", a_practice(remind_at="18:30"))
        sent(course, "practices", a_practice(schedule=a_schedule(kind="weekdays", weekdays=[2])))

        [told] = of_kind(course.due(), "practice")
        sent(course, "practice-ticks", a_practice_tick(practice["id"], "2026-03-02"))

        assert told["key"] == f"practice/{practice['id']}/2026-03-02"
        assert (told["entry_id"], told["instrument"]) == (practice["id"], None)
        assert [told[name] for name in ("opens_at", "due_at", "expires_at")] == [
            "2026-03-02T00:00:00Z",
            "2026-03-02T18:30:00Z",
            "2026-03-03T00:00:00Z",
        ]
        assert of_kind(course.due(), "practice") == []

    def test_today_is_the_patient_s_own_day(self, on_kiritimati: Course) -> None:
        tuesdays = a_schedule(kind="weekdays", weekdays=[2])
        sent(on_kiritimati, "practices", a_practice(schedule=tuesdays))

        [told] = of_kind(on_kiritimati.due(), "practice")

        assert told["due_at"] == "2026-03-04T00:00:00+14:00"

    def test_of_times_a_week_the_whole_week_counts(self, course: Course) -> None:
        schedule = a_schedule(kind="times-a-week", times=2)
        practice = sent(course, "practices", a_practice(schedule=schedule))
        for day in ("2026-03-02", "2026-03-03"):
            sent(course, "practice-ticks", a_practice_tick(practice["id"], day))
        course.clock.turn(days=6)

        on_sunday = of_kind(course.due(), "practice")
        course.clock.turn(days=1)

        assert on_sunday == []
        assert len(of_kind(course.due(), "practice")) == 1

    def test_a_practice_that_is_private_is_on_nobody_else_s_list(self, course: Course) -> None:
        sent(course, "practices", a_practice(tier="private"))
        goal = sent(course, "goals", a_goal(tier="private"))
        sent(course, "goal-steps", a_goal_step(goal["id"], due_on="2026-03-03"))
        shown = sent(course, "practices", a_practice())

        theirs = course.therapist.get(f"{course.newcomer.record}/due").json()

        assert [one["entry_id"] for one in theirs["in_order"] if one["entry_id"]] == [shown["id"]]
        assert len([one for one in course.due()["in_order"] if one["entry_id"]]) == 3


class TestSteps:
    def test_a_step_is_in_it_from_its_start_and_stays_until_it_is_done(
        self, course: Course
    ) -> None:
        goal = sent(course, "goals", a_goal())
        body = a_goal_step(goal["id"], starts_on="2026-03-04", due_on="2026-03-05")
        step = sent(course, "goal-steps", body)

        early = of_kind(course.due(), "step")
        course.clock.turn(days=2)
        [begun] = of_kind(course.due(), "step")
        course.clock.turn(days=9)
        [overdue] = of_kind(course.due(), "step")
        done = body | {"status": "done", "done_on": "2026-03-13"}
        amended(course.patient, f"{MINE}/goal-steps/{step['id']}", done, 1)

        assert early == []
        assert begun == overdue
        assert (begun["entry_id"], begun["expires_at"]) == (step["id"], None)
        assert (begun["opens_at"], begun["due_at"]) == (
            "2026-03-04T00:00:00Z",
            "2026-03-06T00:00:00Z",
        )
        assert of_kind(course.due(), "step") == []

    @pytest.mark.parametrize(("due_on", "is_there"), [("2026-03-09", True), ("2026-03-10", False)])
    def test_without_a_start_it_is_shown_for_a_week(
        self, course: Course, due_on: str, is_there: bool
    ) -> None:
        goal = sent(course, "goals", a_goal())
        sent(course, "goal-steps", a_goal_step(goal["id"], due_on=due_on))

        assert bool(of_kind(course.due(), "step")) is is_there

    def test_a_step_of_a_goal_that_rests_rests_too(self, course: Course) -> None:
        goal = sent(course, "goals", a_goal())
        sent(course, "goal-steps", a_goal_step(goal["id"], due_on="2026-03-03"))

        resting = a_goal(status="on-hold", recorded_at=course.clock.said())
        amended(course.patient, f"{MINE}/goals/{goal['id']}", resting, 1)

        assert of_kind(course.due(), "step") == []


class TestGoals:
    """Enrolled on Monday, 2026-03-02, at noon in UTC."""

    def test_a_goal_is_in_it_from_a_fortnight_on_until_it_is_rated(self, course: Course) -> None:
        goal = sent(course, "goals", a_goal(levels=LEVELS))
        course.clock.turn(days=13)
        early = of_kind(course.due(), "goal")
        course.clock.turn(days=1)
        [asked] = of_kind(course.due(), "goal")
        course.clock.turn(days=9)
        [overdue] = of_kind(course.due(), "goal")
        sent(course, "goal-ratings", a_goal_rating(goal["id"], 0))
        rated = of_kind(course.due(), "goal")
        course.clock.turn(days=14)

        [again] = of_kind(course.due(), "goal")

        assert early == rated == []
        assert asked == overdue
        assert asked["key"] == f"goal/{goal['id']}/2026-03-16"
        assert (asked["entry_id"], asked["expires_at"]) == (goal["id"], None)
        assert (asked["opens_at"], asked["due_at"]) == (
            "2026-03-16T00:00:00Z",
            "2026-03-24T00:00:00Z",
        )
        assert again["key"] == f"goal/{goal['id']}/2026-04-08"

    def test_only_what_is_worked_on_has_begun_and_has_levels_is_to_be_rated(
        self, course: Course
    ) -> None:
        for changes in (
            {},
            {"levels": LEVELS, "status": "on-hold"},
            {"levels": LEVELS, "starts_on": "2026-03-09"},
        ):
            sent(course, "goals", a_goal(**changes))
        hidden = sent(course, "goals", a_goal(levels=LEVELS, tier="private"))
        course.clock.turn(days=14)
        after_a_fortnight = of_kind(course.due(), "goal")
        theirs = course.therapist.get(f"{course.newcomer.record}/due").json()
        course.clock.turn(days=7)

        after_three_weeks = of_kind(course.due(), "goal")

        assert [one["entry_id"] for one in after_a_fortnight] == [hidden["id"]]
        assert of_kind(theirs, "goal") == []
        assert len(after_three_weeks) == 2

    def test_what_the_therapist_rated_is_still_for_the_patient_to_rate(
        self, course: Course
    ) -> None:
        goal = sent(course, "goals", a_goal(levels=LEVELS))
        course.clock.turn(days=14)
        rating = a_goal_rating(goal["id"], 0) | {"recorded_at": course.clock.said()}
        answer = course.therapist.post(f"{course.newcomer.record}/goal-ratings", rating)
        assert answer.status_code == 201, answer.text

        assert len(of_kind(course.due(), "goal")) == 1

    def test_in_the_open_window_a_goal_goes_before_a_questionnaire_and_after_a_safety_check(
        self, course: Course
    ) -> None:
        publish(course.administrator, after_doses())
        sent(course, "goals", a_goal(levels=LEVELS))
        course.clock.turn(days=14)
        course.dose()
        course.clock.turn(hours=1)

        assert [(one["kind"], one["reason"]) for one in course.due()["in_order"]] == [
            ("safety-check", "safety-first"),
            ("goal", "open-window"),
            ("questionnaire", "can-wait"),
        ]


class TestOrder:
    def test_before_any_dose_what_is_due_first_comes_first(self, course: Course) -> None:
        sent(course, "practices", a_practice())

        told = course.due()

        assert told["open_window"] is None
        assert {one["reason"] for one in told["in_order"]} == {"by-time"}
        assert [one["due_at"] for one in told["in_order"]] == sorted(
            one["due_at"] for one in told["in_order"]
        )

    def test_all_that_is_open_is_in_it_once(self, course: Course) -> None:
        told = course.due()

        listed = [one["key"] for one in told["in_order"] if one["instrument"]]
        assert sorted(listed) == sorted(one["key"] for one in told["open"])

    def test_in_the_days_after_a_dose_doing_goes_before_filling_in(self, course: Course) -> None:
        publish(course.administrator, a_protocol(in_days("form", [0, 0, 100], "daily")))
        sent(course, "practices", a_practice(remind_at="23:00"))
        without = course.due()
        course.clock.turn(days=1)
        course.dose()
        published = publish(course.administrator, after_doses(), base=2)
        assert published.status_code == 200, published.text

        within = course.due()
        course.clock.turn(days=20)
        after = course.due()

        assert kinds(without) == ["questionnaire", "practice"]
        assert [(one["kind"], one["reason"]) for one in within["in_order"]] == [
            ("safety-check", "safety-first"),
            ("practice", "open-window"),
            ("questionnaire", "can-wait"),
        ]
        assert within["open_window"] == {
            "opens_at": "2026-03-03T12:00:00Z",
            "closes_at": "2026-03-23T12:00:00Z",
        }
        assert after["open_window"] is None
        assert "can-wait" not in {one["reason"] for one in after["in_order"]}

    def test_what_is_asked_in_the_hours_after_a_dose_is_a_safety_check(
        self, course: Course
    ) -> None:
        sent(course, "practices", a_practice())
        course.dose()
        course.clock.turn(hours=4)

        told = course.due()

        first, second, third, *_ = told["in_order"]
        assert {first["instrument"], second["instrument"]} == {"momentary", "aftercare"}
        assert (first["kind"], second["kind"]) == ("safety-check", "safety-check")
        assert third["kind"] == "practice"

    def test_a_clinic_s_own_screener_is_a_safety_check_too(self, course: Course) -> None:
        own = files(shipped).joinpath(f"{SCREENER}.toml").read_text("utf-8")
        own = own.replace(f'key = "{SCREENER}"', 'key = "own-screener"')
        for definition in (a_definition(), own):
            added = add(course.administrator, definition)
            assert added.status_code == 201, added.text
        switched = switch(course.administrator, "own-screener", is_on=True, accepts_notice=True)
        assert switched.status_code == 200, switched.text
        points = [in_days(key, [0, 0, 100], key) for key in ("two-items", "own-screener")]
        published = publish(course.administrator, a_protocol(*points))
        assert published.status_code == 200, published.text

        placed = [(one["instrument"], one["kind"]) for one in course.due()["in_order"]]

        assert placed == [("own-screener", "safety-check"), ("two-items", "questionnaire")]


def in_days(key: str, days: list[int], instrument: str, anchor: str = "enrolment") -> Json:
    """A point that is open for days."""
    point = a_point(key=key, anchor=anchor, instruments=[instrument], days=days)
    del point["hours"]
    return point


def after_doses() -> Json:
    """A screener and a questionnaire, both open for weeks after a dose; twenty open days."""
    return a_protocol(
        in_days("screen", [0, 9, 90], SCREENER, "dose"),
        in_days("form", [0, 0, 90], "daily", "dose"),
    ) | {
        "integration": {
            "within_hours": [24, 72],
            "open_days": 20,
            "source": "A test",
            "convention": True,
        }
    }


class TestTrips:
    @pytest.fixture
    def clinic(self, overheard: TestClient, direct: Direct) -> Clinic:
        """Whose API talks to the database through `between`."""
        return a_clinic(overheard, direct)

    def test_however_many_practices_and_ticks_the_statements_are_as_many(
        self, clinic: Clinic, between: Between
    ) -> None:
        patient = clinic.patient
        few = self.statements(patient, between)
        upload(patient, practices=4, days=100)

        many = self.statements(patient, between)

        assert many == few
        assert many["practices/adherence"] <= 2

    def statements(self, person: Person, between: Between) -> dict[str, int]:
        """How many queries each of these takes, the chart's among them."""
        counted = {}
        for path in ("due", "practices/adherence", "coping/helpfulness"):
            between.forget()
            answer = person.get(f"{MINE}/{path}")
            assert answer.status_code == 200, answer.text
            counted[path] = sum("SELECT" in said for trip in between.trips for said in trip)
        return counted


def upload(person: Person, *, practices: int, days: int) -> None:
    """So many practices, each ticked on so many dates."""
    ids = [str(uuid4()) for _ in range(practices)]
    begun = [{"kind": "practice", "op": "create", "id": one, "entry": a_practice()} for one in ids]
    answer = person.post("/v1/sync", {"changes": begun})
    assert {one["status"] for one in answer.json()["results"]} == {"created"}
    today = now().date()
    ticked = [
        {
            "kind": "practice_tick",
            "op": "create",
            "id": str(uuid4()),
            "entry": a_practice_tick(one, (today - timedelta(days=day)).isoformat()),
        }
        for one in ids
        for day in range(days)
    ]
    answer = person.post("/v1/sync", {"changes": ticked})
    assert {one["status"] for one in answer.json()["results"]} == {"created"}
