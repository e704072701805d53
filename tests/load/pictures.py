"""A trajectory as SVG, from the database to the picture, beside what the library takes for it."""

from datetime import timedelta
from pathlib import Path

from app.kernel import embedded
from app.kernel.db import Direct
from tests.load.afterglow import DOSES, Deployment
from tests.load.subjects import PATIENTS, POINTS, Kind, Server, http_request, serve

WAITING = 16
"""Who ask for a picture at the same time, at most: it is one process that draws."""


def check_picture(body: bytes) -> None:
    """Raises: ValueError."""
    if not body.startswith(b"<svg ") or body.count(b"<path") < POINTS // 2:
        raise ValueError(f"no picture of {POINTS} points: {body[:500]!r}")


class AloneSubject:
    """The library in a server that does nothing else."""

    name = "library"

    def __init__(self) -> None:
        request = http_request("GET", "/chart", "nobody")
        self.kinds = {
            "chart": Kind(lambda _: request, 200, "chart", check_picture, at_most=WAITING)
        }

    def start(self, postgres: embedded.Server, log: Path) -> Server:
        """As `Subject`; it needs no database."""
        return serve("tests.load.alone:app", {}, log)

    def stored(self) -> int:
        """As `Subject`."""
        return 0


class ChartSubject(Deployment):
    """The same through the API: token, chart opened, look noted, trajectory, picture."""

    name = "charts"

    def __init__(self) -> None:
        self.kinds = {
            "chart": Kind(self._request, 200, "chart", check_picture, at_most=WAITING),
        }

    def settle(self, direct: Direct) -> None:
        """As `Deployment`."""
        daily = timedelta(days=POINTS)
        self._patients = self.admit(direct, PATIENTS, over=daily)
        self.seed(self._patients, points=POINTS, doses=DOSES, over=daily)

    def _request(self, i: int) -> bytes:
        path = f"/v1/patients/{self._patients[i].patient_id}/trajectories/phq-9"
        request = http_request("GET", path, self.token(self.therapist))
        return request[:-2] + b"accept: image/svg+xml\r\n\r\n"
