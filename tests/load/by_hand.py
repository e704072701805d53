"""What `GET /v1/outcomes` counts, as somebody would ask the database for it by hand."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

STATEMENT = """
    WITH visit (code, day, opens, closes) AS (VALUES
        ('1w', 7, 5, 10), ('2w', 14, 10, 21), ('4w', 28, 21, 42), ('8w', 56, 42, 70),
        ('12w', 84, 70, 126), ('26w', 182, 126, 238), ('52w', 364, 308, 420)
    ), cohort AS (
        SELECT patient.id, min(session.effective_at) AS dosed_at
        FROM patient JOIN dosing_session session
            ON session.clinic_id = patient.clinic_id AND session.patient_id = patient.id
        WHERE patient.clinic_id = $1 AND session.status IN ('completed', 'in-progress')
            AND EXISTS (SELECT FROM consent WHERE consent.clinic_id = patient.clinic_id
                AND consent.patient_id = patient.id AND kind = 'treatment'
                AND given_at <= now() AND revoked_at IS NULL
                AND (expires_at IS NULL OR expires_at > now()))
        GROUP BY patient.id
    ), started AS (
        SELECT DISTINCT ON (cohort.id) cohort.id, dosed_at, total AS baseline
        FROM cohort JOIN check_in ON clinic_id = $1 AND patient_id = cohort.id
        WHERE instrument = 'phq-9' AND status = 'final' AND total IS NOT NULL
            AND effective_at < dosed_at
        ORDER BY cohort.id, effective_at DESC
    ), scored AS (
        SELECT started.id, baseline, total,
            extract(epoch FROM effective_at - dosed_at) / 86400 AS days
        FROM started JOIN check_in ON clinic_id = $1 AND patient_id = started.id
        WHERE instrument = 'phq-9' AND status = 'final' AND total IS NOT NULL
            AND effective_at >= dosed_at AND baseline >= 10
    ), visited AS (
        SELECT DISTINCT ON (scored.id, visit.day) visit.day, baseline, total
        FROM scored JOIN visit ON days >= opens AND days < closes
        ORDER BY scored.id, visit.day, abs(days - visit.day)
    ), timed AS (
        SELECT id, min(days) FILTER (WHERE total * 2 <= baseline) AS responded, max(days) AS last
        FROM scored GROUP BY id
    )
    SELECT day::float8 AS day, count(*) AS assessed,
        count(*) FILTER (WHERE total * 2 <= baseline) AS responded,
        count(*) FILTER (WHERE total < 5) AS remitted,
        (SELECT count(*) FROM timed WHERE timed.responded <= visited.day) AS responded_by,
        (SELECT count(*) FROM timed WHERE timed.responded IS NULL AND last <= visited.day)
            AS censored_by
    FROM visited GROUP BY day ORDER BY day
"""


@asynccontextmanager
async def lifespan(application: Starlette) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["LOAD_DATABASE_URL"], min_size=1, max_size=2) as pool:
        application.state.pool = pool
        yield


async def aggregate(request: Request) -> Response:
    rows = await request.app.state.pool.fetch(STATEMENT, UUID(os.environ["LOAD_CLINIC"]))
    return Response(msgspec.json.encode([dict(row) for row in rows]), media_type="application/json")


app = Starlette(routes=[Route("/", aggregate)], lifespan=lifespan)
