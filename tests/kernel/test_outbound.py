"""What leaves the server: where to, for how long, and what is made of the answer."""

import socket
import ssl
import time
from collections.abc import Callable

import pytest

from app.kernel.outbound import NoAnswer, post, system_trust
from tests.kernel.outside import LOOPBACK, NAME, Names, Receiver, a_certificate, listening


def saying(answer: bytes) -> Callable[[socket.socket], None]:
    """A server that reads a little, answers whatever this is and hangs up."""

    def talk(wire: socket.socket) -> None:
        wire.recv(65_536)
        wire.sendall(answer)

    return talk


class TestPost:
    def test_the_request_arrives_whole_and_for_the_name(self) -> None:
        receiver = Receiver(200, body=b"thank you")
        with listening(receiver) as server:
            url = f"http://{NAME}:{server.port}/a/b?c=d"
            headers = {"Content-Type": "application/json", "X-One": "two"}
            answer = post(url, b'{"a":1}', headers, allow=LOOPBACK, resolve=Names(["127.0.0.1"]))

        ((first, got, body),) = receiver.requests
        assert answer == (200, None)
        assert first == "POST /a/b?c=d HTTP/1.1"
        assert body == b'{"a":1}'
        assert got == {
            "host": f"{NAME}:{server.port}",
            "user-agent": "Afterglow",
            "connection": "close",
            "content-type": "application/json",
            "x-one": "two",
            "content-length": "7",
            "accept-encoding": "identity",
        }

    def test_the_certificate_is_checked_against_the_name_although_a_number_is_called(self) -> None:
        ours = a_certificate()
        receiver = Receiver()
        names = Names(["127.0.0.1"])
        with listening(receiver, tls=ours.server) as server:

            def status(host: str, trust: ssl.SSLContext | None) -> int:
                url = f"https://{host}:{server.port}/"
                return post(url, b"x", {}, allow=LOOPBACK, resolve=names, tls=trust).status

            assert status(NAME, ours.client) == 204
            assert status("127.0.0.1", ours.client) == 204
            with pytest.raises(NoAnswer):
                status("other.example", ours.client)
            with pytest.raises(NoAnswer):
                status(NAME, None)  # nobody vouches for it

        assert [headers["host"] for _, headers, _ in receiver.requests] == [
            f"{NAME}:{server.port}",
            f"127.0.0.1:{server.port}",
        ]

    def test_the_system_s_trust_checks_names_and_certificates(self) -> None:
        assert system_trust().check_hostname
        assert system_trust().verify_mode is ssl.CERT_REQUIRED
        assert system_trust().minimum_version >= ssl.TLSVersion.TLSv1_2

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_an_answer_and_is_not_followed(self, status: int) -> None:
        trap = Receiver()
        with listening(trap) as neighbour:
            receiver = Receiver(status, f"Location: http://127.0.0.1:{neighbour.port}/")
            with listening(receiver) as server:
                url = f"http://127.0.0.1:{server.port}/"
                answer = post(url, b"", {}, allow=LOOPBACK)

        assert answer.status == status
        assert (server.connections, neighbour.connections) == (1, 0)

    def test_no_proxy_of_the_environment_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        trap, receiver = Receiver(), Receiver()
        with listening(trap) as proxy, listening(receiver) as server:
            for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            post(f"http://127.0.0.1:{server.port}/", b"", {}, allow=LOOPBACK)

        assert (server.connections, proxy.connections) == (1, 0)

    def test_a_header_of_two_lines_is_never_sent(self) -> None:
        receiver = Receiver()
        with listening(receiver) as server, pytest.raises(ValueError, match="Invalid header"):
            post(f"http://127.0.0.1:{server.port}/", b"", {"A": "b\r\nC: d"}, allow=LOOPBACK)

        assert receiver.requests == []

    def test_a_body_without_end_is_not_read(self) -> None:
        sent = []

        def talk(wire: socket.socket) -> None:
            wire.recv(65_536)
            wire.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                sent.append(wire.send(b"x" * 65_536))

        with listening(talk) as server:
            answer = post(f"http://127.0.0.1:{server.port}/", b"", {}, allow=LOOPBACK)

        assert answer.status == 200
        assert sum(sent) < 64 * 2**20  # what the system holds on the way, then the end

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"\r\n",
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"HTTP/1.1 20 OK\r\n\r\n",
            b"HTTP/1.1 two OK\r\n\r\n",
            b"HTTP/9.9 200 OK\r\n\r\n",
            b"HTTP/1.1 200 " + b"x" * 70_000,
            b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000,
            b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n" * 3,
        ],
    )
    def test_what_is_no_answer_in_http_is_no_answer_and_leaves_no_text(self, answer: bytes) -> None:
        with listening(saying(answer)) as server, pytest.raises(NoAnswer) as failed:
            post(f"http://127.0.0.1:{server.port}/", b"", {}, allow=LOOPBACK)

        assert failed.value.args == ()
        assert failed.value.__suppress_context__

    def test_plain_text_where_tls_was_meant_is_no_answer(self) -> None:
        with listening(saying(b"HTTP/1.1 200 OK\r\n\r\n")) as server, pytest.raises(NoAnswer):
            post(f"https://127.0.0.1:{server.port}/", b"", {}, allow=LOOPBACK)

    def test_nobody_listening_is_no_answer(self) -> None:
        with listening(Receiver()) as server:
            port = server.port

        with pytest.raises(NoAnswer):
            post(f"http://127.0.0.1:{port}/", b"", {}, allow=LOOPBACK)


