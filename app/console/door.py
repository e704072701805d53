"""From a browser to a plain function and back.

A page is a plain synchronous function, as a route of the API is; what stands between it and the
browser is different. A page takes one of

    visit: Inside     somebody who is signed in, and the transaction in their clinic
    visit: Enrolling  the same, and also whoever has to set up a second factor first
    visit: Outside    anybody

beside path and query parameters, and returns what is `Shown`, where to `GoTo`, an answer that
goes on (`Live`), or a `Problem` that must not undo what was stored. A problem is a page too.

A form that a service refuses comes back with what is wrong, and the transaction commits with that
page (somebody looked at the record). So whoever catches a Problem tries the service first:

    try:
        with visit.db.tried():
            goals.set_goal(visit.db, chart, sent, visit.now)
    except Problem as problem:
        return _page(visit, chart, fields.refused(problem), status=422)

A form comes as `application/x-www-form-urlencoded`, of at most `FORM_BYTES`, and from ourselves:
the cookie is SameSite=Strict, the browser says that the request comes from this origin
(Sec-Fetch-Site, Origin), and the form carries its session's token. Whoever is signed off while
they read comes back, after signing in, to the page they were on: every form is sent to the
address of its own page.

Whoever has to set up a second factor is led there from every page that is `Inside`, also one that
is written later.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.cookies import CookieError, SimpleCookie
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter, Depends, Response
from starlette.exceptions import HTTPException

from app.console import session
from app.console.pages import Chrome, render
from app.console.session import SignedIn
from app.kernel.db import Db
from app.kernel.edge import Desk, Live, Receive, Route, Scope, Send, whole_body
from app.kernel.errors import Fault, Kind, Problem
from app.kernel.identity import Caller, Issuer
from app.kernel.renderer import Renderer

FORM_BYTES: Final = 256 * 1024
FORM_FIELDS: Final = 600
"""More than a policy of escalation has, with every step that there may be."""
SIGN_IN: Final = "/console/sign-in"
SECOND_FACTOR: Final = "/console/second-factor"
QUIET: Final = "by-itself"
"""A query parameter: the page asks by itself, and nobody is there because of that."""

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    # Without a referrer at all browsers say `Origin: null`, and a form could come from anywhere.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Form:
    """What was typed, by field; a field that was not sent is empty."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> str:
        values = self._fields.get(name, [])
        if len(values) > 1:
            raise Problem(
                Kind.MALFORMED_REQUEST, faults=[Fault("", "names a field more than once")]
            )
        # Browsers send a text's line breaks as CR LF.
        return values[0].replace("\r\n", "\n") if values else ""

    def every(self, name: str) -> list[str]:
        """All values of a field that may be chosen several times."""
        return self._fields.get(name, [])


NOTHING_SENT: Final = Form({})


@dataclass(slots=True, frozen=True)
class Visit:
    """A request of somebody who is signed in."""

    db: Db
    now: datetime
    address: str
    path: str
    form: Form
    signed_in: SignedIn
    issuer: Issuer
    renderer: Renderer

    @property
    def caller(self) -> Caller:
        """For the services."""
        return self.signed_in.caller


@dataclass(slots=True, frozen=True)
class Arrival:
    """A request of anybody. arrived_from_elsewhere: a link on another site led here."""

    db: Db
    now: datetime
    address: str
    issuer: Issuer
    form: Form
    signed_in: SignedIn | None
    arrived_from_elsewhere: bool


@dataclass(slots=True, frozen=True)
class Shown:
    """A page. view: what its template is about. section: where one is in the navigation.

    cookie: of a session that takes the place of the one there was.
    """

    template: str
    title: str
    view: object
    section: str = ""
    status: int = 200
    said: str = ""
    extra: Mapping[str, object] = field(default_factory=dict)
    cookie: str | None = None


@dataclass(slots=True, frozen=True)
class GoTo:
    """Another page. cookie: a new session's, or "" to end the one there is."""

    path: str
    cookie: str | None = None


Answer = Shown | GoTo | Live | Problem


def _is_inside() -> None:
    """A marker: somebody has to be signed in."""


def _is_outside() -> None:
    """A marker: anybody."""


def _is_enrolling() -> None:
    """A marker: somebody has to be signed in, and may have to set up a second factor."""


Enrolling = Annotated[Visit, Depends(_is_enrolling)]
Inside = Annotated[Visit, Depends(_is_inside)]
Outside = Annotated[Arrival, Depends(_is_outside)]
_Rendered = tuple[int, dict[str, str], bytes]


