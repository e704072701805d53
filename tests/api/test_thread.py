"""The thread: what came from what, as far as the reader may see."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.clinical.thread import COMES_FROM, Kind
from app.kernel.db import Direct
from app.story.statements import MOST
from app.story.thread import FIRST_WORDS
from tests.builders import (
    LEVELS,
    Person,
    World,
    a_clinic,
    a_coping_strategy,
    a_goal,
    a_goal_rating,
    a_goal_step,
    a_note,
    a_picture,
    a_practice,
    a_practice_tick,
    amended,
    an_insight,
    an_intention,
    attached,
    now,
    withdrawn,
)
from tests.conftest import Behind
from tests.kernel.between import Between

ADDRESS: dict[str, tuple[str, Callable[..., dict[str, Any]]]] = {
    "intention": ("intentions", an_intention),
    "note": ("notes", a_note),
    "insight": ("insights", an_insight),
    "goal": ("goals", a_goal),
    "goal_step": ("goal-steps", a_goal_step),
    "practice": ("practices", a_practice),
    "coping_strategy": ("coping-strategies", a_coping_strategy),
}
COACHED = {"goal", "goal_step", "practice"}


def kept(person: Person, kind: str, *of: str, **changes: Any) -> dict[str, Any]:
    many, make = ADDRESS[kind]
    answer = person.post(f"/v1/patients/me/{many}", make(*of, **changes))
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def link(kind: str, entry: dict[str, Any]) -> dict[str, str]:
    return {"kind": kind, "id": entry["id"]}


def thread(person: Person, world: World, query: str = "") -> dict[str, Any]:
    answer = person.get(f"{world.patient.record}/thread{query}")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def entries(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By id."""
    found = [entry for story in told["stories"] for entry in story["entries"]]
    assert len({entry["id"] for entry in found}) == len(found)
    return {entry["id"]: entry for entry in found}


class Chain(NamedTuple):
    """An entry of each kind, each of which came from the one before."""

    by_kind: dict[str, dict[str, Any]]

    def ids(self, *kinds: str) -> list[str]:
        return [self.by_kind[kind]["id"] for kind in kinds]


def a_chain(world: World, **tiers: str) -> Chain:
    """tiers: by kind, where it is not the care team's."""
    made: dict[str, dict[str, Any]] = {}
    before: dict[str, str] | None = None
    begun = now() - timedelta(days=7)
    for place, kind in enumerate(ADDRESS):
        said: dict[str, Any] = {
            "recorded_at": (begun + timedelta(hours=place)).isoformat(),
            "words": f"canary {kind}",
        }
        if kind == "goal_step":
            made[kind] = kept(world.patient, kind, made["goal"]["id"], **said)
        else:
            said |= {"came_from": before, "tier": tiers.get(kind, "care-team")}
            made[kind] = kept(world.patient, kind, **said)
        before = link(kind, made[kind])
    return Chain(made)


