"""An HTTPS POST to an address that somebody else chose, and that cannot be turned against us.

Whoever names an address for us to call would like us to call our own neighbours: the database,
the metadata service of the cloud, a printer. So an address is read strictly, in one spelling; its
name is looked up once; every number the name stands for has to be public; and the connection goes
to the very number that was judged, whatever the name stands for a moment later. The certificate
is still checked against the name. No redirect is followed, no proxy of the environment is used,
and the body of the answer is never read.

A deployment may open networks of its own (`AFTERGLOW_OUTBOUND_ALLOW`). Only there may an address
be plain http, or on another port than 443.

Sources: RFC 3986 (addresses), RFC 6890 with the IANA IPv4 and IPv6 Special-Purpose Address
Registries (what is not public), RFC 9110 section 10.2.3 (Retry-After), OWASP Server-Side Request
Forgery Prevention Cheat Sheet.
"""

import io
import re
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http.client import HTTPConnection, HTTPException
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, Final, Literal, NamedTuple

Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Sequence[str]]
"""The numbers a name stands for: name and port to addresses. Raises: OSError."""

MAX_URL_LENGTH: Final = 2048  # characters
MAX_RETRY_AFTER: Final = 86_400.0  # seconds

_MAX_ADDRESSES: Final = 4  # of one name, tried in turn
_HTTPS_PORT: Final = 443

_URL: Final = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#\\]*)((?:[/?][A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?)"
)
_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?")
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*{_LABEL}")
# Where a name's last label looks like this, resolvers and browsers read the whole as an IPv4
# address: 2130706433, 0x7f.1 and 0177.0.0.1 are all 127.0.0.1.
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")

# An explicit list: what `ipaddress` calls global differs between versions of Python.
_NOT_PUBLIC: Final = tuple(
    ip_network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's platform: a public number that only a machine's host answers
        "169.254.0.0/16",  # link-local, and with it the metadata service of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address inside
        "3fff::/20",  # documentation
    )
)
# IANA assigns global unicast from this block alone. Outside of it lie loopback, mapped and
# translated IPv4 (::ffff:0:0/96, 64:ff9b::/96), unique local, link-local and multicast.
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")

RefusalReason = Literal["malformed", "scheme", "userinfo", "port", "address"]


class AddressRefused(Exception):
    """Nothing is sent to this address. `reason` is for counting; it never repeats the address."""

    def __init__(self, reason: RefusalReason) -> None:
        super().__init__(reason)
        self.reason: RefusalReason = reason


class NoAnswer(Exception):
    """The other side could not be reached, broke off or took too long. What was sent may have
    arrived.
    """


class Endpoint(NamedTuple):
    """An address, taken apart.

    scheme: `https` or `http`. host: lower case; a number without brackets. port: 1 to 65535.
    target: path and query, never empty.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them: a scheme's own port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = _HTTPS_PORT if self.scheme == "https" else 80
        return host if self.port == usual else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Source: RFC 6454 section 6.2."""
        return f"{self.scheme}://{self.authority}"


class Posted(NamedTuple):
    """What came back. status: 100 to 999. retry_after: seconds, 0 to a day, if it was said."""

    status: int
    retry_after: float | None


def is_host_name(text: str) -> bool:
    """Whether this is a name of letters, digits and hyphens (RFC 1123 section 2.1), not a number.

    An internationalised name is one in its ASCII form only (`xn--…`).
    """
    return bool(_HOST_NAME.fullmatch(text)) and not _is_number(text)


def parse(url: str) -> Endpoint:
    """Take an address apart. It may still be one that must not be called.

    Raises: AddressRefused.
    """
    parts = _URL.fullmatch(url) if len(url) <= MAX_URL_LENGTH else None
    if parts is None:
        raise AddressRefused("malformed")
    scheme, authority, target = parts.groups()
    scheme = scheme.lower()
    if scheme not in {"https", "http"}:
        raise AddressRefused("scheme")
    if "@" in authority:
        raise AddressRefused("userinfo")
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise AddressRefused("malformed")
    host = found[1].lower()
    port = int(found[2] or (_HTTPS_PORT if scheme == "https" else 80))
    if not 0 < port < 65_536:
        raise AddressRefused("port")
    return Endpoint(scheme, _host(host), port, target if target.startswith("/") else f"/{target}")


def check_url(url: str, *, allow: frozenset[Network] = frozenset()) -> Endpoint:
    """Judge an address without looking its name up: for when somebody registers it.

    allow: networks that may be called although they are not public. With any of them, http and
        other ports pass here for a name, and are judged by its number when it is called.
    Raises: AddressRefused.
    """
    endpoint = parse(url)
    if not allow and endpoint.scheme != "https":
        raise AddressRefused("scheme")
    if not allow and endpoint.port != _HTTPS_PORT:
        raise AddressRefused("port")
    if _is_literal(endpoint.host):
        _require_reachable(endpoint, [endpoint.host], allow)
    elif not allow and "." not in endpoint.host:
        raise AddressRefused("address")  # a name of one label is known in private networks only
    return endpoint


def look_up(name: str, port: int) -> list[str]:
    """The numbers a name stands for, as the system has them. Raises: OSError."""
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