class PageRoute(Route):
    """A route of the pages; no part of the specification."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        options |= {"response_model": None, "include_in_schema": False}
        super().__init__(path, endpoint, **options)
        (visit,) = self.dependant.dependencies
        self._may_enrol = visit.call is _is_enrolling
        self._is_inside = visit.call in {_is_inside, _is_enrolling}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] not in self.verbs:
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(self.verbs))})
        desk: Desk = scope["app"].state.desk
        now = desk.clock()
        headers = dict(scope["headers"])
        known: list[Chrome] = []
        done: _Rendered | Live
        try:
            is_sent = scope["method"] == "POST"
            form = await _form(scope, headers, receive, desk) if is_sent else NOTHING_SENT
            given: dict[str, Any] = scope["path_params"].copy()
            if self._read_parameters is not None:
                given |= self._read_parameters(scope["query_string"], headers)

            def work(db: Db) -> _Rendered | Live:
                return self._answer(_Request(scope, headers, desk, now, form, given), db, known)

            done = await desk.database.run(work)
            if isinstance(done, Live):
                await done.open()
        except Problem as problem:
            done = problem_page(problem, known[0] if known else None)
        if isinstance(done, Live):
            await done.serve(scope, receive, send)
            return
        await _send(done, send)

    def _answer(self, request: "_Request", db: Db, known: list[Chrome]) -> _Rendered | Live:
        cookie = _cookie(request.headers, request.desk.issuer.base_url)
        is_there = QUIET not in request.query and not request.is_by_itself
        signed_in = (
            session.find(db, cookie, request.now, is_somebody_there=is_there) if cookie else None
        )
        if signed_in is None and self._is_inside:
            return _first(request, Kind.NOT_SIGNED_IN)
        del known[:]
        if signed_in is not None:
            known.append(_chrome(db, signed_in, request.now))
            if signed_in.must_enrol and self._is_inside and not self._may_enrol:
                return _first(request, Kind.SECOND_FACTOR_ENROLMENT_REQUIRED)
            is_ours = not (request.is_sent and self._is_inside) or session.is_form_token(
                db.vault, signed_in, request.form["token"]
            )
            if not is_ours:
                raise Problem(Kind.FORBIDDEN, detail=FORM_REFUSED)
        visit: Visit | Arrival
        if self._is_inside:
            assert signed_in is not None
            visit = Visit(
                db,
                request.now,
                request.address,
                request.path,
                request.form,
                signed_in,
                request.desk.issuer,
                request.desk.renderer,
            )
        else:
            visit = Arrival(
                db,
                request.now,
                request.address,
                request.desk.issuer,
                request.form,
                signed_in,
                request.fetch_site in {b"cross-site", b"same-site"},
            )
        given = {**request.given, self._visit_name: visit}
        answer: Answer = self.endpoint(**given)
        if isinstance(answer, Live):
            return answer
        if isinstance(answer, Problem):
            return problem_page(answer, known[0] if known else None)
        if isinstance(answer, GoTo):
            return _see_other(answer, request.desk.issuer.base_url)
        if answer.cookie is not None:
            begun = session.find(db, answer.cookie, request.now, is_somebody_there=False)
            assert begun is not None
            known[:] = [_chrome(db, begun, request.now)]
        return _shown(answer, known[0] if known else None, request.desk.issuer.base_url)


@dataclass(slots=True, frozen=True)
class _Request:
    scope: Scope
    headers: Mapping[bytes, bytes]
    desk: Desk
    now: datetime
    form: Form
    given: dict[str, Any]

    @property
    def is_sent(self) -> bool:
        return bool(self.scope["method"] == "POST")

    @property
    def path(self) -> str:
        return str(self.scope["path"])

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.scope["query_string"].decode("latin-1"), keep_blank_values=True))

    @property
    def address(self) -> str:
        return str((self.scope["client"] or ("",))[0])

    @property
    def is_by_itself(self) -> bool:
        """A page asks, and not whoever reads it."""
        return self.headers.get(b"accept", b"").startswith(_NO_PAGE)

    @property
    def fetch_site(self) -> bytes:
        return self.headers.get(b"sec-fetch-site", b"")


_NO_PAGE: Final = (b"text/event-stream", b"application/vnd.vegalite", b"image/")
FORM_REFUSED: Final = "The form did not come from a page of this sign-in. Open the page again."


def page_router() -> APIRouter:
    """For a module of pages."""
    return APIRouter(route_class=PageRoute, include_in_schema=False, tags=["console"])


def problem_page(problem: Problem, chrome: Chrome | None) -> _Rendered:
    """A problem, for people. The same bytes for what is missing and what is another's."""
    status = problem.kind.status
    if problem.kind is Kind.NOT_FOUND:
        chrome = None  # which has the clock on it, and who is asking
    body = render("problem.html", chrome, title=problem.kind.title, view=problem, section="")
    headers = {name: value for name, value in problem.headers.items() if name == "Retry-After"}
    return status, headers, body


