"""HTTP/1.1 as uvicorn speaks it, with a bound on what comes before the body, and on its end.

httptools hands over every header it reads and keeps no count; a request whose head has no end
would be kept in memory as it comes. An answer that goes on has no end of its own: it has to be
told that the server stops, and it must be possible to hang up on a reader who reads nothing.
"""

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.kernel.events import HANG_UP

MAX_HEAD: Final = 64 * 1024
"""Bytes of request line and headers."""


class BoundedProtocol(HttpToolsProtocol):  # type: ignore[misc,unused-ignore]
    """Hangs up on a request whose head is too long."""

    def on_message_begin(self) -> None:
        """A new request."""
        self._head = 0
        super().on_message_begin()
        self.scope["extensions"] = {HANG_UP: self.transport.abort}  # type: ignore[dict-item]

    def shutdown(self) -> None:
        """The server stops."""
        self.app_state["end_streams"]()
        super().shutdown()

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        if self._is_bounded(len(url)):
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        if self._is_bounded(len(name) + len(value)):
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self._head <= MAX_HEAD:
            super().on_headers_complete()

    def _is_bounded(self, more: int) -> bool:
        self._head += more
        if self._head > MAX_HEAD:
            self.transport.close()
            return False
        return True
