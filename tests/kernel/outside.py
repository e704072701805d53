"""Names, numbers and servers outside, for the tests of what leaves."""

import socket
import socketserver
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from app.kernel.outbound import Network

NAME = "hooks.clinic.example"
LOOPBACK = frozenset[Network]({ip_network("127.0.0.0/8")})
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
