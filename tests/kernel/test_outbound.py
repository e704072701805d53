"""No address that somebody else chose makes the server call its own neighbours."""

import socket
import socketserver
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.outbound import (
    AddressRefused,
    Network,
    NoAnswer,
    check_url,
    is_host_name,
    parse,
    post,
    system_trust,
)

NAME = "hooks.clinic.example"
LOOPBACK = frozenset[Network]({ip_network("127.0.0.0/8")})
PUBLIC = "93.184.215.14"

# Every one of these means a neighbour, or is written so that it might.
NUMBERS = [
    "127.0.0.1",
    "127.0.0.1.",
    "127.0.0.2",
    "127.255.255.254",
    "127.1",
    "127.0.1",
    "127.000.000.001",
    "0127.0.0.1",
    "0177.0.0.1",
    "0177.1",
    "017700000001",
    "00000177.0.0.1",
    "0x7f.0.0.1",
    "0X7F.0.0.1",
    "0x7f.1",
    "0x7f000001",
    "0x7F000001",
    "0x7f.0x0.0x0.0x1",
    "0x",
    "2130706433",
    "2130706433.",
    "4294967295",
    "9999999999999999999",
    "0",
    "0.0.0.0",  # noqa: S104  # nothing is bound to it
    "0.1.2.3",
    "10.0.0.1",
    "10.1",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.43518",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "0xc0a80101",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "256.256.256.256",
    "1.2.3.4.5",
    "example.1",
    "example.0x7f",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::FFFF:7F00:1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b:1::1]",
    "[100::1]",
    "[2001::1]",
    "[2001:0:7f00:1::1]",
    "[2001:db8::1]",
    "[2002:7f00:1::1]",
    "[2002:a9fe:a9fe::]",
    "[3fff::1]",
    "[5f00::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "localhost",
    "LocalHost",
    "metadata",
]
SPELLINGS = [
    ("", "malformed"),
    ("hooks.clinic.example", "malformed"),
    ("//hooks.clinic.example/", "malformed"),
    ("https:/hooks.clinic.example/", "malformed"),
    ("https:hooks.clinic.example", "malformed"),
    ("https://", "malformed"),
    ("https:///x", "malformed"),
    ("https://hooks.clinic.example.", "malformed"),
    ("https://hooks..clinic.example", "malformed"),
    ("https://-hooks.example", "malformed"),
    ("https://hooks-.example", "malformed"),
    ("https://hooks_.example", "malformed"),
    (f"https://{'a' * 64}.example", "malformed"),
    (f"https://{'a.' * 127}example", "malformed"),
    (f"https://a.example/{'a' * 2048}", "malformed"),
    ("https://hooks.example/a b", "malformed"),
    ("https://hooks.example/#part", "malformed"),
    ("https://hooks.example/\n", "malformed"),
    ("https://hooks.example\n", "malformed"),
    ("\thttps://hooks.example", "malformed"),
    (" https://hooks.example", "malformed"),
    ("https://hooks.example/\r\nX: y", "malformed"),
    ("https://hooks.example/\0", "malformed"),
    ("https://hooks.example%00.clinic.example/", "malformed"),
    ("https://127.0.0.1%00.clinic.example/", "malformed"),
    ("https://%31%32%37.0.0.1/", "malformed"),
    ("https://127.0.0.1%2f.clinic.example/", "malformed"),
    ("https://hooks.example\\@127.0.0.1/", "malformed"),
    ("https:\\\\127.0.0.1/", "malformed"),
    ("https://127.0.0.1\\.clinic.example/", "malformed"),
    ("https://１２７.0.0.1/", "malformed"),
    ("https://①②⑦.⓪.⓪.①/", "malformed"),
    ("https://127。0。0。1/", "malformed"),
    ("https://127．0．0．1/", "malformed"),
    ("https://lοcalhost/", "malformed"),
    ("https://ʟocalhost.example/", "malformed"),
    ("https://hooks.example/ü", "malformed"),
    ("https://[::1", "malformed"),
    ("https://::1/", "malformed"),
    ("https://[::1%25eth0]/", "malformed"),
    ("https://[fe80::1%eth0]/", "malformed"),
    ("https://[v1.fe80::1]/", "malformed"),
    ("https://[127.0.0.1]/", "malformed"),
    ("https://[:::1]/", "malformed"),
    ("https://[::1]x/", "malformed"),
    ("https://hooks.example:/", "malformed"),
    ("https://hooks.example:443:443/", "malformed"),
    ("https://hooks.example:+443/", "malformed"),
    ("https://hooks.example:４４３/", "malformed"),
    ("https://hooks.example:0/", "port"),
    ("https://hooks.example:22/", "port"),
    ("https://hooks.example:80/", "port"),
    ("https://hooks.example:8443/", "port"),
    ("https://hooks.example:65536/", "port"),
    ("https://hooks.example:65979/", "port"),
    ("http://hooks.example/", "scheme"),
    ("HTTP://hooks.example/", "scheme"),
    ("http://hooks.example:443/", "scheme"),
    ("ftp://hooks.example/", "scheme"),
    ("file:///etc/passwd", "scheme"),
    ("gopher://127.0.0.1:6379/_INFO", "scheme"),
    ("unix://hooks.example", "scheme"),
    ("https://user@hooks.example/", "userinfo"),
    ("https://user:pass@127.0.0.1/", "userinfo"),
    ("https://hooks.example@127.0.0.1/", "userinfo"),
    ("https://hooks.example:443@127.0.0.1/", "userinfo"),
    ("https://@hooks.example/", "userinfo"),
    ("https://user@@127.0.0.1/", "userinfo"),
]
GOOD = [
    ("https://hooks.clinic.example", NAME, "/"),
    ("https://hooks.clinic.example:443/", NAME, "/"),
    ("https://hooks.clinic.example:0443/", NAME, "/"),
    ("HTTPS://Hooks.Clinic.EXAMPLE/A/b", NAME, "/A/b"),
    ("https://hooks.clinic.example?a=b&c=%20", NAME, "/?a=b&c=%20"),
    ("https://hooks.clinic.example/@x:y;z=(1)*$'!,+", NAME, "/@x:y;z=(1)*$'!,+"),
    ("https://xn--mnchen-3ya.example/", "xn--mnchen-3ya.example", "/"),
    ("https://127-0-0-1.example/", "127-0-0-1.example", "/"),
    ("https://1.2.3.example/", "1.2.3.example", "/"),
    (f"https://{PUBLIC}/", PUBLIC, "/"),
    (
        "https://[2606:2800:21F:CB07:6820:80DA:AF6B:8B2C]/",
        "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
        "/",
    ),
]


