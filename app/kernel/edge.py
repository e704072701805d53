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

and returns a model (answered with the route's status), or a `Reply`.
"""

import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, FastAPI, Request, Response, params
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, to_json
from starlette.exceptions import HTTPException

from app.kernel.clock import Clock
from app.kernel.db import Database, Db
from app.kernel.errors import Fault, Kind, Problem
from app.kernel.identity import Caller, Issuer

PROBLEM_MEDIA: Final = "application/problem+json"
MAX_BODY: Final = 1024 * 1024
"""Bytes of any body, unless its route says otherwise."""


class Wire(BaseModel):
    """What crosses the wire: strict, nothing unknown, no NaN."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True
    )


class Open(BaseModel):
    """What the server answers with; later versions may have more members."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


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

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Bind the signature that FastAPI analysed; see the module."""
        function = self.dependant.call
        assert function is not None
        visits = {
            str(dependency.name): dependency.call is _is_signed
            for dependency in self.dependant.dependencies
        }
        visit_name, is_signed = next(iter(visits.items()))
        read_body = _body_reader(self.body_field) if self.body_field else None
        body_name = self.dependant.body_params[0].name if read_body else ""
        path_names = [parameter.name for parameter in self.dependant.path_params]
        others = [*self.dependant.query_params, *self.dependant.header_params]
        status = self.status_code or 200

        async def answer(request: Request) -> Response:
            desk: Desk = request.app.state.desk
            scope = request.scope
            now = desk.clock()
            try:
                caller = authenticate(request, desk, now) if is_signed else _NOBODY
                given: dict[str, Any] = {}
                for name in path_names:
                    given[name] = scope["path_params"][name]
                if others:
                    given.update(_parameters(request, others))
                if read_body is not None:
                    given[body_name] = await read_body(request)
                client = scope["client"]
                address = client[0] if client else ""

                def work(db: Db) -> Response:
                    if is_signed:
                        db.enter(caller.clinic_id)
                    given[visit_name] = Visit(db, now, address, desk.issuer, caller)
                    return _response(function(**given), status)

                return await desk.database.run(work)
            except Problem as problem:
                return problem_response(problem)

        return answer


def router(tag: str) -> APIRouter:
    """A feature's router."""
    return APIRouter(route_class=Route, tags=[tag])


def authenticate(request: Request, desk: Desk, now: datetime) -> Caller:
    """Whose token this is; account state is read later, in the transaction.

    Raises: Problem NOT_SIGNED_IN.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not token:
        raise Problem(Kind.NOT_SIGNED_IN, headers={"WWW-Authenticate": "Bearer"})
    if scheme.lower() == "bearer":
        caller = desk.issuer.caller(token, now.timestamp())
        if caller is not None:
            return caller
    raise Problem(Kind.NOT_SIGNED_IN, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


def _response(answer: Any, status: int) -> Response:
    headers: Mapping[str, str] | None = None
    media_type = "application/json"
    if isinstance(answer, Reply):
        status, headers, media_type = answer.status or status, answer.headers, answer.media_type
        answer = answer.body
    if answer is None:
        return Response(status_code=status, headers=headers)
    body = answer if isinstance(answer, bytes) else answer.__pydantic_serializer__.to_json(answer)
    return Response(body, status, headers, media_type)


_JSON_MEDIA = re.compile(r"application/(json|[a-z0-9.+-]+\+json)\s*(;.*)?", re.IGNORECASE)


def _body_reader(body_field: Any) -> Callable[[Request], Coroutine[Any, Any, Any]]:
    validator = TypeAdapter(body_field.field_info.annotation).validator

    async def read_json(request: Request) -> Any:
        media = request.headers.get("content-type")
        if media != "application/json" and not _JSON_MEDIA.fullmatch(media or ""):
            raise Problem(Kind.UNSUPPORTED_MEDIA_TYPE)
        body = await request.body()
        try:
            return validator.validate_json(body)
        except ValidationError as error:
            raise _problem_of(error) from None

    async def read_form(request: Request) -> Any:
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media != "application/x-www-form-urlencoded":
            raise Problem(
                Kind.UNSUPPORTED_MEDIA_TYPE,
                detail="This address takes application/x-www-form-urlencoded.",
            )
        try:
            pairs = parse_qsl(
                (await request.body()).decode(), keep_blank_values=True, max_num_fields=20
            )
            if len(dict(pairs)) != len(pairs):
                raise ValueError
        except ValueError:
            raise Problem(Kind.MALFORMED_REQUEST) from None
        try:
            return validator.validate_python(dict(pairs))
        except ValidationError as error:
            raise _problem_of(error) from None

    return read_form if isinstance(body_field.field_info, params.Form) else read_json


def _parameters(request: Request, parameters: list[Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    faults: list[Fault] = []
    for parameter in parameters:
        is_query = isinstance(parameter.field_info, params.Query)
        source: Mapping[str, str] = request.query_params if is_query else request.headers
        name = parameter.field_info.alias or parameter.name
        if not is_query and not parameter.field_info.alias:
            name = name.replace("_", "-")
        raw = source.get(name)
        if raw is None and not parameter.field_info.is_required():
            values[parameter.name] = parameter.get_default()
            continue
        value, errors = parameter.validate(raw, {}, loc=())
        values[parameter.name] = value
        where = "query" if is_query else "header"
        faults.extend(Fault(f"{where}:{name}", _reason(error)) for error in errors or ())
    if faults:
        raise Problem(Kind.INVALID, faults=faults)
    return values


def _problem_of(error: ValidationError) -> Problem:
    details = error.errors(include_url=False, include_context=True, include_input=False)
    if any(one["type"] == "json_invalid" for one in details):
        return Problem(Kind.MALFORMED_BODY)
    return Problem(
        Kind.INVALID, faults=[Fault(_pointer(one), _reason(one)) for one in details[:20]]
    )


def _pointer(error: ErrorDetails) -> str:
    """RFC 6901. The name of a member nobody asked for is the sender's text: it is left out."""
    place = error["loc"][:-1] if error["type"] == "extra_forbidden" else error["loc"]
    known = [part for part in place if not _is_of_pydantic(part)]
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in known)


