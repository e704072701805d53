"""A message leaves by mail, as Web Push or to a webhook, and says how it went."""

import base64
import email
import email.policy
import json
import logging
import os
import socket
import ssl
import stat
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import ValidationError

from app.kernel import outbound
from app.kernel.channels import (
    MAX_PUSH,
    SIGNATURE_TOLERANCE_SECONDS,
    Channels,
    Gone,
    Mail,
    NotNow,
    Outcome,
    Sent,
    Subscription,
    Webhook,
    WebPush,
    check_subscription,
    compose,
    encrypt,
    is_mail_address,
    new_secret,
    sign,
    verify,
)
from app.kernel.outbound import AddressRefused, NoAnswer, Posted
from app.kernel.settings import Settings
from app.kernel.tokens import SigningKeys
from tests.kernel.test_outbound import LOOPBACK, Receiver, a_certificate, listening

NOW = datetime(2026, 3, 1, 20, 15, tzinfo=UTC)
DELIVERY = UUID("019cab12-0000-7000-8000-000000000001")
SENDER = "journal@clinic.example"
CANARY = "canary-7f3a"

# RFC 8291 section 5 and appendix A.
RFC_PLAIN = b"When I grow up, I want to be a watermelon"
RFC_SENDER = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
RFC_RECEIVER = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
RFC_RECEIVER_PUBLIC = (
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
)
RFC_AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
RFC_SALT = "DGv6ra1nlYgDCS1FRnbzlw"
RFC_BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"
    "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
    "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def private_key(text: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(unb64(text), "big"), ec.SECP256R1())


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


