"""What the care team does about a flag: one person sees to it, and only clinicians close it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx2 import Response

from app.kernel import ledger
from app.kernel.db import Db, Direct
from tests.api.danger import in_danger, keep_promises
from tests.builders import Person, World, a_member, a_patient
from tests.conftest import Behind, Clock

CANARY = "kanarienvogel"
RESOLVED = {"disposition": "plan-agreed", "note": f"Called, {CANARY}."}


@dataclass
class Case:
    """A patient whom the therapist and a colleague care for, and their flag of moderate danger."""

    world: World
    clock: Clock
    direct: Direct
    behind: Behind
    patient: Person
    colleague: Person
    flag_id: str

    @property
    def therapist(self) -> Person:
        """Who cares for them, too."""
        return self.world.therapist

    @property
    def newcomer(self) -> Person:
        """A clinician who does not care for them."""
        return self.world.here.stranger

    def acts(self) -> dict[str, Any]:
        """Everything that can be done about a flag, and a body for it."""
        return {
            "acknowledge": None,
            "hand-over": {"to": str(self.newcomer.membership_id), "note": f"Please, {CANARY}."},
            "contacts": {"outcome": "not-reached", "note": f"No answer, {CANARY}."},
            "comments": {"note": f"Between us, {CANARY}."},
            "resolve": RESOLVED,
        }

    def ask(self, person: Person, act: str, body: Any = None, flag_id: str = "") -> Response:
        """Do it, a second later."""
        self.clock.turn(seconds=1)
        sent = self.acts()[act] if body is None else body
        return person.post(f"/v1/flags/{flag_id or self.flag_id}/{act}", sent)

    def did(self, person: Person, act: str, body: Any = None) -> dict[str, Any]:
        """The flag after it was done."""
        answer = self.ask(person, act, body)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        assert answer.headers["ETag"] == f'"{told["version"]}"'
        return told

    def seen_by(self, person: Person) -> dict[str, Any]:
        """The flag as this person sees it now."""
        ref = "me" if person is self.patient else str(self.patient.patient_id)
        (flag,) = person.get(f"/v1/patients/{ref}/flags").json()["flags"]
        return dict(flag)

    def told(self, round_: int) -> list[UUID]:
        """Before whom a worker has put a round, in the order of telling."""
        keep_promises(self.direct, self.clock.at)
        rows = self.behind.rows(
            "SELECT membership_id FROM notice WHERE flag_id = %s AND round = %s ORDER BY told_at",
            self.flag_id,
            round_,
        )
        return [membership_id for (membership_id,) in rows]

    def chart_status(self, person: Person) -> int:
        """Whether this person may read the patient's check-ins now."""
        return int(person.get(f"{self.patient.record}/check-ins").status_code)


@pytest.fixture
def case(timed_world: World, clock: Clock, direct: Direct, behind: Behind) -> Case:
    def admit(db: Db) -> tuple[Person, Person]:
        db.enter(timed_world.here.id)
        client = timed_world.patient.client
        colleague = a_member(client, db, "clinician", ["therapy"], at=clock.at)
        return a_patient(client, db, timed_world.therapist, colleague, at=clock.at), colleague

    patient, colleague = direct.run(admit)
    flag_id = in_danger(patient, 2)["flag"]["id"]
    return Case(timed_world, clock, direct, behind, patient, colleague, flag_id)


def names(flag: dict[str, Any]) -> list[str]:
    """What was done about a flag, in order."""
    return [event["action"] for event in flag["events"]]


