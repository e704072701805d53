"""A request that is refused, and everything that must not come of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import pytest
from httpx2 import Response

from tests.builders import Clinic, Person, a_check_in
from tests.conftest import Behind

CANARY = "kakapo"
"""Put wherever a value may be echoed; no answer and no line of a log may contain it."""
NUMBER = 918273645
"""The same, as a number."""
JSON = "application/json"
CHECK_INS = "/v1/patients/me/check-ins"
SLOWEST_SECONDS = 2.0


@dataclass(frozen=True)
class Probe:
    """Sends what should be refused, and looks at everything that must hold afterwards."""

    clinic: Clinic
    behind: Behind
    capture: pytest.CaptureFixture[str]

    def refused(
        self,
        path: str,
        content: bytes | str | Iterator[bytes] | None = None,
        *,
        status: int | Sequence[int] = (400, 422),
        pointer: str | None = None,
        by: str = "patient",
        method: str = "POST",
        media: str | None = JSON,
        headers: Mapping[str, str] = {},
    ) -> Response:
        """Send it. pointer: one of the places that the answer must name."""
        before = self.behind.counts()
        began = monotonic()
        answer = self._send(by, method, path, content, media, headers)
        took = monotonic() - began

        expected = (status,) if isinstance(status, int) else status
        assert answer.status_code in expected, (answer.status_code, answer.text)
        assert answer.headers["Content-Type"] == "application/problem+json"
        told = answer.json()
        assert told["status"] == answer.status_code
        if pointer is not None:
            assert pointer in {fault["pointer"] for fault in told["errors"]}, told
        said = answer.text + str(answer.headers) + "".join(self.capture.readouterr())
        assert CANARY not in said.lower()
        assert str(NUMBER) not in said
        assert self.behind.counts() == before
        assert took < SLOWEST_SECONDS
        self.works()
        return answer

    def works(self) -> None:
        """The next good request is answered as if nothing had been."""
        assert self.clinic.patient.post(CHECK_INS, a_check_in()).status_code == 201

    def _send(
        self,
        by: str,
        method: str,
        path: str,
        content: bytes | str | Iterator[bytes] | None,
        media: str | None,
        headers: Mapping[str, str],
    ) -> Response:
        person: Person = getattr(self.clinic, by)
        if media is not None and content is not None:
            headers = {"Content-Type": media, **headers}
        if isinstance(content, str):
            content = content.encode("utf-8", "surrogatepass")
        return person.request(method, path, content=content, headers=headers)


def with_raw(body: dict[str, Any], pointer: str, raw: str) -> str:
    """The body as JSON, with `raw` as it stands at a pointer: what no encoder would write."""
    body = json.loads(json.dumps(body))
    *way, last = pointer.split("/")[1:]
    place: Any = body
    for part in way:
        place = place[int(part) if isinstance(place, list) else part]
    mark = "raw-goes-here"
    place[int(last) if isinstance(place, list) else last] = mark
    return json.dumps(body).replace(f'"{mark}"', raw)