def _is_of_pydantic(part: int | str) -> bool:
    """Union branches appear in a location under the validator's name, such as `int`."""
    return isinstance(part, str) and not part.replace("_", "").replace("-", "").isidentifier()


_REASONS: Final[dict[str, str]] = {
    "missing": "is required",
    "extra_forbidden": "has a member that is not known here",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is too large a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be text",
    "string_unicode": "must be well-formed Unicode text",
    "string_too_short": "is too short",
    "string_too_long": "is too long",
    "string_pattern_mismatch": "does not have the expected form",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "too_long": "has too many elements",
    "too_short": "has too few elements",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "datetime_type": "must be an RFC 3339 instant with an offset",
    "datetime_parsing": "must be an RFC 3339 instant with an offset",
    "datetime_from_date_parsing": "must be an RFC 3339 instant with an offset",
    "datetime_object_invalid": "must be an RFC 3339 instant with an offset",
    "timezone_aware": "must be an RFC 3339 instant with an offset",
    "date_parsing": "must be a date, as in 2026-01-31",
    "date_from_datetime_parsing": "must be a date, as in 2026-01-31",
    "literal_error": "is not one of the known values",
    "enum": "is not one of the known values",
    "greater_than": "is too small",
    "greater_than_equal": "is too small",
    "less_than": "is too large",
    "less_than_equal": "is too large",
    "recursion_loop": "is nested too deeply",
}


def _reason(error: ErrorDetails | dict[str, Any]) -> str:
    """Our sentence for pydantic's error; never its own, which may quote the input."""
    if error["type"] == "value_error":
        # Raised by a validator of ours: its text is a fixed sentence.
        return str(error.get("ctx", {}).get("error", "is not valid"))
    return _REASONS.get(error["type"], "is not valid")


def problem_response(problem: Problem) -> Response:
    """The problem as application/problem+json."""
    return Response(
        to_json(problem.body()),
        problem.kind.status,
        {"Cache-Control": "no-store", **problem.headers},
        PROBLEM_MEDIA,
    )


def install_problems(app: FastAPI) -> None:
    """Whatever is raised outside of a `Route` is answered from the same catalogue."""

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

    app.add_exception_handler(Problem, of_problem)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(RequestValidationError, of_validation)
    app.add_exception_handler(Exception, of_anything)


_OF_STATUS: Final = {
    404: Kind.NOT_FOUND,
    405: Kind.METHOD_NOT_ALLOWED,
    406: Kind.NOT_ACCEPTABLE,
    413: Kind.BODY_TOO_LARGE,
    415: Kind.UNSUPPORTED_MEDIA_TYPE,
}
