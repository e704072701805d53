"""From HTTP to a plain function and back.

A route function is plain and synchronous. FastAPI reads its signature and writes the
specification from it; at run time `Route` binds the same signature itself, because that is the
hot path: the body is validated straight from its bytes, the function runs in a transaction
(`db.Database.run`), its answer is turned into bytes, the transaction commits, and only then
does the response leave. A route function takes any of

    visit: Signed | Public | Calling | Enrolling      who is asking, when, and the transaction
    <name>: str                 path parameters, such as `patient_id`
    sent: SomeModel             the JSON (or form) body, a strict pydantic model
    <name>: <type> = <default>  query and header parameters

`Calling` is for a call for help, which nothing may turn away: a help token will do, and what
cannot be read of the body or the parameters is passed over. A route whose answer has a `safety`
block says whom to call in its problems too. `Enrolling` is for setting up a second factor, which
is all that somebody may do who has to.

A route returns a model (answered with the route's status), a `Reply`, an answer that goes on
(`Live`) or is made elsewhere first (`Awaited`), the wish for a body that is not to be held whole
(`Intake`), or a `Problem` that must not undo what was stored. A problem's title is in the language
that Accept-Language asks for, also where only the caller's clinic has it in that language.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from app.kernel.clock import Clock
from app.kernel.db import Database, Db, Query
from app.kernel.errors import Kind, Problem
from app.kernel.identity import Caller, Issuer
from app.kernel.renderer import Renderer
from app.kernel.strict import body_reader, lenient_reader, parameter_reader
from app.kernel.texts import ENGLISH, NOTHING_OWN, best_locale, is_shipped, speak

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PROBLEM_MEDIA: Final = "application/problem+json"
MAX_BODY: Final = 1024 * 1024
"""Bytes of any body, unless its address is listed."""
CALL_BODY: Final = 64 * 1024
"""Bytes that are read of a call for help, which may send any number."""
LARGER_BODIES: Final = {"/v1/sync": 8 * 1024 * 1024, "/v1/patients/me/flags": 1 << 62}
"""Bytes of a body, by address."""
IN_PIECES: Final = "/content"
"""How an address ends whose body is taken in pieces."""
PIECES_BODY: Final = 20 * 1024 * 1024
"""Bytes of a body that is taken in pieces."""
MAX_SYNC_CHANGES: Final = 500
"""In one POST /v1/sync."""


@dataclass(slots=True, frozen=True)
class Visit:
    """One request: the transaction, who asks, and when; and who draws what is to be seen."""

    db: Db
    now: datetime
    address: str
    issuer: Issuer
    caller: Caller
    renderer: Renderer


@dataclass(slots=True)
class Reply:
    """An answer that needs more than a body.

    body: a model, or bytes that are JSON already. status: None for the route's own.
    """

    body: BaseModel | bytes | None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


class Live:
    """An answer that goes on, after the transaction that allowed it is committed."""

    async def open(self) -> None:
        """Before anything is answered. Raises: Problem."""
        raise NotImplementedError

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as ASGI, until it ends; always called once it was opened."""
        raise NotImplementedError


class Intake:
    """A body that is taken after the transaction that allowed it is committed: see `pieces`."""

    async def take(self, database: Database, receive: Receive) -> Reply:
        """Take all of it, and answer. Raises: Problem."""
        raise NotImplementedError


class Awaited(Live):
    """An answer that is still to be made when the transaction is over, with no connection held.

    make: waits for what makes it. Raises: Problem.
    """

    def __init__(self, make: Callable[[], Awaitable[Reply]]) -> None:
        self._make = make
        self._made: _Rendered = (500, [], b"")

    async def open(self) -> None:
        """Make it."""
        self._made = _render(await self._make(), 200)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await _send(send, self._made)


@dataclass(slots=True, frozen=True)
class Desk:
    """What the edge works with; one per application.

    own_texts: asks for what the caller's clinic says in its own words, as JSON text. country_of:
    asks where the patient `:patient_id` lives. help_in: whom to call in a country, by locales.
    renderer: draws charts.
    problem_page: a problem as a page, for the addresses that people look at.
    """

    database: Database
    issuer: Issuer
    clock: Clock
    own_texts: Query[str] | None = None
    country_of: Query[str] | None = None
    help_in: Callable[[str, Sequence[str]], Mapping[str, object]] | None = None
    renderer: Renderer = field(default_factory=Renderer)
    problem_page: Callable[[Problem, str], Response | None] | None = None


