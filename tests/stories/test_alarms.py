"""Being told of a flag by mail and by webhook, while processes die and mail servers misbehave.

Every flag's newest round arrives on each channel at least once, what arrives twice can be known
by its flag, round and step, and a dead channel brings the next step forward.
"""

import json
import random
import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from uuid import UUID

import httpx
import psycopg
import pytest

from app.kernel.channels import Channels, Mail
from app.kernel.db import libpq
from app.kernel.settings import Settings
from tests.builders import Clinic, Person, a_check_in
from tests.kernel.outside import Listener, Receiver, listening
from tests.kernel.receivers import MailServer
from tests.safety.test_alerts import Watch
from tests.safety.test_alerts import watch as watch  # noqa: PLC0414  # a fixture
from tests.stories.servers import LiveServer, Part
from tests.stories.test_crashes import FLAGS, IN_DANGER, WRITERS, People, Writers

KILLS_AFTER: Final = 3
"""While what is left is being delivered."""
ARRIVES_WITHIN: Final = 60.0


class Told(NamedTuple):
    """What says that a message is the same as another."""

    flag_id: UUID
    round: int
    step: int


def mailed(mail: bytes) -> Told:
    # Quoted-printable: a soft line end may stand anywhere, and = is written as =3D.
    text = mail.replace(b"=\r\n", b"").replace(b"=3D", b"=").decode()
    found = re.search(r"/\?alert=([0-9a-f-]{36})\.(\d+)\.(\d+)", text)
    assert found is not None, text
    return Told(UUID(found[1]), int(found[2]), int(found[3]))


def posted(body: bytes) -> Told:
    said = json.loads(body)
    return Told(UUID(said["flag_id"]), said["round"], said["step"])


class Answering:
    """A webhook's receiver, a conversation a thread. requests: (path, id, what it is about)."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Told]] = []

    def __call__(self, wire: socket.socket) -> None:
        one = Receiver()
        one(wire)
        ((first, headers, body),) = one.requests
        self.requests.append((first.split(" ")[1], headers["webhook-id"], posted(body)))


def is_alert(mail: bytes) -> bool:
    return b"Subject: There is something to look at" in mail


def give_addresses(
    server: LiveServer, people: People, members: list[Person], hook: Listener
) -> None:
    """Each is written to by mail and by webhook."""
    for number, member in enumerate(members):
        for sent in (
            {"channel": "email", "email": f"member-{number}@clinic.example"},
            {"channel": "webhook", "url": f"http://127.0.0.1:{hook.port}/{number}"},
        ):
            url, headers = f"{server.base_url}/v1/me/devices", people.headers(member)
            answer = httpx.post(url, json=sent, headers=headers, timeout=20)
            assert answer.status_code == 201, answer.text


def wait_for(what: Callable[[], bool], seconds: float = ARRIVES_WITHIN) -> float:
    """Returns: after how many seconds it was so."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds, "it did not happen"
        time.sleep(0.05)
    return time.monotonic() - began


def rows(settings: Settings, statement: str) -> list[Any]:
    with psycopg.connect(libpq(str(settings.migration_url)), autocommit=True) as owner:
        return owner.execute(statement.encode()).fetchall()


def sending(settings: Settings, port: int, **changes: Any) -> Settings:
    """With a mail server there, and webhooks on this machine."""
    return settings.model_copy(
        update={
            "smtp_url": f"smtp://127.0.0.1:{port}",
            "mail_from": "journal@clinic.example",
            "outbound_allow": "127.0.0.0/8",
            **changes,
        }
    )


