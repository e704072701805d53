"""A wire to PostgreSQL that listens, and breaks at one exact message.

It stands between a client and the server and passes everything on. It knows where messages
begin and end, so that a test can count round trips, lose the answer to a COMMIT and nothing
else, or say nothing at all.

Source: PostgreSQL manual, chapter "Frontend/Backend Protocol", section "Message Formats".
"""

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from types import TracebackType
from typing import Final, Self

from psycopg.conninfo import conninfo_to_dict

from app.kernel.db import libpq

COMMAND_COMPLETE: Final = b"C"
READY: Final = b"Z"
_PARSE: Final = b"P"
_BIND: Final = b"B"
_SYNC: Final = b"S"


def message(kind: bytes, body: bytes) -> bytes:
    """One message as it stands on the wire."""
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def a_fatal_error(sqlstate: str) -> bytes:
    """What a server says before it hangs up."""
    fields = b"SFATAL\0VFATAL\0C" + sqlstate.encode() + b"\0Mgone\0\0"
    return message(b"E", fields)


class Between:
    """Listens on a loopback port of its own while it is entered.

    url: for the client. trips: the statements of every round trip since `forget`, in order.
    answer: called with the kind and body of each of the server's messages; what it returns is
        passed on, and None cuts the connection there.
    """

    def __init__(self, url: str) -> None:
        self._server = conninfo_to_dict(libpq(url))
        self._door = socket.create_server(("127.0.0.1", 0))
        self._threads: list[Thread] = []
        self._sockets: list[socket.socket] = []
        password = self._server.get("password")
        login = f"{self._server['user']}{f':{password}' if password else ''}"
        self.url = (
            f"postgresql+psycopg://{login}@127.0.0.1:{self._door.getsockname()[1]}"
            f"/{self._server['dbname']}?sslmode=disable&gssencmode=disable"
        )
        self.trips: list[list[str]] = []
        self.answer: Callable[[bytes, bytes], bytes | None] = message
        self.connections = 0

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close_door()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def forget(self) -> None:
        """Begin to count anew."""
        self.trips.clear()

    def lose(self, tag: bytes, *, times: int = 1) -> None:
        """Cut the connection instead of passing on that a command such as COMMIT is done."""
        left = times

        def answer(kind: bytes, body: bytes) -> bytes | None:
            nonlocal left
            if left and kind == COMMAND_COMPLETE and body.startswith(tag):
                left -= 1
                return None
            return message(kind, body)

        self.answer = answer

    def fall_silent(self) -> None:
        """Swallow whatever the server says from now on."""
        self.answer = lambda kind, body: b""

    def cut(self) -> None:
        """Break every connection there is."""
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Break every connection there is, without the courtesy of an end."""
        for one in self._sockets:
            with suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RD)  # wakes whoever reads here, and says nothing there

    def close_door(self) -> None:
        """Take no new connections."""
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def _begin(self, work: Callable[[], None]) -> None:
        thread = Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            self.connections += 1
            server = self._connect()
            self._sockets += [client, server]
            self._begin(lambda client=client, server=server: self._listen(client, server))  # type: ignore[misc]
            self._begin(lambda client=client, server=server: self._speak(server, client))  # type: ignore[misc]

    def _connect(self) -> socket.socket:
        host, port = str(self._server.get("host", "")), int(self._server.get("port") or 5432)
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def _listen(self, client: socket.socket, server: socket.socket) -> None:
        """What the client says, and what it says it with."""
        names: dict[bytes, str] = {}
        trip: list[str] = []
        said = _Said(client)
        with suppress(OSError):
            startup = said.take(int.from_bytes(length := said.take(4), "big") - 4)
            server.sendall(length + startup)
            while True:
                kind, body = said.message()
                if kind == _PARSE:
                    name, sql = body.split(b"\0", 2)[:2]
                    names[name] = " ".join(sql.decode().split())
                elif kind == _BIND:
                    trip.append(names[body.split(b"\0", 2)[1]])
                elif kind == _SYNC:
                    self.trips.append(trip)
                    trip = []
                server.sendall(message(kind, body))
        _hang_up(client, server)

    def _speak(self, server: socket.socket, client: socket.socket) -> None:
        """What the server answers, as far as `answer` lets it."""
        said = _Said(server)
        with suppress(OSError):
            while (passed_on := self.answer(*said.message())) is not None:
                client.sendall(passed_on)
        _hang_up(server, client)


class _Said:
    """Bytes from a socket, in the pieces that were meant."""

    def __init__(self, source: socket.socket) -> None:
        self._source = source
        self._rest = b""

    def take(self, size: int) -> bytes:
        """Raises: OSError at the end."""
        while len(self._rest) < size:
            more = self._source.recv(65536)
            if not more:
                raise OSError
            self._rest += more
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def message(self) -> tuple[bytes, bytes]:
        """Kind and body. Raises: OSError at the end."""
        head = self.take(5)
        return head[:1], self.take(int.from_bytes(head[1:], "big") - 4)


def _hang_up(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RD)
        end.close()
