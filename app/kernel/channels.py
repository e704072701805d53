"""How a message leaves the server: by mail, as Web Push to a phone, or to a signed webhook.

Every delivery ends in one of three ways: `Sent`, `Gone` (nobody is there any more, so stop
writing to them) or `NotNow` (try again). Nothing is raised for what the other side does, and
nothing is logged here: a delivery's `why` is a code of ours, never a word, an address or a text
that somebody sent.

A delivery may happen twice, when an answer is lost. It then carries the same id: the Message-ID
of the mail, the Topic of the push, the `webhook-id`.

What is sent should say nothing of why a person is in treatment. A mail lies in an inbox and a
push on a locked screen; what it is about is read here, after signing in.

Sources: RFC 5322, RFC 8314 and RFC 3207 (mail), RFC 3463 (its status codes), RFC 3834 (automatic
messages); RFC 8030 (Web Push), RFC 8188 and RFC 8291 (its encryption), RFC 8292 (VAPID); Standard
Webhooks 1.0.0 (https://www.standardwebhooks.com).
"""

import base64
import hmac
import json
import os
import re
import smtplib
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from functools import lru_cache, partial
from ipaddress import ip_address
from typing import Any, Final, Literal, NamedTuple, Self
from urllib.parse import unquote, urlsplit
from uuid import UUID

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.kernel import outbound
from app.kernel.outbound import AddressRefused, Network, NoAnswer, Posted
from app.kernel.settings import Settings, read_or_make
from app.kernel.tokens import SigningKeys
from app.kernel.tokens import sign as sign_token

Post = Callable[[str, bytes, Mapping[str, str]], Posted]
"""`outbound.post` with everything else decided: address, body, headers."""

MAX_PUSH: Final = 1024
"""Bytes of JSON in one push."""
SIGNATURE_TOLERANCE_SECONDS: Final = 300

# RFC 3463: no such mailbox, moved without a forwarding address, a domain that takes no mail.
_NO_MAILBOX: Final = re.compile(rb"5\.1\.(?:1|6|10)\b")
_LOCAL_PART: Final = re.compile(
    r"(?=.{1,64}\Z)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
)
_MAX_ADDRESS: Final = 254

_PUSH_RECORD: Final = 4096  # bytes: what every push service has to take (RFC 8030 section 7.2)
_VAPID_PERIOD_SECONDS: Final = 6 * 60 * 60  # half of how long a token holds; RFC 8292 allows a day

_SECRET_PREFIX: Final = "whsec_"  # noqa: S105  # the mark of a secret, not one
_SECRET_BYTES: Final = range(24, 65)


class Sent(NamedTuple):
    """The other side has taken it."""


class Gone(NamedTuple):
    """Nobody is there any more, and nobody will be: the address or device is to be ended."""


class NotNow(NamedTuple):
    """Not taken, or nobody knows: to be tried again.

    retry_after: seconds the other side asks for, 0 to a day. why: a code of ours, for counting.
    """

    retry_after: float | None
    why: str


Outcome = Sent | Gone | NotNow


def is_mail_address(text: str) -> bool:
    """Whether mail can be sent there: one plain ASCII address, its domain in ASCII form.

    No display name, no quoted local part and no comment (RFC 5321 section 4.1.2 without them),
    and nothing that the library would take for an encoded word, to decode it into another address.
    """
    local, _, domain = text.rpartition("@")
    return (
        len(text) <= _MAX_ADDRESS
        and "=?" not in text
        and bool(_LOCAL_PART.fullmatch(local))
        and outbound.is_host_name(domain)
    )