class TestAcknowledge:
    def test_whoever_is_first_sees_to_it(self, case: Case) -> None:
        told = case.did(case.therapist, "acknowledge")

        assert (told["status"], told["round"], told["version"]) == ("acknowledged", 1, 2)
        assert told["acknowledged_by"] == "A clinician"
        assert datetime.fromisoformat(told["acknowledged_at"]) == case.clock.at
        assert names(told) == ["acknowledged"]
        assert case.seen_by(case.colleague) == told

    def test_the_same_person_again_changes_nothing(self, case: Case) -> None:
        first = case.did(case.therapist, "acknowledge")

        assert case.did(case.therapist, "acknowledge") == first

    def test_somebody_else_is_told_who_was_first(self, case: Case) -> None:
        first = case.did(case.therapist, "acknowledge")

        answer = case.ask(case.colleague, "acknowledge")

        told = answer.json()
        assert (answer.status_code, told["code"]) == (409, "already-acknowledged")
        assert told["acknowledged_by"] == "A clinician"
        assert datetime.fromisoformat(told["acknowledged_at"]) == datetime.fromisoformat(
            first["acknowledged_at"]
        )
        assert case.seen_by(case.therapist) == first

    def test_of_many_at_once_one_person_is_first(self, case: Case) -> None:
        path = f"/v1/flags/{case.flag_id}/acknowledge"

        with ThreadPoolExecutor(8) as pool:
            people = [case.therapist, case.colleague] * 4
            answers = list(pool.map(lambda person: person.post(path).status_code, people))

        assert {tuple(answers[0::2]), tuple(answers[1::2])} == {(200,) * 4, (409,) * 4}
        assert names(case.seen_by(case.therapist)) == ["acknowledged"]

    def test_nobody_else_is_told_of_an_acknowledged_round(self, case: Case) -> None:
        carers = {case.therapist.membership_id, case.colleague.membership_id}
        assert set(case.told(1)) == carers
        case.did(case.therapist, "acknowledge")

        case.clock.turn(days=2)

        assert set(case.told(1)) == carers

    def test_a_new_sign_opens_a_round_that_needs_its_own(self, case: Case) -> None:
        case.did(case.therapist, "acknowledge")

        joined = in_danger(case.patient, 1)["flag"]

        assert (joined["id"], joined["status"], joined["round"]) == (case.flag_id, "open", 2)
        now = case.seen_by(case.therapist)
        assert (now["acknowledged_by"], now["acknowledged_at"]) == (None, None)
        assert case.did(case.colleague, "acknowledge")["round"] == 2
        assert [event["round"] for event in case.seen_by(case.therapist)["events"]] == [1, 2]

    def test_a_sign_that_joins_raises_the_level_and_never_lowers_it(self, case: Case) -> None:
        levels = []
        for item_nine in (1, 3, 1):
            case.did(case.therapist, "acknowledge")
            levels.append(in_danger(case.patient, item_nine)["flag"]["level"])

        assert levels == ["moderate", "high", "high"]


class TestHandOver:
    def test_the_named_clinician_is_told_first_and_may_look(self, case: Case) -> None:
        in_danger(case.patient, 3)
        case.did(case.therapist, "acknowledge")
        assert case.chart_status(case.newcomer) == 404

        handed = case.did(case.therapist, "hand-over")

        assert (handed["status"], handed["round"]) == ("open", 3)
        assert handed["acknowledged_by"] is None
        assert names(handed) == ["acknowledged", "handed-over"]
        assert handed["events"][-1]["to"] == "A clinician"
        assert case.told(3) == [case.newcomer.membership_id]
        assert case.chart_status(case.newcomer) == 200
        assert case.did(case.newcomer, "acknowledge")["status"] == "acknowledged"

    def test_whoever_does_not_answer_is_not_the_last_to_be_told(self, case: Case) -> None:
        in_danger(case.patient, 3)
        case.did(case.therapist, "hand-over")
        case.told(3)

        case.clock.turn(minutes=15)

        first, *others = case.told(3)
        assert first == case.newcomer.membership_id
        assert len(others) == 1

    @pytest.mark.parametrize("who", ["coach", "administrator", "patient", "unknown", "abroad"])
    def test_to_nobody_who_could_see_to_it(self, case: Case, who: str) -> None:
        here = case.world.here
        to = {
            "coach": here.coach.membership_id,
            "administrator": here.administrator.membership_id,
            "patient": case.patient.membership_id,
            "unknown": uuid4(),
            "abroad": case.world.elsewhere.therapist.membership_id,
        }[who]
        before = case.seen_by(case.therapist)

        answer = case.ask(case.therapist, "hand-over", {"to": str(to)})

        assert answer.status_code == 422
        assert [one["pointer"] for one in answer.json()["errors"]] == ["/to"]
        assert case.seen_by(case.therapist) == before

    def test_nor_to_a_clinician_who_has_left(self, case: Case) -> None:
        case.behind.rows(
            "UPDATE membership SET is_active = false WHERE id = %s", case.newcomer.membership_id
        )

        assert case.ask(case.therapist, "hand-over").status_code == 422


