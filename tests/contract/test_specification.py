"""The specification: committed, true to the application, valid, bounded, and never broken."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from typer.testing import CliRunner

from app.checkins.schemas import InstrumentOut
from app.cli import app as command_line
from app.clinical import instruments
from app.clinical.instruments import Instrument

FOLDER = Path(__file__).parents[2] / "openapi"
COMMITTED = FOLDER / "afterglow.json"
RELEASED = FOLDER / "released.json"

Schema = dict[str, Any]
Operation = tuple[str, str, dict[str, Any]]

# Words of OpenAPI 3.2, which generators of 3.1 clients stumble over.
LATER_WORDS = {
    "$self",
    "additionalOperations",
    "dataValue",
    "defaultMapping",
    "deviceAuthorization",
    "itemEncoding",
    "itemSchema",
    "mediaTypes",
    "nodeType",
    "oauth2MetadataUrl",
    "prefixEncoding",
    "serializedValue",
}
BOUNDED_FORMATS = {"uuid", "date", "date-time"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    committed: dict[str, Any] = json.loads(COMMITTED.read_text())
    return committed


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    """Method, path and declaration of each."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def resolved(document: dict[str, Any], schema: Schema) -> Schema:
    """What a schema says, wherever it is said."""
    if "$ref" not in schema:
        return schema
    found: Any = document
    for part in schema["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return resolved(document, found)


def parts(document: dict[str, Any], schema: Schema) -> Iterator[tuple[str, Schema]]:
    """A schema and all it is made of, each with where it stands."""
    schema = resolved(document, schema)
    yield "", schema
    inner: list[tuple[str, Schema]] = [
        (f"/{name}", property_) for name, property_ in schema.get("properties", {}).items()
    ]
    for word in ("anyOf", "oneOf", "allOf", "prefixItems"):
        inner += [("", one) for one in schema.get(word, ())]
    for word in ("items", "additionalProperties", "propertyNames"):
        if isinstance(schema.get(word), dict):
            inner.append((f"/{word}", schema[word]))
    for place, part in inner:
        for below, found in parts(document, part):
            yield place + below, found


def sent_schemas(document: dict[str, Any]) -> Iterator[tuple[str, Schema]]:
    """The schema of everything a client may send, with the operation it belongs to."""
    for _, _, operation in operations(document):
        name = operation["operationId"]
        for parameter in operation.get("parameters", ()):
            yield f"{name} {parameter['in']}:{parameter['name']}", parameter["schema"]
        for content in operation.get("requestBody", {}).get("content", {}).values():
            yield f"{name} body", content["schema"]


def unbounded(document: dict[str, Any]) -> set[str]:
    """Strings, arrays and objects that a client may send in any size."""
    found = set()
    for where, schema in sent_schemas(document):
        for place, part in parts(document, schema):
            if place.endswith("/propertyNames"):
                part = {"type": "string"} | part  # noqa: PLW2901 -- names are always text
            is_open = {
                "string": not (
                    part.keys() & {"maxLength", "enum", "const"}
                    or part.get("format") in BOUNDED_FORMATS
                ),
                "array": "maxItems" not in part,
                "object": part.get("additionalProperties") is not False
                and "maxProperties" not in part,
            }
            if is_open.get(part.get("type", ""), False):
                found.add(f"{where}{place}")
    return found


def words(value: Any) -> Iterator[str]:
    """Every key in a document, except names that are ours to choose."""
    if isinstance(value, list):
        for one in value:
            yield from words(one)
    elif isinstance(value, dict):
        for key, below in value.items():
            yield key
            if key in {"properties", "schemas", "headers", "paths"}:
                yield from words(list(below.values()))
            elif key not in {"examples", "enum", "default"}:
                yield from words(below)


def breaking_changes(old: Path, new: Path) -> list[str]:
    """What a client of the old document would stumble over in the new one."""
    compared = subprocess.run(
        [Path(sys.executable).with_name("specshift"), "diff", old, new, "--format", "json"],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    changes = json.loads(compared.stdout)["changes"]
    return [
        f"{one['location']}: {one['message']}" for one in changes if one["severity"] == "breaking"
    ]


class TestDocument:
    def test_the_committed_document_is_what_the_application_says_today(self) -> None:
        printed = CliRunner().invoke(command_line, ["openapi"])

        assert printed.exit_code == 0
        assert COMMITTED.read_text() == printed.stdout, (
            "run: afterglow openapi > openapi/afterglow.json"
        )

    def test_it_is_a_valid_openapi_3_1_document(self, document: dict[str, Any]) -> None:
        assert document["openapi"].startswith("3.1.")
        validate(document, cls=OpenAPIV31SpecValidator)

    def test_it_uses_no_word_of_openapi_3_2(self, document: dict[str, Any]) -> None:
        assert set(words(document)) & LATER_WORDS == set()
        assert {method for method, _, _ in operations(document)} <= {
            "get",
            "post",
            "put",
            "patch",
            "delete",
        }

    def test_a_later_word_is_seen_where_it_matters_and_a_member_of_that_name_is_not(self) -> None:
        assert "itemSchema" in set(words({"content": {"text/event-stream": {"itemSchema": {}}}}))
        assert "itemSchema" not in set(words({"properties": {"itemSchema": {"type": "string"}}}))


class TestNames:
    def test_no_two_models_have_one_name(self, document: dict[str, Any]) -> None:
        # They would be told apart by the modules that they are in, and clients stumble over those.
        names = document["components"]["schemas"]

        assert [name for name in names if "__" in name] == []


class TestOperations:
    def test_each_has_a_name_of_its_own_in_snake_case(self, document: dict[str, Any]) -> None:
        names = [operation["operationId"] for _, _, operation in operations(document)]

        assert len(names) == len(set(names))
        assert [name for name in names if not re.fullmatch("[a-z]+(_[a-z]+)*", name)] == []

    def test_each_has_a_summary_a_description_and_one_described_tag(
        self, document: dict[str, Any]
    ) -> None:
        described = {tag["name"] for tag in document["tags"] if tag["description"]}

        for _, _, operation in operations(document):
            name = operation["operationId"]
            assert operation["summary"], name
            assert operation["description"], name
            assert len(operation["tags"]) == 1, name
            assert set(operation["tags"]) <= described, name

    def test_every_problem_is_problem_json(self, document: dict[str, Any]) -> None:
        for _, _, operation in operations(document):
            problems = {
                status: response
                for status, response in operation["responses"].items()
                if status[0] in "45"
            }

            assert {"400", "500", "503"} <= problems.keys(), operation["operationId"]
            for response in problems.values():
                assert list(response["content"]) == ["application/problem+json"]

    def test_whoever_must_sign_in_is_told_so_and_how(self, document: dict[str, Any]) -> None:
        for _, path, operation in operations(document):
            is_signed = "security" in operation
            # Whoever signs in may need a code too.
            signs_in = path in {"/v1/auth/token", "/v1/invitations/accept"}

            assert ("401" in operation["responses"]) == (is_signed or signs_in), path
            if is_signed:
                assert "WWW-Authenticate" in operation["responses"]["401"]["headers"], path

    def test_a_creating_post_takes_an_id_and_answers_a_retry_with_200(
        self, document: dict[str, Any]
    ) -> None:
        creating = [
            operation
            for method, path, operation in operations(document)
            if method == "post" and "201" in operation["responses"] and "accept" not in path
        ]

        assert len(creating) >= 16
        for operation in creating:
            if operation["operationId"] == "add_instrument":
                continue  # known by the key and version in the definition
            body = operation["requestBody"]["content"]["application/json"]["schema"]
            sent = resolved(document, body)
            assert "id" in sent["properties"], operation["operationId"]
            assert "id" not in sent.get("required", []), operation["operationId"]
            assert {"200", "409"} <= operation["responses"].keys(), operation["operationId"]

    def test_a_change_needs_if_match_and_says_what_happens_without(
        self, document: dict[str, Any]
    ) -> None:
        changing = [one for one in operations(document) if one[0] in {"patch", "put", "delete"}]

        assert changing
        for _, path, operation in changing:
            if operation["operationId"] in {"switch_instrument", "remove_device", "end_membership"}:
                continue  # each says how it shall be, whatever it was
            if operation["operationId"] == "append_to_attachment":
                continue  # it names the byte from which it goes on
            named = {(one["name"], one["required"]) for one in operation["parameters"]}
            assert ("If-Match", True) in named, path
            assert {"412", "428"} <= operation["responses"].keys(), path

    def test_an_answer_with_a_version_has_an_etag_and_a_page_has_a_link(
        self, document: dict[str, Any]
    ) -> None:
        sent: dict[str, int] = {"ETag": 0, "Link": 0, "Vary": 0}
        for _, path, operation in operations(document):
            for status, response in operation["responses"].items():
                content = response.get("content", {}).get("application/json")
                if status[0] != "2" or content is None:
                    continue
                members = resolved(document, content["schema"]).get("properties", {})
                headers = response.get("headers", {})
                assert ("ETag" in headers) == ("version" in members), path
                assert ("Link" in headers) == ("next_cursor" in members), path
                assert ("Vary" in headers) == (len(response["content"]) > 1), path
                for name in headers:
                    sent[name] += 1

        assert min(sent["ETag"], sent["Link"]) > 5
        assert sent["Vary"] >= 2


class TestBounds:
    def test_nothing_can_be_sent_in_any_size(self, document: dict[str, Any]) -> None:
        assert unbounded(document) == set()

    @pytest.mark.parametrize(
        "schema",
        [
            {"type": "string"},
            {"type": "string", "format": "password"},
            {"type": "array", "items": {"type": "integer"}},
            {"type": "object"},
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
            {"$ref": "#/components/schemas/Endless"},
            {"type": "object", "maxProperties": 3, "propertyNames": {"pattern": "^[a-z]+$"}},
        ],
    )
    def test_what_has_no_bound_is_seen(self, schema: Schema) -> None:
        body = {"content": {"application/json": {"schema": schema}}}
        endless = {"properties": {"words": {"type": "string"}}, "additionalProperties": False}

        found = unbounded(
            {
                "paths": {"/": {"post": {"operationId": "do", "requestBody": body}}},
                "components": {"schemas": {"Endless": endless}},
            }
        )

        assert len(found) == 1

    def test_lists_are_read_in_pages_of_a_bounded_size(self, document: dict[str, Any]) -> None:
        for _, path, operation in operations(document):
            named = {one["name"]: one["schema"] for one in operation.get("parameters", ())}
            if "cursor" in named:
                assert named["limit"]["maximum"] <= 200, path

    def test_no_default_is_sent_for_an_instant(self, document: dict[str, Any]) -> None:
        # Generated clients send every default they are told of, and an open end is no instant.
        for where, schema in sent_schemas(document):
            for place, part in parts(document, schema):
                if part.get("format") == "date-time":
                    assert "default" not in part, where + place

    def test_answers_may_grow_new_members(self, document: dict[str, Any]) -> None:
        for _, path, operation in operations(document):
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    closed = [
                        place
                        for place, part in parts(document, content["schema"])
                        if part.get("additionalProperties") is False
                    ]
                    # What a client sends in PATCH /v1/me it reads back in the same shape.
                    assert {place.split("/")[1] for place in closed} <= {"emergency_contacts"}, path


class TestInstruments:
    @pytest.mark.parametrize("instrument", instruments.shipped(), ids=lambda one: str(one.key))
    def test_the_declared_shape_is_the_whole_definition(self, instrument: Instrument) -> None:
        definition = instrument.as_dict()

        assert InstrumentOut.model_validate(definition).model_dump() == definition


class TestAnnouncement:
    def test_nothing_that_was_announced_is_broken(self) -> None:
        assert breaking_changes(RELEASED, COMMITTED) == [], "see openapi/README.md"

    @pytest.mark.parametrize(
        "break_it",
        [
            lambda document: document["paths"].pop("/v1/caseload"),
            lambda document: document["components"]["schemas"]["TrajectoryOut"]["properties"].pop(
                "latest"
            ),
            lambda document: document["components"]["schemas"]["CheckInIn"]["required"].append(
                "sent_at"
            ),
            lambda document: document["components"]["schemas"]["CaseOut"]["properties"].update(
                patient_id={"type": "integer"}
            ),
        ],
        ids=["a path", "a member of an answer", "a member to send", "the type of a member"],
    )
    def test_a_breaking_change_is_seen(
        self,
        document: dict[str, Any],
        tmp_path: Path,
        break_it: Callable[[dict[str, Any]], object],
    ) -> None:
        broken = json.loads(json.dumps(document))
        break_it(broken)
        (tmp_path / "broken.json").write_text(json.dumps(broken))

        assert breaking_changes(COMMITTED, tmp_path / "broken.json")
