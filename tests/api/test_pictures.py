"""A trajectory in every form: numbers, a chart, a picture; and what browsers need to draw it."""

import gzip
import json
import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.kernel.renderer import Form, Limits, Renderer, Undrawable
from app.kernel.settings import Settings
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from app.main import create_app
from app.trends import assets
from app.trends.charts.table import Table
from tests.builders import World, a_check_in, a_dosing_session, an_administration, now, phq_9
from tests.conftest import SIGNING_KEYS, Behind

MINE = "/v1/patients/me/trajectories/phq-9"
VEGA_LITE = "application/vnd.vegalite+json"


@pytest.fixture
def followed(world: World) -> World:
    """Three scores and a dose."""
    given_at = (now() - timedelta(days=12)).isoformat()
    dose = a_dosing_session(administrations=[an_administration(given_at=given_at)])
    world.therapist.post(f"{world.patient.record}/dosing-sessions", dose)
    for days_ago, total in ((14, 20), (7, 12), (1, 8)):
        recorded_at = (now() - timedelta(days=days_ago)).isoformat()
        sent = a_check_in(answers=phq_9(total), recorded_at=recorded_at)
        assert world.patient.post("/v1/patients/me/check-ins", sent).status_code == 201
    return world


def asked(world: World, accept: str | None, query: str = "") -> Any:
    headers = {} if accept is None else {"Accept": accept}
    return world.patient.get(MINE + query, headers=headers)


class TestForms:
    @pytest.mark.parametrize(
        ("accept", "media_type"),
        [
            (None, "application/json"),
            ("*/*", "application/json"),
            (VEGA_LITE, VEGA_LITE),
            ("application/vnd.vegalite.v6+json", "application/vnd.vegalite.v6+json"),
            ("image/svg+xml", "image/svg+xml"),
            ("image/png", "image/png"),
            ("image/avif,image/webp,image/svg+xml,image/*,*/*;q=0.8", "image/svg+xml"),
        ],
    )
    def test_the_form_is_the_one_that_was_asked_for(
        self, followed: World, accept: str | None, media_type: str
    ) -> None:
        answer = asked(followed, accept)

        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == media_type
        assert answer.headers["vary"] == "Accept"
        assert answer.headers["cache-control"] == "no-store"

    def test_another_form_is_not_to_be_had(self, followed: World) -> None:
        answer = asked(followed, "text/html")

        assert answer.status_code == 406
        assert answer.json()["code"] == "not-acceptable"
        assert "image/png" in answer.json()["offered"]
        assert answer.headers["vary"] == "Accept"

    def test_the_chart_holds_the_scores_of_the_answer(self, followed: World) -> None:
        numbers = asked(followed, None).json()
        chart = asked(followed, VEGA_LITE).json()

        assert numbers["points"]["score"] == [20, 12, 8]
        drawn = json.dumps(chart)
        for score in (20, 12, 8):
            assert f'"score": {score}' in drawn
        assert numbers["caveat"] in chart["description"]
        assert "response: 10 or less" in drawn

    @pytest.mark.parametrize("query", ["?view=doses", "?view=sparkline", "?item=item-9"])
    @pytest.mark.parametrize("accept", [VEGA_LITE, "image/svg+xml", "image/png"])
    def test_every_view_has_every_form(self, followed: World, query: str, accept: str) -> None:
        assert asked(followed, accept, query).status_code == 200

    def test_an_item_that_is_a_number_is_a_chart_of_its_own(self, world: World) -> None:
        sent = a_check_in(instrument="momentary", answers=[4, 8, 5, 0, 5])
        assert world.patient.post("/v1/patients/me/check-ins", sent).status_code == 201

        answer = world.patient.get(
            "/v1/patients/me/trajectories/momentary?item=mood", headers={"Accept": VEGA_LITE}
        )

        assert answer.status_code == 200
        assert "My mood is" in answer.text

    def test_where_higher_is_better_response_lies_above(self, world: World) -> None:
        switched = world.administrator.request(
            "PUT", "/v1/clinic/instruments/who-5", json={"is_on": True, "accepts_notice": True}
        )
        assert switched.status_code == 200, switched.text
        for answers in ([1, 1, 1, 1, 1], [2, 2, 2, 2, 2]):
            sent = a_check_in(instrument="who-5", answers=answers)
            assert world.patient.post("/v1/patients/me/check-ins", sent).status_code == 201

        answer = world.patient.get(
            "/v1/patients/me/trajectories/who-5", headers={"Accept": VEGA_LITE}
        )

        assert "higher is better" in answer.json()["description"]

    def test_nothing_answered_is_a_chart_that_says_so(self, world: World) -> None:
        assert "No complete score yet" in asked(world, VEGA_LITE).text

    @pytest.mark.parametrize("query", ["?width=100", "?width=99999", "?theme=pink", "?view=pie"])
    def test_a_chart_that_cannot_be_made_is_refused(self, followed: World, query: str) -> None:
        assert asked(followed, VEGA_LITE, query).status_code == 422

    def test_a_flag_is_marked(self, followed: World) -> None:
        sent = a_check_in(answers=phq_9(12, item_nine=2))
        assert followed.patient.post("/v1/patients/me/check-ins", sent).status_code == 201

        assert "1 flag" in asked(followed, VEGA_LITE).json()["description"]

    def test_who_may_not_read_the_numbers_sees_no_picture(self, followed: World) -> None:
        path = f"{followed.patient.record}/trajectories/phq-9"
        for accept in (VEGA_LITE, "image/svg+xml", "image/png"):
            answer = followed.here.stranger.get(path, headers={"Accept": accept})

            assert answer.status_code == 404

    def test_a_picture_is_in_the_access_log_like_the_numbers(
        self, followed: World, behind: Behind
    ) -> None:
        clinic_id = followed.here.id
        before = len(behind.accesses(clinic_id))

        path = f"{followed.patient.record}/trajectories/phq-9"
        followed.therapist.get(path, headers={"Accept": "image/png"})

        ((_, patient_id, what),) = behind.accesses(clinic_id)[before:]
        assert (patient_id, what) == (followed.patient.patient_id, "trajectories.read")

    def test_sixteen_pictures_at_once(self, followed: World) -> None:
        statuses: list[int] = []

        def ask() -> None:
            statuses.append(asked(followed, "image/svg+xml").status_code)

        several = [threading.Thread(target=ask) for _ in range(16)]
        for one in several:
            one.start()
        for one in several:
            one.join()

        assert statuses == [200] * 16