@dataclass(frozen=True, slots=True)
class Mail:
    """Hands mail to one submission server.

    security: `tls` from the first byte, `starttls` before anything is said (a server that does
        not offer it gets nothing), or `none`, which `from_url` chooses for this machine only.
    trust: Default: the authorities the system trusts.
    timeout_seconds: for each step of the conversation.
    """

    host: str
    port: int
    security: Literal["tls", "starttls", "none"]
    sender: str
    user: str | None = None
    password: str = field(default="", repr=False)
    timeout_seconds: float = 10.0
    trust: ssl.SSLContext | None = None

    @classmethod
    def from_url(cls, url: str, sender: str) -> Self:
        """Read `smtp://user:password@host:587` or `smtps://…:465`; those ports if none is given.

        Raises: ValueError, which repeats nothing of the password.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise ValueError("mail: not an address of a submission server")
        if not is_mail_address(sender):
            raise ValueError("mail: not an address to send from")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if not (user + password).isascii():
            raise ValueError("mail: a name and password of ASCII characters only")
        implicit = parts.scheme == "smtps"
        here = _is_this_machine(parts.hostname)
        return cls(
            host=parts.hostname,
            port=parts.port or (465 if implicit else 587),
            security="tls" if implicit else "none" if here else "starttls",
            sender=sender,
            user=user or None,
            password=password,
        )

    def send(self, to: str, subject: str, body: str, *, message_id: UUID, now: datetime) -> Outcome:
        """Hand one mail to the server.

        subject: becomes one line. body: plain text. message_id: the delivery's id, the same when
            it is tried again. now: for the Date header.
        """
        if not is_mail_address(to):
            return NotNow(None, "not_an_address")
        message = compose(self.sender, to, subject, body, message_id=message_id, now=now)
        try:
            server = self._connected()
        except (smtplib.SMTPException, OSError) as error:
            return _refused(error)
        try:
            if self.user is not None:
                server.login(self.user, self.password)
            server.sendmail(self.sender, [to], message)
        except (smtplib.SMTPException, OSError) as error:
            return _refused(error)
        else:
            # It is taken. Whatever happens to the farewell must not make it go out again.
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
            return Sent()
        finally:
            server.close()

    def _connected(self) -> smtplib.SMTP:
        """A conversation that nobody can listen to. Raises: SMTPException, OSError."""
        # Named by us: the library would look the name of this machine up, and wait for it.
        options: dict[str, Any] = {
            "local_hostname": self.sender.rpartition("@")[2],
            "timeout": self.timeout_seconds,
        }
        trust = self.trust or outbound.system_trust()
        if self.security == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, context=trust, **options)
        server = smtplib.SMTP(self.host, self.port, **options)
        try:
            if self.security == "starttls":
                server.starttls(context=trust)
        except BaseException:
            server.close()
            raise
        return server


def compose(
    sender: str, to: str, subject: str, body: str, *, message_id: UUID, now: datetime
) -> bytes:
    """A mail as it travels: seven bits, lines ended by CRLF, and no header but ours.

    sender, to: as `is_mail_address` takes them. subject, body: any text at all.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(addr_spec=sender)
    message["To"] = Address(addr_spec=to)
    message["Subject"] = _one_line(subject)
    message["Date"] = now
    message["Message-ID"] = f"<{message_id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # so that nobody's absence answers
    # Quoted-printable: no line end but those that are meant, so no early end of the mail.
    message.set_content(_speakable(body), cte="quoted-printable")
    return message.as_bytes()


class Subscription(NamedTuple):
    """One phone, as its push service describes it (W3C Push API, `PushSubscription.toJSON`).

    endpoint: where to post. p256dh: its public key, 65 bytes. auth: its secret, 16 bytes; both
    base64url without padding. Whoever knows all three can write to the phone.
    """

    endpoint: str
    p256dh: str
    auth: str

    def __repr__(self) -> str:
        return "Subscription(…)"


def check_subscription(
    subscription: Subscription, *, allow: frozenset[Network] = frozenset()
) -> None:
    """Judge a phone's subscription when it is registered; nothing is looked up.

    Raises: AddressRefused for its endpoint, ValueError for its keys, repeating nothing of them.
    """
    outbound.check_url(subscription.endpoint, allow=allow)
    _keys(subscription)


