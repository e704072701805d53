"""Who a message leaves for, in its tests."""

import base64
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.kernel.channels import Mail, Outcome, Subscription, WebPush
from app.kernel.outbound import Posted
from app.kernel.tokens import SigningKeys
from tests.kernel.outside import listening

NOW = datetime(2026, 3, 1, 20, 15, tzinfo=UTC)
DELIVERY = UUID("019cab12-0000-7000-8000-000000000001")
SENDER = "journal@clinic.example"
CANARY = "canary-7f3a"
RFC_RECEIVER_PUBLIC = (
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
)
RFC_AUTH = "BTBZMqHH6r4Tts7J_aSIgg"


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


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