def problem_response(problem: Problem, path: str) -> Response | None:
    """For problems that no page was asked about; None where the address is not of the console."""
    if path != "/console" and not path.startswith("/console/"):
        return None
    status, headers, body = problem_page(problem, None)
    return Response(body, status, {**HEADERS, **headers}, media_type="text/html")


def is_safe_path(path: str) -> bool:
    """Whether a path that somebody sent leads to one of our pages and nowhere else."""
    return (
        len(path) <= 500
        and (path == "/console" or path.startswith("/console/"))
        and path.isascii()
        and path.isprintable()
        and "\\" not in path
        and ".." not in path
    )


def with_query(path: str, **query: str | None) -> str:
    """A path with what is not None."""
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _chrome(db: Db, signed_in: SignedIn, now: datetime) -> Chrome:
    return Chrome.of(signed_in, session.form_token(db.vault, signed_in), now)


def _shown(shown: Shown, chrome: Chrome | None, base_url: str) -> _Rendered:
    if shown.status == Kind.NOT_FOUND.status:
        chrome = None  # as on the page of what is not there
    body = render(
        shown.template,
        chrome,
        title=shown.title,
        view=shown.view,
        section=shown.section,
        said=shown.said,
        **shown.extra,
    )
    if shown.cookie is None:
        return shown.status, {}, body
    return shown.status, {"Set-Cookie": session.set_cookie(base_url, shown.cookie)}, body


def _see_other(answer: GoTo, base_url: str) -> _Rendered:
    headers = {"Location": answer.path}
    if answer.cookie is not None:
        headers["Set-Cookie"] = session.set_cookie(base_url, answer.cookie)
    return 303, headers, b""


def _first(request: _Request, why: Kind) -> _Rendered:
    """To where somebody signs in, or sets up what they must have. Raises: Problem."""
    if request.is_by_itself:
        raise Problem(why)
    if why is Kind.SECOND_FACTOR_ENROLMENT_REQUIRED:
        return 303, {"Location": SECOND_FACTOR}, b""
    path = request.path
    if not request.is_sent and request.scope["query_string"]:
        path += "?" + request.scope["query_string"].decode("latin-1")
    wanted = path if is_safe_path(path) and path != "/console/sign-out" else None
    return 303, {"Location": with_query(SIGN_IN, next=wanted)}, b""


async def _form(scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, desk: Desk) -> Form:
    """Raises: Problem."""
    if not _comes_from_us(headers, desk.issuer.base_url):
        raise Problem(Kind.FORBIDDEN, detail=FORM_REFUSED)
    media = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if media != b"application/x-www-form-urlencoded":
        raise Problem(
            Kind.UNSUPPORTED_MEDIA_TYPE,
            detail="This page takes application/x-www-form-urlencoded.",
        )
    body = await whole_body(receive)
    if len(body) > FORM_BYTES:
        raise Problem(Kind.BODY_TOO_LARGE, detail=f"A form is at most {FORM_BYTES} bytes.")
    fields: dict[str, list[str]] = {}
    try:
        for name, value in parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=FORM_FIELDS, errors="strict"
        ):
            if "\0" in value:
                raise ValueError
            fields.setdefault(name, []).append(value)
    except ValueError:
        raise Problem(
            Kind.MALFORMED_REQUEST, faults=[Fault("", "is not a form that can be read")]
        ) from None
    return Form(fields)


def _comes_from_us(headers: Mapping[bytes, bytes], base_url: str) -> bool:
    """Browsers say where a form comes from; who says nothing is none, or hides it."""
    site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    if site is None and origin is None:
        return False
    if site is not None and site != b"same-origin":
        return False
    if origin is None:
        return True
    ours = urlsplit(base_url)
    # The host that was asked for may be a name of this machine that the settings do not know.
    asked = headers.get(b"host", b"").decode("latin-1")
    hosts = {ours.netloc, asked} - {""}
    return origin.decode("latin-1") in {f"{ours.scheme}://{host}" for host in hosts}


def _cookie(headers: Mapping[bytes, bytes], base_url: str) -> str | None:
    sent = headers.get(b"cookie")
    if sent is None:
        return None
    try:
        found = SimpleCookie(sent.decode("latin-1")).get(session.cookie_name(base_url))
    except CookieError:
        return None
    return found.value if found is not None else None


async def _send(rendered: _Rendered, send: Send) -> None:
    status, headers, body = rendered
    raw = [
        (name.lower().encode(), value.encode("latin-1"))
        for name, value in {**HEADERS, **headers}.items()
    ]
    raw.append((b"content-length", b"%d" % len(body)))
    if body:
        raw.append((b"content-type", b"text/html; charset=utf-8"))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
