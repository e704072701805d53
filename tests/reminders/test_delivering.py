"""A reminder arrives, or is tried again, or nobody is there; and it says nothing about anybody."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from app import worker
from app.clinical import instruments
from app.kernel import outbox
from app.kernel.channels import Gone, NotNow, Webhook, WebPush
from app.kernel.db import Db, Direct, Query, itself
from app.kernel.errors import Kind, Problem
from app.kernel.outbound import Posted
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from app.reminders import service
from app.safety import service as safety
from tests.builders import Person, a_check_in, a_patient
from tests.conftest import KEYRING, SIGNING_KEYS
from tests.reminders.ward import DEVICES, PUSH_KEYS, REMINDERS, Ward

ROOT = Path(__file__).parents[2]
MAIL = "somebody@home.example"
PUSH = "https://push.example/abc"
HOOK = "https://phone.example/abc"

# A worker that sends a message, says which, and is still waiting for the answer.
SENDER = """
import sys, time
from datetime import datetime
from types import SimpleNamespace
from app import worker
from app.kernel.db import Direct
from app.kernel.vault import Keyring

def send(url, secret, said, *, message_id, now):
    print(message_id, flush=True)
    time.sleep(60)

channels = SimpleNamespace(mail=None, web_push=None, webhook=SimpleNamespace(send=send))
database = Direct(sys.argv[1], Keyring.parse(sys.stdin.read()))
worker.keep_one(database, datetime.fromisoformat(sys.argv[2]), worker.errands(channels))
"""


def prompted(ward: Ward) -> str:
    """A device that was promised a reminder, which is not sent yet. Returns: its address."""
    address = ward.device()
    ward.dose(hours_ago=3)
    ward.look()
    return address


class TestMeanwhile:
    def test_what_was_answered_meanwhile_is_not_sent(self, ward: Ward) -> None:
        prompted(ward)
        check_in_id = ward.answer()

        ward.deliver()
        ward.later(hours=1)

        assert ward.post.messages == []
        (reminder,) = ward.patient.get(REMINDERS).json()["reminders"]
        assert reminder["check_in_id"] == check_in_id
        assert reminder["answered_at"] is not None

    def test_what_is_over_meanwhile_is_not_sent(self, ward: Ward) -> None:
        prompted(ward)

        ward.clock.turn(hours=5)
        ward.deliver()

        assert ward.post.messages == []

    def test_what_is_left_of_several_things_is_what_is_counted(self, ward: Ward) -> None:
        ward.device()
        ward.dose(hours_ago=1)
        ward.clock.turn(hours=20)
        ward.look()
        ward.answer()

        ward.deliver()

        (message,) = ward.post.messages
        assert message.said["body"] == "There is something to fill in when you have a moment."

    def test_what_was_put_off_meanwhile_is_sent_then(self, ward: Ward) -> None:
        prompted(ward)
        note = {"due_key": "4h/dose-1/momentary", "event": "snoozed"}
        when = {"recorded_at": ward.clock.said(), "snoozed_until": ward.clock.said(hours=1)}
        assert ward.patient.post(REMINDERS, note | when).status_code == 200

        ward.deliver()
        assert ward.post.messages == []

        assert len(ward.later(hours=1)) == 1

    @pytest.mark.parametrize(
        "plan",
        [
            {"snoozed_until": "2026-03-02T13:00:00Z"},
            {"quiet_from": "12:00", "quiet_until": "13:00"},
        ],
    )
    def test_who_wants_quiet_meanwhile_is_told_when_it_is_over(
        self, ward: Ward, plan: dict[str, Any]
    ) -> None:
        prompted(ward)
        ward.plan(**plan)

        ward.deliver()
        assert [*ward.post.messages, *ward.later(minutes=59)] == []

        assert len(ward.later(minutes=1)) == 1

    def test_who_stopped_reminders_meanwhile_gets_none(self, ward: Ward) -> None:
        prompted(ward)
        ward.plan(is_stopped=True)

        ward.deliver()

        assert [*ward.post.messages, *ward.later(hours=1)] == []

    def test_a_device_that_was_removed_meanwhile_is_told_nothing(self, ward: Ward) -> None:
        address = prompted(ward)
        (device,) = ward.patient.get(DEVICES).json()["devices"]
        ward.patient.delete(f"{DEVICES}/{device['id']}", base=None)
        other = ward.device()

        ward.deliver()
        ward.later(hours=20)

        assert ward.post.sent_to(address) == []
        assert len(ward.post.sent_to(other)) == 1  # for what opened since

    def test_who_took_their_consent_back_meanwhile_is_told_nothing(self, ward: Ward) -> None:
        prompted(ward)
        ward.behind("UPDATE consent SET revoked_at = %s", ward.clock())

        ward.deliver()

        assert ward.post.messages == []
        assert ward.behind("SELECT count(*) FROM outbox WHERE done_at IS NULL") == [(0,)]


class TestOutcomes:
    def attempts(self, ward: Ward, address: str, end: timedelta) -> list[int]:
        """Seconds after the first attempt at which this address was written to."""
        began_at = ward.clock()
        ward.deliver()
        while True:
            ((due_at,),) = ward.behind(
                "SELECT min(due_at) FROM outbox WHERE done_at IS NULL AND topic = %s",
                service.DELIVER_TOPIC,
            )
            if due_at is None or due_at > began_at + end:
                break
            assert due_at > ward.clock()
            ward.clock.at = due_at
            ward.deliver()
        return [
            int((message.at - began_at).total_seconds()) for message in ward.post.sent_to(address)
        ]

    def test_who_asks_for_a_pause_gets_it(self, ward: Ward) -> None:
        address = prompted(ward)
        ward.post.answers[address] = NotNow(1200, "status_429")
        ward.deliver()

        assert ward.later(minutes=19) == []
        ward.post.answers.clear()
        (message,) = ward.later(minutes=1)

        assert message.to == address
        assert len({sent.delivery for sent in ward.post.sent_to(address)}) == 1
        assert ward.later(hours=1) == []

    @pytest.mark.parametrize("asked_for", [None, 0.0])
    def test_an_address_that_does_not_answer_is_tried_less_and_less(
        self, ward: Ward, asked_for: float | None
    ) -> None:
        address = prompted(ward)
        ward.post.answers[address] = NotNow(asked_for, "no_answer")

        tried = self.attempts(ward, address, timedelta(hours=2))

        assert tried == [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1022, 2044, 4088]

    def test_it_is_not_tried_for_ever(self, ward: Ward) -> None:
        address = ward.device()
        ward.post.answers[address] = NotNow(None, "no_answer")
        ward.dose(hours_ago=24 * 5)  # two questionnaires are open for five days from now on
        ward.plan(quiet_from="00:00", quiet_until="00:00")
        ward.look()

        tried = self.attempts(ward, address, timedelta(days=5))

        assert 10 < len(tried) < 25
        assert 86_400 <= tried[-1] < 2 * 86_400
        assert ward.behind("SELECT count(*) FROM outbox WHERE done_at IS NULL") == [(0,)]

    def test_where_nobody_is_any_more_nothing_is_promised_again(self, ward: Ward) -> None:
        gone = prompted(ward)
        still_there = ward.device()
        ward.post.answers[gone] = Gone()

        ward.deliver()
        ward.later(hours=20)

        assert len(ward.post.sent_to(gone)) == 1
        assert len(ward.post.sent_to(still_there)) == 1
        (listed,) = ward.patient.get(DEVICES).json()["devices"]
        ended = ward.behind("SELECT id::text FROM device WHERE ended_reason = 'gone'")
        assert len(ended) == 1
        assert listed["id"] not in ended[0]

    def test_a_message_of_a_worker_that_was_killed_is_sent_again_as_the_same(
        self, ward: Ward
    ) -> None:
        prompted(ward)
        killed = subprocess.Popen(
            [
                sys.executable,
                "-c",
                SENDER,
                str(ward.settings.database_url),
                ward.clock().isoformat(),
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with killed:
            assert killed.stdin is not None
            assert killed.stdout is not None
            killed.stdin.write(KEYRING)
            killed.stdin.close()
            first = killed.stdout.readline().strip()
            ward.deliver()
            assert ward.post.messages == []  # it is still under way
            os.kill(killed.pid, signal.SIGKILL)

        deadline = time.monotonic() + 5
        while not ward.post.messages and time.monotonic() < deadline:
            ward.deliver()

        assert [str(message.delivery) for message in ward.post.messages] == [first]

    def test_a_mail_server_may_take_its_time(self, ward: Ward) -> None:
        setting = Query(select(func.current_setting("idle_in_transaction_session_timeout")), itself)
        seen = []

        def send(db: Db) -> None:
            ward.post.meanwhile = lambda: seen.append(db.one(setting))
            (item,) = outbox.claim(db, [service.DELIVER_TOPIC], ward.clock())
            db.enter(item.clinic_id)
            service.deliver(db, item.body, ward.clock(), ward.post.channels)

        prompted(ward)
        ward.database.run(send)

        assert seen == ["5min"]
        assert ward.database.run(lambda db: db.one(setting)) != "5min"


def clinical_words(ward: Ward) -> set[str]:
    """What tells a bystander why somebody is reminded."""
    words = {"ketamine", "esketamine", "therapy", "therapist", "treatment", "patient", "clinic"}
    words |= {"doctor", "mood", "depress", "anxi", "suicid", "trauma", "drug", "dose", "session"}
    words |= {"questionnaire", "check-in", "afterglow", "test clinic", "momentary", "4h/"}
    for one in instruments.shipped():
        words |= {one.key, one.title.lower()}
    return words | {str(ward.clinic.id), str(ward.patient.patient_id)}


class TestWords:
    def register(self, ward: Ward) -> None:
        """A device of each kind."""
        push = {"endpoint": PUSH, "keys": PUSH_KEYS}
        for sent in (
            {"channel": "email", "email": MAIL},
            {"channel": "web-push", "subscription": push},
            {"channel": "webhook", "url": HOOK},
        ):
            answer = ward.patient.post(DEVICES, sent)
            assert answer.status_code == 201, answer.text

    def test_nothing_that_is_sent_says_what_it_is_about(self, ward: Ward) -> None:
        self.register(ward)
        ward.dose(hours_ago=1)
        one = ward.later(hours=1)
        many = ward.later(hours=19)

        assert {message.to for message in one} == {MAIL, PUSH, HOOK}
        assert len(many) == 3
        for message in (*one, *many):
            assert {"title", "body"} <= message.said.keys() <= {"type", "title", "body"}
            said = json.dumps(message.said).lower()
            assert [word for word in clinical_words(ward) if word in said] == []

    def test_a_clinic_s_own_words_are_said_in_the_patient_s_language(self, ward: Ward) -> None:
        ward.device()
        administrator = ward.clinic.administrator.again(ward.clock())
        for locale, texts in (
            ("de", {"reminder.subject": "Hallo", "reminder.body-many": "{count} Fragen warten."}),
            ("de-AT", {"reminder.subject": "Servus"}),
            ("en", {"reminder.subject": "Hello"}),
        ):
            version = administrator.get("/v1/clinic/texts").json()["version"]
            path = f"/v1/clinic/texts/{locale}"
            put = administrator.put(path, {"texts": texts}, base=f'"{version}"')
            assert put.status_code == 200, put.text
        changed = ward.patient.patch("/v1/me", {"locale": "de-AT"}, headers={"If-Match": '"1"'})
        assert changed.status_code == 200, changed.text
        ward.dose(hours_ago=1)

        (many,) = ward.later(hours=20)

        assert (many.said["title"], many.said["body"]) == ("Servus", "2 Fragen warten.")

    def test_words_too_long_for_a_push_are_shortened_and_arrive(self, ward: Ward) -> None:
        posted: list[str] = []

        def post(url: str, body: bytes, headers: object) -> Posted:
            posted.append(url)
            return Posted(201, None)

        self.register(ward)
        administrator = ward.clinic.administrator.again(ward.clock())
        version = administrator.get("/v1/clinic/texts").json()["version"]
        long = {"reminder.subject": "Grüße 🌿" * 250, "reminder.body": "Bis bald 🌿" * 190}
        put = administrator.put("/v1/clinic/texts/en", {"texts": long}, base=f'"{version}"')
        assert put.status_code == 200, put.text
        ward.dose(hours_ago=3)
        push = WebPush(SigningKeys.parse(SIGNING_KEYS), None, post)
        channels = ward.post.channels
        real = type(channels)(channels.mail, push, Webhook(post))
        ward.look()

        while worker.keep_one(ward.database, ward.clock(), worker.errands(real)):
            pass

        assert sorted(posted) == sorted([PUSH, HOOK])
        assert ward.behind("SELECT max(attempts) FROM outbox") == [(0,)]

    def test_the_outbox_holds_ids_and_codes_only(self, ward: Ward) -> None:
        address = prompted(ward)

        ((body,),) = ward.behind("SELECT body FROM outbox")

        assert body.keys() == {
            "patient_id",
            "device_id",
            "delivery_id",
            "due_keys",
            "promised_at",
        }
        assert re.search(r"example|[A-Z][a-z]+ ", json.dumps(body)) is None
        assert address not in json.dumps(body)


def an_admitted(ward: Ward, db: Db) -> Person:
    """Another patient of the therapist's."""
    db.enter(ward.clinic.id)
    return a_patient(ward.client, db, ward.clinic.therapist, at=ward.clock())


