"""Finds a route by its address in one look-up.

Starlette tries the pattern of every route in turn and FastAPI goes through several layers more;
on the way to an answer of a hundred microseconds that is a third. A request that no route takes
goes on to FastAPI, which says what is to be said about it (404, 405).
"""

from collections.abc import Iterable

from app.kernel.edge import App, Receive, Route, Scope, Send
from app.kernel.errors import Problem

_Lane = tuple[tuple[tuple[int, str], ...], tuple[tuple[int, str], ...], Route]


class Lanes:
    """ASGI: `routes` by method and number of segments, `otherwise` for the rest."""

    def __init__(self, routes: Iterable[Route], otherwise: App) -> None:
        self._otherwise = otherwise
        self._lanes: dict[tuple[str, int], list[_Lane]] = {}
        for route in routes:
            segments = list(enumerate(route.path.split("/")))
            fixed = tuple(one for one in segments if not one[1].startswith("{"))
            named = tuple((place, name[1:-1]) for place, name in segments if name.startswith("{"))
            for method in route.verbs:
                lane = self._lanes.setdefault((method, len(segments)), [])
                lane.append((fixed, named, route))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        route = self._find(scope)
        if route is not None:
            await route.handle(scope, receive, send)
        else:
            await self._otherwise(scope, receive, send)

    def add_help(self, scope: Scope, problem: Problem) -> None:
        """Say whom to call in a problem that a route could not answer with itself, if it would."""
        route = self._find(scope)
        if route is not None:
            route.add_help(scope, problem)

    def _find(self, scope: Scope) -> Route | None:
        if scope["type"] != "http":
            return None
        segments = scope["path"].split("/")
        for fixed, named, route in self._lanes.get((scope["method"], len(segments)), ()):
            if all(segments[place] == text for place, text in fixed):
                scope["path_params"] = {name: segments[place] for place, name in named}
                return route
        return None
