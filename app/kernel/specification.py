"""The OpenAPI document: FastAPI's, with our errors instead of its own."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app import __version__

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

_ALWAYS: Final = {"400": "Not understood", "500": "Our fault", "503": "Not now; nothing stored"}
_WHEN_SIGNED: Final = {"401": "Not signed in", "403": "Not with this role"}
_WITH_A_PATH: Final = {"404": "Not there, or not yours"}
_WITH_A_BODY: Final = {
    "409": "The id was used for something else",
    "413": "Too large",
    "415": "Wrong media type",
    "507": "Out of room; nothing stored",
}
_WHEN_SIGNING_IN: Final = {"429": "Too many attempts"}
_CONDITIONAL: Final = {"412": "Changed since you read it", "428": "If-Match is needed"}


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
            " content 409. Codes in answers are open: expect new ones."
        ),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        routes=app.routes,
    )
    schemas = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = _PROBLEM
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _declare_problems(path, method, operation)
    return document


def _declare_problems(path: str, method: str, operation: dict[str, Any]) -> None:
    declared = dict(_ALWAYS)
    if "security" in operation:
        declared |= _WHEN_SIGNED
    if "{" in path or path.endswith("/accept"):
        declared |= _WITH_A_PATH
    if "requestBody" in operation:
        declared |= _WITH_A_BODY
    if path == "/v1/auth/token":
        declared |= _WHEN_SIGNING_IN
    if method == "patch":
        declared |= _CONDITIONAL
    if "requestBody" in operation or operation.get("parameters"):
        declared["422"] = "Some of what was sent is not valid"
    responses = operation["responses"]
    if "requestBody" in operation and "201" in responses and path != "/v1/invitations/accept":
        responses["200"] = {**responses["201"], "description": "The same was sent before"}
    for status, description in declared.items():
        responses[status] = {
            "description": description,
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }
    operation["responses"] = dict(sorted(responses.items()))
