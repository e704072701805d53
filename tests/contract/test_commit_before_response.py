"""The commit comes before the response leaves, and what goes wrong stores nothing.

`Spy` stands between an application and its client: at the first byte of a response it looks,
over a connection of its own, for what the request wrote. It is shown to see the difference by
an application that commits where FastAPI's dependencies end.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

import psycopg
import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel
from sqlalchemy import insert

from app.kernel import clock
from app.kernel.db import Change, Database, libpq
from app.kernel.edge import Desk, Public, Reply, install_problems, router
from app.kernel.errors import Kind, Problem
from app.kernel.identity import Issuer
from app.kernel.settings import Settings
from app.kernel.tables import Heartbeat
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from app.main import create_app
from tests.builders import (
    a_check_in,
    a_clinic,
    a_dosing_session,
    a_goal,
    a_note,
    amended,
    withdrawn,
)
from tests.conftest import KEYRING, SIGNING_KEYS

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

ADD_BEAT = Change(insert(Heartbeat))


@dataclass
class Spy:
    """ASGI: asks `look` when a response starts. seen: its answers, one per response."""

    app: Callable[[Message, Receive, Send], Awaitable[None]]
    look: Callable[[], object]
    seen: list[object] = field(default_factory=list)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.seen.append(self.look())
            await send(message)

        await self.app(scope, receive, watch)


class Beat(BaseModel):
    """What the little application answers."""

    name: str


def unspeakable(name: str) -> Reply:
    """An answer that cannot be turned into bytes."""
    answer = Beat.model_construct(name=name)
    object.__setattr__(answer, "name", object())
    return Reply(answer)


def ours(settings: Settings, failure: Callable[[str], Any] | None = None) -> FastAPI:
    """One route that adds a row, and then answers or fails."""
    assert settings.database_url is not None
    keyring = Keyring.parse(KEYRING)
    database = Database(settings.database_url, keyring, size=2)
    issuer = Issuer(SigningKeys.parse(SIGNING_KEYS), keyring, "http://testserver")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await database.close()

    routes = router("beats")

    @routes.post("/{name}", status_code=201)
    def add_beat(visit: Public, name: str) -> Reply:
        visit.db.add(ADD_BEAT, name=name, at=visit.now)
        if failure is not None:
            answer: Reply = failure(name)
            return answer
        return Reply(Beat(name=name))

    app = FastAPI(lifespan=lifespan, telemetry={"logs": False})
    app.state.desk = Desk(database=database, issuer=issuer, clock=clock.now)
    app.include_router(routes)
    install_problems(app)
    return app


def the_template(settings: Settings) -> FastAPI:
    """The same the usual way: a dependency that commits where it ends."""
    assert settings.migration_url is not None
    url = libpq(settings.migration_url)

    def connection() -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(url) as connection:
            yield connection

    app = FastAPI(telemetry={"logs": False})

    @app.post("/{name}", status_code=201)
    def add_beat(
        name: str, db: Annotated[psycopg.Connection[Any], Depends(connection)]
    ) -> dict[str, str]:
        db.execute("INSERT INTO heartbeat (name, at) VALUES (%s, %s)", [name, datetime.now(UTC)])
        return {"name": name}

    return app


@pytest.fixture
def onlooker(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    """A connection that sees what is committed, and only that."""
    assert settings.migration_url is not None
    with psycopg.connect(libpq(settings.migration_url), autocommit=True) as connection:
        yield connection


def count(onlooker: psycopg.Connection[Any], query: str, **values: object) -> int:
    """How many rows a query finds."""
    return onlooker.execute(query.encode(), values).rowcount


def beats(onlooker: psycopg.Connection[Any], name: str) -> int:
    """Rows that the little application wrote under a name."""
    return count(onlooker, "SELECT FROM heartbeat WHERE name = %(name)s", name=name)


class TestSuccess:
    def test_the_row_is_there_for_everybody_when_the_response_starts(
        self, settings: Settings, onlooker: psycopg.Connection[Any]
    ) -> None:
        name = uuid4().hex
        spy = Spy(ours(settings), lambda: beats(onlooker, name))

        with TestClient(spy) as client:
            answer = client.post(f"/{name}")

        assert (answer.status_code, answer.json()) == (201, {"name": name})
        assert spy.seen == [1]

    def test_a_dependency_that_commits_where_it_ends_is_caught(
        self, settings: Settings, onlooker: psycopg.Connection[Any]
    ) -> None:
        name = uuid4().hex
        spy = Spy(the_template(settings), lambda: beats(onlooker, name))

        with TestClient(spy) as client:
            answer = client.post(f"/{name}")

        assert answer.status_code == 201
        assert spy.seen == [0]
        assert beats(onlooker, name) == 1

    @pytest.mark.parametrize(
        ("kind", "body", "tables"),
        [
            (
                "check-ins",
                a_check_in(answers=[1] * 9),
                ["check_in", "flag", "flag_evidence", "outbox"],
            ),
            ("dosing-sessions", a_dosing_session(), ["dosing_session", "administration"]),
            ("notes", a_note(), ["experience_note"]),
            ("goals", a_goal(), ["goal"]),
        ],
    )
    def test_every_kind_of_entry_is_whole_before_its_answer_leaves(
        self,
        settings: Settings,
        keyring: Keyring,
        direct: Any,
        onlooker: psycopg.Connection[Any],
        kind: str,
        body: dict[str, Any],
        tables: list[str],
    ) -> None:
        application = create_app(settings, keyring, SigningKeys.parse(SIGNING_KEYS))
        place: dict[str, UUID] = {}
        spy = Spy(application, lambda: rows_in(onlooker, tables, place["clinic"]))
        with TestClient(application) as plain:
            clinic = a_clinic(plain, direct)
        place["clinic"] = clinic.id
        token = (clinic.therapist if kind == "dosing-sessions" else clinic.patient).token

        application = create_app(settings, keyring, SigningKeys.parse(SIGNING_KEYS))
        spy.app = application
        with TestClient(spy) as client:
            answer = client.post(
                f"/v1/patients/{clinic.patient.patient_id}/{kind}",
                json=body,
                headers={"Authorization": f"Bearer {token}"},
            )

        assert answer.status_code == 201, answer.text
        assert spy.seen == [dict.fromkeys(tables, 1) | {"ledger": 1 + (kind == "check-ins")}]

    def test_what_is_amended_or_withdrawn_is_so_before_its_answer_leaves(
        self, settings: Settings, keyring: Keyring, direct: Any, onlooker: psycopg.Connection[Any]
    ) -> None:
        application = create_app(settings, keyring, SigningKeys.parse(SIGNING_KEYS))
        with TestClient(application) as plain:
            clinic = a_clinic(plain, direct)
            check_in_id = clinic.patient.post("/v1/patients/me/check-ins", a_check_in()).json()[
                "id"
            ]
        query = (
            "SELECT version, status, (SELECT count(*) FROM flag WHERE flag.patient_id ="
            " check_in.patient_id), (SELECT max(entry_version) FROM ledger WHERE entry_id ="
            " check_in.id) FROM check_in WHERE id = %(id)s"
        )
        spy = Spy(
            create_app(settings, keyring, SigningKeys.parse(SIGNING_KEYS)),
            lambda: onlooker.execute(query.encode(), {"id": check_in_id}).fetchone(),
        )
        path = f"/v1/patients/me/check-ins/{check_in_id}"

        with TestClient(spy) as client:
            patient = replace(clinic.patient, client=client)
            amended(patient, path, a_check_in(answers=[1] * 9), 1)
            withdrawn(patient, path, 2)

        assert spy.seen == [(2, "final", 1, 2), (3, "entered-in-error", 1, 3)]

    def test_a_reading_is_in_the_access_log_before_its_answer_leaves(
        self, settings: Settings, keyring: Keyring, direct: Any, onlooker: psycopg.Connection[Any]
    ) -> None:
        application = create_app(settings, keyring, SigningKeys.parse(SIGNING_KEYS))
        with TestClient(application) as plain:
            clinic = a_clinic(plain, direct)
        query = "SELECT FROM access_log WHERE clinic_id = %(clinic)s"
        spy = Spy(
            create_app(settings, keyring, SigningKeys.parse(SIGNING_KEYS)),
            lambda: count(onlooker, query, clinic=clinic.id),
        )

        with TestClient(spy) as client:
            answer = client.get(
                f"/v1/patients/{clinic.patient.patient_id}/trajectories/phq-9",
                headers={"Authorization": f"Bearer {clinic.therapist.token}"},
            )

        assert answer.status_code == 200
        assert spy.seen == [1]


def rows_in(
    onlooker: psycopg.Connection[Any], tables: list[str], clinic_id: UUID
) -> dict[str, int]:
    """How many rows a clinic has, by table; of the ledger, those since its patients came."""
    return {
        table: count(
            onlooker, f"SELECT FROM {table} WHERE clinic_id = %(clinic)s", clinic=clinic_id
        )
        for table in tables
    } | {
        # Not what every patient's ledger begins with.
        "ledger": count(
            onlooker,
            "SELECT FROM ledger WHERE clinic_id = %(clinic)s"
            " AND action NOT IN ('profile.created', 'consent.given', 'care_link.began')",
            clinic=clinic_id,
        )
    }


def refuse(_: str) -> Reply:
    """A verb's own refusal, after it has written."""
    raise Problem(Kind.ID_REUSED)


