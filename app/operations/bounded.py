"""HTTP/1.1 as uvicorn speaks it, with a bound on what comes before the body.

httptools hands over every header it reads and keeps no count; a request whose head has no end
would be kept in memory as it comes.
"""

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD: Final = 64 * 1024
"""Bytes of request line and headers."""


class BoundedProtocol(HttpToolsProtocol):  # type: ignore[misc,unused-ignore]
    """Hangs up on a request whose head is too long."""

    def on_message_begin(self) -> None:
        """A new request."""
        self._head = 0
        super().on_message_begin()

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
