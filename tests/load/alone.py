"""The drawing library and nothing else: one chart, drawn anew for each request."""

from datetime import UTC, datetime, timedelta

import vl_convert
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.clinical import instruments
from app.trends.charts import course
from app.trends.charts.records import Band, Course, Point
from tests.load.subjects import POINTS

PHQ_9 = instruments.find("phq-9")
TOTAL = PHQ_9.total
assert TOTAL is not None
NOW = datetime.now(UTC)
ONE_OF_MANY = Course(
    title=PHQ_9.title,
    label="PHQ-9",
    minimum=0,
    maximum=27,
    direction="lower-is-better",
    points=[Point(NOW - timedelta(days=ago), 9, 1, 24.0) for ago in range(POINTS, 0, -1)],
    doses=[NOW - timedelta(days=33 * number) for number in range(6, 0, -1)],
    time_zone="America/New_York",
    caveat="One person's scores, not blinded and without a comparison.",
    bands=[Band(one.label, one.low, one.high) for one in TOTAL.bands],
    baseline=Point(NOW - timedelta(days=POINTS), 9),
)
SPECIFICATION = to_json(course.chart(ONE_OF_MANY)).decode()


async def draw(_: Request) -> Response:
    """The library's own time; nothing waits for anything."""
    return Response(vl_convert.vegalite_to_svg(SPECIFICATION), media_type="image/svg+xml")


app = Starlette(routes=[Route("/chart", draw)])
