"""From HTTP to a plain function and back.

A route function is plain and synchronous. FastAPI reads its signature and writes the
specification from it; at run time `Route` binds the same signature itself, because that is the
hot path: the body is validated straight from its bytes, the function runs in a transaction
(`db.Database.run`), its answer is turned into bytes, the transaction commits, and only then
does the response leave. A route function takes any of

    visit: Signed | Public      who is asking, when, and the transaction
    <name>: str                 path parameters, such as `patient_id`
    sent: SomeModel             the JSON (or form) body, a strict pydantic model
    <name>: <type> = <default>  query and header parameters

and returns a model (answered with the route's status), a `Reply`, or a `Problem` that must not
undo what was stored.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from app.kernel.clock import Clock
from app.kernel.db import Database, Db
from app.kernel.errors import Kind, Problem
from app.kernel.identity import Caller, Issuer
from app.kernel.strict import body_reader, parameter_reader

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PROBLEM_MEDIA: Final = "application/problem+json"
MAX_BODY: Final = 1024 * 1024
"""Bytes of any body, unless its route says otherwise."""


@dataclass(slots=True, frozen=True)
class Visit:
    """One request: the transaction, who asks, and when."""

    db: Db
    now: datetime
    address: str
    issuer: Issuer
    caller: Caller


@dataclass(slots=True)
class Reply:
    """An answer that needs more than a body.

    body: a model, or bytes that are JSON already. status: None for the route's own.
    """

    body: BaseModel | bytes | None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


@dataclass(slots=True, frozen=True)
class Desk:
    """What the edge works with; one per application."""

    database: Database
    issuer: Issuer
    clock: Clock


_bearer = OAuth2PasswordBearer(
    tokenUrl="v1/auth/token", refreshUrl="v1/auth/token", auto_error=False
)


def _is_signed(_: Annotated[str | None, Depends(_bearer)]) -> None:
    """A marker: FastAPI reads the security scheme from it, `Route` the wish for a caller."""


def _is_public() -> None:
    """A marker: nobody needs to be signed in."""


Signed = Annotated[Visit, Depends(_is_signed)]
Public = Annotated[Visit, Depends(_is_public)]

_NOBODY: Final = Caller.nobody()


class Route(APIRoute):
    """A FastAPI route whose function is plain code in a transaction."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.verbs: frozenset[str] = frozenset(self.methods or ())
        dependant = self.dependant
        (visit,) = dependant.dependencies
        self._visit_name = str(visit.name)
        self._is_signed = visit.call is _is_signed
        self._success = self.status_code or 200
        self._read_body = body_reader(self.body_field) if self.body_field else None
        self._body_name = dependant.body_params[0].name if self.body_field else ""
        named = [*dependant.query_params, *dependant.header_params]
        self._read_parameters = parameter_reader(named) if named else None

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] not in self.verbs:
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(self.verbs))})
        desk: Desk = scope["app"].state.desk
        now = desk.clock()
        try:
            sent_headers = dict(scope["headers"])
            caller = authenticate(sent_headers, desk, now) if self._is_signed else _NOBODY
            given: dict[str, Any] = scope["path_params"].copy()
            if self._read_parameters is not None:
                given |= self._read_parameters(scope["query_string"], sent_headers)
            if self._read_body is not None:
                media = sent_headers.get(b"content-type", b"")
                given[self._body_name] = self._read_body(media, await _whole_body(receive))
            client = scope["client"]
            address = client[0] if client else ""

            def work(db: Db) -> _Rendered:
                if caller is not _NOBODY:
                    db.enter(caller.clinic_id)
                given[self._visit_name] = Visit(db, now, address, desk.issuer, caller)
                return _render(self.endpoint(**given), self._success)

            status, headers, body = await desk.database.run(work)
        except Problem as problem:
            status, headers, body = _render_problem(problem)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def router(tag: str) -> APIRouter:
    """A feature's router."""
    return APIRouter(route_class=Route, tags=[tag])


def authenticate(headers: Mapping[bytes, bytes], desk: Desk, now: datetime) -> Caller:
    """Whose token this is; account state is read later, in the transaction.

    Raises: Problem NOT_SIGNED_IN.
    """
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    if not token:
        raise Problem(Kind.NOT_SIGNED_IN, headers={"WWW-Authenticate": "Bearer"})
    if scheme.lower() == b"bearer":
        caller = desk.issuer.caller(token.decode("latin-1"), now.timestamp())
        if caller is not None:
            return caller
    raise Problem(Kind.NOT_SIGNED_IN, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


async def _whole_body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body
    parts = [body]
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
    return b"".join(parts)


_Rendered = tuple[int, list[tuple[bytes, bytes]], bytes]


def _render(answer: Any, status: int) -> _Rendered:
    """The answer as it leaves; made before the commit, so that what is stored can be told."""
    if isinstance(answer, Problem):
        # Returned and not raised, so that what the verb stored about it is kept.
        return _render_problem(answer)
    headers: Mapping[str, str] = {}
    media_type = b"application/json"
    if isinstance(answer, Reply):
        status, headers = answer.status or status, answer.headers
        media_type, answer = answer.media_type.encode(), answer.body
    if answer is None:
        body = b""
    elif isinstance(answer, bytes):
        body = answer
    else:
        body = answer.__pydantic_serializer__.to_json(answer)
    return status, _raw(headers, media_type, body), body


def _render_problem(problem: Problem) -> _Rendered:
    body = to_json(problem.body())
    headers = {"Cache-Control": "no-store", **problem.headers}
    return problem.kind.status, _raw(headers, PROBLEM_MEDIA.encode(), body), body


def _raw(headers: Mapping[str, str], media: bytes, body: bytes) -> list[tuple[bytes, bytes]]:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    raw.append((b"content-length", b"%d" % len(body)))
    if body:
        raw.append((b"content-type", media))
    return raw


def problem_response(problem: Problem) -> Response:
    """The problem as application/problem+json, for those who answer with a Response."""
    status, headers, body = _render_problem(problem)
    response = Response(status_code=status)
    response.body, response.raw_headers = body, headers
    return response


def install_problems(app: FastAPI) -> None:
    """What is raised outside of a `Route` is answered from the same catalogue.

    An exception that nobody expected, in what Starlette itself serves, is answered here before
    `frame` sees it; in a `Route` by `frame`.
    """

    async def of_problem(_: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return problem_response(error)

    async def of_http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        kind = _OF_STATUS.get(error.status_code, Kind.MALFORMED_REQUEST)
        return problem_response(Problem(kind, headers=dict(error.headers or {})))

    async def of_validation(_: Request, error: Exception) -> Response:
        return problem_response(Problem(Kind.INVALID))

    async def of_anything(_: Request, error: Exception) -> Response:
        return problem_response(Problem(Kind.INTERNAL))

    app.add_exception_handler(Exception, of_anything)
    app.add_exception_handler(Problem, of_problem)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(RequestValidationError, of_validation)


_OF_STATUS: Final = {
    404: Kind.NOT_FOUND,
    405: Kind.METHOD_NOT_ALLOWED,
    413: Kind.BODY_TOO_LARGE,
    415: Kind.UNSUPPORTED_MEDIA_TYPE,
}
