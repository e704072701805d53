"""Where somebody can be written to, beside the app: mail, Web Push, or a signed webhook.

Patients are reminded there, members of a clinic are told of flags. What is kept of an address is
JSON; whoever keeps it seals it.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field

from app.kernel import channels
from app.kernel.channels import Channels, Outcome, Subscription
from app.kernel.errors import invalid
from app.kernel.outbound import AddressRefused, Network, check_url
from app.kernel.strict import Wire

# Of JSON, in bytes: together with the rest they fit into `channels.MAX_PUSH`.
_PUSH_TITLE: Final = 256
_PUSH_BODY: Final = 500
_MEMBER: Final = {"email": "email", "web-push": "subscription", "webhook": "url"}


class PushKeys(Wire):
    """The keys of a push subscription, base64url."""

    p256dh: Annotated[str, Field(max_length=200)]
    auth: Annotated[str, Field(max_length=100)]


class PushSubscription(Wire):
    """As `PushSubscription.toJSON()` has it (W3C Push API)."""

    endpoint: Annotated[str, Field(max_length=2000)]
    keys: PushKeys


class DeviceIn(Wire):
    """Where to write to: one of the three, by channel."""

    id: UUID | None = None
    channel: Literal["email", "web-push", "webhook"]
    email: Annotated[str, Field(max_length=254)] | None = None
    subscription: PushSubscription | None = None
    url: Annotated[str, Field(max_length=2000, description="https")] | None = None


def address_of(sent: DeviceIn, *, sends_mail: bool, allow: frozenset[Network]) -> dict[str, Any]:
    """What has to be known to write there.

    sends_mail: whether this server can. allow: networks that are open although not public.
    Raises: Problem INVALID.
    """
    given = {"email": sent.email, "web-push": sent.subscription, "webhook": sent.url}
    for channel, value in given.items():
        if (value is None) is (channel == sent.channel):
            what = "is required for" if value is None else "does not belong to"
            raise invalid(f"/{_MEMBER[channel]}", f"{what} this channel")
    if sent.email is not None:
        if not sends_mail:
            raise invalid("/channel", "is not offered: this server sends no mail")
        if not channels.is_mail_address(sent.email):
            raise invalid("/email", "must be a plain e-mail address")
        return {"email": sent.email}
    try:
        if sent.subscription is not None:
            keys = sent.subscription.keys
            subscription = Subscription(sent.subscription.endpoint, keys.p256dh, keys.auth)
            channels.check_subscription(subscription, allow=allow)
            return subscription._asdict()
        assert sent.url is not None
        check_url(sent.url, allow=allow)
    except AddressRefused:
        where = "/url" if sent.subscription is None else "/subscription/endpoint"
        raise invalid(where, "must be a public https address") from None
    except ValueError:
        raise invalid("/subscription/keys", "are not the keys of a push subscription") from None
    return {"url": sent.url}


def write_to(
    at: Channels,
    channel: str,
    address: Mapping[str, Any],
    *,
    subject: str,
    body: str,
    payload: Mapping[str, object],
    delivery: UUID,
    now: datetime,
) -> Outcome:
    """Write there; it may take seconds. delivery: the same when it is tried again.

    payload: what an app is told beside the words; ids and codes only.
    """
    if channel == "email":
        if at.mail is None:
            return channels.NotNow(None, "no_mail_server")
        return at.mail.send(address["email"], subject, body, message_id=delivery, now=now)
    if channel == "web-push":
        subscription = Subscription(address["endpoint"], address["p256dh"], address["auth"])
        short = {"title": _short(subject, _PUSH_TITLE), "body": _short(body, _PUSH_BODY)}
        return at.web_push.send(subscription, {**payload, **short}, message_id=delivery, now=now)
    said = {**payload, "title": subject, "body": body}
    return at.webhook.send(address["url"], address["secret"], said, message_id=delivery, now=now)


def _short(text: str, most: int) -> str:
    """As much of a clinic's own words as fits into so many bytes of JSON."""
    short = text
    while len(json.dumps(short)) > most:
        text = text[:-1]
        short = f"{text}…"
    return short
