"""A message leaves by mail."""

import base64
import email.policy
import socket

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.kernel.channels import Gone, Mail, NotNow, Outcome, Sent, compose, is_mail_address
from tests.kernel.outside import a_certificate, listening
from tests.kernel.receivers import CANARY, DELIVERY, NOW, SENDER, MailServer, mail_to


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
