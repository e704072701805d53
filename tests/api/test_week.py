"""One page a week: what moved, what was done, what was written, what is next."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.kernel.db import Direct
from app.story.page import POLICY
from tests.builders import (
    LEVELS,
    Person,
    World,
    a_check_in,
    a_clinic,
    a_dosing_session,
    a_goal,
    a_goal_rating,
    a_goal_step,
    a_note,
    a_practice,
    a_practice_tick,
    an_administration,
    an_insight,
    an_integration_session,
    now,
    phq_9,
)
from tests.conftest import Behind, Clock
from tests.kernel.between import Between

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
# The clock stands on a Monday at noon, 2026-03-02; the patients live in UTC.
LAST = "2026-02-25"


def week(person: Person, world: World, of: str | None = None) -> dict[str, Any]:
    query = "" if of is None else f"?of={of}"
    answer = person.get(f"{world.patient.record}/week{query}")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def page(person: Person, world: World, of: str = LAST) -> str:
    answer = person.get(f"{world.patient.record}/week?of={of}", headers=HTML)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"] == POLICY
    text: str = answer.text
    return text


def sent(person: Person, world: World, many: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = person.post(f"{world.patient.record}/{many}", body)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.fixture
def lived(timed_world: World, clock: Clock) -> World:
    """A week with something of everything, 2026-02-23 to 2026-03-01, and a score before it."""
    world, patient, therapist = timed_world, timed_world.patient, timed_world.therapist
    for days, total, nine in ((-10, 20, 0), (-4, 8, 1)):
        answers = phq_9(total, item_nine=nine)
        body = a_check_in(answers=answers, recorded_at=clock.said(days=days))
        sent(patient, world, "check-ins", body)
    dose = a_dosing_session(
        started_at=clock.said(days=-3, hours=-1),
        ended_at=clock.said(days=-3, hours=1),
        administrations=[an_administration(given_at=clock.said(days=-3))],
    )
    sent(therapist, world, "dosing-sessions", dose)
    at = {"recorded_at": clock.said(days=-2)}
    sent(patient, world, "notes", a_note(words="shared words", **at))
    sent(patient, world, "notes", a_note(words="hidden words", tier="private", **at))
    sent(patient, world, "insights", an_insight(words="an insight", **at))
    for tier in ("care-team", "private"):
        goal = a_goal(words=f"goal {tier}", tier=tier, levels=LEVELS, **at)
        goal_id = sent(patient, world, "goals", goal)["id"]
        rating = a_goal_rating(goal_id, 1, **at)
        sent(patient, world, "goal-ratings", rating)
        for words, dates in (
            ("done", {"status": "done", "done_on": "2026-02-26"}),
            ("late", {"due_on": "2026-02-27"}),
            ("next", {"due_on": "2026-03-05"}),
        ):
            step = a_goal_step(goal_id, words=f"step {words} {tier}", **dates, **at)
            sent(patient, world, "goal-steps", step)
        practice = a_practice(words=f"practice {tier}", tier=tier, **at)
        practice_id = sent(patient, world, "practices", practice)["id"]
        tick = a_practice_tick(practice_id, "2026-02-28", recorded_at=clock.said(days=-2))
        sent(patient, world, "practice-ticks", tick)
    talk = an_integration_session(
        scheduled_at=clock.said(days=2), status="scheduled", recorded_at=clock.said()
    )
    sent(therapist, world, "integration-sessions", talk)
    return world


class TestNumbers:
    def test_what_moved_has_the_change_and_whether_it_is_reliable(self, lived: World) -> None:
        told = week(lived.therapist, lived, LAST)

        [moved] = told["scores"]
        assert (moved["instrument"], moved["item"], moved["part"]) == ("phq-9", None, None)
        assert (moved["before"], moved["after"], moved["change"]) == (20, 8, -12)
        assert (moved["direction"], moved["reliable"]) == ("improved", True)
        assert {one["words"] for one in told["goals"]} == {"goal care-team"}
        assert [(one["rater"], one["before"], one["after"]) for one in told["goals"]] == [
            ("patient", None, 1)
        ]

    def test_suicidal_ideation_is_no_number_among_them(self, lived: World) -> None:
        momentary = a_check_in(
            instrument="momentary",
            answers=[4, 8, 5, 0, 5],
            recorded_at="2026-02-26T12:00:00Z",
        )
        sent(lived.patient, lived, "check-ins", momentary)

        told = week(lived.therapist, lived, LAST)

        assert "item-9" not in str(told)
        # Nor is what is asked about right now: two moments do not tell of a week.
        assert {one["item"] for one in told["scores"]} == {None}

    def test_the_week_is_its_own(self, lived: World) -> None:
        told = week(lived.patient, lived, LAST)

        assert (told["name"], told["first_on"], told["last_on"]) == (
            "2026-W09",
            "2026-02-23",
            "2026-03-01",
        )
        assert told["is_over"] is True
        assert (told["next_from"], told["next_until"]) == ("2026-03-02", "2026-03-08")
        assert told["due"] == []
        for day in range(23, 29):
            assert week(lived.patient, lived, f"2026-02-{day}")["name"] == "2026-W09"

    def test_without_a_date_it_is_this_week_so_far(self, lived: World) -> None:
        told = week(lived.patient, lived)

        assert (told["name"], told["is_over"]) == ("2026-W10", False)
        assert told["scores"] == told["written"] == told["doses"] == []
        assert [one["kind"] for one in told["planned"]] == ["integration_session"]

    def test_what_was_done_is_adherence_steps_and_doses(self, lived: World) -> None:
        told = week(lived.therapist, lived, LAST)

        [kept] = told["practices"]
        assert (kept["words"], kept["activity"]) == ("practice care-team", "breath")
        assert (kept["week"]["done"], kept["week"]["expected"]) == (1, 7)
        assert [one["words"] for one in told["steps_done"]] == ["step done care-team"]
        assert [one["number"] for one in told["doses"]] == [1]

    def test_what_is_next_is_overdue_steps_steps_with_a_date_and_the_calendar(
        self, lived: World
    ) -> None:
        told = week(lived.therapist, lived, LAST)

        assert [one["words"] for one in told["steps_overdue"]] == ["step late care-team"]
        assert [one["words"] for one in told["steps_next"]] == ["step next care-team"]
        assert [(one["kind"], one["status"]) for one in told["planned"]] == [
            ("integration_session", "scheduled")
        ]

    def test_what_is_due_is_among_what_is_next_while_the_week_lasts(self, lived: World) -> None:
        due = lived.patient.get("/v1/patients/me/due").json()

        told = week(lived.patient, lived)

        keys = [one["key"] for one in told["due"]]
        assert keys[: len(due["open"])] == [one["key"] for one in due["open"]]
        assert keys
        assert told["next_until"] == "2026-03-15"
        assert max(one["opens_at"][:10] for one in told["due"]) <= told["next_until"]

    def test_of_an_empty_week_there_is_nothing_to_tell(self, timed_world: World) -> None:
        told = week(timed_world.therapist, timed_world, LAST)

        for part in ("scores", "goals", "practices", "written", "doses", "flags", "planned"):
            assert told[part] == []

    def test_it_is_in_the_access_log_once(self, lived: World, behind: Behind) -> None:
        before = len(behind.accesses(lived.here.id))

        week(lived.therapist, lived)

        assert [what for _, _, what in behind.accesses(lived.here.id)[before:]] == ["week.read"]


class TestWhoSeesWhat:
    def test_a_patient_sees_all_of_it_and_what_of_it_is_shared(self, lived: World) -> None:
        told = week(lived.patient, lived, LAST)

        assert {one["kind"]: (one["written"], one["shared"]) for one in told["written_counts"]} == {
            "note": (2, 1),
            "insight": (1, 1),
            "goal": (2, 1),
            "practice": (2, 1),
        }
        assert len(told["steps_done"]) == len(told["practices"]) == len(told["goals"]) == 2

    def test_nothing_private_is_told_or_counted_for_others(self, lived: World) -> None:
        answer = lived.therapist.get(f"{lived.patient.record}/week?of={LAST}")

        assert "hidden" not in answer.text
        assert "private" not in answer.text
        counts = {one["kind"]: one["written"] for one in answer.json()["written_counts"]}
        assert counts == {"note": 1, "insight": 1, "goal": 1, "practice": 1}
        assert "private" not in page(lived.therapist, lived)
        assert "hidden" not in page(lived.therapist, lived)

    def test_of_a_flag_the_patient_sees_the_state_and_clinicians_the_level(
        self, lived: World
    ) -> None:
        [own], [theirs] = (
            week(person, lived)["flags"] for person in (lived.patient, lived.therapist)
        )

        assert (own["status"], own["level"]) == ("open", None)
        assert theirs["level"] in {"low", "moderate", "high"}
        assert own["raised_at"] == theirs["raised_at"]
        # It was raised when the check-in arrived, which is this week.
        assert week(lived.therapist, lived, LAST)["flags"] == []

    def test_a_coach_reads_no_week(self, lived: World) -> None:
        assert lived.here.coach.get(f"{lived.patient.record}/week").status_code == 403

    def test_a_dose_whose_hours_for_a_talk_ended_in_the_week_without_one_is_told_to_both(
        self, lived: World, clock: Clock
    ) -> None:
        """The dose was on 2026-02-27 at noon; its hours ended this Monday at noon."""
        both = (lived.patient, lived.therapist)
        told = [week(person, lived)["missed_windows"] for person in both]

        assert [[one["dose_number"] for one in each] for each in told] == [[1], [1]]
        assert told[0][0]["until_at"] == "2026-03-02T12:00:00Z"
        for person in both:
            assert week(person, lived, LAST)["missed_windows"] == []
            assert "after dose 1, until 2026-03-02 12:00" in page(person, lived, "2026-03-02")

        talk = an_integration_session(
            scheduled_at=clock.said(days=-1), recorded_at=clock.said(), status="attended"
        )
        sent(lived.therapist, lived, "integration-sessions", talk)
        assert week(lived.therapist, lived)["missed_windows"] == []
        assert "No talk" not in page(lived.therapist, lived, "2026-03-02")

    def test_a_score_of_long_ago_is_nothing_to_compare_with(
        self, timed_world: World, clock: Clock
    ) -> None:
        for days, total in ((-60, 20), (-4, 8)):
            body = a_check_in(answers=phq_9(total), recorded_at=clock.said(days=days))
            sent(timed_world.patient, timed_world, "check-ins", body)

        [moved] = week(timed_world.therapist, timed_world, LAST)["scores"]
        text = page(timed_world.therapist, timed_world)

        assert (moved["before"], moved["before_at"], moved["change"]) == (None, None, None)
        assert "nothing to compare with" in text

    def test_before_has_its_date_for_goals_too(self, timed_world: World, clock: Clock) -> None:
        world = timed_world
        goal_id = sent(world.patient, world, "goals", a_goal(levels=LEVELS))["id"]
        for days in (-90, -3):
            rating = a_goal_rating(goal_id, 1, recorded_at=clock.said(days=days))
            sent(world.patient, world, "goal-ratings", rating)

        [moved] = week(world.therapist, world, LAST)["goals"]

        assert moved["before_at"] == "2025-12-02T12:00:00Z"
        assert "(2025-12-02)" in page(world.therapist, world)


class TestPage:
    def test_it_says_what_the_numbers_say(self, lived: World) -> None:
        text = page(lived.therapist, lived)

        for said in (
            "Week 2026-W09",
            "-12, improved, reliable",
            "1 of 7",
            "step done care-team",
            "shared words",
            "step next care-team",
            "integration session",
            "no proof",
            "(2026-02-20)",
            *week(lived.therapist, lived, LAST)["conventions"],
        ):
            assert said in text

    def test_whatever_somebody_wrote_is_escaped(self, lived: World, clock: Clock) -> None:
        words = "<script>alert(1)</script>"
        sent(
            lived.patient,
            lived,
            "insights",
            an_insight(words=words, recorded_at=clock.said(days=-3)),
        )

        text = page(lived.patient, lived)

        assert words not in text
        assert "&lt;script&gt;" in text

    def test_what_does_not_fit_is_counted(self, timed_world: World, clock: Clock) -> None:
        for _ in range(8):
            body = an_insight(words="word " * 40, recorded_at=clock.said(days=-3))
            sent(timed_world.patient, timed_world, "insights", body)

        text = page(timed_world.therapist, timed_world)

        assert text.count("<bdi>word") == 5
        assert "3 more not shown." in text

    def test_an_empty_week_is_a_page_too(self, timed_world: World) -> None:
        text = page(timed_world.patient, timed_world)

        assert "No score and no rating this week." in text
        assert "Nothing was recorded." in text


class TestTrips:
    def test_it_takes_no_more_statements_however_much_was_written(
        self, overheard: TestClient, direct: Direct, between: Between
    ) -> None:
        world = World(a_clinic(overheard, direct), a_clinic(overheard, direct))
        a_busy_week(world.patient)
        few = statements(world, between)

        for _ in range(3):
            a_busy_week(world.patient)
        many = statements(world, between)

        assert many == few
        assert all(trips <= 8 for _, trips in many.values())

    def test_each_scale_that_was_answered_adds_one(
        self, overheard: TestClient, direct: Direct, between: Between
    ) -> None:
        world = World(a_clinic(overheard, direct), a_clinic(overheard, direct))
        sent(world.patient, world, "check-ins", a_check_in())
        one = statements(world, between)

        sent(world.patient, world, "check-ins", a_check_in(instrument="gad-7", answers=[1] * 7))
        two = statements(world, between)

        # In how many trips is a matter of what has to be known before the next is asked.
        assert {who: said + 1 for who, (said, _) in one.items()} == {
            who: said for who, (said, _) in two.items()
        }


def a_busy_week(patient: Person) -> None:
    """An entry of each kind that it tells of."""

    def keep(many: str, body: dict[str, Any]) -> str:
        answer = patient.post(f"/v1/patients/me/{many}", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    keep("check-ins", a_check_in())
    keep("notes", a_note())
    keep("insights", an_insight())
    goal_id = keep("goals", a_goal(levels=LEVELS))
    keep("goal-ratings", a_goal_rating(goal_id, 1))
    keep("goal-steps", a_goal_step(goal_id))
    practice_id = keep("practices", a_practice())
    keep("practice-ticks", a_practice_tick(practice_id, now().date().isoformat()))


def statements(world: World, between: Between) -> dict[str, tuple[int, int]]:
    """How many questions it takes, and in how many round trips."""
    counted = {}
    for name, person in (("patient", world.patient), ("therapist", world.therapist)):
        between.forget()
        week(person, world)
        said = [statement for trip in between.trips for statement in trip]
        counted[name] = (
            sum("SELECT" in one or "INSERT" in one for one in said),
            len([trip for trip in between.trips if trip]),
        )
    return counted


class TestBadInput:
    @pytest.mark.parametrize(
        "of", ["2026-02-30", "yesterday", "20260225", "1999-12-31", "2100-01-01", ""]
    )
    def test_a_date_that_is_none_is_refused_with_its_pointer(
        self, timed_world: World, of: str
    ) -> None:
        answer = timed_world.patient.get(f"/v1/patients/me/week?of={of}")

        assert answer.status_code == 422
        assert [one["pointer"] for one in answer.json()["errors"]] == ["query:of"]

    def test_a_week_that_has_not_begun_is_refused_with_its_pointer(
        self, timed_world: World, clock: Clock
    ) -> None:
        last = (clock.at + timedelta(days=6)).date()
        patient = timed_world.patient

        assert patient.get(f"/v1/patients/me/week?of={last}").status_code == 200
        answer = patient.get(f"/v1/patients/me/week?of={last + timedelta(days=1)}")

        assert answer.status_code == 422
        assert [one["pointer"] for one in answer.json()["errors"]] == ["query:of"]

    def test_a_form_that_there_is_not_is_refused(self, timed_world: World) -> None:
        answer = timed_world.patient.get(
            "/v1/patients/me/week", headers={"Accept": "application/pdf"}
        )

        assert answer.status_code == 406
