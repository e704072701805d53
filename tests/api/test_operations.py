"""What keeps a server running: keys, health, readiness, metrics."""

from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.kernel import outbox
from app.kernel.db import Direct
from app.kernel.settings import Settings
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from app.main import create_app
from tests.builders import World, a_check_in, phq_9
from tests.conftest import Clock

NOBODY_LISTENS = "postgresql+psycopg://nobody@127.0.0.1:1/none"


class TestHealth:
    def test_the_process_answers(self, client: TestClient) -> None:
        assert client.get("/healthz").json() == {"status": "ok"}

    def test_and_so_does_its_database(self, client: TestClient) -> None:
        assert client.get("/readyz").json() == {"status": "ok"}

    def test_without_a_database_it_is_healthy_and_not_ready(
        self, keyring: Keyring, tmp_path: Path
    ) -> None:
        settings = Settings(database_url=NOBODY_LISTENS, data_dir=tmp_path)
        keys = SigningKeys.parse(SigningKeys.generate())

        with TestClient(create_app(settings, keyring, keys)) as client:
            assert client.get("/healthz").status_code == 200
            ready = client.get("/readyz")
            sent = client.post("/v1/auth/revoke", data={"token": "nonsense"})
            asked = client.post(
                "/v1/auth/token",
                data={"grant_type": "password", "username": "abc", "password": "a password"},
            )

        assert (ready.status_code, ready.json()["code"]) == (503, "unavailable")
        assert int(ready.headers["Retry-After"]) >= 1
        assert sent.status_code == 200  # it was none of ours: nothing to look up
        assert asked.status_code == 503
        for word in ("127.0.0.1", "nobody", "postgres"):
            assert word not in ready.text + asked.text


class TestKeys:
    def test_the_public_keys_are_published_and_nothing_private(self, client: TestClient) -> None:
        answer = client.get("/.well-known/jwks.json")

        assert answer.status_code == 200
        (key,) = answer.json()["keys"]
        assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
        assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
        assert "public" in answer.headers["Cache-Control"]


class TestMetrics:
    def test_they_count_and_carry_no_names(self, world: World) -> None:
        world.patient.post("/v1/patients/me/check-ins", a_check_in())

        answer = world.patient.client.get("/metrics")

        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert 'afterglow_requests_total{method="POST",status="201"}' in answer.text
        for word in (str(world.patient.patient_id), world.patient.username, "me/check-ins"):
            assert word not in answer.text

    @pytest.mark.parametrize("silent_seconds", [0, 90])
    def test_they_tell_how_long_the_worker_has_been_silent(
        self, timed_world: World, clock: Clock, direct: Direct, silent_seconds: int
    ) -> None:
        direct.run(lambda db: outbox.beat(db, clock.at - timedelta(seconds=silent_seconds)))
        timed_world.patient.post(
            "/v1/patients/me/check-ins", a_check_in(answers=phq_9(9, item_nine=1))
        )

        text = timed_world.patient.client.get("/metrics").text

        assert f"afterglow_worker_silent_seconds {float(silent_seconds)}" in text
        (waiting,) = (
            line for line in text.splitlines() if line.startswith("afterglow_outbox_waiting ")
        )
        assert float(waiting.split()[1]) >= 1
