"""The composition root: settings in, an application out."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from prometheus_client import REGISTRY, generate_latest
from starlette.routing import Route as PlainRoute

from app import __version__
from app.checkins.routes import routes as checkins
from app.console.routes import console, problem_response
from app.course.routes import ROUTERS as COURSE
from app.experience.routes import routes as experience
from app.goals.routes import routes as goals
from app.integration.routes import routes as integration
from app.kernel import clock, outbox
from app.kernel.channels import Channels
from app.kernel.db import Database, Db
from app.kernel.edge import Desk, Public, Reply, Route, install_problems, router
from app.kernel.frame import Frame
from app.kernel.identity import Issuer
from app.kernel.lanes import Lanes
from app.kernel.renderer import Renderer
from app.kernel.settings import Settings
from app.kernel.specification import specification
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from app.kernel.watch import Health, note_backlog, note_loops, note_topics
from app.kernel.wire import as_json
from app.people.chart import COUNTRY_OF
from app.people.routes import routes as people
from app.people.texts import OWN_TEXTS
from app.practices.routes import routes as practices
from app.reminders.routes import routes as reminders
from app.safety.crisis import whom_to_call
from app.safety.routes import live
from app.safety.routes import routes as safety
from app.safety.stream import Hub
from app.safety.waiting import note_waiting, waiting_rounds
from app.story.routes import routes as story
from app.sync.routes import routes as sync
from app.trends.routes import routes as trends


def create_app(
    settings: Settings,
    keyring: Keyring,
    signing_keys: SigningKeys,
    *,
    now: clock.Clock = clock.now,
) -> FastAPI:
    """The API. Connects to PostgreSQL when the first request needs it."""
    assert settings.database_url is not None
    issuer = Issuer(signing_keys, keyring, settings.base_url)
    database = Database(settings.database_url, keyring, size=settings.connections)
    renderer = Renderer()
    hub = Hub(database, now, settings.listen_url or settings.database_url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Callable[[], None]]]:
        yield {"end_streams": hub.end}
        await hub.close()
        await renderer.close()
        await database.close()

    app = FastAPI(
        title="Afterglow",
        version=__version__,
        lifespan=lifespan,
        # A redirect would be to wherever the request's Host header says.
        redirect_slashes=False,
        # The interactive pages load from other people's servers.
        docs_url=None,
        redoc_url=None,
        # FastAPI's own telemetry writes the text of exceptions to the log.
        telemetry={"logs": False},
    )
    app.state.hub = hub
    app.state.desk = Desk(
        database=database,
        issuer=issuer,
        clock=now,
        own_texts=OWN_TEXTS,
        country_of=COUNTRY_OF,
        help_in=whom_to_call,
        renderer=renderer,
        problem_page=problem_response,
    )
    channels = Channels.from_settings(settings)
    for feature in (
        people,
        checkins,
        live(hub),
        safety,
        *COURSE,
        experience,
        goals,
        practices,
        integration,
        trends,
        story,
        sync,
        reminders(channels, settings.outbound_networks),
        console(hub, sends_mail=channels.mail is not None, allow=settings.outbound_networks),
        _of_operators(issuer),
    ):
        app.router.routes.extend(feature.routes)
    install_problems(app)
    ours = [route for route in app.routes if isinstance(route, Route)]
    lanes = Lanes(ours, app.build_middleware_stack())
    app.middleware_stack = Frame(lanes, lanes.add_help)
    app.openapi = lambda: _cached(app, specification)  # type: ignore[method-assign]
    return app


def _cached(app: FastAPI, make: Callable[[FastAPI], dict[str, Any]]) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = make(app)
    return app.openapi_schema


def _of_operators(issuer: Issuer) -> Any:
    """What keeps a server running: keys, health, metrics."""
    routes = router("operations")
    jwks = as_json(issuer.keys.public_jwks())

    @routes.get("/.well-known/jwks.json", response_model=dict[str, Any], operation_id="read_jwks")
    def read_jwks(visit: Public) -> Reply:
        """The public keys that access tokens are signed with (RFC 7517)."""
        return Reply(jwks, headers={"Cache-Control": "public, max-age=300"})

    @routes.get("/healthz", operation_id="read_health")
    def read_health(visit: Public) -> Health:
        """The process answers."""
        return Health(status="ok")

    @routes.get("/readyz", operation_id="read_readiness")
    def read_readiness(visit: Public) -> Health:
        """The database answers too; a silent worker does not take the API out of rotation."""
        outbox.worker_seen_at(visit.db)
        return Health(status="ok")

    async def read_metrics(request: Request) -> Response:
        """Prometheus metrics: what waits for the worker, and what for the clinics."""
        desk: Desk = request.app.state.desk

        def look(db: Db) -> None:
            now = desk.clock()
            note_backlog(outbox.backlog(db, now), now)
            note_loops(outbox.loops_seen_at(db), now)
            note_topics(outbox.backlog_by_topic(db, now), now)
            note_waiting(waiting_rounds(db), now)

        await desk.database.run(look)
        return Response(generate_latest(REGISTRY), media_type="text/plain; version=0.0.4")

    routes.routes.append(_plain_get("/metrics", read_metrics))
    return routes


def _plain_get(path: str, endpoint: Callable[..., Any]) -> Any:
    return PlainRoute(path, endpoint, methods=["GET"], include_in_schema=False)