class TestDeadline:
    @pytest.mark.parametrize("secure", [False, True])
    @pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nA: "])
    def test_a_server_that_drips_is_left_at_the_deadline(self, first: bytes, secure: bool) -> None:
        def drip(wire: socket.socket) -> None:
            wire.recv(65_536)
            wire.sendall(first)
            for _ in range(100):
                time.sleep(0.05)
                wire.sendall(b"H")

        ours = a_certificate()
        with listening(drip, tls=ours.server if secure else None) as server:
            url = f"{'https' if secure else 'http'}://127.0.0.1:{server.port}/"
            began_at = time.monotonic()
            with pytest.raises(NoAnswer):
                post(url, b"", {}, timeout=0.4, allow=LOOPBACK, tls=ours.client)
            took = time.monotonic() - began_at

        assert 0.3 < took < 2

    @pytest.mark.parametrize("secure", [False, True])
    def test_a_server_that_says_nothing_and_reads_nothing_is_left_too(self, secure: bool) -> None:
        def sleep(wire: socket.socket) -> None:
            time.sleep(0.8)
            wire.close()

        with listening(sleep) as server:
            url = f"{'https' if secure else 'http'}://127.0.0.1:{server.port}/"
            began_at = time.monotonic()
            with pytest.raises(NoAnswer):
                post(url, b"x" * 16_000_000, {}, timeout=0.3, allow=LOOPBACK)
            took = time.monotonic() - began_at

        assert 0.2 < took < 2

    def test_no_time_at_all_is_no_answer(self) -> None:
        with listening(Receiver()) as server, pytest.raises(NoAnswer):
            post(f"http://127.0.0.1:{server.port}/", b"", {}, timeout=0, allow=LOOPBACK)

        assert server.connections == 0


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ([], None),
            (["Retry-After: 0"], 0),
            (["Retry-After: 120"], 120),
            (["Retry-After: 999999999"], 86_400),
            (["Retry-After: 99999999999999999999"], None),
            (["Retry-After: -1"], None),
            (["Retry-After: 1e3"], None),
            (["Retry-After: soon"], None),
            (["Retry-After: "], None),
            (["Retry-After: Wed, 21 Oct 2015 07:28:00 GMT"], None),
            (
                [
                    "Date: Wed, 21 Oct 2015 07:26:30 GMT",
                    "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT",
                ],
                90,
            ),
            (
                [
                    "Date: Wed, 21 Oct 2015 07:28:30 GMT",
                    "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT",
                ],
                0,
            ),
            (
                [
                    "Date: Wed, 21 Oct 2015 07:28:30 -0000",
                    "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT",
                ],
                None,
            ),
        ],
    )
    def test_it_is_seconds_or_a_date_by_the_other_side_s_clock(
        self, headers: list[str], seconds: float | None
    ) -> None:
        with listening(Receiver(503, *headers)) as server:
            answer = post(f"http://127.0.0.1:{server.port}/", b"", {}, allow=LOOPBACK)

        assert answer == (503, seconds)
