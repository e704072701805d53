"""Insights, and the talk after a dose: proposed, planned, attended, and what was agreed there."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.integration.schemas import AgendaOut, AgreedSummaryOut, IntegrationProposalOut
from tests.builders import (
    Person,
    World,
    a_check_in,
    a_dosing_session,
    a_goal,
    a_goal_rating,
    a_goal_step,
    a_note,
    a_session_summary,
    a_summary_agreement,
    amended,
    an_administration,
    an_insight,
    an_integration_session,
)
from tests.conftest import Behind, Clock

MINE = "/v1/patients/me"
Json = dict[str, Any]


class Story:
    """A patient and their therapist, on a clock that is turned by hand."""

    def __init__(self, world: World, clock: Clock) -> None:
        self.world = world
        self.clock = clock

    @property
    def patient(self) -> Person:
        return self.world.patient.again(self.clock.at)

    @property
    def therapist(self) -> Person:
        return self.world.therapist.again(self.clock.at)

    @property
    def record(self) -> str:
        return self.world.patient.record

    def said(self, body: Json) -> Json:
        """Recorded now, by the clock."""
        return body | {"recorded_at": self.clock.said()}

    def sent(self, person: Person, many: str, body: Json) -> Json:
        answer = person.post(f"{self.record}/{many}", self.said(body))
        assert answer.status_code == 201, answer.text
        told: Json = answer.json()
        return told

    def dose(self) -> None:
        given = [an_administration(given_at=self.clock.said())]
        body = a_dosing_session(administrations=given)
        answer = self.therapist.post(f"{self.record}/dosing-sessions", body)
        assert answer.status_code == 201, answer.text

    def session(self, **changes: Any) -> Json:
        body = an_integration_session(**{"scheduled_at": self.clock.said()} | changes)
        return self.sent(self.therapist, "integration-sessions", body)

    def proposal(self) -> Json:
        answer = self.patient.get(f"{MINE}/integration-sessions/proposal")
        assert answer.status_code == 200, answer.text
        IntegrationProposalOut.model_validate_json(answer.content)
        told: Json = answer.json()
        return told

    def agenda(self, person: Person, session: Json) -> Json:
        answer = person.get(f"{self.record}/integration-sessions/{session['id']}/agenda")
        assert answer.status_code == 200, answer.text
        AgendaOut.model_validate_json(answer.content)
        told: Json = answer.json()
        return told

    def summary(self, person: Person, session: Json) -> Json:
        answer = person.get(f"{self.record}/integration-sessions/{session['id']}/summary")
        assert answer.status_code == 200, answer.text
        AgreedSummaryOut.model_validate_json(answer.content)
        told: Json = answer.json()
        return told


@pytest.fixture
def story(timed_world: World, clock: Clock) -> Story:
    return Story(timed_world, clock)


def ids(entries: list[Json]) -> set[str]:
    return {one["id"] for one in entries}


class TestInsights:
    def test_an_insight_is_the_patient_s_and_came_from_a_note(self, world: World) -> None:
        note = world.patient.post(f"{MINE}/notes", a_note(tier="private")).json()["id"]
        link = {"kind": "note", "id": note}

        told = world.patient.post(f"{MINE}/insights", an_insight(came_from=link)).json()

        assert told["came_from"] == link
        one = f"{world.patient.record}/insights/{told['id']}"
        assert world.therapist.get(one).json()["came_from"] is None
        assert world.therapist.post(f"{MINE}/insights", an_insight()).status_code == 403
        assert world.here.coach.get(one).status_code == 403

    def test_its_words_are_sealed(self, world: World, behind: Behind) -> None:
        world.patient.post(f"{MINE}/insights", an_insight(words="axolotl"))

        rows = behind.rows("SELECT insight::text FROM insight")
        assert rows
        assert not any("axolotl" in row or b"axolotl".hex() in row for (row,) in rows)

    def test_it_is_written_without_a_network(self, world: World) -> None:
        change = {"kind": "insight", "op": "create", "id": str(uuid4()), "entry": an_insight()}

        [result] = world.patient.post("/v1/sync", {"changes": [change]}).json()["results"]

        assert result["status"] == "created"


class TestProposal:
    def test_before_a_dose_there_is_none(self, story: Story) -> None:
        told = story.proposal()

        assert (told["dose_number"], told["from_at"], told["session"]) == (None, None, None)
        assert told["is_convention"]

    def test_it_lies_within_the_protocol_s_hours_of_the_last_dose(self, story: Story) -> None:
        story.dose()
        story.clock.turn(hours=1)

        told = story.proposal()

        assert told["dose_number"] == 1
        given_at = datetime.fromisoformat(told["given_at"])
        offsets = [
            datetime.fromisoformat(told[name]) - given_at
            for name in ("from_at", "until_at", "counts_until")
        ]
        assert offsets == [timedelta(hours=24), timedelta(hours=72), timedelta(days=14)]
        assert (told["is_over"], told["session"], told["protocol_version"]) == (False, None, 0)

    def test_a_date_that_is_made_is_named_until_it_is_cancelled(self, story: Story) -> None:
        story.dose()
        session = story.session(status="scheduled", scheduled_at=story.clock.said(days=2))
        one = f"{story.record}/integration-sessions/{session['id']}"

        named = story.proposal()["session"]
        cancelled = an_integration_session(
            scheduled_at=story.clock.said(days=2), status="cancelled", reason="Ill."
        )
        amended(story.therapist, one, story.said(cancelled), 1)

        assert (named["id"], named["status"]) == (session["id"], "scheduled")
        assert story.proposal()["session"] is None

    def test_once_the_hours_have_passed_it_says_so(self, story: Story) -> None:
        story.dose()
        story.clock.turn(hours=72)

        assert story.proposal()["is_over"]


class TestMissedWindows:
    def test_that_the_hours_of_a_dose_passed_without_a_talk_is_told_to_both(
        self, story: Story
    ) -> None:
        assert (story.proposal()["missed_window"], story.proposal()["missed_windows"]) == (None, [])
        story.dose()
        story.clock.turn(hours=71)
        before = story.proposal()
        story.clock.turn(hours=1)
        session = story.session(status="scheduled", scheduled_at=story.clock.said(days=1))

        told = story.proposal()
        agendas = [story.agenda(one, session) for one in (story.patient, story.therapist)]

        assert (before["missed_window"], before["missed_windows"]) == (False, [])
        assert (told["missed_window"], told["session"]["id"]) == (True, session["id"])
        [missed] = told["missed_windows"]
        assert missed["dose_number"] == 1
        lasted = [
            datetime.fromisoformat(missed[name]) - datetime.fromisoformat(missed["given_at"])
            for name in ("from_at", "until_at")
        ]
        assert lasted == [timedelta(hours=24), timedelta(hours=72)]
        assert [one["missed_windows"] for one in agendas] == [[missed]] * 2

    def test_a_talk_within_them_is_enough_and_one_that_was_missed_is_none(
        self, story: Story
    ) -> None:
        story.dose()
        story.clock.turn(days=2)
        session = story.session(status="scheduled")
        one = f"{story.record}/integration-sessions/{session['id']}"
        body = an_integration_session(scheduled_at=session["scheduled_at"], status="missed")
        story.clock.turn(days=2)
        scheduled = story.proposal()["missed_window"]
        amended(story.therapist, one, story.said(body), 1)
        missed = story.proposal()["missed_window"]
        amended(story.therapist, one, story.said(body | {"status": "attended"}), 2)

        assert (scheduled, missed) == (False, True)
        assert story.proposal()["missed_window"] is False

    def test_of_many_doses_the_newest_twenty_are_looked_at(self, story: Story) -> None:
        for _ in range(22):
            story.dose()
            story.clock.turn(days=4)

        told = story.proposal()["missed_windows"]

        assert [one["dose_number"] for one in told] == list(range(22, 2, -1))


class TestSessions:
    def test_a_session_is_planned_attended_and_read_by_both(self, story: Story) -> None:
        later = story.clock.said(days=1)
        told = story.session(status="scheduled", scheduled_at=later, place="Room 3")
        one = f"{story.record}/integration-sessions/{told['id']}"
        story.clock.turn(days=1)

        body = story.said(an_integration_session(scheduled_at=later, place="Room 3"))
        amended(story.therapist, one, body, 1)

        seen = story.patient.get(one).json()
        assert (seen["status"], seen["place"], seen["version"]) == ("attended", "Room 3", 2)
        versions = story.patient.get(f"{one}/versions").json()["versions"]
        assert [version["action"] for version in versions] == [
            "integration_session.planned",
            "integration_session.attended",
        ]

    def test_an_illegal_move_is_refused_with_where_one_can_go(self, story: Story) -> None:
        told = story.session()
        body = story.said(an_integration_session(status="scheduled"))

        refused = story.therapist.put(
            f"{story.record}/integration-sessions/{told['id']}", body, base=1
        )

        assert refused.status_code == 409
        assert (refused.json()["code"], refused.json()["may_move_to"]) == (
            "illegal-move",
            ["missed"],
        )

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"scheduled_at": "2026-04-02T12:00:00Z"}, "/scheduled_at"),
            ({"scheduled_at": "tomorrow"}, "/scheduled_at"),
            ({"reason": "Ill."}, "/reason"),
            ({"status": "proposed"}, "/status"),
        ],
    )
    def test_what_cannot_be_is_refused_by_place(
        self, story: Story, changes: Json, pointer: str
    ) -> None:
        body = story.said(an_integration_session(scheduled_at=story.clock.said()) | changes)

        answer = story.therapist.post(f"{story.record}/integration-sessions", body)

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer

    def test_a_patient_writes_none_also_not_through_an_upload(self, world: World) -> None:
        sent = an_integration_session()
        change = {
            "kind": "integration_session",
            "op": "create",
            "id": str(uuid4()),
            "entry": sent,
        }

        alone = world.patient.post(f"{MINE}/integration-sessions", sent)
        [result] = world.patient.post("/v1/sync", {"changes": [change]}).json()["results"]

        assert alone.status_code == 403
        assert result["status"] == "refused"


class TestAgenda:
    def test_notes_and_insights_are_those_shared_since_the_last_talk(self, story: Story) -> None:
        old = story.sent(story.patient, "notes", a_note(tier="care-team"))
        kept_back = story.sent(story.patient, "notes", a_note(tier="private"))
        shared_later = story.sent(story.patient, "notes", a_note(tier="private"))
        story.clock.turn(hours=1)
        story.session()
        story.clock.turn(days=1)
        new = story.sent(story.patient, "notes", a_note(tier="care-team"))
        insight = story.sent(story.patient, "insights", an_insight())
        private = story.sent(story.patient, "insights", an_insight(tier="private"))
        shown = story.said(a_note(tier="care-team"))
        amended(story.patient, f"{MINE}/notes/{shared_later['id']}", shown, 1)
        session = story.session(status="scheduled", scheduled_at=story.clock.said(hours=1))

        for person in (story.patient, story.therapist):
            told = story.agenda(person, session)
            assert ids(told["notes"]) == {new["id"], shared_later["id"]}
            assert ids(told["insights"]) == {insight["id"]}
            assert told["since_at"] is not None
            for hidden in (old, kept_back, private):
                assert hidden["id"] not in str(told)

    def test_the_first_agenda_goes_back_to_the_beginning(self, story: Story) -> None:
        note = story.sent(story.patient, "notes", a_note(tier="care-team", words="axolotl"))
        story.clock.turn(hours=1)

        told = story.agenda(story.therapist, story.session(status="scheduled"))

        assert (told["since_at"], ids(told["notes"])) == (None, {note["id"]})
        assert "axolotl" not in str(told)

    def test_goals_that_nothing_became_of_for_a_fortnight_are_in_it(self, story: Story) -> None:
        def goal(**changes: Any) -> Json:
            return story.sent(story.patient, "goals", a_goal(**changes))

        levels = [{"level": level, "words": f"Level {level}."} for level in range(-2, 3)]
        still, rated, stepped = goal(), goal(levels=levels), goal()
        goal(tier="private")
        goal(status="completed")
        story.clock.turn(days=13)
        session = story.session(status="scheduled")
        before = story.agenda(story.therapist, session)["stalled_goals"]
        story.sent(story.patient, "goal-ratings", a_goal_rating(rated["id"]))
        step = story.sent(story.patient, "goal-steps", a_goal_step(stepped["id"]))
        story.clock.turn(days=1)

        stalled = story.agenda(story.patient, session)
        story.clock.turn(days=12)
        done = a_goal_step(stepped["id"], status="done", done_on="2026-03-28")
        amended(story.patient, f"{MINE}/goal-steps/{step['id']}", story.said(done), 1)
        story.clock.turn(days=1)
        later = story.agenda(story.patient, session)["stalled_goals"]

        assert before == []
        assert [one["goal_id"] for one in stalled["stalled_goals"]] == [still["id"]]
        assert {one["goal_id"] for one in later} == {still["id"], rated["id"]}
        assert stalled["stalled_after_days"] == 14
        assert stalled["conventions"]

    def test_a_goal_whose_start_lies_ahead_stands_still_from_a_fortnight_after_it(
        self, story: Story
    ) -> None:
        """The clock begins at noon of 2026-03-02."""
        goal = story.sent(story.patient, "goals", a_goal(starts_on="2026-03-20"))
        session = story.session(status="scheduled")
        story.clock.turn(days=20)
        ahead_or_just_begun = story.agenda(story.therapist, session)["stalled_goals"]
        story.clock.turn(days=11)
        on_the_eve = story.agenda(story.therapist, session)["stalled_goals"]
        story.clock.turn(days=1)

        [told] = story.agenda(story.therapist, session)["stalled_goals"]

        assert ahead_or_just_begun == on_the_eve == []
        assert told["goal_id"] == goal["id"]
        assert datetime.fromisoformat(told["moved_at"]).date().isoformat() == "2026-03-20"

    def test_of_open_flags_the_patient_sees_the_state_and_clinicians_the_level(
        self, story: Story
    ) -> None:
        answers = [2, 2, 1, 2, 1, 2, 1, 1, 2]
        sent = story.said(a_check_in(answers=answers))
        flag = story.patient.post(f"{MINE}/check-ins", sent).json()["safety"]["flag"]
        session = story.session(status="scheduled")

        [own] = story.agenda(story.patient, session)["open_flags"]
        [theirs] = story.agenda(story.therapist, session)["open_flags"]
        closing = {"disposition": "other", "note": "Talked."}
        story.therapist.post(f"/v1/flags/{flag['id']}/resolve", closing)

        assert (own["status"], own["level"]) == ("open", None)
        assert (theirs["status"], theirs["level"]) == ("open", flag["level"])
        assert own.keys() == theirs.keys() == {"status", "raised_at", "level"}
        assert story.agenda(story.therapist, session)["open_flags"] == []

    def test_of_a_session_that_is_not_there_there_is_none(self, world: World) -> None:
        other = world.elsewhere
        path = f"{other.patient.record}/integration-sessions"
        foreign = other.therapist.post(path, an_integration_session()).json()["id"]

        for session_id in (foreign, str(uuid4()), "next"):
            for what in ("agenda", "summary"):
                one = f"{world.patient.record}/integration-sessions/{session_id}/{what}"
                assert world.therapist.get(one).status_code == 404


class TestSummary:
    def test_it_is_agreed_to_version_by_version(self, story: Story) -> None:
        session = story.session()
        summary = story.sent(story.therapist, "session-summaries", a_session_summary(session["id"]))
        before = story.summary(story.patient, session)
        yes = a_summary_agreement(summary["id"], 1)
        story.sent(story.patient, "summary-agreements", yes)
        agreed = story.summary(story.therapist, session)
        one = f"{story.record}/session-summaries/{summary['id']}"
        other = story.said(a_session_summary(session["id"], words="And no letter."))
        amended(story.therapist, one, other, 1)
        changed = story.summary(story.patient, session)
        story.sent(story.patient, "summary-agreements", a_summary_agreement(summary["id"], 2))

        assert (before["summary"]["version"], before["said"], before["is_agreed"]) == (
            1,
            None,
            False,
        )
        assert (agreed["is_agreed"], agreed["said"]["summary_version"]) == (True, 1)
        assert (changed["is_agreed"], changed["said"]["summary_version"]) == (False, 1)
        assert story.summary(story.patient, session)["is_agreed"]

    def test_a_patient_may_disagree_and_say_why(self, story: Story) -> None:
        session = story.session()
        summary = story.sent(story.therapist, "session-summaries", a_session_summary(session["id"]))
        no = a_summary_agreement(summary["id"], status="disagreed", words="I said a month.")
        story.sent(story.patient, "summary-agreements", no)

        told = story.summary(story.therapist, session)

        assert (told["is_agreed"], told["said"]["words"]) == (False, "I said a month.")

    def test_there_is_none_until_one_is_written(self, story: Story) -> None:
        session = story.session()

        told = story.summary(story.patient, session)

        assert (told["summary"], told["said"], told["is_agreed"]) == (None, None, False)

    def test_there_is_one_and_only_of_what_was_attended(self, story: Story) -> None:
        session = story.session()
        planned = story.session(status="scheduled")
        story.sent(story.therapist, "session-summaries", a_session_summary(session["id"]))

        refused = [
            story.therapist.post(
                f"{story.record}/session-summaries", story.said(a_session_summary(one))
            )
            for one in (session["id"], planned["id"], str(uuid4()))
        ]

        for answer in refused:
            assert answer.status_code == 422
            assert answer.json()["errors"][0]["pointer"] == "/integration_session_id"

    def test_it_may_be_sent_twice_also_after_the_session_moved_on(self, story: Story) -> None:
        session = story.session()
        body = story.said({**a_session_summary(session["id"]), "id": str(uuid4())})
        path = f"{story.record}/session-summaries"
        first = story.therapist.post(path, body)
        one = f"{story.record}/integration-sessions/{session['id']}"
        missed = an_integration_session(scheduled_at=session["scheduled_at"], status="missed")
        amended(story.therapist, one, story.said(missed), 1)

        again = story.therapist.post(path, body)

        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()

    def test_of_several_that_are_written_at_once_there_is_one(self, story: Story) -> None:
        for _ in range(5):
            session = story.session()
            path, sent = f"{story.record}/session-summaries", a_session_summary(session["id"])
            therapist, body = story.therapist, story.said(sent)

            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(lambda _: therapist.post(path, body), range(8)))  # noqa: B023

            assert sorted(answer.status_code for answer in answers) == [201, *[422] * 7]

    def test_it_stays_with_its_session(self, story: Story) -> None:
        session, other = story.session(), story.session()
        summary = story.sent(story.therapist, "session-summaries", a_session_summary(session["id"]))
        moved = story.said(a_session_summary(other["id"]))

        answer = story.therapist.put(
            f"{story.record}/session-summaries/{summary['id']}", moved, base=1
        )

        assert answer.json()["errors"][0]["pointer"] == "/integration_session_id"

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"summary_version": 2}, "/summary_version"),
            ({"summary_version": 0}, "/summary_version"),
            ({"session_summary_id": str(uuid4())}, "/session_summary_id"),
        ],
    )
    def test_what_nobody_wrote_cannot_be_agreed_to(
        self, story: Story, changes: Json, pointer: str
    ) -> None:
        summary = story.sent(
            story.therapist, "session-summaries", a_session_summary(story.session()["id"])
        )

        answer = story.patient.post(
            f"{MINE}/summary-agreements",
            story.said(a_summary_agreement(summary["id"]) | changes),
        )

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer

    def test_each_side_writes_its_own(self, story: Story) -> None:
        session = story.session()
        summary = a_session_summary(session["id"])
        written = story.sent(story.therapist, "session-summaries", summary)
        agreement = a_summary_agreement(written["id"])

        by_patient = story.patient.post(f"{MINE}/session-summaries", story.said(summary))
        by_therapist = story.therapist.post(
            f"{story.record}/summary-agreements", story.said(agreement)
        )
        change = {
            "kind": "summary_agreement",
            "op": "create",
            "id": str(uuid4()),
            "entry": agreement,
        }
        [result] = story.patient.post("/v1/sync", {"changes": [change]}).json()["results"]

        assert (by_patient.status_code, by_therapist.status_code) == (403, 403)
        assert result["status"] == "created"
