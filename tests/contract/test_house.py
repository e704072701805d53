"""The rules of the house that no type checker sees, held against the source itself.

What may import what between features is import-linter's business (`make imports`).
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"

# Names that say where code was left, not what it is.
EMPTY_NAMES = {"utils", "helpers", "common", "core", "base", "crud", "repository"}

# Written with brackets, so that the rules do not break themselves.
UNWELCOME = {
    "a package registry": r"pypi[.]org|pythonhosted[.]org|npmjs[.](?:org|com)|crates[.]io",
    "a path of one machine": r"(?<![\w.])/(?:work|farm|root|home|Users)/\w",
    "a path outside the tree": r"[.][.]/shared\b",
    "an assistant": r"(?i)\b(?:c[l]aude|c[h]atgpt|c[o]pilot|a[n]thropic|o[p]enai|g[e]mini)\b",
    "a ticket": r"(?i)\b(?:i[s]sue|p[r]omise) #?\d",
}


def python_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imported(source: str) -> set[str]:
    """The full names of what a module imports; a relative import begins with a dot."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
    return names


def commits(source: str) -> bool:
    """Whether a module ends a transaction: by a method call, or by the statement."""
    tree = ast.parse(source)
    told = {id(docstring) for docstring in docstrings(tree)}
    return any(
        (isinstance(node, ast.Attribute) and node.attr == "commit")
        or (isinstance(node, ast.Constant) and id(node) not in told and says_commit(node.value))
        for node in ast.walk(tree)
    )


