"""Goal attainment scaling over HTTP: levels, states, steps, and two raters kept apart."""

from typing import Any
from uuid import uuid4

import pytest

from tests.builders import LEVELS, Person, World, a_goal, a_goal_rating, a_goal_step
from tests.conftest import Behind, Clock

GOALS = "/v1/patients/me/goals"
STEPS = "/v1/patients/me/goal-steps"
RATINGS = "/v1/patients/me/goal-ratings"
Json = dict[str, Any]


def set_(person: Person, **changes: Any) -> Json:
    answer = person.post(GOALS, a_goal(**{"levels": LEVELS, "baseline_level": -1} | changes))
    assert answer.status_code == 201, answer.text
    told: Json = answer.json()
    return told


def rate(person: Person, world: World, goal: Json, level: int) -> Json:
    body = a_goal_rating(goal["id"], level)
    answer = person.post(f"{world.patient.record}/goal-ratings", body)
    assert answer.status_code == 201, answer.text
    told: Json = answer.json()
    return told


def attainment(person: Person, world: World) -> Json:
    answer = person.get(f"{world.patient.record}/goal-attainment")
    assert answer.status_code == 200, answer.text
    told: Json = answer.json()
    return told


class TestLevels:
    def test_five_levels_come_back_as_they_were_written(self, world: World) -> None:
        told = set_(world.patient, baseline="We do not talk.", weight=3)

        assert told["levels"] == LEVELS
        assert (told["baseline"], told["baseline_level"], told["weight"]) == (
            "We do not talk.",
            -1,
            3,
        )

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"levels": LEVELS[::-1]}, "/levels/0/level"),
            ({"levels": LEVELS[:4]}, "/levels"),
            ({"levels": [*LEVELS[:4], LEVELS[4] | {"measure": 3.0}]}, "/levels/4/measure"),
            ({"weight": 0}, "/weight"),
            ({"weight": 10}, "/weight"),
            ({"baseline_level": 3}, "/baseline_level"),
            ({"starts_on": "2026-03-02", "target_on": "2026-03-01"}, "/target_on"),
            ({"starts_on": "2026-02-30"}, "/starts_on"),
            ({"starts_on": 20260301}, "/starts_on"),
            ({"status": "entered-in-error"}, "/status"),
        ],
    )
    def test_what_is_no_scale_is_refused_by_place(
        self, world: World, changes: Json, pointer: str
    ) -> None:
        answer = world.patient.post(GOALS, a_goal(**{"levels": LEVELS} | changes))

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer

    def test_levels_are_fixed_once_the_goal_was_rated(self, world: World) -> None:
        goal = set_(world.patient)
        rate(world.therapist, world, goal, 0)
        easier = [*LEVELS[:4], LEVELS[4] | {"measure": 5.0}]

        refused = world.patient.put(f"{GOALS}/{goal['id']}", a_goal(levels=easier), base=1)
        reworded = a_goal(levels=LEVELS, baseline_level=-1, words="Talk with her.")
        kept = world.patient.put(f"{GOALS}/{goal['id']}", reworded, base=1)

        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/levels"
        assert kept.status_code == 200

    @pytest.mark.parametrize(
        ("changes", "pointers"),
        [
            ({"baseline_level": -2}, ["/baseline_level"]),
            ({"baseline_level": None}, ["/baseline_level"]),
            ({"weight": 9}, ["/weight"]),
            ({"baseline_level": 0, "weight": 2}, ["/baseline_level", "/weight"]),
        ],
    )
    def test_t_is_not_moved_by_another_baseline_or_weight_afterwards(
        self, world: World, changes: Json, pointers: list[str]
    ) -> None:
        goal = set_(world.patient, weight=1)
        set_(world.patient, weight=1)
        rate(world.patient, world, goal, 0)
        as_it_was = attainment(world.patient, world)["patient"]
        said = a_goal(**{"levels": LEVELS, "baseline_level": -1} | changes)

        refused = world.patient.put(f"{GOALS}/{goal['id']}", said, base=1)
        change = {"kind": "goal", "op": "amend", "id": goal["id"], "base_version": 1}
        uploaded = world.patient.post("/v1/sync", {"changes": [change | {"entry": said}]})

        assert refused.status_code == 422
        assert [one["pointer"] for one in refused.json()["errors"]] == pointers
        [result] = uploaded.json()["results"]
        assert result["status"] == "refused"
        told = [one["pointer"] for one in result["problem"]["errors"]]
        assert told == [f"/entry{pointer}" for pointer in pointers]
        assert attainment(world.patient, world)["patient"] == as_it_was

    def test_a_scale_may_change_until_somebody_rates_and_its_retry_is_answered_after_that(
        self, world: World
    ) -> None:
        goal = set_(world.patient)
        said = a_goal(levels=LEVELS, baseline_level=-2, weight=4)
        one = f"{GOALS}/{goal['id']}"

        amended = world.patient.put(one, said, base=1)
        rate(world.therapist, world, goal, 0)
        again = world.patient.put(one, said, base=1)

        assert (amended.status_code, again.status_code) == (200, 200)
        assert (again.json()["version"], again.json()["weight"]) == (2, 4)
        stale = world.patient.put(one, said | {"weight": 5}, base=1)
        assert stale.status_code == 412