def crash(_: str) -> Reply:
    """A mistake of ours."""
    raise ZeroDivisionError


class TestFailure:
    @pytest.mark.parametrize(
        ("failure", "status"), [(refuse, 409), (crash, 500), (unspeakable, 500)]
    )
    def test_an_error_after_writing_stores_nothing(
        self,
        settings: Settings,
        onlooker: psycopg.Connection[Any],
        failure: Callable[[str], Reply],
        status: int,
    ) -> None:
        name = uuid4().hex

        with TestClient(ours(settings, failure), raise_server_exceptions=False) as client:
            answer = client.post(f"/{name}")

        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert beats(onlooker, name) == 0

    def test_the_next_request_is_not_troubled_by_the_last_one_s_error(
        self, settings: Settings, onlooker: psycopg.Connection[Any]
    ) -> None:
        name = uuid4().hex
        failures = iter([crash, refuse, crash])

        def sometimes(given: str) -> Reply:
            failure = next(failures, None)
            return failure(given) if failure else Reply(Beat(name=given))

        with TestClient(ours(settings, sometimes), raise_server_exceptions=False) as client:
            statuses = [client.post(f"/{name}{place}").status_code for place in range(4)]

        assert statuses == [500, 409, 500, 201]
        assert [beats(onlooker, f"{name}{place}") for place in range(4)] == [0, 0, 0, 1]
