"""The processes themselves: they start, stop in good order, and come back after a crash."""

import os
import signal

import httpx

from app.kernel.settings import Settings
from tests.stories.servers import STOP_SECONDS, LiveServer


class TestProcesses:
    def test_they_stop_in_good_order_and_leave_nothing_behind(
        self, fresh_database: Settings
    ) -> None:
        server = LiveServer(fresh_database)
        server.start()
        pids = server.pids

        codes = server.stop()

        assert codes.keys() == {"serve", "worker"} == pids.keys()
        # The API ends by the signal it was sent, after it has closed; nothing had to be forced.
        assert set(codes.values()) <= {0, -signal.SIGTERM}, server.log("serve")
        assert [part for part, pid in pids.items() if is_alive(pid)] == []

    def test_they_end_with_the_process_that_started_them(self, fresh_database: Settings) -> None:
        with LiveServer(fresh_database) as server:
            codes = server.orphan()

        assert set(codes.values()) <= {0, -signal.SIGTERM}

    def test_a_server_that_was_killed_comes_back_on_the_same_address(
        self, fresh_database: Settings
    ) -> None:
        with LiveServer(fresh_database) as server:
            before = server.pids
            server.kill("serve")
            assert not answers(server)

            server.start()

            assert answers(server)
            assert server.pids["serve"] != before["serve"]
            assert server.pids["worker"] == before["worker"]


def is_alive(pid: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def answers(server: LiveServer) -> bool:
    """Whether somebody listens."""
    try:
        return httpx.get(f"{server.base_url}/healthz", timeout=STOP_SECONDS).status_code == 200
    except httpx.TransportError:
        return False