class TestStates:
    def test_a_legal_move_is_in_the_ledger_by_its_name(self, world: World) -> None:
        goal = set_(world.patient)

        world.patient.put(f"{GOALS}/{goal['id']}", a_goal(status="on-hold"), base=1)

        versions = world.patient.get(f"{GOALS}/{goal['id']}/versions").json()["versions"]
        assert [version["action"] for version in versions] == ["goal.set", "goal.on_hold"]

    def test_an_illegal_move_is_refused_with_where_one_can_go(self, world: World) -> None:
        goal = set_(world.patient, status="completed")

        refused = world.patient.put(f"{GOALS}/{goal['id']}", a_goal(status="on-hold"), base=1)

        assert refused.status_code == 409
        told = refused.json()
        assert (told["code"], told["from"]) == ("illegal-move", "completed")
        assert told["may_move_to"] == ["active"]
        assert world.patient.get(f"{GOALS}/{goal['id']}").json()["version"] == 1


class TestSteps:
    def test_a_step_is_planned_and_done(self, world: World) -> None:
        goal = set_(world.patient)
        step = world.patient.post(STEPS, a_goal_step(goal["id"], due_on="2026-12-01")).json()

        done = a_goal_step(goal["id"], status="done", done_on="2026-11-30")
        answer = world.patient.put(f"{STEPS}/{step['id']}", done, base=1)

        assert (answer.status_code, answer.json()["status"]) == (200, "done")
        seen = world.here.coach.get(f"{world.patient.record}/goal-steps").json()["goal_steps"]
        assert [one["id"] for one in seen] == [step["id"]]

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"due_on": "2026-02-28"}, "/due_on"),
            ({"starts_on": "2026-02-28"}, "/starts_on"),
            ({"starts_on": "2026-02-28", "due_on": "2026-04-01"}, "/starts_on"),
            ({"starts_on": "2026-04-02", "due_on": "2026-04-01"}, "/due_on"),
            ({"status": "done"}, "/done_on"),
            ({"done_on": "2026-04-01"}, "/done_on"),
        ],
    )
    def test_a_step_that_cannot_be_is_refused_by_place(
        self, world: World, changes: Json, pointer: str
    ) -> None:
        goal = set_(world.patient, starts_on="2026-03-01")

        answer = world.patient.post(STEPS, a_goal_step(goal["id"], **changes))

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer

    @pytest.mark.parametrize("dates", [{"due_on": "2026-03-10"}, {"starts_on": "2026-03-10"}])
    def test_a_goal_does_not_come_to_start_after_a_step_of_its(
        self, world: World, dates: Json
    ) -> None:
        goal = set_(world.patient, starts_on="2026-03-01")
        step = world.patient.post(STEPS, a_goal_step(goal["id"], **dates)).json()
        one = f"{GOALS}/{goal['id']}"

        def moved(on: str | None) -> Json:
            return a_goal(levels=LEVELS, baseline_level=-1, starts_on=on)

        refused = world.patient.put(one, moved("2026-03-11"), base=1)
        change = {"kind": "goal", "op": "amend", "id": goal["id"], "base_version": 1}
        uploaded = world.patient.post(
            "/v1/sync", {"changes": [change | {"entry": moved("2026-03-11")}]}
        )
        kept = world.patient.put(one, moved("2026-03-10"), base=1)
        dropped = a_goal_step(goal["id"], status="dropped", **dates)
        world.patient.put(f"{STEPS}/{step['id']}", dropped, base=1)
        after = world.patient.put(one, moved("2026-03-11"), base=2)
        taken_up = world.patient.put(
            f"{STEPS}/{step['id']}", a_goal_step(goal["id"], **dates), base=2
        )

        assert refused.status_code == 422
        assert [one["pointer"] for one in refused.json()["errors"]] == ["/starts_on"]
        [result] = uploaded.json()["results"]
        assert result["status"] == "refused"
        assert result["problem"]["errors"][0]["pointer"] == "/entry/starts_on"
        assert (kept.status_code, after.status_code) == (200, 200)
        assert taken_up.status_code == 422

    def test_a_step_that_came_to_lie_before_its_goal_may_still_be_done(
        self, world: World, behind: Behind
    ) -> None:
        goal = set_(world.patient, starts_on="2026-03-01")
        step = world.patient.post(STEPS, a_goal_step(goal["id"], due_on="2026-03-10")).json()
        behind.rows("UPDATE goal SET starts_on = '2026-04-01' WHERE id = %s", goal["id"])

        done = a_goal_step(goal["id"], due_on="2026-03-10", status="done", done_on="2026-03-09")
        kept = world.patient.put(f"{STEPS}/{step['id']}", done, base=1)
        earlier = world.patient.put(
            f"{STEPS}/{step['id']}", done | {"due_on": "2026-03-09"}, base=2
        )

        assert kept.status_code == 200, kept.text
        assert (earlier.status_code, earlier.json()["errors"][0]["pointer"]) == (422, "/due_on")

    def test_a_part_of_nothing_of_one_s_own_is_refused(self, world: World) -> None:
        for goal_id in (world.elsewhere.patient.post(GOALS, a_goal()).json()["id"], str(uuid4())):
            answer = world.patient.post(STEPS, a_goal_step(goal_id))

            assert answer.status_code == 422
            assert answer.json()["errors"][0] == {
                "pointer": "/goal_id",
                "reason": "is not one of the patient's entries",
            }

    def test_a_withdrawn_goal_gets_no_further_step(self, world: World) -> None:
        goal = set_(world.patient)
        world.patient.delete(f"{GOALS}/{goal['id']}", base=1)

        answer = world.patient.post(STEPS, a_goal_step(goal["id"]))

        assert answer.json()["errors"][0] == {"pointer": "/goal_id", "reason": "was withdrawn"}

    def test_parts_of_a_private_goal_are_as_private_as_it_is(self, world: World) -> None:
        goal = set_(world.patient)
        step = world.patient.post(STEPS, a_goal_step(goal["id"], words="axolotl")).json()
        rate(world.patient, world, goal, 1)

        private = a_goal(levels=LEVELS, baseline_level=-1, tier="private")
        world.patient.put(f"{GOALS}/{goal['id']}", private, base=1)

        record = world.patient.record
        assert world.therapist.get(f"{record}/goal-steps/{step['id']}").status_code == 404
        assert world.therapist.get(f"{record}/goal-steps/{step['id']}/versions").status_code == 404
        assert world.therapist.get(f"{record}/goal-steps").json()["goal_steps"] == []
        assert world.therapist.get(f"{record}/goal-ratings").json()["goal_ratings"] == []
        assert "axolotl" not in world.therapist.get(f"{record}/changes").text
        assert attainment(world.therapist, world)["goals"] == []
        assert len(attainment(world.patient, world)["goals"]) == 1