@lru_cache(1)
def system_trust() -> ssl.SSLContext:
    """The authorities the system trusts, or those of SSL_CERT_FILE."""
    return ssl.create_default_context()


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    timeout: float = 5.0,
    allow: frozenset[Network] = frozenset(),
    resolve: Resolve = look_up,
    tls: ssl.SSLContext | None = None,
) -> Posted:
    """POST and wait for the status line and headers of the answer. Blocking.

    timeout: seconds for all of it, the look-up included, however slowly the other side drips.
    allow: as for `check_url`.
    tls: whom to trust. Default: the authorities the system trusts.
    Raises: AddressRefused, before anything is connected; NoAnswer; ValueError for a header that
        is more than one line.
    """
    deadline = monotonic() + timeout
    endpoint = check_url(url, allow=allow)
    try:
        addresses = _resolved(endpoint, resolve, deadline)
        _require_reachable(endpoint, addresses, allow)
        return _exchanged(endpoint, addresses, body, headers, deadline, tls or system_trust())
    except (OSError, HTTPException):
        raise NoAnswer from None  # the error's text would quote what the other side said


def _host(host: str) -> str:
    """A name, or a number in its one ordinary spelling, without brackets."""
    if host.startswith("["):
        try:
            return str(IPv6Address(host[1:-1]))
        except ValueError:
            raise AddressRefused("malformed") from None
    if _is_number(host) and not _is_literal(host):
        raise AddressRefused("address")
    if not _HOST_NAME.fullmatch(host):
        raise AddressRefused("malformed")
    return host


def _is_number(host: str) -> bool:
    """Whether a resolver might read it as an IPv4 address, in whatever spelling.

    Source: WHATWG URL Standard, the ends-in-a-number checker; a final dot changes nothing.
    """
    return bool(_NUMBER.fullmatch(host.lower().removesuffix(".").rpartition(".")[2]))


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _require_reachable(
    endpoint: Endpoint, addresses: Sequence[str], allow: frozenset[Network]
) -> None:
    """One bad number among many refuses them all: a name that mixes them means harm."""
    numbers = [ip_address(address) for address in addresses]
    opened = [any(number in network for network in allow) for number in numbers]
    if not all(is_open or _is_public(n) for n, is_open in zip(numbers, opened, strict=True)):
        raise AddressRefused("address")
    if not all(opened):
        if endpoint.scheme != "https":
            raise AddressRefused("scheme")
        if endpoint.port != _HTTPS_PORT:
            raise AddressRefused("port")


def _is_public(number: IPv4Address | IPv6Address) -> bool:
    if number.version == 6 and number not in _GLOBAL_UNICAST:
        return False
    return not any(number in block for block in _NOT_PUBLIC)


def _resolved(endpoint: Endpoint, resolve: Resolve, deadline: float) -> list[str]:
    """The numbers of a host, at least one. Raises: NoAnswer."""
    if _is_literal(endpoint.host):
        return [endpoint.host]
    answer: SimpleQueue[Sequence[str]] = SimpleQueue()

    def ask() -> None:
        try:
            answer.put(resolve(endpoint.host, endpoint.port))
        except OSError:
            answer.put(())

    # The system's resolver knows no deadline, and a name server of the other side's may be slow
    # on purpose. The thread left behind ends with the resolver's own patience.
    Thread(target=ask, daemon=True).start()
    try:
        found = answer.get(timeout=max(0.0, deadline - monotonic()))
    except Empty:
        found = ()
    if not found:
        raise NoAnswer
    return list(dict.fromkeys(found))


def _exchanged(
    endpoint: Endpoint,
    addresses: Sequence[str],
    body: bytes,
    headers: Mapping[str, str],
    deadline: float,
    tls: ssl.SSLContext,
) -> Posted:
    """One request and the head of its answer. Raises: OSError, HTTPException."""
    with _connected(addresses[:_MAX_ADDRESSES], endpoint.port, deadline) as plain:
        plain.settimeout(_left(deadline))
        secure = endpoint.scheme == "https"
        with tls.wrap_socket(plain, server_hostname=endpoint.host) if secure else plain as wire:
            connection = HTTPConnection(endpoint.host, endpoint.port)
            connection.sock = _Deadlined(wire, deadline)
            ours = {"Host": endpoint.authority, "User-Agent": "Afterglow", "Connection": "close"}
            connection.request("POST", endpoint.target, body, {**ours, **headers})
            answer = connection.getresponse()
            return Posted(answer.status, _retry_after(answer.headers))


def _connected(addresses: Sequence[str], port: int, deadline: float) -> socket.socket:
    """A connection to the first that accepts, each given an equal share of the time left."""
    for index, address in enumerate(addresses):
        try:
            share = _left(deadline) / (len(addresses) - index)
            return socket.create_connection((address, port), timeout=share)
        except OSError:
            continue
    raise NoAnswer


class _Deadlined(io.RawIOBase):
    """A socket as `http.client` uses one, with one deadline for all that happens on it.

    A socket's own timeout begins again with every byte that arrives.
    """

    def __init__(self, wire: socket.socket, deadline: float) -> None:
        self._wire = wire
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._wire.settimeout(_left(self._deadline))
        return self._wire.recv_into(buffer)

    def sendall(self, content: bytes) -> None:
        self._wire.settimeout(_left(self._deadline))
        self._wire.sendall(content)

    def makefile(self, _: str) -> io.BufferedReader:
        # Of its own: the library closes the socket first and what it reads from after.
        return io.BufferedReader(_Deadlined(self._wire, self._deadline), 1024)


def _left(deadline: float) -> float:
    """Seconds until then. Raises: TimeoutError if there are none."""
    seconds = deadline - monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _retry_after(headers: Message) -> float | None:
    """Seconds to wait; a date is taken by the other side's own clock, not by ours."""
    wish = str(headers.get("Retry-After", ""))
    if re.fullmatch(r"[0-9]{1,9}", wish):
        seconds = float(wish)
    else:
        try:
            present = parsedate_to_datetime(str(headers.get("Date", "")))
            seconds = (parsedate_to_datetime(wish) - present).total_seconds()
        except Exception:
            return None  # hostile dates fail in more ways than the parser's documentation lists
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