def running(target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target)
    thread.start()
    return thread


def wait_until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestLoops:
    def test_an_address_that_takes_its_time_delays_no_flag(
        self, ward: Ward, keyring: Keyring
    ) -> None:
        under_way, answered, stop = threading.Event(), threading.Event(), threading.Event()

        def slow() -> None:
            under_way.set()
            assert answered.wait(20)

        ward.post.meanwhile = slow
        prompted(ward)
        url = str(ward.settings.database_url)
        database = Direct(url, keyring)
        loops = [
            running(
                lambda: worker.run_errands(
                    Direct(url, keyring), ward.post.channels, stop, ward.clock
                )
            ),
            running(lambda: worker.run(database, worker.Bell(url), stop, ward.clock)),
        ]
        try:
            assert under_way.wait(10)
            sent = a_check_in(answers=[0] * 8 + [3], recorded_at=ward.clock.said())
            flagged = ward.patient.post("/v1/patients/me/check-ins", sent)
            assert flagged.status_code == 201
            began_at = time.monotonic()
            wait_until(lambda: ward.behind("SELECT count(*) FROM notice") != [(0,)])
            took = time.monotonic() - began_at
            assert not answered.is_set()
        finally:
            answered.set()
            stop.set()
            for loop in loops:
                loop.join(10)
            database.close()

        assert took < 5
        assert len(ward.post.messages) == 1

    def test_each_loop_takes_its_own_promises_only(self, ward: Ward) -> None:
        prompted(ward)
        sent = a_check_in(answers=[0] * 8 + [3], recorded_at=ward.clock.said())
        ward.patient.post("/v1/patients/me/check-ins", sent)

        while worker.keep_one(ward.database, ward.clock()):
            pass
        kept_by_the_first = ward.behind(
            "SELECT DISTINCT topic FROM outbox WHERE done_at IS NOT NULL"
        )
        # The next step of the round has its own time.
        left = ward.behind(
            "SELECT DISTINCT topic FROM outbox WHERE done_at IS NULL AND NOT is_timer"
        )

        assert kept_by_the_first == [(safety.TELL_TOPIC,)]
        assert left == [(service.DELIVER_TOPIC,)]
        assert ward.post.messages == []

    def test_what_nobody_expected_does_not_end_the_errands(
        self, ward: Ward, keyring: Keyring
    ) -> None:
        class Broken(Direct):
            """Fails in its own way, then in the usual one, then no more."""

            failures = [ZeroDivisionError(), Problem(Kind.UNAVAILABLE)]

            def run(self, work: Callable[[Db], Any]) -> Any:
                if self.failures:
                    raise self.failures.pop(0)
                return super().run(work)

        stop = threading.Event()
        ward.device()
        ward.dose(hours_ago=3)
        database = Broken(str(ward.settings.database_url), keyring)
        loop = running(lambda: worker.run_errands(database, ward.post.channels, stop, ward.clock))
        try:
            wait_until(lambda: bool(ward.post.messages))
        finally:
            stop.set()
            loop.join(10)

        assert Broken.failures == []

    def test_what_opens_is_found_while_much_is_to_be_delivered(
        self, ward: Ward, keyring: Keyring
    ) -> None:
        """Each message takes longer than the pause between two looks."""
        for _ in range(6):
            ward.device()
        ward.dose(hours_ago=3)
        ward.look()
        assert ward.behind("SELECT count(*) FROM outbox") == [(6,)]
        other = ward.database.run(lambda db: an_admitted(ward, db))
        phone = ward.device(other)
        ward.dose(other, hours_ago=1.995)  # eighteen seconds from now something opens
        stop = threading.Event()

        def slow() -> None:
            ward.clock.turn(seconds=20)
            if ward.post.sent_to(phone):
                stop.set()

        ward.post.meanwhile = slow
        loop = running(
            lambda: worker.run_errands(
                Direct(str(ward.settings.database_url), keyring),
                ward.post.channels,
                stop,
                ward.clock,
            )
        )
        wait_until(lambda: not loop.is_alive())

        ((prompted_at,),) = ward.behind(
            "SELECT created_at FROM outbox WHERE body->>'patient_id' = %s", str(other.patient_id)
        )
        assert prompted_at < ward.post.messages[3].at

    def test_a_clock_that_is_set_back_puts_nothing_off(self, ward: Ward, keyring: Keyring) -> None:
        stop = threading.Event()
        looks: list[object] = []
        ward.device()
        ward.dose(hours_ago=3)
        now = ward.clock()
        instants = [now + timedelta(days=1)] * 2 + [now] * 1000

        def clock() -> Any:
            looks.append(None)
            return instants.pop(0)

        ward.behind("UPDATE reminder_plan SET look_at = %s", now + timedelta(hours=30))
        loop = running(
            lambda: worker.run_errands(
                Direct(str(ward.settings.database_url), keyring), ward.post.channels, stop, clock
            )
        )
        try:
            wait_until(lambda: len(looks) >= 2)
            ward.behind("UPDATE reminder_plan SET look_at = %s", now)
            wait_until(lambda: bool(ward.post.messages))
        finally:
            stop.set()
            loop.join(10)
