"""A message leaves for a webhook; and by whatever channel, it says how it went."""

import base64
import json
import logging
import stat
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.kernel import outbound
from app.kernel.channels import (
    SIGNATURE_TOLERANCE_SECONDS,
    Channels,
    Gone,
    Mail,
    NotNow,
    Outcome,
    Sent,
    Webhook,
    WebPush,
    new_secret,
    sign,
    verify,
)
from app.kernel.outbound import AddressRefused, NoAnswer, Posted
from app.kernel.settings import Settings
from app.kernel.tokens import SigningKeys
from tests.kernel.outside import LOOPBACK, Receiver, a_certificate, listening
from tests.kernel.receivers import (
    CANARY,
    DELIVERY,
    NOW,
    SENDER,
    MailServer,
    Phone,
    Poster,
    a_web_push,
    mail_to,
    push,
    unb64,
)


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