@pytest.fixture
def renderer_of(client: TestClient, opened: ExitStack) -> Callable[[Renderer], None]:
    """Another one draws, until the test is over."""
    desk = client.app.state.desk  # type: ignore[attr-defined]
    opened.callback(object.__setattr__, desk, "renderer", desk.renderer)
    return lambda renderer: object.__setattr__(desk, "renderer", renderer)


class TestTrouble:
    def test_when_too_many_wait_whoever_comes_is_told_to_come_again(
        self, followed: World, renderer_of: Callable[[Renderer], None]
    ) -> None:
        renderer_of(Renderer(Limits(waiting=0)))

        answer = asked(followed, "image/png")

        assert answer.status_code == 503
        assert answer.json()["code"] == "unavailable"
        assert int(answer.headers["retry-after"]) >= 1
        assert asked(followed, VEGA_LITE).status_code == 200

    def test_a_program_that_is_not_there_stops_no_server(
        self, followed: World, renderer_of: Callable[[Renderer], None]
    ) -> None:
        renderer_of(Renderer(program=Path("nowhere.py")))

        assert asked(followed, "image/png").status_code == 503
        assert asked(followed, None).status_code == 200

    def test_a_chart_that_cannot_be_drawn_is_our_fault(
        self, followed: World, renderer_of: Callable[[Renderer], None]
    ) -> None:
        class Refusing(Renderer):
            async def draw(self, specification: dict[str, Any], form: Form) -> bytes:
                raise Undrawable

        renderer_of(Refusing())

        answer = asked(followed, "image/svg+xml")

        assert answer.status_code == 500
        assert answer.json()["code"] == "internal"


class TestServer:
    def test_a_server_that_stops_leaves_no_process_behind(
        self, settings: Settings, keyring: Keyring, world: World
    ) -> None:
        application = create_app(settings, keyring, SigningKeys.parse(SIGNING_KEYS))
        renderer = application.state.desk.renderer
        with TestClient(application) as client:
            bearer = f"Bearer {world.patient.token}"
            headers = {"Authorization": bearer, "Accept": "image/svg+xml"}
            assert client.get(MINE, headers=headers).status_code == 200
            assert renderer.pid is not None

        assert renderer.pid is None


class TestAssets:
    def test_the_libraries_come_from_here_and_are_kept_for_good(self, client: TestClient) -> None:
        answer = client.get(assets.bundle_path())

        assert answer.status_code == 200
        assert answer.headers["content-type"] == assets.JAVASCRIPT
        assert answer.headers["content-encoding"] == "gzip"
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["vary"] == "Accept-Encoding"
        assert assets.SNIPPET.partition(" ")[0] in answer.text

    def test_whoever_takes_no_gzip_gets_none(self, client: TestClient) -> None:
        packed = client.get(assets.script_path())
        plain = client.get(assets.script_path(), headers={"Accept-Encoding": "identity"})

        assert "content-encoding" not in plain.headers
        assert plain.content == packed.content
        assert b"ast: true" in plain.content

    def test_the_style_is_here_and_what_has_another_hash_is_not(self, client: TestClient) -> None:
        assert client.get(assets.style_path()).headers["content-type"].startswith("text/css")
        assert client.get(assets.style_path().replace("-", "-0")).status_code == 404

    def test_our_script_is_small_and_evaluates_nothing(self) -> None:
        script = (assets.FOLDER / "static" / "charts.js").read_text()

        assert len(gzip.compress(script.encode())) < 4096
        for forbidden in ("eval(", "Function(", "innerHTML", "http://", "https://"):
            assert forbidden not in script

    def test_a_figure_has_a_picture_and_the_numbers_and_escapes_both(self) -> None:
        table = Table("<b>", ("Day",), [("<i>",)])
        empty = Table("none", ("Day",), [])

        shown = assets.figure("/x?a=1&b=2", '"quoted"', [table, empty], "/x")

        assert 'data-chart="/x?a=1&amp;b=2"' in shown
        assert 'alt="&#34;quoted&#34;"' in shown
        assert "<b>" not in shown
        assert "<i>" not in shown
        assert "Nothing yet." in shown
        assert assets.bundle_path() in assets.script_element()