_bearer = OAuth2PasswordBearer(
    tokenUrl="v1/auth/token", refreshUrl="v1/auth/token", auto_error=False
)


def _is_signed(_: Annotated[str | None, Depends(_bearer)]) -> None:
    """A marker: FastAPI reads the security scheme from it, `Route` the wish for a caller."""


def _is_public() -> None:
    """A marker: nobody needs to be signed in."""


def _is_calling(_: Annotated[str | None, Depends(_bearer)]) -> None:
    """A marker: somebody calls for help, with an access token or a help token."""


def _is_enrolling(_: Annotated[str | None, Depends(_bearer)]) -> None:
    """A marker: somebody sets up a second factor, signed in or on the way there."""


Enrolling = Annotated[Visit, Depends(_is_enrolling)]
Calling = Annotated[Visit, Depends(_is_calling)]
Signed = Annotated[Visit, Depends(_is_signed)]
Public = Annotated[Visit, Depends(_is_public)]

_NOBODY: Final = Caller.nobody()
_NO_CONTENT: Final = 204
_Rendered = tuple[int, list[tuple[bytes, bytes]], bytes]


# Whoever asks for another's record is in no danger, and what is missing and what is another's look
# the same.
_ABOUT_SOMEBODY_ELSE: Final = frozenset({Kind.NOT_FOUND, Kind.FORBIDDEN, Kind.NOT_A_PATIENT})


class Route(APIRoute):
    """A FastAPI route whose function is plain code in a transaction."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.verbs: frozenset[str] = frozenset(self.methods or ())
        dependant = self.dependant
        (visit,) = dependant.dependencies
        self._visit_name = str(visit.name)
        self._is_signed = visit.call is _is_signed
        self._is_calling = visit.call is _is_calling
        self._is_enrolling = visit.call is _is_enrolling
        answer = self.response_model
        self._says_whom_to_call = "safety" in getattr(answer, "model_fields", {})
        self._success = self.status_code or 200
        read = lenient_reader if self._is_calling else body_reader
        self._read_body = read(self.body_field) if self.body_field else None
        self._body_name = dependant.body_params[0].name if self.body_field else ""
        named = [*dependant.query_params, *dependant.header_params]
        self._read_parameters = (
            parameter_reader(named, is_lenient=self._is_calling) if named else None
        )

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] not in self.verbs:
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(self.verbs))})
        desk: Desk = scope["app"].state.desk
        now = desk.clock()
        sent_headers = dict(scope["headers"])
        caller = _NOBODY
        done: _Rendered | Live | Problem
        try:
            if self._is_signed or self._is_calling or self._is_enrolling:
                caller = authenticate(
                    sent_headers,
                    desk,
                    now,
                    is_calling=self._is_calling,
                    may_enrol=self._is_enrolling,
                )
            given = await self._what_was_sent(scope, sent_headers, receive)
            address = (scope["client"] or ("",))[0]

            def work(db: Db) -> _Rendered | Live | Intake | Problem:
                if caller is not _NOBODY:
                    db.enter(caller.clinic_id)
                given[self._visit_name] = Visit(
                    db, now, address, desk.issuer, caller, desk.renderer
                )
                answer = self.endpoint(**given)
                # A problem returned and not raised, so that what the verb stored is kept.
                if isinstance(answer, (Problem, Live, Intake)):
                    return answer
                return _render(answer, self._success)

            done = await self._goes_on(await desk.database.run(work), desk, receive)
        except Problem as problem:
            done = problem
        if isinstance(done, Live):
            await done.serve(scope, receive, send)
            return
        if isinstance(done, Problem):
            done = await self._told(done, scope, sent_headers, desk, caller)
        await _send(send, done)

    async def _goes_on(
        self, allowed: _Rendered | Live | Intake | Problem, desk: Desk, receive: Receive
    ) -> _Rendered | Live | Problem:
        """What the transaction allowed, begun. Raises: Problem."""
        if isinstance(allowed, Intake):
            return _render(await allowed.take(desk.database, receive), self._success)
        if isinstance(allowed, Live):
            await allowed.open()
        return allowed

    def add_help(self, scope: Scope, problem: Problem) -> None:
        """Whom to call, where an answer would say so. For whoever answers when the route could not;
        it asks nothing of the database.
        """
        if self._says_whom_to_call:
            _add_help(scope, scope["app"].state.desk, problem)

    async def _told(
        self,
        problem: Problem,
        scope: Scope,
        sent_headers: Mapping[bytes, bytes],
        desk: Desk,
        caller: Caller,
    ) -> _Rendered:
        if self._says_whom_to_call and problem.kind not in _ABOUT_SOMEBODY_ELSE:
            await _say_whom_to_call(problem, scope, desk, caller)
        return await _told(problem, sent_headers, desk, caller)

    async def _what_was_sent(
        self, scope: Scope, sent_headers: Mapping[bytes, bytes], receive: Receive
    ) -> dict[str, Any]:
        """The function's arguments, by name. Raises: Problem."""
        given: dict[str, Any] = scope["path_params"].copy()
        if self._read_parameters is not None:
            given |= self._read_parameters(scope["query_string"], sent_headers)
        if self._read_body is not None:
            media = sent_headers.get(b"content-type", b"")
            whole = _beginning_of(receive) if self._is_calling else whole_body(receive)
            given[self._body_name] = self._read_body(media, await whole)
        return given


