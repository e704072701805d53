"""What every response has in common, whatever answered it.

Security headers, a bound on the body, a count, and one place where an unexpected exception
becomes a problem document. Plain ASGI, because it is on every request's path.
"""

from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

from prometheus_client import Counter, Histogram
from uuid_utils.compat import uuid7

from app.kernel.edge import (
    IN_PIECES,
    LARGER_BODIES,
    MAX_BODY,
    PIECES_BODY,
    App,
    Message,
    Receive,
    Scope,
    Send,
    problem_response,
)
from app.kernel.errors import Fault, Kind, Problem
from app.kernel.log import logger

_HEADERS: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"strict-transport-security", b"max-age=63072000; includeSubDomains"),
]
# What an answer says of these itself holds: of two policies a browser would keep to both.
_UNLESS_SAID: Final = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
]

REQUESTS: Final = Counter("afterglow_requests", "Requests answered.", ["method", "status"])
SECONDS: Final = Histogram(
    "afterglow_request_seconds",
    "From the first byte of a request to the first of its answer.",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_METHODS: Final = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}


class _TooLarge(Exception):
    """The body went on beyond its bound."""

    def __init__(self, bound: int) -> None:
        super().__init__()
        self.bound = bound


class Frame:
    """ASGI middleware around the whole application.

    add_help: says whom to call in a problem, where the answer to this request would have.
    """

    def __init__(self, app: App, add_help: Callable[[Scope, Problem], None] | None = None) -> None:
        self._app = app
        self._add_help = add_help
        self._counters: dict[tuple[str, int], Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        is_started = False

        async def send_framed(message: Message) -> None:
            nonlocal is_started
            if message["type"] == "http.response.start":
                is_started = True
                headers = message["headers"]
                said = {name for name, _ in headers}
                headers.extend(_HEADERS)
                headers.extend(one for one in _UNLESS_SAID if one[0] not in said)
                self._count(scope["method"], message["status"], perf_counter() - began)
            await send(message)

        try:
            await self._app(scope, _bounded(scope, receive), send_framed)
        except _TooLarge as too_large:
            await self._answer(_too_large(too_large.bound), scope, receive, send_framed)
        except Exception as error:
            reference = uuid7()
            logger().error(
                "request.failed", reference=str(reference), method=scope["method"], error=error
            )
            if is_started:
                raise
            problem = Problem(Kind.INTERNAL, extra={"instance": f"urn:uuid:{reference}"})
            await self._answer(problem, scope, receive, send_framed)

    async def _answer(self, problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
        if self._add_help is not None:
            # What could not be stored may have been a sign of danger.
            self._add_help(scope, problem)
        # The last of several headers counts, as in a `Route`.
        wanted = dict(scope["headers"]).get(b"accept-language")
        response = problem_response(problem, wanted.decode("latin-1") if wanted else None, scope)
        await response(scope, receive, send)

    def _count(self, method: str, status: int, seconds: float) -> None:
        SECONDS.observe(seconds)
        counter = self._counters.get((method, status))
        if counter is None:
            label = method if method in _METHODS else "other"
            counter = REQUESTS.labels(label, str(status))
            if label == method:
                self._counters[method, status] = counter
        counter.inc()


def _bounded(scope: Scope, receive: Receive) -> Receive:
    """The same body, up to its bound. Raises: _TooLarge."""
    path = scope["path"]
    bound = PIECES_BODY if path.endswith(IN_PIECES) else LARGER_BODIES.get(path, MAX_BODY)
    for name, value in scope["headers"]:
        if name == b"content-length":
            # The server holds a client to the length it announced.
            if not value.isdigit() or len(value) > 12 or int(value) > bound:
                raise _TooLarge(bound)
            return receive
    left = bound

    async def receive_bounded() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise _TooLarge(bound)
        return message

    return receive_bounded


def _too_large(bound: int) -> Problem:
    return Problem(
        Kind.BODY_TOO_LARGE,
        detail=f"A body is at most {bound} bytes.",
        faults=[Fault("", "is too large")],
        headers={"Connection": "close"},
    )