class TestNotes:
    def test_contacts_and_comments_leave_the_flag_as_it_is(self, case: Case) -> None:
        before = case.seen_by(case.therapist)

        case.did(case.therapist, "contacts")
        after = case.did(case.colleague, "comments")

        assert names(after) == ["contacted", "commented"]
        assert [event["disposition"] for event in after["events"]] == ["not-reached", None]
        assert [event["note"] for event in after["events"]] == [
            f"No answer, {CANARY}.",
            f"Between us, {CANARY}.",
        ]
        changed = {name for name in before if before[name] != after[name]}
        assert changed == {"version", "events"}

    @pytest.mark.parametrize("act", ["contacts", "comments"])
    def test_what_is_sent_again_is_kept_once_and_its_id_is_good_for_nothing_else(
        self, case: Case, act: str
    ) -> None:
        sent = case.acts()[act] | {"id": str(uuid4())}
        first = case.did(case.therapist, act, sent)
        assert first["events"][-1]["id"] == sent["id"]

        assert case.did(case.therapist, act, sent) == first
        other_act = {"contacts": "comments", "comments": "contacts"}[act]
        for person, what, body in (
            (case.therapist, act, sent | {"note": "Something else."}),
            (case.therapist, other_act, case.acts()[other_act] | {"id": sent["id"]}),
            (case.colleague, act, sent),
        ):
            answer = case.ask(person, what, body)
            assert (answer.status_code, answer.json()["code"]) == (409, "id-reused")
        assert case.seen_by(case.therapist) == first

    def test_what_is_sent_again_after_the_end_is_answered_as_before(self, case: Case) -> None:
        sent = {"note": "Reached her.", "id": str(uuid4())}
        case.did(case.therapist, "comments", sent)
        closed = case.did(case.therapist, "resolve")

        assert case.did(case.therapist, "comments", sent) == closed

    def test_many_at_once_are_kept_once(self, case: Case) -> None:
        sent = {"outcome": "reached", "note": f"Spoke, {CANARY}.", "id": str(uuid4())}

        with ThreadPoolExecutor(8) as pool:
            answers = list(
                pool.map(
                    lambda _: case.therapist.post(f"/v1/flags/{case.flag_id}/contacts", sent),
                    range(8),
                )
            )

        assert {answer.status_code for answer in answers} == {200}
        assert names(case.seen_by(case.therapist)) == ["contacted"]

    def test_a_patient_sees_who_and_when_and_nothing_that_was_written(self, case: Case) -> None:
        for act in ("acknowledge", "contacts", "comments"):
            case.did(case.therapist, act)
        acknowledged = case.seen_by(case.therapist)["acknowledged_at"]
        own = case.seen_by(case.patient)
        case.did(case.therapist, "resolve")
        closed = case.seen_by(case.patient)

        assert (own["acknowledged_by"], own["acknowledged_at"]) == ("A clinician", acknowledged)
        assert names(closed) == ["acknowledged", "contacted", "resolved"]
        assert closed["status"] == "resolved"
        for event in closed["events"]:
            assert (event["note"], event["disposition"]) == (None, None)
        said = case.patient.get("/v1/patients/me/changes")
        assert said.status_code == 200
        assert case.flag_id in said.text
        for word in (CANARY, "plan-agreed", "not-reached"):
            assert word not in f"{own}{closed}{said.text}"

    def test_what_was_written_is_nowhere_in_plain(self, case: Case) -> None:
        for act in case.acts():
            case.did(case.therapist, act)

        for table in case.behind.counts():
            # bytea is shown as hexadecimal.
            for word in (CANARY, CANARY.encode().hex()):
                found = case.behind.rows(
                    f"SELECT count(*) FROM {table} WHERE position(%s in {table}::text) > 0", word
                )
                assert found == [(0,)], (table, word)
        shown = "SELECT count(*) FROM flag_event WHERE position(%s in flag_event::text) > 0"
        assert case.behind.rows(shown, case.flag_id) == [(5,)]  # so the search finds what is plain