class TestStories:
    def test_from_intention_to_coping_it_is_one_story_for_patient_and_therapist(
        self, world: World
    ) -> None:
        chain = a_chain(world)

        for person in (world.patient, world.therapist):
            [story] = thread(person, world)["stories"]
            assert [entry["id"] for entry in story["entries"]] == chain.ids(*ADDRESS)
            assert [entry["kind"] for entry in story["entries"]] == list(ADDRESS)
            comes_from = [[one["id"] for one in e["came_from"]] for e in story["entries"]]
            assert comes_from == [[], *([one] for one in chain.ids(*ADDRESS)[:-1])]
            assert [e["words"] for e in story["entries"]] == [f"canary {kind}" for kind in ADDRESS]

    def test_what_is_linked_to_nothing_is_a_story_of_its_own(self, world: World) -> None:
        first = kept(world.patient, "insight")
        second = kept(world.patient, "insight")

        told = thread(world.patient, world)

        assert [[entry["id"] for entry in story["entries"]] for story in told["stories"]] == [
            [first["id"]],
            [second["id"]],
        ]
        assert told["is_truncated"] is False

    def test_of_no_entries_there_are_no_stories(self, world: World) -> None:
        assert thread(world.therapist, world) == {"stories": [], "is_truncated": False}

    def test_a_withdrawn_entry_is_in_no_story_and_neither_is_a_step_of_its(
        self, world: World
    ) -> None:
        chain = a_chain(world)
        withdrawn(world.patient, f"/v1/patients/me/goals/{chain.by_kind['goal']['id']}", 1)

        told = entries(thread(world.patient, world))

        assert set(told) == set(
            chain.ids("intention", "note", "insight", "practice", "coping_strategy")
        )
        assert told[chain.by_kind["practice"]["id"]]["came_from"] == []

    def test_it_is_in_the_access_log(self, world: World, behind: Behind) -> None:
        before = len(behind.accesses(world.here.id))

        thread(world.therapist, world)

        ((member, patient, what),) = behind.accesses(world.here.id)[before:]
        assert (member, patient) == (world.therapist.membership_id, world.patient.patient_id)
        assert what == "thread.read"


