"""What every answer has in common, whatever answered."""

import asyncio
import json
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
import structlog
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY

from app.kernel.edge import MAX_BODY
from app.kernel.errors import Kind, Problem
from app.kernel.frame import Frame
from app.kernel.settings import Settings
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from app.main import create_app

Message = MutableMapping[str, Any]
CANARY = "canary-19c2"


@pytest.fixture(autouse=True)
def lines() -> Iterator[list[dict[str, Any]]]:
    """What is logged."""
    kept: list[dict[str, Any]] = []

    def keep(_: object, __: str, event: Any) -> Any:
        kept.append(dict(event))
        raise structlog.DropEvent

    structlog.configure(processors=[keep])
    yield kept
    structlog.reset_defaults()


def ask(
    app: Any,
    *,
    method: str = "POST",
    path: str = "/",
    headers: list[tuple[bytes, bytes]] | None = None,
    body: list[bytes] | None = None,
) -> list[Message]:
    """One request, straight to the frame; what it sends."""
    parts = body or [b""]
    waiting: list[Message] = [
        {"type": "http.request", "body": part, "more_body": n < len(parts)}
        for n, part in enumerate(parts, 1)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": headers or [],
        "client": None,
    }
    asyncio.run(Frame(app)(scope, receive, send))
    return sent


async def read_all(receive: Any) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message["body"])
        if not message["more_body"]:
            return b"".join(parts)


async def echo_size(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body and says how long it was."""
    body = b"%d" % len(await read_all(receive))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def fall(scope: Any, receive: Any, send: Any) -> None:
    """Raises before it answers."""
    raise LookupError(CANARY)


async def fall_late(scope: Any, receive: Any, send: Any) -> None:
    """Raises in the middle of its answer."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise LookupError(CANARY)


def headers_of(sent: list[Message]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


def problem_of(sent: list[Message]) -> dict[str, Any]:
    problem: dict[str, Any] = json.loads(sent[1]["body"])
    return problem


class TestHeaders:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/healthz", 200),
            ("GET", "/nothing/here", 404),
            ("DELETE", "/healthz", 405),
            ("GET", "/v1/me", 401),
            ("POST", "/v1/auth/token", 415),
        ],
    )
    def test_every_answer_carries_what_protects_it(
        self, client: TestClient, method: str, path: str, status: int
    ) -> None:
        answer = client.request(method, path)

        assert answer.status_code == status
        protects(dict(answer.headers))

    def test_so_does_the_answer_to_an_accident(self) -> None:
        protects(headers_of(ask(fall)))

    def test_so_does_the_answer_to_a_body_that_is_too_large(self) -> None:
        protects(headers_of(ask(echo_size, body=[bytes(MAX_BODY), b"x"])))

    def test_what_may_be_cached_says_so_itself(self, client: TestClient) -> None:
        headers = client.get("/.well-known/jwks.json").headers.get_list("cache-control")

        assert headers == ["public, max-age=300"]


def protects(headers: dict[str, str]) -> None:
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["strict-transport-security"].startswith("max-age=63072000")
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["referrer-policy"] == "no-referrer"
    assert "cache-control" in headers


class TestSize:
    @pytest.mark.parametrize("size", [0, 1, MAX_BODY])
    def test_a_body_of_a_mebibyte_passes(self, size: int) -> None:
        announced = [(b"content-length", b"%d" % size)]

        assert ask(echo_size, headers=announced, body=[bytes(size)])[1]["body"] == b"%d" % size
        assert ask(echo_size, body=[bytes(size)])[1]["body"] == b"%d" % size

    @pytest.mark.parametrize(
        "announced",
        [
            b"%d" % (MAX_BODY + 1),
            b"9" * 12,
            b"9" * 13,
            b"9" * 5000,
            b"-1",
            b"1e3",
            b"",
            b"+5",
            b"\xb2",
        ],
    )
    def test_a_body_that_announces_more_is_refused_unread(self, announced: bytes) -> None:
        sent = ask(fall, headers=[(b"content-length", announced)])

        assert sent[0]["status"] == 413

    def test_a_body_that_turns_out_larger_is_refused_where_it_does(self) -> None:
        seen: list[int] = []

        async def count(scope: Any, receive: Any, send: Any) -> None:
            while True:
                seen.append(len((await receive())["body"]))

        sent = ask(count, body=[bytes(400_000)] * 5)

        assert sent[0]["status"] == 413
        assert len(seen) == 2

    def test_the_refusal_says_how_much_is_allowed_and_ends_the_connection(self) -> None:
        sent = ask(echo_size, body=[bytes(MAX_BODY + 1)])

        problem = problem_of(sent)
        assert (problem["code"], problem["status"]) == ("body-too-large", 413)
        assert str(MAX_BODY) in problem["detail"]
        assert headers_of(sent)["connection"] == "close"

    @pytest.mark.parametrize("is_chunked", [True, False])
    def test_the_whole_application_refuses_it_and_takes_the_next(
        self, client: TestClient, is_chunked: bool
    ) -> None:
        part = b"x" * 200_000
        content: Any = iter([part] * 11) if is_chunked else part * 11
        headers = {"Content-Type": "application/x-www-form-urlencoded"}

        answer = client.post("/v1/auth/revoke", content=content, headers=headers)

        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
        assert client.post("/v1/auth/revoke", data={"token": "x"}).status_code == 200


