"""What the documentation says is so: links, commands, targets, routes, and the map of the house."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from app.cli import app as command_line
from app.kernel.settings import Settings
from app.kernel.tokens import SigningKeys
from app.kernel.vault import Keyring
from app.main import create_app

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

# Served, and no part of the specification: one is it, the other is for Prometheus.
UNSPECIFIED = {"/metrics": {"GET"}, "/openapi.json": {"GET"}}

# Nothing a user reads may say it, whatever was or was not answered.
REASSURANCE = re.compile(r"\bno[\s-]+risk\b", re.IGNORECASE)


def every(document: Path) -> str:
    """A name for pytest's report."""
    return str(document.relative_to(ROOT))


def code(text: str) -> Iterator[str]:
    """What stands in fences and between backticks."""
    fences = re.compile(r"^( *)```.*?\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
    for fence in fences.finditer(text):
        yield fence[2]
    for span in re.finditer(r"`([^`\n]+)`", fences.sub("", text)):
        yield span[1]


def links(text: str) -> list[str]:
    """Targets of links and pictures that are not on the web."""
    prose = re.sub(r"^( *)```.*?^\1```", "", text, flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", prose)
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """What a heading is called in a link."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(document: Path, text: str) -> list[str]:
    """Links to a file that is not there, or to a heading that is not in it."""
    dead = []
    for target in links(text):
        path, _, heading = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        if not file.exists() or (heading and heading not in anchors(file.read_text("utf-8"))):
            dead.append(target)
    return dead


def commands() -> set[str]:
    """Every command, those of groups with their group."""
    top = typer.main.get_command(command_line)
    found = set()
    for name, command in getattr(top, "commands", {}).items():
        within = getattr(command, "commands", None)
        found |= {f"{name} {one}" for one in within} if within else {name}
    return found


def unknown_commands(text: str) -> set[str]:
    """Commands that are mentioned and do not exist."""
    known = commands()
    mentioned = re.findall(
        r"(?<![\w/-])(?:\.venv/bin/)?afterglow ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?",
        "\n".join(code(text)),
    )
    return {
        f"{first} {second}".strip()
        for first, second in mentioned
        if first not in known and f"{first} {second}" not in known
    }


def untold_commands(text: str) -> set[str]:
    """Commands that are not mentioned."""
    told = "\n".join(code(text))
    return {one for one in commands() if not re.search(rf"\bafterglow {one}(?![\w-])", told)}


def unknown_targets(text: str) -> set[str]:
    """`make` targets that are mentioned and do not exist."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    known = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    return set(re.findall(r"\bmake ([a-z][a-z-]*)", "\n".join(code(text)))) - known


def specified() -> dict[str, set[str]]:
    """Methods by path, of the committed specification and of what is served beside it."""
    committed = json.loads((ROOT / "openapi" / "afterglow.json").read_text("utf-8"))
    paths = {
        path: {method.upper() for method in operations}
        for path, operations in committed["paths"].items()
    }
    return paths | UNSPECIFIED


def unknown_routes(text: str) -> set[str]:
    """Routes that are mentioned and do not exist, with their method if one is named."""
    mentioned = re.findall(
        r"(?:\b(GET|POST|PUT|PATCH|DELETE) )?"
        r"(?<![\w}])(?:\$BASE)?(/v1/[\w{}$./-]+|/\.well-known/[\w.]+|/healthz|/readyz|/metrics\b"
        r"|/openapi\.json)",
        "\n".join(code(text)),
    )
    unknown = set()
    for method, path in mentioned:
        methods = methods_of(path.rstrip("./"))
        if not methods or (method and method not in methods):
            unknown.add(f"{method} {path}".strip())
    return unknown


def methods_of(path: str) -> set[str]:
    """What may be asked of an address whose ids are filled in, `me`, or a shell's variable."""
    found: set[str] = set()
    for template, methods in specified().items():
        if re.fullmatch(re.sub(r"\\\{\w+\\\}", r"[^/]+", re.escape(template)), path):
            found |= methods
    return found


def mapped(text: str) -> set[str]:
    """What the README's map of the house lists under app/."""
    house = re.search(r"^app/\n((?:  \S.*\n)+)", text, re.MULTILINE)
    assert house, "there is no map of the house"
    return set(re.findall(r"^  (\S+)", house[1], re.MULTILINE))


def listed(package: Path) -> set[str]:
    """What the indented lists of a package's docstring name."""
    said = ast.get_docstring(ast.parse((package / "__init__.py").read_text("utf-8"))) or ""
    named: set[str] = set()
    for names in re.findall(r"^    (\w+/?(?: \| \w+)*)(?:  +|\n {5,})\S", said, re.MULTILINE):
        named |= {name.rstrip("/") for name in names.split(" | ")}
    return named


def contained(package: Path) -> set[str]:
    """The modules and packages directly in a package."""
    modules = {path.stem for path in package.glob("*.py") if not path.name.startswith("__")}
    return modules | {path.parent.name for path in package.glob("*/__init__.py")}


@pytest.mark.parametrize("document", DOCUMENTS, ids=every)
class TestEveryDocument:
    def test_its_links_lead_somewhere(self, document: Path) -> None:
        assert dead_links(document, document.read_text("utf-8")) == []

    def test_its_commands_exist(self, document: Path) -> None:
        assert unknown_commands(document.read_text("utf-8")) == set()

    def test_its_make_targets_exist(self, document: Path) -> None:
        assert unknown_targets(document.read_text("utf-8")) == set()

    def test_its_routes_exist(self, document: Path) -> None:
        assert unknown_routes(document.read_text("utf-8")) == set()

    def test_it_never_says_that_there_is_nothing_to_fear(self, document: Path) -> None:
        assert not REASSURANCE.search(document.read_text("utf-8"))


class TestWhatIsLookedFor:
    """The tests above can fail: each is given what it should see."""

    @pytest.mark.parametrize(
        "link", ["[x](docs/none.md)", "![x](none.svg)", "[x](#no-such-heading)"]
    )
    def test_a_dead_link_is_seen(self, link: str) -> None:
        readme = ROOT / "README.md"

        assert dead_links(readme, link) == [link.split("(")[1].rstrip(")")]

    def test_a_link_to_a_heading_and_one_to_the_web_are_not_dead(self) -> None:
        text = "[x](README.md#the-map-of-the-house) [y](https://example.org/none)"

        assert dead_links(ROOT / "CHANGELOG.md", text) == []

    @pytest.mark.parametrize(
        ("text", "unknown"),
        [
            ("`afterglow fly`", "fly"),
            ("`afterglow audit burn`", "audit burn"),
            ("`afterglow keys rotate-backwards`", "keys rotate-backwards"),
            ("```sh\n.venv/bin/afterglow fly --high\n```\n", "fly"),
        ],
    )
    def test_an_unknown_command_is_seen(self, text: str, unknown: str) -> None:
        assert unknown_commands(text) == {unknown}

    def test_commands_and_words_about_them_are_told_apart(self) -> None:
        text = "Let afterglow shine. `afterglow score phq-9` `afterglow clinic add X` `afterglow …`"

        assert unknown_commands(text) == set()

    def test_a_command_that_is_told_of_in_part_only_is_seen(self) -> None:
        told = "\n".join(f"`afterglow {one}`" for one in commands() - {"keys rotate"})

        assert untold_commands(told) == {"keys rotate"}

    def test_an_unknown_target_is_seen(self) -> None:
        assert unknown_targets("`make peace`, and make love") == {"peace"}

    @pytest.mark.parametrize(
        "route",
        ["/v1/nothing", "DELETE /v1/flags", "GET /v1/patients/me/diaries", "/.well-known/x"],
    )
    def test_an_unknown_route_is_seen(self, route: str) -> None:
        assert unknown_routes(f"`{route}`") == {route}

    @pytest.mark.parametrize(
        "route",
        [
            "POST /v1/patients/me/check-ins",
            "/v1/patients/$WHO/trajectories/phq-9?item=item-9",
            "$BASE/v1/caseload",
            "GET /metrics",
        ],
    )
    def test_a_route_is_known_with_its_ids_filled_in(self, route: str) -> None:
        assert unknown_routes(f"`{route}`") == set()

    @pytest.mark.parametrize("said", ["There is no risk.", "a No-Risk band", "no\n  risk"])
    def test_a_reassurance_is_seen(self, said: str) -> None:
        assert REASSURANCE.search(said)


class TestTheHouse:
    def test_every_command_is_told_of_somewhere(self) -> None:
        texts = [document.read_text("utf-8") for document in DOCUMENTS]

        assert untold_commands("\n\n".join(texts)) == set()

    @pytest.mark.parametrize(
        "package", ["", "clinical", "clinical/instruments", "kernel", "operations"]
    )
    def test_a_package_that_lists_its_modules_lists_them_all(self, package: str) -> None:
        assert listed(APP / package) == contained(APP / package)

    def test_the_console_lists_all_of_its_modules_and_its_one_table(self) -> None:
        console = APP / "console"

        assert listed(console) == contained(console) | {"console_session"}

    def test_its_map_lists_every_package_and_module_and_nothing_else(self) -> None:
        there = {f"{package.parent.name}/" for package in APP.glob("*/__init__.py")}
        there |= {module.name for module in APP.glob("*.py") if not module.name.startswith("__")}

        assert mapped((ROOT / "README.md").read_text("utf-8")) == there

    def test_what_is_said_to_be_served_beside_the_specification_is(self) -> None:
        application = create_app(
            Settings(database_url="postgresql://nowhere"),
            Keyring.parse(Keyring.generate()),
            SigningKeys.parse(SigningKeys.generate()),
        )

        for path in UNSPECIFIED:
            assert application.url_path_for(ENDPOINTS[path]) == path

    def test_nothing_the_application_says_reassures(self) -> None:
        said = [
            path.relative_to(ROOT)
            for path in sorted(APP.rglob("*"))
            if path.suffix in {".py", ".toml", ".json", ".html"}
            and REASSURANCE.search(path.read_text("utf-8"))
        ]

        assert said == []


# The names under which Starlette knows them.
ENDPOINTS = {"/metrics": "read_metrics", "/openapi.json": "openapi"}