class TestInShort:
    def test_an_entry_is_told_with_its_version_state_and_tier(self, world: World) -> None:
        made = kept(world.patient, "goal", tier="health-record")
        body = a_goal(status="completed", tier="health-record")
        amended(world.patient, f"/v1/patients/me/goals/{made['id']}", body, 1)

        told = entries(thread(world.therapist, world))[made["id"]]

        assert (told["version"], told["status"], told["tier"]) == (2, "completed", "health-record")

    def test_of_long_words_the_first_are_told(self, world: World) -> None:
        long = kept(world.patient, "insight", words="word " * 1000)
        dense = kept(world.patient, "insight", words="w" * 1000)
        exact = kept(world.patient, "insight", words="w" * FIRST_WORDS)
        broken = kept(world.patient, "insight", words="One.\n\nTwo.")

        told = entries(thread(world.patient, world))

        assert told[long["id"]]["words"] == " ".join(["word"] * (FIRST_WORDS // 5))
        assert told[long["id"]]["is_shortened"] is True
        assert told[dense["id"]]["words"] == "w" * FIRST_WORDS
        assert told[dense["id"]]["is_shortened"] is True
        assert told[exact["id"]]["words"] == "w" * FIRST_WORDS
        assert told[exact["id"]]["is_shortened"] is False
        assert told[broken["id"]]["words"] == "One. Two."

    def test_a_note_tells_how_it_was_and_how_many_attachments_are_whole(self, world: World) -> None:
        made = kept(world.patient, "note", how_strong=8, how_challenging=0)
        attached(world.patient, made["id"], a_picture())

        told = entries(thread(world.therapist, world))[made["id"]]

        assert told["note"] == {"how_strong": 8, "how_challenging": 0, "attachments": 1}
        assert told["goal"] is told["step"] is told["practice"] is None

    def test_a_goal_tells_what_was_achieved_as_its_attainment_does(self, world: World) -> None:
        made = kept(world.patient, "goal", levels=LEVELS, baseline_level=-2)
        unrated = kept(world.patient, "goal", levels=LEVELS)
        for level in (-1, 1):
            rating = a_goal_rating(made["id"], level)
            assert world.patient.post("/v1/patients/me/goal-ratings", rating).status_code == 201
        rating = a_goal_rating(made["id"], -2)
        answer = world.therapist.post(f"{world.patient.record}/goal-ratings", rating)
        assert answer.status_code == 201

        told = entries(thread(world.therapist, world))

        attained = world.therapist.get(f"{world.patient.record}/goal-attainment").json()["goals"]
        for one in attained:
            assert told[one["goal_id"]]["goal"] == {
                "achievement_status": one["achievement_status"],
                "achievement_by": one["achievement_by"],
            }
        assert told[made["id"]]["goal"]["achievement_status"] == "achieved"
        assert told[unrated["id"]]["goal"]["achievement_status"] == "in-progress"

    def test_a_practice_tells_on_how_many_dates_it_was_done_or_skipped(self, world: World) -> None:
        made = kept(world.patient, "practice")
        for on, status in (
            ("2026-03-01", "done"),
            ("2026-03-01", "done"),
            ("2026-03-02", "skipped"),
            ("2026-03-02", "done"),
            ("2026-03-03", "skipped"),
        ):
            reason = "Ill." if status == "skipped" else None
            tick = a_practice_tick(made["id"], on, status=status, reason=reason)
            assert world.patient.post("/v1/patients/me/practice-ticks", tick).status_code == 201

        told = entries(thread(world.here.coach, world))[made["id"]]

        assert told["practice"] == {
            "activity": "breath",
            "done": 2,
            "skipped": 1,
            "last_done_on": "2026-03-02",
        }

    def test_a_step_tells_its_dates_and_comes_from_its_goal(self, world: World) -> None:
        goal = kept(world.patient, "goal")
        step = kept(world.patient, "goal_step", goal["id"], due_on="2026-12-24")

        told = entries(thread(world.therapist, world))[step["id"]]

        assert told["step"] == {"due_on": "2026-12-24", "done_on": None}
        assert told["came_from"] == [link("goal", goal)]
        assert told["tier"] is None


class TestWhoSeesWhat:
    def test_a_coach_sees_goals_steps_and_practices_and_no_link_to_anything_else(
        self, world: World
    ) -> None:
        chain = a_chain(world)

        told = thread(world.here.coach, world)

        seen = entries(told)
        assert {entry["kind"] for entry in seen.values()} == COACHED
        assert seen[chain.by_kind["goal"]["id"]]["came_from"] == []
        for hidden in chain.ids("intention", "note", "insight", "coping_strategy"):
            assert hidden not in str(told)

    @pytest.mark.parametrize("kind", [kind for kind in ADDRESS if kind != "goal_step"])
    def test_what_is_private_is_for_others_as_if_it_had_never_been_written(
        self, world: World, kind: str
    ) -> None:
        chain = a_chain(world, **{kind: "private"})
        hidden = {kind, "goal_step"} if kind == "goal" else {kind}

        own, theirs = thread(world.patient, world), thread(world.therapist, world)

        assert set(entries(own)) == set(chain.ids(*ADDRESS))
        assert {entry["kind"] for entry in entries(theirs).values()} == set(ADDRESS) - hidden
        for one in hidden:
            assert chain.by_kind[one]["id"] not in str(theirs)
            assert f"canary {one}'" not in str(theirs)


class TestBounds:
    def test_only_what_lies_between_is_told(self, world: World) -> None:
        chain = a_chain(world)
        since = chain.by_kind["note"]["effective_at"].replace("+00:00", "Z")
        until = chain.by_kind["goal"]["effective_at"].replace("+00:00", "Z")

        told = thread(world.patient, world, f"?since={since}&until={until}")

        assert set(entries(told)) == set(chain.ids("note", "insight"))

    def test_that_something_came_from_outside_the_time_is_told(self, world: World) -> None:
        chain = a_chain(world)
        note, insight, goal = chain.ids("note", "insight", "goal")
        since, until = between_note_and_goal(chain)

        for person in (world.patient, world.therapist):
            told = entries(thread(person, world, f"?since={since}&until={until}"))
            whole = entries(thread(person, world))
            steps_on = entries(thread(person, world, f"?since={until}"))

            assert {one: told[one]["has_earlier"] for one in told} == {note: True, insight: False}
            assert told[note]["came_from"] == []
            assert not any(one["has_earlier"] for one in whole.values())
            assert [one for one in steps_on if steps_on[one]["has_earlier"]] == [goal]

    def test_of_a_source_that_the_reader_may_not_see_nothing_is_told(self, world: World) -> None:
        hidden = a_chain(world, intention="private")
        gone = a_chain(world)
        withdrawn(world.patient, f"/v1/patients/me/intentions/{gone.ids('intention')[0]}", 1)
        since, _ = between_note_and_goal(hidden)
        to_goal = gone.by_kind["goal"]["effective_at"].replace("+00:00", "Z")

        own, theirs = (
            entries(thread(person, world, f"?since={since}"))
            for person in (world.patient, world.therapist)
        )
        coached = entries(thread(world.here.coach, world, f"?since={to_goal}"))

        assert [one for one in own if own[one]["has_earlier"]] == hidden.ids("note")
        assert not any(one["has_earlier"] for one in theirs.values())
        # Of the other chain the goal came from an insight, which a coach does not read.
        assert coached
        assert not any(one["has_earlier"] for one in coached.values())

    def test_a_step_outside_the_time_is_one_too_while_its_goal_is_seen(self, world: World) -> None:
        chain = a_chain(world)
        since = chain.by_kind["practice"]["effective_at"].replace("+00:00", "Z")
        [practice] = chain.ids("practice")

        def has_earlier() -> bool:
            told = entries(thread(world.therapist, world, f"?since={since}"))
            answer: bool = told[practice]["has_earlier"]
            return answer

        before = has_earlier()
        goal = f"/v1/patients/me/goals/{chain.by_kind['goal']['id']}"
        amended(world.patient, goal, a_goal(tier="private"), 1)

        assert (before, has_earlier()) == (True, False)

    def test_the_newest_are_told_and_that_there_are_more(self, world: World) -> None:
        begun = now() - timedelta(days=20)
        made = []
        for chunk in range(0, MOST + 2, 100):
            changes = [
                {
                    "kind": "insight",
                    "op": "create",
                    "id": str(uuid4()),
                    "entry": an_insight(
                        tier="private" if place % 3 == 0 else "care-team",
                        recorded_at=(begun + timedelta(minutes=place)).isoformat(),
                    ),
                }
                for place in range(chunk, min(chunk + 100, MOST + 2))
            ]
            answer = world.patient.post("/v1/sync", {"changes": changes})
            assert {one["status"] for one in answer.json()["results"]} == {"created"}
            made += [one["id"] for one in changes]

        own, theirs = thread(world.patient, world), thread(world.therapist, world)

        assert own["is_truncated"] is True
        assert set(entries(own)) == set(made[2:])
        # What is hidden takes no place and is not counted.
        assert theirs["is_truncated"] is False
        assert set(entries(theirs)) == {id_ for place, id_ in enumerate(made) if place % 3}

    def test_a_time_that_is_none_is_refused_with_its_pointer(self, world: World) -> None:
        answer = world.patient.get(f"{world.patient.record}/thread?since=yesterday")

        assert answer.status_code == 422
        assert [one["pointer"] for one in answer.json()["errors"]] == ["query:since"]


def between_note_and_goal(chain: Chain) -> tuple[str, str]:
    """For `since` and `until`: the note and the insight of a chain lie there."""
    since, until = (
        chain.by_kind[kind]["effective_at"].replace("+00:00", "Z") for kind in ("note", "goal")
    )
    return since, until


class Planned(NamedTuple):
    """An entry to write. source: which of those before it it came from, counted round."""

    kind: str
    tier: str
    source: int
    is_withdrawn: bool


PLANS = st.lists(
    st.builds(
        Planned,
        kind=st.sampled_from(list(ADDRESS)),
        tier=st.sampled_from(["private", "care-team", "health-record"]),
        source=st.integers(0, 20),
        is_withdrawn=st.sampled_from([False, False, False, True]),
    ),
    min_size=1,
    max_size=9,
)


class Written(NamedTuple):
    """The model of an entry."""

    kind: str
    words: str
    source: str | None
    is_private: bool
    is_withdrawn: bool


class Model:
    """What was written, and what of it anybody should see."""

    def __init__(self) -> None:
        self.written: dict[str, Written] = {}

    def seen_by(self, kinds: set[str], *, is_own: bool) -> dict[str, list[str]]:
        """By id, those that it came from."""

        def is_seen(entry_id: str) -> bool:
            one = self.written[entry_id]
            if one.is_withdrawn or one.kind not in kinds or (one.is_private and not is_own):
                return False
            return one.kind != "goal_step" or is_seen(str(one.source))

        return {
            entry_id: [one.source] if one.source is not None and is_seen(one.source) else []
            for entry_id, one in self.written.items()
            if is_seen(entry_id)
        }


@given(plan=PLANS)
@hypothesis_settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_is_private_nothing_of_it_is_told_to_anybody_else(
    client: TestClient, direct: Direct, plan: list[Planned]
) -> None:
    clinic = a_clinic(client, direct)
    model = write(clinic.patient, plan)

    for person, kinds, is_own in (
        (clinic.patient, set(ADDRESS), True),
        (clinic.therapist, set(ADDRESS), False),
        (clinic.coach, COACHED, False),
    ):
        answer = person.get(f"{clinic.patient.record}/thread")
        told = entries(answer.json())
        seen = model.seen_by(kinds, is_own=is_own)
        assert {
            entry_id: [one["id"] for one in entry["came_from"]] for entry_id, entry in told.items()
        } == seen
        for entry_id, one in model.written.items():
            assert (entry_id in answer.text) is (entry_id in seen)
            assert (one.words in answer.text) is (entry_id in seen)


def write(patient: Person, plan: list[Planned]) -> Model:
    """Write what can be written of a plan: a step needs a goal."""
    model = Model()
    for planned in plan:
        sources = [
            entry_id
            for entry_id, one in model.written.items()
            if Kind(one.kind) in COMES_FROM[Kind(planned.kind)]
        ]
        source = sources[planned.source % len(sources)] if sources else None
        words = f"canary {uuid4()}"
        if planned.kind == "goal_step":
            if source is None:
                continue
            made = kept(patient, "goal_step", source, words=words)
        else:
            came_from = {"kind": model.written[source].kind, "id": source} if source else None
            said = {"words": words, "tier": planned.tier, "came_from": came_from}
            made = kept(patient, planned.kind, **said)
        is_private = planned.tier == "private" and planned.kind != "goal_step"
        model.written[made["id"]] = Written(
            planned.kind, words, source, is_private, planned.is_withdrawn
        )
    for entry_id, one in model.written.items():
        if one.is_withdrawn:
            withdrawn(patient, f"{patient.record}/{ADDRESS[one.kind][0]}/{entry_id}", 1)
    return model


class TestTrips:
    def test_it_takes_at_most_four_statements_however_much_there_is(
        self, overheard: TestClient, direct: Direct, between: Between
    ) -> None:
        world = World(a_clinic(overheard, direct), a_clinic(overheard, direct))

        few = self.statements(world, between)
        for _ in range(3):
            a_chain(world)
        many = self.statements(world, between)

        assert many == few
        # Of the patient: the chart and the thread. Of others: the access log, too.
        assert many == {"patient": 2, "therapist": 3, "coach": 3}
        within = self.statements(world, between, "?since=2020-01-01T00:00:00Z")
        # One more, whether or not anything came from outside.
        assert within == {who: said + 1 for who, said in many.items()}
        assert max(within.values()) <= 4

    def statements(self, world: World, between: Between, query: str = "") -> dict[str, int]:
        counted = {}
        for name, person in (
            ("patient", world.patient),
            ("therapist", world.therapist),
            ("coach", world.here.coach),
        ):
            between.forget()
            thread(person, world, query)
            said = [statement for trip in between.trips for statement in trip]
            counted[name] = sum("SELECT" in one or "INSERT" in one for one in said)
        return counted