def router(tag: str) -> APIRouter:
    """A feature's router."""
    return APIRouter(route_class=Route, tags=[tag])


def authenticate(
    headers: Mapping[bytes, bytes],
    desk: Desk,
    now: datetime,
    *,
    is_calling: bool = False,
    may_enrol: bool = False,
) -> Caller:
    """Whose token this is; account state is read later, in the transaction.

    is_calling: a help token will do. may_enrol: an enrolment token will do.

    Raises: Problem NOT_SIGNED_IN, SECOND_FACTOR_ENROLMENT_REQUIRED.
    """
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    if not token:
        raise Problem(Kind.NOT_SIGNED_IN, headers={"WWW-Authenticate": "Bearer"})
    if scheme.lower() == b"bearer":
        caller = desk.issuer.caller(token.decode("latin-1"), now.timestamp())
        if caller is None and is_calling:
            caller = desk.issuer.read_help_token(token.decode("latin-1"), now)
        if caller is None:
            enrolling = desk.issuer.enrolling_caller(token.decode("latin-1"), now.timestamp())
            if enrolling is not None and not may_enrol:
                raise Problem(Kind.SECOND_FACTOR_ENROLMENT_REQUIRED)
            caller = enrolling
        if caller is not None:
            return caller
    raise Problem(Kind.NOT_SIGNED_IN, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


async def _send(send: Send, done: _Rendered) -> None:
    status, headers, body = done
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def whole_body(receive: Receive) -> bytes:
    """All that was sent; `frame` holds it to its bound."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body
    parts = [body]
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
    return b"".join(parts)


async def _beginning_of(receive: Receive) -> bytes:
    """As much of a body as a call for help may have; the rest is not waited for."""
    body = b""
    more = True
    while more and len(body) <= CALL_BODY:
        message = await receive()
        body += message.get("body", b"")
        more = bool(message.get("more_body"))
    return body[:CALL_BODY]


async def _say_whom_to_call(problem: Problem, scope: Scope, desk: Desk, caller: Caller) -> None:
    """What could not be stored may have been a sign of danger: the problem carries the lines."""
    _add_help(scope, desk, problem)
    told = problem.extra.get("help")
    # None was sent, or it cannot be read.
    is_unknown = isinstance(told, Mapping) and not told["country"]
    if is_unknown and caller.patient_id is not None and problem.kind.status < 500:
        country = await _country_of(desk, caller)
        _add_help(scope, desk, problem, country or "")


def _add_help(scope: Scope, desk: Desk, problem: Problem, country: str | None = None) -> None:
    """Whom to call, in this country or the one that the request itself names.

    Where it names none, nobody can know without the database: a language is not where somebody is,
    and no token says it. So it is the plain sentence then, and never another country's number.
    """
    if desk.help_in is None:
        return
    if country is None:
        country = dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("country", "")
    accepted = dict(scope["headers"]).get(b"accept-language")
    wanted = best_locale(accepted.decode("latin-1") if accepted else None)
    problem.extra = {**problem.extra, "help": desk.help_in(country, wanted)}


async def _country_of(desk: Desk, caller: Caller) -> str | None:
    query = desk.country_of
    if query is None:
        return None

    def ask(db: Db) -> str | None:
        db.enter(caller.clinic_id)
        return db.first(query, patient_id=caller.patient_id)

    try:
        return await desk.database.run(ask)
    except Problem:
        return None


def _render(answer: Any, status: int) -> _Rendered:
    """The answer as it leaves; made before the commit, so that what is stored can be told."""
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
    raw = _raw(headers, media_type, body)
    if status == _NO_CONTENT:
        raw = [one for one in raw if one[0] != b"content-length"]  # RFC 9110, section 8.6
    return status, raw, body


async def _told(
    problem: Problem, sent_headers: Mapping[bytes, bytes], desk: Desk, caller: Caller
) -> _Rendered:
    """The problem in the caller's language, or in English when nobody has it in theirs."""
    accepted = sent_headers.get(b"accept-language")
    wanted = best_locale(accepted.decode("latin-1") if accepted else None)
    own = NOTHING_OWN
    # What is our fault is told without asking the database for anything more.
    if caller is not _NOBODY and problem.kind.status < 500 and not is_shipped(wanted[0]):
        own = await _own_texts(desk, caller)
    return _render_problem(problem, wanted, own)


async def _own_texts(desk: Desk, caller: Caller) -> str:
    query = desk.own_texts
    if query is None:
        return NOTHING_OWN

    def ask(db: Db) -> str | None:
        db.enter(caller.clinic_id)
        return db.first(query)

    try:
        return await desk.database.run(ask) or NOTHING_OWN
    except Problem:
        return NOTHING_OWN  # the database went away since: the first problem is the one to tell


def _render_problem(
    problem: Problem, wanted: Sequence[str] = (ENGLISH,), own: str = NOTHING_OWN
) -> _Rendered:
    title = speak(f"problem.{problem.kind.code}.title", wanted, own)
    body = to_json(problem.body(title.text))
    headers = {
        "Cache-Control": "no-store",
        "Content-Language": title.language,
        **problem.headers,
    }
    return problem.kind.status, _raw(headers, PROBLEM_MEDIA.encode(), body), body


def _raw(headers: Mapping[str, str], media: bytes, body: bytes) -> list[tuple[bytes, bytes]]:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    raw.append((b"content-length", b"%d" % len(body)))
    if body:
        raw.append((b"content-type", media))
    return raw


def problem_response(
    problem: Problem, accept_language: str | None, scope: Scope | None = None
) -> Response:
    """The problem as application/problem+json, or as the page that this address has, for those who
    answer with a Response.
    """
    desk = getattr(getattr(scope and scope.get("app"), "state", None), "desk", None)
    if scope is not None and desk is not None and desk.problem_page is not None:
        page: Response | None = desk.problem_page(problem, scope["path"])
        if page is not None:
            return page
    status, headers, body = _render_problem(problem, best_locale(accept_language))
    response = Response(status_code=status)
    response.body, response.raw_headers = body, headers
    return response


def install_problems(app: FastAPI) -> None:
    """What is raised outside of a `Route` is answered from the same catalogue.

    An exception that nobody expected, in what Starlette itself serves, is answered here before
    `frame` sees it; in a `Route` by `frame`.
    """

    def answer(problem: Problem, request: Request) -> Response:
        return problem_response(problem, request.headers.get("accept-language"), request.scope)

    async def of_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return answer(error, request)

    async def of_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        kind = _OF_STATUS.get(error.status_code, Kind.MALFORMED_REQUEST)
        return answer(Problem(kind, headers=dict(error.headers or {})), request)

    async def of_validation(request: Request, error: Exception) -> Response:
        return answer(Problem(Kind.INVALID), request)

    async def of_anything(request: Request, error: Exception) -> Response:
        return answer(Problem(Kind.INTERNAL), request)

    app.add_exception_handler(Exception, of_anything)
    app.add_exception_handler(Problem, of_problem)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(RequestValidationError, of_validation)


_OF_STATUS: Final = {
    404: Kind.NOT_FOUND,
    405: Kind.METHOD_NOT_ALLOWED,
    406: Kind.NOT_ACCEPTABLE,
    413: Kind.BODY_TOO_LARGE,
    415: Kind.UNSUPPORTED_MEDIA_TYPE,
}