def docstrings(tree: ast.AST) -> Iterator[ast.expr]:
    """Every string that stands alone as a statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def says_commit(value: object) -> bool:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return isinstance(text, str) and re.search(r"(?:^|;)\s*COMMIT\b", text) is not None


def catches_without_trying(source: str) -> list[str]:
    """Functions that catch a Problem, go on, and keep what a service had written before it.

    Fine are `with db.tried():` as all that is tried, a handler that always raises, and code that
    awaits, which is outside of any transaction.
    """
    tree = ast.parse(source)
    plain = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    awaited = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }
    return [
        function.name
        for function in plain
        for node in ast.walk(function)
        if id(node) not in awaited
        and (
            (isinstance(node, ast.Try) and not is_tried(node.body) and goes_on(node.handlers))
            or (isinstance(node, ast.With) and suppresses(node) and not is_tried(node.body))
        )
    ]


def is_tried(body: list[ast.stmt]) -> bool:
    """Whether all of it is `with ….tried():`."""
    return [ast.unparse(one).partition("\n")[0].endswith(".tried():") for one in body] == [True]


def goes_on(handlers: list[ast.ExceptHandler]) -> bool:
    """Whether a Problem that was raised may end here."""
    return any(
        (one.type is None or names_problem(one.type))
        and not (
            isinstance(one.body[-1], ast.Raise)
            and not any(isinstance(node, ast.Return | ast.Continue) for node in ast.walk(one))
        )
        for one in handlers
    )


def suppresses(node: ast.With) -> bool:
    """Whether it is `with suppress(Problem):`, also beside others."""
    return any(
        isinstance(call, ast.Call) and "suppress" in ast.unparse(call.func) and names_problem(call)
        for item in node.items
        for call in ast.walk(item.context_expr)
    )


def names_problem(node: ast.AST) -> bool:
    names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    return not names.isdisjoint({"Problem", "Exception", "BaseException"})


def committed_texts() -> list[Path]:
    """Every text in the tree that .gitignore does not leave out."""
    ignored = [line.strip() for line in (ROOT / ".gitignore").read_text().splitlines()]
    folders = {line.strip("/") for line in ignored if line.endswith("/")} | {".git"}
    return [
        path
        for path in sorted(ROOT.rglob("*"))
        if path.is_file()
        and not folders & set(path.relative_to(ROOT).parts)
        and not any(path.match(line) for line in ignored if line and not line.endswith("/"))
        and b"\0" not in path.read_bytes()[:4096]
    ]


def unwelcome(text: str) -> set[str]:
    """What a text names that it should not."""
    return {what for what, pattern in UNWELCOME.items() if re.search(pattern, text)}


class TestClinical:
    def test_clinical_imports_the_standard_library_and_itself_and_nothing_else(self) -> None:
        strangers = {
            f"{path.relative_to(ROOT)}: {name}"
            for path in python_files(APP / "clinical")
            for name in imported(path.read_text())
            if not name.startswith((".", "app.clinical"))
            and name.partition(".")[0] not in sys.stdlib_module_names
        }

        assert strangers == set()

    def test_imports_are_seen_in_every_form(self) -> None:
        source = "import a.b\nfrom c.d import e\nfrom . import f\ndef g():\n    import h\n"

        assert imported(source) == {"a.b", "c.d", ".", "h"}


class TestEdge:
    def test_only_routes_main_console_and_kernel_know_the_web_framework(self) -> None:
        others = [
            path.relative_to(ROOT)
            for path in python_files(APP)
            if path.name not in {"routes.py", "main.py"}
            and path.relative_to(APP).parts[0] not in {"console", "kernel"}
            and {name.partition(".")[0] for name in imported(path.read_text())}
            & {"fastapi", "starlette"}
        ]

        assert others == []


class TestTransactions:
    def test_only_the_kernel_s_database_module_commits(self) -> None:
        elsewhere = [
            path.relative_to(ROOT)
            for path in python_files(APP)
            if path != APP / "kernel" / "db.py" and commits(path.read_text())
        ]

        assert elsewhere == []

    @pytest.mark.parametrize(
        "source",
        [
            "db.commit()",
            "end = connection.commit",
            "run('COMMIT')",
            "run(b'INSERT INTO t VALUES (1); COMMIT')",
        ],
    )
    def test_a_commit_is_seen_in_every_form(self, source: str) -> None:
        assert commits(source)

    @pytest.mark.parametrize("source", ["'''COMMIT is told of here.'''", "x = 'committed'"])
    def test_a_word_about_committing_is_not_a_commit(self, source: str) -> None:
        assert not commits(source)


class TestRefusals:
    def test_whoever_catches_a_refusal_keeps_nothing_of_what_was_written_before_it(self) -> None:
        # Around transactions, not within them; and what reads a body and has no database.
        around = {"kernel", "operations", "cli.py", "worker.py", "main.py", "__main__.py"}
        fine = {("console/door.py", "handle"), ("sync/service.py", "_read")}

        found = {
            (str(path.relative_to(APP)), name)
            for path in python_files(APP)
            if path.relative_to(APP).parts[0] not in around
            for name in catches_without_trying(path.read_text())
        }

        assert found - fine == set()

    @pytest.mark.parametrize(
        "body",
        [
            "try:\n  write(db)\n except Problem:\n  return 1",
            "try:\n  write(db)\n except (KeyError, Problem) as one:\n  return one",
            "try:\n  with db.tried():\n   pass\n  write(db)\n except Problem:\n  return 1",
            "try:\n  write(db)\n except Exception:\n  if a:\n   return 1\n  raise",
            "try:\n  write(db)\n except:\n  pass",
            "with suppress(Problem):\n  write(db)",
        ],
    )
    def test_a_refusal_that_is_caught_is_seen_in_every_form(self, body: str) -> None:
        assert catches_without_trying(f"def page():\n {body}\n") == ["page"]

    @pytest.mark.parametrize(
        "body",
        [
            "try:\n  with visit.db.tried():\n   write(db)\n except Problem:\n  return 1",
            "try:\n  look(db)\n except Problem:\n  raise invalid() from None",
            "try:\n  look(db)\n except ValueError:\n  return 1",
            "async def make():\n  try:\n   await draw()\n  except Problem:\n   return 1",
            "with suppress(KeyError):\n  look(db)",
        ],
    )
    def test_a_refusal_that_undoes_is_welcome(self, body: str) -> None:
        assert catches_without_trying(f"def page():\n {body}\n") == []


class TestNames:
    def test_no_folder_and_no_module_is_named_after_nothing(self) -> None:
        named = [
            path.relative_to(ROOT)
            for top in ("app", "tests", "migrations")
            for path in (ROOT / top).rglob("*")
            if path.stem.strip("_") in EMPTY_NAMES and (path.is_dir() or path.suffix == ".py")
        ]

        assert named == []

    def test_a_feature_begins_with_a_docstring_that_says_why_and_nothing_more(self) -> None:
        features = {path.parent for path in APP.glob("*/*.py")} - {APP / "clinical"}

        for feature in features:
            body = ast.parse((feature / "__init__.py").read_text()).body

            assert len(body) == 1, feature
            assert isinstance(body[0], ast.Expr), feature
            assert isinstance(body[0].value, ast.Constant), feature


class TestTexts:
    def test_no_text_names_a_registry_a_machine_s_path_or_who_typed_it(self) -> None:
        texts = committed_texts()

        assert ROOT / "pyproject.toml" in texts
        named = {path.relative_to(ROOT): unwelcome(path.read_text("utf-8")) for path in texts}
        assert {path: what for path, what in named.items() if what} == {}

    @pytest.mark.parametrize(
        ("text", "what"),
        [
            ("https://" + "pypi" + ".org/simple", "a package registry"),
            ("see /" + "root/notes.md", "a path of one machine"),
            ("by C" + "laude", "an assistant"),
            ("closes Is" + "sue #12", "a ticket"),
            ("from .." + "/shared/x", "a path outside the tree"),
        ],
    )
    def test_an_unwelcome_name_is_seen(self, text: str, what: str) -> None:
        assert unwelcome(text) == {what}

    def test_a_public_address_and_the_api_s_own_words_are_welcome(self) -> None:
        text = "https://www.example.org/home/page, OpenAPI, an opaque cursor, a promise kept"

        assert unwelcome(text) == set()
