"""A clinic whose patients are reminded, by a clock turned by hand and a post that goes nowhere."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID, uuid4

import psycopg
from fastapi.testclient import TestClient

from app import worker
from app.kernel.channels import Channels, Outcome, Sent, Subscription
from app.kernel.db import Direct, libpq
from app.kernel.settings import Settings
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from app.main import create_app
from tests.builders import Clinic, Person, a_check_in, a_clinic, an_administration
from tests.conftest import SIGNING_KEYS, Clock
from tests.kernel.receivers import RFC_AUTH, RFC_RECEIVER_PUBLIC

DEVICES = "/v1/me/devices"
REMINDERS = "/v1/me/reminders"
PUSH_KEYS = {"p256dh": RFC_RECEIVER_PUBLIC, "auth": RFC_AUTH}


class Message(NamedTuple):
    """What one device was told. said: everything that travels to it and can be read there."""

    to: str
    said: Mapping[str, object]
    delivery: UUID
    at: datetime


@dataclass
class Post:
    """Takes every message, and answers as it is told to.

    answers: by address. meanwhile: called while a message is on its way.
    """

    messages: list[Message] = field(default_factory=list)
    answers: dict[str, Outcome] = field(default_factory=dict)
    meanwhile: Callable[[], None] = lambda: None

    @property
    def channels(self) -> Channels:
        """As a deployment that has all of them."""
        return Channels(
            cast("Any", _Mail(self)), cast("Any", _Push(self)), cast("Any", _Hook(self))
        )

    def take(self, to: str, said: Mapping[str, object], message_id: UUID, now: datetime) -> Outcome:
        """One message."""
        self.messages.append(Message(to, said, message_id, now))
        self.meanwhile()
        return self.answers.get(to, Sent())

    def sent_to(self, to: str) -> list[Message]:
        """What this address was sent."""
        return [message for message in self.messages if message.to == to]


@dataclass
class _Mail:
    post: Post

    def send(self, to: str, subject: str, body: str, *, message_id: UUID, now: datetime) -> Outcome:
        return self.post.take(to, {"title": subject, "body": body}, message_id, now)


@dataclass
class _Push:
    post: Post

    def send(
        self,
        subscription: Subscription,
        payload: Mapping[str, object],
        *,
        message_id: UUID,
        now: datetime,
    ) -> Outcome:
        return self.post.take(subscription.endpoint, payload, message_id, now)


@dataclass
class _Hook:
    post: Post

    def send(
        self,
        url: str,
        secret: str,
        payload: Mapping[str, object],
        *,
        message_id: UUID,
        now: datetime,
    ) -> Outcome:
        assert secret.startswith("whsec_")
        return self.post.take(url, payload, message_id, now)


@dataclass
class Ward:
    """A clinic, its clock, and its worker's errands, done when the test says so."""

    settings: Settings
    database: Direct
    client: TestClient
    clinic: Clinic
    clock: Clock
    post: Post = field(default_factory=Post)

    @property
    def patient(self) -> Person:
        """Signed in at this instant."""
        return self.clinic.patient.again(self.clock())

    def device(self, patient: Person | None = None) -> str:
        """Register a webhook. Returns: its address."""
        url = f"https://phone.example/{uuid4().hex}"
        answer = (patient or self.patient).post(DEVICES, {"channel": "webhook", "url": url})
        assert answer.status_code == 201, answer.text
        return url

    def dose(self, patient: Person | None = None, *, hours_ago: float = 1) -> None:
        """From then on momentary questions open 2, 12 and 48 hours later, and one each morning."""
        given = an_administration(given_at=self.clock.said(hours=-hours_ago))
        record = (patient or self.clinic.patient).record
        therapist = self.clinic.therapist.again(self.clock())
        answer = therapist.post(f"{record}/dosing-sessions", {"administrations": [given]})
        assert answer.status_code == 201, answer.text

    def answer(self, instrument: str = "momentary") -> str:
        """The patient answers now. Returns: the check-in's id."""
        items = len(self.client.get(f"/v1/instruments/{instrument}").json()["items"])
        sent = a_check_in(instrument=instrument, answers=[0] * items, recorded_at=self.clock.said())
        made = self.patient.post("/v1/patients/me/check-ins", sent)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def plan(self, **plan: Any) -> None:
        """Be reminded otherwise."""
        base = self.patient.get(REMINDERS).headers["ETag"]
        answer = self.patient.put(REMINDERS, plan, base=base)
        assert answer.status_code == 200, answer.text

    def due(self) -> list[str]:
        """Keys of what is open."""
        told = self.patient.get("/v1/patients/me/due").json()
        return [item["key"] for item in told["open"]]

    def look(self) -> None:
        """The worker looks around."""
        worker.look_around(self.database, self.clock())

    def deliver(self) -> None:
        """The worker delivers what is due to be delivered."""
        keepers = worker.errands(self.post.channels)
        for _ in range(100):
            if not worker.keep_one(self.database, self.clock(), keepers):
                return
        raise AssertionError("the worker finds no end")

    def later(self, **by: float) -> list[Message]:
        """Time passes, and the worker does its errands. Returns: what it sent."""
        self.clock.turn(**by)
        before = len(self.post.messages)
        self.look()
        self.deliver()
        return self.post.messages[before:]

    def until(self, end: datetime) -> list[Message]:
        """The same, a quarter of an hour after the other."""
        sent = []
        while self.clock() < end:
            sent += self.later(minutes=15)
        return sent

    def behind(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the database's owner sees, or does."""
        with psycopg.connect(libpq(str(self.settings.migration_url))) as owner:
            cursor = owner.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def a_ward(
    settings: Settings, keyring: Keyring, clock: Clock, time_zone: str = "UTC"
) -> Iterator[Ward]:
    """One of its own, with a server that sends mail. time_zone: the clinic's and its patients'."""
    mail = {"smtp_url": "smtp://127.0.0.1:1", "mail_from": "journal@clinic.example"}
    settings = settings.model_copy(update=mail)
    database = Direct(str(settings.database_url), keyring)
    application = create_app(settings, keyring, SigningKeys.parse(SIGNING_KEYS), now=clock)
    with TestClient(application, client=(uuid4().hex, 1)) as client:
        clinic = a_clinic(client, database, time_zone=time_zone, at=clock())
        # One thing opens at a time: the aftercare check opens with the momentary questions.
        off = clinic.administrator.put(
            "/v1/clinic/instruments/aftercare", {"is_on": False}, base=None
        )
        assert off.status_code == 200, off.text
        yield Ward(settings, database, client, clinic, clock)
    database.close()
