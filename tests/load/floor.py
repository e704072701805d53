"""The floor: the least a durable check-in server can do, by hand and as fast as is reasonable.

Starlette routes, one autocommitted prepared statement per request through asyncpg, strict
msgspec bodies, and access tokens verified once and remembered until they expire. It keeps one
plain table and none of the promises of a clinical record, which is the point.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

import asyncpg
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from msgspec import Meta
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

CONNECTIONS = 16
REMEMBERED_TOKENS = 10_000

TABLE = Path(__file__).with_name("check_in.sql").read_text()
INSERT = """
INSERT INTO check_in (id, patient_id, instrument, answers, total, recorded_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""
SELECT = """
SELECT recorded_at, total FROM check_in WHERE patient_id = $1 ORDER BY recorded_at LIMIT 200
"""

Answer = Annotated[int, Meta(ge=0, le=3)]


class CheckInIn(msgspec.Struct, forbid_unknown_fields=True):
    id: UUID
    instrument: Literal["phq-9"]
    answers: Annotated[list[Answer], Meta(min_length=9, max_length=9)]
    recorded_at: Annotated[datetime, Meta(tz=True)]


class CheckInOut(msgspec.Struct):
    id: UUID
    instrument: str
    total: int
    recorded_at: datetime


class Point(msgspec.Struct, gc=False):
    recorded_at: datetime
    total: int


class Tokens:
    """Who sent a request: the signature is checked once per token, the expiry every time."""

    def __init__(self, public_key: str) -> None:
        self._key = ECKey.import_key(public_key)
        self._claims = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": "bench"},
            aud={"essential": True, "value": "bench"},
            exp={"essential": True},
            sub={"essential": True},
        )
        self._verified: dict[str, tuple[UUID, float]] = {}

    def patient(self, request: Request) -> UUID | None:
        """The patient of the request's bearer token, or None without a good one."""
        header = request.headers.get("authorization", "")
        known = self._verified.get(header) or self._verify(header)
        return known[0] if known and known[1] > time.time() else None

    def _verify(self, header: str) -> tuple[UUID, float] | None:
        scheme, _, token = header.partition(" ")
        if scheme != "Bearer":
            return None
        try:
            claims = jwt.decode(token, self._key, algorithms=["ES256"]).claims
            self._claims.validate(claims)
            verified = UUID(claims["sub"]), float(claims["exp"])
        except (JoseError, ValueError):
            return None
        if len(self._verified) >= REMEMBERED_TOKENS:
            self._verified.clear()
        self._verified[header] = verified
        return verified


check_in_decoder = msgspec.json.Decoder(CheckInIn)
encoder = msgspec.json.Encoder()
tokens = Tokens(os.environ["LOAD_PUBLIC_KEY"])
pool: asyncpg.Pool
# First come, first served. The pool's own queue lets a newcomer overtake who waits, which at 64
# clients makes the slowest one in a hundred ten times slower.
turn = asyncio.Semaphore(CONNECTIONS)


async def keep_as_it_is(_connection: asyncpg.Connection) -> None:
    """Nothing to undo between requests: asyncpg's own reset is one more round trip."""


@contextlib.asynccontextmanager
async def database(_app: Starlette) -> AsyncIterator[None]:
    global pool
    async with asyncpg.create_pool(
        os.environ["LOAD_DATABASE_URL"],
        min_size=CONNECTIONS,
        max_size=CONNECTIONS,
        reset=keep_as_it_is,
        timeout=10,
    ) as pool:
        await pool.execute(TABLE)
        yield


def answer(content: object, status: int) -> Response:
    return Response(encoder.encode(content), status, media_type="application/json")


async def submit_check_in(request: Request) -> Response:
    patient_id = tokens.patient(request)
    if patient_id is None:
        return Response(status_code=401)
    try:
        sent = check_in_decoder.decode(await request.body())
    except msgspec.ValidationError as wrong:
        return answer({"detail": str(wrong)}, 422)
    except msgspec.DecodeError:
        return answer({"detail": "not JSON"}, 400)
    total = sum(sent.answers)
    try:
        async with turn:
            await pool.execute(
                INSERT,
                sent.id,
                patient_id,
                sent.instrument,
                sent.answers,
                total,
                sent.recorded_at,
            )
    except asyncpg.UniqueViolationError:
        return answer({"detail": "this id is taken"}, 409)
    return answer(CheckInOut(sent.id, sent.instrument, total, sent.recorded_at), 201)


async def list_points(request: Request) -> Response:
    patient_id = tokens.patient(request)
    if patient_id is None:
        return Response(status_code=401)
    async with turn:
        rows = await pool.fetch(SELECT, patient_id)
    return answer([Point(recorded_at, total) for recorded_at, total in rows], 200)


app = Starlette(
    routes=[
        Route("/check-ins", submit_check_in, methods=["POST"]),
        Route("/check-ins", list_points, methods=["GET"]),
    ],
    lifespan=database,
)