class WebPush:
    """Pushes to phones. One key signs for all of them, and each subscription is bound to it."""

    def __init__(self, keys: SigningKeys, contact: str | None, post: Post = outbound.post) -> None:
        """contact: `mailto:` or `https:`, for the people who run a push service; some insist."""
        self._keys = keys
        self._contact = contact
        self._post = post
        self._token = lru_cache(256)(self._signed)

    @property
    def public_key(self) -> str:
        """What a phone subscribes with: its `applicationServerKey`, base64url."""
        return _base64url(_point(self._keys.verifiers[self._keys.signing_kid].prepared_key))

    def send(
        self,
        subscription: Subscription,
        payload: Mapping[str, object],
        *,
        message_id: UUID,
        now: datetime,
        ttl_seconds: int = 86_400,
        urgency: Literal["very-low", "low", "normal", "high"] = "normal",
    ) -> Outcome:
        """Push a small JSON object. What travels is as long whatever it says.

        message_id: one push replaces another of the same id that has not been shown yet.
        ttl_seconds: how long the push service keeps it for a phone that is off.
        Raises: ValueError if the JSON is longer than `MAX_PUSH`, or JSON has no word for it.
        """
        plain = _json(payload)
        try:
            origin = outbound.parse(subscription.endpoint).origin
            receiver, auth = _keys(subscription)
        except (AddressRefused, ValueError):
            return Gone()  # not a subscription: no message could ever arrive
        sender = ec.generate_private_key(ec.SECP256R1())
        body = encrypt(
            plain, receiver, auth, sender=sender, salt=os.urandom(16), padded_to=MAX_PUSH
        )
        token = self._token(origin, int(now.timestamp()) // _VAPID_PERIOD_SECONDS)
        headers = {
            "Authorization": f"vapid t={token}, k={self.public_key}",
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(ttl_seconds),
            "Urgency": urgency,
            "Topic": _base64url(message_id.bytes),
        }
        return _posted(self._post, subscription.endpoint, body, headers, gone=(404, 410))

    def _signed(self, origin: str, period: int) -> str:
        """A token for a push service; one for hours, because some refuse a new one every time."""
        claims: dict[str, object] = {"aud": origin, "exp": (period + 2) * _VAPID_PERIOD_SECONDS}
        if self._contact is not None:
            claims["sub"] = self._contact
        return sign_token(self._keys, claims, typ="JWT")


def encrypt(
    plain: bytes,
    receiver: ec.EllipticCurvePublicKey,
    auth: bytes,
    *,
    sender: ec.EllipticCurvePrivateKey,
    salt: bytes,
    padded_to: int = 0,
) -> bytes:
    """One message for one phone, as a single record of the `aes128gcm` content coding.

    receiver, auth: the phone's key and 16-byte secret. sender, salt: a key and 16 bytes made for
        this message alone. padded_to: bytes, so that the length tells nothing.
    Returns: salt (16), record size (4), length of the key's id (1), the sender's point (65),
        ciphertext and tag.
    Raises: ValueError if plain is longer than padded_to (where given), or either is longer than
        the 3993 bytes that every push service takes.
    Source: RFC 8291 section 3, RFC 8188 section 2.
    """
    length = padded_to or len(plain)
    if not len(plain) <= length <= _PUSH_RECORD - 86 - 17:  # head, delimiter and tag
        raise ValueError(f"a push of {len(plain)} bytes is too long")
    ours, theirs = _point(sender.public_key()), _point(receiver)
    shared = sender.exchange(ec.ECDH(), receiver)
    secret = _derived(shared, auth, b"WebPush: info\0" + theirs + ours, 32)
    key = _derived(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(secret, salt, b"Content-Encoding: nonce\0", 12)
    record = (plain + b"\x02").ljust(length + 1, b"\0")  # 0x02: this record is the last
    head = salt + _PUSH_RECORD.to_bytes(4, "big") + bytes([len(ours)]) + ours
    return head + AESGCM(key).encrypt(nonce, record, None)


class Webhook:
    """Posts signed JSON to addresses that somebody registered."""

    def __init__(self, post: Post = outbound.post) -> None:
        self._post = post

    def send(
        self,
        url: str,
        secret: str,
        payload: Mapping[str, object],
        *,
        message_id: UUID,
        now: datetime,
    ) -> Outcome:
        """Post one event.

        secret: as `new_secret` makes them, one for each address. message_id: the event's, the
            same when it is tried again. Only 410 means `Gone`: 404 may be a receiver's bad day.
        Raises: ValueError for what is no secret, or JSON has no word for.
        """
        body, sent_at = _json(payload), int(now.timestamp())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": str(message_id),
            "webhook-timestamp": str(sent_at),
            "webhook-signature": sign(secret, str(message_id), sent_at, body),
        }
        return _posted(self._post, url, body, headers, gone=(410,))


def new_secret() -> str:
    """What a receiver verifies with, to be shown once: `whsec_` and 32 bytes in base64."""
    return _SECRET_PREFIX + base64.b64encode(os.urandom(32)).decode()


def sign(secret: str, message_id: str, sent_at: int, body: bytes) -> str:
    """The `webhook-signature` of one attempt: `v1,` and an HMAC-SHA256 in base64.

    message_id: without a full stop. sent_at: seconds since 1970-01-01T00:00Z, of this attempt.
    Raises: ValueError for what is no secret, repeating nothing of it.
    """
    signed = f"{message_id}.{sent_at}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(_secret(secret), signed, "sha256")).decode()


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Whether a request is one of ours and not old, as a receiver has to judge it.

    headers: whatever the case of their names. body: as it came, not parsed and written again.
    Raises: ValueError for what is no secret.
    """
    named = {name.lower(): value for name, value in headers.items()}
    message_id, signatures = named.get("webhook-id", ""), named.get("webhook-signature", "")
    sent_at = named.get("webhook-timestamp", "")
    if not re.fullmatch(r"[0-9]{1,12}", sent_at):
        return False
    if abs(now.timestamp() - int(sent_at)) > SIGNATURE_TOLERANCE_SECONDS:
        return False
    ours = sign(secret, message_id, int(sent_at), body).encode()
    # Several, while a secret is being changed.
    return any(hmac.compare_digest(ours, one.encode()) for one in signatures.split(" "))


@dataclass(frozen=True, slots=True)
class Channels:
    """What a deployment can send by. mail: None where no submission server is set."""

    mail: Mail | None
    web_push: WebPush
    webhook: Webhook

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Read the settings; the key of Web Push is made on first use.

        Raises: ValueError, which repeats nothing secret.
        """
        post = partial(outbound.post, allow=settings.outbound_networks)
        path = settings.vapid_key or settings.data_dir / "keys" / "vapid-key.json"
        keys = SigningKeys.parse(read_or_make(path, SigningKeys.generate))
        mail = None
        if settings.smtp_url is not None and settings.mail_from is not None:
            mail = replace(
                Mail.from_url(settings.smtp_url, settings.mail_from),
                timeout_seconds=settings.smtp_timeout_seconds,
            )
        return cls(mail, WebPush(keys, _contact(settings), post), Webhook(post))


def _posted(
    post: Post, url: str, body: bytes, headers: Mapping[str, str], gone: tuple[int, ...]
) -> Outcome:
    try:
        answer = post(url, body, headers)
    except AddressRefused as refused:
        return NotNow(None, f"address_{refused.reason}")
    except NoAnswer:
        return NotNow(None, "no_answer")
    if 200 <= answer.status < 300:
        return Sent()
    if answer.status in gone:
        return Gone()
    return NotNow(answer.retry_after, f"status_{answer.status}")


def _refused(error: smtplib.SMTPException | OSError) -> Outcome:
    """What a failed conversation means; its text is looked at and forgotten."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        ((code, text),) = error.recipients.values()
        return Gone() if _NO_MAILBOX.match(text) else NotNow(None, f"smtp_{code}")
    if isinstance(error, smtplib.SMTPResponseException):
        return NotNow(None, f"smtp_{error.smtp_code}")
    if isinstance(error, smtplib.SMTPServerDisconnected) or not isinstance(
        error, smtplib.SMTPException
    ):
        return NotNow(None, "no_answer")
    return NotNow(None, "smtp_unsupported")  # it offers no encryption, or no way to sign in


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _one_line(text: str) -> str:
    """Text that stays one header. An encoded word is broken: read and written again by the
    library, it could become a line end (CVE-2024-6923).
    """
    return " ".join(_speakable(text).replace("=?", "= ?").split())


def _speakable(text: str) -> str:
    """Without control characters (line ends and tabs apart) and halves of characters."""
    whole = text.encode("utf-8", "replace").decode()
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]", " ", whole)


def _keys(subscription: Subscription) -> tuple[ec.EllipticCurvePublicKey, bytes]:
    """A phone's public key and secret. Raises: ValueError, repeating nothing of them."""
    try:
        point = _unbase64url(subscription.p256dh, 65)
        receiver = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        return receiver, _unbase64url(subscription.auth, 16)
    except ValueError:
        raise ValueError("not the keys of a push subscription") from None


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    """A public key as 65 bytes, uncompressed."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def _secret(text: str) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix(_SECRET_PREFIX), validate=True)
    except ValueError:
        secret = b""
    if not text.startswith(_SECRET_PREFIX) or len(secret) not in _SECRET_BYTES:
        raise ValueError("not a webhook secret")
    return secret


def _contact(settings: Settings) -> str | None:
    if settings.mail_from is not None:
        return f"mailto:{settings.mail_from}"
    return settings.base_url if settings.base_url.startswith("https://") else None


def _json(payload: Mapping[str, object]) -> bytes:
    return json.dumps(dict(payload), allow_nan=False, separators=(",", ":")).encode()


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unbase64url(text: str, length: int) -> bytes:
    """Exactly so many bytes. Raises: ValueError."""
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(raw) != length or _base64url(raw) != text:
        raise ValueError
    return raw
