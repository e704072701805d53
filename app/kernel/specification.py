"""The OpenAPI document: FastAPI's, with our errors, headers and bounds instead of its own."""

import re
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app import __version__
from app.kernel.edge import IN_PIECES

_PROBLEM: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "RFC 9457 problem details. `code` is the last part of `type`.",
    "type": "object",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:afterglow:problem:invalid"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "examples": ["invalid"]},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "title": "Fault",
                "type": "object",
                "required": ["pointer", "reason"],
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "JSON Pointer into the body, or query:name, header:name.",
                    },
                    "reason": {"type": "string"},
                },
            },
        },
    },
}

_TAGS: Final = {
    "people": "Signing in, invitations, one's own profile, and what a client may send.",
    "check-ins": "Instruments, and the answers to them.",
    "safety": "Flags: signs of danger that a named human has to close.",
    "treatment": "Dosing sessions; intentions, notes and what is attached to them.",
    "goals": "Integration goals.",
    "course": "The course of treatment: whether to begin, its state, and what surrounds each dose.",
    "practices": "Practices, coping and triggers: what a patient does, and what helps.",
    "integration": "Insights, and talks with a therapist after a dose.",
    "sync": "A phone that was away: what it sends, what it missed, what it keeps.",
    "reminders": "Where and when a patient is reminded of what is due.",
    "story": "The thread from intention to change, and one page a week.",
    "trends": "How patients move over time, measured from each dose.",
    "operations": "Keys and health, for those who keep a server running.",
}
_HEADERS: Final[dict[str, Any]] = {
    "ETag": {
        "description": "The entry's version (RFC 9110), to be sent as If-Match with a change.",
        "schema": {"type": "string", "examples": ['"1"']},
    },
    "Link": {
        "description": "The next page (RFC 8288), where there is one.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds to wait before trying again.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Vary": {
        "description": "What else the answer depends on (RFC 9110).",
        "schema": {"type": "string", "examples": ["Accept"]},
    },
    "WWW-Authenticate": {
        "description": "How to sign in (RFC 6750).",
        "schema": {"type": "string", "examples": ["Bearer"]},
    },
}
_PATIENT_ID: Final = {
    "description": "A patient's UUID, or `me` for one's own record.",
    "schema": {
        "type": "string",
        "pattern": "^(me|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$",
        "maxLength": 36,
        "examples": ["me"],
    },
}
_INSTRUMENT: Final = {
    "description": "The key of an instrument.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 64, "examples": ["phq-9"]},
}
_PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "patient_id": _PATIENT_ID,
    "instrument": _INSTRUMENT,
    "key": _INSTRUMENT,
    "locale": {
        "description": "A BCP 47 language tag.",
        "schema": {
            "type": "string",
            "pattern": "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$",
            "maxLength": 35,
            "examples": ["de-AT"],
        },
    },
    "accept-language": {
        "name": "Accept-Language",
        "description": "RFC 9110; English where there is nothing better.",
        "schema": {"type": "string", "maxLength": 1000, "examples": ["de-AT, en;q=0.5"]},
    },
    "upload-offset": {"name": "Upload-Offset"},
    "upload-complete": {"name": "Upload-Complete"},
    "if-match": {
        "name": "If-Match",
        # Without it the answer is 428, so a client that generates from here always sends it.
        "required": True,
        "description": "The ETag of what the change starts from.",
        "schema": {"type": "string", "pattern": '^"[1-9][0-9]{0,8}"$', "maxLength": 11},
    },
}
_OF_TEXTS: Final = {
    **_PARAMETERS["if-match"],
    "schema": {"type": "string", "pattern": '^"[0-9a-f]{32}"$', "maxLength": 34},
}
_SUCCESS: Final = {"200": "As asked", "201": "Stored"}

_ALWAYS: Final = {"400": "Not understood", "500": "Our fault", "503": "Not now; nothing stored"}
_WHEN_SIGNED: Final = {"401": "Not signed in", "403": "Not with this role"}
_WITH_A_PATH: Final = {"404": "Not there, or not yours"}
_WITH_A_BODY: Final = {
    "413": "Too large",
    "415": "Wrong media type",
    "507": "Out of room; nothing stored",
}
_WITH_AN_ID: Final = {"409": "The id was used for something else"}
_WHEN_ACCEPTING: Final = {
    "404": "No such invitation, or too late",
    "409": "Used before, or the name is taken",
}
_WHEN_SIGNING_IN: Final = {
    "401": "The password is right, and a code is needed too",
    "429": "Too many attempts",
}
_WHEN_PROVING: Final = {"429": "Too many attempts"}
_WITH_A_FACTOR: Final = {"409": "There is a second factor already"}
_OF_A_FACTOR: Final = (
    "/second-factor/confirm",
    "/second-factor/recovery-codes",
    "/second-factor/remove",
)
_WITHOUT_A_FACTOR: Final = {"404": "There is no second factor, or none was begun"}
_WHEN_UPLOADING: Final = {"409": "The upload goes on elsewhere, or was withdrawn"}
_IN_SEVERAL_FORMS: Final = {"406": "Not in any of the forms asked for"}
_WHEN_FOLLOWING: Final = {"429": "Too many streams at once"}
_CONDITIONAL: Final = {
    "409": "Withdrawn meanwhile",
    "412": "Changed since you read it",
    "428": "If-Match is needed",
}
_WITH_WORDS: Final = {"422": "Some of what was sent is not valid"}
_HEADERS_OF_PROBLEMS: Final = {
    "401": "WWW-Authenticate",
    "429": "Retry-After",
    "503": "Retry-After",
    "507": "Retry-After",
}


