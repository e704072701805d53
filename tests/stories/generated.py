"""A Python client as a stranger would make it: generated from the committed specification."""

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

SPECIFICATION: Final = Path(__file__).parents[2] / "openapi" / "afterglow.json"
PACKAGE: Final = "afterglow_client"


def generate(folder: Path) -> None:
    """Write the package into `folder`. Raises: AssertionError for a warning of the generator."""
    config = folder / "config.yaml"
    config.write_text("post_hooks: []\n")
    done = subprocess.run(
        [
            Path(sys.executable).with_name("openapi-python-client"),
            "generate",
            f"--path={SPECIFICATION}",
            f"--output-path={folder / PACKAGE}",
            f"--config={config}",
            "--meta=none",
            "--fail-on-warning",
        ],
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def operation(tag: str, name: str) -> ModuleType:
    """The module of one operation: `sync`, `sync_detailed`."""
    return import_module(f"{PACKAGE}.api.{tag}.{name}")


def models() -> Any:
    """What is sent and answered, by name."""
    return import_module(f"{PACKAGE}.models")


def client(base_url: str, token: str | None = None) -> Any:
    """Of somebody signed in, or of nobody yet."""
    package = import_module(PACKAGE)
    if token is None:
        return package.Client(base_url=base_url)
    return package.AuthenticatedClient(base_url=base_url, token=token)


def untyped(answer: Any) -> list[str]:
    """Where in the type of an answer, however deep, the generator could only say `Any`."""
    return sorted(set(_untyped(answer, "answer", set())))


def answer_of(module: ModuleType) -> Any:
    """The type that an operation answers with, problems and all."""
    return get_type_hints(module.sync, localns=vars(models()))["return"]


def _untyped(hint: Any, place: str, seen: set[Any]) -> Iterator[str]:
    if hint is Any:
        yield place
    elif get_origin(hint) in (Union, UnionType, list, dict):
        for inner in get_args(hint):
            yield from _untyped(inner, place, seen)
    elif isinstance(hint, type) and hint.__module__.startswith(PACKAGE) and hint not in seen:
        seen.add(hint)
        for name, inner in get_type_hints(hint, localns=vars(models())).items():
            if name != "additional_properties":  # what a later version may add
                yield from _untyped(inner, f"{place}.{name}", seen)