class Certificate(NamedTuple):
    """What a server on loopback shows, and who trusts it."""

    server: ssl.SSLContext
    client: ssl.SSLContext


class Names:
    """A resolver that answers as it is told, one answer after the other, the last for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.asked: list[str] = []
        self._answers = answers

    def __call__(self, name: str, port: int) -> Sequence[str]:
        self.asked.append(name)
        return self._answers[min(len(self.asked), len(self._answers)) - 1]


@lru_cache(1)
def a_certificate() -> Certificate:
    """One that signed itself, for the name, for `localhost` and for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    alternatives = [
        x509.DNSName(NAME),
        x509.DNSName("localhost"),
        x509.IPAddress(ip_address("127.0.0.1")),
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain = certificate.public_bytes(Encoding.PEM)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "server.pem"
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(chain + secret)
        server.load_cert_chain(path)
    return Certificate(server, ssl.create_default_context(cadata=chain.decode()))


class Listener(socketserver.ThreadingTCPServer):
    """A server on loopback whose answer is a function of the connection."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self, talk: Callable[[socket.socket], None], tls: ssl.SSLContext | None, address: str
    ) -> None:
        self._talk = talk
        self._tls = tls
        self.connections = 0
        super().__init__((address, 0), socketserver.BaseRequestHandler)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def finish_request(self, request: object, _: object) -> None:
        assert isinstance(request, socket.socket)
        self.connections += 1
        request.settimeout(10)
        try:
            with self._tls.wrap_socket(request, server_side=True) if self._tls else request as wire:
                self._talk(wire)
        except OSError:
            pass  # the client has heard enough


@contextmanager
def listening(
    talk: Callable[[socket.socket], None],
    *,
    tls: ssl.SSLContext | None = None,
    address: str = "127.0.0.1",
) -> Iterator[Listener]:
    """A server for as long as the block lasts; at its end every connection is over."""
    with Listener(talk, tls, address) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Receiver:
    """Reads one request and answers it with the same text every time."""

    def __init__(self, status: int = 204, *headers: str, body: bytes = b"") -> None:
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *headers]
        self._answer = "\r\n".join([*lines, "", ""]).encode() + body
        self.requests: list[tuple[str, dict[str, str], bytes]] = []

    def __call__(self, wire: socket.socket) -> None:
        with wire.makefile("rb") as lines:
            first = lines.readline().decode().strip()
            headers: dict[str, str] = {}
            while line := lines.readline().decode().strip():
                name, _, value = line.partition(": ")
                headers[name.lower()] = value
            body = lines.read(int(headers["content-length"]))
        self.requests.append((first, headers, body))
        wire.sendall(self._answer)


def saying(answer: bytes) -> Callable[[socket.socket], None]:
    """A server that reads a little, answers whatever this is and hangs up."""

    def talk(wire: socket.socket) -> None:
        wire.recv(65_536)
        wire.sendall(answer)

    return talk


def refusal(url: str, allow: frozenset[Network] = frozenset(), *addresses: str) -> str:
    """Why nothing is sent. addresses: what the name stands for."""
    with pytest.raises(AddressRefused) as refused:
        post(url, b"{}", {}, allow=allow, resolve=Names(addresses))
    return refused.value.reason


def is_answer(number: str) -> bool:
    """Whether a resolver could answer with it."""
    try:
        ip_address(number)
    except ValueError:
        return False
    return True


class TestAddress:
    @pytest.mark.parametrize("number", NUMBERS)
    def test_a_neighbour_is_refused_in_every_spelling_when_it_is_registered(
        self, number: str
    ) -> None:
        with pytest.raises(AddressRefused) as refused:
            check_url(f"https://{number}/hook")

        assert refused.value.reason in {"address", "malformed"}

    @pytest.mark.parametrize(("url", "reason"), SPELLINGS)
    def test_only_one_spelling_is_an_address(self, url: str, reason: str) -> None:
        with pytest.raises(AddressRefused) as refused:
            check_url(url)

        assert refused.value.reason == reason
        assert str(refused.value) == reason

    def test_no_neighbour_is_reached_in_any_spelling_and_on_any_port(self) -> None:
        receiver = Receiver()
        with listening(receiver) as server:
            ports = ["", f":{server.port}", ":443", ":80"]
            urls = [
                f"{scheme}://{number}{port}/"
                for scheme in ("https", "http")
                for number in NUMBERS
                for port in ports
            ] + [url for url, _ in SPELLINGS]

            for url in urls:
                with pytest.raises(AddressRefused):
                    post(url, b"{}", {})

        assert len(urls) > 60
        assert server.connections == 0

    @pytest.mark.parametrize(("url", "host", "target"), GOOD)
    def test_an_ordinary_address_is_taken_apart(self, url: str, host: str, target: str) -> None:
        endpoint = check_url(url)

        assert endpoint == parse(url) == ("https", host, 443, target)

    def test_the_origin_names_a_port_only_where_it_is_not_the_scheme_s_own(self) -> None:
        assert parse("https://Push.Example:443/x").origin == "https://push.example"
        assert parse("https://push.example:8443/x").origin == "https://push.example:8443"
        assert parse("http://push.example/x").origin == "http://push.example"
        assert parse("https://[2606:2800::1]/").origin == "https://[2606:2800::1]"

    @given(st.one_of(st.text(), st.text("0123456789abcdefx.:[]@%/\\-").map("https://{}".format)))
    def test_whatever_is_sent_is_an_address_in_one_spelling_or_refused(self, url: str) -> None:
        try:
            endpoint = check_url(url)
        except AddressRefused:
            return

        assert url.isascii()
        assert check_url(endpoint.origin + endpoint.target) == endpoint

    def test_an_opened_network_may_be_registered_with_http_and_any_port(self) -> None:
        assert check_url("http://127.0.0.1:8080/", allow=LOOPBACK).port == 8080
        assert check_url("http://receiver:8080/", allow=LOOPBACK).host == "receiver"

    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            ("https://10.0.0.1/", "address"),
            ("http://10.0.0.1:8080/", "address"),
            (f"http://{PUBLIC}/", "scheme"),
            (f"https://{PUBLIC}:8443/", "port"),
        ],
    )
    def test_an_opened_network_opens_no_other(self, url: str, reason: str) -> None:
        with pytest.raises(AddressRefused) as refused:
            check_url(url, allow=LOOPBACK)

        assert refused.value.reason == reason

    @pytest.mark.parametrize("name", ["clinic.example", "a", "xn--mnchen-3ya.example", "A-1.b2"])
    def test_a_host_name_is_letters_digits_and_hyphens(self, name: str) -> None:
        assert is_host_name(name)

    @pytest.mark.parametrize(
        "name", ["", "a.", ".a", "-a", "a_b", "münchen", "1.2.3.4", "a.1", "a\n"]
    )
    def test_a_number_and_anything_else_is_no_host_name(self, name: str) -> None:
        assert not is_host_name(name)


class TestName:
    @pytest.mark.parametrize("number", [n.strip("[]") for n in NUMBERS if is_answer(n.strip("[]"))])
    def test_a_name_that_stands_for_a_neighbour_is_refused(self, number: str) -> None:
        assert refusal(f"https://{NAME}/", frozenset(), number) == "address"
        assert refusal(f"https://{NAME}/", frozenset(), PUBLIC, number) == "address"

    def test_a_zone_of_a_link_is_refused(self) -> None:
        assert refusal(f"https://{NAME}/", frozenset(), "fe80::1%eth0") == "address"

    def test_a_name_is_looked_up_once_and_the_number_judged_is_the_number_called(self) -> None:
        receiver, trap = Receiver(), Receiver()
        names = Names(["127.0.0.1"], ["127.0.0.2"])
        with listening(receiver) as server, listening(trap, address="127.0.0.2") as other:
            url = f"http://{NAME}:{server.port}/"
            allow = frozenset[Network]({ip_network("127.0.0.1/32")})
            answer = post(url, b"{}", {}, allow=allow, resolve=names)

            assert answer.status == 204
            assert names.asked == [NAME]
            assert other.connections == 0
            # What the name stands for now would be refused.
            with pytest.raises(AddressRefused):
                post(url, b"{}", {}, allow=allow, resolve=names)

        assert (server.connections, other.connections) == (1, 0)

    def test_one_neighbour_among_opened_numbers_refuses_them_all(self) -> None:
        receiver = Receiver()
        with listening(receiver) as server:
            url = f"http://{NAME}:{server.port}/"

            assert refusal(url, LOOPBACK, "127.0.0.1", "10.0.0.1") == "address"
            assert refusal(url, LOOPBACK, "127.0.0.1", PUBLIC) == "scheme"
            assert refusal(url.replace("http", "https"), LOOPBACK, PUBLIC) == "port"

        assert server.connections == 0

    def test_the_next_number_is_tried_where_one_does_not_accept(self) -> None:
        receiver = Receiver()
        with listening(receiver) as server:
            names = Names(["127.0.0.3", "127.0.0.3", "127.0.0.1", "127.0.0.4"])
            answer = post(f"http://{NAME}:{server.port}/", b"", {}, allow=LOOPBACK, resolve=names)

        assert answer.status == 204

    def test_a_name_that_nobody_has_is_no_answer(self) -> None:
        def unknown(name: str, port: int) -> list[str]:
            raise socket.gaierror(socket.EAI_NONAME, f"{name}:{port}")

        for resolve in (unknown, Names([])):
            with pytest.raises(NoAnswer) as failed:
                post(f"https://{NAME}/", b"", {}, resolve=resolve)
            assert str(failed.value) == ""

    def test_a_slow_name_server_is_not_waited_for(self) -> None:
        def slow(_: str, __: int) -> list[str]:
            time.sleep(2)
            return [PUBLIC]

        began_at = time.monotonic()
        with pytest.raises(NoAnswer):
            post(f"https://{NAME}/", b"", {}, timeout=0.2, resolve=slow)

        assert time.monotonic() - began_at < 1.5

    def test_the_system_is_asked_where_nobody_else_is_named(self) -> None:
        receiver = Receiver()
        with listening(receiver) as server:
            allow = LOOPBACK | {ip_network("::1/128")}
            answer = post(f"http://localhost:{server.port}/", b"", {}, allow=allow)

        assert answer.status == 204


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