def specification(app: FastAPI) -> dict[str, Any]:
    """The document that `openapi/afterglow.json` is a copy of."""
    document = get_openapi(
        title="Afterglow",
        version=__version__,
        summary="The open backend for ketamine-assisted psychotherapy journals",
        description=(
            "Patients send check-ins, notes and goals; therapists see how each person moves,"
            " measured from each dose. Creating requests carry a client-made `id`, so a retry is"
            " always safe: the same id and content answers 200 with what was stored, other"
            " content 409. Codes in answers are open: expect new ones, and new members. Every"
            " problem is application/problem+json (RFC 9457) and never repeats what was sent."
        ),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        tags=[{"name": name, "description": said} for name, said in _TAGS.items()],
        servers=[{"url": "/", "description": "The server this document came from."}],
        routes=app.routes,
    )
    components = document["components"]
    schemas = components["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = _PROBLEM
    components["headers"] = _HEADERS
    for path, operations in document["paths"].items():
        for operation in operations.values():
            # FastAPI's own summary is the operation's name again.
            operation["summary"] = operation["description"].partition(". ")[0].rstrip(".")
            _bound_parameters(path, operation)
            _describe_successes(operation, schemas)
            _declare_problems(path, operation, schemas)
    _refer(document["components"]["schemas"])
    return document


def _refer(schemas: dict[str, Any]) -> None:
    """Name what is written out although it has a name: what is read later, change by change, is
    described where it stands.
    """
    for name, schema in schemas.items():
        for member in schema.get("properties", {}).values():
            written_out = member.get("items", {})
            named = written_out.get("title")
            if named in schemas and named != name and "properties" in written_out:
                member["items"] = {"$ref": f"#/components/schemas/{named}"}


def _is_conditional(operation: dict[str, Any]) -> bool:
    return any(one["name"] == "If-Match" for one in operation.get("parameters", ()))


def _has_several_forms(operation: dict[str, Any]) -> bool:
    """Whether Accept chooses between forms of the same answer."""
    return len(operation["responses"].get("200", {}).get("content", {})) > 1


def _bound_parameters(path: str, operation: dict[str, Any]) -> None:
    """What the edge passes on as text is still known by its name."""
    for parameter in operation.get("parameters", ()):
        is_header_or_path = parameter["in"] in ("header", "path")
        if parameter["name"] == "if-match" and "/texts/" in path:
            parameter.update(_OF_TEXTS)  # its versions are made of what it says
        elif is_header_or_path and parameter["name"] in _PARAMETERS:
            parameter.update(_PARAMETERS[parameter["name"]])
        elif parameter["in"] == "path":
            parameter["schema"] = {"type": "string", "format": "uuid"}
            is_member = parameter["name"] == "membership_id"
            parameter["description"] = (
                "A membership of this clinic." if is_member else "An entry of this patient."
            )


def _describe_successes(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    responses = operation["responses"]
    for status in _SUCCESS.keys() & responses.keys():
        response = responses[status]
        response["description"] = _SUCCESS[status]
        answer = _json_schema(response, schemas)
        if not answer and "application/json" in response["content"]:
            del response["content"]
        headers = {"ETag": "version", "Link": "next_cursor"}
        sent = [name for name, member in headers.items() if member in answer.get("properties", {})]
        if _has_several_forms(operation):
            sent.append("Vary")
        if sent:
            response["headers"] = {name: _header(name) for name in sent}
    if "201" in responses and _takes_an_id(operation, schemas):
        responses["200"] = {**responses["201"], "description": "The same was sent before"}


def _declare_problems(path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    has_body = "requestBody" in operation
    applying = (
        (True, _ALWAYS),
        ("security" in operation, _WHEN_SIGNED),
        ("{" in path, _WITH_A_PATH),
        (has_body, _WITH_A_BODY),
        (_takes_an_id(operation, schemas), _WITH_AN_ID),
        (path.endswith("/accept"), _WHEN_ACCEPTING),
        (path == "/v1/auth/token" or path.endswith("/accept"), _WHEN_SIGNING_IN),
        (has_body and "/second-factor" in path, _WHEN_PROVING),
        (has_body and path.endswith(("/me/second-factor", "/confirm")), _WITH_A_FACTOR),
        (has_body and path.endswith(_OF_A_FACTOR), _WITHOUT_A_FACTOR),
        (has_body and path.endswith(IN_PIECES), _WHEN_UPLOADING),
        (path.endswith("/stream"), _WHEN_FOLLOWING),
        (_has_several_forms(operation), _IN_SEVERAL_FORMS),
        (_is_conditional(operation), _CONDITIONAL),
        (has_body or "parameters" in operation, _WITH_WORDS),
    )
    declared = {
        status: said for applies, some in applying if applies for status, said in some.items()
    }
    responses = operation["responses"]
    for status, description in declared.items():
        responses[status] = {
            "description": description,
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }
        if status in _HEADERS_OF_PROBLEMS:
            name = _HEADERS_OF_PROBLEMS[status]
            responses[status]["headers"] = {name: _header(name)}
    operation["responses"] = dict(sorted(responses.items()))


def _takes_an_id(operation: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """Whether what is sent names itself, so that a retry is known by it."""
    sent = _json_schema(operation.get("requestBody", {}), schemas).get("properties", {})
    # A definition has its key and version inside.
    return "id" in sent or "definition" in sent


def _json_schema(of: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """The schema of a body or a response; empty where there is none."""
    schema: dict[str, Any] = of.get("content", {}).get("application/json", {}).get("schema", {})
    named = re.fullmatch("#/components/schemas/(.+)", schema.get("$ref", ""))
    return schemas[named[1]] if named else schema


def _header(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}
