"""Who is told of a round, when, by what, and by whom it is ended; by a clock turned by hand."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
import structlog
from sqlalchemy import func, literal_column, select

from app import worker
from app.kernel import outbox
from app.kernel.channels import Channels, Gone, NotNow
from app.kernel.db import Db, Direct, Query, itself
from app.kernel.identity import Caller
from app.kernel.settings import Settings
from app.kernel.vault import Keyring
from app.people.addresses import DeviceIn, PushKeys, PushSubscription
from app.safety import addresses, alerts
from tests.builders import Person, a_check_in, phq_9
from tests.conftest import Clock
from tests.reminders.ward import PUSH_KEYS, Ward, a_ward

LINK = "https://journal.example"
POLICY = "/v1/clinic/escalation"


class Watch(Ward):
    """A ward whose patients are in danger, and its worker's rounds and alarms.

    through: real channels, instead of the post.
    """

    through: Channels | None = None

    def person(self, who: Person) -> Person:
        """Signed in at this instant."""
        return who.again(self.clock())

    def danger(self, item_nine: int = 3, patient: Person | None = None) -> UUID:
        """A patient is. Returns: the flag."""
        sent = a_check_in(
            answers=phq_9(9 + item_nine, item_nine=item_nine), recorded_at=self.clock.said()
        )
        whose = self.person(patient or self.clinic.patient)
        made = whose.post("/v1/patients/me/check-ins", sent)
        assert made.status_code == 201, made.text
        return UUID(made.json()["safety"]["flag"]["id"])

    def raise_level(self, level: str) -> UUID:
        """A flag of this level, whatever the instrument would have made of it."""
        flag_id = self.danger()
        self.behind("UPDATE flag SET level = %s WHERE id = %s", level, flag_id)
        return flag_id

    def address(self, who: Person, channel: str = "webhook") -> str:
        """They are written to there too. Returns: where, as `Post` has it."""
        number = len(self.behind("SELECT 1 FROM alert_address"))
        url = f"https://pager.example/{number}"
        mail = f"pager-{number}@clinic.example"
        sent = {
            "webhook": DeviceIn(channel="webhook", url=url),
            "email": DeviceIn(channel="email", email=mail),
            "web-push": DeviceIn(
                channel="web-push",
                subscription=PushSubscription(endpoint=url, keys=PushKeys(**PUSH_KEYS)),
            ),
        }[channel]
        caller = Caller(
            who.account_id,
            who.clinic_id,
            who.membership_id,
            who.role,
            None,
            int(self.clock().timestamp()),
        )

        def register(db: Db) -> None:
            db.enter(who.clinic_id)
            addresses.register(db, caller, sent, self.clock(), sends_mail=True, allow=frozenset())

        self.database.run(register)
        return mail if channel == "email" else url

    def work(self, database: Direct | None = None) -> None:
        """A worker does all that is due, as it stands."""
        keepers = {**worker.KEEPERS, **worker.alarms(self.through or self.post.channels, LINK)}
        for _ in range(200):
            if not worker.keep_one(database or self.database, self.clock(), keepers):
                return
        raise AssertionError("the worker finds no end")

    def after(self, **by: float) -> list[UUID]:
        """Time passes and the worker works. Returns: who was told meanwhile."""
        before = self.told()
        self.clock.turn(**by)
        self.work()
        return [one for one in self.told() if one not in before]

    def told(self) -> list[UUID]:
        """Who has it in the inbox, in order."""
        return [one for (one,) in self.behind("SELECT membership_id FROM notice ORDER BY told_at")]

    def steps(self, flag_id: UUID, round_: int = 1) -> list[tuple[Any, ...]]:
        """(who, state, due_at, done_at) of a round."""
        return self.behind(
            "SELECT who, state, due_at, done_at FROM flag_step WHERE flag_id = %s AND round = %s"
            " ORDER BY number",
            flag_id,
            round_,
        )

    def states(self, flag_id: UUID, round_: int = 1) -> list[str]:
        """What became of each step."""
        return [state for _, state, _, _ in self.steps(flag_id, round_)]

    def set_active(self, is_active: bool, *members: Person) -> None:
        """They leave, or join again."""
        for one in members:
            self.behind(
                "UPDATE membership SET is_active = %s WHERE id = %s", is_active, one.membership_id
            )


@pytest.fixture
def watch(fresh_database: Settings, keyring: Keyring, clock: Clock) -> Iterator[Watch]:
    """On a Monday at noon; the clinic is on duty until five."""
    with a_ward(fresh_database, keyring, clock) as ward:
        yield Watch(ward.settings, ward.database, ward.client, ward.clinic, clock)


@contextmanager
def another_worker(watch: Watch, keyring: Keyring) -> Iterator[Direct]:
    database = Direct(str(watch.settings.database_url), keyring)
    yield database
    database.close()


class TestHigh:
    def test_the_care_team_then_the_next_clinician_then_the_administrators(
        self, watch: Watch
    ) -> None:
        clinic = watch.clinic
        flag_id = watch.danger()

        assert watch.after() == [clinic.therapist.membership_id]
        assert watch.after(minutes=14, seconds=59) == []
        assert watch.after(seconds=1) == [clinic.stranger.membership_id]
        assert watch.after(minutes=14) == []
        assert watch.after(minutes=1) == [clinic.administrator.membership_id]
        assert watch.after(days=8) == []
        assert watch.states(flag_id) == ["done"] * 3

    def test_what_was_done_stays_as_it_was_done(self, watch: Watch) -> None:
        began_at = watch.clock()
        flag_id = watch.danger()
        watch.after()
        watch.after(minutes=15)
        watch.after(minutes=15)

        assert [done_at for *_, done_at in watch.steps(flag_id)] == [
            began_at + timedelta(minutes=minutes) for minutes in (0, 15, 30)
        ]

    def test_who_is_told_next_may_look_until_the_flag_ends(self, watch: Watch) -> None:
        stranger, record = watch.clinic.stranger, watch.clinic.patient.record
        flag_id = watch.danger()
        watch.after()
        assert watch.person(stranger).get(f"{record}/flags").status_code == 404

        watch.after(minutes=15)
        assert watch.person(stranger).get(f"{record}/flags").status_code == 200

        closed = watch.person(watch.clinic.therapist).post(
            f"/v1/flags/{flag_id}/resolve", {"disposition": "plan-agreed", "note": "Spoke."}
        )
        assert closed.status_code == 200, closed.text
        assert watch.person(stranger).get(f"{record}/flags").status_code == 404

    def test_and_for_three_days_where_nobody_ends_it(self, watch: Watch) -> None:
        stranger, record = watch.clinic.stranger, watch.clinic.patient.record
        watch.danger()
        watch.after()
        watch.after(minutes=15)

        watch.clock.turn(days=3, seconds=-1)
        assert watch.person(stranger).get(f"{record}/flags").status_code == 200
        watch.clock.turn(seconds=1)
        assert watch.person(stranger).get(f"{record}/flags").status_code == 404


class TestLower:
    def test_moderate_is_escalated_while_the_clinic_is_on_duty(self, watch: Watch) -> None:
        watch.clock.turn(hours=4, minutes=30)  # half an hour is left of today
        watch.raise_level("moderate")
        assert watch.after() == [watch.clinic.therapist.membership_id]

        assert watch.after(hours=16, minutes=59) == []  # Tuesday, 9:29
        assert watch.after(minutes=1) == [watch.clinic.stranger.membership_id]
        assert watch.after(minutes=30) == [watch.clinic.administrator.membership_id]

    def test_low_waits_in_the_inbox_and_is_a_message_when_the_clinic_is_next_on_duty(
        self, watch: Watch
    ) -> None:
        address = watch.address(watch.clinic.therapist)
        watch.clock.turn(hours=6)
        watch.raise_level("low")

        assert watch.after() == [watch.clinic.therapist.membership_id]
        watch.after(hours=14, minutes=59)
        assert watch.post.messages == []
        assert watch.after(minutes=1) == []
        assert [message.to for message in watch.post.messages] == [address]


class TestNobody:
    def test_where_nobody_cares_the_next_and_the_administrators_hear_at_once(
        self, watch: Watch
    ) -> None:
        watch.danger(patient=watch.clinic.other_patient)

        told = watch.after()

        assert told[-1] == watch.clinic.administrator.membership_id
        assert set(told[:-1]) < {
            watch.clinic.therapist.membership_id,
            watch.clinic.stranger.membership_id,
        }
        assert len(told) == 2

    def test_without_consent_no_clinician_is_told_and_the_administrators_are(
        self, watch: Watch
    ) -> None:
        watch.danger()
        watch.behind("UPDATE consent SET revoked_at = %s", watch.clock())

        assert watch.after() == [watch.clinic.administrator.membership_id]
        assert watch.after(hours=1) == []
        assert watch.behind("SELECT 1 FROM care_link WHERE kind = 'coverage'") == []

    def test_where_there_is_nobody_at_all_whoever_joins_later_is_told(self, watch: Watch) -> None:
        clinic = watch.clinic
        watch.set_active(False, clinic.therapist, clinic.stranger, clinic.administrator)
        flag_id = watch.danger()
        assert watch.after() == []
        assert watch.after(days=3) == []
        assert watch.states(flag_id) == ["done", "done", "planned"]

        watch.set_active(True, clinic.administrator)

        assert watch.after(minutes=1) == [clinic.administrator.membership_id]
        assert watch.states(flag_id) == ["done"] * 3

    def test_a_clinician_who_joins_a_clinic_without_anybody_is_told_and_may_look(
        self, watch: Watch
    ) -> None:
        clinic, record = watch.clinic, watch.clinic.patient.record
        watch.set_active(False, clinic.therapist, clinic.stranger, clinic.administrator)
        flag_id = watch.danger()
        assert watch.after(days=1) == []

        watch.set_active(True, clinic.stranger)

        assert watch.after(minutes=1) == [clinic.stranger.membership_id]
        assert watch.states(flag_id) == ["done"] * 3
        assert watch.person(clinic.stranger).get(f"{record}/flags").status_code == 200
        assert watch.after(days=1) == []


class TestAnswered:
    @pytest.mark.parametrize(
        ("act", "body"),
        [
            ("acknowledge", {}),
            ("resolve", {"disposition": "plan-agreed", "note": "Spoke."}),
        ],
    )
    def test_what_is_answered_is_told_to_nobody_else(
        self, watch: Watch, act: str, body: dict[str, str]
    ) -> None:
        flag_id = watch.danger()
        watch.after()
        answer = watch.person(watch.clinic.therapist).post(f"/v1/flags/{flag_id}/{act}", body)
        assert answer.status_code == 200, answer.text

        assert watch.after(hours=1) == []
        assert watch.states(flag_id) == ["done", "cancelled", "cancelled"]

    def test_a_message_that_is_answered_meanwhile_is_not_sent(self, watch: Watch) -> None:
        watch.address(watch.clinic.therapist)
        flag_id = watch.danger()
        assert worker.keep_one(watch.database, watch.clock())
        watch.person(watch.clinic.therapist).post(f"/v1/flags/{flag_id}/acknowledge", {})

        watch.work()

        assert watch.post.messages == []

    def test_a_new_round_takes_the_place_of_the_one_before(self, watch: Watch) -> None:
        flag_id = watch.danger()
        watch.after()
        watch.clock.turn(minutes=10)
        assert watch.danger() == flag_id
        watch.work()

        assert watch.states(flag_id, 1) == ["done", "cancelled", "cancelled"]
        watch.after(minutes=14)
        assert watch.states(flag_id, 2) == ["done", "planned", "planned"]
        watch.after(minutes=1)
        assert watch.states(flag_id, 2) == ["done", "done", "planned"]


class TestWorkers:
    def test_two_at_once_do_each_step_once(self, watch: Watch, keyring: Keyring) -> None:
        watch.address(watch.clinic.therapist)
        watch.address(watch.clinic.stranger)
        flag_id = watch.danger()
        watch.clock.turn(minutes=20)
        with another_worker(watch, keyring) as one, another_worker(watch, keyring) as other:
            threads = [
                threading.Thread(target=watch.work, args=(database,)) for database in (one, other)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)

        assert watch.states(flag_id) == ["done", "done", "planned"]
        assert len(watch.told()) == 2
        assert len(watch.post.messages) == 2

    def test_what_one_that_died_had_not_committed_another_does_once(
        self, watch: Watch, keyring: Keyring
    ) -> None:
        class Died(BaseException):
            """Nothing in the worker catches it."""

        def die(db: Db) -> None:
            (item,) = outbox.claim(db, worker.KEEPERS, watch.clock())
            db.enter(item.clinic_id)
            worker.KEEPERS[item.topic](db, item.body, watch.clock())
            db.one(Query(select(literal_column("1")), itself))  # all of it has reached the database
            raise Died

        flag_id = watch.danger()
        with another_worker(watch, keyring) as database, pytest.raises(Died):
            database.run(die)
        assert watch.steps(flag_id) == []

        assert watch.after() == [watch.clinic.therapist.membership_id]
        assert watch.states(flag_id) == ["done", "planned", "planned"]

    def test_the_same_round_kept_again_is_planned_and_told_once(self, watch: Watch) -> None:
        watch.address(watch.clinic.therapist)
        flag_id = watch.danger()
        watch.work()
        planned = watch.steps(flag_id)

        def again(db: Db) -> None:
            db.enter(watch.clinic.id)
            alerts.keep_round(db, flag_id=flag_id, round_=1, now=watch.clock())

        watch.database.run(again)
        watch.work()

        assert watch.steps(flag_id) == planned
        assert len(watch.post.messages) == 1

    def test_one_that_was_away_does_all_that_is_overdue_in_order(self, watch: Watch) -> None:
        clinic = watch.clinic
        members = [clinic.therapist, clinic.stranger, clinic.administrator]
        addresses = [watch.address(one) for one in members]
        flag_id = watch.danger()

        told = watch.after(hours=1)

        assert set(told) == {one.membership_id for one in members}
        assert watch.states(flag_id) == ["done"] * 3
        assert [message.to for message in watch.post.messages] == addresses
        assert [message.said["step"] for message in watch.post.messages] == [1, 2, 3]


class TestDelivery:
    def rows(self, watch: Watch) -> list[tuple[Any, ...]]:
        return watch.behind("SELECT step, channel, outcome, why FROM alert_delivery ORDER BY id")

    def ended(self, watch: Watch) -> list[tuple[Any, ...]]:
        return watch.behind("SELECT ended_reason FROM alert_address ORDER BY created_at, id")

    def test_a_message_says_nothing_of_whom_or_what(self, watch: Watch) -> None:
        channels = ("email", "web-push", "webhook")
        sent_to = {watch.address(watch.clinic.therapist, one): one for one in channels}
        flag_id = watch.danger()
        watch.work()

        assert {message.to for message in watch.post.messages} == set(sent_to)
        for message in watch.post.messages:
            said = dict(message.said)
            title, body = str(said.pop("title")), str(said.pop("body"))
            assert LINK in body
            words = json.dumps([title, body]).lower()
            for word in ("patient", "clinic", "suicid", "risk", "danger", "flag", "phq", "high"):
                assert word not in words
            link = f"{LINK}/?alert={flag_id}.1.1"
            assert body.endswith(link)
            if sent_to[message.to] == "email":
                assert said == {}
            else:
                assert said == {"flag_id": str(flag_id), "round": 1, "step": 1, "link": link}
        assert {(step, channel, what) for step, channel, what, _ in self.rows(watch)} == {
            (1, one, "sent") for one in channels
        }

    def test_what_is_not_taken_is_sent_again_later_and_later_as_the_same(
        self, watch: Watch
    ) -> None:
        address = watch.address(watch.clinic.therapist)
        watch.post.answers[address] = NotNow(None, "no_answer")
        watch.danger()
        watch.work()
        for _ in range(600):
            watch.clock.turn(seconds=1)
            watch.work()
        sent = watch.post.sent_to(address)

        waits = [(after.at - before.at).total_seconds() for before, after in pairwise(sent)]
        assert len({message.delivery for message in sent}) == 1
        for number, wait in enumerate(waits, start=1):
            assert 2**number <= wait <= 1.5 * 2**number + 1
        assert len(waits) >= 6
        assert self.rows(watch) == [(1, "webhook", "not-now", "no_answer")] * len(sent)

    def test_who_asks_for_a_pause_gets_it(self, watch: Watch) -> None:
        address = watch.address(watch.clinic.therapist)
        watch.post.answers[address] = NotNow(120, "status_429")
        watch.danger()
        watch.work()

        watch.after(seconds=119)
        assert len(watch.post.messages) == 1
        watch.after(seconds=1)
        assert len(watch.post.messages) == 2

    def test_three_failures_hasten_the_next_step_and_two_do_not(self, watch: Watch) -> None:
        address = watch.address(watch.clinic.therapist)
        watch.post.answers[address] = NotNow(None, "no_answer")
        flag_id = watch.danger()
        watch.work()
        watch.after(seconds=4)
        assert len(watch.post.messages) == 2
        assert watch.states(flag_id) == ["done", "planned", "planned"]

        assert watch.after(seconds=7) == [watch.clinic.stranger.membership_id]

        assert len(watch.post.messages) == 3
        assert watch.after(minutes=14) == []  # the administrators' step is where it was

    def test_where_nobody_is_any_more_each_step_hastens_the_next_at_once(
        self, watch: Watch
    ) -> None:
        clinic = watch.clinic
        for one in (clinic.therapist, clinic.stranger):
            watch.post.answers[watch.address(one)] = Gone()
        flag_id = watch.danger()

        assert len(watch.after()) == 3

        assert watch.states(flag_id) == ["done"] * 3
        assert self.ended(watch) == [("gone",)] * 2
        assert [what for _, _, what, _ in self.rows(watch)] == ["gone"] * 2

    def test_an_address_that_fails_for_a_day_ends_and_says_so(self, watch: Watch) -> None:
        address = watch.address(watch.clinic.therapist)
        watch.post.answers[address] = NotNow(None, "no_answer")
        watch.danger()
        watch.work()
        watch.after(days=1)
        assert self.ended(watch) == [(None,)]

        with structlog.testing.capture_logs() as logs:
            watch.after(minutes=10)

        assert self.ended(watch) == [("dead",)]
        ((line),) = [one for one in logs if one["event"] == "alert_address.ended"]
        assert (line["log_level"], line["reason"]) == ("error", "dead")
        tried = len(watch.post.messages)
        watch.after(hours=1)
        assert len(watch.post.messages) == tried

    def test_one_that_arrives_heals_an_address(self, watch: Watch) -> None:
        failing = "SELECT failing_since FROM alert_address"
        address = watch.address(watch.clinic.therapist)
        watch.post.answers[address] = NotNow(None, "no_answer")
        watch.danger()
        watch.work()
        began_at = watch.clock()
        watch.after(seconds=4)
        assert watch.behind(failing) == [(began_at,)]

        watch.post.answers.clear()
        watch.after(minutes=1)

        assert watch.behind(failing) == [(None,)]
        watch.after(days=1)
        assert len(watch.post.messages) == 3

    def test_a_mail_server_may_take_its_time(self, watch: Watch) -> None:
        setting = Query(select(func.current_setting("idle_in_transaction_session_timeout")), itself)
        seen = []

        def send(db: Db) -> None:
            watch.post.meanwhile = lambda: seen.append(db.one(setting))
            (item,) = outbox.claim(db, alerts.DELIVER_TOPICS.values(), watch.clock())
            db.enter(item.clinic_id)
            alerts.deliver(db, item.body, watch.clock(), watch.post.channels, LINK)

        watch.address(watch.clinic.therapist)
        watch.danger()
        assert worker.keep_one(watch.database, watch.clock())
        watch.database.run(send)

        assert seen == ["5min"]

    def test_who_left_is_not_written_to(self, watch: Watch) -> None:
        watch.address(watch.clinic.therapist)
        watch.danger()
        assert worker.keep_one(watch.database, watch.clock())
        watch.set_active(False, watch.clinic.therapist)

        watch.work()

        assert watch.post.messages == []
