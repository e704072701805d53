"""What was sent, read strictly: bodies, query parameters and headers.

A body is validated straight from its bytes. What is wrong with it is told as a place and a
sentence of ours, never with what was sent: pydantic's own messages quote their input.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import params
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json, to_json

from app.kernel.errors import Fault, Kind, Problem

_OUR_NAMES: Final[set[str]] = set()
"""Of every member that a client may send: a pointer is made of these and of places in lists."""


class Wire(BaseModel):
    """What crosses the wire: strict, nothing unknown, no NaN."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Note its names."""
        _OUR_NAMES.update(cls.model_fields)


class Open(BaseModel):
    """What the server answers with; later versions may have more members."""

    # A mistake of ours ends in the log: not with what somebody wrote.
    model_config = ConfigDict(frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


_FAULTS_TOLD: Final = 50

_JSON_MEDIA = re.compile(rb"application/(json|[a-z0-9.+-]+\+json)\s*(;.*)?", re.IGNORECASE)


def body_reader(body_field: Any) -> Callable[[bytes, bytes], Any]:
    """For a route's body parameter: media type and bytes in, a model out. Raises: Problem."""
    validator = TypeAdapter(body_field.field_info.annotation).validator

    def read_json(media: bytes, body: bytes) -> Any:
        if media != b"application/json" and not _JSON_MEDIA.fullmatch(media):
            raise Problem(Kind.UNSUPPORTED_MEDIA_TYPE)
        try:
            return validator.validate_json(body)
        except ValidationError as error:
            raise problem_of(error) from None

    def read_form(media: bytes, body: bytes) -> Any:
        if media.partition(b";")[0].strip().lower() != b"application/x-www-form-urlencoded":
            raise Problem(
                Kind.UNSUPPORTED_MEDIA_TYPE,
                detail="This address takes application/x-www-form-urlencoded.",
            )
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20)
            if len(dict(pairs)) != len(pairs):
                raise ValueError
        except ValueError:
            fault = Fault("", "is not a form that names each field once")
            raise Problem(Kind.MALFORMED_REQUEST, faults=[fault]) from None
        try:
            return validator.validate_python(dict(pairs))
        except ValidationError as error:
            raise problem_of(error) from None

    return read_form if isinstance(body_field.field_info, params.Form) else read_json


def lenient_reader(body_field: Any) -> Callable[[bytes, bytes], Any]:
    """As `body_reader`, for what must not be turned away: every member that can be read, or none.

    The model has a default for each member. What is no JSON object is its `note`, as far as it is
    text.
    """
    model: type[BaseModel] = body_field.field_info.annotation

    def read(_: bytes, body: bytes) -> Any:
        try:
            said = from_json(body, allow_inf_nan=False)
        except ValueError:
            said = body.decode(errors="ignore").replace("\0", "").strip() or None
        if not isinstance(said, dict):
            said = {"note": said} if isinstance(said, str) else {}
        kept = {}
        for name in model.model_fields.keys() & said.keys():
            one = to_json({name: said[name]})
            try:
                model.model_validate_json(one)
            except ValidationError:
                continue
            kept[name] = said[name]
        return model.model_validate_json(to_json(kept))

    return read


def parameter_reader(
    parameters: Sequence[Any], *, is_lenient: bool = False
) -> Callable[[bytes, Mapping[bytes, bytes]], dict[str, Any]]:
    """For a route's query and header parameters: what was sent in, values by name out.

    is_lenient: what cannot be read is passed over, if it may be left out.
    Raises: Problem INVALID. Of a parameter that is given twice the last one counts.
    """
    defaults = {
        one.name: one.get_default() for one in parameters if not one.field_info.is_required()
    }
    places = [
        (one, isinstance(one.field_info, params.Query), str(one.field_info.alias))
        for one in parameters
    ]

    def read(query: bytes, headers: Mapping[bytes, bytes]) -> dict[str, Any]:
        values = defaults.copy()
        faults: list[Fault] = []
        given = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {}
        for parameter, is_query, name in places:
            raw = given.get(name) if is_query else headers.get(name.encode())
            if raw is None and parameter.name in values:
                continue
            text = raw.decode("latin-1") if isinstance(raw, bytes) else raw
            value, errors = parameter.validate(text, {}, loc=())
            if errors and is_lenient and parameter.name in values:
                continue
            values[parameter.name] = value
            where = "query" if is_query else "header"
            faults.extend(Fault(f"{where}:{name}", _reason(error)) for error in errors or ())
        if faults:
            raise Problem(Kind.INVALID, faults=faults)
        return values

    return read


def problem_of(error: ValidationError) -> Problem:
    """What is wrong with what was sent, in our words."""
    if error.error_count() > _FAULTS_TOLD:
        return Problem(Kind.INVALID, faults=[Fault("", "has more wrong with it than can be told")])
    details = error.errors(include_url=False, include_context=True, include_input=False)
    if any(one["type"] == "json_invalid" for one in details):
        return Problem(Kind.MALFORMED_BODY, faults=[Fault("", "is not valid JSON")])
    return Problem(Kind.INVALID, faults=[Fault(_pointer(one), _reason(one)) for one in details])


def _pointer(error: ErrorDetails) -> str:
    """RFC 6901, of names that are ours.

    A member nobody asked for, or the key of an open object, is the sender's text: left out, as
    are the names that pydantic gives to the branches of a union.
    """
    place = error["loc"][:-1] if error["type"] == "extra_forbidden" else error["loc"]
    known = [part for part in place if isinstance(part, int) or part in _OUR_NAMES]
    return "".join(f"/{part}" for part in known)


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