class TestResolve:
    def test_it_is_closed_with_what_was_decided_and_why(self, case: Case) -> None:
        closed = case.did(case.therapist, "resolve")

        assert (closed["status"], closed["acknowledged_by"]) == ("resolved", None)
        (event,) = closed["events"]
        assert (event["disposition"], event["note"]) == (RESOLVED["disposition"], RESOLVED["note"])
        assert case.therapist.get("/v1/flags").json()["flags"] == []

    @pytest.mark.parametrize("act", ["acknowledge", "hand-over", "contacts", "comments", "resolve"])
    def test_then_nothing_more_is_done_about_it(self, case: Case, act: str) -> None:
        closed = case.did(case.therapist, "resolve")

        other_words = RESOLVED | {"note": "Something else."} if act == "resolve" else None
        for person in (case.therapist, case.colleague):
            answer = case.ask(person, act, other_words)
            assert (answer.status_code, answer.json()["code"]) == (409, "flag-closed")
        assert case.seen_by(case.therapist) == closed

    def test_the_same_person_with_the_same_words_again_changes_nothing(self, case: Case) -> None:
        closed = case.did(case.therapist, "resolve")

        assert case.did(case.therapist, "resolve") == closed
        answer = case.ask(case.colleague, "resolve")
        assert (answer.status_code, answer.json()["code"]) == (409, "flag-closed")
        assert case.seen_by(case.therapist) == closed

    def test_so_does_whoever_could_look_because_of_it_alone(self, case: Case) -> None:
        case.did(case.therapist, "hand-over")
        case.told(2)
        closed = case.did(case.newcomer, "resolve")

        assert case.did(case.newcomer, "resolve") == closed

        assert case.ask(case.newcomer, "comments").status_code == 404
        words = RESOLVED | {"note": "Something else."}
        assert case.ask(case.newcomer, "resolve", words).status_code == 404
        seen = [one for one in case.behind.accesses(case.world.here.id) if one[2] == "flags.act"]
        assert seen[-2:].count((case.newcomer.membership_id, case.patient.patient_id, "flags.act"))

    def test_the_end_of_who_could_look_because_of_it_is_in_the_ledger(self, case: Case) -> None:
        case.did(case.therapist, "hand-over")
        case.told(2)
        case.did(case.newcomer, "resolve")

        rows = case.behind.rows(
            "SELECT action, entry_version, entry_id, at FROM ledger WHERE patient_id = %s"
            " AND entry_kind = 'care_link' ORDER BY seq DESC LIMIT 2",
            case.patient.patient_id,
        )
        assert [(action, version) for action, version, _, _ in rows] == [
            ("care_link.ended", 2),
            ("care_link.began", 1),
        ]
        assert rows[0][2] == rows[1][2]
        ends_at = "SELECT ends_at FROM care_link WHERE id = %s"
        assert case.behind.rows(ends_at, rows[0][2]) == [(rows[0][3],)]

    def test_whoever_could_look_because_of_it_cannot_any_more(self, case: Case) -> None:
        case.did(case.therapist, "hand-over")
        case.told(2)
        assert case.chart_status(case.newcomer) == 200

        case.did(case.newcomer, "resolve")

        assert case.chart_status(case.newcomer) == 404
        assert case.chart_status(case.therapist) == 200
        assert case.chart_status(case.colleague) == 200

    @pytest.mark.parametrize("act", ["acknowledge", "hand-over", "contacts", "comments", "resolve"])
    def test_only_a_clinician_who_cares_for_them_acts(self, case: Case, act: str) -> None:
        before = case.seen_by(case.therapist)
        here, elsewhere = case.world.here, case.world.elsewhere

        for person in (case.patient, here.administrator, elsewhere.administrator, here.patient):
            assert case.ask(person, act).status_code == 403
        missing = case.ask(case.therapist, act, flag_id=str(uuid4()))
        assert missing.status_code == 404
        for person in (here.stranger, here.coach, elsewhere.therapist):
            answer = case.ask(person, act)
            assert (answer.status_code, answer.content) == (404, missing.content)
        assert case.seen_by(case.therapist) == before

    def test_a_coach_who_cares_for_them_does_not(self, case: Case) -> None:
        flag_id = in_danger(case.world.patient, 2)["flag"]["id"]

        for act in case.acts():
            assert case.ask(case.world.here.coach, act, flag_id=flag_id).status_code == 403


class TestLedger:
    def test_each_act_is_a_row_and_the_ledger_holds(self, case: Case) -> None:
        in_danger(case.patient, 3)
        for act in case.acts():
            case.did(case.therapist, act)
        case.told(3)

        rows = case.behind.rows(
            "SELECT action, entry_version, actor_id FROM ledger WHERE entry_id = %s ORDER BY seq",
            case.flag_id,
        )
        mine, theirs = case.therapist.membership_id, case.patient.membership_id
        assert rows == [
            ("flag.raised", 1, theirs),
            ("flag.joined", 2, theirs),
            ("flag.acknowledged", 3, mine),
            ("flag.handed_over", 4, mine),
            ("flag.contacted", 5, mine),
            ("flag.commented", 6, mine),
            ("flag.resolved", 7, mine),
        ]

        def verified(db: Db) -> list[object]:
            db.enter(case.world.here.id)
            heads = [one for one in ledger.heads(db) if one.patient_id == case.patient.patient_id]
            return [ledger.verify(db, case.world.here.id, head) for head in heads]

        assert case.direct.run(verified) == [None]

    def test_an_act_that_was_refused_leaves_none(self, case: Case) -> None:
        case.did(case.therapist, "resolve")
        before = case.behind.counts()["ledger"]

        for act in case.acts():
            case.ask(case.colleague, act)

        assert case.behind.counts()["ledger"] == before


class TestContact:
    def test_whoever_sees_the_flag_knows_whom_to_call(self, world: World) -> None:
        contact = {"name": "Ana", "phone": "+1 555 0111", "relation": "sister"}
        me = world.patient.get("/v1/me")
        changed = world.patient.request(
            "PATCH",
            "/v1/me",
            json={"phone": "+1 555 0110", "emergency_contacts": [contact]},
            headers={"If-Match": me.headers["ETag"]},
        )
        assert changed.status_code == 200, changed.text
        world.patient.post("/v1/patients/me/flags", {})

        for member in (world.therapist, world.here.administrator):
            (flag,) = member.get("/v1/flags").json()["flags"]
            assert flag["patient_phone"] == "+1 555 0110"
            assert flag["emergency_contacts"] == [contact]