class TestPieces:
    @pytest.mark.parametrize(
        ("pieces", "status"),
        [
            ([b"tok", b"en", b"=", b"x" * 100, b""], 200),
            ([b"", b"token=x"], 200),
            ([b"tok", b"x=1"], 422),
        ],
        ids=["five", "an empty one first", "of what is wrong"],
    )
    def test_a_body_that_comes_in_pieces_is_read_whole(
        self, keyring: Keyring, pieces: list[bytes], status: int
    ) -> None:
        application = without_a_database(keyring)
        media = [(b"content-type", b"application/x-www-form-urlencoded")]

        sent = ask(application, path="/v1/auth/revoke", headers=media, body=pieces)

        assert sent[0]["status"] == status


def without_a_database(keyring: Keyring) -> Any:
    """An API that answers what needs none."""
    return create_app(
        Settings(database_url="postgresql+psycopg://nobody@127.0.0.1:1/nothing"),
        keyring,
        SigningKeys.parse(SigningKeys.generate()),
    )


class TestOutsideOfRoutes:
    """What no route of ours answers comes from the same catalogue."""

    @pytest.fixture
    def stranger(self, keyring: Keyring) -> Iterator[TestClient]:
        """An API without a database, with a route that the framework answers itself."""
        application = without_a_database(keyring)

        def read(number: int) -> None: ...

        application.add_api_route("/of-the-framework/{number}", read)
        with TestClient(application, raise_server_exceptions=False) as client:
            yield client

    def test_metrics_without_a_database_say_that_it_is_away(self, stranger: TestClient) -> None:
        answer = stranger.get("/metrics")

        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        protects(dict(answer.headers))

    def test_what_the_framework_finds_wrong_is_not_repeated(self, stranger: TestClient) -> None:
        answer = stranger.get(f"/of-the-framework/{CANARY}")

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
        assert CANARY not in answer.text


class TestAccident:
    def test_it_is_a_problem_with_a_reference_and_without_its_text(
        self, lines: list[dict[str, Any]]
    ) -> None:
        sent = ask(fall)

        problem = problem_of(sent)
        assert (sent[0]["status"], problem["code"]) == (500, "internal")
        assert CANARY not in sent[1]["body"].decode()
        (line,) = lines
        assert problem["instance"] == f"urn:uuid:{line['reference']}"
        assert line["event"] == "request.failed"

    def test_in_the_middle_of_an_answer_there_is_nothing_left_to_say(
        self, lines: list[dict[str, Any]]
    ) -> None:
        with pytest.raises(LookupError):
            ask(fall_late)

        assert len(lines) == 1

    def test_a_problem_is_logged_as_its_code_and_nothing_else(self) -> None:
        assert str(Problem(Kind.INVALID, detail=CANARY)) == "invalid"


class TestCount:
    def counted(self, method: str, status: str) -> float:
        labels = {"method": method, "status": status}
        return REGISTRY.get_sample_value("afterglow_requests_total", labels) or 0

    def test_answers_are_counted_by_method_and_status(self) -> None:
        before = self.counted("POST", "200"), self.counted("POST", "500")

        ask(echo_size)
        ask(echo_size)
        ask(fall)

        after = self.counted("POST", "200"), self.counted("POST", "500")
        assert (after[0] - before[0], after[1] - before[1]) == (2, 1)

    def test_a_method_somebody_made_up_makes_no_series_of_its_own(self) -> None:
        before = self.counted("other", "200")

        for n in range(3):
            ask(echo_size, method=f"X{n}")

        assert self.counted("other", "200") == before + 3
        assert self.counted("X0", "200") == 0


class TestLifespan:
    def test_what_is_no_request_passes_through(self) -> None:
        seen: list[str] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope["type"])

        asyncio.run(Frame(app)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]

        assert seen == ["lifespan"]
