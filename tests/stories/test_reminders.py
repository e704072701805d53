"""A reminder leaves the running server, and whoever receives it can tell that it is genuine."""

import json
import time
from datetime import UTC, datetime, timedelta

import httpx
from fastapi.testclient import TestClient

from app.kernel import channels
from app.kernel.settings import Settings
from app.main import create_app
from app.operations import stack
from tests.builders import Clinic, a_clinic, a_dosing_session, an_administration, now
from tests.kernel.outside import Receiver, listening
from tests.stories.servers import LiveServer

WITHIN_SECONDS = 30


def people(server: LiveServer) -> Clinic:
    """A clinic of this server's, signed in."""
    keyring, keys = stack.keyring(server.settings), stack.signing_keys(server.settings)
    database = stack.direct(server.settings)
    try:
        return a_clinic(TestClient(create_app(server.settings, keyring, keys)), database)
    finally:
        database.close()


class TestReminder:
    def test_a_webhook_of_a_phone_s_app_is_told_and_can_verify_it(
        self, fresh_database: Settings
    ) -> None:
        opened = fresh_database.model_copy(update={"outbound_allow": "127.0.0.0/8"})
        receiver = Receiver()
        with listening(receiver) as listener, LiveServer(opened) as server:
            clinic = people(server)
            server.stop("worker")  # it looks around when it starts, and then now and then

            def ask(method: str, path: str, token: str, body: object) -> httpx.Response:
                headers = {"Authorization": f"Bearer {token}", "If-Match": '"1"'}
                url = f"{server.base_url}{path}"
                return httpx.request(method, url, json=body, headers=headers)

            url = f"http://127.0.0.1:{listener.port}/hooks/reminders"
            awake = {"quiet_from": "00:00", "quiet_until": "00:00"}
            given_at = (now() - timedelta(hours=3)).isoformat()
            dose = a_dosing_session(administrations=[an_administration(given_at=given_at)])
            sessions = f"{clinic.patient.record}/dosing-sessions"
            plan = ask("PUT", "/v1/me/reminders", clinic.patient.token, awake)
            recorded = ask("POST", sessions, clinic.therapist.token, dose)
            device = {"channel": "webhook", "url": url}
            registered = ask("POST", "/v1/me/devices", clinic.patient.token, device)
            assert [plan.status_code, recorded.status_code, registered.status_code] == [
                200,
                201,
                201,
            ]

            server.start("worker")
            deadline = time.monotonic() + WITHIN_SECONDS
            while not receiver.requests and time.monotonic() < deadline:
                time.sleep(0.05)
            told = httpx.get(
                f"{server.base_url}/v1/me/reminders",
                headers={"Authorization": f"Bearer {clinic.patient.token}"},
            ).json()

        assert len(receiver.requests) == 1, server.log("worker")
        ((first, headers, body),) = receiver.requests
        secret = registered.json()["secret"]
        assert first == "POST /hooks/reminders HTTP/1.1"
        assert channels.verify(secret, headers, body, datetime.now(UTC))
        assert not channels.verify(secret, headers, body + b" ", datetime.now(UTC))
        assert not channels.verify(channels.new_secret(), headers, body, datetime.now(UTC))
        assert json.loads(body) == {
            "type": "reminder",
            "title": "A reminder",
            # How one feels, and the check after a dose.
            "body": "There are 2 things to fill in when you have a moment.",
        }
        assert [one["due_key"] for one in told["reminders"]] == [
            "4h/dose-1/aftercare",
            "4h/dose-1/momentary",
        ]
        assert url not in server.log("serve") + server.log("worker")
        assert secret not in server.log("serve") + server.log("worker")