class MailServer:
    """A submission server that takes one conversation at a time, and what it was told."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        sign_in: bool = False,
        answers: Mapping[str, str] | None = None,
    ) -> None:
        """tls: offers STARTTLS. answers: to a command, instead of the usual one; None: hang up."""
        self._tls = tls
        self._sign_in = sign_in
        self._answers = answers or {}
        self.commands: list[str] = []
        self.encrypted: list[bool] = []
        self.mails: list[bytes] = []

    def __call__(self, wire: socket.socket) -> None:
        wire.sendall(self._answers.get("", "220 mail.example ready").encode() + b"\r\n")
        self._converse(wire, encrypted=isinstance(wire, ssl.SSLSocket))

    def _converse(self, wire: socket.socket, *, encrypted: bool) -> None:
        with wire.makefile("rb") as lines:
            while line := lines.readline():
                command = line.decode().strip()
                verb = command.split(" ")[0].upper()
                self.commands.append(verb + command[len(verb) :])
                self.encrypted.append(encrypted)
                answer = self._answers.get(verb) or self._usual(verb, encrypted=encrypted)
                if answer == "hang up":
                    return
                wire.sendall(answer.encode() + b"\r\n")
                if verb == "QUIT":
                    return
                if verb == "STARTTLS" and answer.startswith("220"):
                    assert self._tls is not None
                    with self._tls.wrap_socket(wire, server_side=True) as secured:
                        self._converse(secured, encrypted=True)
                    return
                if verb == "DATA" and answer.startswith("354"):
                    mail = b""
                    while not mail.endswith(b"\r\n.\r\n"):
                        mail += lines.readline()
                    self.mails.append(mail.removesuffix(b".\r\n"))
                    said = self._answers.get(".", "250 2.0.0 taken")
                    if said == "hang up":
                        return
                    wire.sendall(said.encode() + b"\r\n")

    def _usual(self, verb: str, *, encrypted: bool) -> str:
        if verb == "EHLO":
            offers = ["mail.example"]
            offers += ["STARTTLS"] if self._tls and not encrypted else []
            offers += ["AUTH PLAIN"] if self._sign_in else []
            return "\r\n".join(f"250-{offer}" for offer in offers) + "\r\n250 SMTPUTF8"
        usual = {
            "AUTH": "235 2.7.0 in",
            "DATA": "354 go on",
            "STARTTLS": "220 go on",
            "QUIT": "221",
        }
        return usual.get(verb, "250 2.0.0 fine")

    def verbs(self) -> list[str]:
        return [command.split(" ")[0] for command in self.commands]


def mail_to(server: MailServer, **changes: Any) -> Outcome:
    """Send one mail there; `changes` to the channel or to what is sent."""
    what = {"to": "ada@home.example", "subject": "A reminder", "body": "Time to check in.\n"}
    what |= {name: changes.pop(name) for name in list(changes) if name in what}
    implicit = changes.pop("implicit", None)
    with listening(server, tls=implicit) as listener:
        channel = replace(Mail("127.0.0.1", listener.port, "none", SENDER), **changes)
        return channel.send(**what, message_id=DELIVERY, now=NOW)


def parsed(mail: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(mail, policy=email.policy.default)


class TestMail:
    def test_a_mail_arrives_with_who_what_and_when(self) -> None:
        server = MailServer()

        outcome = mail_to(
            server, subject="Zeit für dich", body="Schön, dass es dich gibt.\nBis bald"
        )

        assert outcome == Sent()
        assert server.verbs() == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]
        assert server.commands[0] == "EHLO clinic.example"
        assert server.commands[1].startswith(f"MAIL FROM:<{SENDER}>")
        assert server.commands[2] == "RCPT TO:<ada@home.example>"
        (mail,) = server.mails
        assert mail.isascii()
        message = parsed(mail)
        assert dict(message.items()) == {
            "From": SENDER,
            "To": "ada@home.example",
            "Subject": "Zeit für dich",
            "Date": "Sun, 01 Mar 2026 20:15:00 +0000",
            "Message-ID": f"<{DELIVERY}@clinic.example>",
            "Auto-Submitted": "auto-generated",
            "Content-Type": 'text/plain; charset="utf-8"',
            "Content-Transfer-Encoding": "quoted-printable",
            "MIME-Version": "1.0",
        }
        assert message.get_content().splitlines() == ["Schön, dass es dich gibt.", "Bis bald"]

    def test_a_repeat_is_known_by_its_message_id(self) -> None:
        server = MailServer()

        mail_to(server)
        mail_to(server)

        first, second = (parsed(mail)["Message-ID"] for mail in server.mails)
        assert first == second

    @pytest.mark.parametrize(
        "to",
        [
            "",
            "ada",
            "ada@",
            "@home.example",
            "ada@home@home.example",
            "ada@home.example, eve@bad.example",
            "ada@home.example\r\nBcc: eve@bad.example",
            "ada@home.example\n",
            "ada@home.example> ORCPT=x",
            "Ada <ada@home.example>",
            "<ada@home.example>",
            '"ada eve"@home.example',
            "ada eve@home.example",
            "ada(eve)@home.example",
            "ada@[127.0.0.1]",
            "ada@127.0.0.1",
            "ada@home..example",
            ".ada@home.example",
            "a..b@home.example",
            "=?utf-8?q?ada=0D=0ABcc?=@home.example",
            "=?utf-8?q?ada=40eve.example=3E?=@home.example",
            "ädä@home.example",
            "ada@höme.example",
            "ada\0@home.example",
            f"{'a' * 65}@home.example",
            f"ada@{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 20}",
        ],
    )
    def test_what_is_not_one_plain_address_is_not_written_to(self, to: str) -> None:
        server = MailServer()

        assert not is_mail_address(to)
        assert mail_to(server, to=to) == NotNow(None, "not_an_address")
        assert server.commands == []

    @pytest.mark.parametrize(
        "to",
        [
            "ada@home.example",
            "a.b+c_d-e'f@home.example",
            "!#$%&'*+/?=^_`{|}~-@home.example",
            f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 59}.example",
        ],
    )
    def test_a_strange_but_plain_address_is_written_to_unchanged(self, to: str) -> None:
        server = MailServer()

        assert mail_to(server, to=to) == Sent()
        assert server.commands[2] == f"RCPT TO:<{to}>"
        assert f"To: {to}" in unfolded(server.mails[0])

    def test_a_long_sender_is_written_unchanged(self) -> None:
        domain = ".".join(["a" * 60, "b" * 60, "c" * 60, "example"])
        server = MailServer()

        assert mail_to(server, sender=f"journal@{domain}") == Sent()
        lines = unfolded(server.mails[0])
        assert f"From: journal@{domain}" in lines
        assert f"Message-ID: <{DELIVERY}@{domain}>" in lines

    def test_a_mail_says_nothing_about_this_machine(self) -> None:
        server = MailServer()

        mail_to(server)

        assert socket.gethostname() not in server.commands[0] + server.mails[0].decode()


def unfolded(mail: bytes) -> list[str]:
    """The headers as they went over the wire, unfolded and not decoded."""
    return mail.decode().split("\r\n\r\n")[0].replace("\r\n ", " ").split("\r\n")


class TestInjection:
    @settings(deadline=None, max_examples=150)
    @example("A\r\nBcc: eve@bad.example", "Hello")
    @example("=?utf-8?q?A=0D=0ABcc:_eve=40bad.example?=", "Hello")
    @example("==??utf-8?q?A=0D=0ABcc:_eve?=", "Hello")
    @example("A\x0bB\x0cC\x1cD\x85E\u2028F\u2029G", "\x85\u2028")
    @example("x" * 1000, "y" * 3000)
    @example("ü" * 300, "ü" * 300)
    @example("\ud800", "\ud800")
    @example("A", "x\r\n.\r\nMAIL FROM:<eve@bad.example>\r\n")
    @example("A", "x\n.\nx\r.\rx\r\n.\nx\n.\r\nRSET")
    @example("A", "")
    @given(st.text(max_size=200), st.text(max_size=200))
    def test_whatever_the_words_are_the_headers_are_ours_and_the_mail_is_one(
        self, subject: str, body: str
    ) -> None:
        written = compose(SENDER, "ada@home.example", subject, body, message_id=DELIVERY, now=NOW)

        names = [line.split(b":")[0] for line in head_lines(written)]
        assert names == [
            b"From",
            b"To",
            b"Subject",
            b"Date",
            b"Message-ID",
            b"Auto-Submitted",
            b"Content-Type",
            b"Content-Transfer-Encoding",
            b"MIME-Version",
        ]
        assert b"\n" not in written.replace(b"\r\n", b"")
        assert b"\r" not in written.replace(b"\r\n", b"")
        assert max(map(len, written.split(b"\r\n"))) <= 998

    @pytest.mark.parametrize(
        "body",
        [
            "x\r\n.\r\nMAIL FROM:<eve@bad.example>\r\n",
            "x\n.\nMAIL FROM:<eve@bad.example>\n",
            "x\r.\rMAIL FROM:<eve@bad.example>\r",
            "x\r\n.\nMAIL FROM:<eve@bad.example>\n",
            ".\r\n..\r\n...",
        ],
    )
    def test_no_body_ends_the_mail_before_its_end(self, body: str) -> None:
        server = MailServer()

        assert mail_to(server, body=body) == Sent()
        assert server.verbs() == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]
        assert len(server.mails) == 1


def head_lines(written: bytes) -> list[bytes]:
    """The lines of the head that begin a header."""
    head = written.split(b"\r\n\r\n", 1)[0]
    return [line for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]


class TestMailSecurity:
    def test_starttls_comes_before_anything_is_said(self) -> None:
        ours = a_certificate()
        server = MailServer(tls=ours.server, sign_in=True)

        outcome = mail_to(
            server, security="starttls", trust=ours.client, user="afterglow", password="p:w@/"
        )

        assert outcome == Sent()
        assert server.verbs() == [
            "EHLO",
            "STARTTLS",
            "EHLO",
            "AUTH",
            "MAIL",
            "RCPT",
            "DATA",
            "QUIT",
        ]
        assert server.encrypted == [False, False, True, True, True, True, True, True]
        credentials = server.commands[3].removeprefix("AUTH PLAIN ")
        assert base64.b64decode(credentials) == b"\0afterglow\0p:w@/"

    def test_a_server_without_starttls_is_told_nothing(self) -> None:
        server = MailServer(sign_in=True)

        outcome = mail_to(server, security="starttls", user="afterglow", password=CANARY)

        assert outcome == NotNow(None, "smtp_unsupported")
        assert server.verbs() == ["EHLO"]

    def test_a_server_that_refuses_starttls_is_told_nothing(self) -> None:
        server = MailServer(tls=a_certificate().server, answers={"STARTTLS": "454 not today"})

        assert mail_to(server, security="starttls") == NotNow(None, "smtp_454")
        assert server.verbs() == ["EHLO", "STARTTLS"]

    def test_a_certificate_that_nobody_vouches_for_is_told_nothing(self) -> None:
        server = MailServer(tls=a_certificate().server)

        assert mail_to(server, security="starttls") == NotNow(None, "no_answer")
        assert server.verbs() == ["EHLO", "STARTTLS"]

    def test_tls_from_the_first_byte(self) -> None:
        ours = a_certificate()
        server = MailServer()

        outcome = mail_to(server, implicit=ours.server, security="tls", trust=ours.client)

        assert outcome == Sent()
        assert all(server.encrypted)

    def test_tls_with_a_certificate_that_nobody_vouches_for_is_told_nothing(self) -> None:
        server = MailServer()

        outcome = mail_to(server, implicit=a_certificate().server, security="tls")

        assert outcome == NotNow(None, "no_answer")
        assert server.commands == []

    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("smtp://mail.example", ("mail.example", 587, "starttls", None, "")),
            ("smtp://mail.example:25/", ("mail.example", 25, "starttls", None, "")),
            ("smtps://mail.example", ("mail.example", 465, "tls", None, "")),
            ("smtps://u:p%40%2F@mail.example:4650", ("mail.example", 4650, "tls", "u", "p@/")),
            (
                "smtp://u%40clinic.example:p@mail.example",
                ("mail.example", 587, "starttls", "u@clinic.example", "p"),
            ),
            ("smtp://localhost:1025", ("localhost", 1025, "none", None, "")),
            ("smtp://127.0.0.1:1025", ("127.0.0.1", 1025, "none", None, "")),
            ("smtp://[::1]:1025", ("::1", 1025, "none", None, "")),
            ("smtps://localhost", ("localhost", 465, "tls", None, "")),
            ("smtp://10.0.0.1", ("10.0.0.1", 587, "starttls", None, "")),
            ("smtp://localhost.example", ("localhost.example", 587, "starttls", None, "")),
        ],
    )
    def test_only_on_this_machine_does_mail_go_unencrypted(
        self, url: str, expected: tuple[str, int, str, str | None, str]
    ) -> None:
        mail = Mail.from_url(url, SENDER)

        assert (mail.host, mail.port, mail.security, mail.user, mail.password) == expected

    @pytest.mark.parametrize(
        ("url", "sender"),
        [
            (f"http://u:{CANARY}@mail.example", SENDER),
            (f"smtp://u:{CANARY}@", SENDER),
            (f"smtp://u:{CANARY}@mail.example:65536", SENDER),
            (f"smtp://u:{CANARY}%C3%BC@mail.example", SENDER),
            (f"smtp://u:{CANARY}@mail.example", "Clinic <a@b.example>"),
        ],
    )
    def test_an_address_that_cannot_be_is_refused_without_repeating_it(
        self, url: str, sender: str
    ) -> None:
        with pytest.raises(ValueError) as refused:  # noqa: PT011  # one of them is urllib's own
            Mail.from_url(url, sender)

        assert CANARY not in str(refused.value)

    def test_the_password_is_not_shown(self) -> None:
        assert CANARY not in repr(Mail.from_url(f"smtp://u:{CANARY}@mail.example", SENDER))


class TestMailRefused:
    @pytest.mark.parametrize(
        ("command", "answer", "outcome"),
        [
            ("", "554 no service", NotNow(None, "smtp_554")),
            ("", "garbage", NotNow(None, "smtp_-1")),
            ("EHLO", "hang up", NotNow(None, "no_answer")),
            ("MAIL", "451 4.3.0 later", NotNow(None, "smtp_451")),
            ("MAIL", "550 5.7.1 not you", NotNow(None, "smtp_550")),
            ("RCPT", "450 4.2.1 greylisted", NotNow(None, "smtp_450")),
            ("RCPT", "421 4.3.2 closing", NotNow(None, "smtp_421")),
            ("RCPT", "550 5.7.1 looks like spam", NotNow(None, "smtp_550")),
            ("RCPT", "550 no 5.1.1 at the front", NotNow(None, "smtp_550")),
            ("RCPT", "550 5.1.13 something new", NotNow(None, "smtp_550")),
            ("RCPT", "550 5.1.1 no such person", Gone()),
            ("RCPT", "551 5.1.6 moved", Gone()),
            ("RCPT", "556 5.1.10 takes no mail", Gone()),
            ("DATA", "452 4.3.1 full", NotNow(None, "smtp_452")),
            (".", "554 5.6.0 not this", NotNow(None, "smtp_554")),
            (".", "hang up", NotNow(None, "no_answer")),
            ("QUIT", "500 what", Sent()),
            ("QUIT", "hang up", Sent()),
        ],
    )
    def test_what_the_server_says_decides(
        self, command: str, answer: str, outcome: Outcome
    ) -> None:
        assert mail_to(MailServer(answers={command: answer})) == outcome

    def test_a_name_or_password_that_is_wrong_is_tried_again(self) -> None:
        server = MailServer(sign_in=True, answers={"AUTH": "535 5.7.8 no"})

        assert mail_to(server, user="u", password="p") == NotNow(None, "smtp_535")
        assert server.mails == []

    def test_a_server_where_nobody_can_sign_in_is_told_nothing(self) -> None:
        server = MailServer()

        assert mail_to(server, user="u", password="p") == NotNow(None, "smtp_unsupported")
        assert server.mails == []

    def test_nobody_listening_is_tried_again(self) -> None:
        with listening(MailServer()) as listener:
            channel = Mail("127.0.0.1", listener.port, "none", SENDER)

        outcome = channel.send("ada@home.example", "A", "B", message_id=DELIVERY, now=NOW)

        assert outcome == NotNow(None, "no_answer")


class Poster:
    """Stands in for the network: remembers what was posted and answers as it is told."""

    def __init__(self, *answers: Posted | Exception) -> None:
        self._answers = list(answers) or [Posted(201, None)]
        self.posts: list[tuple[str, bytes, dict[str, str]]] = []

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> Posted:
        self.posts.append((url, body, dict(headers)))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Phone:
    """The receiving side of Web Push, written from the RFCs and not from our code."""

    def __init__(self, endpoint: str = "https://push.example/send/abc") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = os.urandom(16)
        self.subscription = Subscription(
            endpoint, b64(point(self._key.public_key())), b64(self._auth)
        )

    def read(self, body: bytes) -> bytes:
        """The record without its delimiter and padding."""
        salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        theirs, sealed = body[21 : 21 + length], body[21 + length :]
        assert (size, length) == (4096, 65)
        shared = self._key.exchange(
            ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs)
        )
        info = b"WebPush: info\0" + point(self._key.public_key()) + theirs
        secret = HKDF(hashes.SHA256(), 32, self._auth, info).derive(shared)
        key = HKDF(hashes.SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(secret)
        nonce = HKDF(hashes.SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(secret)
        record = AESGCM(key).decrypt(nonce, sealed, None).rstrip(b"\0")
        assert record.endswith(b"\x02")
        return record[:-1]


def a_web_push(poster: Poster, contact: str | None = f"mailto:{SENDER}") -> WebPush:
    return WebPush(SigningKeys.parse(SigningKeys.generate()), contact, poster)


def push(channel: WebPush, phone: Phone, now: datetime = NOW, **payload: object) -> Outcome:
    return channel.send(phone.subscription, payload, message_id=DELIVERY, now=now)


class TestEncryption:
    def test_the_example_of_the_standard_comes_out_byte_for_byte(self) -> None:
        body = encrypt(
            RFC_PLAIN,
            private_key(RFC_RECEIVER).public_key(),
            unb64(RFC_AUTH),
            sender=private_key(RFC_SENDER),
            salt=unb64(RFC_SALT),
        )

        assert b64(point(private_key(RFC_RECEIVER).public_key())) == RFC_RECEIVER_PUBLIC
        assert b64(body) == RFC_BODY

    @pytest.mark.parametrize(("length", "padded_to"), [(3994, 0), (101, 100), (10, 3994)])
    def test_what_does_not_fit_in_one_record_is_refused(self, length: int, padded_to: int) -> None:
        with pytest.raises(ValueError, match="too long"):
            encrypt(
                b"x" * length,
                private_key(RFC_RECEIVER).public_key(),
                unb64(RFC_AUTH),
                sender=private_key(RFC_SENDER),
                salt=unb64(RFC_SALT),
                padded_to=padded_to,
            )

    def test_the_longest_message_makes_the_longest_body_a_push_service_has_to_take(self) -> None:
        body = encrypt(
            b"x" * 3993,
            private_key(RFC_RECEIVER).public_key(),
            unb64(RFC_AUTH),
            sender=private_key(RFC_SENDER),
            salt=unb64(RFC_SALT),
        )

        assert len(body) == 4096


class TestWebPush:
    def test_the_phone_and_nobody_else_reads_it(self) -> None:
        poster, phone = Poster(), Phone()

        assert push(a_web_push(poster), phone, id="x", words=CANARY) == Sent()

        ((url, body, headers),) = poster.posts
        assert url == phone.subscription.endpoint
        assert json.loads(phone.read(body)) == {"id": "x", "words": CANARY}
        assert CANARY.encode() not in body
        assert {name: headers[name] for name in headers if name != "Authorization"} == {
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": "86400",
            "Urgency": "normal",
            "Topic": b64(DELIVERY.bytes),
        }
        assert len(headers["Topic"]) <= 32

    def test_the_length_tells_nothing_and_no_two_are_alike(self) -> None:
        poster, phone = Poster(), Phone()
        channel = a_web_push(poster)

        push(channel, phone)
        push(channel, phone)
        push(channel, phone, words="x" * (MAX_PUSH - 12))

        bodies = [body for _, body, _ in poster.posts]
        assert {len(body) for body in bodies} == {86 + MAX_PUSH + 1 + 16}
        assert len({body[:86] for body in bodies}) == 3

    def test_more_than_fits_is_our_own_mistake(self) -> None:
        with pytest.raises(ValueError, match="too long"):
            push(a_web_push(Poster()), Phone(), words="x" * (MAX_PUSH - 11))

    @pytest.mark.parametrize(
        ("endpoint", "audience"),
        [
            ("https://push.example/send/abc", "https://push.example"),
            ("https://Push.Example:443/send?x", "https://push.example"),
            ("https://push.example:8443/", "https://push.example:8443"),
        ],
    )
    def test_the_push_service_can_tell_who_sends(self, endpoint: str, audience: str) -> None:
        poster = Poster()
        channel = a_web_push(poster)

        push(channel, Phone(endpoint))

        authorization = poster.posts[0][2]["Authorization"]
        scheme, token, key = authorization.replace(",", "").split(" ")
        assert (scheme, token[:2], key) == ("vapid", "t=", f"k={channel.public_key}")
        raw = unb64(channel.public_key)
        assert (len(raw), raw[0]) == (65, 4)
        public = ECKey.import_key(
            {"kty": "EC", "crv": "P-256", "x": b64(raw[1:33]), "y": b64(raw[33:])}
        )
        verified = jwt.decode(token[2:], public, algorithms=["ES256"])
        assert (verified.header["typ"], verified.header["alg"]) == ("JWT", "ES256")
        expires_in = verified.claims.pop("exp") - NOW.timestamp()
        assert 6 * 3600 <= expires_in <= 12 * 3600
        assert verified.claims == {"aud": audience, "sub": f"mailto:{SENDER}"}

    def test_a_token_is_used_for_hours_and_made_anew_for_another_service(self) -> None:
        poster = Poster()
        channel = a_web_push(poster, contact=None)

        push(channel, Phone())
        push(channel, Phone(), now=NOW + timedelta(hours=2))
        push(channel, Phone(), now=NOW + timedelta(hours=8))
        push(channel, Phone("https://other.example/"))

        one, same, later, other = (headers["Authorization"] for _, _, headers in poster.posts)
        assert one == same
        assert len({one, later, other}) == 3

    @pytest.mark.parametrize(
        "subscription",
        [
            Phone().subscription._replace(endpoint="not an address"),
            Phone().subscription._replace(p256dh=""),
            Phone().subscription._replace(p256dh="A" * 87),
            Phone().subscription._replace(p256dh="ü" * 87),
            Phone().subscription._replace(p256dh=b64(b"\x04" + bytes(range(64)))),
            Phone().subscription._replace(p256dh=b64(b"\0")),
            Phone().subscription._replace(auth=""),
            Phone().subscription._replace(auth=b64(bytes(15))),
            Phone().subscription._replace(auth=b64(bytes(16)) + "=="),
            Phone().subscription._replace(auth="!" + b64(bytes(16))),
        ],
    )
    def test_what_is_no_subscription_is_refused_and_never_posted_to(
        self, subscription: Subscription
    ) -> None:
        poster = Poster()

        with pytest.raises((AddressRefused, ValueError)) as refused:
            check_subscription(subscription)
        assert str(refused.value) in {"malformed", "not the keys of a push subscription"}
        channel = a_web_push(poster)
        assert channel.send(subscription, {}, message_id=DELIVERY, now=NOW) == Gone()
        assert poster.posts == []

    def test_a_subscription_is_judged_like_any_address(self) -> None:
        check_subscription(Phone().subscription)
        check_subscription(Phone("http://127.0.0.1:81/").subscription, allow=LOOPBACK)
        with pytest.raises(AddressRefused):
            check_subscription(Phone("https://127.0.0.1/").subscription)

    def test_a_subscription_is_not_shown(self) -> None:
        assert repr(Phone().subscription) == "Subscription(…)"


class TestWebhook:
    def test_the_signature_is_that_of_the_standard_s_reference_implementation(self) -> None:
        signature = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            b'{"test": 2432232314}',
        )

        assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    def test_the_receiver_can_verify_what_it_got(self) -> None:
        poster, secret = Poster(), new_secret()

        outcome = Webhook(poster).send(
            "https://hooks.example/x", secret, {"type": "a.b"}, message_id=DELIVERY, now=NOW
        )

        ((url, body, headers),) = poster.posts
        assert outcome == Sent()
        assert url == "https://hooks.example/x"
        assert body == b'{"type":"a.b"}'
        assert headers["Content-Type"] == "application/json"
        assert headers["webhook-id"] == str(DELIVERY)
        assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
        assert verify(secret, headers, body, NOW)
        assert verify(secret, {name.title(): headers[name] for name in headers}, body, NOW)

    def test_whatever_is_changed_is_not_verified(self) -> None:
        secret, body, at = new_secret(), b"{}", int(NOW.timestamp())
        good = {
            "webhook-id": "a",
            "webhook-timestamp": str(at),
            "webhook-signature": sign(secret, "a", at, body),
        }

        assert verify(secret, good, body, NOW)
        assert not verify(new_secret(), good, body, NOW)
        assert not verify(secret, good, b"{} ", NOW)
        assert not verify(secret, {}, body, NOW)
        changed: list[dict[str, str]] = [
            {"webhook-id": "b"},
            {"webhook-timestamp": str(at + 1)},
            {"webhook-timestamp": f"{at}.0"},
            {"webhook-timestamp": ""},
            {"webhook-timestamp": "9" * 5000},
            {"webhook-signature": ""},
            {"webhook-signature": good["webhook-signature"].replace("v1,", "v2,")},
            {"webhook-signature": good["webhook-signature"] + "A"},
            {"webhook-signature": "v1,ü"},
        ]
        for one in changed:
            assert not verify(secret, good | one, body, NOW), one

    def test_one_good_signature_among_others_is_enough(self) -> None:
        secret, at = new_secret(), int(NOW.timestamp())
        signatures = f"v1a,xyz {sign(new_secret(), 'a', at, b'')} {sign(secret, 'a', at, b'')}"
        headers = {"webhook-id": "a", "webhook-timestamp": str(at), "webhook-signature": signatures}

        assert verify(secret, headers, b"", NOW)

    @pytest.mark.parametrize("direction", [1, -1])
    def test_an_old_request_is_not_verified(self, direction: int) -> None:
        secret, at = new_secret(), int(NOW.timestamp())
        headers = {
            "webhook-id": "a",
            "webhook-timestamp": str(at),
            "webhook-signature": sign(secret, "a", at, b""),
        }
        limit = timedelta(seconds=SIGNATURE_TOLERANCE_SECONDS)

        assert verify(secret, headers, b"", NOW + direction * limit)
        assert not verify(secret, headers, b"", NOW + direction * (limit + timedelta(seconds=1)))

    def test_secrets_are_long_and_never_the_same(self) -> None:
        secrets = {new_secret() for _ in range(100)}

        assert len(secrets) == 100
        for secret in secrets:
            prefix, _, encoded = secret.partition("_")
            assert prefix == "whsec"
            assert len(base64.b64decode(encoded, validate=True)) == 32

    @pytest.mark.parametrize(
        "secret",
        [
            "",
            "whsec_",
            f"whsec_{CANARY}",
            base64.b64encode(bytes(32)).decode(),
            "whsec_" + base64.b64encode(bytes(23)).decode(),
            "whsec_" + base64.b64encode(bytes(65)).decode(),
            "whsec_ü",
        ],
    )
    def test_what_is_no_secret_signs_nothing_and_is_not_repeated(self, secret: str) -> None:
        with pytest.raises(ValueError, match=r"^not a webhook secret$"):
            sign(secret, "a", 1, b"")


class TestOutcome:
    @pytest.mark.parametrize(
        ("answer", "pushed", "hooked"),
        [
            (Posted(200, None), Sent(), Sent()),
            (Posted(201, None), Sent(), Sent()),
            (Posted(299, 5), Sent(), Sent()),
            (Posted(103, None), NotNow(None, "status_103"), NotNow(None, "status_103")),
            (Posted(302, None), NotNow(None, "status_302"), NotNow(None, "status_302")),
            (Posted(400, None), NotNow(None, "status_400"), NotNow(None, "status_400")),
            (Posted(404, None), Gone(), NotNow(None, "status_404")),
            (Posted(410, 5), Gone(), Gone()),
            (Posted(429, 60), NotNow(60, "status_429"), NotNow(60, "status_429")),
            (Posted(503, None), NotNow(None, "status_503"), NotNow(None, "status_503")),
            (NoAnswer(), NotNow(None, "no_answer"), NotNow(None, "no_answer")),
            (
                AddressRefused("address"),
                NotNow(None, "address_address"),
                NotNow(None, "address_address"),
            ),
        ],
    )
    def test_the_answer_decides(
        self, answer: Posted | Exception, pushed: Outcome, hooked: Outcome
    ) -> None:
        webhook = Webhook(Poster(answer))

        assert push(a_web_push(Poster(answer)), Phone()) == pushed
        assert (
            webhook.send("https://a.example/", new_secret(), {}, message_id=DELIVERY, now=NOW)
            == hooked
        )

    def test_nothing_is_logged_or_printed_whatever_happens(
        self, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(logging.DEBUG)
        post = partial(outbound.post, allow=LOOPBACK)
        with listening(Receiver(500, f"X-Said: {CANARY}", body=CANARY.encode())) as server:
            url = f"http://127.0.0.1:{server.port}/{CANARY}"
            outcomes: list[Outcome] = [
                Webhook(post).send(url, new_secret(), {"a": CANARY}, message_id=DELIVERY, now=NOW),
                WebPush(SigningKeys.parse(SigningKeys.generate()), None, post).send(
                    Phone(url).subscription, {"a": CANARY}, message_id=DELIVERY, now=NOW
                ),
            ]
        refusing = MailServer(answers={"RCPT": f"450 {CANARY}"})
        outcomes.append(mail_to(refusing, to=f"{CANARY}@home.example", subject=CANARY, body=CANARY))

        assert [type(outcome) for outcome in outcomes] == [NotNow] * 3
        assert CANARY not in repr(outcomes)
        assert caplog.records == []
        assert capfd.readouterr() == ("", "")


class TestOverTheWire:
    def test_push_and_webhook_arrive_through_tls(self) -> None:
        ours, receiver, phone_url = a_certificate(), Receiver(201), "https://localhost:{}/p"
        post = partial(
            outbound.post,
            allow=LOOPBACK,
            tls=ours.client,
            resolve=lambda _, __: ["127.0.0.1"],
        )
        secret = new_secret()
        with listening(receiver, tls=ours.server) as server:
            phone = Phone(phone_url.format(server.port))
            channel = WebPush(SigningKeys.parse(SigningKeys.generate()), None, post)
            pushed = push(channel, phone, hello="phone")
            url = f"https://localhost:{server.port}/hook"
            hooked = Webhook(post).send(url, secret, {"b": 1}, message_id=DELIVERY, now=NOW)

        (_, _, push_body), (first, headers, hook_body) = receiver.requests
        assert (pushed, hooked) == (Sent(), Sent())
        assert json.loads(phone.read(push_body)) == {"hello": "phone"}
        assert first == "POST /hook HTTP/1.1"
        assert verify(secret, headers, hook_body, NOW)


class TestChannels:
    def test_without_settings_there_is_no_mail_and_a_key_is_made_once(self, tmp_path: Path) -> None:
        channels = Channels.from_settings(Settings(data_dir=tmp_path))
        again = Channels.from_settings(Settings(data_dir=tmp_path))

        key_file = tmp_path / "keys" / "vapid-key.json"
        assert channels.mail is None
        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
        assert channels.web_push.public_key == again.web_push.public_key

    def test_the_key_may_lie_elsewhere(self, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere.json"
        text = SigningKeys.generate()
        elsewhere.write_text(text)

        channels = Channels.from_settings(Settings(data_dir=tmp_path, vapid_key=elsewhere))

        jwk = json.loads(text)["keys"][0]
        assert unb64(channels.web_push.public_key) == b"\x04" + unb64(jwk["x"]) + unb64(jwk["y"])
        assert not (tmp_path / "keys").exists()

    def test_mail_is_read_from_the_settings(self, tmp_path: Path) -> None:
        channels = Channels.from_settings(
            Settings(data_dir=tmp_path, smtp_url="smtps://u:p@mail.example", mail_from=SENDER)
        )

        assert channels.mail == Mail("mail.example", 465, "tls", SENDER, "u", "p")

    @pytest.mark.parametrize(
        ("changes", "contact"),
        [
            ({"mail_from": SENDER}, f"mailto:{SENDER}"),
            ({"mail_from": SENDER, "public_url": "https://a.example"}, f"mailto:{SENDER}"),
            ({"public_url": "https://a.example/"}, "https://a.example"),
            ({}, None),
        ],
    )
    def test_a_push_service_is_told_whom_to_ask_where_there_is_somebody(
        self, changes: dict[str, Any], contact: str | None, tmp_path: Path
    ) -> None:
        receiver = Receiver(201)
        with listening(receiver) as server:
            channels = Channels.from_settings(
                Settings(data_dir=tmp_path, outbound_allow="127.0.0.0/8", **changes)
            )
            outcome = push(channels.web_push, Phone(f"http://127.0.0.1:{server.port}/"))

        token = receiver.requests[0][1]["authorization"].split(" ")[1].rstrip(",")
        claims = json.loads(unb64(token.split(".")[1]))
        assert outcome == Sent()
        assert claims.get("sub") == contact

    def test_without_a_network_opened_no_neighbour_is_called(self, tmp_path: Path) -> None:
        channels = Channels.from_settings(Settings(data_dir=tmp_path))

        with listening(Receiver()) as server:
            url = f"https://127.0.0.1:{server.port}/"
            outcome = channels.webhook.send(url, new_secret(), {}, message_id=DELIVERY, now=NOW)

        assert outcome == NotNow(None, "address_port")
        assert server.connections == 0


class TestSettings:
    @pytest.mark.parametrize(
        ("text", "networks"),
        [
            (None, set()),
            ("", set()),
            (" , ", set()),
            ("10.1.0.0/16", {"10.1.0.0/16"}),
            ("10.1.0.0/16, fd00:1::/64 ,127.0.0.1", {"10.1.0.0/16", "fd00:1::/64", "127.0.0.1/32"}),
        ],
    )
    def test_networks_are_opened_by_name(self, text: str | None, networks: set[str]) -> None:
        assert {str(n) for n in Settings(outbound_allow=text).outbound_networks} == networks

    @pytest.mark.parametrize(
        "changes",
        [
            {"outbound_allow": "10.0.0.1/8"},
            {"outbound_allow": "everything"},
            {"outbound_allow": "10.0.0.0/8;127.0.0.0/8"},
            {"smtp_url": "smtp://mail.example"},
            {"smtp_url": "mail.example", "mail_from": SENDER},
            {"smtp_url": "smtp://", "mail_from": SENDER},
            {"smtp_url": "http://mail.example", "mail_from": SENDER},
            {"smtp_url": "smtp://mail.example/box?x=y", "mail_from": SENDER},
            {"mail_from": "clinic"},
            {"mail_from": "Clinic <a@b.example>"},
            {"mail_from": "a@b.example\nBcc: c@d.example"},
        ],
    )
    def test_what_cannot_be_is_refused(self, changes: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            Settings(**changes)

    def test_mail_without_a_sender_is_refused_by_the_name_of_what_is_missing(self) -> None:
        with pytest.raises(ValidationError) as refused:
            Settings(smtp_url="smtp://mail.example")

        assert [error["loc"] for error in refused.value.errors()] == [("mail_from",)]