class TestKill:
    def test_every_flag_s_newest_round_is_told_by_mail_and_by_webhook(
        self, fresh_database: Settings
    ) -> None:
        chance, post, hooks = random.Random(7), MailServer(), Answering()
        with listening(post) as mail, listening(hooks) as hook:
            sends = sending(fresh_database, mail.port)
            with LiveServer(sends) as server:
                writers = Writers(server, IN_DANGER, most=1 + FLAGS // WRITERS)
                members = [
                    member
                    for clinic in writers.people.clinics
                    for member in (clinic.therapist, clinic.stranger, clinic.administrator)
                ]
                give_addresses(server, writers.people, members, hook)

                def kill_one() -> None:
                    time.sleep(0.3 * chance.random())
                    part: Part = chance.choice(["serve", "worker", "worker"])
                    server.kill(part)
                    server.start(part)

                with writers:
                    while any(writer.is_alive() for writer in writers.each):
                        kill_one()
                for _ in range(KILLS_AFTER):
                    kill_one()

                newest = {
                    (flag_id, round_)
                    for flag_id, round_ in rows(fresh_database, "SELECT id, round FROM flag")
                }

                def has_arrived() -> bool:
                    by_mail = {mailed(one)[:2] for one in list(post.mails) if is_alert(one)}
                    by_hook = {told[:2] for _, _, told in list(hooks.requests)}
                    return newest <= by_mail and newest <= by_hook

                wait_for(has_arrived)
                # Nothing that was promised of a newest round is left lying about.
                wait_for(
                    lambda: (
                        rows(
                            fresh_database,
                            "SELECT count(*) FROM outbox"
                            " WHERE done_at IS NULL AND topic LIKE 'flag.deliver%'",
                        )
                        == [(0,)]
                    )
                )

        assert len(writers.acknowledged) >= FLAGS
        assert writers.strange == []
        assert len(newest) == WRITERS
        # What came twice to the same address is about the same, and says so.
        ids = {(path, told): id_ for path, id_, told in hooks.requests}
        assert all(ids[path, told] == id_ for path, id_, told in hooks.requests)
        assert len(set(ids.values())) == len(ids)
        logged = rows(
            fresh_database,
            "SELECT DISTINCT f.id, d.channel FROM flag f JOIN alert_delivery d"
            " ON d.clinic_id = f.clinic_id AND d.flag_id = f.id AND d.round = f.round"
            " WHERE d.outcome = 'sent'",
        )
        assert Counter(channel for _, channel in logged) == {"email": WRITERS, "webhook": WRITERS}


class Hanging:
    """A mail server that says nothing until it is told to be well."""

    def __init__(self) -> None:
        self.is_well = False
        self.server = MailServer()

    def __call__(self, wire: socket.socket) -> None:
        if self.is_well:
            self.server(wire)
        else:
            wire.recv(1)  # until the other side gives up


class TestMailServerThatHangs:
    def test_a_webhook_waits_for_nobody_and_the_next_clinician_is_told_early(
        self, fresh_database: Settings
    ) -> None:
        post, hooks = Hanging(), Answering()
        with listening(post) as mail, listening(hooks) as hook:
            sends = sending(fresh_database, mail.port, smtp_timeout_seconds=0.5)
            with LiveServer(sends) as server:
                people = People(server)
                clinic: Clinic = people.clinics[0]
                members = [clinic.therapist, clinic.stranger]
                give_addresses(server, people, members, hook)
                sent = a_check_in(answers=IN_DANGER)
                url = f"{server.base_url}/v1/patients/me/check-ins"
                answer = httpx.post(url, json=sent, headers=people.headers(clinic.patient))
                assert answer.status_code == 201, answer.text
                flag_id = answer.json()["safety"]["flag"]["id"]

                def steps_told() -> set[tuple[str, int]]:
                    return {(path, told.step) for path, _, told in list(hooks.requests)}

                # Where it used to wait for the mail server it took as long as that does.
                assert wait_for(lambda: ("/0", 1) in steps_told()) < 5
                # By policy it would be after a quarter of an hour.
                wait_for(lambda: ("/1", 2) in steps_told())

                headers = people.headers(clinic.therapist)
                log = httpx.get(f"{server.base_url}/v1/flags/{flag_id}/deliveries", headers=headers)
                assert log.status_code == 200, log.text
                listed = log.json()["deliveries"]
                post.is_well = True
                wait_for(lambda: len(post.server.mails) >= 1)

        outcomes = Counter((one["step"], one["channel"], one["outcome"]) for one in listed)
        assert outcomes[1, "webhook", "sent"] == 1
        assert outcomes[1, "email", "not-now"] >= 3
        assert {one["why"] for one in listed if one["outcome"] == "not-now"} == {"no_answer"}
        arrived = {mailed(one) for one in post.server.mails}
        assert arrived <= {Told(UUID(flag_id), 1, 1), Told(UUID(flag_id), 1, 2)}


class MisbehavingMail:
    """A port on which nobody listens, or that hangs, or drops the wire before the answer."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.taken = MailServer(answers={".": "hang up"})
        self.well = MailServer()

    def __call__(self, wire: socket.socket) -> None:
        if self.how == "well":
            self.well(wire)
        elif self.how == "drops":
            self.taken(wire)
        else:
            wire.recv(1)

    @contextmanager
    def port(self) -> Iterator[int]:
        """Where it is, or where nobody is."""
        if self.how == "refuses":
            with socket.socket() as held:
                held.bind(("127.0.0.1", 0))  # bound and not listening: refused
                yield int(held.getsockname()[1])
        else:
            with listening(self) as listener:
                yield listener.port


class TestMailServerThatMisbehaves:
    """By a clock turned by hand: the mail server and the wire are real."""

    @pytest.mark.parametrize("how", ["refuses", "hangs", "drops"])
    def test_escalation_is_on_time_early_after_three_failures_and_nothing_is_lost(
        self, watch: Watch, how: str
    ) -> None:
        clinic, post = watch.clinic, MisbehavingMail(how)
        watch.address(clinic.therapist, "email")
        hook = watch.address(clinic.therapist)
        fake = watch.post.channels

        def works_through(port: int) -> None:
            mail = Mail("127.0.0.1", port, "none", "journal@clinic.example", timeout_seconds=0.2)
            watch.through = Channels(mail, fake.web_push, fake.webhook)

        with post.port() as port:
            works_through(port)
            flag_id = watch.danger()
            assert watch.after() == [clinic.therapist.membership_id]
            assert [one.to for one in watch.post.messages] == [hook]
            assert watch.states(flag_id) == ["done", "planned", "planned"]
            # Tried again after two seconds and after four, and half as long again at most.
            assert watch.after(seconds=4) == []
            assert watch.after(seconds=7) == [clinic.stranger.membership_id]
            assert watch.after(minutes=28) == []
            assert watch.after(minutes=2) == [clinic.administrator.membership_id]
        post.how = "well"
        with listening(post) as listener:
            works_through(listener.port)
            watch.after(minutes=8)

        log = watch.behind(
            "SELECT step, outcome, why FROM alert_delivery WHERE channel = 'email' ORDER BY at, id"
        )
        assert log[-1] == (1, "sent", None)
        assert set(log[:-1]) == {(1, "not-now", "no_answer")}
        assert len(log) > 4
        ((arrived),) = [mailed(one) for one in post.well.mails]
        assert arrived == Told(flag_id, 1, 1)
        if how == "drops":
            # It had them all along, and can tell that they are one.
            assert {mailed(one) for one in post.taken.mails} == {arrived}
