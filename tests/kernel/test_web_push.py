"""A message leaves as Web Push (RFC 8030, 8188, 8291, 8292)."""

import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey

from app.kernel.channels import MAX_PUSH, Gone, Sent, Subscription, check_subscription, encrypt
from app.kernel.outbound import AddressRefused
from tests.kernel.outside import LOOPBACK
from tests.kernel.receivers import (
    CANARY,
    DELIVERY,
    NOW,
    RFC_AUTH,
    RFC_RECEIVER_PUBLIC,
    SENDER,
    Phone,
    Poster,
    a_web_push,
    b64,
    point,
    push,
    unb64,
)

# RFC 8291 section 5 and appendix A.
RFC_PLAIN = b"When I grow up, I want to be a watermelon"
RFC_SENDER = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
RFC_RECEIVER = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
RFC_SALT = "DGv6ra1nlYgDCS1FRnbzlw"
RFC_BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"
    "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
    "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def private_key(text: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(unb64(text), "big"), ec.SECP256R1())


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