class TestRatings:
    def test_patient_and_therapist_rate_apart(self, world: World) -> None:
        goal = set_(world.patient)
        rate(world.patient, world, goal, 1)
        rate(world.therapist, world, goal, -1)

        [told] = attainment(world.therapist, world)["goals"]

        assert (told["patient"]["level"], told["therapist"]["level"]) == (1, -1)
        assert told["difference"] == 2
        assert (told["achievement_status"], told["achievement_by"]) == ("achieved", "patient")

    def test_t_scores_are_those_of_the_published_formula(self, world: World) -> None:
        for weight, level in ((3, 1), (2, 0), (1, -1)):
            rate(world.patient, world, set_(world.patient, weight=weight), level)

        told = attainment(world.patient, world)

        # By hand: 20 over the root of 9.8 and 10.8, above 50.
        assert told["patient"]["attained_t"] == 54.4065
        # All at -1: 60 over the same root, below 50.
        assert told["patient"]["baseline_t"] == 36.7804
        assert told["patient"]["change"] == pytest.approx(54.4065 - 36.7804, abs=1e-4)
        assert told["therapist"]["attained_t"] is None
        assert told["variant"] == "kiresuk-sherman-1968"

    def test_without_a_goal_t_is_not_defined(self, world: World) -> None:
        told = attainment(world.patient, world)

        assert told["patient"] == {
            "baseline_t": None,
            "attained_t": None,
            "change": None,
            "goals": 0,
            "left_out": 0,
            "is_single_goal": False,
            "over_time": [],
        }

    def test_t_of_one_goal_is_marked_for_each_rater_and_told_with_a_caveat(
        self, world: World
    ) -> None:
        first, second = set_(world.patient), set_(world.patient)
        rate(world.therapist, world, first, 0)
        for goal in (first, second):
            rate(world.patient, world, goal, 1)

        told = attainment(world.therapist, world)

        assert "single goal" in told["caveat"]
        assert (told["patient"]["is_single_goal"], told["patient"]["goals"]) == (False, 2)
        assert (told["therapist"]["is_single_goal"], told["therapist"]["goals"]) == (True, 1)

    def test_it_is_told_over_time_by_the_patient_s_own_dates(
        self, timed_world: World, clock: Clock
    ) -> None:
        """The clock begins at noon of 2026-03-02, in UTC."""

        def rated(person: Person, goal_id: str, level: int) -> None:
            body = a_goal_rating(goal_id, level) | {"recorded_at": clock.said()}
            record = timed_world.patient.record
            answer = person.again(clock.at).post(f"{record}/goal-ratings", body)
            assert answer.status_code == 201, answer.text

        patient = timed_world.patient
        goals = [
            patient.again(clock.at).post(
                GOALS, a_goal(levels=LEVELS, baseline_level=-1, recorded_at=clock.said())
            )
            for _ in range(2)
        ]
        first, second = (answer.json()["id"] for answer in goals)
        rated(patient, first, -1)
        clock.turn(days=7)
        rated(patient, first, 0)
        rated(patient, second, 0)
        rated(timed_world.therapist, first, 2)

        told = patient.again(clock.at).get(f"{patient.record}/goal-attainment").json()

        assert told["patient"]["over_time"] == [
            {"on": "2026-03-02", "baseline_t": 40, "attained_t": 40, "change": 0, "goals": 1},
            {
                "on": "2026-03-09",
                "baseline_t": 37.5965,
                "attained_t": 50,
                "change": 12.4035,
                "goals": 2,
            },
        ]
        assert [one["attained_t"] for one in told["therapist"]["over_time"]] == [70]

    def test_a_goal_without_levels_is_not_rated(self, world: World) -> None:
        goal = set_(world.patient, levels=None)
        answer = world.patient.post(RATINGS, a_goal_rating(goal["id"], 1))

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/goal_id"

    def test_a_rating_is_corrected_by_who_gave_it_and_nobody_else(self, world: World) -> None:
        goal = set_(world.patient)
        given = rate(world.patient, world, goal, 1)
        one = f"{world.patient.record}/goal-ratings/{given['id']}"
        body = {"goal_id": goal["id"], "level": 2, "recorded_at": given["recorded_at"]}

        assert world.therapist.put(one, body, base=1).status_code == 403
        assert world.patient.put(one, body, base=1).json()["level"] == 2
        assert attainment(world.patient, world)["goals"][0]["patient"]["level"] == 2

    def test_a_withdrawn_rating_counts_for_nothing(self, world: World) -> None:
        goal = set_(world.patient)
        given = rate(world.patient, world, goal, 1)

        world.patient.delete(f"{RATINGS}/{given['id']}", base=1)

        [told] = attainment(world.patient, world)["goals"]
        assert (told["patient"], told["achievement_status"]) == (None, "in-progress")

    def test_a_phone_sends_goal_step_and_rating_in_one_upload(self, world: World) -> None:
        ids = {kind: str(uuid4()) for kind in ("goal", "goal_step", "goal_rating")}
        rating = a_goal_rating(ids["goal"])
        entries = {
            "goal": a_goal(levels=LEVELS),
            "goal_step": a_goal_step(ids["goal"]),
            "goal_rating": rating,
        }
        changes = [
            {"kind": kind, "op": "create", "id": ids[kind], "entry": entry}
            for kind, entry in entries.items()
        ]

        for status in ("created", "unchanged"):
            results = world.patient.post("/v1/sync", {"changes": changes}).json()["results"]
            assert [result["status"] for result in results] == [status] * 3
