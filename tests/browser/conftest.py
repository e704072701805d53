"""Debian's Chromium before the real server: one of each for the whole folder, and gone after it:
while Playwright runs no other test of the same process could have an event loop.

Whatever a page does that it must not do fails the test that opened it: an error in the console, a
violation of the content security policy, a request to another origin, an answer of 500 or more.
Without Chromium nothing here runs, and the summary says so.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi.testclient import TestClient
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page, Request, sync_playwright

from app.kernel.db import Direct, libpq
from app.main import create_app
from app.operations import stack
from tests.builders import Clinic, Person, a_clinic, now
from tests.conftest import Behind, Postgres
from tests.console.browser import at_work
from tests.stories.servers import LiveServer

EXECUTABLE: Final = shutil.which("chromium")
MISSING: Final = (
    "Chromium is missing: NO PAGE WAS LOOKED AT BY A BROWSER. Install it (Debian: apt-get install"
    " chromium) and run the tests again."
)
PATIENCE: Final = 15_000
"""Milliseconds for what happens within one, on a machine that is busy."""
Device = Literal["desktop", "phone"]
Scheme = Literal["light", "dark"]
SIZES: Final = {"desktop": (1280, 900), "phone": (390, 844)}
BUNDLE: Final = "/static/charts/vega-"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Loud where it is missing."""
    if EXECUTABLE is None:
        terminalreporter.write_sep("!", MISSING, red=True, bold=True)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Chromium]:
    """The browser."""
    if EXECUTABLE is None:
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        # Its sandbox needs rights that a container's root does not have.
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def server(
    chromium: Chromium,
    postgres: Postgres,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LiveServer]:
    """The API over a database of its own; nobody is told by a worker."""
    name = f"afterglow_browser_{uuid4().hex[:12]}"
    postgres.run(f"CREATE DATABASE {name} TEMPLATE {template}")
    made = LiveServer(postgres.settings(name, tmp_path_factory.mktemp("browser")))
    made.start("serve")
    yield made
    made.stop()
    postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@dataclass(frozen=True)
class House:
    """The people of the server, and the way to its database."""

    server: LiveServer
    client: TestClient
    direct: Direct

    def clinic(self) -> Clinic:
        """One of this test's own."""
        return a_clinic(self.client, self.direct)

    @contextmanager
    def behind(self) -> Iterator[Behind]:
        """The database itself."""
        url = self.server.settings.migration_url
        assert url is not None
        with psycopg.connect(libpq(url), autocommit=True) as connection:
            yield Behind(connection)


@pytest.fixture(scope="package")
def house(server: LiveServer) -> Iterator[House]:
    """What patients send comes over another process, as from their phones."""
    keyring = stack.keyring(server.settings)
    application = create_app(server.settings, keyring, stack.signing_keys(server.settings))
    direct = Direct(str(server.settings.database_url), keyring)
    with TestClient(application) as client:
        yield House(server, client, direct)
    direct.close()


@pytest.fixture
def clinic(house: House) -> Clinic:
    return house.clinic()


@dataclass
class Tab:
    """A page in the browser, and what went wrong on it. transferred: bytes by address, of bodies.

    expected: what a console may say here, by how it begins.
    """

    page: Page
    base_url: str
    wrong: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    sent: list[Request] = field(default_factory=list)

    def go(self, path: str) -> None:
        """Open a page, and wait until its charts are drawn."""
        self.page.goto(self.base_url + path)
        self.settle()

    def settle(self) -> None:
        """Every chart of the page is drawn."""
        self.page.wait_for_load_state("load")
        self.page.wait_for_function(
            "() => [...document.querySelectorAll('figure[data-chart]')]"
            ".every(one => one.classList.contains('is-drawn'))"
        )

    def violations(self, *rules: str) -> str:
        """What axe-core has to say about the page; nothing, if all is well. rules: only these."""
        options: dict[str, Any] = {"resultTypes": ["violations"]}
        if rules:
            options["runOnly"] = {"type": "rule", "values": list(rules)}
        found = Axe().run(self.page, options=options)
        return found.generate_report() if found.violations_count else ""

    def overflow(self) -> int:
        """Pixels by which the page is wider than its window, or a chart than its figure."""
        wider: int = self.page.evaluate(
            """Math.max(...[document.documentElement, ...document.querySelectorAll("figure .chart")]
                .map(one => one.scrollWidth - one.clientWidth))"""
        )
        return wider

    def transferred(self) -> int:
        """Bytes of everything that was asked for since the tab was opened, but for the bundle."""
        return sum(
            size["responseBodySize"] + size["responseHeadersSize"]
            for one in self.sent
            if BUNDLE not in one.url and (size := one.sizes())
        )

    def watch(self) -> None:
        """From now on."""
        origin = urlsplit(self.base_url).netloc
        self.page.set_default_timeout(PATIENCE)
        self.page.on("pageerror", lambda error: self.wrong.append(f"exception: {error}"))
        self.page.on(
            "console",
            lambda said: (
                self.wrong.append(f"console: {said.text}")
                if said.type in {"error", "warning"}
                and not any(said.text.startswith(one) for one in self.expected)
                else None
            ),
        )

        def asked(request: Request) -> None:
            parts = urlsplit(request.url)
            if parts.scheme not in {"data", "blob"} and parts.netloc != origin:
                self.wrong.append(f"asked elsewhere: {request.url}")

        self.page.on("request", asked)

        def finished(request: Request) -> None:
            self.sent.append(request)

        self.page.on("requestfinished", finished)
        self.page.on(
            "response",
            lambda answer: (
                self.wrong.append(f"{answer.status}: {answer.url}")
                if answer.status >= 500
                else None
            ),
        )


Open = Callable[..., Tab]


@pytest.fixture
def open_tab(chromium: Chromium, server: LiveServer, house: House) -> Iterator[Open]:
    """Opens tabs; after the test each of them must have been quiet."""
    contexts: list[BrowserContext] = []
    tabs: list[Tab] = []

    def open_one(
        person: Person | None = None,
        *,
        device: Device = "desktop",
        scheme: Scheme = "light",
        has_javascript: bool = True,
    ) -> Tab:
        """person: who is signed in there, if anybody."""
        width, height = SIZES[device]
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            is_mobile=device == "phone",
            has_touch=device == "phone",
            java_script_enabled=has_javascript,
        )
        contexts.append(context)
        if person is not None:
            cookie = at_work(house.direct, person, now()).cookie
            assert cookie is not None
            context.add_cookies(
                [
                    {
                        "name": "afterglow",
                        "value": cookie,
                        "url": server.base_url,
                        "httpOnly": True,
                        "sameSite": "Strict",
                    }
                ]
            )
        tab = Tab(context.new_page(), server.base_url)
        tab.watch()
        tabs.append(tab)
        return tab

    yield open_one
    for context in contexts:
        context.close()
    assert [wrong for tab in tabs for wrong in tab.wrong] == []
