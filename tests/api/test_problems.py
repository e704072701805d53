"""How the API says no: one catalogue, one form, and never what was sent."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.kernel.errors import Kind
from app.kernel.settings import Settings
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from app.main import create_app
from tests.builders import World, a_check_in, a_note
from tests.conftest import SIGNING_KEYS

REQUIRED = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}


class TestForm:
    @pytest.mark.parametrize(
        ("method", "path", "status", "code"),
        [
            ("GET", "/v1/nowhere", 404, "not-found"),
            ("GET", "/nowhere", 404, "not-found"),
            ("GET", "/v1/me/", 404, "not-found"),
            ("GET", "/docs", 404, "not-found"),
            ("DELETE", "/v1/me", 405, "method-not-allowed"),
            ("PUT", "/v1/patients/me/check-ins", 405, "method-not-allowed"),
            ("GET", "/v1/auth/token", 405, "method-not-allowed"),
            ("POST", "/healthz", 405, "method-not-allowed"),
            ("BREW", "/v1/me", 405, "method-not-allowed"),
            ("GET", "/v1/me", 401, "not-signed-in"),
            ("POST", "/v1/invitations/accept", 415, "unsupported-media-type"),
        ],
    )
    def test_every_refusal_is_a_problem_document(
        self, client: TestClient, method: str, path: str, status: int, code: str
    ) -> None:
        answer = client.request(method, path)

        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "application/problem+json"
        told = answer.json()
        assert told["type"] == f"urn:afterglow:problem:{code}"
        assert (told["status"], told["code"]) == (status, code)
        assert told["title"]
        if status == 405:
            assert answer.headers["Allow"]

    @pytest.mark.parametrize("accepted", ["en", "de-AT, fr;q=0.5", "*", "de;q=7", "\xe4", ""])
    def test_it_says_which_language_its_title_is_in(
        self, client: TestClient, accepted: str
    ) -> None:
        headers = {b"Accept-Language": accepted.encode("latin-1")}
        answers = [
            client.request(method, path, headers=headers)
            for method, path in (("GET", "/v1/me"), ("GET", "/v1/nowhere"), ("PUT", "/v1/limits"))
        ]

        assert [answer.headers["Content-Language"] for answer in answers] == ["en"] * 3
        assert [answer.json()["title"] for answer in answers] == [
            Kind.NOT_SIGNED_IN.title,
            Kind.NOT_FOUND.title,
            Kind.METHOD_NOT_ALLOWED.title,
        ]

    def test_kinds_are_told_apart_by_their_code(self) -> None:
        assert len({kind.code for kind in Kind}) == len(Kind)
        assert all(400 <= kind.status < 600 for kind in Kind)


class TestHeaders:
    def test_every_answer_carries_what_protects_it(self, world: World) -> None:
        answers = [
            world.patient.get("/v1/patients/me/check-ins"),
            world.patient.post("/v1/patients/me/check-ins", a_check_in()),
            world.patient.post("/v1/patients/me/check-ins", {}),
            world.patient.get("/v1/nowhere"),
            world.patient.client.get("/healthz"),
            world.patient.client.get("/v1/instruments"),
            world.patient.client.get("/openapi.json"),
        ]

        for answer in answers:
            assert REQUIRED.items() <= dict(answer.headers).items()
            assert "max-age=" in answer.headers["Strict-Transport-Security"]

    @pytest.mark.parametrize(
        "path",
        [
            "/v1/me",
            "/v1/patients/me/check-ins",
            "/v1/patients/me/dosing-sessions",
            "/v1/patients/me/notes",
            "/v1/patients/me/goals",
            "/v1/patients/me/trajectories/phq-9",
        ],
    )
    def test_nothing_of_a_patient_is_kept_on_the_way(self, world: World, path: str) -> None:
        assert world.patient.get(path).headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("path", ["/v1/caseload", "/v1/flags"])
    def test_nor_of_a_list_of_patients(self, world: World, path: str) -> None:
        assert world.therapist.get(path).headers["Cache-Control"] == "no-store"


class TestOurFault:
    @pytest.fixture
    def broken(self, settings: Settings, keyring: Keyring, tmp_path: Path) -> Iterator[TestClient]:
        """An API whose clock fails with something that nobody should read."""

        def fail() -> None:
            raise RuntimeError("the secret is xylophone")

        keys = SigningKeys.parse(SigningKeys.generate())
        application = create_app(settings, keyring, keys, now=fail)  # type: ignore[arg-type]
        with TestClient(application, raise_server_exceptions=False) as client:
            yield client

    def test_an_accident_is_told_without_its_text(
        self, broken: TestClient, capfd: pytest.CaptureFixture[str]
    ) -> None:
        answer = broken.post("/v1/auth/revoke", data={"token": "ptarmigan"})

        assert (answer.status_code, answer.json()["code"]) == (500, "internal")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert REQUIRED.items() <= dict(answer.headers).items()
        assert "xylophone" not in answer.text
        # What an operator needs to find it is in both places.
        reference = answer.json()["instance"].removeprefix("urn:uuid:")
        logged = "".join(capfd.readouterr())
        assert reference in logged
        assert "ptarmigan" not in logged


class TestHelp:
    """What goes wrong while somebody tells of danger says whom to call all the same."""

    SENTENCE = "If you are in danger, call the emergency number of the country you are in."
    PATHS = ("/v1/patients/me/check-ins", "/v1/patients/me/notes", "/v1/patients/me/flags")

    @pytest.fixture
    def broken(self, settings: Settings, keyring: Keyring) -> Iterator[TestClient]:
        """An API that fails in a way that nobody thought of."""

        def fail() -> datetime:
            raise RuntimeError("the secret is xylophone")

        keys = SigningKeys.parse(SIGNING_KEYS)
        application = create_app(settings, keyring, keys, now=fail)
        with TestClient(application, raise_server_exceptions=False) as client:
            yield client

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize(
        ("query", "number", "advice"),
        [("?country=DE", "112", "call 112 now"), ("", None, "the country you are in")],
    )
    def test_an_accident_of_ours_says_whom_to_call(
        self,
        broken: TestClient,
        world: World,
        path: str,
        query: str,
        number: str | None,
        advice: str,
    ) -> None:
        headers = {"Authorization": f"Bearer {world.patient.token}", "Accept-Language": "de-DE"}
        body = a_check_in() if path.endswith("check-ins") else a_note()

        answer = broken.post(path + query, json=body, headers=headers)

        assert (answer.status_code, answer.json()["code"]) == (500, "internal")
        assert "xylophone" not in answer.text
        told = answer.json()["help"]
        assert told["emergency_number"] == number
        # A language is not where somebody is.
        assert told["country"] == ("DE" if query else "")
        assert advice in told["advice"]

    def test_where_nothing_of_danger_is_told_an_accident_has_no_help(
        self, broken: TestClient, world: World
    ) -> None:
        headers = {"Authorization": f"Bearer {world.patient.token}"}

        answer = broken.get("/v1/patients/me/check-ins", headers=headers)

        assert answer.status_code == 500
        assert "help" not in answer.json()

    @pytest.mark.parametrize("path", PATHS[:2])
    def test_a_body_that_is_too_large_is_told_whom_to_call_too(
        self, world: World, path: str
    ) -> None:
        headers = {"Content-Type": "application/json"}

        answer = world.patient.post(path, None, content=b" " * 1_100_000, headers=headers)

        assert answer.status_code == 413
        assert answer.json()["help"]["advice"] == self.SENTENCE

    @pytest.mark.parametrize("path", PATHS)
    def test_without_a_database_and_without_a_country_it_is_the_plain_sentence(
        self, world: World, keyring: Keyring, tmp_path: Path, path: str
    ) -> None:
        away = "postgresql+psycopg://nobody@127.0.0.1:1/none"
        settings = Settings(database_url=away, data_dir=tmp_path, public_url="http://testserver")
        headers = {"Authorization": f"Bearer {world.patient.token}", "Accept-Language": "de-DE"}
        application = create_app(settings, keyring, SigningKeys.parse(SIGNING_KEYS))

        with TestClient(application) as client:
            body = a_check_in() if path.endswith("check-ins") else a_note()
            answer = client.post(path, json=body, headers=headers)

        assert answer.status_code == 503
        assert answer.json()["help"] == {
            "country": "",
            "emergency_number": None,
            "emergency_channels": [],
            "crisis_lines": [],
            "advice": self.SENTENCE,
        }


class TestSpecification:
    def test_it_describes_problems_as_they_are(self, client: TestClient) -> None:
        schema = client.get("/openapi.json").json()["components"]["schemas"]["Problem"]

        told = client.get("/v1/me").json()

        assert set(schema["required"]) <= set(told)
        assert set(told) <= set(schema["properties"])
