"""The usual FastAPI and SQLModel application, in its fair form.

As tutorials write it, without the mistakes that would make it an easy opponent: plain `def`
routes so that no query blocks the event loop, a database session and the caller as
dependencies, a read of the two columns that are shown rather than of whole rows, no refresh
after the commit, and as many pooled connections as there are threads to use them.
"""

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from jose import JWTError, jwt
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import ARRAY, DateTime, Engine, Index, SmallInteger, create_engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Column, Session, SQLModel, select
from sqlmodel import Field as ColumnField

THREADS = 40  # what anyio, and so Starlette, runs `def` routes on


class CheckIn(SQLModel, table=True):
    __tablename__ = "check_in"
    __table_args__ = (
        Index("check_in_by_patient", "patient_id", "recorded_at", postgresql_include=["total"]),
    )

    id: UUID = ColumnField(primary_key=True)
    patient_id: UUID
    instrument: str
    answers: list[int] = ColumnField(sa_column=Column(ARRAY(SmallInteger), nullable=False))
    total: int = ColumnField(sa_type=SmallInteger)
    recorded_at: datetime = ColumnField(sa_type=DateTime(timezone=True))


class CheckInIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: UUID
    instrument: Literal["phq-9"]
    answers: Annotated[list[Annotated[int, Field(ge=0, le=3)]], Field(min_length=9, max_length=9)]
    recorded_at: AwareDatetime


class CheckInOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    instrument: str
    total: int
    recorded_at: datetime


class Point(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    recorded_at: datetime
    total: int


def engine_from_environment() -> Engine:
    url = os.environ["LOAD_DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:", 1)
    return create_engine(url, pool_size=THREADS, max_overflow=0)


engine = engine_from_environment()
public_key = os.environ["LOAD_PUBLIC_KEY"]
bearer = HTTPBearer()


@contextlib.asynccontextmanager
async def tables(_app: FastAPI) -> AsyncIterator[None]:
    SQLModel.metadata.create_all(engine)
    yield


def open_session() -> Iterator[Session]:
    with Session(engine, expire_on_commit=False) as session:
        yield session


def current_patient(
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)],
) -> UUID:
    try:
        claims = jwt.decode(
            credentials.credentials,
            public_key,
            algorithms=["ES256"],
            audience="bench",
            issuer="bench",
        )
        return UUID(claims["sub"])
    except (JWTError, KeyError, ValueError):
        raise HTTPException(status_code=401) from None


Database = Annotated[Session, Depends(open_session)]
Patient = Annotated[UUID, Depends(current_patient)]

app = FastAPI(lifespan=tables)


@app.post("/check-ins", response_model=CheckInOut, status_code=201)
def submit_check_in(sent: CheckInIn, patient_id: Patient, session: Database) -> CheckIn:
    check_in = CheckIn(**sent.model_dump(), patient_id=patient_id, total=sum(sent.answers))
    session.add(check_in)
    try:
        session.commit()
    except IntegrityError:
        raise HTTPException(status_code=409, detail="this id is taken") from None
    return check_in


@app.get("/check-ins", response_model=list[Point])
def list_points(patient_id: Patient, session: Database) -> object:
    return session.exec(
        select(CheckIn.recorded_at, CheckIn.total)
        .where(CheckIn.patient_id == patient_id)
        .order_by(CheckIn.recorded_at)  # type: ignore[arg-type]
        .limit(200)
    ).all()
